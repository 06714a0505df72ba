/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine with a VT-d unit, played twice: with the unit of iommu/ and with the naive one (naive_vtd.h), each on
 * guest memory of its own with the same contents. After every operation all that software or a device can see must
 * be the same: registers, guest memory, messages, data, results.
 *
 * Where hardware may remember what tables said before, the naive unit has more than one answer: the first one that
 * fits with all that is seen is taken to be what happened.
 */
#ifndef TESTS_UNIT_VTD_PLAY_H
#define TESTS_UNIT_VTD_PLAY_H

#include "devices/dma.h"
#include "iommu/vtd.h"
#include "iommu/window.h"
#include "tests/unit/differential.h"
#include "tests/unit/naive_vtd.h"

#define LOW_PAGES   32
#define HIGH_PAGES  16
#define HIGH_BASE   (4 * GiB)
#define PLAY_GATES  5
#define PLAY_RECENT 8
#define IOTLB_SIZE  32 /* small: entries are evicted */

/* What lies where in the low pages; data after it, and all of the high ones. */
enum {
	PAGE_ROOT = 0,	  /* two of them */
	PAGE_CONTEXT = 2, /* three */
	PAGE_TABLE = 5,	  /* eight: two of level 4, two of level 3 .. */
	PAGE_QUEUE = 13,  /* two */
	PAGE_REMAP = 15,  /* two */
	PAGE_STATUS = 17,
	PAGE_DATA = 18,
};

struct play_memory {
	u8 low[LOW_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
	u8 high[HIGH_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
};

struct play_gate {
	struct vtd_gate gate;
	struct address_space space;
	struct dma_port port;
};

struct play {
	struct play_memory *real_memory, *naive_memory;
	/* The unit of iommu/ and the machine around it. */
	struct mem_core core;
	struct region root, low, high;
	struct address_space memory, window_space;
	struct dma_window window;
	struct vtd unit;
	struct iotlb_entry iotlb[IOTLB_SIZE];
	struct play_gate gate[PLAY_GATES];
	struct mem_mapping mapping[NAIVE_VTD_MAPPINGS];
	struct dma_port *mapped_by[NAIVE_VTD_MAPPINGS];
	bool mapped_to_write[NAIVE_VTD_MAPPINGS];
	struct naive_vtd_message message[NAIVE_VTD_MESSAGES];
	unsigned messages;
	/* The other one. */
	struct naive_vtd naive, before;

	u32 queue_tail; /* where software goes on */
	/* Accesses that went well: worth doing again, and worth changing tables for. */
	struct {
		unsigned gate;
		u64 iova;
	} recent[PLAY_RECENT];
	unsigned recents;
	bool trace;
	char *why;
	size_t why_size;
};

/* Words of an operation are used up from the low end. */
static inline u64 play_take(u64 *word, u64 count)
{
	u64 taken = *word % count;

	*word /= count;
	return taken;
}

extern const u16 play_requester[PLAY_GATES];

/* A device's reach behind its gate: the last one has a static window. NULL: nowhere. */
u8 *play_target(struct play_memory *memory, unsigned gate, u64 address, bool write);

/* False and a reason: the two differ. */
bool play_same(struct play *play);
bool play_differ(struct play *play, const char *format, ...) __printf(2, 3);
void play_trace(struct play *play, const char *format, ...) __printf(2, 3);

/* Software: both memories, both units. */
void play_poke(struct play *play, u64 address, const void *bytes, u64 size);
bool play_write(struct play *play, u64 offset, unsigned size, u64 value);

static inline u64 play_page(unsigned number)
{
	return number * PAGE_SIZE;
}

/* vtd_play_guest.c: what may stand in tables and registers */
u64 play_data_page(u64 *word);
u64 play_bad_address(u64 *word);      /* that none should have */
u64 play_spoil(u64 entry, u64 *word); /* a bit of it turned over, now and then */
void play_fill(struct play *play, u64 seed);
bool play_repair(struct play *play, const u64 *word);
bool play_change(struct play *play, const u64 *word);
bool play_tables(struct play *play, const u64 *word);
/* vtd_play_registers.c */
bool play_queue(struct play *play, const u64 *word);
bool play_command(struct play *play, const u64 *word);
bool play_global(struct play *play, const u64 *word);
bool play_register(struct play *play, const u64 *word);
bool play_invalidate_all(struct play *play);
bool play_invalidate_context(struct play *play, u64 granularity, u16 domain, u16 source, u64 functions);
bool play_invalidate_page(struct play *play, u64 iova, u16 domain, u64 *choice);
/* vtd_play_device.c */
bool play_dma(struct play *play, const u64 *word);
bool play_map(struct play *play, const u64 *word);
bool play_unmap(struct play *play, const u64 *word);
bool play_interrupt(struct play *play, const u64 *word);

/* A trial, as differential.h has it. */
bool vtd_play(u64 seed, const struct operation *operations, unsigned count, bool trace, char *why,
	      size_t why_size);

#endif
