// SPDX-License-Identifier: BSD-2-Clause
#include "boot/acpi.h"
#include "boot/image_load.h"

#include <stdarg.h>
#include <stdio.h>

bool image_fail(struct image_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return false;
}

void *guest_memory_at(const struct guest_memory *memory, u64 gpa, u64 len)
{
	for (unsigned i = 0; i < memory->count; i++) {
		const struct guest_ram *ram = &memory->ram[i];

		if (len != 0 && gpa >= ram->gpa && len <= ram->size && gpa - ram->gpa <= ram->size - len)
			return (u8 *)ram->host + (gpa - ram->gpa);
	}
	return NULL;
}

static const struct image_used *image_find_used(const struct image_loader *loader, u64 first, u64 last)
{
	for (unsigned i = 0; i < loader->used_count; i++)
		if (first <= loader->used[i].last && last >= loader->used[i].first)
			return &loader->used[i];
	return NULL;
}

void *image_claim(struct image_loader *loader, const char *what, u64 gpa, u64 size)
{
	const u64 last = gpa + size - 1;
	void *host = guest_memory_at(loader->memory, gpa, size);
	const struct image_used *used;

	if (!host) {
		const struct guest_ram *top = &loader->memory->ram[loader->memory->count - 1];

		image_fail(loader->error,
			   "%s wants %lu bytes at guest-physical 0x%lx, which are not all RAM (RAM ends at "
			   "0x%lx)",
			   what, size, gpa, top->gpa + (top->size - 1));
		return NULL;
	}
	used = image_find_used(loader, gpa, last);
	if (used) {
		image_fail(loader->error, "%s at guest-physical 0x%lx..0x%lx overlaps %s at 0x%lx..0x%lx",
			   what, gpa, last, used->what, used->first, used->last);
		return NULL;
	}
	if (loader->used_count == IMAGE_USED_MAX) {
		image_fail(loader->error, "%s is one piece too many: at most %u can be placed", what,
			   IMAGE_USED_MAX);
		return NULL;
	}
	loader->used[loader->used_count++] = (struct image_used){ gpa, last, what };
	return host;
}

/*
 * Where `size` bytes fit inside [first, last], both inside one RAM range, stepping over what is taken: every step passes one
 * taken piece, so there are at most used_count of them.
 */
static bool image_fit(const struct image_loader *loader, u64 size, u64 align, u64 first, u64 last,
		      enum image_end end, u64 *gpa)
{
	for (;;) {
		const struct image_used *used;
		u64 at;

		if (first > last || last - first < size - 1)
			return false;
		if (end == IMAGE_LOWEST) {
			at = ALIGN_UP(first, align);
			if (at < first || at > last || last - at < size - 1)
				return false;
		} else {
			at = ALIGN_DOWN(last - (size - 1), align);
			if (at < first)
				return false;
		}
		used = image_find_used(loader, at, at + size - 1);
		if (!used) {
			*gpa = at;
			return true;
		}
		if (end == IMAGE_LOWEST) {
			if (used->last >= last)
				return false;
			first = used->last + 1;
		} else {
			if (used->first <= first)
				return false;
			last = used->first - 1;
		}
	}
}

void *image_place(struct image_loader *loader, const char *what, u64 size, u64 align, u64 first, u64 last,
		  enum image_end end, u64 *gpa)
{
	const unsigned count = loader->memory->count;

	for (unsigned i = 0; i < count && size != 0; i++) {
		const struct guest_ram *ram = &loader->memory->ram[end == IMAGE_LOWEST ? i : count - 1 - i];

		if (image_fit(loader, size, align, MAX(first, ram->gpa),
			      MIN(last, ram->gpa + (ram->size - 1)), end, gpa))
			return image_claim(loader, what, *gpa, size);
	}
	image_fail(loader->error,
		   "no room for %s: found no %lu free bytes of guest RAM between 0x%lx and 0x%lx", what, size,
		   first, last);
	return NULL;
}

u64 image_place_string(struct image_loader *loader, const char *what, const char *prefix, const char *text)
{
	const size_t before = prefix && *prefix ? strlen(prefix) + 1 : 0;
	const size_t length = text ? strlen(text) : 0;
	u64 gpa;
	char *to = image_place(loader, what, before + length + 1, 16, LAYOUT_LOW_FIRST, LAYOUT_LOW_LAST,
			       IMAGE_LOWEST, &gpa);

	if (!to)
		return 0;
	if (before) {
		memcpy(to, prefix, before - 1);
		to[before - 1] = ' ';
	}
	if (length)
		memcpy(to + before, text, length);
	to[before + length] = '\0';
	return gpa;
}

bool image_place_modules(struct image_loader *loader, u64 last)
{
	for (unsigned i = 0; i < loader->request->module_count; i++) {
		const struct image_module *module = &loader->request->modules[i];
		void *to;

		if (module->size == 0)
			return image_fail(loader->error,
					  "module %u (initrd = 0) is empty: found 0 bytes, expected a file",
					  i);
		to = image_place(loader, i ? "module" : "initrd", module->size, PAGE_SIZE, LAYOUT_HIGH_FIRST,
				 last, IMAGE_HIGHEST, &loader->module[i]);
		if (!to)
			return false;
		memcpy(to, module->data, module->size);
	}
	return true;
}

bool image_place_acpi(struct image_loader *loader)
{
	const struct acpi_board *board = loader->request->acpi;
	u64 gpa;
	void *tables;

	if (!board)
		return true;
	tables = image_place(loader, "ACPI tables", ACPI_TABLES_MAX, PAGE_SIZE, LAYOUT_HIGH_FIRST,
			     LAYOUT_HIGH_LAST, IMAGE_HIGHEST, &gpa);
	if (!tables)
		return false;
	loader->rsdp = acpi_build(board, gpa, tables, ACPI_TABLES_MAX);
	if (!loader->rsdp)
		return image_fail(loader->error,
				  "the board's ACPI description has a CPU count of %u, expected 1..%u",
				  board->cpu_count, ACPI_CPUS_MAX);
	if (!e820_add(&loader->map, gpa, ACPI_TABLES_MAX, E820_ACPI))
		return image_fail(loader->error, "no room for the ACPI tables in the memory map of %u rows",
				  E820_ROWS_MAX);
	return true;
}
