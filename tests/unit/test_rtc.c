// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/isa_rig.h"
#include "devices/rtc.h"

enum {
	SEC,
	SEC_ALARM,
	MIN_,
	MIN_ALARM,
	HOUR,
	HOUR_ALARM,
	WEEKDAY,
	DAY,
	MONTH,
	YEAR,
	A,
	B,
	C,
	D,
	CENTURY = 0x32
};

static struct rig rig;
static struct rtc rtc;
static const struct rtc_time start = { 2026, 11, 22, 23, 58, 57 }; /* a Sunday */

static u8 get(u8 index)
{
	rig_write(&rtc_ops, &rtc, 0, 1, index);
	return rig_read(&rtc_ops, &rtc, 1, 1);
}

static void set(u8 index, u8 value)
{
	rig_write(&rtc_ops, &rtc, 0, 1, index);
	rig_write(&rtc_ops, &rtc, 1, 1, value);
}

static void begin(u64 hz, const struct rtc_time *t)
{
	rig_init(&rig, hz);
	rtc_init(&rtc, &rig.clock, &rig.queue, rig_line(&rig), t);
}

static int setup(void **state)
{
	(void)state;
	begin(1000000000, &start);
	return 0;
}

/* The whole time in one number, read in BCD and 24 hours: 0x20261122235857. */
static u64 stamp(void)
{
	return (u64)get(CENTURY) << 48 | (u64)get(YEAR) << 40 | (u64)get(MONTH) << 32 | (u64)get(DAY) << 24 |
	       get(HOUR) << 16 | get(MIN_) << 8 | get(SEC);
}

static void after(u64 seconds)
{
	rig_go(&rig, rig.now + seconds * rig.clock.hz);
}

static void reset_values_are_a_running_clock_in_bcd(void **state)
{
	(void)state;
	assert_int_equal(get(A), 0x26);
	assert_int_equal(get(B), 0x02);
	assert_int_equal(get(C), 0x00);
	assert_int_equal(get(D), 0x80);
	assert_int_equal(stamp(), 0x20261122235857);
	assert_int_equal(get(WEEKDAY), 1);
	assert_int_equal(rig_read(&rtc_ops, &rtc, 0, 1), 0xff);
	assert_int_equal(get(0x80 | A), 0x26); /* bit 7 masks NMI */
	assert_null(rig.queue.first);
}

static void time_goes_on_exactly_at_every_rate(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rig_rates); i++) {
		u64 base;

		begin(rig_rates[i], &start);
		base = rig.now;
		rig_go(&rig, base + rig_rates[i] - 1);
		assert_int_equal(get(SEC), 0x57);
		rig_go(&rig, base + rig_rates[i]);
		assert_int_equal(get(SEC), 0x58);
		rig_go(&rig, base + rig_rates[i] * 63);
		assert_int_equal(stamp(), 0x20261123000000);
		assert_int_equal(get(WEEKDAY), 2);
		rig_go(&rig, base + rig_rates[i] * (63 + 86400ull * 365) - 1);
		assert_int_equal(stamp(), 0x20271122235959);
	}
}

