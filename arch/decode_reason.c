// SPDX-License-Identifier: BSD-2-Clause
/*
 * Names for what the decoder refuses. The table follows the opcode maps in order; the first row that fits is the one
 * that counts, so rows for one prefix stand before rows for any.
 */
#include "arch/decode.h"

#include <stdio.h>

enum why {
	STACK,
	BRANCH,
	POINTER,
	SEGMENT,
	ARITHMETIC,
	CONDITION,
	TABLE,
	STATE,
	X87,
	MMX,
	SSE,
	AVX,
	VMX,
	OTHER,
	NOTHING
};

static const char *const why_text[] = {
	[STACK] = "stack on a device",
	[BRANCH] = "branch through a device",
	[POINTER] = "far pointer on a device",
	[SEGMENT] = "segment register and a device",
	[ARITHMETIC] = "arithmetic on a device is not emulated",
	[CONDITION] = "conditional access to a device is not emulated",
	[TABLE] = "descriptor table or descriptor on a device",
	[STATE] = "processor state on a device",
	[X87] = "x87 access to a device",
	[MMX] = "MMX or SSE access to a device",
	[SSE] = "SSE access to a device",
	[AVX] = "AVX access to a device",
	[VMX] = "VMX operand on a device",
	[OTHER] = "device access is not emulated",
	[NOTHING] = "accesses no memory",
};

enum { ANY = 0xff };

struct row {
	u8 map, first, last; /* opcodes first..last */
	u8 reg;		     /* ModRM.reg or ANY */
	u8 prefix;	     /* 0x66, 0xf2, 0xf3, 0 (none) or ANY */
	u8 why;
	const char *name;
};

