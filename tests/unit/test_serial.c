// SPDX-License-Identifier: BSD-2-Clause
/*
 * The serial line's rings against a model of the 16550: what it takes, when it interrupts. The driver is compiled in
 * here, on port functions that lead to the model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "mm/types.h"

#define ARCH_CPU_H /* in place of the real port instructions: */

#define WIRE_MAX 65536

static struct chip {
	bool present, fifo, broken; /* broken: never sends */
	u8 ier, lcr, scr, mcr, fcr;
	u16 divisor;
	u8 tx[16], rx[16];
	unsigned tx_count, rx_count;
	u8 wire[WIRE_MAX]; /* what was sent */
	unsigned wire_count, overruns;
	bool rx_overrun;
	bool thre_pending;
	unsigned reads, writes;
} chip;

static unsigned tx_size(void)
{
	return chip.fifo ? 16 : 1;
}

/* One byte time. */
static void chip_send(void)
{
	if (!chip.tx_count || chip.broken)
		return;
	chip.wire[chip.wire_count++ % WIRE_MAX] = chip.tx[0];
	memmove(chip.tx, chip.tx + 1, --chip.tx_count);
	if (!chip.tx_count)
		chip.thre_pending = true;
}

static void chip_receive(u8 byte)
{
	if (chip.rx_count == 16)
		chip.rx_overrun = true;
	else
		chip.rx[chip.rx_count++] = byte;
}

static bool chip_interrupts(void)
{
	return ((chip.ier & 1) && chip.rx_count) || ((chip.ier & 2) && chip.thre_pending);
}

static u8 inb(u16 port)
{
	u8 value = 0;

	chip.reads++;
	if (!chip.present)
		return 0xff;
	/* time passes while the CPU polls */
	if (chip.reads % 8 == 0)
		chip_send();
	switch (port - 0x3f8) {
	case 0:
		if (chip.rx_count) {
			value = chip.rx[0];
			memmove(chip.rx, chip.rx + 1, --chip.rx_count);
		}
		return value;
	case 1:
		return chip.ier;
	case 2:
		value = chip.fifo ? 0xc0 : 0;
		if ((chip.ier & 1) && chip.rx_count)
			return value | 0x04;
		if ((chip.ier & 2) && chip.thre_pending) {
			chip.thre_pending = false;
			return value | 0x02;
		}
		return value | 0x01;
	case 5:
		value = (u8)((chip.rx_count ? 1 : 0) | (chip.rx_overrun ? 2 : 0) |
			     (chip.tx_count ? 0 : 0x60));
		chip.rx_overrun = false;
		return value;
	case 7:
		return chip.scr;
	default:
		return 0;
	}
}

static void outb(u16 port, u8 value)
{
	chip.writes++;
	if (!chip.present)
		return;
	switch (port - 0x3f8) {
	case 0:
		if (chip.lcr & 0x80) {
			chip.divisor = (u16)((chip.divisor & 0xff00) | value);
		} else if (chip.tx_count == tx_size()) {
			chip.overruns++;
		} else {
			chip.tx[chip.tx_count++] = value;
			chip.thre_pending = false;
		}
		break;
	case 1:
		if (chip.lcr & 0x80) {
			chip.divisor = (u16)((chip.divisor & 0xff) | value << 8);
		} else {
			if (!(chip.ier & 2) && (value & 2) && !chip.tx_count)
				chip.thre_pending = true;
			chip.ier = value;
		}
		break;
	case 2:
		chip.fcr = value;
		break;
	case 3:
		chip.lcr = value;
		break;
	case 4:
		chip.mcr = value;
		break;
	case 7:
		chip.scr = value;
		break;
	default:
		break;
	}
}

static void cpu_pause(void)
{
}

#include "arch/serial.c"

static int setup(void **state)
{
	(void)state;
	memset(&uart, 0, sizeof(uart));
	memset(&chip, 0, sizeof(chip));
	chip.present = chip.fifo = true;
	assert_true(serial_init(0x3f8, 115200));
	return 0;
}

static u8 pattern(unsigned n)
{
	return (u8)(n * 7 + n / 251);
}

static void expect_wire(unsigned count)
{
	assert_int_equal(chip.wire_count, count);
	assert_int_equal(chip.overruns, 0);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(chip.wire[i], pattern(i));
}

/* Runs the line until it is quiet; an interrupt a time that the chip asks. Returns their number. */
static unsigned run_by_interrupts(void)
{
	unsigned interrupts = 0;

	for (unsigned i = 0; i < 200000; i++) {
		chip_send();
		if (chip_interrupts()) {
			interrupts++;
			serial_service();
			/* The 8259 takes edges: what is still asserted now would never interrupt again. */
			assert_false(chip_interrupts());
		}
	}
	return interrupts;
}

