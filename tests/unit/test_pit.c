// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/isa_rig.h"
#include "devices/pit.h"

static struct rig rig;
static struct pit pit;
static u64 base; /* tick of PIT clock 0 */

static u8 in(unsigned port)
{
	return rig_read(&pit_ops, &pit, port, 1);
}

static void out(unsigned port, u8 value)
{
	rig_write(&pit_ops, &pit, port, 1, value);
}

static u8 in61(void)
{
	return rig_read(&pit_port61_ops, &pit, 0, 1);
}

static void out61(u8 value)
{
	rig_write(&pit_port61_ops, &pit, 0, 1, value);
}

static void begin(u64 hz)
{
	rig_init(&rig, hz);
	pit_init(&pit, &rig.clock, &rig.queue, rig_line(&rig));
	base = rig.now;
}

static int setup(void **state)
{
	(void)state;
	begin(1000000000);
	return 0;
}

static u64 tick_of(u64 clock)
{
	return base + clock_ticks(&rig.clock, clock, PIT_HZ);
}

/* To the first tick of a PIT clock. */
static void go(u64 clock)
{
	rig_go(&rig, tick_of(clock));
}

static void load(unsigned channel, u8 control, u16 count)
{
	out(3, channel << 6 | control);
	out(channel, count);
	out(channel, count >> 8);
}

static unsigned latched(unsigned channel)
{
	unsigned low;

	out(3, channel << 6);
	low = in(channel);
	return in(channel) << 8 | low;
}

static u8 status(unsigned channel)
{
	out(3, 0xe0 | 2 << channel);
	return in(channel);
}

static bool out2(void)
{
	return in61() & 0x20;
}

static void wakes_up_silent(void **state)
{
	(void)state;
	assert_int_equal(in(3), 0xff);
	assert_int_equal(in61() & ~0x10, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(status(i), 0x70);
	assert_false(rig.line);
	assert_null(rig.queue.first);
}

/* arch/x86/kernel/tsc.c, quick_pit_calibrate(): unlatched reads of mode 0 while the high byte counts down */
static void linux_quick_calibration_measures_the_clock(void **state)
{
	(void)state;
	for (unsigned r = 0; r < ARRAY_SIZE(rig_rates); r++) {
		u64 at[2] = { 0 };
		double measured;

		begin(rig_rates[r]);
		out61((in61() & ~0x02) | 0x01);
		load(2, 0x30, 0xffff);
		in(2);
		in(2);
		for (unsigned msb = 0xfe, n = 0; n < 2; msb -= 0x40, n++) {
			while (in(2), in(2) != msb)
				rig_go(&rig, rig.now + rig_rates[r] / 4000000 + 1);
			at[n] = rig.now;
		}
		measured = (at[1] - at[0]) * (double)PIT_HZ / (0x40 * 256);
		assert_true(measured > rig_rates[r] * 0.9999 && measured < rig_rates[r] * 1.0001);
	}
}

/* pit_calibrate_tsc(): mode 0 on channel 2, the output in port 0x61 rises at the end */
static void linux_long_calibration_sees_the_output_rise(void **state)
{
	u16 count = PIT_HZ / 100;

	(void)state;
	for (unsigned r = 0; r < ARRAY_SIZE(rig_rates); r++) {
		begin(rig_rates[r]);
		out61((in61() & ~0x02) | 0x01);
		load(2, 0x30, count);
		assert_false(out2());
		rig_go(&rig, tick_of(count + 1) - 1);
		assert_false(out2());
		rig_go(&rig, tick_of(count + 1));
		assert_true(out2());
	}
}

static void mode_0_counts_through_zero(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x30, 5);
	assert_int_equal(status(2), 0x70); /* null count: loaded at the next clock */
	go(1);
	assert_int_equal(status(2), 0x30);
	assert_int_equal(latched(2), 5);
	go(5);
	assert_int_equal(latched(2), 1);
	assert_false(out2());
	go(6);
	assert_int_equal(latched(2), 0);
	assert_true(out2());
	go(7);
	assert_int_equal(latched(2), 0xffff);
	assert_true(out2());
	go(1 + 5 + 65536 + 3);
	assert_int_equal(latched(2), 0xfffd);
	out(2, 9); /* the first byte of a new count stops it and lowers the output */
	assert_false(out2());
	go(80000);
	assert_int_equal(latched(2), 0xfffd);
	out(2, 0);
	go(80001);
	assert_int_equal(latched(2), 9);
	go(80010);
	assert_true(out2());
}

