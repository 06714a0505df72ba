// SPDX-License-Identifier: BSD-2-Clause
/*
 *   [prefixes] [REX] opcode | 0F opcode | 0F 38 opcode  [ModRM [SIB] [displacement]] [immediate]
 *
 * One pass from left to right, steered by the maps of decode_maps.c.
 */
#include "arch/decode.h"
#include "arch/decode_maps.h"

/* Base and index of the 16-bit addressing forms, by ModRM.rm. */
static const u8 base_16[8] = { RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX };
static const u8 index_16[8] = { RSI, RDI, RSI, RDI, INSN_NO_REG, INSN_NO_REG, INSN_NO_REG, INSN_NO_REG };

/* Unaligned and little-endian, as the processor itself reads them. */
#define DEFINE_FETCH(type)                                   \
	static inline type fetch_##type(const u8 *at)        \
	{                                                    \
		type value;                                  \
		__builtin_memcpy(&value, at, sizeof(value)); \
		return value;                                \
	}
DEFINE_FETCH(s16)
DEFINE_FETCH(s32)
DEFINE_FETCH(u16)
DEFINE_FETCH(u32)
DEFINE_FETCH(u64)

/* Nothing that was concluded from bytes beyond `available` counts. */
static enum insn_result result_unless_short(enum insn_result result, u64 length, unsigned available)
{
	if (length <= available)
		return result;
	return available < INSN_MAX_LENGTH ? INSN_MORE : INSN_TOO_LONG;
}

/* ModRM with 16-bit addressing (SDM table 2-1). Returns what follows the displacement. */
static const u8 *decode_rm_16(struct insn *out, const u8 *at)
{
	u8 mod = out->modrm >> 6, rm = out->modrm & 7;

	out->base = base_16[rm];
	out->index = index_16[rm];
	out->scale = 0;
	out->displacement = 0;
	if (mod == 0 && rm == 6) {
		out->base = INSN_NO_REG;
		mod = 2;
	}
	if (mod == 1) {
		out->displacement = (s8)*at;
		return at + 1;
	}
	if (mod == 2) {
		out->displacement = fetch_s16(at);
		return at + 2;
	}
	return at;
}

/* ModRM with 32- or 64-bit addressing (SDM tables 2-2, 2-3). */
static inline const u8 *decode_rm(struct insn *out, const u8 *at, u8 modrm, unsigned rex, enum cpu_mode mode)
{
	u8 base = modrm & 7, index = INSN_NO_REG;
	bool no_base;

	out->scale = 0;
	if (base == 4) {
		u8 sib = *at++;
		u8 number = (sib >> 3 & 7) | (rex & 2) << 2;

		if (number != RSP) {
			index = number;
			out->scale = sib >> 6;
		}
		base = sib & 7;
		no_base = modrm < 0x40 && base == RBP;
		base = no_base ? INSN_NO_REG : base | (rex & 1) << 3;
	} else {
		no_base = modrm < 0x40 && base == RBP;
		if (no_base)
			base = mode == CPU_MODE_64 ? INSN_BASE_RIP : INSN_NO_REG;
		else
			base |= (rex & 1) << 3;
	}
	out->base = base;
	out->index = index;
	if (no_base || modrm >= 0x80) {
		out->displacement = fetch_s32(at);
		return at + 4;
	}
	if (modrm >= 0x40) {
		out->displacement = (s8)*at;
		return at + 1;
	}
	out->displacement = 0;
	return at;
}

/* The rare half of the checks: prefixes that make another instruction of an opcode, or none. */
static enum insn_result check_prefixes(unsigned flags, unsigned seen, unsigned rex, enum cpu_mode mode)
{
	if ((seen & SEEN_LOCK) && !(flags & LOCK))
		return INSN_INVALID;
	if ((flags & NO_66) && (seen & SEEN_66))
		return INSN_UNSUPPORTED;
	if ((flags & NO_F2_F3) && (seen & (SEEN_F2 | SEEN_F3)))
		return INSN_UNSUPPORTED;
	if ((flags & IS_66) && !(seen & SEEN_66))
		return INSN_UNSUPPORTED;
	if ((flags & MEM64) && (rex & 8))
		return INSN_UNSUPPORTED;
	if ((flags & ONLY_64) && mode != CPU_MODE_64)
		return INSN_UNSUPPORTED;
	return INSN_OK;
}

