// SPDX-License-Identifier: BSD-2-Clause
#include "boot/monitor.h"

#include <string.h>

#include "arch/cpu.h"
#include "arch/host_irq.h"
#include "arch/log.h"
#include "arch/serial.h"
#include "boot/monitor_command.h"

#define PROMPT		  "\r\nsluice> "
#define POST_MORTEM_LINES 12

static void say_ring(const struct text_ring *ring, unsigned lines)
{
	for (u64 i = text_ring_last_lines(ring, lines); i < ring->end; i++) {
		char c = text_ring_at(ring, i);

		if (c != '\r')
			log_write(&c, 1);
	}
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
		monitor_say("\n");
		monitor->command[monitor->used] = '\0';
		bool empty = monitor->used == 0;
		monitor->used = 0;
		if (!empty)
			monitor_command(monitor);
		if (monitor->leave || !monitor->open)
			return;
		if (empty && !monitor->stopped)
			close_prompt(monitor);
		else
			monitor_say(PROMPT + 2);
	} else if (key == '\b' || key == 0x7f) {
		if (monitor->used) {
			monitor->used--;
			monitor_say("\b \b");
		}
	} else if (key >= ' ' && key < 0x7f && monitor->used < MONITOR_COMMAND - 1) {
		monitor->command[monitor->used++] = (char)key;
		log_write((const char *)&key, 1);
	}
}

static void guest_key(struct monitor *monitor, u8 key)
{
	struct monitor_line *line = monitor->shown;

	if (line->input_end - line->input_first == MONITOR_INPUT)
		line->input_lost++;
	else
		line->input[line->input_end++ % MONITOR_INPUT] = key;
}

static void feed_guest(struct monitor_line *line)
{
	while (line->input_first != line->input_end &&
	       line->receive(line->monitor->pc, line->input[line->input_first % MONITOR_INPUT]))
		line->input_first++;
}

bool monitor_type(struct monitor *monitor, const char *bytes, size_t length)
{
	struct monitor_line *line = &monitor->lines[MONITOR_COM1];

	if (monitor->stopped || MONITOR_INPUT - (line->input_end - line->input_first) < length)
		return false;
	for (size_t i = 0; i < length; i++)
		line->input[line->input_end++ % MONITOR_INPUT] = (u8)bytes[i];
	feed_guest(line);
	return true;
}

void monitor_show(struct monitor *monitor, struct monitor_line *line)
{
	struct text_ring *missed = &monitor->shown->missed;

	/* What the prompt has kept back is still the other line's. */
	while (monitor->output_first != monitor->output_end)
		text_ring_put(missed, (char)monitor->output[monitor->output_first++ % MONITOR_OUTPUT]);
	monitor->shown = line;
	for (u64 i = MAX(line->missed_shown, text_ring_begin(&line->missed)); i < line->missed.end; i++) {
		char byte = text_ring_at(&line->missed, i);

		log_write(&byte, 1);
	}
	line->missed_shown = line->missed.end;
	if (!monitor->stopped)
		close_prompt(monitor);
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
			monitor_say(PROMPT);
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
	feed_guest(monitor->shown);
	if (!monitor->open)
		release_output(monitor);
	if (monitor->holding || serial_room() > 0) {
		uart16550_tx_ready(&monitor->pc->uart);
		if (pc_has(&monitor->pc->hvc.dev.pci))
			virtio_console_tx_ready(&monitor->pc->hvc);
	}
}

/* ---- the guest's end of the line ---- */

static bool hold_output(struct monitor *monitor, u8 byte)
{
	if (monitor->output_end - monitor->output_first == MONITOR_OUTPUT)
		return false;
	monitor->output[monitor->output_end++ % MONITOR_OUTPUT] = byte;
	return true;
}

/* A guest that polls its UART with interrupts off gets there too where the machine's own cannot interrupt it: in Bochs 2.7. */
static bool put_or_poll(u8 byte)
{
	if (serial_put(byte))
		return true;
	serial_poll();
	return serial_put(byte);
}

static bool guest_put(void *owner, u8 byte)
{
	struct monitor_line *line = owner;
	struct monitor *monitor = line->monitor;

	if (line != monitor->shown)
		text_ring_put(&line->missed, (char)byte);
	else if (!(monitor->holding ? hold_output(monitor, byte) : put_or_poll(byte)))
		return false;
	if (line == &monitor->lines[MONITOR_COM1])
		log_guest_byte(byte);
	return true;
}

static unsigned guest_put_bytes(void *owner, const u8 *bytes, unsigned length)
{
	unsigned done = 0;

	while (done < length && guest_put(owner, bytes[done]))
		done++;
	return done;
}

static bool com1_receive(struct pc *pc, u8 byte)
{
	return uart16550_receive(&pc->uart, byte);
}

/* Without the device, keys that wait in vain are better forgotten. */
static bool hvc0_receive(struct pc *pc, u8 byte)
{
	return !pc_has(&pc->hvc.dev.pci) || virtio_console_receive(&pc->hvc, &byte, 1);
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
	vcpu_print_exits(vcpu, monitor_say_line, NULL);
	return true;
}

struct pc_console monitor_console(struct monitor *monitor)
{
	return (struct pc_console){
		.com1 = { .put = guest_put,
			  .rx_room = guest_has_room,
			  .backend = &monitor->lines[MONITOR_COM1] },
		.hvc = { .put = guest_put_bytes,
			 .rx_room = guest_has_room,
			 .backend = &monitor->lines[MONITOR_HVC0] },
		.host_interrupt = host_interrupt,
		.hypercall = hypercall,
		.owner = monitor,
	};
}

void monitor_init(struct monitor *monitor, struct pc *pc, const struct boot *boot, struct uplink *uplink)
{
	memset(monitor, 0, sizeof(*monitor));
	monitor->pc = pc;
	monitor->boot = boot;
	monitor->uplink = uplink;
	monitor->lines[MONITOR_COM1] =
		(struct monitor_line){ .monitor = monitor, .name = "com1", .receive = com1_receive };
	monitor->lines[MONITOR_HVC0] =
		(struct monitor_line){ .monitor = monitor, .name = "hvc0", .receive = hvc0_receive };
	monitor->shown = &monitor->lines[MONITOR_COM1];
}

void monitor_post_mortem(struct monitor *monitor)
{
	struct vcpu *vcpu = monitor->pc->vm.vcpu;

	log_error("guest stopped: %s", monitor->pc->vm.fault);
	vcpu_print_registers(vcpu, monitor_say_line, NULL);
	monitor_say("last exits:\n");
	vcpu_print_history(vcpu, monitor_say_line, NULL);
	monitor_say("last console lines:\n");
	say_ring(log_guest_history(), POST_MORTEM_LINES);
	monitor_say("\n");
}

enum config_action monitor_stay(struct monitor *monitor)
{
	monitor->stopped = true;
	open_prompt(monitor);
	monitor_say("the guest is gone; 'help' lists what can be looked at, 'quit' ends\n");
	monitor_say(PROMPT + 2);
	for (;;) {
		bool busy = uplink_poll(monitor->uplink);

		serial_poll();
		monitor_service(monitor);
		if (monitor->leave)
			return monitor->next;
		if (busy || serial_irq() == SERIAL_NO_IRQ)
			cpu_pause();
		else
			sti_hlt_cli();
	}
}
