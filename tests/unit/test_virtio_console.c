// SPDX-License-Identifier: BSD-2-Clause
/* The virtio console against VIRTIO 1.2, section 5.3, from both of its ends. */
#include "devices/virtio_console.h"

#include "tests/unit/virtio_rig.h"

#define RX   VIRTIO_CONSOLE_RECEIVE
#define TX   VIRTIO_CONSOLE_TRANSMIT
#define DATA VR_DATA
#define KEPT VIRTIO_CONSOLE_INPUT

/* The far end: a terminal that takes so many bytes, and a keyboard that has some. */
struct fixture {
	struct virtio_rig rig;
	struct virtio_console console;
	u8 shown[2 * MiB];
	unsigned count, room;
	u8 typed[1024];
	unsigned typed_count, typed_next, offers;
	bool away; /* the user: takes no notice of room */
};

static unsigned put(void *backend, const u8 *bytes, unsigned length)
{
	struct fixture *f = backend;
	unsigned taken = MIN(length, f->room);

	memcpy(f->shown + f->count, bytes, taken);
	f->count += taken;
	f->room -= taken;
	return taken;
}

static void type_more(struct fixture *f)
{
	f->typed_next +=
		virtio_console_receive(&f->console, f->typed + f->typed_next, f->typed_count - f->typed_next);
}

static void rx_room(void *backend)
{
	struct fixture *f = backend;

	f->offers++;
	if (!f->away)
		type_more(f);
}

static int set_up(void **state, bool with_rx_room, u64 withheld)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct virtio_console_backend backend = { put, with_rx_room ? rx_room : NULL, f };
	struct virtio_setup setup;

	assert_non_null(f);
	f->rig.pci = pci_rig_new();
	f->room = ~0u;
	setup = vr_setup(&f->rig, "console");
	setup.withheld = withheld;
	virtio_console_init(&f->console, &setup, &backend);
	vr_plug(&f->rig, &f->console.dev);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return set_up(state, true, 0);
}

static int setup_mute(void **state)
{
	return set_up(state, false, VIRTIO_CONSOLE_F_EMERG_WRITE | VIRTIO_F_RING_PACKED);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vr_unplug(&f->rig);
	free(f);
	return 0;
}

static void start(struct fixture *f)
{
	vr_start(&f->rig, VIRTIO_CONSOLE_F_SIZE | VIRTIO_F_INDIRECT_DESC, 2, 16);
}

static void post(struct fixture *f, unsigned queue, u64 address, u32 length)
{
	struct driver_piece piece = { address, length };

	assert_true(driver_add(&f->rig.queue[queue], &piece, queue == TX, queue == RX, 0, 0) >= 0);
	if (driver_must_notify(&f->rig.queue[queue]))
		vr_notify(&f->rig, queue);
}

/* The length of the next used buffer, or -1. */
static int used(struct fixture *f, unsigned queue)
{
	u32 length;

	return driver_get_used(&f->rig.queue[queue], &length) < 0 ? -1 : (int)length;
}

static u8 *ram(struct fixture *f, u64 address)
{
	return f->rig.pci->bytes + address;
}

static void type_text(struct fixture *f, const char *text)
{
	f->typed_count = strlen(text);
	f->typed_next = 0;
	memcpy(f->typed, text, f->typed_count);
	type_more(f);
}

static void type_pattern(struct fixture *f, unsigned length)
{
	for (unsigned i = 0; i < length; i++)
		f->typed[i] = i * 5 + 1;
	f->typed_count = length;
	f->typed_next = 0;
	type_more(f);
}

/* ---- */

static void identity_and_configuration(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	assert_int_equal(pci_rig_config(rig->pci, VR_SLOT, 0, 4), 0x10431af4);
	assert_int_equal(pci_rig_config(rig->pci, VR_SLOT, 8, 4), 0x07800001);
	assert_int_equal(vr_offered(rig) & BITS(27, 0), VIRTIO_CONSOLE_F_SIZE | VIRTIO_CONSOLE_F_EMERG_WRITE);
	assert_int_equal(vr_get(rig, VR_NUM_QUEUES, 2), 2);
	assert_int_equal(vr_get(rig, VR_CONFIG + 4, 4), 1);
	start(f);
	virtio_console_resize(&f->console, 132, 43);
	assert_int_equal(vr_get(rig, VR_CONFIG, 2), 132);
	assert_int_equal(vr_get(rig, VR_CONFIG + 2, 2), 43);
	assert_int_equal(vr_get(rig, VR_GENERATION, 1), 1);
	assert_int_equal(vr_last_message(rig), 0x42);
}

