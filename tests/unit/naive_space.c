// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_space.h"

#include "mm/iommu_region.h"

#include <errno.h>
#include <string.h>

/*
 * ---- the tree
 * -----------------------------------------------------------------------------------------------
 */

void naive_tree_init(struct naive_tree *tree)
{
	memset(tree, 0, sizeof(*tree));
}

int naive_region_new(struct naive_tree *tree, enum region_kind kind, u128 size, bool has_ops, int target,
		     u64 alias_offset)
{
	struct naive_region *region = &tree->region[tree->count];

	memset(region, 0, sizeof(*region));
	region->kind = kind;
	region->size = size;
	region->enabled = region->direct = true;
	region->has_ops = has_ops;
	region->parent = NAIVE_NONE;
	region->target = target;
	region->alias_offset = alias_offset;
	return tree->count++;
}

static bool reaches(const struct naive_tree *tree, int from, int to)
{
	const struct naive_region *region = &tree->region[from];
	int i;

	if (from == to)
		return true;
	if (region->kind == REGION_ALIAS && reaches(tree, region->target, to))
		return true;
	for (i = 0; i < region->children; i++)
		if (reaches(tree, region->child[i], to))
			return true;
	return false;
}

u64 naive_add_errors(const struct naive_tree *tree, int parent, u64 offset, int child, s32 priority,
		     bool overlapping)
{
	const struct naive_region *above = &tree->region[parent], *added = &tree->region[child];
	u64 errors = 0;
	int i;

	if (added->size == 0 || added->size > REGION_SIZE_WHOLE || above->kind != REGION_CONTAINER)
		errors |= BIT(EINVAL);
	if (added->parent != NAIVE_NONE)
		errors |= BIT(EBUSY);
	if (reaches(tree, child, parent))
		errors |= BIT(ELOOP);
	for (i = 0; i < above->children && !overlapping && added->enabled; i++) {
		const struct naive_region *sibling = &tree->region[above->child[i]];

		if (sibling->enabled && sibling->priority == priority &&
		    sibling->offset < (u128)offset + added->size &&
		    offset < (u128)sibling->offset + sibling->size)
			errors |= BIT(EEXIST);
	}
	return errors;
}

void naive_add(struct naive_tree *tree, int parent, u64 offset, int child, s32 priority)
{
	struct naive_region *above = &tree->region[parent], *added = &tree->region[child];
	int at = 0;

	added->parent = parent;
	added->offset = offset;
	added->priority = priority;
	/*
	 * Behind those of higher priority, and those of the same one that start lower; before equals, which
	 * are older.
	 */
	while (at < above->children) {
		const struct naive_region *sibling = &tree->region[above->child[at]];

		if (sibling->priority < priority ||
		    (sibling->priority == priority && sibling->offset >= offset))
			break;
		at++;
	}
	memmove(&above->child[at + 1], &above->child[at], (size_t)(above->children - at) * sizeof(int));
	above->child[at] = child;
	above->children++;
}

void naive_remove(struct naive_tree *tree, int child)
{
	int parent = tree->region[child].parent, i = 0;
	struct naive_region *above;

	if (parent == NAIVE_NONE)
		return;
	above = &tree->region[parent];
	while (above->child[i] != child)
		i++;
	above->children--;
	memmove(&above->child[i], &above->child[i + 1], (size_t)(above->children - i) * sizeof(int));
	tree->region[child].parent = NAIVE_NONE;
}

void naive_move(struct naive_tree *tree, int child, u64 offset)
{
	int parent = tree->region[child].parent;

	if (parent == NAIVE_NONE) {
		tree->region[child].offset = offset;
		return;
	}
	naive_remove(tree, child);
	naive_add(tree, parent, offset, child, tree->region[child].priority);
}

/*
 * ---- one byte
 * -----------------------------------------------------------------------------------------------
 */

