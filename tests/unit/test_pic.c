// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/isa_rig.h"
#include "devices/pic.h"

static struct rig rig;
static struct pic pic;

/* `port` as on a PC. */
static u8 in(unsigned port)
{
	return rig_read(&pic_ops, &pic.chip[port >= 0xa0], port & 1, 1);
}

static void out(unsigned port, u8 value)
{
	rig_write(&pic_ops, &pic.chip[port >= 0xa0], port & 1, 1, value);
}

static void elcr(u16 value)
{
	rig_write(&pic_elcr_ops, &pic, 0, 1, value & 0xff);
	rig_write(&pic_elcr_ops, &pic, 1, 1, value >> 8);
}

static u8 ocw3_read(unsigned port, u8 command)
{
	out(port, command);
	return in(port);
}

#define IRR(port) ocw3_read(port, 0x0a)
#define ISR(port) ocw3_read(port, 0x0b)

static void set(unsigned pin, bool level)
{
	pic_set(&pic, pin, level);
}

static void pulse(unsigned pin)
{
	set(pin, true);
	set(pin, false);
}

/* init_8259A() of Linux; `icw4` 0x01, or 0x03 for automatic EOI */
static void start(u8 icw4)
{
	out(0x21, 0xff);
	out(0x20, 0x11);
	out(0x21, 0x30);
	out(0x21, 0x04);
	out(0x21, icw4);
	out(0xa0, 0x11);
	out(0xa1, 0x38);
	out(0xa1, 0x02);
	out(0xa1, icw4 & 0x01);
	out(0x21, 0);
	out(0xa1, 0);
}

static int setup(void **state)
{
	(void)state;
	rig_init(&rig, 1);
	pic_init(&pic, rig_line(&rig));
	return 0;
}

static int setup_started(void **state)
{
	setup(state);
	start(0x01);
	return 0;
}

static void masked_after_reset_and_probed_by_linux(void **state)
{
	(void)state;
	assert_int_equal(in(0x21), 0xff);
	assert_int_equal(in(0xa1), 0xff);
	assert_int_equal(in(0x20), 0);
	out(0xa1, 0xff); /* probe_8259A() */
	out(0x21, 0xfb);
	assert_int_equal(in(0x21), 0xfb);
	for (unsigned pin = 0; pin < 16; pin++)
		pulse(pin);
	assert_true(rig.rises == 0);
}

static void initialisation_clears_mask_and_takes_three_or_four_words(void **state)
{
	(void)state;
	out(0x21, 0xff);
	set(1, true);
	out(0x20, 0x11);
	assert_int_equal(in(0x21), 0);
	assert_int_equal(IRR(0x20), 0); /* the edge has to come again */
	set(1, true);
	assert_int_equal(IRR(0x20), 0);
	set(0, true);
	assert_false(rig.line); /* not before the last word */
	out(0x21, 0x47);
	out(0x21, 0x04);
	assert_false(rig.line);
	out(0x21, 0x01);
	assert_true(rig.line);
	assert_int_equal(pic_ack(&pic), 0x40);
	out(0x20, 0x10); /* no ICW4 */
	out(0x21, 0x50);
	out(0x21, 0x04);
	out(0x21, 0xfe);
	assert_int_equal(in(0x21), 0xfe);
	set(0, false);
	pulse(0);
	assert_int_equal(IRR(0x20), 1);
	out(0x21, 0);
	assert_int_equal(pic_ack(&pic), 0x50);
}

