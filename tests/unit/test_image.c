// SPDX-License-Identifier: BSD-2-Clause
/* What all image formats share, and the Linux boot protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/image_fixture.h"

static struct fixture f;

static int set_up(void **state)
{
	(void)state;
	fixture_init(&f, MADE_LINUX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_free(&f);
	return 0;
}

static void assert_refused(const char *message)
{
	assert_false(fixture_load(&f));
	assert_string_equal(f.error.text, message);
}

static void test_guest_memory_is_reached_only_where_all_of_it_is_ram_of_one_range(void **state)
{
	u8 a[16], b[16], c[16];
	const struct guest_ram ram[] = { { 0x1000, 16, a }, { 0x1010, 16, b }, { ~0ull - 15, 16, c } };
	const struct guest_memory memory = { ram, 3 };

	(void)state;
	assert_ptr_equal(guest_memory_at(&memory, 0x1000, 16), a);
	assert_ptr_equal(guest_memory_at(&memory, 0x100f, 1), a + 15);
	assert_ptr_equal(guest_memory_at(&memory, 0x1010, 1), b);
	assert_ptr_equal(guest_memory_at(&memory, ~0ull, 1), c + 15);
	assert_null(guest_memory_at(&memory, 0x100f, 2)); /* neighbours in the guest, not here */
	assert_null(guest_memory_at(&memory, 0xfff, 1));
	assert_null(guest_memory_at(&memory, 0xfff, 2));
	assert_null(guest_memory_at(&memory, 0x1020, 1));
	assert_null(guest_memory_at(&memory, 0x1000, 17));
	assert_null(guest_memory_at(&memory, 0x1000, 0));
	assert_null(guest_memory_at(&memory, 0x1001, ~0ull));
	assert_null(guest_memory_at(&memory, ~0ull, 2));
}

static void test_every_kind_is_recognised_by_its_content(void **state)
{
	static const struct {
		enum made_image made;
		enum image_kind kind;
	} cases[] = { { MADE_LINUX, IMAGE_LINUX },
		      { MADE_PVH, IMAGE_PVH },
		      { MADE_MULTIBOOT, IMAGE_MULTIBOOT },
		      { MADE_FLAT, IMAGE_MULTIBOOT } };
	static u8 image[MADE_MAX];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct image_error error;
		const u64 size = made_image(cases[i].made, image);

		assert_int_equal(image_probe(image, size, &error), cases[i].kind);
		assert_string_equal(error.text, "");
		assert_string_not_equal(image_kind_name(cases[i].kind), image_kind_name(IMAGE_UNKNOWN));
	}
}

static void test_an_image_cut_anywhere_is_never_read_past_its_end(void **state)
{
	static u8 image[MADE_MAX];

	(void)state;
	for (unsigned kind = MADE_LINUX; kind <= MADE_FLAT; kind++) {
		const u64 size = made_image(kind, image);

		for (u64 cut = 0; cut < size; cut++) {
			struct image_error error;
			u8 *copy = malloc(cut ? cut : 1);

			assert_non_null(copy);
			memcpy(copy, image, cut);
			if (image_probe(copy, cut, &error) == IMAGE_UNKNOWN)
				assert_true(strlen(error.text) > 20);
			else /* bytes that nothing asks for may be missing */
				assert_true(kind == MADE_PVH || kind == MADE_MULTIBOOT ? cut >= 0x240
										       : false);
			free(copy);
		}
	}
}

static void test_real_kernel_passes_the_probe(void **state)
{
	const char *path = getenv("KERNEL") ? getenv("KERNEL") : "/boot/vmlinuz-6.1.0-56-cloud-amd64";
	FILE *file = fopen(path, "rb");
	struct image_error error;
	size_t size;
	u8 *data;

	(void)state;
	if (!file)
		skip();
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = (size_t)ftell(file);
	rewind(file);
	data = malloc(size);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, size, file), size);
	fclose(file);
	assert_int_equal(image_probe(data, size, &error), IMAGE_LINUX);
	assert_string_equal(error.text, "");

	/* It wants 16 MiB + init_size: more than this guest has. */
	f.request.kernel = data;
	f.request.kernel_size = size;
	assert_false(fixture_load(&f));
	assert_non_null(strstr(f.error.text, "the kernel (init_size) wants "));
	free(data);
}

