// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>

#include "mm/dirty.h"
#include "tests/unit/virtq_rig.h"

enum { F_NEXT = 1, F_WRITE = 2, F_INDIRECT = 4, F_AVAIL = 1 << 7, F_USED = 1 << 15 };

/* Bus addresses. */
#define DESC	0x0000ull
#define DRIVER	0x1000ull
#define DEVICE	0x2000ull
#define TABLE	0x3000ull
#define BUFFERS 0x4000ull
#define SIZE	8
#define LAST	(VRIG_PAGES * PAGE_SIZE) /* nothing is there */

static void start(struct virtq_rig *rig, u16 size, u64 features)
{
	rig->driver.at = vrig_at;
	rig->driver.memory = rig;
	driver_init(&rig->driver, size, features & VIRTIO_F_RING_PACKED, features & VIRTIO_F_EVENT_IDX, DESC,
		    DRIVER, DEVICE);
	virtq_reset(&rig->q);
	rig->q.size = size;
	rig->q.desc = DESC;
	rig->q.driver = DRIVER;
	rig->q.device = DEVICE;
	assert_int_equal(virtq_enable(&rig->q, features), 0);
}

static int setup(void **state)
{
	struct virtq_rig *rig = vrig_new();

	virtq_init(&rig->q, &rig->port, VIRTQ_SIZE_MAX);
	*state = rig;
	return 0;
}

static int setup_split(void **state)
{
	setup(state);
	start(*state, SIZE, VIRTIO_F_INDIRECT_DESC);
	return 0;
}

static int setup_packed(void **state)
{
	setup(state);
	start(*state, SIZE, VIRTIO_F_RING_PACKED | VIRTIO_F_INDIRECT_DESC);
	return 0;
}

static int setup_split_event(void **state)
{
	setup(state);
	start(*state, SIZE, VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
	return 0;
}

static int setup_packed_event(void **state)
{
	setup(state);
	start(*state, SIZE, VIRTIO_F_RING_PACKED | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
	return 0;
}

static int teardown(void **state)
{
	vrig_free(*state);
	return 0;
}

static int add(struct virtq_rig *rig, unsigned out, unsigned in)
{
	struct driver_piece pieces[VIRTQ_SIZE_MAX];

	for (unsigned i = 0; i < out + in; i++)
		pieces[i] = (struct driver_piece){ BUFFERS + 0x100 * i, 0x10 };
	return driver_add(&rig->driver, pieces, out, in, 0, 0);
}

static void fill(struct virtq_rig *rig, u64 address, const char *text)
{
	while (*text)
		driver_put(&rig->driver, address++, 1, (u8)*text++);
}

static void assert_text(struct virtq_rig *rig, u64 address, const char *text)
{
	for (; *text; text++)
		assert_int_equal(driver_get(&rig->driver, address++, 1), (u8)*text);
}

static void assert_used(struct virtq_rig *rig, int id, u32 length)
{
	u32 got = ~0u;

	assert_int_equal(driver_get_used(&rig->driver, &got), id);
	if (id >= 0)
		assert_int_equal(got, length);
}

static void assert_broken(struct virtq_rig *rig, const char *reason)
{
	assert_non_null(rig->q.broken);
	assert_string_equal(rig->q.broken, reason);
	/* And stays so, until a reset. */
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), -EIO);
	assert_false(virtq_rearm(&rig->q));
	assert_false(virtq_must_interrupt(&rig->q));
	assert_string_equal(rig->q.broken, reason);
}

static void assert_pop_breaks(struct virtq_rig *rig, const char *reason)
{
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), -EIO);
	assert_broken(rig, reason);
}

/*
 * ---- what goes well, in both formats
 * ------------------------------------------------------------------------
 */

static void a_buffer_goes_there_and_back(void **state)
{
	struct virtq_rig *rig = *state;
	char text[0x20];
	int id = add(rig, 2, 2);

	fill(rig, BUFFERS, "what the driver");
	fill(rig, BUFFERS + 0x100, "has to say.");
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_equal(rig->chain.readable, 2);
	assert_int_equal(rig->chain.writable, 2);
	assert_int_equal(rig->chain.readable_length, 0x20);
	assert_int_equal(rig->chain.writable_length, 0x20);
	assert_int_equal(virtq_read(&rig->q, &rig->chain, 0, text, 0x20), MEM_OK);
	assert_memory_equal(text, "what the driver\0has to say.", 27);
	assert_int_equal(virtq_write(&rig->q, &rig->chain, 0, "the device's answer", 19), MEM_OK);
	assert_used(rig, -1, 0);
	virtq_push(&rig->q, &rig->chain, 19);
	assert_used(rig, id, 19);
	assert_used(rig, -1, 0);
	assert_text(rig, BUFFERS + 0x200, "the device's ans");
	assert_text(rig, BUFFERS + 0x300, "wer");
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 0);
	assert_int_equal(rig->q.popped, 1);
	assert_int_equal(rig->q.pushed, 1);
	assert_null(rig->q.broken);
}

static void an_empty_ring_is_no_error(void **state)
{
	struct virtq_rig *rig = *state;

	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 0);
	assert_false(virtq_must_interrupt(&rig->q));
	assert_false(virtq_rearm(&rig->q));
	assert_null(rig->q.broken);
}

static void a_queue_that_is_not_enabled_touches_nothing(void **state)
{
	struct virtq_rig *rig = *state;

	add(rig, 1, 1);
	virtq_reset(&rig->q);
	assert_int_equal(rig->q.size, VIRTQ_SIZE_MAX);
	assert_int_equal(rig->q.vector, VIRTQ_NO_VECTOR);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 0);
	assert_false(virtq_rearm(&rig->q));
	virtq_disarm(&rig->q);
	assert_int_equal(rig->translations, 0);
}

static void what_is_popped_is_a_copy(void **state)
{
	struct virtq_rig *rig = *state;
	char text[4];

	fill(rig, BUFFERS, "good");
	fill(rig, BUFFERS + 0x800, "evil");
	add(rig, 1, 1);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	for (u64 at = 0; at < 16 * SIZE; at += 16) {
		driver_put(&rig->driver, DESC + at, 8, BUFFERS + 0x800);
		driver_put(&rig->driver, DESC + at + 8, 4, 0x7fffffff);
	}
	assert_int_equal(virtq_read(&rig->q, &rig->chain, 0, text, 4), MEM_OK);
	assert_memory_equal(text, "good", 4);
	assert_int_equal(rig->chain.readable_length, 0x10);
	assert_int_equal(virtq_write(&rig->q, &rig->chain, 0, "that", 4), MEM_OK);
	assert_text(rig, BUFFERS + 0x100, "that");
	assert_text(rig, BUFFERS + 0x800, "evil");
}

static void indices_and_wrap_counters_wrap(void **state)
{
	struct virtq_rig *rig = *state;

	/* More than 2^16 heads, and more than 2^15 rounds of the ring, at every distance from its end. */
	for (unsigned i = 0; i < 70000; i++) {
		unsigned parts = i % 5 + 1;
		int id = add(rig, parts / 2, parts - parts / 2);

		assert_true(id >= 0);
		assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
		assert_int_equal(rig->chain.readable + rig->chain.writable, parts);
		virtq_push(&rig->q, &rig->chain, i & 0xf);
		assert_used(rig, id, i & 0xf);
	}
	assert_int_equal(rig->q.pushed, 70000);
}

