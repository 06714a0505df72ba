/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's own PCI configuration space, by mechanism 1 (PCI 3.0, 3.2.2.3.2): as much of it as a driver of the
 * hypervisor needs to find its card. Firmware has given numbers to the buses and addresses to the BARs; nothing of that is
 * changed. Where the machine remaps DMA (VT-d) and firmware has left it on, this card's DMA would have to be let through:
 * that is not done here, UEFI hands machines over with it off.
 */
#ifndef ARCH_HOST_PCI_H
#define ARCH_HOST_PCI_H

#include "mm/types.h"

struct host_pci_id {
	u16 vendor, device;
};

struct host_pci_function {
	struct host_pci_id id;
	u8 bus, devfn; /* devfn: device 7:3, function 2:0 */
};

/* The first function that has one of `count` ids, in the order of buses. False: there is none. */
bool host_pci_find(const struct host_pci_id *ids, unsigned count, struct host_pci_function *function);

/* Configuration space by aligned double words; what is not there reads as ones. */
u32 host_pci_read(const struct host_pci_function *function, u8 offset);
void host_pci_write(const struct host_pci_function *function, u8 offset, u32 value);

/* Where firmware has put a memory BAR of 32 or 64 bits (0..5). 0: nowhere, or it is not one. */
u64 host_pci_memory_bar(const struct host_pci_function *function, unsigned bar);

/* What a function may do; the bits of its COMMAND register. */
enum host_pci_command {
	HOST_PCI_MEMORY = BIT(1), /* answer at its memory BARs */
	HOST_PCI_MASTER = BIT(2), /* access memory */
};

/* This and nothing else: no ports, no interrupt on its pin. */
void host_pci_command(const struct host_pci_function *function, unsigned command);

#endif
