// SPDX-License-Identifier: BSD-2-Clause
/*
 * edu in the hands of vfio-pci. Each check takes the device, maps pages of a pool where it wants them, lets the device read and
 * write through its buffer, and compares after each step the whole pool with what it should be: pages that are not mapped are
 * the canaries around those that are. What is denied has to be in Linux' log as one fault: direction, function, address, reason.
 *
 * Linux sets the read permission in all its entries: a mapping that the device may only write can be read too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/guest/edu.h"
#include "tests/guest/faults.h"
#include "tests/guest/poke.h"
#include "tests/guest/vfio.h"

/* QEMU's edu takes a transfer of its last byte for one too large. */
enum { SPAN = EDU_BUFFER_SIZE - 8 };
enum { POOL = 16, IOVA = 0x100000, NO_WRITE = 5, NO_READ = 6 };
enum { NOT_PRESENT = 0x22, COMPATIBILITY_BLOCKED = 0x25, SOURCE_REFUSED = 0x26 };

static struct vfio_function f;
static uint8_t *pool, expected[POOL * PAGE];

static uint8_t *page(unsigned number)
{
	return pool + (size_t)number * PAGE;
}

static void take_edu(void)
{
	char name[16];

	pci_find(name, 0x1234, 0x11e8);
	vfio_open(&f, name);
	edu = f.bar[0];
	if (!edu)
		fail("edu's BAR 0 cannot be mapped");
	EXPECT(get32(edu, EDU_ID), 0x010000ed);
	pool = mmap(NULL, sizeof(expected), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (pool == MAP_FAILED)
		fail("no memory");
	for (size_t i = 0; i < sizeof(expected); i++)
		pool[i] = (uint8_t)(i * 31 + i / PAGE * 7 + 1);
	memcpy(expected, pool, sizeof(expected));
}

/* The pool is what it should be, every byte of it. */
static void untouched(const char *after)
{
	for (size_t i = 0; i < sizeof(expected); i++)
		if (pool[i] != expected[i])
			fail("after %s: byte 0x%zx of page %zu is 0x%02x, expected 0x%02x", after, i % PAGE,
			     i / PAGE, pool[i], expected[i]);
}

/* The device's buffer is filled by way of a mapping of its own, far away from those that are looked at. */
static void fill_buffer(uint8_t value)
{
	static uint8_t source[PAGE] __attribute__((aligned(PAGE)));

	memset(source, value, PAGE);
	vfio_map(&f, source, 0x8000000, PAGE, VFIO_READ);
	edu_transfer(0x8000000, EDU_BUFFER, SPAN, 0);
	vfio_unmap(&f, 0x8000000, PAGE);
}

static void look_at_buffer(uint8_t copy[PAGE])
{
	static uint8_t target[PAGE] __attribute__((aligned(PAGE)));

	vfio_map(&f, target, 0x9000000, PAGE, VFIO_READ | VFIO_WRITE);
	edu_transfer(EDU_BUFFER, 0x9000000, SPAN, EDU_TO_RAM);
	vfio_unmap(&f, 0x9000000, PAGE);
	memcpy(copy, target, PAGE);
}

/* Bytes from.. of what the device has read are what a read gives that was denied. */
static void denied(const uint8_t *buffer, unsigned from, unsigned to)
{
	/* The device sees ones; QEMU's edu, with which these checks can be checked, zeros: "denied=0". */
	const char *other = getenv("denied");
	const uint8_t want = other ? (uint8_t)strtoul(other, NULL, 0) : 0xff;

	for (unsigned i = from; i < to; i++)
		if (buffer[i] != want)
			fail("byte %u of what the device was denied is 0x%02x", i, buffer[i]);
}

/* ---- checks ---- */

/* Two pages that are not together in memory, and in the other order, are together for the device. */
static void mapped(void)
{
	uint8_t got[PAGE];

	faults_begin();
	vfio_map(&f, page(9), IOVA, PAGE, VFIO_READ | VFIO_WRITE);
	vfio_map(&f, page(3), IOVA + PAGE, PAGE, VFIO_READ | VFIO_WRITE);
	edu_transfer(IOVA + 96, EDU_BUFFER, SPAN, 0);
	look_at_buffer(got);
	if (memcmp(got, page(9) + 96, PAGE - 96) != 0 ||
	    memcmp(got + PAGE - 96, page(3), 96 - (PAGE - SPAN)) != 0)
		fail("the device read something else than the two pages");
	fill_buffer(0xa5);
	untouched("reads");
	edu_transfer(EDU_BUFFER, IOVA + PAGE - 100, 300, EDU_TO_RAM);
	memset(expected + 10 * PAGE - 100, 0xa5, 100);
	memset(expected + 3 * PAGE, 0xa5, 200);
	untouched("a write of 300 bytes over the boundary");
	edu_transfer(EDU_BUFFER, IOVA, SPAN, EDU_TO_RAM);
	memset(expected + 9 * PAGE, 0xa5, SPAN);
	untouched("a write of a page");
	edu_transfer(EDU_BUFFER + SPAN - 1, IOVA + 2 * PAGE - 1, 1, EDU_TO_RAM);
	expected[4 * PAGE - 1] = 0xa5;
	untouched("a write of a byte");
	faults_expect_none();
}

static void unmapped(void)
{
	uint8_t got[PAGE];

	fill_buffer(0xa5);
	faults_begin();
	edu_transfer(IOVA + 0x40, EDU_BUFFER, 256, 0);
	faults_expect('R', f.requester, IOVA, NO_READ);
	look_at_buffer(got);
	denied(got, 0, 256);
	for (unsigned i = 256; i < SPAN; i++)
		EXPECT(got[i], 0xa5);
	faults_begin();
	edu_transfer(EDU_BUFFER, IOVA + 0x80, 256, EDU_TO_RAM);
	faults_expect('W', f.requester, IOVA, NO_WRITE);
	untouched("denied transfers");
}

/* The physical address of a page of the pool is an address that is not mapped, as any other. */
static void physical_address(void)
{
	const int map = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	for (unsigned i = 0; i < POOL; i++) {
		if (pread(map, &entry, sizeof(entry), (off_t)((uintptr_t)page(i) / PAGE * 8)) !=
		    sizeof(entry))
			fail("no pagemap: %s", strerror(errno));
		entry = (entry & ((1ull << 55) - 1)) * PAGE;
		if (entry && entry < 0x10000000) /* edu drives 28 bits */
			break;
	}
	close(map);
	fill_buffer(0x5a);
	faults_begin();
	edu_transfer(EDU_BUFFER, entry, SPAN, EDU_TO_RAM);
	faults_expect('W', f.requester, entry, NO_WRITE);
	untouched("a write to a guest-physical address");
}

static void read_only(void)
{
	uint8_t got[PAGE];

	vfio_map(&f, page(5), IOVA, PAGE, VFIO_READ);
	fill_buffer(0x11);
	faults_begin();
	edu_transfer(EDU_BUFFER, IOVA + 16, 64, EDU_TO_RAM);
	faults_expect('W', f.requester, IOVA, NO_WRITE);
	untouched("a write to what is read-only");
	faults_begin();
	edu_transfer(IOVA, EDU_BUFFER, SPAN, 0);
	faults_expect_none();
	look_at_buffer(got);
	if (memcmp(got, page(5), SPAN) != 0)
		fail("the device read something else than the page");
}

static void write_only(void)
{
	uint8_t got[PAGE];

	vfio_map(&f, page(5), IOVA, PAGE, VFIO_WRITE);
	faults_begin();
	edu_transfer(IOVA, EDU_BUFFER, SPAN, 0); /* see above */
	look_at_buffer(got);
	if (memcmp(got, page(5), SPAN) != 0)
		fail("the device read something else than the page");
	fill_buffer(0x22);
	edu_transfer(EDU_BUFFER, IOVA + 8, 8, EDU_TO_RAM);
	memset(expected + 5 * PAGE + 8, 0x22, 8);
	untouched("a write of 8 bytes");
	faults_expect_none();
}

/* From a mapped page into one that is not: all bytes before the boundary, none behind it. */
static void across(void)
{
	uint8_t got[PAGE];

	vfio_map(&f, page(5), IOVA, PAGE, VFIO_READ | VFIO_WRITE);
	fill_buffer(0x33);
	faults_begin();
	edu_transfer(EDU_BUFFER, IOVA + PAGE - 24, 64, EDU_TO_RAM);
	faults_expect('W', f.requester, IOVA + PAGE, NO_WRITE);
	memset(expected + 6 * PAGE - 24, 0x33, 24);
	untouched("a write across");
	faults_begin();
	edu_transfer(IOVA + PAGE - 24, EDU_BUFFER, 64, 0);
	faults_expect('R', f.requester, IOVA + PAGE, NO_READ);
	look_at_buffer(got);
	EXPECT(memcmp(got, page(6) - 24, 24), 0);
	denied(got, 24, 64);
	EXPECT(got[64], 0x33);
	/* The same at the lower end: the first page is denied, and with it this transfer. */
	faults_begin();
	edu_transfer(EDU_BUFFER, IOVA - 64, 64, EDU_TO_RAM);
	faults_expect('W', f.requester, IOVA - PAGE, NO_WRITE);
	untouched("a write in front of it");
}

/* What the unit has remembered is gone when the mapping is; a new mapping is seen at once, also of another page. */
static void after_unmap(void)
{
	vfio_map(&f, page(5), IOVA, PAGE, VFIO_READ | VFIO_WRITE);
	fill_buffer(0x44);
	edu_transfer(EDU_BUFFER, IOVA, SPAN, EDU_TO_RAM);
	memset(expected + 5 * PAGE, 0x44, SPAN);
	untouched("a write");
	vfio_unmap(&f, IOVA, PAGE);
	fill_buffer(0x55);
	faults_begin();
	edu_transfer(EDU_BUFFER, IOVA, SPAN, EDU_TO_RAM);
	faults_expect('W', f.requester, IOVA, NO_WRITE);
	untouched("a write after unmap");
	faults_begin();
	vfio_map(&f, page(8), IOVA, PAGE, VFIO_READ | VFIO_WRITE);
	edu_transfer(EDU_BUFFER, IOVA, SPAN, EDU_TO_RAM);
	memset(expected + 8 * PAGE, 0x55, SPAN);
	untouched("a write after mapping another page");
	vfio_unmap(&f, IOVA, PAGE);
	vfio_map(&f, page(8), IOVA, PAGE, VFIO_READ);
	fill_buffer(0x66);
	edu_transfer(EDU_BUFFER, IOVA, SPAN, EDU_TO_RAM);
	faults_expect('W', f.requester, IOVA, NO_WRITE);
	untouched("a write after mapping it read-only");
}

/* A large page, and the end of a large mapping. */
static void large(void)
{
	enum { SIZE = 4 << 20 };
	uint8_t *space = mmap(NULL, 2 * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (space == MAP_FAILED)
		fail("no memory");
	space += SIZE - (uintptr_t)space % SIZE;
	madvise(space, SIZE, MADV_HUGEPAGE);
	memset(space, 1, SIZE);
	vfio_map(&f, space, SIZE, SIZE, VFIO_READ | VFIO_WRITE);
	fill_buffer(2);
	faults_begin();
	for (unsigned at = 0; at < SIZE; at += SIZE / 8)
		edu_transfer(EDU_BUFFER, SIZE + at + 64, 64, EDU_TO_RAM);
	edu_transfer(EDU_BUFFER, 2 * SIZE - 64, 128, EDU_TO_RAM);
	faults_expect('W', f.requester, 2 * SIZE, NO_WRITE);
	for (unsigned i = 0; i < SIZE; i++) {
		const unsigned at = i % (SIZE / 8);

		EXPECT(space[i], (at >= 64 && at < 128) || i >= SIZE - 64 ? 2 : 1);
	}
}

/* Every interrupt that the device raises arrives at the eventfd, once. */
static void message(void)
{
	const int event = vfio_interrupt(&f, false);

	faults_begin();
	EXPECT(vfio_interrupts(event, 0), 0);
	for (unsigned i = 0; i < 5; i++) {
		set32(edu, EDU_RAISE, 1);
		set32(edu, EDU_ACKNOWLEDGE, 1);
		EXPECT(vfio_interrupts(event, 1), 1);
	}
	vfio_map(&f, page(5), IOVA, PAGE, VFIO_READ);
	edu_transfer(IOVA, EDU_BUFFER, SPAN, EDU_TELL);
	EXPECT(vfio_interrupts(event, 1), 1);
	EXPECT(get32(edu, EDU_INTERRUPTS), 0x100);
	set32(edu, EDU_ACKNOWLEDGE, 0x100);
	set32(edu, EDU_STATUS, EDU_TELL_FACTORIAL);
	set32(edu, EDU_FACTORIAL, 5);
	edu_wait(EDU_STATUS, EDU_BUSY);
	EXPECT(get32(edu, EDU_FACTORIAL), 120);
	EXPECT(vfio_interrupts(event, 1), 1);
	set32(edu, EDU_ACKNOWLEDGE, 1);
	set32(edu, EDU_STATUS, 0);
	faults_expect_none();
}

/* Sends what a process wrote behind vfio's back into the message registers. */
static void forge(int config, unsigned msi, uint32_t address, uint16_t data)
{
	if (pwrite(config, &address, 4, msi + 4) != 4 || pwrite(config, &data, 2, msi + 12) != 2)
		fail("cannot write the MSI registers: %s", strerror(errno));
	set32(edu, EDU_RAISE, 1);
	set32(edu, EDU_ACKNOWLEDGE, 1);
}

/* Messages that the device was not given: one that names a vector itself, one of another function's. Both blocked. */
static void forged_message(void)
{
	enum { RESCHEDULE = 0xfd, REMAPPABLE = 0xfee00010, SUBHANDLE = 8 };
	char path[64];
	uint32_t address;
	uint16_t data;
	unsigned msi = 0;
	const int event = vfio_interrupt(&f, false);

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", f.name);
	const int config = open(path, O_RDWR);
	for (msi = vfio_config_read(&f, 0x34, 1); msi && vfio_config_read(&f, msi, 1) != 5;)
		msi = vfio_config_read(&f, msi + 1, 1);
	if (config < 0 || !msi || pread(config, &address, 4, msi + 4) != 4 ||
	    pread(config, &data, 2, msi + 12) != 2)
		fail("no MSI registers: %s", strerror(errno));
	EXPECT(address & REMAPPABLE, REMAPPABLE); /* as the kernel has set it up */
	const unsigned handle = (address >> 5 & 0x7fff) | (address & 4) << 13;
	const unsigned long reschedule = interrupts("RES");

	faults_begin();
	forge(config, msi, 0xfee00000, RESCHEDULE);
	faults_expect('I', f.requester, 0, COMPATIBILITY_BLOCKED);
	/* The first entries are those of the IOAPIC, as far as they are in use. */
	struct dmar_fault fault = { 0 };
	for (unsigned index = 0; index < handle && fault.reason != SOURCE_REFUSED; index++) {
		faults_begin();
		forge(config, msi, REMAPPABLE | SUBHANDLE | index << 5, 0);
		if (faults_read(&fault, 1) != 1 || fault.kind != 'I' || fault.requester != f.requester ||
		    fault.address != index || (fault.reason != SOURCE_REFUSED && fault.reason != NOT_PRESENT))
			fail("a message for entry %u: fault %c of %04x, index 0x%llx, reason 0x%x", index,
			     fault.kind, fault.requester, (unsigned long long)fault.address, fault.reason);
	}
	EXPECT(fault.reason, SOURCE_REFUSED);
	EXPECT(interrupts("RES"), reschedule);
	EXPECT(vfio_interrupts(event, 0), 0);
	/* What it was given works. */
	forge(config, msi, address, data);
	EXPECT(vfio_interrupts(event, 1), 1);
}

bool vfio_check(const char *name)
{
	static const struct {
		const char *name;
		void (*check)(void);
	} checks[] = {
		{ "vfio-mapped", mapped },
		{ "vfio-unmapped", unmapped },
		{ "vfio-physical", physical_address },
		{ "vfio-read-only", read_only },
		{ "vfio-write-only", write_only },
		{ "vfio-across", across },
		{ "vfio-after-unmap", after_unmap },
		{ "vfio-large", large },
		{ "vfio-message", message },
		{ "vfio-forged-message", forged_message },
	};

	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strcmp(name, checks[i].name) == 0) {
			take_edu();
			checks[i].check();
			vfio_close(&f);
			return true;
		}
	}
	return false;
}
