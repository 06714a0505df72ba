// SPDX-License-Identifier: BSD-2-Clause
/*
 * Two functions with BARs, MSI and MSI-X under any sequence of configuration and register accesses, through the ports
 * and through ECAM, of every size. A naive copy of every configuration byte is kept by the masks; the address map is
 * held against the BARs as they read; RAM, and whatever lies outside of the windows, must never be covered. Wires are
 * what COMMAND and the capabilities make of the devices' wishes; a vector that is raised is sent, or waits for its
 * mask and no longer.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/edu.h"
#include "mm/space.h"

#define WINDOW	    0xc0000000ull
#define WINDOW_SIZE 0x3ec00000ull
#define RAM_SIZE    (64 * KiB)
#define ECAM	    0xb0000000ull
#define ECAM_SIZE   (2 * MiB) /* two buses, of which one is there */
#define FUNCTIONS   2
#define VECTORS	    7 /* of the other function, by MSI-X */

struct board {
	struct mem_core core;
	struct region system, ram, pci_memory, pci_io, window, ports, io_window, config_ports, ecam, master,
		big;
	struct address_space memory, io, dma;
	struct section_cache cache, io_cache;
	struct pci_host host;
	struct edu edu;
	struct pci_function other;
	u8 bytes[RAM_SIZE] __attribute__((aligned(4096)));
	u64 now;
	struct clock clock;
	struct timer_queue queue;
	u8 model[FUNCTIONS][PCI_CONFIG_SIZE];
	bool level[PCI_INTX_WIRES];
	bool wish[FUNCTIONS];
	u64 sent;
};

static const u8 places[FUNCTIONS] = { PCI_DEVFN(4, 0), PCI_DEVFN(4, 1) };

static void require(bool condition)
{
	if (!condition)
		abort();
}

static u64 clock_source(void *source)
{
	return ((struct board *)source)->now;
}

static void wire(void *controller, unsigned pin, bool level)
{
	struct board *b = controller;

	require(b->level[pin] != level);
	b->level[pin] = level;
}

