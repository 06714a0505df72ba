/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own address space: physical addresses are virtual addresses, and only what the hypervisor has taken
 * or asked for is mapped at all. Nothing is writable and executable at once.
 *
 *   image text          read, execute
 *   image constants     read
 *   everything else     read, write, never execute
 *   page 0, guards      not mapped
 *   MMIO                uncached, by host_map_mmio()
 */
#ifndef ARCH_HOST_PAGING_H
#define ARCH_HOST_PAGING_H

#include "arch/host_table.h"

/* Pages that are plenty for the tables of `ranges` ranges of `bytes` in all; may be asked before everything else. */
u64 host_paging_pages_needed(u64 bytes, unsigned ranges);

/* Starts with nothing mapped. False: no page in `pool`. */
bool host_paging_init(struct page_pool *pool);

/* As host_table_map(); takes effect at once when the tables are active. */
bool host_map(u64 address, u64 size, unsigned access);

/* Registers of a device; NULL where host_map() fails. They stay mapped. */
volatile void *host_map_mmio(u64 address, u64 size);

/* The hypervisor's image, section by section, from the linker's symbols. */
bool host_map_image(void);

/* Makes the tables the CPU's. Sets EFER.NXE, CR0.WP and the PAT that these tables count on. */
void host_paging_activate(void);

/* For checks that walk what is mapped. */
const struct host_table *host_paging_table(void);

#endif
