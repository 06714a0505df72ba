// SPDX-License-Identifier: BSD-2-Clause
/* What the emulator does beside arithmetic: addresses, faults, refusals. */
#include "arch/emulate_alu.h"
#include "tests/unit/emulate_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_refused(struct rig *rig, const char *text)
{
	char reason[96];

	emulate_reason(&rig->emulate, reason, sizeof(reason));
	assert_string_equal(reason, text);
}

static void plain_access_needs_neither_segments_nor_a_walk_of_its_operand(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x8b, 0x5f, 0x10);   /* mov ebx, [rdi + 16] */
	rig.gpr[RDI] = 0xffffffffff5f0000; /* mapped nowhere: the exit said where it is */
	memcpy(rig.device + 0x10, "\x78\x56\x34\x12", 4);
	assert_int_equal(rig_run(&rig, 0x10), EMULATE_DONE);
	assert_int_equal(rig.gpr[RBX], 0x12345678);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE + 3);
	assert_int_equal(rig.segments_asked, 0);
	assert_int_equal(rig.reads, 1);
	assert_false(rig.emulate.rflags_changed);
}

static void operand_that_does_not_lie_where_the_exit_says_is_walked(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x89, 0x1f); /* mov [rdi], ebx */
	rig.gpr[RBX] = 0x11223344;
	assert_int_equal(rig_run(&rig, 0x80), EMULATE_DONE);
	assert_memory_equal(rig.device + 0x40, "\x44\x33\x22\x11", 4);
	assert_int_equal(rig.writes, 1);
}

static void write_where_the_processor_checked_a_read_is_checked_again(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x89, 0x1f);
	*rig_entry(&rig, INSN_FORMS_OPERAND) &= ~(u64)RIG_RW;
	rig.emulate.fault_gpa = RIG_DEVICE + 0x40;
	rig.emulate.fault_access = INSN_READS;
	assert_int_equal(emulate_mmio(&rig.emulate), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_PF, true, 3);
	assert_int_equal(rig.emulate.exception.cr2, INSN_FORMS_OPERAND + 0x40);
	assert_int_equal(rig.writes, 0);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE);
}

static void operand_across_pages_is_checked_whole_before_it_is_touched(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x48, 0x89, 0x1f); /* mov [rdi], rbx */
	rig.gpr[RDI] = INSN_FORMS_OPERAND + 0xffd;
	rig.gpr[RBX] = 0x8877665544332211;
	*rig_entry(&rig, INSN_FORMS_RAM) = 0;
	assert_int_equal(rig_run(&rig, 0xffd), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_PF, true, 2);
	assert_int_equal(rig.emulate.exception.cr2, INSN_FORMS_RAM);
	assert_int_equal(rig.writes, 0);

	*rig_entry(&rig, INSN_FORMS_RAM) = RIG_RAM_PAGE | RIG_ALL;
	assert_int_equal(rig_run(&rig, 0xffd), EMULATE_DONE);
	assert_memory_equal(rig.device + 0xffd, "\x11\x22\x33", 3);
	assert_memory_equal(rig.ram + RIG_RAM_PAGE, "\x44\x55\x66\x77\x88", 5);
	assert_int_equal(rig.strange, 0);
}

static void operand_that_begins_on_the_page_before_the_device_is_cut(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x8b, 0x1f); /* mov ebx, [rdi] */
	/* Swap: RAM first, then the device; the processor reports the first byte of the device. */
	*rig_entry(&rig, INSN_FORMS_OPERAND) = RIG_RAM_PAGE | RIG_ALL;
	*rig_entry(&rig, INSN_FORMS_RAM) = RIG_DEVICE | RIG_ALL;
	rig.gpr[RDI] = INSN_FORMS_RAM - 1;
	rig.ram[RIG_RAM_PAGE + 0xfff] = 0x11;
	memcpy(rig.device, "\x22\x33\x44", 3);
	assert_int_equal(rig_run(&rig, 0), EMULATE_DONE);
	assert_int_equal(rig.gpr[RBX], 0x44332211);
}

