// SPDX-License-Identifier: BSD-2-Clause
/*
 * The decoder walks two opcode maps that are written like those of SDM volume 2, appendix A: a row is eight opcodes, E
 * is the memory operand of ModRM, G its register, I an immediate; b a byte, w a word, v the operand size, z the operand
 * size but at most 32 bits. A blank (____) is an opcode that is not carried out; decode_reason.c knows its name.
 *
 *   [prefixes] [REX] opcode | 0F opcode | 0F 38 opcode  [ModRM [SIB] [displacement]] [immediate]
 */
#include "arch/decode.h"

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

/* clang-format off */
#define ____		 { 0, NONE, 0 }
#define BAD_		 { 0, NONE, BAD }
#define Eb_Gb(op, f)	 { INSN_##op, E_G, BYTE | (f) }
#define Ev_Gv(op, f)	 { INSN_##op, E_G, (f) }
#define Gb_Eb(op)	 { INSN_##op, G_E, BYTE | R }
#define Gv_Ev(op)	 { INSN_##op, G_E, R }
#define Gv_Eb(op)	 { INSN_##op, G_E, R | MEM8 }
#define Gv_Ew(op)	 { INSN_##op, G_E, R | MEM16 }
#define E_I(op, f)	 { INSN_##op, E_I, (f) }
#define E(op, f)	 { INSN_##op, E_, (f) }
#define ALU(op, f)	 Eb_Gb(op, f), Ev_Gv(op, f), Gb_Eb(op), Gv_Ev(op)
#define STR(op, f)	 { INSN_##op, STRING, BYTE | (f) }, { INSN_##op, STRING, (f) }
#define OFF(op, f)	 { INSN_##op, OFFSET, BYTE | (f) }, { INSN_##op, OFFSET, (f) }
#define GRP(number, f)	 { number, GROUP, (f) }
#define PFX(set, clear)	 { set, PREFIX, clear }
#define SEG(segment)	 PFX((SEG_##segment + 1) << SEGMENT_SHIFT, SEEN_SEGMENT)
#define REX8		 { 0, REX, 0 }, { 0, REX, 0 }, { 0, REX, 0 }, { 0, REX, 0 }, \
			 { 0, REX, 0 }, { 0, REX, 0 }, { 0, REX, 0 }, { 0, REX, 0 }
#define VEX_		 { 0, VEX, 0 }
#define ESC		 { 0, ESCAPE, 0 }

static const struct opcode one_byte_map[256] = {
	/* 00 */ ALU(ADD, RW | LOCK), ____, ____, ____, ____,
	/* 08 */ ALU(OR, RW | LOCK), ____, ____, ____, ESC,
	/* 10 */ ALU(ADC, RW | LOCK), ____, ____, ____, ____,
	/* 18 */ ALU(SBB, RW | LOCK), ____, ____, ____, ____,
	/* 20 */ ALU(AND, RW | LOCK), ____, ____, SEG(ES), ____,
	/* 28 */ ALU(SUB, RW | LOCK), ____, ____, SEG(CS), ____,
	/* 30 */ ALU(XOR, RW | LOCK), ____, ____, SEG(SS), ____,
	/* 38 */ ALU(CMP, R), ____, ____, SEG(DS), ____,
	/* 40 */ REX8,
	/* 48 */ REX8,
	/* 50 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* 58 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* 60 */ ____, ____, VEX_, { INSN_MOVSX, G_E, R | MEM32 | NO_66 | ONLY_64 }, SEG(FS), SEG(GS),
		 PFX(SEEN_66, 0), PFX(SEEN_67, 0),
	/* 68 */ ____, ____, ____, ____, STR(INS, W), STR(OUTS, R),
	/* 70 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* 78 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* 80 */ GRP(1, BYTE | IMMZ), GRP(1, IMMZ), ____, GRP(1, IMM8), Eb_Gb(TEST, R), Ev_Gv(TEST, R),
		 Eb_Gb(XCHG, RW | LOCK), Ev_Gv(XCHG, RW | LOCK),
	/* 88 */ Eb_Gb(MOV, W), Ev_Gv(MOV, W), Gb_Eb(MOV), Gv_Ev(MOV), ____, ____, ____, VEX_,
	/* 90 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* 98 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* A0 */ OFF(MOV, R), OFF(MOV, W),
		 STR(MOVS, W), STR(CMPS, R),
	/* A8 */ ____, ____, STR(STOS, W), STR(LODS, R), STR(SCAS, R),
	/* B0 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* B8 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* C0 */ ____, ____, ____, ____, VEX_, VEX_, GRP(11, BYTE | IMMZ), GRP(11, IMMZ),
	/* C8 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* D0 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* D8 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* E0 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* E8 */ ____, ____, ____, ____, ____, ____, ____, ____,
	/* F0 */ PFX(SEEN_LOCK, 0), ____, PFX(SEEN_F2, SEEN_F3), PFX(SEEN_F3, SEEN_F2), ____, ____, GRP(3, BYTE), GRP(3, 0),
	/* F8 */ ____, ____, ____, ____, ____, ____, GRP(4, BYTE), GRP(5, 0),
};

