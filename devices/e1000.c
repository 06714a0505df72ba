// SPDX-License-Identifier: BSD-2-Clause
/*
 * Both rings are given to the card whole; what lies between head and tail is the card's. One receive descriptor is always
 * held back and one transmit descriptor never used: head = tail means empty, not full (3.2.6, 3.4).
 */
#include "devices/e1000.h"

#include <string.h>

/* Registers: chapter 13. */
enum {
	CTRL = 0x0000,
	STATUS = 0x0008,
	EERD = 0x0014,
	FCAL = 0x0028,
	FCAH = 0x002c,
	FCT = 0x0030,
	ICR = 0x00c0,
	IMC = 0x00d8,
	RCTL = 0x0100,
	FCTTV = 0x0170,
	TCTL = 0x0400,
	TIPG = 0x0410,
	RDBAL = 0x2800,
	RDBAH = 0x2804,
	RDLEN = 0x2808,
	RDH = 0x2810,
	RDT = 0x2818,
	RDTR = 0x2820,
	TDBAL = 0x3800,
	TDBAH = 0x3804,
	TDLEN = 0x3808,
	TDH = 0x3810,
	TDT = 0x3818,
	CRCERRS = 0x4000, /* counters: cleared by reading */
	RXERRC = 0x400c,
	MPC = 0x4010,
	RXCSUM = 0x5000,
	MTA = 0x5200,
	RAL = 0x5400,
	RAH = 0x5404,
};
#define MTA_COUNT 128
#define RA_COUNT  16

#define CTRL_LRST    BIT(3)
#define CTRL_ASDE    BIT(5)
#define CTRL_SLU     BIT(6)
#define CTRL_ILOS    BIT(7)
#define CTRL_FRCSPD  BIT(11)
#define CTRL_FRCDPLX BIT(12)
#define CTRL_RST     BIT(26)
#define CTRL_RFCE    BIT(27)
#define CTRL_TFCE    BIT(28)
#define CTRL_VME     BIT(30)
#define CTRL_PHY_RST BIT(31)
#define STATUS_LU    BIT(1)
#define EERD_START   BIT(0)
#define EERD_DONE    BIT(4)
#define RCTL_EN	     BIT(1)
#define RCTL_UPE     BIT(3)
#define RCTL_MPE     BIT(4)
#define RCTL_BAM     BIT(15)
#define RCTL_SECRC   BIT(26) /* the FCS does not come along */
#define TCTL_EN	     BIT(1)
#define TCTL_CT	     (0x0f << 4)
#define TCTL_COLD    (0x40 << 12) /* full duplex */
#define TIPG_IEEE    (10 | 8 << 10 | 6 << 20)
#define RAH_AV	     BIT(31)

#define RX_DD  BIT(0)
#define RX_EOP BIT(1)
/* CE, SE, SEQ, CXE, RXE; not those of checksums inside of the frame, which nobody asked the card to look at. */
#define RX_ERRORS 0x97
#define TX_EOP	  BIT(0)
#define TX_IFCS	  BIT(1)
#define TX_RS	  BIT(3)
#define TX_DD	  BIT(0)

#define NOBODY	 0xffffffffu /* what is read where no card is */
#define WIRE_MIN 60	     /* without FCS; shorter frames are padded */

#define SETTLE_US 10000
#define POLL_US	  10
#define POLLS	  1000

static u32 reg_read(const struct e1000 *nic, u32 offset)
{
	return nic->machine.read(nic->machine.owner, offset);
}

static void reg_write(const struct e1000 *nic, u32 offset, u64 value)
{
	nic->machine.write(nic->machine.owner, offset, (u32)value);
}

static void settle(const struct e1000 *nic, unsigned microseconds)
{
	nic->machine.wait_us(nic->machine.owner, microseconds);
}

/* ---- reset ---- */

/* 14.3: no interrupts, both directions off, and then the rest. Emulated cards take RST for less than the manual does. */
static bool quieten(const struct e1000 *nic)
{
	reg_write(nic, IMC, ~0u);
	reg_write(nic, RCTL, 0);
	reg_write(nic, TCTL, 0);
	settle(nic, SETTLE_US);
	reg_write(nic, CTRL, reg_read(nic, CTRL) | CTRL_RST);
	settle(nic, SETTLE_US);
	for (unsigned i = 0; reg_read(nic, CTRL) & CTRL_RST; i++) {
		if (i == POLLS)
			return false;
		settle(nic, POLL_US);
	}
	reg_write(nic, IMC, ~0u);
	(void)reg_read(nic, ICR);
	return reg_read(nic, STATUS) != NOBODY;
}

