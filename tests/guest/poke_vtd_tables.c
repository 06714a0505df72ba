// SPDX-License-Identifier: BSD-2-Clause
/*
 * Root, context and second-level tables as no driver makes them: each reserved bit, each field with what it cannot be, tables that
 * are their own next level, tables and targets in registers and where there is no memory. After each: the request was refused with
 * the reason that the specification has for it, or went where the tables say, and nothing else in the arena has changed.
 */
#include <stdio.h>
#include <string.h>

#include "tests/guest/vtd_user.h"

static const uint64_t no_memory[] = { 0xfed90000, 0xfec00000, 0xfee00000, 0xfebff000, 0xb0000000, 0xa0000 };
enum { NO_MEMORY = sizeof(no_memory) / sizeof(no_memory[0]) };

static char text[96];

static const char *named(const char *what, unsigned number)
{
	snprintf(text, sizeof(text), "%s %u", what, number);
	return text;
}

/* The entry with each of the bits first..last added, one after the other. */
static void each_bit(const char *what, volatile uint64_t *at, unsigned first, unsigned last, unsigned reason)
{
	const uint64_t usual = *at;

	for (unsigned bit = first; bit <= last; bit++) {
		*at = usual | 1ull << bit;
		vtd_invalidate();
		if (reason)
			expect_fault(named(what, bit), true, WAYS, reason);
		else
			expect_write(named(what, bit), WAYS, PHYSICAL(DATA));
	}
	*at = usual;
	vtd_invalidate();
	expect_write(what, WAYS, PHYSICAL(DATA));
}

/* Address bits of the entry lead where nothing is. */
static void each_nowhere(const char *what, volatile uint64_t *at, unsigned reason)
{
	const uint64_t usual = *at;

	for (unsigned i = 0; i < NO_MEMORY; i++) {
		*at = (usual & (PAGE - 1)) | no_memory[i];
		vtd_invalidate();
		expect_fault(named(what, i), true, WAYS, reason);
	}
	*at = (usual & (PAGE - 1)) | 1ull << (vtd.width - 1);
	vtd_invalidate();
	expect_fault(named(what, NO_MEMORY), true, WAYS, reason);
	*at = usual;
	vtd_invalidate();
}

static void usual(void)
{
	for (unsigned levels = 3; levels <= 4; levels++) {
		if (!(vtd.cap >> 8 & 1u << (levels - 2)))
			continue;
		vtd_off();
		vtd_usual_tables(levels);
		vtd_on(PHYSICAL(ROOT));
		expect_write("the usual tables", WAYS, PHYSICAL(DATA));
		expect_fault("a page for reads", true, WAYS_READ_ONLY, NO_WRITE);
		expect_silence("a page for reads", false, WAYS_READ_ONLY);
		expect_fault("no page", true, WAYS_NONE, NO_WRITE);
		expect_fault("no page", false, WAYS_NONE, NO_READ);
	}
}

static void root_entries(void)
{
	vtd_usual_tables(3);
	vtd_on(PHYSICAL(ROOT));
	each_bit("root entry, low bit", entry(ROOT, 0), 1, 11, ROOT_RESERVED);
	each_bit("root entry, low bit", entry(ROOT, 0), vtd.width, 63, ROOT_RESERVED);
	each_bit("root entry, high bit", entry(ROOT, 1), 0, 63, ROOT_RESERVED);
	each_nowhere("context table nowhere", entry(ROOT, 0), CONTEXT_INACCESSIBLE);
	*entry(ROOT, 0) = 0;
	vtd_invalidate();
	expect_fault("no root entry", true, WAYS, ROOT_NOT_PRESENT);
	for (unsigned i = 0; i <= NO_MEMORY; i++) {
		vtd_off();
		vtd_on(i < NO_MEMORY ? no_memory[i] : 1ull << (vtd.width - 1));
		expect_fault(named("root table nowhere", i), true, WAYS, ROOT_INACCESSIBLE);
	}
	/* The root table is its own context table, and so on: whatever it says, it ends. */
	vtd_off();
	vtd_usual_tables(3);
	*entry(ROOT, 0) = PHYSICAL(ROOT) | 1;
	vtd_on(PHYSICAL(ROOT));
	expect_fault("a root table as context table", true, WAYS, CONTEXT_NOT_PRESENT);
}

