// SPDX-License-Identifier: BSD-2-Clause
#include "mm/iommu_region.h"

#include "mm/map.h"
#include "mm/space.h"

void region_init_iommu(struct iommu_region *iommu, const char *name, u128 size, const struct iommu_ops *ops,
		       struct address_space *target, bool fixed)
{
	*iommu = (struct iommu_region){ .ops = ops, .target = target, .fixed = fixed };
	region_init_reserved(&iommu->region, name, size);
	iommu->region.kind = REGION_IOMMU;
	iommu->region.empty |= !ops || !ops->translate || !target;
}

const char *iommu_fault_text(unsigned reason)
{
	static const char *const texts[] = {
		[IOMMU_FAULT_NONE] = "no fault",
		[IOMMU_FAULT_NOT_MAPPED] = "not mapped",
		[IOMMU_FAULT_NOT_PERMITTED] = "not permitted",
		[IOMMU_FAULT_CHAIN] = "too many translations in a row",
		[IOMMU_FAULT_UNCLAIMED] = "nothing is there",
		[IOMMU_FAULT_READONLY] = "read-only memory",
		[IOMMU_FAULT_NOT_RAM] = "a device, not RAM",
	};

	return reason < ARRAY_SIZE(texts) ? texts[reason] : "denied by the unit";
}

/*
 * ---- translation
 * --------------------------------------------------------------------------------------------
 */

/* Bytes from `iova` to the end of the block of size mask + 1, at most `length`. */
static u64 clip_to_block(u64 iova, u64 mask, u64 length)
{
	u64 left = mask - (iova & mask);

	return left >= length - 1 ? length : left + 1;
}

static enum mem_result failed(struct iommu_target *target, enum mem_result result, u32 reason)
{
	target->result = result;
	target->reason = reason;
	return result;
}

/* The last section of the chain may still refuse. */
static enum mem_result check_section(struct iommu_target *target, enum mem_access access)
{
	enum mem_result result = section_refuses(target->section, access);

	if (result == MEM_OK)
		return MEM_OK;
	if (result == MEM_DECODE_ERROR)
		return failed(target, result, IOMMU_FAULT_UNCLAIMED);
	if (access & MEM_WRITE && target->section->flags & SECTION_READONLY)
		return failed(target, result, IOMMU_FAULT_READONLY);
	return failed(target, result, IOMMU_FAULT_NOT_RAM);
}

void iommu_walk(const struct section *section, u64 address, u64 length, enum mem_access access,
		struct iommu_target *target)
{
	target->result = MEM_OK;
	target->reason = IOMMU_FAULT_NONE;
	target->length = length;
	for (target->count = 0; target->count < IOMMU_CHAIN_MAX;) {
		struct iommu_region *iommu = region_to_iommu(section->region);
		u64 iova = section_offset(section, address);
		struct iommu_entry entry;

		if (access & MEM_WRITE && unlikely(section->flags & SECTION_READONLY)) {
			failed(target, MEM_ACCESS_ERROR, IOMMU_FAULT_READONLY);
			return;
		}
		target->step[target->count++] = (struct iommu_step){
			.iommu = iommu,
			.iova = iova,
			.generation = __atomic_load_n(&iommu->generation, __ATOMIC_ACQUIRE),
		};
		entry = iommu->ops->translate(iommu, iova, access);
		if (unlikely((entry.perm & access) != access || !entry.perm)) {
			target->length = clip_to_block(iova, entry.mask | PAGE_MASK, target->length);
			failed(target, MEM_ACCESS_ERROR,
			       entry.perm     ? IOMMU_FAULT_NOT_PERMITTED
			       : entry.reason ? entry.reason
					      : IOMMU_FAULT_NOT_MAPPED);
			return;
		}
		target->length = clip_to_block(iova, entry.mask, target->length);
		address = iommu_entry_address(&entry, iova);
		section = iommu_target_section(iommu, address);
		target->length = section_clip(section, address, target->length);
		target->as = iommu->target;
		target->section = section;
		target->address = address;
		if (section->kind != SECTION_IOMMU) {
			check_section(target, access);
			return;
		}
	}
	failed(target, MEM_ACCESS_ERROR, IOMMU_FAULT_CHAIN);
}

