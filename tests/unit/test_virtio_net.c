// SPDX-License-Identifier: BSD-2-Clause
/* The virtio network device against VIRTIO 1.2, section 5.1, between a driver and an Ethernet port's owner. */
#include "devices/virtio_net.h"

#include "tests/unit/virtio_rig.h"

#define RX   VIRTIO_NET_RECEIVE
#define TX   VIRTIO_NET_TRANSMIT
#define DATA VR_DATA
#define HDR  12u
#define MIN_ ETHERNET_FRAME_MIN
#define MAX_ ETHERNET_FRAME_MAX

static const u8 mac[ETHERNET_MAC] = { 0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc };

struct fixture {
	struct virtio_rig rig;
	struct virtio_net net;
	/* What the port's owner heard. */
	unsigned ready, frames;
	size_t length;
	const void *where;
	u8 frame[MAX_];
	bool answer; /* each frame goes back at once */
};

static void receive(void *owner, const void *frame, size_t length)
{
	struct fixture *f = owner;

	assert_in_range(length, MIN_, MAX_);
	memcpy(f->frame, frame, length);
	f->length = length;
	f->where = frame;
	f->frames++;
	if (f->answer)
		f->net.port.send(&f->net.port, f->frame, length);
}

static void ready(void *owner)
{
	((struct fixture *)owner)->ready++;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct virtio_setup setup;

	assert_non_null(f);
	f->rig.pci = pci_rig_new();
	setup = vr_setup(&f->rig, "net");
	virtio_net_init(&f->net, &setup, mac);
	f->net.port.receive = receive;
	f->net.port.ready = ready;
	f->net.port.owner = f;
	vr_plug(&f->rig, &f->net.dev);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vr_unplug(&f->rig);
	free(f);
	return 0;
}

#define COUNTED(f, counter) ((f)->net.port.counters.counter)

static u8 *ram(struct fixture *f, u64 address)
{
	assert_true(address < RIG_RAM_SIZE);
	return f->rig.pci->bytes + address;
}

static u8 byte_of(unsigned n, unsigned i)
{
	return (u8)(n * 41 + i * 7 + i / 256);
}

static void make(u8 *frame, unsigned n, size_t length)
{
	for (size_t i = 0; i < length; i++)
		frame[i] = byte_of(n, i);
}

static void assert_frame(const u8 *frame, unsigned n, size_t length)
{
	for (size_t i = 0; i < length; i++)
		assert_int_equal(frame[i], byte_of(n, i));
}

static void notify(struct fixture *f, unsigned queue)
{
	if (driver_must_notify(&f->rig.queue[queue]))
		vr_notify(&f->rig, queue);
}

/* A buffer of these pieces: of what the device reads (TX) or writes (RX). */
static void post(struct fixture *f, unsigned queue, const struct driver_piece *pieces, unsigned count)
{
	bool out = queue == TX;

	assert_true(driver_add(&f->rig.queue[queue], pieces, out ? count : 0, out ? 0 : count, 0, 0) >= 0);
	notify(f, queue);
}

static void post_one(struct fixture *f, unsigned queue, u64 address, u32 length)
{
	const struct driver_piece piece = { address, length };

	post(f, queue, &piece, 1);
}

static int used(struct fixture *f, unsigned queue)
{
	u32 length;

	return driver_get_used(&f->rig.queue[queue], &length) < 0 ? -1 : (int)length;
}

/* Frame n in the guest's memory behind a header; `header` may be null. */
static void put_frame(struct fixture *f, u64 address, const struct virtio_net_hdr *header, unsigned n,
		      size_t length)
{
	const struct virtio_net_hdr plain = { .num_buffers = 0 };

	memcpy(ram(f, address), header ? header : &plain, HDR);
	make(ram(f, address + HDR), n, length);
}

static unsigned poll(struct fixture *f, unsigned budget)
{
	return f->net.port.poll(&f->net.port, budget);
}

static bool send(struct fixture *f, unsigned n, size_t length)
{
	u8 *frame = malloc(length ? length : 1); /* of just this size, so that a byte too many is seen */
	bool sent;

	assert_non_null(frame);
	make(frame, n, length);
	sent = f->net.port.send(&f->net.port, frame, length);
	free(frame);
	return sent;
}

