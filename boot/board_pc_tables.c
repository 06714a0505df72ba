// SPDX-License-Identifier: BSD-2-Clause
/*
 * A small PC as data: its address maps and what DMA may reach. Everything else about the board follows from these tables.
 */
#include "boot/acpi.h"
#include "boot/board_pc.h"

#define PC(member) AT(struct pc, member)

/* Tables: their columns are their meaning. */
/* clang-format off */
static const struct region_row memory_rows[] = {
	/*            name            parent        base                size                lives at */
	ROW_CONTAINER("memory",       NULL,         0,                  REGION_SIZE_WHOLE,  PC(memory_root),
		      .unclaimed = UNCLAIMED_ONES),
	ROW_RAM      ("ram.low",      "memory",     0,                  3 * GiB,            PC(ram_low)),
	ROW_ROM      ("firmware",     "memory",     PC_FIRMWARE,        PC_FIRMWARE_SIZE,   PC(firmware),
		      .priority = 1, .over_ram = true),
	ROW_ALIAS    ("pci.memory",   "memory",     PC_PCI_MEMORY,      PC_PCI_MEMORY_SIZE, PC(pci_memory_window),
		      "pci.bars", PC_PCI_MEMORY),
	ROW_MMIO     ("ioapic",       "memory",     PC_IOAPIC,          IOAPIC_SIZE,        PC(ioapic_mmio),
		      .ops = &ioapic_ops, .device = PC(ioapic)),
	ROW_MMIO     ("vtd",          "memory",     PC_VTD,             VTD_REGISTERS_SIZE, PC(vtd_registers),
		      .ops = &vtd_register_ops, .device = PC(vtd)),
	ROW_MMIO     ("lapic",        "memory",     LAPIC_DEFAULT_BASE, 4 * KiB,            PC(lapic_mmio)),
	ROW_MMIO     ("pci.ecam",     "memory",     ACPI_ECAM_BASE,     ACPI_ECAM_SIZE,     PC(pci_ecam),
		      .ops = &pci_ecam_ops, .device = PC(pci)),
	ROW_RAM      ("ram.high",     "memory",     4 * GiB,            1 * TiB - 4 * GiB,  PC(ram_high)),

	/* Where BARs are put; the guest sees what lies in the window above. */
	ROW_CONTAINER("pci.bars",     NULL,         0,                  REGION_SIZE_WHOLE,  PC(pci_memory)),

	/* What DMA can ever reach: guest RAM, at the addresses that the CPU has it at, and no device. */
	ROW_CONTAINER("dma",          NULL,         0,                  REGION_SIZE_WHOLE,  PC(dma_root)),
	ROW_ALIAS    ("dma.base",     "dma",        0,                  PC_FIRMWARE,        PC(dma_base),
		      "ram.low", 0),
	ROW_ALIAS    ("dma.low",      "dma",        1 * MiB,            3 * GiB - 1 * MiB,  PC(dma_low),
		      "ram.low", 1 * MiB),
	ROW_ALIAS    ("dma.high",     "dma",        4 * GiB,            1 * TiB - 4 * GiB,  PC(dma_high),
		      "ram.high", 0),
};

static const struct region_row port_rows[] = {
	/*            name            parent        base                size                lives at */
	ROW_CONTAINER("ports",        NULL,         0,                  64 * KiB,           PC(port_root),
		      .unclaimed = UNCLAIMED_ONES),
	ROW_PORTS    ("pic.master",   "ports",      0x20,               PIC_PORTS,          PC(pic_master),
		      .ops = &pic_ops, .device = PC(pic.chip[0])),
	ROW_PORTS    ("pit",          "ports",      0x40,               PIT_PORTS,          PC(pit_ports),
		      .ops = &pit_ops, .device = PC(pit)),
	ROW_PORTS    ("port61",       "ports",      0x61,               1,                  PC(port61),
		      .ops = &pit_port61_ops, .device = PC(pit)),
	ROW_PORTS    ("rtc",          "ports",      0x70,               RTC_PORTS,          PC(rtc_ports),
		      .ops = &rtc_ops, .device = PC(rtc)),
	ROW_PORTS    ("pic.slave",    "ports",      0xa0,               PIC_PORTS,          PC(pic_slave),
		      .ops = &pic_ops, .device = PC(pic.chip[1])),
	ROW_PORTS    ("com1",         "ports",      0x3f8,              UART16550_PORTS,    PC(com1),
		      .ops = &uart16550_ops, .device = PC(uart)),
	ROW_PORTS    ("pic.elcr",     "ports",      0x4d0,              PIC_ELCR_PORTS,     PC(pic_elcr),
		      .ops = &pic_elcr_ops, .device = PC(pic)),
	ROW_PORTS    ("acpi.pm",      "ports",      PC_PM_PORT,         PM_ACPI_PORTS,      PC(pm_ports),
		      .ops = &pm_acpi_ops, .device = PC(pm)),
	ROW_PORTS    ("pci.config",   "ports",      0xcf8,              8,                  PC(pci_ports),
		      .ops = &pci_config_ports_ops, .device = PC(pci)),
	ROW_ALIAS    ("pci.io",       "ports",      PC_PCI_IO,          PC_PCI_IO_SIZE,     PC(pci_io_window),
		      "pci.iobars", PC_PCI_IO),

	ROW_CONTAINER("pci.iobars",   NULL,         0,                  64 * KiB,           PC(pci_io)),
};
/* clang-format on */

const struct region_table pc_memory_table = REGION_TABLE(memory_rows);
const struct region_table pc_port_table = REGION_TABLE(port_rows);

/* What the devices that master the bus may ever reach, whatever the VT-d unit in front says. */
static const struct dma_row ram_dma[] = {
	DMA_ROW("low memory", 1 * MiB, 3 * GiB - 1 * MiB, 1 * MiB, MEM_READ_WRITE),
	DMA_ROW("high memory", 4 * GiB, 1 * TiB - 4 * GiB, 4 * GiB, MEM_READ_WRITE),
	DMA_ROW("base memory", 0, PC_FIRMWARE, 0, MEM_READ_WRITE),
};

#define WINDOW(name, devfn, rows_)                                                                  \
	{                                                                                           \
		.device = (name), .requester = (devfn), .rows = (rows_), .count = ARRAY_SIZE(rows_) \
	}

const struct dma_table pc_dma_windows[PC_SLOTS] = {
	[PC_DISK] = WINDOW("disk", PCI_DEVFN(1, 0), ram_dma),
	[PC_SCRATCH] = WINDOW("scratch", PCI_DEVFN(2, 0), ram_dma),
	[PC_CONSOLE] = WINDOW("console", PCI_DEVFN(3, 0), ram_dma),
	[PC_EDU] = WINDOW("edu", PCI_DEVFN(4, 0), ram_dma),
	[PC_NET] = WINDOW("net", PCI_DEVFN(6, 0), ram_dma),
	[PC_RNG] = WINDOW("rng", PCI_DEVFN(5, 0), ram_dma),
};
