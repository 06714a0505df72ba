// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random tables, accesses, mappings, interrupts, invalidations and register writes on the VT-d unit and on the naive
 * one, side by side. SEED=n repeats a trial, OPERATIONS=n does more of them (0: without end).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/vtd_play.h"

#define VTD_OPERATIONS 100000

static void test_the_unit_agrees_with_the_naive_one(void **state)
{
	static const struct differential test = { "vtd", 500, vtd_play };

	(void)state;
	assert_int_equal(differential_run(&test, 1, VTD_OPERATIONS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_unit_agrees_with_the_naive_one),
	};

	return cmocka_run_group_tests_name("vtd differential", tests, NULL, NULL);
}
