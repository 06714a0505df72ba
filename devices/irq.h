/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a device asks for attention: a wire to an interrupt controller, or a message. The board connects both.
 */
#ifndef DEVICES_IRQ_H
#define DEVICES_IRQ_H

#include "mm/types.h"

/*
 * A wire. `set` may be called with the level that the wire has already. An unconnected line (set == NULL) is legal:
 * use irq_line_set().
 */
struct irq_line {
	void (*set)(void *controller, unsigned pin, bool level);
	void *controller;
	unsigned pin;
};

static inline void irq_line_set(const struct irq_line *line, bool level)
{
	if (line->set)
		line->set(line->controller, line->pin, level);
}

/* A rising edge: the shape of an interrupt from an edge-triggered ISA device. */
static inline void irq_line_pulse(const struct irq_line *line)
{
	irq_line_set(line, true);
	irq_line_set(line, false);
}

/*
 * Where messages go. `address` and `data` as the device wrote them (SDM vol. 3, 11.11; or remappable, VT-d 5.1.2.2);
 * `requester` is the sender's bus/device/function, for source-id verification.
 */
struct msi_sink {
	void (*send)(void *sink, u64 address, u32 data, u16 requester);
	void *sink;
};

static inline void msi_send(const struct msi_sink *to, u64 address, u32 data, u16 requester)
{
	if (to->send)
		to->send(to->sink, address, data, requester);
}

#endif