static void message(void *sink, u64 address, u32 data, u16 requester)
{
	struct board *b = sink;

	(void)data;
	b->sent++;
	require(address >> 20 == 0xfee);
	require(requester == places[0] || requester == places[1]);
	require(b->host.functions[requester]->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
}

static enum mem_result big_read(void *device, u64 offset, unsigned size, u64 *value)
{
	(void)device;
	require(offset <= 4 * GiB - size);
	*value = 0x11;
	return MEM_OK;
}

static const struct region_ops big_ops = { .read = big_read,
					   .valid = { 1, 8, false },
					   .impl = { 1, 8, false } };

static struct pci_function *function_of(struct board *b, unsigned i)
{
	return i ? &b->other : &b->edu.pci;
}

static void build(struct board *b)
{
	static const struct pci_id id = { .vendor = 0xabcd };

	memset(b, 0, sizeof(*b));
	mem_core_init(&b->core);
	region_init_container(&b->system, "memory", REGION_SIZE_WHOLE);
	region_init_ram(&b->ram, "ram", RAM_SIZE, b->bytes);
	region_init_container(&b->pci_memory, "pci", REGION_SIZE_WHOLE);
	region_init_container(&b->pci_io, "pci io", 64 * KiB);
	region_init_alias(&b->window, "pci window", WINDOW_SIZE, &b->pci_memory, WINDOW);
	region_init_container(&b->ports, "ports", 64 * KiB);
	region_init_alias(&b->io_window, "io window", 0xf000, &b->pci_io, 0x1000);
	region_init_mmio(&b->config_ports, "config", 8, &pci_config_ports_ops, &b->host);
	region_init_mmio(&b->ecam, "ecam", ECAM_SIZE, &pci_ecam_ops, &b->host);
	region_init_alias(&b->master, "all ram", RAM_SIZE, &b->ram, 0);
	region_init_mmio(&b->big, "big", 4 * GiB, &big_ops, NULL);
	region_add(&b->system, 0, &b->ram, 0);
	region_add(&b->system, WINDOW, &b->window, 0);
	region_add(&b->system, ECAM, &b->ecam, 0);
	region_add(&b->ports, 0xcf8, &b->config_ports, 0);
	region_add(&b->ports, 0x1000, &b->io_window, 0);
	require(!as_init(&b->memory, &b->core, "memory", &b->system, UNCLAIMED_ONES));
	require(!as_init(&b->io, &b->core, "io", &b->ports, UNCLAIMED_ONES));
	require(!as_init(&b->dma, &b->core, "dma", &b->master, UNCLAIMED_ONES));
	b->host = (struct pci_host){
		.core = &b->core, .memory = &b->pci_memory, .io = &b->pci_io, .msi = { message, b }
	};
	for (unsigned i = 0; i < PCI_INTX_WIRES; i++)
		b->host.wire[i] = (struct irq_line){ wire, b, i };
	b->clock = (struct clock){ clock_source, b, 30000000 };
	pci_host_init(&b->host);
	edu_init(&b->edu, "edu", &b->clock, &b->queue);
	pci_function_init(&b->other, "other", &id);
	pci_add_intx(&b->other, 2);
	require(pci_add_bar(&b->other, 0, PCI_BAR_MEMORY64, &b->big));
	require(msix_add(&b->other, VECTORS, 2));
	require(msi_add(&b->other, 8, true));
	for (unsigned i = 0; i < FUNCTIONS; i++)
		require(!pci_add(&b->host, function_of(b, i), places[i], &b->dma));
	for (unsigned i = 0; i < FUNCTIONS; i++)
		memcpy(b->model[i], function_of(b, i)->config, PCI_CONFIG_SIZE);
}

static void demolish(struct board *b)
{
	region_remove(&b->edu.registers);
	region_remove(&b->big);
	region_remove(&b->other.msix.region);
	as_destroy(&b->memory);
	as_destroy(&b->io);
	as_destroy(&b->dma);
	mem_core_destroy(&b->core);
}

/* What a BAR that is on covers: itself, or another BAR that lies over it. */
static void check_map(struct board *b)
{
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		struct pci_function *function = function_of(b, i);
		bool on = function->config[PCI_COMMAND] & PCI_COMMAND_MEMORY;

		for (unsigned bar = 0; bar < PCI_BARS; bar++) {
			u64 at = pci_bar_address(function, bar);
			const struct section *section;

			if (!function->bar[bar].region || at < WINDOW || at >= WINDOW + WINDOW_SIZE)
				continue;
			section = as_lookup(&b->memory, &(struct section_cache){ 0 }, at);
			if (on)
				require(section->kind == SECTION_MMIO);
			else
				require(section->region != function->bar[bar].region);
		}
	}
	require(as_lookup(&b->memory, &b->cache, 0x1000)->region == &b->ram);
	require(as_lookup(&b->memory, &b->cache, 0xfee00000)->kind == SECTION_UNCLAIMED);
	require(as_lookup(&b->memory, &b->cache, 4 * GiB)->kind == SECTION_UNCLAIMED);
	require(as_lookup(&b->io, &b->io_cache, 0xcfc)->region == &b->config_ports);
}

/* Bytes that change by themselves: the interrupt status bit, MSI's pending bits. */
static bool is_live(const struct pci_function *function, unsigned offset)
{
	return offset == PCI_STATUS || (function->msi.offset && offset >= function->msi.offset + 20u &&
					offset < function->msi.offset + 24u);
}

static void model_write(struct board *b, unsigned which, unsigned offset, unsigned size, u64 value)
{
	const struct pci_function *function = function_of(b, which);

	for (unsigned i = offset; i < offset + size; i++, value >>= 8) {
		u8 *byte = &b->model[which][i];

		*byte = (*byte & ~function->writable[i]) | (value & function->writable[i]);
		*byte &= ~(value & function->clears[i]);
	}
}

static void model_check(struct board *b, unsigned which, unsigned offset, unsigned size, u64 got)
{
	for (unsigned i = offset; i < offset + size; i++, got >>= 8) {
		if (!is_live(function_of(b, which), i))
			require((u8)got == b->model[which][i]);
	}
}

