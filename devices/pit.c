// SPDX-License-Identifier: BSD-2-Clause
// Section names are the 8254 data sheet's. Channels are pure functions of the clock: first the counter, then the registers.

#include "devices/pit.h"
#include "devices/isa.h"

enum { CONTROL = 3, CONTROL_READ_BACK = 3, READ_BACK_NO_COUNT = 0x20, READ_BACK_NO_STATUS = 0x10 };
enum { STATUS_OUT = 0x80, STATUS_NULL = 0x40 };
enum { PORT61_GATE2 = 0x01, PORT61_REFRESH = 0x10, PORT61_OUT2 = 0x20 };
enum { PORT61_KEPT = 0x0f };  /* gate, speaker, two error enables */
enum { REFRESH_CLOCKS = 18 }; /* channel 1 as every PC has it: a refresh each 15.1 us */

#define BY_TRIGGER TIMER_NEVER

static u64 pit_now(const struct pit *pit)
{
	return clock_periods(pit->clock, clock_now(pit->clock) - pit->epoch, PIT_HZ);
}

static u32 pit_modulus(const struct pit_channel *ch)
{
	return ch->bcd ? 10000 : 65536;
}

/* A count of 1, not allowed in modes 2 and 3, would never lower the output; the shortest that works is taken. */
static u64 pit_period(u32 count)
{
	return MAX(count, 2u);
}

/* Mode 3: the clocks of a period for which the output is high. */
static u64 pit_high(u64 period)
{
	return (period + 1) / 2;
}

static bool pit_loaded(const struct pit_channel *ch, u64 now)
{
	return ch->counting && (ch->paused || (s64)(now - ch->origin) >= 0);
}

static u64 pit_elapsed(const struct pit_channel *ch, u64 now)
{
	return ch->paused ? ch->held : now - ch->origin;
}

/* Loads the count that was written during the last period, when that is over. */
static void pit_settle(struct pit_channel *ch, u64 now)
{
	if (!ch->next || ch->paused || now < ch->next_at)
		return;
	ch->origin = ch->next_origin;
	ch->count = ch->next;
	ch->next = 0;
}

static bool pit_out(const struct pit_channel *ch, u64 now)
{
	u64 period = pit_period(ch->count), elapsed = pit_elapsed(ch, now);

	if (!pit_loaded(ch, now))
		return ch->before;
	switch (ch->mode) {
	case 0:
	case 1:
		return elapsed >= ch->count;
	case 2:
		return ch->paused || elapsed % period != period - 1;
	case 3:
		return ch->paused || elapsed % period < pit_high(period);
	default:
		return elapsed != ch->count;
	}
}

static u32 pit_value(const struct pit_channel *ch, u64 now)
{
	u64 period = pit_period(ch->count), elapsed = pit_elapsed(ch, now);
	u32 modulus = pit_modulus(ch), value;

	if (!pit_loaded(ch, now))
		return ch->stopped;
	switch (ch->mode) {
	case 2:
		value = period - elapsed % period;
		break;
	case 3: /* counts by two, from an even number, once for each half */
		elapsed %= period;
		if (elapsed >= pit_high(period))
			elapsed -= pit_high(period);
		value = (period & ~1ull) - 2 * elapsed;
		break;
	default: /* goes on below zero */
		value = ch->count + modulus - elapsed % modulus;
		break;
	}
	return value % modulus;
}

static void pit_load(struct pit_channel *ch, u32 count, u64 now)
{
	ch->before = pit_out(ch, now);
	ch->stopped = pit_value(ch, now);
	ch->count = count;
	ch->next = 0;
	ch->origin = now + 1;
	ch->held = 0;
	ch->counting = true;
}

