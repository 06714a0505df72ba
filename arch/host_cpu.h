/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a physical CPU that runs the hypervisor needs for itself: segments, task state, stacks with guard pages.
 *
 *   low  | guard | main stack | guard | #DF | guard | NMI | guard | #MC | guard |  high
 */
#ifndef ARCH_HOST_CPU_H
#define ARCH_HOST_CPU_H

#include "mm/types.h"

/* Selectors; also what the VMCS host-state area wants: RPL and TI 0, CS and TR not 0. */
#define HOST_CS 0x08
#define HOST_DS 0x10
#define HOST_TR 0x18

#define HOST_STACK_SIZE	    (64 * KiB)
#define HOST_IST_STACK_SIZE (8 * KiB)
#define HOST_IST_STACKS	    3u
#define HOST_STACKS_SIZE \
	(HOST_STACK_SIZE + HOST_IST_STACKS * HOST_IST_STACK_SIZE + (HOST_IST_STACKS + 2) * PAGE_SIZE)

enum host_ist { HOST_IST_NONE, HOST_IST_DF, HOST_IST_NMI, HOST_IST_MC };

/* SDM vol. 3, figure 7-11. */
struct __attribute__((packed)) tss64 {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7]; /* IST1 is ist[0] */
	u64 reserved2;
	u16 reserved3;
	u16 io_map_base;
};
static_assert(sizeof(struct tss64) == 104, "SDM vol. 3, figure 7-11");

struct host_cpu {
	u64 gdt[5]; /* first: GDTR is how a CPU finds its own struct */
	const struct host_cpu *self;
	struct tss64 tss;
	u8 *stacks; /* HOST_STACKS_SIZE bytes */
};

/*
 * Lays out `stacks`, HOST_STACKS_SIZE page-aligned bytes, with the guards unmapped in the (not yet active) page tables.
 * False: no page for tables.
 */
bool host_cpu_init(struct host_cpu *cpu, u8 *stacks);
/* Loads segments, task register and IDT, and sets CR0 and CR4 to what the hypervisor wants. Interrupts are off. */
void host_cpu_load(struct host_cpu *cpu);
/* Where the main stack begins: its highest address. */
void *host_cpu_stack_top(const struct host_cpu *cpu);

/* The CPU that this runs on; NULL before host_cpu_load(). */
const struct host_cpu *host_cpu_current(void);

/* The stack whose guard page `address` lies in; NULL: in none. */
const char *host_cpu_guard_name(const struct host_cpu *cpu, u64 address);
bool host_cpu_on_stack(const struct host_cpu *cpu, u64 address);

#endif
