/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of the hypervisor by its own fault: a report on the serial line, then what the operator configured.
 */
#ifndef ARCH_PANIC_H
#define ARCH_PANIC_H

#include "mm/types.h"

struct host_frame;

enum panic_action { PANIC_HALT, PANIC_RESET, PANIC_POWEROFF };

/* What follows a report; PANIC_HALT at first. */
void panic_set_action(enum panic_action action);

/*
 * Called once in a report, after the backtrace: the exit history goes here. It writes with panic_write() and may itself
 * fault: the report then ends there.
 */
extern void (*panic_hook)(void);

/* For things that cannot be; never for anything that a guest does. */
_Noreturn void panic(const char *format, ...) __printf(1, 2);
/* An exception of the hypervisor. */
_Noreturn void panic_exception(const struct host_frame *frame);

/* Pieces of a report; no formatter, no allocation, no state. */
void panic_write(const char *text);
void panic_write_hex(u64 value, unsigned digits);

#endif
