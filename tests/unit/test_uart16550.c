// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/isa_rig.h"
#include "devices/uart16550.h"

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = 0, FCR = 2, DLL = 0, DLM = 1 };

struct fixture {
	struct rig rig;
	struct uart16550 uart;
	char sent[64];
	unsigned sent_count, room, rooms;
	const char *keys; /* what the keyboard side still has to deliver */
};

static struct fixture fix;

static u8 in(unsigned reg)
{
	return rig_read(&uart16550_ops, &fix.uart, reg, 1);
}

static void out(unsigned reg, u8 value)
{
	rig_write(&uart16550_ops, &fix.uart, reg, 1, value);
}

static bool put(void *backend, u8 byte)
{
	assert_ptr_equal(backend, &fix);
	if (!fix.room)
		return false;
	fix.room--;
	fix.sent[fix.sent_count++ % sizeof(fix.sent)] = byte;
	return true;
}

static void rx_room(void *backend)
{
	assert_ptr_equal(backend, &fix);
	fix.rooms++;
	while (fix.keys && *fix.keys && uart16550_receive(&fix.uart, *fix.keys))
		fix.keys++;
}

static int setup(void **state)
{
	(void)state;
	memset(&fix, 0, sizeof(fix));
	rig_init(&fix.rig, 1000000000);
	fix.room = ~0u;
	uart16550_init(&fix.uart, (struct uart_backend){ put, rx_room, &fix }, rig_line(&fix.rig));
	return 0;
}

static void reset_values_are_the_data_sheets(void **state)
{
	static const u8 after_reset[] = { 0, 0, 0x01, 0, 0, 0x60, 0xb0, 0 };

	(void)state;
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(in(i), after_reset[i]);
		assert_false(fix.rig.line);
		for (unsigned i = 0; i < 8; i++)
			out(i, 0x5f);
		uart16550_receive(&fix.uart, 'x');
		uart16550_reset(&fix.uart);
	}
}

static void ier_keeps_four_bits_and_dlab_swaps_registers(void **state)
{
	(void)state;
	out(IER, 0xff);
	assert_int_equal(in(IER), 0x0f);
	out(IER, 0);
	assert_int_equal(in(IER), 0);
	out(LCR, 0x80);
	out(DLL, 0x12);
	out(DLM, 0x34);
	assert_int_equal(in(DLL), 0x12);
	assert_int_equal(in(DLM), 0x34);
	out(LCR, 0x03);
	assert_int_equal(in(IER), 0);
	assert_int_equal(in(RBR), 0);
	assert_int_equal(fix.sent_count, 0);
	out(SCR, 0xa5);
	assert_int_equal(in(SCR), 0xa5);
	out(MCR, 0xff);
	assert_int_equal(in(MCR), 0x1f);
}

/* Each control bit does its own thing only. */
static void control_bits_stand_alone(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 8; bit++) {
		setup(NULL);
		uart16550_receive(&fix.uart, 'k');
		out(MCR, 1 << bit);
		out(IER, 1 << bit);
		assert_int_equal(fix.rig.line, false);
		out(IER, 0x01);
		assert_int_equal(fix.rig.line, bit == 3);
		out(THR, 'x');
		assert_int_equal(fix.sent_count, bit != 4);

		setup(NULL);
		out(SCR, 0);
		out(LCR, 1 << bit);
		out(THR, 'x');
		assert_int_equal(fix.sent_count, bit != 7);

		setup(NULL);
		uart16550_receive(&fix.uart, 'k');
		out(MCR, 0x08);
		for (unsigned cause = 0; cause < 8; cause++) {
			out(IER, 1 << cause);
			assert_int_equal(in(IIR), cause == 0 ? 0x04 : cause == 1 ? 0x02 : 0x01);
		}

		setup(NULL);
		out(FCR, 1 << bit);
		assert_int_equal(in(IIR), bit == 0 ? 0xc1 : 0x01);
	}
}