/* Does something in `number` claim its byte `at`? If not, *place may have learnt a policy. */
static bool claim(const struct naive_tree *tree, int number, u128 at, bool readonly,
		  struct naive_place *place)
{
	const struct naive_region *region = &tree->region[number];
	int i;

	if (!region->enabled || at >= region->size || region->size > REGION_SIZE_WHOLE)
		return false;
	readonly |= region->readonly;
	if (region->kind == REGION_ALIAS)
		return claim(tree, region->target, at + region->alias_offset, readonly, place);
	for (i = 0; i < region->children; i++) {
		const struct naive_region *child = &tree->region[region->child[i]];

		if (at >= child->offset && claim(tree, region->child[i], at - child->offset, readonly, place))
			return true;
	}
	if (region->kind == REGION_CONTAINER && !region->has_ops) {
		/* The innermost one of what is on top has spoken first. */
		if (place->policy_of == NAIVE_NONE && region->unclaimed != UNCLAIMED_INHERIT) {
			place->policy_of = number;
			place->unclaimed = region->unclaimed;
		}
		return false;
	}
	place->region = number;
	place->offset = (u64)at;
	place->readonly = readonly;
	return true;
}

struct naive_place naive_resolve(const struct naive_tree *tree, const struct naive_space *space, u64 address)
{
	struct naive_place place = { .region = NAIVE_NONE, .policy_of = NAIVE_NONE };

	if (!claim(tree, space->root, address, false, &place) && place.policy_of == NAIVE_NONE)
		place.unclaimed = space->unclaimed == UNCLAIMED_INHERIT ? UNCLAIMED_ONES : space->unclaimed;
	return place;
}

bool naive_continues(const struct naive_place *a, const struct naive_place *b)
{
	if (a->region == NAIVE_NONE || b->region == NAIVE_NONE)
		return a->region == b->region && a->unclaimed == b->unclaimed;
	return a->region == b->region && a->offset + 1 == b->offset && a->readonly == b->readonly;
}

/*
 * ---- transfers
 * ----------------------------------------------------------------------------------------------
 */

struct piece {
	struct naive_place place;
	int iommu; /* the last step of a chain, or NAIVE_NONE */
	u64 iova;
	bool ram_only;
};

static void fault(struct naive_world *world, int iommu, u64 iova, u32 access, u32 reason)
{
	if (world->faults < NAIVE_FAULTS)
		world->fault[world->faults++] = (struct naive_fault){ iommu, iova, access, reason };
}

const struct naive_entry *naive_translate(const struct naive_contents *contents, int iommu, u64 iova)
{
	int i;

	for (i = 0; i < contents->entries[iommu]; i++) {
		const struct naive_entry *entry = &contents->entry[iommu][i];

		if ((iova & ~entry->mask) == entry->iova)
			return entry;
	}
	return NULL;
}

/*
 * Where a byte ends, through all IOMMU regions. MEM_OK, or how it failed on the way. *run changes where the
 * core may not take two bytes together: another entry or stretch of an IOMMU region somewhere in the chain.
 */
static enum mem_result follow(struct naive_world *world, int space, u64 address, u32 access,
			      struct piece *piece, u64 *run)
{
	u64 start = address;
	int steps = 0;

