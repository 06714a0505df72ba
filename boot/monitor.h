/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor console: shares the serial line with the guest's. The escape key opens a prompt; while it is open the
 * guest runs on, its output is kept for later, and keys go to the prompt. Enter on an empty line closes it.
 * console.md is its manual.
 */
#ifndef BOOT_MONITOR_H
#define BOOT_MONITOR_H

#include "arch/text_ring.h"
#include "boot/board_pc.h"
#include "boot/uplink.h"

#define MONITOR_COMMAND 80
/* Powers of two. */
#define MONITOR_INPUT  4096
#define MONITOR_OUTPUT (32 * KiB)

/* The far end of a serial line of the guest's. One of them has the terminal at a time. */
struct monitor_line {
	struct monitor *monitor;
	const char *name;
	bool (*receive)(struct pc *pc, u8 byte); /* false: no room now */
	u8 input[MONITOR_INPUT];		 /* keys that it has no room for yet */
	u32 input_first, input_end;
	u64 input_lost;
	struct text_ring missed; /* what the guest wrote to it while another one had the terminal */
	u64 missed_shown;	 /* number of the first byte of it that nobody has seen */
};

enum { MONITOR_COM1, MONITOR_HVC0, MONITOR_LINES };

struct monitor {
	struct pc *pc;
	const struct boot *boot;
	struct uplink *uplink;
	struct monitor_line lines[MONITOR_LINES];
	struct monitor_line *shown; /* has the terminal */
	bool open, stopped;	    /* a prompt is shown; there is no guest any more */
	bool leave;		    /* `next` was commanded */
	enum config_action next;
	char command[MONITOR_COMMAND];
	unsigned used;
	enum { SEQUENCE_NONE, SEQUENCE_BEGUN, SEQUENCE_INSIDE } sequence;
	/*
	 * What the guest prints while a prompt is open, and until all of it is out afterwards. A kernel waits 10 ms for its UART
	 * to take a byte, then drops it; so only what is more than this waits there.
	 */
	bool holding;
	u8 output[MONITOR_OUTPUT];
	u32 output_first, output_end;
	struct log_rate marks;
};

void monitor_init(struct monitor *monitor, struct pc *pc, const struct boot *boot, struct uplink *uplink);

/* The ends of the guest's serial lines: hand them to pc_create(). */
struct pc_console monitor_console(struct monitor *monitor);

/* Moves bytes between the machine's line, the guest's UART and the prompt. At physical interrupts and timer exits. */
void monitor_service(struct monitor *monitor);

/* For the guest's first line, as if typed: all of it, or nothing and false. */
bool monitor_type(struct monitor *monitor, const char *bytes, size_t length);

/* Gives the terminal to a line, after what it has missed, and closes the prompt. */
void monitor_show(struct monitor *monitor, struct monitor_line *line);

/* What is known about a guest that cannot go on. */
void monitor_post_mortem(struct monitor *monitor);

/* The guest has stopped: the prompt stays until a command says what follows. */
enum config_action monitor_stay(struct monitor *monitor);

#endif
