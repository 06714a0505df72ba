/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Plays a list of operations on the memory core and on the naive model of it, side by side, and compares all
 * that can be seen: results, bytes, `done`, faults, sections of the flat views, what listeners hear, dirty
 * pages, mappings. Any list makes sense: an operation that cannot be done is skipped.
 */
#ifndef TESTS_UNIT_NAIVE_SCRIPT_H
#define TESTS_UNIT_NAIVE_SCRIPT_H

#include "tests/unit/differential.h"

enum script_profile {
	SCRIPT_SMALL,  /* everything within 1 KiB, so that all overlaps with all; at the edges of 2^64 too */
	SCRIPT_SPARSE, /* sizes and offsets of all magnitudes */
	SCRIPT_IOMMU,  /* chains of IOMMU regions with pages of many sizes */
};

/* `where`: which corner of the address space, any number. */
bool script_run(enum script_profile profile, u64 where, const struct operation *operations, unsigned count,
		bool trace, char *why, size_t why_size);

#endif
