// SPDX-License-Identifier: BSD-2-Clause
/*
 * An EFI application that boots the kernel without a hypervisor: the yardstick for boot.ratio. It reads \kernel, \initrd and
 * \cmdline before it prints the TSC and starts the kernel's own EFI stub, so that what is measured from there on is
 * the kernel's work; the initrd is handed over from memory (LINUX_EFI_INITRD_MEDIA_GUID, Documentation/x86/boot.rst).
 */
#include <efi.h>
#include <efilib.h>

#define COM1	    0x3f8
#define CMDLINE_MAX 1024

struct file {
	UINT8 *data;
	UINTN size;
};

static struct file initrd;

static void outb(UINT16 port, UINT8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static UINT8 inb(UINT16 port)
{
	UINT8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void say(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM1 + 5) & 0x20))
			;
		outb(COM1, *text);
	}
}

static void say_number(UINT64 value)
{
	char digits[21], *at = digits + sizeof(digits) - 1;

	*at = '\0';
	do
		*--at = '0' + value % 10;
	while (value /= 10);
	say(at);
}

static UINT64 rdtsc(void)
{
	UINT32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (UINT64)high << 32 | low;
}

static struct file read_file(EFI_FILE_PROTOCOL *root, CHAR16 *name)
{
	EFI_FILE_PROTOCOL *handle;
	EFI_PHYSICAL_ADDRESS pages = 0;
	struct file file = { NULL, 0 };

	if (EFI_ERROR(root->Open(root, &handle, name, EFI_FILE_MODE_READ, 0)))
		return file;
	UINTN size = LibFileInfo(handle)->FileSize;
	if (EFI_ERROR(BS->AllocatePages(AllocateAnyPages, EfiLoaderData, size / 4096 + 1, &pages)))
		return file;
	while (file.size < size) {
		UINTN part = size - file.size;

		if (EFI_ERROR(handle->Read(handle, &part, (UINT8 *)pages + file.size)) || !part)
			return (struct file){ NULL, 0 };
		file.size += part;
	}
	handle->Close(handle);
	file.data = (UINT8 *)pages;
	return file;
}

static EFI_STATUS EFIAPI give_initrd(EFI_LOAD_FILE_PROTOCOL *protocol, EFI_DEVICE_PATH *path, BOOLEAN policy,
				     UINTN *size, VOID *buffer)
{
	(void)protocol, (void)path, (void)policy;
	UINTN room = *size;

	*size = initrd.size;
	if (!buffer || room < initrd.size)
		return EFI_BUFFER_TOO_SMALL;
	CopyMem(buffer, initrd.data, initrd.size);
	return EFI_SUCCESS;
}

static EFI_LOAD_FILE_PROTOCOL load_file2 = { (void *)give_initrd };
static struct __attribute__((packed)) {
	VENDOR_DEVICE_PATH vendor;
	EFI_DEVICE_PATH end;
} initrd_path = {
	{ { MEDIA_DEVICE_PATH, MEDIA_VENDOR_DP, { sizeof(VENDOR_DEVICE_PATH), 0 } },
	  { 0x5568e427, 0x68fc, 0x4f3d, { 0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68 } } },
	{ END_DEVICE_PATH_TYPE, END_ENTIRE_DEVICE_PATH_SUBTYPE, { sizeof(EFI_DEVICE_PATH), 0 } },
};

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_GUID load_file2_guid = {
		0x4006c0c1, 0xfcb3, 0x403e, { 0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d }
	};
	EFI_GUID path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
	static CHAR16 options[CMDLINE_MAX];
	EFI_LOADED_IMAGE *self, *loaded;
	EFI_HANDLE kernel_image, initrd_handle = NULL;

	InitializeLib(image, system);
	BS->SetWatchdogTimer(0, 0, 0, NULL);
	BS->HandleProtocol(image, &LoadedImageProtocol, (void **)&self);
	EFI_FILE_PROTOCOL *root = LibOpenRoot(self->DeviceHandle);
	struct file kernel = read_file(root, L"\\kernel"), cmdline = read_file(root, L"\\cmdline");
	initrd = read_file(root, L"\\initrd");
	if (!kernel.size || !initrd.size || !cmdline.size || cmdline.size >= CMDLINE_MAX) {
		say("bare: a file is missing\r\n");
		return EFI_NOT_FOUND;
	}
	UINTN length = 0;
	for (; length < cmdline.size && cmdline.data[length] != '\n'; length++)
		options[length] = cmdline.data[length];
	BS->InstallMultipleProtocolInterfaces(&initrd_handle, &path_guid, &initrd_path, &load_file2_guid,
					      &load_file2, NULL);
	EFI_STATUS status = BS->LoadImage(FALSE, image, NULL, kernel.data, kernel.size, &kernel_image);
	if (EFI_ERROR(status)) {
		say("bare: the firmware refuses the kernel\r\n");
		return status;
	}
	BS->HandleProtocol(kernel_image, &LoadedImageProtocol, (void **)&loaded);
	loaded->LoadOptions = options;
	loaded->LoadOptionsSize = (length + 1) * sizeof(CHAR16);
	say("bare: kernel starts at tsc ");
	say_number(rdtsc());
	say("\r\n");
	return BS->StartImage(kernel_image, NULL, NULL);
}
