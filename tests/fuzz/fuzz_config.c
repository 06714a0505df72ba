// SPDX-License-Identifier: BSD-2-Clause
/*
 * The configuration parser on any bytes: it ends, every string of the result is terminated and printable where paths are
 * concerned, numbers are in their limits, and a refusal leaves the defaults and a message.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/config.h"

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check_path(const char path[CONFIG_PATH_MAX])
{
	REQUIRE(memchr(path, '\0', CONFIG_PATH_MAX));
	REQUIRE(path[0] == '\0' || path[0] == '\\');
	for (; *path; path++)
		REQUIRE(*path >= 0x20 && *path < 0x7f && *path != '/');
}

static void check_config(const struct config *config)
{
	check_path(config->kernel);
	check_path(config->initrd);
	REQUIRE(config->kernel[0] || config->selftest[0] || config->bench[0]);
	REQUIRE(config->module_count <= CONFIG_MODULES_MAX);
	for (unsigned i = 0; i < config->module_count; i++) {
		check_path(config->module[i].path);
		REQUIRE(memchr(config->module[i].argument, '\0', CONFIG_ARGUMENT_MAX));
	}
	REQUIRE(memchr(config->cmdline, '\0', CONFIG_CMDLINE_MAX));
	REQUIRE(memchr(config->selftest, '\0', CONFIG_LIST_MAX));
	REQUIRE(memchr(config->bench, '\0', CONFIG_LIST_MAX));
	REQUIRE(config->memory >= 16 * MiB && config->memory <= TiB && config->memory % (2 * MiB) == 0);
	REQUIRE(config->loglevel <= LOG_DEBUG && config->escape < 0x20);
	REQUIRE(config->baud && 115200 % config->baud == 0 && config->serial);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct config config, defaults;
	struct config_error error;

	config_set_defaults(&defaults);
	if (config_parse(&config, "sluice.cfg", (const char *)data, size, &error)) {
		check_config(&config);
		REQUIRE(error.text[0] == '\0');
		return 0;
	}
	REQUIRE(memcmp(&config, &defaults, sizeof(config)) == 0);
	REQUIRE(strncmp(error.text, "sluice.cfg:", 11) == 0 && memchr(error.text, '\0', sizeof(error.text)));
	REQUIRE(strstr(error.text, "found") && strstr(error.text, "expected"));
	for (const char *c = error.text; *c; c++)
		REQUIRE(*c >= 0x20 && *c < 0x7f);
	return 0;
}