static u16 num_buffers(struct fixture *f, u64 address)
{
	return ram(f, address)[10] | ram(f, address)[11] << 8;
}

/* Both formats of rings, with and without event index. */
static u64 variant(unsigned i)
{
	return (i & 1 ? VIRTIO_F_RING_PACKED : 0) | (i & 2 ? VIRTIO_F_EVENT_IDX : 0);
}

#define FOR_EACH_VARIANT(f, features)       \
	for (unsigned v_ = 0; v_ < 4; v_++) \
		for (bool on_ = begin_variant(f, v_, features); on_; on_ = false)

static bool begin_variant(struct fixture *f, unsigned v, u64 features)
{
	vr_start(&f->rig, features | variant(v), 2, 64);
	f->ready = f->frames = 0;
	f->rig.pci->messages = 0;
	memset(&f->net.port.counters, 0, sizeof(f->net.port.counters));
	return true;
}

/* ---- what it says of itself ---- */

static void test_it_tells_its_address_link_and_mtu(void **state)
{
	struct fixture *f = *state;

	vr_start(&f->rig, 0, 2, 16);
	assert_int_equal(pci_rig_config(f->rig.pci, VR_SLOT, 0, 4), 0x10411af4);
	assert_int_equal(pci_rig_config(f->rig.pci, VR_SLOT, 8, 4), 0x02000001);
	assert_int_equal(vr_offered(&f->rig) & 0xfffffff, 0x00018029);
	for (unsigned i = 0; i < ETHERNET_MAC; i++)
		assert_int_equal(vr_get(&f->rig, VR_CONFIG + i, 1), mac[i]);
	assert_int_equal(vr_get(&f->rig, VR_CONFIG + 6, 2), 1);
	assert_int_equal(vr_get(&f->rig, VR_CONFIG + 8, 2), 1);
	assert_int_equal(vr_get(&f->rig, VR_CONFIG + 10, 2), 1500);
	assert_int_equal(vr_get(&f->rig, VR_CONFIG + 12, 2), 0);
	assert_memory_equal(f->net.port.mac, mac, sizeof(mac));
	assert_string_equal(f->net.port.name, "net");
	assert_false(f->net.port.polled);
}

static void test_the_guest_hears_of_its_cable_once(void **state)
{
	struct fixture *f = *state;

	vr_start(&f->rig, VIRTIO_NET_F_STATUS, 2, 16);
	virtio_net_set_link(&f->net, true);
	assert_int_equal(f->rig.pci->messages, 0);
	virtio_net_set_link(&f->net, false);
	assert_int_equal(f->rig.pci->messages, 1);
	assert_int_equal(vr_last_message(&f->rig), 0x42);
	assert_int_equal(vr_get(&f->rig, VR_CONFIG + 6, 2), 0);
	virtio_net_set_link(&f->net, false);
	assert_int_equal(f->rig.pci->messages, 1);
	virtio_net_set_link(&f->net, true);
	assert_int_equal(f->rig.pci->messages, 2);
	assert_int_equal(vr_get(&f->rig, VR_CONFIG + 6, 2), 1);
}

static void test_the_port_has_a_link_while_the_driver_listens(void **state)
{
	struct fixture *f = *state;

	assert_false(f->net.port.link);
	vr_start(&f->rig, 0, 2, 16);
	assert_false(f->net.port.link);
	assert_false(send(f, 1, 100));
	assert_int_equal(COUNTED(f, tx_no_link), 1);
	post_one(f, RX, DATA, 2048);
	assert_true(f->net.port.link);
	assert_int_equal(f->ready, 1);
	assert_true(send(f, 1, 100));
	/* Buffers that were there before DRIVER_OK count as well; a reset ends it. */
	vr_set(&f->rig, VR_STATUS, 1, 0);
	assert_false(f->net.port.link);
	assert_int_equal(f->ready, 2);
	assert_false(send(f, 1, 100));
	assert_true(vr_negotiate(&f->rig, VR_NEEDED));
	vr_place_queue(&f->rig, RX, 16, true);
	assert_true(driver_add(&f->rig.queue[RX], &(struct driver_piece){ DATA, 2048 }, 0, 1, 0, 0) >= 0);
	vr_set(&f->rig, VR_STATUS, 1, 0xf);
	assert_true(f->net.port.link);
	assert_true(send(f, 1, 100));
}

