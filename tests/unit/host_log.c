// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/host_log.h"

#include "mm/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char last[1024];
static unsigned count;

void log_line(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(last, sizeof(last), format, args);
	va_end(args);
	count++;
	if (getenv("HOST_LOG"))
		fprintf(stderr, "# log %u: %s\n", (unsigned)level, last);
}

const char *host_log_last(void)
{
	return last;
}

unsigned host_log_count(void)
{
	return count;
}

void host_log_reset(void)
{
	last[0] = 0;
	count = 0;
}