static void the_calendar_knows_leap_years(void **state)
{
	static const struct {
		struct rtc_time at;
		u64 next;
		u8 weekday;
	} cases[] = {
		{ { 2023, 2, 28, 23, 59, 59 }, 0x20230301000000, 4 },
		{ { 2024, 2, 28, 23, 59, 59 }, 0x20240229000000, 5 },
		{ { 2024, 2, 29, 23, 59, 59 }, 0x20240301000000, 6 },
		{ { 2000, 2, 28, 23, 59, 59 }, 0x20000229000000, 3 },
		{ { 2100, 2, 28, 23, 59, 59 }, 0x21000301000000, 2 },
		{ { 1999, 12, 31, 23, 59, 59 }, 0x20000101000000, 7 },
		{ { 1969, 12, 31, 23, 59, 59 }, 0x19700101000000, 5 },
		{ { 0, 1, 1, 0, 0, 0 }, 0x00000101000001, 7 },
		{ { 9999, 12, 31, 23, 59, 59 }, 0x00000101000000, 7 },
		{ { 2026, 4, 30, 23, 59, 59 }, 0x20260501000000, 6 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(30000000, &cases[i].at);
		after(1);
		assert_int_equal(stamp(), cases[i].next);
		assert_int_equal(get(WEEKDAY), cases[i].weekday);
	}
}

static void every_day_of_800_years_follows_the_one_before(void **state)
{
	static const u8 length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct rtc_time t = { 1600, 1, 1, 12, 0, 0 };

	(void)state;
	begin(1, &t);
	set(B, 0x06);
	for (unsigned i = 0; i < 800 * 366; i++) {
		unsigned leap = t.year % 4 == 0 && (t.year % 100 != 0 || t.year % 400 == 0);

		if (++t.day > length[t.month - 1] + (t.month == 2 && leap)) {
			t.day = 1;
			if (++t.month > 12) {
				t.month = 1;
				t.year++;
			}
		}
		rig.now += 86400;
		assert_int_equal(get(DAY), t.day);
		assert_int_equal(rtc.ram[MONTH], t.month);
		assert_int_equal(rtc.ram[CENTURY] * 100 + rtc.ram[YEAR], t.year);
		assert_int_equal(rtc.ram[HOUR], 12);
		/* and told as this date, it is the same moment */
		if (i % 7 == 0) {
			u64 seconds = rtc.seconds + rig.now - rtc.phase;

			begin(1, &t);
			assert_true(rtc.seconds == seconds);
			set(B, 0x06);
		}
	}
}

static void data_modes_show_the_same_time(void **state)
{
	static const struct {
		u8 hour, bcd12, bin12;
	} cases[] = { { 0, 0x12, 12 },	  { 1, 0x01, 1 },     { 11, 0x11, 11 },
		      { 12, 0x92, 0x8c }, { 13, 0x81, 0x81 }, { 23, 0x91, 0x8b } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rtc_time t = { 2026, 11, 22, cases[i].hour, 58, 57 };

		begin(30000000, &t);
		set(B, 0x00);
		assert_int_equal(get(HOUR), cases[i].bcd12);
		set(B, 0x04);
		assert_int_equal(get(HOUR), cases[i].bin12);
		assert_int_equal(get(MIN_), 58);
		assert_int_equal(get(YEAR), 26);
		set(B, 0x06);
		assert_int_equal(get(HOUR), cases[i].hour);
		/* and written back in the 12-hour form */
		set(B, 0x00);
		set(HOUR, cases[i].bcd12);
		set(B, 0x06);
		assert_int_equal(get(HOUR), cases[i].hour);
	}
}

/* mc146818_set_time(): the new second begins half a second after the divider is released. */
static void linux_sets_the_clock(void **state)
{
	u64 released;

	(void)state;
	rig_go(&rig, rig.now + 300000000);
	set(B, get(B) | 0x80);
	set(A, get(A) | 0x70);
	set(YEAR, 0x30);
	set(MONTH, 0x02);
	set(DAY, 0x28);
	set(HOUR, 0x23);
	set(MIN_, 0x59);
	set(SEC, 0x59);
	set(CENTURY, 0x20);
	after(10);
	assert_int_equal(stamp(), 0x20300228235959);
	set(B, 0x02);
	after(10);
	assert_int_equal(get(SEC), 0x59); /* the divider still stands */
	set(A, 0x26);
	released = rig.now;
	rig_go(&rig, released + 499999999);
	assert_int_equal(stamp(), 0x20300228235959);
	rig_go(&rig, released + 500000000);
	assert_int_equal(stamp(), 0x20300301000000);
	rig_go(&rig, released + 1499999999);
	assert_int_equal(get(SEC), 0x00);
	rig_go(&rig, released + 1500000000);
	assert_int_equal(get(SEC), 0x01);
}

static void set_alone_stops_the_time_but_not_the_divider(void **state)
{
	u64 base = rig.now;

	(void)state;
	rig_go(&rig, base + 250000000);
	set(B, 0x82);
	after(5);
	assert_int_equal(get(SEC), 0x57);
	set(SEC, 0x10);
	set(B, 0x02);
	assert_int_equal(get(SEC), 0x10);
	rig_go(&rig, base + 5999999999);
	assert_int_equal(get(SEC), 0x10);
	rig_go(&rig, base + 6000000000);
	assert_int_equal(get(SEC), 0x11);
}

static void a_running_clock_can_be_written(void **state)
{
	(void)state;
	rig_go(&rig, rig.now + 900000000);
	set(HOUR, 0x01);
	assert_int_equal(stamp(), 0x20261122015857);
	rig_go(&rig, rig.now + 100000000);
	assert_int_equal(stamp(), 0x20261122015858);
	set(WEEKDAY, 5);
	after(86400);
	assert_int_equal(get(WEEKDAY), 6);
	set(YEAR, 0x27);
	assert_int_equal(stamp(), 0x20271123015858);
	set(YEAR, 0x26);
	set(CENTURY, 0x19);
	assert_int_equal(stamp(), 0x19261123015858);
	assert_int_equal(get(WEEKDAY), 6);
}

static void what_is_no_date_becomes_one(void **state)
{
	(void)state;
	set(B, 0x82);
	for (unsigned i = 0; i <= YEAR; i++)
		set(i, 0xff);
	set(CENTURY, 0xff);
	assert_int_equal(get(MONTH), 0xff); /* kept as long as the clock stands */
	set(B, 0x02);
	assert_int_equal(stamp(), 0x99991231235959);
	set(B, 0x82);
	set(MONTH, 0);
	set(DAY, 0);
	set(B, 0x02);
	assert_int_equal(stamp(), 0x99990101235959);
	set(B, 0x82);
	set(MONTH, 0x02);
	set(DAY, 0x31);
	set(YEAR, 0x26);
	set(B, 0x02);
	assert_int_equal(get(MONTH) << 8 | get(DAY), 0x0303);
}

static void uip_leads_the_update_by_244_us(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rig_rates); i++) {
		u64 lead, base;

		begin(rig_rates[i], &start);
		base = rig.now;
		lead = clock_ticks(&rig.clock, 8, 32768);
		assert_int_equal(get(A), 0x26);
		rig_go(&rig, base + rig_rates[i] - lead - 1);
		assert_int_equal(get(A), 0x26);
		rig_go(&rig, base + rig_rates[i] - lead);
		assert_int_equal(get(A), 0xa6);
		rig_go(&rig, base + rig_rates[i] - 1);
		assert_int_equal(get(A), 0xa6);
		set(B, 0x82);
		assert_int_equal(get(A), 0x26);
		set(B, 0x02);
		rig_go(&rig, base + rig_rates[i]);
		assert_int_equal(get(A), 0x26);
	}
	set(A, 0xaf); /* UIP cannot be written */
	assert_int_equal(get(A), 0x2f);
}