/* Any place in the dword by either convention: the low bits in the latch, or in the port. */
static void port_access(struct board *b, const u8 *data, u64 value)
{
	unsigned which = data[1] & 1, size = 1u << (data[1] >> 1 & 3) % 3, offset = data[2];
	unsigned port = 0xcfc + (data[1] & 8 ? offset & 3 : 0);
	bool inside = (offset & 3) + size <= 4;
	u64 got;

	as_store(&b->io, &b->io_cache, 0xcf8, 4,
		 0x80000000u | places[which] << 8 | (data[1] & 8 ? offset & ~3u : offset));
	/* What goes beyond the ports is two accesses for the bus: of others' ports too. */
	if (port + size > 0xd00)
		return;
	if (data[1] & 0x80) {
		as_store(&b->io, &b->io_cache, port, size, value);
		if (inside)
			model_write(b, which, offset, size, value);
		return;
	}
	as_load(&b->io, &b->io_cache, port, size, &got);
	if (inside)
		model_check(b, which, offset, size, got);
	else
		require(got == BITS(8 * size - 1, 0));
}

static void ecam_access(struct board *b, const u8 *data, u64 value)
{
	unsigned which = data[1] & 1, size = 1u << (data[1] >> 1 & 3), offset = data[2] & ~(size - 1);
	/* One of the two functions, or anything. */
	u64 place = data[1] & 8 ? (u64)places[which] << 12 : value >> 11 & (ECAM_SIZE - 1) & ~PAGE_MASK;
	u64 at = place + (data[1] & 0x10 ? data[6] << 4 & 0xf00 : 0) + offset, got;
	struct pci_function *function = place >> 12 < PCI_FUNCTIONS ? b->host.functions[place >> 12] : NULL;

	value |= value << 32;
	if (data[1] & 0x80)
		as_store(&b->memory, &b->cache, ECAM + at, size, value);
	as_load(&b->memory, &b->cache, ECAM + at, size, &got);
	if (!function || (at & PAGE_MASK) >= PCI_CONFIG_SIZE) {
		require(got == BITS(8 * size - 1, 0));
		return;
	}
	if (function == &b->host.bridge)
		return;
	which = function == &b->other;
	if (data[1] & 0x80)
		model_write(b, which, offset, size, value);
	model_check(b, which, offset, size, got);
}

static bool enabled_by(const struct pci_function *function, u8 capability, unsigned bit)
{
	return capability && pci_read16(function, capability + 2) >> bit & 1;
}

static bool has_messages(const struct pci_function *function)
{
	return enabled_by(function, function->msix.offset, 15) ||
	       enabled_by(function, function->msi.offset, 0);
}

/* Wires and waiting vectors, as they must be after anything. */
static void check_interrupts(struct board *b)
{
	const struct pci_function *other = &b->other;
	bool level[PCI_INTX_WIRES] = { false };
	u64 masked = 0;

	b->wish[0] = b->edu.interrupts && b->edu.pci.interrupt;
	for (unsigned i = 0; i < FUNCTIONS; i++) {
		const struct pci_function *function = function_of(b, i);

		require(function->dma.bus_master == !!(b->model[i][PCI_COMMAND] & PCI_COMMAND_MASTER));
		require(b->wish[i] == !!(function->config[PCI_STATUS] & PCI_STATUS_INTERRUPT));
		if (b->wish[i] && !(b->model[i][PCI_COMMAND + 1] << 8 & PCI_COMMAND_INTX_DISABLE) &&
		    !has_messages(function))
			level[((places[i] >> 3) + function->config[PCI_INTERRUPT_PIN] - 1) % PCI_INTX_WIRES] =
				true;
	}
	require(!memcmp(level, b->level, sizeof(level)));

	for (unsigned i = 0; i < VECTORS; i++)
		masked |= (u64)(other->msix.entries[i].control & 1) << i;
	if (enabled_by(other, other->msix.offset, 15) && !enabled_by(other, other->msix.offset, 14))
		require(!(other->msix.pending & ~masked));
	require(!(other->msix.pending >> VECTORS));
	if (enabled_by(other, other->msi.offset, 0))
		require(!(pci_read32(other, other->msi.offset + 20) &
			  ~pci_read32(other, other->msi.offset + 16)));
}