static void several_are_in_flight_and_come_back_in_any_order(void **state)
{
	static const unsigned order[] = { 2, 0, 3, 1 };
	struct virtq_rig *rig = *state;
	struct virtq_segment segments[4][2];
	struct virtq_chain chain[4];
	int id[4];

	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 4; i++) {
			struct driver_piece pieces[2] = { { BUFFERS + i * 0x40, 1 },
							  { BUFFERS + i * 0x40 + 0x20, 16 } };

			id[i] = driver_add(&rig->driver, pieces, 1, 1, 0, 0);
			driver_put(&rig->driver, pieces[0].address, 1, 'a' + i);
			virtq_chain_init(&chain[i], segments[i], 2);
			assert_int_equal(virtq_pop(&rig->q, &chain[i]), 1);
		}
		assert_int_equal(virtq_pop(&rig->q, &rig->chain), 0);
		for (unsigned i = 0; i < 4; i++) {
			char c;

			assert_int_equal(virtq_read(&rig->q, &chain[order[i]], 0, &c, 1), MEM_OK);
			assert_int_equal(virtq_write(&rig->q, &chain[order[i]], 0, &c, 1), MEM_OK);
			virtq_push(&rig->q, &chain[order[i]], 1);
		}
		for (unsigned i = 0; i < 4; i++) {
			assert_used(rig, id[order[i]], 1);
			assert_int_equal(driver_get(&rig->driver, BUFFERS + order[i] * 0x40 + 0x20, 1),
					 'a' + order[i]);
		}
	}
}

static void several_come_back_at_once(void **state)
{
	struct virtq_rig *rig = *state;
	u64 features = rig->q.packed ? VIRTIO_F_RING_PACKED : 0;
	struct virtq_segment segments[3][3];
	struct virtq_chain chain[3];
	u32 written[3];
	int id[3];

	for (unsigned round = 0; round < 50; round++) {
		unsigned count = round % 3 + 1;

		for (unsigned i = 0; i < count; i++) {
			virtq_chain_init(&chain[i], segments[i], 3);
			id[i] = add(rig, i & 1, (round + i) % 2 + 1);
			assert_int_equal(virtq_pop(&rig->q, &chain[i]), 1);
			written[i] = round % 16 + i;
		}
		virtq_push_all(&rig->q, chain, written, count);
		virtq_push_all(&rig->q, chain, written, count); /* stand for nothing by now */
		virtq_push_all(&rig->q, chain, written, 0);
		for (unsigned i = 0; i < count; i++)
			assert_used(rig, id[i], written[i]);
		assert_used(rig, -1, 0);
	}
	assert_int_equal(rig->q.taken, 0);
	assert_int_equal(rig->q.pushed, rig->q.popped);

	/* All or none, wherever it fails; rings over pages, of which little is mapped. */
	vrig_forget_pages(rig);
	for (unsigned from = 1;; from++) {
		virtq_reset(&rig->q);
		rig->q.size = SIZE;
		rig->q.desc = 0x1000 - 16;
		rig->q.driver = 0x11000 - 4;
		rig->q.device = 0x21000 - 4;
		driver_init(&rig->driver, SIZE, features, false, rig->q.desc, rig->q.driver, rig->q.device);
		assert_int_equal(virtq_enable(&rig->q, features), 0);
		for (unsigned i = 0; i < 3; i++) {
			add(rig, 0, 1);
			assert_int_equal(virtq_pop(&rig->q, &chain[i]), 1);
		}
		rig->translations = 0;
		rig->deny_from = from;
		virtq_push_all(&rig->q, chain, (u32[]){ 1, 1, 1 }, 3);
		rig->deny_from = 0;
		if (!rig->q.broken)
			break;
		assert_used(rig, -1, 0);
	}
	start(rig, SIZE, features);
	add(rig, 0, 1);
	assert_int_equal(virtq_pop(&rig->q, &chain[0]), 1);
	rig->port.bus_master = false;
	virtq_push_all(&rig->q, chain, written, 1);
	assert_used(rig, -1, 0);
	assert_broken(rig, "a buffer came back without bus mastering");
}

static void a_chain_is_pushed_once(void **state)
{
	struct virtq_rig *rig = *state;
	int id = add(rig, 0, 1);

	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	virtq_push(&rig->q, &rig->chain, 1);
	virtq_push(&rig->q, &rig->chain, 1);
	assert_int_equal(virtq_write(&rig->q, &rig->chain, 0, "x", 1), MEM_ERROR);
	assert_used(rig, id, 1);
	assert_used(rig, -1, 0);
	assert_int_equal(rig->q.pushed, 1);
}

static void used_length_is_never_more_than_the_buffer(void **state)
{
	struct virtq_rig *rig = *state;
	int id = add(rig, 1, 1);

	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	virtq_push(&rig->q, &rig->chain, 0x1000);
	assert_used(rig, id, 0x10);
	id = add(rig, 1, 0);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	virtq_push(&rig->q, &rig->chain, 1);
	assert_used(rig, id, 0);
}

static void empty_elements_are_left_out(void **state)
{
	static const struct driver_piece pieces[] = {
		{ BUFFERS, 0 }, { BUFFERS, 4 }, { LAST, 0 }, { BUFFERS + 0x100, 2 }, { ~0ull, 0 }
	};
	struct virtq_rig *rig = *state;

	driver_add(&rig->driver, pieces, 2, 3, 0, 0);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_equal(rig->chain.readable, 1);
	assert_int_equal(rig->chain.writable, 1);
	assert_int_equal(rig->segments[0].address, BUFFERS);
	assert_int_equal(rig->segments[1].address, BUFFERS + 0x100);
}

static void transfers_start_anywhere_and_cross_segments(void **state)
{
	struct virtq_rig *rig = *state;
	u8 bytes[0x60], seen[0x30];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(i + 1);
	add(rig, 3, 3);
	for (unsigned i = 0; i < 0x30; i++)
		driver_put(&rig->driver, BUFFERS + 0x100 * (i / 16) + i % 16, 1, bytes[i]);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	for (unsigned from = 0; from <= 0x30; from++) {
		for (unsigned length = 0; length <= 0x30 - from; length++) {
			memset(seen, 0, sizeof(seen));
			assert_int_equal(virtq_read(&rig->q, &rig->chain, from, seen, length), MEM_OK);
			assert_memory_equal(seen, bytes + from, length);
			assert_int_equal(virtq_write(&rig->q, &rig->chain, from, bytes + length, length),
					 MEM_OK);
			for (unsigned i = 0; i < length; i++) {
				unsigned at = from + i;

				assert_int_equal(driver_get(&rig->driver,
							    BUFFERS + 0x300 + 0x100 * (at / 16) + at % 16, 1),
						 bytes[length + i]);
			}
		}
	}
}

