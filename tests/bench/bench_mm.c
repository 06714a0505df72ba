// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the memory core costs; the method is in measure.inc, the same for QEMU's memory core in bench_qemu.c.
 * Figures that only Sluice has: those of the IOTLB and of memory, and accesses with and without a section
 * cache.
 */
#include "iommu/iotlb.h"
#include "mm/iommu_cache.h"
#include "mm/map.h"
#include "mm/space.h"
#include "tests/bench/measure.inc"

#define TLB_ENTRIES 256

struct bench_region {
	struct region region;
	u8 *host;
};

static struct mem_core core;
static struct region root, big;
static struct address_space plain_space, iommu_space, fixed_space, tlb_space;
static struct iommu_region iommu, fixed_iommu, tlb_iommu;
static struct bench_region *regions;
static unsigned regions_used;
static u64 page_table[BENCH_BIG / 4096];
static struct iotlb_entry tlb_entries[TLB_ENTRIES];
static struct iotlb tlb;
static struct map_client client;
static struct iommu_cache device_cache;

static struct address_space *space = &plain_space;
static u64 length;
static u8 *buffer, *big_host;
static volatile u64 sink;

static u64 device_register = BENCH_REGISTER;

static enum mem_result device_read(void *device, u64 offset, unsigned size, u64 *value)
{
	(void)offset;
	*value = *(u64 *)device & mem_size_mask(size);
	return MEM_OK;
}

static enum mem_result device_write(void *device, u64 offset, unsigned size, u64 value)
{
	(void)offset;
	(void)size;
	*(u64 *)device = value;
	return MEM_OK;
}

static const struct region_ops device_ops = {
	.read = device_read,
	.write = device_write,
	.valid = { .min = 1, .max = 8 },
	.impl = { .min = 1, .max = 8 },
};

static void *allocate(size_t size)
{
	void *memory = aligned_alloc(4096, ALIGN_UP(size, 4096));

	bench_check(memory != NULL, "memory");
	memset(memory, 0, size);
	return memory;
}

static void make_regions(void)
{
	regions = allocate(BENCH_REGIONS * sizeof(*regions));
	for (unsigned i = 0; i < BENCH_REGIONS; i++) {
		struct bench_region *made = &regions[i];

		if (bench_is_ram(i)) {
			made->host = allocate(BENCH_RAM);
			memset(made->host, (int)(i & 0xff), BENCH_RAM);
			region_init_ram(&made->region, "ram", BENCH_RAM, made->host);
		} else {
			region_init_mmio(&made->region, "device", BENCH_DEVICE, &device_ops,
					 &device_register);
		}
	}
}

static void set_topology(unsigned count, u64 stride)
{
	static unsigned order[BENCH_REGIONS];

	bench_order(order, count);
	mem_transaction_begin(&core);
	for (unsigned i = 0; i < regions_used; i++)
		region_remove(&regions[i].region);
	for (unsigned i = 0; i < count; i++)
		bench_check(region_add(&root, order[i] * stride, &regions[order[i]].region, 0) == 0,
			    "region_add");
	bench_check(mem_transaction_commit(&core) == 0, "commit");
	mem_quiescent(&core);
	regions_used = count;
}

static void check_topology(u64 stride)
{
	for (unsigned i = 0; i < BENCH_ADDRESSES; i++) {
		u64 address = bench_address[i];
		const struct section *section = flatview_lookup(as_view(&plain_space), address);

		bench_check(section->region == &regions[address / stride].region &&
				    section_offset(section, address) == address % stride,
			    "lookup");
	}
}

/*
 * ---- loops
 * --------------------------------------------------------------------------------------------------
 */

/* With the section found last, as QEMU's lookup does by itself. */
static void loop_lookup_cached(u64 n)
{
	struct section_cache cache = { 0 };
	const struct address_space *as = space;
	u64 sum = 0;

	for (u64 i = 0; i < n; i++) {
		u64 address = bench_address[i % BENCH_ADDRESSES];
		const struct section *section = as_lookup(as, &cache, address);

		sum += section_offset(section, address) ^ (uintptr_t)section->region;
	}
	sink = sum;
}

