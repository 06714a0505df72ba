// SPDX-License-Identifier: BSD-2-Clause

#include "devices/ioapic.h"

enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40 };
enum { REG_ID = 0, REG_VERSION = 1, REG_ARBITRATION = 2, REG_BOOT_CONFIG = 3, REG_TABLE = 0x10 };
enum { BOOT_CONFIG_MESSAGES = 1, ID_SHIFT = 24, ID_MASK = 0x0f };

#define RTE_VECTOR     BITS(7, 0)
#define RTE_MODE       BITS(10, 8)
#define RTE_LOGICAL    BIT(11) /* or index[15] */
#define RTE_REMOTE_IRR BIT(14)
#define RTE_LEVEL      BIT(15)
#define RTE_MASK       BIT(16)
#define RTE_REMAPPABLE BIT(48)
/* Delivery status (12) always reads idle: a message is gone as soon as it is sent. 32..47 are reserved. */
#define RTE_WRITABLE (BITS(63, 48) | BIT(16) | BIT(15) | BIT(13) | BITS(11, 0))

enum { MODE_FIXED = 0, MODE_LOWEST = 1 };

#define MSI_ADDRESS	     0xfee00000u
#define MSI_REDIRECTION_HINT BIT(3)
#define MSI_LEVEL_ASSERT     BIT(14)

static unsigned rte_mode(u64 rte)
{
	return (rte & RTE_MODE) >> 8;
}

static bool rte_is_level(u64 rte)
{
	return (rte & RTE_LEVEL) && rte_mode(rte) <= MODE_LOWEST;
}

/*
 * The message that an entry stands for. Compatible format (SDM vol. 3, 11.11): destination, its mode, and in the data the
 * entry's low bits. Remappable (VT-d 5.1.5.1): bit 48, index[14:0] in bits 63:49, index[15] in bit 11, no subhandle.
 */
static void ioapic_send(const struct ioapic *ioapic, u64 rte)
{
	u64 address = MSI_ADDRESS;
	u32 data = rte & RTE_VECTOR;

	if (rte & RTE_REMAPPABLE) {
		address |= (rte >> 49) << 5 | BIT(4) | ((rte & RTE_LOGICAL) ? BIT(2) : 0);
	} else {
		address |= (rte >> 56) << 12 | ((rte & RTE_LOGICAL) ? BIT(2) : 0);
		if (rte_mode(rte) == MODE_LOWEST)
			address |= MSI_REDIRECTION_HINT;
		data |= rte & RTE_MODE;
	}
	if (rte_is_level(rte))
		data |= RTE_LEVEL | MSI_LEVEL_ASSERT;
	msi_send(&ioapic->sink, address, data, ioapic->requester);
}

/* Sends a level pin's interrupt if it is due. */
static void ioapic_service_level(struct ioapic *ioapic, unsigned pin)
{
	u64 rte = ioapic->rte[pin];

	if (!(ioapic->level & BIT(pin)) || !rte_is_level(rte) || (rte & (RTE_MASK | RTE_REMOTE_IRR)))
		return;
	ioapic->rte[pin] |= RTE_REMOTE_IRR;
	ioapic_send(ioapic, rte);
}

void ioapic_set(void *controller, unsigned pin, bool level)
{
	struct ioapic *ioapic = controller;
	u64 rte;

	if (pin >= IOAPIC_PINS || level == !!(ioapic->level & BIT(pin)))
		return;
	ioapic->level ^= BIT(pin);
	if (!level)
		return;
	rte = ioapic->rte[pin];
	if (rte_is_level(rte))
		ioapic_service_level(ioapic, pin);
	else if (!(rte & RTE_MASK))
		ioapic_send(ioapic, rte);
}

void ioapic_eoi(struct ioapic *ioapic, u8 vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 rte = ioapic->rte[pin];

		if (!(rte & RTE_REMOTE_IRR) || (rte & RTE_VECTOR) != vector)
			continue;
		ioapic->rte[pin] = rte & ~RTE_REMOTE_IRR;
		ioapic_service_level(ioapic, pin);
	}
}

static void ioapic_write_rte(struct ioapic *ioapic, unsigned index, u32 value)
{
	unsigned pin = index / 2;
	u64 old = ioapic->rte[pin], rte;

	if (index % 2)
		rte = (u64)value << 32 | (old & BITS(31, 0));
	else
		rte = (old & BITS(63, 32)) | value;
	rte &= RTE_WRITABLE;
	/* Linux clears a stuck remote IRR by switching the pin to edge and back. */
	if (rte_is_level(rte))
		rte |= old & RTE_REMOTE_IRR;
	ioapic->rte[pin] = rte;
	ioapic_service_level(ioapic, pin);
}

static u32 ioapic_read_register(const struct ioapic *ioapic)
{
	switch (ioapic->select) {
	case REG_ID:
	case REG_ARBITRATION: /* loaded from the id, and nothing is arbitrated */
		return (u32)ioapic->id << ID_SHIFT;
	case REG_VERSION:
		return (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION;
	case REG_BOOT_CONFIG:
		return BOOT_CONFIG_MESSAGES;
	default:
		return 0; /* reserved */
	}
}

static enum mem_result ioapic_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct ioapic *ioapic = device;
	unsigned index = ioapic->select - REG_TABLE;

	if (offset == IOWIN && size == 4)
		*value = index < 2 * IOAPIC_PINS ? (u32)(ioapic->rte[index / 2] >> index % 2 * 32)
						 : ioapic_read_register(ioapic);
	else if (offset == IOREGSEL)
		*value = ioapic->select;
	else
		return MEM_DECODE_ERROR;
	return MEM_OK;
}

static enum mem_result ioapic_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct ioapic *ioapic = device;
	unsigned index = ioapic->select - REG_TABLE;

	if (offset == IOREGSEL)
		ioapic->select = value;
	else if (offset == IOEOI)
		ioapic_eoi(ioapic, value);
	else if (offset != IOWIN || size != 4)
		return MEM_DECODE_ERROR;
	else if (index < 2 * IOAPIC_PINS)
		ioapic_write_rte(ioapic, index, value);
	else if (ioapic->select == REG_ID)
		ioapic->id = value >> ID_SHIFT & ID_MASK;
	return MEM_OK;
}

/* The index is a byte and may be accessed as one; the window is decoded as a double word only. */
const struct region_ops ioapic_ops = {
	.read = ioapic_read,
	.write = ioapic_write,
	.valid = { 1, 4, false },
	.impl = { 1, 4, false },
};

void ioapic_init(struct ioapic *ioapic, u8 id, struct msi_sink sink, u16 requester)
{
	*ioapic = (struct ioapic){ .board_id = id & ID_MASK, .sink = sink, .requester = requester };
	ioapic_reset(ioapic);
}

void ioapic_reset(struct ioapic *ioapic)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic->rte[pin] = RTE_MASK;
	ioapic->select = 0;
	ioapic->id = ioapic->board_id;
}
