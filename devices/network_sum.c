// SPDX-License-Identifier: BSD-2-Clause
/*
 * The Internet checksum (RFC 1071) for lwIP: the sum is the same whatever the size of the words that are added, as long as
 * carries come back in at the low end.
 */
#include <lwip/arch.h>
#include <string.h>

#include "mm/types.h"

/* Wherever it lies; a memcpy would be a call in a freestanding program. */
typedef u64 __attribute__((aligned(1), may_alias)) any_word;

static inline u64 word(const u8 *at)
{
	return *(const any_word *)at;
}

/* As lwIP wants it: not inverted, in the order of memory. */
uint16_t network_lwip_sum(const void *data, int length)
{
	const u8 *at = data, *end = at + length;
	u64 sum = 0, carries = 0, rest = 0;

#define ADD(value)                  \
	do {                        \
		u64 v = value;      \
		sum += v;           \
		carries += sum < v; \
	} while (0)
	for (; end - at >= 32; at += 32) {
		ADD(word(at));
		ADD(word(at + 8));
		ADD(word(at + 16));
		ADD(word(at + 24));
	}
	for (; end - at >= 8; at += 8)
		ADD(word(at));
	memcpy(&rest, at, (size_t)(end - at));
	ADD(rest);
#undef ADD
	/* 2^64 and 2^32 are 1, modulo 2^16 - 1. */
	sum = (u32)sum + (sum >> 32) + carries;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
