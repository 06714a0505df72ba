/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every encoding form that arch/decode.c supports in 64-bit mode, as bytes to be executed: on the host natively and by the
 * emulator (tests/unit/test_emulate_native.c), on the target by a tiny guest on RAM and on a device page. Both ways must leave
 * the same registers, flags and memory.
 *
 * The registers that a form relies on; all others (RAX, RBX, RBP, R8..R15, flags but DF, memory) are free to be random:
 *   RDI = INSN_FORMS_OPERAND + 0x40   RSI = INSN_FORMS_RAM + 0x40   RCX = 3   RDX = 77   RSP = not to be touched
 * The code stands at INSN_FORMS_CODE, since some forms address relative to RIP or absolutely. No form reaches out of
 * the first 256 bytes of a page. Of strings either page may be the device.
 */
#ifndef TESTS_TARGET_INSN_FORMS_H
#define TESTS_TARGET_INSN_FORMS_H

#include "mm/types.h"

#define INSN_FORMS_OPERAND 0x10000000ull /* the page that is a device */
#define INSN_FORMS_RAM	   0x10001000ull /* RAM, for the other operand of MOVS and CMPS */
#define INSN_FORMS_CODE	   0x10010000ull
#define INSN_FORMS_RCX	   3
#define INSN_FORMS_RDX	   77

struct insn_form_entry {
	const char *text;
	u8 length;
	u8 bytes[15];
};

#define FORM(text_, ...)                                                                                 \
	{                                                                                                \
		.text = (text_), .length = sizeof((const u8[]){ __VA_ARGS__ }), .bytes = { __VA_ARGS__ } \
	}

/* clang-format off */
/* ModRM: [rdi] with register bl/ebx, bh, r9, and with an opcode extension. */
#define RDI_RBX	   0x1f
#define RDI_BH	   0x3f
#define RDI_R9	   0x0f
#define RDI_(digit) (0x07 | (digit) << 3)

/* op Eb,Gb in its variants, op Ev,Gv in its variants. */
#define FORMS_GB(name, operands, ...)									\
	FORM(name " b " operands ", bl", __VA_ARGS__, RDI_RBX),						\
	FORM(name " b " operands ", bh", __VA_ARGS__, RDI_BH),						\
	FORM(name " b " operands ", r9b", 0x44, __VA_ARGS__, RDI_R9),					\
	FORM(name " b " operands ", bpl", 0x40, __VA_ARGS__, 0x2f)
#define FORMS_GV(name, operands, ...)									\
	FORM(name " w " operands ", bx", 0x66, __VA_ARGS__, RDI_RBX),					\
	FORM(name " d " operands ", ebx", __VA_ARGS__, RDI_RBX),					\
	FORM(name " q " operands ", rbx", 0x48, __VA_ARGS__, RDI_RBX),					\
	FORM(name " q " operands ", r9", 0x4c, __VA_ARGS__, RDI_R9)
#define FORMS_GV_LOCK(name, ...)									\
	FORM("lock " name " d [rdi], ebx", 0xf0, __VA_ARGS__, RDI_RBX),					\
	FORM("lock " name " q [rdi], r9", 0xf0, 0x4c, __VA_ARGS__, RDI_R9)
/* The immediates of opcodes 80, 81, 83. */
#define FORMS_IMM(name, digit)										\
	FORM(name " b [rdi], 0x85", 0x80, RDI_(digit), 0x85),						\
	FORM(name " w [rdi], 0x9234", 0x66, 0x81, RDI_(digit), 0x34, 0x92),				\
	FORM(name " d [rdi], 0x89abcdef", 0x81, RDI_(digit), 0xef, 0xcd, 0xab, 0x89),			\
	FORM(name " q [rdi], -0x76543211", 0x48, 0x81, RDI_(digit), 0xef, 0xcd, 0xab, 0x89),		\
	FORM(name " w [rdi], -7", 0x66, 0x83, RDI_(digit), 0xf9),					\
	FORM(name " d [rdi], -7", 0x83, RDI_(digit), 0xf9),						\
	FORM(name " q [rdi], -7", 0x48, 0x83, RDI_(digit), 0xf9)
