// SPDX-License-Identifier: BSD-2-Clause
/*
 * The measurement of bench_mm.c, for QEMU's memory core. tools/bench-qemu copies this file and measure.inc
 * into the softmmu folder of a QEMU 7.2 source tree. Nothing in QEMU changes: a constructor puts bench_main
 * where qemu_init is followed by the main loop, so it runs in the main thread with the big lock held, as
 * device models do.
 */
#include "qemu/osdep.h"
#include "qemu-main.h"
#include "qemu/main-loop.h"
#include "qemu/memalign.h"
#include "qemu/rcu.h"
#include "qapi/error.h"
#include "exec/memory.h"
#include "exec/address-spaces.h"
#include "measure.inc"

#define BENCH_IOMMU_TYPE "sluice-bench-iommu"
#define ATTRS		 MEMTXATTRS_UNSPECIFIED

static MemoryRegion root, big;
static AddressSpace plain_space, iommu_space;
static IOMMUMemoryRegion iommu;
static MemoryRegion *region[BENCH_REGIONS];
static unsigned regions_made, regions_used;
static uint64_t stride_used;
static uint64_t page_table[BENCH_BIG / 4096];

static AddressSpace *space = &plain_space;
static hwaddr length;
static uint8_t *buffer, *big_host;
static volatile uint64_t sink;

static uint64_t device_register = BENCH_REGISTER;

static uint64_t device_read(void *opaque, hwaddr offset, unsigned size)
{
	return *(uint64_t *)opaque;
}

static void device_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
	*(uint64_t *)opaque = value;
}

static const MemoryRegionOps device_ops = {
	.read = device_read,
	.write = device_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = { .min_access_size = 1, .max_access_size = 8 },
	.impl = { .min_access_size = 1, .max_access_size = 8 },
};

/* Regions are made when first needed: QEMU's map walks the list of all RAM that exists. */
static void make_regions(unsigned count)
{
	for (; regions_made < count; regions_made++) {
		MemoryRegion *made = g_new0(MemoryRegion, 1);
		char name[32];

		snprintf(name, sizeof(name), "bench-%u", regions_made);
		if (bench_is_ram(regions_made)) {
			memory_region_init_ram_nomigrate(made, NULL, name, BENCH_RAM, &error_fatal);
			memset(memory_region_get_ram_ptr(made), (int)(regions_made & 0xff), BENCH_RAM);
		} else {
			memory_region_init_io(made, NULL, &device_ops, &device_register, name, BENCH_DEVICE);
		}
		region[regions_made] = made;
	}
}

static void set_topology(unsigned count, uint64_t stride)
{
	static unsigned order[BENCH_REGIONS];
	unsigned i;

	make_regions(count);
	bench_order(order, count);
	memory_region_transaction_begin();
	for (i = 0; i < regions_used; i++)
		memory_region_del_subregion(&root, region[i]);
	for (i = 0; i < count; i++)
		memory_region_add_subregion(&root, order[i] * stride, region[order[i]]);
	memory_region_transaction_commit();
	drain_call_rcu();
	regions_used = count;
	stride_used = stride;
}

static void loop_lookup(uint64_t n)
{
	uint64_t sum = 0, i;

	rcu_read_lock();
	for (i = 0; i < n; i++) {
		hwaddr offset, clipped = 4;
		MemoryRegion *found = address_space_translate(space, bench_address[i % BENCH_ADDRESSES],
							      &offset, &clipped, false, ATTRS);

		sum += offset ^ (uintptr_t)found;
	}
	rcu_read_unlock();
	sink = sum;
}

static void loop_read(uint64_t n)
{
	MemTxResult result = MEMTX_OK;
	uint64_t i;

	for (i = 0; i < n; i++)
		result |= address_space_rw(space, bench_address[i % BENCH_ADDRESSES], ATTRS, buffer, length,
					   false);
	bench_check(result == MEMTX_OK, "read");
}

