/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own page tables: physical addresses are virtual addresses, and only what the hypervisor has taken or
 * asked for is mapped at all. Nothing is writable and executable at once.
 *
 *   image text          read, execute
 *   image constants     read
 *   everything else     read, write, never execute
 *   page 0, guards      not mapped
 *   MMIO                uncached, by host_map_mmio()
 */
#ifndef ARCH_HOST_PAGING_H
#define ARCH_HOST_PAGING_H

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

/* Starts empty tables, whose pages come from `tables` now and later. False: no page left. */
bool host_paging_init(struct page_pool *tables);

/*
 * Maps [address, address + size) on itself, replacing what was there, with the largest pages that fit. The range is
 * extended to page borders. False: beyond the limit, or the pool is empty; the range is then mapped in part.
 */
bool host_map(u64 address, u64 size, unsigned access);

/* Registers of a device; NULL: as host_map(). They stay mapped. */
volatile void *host_map_mmio(u64 address, u64 size);

/* The hypervisor's image, section by section, from the linker's symbols. */
bool host_map_image(void);

/* Makes the tables the CPU's. Sets EFER.NXE, CR0.WP and the PAT that these tables count on. */
void host_paging_activate(void);

/* Pages that are plenty for the tables of `ranges` ranges of `bytes` in all; may be asked before everything else. */
u64 host_paging_pages_needed(u64 bytes, unsigned ranges);

/* Is every byte of the range mapped, and with at least this access (HOST_READ, HOST_WRITE, HOST_EXEC)? */
bool host_is_mapped(u64 address, u64 size, unsigned access);

#endif