/* A vector is sent (or dropped for want of bus mastering) once, or waits, or INTx is what is left. */
static void raise_vector(struct board *b, unsigned vector)
{
	struct pci_function *other = &b->other;
	bool msix = enabled_by(other, other->msix.offset, 15), messages = has_messages(other), waits = false;
	u64 before = other->messages + other->messages_refused;

	if (msix && vector < VECTORS)
		waits = enabled_by(other, other->msix.offset, 14) || other->msix.entries[vector].control & 1;
	else if (!msix && messages && vector < 32)
		waits = pci_read32(other, other->msi.offset + 16) >> vector & 1;
	require(pci_interrupt_by_message(other, vector) == messages);
	require(other->messages + other->messages_refused - before ==
		(messages && !waits && (!msix || vector < VECTORS)));
	if (waits)
		require((msix ? other->msix.pending : pci_read32(other, other->msi.offset + 20)) >> vector &
			1);
}

/* What a driver writes, so that masks and vectors are used at all. */
static void driver_step(struct board *b, const u8 *data)
{
	const struct pci_function *other = &b->other;
	u8 msi = other->msi.offset, msix = other->msix.offset;
	const struct {
		unsigned offset, size;
		u32 value;
	} steps[] = {
		{ PCI_COMMAND, 2,
		  data[2] & 1	? 0x6
		  : data[2] & 2 ? 0x406
				: 0x4 },
		{ PCI_BAR0 + 8, 4, 0xd0000000 },
		{ msix + 2u, 2, data[2] << 14 },
		{ msi + 2u, 2, data[2] & 0x71 },
		{ msi + 16u, 4, data[2] },
		{ msi + 4u, 4, 0xfee00000 },
	};
	unsigned i = data[1] >> 1 & 7;

	if (i < ARRAY_SIZE(steps)) {
		as_store(&b->memory, &b->cache, ECAM + ((u64)places[1] << 12) + steps[i].offset,
			 steps[i].size, steps[i].value);
		model_write(b, 1, steps[i].offset, steps[i].size, steps[i].value);
	} else {
		as_store(&b->memory, &b->cache, pci_bar_address(other, 2) + data[2] % VECTORS * 16, 4,
			 0xfee01000);
		as_store(&b->memory, &b->cache, pci_bar_address(other, 2) + data[2] % VECTORS * 16 + 12, 4,
			 data[2] >> 7);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct board b;

	build(&b);
	for (; size >= 7; data += 7, size -= 7) {
		u64 value = 0;

		memcpy(&value, data + 3, 4);
		switch (data[0] & 7) {
		case 0:
		case 1:
			port_access(&b, data, value);
			break;
		case 2:
			ecam_access(&b, data, value);
			break;
		case 3: /* any port around the address latch, any width */
			if (data[0] & 0x80)
				as_store(&b.io, &b.io_cache, 0xcf4 + (data[1] & 7), 1u << (data[2] & 3) % 3,
					 value);
			else
				as_load(&b.io, &b.io_cache, 0xcf4 + (data[1] & 7), 1u << (data[2] & 3) % 3,
					&value);
			break;
		case 4: /* registers, where the guest has put them */
			value += pci_bar_address(function_of(&b, data[1] & 1), data[1] & 2) + (data[2] << 3);
			as_store(&b.memory, &b.cache, value & ~7ull, data[1] & 4 ? 4 : 8, value);
			break;
		case 5:
			value = pci_bar_address(&b.edu.pci, 0) + (data[1] & 0xfc);
			as_store(&b.memory, &b.cache, value, 4,
				 data[2] & 1 ? 0x40000 | data[3] << 4 : data[3] | data[4] << 8);
			break;
		case 6:
			if (data[1] & 4) { /* an error that the function reports, for the guest to clear */
				b.other.config[PCI_STATUS + 1] |= data[2] & b.other.clears[PCI_STATUS + 1];
				b.model[1][PCI_STATUS + 1] |= data[2] & b.other.clears[PCI_STATUS + 1];
			}
			b.wish[1] = data[1] & 1;
			pci_set_interrupt(&b.other, data[1] & 1);
			raise_vector(&b, data[1] & 2 ? data[2] : data[2] & 7);
			break;
		default:
			if (data[1] & 1) {
				driver_step(&b, data);
				break;
			}
			b.now += 10000;
			timer_queue_run(&b.queue, b.now);
			break;
		}
		check_map(&b);
		check_interrupts(&b);
	}
	demolish(&b);
	return 0;
}
