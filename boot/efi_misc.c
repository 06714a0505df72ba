// SPDX-License-Identifier: BSD-2-Clause
#include "boot/efi.h"

#include <string.h>

static const EFI_GUID acpi_20_guid = {
	0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 }
};
static const EFI_GUID acpi_10_guid = {
	0xeb9d2d30, 0x2d88, 0x11d3, { 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d }
};

static u64 find_table(const struct efi *efi, const EFI_GUID *guid)
{
	for (UINTN i = 0; i < efi->system->NumberOfTableEntries; i++)
		if (!memcmp(&efi->system->ConfigurationTable[i].VendorGuid, guid, sizeof(*guid)))
			return (u64)efi->system->ConfigurationTable[i].VendorTable;
	return 0;
}

u64 efi_find_rsdp(const struct efi *efi)
{
	u64 rsdp = find_table(efi, &acpi_20_guid);

	return rsdp ? rsdp : find_table(efi, &acpi_10_guid);
}

bool efi_wait_key(struct efi *efi, unsigned seconds)
{
	EFI_INPUT_KEY key;

	if (!efi->system->ConIn)
		return false;
	efi->system->ConIn->Reset(efi->system->ConIn, FALSE);
	for (unsigned i = 0; i < seconds * 10; i++) {
		if (!EFI_ERROR(efi->system->ConIn->ReadKeyStroke(efi->system->ConIn, &key)))
			return true;
		efi->boot->Stall(100000);
	}
	return false;
}
