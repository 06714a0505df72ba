/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shared by the image formats and by nobody else: placing things in guest memory so that no two overlap, and the
 * processor states that boot protocols ask for.
 */
#ifndef BOOT_IMAGE_LOAD_H
#define BOOT_IMAGE_LOAD_H

#include "boot/e820.h"
#include "boot/image.h"

#include <string.h>

/*
 * The whole layout. What an image names an address for is claimed there first; the rest goes where there is room:
 *
 *   LAYOUT_LOW     start info, command line, memory map, GDT, page tables: upwards from the first address
 *   LAYOUT_HIGH    ACPI tables, then modules: downwards from the last address (modules: or the format's own limit)
 *   LAYOUT_EBDA    where guests that are told nothing look for the RSDP; only for multiboot 1
 *
 * The first 64 KiB stay free: vectors, BIOS data, and the trampolines of guests.
 */
#define LAYOUT_LOW_FIRST  0x10000ull
#define LAYOUT_LOW_LAST	  0x9efffull
#define LAYOUT_HIGH_FIRST 0x100000ull
#define LAYOUT_HIGH_LAST  0xffffffffull
#define LAYOUT_EBDA	  0x9fc00ull
#define LAYOUT_EBDA_SIZE  0x400ull

#define IMAGE_SEGMENTS_MAX 32
#define IMAGE_RESERVED_MAX 32
#define IMAGE_USED_MAX	   (IMAGE_SEGMENTS_MAX + IMAGE_RESERVED_MAX + 2 * IMAGE_MODULES_MAX + 16)

struct image_used {
	u64 first, last;
	const char *what;
};

/* One call of image_load(). There is at least one range of RAM. */
struct image_loader {
	const struct guest_memory *memory;
	const struct image_request *request;
	struct guest_entry *entry;
	struct image_error *error;
	struct e820_map
		map; /* RAM and reserved rows from the start, the ACPI row from image_place_acpi() on */
	u64 rsdp;    /* 0: no ACPI tables */
	u64 module[IMAGE_MODULES_MAX];
	struct image_used used[IMAGE_USED_MAX];
	unsigned used_count;
};

/* Fields of files: little endian, at any alignment. The caller has checked the bounds. */
static inline u16 image_u16(const u8 *at)
{
	u16 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline u32 image_u32(const u8 *at)
{
	u32 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline u64 image_u64(const u8 *at)
{
	u64 value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Writes the message and returns false, so that a check reads as one statement. */
bool image_fail(struct image_error *error, const char *format, ...) __printf(2, 3);

/* Takes exactly [gpa, gpa + size). NULL and a message if that is not RAM in one piece, or taken. */
void *image_claim(struct image_loader *loader, const char *what, u64 gpa, u64 size);

enum image_end { IMAGE_LOWEST, IMAGE_HIGHEST };

/*
 * Takes `size` bytes of free RAM inside [first, last], the lowest or highest that `align` (a power of two) permits. NULL and a
 * message if there is no room.
 */
void *image_place(struct image_loader *loader, const char *what, u64 size, u64 align, u64 first, u64 last,
		  enum image_end end, u64 *gpa);

/* A copy of [prefix and a blank,] text and NUL in LAYOUT_LOW; its gpa, or 0 and a message. NULL counts as "". */
u64 image_place_string(struct image_loader *loader, const char *what, const char *prefix, const char *text);

/* Every module of the request, page-aligned, ending at or below `last`: loader->module[] are their addresses. */
bool image_place_modules(struct image_loader *loader, u64 last);

/* The ACPI tables, if the request has a board, and their row in the map. */
bool image_place_acpi(struct image_loader *loader);

/* Both write a GDT to LAYOUT_LOW and fill loader->entry, general registers zero but for RIP. */
bool image_enter_protected(struct image_loader *loader, u64 rip);
/* Identity map of the first 4 GiB, everything present and writable. */
bool image_enter_long(struct image_loader *loader, u64 rip);

/*
 * The formats. `check` does what needs no guest memory; `load` relies on check having passed. Both leave a message when
 * they return false.
 */
bool image_linux_check(const u8 *data, u64 size, struct image_error *error);
bool image_linux_load(struct image_loader *loader);
bool image_pvh_load(struct image_loader *loader);
bool image_multiboot_load(struct image_loader *loader);

#define MULTIBOOT_NOT_FOUND (~0ull)

/* File offset of the multiboot header, or MULTIBOOT_NOT_FOUND. */
u64 image_multiboot_find(const u8 *data, u64 size);
/* Does the header at `offset` carry its own addresses, so that the file need not be an ELF? */
bool image_multiboot_has_addresses(const u8 *data, u64 offset);
/* What image_multiboot_load() relies on: the header's flags, and its addresses or an ELF32 with its entry inside. */
bool image_multiboot_check(const u8 *data, u64 size, u64 offset, struct image_error *error);

#endif
