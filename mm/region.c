// SPDX-License-Identifier: BSD-2-Clause
#include "mm/region.h"

#include <errno.h>
#include <string.h>

#include "mm/dirty.h"
#include "mm/dispatch.h"
#include "mm/doorbell.h"
#include "mm/log.h"
#include "mm/space.h"

/*
 * Trees are small; more steps than this in one search means aliases that multiply, and is treated like a
 * loop.
 */
#define SEARCH_STEPS 100000

static void region_init(struct region *region, enum region_kind kind, const char *name, u128 size)
{
	*region = (struct region){
		.name = name,
		.kind = (u8)kind,
		.last = (u64)(size - 1),
		.empty = size == 0 || size > REGION_SIZE_WHOLE,
		.enabled = true,
	};
}

static void region_init_ops(struct region *region, const struct region_ops *ops, void *device)
{
	region->ops = ops;
	region->device = device;
	region->empty |= !region_ops_valid(ops);
}

void region_init_container(struct region *region, const char *name, u128 size)
{
	region_init(region, REGION_CONTAINER, name, size);
}

void region_init_container_ops(struct region *region, const char *name, u128 size,
			       const struct region_ops *ops, void *device)
{
	region_init(region, REGION_CONTAINER, name, size);
	region_init_ops(region, ops, device);
}

void region_init_ram(struct region *region, const char *name, u128 size, void *host)
{
	region_init(region, REGION_RAM, name, size);
	region->host = host;
	region->empty |= !host;
}

void region_init_rom(struct region *region, const char *name, u128 size, void *host)
{
	region_init_ram(region, name, size, host);
	region->kind = REGION_ROM;
}

void region_init_rom_device(struct region *region, const char *name, u128 size, void *host,
			    const struct region_ops *ops, void *device)
{
	region_init_ram(region, name, size, host);
	region->kind = REGION_ROM_DEVICE;
	region->direct = true;
	region_init_ops(region, ops, device);
}

void region_init_mmio(struct region *region, const char *name, u128 size, const struct region_ops *ops,
		      void *device)
{
	region_init(region, REGION_MMIO, name, size);
	region_init_ops(region, ops, device);
}

void region_init_alias(struct region *region, const char *name, u128 size, struct region *target, u64 offset)
{
	region_init(region, REGION_ALIAS, name, size);
	region->target = target;
	region->alias_offset = offset;
	region->empty |= !target;
}

void region_init_reserved(struct region *region, const char *name, u128 size)
{
	region_init(region, REGION_RESERVED, name, size);
}

void region_destroy(struct region *region)
{
	region_dirty_free(region);
	region->empty = true;
}

/*
 * ---- who can see a region
 * -----------------------------------------------------------------------------------
 */

/*
 * Calls `visit` for each space in which a change of `region` can show: upwards through parents and linked
 * aliases, as far as they are enabled. Whether `region` itself is, is the caller's question.
 */
static void each_space_above(struct region *region, void (*visit)(struct address_space *as, void *to),
			     void *to, unsigned *steps)
{
	if (!*steps)
		return;
	--*steps;
	for (struct address_space *as = region->spaces; as; as = as->next_of_root)
		visit(as, to);
	for (struct region *alias = region->aliases; alias; alias = alias->next_alias) {
		if (alias->enabled)
			each_space_above(alias, visit, to, steps);
	}
	if (region->parent && region->parent->enabled)
		each_space_above(region->parent, visit, to, steps);
}

void region_each_space(struct region *region, void (*visit)(struct address_space *as, void *to), void *to)
{
	unsigned steps = SEARCH_STEPS;

	each_space_above(region, visit, to, &steps);
}

static void mark_dirty(struct address_space *as, void *to)
{
	(void)to;
	if (as->dirty)
		return;
	as->dirty = true;
	as->next_dirty = as->core->dirty;
	as->core->dirty = as;
}

/* A commit rebuilds all that is dirty; what could not be built stays so, and is not tried for each way to it. */
static void commit_if_alone(struct address_space *as, void *to)
{
	struct mem_core **tried = to;

	if (*tried == as->core || !as->dirty || as->core->depth)
		return;
	*tried = as->core;
	mem_transaction_begin(as->core);
	mem_transaction_commit(as->core);
}

