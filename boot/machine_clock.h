/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BOOT_MACHINE_CLOCK_H
#define BOOT_MACHINE_CLOCK_H

#include "devices/rtc.h"

/*
 * The physical machine's battery clock (MC146818A, as devices/rtc.h models it for the guest) as the firmware left it running.
 * 2026-01-01 if it shows no time.
 */
struct rtc_time machine_time(void);

#endif
