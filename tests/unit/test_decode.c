// SPDX-License-Identifier: BSD-2-Clause
/* The decoder against hand-made vectors, and exhaustively against Zydis over prefixes, opcodes and ModRM bytes. */
#include "arch/decode.h"
#include "tests/target/insn_forms.h"
#include "tests/unit/zydis_oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum insn_result decode(struct insn *insn, const void *bytes, size_t size, enum cpu_mode mode)
{
	u8 buffer[INSN_BUFFER];

	memset(buffer, 0xcc, sizeof(buffer));
	memcpy(buffer, bytes, size);
	return insn_decode(insn, buffer, MIN(size, INSN_MAX_LENGTH), mode);
}

#define DECODE(insn, mode, ...) \
	decode(insn, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }), mode)

static void linux_reads_the_local_apic_with_an_absolute_address(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0x8b, 0x04, 0x25, 0x80, 0xd0, 0x5f, 0xff), INSN_OK);
	assert_int_equal(insn.op, INSN_MOV);
	assert_int_equal(insn.form, INSN_REG_RM);
	assert_int_equal(insn.length, 7);
	assert_int_equal(insn.access, INSN_READS);
	assert_int_equal(insn.operand_size, 4);
	assert_int_equal(insn.address_size, 8);
	assert_int_equal(insn.reg, RAX);
	assert_int_equal(insn.base, INSN_NO_REG);
	assert_int_equal(insn.index, INSN_NO_REG);
	assert_int_equal(insn.segment, SEG_DS);
	assert_int_equal(insn.displacement, (s32)0xff5fd080);
	assert_true(insn.plain);
}

static void same_bytes_mean_something_else_in_each_mode(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0x89, 0x05, 1, 0, 0, 0), INSN_OK);
	assert_int_equal(insn.base, INSN_BASE_RIP);
	assert_int_equal(DECODE(&insn, CPU_MODE_32, 0x89, 0x05, 1, 0, 0, 0), INSN_OK);
	assert_int_equal(insn.base, INSN_NO_REG);
	assert_int_equal(insn.length, 6);
	assert_int_equal(DECODE(&insn, CPU_MODE_16, 0x89, 0x05), INSN_OK);
	assert_int_equal(insn.base, RDI);
	assert_int_equal(insn.operand_size, 2);
	assert_int_equal(insn.length, 2);
	assert_int_equal(DECODE(&insn, CPU_MODE_16, 0x66, 0x67, 0x89, 0x05, 1, 0, 0, 0), INSN_OK);
	assert_int_equal(insn.operand_size, 4);
	assert_int_equal(insn.address_size, 4);
	assert_false(insn.plain);
}

static void rex_counts_only_directly_before_the_opcode(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0x48, 0x66, 0x89, 0x07), INSN_OK);
	assert_int_equal(insn.operand_size, 2);
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0x66, 0x48, 0x89, 0x07), INSN_OK);
	assert_int_equal(insn.operand_size, 8);
}

static void high_byte_registers_vanish_with_rex(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0x88, 0x27), INSN_OK);
	assert_int_equal(insn.reg, INSN_HIGH_BYTE + RAX);
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0x40, 0x88, 0x27), INSN_OK);
	assert_int_equal(insn.reg, RSP);
}

static void segment_follows_the_base_register_and_the_override(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0x8b, 0x45, 0x00), INSN_OK); /* [rbp] */
	assert_int_equal(insn.segment, SEG_SS);
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0x41, 0x8b, 0x45, 0x00), INSN_OK); /* [r13] */
	assert_int_equal(insn.segment, SEG_DS);
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0x64, 0x2e, 0x8b, 0x45, 0x00),
			 INSN_OK); /* the last one is void */
	assert_int_equal(insn.segment, SEG_FS);
	assert_int_equal(DECODE(&insn, CPU_MODE_32, 0x64, 0x2e, 0x8b, 0x45, 0x00), INSN_OK);
	assert_int_equal(insn.segment, SEG_CS);
	assert_int_equal(DECODE(&insn, CPU_MODE_16, 0x8b, 0x42, 0x00), INSN_OK); /* [bp + si] */
	assert_int_equal(insn.segment, SEG_SS);
}

