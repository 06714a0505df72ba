// SPDX-License-Identifier: BSD-2-Clause
/*
 * Disks and random numbers, by way of Linux' virtio drivers: a large pattern and its SHA-256; random reads and writes of all
 * sizes, many at once, each verified; the end of a disk, discard and write zeroes, and what stands beside.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/guest/poke.h"
#include "tests/guest/sha256.h"

enum { CHUNK = 256 * 1024, SECTOR = 512 };

static uint8_t chunk[CHUNK] __attribute__((aligned(PAGE)));

static int open_disk(const char *path, int flags)
{
	const int disk = open(path, flags);

	if (disk < 0)
		fail("cannot open %s: %s", path, strerror(errno));
	return disk;
}

/* ---- the pattern ---- */

static void fill(uint64_t *words, size_t count, uint64_t *x)
{
	for (size_t i = 0; i < count; i++) {
		words[i] = *x ^ *x >> 29;
		*x = *x * 6364136223846793005 + 1442695040888963407;
	}
}

/*
 * The whole of a file or disk in memory, so that nothing is copied: under SMAP, Bochs walks all page tables for each
 * byte of that.
 */
static void *map_file(int file, size_t size, int protection)
{
	void *at = mmap(NULL, size, protection, MAP_SHARED, file, 0);

	if (at == MAP_FAILED)
		fail("cannot map 0x%zx bytes: %s", size, strerror(errno));
	return at;
}

/* The same bytes on every machine, to standard output, or over the pages of a disk and down to it. */
static void pattern(size_t size, const char *path)
{
	uint64_t x = 0x5eed;

	if (path) {
		const int to = open_disk(path, O_RDWR);
		uint64_t *words = map_file(to, size, PROT_READ | PROT_WRITE);

		fill(words, size / 8, &x);
		if (msync(words, size, MS_SYNC) != 0 || munmap(words, size) != 0 || fsync(to) != 0)
			fail("cannot sync: %s", strerror(errno));
		return;
	}
	while (size) {
		const size_t now = size < CHUNK ? size : CHUNK;

		fill((uint64_t *)chunk, (now + 7) / 8, &x);
		if (write(STDOUT_FILENO, chunk, now) != (ssize_t)now)
			fail("cannot write: %s", strerror(errno));
		size -= now;
	}
}

static void sha256(const char *path, const char *expected)
{
	const int from = open_disk(path, O_RDONLY);
	const off_t size = lseek(from, 0, SEEK_END);
	struct sha256 sum;
	char digest[65];

	if (size <= 0 || size % 64)
		fail("%s is not whole blocks", path);
	const uint8_t *data = map_file(from, (size_t)size, PROT_READ);
	madvise((void *)data, (size_t)size, MADV_SEQUENTIAL);
	sha256_begin(&sum);
	sha256_blocks(&sum, data, (size_t)size);
	sha256_end(&sum, digest);
	if (strcmp(digest, expected) != 0)
		fail("the SHA-256 of %llu bytes is %s", (unsigned long long)size, digest);
}

/* ---- random access ---- */

enum { REGION = 8 << 20, SECTORS = REGION / SECTOR, DEPTH = 16, LARGEST = 128, OPERATIONS = 1200, PARTS = 4 };

struct operation {
	struct iocb iocb;
	struct iovec part[PARTS];
	uint8_t *buffer;
	unsigned first, count; /* sectors; count 0: not in flight */
	bool write;
};

/* How often each sector was written; 0: not yet, then it is not known what is in it. */
static uint32_t generation[SECTORS];
static struct operation operations[DEPTH];
static unsigned long in_flight, most_in_flight;
static uint64_t dice = 88172645463325252;

static unsigned roll(unsigned sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (unsigned)(dice >> 33) % sides;
}

static void sector_content(uint64_t words[SECTOR / 8], unsigned sector)
{
	uint64_t x = ((uint64_t)generation[sector] << 32 | sector) * 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < SECTOR / 8; i++)
		words[i] = x += 0xd1342543de82ef95;
}

static bool busy(unsigned first, unsigned count)
{
	for (unsigned i = 0; i < DEPTH; i++)
		if (operations[i].count && first < operations[i].first + operations[i].count &&
		    operations[i].first < first + count)
			return true;
	return false;
}

