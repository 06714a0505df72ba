// SPDX-License-Identifier: BSD-2-Clause
/*
 * Drivers of virtio-blk that do what no driver may. Each case starts from a reset, does its one wrong thing, and has to end
 * within a fifth of a second as its row says: refused, answered with an error, or with DEVICE_NEEDS_RESET. Then what the
 * device cannot write must be what it was, and after a reset a driver that does everything right must get a sector from the disk
 * as it was written. The same for split and for packed rings.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/virtio_cases.h"

static uint64_t base; /* features */

/* ---- a driver that does it right ---- */

static enum outcome transfer(uint32_t type, uint64_t sector, uint64_t data, uint32_t length)
{
	const struct descriptor chain[] = { { HEADER, 16, 0, 0 },
					    { data, length, type == BLK_OUT ? 0 : WRITE, 0 },
					    { STATUS, 1, WRITE, 0 } };

	request(type, sector);
	put_chain(chain, 3);
	kick();
	return outcome();
}

void virtio_fresh(void)
{
	virtio_reset();
	virtio_start(base);
}

static void write_known_sector(void)
{
	virtio_fresh();
	memset(arena_at(AT(DATA_PAGE)), 0xc3, SECTOR);
	EXPECT(transfer(BLK_OUT, 3, AT(DATA_PAGE), SECTOR), OK);
}

static bool works(void)
{
	const uint8_t *data = arena_at(AT(DATA_PAGE));

	virtio_fresh();
	memset(arena_at(AT(DATA_PAGE)), 0, PAGE);
	if (transfer(BLK_IN, 3, AT(DATA_PAGE), SECTOR) != OK)
		return false;
	for (unsigned i = 0; i < PAGE; i++)
		if (data[i] != (i < SECTOR ? 0xc3 : 0))
			return false;
	return true;
}

/* ---- cases: of one kind of ring only ---- */

static struct descriptor *ring(void)
{
	return arena_at(AT(DESC_PAGE));
}

static volatile uint16_t *available(void)
{
	return arena_at(AT(DRIVER_PAGE));
}

static void good_chain(void)
{
	const struct descriptor chain[] = { HEAD, DATA, TAIL };

	request(BLK_IN, 3);
	put_chain(chain, 3);
}

static void head_is_size(void)
{
	good_chain();
	available()[2] = v.size;
}

static void head_is_ones(void)
{
	good_chain();
	available()[2] = 0xffff;
}

static void next_is_size(void)
{
	good_chain();
	ring()[1].next = v.size;
}

static void next_is_ones(void)
{
	good_chain();
	ring()[1].next = 0xffff;
}

static void loop_of_two(void)
{
	good_chain();
	ring()[1] = (struct descriptor){ HEADER, 16, NEXT, 0 };
}

static void loop_of_one(void)
{
	good_chain();
	ring()[0].next = 0;
}

static void index_jumps(void)
{
	good_chain();
	v.index = v.size + 1;
}

static void index_runs_back(void)
{
	good_chain();
	v.index = 0xffff;
}

static void table_and_next(void)
{
	good_chain();
	ring()[0] = (struct descriptor){ AT(TABLE_PAGE), 3 * ENTRY, INDIRECT | NEXT, 1 };
}

/* Each of the ring is available, each is the same chain: all are served, and that is all. */
static void same_head_everywhere(void)
{
	good_chain();
	for (unsigned i = 0; i < v.size; i++)
		available()[2 + i] = 0;
	v.index = v.size;
}

static void packed_without_end(void)
{
	request(BLK_IN, 3);
	for (unsigned i = 0; i < v.size; i++)
		ring()[i] = (struct descriptor){ HEADER, 16, 7, NEXT | 0x80 };
	v.first_flags = NEXT | 0x80;
}

static void packed_wrong_wrap(void)
{
	good_chain();
	v.first_flags = (v.first_flags & ~0x80) | 0x8000;
}

static void packed_already_used(void)
{
	good_chain();
	v.first_flags |= 0x8000;
}

