/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one way to tell the operator something. Declared at the bottom so that every layer may use it;
 * implemented by whoever links the code: arch/log.c on the machine, tests/unit/host_log.c on the host.
 *
 * One call is one line; the text carries no newline. Lines that a guest can cause at will go through a
 * `struct log_rate`, so that a guest cannot flood the console (CVE-2011-3131).
 */
#ifndef MM_LOG_H
#define MM_LOG_H

#include "mm/types.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_line(enum log_level level, const char *format, ...) __printf(2, 3);

/*
 * At most LOG_RATE_BURST lines from one place; what came after is counted in `dropped`, shown by the
 * hypervisor console. Zero-initialised: ready.
 */
#define LOG_RATE_BURST 10
struct log_rate {
	u32 printed;
	u32 dropped;
};

static inline bool log_rate_ok(struct log_rate *rate)
{
	if (rate->printed < LOG_RATE_BURST) {
		rate->printed++;
		return true;
	}
	rate->dropped++;
	return false;
}

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_limited(rate, level, ...)                 \
	do {                                          \
		if (log_rate_ok(rate))                \
			log_line(level, __VA_ARGS__); \
	} while (0)

#endif
