// SPDX-License-Identifier: BSD-2-Clause
/* The configuration file: what is accepted and what it becomes, what is refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/config.h"

static struct config config;
static struct config_error error;

/* In a block of its exact size: the text is not terminated. */
static bool parse_bytes(const char *text, size_t size)
{
	char *copy = malloc(size ? size : 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, text, size);
	ok = config_parse(&config, "f", copy, size, &error);
	free(copy);
	return ok;
}

static bool parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

/* One more line behind a sound one. */
static bool parse_key(const char *line)
{
	char text[8192];

	snprintf(text, sizeof(text), "kernel = k\n%s\n", line);
	return parse(text);
}

static void assert_refused(const char *line, const char *message)
{
	assert_false(parse_key(line));
	assert_int_equal(error.line, 2);
	assert_string_equal(error.text, message);
}

static void test_defaults_are_those_of_the_manual(void **state)
{
	(void)state;
	assert_true(parse("kernel = k"));
	assert_string_equal(config.kernel, "\\k");
	assert_string_equal(config.initrd, "");
	assert_string_equal(config.disk, "");
	assert_string_equal(config.cmdline, "");
	assert_string_equal(config.selftest, "");
	assert_string_equal(config.bench, "");
	assert_int_equal(config.module_count, 0);
	assert_int_equal(config.memory, 512 * MiB);
	assert_int_equal(config.scratch, 0);
	assert_int_equal(config.loglevel, LOG_INFO);
	assert_int_equal(config.serial, 0x3f8);
	assert_int_equal(config.baud, 115200);
	assert_int_equal(config.escape, 0x1d);
	assert_int_equal(config.exit_port, 0);
	assert_int_equal(config.apicv, CONFIG_AUTO);
	assert_true(config.x2apic);
	assert_true(config.hugepages);
	assert_true(config.iommu);
	assert_true(config.edu);
	assert_false(config.disk_readonly);
	assert_true(config.virtio_console);
	assert_true(config.virtio_rng);
	assert_false(config.virtio_packed);
	assert_true(config.net);
	assert_int_equal(config.address.kind, CONFIG_ADDRESS_DHCP);
	assert_string_equal(config.http_token, "");
	assert_false(config.http_test_file);
	assert_int_equal(config.on_guest_poweroff, CONFIG_POWEROFF);
	assert_int_equal(config.on_guest_reset, CONFIG_RESTART);
	assert_int_equal(config.on_guest_fault, CONFIG_STOP);
	assert_int_equal(config.on_panic, CONFIG_STOP);
	assert_string_equal(error.text, "");
}

static void test_every_key_is_in_the_manual_with_its_default(void **state)
{
	static char manual[64 * 1024];
	FILE *file = fopen("boot/configuration.md", "r");
	struct config_help help;
	size_t size;
	unsigned count = 0;

	(void)state;
	assert_non_null(file);
	size = fread(manual, 1, sizeof(manual) - 1, file);
	fclose(file);
	manual[size] = '\0';
	for (; config_key_help(count, &help); count++) {
		char row[128];

		snprintf(row, sizeof(row), "\n| `%s` | ", help.key);
		assert_non_null(strstr(manual, row));
		if (help.value && *help.value) {
			snprintf(row, sizeof(row), "\n| `%s` | `%s` | ", help.key, help.value);
			assert_non_null(strstr(manual, row));
		}
		assert_true(strlen(help.text) > 5);
	}
	assert_int_equal(count, 31);
}

