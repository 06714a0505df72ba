// SPDX-License-Identifier: BSD-2-Clause
/* The guest page walk, case by case. */
#include "tests/unit/walk_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_walk(struct machine *machine, u64 linear, unsigned access, u64 gpa, u64 page_size)
{
	struct walk_result result;

	assert_int_equal(guest_walk(&machine->paging, linear, access, &result), WALK_OK);
	assert_int_equal(result.gpa, gpa);
	assert_int_equal(result.page_size, page_size);
}

static void assert_fault(struct machine *machine, u64 linear, unsigned access, u32 error_code)
{
	struct walk_result result;

	assert_int_equal(guest_walk(&machine->paging, linear, access, &result), WALK_FAULT);
	assert_int_equal(result.error_code, error_code);
}

static void pages_of_each_size_are_found(void **state)
{
	struct machine machine;

	(void)state;
	open_long(&machine);
	assert_walk(&machine, 0x123, GUEST_READ, 0xabcd123, 4 * KiB);
	*entry64(&machine, 0x3000) = 0x12200000 | P | RW | US | A | D | PS;
	assert_walk(&machine, 0x123456, GUEST_WRITE | GUEST_USER, 0x12323456, 2 * MiB);
	*entry64(&machine, 0x2000) = 0xc0000000 | P | RW | US | A | D | PS;
	assert_walk(&machine, 0x12345678, GUEST_FETCH, 0xd2345678, 1 * GiB);
	machine.paging.no_gib_pages = true;
	assert_fault(&machine, 0x12345678, GUEST_READ, PF_P | PF_RSVD);
}

static void every_level_can_deny(void **state)
{
	(void)state;
	for (u64 at = 0x1000; at <= 0x4000; at += 0x1000) {
		struct machine machine;

		open_long(&machine);
		*entry64(&machine, at) &= ~(u64)RW;
		assert_walk(&machine, 0, GUEST_READ | GUEST_USER, 0xabcd000, 4 * KiB);
		assert_fault(&machine, 0, GUEST_WRITE | GUEST_USER, PF_P | PF_W | PF_U);
		assert_fault(&machine, 0, GUEST_WRITE, PF_P | PF_W);
		machine.paging.cr0 &= ~(u64)CR0_WP;
		assert_walk(&machine, 0, GUEST_WRITE, 0xabcd000, 4 * KiB);
		assert_fault(&machine, 0, GUEST_WRITE | GUEST_USER, PF_P | PF_W | PF_U);

		open_long(&machine);
		*entry64(&machine, at) &= ~(u64)US;
		assert_fault(&machine, 0, GUEST_READ | GUEST_USER, PF_P | PF_U);
		assert_walk(&machine, 0, GUEST_READ, 0xabcd000, 4 * KiB);

		open_long(&machine);
		*entry64(&machine, at) |= XD;
		assert_fault(&machine, 0, GUEST_FETCH, PF_P | PF_I);
		assert_walk(&machine, 0, GUEST_READ, 0xabcd000, 4 * KiB);
		machine.paging.efer &= ~(u64)NXE; /* now the bit is reserved */
		assert_fault(&machine, 0, GUEST_READ, PF_P | PF_RSVD);
		assert_fault(&machine, 0, GUEST_FETCH, PF_P | PF_RSVD);

		open_long(&machine);
		*entry64(&machine, at) &= ~(u64)P;
		assert_fault(&machine, 0, GUEST_WRITE, PF_W);

		open_long(&machine);
		*entry64(&machine, at) |= BIT(40);
		assert_fault(&machine, 0, GUEST_READ | GUEST_USER, PF_P | PF_U | PF_RSVD);
	}
}

