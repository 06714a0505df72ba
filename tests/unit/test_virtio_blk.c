// SPDX-License-Identifier: BSD-2-Clause
/* The virtio block device against VIRTIO 1.2, section 5.2, as a driver sees it, and the disk as the board does. */
#include "devices/virtio_blk.h"

#include "tests/unit/virtio_rig.h"

#define SECTORS	  8192u /* 4 MiB */
#define DISK_SIZE (SECTORS * 512ull)
#define HEADER	  0x7000ull
#define STATUS	  0x7ff0ull
#define DATA	  VR_DATA
#define DATA_SIZE (RIG_RAM_SIZE - DATA)
#define NO_STATUS 0xee

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2 };

struct fixture {
	struct virtio_rig rig;
	struct virtio_blk blk;
	u8 *disk, *before;
	u32 used; /* length that the device told last */
};

static int set_up(void **state, bool readonly, u64 size, u64 withheld)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct virtio_blk_disk disk = { .size = size, .readonly = readonly, .id = "a disk of 26 characters" };
	struct virtio_setup setup;

	assert_non_null(f);
	f->rig.pci = pci_rig_new();
	f->disk = malloc(DISK_SIZE);
	f->before = malloc(DISK_SIZE);
	assert_non_null(f->disk);
	assert_non_null(f->before);
	for (u64 i = 0; i < DISK_SIZE; i++)
		f->disk[i] = i / 512 * 7 + i % 251;
	memcpy(f->before, f->disk, DISK_SIZE);
	disk.memory = f->disk;
	setup = vr_setup(&f->rig, "disk");
	setup.withheld = withheld;
	virtio_blk_init(&f->blk, &setup, &disk);
	vr_plug(&f->rig, &f->blk.dev);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return set_up(state, false, DISK_SIZE, 0);
}

static int setup_readonly(void **state)
{
	return set_up(state, true, DISK_SIZE, 0);
}

static int setup_odd(void **state)
{
	return set_up(state, false, 3 * 512 + 511, VIRTIO_F_RING_PACKED | VIRTIO_BLK_F_DISCARD);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vr_unplug(&f->rig);
	free(f->disk);
	free(f->before);
	free(f);
	return 0;
}

static u8 *ram(struct fixture *f, u64 address)
{
	return f->rig.pci->bytes + address;
}

static void start(struct fixture *f)
{
	u64 all = f->blk.dev.offered;

	vr_start(&f->rig, all & ~VIRTIO_F_RING_PACKED, 1, VIRTIO_BLK_QUEUE_SIZE);
}

static void put_header(struct fixture *f, u32 type, u64 sector)
{
	memset(ram(f, HEADER), 0, 16);
	memcpy(ram(f, HEADER), &type, 4);
	memcpy(ram(f, HEADER) + 8, &sector, 8);
	*ram(f, STATUS) = NO_STATUS;
}

/* Makes it available: the pieces are all of it. */
static void add(struct fixture *f, const struct driver_piece *pieces, unsigned out, unsigned in)
{
	assert_true(driver_add(&f->rig.queue[0], pieces, out, in, 0, 0) >= 0);
}

static u8 finished(struct fixture *f)
{
	assert_true(driver_get_used(&f->rig.queue[0], &f->used) >= 0);
	return *ram(f, STATUS);
}

/* A request with up to one piece of data; returns its status. */
static u8 request(struct fixture *f, u32 type, u64 sector, u64 data, u32 length)
{
	bool in = type == IN || type == GET_ID;
	struct driver_piece pieces[3] = { { HEADER, 16 } };
	unsigned count = 1;

	if (length)
		pieces[count++] = (struct driver_piece){ data, length };
	pieces[count++] = (struct driver_piece){ STATUS, 1 };
	put_header(f, type, sector);
	add(f, pieces, in ? 1 : count - 1, in ? count - 1 : 1);
	vr_notify(&f->rig, 0);
	return finished(f);
}

static u8 range_request(struct fixture *f, u32 type, u64 sector, u32 count, u32 flags)
{
	memcpy(ram(f, DATA), &sector, 8);
	memcpy(ram(f, DATA) + 8, &count, 4);
	memcpy(ram(f, DATA) + 12, &flags, 4);
	return request(f, type, 0, DATA, 16);
}