static void user_access_to_a_supervisor_page_faults(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0xa4); /* movsb: its source is walked */
	rig.emulate.cpl = 3;
	*rig_entry(&rig, INSN_FORMS_RAM) &= ~(u64)RIG_US;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_PF, true, 5);
	assert_int_equal(rig.emulate.exception.cr2, INSN_FORMS_RAM + 0x40);
	assert_int_equal(rig.writes, 0);
	rig.emulate.cpl = 2; /* a supervisor */
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	assert_int_equal(rig.writes, 1);
}

static void addresses_that_are_not_canonical_fault(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x8b, 0x1f);
	rig.gpr[RDI] = 0x0000800000000000;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_GP, true, 0);
	rig.gpr[RDI] = 0x00007ffffffffffe; /* its last byte is not */
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_GP, true, 0);

	rig_place(&rig, (const u8[]){ 0x8b, 0x5d, 0x00 }, 3); /* mov ebx, [rbp] */
	rig.gpr[RBP] = 0x8000000000000000;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_SS, true, 0);
}

static void fs_and_gs_add_their_base_in_64_bit_mode(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x65, 0x8b, 0x1f); /* mov ebx, gs:[rdi] */
	rig.segments[SEG_GS].base = INSN_FORMS_OPERAND;
	rig.segments[SEG_GS].limit = 0; /* not looked at */
	rig.gpr[RDI] = 0x123;
	rig.device[0x123] = 0x5a;
	assert_int_equal(rig_run(&rig, 0x123), EMULATE_DONE);
	assert_int_equal(rig.gpr[RBX], 0x5a);
	rig.emulate.rip = INSN_FORMS_CODE;
	assert_int_equal(rig_run(&rig, 0x77), EMULATE_DONE); /* walked */
	assert_int_equal(rig.gpr[RBX], 0x5a);
}

static void segment_limits_and_types_hold_outside_64_bit_mode(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0);
	rig_set_mode(&rig, CPU_MODE_32, false);
	rig_place(&rig, (const u8[]){ 0x89, 0x1f }, 2);
	rig.gpr[RDI] = RIG_RAM_PAGE + 0x40;
	rig.segments[SEG_DS].limit = RIG_RAM_PAGE + 0x42; /* one byte short */
	assert_int_equal(rig_run(&rig, 0), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_GP, true, 0);
	rig.segments[SEG_DS].limit++;
	assert_int_equal(rig_run(&rig, 0), EMULATE_DONE);
	assert_int_equal(rig.emulate.rip, RIG_CODE_PAGE + 2);

	rig.emulate.rip = RIG_CODE_PAGE;
	rig.segments[SEG_DS].rights = 0xc091; /* read-only */
	assert_int_equal(rig_run(&rig, 0), EMULATE_INJECT);
	rig.segments[SEG_DS].rights = 0x1c093; /* unusable */
	assert_int_equal(rig_run(&rig, 0), EMULATE_INJECT);
	rig.segments[SEG_DS] = (struct emulate_segment){ 0, RIG_RAM_PAGE + 0x40, 0xc097 }; /* expands down */
	assert_int_equal(rig_run(&rig, 0), EMULATE_INJECT);
	rig.segments[SEG_DS].limit--;
	assert_int_equal(rig_run(&rig, 0), EMULATE_DONE);
}

