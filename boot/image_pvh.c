// SPDX-License-Identifier: BSD-2-Clause
/*
 * The PVH direct boot protocol (Xen public headers, arch-x86/hvm/start_info.h): 32-bit protected mode without paging,
 * EBX points to hvm_start_info.
 */
#include "boot/image_elf.h"

#define PVH_MAGIC   0x336ec578
#define PVH_VERSION 1 /* the first with a memory map */

struct hvm_start_info {
	u32 magic, version, flags, nr_modules;
	u64 modlist_paddr, cmdline_paddr, rsdp_paddr, memmap_paddr;
	u32 memmap_entries, reserved;
};
static_assert(sizeof(struct hvm_start_info) == 56, "start_info.h");

struct hvm_modlist_entry {
	u64 paddr, size, cmdline_paddr, reserved;
};
static_assert(sizeof(struct hvm_modlist_entry) == 32, "start_info.h");

struct hvm_memmap_entry {
	u64 addr, size;
	u32 type, reserved; /* types are those of E820 */
};
static_assert(sizeof(struct hvm_memmap_entry) == 24, "start_info.h");

static bool pvh_place_modules(struct image_loader *loader, struct hvm_start_info *info)
{
	const struct image_request *request = loader->request;
	struct hvm_modlist_entry *list;

	if (request->module_count == 0)
		return true;
	list = image_place(loader, "module list", request->module_count * sizeof(*list), 16, LAYOUT_LOW_FIRST,
			   LAYOUT_LOW_LAST, IMAGE_LOWEST, &info->modlist_paddr);
	if (!list || !image_place_modules(loader, LAYOUT_HIGH_LAST))
		return false;
	for (unsigned i = 0; i < request->module_count; i++) {
		const char *argument = request->modules[i].argument;

		list[i] = (struct hvm_modlist_entry){ .paddr = loader->module[i],
						      .size = request->modules[i].size };
		if (!argument)
			continue;
		list[i].cmdline_paddr = image_place_string(loader, "module argument", NULL, argument);
		if (!list[i].cmdline_paddr)
			return false;
	}
	info->nr_modules = request->module_count;
	return true;
}

static bool pvh_place_map(struct image_loader *loader, struct hvm_start_info *info)
{
	const struct e820_map *map = &loader->map;
	struct hvm_memmap_entry *entry =
		image_place(loader, "memory map", map->count * sizeof(*entry), 16, LAYOUT_LOW_FIRST,
			    LAYOUT_LOW_LAST, IMAGE_LOWEST, &info->memmap_paddr);

	if (!entry)
		return false;
	for (unsigned i = 0; i < map->count; i++)
		entry[i] =
			(struct hvm_memmap_entry){ map->row[i].addr, map->row[i].size, map->row[i].type, 0 };
	info->memmap_entries = map->count;
	return true;
}

bool image_pvh_load(struct image_loader *loader)
{
	const struct image_request *request = loader->request;
	struct hvm_start_info info = { .magic = PVH_MAGIC, .version = PVH_VERSION };
	struct elf_image elf;
	u64 entry = 0, gpa;
	bool found;
	void *to;

	if (!elf_open(&elf, request->kernel, request->kernel_size, loader->error) ||
	    !elf_find_pvh(&elf, &entry, &found, loader->error) || !elf_load(&elf, loader) ||
	    !image_place_acpi(loader))
		return false;
	to = image_place(loader, "PVH start info", sizeof(info), 16, LAYOUT_LOW_FIRST, LAYOUT_LOW_LAST,
			 IMAGE_LOWEST, &gpa);
	if (!to)
		return false;
	info.rsdp_paddr = loader->rsdp;
	info.cmdline_paddr = image_place_string(loader, "command line", NULL, request->cmdline);
	if (!info.cmdline_paddr || !pvh_place_modules(loader, &info) || !pvh_place_map(loader, &info) ||
	    !image_enter_protected(loader, entry))
		return false;
	memcpy(to, &info, sizeof(info));
	loader->entry->state.rbx = gpa;
	return true;
}