#define FORMS_ALU(name, opcode, digit)									\
	FORMS_GB(name, "[rdi]", opcode), FORMS_GV(name, "[rdi]", (opcode) + 1),				\
	FORMS_GB(name, "<- [rdi]", (opcode) + 2), FORMS_GV(name, "<- [rdi]", (opcode) + 3),		\
	FORMS_IMM(name, digit)
#define FORMS_UNARY(name, opcode, digit)								\
	FORM(name " b [rdi]", opcode, RDI_(digit)), FORM(name " w [rdi]", 0x66, (opcode) + 1, RDI_(digit)),	\
	FORM(name " d [rdi]", (opcode) + 1, RDI_(digit)), FORM(name " q [rdi]", 0x48, (opcode) + 1, RDI_(digit)), \
	FORM("lock " name " d [rdi]", 0xf0, (opcode) + 1, RDI_(digit))
#define FORMS_EXTEND(name, opcode)									\
	FORM(name " bx, b [rdi]", 0x66, 0x0f, opcode, RDI_RBX), FORM(name " ebx, b [rdi]", 0x0f, opcode, RDI_RBX), \
	FORM(name " rbx, b [rdi]", 0x48, 0x0f, opcode, RDI_RBX),					\
	FORM(name " bx, w [rdi]", 0x66, 0x0f, (opcode) + 1, RDI_RBX),					\
	FORM(name " ebx, w [rdi]", 0x0f, (opcode) + 1, RDI_RBX), FORM(name " r9, w [rdi]", 0x4c, 0x0f, (opcode) + 1, RDI_R9)
#define FORMS_BIT(name, opcode, digit)									\
	FORM(name " w [rdi], dx", 0x66, 0x0f, opcode, 0x17), FORM(name " d [rdi], edx", 0x0f, opcode, 0x17),	\
	FORM(name " q [rdi], rdx", 0x48, 0x0f, opcode, 0x17),						\
	FORM(name " w [rdi], 21", 0x66, 0x0f, 0xba, RDI_(digit), 21), FORM(name " d [rdi], 33", 0x0f, 0xba, RDI_(digit), 33), \
	FORM(name " q [rdi], 63", 0x48, 0x0f, 0xba, RDI_(digit), 63)
#define FORMS_STRING(name, opcode)									\
	FORM(name "b", opcode), FORM(name "w", 0x66, (opcode) + 1), FORM(name "d", (opcode) + 1), FORM(name "q", 0x48, (opcode) + 1)
#define FORMS_REP(name, prefix, opcode)									\
	FORM(name "b", prefix, opcode), FORM(name "w", prefix, 0x66, (opcode) + 1), FORM(name "d", prefix, (opcode) + 1), \
	FORM(name "q", prefix, 0x48, (opcode) + 1)