/* ---- the guest transmits ---- */

static void test_a_notification_says_ready_and_a_poll_takes_the_frames(void **state)
{
	struct fixture *f = *state;

	FOR_EACH_VARIANT(f, 0)
	{
		for (unsigned i = 0; i < 3; i++) {
			put_frame(f, DATA + i * 0x800, NULL, i, 100 + i);
			post_one(f, TX, DATA + i * 0x800, HDR + 100 + i);
		}
		/* While they wait, the driver need not notify again. */
		assert_int_equal(f->ready, 1);
		assert_int_equal(f->frames, 0);
		assert_int_equal(used(f, TX), -1);
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(poll(f, 1), 1);
			assert_int_equal(f->frames, i + 1);
			assert_int_equal(f->length, 100 + i);
			assert_frame(f->frame, i, 100 + i);
			assert_int_equal(used(f, TX), 0);
		}
		assert_int_equal(poll(f, 1), 0);
		assert_int_equal(COUNTED(f, rx_frames), 3);
		assert_int_equal(COUNTED(f, rx_bytes), 303);
		assert_int_not_equal(f->rig.pci->messages, 0);
		assert_int_equal(vr_last_message(&f->rig), 0x41);
		/* Now it must notify again. */
		post_one(f, TX, DATA, HDR + 100);
		assert_int_equal(f->ready, 2);
		assert_int_equal(poll(f, 10), 1);
	}
}

static void test_frames_of_every_length_in_any_pieces_arrive_whole(void **state)
{
	struct fixture *f = *state;
	u64 frames = 0;

	FOR_EACH_VARIANT(f, 0)
	{
		for (u32 length = MIN_; length <= MAX_; length += 25) {
			for (u32 cut = 1; cut < HDR + length; cut += length / 3) {
				u32 rest = HDR + length - cut, second = rest / 2;
				/* From the middle of a page over its end, and apart from each other. */
				struct driver_piece pieces[3] = {
					{ 0x9f00, cut },
					{ 0xa800, second },
					{ 0xb000, rest - second },
				};

				memset(ram(f, 0x9000), 0xee, 0x3000);
				put_frame(f, 0xc000, NULL, cut, length);
				memcpy(ram(f, pieces[0].address), ram(f, 0xc000), cut);
				memcpy(ram(f, pieces[1].address), ram(f, 0xc000 + cut), second);
				memcpy(ram(f, pieces[2].address), ram(f, 0xc000 + cut + second),
				       rest - second);
				f->length = 0;
				post(f, TX, pieces, 3);
				assert_int_equal(poll(f, 4), 1);
				assert_int_equal(f->length, length);
				assert_frame(f->frame, cut, length);
				assert_int_equal(used(f, TX), 0);
				frames++;
			}
		}
	}
	assert_int_not_equal(frames, 0);
}

static void test_a_poll_takes_no_more_than_its_budget(void **state)
{
	struct fixture *f = *state;

	FOR_EACH_VARIANT(f, 0)
	{
		put_frame(f, DATA, NULL, 1, 60);
		for (unsigned i = 0; i < 40; i++)
			post_one(f, TX, DATA, HDR + 60);
		assert_int_equal(poll(f, 0), 0);
		assert_int_equal(f->frames, 0);
		assert_int_equal(poll(f, 16), 16);
		assert_int_equal(f->frames, 16);
		/* That there is more is said by what it returned, not by another call. */
		assert_int_equal(f->ready, 1);
		assert_int_equal(poll(f, 100), 24);
		assert_int_equal(f->frames, 40);
		assert_int_equal(poll(f, 100), 0);
	}
}