static void pit_write_count(struct pit_channel *ch, u16 raw, u64 now)
{
	u32 count = raw;
	u64 period = pit_period(ch->count), in_period;

	if (ch->bcd)
		count = (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 + (raw & 15);
	if (!count)
		count = pit_modulus(ch);

	if (ch->mode == 0 || ch->mode == 4 || (!ch->counting && ch->mode != 1 && ch->mode != 5)) {
		pit_load(ch, count, now);
		if (ch->mode == 0)
			ch->before = false;
		ch->paused = !ch->gate;
		return;
	}
	if (!pit_loaded(ch, now) && ch->counting) {
		ch->count = count; /* the one before was not loaded yet */
		return;
	}
	ch->next = count;
	ch->next_at = BY_TRIGGER;
	if (ch->mode == 1 || ch->mode == 5 || ch->paused)
		return;
	/* Modes 2 and 3: at the end of the period; in mode 3 already of the half, so that the low half is the new one's. */
	in_period = pit_elapsed(ch, now) % period;
	ch->next_at = ch->next_origin = now - in_period + period;
	if (ch->mode == 3 && in_period < pit_high(period)) {
		ch->next_at = now - in_period + pit_high(period);
		ch->next_origin = ch->next_at - pit_high(pit_period(count));
	}
}

static void pit_set_gate(struct pit_channel *ch, bool gate, u64 now)
{
	if (gate == ch->gate)
		return;
	ch->gate = gate;
	if (!gate) {
		if (!ch->counting || ch->mode == 1 || ch->mode == 5)
			return; /* for these only the rising edge counts */
		ch->held = pit_loaded(ch, now) ? pit_elapsed(ch, now) : 0;
		ch->paused = true;
	} else if (ch->mode == 0 || ch->mode == 4) {
		ch->origin = now - ch->held;
		ch->paused = false;
	} else if (ch->counting || ch->next) { /* a trigger */
		pit_load(ch, ch->next ? ch->next : ch->count, now);
		ch->paused = false;
	}
}

/* The first clock after `now` at which the output rises, TIMER_NEVER if it does not. For a channel whose gate is high. */
static u64 pit_next_rise(const struct pit_channel *ch, u64 now)
{
	u64 period = pit_period(ch->count), elapsed = pit_loaded(ch, now) ? pit_elapsed(ch, now) : 0, at;

	if (!ch->counting)
		return TIMER_NEVER;
	switch (ch->mode) {
	case 0:
	case 4:
		at = ch->origin + ch->count + (ch->mode == 4);
		return at > now ? at : TIMER_NEVER;
	case 2:
	case 3:
		/* A new count that comes in the middle of a period, at the falling edge, decides when the next one begins. */
		if (ch->next && ch->next_at != ch->next_origin)
			return ch->next_origin + pit_period(ch->next);
		return ch->origin + (elapsed / period + 1) * period;
	default:
		return TIMER_NEVER; /* no gate, no trigger */
	}
}

static void pit_schedule(struct pit *pit, u64 now)
{
	const struct pit_channel *ch = &pit->channel[0];
	u64 rise = pit_next_rise(ch, now), earliest = pit->last_edge + PIT_MIN_CLOCKS;
	u64 period = pit_period(ch->next ? ch->next : ch->count);

	if (rise == TIMER_NEVER) {
		timer_cancel(pit->queue, &pit->timer);
		return;
	}
	if ((ch->mode == 2 || ch->mode == 3) && rise < earliest)
		rise += (earliest - rise + period - 1) / period * period;
	timer_arm(pit->queue, &pit->timer, pit->epoch + clock_ticks(pit->clock, rise, PIT_HZ));
}

/* Ticks that came and went while nobody ran the queue are lost, as they are for a CPU that keeps interrupts off. */
static void pit_expired(void *device)
{
	struct pit *pit = device;
	u64 now = pit_now(pit);

	pit_settle(&pit->channel[0], now);
	pit->last_edge = now;
	/* In modes 2 and 3 the output fell some time before: one timer for both edges is enough. */
	irq_line_set(&pit->irq, false);
	irq_line_set(&pit->irq, true);
	pit_schedule(pit, now);
}

/* The count as it stands on the bus. */
static u16 pit_count(const struct pit_channel *ch, u64 now)
{
	u32 value = pit_value(ch, now);

	if (ch->bcd)
		return value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
	return value;
}

static void pit_latch_count(struct pit_channel *ch, u64 now)
{
	if (ch->latched)
		return;
	ch->latch = pit_count(ch, now);
	ch->latched = ch->access == 3 ? 2 : 1;
	ch->read_high = false;
}

static void pit_latch_status(struct pit_channel *ch, u64 now)
{
	if (ch->status_latched)
		return;
	ch->status = pit_out(ch, now) ? STATUS_OUT : 0;
	if (ch->next || !pit_loaded(ch, now))
		ch->status |= STATUS_NULL;
	ch->status |= ch->access << 4 | ch->mode << 1 | ch->bcd;
	ch->status_latched = true;
}

static void pit_set_mode(struct pit_channel *ch, u8 control, u64 now)
{
	u8 mode = control >> 1 & 7;

	*ch = (struct pit_channel){
		.gate = ch->gate,
		.stopped = pit_value(ch, now),
		.mode = mode > 5 ? mode - 4 : mode,
		.access = control >> 4 & 3,
		.bcd = control & 1,
		.before = mode != 0,
	};
	ch->stopped %= pit_modulus(ch);
}

static void pit_write_control(struct pit *pit, u8 control, u64 now)
{
	unsigned select = control >> 6;

	if (select == CONTROL_READ_BACK) {
		for (unsigned i = 0; i < PIT_CHANNELS; i++) {
			if (!(control & 2 << i))
				continue;
			if (!(control & READ_BACK_NO_COUNT))
				pit_latch_count(&pit->channel[i], now);
			if (!(control & READ_BACK_NO_STATUS))
				pit_latch_status(&pit->channel[i], now);
		}
	} else if (!(control & 0x30)) {
		pit_latch_count(&pit->channel[select], now);
	} else {
		pit_set_mode(&pit->channel[select], control, now);
	}
}

static void pit_write_channel(struct pit_channel *ch, u8 value, u64 now)
{
	if (ch->access == 1) {
		pit_write_count(ch, value, now);
	} else if (ch->access == 2) {
		pit_write_count(ch, value << 8, now);
	} else if (ch->write_high) {
		ch->write_high = false;
		pit_write_count(ch, value << 8 | ch->low, now);
	} else {
		ch->low = value;
		ch->write_high = true;
		if (ch->mode == 0) { /* the first byte stops the count and lowers the output */
			ch->stopped = pit_value(ch, now);
			ch->counting = ch->before = false;
		}
	}
}

static u8 pit_read_channel(struct pit_channel *ch, u64 now)
{
	bool high = ch->access == 2 || (ch->access == 3 && ch->read_high);
	u16 count = ch->latch;

	if (ch->status_latched) {
		ch->status_latched = false;
		return ch->status;
	}
	if (ch->latched)
		ch->latched--;
	else
		count = pit_count(ch,
				  now); /* of this moment: two reads may tell of two counts, as on the chip */
	ch->read_high = ch->access == 3 && !ch->read_high;
	return high ? count >> 8 : count;
}

static enum mem_result pit_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct pit *pit = device;
	unsigned i = offset & 3;
	u64 now = pit_now(pit);

	(void)size;
	*value = 0xff; /* nothing drives the bus for the control register */
	if (i != CONTROL) {
		pit_settle(&pit->channel[i], now);
		*value = pit_read_channel(&pit->channel[i], now);
	}
	return MEM_OK;
}

