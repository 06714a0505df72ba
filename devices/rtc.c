// SPDX-License-Identifier: BSD-2-Clause

#include "devices/rtc.h"
#include "devices/isa.h"

enum { SECOND, SECOND_ALARM, MINUTE, MINUTE_ALARM, HOUR, HOUR_ALARM, WEEKDAY, DAY, MONTH, YEAR };
enum { REG_A = 0x0a, REG_B = 0x0b, REG_C = 0x0c, REG_D = 0x0d, CENTURY = 0x32 };

enum { A_UIP = 0x80, A_RATE = 0x0f };
enum { A_DIVIDER_RESET = 0x60 }; /* both bits set: the divider chain stands at zero */
enum { A_DEFAULT = 0x26 };	 /* 32768 Hz crystal, 1024 Hz periodic rate */
enum { B_SET = 0x80, B_PIE = 0x40, B_AIE = 0x20, B_UIE = 0x10, B_SQWE = 0x08, B_BINARY = 0x04, B_24H = 0x02 };
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10, D_VALID = 0x80 };
enum { B_ENABLES = 0x70 }; /* the same bits as the flags in C */
enum { HOUR_PM = 0x80, ALARM_ANY = 0xc0 /* from here up an alarm register matches always */ };

#define RTC_CRYSTAL_HZ	  32768
#define RTC_UIP_CLOCKS	  8 /* UIP leads the update by 244 us */
#define DAY_SECONDS	  86400u
#define DAYS_400_YEARS	  146097u
#define CALENDAR_WEEKDAY0 4 /* day 0 was a Wednesday; Sunday is 1 */

/*
 * The calendar counts from 1 March of the year -400: leap days come last in a year, and no date that two century digits can
 * tell is negative. (153 * m + 2) / 5 is the number of days before month m, counted from March.
 */
static u64 calendar_seconds(const struct rtc_time *t)
{
	u64 year = t->year + 400u - (t->month <= 2);
	u64 month = (t->month + 9u) % 12;
	u64 days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + t->day - 1;

	return ((days * 24 + t->hour) * 60 + t->minute) * 60 + t->second;
}

static void calendar_time(u64 seconds, struct rtc_time *t)
{
	u64 days = seconds / DAY_SECONDS, era = days / DAYS_400_YEARS;
	unsigned of_day = seconds % DAY_SECONDS, day = days % DAYS_400_YEARS;
	unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	unsigned month;

	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	t->day = day - (153 * month + 2) / 5 + 1;
	t->month = month < 10 ? month + 3 : month - 9;
	t->year = era * 400 + year + (t->month <= 2) - 400;
	t->hour = of_day / 3600;
	t->minute = of_day / 60 % 60;
	t->second = of_day % 60;
}

static u8 rtc_encode(const struct rtc *rtc, unsigned value)
{
	return rtc->ram[REG_B] & B_BINARY ? value : value / 10 << 4 | value % 10;
}

static unsigned rtc_decode(const struct rtc *rtc, u8 raw)
{
	return rtc->ram[REG_B] & B_BINARY ? raw : (raw >> 4) * 10 + (raw & 0x0f);
}

