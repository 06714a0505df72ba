// SPDX-License-Identifier: BSD-2-Clause
/* PVH and multiboot 1: what the guest finds at its entry, and what is refused of an ELF file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/image_fixture.h"

static struct fixture f;

static int set_up_pvh(void **state)
{
	(void)state;
	fixture_init(&f, MADE_PVH);
	return 0;
}

static int set_up_multiboot(void **state)
{
	(void)state;
	fixture_init(&f, MADE_MULTIBOOT);
	return 0;
}

static int set_up_flat(void **state)
{
	(void)state;
	fixture_init(&f, MADE_FLAT);
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

static void assert_string_at(u64 gpa, const char *text)
{
	assert_string_equal((const char *)fixture_at(&f, gpa, strlen(text) + 1), text);
}

static void assert_zero(u64 gpa, u64 size)
{
	for (u64 i = 0; i < size; i++)
		assert_int_equal(fixture_get(&f, gpa + i, 1), 0);
}

static void assert_entered_in_protected_mode(u64 rip)
{
	assert_int_equal(f.entry.mode, GUEST_PROTECTED32);
	assert_int_equal(f.entry.state.rip, rip);
	assert_int_equal(f.entry.state.cr0, 0x11);
	assert_int_equal(f.entry.state.cr3 | f.entry.state.cr4 | f.entry.state.efer, 0);
	assert_int_equal(f.entry.state.rflags, 2);
	assert_int_equal(f.entry.state.cs.access, 0xc09b);
	assert_int_equal(f.entry.state.cs.limit, 0xffffffff);
	assert_int_equal(f.entry.state.data.access, 0xc093);
	assert_int_equal(f.entry.state.tr.access, 0x8b);
	assert_int_equal(f.entry.state.tr.limit, 0x67);
	assert_int_equal(fixture_get(&f, f.entry.state.gdt_base + f.entry.state.cs.selector, 8),
			 0x00cf9b000000ffff);
}

static void test_pvh_guest_is_entered_at_its_note(void **state)
{
	(void)state;
	assert_true(fixture_load(&f));
	assert_int_equal(f.entry.kind, IMAGE_PVH);
	assert_entered_in_protected_mode(MADE_PVH_ENTRY);
	assert_memory_equal(fixture_at(&f, 0x1000000, 0x100), f.kernel + 0x200, 0x100);
	assert_memory_equal(fixture_at(&f, 0x1002000, 0x80), f.kernel + 0x300, 0x80);
	assert_zero(0x1002080, 0x2000 - 0x80);
	assert_int_equal(fixture_get(&f, 0x1004000, 1), 0xee);
}

static void test_pvh_start_info_says_what_was_loaded(void **state)
{
	u64 info, list, map;

	(void)state;
	f.modules[1] = (struct image_module){ f.initrd, 100, "second" };
	f.request.module_count = 2;
	assert_true(fixture_load(&f));
	info = f.entry.state.rbx;
	assert_int_equal(fixture_get(&f, info, 4), 0x336ec578);
	assert_int_equal(fixture_get(&f, info + 4, 4), 1);
	assert_int_equal(fixture_get(&f, info + 8, 4), 0);
	assert_int_equal(fixture_get(&f, info + 12, 4), 2);
	list = fixture_get(&f, info + 16, 8);
	assert_memory_equal(fixture_at(&f, fixture_get(&f, list, 8), 5000), f.initrd, 5000);
	assert_int_equal(fixture_get(&f, list + 8, 8), 5000);
	assert_int_equal(fixture_get(&f, list + 16, 8), 0);
	assert_memory_equal(fixture_at(&f, fixture_get(&f, list + 32, 8), 100), f.initrd, 100);
	assert_int_equal(fixture_get(&f, list + 40, 8), 100);
	assert_string_at(fixture_get(&f, list + 48, 8), "second");
	assert_string_at(fixture_get(&f, info + 24, 8), "console=ttyS0"); /* without the file's name */
	assert_memory_equal(fixture_at(&f, fixture_get(&f, info + 32, 8), 8), "RSD PTR ", 8);
	map = fixture_get(&f, info + 40, 8);
	assert_int_equal(fixture_get(&f, info + 48, 4), 4);
	assert_zero(info + 52, 4);
	assert_int_equal(fixture_get(&f, map, 8), 0);
	assert_int_equal(fixture_get(&f, map + 8, 8), 0xa0000);
	assert_int_equal(fixture_get(&f, map + 16, 8), E820_RAM);
	assert_int_equal(fixture_get(&f, map + 3 * 24, 8), FIXTURE_RAM - ACPI_TABLES_MAX);
	assert_int_equal(fixture_get(&f, map + 3 * 24 + 16, 8), E820_ACPI);
}