static void every_input_has_its_vector_and_needs_its_eoi(void **state)
{
	(void)state;
	for (unsigned pin = 0; pin < 16; pin++) {
		unsigned port = pin < 8 ? 0x20 : 0xa0;

		if (pin == 2)
			continue;
		set(pin, true);
		assert_true(rig.line);
		assert_int_equal(IRR(port), BIT(pin % 8));
		assert_int_equal(pic_ack(&pic), 0x30 + pin);
		assert_false(rig.line);
		assert_int_equal(IRR(port), 0);
		assert_int_equal(ISR(port), BIT(pin % 8));
		assert_int_equal(ISR(0x20), pin < 8 ? BIT(pin) : 4);
		set(pin, true); /* no edge */
		assert_int_equal(IRR(port), 0);
		set(pin, false);
		set(pin, true);
		assert_false(rig.line); /* in service */
		out(port, 0x60 | pin % 8);
		if (pin >= 8) {
			assert_false(rig.line);
			out(0x20, 0x62);
		}
		assert_true(rig.line);
		assert_int_equal(pic_ack(&pic), 0x30 + pin);
		out(0xa0, 0x20);
		out(0x20, 0x20);
		assert_int_equal(ISR(0x20) | ISR(0xa0), 0);
		set(pin, false);
		assert_false(rig.line);
	}
}

static void pins_out_of_range_and_the_cascade_do_nothing(void **state)
{
	(void)state;
	set(2, true);
	set(16, true);
	set(~0u, true);
	assert_int_equal(IRR(0x20) | IRR(0xa0), 0);
	assert_false(rig.line);
}

static void lower_numbers_go_first_and_nest(void **state)
{
	(void)state;
	set(7, true);
	set(3, true);
	set(9, true);
	assert_int_equal(pic_ack(&pic), 0x39);
	assert_false(rig.line);
	set(1, true);
	assert_int_equal(pic_ack(&pic), 0x31);
	set(8, true); /* higher on the slave, but the cascade is in service */
	assert_false(rig.line);
	out(0x20, 0x20); /* ends 1 */
	assert_int_equal(ISR(0x20), 0x04);
	assert_false(rig.line);
	out(0x20, 0x20);
	assert_true(rig.line);
	assert_int_equal(pic_ack(&pic), 0x38);
	out(0xa0, 0x20);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	assert_int_equal(pic_ack(&pic), 0x33);
	out(0x20, 0x20);
	assert_int_equal(pic_ack(&pic), 0x37);
}

static void special_fully_nested_mode_lets_the_slave_nest(void **state)
{
	(void)state;
	start(0x11);
	set(9, true);
	assert_int_equal(pic_ack(&pic), 0x39);
	set(10, true);
	assert_false(rig.line);
	set(8, true);
	assert_true(rig.line);
	assert_int_equal(pic_ack(&pic), 0x38);
}

static void level_inputs_follow_their_wire(void **state)
{
	(void)state;
	elcr(0xffff);
	assert_int_equal(rig_read(&pic_elcr_ops, &pic, 0, 1), 0xf8);
	assert_int_equal(rig_read(&pic_elcr_ops, &pic, 1, 1), 0xde);
	set(11, true);
	assert_true(rig.line);
	set(11, false);
	assert_false(rig.line);
	set(11, true);
	assert_int_equal(pic_ack(&pic), 0x3b);
	assert_int_equal(IRR(0xa0), 0x08);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	assert_true(rig.line); /* the device still asks */
	set(11, false);
	assert_false(rig.line);
	set(5, true);
	start(0x01);
	assert_true(rig.line); /* initialisation forgets edges only */
	assert_int_equal(pic_ack(&pic), 0x35);
	out(0x20, 0x20);
	elcr(0);
	assert_int_equal(pic_ack(&pic), 0x35); /* what was asked stays asked once */
	out(0x20, 0x20);
	assert_false(rig.line);
	elcr(0x20);
	assert_true(rig.line);
}

static void a_request_that_went_away_is_spurious(void **state)
{
	(void)state;
	assert_int_equal(pic_ack(&pic), 0x37);
	assert_int_equal(ISR(0x20), 0);
	elcr(0x0800);
	set(11, true);
	set(11, false);
	assert_int_equal(pic_ack(&pic), 0x37);
	assert_int_equal(ISR(0x20) | ISR(0xa0), 0);
	set(4, true);
	out(0x21, 0x10);
	assert_false(rig.line);
	assert_int_equal(pic_ack(&pic), 0x37);
	out(0x21, 0); /* the edge is still remembered */
	assert_int_equal(pic_ack(&pic), 0x34);
}

