// SPDX-License-Identifier: BSD-2-Clause
/* Every case of tests/bad-input gives its message, and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "boot/config.h"
#include "boot/image.h"
#include "tests/bad-input/cases.h"

/* In a block of its exact size, so that the sanitizer sees a read past the end. */
static void *exact_copy(const void *data, u64 size)
{
	void *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, data, size);
	return copy;
}

static void test_there_are_sixteen_of_each(void **state)
{
	(void)state;
	assert_true(ARRAY_SIZE(bad_configs) >= 16);
	assert_true(ARRAY_SIZE(bad_images) >= 16);
}

static void test_every_malformed_configuration_gives_its_message(void **state)
{
	static struct config config, defaults;

	(void)state;
	config_set_defaults(&defaults);
	for (unsigned i = 0; i < ARRAY_SIZE(bad_configs); i++) {
		const u64 size = bad_config_size(&bad_configs[i]);
		char *text = exact_copy(bad_configs[i].text, size);
		struct config_error error;

		memset(&config, 0xaa, sizeof(config));
		assert_false(config_parse(&config, "sluice.cfg", text, size, &error));
		assert_string_equal(error.text, bad_configs[i].message);
		assert_memory_equal(&config, &defaults, sizeof(config));
		free(text);
	}
}

static void test_every_malformed_image_gives_its_message(void **state)
{
	static u8 image[MADE_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad_images); i++) {
		const u64 size = bad_image_make(&bad_images[i], image);
		u8 *copy = exact_copy(image, size);
		struct image_error error;

		assert_int_equal(image_probe(copy, size, &error), IMAGE_UNKNOWN);
		assert_string_equal(error.text, bad_images[i].message);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_are_sixteen_of_each),
		cmocka_unit_test(test_every_malformed_configuration_gives_its_message),
		cmocka_unit_test(test_every_malformed_image_gives_its_message),
	};

	return cmocka_run_group_tests_name("bad input", tests, NULL, NULL);
}
