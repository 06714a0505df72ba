// SPDX-License-Identifier: BSD-2-Clause
/* Where a line of the log goes, and in what shape. The log is compiled in here, on a serial line and a screen of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/serial.h"

static struct {
	char text[65536];
	size_t length, room; /* room: bytes until a flush is needed */
	unsigned flushes;
	bool mid_line;
} line;

static char screen[4096];

bool serial_put(u8 byte)
{
	if (!line.room)
		return false;
	line.room--;
	line.text[line.length++] = (char)byte;
	line.mid_line = byte != '\n';
	return true;
}

void serial_flush(void)
{
	line.flushes++;
	line.room = 16;
}

bool serial_mid_line(void)
{
	return line.mid_line;
}

#include "arch/log.c"

static void screen_write(void *context, const char *text)
{
	assert_ptr_equal(context, screen);
	strcat(screen, text);
}

static int setup(void **state)
{
	(void)state;
	memset(&line, 0, sizeof(line));
	memset(&sink, 0, sizeof(sink));
	memset(screen, 0, sizeof(screen));
	line.room = sizeof(line.text);
	log_set_level(LOG_INFO);
	return 0;
}

static void expect_line(const char *text)
{
	assert_string_equal(line.text, text);
}

static void expect_ring(const struct text_ring *ring, const char *text)
{
	assert_int_equal(ring->end, strlen(text));
	for (size_t i = 0; text[i]; i++)
		assert_int_equal(text_ring_at(ring, i), text[i]);
}

static void test_level_is_named_in_the_prefix(void **state)
{
	(void)state;
	log_set_level(LOG_DEBUG);
	log_error("a %d", 1);
	log_warn("b %s", "x");
	log_info("c");
	log_debug("d");
	expect_line("sluice: error: a 1\r\nsluice: warning: b x\r\nsluice: c\r\nsluice: debug: d\r\n");
	expect_ring(log_history(), "sluice: error: a 1\nsluice: warning: b x\nsluice: c\nsluice: debug: d\n");
}

static void test_lines_above_the_level_are_dropped(void **state)
{
	(void)state;
	log_set_level(LOG_WARN);
	log_info("no");
	log_debug("no");
	expect_line("");
	log_warn("yes");
	expect_line("sluice: warning: yes\r\n");
}

static void test_guest_line_is_not_torn(void **state)
{
	(void)state;
	for (const char *c = "login: "; *c; c++)
		serial_put((u8)*c);
	log_info("x");
	expect_line("login: \r\nsluice: x\r\n");
}

static void test_long_line_is_cut_and_says_so(void **state)
{
	char text[2 * LOG_LINE_MAX];
	size_t length;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_error("%s", text);
	length = strlen(line.text);
	assert_in_range(length, LOG_LINE_MAX - 8, LOG_LINE_MAX);
	assert_string_equal(line.text + length - 6, "x...\r\n");
	/* the longest that fits is not cut */
	setup(NULL);
	text[LOG_LINE_MAX - strlen("sluice: ") - 2] = '\0';
	log_info("%s", text);
	assert_string_equal(line.text + strlen(line.text) - 3, "x\r\n");
}

static void test_full_line_loses_nothing(void **state)
{
	(void)state;
	line.room = 5;
	log_info("0123456789012345678901234567890123456789");
	expect_line("sluice: 0123456789012345678901234567890123456789\r\n");
	assert_true(line.flushes > 1);
}

static void test_screen_shows_errors_and_warnings_only(void **state)
{
	(void)state;
	log_set_screen(screen_write, screen);
	log_info("quiet");
	assert_string_equal(screen, "");
	log_warn("w");
	log_error("e");
	log_progress("10%\n");
	assert_string_equal(screen, "sluice: warning: w\nsluice: error: e\n10%\n");
	log_set_screen(NULL, NULL);
	log_error("late");
	assert_null(strstr(screen, "late"));
}

static void test_progress_is_not_remembered(void **state)
{
	(void)state;
	log_progress("10%\n");
	expect_line("10%\r\n");
	expect_ring(log_history(), "");
}

static void test_answers_are_not_remembered(void **state)
{
	(void)state;
	log_info("x");
	log_write("an answer\n", 10);
	expect_line("sluice: x\r\nan answer\r\n");
	expect_ring(log_history(), "sluice: x\n");
}

static void test_guest_history_is_its_own(void **state)
{
	(void)state;
	log_guest_byte('h');
	log_guest_byte('i');
	log_info("x");
	expect_ring(log_guest_history(), "hi");
	expect_ring(log_history(), "sluice: x\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_level_is_named_in_the_prefix, setup),
		cmocka_unit_test_setup(test_lines_above_the_level_are_dropped, setup),
		cmocka_unit_test_setup(test_guest_line_is_not_torn, setup),
		cmocka_unit_test_setup(test_long_line_is_cut_and_says_so, setup),
		cmocka_unit_test_setup(test_full_line_loses_nothing, setup),
		cmocka_unit_test_setup(test_screen_shows_errors_and_warnings_only, setup),
		cmocka_unit_test_setup(test_progress_is_not_remembered, setup),
		cmocka_unit_test_setup(test_answers_are_not_remembered, setup),
		cmocka_unit_test_setup(test_guest_history_is_its_own, setup),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
