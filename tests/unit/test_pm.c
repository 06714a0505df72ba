// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/isa_rig.h"
#include "tests/unit/host_log.h"
#include "devices/pm.h"

enum { STATUS = 0, ENABLE = 2, CONTROL = 4, TIMER = 8 };

static struct rig rig;
static struct pm pm;
static unsigned offs, resets;

static void power_off(void *board)
{
	assert_ptr_equal(board, &pm);
	offs++;
}

static void reset(void *board)
{
	assert_ptr_equal(board, &pm);
	resets++;
	pm_reset(&pm); /* a board may do so at once */
}

static u64 get(unsigned offset, unsigned size)
{
	return rig_read(&pm_acpi_ops, &pm, offset, size);
}

static void put(unsigned offset, unsigned size, u64 value)
{
	rig_write(&pm_acpi_ops, &pm, offset, size, value);
}

static void begin(u64 hz)
{
	rig_init(&rig, hz);
	offs = resets = 0;
	host_log_reset();
	pm_init(&pm, &rig.clock, &rig.queue, rig_line(&rig), (struct pm_board){ power_off, reset, &pm });
}

static int setup(void **state)
{
	(void)state;
	begin(1000000000);
	return 0;
}

static void reset_values_say_acpi_is_on(void **state)
{
	(void)state;
	assert_int_equal(get(STATUS, 2), 0);
	assert_int_equal(get(ENABLE, 2), 0);
	assert_int_equal(get(CONTROL, 2), 1);
	assert_int_equal(get(TIMER, 4), 0);
	assert_int_equal(get(6, 2), 0xffff);
	assert_int_equal(rig_read(&pm_sleep_ops, &pm, 0, 1), 0);
	assert_int_equal(rig_read(&pm_sleep_ops, &pm, 1, 1), 0);
	assert_int_equal(rig_read(&pm_reset_ops, &pm, 0, 1), 0);
	assert_null(rig.queue.first);
	assert_false(rig.line);
}

static void registers_keep_what_exists(void **state)
{
	(void)state;
	put(ENABLE, 2, 0xffff & ~1);
	assert_int_equal(get(ENABLE, 2), 0x0720);
	put(CONTROL, 2, 0xdfff);
	assert_int_equal(get(CONTROL, 2), 0x1c03);
	put(CONTROL, 2, 0);
	assert_int_equal(get(CONTROL, 2), 1); /* SCI_EN cannot be switched off */
	put(TIMER, 4, 0x12345678);
	assert_int_equal(get(TIMER, 4), 0);
	put(6, 2, 0);
	assert_int_equal(get(6, 2), 0xffff);
	assert_int_equal(offs + resets, 0);
	pm_reset(&pm);
	assert_int_equal(get(ENABLE, 2), 0);
	assert_int_equal(get(CONTROL, 2), 1);
}

static void accesses_of_any_size_see_the_same_bytes(void **state)
{
	u8 bytes[12];

	(void)state;
	put(0, 4, 0x07200000);
	put(CONTROL, 2, 0x1402);
	rig_go(&rig, rig.now + 1234567890123);
	for (unsigned i = 0; i < 12; i++)
		bytes[i] = get(i, 1);
	for (unsigned size = 1; size <= 4; size *= 2)
		for (unsigned offset = 0; offset + size <= 12; offset++) {
			u32 expected = 0;

			memcpy(&expected, bytes + offset, size);
			assert_int_equal(get(offset, size), expected);
		}
	put(3, 1, 0x01);
	assert_int_equal(get(ENABLE, 2), 0x0120);
	put(1, 2, 0x0000); /* unaligned: the upper half of status, the lower of enable */
	assert_int_equal(get(ENABLE, 2), 0x0100);
}

static void the_timer_counts_at_its_rate(void **state)
{
	(void)state;
	for (unsigned r = 0; r < ARRAY_SIZE(rig_rates); r++) {
		u64 base;

		begin(rig_rates[r]);
		base = rig.now;
		for (u64 n = 1; n < 1000000000000; n = n * 3 + 1) {
			rig_go(&rig, base + clock_ticks(&rig.clock, n, PM_TIMER_HZ) - 1);
			assert_true(get(TIMER, 4) < (u32)n || (u32)n == 0);
			rig_go(&rig, base + clock_ticks(&rig.clock, n, PM_TIMER_HZ));
			assert_true(get(TIMER, 4) - (u32)n <= PM_TIMER_HZ / rig_rates[r]);
		}
		begin(rig_rates[r]);
		rig_go(&rig, rig.now + 10 * rig_rates[r]);
		assert_int_equal(get(TIMER, 4), 10 * PM_TIMER_HZ);
	}
}

