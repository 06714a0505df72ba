/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short way for an instruction that has accessed a device before. Drivers access their registers from few places, by
 * plain MOVs: what the walk to the instruction and its decoding found is remembered, and used again if nothing that led to it
 * has changed.
 *
 * This is no second source of truth: on each use the paging entries on the way and the bytes of the instruction are read
 * again and compared, so a guest that changes either meets what it would meet on hardware. Permissions need no look: the
 * processor has just executed the instruction. Anything else than a MOV between a whole register (or an immediate)
 * and memory within a page goes the long way, by exit_memory.c and emulate.c.
 */
#ifndef ARCH_MMIO_REPEAT_H
#define ARCH_MMIO_REPEAT_H

#include "arch/decode.h"
#include "mm/types.h"

struct vcpu;

#define MMIO_REPEATS 64 /* power of two */

struct mmio_repeat {
	u64 rip, cr3, view;  /* for which; view 0: empty. The view keeps the pointers below right */
	const u64 *entry[4]; /* the paging entries; repeated where a large page ends the walk early */
	u64 entry_value[4];
	const u8 *code;	     /* the instruction, */
	u64 bytes, mask;     /* its first 8 bytes, */
	u64 rest, rest_mask; /* and what follows */
	u64 immediate, displacement, value_mask;
	u32 cs_rights;
	u8 gpr, size, length;
	u8 base, index, scale; /* of the operand; CPU_GPR_COUNT: none. RIP is in the displacement */
	u8 kind;	       /* enum mmio_repeat_kind */
	bool page_start;
	/* What was accessed last, and where that is. */
	u64 gpa, offset;
	const struct section *section;
} __attribute__((aligned(256))); /* an index is a shift */

enum mmio_repeat_kind { REPEAT_LOAD, REPEAT_STORE, REPEAT_STORE_IMMEDIATE };

/*
 * `insn`, at `rip`, has accessed `gpa` the long way in 64-bit mode: remembers it if it is of the kind described above.
 */
void mmio_remember(struct vcpu *vcpu, u64 rip, u64 gpa, const struct insn *insn);

#endif