static void a_transfer_past_the_end_moves_nothing(void **state)
{
	static const u64 offsets[][2] = { { 0, 0x11 }, { 0x10, 1 }, { 0x11, 0 }, { 1, ~0ull }, { ~0ull, 1 } };
	struct virtq_rig *rig = *state;
	u8 bytes[0x20];

	add(rig, 1, 1);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	for (unsigned i = 0; i < 3; i++) {
		memset(bytes, 0, sizeof(bytes));
		assert_int_equal(virtq_read(&rig->q, &rig->chain, offsets[i][0], bytes, offsets[i][1]),
				 MEM_ERROR);
		for (unsigned j = 0; j < sizeof(bytes); j++)
			assert_int_equal(bytes[j], j < offsets[i][1] ? 0xff : 0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++)
		assert_int_equal(virtq_write(&rig->q, &rig->chain, offsets[i][0], bytes, offsets[i][1]),
				 MEM_ERROR);
	assert_int_equal(driver_get(&rig->driver, BUFFERS + 0x100, 8), 0);
	assert_null(rig->q.broken);
}

static void a_buffer_that_is_not_there_is_the_requests_error(void **state)
{
	static const struct driver_piece pieces[] = { { BUFFERS, 4 }, { LAST, 4 },    { BUFFERS, 4 },
						      { BUFFERS, 4 }, { BUFFERS, 4 }, { LAST, 4 } };
	struct virtq_rig *rig = *state;
	u8 bytes[12];
	int id = driver_add(&rig->driver, pieces, 3, 3, 0, 0);

	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(virtq_read(&rig->q, &rig->chain, 0, bytes, 12), MEM_ACCESS_ERROR);
	assert_int_equal(rig->chain.failed, 1);
	assert_int_equal(bytes[0], 0);
	for (unsigned i = 4; i < 12; i++)
		assert_int_equal(bytes[i], 0xff);
	assert_int_equal(virtq_read(&rig->q, &rig->chain, 8, bytes, 4), MEM_OK);
	assert_int_equal(virtq_write(&rig->q, &rig->chain, 0, "0123456789ab", 12), MEM_ACCESS_ERROR);
	assert_int_equal(rig->chain.failed, 5);
	assert_text(rig, BUFFERS, "4567");
	assert_int_equal(rig->faults, 2);
	/* Alone, and where the last transfer ended. */
	assert_int_equal(virtq_write(&rig->q, &rig->chain, 8, "x", 1), MEM_ACCESS_ERROR);
	assert_int_equal(rig->chain.failed, 5);
	assert_int_equal(virtq_read(&rig->q, &rig->chain, 3, bytes, 1), MEM_OK);
	assert_int_equal(virtq_read(&rig->q, &rig->chain, 4, bytes, 1), MEM_ACCESS_ERROR);
	assert_int_equal(rig->chain.failed, 1);
	assert_int_equal(bytes[0], 0xff);
	virtq_push(&rig->q, &rig->chain, 8);
	assert_used(rig, id, 8);
	assert_null(rig->q.broken);
}

/* The status byte of a request is where it can be written, whatever else cannot. */
static void a_page_without_permission_refuses_just_its_part(void **state)
{
	static const struct driver_piece pieces[] = { { BUFFERS, 4 }, { BUFFERS + 0x1000, 1 } };
	struct virtq_rig *rig = *state;

	rig->page[BUFFERS / PAGE_SIZE] &= ~(u64)MEM_WRITE;
	driver_add(&rig->driver, pieces, 0, 2, 0, 0);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_equal(virtq_write(&rig->q, &rig->chain, 0, "data", 4), MEM_ACCESS_ERROR);
	assert_int_equal(rig->chain.failed, 0);
	assert_int_equal(virtq_write(&rig->q, &rig->chain, 4, "!", 1), MEM_OK);
	assert_text(rig, BUFFERS + 0x1000, "!");
	assert_int_equal(driver_get(&rig->driver, BUFFERS, 4), 0);
}

static void a_reset_in_the_middle_ends_what_is_in_flight(void **state)
{
	struct virtq_rig *rig = *state;
	u64 features = VIRTIO_F_INDIRECT_DESC | (rig->q.packed ? VIRTIO_F_RING_PACKED : 0);
	struct virtq_segment segments[2];
	struct virtq_chain old;
	char c;
	int id;

	virtq_chain_init(&old, segments, 2);
	add(rig, 1, 1);
	assert_int_equal(virtq_pop(&rig->q, &old), 1);
	virtq_reset(&rig->q);
	assert_null(rig->iommu.links);
	assert_int_equal(virtq_read(&rig->q, &old, 0, &c, 1), MEM_ERROR);
	start(rig, SIZE, features);
	assert_int_equal(virtq_write(&rig->q, &old, 0, "x", 1), MEM_ERROR);
	virtq_push(&rig->q, &old, 1);
	assert_false(virtq_must_interrupt(&rig->q));
	assert_used(rig, -1, 0);
	assert_int_equal(driver_get(&rig->driver, BUFFERS + 0x100, 1), 0);
	/* And it goes on from the start. */
	id = add(rig, 1, 1);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	virtq_push(&rig->q, &rig->chain, 1);
	assert_used(rig, id, 1);
}

static void a_reset_recovers_a_broken_queue(void **state)
{
	struct virtq_rig *rig = *state;
	u64 features = rig->q.packed ? VIRTIO_F_RING_PACKED : 0;
	struct driver_piece piece = { ~0ull, 2 };
	int id;

	driver_add(&rig->driver, &piece, 1, 0, 0, 0);
	assert_pop_breaks(rig, "a buffer goes past 2^64");
	assert_int_equal(rig->q.broken_at, ~0ull);
	start(rig, SIZE, features);
	id = add(rig, 0, 1);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	virtq_push(&rig->q, &rig->chain, 1);
	assert_used(rig, id, 1);
}

static void chains_of_a_broken_queue_do_nothing(void **state)
{
	struct virtq_rig *rig = *state;
	struct virtq_segment segments[2];
	struct virtq_chain held;
	char c;

	virtq_chain_init(&held, segments, 2);
	add(rig, 1, 1);
	assert_int_equal(virtq_pop(&rig->q, &held), 1);
	driver_add(&rig->driver, &(struct driver_piece){ ~0ull, 2 }, 1, 0, 0, 0);
	assert_pop_breaks(rig, "a buffer goes past 2^64");
	assert_int_equal(virtq_read(&rig->q, &held, 0, &c, 1), MEM_ERROR);
	virtq_push(&rig->q, &held, 1);
	assert_used(rig, -1, 0);
}

static void nothing_moves_without_bus_mastering(void **state)
{
	struct virtq_rig *rig = *state;
	int id = add(rig, 1, 1);

	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	virtq_push(&rig->q, &rig->chain, 1);
	assert_used(rig, id, 1);
	add(rig, 1, 1);
	/* The rings are mapped by now. */
	rig->port.bus_master = false;
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 0);
	assert_false(virtq_must_interrupt(&rig->q));
	assert_false(virtq_rearm(&rig->q));
	assert_null(rig->q.broken);
	rig->port.bus_master = true;
	assert_true(virtq_must_interrupt(&rig->q));
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	/* What cannot be given back is lost. */
	rig->port.bus_master = false;
	assert_int_equal(virtq_write(&rig->q, &rig->chain, 0, "x", 1), MEM_ACCESS_ERROR);
	virtq_push(&rig->q, &rig->chain, 1);
	assert_used(rig, -1, 0);
	assert_string_equal(rig->q.broken, "a buffer came back without bus mastering");
}

/*
 * ---- rings and translations
 * --------------------------------------------------------------------------------
 */

static void go_round(struct virtq_rig *rig)
{
	int id = add(rig, 1, 1);

	assert_true(id >= 0);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	virtq_push(&rig->q, &rig->chain, 5);
	assert_true(virtq_must_interrupt(&rig->q));
	assert_false(virtq_rearm(&rig->q));
	assert_used(rig, id, 5);
}

