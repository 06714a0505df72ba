/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Self-tests that run on the machine itself, in the hypervisor's own image: `selftest =` and `bench =` in sluice.cfg. They
 * report as TAP on the serial console; the last line is `N passed, N failed`.
 */
#ifndef TESTS_TARGET_SELFTEST_H
#define TESTS_TARGET_SELFTEST_H

#include "boot/boot.h"

struct selftest {
	const char *name;
	/* True: passed. Says with selftest_note() what was found and what was expected if not. */
	bool (*run)(const struct boot *boot);
};

/* A group of tests: one file. */
struct selftest_group {
	const char *name; /* what sluice.cfg calls it */
	const struct selftest *tests;
	unsigned count;
};

#define SELFTEST_GROUP(name_, tests_)                                           \
	{                                                                       \
		.name = (name_), .tests = (tests_), .count = ARRAY_SIZE(tests_) \
	}

/* A TAP diagnostic line. */
void selftest_note(const char *format, ...) __printf(1, 2);

/* Notes expression, file and line if it does not hold; use: return EXPECT(..) && EXPECT(..). */
#define EXPECT(condition) ((condition) ? true : selftest_failed(#condition, __FILE__, __LINE__))
/* The same for two numbers that should be equal. */
#define EXPECT_EQUAL(found, expected) \
	selftest_equal((u64)(found), (u64)(expected), #found, __FILE__, __LINE__)
bool selftest_failed(const char *condition, const char *file, unsigned line);
bool selftest_equal(u64 found, u64 expected, const char *what, const char *file, unsigned line);

/* Runs what the configuration names; returns how many failed. */
unsigned selftest_run(const struct boot *boot);
unsigned selftest_bench(const struct boot *boot);

/* Sorts them. */
u64 selftest_median(u64 *samples, unsigned count);

/* exit_costs.c, blk_costs.c */
bool bench_exit_costs(const struct boot *boot);
bool bench_blk_costs(const struct boot *boot);

#endif