static void overflow_sets_the_status_at_each_change_of_the_top_bit(void **state)
{
	u64 half = clock_ticks(&rig.clock, BIT(31), PM_TIMER_HZ), base = rig.now;

	(void)state;
	rig_go(&rig, base + half - 1);
	assert_int_equal(get(TIMER, 4), 0x7fffffff);
	assert_int_equal(get(STATUS, 2), 0);
	rig_go(&rig, base + half);
	assert_int_equal(get(TIMER, 4), 0x80000000);
	assert_int_equal(get(STATUS, 2), 1);
	assert_int_equal(get(STATUS, 2), 1);
	put(STATUS, 2, 0xfffe);
	assert_int_equal(get(STATUS, 2), 1);
	put(STATUS, 2, 1);
	assert_int_equal(get(STATUS, 2), 0);
	rig_go(&rig, base + clock_ticks(&rig.clock, BIT(32), PM_TIMER_HZ));
	assert_int_equal(get(TIMER, 4), 0);
	assert_int_equal(get(STATUS, 2), 1);
	assert_false(rig.line);
}

static void overflow_interrupts_if_enabled(void **state)
{
	(void)state;
	for (unsigned r = 0; r < ARRAY_SIZE(rig_rates); r++) {
		u64 base;

		begin(rig_rates[r]);
		base = rig.now;
		put(ENABLE, 2, 1);
		for (u64 i = 1; i <= 3; i++) {
			rig_go(&rig, base + clock_ticks(&rig.clock, i << 31, PM_TIMER_HZ) - 1);
			assert_false(rig.line);
			rig_go(&rig, base + clock_ticks(&rig.clock, i << 31, PM_TIMER_HZ));
			assert_true(rig.line);
			assert_null(rig.queue.first); /* nothing more to tell until it is acknowledged */
			put(STATUS, 2, 1);
			assert_false(rig.line);
		}
		put(ENABLE, 2, 0);
		assert_null(rig.queue.first);
	}
	/* a status that is there already tells at once */
	rig_go(&rig, rig.now + 2000 * rig.clock.hz);
	put(ENABLE, 2, 1);
	assert_true(rig.line);
	put(ENABLE, 2, 0);
	assert_false(rig.line);
}

/* acpi_hw_legacy_sleep(): type first, then type and enable; both as 16-bit writes */
static void linux_powers_off(void **state)
{
	(void)state;
	put(CONTROL, 2, 5 << 10 | 1);
	assert_int_equal(offs, 0);
	put(CONTROL, 2, 5 << 10 | 0x2001);
	assert_int_equal(offs, 1);
	assert_int_equal(get(CONTROL, 2), 5 << 10 | 1);
	put(CONTROL + 1, 1, 0x34); /* the upper byte alone */
	assert_int_equal(offs, 2);
	assert_int_equal(host_log_count(), 0);
}

/* acpi_hw_extended_sleep(): clear WAK_STS, then the one write after which only the end of the guest helps */
static void linux_powers_off_a_reduced_board(void **state)
{
	(void)state;
	rig_write(&pm_sleep_ops, &pm, 1, 1, 0x80);
	rig_write(&pm_sleep_ops, &pm, 0, 1, 0x14);
	assert_int_equal(offs, 0);
	rig_write(&pm_sleep_ops, &pm, 0, 1, 0x34);
	assert_int_equal(offs, 1);
}

