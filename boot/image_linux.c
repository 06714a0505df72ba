// SPDX-License-Identifier: BSD-2-Clause
/*
 * Linux bzImage by the 64-bit boot protocol (Documentation/x86/boot.rst, zero-page.rst). A file is a real-mode part of
 * (setup_sects + 1) * 512 bytes, of which only the set-up header is used, and the protected-mode part behind it, entered at 0x200.
 */
#include "boot/image_load.h"

/* Offsets in the file, and in the zero page, which has the set-up header at the same place. */
enum linux_header {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_SYSSIZE = 0x1f4,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP_LENGTH = 0x201, /* the header ends so many bytes behind 0x202 */
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_TYPE_OF_LOADER = 0x210,
	HDR_LOADFLAGS = 0x211,
	HDR_CODE32_START = 0x214,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMD_LINE_PTR = 0x228,
	HDR_INITRD_ADDR_MAX = 0x22c,
	HDR_KERNEL_ALIGNMENT = 0x230,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_END_MIN = 0x264, /* behind init_size */
	HDR_END_MAX = 0x290, /* what follows in the zero page is not the header's */
};

enum linux_zero_page {
	ZP_ACPI_RSDP_ADDR = 0x070,
	ZP_EXT_RAMDISK_IMAGE = 0x0c0,
	ZP_EXT_RAMDISK_SIZE = 0x0c4,
	ZP_EXT_CMD_LINE_PTR = 0x0c8,
	ZP_E820_ENTRIES = 0x1e8,
	ZP_E820_TABLE = 0x2d0,
	ZP_E820_MAX = 128,
	ZP_SIZE = 4096,
};

struct __attribute__((packed)) linux_e820_entry {
	u64 addr, size;
	u32 type;
};
static_assert(sizeof(struct linux_e820_entry) == 20, "uapi/asm/bootparam.h");
static_assert(E820_ROWS_MAX <= ZP_E820_MAX, "the zero page must hold every map");

#define LINUX_VERSION_MIN     0x020c /* the first with xloadflags */
#define LINUX_LOADED_HIGH     BIT(0)
#define LINUX_KERNEL_64	      BIT(0)
#define LINUX_ABOVE_4G	      BIT(1)
#define LINUX_ENTRY_64	      0x200
#define LINUX_LOADER_OTHER    0xff /* no id assigned */
#define LINUX_CMDLINE_DEFAULT 255

static u64 linux_setup_size(const u8 *data)
{
	/* 0 stands for 4, from the days of a fixed boot sector. */
	return ((data[HDR_SETUP_SECTS] ? data[HDR_SETUP_SECTS] : 4) + 1) * 512;
}

static u64 linux_system_size(const u8 *data)
{
	return image_u32(data + HDR_SYSSIZE) * 16ull;
}

bool image_linux_check(const u8 *data, u64 size, struct image_error *error)
{
	unsigned end;
	u64 setup, system;
	u32 align;

	if (size < HDR_END_MAX)
		return image_fail(error,
				  "bzImage: found a file of %lu bytes, expected the set-up header up to 0x%x",
				  size, HDR_END_MAX);
	if (image_u16(data + HDR_BOOT_FLAG) != 0xaa55)
		return image_fail(error, "bzImage: found boot_flag 0x%04x at offset 0x1fe, expected 0xaa55",
				  image_u16(data + HDR_BOOT_FLAG));
	if (image_u16(data + HDR_VERSION) < LINUX_VERSION_MIN)
		return image_fail(error,
				  "bzImage: found boot protocol %u.%02u at offset 0x206, expected 2.12 or "
				  "later (Linux 3.8)",
				  data[HDR_VERSION + 1], data[HDR_VERSION]);
	end = HDR_MAGIC + data[HDR_JUMP_LENGTH];
	if (end < HDR_END_MIN || end > HDR_END_MAX)
		return image_fail(error,
				  "bzImage: found a set-up header that ends at 0x%x (jump at 0x200), "
				  "expected 0x%x..0x%x",
				  end, HDR_END_MIN, HDR_END_MAX);
	if (!(data[HDR_LOADFLAGS] & LINUX_LOADED_HIGH))
		return image_fail(
			error,
			"bzImage: found loadflags 0x%02x at offset 0x211, expected bit 0 (LOADED_HIGH)",
			data[HDR_LOADFLAGS]);
	if (!(image_u16(data + HDR_XLOADFLAGS) & LINUX_KERNEL_64))
		return image_fail(
			error,
			"bzImage: found xloadflags 0x%04x at offset 0x236, expected bit 0 (a 64-bit kernel)",
			image_u16(data + HDR_XLOADFLAGS));

	setup = linux_setup_size(data);
	system = linux_system_size(data);
	if (setup >= size || system > size - setup)
		return image_fail(error,
				  "bzImage: found %lu bytes, expected %lu of set-up and %lu by syssize at "
				  "offset 0x1f4: truncated",
				  size, setup, system);
	if (system <= LINUX_ENTRY_64)
		return image_fail(
			error,
			"bzImage: found %lu bytes by syssize at offset 0x1f4, expected an entry at 0x200",
			system);
	if (image_u32(data + HDR_INIT_SIZE) < system)
		return image_fail(
			error,
			"bzImage: found init_size 0x%x at offset 0x260, expected 0x%lx (syssize) or more",
			image_u32(data + HDR_INIT_SIZE), system);
	align = image_u32(data + HDR_KERNEL_ALIGNMENT);
	if (align == 0 || (align & (align - 1)) != 0)
		return image_fail(
			error,
			"bzImage: found kernel_alignment 0x%x at offset 0x230, expected a power of two",
			align);
	/* The kernel moves itself to a multiple of its alignment, past the memory that was checked. */
	if (!IS_ALIGNED(image_u64(data + HDR_PREF_ADDRESS), (u64)align))
		return image_fail(
			error,
			"bzImage: found pref_address 0x%lx at offset 0x258, expected a multiple of 0x%x",
			image_u64(data + HDR_PREF_ADDRESS), align);
	/* What maps the kernel at its entry ends there. */
	if (image_u64(data + HDR_PREF_ADDRESS) > LAYOUT_HIGH_LAST - image_u32(data + HDR_INIT_SIZE))
		return image_fail(
			error,
			"bzImage: found pref_address 0x%lx at offset 0x258, expected the kernel below 4 GiB",
			image_u64(data + HDR_PREF_ADDRESS));
	return true;
}

