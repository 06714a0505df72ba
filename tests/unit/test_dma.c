// SPDX-License-Identifier: BSD-2-Clause
/* The DMA port: what passes, what is refused, and what a device is left with then. */
#include "tests/unit/pci_rig.h"

struct fixture {
	struct pci_rig *rig;
	struct dma_port port;
	u8 buffer[256];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->rig = pci_rig_new();
	dma_port_init(&f->port, "card", 0x20, &f->rig->dma);
	f->port.bus_master = true;
	memset(f->buffer, 0x11, sizeof(f->buffer));
	for (unsigned i = 0; i < RIG_RAM_SIZE; i++)
		f->rig->bytes[i] = i * 7;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pci_rig_free(f->rig);
	free(f);
	return 0;
}

static bool all(const u8 *bytes, size_t length, u8 value)
{
	while (length && bytes[length - 1] == value)
		length--;
	return !length;
}

static void transfers_of_any_length_and_alignment(void **state)
{
	struct fixture *f = *state;
	u64 bytes = 0;

	for (unsigned length = 0; length < 64; length++) {
		u64 at = 4096 - 31 + length;

		assert_int_equal(dma_read(&f->port, at, f->buffer, length), MEM_OK);
		assert_memory_equal(f->buffer, f->rig->bytes + at, length);
		memset(f->buffer, length, length);
		assert_int_equal(dma_write(&f->port, at, f->buffer, length), MEM_OK);
		assert_true(all(f->rig->bytes + at, length, length));
		bytes += 2 * length;
	}
	assert_int_equal(f->port.reads, 64);
	assert_int_equal(f->port.writes, 64);
	assert_int_equal(f->port.bytes, bytes);
	assert_int_equal(f->port.faults, 0);
}

static void nothing_passes_without_bus_mastering(void **state)
{
	struct fixture *f = *state;
	struct mem_mapping mapping;

	f->port.bus_master = false;
	memset(&mapping, 0xa5, sizeof(mapping));
	assert_int_equal(dma_read(&f->port, 0, f->buffer, 16), MEM_ACCESS_ERROR);
	assert_true(all(f->buffer, 16, 0xff));
	assert_true(all(f->buffer + 16, 16, 0x11));
	assert_int_equal(dma_write(&f->port, 16, f->buffer, 16), MEM_ACCESS_ERROR);
	assert_int_equal(f->rig->bytes[16], 16 * 7);
	assert_int_equal(dma_map(&f->port, 0, 16, MEM_READ, &mapping), MEM_ACCESS_ERROR);
	assert_null(mapping.host);
	assert_int_equal(f->port.refused, 3);
	assert_int_equal(f->port.reads + f->port.writes + f->port.maps + f->port.faults, 0);
}

static void an_unconnected_port_refuses(void **state)
{
	struct fixture *f = *state;

	dma_port_init(&f->port, "card", 0x20, NULL);
	f->port.bus_master = true;
	assert_int_equal(dma_read(&f->port, 0, f->buffer, 4), MEM_ACCESS_ERROR);
	assert_true(all(f->buffer, 4, 0xff));
	assert_int_equal(f->port.refused, 1);
}

static void a_transfer_past_the_end_does_what_it_can(void **state)
{
	struct fixture *f = *state;

	assert_int_not_equal(dma_read(&f->port, RIG_RAM_SIZE - 8, f->buffer, 16), MEM_OK);
	assert_memory_equal(f->buffer, f->rig->bytes + RIG_RAM_SIZE - 8, 8);
	assert_true(all(f->buffer + 8, 8, 0xff));
	memset(f->buffer, 0x33, 16);
	assert_int_not_equal(dma_write(&f->port, RIG_RAM_SIZE - 8, f->buffer, 16), MEM_OK);
	assert_true(all(f->rig->bytes + RIG_RAM_SIZE - 8, 8, 0x33));
	assert_int_not_equal(dma_read(&f->port, ~0ull - 3, f->buffer, 16), MEM_OK);
	assert_true(all(f->buffer, 16, 0xff));
	assert_int_equal(f->port.faults, 3);
	assert_int_equal(f->port.bytes, 0);
}

static void a_mapping_is_the_memory_itself(void **state)
{
	struct fixture *f = *state;
	struct mem_mapping mapping;

	assert_int_equal(dma_map(&f->port, 0x1234, 0x2000, MEM_READ_WRITE, &mapping), MEM_OK);
	assert_ptr_equal(mapping.host, f->rig->bytes + 0x1234);
	assert_int_equal(mapping.length, 0x2000);
	assert_int_equal(map_client_live(&f->port.client), 1);
	assert_int_equal(dma_unmap(&f->port, &mapping, 0x2000), MEM_OK);
	assert_int_equal(map_client_live(&f->port.client), 0);
	assert_int_equal(f->port.maps, 1);
	assert_int_equal(dma_unmap(&f->port, &mapping, 0), MEM_ERROR); /* twice */
	assert_int_equal(f->port.faults, 1);
}

