// SPDX-License-Identifier: BSD-2-Clause
#include "mm/map.h"

#include <string.h>

#include "mm/dirty.h"

void map_client_init(struct map_client *client, const char *name, struct bounce_slot *slots,
		     unsigned slot_count, void *memory, unsigned slot_size, void (*retry)(void *device),
		     void (*revoked)(void *device, struct mem_mapping *mapping), void *device)
{
	*client = (struct map_client){
		.name = name,
		.slots = slots,
		.slot_count = slot_count,
		.slot_size = slot_size,
		.retry = retry,
		.revoked = revoked,
		.device = device,
	};
	for (unsigned i = 0; i < slot_count; i++)
		slots[i] = (struct bounce_slot){ .bytes = (u8 *)memory + (size_t)i * slot_size };
}

/*
 * ---- links to the IOMMU regions that the mapping depends on
 * -------------------------------------------------
 */

/* False: what was translated has been invalidated since; the links must go again. */
static bool link_steps(struct mem_mapping *mapping, const struct iommu_target *target)
{
	bool current = true;

	for (u32 i = 0; i < target->count && current; i++) {
		const struct iommu_step *step = &target->step[i];
		bool locked;

		if (step->iommu->fixed)
			continue;
		locked = iommu_lock_links(step->iommu);
		map_link(mapping, &mapping->links[mapping->state / MAPPING_LINK], step->iommu, step->iova);
		mapping->state += MAPPING_LINK;
		/* Whoever invalidates counts first and looks at the links then: one of the two sees the other. */
		current = __atomic_load_n(&step->iommu->generation, __ATOMIC_SEQ_CST) == step->generation;
		iommu_unlock_links(step->iommu, locked);
	}
	return current;
}

static void unlink_steps(struct mem_mapping *mapping)
{
	for (unsigned i = 0; i < mapping->state / MAPPING_LINK; i++) {
		struct iommu_link *link = &mapping->links[i];
		bool locked = iommu_lock_links(link->iommu);

		map_unlink(link);
		iommu_unlock_links(link->iommu, locked);
	}
}

/*
 * ---- map
 * ----------------------------------------------------------------------------------------------------
 */

/* The next translation goes on where the first one ends: the same regions, the same memory. */
static bool goes_on(const struct iommu_target *start, const struct iommu_target *next, u64 length)
{
	if (next->result != MEM_OK || next->section->region != start->section->region ||
	    !next->section->host || next->section->kind != start->section->kind ||
	    next->address != start->address + length || next->as != start->as || next->count != start->count)
		return false;
	for (u32 i = 0; i < start->count; i++) {
		if (next->step[i].iommu != start->step[i].iommu ||
		    next->step[i].iova != start->step[i].iova + length ||
		    next->step[i].generation != start->step[i].generation)
			return false;
	}
	return true;
}

/*
 * Looks further than the first page as long as memory goes on: what is denied there ends the mapping, and is
 * no fault.
 */
static u64 extend(const struct section *section, u64 address, u64 length, enum mem_access access,
		  const struct iommu_target *start)
{
	u64 got = start->length;

	length = section_clip(section, address, length);
	while (got < length) {
		struct iommu_target next;

		iommu_walk(section, address + got, length - got, access, &next);
		/* Within the section that the first page is in: the mapping knows one. */
		if (!goes_on(start, &next, got) || next.address > start->section->last)
			break;
		got += MIN(next.length, start->section->last - next.address + 1);
	}
	return got;
}

static struct bounce_slot *take_slot(struct map_client *client, struct mem_mapping *mapping)
{
	for (unsigned i = 0; i < client->slot_count; i++) {
		struct bounce_slot *slot = &client->slots[i];

		if (slot->generation & 1)
			continue;
		slot->generation++;
		client->slots_used++;
		mapping->slot = i;
		mapping->slot_generation = slot->generation;
		return slot;
	}
	return NULL;
}

static void put_slot(struct map_client *client, struct bounce_slot *slot)
{
	slot->generation++;
	client->slots_used--;
}

static enum mem_result map_bounced(struct map_client *client, struct mem_mapping *mapping)
{
	struct bounce_slot *slot;
	enum mem_result result;