static bool disk_untouched(struct fixture *f)
{
	return !memcmp(f->disk, f->before, DISK_SIZE);
}

/* ---- what it tells ---- */

static void identity_and_configuration(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	assert_int_equal(pci_rig_config(rig->pci, VR_SLOT, 0, 4), 0x10421af4);
	assert_int_equal(pci_rig_config(rig->pci, VR_SLOT, 8, 4), 0x01800001);
	assert_int_equal(vr_offered(rig),
			 VR_NEEDED | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_RING_PACKED |
				 VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH |
				 VIRTIO_BLK_F_CONFIG_WCE | VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES);
	assert_int_equal(vr_get(rig, VR_CONFIG, 4), SECTORS);
	assert_int_equal(vr_get(rig, VR_CONFIG + 4, 4), 0);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x08, 4), 0);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x0c, 4), 126);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x14, 4), 512);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x20, 1), 1);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x22, 2), 1);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x24, 4), ~0u);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x28, 4), 1);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x2c, 4), 1);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x30, 4), ~0u);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x34, 4), 1);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x38, 1), 1);
	vr_set(rig, VR_CONFIG, 4, 0);
	assert_int_equal(vr_get(rig, VR_CONFIG, 4), SECTORS);
}

static void the_write_cache_can_be_chosen(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	assert_true(vr_negotiate(rig, VR_NEEDED));
	vr_set(rig, VR_CONFIG + 0x20, 1, 0);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x20, 1), 1);
	start(f);
	vr_set(rig, VR_CONFIG + 0x20, 2, 0);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x20, 1), 1);
	vr_set(rig, VR_CONFIG + 0x20, 1, 0xfe);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x20, 1), 0);
	vr_set(rig, VR_STATUS, 1, 0);
	assert_int_equal(vr_get(rig, VR_CONFIG + 0x20, 1), 1);
}

static void its_name(void **state)
{
	struct fixture *f = *state;

	start(f);
	memset(ram(f, DATA), 0xaa, 32);
	assert_int_equal(request(f, GET_ID, 0, DATA, 20), OK);
	assert_memory_equal(ram(f, DATA), "a disk of 26 charact\xaa", 21);
	assert_int_equal(f->used, 21);
	memset(ram(f, DATA), 0xaa, 32);
	assert_int_equal(request(f, GET_ID, 0, DATA, 4), OK);
	assert_memory_equal(ram(f, DATA), "a di\xaa", 5);
	assert_int_equal(f->used, 5);
	assert_int_equal(request(f, GET_ID, 0, DATA, 30), OK);
	assert_int_equal(f->used, 20); /* then a gap */
	assert_int_equal(request(f, GET_ID, 0, RIG_RAM_SIZE, 20), IOERR);
	assert_int_equal(f->used, 0);
}

/* ---- data ---- */

static void what_is_written_is_read_back(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(request(f, IN, 5, DATA, 4096), OK);
	assert_int_equal(f->used, 4097);
	assert_memory_equal(ram(f, DATA), f->before + 5 * 512, 4096);
	for (unsigned i = 0; i < 1024; i++)
		ram(f, DATA)[i] = i * 3;
	assert_int_equal(request(f, OUT, SECTORS - 2, DATA, 1024), OK);
	assert_int_equal(f->used, 1);
	assert_int_equal(request(f, FLUSH, 0, 0, 0), OK);
	assert_int_equal(request(f, IN, SECTORS - 2, DATA + 0x1000, 1024), OK);
	assert_memory_equal(ram(f, DATA), ram(f, DATA) + 0x1000, 1024);
	assert_memory_equal(f->disk, f->before, DISK_SIZE - 1024);
	assert_memory_equal(f->disk + DISK_SIZE - 1024, ram(f, DATA), 1024);
	assert_int_equal(f->blk.bytes_read, 4096 + 1024);
	assert_int_equal(f->blk.bytes_written, 1024);
	assert_int_equal(f->blk.failed, 0);
	assert_int_equal(host_log_count(), 0);
}

