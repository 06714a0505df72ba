/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of PCI devices share: a board with guest RAM, a PCI bus with a memory and an I/O window in
 * front of it, a space for devices to master, recorders for wires and messages, and a clock that moves only
 * when told.
 */
#ifndef TESTS_UNIT_PCI_RIG_H
#define TESTS_UNIT_PCI_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "devices/pci.h"
#include "devices/timer.h"
#include "mm/space.h"

#define RIG_RAM_SIZE	 (64 * KiB)
#define RIG_WINDOW	 0xc0000000ull
#define RIG_WINDOW_SIZE	 0x3ec00000ull
#define RIG_HIGH_WINDOW	 (64 * GiB)
#define RIG_HIGH_SIZE	 (16 * GiB)
#define RIG_IO_WINDOW	 0x1000
#define RIG_MESSAGES_MAX 64

struct pci_rig {
	struct mem_core core;
	struct region system, ram, pci_memory, pci_io, window, high_window, ports, io_window, config_ports,
		master;
	struct address_space memory, io, dma;
	struct section_cache cache;
	struct pci_host host;
	u8 *bytes; /* the RAM */

	struct clock clock;
	struct timer_queue queue;
	u64 now;

	bool level[PCI_INTX_WIRES];
	unsigned rises, messages;
	struct {
		u64 address;
		u32 data;
		u16 requester;
	} message[RIG_MESSAGES_MAX];
	unsigned resets;
	u8 reset_value;
};

static inline u64 pci_rig_now(void *source)
{
	return ((struct pci_rig *)source)->now;
}

static inline void pci_rig_wire(void *controller, unsigned pin, bool level)
{
	struct pci_rig *rig = controller;

	assert_true(pin < PCI_INTX_WIRES);
	rig->rises += level && !rig->level[pin];
	rig->level[pin] = level;
}

static inline void pci_rig_message(void *sink, u64 address, u32 data, u16 requester)
{
	struct pci_rig *rig = sink;
	unsigned n = rig->messages++ % RIG_MESSAGES_MAX;

	rig->message[n].address = address;
	rig->message[n].data = data;
	rig->message[n].requester = requester;
}

static inline enum mem_result pci_rig_reset_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct pci_rig *rig = device;

	assert_int_equal(offset, 0);
	assert_int_equal(size, 1);
	*value = rig->reset_value;
	return MEM_OK;
}

static inline enum mem_result pci_rig_reset_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pci_rig *rig = device;

	assert_int_equal(offset, 0);
	assert_int_equal(size, 1);
	rig->resets++;
	rig->reset_value = value;
	return MEM_OK;
}

static const struct region_ops pci_rig_reset_ops = { .read = pci_rig_reset_read,
						     .write = pci_rig_reset_write };

static inline struct pci_rig *pci_rig_new(void)
{
	struct pci_rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->bytes = aligned_alloc(PAGE_SIZE, RIG_RAM_SIZE);
	assert_non_null(rig->bytes);
	memset(rig->bytes, 0, RIG_RAM_SIZE);
	mem_core_init(&rig->core);
	region_init_container(&rig->system, "memory", REGION_SIZE_WHOLE);
	region_init_ram(&rig->ram, "ram", RIG_RAM_SIZE, rig->bytes);
	region_init_container(&rig->pci_memory, "pci", REGION_SIZE_WHOLE);
	region_init_container(&rig->pci_io, "pci io", 64 * KiB);
	region_init_alias(&rig->window, "pci window", RIG_WINDOW_SIZE, &rig->pci_memory, RIG_WINDOW);
	region_init_alias(&rig->high_window, "pci window 64", RIG_HIGH_SIZE, &rig->pci_memory,
			  RIG_HIGH_WINDOW);
	region_init_container(&rig->ports, "ports", 64 * KiB);
	region_init_alias(&rig->io_window, "pci io window", 0xf000, &rig->pci_io, RIG_IO_WINDOW);
	region_init_mmio(&rig->config_ports, "pci config", 8, &pci_config_ports_ops, &rig->host);
	region_init_alias(&rig->master, "all ram", RIG_RAM_SIZE, &rig->ram, 0);
	assert_int_equal(region_add(&rig->system, 0, &rig->ram, 0), 0);
	assert_int_equal(region_add(&rig->system, RIG_WINDOW, &rig->window, 0), 0);
	assert_int_equal(region_add(&rig->system, RIG_HIGH_WINDOW, &rig->high_window, 0), 0);
	assert_int_equal(region_add(&rig->ports, 0xcf8, &rig->config_ports, 0), 0);
	assert_int_equal(region_add(&rig->ports, RIG_IO_WINDOW, &rig->io_window, 0), 0);
	assert_int_equal(as_init(&rig->memory, &rig->core, "memory", &rig->system, UNCLAIMED_ONES), 0);
	assert_int_equal(as_init(&rig->io, &rig->core, "ports", &rig->ports, UNCLAIMED_ONES), 0);
	assert_int_equal(as_init(&rig->dma, &rig->core, "dma", &rig->master, UNCLAIMED_ONES), 0);
	as_set_ram_only(&rig->dma, true);
	rig->host = (struct pci_host){
		.core = &rig->core,
		.memory = &rig->pci_memory,
		.io = &rig->pci_io,
		.msi = { pci_rig_message, rig },
		.reset_ops = &pci_rig_reset_ops,
		.reset_device = rig,
	};
	for (unsigned i = 0; i < PCI_INTX_WIRES; i++) {
		rig->host.wire[i] = (struct irq_line){ pci_rig_wire, rig, i };
		rig->host.line[i] = 16 + i;
	}
	pci_host_init(&rig->host);
	rig->clock = (struct clock){ pci_rig_now, rig, 30000000 };
	return rig;
}

static inline void pci_rig_free(struct pci_rig *rig)
{
	as_destroy(&rig->memory);
	as_destroy(&rig->io);
	as_destroy(&rig->dma);
	mem_core_destroy(&rig->core);
	free(rig->bytes);
	free(rig);
}

static inline u32 pci_rig_in(struct pci_rig *rig, u16 port, unsigned size)
{
	u64 value;

	as_load(&rig->io, &(struct section_cache){ 0 }, port, size, &value);
	return value;
}

static inline void pci_rig_out(struct pci_rig *rig, u16 port, unsigned size, u32 value)
{
	as_store(&rig->io, &(struct section_cache){ 0 }, port, size, value);
}

/* As Linux does it. */
static inline u32 pci_rig_config(struct pci_rig *rig, u8 devfn, unsigned offset, unsigned size)
{
	pci_rig_out(rig, 0xcf8, 4, 0x80000000 | devfn << 8 | (offset & 0xfc));
	return pci_rig_in(rig, 0xcfc + (offset & 3), size);
}

static inline void pci_rig_set_config(struct pci_rig *rig, u8 devfn, unsigned offset, unsigned size,
				      u32 value)
{
	pci_rig_out(rig, 0xcf8, 4, 0x80000000 | devfn << 8 | (offset & 0xfc));
	pci_rig_out(rig, 0xcfc + (offset & 3), size, value);
}

static inline u64 pci_rig_load(struct pci_rig *rig, u64 address, unsigned size)
{
	u64 value;

	as_load(&rig->memory, &rig->cache, address, size, &value);
	return value;
}

static inline void pci_rig_store(struct pci_rig *rig, u64 address, unsigned size, u64 value)
{
	as_store(&rig->memory, &rig->cache, address, size, value);
}

#endif
