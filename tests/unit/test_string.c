// SPDX-License-Identifier: BSD-2-Clause
/*
 * The hypervisor's own memcpy, memmove, memset and memcmp against byte loops: every short length, every alignment and
 * overlap that takes another path. They are assembled into this program, where they also serve everything else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "mm/types.h"

__asm__(".include \"arch/string.S\"\n\t.text");

/* By the assembler's names: the compiler would put its own code in place of the library's. */
void *own_memcpy(void *to, const void *from, size_t size) __asm__("memcpy");
void *own_memmove(void *to, const void *from, size_t size) __asm__("memmove");
void *own_memset(void *to, int byte, size_t size) __asm__("memset");
int own_memcmp(const void *a, const void *b, size_t size) __asm__("memcmp");

#define SPAN   2048u
#define GUARD  64u
#define BUFFER (SPAN + 2 * GUARD)

static const size_t long_sizes[] = { 255, 256, 257, 511, 512, 1000, 1023, 1024, 1025, 1900 };

static void fill(volatile u8 *to, unsigned seed)
{
	for (unsigned i = 0; i < BUFFER; i++)
		to[i] = (u8)(i * 31 + seed + i / 256);
}

static size_t nth_size(unsigned n)
{
	return n <= 130 ? n : long_sizes[n - 131];
}

#define SIZES (131 + ARRAY_SIZE(long_sizes))

static void test_memcpy(void **state)
{
	static u8 from[BUFFER], to[BUFFER], before[BUFFER];

	(void)state;
	fill(from, 1);
	for (unsigned n = 0; n < SIZES; n++) {
		size_t size = nth_size(n);

		for (unsigned align = 0; align < 64; align++) {
			unsigned a = align % 8, b = align / 8;

			fill(to, 77);
			fill(before, 77);
			assert_ptr_equal(own_memcpy(to + GUARD + a, from + GUARD + b, size), to + GUARD + a);
			for (unsigned i = 0; i < BUFFER; i++) {
				bool inside = i >= GUARD + a && i < GUARD + a + size;

				if (to[i] != (inside ? from[i - a + b] : before[i]))
					fail_msg("size %zu to +%u from +%u: byte %u", size, a, b, i);
			}
		}
	}
}

static void test_memmove_with_every_overlap(void **state)
{
	static u8 buffer[BUFFER], before[BUFFER];

	(void)state;
	fill(before, 5);
	for (unsigned n = 0; n < SIZES; n++) {
		size_t size = nth_size(n);

		for (int shift = -40; shift <= 40; shift++) {
			unsigned source = GUARD, target = (unsigned)((int)GUARD + shift);

			fill(buffer, 5);
			assert_ptr_equal(own_memmove(buffer + target, buffer + source, size),
					 buffer + target);
			for (unsigned i = 0; i < BUFFER; i++) {
				bool inside = i >= target && i < target + size;

				if (buffer[i] != before[inside ? i - target + source : i])
					fail_msg("size %zu shift %d: byte %u", size, shift, i);
			}
		}
	}
}

static void test_memset(void **state)
{
	static u8 to[BUFFER], before[BUFFER];

	(void)state;
	for (unsigned n = 0; n < SIZES; n++) {
		size_t size = nth_size(n);

		for (unsigned a = 0; a < 8; a++) {
			/* only the low byte of the value counts */
			int byte = (int)(0x1200 + n * 8 + a);

			fill(to, 9);
			fill(before, 9);
			assert_ptr_equal(own_memset(to + GUARD + a, byte, size), to + GUARD + a);
			for (unsigned i = 0; i < BUFFER; i++) {
				bool inside = i >= GUARD + a && i < GUARD + a + size;

				if (to[i] != (inside ? (u8)byte : before[i]))
					fail_msg("size %zu at +%u: byte %u", size, a, i);
			}
		}
	}
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void test_memcmp_orders_by_the_first_difference(void **state)
{
	static u8 a[BUFFER], b[BUFFER];

	(void)state;
	for (unsigned n = 0; n < SIZES; n++) {
		size_t size = nth_size(n);

		for (unsigned align = 0; align < 8; align++) {
			fill(a, 3);
			for (unsigned i = 0; i < size; i++)
				b[GUARD + i] = a[GUARD + align + i];
			/* what lies behind must not matter */
			b[GUARD + size] = (u8)~a[GUARD + align + size];
			assert_int_equal(own_memcmp(a + GUARD + align, b + GUARD, size), 0);
			for (unsigned at = 0; at < size; at += size / 16 + 1) {
				u8 kept = b[GUARD + at], later = b[GUARD + size - 1];

				/* a difference behind the first, the other way round, must not matter either */
				b[GUARD + size - 1] = (u8)(later - 1);
				b[GUARD + at] = (u8)(kept + 1);
				assert_int_equal(sign(own_memcmp(a + GUARD + align, b + GUARD, size)),
						 kept < (u8)(kept + 1) ? -1 : 1);
				assert_int_equal(sign(own_memcmp(b + GUARD, a + GUARD + align, size)),
						 kept < (u8)(kept + 1) ? 1 : -1);
				b[GUARD + size - 1] = later;
				b[GUARD + at] = kept;
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memcpy),
		cmocka_unit_test(test_memmove_with_every_overlap),
		cmocka_unit_test(test_memset),
		cmocka_unit_test(test_memcmp_orders_by_the_first_difference),
	};

	return cmocka_run_group_tests_name("string", tests, NULL, NULL);
}
