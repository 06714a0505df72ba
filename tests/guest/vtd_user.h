/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VT-d unit in the hands of a process, in a kernel that leaves it alone ("intel_iommu=off intremap=off iomem=relaxed"), with
 * its tables in memory that the kernel was told not to have ("mem="). edu is what makes requests.
 */
#ifndef TESTS_GUEST_VTD_USER_H
#define TESTS_GUEST_VTD_USER_H

#include "tests/guest/edu.h"
#include "tests/guest/poke.h"

/* Names and numbers as in the VT-d specification, chapter 11. */
enum {
	VER_REG = 0,
	CAP_REG = 8,
	ECAP_REG = 0x10,
	GCMD_REG = 0x18,
	GSTS_REG = 0x1c,
	RTADDR_REG = 0x20,
	CCMD_REG = 0x28,
	FSTS_REG = 0x34,
	FECTL_REG = 0x38,
	FEDATA_REG = 0x3c,
	FEADDR_REG = 0x40,
	FEUADDR_REG = 0x44,
	IQH_REG = 0x80,
	IQT_REG = 0x88,
	IQA_REG = 0x90,
	ICS_REG = 0x9c,
	IECTL_REG = 0xa0,
	IEDATA_REG = 0xa4,
	IEADDR_REG = 0xa8,
	IEUADDR_REG = 0xac,
	IRTA_REG = 0xb8,
};
#define TE    (1u << 31)
#define SRTP  (1u << 30)
#define QIE   (1u << 26)
#define IRE   (1u << 25)
#define SIRTP (1u << 24)
#define CFI   (1u << 23)
enum { PFO = 1, PPF = 2, IQE = 0x10 };
enum {
	ROOT_NOT_PRESENT = 1,
	CONTEXT_NOT_PRESENT = 2,
	CONTEXT_INVALID = 3,
	NO_WRITE = 5,
	NO_READ = 6,
	PAGING_INACCESSIBLE = 7,
	ROOT_INACCESSIBLE = 8,
	CONTEXT_INACCESSIBLE = 9,
	ROOT_RESERVED = 0xa,
	CONTEXT_RESERVED = 0xb,
	PAGING_RESERVED = 0xc,
	OUTPUT_IN_INTERRUPT_RANGE = 0xe,
	/* of an interrupt request */
	INDEX_TOO_LARGE = 0x21,
	ENTRY_NOT_PRESENT = 0x22,
	ENTRY_INACCESSIBLE = 0x23,
	ENTRY_RESERVED = 0x24,
	COMPATIBILITY_BLOCKED = 0x25,
	SOURCE_REFUSED = 0x26,
};

/* Pages of the arena: tables, what the device may be led to, and what nothing leads to. */
enum {
	ROOT,
	CONTEXT,
	L4,
	L3,
	L2,
	L1,
	SPARE,
	QUEUE,
	STATUS_WORDS,
	ENTRIES,
	DATA,
	DATA_READ_ONLY,
	CANARIES,
	SMALL = 16,
	LONG_QUEUE = 16,
	ARENA = 512
};
#define PHYSICAL(page) (vtd.base + (uint64_t)(page)*PAGE)
#define EDU_SOURCE_ID  0x20
enum {
	WAYS = 0x100000,
	WAYS_READ_ONLY = 0x101000,
	WAYS_NONE = 0x102000
}; /* I/O virtual addresses of the usual tables */

struct vtd_user {
	uint64_t base;
	unsigned width; /* of host addresses, as the DMAR table says */
	volatile uint8_t *registers, *arena;
	uint64_t cap, ecap;
};
extern struct vtd_user vtd;

uint64_t get64(volatile uint8_t *at, unsigned offset);
void set64(volatile uint8_t *at, unsigned offset, uint64_t value);
/* A 64-bit entry of a table in the arena. */
volatile uint64_t *entry(unsigned page, unsigned index);

/* Registers, arena, edu with something in its buffer. */
void vtd_open(void);
/* Everything off, no fault pending. */
void vtd_off(void);
/* The usual tables of 3 or 4 levels: WAYS is DATA, WAYS_READ_ONLY may be read, nothing else is there. */
void vtd_usual_tables(unsigned levels);
/* RTADDR as given; translation on, caches empty. */
void vtd_on(uint64_t root);
/* A command that sets those bits of the unit's state besides, or only repeats it with a one-shot; until the status shows it. */
void vtd_command(uint32_t bits);
void vtd_invalidate(void);

/*
 * edu writes, or reads, 64 bytes at `iova`. With a reason: nothing in the arena has changed, and there is one fault record of that.
 * Without: they are found at `physical` and nowhere else, and no fault was recorded.
 */
void expect_fault(const char *what, bool write, uint64_t iova, unsigned reason);
void expect_write(const char *what, uint64_t iova, uint64_t physical);
/* As expect_fault, but with nothing recorded. */
void expect_silence(const char *what, bool write, uint64_t iova);
/* The records that are in use, and frees them. Of the last one: reason, source, FI as it is, T. */
struct vtd_record {
	unsigned count, reason, source;
	uint64_t info;
	bool read;
};
struct vtd_record take_records(void);

bool vtd_tables_check(const char *name);
bool vtd_events_check(const char *name);

#endif
