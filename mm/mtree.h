/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text of trees and views, line by line (no newline in them), for consoles and tools. Lines stay below 224
 * characters.
 */
#ifndef MM_MTREE_H
#define MM_MTREE_H

#include "mm/space.h"

typedef void (*mtree_emit)(void *to, const char *line);

/* The region tree of a space: one line a region, indented, with priority, kind and what is special. */
void mtree_print(const struct address_space *as, mtree_emit emit, void *to);
/* Its flat view: one line a section; unclaimed ones too. The last line tells sections and bytes. */
void mtree_print_flat(const struct address_space *as, mtree_emit emit, void *to);

#endif