static void a_request_may_be_cut_anywhere(void **state)
{
	static const struct driver_piece in[] = {
		{ HEADER, 3 },	   { HEADER + 3, 9 }, { HEADER + 12, 4 },  { DATA, 1 },
		{ DATA + 1, 510 }, { DATA + 511, 0 }, { DATA + 511, 513 }, { STATUS, 1 },
	};
	static const struct driver_piece in_one[] = { { HEADER, 16 }, { DATA, 1025 } };
	static const struct driver_piece out_one[] = { { DATA, 16 + 512 }, { STATUS, 1 } };
	struct fixture *f = *state;
	u32 type = OUT;
	u64 sector = 9;

	start(f);
	/* The status is the last byte of what is written. */
	put_header(f, IN, 1);
	ram(f, DATA)[1024] = NO_STATUS;
	add(f, in, 3, 5);
	vr_notify(&f->rig, 0);
	assert_int_equal(finished(f), OK);
	assert_int_equal(f->used, 1025);
	assert_memory_equal(ram(f, DATA), f->before + 512, 1024);
	put_header(f, IN, 2);
	add(f, in_one, 1, 1);
	vr_notify(&f->rig, 0);
	finished(f);
	assert_int_equal(ram(f, DATA)[1024], OK);
	assert_memory_equal(ram(f, DATA), f->before + 1024, 1024);
	memcpy(ram(f, DATA), &type, 4);
	memcpy(ram(f, DATA) + 8, &sector, 8);
	memset(ram(f, DATA) + 16, 0x5a, 512);
	*ram(f, STATUS) = NO_STATUS;
	add(f, out_one, 1, 1);
	vr_notify(&f->rig, 0);
	assert_int_equal(finished(f), OK);
	assert_memory_equal(f->disk + 9 * 512, ram(f, DATA) + 16, 512);
}

static void all_that_is_available_is_done_with_one_interrupt(void **state)
{
	struct fixture *f = *state;
	unsigned messages;

	start(f);
	messages = f->rig.pci->messages;
	for (unsigned i = 0; i < 32; i++) {
		struct driver_piece pieces[] = { { HEADER + 16 * i, 16 },
						 { DATA + 512 * i, 512 },
						 { STATUS - i, 1 } };
		u64 sector = 100 + i;

		memset(ram(f, HEADER + 16 * i), 0, 16);
		memcpy(ram(f, HEADER + 16 * i + 8), &sector, 8);
		add(f, pieces, 1, 2);
	}
	assert_true(driver_must_notify(&f->rig.queue[0]));
	vr_notify(&f->rig, 0);
	assert_int_equal(f->rig.pci->messages, messages + 1);
	assert_memory_equal(ram(f, DATA), f->before + 100 * 512, 32 * 512);
	for (unsigned i = 0; i < 32; i++)
		finished(f);
}

static void sectors_beyond_the_end_are_refused(void **state)
{
	static const struct {
		u64 sector;
		u32 length;
		u8 status;
	} table[] = {
		{ SECTORS - 1, 512, OK },
		{ SECTORS, 512, IOERR },
		{ SECTORS - 1, 1024, IOERR },
		{ SECTORS + 1, 512, IOERR },
		{ BIT(55), 512, IOERR }, /* whose byte is 0 */
		{ BIT(55) + SECTORS - 1, 512, IOERR },
		{ ~0ull, 512, IOERR },
		{ ~0ull, 1024, IOERR },
		{ 0, 511, IOERR },
		{ 0, 513, IOERR },
		{ 0, 1, IOERR },
		{ SECTORS, 0, OK },
		{ SECTORS + 1, 0, IOERR },
	};
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		memset(ram(f, DATA), 0xaa, 1024);
		assert_int_equal(request(f, IN, table[i].sector, DATA, table[i].length), table[i].status);
		if (table[i].status != OK)
			assert_int_equal(*ram(f, DATA), 0xaa);
		memcpy(ram(f, DATA), f->before + DISK_SIZE - 512, 512);
		assert_int_equal(request(f, OUT, table[i].sector, DATA, table[i].length), table[i].status);
		assert_true(disk_untouched(f));
	}
	assert_int_equal(vr_status(&f->rig), 0xf);
}

static void a_disk_ends_with_its_last_whole_sector(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(vr_get(&f->rig, VR_CONFIG, 4), 3);
	assert_int_equal(request(f, IN, 2, DATA, 512), OK);
	assert_int_equal(request(f, IN, 3, DATA, 512), IOERR);
	/* And this one's driver was offered less. */
	assert_int_equal(range_request(f, DISCARD, 0, 1, 0), UNSUPP);
	assert_int_equal(range_request(f, WRITE_ZEROES, 2, 1, 0), OK);
	assert_int_equal(range_request(f, WRITE_ZEROES, 2, 2, 0), IOERR);
	assert_memory_equal(f->disk, f->before, 1024);
	assert_int_equal(f->disk[1024], 0);
	assert_memory_equal(f->disk + 1536, f->before + 1536, DISK_SIZE - 1536);
}

