// SPDX-License-Identifier: BSD-2-Clause
#include "arch/text_ring.h"

u64 text_ring_last_lines(const struct text_ring *ring, unsigned lines)
{
	u64 begin = text_ring_begin(ring);
	u64 number = ring->end;

	if (!lines)
		return number;
	/* The newline that ends the last line begins none. */
	if (number > begin && text_ring_at(ring, number - 1) == '\n')
		number--;
	for (; number > begin; number--)
		if (text_ring_at(ring, number - 1) == '\n' && !--lines)
			break;
	return number;
}
