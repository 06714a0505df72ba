/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fixed-width names and the few macros that every folder uses. Nothing here has state or needs a library.
 */
#ifndef MM_TYPES_H
#define MM_TYPES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define KiB 1024ull
#define MiB (1024 * KiB)
#define GiB (1024 * MiB)
#define TiB (1024 * GiB)

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ull
#define PAGE_MASK  (PAGE_SIZE - 1)

#define BIT(n) (1ull << (n))
/* Bits high..low, both included, as manuals write them. */
#define BITS(high, low) (((~0ull) >> (63 - (high))) & ((~0ull) << (low)))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
/* `align` is a power of two; ALIGN_UP wraps for values above 2^64 - align. */
#define ALIGN_DOWN(x, align)	      ((x) & ~((align)-1))
#define ALIGN_UP(x, align)	      ALIGN_DOWN((x) + (align)-1, align)
#define IS_ALIGNED(x, align)	      (((x) & ((align)-1)) == 0)
#define MIN(a, b)		      ((a) < (b) ? (a) : (b))
#define MAX(a, b)		      ((a) > (b) ? (a) : (b))
#define likely(x)		      __builtin_expect(!!(x), 1)
#define unlikely(x)		      __builtin_expect(!!(x), 0)
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))
#define __printf(fmt, args)	      __attribute__((format(printf, fmt, args)))

#endif