static void the_guest_writes(void **state)
{
	struct fixture *f = *state;

	start(f);
	memcpy(ram(f, DATA), "hello, world", 12);
	post(f, TX, DATA, 12);
	assert_int_equal(f->count, 12);
	assert_memory_equal(f->shown, "hello, world", 12);
	assert_int_equal(used(f, TX), 0);
	assert_int_equal(vr_last_message(&f->rig), 0x40 + TX);
	for (unsigned i = 0; i < 1000; i++)
		ram(f, DATA)[i] = i;
	f->count = 0;
	post(f, TX, DATA, 1000);
	assert_int_equal(f->count, 1000);
	assert_memory_equal(f->shown, ram(f, DATA), 1000);
	post(f, TX, DATA, 0);
	assert_int_equal(used(f, TX), 0);
	assert_int_equal(used(f, TX), 0);
	assert_int_equal(f->console.sent, 1012);
}

static void a_terminal_without_room_stops_the_guest(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 0; i < 200; i++)
		ram(f, DATA)[i] = i;
	f->room = 70;
	post(f, TX, DATA, 150);
	post(f, TX, DATA + 150, 50);
	assert_int_equal(f->count, 70);
	assert_int_equal(used(f, TX), -1);
	f->room = 100;
	virtio_console_tx_ready(&f->console);
	assert_int_equal(f->count, 170);
	assert_int_equal(used(f, TX), 0);
	assert_int_equal(used(f, TX), -1);
	f->room = ~0u;
	virtio_console_tx_ready(&f->console);
	assert_int_equal(used(f, TX), 0);
	assert_int_equal(f->count, 200);
	assert_memory_equal(f->shown, ram(f, DATA), 200);
}

static void the_guest_cannot_write_for_ever(void **state)
{
	struct driver_piece pieces[8];
	struct fixture *f = *state;
	unsigned before = 0, turns = 0;

	start(f);
	for (unsigned i = 0; i < 8; i++)
		pieces[i] = (struct driver_piece){ DATA, 0x8000 };
	assert_true(driver_add(&f->rig.queue[TX], pieces, 8, 0, 0, 0) >= 0);
	vr_notify(&f->rig, TX);
	for (; used(f, TX) < 0; turns++) {
		assert_in_range(f->count - before, 1, VIRTIO_SHARE / 16);
		before = f->count;
		vr_pass(&f->rig, VR_TICKS);
	}
	assert_int_equal(f->count, 8 * 0x8000);
	assert_in_range(turns, 4, 20);
}

static void what_cannot_be_read_is_not_shown(void **state)
{
	struct fixture *f = *state;
	const struct driver_piece pieces[] = { { DATA, 64 }, { RIG_RAM_SIZE, 64 }, { DATA, 64 } };

	start(f);
	driver_add(&f->rig.queue[TX], pieces, 3, 0, 0, 0);
	vr_notify(&f->rig, TX);
	assert_int_equal(f->count, 64);
	assert_int_equal(used(f, TX), 0);
	assert_int_equal(vr_status(&f->rig), 0xf);
}

/* ---- */

static void the_guest_reads(void **state)
{
	struct fixture *f = *state;

	start(f);
	post(f, RX, DATA, 64);
	post(f, RX, DATA + 64, 64);
	assert_int_equal(used(f, RX), -1);
	type_text(f, "ls\n");
	assert_int_equal(used(f, RX), 3);
	assert_memory_equal(ram(f, DATA), "ls\n", 3);
	assert_int_equal(vr_last_message(&f->rig), 0x40 + RX);
	type_text(f, "x");
	assert_int_equal(used(f, RX), 1);
	assert_int_equal(ram(f, DATA)[64], 'x');
	assert_int_equal(f->console.received, 4);
}

static void input_waits_for_buffers(void **state)
{
	struct fixture *f = *state;

	type_text(f, "lost with the driver before");
	start(f);
	type_text(f, "abc");
	type_text(f, "defg");
	assert_int_equal(f->rig.pci->messages, 0);
	post(f, RX, DATA, 4);
	assert_int_equal(used(f, RX), 4);
	assert_memory_equal(ram(f, DATA), "abcd", 4);
	post(f, RX, DATA, 64);
	assert_int_equal(used(f, RX), 3);
	assert_memory_equal(ram(f, DATA), "efg", 3);
}

static void what_is_too_much_stays_outside_until_there_is_room(void **state)
{
	struct fixture *f = *state;
	unsigned got = 0;

	start(f);
	type_pattern(f, 1000);
	assert_int_equal(f->typed_next, KEPT);
	assert_int_equal(f->offers, 0);
	while (got < 1000) {
		int length;

		post(f, RX, DATA + got, 100);
		length = used(f, RX);
		assert_in_range(length, 1, 100);
		got += length;
	}
	assert_int_equal(got, 1000);
	assert_memory_equal(ram(f, DATA), f->typed, 1000);
	assert_int_equal(f->typed_next, 1000);
	assert_int_equal(f->offers, 8); /* until all were taken */
	post(f, RX, DATA, 100);
	assert_int_equal(used(f, RX), -1);
}

static void a_burst_goes_through_at_once_if_the_guest_has_room(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 0; i < 16; i++)
		post(f, RX, DATA + i * 70, 70);
	type_pattern(f, 1000);
	assert_int_equal(f->typed_next, 1000);
	assert_int_equal(f->offers, 0);
	for (unsigned i = 0, got = 0; got < 1000; i++) {
		int length = used(f, RX);

		assert_true(length > 0);
		assert_memory_equal(ram(f, DATA + i * 70), f->typed + got, length);
		got += length;
	}
}

