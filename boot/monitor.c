// SPDX-License-Identifier: BSD-2-Clause
#include "boot/monitor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/host_irq.h"
#include "arch/log.h"
#include "arch/serial.h"
#include "mm/mtree.h"

#define PROMPT		  "\r\nsluice> "
#define POST_MORTEM_LINES 12

static void say(const char *text)
{
	log_write(text, strlen(text));
}

static void say_line(void *to, const char *line)
{
	(void)to;
	say(line);
	say("\n");
}

static __printf(1, 2) void sayf(const char *format, ...)
{
	char line[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	say_line(NULL, line);
}

static void say_ring(const struct text_ring *ring, unsigned lines)
{
	for (u64 i = text_ring_last_lines(ring, lines); i < ring->end; i++) {
		char c = text_ring_at(ring, i);

		if (c != '\r')
			log_write(&c, 1);
	}
}

/* ---- commands ---- */

static void command_mtree(struct monitor *monitor, const char *argument)
{
	const struct address_space *spaces[] = { &monitor->pc->memory, &monitor->pc->ports,
						 &monitor->pc->dma_ram };

	for (unsigned i = 0; i < ARRAY_SIZE(spaces); i++) {
		if (strcmp(argument, "-f") == 0)
			mtree_print_flat(spaces[i], say_line, NULL);
		else
			mtree_print(spaces[i], say_line, NULL);
	}
}

static void command_iommu(struct monitor *monitor, const char *argument)
{
	(void)argument;
	dma_table_print(pc_dma_windows, pc_dma_window_count, say_line, NULL);
	fault_log_print(&monitor->pc->faults, say_line, NULL);
}

static void command_exits(struct monitor *monitor, const char *argument)
{
	(void)argument;
	vcpu_print_exits(monitor->pc->vm.vcpu, say_line, NULL);
}

static void command_regs(struct monitor *monitor, const char *argument)
{
	(void)argument;
	vcpu_print_registers(monitor->pc->vm.vcpu, say_line, NULL);
}

static void command_history(struct monitor *monitor, const char *argument)
{
	(void)argument;
	vcpu_print_history(monitor->pc->vm.vcpu, say_line, NULL);
}

static void command_ept(struct monitor *monitor, const char *argument)
{
	const struct ept *ept = &monitor->pc->vm.ept;

	(void)argument;
	sayf("  %u tables; pages of 1 GiB %llu, 2 MiB %llu, 4 KiB %llu", ept->tables,
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
	{ "iommu", "DMA windows and faults", command_iommu },
	{ "ept", "how guest memory is mapped", command_ept },
	{ "exits", "VM exits by reason: how many, how long", command_exits },
	{ "history", "the last exits", command_history },
	{ "regs", "the guest's registers", command_regs },
	{ "log", "what the hypervisor has said", command_log },
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
		sayf("  %-8s %s", commands[i].name, commands[i].help);
}

static void run_command(struct monitor *monitor)
{
	char *argument = strchr(monitor->line, ' ');

	if (argument)
		*argument++ = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(monitor->line, commands[i].name) == 0) {
			commands[i].run(monitor, argument ? argument : "");
			return;
		}
	}
	sayf("'%s': no such command; 'help' lists them", monitor->line);
}

/* ---- keys ---- */

static void release_output(struct monitor *monitor)
{
	while (monitor->output_first != monitor->output_end &&
	       serial_put(monitor->output[monitor->output_first % MONITOR_OUTPUT]))
		monitor->output_first++;
	monitor->holding = monitor->output_first != monitor->output_end;
}

static void open_prompt(struct monitor *monitor)
{
	monitor->open = monitor->holding = true;
	monitor->used = 0;
}

/* monitor_service(), which called, goes on with the guest's output. */
static void close_prompt(struct monitor *monitor)
{
	monitor->open = false;
}

#define ESC 0x1b

/*
 * Cursor keys, and what a terminal answers to a guest that has asked it something: ESC, mostly '[', numbers, a letter
 * (ECMA-48, 5.4). Nothing of it is meant for the prompt.
 */
static bool in_sequence(struct monitor *monitor, u8 key)
{
	switch (monitor->sequence) {
	case SEQUENCE_NONE:
		monitor->sequence = key == ESC ? SEQUENCE_BEGUN : SEQUENCE_NONE;
		return key == ESC;
	case SEQUENCE_BEGUN:
		monitor->sequence = key == '[' || key == 'O' ? SEQUENCE_INSIDE : SEQUENCE_NONE;
		return key >= ' ';
	default:
		if (key >= '@' || key < ' ')
			monitor->sequence = SEQUENCE_NONE;
		return key >= ' ';
	}
}