static void test_line_is_set_up(void **state)
{
	(void)state;
	assert_int_equal(chip.divisor, 1);
	assert_int_equal(chip.lcr, 0x03);
	assert_int_equal(chip.mcr & 0x0b, 0x0b);
	assert_int_equal(chip.ier, 0);
	assert_true(serial_init(0x3f8, 9600));
	assert_int_equal(chip.divisor, 12);
	assert_true(serial_init(0x3f8, 300));
	assert_int_equal(chip.divisor, 384);
}

static void test_absent_line_swallows(void **state)
{
	(void)state;
	chip.present = false;
	assert_false(serial_init(0x3f8, 115200));
	for (unsigned i = 0; i < 2 * SERIAL_TX_SIZE; i++)
		assert_true(serial_put('x'));
	assert_int_equal(serial_room(), SERIAL_TX_SIZE);
	serial_enable_interrupts();
	serial_service();
	serial_flush();
	assert_int_equal(serial_get(), -1);
	assert_int_equal(serial_irq(), SERIAL_NO_IRQ);
}

static void test_bytes_leave_in_order_by_polling(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		assert_true(serial_put(pattern(i)));
	serial_flush();
	assert_int_equal(serial_room(), SERIAL_TX_SIZE);
	expect_wire(5000);
}

static void test_flush_waits_for_the_last_bit(void **state)
{
	(void)state;
	serial_put(pattern(0));
	serial_flush();
	assert_int_equal(chip.tx_count, 0);
	expect_wire(1);
}

static void test_interrupts_move_a_fifo_full_each(void **state)
{
	unsigned interrupts;

	(void)state;
	serial_enable_interrupts();
	for (unsigned i = 0; i < 4096; i++)
		assert_true(serial_put(pattern(i)));
	interrupts = run_by_interrupts();
	expect_wire(4096);
	assert_in_range(interrupts, 4096 / 16 - 1, 4096 / 16 + 2);
}

static void test_idle_line_does_not_interrupt(void **state)
{
	(void)state;
	serial_enable_interrupts();
	assert_int_equal(run_by_interrupts(), 0);
	assert_int_equal(chip.ier, 1);
	serial_put(pattern(0));
	assert_in_range(run_by_interrupts(), 0, 1);
	assert_int_equal(chip.ier, 1);
	assert_int_equal(run_by_interrupts(), 0);
	expect_wire(1);
}

static void test_without_fifo_one_byte_an_interrupt(void **state)
{
	(void)state;
	chip.fifo = false;
	assert_true(serial_init(0x3f8, 115200));
	serial_enable_interrupts();
	for (unsigned i = 0; i < 100; i++)
		assert_true(serial_put(pattern(i)));
	assert_in_range(run_by_interrupts(), 98, 101);
	expect_wire(100);
}

static void test_full_ring_refuses_and_loses_nothing(void **state)
{
	unsigned put = 0;

	(void)state;
	chip.broken = true;
	while (serial_put(pattern(put)))
		put++;
	assert_int_equal(serial_room(), 0);
	assert_in_range(put, SERIAL_TX_SIZE, SERIAL_TX_SIZE + 16);
	assert_false(serial_put('x'));
	chip.broken = false;
	serial_flush();
	assert_int_equal(serial_room(), SERIAL_TX_SIZE);
	expect_wire(put);
}

static void test_flush_gives_up_on_a_dead_line(void **state)
{
	(void)state;
	chip.broken = true;
	for (unsigned i = 0; i < 1000; i++)
		serial_put('x');
	serial_flush();
	assert_int_equal(serial_room(), SERIAL_TX_SIZE);
	assert_true(serial_put('y'));
}

static void test_received_bytes_come_in_order(void **state)
{
	(void)state;
	serial_enable_interrupts();
	for (unsigned n = 0; n < 300;) {
		for (unsigned i = 0; i < 10; i++)
			chip_receive(pattern(n + i));
		assert_true(chip_interrupts());
		serial_service();
		assert_false(chip_interrupts());
		for (unsigned i = 0; i < 10; i++, n++)
			assert_int_equal(serial_get(), pattern(n));
		assert_int_equal(serial_get(), -1);
	}
}

static void test_unread_input_is_dropped_not_overwritten(void **state)
{
	(void)state;
	for (unsigned n = 0; n < SERIAL_RX_SIZE + 50; n++) {
		chip_receive(pattern(n));
		serial_poll();
	}
	for (unsigned n = 0; n < SERIAL_RX_SIZE; n++)
		assert_int_equal(serial_get(), pattern(n));
	assert_int_equal(serial_get(), -1);
	assert_int_equal(serial_lost(), 50);
	chip_receive('!');
	serial_poll();
	assert_int_equal(serial_get(), '!');
}

