/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The I/O interrupt controller (Intel 82093AA data sheet, with version 0x20's EOI register): 24 wires in, messages out.
 *
 * A wire's level is true while the device asks, whatever its voltage: the polarity bit is kept and has no effect. The
 * boot-configuration register 3 says that interrupts are messages. Edges on a masked pin are lost (data sheet 3.2.4).
 * Interrupts merge as on the chip: a level pin delivers nothing while its remote IRR is set; edges merge in the local
 * APIC's IRR. SMI, NMI, INIT and ExtINT entries are edge triggered whatever they say.
 */
#ifndef DEVICES_IOAPIC_H
#define DEVICES_IOAPIC_H

#include "devices/irq.h"
#include "mm/access.h"

#define IOAPIC_SIZE    0x1000
#define IOAPIC_PINS    24
#define IOAPIC_VERSION 0x20

struct ioapic {
	u64 rte[IOAPIC_PINS]; /* redirection table entries */
	u32 level;	      /* the wires, a bit a pin */
	u8 select;	      /* IOREGSEL */
	u8 id, board_id;
	u16 requester;
	struct msi_sink sink;
};

extern const struct region_ops ioapic_ops; /* device: struct ioapic *; IOAPIC_SIZE bytes at 0xfec00000 */

/* `id`: as the MADT says; `requester`: the bus/device/function that its messages carry, the DMAR scope's. */
void ioapic_init(struct ioapic *ioapic, u8 id, struct msi_sink sink, u16 requester);
/* All pins masked; the wires stay as they are. */
void ioapic_reset(struct ioapic *ioapic);
/* An input, for irq_line.set; `controller` is the struct ioapic. */
void ioapic_set(void *controller, unsigned pin, bool level);
/*
 * The local APIC's EOI broadcast for `vector`, or a write of register 0x40: level pins with that vector *in their entry*
 * are ready again, and deliver again if their wire is still up.
 */
void ioapic_eoi(struct ioapic *ioapic, u8 vector);

#endif
