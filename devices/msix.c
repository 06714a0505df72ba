// SPDX-License-Identifier: BSD-2-Clause
/*
 * MSI-X (PCI 3.0, 6.8.2): the table and the pending bits are a BAR, masks per vector and for the whole
 * function.
 */
#include "devices/pci.h"

enum { MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_PENDING = 8, MSIX_LENGTH = 12 };

#define MSIX_ENABLE	    0x8000u
#define MSIX_FUNCTION_MASK  0x4000u
#define MSIX_PENDING_OFFSET 2048u /* of the pending bits in the BAR */
#define MSIX_ENTRY_MASKED   1u

static_assert(MSIX_MAX * sizeof(struct msix_entry) <= MSIX_PENDING_OFFSET,
	      "the table and the pending bits share a page");

static u16 control_of(const struct pci_function *function)
{
	return pci_read16(function, function->msix.offset + MSIX_CONTROL);
}

static bool masked(const struct pci_function *function, unsigned vector)
{
	return control_of(function) & MSIX_FUNCTION_MASK ||
	       function->msix.entries[vector].control & MSIX_ENTRY_MASKED;
}

bool msix_enabled(const struct pci_function *function)
{
	return function->msix.offset && control_of(function) & MSIX_ENABLE;
}

static void send(struct pci_function *function, unsigned vector)
{
	const struct msix_entry *entry = &function->msix.entries[vector];

	pci_send_message(function, entry->address | (u64)entry->address_high << 32, entry->data);
}

void msix_raise(struct pci_function *function, unsigned vector)
{
	if (vector >= function->msix.count)
		return;
	if (masked(function, vector))
		function->msix.pending |= BIT(vector);
	else
		send(function, vector);
}

void msix_update(struct pci_function *function)
{
	struct msix *msix = &function->msix;

	if (!msix->pending || !msix_enabled(function))
		return;
	for (unsigned vector = 0; vector < msix->count; vector++) {
		if (msix->pending & BIT(vector) && !masked(function, vector)) {
			msix->pending &= ~BIT(vector);
			send(function, vector);
		}
	}
}

static u32 *word_of(struct msix *msix, u64 offset)
{
	struct msix_entry *entry = &msix->entries[offset / sizeof(*entry)];

	switch (offset % sizeof(*entry)) {
	case 0:
		return &entry->address;
	case 4:
		return &entry->address_high;
	case 8:
		return &entry->data;
	default:
		return &entry->control;
	}
}

static enum mem_result table_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct msix *msix = &((struct pci_function *)device)->msix;

	(void)size;
	if (offset < msix->count * sizeof(struct msix_entry))
		*value = *word_of(msix, offset);
	else if (offset == MSIX_PENDING_OFFSET)
		*value = (u32)msix->pending;
	else if (offset == MSIX_PENDING_OFFSET + 4)
		*value = msix->pending >> 32;
	else
		*value = 0;
	return MEM_OK;
}

static enum mem_result table_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pci_function *function = device;
	u32 *word;

	(void)size;
	/* The pending bits are read-only; software shall not write them, and nothing happens if it does. */
	if (offset >= function->msix.count * sizeof(struct msix_entry))
		return MEM_OK;
	word = word_of(&function->msix, offset);
	*word = value & (offset % 16 == 0 ? ~3u : offset % 16 == 12 ? MSIX_ENTRY_MASKED : ~0u);
	if (offset % 16 == 12)
		msix_update(function);
	return MEM_OK;
}

static const struct region_ops table_ops = {
	.read = table_read,
	.write = table_write,
	.valid = { 4, 8, false },
	.impl = { 4, 4, false },
};

bool msix_add(struct pci_function *function, unsigned count, unsigned bar)
{
	struct msix *msix = &function->msix;
	u8 at;

	region_init_mmio(&msix->region, "msi-x", PAGE_SIZE, &table_ops, function);
	if (!count || count > MSIX_MAX || !pci_add_bar(function, bar, PCI_BAR_MEMORY32, &msix->region))
		return false;
	at = pci_add_capability(function, MSIX_CAPABILITY, MSIX_LENGTH);
	if (!at)
		return false;
	msix->offset = at;
	msix->count = count;
	pci_store(function, at + MSIX_CONTROL, 2, count - 1);
	pci_make_writable(function, at + MSIX_CONTROL, 2, MSIX_ENABLE | MSIX_FUNCTION_MASK);
	pci_store(function, at + MSIX_TABLE, 4, bar);
	pci_store(function, at + MSIX_PENDING, 4, MSIX_PENDING_OFFSET | bar);
	for (unsigned i = 0; i < count; i++)
		msix->entries[i].control = MSIX_ENTRY_MASKED;
	return true;
}
