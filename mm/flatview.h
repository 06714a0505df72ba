/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flat view: a region tree as seen from one side, rendered to a sorted array of sections.
 *
 *      system  |ram______________________________|
 *      pci     .......|bar0|.....|bar1|...........          (priority 1)
 *      view    |ram__|bar0|ram__|bar1|ram________|hole...|
 *
 * The sections partition the whole 2^64 bytes: what nobody claims is a section too (SECTION_UNCLAIMED), so a
 * lookup always finds one. Neighbours that continue each other (same region, same attributes, offsets that go
 * on) are one. A view is immutable, one allocation, published by one atomic store; see mm/core.h for how long
 * it lives.
 *
 * Lookup: each octave of addresses [2^n, 2^(n+1)) is cut into equal buckets, about two for each section that
 * starts in it; a branch-free search among the few sections that a bucket touches finds the right one. Where
 * the sections of an octave are spread evenly that is one step, at worst log2(sections): what lies far away
 * makes nothing slower.
 */
#ifndef MM_FLATVIEW_H
#define MM_FLATVIEW_H

#include "mm/access.h"
#include "mm/region.h"
#include "mm/types.h"

struct mem_core;

/* What answers in a section. Containers with ops appear as MMIO, aliases as what they show. */
enum section_kind {
	SECTION_UNCLAIMED,
	SECTION_RAM,
	SECTION_ROM, /* also RAM that is read-only at present */
	SECTION_ROM_DEVICE,
	SECTION_MMIO,
	SECTION_RESERVED,
	SECTION_IOMMU,
};

/* section.flags */
#define SECTION_READ_DIRECT  1	/* reads are plain loads from `host` */
#define SECTION_WRITE_DIRECT 2	/* writes are plain stores to `host` .. */
#define SECTION_DIRTY_LOG    4	/* .. but each one is to be told to region_mark_dirty */
#define SECTION_READONLY     8	/* writes to what has host memory or ops are refused */
#define SECTION_NO_OPS	     16 /* what would go to ops is refused: the space is for RAM only */
#define SECTION_DOORBELLS \
	32 /* little endian, and has doorbells (mm/doorbell.h) that an aligned write may ring */

struct section {
	u64 first, last;	      /* both included */
	u64 offset;		      /* of `first` in the region */
	u8 *host;		      /* of `first`; NULL: no host memory */
	struct region *region;	      /* NULL if unclaimed and no container has a policy */
	const struct region_ops *ops; /* MMIO, ROM_DEVICE; never NULL there */
	void *device;
	u8 kind; /* enum section_kind */
	u8 flags;
	u8 unclaimed; /* enum unclaimed, never INHERIT; SECTION_UNCLAIMED */
	/* Sizes 1|2|4|8 that go to the ops as they are, if naturally aligned. */
	u8 read_sizes, write_sizes;
	u8 zero[3]; /* sections are compared as bytes */
} __attribute__((aligned(64)));
static_assert(sizeof(struct section) == 64, "a section is a cache line");

/* More sections than this and the view is not built (-E2BIG): the directory counts in 16 bits. */
#define FLATVIEW_SECTIONS_MAX 65535

/* Addresses [2^n, 2^(n+1)); the first one holds 0 too. */
struct octave {
	u32 base;  /* + (address >> shift): its bucket, modulo 2^32 */
	u16 shift; /* log2 of a bucket */
	u16 half;  /* the search's first step, a power of two; 0: a bucket has one section */
};

struct flatview {
	u64 id; /* unique in its core, never 0 */
	u32 count;
	struct octave octave[64];
	const u64 *before;		/* count: the last address before each section, modulo 2^64 */
	const u16 *bucket;		/* section at the start of each bucket */
	const struct section *sections; /* count */
	/* the writer's */
	struct flatview *next_retired;
	u64 retired_in;
	size_t bytes; /* of the whole allocation */
};

