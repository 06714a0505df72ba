// SPDX-License-Identifier: BSD-2-Clause
/*
 * A driver and a device that do anything they may, at random: buffers of every shape, kept by the device and given
 * back in any order, translations that go and come, batches of every size. Each buffer comes back exactly once, with
 * what belongs into it, and nobody sleeps for ever: the device works only when notified, the driver looks only when
 * interrupted, and all is done in the end.
 */
#include <stdio.h>

#include "tests/unit/virtq_rig.h"

#define ROUNDS	400
#define ACTIONS 400
#define HELD	32
#define PARTS	24 /* of a buffer */

/* Bus addresses: rings of up to 256 entries, then for each id a page of tables and buffers. */
#define RINGS	0x0000ull
#define BUFFERS 0x8000ull

struct request {
	bool live;
	u8 seed;
	unsigned out, in;
	struct driver_piece pieces[PARTS];
	u32 written; /* what the device said */
};

struct play {
	struct virtq_rig *rig;
	u64 state; /* of the dice */
	struct request requests[DRIVER_IDS];
	struct virtq_segment segments[HELD][PARTS];
	struct virtq_chain held[HELD];
	bool is_held[HELD];
	bool notified, interrupted;
	u64 sent, done;
};

static u32 dice(struct play *p, u32 faces)
{
	p->state = p->state * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(p->state >> 33) % faces;
}

/* What stands at place `i` of what the driver gives, or gets. */
static u8 pattern(u8 seed, u32 i)
{
	return (u8)(seed + 7 * i);
}

static void new_queue(struct play *p)
{
	struct virtq_rig *rig = p->rig;
	bool packed = dice(p, 2), event = dice(p, 2);
	u16 size = packed ? dice(p, 40) + 1 : 1u << dice(p, 6);
	u64 at = RINGS + dice(p, 64) * 16, desc = at, driver, device;

	/* Anywhere, as long as it is aligned: also over the edges of pages. */
	at += 16u * size + dice(p, 400) * 4;
	driver = at;
	at += 6 + 2u * size + dice(p, 400) * 4;
	device = ALIGN_UP(at, 4ull);
	assert_true(device + 6 + 8u * size <= BUFFERS);

	memset(p->requests, 0, sizeof(p->requests));
	memset(p->is_held, 0, sizeof(p->is_held));
	p->notified = p->interrupted = false;
	virtq_reset(&rig->q);
	rig->driver.at = vrig_at;
	rig->driver.memory = rig;
	driver_init(&rig->driver, size, packed, event, desc, driver, device);
	rig->q.size = size;
	rig->q.desc = desc;
	rig->q.driver = driver;
	rig->q.device = device;
	assert_int_equal(virtq_enable(&rig->q, VIRTIO_F_INDIRECT_DESC | (event ? VIRTIO_F_EVENT_IDX : 0) |
						       (packed ? VIRTIO_F_RING_PACKED : 0)),
			 0);
	driver_want_interrupt(&rig->driver, 0);
}

/*
 * ---- the driver
 * ---------------------------------------------------------------------------------------------
 */

static void send(struct play *p)
{
	struct virtq_driver *d = &p->rig->driver;
	struct request r = { .live = true, .seed = dice(p, 256) };
	unsigned parts = dice(p, 4) ? dice(p, 5) + 1 : dice(p, PARTS) + 1, n = 0, direct = parts, id = 0;
	u64 page, at, table = 0;
	int got;

	/* The id that the driver model will take. */
	while (d->id_used[id])
		id++;
	if (id >= 100)
		return;
	page = BUFFERS + id * 0x400;
	at = page + 16 * PARTS;
	r.out = dice(p, parts + 1);
	r.in = parts - r.out;
	for (unsigned i = 0; i < parts; i++) {
		r.pieces[i] = (struct driver_piece){ at, dice(p, 25) };
		for (u32 j = 0; i < r.out && j < r.pieces[i].length; j++)
			driver_put(d, at + j, 1, pattern(r.seed, n++));
		at += r.pieces[i].length + dice(p, 3);
	}
	if (dice(p, 2)) {
		table = page;
		direct = d->packed ? 0 : dice(p, MIN(parts, 3));
	}
	got = driver_add(d, r.pieces, r.out, r.in, table, table ? direct : 0);
	if (got < 0)
		return;
	assert_int_equal(got, id);
	p->requests[id] = r;
	p->sent++;
	if (!dice(p, 3))
		p->notified |= driver_must_notify(d);
}

