// SPDX-License-Identifier: BSD-2-Clause
#include "boot/nic.h"

#include "arch/host_paging.h"
#include "arch/tsc.h"

static volatile u32 *nic_register(const struct nic *nic, u32 offset)
{
	return (volatile u32 *)(nic->registers + offset);
}

static u32 nic_read(void *owner, u32 offset)
{
	return *nic_register(owner, offset);
}

static void nic_write(void *owner, u32 offset, u32 value)
{
	*nic_register(owner, offset) = value;
}

static void nic_wait(void *owner, unsigned microseconds)
{
	const struct nic *nic = owner;

	tsc_delay_us(nic->tsc_hz, microseconds);
}

bool nic_find(struct nic *nic)
{
	static const struct host_pci_id ids[] = { { E1000_VENDOR, E1000_82540EM },
						  { E1000_VENDOR, E1000_82545EM } };

	return host_pci_find(ids, ARRAY_SIZE(ids), &nic->function);
}

const char *nic_start(struct nic *nic, const char *name, struct e1000_memory *memory, u64 tsc_hz)
{
	const struct e1000_machine machine = {
		.read = nic_read, .write = nic_write, .wait_us = nic_wait, .owner = nic
	};
	const char *why;
	u64 bar;

	nic->tsc_hz = tsc_hz;
	/* In the order that e1000.h asks for. */
	host_pci_command(&nic->function, HOST_PCI_MEMORY);
	bar = host_pci_memory_bar(&nic->function, E1000_REGISTER_BAR);
	nic->registers = bar ? host_map_mmio(bar, E1000_REGISTER_BYTES) : NULL;
	if (!nic->registers)
		return "its registers are where they cannot be mapped";
	why = e1000_reset(&nic->card, name, &machine, memory);
	if (why)
		return why;
	host_pci_command(&nic->function, HOST_PCI_MEMORY | HOST_PCI_MASTER);
	e1000_start(&nic->card);
	return NULL;
}

void nic_stop(struct nic *nic)
{
	const struct e1000_machine machine = nic->card.machine;

	e1000_reset(&nic->card, nic->card.port.name, &machine, nic->card.memory);
	host_pci_command(&nic->function, 0);
}