static bool read_eeprom(const struct e1000 *nic, u32 word, u16 *value)
{
	u32 eerd;

	reg_write(nic, EERD, word << 8 | EERD_START);
	for (unsigned i = 0; i < POLLS; i++) {
		eerd = reg_read(nic, EERD);
		if (eerd & EERD_DONE) {
			*value = (u16)(eerd >> 16);
			return true;
		}
		settle(nic, POLL_US);
	}
	return false;
}

static bool is_station(const u8 mac[ETHERNET_MAC])
{
	static const u8 none[ETHERNET_MAC];

	return !(mac[0] & 1) && memcmp(mac, none, sizeof(none)) != 0;
}

/* The card loads its address from the EEPROM when it is reset; some emulated ones leave that to the driver. */
static bool find_mac(const struct e1000 *nic, u8 mac[ETHERNET_MAC])
{
	u32 low = reg_read(nic, RAL), high = reg_read(nic, RAH);
	u16 word;

	for (unsigned i = 0; i < ETHERNET_MAC; i++)
		mac[i] = (u8)(i < 4 ? low >> (8 * i) : high >> (8 * (i - 4)));
	if (high & RAH_AV && is_station(mac))
		return true;
	for (unsigned i = 0; i < ETHERNET_MAC / 2; i++) {
		if (!read_eeprom(nic, i, &word))
			return false;
		mac[2 * i] = (u8)word;
		mac[2 * i + 1] = (u8)(word >> 8);
	}
	return is_station(mac);
}

/* ---- frames from the wire ---- */

/* What the card wrote into a descriptor, it writes anew. */
static void give_rx(struct e1000_memory *memory, unsigned i)
{
	volatile struct e1000_rx_desc *desc = &memory->rx[i];

	desc->address = (u64)memory->rx_buffer[i];
	desc->length = 0;
	desc->errors = 0;
	desc->status = 0;
}

/* A frame of more than one buffer is none of ours, whatever comes with its parts. */
static void take(struct e1000 *nic, const u8 *frame, u8 status, u8 errors, u16 length)
{
	bool more = !(status & RX_EOP), rest = nic->rx_skipping;

	nic->rx_skipping = more;
	if (rest)
		return;
	if (errors & RX_ERRORS)
		nic->port.counters.rx_errors++;
	else if (more)
		nic->port.counters.rx_malformed++;
	else
		ethernet_received(&nic->port, frame, length);
}

static unsigned poll(struct ethernet_port *port, unsigned budget)
{
	struct e1000 *nic = container_of(port, struct e1000, port);
	unsigned taken = 0, last = 0;

	if (++nic->polls % E1000_WATCH_POLLS == 0)
		e1000_watch(nic);
	for (; taken < budget; taken++) {
		volatile struct e1000_rx_desc *desc = &nic->memory->rx[nic->rx_next];
		u8 status = desc->status;

		if (!(status & RX_DD))
			break;
		/* The rest is as old as the status, or newer. */
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		take(nic, nic->memory->rx_buffer[nic->rx_next], status, desc->errors, desc->length);
		give_rx(nic->memory, nic->rx_next);
		last = nic->rx_next;
		nic->rx_next = (nic->rx_next + 1) % E1000_RX_COUNT;
	}
	if (taken) {
		__atomic_thread_fence(__ATOMIC_RELEASE);
		reg_write(nic, RDT, last);
	}
	return taken;
}

/* ---- frames to the wire ---- */

static void collect(struct e1000 *nic)
{
	while (nic->tx_used) {
		unsigned oldest = (nic->tx_next + E1000_TX_COUNT - nic->tx_used) % E1000_TX_COUNT;

		if (!(nic->memory->tx[oldest].status & TX_DD))
			return;
		nic->tx_used--;
	}
}