/* Leave for insn_reason what was found; a ModRM beyond the fetched bytes is not looked at. */
static enum insn_result refuse(struct insn *out, const u8 *at, u64 length, unsigned available)
{
	out->modrm = length < available ? *at : 0;
	return result_unless_short(INSN_UNSUPPORTED, length, available);
}

/*
 * Outside 64-bit mode 62, C4 and C5 are BOUND, LES and LDS unless the next byte looks like a ModRM that names a
 * register; 8F is POP if it looks like /0.
 */
static enum insn_result refuse_vex(struct insn *out, const u8 *at, u64 length, unsigned available,
				   enum cpu_mode mode)
{
	bool is_vex = out->opcode == 0x8f ? *at & 0x38 : mode == CPU_MODE_64 || *at >= 0xc0;

	if (is_vex)
		out->map = out->opcode;
	out->modrm = *at;
	return result_unless_short(INSN_UNSUPPORTED, length + 1, available);
}

static u8 last_prefix(unsigned seen)
{
	return seen & SEEN_F2 ? 0xf2 : seen & SEEN_F3 ? 0xf3 : seen & SEEN_66 ? 0x66 : 0;
}

static u8 memory_size(unsigned flags)
{
	if (flags & MEM8)
		return 1;
	if (flags & MEM16)
		return 2;
	if (flags & MEM32)
		return 4;
	return flags & MEM64 ? 8 : 0;
}

/* MOV with the address in the instruction: a memory operand with a displacement alone. */
static const u8 *decode_offset(struct insn *out, const u8 *at)
{
	out->form = out->access == INSN_READS ? INSN_REG_RM : INSN_RM_REG;
	out->reg = RAX;
	out->base = INSN_NO_REG;
	out->index = INSN_NO_REG;
	out->scale = 0;
	if (out->address_size == 8)
		out->displacement = fetch_u64(at);
	else
		out->displacement = out->address_size == 4 ? fetch_u32(at) : fetch_u16(at);
	return at + out->address_size;
}

static void decode_string(struct insn *out, unsigned seen)
{
	out->form = INSN_STRING;
	out->rep = seen & SEEN_F3 ? INSN_REP : seen & SEEN_F2 ? INSN_REPNE : INSN_REP_NONE;
	out->reg = RAX;
	out->base = out->op == INSN_LODS || out->op == INSN_OUTS ? RSI : RDI;
	out->index = INSN_NO_REG;
	out->scale = 0;
	out->displacement = 0;
	if ((out->op == INSN_INS || out->op == INSN_OUTS) && out->operand_size == 8)
		out->operand_size = 4;
	out->memory_size = out->operand_size;
}

static bool is_plain(const struct insn *insn)
{
	bool bit_string = insn->form == INSN_RM_REG && insn->op >= INSN_BT && insn->op <= INSN_BTC;

	return insn->address_size == 8 && insn->segment < SEG_FS && insn->form != INSN_STRING &&
	       insn->memory_size != 0 && !bit_string;
}

enum insn_result insn_decode(struct insn *out, const u8 *bytes, unsigned available, enum cpu_mode mode)
{
	const u8 *at = bytes;
	unsigned seen = 0, rex = 0, flags, segment;
	struct opcode entry;
	u8 opcode, modrm, size;

