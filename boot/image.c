// SPDX-License-Identifier: BSD-2-Clause
#include "boot/image_elf.h"

/* What users try, and what to tell them. */
struct image_hint {
	u8 size;
	const char *magic, *what;
};

static const struct image_hint image_hints[] = {
	{ 2, "\x1f\x8b", "a gzip file: unpack it first" },
	{ 6,
	  "\xfd"
	  "7zXZ",
	  "an xz file: unpack it first" },
	{ 4, "\x28\xb5\x2f\xfd", "a zstd file: unpack it first" },
	{ 4, "\x02\x21\x4c\x18", "an LZ4 file: unpack it first" },
	{ 4, "\x04\x22\x4d\x18", "an LZ4 file: unpack it first" },
	{ 3, "BZh", "a bzip2 file: unpack it first" },
	{ 6, "070701", "a cpio archive, perhaps the initrd" },
	{ 2, "MZ", "a PE file, perhaps an EFI application" },
};

const char *image_kind_name(enum image_kind kind)
{
	switch (kind) {
	case IMAGE_LINUX:
		return "Linux bzImage";
	case IMAGE_PVH:
		return "ELF with a PVH entry";
	case IMAGE_MULTIBOOT:
		return "multiboot 1";
	default:
		return "unknown";
	}
}

static enum image_kind image_probe_other(const u8 *data, u64 size, struct image_error *error)
{
	const char *what = "nothing known";

	for (unsigned i = 0; i < ARRAY_SIZE(image_hints); i++)
		if (size >= image_hints[i].size &&
		    memcmp(data, image_hints[i].magic, image_hints[i].size) == 0)
			what = image_hints[i].what;
	if (size < 4)
		image_fail(error, "found a file of %lu bytes, expected a guest image", size);
	else
		image_fail(error,
			   "found %02x %02x %02x %02x at offset 0 (%s), expected HdrS at 0x202 (Linux "
			   "bzImage), an ELF header at 0, or a multiboot header in the first 8 KiB",
			   data[0], data[1], data[2], data[3], what);
	return IMAGE_UNKNOWN;
}

/* A PVH note goes first: it is the younger protocol, and images that carry both (Xen) mean it so. */
static enum image_kind image_probe_elf(const u8 *data, u64 size, u64 multiboot, struct image_error *error)
{
	struct elf_image elf;
	bool found = false;
	u64 entry;
	const bool sound = elf_open(&elf, data, size, error) && elf_find_pvh(&elf, &entry, &found, error);

	if (found)
		return IMAGE_PVH;
	/* With address fields, the file is not taken for an ELF at all. */
	if (multiboot != MULTIBOOT_NOT_FOUND && (sound || image_multiboot_has_addresses(data, multiboot)))
		return image_multiboot_check(data, size, multiboot, error) ? IMAGE_MULTIBOOT : IMAGE_UNKNOWN;
	if (sound)
		image_fail(error,
			   "ELF: found neither a PVH entry note in its %u program headers nor a multiboot "
			   "header in its first 8 KiB",
			   elf.phnum);
	return IMAGE_UNKNOWN;
}

enum image_kind image_probe(const void *data, size_t size, struct image_error *error)
{
	const u64 multiboot = image_multiboot_find(data, size);

	*error = (struct image_error){ "" };
	if (elf_is(data, size))
		return image_probe_elf(data, size, multiboot, error);
	if (size >= 0x206 && memcmp((const u8 *)data + 0x202, "HdrS", 4) == 0)
		return image_linux_check(data, size, error) ? IMAGE_LINUX : IMAGE_UNKNOWN;
	if (multiboot != MULTIBOOT_NOT_FOUND)
		return image_multiboot_check(data, size, multiboot, error) ? IMAGE_MULTIBOOT : IMAGE_UNKNOWN;
	return image_probe_other(data, size, error);
}

/*
 * The map that the guest is told of, but for the ACPI tables, whose place is not yet known. Reserved ranges may lie in RAM:
 * nothing is to be placed there.
 */
static bool image_start_map(struct image_loader *loader)
{
	const struct image_request *request = loader->request;
	bool ok = true;

	for (unsigned i = 0; i < loader->memory->count; i++)
		ok = ok && e820_add(&loader->map, loader->memory->ram[i].gpa, loader->memory->ram[i].size,
				    E820_RAM);
	for (unsigned i = 0; i < request->reserved_count; i++) {
		const struct e820_row *row = &request->reserved[i];

		ok = ok && i < IMAGE_RESERVED_MAX && e820_add(&loader->map, row->addr, row->size, row->type);
		if (ok)
			loader->used[loader->used_count++] =
				(struct image_used){ row->addr, row->addr + (row->size - 1),
						     "a reserved range" };
	}
	return ok ||
	       image_fail(loader->error, "the memory map has an empty or wrapping row, or more than %u rows",
			  E820_ROWS_MAX);
}

bool image_load(const struct guest_memory *memory, const struct image_request *request,
		struct guest_entry *entry, struct image_error *error)
{
	const enum image_kind kind = image_probe(request->kernel, request->kernel_size, error);
	struct image_loader loader = { .memory = memory, .request = request, .entry = entry, .error = error };
	bool ok;

	if (kind == IMAGE_UNKNOWN)
		return false;
	if (memory->count == 0)
		return image_fail(error, "found no guest RAM, expected some to load into");
	if (request->module_count > IMAGE_MODULES_MAX)
		return image_fail(error, "found %u modules, expected at most %u", request->module_count,
				  IMAGE_MODULES_MAX);
	if (!image_start_map(&loader))
		return false;
	if (kind == IMAGE_LINUX)
		ok = image_linux_load(&loader);
	else if (kind == IMAGE_PVH)
		ok = image_pvh_load(&loader);
	else
		ok = image_multiboot_load(&loader);
	if (ok)
		entry->kind = kind;
	return ok;
}
