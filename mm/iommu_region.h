/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IOMMU regions: the one kind that is looked up at the moment of access.
 *
 *   device -> bus-master space -> [ IOMMU region: iova -> translate() -> address ] -> target space -> section
 *
 * The section may be a further IOMMU region's: at most 4 in a row.
 *
 * Each step works on the address that the step before produced and on nothing else. What is translated is cut
 * at the end of the entry's mask, never into single bytes: a denied entry covers at least the rest of its 4
 * KiB page.
 */
#ifndef MM_IOMMU_REGION_H
#define MM_IOMMU_REGION_H

#include "mm/space.h"
#include "mm/spin.h"

#define IOMMU_CHAIN_MAX 4

/*
 * Why a device's access ended. Numbers from IOMMU_FAULT_UNIT on belong to the translator: VT-d's are fault
 * reason + that.
 */
enum iommu_fault_reason {
	IOMMU_FAULT_NONE,
	IOMMU_FAULT_NOT_MAPPED,	   /* no translation for this address */
	IOMMU_FAULT_NOT_PERMITTED, /* there is one, but not for this access */
	IOMMU_FAULT_CHAIN,	   /* more than IOMMU_CHAIN_MAX regions in a row: a loop */
	IOMMU_FAULT_UNCLAIMED,	   /* translated to where nothing is */
	IOMMU_FAULT_READONLY,	   /* translated to ROM or read-only memory */
	IOMMU_FAULT_NOT_RAM,	   /* translated to a device, but the target space is for RAM only */
	IOMMU_FAULT_UNIT = 0x100,
};
const char *iommu_fault_text(unsigned reason); /* in words; "fault 0x.." for a translator's own */

/*
 * A translation. `mask` is size - 1 of the naturally aligned block around `iova` for which it holds: at least
 * what is worth cutting a transfer at. perm: bit 0 read, bit 1 write (enum mem_access); MEM_NONE: absent,
 * `reason` says why.
 */
struct iommu_entry {
	u64 iova;	/* as asked; bits below the mask count as they are */
	u64 translated; /* block in the target space; bits below the mask are ignored */
	u64 mask;
	u32 perm;
	u32 reason;
};

struct iommu_region;
struct iommu_notifier;

struct iommu_ops {
	/*
	 * Looks up, and changes nothing that can be seen: faults are recorded by `fault`. `access` MEM_NONE:
	 * tell what is there. `iova` counts from the start of the region.
	 */
	struct iommu_entry (*translate)(const struct iommu_region *iommu, u64 iova, enum mem_access access);
	/*
	 * An access of `length` bytes at `iova` was denied or went nowhere. Once for each block that failed.
	 * NULL: nobody wants to know.
	 */
	void (*fault)(struct iommu_region *iommu, u64 iova, u64 length, enum mem_access access,
		      unsigned reason);
	/*
	 * Tells `notifier` every present entry of its range, larger than page by page. NULL: done by
	 * translating all of it.
	 */
	void (*replay)(struct iommu_region *iommu, struct iommu_notifier *notifier);
};

/* A live mapping through an IOMMU region (mm/map.h), as the region sees it. */
struct iommu_link {
	struct iommu_link *next;
	u64 first; /* iova; as long as the mapping */
	struct iommu_link **link;
	struct iommu_region *iommu;
	struct mem_mapping *mapping;
};

struct iommu_region {
	struct region region;
	const struct iommu_ops *ops;
	struct address_space *target; /* fixed for the region's life */
	struct iommu_notifier *notifiers;
	struct iommu_link *links;   /* mappings that an invalidation must revoke */
	const struct section *hint; /* iommu_target_place */
	u64 generation;		    /* grows with every invalidation */
	u64 remembered;		    /* accesses that needed no translation (iommu_cache.h) */
	u32 lock;		    /* protects `links`, once the core is shared */
	bool fixed;		    /* translations never change: mappings need no link */
};

/* `fixed`: the translator promises to never invalidate (a static window); mapping through it is cheaper. */
void region_init_iommu(struct iommu_region *iommu, const char *name, u128 size, const struct iommu_ops *ops,
		       struct address_space *target, bool fixed);

/* For mm/map.c and mm/iommu_region.c: true if the lock was taken, as unlock must know. */
static inline bool iommu_lock_links(struct iommu_region *iommu)
{
	if (likely(!mem_core_is_shared(iommu->target->core)))
		return false;
	spin_lock(&iommu->lock);
	return true;
}

static inline void iommu_unlock_links(struct iommu_region *iommu, bool locked)
{
	if (unlikely(locked))
		spin_unlock(&iommu->lock);
}

static inline struct iommu_region *region_to_iommu(const struct region *region)
{
	return container_of(region, struct iommu_region, region);
}

enum { IOMMU_UNMAP = 1, IOMMU_MAP = 2 };

/*
 * Who wants to know of changes in [first, last]. For UNMAP, entry.iova and entry.mask tell the range, perm is
 * 0.
 */
struct iommu_notifier {
	struct iommu_notifier *next;
	void (*notify)(struct iommu_notifier *notifier, struct iommu_region *iommu, unsigned event, u64 first,
		       u64 last, const struct iommu_entry *entry);
	u64 first, last;
	u8 events; /* IOMMU_UNMAP | IOMMU_MAP */
};

