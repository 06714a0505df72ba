// SPDX-License-Identifier: BSD-2-Clause
#include "tests/target/selftest.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/log.h"
#include "arch/serial.h"

#define LINE 256

extern const struct selftest_group test_run, test_host, test_ept, test_isolation, test_insn, test_mmio,
	test_unclaimed, test_inject, test_events, test_timer, test_cpu, test_msr, test_modes, test_dma,
	test_vtd, test_faults, test_bad_input, test_nic, test_network;

static const struct selftest_group *const groups[] = {
	&test_run,    &test_host,      &test_ept,    &test_isolation, &test_insn,
	&test_mmio,   &test_unclaimed, &test_inject, &test_events,    &test_timer,
	&test_cpu,    &test_msr,       &test_modes,  &test_dma,	      &test_vtd,
	&test_faults, &test_bad_input, &test_nic,    &test_network,
};

static void say(const char *format, va_list arguments, const char *before)
{
	char line[LINE];
	int used = snprintf(line, sizeof(line), "%s", before);

	vsnprintf(line + used, sizeof(line) - used, format, arguments);
	log_write(line, strlen(line));
	log_write("\n", 1);
	/* Should the next test hang, this is how far it came. */
	serial_flush();
}

void selftest_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments, "# ");
	va_end(arguments);
}

static __printf(1, 2) void tap(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments, "");
	va_end(arguments);
}

bool selftest_failed(const char *condition, const char *file, unsigned line)
{
	selftest_note("%s:%u: does not hold: %s", file, line, condition);
	return false;
}

bool selftest_equal(u64 found, u64 expected, const char *what, const char *file, unsigned line)
{
	if (found != expected)
		selftest_note("%s:%u: %s is 0x%llx, expected 0x%llx", file, line, what,
			      (unsigned long long)found, (unsigned long long)expected);
	return found == expected;
}

unsigned selftest_run(const struct boot *boot)
{
	unsigned number = 0, failed = 0;

	for (unsigned g = 0; g < ARRAY_SIZE(groups); g++) {
		if (!config_list_has(boot->config->selftest, groups[g]->name))
			continue;
		for (unsigned t = 0; t < groups[g]->count; t++) {
			bool passed = groups[g]->tests[t].run(boot);

			failed += !passed;
			tap("%s %u - %s: %s", passed ? "ok" : "not ok", ++number, groups[g]->name,
			    groups[g]->tests[t].name);
		}
	}
	tap("1..%u", number);
	tap("%u passed, %u failed", number - failed, failed);
	return failed;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

u64 selftest_median(u64 *samples, unsigned count)
{
	qsort(samples, count, sizeof(*samples), compare);
	return samples[count / 2];
}

unsigned selftest_bench(const struct boot *boot)
{
	const char *list = boot->config->bench;
	unsigned failed = config_list_has(list, "exits") && !bench_exit_costs(boot);

	return failed + (config_list_has(list, "blk") && !bench_blk_costs(boot));
}