/* Before a change that cuts the way upwards, and after any other one. */
static void mark_above(struct region *region)
{
	region_each_space(region, mark_dirty, NULL);
}

/* After the change: rebuilds what is not in a transaction. */
static void commit_above(struct region *region)
{
	struct mem_core *tried = NULL;

	region_each_space(region, commit_if_alone, &tried);
}

void as_mark_dirty(struct address_space *as)
{
	struct mem_core *tried = NULL;

	mark_dirty(as, NULL);
	commit_if_alone(as, &tried);
}

void region_changed(struct region *region)
{
	if (!region->enabled)
		return;
	mark_above(region);
	commit_above(region);
}

/*
 * ---- loops
 * --------------------------------------------------------------------------------------------------
 */

/*
 * Is `wanted` at or above `region`? `depth` grows to the longest way up; true also when that or the search is
 * too long.
 */
static bool is_above(const struct region *region, const struct region *wanted, unsigned level,
		     unsigned *depth, unsigned *steps)
{
	*depth = MAX(*depth, level);
	if (region == wanted || level > REGION_DEPTH_MAX || !*steps)
		return true;
	--*steps;
	if (region->parent && is_above(region->parent, wanted, level + 1, depth, steps))
		return true;
	for (const struct region *alias = region->aliases; alias; alias = alias->next_alias) {
		if (is_above(alias, wanted, level + 1, depth, steps))
			return true;
	}
	return false;
}

/*
 * Containers and aliases from `region` down to its deepest leaf; too many if `unwanted` is among them.
 * Downwards, because aliases that nobody shows yet are not linked to their targets.
 */
static unsigned height(const struct region *region, const struct region *unwanted, unsigned level,
		       unsigned *steps)
{
	unsigned deepest = level;

	if (region == unwanted || level > REGION_DEPTH_MAX || !*steps)
		return REGION_DEPTH_MAX + 1;
	--*steps;
	if (region->target)
		return height(region->target, unwanted, level + 1, steps);
	for (const struct region *child = region->children; child && deepest <= REGION_DEPTH_MAX;
	     child = child->next) {
		unsigned below = height(child, unwanted, level + 1, steps);

		deepest = MAX(deepest, below);
	}
	return deepest;
}

static bool would_loop(const struct region *parent, const struct region *child)
{
	unsigned depth = 0, up = SEARCH_STEPS, down = SEARCH_STEPS;

	if (is_above(parent, child, 1, &depth, &up))
		return true;
	return depth + height(child, parent, 1, &down) > REGION_DEPTH_MAX;
}

/*
 * ---- linking
 * ------------------------------------------------------------------------------------------------
 */

/* An alias of an alias is seen by way of both: whoever links the first one links the second one too. */
void region_link_alias(struct region *region)
{
	for (; region->target && !region->links++; region = region->target) {
		region->next_alias = region->target->aliases;
		region->target->aliases = region;
	}
}

void region_unlink_alias(struct region *region)
{
	for (; region->target && !--region->links; region = region->target) {
		struct region **link = &region->target->aliases;

		while (*link != region)
			link = &(*link)->next_alias;
		*link = region->next_alias;
	}
}

/* In the order that region.h gives. */
static void link_child(struct region *parent, struct region *child)
{
	struct region **link = &parent->children;

	while (*link && ((*link)->priority > child->priority ||
			 ((*link)->priority == child->priority && (*link)->offset < child->offset)))
		link = &(*link)->next;
	child->next = *link;
	*link = child;
}

static void unlink_child(struct region *child)
{
	struct region **link = &child->parent->children;

	while (*link != child)
		link = &(*link)->next;
	*link = child->next;
}

static u64 last_in_parent(const struct region *child, u64 offset)
{
	return child->last > ~0ull - offset ? ~0ull : offset + child->last;
}

static const struct region *find_tie(const struct region *parent, u64 offset, const struct region *child,
				     s32 priority)
{
	u64 last = last_in_parent(child, offset);

	for (const struct region *other = parent->children; other; other = other->next) {
		if (other->priority == priority && other->enabled && other->offset <= last &&
		    last_in_parent(other, other->offset) >= offset)
			return other;
		if (other->priority < priority)
			break;
	}
	return NULL;
}

