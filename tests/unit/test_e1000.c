// SPDX-License-Identifier: BSD-2-Clause
/* The driver of the machine's own Ethernet card, against a model of the card. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/e1000_model.h"

struct rig {
	struct e1000_model model;
	struct e1000_machine machine;
	struct e1000_memory *memory;
	struct e1000 nic;
	unsigned got;
	u16 length;
	u8 frame[E1000_BUFFER_BYTES];
};

static void receive(void *owner, const void *frame, size_t length)
{
	struct rig *rig = owner;

	assert_in_range(length, ETHERNET_FRAME_MIN, ETHERNET_FRAME_MAX);
	memcpy(rig->frame, frame, length);
	rig->length = (u16)length;
	rig->got++;
}

static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->memory = aligned_alloc(PAGE_SIZE, sizeof(*rig->memory));
	assert_non_null(rig->memory);
	memset(rig->memory, 0xa5, sizeof(*rig->memory));
	model_init(&rig->model, rig->memory, sizeof(*rig->memory));
	rig->machine = model_machine(&rig->model);
	return rig;
}

static void start(struct rig *rig)
{
	assert_null(e1000_reset(&rig->nic, "nic", &rig->machine, rig->memory));
	rig->model.master = true;
	e1000_start(&rig->nic);
	rig->nic.port.receive = receive;
	rig->nic.port.owner = rig;
}

static struct rig *rig_started(void)
{
	struct rig *rig = rig_new();

	start(rig);
	return rig;
}

static void rig_free(struct rig *rig)
{
	free(rig->memory);
	free(rig);
}

/* Byte i of frame n. */
static u8 byte_of(unsigned n, unsigned i)
{
	return (u8)(n * 41 + i * 7 + i / 256);
}

static void make(u8 *frame, unsigned n, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		frame[i] = byte_of(n, i);
}

static bool arrive(struct rig *rig, unsigned n, unsigned length)
{
	static u8 frame[16 * KiB];

	make(frame, n, length);
	return model_receive(&rig->model, frame, length);
}

static unsigned poll(struct rig *rig, unsigned budget)
{
	return rig->nic.port.poll(&rig->nic.port, budget);
}

static bool send(struct rig *rig, unsigned n, unsigned length)
{
	u8 *frame = malloc(length ? length : 1); /* of just this size, so that a byte too many is seen */
	bool sent;

	assert_non_null(frame);
	make(frame, n, length);
	sent = rig->nic.port.send(&rig->nic.port, frame, length);
	free(frame);
	return sent;
}

static void assert_frame(const u8 *frame, unsigned n, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		assert_int_equal(frame[i], byte_of(n, i));
}

#define COUNTED(rig, counter) ((rig)->nic.port.counters.counter)

/* ---- reset and start ---- */

static void test_firmwares_dma_and_interrupts_end_with_the_reset(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	for (unsigned lazy = 0; lazy < 2; lazy++) {
		model_init(&rig->model, rig->memory, sizeof(*rig->memory));
		rig->model.lazy = lazy;
		/* The model aborts at any access to memory as long as the rings are firmware's. */
		assert_null(e1000_reset(&rig->nic, "nic", &rig->machine, rig->memory));
		assert_int_equal(rig->model.resets, 1);
		assert_int_equal(rig->model.reg[0x100 / 4] & 2, 0);
		assert_int_equal(rig->model.reg[0x400 / 4] & 2, 0);
		assert_int_equal(rig->model.reg[0xd0 / 4], 0);
		assert_false(rig->nic.port.link);
		rig->model.master = true;
		e1000_start(&rig->nic);
		assert_int_equal(rig->model.reg[0xd0 / 4], 0);
		assert_true(rig->nic.port.link);
		assert_true(arrive(rig, 0, 64));
	}
	rig_free(rig);
}

static void test_the_address_comes_from_the_card_or_its_eeprom(void **state)
{
	static const u8 mac[ETHERNET_MAC] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
	struct rig *rig = rig_new();

	(void)state;
	for (unsigned loaded = 0; loaded < 2; loaded++) {
		model_init(&rig->model, rig->memory, sizeof(*rig->memory));
		rig->model.ra_from_eeprom = loaded;
		start(rig);
		assert_memory_equal(rig->nic.port.mac, mac, sizeof(mac));
		assert_int_equal(rig->model.reg[0x5400 / 4], 0x12005452);
		assert_int_equal(rig->model.reg[0x5404 / 4], 0x80005634);
	}
	rig_free(rig);
}

