/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/log.h on the host: lines are kept instead of shown, so that a test can look at what would have been said. With
 * HOST_LOG in the environment they are shown on standard error as well.
 */
#ifndef TESTS_UNIT_HOST_LOG_H
#define TESTS_UNIT_HOST_LOG_H

/* The last line, without its level; "" if there was none since the last reset. Valid until the next line. */
const char *host_log_last(void);
/* Lines since the last reset. */
unsigned host_log_count(void);
void host_log_reset(void);

#endif
