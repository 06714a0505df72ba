// SPDX-License-Identifier: BSD-2-Clause
/*
 * The image loader on any file: it reads nothing outside the file, writes nothing outside guest RAM, and either gives an entry in
 * RAM or a message. The first byte picks a sound image to start from and the next ones spoil it, so that the fuzzer need not find
 * checksums and magics by itself; or the rest is the file.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/acpi.h"
#include "boot/e820.h"
#include "boot/image.h"
#include "tests/bad-input/make_image.h"

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define LOW_SIZE  0xa0000
#define HIGH_SIZE (32 * MiB)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* {u16 offset, u8 value} each, from `data` on. */
static size_t spoil(u8 *image, size_t image_size, const u8 *data, size_t size)
{
	size_t cut = image_size;

	for (; size >= 3; data += 3, size -= 3) {
		const unsigned at = data[0] | data[1] << 8;

		if (at >= 0x8000)
			cut = MIN(cut, at & 0x7fffu);
		else
			image[at % image_size] = data[2];
	}
	return cut;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const struct acpi_board board = { .lapic_base = 0xfee00000, .sci_irq = 9, .cpu_count = 1 };
	static const struct e820_row hole = { 0xa0000, 0x60000, E820_RESERVED };
	static u8 *low, *high;
	u8 made[MADE_MAX];
	const u8 initrd[300] = { 1 };
	const struct image_module modules[] = { { initrd, sizeof(initrd),
						  size && data[0] & 16 ? "argument" : NULL } };
	struct image_request request = { .name = "k",
					 .cmdline = "a b",
					 .modules = modules,
					 .acpi = &board,
					 .reserved = &hole,
					 .reserved_count = 1 };
	struct guest_entry entry = { 0 };
	struct image_error error = { "" };
	u8 *file;

	if (size == 0)
		return 0;
	if (!low) { /* kept between runs: what is left of older images does not matter to the checks */
		low = malloc(LOW_SIZE);
		high = malloc(HIGH_SIZE);
	}
	if (data[0] & 4) {
		request.kernel_size = size - 1;
		file = malloc(size);
		memcpy(file, data + 1, size - 1);
	} else {
		const u64 whole = made_image(data[0] & 3, made);

		request.kernel_size = spoil(made, whole, data + 1, size - 1);
		file = malloc(request.kernel_size + 1);
		memcpy(file, made, request.kernel_size);
	}
	/* In a block of its exact size, so that the sanitizer sees a read past the end. */
	file = realloc(file, request.kernel_size ? request.kernel_size : 1);
	request.kernel = file;
	request.module_count = data[0] >> 3 & 1;

	const struct guest_ram ram[] = { { 0, LOW_SIZE, low }, { MiB, HIGH_SIZE, high } };
	const struct guest_memory memory = { ram, 2 };

	if (image_load(&memory, &request, &entry, &error)) {
		REQUIRE(entry.kind != IMAGE_UNKNOWN && guest_memory_at(&memory, entry.state.rip, 1));
		REQUIRE(guest_memory_at(&memory, entry.state.gdt_base, entry.state.gdt_limit + 1));
		REQUIRE(entry.mode == GUEST_LONG64 ? entry.state.cr3 != 0 : entry.state.cr3 == 0);
	} else {
		REQUIRE(error.text[0] && memchr(error.text, '\0', sizeof(error.text)));
	}
	free(file);
	return 0;
}