/* 0F xx */
static const struct opcode two_byte_map[256] = {
	[0x0d] = GRP(0, 0),
	[0x18] = GRP(16, 0),
	[0x1f] = E(NOP, MEM0),
	[0x38] = ESC,
	[0x3a] = ESC,
	[0xa3] = Ev_Gv(BT, R),
	[0xab] = Ev_Gv(BTS, RW | LOCK),
	[0xae] = GRP(15, NO_F2_F3),
	[0xb0] = Eb_Gb(CMPXCHG, RW | LOCK), Ev_Gv(CMPXCHG, RW | LOCK),
	[0xb3] = Ev_Gv(BTR, RW | LOCK),
	[0xb6] = Gv_Eb(MOVZX), Gv_Ew(MOVZX),
	[0xba] = GRP(8, IMM8),
	[0xbb] = Ev_Gv(BTC, RW | LOCK),
	[0xbe] = Gv_Eb(MOVSX), Gv_Ew(MOVSX),
	[0xc0] = Eb_Gb(XADD, RW | LOCK), Ev_Gv(XADD, RW | LOCK),
	[0xc3] = Ev_Gv(MOV, W | NO_66 | NO_F2_F3 | ONLY_64), /* MOVNTI: a plain store to a device */
	[0xc7] = GRP(9, 0),
};

/* 0F 38 F0, F1; the first row stands for all others of 0F 38 and 0F 3A. */
static const struct opcode three_byte_map[3] = {
	____, { INSN_MOVBE, G_E, R | NO_F2_F3 }, { INSN_MOVBE, E_G, W | NO_F2_F3 },
};

/* By ModRM.reg. Their flags come on top of the opcode's. */
static const struct opcode groups[17][8] = {
	/* 0F 0D prefetch */
	[0] = { E(NOP, MEM0), E(NOP, MEM0), E(NOP, MEM0), ____, ____, ____, ____, ____ },
	/* 80 81 83 */
	[1] = { E_I(ADD, RW | LOCK), E_I(OR, RW | LOCK), E_I(ADC, RW | LOCK), E_I(SBB, RW | LOCK),
		E_I(AND, RW | LOCK), E_I(SUB, RW | LOCK), E_I(XOR, RW | LOCK), E_I(CMP, R) },
	/* F6 F7; /1 is an undocumented twin of /0 */
	[3] = { E_I(TEST, R | IMMZ), E_I(TEST, R | IMMZ), E(NOT, RW | LOCK), E(NEG, RW | LOCK), ____, ____, ____, ____ },
	/* FE */
	[4] = { E(INC, RW | LOCK), E(DEC, RW | LOCK), BAD_, BAD_, BAD_, BAD_, BAD_, BAD_ },
	/* FF */
	[5] = { E(INC, RW | LOCK), E(DEC, RW | LOCK), ____, ____, ____, ____, ____, BAD_ },
	/* 0F BA */
	[8] = { BAD_, BAD_, BAD_, BAD_, E_I(BT, R), E_I(BTS, RW | LOCK), E_I(BTR, RW | LOCK), E_I(BTC, RW | LOCK) },
	/* 0F C7 */
	[9] = { BAD_, E(CMPXCHG8B, RW | LOCK | MEM64), ____, ____, ____, ____, ____, ____ },
	/* C6 C7 */
	[11] = { E_I(MOV, W), BAD_, BAD_, BAD_, BAD_, BAD_, BAD_, BAD_ },
	/* 0F AE: 66 CLWB, CLFLUSH and 66 CLFLUSHOPT */
	[15] = { ____, ____, ____, ____, ____, ____, E(NOP, MEM0 | IS_66), E(NOP, MEM0) },
	/* 0F 18 prefetch */
	[16] = { E(NOP, MEM0), E(NOP, MEM0), E(NOP, MEM0), E(NOP, MEM0), ____, ____, ____, ____ },
};
/* clang-format on */

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
		entry = one_byte_map[opcode];
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
		entry = two_byte_map[opcode];
		if (entry.kind == ESCAPE) {
			out->map = opcode == 0x38 ? 3 : 4;
			opcode = *at++;
			entry = three_byte_map[out->map == 3 && (opcode & 0xfe) == 0xf0 ? 1 + (opcode & 1)
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
			entry = groups[entry.op][modrm >> 3 & 7];
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
