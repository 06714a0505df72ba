// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/vtd_play.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const u16 play_requester[PLAY_GATES] = { 0x0008, 0x0009, 0x000c, 0x0100, 0xffff };

/* The last requester's window: what is behind its gate. */
static const struct dma_row window_rows[] = {
	DMA_ROW("low", 0, 16 * PAGE_SIZE, 0, MEM_READ_WRITE),
	DMA_ROW("rest", 16 * PAGE_SIZE, 16 * PAGE_SIZE, 16 * PAGE_SIZE, MEM_READ),
	DMA_ROW("high", HIGH_BASE, 8 * PAGE_SIZE, HIGH_BASE, MEM_READ_WRITE),
};
static const struct dma_table window_table = {
	.device = "windowed", .rows = window_rows, .count = ARRAY_SIZE(window_rows), .requester = 0xffff
};

u8 *play_target(struct play_memory *memory, unsigned gate, u64 address, bool write)
{
	if (gate == PLAY_GATES - 1) {
		const struct dma_row *row = window_rows, *end = row + ARRAY_SIZE(window_rows);

		while (row < end && address - row->iova > row->last)
			row++;
		if (row == end || !(row->permission & (write ? MEM_WRITE : MEM_READ)))
			return NULL;
	}
	if (address < sizeof(memory->low))
		return memory->low + address;
	if (address - HIGH_BASE < sizeof(memory->high))
		return memory->high + (address - HIGH_BASE);
	return NULL;
}

bool play_differ(struct play *play, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(play->why, play->why_size, format, args);
	va_end(args);
	return false;
}

void play_trace(struct play *play, const char *format, ...)
{
	va_list args;

	if (!play->trace)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/*
 * ---- what is seen
 * -------------------------------------------------------------------------------------------
 */

static u64 real_register(struct play *play, u64 offset, unsigned size)
{
	u64 value = 0;

	if (vtd_register_ops.read(&play->unit, offset, size, &value) != MEM_OK)
		return ~0ull;
	return value;
}

/* FRI means nothing while there is no fault (10.4.9). */
static u64 comparable(u64 offset, u64 value)
{
	return offset == 0x34 && !(value & BIT(1)) ? value & ~BITS(15, 8) : value;
}

static bool same_registers(struct play *play)
{
	static const struct {
		u16 first, last;
	} ranges[] = { { 0x00, 0xfc }, { 0x220, 0x220 + 16 * VTD_FAULT_RECORDS } };
	unsigned i;
	u64 offset;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		for (offset = ranges[i].first; offset <= ranges[i].last; offset += 4) {
			u64 real = comparable(offset, real_register(play, offset, 4));
			u64 naive = comparable(offset, naive_vtd_read(&play->naive, offset, 4));

			if (real != naive)
				return play_differ(play, "register 0x%llx reads 0x%llx, not 0x%llx",
						   (unsigned long long)offset, (unsigned long long)real,
						   (unsigned long long)naive);
		}
	}
	return true;
}

static bool same_messages(struct play *play)
{
	unsigned i;

	if (play->messages != play->naive.messages)
		return play_differ(play, "%u messages, not %u", play->messages, play->naive.messages);
	for (i = 0; i < MIN(play->messages, NAIVE_VTD_MESSAGES); i++) {
		if (play->message[i].address != play->naive.message[i].address ||
		    play->message[i].data != play->naive.message[i].data)
			return play_differ(play, "message %llx=%x, not %llx=%x",
					   (unsigned long long)play->message[i].address,
					   play->message[i].data,
					   (unsigned long long)play->naive.message[i].address,
					   play->naive.message[i].data);
	}
	return true;
}

static bool same_memory(struct play *play)
{
	const u8 *real = (const u8 *)play->real_memory, *naive = (const u8 *)play->naive_memory;
	size_t i = 0;

	if (!memcmp(real, naive, sizeof(*play->real_memory)))
		return true;
	while (real[i] == naive[i])
		i++;
	return play_differ(play, "memory at 0x%zx is 0x%02x, not 0x%02x", i, real[i], naive[i]);
}