static void test_what_is_no_frame_is_dropped_counted_and_given_back(void **state)
{
	static const u32 lengths[] = { 0, 1, 11, 12, HDR + 13, HDR + 1515, HDR + 4096, 20000 };
	struct fixture *f = *state;

	FOR_EACH_VARIANT(f, 0)
	{
		for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
			post_one(f, TX, DATA, lengths[i]);
			assert_int_equal(poll(f, 10), 1);
			assert_int_equal(used(f, TX), 0);
		}
		assert_int_equal(f->frames, 0);
		assert_int_equal(COUNTED(f, rx_malformed), ARRAY_SIZE(lengths));
		assert_int_equal(vr_status(&f->rig), 0xf);
	}
}

static void test_segmentation_is_not_done_and_unknown_flags_do_not_matter(void **state)
{
	struct fixture *f = *state;
	struct virtio_net_hdr header = { 0 };

	vr_start(&f->rig, VIRTIO_NET_F_CSUM, 2, 16);
	for (unsigned type = 0; type < 256; type++) {
		header.gso_type = type;
		put_frame(f, DATA, &header, type, 100);
		post_one(f, TX, DATA, HDR + 100);
		assert_int_equal(poll(f, 10), 1);
		assert_int_equal(used(f, TX), 0);
		assert_int_equal(f->frames, 1); /* of type none */
	}
	assert_int_equal(COUNTED(f, rx_malformed), 255);
	header.gso_type = 0;
	header.flags = 0xfe;
	header.csum_start = header.csum_offset = 0xffff;
	put_frame(f, DATA, &header, 7, 100);
	post_one(f, TX, DATA, HDR + 100);
	assert_int_equal(poll(f, 10), 1);
	assert_frame(f->frame, 7, 100);
}

/* As RFC 1071 words it: 16-bit words in network order. */
static u16 naive_sum(const u8 *bytes, size_t length)
{
	u32 sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i & 1 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

static void test_the_checksum_is_completed(void **state)
{
	struct fixture *f = *state;
	unsigned checked = 0;

	vr_start(&f->rig, VIRTIO_NET_F_CSUM, 2, 16);
	for (u32 length = 60; length <= MAX_; length += 97) {
		for (u16 start = 0; start + 2u <= length; start += 1 + start / 2) {
			struct virtio_net_hdr header = { .flags = 1, .csum_start = start };
			u16 sum, at;

			header.csum_offset = (u16)MIN(length - 2u - start, start % 19u);
			at = start + header.csum_offset;
			put_frame(f, DATA, &header, length + start, length);
			post_one(f, TX, DATA, HDR + length);
			/* The guest's memory is not what is worked in. */
			assert_int_equal(poll(f, 1), 1);
			assert_frame(ram(f, DATA + HDR), length + start, length);
			assert_int_equal(used(f, TX), 0);
			sum = (u16)~naive_sum(ram(f, DATA + HDR + start), length - start);
			if (!sum)
				sum = 0xffff;
			assert_int_equal(f->frame[at] << 8 | f->frame[at + 1], sum);
			/* But for the two bytes it is the frame that was sent. */
			f->frame[at] = byte_of(length + start, at);
			f->frame[at + 1] = byte_of(length + start, at + 1);
			assert_frame(f->frame, length + start, length);
			checked++;
		}
	}
	assert_int_equal(f->net.checksums, checked);
}

static void test_a_checksum_of_zero_is_sent_as_ones(void **state)
{
	const struct virtio_net_hdr header = { .flags = 1, .csum_start = 34, .csum_offset = 6 };
	struct fixture *f = *state;
	u16 sum;

	vr_start(&f->rig, VIRTIO_NET_F_CSUM, 2, 16);
	put_frame(f, DATA, &header, 3, 60);
	memset(ram(f, DATA + HDR + 40), 0, 2);
	/* What makes the rest of it all ones. */
	sum = (u16)~naive_sum(ram(f, DATA + HDR + 34), 26);
	ram(f, DATA + HDR + 40)[0] = sum >> 8;
	ram(f, DATA + HDR + 40)[1] = sum;
	post_one(f, TX, DATA, HDR + 60);
	assert_int_equal(poll(f, 1), 1);
	assert_int_equal(f->frame[40] << 8 | f->frame[41], 0xffff);
}

static void test_a_checksum_outside_of_the_frame_or_not_negotiated_is_refused(void **state)
{
	static const u16 places[][2] = { { 59, 0 },	     { 60, 0 },	    { 0, 59 },	   { 30, 29 },
					 { 0xffff, 0xffff }, { 0xffff, 0 }, { 0, 0xffff }, { 0xffff, 1 } };
	struct fixture *f = *state;

	vr_start(&f->rig, VIRTIO_NET_F_CSUM, 2, 16);
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		struct virtio_net_hdr header = { .flags = 1,
						 .csum_start = places[i][0],
						 .csum_offset = places[i][1] };

		put_frame(f, DATA, &header, 1, 60);
		post_one(f, TX, DATA, HDR + 60);
		assert_int_equal(poll(f, 10), 1);
		assert_int_equal(COUNTED(f, rx_malformed), i + 1);
	}
	vr_start(&f->rig, 0, 2, 16);
	put_frame(f, DATA, &(struct virtio_net_hdr){ .flags = 1 }, 1, 60);
	post_one(f, TX, DATA, HDR + 60);
	assert_int_equal(poll(f, 10), 1);
	assert_int_equal(COUNTED(f, rx_malformed), ARRAY_SIZE(places) + 1);
	assert_int_equal(f->frames, 0);
}