	piece->iommu = NAIVE_NONE;
	piece->iova = 0;
	*run = 0;
	for (;;) {
		const struct naive_space *now = &world->spaces[space];
		const struct naive_entry *entry;
		int iommu;

		piece->place = naive_resolve(world->tree, now, address);
		piece->ram_only = now->ram_only;
		iommu = piece->place.region;
		if (iommu == NAIVE_NONE || world->tree->region[iommu].kind != REGION_IOMMU)
			return MEM_OK;
		if (++steps > NAIVE_CHAIN) {
			fault(world, piece->iommu, piece->iova, access, IOMMU_FAULT_CHAIN);
			return MEM_ACCESS_ERROR;
		}
		if (access & MEM_WRITE && piece->place.readonly) {
			if (piece->iommu != NAIVE_NONE)
				fault(world, piece->iommu, piece->iova, access, IOMMU_FAULT_READONLY);
			return MEM_ACCESS_ERROR;
		}
		piece->iommu = iommu;
		piece->iova = piece->place.offset;
		entry = naive_translate(world->contents, iommu, piece->iova);
		if (!entry || (entry->permission & access) != access) {
			fault(world, iommu, piece->iova, access,
			      entry && entry->permission ? IOMMU_FAULT_NOT_PERMITTED
							 : IOMMU_FAULT_NOT_MAPPED);
			return MEM_ACCESS_ERROR;
		}
		*run = (*run * 31 + (piece->iova & ~entry->mask) + (u64)iommu) * 31 + piece->iova - start;
		address = (entry->translated & ~entry->mask) | (piece->iova & entry->mask);
		space = world->contents->target_space[iommu];
	}
}

/* One run of bytes of the same place. */
static struct naive_outcome run_access(struct naive_world *world, const struct piece *piece, u8 *bytes,
				       unsigned length, bool write, bool transfer)
{
	const struct naive_place *place = &piece->place;
	bool claimed = place->region != NAIVE_NONE;
	const struct naive_region *region = &world->tree->region[claimed ? place->region : 0];
	struct naive_device *device = &world->contents->device[claimed ? place->region : 0];
	struct naive_outcome outcome = { MEM_OK, 0 };
	unsigned at, i, reason = 0;
	u8 *memory;

	if (!claimed || region->kind == REGION_RESERVED) {
		/* What an IOMMU denies always reads as ones. */
		if (!write && !claimed && place->unclaimed == UNCLAIMED_ZEROS && piece->iommu == NAIVE_NONE)
			memset(bytes, 0, length);
		outcome.result = MEM_DECODE_ERROR;
		reason = IOMMU_FAULT_UNCLAIMED;
	} else if (write && (place->readonly || region->kind == REGION_ROM)) {
		outcome.result = MEM_ACCESS_ERROR;
		reason = IOMMU_FAULT_READONLY;
	} else if (region->kind == REGION_RAM || region->kind == REGION_ROM ||
		   (region->kind == REGION_ROM_DEVICE && !write && region->direct)) {
		memory = world->contents->memory[place->region] + place->offset;
		if (write) {
			memcpy(memory, bytes, length);
			for (i = 0; i < length; i++)
				world->written[place->region][(place->offset + i) / PAGE_SIZE] = 1;
		} else {
			memcpy(bytes, memory, length);
		}
		outcome.done = length;
	} else if (piece->ram_only) {
		outcome.result = MEM_ACCESS_ERROR;
		reason = IOMMU_FAULT_NOT_RAM;
	} else if (!transfer) {
		outcome.result =
			naive_device_access(device, place->offset, bytes, length, write, &world->rings);
	} else {
		for (at = 0; at < length;) {
			unsigned size = 8;
			enum mem_result result;

			while (size && (size > length - at ||
					!naive_device_decodes(device, place->offset + at, size)))
				size /= 2;
			result = size ? naive_device_access(device, place->offset + at, bytes + at, size,
							    write, &world->rings)
				      : MEM_DECODE_ERROR;
			if (result == MEM_OK && outcome.result == MEM_OK)
				outcome.done += size;
			outcome.result |= result;
			at += size ? size : 1;
		}
	}
	for (i = 0; reason && piece->iommu != NAIVE_NONE && i < length; i++)
		fault(world, piece->iommu, piece->iova + i, write ? MEM_WRITE : MEM_READ, reason);
	return outcome;
}