	for (;;) {
		opcode = *at++;
		entry = opcode_one_byte[opcode];
		if (likely(entry.kind < PREFIX))
			break;
		if (entry.kind == REX && mode != CPU_MODE_64) { /* INC and DEC of a register */
			entry.kind = NONE;
			break;
		}
		if (entry.kind == REX) {
			rex = opcode;
		} else {
			rex = 0; /* it counts only directly before the opcode */
			/* In 64-bit mode overrides of ES, CS, SS, DS are void, and so leave an FS or GS alone. */
			if (mode != CPU_MODE_64 || !(entry.op & SEEN_SEGMENT) ||
			    entry.op > (SEG_DS + 1) << SEGMENT_SHIFT)
				seen = (seen & ~entry.flags) | entry.op;
		}
		if (at == bytes + INSN_MAX_LENGTH)
			return result_unless_short(INSN_TOO_LONG, INSN_MAX_LENGTH + 1, available);
	}
	out->map = 1;
	if (entry.kind == ESCAPE) {
		out->map = 2;
		opcode = *at++;
		entry = opcode_two_byte[opcode];
		if (entry.kind == ESCAPE) {
			out->map = opcode == 0x38 ? 3 : 4;
			opcode = *at++;
			entry = opcode_three_byte[out->map == 3 && (opcode & 0xfe) == 0xf0 ? 1 + (opcode & 1)
											   : 0];
		}
	}
	out->opcode = opcode;
	out->prefix = 0;
	if (unlikely(seen))
		out->prefix = last_prefix(seen);
	flags = entry.flags;

	if (entry.kind == VEX)
		return refuse_vex(out, at, at - bytes, available, mode);
	if (entry.kind == NONE)
		return refuse(out, at, at - bytes, available);
	modrm = 0;
	if (entry.kind <= E_ || entry.kind == GROUP) {
		modrm = *at++;
		out->modrm = modrm;
		if (modrm >= 0xc0) /* registers only: not here because of a device */
			return result_unless_short(INSN_UNSUPPORTED, at - bytes, available);
		if (entry.kind == GROUP) {
			entry = opcode_groups[entry.op][modrm >> 3 & 7];
			flags |= entry.flags;
			if (entry.kind == NONE)
				return result_unless_short(flags & BAD ? INSN_INVALID : INSN_UNSUPPORTED,
							   at - bytes, available);
		}
	}
	if (unlikely((seen & SEEN_LOCK) || (flags & SPECIAL))) {
		enum insn_result result = check_prefixes(flags, seen, rex, mode);

		if (result != INSN_OK)
			return result_unless_short(result, at - bytes, available);
	}
	out->lock = seen & SEEN_LOCK;
	out->rep = INSN_REP_NONE;
	out->op = entry.op;
	out->access = flags & RW;

	if (mode == CPU_MODE_64) {
		size = rex & 8 ? 8 : seen & SEEN_66 ? 2 : 4;
		out->address_size = seen & SEEN_67 ? 4 : 8;
	} else {
		size = (mode == CPU_MODE_16) != !!(seen & SEEN_66) ? 2 : 4;
		out->address_size = (mode == CPU_MODE_16) != !!(seen & SEEN_67) ? 2 : 4;
	}
	if (flags & BYTE)
		size = 1;
	out->operand_size = size;
	out->memory_size = size;
	if (unlikely(flags & MEMORY_SIZE))
		out->memory_size = memory_size(flags);
	if (unlikely(flags & MEM64)) /* CMPXCHG8B, to which 66 means nothing */
		out->operand_size = 8;

	if (likely(entry.kind <= E_)) {
		u8 reg = (modrm >> 3 & 7) | (rex & 4) << 1;

		out->form = entry.kind - 1;
		/* Without REX, byte registers 4..7 are AH, CH, DH, BH. */
		out->reg = (flags & BYTE) && !rex && reg >= 4 ? reg - 4 + INSN_HIGH_BYTE : reg;
		at = unlikely(out->address_size == 2) ? decode_rm_16(out, at)
						      : decode_rm(out, at, modrm, rex, mode);
		if (entry.kind == E_I) {
			if ((flags & IMM8) || size == 1) {
				out->immediate = (s8)*at;
				at += 1;
			} else if (size == 2) {
				out->immediate = fetch_s16(at);
				at += 2;
			} else {
				out->immediate = fetch_s32(at);
				at += 4;
			}
		}
	} else if (entry.kind == OFFSET) {
		at = decode_offset(out, at);
	} else {
		decode_string(out, seen);
	}

	/* rSP and rBP address the stack, R12 and R13 do not. */
	segment = (out->base & ~1u) == RSP ? SEG_SS : SEG_DS;
	if (unlikely(seen & SEEN_SEGMENT))
		segment = (seen >> SEGMENT_SHIFT) - 1;
	out->segment = segment;
	out->plain = is_plain(out);
	out->length = at - bytes;
	return result_unless_short(INSN_OK, at - bytes, available);
}