static void smep_and_smap_keep_the_supervisor_off_user_pages(void **state)
{
	struct machine machine;

	(void)state;
	open_long(&machine);
	machine.paging.cr4 |= CR4_SMEP;
	assert_fault(&machine, 0, GUEST_FETCH, PF_P | PF_I);
	assert_walk(&machine, 0, GUEST_FETCH | GUEST_USER, 0xabcd000, 4 * KiB);
	assert_walk(&machine, 0, GUEST_READ, 0xabcd000, 4 * KiB);
	machine.paging.cr4 = CR4_PAE | CR4_SMAP;
	assert_fault(&machine, 0, GUEST_READ, PF_P);
	assert_fault(&machine, 0, GUEST_WRITE, PF_P | PF_W);
	assert_walk(&machine, 0, GUEST_READ | GUEST_AC, 0xabcd000, 4 * KiB);
	assert_walk(&machine, 0, GUEST_FETCH, 0xabcd000, 4 * KiB);
	*entry64(&machine, 0x4000) &= ~(u64)US;
	assert_walk(&machine, 0, GUEST_READ, 0xabcd000, 4 * KiB);
}

static void accessed_and_dirty_bits_are_set_when_access_is_given(void **state)
{
	struct machine machine;

	(void)state;
	open_long(&machine);
	for (u64 at = 0x1000; at <= 0x4000; at += 0x1000)
		*entry64(&machine, at) &= ~(u64)(A | D);
	*entry64(&machine, 0x4000) &= ~(u64)RW;
	assert_fault(&machine, 0, GUEST_WRITE, PF_P | PF_W);
	assert_int_equal(*entry64(&machine, 0x1000) & A, 0);
	assert_walk(&machine, 0, GUEST_READ, 0xabcd000, 4 * KiB);
	for (u64 at = 0x1000; at <= 0x4000; at += 0x1000)
		assert_int_equal(*entry64(&machine, at) & (A | D), A);
	*entry64(&machine, 0x4000) |= RW;
	assert_walk(&machine, 0, GUEST_WRITE, 0xabcd000, 4 * KiB);
	assert_int_equal(*entry64(&machine, 0x4000) & (A | D), A | D);
	assert_int_equal(*entry64(&machine, 0x3000) & (A | D), A);
}

static void tables_outside_ram_or_read_only_are_told(void **state)
{
	struct machine machine;
	struct walk_result result;

	(void)state;
	open_long(&machine);
	*entry64(&machine, 0x2000) = 0xfee00000 | P | RW | A;
	assert_int_equal(guest_walk(&machine.paging, 0, GUEST_READ, &result), WALK_NO_MEMORY);
	open_long(&machine);
	machine.rom = true;
	assert_walk(&machine, 0, GUEST_READ, 0xabcd000, 4 * KiB);
	*entry64(&machine, 0x3000) &= ~(u64)A;
	assert_int_equal(guest_walk(&machine.paging, 0, GUEST_READ, &result), WALK_NO_MEMORY);
	assert_int_equal(*entry64(&machine, 0x3000) & A, 0);
}

static void entries_that_change_meanwhile_are_not_overwritten(void **state)
{
	struct machine machine;
	struct walk_result result;

	(void)state;
	open_long(&machine);
	*entry64(&machine, 0x1000) &= ~(u64)A;
	machine.races = 1;
	assert_walk(&machine, 0, GUEST_READ, 0xabcd000, 4 * KiB);
	assert_int_equal(*entry64(&machine, 0x1000), 0x2000 | P | RW | US | A | BIT(9));

	open_long(&machine);
	*entry64(&machine, 0x1000) &= ~(u64)A;
	machine.races = 1000;
	assert_int_equal(guest_walk(&machine.paging, 0, GUEST_READ, &result), WALK_RETRY);
	assert_int_equal(*entry64(&machine, 0x1000) & A, 0);
	assert_in_range(machine.races, 900, 998);
}

static void window_is_asked_for_once(void **state)
{
	struct machine machine;

	(void)state;
	open_long(&machine);
	assert_walk(&machine, 0, GUEST_READ, 0xabcd000, 4 * KiB);
	assert_walk(&machine, 0, GUEST_WRITE, 0xabcd000, 4 * KiB);
	assert_int_equal(machine.windows, 1);
}

