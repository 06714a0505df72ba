// SPDX-License-Identifier: BSD-2-Clause
/*
 * Multiboot 1 (Multiboot specification 0.6.96): a header in the first 8 KiB of any file; 32-bit protected mode without paging,
 * EAX has the magic, EBX points to the information structure.
 */
#include "boot/image_elf.h"

#define MB_HEADER_MAGIC 0x1badb002
#define MB_LOADER_MAGIC 0x2badb002
#define MB_SEARCH	8192
#define MB_PAGE_ALIGN	BIT(0) /* modules always are */
#define MB_MEMORY_INFO	BIT(1) /* always there */
#define MB_ADDRESSES	BIT(16)
#define MB_REQUIREMENTS BITS(15, 0)
#define MB_HEADER_SIZE	12
#define MB_ADDRESS_SIZE 32

enum mb_info_flags {
	MB_INFO_MEMORY = BIT(0),
	MB_INFO_CMDLINE = BIT(2),
	MB_INFO_MODS = BIT(3),
	MB_INFO_MMAP = BIT(6),
	MB_INFO_LOADER_NAME = BIT(9),
};

struct mb_info {
	u32 flags, mem_lower, mem_upper; /* KiB */
	u32 boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
	u32 drives_length, drives_addr, config_table, boot_loader_name, apm_table;
};
static_assert(sizeof(struct mb_info) == 72, "multiboot 3.3");

struct mb_module {
	u32 start, end, string, reserved; /* end: one past the last byte */
};
static_assert(sizeof(struct mb_module) == 16, "multiboot 3.3");

struct __attribute__((packed)) mb_mmap_entry {
	u32 size; /* of what follows */
	u64 base, length;
	u32 type;
};
static_assert(sizeof(struct mb_mmap_entry) == 24, "multiboot 3.3");

/* The address fields, made plain: `filesz` bytes from `offset` go to `load`, zeros up to `load` + `memsz`. */
struct mb_flat {
	u64 offset, load, filesz, memsz, entry;
};

u64 image_multiboot_find(const u8 *data, u64 size)
{
	for (u64 at = 0; at + MB_HEADER_SIZE <= MIN(size, MB_SEARCH); at += 4)
		if (image_u32(data + at) == MB_HEADER_MAGIC &&
		    image_u32(data + at) + image_u32(data + at + 4) + image_u32(data + at + 8) == 0)
			return at;
	return MULTIBOOT_NOT_FOUND;
}

bool image_multiboot_has_addresses(const u8 *data, u64 offset)
{
	return image_u32(data + offset + 4) & MB_ADDRESSES;
}

static bool mb_flat(const u8 *data, u64 size, u64 header, struct mb_flat *flat, struct image_error *error)
{
	const u8 *field = data + header + 12;
	u64 header_addr, load, load_end, bss_end, entry;

	if (header + MB_ADDRESS_SIZE > size)
		return image_fail(error,
				  "multiboot: found address fields at offset 0x%lx, expected them inside the "
				  "file of %lu bytes",
				  header + 12, size);
	header_addr = image_u32(field);
	load = image_u32(field + 4);
	load_end = image_u32(field + 8);
	bss_end = image_u32(field + 12);
	entry = image_u32(field + 16);
	if (load > header_addr || header_addr - load > header)
		return image_fail(error,
				  "multiboot: found load_addr 0x%lx and header_addr 0x%lx (header at offset "
				  "0x%lx), expected the file to begin at or before load_addr",
				  load, header_addr, header);
	flat->offset = header - (header_addr - load);
	if (load_end == 0) /* all of the file */
		load_end = load + (size - flat->offset);
	if (load_end <= header_addr || load_end - load > size - flat->offset)
		return image_fail(error,
				  "multiboot: found load_end_addr 0x%lx (header at offset 0x%lx), expected "
				  "it behind header_addr 0x%lx and inside the file of %lu bytes",
				  load_end, header, header_addr, size);
	if (bss_end == 0)
		bss_end = load_end;
	if (bss_end < load_end)
		return image_fail(error,
				  "multiboot: found bss_end_addr 0x%lx (header at offset 0x%lx), expected 0 "
				  "or at least load_end_addr 0x%lx",
				  bss_end, header, load_end);
	if (entry < load || entry >= load_end)
		return image_fail(error,
				  "multiboot: found entry_addr 0x%lx (header at offset 0x%lx), expected it "
				  "in 0x%lx..0x%lx",
				  entry, header, load, load_end - 1);
	flat->load = load;
	flat->filesz = load_end - load;
	flat->memsz = bss_end - load;
	flat->entry = entry;
	return true;
}

