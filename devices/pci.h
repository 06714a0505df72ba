/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI bus 0 with its host bridge: configuration mechanism 1 and ECAM (PCI 3.0 section 3.2.2.3, PCIe 7.2.2),
 * functions with 256 bytes of configuration space, BARs as regions, INTx wires, messages.
 *
 * Every configuration byte has a mask of writable bits and one of bits that a written 1 clears; what is in
 * neither keeps its value. BARs and the COMMAND bits take effect at once: a BAR's region is a child of one of
 * two containers that the board gives, enabled and moved as the guest says. The board shows windows of these
 * containers in its address maps (aliases): a BAR outside of the windows is nowhere, and nothing outside of
 * them can be covered by one.
 */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

#include "devices/dma.h"
#include "devices/irq.h"
#include "devices/msi.h"
#include "mm/log.h"
#include "mm/region.h"

#define PCI_CONFIG_SIZE	  256
#define PCI_BARS	  6
#define PCI_INTX_WIRES	  8
#define PCI_FUNCTIONS	  256 /* devfn: device << 3 | function */
#define PCI_DEVFN(dev, f) ((u8)((dev) << 3 | (f)))

enum pci_config_offset {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x09, /* interface, subclass, class */
	PCI_CACHE_LINE = 0x0c,
	PCI_HEADER = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM_VENDOR = 0x2c,
	PCI_SUBSYSTEM = 0x2e,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
	PCI_FIRST_CAPABILITY = 0x40,
};

#define PCI_COMMAND_IO		 0x001
#define PCI_COMMAND_MEMORY	 0x002
#define PCI_COMMAND_MASTER	 0x004
#define PCI_COMMAND_INTX_DISABLE 0x400
#define PCI_STATUS_INTERRUPT	 0x08
#define PCI_STATUS_CAPABILITIES	 0x10
#define PCI_HEADER_MULTIFUNCTION 0x80

enum pci_bar_kind {
	PCI_BAR_MEMORY32 = 0x0,
	PCI_BAR_IO = 0x1,
	PCI_BAR_MEMORY64 = 0x4, /* takes the next BAR too */
	PCI_BAR_PREFETCH = 0x8, /* may be added to the memory kinds */
};

struct pci_bar {
	struct region *region; /* NULL: no such BAR */
	u64 size;
	u8 kind;
};

struct pci_host;

struct pci_id {
	u16 vendor, device;
	u32 class; /* 23:0 */
	u8 revision;
	u16 subsystem_vendor, subsystem;
};

struct pci_function {
	u8 config[PCI_CONFIG_SIZE];
	u8 writable[PCI_CONFIG_SIZE]; /* bits that the guest can set and clear */
	u8 clears[PCI_CONFIG_SIZE];   /* bits that it clears by writing 1 */
	const char *name;
	struct pci_host *host; /* NULL until pci_add() */
	struct dma_port dma;
	struct pci_bar bar[PCI_BARS];
	struct msi msi;
	struct msix msix;
	u8 devfn;
	u8 next_capability, last_capability; /* where the next one goes; where the list ends, 0: is empty */
	bool interrupt;			     /* the device's wish for INTx */
	bool wire;			     /* what the wire was told */
	u64 messages, messages_refused;	     /* sent; dropped as bus mastering was off */
	/*
	 * The device's own part in a configuration access of `size` bytes at `offset`, both inside one dword;
	 * may be null. `reading` before the bytes are fetched, `written` after they were stored.
	 */
	void (*reading)(struct pci_function *function, u8 offset, unsigned size);
	void (*written)(struct pci_function *function, u8 offset, unsigned size);
};

/* What the board gives, and what the bus keeps. */
struct pci_host {
	struct mem_core *core;
	struct region *memory;		      /* container of 2^64 bytes */
	struct region *io;		      /* container of 64 KiB */
	struct irq_line wire[PCI_INTX_WIRES]; /* device d, pin p (0 = INTA) drives wire (d + p) % 8 */
	u8 line[PCI_INTX_WIRES]; /* what the line register of a function on the wire says at the start */
	struct msi_sink msi;
	/* Byte accesses to 0xcf9, the reset control register; `ops` may be null: reads as ones. */
	const struct region_ops *reset_ops;
	void *reset_device;

