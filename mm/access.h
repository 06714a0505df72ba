/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How an access to a region is made and how it ends: results, access kinds, and the operations that a device
 * gives.
 */
#ifndef MM_ACCESS_H
#define MM_ACCESS_H

#include "mm/types.h"

/*
 * Result of an access. A transfer over several regions ORs the results of its parts: MEM_OK means that all of
 * it was done. A failed read has filled its bytes with what the unclaimed policy says (ones by default), a
 * failed write was dropped.
 */
enum mem_result {
	MEM_OK = 0,
	MEM_ERROR = 1,	      /* the device refused */
	MEM_DECODE_ERROR = 2, /* nothing is there, or the size or alignment is not decoded */
	MEM_ACCESS_ERROR = 4, /* something is there, but this access is not permitted: ROM, IOMMU */
	MEM_AGAIN = 8,	      /* as_map only: no bounce slot is free just now */
};

/* Kinds of access; also the permission bits of an IOMMU entry. */
enum mem_access { MEM_NONE = 0, MEM_READ = 1, MEM_WRITE = 2, MEM_READ_WRITE = 3 };

enum mem_endian { MEM_LITTLE_ENDIAN = 0, MEM_BIG_ENDIAN };

/*
 * Access sizes in bytes: powers of two, 1..8; 0 stands for the default, 1..8 for `valid` and 1..8 for `impl`.
 */
struct mem_sizes {
	u8 min, max;
	bool unaligned; /* may `offset` be other than a multiple of the size? */
};

/*
 * What a device does when its registers are accessed.
 *
 * `offset` counts from the start of the device's region; offset + size never passes its end. `valid` says
 * which accesses the device decodes (others end as MEM_DECODE_ERROR without a call), `impl` which ones the
 * two functions implement: the dispatcher splits, or reads more and merges, to get from one to the other.
 * Values are numbers in the CPU's order: the dispatcher swaps for a device of the other endianness. A read
 * leaves bits above 8 * size zero. A null function: the access ends as MEM_ACCESS_ERROR.
 */
struct region_ops {
	enum mem_result (*read)(void *device, u64 offset, unsigned size, u64 *value);
	enum mem_result (*write)(void *device, u64 offset, unsigned size, u64 value);
	struct mem_sizes valid, impl;
	enum mem_endian endian;
};

#endif