static void receive(struct play *p)
{
	struct virtq_driver *d = &p->rig->driver;
	u32 length;
	int id;

	while ((id = driver_get_used(d, &length)) != -1) {
		struct request *r = &p->requests[id];
		u32 n = 0;

		assert_true(id >= 0);
		assert_true(r->live);
		r->live = false;
		assert_int_equal(length, r->written);
		for (unsigned i = r->out; i < r->out + r->in; i++) {
			for (u32 j = 0; j < r->pieces[i].length && n < length; j++)
				assert_int_equal(driver_get(d, r->pieces[i].address + j, 1),
						 pattern(~r->seed, n++));
		}
		assert_int_equal(n, length);
		p->done++;
	}
}

static void handle_interrupt(struct play *p)
{
	struct virtq_driver *d = &p->rig->driver;
	unsigned outstanding = 0;

	p->interrupted = false;
	driver_want_none(d);
	receive(p);
	for (unsigned i = 0; i < DRIVER_IDS; i++)
		outstanding += !p->requests[i].live ? 0 : d->packed ? d->descs_of[i] : 1;
	/* After some of what is still out: it must come, for all of it will. */
	driver_want_interrupt(d, outstanding ? dice(p, outstanding) : 0);
}

/*
 * ---- the device
 * ---------------------------------------------------------------------------------------------
 */

static void finish(struct play *p, unsigned i)
{
	struct virtq *q = &p->rig->q;
	struct virtq_chain *chain = &p->held[i];
	u8 bytes[PARTS * 25], seed = 0;
	struct request *r = NULL;
	u32 length, half;

	/* By what it reads, in two pieces. */
	half = dice(p, (u32)chain->readable_length + 1);
	assert_int_equal(virtq_read(q, chain, half, bytes + half, chain->readable_length - half), MEM_OK);
	assert_int_equal(virtq_read(q, chain, 0, bytes, half), MEM_OK);
	for (u32 n = 0; n < chain->readable_length; n++)
		assert_int_equal((u8)(bytes[n] - 7 * n), bytes[0]);
	/* And by where it lies. */
	for (unsigned id = 0; id < DRIVER_IDS && !r; id++) {
		u64 page = BUFFERS + id * 0x400;

		if (!chain->readable && !chain->writable)
			break;
		if (chain->segments[0].address >= page && chain->segments[0].address < page + 0x400)
			r = &p->requests[id];
	}
	if (r) {
		assert_true(r->live);
		seed = r->seed;
		if (chain->readable_length)
			assert_int_equal(bytes[0], seed);
	}
	length = dice(p, (u32)chain->writable_length + 1);
	for (u32 n = 0; n < length; n++)
		bytes[n] = pattern(~seed, n);
	half = dice(p, length + 1);
	assert_int_equal(virtq_write(q, chain, 0, bytes, half), MEM_OK);
	assert_int_equal(virtq_write(q, chain, half, bytes + half, length - half), MEM_OK);
	if (r)
		r->written = length;
	virtq_push(q, chain, length);
	p->is_held[i] = false;
}

/* What it got is kept for a while, or answered at once. */
static void serve(struct play *p)
{
	struct virtq *q = &p->rig->q;

	p->notified = false;
	if (!dice(p, 3))
		virtq_disarm(q);
	do {
		for (u16 left = q->size; left; left--) {
			unsigned i = 0;
			int result;

			while (i < HELD && p->is_held[i])
				i++;
			if (i == HELD)
				finish(p, i = dice(p, HELD));
			result = virtq_pop(q, &p->held[i]);
			assert_true(result >= 0);
			if (!result)
				break;
			p->is_held[i] = true;
			if (dice(p, 2))
				finish(p, i);
			if (!dice(p, 8))
				p->interrupted |= virtq_must_interrupt(q);
		}
	} while (virtq_rearm(q));
	p->interrupted |= virtq_must_interrupt(q);
}

