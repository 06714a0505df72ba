/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the hypervisor's functions, for backtraces. tools/symbols writes the table from the first pass of the link; the second
 * pass links it in.
 */
#ifndef ARCH_SYMBOLS_H
#define ARCH_SYMBOLS_H

#include "mm/types.h"

struct symbol {
	u32 offset; /* from ImageBase */
	u32 name;   /* index into __symbol_names of a NUL-terminated string */
};

/* In ascending order of `offset`. */
extern const struct symbol __symbols[];
extern const u32 __symbols_count;
extern const char __symbol_names[];

/* The function that holds `address`, and how far into it; NULL: not in the hypervisor's text, or no table. */
const char *symbol_find(u64 address, u64 *offset);

#endif