static void clearing_an_empty_transmit_fifo_tells_nothing(void **state)
{
	(void)state;
	out(FCR, 0x01);
	out(MCR, 0x08);
	out(IER, 0x02);
	in(IIR);
	out(FCR, 0x05);
	assert_int_equal(in(IIR), 0xc1);
	out(FCR, 0x01 | 0xc0);
	for (unsigned i = 0; i < 13; i++)
		uart16550_receive(&fix.uart, i);
	out(IER, 0x01);
	assert_int_equal(in(IIR), 0xcc);
	/* clear bits are not kept: the next write clears nothing */
	out(FCR, 0xc3);
	uart16550_receive(&fix.uart, 'q');
	out(FCR, 0xc1);
	assert_int_equal(in(RBR), 'q');
}

static void reset_asks_for_what_was_refused(void **state)
{
	(void)state;
	uart16550_receive(&fix.uart, 'a');
	fix.keys = "b";
	uart16550_receive(&fix.uart, 'b');
	uart16550_reset(&fix.uart);
	assert_int_equal(in(LSR), 0x61);
	assert_int_equal(in(RBR), 'b');
}

static void line_and_modem_status_ignore_writes(void **state)
{
	(void)state;
	out(LSR, 0);
	out(MSR, 0xff);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(MSR), 0xb0);
}

/* drivers/tty/serial/8250/8250_port.c: autoconfig(), autoconfig_16550a(), serial8250_do_startup() */
static void linux_finds_a_16550a_without_bugs(void **state)
{
	u8 iir;

	(void)state;
	out(IER, 0);
	assert_int_equal(in(IER)&0x0f, 0);
	out(IER, 0x0f);
	assert_int_equal(in(IER)&0x0f, 0x0f);
	out(IER, 0);
	out(MCR, 0x1a);
	assert_int_equal(in(MSR)&0xf0, 0x90);
	out(MCR, 0);
	out(LCR, 0xbf);
	out(FCR, 0); /* EFR on later chips */
	out(LCR, 0);
	out(FCR, 1);
	assert_int_equal(in(IIR) >> 6, 3);
	/* no EFR, in either place */
	out(LCR, 0x80);
	assert_int_not_equal(in(2), 0);
	out(LCR, 0xbf);
	assert_int_not_equal(in(2), 0);
	/* no 64-byte FIFO: bit 5 of IIR stays clear */
	out(LCR, 0x80);
	out(FCR, 0x21);
	assert_int_equal(in(IIR) >> 5, 6);
	out(FCR, 0);
	out(LCR, 0);
	/* no XScale */
	out(IER, 0x40);
	assert_int_equal(in(IER)&0x40, 0);
	out(IER, 0);

	/* start-up: not absent, no modem surprises, and the THRE test */
	out(FCR, 1);
	out(FCR, 7);
	out(FCR, 0);
	in(LSR);
	in(RBR);
	in(IIR);
	in(MSR);
	assert_int_not_equal(in(LSR), 0xff);
	out(LCR, 3);
	out(MCR, 0x08);
	out(IER, 0x02);
	in(IIR);
	out(IER, 0);
	out(IER, 0x02);
	iir = in(IIR);
	out(IER, 0);
	assert_int_equal(iir & 0x0f, 0x02);
	/* serial8250_do_startup's second test: a THRI that was told comes again when enabled again */
	out(IER, 0x02);
	assert_int_equal(in(LSR)&0x60, 0x60);
	assert_int_equal(in(IIR)&0x01, 0);
}

static void sending_keeps_thre_set_and_costs_no_interrupt(void **state)
{
	(void)state;
	for (const char *c = "hello"; *c; c++) {
		assert_int_equal(in(LSR), 0x60);
		out(THR, *c);
	}
	assert_string_equal(fix.sent, "hello");
	assert_int_equal(fix.rig.rises, 0);
}

static void thre_interrupt_ends_by_iir_and_comes_back_by_thr(void **state)
{
	(void)state;
	out(MCR, 0x08);
	out(IER, 0x02);
	assert_true(fix.rig.line);
	assert_int_equal(in(IIR), 0x02);
	assert_false(fix.rig.line);
	assert_int_equal(in(IIR), 0x01);
	out(THR, 'a');
	assert_true(fix.rig.line);
	assert_int_equal(fix.rig.rises, 2);
	assert_int_equal(in(IIR), 0x02);
	out(IER, 0x02); /* enabled already: nothing new */
	assert_false(fix.rig.line);
}

