// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/vtd_user.h"

enum { PIECE = 64, FILLING = 0xa7, READ_INTO = EDU_BUFFER + 1024 };

struct vtd_user vtd;
static uint8_t before[SMALL * PAGE];

uint64_t get64(volatile uint8_t *at, unsigned offset)
{
	return *(volatile uint64_t *)(at + offset);
}

void set64(volatile uint8_t *at, unsigned offset, uint64_t value)
{
	*(volatile uint64_t *)(at + offset) = value;
}

volatile uint64_t *entry(unsigned page, unsigned index)
{
	return (volatile uint64_t *)(vtd.arena + (size_t)page * PAGE) + index;
}

/* Behind what the kernel was given, at the next boundary of 2 MiB. */
static uint64_t spare_memory(void)
{
	char text[1024] = "", *at;
	const int file = open("/proc/cmdline", O_RDONLY);

	if (file < 0 || read(file, text, sizeof(text) - 1) < 0 || !(at = strstr(text, " mem=")))
		fail("no mem= for the kernel");
	close(file);
	return strtoull(at + 5, NULL, 10) << 20;
}

void vtd_open(void)
{
	const int table = open("/sys/firmware/acpi/tables/DMAR", O_RDONLY);
	uint8_t width;

	if (table < 0 || pread(table, &width, 1, 36) != 1)
		fail("no DMAR table: %s", strerror(errno));
	close(table);
	vtd.width = width + 1u;
	vtd.base = spare_memory();
	vtd.arena = physical(vtd.base, ARENA * PAGE);
	vtd.registers = physical(0xfed90000, PAGE);
	vtd.cap = get64(vtd.registers, CAP_REG);
	vtd.ecap = get64(vtd.registers, ECAP_REG);
	edu_open();
	vtd_off();
	for (unsigned i = 0; i < SMALL * PAGE; i += 8)
		set64(vtd.arena, i, i * 0x0101010101010101ull ^ 0x5a5a);
	memset((void *)(uintptr_t)(vtd.arena + DATA * PAGE), FILLING, PIECE);
	edu_transfer(PHYSICAL(DATA), EDU_BUFFER, PIECE, 0);
	memset((void *)(uintptr_t)(vtd.arena + DATA * PAGE), 0, PIECE);
}

static void wait_for(uint32_t mask, uint32_t value)
{
	for (unsigned tries = 0; (get32(vtd.registers, GSTS_REG) & mask) != value; tries++) {
		if (tries == 1000)
			fail("GSTS is 0x%x, bits 0x%x should be 0x%x", get32(vtd.registers, GSTS_REG), mask,
			     value);
		usleep(1000);
	}
}

void vtd_command(uint32_t bits)
{
	set32(vtd.registers, GCMD_REG, (get32(vtd.registers, GSTS_REG) & (TE | QIE | IRE | CFI)) | bits);
	wait_for(bits, bits);
}

void vtd_off(void)
{
	/* A queue may be switched off when it has nothing to do. */
	set32(vtd.registers, IQT_REG, get32(vtd.registers, IQH_REG));
	set32(vtd.registers, FSTS_REG, 0xf1);
	set32(vtd.registers, GCMD_REG, 0);
	wait_for(TE | QIE | IRE | CFI, 0);
	set32(vtd.registers, FECTL_REG, 1u << 31);
	set32(vtd.registers, IECTL_REG, 1u << 31);
	set32(vtd.registers, ICS_REG, 1);
	take_records();
	EXPECT(get32(vtd.registers, FSTS_REG) & 0xff, 0);
}

void vtd_invalidate(void)
{
	const unsigned iotlb = (unsigned)(vtd.ecap >> 8 & 0x3ff) * 16 + 8;

	set64(vtd.registers, CCMD_REG, 1ull << 63 | 1ull << 61);
	for (unsigned tries = 0; get64(vtd.registers, CCMD_REG) >> 63; tries++)
		if (tries == 1000000)
			fail("the context command does not end");
	set64(vtd.registers, iotlb, 1ull << 63 | 1ull << 60);
	for (unsigned tries = 0; get64(vtd.registers, iotlb) >> 63; tries++)
		if (tries == 1000000)
			fail("the IOTLB command does not end");
}

