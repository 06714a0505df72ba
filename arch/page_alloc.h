/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pool of 4 KiB pages for page tables: taken from the firmware once, handed out zeroed.
 */
#ifndef ARCH_PAGE_ALLOC_H
#define ARCH_PAGE_ALLOC_H

#include "mm/types.h"

struct page_pool {
	u8 *base;    /* page-aligned */
	u64 total;   /* pages */
	u64 fresh;   /* pages from `base` on that have been handed out at least once */
	u64 used;    /* pages in use now */
	void **free; /* given back; each page's first 8 bytes point to the next */
};

/* `base` is page-aligned and has `pages` pages of any content. */
void page_pool_init(struct page_pool *pool, void *base, u64 pages);
/* A zeroed page, or NULL when the pool is empty. */
void *page_alloc(struct page_pool *pool);
/* `page` came from page_alloc() on this pool and nothing refers to it any more. NULL is harmless. */
void page_free(struct page_pool *pool, void *page);

#endif