static void without_paging_linear_is_physical(void **state)
{
	struct machine machine;
	struct walk_result result;

	(void)state;
	open_long(&machine);
	machine.paging.cr0 = 1;
	machine.paging.efer = 0;
	assert_int_equal(guest_walk(&machine.paging, 0x1fee00123, GUEST_WRITE, &result), WALK_OK);
	assert_int_equal(result.gpa, 0xfee00123);
}

static void two_level_paging_has_4_mib_pages_above_4_gib(void **state)
{
	struct machine machine;

	(void)state;
	open_long(&machine);
	machine.paging.efer = 0;
	machine.paging.cr4 = CR4_PSE;
	*entry32(&machine, 0x1000 + 4 * 3) = 0x2000 | P | RW | US;
	*entry32(&machine, 0x2000 + 4 * 5) = 0xfee00000 | P | RW | PS; /* bit 7 is the PAT here */
	assert_walk(&machine, 0xc05678, GUEST_WRITE, 0xfee00678, 4 * KiB);
	assert_int_equal(*entry32(&machine, 0x2000 + 4 * 5) & (A | D), A | D);
	assert_int_equal(*entry32(&machine, 0x1000 + 4 * 3) & (A | D), A);
	assert_fault(&machine, 0xc05678, GUEST_READ | GUEST_USER, PF_P | PF_U);

	*entry32(&machine, 0x1000 + 4 * 4) = 0xc0000000 | 0x12 << 13 | P | RW | PS;
	assert_walk(&machine, 0x1234567, GUEST_READ, 0x12c0234567, 4 * MiB);
	machine.paging.cr4 = 0; /* then the entry points to a table */
	*entry32(&machine, 0x1000 + 4 * 4) = 0x2000 | P | RW | PS;
	assert_walk(&machine, 0x1005000, GUEST_READ, 0xfee00000, 4 * KiB);
	machine.paging.cr4 = CR4_PSE;
	*entry32(&machine, 0x1000 + 4 * 4) = 0xc0200000 | P | RW | PS; /* bit 21 */
	assert_fault(&machine, 0x1234567, GUEST_READ, PF_P | PF_RSVD);
	machine.paging.physical_bits = 36;
	*entry32(&machine, 0x1000 + 4 * 4) = 0xc0000000 | 0x12 << 13 | P | RW | PS;
	assert_fault(&machine, 0x1234567, GUEST_FETCH, PF_P | PF_RSVD); /* no SMEP, no NX: no bit 4 */
}

static void pae_paging_takes_its_top_entries_from_the_processor(void **state)
{
	struct machine machine;

	(void)state;
	open_long(&machine);
	machine.paging.efer = NXE;
	machine.paging.cr3 = 0xffffffe0; /* not looked at */
	machine.paging.pdpte[2] = 0x3000 | P;
	*entry64(&machine, 0x3000 + 8 * 1) = 0x4000 | P | RW;
	*entry64(&machine, 0x4000 + 8 * 2) = 0x3456789000 | P | RW | XD;
	assert_walk(&machine, 0x80202345, GUEST_WRITE, 0x3456789345, 4 * KiB);
	assert_fault(&machine, 0x80202345, GUEST_FETCH, PF_P | PF_I);
	assert_fault(&machine, 0xc0202345, GUEST_FETCH, PF_I);
	*entry64(&machine, 0x3000 + 8 * 1) = 0x12200000 | P | RW | PS;
	assert_walk(&machine, 0x80202345, GUEST_READ, 0x12202345, 2 * MiB);
	*entry64(&machine, 0x3000 + 8 * 1) |= BIT(52); /* ignored with 4 levels, reserved here */
	assert_fault(&machine, 0x80202345, GUEST_READ, PF_P | PF_RSVD);
}

