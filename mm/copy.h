/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copies between a caller's buffer and host memory that others access at the same time. memcpy makes no promise
 * about atomicity; a naturally aligned access of 1, 2, 4 or 8 bytes is one load or store here: descriptors and
 * ring indices need that. Private to mm/.
 */
#ifndef MM_COPY_H
#define MM_COPY_H

#include <string.h>

#include "mm/types.h"

/* May the access be one instruction? `length` is not 0 and at most 8. */
static inline bool is_atomic(const u8 *host, u64 length)
{
	return !(length & (length - 1)) && IS_ALIGNED((uintptr_t)host, length);
}

static inline void copy_in(void *to, const u8 *host, u64 length)
{
	u64 value;

	if (length > 8 || !is_atomic(host, length)) {
		// NOLINTNEXTLINE(clang-analyzer-unix.cstring.NullArg): a section that is read directly has host memory
		memcpy(to, host, length);
		return;
	}
	/* What is left of `value` is not looked at. */
	switch (length) {
	case 8:
		value = __atomic_load_n((const u64 *)host, __ATOMIC_RELAXED);
		memcpy(to, &value, 8);
		break;
	case 4:
		value = __atomic_load_n((const u32 *)host, __ATOMIC_RELAXED);
		memcpy(to, &value, 4);
		break;
	case 2:
		value = __atomic_load_n((const u16 *)host, __ATOMIC_RELAXED);
		memcpy(to, &value, 2);
		break;
	default:
		*(u8 *)to = __atomic_load_n(host, __ATOMIC_RELAXED);
		break;
	}
}

static inline void copy_out(u8 *host, const void *from, u64 length)
{
	u64 value;

	if (length > 8 || !is_atomic(host, length)) {
		// NOLINTNEXTLINE(clang-analyzer-unix.cstring.NullArg): nor is one that is written directly without
		memcpy(host, from, length);
		return;
	}
	switch (length) {
	case 8:
		memcpy(&value, from, 8);
		__atomic_store_n((u64 *)host, value, __ATOMIC_RELAXED);
		break;
	case 4:
		memcpy(&value, from, 4);
		__atomic_store_n((u32 *)host, (u32)value, __ATOMIC_RELAXED);
		break;
	case 2:
		memcpy(&value, from, 2);
		__atomic_store_n((u16 *)host, (u16)value, __ATOMIC_RELAXED);
		break;
	default:
		__atomic_store_n(host, *(const u8 *)from, __ATOMIC_RELAXED);
		break;
	}
}

/* Bytes 0..15 and so on, wherever they stand: two registers, or one where the compiler may use vectors. */
typedef u64 copy_block __attribute__((vector_size(16), aligned(1), may_alias));

/* For what is mostly a descriptor or a small packet: 32 to 64 bytes are moved without a call, the middle ones twice. */
static inline bool copy_few(void *to, const void *from, u64 length)
{
	const copy_block *first = from, *last;
	copy_block *to_first = to, *to_last, a, b, c, d;

	if (length - 32 > 32)
		return false;
	last = (const void *)((const u8 *)from + (length - 32));
	to_last = (void *)((u8 *)to + (length - 32));
	a = first[0];
	b = first[1];
	c = last[0];
	d = last[1];
	to_first[0] = a;
	to_first[1] = b;
	to_last[0] = c;
	to_last[1] = d;
	return true;
}

/* copy_in and copy_out where it is worth it. */
static inline void copy_in_few(void *to, const u8 *host, u64 length)
{
	if (!copy_few(to, host, length))
		copy_in(to, host, length);
}

static inline void copy_out_few(u8 *host, const void *from, u64 length)
{
	if (!copy_few(host, from, length))
		copy_out(host, from, length);
}

/* A number of 1, 2, 4 or 8 bytes as it stands in memory. */
static inline u64 get_bytes(const u8 *from, u64 size)
{
	u64 value = 0;

	switch (size) {
	case 4:
		memcpy(&value, from, 4);
		break;
	case 8:
		memcpy(&value, from, 8);
		break;
	case 2:
		memcpy(&value, from, 2);
		break;
	default:
		value = *from;
		break;
	}
	return value;
}

static inline void put_bytes(u8 *to, u64 value, u64 size)
{
	switch (size) {
	case 4:
		memcpy(to, &value, 4);
		break;
	case 8:
		memcpy(to, &value, 8);
		break;
	case 2:
		memcpy(to, &value, 2);
		break;
	default:
		*to = (u8)value;
		break;
	}
}

#endif
