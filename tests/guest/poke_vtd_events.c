// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VT-d unit's queue, faults, messages and registers as no driver uses them. Nothing may hang: each command ends within a
 * second; each error is told in FSTS and can be cleared; what is written for the unit to act on elsewhere than in memory does nothing.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/vtd_user.h"

enum {
	RESCHEDULE = 0xfd,
	DESCRIPTORS = 256,
	DESCRIPTOR = 16,
	WAIT = 5,
	STATUS_WRITE = 0x20,
	INTERRUPT_FLAG = 0x10
};
#define MESSAGE 0xfee00000u

static const uint64_t no_memory[] = { 0xfed90000, 0xfec00000, 0xfee00000, 0xfebff000, 0xb0000000, 0xa0000 };
enum { NO_MEMORY = sizeof(no_memory) / sizeof(no_memory[0]) };

/* ---- the queue ---- */

static void queue_on(uint64_t address)
{
	vtd_off();
	set32(vtd.registers, IQT_REG, 0);
	set64(vtd.registers, IQA_REG, address);
	vtd_command(QIE);
	EXPECT(get32(vtd.registers, IQH_REG), 0);
}

static void put(unsigned page, unsigned index, uint64_t low, uint64_t high)
{
	*entry(page, 2 * index) = low;
	*entry(page, 2 * index + 1) = high;
}

/* A wait descriptor that writes `value` into the first status word. */
static void put_wait(unsigned page, unsigned index, uint32_t value)
{
	put(page, index, (uint64_t)value << 32 | STATUS_WRITE | WAIT, PHYSICAL(STATUS_WORDS));
}

static void tail(unsigned index)
{
	set32(vtd.registers, IQT_REG, index * DESCRIPTOR);
}

static void expect_done(const char *what, unsigned head, uint32_t value)
{
	for (unsigned tries = 0; get32(vtd.registers, IQH_REG) != head * DESCRIPTOR; tries++) {
		if (tries == 1000)
			fail("%s: the head is 0x%x, FSTS 0x%x", what, get32(vtd.registers, IQH_REG),
			     get32(vtd.registers, FSTS_REG));
		usleep(1000);
	}
	EXPECT(get32(vtd.registers, FSTS_REG) & 0xff, 0);
	EXPECT((uint32_t)*entry(STATUS_WORDS, 0), value);
}

/* One good descriptor, one that is wrong, and a good one behind: the head stays at the wrong one until it is put right. */
static void expect_error(const char *what, uint64_t low, uint64_t high)
{
	*entry(STATUS_WORDS, 0) = 0;
	queue_on(PHYSICAL(QUEUE));
	put_wait(QUEUE, 0, 1);
	put(QUEUE, 1, low, high);
	put_wait(QUEUE, 2, 2);
	tail(3);
	if (!(get32(vtd.registers, FSTS_REG) & IQE) || get32(vtd.registers, IQH_REG) != DESCRIPTOR)
		fail("%s: no error, the head is 0x%x", what, get32(vtd.registers, IQH_REG));
	EXPECT((uint32_t)*entry(STATUS_WORDS, 0), 1);
	tail(3);
	EXPECT(get32(vtd.registers, IQH_REG), DESCRIPTOR);
	put_wait(QUEUE, 1, 3);
	set32(vtd.registers, FSTS_REG, IQE);
	tail(3);
	expect_done(what, 3, 2);
}

/* Round and round, in steps that meet the end in every way. */
static void queue_wraps(void)
{
	unsigned at = 0;

	queue_on(PHYSICAL(QUEUE));
	for (unsigned round = 1; round <= 300; round++) {
		const unsigned step = 1 + round * 7 % 60;

		for (unsigned i = 0; i < step; i++)
			put_wait(QUEUE, (at + i) % DESCRIPTORS, round * 1000 + i);
		at = (at + step) % DESCRIPTORS;
		tail(at);
		expect_done("round", at, round * 1000 + step - 1);
	}
}

