// SPDX-License-Identifier: BSD-2-Clause
#include "boot/config_value.h"

#include <stdio.h>
#include <string.h>

#define CONFIG_TOKEN_MIN 16

static bool config_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

char *config_trim(char *text)
{
	size_t length;

	while (config_is_blank(*text))
		text++;
	length = strlen(text);
	while (length && config_is_blank(text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

static void *config_field(const struct config_key *key, struct config *config)
{
	return (u8 *)config + key->offset;
}

/* Numbers, words and switches live in fields of several widths, all little endian. */
static void config_store(const struct config_key *key, struct config *config, u64 value)
{
	memcpy(config_field(key, config), &value, key->size);
}

bool config_take_text(const struct config_key *key, struct config *config, const char *value)
{
	const size_t length = strlen(value);

	if (length >= key->size)
		return false;
	memcpy(config_field(key, config), value, length + 1);
	return true;
}

/*
 * The firmware wants '\' and takes UTF-16; what is ASCII is the same in both. A path starts at the root with or without
 * a '\'.
 */
static bool config_copy_path(char to[CONFIG_PATH_MAX], const char *from, size_t length)
{
	size_t used = 0;

	if (length == 0 || from[length - 1] == '\\' || from[length - 1] == '/')
		return false;
	if (from[0] != '\\' && from[0] != '/')
		to[used++] = '\\';
	if (used + length >= CONFIG_PATH_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (from[i] < 0x20 || from[i] >= 0x7f ||
		    strchr("\"*:<>?|", from[i])) /* FAT permits none of these */
			return false;
		to[used++] = from[i] == '/' ? '\\' : from[i];
	}
	to[used] = '\0';
	return true;
}

bool config_take_path(const struct config_key *key, struct config *config, const char *value)
{
	char path[CONFIG_PATH_MAX];

	return config_copy_path(path, value, strlen(value)) && config_take_text(key, config, path);
}

bool config_take_module(const struct config_key *key, struct config *config, const char *value)
{
	const size_t path = strcspn(value, " \t");
	const char *argument = value + path;
	struct config_module module = { .argument = "" };

	(void)key;
	while (config_is_blank(*argument))
		argument++;
	if (config->module_count == CONFIG_MODULES_MAX || strlen(argument) >= sizeof(module.argument) ||
	    !config_copy_path(module.path, value, path))
		return false;
	memcpy(module.argument, argument, strlen(argument) + 1);
	config->module[config->module_count++] = module;
	return true;
}

static int config_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Decimal or 0x..., then K, M, G or T; no sign, no blank. */
static bool config_number(const char *text, u64 *value)
{
	static const char suffixes[] = "kmgtKMGT";
	const unsigned base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	const char *at = text + (base == 16 ? 2 : 0), *suffix;
	u64 number = 0;

	if (config_digit(*at) >= (int)base)
		return false;
	for (; config_digit(*at) < (int)base; at++)
		if (__builtin_mul_overflow(number, (u64)base, &number) ||
		    __builtin_add_overflow(number, (u64)config_digit(*at), &number))
			return false;
	suffix = *at ? strchr(suffixes, *at) : NULL;
	if (suffix) {
		if (__builtin_mul_overflow(number, 1ull << (10 * ((suffix - suffixes) % 4 + 1)), &number))
			return false;
		at++;
	}
	*value = number;
	return *at == '\0';
}

bool config_take_number(const struct config_key *key, struct config *config, const char *value)
{
	u64 number;

	if (!config_number(value, &number) || number < key->min || number > key->max ||
	    (key->multiple && number % key->multiple != 0) || (key->divides && key->divides % number != 0))
		return false;
	config_store(key, config, number);
	return true;
}

bool config_take_word(const struct config_key *key, struct config *config, const char *value)
{
	for (const struct config_word *word = key->words; word->word; word++)
		if (strcmp(value, word->word) == 0) {
			config_store(key, config, word->value);
			return true;
		}
	return false;
}

/* Names with commas between them, blanks around the commas taken out. */
bool config_take_list(const struct config_key *key, struct config *config, const char *value)
{
	char list[CONFIG_LIST_MAX];
	size_t used = 0;

	if (strcmp(value, "off") == 0)
		return config_take_text(key, config, "");
	if (strcmp(value, "on") == 0 || strcmp(value, "all") == 0)
		return config_take_text(key, config, "all");
	for (;;) {
		const size_t length = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_-.");

		if (length == 0 || used + length + 1 > sizeof(list) ||
		    (length == 2 && !memcmp(value, "on", 2)) ||
		    (length == 3 && (!memcmp(value, "off", 3) || !memcmp(value, "all", 3))))
			return false;
		memcpy(list + used, value, length);
		used += length;
		value += length;
		while (config_is_blank(*value))
			value++;
		if (*value != ',')
			break;
		list[used++] = *value++;
		while (config_is_blank(*value))
			value++;
	}
	list[used] = '\0';
	return *value == '\0' && config_take_text(key, config, list);
}

/* Control characters that a user's terminal does not send for other keys: backspace, tab, both line ends, escape. */
bool config_take_escape(const struct config_key *key, struct config *config, const char *value)
{
	const char *letter = value + 5;

	if (strcmp(value, "off") == 0) {
		config_store(key, config, 0);
		return true;
	}
	if (strncmp(value, "ctrl-", 5) != 0 || letter[0] == '\0' || letter[1] != '\0' ||
	    !strchr("abcdefgklnopqrstuvwxyz]\\^_", *letter))
		return false;
	config_store(key, config, *letter & 0x1f);
	return true;
}

/* A number of at most `max` at *text, which moves on; false: there is none. */
static bool config_decimal(const char **text, unsigned max, unsigned *value)
{
	const char *at = *text;

	for (*value = 0; *at >= '0' && *at <= '9'; at++) {
		*value = *value * 10 + (unsigned)(*at - '0');
		if (*value > max)
			return false;
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

static bool config_ipv4(const char **text, u32 *address)
{
	*address = 0;
	for (unsigned i = 0; i < 4; i++) {
		unsigned byte;

		if ((i && *(*text)++ != '.') || !config_decimal(text, 255, &byte))
			return false;
		*address = *address << 8 | byte;
	}
	return true;
}

/* A host of its net, and not of the loopback's, nor multicast: ADDRESS/PREFIX [GATEWAY]. */
static bool config_static_address(const char *value, struct config_address *address)
{
	unsigned prefix;
	u32 host;

	address->kind = CONFIG_ADDRESS_STATIC;
	if (!config_ipv4(&value, &address->address) || *value++ != '/' ||
	    !config_decimal(&value, 30, &prefix) || prefix < 8)
		return false;
	address->prefix = (u8)prefix;
	host = BITS(31 - prefix, 0);
	while (config_is_blank(*value))
		value++;
	if (*value &&
	    (!config_ipv4(&value, &address->gateway) || ((address->gateway ^ address->address) & ~host) ||
	     address->gateway == address->address))
		return false;
	return *value == '\0' && (address->address & host) && (address->address & host) != host &&
	       address->address >> 24 && address->address >> 24 != 127 && address->address >> 24 < 224;
}

bool config_take_address(const struct config_key *key, struct config *config, const char *value)
{
	struct config_address address = { .kind = CONFIG_ADDRESS_NONE };

	if (strcmp(value, "dhcp") == 0)
		address.kind = CONFIG_ADDRESS_DHCP;
	else if (strcmp(value, "none") != 0 && !config_static_address(value, &address))
		return false;
	memcpy(config_field(key, config), &address, sizeof(address));
	return true;
}

/* What a header line can carry (RFC 6750, 2.1), and nobody guesses. */
bool config_take_token(const struct config_key *key, struct config *config, const char *value)
{
	const size_t length = strlen(value);

	return length >= CONFIG_TOKEN_MIN &&
	       strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=") ==
		       length &&
	       config_take_text(key, config, value);
}

/* 16M, not 16777216, if it comes out even. */
static void config_print_size(char *text, size_t room, u64 value)
{
	static const char units[] = " KMGT";
	unsigned unit = 0;

	while (value && value % 1024 == 0 && unit < 4) {
		value /= 1024;
		unit++;
	}
	snprintf(text, room, unit ? "%lu%c" : "%lu", value, units[unit]);
}

static void config_describe_number(const struct config_key *key, char text[CONFIG_EXPECTED_MAX])
{
	if (key->is_size) {
		char min[24], max[24], multiple[24];

		config_print_size(min, sizeof(min), key->min);
		config_print_size(max, sizeof(max), key->max);
		config_print_size(multiple, sizeof(multiple), key->multiple);
		snprintf(text, CONFIG_EXPECTED_MAX, "a size from %s to %s that is a multiple of %s", min, max,
			 multiple);
	} else if (key->divides) {
		snprintf(text, CONFIG_EXPECTED_MAX, "a number from %lu to %lu that divides %lu", key->min,
			 key->max, key->divides);
	} else {
		snprintf(text, CONFIG_EXPECTED_MAX, "a number from 0x%lx to 0x%lx", key->min, key->max);
	}
}

static void config_describe_words(const struct config_key *key, char text[CONFIG_EXPECTED_MAX])
{
	size_t used = 0;

	for (const struct config_word *word = key->words; word->word && used < CONFIG_EXPECTED_MAX; word++)
		used += (size_t)snprintf(text + used, CONFIG_EXPECTED_MAX - used, "%s%s",
					 used == 0		? ""
					 : word[1].word == NULL ? " or "
								: ", ",
					 word->word);
}

void config_describe(const struct config_key *key, char text[CONFIG_EXPECTED_MAX])
{
	if (key->take == config_take_number)
		config_describe_number(key, text);
	else if (key->take == config_take_word)
		config_describe_words(key, text);
	else if (key->take == config_take_list)
		snprintf(text, CONFIG_EXPECTED_MAX,
			 "on, off, or names with commas between them, %d bytes at most", CONFIG_LIST_MAX - 1);
	else if (key->take == config_take_escape)
		snprintf(text, CONFIG_EXPECTED_MAX,
			 "off, or ctrl- and a lower-case letter (not h, i, j, m) or one of ] \\ ^ _");
	else if (key->take == config_take_module)
		snprintf(text, CONFIG_EXPECTED_MAX,
			 "a path of ASCII characters, then an argument, each at most %d bytes; at most %d "
			 "modules",
			 CONFIG_PATH_MAX - 2, CONFIG_MODULES_MAX);
	else if (key->take == config_take_address)
		snprintf(text, CONFIG_EXPECTED_MAX,
			 "dhcp, none, or ADDRESS/PREFIX [GATEWAY] like 10.0.2.15/24 10.0.2.2");
	else if (key->take == config_take_token)
		snprintf(text, CONFIG_EXPECTED_MAX, "%d to %d letters, digits and -._~+/=", CONFIG_TOKEN_MIN,
			 CONFIG_TOKEN_MAX - 1);
	else if (key->take == config_take_path)
		snprintf(text, CONFIG_EXPECTED_MAX,
			 "the path of a file on the EFI system partition, at most %d ASCII characters",
			 CONFIG_PATH_MAX - 2);
	else
		snprintf(text, CONFIG_EXPECTED_MAX, "at most %zu bytes", key->size - 1);
}