static void test_frames_are_put_together_where_the_owner_wants_them(void **state)
{
	struct fixture *f = *state;
	u8 room[MAX_];

	vr_start(&f->rig, 0, 2, 16);
	f->net.port.room = room;
	put_frame(f, DATA, NULL, 1, MAX_);
	post_one(f, TX, DATA, HDR + MAX_);
	assert_int_equal(poll(f, 1), 1);
	assert_ptr_equal(f->where, room);
	assert_frame(f->frame, 1, MAX_);
}

static void test_memory_that_is_not_there_is_no_frame(void **state)
{
	struct fixture *f = *state;
	const struct driver_piece half[2] = { { DATA, HDR }, { RIG_RAM_SIZE - 50, 100 } };

	vr_start(&f->rig, 0, 2, 16);
	post_one(f, TX, RIG_RAM_SIZE, HDR + 100);
	memset(ram(f, DATA), 0, HDR);
	post(f, TX, half, 2);
	assert_int_equal(poll(f, 10), 2);
	assert_int_equal(f->frames, 0);
	assert_int_equal(COUNTED(f, rx_malformed), 2);
	assert_int_equal(used(f, TX), 0);
	assert_int_equal(used(f, TX), 0);
	assert_int_equal(vr_status(&f->rig), 0xf);
}

/* ---- the guest receives ---- */

static void test_a_frame_gets_one_buffer_and_one_interrupt(void **state)
{
	struct fixture *f = *state;

	for (unsigned mergeable = 0; mergeable < 2; mergeable++) {
		FOR_EACH_VARIANT(f, mergeable ? VIRTIO_NET_F_MRG_RXBUF : 0)
		{
			for (unsigned i = 0; i < 4; i++)
				post_one(f, RX, DATA + 0x800 * i, HDR + MAX_);
			assert_int_equal(f->rig.pci->messages, 0);
			for (unsigned i = 0; i < 4; i++) {
				size_t length = i ? MAX_ - 3 * i : MIN_;

				memset(ram(f, DATA + 0x800 * i), 0xee, 0x800);
				driver_want_interrupt(&f->rig.queue[RX], 0);
				assert_true(send(f, i, length));
				assert_int_equal(f->rig.pci->messages, i + 1);
				assert_int_equal(vr_last_message(&f->rig), 0x40);
				assert_int_equal(used(f, RX), HDR + length);
				assert_int_equal(num_buffers(f, DATA + 0x800 * i), 1);
				for (unsigned j = 0; j < 10; j++)
					assert_int_equal(ram(f, DATA + 0x800 * i)[j], 0);
				assert_frame(ram(f, DATA + 0x800 * i + HDR), i, length);
				assert_int_equal(ram(f, DATA + 0x800 * i + HDR)[length], 0xee);
			}
			assert_int_equal(COUNTED(f, tx_frames), 4);
			assert_false(send(f, 1, 100));
			assert_int_equal(COUNTED(f, tx_no_room), 1);
			post_one(f, RX, DATA, HDR + MAX_);
			assert_true(send(f, 1, 100));
		}
	}
}

