/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the address spaces of one machine share: transactions, and the life of flat views.
 *
 * Writers (whoever adds, moves, enables regions) of one core are serialised by the caller. Readers never
 * lock: they load a space's current view and use it until their next quiescent point. A view that was
 * replaced is freed when every online reader has passed one. A VM exit boundary is such a point: nothing of a
 * view, no `struct section *`, may be kept over it (a `struct section_cache` may: it checks itself).
 */
#ifndef MM_CORE_H
#define MM_CORE_H

#include "mm/types.h"

struct address_space;
struct flatview;
struct mem_core;

/*
 * One reader: a vCPU, or a thread on the host. `seen` is the last epoch in which it held nothing, 0 while
 * offline. Written by its own CPU, read by the writer.
 */
struct mem_reader {
	struct mem_core *core;
	struct mem_reader *next;
	u64 seen;
};

/* Memory that building views takes, kept from one rebuild to the next; private to mm/flatview.c. */
struct flatview_scratch {
	void *spans, *work;
	u32 capacity; /* spans that both have room for */
	size_t bytes;
};

struct mem_core {
	u64 epoch;		     /* grows by one with every view retired */
	u64 next_view_id;	     /* views of one core never share an id */
	unsigned depth;		     /* open transactions */
	bool shared;		     /* has had a further reader: there are other CPUs */
	struct address_space *dirty; /* spaces to rebuild at the outermost commit */
	struct flatview *retired;    /* newest first */
	struct mem_reader *readers;  /* the online ones */
	struct mem_reader main;	     /* the writer's own CPU reads too: always online */
	struct flatview_scratch scratch;
	u64 rebuilds; /* views built since mem_core_init */
	u32 lock;     /* protects `readers` only: going on- and offline is rare */
};

static inline bool mem_core_is_shared(const struct mem_core *core)
{
	return __atomic_load_n(&core->shared, __ATOMIC_ACQUIRE);
}

void mem_core_init(struct mem_core *core);
/* All address spaces must have been destroyed, all readers but `main` be offline. Frees what is left. */
void mem_core_destroy(struct mem_core *core);

/*
 * Changes between begin and commit become visible together, with one rebuild of each affected space at the
 * outermost commit; they nest. Outside a transaction each change is one of its own. Spaces that a change
 * cannot reach (looking up through parents and aliases, as far as enabled) are not rebuilt.
 *
 * Commit returns 0, or -ENOMEM / -E2BIG / -ELOOP if a view could not be built: that space keeps its old view
 * and stays marked, so that the next commit tries again. A commit without begin is -EINVAL.
 */
void mem_transaction_begin(struct mem_core *core);
int mem_transaction_commit(struct mem_core *core);

/*
 * A further reader; from here on it must call mem_reader_quiescent now and then, or go offline. Before the first
 * one of a core maps through an IOMMU region, or invalidates one, the writer's own CPU must have passed a quiescent
 * point: until it sees that it is not alone it takes no locks for its mappings.
 */
void mem_reader_online(struct mem_core *core, struct mem_reader *reader);
void mem_reader_offline(struct mem_reader *reader);

/* "I hold nothing of any view." Two loads and a compare when no view was replaced since. */
static inline void mem_reader_quiescent(struct mem_reader *reader)
{
	u64 epoch = __atomic_load_n(&reader->core->epoch, __ATOMIC_ACQUIRE);

	if (unlikely(reader->seen != epoch))
		__atomic_store_n(&reader->seen, epoch, __ATOMIC_RELEASE);
}

/* Frees the retired views that no reader can hold. Called by the writer; commits call it too. */
void mem_core_reclaim(struct mem_core *core);

/* The quiescent point of the writer's own CPU: call it at each VM exit boundary. Frees what can be freed. */
static inline void mem_quiescent(struct mem_core *core)
{
	if (unlikely(core->retired != NULL)) {
		mem_reader_quiescent(&core->main);
		mem_core_reclaim(core);
	}
}

/*
 * Waits until every online reader except `self` (may be NULL) has passed a quiescent point: what was made
 * unreachable before the call is held by nobody after it. Not from inside an access of another reader.
 */
void mem_synchronize(struct mem_core *core, struct mem_reader *self);

#endif