static void update_interrupts_come_at_each_second(void **state)
{
	u64 base = rig.now;

	(void)state;
	rig_go(&rig, base + 100);
	set(B, 0x12);
	assert_false(rig.line);
	for (unsigned i = 1; i <= 5; i++) {
		rig_go(&rig, base + i * 1000000000ull - 1);
		assert_int_equal(rig.rises, i - 1);
		rig_go(&rig, base + i * 1000000000ull);
		assert_true(rig.line);
		assert_int_equal(rig.rises, i);
		assert_int_equal(get(C), 0xd0); /* PF is not enabled, but tells */
		assert_false(rig.line);
		assert_int_equal(get(C), 0);
	}
	/* not acknowledged: no further edge, and no timer burns */
	after(1);
	assert_null(rig.queue.first);
	after(20);
	assert_int_equal(rig.rises, 6);
	get(C);
	set(B, 0x02);
	assert_null(rig.queue.first);
	after(3);
	assert_int_equal(rig.rises, 6);
	set(B, 0x92); /* SET clears UIE */
	assert_int_equal(get(B), 0x82);
}

static void periodic_interrupts_have_the_data_sheets_rates(void **state)
{
	static const u16 hz[16] = { 0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2 };

	(void)state;
	for (unsigned r = 0; r < ARRAY_SIZE(rig_rates); r++)
		for (unsigned rate = 0; rate < 16; rate++) {
			unsigned count = 0;
			u64 base;

			begin(rig_rates[r], &start);
			base = rig.now;
			set(A, 0x20 | rate);
			set(B, 0x42);
			while (timer_queue_next(&rig.queue) < base + rig_rates[r]) {
				rig_go(&rig, timer_queue_next(&rig.queue));
				count++;
				assert_true(rig.line);
				assert_int_equal(rig.now - base, clock_ticks(&rig.clock, count, hz[rate]));
				assert_int_equal(get(C), 0xc0);
				assert_false(rig.line);
			}
			assert_int_equal(count,
					 hz[rate] ? hz[rate] - 1 : 0); /* the last one is at the second */
		}
}

static void periodic_stops_with_the_divider(void **state)
{
	(void)state;
	set(B, 0x42);
	set(A, 0x66);
	after(2);
	assert_int_equal(rig.rises, 0);
	set(A, 0x26);
	after(1);
	assert_int_equal(rig.rises, 1);
}