/* Linux without mergeable buffers: the header by itself, and the frame. */
static void test_buffers_in_pieces_are_filled_across_them(void **state)
{
	struct fixture *f = *state;
	const struct driver_piece pieces[4] = {
		{ 0x8000, 5 }, { 0x9000, 8 }, { 0xaffe, 700 }, { 0xc000, 900 }
	};

	FOR_EACH_VARIANT(f, 0)
	{
		u8 got[HDR + 1500];

		post(f, RX, pieces, 4);
		assert_true(send(f, 9, 1500));
		assert_int_equal(used(f, RX), HDR + 1500);
		memcpy(got, ram(f, 0x8000), 5);
		memcpy(got + 5, ram(f, 0x9000), 8);
		memcpy(got + 13, ram(f, 0xaffe), 700);
		memcpy(got + 713, ram(f, 0xc000), sizeof(got) - 713);
		assert_int_equal(got[10] | got[11] << 8, 1);
		assert_frame(got + HDR, 9, 1500);
	}
}

static void test_the_driver_is_not_asked_to_notify_of_each_buffer(void **state)
{
	struct fixture *f = *state;

	FOR_EACH_VARIANT(f, 0)
	{
		u64 before = f->net.queues[RX].notifications;

		for (unsigned i = 0; i < 30; i++)
			post_one(f, RX, DATA, 2048);
		assert_int_equal(f->net.queues[RX].notifications - before, 1);
		for (unsigned i = 0; i < 29; i++) {
			assert_true(send(f, i, 100));
			post_one(f, RX, DATA, 2048);
		}
		assert_int_equal(f->net.queues[RX].notifications - before, 1);
	}
}

static void test_mergeable_buffers_take_a_frame_together(void **state)
{
	static const u32 sizes[] = { 5, 12, 13, 96, 100, 512, 763, 1525 };
	struct fixture *f = *state;

	FOR_EACH_VARIANT(f, VIRTIO_NET_F_MRG_RXBUF)
	{
		for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
			u32 size = sizes[s], length = (u32)MIN(MAX_, 16 * size - HDR);
			unsigned needed = (HDR + length + size - 1) / size;
			u8 got[HDR + MAX_];
			u32 done = 0;

			/* One fewer than that: not yet, and nothing is lost of them. */
			for (unsigned i = 0; i < needed - 1; i++)
				post_one(f, RX, DATA + 0x800 * i, size);
			assert_false(send(f, s, length));
			assert_int_equal(used(f, RX), -1);
			assert_int_equal(COUNTED(f, tx_no_room), s + 1);
			post_one(f, RX, DATA + 0x800 * (needed - 1), size);
			assert_true(send(f, s, length));
			for (unsigned i = 0; i < needed; i++) {
				u32 part = (u32)MIN(size, HDR + length - done);

				assert_int_equal(used(f, RX), part);
				memcpy(got + done, ram(f, DATA + 0x800 * i), part);
				done += part;
			}
			assert_int_equal(used(f, RX), -1);
			assert_int_equal(got[10] | got[11] << 8, needed);
			assert_frame(got + HDR, s, length);
		}
	}
	assert_int_equal(f->net.merged, 4 * ARRAY_SIZE(sizes));
}

static void test_small_buffers_that_were_held_serve_the_next_frame_too(void **state)
{
	struct fixture *f = *state;

	FOR_EACH_VARIANT(f, VIRTIO_NET_F_MRG_RXBUF)
	{
		for (unsigned i = 0; i < 4; i++)
			post_one(f, RX, DATA + 0x800 * i, 128);
		assert_false(send(f, 1, 1000)); /* all four are held now */
		for (unsigned i = 0; i < 4; i++)
			post_one(f, RX, DATA + 0x2000 + 0x800 * i, 128);
		assert_true(send(f, 2, 700));
		assert_int_equal(num_buffers(f, DATA), 6);
		for (unsigned i = 0; i < 6; i++)
			assert_int_equal(used(f, RX), i < 5 ? 128 : HDR + 700 - 5 * 128);
		assert_int_equal(used(f, RX), -1);
	}
}

