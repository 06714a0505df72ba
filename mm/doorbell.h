/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two shortcuts for writes to device registers.
 *
 * A doorbell is a register whose write is an event: it is checked before the device's ops, which then see
 * nothing of it, and before what these decode: an access of the doorbell's size rings, valid or not. (A
 * transfer is broken into accesses as anywhere.)
 *
 * Coalesced ranges: writes whose effect may wait are put into a bounded ring and handed to the ops together:
 * when the ring is full, before any other call of the ops, by coalesced_flush, or when the region is resized.
 * What the ops would not take as it is (valid, impl) is not kept. A write that was kept has ended well; what
 * the device says to it later is told by coalesced_flush alone. A doorbell rings at once and flushes nothing.
 *
 * Inside a transaction: the first doorbell of a region, or the ring attached to it, is in effect from the
 * commit on at the latest; everything else here at once.
 */
#ifndef MM_DOORBELL_H
#define MM_DOORBELL_H

#include "mm/access.h"
#include "mm/region.h"

struct doorbell {
	struct doorbell *next;
	u64 offset;	 /* in the region */
	unsigned size;	 /* of the write; 0: any */
	bool match_data; /* ring only for a write of `data` */
	u64 data;
	void (*ring)(void *device, u64 value);
	void *device;
};

/*
 * The doorbell is kept by reference. -EINVAL: the region has no ops, or it lies outside; -EEXIST: another one
 * could answer the same write. Removed ones may be reused after the next quiescent point of all readers.
 */
int doorbell_add(struct region *region, struct doorbell *doorbell);
void doorbell_remove(struct region *region, struct doorbell *doorbell);
/* Rings if one matches. */
bool doorbell_try(const struct region *region, u64 offset, unsigned size, u64 value);

#define COALESCED_ENTRIES 64
#define COALESCED_RANGES  4

/* One for a region; protected by the lock of its device, as the ops are. */
struct coalesced {
	struct {
		u64 first, last;
	} range[COALESCED_RANGES];
	unsigned range_count;
	unsigned count; /* in the ring */
	bool flushing;
	struct {
		u64 offset, value;
		unsigned size;
	} ring[COALESCED_ENTRIES];
	u64 kept, flushes; /* counters */
};

/*
 * Attaches an (empty) ring, or takes it off after flushing it: NULL. Little-endian ops only: -EINVAL
 * otherwise.
 */
int coalesced_attach(struct region *region, struct coalesced *coalesced);
int coalesced_add_range(struct region *region, u64 offset, u64 length); /* -EINVAL, -ENOSPC */
/* Hands over all that was kept, in order. ORs the results. */
enum mem_result coalesced_flush(struct region *region);
/* True if the write was kept. Used by the dispatcher. */
bool coalesced_keep(struct region *region, u64 offset, unsigned size, u64 value);

#endif
