/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device time: a clock in ticks of the guest's time stamp counter, and a queue of timers on it. The board runs the queue when
 * its earliest deadline has passed; nothing here is asynchronous.
 */
#ifndef DEVICES_TIMER_H
#define DEVICES_TIMER_H

#include "mm/types.h"

#define TIMER_NEVER (~0ull)

/* `now` counts ticks and never goes back; `hz` ticks are a second. */
struct clock {
	u64 (*now)(void *source);
	void *source;
	u64 hz;
};

static inline u64 clock_now(const struct clock *clock)
{
	return clock->now(clock->source);
}

/*
 * Ticks that `count` periods of a `hz` oscillator take, rounded up, and periods that have passed in `ticks`. Exact, and
 * clock_periods(clock_ticks(n)) is n or, where a tick is longer than a period, more. hz * clock->hz is below 2^64: then whole
 * seconds and the rest apart need no 128-bit division, for which a freestanding program has no library.
 */
static inline u64 clock_ticks(const struct clock *clock, u64 count, u64 hz)
{
	return count / hz * clock->hz + (count % hz * clock->hz + hz - 1) / hz;
}

static inline u64 clock_periods(const struct clock *clock, u64 ticks, u64 hz)
{
	return ticks / clock->hz * hz + ticks % clock->hz * hz / clock->hz;
}

struct timer {
	struct timer *next;
	u64 deadline; /* TIMER_NEVER: not armed */
	void (*expired)(void *device);
	void *device;
};

/*
 * Armed timers in order of deadline. `earlier` is called when the first deadline moved forward, so that whoever waits
 * for it can wait for less.
 */
struct timer_queue {
	struct timer *first;
	struct timer *due; /* being called by timer_queue_run() */
	void (*earlier)(void *waiter);
	void *waiter;
};

void timer_init(struct timer *timer, void (*expired)(void *device), void *device);
/* Arms or re-arms for the absolute tick `deadline`; TIMER_NEVER cancels. Equal deadlines expire in order of arming. */
void timer_arm(struct timer_queue *queue, struct timer *timer, u64 deadline);
/* Harmless on a timer that is not armed. */
void timer_cancel(struct timer_queue *queue, struct timer *timer);
/*
 * Calls every timer whose deadline is at or before `now`, each once even if it re-arms itself in the past. Returns the next
 * deadline or TIMER_NEVER.
 */
u64 timer_queue_run(struct timer_queue *queue, u64 now);

static inline u64 timer_queue_next(const struct timer_queue *queue)
{
	return queue->first ? queue->first->deadline : TIMER_NEVER;
}

#endif
