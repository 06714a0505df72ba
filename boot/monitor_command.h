/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The commands of the hypervisor console, console.md, and the means to say something there.
 */
#ifndef BOOT_MONITOR_COMMAND_H
#define BOOT_MONITOR_COMMAND_H

#include "boot/monitor.h"

/* Carries out monitor->command, which it may cut into words. */
void monitor_command(struct monitor *monitor);

void monitor_say(const char *text);
/* A table_emit; `to` is not used. */
void monitor_say_line(void *to, const char *line);
/* A line of at most 160 bytes. */
__printf(1, 2) void monitor_sayf(const char *format, ...);

#endif
