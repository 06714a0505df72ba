/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An Intel 82540EM as its manual describes it, as far as a driver without interrupts sees it; it shares nothing with the
 * driver. It aborts at what a card would not forgive: rings that are not aligned, a tail beyond the ring, DMA outside of
 * the memory that it was given.
 */
#ifndef TESTS_UNIT_E1000_MODEL_H
#define TESTS_UNIT_E1000_MODEL_H

#include "devices/e1000.h"

#define MODEL_WIRE_MAX 256

struct e1000_model {
	u32 reg[E1000_REGISTER_BYTES / 4];
	u16 eeprom[64];
	bool ra_from_eeprom; /* the reset loads it, as hardware does */
	bool no_eeprom;
	bool gone;	   /* reads as ones */
	bool stuck;	   /* never comes out of its reset */
	bool lazy;	   /* as emulators have it: the reset changes nothing */
	unsigned reset_us; /* what a reset takes */
	bool stalled;	   /* transmits nothing for now */
	bool master;	   /* may access memory */
	bool firmware;	   /* the rings are still somebody else's */
	u64 now_us, ready_us;
	u8 *memory; /* the only place for DMA */
	u64 size;
	unsigned resets;
	/* What went out. */
	unsigned sent;
	struct {
		u16 length;
		u8 bytes[E1000_BUFFER_BYTES];
	} wire[MODEL_WIRE_MAX];
	/* What it writes over the descriptors that it uses. */
	u64 scribble;
	u8 rx_errors;  /* into the next frame's descriptors */
	u16 rx_length; /* instead of the true one, if `rx_lies` */
	bool rx_lies;
};

/* A card that firmware has been using, connected, with the MAC address 52:54:00:12:34:56. */
void model_init(struct e1000_model *model, void *memory, u64 size);
/* How the driver reaches it. */
struct e1000_machine model_machine(struct e1000_model *model);
void model_set_link(struct e1000_model *model, bool up);
/* A frame arrives. False: the card has not taken it. */
bool model_receive(struct e1000_model *model, const void *frame, unsigned length);
/* It goes on with what it was given to transmit. */
void model_transmit(struct e1000_model *model);

#endif
