/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor console: shares the serial line with the guest's. The escape key opens a prompt; while it is open the
 * guest runs on, its output waits in its own UART, and keys go to the prompt. Enter on an empty line closes it.
 * console.md is its manual.
 */
#ifndef BOOT_MONITOR_H
#define BOOT_MONITOR_H

#include "boot/board_pc.h"

#define MONITOR_LINE  80
#define MONITOR_INPUT 256 /* power of two */

struct monitor {
	struct pc *pc;
	const struct boot *boot;
	bool open, stopped; /* a prompt is shown; there is no guest any more */
	bool leave;	    /* `next` was commanded */
	enum config_action next;
	char line[MONITOR_LINE];
	unsigned used;
	u8 input[MONITOR_INPUT]; /* keys for the guest that its UART has no room for yet */
	u32 input_first, input_end;
	u64 input_lost;
	struct log_rate marks;
};

void monitor_init(struct monitor *monitor, struct pc *pc, const struct boot *boot);

/* The ends of the guest's serial line: hand them to pc_create(). */
struct pc_console monitor_console(struct monitor *monitor);

/* Moves bytes between the machine's line, the guest's UART and the prompt. At physical interrupts and timer exits. */
void monitor_service(struct monitor *monitor);

/* What is known about a guest that cannot go on. */
void monitor_post_mortem(struct monitor *monitor);

/* The guest has stopped: the prompt stays until a command says what follows. */
enum config_action monitor_stay(struct monitor *monitor);

#endif