static void test_every_key_is_read(void **state)
{
	(void)state;
	assert_true(parse("kernel = \\efi\\linux/vmlinuz\n"
			  "initrd=/initrd.gz\n"
			  "disk = root.img\n"
			  "module = mod\\a   one  two\n"
			  "module = b\n"
			  "cmdline = console=ttyS0 root=/dev/vda # not a comment\n"
			  "memory = 2G\n"
			  "scratch = 96M\n"
			  "selftest = ept, decode.mov ,time-1\n"
			  "bench = on\n"
			  "loglevel = debug\n"
			  "serial = 0x2F8\n"
			  "baud = 9600\n"
			  "escape = ctrl-a\n"
			  "exit-port = 0xf4\n"
			  "apicv = off\n"
			  "x2apic = off\n"
			  "hugepages = off\n"
			  "iommu = off\n"
			  "edu = off\n"
			  "disk-readonly = on\n"
			  "virtio-console = off\n"
			  "virtio-rng = off\n"
			  "virtio-packed = on\n"
			  "net = off\n"
			  "address = 10.0.2.20/24  10.0.2.2\n"
			  "http-token = 0123456789abcdef\n"
			  "http-test-file = on\n"
			  "on-guest-poweroff = stop\n"
			  "on-guest-reset = poweroff\n"
			  "on-guest-fault = reset\n"
			  "on-panic = poweroff\n"));
	assert_string_equal(config.kernel, "\\efi\\linux\\vmlinuz");
	assert_string_equal(config.initrd, "\\initrd.gz");
	assert_int_equal(config.module_count, 2);
	assert_string_equal(config.module[0].path, "\\mod\\a");
	assert_string_equal(config.module[0].argument, "one  two");
	assert_string_equal(config.module[1].path, "\\b");
	assert_string_equal(config.module[1].argument, "");
	assert_string_equal(config.cmdline, "console=ttyS0 root=/dev/vda # not a comment");
	assert_string_equal(config.disk, "\\root.img");
	assert_int_equal(config.memory, 2 * GiB);
	assert_int_equal(config.scratch, 96 * MiB);
	assert_string_equal(config.selftest, "ept,decode.mov,time-1");
	assert_string_equal(config.bench, "all");
	assert_int_equal(config.loglevel, LOG_DEBUG);
	assert_int_equal(config.serial, 0x2f8);
	assert_int_equal(config.baud, 9600);
	assert_int_equal(config.escape, 1);
	assert_int_equal(config.exit_port, 0xf4);
	assert_int_equal(config.apicv, CONFIG_OFF);
	assert_false(config.x2apic);
	assert_false(config.hugepages);
	assert_false(config.iommu);
	assert_false(config.edu);
	assert_true(config.disk_readonly);
	assert_false(config.virtio_console);
	assert_false(config.virtio_rng);
	assert_true(config.virtio_packed);
	assert_false(config.net);
	assert_int_equal(config.address.kind, CONFIG_ADDRESS_STATIC);
	assert_int_equal(config.address.address, 0x0a000214);
	assert_int_equal(config.address.gateway, 0x0a000202);
	assert_int_equal(config.address.prefix, 24);
	assert_string_equal(config.http_token, "0123456789abcdef");
	assert_true(config.http_test_file);
	assert_int_equal(config.on_guest_poweroff, CONFIG_STOP);
	assert_int_equal(config.on_guest_reset, CONFIG_POWEROFF);
	assert_int_equal(config.on_guest_fault, CONFIG_RESET);
	assert_int_equal(config.on_panic, CONFIG_POWEROFF);
}

static void test_an_address_is_one_of_a_host(void **state)
{
	static const char *const wrong[] = { "10.0.2.0/24",
					     "10.0.2.255/24",
					     "10.0.2.15",
					     "10.0.2.15/31",
					     "10.0.2.15/7",
					     "10.0.2.256/24",
					     "10.0.2/24",
					     "127.0.0.1/8",
					     "224.0.0.1/8",
					     "10.0.2.15/24 10.0.3.2",
					     "10.0.2.15/24 10.0.2.15",
					     "10.0.2.15/24 x",
					     "0.0.0.1/8",
					     "10.0.2.15/24 10.0.2.2 y",
					     "static" };
	char line[64], message[256];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(line, sizeof(line), "address = %s", wrong[i]);
		snprintf(message, sizeof(message),
			 "f:2: found \"address = %s\", expected dhcp, none, or ADDRESS/PREFIX [GATEWAY] like "
			 "10.0.2.15/24 10.0.2.2",
			 wrong[i]);
		assert_refused(line, message);
	}
	assert_true(parse_key("address = none"));
	assert_int_equal(config.address.kind, CONFIG_ADDRESS_NONE);
	assert_true(parse_key("address = 192.168.0.1/30"));
	assert_int_equal(config.address.gateway, 0);
}

static void test_a_token_is_long_and_fits_into_a_header(void **state)
{
	(void)state;
	assert_refused(
		"http-token = 0123456789abcde",
		"f:2: found \"http-token = 0123456789abcde\", expected 16 to 64 letters, digits and -._~+/=");
	assert_refused("http-token = 0123456789abcdef g", "f:2: found \"http-token = 0123456789abcdef g\", "
							  "expected 16 to 64 letters, digits and -._~+/=");
}

