// SPDX-License-Identifier: BSD-2-Clause
/*
 * The edu device has no driver in Debian's kernel: its registers are reached through sysfs and /dev/mem, and guest-physical
 * addresses for DMA come from /proc/self/pagemap.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/guest/edu.h"
#include "tests/guest/poke.h"

#define EDU "/sys/bus/pci/devices/0000:00:04.0/"

enum { PCI_COMMAND = 4, PCI_STATUS = 6, PCI_BAR0 = 0x10, PCI_CAPABILITIES = 0x34 };
enum { MEMORY = 2, MASTER = 4, INTX_DISABLE = 0x400, INTX_STATUS = 8 };

static int config_file;
volatile uint8_t *edu;

/* ---- configuration space and registers ---- */

uint32_t edu_config_read(unsigned offset, unsigned size)
{
	uint32_t value = 0;

	if (pread(config_file, &value, size, offset) != (ssize_t)size)
		fail("cannot read configuration space at 0x%x: %s", offset, strerror(errno));
	return value;
}

void edu_config_write(unsigned offset, unsigned size, uint32_t value)
{
	if (pwrite(config_file, &value, size, offset) != (ssize_t)size)
		fail("cannot write configuration space at 0x%x: %s", offset, strerror(errno));
}

static void set64(volatile uint8_t *registers, unsigned offset, uint64_t value)
{
	*(volatile uint64_t *)(registers + offset) = value;
}

void edu_open(void)
{
	const int enable = open(EDU "enable", O_WRONLY);
	const int resource = open(EDU "resource0", O_RDWR | O_SYNC);
	void *at;

	config_file = open(EDU "config", O_RDWR);
	if (enable < 0 || resource < 0 || config_file < 0)
		fail("no edu device in sysfs: %s", strerror(errno));
	if (write(enable, "1", 1) != 1)
		fail("the kernel could not enable edu: %s", strerror(errno));
	close(enable);
	edu_config_write(PCI_COMMAND, 2, edu_config_read(PCI_COMMAND, 2) | MEMORY | MASTER);
	at = mmap(NULL, EDU_BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, resource, 0);
	if (at == MAP_FAILED)
		fail("cannot map " EDU "resource0: %s", strerror(errno));
	edu = at;
}

void edu_wait(unsigned offset, uint32_t bit)
{
	for (unsigned tries = 0; get32(edu, offset) & bit; tries++) {
		if (tries == 1000)
			fail("register 0x%x still has bit 0x%x set after a second", offset, bit);
		usleep(1000);
	}
}

static void edu_registers(void)
{
	edu_open();
	EXPECT(get32(edu, EDU_ID), 0x010000ed);
	for (uint32_t value = 1; value; value <<= 7) {
		set32(edu, EDU_LIVENESS, value);
		EXPECT(get32(edu, EDU_LIVENESS), (uint32_t)~value);
	}
	set32(edu, EDU_FACTORIAL, 12);
	edu_wait(EDU_STATUS, 1);
	EXPECT(get32(edu, EDU_FACTORIAL), 479001600);
	set64(edu, EDU_SOURCE, 0x123456789abcdef0);
	EXPECT(*(volatile uint64_t *)(edu + EDU_SOURCE), 0x123456789abcdef0);
	/* Widths that the device does not decode, an offset without a register, the end of the BAR. */
	EXPECT(edu[EDU_ID], 0xff);
	EXPECT(*(volatile uint16_t *)(edu + EDU_ID), 0xffff);
	EXPECT(*(volatile uint64_t *)(edu + EDU_ID), ~0ull);
	EXPECT(get32(edu, 0x40), ~0u);
	EXPECT(get32(edu, EDU_BUFFER), ~0u);
	EXPECT(get32(edu, EDU_BAR_SIZE - 4), ~0u);
}

/* ---- PCI ---- */

static void edu_command(void)
{
	edu_open();
	const uint32_t before = edu_config_read(PCI_COMMAND, 2);

	EXPECT(before & (MEMORY | MASTER), MEMORY | MASTER);
	/* Implemented: I/O, memory, bus master, parity, SERR, INTx disable. */
	edu_config_write(PCI_COMMAND, 2, 0xffff);
	EXPECT(edu_config_read(PCI_COMMAND, 2), 0x547);
	edu_config_write(PCI_COMMAND, 2, 0);
	EXPECT(edu_config_read(PCI_COMMAND, 2), 0);
	edu_config_write(PCI_COMMAND, 2, before);
	/* Read-only: identity, class, header type. */
	edu_config_write(0, 4, 0);
	edu_config_write(8, 4, 0);
	EXPECT(edu_config_read(0, 4), 0x11e81234);
	EXPECT(edu_config_read(8, 4), 0x00ff0010);
	EXPECT(edu_config_read(0xe, 1), 0);
}