static void queue_errors(void)
{
	const uint64_t wait = 1ull << 32 | STATUS_WRITE | WAIT, status = PHYSICAL(STATUS_WORDS);
	const uint64_t context = 0x11, iotlb = 0xd2, entries = 4;
	char text[64];

	for (unsigned type = 0; type < 16; type++) {
		if (type == 1 || type == 2 || type == 4 || type == 5)
			continue;
		snprintf(text, sizeof(text), "descriptor type %u", type);
		expect_error(text, type, 0);
	}
	expect_error("context, no granularity", context & ~0x30ull, 0);
	expect_error("IOTLB, no granularity", iotlb & ~0x30ull, 0);
	expect_error("IOTLB, a mask of too many bits", iotlb | 0x30, 63);
	expect_error("context, bit 6", context | 1 << 6, 0);
	expect_error("context, bit 50", context | 1ull << 50, 0);
	expect_error("context, bit 63", context | 1ull << 63, 0);
	expect_error("context, high bit 0", context, 1);
	expect_error("IOTLB, bit 8", iotlb | 1 << 8, 0);
	expect_error("IOTLB, bit 32", iotlb | 1ull << 32, 0);
	expect_error("IOTLB, high bit 7", iotlb | 0x30, 1 << 7);
	expect_error("entries, bit 5", entries | 1 << 5, 0);
	expect_error("entries, bit 63", entries | 1ull << 63, 0);
	expect_error("wait, bit 8", wait | 1 << 8, status);
	expect_error("wait, bit 31", wait | 1u << 31, status);
	expect_error("wait, address bit 0", wait, status | 1);
}

/* A tail that is no place of the queue; more of it than any queue has. */
static void queue_tail(void)
{
	for (unsigned index = DESCRIPTORS; index < 32768; index = index * 3 + 1) {
		queue_on(PHYSICAL(QUEUE));
		for (unsigned i = 0; i < DESCRIPTORS; i++)
			put_wait(QUEUE, i, 1);
		tail(index);
		if (!(get32(vtd.registers, FSTS_REG) & IQE))
			fail("a tail of %u is accepted", index);
		tail(0);
		set32(vtd.registers, FSTS_REG, IQE);
	}
	set32(vtd.registers, IQT_REG, ~0u);
	set32(vtd.registers, FSTS_REG, IQE);
	queue_on(PHYSICAL(QUEUE));
	put_wait(QUEUE, 0, 77);
	tail(1);
	expect_done("a queue after all that", 1, 77);
}

/* Queues where there is no memory, and in the last page that there is. */
static void queue_nowhere(void)
{
	for (unsigned i = 0; i < NO_MEMORY; i++) {
		const uint32_t before = get32(vtd.registers, GSTS_REG);

		queue_on(no_memory[i]);
		tail(1);
		if (!(get32(vtd.registers, FSTS_REG) & IQE))
			fail("a queue at 0x%llx is read", (unsigned long long)no_memory[i]);
		vtd_off();
		EXPECT(get32(vtd.registers, GSTS_REG) & (TE | IRE), before & (TE | IRE));
	}
}

/* Status words that are no memory: nothing is written there, and the queue goes on or tells an error. */
static void queue_status(void)
{
	const uint64_t registers[] = { 0xfed90000 + GCMD_REG,
				       0xfed90000 + RTADDR_REG,
				       0xfec00000,
				       MESSAGE,
				       0xa0000,
				       (edu_config_read(0x10, 4) & ~15ull) + EDU_LIVENESS,
				       ~3ull };
	const unsigned long reschedule = interrupts("RES");

	set32(edu, EDU_LIVENESS, 1);
	for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		queue_on(PHYSICAL(QUEUE));
		const uint64_t root = get64(vtd.registers, RTADDR_REG);

		put(QUEUE, 0, (uint64_t)(TE | RESCHEDULE) << 32 | STATUS_WRITE | WAIT, registers[i]);
		put_wait(QUEUE, 1, 5);
		tail(2);
		if (get32(vtd.registers, FSTS_REG) & IQE)
			EXPECT(get32(vtd.registers, IQH_REG), 0);
		else
			expect_done("a status word that is no memory", 2, 5);
		EXPECT(get32(vtd.registers, GSTS_REG) & (TE | QIE), QIE);
		EXPECT(get64(vtd.registers, RTADDR_REG), root);
		EXPECT(get32(edu, EDU_LIVENESS), ~1u);
	}
	EXPECT(interrupts("RES"), reschedule);
	/* A status word that is the next descriptor: it is read after that. */
	queue_on(PHYSICAL(QUEUE));
	put(QUEUE, 0, (uint64_t)0xf << 32 | STATUS_WRITE | WAIT, PHYSICAL(QUEUE) + DESCRIPTOR);
	put_wait(QUEUE, 1, 6);
	tail(2);
	EXPECT(get32(vtd.registers, FSTS_REG) & IQE, IQE);
	EXPECT(get32(vtd.registers, IQH_REG), DESCRIPTOR);
}

