/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last bytes of a text: for the `log` command and for post-mortems. Bytes are named by their number since the
 * beginning, so that a reader keeps its place while the ring moves on.
 */
#ifndef ARCH_TEXT_RING_H
#define ARCH_TEXT_RING_H

#include "mm/types.h"

#define TEXT_RING_SIZE 8192u

struct text_ring {
	u64 end; /* number of the next byte */
	char bytes[TEXT_RING_SIZE];
};

static inline void text_ring_put(struct text_ring *ring, char byte)
{
	ring->bytes[ring->end++ % TEXT_RING_SIZE] = byte;
}

/* Number of the oldest byte that is still there. */
static inline u64 text_ring_begin(const struct text_ring *ring)
{
	return ring->end > TEXT_RING_SIZE ? ring->end - TEXT_RING_SIZE : 0;
}

static inline char text_ring_at(const struct text_ring *ring, u64 number)
{
	return ring->bytes[number % TEXT_RING_SIZE];
}

/* Number of the first byte of the last `lines` lines; a last line that has no newline yet counts as one. */
u64 text_ring_last_lines(const struct text_ring *ring, unsigned lines);

#endif