static void masks_hold_back_without_losing(void **state)
{
	(void)state;
	out(0x21, 0x02);
	out(0xa1, 0x10);
	pulse(1);
	pulse(12);
	assert_false(rig.line);
	assert_int_equal(IRR(0x20), 0x02);
	out(0xa1, 0);
	assert_true(rig.line);
	assert_int_equal(IRR(0x20), 0x06);
	assert_int_equal(pic_ack(&pic), 0x3c);
	out(0x21, 0x04);
	out(0x21, 0);
	assert_int_equal(pic_ack(&pic), 0x31);
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
	(void)state;
	start(0x03);
	pulse(3);
	pulse(5);
	assert_int_equal(pic_ack(&pic), 0x33);
	assert_int_equal(ISR(0x20), 0);
	assert_int_equal(pic_ack(&pic), 0x35);
	/* rotating: the one just served becomes the last */
	out(0x20, 0x80);
	pulse(3);
	assert_int_equal(pic_ack(&pic), 0x33);
	pulse(1);
	pulse(4);
	assert_int_equal(pic_ack(&pic), 0x34);
	out(0x20, 0x00);
	pulse(5);
	assert_int_equal(pic_ack(&pic), 0x35);
	pulse(6);
	assert_int_equal(pic_ack(&pic), 0x36);
	assert_int_equal(pic_ack(&pic), 0x31);
}

static void rotation_moves_the_lowest_priority(void **state)
{
	(void)state;
	out(0x20, 0xc4); /* 4 is the lowest, 5 the highest */
	pulse(3);
	pulse(4);
	pulse(6);
	assert_int_equal(pic_ack(&pic), 0x36);
	assert_false(rig.line);
	out(0x20, 0xa0); /* rotate on non-specific EOI: 6 is the lowest */
	pulse(6);
	pulse(7);
	assert_int_equal(pic_ack(&pic), 0x37);
	out(0x20, 0xe7); /* rotate on specific EOI */
	assert_int_equal(ISR(0x20), 0);
	assert_int_equal(pic_ack(&pic), 0x33);
	out(0x20, 0x20);
	assert_int_equal(pic_ack(&pic), 0x34);
	out(0x20, 0x40); /* no operation */
	assert_int_equal(ISR(0x20), 0x10);
	out(0x20, 0x20);
	out(0x20, 0xa0); /* nothing in service: nothing rotates */
	assert_int_equal(pic_ack(&pic), 0x36);
}

static void special_mask_mode_lets_lower_ones_in(void **state)
{
	(void)state;
	set(3, true);
	assert_int_equal(pic_ack(&pic), 0x33);
	pulse(6);
	assert_false(rig.line);
	out(0x21, 0x08);
	assert_false(rig.line);
	out(0x20, 0x68);
	assert_true(rig.line);
	assert_int_equal(pic_ack(&pic), 0x36);
	out(0x20, 0x20); /* ends 6: 3 is hidden by its mask */
	assert_int_equal(ISR(0x20), 0x08);
	out(0x20, 0x08); /* says nothing about the mode */
	pulse(6);
	assert_true(rig.line);
	out(0x20, 0x48);
	assert_false(rig.line);
}

static void polling_acknowledges(void **state)
{
	(void)state;
	assert_int_equal(ocw3_read(0x20, 0x0c), 0);
	pulse(5);
	assert_int_equal(ocw3_read(0x20, 0x0c), 0x85);
	assert_false(rig.line);
	pulse(0);
	assert_int_equal(ocw3_read(0x20, 0x0c), 0x80);
	out(0x20, 0x60);
	assert_int_equal(in(0x20), 0); /* IRR again */
	assert_int_equal(ISR(0x20), 0x20);
	assert_false(rig.line);
	out(0x20, 0x20);
	pulse(14);
	out(0x20, 0x0c);
	assert_int_equal(in(0x21), 0x82); /* either address */
	out(0xa0, 0x0c);
	assert_int_equal(in(0xa0), 0x86);
	assert_int_equal(ISR(0xa0), 0x40);
}