static void edu_bar_size(void)
{
	edu_open();
	const uint32_t command = edu_config_read(PCI_COMMAND, 2), bar = edu_config_read(PCI_BAR0, 4);

	edu_config_write(PCI_COMMAND, 2, command & ~MEMORY);
	edu_config_write(PCI_BAR0, 4, ~0u);
	const uint32_t size = edu_config_read(PCI_BAR0, 4);
	edu_config_write(PCI_BAR0, 4, bar);
	edu_config_write(PCI_COMMAND, 2, command);
	EXPECT(size, 0u - EDU_BAR_SIZE);
	EXPECT(get32(edu, EDU_ID), 0x010000ed);
}

static void edu_no_decode(void)
{
	edu_open();
	const uint32_t command = edu_config_read(PCI_COMMAND, 2);

	set32(edu, EDU_LIVENESS, 5);
	edu_config_write(PCI_COMMAND, 2, command & ~MEMORY);
	const uint32_t off = get32(edu, EDU_ID);
	set32(edu, EDU_LIVENESS, 6);
	edu_config_write(PCI_COMMAND, 2, command);
	EXPECT(off, ~0u);
	EXPECT(get32(edu, EDU_ID), 0x010000ed);
	EXPECT(get32(edu, EDU_LIVENESS), (uint32_t)~5u);
}

static void move_bar(uint32_t to)
{
	const uint32_t command = edu_config_read(PCI_COMMAND, 2);

	edu_config_write(PCI_COMMAND, 2, command & ~MEMORY);
	edu_config_write(PCI_BAR0, 4, to);
	edu_config_write(PCI_COMMAND, 2, command);
	EXPECT(edu_config_read(PCI_BAR0, 4), to);
}

static void edu_move(void)
{
	static const uint32_t to[] = { 0xd0000000, 0xfeb00000 };

	edu_open();
	const uint32_t home = edu_config_read(PCI_BAR0, 4);

	set32(edu, EDU_LIVENESS, 7);
	for (unsigned i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		volatile uint8_t *there = physical(to[i], PAGE);

		EXPECT(get32(there, EDU_ID), ~0u);
		move_bar(to[i]);
		EXPECT(get32(there, EDU_ID), 0x010000ed);
		EXPECT(get32(there, EDU_LIVENESS), (uint32_t)~7u);
		EXPECT(get32(edu, EDU_ID), ~0u);
		move_bar(home);
		EXPECT(get32(there, EDU_ID), ~0u);
		EXPECT(get32(edu, EDU_ID), 0x010000ed);
	}
}

/* ---- DMA ---- */

