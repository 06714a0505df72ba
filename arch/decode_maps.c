// SPDX-License-Identifier: BSD-2-Clause
/*
 * Written like the opcode maps of SDM volume 2, appendix A: a row is eight opcodes, E is the memory operand of ModRM, G
 * its register, I an immediate; b a byte, w a word, v the operand size. A blank (____) is an opcode that is not carried
 * out; decode_reason.c knows its name.
 */
#include "arch/decode_maps.h"

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

const struct opcode opcode_one_byte[256] = {
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
const struct opcode opcode_two_byte[256] = {
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
const struct opcode opcode_three_byte[3] = {
	____, { INSN_MOVBE, G_E, R | NO_F2_F3 }, { INSN_MOVBE, E_G, W | NO_F2_F3 },
};

/* By ModRM.reg. Their flags come on top of the opcode's. */
const struct opcode opcode_groups[17][8] = {
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
