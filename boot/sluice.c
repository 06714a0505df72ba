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

/* Says why the guest came to its end. Returns what the configuration wants to follow. */
static enum config_action told_end(struct monitor *monitor, enum vm_stop why)
{
	const struct config *config = monitor->boot->config;

	switch (why) {
	case VM_POWERED_OFF:
		log_info("guest powered off after %llu exits",
			 (unsigned long long)vcpu_exits_total(monitor->pc->vm.vcpu));
		return config->on_guest_poweroff;
	case VM_RESET:
		log_info("guest reset");
		return config->on_guest_reset;
	case VM_QUIT:
		return monitor->next;
	default:
		monitor_post_mortem(monitor);
		return config->on_guest_fault;
	}
}

static bool start_guest(struct monitor *monitor)
{
	const struct boot *boot = monitor->boot;
	const struct pc_console console = monitor_console(monitor);
	u8 mac[ETHERNET_MAC];

	uplink_guest_mac(monitor->uplink, mac);
	if (!pc_create(monitor->pc, boot, &console, mac) || !pc_load(monitor->pc, boot))
		return false;
	uplink_connect(monitor->uplink, monitor);
	return true;
}

/* What it took from efi_main to here. */
static void tell_cost(const struct boot *boot)
{
	u64 now = rdtsc();
	log_info("guest entry: tsc %llu, %llu instructions after efi_main without files and clearing; own "
		 "memory %llu KiB",
		 (unsigned long long)now, (unsigned long long)(now - boot->tsc_at_entry - boot->tsc_excluded),
		 (unsigned long long)(boot->own_bytes / KiB));
}

/* Nothing of the guest is left: it starts from the files, as it did before. */
static void forget_guest(struct monitor *monitor)
{
	const struct boot *boot = monitor->boot;

	uplink_disconnect(monitor->uplink);
	pc_destroy(monitor->pc);
	*monitor->pc = (struct pc){ 0 };
	for (unsigned i = 0; i < boot->ram_count; i++)
		clear_qwords((void *)boot->ram[i].address, boot->ram[i].size);
	monitor_init(monitor, monitor->pc, boot, monitor->uplink);
}

static struct monitor *new_monitor(const struct boot *boot)
{
	struct pc *pc = calloc(1, sizeof(*pc));
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	struct uplink *uplink = calloc(1, sizeof(*uplink));

	if (pc && monitor && uplink) {
		uplink_start(uplink, boot);
		monitor_init(monitor, pc, boot, uplink);
		return monitor;
	}
	log_error("no heap left for the board (%zu bytes)", sizeof(*pc) + sizeof(*monitor) + sizeof(*uplink));
	host_poweroff(1);
}

static _Noreturn void run_guest(const struct boot *boot)
{
	struct monitor *monitor = new_monitor(boot);

	for (bool again = false;; again = true) {
		if (!start_guest(monitor))
			host_poweroff(1);
		if (!again)
			tell_cost(boot);
		panic_monitor = monitor;
		panic_hook = report_history;
		enum vm_stop why = vcpu_run(monitor->pc->vm.vcpu);
		unsigned status = why == VM_FAULT || why == VM_TRIPLE_FAULT;
		enum config_action action = told_end(monitor, why);
		if (action == CONFIG_STOP)
			action = monitor_stay(monitor);
		if (action != CONFIG_RESTART)
			finish(action, status);
		panic_hook = NULL;
		forget_guest(monitor);
	}
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
