// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/isa_rig.h"

struct fired {
	struct timer_queue queue;
	struct timer timer[4];
	char order[32];
	unsigned count, earlier;
	u64 again;  /* re-arm the timer for this from its own callback */
	int cancel; /* cancel this one from any callback */
	bool nest;
};

struct slot {
	struct fired *all;
	unsigned index;
};

static struct fired f;
static struct slot slots[4];

static void fired(void *device)
{
	struct slot *slot = device;

	assert_int_equal(f.timer[slot->index].deadline, TIMER_NEVER); /* free to be armed */
	assert_true(f.count < sizeof(f.order) - 1);
	f.order[f.count++] = 'a' + slot->index;
	if (f.again != TIMER_NEVER)
		timer_arm(&f.queue, &f.timer[slot->index], f.again);
	if (f.cancel >= 0)
		timer_cancel(&f.queue, &f.timer[f.cancel]);
	if (f.nest)
		timer_queue_run(&f.queue, 1000);
}

static void earlier(void *waiter)
{
	((struct fired *)waiter)->earlier++;
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.again = TIMER_NEVER;
	f.cancel = -1;
	f.queue.earlier = earlier;
	f.queue.waiter = &f;
	for (unsigned i = 0; i < 4; i++) {
		slots[i] = (struct slot){ &f, i };
		timer_init(&f.timer[i], fired, &slots[i]);
	}
	return 0;
}

static void runs_in_order_of_deadline_and_of_arming(void **state)
{
	(void)state;
	timer_arm(&f.queue, &f.timer[0], 30);
	timer_arm(&f.queue, &f.timer[1], 10);
	timer_arm(&f.queue, &f.timer[2], 20);
	timer_arm(&f.queue, &f.timer[3], 10);
	assert_int_equal(timer_queue_run(&f.queue, 9), 10);
	assert_int_equal(f.count, 0);
	assert_int_equal(timer_queue_run(&f.queue, 20), 30);
	assert_string_equal(f.order, "bdc");
	assert_int_equal(timer_queue_run(&f.queue, 30), TIMER_NEVER);
	assert_string_equal(f.order, "bdca");
	assert_int_equal(timer_queue_run(&f.queue, TIMER_NEVER), TIMER_NEVER);
	assert_int_equal(f.count, 4);
}

static void arming_again_moves_a_timer(void **state)
{
	(void)state;
	timer_arm(&f.queue, &f.timer[0], 10);
	timer_arm(&f.queue, &f.timer[1], 20);
	timer_arm(&f.queue, &f.timer[0], 30);
	assert_int_equal(timer_queue_next(&f.queue), 20);
	timer_arm(&f.queue, &f.timer[1], TIMER_NEVER);
	assert_int_equal(timer_queue_next(&f.queue), 30);
	assert_int_equal(f.timer[1].deadline, TIMER_NEVER);
	timer_queue_run(&f.queue, 100);
	assert_string_equal(f.order, "a");
}

static void cancelling_is_harmless_twice(void **state)
{
	(void)state;
	timer_cancel(&f.queue, &f.timer[0]);
	timer_arm(&f.queue, &f.timer[0], 10);
	timer_arm(&f.queue, &f.timer[1], 11);
	timer_cancel(&f.queue, &f.timer[0]);
	timer_cancel(&f.queue, &f.timer[0]);
	assert_int_equal(timer_queue_run(&f.queue, 50), TIMER_NEVER);
	assert_string_equal(f.order, "b");
}

static void earlier_is_told_only_when_the_first_deadline_moves_forward(void **state)
{
	(void)state;
	timer_arm(&f.queue, &f.timer[0], 50);
	assert_int_equal(f.earlier, 1);
	timer_arm(&f.queue, &f.timer[1], 60);
	timer_arm(&f.queue, &f.timer[2], 50);
	assert_int_equal(f.earlier, 1);
	timer_arm(&f.queue, &f.timer[1], 40);
	assert_int_equal(f.earlier, 2);
	timer_arm(&f.queue, &f.timer[1], 45); /* later than the waiter knows */
	assert_int_equal(f.earlier, 2);
	timer_cancel(&f.queue, &f.timer[1]);
	assert_int_equal(f.earlier, 2);
}

static void a_timer_that_re_arms_in_the_past_runs_once_per_run(void **state)
{
	(void)state;
	f.again = 5;
	timer_arm(&f.queue, &f.timer[0], 10);
	timer_arm(&f.queue, &f.timer[1], 20);
	assert_int_equal(timer_queue_run(&f.queue, 100), 5);
	assert_string_equal(f.order, "ab");
	timer_queue_run(&f.queue, 100);
	assert_string_equal(f.order, "abab");
}

static void a_callback_may_cancel_a_timer_that_is_due_too(void **state)
{
	(void)state;
	f.cancel = 1;
	timer_arm(&f.queue, &f.timer[0], 10);
	timer_arm(&f.queue, &f.timer[1], 11);
	timer_arm(&f.queue, &f.timer[2], 12);
	timer_queue_run(&f.queue, 100);
	assert_string_equal(f.order, "ac");
	assert_int_equal(f.timer[1].deadline, TIMER_NEVER);
}

static void a_run_from_a_callback_loses_nothing(void **state)
{
	(void)state;
	f.nest = true;
	for (unsigned i = 0; i < 4; i++)
		timer_arm(&f.queue, &f.timer[i], 10 + i);
	timer_queue_run(&f.queue, 100);
	assert_string_equal(f.order, "abcd");
}

static void conversions_are_exact_at_every_rate(void **state)
{
	static const u64 oscillators[] = { 1, 2, 8192, 32768, 1193182, 3579545 };
	u64 seed = 1;

	(void)state;
	for (unsigned r = 0; r < ARRAY_SIZE(rig_rates); r++)
		for (unsigned o = 0; o < ARRAY_SIZE(oscillators); o++)
			for (unsigned i = 0; i < 2000; i++) {
				struct clock clock = { .hz = rig_rates[r] };
				u64 hz = oscillators[o], n, ticks;
				unsigned __int128 exact;

				seed = seed * 6364136223846793005 + 1442695040888963407;
				n = seed >> (24 + i % 40); /* up to 2^40 periods */
				exact = ((unsigned __int128)n * clock.hz + hz - 1) / hz;
				ticks = clock_ticks(&clock, n, hz);
				assert_true(ticks == (u64)exact);
				assert_true(exact >> 64 || clock_periods(&clock, ticks, hz) >= n);
				assert_true(exact >> 64 || ticks == 0 ||
					    clock_periods(&clock, ticks - 1, hz) < n);
				exact = (unsigned __int128)seed * hz / clock.hz;
				assert_true(clock_periods(&clock, seed, hz) == (u64)exact);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(runs_in_order_of_deadline_and_of_arming, setup),
		cmocka_unit_test_setup(arming_again_moves_a_timer, setup),
		cmocka_unit_test_setup(cancelling_is_harmless_twice, setup),
		cmocka_unit_test_setup(earlier_is_told_only_when_the_first_deadline_moves_forward, setup),
		cmocka_unit_test_setup(a_timer_that_re_arms_in_the_past_runs_once_per_run, setup),
		cmocka_unit_test_setup(a_callback_may_cancel_a_timer_that_is_due_too, setup),
		cmocka_unit_test_setup(a_run_from_a_callback_loses_nothing, setup),
		cmocka_unit_test_setup(conversions_are_exact_at_every_rate, setup),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