static void rings_stay_mapped(void **state)
{
	struct virtq_rig *rig = *state;
	unsigned translations;

	go_round(rig);
	translations = rig->translations;
	for (unsigned i = 0; i < 20; i++)
		go_round(rig);
	assert_int_equal(rig->translations, translations);
}

/* Each page of the ring moves elsewhere in RAM while the queue is used, as its driver keeps it there. */
static void a_ring_whose_translation_changes_is_found_again(void **state)
{
	struct virtq_rig *rig = *state;

	go_round(rig);
	for (u64 page = 0; page < 3; page++) {
		u8 *old = vrig_at(rig, page * PAGE_SIZE), *new;

		rig->page[page] = rig->page[page + 0x40];
		rig->page[page + 0x40] = 0;
		new = vrig_at(rig, page * PAGE_SIZE);
		memcpy(new, old, PAGE_SIZE);
		memset(old, 0xee, PAGE_SIZE);
		assert_true(iommu_invalidate(&rig->iommu, page * PAGE_SIZE, page * PAGE_SIZE + PAGE_MASK) <=
			    1);
		for (unsigned i = 0; i < 10; i++)
			go_round(rig);
		for (unsigned i = 0; i < PAGE_SIZE; i++)
			assert_int_equal(old[i], 0xee);
	}
	/* Everything at once, as a guest in lazy mode does. */
	iommu_invalidate(&rig->iommu, 0, ~0ull);
	go_round(rig);
	assert_int_equal(rig->port.faults, 0);
}

static void a_ring_that_is_taken_away_breaks_the_queue(void **state)
{
	struct virtq_rig *rig = *state;

	go_round(rig);
	add(rig, 1, 1);
	rig->page[0] = 0;
	iommu_invalidate(&rig->iommu, 0, PAGE_MASK);
	assert_pop_breaks(rig, rig->q.packed ? "no access to the descriptor ring"
					     : "no access to the descriptor table");
	assert_int_equal(rig->faults, 1);
}

/* Where areas are not mapped as a whole: every place of a ring over two pages that are no neighbours. */
static void a_ring_may_lie_over_pages_that_are_no_neighbours(void **state)
{
	struct virtq_rig *rig = *state;
	bool packed = rig->q.packed;

	for (u64 back = 4; back < 16 * SIZE; back += 4) {
		for (unsigned event = 0; event < 2; event++) {
			struct virtq_driver *d = &rig->driver;
			u64 features = (packed ? VIRTIO_F_RING_PACKED : 0) | (event ? VIRTIO_F_EVENT_IDX : 0);

			virtq_reset(&rig->q);
			rig->q.size = SIZE;
			rig->q.desc = ALIGN_DOWN(0x1000 - back, 16ull);
			rig->q.driver = 0x11000 - MIN(back, 16ull);
			rig->q.device = 0x21000 - MIN(back, 64ull);
			driver_init(d, SIZE, packed, event, rig->q.desc, rig->q.driver, rig->q.device);
			assert_int_equal(virtq_enable(&rig->q, features), 0);
			for (unsigned i = 0; i < 3 * SIZE; i++) {
				driver_want_interrupt(d, 0);
				go_round(rig);
			}
		}
	}
}

static void what_the_device_writes_is_in_the_dirty_log(void **state)
{
	struct virtq_rig *rig = *state;
	u64 used = rig->q.packed ? DESC : DEVICE;

	go_round(rig);
	assert_int_equal(region_dirty_start(&rig->ram, 0), 0);
	go_round(rig);
	assert_true(region_is_dirty(&rig->ram, 0, rig->page[used / PAGE_SIZE] & ~PAGE_MASK, 1));
	assert_false(region_is_dirty(&rig->ram, 0, rig->page[DRIVER / PAGE_SIZE] & ~PAGE_MASK, 1));
	/* One store, and the first one after an invalidation. */
	region_dirty_snapshot(&rig->ram, 0, 0, VRIG_PAGES * PAGE_SIZE, NULL);
	iommu_invalidate(&rig->iommu, 0, ~0ull);
	virtq_disarm(&rig->q);
	assert_true(region_is_dirty(&rig->ram, 0, rig->page[DEVICE / PAGE_SIZE] & ~PAGE_MASK, 1));
	region_dirty_stop(&rig->ram, 0);
}

/* The three areas in turn, never there. */
static void a_ring_that_was_never_there_breaks_the_queue(void **state)
{
	static const char *const reasons[2][3] = {
		{ "no access to the descriptor table", "no access to the available ring",
		  "no access to the used ring" },
		{ "no access to the descriptor ring", "no access to the driver's event area",
		  "no access to the device's event area" },
	};
	struct virtq_rig *rig = *state;
	u64 features = (rig->q.packed ? VIRTIO_F_RING_PACKED : 0) | VIRTIO_F_EVENT_IDX;

	for (unsigned i = 0; i < 3; i++) {
		start(rig, SIZE, features);
		virtq_reset(&rig->q);
		rig->q.size = SIZE;
		rig->q.desc = i == 0 ? LAST : DESC;
		rig->q.driver = i == 1 ? LAST : DRIVER;
		rig->q.device = i == 2 ? LAST : DEVICE;
		assert_int_equal(virtq_enable(&rig->q, features), 0);
		add(rig, 1, 1);
		if (virtq_pop(&rig->q, &rig->chain) > 0) {
			virtq_push(&rig->q, &rig->chain, 1);
			virtq_must_interrupt(&rig->q);
			virtq_rearm(&rig->q);
		}
		assert_broken(rig, reasons[rig->q.packed][i]);
		assert_in_range(rig->q.broken_at, LAST, LAST + 0x100);
	}
}

/* Each area needs what the device does with it, and no more. */
static void rings_need_just_their_permissions(void **state)
{
	static const unsigned needed[2][3] = { { MEM_READ, MEM_READ, MEM_WRITE },
					       { MEM_READ_WRITE, MEM_READ, MEM_WRITE } };
	struct virtq_rig *rig = *state;
	bool packed = rig->q.packed;

	for (u64 page = 0; page < 3; page++) {
		for (unsigned given = 0; given < 4; given++) {
			unsigned need = needed[packed][page];

			start(rig, SIZE, (packed ? VIRTIO_F_RING_PACKED : 0) | VIRTIO_F_EVENT_IDX);
			rig->page[page] = (rig->page[page] & ~(u64)MEM_READ_WRITE) | given;
			add(rig, 1, 1);
			if (virtq_pop(&rig->q, &rig->chain) > 0)
				virtq_push(&rig->q, &rig->chain, 1);
			virtq_must_interrupt(&rig->q);
			virtq_rearm(&rig->q);
			assert_int_equal(!rig->q.broken, (given & need) == need);
			rig->page[page] |= MEM_READ_WRITE;
		}
	}
}

