/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's pair of interrupt controllers (Intel 8259A data sheet), the second on input 2 of the first, with the
 * edge/level registers of the EISA and PCI chip sets. 8080 mode, single mode and buffered mode do not exist on a PC and
 * are ignored; so is ICW1.LTIM, which ELCR replaces.
 */
#ifndef DEVICES_PIC_H
#define DEVICES_PIC_H

#include "devices/irq.h"
#include "mm/access.h"

#define PIC_PORTS      2 /* 0x20 and 0xa0: each chip's pair */
#define PIC_ELCR_PORTS 2 /* 0x4d0 */
#define PIC_PINS       16

struct pic;

struct pic_chip {
	u8 irr, imr, isr; /* as in the data sheet */
	u8 level;	  /* the wires */
	u8 elcr;	  /* 1: level triggered */
	u8 base;	  /* vector of input 0 */
	u8 lowest;	  /* the input of lowest priority */
	u8 icw;		  /* the initialisation word expected next, 0: none */
	bool icw4_follows, auto_eoi, rotate_on_auto_eoi, special_mask, special_fully_nested;
	bool poll, read_isr;
	struct pic *pair;
};

struct pic {
	struct pic_chip chip[2]; /* 0 is the master */
	struct irq_line output;
	bool out;
};

extern const struct region_ops pic_ops;	     /* device: &pic->chip[0] at 0x20, &pic->chip[1] at 0xa0 */
extern const struct region_ops pic_elcr_ops; /* device: struct pic *; at 0x4d0 */

/* `output` is the master's INT: the local APIC's LINT0, or an IOAPIC pin in ExtINT mode. */
void pic_init(struct pic *pic, struct irq_line output);
/* All masked, as firmware leaves it; the wires stay as they are. */
void pic_reset(struct pic *pic);
/*
 * An input, 0..15, for irq_line.set; `controller` is the struct pic. 2 is the cascade and ignored. An edge is
 * remembered even if the wire falls again.
 */
void pic_set(void *controller, unsigned pin, bool level);
/*
 * The CPU's interrupt acknowledge: the vector, 0..255. If the request went away since `output` rose it is a spurious one:
 * input 7 of the master, without an in-service bit. The cascade wire follows the slave without delay, so the slave's own
 * spurious input 7 (IRQ 15) cannot come up.
 */
int pic_ack(struct pic *pic);

#endif
