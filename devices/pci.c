// SPDX-License-Identifier: BSD-2-Clause
/* Functions and the bus: making them, decoding of BARs, INTx wires, messages. */
#include "devices/pci.h"

#include <errno.h>
#include <string.h>

#define STATUS_CLEARS	 0xf900u /* parity, aborts, system error */
#define COMMAND_WRITABLE 0x547u	 /* I/O, memory, master, parity, SERR, INTx disable */

void pci_store(struct pci_function *function, unsigned offset, unsigned size, u32 value)
{
	for (unsigned i = 0; i < size; i++)
		function->config[offset + i] = value >> (8 * i);
}

void pci_make_writable(struct pci_function *function, unsigned offset, unsigned size, u32 mask)
{
	for (unsigned i = 0; i < size; i++)
		function->writable[offset + i] = mask >> (8 * i);
}

void pci_function_init(struct pci_function *function, const char *name, const struct pci_id *id)
{
	*function = (struct pci_function){ .name = name, .next_capability = PCI_FIRST_CAPABILITY };
	pci_store(function, PCI_VENDOR, 2, id->vendor);
	pci_store(function, PCI_DEVICE, 2, id->device);
	pci_store(function, PCI_REVISION, 1, id->revision);
	pci_store(function, PCI_CLASS, 3, id->class);
	pci_store(function, PCI_SUBSYSTEM_VENDOR, 2, id->subsystem_vendor);
	pci_store(function, PCI_SUBSYSTEM, 2, id->subsystem);
	pci_make_writable(function, PCI_COMMAND, 2, COMMAND_WRITABLE);
	pci_make_writable(function, PCI_CACHE_LINE, 1, 0xff);
	pci_make_writable(function, PCI_INTERRUPT_LINE, 1, 0xff);
	function->clears[PCI_STATUS + 1] = STATUS_CLEARS >> 8;
}

/* ---- BARs ---- */

static bool is_io(const struct pci_bar *bar)
{
	return bar->kind & PCI_BAR_IO;
}

static bool is_64bit(const struct pci_bar *bar)
{
	return !is_io(bar) && bar->kind & PCI_BAR_MEMORY64;
}

bool pci_add_bar(struct pci_function *function, unsigned index, enum pci_bar_kind kind, struct region *region)
{
	u128 size = region_get_size(region);
	struct pci_bar bar = { region, (u64)size, kind };
	u64 limit = is_io(&bar) ? 256 : is_64bit(&bar) ? BIT(63) : BIT(31);
	u64 mask = ~(bar.size - 1);

	if (index + is_64bit(&bar) >= PCI_BARS || size > limit || bar.size & (bar.size - 1) ||
	    bar.size < (is_io(&bar) ? 4 : 16))
		return false;
	function->bar[index] = bar;
	pci_store(function, PCI_BAR0 + 4 * index, 4, kind);
	pci_make_writable(function, PCI_BAR0 + 4 * index, 4, mask & (is_io(&bar) ? ~3u : ~15u));
	if (is_64bit(&bar))
		pci_make_writable(function, PCI_BAR0 + 4 * index + 4, 4, mask >> 32);
	return true;
}

u64 pci_bar_address(const struct pci_function *function, unsigned index)
{
	const struct pci_bar *bar = &function->bar[index];
	u64 raw = pci_read32(function, PCI_BAR0 + 4 * index);

	if (is_64bit(bar))
		raw |= (u64)pci_read32(function, PCI_BAR0 + 4 * index + 4) << 32;
	/* The kind sits in bits that are below any size. */
	return raw & ~(bar->size - 1);
}

/*
 * Puts the regions where COMMAND and the BARs say. One rebuild of the views at most, none if nothing changed.
 */
static void decode_bars(struct pci_function *function)
{
	struct pci_host *host = function->host;
	u16 command = pci_read16(function, PCI_COMMAND);

	mem_transaction_begin(host->core);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &function->bar[i];
		u64 address = pci_bar_address(function, i);
		/* At 0 is what nobody has placed yet; a large one there would cover the window. */
		bool on = command & (is_io(bar) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY) && address;

		if (!bar->region)
			continue;
		if (on && bar->region->offset != address)
			region_set_offset(bar->region, address);
		if (on != bar->region->enabled)
			region_set_enabled(bar->region, on);
	}
	if (mem_transaction_commit(host->core))
		log_limited(&host->rate, LOG_ERROR, "pci: %s: no memory to move its BARs", function->name);
}