/* Without: for those who hop about. */
static void loop_lookup(u64 n)
{
	const struct address_space *as = space;
	u64 sum = 0;

	for (u64 i = 0; i < n; i++) {
		u64 address = bench_address[i % BENCH_ADDRESSES];
		const struct section *section = flatview_lookup(as_view(as), address);

		sum += section_offset(section, address) ^ (uintptr_t)section->region;
	}
	sink = sum;
}

static void loop_read(u64 n)
{
	struct section_cache cache = { 0 };
	enum mem_result result = MEM_OK;

	for (u64 i = 0; i < n; i++)
		result |= as_read_cached(space, &cache, bench_address[i % BENCH_ADDRESSES], buffer, length);
	bench_check(result == MEM_OK, "read");
}

/* As a device reads, with what its port remembers. */
static void loop_read_device(u64 n)
{
	enum mem_result result = MEM_OK;

	for (u64 i = 0; i < n; i++)
		result |= iommu_cache_read(space, &device_cache, bench_address[i % BENCH_ADDRESSES], buffer,
					   length);
	bench_check(result == MEM_OK, "read");
}

static void loop_write(u64 n)
{
	struct section_cache cache = { 0 };
	enum mem_result result = MEM_OK;

	for (u64 i = 0; i < n; i++)
		result |= as_write_cached(space, &cache, bench_address[i % BENCH_ADDRESSES], buffer, length);
	bench_check(result == MEM_OK, "write");
}

static void loop_read_uncached(u64 n)
{
	enum mem_result result = MEM_OK;

	for (u64 i = 0; i < n; i++)
		result |= as_read(space, bench_address[i % BENCH_ADDRESSES], buffer, length);
	bench_check(result == MEM_OK, "read");
}

static void loop_load(u64 n)
{
	enum mem_result result = MEM_OK;
	u64 sum = 0;

	for (u64 i = 0; i < n; i++) {
		u32 value;

		result |= as_load_le32(space, bench_address[i % BENCH_ADDRESSES], &value);
		sum += value;
	}
	sink = sum;
	bench_check(result == MEM_OK, "load");
}

static void loop_store(u64 n)
{
	enum mem_result result = MEM_OK;

	for (u64 i = 0; i < n; i++)
		result |= as_store_le32(space, bench_address[i % BENCH_ADDRESSES], (u32)i);
	bench_check(result == MEM_OK, "store");
}

static void loop_load_cached(u64 n)
{
	struct section_cache cache = { 0 };
	enum mem_result result = MEM_OK;
	u64 sum = 0;

	for (u64 i = 0; i < n; i++) {
		u64 value;

		result |= as_load(space, &cache, bench_address[i % BENCH_ADDRESSES], 4, &value);
		sum += value;
	}
	sink = sum;
	bench_check(result == MEM_OK, "cached load");
}

static void loop_store_cached(u64 n)
{
	struct section_cache cache = { 0 };
	enum mem_result result = MEM_OK;

	for (u64 i = 0; i < n; i++)
		result |= as_store(space, &cache, bench_address[i % BENCH_ADDRESSES], 4, i);
	bench_check(result == MEM_OK, "cached store");
}

static void loop_memcpy(u64 n)
{
	for (u64 i = 0; i < n; i++) {
		memcpy(buffer, big_host + bench_address[i % BENCH_ADDRESSES], length);
		asm volatile("" : : "r"(buffer) : "memory");
	}
}

static void loop_map(u64 n)
{
	struct section_cache cache = { 0 };
	struct mem_mapping mapping;
	bool ok = true;
	u64 sum = 0;

	for (u64 i = 0; i < n; i++) {
		ok &= as_map_cached(space, &cache, &client, bench_address[i % BENCH_ADDRESSES], 4096,
				    MEM_READ, &mapping) == MEM_OK;
		ok &= mapping.length == 4096;
		sum += (uintptr_t)mapping.host;
		as_unmap(&mapping, 0);
	}
	sink = sum;
	bench_check(ok, "map");
}

/* Freeing the old view is part of it. */
static double toggle(void *context, u64 n)
{
	struct region *toggled = context;
	double start = bench_clock();

	for (u64 i = 0; i < n; i++) {
		mem_transaction_begin(&core);
		region_set_enabled(toggled, !toggled->enabled);
		mem_transaction_commit(&core);
		mem_quiescent(&core);
	}
	return bench_clock() - start;
}

