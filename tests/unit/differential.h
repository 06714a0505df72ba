/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Randomised tests that hold two implementations against each other: seeds, failures that do not take the
 * test down with them, and shrinking. A trial is a list of operations made from a seed; a trial's run must
 * make sense of any list, since shrinking leaves operations out.
 *
 * Trials run in a child process, so that a crash or a sanitizer's report is a failure like any other.
 *
 * Environment: SEED=n runs that trial alone; OPERATIONS=n in all (0: without end).
 */
#ifndef TESTS_UNIT_DIFFERENTIAL_H
#define TESTS_UNIT_DIFFERENTIAL_H

#include "mm/types.h"

struct operation {
	u64 word[6]; /* random; bits 15..0 of the first one: its place in the list before shrinking */
};

struct differential {
	const char *name;
	unsigned length; /* operations in a trial */
	/* What went wrong into `why`, and false; or true. `trace`: print each operation. */
	bool (*run)(u64 seed, const struct operation *operations, unsigned count, bool trace, char *why,
		    size_t why_size);
};

/* splitmix64 */
u64 differential_random(u64 *state);

/* The operations of a seed. */
void differential_make(u64 seed, struct operation *operations, unsigned count);

/*
 * Trials with rising seeds until `operations` were done (or as the environment says). Prints the seeds; a
 * failure is shrunk and printed. Returns how many trials failed: 0 or 1.
 */
int differential_run(const struct differential *test, u64 first_seed, u64 operations);

#endif