static void prompt_key(struct monitor *monitor, u8 key)
{
	if (in_sequence(monitor, key))
		return;
	if (key == '\r' || key == '\n') {
		say("\n");
		monitor->line[monitor->used] = '\0';
		bool empty = monitor->used == 0;
		monitor->used = 0;
		if (!empty)
			run_command(monitor);
		if (monitor->leave)
			return;
		if (empty && !monitor->stopped)
			close_prompt(monitor);
		else
			say(PROMPT + 2);
	} else if (key == '\b' || key == 0x7f) {
		if (monitor->used) {
			monitor->used--;
			say("\b \b");
		}
	} else if (key >= ' ' && key < 0x7f && monitor->used < MONITOR_LINE - 1) {
		monitor->line[monitor->used++] = (char)key;
		log_write((const char *)&key, 1);
	}
}

static void guest_key(struct monitor *monitor, u8 key)
{
	if (monitor->input_end - monitor->input_first == MONITOR_INPUT)
		monitor->input_lost++;
	else
		monitor->input[monitor->input_end++ % MONITOR_INPUT] = key;
}

static void feed_guest(struct monitor *monitor)
{
	while (monitor->input_first != monitor->input_end &&
	       uart16550_receive(&monitor->pc->uart, monitor->input[monitor->input_first % MONITOR_INPUT]))
		monitor->input_first++;
}

static void key_pressed(struct monitor *monitor, u8 key)
{
	u8 escape = monitor->boot->config->escape;

	if (key == escape && escape) {
		/* Twice: the key itself is meant for the guest. */
		if (monitor->open && !monitor->stopped) {
			guest_key(monitor, key);
			close_prompt(monitor);
		} else if (!monitor->open) {
			open_prompt(monitor);
			say(PROMPT);
		}
	} else if (monitor->open) {
		prompt_key(monitor, key);
	} else {
		guest_key(monitor, key);
	}
}

void monitor_service(struct monitor *monitor)
{
	int key;

	while ((key = serial_get()) >= 0)
		key_pressed(monitor, (u8)key);
	if (monitor->stopped)
		return;
	feed_guest(monitor);
	if (!monitor->open)
		release_output(monitor);
	if (monitor->holding || serial_room() > 0)
		uart16550_tx_ready(&monitor->pc->uart);
}

/* ---- the guest's end of the line ---- */

static bool hold_output(struct monitor *monitor, u8 byte)
{
	if (monitor->output_end - monitor->output_first == MONITOR_OUTPUT)
		return false;
	monitor->output[monitor->output_end++ % MONITOR_OUTPUT] = byte;
	return true;
}

static bool guest_put(void *owner, u8 byte)
{
	struct monitor *monitor = owner;

	if (!(monitor->holding ? hold_output(monitor, byte) : serial_put(byte)))
		return false;
	log_guest_byte(byte);
	return true;
}

static void guest_has_room(void *owner)
{
	feed_guest(owner);
}

static void host_interrupt(void *owner, u8 vector)
{
	host_irq_handle(vector);
	monitor_service(owner);
}

/* "mark": what the guest says about itself to whoever reads the log; used by tests and benchmarks. */
#define HYPERCALL_MARK 0x6b72616d

static bool hypercall(void *owner, struct vcpu *vcpu)
{
	struct monitor *monitor = owner;
	const u64 *gpr = vcpu_gpr(vcpu);

	if ((u32)gpr[0] != HYPERCALL_MARK)
		return false;
	if (!log_rate_ok(&monitor->marks))
		return true;
	log_info("mark %llu: tsc %llu, %llu exits", (unsigned long long)gpr[3], (unsigned long long)rdtsc(),
		 (unsigned long long)vcpu_exits_total(vcpu));
	vcpu_print_exits(vcpu, say_line, NULL);
	return true;
}

struct pc_console monitor_console(struct monitor *monitor)
{
	return (struct pc_console){
		.backend = { .put = guest_put, .rx_room = guest_has_room, .backend = monitor },
		.host_interrupt = host_interrupt,
		.hypercall = hypercall,
		.owner = monitor,
	};
}

void monitor_init(struct monitor *monitor, struct pc *pc, const struct boot *boot)
{
	*monitor = (struct monitor){ .pc = pc, .boot = boot };
}

void monitor_post_mortem(struct monitor *monitor)
{
	struct vcpu *vcpu = monitor->pc->vm.vcpu;

	log_error("guest stopped: %s", monitor->pc->vm.fault);
	vcpu_print_registers(vcpu, say_line, NULL);
	say("last exits:\n");
	vcpu_print_history(vcpu, say_line, NULL);
	say("last console lines:\n");
	say_ring(log_guest_history(), POST_MORTEM_LINES);
	say("\n");
}

enum config_action monitor_stay(struct monitor *monitor)
{
	monitor->stopped = true;
	open_prompt(monitor);
	say("the guest is gone; 'help' lists what can be looked at, 'quit' ends\n");
	say(PROMPT + 2);
	for (;;) {
		serial_poll();
		monitor_service(monitor);
		if (monitor->leave)
			return monitor->next;
		if (serial_irq() == SERIAL_NO_IRQ)
			cpu_pause();
		else
			sti_hlt_cli();
	}
}
