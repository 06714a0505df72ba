/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory core as its headers describe it, done in the slowest and plainest way: a byte is looked up by
 * walking the tree, each byte of a transfer for itself. Written from the contracts in mm's headers, never
 * from the code there; the differential tests hold the two against each other.
 *
 * Regions are numbers: a tree is plain data without pointers, so a copy of the struct is a snapshot of it
 * (what readers see while a transaction is open).
 */
#ifndef TESTS_UNIT_NAIVE_SPACE_H
#define TESTS_UNIT_NAIVE_SPACE_H

#include "mm/access.h"
#include "mm/region.h"
#include "tests/unit/naive_device.h"

#define NAIVE_REGIONS  28
#define NAIVE_NONE     (-1)
#define NAIVE_CHAIN    4  /* IOMMU regions in a row */
#define NAIVE_TRANSFER 96 /* bytes, at most */
#define NAIVE_ENTRIES  12
#define NAIVE_PAGES    4 /* of memory in a region, at most */
#define NAIVE_FAULTS   (NAIVE_TRANSFER * 2)

/* A block that an IOMMU region translates: [iova, iova + mask], iova a multiple of mask + 1. */
struct naive_entry {
	u64 iova, mask, translated;
	u32 permission;
};

struct naive_region {
	u8 kind, unclaimed;
	bool enabled, readonly, direct, has_ops;
	int parent, target;
	u128 size;
	u64 offset, alias_offset;
	s32 priority;
	int child[NAIVE_REGIONS]; /* the one on top first */
	int children;
};

struct naive_tree {
	struct naive_region region[NAIVE_REGIONS];
	int count;
};

/* What does not belong to the shape of the tree: it changes at once, transaction or not. */
struct naive_contents {
	u8 *memory[NAIVE_REGIONS];
	struct naive_device device[NAIVE_REGIONS];
	struct naive_entry entry[NAIVE_REGIONS][NAIVE_ENTRIES]; /* IOMMU regions */
	int entries[NAIVE_REGIONS];
	int target_space[NAIVE_REGIONS];
};

struct naive_space {
	int root;
	bool ram_only;
	u8 unclaimed; /* INHERIT means ONES */
};

/* One byte's place: what answers there. */
struct naive_place {
	int region;    /* NAIVE_NONE: unclaimed */
	u64 offset;    /* in the region */
	bool readonly; /* seen through something that is read-only */
	u8 unclaimed;  /* policy, if unclaimed */
	int policy_of; /* the container that said so, or NAIVE_NONE */
};

/* A byte of an IOMMU's that was denied. */
struct naive_fault {
	int iommu;
	u64 iova;
	u32 access, reason;
};

struct naive_world {
	const struct naive_tree *tree;
	struct naive_contents *contents;
	const struct naive_space *spaces;
	struct naive_fault fault[NAIVE_FAULTS];
	int faults;
	struct naive_rings rings;		/* doorbells that rang */
	u8 written[NAIVE_REGIONS][NAIVE_PAGES]; /* pages of RAM that were written */
};

/* How an access ended: result, bytes that went well before the first that did not. */
struct naive_outcome {
	enum mem_result result;
	u64 done;
};

void naive_tree_init(struct naive_tree *tree);
/* Adds a region that belongs to nobody; returns its number. */
int naive_region_new(struct naive_tree *tree, enum region_kind kind, u128 size, bool has_ops, int target,
		     u64 alias_offset);

/* What region_add has to say: 0, or one of the errors that apply as a set of bits 1 << errno. */
u64 naive_add_errors(const struct naive_tree *tree, int parent, u64 offset, int child, s32 priority,
		     bool overlapping);
void naive_add(struct naive_tree *tree, int parent, u64 offset, int child, s32 priority);
void naive_remove(struct naive_tree *tree, int child);
void naive_move(struct naive_tree *tree, int child, u64 offset);

struct naive_place naive_resolve(const struct naive_tree *tree, const struct naive_space *space, u64 address);
/* The same answers at b as at a, and the bytes continue each other. */
bool naive_continues(const struct naive_place *a, const struct naive_place *b);

/*
 * A CPU's access (one piece if it can be) or a transfer. `bytes` in memory order; length up to
 * NAIVE_TRANSFER.
 */
struct naive_outcome naive_access(struct naive_world *world, int space, u64 address, u8 *bytes,
				  unsigned length, bool write, bool transfer);

/*
 * What a mapping of `length` bytes for `access` is: MEM_OK and as many bytes as there are of one region's
 * memory in a row, each translated and permitted, from *place on; or through a bounce buffer of `slot` bytes
 * (*place then is a device).
 */
struct naive_outcome naive_map(struct naive_world *world, int space, u64 address, unsigned length, u32 access,
			       unsigned slot, struct naive_place *place);

/* The entry that translates `iova`, or NULL. */
const struct naive_entry *naive_translate(const struct naive_contents *contents, int iommu, u64 iova);

#endif
