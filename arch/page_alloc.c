// SPDX-License-Identifier: BSD-2-Clause
#include "arch/page_alloc.h"

#include <string.h>

void page_pool_init(struct page_pool *pool, void *base, u64 pages)
{
	*pool = (struct page_pool){ .base = base, .total = pages };
}

void *page_alloc(struct page_pool *pool)
{
	void *page;

	if (pool->free) {
		page = pool->free;
		pool->free = (void **)*pool->free;
	} else if (pool->fresh < pool->total) {
		page = pool->base + pool->fresh++ * PAGE_SIZE;
	} else {
		return NULL;
	}
	pool->used++;
	/* At hand-out, not in bulk: most of a pool sized for the worst case is never touched. */
	memset(page, 0, PAGE_SIZE);
	return page;
}

void page_free(struct page_pool *pool, void *page)
{
	if (!page)
		return;
	assert((u8 *)page >= pool->base && (u8 *)page < pool->base + pool->fresh * PAGE_SIZE);
	*(void **)page = pool->free;
	pool->free = page;
	pool->used--;
}