void pci_place_bar(struct pci_function *function, unsigned index, u64 address)
{
	const struct pci_bar *bar = &function->bar[index];

	pci_store(function, PCI_BAR0 + 4 * index, 4, (address & ~(bar->size - 1)) | bar->kind);
	if (is_64bit(bar))
		pci_store(function, PCI_BAR0 + 4 * index + 4, 4, address >> 32);
	decode_bars(function);
}

struct placing {
	u64 next, last; /* the latter included */
};

static bool place(struct pci_function *function, unsigned index, struct placing *window)
{
	const struct pci_bar *bar = &function->bar[index];
	u64 address = ALIGN_UP(window->next, bar->size);
	u64 last = is_64bit(bar) ? window->last : MIN(window->last, BITS(31, 0));

	if (address < window->next || address > last || last - address < bar->size - 1) {
		log_error("pci: %s: no room for BAR %u of 0x%llx bytes", function->name, index,
			  (unsigned long long)bar->size);
		pci_place_bar(function, index, 0);
		return false;
	}
	pci_place_bar(function, index, address);
	window->next = address + bar->size;
	return true;
}

/* All BARs that can go anywhere (or all that cannot). */
static bool place_kind(struct pci_host *host, bool anywhere, struct placing *memory, struct placing *io)
{
	bool all = true;

	for (unsigned devfn = 0; devfn < PCI_FUNCTIONS; devfn++) {
		struct pci_function *function = host->functions[devfn];

		for (unsigned i = 0; function && i < PCI_BARS; i++) {
			const struct pci_bar *bar = &function->bar[i];

			if (bar->region && is_64bit(bar) == anywhere)
				all &= place(function, i, is_io(bar) ? io : memory);
		}
	}
	return all;
}

/* The decode bits that a function needs; none if one of its BARs has no place. */
static u16 decode_bits(const struct pci_function *function)
{
	u16 command = 0;

	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &function->bar[i];

		if (!bar->region)
			continue;
		if (!pci_bar_address(function, i))
			return 0;
		command |= is_io(bar) ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
	}
	return command;
}

int pci_place_bars(struct pci_host *host, u64 memory_first, u64 memory_last, u32 io_first, u32 io_last)
{
	struct placing memory = { memory_first, memory_last }, io = { io_first, io_last };
	/* What must lie below 4 GiB before what may go on beyond. */
	bool all = place_kind(host, false, &memory, &io);

	all &= place_kind(host, true, &memory, &io);
	for (unsigned devfn = 0; devfn < PCI_FUNCTIONS; devfn++) {
		if (host->functions[devfn])
			pci_config_write(host, devfn, PCI_COMMAND, 2, decode_bits(host->functions[devfn]));
	}
	return all ? 0 : -ENOSPC;
}

/* ---- the bus ---- */

u8 pci_add_capability(struct pci_function *function, u8 id, unsigned length)
{
	u8 offset = function->next_capability;

	if (length < 2 || offset < PCI_FIRST_CAPABILITY || length > (unsigned)PCI_CONFIG_SIZE - offset)
		return 0;
	function->config[offset] = id;
	function->config[function->last_capability ? function->last_capability + 1 : PCI_CAPABILITIES] =
		offset;
	function->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
	function->last_capability = offset;
	/* Becomes 0 when the space is used up: then nothing fits any more. */
	function->next_capability = ALIGN_UP(offset + length, 4);
	return offset;
}

void pci_add_intx(struct pci_function *function, u8 pin)
{
	pci_store(function, PCI_INTERRUPT_PIN, 1, pin);
}

static unsigned wire_of(const struct pci_function *function)
{
	return ((function->devfn >> 3) + function->config[PCI_INTERRUPT_PIN] - 1) % PCI_INTX_WIRES;
}

int pci_add(struct pci_host *host, struct pci_function *function, u8 devfn, struct address_space *as)
{
	u8 first = devfn & ~7;

	if (host->functions[devfn])
		return -EEXIST;
	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &function->bar[i];
		int result;

		if (!bar->region)
			continue;
		region_set_enabled(bar->region, false);
		result = region_add_overlapping(is_io(bar) ? host->io : host->memory, 0, bar->region, 0);
		if (result) {
			while (i--) {
				if (function->bar[i].region)
					region_remove(function->bar[i].region);
			}
			return result;
		}
	}
	function->host = host;
	function->devfn = devfn;
	dma_port_init(&function->dma, function->name, devfn, as);
	if (function->config[PCI_INTERRUPT_PIN])
		pci_store(function, PCI_INTERRUPT_LINE, 1, host->line[wire_of(function)]);
	host->functions[devfn] = function;
	for (unsigned other = first + 1; other < first + 8u && host->functions[first]; other++) {
		if (host->functions[other])
			host->functions[first]->config[PCI_HEADER] |= PCI_HEADER_MULTIFUNCTION;
	}
	return 0;
}