static void mode_0_waits_for_its_gate(void **state)
{
	(void)state;
	load(2, 0x30, 100);
	go(500);
	assert_int_equal(latched(2), 100);
	out61(1);
	go(540);
	assert_int_equal(latched(2), 60);
	out61(0);
	go(1000);
	assert_int_equal(latched(2), 60);
	assert_false(out2());
	out61(1);
	go(1059);
	assert_false(out2());
	go(1060);
	assert_true(out2());
}

static void mode_1_is_a_retriggerable_one_shot(void **state)
{
	(void)state;
	load(2, 0x32, 10);
	assert_true(out2());
	assert_int_equal(status(2) & 0x40, 0x40);
	go(50);
	assert_true(out2());
	out61(1);
	assert_true(out2());
	go(51);
	assert_false(out2());
	assert_int_equal(status(2), 0x32);
	go(55);
	out61(0); /* the falling edge does nothing */
	out61(1); /* retrigger */
	assert_false(out2());
	go(65);
	assert_false(out2());
	go(66);
	assert_true(out2());
	/* a new count waits for the next trigger */
	out(2, 3);
	out(2, 0);
	assert_int_equal(status(2) & 0x40, 0x40);
	go(100);
	out61(0);
	out61(1);
	go(103);
	assert_false(out2());
	go(104);
	assert_true(out2());
}

static void mode_2_is_low_for_the_last_clock(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x34, 4);
	for (unsigned clock = 1; clock < 40; clock++) {
		go(clock);
		assert_int_equal(latched(2), 4 - (clock - 1) % 4);
		assert_int_equal(out2(), (clock - 1) % 4 != 3);
	}
	out61(0); /* stops high, starts anew */
	assert_true(out2());
	go(100);
	assert_true(out2());
	assert_int_equal(latched(2), 2);
	out61(1);
	go(104);
	assert_false(out2());
	assert_int_equal(latched(2), 1);
	go(105);
	assert_true(out2());
}

static void mode_2_takes_a_new_count_after_the_period(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x34, 10);
	go(5);
	out(2, 6);
	out(2, 0);
	assert_int_equal(status(2) & 0x40, 0x40);
	go(10);
	assert_int_equal(latched(2), 1);
	assert_false(out2());
	go(11);
	assert_int_equal(latched(2), 6);
	assert_int_equal(status(2) & 0x40, 0);
	go(16);
	assert_false(out2());
	go(17);
	assert_true(out2());
}

static void mode_3_halves_even_and_odd_counts(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x36, 6);
	for (unsigned clock = 1; clock < 40; clock++) {
		unsigned n = (clock - 1) % 6;

		go(clock);
		assert_int_equal(out2(), n < 3);
		assert_int_equal(latched(2), 6 - n % 3 * 2);
	}
	begin(5000000000);
	out61(1);
	load(2, 0x36, 7);
	for (unsigned clock = 1; clock < 40; clock++) {
		unsigned n = (clock - 1) % 7;

		go(clock);
		assert_int_equal(out2(), n < 4);
		assert_int_equal(latched(2), 6 - (n < 4 ? n : n - 4) * 2);
	}
}

static void mode_3_takes_a_new_count_after_the_half(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x36, 10);
	go(3);
	out(2, 20); /* in the high half, which ends at 6 */
	out(2, 0);
	go(5);
	assert_true(out2());
	go(6);
	assert_false(out2());
	assert_int_equal(latched(2), 20);
	go(15);
	assert_false(out2());
	go(16);
	assert_true(out2());
	go(27);
	out(2, 4); /* in the low half, 26..35 */
	out(2, 0);
	go(35);
	assert_false(out2());
	go(36);
	assert_true(out2());
	go(38);
	assert_false(out2());
	go(40);
	assert_true(out2());
}

