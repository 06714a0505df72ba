// SPDX-License-Identifier: BSD-2-Clause
/* The life of address spaces. What goes through them: transfer.c. */
#include "mm/space.h"

#include <errno.h>

int as_init(struct address_space *as, struct mem_core *core, const char *name, struct region *root,
	    enum unclaimed unclaimed)
{
	int error;

	if (root->empty)
		return -EINVAL;
	*as = (struct address_space){
		.name = name,
		.core = core,
		.root = root,
		.unclaimed = (u8)(unclaimed == UNCLAIMED_INHERIT ? UNCLAIMED_ONES : unclaimed),
	};
	/* Not through a transaction: a space without a view must not be seen by anybody, whatever is open. */
	error = flatview_build(core, root, as->unclaimed, false, &as->view);
	if (error)
		return error;
	core->rebuilds++;
	region_link_alias(root);
	as->next_of_root = root->spaces;
	root->spaces = as;
	return 0;
}

void as_destroy(struct address_space *as)
{
	struct address_space **link;
	struct region *root = as->root;

	for (link = &as->core->dirty; *link; link = &(*link)->next_dirty) {
		if (*link == as) {
			*link = as->next_dirty;
			break;
		}
	}
	for (link = &root->spaces; *link != as; link = &(*link)->next_of_root)
		;
	*link = as->next_of_root;
	region_unlink_alias(root);
	flatview_free(as->view);
	as->view = NULL;
}

void as_set_ram_only(struct address_space *as, bool ram_only)
{
	if (as->ram_only == ram_only)
		return;
	as->ram_only = ram_only;
	as_mark_dirty(as);
}

void as_listen(struct address_space *as, struct mem_listener *listener)
{
	struct mem_listener **link = &as->listeners;

	while (*link)
		link = &(*link)->next;
	listener->next = NULL;
	*link = listener;
	flatview_tell(listener, NULL, as->view);
}

void as_unlisten(struct address_space *as, struct mem_listener *listener)
{
	struct mem_listener **link;

	for (link = &as->listeners; *link; link = &(*link)->next) {
		if (*link == listener) {
			*link = listener->next;
			flatview_tell(listener, as->view, NULL);
			return;
		}
	}
}

void as_get_usage(const struct address_space *as, struct as_usage *usage)
{
	const struct flatview *view = as_view(as);

	*usage = (struct as_usage){
		.sections = view->count,
		.bytes = view->bytes,
		.scratch = as->core->scratch.bytes,
	};
	for (u32 i = 0; i < view->count; i++)
		usage->ranges += view->sections[i].kind != SECTION_UNCLAIMED;
}
