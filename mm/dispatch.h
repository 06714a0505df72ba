/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From one access on a section with ops to the calls that its ops are made for.
 *
 *        access (valid?)          what the ops implement (impl)
 *        1 byte at 5      ->      read 4 at 4, take byte 1;   write: read 4 at 4, put byte 1, write 4 at 4
 *        8 bytes at 0     ->      4 at 0, 4 at 4
 *        4 bytes at 2     ->      (unaligned not implemented) 2 at 2, 2 at 4, or as the first line
 *
 * A device with registers for which a read has side effects declares valid.min = impl.min, so that no write
 * reads. No call ever has offset + size beyond the region: an access whose widened form does is
 * MEM_DECODE_ERROR.
 */
#ifndef MM_DISPATCH_H
#define MM_DISPATCH_H

#include "mm/flatview.h"

/*
 * One access of size 1, 2, 4 or 8 at `offset` of the section's region, wholly inside of it. `bytes`: in
 * memory order. A read that fails leaves ones. Doorbells and coalescing (mm/doorbell.h) come before the ops.
 */
enum mem_result dispatch_read(const struct section *section, u64 offset, unsigned size, u8 *bytes);
enum mem_result dispatch_write(const struct section *section, u64 offset, unsigned size, const u8 *bytes);

/*
 * The same for a transfer of `length` bytes; stops at nothing, returns the ORed results; *done as in
 * as_read_done.
 */
enum mem_result dispatch_read_transfer(const struct section *section, u64 offset, u8 *bytes, u64 length,
				       u64 *done);
enum mem_result dispatch_write_transfer(const struct section *section, u64 offset, const u8 *bytes,
					u64 length, u64 *done);

/* May these ops be used at all: sizes powers of two up to 8 (or 0 for the default), min not above max. */
bool region_ops_valid(const struct region_ops *ops);

#endif