static void test_crumbs_go_back_empty(void **state)
{
	struct fixture *f = *state;
	struct driver_piece crumbs[24];

	FOR_EACH_VARIANT(f, VIRTIO_NET_F_MRG_RXBUF | VIRTIO_F_INDIRECT_DESC)
	{
		/* Too small even together: a driver that gives such sees so. */
		for (unsigned i = 0; i < VIRTIO_NET_MERGE_BUFFERS; i++)
			post_one(f, RX, DATA + 0x100 * i, 40);
		assert_false(send(f, 1, 1000));
		for (unsigned i = 0; i < VIRTIO_NET_MERGE_BUFFERS; i++)
			assert_int_equal(used(f, RX), 0);
		/* Of too many pieces each: those that are held, and the one that is too much. */
		for (unsigned i = 0; i < ARRAY_SIZE(crumbs); i++)
			crumbs[i] = (struct driver_piece){ DATA + 16 * i, 1 };
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(used(f, RX), -1);
			assert_true(driver_add(&f->rig.queue[RX], crumbs, 0, 24, 0xe000 + 0x200 * i, 0) >= 0);
			assert_false(send(f, 1, 1000));
		}
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(used(f, RX), 0);
		assert_int_equal(vr_status(&f->rig), 0xf);
		post_one(f, RX, DATA, 2048);
		assert_true(send(f, 1, 1000));
	}
}

static void test_a_buffer_too_small_goes_back_empty_where_none_are_merged(void **state)
{
	struct fixture *f = *state;

	FOR_EACH_VARIANT(f, 0)
	{
		post_one(f, RX, DATA, 1000);
		post_one(f, RX, DATA, 2048);
		assert_false(send(f, 1, 1400));
		assert_int_equal(used(f, RX), 0);
		assert_int_equal(used(f, RX), -1);
		assert_true(send(f, 1, 1400));
		assert_int_equal(used(f, RX), HDR + 1400);
	}
}

static void test_a_reset_forgets_what_was_held(void **state)
{
	struct fixture *f = *state;

	vr_start(&f->rig, VIRTIO_NET_F_MRG_RXBUF, 2, 64);
	post_one(f, RX, DATA, 100);
	assert_false(send(f, 1, 1000));
	vr_start(&f->rig, VIRTIO_NET_F_MRG_RXBUF, 2, 64);
	post_one(f, RX, DATA + 0x800, 100);
	post_one(f, RX, DATA + 0x1000, 2048);
	memset(ram(f, DATA), 0xee, 100);
	assert_true(send(f, 1, 1000));
	assert_int_equal(ram(f, DATA)[0], 0xee);
	assert_int_equal(num_buffers(f, DATA + 0x800), 2);
}

static void test_buffers_that_are_not_there_lose_their_frame_only(void **state)
{
	struct fixture *f = *state;

	FOR_EACH_VARIANT(f, VIRTIO_NET_F_MRG_RXBUF)
	{
		post_one(f, RX, RIG_RAM_SIZE, 2048);
		post_one(f, RX, DATA, 100);
		post_one(f, RX, RIG_RAM_SIZE, 2048);
		post_one(f, RX, DATA, 2048);
		assert_false(send(f, 1, 1000));
		assert_false(send(f, 2, 1000));
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(used(f, RX), 0);
		assert_true(send(f, 3, 1000));
		assert_frame(ram(f, DATA + HDR), 3, 1000);
		assert_int_equal(vr_status(&f->rig), 0xf);
	}
}