static void initialisation_without_icw4_leaves_the_special_modes(void **state)
{
	(void)state;
	start(0x13); /* automatic EOI, special fully nested */
	out(0x20, 0x80);
	out(0x20, 0x68); /* special mask */
	out(0x20, 0x0c); /* a poll that is not fetched */
	out(0x20, 0x14); /* bit 2, the interval, is no ICW4 */
	out(0x21, 0x30);
	out(0x21, 0x04);
	assert_int_equal(in(0x20), 0);
	pulse(5);
	assert_int_equal(pic_ack(&pic), 0x35);
	assert_int_equal(ISR(0x20), 0x20);
	out(0x21, 0x20);
	pulse(6);
	assert_false(rig.line);
	out(0x20, 0x20);
	assert_int_equal(pic_ack(&pic), 0x36);
	out(0x20, 0x20);
	/* rotation has to be asked for again */
	out(0x21, 0);
	start(0x03);
	pulse(3);
	pic_ack(&pic);
	pulse(2 + 2);
	pulse(3);
	assert_int_equal(pic_ack(&pic), 0x33);
}

static void special_mask_takes_its_own_bit_only(void **state)
{
	(void)state;
	set(3, true);
	pic_ack(&pic);
	out(0x21, 0x08);
	out(0x20, 0x4c); /* clears it, and polls */
	assert_int_equal(in(0x20), 0);
	pulse(6);
	assert_false(rig.line);
}

static void reset_masks_and_keeps_the_wires(void **state)
{
	(void)state;
	elcr(0x0008);
	set(3, true);
	set(4, true);
	pic_ack(&pic);
	pic_reset(&pic);
	assert_false(rig.line);
	assert_int_equal(in(0x21), 0xff);
	assert_int_equal(ISR(0x20) | IRR(0x20), 0);
	start(0x01);
	assert_false(rig.line);
	set(4, true); /* was up all the time: no edge */
	assert_false(rig.line);
	set(4, false);
	set(4, true);
	assert_int_equal(pic_ack(&pic), 0x34);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(masked_after_reset_and_probed_by_linux, setup),
		cmocka_unit_test_setup(initialisation_clears_mask_and_takes_three_or_four_words, setup),
		cmocka_unit_test_setup(every_input_has_its_vector_and_needs_its_eoi, setup_started),
		cmocka_unit_test_setup(pins_out_of_range_and_the_cascade_do_nothing, setup_started),
		cmocka_unit_test_setup(lower_numbers_go_first_and_nest, setup_started),
		cmocka_unit_test_setup(special_fully_nested_mode_lets_the_slave_nest, setup_started),
		cmocka_unit_test_setup(level_inputs_follow_their_wire, setup_started),
		cmocka_unit_test_setup(a_request_that_went_away_is_spurious, setup_started),
		cmocka_unit_test_setup(masks_hold_back_without_losing, setup_started),
		cmocka_unit_test_setup(automatic_eoi_leaves_nothing_in_service, setup_started),
		cmocka_unit_test_setup(rotation_moves_the_lowest_priority, setup_started),
		cmocka_unit_test_setup(special_mask_mode_lets_lower_ones_in, setup_started),
		cmocka_unit_test_setup(polling_acknowledges, setup_started),
		cmocka_unit_test_setup(initialisation_without_icw4_leaves_the_special_modes, setup_started),
		cmocka_unit_test_setup(special_mask_takes_its_own_bit_only, setup_started),
		cmocka_unit_test_setup(reset_masks_and_keeps_the_wires, setup_started),
	};

	return cmocka_run_group_tests_name("pic", tests, NULL, NULL);
}