void iommu_tell(const struct iommu_target *target, enum mem_access access)
{
	const struct iommu_step *step = &target->step[target->count - 1];

	if (step->iommu->ops->fault)
		step->iommu->ops->fault(step->iommu, step->iova, target->length, access, target->reason);
}

/*
 * ---- notifiers
 * ----------------------------------------------------------------------------------------------
 */

void iommu_notifier_add(struct iommu_region *iommu, struct iommu_notifier *notifier)
{
	notifier->next = iommu->notifiers;
	iommu->notifiers = notifier;
}

void iommu_notifier_remove(struct iommu_region *iommu, struct iommu_notifier *notifier)
{
	for (struct iommu_notifier **link = &iommu->notifiers; *link; link = &(*link)->next) {
		if (*link == notifier) {
			*link = notifier->next;
			return;
		}
	}
}

static void notify(struct iommu_notifier *notifier, struct iommu_region *iommu, unsigned event, u64 first,
		   u64 last, const struct iommu_entry *entry)
{
	if (notifier->events & event && first <= notifier->last && last >= notifier->first)
		notifier->notify(notifier, iommu, event, MAX(first, notifier->first),
				 MIN(last, notifier->last), entry);
}

static void notify_all(struct iommu_region *iommu, unsigned event, u64 first, u64 last,
		       const struct iommu_entry *entry)
{
	for (struct iommu_notifier *notifier = iommu->notifiers, *next; notifier; notifier = next) {
		next = notifier->next;
		notify(notifier, iommu, event, first, last, entry);
	}
}

void iommu_mapped(struct iommu_region *iommu, const struct iommu_entry *entry)
{
	notify_all(iommu, IOMMU_MAP, entry->iova & ~entry->mask, entry->iova | entry->mask, entry);
}

void iommu_replay(struct iommu_region *iommu, struct iommu_notifier *notifier)
{
	u64 at = notifier->first, last = MIN(notifier->last, iommu->region.last);

	if (iommu->ops->replay) {
		iommu->ops->replay(iommu, notifier);
		return;
	}
	while (at <= last) {
		struct iommu_entry entry = iommu->ops->translate(iommu, at, MEM_NONE);
		u64 end = at | entry.mask;

		if (entry.perm)
			notify(notifier, iommu, IOMMU_MAP, at & ~entry.mask, end, &entry);
		else
			end |= PAGE_MASK;
		if (end >= last)
			return;
		at = end + 1;
	}
}

/*
 * ---- invalidation
 * -------------------------------------------------------------------------------------------
 */

/* Once the lock is free the mapping may go at any time: what is needed of it is taken before. */
static struct mem_mapping *revoke_next(struct iommu_region *iommu, u64 first, u64 last,
				       struct map_client **client)
{
	bool locked = iommu_lock_links(iommu);
	struct mem_mapping *found = NULL;

	for (struct iommu_link *link = iommu->links; link && !found; link = link->next) {
		struct mem_mapping *mapping = link->mapping;

		if (link->first <= last && link->first + (mapping->length - 1) >= first && !mapping->revoked)
			found = mapping;
	}
	if (found) {
		*client = found->client;
		__atomic_store_n(&found->revoked, true, __ATOMIC_RELEASE);
	}
	iommu_unlock_links(iommu, locked);
	return found;
}

unsigned iommu_invalidate(struct iommu_region *iommu, u64 first, u64 last)
{
	struct iommu_entry gone = { .iova = first, .mask = last - first };
	struct mem_mapping *mapping;
	struct map_client *client;
	unsigned revoked = 0;

	/*
	 * Before the links: a mapping that is being made and not linked yet sees this, and looks again
	 * (map.c).
	 */
	__atomic_add_fetch(&iommu->generation, 1, __ATOMIC_SEQ_CST);
	while ((mapping = revoke_next(iommu, first, last, &client)) != NULL) {
		revoked++;
		if (client->revoked)
			client->revoked(client->device, mapping);
	}
	notify_all(iommu, IOMMU_UNMAP, first, last, &gone);
	return revoked;
}
