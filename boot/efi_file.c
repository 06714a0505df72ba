// SPDX-License-Identifier: BSD-2-Clause
#include "boot/efi.h"

#include "arch/cpu.h"
#include "arch/log.h"
#include "arch/serial.h"

#include <stdio.h>

#define READ_STEP MiB /* some firmware fails on larger reads */
#define INFO_SIZE (SIZE_OF_EFI_FILE_INFO + 2 * CONFIG_PATH_MAX)

static const EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
static const EFI_GUID file_system_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
static const EFI_GUID file_info_guid = EFI_FILE_INFO_ID;

bool efi_volume_open(struct efi *efi)
{
	EFI_GUID image_guid = loaded_image_guid, volume_guid = file_system_guid;
	EFI_LOADED_IMAGE *loaded;
	EFI_FILE_IO_INTERFACE *file_system;
	void *interface;

	if (EFI_ERROR(efi->boot->HandleProtocol(efi->image, &image_guid, &interface))) {
		log_error("the firmware does not tell where Sluice was loaded from (no "
			  "EFI_LOADED_IMAGE_PROTOCOL)");
		return false;
	}
	loaded = interface;
	if (EFI_ERROR(efi->boot->HandleProtocol(loaded->DeviceHandle, &volume_guid, &interface))) {
		log_error("Sluice was not loaded from a volume with a file system: found none on the boot "
			  "device, expected "
			  "an EFI system partition");
		return false;
	}
	file_system = interface;
	if (EFI_ERROR(file_system->OpenVolume(file_system, &efi->volume))) {
		log_error("the firmware cannot open the volume that Sluice was loaded from");
		return false;
	}
	return true;
}

/* How much of a slow read is done, in steps of 10 %. Nothing is said of one that takes less than half a second. */
struct progress {
	const char *name;
	u64 size, since;
	unsigned shown; /* percent */
	bool visible;
};

static void progress_show(struct efi *efi, struct progress *progress, u64 done)
{
	unsigned percent = (unsigned)(done * 100 / progress->size);
	char text[CONFIG_PATH_MAX + 64];

	if (!progress->visible && (done == progress->size || rdtsc() - progress->since < efi->tsc_hz / 2))
		return;
	if (!progress->visible) {
		progress->visible = true;
		snprintf(text, sizeof(text), "sluice: reading %s, %llu KiB:", progress->name,
			 (unsigned long long)(progress->size / KiB));
		log_progress(text);
	}
	if (percent >= progress->shown + 10) {
		progress->shown = percent / 10 * 10;
		snprintf(text, sizeof(text), " %u%%", progress->shown);
		log_progress(text);
	}
	if (done == progress->size)
		log_progress("\n");
}

static enum efi_file_result read_all(struct efi *efi, EFI_FILE_HANDLE handle, struct boot_file *file)
{
	struct progress progress = { .name = file->name, .size = file->size, .since = rdtsc() };
	u8 *data = efi_pages_alloc(efi, ALIGN_UP(file->size, PAGE_SIZE) / PAGE_SIZE);

	if (!data)
		return EFI_FILE_NO_MEMORY;
	for (u64 done = 0; done < file->size;) {
		UINTN step = MIN(READ_STEP, file->size - done);

		if (EFI_ERROR(handle->Read(handle, &step, data + done)) || !step)
			return EFI_FILE_READ_ERROR;
		done += step;
		progress_show(efi, &progress, done);
		serial_poll();
	}
	file->data = data;
	return EFI_FILE_OK;
}

static enum efi_file_result open_and_read(struct efi *efi, struct boot_file *file)
{
	EFI_GUID guid = file_info_guid;
	union {
		EFI_FILE_INFO info;
		u8 room[INFO_SIZE];
	} u;
	UINTN size = sizeof(u);
	CHAR16 wide[CONFIG_PATH_MAX];
	EFI_FILE_HANDLE handle;
	enum efi_file_result result;
	unsigned length = 0;

	for (; length < CONFIG_PATH_MAX - 1 && file->name[length]; length++)
		wide[length] = (u8)file->name[length];
	wide[length] = 0;
	if (EFI_ERROR(efi->volume->Open(efi->volume, &handle, wide, EFI_FILE_MODE_READ, 0)))
		return EFI_FILE_MISSING;
	if (EFI_ERROR(handle->GetInfo(handle, &guid, &size, &u)))
		result = EFI_FILE_READ_ERROR;
	else if (u.info.Attribute & EFI_FILE_DIRECTORY)
		result = EFI_FILE_IS_FOLDER;
	else if (!u.info.FileSize)
		result = EFI_FILE_EMPTY;
	else {
		file->size = u.info.FileSize;
		result = read_all(efi, handle, file);
	}
	handle->Close(handle);
	return result;
}

enum efi_file_result efi_file_read(struct efi *efi, const char *path, struct boot_file *file)
{
	u64 start = rdtsc();
	enum efi_file_result result;

	*file = (struct boot_file){ .name = path };
	result = open_and_read(efi, file);
	if (result != EFI_FILE_OK)
		file->size = 0;
	efi->tsc_reading += rdtsc() - start;
	return result;
}

const char *efi_file_error(enum efi_file_result result)
{
	switch (result) {
	case EFI_FILE_OK:
		return "no error";
	case EFI_FILE_MISSING:
		return "found no such file on the boot volume";
	case EFI_FILE_IS_FOLDER:
		return "found a folder";
	case EFI_FILE_EMPTY:
		return "found an empty file";
	case EFI_FILE_NO_MEMORY:
		return "found not enough free memory to read it";
	case EFI_FILE_READ_ERROR:
		return "the firmware reports a read error";
	}
	return "unknown";
}
