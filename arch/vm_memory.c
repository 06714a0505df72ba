// SPDX-License-Identifier: BSD-2-Clause
/*
 * EPT follows the flat view: what is memory there is mapped, whole pages only; everything else stays out, and so traps.
 */
#include "arch/vcpu_internal.h"
#include "mm/dirty.h"

static struct vm *listener_vm(struct mem_listener *listener)
{
	return container_of(listener, struct vm, listener);
}

/* The whole pages of a section. False: none. Their edges, if it has any, trap and go through the dispatch. */
static bool whole_pages(const struct section *section, u64 *gpa, u64 *size)
{
	u64 end = section->last +
		  1; /* 0: the section ends with the address space, where nothing can be mapped */

	*gpa = ALIGN_UP(section->first, PAGE_SIZE);
	if (!section->host || !end || *gpa < section->first || *gpa >= ALIGN_DOWN(end, PAGE_SIZE))
		return false;
	*size = ALIGN_DOWN(end, PAGE_SIZE) - *gpa;
	return true;
}

static unsigned permission(const struct section *section)
{
	if (!(section->flags & SECTION_READ_DIRECT))
		return 0;
	if ((section->flags & SECTION_WRITE_DIRECT) && !(section->flags & SECTION_DIRTY_LOG))
		return EPT_READ | EPT_WRITE | EPT_EXECUTE;
	return EPT_READ | EPT_EXECUTE;
}

static void map_section(struct vm *vm, const struct section *section)
{
	u64 gpa, size;

	if (!permission(section) || !whole_pages(section, &gpa, &size))
		return;
	if (!ept_map(&vm->ept, gpa, size, (u64)section->host + (gpa - section->first), permission(section)))
		vm_fault(vm, "cannot map '%s' at gpa 0x%llx, size 0x%llx: %s", section->region->name,
			 (unsigned long long)gpa, (unsigned long long)size,
			 "no page left for EPT tables, or not memory of this guest");
}

static void listen_add(struct mem_listener *listener, const struct section *section)
{
	map_section(listener_vm(listener), section);
}

static void listen_remove(struct mem_listener *listener, const struct section *section)
{
	u64 gpa, size;

	if (permission(section) && whole_pages(section, &gpa, &size))
		ept_unmap(&listener_vm(listener)->ept, gpa, size);
}

static void listen_change(struct mem_listener *listener, const struct section *old, const struct section *now)
{
	listen_remove(listener, old);
	listen_add(listener, now);
}

static void listen_dirty_cleared(struct mem_listener *listener, const struct section *section, u64 first,
				 u64 last)
{
	struct vm *vm = listener_vm(listener);
	u64 gpa, size;

	if (!whole_pages(section, &gpa, &size))
		return;
	first = MAX(ALIGN_DOWN(first, PAGE_SIZE), gpa);
	last = MIN(last | PAGE_MASK, gpa + size - 1);
	if (first > last)
		return;
	if (!ept_map(&vm->ept, first, last - first + 1, (u64)section->host + (first - section->first),
		     permission(section)))
		vm_fault(vm, "no page left for EPT tables at gpa 0x%llx", (unsigned long long)first);
	vm->vcpu->todo |= TODO_MAPS;
}

/* The processor's copies of what was taken away, and the old view, are dropped before the next entry. */
static void listen_commit(struct mem_listener *listener)
{
	listener_vm(listener)->vcpu->todo |= TODO_MAPS;
}

void vm_memory_attach(struct vm *vm)
{
	vm->listener = (struct mem_listener){
		.add = listen_add,
		.remove = listen_remove,
		.change = listen_change,
		.commit = listen_commit,
		.dirty_cleared = listen_dirty_cleared,
	};
	as_listen(vm->config.memory, &vm->listener);
}

void vm_memory_detach(struct vm *vm)
{
	as_unlisten(vm->config.memory, &vm->listener);
}

bool vm_find_ram(void *context, u64 gpa, struct guest_window *window)
{
	struct vcpu *vcpu = context;
	const struct section *section = as_lookup(vcpu->vm->config.memory, &vcpu->memory_cache, gpa);
	u64 first, size;

	if (!(section->flags & SECTION_READ_DIRECT) || !whole_pages(section, &first, &size) ||
	    gpa - first >= size)
		return false;
	/* Who asks may write an accessed or dirty bit: rather one page too many in the log than one too few. */
	if (section->flags & SECTION_DIRTY_LOG) {
		first = ALIGN_DOWN(gpa, PAGE_SIZE);
		size = PAGE_SIZE;
		region_mark_dirty(section->region, section_offset(section, first), PAGE_SIZE);
	}
	*window = (struct guest_window){ .first = first,
					 .size = size,
					 .host = section->host + (first - section->first),
					 .writable = section->flags & SECTION_WRITE_DIRECT };
	return true;
}
