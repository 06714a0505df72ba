// SPDX-License-Identifier: BSD-2-Clause
/*
 * generate DIRECTORY: writes every malformed configuration as config-NAME, every malformed image as image-NAME, and the message
 * that each must give next to it, with .message behind its name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bad-input/cases.h"

static void write_file(const char *folder, const char *kind, const char *name, const char *suffix,
		       const void *data, u64 size)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s-%s%s", folder, kind, name, suffix);
	file = fopen(path, "wb");
	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		fprintf(stderr, "generate: %s: %s\n", path, strerror(errno));
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static u8 image[MADE_MAX];

	if (argc != 2) {
		fprintf(stderr, "usage: generate DIRECTORY\n");
		return 2;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad_configs); i++) {
		const struct bad_config *bad = &bad_configs[i];

		write_file(argv[1], "config", bad->name, "", bad->text, bad_config_size(bad));
		write_file(argv[1], "config", bad->name, ".message", bad->message, strlen(bad->message));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad_images); i++) {
		const struct bad_image *bad = &bad_images[i];
		const u64 size = bad_image_make(bad, image);

		write_file(argv[1], "image", bad->name, "", image, size);
		write_file(argv[1], "image", bad->name, ".message", bad->message, strlen(bad->message));
	}
	return 0;
}
