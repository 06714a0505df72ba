// SPDX-License-Identifier: BSD-2-Clause
/*
 * A start for a VMM: a machine's address map as a table, one device, DMA through a window, all with
 * libsluice-mm.a alone.
 *
 *	make lib && cc -I. tests/example/vmm.c build/libsluice-mm.a -o vmm && ./vmm
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/window.h"
#include "mm/map.h"
#include "mm/mtree.h"
#include "mm/table.h"

/* A device: its registers are functions, its state is its own. */
struct counter {
	struct region mmio;
	u32 value;
};

static enum mem_result counter_read(void *device, u64 offset, unsigned size, u64 *value)
{
	const struct counter *counter = device;

	(void)size;
	*value = offset == 0 ? counter->value : 0;
	return MEM_OK;
}

static enum mem_result counter_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct counter *counter = device;

	(void)size;
	if (offset == 0)
		counter->value += (u32)value;
	return MEM_OK;
}

/* A driver may use 1 to 8 bytes; the functions above see aligned 4-byte accesses only. */
static const struct region_ops counter_ops = {
	.read = counter_read,
	.write = counter_write,
	.impl = { .min = 4, .max = 4 },
};

/* The machine: rows of its address map live in here, so any number of machines can share the table. */
struct machine {
	struct mem_core core;
	struct region memory;
	struct ram_window ram;
	struct counter counter;
	struct address_space cpu, dma;
	struct dma_window window;
	struct fault_log faults;
};

static const struct region_row rows[] = {
	ROW_CONTAINER("memory", NULL, 0, REGION_SIZE_WHOLE, AT(struct machine, memory),
		      .unclaimed = UNCLAIMED_ONES),
	ROW_RAM("ram", "memory", 0, 1 * GiB, AT(struct machine, ram)),
	ROW_MMIO("counter", "memory", 0xfe000000, 4 * KiB, AT(struct machine, counter.mmio),
		 .ops = &counter_ops, .device = AT(struct machine, counter)),
};
static const struct region_table table = REGION_TABLE(rows);

/*
 * What the device may reach by DMA: half of its bus addresses lead to the RAM's second MiB, the others
 * nowhere.
 */
static const struct dma_row dma_rows[] = { DMA_ROW("buffers", 0, 1 * MiB, 1 * MiB, MEM_READ_WRITE) };
static const struct dma_table dma = { .device = "counter", .rows = dma_rows, .count = ARRAY_SIZE(dma_rows) };

void log_line(enum log_level level, const char *format, ...)
{
	va_list arguments;

	(void)level;
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static void emit(void *to, const char *line)
{
	fprintf(to, "%s\n", line);
}

static void expect(int ok, const char *what)
{
	if (ok)
		return;
	printf("not ok - example: %s\n", what);
	exit(1);
}

int main(void)
{
	static struct machine machine;
	struct ram_extent ram = { .host = aligned_alloc(PAGE_SIZE, 16 * MiB), .size = 16 * MiB };
	struct section_cache cache = { 0 }; /* one for each vCPU */
	struct map_client client;
	struct mem_mapping mapping;
	u64 value;

	/* 1. Check the tables (a board does that once), build the tree, look at it from the CPU's side. */
	expect(ram.host && !region_table_check(&table, 40, emit, stdout), "the table is right");
	expect(!dma_table_check(&dma, 1, &table, emit, stdout), "so is that of DMA");
	mem_core_init(&machine.core);
	expect(!region_table_build(&table, &machine, ram.size, &ram, 1), "it builds");
	expect(!as_init(&machine.cpu, &machine.core, "cpu", &machine.memory, UNCLAIMED_INHERIT),
	       "a view of it");
	mtree_print_flat(&machine.cpu, emit, stdout);

	/* 2. What an exit does: one access at a guest-physical address. */
	expect(as_store(&machine.cpu, &cache, 0xfe000000, 4, 41) == MEM_OK, "a register is written");
	expect(as_store(&machine.cpu, &cache, 0xfe000000, 1, 1) == MEM_OK,
	       "a byte of it: read, changed, written");
	expect(as_load(&machine.cpu, &cache, 0xfe000000, 4, &value) == MEM_OK, "a register is read");
	printf("the counter says %llu\n", (unsigned long long)value);
	expect(as_load(&machine.cpu, &cache, 0xd0000000, 4, &value) == MEM_DECODE_ERROR &&
		       value == 0xffffffff,
	       "where nothing is, ones are read");

	/*
	 * 3. What a device does: map guest memory by way of its window; elsewhere it is denied, and that is
	 * recorded.
	 */
	fault_log_init(&machine.faults);
	dma_window_init(&machine.window, "window", &dma, &machine.cpu, &machine.faults);
	expect(!as_init(&machine.dma, &machine.core, "dma", &machine.window.iommu.region, UNCLAIMED_INHERIT),
	       "dma");
	map_client_init(&client, "counter", NULL, 0, NULL, 0, NULL, NULL, NULL);
	expect(as_map(&machine.dma, &client, 0x2000, 64, MEM_WRITE, &mapping) == MEM_OK, "DMA is mapped");
	memset(mapping.host, 0x5a, mapping.length);
	expect(as_unmap(&mapping, mapping.length) == MEM_OK, "and unmapped");
	expect(as_load(&machine.cpu, &cache, 0x102000, 8, &value) == MEM_OK && value == 0x5a5a5a5a5a5a5a5aull,
	       "the CPU sees what DMA wrote");
	expect(as_read(&machine.dma, 0x100000, &value, 8) == MEM_ACCESS_ERROR,
	       "outside of its window it is denied");
	fault_log_print(&machine.faults, emit, stdout);

	/* 4. The map changes as a whole; whoever holds nothing of the old one says so now and then. */
	mem_transaction_begin(&machine.core);
	region_set_enabled(&machine.counter.mmio, false);
	expect(mem_transaction_commit(&machine.core) == 0, "the device is gone");
	mem_quiescent(&machine.core);
	expect(as_load(&machine.cpu, &cache, 0xfe000000, 4, &value) == MEM_DECODE_ERROR,
	       "nobody answers there");

	as_destroy(&machine.dma);
	as_destroy(&machine.cpu);
	region_table_unbuild(&table, &machine);
	mem_core_destroy(&machine.core);
	free(ram.host);
	printf("ok - example: a small machine\n");
	return 0;
}
