/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the script (naive_script.h) share: its state, and one function for each kind of
 * operation.
 */
#ifndef TESTS_UNIT_NAIVE_PLAY_H
#define TESTS_UNIT_NAIVE_PLAY_H

#include <stdio.h>

#include "mm/dirty.h"
#include "mm/doorbell.h"
#include "mm/iommu_region.h"
#include "mm/space.h"
#include "tests/unit/naive_script.h"
#include "tests/unit/naive_space.h"

#define SPACES	   3
#define MEMORY_MAX (3 * PAGE_SIZE)
#define SMALL	   1024u
#define EXPECTED   256 /* sections that a listener can keep track of */
#define SLOT	   40

struct script;

/* The core's side of a device: its bytes are its own, its manners those of the naive one. */
struct script_device {
	struct script *script;
	struct naive_device state;
	int number;
};

struct script_doorbell {
	struct doorbell bell;
	struct script *script;
	int region, number;
};

struct script_listener {
	struct mem_listener listener;
	struct script *script;
	struct section known[EXPECTED];
	unsigned count, told;
	u64 last_first;
	bool overflow, open, adding, leaving;
};

struct script {
	enum script_profile profile;
	bool trace, failed;
	char *why;
	size_t why_size;
	u64 window;
	unsigned step;

	struct mem_core core;
	struct iommu_region region[NAIVE_REGIONS]; /* all are large enough for the largest kind */
	struct script_device device[NAIVE_REGIONS];
	struct region_ops ops[NAIVE_REGIONS];
	u8 *allocation[NAIVE_REGIONS];
	struct address_space space[SPACES];
	struct section_cache cache[SPACES];
	struct script_listener heard[SPACES];
	bool live[SPACES];
	unsigned depth;
	u64 rebuilds;

	struct naive_tree now, seen;
	struct naive_contents contents;
	struct naive_space naive_space[SPACES];
	struct naive_world world;
	bool changed; /* `now` since `seen` */
	u8 dirty[NAIVE_REGIONS][DIRTY_CLIENTS][NAIVE_PAGES];
	bool logging[NAIVE_REGIONS][DIRTY_CLIENTS];
	bool logs[NAIVE_REGIONS]; /* writes are told: its sections say so since the last commit */
	struct naive_fault fault[NAIVE_FAULTS]; /* byte by byte, as the core told them */
	int faults;
	struct script_doorbell doorbell[NAIVE_REGIONS][NAIVE_DOORBELLS];
	struct coalesced coalesced[NAIVE_REGIONS];
	struct naive_rings rings; /* as the core rang */
	/* A first doorbell or a ring came to a region in this transaction: now or at its end is not said. */
	bool unsettled;
};

#define TRACE(...)                                \
	do {                                      \
		if (s->trace) {                   \
			printf("%4u  ", s->step); \
			printf(__VA_ARGS__);      \
			printf("\n");             \
		}                                 \
	} while (0)

typedef unsigned long long ull;

static inline struct region *script_region(struct script *s, int number)
{
	return &s->region[number].region;
}

static inline int script_number(struct script *s, const struct region *region)
{
	return region ? (int)(container_of(region, struct iommu_region, region) - s->region) : NAIVE_NONE;
}

static inline bool script_is_kind(enum region_kind kind, unsigned kinds)
{
	return kinds >> kind & 1;
}

#define SCRIPT_MEMORY (1u << REGION_RAM | 1u << REGION_ROM | 1u << REGION_ROM_DEVICE)

static inline bool script_is_used(const struct naive_region *region)
{
	return region->size != 0 && region->size <= REGION_SIZE_WHOLE;
}

void script_fail(struct script *s, const char *format, ...) __printf(2, 3);

/* naive_script_hear.c: what the core calls. */
enum mem_result script_device_read(void *device, u64 offset, unsigned size, u64 *value);
enum mem_result script_device_write(void *device, u64 offset, unsigned size, u64 value);
extern const struct iommu_ops script_translator;
/* What is told must add up to the view of this space. */
void script_listen(struct script *s, int space, bool changes);

/* naive_script_make.c: regions, and numbers out of the words of an operation. */
extern const char *const script_region_names[NAIVE_REGIONS];
int script_choose_region(struct script *s, u64 word);
int script_choose_kind(struct script *s, u64 word, unsigned kinds);
u64 script_choose_address(struct script *s, u64 word, u64 place);
u64 script_choose_offset(struct script *s, u64 word);
u128 script_choose_size(struct script *s, enum region_kind kind, u64 word);

/* The naive world, with no faults or rings in it, nor in what the core told. */
struct naive_world *script_world(struct script *s);
/* After a write that the naive model has done; one through a mapping looks at the log itself. */
void script_mark_written(struct script *s, bool mapped);
void script_check_contents(struct script *s);
/* The same doorbells rang, in the same order. A region keeps as many writes as it should. */
void script_check_rings(struct script *s);
void script_check_kept(struct script *s, int number);
/* What a section says of doorbells is so. */
bool script_may_ring(struct script *s, const struct section *section);
/* Makes the naive tree what readers see, unless a transaction is open. */
void script_publish(struct script *s);

/* Looks at some addresses of each space. */
void script_check_edges(struct script *s, const u64 *w);

/* One for each kind of operation; w: its words. */
void script_op_new(struct script *s, const u64 *w);
void script_op_add(struct script *s, const u64 *w);
void script_op_remove(struct script *s, const u64 *w);
void script_op_enable(struct script *s, const u64 *w);
void script_op_move(struct script *s, const u64 *w);
void script_op_resize(struct script *s, const u64 *w);
void script_op_switch(struct script *s, const u64 *w);
void script_op_transaction(struct script *s, const u64 *w);
void script_op_dirty(struct script *s, const u64 *w);
void script_op_entry(struct script *s, const u64 *w);
void script_op_check_view(struct script *s, const u64 *w);
void script_op_quiescent(struct script *s);
void script_op_copy(struct script *s, const u64 *w);
void script_op_map(struct script *s, const u64 *w);
void script_op_transfer(struct script *s, const u64 *w);
void script_op_access(struct script *s, const u64 *w);
/* The same where it is wanted. */
void script_access(struct script *s, const u64 *w, u64 address);
void script_op_doorbell(struct script *s, const u64 *w);
void script_op_coalesce(struct script *s, const u64 *w);

#endif
