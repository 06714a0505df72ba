// SPDX-License-Identifier: BSD-2-Clause
/*
 * What an exit costs, in TSC ticks: measured by a tiny guest, the median of 1000, the loop's own cost taken off. Each result
 * is a line `bench NAME VALUE UNIT`.
 */
#include <stdio.h>
#include <string.h>

#include "arch/log.h"
#include "tests/target/selftest.h"
#include "tests/target/small_vm.h"

#define SAMPLES 1000

SMALL_GUEST(exit_costs);

/* In the order of the guest. The second half of a name tells apart what the configuration changes. */
static const char *const tests[] = {
	NULL,
	"exit.cpuid",
	"exit.vmcall",
	"exit.rdmsr",
	"exit.pio",
	"exit.lapic_tpr",
	"exit.ioapic_read",
	"exit.mmio_read",
	"exit.mmio_write",
	"exit.doorbell",
	"exit.tsc_deadline",
};

static bool measure(const struct boot *boot, const struct small_options *options, const char *suffix)
{
	struct small_vm *small = small_vm_create(boot, options);

	if (!small)
		return false;
	small_vm_load(small, guest_exit_costs, guest_exit_costs_end, SMALL_DATA);
	enum vm_stop why = small_vm_run(small);
	if (why != VM_POWERED_OFF)
		selftest_note("the guest stopped: %d, %s", why, small->vm.fault);
	u64 *samples = (u64 *)(small->host + SMALL_DATA);
	u64 empty = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(tests) && why == VM_POWERED_OFF; i++, samples += SAMPLES) {
		char line[96];

		if (!tests[i]) {
			empty = selftest_median(samples, SAMPLES);
			continue;
		}
		snprintf(line, sizeof(line), "bench %s%s %llu instructions\n", tests[i], suffix,
			 (unsigned long long)(selftest_median(samples, SAMPLES) - empty));
		log_write(line, strlen(line));
	}
	small_vm_destroy(small);
	return why == VM_POWERED_OFF;
}

bool bench_exit_costs(const struct boot *boot)
{
	bool fine = measure(boot, &(struct small_options){ 0 }, "");

	return measure(boot, &(struct small_options){ .no_apicv = true }, ".trapped") && fine;
}
