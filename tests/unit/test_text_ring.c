// SPDX-License-Identifier: BSD-2-Clause
/* What the log and the guest's console are remembered in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/text_ring.h"

static struct text_ring *ring;

static int setup(void **state)
{
	(void)state;
	ring = calloc(1, sizeof(*ring));
	return ring ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(ring);
	return 0;
}

static void put(const char *text)
{
	while (*text)
		text_ring_put(ring, *text++);
}

static void expect_last(unsigned lines, const char *text)
{
	u64 at = text_ring_last_lines(ring, lines);

	assert_int_equal(ring->end - at, strlen(text));
	for (; at < ring->end; at++)
		assert_int_equal(text_ring_at(ring, at), *text++);
}

static void test_empty_ring_has_no_lines(void **state)
{
	(void)state;
	assert_int_equal(text_ring_begin(ring), 0);
	expect_last(0, "");
	expect_last(5, "");
}

static void test_last_lines(void **state)
{
	(void)state;
	put("one\ntwo\nthree\n");
	expect_last(0, "");
	expect_last(1, "three\n");
	expect_last(2, "two\nthree\n");
	expect_last(3, "one\ntwo\nthree\n");
	expect_last(99, "one\ntwo\nthree\n");
}

static void test_unfinished_and_empty_lines_count(void **state)
{
	(void)state;
	put("one\n\n\nfour");
	expect_last(1, "four");
	expect_last(2, "\nfour");
	expect_last(3, "\n\nfour");
	expect_last(4, "one\n\n\nfour");
	put("\n\n");
	expect_last(1, "\n");
}

static void test_keeps_the_newest_bytes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3 * TEXT_RING_SIZE + 5; i++)
		text_ring_put(ring, (char)('a' + i % 26));
	assert_int_equal(ring->end, 3 * TEXT_RING_SIZE + 5);
	assert_int_equal(text_ring_begin(ring), 2 * TEXT_RING_SIZE + 5);
	for (u64 i = text_ring_begin(ring); i < ring->end; i++)
		assert_int_equal(text_ring_at(ring, i), 'a' + i % 26);
	/* one endless line: as much as there is */
	assert_int_equal(text_ring_last_lines(ring, 3), text_ring_begin(ring));
	put("\nlast\n");
	expect_last(1, "last\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty_ring_has_no_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unfinished_and_empty_lines_count, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keeps_the_newest_bytes, setup, teardown),
	};

	return cmocka_run_group_tests_name("text_ring", tests, NULL, NULL);
}