static void fetch_takes_15_bytes_or_what_the_page_has(void **state)
{
	struct machine machine;
	struct guest_code code = { .count = 99 };
	struct walk_result fault;

	(void)state;
	open_long(&machine);
	*entry64(&machine, 0x4000) = 0x5000 | P | RW | A;
	*entry64(&machine, 0x4008) = 0x7000 | P | RW | A;
	for (unsigned i = 0; i < PAGE_SIZE; i++) {
		machine.ram[0x5000 + i] = i;
		machine.ram[0x7000 + i] = 0x80 + i;
	}
	assert_int_equal(guest_fetch(&machine.paging, 0x20, 0, &code, &fault), WALK_OK);
	assert_int_equal(code.count, 15);
	assert_memory_equal(code.bytes, machine.ram + 0x5020, 15);
	assert_int_equal(guest_fetch(&machine.paging, 0xffa, 0, &code, &fault), WALK_OK);
	assert_int_equal(code.count, 6);
	assert_memory_equal(code.bytes, "\xfa\xfb\xfc\xfd\xfe\xff", 6);
	assert_int_equal(guest_fetch_more(&machine.paging, 0x1000, 0, &code, &fault), WALK_OK);
	assert_int_equal(code.count, 15);
	assert_memory_equal(code.bytes, "\xfa\xfb\xfc\xfd\xfe\xff\x80\x81\x82\x83\x84\x85\x86\x87\x88", 15);

	*entry64(&machine, 0x4008) |= XD;
	assert_int_equal(guest_fetch(&machine.paging, 0xff1, 0, &code, &fault), WALK_OK);
	assert_int_equal(code.count, 15);
	assert_int_equal(guest_fetch(&machine.paging, 0xff2, 0, &code, &fault), WALK_OK);
	assert_int_equal(code.count, 14);
	assert_int_equal(guest_fetch_more(&machine.paging, 0x1000, 0, &code, &fault), WALK_FAULT);
	assert_int_equal(fault.gpa, 0x1000);
	assert_int_equal(fault.error_code, PF_P | PF_I);
	assert_int_equal(guest_fetch(&machine.paging, 0x20, GUEST_USER, &code, &fault), WALK_FAULT);
	assert_int_equal(fault.error_code, PF_P | PF_U | PF_I);
	*entry64(&machine, 0x4000) = 0xfee00000 | P | RW | A;
	assert_int_equal(guest_fetch(&machine.paging, 0x20, 0, &code, &fault), WALK_NO_MEMORY);
}

static void ram_is_given_only_whole_and_writable(void **state)
{
	struct machine machine;

	(void)state;
	open_long(&machine);
	assert_ptr_equal(guest_ram(&machine.paging, 0x1234, 8, true), machine.ram + 0x1234);
	assert_null(guest_ram(&machine.paging, RAM_SIZE - 4, 8, false));
	assert_non_null(guest_ram(&machine.paging, RAM_SIZE - 8, 8, false));
	assert_null(guest_ram(&machine.paging, RAM_SIZE, 1, false));
	assert_null(guest_ram(&machine.paging, ~0ull, 2, false));
	machine.paging.window.size = 0;
	machine.rom = true;
	assert_null(guest_ram(&machine.paging, 0x1234, 8, true));
	assert_non_null(guest_ram(&machine.paging, 0x1234, 8, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_of_each_size_are_found),
		cmocka_unit_test(every_level_can_deny),
		cmocka_unit_test(smep_and_smap_keep_the_supervisor_off_user_pages),
		cmocka_unit_test(accessed_and_dirty_bits_are_set_when_access_is_given),
		cmocka_unit_test(tables_outside_ram_or_read_only_are_told),
		cmocka_unit_test(entries_that_change_meanwhile_are_not_overwritten),
		cmocka_unit_test(window_is_asked_for_once),
		cmocka_unit_test(without_paging_linear_is_physical),
		cmocka_unit_test(two_level_paging_has_4_mib_pages_above_4_gib),
		cmocka_unit_test(pae_paging_takes_its_top_entries_from_the_processor),
		cmocka_unit_test(fetch_takes_15_bytes_or_what_the_page_has),
		cmocka_unit_test(ram_is_given_only_whole_and_writable),
	};

	return cmocka_run_group_tests_name("guest walk", tests, NULL, NULL);
}
