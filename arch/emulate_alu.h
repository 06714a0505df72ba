/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Results and status flags of the arithmetic instructions, for operands of 1, 2, 4 or 8 bytes. Where the SDM leaves a
 * flag undefined (AF after AND, OF after BT), the value is what processors do: AF cleared, the others left alone.
 */
#ifndef ARCH_EMULATE_ALU_H
#define ARCH_EMULATE_ALU_H

#include "arch/decode.h"
#include "mm/types.h"

enum {
	RFLAGS_CF = BIT(0),
	RFLAGS_PF = BIT(2),
	RFLAGS_AF = BIT(4),
	RFLAGS_ZF = BIT(6),
	RFLAGS_SF = BIT(7),
	RFLAGS_TF = BIT(8),
	RFLAGS_DF = BIT(10),
	RFLAGS_OF = BIT(11),
	RFLAGS_RF = BIT(16),
	RFLAGS_VM = BIT(17),
	RFLAGS_AC = BIT(18),
	RFLAGS_STATUS = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF,
};

/* The low `size` bytes of a value, 1..8. */
static inline u64 alu_truncate(u64 value, unsigned size)
{
	return value & (~0ull >> (64 - 8 * size));
}

/*
 * INSN_ADD..INSN_BTC, INSN_TEST..INSN_DEC: a op b, truncated to `size`; `rflags` is read for the carry and updated. For
 * CMP and TEST the result is to be dropped. b is not used by NOT, NEG, INC, DEC; for BT..BTC it is the bit's number.
 */
u64 alu_execute(enum insn_op op, u64 a, u64 b, unsigned size, u64 *rflags);

#endif