int region_add_overlapping(struct region *parent, u64 offset, struct region *child, s32 priority)
{
	const char *why = NULL;
	int error = -EINVAL;

	if (parent->kind != REGION_CONTAINER) {
		why = "is no container";
	} else if (child->empty) {
		why = "cannot take a region without size, memory or possible ops";
	} else if (child->parent) {
		why = "cannot take a region that has a parent";
		error = -EBUSY;
	} else if (would_loop(parent, child)) {
		why = "would contain itself, or be nested too deeply";
		error = -ELOOP;
	}
	if (why) {
		log_error("region '%s' %s: '%s' is not added", parent->name, why, child->name);
		return error;
	}
	child->parent = parent;
	child->offset = offset;
	child->priority = priority;
	link_child(parent, child);
	region_link_alias(child);
	region_changed(child);
	return 0;
}

int region_add(struct region *parent, u64 offset, struct region *child, s32 priority)
{
	bool there = child->enabled && !child->empty;
	const struct region *other = there ? find_tie(parent, offset, child, priority) : NULL;

	if (other && other != child) {
		log_error(
			"region '%s' 0x%llx-0x%llx overlaps '%s' 0x%llx-0x%llx in '%s', both of priority %d",
			child->name, (unsigned long long)offset,
			(unsigned long long)last_in_parent(child, offset), other->name,
			(unsigned long long)other->offset,
			(unsigned long long)last_in_parent(other, other->offset), parent->name,
			(int)priority);
		return -EEXIST;
	}
	return region_add_overlapping(parent, offset, child, priority);
}

void region_remove(struct region *child)
{
	struct region *parent = child->parent;

	if (!parent)
		return;
	if (child->enabled && parent->enabled)
		mark_above(parent);
	unlink_child(child);
	child->parent = NULL;
	region_unlink_alias(child);
	commit_above(parent);
}

/*
 * ---- changes
 * ------------------------------------------------------------------------------------------------
 */

void region_set_enabled(struct region *region, bool enabled)
{
	if (region->enabled == enabled)
		return;
	region->enabled = enabled;
	mark_above(region);
	commit_above(region);
}

void region_set_offset(struct region *region, u64 offset)
{
	if (!region->parent || region->offset == offset)
		return;
	unlink_child(region);
	region->offset = offset;
	link_child(region->parent, region);
	region_changed(region);
}

void region_set_alias_offset(struct region *alias, u64 offset)
{
	if (alias->alias_offset == offset)
		return;
	alias->alias_offset = offset;
	region_changed(alias);
}

int region_resize(struct region *region, u128 size)
{
	if (size == 0 || size > REGION_SIZE_WHOLE)
		return -EINVAL;
	if (region->last == (u64)(size - 1))
		return 0;
	coalesced_flush(region); /* its writes were to the region as it is */
	region->last = (u64)(size - 1);
	region_changed(region);
	return 0;
}

void region_set_readonly(struct region *region, bool readonly)
{
	if (region->readonly == readonly)
		return;
	region->readonly = readonly;
	region_changed(region);
}

void region_set_direct(struct region *rom_device, bool direct)
{
	if (rom_device->direct == direct)
		return;
	rom_device->direct = direct;
	region_changed(rom_device);
}

void region_set_unclaimed(struct region *container, enum unclaimed policy)
{
	if (container->unclaimed == policy)
		return;
	container->unclaimed = (u8)policy;
	region_changed(container);
}

const char *region_kind_name(enum region_kind kind)
{
	static const char *const names[] = { "container", "ram",   "rom",      "rom device",
					     "mmio",	  "alias", "reserved", "iommu" };

	return (unsigned)kind < ARRAY_SIZE(names) ? names[kind] : "?";
}

const char *unclaimed_name(enum unclaimed policy)
{
	static const char *const names[] = { "inherit", "ones", "zeros", "fault", "stop" };

	return (unsigned)policy < ARRAY_SIZE(names) ? names[policy] : "?";
}