/* The second page of each area, which is not mapped but accessed, goes away. */
static void the_far_end_of_a_ring_breaks_the_queue_too(void **state)
{
	struct virtq_rig *rig = *state;
	bool packed = rig->q.packed;
	u64 features = packed ? VIRTIO_F_RING_PACKED : 0;

	for (unsigned i = 0; i < 3; i++) {
		int popped;

		virtq_reset(&rig->q);
		rig->q.size = SIZE;
		/* Behind the end of RAM: the descriptors but one; the ring behind the index; the used elements. */
		rig->q.desc = i == 0 ? LAST - 16 : DESC;
		rig->q.driver = i == 1 && !packed ? LAST - 4 : DRIVER;
		rig->q.device = i == 2 && !packed ? LAST - 4 : DEVICE;
		assert_int_equal(virtq_enable(&rig->q, features), 0);
		/* By hand: the driver model has no memory there either. */
		if (packed) {
			driver_put(&rig->driver, rig->q.desc + 8, 8, (u64)(F_AVAIL | F_NEXT) << 48 | 1);
			driver_put(&rig->driver, DESC + 16 + 8, 8, (u64)F_AVAIL << 48 | 1);
		} else {
			driver_put(&rig->driver, rig->q.driver + 2, 2, 1);
			driver_put_desc(&rig->driver, rig->q.desc, 0, BUFFERS, 4, F_NEXT, 1);
			driver_put(&rig->driver, DESC + 16 + 8, 8, 4);
		}
		popped = virtq_pop(&rig->q, &rig->chain);
		if (popped > 0)
			virtq_push(&rig->q, &rig->chain, 0);
		if (!packed || i == 0)
			assert_non_null(rig->q.broken);
		else
			assert_null(rig->q.broken);
		if (rig->q.broken)
			assert_in_range(rig->q.broken_at, LAST, LAST + 16);
	}
}

/* From a different access on each time, until all goes well. */
static void any_access_to_a_ring_may_be_the_one_that_fails(void **state)
{
	struct virtq_rig *rig = *state;
	bool packed = rig->q.packed;

	vrig_forget_pages(rig);
	for (unsigned event = 0; event < 2; event++) {
		unsigned broken = 0;

		for (unsigned from = 1;; from++) {
			/* Over the edges of pages: most of it is not mapped. */
			virtq_reset(&rig->q);
			rig->q.size = SIZE;
			rig->q.desc = 0x1000 - 16;
			rig->q.driver = 0x11000 - 4;
			rig->q.device = 0x21000 - 4;
			driver_init(&rig->driver, SIZE, packed, event, rig->q.desc, rig->q.driver,
				    rig->q.device);
			assert_int_equal(virtq_enable(&rig->q, (packed ? VIRTIO_F_RING_PACKED : 0) |
								       (event ? VIRTIO_F_EVENT_IDX : 0)),
					 0);
			add(rig, 1, 1);
			add(rig, 1, 1);
			rig->translations = 0;
			rig->deny_from = from;
			virtq_disarm(&rig->q);
			for (unsigned i = 0; i < 2; i++) {
				if (virtq_pop(&rig->q, &rig->chain) > 0)
					virtq_push(&rig->q, &rig->chain, 0);
			}
			virtq_must_interrupt(&rig->q);
			virtq_rearm(&rig->q);
			rig->deny_from = 0;
			if (!rig->q.broken)
				break;
			assert_memory_equal(rig->q.broken, "no access to the ", 17);
			broken++;
		}
		assert_in_range(broken, packed ? 10 : 15, 100);
	}
}

static void rearming_finds_that_the_area_has_gone(void **state)
{
	struct virtq_rig *rig = *state;

	virtq_disarm(&rig->q);
	rig->page[DEVICE / PAGE_SIZE] = 0;
	iommu_invalidate(&rig->iommu, DEVICE, DEVICE + PAGE_MASK);
	assert_false(virtq_rearm(&rig->q));
	assert_broken(rig,
		      rig->q.packed ? "no access to the device's event area" : "no access to the used ring");
	assert_int_equal(rig->q.broken_at, DEVICE);
}

/*
 * ---- who is told what
 * ---------------------------------------------------------------------------------------
 */

static void pop_and_push(struct virtq_rig *rig, unsigned count)
{
	while (count--) {
		assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
		virtq_push(&rig->q, &rig->chain, 0);
	}
}

static void without_event_index_the_flags_decide(void **state)
{
	struct virtq_rig *rig = *state;

	driver_want_none(&rig->driver);
	add(rig, 1, 0);
	pop_and_push(rig, 1);
	assert_false(virtq_must_interrupt(&rig->q));
	driver_want_interrupt(&rig->driver, 0);
	assert_false(virtq_must_interrupt(&rig->q)); /* that one has been told */
	add(rig, 1, 0);
	pop_and_push(rig, 1);
	assert_true(virtq_must_interrupt(&rig->q));
	assert_false(virtq_must_interrupt(&rig->q));

	driver_must_notify(&rig->driver);
	virtq_disarm(&rig->q);
	virtq_disarm(&rig->q);
	add(rig, 1, 0);
	assert_false(driver_must_notify(&rig->driver));
	assert_true(virtq_rearm(&rig->q)); /* there is one that it did not tell of */
	pop_and_push(rig, 1);
	assert_false(virtq_rearm(&rig->q));
	add(rig, 1, 0);
	assert_true(driver_must_notify(&rig->driver));
	virtq_disarm(&rig->q);
	add(rig, 1, 0);
	assert_false(driver_must_notify(&rig->driver));
}

static void event_index_chooses_the_interrupt(void **state)
{
	struct virtq_rig *rig = *state;

	/* Any distance, from any place in the ring; batches of three. */
	for (unsigned round = 0; round < 100; round++) {
		unsigned more = round % 5;
		bool told = false;
		u32 length;

		driver_want_interrupt(&rig->driver, more);
		for (unsigned done = 0; done < 6; done += 3) {
			for (unsigned i = 0; i < 3; i++)
				assert_true(add(rig, 1, 0) >= 0);
			pop_and_push(rig, 3);
			assert_int_equal(virtq_must_interrupt(&rig->q), !told && more < done + 3);
			told = told || more < done + 3;
		}
		while (driver_get_used(&rig->driver, &length) >= 0)
			;
	}
}

static void event_index_chooses_the_notification(void **state)
{
	struct virtq_rig *rig = *state;
	u32 length;

	for (unsigned round = 0; round < 100; round++) {
		assert_false(virtq_rearm(&rig->q));
		assert_true(add(rig, 1, 0) >= 0);
		assert_true(driver_must_notify(&rig->driver));
		/* While the device is at it nobody needs to tell it. */
		for (unsigned i = 0; i < round % 5; i++) {
			assert_true(add(rig, 1, 0) >= 0);
			assert_false(driver_must_notify(&rig->driver));
		}
		pop_and_push(rig, 1);
		assert_int_equal(virtq_rearm(&rig->q), round % 5 != 0);
		pop_and_push(rig, round % 5);
		if (round & 1) {
			virtq_disarm(&rig->q);
			add(rig, 1, 0);
			if (rig->q.packed)
				assert_false(driver_must_notify(&rig->driver));
			driver_must_notify(&rig->driver);
			assert_true(virtq_rearm(&rig->q));
			pop_and_push(rig, 1);
		}
		while (driver_get_used(&rig->driver, &length) >= 0)
			;
	}
}

static void packed_event_flags_without_event_index_mean_always(void **state)
{
	struct virtq_rig *rig = *state;

	for (u32 flags = 0; flags < 4; flags++) {
		driver_put(&rig->driver, DRIVER, 4, flags << 16 | 0x7fff);
		add(rig, 1, 0);
		pop_and_push(rig, 1);
		assert_int_equal(virtq_must_interrupt(&rig->q), flags != 1);
	}
}

/*
 * ---- indirect tables
 * ----------------------------------------------------------------------------------------
 */