/* `pages` pages that lie together in guest RAM, and where. */
static uint8_t *contiguous(unsigned pages, uint64_t *address)
{
	enum { POOL = 1024 };
	const int map = open("/proc/self/pagemap", O_RDONLY);
	uint8_t *pool = mmap(NULL, POOL * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	static uint64_t entry[POOL];

	if (pool == MAP_FAILED || map < 0 ||
	    pread(map, entry, sizeof(entry), (off_t)((uintptr_t)pool / PAGE * 8)) != sizeof(entry))
		fail("no memory for DMA, or no pagemap: %s", strerror(errno));
	close(map);
	for (unsigned first = 0, i = 0; i < POOL; i++) {
		const uint64_t frame = entry[i] & ((1ull << 55) - 1);

		if (frame != (entry[first] & ((1ull << 55) - 1)) + (i - first))
			first = i;
		if (i - first + 1 == pages) {
			*address = (frame - (pages - 1)) * PAGE;
			return pool + first * PAGE;
		}
	}
	fail("no %u pages of 1024 lie together", pages);
}

void edu_transfer(uint64_t source, uint64_t destination, uint32_t count, uint32_t direction)
{
	set64(edu, EDU_SOURCE, source);
	set64(edu, EDU_DESTINATION, destination);
	set32(edu, EDU_COUNT, count);
	set32(edu, EDU_COMMAND, EDU_RUN | direction);
	edu_wait(EDU_COMMAND, EDU_RUN);
}

static void fill(uint8_t *at, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(seed + i * 7 + i / 256);
}

/* EDU_COUNT bytes at OFFSET of two pages into the device at INNER, and back elsewhere: all of it, and not a byte more. */
static void edu_dma(unsigned count, unsigned offset, unsigned inner)
{
	enum { SPACE = 3 * PAGE };
	uint64_t address;
	static uint8_t expected[2 * SPACE];

	edu_open();
	uint8_t *from = contiguous(6, &address), *to = from + SPACE;
	fill(from, SPACE, count + 1);
	memset(to, 0x5a, SPACE);
	memcpy(expected, from, sizeof(expected));
	memcpy(expected + SPACE + offset, from + offset, count);
	edu_transfer(address + offset, EDU_BUFFER + inner, count, 0);
	edu_transfer(EDU_BUFFER + inner, address + SPACE + offset, count, EDU_TO_RAM);
	for (unsigned i = 0; i < sizeof(expected); i++)
		if (from[i] != expected[i])
			fail("%u bytes at 0x%llx by way of 0x%x: byte %d is 0x%02x, expected 0x%02x", count,
			     (unsigned long long)address + offset, EDU_BUFFER + inner,
			     (int)i - SPACE - (int)offset, from[i], expected[i]);
}

/*
 * The device reads a page at ADDRESS, of which only the first ALLOWED bytes may be read: the others are ones, not what its
 * buffer held before. In RAM, which is not the process's, zeros are expected there.
 */
static void edu_denied_read(uint64_t denied, unsigned allowed)
{
	uint64_t address;

	edu_open();
	uint8_t *page = contiguous(1, &address);
	memset(page, 0x77, PAGE);
	edu_transfer(address, EDU_BUFFER, EDU_BUFFER_SIZE, 0);
	printf("# denied: read %llx\n", (unsigned long long)denied + allowed);
	edu_transfer(denied, EDU_BUFFER, EDU_BUFFER_SIZE, 0);
	edu_transfer(EDU_BUFFER, address, EDU_BUFFER_SIZE, EDU_TO_RAM);
	for (unsigned i = 0; i < PAGE; i++)
		if (page[i] != (i < allowed ? 0 : 0xff))
			fail("byte %u of what was read at 0x%llx is 0x%02x", i, (unsigned long long)denied,
			     page[i]);
}

/* The device writes at ADDRESS. The CPU finds there what was there before, where the kernel lets a process look. */
static void edu_denied_write(uint64_t denied)
{
	uint64_t address;

	edu_open();
	uint8_t *page = contiguous(1, &address);
	void *target = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open_memory(),
			    (off_t)(denied & ~(uint64_t)(PAGE - 1)));
	const uint32_t before = target == MAP_FAILED ? 0 : get32(target, denied % PAGE);
	memset(page, 0x3c, PAGE);
	edu_transfer(address, EDU_BUFFER, EDU_BUFFER_SIZE, 0);
	printf("# denied: write %llx\n", (unsigned long long)denied & 0xfffffff);
	edu_transfer(EDU_BUFFER, denied, 4, EDU_TO_RAM);
	if (target != MAP_FAILED)
		EXPECT(get32(target, denied % PAGE), before);
}

/* Its own registers: a device that reached them could be made to start itself. */
static void edu_denied_self(void)
{
	edu_open();
	const uint32_t home = edu_config_read(PCI_BAR0, 4);

	move_bar(0xfd000000);
	set32(physical(0xfd000000, PAGE), EDU_LIVENESS, 9);
	edu = physical(0xfd000000, EDU_BAR_SIZE);
	printf("# denied: write %x\n", 0xd000000 + EDU_LIVENESS);
	edu_transfer(EDU_BUFFER, 0xfd000000 + EDU_LIVENESS, 4, EDU_TO_RAM);
	const uint32_t liveness = get32(edu, EDU_LIVENESS);
	move_bar(home);
	EXPECT(liveness, (uint32_t)~9u);
}

static void edu_no_master(void)
{
	uint64_t address;

	edu_open();
	const uint32_t command = edu_config_read(PCI_COMMAND, 2);
	uint8_t *page = contiguous(1, &address);
	memset(page, 0x11, PAGE);
	edu_transfer(address, EDU_BUFFER, EDU_BUFFER_SIZE, 0);
	edu_config_write(PCI_COMMAND, 2, command & ~MASTER);
	memset(page, 0x22, PAGE);
	edu_transfer(EDU_BUFFER, address, EDU_BUFFER_SIZE, EDU_TO_RAM);
	edu_config_write(PCI_COMMAND, 2, command);
	for (unsigned i = 0; i < PAGE; i++)
		EXPECT(page[i], 0x22);
}