/*
 * Renders `root`. `unclaimed` is the policy where no container has one. On success *view is new; otherwise
 * -ENOMEM, -E2BIG (more than FLATVIEW_SECTIONS_MAX sections) or -ELOOP (nested deeper than REGION_DEPTH_MAX).
 * Takes scratch memory and an id from the core.
 */
int flatview_build(struct mem_core *core, const struct region *root, enum unclaimed unclaimed, bool ram_only,
		   struct flatview **view);
void flatview_free(struct flatview *view);

static inline const struct section *flatview_lookup(const struct flatview *view, u64 address)
{
	const struct octave *octave = &view->octave[63 ^ __builtin_clzll(address | 1)];
	const u64 *before = view->before;
	u32 at = view->bucket[(u32)(address >> octave->shift) + octave->base], below;

	/* 2^steps entries of padding (~0, which is below no address) follow, so no step needs a bound. */
	for (below = octave->half; below; below >>= 1)
		at += before[at + below] < address ? below : 0;
	return &view->sections[at];
}

/*
 * Does the section accept the access at all? MEM_OK, or MEM_DECODE_ERROR (nothing there) or MEM_ACCESS_ERROR
 * (read-only, no ops allowed). IOMMU sections accept what is not read-only: their translator decides.
 */
static inline enum mem_result section_refuses(const struct section *section, enum mem_access access)
{
	if (section->kind == SECTION_UNCLAIMED || section->kind == SECTION_RESERVED)
		return MEM_DECODE_ERROR;
	if (access & MEM_WRITE && section->flags & SECTION_READONLY)
		return MEM_ACCESS_ERROR;
	if (section->flags & SECTION_NO_OPS &&
	    (access & MEM_WRITE || !(section->flags & SECTION_READ_DIRECT)))
		return MEM_ACCESS_ERROR;
	return MEM_OK;
}

/* Is each part of the access a plain copy to or from host memory? Such a section refuses nothing of it. */
static inline bool section_is_direct(const struct section *section, enum mem_access access)
{
	static_assert(SECTION_READ_DIRECT == MEM_READ && SECTION_WRITE_DIRECT == MEM_WRITE,
		      "flags are access bits");
	return (section->flags & access) == access;
}

/* Two sections show the same thing at the same place. */
bool section_equal(const struct section *a, const struct section *b);

/*
 * What a reader remembers: the section found last. Zero-initialised: empty. One cache belongs to one reader
 * and one address space. It survives quiescent points: views are told apart by their id, which is never
 * reused.
 */
struct section_cache {
	u64 id;
	const struct section *section;
};

/*
 * Who follows a space's view. On each new view: begin; `remove` for each section that went, in ascending
 * order; then in ascending order `add`, `keep` (nothing changed) or `change` (same range, region, offset and
 * kind of host memory, other flags); commit. `change` NULL: told as remove and add. Unclaimed sections are
 * not told. Any function may be NULL. The new view is already published while they run; the sections are
 * valid during the call.
 *
 * `dirty_cleared`: a client has taken the dirty bits of this range: write-protect it again. first, last:
 * addresses of the space, page-aligned outwards.
 */
struct mem_listener {
	struct mem_listener *next;
	void (*begin)(struct mem_listener *listener);
	void (*remove)(struct mem_listener *listener, const struct section *section);
	void (*add)(struct mem_listener *listener, const struct section *section);
	void (*keep)(struct mem_listener *listener, const struct section *section);
	void (*change)(struct mem_listener *listener, const struct section *old, const struct section *now);
	void (*commit)(struct mem_listener *listener);
	void (*dirty_cleared)(struct mem_listener *listener, const struct section *section, u64 first,
			      u64 last);
};

/* Tells `listener` the differences from `old` to `now`, begin to commit. NULL stands for an empty view. */
void flatview_tell(struct mem_listener *listener, const struct flatview *old, const struct flatview *now);

#endif
