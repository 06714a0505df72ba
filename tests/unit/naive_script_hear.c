// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_play.h"

#include <string.h>

/*
 * ---- devices and translators, the core's side
 * ---------------------------------------------------------------
 */

static bool impl_takes(const struct mem_sizes *impl, u64 offset, unsigned size)
{
	unsigned min = impl->min ? impl->min : 1, max = impl->max ? impl->max : 8;

	return size >= min && size <= max && !(size & (size - 1)) && (impl->unaligned || offset % size == 0);
}

static void check_call(struct script_device *device, u64 offset, unsigned size)
{
	struct script *s = device->script;

	if (!impl_takes(&s->ops[device->number].impl, offset, size))
		script_fail(s, "device r%d is called with offset 0x%llx size %u", device->number, (ull)offset,
			    size);
	if ((u128)offset + size > s->now.region[device->number].size &&
	    (u128)offset + size > s->seen.region[device->number].size)
		script_fail(s, "device r%d is called past its end: 0x%llx size %u", device->number,
			    (ull)offset, size);
	if (s->naive_space[2].ram_only && s->heard[2].open)
		script_fail(s, "device r%d is called while a listener is told of changes", device->number);
}

enum mem_result script_device_read(void *opaque, u64 offset, unsigned size, u64 *value)
{
	struct script_device *device = opaque;

	check_call(device, offset, size);
	*value = naive_device_get(&device->state, offset, size);
	return naive_device_touch(&device->state, offset, size) ? MEM_OK : MEM_ERROR;
}

enum mem_result script_device_write(void *opaque, u64 offset, unsigned size, u64 value)
{
	struct script_device *device = opaque;

	check_call(device, offset, size);
	if (value & ~mem_size_mask(size))
		script_fail(device->script, "a write of %u bytes has value 0x%llx", size, (ull)value);
	if (!naive_device_touch(&device->state, offset, size))
		return MEM_ERROR;
	naive_device_put(&device->state, offset, size, value);
	return MEM_OK;
}

static struct script *script_of_iommu(const struct iommu_region *iommu)
{
	return iommu->region.device;
}

static struct iommu_entry translate(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	struct script *s = script_of_iommu(iommu);
	const struct naive_entry *found =
		naive_translate(&s->contents, script_number(s, &iommu->region), iova);

	(void)access;
	if (!found)
		return (struct iommu_entry){ .iova = iova,
					     .mask = PAGE_MASK,
					     .reason = IOMMU_FAULT_NOT_MAPPED };
	return (struct iommu_entry){
		.iova = iova,
		.translated = found->translated | (iova & found->mask & 0xff), /* bits that do not count */
		.mask = found->mask,
		.perm = found->permission,
		.reason = found->permission ? IOMMU_FAULT_NOT_PERMITTED : IOMMU_FAULT_NOT_MAPPED,
	};
}

static void hear_fault(struct iommu_region *iommu, u64 iova, u64 length, enum mem_access access,
		       unsigned reason)
{
	struct script *s = script_of_iommu(iommu);
	u64 i;

	for (i = 0; i < length && s->faults < NAIVE_FAULTS; i++)
		s->fault[s->faults++] =
			(struct naive_fault){ script_number(s, &iommu->region), iova + i, access, reason };
}

const struct iommu_ops script_translator = { .translate = translate, .fault = hear_fault };

/*
 * ---- listeners: what was told must add up to the view
 * -------------------------------------------------------
 */

static void listen_begin(struct mem_listener *listener)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);

	if (l->open)
		script_fail(l->script, "a listener hears begin twice");
	l->open = true;
	l->adding = false;
	l->told = 0;
	l->last_first = 0;
}

static void listen_order(struct script_listener *l, const struct section *section)
{
	if (!l->open || section->kind == SECTION_UNCLAIMED || (l->told && section->first <= l->last_first))
		script_fail(l->script, "a listener hears 0x%llx at a wrong place", (ull)section->first);
	l->told++;
	l->last_first = section->first;
}

static unsigned listen_find(struct script_listener *l, u64 first)
{
	unsigned i = 0;

	while (i < l->count && l->known[i].first < first)
		i++;
	return i;
}

static bool listen_knows(struct script_listener *l, unsigned at, const struct section *section)
{
	return at < l->count && section_equal(&l->known[at], section);
}

static void listen_remove(struct mem_listener *listener, const struct section *section)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);
	unsigned at = listen_find(l, section->first);

	listen_order(l, section);
	if (l->adding)
		script_fail(l->script, "a listener hears a removal after an addition");
	if (l->overflow)
		return;
	if (!listen_knows(l, at, section)) {
		script_fail(l->script, "a listener hears the removal of 0x%llx, which it does not know",
			    (ull)section->first);
		return;
	}
	l->count--;
	memmove(&l->known[at], &l->known[at + 1], (l->count - at) * sizeof(l->known[0]));
}

static void listen_additions(struct script_listener *l)
{
	if (l->adding)
		return;
	l->adding = true;
	l->told = 0;
}

static void listen_add(struct mem_listener *listener, const struct section *section)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);
	unsigned at = listen_find(l, section->first);

	listen_additions(l);
	listen_order(l, section);
	l->overflow |= l->count == EXPECTED;
	if (l->overflow)
		return;
	if ((at < l->count && l->known[at].first <= section->last) ||
	    (at && l->known[at - 1].last >= section->first))
		script_fail(l->script, "a listener hears the addition of 0x%llx over something",
			    (ull)section->first);
	memmove(&l->known[at + 1], &l->known[at], (l->count - at) * sizeof(l->known[0]));
	l->known[at] = *section;
	l->count++;
}

static void listen_keep(struct mem_listener *listener, const struct section *section)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);

	listen_additions(l);
	listen_order(l, section);
	if (!l->overflow && !listen_knows(l, listen_find(l, section->first), section))
		script_fail(l->script, "a listener is to keep 0x%llx, which it does not know",
			    (ull)section->first);
}

static void listen_change(struct mem_listener *listener, const struct section *old, const struct section *now)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);
	unsigned at = listen_find(l, now->first);

	listen_additions(l);
	listen_order(l, now);
	if (l->overflow)
		return;
	if (!listen_knows(l, at, old) || section_equal(old, now) || old->first != now->first ||
	    old->last != now->last || old->region != now->region || old->offset != now->offset ||
	    old->host != now->host)
		script_fail(l->script, "a listener hears a change of 0x%llx that is none", (ull)now->first);
	else
		l->known[at] = *now;
}

static void listen_commit(struct mem_listener *listener)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);
	const struct flatview *view = as_view(&l->script->space[l - l->script->heard]);
	unsigned at = 0;
	u32 i;

	if (!l->open)
		script_fail(l->script, "a listener hears commit without begin");
	l->open = false;
	for (i = 0; i < view->count && !l->overflow && !l->leaving; i++) {
		if (view->sections[i].kind == SECTION_UNCLAIMED)
			continue;
		if (!listen_knows(l, at++, &view->sections[i]))
			script_fail(l->script, "what a listener heard is not the view at 0x%llx",
				    (ull)view->sections[i].first);
	}
	if (!l->overflow && at != l->count)
		script_fail(l->script, "a listener knows %u sections, the view has %u", l->count, at);
}

void script_listen(struct script *s, int space, bool changes)
{
	s->heard[space].script = s;
	s->heard[space].listener = (struct mem_listener){ .begin = listen_begin,
							  .remove = listen_remove,
							  .add = listen_add,
							  .keep = listen_keep,
							  .change = changes ? listen_change : NULL,
							  .commit = listen_commit };
	as_listen(&s->space[space], &s->heard[space].listener);
}
