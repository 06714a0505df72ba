/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board that a guest runs on: a small PC. Its address maps are the tables in board_pc_tables.c; this is where their rows live,
 * and the few lines that connect them.
 */
#ifndef BOOT_BOARD_PC_H
#define BOOT_BOARD_PC_H

#include "arch/vcpu.h"
#include "boot/boot.h"
#include "boot/image.h"
#include "devices/edu.h"
#include "devices/ioapic.h"
#include "devices/pci.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/pm.h"
#include "devices/rtc.h"
#include "devices/timer.h"
#include "devices/uart16550.h"
#include "devices/virtio_blk.h"
#include "devices/virtio_console.h"
#include "devices/virtio_net.h"
#include "devices/virtio_rng.h"
#include "iommu/fault.h"
#include "iommu/vtd.h"
#include "iommu/window.h"
#include "mm/table.h"

/* Addresses that ACPI tables, guests and the tables have to agree on. */
#define PC_PCI_MEMORY	   0xc0000000ull
#define PC_PCI_MEMORY_SIZE (0xfec00000ull - PC_PCI_MEMORY)
#define PC_PCI_IO	   0x1000
#define PC_PCI_IO_SIZE	   0xf000
#define PC_IOAPIC	   0xfec00000ull
#define PC_FIRMWARE	   0xa0000ull
#define PC_FIRMWARE_SIZE   (384 * KiB)
#define PC_PM_PORT	   0x600
#define PC_SCI_IRQ	   9
#define PC_IOAPIC_ID	   0
/* As interrupt remapping will know it: no PCI function has this place. */
#define PC_IOAPIC_REQUESTER 0xff00

#define PC_VTD		 0xfed90000ull
#define PC_VTD_WIDTH	 48 /* bits that a device can address behind the unit */
#define PC_IOTLB_ENTRIES 256

#define PC_EXTENTS_MAX BOOT_EXTENTS_MAX
/* Guest RAM as images and ACPI tables see it: each piece of a window, less the hole below 1 MiB. */
#define PC_RANGES_MAX (2 * RAM_PIECES + 1)

/* Who can master the bus, by the rows of pc_dma_windows. */
enum pc_slot { PC_DISK, PC_SCRATCH, PC_CONSOLE, PC_EDU, PC_RNG, PC_NET, PC_SLOTS };

/*
 * A device's way to guest RAM, two gates in a row:
 *
 *	device -> space -> gate (the VT-d unit, which the guest programs) -> behind -> window (static) -> pc.dma_ram
 *
 * Without a VT-d unit the device masters `behind`.
 */
struct pc_dma {
	struct vtd_gate gate;
	struct dma_window window;
	struct address_space space, behind;
};

/* Where the consoles' bytes go, and what a physical interrupt or a hypercall means: the owner's business. */
struct pc_console {
	struct uart_backend com1;
	struct virtio_console_backend hvc;
	void (*host_interrupt)(void *owner, u8 vector);
	bool (*hypercall)(void *owner, struct vcpu *vcpu); /* may be null */
	void *owner;
};

struct pc {
	/* Address maps: the rows of board_pc_tables.c live here. */
	struct mem_core core;
	struct region memory_root, port_root, dma_root;
	struct ram_window ram_low, ram_high;
	struct region dma_base, dma_low, dma_high;
	struct region firmware; /* 0xa0000..0xfffff: quiet zeros */
	struct region pci_memory_window, pci_io_window, pci_memory, pci_io;
	struct region ioapic_mmio, lapic_mmio, pci_ecam, vtd_registers;
	struct region pic_master, pic_slave, pic_elcr, pit_ports, port61, rtc_ports, com1, pm_ports,
		pci_ports;
	struct address_space memory, ports, dma_ram;

	/* DMA. */
	struct fault_log faults;
	struct vtd vtd;
	struct iotlb_entry iotlb[PC_IOTLB_ENTRIES];
	struct pc_dma dma[PC_SLOTS];
	bool has_vtd;

	/* Devices. */
	struct clock clock;
	struct timer_queue timers;
	struct uart16550 uart;
	struct pic pic;
	struct pit pit;
	struct rtc rtc;
	struct ioapic ioapic;
	struct pm pm;
	struct pci_host pci;
	struct edu edu;
	struct virtio_blk disk, scratch;
	struct virtio_console hvc;
	struct virtio_rng rng;
	struct virtio_net net;

	/* The machine. */
	struct pc_console console;
	struct vm vm;
	struct ept_allowed allowed[PC_EXTENTS_MAX];
	struct guest_ram ranges[PC_RANGES_MAX];
	unsigned range_count;
	bool built; /* the tables are linked, the spaces exist */
};

extern const struct region_table pc_memory_table, pc_port_table;
extern const struct dma_table pc_dma_windows[PC_SLOTS];

/*
 * Checks the tables, takes the guest's RAM and builds everything, with all devices and the vCPU as after reset. False: said
 * why by log_error. `pc` is zeroed memory and stays where it is. `mac`: of the guest's network card.
 */
bool pc_create(struct pc *pc, const struct boot *boot, const struct pc_console *console,
	       const u8 mac[ETHERNET_MAC]);
void pc_destroy(struct pc *pc);

/* Whether it was configured, and so is on the bus. */
static inline bool pc_has(const struct pci_function *function)
{
	return function->host;
}

/* The virtio devices that are on the bus; how many. */
unsigned pc_virtio(struct pc *pc, struct virtio_device *devices[PC_SLOTS]);

/* Loads the configured images into guest RAM and points the vCPU at them. False: said why by log_error. */
bool pc_load(struct pc *pc, const struct boot *boot);

#endif