void pci_host_init(struct pci_host *host)
{
	/* Class 0600 on bus 0 makes Linux trust mechanism 1; this identity has no quirks attached to it. */
	static const struct pci_id id = { .vendor = 0x1b36, .device = 0x0008, .class = 0x060000 };

	memset(host->functions, 0, sizeof(host->functions));
	memset(host->asserted, 0, sizeof(host->asserted));
	host->address = 0;
	host->rate = (struct log_rate){ 0 };
	pci_function_init(&host->bridge, "host bridge", &id);
	pci_add(host, &host->bridge, 0, NULL);
}

/* ---- interrupts ---- */

void pci_update_intx(struct pci_function *function)
{
	struct pci_host *host = function->host;
	bool level = function->interrupt && !(pci_read16(function, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE) &&
		     !msi_enabled(function) && !msix_enabled(function);
	unsigned wire;

	if (level == function->wire || !function->config[PCI_INTERRUPT_PIN])
		return;
	function->wire = level;
	wire = wire_of(function);
	/* A wired OR: high while any function pulls. */
	if (level && host->asserted[wire]++ == 0)
		irq_line_set(&host->wire[wire], true);
	if (!level && --host->asserted[wire] == 0)
		irq_line_set(&host->wire[wire], false);
}

void pci_set_interrupt(struct pci_function *function, bool level)
{
	function->interrupt = level;
	/* The status bit tells the wish even while the wire is disabled (PCI 3.0, 6.2.3). */
	if (level)
		function->config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	else
		function->config[PCI_STATUS] &= ~PCI_STATUS_INTERRUPT;
	pci_update_intx(function);
}

void pci_send_message(struct pci_function *function, u64 address, u32 data)
{
	const u8 bytes[4] = { data, data >> 8, data >> 16, data >> 24 };

	if (!function->dma.bus_master) {
		function->messages_refused++;
		return;
	}
	function->messages++;
	if (likely((address & ~0xfffffull) == 0xfee00000))
		msi_send(&function->host->msi, address, data, pci_requester(function));
	else
		dma_write(&function->dma, address, bytes, sizeof(bytes));
}

bool pci_interrupt_by_message(struct pci_function *function, unsigned vector)
{
	if (msix_enabled(function))
		msix_raise(function, vector);
	else if (msi_enabled(function))
		msi_raise(function, vector);
	else
		return false;
	return true;
}

/* ---- what a configuration write means ---- */

static bool overlaps(unsigned offset, unsigned size, unsigned first, unsigned length)
{
	return offset < first + length && first < offset + size;
}

void pci_config_write(struct pci_host *host, u16 requester, unsigned offset, unsigned size, u32 value)
{
	struct pci_function *function = requester < PCI_FUNCTIONS ? host->functions[requester] : NULL;

	if (!function || offset >= PCI_CONFIG_SIZE)
		return;
	for (unsigned i = 0; i < size; i++, value >>= 8) {
		u8 *byte = &function->config[offset + i];
		u8 writable = function->writable[offset + i];

		*byte = ((*byte & ~writable) | (value & writable)) & ~(value & function->clears[offset + i]);
	}
	function->dma.bus_master = pci_read16(function, PCI_COMMAND) & PCI_COMMAND_MASTER;
	if (overlaps(offset, size, PCI_COMMAND, 2) || overlaps(offset, size, PCI_BAR0, 4 * PCI_BARS))
		decode_bars(function);
	if (offset >= PCI_FIRST_CAPABILITY) {
		msi_update(function);
		msix_update(function);
	}
	pci_update_intx(function);
	if (function->written)
		function->written(function, offset, size);
}

u32 pci_config_read(struct pci_host *host, u16 requester, unsigned offset, unsigned size)
{
	struct pci_function *function = requester < PCI_FUNCTIONS ? host->functions[requester] : NULL;
	u32 value = 0;

	if (!function || offset >= PCI_CONFIG_SIZE)
		return 0xffffffff >> (32 - 8 * size);
	if (function->reading)
		function->reading(function, offset, size);
	for (unsigned i = size; i-- > 0;)
		value = value << 8 | function->config[offset + i];
	return value;
}