static void other_sleep_types_wake_at_once_and_are_told_a_few_times(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		put(CONTROL, 2, (i % 5) << 10 | 0x2000);
	assert_int_equal(offs, 0);
	assert_int_equal(host_log_count(), LOG_RATE_BURST);
	assert_int_equal(pm.refused.dropped, 100 - LOG_RATE_BURST);
	assert_int_equal(get(STATUS, 2), 0x8000);
	put(STATUS, 2, 0x8000);
	assert_int_equal(get(STATUS, 2), 0);
	rig_write(&pm_sleep_ops, &pm, 0, 1, 0x24);
	assert_int_equal(rig_read(&pm_sleep_ops, &pm, 1, 1), 0x80);
	rig_write(&pm_sleep_ops, &pm, 1, 1, 0x80);
	assert_int_equal(rig_read(&pm_sleep_ops, &pm, 1, 1), 0);
	assert_false(rig.line); /* waking is no event that is enabled */
}

static void nothing_but_its_enable_bit_sleeps(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 16; bit++) {
		put(CONTROL, 2, 1 << bit);
		assert_int_equal(get(STATUS, 2), bit == 13 ? 0x8000 : 0);
		put(STATUS, 2, 0x8000);
	}
	rig_write(&pm_sleep_ops, &pm, 1, 1, 0x80); /* it woke there too */
	for (unsigned bit = 0; bit < 8; bit++) {
		rig_write(&pm_sleep_ops, &pm, 0, 1, 1 << bit);
		assert_int_equal(rig_read(&pm_sleep_ops, &pm, 1, 1), bit == 5 ? 0x80 : 0);
		rig_write(&pm_sleep_ops, &pm, 1, 1, 0x80);
	}
	assert_int_equal(offs, 0);
}

static void reset_register_resets_on_bit_2(void **state)
{
	static const u8 resetting[] = { 0x04, 0x06, 0x0e, 0x0f, 0xff };

	(void)state;
	for (unsigned value = 0; value < 256; value++) {
		resets = 0;
		rig_write(&pm_reset_ops, &pm, 0, 1, value);
		assert_int_equal(resets, value >> 2 & 1);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(resetting); i++) {
		resets = 0;
		/* reboot=pci: read, prepare, wait, fire */
		rig_write(&pm_reset_ops, &pm, 0, 1, (resetting[i] & ~0x04) | 0x02);
		assert_int_equal(resets, 0);
		assert_int_equal(rig_read(&pm_reset_ops, &pm, 0, 1), (resetting[i] & 0x08) | 0x02);
		rig_write(&pm_reset_ops, &pm, 0, 1, resetting[i]);
		assert_int_equal(resets, 1);
		assert_int_equal(rig_read(&pm_reset_ops, &pm, 0, 1), 0); /* this board reset the device too */
	}
}

static void reset_keeps_the_timer_counting(void **state)
{
	(void)state;
	put(ENABLE, 2, 1);
	rig_go(&rig, rig.now + 700 * rig.clock.hz);
	assert_true(rig.line);
	pm_reset(&pm);
	assert_false(rig.line);
	assert_int_equal(get(STATUS, 2), 0);
	assert_int_equal(get(TIMER, 4), (u32)(700ull * PM_TIMER_HZ));
	rig_go(&rig, rig.now + 700 * rig.clock.hz);
	pm_reset(&pm);
	assert_int_equal(get(STATUS, 2), 0); /* an overflow before the reset is none after it */
	assert_null(rig.queue.first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reset_values_say_acpi_is_on, setup),
		cmocka_unit_test_setup(registers_keep_what_exists, setup),
		cmocka_unit_test_setup(accesses_of_any_size_see_the_same_bytes, setup),
		cmocka_unit_test_setup(the_timer_counts_at_its_rate, setup),
		cmocka_unit_test_setup(overflow_sets_the_status_at_each_change_of_the_top_bit, setup),
		cmocka_unit_test_setup(overflow_interrupts_if_enabled, setup),
		cmocka_unit_test_setup(linux_powers_off, setup),
		cmocka_unit_test_setup(linux_powers_off_a_reduced_board, setup),
		cmocka_unit_test_setup(other_sleep_types_wake_at_once_and_are_told_a_few_times, setup),
		cmocka_unit_test_setup(nothing_but_its_enable_bit_sleeps, setup),
		cmocka_unit_test_setup(reset_register_resets_on_bit_2, setup),
		cmocka_unit_test_setup(reset_keeps_the_timer_counting, setup),
	};

	return cmocka_run_group_tests_name("pm", tests, NULL, NULL);
}
