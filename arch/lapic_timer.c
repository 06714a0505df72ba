// SPDX-License-Identifier: BSD-2-Clause
/*
 * The local APIC's timer (SDM 11.5.4). No state but a deadline and a period: the count is derived when it is
 * read.
 */
#include "arch/lapic_internal.h"

static u64 add_saturated(u64 a, u64 b)
{
	return a + b < a ? LAPIC_NEVER : a + b;
}

/* TSC ticks of one count. */
static u64 unit(const struct lapic *l)
{
	return (u64)l->config.ratio << l->divide_shift;
}

static bool counting_mode(const struct lapic *l)
{
	return l->timer_mode == LAPIC_ONE_SHOT || l->timer_mode == LAPIC_PERIODIC;
}

/* The period as it is run: a guest that asks for one tick would have no time left to handle it. */
static u64 effective_period(const struct lapic *l)
{
	return MAX(MAX(l->period, l->config.shortest_period), 1);
}

static void set_deadline(struct lapic *l, u64 deadline)
{
	l->deadline = deadline;
	if (l->ops->timer_changed)
		l->ops->timer_changed(l->owner);
}

void lapic_timer_stop(struct lapic *l)
{
	*lapic_reg(l, LAPIC_INITIAL_COUNT) = 0;
	set_deadline(l, LAPIC_NEVER);
}

void lapic_timer_write_initial_count(struct lapic *l, u32 count)
{
	/*
	 * Ignored in deadline mode, in which the register reads 0; with apicv the value is in the page
	 * already.
	 */
	if (!count || !counting_mode(l)) {
		*lapic_reg(l, LAPIC_INITIAL_COUNT) = 0;
		if (counting_mode(l))
			set_deadline(l, LAPIC_NEVER);
		return;
	}
	*lapic_reg(l, LAPIC_INITIAL_COUNT) = count;
	l->period = count * unit(l);
	set_deadline(l, add_saturated(l->ops->now(l->owner),
				      l->timer_mode == LAPIC_PERIODIC ? effective_period(l) : l->period));
}

u32 lapic_timer_current_count(const struct lapic *l, u64 now)
{
	u64 left;

	if (!counting_mode(l) || l->deadline == LAPIC_NEVER)
		return 0;
	if (l->deadline > now)
		left = l->deadline - now;
	else if (l->timer_mode == LAPIC_PERIODIC) /* expired, and the caller has not noticed yet */
		left = effective_period(l) - (now - l->deadline) % effective_period(l);
	else
		return 0;
	/* Rounded up: 0 is for expired. A stretched period starts with a pause at the initial count. */
	left = left / unit(l) + (left % unit(l) != 0);
	return MIN(left, *lapic_reg(l, LAPIC_INITIAL_COUNT));
}

void lapic_timer_write_divide(struct lapic *l, u32 divide)
{
	u8 shift = ((divide & 3) + (divide >> 1 & 4) + 1) & 7;
	u64 now;
	u32 count;

	if (shift == l->divide_shift)
		return;
	if (!counting_mode(l) || l->deadline == LAPIC_NEVER) {
		l->divide_shift = shift;
		return;
	}
	/* A running count goes on from where it is, at the new speed. */
	now = l->ops->now(l->owner);
	count = lapic_timer_current_count(l, now);
	l->divide_shift = shift;
	l->period = *lapic_reg(l, LAPIC_INITIAL_COUNT) * unit(l);
	set_deadline(l, add_saturated(now, count * unit(l)));
}

void lapic_timer_write_lvt(struct lapic *l, u32 lvt)
{
	u8 mode = lvt >> 17 & 3;

	if (mode == l->timer_mode)
		return;
	/* One-shot and periodic differ in what follows the expiry only; any other change disarms. */
	if (mode > LAPIC_PERIODIC || l->timer_mode > LAPIC_PERIODIC)
		lapic_timer_stop(l);
	l->timer_mode = mode;
}

void lapic_timer_run(struct lapic *l, u64 now)
{
	if (now < l->deadline || l->deadline == LAPIC_NEVER)
		return;
	if (l->timer_mode == LAPIC_PERIODIC) {
		/* Periods that went by unseen are one interrupt, as they are when IRR is set already. */
		u64 period = effective_period(l);
		u64 late = now - l->deadline;

		l->deadline = add_saturated(now, period - (late < period ? late : late % period));
	} else {
		l->deadline = LAPIC_NEVER;
	}
	lapic_local_interrupt(l, LAPIC_LVT_TIMER);
}

void lapic_tsc_adjusted(struct lapic *l, u64 delta)
{
	if (counting_mode(l) && l->deadline != LAPIC_NEVER)
		set_deadline(l, l->deadline + delta);
}