static void a_full_backend_fills_the_fifo_and_drains_in_order(void **state)
{
	(void)state;
	out(FCR, 1);
	out(MCR, 0x08);
	out(IER, 0x02);
	in(IIR);
	fix.room = 2;
	for (unsigned i = 0; i < 20; i++) {
		out(THR, 'a' + i);
		assert_int_equal(in(LSR), i < 2 ? 0x60 : 0);
		in(IIR);
	}
	/* two went, sixteen wait, two had no place */
	assert_false(fix.rig.line);
	assert_int_equal(in(IIR), 0xc1);
	fix.room = 5;
	uart16550_tx_ready(&fix.uart);
	assert_int_equal(in(LSR), 0);
	assert_false(fix.rig.line);
	fix.room = 100;
	uart16550_tx_ready(&fix.uart);
	assert_int_equal(in(LSR), 0x60);
	assert_true(fix.rig.line);
	assert_int_equal(in(IIR), 0xc2);
	assert_string_equal(fix.sent, "abcdefghijklmnopqr");
	uart16550_tx_ready(&fix.uart); /* nothing waits: nothing to tell */
	assert_false(fix.rig.line);
}

static void a_guest_that_polls_sends_when_there_is_room(void **state)
{
	(void)state;
	out(FCR, 1);
	fix.room = 1;
	for (unsigned i = 0; i < 4; i++)
		out(THR, 'a' + i);
	assert_int_equal(in(LSR), 0);
	assert_string_equal(fix.sent, "a");
	fix.room = 2;
	assert_int_equal(in(LSR), 0);
	assert_string_equal(fix.sent, "abc");
	fix.room = 2;
	assert_int_equal(in(LSR), 0x60);
	assert_string_equal(fix.sent, "abcd");
}

static void without_fifos_a_waiting_byte_is_overwritten(void **state)
{
	(void)state;
	fix.room = 0;
	out(THR, 'a');
	assert_int_equal(in(LSR), 0);
	out(THR, 'b');
	fix.room = 9;
	uart16550_tx_ready(&fix.uart);
	assert_string_equal(fix.sent, "b");
	assert_int_equal(in(LSR), 0x60);
}

static void clearing_the_transmit_fifo_empties_it(void **state)
{
	(void)state;
	out(FCR, 1);
	out(MCR, 0x08);
	out(IER, 0x02);
	in(IIR);
	fix.room = 0;
	out(THR, 'a');
	assert_false(fix.rig.line);
	out(FCR, 0x05);
	assert_int_equal(in(LSR), 0x60);
	assert_true(fix.rig.line);
	fix.room = 9;
	uart16550_tx_ready(&fix.uart);
	assert_int_equal(fix.sent_count, 0);
}

static void received_bytes_interrupt_by_trigger_level_or_time_out(void **state)
{
	static const u8 levels[] = { 1, 4, 8, 14 };

	(void)state;
	out(MCR, 0x08);
	out(IER, 0x01);
	for (unsigned i = 0; i < 4; i++) {
		out(FCR, i << 6 | 0x03);
		for (unsigned n = 1; n <= 16; n++) {
			assert_true(uart16550_receive(&fix.uart, n));
			assert_true(fix.rig.line);
			assert_int_equal(in(IIR), n >= levels[i] ? 0xc4 : 0xcc);
		}
		for (unsigned n = 1; n <= 16; n++) {
			assert_int_equal(in(LSR)&1, 1);
			assert_int_equal(in(RBR), n);
		}
		assert_int_equal(in(LSR), 0x60);
		assert_false(fix.rig.line);
	}
}

