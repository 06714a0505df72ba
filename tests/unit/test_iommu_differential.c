// SPDX-License-Identifier: BSD-2-Clause
/*
 * Random chains of IOMMU regions, with pages of many sizes, permissions and invalidations, on the memory core
 * and on the naive model, side by side. SEED=n repeats a trial, OPERATIONS=n does more of them (0: without
 * end).
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

static bool run(u64 seed, const struct operation *operations, unsigned count, bool trace, char *why,
		size_t size)
{
	return script_run(SCRIPT_IOMMU, seed, operations, count, trace, why, size);
}

static void test_chains_agree_with_the_naive_model(void **state)
{
	static const struct differential test = { "iommu", 2000, run };

	(void)state;
	assert_int_equal(differential_run(&test, 1, MM_OPERATIONS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chains_agree_with_the_naive_model),
	};

	return cmocka_run_group_tests_name("iommu differential", tests, NULL, NULL);
}