static void a_mapping_is_clipped_to_what_is_there(void **state)
{
	struct fixture *f = *state;
	struct mem_mapping mapping;

	assert_int_equal(dma_map(&f->port, RIG_RAM_SIZE - 0x10, 0x100, MEM_WRITE, &mapping), MEM_OK);
	assert_int_equal(mapping.length, 0x10);
	assert_int_equal(dma_unmap(&f->port, &mapping, 0), MEM_OK);
	assert_int_not_equal(dma_map(&f->port, RIG_RAM_SIZE, 0x100, MEM_WRITE, &mapping), MEM_OK);
	assert_null(mapping.host);
	assert_int_equal(f->port.faults, 1);
}

static enum mem_result register_write(void *device, u64 offset, unsigned size, u64 value)
{
	(void)offset, (void)size, (void)value;
	++*(unsigned *)device;
	return MEM_OK;
}

static const struct region_ops register_ops = { .write = register_write,
						.valid = { 1, 8, false },
						.impl = { 1, 8, false } };

static void registers_cannot_be_mapped(void **state)
{
	struct fixture *f = *state;
	struct mem_mapping mapping;
	struct region device;
	unsigned writes = 0;

	region_init_mmio(&device, "registers", PAGE_SIZE, &register_ops, &writes);
	assert_int_equal(region_add(&f->rig->system, 0xd0000000, &device, 1), 0);
	f->port.as = &f->rig->memory; /* a board that forgot its window */
	assert_int_not_equal(dma_map(&f->port, 0xd0000000, 8, MEM_WRITE, &mapping), MEM_OK);
	assert_null(mapping.host);
	as_set_ram_only(&f->rig->memory, true); /* a board that did not */
	assert_int_equal(dma_write(&f->port, 0xd0000000, f->buffer, 8), MEM_ACCESS_ERROR);
	assert_int_equal(writes, 0);
	region_remove(&device);
}

static struct iommu_entry identity(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	(void)iommu, (void)access;
	return (struct iommu_entry){
		.iova = iova, .translated = iova & ~PAGE_MASK, .mask = PAGE_MASK, .perm = MEM_READ_WRITE
	};
}

static void note_revoked(void *device, struct mem_mapping *mapping)
{
	assert_false(mem_map_valid(mapping));
	++*(unsigned *)device;
}

static void a_device_hears_that_its_mapping_was_revoked(void **state)
{
	static const struct iommu_ops identity_ops = { .translate = identity };
	struct fixture *f = *state;
	struct iommu_region iommu;
	struct address_space master;
	struct mem_mapping mapping;
	unsigned revoked = 0;

	region_init_iommu(&iommu, "iommu", REGION_SIZE_WHOLE, &identity_ops, &f->rig->dma, false);
	assert_int_equal(as_init(&master, &f->rig->core, "master", &iommu.region, UNCLAIMED_ONES), 0);
	f->port.as = &master;
	dma_port_on_revoke(&f->port, note_revoked, &revoked);
	assert_int_equal(dma_map(&f->port, 0x3000, 0x100, MEM_WRITE, &mapping), MEM_OK);
	assert_ptr_equal(mapping.host, f->rig->bytes + 0x3000);
	assert_int_equal(iommu_invalidate(&iommu, 0x4000, 0x4fff), 0);
	assert_int_equal(revoked, 0);
	assert_int_equal(iommu_invalidate(&iommu, 0x3000, 0x3fff), 1);
	assert_int_equal(revoked, 1);
	assert_int_equal(dma_unmap(&f->port, &mapping, 0x100), MEM_ACCESS_ERROR);
	assert_int_equal(f->port.faults, 1);
	as_destroy(&master);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(transfers_of_any_length_and_alignment),
		TEST(nothing_passes_without_bus_mastering),
		TEST(an_unconnected_port_refuses),
		TEST(a_transfer_past_the_end_does_what_it_can),
		TEST(a_mapping_is_the_memory_itself),
		TEST(a_mapping_is_clipped_to_what_is_there),
		TEST(registers_cannot_be_mapped),
		TEST(a_device_hears_that_its_mapping_was_revoked),
	};

	return cmocka_run_group_tests_name("dma", tests, NULL, NULL);
}
