// SPDX-License-Identifier: BSD-2-Clause
/*
 * The configuration and the files that it names. Every failure is one line: file, line, found, expected.
 */
#include "boot/efi_load.h"

#include "arch/log.h"

#include <string.h>

#define CONFIG_PATH "\\sluice.cfg"
#define CONFIG_NAME "sluice.cfg"
#define DISK_SECTOR 512u

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The number of the n-th line (from 0) that sets `key`; 0: there is none. The text has been parsed without error. */
static unsigned line_of(const struct boot_file *text, const char *key, unsigned nth)
{
	const char *at = (const char *)text->data, *end = at + text->size;
	size_t length = strlen(key);

	for (unsigned line = 1; at < end; line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		while (at < end && is_blank(*at))
			at++;
		if ((size_t)(end - at) > length && !memcmp(at, key, length) &&
		    (is_blank(at[length]) || at[length] == '=') && nth-- == 0)
			return line;
		if (!newline)
			break;
		at = newline + 1;
	}
	return 0;
}

static bool load(struct efi *efi, const struct boot_file *text, const char *key, unsigned nth,
		 const char *path, struct boot_file *file)
{
	enum efi_file_result result;

	if (!path[0])
		return true;
	result = efi_file_read(efi, path, file);
	if (result == EFI_FILE_OK) {
		log_info("%s %s: %llu KiB", key, path, (unsigned long long)(file->size + KiB - 1) / KiB);
		return true;
	}
	log_error("%s:%u: %s = %s: %s, expected a file that can be read", CONFIG_NAME,
		  line_of(text, key, nth), key, path, efi_file_error(result));
	return false;
}

bool efi_load_config(struct efi *efi, struct config *config, struct boot_file *text)
{
	enum efi_file_result result = efi_file_read(efi, CONFIG_PATH, text);
	struct config_error error;

	if (result != EFI_FILE_OK) {
		log_error("%s: %s, expected the configuration in the root folder of the volume that Sluice "
			  "is started from",
			  CONFIG_NAME, efi_file_error(result));
		return false;
	}
	if (!config_parse(config, CONFIG_NAME, (const char *)text->data, text->size, &error)) {
		log_error("%s", error.text);
		return false;
	}
	return true;
}

bool efi_load_files(struct efi *efi, const struct boot_file *text, struct boot *boot)
{
	const struct config *config = boot->config;

	if (!load(efi, text, "kernel", 0, config->kernel, &boot->kernel) ||
	    !load(efi, text, "initrd", 0, config->initrd, &boot->initrd) ||
	    !load(efi, text, "disk", 0, config->disk, &boot->disk))
		return false;
	if (boot->disk.size % DISK_SECTOR) {
		log_error("%s:%u: disk = %s: found %llu bytes, expected whole sectors of %u bytes",
			  CONFIG_NAME, line_of(text, "disk", 0), config->disk,
			  (unsigned long long)boot->disk.size, DISK_SECTOR);
		return false;
	}
	for (unsigned i = 0; i < config->module_count; i++)
		if (!load(efi, text, "module", i, config->module[i].path, &boot->module[i]))
			return false;
	return true;
}

bool efi_load_ram(struct efi *efi, const struct boot_file *text, struct boot *boot)
{
	u64 found;

	if (efi_memory_take_ram(efi, boot->config->memory, boot, &found))
		return true;
	log_error("%s:%u: memory: found %llu MiB free in pieces of 2 MiB, expected %llu MiB for the guest",
		  CONFIG_NAME, line_of(text, "memory", 0), (unsigned long long)(found / MiB),
		  (unsigned long long)(boot->config->memory / MiB));
	return false;
}

bool efi_load_scratch(struct efi *efi, const struct boot_file *text, struct boot *boot)
{
	u64 size = boot->config->scratch;

	if (!size)
		return true;
	boot->scratch = (struct boot_file){ "scratch disk", efi_pages_alloc(efi, size / PAGE_SIZE), size };
	if (boot->scratch.data)
		return true;
	log_error("%s:%u: scratch: found no %llu MiB of free memory in one piece", CONFIG_NAME,
		  line_of(text, "scratch", 0), (unsigned long long)(size / MiB));
	return false;
}
