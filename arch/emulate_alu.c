// SPDX-License-Identifier: BSD-2-Clause
#include "arch/emulate_alu.h"

/* SF, ZF, PF of a result. */
static u64 result_flags(u64 result, unsigned size)
{
	u64 flags = 0;
	unsigned low = (result ^ result >> 4) & 0xf;

	if (result == 0)
		flags |= RFLAGS_ZF;
	if (result >> (8 * size - 1))
		flags |= RFLAGS_SF;
	if (!(0x6996 >> low & 1)) /* bit n: n has an odd number of ones */
		flags |= RFLAGS_PF;
	return flags;
}

/* CF, OF, AF from the carries (or borrows) out of every bit. */
static u64 carry_flags(u64 carries, unsigned size)
{
	unsigned top = 8 * size - 1;
	u64 flags = 0;

	if (carries >> top & 1)
		flags |= RFLAGS_CF;
	if ((carries >> top ^ carries >> (top - 1)) & 1)
		flags |= RFLAGS_OF;
	if (carries & BIT(3))
		flags |= RFLAGS_AF;
	return flags;
}

static u64 set_flags(u64 rflags, u64 mask, u64 flags)
{
	return (rflags & ~mask) | (flags & mask);
}

static u64 add(u64 a, u64 b, u64 carry, unsigned size, u64 mask, u64 *rflags)
{
	u64 result = a + b + carry;
	u64 carries = (a & b) | ((a | b) & ~result);

	result = alu_truncate(result, size);
	*rflags = set_flags(*rflags, mask, carry_flags(carries, size) | result_flags(result, size));
	return result;
}

static u64 subtract(u64 a, u64 b, u64 borrow, unsigned size, u64 mask, u64 *rflags)
{
	u64 result = a - b - borrow;
	u64 borrows = (~a & b) | ((~a | b) & result);

	result = alu_truncate(result, size);
	*rflags = set_flags(*rflags, mask, carry_flags(borrows, size) | result_flags(result, size));
	return result;
}

static u64 logic(u64 result, unsigned size, u64 *rflags)
{
	*rflags = set_flags(*rflags, RFLAGS_STATUS, result_flags(result, size));
	return result;
}

u64 alu_execute(enum insn_op op, u64 a, u64 b, unsigned size, u64 *rflags)
{
	u64 carry = *rflags & RFLAGS_CF;

	a = alu_truncate(a, size);
	b = alu_truncate(b, size);
	switch (op) {
	case INSN_ADD:
		return add(a, b, 0, size, RFLAGS_STATUS, rflags);
	case INSN_ADC:
		return add(a, b, carry, size, RFLAGS_STATUS, rflags);
	case INSN_SUB:
	case INSN_CMP:
		return subtract(a, b, 0, size, RFLAGS_STATUS, rflags);
	case INSN_SBB:
		return subtract(a, b, carry, size, RFLAGS_STATUS, rflags);
	case INSN_NEG:
		return subtract(0, a, 0, size, RFLAGS_STATUS, rflags);
	case INSN_INC:
		return add(a, 1, 0, size, RFLAGS_STATUS & ~RFLAGS_CF, rflags);
	case INSN_DEC:
		return subtract(a, 1, 0, size, RFLAGS_STATUS & ~RFLAGS_CF, rflags);
	case INSN_OR:
		return logic(a | b, size, rflags);
	case INSN_AND:
	case INSN_TEST:
		return logic(a & b, size, rflags);
	case INSN_XOR:
		return logic(a ^ b, size, rflags);
	case INSN_NOT:
		return alu_truncate(~a, size);
	default: /* the bit test group */
		break;
	}
	*rflags = set_flags(*rflags, RFLAGS_CF, a >> b & 1 ? RFLAGS_CF : 0);
	if (op == INSN_BTS)
		return a | BIT(b);
	if (op == INSN_BTR)
		return a & ~BIT(b);
	return op == INSN_BTC ? a ^ BIT(b) : a;
}