static void test_pvh_note_may_have_64_bits_and_8_byte_alignment(void **state)
{
	(void)state;
	/* name 4 bytes at +12, descriptor at the next multiple of 8: +16; then Xen's note at 0x118. */
	memset(f.kernel + 0x100, 0, 0x40);
	made_put(f.kernel, 0x100, 4, 4);
	made_put(f.kernel, 0x104, 1, 4);
	memcpy(f.kernel + 0x10c, "GNU", 4);
	made_put(f.kernel, 0x118, 4, 4);
	made_put(f.kernel, 0x11c, 8, 4);
	made_put(f.kernel, 0x120, 18, 4);
	memcpy(f.kernel + 0x124, "Xen", 4);
	made_put(f.kernel, 0x128, MADE_PVH_ENTRY + 4, 8);
	made_put(f.kernel, 0xb0 + 32, 0x30, 8);
	made_put(f.kernel, 0xb0 + 48, 8, 8);
	assert_true(fixture_load(&f));
	assert_int_equal(f.entry.state.rip, MADE_PVH_ENTRY + 4);
	made_put(f.kernel, 0x12c, 1, 4); /* bits above 32 count */
	assert_refused(
		"ELF: found PVH entry 0x101000044 (note at offset 0x128), expected a physical address that a "
		"segment has bytes for");
}

