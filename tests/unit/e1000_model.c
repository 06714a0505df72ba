// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/e1000_model.h"

#include <stdlib.h>
#include <string.h>

#define R(model, offset) ((model)->reg[(offset) / 4])

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* ---- memory ---- */

static u8 *dma(struct e1000_model *model, u64 address, u64 length)
{
	u64 start = (u64)model->memory;

	require(model->master && !model->firmware);
	require(address >= start && length <= model->size && address - start <= model->size - length);
	return (u8 *)address;
}

/* The ring at `base`: how many descriptors it has. */
static unsigned ring(struct e1000_model *model, u32 base, u64 *address)
{
	u32 length = R(model, base + 8);

	*address = (u64)R(model, base + 4) << 32 | R(model, base);
	require(length && length % 128 == 0 && *address % 16 == 0);
	require(R(model, base + 0x10) < length / 16 && R(model, base + 0x18) < length / 16);
	return length / 16;
}

/* ---- frames ---- */

static void put(u8 *at, unsigned size, u64 value)
{
	for (unsigned i = 0; i < size; i++)
		at[i] = (u8)(value >> (8 * i));
}

static u64 get(const u8 *at, unsigned size)
{
	u64 value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (u64)at[i] << (8 * i);
	return value;
}

bool model_receive(struct e1000_model *model, const void *frame, unsigned length)
{
	const u8 *bytes = frame;
	unsigned count, needed = length / 2048 + (length % 2048 || !length), free;
	u64 address;

	/* EN; stripped of its FCS; buffers of 2 KiB. */
	if (!(R(model, 0x100) & 2) || model->firmware || !model->master)
		return false;
	require(R(model, 0x100) & 1u << 26 && !(R(model, 0x100) & (3u << 16 | 1u << 25)));
	/* Promiscuous, or for its own address. */
	if (!(R(model, 0x100) & (bytes[0] & 1 ? 0x10 : 8)))
		return false;
	count = ring(model, 0x2800, &address);
	free = (R(model, 0x2818) + count - R(model, 0x2810)) % count;
	if (needed > free) {
		R(model, 0x4010)++;
		return false;
	}
	for (unsigned part = 0; part < needed; part++) {
		u8 *desc = dma(model, address + 16 * R(model, 0x2810), 16);
		unsigned piece = MIN(length - 2048 * part, 2048u);
		bool last = part == needed - 1;

		memcpy(dma(model, get(desc, 8), 2048), bytes + 2048 * part, piece);
		if (model->scribble)
			put(desc, 8, model->scribble);
		put(desc + 8, 2, model->rx_lies ? model->rx_length : piece);
		put(desc + 10, 2, 0xbeef);
		desc[13] = model->rx_errors;
		desc[12] = 1 | last << 1 | 4;
		R(model, 0x2810) = (R(model, 0x2810) + 1) % count;
	}
	return true;
}

void model_transmit(struct e1000_model *model)
{
	unsigned count;
	u64 address;

	if (!(R(model, 0x400) & 2) || model->firmware || !model->master || model->stalled)
		return;
	count = ring(model, 0x3800, &address);
	while (R(model, 0x3810) != R(model, 0x3818)) {
		u8 *desc = dma(model, address + 16 * R(model, 0x3810), 16);
		unsigned length = get(desc + 8, 2);

		/* Whole frames, with an FCS, that say when they are done; no checksum, no VLAN. */
		require(desc[11] == 0x0b && desc[10] == 0 && !(desc[12] & 1));
		require(length >= 60 && length <= 1514 && model->sent < MODEL_WIRE_MAX);
		memcpy(model->wire[model->sent].bytes, dma(model, get(desc, 8), length), length);
		model->wire[model->sent++].length = length;
		if (model->scribble)
			put(desc, 8, model->scribble);
		desc[12] = 1;
		R(model, 0x3810) = (R(model, 0x3810) + 1) % count;
	}
}

/* ---- registers ---- */

static void reset(struct e1000_model *model)
{
	u32 link = R(model, 8) & 2;

	model->resets++;
	if (model->lazy)
		return;
	memset(model->reg, 0, sizeof(model->reg));
	R(model, 8) = 0x80 | link;
	model->firmware = false;
	model->ready_us = model->now_us + model->reset_us;
	if (model->ra_from_eeprom) {
		R(model, 0x5400) = model->eeprom[0] | (u32)model->eeprom[1] << 16;
		R(model, 0x5404) = model->eeprom[2] | 1u << 31;
	}
}

static u32 model_read(void *owner, u32 offset)
{
	struct e1000_model *model = owner;
	u32 value;

	require(offset < E1000_REGISTER_BYTES && offset % 4 == 0);
	if (model->gone)
		return ~0u;
	value = R(model, offset);
	if (offset >= 0x4000 && offset < 0x4100)
		R(model, offset) = 0;
	if (offset == 0 && (model->stuck || model->now_us < model->ready_us))
		value |= 1u << 26;
	return value;
}

static void model_write(void *owner, u32 offset, u32 value)
{
	struct e1000_model *model = owner;

	require(offset < E1000_REGISTER_BYTES && offset % 4 == 0);
	if (model->gone)
		return;
	/* 13.4.1: nothing is to be asked of it while it is being reset, but for CTRL. */
	require(offset == 0 || model->now_us >= model->ready_us);
	switch (offset) {
	case 0:
		R(model, 0) = value & ~(1u << 26);
		if (value & 1u << 26)
			reset(model);
		break;
	case 8:
		break;
	case 0x14:
		if (value & 1 && !model->no_eeprom)
			value = (u32)model->eeprom[value >> 8 & 0x3f] << 16 | (value & 0xff00) | 0x10;
		R(model, 0x14) = value;
		break;
	case 0xd0: /* IMS */
		R(model, 0xd0) |= value;
		break;
	case 0xd8: /* IMC */
		R(model, 0xd0) &= ~value;
		break;
	case 0x100:
	case 0x400:
		R(model, offset) = value;
		model_transmit(model);
		break;
	case 0x2800:
		R(model, offset) = value;
		model->firmware = false;
		break;
	case 0x3818:
		R(model, offset) = value;
		model_transmit(model);
		break;
	default:
		R(model, offset) = value;
		break;
	}
}

static void model_wait(void *owner, unsigned microseconds)
{
	struct e1000_model *model = owner;

	model->now_us += microseconds;
}

void model_set_link(struct e1000_model *model, bool up)
{
	R(model, 8) = (R(model, 8) & ~2u) | (up ? 2 : 0);
}

struct e1000_machine model_machine(struct e1000_model *model)
{
	return (struct e1000_machine){ model_read, model_write, model_wait, model };
}

void model_init(struct e1000_model *model, void *memory, u64 size)
{
	memset(model, 0, sizeof(*model));
	model->memory = memory;
	model->size = size;
	model->ra_from_eeprom = true;
	model->reset_us = 3;
	model->eeprom[0] = 0x5452;
	model->eeprom[1] = 0x1200;
	model->eeprom[2] = 0x5634;
	/* Firmware's driver: rings somewhere, both directions on, an interrupt enabled. */
	model->firmware = true;
	R(model, 0x100) = R(model, 0x400) = 2;
	R(model, 0xd0) = 0x80;
	R(model, 0x2800) = R(model, 0x3800) = 0x100000;
	R(model, 0x2808) = R(model, 0x3808) = 128;
	R(model, 0x2818) = 7;
	R(model, 8) = 0x82;
}