static void test_blanks_comments_line_ends_and_the_byte_order_mark_do_not_matter(void **state)
{
	(void)state;
	assert_true(
		parse("\xef\xbb\xbf# first\r\n\r\n \t kernel\t =\t k \t\r\n\t# memory = 1\r\nmemory=64M"));
	assert_string_equal(config.kernel, "\\k");
	assert_int_equal(config.memory, 64 * MiB);
	/* A file may say anything in its comments. */
	assert_true(parse("# gr\xc3\xbc\xc3\x9f"
			  "e\nkernel = k\ncmdline = \xc3\xa9"));
	assert_string_equal(config.cmdline, "\xc3\xa9");
	assert_true(parse("kernel = k\ncmdline ="));
	assert_string_equal(config.cmdline, "");
}

static void test_numbers_have_prefixes_suffixes_and_bounds(void **state)
{
	static const struct {
		const char *text;
		u64 value; /* 0: refused */
	} cases[] = {
		{ "16M", 16 * MiB },
		{ "16384k", 16 * MiB },
		{ "16777216", 16 * MiB },
		{ "0x1000000", 16 * MiB },
		{ "0X40m", 64 * MiB },
		{ "1T", TiB },
		{ "1024G", TiB },
		{ "002G", 2 * GiB },
		{ "14M", 0 },
		{ "1025G", 0 },
		{ "17M", 0 },
		{ "16777217", 0 },
		{ "-16M", 0 },
		{ "+16M", 0 },
		{ "16 M", 0 },
		{ "16MB", 0 },
		{ "16MM", 0 },
		{ "M", 0 },
		{ "0x", 0 },
		{ "0xM", 0 },
		{ "0xg", 0 },
		{ "16P", 0 },
		{ "1.5G", 0 },
		{ "1e9", 0 },
		{ "18446744073709551616", 0 },
		{ "18446744073726328832", 0 },
		{ "16777216T", 0 },
		{ "0x10000000001000000", 0 },
		{ "17179869184G", 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[64];

		snprintf(line, sizeof(line), "memory = %s", cases[i].text);
		assert_int_equal(parse_key(line), cases[i].value != 0);
		if (cases[i].value)
			assert_int_equal(config.memory, cases[i].value);
	}
	assert_true(parse_key("exit-port = 65535"));
	assert_false(parse_key("exit-port = 65536"));
	assert_false(parse_key("serial = 0"));
	assert_true(parse_key("baud = 300"));
	assert_false(parse_key("baud = 200"));
	assert_false(parse_key("baud = 0"));
}

static void test_paths_have_bounds_and_an_alphabet(void **state)
{
	char line[400] = "kernel = ";

	(void)state;
	memset(line + 9, 'a', 254);
	assert_true(parse(line));
	assert_int_equal(strlen(config.kernel), 255);
	line[9 + 254] = 'a';
	assert_false(parse(line));
	line[9] = '/'; /* the blackslash in front is not needed then */
	assert_true(parse(line));
	assert_false(parse("kernel = dir/"));
	assert_false(parse("kernel = \\"));
	assert_false(parse("kernel = fs0:\\vmlinuz"));
	assert_false(parse("kernel = gr\xc3\xbcn"));
	assert_true(parse("kernel = my kernel"));
	assert_string_equal(config.kernel, "\\my kernel");
}

static void test_modules_are_bounded_in_number_and_length(void **state)
{
	char text[2048] = "kernel = k\n", line[400];

	(void)state;
	for (unsigned i = 0; i < CONFIG_MODULES_MAX; i++)
		strcat(text, "module = m x\n");
	assert_true(parse(text));
	assert_int_equal(config.module_count, CONFIG_MODULES_MAX);
	strcat(text, "module = m x\n");
	assert_false(parse(text));
	assert_int_equal(error.line, 10);
	assert_string_equal(
		error.text,
		"f:10: found \"module = m x\", expected a path of ASCII characters, then an argument, "
		"each at most 254 bytes; at most 8 modules");
	assert_int_equal(config.module_count, 0);

	memset(line, 'a', sizeof(line));
	memcpy(line, "module = m ", 11);
	line[11 + CONFIG_ARGUMENT_MAX - 1] = '\0';
	assert_true(parse_key(line));
	line[11 + CONFIG_ARGUMENT_MAX - 1] = 'a';
	line[11 + CONFIG_ARGUMENT_MAX] = '\0';
	assert_false(parse_key(line));
}

static void test_escape_keys_are_control_characters_that_no_other_key_sends(void **state)
{
	char line[] = "escape = ctrl-?";

	(void)state;
	for (unsigned c = 0x21; c < 0x7f; c++) {
		line[14] = (char)c;
		assert_int_equal(parse_key(line), strchr("abcdefgklnopqrstuvwxyz]\\^_", (int)c) != NULL);
		if (error.text[0] == '\0')
			assert_int_equal(config.escape, c & 0x1f);
	}
	assert_true(parse_key("escape = off"));
	assert_int_equal(config.escape, 0);
	assert_false(parse_key("escape = ctrl-"));
	assert_false(parse_key("escape = ctrl-ab"));
	assert_false(parse_key("escape = a"));
	assert_false(parse_key("escape = ctrl"));
	assert_false(parse_key("escape = c"));
}

static void test_lists_are_names_and_are_found_whole(void **state)
{
	(void)state;
	assert_true(config_list_has("all", "ept"));
	assert_false(config_list_has("", "ept"));
	assert_true(config_list_has("ept", "ept"));
	assert_true(config_list_has("a,ept,b", "ept"));
	assert_true(config_list_has("a,ept", "ept"));
	assert_false(config_list_has("ept2,aept", "ept"));
	assert_false(config_list_has("ep,t", "ept"));
	assert_false(parse_key("selftest = a,,b"));
	assert_false(parse_key("selftest = a,"));
	assert_false(parse_key("selftest = ,a"));
	assert_false(parse_key("selftest = a b"));
	assert_false(parse_key("selftest = a,off"));
	assert_false(parse_key("selftest = on,a"));
	assert_false(parse_key("selftest = A"));
	assert_true(parse_key("selftest = one,once"));
	assert_string_equal(config.selftest, "one,once");
	assert_true(parse("selftest = on")); /* needs no kernel */
	assert_true(parse("bench = exit.cpuid"));
	assert_false(parse("selftest = off"));
}

static void test_a_long_list_is_refused_and_a_shorter_one_is_not(void **state)
{
	char line[400];

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "bench = ", 8);
	line[8 + CONFIG_LIST_MAX - 1] = '\0';
	assert_true(parse_key(line));
	assert_int_equal(strlen(config.bench), CONFIG_LIST_MAX - 1);
	line[8 + CONFIG_LIST_MAX - 1] = 'a';
	line[8 + CONFIG_LIST_MAX] = '\0';
	assert_false(parse_key(line));
}