static void real_mode_addresses_wrap_at_64_kib_and_faults_have_no_error_code(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0);
	rig_set_mode(&rig, CPU_MODE_16, true);
	rig_place(&rig, (const u8[]){ 0x8a, 0x40, 0x10 }, 3); /* mov al, [bx + si + 16] */
	rig.gpr[RBX] = 0x12348000;
	rig.gpr[RSI] = 0x56788000;
	rig.segments[SEG_DS].base = RIG_RAM_PAGE;
	rig.ram[RIG_RAM_PAGE + 0x10] = 0x77;
	assert_int_equal(rig_run(&rig, 0x800), EMULATE_DONE);
	assert_int_equal(rig.gpr[RAX], 0x77);

	rig.emulate.rip = RIG_CODE_PAGE;
	rig_place(&rig, (const u8[]){ 0x8b, 0x07 }, 2); /* mov ax, [bx] */
	rig.gpr[RBX] = 0xffff;
	assert_int_equal(rig_run(&rig, 0x800), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_GP, false, 0);
}

static void addresses_wrap_at_the_address_size_before_the_segment_base_is_added(void **state)
{
	static const struct {
		enum cpu_mode mode;
		u8 bytes[6];
		u64 rbx, rsi, offset;
	} cases[] = {
		{ CPU_MODE_32,
		  { 0x8a, 0x44, 0x73, 0x02 },
		  0xfffffff0,
		  0x80000010,
		  0x12 }, /* [ebx + 2 * esi + 2] */
		{ CPU_MODE_32, { 0x67, 0x8a, 0x40, 0xff }, 0x5555fff0, 0x66660021, 0x10 }, /* [bx + si - 1] */
		{ CPU_MODE_32,
		  { 0x8a, 0x83, 0x00, 0xff, 0xff, 0xff },
		  0x99900000120,
		  0,
		  0x20 },							       /* [ebx - 0x100] */
		{ CPU_MODE_16, { 0x67, 0x8a, 0x04, 0x33 }, 0xfffff000, 0x1030, 0x30 }, /* [ebx + esi] */
		{ CPU_MODE_64,
		  { 0x67, 0x65, 0x8a, 0x04, 0x33 },
		  0x1fffffff0,
		  0x50,
		  0x40 }, /* gs:[ebx + esi] */
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		RIG_OPEN(rig, 0);
		if (cases[i].mode != CPU_MODE_64)
			rig_set_mode(&rig, cases[i].mode, false);
		rig_place(&rig, cases[i].bytes, sizeof(cases[i].bytes));
		rig.gpr[RBX] = cases[i].rbx;
		rig.gpr[RSI] = cases[i].rsi;
		rig.segments[SEG_DS].base = RIG_RAM_PAGE;
		rig.segments[SEG_GS].base = INSN_FORMS_RAM;
		rig.ram[RIG_RAM_PAGE + cases[i].offset] = 0xa0 + i;
		assert_int_equal(rig_run(&rig, 0x800), EMULATE_DONE);
		assert_int_equal(rig.gpr[RAX], 0xa0 + i);
	}
}

static void instruction_at_the_end_of_a_page_does_not_need_the_next_one(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0);
	*rig_entry(&rig, INSN_FORMS_CODE + PAGE_SIZE) = 0;
	rig.emulate.rip = INSN_FORMS_CODE + 0xffe;
	rig_place(&rig, (const u8[]){ 0x89, 0x1f }, 2);
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE + PAGE_SIZE);
}

static void instruction_across_pages_is_fetched_from_both(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0);
	rig.emulate.rip = INSN_FORMS_CODE + 0xffe;
	rig_place(&rig, (const u8[]){ 0xc7, 0x07, 0xef, 0xcd, 0xab, 0x89 }, 6);
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	assert_memory_equal(rig.device + 0x40, "\xef\xcd\xab\x89", 4);

	rig.emulate.rip = INSN_FORMS_CODE + 0xffe;
	*rig_entry(&rig, INSN_FORMS_CODE + PAGE_SIZE) = 0;
	rig.emulate.cpl = 3;
	rig.paging.cr4 |= BIT(20); /* SMEP: the error code tells fetches */
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_PF, true, 0x14);
	assert_int_equal(rig.emulate.exception.cr2, INSN_FORMS_CODE + PAGE_SIZE);
}