static void an_indirect_table_is_one_buffer(void **state)
{
	struct virtq_rig *rig = *state;

	/* 256 parts: far more than the ring has places, and more than are read at once. */
	for (unsigned count = 1; count <= VIRTQ_SIZE_MAX; count += count < 40 ? 1 : 24) {
		struct driver_piece pieces[VIRTQ_SIZE_MAX];
		int id;

		for (unsigned i = 0; i < count; i++)
			pieces[i] = (struct driver_piece){ BUFFERS + i, i + 1 };
		id = driver_add(&rig->driver, pieces, count / 2, count - count / 2, TABLE, 0);
		assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
		assert_int_equal(rig->chain.readable, count / 2);
		assert_int_equal(rig->chain.writable, count - count / 2);
		for (unsigned i = 0; i < count; i++) {
			assert_int_equal(rig->segments[i].address, BUFFERS + i);
			assert_int_equal(rig->segments[i].length, i + 1);
		}
		virtq_push(&rig->q, &rig->chain, 1);
		assert_used(rig, id, 1);
	}
}

static void an_indirect_table_is_read_to_its_end_and_no_further(void **state)
{
	struct virtq_rig *rig = *state;

	driver_add(&rig->driver, (struct driver_piece[]){ { BUFFERS, 1 }, { BUFFERS, 2 } }, 1, 1, LAST - 32,
		   0);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_equal(rig->chain.writable_length, 2);
	assert_int_equal(rig->faults, 0);
}

static void a_small_indirect_table_costs_one_access(void **state)
{
	struct virtq_rig *rig = *state;
	u64 reads;

	go_round(rig);
	reads = rig->port.reads;
	driver_add(&rig->driver,
		   (struct driver_piece[]){ { BUFFERS, 16 }, { BUFFERS, 4096 }, { BUFFERS, 1 } }, 1, 2, TABLE,
		   0);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_equal(rig->port.reads, reads + 1);
	assert_int_equal(rig->chain.writable_length, 4097);
}

static void direct_descriptors_may_come_before_an_indirect_one(void **state)
{
	struct virtq_rig *rig = *state;

	for (unsigned direct = 0; direct < 4; direct++) {
		struct driver_piece pieces[6];
		int id;

		for (unsigned i = 0; i < 6; i++)
			pieces[i] = (struct driver_piece){ BUFFERS + i, i + 1 };
		id = driver_add(&rig->driver, pieces, 2, 4, TABLE, direct);
		assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
		for (unsigned i = 0; i < 6; i++)
			assert_int_equal(rig->segments[i].length, i + 1);
		virtq_push(&rig->q, &rig->chain, 1);
		assert_used(rig, id, 1);
	}
}

/* Split: `next` leads anywhere in the table. */
static void an_indirect_table_may_be_in_any_order(void **state)
{
	struct virtq_rig *rig = *state;
	struct virtq_driver *d = &rig->driver;
	unsigned count = 40, index = 0;

	driver_add(d, (struct driver_piece[]){ { BUFFERS, 1 } }, 1, 0, TABLE, 0);
	for (unsigned i = 0; i < count; i++) {
		unsigned next = (index + 17) % count; /* 17 and 40 have no common factor */

		driver_put_desc(d, TABLE, index, BUFFERS + i, i + 1, i + 1 < count ? F_NEXT : 0, next);
		index = next;
	}
	driver_put(d, DESC + 8, 4, 16 * count);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_equal(rig->chain.readable, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(rig->segments[i].address, BUFFERS + i);
}

/* Packed: flags other than WRITE are for nothing there (2.8.7). */
static void packed_indirect_tables_ignore_other_flags(void **state)
{
	struct virtq_rig *rig = *state;

	driver_add(&rig->driver, (struct driver_piece[]){ { BUFFERS, 1 }, { BUFFERS, 2 } }, 1, 1, TABLE, 0);
	driver_put(&rig->driver, TABLE + 14, 2, (u16)~F_WRITE);
	driver_put(&rig->driver, TABLE + 16 + 14, 2, 0xffff);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_equal(rig->chain.readable_length, 1);
	assert_int_equal(rig->chain.writable_length, 2);
}

/* The flag WRITE of a descriptor that refers to a table is for nothing (2.7.5.3.2, 2.8.7). */
static void write_on_an_indirect_descriptor_is_ignored(void **state)
{
	struct virtq_rig *rig = *state;
	u64 flags = DESC + (rig->q.packed ? 14 : 12);

	driver_add(&rig->driver, (struct driver_piece[]){ { BUFFERS, 1 } }, 1, 0, TABLE, 0);
	driver_put(&rig->driver, flags, 2, driver_get(&rig->driver, flags, 2) | F_WRITE);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_equal(rig->chain.readable, 1);
	assert_int_equal(rig->chain.writable, 0);
}

/*
 * ---- what a driver must not do
 * --------------------------------------------------------------------------------
 */

static void enabling_checks_size_and_addresses(void **state)
{
	static const struct {
		u16 size;
		bool packed;
		u64 desc, driver, device;
		const char *reason; /* NULL: is fine */
	} cases[] = {
		{ 0, false, DESC, DRIVER, DEVICE, "its size is impossible" },
		{ 0, true, DESC, DRIVER, DEVICE, "its size is impossible" },
		{ 512, false, DESC, DRIVER, DEVICE, "its size is impossible" },
		{ 257, true, DESC, DRIVER, DEVICE, "its size is impossible" },
		{ 6, false, DESC, DRIVER, DEVICE, "its size is impossible" },
		{ 6, true, DESC, DRIVER, DEVICE, NULL },
		{ 1, false, DESC, DRIVER, DEVICE, NULL },
		{ 1, true, DESC, DRIVER, DEVICE, NULL },
		{ 256, false, DESC, DRIVER, DEVICE, NULL },
		{ 256, true, DESC, DRIVER, DEVICE, NULL },
		{ 8, false, DESC + 8, DRIVER, DEVICE, "a ring is not aligned" },
		{ 8, true, DESC + 8, DRIVER, DEVICE, "a ring is not aligned" },
		{ 8, false, DESC, DRIVER + 1, DEVICE, "a ring is not aligned" },
		{ 8, false, DESC, DRIVER + 2, DEVICE, NULL },
		{ 8, true, DESC, DRIVER + 2, DEVICE, "a ring is not aligned" },
		{ 8, false, DESC, DRIVER, DEVICE + 2, "a ring is not aligned" },
		{ 8, true, DESC, DRIVER, DEVICE + 2, "a ring is not aligned" },
		{ 8, false, -112ull, DRIVER, DEVICE, "a ring goes past 2^64" },
		{ 8, false, -128ull, DRIVER, DEVICE, NULL },
		{ 8, true, -112ull, DRIVER, DEVICE, "a ring goes past 2^64" },
		{ 8, false, DESC, -20ull, DEVICE, "a ring goes past 2^64" },
		{ 8, false, DESC, -22ull, DEVICE, NULL }, /* with used_event */
		{ 8, false, DESC, DRIVER, -68ull, "a ring goes past 2^64" },
		{ 8, false, DESC, DRIVER, -72ull, NULL },
		{ 8, true, DESC, -4ull, -4ull, NULL },
	};
	struct virtq_rig *rig = *state;
	struct virtq *q = &rig->q;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		virtq_reset(q);
		q->size = cases[i].size;
		q->desc = cases[i].desc;
		q->driver = cases[i].driver;
		q->device = cases[i].device;
		assert_int_equal(
			virtq_enable(q, VIRTIO_F_EVENT_IDX | (cases[i].packed ? VIRTIO_F_RING_PACKED : 0)),
			cases[i].reason ? -EINVAL : 0);
		assert_int_equal(q->enabled, !cases[i].reason);
		if (cases[i].reason)
			assert_broken(rig, cases[i].reason);
	}
	assert_int_equal(rig->translations, 0);
}