static void test_linux_is_entered_in_long_mode_behind_its_32_bit_entry(void **state)
{
	(void)state;
	assert_true(fixture_load(&f));
	assert_int_equal(f.entry.kind, IMAGE_LINUX);
	assert_int_equal(f.entry.mode, GUEST_LONG64);
	assert_int_equal(f.entry.state.rip, MADE_LINUX_KERNEL + 0x200);
	assert_int_equal(f.entry.state.cr0, 0x80000011);
	assert_int_equal(f.entry.state.cr4, 0x20);
	assert_int_equal(f.entry.state.efer, 0x500);
	assert_int_equal(f.entry.state.rflags, 2);
	assert_int_equal(f.entry.state.cs.selector, 0x10);
	assert_int_equal(f.entry.state.cs.access, 0xa09b);
	assert_int_equal(f.entry.state.data.selector, 0x18);
	assert_int_equal(f.entry.state.data.access, 0xc093);
	assert_int_equal(f.entry.state.tr.access, 0x8b);
	assert_int_equal(f.entry.state.ldtr.access, 0x10000);
	assert_memory_equal(fixture_at(&f, MADE_LINUX_KERNEL, 0x1000), f.kernel + 0x400, 0x1000);
}

/* The descriptor tables must say what the segment registers say (SDM vol. 3, 3.4.5). */
static void assert_descriptor(const struct vcpu_segment *segment)
{
	const u64 d = fixture_get(&f, f.entry.state.gdt_base + segment->selector, 8);
	const u64 limit = (d & 0xffff) | (d >> 32 & 0xf0000);

	assert_true(segment->selector + 7u <= f.entry.state.gdt_limit);
	assert_int_equal(d >> 40 & 0xf0ff, segment->access);
	assert_int_equal(d & BIT(55) ? limit << 12 | 0xfff : limit, segment->limit);
	assert_int_equal((d >> 16 & 0xffffff) | (d >> 32 & 0xff000000), segment->base);
}

static void test_gdt_agrees_with_the_segment_registers(void **state)
{
	(void)state;
	assert_true(fixture_load(&f));
	assert_int_equal(fixture_get(&f, f.entry.state.gdt_base, 8), 0);
	assert_descriptor(&f.entry.state.cs);
	assert_descriptor(&f.entry.state.data);
	assert_descriptor(&f.entry.state.tr);
}

/* Walks the tables as the processor would: PML4, PDPT, PD with 2 MiB pages. */
static u64 walk(u64 va)
{
	const u64 pml4e = fixture_get(&f, f.entry.state.cr3 + (va >> 39 & 511) * 8, 8);
	const u64 pdpte = pml4e & 1 ? fixture_get(&f, (pml4e & BITS(51, 12)) + (va >> 30 & 511) * 8, 8) : 0;
	const u64 pde = pdpte & 1 ? fixture_get(&f, (pdpte & BITS(51, 12)) + (va >> 21 & 511) * 8, 8) : 0;

	if ((pml4e & pdpte & pde & 3) != 3 || !(pde & BIT(7)) || (pml4e | pdpte) & BIT(7))
		return ~0ull;
	return (pde & BITS(51, 21)) | (va & BITS(20, 0));
}

static void test_page_tables_map_four_gib_to_themselves_and_nothing_more(void **state)
{
	(void)state;
	assert_true(fixture_load(&f));
	for (u64 va = 0; va < 4 * GiB; va += 2 * MiB)
		assert_int_equal(walk(va + 0x12345), va + 0x12345);
	assert_int_equal(walk(4 * GiB), ~0ull);
	assert_int_equal(walk(512 * GiB), ~0ull);
	assert_int_equal(walk(~0ull), ~0ull);
}

static void test_zero_page_says_what_was_loaded(void **state)
{
	u64 page, initrd;
	char cmdline[14];

	(void)state;
	assert_true(fixture_load(&f));
	page = f.entry.state.rsi;
	assert_memory_equal(fixture_at(&f, page + 0x1f1, 0x1f), f.kernel + 0x1f1, 0x1f);
	assert_int_equal(fixture_get(&f, page + 0x202, 4), 0x53726448);
	assert_int_equal(fixture_get(&f, page + 0x210, 1), 0xff);
	assert_int_equal(fixture_get(&f, page + 0x1ef, 1), 0);
	for (u64 at = 0; at < 0x70; at++) /* screen_info */
		assert_int_equal(fixture_get(&f, page + at, 1), 0);
	for (u64 at = 0x26c; at < 0x2d0; at++) /* nothing behind the header's end */
		assert_int_equal(fixture_get(&f, page + at, 1), 0);
	memcpy(cmdline, fixture_at(&f, fixture_get(&f, page + 0x228, 4), 14), 14);
	assert_string_equal(cmdline, "console=ttyS0");
	initrd = fixture_get(&f, page + 0x218, 4);
	assert_int_equal(initrd % PAGE_SIZE, 0);
	assert_int_equal(fixture_get(&f, page + 0x21c, 4), sizeof(f.initrd));
	assert_memory_equal(fixture_at(&f, initrd, sizeof(f.initrd)), f.initrd, sizeof(f.initrd));
	assert_memory_equal(fixture_at(&f, fixture_get(&f, page + 0x70, 8), 8), "RSD PTR ", 8);
}

