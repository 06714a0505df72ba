// SPDX-License-Identifier: BSD-2-Clause
/* Names of addresses in a backtrace. The image is a page of ours: text from 0x100 to 0x800. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/image.h"
#include "arch/symbols.h"

__asm__(".bss\n\t"
	".globl ImageBase, __text_start, __text_end\n\t"
	"ImageBase: .skip 0x1000\n\t"
	".set __text_start, ImageBase + 0x100\n\t"
	".set __text_end, ImageBase + 0x800\n\t"
	".text");

const struct symbol __symbols[] = { { 0x180, 0 }, { 0x200, 6 }, { 0x201, 13 }, { 0x700, 0 } };
const u32 __symbols_count = ARRAY_SIZE(__symbols);
const char __symbol_names[] = "first\0second\0third";

static void expect(u64 at, const char *name, u64 offset)
{
	u64 found = ~0ull;
	const char *text = symbol_find((u64)ImageBase + at, &found);

	assert_non_null(text);
	assert_string_equal(text, name);
	assert_int_equal(found, offset);
}

static void test_nearest_symbol_below(void **state)
{
	(void)state;
	expect(0x180, "first", 0);
	expect(0x1ff, "first", 0x7f);
	expect(0x200, "second", 0);
	expect(0x201, "third", 0);
	expect(0x6ff, "third", 0x4fe);
	expect(0x7ff, "first", 0xff);
}

static void test_no_name_outside(void **state)
{
	static const u64 outside[] = { 0, 0xff, 0x800, 0x1000, ~0ull, 1ull << 40 };
	u64 offset;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(outside); i++)
		assert_null(symbol_find((u64)ImageBase + outside[i], &offset));
	/* in the text, but before the first symbol */
	assert_null(symbol_find((u64)ImageBase + 0x17f, &offset));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest_symbol_below),
		cmocka_unit_test(test_no_name_outside),
	};

	return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}