static void test_the_closest_key_is_suggested_if_there_is_one(void **state)
{
	(void)state;
	assert_refused("intird = x", "f:2: found \"intird\", expected a key; did you mean \"initrd\"?");
	assert_refused("on_panic = halt",
		       "f:2: found \"on_panic\", expected a key; did you mean \"on-panic\"?");
	assert_refused("Memory = 1G", "f:2: found \"Memory\", expected a key; did you mean \"memory\"?");
	assert_refused("cmdlin = x", "f:2: found \"cmdlin\", expected a key; did you mean \"cmdline\"?");
	assert_refused("eud = on", "f:2: found \"eud\", expected a key; did you mean \"edu\"?");
	assert_refused("xyz = on",
		       "f:2: found \"xyz\", expected a key (kernel, initrd, cmdline, memory, ...)");
	assert_refused("a-key-that-is-longer-than-every-key = on",
		       "f:2: found \"a-key-that-is-longer-than-every-key\", expected a key (kernel, initrd, "
		       "cmdline, "
		       "memory, ...)");
}

static void test_what_a_terminal_would_obey_is_not_repeated_in_a_message(void **state)
{
	(void)state;
	assert_refused("memory = \x1b[2J", "f:2: found the byte 0x1b in column 10, expected text");
	assert_refused("memory = a\rb", "f:2: found the byte 0x0d in column 11, expected text");
	assert_refused(
		"memory = \x9b"
		"2J",
		"f:2: found \"memory = ?2J\", expected a size from 16M to 1T that is a multiple of 2M");
	assert_refused("memory = 0123456789012345678901234567890123456789012345678901234567890123456789",
		       "f:2: found \"memory = "
		       "0123456789012345678901234567890123456789012345678901234567890123...\", "
		       "expected a size from 16M to 1T that is a multiple of 2M");
}