/*
 * ---- IOMMU
 * --------------------------------------------------------------------------------------------------
 */

static struct iommu_entry translate(const struct iommu_region *region, u64 iova, enum mem_access access)
{
	u64 entry = iova < BENCH_BIG ? page_table[iova >> 12] : 0;

	(void)region;
	(void)access;
	return (struct iommu_entry){
		.iova = iova & ~0xfffull,
		.translated = entry & ~0xfffull,
		.mask = 0xfff,
		.perm = entry & 3,
	};
}

static struct iommu_entry translate_by_tlb(const struct iommu_region *region, u64 iova,
					   enum mem_access access)
{
	struct iommu_entry entry;

	if (iotlb_lookup(&tlb, 1, iova, &entry))
		return entry;
	entry = translate(region, iova, access);
	iotlb_insert(&tlb, 1, &entry);
	return entry;
}

static void loop_tlb(u64 n)
{
	u64 sum = 0;

	for (u64 i = 0; i < n; i++)
		sum += translate_by_tlb(&tlb_iommu, bench_address[i % BENCH_ADDRESSES], MEM_READ).translated;
	sink = sum;
}

static void make_iommus(void)
{
	static const struct iommu_ops ops = { .translate = translate },
				      tlb_ops = { .translate = translate_by_tlb };
	static u8 registers[64];

	big_host = allocate(BENCH_BIG);
	for (u64 i = 0; i < BENCH_BIG / 8; i++)
		((u64 *)(void *)big_host)[i] = i * 0x9e3779b97f4a7c15ull;
	region_init_ram(&big, "big", BENCH_BIG, big_host);
	bench_check(region_add(&root, BENCH_BIG_BASE, &big, 0) == 0, "region_add");
	for (u64 i = 0; i < BENCH_BIG / 4096; i++)
		page_table[i] = (BENCH_BIG_BASE + i * 4096) | MEM_READ_WRITE;
	region_init_iommu(&iommu, "iommu", BENCH_BIG, &ops, &plain_space, false);
	region_init_iommu(&fixed_iommu, "window", BENCH_BIG, &ops, &plain_space, true);
	region_init_iommu(&tlb_iommu, "iommu with iotlb", BENCH_BIG, &tlb_ops, &plain_space, false);
	bench_check(iotlb_init(&tlb, tlb_entries, TLB_ENTRIES) == 0, "iotlb");
	bench_check(as_init(&iommu_space, &core, "iommu", &iommu.region, UNCLAIMED_INHERIT) == 0, "space");
	bench_check(as_init(&fixed_space, &core, "window", &fixed_iommu.region, UNCLAIMED_INHERIT) == 0,
		    "space");
	bench_check(as_init(&tlb_space, &core, "tlb", &tlb_iommu.region, UNCLAIMED_INHERIT) == 0, "space");
	map_client_init(&client, "bench", NULL, 0, registers, 0, NULL, NULL, NULL);
}

/*
 * ---- cases
 * --------------------------------------------------------------------------------------------------
 */

static void run_small(void)
{
	set_topology(64, BENCH_DENSE);
	bench_addresses_of_window(32 * BENCH_DENSE + 0x1238, 1, 1);
	check_topology(BENCH_DENSE);
	bench_measure("mm.lookup_hot_ns", loop_lookup_cached);

	length = 4;
	bench_addresses_of_window(32 * BENCH_DENSE, BENCH_RAM, 8);
	check_topology(BENCH_DENSE);
	bench_measure("mm.ram_read4_ns", loop_read);
	bench_measure("mm.ram_write4_ns", loop_write);
	bench_measure("mm.ram_read4_uncached_ns", loop_read_uncached);
	bench_measure("mm.ram_load4_ns", loop_load);
	bench_measure("mm.ram_store4_ns", loop_store);
	bench_measure("mm.ram_load4_cached_ns", loop_load_cached);
	bench_measure("mm.ram_store4_cached_ns", loop_store_cached);
	bench_addresses_of_window(33 * BENCH_DENSE, BENCH_DEVICE, 8);
	check_topology(BENCH_DENSE);
	loop_read(1);
	bench_check(!memcmp(buffer, &device_register, 4), "what was read from the device");
	bench_measure("mm.mmio_read4_ns", loop_read);
	bench_measure("mm.mmio_write4_ns", loop_write);
	bench_measure("mm.mmio_read4_uncached_ns", loop_read_uncached);
	bench_measure("mm.mmio_load4_ns", loop_load);
	bench_measure("mm.mmio_store4_ns", loop_store);
	bench_measure("mm.mmio_load4_cached_ns", loop_load_cached);
	bench_measure("mm.mmio_store4_cached_ns", loop_store_cached);
}

