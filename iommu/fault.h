/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fault log of the DMA side: who tried what, where, and why it was denied. A bounded ring, counters that
 * never lose one, and one readable line each on the console as far as the rate limit allows.
 *
 *	DMA write denied: edu 00:04.0 iova 0xfee00000-0xfee0003f: outside the window 'low ram'
 */
#ifndef IOMMU_FAULT_H
#define IOMMU_FAULT_H

#include "mm/iommu_region.h"
#include "mm/log.h"

#define FAULT_RING    64
#define FAULT_REASONS 32 /* counters: generic ones 0..15, a unit's own 16..31 */

#define IOMMU_FAULT_INTERRUPT (IOMMU_FAULT_UNIT + 0x20) /* VT-d's reasons 0x20.. are those of interrupts */

struct fault_record {
	u64 number; /* counts from 1 since boot */
	u64 iova, length;
	const char *device; /* who, in words */
	const char *detail; /* name of the window or table concerned; NULL: none */
	u16 requester;	    /* bus, device, function as on PCI */
	u16 reason; /* enum iommu_fault_reason; from IOMMU_FAULT_INTERRUPT on `iova` is an interrupt's index */
	u8 access;  /* enum mem_access */
};

struct fault_log {
	struct fault_record ring[FAULT_RING]; /* number n lives at (n - 1) % FAULT_RING */
	u64 total;
	u64 by_reason[FAULT_REASONS];
	struct log_rate rate;
	u32 lock;
};

void fault_log_init(struct fault_log *log);
/* Number and counters are filled in here. */
void fault_log_add(struct fault_log *log, const struct fault_record *record);
/* The `back`th latest (0: the latest); false if there is none (any more). */
bool fault_log_get(struct fault_log *log, unsigned back, struct fault_record *record);
/* How many of this reason, of MEM_READ etc. alike. */
u64 fault_log_count(const struct fault_log *log, unsigned reason);
/* Returns the length as snprintf does. 160 bytes hold every line with names of up to 32 characters. */
int fault_format(const struct fault_record *record, char *text, size_t size);
/* The latest ones, oldest first, then the counters. */
void fault_log_print(struct fault_log *log, void (*emit)(void *to, const char *line), void *to);

#endif
