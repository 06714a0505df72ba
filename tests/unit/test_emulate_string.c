// SPDX-License-Identifier: BSD-2-Clause
/* String instructions in the emulator: repetition, what a fault leaves behind, ports. */
#include "arch/emulate_alu.h"
#include "tests/unit/emulate_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void repetition_stops_at_its_bound_and_can_be_taken_up_again(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0xf3, 0xa4); /* rep movsb */
	rig.gpr[RCX] = 100;
	for (unsigned i = 0; i < 100; i++)
		rig.ram[RIG_RAM_PAGE + 0x40 + i] = i;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE);
	assert_int_equal(rig.gpr[RCX], 100 - EMULATE_MAX_ITERATIONS);
	assert_int_equal(rig.gpr[RDI], INSN_FORMS_OPERAND + 0x40 + EMULATE_MAX_ITERATIONS);
	assert_int_equal(rig.gpr[RSI], INSN_FORMS_RAM + 0x40 + EMULATE_MAX_ITERATIONS);
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE + 2);
	assert_int_equal(rig.gpr[RCX], 0);
	assert_memory_equal(rig.device + 0x40, rig.ram + RIG_RAM_PAGE + 0x40, 100);
}

static void repetition_zero_times_touches_nothing(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0xf3, 0xab);
	rig.gpr[RCX] = 0;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	assert_int_equal(rig.writes, 0);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE + 2);
	assert_int_equal(rig.gpr[RDI], INSN_FORMS_OPERAND + 0x40);
}

static void fault_inside_a_repetition_shows_what_was_done_before(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0xf3, 0xab); /* rep stosd */
	*rig_entry(&rig, INSN_FORMS_RAM) = 0;
	rig.gpr[RDI] = INSN_FORMS_OPERAND + 0xff6;
	rig.gpr[RCX] = 10;
	rig.gpr[RAX] = 0x44332211;
	assert_int_equal(rig_run(&rig, 0xff6), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_PF, true, 2);
	assert_int_equal(rig.emulate.exception.cr2, INSN_FORMS_RAM);
	assert_int_equal(rig.gpr[RCX], 8);
	assert_int_equal(rig.gpr[RDI], INSN_FORMS_OPERAND + 0xffe);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE);
	assert_int_equal(rig.writes, 2);
}

static void single_stepping_sees_every_iteration(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0xf3, 0xaa);
	rig.emulate.rflags |= RFLAGS_TF;
	assert_int_equal(rig_run(&rig, 0x40), EMULATE_DONE);
	assert_int_equal(rig.writes, 1);
	assert_int_equal(rig.gpr[RCX], INSN_FORMS_RCX - 1);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE);
}

static void ins_writes_what_the_port_gives(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0xf3, 0x66, 0x6d); /* rep insw */
	rig.gpr[RDI] = INSN_FORMS_RAM + 0x40;
	memcpy(rig.port_data, "abcdef", 6);
	assert_int_equal(emulate_port_string(&rig.emulate), EMULATE_DONE);
	assert_memory_equal(rig.ram + RIG_RAM_PAGE + 0x40, "abcdef", 6);
	assert_int_equal(rig.last_port, INSN_FORMS_RDX);
	assert_int_equal(rig.port_accesses, 3);
	assert_int_equal(rig.gpr[RDI], INSN_FORMS_RAM + 0x46);
	assert_int_equal(rig.emulate.rip, INSN_FORMS_CODE + 3);
}

static void ins_reads_no_port_if_its_memory_faults(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x6c);
	*rig_entry(&rig, INSN_FORMS_OPERAND) = 0;
	assert_int_equal(emulate_port_string(&rig.emulate), EMULATE_INJECT);
	RIG_ASSERT_EXCEPTION(&rig, VECTOR_PF, true, 2);
	assert_int_equal(rig.port_accesses, 0);
}

static void outs_reads_devices_too_and_takes_a_segment(void **state)
{
	(void)state;
	RIG_OPEN(rig, 0x65, 0x6f); /* outs dx, gs:[rsi], 32 bits */
	rig.segments[SEG_GS].base = INSN_FORMS_OPERAND;
	rig.gpr[RSI] = 0x20;
	memcpy(rig.device + 0x20, "wxyz", 4);
	assert_int_equal(emulate_port_string(&rig.emulate), EMULATE_DONE);
	assert_memory_equal(rig.port_data, "wxyz", 4);
	assert_int_equal(rig.reads, 1);
	assert_int_equal(rig.gpr[RSI], 0x24);

	rig_place(&rig, (const u8[]){ 0x90 }, 1);
	rig.emulate.rip = INSN_FORMS_CODE;
	assert_int_equal(emulate_port_string(&rig.emulate), EMULATE_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repetition_stops_at_its_bound_and_can_be_taken_up_again),
		cmocka_unit_test(repetition_zero_times_touches_nothing),
		cmocka_unit_test(fault_inside_a_repetition_shows_what_was_done_before),
		cmocka_unit_test(single_stepping_sees_every_iteration),
		cmocka_unit_test(ins_writes_what_the_port_gives),
		cmocka_unit_test(ins_reads_no_port_if_its_memory_faults),
		cmocka_unit_test(outs_reads_devices_too_and_takes_a_segment),
	};

	return cmocka_run_group_tests_name("emulate strings", tests, NULL, NULL);
}