static void modes_4_and_5_strobe_once(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x38, 5);
	go(5);
	assert_true(out2());
	go(6);
	assert_false(out2());
	go(7);
	assert_true(out2());
	go(6 + 65536);
	assert_true(out2());

	begin(1000000000);
	load(2, 0x3a, 5);
	go(70);
	assert_true(out2());
	out61(1);
	go(76);
	assert_false(out2());
	go(77);
	assert_true(out2());
	out61(0);
	out61(1);
	go(83);
	assert_false(out2());
}

static void bcd_counts_in_decimal(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x31, 0x1234);
	go(1);
	assert_int_equal(latched(2), 0x1234);
	go(1 + 235);
	assert_int_equal(latched(2), 0x0999);
	go(1 + 1235);
	assert_int_equal(latched(2), 0x9999);
	load(2, 0x31, 0); /* 10000 */
	go(1 + 1235 + 2);
	assert_int_equal(latched(2), 0x9999);
	load(2, 0x31, 0xffff); /* no digits, but no harm */
	go(3000);
	latched(2);
	load(2, 0x30, 0); /* 65536 */
	go(3002);
	assert_int_equal(latched(2), 0xffff);
}

static void single_byte_access_leaves_the_other_byte_zero(void **state)
{
	(void)state;
	out61(1);
	out(3, 0x90);
	out(2, 0x80);
	go(1);
	assert_int_equal(in(2), 0x80);
	assert_int_equal(in(2), 0x80);
	out(3, 0xa0);
	out(2, 0x80);
	go(2);
	assert_int_equal(in(2), 0x80);
	go(3);
	assert_int_equal(in(2), 0x7f);
	out(3, 0x80);
	assert_int_equal(in(2), 0x7f);
}

static void a_latch_holds_until_it_is_read(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x30, 1000);
	go(101);
	out(3, 0x80);
	go(201);
	out(3, 0x80); /* ignored: the first is not read yet */
	assert_int_equal(in(2), 900 & 0xff);
	go(301);
	assert_int_equal(in(2), 900 >> 8);
	assert_int_equal(in(2), 700 & 0xff);
}

static void read_back_latches_status_before_count(void **state)
{
	(void)state;
	out61(1);
	load(0, 0x34, 1000);
	load(2, 0x36, 600);
	go(101);
	out(3, 0xc0 | 0x0a); /* both of channels 0 and 2 */
	go(150);
	out(3, 0xc0 | 0x0a);
	assert_int_equal(in(2), 0xb6);
	assert_int_equal(in(2), 400 & 0xff);
	assert_int_equal(in(2), 400 >> 8);
	assert_int_equal(in(0), 0xb4);
	assert_int_equal(in(0), 900 & 0xff);
	assert_int_equal(in(0), 900 >> 8);
	out(3, 0xc0 | 0x30 | 0x0e); /* neither */
	assert_int_equal(in(0), 851 & 0xff);
}

static void port_61_keeps_four_bits_and_toggles_refresh(void **state)
{
	unsigned toggles = 0;
	u8 last;

	(void)state;
	out61(0xff);
	assert_int_equal(in61() & 0xcf, 0x0f);
	last = in61() & 0x10;
	for (unsigned clock = 0; clock < 18 * 100; clock++) {
		go(clock);
		toggles += (in61() & 0x10) != last;
		last = in61() & 0x10;
	}
	assert_int_equal(toggles, 99);
}

static void periodic_ticks_are_exact_at_every_rate(void **state)
{
	(void)state;
	for (unsigned r = 0; r < ARRAY_SIZE(rig_rates); r++)
		for (unsigned mode = 2; mode <= 3; mode++) {
			u16 count = 1193 + mode; /* 1000 Hz and near */

			begin(rig_rates[r]);
			load(0, 0x30 | mode << 1, count);
			rig.rises = 0; /* the output rose with the mode */
			for (unsigned i = 1; i <= 1000; i++) {
				rig_go(&rig, timer_queue_next(&rig.queue));
				assert_int_equal(rig.rises, i);
				assert_int_equal(rig.now, tick_of(1 + (u64)i * count));
				assert_true(rig.line);
			}
		}
}

