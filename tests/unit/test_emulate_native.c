// SPDX-License-Identifier: BSD-2-Clause
/* The emulator against the processor that runs this test: the same instruction, registers, flags and memory. */
#include "arch/emulate_alu.h"
#include "tests/unit/emulate_rig.h"
#include "tests/unit/native.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static u64 random_state = 0x5107ce;

static u64 random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static unsigned random_below(unsigned bound)
{
	return (random_u64() >> 20) % bound;
}

/* One instruction and the state before it. */
struct trial {
	const char *text;
	u8 bytes[15];
	unsigned length;
	struct native_state before;
	u8 operand[PAGE_SIZE], ram[PAGE_SIZE]; /* memory before */
	u64 address;			       /* of the memory operand */
};

static void print_trial(const struct trial *trial, const struct native_state *native, const struct rig *rig)
{
	fprintf(stderr, "%s:", trial->text);
	for (unsigned i = 0; i < trial->length; i++)
		fprintf(stderr, " %02x", trial->bytes[i]);
	fprintf(stderr, ", operand at %llx\n", (unsigned long long)trial->address);
	for (unsigned i = 0; i < CPU_GPR_COUNT; i++)
		if (native->gpr[i] != rig->gpr[i] || trial->before.gpr[i] != rig->gpr[i])
			fprintf(stderr, "  register %u: %016llx -> %016llx, emulated %016llx\n", i,
				(unsigned long long)trial->before.gpr[i], (unsigned long long)native->gpr[i],
				(unsigned long long)rig->gpr[i]);
	fprintf(stderr, "  rflags: %llx -> %llx, emulated %llx\n", (unsigned long long)trial->before.rflags,
		(unsigned long long)native->rflags, (unsigned long long)rig->emulate.rflags);
}

static void random_start(struct trial *trial)
{
	for (unsigned i = 0; i < CPU_GPR_COUNT; i++)
		trial->before.gpr[i] = random_u64() >> (random_u64() & 1 ? 0 : random_below(64));
	trial->before.gpr[RDI] = INSN_FORMS_OPERAND + 0x40;
	trial->before.gpr[RSI] = INSN_FORMS_RAM + 0x40;
	trial->before.gpr[RCX] = INSN_FORMS_RCX;
	trial->before.gpr[RDX] = INSN_FORMS_RDX;
	trial->before.gpr[RSP] = 0;
	trial->before.rflags = (random_u64() & (RFLAGS_STATUS | RFLAGS_DF)) | 0x202;
	trial->address = INSN_FORMS_OPERAND + 0x40;
	for (unsigned i = 0; i < PAGE_SIZE; i += 8) {
		u64 value = random_u64();

		memcpy(trial->operand + i, &value, 8);
		memcpy(trial->ram + i, &value, 8); /* equal, so that comparisons go on */
	}
	for (unsigned i = 0; i < 4; i++)
		trial->ram[0x40 + random_below(64)] = random_u64();
}

/* Let comparisons with rAX and edx:eax succeed in half of the trials. */
static void help_comparison(struct trial *trial)
{
	u64 offset = trial->address - INSN_FORMS_OPERAND, high = INSN_FORMS_RDX;

	if ((random_u64() & 1) || offset + 8 > PAGE_SIZE)
		return;
	memcpy(trial->operand + offset, &trial->before.gpr[RAX], 8);
	if (random_u64() & 1)
		memcpy(trial->operand + offset + 4, &high, 4);
}

