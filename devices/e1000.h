/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's own Ethernet card: Intel 82540EM and its sibling 82545EM, by the "PCI/PCI-X Family of Gigabit Ethernet
 * Controllers Software Developer's Manual" (317453; registers: chapter 13, rings: 3.2 and 3.3). Polled, without
 * interrupts.
 *
 * The card's DMA is confined by its rings alone, which lie in memory of the driver's own, never the guest's: what the
 * card writes there is data from outside. Each descriptor is copied once and then judged; the addresses and lengths that
 * count are the driver's. The card is told to take every frame, whomever it is for: a bridge stands behind it.
 */
#ifndef DEVICES_E1000_H
#define DEVICES_E1000_H

#include "devices/ethernet.h"

/* For host_pci_find(). */
#define E1000_VENDOR  0x8086
#define E1000_82540EM 0x100e
#define E1000_82545EM 0x100f

#define E1000_REGISTER_BAR   0
#define E1000_REGISTER_BYTES (128 * KiB)

/* At each of so many polls the link is looked at: twice a second where nothing is to be done (network.h). */
#define E1000_WATCH_POLLS 256u

/* Descriptors; a multiple of 8, as the lengths of rings are of 128 bytes. */
#define E1000_RX_COUNT	   64u
#define E1000_TX_COUNT	   64u
#define E1000_BUFFER_BYTES 2048u /* the card is told so for receiving; two to a page */

/* 3.2.3 */
struct e1000_rx_desc {
	u64 address;
	u16 length, checksum;
	u8 status, errors;
	u16 special;
};

/* 3.3.3 */
struct e1000_tx_desc {
	u64 address;
	u16 length;
	u8 cso, cmd, status, css;
	u16 special;
};
static_assert(sizeof(struct e1000_rx_desc) == 16 && sizeof(struct e1000_tx_desc) == 16,
	      "descriptors as the card has them");

/* What the card and the driver share: page-aligned, of addresses that are the same for both. */
struct e1000_memory {
	u8 rx_buffer[E1000_RX_COUNT][E1000_BUFFER_BYTES];
	u8 tx_buffer[E1000_TX_COUNT][E1000_BUFFER_BYTES];
	volatile struct e1000_rx_desc rx[E1000_RX_COUNT];
	volatile struct e1000_tx_desc tx[E1000_TX_COUNT];
} __attribute__((aligned(4096)));

/* How the registers are reached, by offsets below E1000_REGISTER_BYTES; and a wait of at least so long. */
struct e1000_machine {
	u32 (*read)(void *owner, u32 offset);
	void (*write)(void *owner, u32 offset, u32 value);
	void (*wait_us)(void *owner, unsigned microseconds);
	void *owner;
};

struct e1000 {
	struct ethernet_port port;
	struct e1000_machine machine;
	struct e1000_memory *memory;
	u32 polls;
	unsigned rx_next; /* the descriptor that the card fills next */
	bool rx_skipping; /* what comes is the rest of a frame of more than one buffer */
	unsigned tx_next,
		tx_used; /* the descriptor that is filled next; so many before it the card has not done */
};

/*
 * Firmware's driver may have left the card running, with rings in memory that is the guest's by now. So, in this order:
 *
 *	host_pci_command(function, HOST_PCI_MEMORY);			its DMA ends
 *	why = e1000_reset(nic, ...);					it forgets the rings
 *	host_pci_command(function, HOST_PCI_MEMORY | HOST_PCI_MASTER);
 *	e1000_start(nic);						with ours
 *
 * `name` is kept. Takes about 20 ms, at most 100. NULL: well; otherwise what is wrong, and the card is not to be used.
 */
const char *e1000_reset(struct e1000 *nic, const char *name, const struct e1000_machine *machine,
			struct e1000_memory *memory);
void e1000_start(struct e1000 *nic);

/* port.link, and what the card itself has counted. Four register reads; the port's poll() does it now and then. */
void e1000_watch(struct e1000 *nic);

#endif