static bool same_mappings(struct play *play)
{
	unsigned i;

	for (i = 0; i < NAIVE_VTD_MAPPINGS; i++) {
		const struct naive_vtd_mapping *naive = &play->naive.mapping[i];

		if (naive->live && naive->gone && mem_map_valid(&play->mapping[i]))
			return play_differ(play, "a mapping of 0x%llx outlives its invalidation",
					   (unsigned long long)naive->first);
	}
	return true;
}

bool play_same(struct play *play)
{
	return same_registers(play) && same_messages(play) && same_mappings(play) && same_memory(play);
}

/*
 * ---- what software does
 * -------------------------------------------------------------------------------------
 */

void play_poke(struct play *play, u64 address, const void *bytes, u64 size)
{
	u8 *real = play_target(play->real_memory, 0, address, true);
	u8 *naive = play_target(play->naive_memory, 0, address, true);

	memcpy(real, bytes, size);
	memcpy(naive, bytes, size);
}

bool play_write(struct play *play, u64 offset, unsigned size, u64 value)
{
	play_trace(play, "register 0x%llx <- 0x%llx, %u bytes", (unsigned long long)offset,
		   (unsigned long long)value, size);
	if (vtd_register_ops.write(&play->unit, offset, size, value) != MEM_OK)
		return play_differ(play, "register 0x%llx refuses a write", (unsigned long long)offset);
	naive_vtd_write(&play->naive, offset, size, value);
	return true;
}

/*
 * ---- a trial
 * ------------------------------------------------------------------------------------------------
 */

static void message_sent(void *sink, u64 address, u32 data)
{
	struct play *play = sink;

	if (play->messages < NAIVE_VTD_MESSAGES)
		play->message[play->messages] = (struct naive_vtd_message){ address, data };
	play->messages++;
}

static void reset_naive(struct play *play)
{
	const struct naive_vtd_ram ram[NAIVE_VTD_RAMS] = {
		{ 0, sizeof(play->naive_memory->low), play->naive_memory->low },
		{ HIGH_BASE, sizeof(play->naive_memory->high), play->naive_memory->high },
	};
	const struct vtd_config *config = &play->unit.config;
	struct naive_vtd_mapping mapping[NAIVE_VTD_MAPPINGS];

	memcpy(mapping, play->naive.mapping, sizeof(mapping));
	naive_vtd_init(&play->naive, play->unit.cap, play->unit.ecap, config->host_address_width,
		       config->ioapic_unverified ? config->ioapic_requester : -1, ram);
	memcpy(play->naive.mapping, mapping, sizeof(mapping));
	naive_vtd_forget_mappings(&play->naive);
	play->queue_tail = 0;
}

static bool play_reset(struct play *play)
{
	play_trace(play, "reset");
	vtd_reset(&play->unit);
	reset_naive(play);
	return true;
}

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void play_init(struct play *play, u64 seed)
{
	struct vtd_config config = {
		.host_address_width = seed & 1 ? 39 : 46,
		.address_width = seed % 3 ? 48 : 39,
		.interrupt_remapping = seed % 16 != 5,
		.x2apic = seed % 16 != 5 && seed % 4 != 2,
		.ioapic_requester = 0xff00,
		.ioapic_unverified = seed & 2,
		.memory = &play->memory,
		.send = message_sent,
		.sink = play,
		.iotlb = play->iotlb,
		.iotlb_entries = IOTLB_SIZE,
	};
	unsigned i;

	mem_core_init(&play->core);
	region_init_container(&play->root, "root", REGION_SIZE_WHOLE);
	region_init_ram(&play->low, "low", sizeof(play->real_memory->low), play->real_memory->low);
	region_init_ram(&play->high, "high", sizeof(play->real_memory->high), play->real_memory->high);
	expect(!region_add(&play->root, 0, &play->low, 0));
	expect(!region_add(&play->root, HIGH_BASE, &play->high, 0));
	expect(!as_init(&play->memory, &play->core, "memory", &play->root, UNCLAIMED_ONES));
	as_set_ram_only(&play->memory, true);
	dma_window_init(&play->window, "window", &window_table, &play->memory, NULL);
	expect(!as_init(&play->window_space, &play->core, "window", &play->window.iommu.region,
			UNCLAIMED_ONES));
	expect(!vtd_init(&play->unit, &config));
	for (i = 0; i < PLAY_GATES; i++) {
		struct play_gate *gate = &play->gate[i];

		vtd_gate_init(&play->unit, &gate->gate, "gate", play_requester[i],
			      i == PLAY_GATES - 1 ? &play->window_space : &play->memory);
		expect(!as_init(&gate->space, &play->core, "gate", &gate->gate.iommu.region, UNCLAIMED_ONES));
		dma_port_init(&gate->port, "gate", play_requester[i], &gate->space);
		gate->port.bus_master = true;
	}
	reset_naive(play);
	play_fill(play, seed);
}

