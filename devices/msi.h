/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message signalled interrupts of a PCI function: the MSI capability (PCI 3.0, 6.8.1), always with 64-bit
 * addresses, and MSI-X (6.8.2), its table and pending bits in a BAR region of their own. A message of a
 * masked vector becomes a pending bit, and is sent when the mask goes.
 */
#ifndef DEVICES_MSI_H
#define DEVICES_MSI_H

#include "mm/region.h"

struct pci_function;

#define MSI_CAPABILITY	0x05
#define MSIX_CAPABILITY 0x11
#define MSIX_MAX	64 /* vectors of one function here; the specification has room for 2048 */

struct msi {
	u8 offset; /* of the capability; 0: none */
	bool maskable;
};

struct msix_entry {
	u32 address, address_high, data, control; /* control bit 0: masked */
};
static_assert(sizeof(struct msix_entry) == 16, "PCI 3.0, 6.8.2.6");

struct msix {
	u8 offset; /* of the capability; 0: none */
	u16 count;
	struct region region; /* the BAR: table from 0 on, pending bits at 2048 */
	struct msix_entry entries[MSIX_MAX];
	u64 pending;
};

/* `vectors`: 1, 2, 4 .. 32. False: no room in configuration space. Before pci_add(). */
bool msi_add(struct pci_function *function, unsigned vectors, bool maskable);
/* `count` 1..MSIX_MAX vectors; the table takes BAR `bar`, 4 KiB of 32-bit memory. */
bool msix_add(struct pci_function *function, unsigned count, unsigned bar);

bool msi_enabled(const struct pci_function *function);
bool msix_enabled(const struct pci_function *function);
/*
 * The capability is enabled. A vector beyond those that the guest has enabled: MSI folds it in, MSI-X ignores
 * it.
 */
void msi_raise(struct pci_function *function, unsigned vector);
void msix_raise(struct pci_function *function, unsigned vector);

/* The guest wrote to configuration bytes of the capability: sends what is pending and no longer masked. */
void msi_update(struct pci_function *function);
void msix_update(struct pci_function *function);

#endif