static void one_shots_fire_once(void **state)
{
	(void)state;
	load(0, 0x30, 5000);
	assert_false(rig.line);
	go(5000);
	assert_false(rig.line);
	go(5001);
	assert_true(rig.line);
	assert_int_equal(rig.rises, 1);
	assert_null(rig.queue.first);
	load(0, 0x38, 5000); /* mode 4: idle high, then a low strobe */
	assert_true(rig.line);
	go(5001 + 5000 + 1);
	assert_int_equal(rig.rises, 1);
	go(5001 + 5000 + 2);
	assert_int_equal(rig.rises, 2);
	go(300000);
	assert_int_equal(rig.rises, 2);
	/* pit_shutdown() */
	out(3, 0x30);
	assert_false(rig.line);
	assert_null(rig.queue.first);
}

static void the_first_tick_comes_after_a_whole_period_at_any_time(void **state)
{
	(void)state;
	go(100000);
	load(0, 0x34, 1000);
	rig.rises = 0;
	go(101000);
	assert_int_equal(rig.rises, 0);
	go(101001);
	assert_int_equal(rig.rises, 1);
}

static void short_one_shots_are_not_held_back(void **state)
{
	(void)state;
	load(0, 0x30, 10);
	go(11);
	assert_int_equal(rig.rises, 1);
	load(0, 0x30, 10);
	go(21);
	assert_int_equal(rig.rises, 1);
	go(22);
	assert_int_equal(rig.rises, 2);
}

static void modes_6_and_7_are_2_and_3(void **state)
{
	(void)state;
	load(2, 0x3c, 10);
	assert_int_equal(status(2) & 0x0e, 0x04);
	load(2, 0x3e, 10);
	assert_int_equal(status(2) & 0x0e, 0x06);
}

static void unlatched_reads_see_the_new_count(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x34, 1000);
	go(5);
	out(2, 300 & 0xff);
	out(2, 300 >> 8);
	go(1001);
	assert_int_equal(in(2), 300 & 0xff);
	assert_int_equal(in(2), 300 >> 8);
}

static void a_count_at_the_end_of_the_high_half_waits_for_the_low_one(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x36, 10);
	go(6);
	assert_false(out2());
	out(2, 20);
	out(2, 0);
	go(10);
	assert_false(out2());
	go(11);
	assert_true(out2());
	assert_int_equal(latched(2), 20);
	go(20);
	assert_true(out2());
	go(21);
	assert_false(out2());
}

static void triggered_modes_ignore_a_gate_that_was_high_before(void **state)
{
	(void)state;
	out61(1);
	for (unsigned control = 0x32; control <= 0x3a; control += 8) {
		load(2, control, 5);
		for (unsigned i = 0; i < 20; i++) {
			rig_go(&rig, rig.now + 1000);
			assert_true(out2());
		}
		assert_int_equal(status(2), 0xc0 | control);
	}
}

static void triggered_modes_never_fire_on_channel_0(void **state)
{
	(void)state;
	load(0, 0x32, 100);
	load(0, 0x3a, 100);
	assert_null(rig.queue.first);
}

static void a_new_period_keeps_the_edges_in_step(void **state)
{
	(void)state;
	load(0, 0x36, 1000);
	rig.rises = 0;
	go(100);
	out(0, 2000 & 0xff); /* high half, to 501: then 1000 clocks low */
	out(0, 2000 >> 8);
	go(1500);
	assert_int_equal(rig.rises, 0);
	go(1501);
	assert_int_equal(rig.rises, 1);
	go(3501);
	assert_int_equal(rig.rises, 2);
}

