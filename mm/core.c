// SPDX-License-Identifier: BSD-2-Clause
#include "mm/core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/flatview.h"
#include "mm/space.h"
#include "mm/spin.h"

void mem_core_init(struct mem_core *core)
{
	*core = (struct mem_core){ .epoch = 1, .next_view_id = 1 };
	mem_reader_online(core, &core->main);
}

void mem_core_destroy(struct mem_core *core)
{
	mem_reader_offline(&core->main);
	mem_core_reclaim(core);
	free(core->scratch.spans);
	free(core->scratch.work);
	*core = (struct mem_core){ 0 };
}

void mem_transaction_begin(struct mem_core *core)
{
	core->depth++;
}

/* Publish first: a listener that looks something up finds what it is being told. */
static int rebuild(struct address_space *as)
{
	struct mem_core *core = as->core;
	struct flatview *old = as->view, *view;
	int error = flatview_build(core, as->root, as->unclaimed, as->ram_only, &view);

	if (error)
		return error;
	core->rebuilds++;
	__atomic_store_n(&as->view, view, __ATOMIC_RELEASE);
	for (struct mem_listener *listener = as->listeners; listener; listener = listener->next)
		flatview_tell(listener, old, view);
	if (old) {
		old->next_retired = core->retired;
		core->retired = old;
		old->retired_in = __atomic_add_fetch(&core->epoch, 1, __ATOMIC_SEQ_CST);
	}
	return 0;
}

int mem_transaction_commit(struct mem_core *core)
{
	struct address_space *failed = NULL, *as;
	int result = 0;

	if (!core->depth)
		return -EINVAL;
	if (core->depth > 1) {
		core->depth--;
		return 0;
	}
	/*
	 * The transaction stays open meanwhile: what a listener changes is marked, and comes round in this
	 * loop.
	 */
	while ((as = core->dirty) != NULL) {
		int error;

		core->dirty = as->next_dirty;
		as->dirty = false;
		error = rebuild(as);
		if (!error)
			continue;
		result = error;
		as->next_dirty = failed;
		failed = as;
	}
	for (as = failed; as; as = as->next_dirty)
		as->dirty = true;
	core->dirty = failed;
	core->depth = 0;
	mem_core_reclaim(core);
	return result;
}

void mem_reader_online(struct mem_core *core, struct mem_reader *reader)
{
	reader->core = core;
	if (reader != &core->main)
		__atomic_store_n(&core->shared, true, __ATOMIC_SEQ_CST);
	spin_lock(&core->lock);
	/*
	 * Under the lock: a writer that does not find this reader has published before, and the reader sees
	 * that.
	 */
	__atomic_store_n(&reader->seen, __atomic_load_n(&core->epoch, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
	reader->next = core->readers;
	core->readers = reader;
	spin_unlock(&core->lock);
}

void mem_reader_offline(struct mem_reader *reader)
{
	struct mem_core *core = reader->core;
	struct mem_reader **link;

	spin_lock(&core->lock);
	for (link = &core->readers; *link; link = &(*link)->next) {
		if (*link == reader) {
			*link = reader->next;
			break;
		}
	}
	spin_unlock(&core->lock);
	__atomic_store_n(&reader->seen, 0, __ATOMIC_RELEASE);
}

/* The epoch that every online reader but `self` has seen. */
static u64 epoch_seen_by_all(struct mem_core *core, const struct mem_reader *self)
{
	u64 seen = ~0ull;

	spin_lock(&core->lock);
	for (struct mem_reader *reader = core->readers; reader; reader = reader->next) {
		/* One load: MIN would make two, and take the later for the earlier. */
		u64 its = __atomic_load_n(&reader->seen, __ATOMIC_ACQUIRE);

		if (reader != self && its < seen)
			seen = its;
	}
	spin_unlock(&core->lock);
	return seen;
}

void mem_core_reclaim(struct mem_core *core)
{
	struct flatview **link = &core->retired, *view;
	u64 seen;

	if (!core->retired)
		return;
	seen = epoch_seen_by_all(core, NULL);
	while (*link && (*link)->retired_in > seen)
		link = &(*link)->next_retired;
	view = *link;
	*link = NULL;
	while (view) {
		struct flatview *next = view->next_retired;

		flatview_free(view);
		view = next;
	}
}

void mem_synchronize(struct mem_core *core, struct mem_reader *self)
{
	u64 epoch = __atomic_add_fetch(&core->epoch, 1, __ATOMIC_SEQ_CST);

	while (epoch_seen_by_all(core, self) < epoch)
		__builtin_ia32_pause();
}