/* `swapped`: the device is where insn_forms.h has RAM, and the other way round; for strings only. */
static void run_trial(const struct trial *trial, bool swapped)
{
	struct native_state native = trial->before;
	enum emulate_outcome outcome;
	struct rig rig;
	u8 *operand = swapped ? rig.ram + RIG_RAM_PAGE : rig.device;
	u8 *ram = swapped ? rig.device : rig.ram + RIG_RAM_PAGE;
	bool same;

	memcpy((void *)INSN_FORMS_OPERAND, trial->operand, PAGE_SIZE);
	memcpy((void *)INSN_FORMS_RAM, trial->ram, PAGE_SIZE);
	native_run(trial->bytes, trial->length, &native);

	rig_open(&rig);
	rig_place(&rig, trial->bytes, trial->length);
	if (swapped) {
		*rig_entry(&rig, INSN_FORMS_OPERAND) = RIG_RAM_PAGE | RIG_ALL;
		*rig_entry(&rig, INSN_FORMS_RAM) = RIG_DEVICE | RIG_ALL;
	}
	memcpy(operand, trial->operand, PAGE_SIZE);
	memcpy(ram, trial->ram, PAGE_SIZE);
	memcpy(rig.gpr, trial->before.gpr, sizeof(rig.gpr));
	native.gpr[RSP] = rig.gpr[RSP];
	rig.emulate.rflags = trial->before.rflags;
	outcome = rig_run(&rig, trial->address & PAGE_MASK);

	same = outcome == EMULATE_DONE && !memcmp(rig.gpr, native.gpr, sizeof(rig.gpr)) &&
	       !((rig.emulate.rflags ^ native.rflags) & (RFLAGS_STATUS | RFLAGS_DF)) &&
	       !memcmp(operand, (void *)INSN_FORMS_OPERAND, PAGE_SIZE) &&
	       !memcmp(ram, (void *)INSN_FORMS_RAM, PAGE_SIZE);
	if (!same)
		print_trial(trial, &native, &rig);
	assert_true(same);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE + trial->length);
	assert_int_equal(rig.strange, 0);
	if (rig.emulate.rflags != trial->before.rflags)
		assert_true(rig.emulate.rflags_changed);
	if (rig.emulate.insn->form != INSN_STRING && (trial->address & PAGE_MASK) + 32 < PAGE_SIZE) {
		assert_int_equal(rig.reads, !!(rig.emulate.insn->access & INSN_READS));
		assert_int_equal(rig.writes, !!(rig.emulate.insn->access & INSN_WRITES));
	}
}

static void load_form(struct trial *trial, const struct insn_form_entry *form)
{
	trial->text = form->text;
	trial->length = form->length;
	memcpy(trial->bytes, form->bytes, sizeof(trial->bytes));
}

static bool is_string(const struct trial *trial)
{
	u8 bytes[INSN_BUFFER] = { 0 };
	struct insn insn;

	memcpy(bytes, trial->bytes, trial->length);
	return insn_decode(&insn, bytes, trial->length, CPU_MODE_64) == INSN_OK && insn.form == INSN_STRING;
}

static void every_form_does_what_the_processor_does(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(insn_forms); i++) {
		for (unsigned n = 0; n < 48; n++) {
			struct trial trial;

			random_start(&trial);
			load_form(&trial, &insn_forms[i]);
			help_comparison(&trial);
			run_trial(&trial, is_string(&trial) && (n & 1));
		}
	}
}

/*
 * The same form with another way to address its operand, which may stand anywhere on the page or straddle its end.
 * False: the form's operand is not a plain [rdi].
 */
