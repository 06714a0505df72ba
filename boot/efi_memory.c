// SPDX-License-Identifier: BSD-2-Clause
/*
 * Memory by the firmware's map: UEFI 2.x, 7.2 (GetMemoryMap, AllocatePages) and 7.4 (ExitBootServices).
 */
#include "boot/efi.h"

#include "arch/cpu.h"
#include "arch/host_paging.h"
#include "arch/log.h"

#define LARGE_PAGE (2 * MiB)
#define MAP_SLACK \
	(16 * KiB) /* allocations after the first snapshot split descriptors; there is room for 300 more */
#define EXIT_TRIES 8u
#define LOWEST_RAM (2 * MiB) /* below lie the real-mode areas that firmware and chipsets still use */

void *efi_pages_alloc(struct efi *efi, u64 pages)
{
	/* Not beyond what the hypervisor's page tables can map. */
	EFI_PHYSICAL_ADDRESS address = HOST_ADDRESS_LIMIT - 1;

	if (EFI_ERROR(efi->boot->AllocatePages(AllocateMaxAddress, EfiLoaderData, pages, &address)))
		return NULL;
	return (void *)address;
}

bool efi_memory_map(struct efi *efi)
{
	UINT32 version;

	if (!efi->map) {
		UINTN wanted = 0;

		efi->boot->GetMemoryMap(&wanted, NULL, &efi->map_key, &efi->descriptor_size, &version);
		efi->map_room = ALIGN_UP(wanted + MAP_SLACK, PAGE_SIZE);
		efi->map = efi_pages_alloc(efi, efi->map_room / PAGE_SIZE);
		if (!efi->map)
			return false;
	}
	efi->map_size = efi->map_room;
	return !EFI_ERROR(efi->boot->GetMemoryMap(&efi->map_size, (EFI_MEMORY_DESCRIPTOR *)efi->map,
						  &efi->map_key, &efi->descriptor_size, &version));
}

const EFI_MEMORY_DESCRIPTOR *efi_memory_descriptor(const struct efi *efi, unsigned index)
{
	UINTN offset = index * efi->descriptor_size;

	if (offset + efi->descriptor_size > efi->map_size)
		return NULL;
	return (const EFI_MEMORY_DESCRIPTOR *)(efi->map + offset);
}

/* The part of free memory that a descriptor stands for, cut to whole units of `align`. False: nothing left. */
static bool free_part(const EFI_MEMORY_DESCRIPTOR *descriptor, u64 align, struct boot_extent *part)
{
	u64 first = MAX(descriptor->PhysicalStart, LOWEST_RAM);
	u64 end = MIN(descriptor->PhysicalStart + descriptor->NumberOfPages * PAGE_SIZE, HOST_ADDRESS_LIMIT);

	/* Write-back is what guest RAM is mapped as; memory that cannot be cached so is of no use. */
	if (descriptor->Type != EfiConventionalMemory || !(descriptor->Attribute & EFI_MEMORY_WB) ||
	    end < first)
		return false;
	part->address = ALIGN_UP(first, align);
	if (part->address < first || part->address >= end)
		return false;
	part->size = ALIGN_DOWN(end - part->address, LARGE_PAGE);
	return part->size;
}

/* First free part that holds all of `size` at this alignment. */
static bool find_whole(const struct efi *efi, u64 size, u64 align, struct boot_extent *best)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;

	for (unsigned i = 0; (descriptor = efi_memory_descriptor(efi, i)); i++)
		if (free_part(descriptor, align, best) && best->size >= size)
			return true;
	return false;
}

static bool find_largest(const struct efi *efi, struct boot_extent *best)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;
	struct boot_extent part;

	best->size = 0;
	for (unsigned i = 0; (descriptor = efi_memory_descriptor(efi, i)); i++)
		if (free_part(descriptor, LARGE_PAGE, &part) && part.size > best->size)
			*best = part;
	return best->size;
}

bool efi_memory_take_ram(struct efi *efi, u64 size, struct boot *boot, u64 *found)
{
	*found = 0;
	while (*found < size) {
		struct boot_extent part;
		EFI_PHYSICAL_ADDRESS address;
		u64 left = size - *found;

		if (boot->ram_count == BOOT_EXTENTS_MAX || !efi_memory_map(efi))
			return false;
		if (!(left >= GiB && find_whole(efi, left, GiB, &part)) &&
		    !find_whole(efi, left, LARGE_PAGE, &part) && !find_largest(efi, &part))
			return false;
		part.size = MIN(part.size, left);
		address = part.address;
		if (EFI_ERROR(efi->boot->AllocatePages(AllocateAddress, EfiLoaderData, part.size / PAGE_SIZE,
						       &address)))
			return false;
		boot->ram[boot->ram_count++] = part;
		*found += part.size;
	}
	return true;
}

bool efi_exit_boot_services(struct efi *efi)
{
	EFI_STATUS status = EFI_SUCCESS;

	/* Printing may allocate; and after a first refusal the screen's driver may be gone. */
	log_set_screen(NULL, NULL);
	/*
	 * The map may change between the two calls (a timer's handler allocates): then the key is stale, and all
	 * that may be done is to fetch the map again, into the same buffer, and to try again.
	 */
	for (unsigned i = 0; i < EXIT_TRIES; i++) {
		if (!efi_memory_map(efi))
			break;
		status = efi->boot->ExitBootServices(efi->image, efi->map_key);
		if (!EFI_ERROR(status)) {
			cli();
			return true;
		}
	}
	log_error("the firmware refuses ExitBootServices: status 0x%llx in %u tries",
		  (unsigned long long)status, EXIT_TRIES);
	return false;
}