static void context_entries(void)
{
	volatile uint64_t *low = entry(CONTEXT, 2 * EDU_SOURCE_ID), *high = low + 1;

	vtd_usual_tables(3);
	vtd_on(PHYSICAL(ROOT));
	each_bit("context entry, low bit", low, 4, 11, CONTEXT_RESERVED);
	each_bit("context entry, low bit", low, vtd.width, 63, CONTEXT_RESERVED);
	each_bit("context entry, high bit", high, 3, 6, 0); /* ignored */
	each_bit("context entry, high bit", high, 7, 7, CONTEXT_RESERVED);
	each_bit("context entry, high bit", high, 24, 63, CONTEXT_RESERVED);
	each_nowhere("second-level table nowhere", low, CONTEXT_INVALID);

	const uint64_t usual_low = *low, usual_high = *high;
	for (unsigned width = 0; width < 8; width++) {
		*high = (usual_high & ~7ull) | width;
		vtd_invalidate();
		if (!(vtd.cap >> 8 & 0x1f & 1u << width))
			expect_fault(named("address width", width), true, WAYS, CONTEXT_INVALID);
	}
	*high = usual_high;
	for (unsigned type = 1; type <= 3; type += 2) {
		*low = usual_low | type << 2;
		vtd_invalidate();
		expect_fault(named("translation type", type), true, WAYS, CONTEXT_INVALID);
	}
	*low = 0;
	vtd_invalidate();
	expect_fault("no context entry", true, WAYS, CONTEXT_NOT_PRESENT);
	/* FPD: refused, but not recorded. */
	*low = usual_low | 2;
	vtd_invalidate();
	expect_silence("faults are not to be recorded", true, WAYS_NONE);
	expect_write("faults are not to be recorded", WAYS, PHYSICAL(DATA));
	/* Pass-through: the address is what it is, and still has to be memory. */
	*low = 1 | 2 << 2;
	*high = (usual_high & ~7ull) | (vtd.cap >> 8 & 4 ? 2 : 1);
	vtd_invalidate();
	expect_write("pass-through", PHYSICAL(DATA), PHYSICAL(DATA));
	expect_silence("pass-through to where no memory is", true, 0xa0000);
}

static void paging_entries(void)
{
	static const char *const names[] = { "L4 bit", "L3 bit", "L2 bit", "L1 bit" };
	static const struct {
		unsigned page, index;
	} path[] = { { L4, 0 }, { L3, 0 }, { L2, 0 }, { L1, WAYS / PAGE } };

	for (unsigned levels = 3; levels <= 4; levels++) {
		if (!(vtd.cap >> 8 & 1u << (levels - 2)))
			continue;
		vtd_off();
		vtd_usual_tables(levels);
		vtd_on(PHYSICAL(ROOT));
		for (unsigned i = 4 - levels; i < 4; i++) {
			volatile uint64_t *at = entry(path[i].page, path[i].index);
			const uint64_t usual = *at;

			each_bit(names[i], at, vtd.width, 51, PAGING_RESERVED);
			each_bit(names[i], at, 3, 6, 0); /* ignored */
			each_bit(names[i], at, 8, 10, 0);
			each_bit(names[i], at, 52, 61, 0);
			each_bit(names[i], at, 63, 63, 0);
			if (i == 0)
				each_bit(names[i], at, 7, 7, PAGING_RESERVED);
			if (i == 3)
				each_bit(names[i], at, 11, 11,
					 PAGING_RESERVED); /* snoop control is not offered */
			else
				each_nowhere(names[i], at, PAGING_INACCESSIBLE);
			*at = usual & ~3ull;
			vtd_invalidate();
			expect_fault(names[i], true, WAYS, NO_WRITE);
			expect_fault(names[i], false, WAYS, NO_READ);
			*at = usual & ~2ull;
			vtd_invalidate();
			expect_fault(names[i], true, WAYS, NO_WRITE);
			expect_silence(names[i], false, WAYS);
			*at = usual & ~1ull;
			vtd_invalidate();
			expect_write(names[i], WAYS, PHYSICAL(DATA));
			vtd_invalidate();
			expect_fault(names[i], false, WAYS, NO_READ);
			/* Not present: the other bits do not matter. */
			*at = ~3ull;
			vtd_invalidate();
			expect_fault(names[i], true, WAYS, NO_WRITE);
			*at = usual;
			vtd_invalidate();
		}
	}
}

/* Pages that lead to registers, and to where messages to the CPU are: nothing there hears of it. */
static void targets(void)
{
	volatile uint64_t *leaf = entry(L1, WAYS / PAGE);

	vtd_usual_tables(3);
	vtd_on(PHYSICAL(ROOT));
	const uint64_t root = get64(vtd.registers, RTADDR_REG);
	const unsigned long reschedule = interrupts("RES");
	const uint32_t liveness = get32(edu, EDU_LIVENESS);
	const uint64_t bar = edu_config_read(0x10, 4) & ~15ull;
	for (unsigned i = 0; i < NO_MEMORY; i++) {
		*leaf = no_memory[i] | 3;
		vtd_invalidate();
		if (no_memory[i] == 0xfee00000)
			expect_fault("a page that is the interrupt range", true, WAYS,
				     OUTPUT_IN_INTERRUPT_RANGE);
		else
			expect_silence(named("a page without memory", i), true, WAYS);
	}
	*leaf = bar | 3;
	vtd_invalidate();
	expect_silence("a page that is the device's own registers", true, WAYS);
	expect_silence("a page that is the device's own registers", false, WAYS);
	EXPECT(get64(vtd.registers, RTADDR_REG), root);
	EXPECT(get32(vtd.registers, GSTS_REG) & (TE | QIE | IRE), TE);
	EXPECT(get32(edu, EDU_LIVENESS), liveness);
	EXPECT(interrupts("RES"), reschedule);
	*leaf = PHYSICAL(DATA) | 3;
	vtd_invalidate();
	expect_write("and back", WAYS, PHYSICAL(DATA));
}