/* A poll takes the key, and with it the interrupt that would have told of it; so may the next polls. */
static void test_what_a_poll_received_interrupts_all_the_same(void **state)
{
	(void)state;
	serial_enable_interrupts();
	for (unsigned n = 0; n < 40; n++) {
		for (unsigned i = 0; i < n; i++)
			serial_put(pattern(i));
		chip_receive((u8)n);
		for (unsigned polls = 0; polls <= n % 5; polls++)
			serial_poll();
		for (unsigned i = 0; i < 50 && !chip_interrupts(); i++)
			chip_send();
		assert_true(chip_interrupts());
		serial_service();
		assert_false(chip_interrupts());
		assert_int_equal(serial_get(), n);
		run_by_interrupts();
		assert_int_equal(chip.ier, 1);
	}
}

/* Who waits for room in a ring that was full hears of it, and of the key that came meanwhile. */
static void test_a_flush_interrupts(void **state)
{
	(void)state;
	serial_enable_interrupts();
	while (serial_put('x'))
		;
	chip_receive('!');
	serial_flush();
	assert_int_equal(serial_room(), SERIAL_TX_SIZE);
	assert_true(chip_interrupts());
	serial_service();
	assert_false(chip_interrupts());
	assert_int_equal(serial_get(), '!');
	assert_int_equal(chip.ier, 1);
}

static void test_lost_bytes_are_counted(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 20; n++)
		chip_receive(pattern(n));
	serial_poll();
	assert_int_equal(serial_lost(), 1);
	serial_poll();
	assert_int_equal(serial_lost(), 1);
	for (unsigned n = 0; n < 16; n++)
		assert_int_equal(serial_get(), pattern(n));
	assert_int_equal(serial_get(), -1);
}

static void test_line_that_goes_away_does_not_hang(void **state)
{
	(void)state;
	serial_enable_interrupts();
	chip.present = false;
	for (unsigned i = 0; i < 100; i++)
		serial_put('x');
	serial_service();
	serial_flush();
	assert_int_equal(serial_get(), -1);
}

static void test_knows_whether_a_line_is_unfinished(void **state)
{
	(void)state;
	assert_false(serial_mid_line());
	serial_put('a');
	assert_true(serial_mid_line());
	serial_put('\r');
	assert_true(serial_mid_line());
	serial_put('\n');
	assert_false(serial_mid_line());
}

static void test_rings_survive_the_wrap_of_their_counters(void **state)
{
	(void)state;
	uart.tx_in = uart.tx_out = 0u - 100;
	uart.rx_in = uart.rx_out = 0u - 5;
	for (unsigned i = 0; i < 500; i++)
		assert_true(serial_put(pattern(i)));
	assert_int_equal(serial_room(), SERIAL_TX_SIZE - (uart.tx_in - uart.tx_out));
	serial_flush();
	expect_wire(500);
	for (unsigned i = 0; i < 10; i++)
		chip_receive(pattern(i));
	serial_poll();
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(serial_get(), pattern(i));
	assert_int_equal(serial_get(), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_line_is_set_up, setup),
		cmocka_unit_test_setup(test_absent_line_swallows, setup),
		cmocka_unit_test_setup(test_bytes_leave_in_order_by_polling, setup),
		cmocka_unit_test_setup(test_flush_waits_for_the_last_bit, setup),
		cmocka_unit_test_setup(test_interrupts_move_a_fifo_full_each, setup),
		cmocka_unit_test_setup(test_idle_line_does_not_interrupt, setup),
		cmocka_unit_test_setup(test_without_fifo_one_byte_an_interrupt, setup),
		cmocka_unit_test_setup(test_full_ring_refuses_and_loses_nothing, setup),
		cmocka_unit_test_setup(test_flush_gives_up_on_a_dead_line, setup),
		cmocka_unit_test_setup(test_received_bytes_come_in_order, setup),
		cmocka_unit_test_setup(test_unread_input_is_dropped_not_overwritten, setup),
		cmocka_unit_test_setup(test_what_a_poll_received_interrupts_all_the_same, setup),
		cmocka_unit_test_setup(test_a_flush_interrupts, setup),
		cmocka_unit_test_setup(test_lost_bytes_are_counted, setup),
		cmocka_unit_test_setup(test_line_that_goes_away_does_not_hang, setup),
		cmocka_unit_test_setup(test_knows_whether_a_line_is_unfinished, setup),
		cmocka_unit_test_setup(test_rings_survive_the_wrap_of_their_counters, setup),
	};

	return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