/* One descriptor of the ring or the table, changed behind a driver that did it right. */
struct rule {
	const char *reason;
	bool table; /* the descriptor is in the table */
	u64 addr;
	u32 len;
	u16 flags, next;
};

/* Three parts: readable, readable, writable; the rule replaces the one in the middle. */
static void break_rule(struct virtq_rig *rig, u64 features, const struct rule *rule)
{
	static const struct driver_piece pieces[] = { { BUFFERS, 4 }, { BUFFERS, 4 }, { BUFFERS, 4 } };
	struct virtq_driver *d = &rig->driver;
	u64 table = rule->table ? TABLE : DESC;
	u16 marks = rule->table ? 0 : F_AVAIL;

	start(rig, SIZE, features);
	driver_add(d, pieces, 2, 1, rule->table ? TABLE : 0, 0);
	if (d->packed)
		driver_put_desc(d, table, 1, rule->addr, rule->len, 0, rule->flags | marks);
	else
		driver_put_desc(d, table, 1, rule->addr, rule->len, rule->flags, rule->next);
	assert_pop_breaks(rig, rule->reason);
	assert_int_equal(rig->q.popped, 0);
	assert_used(rig, -1, 0);
}

static void split_rules(void **state)
{
	static const struct rule rules[] = {
		{ "a descriptor beyond the table", false, BUFFERS, 4, F_NEXT, SIZE },
		{ "a descriptor beyond the table", false, BUFFERS, 4, F_NEXT, 0xffff },
		{ "a loop of descriptors", false, BUFFERS, 4, F_NEXT, 1 },
		{ "a loop of descriptors", false, BUFFERS, 0, F_NEXT, 0 },
		{ "a readable descriptor after a writable one", false, BUFFERS, 4, F_WRITE | F_NEXT, 0 },
		{ "a buffer goes past 2^64", false, ~0ull, 2, F_NEXT, 2 },
		{ "a chain of more than 4 GiB", false, 0, ~0u, F_NEXT, 2 },
		{ "an indirect descriptor that goes on", false, TABLE, 16, F_INDIRECT | F_NEXT, 2 },
		{ "an indirect table of an odd length", false, TABLE, 0, F_INDIRECT, 0 },
		{ "an indirect table of an odd length", false, TABLE, 15, F_INDIRECT, 0 },
		{ "an indirect table of an odd length", false, TABLE, 17, F_INDIRECT, 0 },
		{ "an indirect table longer than the queue", false, TABLE, 257 * 16, F_INDIRECT, 0 },
		{ "an indirect table longer than the queue", false, TABLE, -16u, F_INDIRECT, 0 },
		{ "an indirect table goes past 2^64", false, -16ull, 32, F_INDIRECT, 0 },
		{ "no access to an indirect table", false, LAST, 16, F_INDIRECT, 0 },
		{ "an indirect descriptor in an indirect table", true, TABLE, 16, F_INDIRECT, 0 },
		{ "a descriptor beyond the indirect table", true, BUFFERS, 4, F_NEXT, 3 },
		{ "a loop in an indirect table", true, BUFFERS, 4, F_NEXT, 1 },
		{ "a loop in an indirect table", true, BUFFERS, 4, F_NEXT, 0 },
		{ "a readable descriptor after a writable one", true, BUFFERS, 4, F_WRITE | F_NEXT, 0 },
		{ "a buffer goes past 2^64", true, -4ull, 5, F_NEXT, 2 },
		{ "a chain of more than 4 GiB", true, 0, -7u, F_NEXT, 2 },
	};
	struct virtq_rig *rig = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		break_rule(rig, VIRTIO_F_INDIRECT_DESC, &rules[i]);
		if (rules[i].table) /* read with that first: it has not the feature */
			break_rule(rig, VIRTIO_F_EVENT_IDX,
				   &(struct rule){ "an indirect descriptor, which was not negotiated", false,
						   TABLE, 16, F_INDIRECT, 0 });
	}
}

static void packed_rules(void **state)
{
	static const struct rule rules[] = {
		{ "a readable descriptor after a writable one", true, BUFFERS, 4, F_WRITE, 0 },
		{ "a buffer goes past 2^64", false, ~0ull, 2, F_NEXT, 0 },
		{ "a buffer goes past 2^64", true, ~0ull, 2, 0, 0 },
		{ "a chain of more than 4 GiB", false, 0, ~0u, F_NEXT, 0 },
		{ "an indirect descriptor in a list", false, TABLE, 16, F_INDIRECT, 0 },
		{ "an indirect descriptor in a list", false, TABLE, 16, F_INDIRECT | F_NEXT, 0 },
	};
	/* For a table's descriptor on its own. */
	static const struct rule tables[] = {
		{ "an indirect descriptor in a list", false, TABLE, 16, F_INDIRECT | F_NEXT, 0 },
		{ "an indirect table of an odd length", false, TABLE, 0, F_INDIRECT, 0 },
		{ "an indirect table of an odd length", false, TABLE, 24, F_INDIRECT, 0 },
		{ "an indirect table longer than the queue", false, TABLE, 257 * 16, F_INDIRECT, 0 },
		{ "an indirect table goes past 2^64", false, -16ull, 32, F_INDIRECT, 0 },
		{ "no access to an indirect table", false, LAST, 16, F_INDIRECT, 0 },
	};
	struct virtq_rig *rig = *state;
	struct virtq_driver *d = &rig->driver;
	u64 features = VIRTIO_F_RING_PACKED | VIRTIO_F_INDIRECT_DESC;

	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		if (!strncmp(rules[i].reason, "a readable", 10)) {
			/* The first of three writable, the second one not. */
			start(rig, SIZE, features);
			driver_add(d, (struct driver_piece[]){ { BUFFERS, 4 }, { BUFFERS, 4 } }, 0, 2, TABLE,
				   0);
			driver_put(d, TABLE + 16 + 14, 2, 0);
			assert_pop_breaks(rig, rules[i].reason);
			continue;
		}
		break_rule(rig, features, &rules[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		start(rig, SIZE, features);
		driver_put_desc(d, DESC, 0, tables[i].addr, tables[i].len, 0, tables[i].flags | F_AVAIL);
		assert_pop_breaks(rig, tables[i].reason);
	}
	start(rig, SIZE, VIRTIO_F_RING_PACKED);
	driver_put_desc(d, DESC, 0, TABLE, 16, 0, F_INDIRECT | F_AVAIL);
	assert_pop_breaks(rig, "an indirect descriptor, which was not negotiated");
}

static void four_gigabytes_are_allowed(void **state)
{
	struct virtq_rig *rig = *state;

	driver_add(&rig->driver, (struct driver_piece[]){ { 0, ~0u }, { 0, 1 } }, 2, 0, 0, 0);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_equal(rig->chain.readable_length, 4 * GiB);
}

static void a_head_beyond_the_table(void **state)
{
	struct virtq_rig *rig = *state;

	driver_put(&rig->driver, DRIVER + 4, 2, SIZE);
	driver_put(&rig->driver, DRIVER + 2, 2, 1);
	assert_pop_breaks(rig, "a descriptor beyond the table");
	assert_int_equal(rig->q.broken_at, SIZE);
}

static void an_available_index_that_is_too_far(void **state)
{
	struct virtq_rig *rig = *state;

	/* As many as there are is fine. */
	driver_put(&rig->driver, DRIVER + 2, 2, SIZE);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	/* One is with the device: there cannot be `size` others. */
	driver_put(&rig->driver, DRIVER + 2, 2, SIZE + 1);
	assert_pop_breaks(rig, "more is available than the queue has room for");
	start(rig, SIZE, 0);
	driver_put(&rig->driver, DRIVER + 2, 2, 0xffff);
	assert_pop_breaks(rig, "more is available than the queue has room for");
	assert_int_equal(rig->q.broken_at, 0xffff);
	/* Backwards, seen by what asks for more only. */
	start(rig, SIZE, 0);
	add(rig, 1, 0);
	pop_and_push(rig, 1);
	driver_put(&rig->driver, DRIVER + 2, 2, 0);
	assert_false(virtq_rearm(&rig->q));
	assert_broken(rig, "more is available than the queue has room for");
}

static void a_packed_descriptor_is_available_by_both_its_bits(void **state)
{
	struct virtq_rig *rig = *state;
	static const u16 flags[] = { 0, F_USED, F_AVAIL | F_USED, F_AVAIL };

	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		driver_put_desc(&rig->driver, DESC, 0, BUFFERS, 4, 0, flags[i]);
		assert_int_equal(virtq_rearm(&rig->q), flags[i] == F_AVAIL);
		assert_int_equal(virtq_pop(&rig->q, &rig->chain), flags[i] == F_AVAIL);
	}
}

