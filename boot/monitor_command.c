// SPDX-License-Identifier: BSD-2-Clause
#include "boot/monitor_command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/log.h"
#include "arch/serial.h"
#include "mm/mtree.h"

#define MAPPING_LINES 32

void monitor_say(const char *text)
{
	log_write(text, strlen(text));
}

void monitor_say_line(void *to, const char *line)
{
	(void)to;
	monitor_say(line);
	monitor_say("\n");
}

void monitor_sayf(const char *format, ...)
{
	char line[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	monitor_say_line(NULL, line);
}

static void command_mtree(struct monitor *monitor, const char *argument)
{
	const struct address_space *spaces[] = { &monitor->pc->memory, &monitor->pc->ports,
						 &monitor->pc->dma_ram };

	for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++) {
		if (strcmp(argument, "-f") == 0)
			mtree_print_flat(spaces[i], monitor_say_line, NULL);
		else
			mtree_print(spaces[i], monitor_say_line, NULL);
	}
}

static void command_iommu(struct monitor *monitor, const char *argument)
{
	(void)argument;
	for (unsigned slot = 0; slot < PC_SLOTS; slot++)
		if (monitor->pc->dma[slot].behind.view)
			dma_table_print(&pc_dma_windows[slot], 1, monitor_say_line, NULL);
	if (monitor->pc->has_vtd)
		vtd_print(&monitor->pc->vtd, MAPPING_LINES, monitor_say_line, NULL);
	fault_log_print(&monitor->pc->faults, monitor_say_line, NULL);
}

static void command_devices(struct monitor *monitor, const char *argument)
{
	struct virtio_device *devices[PC_SLOTS];
	unsigned count = pc_virtio(monitor->pc, devices);

	(void)argument;
	for (unsigned i = 0; i < count; i++)
		virtio_print(devices[i], monitor_say_line, NULL);
}

static void command_net(struct monitor *monitor, const char *argument)
{
	(void)argument;
	uplink_print(monitor->uplink, monitor_say_line, NULL);
}

static void command_exits(struct monitor *monitor, const char *argument)
{
	(void)argument;
	vcpu_print_exits(monitor->pc->vm.vcpu, monitor_say_line, NULL);
}

static void command_regs(struct monitor *monitor, const char *argument)
{
	(void)argument;
	vcpu_print_registers(monitor->pc->vm.vcpu, monitor_say_line, NULL);
}

static void command_history(struct monitor *monitor, const char *argument)
{
	(void)argument;
	vcpu_print_history(monitor->pc->vm.vcpu, monitor_say_line, NULL);
}

static void command_ept(struct monitor *monitor, const char *argument)
{
	const struct ept *ept = &monitor->pc->vm.ept;

	(void)argument;
	monitor_sayf("  %u tables; pages of 1 GiB %llu, 2 MiB %llu, 4 KiB %llu", ept->tables,
		     (unsigned long long)ept->leaves[3], (unsigned long long)ept->leaves[2],
		     (unsigned long long)ept->leaves[1]);
}

static void command_log(struct monitor *monitor, const char *argument)
{
	(void)monitor;
	(void)argument;
	const struct text_ring *ring = log_history();

	for (u64 i = text_ring_begin(ring); i < ring->end; i++) {
		char c = text_ring_at(ring, i);

		log_write(&c, 1);
	}
}

static void command_console(struct monitor *monitor, const char *argument)
{
	for (unsigned i = 0; i < MONITOR_LINES; i++) {
		struct monitor_line *line = &monitor->lines[i];

		if (*argument && strcmp(argument, line->name) == 0) {
			monitor_show(monitor, line);
			return;
		}
	}
	if (*argument)
		monitor_sayf("'%s': no such line", argument);
	for (unsigned i = 0; i < MONITOR_LINES; i++)
		monitor_sayf("  %s%s; %llu keys lost", monitor->lines[i].name,
			     &monitor->lines[i] == monitor->shown ? " (shown)" : "",
			     (unsigned long long)monitor->lines[i].input_lost);
	monitor_sayf("  the machine's own: lost keys %llu times", (unsigned long long)serial_lost());
}

static void command_nmi(struct monitor *monitor, const char *argument)
{
	(void)argument;
	vcpu_inject_nmi(monitor->pc->vm.vcpu);
}

static void leave(struct monitor *monitor, enum config_action next)
{
	monitor->leave = true;
	monitor->next = next;
	vm_stop(&monitor->pc->vm, VM_QUIT);
}

static void command_restart(struct monitor *monitor, const char *argument)
{
	(void)argument;
	leave(monitor, CONFIG_RESTART);
}

static void command_reset(struct monitor *monitor, const char *argument)
{
	(void)argument;
	leave(monitor, CONFIG_RESET);
}

static void command_quit(struct monitor *monitor, const char *argument)
{
	(void)argument;
	leave(monitor, CONFIG_POWEROFF);
}

static void command_help(struct monitor *monitor, const char *argument);

static const struct {
	const char *name, *help;
	void (*run)(struct monitor *monitor, const char *argument);
} commands[] = {
	{ "mtree", "the region trees; -f: as flattened", command_mtree },
	{ "iommu", "DMA windows, the VT-d unit, faults", command_iommu },
	{ "devices", "virtio devices and their queues", command_devices },
	{ "net", "the network: addresses, ports, counters", command_net },
	{ "ept", "how guest memory is mapped", command_ept },
	{ "exits", "VM exits by reason: how many, how long", command_exits },
	{ "history", "the last exits", command_history },
	{ "regs", "the guest's registers", command_regs },
	{ "log", "what the hypervisor has said", command_log },
	{ "console", "the guest's lines; NAME: turn the terminal to that one", command_console },
	{ "nmi", "a non-maskable interrupt for the guest", command_nmi },
	{ "restart", "start the guest from its beginning", command_restart },
	{ "reset", "reset the machine", command_reset },
	{ "quit", "end the guest and switch the machine off", command_quit },
	{ "help", "this list; an empty line goes back to the guest", command_help },
};

static void command_help(struct monitor *monitor, const char *argument)
{
	(void)monitor;
	(void)argument;
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		monitor_sayf("  %-8s %s", commands[i].name, commands[i].help);
}

void monitor_command(struct monitor *monitor)
{
	char *argument = strchr(monitor->command, ' ');

	if (argument)
		*argument++ = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(monitor->command, commands[i].name) == 0) {
			commands[i].run(monitor, argument ? argument : "");
			return;
		}
	}
	monitor_sayf("'%s': no such command; 'help' lists them", monitor->command);
}