static void submit(aio_context_t context, int disk, struct operation *op)
{
	struct iocb *iocb = &op->iocb;

	do {
		op->count = 1 + roll(2u << roll(7));
		op->first = roll(SECTORS - op->count);
		const unsigned count = op->count;
		op->count = 0;
		if (!busy(op->first, count)) {
			op->count = count;
			break;
		}
	} while (true);
	op->write = roll(2);
	if (op->write) {
		for (unsigned i = 0; i < op->count; i++) {
			generation[op->first + i]++;
			sector_content((uint64_t *)(op->buffer + (size_t)i * SECTOR), op->first + i);
		}
	} else {
		memset(op->buffer, 0xee, (size_t)op->count * SECTOR);
	}
	unsigned parts = 0, done = 0;
	while (done < op->count) {
		const unsigned now = parts == PARTS - 1 ? op->count - done : 1 + roll(op->count - done);

		op->part[parts++] =
			(struct iovec){ op->buffer + (size_t)done * SECTOR, (size_t)now * SECTOR };
		done += now;
	}
	*iocb = (struct iocb){ .aio_data = (uintptr_t)op,
			       .aio_lio_opcode = op->write ? IOCB_CMD_PWRITEV : IOCB_CMD_PREADV,
			       .aio_fildes = (uint32_t)disk,
			       .aio_buf = (uintptr_t)op->part,
			       .aio_nbytes = parts,
			       .aio_offset = (int64_t)op->first * SECTOR };
	if (syscall(SYS_io_submit, context, 1, &iocb) != 1)
		fail("io_submit: %s", strerror(errno));
	if (++in_flight > most_in_flight)
		most_in_flight = in_flight;
}

static void complete(const struct io_event *event)
{
	struct operation *op = (struct operation *)(uintptr_t)event->data;
	uint64_t words[SECTOR / 8];

	if (event->res != (int64_t)op->count * SECTOR)
		fail("%s of %u sectors at %u gave %lld", op->write ? "write" : "read", op->count, op->first,
		     (long long)event->res);
	for (unsigned i = 0; !op->write && i < op->count; i++) {
		if (!generation[op->first + i])
			continue;
		sector_content(words, op->first + i);
		if (memcmp(words, op->buffer + (size_t)i * SECTOR, SECTOR) != 0)
			fail("sector %u, of %u from %u on, is not what was written last", op->first + i,
			     op->count, op->first);
	}
	op->count = 0;
	in_flight--;
}