/* The longest queue there can be, full: 32767 invalidations of everything, by one write of the tail. */
static void queue_long(void)
{
	enum { PAGES = 128, ALL = PAGES * DESCRIPTORS };
	struct timespec from, to;

	vtd_off();
	set64(vtd.registers, IQA_REG, PHYSICAL(LONG_QUEUE) | 7);
	for (unsigned i = 0; i < ALL; i++)
		put(LONG_QUEUE, i, 0xd2, 0);
	put_wait(LONG_QUEUE, ALL - 2, 88);
	set32(vtd.registers, IQT_REG, 0);
	vtd_command(QIE);
	clock_gettime(CLOCK_MONOTONIC, &from);
	tail(ALL - 1);
	expect_done("32767 descriptors", ALL - 1, 88);
	clock_gettime(CLOCK_MONOTONIC, &to);
	const double passed = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("# 32767 invalidations took %.3f s\n", passed);
	if (passed > 5) /* Bochs: 30 million instructions in a second */
		fail("they kept the CPU");
}

/* ---- faults and messages ---- */

static void record_overflow(void)
{
	const unsigned records = (unsigned)(vtd.cap >> 40 & 0xff) + 1;

	vtd_usual_tables(3);
	vtd_on(PHYSICAL(ROOT));
	for (unsigned i = 0; i <= records; i++)
		edu_transfer(EDU_BUFFER, WAYS_NONE + i * PAGE, 8, EDU_TO_RAM);
	const uint32_t status = get32(vtd.registers, FSTS_REG);
	EXPECT(status & PPF, PPF);
	const struct vtd_record seen = take_records();
	if (seen.count > records || seen.count == 0)
		fail("%u faults in %u records", seen.count, records);
	/* A unit may leave out what it has a record of the same source for; then nothing overflows. */
	if (seen.count == records && records > 1)
		EXPECT(status & PFO, PFO);
	EXPECT(get32(vtd.registers, FSTS_REG) & 0xff, 0);
	expect_fault("the next one", true, WAYS_NONE, NO_WRITE);
}

static void set_event(unsigned first, uint32_t data)
{
	set32(vtd.registers, first + 4, data);
	set32(vtd.registers, first + 8, MESSAGE);
	set32(vtd.registers, first + 12, 0);
}

static void fault_event(void)
{
	vtd_usual_tables(3);
	vtd_on(PHYSICAL(ROOT));
	set_event(FECTL_REG, RESCHEDULE);
	const unsigned long before = interrupts("RES");
	/* Masked: pending, and sent when the mask goes. */
	edu_transfer(EDU_BUFFER, WAYS_NONE, 8, EDU_TO_RAM);
	EXPECT(get32(vtd.registers, FECTL_REG), 3u << 30);
	EXPECT(interrupts("RES"), before);
	set32(vtd.registers, FECTL_REG, 0);
	EXPECT(interrupts("RES"), before + 1);
	EXPECT(get32(vtd.registers, FECTL_REG), 0);
	/* While a fault is pending there is no second message. */
	edu_transfer(EDU_BUFFER, WAYS_NONE + PAGE, 8, EDU_TO_RAM);
	EXPECT(interrupts("RES"), before + 1);
	take_records();
	edu_transfer(EDU_BUFFER, WAYS_NONE, 8, EDU_TO_RAM);
	EXPECT(interrupts("RES"), before + 2);
	take_records();
	/* The queue's errors are told by the same message, its completions by another. */
	set32(vtd.registers, GCMD_REG, 0);
	set32(vtd.registers, IQT_REG, 0);
	set64(vtd.registers, IQA_REG, PHYSICAL(QUEUE));
	vtd_command(QIE);
	put(QUEUE, 0, 0xf, 0);
	tail(1);
	EXPECT(interrupts("RES"), before + 3);
	vtd_off();
	queue_on(PHYSICAL(QUEUE));
	set_event(IECTL_REG, RESCHEDULE);
	put(QUEUE, 0, INTERRUPT_FLAG | WAIT, 0);
	put(QUEUE, 1, INTERRUPT_FLAG | WAIT, 0);
	tail(1);
	EXPECT(get32(vtd.registers, ICS_REG), 1);
	EXPECT(get32(vtd.registers, IECTL_REG), 3u << 30);
	set32(vtd.registers, IECTL_REG, 0);
	EXPECT(interrupts("RES"), before + 4);
	set32(vtd.registers, ICS_REG, 1);
	EXPECT(get32(vtd.registers, ICS_REG), 0);
	tail(2);
	EXPECT(interrupts("RES"), before + 5);
}

