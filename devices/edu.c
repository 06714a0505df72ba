// SPDX-License-Identifier: BSD-2-Clause
#include "devices/edu.h"

/* Registers. */
enum {
	EDU_ID = 0x00,
	EDU_LIVENESS = 0x04,
	EDU_FACTORIAL = 0x08,
	EDU_STATUS = 0x20,
	EDU_INTERRUPTS = 0x24,
	EDU_RAISE = 0x60,
	EDU_ACKNOWLEDGE = 0x64,
	EDU_SOURCE = 0x80, /* from here on 4 or 8 bytes wide, below 4 */
	EDU_DESTINATION = 0x88,
	EDU_COUNT = 0x90,
	EDU_COMMAND = 0x98,
};

#define ID_VALUE 0x010000edu

#define STATUS_COMPUTING 0x01u
#define STATUS_INTERRUPT 0x80u /* raise an interrupt after a factorial */

#define COMMAND_RUN	  1u
#define COMMAND_TO_RAM	  2u
#define COMMAND_INTERRUPT 4u

static void raise_interrupt(struct edu *edu, u32 causes)
{
	if (!causes)
		return;
	edu->interrupts |= causes;
	if (!pci_interrupt_by_message(&edu->pci, 0))
		pci_set_interrupt(&edu->pci, true);
}

static void start(struct edu *edu, struct timer *timer)
{
	timer_arm(edu->timers, timer, clock_now(edu->clock) + clock_ticks(edu->clock, 1, EDU_DELAY_HZ));
}

static void computed(void *device)
{
	struct edu *edu = device;
	u32 result = 1;

	/*
	 * From 34! on a factorial has 32 factors of two: modulo 2^32 it is 0. The guest chooses how long the
	 * loop is.
	 */
	if (edu->factorial >= 34)
		result = 0;
	for (u32 n = edu->factorial; result && n > 1; n--)
		result *= n;
	edu->factorial = result;
	edu->status &= ~STATUS_COMPUTING;
	if (edu->status & STATUS_INTERRUPT)
		raise_interrupt(edu, EDU_IRQ_FACTORIAL);
}

/* The device has 28 address lines. */
static u64 ram_address(struct edu *edu, u64 address)
{
	if (address & ~EDU_DMA_MASK)
		log_limited(&edu->rate, LOG_WARN, "%s: DMA address 0x%llx cut to 28 bits", edu->pci.name,
			    (unsigned long long)address);
	return address & EDU_DMA_MASK;
}

static void transferred(void *device)
{
	struct edu *edu = device;
	bool to_ram = edu->command & COMMAND_TO_RAM;
	u64 inner = (to_ram ? edu->source : edu->destination) - EDU_BUFFER;
	u64 count = edu->count;

	if (count > EDU_BUFFER_SIZE || inner > EDU_BUFFER_SIZE - count)
		log_limited(&edu->rate, LOG_WARN,
			    "%s: DMA of 0x%llx bytes at 0x%llx leaves the device's buffer", edu->pci.name,
			    (unsigned long long)count, (unsigned long long)(inner + EDU_BUFFER));
	else if (to_ram)
		dma_write(&edu->pci.dma, ram_address(edu, edu->destination), edu->buffer + inner, count);
	else
		dma_read(&edu->pci.dma, ram_address(edu, edu->source), edu->buffer + inner, count);
	edu->command &= ~(u64)COMMAND_RUN;
	if (edu->command & COMMAND_INTERRUPT)
		raise_interrupt(edu, EDU_IRQ_DMA);
}

static bool decoded(u64 offset, unsigned size)
{
	return size == 4 || offset >= EDU_SOURCE;
}

static enum mem_result registers_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct edu *edu = device;
	u64 ones = BITS(8 * size - 1, 0);

	*value = ones;
	if (!decoded(offset, size))
		return MEM_OK;
	switch (offset) {
	case EDU_ID:
		*value = ID_VALUE;
		break;
	case EDU_LIVENESS:
		*value = edu->liveness;
		break;
	case EDU_FACTORIAL:
		*value = edu->factorial;
		break;
	case EDU_STATUS:
		*value = edu->status;
		break;
	case EDU_INTERRUPTS:
		*value = edu->interrupts;
		break;
	case EDU_SOURCE:
		*value = edu->source & ones;
		break;
	case EDU_DESTINATION:
		*value = edu->destination & ones;
		break;
	case EDU_COUNT:
		*value = edu->count & ones;
		break;
	case EDU_COMMAND:
		*value = edu->command & ones;
		break;
	default:
		break;
	}
	return MEM_OK;
}

static void write_dma(struct edu *edu, u64 offset, u64 value)
{
	if (edu->command & COMMAND_RUN)
		return;
	switch (offset) {
	case EDU_SOURCE:
		edu->source = value;
		break;
	case EDU_DESTINATION:
		edu->destination = value;
		break;
	case EDU_COUNT:
		edu->count = value;
		break;
	case EDU_COMMAND:
		if (!(value & COMMAND_RUN))
			break;
		edu->command = value;
		start(edu, &edu->transferred);
		break;
	default:
		break;
	}
}

static enum mem_result registers_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct edu *edu = device;

	if (!decoded(offset, size))
		return MEM_OK;
	switch (offset) {
	case EDU_LIVENESS:
		edu->liveness = ~(u32)value;
		break;
	case EDU_FACTORIAL:
		if (edu->status & STATUS_COMPUTING)
			break;
		edu->factorial = value;
		edu->status |= STATUS_COMPUTING;
		start(edu, &edu->computed);
		break;
	case EDU_STATUS:
		edu->status = (edu->status & ~STATUS_INTERRUPT) | (value & STATUS_INTERRUPT);
		break;
	case EDU_RAISE:
		raise_interrupt(edu, value);
		break;
	case EDU_ACKNOWLEDGE:
		edu->interrupts &= ~(u32)value;
		if (!edu->interrupts)
			pci_set_interrupt(&edu->pci, false);
		break;
	default:
		write_dma(edu, offset, value);
		break;
	}
	return MEM_OK;
}

static const struct region_ops registers_ops = {
	.read = registers_read,
	.write = registers_write,
	.valid = { 4, 8, false },
	.impl = { 4, 8, false },
};

void edu_init(struct edu *edu, const char *name, const struct clock *clock, struct timer_queue *timers)
{
	static const struct pci_id id = {
		.vendor = 0x1234,
		.device = 0x11e8,
		.class = 0x00ff00,
		.revision = 0x10,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
	};

	*edu = (struct edu){ .clock = clock, .timers = timers };
	timer_init(&edu->computed, computed, edu);
	timer_init(&edu->transferred, transferred, edu);
	region_init_mmio(&edu->registers, name, EDU_BAR_SIZE, &registers_ops, edu);
	pci_function_init(&edu->pci, name, &id);
	pci_add_bar(&edu->pci, 0, PCI_BAR_MEMORY32, &edu->registers);
	pci_add_intx(&edu->pci, 1);
	msi_add(&edu->pci, EDU_MSI_VECTORS, false);
}
