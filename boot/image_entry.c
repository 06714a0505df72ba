// SPDX-License-Identifier: BSD-2-Clause
#include "boot/image_load.h"

/* Selectors that the Linux boot protocol fixes; the others of these have no wish. */
#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_TSS  0x20

/* Flat, present, ring 0, already accessed: the processor need not write to the GDT (SDM vol. 3, 3.4.5). */
#define GDT_CODE32 0x00cf9b000000ffffull
#define GDT_CODE64 0x00af9b000000ffffull
#define GDT_DATA   0x00cf93000000ffffull
#define GDT_TSS	   0x00008b0000000067ull

/* The same in the VMCS format. */
#define ACCESS_CODE32	0xc09b
#define ACCESS_CODE64	0xa09b
#define ACCESS_DATA	0xc093
#define ACCESS_TSS_BUSY 0x8b
#define ACCESS_UNUSABLE 0x10000

#define CR0_PE	      BIT(0)
#define CR0_ET	      BIT(4)
#define CR0_PG	      BIT(31)
#define CR4_PAE	      BIT(5)
#define EFER_LME      BIT(8)
#define EFER_LMA      BIT(10)
#define RFLAGS_ALWAYS BIT(1)

#define PTE_TABLE	(BIT(0) | BIT(1) | BIT(5))    /* present, writable, accessed */
#define PTE_LARGE	(PTE_TABLE | BIT(6) | BIT(7)) /* dirty, a page of 2 MiB */
#define IDENTITY_GIB	4
#define IDENTITY_TABLES (2 + IDENTITY_GIB) /* PML4, page directory pointers, a directory for each GiB */

static bool image_enter(struct image_loader *loader, enum guest_mode mode, u64 rip)
{
	const bool is64 = mode == GUEST_LONG64;
	/* A TSS descriptor takes two entries in IA-32e mode; the upper half of a base below 4 GiB is zero. */
	const u64 gdt[] = { 0, 0, is64 ? GDT_CODE64 : GDT_CODE32, GDT_DATA, GDT_TSS, 0 };
	struct guest_entry *entry = loader->entry;
	u64 gpa;
	void *to = image_place(loader, "GDT", sizeof(gdt), 16, LAYOUT_LOW_FIRST, LAYOUT_LOW_LAST,
			       IMAGE_LOWEST, &gpa);

	if (!to)
		return false;
	memcpy(to, gdt, sizeof(gdt));
	entry->mode = mode;
	entry->state = (struct vcpu_state){
		.rip = rip,
		.rflags = RFLAGS_ALWAYS,
		.cr0 = CR0_PE | CR0_ET,
		.gdt_base = gpa,
		.gdt_limit = sizeof(gdt) - 1,
		.cs = { 0, 0xffffffff, is64 ? ACCESS_CODE64 : ACCESS_CODE32, SELECTOR_CODE },
		.data = { 0, 0xffffffff, ACCESS_DATA, SELECTOR_DATA },
		.tr = { 0, 0x67, ACCESS_TSS_BUSY, SELECTOR_TSS },
		.ldtr = { 0, 0, ACCESS_UNUSABLE, 0 },
	};
	return true;
}

bool image_enter_protected(struct image_loader *loader, u64 rip)
{
	return image_enter(loader, GUEST_PROTECTED32, rip);
}

bool image_enter_long(struct image_loader *loader, u64 rip)
{
	u64 gpa;
	u64 *table = image_place(loader, "page tables", IDENTITY_TABLES * PAGE_SIZE, PAGE_SIZE,
				 LAYOUT_LOW_FIRST, LAYOUT_LOW_LAST, IMAGE_LOWEST, &gpa);

	if (!table || !image_enter(loader, GUEST_LONG64, rip))
		return false;
	memset(table, 0, 2 * PAGE_SIZE);
	table[0] = (gpa + PAGE_SIZE) | PTE_TABLE;
	for (u64 i = 0; i < IDENTITY_GIB; i++)
		table[512 + i] = (gpa + (2 + i) * PAGE_SIZE) | PTE_TABLE;
	for (u64 i = 0; i < IDENTITY_GIB * 512; i++)
		table[1024 + i] = (i * 2 * MiB) | PTE_LARGE;
	loader->entry->state.cr0 |= CR0_PG;
	loader->entry->state.cr3 = gpa;
	loader->entry->state.cr4 = CR4_PAE;
	loader->entry->state.efer = EFER_LME | EFER_LMA;
	return true;
}