static const struct insn_form_entry insn_forms[] = {
	/* MOV */
	FORMS_GB("mov", "[rdi]", 0x88), FORMS_GV("mov", "[rdi]", 0x89),
	FORMS_GB("mov", "<- [rdi]", 0x8a), FORMS_GV("mov", "<- [rdi]", 0x8b),
	FORM("mov b [rdi], 0x85", 0xc6, 0x07, 0x85), FORM("mov w [rdi], 0x9234", 0x66, 0xc7, 0x07, 0x34, 0x92),
	FORM("mov d [rdi], 0x89abcdef", 0xc7, 0x07, 0xef, 0xcd, 0xab, 0x89),
	FORM("mov q [rdi], -0x76543211", 0x48, 0xc7, 0x07, 0xef, 0xcd, 0xab, 0x89),
	FORM("movnti [rdi], ebx", 0x0f, 0xc3, RDI_RBX), FORM("movnti [rdi], r9", 0x4c, 0x0f, 0xc3, RDI_R9),
	FORM("mov al, [moffs64]", 0xa0, 0x31, 0, 0, 0x10, 0, 0, 0, 0), FORM("mov ax, [moffs64]", 0x66, 0xa1, 0x32, 0, 0, 0x10, 0, 0, 0, 0),
	FORM("mov eax, [moffs64]", 0xa1, 0x34, 0, 0, 0x10, 0, 0, 0, 0), FORM("mov rax, [moffs64]", 0x48, 0xa1, 0x38, 0, 0, 0x10, 0, 0, 0, 0),
	FORM("mov eax, [moffs32]", 0x67, 0xa1, 0x34, 0, 0, 0x10),
	FORM("mov [moffs64], al", 0xa2, 0x31, 0, 0, 0x10, 0, 0, 0, 0), FORM("mov [moffs64], ax", 0x66, 0xa3, 0x32, 0, 0, 0x10, 0, 0, 0, 0),
	FORM("mov [moffs64], eax", 0xa3, 0x34, 0, 0, 0x10, 0, 0, 0, 0), FORM("mov [moffs64], rax", 0x48, 0xa3, 0x38, 0, 0, 0x10, 0, 0, 0, 0),
	FORM("mov [moffs32], eax", 0x67, 0xa3, 0x34, 0, 0, 0x10),

	/* Addressing */
	FORM("mov ebx, [abs32]", 0x8b, 0x1c, 0x25, 0x44, 0, 0, 0x10), FORM("mov [abs32], r9d", 0x44, 0x89, 0x0c, 0x25, 0x44, 0, 0, 0x10),
	FORM("mov ebx, [rip + disp32]", 0x8b, 0x1d, 0x3a, 0, 0xff, 0xff), FORM("mov [rip + disp32], ebx", 0x89, 0x1d, 0x3a, 0, 0xff, 0xff),
	FORM("mov d [rip + disp32], 0x89abcdef", 0xc7, 0x05, 0x36, 0, 0xff, 0xff, 0xef, 0xcd, 0xab, 0x89),
	FORM("mov ebx, [rdi + 8]", 0x8b, 0x5f, 0x08), FORM("mov ebx, [rdi - 8]", 0x8b, 0x5f, 0xf8),
	FORM("mov ebx, [rdi + disp32]", 0x8b, 0x9f, 0x20, 0, 0, 0), FORM("mov ebx, [edi + 8]", 0x67, 0x8b, 0x5f, 0x08),
	FORM("mov ebx, [rdi + rcx]", 0x8b, 0x1c, 0x0f), FORM("mov ebx, [rdi + 4 * rcx + 5]", 0x8b, 0x5c, 0x8f, 0x05),
	FORM("mov ebx, [rdi + 8 * rcx + disp32]", 0x8b, 0x9c, 0xcf, 0x11, 0, 0, 0),
	FORM("mov ebx, [8 * rcx + disp32]", 0x8b, 0x1c, 0xcd, 0x20, 0, 0, 0x10),
	FORM("mov [rdi + 2 * rcx - 3], r9", 0x4c, 0x89, 0x4c, 0x4f, 0xfd), FORM("mov d [rdi + 8], 0x89abcdef", 0xc7, 0x47, 0x08, 0xef, 0xcd, 0xab, 0x89),
	FORM("mov ebx, ds:[rdi]", 0x3e, 0x8b, 0x1f), FORM("mov ebx, [rdi] with 13 prefixes",
		0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x8b, 0x1f),

	/* MOVZX, MOVSX, MOVSXD, MOVBE */
	FORMS_EXTEND("movzx", 0xb6), FORMS_EXTEND("movsx", 0xbe),
	FORM("movsxd ebx, d [rdi]", 0x63, RDI_RBX), FORM("movsxd rbx, d [rdi]", 0x48, 0x63, RDI_RBX),
	FORMS_GV("movbe", "<- [rdi]", 0x0f, 0x38, 0xf0), FORMS_GV("movbe", "[rdi]", 0x0f, 0x38, 0xf1),

	/* Arithmetic and logic */
	FORMS_ALU("add", 0x00, 0), FORMS_ALU("or", 0x08, 1), FORMS_ALU("adc", 0x10, 2), FORMS_ALU("sbb", 0x18, 3),
	FORMS_ALU("and", 0x20, 4), FORMS_ALU("sub", 0x28, 5), FORMS_ALU("xor", 0x30, 6), FORMS_ALU("cmp", 0x38, 7),
	FORMS_GV_LOCK("add", 0x01), FORMS_GV_LOCK("or", 0x09), FORMS_GV_LOCK("adc", 0x11), FORMS_GV_LOCK("sbb", 0x19),
	FORMS_GV_LOCK("and", 0x21), FORMS_GV_LOCK("sub", 0x29), FORMS_GV_LOCK("xor", 0x31),
	FORMS_GB("test", "[rdi]", 0x84), FORMS_GV("test", "[rdi]", 0x85),
	FORM("test b [rdi], 0x85", 0xf6, 0x07, 0x85), FORM("test w [rdi], 0x9234", 0x66, 0xf7, 0x07, 0x34, 0x92),
	FORM("test d [rdi], 0x89abcdef", 0xf7, 0x07, 0xef, 0xcd, 0xab, 0x89),
	FORM("test q [rdi], -0x76543211", 0x48, 0xf7, 0x07, 0xef, 0xcd, 0xab, 0x89),
	FORMS_UNARY("not", 0xf6, 2), FORMS_UNARY("neg", 0xf6, 3), FORMS_UNARY("inc", 0xfe, 0), FORMS_UNARY("dec", 0xfe, 1),

	/* Exchange */
	FORMS_GB("xchg", "[rdi]", 0x86), FORMS_GV("xchg", "[rdi]", 0x87), FORMS_GV_LOCK("xchg", 0x87),
	FORMS_GB("xadd", "[rdi]", 0x0f, 0xc0), FORMS_GV("xadd", "[rdi]", 0x0f, 0xc1), FORMS_GV_LOCK("xadd", 0x0f, 0xc1),
	FORMS_GB("cmpxchg", "[rdi]", 0x0f, 0xb0), FORMS_GV("cmpxchg", "[rdi]", 0x0f, 0xb1), FORMS_GV_LOCK("cmpxchg", 0x0f, 0xb1),
	FORM("cmpxchg8b [rdi]", 0x0f, 0xc7, RDI_(1)), FORM("lock cmpxchg8b [rdi]", 0xf0, 0x0f, 0xc7, RDI_(1)),

	/* Bits */
	FORMS_BIT("bt", 0xa3, 4), FORMS_BIT("bts", 0xab, 5), FORMS_BIT("btr", 0xb3, 6), FORMS_BIT("btc", 0xbb, 7),
	FORM("lock bts d [rdi], edx", 0xf0, 0x0f, 0xab, 0x17), FORM("lock btr q [rdi], 63", 0xf0, 0x48, 0x0f, 0xba, RDI_(6), 63),

	/* Strings: the device is at RDI, RAM at RSI. */
	FORMS_STRING("movs", 0xa4), FORMS_REP("rep movs", 0xf3, 0xa4), FORMS_REP("repne movs", 0xf2, 0xa4),
	FORMS_STRING("cmps", 0xa6), FORMS_REP("repe cmps", 0xf3, 0xa6), FORMS_REP("repne cmps", 0xf2, 0xa6),
	FORMS_STRING("stos", 0xaa), FORMS_REP("rep stos", 0xf3, 0xaa),
	FORMS_STRING("scas", 0xae), FORMS_REP("repe scas", 0xf3, 0xae), FORMS_REP("repne scas", 0xf2, 0xae),
	FORM("rep stosd with edi, ecx", 0xf3, 0x67, 0xab), FORM("rep movsd with esi, edi, ecx", 0xf3, 0x67, 0xa5),
	FORMS_STRING("lods", 0xac), FORMS_REP("rep lods", 0xf3, 0xac),

	/* Accepted without an access */
	FORM("clflush [rdi]", 0x0f, 0xae, 0x3f), FORM("clflushopt [rdi]", 0x66, 0x0f, 0xae, 0x3f),
	FORM("prefetchw [rdi]", 0x0f, 0x0d, 0x0f), FORM("prefetcht0 [rdi]", 0x0f, 0x18, 0x0f), FORM("nop [rdi]", 0x0f, 0x1f, 0x07),
};
/* clang-format on */

#endif
