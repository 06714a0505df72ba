// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random trees, transactions and accesses on the memory core and on the naive model, side by side. SEED=n
 * repeats a trial, OPERATIONS=n does more of them (0: without end).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/differential.h"
#include "tests/unit/naive_script.h"

#ifdef __SANITIZE_ADDRESS__
#define MM_OPERATIONS 200000
#else
#define MM_OPERATIONS 4500000 /* the bulk of them: bulk_mm, tests/mm.mk */
#endif

static bool run_small(u64 seed, const struct operation *operations, unsigned count, bool trace, char *why,
		      size_t size)
{
	return script_run(SCRIPT_SMALL, seed, operations, count, trace, why, size);
}

static bool run_sparse(u64 seed, const struct operation *operations, unsigned count, bool trace, char *why,
		       size_t size)
{
	return script_run(SCRIPT_SPARSE, seed, operations, count, trace, why, size);
}

static void test_small_trees_agree_with_the_naive_model(void **state)
{
	static const struct differential test = { "mm small", 2000, run_small };

	(void)state;
	assert_int_equal(differential_run(&test, 1, MM_OPERATIONS), 0);
}

static void test_sparse_trees_agree_with_the_naive_model(void **state)
{
	static const struct differential test = { "mm sparse", 2000, run_sparse };

	(void)state;
	assert_int_equal(differential_run(&test, 1, MM_OPERATIONS / 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_trees_agree_with_the_naive_model),
		cmocka_unit_test(test_sparse_trees_agree_with_the_naive_model),
	};

	return cmocka_run_group_tests_name("mm differential", tests, NULL, NULL);
}