static void memory_that_is_not_there_is_an_error_of_the_request(void **state)
{
	struct fixture *f = *state;
	const struct driver_piece half_in[] = {
		{ HEADER, 16 }, { DATA, 512 }, { RIG_RAM_SIZE - 256, 512 }, { STATUS, 1 }
	};
	const struct driver_piece no_header[] = { { 1 * MiB, 16 }, { DATA, 512 }, { STATUS, 1 } };
	const struct driver_piece no_status[] = { { HEADER, 16 }, { DATA, 512 }, { VR_BAR, 1 } };

	start(f);
	put_header(f, IN, 0);
	add(f, half_in, 1, 3);
	vr_notify(&f->rig, 0);
	assert_int_equal(finished(f), IOERR);
	assert_int_equal(f->used, 0);
	put_header(f, OUT, 0);
	add(f, half_in, 3, 1);
	vr_notify(&f->rig, 0);
	assert_int_equal(finished(f), IOERR);
	assert_int_equal(f->used, 1);
	assert_memory_equal(f->disk + 1024, f->before + 1024, DISK_SIZE - 1024);
	add(f, no_header, 1, 2);
	*ram(f, STATUS) = NO_STATUS;
	vr_notify(&f->rig, 0);
	assert_int_equal(finished(f), IOERR);
	assert_int_equal(f->blk.failed, 3);
	put_header(f, IN, 1);
	add(f, no_status, 1, 2);
	vr_notify(&f->rig, 0);
	assert_int_equal(finished(f), NO_STATUS);
	assert_int_equal(f->used, 512);
	assert_int_equal(range_request(f, WRITE_ZEROES, 0, 1, 0), OK);
	assert_int_equal(request(f, WRITE_ZEROES, 0, 1 * MiB, 16), IOERR);
	assert_int_equal(vr_status(&f->rig), 0xf);
}

static void requests_without_header_or_status_are_no_requests(void **state)
{
	static const struct {
		struct driver_piece pieces[2];
		unsigned out, in;
	} bad[] = {
		{ { { HEADER, 15 }, { STATUS, 1 } }, 1, 1 },
		{ { { HEADER, 16 }, { STATUS, 0 } }, 1, 1 },
		{ { { HEADER, 16 } }, 1, 0 },
		{ { { STATUS, 1 } }, 0, 1 },
	};
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		start(f);
		put_header(f, IN, 0);
		add(f, bad[i].pieces, bad[i].out, bad[i].in);
		vr_notify(&f->rig, 0);
		assert_int_equal(vr_status(&f->rig), 0x4f);
		assert_int_equal(*ram(f, STATUS), NO_STATUS);
		assert_int_equal(host_log_count(), i + 1);
	}
	start(f);
	assert_int_equal(request(f, IN, 0, DATA, 512), OK);
}

static void other_requests_are_not_supported(void **state)
{
	static const u32 types[] = { 2, 3, 5, 9, 10, 12, 14, 16, 0x80000000, 0xffffffff };
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		assert_int_equal(request(f, types[i], 0, DATA, 512), UNSUPP);
	assert_true(disk_untouched(f));
}

/* ---- zeros ---- */

static void sectors_are_made_zero(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(range_request(f, WRITE_ZEROES, 3, 2, 0), OK);
	assert_int_equal(range_request(f, WRITE_ZEROES, SECTORS - 1, 1, 1), OK);
	assert_int_equal(range_request(f, DISCARD, 8, 1, 0), OK);
	assert_int_equal(range_request(f, DISCARD, 10, 0, 0), OK);
	memset(f->before + 3 * 512, 0, 1024);
	memset(f->before + DISK_SIZE - 512, 0, 512);
	memset(f->before + 8 * 512, 0, 512);
	assert_true(disk_untouched(f));
	assert_int_equal(f->used, 1);
}