	if (!client->slot_count)
		return MEM_ACCESS_ERROR;
	slot = take_slot(client, mapping);
	if (!slot) {
		client->waiting = true;
		client->refused++;
		return MEM_AGAIN;
	}
	mapping->state |= MAPPING_BOUNCED;
	mapping->length = MIN(mapping->length, client->slot_size);
	memset(slot->bytes, 0, mapping->length);
	if (mapping->state & MEM_READ) {
		result = as_read(mapping->as, mapping->address, slot->bytes, mapping->length);
		if (result != MEM_OK) {
			put_slot(client, slot);
			return result;
		}
	}
	client->bounced++;
	mapping->host = slot->bytes;
	return MEM_OK;
}

static enum mem_result map_section(struct map_client *client, const struct address_space *as,
				   const struct section *section, u64 address, u64 length,
				   struct mem_mapping *mapping)
{
	u64 at = address - section->first;

	mapping->as = as;
	mapping->address = address;
	mapping->length = length;
	if (!section_is_direct(section, mapping->state & MAPPING_ACCESS))
		return map_bounced(client, mapping);
	mapping->host = section->host + at;
	mapping->region = section->region;
	mapping->offset = section->offset + at;
	return MEM_OK;
}

static void start(struct mem_mapping *mapping, struct map_client *client, enum mem_access access)
{
	mapping->host = NULL;
	mapping->length = 0;
	mapping->client = client;
	mapping->state = access;
	__atomic_store_n(&mapping->revoked, false, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) enum mem_result map_walked(const struct section *section,
							    struct map_client *client, u64 address,
							    u64 length, enum mem_access access,
							    struct mem_mapping *mapping)
{
	for (;;) {
		struct iommu_target target;
		enum mem_result result;
		u64 got;

		iommu_walk(section, address, length, access, &target);
		if (target.result != MEM_OK) {
			iommu_tell(&target, access);
			return target.result;
		}
		got = target.length < length && section_is_direct(target.section, access)
			      ? extend(section, address, length, access, &target)
			      : target.length;
		result = map_section(client, target.as, target.section, target.address, got, mapping);
		if (result != MEM_OK || link_steps(mapping, &target))
			return result;
		/*
		 * Invalidated meanwhile, by another CPU or by what a bounced device did when it was read:
		 * once more.
		 */
		unlink_steps(mapping);
		if (mapping->state & MAPPING_BOUNCED)
			put_slot(client, &client->slots[mapping->slot]);
		start(mapping, client, access);
	}
}

enum mem_result as_map_section(const struct address_space *as, const struct section *section,
			       struct map_client *client, u64 address, u64 length, enum mem_access access,
			       struct mem_mapping *mapping)
{
	enum mem_result result = section_refuses(section, access);

	start(mapping, client, access);
	if (!length)
		result |= MEM_ERROR;
	if (result != MEM_OK)
		return result;
	length = section_clip(section, address, length);
	if (section->kind == SECTION_IOMMU)
		result = map_walked(section, client, address, length, access, mapping);
	else
		result = map_section(client, as, section, address, length, mapping);
	client->maps += result == MEM_OK;
	return result;
}

enum mem_result as_map(const struct address_space *as, struct map_client *client, u64 address, u64 length,
		       enum mem_access access, struct mem_mapping *mapping)
{
	return as_map_cached(as, &(struct section_cache){ 0 }, client, address, length, access, mapping);
}

/*
 * ---- unmap
 * --------------------------------------------------------------------------------------------------
 */

enum mem_result as_unmap_any(struct mem_mapping *mapping, u64 produced)
{
	struct map_client *client = mapping->client;
	struct bounce_slot *slot = NULL;
	enum mem_result result = MEM_OK;

	if (!mapping->host)
		return MEM_ERROR;
	if (mapping->state & MAPPING_BOUNCED) {
		slot = &client->slots[mapping->slot];
		/* A copy of a mapping that was unmapped already: the slot may be another's by now. */
		if (slot->generation != mapping->slot_generation) {
			mapping->host = NULL;
			return MEM_ERROR;
		}
	}
	produced = mapping->state & MEM_WRITE ? MIN(produced, mapping->length) : 0;
	if (!mem_map_valid(mapping))
		result = MEM_ACCESS_ERROR;
	else if (produced && slot)
		result = as_write(mapping->as, mapping->address, slot->bytes, produced);
	else if (produced)
		mem_map_wrote(mapping, 0, produced);
	unlink_steps(mapping);
	mapping->host = NULL;
	mapping->state = 0;
	client->unmaps++;
	if (slot) {
		put_slot(client, slot);
		if (client->waiting) {
			client->waiting = false;
			if (client->retry)
				client->retry(client->device);
		}
	}
	return result;
}