static void packed_odd_id(void)
{
	good_chain();
	for (unsigned i = 0; i < 3; i++)
		ring()[i].flags = 0xffff;
}

static const struct {
	const char *name;
	bool packed;
	void (*post)(void);
	unsigned expected;
} wrong_rings[] = {
	{ "a head that is the size", false, head_is_size, BROKEN },
	{ "a head of all ones", false, head_is_ones, BROKEN },
	{ "a next that is the size", false, next_is_size, BROKEN },
	{ "a next of all ones", false, next_is_ones, BROKEN },
	{ "a loop of two", false, loop_of_two, BROKEN },
	{ "a loop of one", false, loop_of_one, BROKEN },
	{ "an available index that jumps", false, index_jumps, BROKEN },
	{ "an available index that runs back", false, index_runs_back, BROKEN },
	{ "an indirect table with a next", false, table_and_next, BROKEN },
	{ "the same chain all over the ring", false, same_head_everywhere, OK },
	{ "a chain without an end", true, packed_without_end, NOTHING | BROKEN },
	{ "flags of another round", true, packed_wrong_wrap, NOTHING },
	{ "flags of what is used", true, packed_already_used, ANY },
	{ "an id of all ones", true, packed_odd_id, ANY & ~NOTHING },
};

/* ---- cases: queues that are somewhere else ---- */

#define SELF AT(DESC_PAGE), AT(DRIVER_PAGE), AT(DEVICE_PAGE)

/* clang-format off */
static const struct {
	const char *name;
	uint16_t size; /* 0: as usual */
	uint64_t desc, driver, device;
	unsigned expected;
} wrong_queues[] = {
	{ "descriptors where nothing is mapped", 0, NOWHERE, AT(DRIVER_PAGE), AT(DEVICE_PAGE), BROKEN },
	{ "the driver's area where nothing is mapped", 0, AT(DESC_PAGE), NOWHERE, AT(DEVICE_PAGE),
	  ERROR | OK | BROKEN },
	{ "the device's area where nothing is mapped", 0, AT(DESC_PAGE), AT(DRIVER_PAGE), NOWHERE,
	  OK | BROKEN },
	{ "the device's area where only reads are allowed", 0, AT(DESC_PAGE), AT(DRIVER_PAGE),
	  AT(READ_ONLY_PAGE), OK | BROKEN },
	{ "the device's area in registers", 0, AT(DESC_PAGE), AT(DRIVER_PAGE), MMIO_IOVA, OK | BROKEN },
	{ "descriptors in registers", 0, MMIO_IOVA, AT(DRIVER_PAGE), AT(DEVICE_PAGE), NOTHING | BROKEN },
	{ "descriptors across the end of a mapping", 0, AT(NEIGHBOUR_PAGE) - 16, AT(DRIVER_PAGE),
	  AT(DEVICE_PAGE), NOTHING | BROKEN },
	{ "the device's area in the interrupt range", 0, AT(DESC_PAGE), AT(DRIVER_PAGE), 0xfee00000,
	  OK | BROKEN },
	{ "descriptors at the end of all addresses", 0, 0ull - 16, AT(DRIVER_PAGE), AT(DEVICE_PAGE),
	  NOTHING | BROKEN },
	{ "descriptors at an odd address", 0, AT(DESC_PAGE) + 1, AT(DRIVER_PAGE), AT(DEVICE_PAGE), ANY },
	{ "all of it in one page", 0, AT(DESC_PAGE), AT(DESC_PAGE), AT(DESC_PAGE), ANY },
	{ "a size of 3", 3, SELF, ANY },
	{ "a size of all ones", 0xffff, SELF, ANY },
};
/* clang-format on */

static enum outcome post_queue(unsigned i)
{
	virtio_reset();
	if (wrong_queues[i].size)
		v.size = wrong_queues[i].size;
	v.desc = wrong_queues[i].desc;
	v.driver = wrong_queues[i].driver;
	v.device = wrong_queues[i].device;
	virtio_start(base);
	good_chain();
	kick();
	return outcome();
}