static void disk_random(const char *path)
{
	const int disk = open_disk(path, O_RDWR | O_DIRECT);
	aio_context_t context = 0;
	struct io_event event[DEPTH];
	unsigned started = 0, written = 0;

	if (syscall(SYS_io_setup, DEPTH, &context) != 0)
		fail("io_setup: %s", strerror(errno));
	for (unsigned i = 0; i < DEPTH; i++)
		operations[i].buffer = mmap(NULL, LARGEST * SECTOR, PROT_READ | PROT_WRITE,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	while (started < OPERATIONS || in_flight) {
		for (unsigned i = 0; i < DEPTH && started < OPERATIONS; i++)
			if (!operations[i].count) {
				submit(context, disk, &operations[i]);
				started++;
			}
		const long count = syscall(SYS_io_getevents, context, 1, DEPTH, event, NULL);
		for (long i = 0; i < count; i++)
			complete(event + i);
		if (started % 256 == 0 && fdatasync(disk) != 0)
			fail("fdatasync: %s", strerror(errno));
	}
	EXPECT(most_in_flight, DEPTH);
	for (unsigned first = 0; first < SECTORS; first += CHUNK / SECTOR) {
		if (pread(disk, chunk, CHUNK, (off_t)first * SECTOR) != CHUNK)
			fail("cannot read: %s", strerror(errno));
		for (unsigned i = 0; i < CHUNK / SECTOR; i++) {
			uint64_t words[SECTOR / 8];

			sector_content(words, first + i);
			if (generation[first + i] &&
			    (written++, memcmp(words, chunk + (size_t)i * SECTOR, SECTOR)) != 0)
				fail("sector %u is not what was written last", first + i);
		}
	}
	printf("# %u operations, at most %lu at once; %u of %u sectors were written\n", started,
	       most_in_flight, written, SECTORS);
}

/* ---- limits ---- */

static void expect_filled(int disk, uint64_t from, uint64_t to, uint8_t value)
{
	for (; from < to; from += PAGE) {
		if (pread(disk, chunk, PAGE, (off_t)from) != PAGE)
			fail("cannot read: %s", strerror(errno));
		for (unsigned i = 0; i < PAGE; i++)
			if (chunk[i] != value)
				fail("byte 0x%llx is 0x%02x, expected 0x%02x", (unsigned long long)from + i,
				     chunk[i], value);
	}
}

static void disk_limits(const char *path)
{
	enum { BASE = 1 << 20 };
	const int disk = open_disk(path, O_RDWR | O_DIRECT);
	uint64_t size, range[2];

	if (ioctl(disk, BLKGETSIZE64, &size) != 0 || size < 2 * BASE)
		fail("the disk has %llu bytes", (unsigned long long)size);
	memset(chunk, 0x77, CHUNK);
	if (pwrite(disk, chunk, CHUNK, BASE) != CHUNK || fsync(disk) != 0)
		fail("cannot write: %s", strerror(errno));
	range[0] = BASE + 2 * PAGE;
	range[1] = 16 * PAGE;
	if (ioctl(disk, BLKZEROOUT, range) != 0)
		fail("write zeroes: %s", strerror(errno));
	expect_filled(disk, BASE, range[0], 0x77);
	expect_filled(disk, range[0], range[0] + range[1], 0);
	expect_filled(disk, range[0] + range[1], BASE + CHUNK, 0x77);
	range[0] += range[1] + PAGE;
	if (ioctl(disk, BLKDISCARD, range) != 0)
		fail("discard: %s", strerror(errno));
	expect_filled(disk, range[0] - PAGE, range[0], 0x77);
	expect_filled(disk, range[0] + range[1], BASE + CHUNK, 0x77);
	/* The last sectors are there, and nothing behind. */
	memset(chunk, 0x78, PAGE);
	if (pwrite(disk, chunk, PAGE, (off_t)(size - PAGE)) != PAGE)
		fail("cannot write the end of the disk: %s", strerror(errno));
	expect_filled(disk, size - PAGE, size, 0x78);
	EXPECT(pread(disk, chunk, PAGE, (off_t)size), 0);
	range[0] = size;
	range[1] = SECTOR;
	if (ioctl(disk, BLKDISCARD, range) == 0)
		fail("could discard behind the end");
}

static void refuses_writes(const char *path)
{
	const int disk = open_disk(path, O_RDONLY), writer = open(path, O_RDWR);
	int read_only = 0;

	if (ioctl(disk, BLKROGET, &read_only) != 0 || !read_only)
		fail("%s is not read-only", path);
	if (pread(disk, chunk, PAGE, 0) != PAGE)
		fail("cannot read %s: %s", path, strerror(errno));
	if (writer >= 0 && pwrite(writer, chunk, PAGE, 0) >= 0)
		fail("%s takes writes", path);
}

/* ---- random numbers ---- */

/* Not a test of their quality: that they are there, in any amount, and not the same again. */
static void random_numbers(const char *path)
{
	const int source = open_disk(path, O_RDONLY);
	size_t got = 0;
	unsigned ones = 0;

	while (got < 8192) {
		const ssize_t now = read(source, chunk + got, got % 3 ? 1000 : 7);

		if (now <= 0)
			fail("cannot read %s: %s", path, strerror(errno));
		got += (size_t)now;
	}
	for (unsigned i = 0; i < 8192; i++)
		ones += (unsigned)__builtin_popcount(chunk[i]);
	if (ones < 32768 - 1024 || ones > 32768 + 1024) /* eight standard deviations */
		fail("%u of 65536 bits are set", ones);
	if (memcmp(chunk, chunk + 4096, 4096) == 0)
		fail("the same again");
}

bool disk_check(const char *name, char **argument)
{
	const char *path = argument[0] ? argument[0] : "", *second = argument[0] ? argument[1] : NULL;

	if (strcmp(name, "pattern") == 0)
		pattern(strtoul(path, NULL, 0), second);
	else if (strcmp(name, "sha256") == 0)
		sha256(path, second ? second : "");
	else if (strcmp(name, "disk-random") == 0)
		disk_random(path);
	else if (strcmp(name, "disk-limits") == 0)
		disk_limits(path);
	else if (strcmp(name, "disk-read-only") == 0)
		refuses_writes(path);
	else if (strcmp(name, "random") == 0)
		random_numbers(path);
	else
		return false;
	return true;
}