static void test_memory_map_has_ram_the_hole_and_the_acpi_tables(void **state)
{
	struct e820_map map = { .count = 0 };
	u64 page, rsdp;

	(void)state;
	assert_true(fixture_load(&f));
	page = f.entry.state.rsi;
	rsdp = fixture_get(&f, page + 0x70, 8);
	map.count = (unsigned)fixture_get(&f, page + 0x1e8, 1);
	assert_int_equal(map.count, 4);
	for (unsigned i = 0; i < map.count; i++) {
		const u64 row = page + 0x2d0 + 20 * i;

		map.row[i] = (struct e820_row){ fixture_get(&f, row, 8), fixture_get(&f, row + 8, 8),
						(u32)fixture_get(&f, row + 16, 4) };
	}
	assert_true(e820_covers(&map, 0, 0xa0000, E820_RAM));
	assert_true(e820_covers(&map, 0xa0000, 0x60000, E820_RESERVED));
	assert_true(e820_covers(&map, MiB, FIXTURE_RAM - MiB - ACPI_TABLES_MAX, E820_RAM));
	assert_true(e820_covers(&map, FIXTURE_RAM - ACPI_TABLES_MAX, ACPI_TABLES_MAX, E820_ACPI));
	assert_true(e820_covers(&map, rsdp, 36, E820_ACPI));
	/* What the guest still needs once it runs lies in RAM. */
	assert_true(e820_covers(&map, page, PAGE_SIZE, E820_RAM));
	assert_true(e820_covers(&map, fixture_get(&f, page + 0x218, 4), sizeof(f.initrd), E820_RAM));
}

static void test_without_initrd_and_acpi_the_fields_are_zero(void **state)
{
	(void)state;
	made_put(f.kernel, 0x218, 0x12345678, 4);
	made_put(f.kernel, 0x21c, 0x1000, 4);
	f.request.module_count = 0;
	f.request.acpi = NULL;
	f.request.cmdline = NULL;
	f.request.reserved_count = 0;
	assert_true(fixture_load(&f));
	assert_int_equal(fixture_get(&f, f.entry.state.rsi + 0x218, 8), 0);
	assert_int_equal(fixture_get(&f, f.entry.state.rsi + 0x70, 8), 0);
	assert_int_equal(fixture_get(&f, fixture_get(&f, f.entry.state.rsi + 0x228, 4), 1), 0);
	assert_int_equal(fixture_get(&f, f.entry.state.rsi + 0x1e8, 1), 2);
}

static void test_pieces_lie_apart_from_each_other_and_from_the_kernel(void **state)
{
	u64 at[6], size[6] = { MADE_LINUX_INIT_SIZE, 4096, 14, 48, 6 * PAGE_SIZE, 5000 };

	(void)state;
	assert_true(fixture_load(&f));
	at[0] = MADE_LINUX_KERNEL;
	at[1] = f.entry.state.rsi;
	at[2] = fixture_get(&f, f.entry.state.rsi + 0x228, 4);
	at[3] = f.entry.state.gdt_base;
	at[4] = f.entry.state.cr3;
	at[5] = fixture_get(&f, f.entry.state.rsi + 0x218, 4);
	for (unsigned i = 0; i < 6; i++)
		for (unsigned j = 0; j < i; j++)
			assert_true(at[i] + size[i] <= at[j] || at[j] + size[j] <= at[i]);
	for (unsigned i = 1; i < 5; i++) /* the guest's own trampolines go below */
		assert_true(at[i] >= 0x10000 && at[i] + size[i] <= 0x9f000);
}