static enum mem_result pit_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pit *pit = device;
	unsigned i = offset & 3;
	u64 now = pit_now(pit);

	(void)size;
	for (unsigned n = 0; n < PIT_CHANNELS; n++)
		pit_settle(&pit->channel[n], now);
	if (i == CONTROL)
		pit_write_control(pit, value, now);
	else
		pit_write_channel(&pit->channel[i], value, now);
	if (i == 0 || (i == CONTROL && !(value & 0xc0) && (value & 0x30))) {
		irq_line_set(&pit->irq, pit_out(&pit->channel[0], now));
		pit_schedule(pit, now);
	}
	return MEM_OK;
}

static enum mem_result port61_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct pit *pit = device;
	u64 now = pit_now(pit);

	(void)offset;
	(void)size;
	pit_settle(&pit->channel[2], now);
	*value = pit->port61 | (pit_out(&pit->channel[2], now) ? PORT61_OUT2 : 0) |
		 (now / REFRESH_CLOCKS & 1 ? PORT61_REFRESH : 0);
	return MEM_OK;
}

static enum mem_result port61_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pit *pit = device;
	u64 now = pit_now(pit);

	(void)offset;
	(void)size;
	pit->port61 = value & PORT61_KEPT;
	pit_settle(&pit->channel[2], now);
	pit_set_gate(&pit->channel[2], value & PORT61_GATE2, now);
	return MEM_OK;
}

const struct region_ops pit_ops = ISA_BYTE_OPS(pit_read, pit_write);

const struct region_ops pit_port61_ops = ISA_BYTE_OPS(port61_read, port61_write);

void pit_init(struct pit *pit, const struct clock *clock, struct timer_queue *queue, struct irq_line irq)
{
	*pit = (struct pit){ .clock = clock, .queue = queue, .irq = irq, .epoch = clock_now(clock) };
	timer_init(&pit->timer, pit_expired, pit);
	pit_reset(pit);
}

void pit_reset(struct pit *pit)
{
	/* The chip wakes up undefined. All outputs low until a mode is set, so that nothing starts with an edge. */
	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		pit->channel[i] = (struct pit_channel){ .access = 3, .gate = i != 2 };
	pit->port61 = 0;
	timer_cancel(pit->queue, &pit->timer);
	irq_line_set(&pit->irq, false);
}