static void a_timer_storm_is_held_back(void **state)
{
	(void)state;
	for (u16 count = 1; count <= 300; count++) {
		u64 last = 0;

		begin(30000000);
		load(0, 0x34, count);
		go(100000);
		assert_in_range(rig.rises, 300, 100000 / PIT_MIN_CLOCKS + 2);
		/* each edge that does come is one of the real ones */
		last = (rig.rise_at - base) * PIT_HZ / rig.clock.hz;
		assert_int_equal((last - 1) % MAX(count, 2), 0);
	}
}

static void missed_ticks_are_not_made_up_for(void **state)
{
	(void)state;
	load(0, 0x34, 1000);
	rig.rises = 0;
	rig.now = tick_of(50500);
	timer_queue_run(&rig.queue, rig.now);
	assert_int_equal(rig.rises, 1);
	assert_int_equal(timer_queue_next(&rig.queue), tick_of(51001));
}

/* A counter as the data sheet tells it, clock by clock. */
struct naive {
	unsigned mode, modulus;
	u32 cr, ce; /* count register and counting element */
	bool out, gate, loaded, load, running, low_half, odd, strobe;
};

static void naive_reload(struct naive *n)
{
	n->ce = n->mode == 3 ? n->cr & ~1u : n->cr;
	n->odd = n->cr % 2;
	n->load = false;
	n->loaded = true;
	n->strobe = true;
}

static void naive_control(struct naive *n, unsigned mode, bool bcd)
{
	*n = (struct naive){
		.mode = mode, .modulus = bcd ? 10000 : 65536, .out = mode != 0, .gate = n->gate
	};
}

static void naive_count(struct naive *n, u32 count)
{
	n->cr = count ? count : n->modulus;
	if (n->mode == 0)
		n->out = false;
	if (n->mode == 0 || n->mode == 4 || ((n->mode == 2 || n->mode == 3) && !n->running))
		n->load = true;
	n->running = true;
}

static void naive_gate(struct naive *n, bool gate)
{
	bool edge = gate && !n->gate;

	n->gate = gate;
	if (n->mode == 2 || n->mode == 3)
		n->out |= !gate;
	if (edge && n->running && n->mode != 0 && n->mode != 4) {
		n->load = true;
		n->low_half = false;
	}
}

static void naive_clock(struct naive *n)
{
	if (n->load) {
		naive_reload(n);
		n->out = n->mode > 1 || (n->mode == 1 ? false : n->out);
		n->low_half = false;
		return;
	}
	if (!n->loaded || (!n->gate && n->mode != 1 && n->mode != 5))
		return;
	switch (n->mode) {
	case 2:
		if (n->ce == 1)
			naive_reload(n);
		else
			n->ce--;
		n->out = n->ce != 1;
		break;
	case 3:
		/* an odd count's high half shows zero for one clock */
		if (n->ce == 0 || (n->ce == 2 && (n->low_half || !n->odd))) {
			n->low_half = !n->low_half;
			n->out = !n->low_half;
			naive_reload(n);
		} else {
			n->ce -= 2;
		}
		break;
	default:
		n->ce = (n->ce + n->modulus - 1) % n->modulus;
		if (n->mode <= 1) {
			n->out |= n->ce == 0;
		} else {
			n->out = n->ce != 0 || !n->strobe;
			n->strobe &= n->ce != 0;
		}
		break;
	}
}

static u16 to_bcd(u32 value)
{
	return value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
}

static void every_mode_agrees_with_a_counter_made_of_clocks(void **state)
{
	u32 seed = 1;

	(void)state;
	for (unsigned run = 0; run < 600; run++) {
		struct naive n = { 0 };
		bool bcd = run % 5 == 4;
		unsigned mode = run % 6;
		u32 range = run % 7 ? 12 : 70000;

		begin(PIT_HZ);
		naive_control(&n, mode, bcd);
		out(3, 0xb0 | mode << 1 | bcd);
		for (unsigned clock = 1; clock < 400; clock++) {
			seed = seed * 1664525 + 1013904223;
			switch (seed >> 28) {
			case 0: {
				u32 count = 2 + (seed >> 8) % range % (n.modulus - 2);

				naive_count(&n, count);
				out(2, bcd ? to_bcd(count) : count);
				out(2, (bcd ? to_bcd(count) : count) >> 8);
				break;
			}
			case 1:
			case 2:
				if (mode == 4 && !n.out) /* a gate that falls in the strobe: not said */
					break;
				naive_gate(&n, seed >> 20 & 1);
				out61(seed >> 20 & 1);
				break;
			default:
				break;
			}
			assert_int_equal(out2(), n.out);
			go(clock);
			naive_clock(&n);
			assert_int_equal(out2(), n.out);
			if (n.loaded && !n.load)
				assert_int_equal(latched(2), bcd ? to_bcd(n.ce) : (u16)n.ce);
		}
	}
}