static bool readdress(struct trial *trial)
{
	u64 disp = (s32)(random_u64() >> (random_u64() & 1 ? 32 : 0)), index_value = 0;
	u8 *bytes = trial->bytes, tail[15], modrm, rex = 0, mod = random_below(3), base, index,
	   scale = random_below(4);
	unsigned at = 0, opcode, opcode_size, tail_size;

	while (bytes[at] == 0x66 || bytes[at] == 0xf0 || bytes[at] == 0xf2 || bytes[at] == 0xf3)
		at++;
	if ((bytes[at] & 0xf0) == 0x40)
		rex = bytes[at++];
	opcode = at;
	opcode_size = bytes[at] != 0x0f ? 1 : bytes[at + 1] == 0x38 ? 3 : 2;
	modrm = bytes[at + opcode_size];
	if (opcode + opcode_size >= trial->length || (modrm & 0xc7) != 0x07)
		return false;

	/* RCX and RDX are what forms rely on; RSP is in use. */
	do
		base = random_below(16);
	while (base == RCX || base == RDX || base == RSP);
	do
		index = random_below(16);
	while (index == base);
	if ((base & 7) == RBP && mod == 0)
		mod = 1;
	disp = mod == 0 ? 0 : mod == 1 ? (u64)(s8)disp : disp;
	if (index != RSP)
		index_value = trial->before.gpr[index] << scale;
	trial->address = INSN_FORMS_OPERAND +
			 (random_u64() & 1 ? PAGE_SIZE - 1 - random_below(20) : 0x40 + random_below(3800));
	trial->before.gpr[base] = trial->address - disp - index_value;

	memcpy(tail, bytes + opcode, sizeof(tail) - opcode);
	tail_size = trial->length - opcode;
	rex |= (base & 8 ? 0x41 : 0) | (index & 8 ? 0x42 : 0);
	if (rex && opcode && (bytes[opcode - 1] & 0xf0) == 0x40)
		opcode--;
	at = opcode;
	if (rex)
		bytes[at++] = rex;
	memcpy(bytes + at, tail, opcode_size);
	at += opcode_size;
	bytes[at++] = mod << 6 | (modrm & 0x38) | 4;
	bytes[at++] = scale << 6 | (index & 7) << 3 | (base & 7);
	memcpy(bytes + at, &disp, 4);
	at += mod == 0 ? 0 : mod == 1 ? 1 : 4;
	memcpy(bytes + at, tail + opcode_size + 1, tail_size - opcode_size - 1);
	trial->length = at + tail_size - opcode_size - 1;
	return trial->length <= 15;
}

static void every_form_works_with_any_addressing(void **state)
{
	unsigned trials = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(insn_forms); i++) {
		for (unsigned n = 0; n < 48; n++) {
			struct trial trial;

			random_start(&trial);
			load_form(&trial, &insn_forms[i]);
			if (!readdress(&trial))
				break;
			help_comparison(&trial);
			run_trial(&trial, false);
			trials++;
		}
	}
	assert_true(trials > 10000);
}

/* BT and its kin with a register address memory far from their operand, in both directions. */
static void bit_strings_reach_as_far_as_the_register_says(void **state)
{
	static const u8 opcodes[] = { 0xa3, 0xab, 0xb3, 0xbb };

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct trial trial;
		unsigned size = 2 << random_below(3);
		s64 bit = (s64)random_below(16000) - 8000;
		u8 code[] = { 0x0f, opcodes[n & 3], 0x17 };

		random_start(&trial);
		trial.text = "bt group [rdi], rdx";
		trial.length = 0;
		if (size != 4)
			trial.bytes[trial.length++] = size == 2 ? 0x66 : 0x48;
		memcpy(trial.bytes + trial.length, code, sizeof(code));
		trial.length += sizeof(code);
		trial.before.gpr[RDI] = INSN_FORMS_OPERAND + 1100;
		/* Bits above the operand size are not looked at. */
		trial.before.gpr[RDX] =
			size == 8 ? (u64)bit : (bit & (BIT(8 * size) - 1)) | random_u64() << (8 * size);
		trial.address = trial.before.gpr[RDI] + (bit >> (size == 2 ? 4 : size == 4 ? 5 : 6)) * size;
		run_trial(&trial, false);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_does_what_the_processor_does),
		cmocka_unit_test(every_form_works_with_any_addressing),
		cmocka_unit_test(bit_strings_reach_as_far_as_the_register_says),
	};

	if (!native_open()) {
		fprintf(stderr, "the addresses of tests/target/insn_forms.h are taken in this process\n");
		return 1;
	}
	return cmocka_run_group_tests_name("emulate against the processor", tests, NULL, NULL);
}
