// SPDX-License-Identifier: BSD-2-Clause
#include "mm/mtree.h"

#include <stdio.h>
#include <string.h>

#include "mm/dirty.h"

#define LINE_MAX_CHARS 224

static void print_region(const struct region *region, u64 base, unsigned level, mtree_emit emit, void *to)
{
	u64 last = region->last > ~0ull - base ? ~0ull : base + region->last;
	char line[LINE_MAX_CHARS], more[64] = "";

	if (region->kind == REGION_ALIAS)
		snprintf(more, sizeof(more), " -> %.24s +0x%llx", region->target->name,
			 (unsigned long long)region->alias_offset);
	else if (region->kind == REGION_CONTAINER && region->unclaimed != UNCLAIMED_INHERIT)
		snprintf(more, sizeof(more), " (unclaimed: %s)", unclaimed_name(region->unclaimed));
	snprintf(line, sizeof(line), "%*s%016llx-%016llx (prio %d, %s): %.24s%s%s%s%s",
		 (int)MIN(2 * level, 24u), "", (unsigned long long)base, (unsigned long long)last,
		 (int)region->priority, region_kind_name(region->kind), region->name, more,
		 region->enabled ? "" : " [disabled]", region->readonly ? " [read-only]" : "",
		 region_dirty_logging(region) ? " [dirty log]" : "");
	emit(to, line);
	if (level > REGION_DEPTH_MAX)
		return;
	for (const struct region *child = region->children; child; child = child->next)
		print_region(child, base + child->offset, level + 1, emit, to);
}

void mtree_print(const struct address_space *as, mtree_emit emit, void *to)
{
	char line[LINE_MAX_CHARS];

	snprintf(line, sizeof(line), "address space: %.48s (unclaimed: %s%s)", as->name,
		 unclaimed_name((enum unclaimed)as->unclaimed), as->ram_only ? "; RAM only" : "");
	emit(to, line);
	print_region(as->root, 0, 1, emit, to);
}

static const char *section_kind_name(const struct section *section)
{
	static const char *const names[] = {
		[SECTION_UNCLAIMED] = "-",	     [SECTION_RAM] = "ram",   [SECTION_ROM] = "rom",
		[SECTION_ROM_DEVICE] = "rom device", [SECTION_MMIO] = "mmio", [SECTION_RESERVED] = "reserved",
		[SECTION_IOMMU] = "iommu",
	};

	return names[section->kind];
}

void mtree_print_flat(const struct address_space *as, mtree_emit emit, void *to)
{
	const struct flatview *view = as_view(as);
	struct as_usage usage;
	char line[LINE_MAX_CHARS];

	for (u32 i = 0; i < view->count; i++) {
		const struct section *section = &view->sections[i];
		const char *name = section->region ? section->region->name : "";

		if (section->kind == SECTION_UNCLAIMED)
			snprintf(line, sizeof(line), "  %016llx-%016llx unclaimed (%s) %.24s",
				 (unsigned long long)section->first, (unsigned long long)section->last,
				 unclaimed_name((enum unclaimed)section->unclaimed), name);
		else
			snprintf(line, sizeof(line), "  %016llx-%016llx %s: %.24s @%llx%s%s%s",
				 (unsigned long long)section->first, (unsigned long long)section->last,
				 section_kind_name(section), name, (unsigned long long)section->offset,
				 section->flags & SECTION_READONLY ? " read-only" : "",
				 section->flags & SECTION_DIRTY_LOG ? " dirty log" : "",
				 section->flags & SECTION_NO_OPS ? " refused" : "");
		emit(to, line);
	}
	as_get_usage(as, &usage);
	snprintf(line, sizeof(line),
		 "%.48s: %u ranges in %u sections, %lu bytes; %lu bytes kept for rebuilding", as->name,
		 (unsigned)usage.ranges, (unsigned)usage.sections, (unsigned long)usage.bytes,
		 (unsigned long)usage.scratch);
	emit(to, line);
}
