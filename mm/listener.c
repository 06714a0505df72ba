// SPDX-License-Identifier: BSD-2-Clause
/* The exact differences between two flat views: both are sorted, so one walk over the two finds them. */
#include <string.h>

#include "mm/flatview.h"

bool section_equal(const struct section *a, const struct section *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* The same memory at the same place, with other rights: what a listener can adjust in place. */
static bool only_flags_differ(const struct section *a, const struct section *b)
{
	return a->first == b->first && a->last == b->last && a->region == b->region &&
	       a->offset == b->offset && a->host == b->host &&
	       (a->kind == b->kind || (a->host && a->kind <= SECTION_ROM));
}

/* The section of `view` that starts where `section` does; NULL if none, or unclaimed. `at` only moves up. */
static const struct section *partner(const struct flatview *view, u32 *at, const struct section *section)
{
	if (!view)
		return NULL;
	while (*at < view->count && view->sections[*at].first < section->first)
		++*at;
	if (*at == view->count || view->sections[*at].first != section->first ||
	    view->sections[*at].kind == SECTION_UNCLAIMED)
		return NULL;
	return &view->sections[*at];
}

static bool stays(const struct mem_listener *listener, const struct section *old, const struct section *now)
{
	return old && now && (section_equal(old, now) || (listener->change && only_flags_differ(old, now)));
}

void flatview_tell(struct mem_listener *listener, const struct flatview *old, const struct flatview *now)
{
	u32 at = 0;

	if (listener->begin)
		listener->begin(listener);
	for (u32 i = 0; old && listener->remove && i < old->count; i++) {
		const struct section *section = &old->sections[i];

		if (section->kind != SECTION_UNCLAIMED &&
		    !stays(listener, section, partner(now, &at, section)))
			listener->remove(listener, section);
	}
	at = 0;
	for (u32 i = 0; now && i < now->count; i++) {
		const struct section *section = &now->sections[i];
		const struct section *before;

		if (section->kind == SECTION_UNCLAIMED)
			continue;
		before = partner(old, &at, section);
		if (!stays(listener, before, section)) {
			if (listener->add)
				listener->add(listener, section);
		} else if (!section_equal(before, section)) {
			listener->change(listener, before, section);
		} else if (listener->keep) {
			listener->keep(listener, section);
		}
	}
	if (listener->commit)
		listener->commit(listener);
}