static void test_a_card_without_a_usable_address_is_refused(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig->model.ra_from_eeprom = false;
	rig->model.no_eeprom = true;
	assert_non_null(e1000_reset(&rig->nic, "nic", &rig->machine, rig->memory));
	for (unsigned loaded = 0; loaded < 2; loaded++) {
		model_init(&rig->model, rig->memory, sizeof(*rig->memory));
		rig->model.ra_from_eeprom = loaded;
		rig->model.eeprom[0] = 0x0001; /* a group's */
		assert_non_null(e1000_reset(&rig->nic, "nic", &rig->machine, rig->memory));
		memset(rig->model.eeprom, 0, sizeof(rig->model.eeprom));
		assert_non_null(e1000_reset(&rig->nic, "nic", &rig->machine, rig->memory));
	}
	rig_free(rig);
}

static void test_a_card_that_does_not_answer_is_refused_in_time(void **state)
{
	struct rig *rig = rig_new();

	(void)state;
	rig->model.stuck = true;
	assert_non_null(e1000_reset(&rig->nic, "nic", &rig->machine, rig->memory));
	assert_in_range(rig->model.now_us, 1, 100000);
	model_init(&rig->model, rig->memory, sizeof(*rig->memory));
	rig->model.gone = true;
	assert_non_null(e1000_reset(&rig->nic, "nic", &rig->machine, rig->memory));
	assert_in_range(rig->model.now_us, 1, 100000);
	/* One that takes its time is waited for. */
	model_init(&rig->model, rig->memory, sizeof(*rig->memory));
	rig->model.reset_us = 15000;
	assert_null(e1000_reset(&rig->nic, "nic", &rig->machine, rig->memory));
	rig_free(rig);
}

/* ---- receiving ---- */

static void test_frames_arrive_as_they_were_sent(void **state)
{
	struct rig *rig = rig_started();
	u64 bytes = 0;

	(void)state;
	/* Each length once: twenty times around the ring. */
	for (unsigned length = ETHERNET_FRAME_MIN; length <= ETHERNET_FRAME_MAX; length++) {
		assert_true(arrive(rig, length, length));
		assert_int_equal(poll(rig, 10), 1);
		assert_int_equal(rig->length, length);
		assert_frame(rig->frame, length, length);
		bytes += length;
	}
	assert_int_equal(COUNTED(rig, rx_frames), ETHERNET_FRAME_MAX - ETHERNET_FRAME_MIN + 1);
	assert_int_equal(COUNTED(rig, rx_bytes), bytes);
	assert_int_equal(poll(rig, 10), 0);
	rig_free(rig);
}

static void test_frames_for_anybody_are_taken(void **state)
{
	static const u8 to[][ETHERNET_MAC] = { { 0x52, 0x54, 0, 0x12, 0x34, 0x56 },
					       { 2, 1, 2, 3, 4, 5 },
					       { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
					       { 0x33, 0x33, 0, 0, 0, 1 } };
	struct rig *rig = rig_started();
	u8 frame[60] = { 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(to); i++) {
		memcpy(frame, to[i], ETHERNET_MAC);
		assert_true(model_receive(&rig->model, frame, sizeof(frame)));
	}
	assert_int_equal(poll(rig, 10), ARRAY_SIZE(to));
	rig_free(rig);
}

static void test_a_full_ring_loses_no_frame_that_was_taken(void **state)
{
	struct rig *rig = rig_started();
	unsigned taken = 0;

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		/* One is held back: a full ring must not look like an empty one. */
		for (taken = 0; arrive(rig, 100 * round + taken, 60 + taken); taken++)
			assert_in_range(taken, 0, E1000_RX_COUNT - 2);
		assert_int_equal(taken, E1000_RX_COUNT - 1);
		rig->got = 0;
		for (unsigned i = 0; i < taken; i++) {
			assert_int_equal(poll(rig, 1), 1);
			assert_int_equal(rig->got, i + 1);
			assert_frame(rig->frame, 100 * round + i, 60 + i);
		}
		assert_int_equal(poll(rig, 1), 0);
	}
	/* What the card had no room for it has counted; reading clears that. */
	e1000_watch(&rig->nic);
	assert_int_equal(COUNTED(rig, rx_errors), 10);
	e1000_watch(&rig->nic);
	assert_int_equal(COUNTED(rig, rx_errors), 10);
	rig_free(rig);
}