static void test_what_is_no_frame_is_not_sent(void **state)
{
	static const size_t lengths[] = { 0, 13, 1515, 65536, 100000 };
	struct fixture *f = *state;

	vr_start(&f->rig, 0, 2, 16);
	post_one(f, RX, DATA, 2048);
	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++)
		assert_false(send(f, 1, lengths[i]));
	assert_int_equal(COUNTED(f, tx_malformed), ARRAY_SIZE(lengths));
	assert_int_equal(used(f, RX), -1);
}

static void test_a_frame_may_be_answered_at_once(void **state)
{
	struct fixture *f = *state;

	FOR_EACH_VARIANT(f, 0)
	{
		f->answer = true;
		for (unsigned i = 0; i < 5; i++) {
			post_one(f, RX, DATA + 0x800 * i, 2048);
			put_frame(f, 0xc000 + 0x800 * i, NULL, i, 200 + i);
			post_one(f, TX, 0xc000 + 0x800 * i, HDR + 200 + i);
		}
		assert_int_equal(poll(f, 10), 5);
		for (unsigned i = 0; i < 5; i++) {
			assert_int_equal(used(f, RX), HDR + 200 + i);
			assert_frame(ram(f, DATA + 0x800 * i + HDR), i, 200 + i);
		}
	}
}

static void test_a_broken_queue_ends_it_until_the_reset(void **state)
{
	struct fixture *f = *state;

	vr_start(&f->rig, 0, 2, 16);
	post_one(f, RX, DATA, 2048);
	assert_true(send(f, 1, 100));
	/* More than the queue has room for. */
	driver_put(&f->rig.queue[RX], VR_RINGS(RX) + 0x1000 + 2, 2, 100);
	assert_false(send(f, 1, 100));
	assert_int_equal(vr_status(&f->rig), 0x4f);
	assert_false(send(f, 1, 100));
	assert_int_equal(poll(f, 10), 0);
	vr_start(&f->rig, 0, 2, 16);
	post_one(f, RX, DATA, 2048);
	assert_true(send(f, 1, 100));
}

static void test_a_port_that_nobody_has_keeps_the_frames(void **state)
{
	struct fixture *f = *state;

	vr_start(&f->rig, 0, 2, 16);
	f->net.port.ready = NULL;
	f->net.port.receive = NULL;
	put_frame(f, DATA, NULL, 1, 60);
	post_one(f, TX, DATA, HDR + 60);
	assert_int_equal(used(f, TX), -1);
	f->net.port.receive = receive;
	f->net.port.ready = ready;
	assert_int_equal(poll(f, 10), 1);
	assert_int_equal(f->frames, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_it_tells_its_address_link_and_mtu),
		T(test_the_guest_hears_of_its_cable_once),
		T(test_the_port_has_a_link_while_the_driver_listens),
		T(test_a_notification_says_ready_and_a_poll_takes_the_frames),
		T(test_frames_of_every_length_in_any_pieces_arrive_whole),
		T(test_a_poll_takes_no_more_than_its_budget),
		T(test_what_is_no_frame_is_dropped_counted_and_given_back),
		T(test_segmentation_is_not_done_and_unknown_flags_do_not_matter),
		T(test_the_checksum_is_completed),
		T(test_a_checksum_of_zero_is_sent_as_ones),
		T(test_a_checksum_outside_of_the_frame_or_not_negotiated_is_refused),
		T(test_frames_are_put_together_where_the_owner_wants_them),
		T(test_memory_that_is_not_there_is_no_frame),
		T(test_a_frame_gets_one_buffer_and_one_interrupt),
		T(test_buffers_in_pieces_are_filled_across_them),
		T(test_the_driver_is_not_asked_to_notify_of_each_buffer),
		T(test_mergeable_buffers_take_a_frame_together),
		T(test_small_buffers_that_were_held_serve_the_next_frame_too),
		T(test_crumbs_go_back_empty),
		T(test_a_buffer_too_small_goes_back_empty_where_none_are_merged),
		T(test_a_reset_forgets_what_was_held),
		T(test_buffers_that_are_not_there_lose_their_frame_only),
		T(test_what_is_no_frame_is_not_sent),
		T(test_a_frame_may_be_answered_at_once),
		T(test_a_broken_queue_ends_it_until_the_reset),
		T(test_a_port_that_nobody_has_keeps_the_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