static void remembered_instruction_gives_way_to_changed_bytes_and_modes(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x89, 0x1f); /* mov [rdi], ebx */
	rig.gpr[RBX] = 0x11223344;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	rig.emulate.rip = INSN_FORMS_CODE;
	rig_place(&rig, (const u8[]){ 0x88, 0x3f }, 2); /* mov [rdi], bh */
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	assert_memory_equal(rig.device + 0x40, "\x33\x33\x22\x11", 4);

	/* The same first eight bytes, another immediate behind them. */
	rig.emulate.rip = INSN_FORMS_CODE;
	rig_place(&rig, (const u8[]){ 0x48, 0xc7, 0x87, 0, 0, 0, 0, 1, 2, 3, 4 },
		  11); /* mov q [rdi + 0], imm32 */
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	rig.emulate.rip = INSN_FORMS_CODE;
	rig_place(&rig, (const u8[]){ 0x48, 0xc7, 0x87, 0, 0, 0, 0, 1, 2, 3, 5 }, 11);
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	assert_memory_equal(rig.device + 0x40, "\1\2\3\5", 4);

	/* mov [r15], ebx in 64-bit mode, inc ecx in compatibility mode */
	rig.emulate.rip = INSN_FORMS_CODE;
	rig_place(&rig, (const u8[]){ 0x41, 0x89, 0x1f }, 3);
	rig.gpr[R15] = INSN_FORMS_OPERAND + 0x50;
	assert_int_equal(rig_run(&rig, 0x50), EMULATE_DONE);
	rig.emulate.rip = INSN_FORMS_CODE;
	rig.emulate.mode = CPU_MODE_32;
	assert_int_equal(rig_run(&rig, 0x50), EMULATE_UNSUPPORTED);
	assert_refused(&rig, "inc: accesses no memory");
}

static void device_that_stops_the_guest_leaves_the_instruction_undone(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x87, 0x1f); /* xchg [rdi], ebx */
	rig.gpr[RBX] = 0x1234567812345678;
	rig.answer = EMULATE_STOP;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_STOP);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE);
	assert_int_equal(rig.gpr[RBX], 0x1234567812345678);
	assert_false(rig.emulate.rflags_changed);
	assert_int_equal(rig.writes, 0);
}

static void illegal_lock_and_overlong_instructions_fault_as_on_hardware(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0xf0, 0x89, 0x1f);
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_UD, false, 0);

	rig_place(&rig,
		  (const u8[]){ 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
				0x66, 0x89, 0x1f },
		  16);
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_GP, true, 0);
}

static void refusals_name_the_instruction(void **state)
{
	static const struct {
		u8 bytes[8];
		const char *text;
	} cases[] = {
		{ { 0x0f, 0x28, 0x07 }, "movaps: SSE access to a device" },
		{ { 0x66, 0x0f, 0x6f, 0x07 }, "movdqa: SSE access to a device" },
		{ { 0xf3, 0x0f, 0x7f, 0x07 }, "movdqu: SSE access to a device" },
		{ { 0xc5, 0xf8, 0x28, 0x07 }, "VEX instruction: AVX access to a device" },
		{ { 0x62, 0xf1, 0x7c, 0x48, 0x28, 0x07 }, "EVEX instruction: AVX access to a device" },
		{ { 0xdd, 0x07 }, "x87 instruction: x87 access to a device" },
		{ { 0xff, 0x37 }, "push: stack on a device" },
		{ { 0x50 }, "push: stack on a device" },
		{ { 0x8f, 0x07 }, "pop: stack on a device" },
		{ { 0xff, 0x17 }, "call: branch through a device" },
		{ { 0xff, 0x27 }, "jmp: branch through a device" },
		{ { 0x48, 0x0f, 0xc7, 0x0f }, "cmpxchg16b: device access is not emulated" },
		{ { 0xc1, 0x27, 0x04 }, "shift or rotate: arithmetic on a device is not emulated" },
		{ { 0xf7, 0x27 }, "mul: arithmetic on a device is not emulated" },
		{ { 0x0f, 0x44, 0x07 }, "cmov: conditional access to a device is not emulated" },
		{ { 0x0f, 0x01, 0x17 }, "lgdt: descriptor table or descriptor on a device" },
		{ { 0x8e, 0x1f }, "mov to segment register: segment register and a device" },
		{ { 0x89, 0xc3 }, "opcode 89: no memory operand" },
		{ { 0x0f, 0xb6, 0xc3 }, "opcode 0f b6: no memory operand" },
		{ { 0x6c }, "ins/outs: between a port and a device" },
	};
	char bytes[48];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		RIG_OPEN(rig, 0);
		rig_place(&rig, cases[i].bytes, sizeof(cases[i].bytes));
		assert_int_equal(rig_run(&rig, 0x40), EMULATE_UNSUPPORTED);
		assert_refused(&rig, cases[i].text);
		assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE);
		assert_int_equal(rig.reads + rig.writes, 0);
	}
	RIG_OPEN(rig, 0x0f, 0x28, 0x04, 0x25, 0x00, 0x00, 0xe0, 0xfe);
	assert_int_equal(rig_run(&rig, 0), EMULATE_UNSUPPORTED);
	emulate_bytes(&rig.emulate, bytes, sizeof(bytes));
	assert_string_equal(bytes, "0f 28 04 25 00 00 e0 fe 90 90 90 90 90 90 90");
}

