// SPDX-License-Identifier: BSD-2-Clause
#include "boot/config.h"
#include "boot/config_value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The longest piece of a file that a message repeats. */
#define QUOTE_MAX 64

static const struct config_word words_feature[] = { { "auto", CONFIG_AUTO }, { "off", CONFIG_OFF }, { 0 } };
static const struct config_word words_switch[] = { { "on", true }, { "off", false }, { 0 } };
static const struct config_word words_level[] = {
	{ "error", LOG_ERROR }, { "warn", LOG_WARN }, { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { 0 }
};
static const struct config_word words_guest_end[] = { { "stop", CONFIG_STOP },
						      { "restart", CONFIG_RESTART },
						      { "reset", CONFIG_RESET },
						      { "poweroff", CONFIG_POWEROFF },
						      { 0 } };
static const struct config_word words_panic[] = {
	{ "halt", CONFIG_STOP }, { "reset", CONFIG_RESET }, { "poweroff", CONFIG_POWEROFF }, { 0 }
};

#define FIELD(member) .offset = offsetof(struct config, member), .size = sizeof(((struct config *)0)->member)

/* One row a key. `value` is what holds without the key, in the words of the file. */
static const struct config_key config_keys[] = {
	{ "kernel", config_take_path, FIELD(kernel),
	  .text = "guest kernel: bzImage, ELF with a PVH note, or multiboot 1" },
	{ "initrd", config_take_path, FIELD(initrd),
	  .text = "initial RAM disk; the first module of other guests than Linux" },
	{ "disk", config_take_path, FIELD(disk), .text = "image of the guest's first virtio disk" },
	{ "module", config_take_module, .repeatable = true,
	  .text = "path [argument]: a boot module; may be repeated" },
	{ "cmdline", config_take_text, FIELD(cmdline), .value = "",
	  .text = "the guest's command line: the rest of the line" },
	{ "memory", config_take_number, FIELD(memory), .value = "512M", .min = 16 * MiB, .max = TiB,
	  .multiple = 2 * MiB, .is_size = true, .text = "guest RAM" },
	{ "scratch", config_take_number, FIELD(scratch), .value = "0", .max = 64 * GiB, .multiple = MiB,
	  .is_size = true, .text = "size of the empty second virtio disk; 0: none" },
	{ "selftest", config_take_list, FIELD(selftest), .value = "off",
	  .text = "run self-tests: on, off, or names with commas" },
	{ "bench", config_take_list, FIELD(bench), .value = "off",
	  .text = "run benchmarks: on, off, or names with commas" },
	{ "loglevel", config_take_word, FIELD(loglevel), .value = "info", .words = words_level,
	  .text = "how much Sluice says" },
	{ "serial", config_take_number, FIELD(serial), .value = "0x3f8", .min = 1, .max = 0xfff8,
	  .text = "I/O port of the machine's 16550, the console" },
	{ "baud", config_take_number, FIELD(baud), .value = "115200", .min = 300, .max = 115200,
	  .divides = 115200, .text = "speed of the serial console" },
	{ "escape", config_take_escape, FIELD(escape), .value = "ctrl-]",
	  .text = "key that leads to the hypervisor console, or off" },
	{ "exit-port", config_take_number, FIELD(exit_port), .value = "0", .max = 0xffff,
	  .text = "emulators: I/O port that takes the status of the run; 0: none" },
	{ "apicv", config_take_word, FIELD(apicv), .value = "auto", .words = words_feature,
	  .text = "APIC virtualisation in hardware" },
	{ "x2apic", config_take_word, FIELD(x2apic), .value = "on", .words = words_switch,
	  .text = "offer x2APIC to the guest" },
	{ "hugepages", config_take_word, FIELD(hugepages), .value = "on", .words = words_switch,
	  .text = "map guest RAM by 2 MiB and 1 GiB pages" },
	{ "iommu", config_take_word, FIELD(iommu), .value = "on", .words = words_switch,
	  .text = "the VT-d unit, with interrupt remapping" },
	{ "edu", config_take_word, FIELD(edu), .value = "on", .words = words_switch,
	  .text = "the edu PCI device" },
	{ "disk-readonly", config_take_word, FIELD(disk_readonly), .value = "off", .words = words_switch,
	  .text = "the disk refuses writes" },
	{ "virtio-console", config_take_word, FIELD(virtio_console), .value = "on", .words = words_switch,
	  .text = "a second console, /dev/hvc0 in Linux" },
	{ "virtio-rng", config_take_word, FIELD(virtio_rng), .value = "on", .words = words_switch,
	  .text = "a source of random numbers, if the CPU has one" },
	{ "net", config_take_word, FIELD(net), .value = "on", .words = words_switch,
	  .text = "the guest's network card, bridged to the machine's, and the web server" },
	{ "address", config_take_address, FIELD(address), .value = "dhcp",
	  .text = "Sluice's own address: dhcp, none, or ADDRESS/PREFIX [GATEWAY]" },
	{ "http-token", config_take_token, FIELD(http_token),
	  .text = "what whoever controls the guest by HTTP must show" },
	{ "http-test-file", config_take_word, FIELD(http_test_file), .value = "off", .words = words_switch,
	  .text = "the web server has /test/4m" },
	{ "virtio-packed", config_take_word, FIELD(virtio_packed), .value = "off", .words = words_switch,
	  .text = "virtio devices offer packed rings, too" },
	{ "on-guest-poweroff", config_take_word, FIELD(on_guest_poweroff), .value = "poweroff",
	  .words = words_guest_end, .text = "what follows when the guest switches off" },
	{ "on-guest-reset", config_take_word, FIELD(on_guest_reset), .value = "restart",
	  .words = words_guest_end, .text = "what follows when the guest resets" },
	{ "on-guest-fault", config_take_word, FIELD(on_guest_fault), .value = "stop",
	  .words = words_guest_end, .text = "what follows when the guest cannot go on" },
	{ "on-panic", config_take_word, FIELD(on_panic), .value = "halt", .words = words_panic,
	  .text = "what follows a fault of Sluice itself" },
};

/* A pass over a file. */
struct config_reader {
	struct config *config;
	const char *name;
	struct config_error *error;
	unsigned line;
	unsigned first_line[ARRAY_SIZE(config_keys)]; /* where the key was seen; 0: not yet */
};

/* Prints "name:line: " and the message; returns false. */
static bool __printf(2, 3) config_fail(struct config_reader *reader, const char *format, ...)
{
	struct config_error *error = reader->error;
	int used = reader->line
			   ? snprintf(error->text, sizeof(error->text), "%s:%u: ", reader->name, reader->line)
			   : snprintf(error->text, sizeof(error->text), "%s: ", reader->name);
	va_list args;

	error->line = reader->line;
	if (used < 0 || (size_t)used >= sizeof(error->text))
		return false;
	va_start(args, format);
	vsnprintf(error->text + used, sizeof(error->text) - (size_t)used, format, args);
	va_end(args);
	return false;
}

/* For messages: at most QUOTE_MAX bytes of what stands in the file, without what a terminal would obey. */
struct config_quote {
	char text[QUOTE_MAX + 4];
};

static const char *config_quote(struct config_quote *quote, const char *text)
{
	size_t used = 0;

	for (; used < QUOTE_MAX && text[used]; used++)
		quote->text[used] = text[used] >= 0x20 && text[used] < 0x7f ? text[used] : '?';
	memcpy(quote->text + used, text[used] ? "..." : "", text[used] ? 4 : 1);
	return quote->text;
}

/* Levenshtein's distance with transposition, for words shorter than `ROW`; else ROW. */
static unsigned config_distance(const char *a, const char *b)
{
	enum { ROW = 24 };
	unsigned rows[3][ROW] = { 0 };
	const unsigned m = (unsigned)strlen(a), n = (unsigned)strlen(b);
	unsigned *before = rows[0], *last = rows[1], *now = rows[2];

	if (m >= ROW || n >= ROW)
		return ROW;
	for (unsigned j = 0; j <= n; j++)
		last[j] = j;
	for (unsigned i = 1; i <= m; i++) {
		unsigned *spare = before;

		now[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			now[j] = MIN(last[j - 1] + (a[i - 1] != b[j - 1]), MIN(last[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = MIN(now[j], before[j - 2] + 1);
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[n];
}

static bool config_fail_key(struct config_reader *reader, const char *key)
{
	const char *closest = NULL;
	unsigned least = 3; /* three typing errors are another word */
	struct config_quote quote;

	for (unsigned i = 0; i < ARRAY_SIZE(config_keys); i++) {
		const unsigned distance = config_distance(key, config_keys[i].name);

		if (distance < least && distance < strlen(config_keys[i].name) / 2 + 1) {
			least = distance;
			closest = config_keys[i].name;
		}
	}
	if (closest)
		return config_fail(reader, "found \"%s\", expected a key; did you mean \"%s\"?",
				   config_quote(&quote, key), closest);
	return config_fail(reader, "found \"%s\", expected a key (kernel, initrd, cmdline, memory, ...)",
			   config_quote(&quote, key));
}

static bool config_fail_value(struct config_reader *reader, const struct config_key *key, const char *value)
{
	char expected[CONFIG_EXPECTED_MAX];
	struct config_quote quote;

	config_describe(key, expected);
	if (*value == '\0')
		return config_fail(reader, "found \"%s =\" without a value, expected %s", key->name,
				   expected);
	return config_fail(reader, "found \"%s = %s\", expected %s%s", key->name, config_quote(&quote, value),
			   expected, strstr(value, " #") ? " (a comment takes a line of its own)" : "");
}

static bool config_read_pair(struct config_reader *reader, const char *name, const char *value)
{
	for (unsigned i = 0; i < ARRAY_SIZE(config_keys); i++) {
		const struct config_key *key = &config_keys[i];

		if (strcmp(name, key->name) != 0)
			continue;
		if (reader->first_line[i] && !key->repeatable)
			return config_fail(reader,
					   "found \"%s\" again, expected it once; the first is in line %u",
					   name, reader->first_line[i]);
		reader->first_line[i] = reader->line;
		/* Only a command line may be empty. */
		if ((*value == '\0' && key->take != config_take_text) ||
		    !key->take(key, reader->config, value))
			return config_fail_value(reader, key, value);
		return true;
	}
	return config_fail_key(reader, name);
}

/* `line` is a writable copy without its end. */
static bool config_read_line(struct config_reader *reader, char *line, size_t length)
{
	struct config_quote quote;
	char *equals, *key;

	for (size_t i = 0; i < length; i++)
		if (((u8)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
			return config_fail(reader, "found the byte 0x%02x in column %zu, expected text",
					   (u8)line[i], i + 1);
	key = config_trim(line);
	if (*key == '\0' || *key == '#')
		return true;
	equals = strchr(key, '=');
	if (!equals || equals == key)
		return config_fail(reader, "found \"%s\", expected key = value", config_quote(&quote, key));
	*equals = '\0';
	return config_read_pair(reader, config_trim(key), config_trim(equals + 1));
}

static bool config_read_lines(struct config_reader *reader, const char *text, size_t size)
{
	char line[CONFIG_LINE_MAX + 1];

	while (size) {
		const char *end = memchr(text, '\n', size);
		const size_t whole = end ? (size_t)(end - text) + 1 : size;
		size_t length = end ? whole - 1 : whole;

		reader->line++;
		if (end && length && text[length - 1] == '\r')
			length--;
		if (length > CONFIG_LINE_MAX)
			return config_fail(reader, "found a line of %zu bytes, expected at most %d", length,
					   CONFIG_LINE_MAX);
		memcpy(line, text, length);
		line[length] = '\0';
		if (!config_read_line(reader, line, length))
			return false;
		text += whole;
		size -= whole;
	}
	reader->line = 0;
	return true;
}

static bool config_read_file(struct config_reader *reader, const char *text, size_t size)
{
	const struct config *config = reader->config;

	if (size > CONFIG_FILE_MAX)
		return config_fail(reader, "found %zu bytes, expected at most %u", size,
				   (unsigned)CONFIG_FILE_MAX);
	if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
		return config_fail(reader, "found UTF-16 text, expected UTF-8: save the file as plain text");
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		size -= 3;
	}
	if (!config_read_lines(reader, text, size))
		return false;
	if (!*config->kernel && !*config->selftest && !*config->bench)
		return config_fail(reader,
				   "found no \"kernel\", expected kernel = PATH (or selftest or bench)");
	if (!*config->kernel && (*config->initrd || config->module_count))
		return config_fail(reader, "found \"%s\" without \"kernel\", expected kernel = PATH",
				   *config->initrd ? "initrd" : "module");
	if (!*config->disk && config->disk_readonly)
		return config_fail(reader,
				   "found \"disk-readonly = on\" without \"disk\", expected disk = PATH");
	return true;
}

void config_set_defaults(struct config *config)
{
	memset(config, 0, sizeof(*config));
	for (unsigned i = 0; i < ARRAY_SIZE(config_keys); i++)
		if (config_keys[i].value)
			config_keys[i].take(&config_keys[i], config, config_keys[i].value);
}

bool config_parse(struct config *config, const char *name, const char *text, size_t size,
		  struct config_error *error)
{
	struct config_reader reader = { .config = config, .name = name, .error = error };

	*error = (struct config_error){ 0 };
	config_set_defaults(config);
	if (config_read_file(&reader, text, size))
		return true;
	config_set_defaults(config);
	return false;
}

bool config_list_has(const char *list, const char *name)
{
	const size_t length = strlen(name);

	if (strcmp(list, "all") == 0)
		return true;
	while (*list) {
		const size_t item = strcspn(list, ",");

		if (item == length && memcmp(list, name, length) == 0)
			return true;
		list += item + (list[item] == ',');
	}
	return false;
}

bool config_key_help(unsigned index, struct config_help *help)
{
	if (index >= ARRAY_SIZE(config_keys))
		return false;
	*help = (struct config_help){ config_keys[index].name, config_keys[index].value,
				      config_keys[index].text };
	return true;
}