/* ---- interrupt remapping ---- */

static unsigned msi;

static void message(uint32_t address, uint16_t data)
{
	edu_config_write(msi + 4, 4, address);
	edu_config_write(msi + 8, 4, 0);
	edu_config_write(msi + 12, 2, data);
	set32(edu, EDU_RAISE, 1);
	set32(edu, EDU_ACKNOWLEDGE, 1);
}

static void expect_blocked(const char *what, uint32_t address, uint16_t data, unsigned index, unsigned reason)
{
	const unsigned long before = interrupts("RES");

	message(address, data);
	const struct vtd_record record = take_records();
	if (record.count != 1 || record.reason != reason || record.source != EDU_SOURCE_ID ||
	    record.info >> 48 != index)
		fail("%s: %u faults, reason 0x%x, index 0x%llx; expected reason 0x%x", what, record.count,
		     record.reason, (unsigned long long)record.info >> 48, reason);
	if (interrupts("RES") != before)
		fail("%s: it arrived", what);
}

static void expect_message(const char *what, uint32_t address, uint16_t data)
{
	const unsigned long before = interrupts("RES");

	message(address, data);
	if (interrupts("RES") != before + 1 || take_records().count)
		fail("%s: %lu interrupts", what, interrupts("RES") - before);
}

#define HANDLE(index) (MESSAGE | 0x10u | (uint32_t)(index) << 5)

/* Each entry is for edu's vector; the CPU's own devices go on by messages of the old format while CFI allows it. */
static void remapping(void)
{
	const uint64_t good = RESCHEDULE << 16 | 1, verified = 1ull << 18 | EDU_SOURCE_ID;
	enum { ENABLE = 1, WIDE = 0x80, SIZE_256 = 7 };

	if (!(vtd.ecap & 8))
		fail("no interrupt remapping");
	for (msi = edu_config_read(0x34, 1); msi && edu_config_read(msi, 1) != 5;)
		msi = edu_config_read(msi + 1, 1);
	memset((void *)(uintptr_t)entry(ENTRIES, 0), 0, PAGE);
	put(ENTRIES, 0, good, verified);
	put(ENTRIES, 1, good & ~1ull, verified);
	put(ENTRIES, 2, good, verified + 8);
	put(ENTRIES, 3, good | 2, verified + 8);    /* FPD does not hide who asked */
	put(ENTRIES, 4, good, 0);		    /* not verified */
	put(ENTRIES, 5, good, 2ull << 18);	    /* of bus 0 */
	put(ENTRIES, 6, good, 2ull << 18 | 0x0102); /* of buses 1 to 2 */
	put(ENTRIES, 7, good & ~1ull, verified);
	*entry(ENTRIES, 14) |= 2; /* FPD: not present, and not recorded */
	put(ENTRIES, 8, good, 1ull << 18 | 1ull << 16 | (EDU_SOURCE_ID ^ 4)); /* bit 2 is not looked at */
	set64(vtd.registers, IRTA_REG, PHYSICAL(ENTRIES) | SIZE_256);
	vtd_command(SIRTP);
	edu_config_write(msi + 2, 2, WIDE | ENABLE);
	expect_message("before remapping", MESSAGE, RESCHEDULE);
	vtd_command(CFI);
	vtd_command(IRE);
	expect_message("the old format while it is allowed", MESSAGE, RESCHEDULE);
	expect_message("an entry", HANDLE(0), 0);
	expect_message("an entry by handle and subhandle", HANDLE(0) | 8, 4);
	expect_blocked("an entry that is not present", HANDLE(1), 0, 1, ENTRY_NOT_PRESENT);
	expect_blocked("another function's entry", HANDLE(2), 0, 2, SOURCE_REFUSED);
	expect_blocked("a subhandle to it", HANDLE(0) | 8, 2, 2, SOURCE_REFUSED);
	expect_message("an entry for anybody", HANDLE(4), 0);
	expect_message("an entry for bus 0", HANDLE(5), 0);
	expect_blocked("an entry for buses 1 to 2", HANDLE(6), 0, 6, SOURCE_REFUSED);
	expect_message("an entry for two functions", HANDLE(8), 0);
	expect_blocked("an index behind the table", HANDLE(256), 0, 256, INDEX_TOO_LARGE);
	expect_blocked("the last index", HANDLE(0x7fff) | 4, 0, 0xffff, INDEX_TOO_LARGE);
	message(HANDLE(7), 0);
	EXPECT(take_records().count, 0);
	for (unsigned bit = 24; bit < 32; bit++) {
		put(ENTRIES, 0, good | 1ull << bit, verified);
		expect_blocked("a reserved bit of an entry", HANDLE(0), 0, 0, ENTRY_RESERVED);
	}
	for (unsigned bit = 20; bit < 64; bit++) {
		put(ENTRIES, 0, good, verified | 1ull << bit);
		expect_blocked("a reserved high bit of an entry", HANDLE(0), 0, 0, ENTRY_RESERVED);
	}
	/* Without CFI only for as long as nothing else has to be heard. */
	set32(vtd.registers, GCMD_REG, IRE);
	message(MESSAGE, RESCHEDULE);
	set32(vtd.registers, GCMD_REG, IRE | CFI);
	const struct vtd_record record = take_records();
	EXPECT(record.reason, COMPATIBILITY_BLOCKED);
	EXPECT(record.source, EDU_SOURCE_ID);
	for (unsigned i = 0; i < NO_MEMORY; i++) {
		set64(vtd.registers, IRTA_REG, no_memory[i] | SIZE_256);
		vtd_command(SIRTP);
		expect_blocked("a table without memory", HANDLE(0), 0, 0, ENTRY_INACCESSIBLE);
	}
	vtd_off();
	edu_config_write(msi + 2, 2, WIDE);
}