/* clang-format off */
static const struct row rows[] = {
	{ 1, 0x06, 0x06, ANY, ANY, STACK, "push es" },	 { 1, 0x07, 0x07, ANY, ANY, STACK, "pop es" },
	{ 1, 0x0e, 0x0e, ANY, ANY, STACK, "push cs" },	 { 1, 0x16, 0x16, ANY, ANY, STACK, "push ss" },
	{ 1, 0x17, 0x17, ANY, ANY, STACK, "pop ss" },	 { 1, 0x1e, 0x1e, ANY, ANY, STACK, "push ds" },
	{ 1, 0x1f, 0x1f, ANY, ANY, STACK, "pop ds" },
	{ 1, 0x40, 0x47, ANY, ANY, NOTHING, "inc" },	 { 1, 0x48, 0x4f, ANY, ANY, NOTHING, "dec" },
	{ 1, 0x50, 0x57, ANY, ANY, STACK, "push" },	 { 1, 0x58, 0x5f, ANY, ANY, STACK, "pop" },
	{ 1, 0x60, 0x60, ANY, ANY, STACK, "pusha" },	 { 1, 0x61, 0x61, ANY, ANY, STACK, "popa" },
	{ 1, 0x62, 0x62, ANY, ANY, OTHER, "bound" },	 { 1, 0x63, 0x63, ANY, ANY, OTHER, "arpl or 16-bit movsxd" },
	{ 1, 0x68, 0x68, ANY, ANY, STACK, "push" },	 { 1, 0x6a, 0x6a, ANY, ANY, STACK, "push" },
	{ 1, 0x69, 0x69, ANY, ANY, ARITHMETIC, "imul" }, { 1, 0x6b, 0x6b, ANY, ANY, ARITHMETIC, "imul" },
	{ 1, 0x8c, 0x8c, ANY, ANY, SEGMENT, "mov from segment register" },
	{ 1, 0x8d, 0x8d, ANY, ANY, NOTHING, "lea" },
	{ 1, 0x8e, 0x8e, ANY, ANY, SEGMENT, "mov to segment register" },
	{ 1, 0x8f, 0x8f, 0, ANY, STACK, "pop" },
	{ 1, 0x9a, 0x9a, ANY, ANY, STACK, "call" },	 { 1, 0x9c, 0x9c, ANY, ANY, STACK, "pushf" },
	{ 1, 0x9d, 0x9d, ANY, ANY, STACK, "popf" },
	{ 1, 0xc0, 0xc1, ANY, ANY, ARITHMETIC, "shift or rotate" },
	{ 1, 0xc2, 0xc3, ANY, ANY, STACK, "ret" },
	{ 1, 0xc4, 0xc4, ANY, ANY, POINTER, "les" },	 { 1, 0xc5, 0xc5, ANY, ANY, POINTER, "lds" },
	{ 1, 0xc8, 0xc8, ANY, ANY, STACK, "enter" },	 { 1, 0xc9, 0xc9, ANY, ANY, STACK, "leave" },
	{ 1, 0xca, 0xcb, ANY, ANY, STACK, "ret" },	 { 1, 0xcc, 0xce, ANY, ANY, STACK, "int" },
	{ 1, 0xcf, 0xcf, ANY, ANY, STACK, "iret" },
	{ 1, 0xd0, 0xd3, ANY, ANY, ARITHMETIC, "shift or rotate" },
	{ 1, 0xd7, 0xd7, ANY, ANY, OTHER, "xlat" },	 { 1, 0xd8, 0xdf, ANY, ANY, X87, "x87 instruction" },
	{ 1, 0xe8, 0xe8, ANY, ANY, STACK, "call" },
	{ 1, 0xf6, 0xf7, 4, ANY, ARITHMETIC, "mul" },	 { 1, 0xf6, 0xf7, 5, ANY, ARITHMETIC, "imul" },
	{ 1, 0xf6, 0xf7, 6, ANY, ARITHMETIC, "div" },	 { 1, 0xf6, 0xf7, 7, ANY, ARITHMETIC, "idiv" },
	{ 1, 0xff, 0xff, 2, ANY, BRANCH, "call" },	 { 1, 0xff, 0xff, 3, ANY, BRANCH, "far call" },
	{ 1, 0xff, 0xff, 4, ANY, BRANCH, "jmp" },	 { 1, 0xff, 0xff, 5, ANY, BRANCH, "far jmp" },
	{ 1, 0xff, 0xff, 6, ANY, STACK, "push" },

	{ 2, 0x00, 0x00, 0, ANY, TABLE, "sldt" },	 { 2, 0x00, 0x00, 1, ANY, TABLE, "str" },
	{ 2, 0x00, 0x00, 2, ANY, TABLE, "lldt" },	 { 2, 0x00, 0x00, 3, ANY, TABLE, "ltr" },
	{ 2, 0x00, 0x00, 4, ANY, TABLE, "verr" },	 { 2, 0x00, 0x00, 5, ANY, TABLE, "verw" },
	{ 2, 0x01, 0x01, 0, ANY, TABLE, "sgdt" },	 { 2, 0x01, 0x01, 1, ANY, TABLE, "sidt" },
	{ 2, 0x01, 0x01, 2, ANY, TABLE, "lgdt" },	 { 2, 0x01, 0x01, 3, ANY, TABLE, "lidt" },
	{ 2, 0x01, 0x01, 4, ANY, OTHER, "smsw" },	 { 2, 0x01, 0x01, 6, ANY, OTHER, "lmsw" },
	{ 2, 0x01, 0x01, 7, ANY, NOTHING, "invlpg" },
	{ 2, 0x02, 0x02, ANY, ANY, TABLE, "lar" },	 { 2, 0x03, 0x03, ANY, ANY, TABLE, "lsl" },
	{ 2, 0x10, 0x11, ANY, 0x66, SSE, "movupd" },	 { 2, 0x10, 0x11, ANY, 0xf2, SSE, "movsd" },
	{ 2, 0x10, 0x11, ANY, 0xf3, SSE, "movss" },	 { 2, 0x10, 0x11, ANY, ANY, SSE, "movups" },
	{ 2, 0x12, 0x13, ANY, ANY, SSE, "movlps" },	 { 2, 0x14, 0x15, ANY, ANY, SSE, "unpckps" },
	{ 2, 0x16, 0x17, ANY, ANY, SSE, "movhps" },	 { 2, 0x1a, 0x1b, ANY, ANY, OTHER, "MPX instruction" },
	{ 2, 0x1c, 0x1e, ANY, ANY, NOTHING, "nop" },
	{ 2, 0x28, 0x29, ANY, 0x66, SSE, "movapd" },	 { 2, 0x28, 0x29, ANY, ANY, SSE, "movaps" },
	{ 2, 0x2b, 0x2b, ANY, ANY, SSE, "movntps" },	 { 2, 0x2a, 0x2f, ANY, ANY, SSE, "SSE instruction" },
	{ 2, 0x40, 0x4f, ANY, ANY, CONDITION, "cmov" },	 { 2, 0x51, 0x5f, ANY, ANY, SSE, "SSE instruction" },
	{ 2, 0x6e, 0x6e, ANY, ANY, MMX, "movd" },	 { 2, 0x6f, 0x6f, ANY, 0x66, SSE, "movdqa" },
	{ 2, 0x6f, 0x6f, ANY, 0xf3, SSE, "movdqu" },	 { 2, 0x6f, 0x6f, ANY, ANY, MMX, "movq" },
	{ 2, 0x60, 0x76, ANY, ANY, MMX, "MMX or SSE instruction" },
	{ 2, 0x78, 0x79, ANY, 0, VMX, "vmread or vmwrite" },
	{ 2, 0x7e, 0x7e, ANY, 0xf3, SSE, "movq" },	 { 2, 0x7e, 0x7e, ANY, ANY, MMX, "movd" },
	{ 2, 0x7f, 0x7f, ANY, 0x66, SSE, "movdqa" },	 { 2, 0x7f, 0x7f, ANY, 0xf3, SSE, "movdqu" },
	{ 2, 0x7f, 0x7f, ANY, ANY, MMX, "movq" },	 { 2, 0x78, 0x7d, ANY, ANY, SSE, "SSE instruction" },
	{ 2, 0x90, 0x9f, ANY, ANY, CONDITION, "setcc" },
	{ 2, 0xa0, 0xa1, ANY, ANY, STACK, "push or pop fs" },
	{ 2, 0xa8, 0xa9, ANY, ANY, STACK, "push or pop gs" },
	{ 2, 0xa4, 0xa5, ANY, ANY, ARITHMETIC, "shld" }, { 2, 0xac, 0xad, ANY, ANY, ARITHMETIC, "shrd" },
	{ 2, 0xae, 0xae, 0, ANY, STATE, "fxsave" },	 { 2, 0xae, 0xae, 1, ANY, STATE, "fxrstor" },
	{ 2, 0xae, 0xae, 2, ANY, STATE, "ldmxcsr" },	 { 2, 0xae, 0xae, 3, ANY, STATE, "stmxcsr" },
	{ 2, 0xae, 0xae, 4, ANY, STATE, "xsave" },	 { 2, 0xae, 0xae, 5, ANY, STATE, "xrstor" },
	{ 2, 0xae, 0xae, 6, ANY, STATE, "xsaveopt" },
	{ 2, 0xaf, 0xaf, ANY, ANY, ARITHMETIC, "imul" },
	{ 2, 0xb2, 0xb2, ANY, ANY, POINTER, "lss" },	 { 2, 0xb4, 0xb4, ANY, ANY, POINTER, "lfs" },
	{ 2, 0xb5, 0xb5, ANY, ANY, POINTER, "lgs" },
	{ 2, 0xb8, 0xb8, ANY, ANY, ARITHMETIC, "popcnt" }, { 2, 0xbc, 0xbc, ANY, ANY, ARITHMETIC, "bsf or tzcnt" },
	{ 2, 0xbd, 0xbd, ANY, ANY, ARITHMETIC, "bsr or lzcnt" },
	{ 2, 0xc3, 0xc3, ANY, 0, OTHER, "movnti" },
	{ 2, 0xc2, 0xc6, ANY, ANY, MMX, "MMX or SSE instruction" },
	{ 2, 0xc7, 0xc7, 1, ANY, OTHER, "cmpxchg16b" }, { 2, 0xc7, 0xc7, 3, ANY, STATE, "xrstors" },
	{ 2, 0xc7, 0xc7, 4, ANY, STATE, "xsavec" },	 { 2, 0xc7, 0xc7, 5, ANY, STATE, "xsaves" },
	{ 2, 0xc7, 0xc7, 6, ANY, VMX, "vmptrld, vmclear or vmxon" }, { 2, 0xc7, 0xc7, 7, ANY, VMX, "vmptrst" },
	{ 2, 0xd6, 0xd6, ANY, 0x66, SSE, "movq" },
	{ 2, 0xe7, 0xe7, ANY, 0x66, SSE, "movntdq" },	 { 2, 0xe7, 0xe7, ANY, ANY, MMX, "movntq" },
	{ 2, 0xf0, 0xf0, ANY, 0xf2, SSE, "lddqu" },	 { 2, 0xd0, 0xfe, ANY, ANY, MMX, "MMX or SSE instruction" },

	{ 3, 0x2a, 0x2a, ANY, 0x66, SSE, "movntdqa" },
	{ 3, 0x80, 0x81, ANY, 0x66, VMX, "invept or invvpid" }, { 3, 0x82, 0x82, ANY, 0x66, OTHER, "invpcid" },
	{ 3, 0xf0, 0xf1, ANY, 0xf2, ARITHMETIC, "crc32" },
	{ 3, 0xf5, 0xf6, ANY, ANY, ARITHMETIC, "adcx, adox or wrss" },
	{ 3, 0xf8, 0xf8, ANY, ANY, OTHER, "movdir64b or enqcmd" }, { 3, 0xf9, 0xf9, ANY, ANY, OTHER, "movdiri" },
	{ 3, 0x00, 0xef, ANY, ANY, MMX, "MMX or SSE instruction" },
	{ 4, 0x00, 0xff, ANY, ANY, MMX, "MMX or SSE instruction" },
	{ 0x62, 0x62, 0x62, ANY, ANY, AVX, "EVEX instruction" },
	{ 0xc4, 0xc4, 0xc4, ANY, ANY, AVX, "VEX instruction" },
	{ 0xc5, 0xc5, 0xc5, ANY, ANY, AVX, "VEX instruction" },
	{ 0x8f, 0x8f, 0x8f, ANY, ANY, AVX, "XOP instruction" },
};
/* clang-format on */

static bool row_fits(const struct row *row, const struct insn *insn)
{
	return row->map == insn->map && insn->opcode >= row->first && insn->opcode <= row->last &&
	       (row->reg == ANY || row->reg == (insn->modrm >> 3 & 7)) &&
	       (row->prefix == ANY || row->prefix == insn->prefix);
}

void insn_reason(const struct insn *insn, char *text, size_t size)
{
	static const char *const escape[] = { "", "", "0f ", "0f 38 ", "0f 3a " };

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (row_fits(&rows[i], insn)) {
			snprintf(text, size, "%s: %s", rows[i].name, why_text[rows[i].why]);
			return;
		}
	}
	/* What is left is known to the decoder, but names registers only or does not access memory at all. */
	snprintf(text, size, "opcode %s%02x: no memory operand",
		 insn->map < ARRAY_SIZE(escape) ? escape[insn->map] : "", insn->opcode);
}
