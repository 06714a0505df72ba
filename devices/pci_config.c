// SPDX-License-Identifier: BSD-2-Clause
/* The two ways from the CPU to configuration space: ports 0xcf8..0xcff, and memory (ECAM). */
#include "devices/pci.h"

#define ADDRESS_BITS   0x80ffffffu
#define ADDRESS_ENABLE 0x80000000u

static u64 ones(unsigned size)
{
	return BITS(8 * size - 1, 0);
}

/*
 * The register that a data port shows. Linux writes dword addresses to 0xcf8 and picks the byte by the port,
 * others write the whole offset and always use 0xcfc: the two low bits may come from either. False: disabled,
 * or beyond the dword.
 */
static bool data_register(const struct pci_host *host, u64 port, unsigned size, unsigned *offset)
{
	*offset = (host->address & 0xff) | (port & 3);
	return host->address & ADDRESS_ENABLE && (*offset & 3) + size <= 4;
}

/*
 * Single bytes at 0xcf9 are the chipset's reset control register, which shares the port range with the
 * address latch.
 */
static bool is_reset_control(const struct pci_host *host, u64 port, unsigned size)
{
	return port == 1 && size == 1 && host->reset_ops;
}

static enum mem_result ports_read(void *device, u64 port, unsigned size, u64 *value)
{
	struct pci_host *host = device;
	unsigned offset;

	*value = ones(size);
	if (port >= 4) {
		if (data_register(host, port, size, &offset))
			*value = pci_config_read(host, host->address >> 8, offset, size);
	} else if (port == 0 && size == 4) {
		*value = host->address;
	} else if (is_reset_control(host, port, size) && host->reset_ops->read) {
		return host->reset_ops->read(host->reset_device, 0, 1, value);
	}
	return MEM_OK;
}

static enum mem_result ports_write(void *device, u64 port, unsigned size, u64 value)
{
	struct pci_host *host = device;
	unsigned offset;

	if (port >= 4) {
		if (data_register(host, port, size, &offset))
			pci_config_write(host, host->address >> 8, offset, size, value);
	} else if (port == 0 && size == 4) {
		host->address = value & ADDRESS_BITS;
	} else if (is_reset_control(host, port, size) && host->reset_ops->write) {
		return host->reset_ops->write(host->reset_device, 0, 1, value);
	}
	return MEM_OK;
}

/* All of it comes here undivided: a piece of a misaligned access would mean another register. */
const struct region_ops pci_config_ports_ops = {
	.read = ports_read,
	.write = ports_write,
	.valid = { 1, 4, true },
	.impl = { 1, 4, true },
};

static enum mem_result ecam_read(void *device, u64 offset, unsigned size, u64 *value)
{
	*value = pci_config_read(device, offset >> 12, offset & 0xfff, size);
	return MEM_OK;
}

static enum mem_result ecam_write(void *device, u64 offset, unsigned size, u64 value)
{
	pci_config_write(device, offset >> 12, offset & 0xfff, size, value);
	return MEM_OK;
}

const struct region_ops pci_ecam_ops = {
	.read = ecam_read,
	.write = ecam_write,
	.valid = { 1, 8, false },
	.impl = { 1, 4, false },
};