static void loop_write(uint64_t n)
{
	MemTxResult result = MEMTX_OK;
	uint64_t i;

	for (i = 0; i < n; i++)
		result |= address_space_rw(space, bench_address[i % BENCH_ADDRESSES], ATTRS, buffer, length,
					   true);
	bench_check(result == MEMTX_OK, "write");
}

static void loop_load(uint64_t n)
{
	MemTxResult result, all = MEMTX_OK;
	uint64_t sum = 0, i;

	for (i = 0; i < n; i++) {
		sum += address_space_ldl_le(space, bench_address[i % BENCH_ADDRESSES], ATTRS, &result);
		all |= result;
	}
	sink = sum;
	bench_check(all == MEMTX_OK, "load");
}

static void loop_store(uint64_t n)
{
	MemTxResult result, all = MEMTX_OK;
	uint64_t i;

	for (i = 0; i < n; i++) {
		address_space_stl_le(space, bench_address[i % BENCH_ADDRESSES], (uint32_t)i, ATTRS, &result);
		all |= result;
	}
	bench_check(all == MEMTX_OK, "store");
}

static void loop_memcpy(uint64_t n)
{
	uint64_t i;

	for (i = 0; i < n; i++) {
		memcpy(buffer, big_host + bench_address[i % BENCH_ADDRESSES], length);
		asm volatile("" : : "r"(buffer) : "memory");
	}
}

static void loop_map(uint64_t n)
{
	uint64_t sum = 0, i;
	bool ok = true;

	for (i = 0; i < n; i++) {
		hwaddr mapped = 4096;
		void *host =
			address_space_map(space, bench_address[i % BENCH_ADDRESSES], &mapped, false, ATTRS);

		sum += (uintptr_t)host;
		ok &= host && mapped == 4096;
		address_space_unmap(space, host, mapped, false, mapped);
	}
	sink = sum;
	bench_check(ok, "map");
}

/* Old views are freed by another thread afterwards, off this clock. */
static double toggle(void *context, uint64_t n)
{
	MemoryRegion *toggled = context;
	double start = bench_clock();
	uint64_t i;

	for (i = 0; i < n; i++) {
		memory_region_transaction_begin();
		memory_region_set_enabled(toggled, !toggled->enabled);
		memory_region_transaction_commit();
	}
	start = bench_clock() - start;
	drain_call_rcu();
	return start;
}

static IOMMUTLBEntry translate(IOMMUMemoryRegion *mr, hwaddr iova, IOMMUAccessFlags flag, int index)
{
	uint64_t entry = iova < BENCH_BIG ? page_table[iova >> 12] : 0;

	return (IOMMUTLBEntry){
		.target_as = &plain_space,
		.iova = iova & ~0xfffull,
		.translated_addr = entry & ~0xfffull,
		.addr_mask = 0xfff,
		.perm = entry & 3,
	};
}

static void iommu_class_init(ObjectClass *class, void *data)
{
	IOMMU_MEMORY_REGION_CLASS(class)->translate = translate;
}

static const TypeInfo iommu_info = {
	.name = BENCH_IOMMU_TYPE,
	.parent = TYPE_IOMMU_MEMORY_REGION,
	.class_init = iommu_class_init,
};

static void register_types(void)
{
	type_register_static(&iommu_info);
}

type_init(register_types)

	static void set_up(void)
{
	uint64_t i;

	buffer = qemu_memalign(4096, 64 * BENCH_KIB);
	memset(buffer, 0, 64 * BENCH_KIB);
	memory_region_init(&root, NULL, "bench-root", UINT64_MAX);
	address_space_init(&plain_space, &root, "bench");
	memory_region_init_ram_nomigrate(&big, NULL, "bench-big", BENCH_BIG, &error_fatal);
	big_host = memory_region_get_ram_ptr(&big);
	for (i = 0; i < BENCH_BIG / 8; i++)
		((uint64_t *)big_host)[i] = i * 0x9e3779b97f4a7c15ull;
	memory_region_add_subregion(&root, BENCH_BIG_BASE, &big);
	for (i = 0; i < BENCH_BIG / 4096; i++)
		page_table[i] = (BENCH_BIG_BASE + i * 4096) | IOMMU_RW;
	memory_region_init_iommu(&iommu, sizeof(iommu), BENCH_IOMMU_TYPE, NULL, "bench-iommu", BENCH_BIG);
	address_space_init(&iommu_space, MEMORY_REGION(&iommu), "bench-iommu");
	drain_call_rcu();
}

