// SPDX-License-Identifier: BSD-2-Clause
/*
 * The Internet checksum (RFC 1071) for lwIP: the sum is the same whatever the size of the words that are added, as long as
 * carries come back in at the low end.
 */
#include <lwip/arch.h>
#include <string.h>

#include "mm/types.h"

static inline u64 word(const u8 *at)
{
	u64 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* As lwIP wants it: not inverted, in the order of memory. */
uint16_t network_lwip_sum(const void *data, int length)
{
	const u8 *at = data, *end = at + length;
	unsigned __int128 sum = 0;
	u64 rest = 0, folded;

	for (; end - at >= 32; at += 32) {
		sum += word(at);
		sum += word(at + 8);
		sum += word(at + 16);
		sum += word(at + 24);
	}
	for (; end - at >= 8; at += 8)
		sum += word(at);
	memcpy(&rest, at, (size_t)(end - at));
	sum += rest;
	folded = (u32)sum + (u64)(u32)(sum >> 32) + (u32)(sum >> 64) + (u32)(sum >> 96);
	while (folded >> 16)
		folded = (folded & 0xffff) + (folded >> 16);
	return (uint16_t)folded;
}
