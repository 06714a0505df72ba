/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended page tables: guest-physical to host-physical, 4 levels (SDM vol. 3, 28.3). They follow the flat view of the
 * guest's memory as a listener; nobody else maps.
 *
 *   gpa 47:39 -> PML4E -> 38:30 -> PDPTE (1 GiB page) -> 29:21 -> PDE (2 MiB page) -> 20:12 -> PTE (4 KiB page)
 *
 * Only memory that was handed over as guest RAM can be mapped: `allowed` is asked for every range, so that no page of
 * the hypervisor's own can be reached by any table, right or wrong.
 */
#ifndef ARCH_EPT_H
#define ARCH_EPT_H

#include "mm/types.h"

struct page_pool;

enum ept_permission { EPT_READ = 1, EPT_WRITE = 2, EPT_EXECUTE = 4 };

/* A stretch of host memory that guests may be given. */
struct ept_allowed {
	u64 first, last; /* host-physical */
};

struct ept {
	struct page_pool *pool; /* where tables come from */
	u64 *root;
	u64 pointer; /* EPTP */
	const struct ept_allowed *allowed;
	unsigned allowed_count;
	u64 apic_access;  /* a page of zeros that may be mapped too: the APIC-access page; 0: none */
	u8 largest_level; /* of a page: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB */
	bool stale; /* something was taken away: the processor's copies must be dropped before the next entry */
	u32 tables;    /* pages in use, the root included */
	u64 leaves[4]; /* by level, for the console */
};

/* False: no page for the root. `capabilities` is IA32_VMX_EPT_VPID_CAP. */
bool ept_init(struct ept *ept, struct page_pool *pool, u64 capabilities, bool large_pages,
	      const struct ept_allowed *allowed, unsigned count);
void ept_free(struct ept *ept);

/*
 * Maps [gpa, gpa + size) to host-physical `hpa`, replacing what was there, with the largest pages that alignment allows.
 * All three are multiples of 4 KiB. False: not in `allowed`, or no page for a table; then nothing or a part is mapped.
 */
bool ept_map(struct ept *ept, u64 gpa, u64 size, u64 hpa, unsigned permission);
bool ept_unmap(struct ept *ept, u64 gpa, u64 size);

/* The leaf entry for gpa and its level, 0 if there is none. */
u64 ept_lookup(const struct ept *ept, u64 gpa, unsigned *level);

/* Calls `visit` for each leaf in ascending order: for the console and for the isolation check. */
void ept_walk(const struct ept *ept, void (*visit)(void *context, u64 gpa, u64 entry, unsigned level),
	      void *context);

#define EPT_ENTRY_ADDRESS(entry) ((entry)&BITS(51, 12))
#define EPT_PAGE_SHIFT(level)	 (PAGE_SHIFT + 9 * ((level)-1))

#endif
