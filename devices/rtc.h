/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's clock and CMOS memory (Motorola MC146818A data sheet) behind an index and a data port. Time follows the clock
 * that it is given; no timer is armed unless the guest enabled an interrupt, flags are worked out when they are read.
 */
#ifndef DEVICES_RTC_H
#define DEVICES_RTC_H

#include "devices/irq.h"
#include "devices/timer.h"
#include "mm/access.h"

#define RTC_PORTS 2 /* 0x70 index (bit 7, the NMI mask, is not kept), 0x71 data */
#define RTC_RAM	  128

/* A moment in the Gregorian calendar; month and day count from 1. */
struct rtc_time {
	u16 year;
	u8 month, day, hour, minute, second;
};

struct rtc {
	const struct clock *clock;
	struct timer_queue *queue;
	struct timer timer; /* the next event with an enabled interrupt */
	struct irq_line irq;
	u64 phase; /* a tick at which the divider chain began a second; may lie before tick 0 (modulo 2^64) */
	u64 seconds;	/* the time at `phase` while the clock runs, in seconds of rtc.c's calendar */
	u64 seen;	/* the tick up to which the flags in register C were worked out */
	u8 weekday_add; /* the guest counts weekdays as it likes */
	u8 index;
	u8 flags;	 /* register C without IRQF */
	u8 ram[RTC_RAM]; /* NVRAM; also registers A, B, alarm, and the time while it stands still */
};

extern const struct region_ops rtc_ops; /* device: struct rtc * */

/*
 * `now` is the wall-clock time at this moment, shown in BCD and 24 hours until the guest chooses otherwise. Memory bytes (0x0e
 * and up) start as zero; a board may fill `ram`. 0x32 is the century.
 */
void rtc_init(struct rtc *rtc, const struct clock *clock, struct timer_queue *queue, struct irq_line irq,
	      const struct rtc_time *now);
/* The RESET pin: interrupts off, flags cleared. Time and memory live on the battery and stay. */
void rtc_reset(struct rtc *rtc);

#endif