static void a_full_receiver_refuses_and_asks_again(void **state)
{
	(void)state;
	assert_true(uart16550_receive(&fix.uart, 'a'));
	assert_false(uart16550_receive(&fix.uart, 'b'));
	assert_int_equal(in(LSR), 0x61); /* no overrun: the byte is still with the sender */
	fix.keys = "bcdefghijklmnopqrstuvwxyz";
	assert_int_equal(in(RBR), 'a');
	assert_int_equal(fix.rooms, 1);
	assert_int_equal(in(RBR), 'b');
	out(FCR, 1); /* clears 'c', makes room for sixteen */
	for (char c = 'd'; c <= 'z'; c++)
		assert_int_equal(in(RBR), c);
	assert_int_equal(in(LSR), 0x60);
	assert_false(*fix.keys);
	fix.rooms = 0;
	uart16550_receive(&fix.uart, 'z');
	in(RBR);
	assert_int_equal(fix.rooms, 0); /* nothing was refused */
}

static void nothing_comes_in_from_outside_in_loopback(void **state)
{
	(void)state;
	out(MCR, 0x10);
	fix.keys = "k";
	assert_false(uart16550_receive(&fix.uart, 'k'));
	out(THR, 'l');
	assert_int_equal(fix.sent_count, 0);
	assert_int_equal(in(LSR), 0x61);
	assert_int_equal(in(RBR), 'l');
	out(MCR, 0);
	assert_int_equal(in(RBR), 'k');
}

static void loopback_overruns_and_breaks_like_a_line(void **state)
{
	(void)state;
	out(FCR, 1);
	out(MCR, 0x18);
	out(IER, 0x04);
	for (unsigned i = 0; i < 16; i++)
		out(THR, 'a' + i);
	assert_false(fix.rig.line);
	out(THR, '!');
	assert_true(fix.rig.line);
	assert_int_equal(in(IIR), 0xc6);
	assert_int_equal(in(LSR), 0x63);
	assert_false(fix.rig.line);
	assert_int_equal(in(LSR), 0x61);
	for (unsigned i = 0; i < 15; i++)
		assert_int_equal(in(RBR), 'a' + i);
	out(LCR, 0x43);
	out(LCR, 0x43);			 /* the same break */
	assert_int_equal(in(LSR), 0xe1); /* an error in the FIFO, but not at its top */
	assert_int_equal(in(LSR), 0xe1);
	assert_int_equal(in(RBR), 'p');
	assert_int_equal(in(IIR), 0xc6);
	assert_int_equal(in(LSR), 0xf1);
	assert_int_equal(in(LSR), 0x61);
	assert_int_equal(in(RBR), 0);
	assert_int_equal(in(LSR), 0x60);
	/* without FIFOs the buffer is overwritten */
	out(FCR, 0);
	out(THR, 'x');
	out(THR, 'y');
	assert_int_equal(in(LSR), 0x63);
	assert_int_equal(in(RBR), 'y');
}

static void a_break_from_outside_is_a_zero_with_bi(void **state)
{
	(void)state;
	out(FCR, 1);
	assert_true(uart16550_receive_break(&fix.uart));
	assert_true(uart16550_receive(&fix.uart, 'h'));
	assert_int_equal(in(LSR), 0xf1);
	assert_int_equal(in(RBR), 0);
	assert_int_equal(in(LSR), 0x61);
	assert_int_equal(in(RBR), 'h');
}

static void loopback_maps_outputs_to_inputs_with_deltas(void **state)
{
	(void)state;
	assert_int_equal(in(MSR), 0xb0);
	out(MCR, 0x10); /* all inputs fall */
	assert_int_equal(in(MSR), 0x0b);
	assert_int_equal(in(MSR), 0x00);
	out(MCR, 0x12);
	assert_int_equal(in(MSR), 0x11);
	out(MCR, 0x11);
	assert_int_equal(in(MSR), 0x23);
	out(MCR, 0x14); /* ring: no event when it begins */
	assert_int_equal(in(MSR), 0x42);
	out(MCR, 0x10);
	assert_int_equal(in(MSR), 0x04);
	out(MCR, 0x18);
	assert_int_equal(in(MSR), 0x88);
	out(IER, 0x08);
	out(MCR, 0x1b);
	assert_true(fix.rig.line);
	assert_int_equal(in(IIR), 0x00);
	assert_int_equal(in(MSR), 0xb3);
	assert_false(fix.rig.line);
}

