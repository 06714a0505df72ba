// SPDX-License-Identifier: BSD-2-Clause
/*
 * Interrupt messages: from devices (SDM 11.11) and between APICs (SDM 11.6), and who is meant by a
 * destination.
 */
#include "arch/lapic_internal.h"

bool lapic_parse(struct lapic_message *message, u64 address, u32 data)
{
	u32 destination = (address >> 12 & 0xff) | (address >> 40) << 8;

	if ((address & 0xfff00000) != LAPIC_DEFAULT_BASE || address >> 32 & 0xff)
		return false;
	*message = (struct lapic_message){
		.destination = destination == 0xff ? LAPIC_BROADCAST : destination,
		.vector = data,
		.mode = data >> 8 & 7,
		.logical = address & 4,
		.level = data & 0x8000,
	};
	/* The redirection hint asks for one receiver, as lowest priority does. */
	if (address & 8 && message->mode == LAPIC_FIXED)
		message->mode = LAPIC_LOWEST;
	return true;
}

static bool matches_logical(const struct lapic *l, u32 destination)
{
	u32 ldr = *lapic_reg(l, LAPIC_LDR);
	u32 model = *lapic_reg(l, LAPIC_DFR) >> 28;

	if (lapic_x2apic(l))
		return destination >> 16 == ldr >> 16 && destination & ldr & 0xffff;
	if (destination > 0xff)
		return false;
	ldr >>= 24;
	if (model == 0xf)
		return destination & ldr;
	return model == 0 && destination >> 4 == ldr >> 4 && destination & ldr & 0xf;
}

bool lapic_matches(const struct lapic *l, const struct lapic_message *message)
{
	if (message->destination == LAPIC_BROADCAST)
		return true;
	if (message->logical)
		return matches_logical(l, message->destination);
	return message->destination == (lapic_x2apic(l) ? l->config.id : (u8)l->config.id);
}

void lapic_accept(struct lapic *l, const struct lapic_message *message)
{
	const struct lapic_ops *ops = l->ops;

	if (!lapic_enabled(l))
		return;
	switch (message->mode) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST:
		lapic_deliver(l, message->vector, message->level);
		break;
	case LAPIC_NMI:
		if (ops->nmi)
			ops->nmi(l->owner);
		break;
	case LAPIC_INIT:
		if (ops->init && !message->deassert)
			ops->init(l->owner);
		break;
	case LAPIC_SIPI:
		if (ops->sipi)
			ops->sipi(l->owner, message->vector);
		break;
	case LAPIC_EXTINT:
		if (ops->extint)
			ops->extint(l->owner);
		break;
	default: /* SMI: there is no SMM; 3: reserved */
		break;
	}
}

bool lapic_message(struct lapic *l, u64 address, u32 data)
{
	struct lapic_message message;

	if (!lapic_parse(&message, address, data))
		return false;
	if (lapic_matches(l, &message))
		lapic_accept(l, &message);
	return true;
}

void lapic_route(struct lapic *const *all, unsigned count, const struct lapic *sender,
		 const struct lapic_message *message)
{
	struct lapic *lowest = NULL;

	for (unsigned i = 0; i < count; i++) {
		struct lapic *l = all[i];

		if ((message->not_sender && l == sender) || !lapic_matches(l, message))
			continue;
		if (message->mode != LAPIC_LOWEST)
			lapic_accept(l, message);
		else if (l->software_enabled && (!lowest || lapic_ppr(l) < lapic_ppr(lowest)))
			lowest = l;
	}
	if (lowest)
		lapic_accept(lowest, message);
}

void lapic_send_ipi(struct lapic *l, u32 icr, u32 destination)
{
	/*
	 * Trigger and level mean something for the INIT de-assert only; all other IPIs are edges (SDM
	 * 11.6.1).
	 */
	struct lapic_message message = {
		.destination = destination == 0xff && !lapic_x2apic(l) ? LAPIC_BROADCAST : destination,
		.vector = icr,
		.mode = icr >> 8 & 7,
		.logical = icr & 0x800,
		.deassert = (icr & 0xc000) == 0x8000,
	};

	if (message.mode <= LAPIC_LOWEST && message.vector < 16) {
		lapic_raise_error(l, LAPIC_ERROR_SEND_VECTOR);
		return;
	}
	switch (icr >> 18 & 3) {
	case 1:
		lapic_accept(l, &message);
		return;
	case 3:
		message.not_sender = true;
		/* fall through */
	case 2:
		message.destination = LAPIC_BROADCAST;
		break;
	default:
		break;
	}
	if (l->ops->send)
		l->ops->send(l->owner, &message);
	else if (!message.not_sender && lapic_matches(l, &message))
		lapic_accept(l, &message);
}