static void lock_is_legal_only_where_hardware_takes_it(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0xf0, 0x01, 0x07), INSN_OK); /* add [rdi], eax */
	assert_true(insn.lock);
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0xf0, 0x03, 0x07), INSN_INVALID);	 /* add eax, [rdi] */
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0xf0, 0x39, 0x07), INSN_INVALID);	 /* cmp */
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0xf0, 0x83, 0x3f, 1), INSN_INVALID); /* cmp imm8 */
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0xf0, 0x89, 0x07), INSN_INVALID);	 /* mov */
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0xf0, 0x0f, 0xa3, 0x07), INSN_INVALID); /* bt */
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0xf0, 0x0f, 0xab, 0x07), INSN_OK);	    /* bts */
	assert_int_equal(DECODE(&insn, CPU_MODE_64, 0xf0, 0xa4), INSN_INVALID);		    /* movsb */
}

static void fifteen_bytes_are_the_limit(void **state)
{
	u8 bytes[INSN_BUFFER];
	struct insn insn;

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	memcpy(bytes + 13, "\x89\x07", 2);
	assert_int_equal(insn_decode(&insn, bytes, 15, CPU_MODE_64), INSN_OK);
	assert_int_equal(insn.length, 15);
	memcpy(bytes + 13, "\x66\x89\x07", 3);
	assert_int_equal(insn_decode(&insn, bytes, 15, CPU_MODE_64), INSN_TOO_LONG);
	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(insn_decode(&insn, bytes, 15, CPU_MODE_64), INSN_TOO_LONG);
	assert_int_equal(insn_decode(&insn, bytes, 14, CPU_MODE_64), INSN_MORE);
	/* The immediate is what makes it too long. */
	memcpy(bytes + 10, "\xc7\x07", 2);
	assert_int_equal(insn_decode(&insn, bytes, 15, CPU_MODE_64), INSN_OK);
	memcpy(bytes + 10, "\x66\xc7\x07", 3);
	assert_int_equal(insn_decode(&insn, bytes, 15, CPU_MODE_64), INSN_OK);
	memcpy(bytes + 10, "\x66\x66\xc7\x07", 4);
	assert_int_equal(insn_decode(&insn, bytes, 15, CPU_MODE_64), INSN_TOO_LONG);
}

static void every_form_is_supported_and_as_long_as_it_is(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(insn_forms); i++) {
		const struct insn_form_entry *form = &insn_forms[i];
		struct insn insn;

		assert_int_equal(decode(&insn, form->bytes, form->length, CPU_MODE_64), INSN_OK);
		assert_int_equal(insn.length, form->length);
		for (unsigned cut = 0; cut < form->length; cut++)
			assert_int_equal(decode(&insn, form->bytes, cut, CPU_MODE_64), INSN_MORE);
	}
}

static bool has_form(const struct insn *wanted)
{
	for (unsigned i = 0; i < ARRAY_SIZE(insn_forms); i++) {
		struct insn insn;

		decode(&insn, insn_forms[i].bytes, insn_forms[i].length, CPU_MODE_64);
		if (insn.map == wanted->map && insn.opcode == wanted->opcode && insn.op == wanted->op &&
		    insn.form == wanted->form && insn.operand_size == wanted->operand_size &&
		    insn.memory_size == wanted->memory_size && insn.rep == wanted->rep &&
		    insn.lock <= wanted->lock)
			return true;
	}
	return false;
}

/* What the tables of the decoder can do is in the table that is executed on the host and on the target. */
static void every_supported_opcode_is_among_the_forms(void **state)
{
	static const char *const prefixes[] = { "", "\x66", "\x48", "\xf3", "\xf3\x66", "\xf3\x48" };
	static const char *const maps[] = { "", "\x0f", "\x0f\x38" };
	unsigned supported = 0, missing = 0;

	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(prefixes) * ARRAY_SIZE(maps) * 256 * 8; n++) {
		u8 bytes[INSN_BUFFER] = { 0 };
		struct insn insn;
		int at = sprintf((char *)bytes, "%s%s", prefixes[n / 2048 / ARRAY_SIZE(maps)],
				 maps[n / 2048 % ARRAY_SIZE(maps)]);

		bytes[at] = n / 8;
		bytes[at + 1] = 0x07 | (n % 8) << 3;
		if (insn_decode(&insn, bytes, 15, CPU_MODE_64) != INSN_OK)
			continue;
		/* REP means nothing to what is not a string. */
		if (insn.form != INSN_STRING && bytes[0] == 0xf3)
			continue;
		supported++;
		/* Ports are not for that table, and of what does nothing some are in it. */
		if (insn.op == INSN_INS || insn.op == INSN_OUTS || insn.op == INSN_NOP || has_form(&insn))
			continue;
		missing++;
		print_error("map %u opcode %02x /%u, %u bytes, rep %x\n", insn.map, insn.opcode, n % 8,
			    insn.operand_size, insn.rep);
	}
	assert_int_equal(missing, 0);
	assert_true(supported > 500);
}

