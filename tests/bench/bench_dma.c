// SPDX-License-Identifier: BSD-2-Clause
/*
 * What DMA costs through both gates: a device's port -> the VT-d gate, tables of four levels and 4 KiB pages in guest
 * memory -> the device's static window -> guest memory; beside it memcpy of the same bytes. The method is in measure.inc.
 *
 * The tables map 64 MiB of device addresses to the same 64 pages of memory over and over, so that memcpy, hits and misses
 * find their data in the CPU's cache alike. Hits stay in 64 pages of device addresses. A miss reads the page whose turn was
 * longest ago: no cache of translations has it, and the four table entries are read anew.
 */
#include "devices/dma.h"
#include "iommu/vtd.h"
#include "iommu/window.h"
#include "tests/bench/measure.inc"

#define MEMORY	    (16 * MiB)
#define TABLES	    (8 * MiB)
#define MAPPED	    BENCH_BIG
#define HOT	    (256 * KiB) /* 64 pages */
#define IOVA	    0x7f0000000000ull
#define TLB_ENTRIES 256 /* as the board has it */

static struct mem_core core;
static struct region root, ram;
static struct address_space memory, behind, bus;
static struct dma_window window;
static struct vtd unit;
static struct vtd_gate gate;
static struct dma_port port;
static struct iotlb_entry tlb[TLB_ENTRIES];
static u8 *host, *buffer;
static u64 length, tables_end = TABLES + 16 * PAGE_SIZE;

static const struct dma_row rows[] = {
	DMA_ROW("low", 0, MEMORY, 0, MEM_READ_WRITE),
	DMA_ROW("high", 4 * GiB, GiB, 4 * GiB, MEM_READ_WRITE),
};
static const struct dma_table window_table = {
	.device = "bench", .rows = rows, .count = ARRAY_SIZE(rows), .requester = PCI_ID(0, 3, 0)
};

static void no_message(void *sink, u64 address, u32 data)
{
	(void)sink;
	(void)address;
	(void)data;
}

static u64 *quad(u64 address)
{
	return (u64 *)(void *)(host + address);
}

static void map(u64 iova, u64 address)
{
	u64 table = TABLES + 2 * PAGE_SIZE;

	for (unsigned shift = 39; shift > 12; shift -= 9) {
		u64 *entry = quad(table) + (iova >> shift & 511);

		if (!*entry) {
			*entry = tables_end | MEM_READ_WRITE;
			tables_end += PAGE_SIZE;
		}
		table = *entry & ~PAGE_MASK;
	}
	quad(table)[iova >> 12 & 511] = address | MEM_READ_WRITE;
}

static void write_register(u64 offset, unsigned size, u64 value)
{
	bench_check(vtd_register_ops.write(&unit, offset, size, value) == MEM_OK, "register");
}

static void make(void)
{
	const struct vtd_config config = {
		.host_address_width = 39,
		.address_width = 48,
		.memory = &memory,
		.send = no_message,
		.iotlb = tlb,
		.iotlb_entries = TLB_ENTRIES,
	};

	host = aligned_alloc(2 * MiB, MEMORY);
	buffer = aligned_alloc(4096, 64 * KiB);
	bench_check(host && buffer, "memory");
	memset(host, 0, MEMORY);
	for (u64 i = 0; i < HOT; i += 8)
		*quad(i) = i * 0x9e3779b97f4a7c15ull;
	mem_core_init(&core);
	region_init_container(&root, "root", REGION_SIZE_WHOLE);
	region_init_ram(&ram, "ram", MEMORY, host);
	bench_check(region_add(&root, 0, &ram, 0) == 0, "region_add");
	bench_check(as_init(&memory, &core, "memory", &root, UNCLAIMED_ONES) == 0, "space");
	as_set_ram_only(&memory, true);
	dma_window_init(&window, "window", &window_table, &memory, NULL);
	bench_check(as_init(&behind, &core, "window", &window.iommu.region, UNCLAIMED_ONES) == 0, "space");
	bench_check(vtd_init(&unit, &config) == 0, "unit");
	vtd_gate_init(&unit, &gate, "gate", window_table.requester, &behind);
	bench_check(as_init(&bus, &core, "bus", &gate.iommu.region, UNCLAIMED_ONES) == 0, "space");
	dma_port_init(&port, "bench", window_table.requester, &bus);
	port.bus_master = true;

	for (u64 page = 0; page < MAPPED; page += PAGE_SIZE)
		map(IOVA + page, page % HOT);
	*quad(TABLES) = (TABLES + PAGE_SIZE) | 1;
	quad(TABLES + PAGE_SIZE)[2 * window_table.requester] = (TABLES + 2 * PAGE_SIZE) | 1;
	quad(TABLES + PAGE_SIZE)[2 * window_table.requester + 1] = 5 << 8 | 2;
	write_register(0x20, 8, TABLES);
	write_register(0x18, 4, BIT(30));
	write_register(0x18, 4, BIT(31));
}

static void loop_dma(u64 n)
{
	enum mem_result result = MEM_OK;

	for (u64 i = 0; i < n; i++)
		result |= dma_read(&port, bench_address[i % BENCH_ADDRESSES], buffer, length);
	bench_check(result == MEM_OK, "read");
}

static void loop_memcpy(u64 n)
{
	for (u64 i = 0; i < n; i++) {
		memcpy(buffer, host + bench_address[i % BENCH_ADDRESSES], length);
		asm volatile("" : : "r"(buffer) : "memory");
	}
}

/* Each page once, in random order, before any comes again. */
static void addresses_of_misses(void)
{
	unsigned pages = MAPPED / PAGE_SIZE;

	bench_seed = 4;
	for (unsigned i = 0; i < pages; i++)
		bench_address[i] = IOVA + i * PAGE_SIZE + (bench_random() % PAGE_SIZE & ~63ull);
	for (unsigned i = pages - 1; i > 0; i--) {
		unsigned other = (unsigned)(bench_random() % (i + 1));
		u64 kept = bench_address[i];

		bench_address[i] = bench_address[other];
		bench_address[other] = kept;
	}
	for (unsigned i = pages; i < BENCH_ADDRESSES; i++)
		bench_address[i] = bench_address[i - pages];
}

static void check(u64 iova)
{
	bench_check(dma_read(&port, iova, buffer, length) == MEM_OK, "read");
	bench_check(!memcmp(buffer, host + (iova - IOVA) % HOT, length), "what was read through both gates");
}

static void run(unsigned size, u64 span)
{
	char name[64];

	length = size;
	bench_addresses_of_window(IOVA, span, size);
	check(bench_address[0]);
	snprintf(name, sizeof(name), "dma.read_%u_hit_ns", size);
	bench_measure(name, loop_dma);
	bench_addresses_of_window(0, span, size);
	snprintf(name, sizeof(name), "dma.memcpy_%u_ns", size);
	bench_measure(name, loop_memcpy);
}

int main(void)
{
	make();
	run(64, HOT);
	run(4096, HOT);
	run(65536, HOT);
	length = 64;
	addresses_of_misses();
	check(bench_address[1]);
	bench_measure("dma.read_64_miss_ns", loop_dma);
	return 0;
}
