/* SPDX-License-Identifier: BSD-2-Clause */
/* The opcode maps, as data: what decode.c walks and decode_maps.c fills in. Inside the decoder only. */
#ifndef ARCH_DECODE_MAPS_H
#define ARCH_DECODE_MAPS_H

#include "arch/decode.h"
#include "mm/types.h"

/* How to read what follows the opcode; the first ones after NONE are enum insn_form + 1. */
enum kind { NONE, E_G, G_E, E_I, E_, STRING, OFFSET, GROUP, ESCAPE, VEX, PREFIX, REX };

static_assert(E_G == INSN_RM_REG + 1 && G_E == INSN_REG_RM + 1 && E_I == INSN_RM_IMM + 1 &&
		      E_ == INSN_RM + 1 && STRING == INSN_STRING + 1,
	      "the kind of an opcode gives its form");

/* Flags of an opcode; the two low bits are the access to the memory operand. */
enum {
	R = INSN_READS,
	W = INSN_WRITES,
	RW = R | W,
	BYTE = BIT(2), /* operand size is 1, whatever the prefixes say */
	LOCK = BIT(3), /* LOCK is allowed */
	IMM8 = BIT(4), /* sign-extended byte */
	IMMZ = BIT(5), /* of the operand size, but at most 32 bits, sign-extended */
	MEM8 = BIT(6), /* the memory operand's size, where it is not the operand size */
	MEM16 = BIT(7),
	MEM32 = BIT(8),	 /* at most */
	MEM64 = BIT(9),	 /* and without REX.W, with which it is another instruction */
	MEM0 = BIT(10),	 /* not accessed */
	NO_66 = BIT(11), /* the prefix makes another instruction of it */
	NO_F2_F3 = BIT(12),
	IS_66 = BIT(13),   /* the instruction is another one without the prefix */
	ONLY_64 = BIT(14), /* another instruction outside 64-bit mode */
	BAD = BIT(15),	   /* no instruction at all */

	MEMORY_SIZE = MEM8 | MEM16 | MEM32 | MEM64 | MEM0,
	SPECIAL = NO_66 | NO_F2_F3 | IS_66 | ONLY_64 | MEM64,
};

/* What the prefixes were; `op` of a PREFIX sets bits, `flags` clears them first: the last one of a kind counts. */
enum {
	SEEN_66 = BIT(0),
	SEEN_67 = BIT(1),
	SEEN_LOCK = BIT(2),
	SEEN_F2 = BIT(3),
	SEEN_F3 = BIT(4),
	SEEN_SEGMENT = BITS(7, 5), /* enum cpu_segment + 1 */
	SEGMENT_SHIFT = 5,
};

struct opcode {
	u8 op, kind;
	u16 flags;
};

extern const struct opcode opcode_one_byte[256];
extern const struct opcode opcode_two_byte[256]; /* 0F xx */
extern const struct opcode
	opcode_three_byte[3]; /* 0F 38 F0, F1 in 1, 2; all others of 0F 38 and 0F 3A in 0 */

/* By the `op` of a GROUP, then ModRM.reg. Flags come on top of those of the opcode. */
extern const struct opcode opcode_groups[17][8];

#endif
