/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest's RAM with page tables in it, for the tests of arch/guest_walk.c. */
#ifndef TESTS_UNIT_WALK_MACHINE_H
#define TESTS_UNIT_WALK_MACHINE_H

#include "arch/guest_walk.h"

#include <string.h>

enum {
	P = BIT(0),
	RW = BIT(1),
	US = BIT(2),
	A = BIT(5),
	D = BIT(6),
	PS = BIT(7),
	CR4_PSE = BIT(4),
	CR4_PAE = BIT(5),
	CR4_SMEP = BIT(20),
	CR4_SMAP = BIT(21),
	CR0_WP = BIT(16),
	LMA = BIT(10),
	NXE = BIT(11),
};
#define XD	 BIT(63)
#define CR0_PG	 BIT(31)
#define RAM_SIZE (64 * KiB)

/* Page-fault error codes. */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

struct machine {
	struct guest_paging paging;
	u8 ram[RAM_SIZE] __attribute__((aligned(8)));
	bool rom;	  /* windows are not writable */
	unsigned races;	  /* so often the PML4 entry is changed while the walk asks for the page of the PT */
	unsigned windows; /* asked for */
};

static inline bool find_ram(void *context, u64 gpa, struct guest_window *window)
{
	struct machine *machine = context;

	machine->windows++;
	if (gpa >= RAM_SIZE)
		return false;
	*window = (struct guest_window){ 0, RAM_SIZE, machine->ram, !machine->rom };
	if (machine->races) { /* windows of a page, so that every level asks */
		window->first = ALIGN_DOWN(gpa, PAGE_SIZE);
		window->size = PAGE_SIZE;
		window->host = machine->ram + window->first;
		if (window->first == 0x4000) {
			machine->races--;
			*(u64 *)(machine->ram + 0x1000) ^= BIT(9);
		}
	}
	return true;
}

static inline u64 *entry64(struct machine *machine, u64 gpa)
{
	return (u64 *)(machine->ram + gpa);
}

static inline u32 *entry32(struct machine *machine, u64 gpa)
{
	return (u32 *)(machine->ram + gpa);
}

/* Linear 0 up in a table of each level, 1000 apart: PML4 at 1000, PDPT 2000, PD 3000, PT 4000. */
static inline void open_long(struct machine *machine)
{
	memset(machine, 0, sizeof(*machine));
	machine->paging = (struct guest_paging){
		.cr0 = CR0_PG | CR0_WP | 1,
		.cr3 = 0x1000,
		.cr4 = CR4_PAE,
		.efer = LMA | NXE,
		.physical_bits = 40,
		.find_ram = find_ram,
		.context = machine,
	};
	*entry64(machine, 0x1000) = 0x2000 | P | RW | US | A;
	*entry64(machine, 0x2000) = 0x3000 | P | RW | US | A;
	*entry64(machine, 0x3000) = 0x4000 | P | RW | US | A;
	*entry64(machine, 0x4000) = 0xabcd000 | P | RW | US | A | D;
}

#endif