	struct pci_function *functions[PCI_FUNCTIONS]; /* by devfn */
	u16 asserted[PCI_INTX_WIRES];		       /* functions that drive the wire */
	u32 address;				       /* latch of 0xcf8 */
	struct pci_function bridge;		       /* 00:00.0 */
	struct log_rate rate;
};

/* Fields above the blank line are the caller's and set before. Adds the host bridge. */
void pci_host_init(struct pci_host *host);

/* Ports 0xcf8..0xcff; device: struct pci_host *. The region starts at 0xcf8. */
extern const struct region_ops pci_config_ports_ops;
/* The memory-mapped configuration space from bus 0 on; device: struct pci_host *. */
extern const struct region_ops pci_ecam_ops;

/*
 * What both come down to. `requester`: bus 15:8, devfn 7:0. Size 1, 2 or 4 at an `offset` below 4096, not
 * crossing a dword. An absent function, or an offset beyond its 256 bytes, reads as ones.
 */
u32 pci_config_read(struct pci_host *host, u16 requester, unsigned offset, unsigned size);
void pci_config_write(struct pci_host *host, u16 requester, unsigned offset, unsigned size, u32 value);

/* ---- making a function ---- */

void pci_function_init(struct pci_function *function, const char *name, const struct pci_id *id);
/*
 * `region` is the device's, initialised, in no container; its size is a power of two, at least 16 bytes for
 * memory (give 4096 where the guest shall be given access without exits), 4..256 for I/O. False: impossible.
 */
bool pci_add_bar(struct pci_function *function, unsigned index, enum pci_bar_kind kind,
		 struct region *region);
/*
 * `length` bytes with the two of the header. Returns the offset, 0: no room. The rest is zero and read-only.
 */
u8 pci_add_capability(struct pci_function *function, u8 id, unsigned length);
/* pin 1..4: INTA..INTD. */
void pci_add_intx(struct pci_function *function, u8 pin);
/*
 * Puts it on the bus; `as` is the space that it masters (NULL: none). BARs and capabilities have been added
 * before. -EEXIST: that place is taken; otherwise what region_add says.
 */
int pci_add(struct pci_host *host, struct pci_function *function, u8 devfn, struct address_space *as);

/* ---- what firmware does ---- */

/*
 * Gives every BAR a place in the windows, naturally aligned, in the order of devfn but 64-bit ones last, and
 * switches decoding on, bus mastering off. -ENOSPC: a window is full; that BAR goes to 0, its function stays
 * off, the name is logged.
 */
int pci_place_bars(struct pci_host *host, u64 memory_first, u64 memory_last, u32 io_first, u32 io_last);
void pci_place_bar(struct pci_function *function, unsigned index, u64 address);

/* ---- what a device does ---- */

/*
 * The level that the device wants on its INTx wire; it is silent while INTx is disabled or messages are
 * enabled.
 */
void pci_set_interrupt(struct pci_function *function, bool level);
/*
 * A message: what is for 0xfeexxxxx goes to the sink, anything else is a write of a dword. Not without bus
 * mastering.
 */
void pci_send_message(struct pci_function *function, u64 address, u32 data);
/* By MSI-X or MSI, whichever is enabled; false: neither is, use INTx. */
bool pci_interrupt_by_message(struct pci_function *function, unsigned vector);

static inline u16 pci_requester(const struct pci_function *function)
{
	return function->devfn;
}

static inline u16 pci_read16(const struct pci_function *function, unsigned offset)
{
	return function->config[offset] | function->config[offset + 1] << 8;
}

static inline u32 pci_read32(const struct pci_function *function, unsigned offset)
{
	return pci_read16(function, offset) | (u32)pci_read16(function, offset + 2) << 16;
}

/* Stores regardless of masks: for the device's own registers. */
void pci_store(struct pci_function *function, unsigned offset, unsigned size, u32 value);
void pci_make_writable(struct pci_function *function, unsigned offset, unsigned size, u32 mask);
/* Where the guest has placed a BAR, whether decoding is on or not. */
u64 pci_bar_address(const struct pci_function *function, unsigned index);

/* Between the files of this folder: something that INTx depends on has changed. */
void pci_update_intx(struct pci_function *function);

#endif