/* ---- registers ---- */

/* All offsets in all widths with anything, but for what would stop this process itself: its own machine's interrupts. */
static void registers(void)
{
	uint64_t x = 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < 20000; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		const unsigned offset = (unsigned)(x >> 40) % (i % 4 ? 0x100 : PAGE),
			       width = 1u << (x >> 60 & 3);
		const unsigned at = offset & ~(width - 1);
		uint64_t value = x & 1 ? x >> 8 : PHYSICAL((x >> 8) % ARENA) | (x >> 4 & 15);

		if ((at + width > FECTL_REG && at <= FEUADDR_REG) ||
		    (at + width > IECTL_REG && at <= IEUADDR_REG))
			continue;
		if (at + width > GCMD_REG && at <= GCMD_REG + 3)
			value &= ~(uint64_t)(IRE | SIRTP) * 0x100000001;
		switch (width) {
		case 1:
			vtd.registers[at] = at == GCMD_REG + 3 ? 0 : (uint8_t)value;
			break;
		case 2:
			*(volatile uint16_t *)(vtd.registers + at) = at == GCMD_REG + 2 ? 0 : (uint16_t)value;
			break;
		case 4:
			set32(vtd.registers, at, (uint32_t)value);
			break;
		default:
			set64(vtd.registers, at, value);
			break;
		}
		(void)(width == 8 ? get64(vtd.registers, at) : get32(vtd.registers, at & ~3u));
		if (i % 16 == 0)
			edu_transfer(EDU_BUFFER, 0x0ff00000, 64,
				     EDU_TO_RAM); /* no memory, whatever tables say */
	}
	EXPECT(get64(vtd.registers, CAP_REG), vtd.cap);
	EXPECT(get64(vtd.registers, ECAP_REG), vtd.ecap);
	vtd_off();
	vtd_usual_tables(3);
	vtd_on(PHYSICAL(ROOT));
	expect_write("after anything", WAYS, PHYSICAL(DATA));
	expect_fault("after anything", true, WAYS_NONE, NO_WRITE);
}

bool vtd_events_check(const char *name)
{
	static const struct {
		const char *name;
		void (*check)(void);
	} checks[] = {
		{ "vtd-queue-wraps", queue_wraps },   { "vtd-queue-errors", queue_errors },
		{ "vtd-queue-tail", queue_tail },     { "vtd-queue-nowhere", queue_nowhere },
		{ "vtd-queue-status", queue_status }, { "vtd-queue-long", queue_long },
		{ "vtd-overflow", record_overflow },  { "vtd-fault-event", fault_event },
		{ "vtd-remapping", remapping },	      { "vtd-registers", registers },
	};

	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strcmp(name, checks[i].name) == 0) {
			vtd_open();
			checks[i].check();
			vtd_off();
			return true;
		}
	}
	return false;
}
