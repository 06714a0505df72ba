/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's page tables as data: 4-level paging (SDM vol. 3, 4.5) in which every address is mapped on itself.
 * Pure: nothing here loads a register.
 */
#ifndef ARCH_HOST_TABLE_H
#define ARCH_HOST_TABLE_H

#include "arch/page_alloc.h"

/* What a mapping permits. 0: nothing is mapped. */
enum host_access {
	HOST_NONE = 0,
	HOST_READ = 1,
	HOST_WRITE = 2,	 /* implies reading */
	HOST_EXEC = 4,	 /* implies reading */
	HOST_DEVICE = 8, /* uncached (UC) */
};

/* Addresses at and above this have no place in the lower half of a 4-level address space. */
#define HOST_ADDRESS_LIMIT (128 * TiB)

/* An entry of any level; ADDR is the address of the next table, or of the page. */
#define HOST_PTE_P    BIT(0)
#define HOST_PTE_RW   BIT(1)
#define HOST_PTE_PWT  BIT(3)
#define HOST_PTE_PCD  BIT(4)
#define HOST_PTE_A    BIT(5)
#define HOST_PTE_D    BIT(6)
#define HOST_PTE_PS   BIT(7)
#define HOST_PTE_ADDR BITS(51, 12)
#define HOST_PTE_XD   BIT(63)

struct host_table {
	struct page_pool *pool;
	u64 *top; /* PML4 */
	bool pages_1g;
};

/* Empty tables; pages come from `pool` now and later. False: it is empty. */
bool host_table_init(struct host_table *table, struct page_pool *pool, bool pages_1g);

/*
 * Maps [address, address + size), extended to page borders, replacing what was there, with the largest pages that fit.
 * A table is never given back. False: beyond the limit, or the pool is empty; the range is then mapped in part.
 */
bool host_table_map(struct host_table *table, u64 address, u64 size, unsigned access);

/* The entry that maps `address`, and the size of its page; 0 where nothing is mapped. */
u64 host_table_entry(const struct host_table *table, u64 address, u64 *page_size);

#endif