static void test_elf_fields_are_checked(void **state)
{
	static const struct {
		u32 at;
		u8 size;
		u64 value;
		const char *message;
	} cases[] = {
		{ 0x04, 1, 3, "ELF: found class 3 at offset 0x4, expected 1 (32-bit) or 2 (64-bit)" },
		{ 0x06, 1, 0, "ELF: found versions 0 and 1 at offsets 0x6 and 0x14, expected 1" },
		{ 0x14, 4, 2, "ELF: found versions 1 and 2 at offsets 0x6 and 0x14, expected 1" },
		{ 0x10, 2, 1,
		  "ELF: found type 1 at offset 0x10, expected 2 (an executable with fixed addresses)" },
		{ 0x34, 2, 63, "ELF: found header size 63 at offset 0x34, expected 64" },
		{ 0x36, 2, 55, "ELF: found program header size 55 at offset 0x36, expected 56" },
		{ 0x38, 2, 0, "ELF: found 0 program headers at offset 0x38, expected at least one" },
		{ 0x38, 2, 0xffff,
		  "ELF: found 65535 program headers at offset 0x40, expected them inside the file of 896 "
		  "bytes" },
		{ 0x20, 8, 896 - 3 * 56 + 1,
		  "ELF: found 3 program headers at offset 0x2d9, expected them inside the file of 896 "
		  "bytes" },
		{ 0xb8, 8, 0x370,
		  "ELF: found a segment of 0x28 bytes from offset 0x370 (program header at 0xb0), expected "
		  "it inside the file of 0x380 bytes" },
		{ 0x90, 8, 0xffffe001,
		  "ELF: found a segment of 0x2000 bytes at physical 0xffffe001 (program header at 0x78), "
		  "expected it below 4 GiB" },
		{ 0xa0, 8, ~0ull,
		  "ELF: found a segment of 0xffffffffffffffff bytes at physical 0x1002000 (program header at "
		  "0x78), expected it below 4 GiB" },
		{ 0x90, 8, 0x100000000,
		  "ELF: found a segment of 0x2000 bytes at physical 0x100000000 (program header at 0x78), "
		  "expected it below 4 GiB" },
		{ 0x90, 8, 0xffe001,
		  "ELF: found segments that overlap at physical 0x1000000 (program headers at 0x40 and "
		  "0x78), expected disjoint ones" },
		{ 0xd0, 8, 0x27,
		  "ELF: found a note of 4 + 4 bytes at offset 0x114, expected it to end with its segment at "
		  "0x127" },
		{ 0xd0, 8, 0x1c,
		  "ELF: found 8 bytes behind the last note at offset 0x114, expected a note or the end" },
		{ 0x118, 4, 3, "ELF: found a PVH entry note of 3 bytes at offset 0x124, expected 4 or 8" },
		{ 0x100, 4, 0xffffffff,
		  "ELF: found a note of 4294967295 + 1 bytes at offset 0x100, expected it to end with its "
		  "segment at 0x128" },
		{ 0x11c, 4, 17,
		  "ELF: found neither a PVH entry note in its 3 program headers nor a multiboot header in "
		  "its first 8 KiB" },
		{ 0x123, 1, 'X',
		  "ELF: found neither a PVH entry note in its 3 program headers nor a multiboot header in "
		  "its first 8 KiB" },
		{ 0x124, 4, 0x1002080,
		  "ELF: found PVH entry 0x1002080 (note at offset 0x124), expected a physical address that a "
		  "segment has bytes for" },
		{ 0x90, 8, 0x3ffe001,
		  "a segment of the image wants 8192 bytes at guest-physical 0x3ffe001, which are not all "
		  "RAM (RAM ends at 0x3ffffff)" },
		{ 0x90, 8, 0x9f000,
		  "a segment of the image wants 8192 bytes at guest-physical 0x9f000, which are not all RAM "
		  "(RAM ends at 0x3ffffff)" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		made_image(MADE_PVH, f.kernel);
		made_put(f.kernel, cases[i].at, cases[i].value, cases[i].size);
		assert_refused(cases[i].message);
	}
}

static void test_elf_segments_may_touch_or_be_empty(void **state)
{
	(void)state;
	made_put(f.kernel, 0x90, 0x1000100, 8); /* right behind the text */
	assert_true(fixture_load(&f));
	made_put(f.kernel, 0x90, 0xffe000, 8); /* right before */
	assert_true(fixture_load(&f));
	made_put(f.kernel, 0x98, 0, 8); /* an empty segment claims nothing, wherever it says it is */
	made_put(f.kernel, 0xa0, 0, 8);
	made_put(f.kernel, 0x90, ~0ull, 8);
	assert_true(fixture_load(&f));
}

static void test_elf_without_anything_to_load_is_refused(void **state)
{
	(void)state;
	made_put(f.kernel, 0x40, 0x6474e551, 4); /* GNU_STACK */
	made_put(f.kernel, 0x78, 0x6474e551, 4);
	assert_refused("ELF: found no loadable segment in 3 program headers at offset 0x40, expected one");
}

static void test_elf_with_too_many_segments_is_refused(void **state)
{
	enum { COUNT = 33 };
	static u8 image[MADE_MAX];

	(void)state;
	memcpy(image, f.kernel, MADE_MAX);
	made_put(image, 0x20, 0x400, 8);
	made_put(image, 0x38, COUNT + 1, 2);
	for (unsigned i = 0; i < COUNT; i++)
		made_phdr64(image, 0x400 + 56 * i, 1, 0x200, 0x1000000 + 0x1000 * i, 0x100, 0x1000);
	made_phdr64(image, 0x400 + 56 * COUNT, 4, 0x100, 0, 0x28, 0x28);
	f.request.kernel = image;
	f.request.kernel_size = MADE_MAX;
	assert_refused("ELF: found more than 32 loadable segments (program header at 0xb00)");
	made_put(image, 0x400 + 56 * (COUNT - 1), 0, 4);
	assert_true(fixture_load(&f));
}

static void test_multiboot_elf_is_loaded_and_entered(void **state)
{
	(void)state;
	assert_true(fixture_load(&f));
	assert_int_equal(f.entry.kind, IMAGE_MULTIBOOT);
	assert_entered_in_protected_mode(MADE_MULTIBOOT_ENTRY);
	assert_int_equal(f.entry.state.rax, 0x2badb002);
	assert_memory_equal(fixture_at(&f, 0x400080, 0x180), f.kernel + 0x80, 0x180);
	assert_memory_equal(fixture_at(&f, 0x401000, 0x40), f.kernel + 0x200, 0x40);
	assert_zero(0x401040, 0x800 - 0x40);
}

static void test_multiboot_information_says_what_was_loaded(void **state)
{
	u64 info, mods, map;

	(void)state;
	f.modules[0].argument = "environment";
	assert_true(fixture_load(&f));
	info = f.entry.state.rbx;
	assert_int_equal(fixture_get(&f, info, 4), BIT(0) | BIT(2) | BIT(3) | BIT(6) | BIT(9));
	assert_int_equal(fixture_get(&f, info + 4, 4), 639);
	assert_int_equal(fixture_get(&f, info + 8, 4), (FIXTURE_RAM - MiB - ACPI_TABLES_MAX) / 1024);
	assert_string_at(fixture_get(&f, info + 16, 4), "\\kernel console=ttyS0");
	assert_int_equal(fixture_get(&f, info + 20, 4), 1);
	mods = fixture_get(&f, info + 24, 4);
	assert_int_equal(fixture_get(&f, mods, 4) % PAGE_SIZE, 0);
	assert_int_equal(fixture_get(&f, mods + 4, 4) - fixture_get(&f, mods, 4), 5000);
	assert_memory_equal(fixture_at(&f, fixture_get(&f, mods, 4), 5000), f.initrd, 5000);
	assert_string_at(fixture_get(&f, mods + 8, 4), "environment");
	assert_int_equal(fixture_get(&f, info + 44, 4), 4 * 24);
	map = fixture_get(&f, info + 48, 4);
	assert_int_equal(fixture_get(&f, map, 4), 20);
	assert_int_equal(fixture_get(&f, map + 4, 8), 0);
	assert_int_equal(fixture_get(&f, map + 12, 8), 0x9fc00);
	assert_int_equal(fixture_get(&f, map + 20, 4), E820_RAM);
	assert_int_equal(fixture_get(&f, map + 24 + 4, 8), 0x9fc00);
	assert_int_equal(fixture_get(&f, map + 24 + 12, 8), 0x60400); /* one row with the legacy hole */
	assert_int_equal(fixture_get(&f, map + 24 + 20, 4), E820_RESERVED);
	assert_string_at(fixture_get(&f, info + 64, 4), "Sluice");
}

static void test_multiboot_guest_finds_the_rsdp_where_a_bios_has_it(void **state)
{
	u64 ebda;

	(void)state;
	assert_true(fixture_load(&f));
	ebda = fixture_get(&f, 0x40e, 2) << 4;
	assert_int_equal(ebda, 0x9fc00);
	assert_int_equal(fixture_get(&f, 0x413, 2), 639);
	assert_memory_equal(fixture_at(&f, ebda, 8), "RSD PTR ", 8);
	f.request.acpi = NULL;
	memset(f.ram[0].host, 0, 0xa0000);
	assert_true(fixture_load(&f));
	assert_zero(0x40e, 2);
	assert_zero(ebda, 36);
}

static void test_multiboot_without_modules_has_no_list_of_them(void **state)
{
	(void)state;
	f.request.module_count = 0;
	f.request.name = NULL;
	assert_true(fixture_load(&f));
	assert_int_equal(fixture_get(&f, f.entry.state.rbx, 4) & BIT(3), 0);
	assert_zero(f.entry.state.rbx + 20, 8);
	assert_string_at(fixture_get(&f, f.entry.state.rbx + 16, 4), "console=ttyS0");
}

static void test_multiboot_image_may_not_lie_on_what_it_is_told_in(void **state)
{
	(void)state;
	made_put(f.kernel, 0x54 + 12, 0x9f800, 4);
	assert_refused("extended BIOS data area at guest-physical 0x9fc00..0x9ffff overlaps a segment of the "
		       "image at "
		       "0x9f800..0x9ffff");
	made_put(f.kernel, 0x54 + 12, 0x10000, 4); /* what has no fixed place makes way */
	made_put(f.kernel, 0x54 + 20, 0x8000, 4);
	assert_true(fixture_load(&f));
	assert_true(f.entry.state.rbx >= 0x18000 && f.entry.state.gdt_base >= 0x18000);
	made_put(f.kernel, 0x54 + 20, 0x8f000, 4);
	assert_refused("no room for multiboot information: found no 72 free bytes of guest RAM between "
		       "0x10000 and 0x9efff");
}

static void test_multiboot_elf_has_32_bits_and_its_entry_in_a_segment(void **state)
{
	static u8 image[MADE_MAX];

	(void)state;
	made_put(f.kernel, 0x18, 0x401040, 4);
	assert_refused("multiboot: found e_entry 0x401040 at offset 0x18, expected a physical address that a "
		       "segment has "
		       "bytes for");
	f.request.kernel = image;
	f.request.kernel_size = made_image(MADE_PVH, image);
	made_put(image, 0x11c, 17, 4);
	made_multiboot_header(image, 0x200, 0);
	assert_refused("multiboot: found a 64-bit ELF (class at offset 0x4), expected a 32-bit one or "
		       "address fields (flags "
		       "bit 16 at offset 0x204)");
	made_put(image, 0x11c, 18, 4); /* with a PVH note it need not be multiboot at all */
	assert_true(fixture_load(&f));
	assert_int_equal(f.entry.kind, IMAGE_PVH);
}

static void test_multiboot_header_counts_only_when_sound_and_in_the_first_8_kib(void **state)
{
	static u8 file[0x3000];
	struct image_error error;

	(void)state;
	for (u64 at = 0; at < sizeof(file) - 32;
	     at = at < 40 || (at > 8170 && at < 8210) ? at + 1 : at + 37) {
		const bool found = at % 4 == 0 && at <= 8192 - 12;

		memset(file, 0, sizeof(file));
		made_multiboot_header(file, at, 0);
		assert_int_equal(image_probe(file, sizeof(file), &error), IMAGE_UNKNOWN);
		assert_int_equal(strncmp(error.text, "multiboot:", 10) == 0, found);
		file[at + 8] ^= 1; /* the sum is wrong */
		assert_int_equal(image_probe(file, sizeof(file), &error), IMAGE_UNKNOWN);
		assert_int_not_equal(strncmp(error.text, "multiboot:", 10), 0);
	}
}

static void test_flat_image_is_loaded_by_its_address_fields(void **state)
{
	(void)state;
	assert_true(fixture_load(&f));
	assert_int_equal(f.entry.kind, IMAGE_MULTIBOOT);
	assert_entered_in_protected_mode(MADE_FLAT_ENTRY);
	assert_memory_equal(fixture_at(&f, 0x100000, 0x200), f.kernel, 0x200);
	assert_zero(0x100200, 0xe00);
	assert_int_equal(fixture_get(&f, 0x101000, 1), 0xee);
	/* Zeros stand for the end of the file, and for no bss; the load may begin inside the file. */
	made_put(f.kernel, 0x20, 0x100010, 4);
	made_put(f.kernel, 0x24, 0, 8);
	memset(f.ram[1].host, 0xee, FIXTURE_RAM - MiB);
	assert_true(fixture_load(&f));
	assert_int_equal(fixture_get(&f, 0x10000f, 1), 0xee);
	assert_memory_equal(fixture_at(&f, 0x100010, 0x1f0), f.kernel + 0x10, 0x1f0);
	assert_int_equal(fixture_get(&f, 0x100200, 1), 0xee);
}

static void test_address_fields_are_checked(void **state)
{
	static const struct {
		u32 at;
		u64 value;
		const char *message;
	} cases[] = {
		{ 0x20, 0x100011,
		  "multiboot: found load_addr 0x100011 and header_addr 0x100010 (header at offset 0x10), "
		  "expected the file to begin at or before load_addr" },
		{ 0x20, 0xfffff,
		  "multiboot: found load_addr 0xfffff and header_addr 0x100010 (header at offset 0x10), "
		  "expected the file to begin at or before load_addr" },
		{ 0x24, 0x100201,
		  "multiboot: found load_end_addr 0x100201 (header at offset 0x10), expected it behind "
		  "header_addr 0x100010 and inside the file of 512 bytes" },
		{ 0x24, 0x100010,
		  "multiboot: found load_end_addr 0x100010 (header at offset 0x10), expected it behind "
		  "header_addr 0x100010 and inside the file of 512 bytes" },
		{ 0x28, 0x1001ff,
		  "multiboot: found bss_end_addr 0x1001ff (header at offset 0x10), expected 0 or at least "
		  "load_end_addr 0x100200" },
		{ 0x2c, 0xfffff,
		  "multiboot: found entry_addr 0xfffff (header at offset 0x10), expected it in "
		  "0x100000..0x1001ff" },
		{ 0x28, 0x4000001,
		  "the image wants 66060289 bytes at guest-physical 0x100000, which are not all RAM (RAM "
		  "ends at 0x3ffffff)" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		made_image(MADE_FLAT, f.kernel);
		made_put(f.kernel, cases[i].at, cases[i].value, 4);
		assert_refused(cases[i].message);
	}
	made_image(MADE_FLAT, f.kernel);
	f.request.kernel_size = 0x2f; /* inside entry_addr */
	assert_refused(
		"multiboot: found address fields at offset 0x1c, expected them inside the file of 47 bytes");
	f.request.kernel_size = 0x200;
	made_multiboot_header(f.kernel, 0x10, 0);
	assert_refused("multiboot: found flags 0x0 at offset 0x14 without bit 16 (address fields), expected "
		       "an ELF file then");
}

static void test_address_fields_go_before_an_elf_header_that_is_not_sound(void **state)
{
	(void)state;
	memcpy(f.kernel, "\177ELF\1\1\1", 7);
	assert_true(fixture_load(&f));
	assert_int_equal(f.entry.state.rip, MADE_FLAT_ENTRY);
}

#define PVH_TEST(name)	     cmocka_unit_test_setup_teardown(name, set_up_pvh, tear_down)
#define MULTIBOOT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_multiboot, tear_down)
#define FLAT_TEST(name)	     cmocka_unit_test_setup_teardown(name, set_up_flat, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PVH_TEST(test_pvh_guest_is_entered_at_its_note),
		PVH_TEST(test_pvh_start_info_says_what_was_loaded),
		PVH_TEST(test_pvh_note_may_have_64_bits_and_8_byte_alignment),
		PVH_TEST(test_elf_fields_are_checked),
		PVH_TEST(test_elf_segments_may_touch_or_be_empty),
		PVH_TEST(test_elf_without_anything_to_load_is_refused),
		PVH_TEST(test_elf_with_too_many_segments_is_refused),
		MULTIBOOT_TEST(test_multiboot_elf_is_loaded_and_entered),
		MULTIBOOT_TEST(test_multiboot_information_says_what_was_loaded),
		MULTIBOOT_TEST(test_multiboot_guest_finds_the_rsdp_where_a_bios_has_it),
		MULTIBOOT_TEST(test_multiboot_without_modules_has_no_list_of_them),
		MULTIBOOT_TEST(test_multiboot_image_may_not_lie_on_what_it_is_told_in),
		MULTIBOOT_TEST(test_multiboot_elf_has_32_bits_and_its_entry_in_a_segment),
		cmocka_unit_test(test_multiboot_header_counts_only_when_sound_and_in_the_first_8_kib),
		FLAT_TEST(test_flat_image_is_loaded_by_its_address_fields),
		FLAT_TEST(test_address_fields_are_checked),
		FLAT_TEST(test_address_fields_go_before_an_elf_header_that_is_not_sound),
	};

	return cmocka_run_group_tests_name("image: ELF, PVH, multiboot", tests, NULL, NULL);
}