bool image_multiboot_check(const u8 *data, u64 size, u64 offset, struct image_error *error)
{
	const u32 flags = image_u32(data + offset + 4);
	struct elf_image elf;
	struct mb_flat flat = { 0 };

	if (flags & MB_REQUIREMENTS & ~(MB_PAGE_ALIGN | MB_MEMORY_INFO))
		return image_fail(error,
				  "multiboot: found flags 0x%x at offset 0x%lx, expected no requirements but "
				  "bits 0 (page alignment) and 1 (memory)",
				  flags, offset + 4);
	if (flags & MB_ADDRESSES)
		return mb_flat(data, size, offset, &flat, error);
	if (!elf_is(data, size))
		return image_fail(error,
				  "multiboot: found flags 0x%x at offset 0x%lx without bit 16 (address "
				  "fields), expected an ELF file then",
				  flags, offset + 4);
	if (!elf_open(&elf, data, size, error))
		return false;
	if (elf.is64)
		return image_fail(error,
				  "multiboot: found a 64-bit ELF (class at offset 0x4), expected a 32-bit "
				  "one or address fields (flags bit 16 at offset 0x%lx)",
				  offset + 4);
	if (!elf_has_entry(&elf, elf.entry))
		return image_fail(error,
				  "multiboot: found e_entry 0x%lx at offset 0x18, expected a physical "
				  "address that a segment has bytes for",
				  elf.entry);
	return true;
}

/* Loads the image itself and gives its entry. */
static bool mb_load_image(struct image_loader *loader, u64 *entry)
{
	const u8 *data = loader->request->kernel;
	const u64 size = loader->request->kernel_size;
	const u64 header = image_multiboot_find(data, size);
	struct elf_image elf;
	struct mb_flat flat = { 0 };
	u8 *to;

	if (!image_multiboot_has_addresses(data, header)) {
		if (!elf_open(&elf, data, size, loader->error))
			return false;
		*entry = elf.entry;
		return elf_load(&elf, loader);
	}
	if (!mb_flat(data, size, header, &flat, loader->error))
		return false;
	to = image_claim(loader, "the image", flat.load, flat.memsz);
	if (!to)
		return false;
	memcpy(to, data + flat.offset, flat.filesz);
	memset(to + flat.filesz, 0, flat.memsz - flat.filesz);
	*entry = flat.entry;
	return true;
}

/*
 * The protocol has no word for ACPI: such guests look for the RSDP in the first KiB of the extended BIOS data area, whose
 * segment the BIOS data area has at 0x40e (ACPI 5.2.5.1), next to the KiB of memory below it at 0x413.
 */
static bool mb_place_rsdp(struct image_loader *loader)
{
	const u16 segment = LAYOUT_EBDA >> 4, kib = LAYOUT_EBDA / KiB;
	u8 *ebda, *bda_segment, *bda_size;

	if (!loader->rsdp)
		return true;
	ebda = image_claim(loader, "extended BIOS data area", LAYOUT_EBDA, LAYOUT_EBDA_SIZE);
	bda_segment = ebda ? image_claim(loader, "BIOS data area", 0x40e, 2) : NULL;
	bda_size = bda_segment ? image_claim(loader, "BIOS data area", 0x413, 2) : NULL;
	if (!bda_size)
		return false;
	memcpy(ebda, guest_memory_at(loader->memory, loader->rsdp, 36), 36);
	memcpy(bda_segment, &segment, 2);
	memcpy(bda_size, &kib, 2);
	return e820_add(&loader->map, LAYOUT_EBDA, LAYOUT_EBDA_SIZE, E820_RESERVED) ||
	       image_fail(loader->error, "no room for the BIOS data area in the memory map of %u rows",
			  E820_ROWS_MAX);
}