void vtd_usual_tables(unsigned levels)
{
	memset((void *)(uintptr_t)vtd.arena, 0, QUEUE * PAGE);
	*entry(ROOT, 0) = PHYSICAL(CONTEXT) | 1;
	*entry(CONTEXT, 2 * EDU_SOURCE_ID) = PHYSICAL(levels == 4 ? L4 : L3) | 1;
	*entry(CONTEXT, 2 * EDU_SOURCE_ID + 1) = 5 << 8 | (levels - 2);
	*entry(L4, 0) = PHYSICAL(L3) | 3;
	*entry(L3, 0) = PHYSICAL(L2) | 3;
	*entry(L2, 0) = PHYSICAL(L1) | 3;
	*entry(L1, WAYS / PAGE) = PHYSICAL(DATA) | 3;
	*entry(L1, WAYS_READ_ONLY / PAGE) = PHYSICAL(DATA_READ_ONLY) | 1;
}

void vtd_on(uint64_t root)
{
	set64(vtd.registers, RTADDR_REG, root);
	vtd_command(SRTP);
	vtd_invalidate();
	vtd_command(TE);
}

struct vtd_record take_records(void)
{
	const unsigned count = (unsigned)(vtd.cap >> 40 & 0xff) + 1,
		       first = (unsigned)(vtd.cap >> 24 & 0x3ff) * 16;
	struct vtd_record seen = { 0 };

	for (unsigned i = 0; i < count; i++) {
		const uint64_t low = get64(vtd.registers, first + 16 * i),
			       high = get64(vtd.registers, first + 16 * i + 8);

		if (!(high >> 63))
			continue;
		seen.count++;
		seen.info = low;
		seen.reason = high >> 32 & 0xff;
		seen.source = high & 0xffff;
		seen.read = high >> 62 & 1;
		set32(vtd.registers, first + 16 * i + 12, 1u << 31);
	}
	set32(vtd.registers, FSTS_REG, PFO);
	return seen;
}

/* ---- requests ---- */

static void go(bool write, uint64_t iova)
{
	memcpy(before, (void *)(uintptr_t)vtd.arena, sizeof(before));
	if (write)
		edu_transfer(EDU_BUFFER, iova, PIECE, EDU_TO_RAM);
	else
		edu_transfer(iova, READ_INTO, PIECE, 0);
}

/* Nothing but `physical` and what follows has changed; 0: nothing at all. */
static void look(const char *what, uint64_t physical)
{
	const volatile uint8_t *now = vtd.arena;

	if (physical) {
		const size_t at = physical - vtd.base;

		for (unsigned i = 0; i < PIECE; i++)
			if (now[at + i] != FILLING)
				fail("%s: byte %u did not arrive at 0x%llx", what, i,
				     (unsigned long long)physical);
		memset(before + at, FILLING, PIECE);
	}
	if (memcmp(before, (void *)(uintptr_t)now, sizeof(before)) == 0)
		return;
	for (size_t i = 0; i < sizeof(before); i++)
		if (now[i] != before[i])
			fail("%s: byte 0x%zx of page %zu of the arena has become 0x%02x", what, i % PAGE,
			     i / PAGE, now[i]);
}

void expect_fault(const char *what, bool write, uint64_t iova, unsigned reason)
{
	go(write, iova);
	const unsigned status = get32(vtd.registers, FSTS_REG);
	const struct vtd_record record = take_records();
	if (record.count != 1 || record.reason != reason || record.read == write ||
	    record.source != EDU_SOURCE_ID || record.info != iova / PAGE * PAGE)
		fail("%s: %u faults, reason 0x%x of %04x at 0x%llx for a %s; expected reason 0x%x at 0x%llx",
		     what, record.count, record.reason, record.source, (unsigned long long)record.info,
		     record.read ? "read" : "write", reason, (unsigned long long)iova);
	EXPECT(status & 0xff, PPF);
	EXPECT(get32(vtd.registers, FSTS_REG) & 0xff, 0);
	look(what, 0);
}

void expect_silence(const char *what, bool write, uint64_t iova)
{
	go(write, iova);
	EXPECT(get32(vtd.registers, FSTS_REG) & 0xff, 0);
	EXPECT(take_records().count, 0);
	look(what, 0);
}

void expect_write(const char *what, uint64_t iova, uint64_t to)
{
	memset((void *)(uintptr_t)(vtd.arena + (to - vtd.base)), 0, PIECE);
	go(true, iova);
	const struct vtd_record record = take_records();
	if (record.count)
		fail("%s: a fault, reason 0x%x at 0x%llx", what, record.reason,
		     (unsigned long long)record.info);
	look(what, to);
}