/* ---- interrupts ---- */

static void edu_intx(void)
{
	edu_open();
	const uint32_t command = edu_config_read(PCI_COMMAND, 2);

	EXPECT(edu_config_read(0x3d, 1), 1);
	edu_config_write(PCI_COMMAND, 2, command | INTX_DISABLE); /* nobody serves the line */
	EXPECT(edu_config_read(PCI_STATUS, 2) & INTX_STATUS, 0);
	set32(edu, EDU_RAISE, 0x21);
	EXPECT(get32(edu, EDU_INTERRUPTS), 0x21);
	EXPECT(edu_config_read(PCI_STATUS, 2) & INTX_STATUS, INTX_STATUS);
	set32(edu, EDU_ACKNOWLEDGE, 0x20);
	EXPECT(edu_config_read(PCI_STATUS, 2) & INTX_STATUS, INTX_STATUS);
	set32(edu, EDU_ACKNOWLEDGE, 0x01);
	EXPECT(edu_config_read(PCI_STATUS, 2) & INTX_STATUS, 0);
	EXPECT(get32(edu, EDU_INTERRUPTS), 0);
	edu_config_write(PCI_COMMAND, 2, command);
}

/*
 * A message with the vector of "rescheduling interrupts", which a kernel with one CPU never sends to itself, and which do
 * nothing but be counted.
 */
static void edu_msi(void)
{
	enum { RESCHEDULE = 0xfd, ENABLE = 1, WIDE = 0x80 };
	const uint32_t command = (edu_open(), edu_config_read(PCI_COMMAND, 2));
	unsigned msi = edu_config_read(PCI_CAPABILITIES, 1);

	while (msi && edu_config_read(msi, 1) != 5)
		msi = edu_config_read(msi + 1, 1);
	if (!msi)
		fail("no MSI capability");
	EXPECT(edu_config_read(msi + 2, 2), WIDE);
	edu_config_write(msi + 4, 4, 0xfee00000);
	edu_config_write(msi + 8, 4, 0);
	edu_config_write(msi + 12, 2, RESCHEDULE);
	const unsigned long before = interrupts("RES");
	edu_config_write(msi + 2, 2, WIDE | ENABLE);
	set32(edu, EDU_RAISE, 1);
	const unsigned long once = interrupts("RES");
	EXPECT(edu_config_read(PCI_STATUS, 2) & INTX_STATUS, 0);
	set32(edu, EDU_ACKNOWLEDGE, 1);
	/* Messages are writes to memory: without bus mastering there are none. */
	edu_config_write(PCI_COMMAND, 2, command & ~MASTER);
	set32(edu, EDU_RAISE, 1);
	set32(edu, EDU_ACKNOWLEDGE, 1);
	edu_config_write(PCI_COMMAND, 2, command);
	const unsigned long refused = interrupts("RES");
	edu_config_write(msi + 2, 2, WIDE);
	EXPECT(once, before + 1);
	EXPECT(refused, once);
}

bool edu_check(const char *name, const unsigned long argument[3])
{
	static const struct {
		const char *name;
		void (*check)(void);
	} checks[] = {
		{ "edu-registers", edu_registers },
		{ "edu-command", edu_command },
		{ "edu-bar-size", edu_bar_size },
		{ "edu-no-decode", edu_no_decode },
		{ "edu-move", edu_move },
		{ "edu-denied-self", edu_denied_self },
		{ "edu-no-master", edu_no_master },
		{ "edu-intx", edu_intx },
		{ "edu-msi", edu_msi },
	};

	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strcmp(name, checks[i].name) == 0) {
			checks[i].check();
			return true;
		}
	}
	if (strcmp(name, "edu-dma") == 0)
		edu_dma((unsigned)argument[0], (unsigned)argument[1], (unsigned)argument[2]);
	else if (strcmp(name, "edu-denied-read") == 0)
		edu_denied_read(argument[0], (unsigned)argument[1]);
	else if (strcmp(name, "edu-denied-write") == 0)
		edu_denied_write(argument[0]);
	else
		return false;
	return true;
}