static void test_a_poll_takes_no_more_than_its_budget(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		assert_true(arrive(rig, i, 100));
	assert_int_equal(poll(rig, 0), 0);
	assert_int_equal(poll(rig, 16), 16);
	assert_int_equal(rig->got, 16);
	assert_int_equal(poll(rig, 100), 24);
	assert_int_equal(rig->got, 40);
	rig_free(rig);
}

static void test_each_hardware_error_drops_its_frame_only(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	for (unsigned bit = 0; bit < 8; bit++) {
		/* Bits 5 and 6 tell of checksums inside of the frame, bit 3 of nothing. */
		bool bad = 0x97 & 1 << bit;

		rig->got = 0;
		rig->model.rx_errors = 1 << bit;
		assert_true(arrive(rig, bit, 100));
		rig->model.rx_errors = 0;
		assert_true(arrive(rig, bit + 50, 100));
		assert_int_equal(poll(rig, 10), 2);
		assert_int_equal(rig->got, bad ? 1 : 2);
		assert_frame(rig->frame, bit + 50, 100);
	}
	assert_int_equal(COUNTED(rig, rx_errors), 5);
	assert_int_equal(COUNTED(rig, rx_malformed), 0);
	rig_free(rig);
}

static void test_a_length_that_cannot_be_is_no_frame(void **state)
{
	static const u16 lengths[] = { 0, 1, 13, 1515, 1518, 2047, 2048, 2049, 4096, 0x8000, 0xffff };
	struct rig *rig = rig_started();

	(void)state;
	rig->model.rx_lies = true;
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		rig->model.rx_length = lengths[i];
		assert_true(arrive(rig, i, 100));
		assert_int_equal(poll(rig, 10), 1);
	}
	assert_int_equal(rig->got, 0);
	assert_int_equal(COUNTED(rig, rx_malformed), ARRAY_SIZE(lengths));
	rig->model.rx_lies = false;
	assert_true(arrive(rig, 1, 100));
	assert_int_equal(poll(rig, 10), 1);
	assert_int_equal(rig->got, 1);
	rig_free(rig);
}

static void test_a_frame_of_several_buffers_is_dropped_whole(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	for (unsigned budget = 1; budget < 8; budget++) {
		rig->got = 0;
		assert_true(arrive(rig, 1, 100));
		assert_true(arrive(rig, 2, 9000)); /* its last part, alone, would do as a frame */
		assert_true(arrive(rig, 3, 100));
		for (unsigned taken = 0, now; taken < 7; taken += now) {
			now = poll(rig, budget);
			assert_int_not_equal(now, 0);
		}
		assert_int_equal(rig->got, 2);
		assert_frame(rig->frame, 3, 100);
		assert_int_equal(COUNTED(rig, rx_malformed), budget);
	}
	rig_free(rig);
}

static void test_addresses_in_descriptors_are_not_believed(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	/* The model aborts if it is led to another place than the driver's memory. */
	rig->model.scribble = 0x1234567000;
	for (unsigned i = 0; i < 5 * E1000_RX_COUNT; i++) {
		assert_true(arrive(rig, i, 100));
		assert_int_equal(poll(rig, 10), 1);
		assert_frame(rig->frame, i, 100);
		assert_true(send(rig, i, 100));
		assert_frame(rig->model.wire[0].bytes, i, 100);
		rig->model.sent = 0;
	}
	rig_free(rig);
}

/* ---- sending ---- */

static void test_frames_go_out_as_they_are_padded_with_zeros(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	for (unsigned length = ETHERNET_FRAME_MAX; length >= ETHERNET_FRAME_MIN; length--) {
		rig->model.sent = 0;
		assert_true(send(rig, length, length));
		assert_int_equal(rig->model.sent, 1);
		assert_int_equal(rig->model.wire[0].length, MAX(length, 60u));
		assert_frame(rig->model.wire[0].bytes, length, length);
		for (unsigned i = length; i < 60; i++)
			assert_int_equal(rig->model.wire[0].bytes[i], 0);
	}
	assert_int_equal(COUNTED(rig, tx_frames), ETHERNET_FRAME_MAX - ETHERNET_FRAME_MIN + 1);
	rig_free(rig);
}

