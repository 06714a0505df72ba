/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A region: a piece of an address map, embedded in whoever owns it. Nothing is allocated for it.
 *
 * Regions form trees. A container's children are kept in order of descending priority, then ascending offset,
 * then the most recently added or moved first: what comes first in this order is on top where children
 * overlap. A child is clipped to its parent. A container's own operations, if it has any, answer where no
 * child does.
 *
 * kind          reads                       writes
 * CONTAINER     through to lower siblings, or its own ops
 * RAM           host memory                 host memory; MEM_ACCESS_ERROR while read-only
 * ROM           host memory                 MEM_ACCESS_ERROR
 * ROM_DEVICE    host memory, or ops when    ops
 *               not in direct mode
 * MMIO          ops                         ops
 * ALIAS         a window into another region, from `alias_offset` on
 * RESERVED      MEM_DECODE_ERROR: hides what is below, somebody outside of this core answers
 * IOMMU         looked up in its translator, mm/iommu_region.h
 *
 * An address is unclaimed where none of these is: what then happens is the policy of the innermost container
 * around it that has one, or of the address space.
 *
 * Errors: 0, or negative errno. What a function refuses is told by log_error with the names and ranges of
 * both regions. Lifetime: a region that was removed may be reused or freed after the next quiescent point of
 * all readers (mm/core.h). Whatever is said here about changes: outside a transaction, each takes effect at
 * once.
 */
#ifndef MM_REGION_H
#define MM_REGION_H

#include "mm/access.h"
#include "mm/types.h"

/*
 * Sizes are given in 128 bits, so that the whole of an address space has one; inside, ranges are {first,
 * last}.
 */
typedef unsigned __int128 u128;
#define REGION_SIZE_WHOLE ((u128)1 << 64)
#define REGION_DEPTH_MAX  32 /* containers and aliases between a space's root and a leaf */

enum region_kind {
	REGION_CONTAINER,
	REGION_RAM,
	REGION_ROM,
	REGION_ROM_DEVICE,
	REGION_MMIO,
	REGION_ALIAS,
	REGION_RESERVED,
	REGION_IOMMU,
};

/* What an access where nothing is does. The result is MEM_DECODE_ERROR in each case, writes are dropped. */
enum unclaimed {
	UNCLAIMED_INHERIT, /* not said here: the container around, at last the space */
	UNCLAIMED_ONES,	   /* reads as ones, as a PC's bus does */
	UNCLAIMED_ZEROS,   /* reads as zeros */
	UNCLAIMED_FAULT,   /* the vCPU gets a fault (#GP); data reads as ones */
	UNCLAIMED_STOP,	   /* the guest is stopped with a post-mortem; data reads as ones */
};

struct address_space;
struct coalesced;
struct dirty_log;
struct doorbell;

struct region {
	const char *name;
	struct region *parent, *next, *children; /* siblings in the order given above */
	struct region *target;			 /* alias: of whom */
	struct region *aliases, *next_alias;	 /* aliases of this region that are linked to it */
	struct address_space *spaces;		 /* spaces that have this region as root */
	u64 offset;				 /* in the parent */
	u64 last;				 /* size - 1 */
	u64 alias_offset;			 /* in the target */
	u8 *host;				 /* RAM, ROM, ROM_DEVICE: `last + 1` bytes */
	const struct region_ops *ops;
	void *device; /* first argument of the ops */
	struct doorbell *doorbells;
	struct coalesced *coalesced;
	struct dirty_log *dirty;
	s32 priority;
	u32 links;			       /* alias: reasons for being in target->aliases */
	u8 kind;			       /* enum region_kind */
	u8 unclaimed;			       /* enum unclaimed; containers */
	bool enabled, readonly, direct, empty; /* direct: ROM_DEVICE; empty: was given no size */
};

/*
 * Initialise. `name` is kept, not copied. The region is enabled, belongs to nobody, priority 0. A size of
 * zero or above 2^64, or ops with impossible sizes, make a region that region_add and as_init refuse.
 */
void region_init_container(struct region *region, const char *name, u128 size);
/* A container that answers where no child does. */
void region_init_container_ops(struct region *region, const char *name, u128 size,
			       const struct region_ops *ops, void *device);
/* `host`: size bytes that outlive the region; page-aligned if a guest is to have it mapped. */
void region_init_ram(struct region *region, const char *name, u128 size, void *host);
void region_init_rom(struct region *region, const char *name, u128 size, void *host);
/* Starts in direct mode: reads from `host`. */
void region_init_rom_device(struct region *region, const char *name, u128 size, void *host,
			    const struct region_ops *ops, void *device);
void region_init_mmio(struct region *region, const char *name, u128 size, const struct region_ops *ops,
		      void *device);
/* Shows `target` from `offset` on; the part of `size` that lies beyond the target's end shows nothing. */
void region_init_alias(struct region *region, const char *name, u128 size, struct region *target, u64 offset);
void region_init_reserved(struct region *region, const char *name, u128 size);
/*
 * A region stops being used: it must be nobody's child, no space's root and no alias's target. Frees its
 * dirty log.
 */
void region_destroy(struct region *region);

/*
 * Puts `child` at `offset` of `parent`. -EINVAL: empty, impossible ops, or parent of the wrong kind (only
 * containers have children); -EBUSY: has a parent already; -ELOOP: it would contain itself, directly or by an
 * alias, or be nested deeper than REGION_DEPTH_MAX; -EEXIST: overlaps an enabled sibling of the same
 * priority.
 *
 * region_add_overlapping does not mind the last one (a guest may place BARs over each other): the order above
 * decides. The same holds for every later change: only region_add looks for ties.
 */
int region_add(struct region *parent, u64 offset, struct region *child, s32 priority);
int region_add_overlapping(struct region *parent, u64 offset, struct region *child, s32 priority);
void region_remove(struct region *child); /* harmless if it has no parent */

void region_set_enabled(struct region *region, bool enabled);
void region_set_offset(struct region *region, u64 offset);	/* move within its parent */
void region_set_alias_offset(struct region *alias, u64 offset); /* -> elsewhere in the target */
int region_resize(struct region *region,
		  u128 size); /* -EINVAL: 0 or above 2^64; host memory is the caller's care */
void region_set_readonly(struct region *region,
			 bool readonly); /* of a container or alias: of all that is seen through it */
void region_set_direct(struct region *rom_device, bool direct); /* reads from memory, or from ops */
void region_set_unclaimed(struct region *container, enum unclaimed policy);

/* For mm/space.c: a root that is an alias is linked to its target like one with a parent. */
void region_link_alias(struct region *region);
void region_unlink_alias(struct region *region);

/*
 * Each space in which the region can show, as far as what is above it is enabled; one space may come more
 * than once.
 */
void region_each_space(struct region *region, void (*visit)(struct address_space *as, void *to), void *to);

/*
 * Something about the region's sections changed that mm cannot see by itself. Rebuilds like any other change.
 */
void region_changed(struct region *region);

static inline u128 region_get_size(const struct region *region)
{
	return (u128)region->last + 1;
}

static inline bool region_has_host(const struct region *region)
{
	return region->kind == REGION_RAM || region->kind == REGION_ROM || region->kind == REGION_ROM_DEVICE;
}

const char *region_kind_name(enum region_kind kind); /* "ram", "rom device" .. */
const char *unclaimed_name(enum unclaimed policy);   /* "ones" .. */

#endif
