/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware (UEFI 2.x), as far as it is used, from efi_main until efi_exit_boot_services(). A status of the firmware
 * never leaves the efi_*.c files: they say in a line what went wrong, or do the thing.
 */
#ifndef BOOT_EFI_H
#define BOOT_EFI_H

#include "boot/boot.h"

#include <efi.h>

struct efi {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *system;
	EFI_BOOT_SERVICES *boot;
	EFI_FILE_HANDLE volume; /* the one that the image was loaded from */
	u64 tsc_hz;
	u64 tsc_reading; /* ticks spent in reading files */

	/* efi_memory_*: the last snapshot of the memory map */
	u8 *map;
	UINTN map_room, map_size, map_key, descriptor_size;
};

/* Errors and warnings from now on also go to the screens (not to serial consoles of the firmware: that line is ours). */
void efi_screen_init(struct efi *efi);

/* Waits for a key, at most `seconds`. True: one was hit. */
bool efi_wait_key(struct efi *efi, unsigned seconds);

/* RSDP of ACPI 2.0 or later, else of 1.0, else 0. */
u64 efi_find_rsdp(const struct efi *efi);

/* Opens the volume that the image came from. False: said why. */
bool efi_volume_open(struct efi *efi);

enum efi_file_result {
	EFI_FILE_OK,
	EFI_FILE_MISSING,
	EFI_FILE_IS_FOLDER,
	EFI_FILE_EMPTY,
	EFI_FILE_NO_MEMORY,
	EFI_FILE_READ_ERROR
};

/*
 * Reads all of the file at `path` ('\' between names) into pages of its own. Says how far it is where that takes more
 * than a moment.
 */
enum efi_file_result efi_file_read(struct efi *efi, const char *path, struct boot_file *file);
const char *efi_file_error(enum efi_file_result result);

/* Pages of type EfiLoaderData, not zeroed; NULL: none left. */
void *efi_pages_alloc(struct efi *efi, u64 pages);

/* Takes a snapshot of the memory map; the first one also takes memory for it. */
bool efi_memory_map(struct efi *efi);
/* The n-th descriptor of the snapshot, NULL behind the last. */
const EFI_MEMORY_DESCRIPTOR *efi_memory_descriptor(const struct efi *efi, unsigned index);
/*
 * Guest RAM: `size` bytes (a multiple of 2 MiB) in as few extents as can be. False: `*found` is what there is.
 */
bool efi_memory_take_ram(struct efi *efi, u64 size, struct boot *boot, u64 *found);

/* The end of the firmware. False: it refuses, said why; nothing of it but this may then be trusted. */
bool efi_exit_boot_services(struct efi *efi);

#endif
