/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device as the naive model of the memory core has it (naive_space.h): what its ops do to its bytes, what
 * the dispatcher makes of an access, and what stands before the ops: doorbells, and writes that are kept.
 * Written from mm/access.h, dispatch.h and doorbell.h, never from the code.
 */
#ifndef TESTS_UNIT_NAIVE_DEVICE_H
#define TESTS_UNIT_NAIVE_DEVICE_H

#include "mm/access.h"
#include "mm/region.h"

#define NAIVE_DOORBELLS 6 /* of a region */
#define NAIVE_RANGES	4 /* what mm/doorbell.h allows */
#define NAIVE_KEPT	64
#define NAIVE_RINGS	256

struct naive_doorbell {
	bool used, match;
	u64 offset, data;
	unsigned size; /* 0: any */
};

/* Writes that wait. */
struct naive_coalesced {
	bool attached;
	unsigned ranges, count;
	struct {
		u64 offset, length;
	} range[NAIVE_RANGES];
	struct {
		u64 offset, value;
		unsigned size;
	} write[NAIVE_KEPT];
	u64 kept, flushes;
};

/* A device of 64 bytes that repeat over its region; some of them refuse to be touched. */
struct naive_device {
	int number; /* of its region */
	u128 size;  /* of its region */
	bool big_endian;
	u8 bytes[64];
	u64 poison; /* bit n: byte n, and with it any call that touches it, ends as MEM_ERROR */
	struct mem_sizes valid, impl;
	struct naive_doorbell doorbell[NAIVE_DOORBELLS];
	struct naive_coalesced coalesced;
};

/* Doorbells that rang, in order. */
struct naive_rings {
	unsigned count;
	struct {
		int region, doorbell;
		u64 value;
	} ring[NAIVE_RINGS];
};

void naive_ring(struct naive_rings *rings, int region, int doorbell, u64 value);

/* Device calls, also made by the other side's device: both ends of the value in the CPU's order. */
bool naive_device_touch(const struct naive_device *device, u64 offset, unsigned size);
u64 naive_device_get(const struct naive_device *device, u64 offset, unsigned size);
void naive_device_put(struct naive_device *device, u64 offset, unsigned size, u64 value);

/* Is this an access that the device decodes? */
bool naive_device_decodes(const struct naive_device *device, u64 offset, unsigned size);
/* One access, wholly inside of the region. `bytes`: in memory order. */
enum mem_result naive_device_access(struct naive_device *device, u64 offset, u8 *bytes, unsigned size,
				    bool write, struct naive_rings *rings);

/* What adding this one to the device's has to say: 0 or bits 1 << errno. NULL: a region without ops. */
u64 naive_doorbell_errors(const struct naive_device *device, const struct naive_doorbell *added);
/* The same for a range of kept writes. */
u64 naive_range_errors(const struct naive_device *device, u64 offset, u64 length);
enum mem_result naive_flush(struct naive_device *device);

#endif