/* ---- cases: things done at the wrong time ---- */

/* The queue's registers after it was enabled: it stays where it was. */
static enum outcome moved_while_running(void)
{
	v.size = 2;
	v.desc = v.driver = v.device = AT(HOLE_PAGE);
	virtio_queue();
	good_chain();
	kick();
	return outcome();
}

static enum outcome notified_too_early(void)
{
	virtio_reset();
	virtio_negotiate(base);
	virtio_queue();
	good_chain();
	for (unsigned i = 0; i < 100; i++)
		kick();
	return outcome();
}

static enum outcome without_bus_mastering(void)
{
	const uint32_t command = vfio_config_read(&v.f, 4, 2);

	vfio_config_write(&v.f, 4, 2, command & ~4u);
	good_chain();
	kick();
	const enum outcome seen = outcome();
	vfio_config_write(&v.f, 4, 2, command);
	return seen;
}

static enum outcome notified_for_nothing(void)
{
	for (unsigned i = 0; i < 200; i++)
		*(volatile uint16_t *)v.notify = (uint16_t)(i * 331);
	good_chain();
	kick();
	return outcome();
}

/* Every register of the common configuration in every width, with whatever, also while the queue runs. */
static enum outcome registers_at_random(void)
{
	uint64_t x = 0x2545f4914f6cdd1d;

	good_chain();
	for (unsigned i = 0; i < 3000; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		volatile uint8_t *at = v.common + (x >> 40) % (COMMON_SIZE + 8);
		const uint64_t value = x & 1 ? x >> 16 : AT((x >> 8) % ARENA_PAGES) >> (x & 2 ? 32 : 0);

		switch (x >> 60 & 3) {
		case 0:
			*at = (uint8_t)value;
			break;
		case 1:
			*(volatile uint16_t *)at = (uint16_t)value;
			break;
		case 2:
			*(volatile uint32_t *)at = (uint32_t)value;
			break;
		default:
			(void)*(volatile uint32_t *)at;
			break;
		}
		if (i % 8 == 0)
			kick();
	}
	return outcome();
}

static const struct {
	const char *name;
	enum outcome (*run)(void);
	unsigned expected;
} wrong_times[] = {
	{ "a queue that is moved while it runs", moved_while_running, OK },
	{ "notified before the driver is ready", notified_too_early, NOTHING },
	{ "no bus master", without_bus_mastering, NOTHING | BROKEN },
	{ "notified for queues that are not there", notified_for_nothing, OK },
	{ "registers written at random", registers_at_random, ANY },
};

/* ---- descriptors that change ---- */

static volatile bool stop;

/* Between what is right and all that is wrong, without end. */
static void *rewrite(void *unused)
{
	static const struct descriptor poison[] = { { NOWHERE, SECTOR, WRITE | NEXT, 2 },
						    { AT(HOLE_PAGE), 0xffffffff, WRITE | NEXT, 2 },
						    { AT(DATA_PAGE), SECTOR, WRITE | NEXT, 0 },
						    { AT(DATA_PAGE), SECTOR, WRITE | NEXT, 0xffff },
						    { AT(READ_ONLY_PAGE), SECTOR, WRITE | NEXT, 1 },
						    { AT(DATA_PAGE), 0xffff0000, INDIRECT, 2 } };
	volatile struct descriptor *at = ring() + 1;

	(void)unused;
	for (unsigned i = 0; !stop; i++) {
		const struct descriptor *bad = poison + i % (sizeof(poison) / sizeof(poison[0]));

		at->address = bad->address;
		at->length = bad->length;
		if (!v.packed) {
			at->next = bad->next;
			at->flags = bad->flags;
		} else {
			at->next = bad->flags | 0x80;
		}
		sched_yield();
		at->address = AT(DATA_PAGE);
		at->length = SECTOR;
		if (!v.packed) {
			at->next = 2;
			at->flags = WRITE | NEXT;
		} else {
			at->next = WRITE | NEXT | 0x80;
		}
	}
	return NULL;
}