static void code_or_tables_outside_ram_are_refused(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x89, 0x1f);
	*rig_entry(&rig, INSN_FORMS_CODE) = RIG_DEVICE | RIG_ALL;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_UNSUPPORTED);
	assert_refused(&rig, "the instruction or its page tables are not in RAM");

	*rig_entry(&rig, INSN_FORMS_CODE) = RIG_CODE_PAGE | RIG_ALL;
	rig_place(&rig, (const u8[]){ 0xa4 }, 1);
	rig.gpr[RSI] = 0x7f8000000000; /* the last PML4 entry below the gap */
	*(u64 *)(rig.ram + 0x1000 + 255 * 8) = RIG_DEVICE | RIG_ALL;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_UNSUPPORTED);
	assert_refused(&rig, "the page tables of its operand are not in RAM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_access_needs_neither_segments_nor_a_walk_of_its_operand),
		cmocka_unit_test(operand_that_does_not_lie_where_the_exit_says_is_walked),
		cmocka_unit_test(write_where_the_processor_checked_a_read_is_checked_again),
		cmocka_unit_test(operand_across_pages_is_checked_whole_before_it_is_touched),
		cmocka_unit_test(operand_that_begins_on_the_page_before_the_device_is_cut),
		cmocka_unit_test(user_access_to_a_supervisor_page_faults),
		cmocka_unit_test(addresses_that_are_not_canonical_fault),
		cmocka_unit_test(fs_and_gs_add_their_base_in_64_bit_mode),
		cmocka_unit_test(segment_limits_and_types_hold_outside_64_bit_mode),
		cmocka_unit_test(real_mode_addresses_wrap_at_64_kib_and_faults_have_no_error_code),
		cmocka_unit_test(addresses_wrap_at_the_address_size_before_the_segment_base_is_added),
		cmocka_unit_test(instruction_at_the_end_of_a_page_does_not_need_the_next_one),
		cmocka_unit_test(instruction_across_pages_is_fetched_from_both),
		cmocka_unit_test(remembered_instruction_gives_way_to_changed_bytes_and_modes),
		cmocka_unit_test(device_that_stops_the_guest_leaves_the_instruction_undone),
		cmocka_unit_test(illegal_lock_and_overlong_instructions_fault_as_on_hardware),
		cmocka_unit_test(refusals_name_the_instruction),
		cmocka_unit_test(code_or_tables_outside_ram_are_refused),
	};

	return cmocka_run_group_tests_name("emulate", tests, NULL, NULL);
}