static void large_pages(void)
{
	const unsigned pages = vtd.cap >> 34 & 3;

	vtd_usual_tables(3);
	vtd_on(PHYSICAL(ROOT));
	EXPECT(pages & 1, 1);
	*entry(L2, 0) = vtd.base | 0x83;
	vtd_invalidate();
	expect_write("a page of 2 MiB", DATA * PAGE + 128, PHYSICAL(DATA) + 128);
	for (unsigned bit = 12; bit < 21; bit++) {
		*entry(L2, 0) = vtd.base | 0x83 | 1ull << bit;
		vtd_invalidate();
		expect_fault(named("a page of 2 MiB, bit", bit), true, WAYS, PAGING_RESERVED);
	}
	*entry(L2, 0) = vtd.base | 0x81;
	vtd_invalidate();
	expect_fault("a page of 2 MiB for reads", true, DATA * PAGE, NO_WRITE);
	if (!(pages & 2))
		return;
	*entry(L3, 0) = 0x83;
	vtd_invalidate();
	expect_write("a page of 1 GiB", PHYSICAL(DATA) + 64, PHYSICAL(DATA) + 64);
	expect_silence("a page of 1 GiB, where no memory is", true, 0xa0000);
	for (unsigned bit = 12; bit < 30; bit++) {
		*entry(L3, 0) = 0x83 | 1ull << bit;
		vtd_invalidate();
		expect_fault(named("a page of 1 GiB, bit", bit), true, PHYSICAL(DATA), PAGING_RESERVED);
	}
}

/* Tables that lead to themselves and to other tables: a walk has as many steps as levels, and a table is memory like any other. */
static void loops(void)
{
	vtd_usual_tables(3);
	*entry(L3, 0) = PHYSICAL(L3) | 3;
	*entry(L3, WAYS / PAGE) = PHYSICAL(DATA) | 3;
	vtd_on(PHYSICAL(ROOT));
	expect_write("a table that is all levels", WAYS, PHYSICAL(DATA));
	expect_fault("a table that is all levels", true, WAYS_NONE, NO_WRITE);
	/* The page at 0 is the table itself; edu writes over its end. */
	expect_write("a table that the device may write", 4096 - 64, PHYSICAL(L3) + 4096 - 64);
	*entry(L3, 0) = PHYSICAL(ROOT) | 3;
	vtd_invalidate();
	expect_fault("the root table as a second-level table", true, WAYS, NO_WRITE);
	*entry(L3, 0) = PHYSICAL(CONTEXT) | 3;
	*entry(CONTEXT, 0) = PHYSICAL(L1) | 3;
	vtd_invalidate();
	expect_write("a context table as a second-level table", WAYS, PHYSICAL(DATA));
	/* The device rewrites the table that its own next access goes by. */
	*entry(L1, 0) = PHYSICAL(L1) | 3;
	vtd_invalidate();
	expect_write("the device's own leaf", WAYS / PAGE * 8, PHYSICAL(L1) + WAYS / PAGE * 8);
	vtd_invalidate();
	edu_transfer(EDU_BUFFER, WAYS, 64, EDU_TO_RAM);
	EXPECT(take_records().reason, PAGING_RESERVED); /* 0xa7a7a7a7a7a7a7a7 */
}

/* What was cached is gone after an invalidation, and only what was present is cached. */
static void caches(void)
{
	vtd_usual_tables(3);
	vtd_on(PHYSICAL(ROOT));
	expect_fault("not mapped", true, WAYS_NONE, NO_WRITE);
	*entry(L1, WAYS_NONE / PAGE) = PHYSICAL(DATA) | 3;
	expect_write("mapped, without an invalidation", WAYS_NONE, PHYSICAL(DATA));
	*entry(L1, WAYS_NONE / PAGE) = 0;
	vtd_invalidate();
	expect_fault("unmapped", true, WAYS_NONE, NO_WRITE);
	/* Another root while it runs. */
	*entry(SPARE, 0) = 0;
	set64(vtd.registers, RTADDR_REG, PHYSICAL(SPARE));
	expect_write("a root that is not taken yet", WAYS, PHYSICAL(DATA));
	vtd_command(SRTP);
	vtd_invalidate();
	expect_fault("another root", true, WAYS, ROOT_NOT_PRESENT);
	set64(vtd.registers, RTADDR_REG, PHYSICAL(ROOT));
	vtd_command(SRTP);
	vtd_invalidate();
	expect_write("the first root again", WAYS, PHYSICAL(DATA));
	set32(vtd.registers, GCMD_REG, 0);
	expect_write("translation off", PHYSICAL(DATA), PHYSICAL(DATA));
}

bool vtd_tables_check(const char *name)
{
	static const struct {
		const char *name;
		void (*check)(void);
	} checks[] = {
		{ "vtd-usual", usual },
		{ "vtd-root", root_entries },
		{ "vtd-context", context_entries },
		{ "vtd-paging", paging_entries },
		{ "vtd-targets", targets },
		{ "vtd-large", large_pages },
		{ "vtd-loops", loops },
		{ "vtd-caches", caches },
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
