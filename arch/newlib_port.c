// SPDX-License-Identifier: BSD-2-Clause
#include "arch/newlib_port.h"

#include "arch/panic.h"

#include <errno.h>
#include <stdlib.h>

static struct {
	u8 *base;
	size_t size, used;
} heap;

void newlib_heap_init(void *base, size_t size)
{
	heap.base = base;
	heap.size = size;
	heap.used = 0;
}

size_t newlib_heap_used(void)
{
	return heap.used;
}

/* newlib's name, without the underscore: it was configured without system calls. */
void *sbrk(ptrdiff_t increment);

void *sbrk(ptrdiff_t increment)
{
	u8 *old = heap.base + heap.used;

	if (increment < 0 ? (size_t)-increment > heap.used : (size_t)increment > heap.size - heap.used) {
		errno = ENOMEM;
		return (void *)-1;
	}
	heap.used += (size_t)increment;
	return old;
}

void __assert_func(const char *file, int line, const char *function, const char *expression)
{
	panic("%s:%d: %s: assertion failed: %s", file, line, function ? function : "?", expression);
}

void abort(void)
{
	panic("abort()");
}