static void run_iommu(void)
{
	static const unsigned lengths[] = { 64, 4096, 65536 };
	char name[64];

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		length = lengths[i];
		bench_addresses_of_window(0, BENCH_HOT, length);
		space = &iommu_space;
		loop_read_device(2);
		bench_check(!memcmp(buffer, big_host + bench_address[1], length),
			    "what was read through the IOMMU");
		snprintf(name, sizeof(name), "mm.iommu_read_%u_ns", lengths[i]);
		bench_measure(name, loop_read_device);
		loop_read(1);
		bench_check(!memcmp(buffer, big_host + bench_address[0], length),
			    "what was translated and read");
		snprintf(name, sizeof(name), "mm.iommu_read_%u_translated_ns", lengths[i]);
		bench_measure(name, loop_read);
		snprintf(name, sizeof(name), "mm.memcpy_%u_ns", lengths[i]);
		bench_measure(name, loop_memcpy);
		space = &tlb_space;
		snprintf(name, sizeof(name), "mm.iommu_read_%u_iotlb_ns", lengths[i]);
		bench_measure(name, loop_read);
	}
	space = &plain_space;
	bench_addresses_of_window(BENCH_BIG_BASE, BENCH_BIG, 4096);
	bench_measure("mm.map_unmap_ns", loop_map);
	bench_addresses_of_window(0, BENCH_BIG, 4096);
	space = &iommu_space;
	bench_measure("mm.map_unmap_iommu_ns", loop_map);
	space = &fixed_space;
	bench_measure("mm.map_unmap_window_ns", loop_map);
	space = &plain_space;

	/* 64 pages fit; of 16384 pages hardly one is still there when it is asked for again. */
	bench_addresses_of_window(0, 64 * 4096, 8);
	bench_measure("mm.iotlb_hit_ns", loop_tlb);
	bench_addresses_of_window(0, BENCH_BIG, 8);
	bench_measure("mm.iotlb_miss_ns", loop_tlb);
}

static void run_growth(void)
{
	static const unsigned counts[] = { 4, 16, 64, 256, 1024, 4095 };
	struct as_usage usage;
	char name[64];

	region_remove(&big);
	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		set_topology(counts[i], BENCH_DENSE);
		bench_addresses_of_regions(counts[i], BENCH_DENSE);
		check_topology(BENCH_DENSE);
		snprintf(name, sizeof(name), "mm.lookup_random_%u_ns", counts[i]);
		bench_measure(name, loop_lookup);
		snprintf(name, sizeof(name), "mm.rebuild_%u_ns", counts[i]);
		bench_measure_rebuild(name, toggle, &regions[counts[i] / 2].region);
		set_topology(counts[i], BENCH_SPARSE);
		bench_addresses_of_regions(counts[i], BENCH_SPARSE);
		check_topology(BENCH_SPARSE);
		snprintf(name, sizeof(name), "mm.lookup_sparse_%u_ns", counts[i]);
		bench_measure(name, loop_lookup);
	}
	set_topology(4092, BENCH_DENSE);
	bench_addresses_of_ram(4092, BENCH_DENSE);
	bench_measure("mm.map_unmap_4092_ns", loop_map);
	as_get_usage(&plain_space, &usage);
	bench_report("mm.bytes_per_range", (double)usage.bytes / usage.ranges, "bytes");
	bench_report("mm.bytes_per_region", sizeof(struct region), "bytes");
}

int main(void)
{
	buffer = allocate(64 * KiB);
	mem_core_init(&core);
	region_init_container(&root, "root", REGION_SIZE_WHOLE);
	bench_check(as_init(&plain_space, &core, "plain", &root, UNCLAIMED_INHERIT) == 0, "space");
	make_regions();
	make_iommus();
	run_small();
	run_iommu();
	run_growth();
	return 0;
}