static void alarms_match_what_is_not_dont_care(void **state)
{
	static const struct {
		u8 hour, minute, second;
		u32 seconds; /* from 23:58:57, 0: never */
	} cases[] = {
		{ 0x23, 0x58, 0x58, 1 },    { 0x23, 0x58, 0x57, 86400 }, { 0x00, 0x00, 0x00, 63 },
		{ 0xff, 0xff, 0xff, 1 },    { 0xff, 0xff, 0x57, 60 },	 { 0xff, 0xff, 0x00, 3 },
		{ 0xff, 0x59, 0xc0, 3 },    { 0xc0, 0xc0, 0xc0, 1 },	 { 0xbf, 0xff, 0xff, 0 },
		{ 0xff, 0xbf, 0xff, 0 },    { 0xff, 0xff, 0xbf, 0 },	 { 0x80, 0xff, 0xff, 0 },
		{ 0xff, 0x57, 0x56, 3539 }, { 0x12, 0xff, 0xff, 43263 }, { 0x12, 0xff, 0x30, 43293 },
		{ 0x24, 0x00, 0x00, 0 },    { 0xff, 0xff, 0x60, 0 },	 { 0xff, 0x1a, 0xff, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 base;

		begin(2100000000, &start);
		base = rig.now;
		set(HOUR_ALARM, cases[i].hour);
		set(MIN_ALARM, cases[i].minute);
		set(SEC_ALARM, cases[i].second);
		set(B, 0x22);
		rig_go(&rig, base + 2100000000ull * 90000);
		assert_int_equal(rig.rises, cases[i].seconds != 0);
		if (cases[i].seconds)
			assert_int_equal(rig.rise_at, base + 2100000000ull * cases[i].seconds);
		assert_int_equal(get(HOUR_ALARM), cases[i].hour);
	}
}

static void alarms_work_in_12_hours_and_binary(void **state)
{
	u64 base = rig.now;

	(void)state;
	set(B, 0x24);
	set(HOUR_ALARM, 12); /* midnight */
	set(MIN_ALARM, 1);
	set(SEC_ALARM, 2);
	rig_go(&rig, base + 200000000000);
	assert_int_equal(rig.rises, 1);
	assert_int_equal(rig.rise_at, base + 125000000000);
}

static void flags_show_without_enables_and_interrupt_when_enabled_later(void **state)
{
	(void)state;
	set(SEC_ALARM, 0x59);
	set(MIN_ALARM, 0xff);
	set(HOUR_ALARM, 0xff);
	after(1);
	assert_null(rig.queue.first);
	assert_int_equal(get(C), 0x50);
	after(1);
	assert_int_equal(get(C), 0x70);
	after(1);
	set(B, 0x12);
	assert_true(rig.line);
	assert_int_equal(get(C), 0xd0);
}

static void each_enable_bit_stands_for_its_own_flag(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 7; bit++) {
		setup(NULL);
		set(A, 0x20);	       /* no periodic rate */
		set(HOUR_ALARM, 0x24); /* no alarm */
		set(B, 1 << bit);
		after(2);
		assert_int_equal(rig.line, bit == 4);
		setup(NULL);
		set(HOUR_ALARM, 0x24);
		set(B, 0x80 | 1 << bit); /* stands still: no update, no alarm */
		after(2);
		assert_int_equal(rig.line, bit == 6);
	}
}

static void reset_keeps_time_and_memory(void **state)
{
	(void)state;
	set(0x0e, 0x11);
	set(0x7f, 0x22);
	set(B, 0x7e);
	after(1);
	assert_true(rig.line);
	rtc_reset(&rtc);
	assert_false(rig.line);
	assert_null(rig.queue.first);
	assert_int_equal(get(B), 0x06);
	assert_int_equal(get(C), 0);
	assert_int_equal(get(SEC), 58);
	assert_int_equal(get(0x0e), 0x11);
	assert_int_equal(get(0x7f), 0x22);
}

static void status_registers_are_read_only(void **state)
{
	(void)state;
	set(C, 0xff);
	set(D, 0);
	assert_int_equal(get(C), 0);
	assert_int_equal(get(D), 0x80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reset_values_are_a_running_clock_in_bcd, setup),
		cmocka_unit_test_setup(time_goes_on_exactly_at_every_rate, setup),
		cmocka_unit_test_setup(the_calendar_knows_leap_years, setup),
		cmocka_unit_test_setup(every_day_of_800_years_follows_the_one_before, setup),
		cmocka_unit_test_setup(data_modes_show_the_same_time, setup),
		cmocka_unit_test_setup(linux_sets_the_clock, setup),
		cmocka_unit_test_setup(set_alone_stops_the_time_but_not_the_divider, setup),
		cmocka_unit_test_setup(a_running_clock_can_be_written, setup),
		cmocka_unit_test_setup(what_is_no_date_becomes_one, setup),
		cmocka_unit_test_setup(uip_leads_the_update_by_244_us, setup),
		cmocka_unit_test_setup(update_interrupts_come_at_each_second, setup),
		cmocka_unit_test_setup(periodic_interrupts_have_the_data_sheets_rates, setup),
		cmocka_unit_test_setup(periodic_stops_with_the_divider, setup),
		cmocka_unit_test_setup(alarms_match_what_is_not_dont_care, setup),
		cmocka_unit_test_setup(alarms_work_in_12_hours_and_binary, setup),
		cmocka_unit_test_setup(flags_show_without_enables_and_interrupt_when_enabled_later, setup),
		cmocka_unit_test_setup(each_enable_bit_stands_for_its_own_flag, setup),
		cmocka_unit_test_setup(reset_keeps_time_and_memory, setup),
		cmocka_unit_test_setup(status_registers_are_read_only, setup),
	};

	return cmocka_run_group_tests_name("rtc", tests, NULL, NULL);
}