static void test_nothing_is_placed_in_a_reserved_range(void **state)
{
	const struct e820_row reserved[] = { { 0x10000, 0x8000, E820_RESERVED },
					     { FIXTURE_RAM - 0x10000, 0x10000, E820_RESERVED } };

	(void)state;
	f.request.reserved = reserved;
	f.request.reserved_count = 2;
	assert_true(fixture_load(&f));
	assert_true(f.entry.state.rsi >= 0x18000 && f.entry.state.cr3 >= 0x18000 &&
		    f.entry.state.gdt_base >= 0x18000);
	assert_true(fixture_get(&f, f.entry.state.rsi + 0x70, 8) < FIXTURE_RAM - 0x10000);
	assert_int_equal(fixture_get(&f, FIXTURE_RAM - 0x10000, 8), 0xeeeeeeeeeeeeeeee);
}

static void test_initrd_keeps_below_the_limit_of_the_kernel(void **state)
{
	(void)state;
	made_put(f.kernel, 0x22c, 0x2001fff, 4);
	made_put(f.kernel, 0x236, 1, 2); /* not above 4 GiB: the limit counts */
	assert_true(fixture_load(&f));
	assert_int_equal(fixture_get(&f, f.entry.state.rsi + 0x218, 4), 0x2000000);
	made_put(f.kernel, 0x22c, 0x2001386, 4); /* one byte less than it takes */
	assert_true(fixture_load(&f));
	assert_int_equal(fixture_get(&f, f.entry.state.rsi + 0x218, 4), 0x1fff000);
	made_put(f.kernel, 0x22c, 0x1387, 4);
	assert_refused(
		"no room for initrd: found no 5000 free bytes of guest RAM between 0x100000 and 0x1387");
	made_put(f.kernel, 0x236, 3, 2);
	assert_true(fixture_load(&f));
}