static void rewritten(void)
{
	unsigned seen[16] = { 0 };
	pthread_t thread;

	virtio_fresh();
	stop = false;
	if (pthread_create(&thread, NULL, rewrite, NULL) != 0)
		fail("no thread");
	for (unsigned i = 0; i < 60; i++) {
		virtio_fresh();
		good_chain();
		for (unsigned j = 0; j < i % 4; j++)
			sched_yield();
		kick();
		seen[outcome()]++;
		canaries_live("descriptors rewritten during processing");
	}
	stop = true;
	pthread_join(thread, NULL);
	printf("# descriptors rewritten during processing: %u right, %u errors, %u broken, %u nothing\n",
	       seen[OK], seen[ERROR], seen[BROKEN], seen[NOTHING]);
	if (!works())
		fail("no reset recovers from descriptors that were rewritten");
}

/* ---- all of them ---- */

static unsigned cases, failures;

void virtio_judge(const char *name, enum outcome got, unsigned expected)
{
	static const char *const words[] = {
		[NOTHING] = "nothing", [OK] = "ok", [ERROR] = "error", [BROKEN] = "needs reset"
	};
	const char *wrong = "";

	canaries_live(name);
	if (!(got & expected))
		wrong = ", which is wrong";
	else if (!works())
		wrong = ", and no reset recovers";
	canaries_live(name);
	cases++;
	failures += *wrong != 0;
	printf("# %s: %s%s\n", name, words[got], wrong);
}

static void hostile(uint64_t features)
{
	base = features;
	write_known_sector();
	if (!works())
		fail("a driver that does it right does not get what it has written");
	virtio_wrong_chains();
	for (unsigned i = 0; i < sizeof(wrong_rings) / sizeof(wrong_rings[0]); i++) {
		if (wrong_rings[i].packed != v.packed)
			continue;
		virtio_fresh();
		wrong_rings[i].post();
		kick();
		virtio_judge(wrong_rings[i].name, outcome(), wrong_rings[i].expected);
	}
	for (unsigned i = 0; i < sizeof(wrong_queues) / sizeof(wrong_queues[0]); i++)
		virtio_judge(wrong_queues[i].name, post_queue(i), wrong_queues[i].expected);
	for (unsigned i = 0; i < sizeof(wrong_times) / sizeof(wrong_times[0]); i++) {
		virtio_fresh();
		virtio_judge(wrong_times[i].name, wrong_times[i].run(), wrong_times[i].expected);
	}
	rewritten();
	if (failures)
		fail("%u of %u cases failed", failures, cases);
}

/* Features that no driver may leave out, and those that were not offered. */
static void features_refused(void)
{
	virtio_reset();
	if (virtio_negotiate(F_ACCESS_PLATFORM) & FEATURES_OK)
		fail("a driver without VERSION_1 is accepted");
	virtio_reset();
	if (virtio_negotiate(F_VERSION_1) & FEATURES_OK)
		fail("a driver without ACCESS_PLATFORM is accepted, behind an IOMMU");
	virtio_reset();
	if (virtio_negotiate(F_VERSION_1 | F_ACCESS_PLATFORM | 1ull << 63 | 1ull << 50) & FEATURES_OK)
		fail("features are accepted that were not offered");
	virtio_reset();
}

bool virtio_check(const char *name, const char *function)
{
	const uint64_t split = F_VERSION_1 | F_ACCESS_PLATFORM | F_INDIRECT;

	if (strncmp(name, "virtio-", 7) != 0 || !function)
		return false;
	virtio_open(function);
	EXPECT(v.offered & split, split);
	if (strcmp(name, "virtio-features") == 0)
		features_refused();
	else if (strcmp(name, "virtio-split") == 0)
		hostile(split);
	else if (strcmp(name, "virtio-packed") == 0 && v.offered & F_PACKED)
		hostile(split | F_PACKED);
	else
		fail("no packed ring is offered, or there is no check %s", name);
	vfio_close(&v.f);
	return true;
}
