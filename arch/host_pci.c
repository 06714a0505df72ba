// SPDX-License-Identifier: BSD-2-Clause
#include "arch/host_pci.h"

#include "arch/cpu.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  0x80000000u

/* Type 0 and type 1 headers: PCI 3.0, 6.1; PCI-to-PCI bridges 1.2, 3.2. */
#define PCI_ID		   0x00
#define PCI_COMMAND	   0x04 /* and the status, whose bits are cleared by writing ones */
#define PCI_HEADER	   0x0c
#define PCI_BAR		   0x10
#define PCI_BRIDGE_BUSES   0x18
#define COMMAND_NO_INTX	   BIT(10)
#define HEADER_TYPE(value) ((value) >> 16 & 0x7f)
#define HEADER_BRIDGE	   1
#define HEADER_FUNCTIONS   BIT(23)
#define BAR_IO		   BIT(0)
#define BAR_TYPE	   BITS(2, 1)
#define BAR_32		   0x0
#define BAR_64		   0x4
#define BAR_COUNT	   6
#define NOBODY		   0xffffffffu

static void select(const struct host_pci_function *function, u8 offset)
{
	outl(CONFIG_ADDRESS,
	     CONFIG_ENABLE | (u32)function->bus << 16 | (u32)function->devfn << 8 | (offset & 0xfcu));
}

u32 host_pci_read(const struct host_pci_function *function, u8 offset)
{
	select(function, offset);
	return inl(CONFIG_DATA);
}

void host_pci_write(const struct host_pci_function *function, u8 offset, u32 value)
{
	select(function, offset);
	outl(CONFIG_DATA, value);
}

/* Buses that are known to exist: a bit each. A bridge's secondary bus has a higher number than its own. */
struct buses {
	u64 known[4];
};

static bool is_one_of(struct host_pci_id id, const struct host_pci_id *ids, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (ids[i].vendor == id.vendor && ids[i].device == id.device)
			return true;
	return false;
}

static void add_bridge(struct buses *buses, const struct host_pci_function *function)
{
	u8 secondary = (u8)(host_pci_read(function, PCI_BRIDGE_BUSES) >> 8);

	buses->known[secondary / 64] |= BIT(secondary % 64);
}

static bool find_on_bus(struct buses *buses, const struct host_pci_id *ids, unsigned count,
			struct host_pci_function *function)
{
	bool functions = false;

	for (unsigned devfn = 0; devfn < 256; devfn++) {
		u32 id, header;

		function->devfn = (u8)devfn;
		/* Functions 1 to 7 are where function 0 says that there are some. */
		if (devfn & 7 && !functions)
			continue;
		id = host_pci_read(function, PCI_ID);
		if (id == NOBODY) {
			functions = functions && devfn & 7;
			continue;
		}
		function->id = (struct host_pci_id){ .vendor = (u16)id, .device = (u16)(id >> 16) };
		if (is_one_of(function->id, ids, count))
			return true;
		header = host_pci_read(function, PCI_HEADER);
		if (!(devfn & 7))
			functions = header & HEADER_FUNCTIONS;
		if (HEADER_TYPE(header) == HEADER_BRIDGE)
			add_bridge(buses, function);
	}
	return false;
}

bool host_pci_find(const struct host_pci_id *ids, unsigned count, struct host_pci_function *function)
{
	struct buses buses = { { 1 } };

	for (unsigned bus = 0; bus < 256; bus++) {
		function->bus = (u8)bus;
		if (buses.known[bus / 64] & BIT(bus % 64) && find_on_bus(&buses, ids, count, function))
			return true;
	}
	return false;
}

u64 host_pci_memory_bar(const struct host_pci_function *function, unsigned bar)
{
	u32 low, high = 0;

	if (bar >= BAR_COUNT)
		return 0;
	low = host_pci_read(function, (u8)(PCI_BAR + 4 * bar));
	if (low == NOBODY || low & BAR_IO)
		return 0;
	if ((low & BAR_TYPE) == BAR_64 && bar + 1 < BAR_COUNT)
		high = host_pci_read(function, (u8)(PCI_BAR + 4 * (bar + 1)));
	else if ((low & BAR_TYPE) != BAR_32)
		return 0;
	return (u64)high << 32 | (low & ~0xfu);
}

void host_pci_command(const struct host_pci_function *function, unsigned command)
{
	host_pci_write(function, PCI_COMMAND, command | COMMAND_NO_INTX);
}