struct naive_outcome naive_access(struct naive_world *world, int space, u64 address, u8 *bytes,
				  unsigned length, bool write, bool transfer)
{
	struct naive_outcome all = { MEM_OK, 0 };
	struct piece piece[NAIVE_TRANSFER];
	enum mem_result result[NAIVE_TRANSFER];
	u64 run[NAIVE_TRANSFER];
	unsigned i, first, past = 0;

	if (!write)
		memset(bytes, 0xff, length);
	if (length && address + (length - 1) < address) { /* what is beyond 2^64 */
		past = (unsigned)(address + length);
		length -= past;
	}
	for (i = 0; i < length; i++)
		result[i] =
			follow(world, space, address + i, write ? MEM_WRITE : MEM_READ, &piece[i], &run[i]);
	for (first = 0; first < length; first = i) {
		struct naive_outcome part = { result[first], 0 };

		for (i = first + 1; i < length; i++)
			if (result[first] != MEM_OK || result[i] != MEM_OK || run[i] != run[first] ||
			    !naive_continues(&piece[i - 1].place, &piece[i].place))
				break;
		if (result[first] == MEM_OK)
			part = run_access(world, &piece[first], bytes + first, i - first, write,
					  transfer || past || i - first != length);
		if (all.result == MEM_OK)
			all.done += part.done;
		all.result |= part.result;
	}
	if (past)
		all.result |= MEM_DECODE_ERROR;
	return all;
}

/* MEM_OK: memory that can be mapped; MEM_ERROR: only a bounce buffer will do. Else why not at all. */
static enum mem_result mappable(const struct naive_world *world, const struct piece *piece, u32 access,
				u32 *reason)
{
	const struct naive_place *place = &piece->place;
	const struct naive_region *region;

	*reason = IOMMU_FAULT_UNCLAIMED;
	if (place->region == NAIVE_NONE)
		return MEM_DECODE_ERROR;
	region = &world->tree->region[place->region];
	if (region->kind == REGION_RESERVED)
		return MEM_DECODE_ERROR;
	*reason = IOMMU_FAULT_READONLY;
	if (access & MEM_WRITE && (place->readonly || region->kind == REGION_ROM))
		return MEM_ACCESS_ERROR;
	if (region->kind == REGION_RAM || region->kind == REGION_ROM ||
	    (region->kind == REGION_ROM_DEVICE && region->direct && !(access & MEM_WRITE)))
		return MEM_OK;
	*reason = IOMMU_FAULT_NOT_RAM;
	return piece->ram_only ? MEM_ACCESS_ERROR : MEM_ERROR;
}

struct naive_outcome naive_map(struct naive_world *world, int space, u64 address, unsigned length, u32 access,
			       unsigned slot, struct naive_place *place)
{
	struct naive_outcome outcome = { MEM_OK, 0 };
	struct piece first, piece, previous;
	u64 run, first_run, told;
	u32 reason, again;
	unsigned i;

	outcome.result = follow(world, space, address, access, &first, &first_run);
	told = (u64)world->faults;
	if (outcome.result == MEM_OK) {
		outcome.result = mappable(world, &first, access, &reason);
		if (outcome.result != MEM_OK && outcome.result != MEM_ERROR && first.iommu != NAIVE_NONE)
			fault(world, first.iommu, first.iova, access, reason);
		told = (u64)world->faults;
	}
	*place = first.place;
	previous = first;
	for (i = 1; i < length && outcome.result <= MEM_ERROR; i++) {
		enum mem_result result;

		if (address + i == 0)
			break;
		result = follow(world, space, address + i, access, &piece, &run);
		if (result != MEM_OK || !naive_continues(&previous.place, &piece.place) ||
		    piece.iommu != first.iommu ||
		    (first.iommu != NAIVE_NONE && piece.iova != previous.iova + 1) ||
		    mappable(world, &piece, access, &again) != outcome.result)
			break;
		/* Through other pages only for memory: a bounce buffer is of one translation. */
		if (outcome.result == MEM_ERROR && run != first_run)
			break;
		previous = piece;
	}
	world->faults = (int)told; /* what lies behind the mapping is not asked for */
	outcome.done = outcome.result == MEM_ERROR && i > slot ? slot : i;
	return outcome;
}
