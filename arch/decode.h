/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decode one x86 instruction that touches a device: from its bytes to an operation, a memory operand, a register and an
 * immediate. Source: SDM volume 2, chapter 2 (format) and appendix A (opcode maps).
 *
 * Pure: no hardware, no state, host and target alike. Only instructions with a memory operand (and INS/OUTS) are of
 * interest, since nothing else can cause an EPT violation on a data access; what reads or writes memory but is not
 * carried out is refused by name (insn_reason), never guessed at.
 */
#ifndef ARCH_DECODE_H
#define ARCH_DECODE_H

#include "mm/types.h"

/* What CS says (CS.L, CS.D); real and virtual-8086 mode count as 16-bit. */
enum cpu_mode { CPU_MODE_16, CPU_MODE_32, CPU_MODE_64 };

/* General registers and segment registers in the SDM's order (ModRM.reg). */
enum cpu_gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, CPU_GPR_COUNT };
enum cpu_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, CPU_SEGMENT_COUNT };

/* The eight operations of opcodes 00..3F and of group 1 stand first, in the order of ModRM.reg; BT..BTC likewise. */
/* clang-format off */
enum insn_op {
	INSN_ADD, INSN_OR, INSN_ADC, INSN_SBB, INSN_AND, INSN_SUB, INSN_XOR, INSN_CMP,
	INSN_BT, INSN_BTS, INSN_BTR, INSN_BTC,
	INSN_TEST, INSN_NOT, INSN_NEG, INSN_INC, INSN_DEC,
	INSN_MOV, INSN_MOVZX, INSN_MOVSX, INSN_MOVBE, INSN_XCHG, INSN_XADD, INSN_CMPXCHG, INSN_CMPXCHG8B,
	INSN_MOVS, INSN_CMPS, INSN_STOS, INSN_LODS, INSN_SCAS, INSN_INS, INSN_OUTS,
	INSN_NOP, /* CLFLUSH and its like: has a memory operand, does nothing to a device */
	INSN_OP_COUNT
};
/* clang-format on */

/* Where the operands are. "RM" is the memory operand: a ModRM that names a register is refused. */
enum insn_form {
	INSN_RM_REG, /* op memory, reg: also MOV moffs, AL/eAX */
	INSN_REG_RM, /* op reg, memory: also MOV AL/eAX, moffs */
	INSN_RM_IMM, /* op memory, immediate */
	INSN_RM,     /* op memory */
	INSN_STRING, /* implicit: rSI (segment), ES:rDI, rAX, DX, rCX */
};

enum insn_rep { INSN_REP_NONE, INSN_REPNE = 0xf2, INSN_REP = 0xf3 };

/* What the instruction does to its memory operand; of MOVS and CMPS, to the one at rDI. */
enum { INSN_READS = 1, INSN_WRITES = 2 };

#define INSN_NO_REG    0xff /* in base, index */
#define INSN_BASE_RIP  0x20 /* in base: the address of the next instruction */
#define INSN_HIGH_BYTE 0x10 /* in reg: AH, CH, DH, BH are INSN_HIGH_BYTE + 0..3 */

#define INSN_MAX_LENGTH 15
#define INSN_BUFFER	32

struct insn {
	u8 op;		 /* enum insn_op */
	u8 form;	 /* enum insn_form */
	u8 length;	 /* 1..15 */
	u8 access;	 /* INSN_READS | INSN_WRITES */
	u8 operand_size; /* bytes: 1, 2, 4, 8; of the register operand and of the operation */
	u8 memory_size;	 /* bytes: differs from operand_size for MOVZX and MOVSX; 0 for INSN_NOP */
	u8 address_size; /* bytes: 2, 4, 8 */
	u8 segment;	 /* of the memory operand (string: of rSI), override or default applied */
	u8 reg;		 /* register operand, 0..15 or INSN_HIGH_BYTE + 0..3 */
	u8 base, index;	 /* 0..15, INSN_NO_REG; base also INSN_BASE_RIP */
	u8 scale;	 /* log2: 0..3 */
	u8 rep;		 /* enum insn_rep, INSN_STRING only; the same for all but CMPS, SCAS */
	bool lock;
	bool plain; /* base + index * scale + displacement is the linear address: 64-bit mode, no FS or GS, not implicit */
	/* As found, for insn_reason and messages. */
	u8 map;	   /* 1: one-byte, 2: 0F, 3: 0F 38, 4: 0F 3A, 0x62/0xC4/0xC5/0x8F: EVEX, VEX, XOP */
	u8 opcode; /* last opcode byte */
	u8 modrm;
	u8 prefix;	  /* last of 66, F2, F3, or 0 */
	s64 displacement; /* sign-extended; the whole address for moffs */
	u64 immediate;	  /* sign-extended from its encoded size to 64 bits */
};

enum insn_result {
	INSN_OK,
	INSN_MORE,     /* the `available` bytes do not hold all of it: the rest is on the next page */
	INSN_TOO_LONG, /* more than 15 bytes: #GP(0) */
	INSN_INVALID,  /* #UD on hardware: no such opcode, LOCK where it is not allowed */
	INSN_UNSUPPORTED, /* exists, is not carried out here: see insn_reason; map, opcode, modrm, prefix are set */
};

/*
 * `bytes` has INSN_BUFFER readable bytes, of which the first `available` (at most 15) are the instruction stream and
 * the rest are never looked at in a way that changes the result: one length check at the end instead of one a byte.
 * `out` is complete only on INSN_OK.
 */
enum insn_result insn_decode(struct insn *out, const u8 *bytes, unsigned available, enum cpu_mode mode);

/*
 * After INSN_UNSUPPORTED: why, as "movaps: SSE access to a device", into `text` (always terminated, 72 bytes are
 * enough). Slow; for messages.
 */
void insn_reason(const struct insn *insn, char *text, size_t size);

#endif
