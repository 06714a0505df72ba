/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What newlib asks of the machine: memory for malloc(). One CPU at a time may allocate.
 */
#ifndef ARCH_NEWLIB_PORT_H
#define ARCH_NEWLIB_PORT_H

#include "mm/types.h"

/* Gives malloc() its memory; before this every malloc() returns NULL. */
void newlib_heap_init(void *base, size_t size);
/* Bytes that malloc() has taken of it so far; it never gives back. */
size_t newlib_heap_used(void);

#endif
