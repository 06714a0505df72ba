/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's three-channel counter (Intel 8254 data sheet) and port 0x61 around it. Channel 0 drives IRQ 0, channel 1 is the
 * memory refresh (only seen as the toggling bit 4 of port 0x61), channel 2 has its gate and output in port 0x61.
 *
 * Counting costs nothing: values and outputs follow from the clock when they are read, and only a rising edge of channel 0
 * needs a timer.
 */
#ifndef DEVICES_PIT_H
#define DEVICES_PIT_H

#include "devices/irq.h"
#include "devices/timer.h"
#include "mm/access.h"

#define PIT_PORTS    4 /* 0x40..0x43; 0x43 reads as ones */
#define PIT_HZ	     1193182
#define PIT_CHANNELS 3

/* IRQ 0 edges of a periodic channel 0 come no closer than this (100 us): a guest cannot make a timer storm. */
#define PIT_MIN_CLOCKS 120

struct pit_channel {
	/* Times are clocks: periods of PIT_HZ since pit_init(). */
	u64 origin;	 /* when `count` was loaded: a clock after the write or trigger */
	u64 held;	 /* what had elapsed when the gate stopped the counter */
	u64 next_at;	 /* when `next` is loaded; ~0: by a trigger */
	u64 next_origin; /* `origin` from then on */
	u32 count;	 /* 1..65536, in BCD 1..10000 (or what invalid digits make) */
	u32 next;	 /* written, not yet loaded; 0: none */
	u32 stopped;	 /* what reads give until a count is loaded */
	u8 mode;	 /* 0..5 */
	u8 access;	 /* 1 low byte, 2 high byte, 3 low then high */
	bool bcd, gate;
	bool counting; /* a count is loaded, or will be at `origin` */
	bool paused;   /* the gate holds the counter at `held` */
	bool before;   /* the output until a count is loaded */
	bool write_high, read_high, status_latched;
	u8 low, status, latched; /* `latched`: bytes of `latch` still to be read */
	u16 latch;
};

struct pit {
	const struct clock *clock;
	struct timer_queue *queue;
	struct timer timer; /* channel 0's next rising edge */
	struct irq_line irq;
	u64 epoch;     /* tick of clock 0 */
	u64 last_edge; /* clock of the last IRQ 0 from the timer */
	u8 port61;     /* bits 3:0 as written */
	struct pit_channel channel[PIT_CHANNELS];
};

extern const struct region_ops pit_ops;	       /* device: struct pit *; PIT_PORTS ports at 0x40 */
extern const struct region_ops pit_port61_ops; /* device: struct pit *; one port at 0x61 */

/* `irq` is channel 0's output: it rises at each tick. */
void pit_init(struct pit *pit, const struct clock *clock, struct timer_queue *queue, struct irq_line irq);
void pit_reset(struct pit *pit);

#endif