static void test_linux_header_fields_are_checked(void **state)
{
	static const struct {
		u32 at;
		u8 size;
		u64 value;
		const char *message;
	} cases[] = {
		{ 0x1fe, 2, 0xaa54, "bzImage: found boot_flag 0xaa54 at offset 0x1fe, expected 0xaa55" },
		{ 0x201, 1, 0x61,
		  "bzImage: found a set-up header that ends at 0x263 (jump at 0x200), expected "
		  "0x264..0x290" },
		{ 0x201, 1, 0x8f,
		  "bzImage: found a set-up header that ends at 0x291 (jump at 0x200), expected "
		  "0x264..0x290" },
		{ 0x211, 1, 0xfe,
		  "bzImage: found loadflags 0xfe at offset 0x211, expected bit 0 (LOADED_HIGH)" },
		{ 0x1f1, 1, 9,
		  "bzImage: found 5120 bytes, expected 5120 of set-up and 4096 by syssize at offset 0x1f4: "
		  "truncated" },
		{ 0x1f4, 4, 0x20,
		  "bzImage: found 512 bytes by syssize at offset 0x1f4, expected an entry at 0x200" },
		{ 0x1f4, 4, 0xffffffff,
		  "bzImage: found 5120 bytes, expected 1024 of set-up and 68719476720 by syssize at offset "
		  "0x1f4: truncated" },
		{ 0x230, 4, 0,
		  "bzImage: found kernel_alignment 0x0 at offset 0x230, expected a power of two" },
		{ 0x230, 4, 0x300000,
		  "bzImage: found kernel_alignment 0x300000 at offset 0x230, expected a power of two" },
		{ 0x258, 8, 0x1100000,
		  "bzImage: found pref_address 0x1100000 at offset 0x258, expected a multiple of 0x200000" },
		{ 0x258, 8, 0xff800000,
		  "bzImage: found pref_address 0xff800000 at offset 0x258, expected the kernel below 4 GiB" },
		{ 0x258, 8, 0xffffffffffe00000,
		  "bzImage: found pref_address 0xffffffffffe00000 at offset 0x258, expected the kernel below "
		  "4 GiB" },
		{ 0x258, 8, 0x4000000,
		  "the kernel (init_size) wants 8388608 bytes at guest-physical 0x4000000, which are not all "
		  "RAM (RAM ends at 0x3ffffff)" },
		{ 0x260, 4, 0x3000001,
		  "the kernel (init_size) wants 50331649 bytes at guest-physical 0x1000000, which are not "
		  "all RAM (RAM ends at 0x3ffffff)" },
		{ 0x238, 4, 12,
		  "found a command line of 13 bytes, expected at most 12 (cmdline_size of the kernel)" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		made_image(MADE_LINUX, f.kernel);
		made_put(f.kernel, cases[i].at, cases[i].value, cases[i].size);
		assert_refused(cases[i].message);
	}
	made_image(MADE_LINUX, f.kernel);
	made_put(f.kernel, 0x238, 13, 4);
	assert_true(fixture_load(&f));
	made_put(f.kernel, 0x1f1, 0, 1); /* stands for 4: less than that is left of the file */
	assert_refused("bzImage: found 5120 bytes, expected 2560 of set-up and 4096 by syssize at offset "
		       "0x1f4: truncated");
}

static void test_requests_that_cannot_be_met_are_refused(void **state)
{
	struct acpi_board board = fixture_board;
	const struct e820_row wrapping = { ~0ull, 2, E820_RESERVED };

	(void)state;
	f.request.module_count = 2;
	assert_refused("found 2 modules, expected at most one for a Linux bzImage, the initrd");
	f.request.module_count = IMAGE_MODULES_MAX + 1;
	assert_refused("found 17 modules, expected at most 16");
	f.request.module_count = 1;
	f.modules[0].argument = "";
	assert_refused("found a boot module, expected none for a Linux bzImage, which takes an initrd");
	f.modules[0].argument = NULL;
	f.modules[0].size = 0;
	assert_refused("module 0 (initrd = 0) is empty: found 0 bytes, expected a file");
	f.modules[0].size = FIXTURE_RAM;
	assert_refused("no room for initrd: found no 67108864 free bytes of guest RAM between 0x100000 and "
		       "0xffffffff");
	f.modules[0].size = ~0ull;
	assert_refused("no room for initrd: found no 18446744073709551615 free bytes of guest RAM between "
		       "0x100000 and 0xffffffff");
	f.modules[0].size = 1;
	board.cpu_count = ACPI_CPUS_MAX + 1;
	f.request.acpi = &board;
	assert_refused("the board's ACPI description has a CPU count of 17, expected 1..16");
	f.request.acpi = NULL;
	f.request.reserved = &wrapping;
	assert_refused("the memory map has an empty or wrapping row, or more than 64 rows");
	f.request.reserved_count = 0;
	f.memory.count = 0;
	assert_refused("found no guest RAM, expected some to load into");
	f.memory.count = 1; /* the first 640 KiB only */
	assert_refused("the kernel (init_size) wants 8388608 bytes at guest-physical 0x1000000, which are "
		       "not all RAM (RAM ends at 0x9ffff)");
}

static void test_files_of_other_formats_are_named(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *hint;
	} cases[] = {
		{ "\xfd"
		  "7zXZ",
		  6, "(an xz file: unpack it first)" },
		{ "\x28\xb5\x2f\xfd", 4, "(a zstd file: unpack it first)" },
		{ "\x02\x21\x4c\x18", 4, "(an LZ4 file: unpack it first)" },
		{ "070701xx", 8, "(a cpio archive, perhaps the initrd)" },
		{ "MZ\x90\0", 4, "(a PE file, perhaps an EFI application)" },
		{ "#!/bin/sh\n", 10, "(nothing known)" },
	};
	struct image_error error;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(image_probe(cases[i].bytes, cases[i].size, &error), IMAGE_UNKNOWN);
		assert_non_null(strstr(error.text, cases[i].hint));
	}
	assert_int_equal(image_probe("", 0, &error), IMAGE_UNKNOWN);
	assert_string_equal(error.text, "found a file of 0 bytes, expected a guest image");
}

#define IMAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guest_memory_is_reached_only_where_all_of_it_is_ram_of_one_range),
		cmocka_unit_test(test_every_kind_is_recognised_by_its_content),
		cmocka_unit_test(test_an_image_cut_anywhere_is_never_read_past_its_end),
		cmocka_unit_test(test_files_of_other_formats_are_named),
		IMAGE_TEST(test_real_kernel_passes_the_probe),
		IMAGE_TEST(test_linux_is_entered_in_long_mode_behind_its_32_bit_entry),
		IMAGE_TEST(test_gdt_agrees_with_the_segment_registers),
		IMAGE_TEST(test_page_tables_map_four_gib_to_themselves_and_nothing_more),
		IMAGE_TEST(test_zero_page_says_what_was_loaded),
		IMAGE_TEST(test_memory_map_has_ram_the_hole_and_the_acpi_tables),
		IMAGE_TEST(test_without_initrd_and_acpi_the_fields_are_zero),
		IMAGE_TEST(test_pieces_lie_apart_from_each_other_and_from_the_kernel),
		IMAGE_TEST(test_nothing_is_placed_in_a_reserved_range),
		IMAGE_TEST(test_initrd_keeps_below_the_limit_of_the_kernel),
		IMAGE_TEST(test_linux_header_fields_are_checked),
		IMAGE_TEST(test_requests_that_cannot_be_met_are_refused),
	};

	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
