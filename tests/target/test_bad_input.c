// SPDX-License-Identifier: BSD-2-Clause
/* The cases of tests/bad-input, judged by the very code that starts guests, as it was built for this machine. */
#include <stdlib.h>

#include "boot/config.h"
#include "boot/image.h"
#include "tests/bad-input/cases.h"
#include "tests/target/selftest.h"

static bool says(const char *name, const char *found, const char *expected)
{
	if (strcmp(found, expected) == 0)
		return true;
	selftest_note("%s: found: %s", name, found);
	selftest_note("%s: expected: %s", name, expected);
	return false;
}

static bool configurations_give_their_messages(const struct boot *boot)
{
	struct config *config = malloc(sizeof(*config));
	bool ok = EXPECT(config);

	(void)boot;
	for (unsigned i = 0; ok && i < ARRAY_SIZE(bad_configs); i++) {
		const struct bad_config *bad = &bad_configs[i];
		struct config_error error;

		ok = EXPECT(!config_parse(config, "sluice.cfg", bad->text, bad_config_size(bad), &error)) &&
		     says(bad->name, error.text, bad->message);
	}
	free(config);
	return ok;
}

static bool images_give_their_messages(const struct boot *boot)
{
	u8 *image = malloc(MADE_MAX);
	bool ok = EXPECT(image);

	(void)boot;
	for (unsigned i = 0; ok && i < ARRAY_SIZE(bad_images); i++) {
		const struct bad_image *bad = &bad_images[i];
		struct image_error error;

		ok = EXPECT(image_probe(image, bad_image_make(bad, image), &error) == IMAGE_UNKNOWN) &&
		     says(bad->name, error.text, bad->message);
	}
	free(image);
	return ok;
}

static const struct selftest tests[] = {
	{ "every malformed configuration gives its message", configurations_give_their_messages },
	{ "every malformed image gives its message", images_give_their_messages },
};

const struct selftest_group test_bad_input = SELFTEST_GROUP("bad-input", tests);