static void out2_gates_the_wire_but_not_the_cause(void **state)
{
	(void)state;
	out(IER, 0x01);
	uart16550_receive(&fix.uart, 'a');
	assert_int_equal(in(IIR), 0x04);
	assert_false(fix.rig.line);
	out(MCR, 0x08);
	assert_true(fix.rig.line);
	out(MCR, 0);
	assert_false(fix.rig.line);
}

static void causes_are_told_in_order_of_priority(void **state)
{
	(void)state;
	out(MCR, 0x1f);
	in(MSR);
	out(LCR, 0x40);
	out(MCR, 0x1e);
	out(IER, 0x0f);
	assert_int_equal(in(IIR), 0x06);
	in(LSR);
	assert_int_equal(in(IIR), 0x04);
	in(RBR);
	assert_int_equal(in(IIR), 0x02);
	assert_int_equal(in(IIR), 0x00);
	assert_true(fix.rig.line);
	in(MSR);
	assert_int_equal(in(IIR), 0x01);
	assert_false(fix.rig.line);
	assert_int_equal(fix.rig.rises, 1);
}

static void fifo_switch_clears_both_sides(void **state)
{
	(void)state;
	out(FCR, 0xc1);
	assert_int_equal(in(IIR), 0xc1);
	uart16550_receive(&fix.uart, 'a');
	out(FCR, 0xc1);
	assert_int_equal(in(LSR), 0x61);
	out(FCR, 0xc0); /* without bit 0 nothing else is programmed */
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(IIR), 0x01);
	out(FCR, 0x03);
	uart16550_receive(&fix.uart, 'b');
	out(FCR, 0x03);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(RBR), 'b'); /* what was there is seen once more, but is no data */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reset_values_are_the_data_sheets, setup),
		cmocka_unit_test_setup(ier_keeps_four_bits_and_dlab_swaps_registers, setup),
		cmocka_unit_test_setup(control_bits_stand_alone, setup),
		cmocka_unit_test_setup(clearing_an_empty_transmit_fifo_tells_nothing, setup),
		cmocka_unit_test_setup(reset_asks_for_what_was_refused, setup),
		cmocka_unit_test_setup(line_and_modem_status_ignore_writes, setup),
		cmocka_unit_test_setup(linux_finds_a_16550a_without_bugs, setup),
		cmocka_unit_test_setup(sending_keeps_thre_set_and_costs_no_interrupt, setup),
		cmocka_unit_test_setup(thre_interrupt_ends_by_iir_and_comes_back_by_thr, setup),
		cmocka_unit_test_setup(a_full_backend_fills_the_fifo_and_drains_in_order, setup),
		cmocka_unit_test_setup(a_guest_that_polls_sends_when_there_is_room, setup),
		cmocka_unit_test_setup(without_fifos_a_waiting_byte_is_overwritten, setup),
		cmocka_unit_test_setup(clearing_the_transmit_fifo_empties_it, setup),
		cmocka_unit_test_setup(received_bytes_interrupt_by_trigger_level_or_time_out, setup),
		cmocka_unit_test_setup(a_full_receiver_refuses_and_asks_again, setup),
		cmocka_unit_test_setup(nothing_comes_in_from_outside_in_loopback, setup),
		cmocka_unit_test_setup(loopback_overruns_and_breaks_like_a_line, setup),
		cmocka_unit_test_setup(a_break_from_outside_is_a_zero_with_bi, setup),
		cmocka_unit_test_setup(loopback_maps_outputs_to_inputs_with_deltas, setup),
		cmocka_unit_test_setup(out2_gates_the_wire_but_not_the_cause, setup),
		cmocka_unit_test_setup(causes_are_told_in_order_of_priority, setup),
		cmocka_unit_test_setup(fifo_switch_clears_both_sides, setup),
	};

	return cmocka_run_group_tests_name("uart16550", tests, NULL, NULL);
}