static void test_lines_and_files_have_a_longest_size(void **state)
{
	static char text[CONFIG_FILE_MAX + 1];
	static const char head[] = "kernel = k\ncmdline = ";
	const size_t start = sizeof(head) - 1;

	(void)state;
	/* A comment may be as long as a line. */
	memset(text, '#', sizeof(text));
	memcpy(text, "kernel = k\n", 11);
	assert_true(parse_bytes(text, 11 + CONFIG_LINE_MAX));
	assert_false(parse_bytes(text, 11 + CONFIG_LINE_MAX + 1));
	assert_string_equal(error.text, "f:2: found a line of 4097 bytes, expected at most 4096");
	/* The line's end does not count, whichever it is. */
	text[11 + CONFIG_LINE_MAX] = '\r';
	text[11 + CONFIG_LINE_MAX + 1] = '\n';
	assert_true(parse_bytes(text, 11 + CONFIG_LINE_MAX + 2));

	memset(text, 'x', sizeof(text));
	memcpy(text, head, start);
	assert_true(parse_bytes(text, start + CONFIG_CMDLINE_MAX - 1));
	assert_int_equal(strlen(config.cmdline), CONFIG_CMDLINE_MAX - 1);
	assert_false(parse_bytes(text, start + CONFIG_CMDLINE_MAX));
	assert_non_null(strstr(error.text, "...\", expected at most 2047 bytes"));

	memset(text + 11, '\n', sizeof(text) - 11);
	assert_true(parse_bytes(text, CONFIG_FILE_MAX));
	assert_false(parse_bytes(text, CONFIG_FILE_MAX + 1));
	assert_string_equal(error.text, "f: found 65537 bytes, expected at most 65536");
	assert_int_equal(error.line, 0);
}

static void test_the_first_error_wins_and_nothing_is_half_configured(void **state)
{
	struct config *defaults = malloc(sizeof(*defaults));

	(void)state;
	assert_non_null(defaults);
	config_set_defaults(defaults);
	assert_false(parse("kernel = k\nmemory = 1G\nx2apic = maybe\nbaud = 7\n"));
	assert_string_equal(error.text, "f:3: found \"x2apic = maybe\", expected on or off");
	assert_memory_equal(&config, defaults, sizeof(config));
	free(defaults);
}

static void test_an_initrd_or_module_wants_a_kernel(void **state)
{
	(void)state;
	assert_false(parse("selftest = on\ninitrd = i\n"));
	assert_string_equal(error.text, "f: found \"initrd\" without \"kernel\", expected kernel = PATH");
	assert_false(parse("selftest = on\nmodule = i\n"));
	assert_string_equal(error.text, "f: found \"module\" without \"kernel\", expected kernel = PATH");
	assert_false(parse("kernel = k\ndisk-readonly = on\n"));
	assert_string_equal(error.text,
			    "f: found \"disk-readonly = on\" without \"disk\", expected disk = PATH");
	assert_false(parse(""));
	assert_false(parse("\n\n# nothing\n"));
	assert_false(parse("= k\n"));
	assert_string_equal(error.text, "f:1: found \"= k\", expected key = value");
	assert_refused(" = k", "f:2: found \"= k\", expected key = value");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_manual),
		cmocka_unit_test(test_every_key_is_in_the_manual_with_its_default),
		cmocka_unit_test(test_every_key_is_read),
		cmocka_unit_test(test_an_address_is_one_of_a_host),
		cmocka_unit_test(test_a_token_is_long_and_fits_into_a_header),
		cmocka_unit_test(test_blanks_comments_line_ends_and_the_byte_order_mark_do_not_matter),
		cmocka_unit_test(test_numbers_have_prefixes_suffixes_and_bounds),
		cmocka_unit_test(test_paths_have_bounds_and_an_alphabet),
		cmocka_unit_test(test_modules_are_bounded_in_number_and_length),
		cmocka_unit_test(test_escape_keys_are_control_characters_that_no_other_key_sends),
		cmocka_unit_test(test_lists_are_names_and_are_found_whole),
		cmocka_unit_test(test_a_long_list_is_refused_and_a_shorter_one_is_not),
		cmocka_unit_test(test_the_closest_key_is_suggested_if_there_is_one),
		cmocka_unit_test(test_what_a_terminal_would_obey_is_not_repeated_in_a_message),
		cmocka_unit_test(test_lines_and_files_have_a_longest_size),
		cmocka_unit_test(test_the_first_error_wins_and_nothing_is_half_configured),
		cmocka_unit_test(test_an_initrd_or_module_wants_a_kernel),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
