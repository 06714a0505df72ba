// SPDX-License-Identifier: BSD-2-Clause
/*
 * The MSI capability (PCI 3.0, 6.8.1). Its registers are plain configuration bytes; only the pending bits
 * change by themselves.
 */
#include "devices/pci.h"

/* Offsets in the capability, in its form with a 64-bit address. */
enum {
	MSI_CONTROL = 2,
	MSI_ADDRESS = 4,
	MSI_ADDRESS_HIGH = 8,
	MSI_DATA = 12,
	MSI_MASK = 16,
	MSI_PENDING = 20
};
enum { MSI_LENGTH = 14, MSI_LENGTH_MASKABLE = 24 };

#define MSI_ENABLE	 0x001u
#define MSI_CAPABLE(c)	 ((c) >> 1 & 7)
#define MSI_ALLOWED(c)	 ((c) >> 4 & 7)
#define MSI_ALLOWED_BITS 0x070u
#define MSI_64BIT	 0x080u
#define MSI_MASKABLE	 0x100u

static u16 control_of(const struct pci_function *function)
{
	return pci_read16(function, function->msi.offset + MSI_CONTROL);
}

bool msi_add(struct pci_function *function, unsigned vectors, bool maskable)
{
	unsigned log2 = __builtin_ctz(vectors);
	u8 at = pci_add_capability(function, MSI_CAPABILITY, maskable ? MSI_LENGTH_MASKABLE : MSI_LENGTH);

	if (!at)
		return false;
	function->msi = (struct msi){ .offset = at, .maskable = maskable };
	pci_store(function, at + MSI_CONTROL, 2, log2 << 1 | MSI_64BIT | (maskable ? MSI_MASKABLE : 0));
	pci_make_writable(function, at + MSI_CONTROL, 2, MSI_ENABLE | MSI_ALLOWED_BITS);
	pci_make_writable(function, at + MSI_ADDRESS, 4, ~3u);
	pci_make_writable(function, at + MSI_ADDRESS_HIGH, 4, ~0u);
	pci_make_writable(function, at + MSI_DATA, 2, 0xffff);
	if (maskable)
		pci_make_writable(function, at + MSI_MASK, 4, BITS(vectors - 1, 0));
	return true;
}

bool msi_enabled(const struct pci_function *function)
{
	return function->msi.offset && control_of(function) & MSI_ENABLE;
}

static void send(struct pci_function *function, unsigned vector)
{
	u8 at = function->msi.offset;
	u16 control = control_of(function);
	/* The guest may have allowed more than there are. */
	u32 vectors = 1u << MIN(MSI_ALLOWED(control), MSI_CAPABLE(control));
	u64 address = pci_read32(function, at + MSI_ADDRESS) |
		      (u64)pci_read32(function, at + MSI_ADDRESS_HIGH) << 32;
	u32 data = pci_read16(function, at + MSI_DATA);

	pci_send_message(function, address, (data & ~(vectors - 1)) | (vector & (vectors - 1)));
}

void msi_raise(struct pci_function *function, unsigned vector)
{
	u8 at = function->msi.offset;

	if (!function->msi.maskable || vector >= 32 || !(pci_read32(function, at + MSI_MASK) >> vector & 1))
		send(function, vector);
	else
		pci_store(function, at + MSI_PENDING, 4,
			  pci_read32(function, at + MSI_PENDING) | 1u << vector);
}

void msi_update(struct pci_function *function)
{
	u8 at = function->msi.offset;
	u32 pending, due;

	if (!function->msi.maskable || !msi_enabled(function))
		return;
	pending = pci_read32(function, at + MSI_PENDING);
	due = pending & ~pci_read32(function, at + MSI_MASK);
	if (!due)
		return;
	pci_store(function, at + MSI_PENDING, 4, pending & ~due);
	for (; due; due &= due - 1)
		send(function, __builtin_ctz(due));
}
