/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of the configuration file: what a key takes, how it is checked and where it goes. Private to config*.c.
 */
#ifndef BOOT_CONFIG_VALUE_H
#define BOOT_CONFIG_VALUE_H

#include "boot/config.h"

struct config_word {
	const char *word; /* NULL ends a list */
	u64 value;
};

struct config_key {
	const char *name;
	/* Checks `value`, which has no blanks at its ends, and stores it. False, and nothing stored: it does not fit. */
	bool (*take)(const struct config_key *key, struct config *config, const char *value);
	size_t offset, size;	/* of the field in struct config */
	const char *value;	/* the default, in the words of the file; NULL: the field stays zero */
	u64 min, max, multiple; /* numbers; a multiple of 0 stands for 1 */
	u64 divides;		/* numbers: must divide this; 0: anything */
	const struct config_word *words;
	bool is_size;	 /* numbers: bytes, messages use K, M, G */
	bool repeatable; /* the field is a list */
	const char *text;
};

bool config_take_path(const struct config_key *key, struct config *config, const char *value);
bool config_take_module(const struct config_key *key, struct config *config, const char *value);
bool config_take_text(const struct config_key *key, struct config *config, const char *value);
bool config_take_number(const struct config_key *key, struct config *config, const char *value);
bool config_take_list(const struct config_key *key, struct config *config, const char *value);
bool config_take_word(const struct config_key *key, struct config *config, const char *value);
bool config_take_escape(const struct config_key *key, struct config *config, const char *value);
bool config_take_address(const struct config_key *key, struct config *config, const char *value);
bool config_take_token(const struct config_key *key, struct config *config, const char *value);

#define CONFIG_EXPECTED_MAX 160

/* What the key takes, to follow "expected". */
void config_describe(const struct config_key *key, char text[CONFIG_EXPECTED_MAX]);

/* `text` without blanks and tabs at its ends: the end is cut off in place. */
char *config_trim(char *text);

#endif
