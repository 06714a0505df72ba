// SPDX-License-Identifier: BSD-2-Clause
/*
 * 4-level paging, SDM vol. 3, 4.5. Levels are counted from the leaves: 0 = page table, 3 = PML4.
 */
#include "arch/host_paging.h"

#include "arch/cpu.h"
#include "arch/image.h"

#define PTE_P	 BIT(0)
#define PTE_RW	 BIT(1)
#define PTE_PWT	 BIT(3)
#define PTE_PCD	 BIT(4)
#define PTE_A	 BIT(5)
#define PTE_D	 BIT(6)
#define PTE_PS	 BIT(7)
#define PTE_XD	 BIT(63)
#define PTE_ADDR BITS(51, 12)

#define ENTRIES	  512u
#define TOP_LEVEL 3u
/* SDM vol. 3, 11.12.4: the entry that PWT = PCD = 1 selects is UC in the power-on value, which firmware may change. */
#define PAT_POWER_ON 0x0007040600070406ull

static struct host_paging {
	struct page_pool *tables;
	u64 *top;
	bool pages_1g;
} paging;

static unsigned level_shift(unsigned level)
{
	return PAGE_SHIFT + 9 * level;
}

static bool is_table(u64 entry, unsigned level)
{
	return (entry & PTE_P) && level > 0 && !(entry & PTE_PS);
}

/* A and D are set from the start, so that the CPU never writes to the tables. */
static u64 make_leaf(u64 address, unsigned level, unsigned access)
{
	u64 entry = address | PTE_P | PTE_A;

	if (!access)
		return 0;
	if (access & HOST_WRITE)
		entry |= PTE_RW | PTE_D;
	if (!(access & HOST_EXEC))
		entry |= PTE_XD;
	if (access & HOST_DEVICE)
		entry |= PTE_PCD | PTE_PWT;
	return level ? entry | PTE_PS : entry;
}

/* The table below `*entry`; one that maps what a large page mapped, if it was one; NULL: no page left. */
static u64 *table_below(u64 *entry, unsigned level)
{
	u64 *table;

	if (is_table(*entry, level))
		return (u64 *)(*entry & PTE_ADDR);
	table = page_alloc(paging.tables);
	if (!table)
		return NULL;
	if (*entry & PTE_P) {
		u64 leaf = level == 1 ? *entry & ~PTE_PS : *entry;

		for (u64 i = 0; i < ENTRIES; i++)
			table[i] = leaf + (i << level_shift(level - 1));
	}
	*entry = (u64)table | PTE_P | PTE_RW | PTE_A;
	return table;
}

static bool map_level(u64 *table, unsigned level, u64 first, u64 last, unsigned access)
{
	u64 span = 1ull << level_shift(level);
	bool leaf_here = level == 0 || level == 1 || (level == 2 && paging.pages_1g);

	for (u64 base = ALIGN_DOWN(first, span); base <= last; base += span) {
		u64 *entry = &table[base >> level_shift(level) & (ENTRIES - 1)];
		u64 part_first = MAX(first, base), part_last = MIN(last, base + span - 1);
		bool whole = part_first == base && part_last == base + span - 1;
		u64 *below;

		if (whole && leaf_here && !is_table(*entry, level)) {
			*entry = make_leaf(base, level, access);
			continue;
		}
		below = table_below(entry, level);
		if (!below || !map_level(below, level - 1, part_first, part_last, access))
			return false;
	}
	return true;
}

static bool cpu_has_1g_pages(void)
{
	return cpuid_checked(0x80000001, 0).edx & BIT(26);
}

bool host_paging_init(struct page_pool *tables)
{
	paging.tables = tables;
	paging.top = page_alloc(tables);
	paging.pages_1g = cpu_has_1g_pages();
	return paging.top;
}

bool host_map(u64 address, u64 size, unsigned access)
{
	u64 first = ALIGN_DOWN(address, PAGE_SIZE);
	u64 last = address + size - 1;

	if (!size)
		return true;
	if (last < address || last >= HOST_ADDRESS_LIMIT)
		return false;
	if (!map_level(paging.top, TOP_LEVEL, first, last | PAGE_MASK, access))
		return false;
	/* Nothing is global: loading CR3 forgets every old translation. Harmless while other tables are in use. */
	write_cr3(read_cr3());
	return true;
}

volatile void *host_map_mmio(u64 address, u64 size)
{
	if (!host_map(address, size, HOST_WRITE | HOST_DEVICE))
		return NULL;
	return (volatile void *)address;
}

bool host_map_image(void)
{
	const struct {
		const char *start, *end;
		unsigned access;
	} part[] = {
		{ ImageBase, __text_start, HOST_READ },
		{ __text_start, __text_end, HOST_EXEC },
		{ __rodata_start, __rodata_end, HOST_READ },
		{ __data_start, __bss_end, HOST_WRITE },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(part); i++)
		if (!host_map((u64)part[i].start, (u64)(part[i].end - part[i].start), part[i].access))
			return false;
	return true;
}

void host_paging_activate(void)
{
	u64 top = (u64)paging.top;

	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
	/* Global and PCID-tagged translations of the firmware would outlive the change of CR3. */
	write_cr4(read_cr4() & ~(CR4_PGE | CR4_PCIDE));
	if (read_cr4() & CR4_LA57) {
		/* 5-level paging cannot be left in long mode: one more level on top, of which entry 0 is all we use. */
		u64 *pml5 = page_alloc(paging.tables);

		assert(pml5);
		pml5[0] = top | PTE_P | PTE_RW | PTE_A;
		top = (u64)pml5;
	}
	wrmsr(IA32_PAT, PAT_POWER_ON);
	write_cr3(top);
	write_cr0(read_cr0() | CR0_WP);
}

u64 host_paging_pages_needed(u64 bytes, unsigned ranges)
{
	u64 directories = cpu_has_1g_pages() ? 0 : bytes / GiB;

	/* Each end of a range may need a page table; neighbours share what is above. */
	return 16 + directories + 3ull * ranges;
}

bool host_is_mapped(u64 address, u64 size, unsigned access)
{
	u64 last = address + size - 1;

	if (!size || last < address || last >= HOST_ADDRESS_LIMIT)
		return false;
	for (u64 at = ALIGN_DOWN(address, PAGE_SIZE); at <= last;) {
		const u64 *table = paging.top;
		unsigned level = TOP_LEVEL;
		u64 entry = table[at >> level_shift(level) & (ENTRIES - 1)];

		while (is_table(entry, level)) {
			table = (const u64 *)(entry & PTE_ADDR);
			level--;
			entry = table[at >> level_shift(level) & (ENTRIES - 1)];
		}
		if (!(entry & PTE_P) || ((access & HOST_WRITE) && !(entry & PTE_RW)) ||
		    ((access & HOST_EXEC) && (entry & PTE_XD)))
			return false;
		at = ALIGN_DOWN(at, 1ull << level_shift(level)) + (1ull << level_shift(level));
	}
	return true;
}
