/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's Ethernet card: found, mapped, and in the hands of its driver (devices/e1000.h).
 */
#ifndef BOOT_NIC_H
#define BOOT_NIC_H

#include "arch/host_pci.h"
#include "devices/e1000.h"

struct nic {
	struct e1000 card;
	struct host_pci_function function;
	volatile u8 *registers;
	u64 tsc_hz;
};

/* False: this machine has none that the driver knows. */
bool nic_find(struct nic *nic);
/* Ends what firmware left running, and starts with rings in `memory`. NULL: well; otherwise what is wrong. */
const char *nic_start(struct nic *nic, const char *name, struct e1000_memory *memory, u64 tsc_hz);
/* The card lets go of the memory. */
void nic_stop(struct nic *nic);

#endif