static void play_destroy(struct play *play)
{
	unsigned i;

	for (i = 0; i < NAIVE_VTD_MAPPINGS; i++) {
		if (play->naive.mapping[i].live)
			dma_unmap(play->mapped_by[i], &play->mapping[i], 0);
	}
	for (i = 0; i < PLAY_GATES; i++)
		as_destroy(&play->gate[i].space);
	as_destroy(&play->window_space);
	as_destroy(&play->memory);
	mem_core_destroy(&play->core);
}

static void count_line(void *to, const char *line)
{
	unsigned *lines = to;

	*lines += strlen(line) < 200 ? 1 : 1000;
}

/* The console looks, which changes nothing, and tells no more of a device than it was asked to. */
static bool play_print(struct play *play, unsigned most)
{
	unsigned lines = 0;

	play_trace(play, "print");
	vtd_print(&play->unit, most, count_line, &lines);
	return lines <= PLAY_GATES * (most + 2) + VTD_FAULT_RECORDS + 16 ||
	       play_differ(play, "%u lines on the console", lines);
}

/* Any word of memory, any register: what no software in its senses does. */
static bool play_anything(struct play *play, const u64 *word)
{
	u64 choice = word[0], at = play_take(&choice, LOW_PAGES * PAGE_SIZE / 8) * 8;

	switch (play_take(&choice, 8)) {
	case 0:
	case 1:
	case 2:
		play_trace(play, "memory 0x%llx = 0x%llx", (unsigned long long)at,
			   (unsigned long long)word[1]);
		play_poke(play, at, &word[1], 8);
		return true;
	case 3:
		return play_print(play, (unsigned)play_take(&choice, 64));
	default:
		return play_write(play, at % VTD_REGISTERS_SIZE + (at & BIT(13) ? 4 : 0),
				  at & (BIT(12) | BIT(13)) ? 4 : 8, word[1]);
	}
}

static bool step(struct play *play, const u64 *word)
{
	unsigned kind = (unsigned)(word[0] >> 16) % 100;

	if (play->naive.contexts > NAIVE_VTD_KEPT - 8 || play->naive.translations > NAIVE_VTD_KEPT - 64 ||
	    play->naive.irtes > NAIVE_VTD_KEPT - 8)
		return play_invalidate_all(play);
	if (kind < 9)
		return play_tables(play, word + 1);
	if (kind < 18)
		return play_change(play, word + 1);
	if (kind < 58)
		return play_dma(play, word + 1);
	if (kind < 65)
		return play_queue(play, word + 1);
	if (kind < 69)
		return play_command(play, word + 1);
	if (kind < 76)
		return play_map(play, word + 1);
	if (kind < 80)
		return play_unmap(play, word + 1);
	if (kind < 92)
		return play_interrupt(play, word + 1);
	if (kind < 95)
		return play_global(play, word + 1);
	if (kind < 97)
		return play_register(play, word + 1);
	if (kind < 98)
		return play_anything(play, word + 1);
	if (word[5] % 32)
		return play_repair(play, word + 1);
	return play_reset(play);
}

bool vtd_play(u64 seed, const struct operation *operations, unsigned count, bool trace, char *why,
	      size_t why_size)
{
	/* One after the other; each apart, so that a reach beyond its end is found. */
	static struct play machine, *play = &machine;
	static struct play_memory real_memory, naive_memory;
	bool ok = true;
	unsigned i;

	memset(play, 0, sizeof(*play));
	play->real_memory = &real_memory;
	play->naive_memory = &naive_memory;
	play->why = why;
	play->why_size = why_size;
	play_init(play, seed);
	play->trace = trace;
	ok = play_same(play);
	for (i = 0; i < count && ok; i++) {
		ok = step(play, operations[i].word) && play_same(play);
		play->messages = play->naive.messages = 0;
		mem_quiescent(&play->core);
	}
	play_destroy(play);
	return ok;
}