static void finish_some(struct play *p, unsigned most)
{
	for (unsigned i = 0; i < HELD; i++) {
		if (p->is_held[i] && most) {
			finish(p, i);
			most--;
		}
	}
	p->interrupted |= virtq_must_interrupt(&p->rig->q);
}

/* Two pages change places in RAM, with what is in them; the driver sees no difference. */
static void move_pages(struct play *p)
{
	struct virtq_rig *rig = p->rig;
	unsigned a = dice(p, 16), b = dice(p, VRIG_PAGES);
	u8 bytes[PAGE_SIZE], *host_a = vrig_at(rig, a * PAGE_SIZE), *host_b = vrig_at(rig, b * PAGE_SIZE);
	u64 entry = rig->page[a];

	memcpy(bytes, host_a, PAGE_SIZE);
	memmove(host_a, host_b, PAGE_SIZE);
	memcpy(host_b, bytes, PAGE_SIZE);
	rig->page[a] = rig->page[b];
	rig->page[b] = entry;
	iommu_invalidate(&rig->iommu, a * PAGE_SIZE, a * PAGE_SIZE + PAGE_MASK);
	iommu_invalidate(&rig->iommu, b * PAGE_SIZE, b * PAGE_SIZE + PAGE_MASK);
}

static void play_round(struct play *p)
{
	bool live = false;

	new_queue(p);
	for (unsigned i = 0; i < ACTIONS; i++) {
		switch (dice(p, 6)) {
		case 0:
		case 1:
			for (unsigned n = dice(p, 6); n; n--)
				send(p);
			break;
		case 2:
			p->notified |= driver_must_notify(&p->rig->driver);
			if (p->notified)
				serve(p);
			break;
		case 3:
			finish_some(p, dice(p, 4));
			break;
		case 4:
			if (p->interrupted)
				handle_interrupt(p);
			break;
		default:
			if (!dice(p, 4))
				move_pages(p);
			break;
		}
	}
	/* To the end: nobody does anything unless told. */
	for (unsigned i = 0; i < 1000; i++) {
		p->notified |= driver_must_notify(&p->rig->driver);
		if (p->notified)
			serve(p);
		else if (p->interrupted)
			handle_interrupt(p);
		else
			finish_some(p, HELD);
	}
	for (unsigned i = 0; i < DRIVER_IDS; i++)
		live |= p->requests[i].live;
	assert_false(live);
	assert_int_equal(p->rig->driver.free, p->rig->driver.size);
	assert_null(p->rig->q.broken);
}

static void every_buffer_comes_back_once_and_nobody_sleeps_for_ever(void **state)
{
	struct play *p = calloc(1, sizeof(*p));

	(void)state;
	assert_non_null(p);
	p->state = 20261123;
	p->rig = vrig_new();
	virtq_init(&p->rig->q, &p->rig->port, VIRTQ_SIZE_MAX);
	for (unsigned i = 0; i < HELD; i++)
		virtq_chain_init(&p->held[i], p->segments[i], PARTS);
	for (unsigned i = 0; i < ROUNDS; i++)
		play_round(p);
	assert_int_equal(p->sent, p->done);
	assert_int_equal(p->rig->q.popped, p->sent);
	assert_int_equal(p->rig->q.pushed, p->sent);
	print_message("%llu buffers, %u translations\n", (unsigned long long)p->sent, p->rig->translations);
	assert_true(p->sent > 50 * ROUNDS);
	vrig_free(p->rig);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_buffer_comes_back_once_and_nobody_sleeps_for_ever),
	};

	return cmocka_run_group_tests_name("virtqueue_differential", tests, NULL, NULL);
}
