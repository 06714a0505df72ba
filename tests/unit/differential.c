// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/differential.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIAL_SECONDS 60 /* a trial that takes longer hangs */
#define CHUNK	      256

/* What a child tells its parent, also one that crashed. */
struct report {
	u64 seed;
	char why[400];
};

u64 differential_random(u64 *state)
{
	u64 z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

void differential_make(u64 seed, struct operation *operations, unsigned count)
{
	u64 state = seed * 0x2545f4914f6cdd1dull + 1;
	unsigned i, j;

	for (i = 0; i < count; i++) {
		for (j = 0; j < ARRAY_SIZE(operations[i].word); j++)
			operations[i].word[j] = differential_random(&state);
		operations[i].word[0] = operations[i].word[0] << 16 | i;
	}
}

#ifdef COVERAGE /* what a child reached counts as well */
void __gcov_dump(void);
#else
#define __gcov_dump() ((void)0)
#endif

static void child_exit(bool ok)
{
	fflush(NULL);
	__gcov_dump();
	_exit(ok ? 0 : 1);
}

static bool wait_for(pid_t child, char *why, size_t size)
{
	int status = 0;

	if (child < 0 || waitpid(child, &status, 0) != child) {
		snprintf(why, size, "no child process");
		return false;
	}
	if (WIFSIGNALED(status))
		snprintf(why, size, "%s", WTERMSIG(status) == SIGALRM ? "it hangs" : "it crashed");
	else if (WEXITSTATUS(status) > 1)
		snprintf(why, size, "it stopped with code %d", WEXITSTATUS(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Seeds from `first` on; on failure report->seed is the one. */
static bool run_chunk(const struct differential *test, u64 first, unsigned trials, struct report *report)
{
	struct operation *operations;
	pid_t child;
	unsigned i;

	fflush(NULL);
	child = fork();
	if (child != 0)
		return wait_for(child, report->why, sizeof(report->why));
	operations = malloc(test->length * sizeof(*operations));
	for (i = 0; operations && i < trials; i++) {
		report->seed = first + i;
		alarm(TRIAL_SECONDS);
		differential_make(first + i, operations, test->length);
		if (!test->run(first + i, operations, test->length, false, report->why, sizeof(report->why)))
			child_exit(false);
	}
	free(operations);
	child_exit(operations != NULL);
	return false;
}

static bool run_quietly(const struct differential *test, u64 seed, const struct operation *operations,
			unsigned count, struct report *report)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child != 0)
		return wait_for(child, report->why, sizeof(report->why));
	if (!freopen("/dev/null", "w", stderr) || !freopen("/dev/null", "w", stdout))
		child_exit(true);
	alarm(TRIAL_SECONDS);
	child_exit(test->run(seed, operations, count, false, report->why, sizeof(report->why)));
	return false;
}

/* Leaves out ever smaller stretches while what remains still fails. */
static unsigned shrink(const struct differential *test, u64 seed, struct operation *operations,
		       unsigned count, struct report *report)
{
	struct operation *fewer = malloc(count * sizeof(*fewer));
	unsigned stretch, at;
	bool smaller = true;

	while (fewer && smaller) {
		smaller = false;
		for (stretch = count / 2 ? count / 2 : 1; stretch; stretch /= 2) {
			for (at = 0; at + stretch <= count;) {
				memcpy(fewer, operations, at * sizeof(*fewer));
				memcpy(fewer + at, operations + at + stretch,
				       (count - at - stretch) * sizeof(*fewer));
				if (run_quietly(test, seed, fewer, count - stretch, report)) {
					at += stretch;
					continue;
				}
				count -= stretch;
				memcpy(operations, fewer, count * sizeof(*fewer));
				smaller = true;
			}
		}
	}
	free(fewer);
	return count;
}

static void explain(const struct differential *test, u64 seed, struct report *report)
{
	struct operation *operations = malloc(test->length * sizeof(*operations));
	unsigned count;
	pid_t child;

	if (!operations)
		return;
	differential_make(seed, operations, test->length);
	fprintf(stderr, "%s: SEED=%llu: %s; shrinking ..\n", test->name, (unsigned long long)seed,
		report->why);
	count = shrink(test, seed, operations, test->length, report);
	fprintf(stderr, "%s: SEED=%llu fails with these %u operations:\n", test->name,
		(unsigned long long)seed, count);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		alarm(TRIAL_SECONDS);
		if (!test->run(seed, operations, count, true, report->why, sizeof(report->why)))
			fprintf(stderr, "%s: %s\n", test->name, report->why);
		child_exit(true);
	}
	wait_for(child, report->why, sizeof(report->why));
	free(operations);
}

static u64 number(const char *variable, u64 otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

int differential_run(const struct differential *test, u64 first_seed, u64 operations)
{
	struct report *report =
		mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	u64 total = number("OPERATIONS", operations), trials = (total + test->length - 1) / test->length,
	    done = 0;
	u64 seed = number("SEED", first_seed);
	bool ok = true;

	if (report == MAP_FAILED)
		return 1;
	if (getenv("SEED"))
		trials = 1;
	while (ok && (done < trials || total == 0)) {
		unsigned chunk = total == 0 || trials - done > CHUNK ? CHUNK : (unsigned)(trials - done);

		ok = run_chunk(test, seed + done, chunk, report);
		done += chunk;
		if (total == 0)
			fprintf(stderr, "%s: seeds up to %llu agree\n", test->name,
				(unsigned long long)(seed + done - 1));
	}
	if (ok)
		printf("%s: seeds %llu to %llu, %llu operations agree\n", test->name,
		       (unsigned long long)seed, (unsigned long long)(seed + done - 1),
		       (unsigned long long)(done * test->length));
	else
		explain(test, report->seed, report);
	munmap(report, sizeof(*report));
	return ok ? 0 : 1;
}