static void test_a_card_that_stalls_gets_no_more_than_its_ring_holds(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		rig->model.sent = 0;
		rig->model.stalled = true;
		for (unsigned i = 0; i < E1000_TX_COUNT + 9; i++)
			assert_int_equal(send(rig, i, 70 + i), i < E1000_TX_COUNT - 1);
		assert_int_equal(COUNTED(rig, tx_no_room), 10 * (round + 1));
		rig->model.stalled = false;
		model_transmit(&rig->model);
		assert_int_equal(rig->model.sent, E1000_TX_COUNT - 1);
		for (unsigned i = 0; i < rig->model.sent; i++)
			assert_frame(rig->model.wire[i].bytes, i, 70 + i);
		assert_true(send(rig, 1, 100));
	}
	rig_free(rig);
}

static void test_what_is_no_frame_is_not_sent(void **state)
{
	static const unsigned lengths[] = { 0, 13, 1515, 2048, 2049, 100000 };
	struct rig *rig = rig_started();

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++)
		assert_false(send(rig, i, lengths[i]));
	assert_int_equal(rig->model.sent, 0);
	assert_int_equal(COUNTED(rig, tx_malformed), ARRAY_SIZE(lengths));
	rig_free(rig);
}

static void test_without_a_cable_nothing_is_sent(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	assert_true(rig->nic.port.link);
	model_set_link(&rig->model, false);
	e1000_watch(&rig->nic);
	assert_false(rig->nic.port.link);
	assert_false(send(rig, 1, 100));
	assert_int_equal(COUNTED(rig, tx_no_link), 1);
	assert_int_equal(rig->model.sent, 0);
	model_set_link(&rig->model, true);
	e1000_watch(&rig->nic);
	assert_true(send(rig, 1, 100));
	assert_int_equal(rig->model.sent, 1);
	rig_free(rig);
}

static void test_polling_is_enough_to_learn_of_the_cable(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	assert_true(rig->nic.port.polled);
	for (unsigned round = 0; round < 6; round++) {
		model_set_link(&rig->model, round & 1);
		for (unsigned i = 0; i < E1000_WATCH_POLLS; i++)
			assert_int_equal(poll(rig, 10), 0);
		assert_int_equal(rig->nic.port.link, round & 1);
	}
	rig_free(rig);
}

static void test_a_card_that_goes_away_has_no_link(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	rig->model.gone = true;
	e1000_watch(&rig->nic);
	assert_false(rig->nic.port.link);
	assert_int_equal(COUNTED(rig, rx_errors), 0);
	assert_int_equal(poll(rig, 10), 0);
	assert_false(send(rig, 1, 100));
	rig_free(rig);
}

static void test_a_port_that_nobody_has_still_empties_its_ring(void **state)
{
	struct rig *rig = rig_started();

	(void)state;
	rig->nic.port.receive = NULL;
	for (unsigned i = 0; i < 3 * E1000_RX_COUNT; i++) {
		assert_true(arrive(rig, i, 100));
		assert_int_equal(poll(rig, 10), 1);
	}
	assert_int_equal(COUNTED(rig, rx_frames), 3 * E1000_RX_COUNT);
	rig_free(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_firmwares_dma_and_interrupts_end_with_the_reset),
		cmocka_unit_test(test_the_address_comes_from_the_card_or_its_eeprom),
		cmocka_unit_test(test_a_card_without_a_usable_address_is_refused),
		cmocka_unit_test(test_a_card_that_does_not_answer_is_refused_in_time),
		cmocka_unit_test(test_frames_arrive_as_they_were_sent),
		cmocka_unit_test(test_frames_for_anybody_are_taken),
		cmocka_unit_test(test_a_full_ring_loses_no_frame_that_was_taken),
		cmocka_unit_test(test_a_poll_takes_no_more_than_its_budget),
		cmocka_unit_test(test_each_hardware_error_drops_its_frame_only),
		cmocka_unit_test(test_a_length_that_cannot_be_is_no_frame),
		cmocka_unit_test(test_a_frame_of_several_buffers_is_dropped_whole),
		cmocka_unit_test(test_addresses_in_descriptors_are_not_believed),
		cmocka_unit_test(test_frames_go_out_as_they_are_padded_with_zeros),
		cmocka_unit_test(test_a_card_that_stalls_gets_no_more_than_its_ring_holds),
		cmocka_unit_test(test_what_is_no_frame_is_not_sent),
		cmocka_unit_test(test_without_a_cable_nothing_is_sent),
		cmocka_unit_test(test_polling_is_enough_to_learn_of_the_cable),
		cmocka_unit_test(test_a_card_that_goes_away_has_no_link),
		cmocka_unit_test(test_a_port_that_nobody_has_still_empties_its_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
