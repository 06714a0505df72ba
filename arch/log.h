/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's side of mm/log.h: where lines go, and what is remembered of them.
 *
 * A line is `sluice: text`, with `error: `, `warning: ` or `debug: ` before the text. It goes to the serial line (on a
 * line of its own, even if the guest is in the middle of one), to the history, and, as long as the firmware runs,
 * errors and warnings also to the screen.
 */
#ifndef ARCH_LOG_H
#define ARCH_LOG_H

#include "arch/text_ring.h"
#include "mm/log.h"

#define LOG_LINE_MAX 640 /* with prefix and NUL; longer lines are cut and end in "..." */

/* Lines above this level are dropped; LOG_INFO at first. */
void log_set_level(enum log_level level);

/* `write` shows text on the screen, '\n' as the end of a line; NULL: no screen any more. */
void log_set_screen(void (*write)(void *screen, const char *text), void *screen);

/* Text without prefix to serial line and screen: progress of slow work. Not remembered; '\n' ends a line. */
void log_progress(const char *text);

/*
 * Text as it is to the serial line: answers of the console, reports of tests. Not remembered; '\n' becomes "\r\n" on the line.
 * Waits where the transmit ring is full.
 */
void log_write(const char *text, size_t length);

/* Remembers what a guest wrote on its console. */
void log_guest_byte(u8 byte);

const struct text_ring *log_history(void);
const struct text_ring *log_guest_history(void);

#endif