static void run_small(void)
{
	set_topology(64, BENCH_DENSE);
	bench_addresses_of_window(32 * BENCH_DENSE + 0x1238, 1, 1);
	bench_measure("mm.lookup_hot_ns", loop_lookup);

	length = 4;
	bench_addresses_of_window(32 * BENCH_DENSE, BENCH_RAM, 8);
	bench_measure("mm.ram_read4_ns", loop_read);
	bench_measure("mm.ram_write4_ns", loop_write);
	bench_measure("mm.ram_load4_ns", loop_load);
	bench_measure("mm.ram_store4_ns", loop_store);
	bench_addresses_of_window(33 * BENCH_DENSE, BENCH_DEVICE, 8);
	bench_measure("mm.mmio_read4_ns", loop_read);
	bench_measure("mm.mmio_write4_ns", loop_write);
	bench_measure("mm.mmio_load4_ns", loop_load);
	bench_measure("mm.mmio_store4_ns", loop_store);
}

static void run_iommu(void)
{
	static const unsigned lengths[] = { 64, 4096, 65536 };
	char name[64];
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		length = lengths[i];
		bench_addresses_of_window(0, BENCH_HOT, length);
		space = &iommu_space;
		loop_read(1);
		bench_check(!memcmp(buffer, big_host + bench_address[0], length),
			    "what was read through the IOMMU");
		snprintf(name, sizeof(name), "mm.iommu_read_%u_ns", lengths[i]);
		bench_measure(name, loop_read);
		snprintf(name, sizeof(name), "mm.memcpy_%u_ns", lengths[i]);
		bench_measure(name, loop_memcpy);
	}
	space = &plain_space;
	bench_addresses_of_window(BENCH_BIG_BASE, BENCH_BIG, 4096);
	bench_measure("mm.map_unmap_ns", loop_map);
	space = &iommu_space;
	bench_addresses_of_window(0, BENCH_BIG, 4096);
	bench_measure("mm.map_unmap_iommu_ns", loop_map);
	space = &plain_space;
}

static void run_growth(void)
{
	static const unsigned counts[] = { 4, 16, 64, 256, 1024, 4095 };
	char name[64];
	unsigned i;

	memory_region_del_subregion(&root, &big); /* QEMU has room for 4095 regions and no more */
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		set_topology(counts[i], BENCH_DENSE);
		bench_addresses_of_regions(counts[i], BENCH_DENSE);
		snprintf(name, sizeof(name), "mm.lookup_random_%u_ns", counts[i]);
		bench_measure(name, loop_lookup);
		snprintf(name, sizeof(name), "mm.rebuild_%u_ns", counts[i]);
		bench_measure_rebuild(name, toggle, region[counts[i] / 2]);
		set_topology(counts[i], BENCH_SPARSE);
		bench_addresses_of_regions(counts[i], BENCH_SPARSE);
		snprintf(name, sizeof(name), "mm.lookup_sparse_%u_ns", counts[i]);
		bench_measure(name, loop_lookup);
	}
	set_topology(4092, BENCH_DENSE);
	bench_addresses_of_ram(4092, BENCH_DENSE);
	bench_measure("mm.map_unmap_4092_ns", loop_map);
}

static int bench_main(void)
{
	bench_prefix = "qemu.";
	set_up();
	run_small();
	run_iommu();
	run_growth();
	_exit(0);
}

static void __attribute__((constructor)) bench_hook(void)
{
	if (getenv("SLUICE_BENCH"))
		qemu_main = bench_main;
}