static bool mb_place_modules(struct image_loader *loader, struct mb_info *info)
{
	const struct image_request *request = loader->request;
	struct mb_module *list;
	u64 gpa;

	if (request->module_count == 0)
		return true;
	list = image_place(loader, "module list", request->module_count * sizeof(*list), 16, LAYOUT_LOW_FIRST,
			   LAYOUT_LOW_LAST, IMAGE_LOWEST, &gpa);
	if (!list ||
	    !image_place_modules(loader, LAYOUT_HIGH_LAST - PAGE_SIZE)) /* `end` must not wrap to 0 */
		return false;
	for (unsigned i = 0; i < request->module_count; i++) {
		const u64 string =
			image_place_string(loader, "module argument", NULL, request->modules[i].argument);

		if (!string)
			return false;
		list[i] = (struct mb_module){ .start = (u32)loader->module[i],
					      .end = (u32)(loader->module[i] + request->modules[i].size),
					      .string = (u32)string };
	}
	info->flags |= MB_INFO_MODS;
	info->mods_count = request->module_count;
	info->mods_addr = (u32)gpa;
	return true;
}

/* Bytes of RAM without a hole from `base` on. */
static u64 mb_ram_from(const struct e820_map *map, u64 base)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct e820_row *row = &map->row[i];

		if (row->type == E820_RAM && base >= row->addr && base - row->addr < row->size)
			return row->size - (base - row->addr);
	}
	return 0;
}

static bool mb_place_map(struct image_loader *loader, struct mb_info *info)
{
	const struct e820_map *map = &loader->map;
	struct mb_mmap_entry *entry;
	u64 gpa;

	entry = image_place(loader, "memory map", map->count * sizeof(*entry), 16, LAYOUT_LOW_FIRST,
			    LAYOUT_LOW_LAST, IMAGE_LOWEST, &gpa);
	if (!entry)
		return false;
	for (unsigned i = 0; i < map->count; i++)
		entry[i] = (struct mb_mmap_entry){ sizeof(*entry) - 4, map->row[i].addr, map->row[i].size,
						   map->row[i].type };
	info->flags |= MB_INFO_MEMORY | MB_INFO_MMAP;
	info->mem_lower = (u32)(MIN(mb_ram_from(map, 0), 640 * KiB) / KiB);
	info->mem_upper = (u32)MIN(mb_ram_from(map, MiB) / KiB, 0xffffffffull);
	info->mmap_addr = (u32)gpa;
	info->mmap_length = (u32)(map->count * sizeof(*entry));
	return true;
}

bool image_multiboot_load(struct image_loader *loader)
{
	const struct image_request *request = loader->request;
	struct mb_info info = { .flags = MB_INFO_CMDLINE | MB_INFO_LOADER_NAME };
	u64 entry, gpa;
	void *to;

	if (!mb_load_image(loader, &entry) || !image_place_acpi(loader) || !mb_place_rsdp(loader))
		return false;
	to = image_place(loader, "multiboot information", sizeof(info), 16, LAYOUT_LOW_FIRST, LAYOUT_LOW_LAST,
			 IMAGE_LOWEST, &gpa);
	if (!to)
		return false;
	info.cmdline = (u32)image_place_string(loader, "command line", request->name, request->cmdline);
	info.boot_loader_name = (u32)image_place_string(loader, "loader name", NULL, "Sluice");
	if (!info.cmdline || !info.boot_loader_name || !mb_place_modules(loader, &info) ||
	    !mb_place_map(loader, &info) || !image_enter_protected(loader, entry))
		return false;
	memcpy(to, &info, sizeof(info));
	loader->entry->state.rax = MB_LOADER_MAGIC;
	loader->entry->state.rbx = gpa;
	return true;
}