static void put_u8(u8 *page, unsigned at, u8 value)
{
	page[at] = value;
}

static void put_u32(u8 *page, unsigned at, u64 value)
{
	const u32 low = (u32)value;

	memcpy(page + at, &low, sizeof(low));
}

static void put_u64(u8 *page, unsigned at, u64 value)
{
	memcpy(page + at, &value, sizeof(value));
}

/* The kernel and the initrd: what is large. */
static bool linux_load_files(struct image_loader *loader, u64 *kernel_gpa)
{
	const struct image_request *request = loader->request;
	const u8 *data = request->kernel;
	u64 initrd_last = LAYOUT_HIGH_LAST;
	u8 *kernel;

	*kernel_gpa = image_u64(data + HDR_PREF_ADDRESS);
	kernel = image_claim(loader, "the kernel (init_size)", *kernel_gpa, image_u32(data + HDR_INIT_SIZE));
	if (!kernel)
		return false;
	memcpy(kernel, data + linux_setup_size(data), linux_system_size(data));
	if (!(image_u16(data + HDR_XLOADFLAGS) & LINUX_ABOVE_4G))
		initrd_last = image_u32(data + HDR_INITRD_ADDR_MAX);
	return image_place_acpi(loader) && image_place_modules(loader, initrd_last);
}

static void linux_fill_map(const struct e820_map *map, u8 *zero_page)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct linux_e820_entry entry = { map->row[i].addr, map->row[i].size,
							map->row[i].type };

		memcpy(zero_page + ZP_E820_TABLE + i * sizeof(entry), &entry, sizeof(entry));
	}
	put_u8(zero_page, ZP_E820_ENTRIES, (u8)map->count);
}

bool image_linux_load(struct image_loader *loader)
{
	const struct image_request *request = loader->request;
	const u8 *data = request->kernel;
	const u64 length = request->cmdline ? strlen(request->cmdline) : 0;
	const u64 initrd_size = request->module_count ? request->modules[0].size : 0;
	u32 length_max = image_u32(data + HDR_CMDLINE_SIZE);
	u64 kernel, cmdline, page;
	u8 *zero_page;

	if (length_max == 0)
		length_max = LINUX_CMDLINE_DEFAULT;
	if (length > length_max)
		return image_fail(
			loader->error,
			"found a command line of %lu bytes, expected at most %u (cmdline_size of the kernel)",
			length, length_max);
	if (request->module_count > 1)
		return image_fail(loader->error,
				  "found %u modules, expected at most one for a Linux bzImage, the initrd",
				  request->module_count);
	if (request->module_count && request->modules[0].argument)
		return image_fail(
			loader->error,
			"found a boot module, expected none for a Linux bzImage, which takes an initrd");
	if (!linux_load_files(loader, &kernel))
		return false;
	zero_page = image_place(loader, "zero page", ZP_SIZE, PAGE_SIZE, LAYOUT_LOW_FIRST, LAYOUT_LOW_LAST,
				IMAGE_LOWEST, &page);
	cmdline = zero_page ? image_place_string(loader, "command line", NULL, request->cmdline) : 0;
	if (!cmdline || !image_enter_long(loader, kernel + LINUX_ENTRY_64))
		return false;

	/* `sentinel` at 0x1ef must stay zero, else the kernel takes the fields outside the header for garbage. */
	memset(zero_page, 0, ZP_SIZE);
	memcpy(zero_page + HDR_SETUP_SECTS, data + HDR_SETUP_SECTS,
	       HDR_MAGIC + data[HDR_JUMP_LENGTH] - HDR_SETUP_SECTS);
	put_u8(zero_page, HDR_TYPE_OF_LOADER, LINUX_LOADER_OTHER);
	put_u32(zero_page, HDR_CODE32_START, kernel);
	put_u32(zero_page, HDR_CMD_LINE_PTR, cmdline);
	put_u32(zero_page, ZP_EXT_CMD_LINE_PTR, cmdline >> 32);
	put_u32(zero_page, HDR_RAMDISK_IMAGE, loader->module[0]);
	put_u32(zero_page, ZP_EXT_RAMDISK_IMAGE, loader->module[0] >> 32);
	put_u32(zero_page, HDR_RAMDISK_SIZE, initrd_size);
	put_u32(zero_page, ZP_EXT_RAMDISK_SIZE, initrd_size >> 32);
	put_u64(zero_page, ZP_ACPI_RSDP_ADDR, loader->rsdp);
	linux_fill_map(&loader->map, zero_page);
	loader->entry->state.rsi = page;
	return true;
}