static void ranges_are_checked(void **state)
{
	struct fixture *f = *state;

	start(f);
	for (unsigned i = 0; i < 2; i++) {
		u32 type = i ? DISCARD : WRITE_ZEROES;

		assert_int_equal(range_request(f, type, 0, 1, 2), UNSUPP);
		assert_int_equal(range_request(f, type, 0, 1, 0x80000000), UNSUPP);
		assert_int_equal(range_request(f, type, SECTORS, 1, 0), IOERR);
		assert_int_equal(range_request(f, type, SECTORS - 1, 2, 0), IOERR);
		assert_int_equal(range_request(f, type, ~0ull, 2, 0), IOERR);
		assert_int_equal(range_request(f, type, BIT(55), 1, 0), IOERR);
		assert_int_equal(range_request(f, type, 0, ~0u, 0), IOERR);
		/* None, a part of one, two. */
		assert_int_equal(request(f, type, 0, DATA, 0), IOERR);
		assert_int_equal(request(f, type, 0, DATA, 15), IOERR);
		assert_int_equal(request(f, type, 0, DATA, 32), IOERR);
	}
	assert_int_equal(range_request(f, DISCARD, 0, 1, 1), UNSUPP);
	vr_start(&f->rig, 0, 1, 16);
	assert_int_equal(range_request(f, WRITE_ZEROES, 0, 1, 0), UNSUPP);
	assert_int_equal(range_request(f, DISCARD, 0, 1, 0), UNSUPP);
	assert_true(disk_untouched(f));
}

/* ---- read-only ---- */

static void a_readonly_disk_is_never_written(void **state)
{
	struct fixture *f = *state;
	u64 offered = vr_offered(&f->rig);

	assert_true(offered & VIRTIO_BLK_F_RO);
	assert_false(offered & (VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES));
	start(f);
	assert_int_equal(request(f, IN, 0, DATA, 512), OK);
	assert_int_equal(request(f, OUT, 0, DATA, 512), IOERR);
	assert_int_equal(range_request(f, WRITE_ZEROES, 0, 1, 0), IOERR);
	assert_int_equal(range_request(f, DISCARD, 0, 1, 0), IOERR);
	assert_int_equal(request(f, FLUSH, 0, 0, 0), OK);
	assert_true(disk_untouched(f));
}

/* ---- its share of time ---- */

/* 100 times the same 32 KiB of guest memory: 3.1 MiB of the disk. */
static u64 add_long(struct fixture *f, u32 type)
{
	struct driver_piece pieces[102] = { { HEADER, 16 } };
	unsigned count = 101;

	for (unsigned i = 1; i < count; i++)
		pieces[i] = (struct driver_piece){ DATA, DATA_SIZE };
	pieces[count] = (struct driver_piece){ STATUS, 1 };
	put_header(f, type, 1);
	add(f, pieces, type == IN ? 1 : count, type == IN ? count : 1);
	return 100 * DATA_SIZE;
}

static void a_long_request_is_done_in_pieces(void **state)
{
	struct fixture *f = *state;
	u64 length;
	unsigned turns = 0;

	start(f);
	length = add_long(f, IN);
	vr_notify(&f->rig, 0);
	assert_int_equal(*ram(f, STATUS), NO_STATUS);
	assert_in_range(f->blk.bytes_read, VIRTIO_SHARE / 2, VIRTIO_SHARE);
	for (; *ram(f, STATUS) == NO_STATUS; turns++) {
		u64 before = f->blk.bytes_read;

		vr_pass(&f->rig, VR_TICKS);
		assert_in_range(f->blk.bytes_read - before, 1, VIRTIO_SHARE);
	}
	assert_int_equal(turns, 3);
	assert_int_equal(finished(f), OK);
	assert_int_equal(f->used, length + 1);
	assert_memory_equal(ram(f, DATA), f->before + 512 + length - DATA_SIZE, DATA_SIZE);
	memset(ram(f, DATA), 0x77, DATA_SIZE);
	length = add_long(f, OUT);
	vr_notify(&f->rig, 0);
	vr_pass(&f->rig, VR_TICKS);
	vr_pass(&f->rig, VR_TICKS);
	vr_pass(&f->rig, VR_TICKS);
	assert_int_equal(finished(f), OK);
	memset(f->before + 512, 0x77, length);
	assert_true(disk_untouched(f));
	/* The same for sectors that no memory comes with. */
	assert_int_equal(driver_get_used(&f->rig.queue[0], &f->used), -1);
	put_header(f, WRITE_ZEROES, 0);
	memcpy(ram(f, DATA), &(u64[2]){ 0, SECTORS }, 16);
	add(f, (const struct driver_piece[]){ { HEADER, 16 }, { DATA, 16 }, { STATUS, 1 } }, 2, 1);
	vr_notify(&f->rig, 0);
	assert_int_equal(*ram(f, STATUS), NO_STATUS);
	for (unsigned i = 0; i < 4; i++)
		vr_pass(&f->rig, VR_TICKS);
	assert_int_equal(finished(f), OK);
	memset(f->before, 0, DISK_SIZE);
	assert_true(disk_untouched(f));
}