static bool send(struct ethernet_port *port, const void *frame, size_t length)
{
	struct e1000 *nic = container_of(port, struct e1000, port);
	volatile struct e1000_tx_desc *desc = &nic->memory->tx[nic->tx_next];
	u8 *buffer = nic->memory->tx_buffer[nic->tx_next];
	size_t padded = MAX(length, WIRE_MIN);

	if (!ethernet_frame_ok(length)) {
		port->counters.tx_malformed++;
		return false;
	}
	if (!port->link) {
		port->counters.tx_no_link++;
		return false;
	}
	collect(nic);
	if (nic->tx_used == E1000_TX_COUNT - 1) {
		port->counters.tx_no_room++;
		return false;
	}
	memcpy(buffer, frame, length);
	memset(buffer + length, 0, padded - length);
	desc->address = (u64)buffer;
	desc->length = (u16)padded;
	desc->cso = 0;
	desc->cmd = TX_EOP | TX_IFCS | TX_RS;
	desc->status = 0;
	desc->css = 0;
	desc->special = 0;
	nic->tx_next = (nic->tx_next + 1) % E1000_TX_COUNT;
	nic->tx_used++;
	port->counters.tx_frames++;
	port->counters.tx_bytes += length;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	reg_write(nic, TDT, nic->tx_next);
	return true;
}

/* ---- start ---- */

static void start_rx(struct e1000 *nic)
{
	u64 ring = (u64)nic->memory->rx;

	for (unsigned i = 0; i < E1000_RX_COUNT; i++)
		give_rx(nic->memory, i);
	nic->rx_next = 0;
	nic->rx_skipping = false;
	reg_write(nic, RDBAL, ring);
	reg_write(nic, RDBAH, ring >> 32);
	reg_write(nic, RDLEN, sizeof(nic->memory->rx));
	reg_write(nic, RDTR, 0);
	reg_write(nic, RDH, 0);
	reg_write(nic, RDT, E1000_RX_COUNT - 1);
	reg_write(nic, RXCSUM, 0);
	reg_write(nic, RCTL, RCTL_EN | RCTL_UPE | RCTL_MPE | RCTL_BAM | RCTL_SECRC);
}

static void start_tx(struct e1000 *nic)
{
	u64 ring = (u64)nic->memory->tx;

	nic->tx_next = nic->tx_used = 0;
	reg_write(nic, TDBAL, ring);
	reg_write(nic, TDBAH, ring >> 32);
	reg_write(nic, TDLEN, sizeof(nic->memory->tx));
	reg_write(nic, TDH, 0);
	reg_write(nic, TDT, 0);
	reg_write(nic, TIPG, TIPG_IEEE);
	reg_write(nic, TCTL, TCTL_EN | TCTL_CT | TCTL_COLD);
}

/* 14.4: the PHY negotiates speed and duplex by itself. No flow control: who cannot keep up drops. */
static void start_link(struct e1000 *nic)
{
	u32 ctrl = reg_read(nic, CTRL);

	ctrl &= ~(u32)(CTRL_LRST | CTRL_ILOS | CTRL_FRCSPD | CTRL_FRCDPLX | CTRL_RFCE | CTRL_TFCE | CTRL_VME |
		       CTRL_PHY_RST);
	reg_write(nic, CTRL, ctrl | CTRL_SLU | CTRL_ASDE);
	reg_write(nic, FCAL, 0);
	reg_write(nic, FCAH, 0);
	reg_write(nic, FCT, 0);
	reg_write(nic, FCTTV, 0);
}

static void set_filters(struct e1000 *nic)
{
	const u8 *mac = nic->port.mac;

	for (unsigned i = 0; i < MTA_COUNT; i++)
		reg_write(nic, MTA + 4 * i, 0);
	for (unsigned i = 1; i < RA_COUNT; i++)
		reg_write(nic, RAH + 8 * i, 0);
	reg_write(nic, RAL, mac[0] | (u32)mac[1] << 8 | (u32)mac[2] << 16 | (u32)mac[3] << 24);
	reg_write(nic, RAH, RAH_AV | mac[4] | (u32)mac[5] << 8);
}

const char *e1000_reset(struct e1000 *nic, const char *name, const struct e1000_machine *machine,
			struct e1000_memory *memory)
{
	*nic = (struct e1000){
		.port = { .name = name, .polled = true, .send = send, .poll = poll },
		.machine = *machine,
		.memory = memory,
	};
	if (!quieten(nic))
		return "it does not come out of its reset";
	if (!find_mac(nic, nic->port.mac))
		return "it has no Ethernet address";
	return NULL;
}

void e1000_start(struct e1000 *nic)
{
	start_link(nic);
	set_filters(nic);
	start_tx(nic);
	start_rx(nic);
	e1000_watch(nic);
}

void e1000_watch(struct e1000 *nic)
{
	u32 status = reg_read(nic, STATUS);

	nic->port.link = status != NOBODY && status & STATUS_LU;
	if (status != NOBODY)
		nic->port.counters.rx_errors +=
			(u64)reg_read(nic, CRCERRS) + reg_read(nic, RXERRC) + reg_read(nic, MPC);
}