void iommu_notifier_add(struct iommu_region *iommu, struct iommu_notifier *notifier);
void iommu_notifier_remove(struct iommu_region *iommu, struct iommu_notifier *notifier);
/* Every present translation of the notifier's range as MAP events, to this notifier only. */
void iommu_replay(struct iommu_region *iommu, struct iommu_notifier *notifier);

/*
 * The translator calls these when its tables have changed. Invalidation: translations of [first, last] are
 * gone. Each live mapping over it is revoked (mm/map.h): when this returns, nothing is written through it any
 * more; then notifiers hear UNMAP, clipped to their range. Returns the number of mappings revoked. Where
 * devices run on other CPUs than the caller's, mem_synchronize() afterwards waits for accesses (not mappings)
 * that are under way.
 */
unsigned iommu_invalidate(struct iommu_region *iommu, u64 first, u64 last);
/* New translations appeared: notifiers hear MAP. */
void iommu_mapped(struct iommu_region *iommu, const struct iommu_entry *entry);

/* One step of a chain: what was put into which region, and the region's generation before it was asked. */
struct iommu_step {
	struct iommu_region *iommu;
	u64 iova, generation;
};

/* Where a chain of IOMMU regions ends. */
struct iommu_target {
	const struct address_space *as; /* of the last step */
	const struct section *section;
	u64 address; /* in `as` */
	u64 length;  /* bytes that the translation holds for, at most what was asked; also if it failed */
	enum mem_result result;
	u32 reason;
	u32 count; /* steps taken; the last one is the one that failed, if one did */
	struct iommu_step step[IOMMU_CHAIN_MAX];
};

/*
 * Follows `address`, which is in `section` of kind SECTION_IOMMU, to a section of another kind that accepts
 * the access. `length` > 0. Records nothing: see iommu_tell.
 */
void iommu_walk(const struct section *section, u64 address, u64 length, enum mem_access access,
		struct iommu_target *target);

/*
 * A lookup in the target space that tries the section found last: most of a device's traffic goes to one.
 * What is remembered is just a pointer. If it points into the current view's array it is one of its sections,
 * whichever view it came from; readers that race for it do no harm. *at and *room: where in the section that is,
 * section_places().
 */
static inline __attribute__((always_inline)) const struct section *
iommu_target_place(struct iommu_region *iommu, u64 address, u64 *at, u64 *room)
{
	const struct flatview *view = as_view(iommu->target);
	const struct section *section = __atomic_load_n(&iommu->hint, __ATOMIC_RELAXED);

	if (unlikely((uintptr_t)section - (uintptr_t)view->sections >= view->count * sizeof(*section)) ||
	    unlikely(!section_places(section, address, at, room))) {
		section = flatview_lookup(view, address);
		__atomic_store_n(&iommu->hint, section, __ATOMIC_RELAXED);
		*at = address - section->first;
		*room = section->last - address;
	}
	return section;
}

static inline const struct section *iommu_target_section(struct iommu_region *iommu, u64 address)
{
	u64 at, room;

	return iommu_target_place(iommu, address, &at, &room);
}

/* Where in the target space an entry takes `iova` to. */
static inline u64 iommu_entry_address(const struct iommu_entry *entry, u64 iova)
{
	return (entry->translated & ~entry->mask) | (iova & entry->mask);
}

/*
 * The short way, for what goes well: where `*address` leads for at least one of `*length` bytes (which become
 * as many as go on there). NULL if anything is in the way; then iommu_walk tells what. `known`:
 * what the first region answers, or NULL: it is yet to be asked.
 */
static inline __attribute__((always_inline)) const struct section *
iommu_follow_entry(const struct section *section, const struct iommu_entry *known, u64 *address, u64 *length,
		   enum mem_access access)
{
	u64 at = *address, left = *length - 1;

	for (unsigned step = 0; step < IOMMU_CHAIN_MAX; step++) {
		struct iommu_region *iommu = region_to_iommu(section->region);
		u64 iova = section_offset(section, at);
		struct iommu_entry entry;

		if (unlikely(access & MEM_WRITE && section->flags & SECTION_READONLY))
			break;
		entry = known ? *known : iommu->ops->translate(iommu, iova, access);
		known = NULL;
		if (unlikely((entry.perm & access) != access))
			break;
		at = iommu_entry_address(&entry, iova);
		left = MIN(left, ~iova & entry.mask);
		section = iommu_target_section(iommu, at);
		left = MIN(left, section->last - at);
		*address = at;
		*length = left + 1;
		if (likely(section_is_direct(section, access)))
			return section;
		if (section->kind != SECTION_IOMMU)
			return section_refuses(section, access) == MEM_OK ? section : NULL;
	}
	return NULL;
}

static inline __attribute__((always_inline)) const struct section *
iommu_follow(const struct section *section, u64 *address, u64 *length, enum mem_access access)
{
	return iommu_follow_entry(section, NULL, address, length, access);
}

/* A walk that failed (result is not MEM_OK) was meant: its last region's `fault` hears of it. */
void iommu_tell(const struct iommu_target *target, enum mem_access access);

#endif