static u8 rtc_encode_hour(const struct rtc *rtc, unsigned hour)
{
	if (rtc->ram[REG_B] & B_24H)
		return rtc_encode(rtc, hour);
	return rtc_encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned rtc_decode_hour(const struct rtc *rtc, u8 raw)
{
	if (rtc->ram[REG_B] & B_24H)
		return rtc_decode(rtc, raw);
	return rtc_decode(rtc, raw & ~HOUR_PM) % 12 + (raw & HOUR_PM ? 12 : 0);
}

static bool rtc_divider_runs(const struct rtc *rtc)
{
	return (rtc->ram[REG_A] & A_DIVIDER_RESET) != A_DIVIDER_RESET;
}

static bool rtc_runs(const struct rtc *rtc)
{
	return rtc_divider_runs(rtc) && !(rtc->ram[REG_B] & B_SET);
}

static u64 rtc_seconds(const struct rtc *rtc, u64 now)
{
	return rtc->seconds + (now - rtc->phase) / rtc->clock->hz;
}

/* The periodic rate in Hz, 0: off (data sheet, table 5: rates 1 and 2 repeat 8 and 9). */
static u64 rtc_rate_hz(const struct rtc *rtc)
{
	unsigned rate = rtc->ram[REG_A] & A_RATE;

	if (!rate || !rtc_divider_runs(rtc))
		return 0;
	return RTC_CRYSTAL_HZ >> (rate <= 2 ? rate + 6 : rate - 1);
}

static bool rtc_is_time(unsigned index)
{
	return index == CENTURY || (index >= WEEKDAY && index <= YEAR) || (index <= HOUR && index % 2 == 0);
}

/* Writes the running time into the registers. */
static void rtc_show(struct rtc *rtc, u64 now)
{
	u64 seconds = rtc_seconds(rtc, now);
	struct rtc_time t;

	calendar_time(seconds, &t);
	rtc->ram[SECOND] = rtc_encode(rtc, t.second);
	rtc->ram[MINUTE] = rtc_encode(rtc, t.minute);
	rtc->ram[HOUR] = rtc_encode_hour(rtc, t.hour);
	rtc->ram[WEEKDAY] = (seconds / DAY_SECONDS + CALENDAR_WEEKDAY0 - 1 + rtc->weekday_add) % 7 + 1;
	rtc->ram[DAY] = rtc_encode(rtc, t.day);
	rtc->ram[MONTH] = rtc_encode(rtc, t.month);
	rtc->ram[YEAR] = rtc_encode(rtc, t.year % 100);
	rtc->ram[CENTURY] = rtc_encode(rtc, t.year / 100 % 100);
}

/* Lets time run on from what stands in the registers; what is no date is taken as the nearest one. */
static void rtc_take(struct rtc *rtc, u64 now)
{
	struct rtc_time t = {
		.year = MIN(rtc_decode(rtc, rtc->ram[CENTURY]), 99u) * 100 +
			MIN(rtc_decode(rtc, rtc->ram[YEAR]), 99u),
		.month = MAX(MIN(rtc_decode(rtc, rtc->ram[MONTH]), 12u), 1u),
		.day = MAX(MIN(rtc_decode(rtc, rtc->ram[DAY]), 31u), 1u),
		.hour = MIN(rtc_decode_hour(rtc, rtc->ram[HOUR]), 23u),
		.minute = MIN(rtc_decode(rtc, rtc->ram[MINUTE]), 59u),
		.second = MIN(rtc_decode(rtc, rtc->ram[SECOND]), 59u),
	};
	u64 days;

	rtc->seconds = calendar_seconds(&t);
	/* The divider chain went on by itself: seconds keep beginning where they did. */
	rtc->phase = now - (now - rtc->phase) % rtc->clock->hz;
	days = rtc->seconds / DAY_SECONDS;
	rtc->weekday_add = (rtc->ram[WEEKDAY] + 14 - (days + CALENDAR_WEEKDAY0) % 7) % 7;
}

/* The first second after `after` that the alarm registers name, TIMER_NEVER if they name none. */
static u64 rtc_next_alarm(const struct rtc *rtc, u64 after)
{
	u8 second = rtc->ram[SECOND_ALARM], minute = rtc->ram[MINUTE_ALARM], hour = rtc->ram[HOUR_ALARM];
	bool any_second = second >= ALARM_ANY, any_minute = minute >= ALARM_ANY, any_hour = hour >= ALARM_ANY;
	u64 at = after + 1;

	/* Compared as the chip does, in the registers' own encoding: a value that is no time never matches. */
	while (at <= after + DAY_SECONDS) {
		unsigned of_day = at % DAY_SECONDS;

		if (!any_hour && rtc_encode_hour(rtc, of_day / 3600) != hour)
			at += 3600 - of_day % 3600;
		else if (!any_minute && rtc_encode(rtc, of_day / 60 % 60) != minute)
			at += 60 - of_day % 60;
		else if (!any_second && rtc_encode(rtc, of_day % 60) != second)
			at++;
		else
			return at;
	}
	return TIMER_NEVER;
}

/* Brings the flags up to date. To be called before anything changes that they depend on. */
static void rtc_settle(struct rtc *rtc, u64 now)
{
	u64 rate = rtc_rate_hz(rtc), since = rtc->seen, from;

	rtc->seen = now;
	if (rate && clock_periods(rtc->clock, now - rtc->phase, rate) !=
			    clock_periods(rtc->clock, since - rtc->phase, rate))
		rtc->flags |= C_PF;
	if (!rtc_runs(rtc))
		return;
	from = rtc_seconds(rtc, since);
	if (from == rtc_seconds(rtc, now))
		return;
	rtc->flags |= C_UF;
	if (!(rtc->flags & C_AF) && rtc_next_alarm(rtc, from) <= rtc_seconds(rtc, now))
		rtc->flags |= C_AF;
}

/*
 * Sets the wire and the timer as flags and enables say. While the wire is up nothing more can happen until the guest reads
 * register C, so no timer runs: a guest gets periodic interrupts no faster than it takes them.
 */
static void rtc_update(struct rtc *rtc, u64 now)
{
	u8 enabled = rtc->ram[REG_B] & B_ENABLES;
	u64 next = TIMER_NEVER, rate = rtc_rate_hz(rtc), hz = rtc->clock->hz, alarm, ticks;
	bool line = (rtc->flags & enabled) != 0;

	irq_line_set(&rtc->irq, line);
	if (!line && (enabled & B_PIE) && rate) {
		ticks = clock_ticks(rtc->clock, clock_periods(rtc->clock, now - rtc->phase, rate) + 1, rate);
		next = rtc->phase + ticks;
	}
	if (!line && (enabled & B_UIE) && rtc_runs(rtc))
		next = MIN(next, rtc->phase + ((now - rtc->phase) / hz + 1) * hz);
	if (!line && (enabled & B_AIE) && rtc_runs(rtc)) {
		alarm = rtc_next_alarm(rtc, rtc_seconds(rtc, now));
		if (alarm != TIMER_NEVER)
			next = MIN(next, rtc->phase + (alarm - rtc->seconds) * hz);
	}
	timer_arm(rtc->queue, &rtc->timer, next);
}

static void rtc_expired(void *device)
{
	struct rtc *rtc = device;
	u64 now = clock_now(rtc->clock);

	rtc_settle(rtc, now);
	rtc_update(rtc, now);
}

static u8 rtc_read_register(struct rtc *rtc, unsigned index, u64 now)
{
	u64 hz = rtc->clock->hz;
	u8 value;

	if (rtc_is_time(index) && rtc_runs(rtc))
		rtc_show(rtc, now);
	switch (index) {
	case REG_A:
		value = rtc->ram[REG_A];
		if (rtc_runs(rtc) &&
		    hz - (now - rtc->phase) % hz <= clock_ticks(rtc->clock, RTC_UIP_CLOCKS, RTC_CRYSTAL_HZ))
			value |= A_UIP;
		return value;
	case REG_C:
		rtc_settle(rtc, now);
		value = rtc->flags | (rtc->flags & rtc->ram[REG_B] & B_ENABLES ? C_IRQF : 0);
		rtc->flags = 0;
		rtc_update(rtc, now);
		return value;
	default:
		return rtc->ram[index];
	}
}

static void rtc_write_register(struct rtc *rtc, unsigned index, u8 value, u64 now)
{
	bool ran = rtc_runs(rtc), divider_ran = rtc_divider_runs(rtc);

	if (index == REG_C || index == REG_D)
		return;
	if (index > REG_D && index != CENTURY) {
		rtc->ram[index] = value;
		return;
	}
	rtc_settle(rtc, now);
	if (ran)
		rtc_show(rtc, now);
	if (index == REG_A)
		value &= ~A_UIP;
	if (index == REG_B && (value & B_SET))
		value &= ~B_UIE; /* data sheet: SET clears UIE */
	rtc->ram[index] = value;

	/* The first second after the divider was released is half a second long. Linux sets the clock by that. */
	if (!divider_ran && rtc_divider_runs(rtc))
		rtc->phase = now - rtc->clock->hz / 2;
	/* A new data mode alone does not change the time; the registers show it in the new way. */
	if (rtc_runs(rtc) && (!ran || rtc_is_time(index)))
		rtc_take(rtc, now);
	rtc_update(rtc, now);
}

static enum mem_result rtc_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct rtc *rtc = device;

	(void)size;
	/* The index port cannot be read back. */
	*value = offset & 1 ? rtc_read_register(rtc, rtc->index, clock_now(rtc->clock)) : 0xff;
	return MEM_OK;
}

static enum mem_result rtc_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct rtc *rtc = device;

	(void)size;
	if (offset & 1)
		rtc_write_register(rtc, rtc->index, value, clock_now(rtc->clock));
	else
		rtc->index = value % RTC_RAM;
	return MEM_OK;
}

const struct region_ops rtc_ops = ISA_BYTE_OPS(rtc_read, rtc_write);

void rtc_init(struct rtc *rtc, const struct clock *clock, struct timer_queue *queue, struct irq_line irq,
	      const struct rtc_time *now)
{
	u64 tick = clock_now(clock);

	*rtc = (struct rtc){ .clock = clock, .queue = queue, .irq = irq, .phase = tick, .seen = tick };
	timer_init(&rtc->timer, rtc_expired, rtc);
	rtc->ram[REG_A] = A_DEFAULT;
	rtc->ram[REG_B] = B_24H;
	rtc->ram[REG_D] = D_VALID;
	rtc->seconds = calendar_seconds(now);
}

void rtc_reset(struct rtc *rtc)
{
	u64 now = clock_now(rtc->clock);

	rtc_settle(rtc, now);
	rtc->ram[REG_B] &= ~(B_ENABLES | B_SQWE);
	rtc->flags = 0;
	rtc_update(rtc, now);
}