/* Reason texts fit the callers' buffers for whatever may be found. */
static void any_opcode_has_a_reason(void **state)
{
	static const u8 maps[] = { 0, 1, 2, 3, 4, 0x62, 0x8f, 0xc4, 0xc5, 0xff };

	(void)state;
	for (unsigned map = 0; map < ARRAY_SIZE(maps); map++) {
		for (unsigned opcode = 0; opcode < 256; opcode++) {
			struct insn insn = { .map = maps[map], .opcode = opcode, .modrm = opcode * 7 };
			char text[96];

			memset(text, 0xff, sizeof(text));
			insn_reason(&insn, text, sizeof(text));
			assert_in_range(strlen(text), 8, 71);
		}
	}
}

static void compare_opcode(enum cpu_mode mode, const char *prefixes, const char *map, u8 opcode)
{
	static const u8 sibs[] = { 0x25, 0x65, 0xb8 };

	for (unsigned modrm = 0; modrm < 256; modrm += modrm < 0xc0 ? 1 : 9) {
		u8 bytes[INSN_BUFFER];
		int at;

		/* Of ModRM.rm those that have a meaning of their own in some mode, and one that has not. */
		if (modrm < 0xc0 && (0x8a >> (modrm & 7) & 1))
			continue;
		at = sprintf((char *)bytes, "%s%s", prefixes, map);
		memset(bytes + at, 0x80 | at, sizeof(bytes) - at);
		bytes[at] = opcode;
		bytes[at + 1] = modrm;
		bytes[at + 2] = sibs[modrm % 3];
		assert_true(zydis_agrees(bytes, mode));
	}
}

/* All of: mode, prefixes, opcode map, opcode, ModRM. */
static void zydis_agrees_about_every_opcode_and_modrm(void **state)
{
	static const char *const prefixes[] = { "",	    "\x66",	"\x67",	   "\xf0",     "\xf2",
						"\xf3",	    "\x48",	"\x4f",	   "\x66\xf2", "\x66\xf3",
						"\x64\x2e", "\x67\x41", "\x66\x48" };
	static const char *const maps[] = { "", "\x0f", "\x0f\x38", "\x0f\x3a" };

	(void)state;
	for (unsigned mode = CPU_MODE_16; mode <= CPU_MODE_64; mode++)
		for (unsigned p = 0; p < ARRAY_SIZE(prefixes); p++)
			for (unsigned map = 0; map < ARRAY_SIZE(maps); map++)
				for (unsigned opcode = 0; opcode < 256; opcode++)
					compare_opcode(mode, prefixes[p], maps[map], opcode);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_reads_the_local_apic_with_an_absolute_address),
		cmocka_unit_test(same_bytes_mean_something_else_in_each_mode),
		cmocka_unit_test(rex_counts_only_directly_before_the_opcode),
		cmocka_unit_test(high_byte_registers_vanish_with_rex),
		cmocka_unit_test(segment_follows_the_base_register_and_the_override),
		cmocka_unit_test(lock_is_legal_only_where_hardware_takes_it),
		cmocka_unit_test(fifteen_bytes_are_the_limit),
		cmocka_unit_test(every_form_is_supported_and_as_long_as_it_is),
		cmocka_unit_test(every_supported_opcode_is_among_the_forms),
		cmocka_unit_test(any_opcode_has_a_reason),
		cmocka_unit_test(zydis_agrees_about_every_opcode_and_modrm),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