static void many_requests_share_a_turn(void **state)
{
	struct fixture *f = *state;
	u64 moved = 0;

	start(f);
	put_header(f, IN, 1);
	for (unsigned i = 0; i < 6; i++) {
		struct driver_piece pieces[18] = { { HEADER, 16 } };

		for (unsigned j = 1; j <= 16; j++)
			pieces[j] = (struct driver_piece){ DATA, DATA_SIZE };
		pieces[17] = (struct driver_piece){ STATUS, 1 };
		add(f, pieces, 1, 17);
	}
	vr_notify(&f->rig, 0);
	for (unsigned turns = 0; turns < 3; turns++) {
		assert_in_range(f->blk.bytes_read - moved, VIRTIO_SHARE / 2, VIRTIO_SHARE + 512);
		moved = f->blk.bytes_read;
		assert_in_range(moved, 1, 6 * 16 * DATA_SIZE - 1);
		vr_pass(&f->rig, VR_TICKS);
	}
	assert_int_equal(f->blk.bytes_read, 6 * 16 * DATA_SIZE);
}

/* What was read of a request when it came is what counts. */
static void a_request_cannot_be_changed_while_it_is_done(void **state)
{
	struct fixture *f = *state;

	start(f);
	add_long(f, IN);
	vr_notify(&f->rig, 0);
	put_header(f, OUT, SECTORS);
	driver_put_desc(&f->rig.queue[0], VR_RINGS(0), 50, 1 * MiB, 0xffffffff, 1, 0);
	while (*ram(f, STATUS) == NO_STATUS)
		vr_pass(&f->rig, VR_TICKS);
	assert_int_equal(finished(f), OK);
	assert_true(disk_untouched(f));
}

static void a_reset_ends_a_long_request(void **state)
{
	struct fixture *f = *state;
	unsigned messages;
	u64 read;

	start(f);
	add_long(f, IN);
	vr_notify(&f->rig, 0);
	messages = f->rig.pci->messages;
	read = f->blk.bytes_read;
	vr_set(&f->rig, VR_STATUS, 1, 0);
	memset(ram(f, DATA), 0xaa, DATA_SIZE);
	vr_pass(&f->rig, 10 * VR_TICKS);
	assert_int_equal(f->blk.bytes_read, read);
	assert_int_equal(*ram(f, DATA), 0xaa);
	assert_int_equal(*ram(f, STATUS), NO_STATUS);
	assert_int_equal(f->rig.pci->messages, messages);
	start(f);
	assert_int_equal(request(f, IN, 0, DATA, 512), OK);
	assert_memory_equal(ram(f, DATA), f->before, 512);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity_and_configuration),
		TEST(the_write_cache_can_be_chosen),
		TEST(its_name),
		TEST(what_is_written_is_read_back),
		TEST(a_request_may_be_cut_anywhere),
		TEST(all_that_is_available_is_done_with_one_interrupt),
		TEST(sectors_beyond_the_end_are_refused),
		cmocka_unit_test_setup_teardown(a_disk_ends_with_its_last_whole_sector, setup_odd, teardown),
		TEST(memory_that_is_not_there_is_an_error_of_the_request),
		TEST(requests_without_header_or_status_are_no_requests),
		TEST(other_requests_are_not_supported),
		TEST(sectors_are_made_zero),
		TEST(ranges_are_checked),
		cmocka_unit_test_setup_teardown(a_readonly_disk_is_never_written, setup_readonly, teardown),
		TEST(a_long_request_is_done_in_pieces),
		TEST(many_requests_share_a_turn),
		TEST(a_request_cannot_be_changed_while_it_is_done),
		TEST(a_reset_ends_a_long_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
