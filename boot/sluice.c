// SPDX-License-Identifier: BSD-2-Clause
/*
 * From here on the hypervisor is alone with the machine: VMX on, the board built, the guest loaded and run to its end.
 */
#include <stdlib.h>

#include "arch/cpu.h"
#include "arch/host_power.h"
#include "arch/log.h"
#include "arch/panic.h"
#include "boot/board_pc.h"
#include "boot/boot.h"
#include "boot/monitor.h"
#include "tests/target/selftest.h"

#define ERROR_TEXT 320

/* For a report of a panic: where the guest was. One machine, one guest: the hook has no argument to tell. */
static struct monitor *panic_monitor;

static void panic_line(void *to, const char *line)
{
	(void)to;
	panic_write(line);
	panic_write("\n");
}

static void report_history(void)
{
	panic_write("last exits of the guest:\n");
	vcpu_print_history(panic_monitor->pc->vm.vcpu, panic_line, NULL);
}

static _Noreturn void finish(enum config_action action, unsigned status)
{
	if (action == CONFIG_RESET)
		host_reset();
	host_poweroff(status);
}

static _Noreturn void ended(struct monitor *monitor, enum vm_stop why)
{
	const struct config *config = monitor->boot->config;
	enum config_action action = CONFIG_POWEROFF;
	unsigned status = 0;

	switch (why) {
	case VM_POWERED_OFF:
		log_info("guest powered off after %llu exits",
			 (unsigned long long)vcpu_exits_total(monitor->pc->vm.vcpu));
		action = config->on_guest_poweroff;
		break;
	case VM_RESET:
		log_info("guest reset");
		action = config->on_guest_reset;
		break;
	case VM_QUIT:
		finish(monitor->reset ? CONFIG_RESET : CONFIG_POWEROFF, 0);
	default:
		monitor_post_mortem(monitor);
		action = config->on_guest_fault;
		status = 1;
		break;
	}
	if (action == CONFIG_STOP)
		finish(monitor_stay(monitor) ? CONFIG_POWEROFF : CONFIG_RESET, status);
	finish(action, status);
}

static _Noreturn void run_guest(const struct boot *boot)
{
	struct pc *pc = calloc(1, sizeof(*pc));
	struct monitor *monitor = calloc(1, sizeof(*monitor));

	if (!pc || !monitor) {
		log_error("no heap left for the board (%zu bytes)", sizeof(*pc));
		host_poweroff(1);
	}
	monitor_init(monitor, pc, boot);
	const struct pc_console console = monitor_console(monitor);
	if (!pc_create(pc, boot, &console) || !pc_load(pc, boot))
		host_poweroff(1);
	panic_monitor = monitor;
	panic_hook = report_history;
	u64 now = rdtsc();
	log_info("guest entry: tsc %llu, %llu instructions after efi_main without files and clearing; own "
		 "memory %llu KiB",
		 (unsigned long long)now, (unsigned long long)(now - boot->tsc_at_entry - boot->tsc_excluded),
		 (unsigned long long)(boot->own_bytes / KiB));
	ended(monitor, vcpu_run(pc->vm.vcpu));
}

_Noreturn void sluice_main(struct boot *boot)
{
	char error[ERROR_TEXT];

	if (!vcpu_hardware_start(boot->pages, error, sizeof(error))) {
		log_error("%s", error);
		host_poweroff(1);
	}
	if (boot->config->selftest[0] || boot->config->bench[0]) {
		unsigned failed = boot->config->selftest[0] ? selftest_run(boot) : 0;

		if (boot->config->bench[0])
			failed += selftest_bench(boot);
		host_poweroff(failed != 0);
	}
	run_guest(boot);
}