static void buffers_that_hold_nothing_are_given_back(void **state)
{
	struct fixture *f = *state;

	start(f);
	post(f, RX, DATA, 0);
	post(f, RX, 2 * MiB, 64);
	post(f, RX, DATA, 64);
	type_text(f, "a");
	/* The first held nothing, and in the second it was lost. */
	assert_int_equal(used(f, RX), 0);
	assert_int_equal(used(f, RX), 0);
	assert_int_equal(used(f, RX), -1);
	type_text(f, "b");
	assert_int_equal(used(f, RX), 1);
	assert_int_equal(*ram(f, DATA), 'b');
}

static void room_is_offered_once(void **state)
{
	struct fixture *f = *state;

	start(f);
	type_pattern(f, 2 * KEPT);
	f->away = true;
	post(f, RX, DATA, 10);
	post(f, RX, DATA, 10);
	assert_int_equal(f->offers, 1);
	type_more(f);
	assert_int_equal(f->typed_next, KEPT + 20);
	post(f, RX, DATA, 10);
	assert_int_equal(f->offers, 2);
}

/* The buffers are found while the user types, not before: nothing may come twice. */
static void room_is_not_offered_to_who_is_typing(void **state)
{
	struct fixture *f = *state;

	start(f);
	pci_rig_set_config(f->rig.pci, VR_SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	for (unsigned i = 0; i < 16; i++)
		post(f, RX, DATA + i * 256, 256);
	type_pattern(f, 1000);
	assert_int_equal(f->typed_next, KEPT);
	pci_rig_set_config(f->rig.pci, VR_SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	type_more(f);
	assert_int_equal(f->typed_next, 1000);
	assert_int_equal(f->offers, 0);
	for (unsigned i = 0, got = 0; got < 1000; i++) {
		int length = used(f, RX);

		assert_true(length > 0);
		assert_memory_equal(ram(f, DATA + i * 256), f->typed + got, length);
		got += length;
	}
	assert_int_equal(used(f, RX), -1);
}

static void a_reset_lets_input_go(void **state)
{
	struct fixture *f = *state;

	start(f);
	post(f, RX, DATA, 1); /* at hand when the reset comes */
	type_text(f, "1");
	post(f, RX, DATA, 1);
	type_pattern(f, 2 * KEPT);
	assert_int_equal(f->typed_next, KEPT + 1);
	f->offers = 0;
	vr_set(&f->rig, VR_STATUS, 1, 0);
	assert_int_equal(f->offers, 1);
	assert_int_equal(f->typed_next, 2 * KEPT);
}

static void without_anyone_who_wants_to_know_of_room(void **state)
{
	struct fixture *f = *state;

	start(f);
	type_pattern(f, 2 * KEPT);
	post(f, RX, DATA, 100);
	assert_int_equal(used(f, RX), 100);
	assert_int_equal(f->typed_next, KEPT);
	type_more(f);
	assert_int_equal(f->typed_next, KEPT + 100);
}

/* ---- */

static void the_emergency_write_needs_no_driver(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_set(rig, VR_CONFIG + 8, 4, 0x1234 << 8 | '!');
	assert_int_equal(f->count, 1);
	assert_int_equal(f->shown[0], '!');
	vr_set(rig, VR_CONFIG + 8, 1, '?');
	vr_set(rig, VR_CONFIG + 4, 4, '?');
	f->room = 0;
	vr_set(rig, VR_CONFIG + 8, 4, '?');
	assert_int_equal(f->count, 1);
	assert_int_equal(f->console.emergency, 1);
	assert_int_equal(vr_get(rig, VR_CONFIG + 8, 4), 0);
}

static void the_emergency_write_may_be_withheld(void **state)
{
	struct fixture *f = *state;

	vr_set(&f->rig, VR_CONFIG + 8, 4, '!');
	assert_int_equal(f->count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define MUTE(name) cmocka_unit_test_setup_teardown(name, setup_mute, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity_and_configuration),
		TEST(the_guest_writes),
		TEST(a_terminal_without_room_stops_the_guest),
		TEST(the_guest_cannot_write_for_ever),
		TEST(what_cannot_be_read_is_not_shown),
		TEST(the_guest_reads),
		TEST(input_waits_for_buffers),
		TEST(what_is_too_much_stays_outside_until_there_is_room),
		TEST(a_burst_goes_through_at_once_if_the_guest_has_room),
		TEST(buffers_that_hold_nothing_are_given_back),
		TEST(room_is_offered_once),
		TEST(room_is_not_offered_to_who_is_typing),
		TEST(a_reset_lets_input_go),
		MUTE(without_anyone_who_wants_to_know_of_room),
		TEST(the_emergency_write_needs_no_driver),
		MUTE(the_emergency_write_may_be_withheld),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