static void a_packed_list_longer_than_the_ring(void **state)
{
	struct virtq_rig *rig = *state;
	struct virtq_segment segments[2];
	struct virtq_chain held;

	for (u16 i = 0; i < SIZE; i++)
		driver_put_desc(&rig->driver, DESC, i, BUFFERS, 4, 0, F_AVAIL | F_NEXT);
	assert_pop_breaks(rig, "more is available than the queue has room for");
	/* What is with the device is not the driver's to make available again. */
	start(rig, 2, VIRTIO_F_RING_PACKED);
	virtq_chain_init(&held, segments, 2);
	assert_int_equal(add(rig, 1, 1), 0);
	assert_int_equal(virtq_pop(&rig->q, &held), 1);
	driver_put_desc(&rig->driver, DESC, 0, BUFFERS, 4, 0, F_USED);
	assert_pop_breaks(rig, "more is available than the queue has room for");
}

static void a_chain_has_no_more_segments_than_the_device_takes(void **state)
{
	struct virtq_rig *rig = *state;
	struct virtq_segment segments[2];
	struct virtq_chain small;
	int id = add(rig, 1, 1);

	virtq_chain_init(&small, segments, 2);
	assert_int_equal(virtq_pop(&rig->q, &small), 1);
	virtq_push(&rig->q, &small, 0);
	assert_used(rig, id, 0);
	add(rig, 1, 2);
	assert_int_equal(virtq_pop(&rig->q, &small), -EIO);
	assert_broken(rig, "a chain of too many descriptors");
}

static void generations_never_stand_for_nothing(void **state)
{
	struct virtq_rig *rig = *state;

	rig->q.generation = ~0u;
	start(rig, SIZE, 0);
	add(rig, 0, 1);
	virtq_push(&rig->q, &rig->chain, 1); /* has never been popped */
	assert_used(rig, -1, 0);
	assert_int_equal(virtq_pop(&rig->q, &rig->chain), 1);
	assert_int_not_equal(rig->chain.generation, 0);
}

int main(void)
{
#define SPLIT(name)  cmocka_unit_test_setup_teardown(name, setup_split, teardown)
#define PACKED(name) cmocka_unit_test_setup_teardown(name, setup_packed, teardown)
#define EVENTS(name)                                                        \
	cmocka_unit_test_setup_teardown(name, setup_split_event, teardown), \
		cmocka_unit_test_setup_teardown(name, setup_packed_event, teardown)
#define BOTH(name) SPLIT(name), PACKED(name)
	const struct CMUnitTest tests[] = {
		BOTH(a_buffer_goes_there_and_back),
		BOTH(an_empty_ring_is_no_error),
		BOTH(a_queue_that_is_not_enabled_touches_nothing),
		BOTH(what_is_popped_is_a_copy),
		BOTH(indices_and_wrap_counters_wrap),
		BOTH(several_are_in_flight_and_come_back_in_any_order),
		BOTH(several_come_back_at_once),
		BOTH(a_chain_is_pushed_once),
		BOTH(used_length_is_never_more_than_the_buffer),
		BOTH(empty_elements_are_left_out),
		BOTH(transfers_start_anywhere_and_cross_segments),
		BOTH(a_transfer_past_the_end_moves_nothing),
		BOTH(a_buffer_that_is_not_there_is_the_requests_error),
		BOTH(a_page_without_permission_refuses_just_its_part),
		BOTH(a_reset_in_the_middle_ends_what_is_in_flight),
		BOTH(a_reset_recovers_a_broken_queue),
		BOTH(chains_of_a_broken_queue_do_nothing),
		BOTH(nothing_moves_without_bus_mastering),
		BOTH(rings_stay_mapped),
		BOTH(a_ring_whose_translation_changes_is_found_again),
		BOTH(a_ring_that_is_taken_away_breaks_the_queue),
		BOTH(a_ring_may_lie_over_pages_that_are_no_neighbours),
		BOTH(what_the_device_writes_is_in_the_dirty_log),
		BOTH(a_ring_that_was_never_there_breaks_the_queue),
		BOTH(rings_need_just_their_permissions),
		BOTH(the_far_end_of_a_ring_breaks_the_queue_too),
		BOTH(any_access_to_a_ring_may_be_the_one_that_fails),
		BOTH(rearming_finds_that_the_area_has_gone),
		BOTH(without_event_index_the_flags_decide),
		EVENTS(event_index_chooses_the_interrupt),
		EVENTS(event_index_chooses_the_notification),
		PACKED(packed_event_flags_without_event_index_mean_always),
		BOTH(an_indirect_table_is_one_buffer),
		BOTH(an_indirect_table_is_read_to_its_end_and_no_further),
		BOTH(a_small_indirect_table_costs_one_access),
		SPLIT(direct_descriptors_may_come_before_an_indirect_one),
		SPLIT(an_indirect_table_may_be_in_any_order),
		PACKED(packed_indirect_tables_ignore_other_flags),
		BOTH(write_on_an_indirect_descriptor_is_ignored),
		SPLIT(enabling_checks_size_and_addresses),
		SPLIT(split_rules),
		PACKED(packed_rules),
		BOTH(four_gigabytes_are_allowed),
		SPLIT(a_head_beyond_the_table),
		SPLIT(an_available_index_that_is_too_far),
		PACKED(a_packed_descriptor_is_available_by_both_its_bits),
		PACKED(a_packed_list_longer_than_the_ring),
		BOTH(a_chain_has_no_more_segments_than_the_device_takes),
		SPLIT(generations_never_stand_for_nothing),
	};

	return cmocka_run_group_tests_name("virtqueue", tests, NULL, NULL);
}
