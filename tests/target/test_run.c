// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest starts, runs in each of the modes that boot protocols use, and ends; and its faults end it alone.
 */
#include "tests/target/selftest.h"
#include "tests/target/small_vm.h"

SMALL_GUEST(run64);
SMALL_GUEST(run32);
SMALL_GUEST(run16);
SMALL_GUEST(triple_fault);

#define RUN_VALUE 0x51ce /* what the guests write to the exit port, plus the mode's number of bits */

static bool ends_with(struct small_vm *small, enum vm_stop why, u32 value)
{
	bool fine = EXPECT_EQUAL(small_vm_run(small), why) && EXPECT_EQUAL(small->exit_value, value);

	if (!fine)
		selftest_note("fault: %s", small->vm.fault);
	small_vm_destroy(small);
	return fine;
}

static bool runs_in_long_mode(const struct boot *boot)
{
	struct small_vm *small = small_vm_create(boot, &(struct small_options){ 0 });

	if (!small)
		return false;
	small_vm_load(small, guest_run64, guest_run64_end, RUN_VALUE);
	return ends_with(small, VM_POWERED_OFF, RUN_VALUE + 64);
}

static bool runs_in_protected_mode(const struct boot *boot)
{
	struct small_vm *small = small_vm_create(boot, &(struct small_options){ .no_apicv = true });

	if (!small)
		return false;
	small_vm_load_protected(small, guest_run32, guest_run32_end);
	return ends_with(small, VM_POWERED_OFF, RUN_VALUE + 32);
}

static bool runs_in_real_mode(const struct boot *boot)
{
	struct small_vm *small = small_vm_create(boot, &(struct small_options){ .small_pages = true });

	if (!small)
		return false;
	small_vm_load_real(small, guest_run16, guest_run16_end, 0x7c00);
	return ends_with(small, VM_POWERED_OFF, RUN_VALUE + 16);
}

static bool triple_fault_ends_the_guest(const struct boot *boot)
{
	struct small_vm *small = small_vm_create(boot, &(struct small_options){ 0 });

	if (!small)
		return false;
	small_vm_load(small, guest_triple_fault, guest_triple_fault_end, 0);
	return ends_with(small, VM_TRIPLE_FAULT, 0);
}

static const struct selftest tests[] = {
	{ "a guest runs in long mode", runs_in_long_mode },
	{ "a guest runs in protected mode without paging", runs_in_protected_mode },
	{ "a guest runs in real mode", runs_in_real_mode },
	{ "a triple fault ends the guest", triple_fault_ends_the_guest },
};

const struct selftest_group test_run = SELFTEST_GROUP("run", tests);