static void a_count_may_be_corrected_before_it_is_loaded(void **state)
{
	(void)state;
	out61(1);
	load(2, 0x34, 500);
	out(2, 7);
	out(2, 0);
	go(1);
	assert_int_equal(latched(2), 7);
	go(7);
	assert_false(out2());
}

static void reset_stops_everything(void **state)
{
	(void)state;
	out61(3);
	load(0, 0x34, 1000);
	load(2, 0x34, 1000);
	go(1500);
	pit_reset(&pit);
	assert_false(rig.line);
	wakes_up_silent(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(wakes_up_silent, setup),
		cmocka_unit_test_setup(linux_quick_calibration_measures_the_clock, setup),
		cmocka_unit_test_setup(linux_long_calibration_sees_the_output_rise, setup),
		cmocka_unit_test_setup(mode_0_counts_through_zero, setup),
		cmocka_unit_test_setup(mode_0_waits_for_its_gate, setup),
		cmocka_unit_test_setup(mode_1_is_a_retriggerable_one_shot, setup),
		cmocka_unit_test_setup(mode_2_is_low_for_the_last_clock, setup),
		cmocka_unit_test_setup(mode_2_takes_a_new_count_after_the_period, setup),
		cmocka_unit_test_setup(mode_3_halves_even_and_odd_counts, setup),
		cmocka_unit_test_setup(mode_3_takes_a_new_count_after_the_half, setup),
		cmocka_unit_test_setup(modes_4_and_5_strobe_once, setup),
		cmocka_unit_test_setup(bcd_counts_in_decimal, setup),
		cmocka_unit_test_setup(single_byte_access_leaves_the_other_byte_zero, setup),
		cmocka_unit_test_setup(a_latch_holds_until_it_is_read, setup),
		cmocka_unit_test_setup(read_back_latches_status_before_count, setup),
		cmocka_unit_test_setup(port_61_keeps_four_bits_and_toggles_refresh, setup),
		cmocka_unit_test_setup(periodic_ticks_are_exact_at_every_rate, setup),
		cmocka_unit_test_setup(one_shots_fire_once, setup),
		cmocka_unit_test_setup(the_first_tick_comes_after_a_whole_period_at_any_time, setup),
		cmocka_unit_test_setup(short_one_shots_are_not_held_back, setup),
		cmocka_unit_test_setup(modes_6_and_7_are_2_and_3, setup),
		cmocka_unit_test_setup(unlatched_reads_see_the_new_count, setup),
		cmocka_unit_test_setup(a_count_at_the_end_of_the_high_half_waits_for_the_low_one, setup),
		cmocka_unit_test_setup(triggered_modes_ignore_a_gate_that_was_high_before, setup),
		cmocka_unit_test_setup(triggered_modes_never_fire_on_channel_0, setup),
		cmocka_unit_test_setup(a_new_period_keeps_the_edges_in_step, setup),
		cmocka_unit_test_setup(a_timer_storm_is_held_back, setup),
		cmocka_unit_test_setup(missed_ticks_are_not_made_up_for, setup),
		cmocka_unit_test_setup(every_mode_agrees_with_a_counter_made_of_clocks, setup),
		cmocka_unit_test_setup(a_count_may_be_corrected_before_it_is_loaded, setup),
		cmocka_unit_test_setup(reset_stops_everything, setup),
	};

	return cmocka_run_group_tests_name("pit", tests, NULL, NULL);
}
