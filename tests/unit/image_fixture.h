/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest of 64 MiB and the files to load into it, shared by the tests of the image formats. RAM starts as 0xee, so that
 * a byte that should have been zeroed is seen.
 */
#ifndef TESTS_UNIT_IMAGE_FIXTURE_H
#define TESTS_UNIT_IMAGE_FIXTURE_H

#include <stdlib.h>

#include "boot/acpi.h"
#include "boot/e820.h"
#include "boot/image.h"
#include "tests/bad-input/make_image.h"

#define FIXTURE_RAM	 (64 * MiB)
#define FIXTURE_RAM_LAST (FIXTURE_RAM - 1)

static const struct acpi_board fixture_board = {
	.lapic_base = 0xfee00000,
	.ioapic_base = 0xfec00000,
	.ioapic_id = 1,
	.sci_irq = 9,
	.pm1a_event = 0x600,
	.pm1a_control = 0x604,
	.pm_timer = 0x608,
	.reset_port = 0xcf9,
	.reset_value = 0x0e,
	.cpu_count = 1,
};

static const struct e820_row fixture_reserved[] = { { 0xa0000, 0x60000, E820_RESERVED } };

struct fixture {
	struct guest_ram ram[2];
	struct guest_memory memory;
	struct image_module modules[IMAGE_MODULES_MAX + 1];
	struct image_request request;
	struct guest_entry entry;
	struct image_error error;
	u8 kernel[MADE_MAX];
	u8 initrd[5000];
};

static inline void fixture_init(struct fixture *f, enum made_image kind)
{
	memset(f, 0, sizeof(*f));
	f->ram[0] = (struct guest_ram){ 0, 0xa0000, malloc(0xa0000) };
	f->ram[1] = (struct guest_ram){ MiB, FIXTURE_RAM - MiB, malloc(FIXTURE_RAM - MiB) };
	memset(f->ram[0].host, 0xee, 0xa0000);
	memset(f->ram[1].host, 0xee, FIXTURE_RAM - MiB);
	f->memory = (struct guest_memory){ f->ram, 2 };
	made_fill(f->initrd, 0, sizeof(f->initrd));
	f->modules[0] = (struct image_module){ f->initrd, sizeof(f->initrd), NULL };
	f->request = (struct image_request){
		.kernel = f->kernel,
		.kernel_size = made_image(kind, f->kernel),
		.name = "\\kernel",
		.cmdline = "console=ttyS0",
		.modules = f->modules,
		.module_count = 1,
		.acpi = &fixture_board,
		.reserved = fixture_reserved,
		.reserved_count = 1,
	};
}

static inline void fixture_free(struct fixture *f)
{
	free(f->ram[0].host);
	free(f->ram[1].host);
}

static inline bool fixture_load(struct fixture *f)
{
	memset(&f->entry, 0xee, sizeof(f->entry));
	return image_load(&f->memory, &f->request, &f->entry, &f->error);
}

static inline const u8 *fixture_at(const struct fixture *f, u64 gpa, u64 size)
{
	return guest_memory_at(&f->memory, gpa, size);
}

static inline u64 fixture_get(const struct fixture *f, u64 gpa, unsigned size)
{
	u64 value = 0;
	const void *at = fixture_at(f, gpa, size);

	memcpy(&value, at, size);
	return value;
}

#endif
