/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the memory cores are measured: the same words for Sluice's (bench_mm.c) and QEMU's (bench_qemu.c, which is compiled
 * inside of QEMU), so that the figures can be compared.
 *
 * A case is a function that does n operations in a loop. It is calibrated to slices of about 2 ms; slices are added up to
 * one repeat; the figure is the median of the repeats. Addresses are random, computed before, the same for both cores.
 * The clock is that of the thread: whatever else the machine does is not counted, but for what it does to the caches.
 *
 * The topology: region i starts at i * stride; even ones are RAM of 64 KiB, odd ones devices of 4 KiB, the rest of each
 * stride is a gap; all are children of one container of 2^64 bytes, added in random order.
 *
 * Environment: BENCH_SECONDS a repeat at least (0.1), BENCH_REPEATS (7), BENCH_ONLY text that the name must contain.
 * Output: name, value and unit, separated by tabs.
 */
#ifndef TESTS_BENCH_BENCH_MEASURE_H
#define TESTS_BENCH_BENCH_MEASURE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_KIB	  1024ull
#define BENCH_MIB	  (1024 * BENCH_KIB)
#define BENCH_GIB	  (1024 * BENCH_MIB)
#define BENCH_RAM	  (64 * BENCH_KIB)
#define BENCH_DEVICE	  (4 * BENCH_KIB)
#define BENCH_DENSE	  (128 * BENCH_KIB)
#define BENCH_SPARSE	  (256 * BENCH_MIB)
#define BENCH_REGIONS	  4096u
#define BENCH_ADDRESSES	  65536u	     /* a power of two */
#define BENCH_BIG	  (64 * BENCH_MIB)   /* RAM behind the IOMMU, and the largest map window */
#define BENCH_BIG_BASE	  (4096 * BENCH_GIB) /* clear of both layouts */
#define BENCH_HOT	  (1 * BENCH_MIB)    /* fits a level 2 cache */
#define BENCH_SLICE_NS	  2e6
#define BENCH_REPEATS_MAX 63
#define BENCH_REGISTER	  0x1122334455667788ull /* what the device's register holds */

typedef void bench_loop(uint64_t n);
/* Does n operations and returns the nanoseconds that count. */
typedef double bench_slice(void *context, uint64_t n);

static uint64_t bench_address[BENCH_ADDRESSES];
static uint64_t bench_seed;
static const char *bench_prefix = "";

/* splitmix64 */
static inline uint64_t bench_random(void)
{
	uint64_t z = (bench_seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline double bench_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static inline double bench_number(const char *variable, double otherwise)
{
	const char *text = getenv(variable);

	return text ? strtod(text, NULL) : otherwise;
}

static inline void bench_check(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench: self-check failed: %s\n", what);
		exit(2);
	}
}

static inline bool bench_wanted(const char *name)
{
	const char *only = getenv("BENCH_ONLY");

	return !only || strstr(name, only);
}

static inline void bench_report(const char *name, double value, const char *unit)
{
	printf("%s%s\t%.2f\t%s\n", bench_prefix, name, value, unit);
	fflush(stdout);
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* `n`: operations of one slice. */
static inline void bench_measure_slices(const char *name, bench_slice *slice, void *context, uint64_t n)
{
	double least = bench_number("BENCH_SECONDS", 0.1) * 1e9, figure[BENCH_REPEATS_MAX];
	int repeats = (int)bench_number("BENCH_REPEATS", 7), i;

	if (repeats < 1 || repeats > BENCH_REPEATS_MAX)
		repeats = 7;
	for (i = 0; i < repeats; i++) {
		double spent = 0, operations = 0;

		do {
			spent += slice(context, n);
			operations += (double)n;
		} while (spent < least);
		figure[i] = spent / operations;
	}
	qsort(figure, (size_t)repeats, sizeof(figure[0]), bench_compare);
	bench_report(name, figure[repeats / 2], "ns");
}

static inline double bench_loop_slice(void *context, uint64_t n)
{
	bench_loop **loop = context;
	double start = bench_clock();

	(*loop)(n);
	return bench_clock() - start;
}

static inline void bench_measure(const char *name, bench_loop *loop)
{
	uint64_t n = 16;
	double spent;

	if (!bench_wanted(name))
		return;
	while ((spent = bench_loop_slice(&loop, n)) < 5 * BENCH_SLICE_NS) /* which also warms up */
		n *= 2;
	bench_measure_slices(name, bench_loop_slice, &loop,
			     (uint64_t)((double)n * BENCH_SLICE_NS / spent) + 1);
}

/* A toggle of one region is slow: slices of an even number, so that each ends as it began. */
static inline void bench_measure_rebuild(const char *name, bench_slice *slice, void *context)
{
	uint64_t n = 2;
	double spent;

	if (!bench_wanted(name))
		return;
	while ((spent = slice(context, n)) < BENCH_SLICE_NS && n < 1024)
		n *= 2;
	bench_measure_slices(name, slice, context, n);
}

static inline bool bench_is_ram(unsigned region)
{
	return region % 2 == 0;
}

static inline uint64_t bench_region_size(unsigned region)
{
	return bench_is_ram(region) ? BENCH_RAM : BENCH_DEVICE;
}

/* The order in which the regions of a topology are added. */
static inline void bench_order(unsigned *order, unsigned count)
{
	unsigned i;

	bench_seed = 1000 + count;
	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count - 1; i > 0; i--) {
		unsigned other = (unsigned)(bench_random() % (i + 1)), kept = order[i];

		order[i] = order[other];
		order[other] = kept;
	}
}

/* Evenly over the regions, then evenly over the 8-byte words of the region. */
static inline void bench_addresses_of_regions(unsigned regions, uint64_t stride)
{
	unsigned i;

	bench_seed = 1;
	for (i = 0; i < BENCH_ADDRESSES; i++) {
		unsigned region = (unsigned)(bench_random() % regions);

		bench_address[i] = region * stride + (bench_random() % bench_region_size(region) & ~7ull);
	}
}

static inline void bench_addresses_of_window(uint64_t base, uint64_t size, uint64_t align)
{
	unsigned i;

	bench_seed = 2;
	for (i = 0; i < BENCH_ADDRESSES; i++)
		bench_address[i] = base + bench_random() % size / align * align;
}

/* Pages of RAM regions. */
static inline void bench_addresses_of_ram(unsigned regions, uint64_t stride)
{
	unsigned i;

	bench_seed = 3;
	for (i = 0; i < BENCH_ADDRESSES; i++) {
		unsigned region = (unsigned)(bench_random() % regions) & ~1u;

		bench_address[i] = region * stride + (bench_random() % BENCH_RAM & ~0xfffull);
	}
}

#endif
