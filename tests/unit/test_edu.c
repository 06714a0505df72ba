// SPDX-License-Identifier: BSD-2-Clause
/* The edu device against its specification (platform: QEMU 7.2 docs/specs/edu.txt), as a driver sees it. */
#include "devices/edu.h"
#include "iommu/fault.h"
#include "iommu/window.h"
#include "tests/unit/host_log.h"
#include "tests/unit/pci_rig.h"

#define SLOT  PCI_DEVFN(4, 0)
#define BAR   0xc0100000ull
#define DELAY 3000 /* of the rig's 30 MHz: 100 us */

struct fixture {
	struct pci_rig *rig;
	struct edu edu;
};

static void set(struct fixture *f, u64 offset, unsigned size, u64 value)
{
	pci_rig_store(f->rig, BAR + offset, size, value);
}

static u64 get(struct fixture *f, u64 offset, unsigned size)
{
	return pci_rig_load(f->rig, BAR + offset, size);
}

static void pass(struct fixture *f, u64 ticks)
{
	f->rig->now += ticks;
	timer_queue_run(&f->rig->queue, f->rig->now);
}

static void plug(struct fixture *f, struct address_space *as)
{
	edu_init(&f->edu, "edu", &f->rig->clock, &f->rig->queue);
	assert_int_equal(pci_add(&f->rig->host, &f->edu.pci, SLOT, as), 0);
	assert_int_equal(pci_place_bars(&f->rig->host, BAR, BAR + 0xffffff, 0x1000, 0x1fff), 0);
	pci_rig_set_config(f->rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->rig = pci_rig_new();
	plug(f, &f->rig->dma);
	host_log_reset();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	region_remove(&f->edu.registers);
	pci_rig_free(f->rig);
	free(f);
	return 0;
}

static void identity(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	assert_int_equal(pci_rig_config(rig, SLOT, 0x00, 4), 0x11e81234);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x08, 4), 0x00ff0010);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x2c, 4), 0x11001af4);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x10, 4), BAR);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x3c, 2), 0x0100 | (16 + 4));
	assert_int_equal(pci_rig_config(rig, SLOT, 0x34, 1), 0x40);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x40, 4), 0x00800005);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x06, 2), 0x10);
	pci_rig_set_config(rig, SLOT, 0x10, 4, 0xffffffff);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x10, 4), 0xfff00000);
}

static void only_the_widths_of_the_specification(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, 0x00, 4), 0x010000ed);
	assert_int_equal(get(f, 0x00, 1), 0xff);
	assert_int_equal(get(f, 0x00, 2), 0xffff);
	assert_int_equal(get(f, 0x00, 8), ~0ull);
	assert_int_equal(get(f, 0x02, 4), 0xffffffff);
	set(f, 0x80, 8, 0x1122334455667788);
	assert_int_equal(get(f, 0x80, 8), 0x1122334455667788);
	assert_int_equal(get(f, 0x80, 4), 0x55667788);
	assert_int_equal(get(f, 0x84, 4), 0xffffffff);
	assert_int_equal(get(f, 0x80, 2), 0xffff);
	set(f, 0x80, 4, 0x99);
	assert_int_equal(get(f, 0x80, 8), 0x99);
	set(f, 0x80, 2, 0x77);
	set(f, 0x80, 1, 0x77);
	set(f, 0x84, 4, 0x77);
	assert_int_equal(get(f, 0x80, 8), 0x99);
	set(f, 0x04, 8, 0);
	set(f, 0x04, 2, 0);
	assert_int_equal(get(f, 0x04, 4), 0);
}

static void undefined_offsets_read_ones_and_ignore_writes(void **state)
{
	static const u32 offsets[] = { 0x0c, 0x10, 0x1c,  0x28,	   0x5c,    0x60,    0x64,   0x68,
				       0x7c, 0xa0, 0x100, 0x3fffc, 0x40000, 0x40ffc, 0xffffc };
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++) {
		assert_int_equal(get(f, offsets[i], 4), 0xffffffff);
		if (offsets[i] != 0x60)
			set(f, offsets[i], 4, 0x12345678);
		assert_int_equal(get(f, offsets[i], 4), 0xffffffff);
	}
	assert_int_equal(f->rig->rises, 0);
}

static void liveness_is_inverted(void **state)
{
	struct fixture *f = *state;

	set(f, 0x04, 4, 0x12345678);
	assert_int_equal(get(f, 0x04, 4), 0xedcba987);
	set(f, 0x00, 4, 0);
	assert_int_equal(get(f, 0x00, 4), 0x010000ed);
}

static void factorials_take_time_and_are_modulo_2_32(void **state)
{
	static const struct {
		u32 n, result;
	} table[] = { { 0, 1 },		  { 1, 1 },	      { 5, 120 }, { 12, 479001600 },
		      { 13, 1932053504 }, { 33, 0x80000000 }, { 34, 0 },  { 0xffffffff, 0 } };
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		set(f, 0x08, 4, table[i].n);
		assert_int_equal(get(f, 0x20, 4), 1);
		assert_int_equal(get(f, 0x08, 4), table[i].n);
		set(f, 0x08, 4, 3); /* ignored while busy */
		pass(f, DELAY - 1);
		assert_int_equal(get(f, 0x20, 4), 1);
		pass(f, 1);
		assert_int_equal(get(f, 0x20, 4), 0);
		assert_int_equal(get(f, 0x08, 4), table[i].result);
	}
	assert_int_equal(get(f, 0x24, 4), 0);
}

static void a_factorial_interrupts_if_asked(void **state)
{
	struct fixture *f = *state;

	set(f, 0x20, 4, 0xffffffff);
	assert_int_equal(get(f, 0x20, 4), 0x80);
	set(f, 0x08, 4, 4);
	set(f, 0x20, 4, 0xff); /* the busy bit is not writable */
	assert_int_equal(get(f, 0x20, 4), 0x81);
	pass(f, DELAY);
	assert_int_equal(get(f, 0x24, 4), 1);
	assert_true(f->rig->level[4]);
	set(f, 0x64, 4, 1);
	assert_false(f->rig->level[4]);
	set(f, 0x20, 4, 0);
	set(f, 0x08, 4, 4);
	pass(f, DELAY);
	assert_int_equal(get(f, 0x24, 4), 0);
}

static void interrupts_are_raised_and_acknowledged_by_bits(void **state)
{
	struct fixture *f = *state;

	set(f, 0x60, 4, 0); /* what a test suite does first */
	assert_int_equal(f->rig->rises, 0);
	set(f, 0x60, 4, 0x12);
	set(f, 0x60, 4, 0x20);
	assert_int_equal(get(f, 0x24, 4), 0x32);
	assert_int_equal(f->rig->rises, 1);
	set(f, 0x64, 4, 0x12);
	assert_true(f->rig->level[4]);
	set(f, 0x64, 4, 0x20);
	assert_false(f->rig->level[4]);
	assert_int_equal(get(f, 0x24, 4), 0);
	set(f, 0x60, 4, 1);
	assert_int_equal(f->rig->rises, 2); /* an edge each time */
}

static void with_msi_there_is_no_wire(void **state)
{
	struct fixture *f = *state;

	pci_rig_set_config(f->rig, SLOT, 0x44, 4, 0xfee00050);
	pci_rig_set_config(f->rig, SLOT, 0x4c, 2, 0x00ee);
	pci_rig_set_config(f->rig, SLOT, 0x42, 2, 1);
	set(f, 0x60, 4, 1);
	set(f, 0x60, 4, 1);
	assert_int_equal(f->rig->messages, 2);
	assert_int_equal(f->rig->message[0].address, 0xfee00050);
	assert_int_equal(f->rig->message[0].data, 0xee);
	assert_int_equal(f->rig->message[0].requester, SLOT);
	assert_int_equal(f->rig->rises, 0);
	assert_int_equal(get(f, 0x24, 4), 1);
	set(f, 0x64, 4, 1);
	assert_int_equal(get(f, 0x24, 4), 0);
}

/* ---- DMA ---- */

#define START	  1
#define TO_RAM	  2
#define INTERRUPT 4

static void transfer(struct fixture *f, u64 source, u64 destination, u64 count, u32 command)
{
	set(f, 0x80, 8, source);
	set(f, 0x88, 8, destination);
	set(f, 0x90, 8, count);
	set(f, 0x98, 4, command);
}

static void dma_goes_to_the_buffer_and_back(void **state)
{
	struct fixture *f = *state;
	u8 *ram = f->rig->bytes;

	for (unsigned i = 0; i < 4096; i++)
		ram[0x1003 + i] = i * 13 + 1;
	transfer(f, 0x1003, 0x40000, 4096, START);
	assert_int_equal(get(f, 0x98, 4), START);
	assert_int_equal(f->edu.buffer[0], 0); /* not yet */
	pass(f, DELAY);
	assert_int_equal(get(f, 0x98, 4), 0);
	assert_memory_equal(f->edu.buffer, ram + 0x1003, 4096);
	transfer(f, 0x40ffc, 0x5000, 4, START | TO_RAM); /* ends at the buffer's last byte */
	pass(f, DELAY);
	assert_memory_equal(ram + 0x5000, ram + 0x1003 + 4092, 4);
	assert_int_equal(ram[0x5004], 0);
	assert_int_equal(get(f, 0x24, 4), 0);
	assert_int_equal(f->edu.pci.dma.reads, 1);
	assert_int_equal(f->edu.pci.dma.writes, 1);
	assert_int_equal(host_log_count(), 0);
}

static void dma_interrupts_if_asked(void **state)
{
	struct fixture *f = *state;

	transfer(f, 0x1000, 0x40000, 4, START | INTERRUPT);
	assert_int_equal(get(f, 0x98, 4), START | INTERRUPT);
	pass(f, DELAY);
	assert_int_equal(get(f, 0x98, 4), INTERRUPT);
	assert_int_equal(get(f, 0x24, 4), 0x100);
	assert_true(f->rig->level[4]);
}

static void registers_are_locked_while_a_transfer_runs(void **state)
{
	struct fixture *f = *state;

	set(f, 0x98, 4, TO_RAM); /* without start: ignored */
	assert_int_equal(get(f, 0x98, 4), 0);
	transfer(f, 0x1000, 0x40000, 4, START);
	transfer(f, 0x40000, 0x2000, 8, START | TO_RAM);
	assert_int_equal(get(f, 0x80, 8), 0x1000);
	assert_int_equal(get(f, 0x88, 8), 0x40000);
	assert_int_equal(get(f, 0x90, 8), 4);
	assert_int_equal(get(f, 0x98, 4), START);
	pass(f, DELAY);
	set(f, 0x90, 4, 5);
	assert_int_equal(get(f, 0x90, 8), 5);
}

static void the_ram_address_has_28_bits(void **state)
{
	struct fixture *f = *state;

	f->rig->bytes[0x1000] = 0x42;
	transfer(f, 0xffff000010001000, 0x40010, 1, START);
	pass(f, DELAY);
	assert_int_equal(f->edu.buffer[0x10], 0x42);
	assert_non_null(strstr(host_log_last(), "28 bits"));
	transfer(f, 0x40010, 0x70002000, 1, START | TO_RAM);
	pass(f, DELAY);
	assert_int_equal(f->rig->bytes[0x2000], 0x42);
}

static void a_range_outside_of_the_buffer_moves_nothing_and_finishes(void **state)
{
	static const struct {
		u64 inner, count;
	} table[] = {
		{ 0x3ffff, 1 },
		{ 0x40000, 0x1001 },
		{ 0x41000, 1 },
		{ 0x40fff, 2 },
		{ 0, 4 },
		{ ~0ull, 4 },
		{ 0x40000, ~0ull },
		{ 0x40001, 0ull - 0x40001 },
		{ 0xffffffffffff0000, 1 },
		{ 0x140000, 4 }, /* the address is not folded */
	};
	struct fixture *f = *state;

	memset(f->rig->bytes, 0x5a, RIG_RAM_SIZE);
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		for (unsigned to_ram = 0; to_ram < 2; to_ram++) {
			host_log_reset();
			f->edu.rate = (struct log_rate){ 0 };
			transfer(f, to_ram ? table[i].inner : 0, to_ram ? 0 : table[i].inner, table[i].count,
				 START | INTERRUPT | (to_ram ? TO_RAM : 0));
			pass(f, DELAY);
			assert_int_equal(get(f, 0x98, 4) & START, 0);
			assert_int_equal(get(f, 0x24, 4), 0x100);
			set(f, 0x64, 4, 0x100);
			assert_int_equal(host_log_count(), 1);
			assert_non_null(strstr(host_log_last(), "edu"));
		}
	}
	for (unsigned i = 0; i < EDU_BUFFER_SIZE; i++)
		assert_int_equal(f->edu.buffer[i], 0);
	for (unsigned i = 0; i < RIG_RAM_SIZE; i++)
		assert_int_equal(f->rig->bytes[i], 0x5a);
	transfer(f, 0, 0x41000, 0, START); /* nothing at the end is no violation */
	pass(f, DELAY);
	assert_int_equal(f->edu.pci.dma.reads, 1);
}

static void a_guest_cannot_flood_the_console(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 1000; i++) {
		transfer(f, 0, 0, 4, START);
		pass(f, DELAY);
	}
	assert_int_equal(host_log_count(), LOG_RATE_BURST);
}

static void without_bus_mastering_the_buffer_gets_ones(void **state)
{
	struct fixture *f = *state;

	pci_rig_set_config(f->rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	transfer(f, 0x1000, 0x40000, 4, START);
	pass(f, DELAY);
	assert_int_equal(*(u32 *)f->edu.buffer, 0xffffffff);
	transfer(f, 0x40000, 0x1000, 4, START | TO_RAM);
	pass(f, DELAY);
	assert_int_equal(f->rig->bytes[0x1000], 0);
	assert_int_equal(f->edu.pci.dma.refused, 2);
}

static void a_denied_transfer_reads_ones_writes_nothing_and_leaves_one_line(void **state)
{
	static const struct dma_row rows[] = { DMA_ROW("low ram", 0, 16 * KiB, 0, MEM_READ_WRITE),
					       DMA_ROW("read only", 16 * KiB, 4 * KiB, 16 * KiB, MEM_READ) };
	static const struct dma_table table = {
		.device = "edu", .requester = SLOT, .rows = rows, .count = ARRAY_SIZE(rows)
	};
	struct fixture *f = *state;
	struct dma_window window;
	struct address_space master;
	struct fault_log log;

	memset(f->rig->bytes, 0x5a, RIG_RAM_SIZE);
	fault_log_init(&log);
	dma_window_init(&window, "edu window", &table, &f->rig->dma, &log);
	assert_int_equal(as_init(&master, &f->rig->core, "edu", &window.iommu.region, UNCLAIMED_ONES), 0);
	f->edu.pci.dma.as = &master;

	transfer(f, 0x3ffe, 0x40000, 4, START); /* allowed, over a boundary of rows */
	pass(f, DELAY);
	assert_int_equal(*(u32 *)f->edu.buffer, 0x5a5a5a5a);
	assert_int_equal(host_log_count(), 0);
	transfer(f, 0x8000, 0x40000, 4, START); /* RAM, but outside */
	pass(f, DELAY);
	assert_int_equal(*(u32 *)f->edu.buffer, 0xffffffff);
	assert_int_equal(host_log_count(), 1);
	assert_non_null(strstr(host_log_last(), "edu"));
	assert_non_null(strstr(host_log_last(), "00:04.0"));
	assert_non_null(strstr(host_log_last(), "0x8000"));
	transfer(f, 0x40000, 0x4000, 8, START | TO_RAM); /* not permitted */
	pass(f, DELAY);
	transfer(f, 0x40000, 0x8000, 8, START | TO_RAM);
	pass(f, DELAY);
	assert_int_equal(host_log_count(), 3);
	for (unsigned i = 0; i < RIG_RAM_SIZE; i++)
		assert_int_equal(f->rig->bytes[i], 0x5a);
	assert_int_equal(f->edu.pci.dma.faults, 3);
	assert_int_equal(get(f, 0x98, 4) & START, 0);
	f->edu.pci.dma.as = NULL;
	as_destroy(&master);
}

static void random_register_streams(void **state)
{
	struct fixture *f = *state;
	u64 seed = 3;

	for (unsigned i = 0; i < 100000; i++) {
		static const u64 offsets[] = { 0x04, 0x08, 0x20, 0x60, 0x64, 0x80, 0x88, 0x90, 0x98 };
		unsigned which;
		u64 value;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		which = (seed >> 60) % ARRAY_SIZE(offsets);
		value = seed >> 20;
		if (seed >> 40 & 1)
			value = 0x40000 + (value & 0x1fff);
		if (seed >> 41 & 1)
			value &= 0x3fff;
		set(f, offsets[which], which >= 5 && seed >> 42 & 1 ? 8 : 4, value);
		get(f, seed >> 44 & 0xff, 1u << (seed >> 52 & 3));
		if (i % 3 == 0)
			pass(f, DELAY);
	}
	assert_int_equal(get(f, 0x00, 4), 0x010000ed);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(identity),
		TEST(only_the_widths_of_the_specification),
		TEST(undefined_offsets_read_ones_and_ignore_writes),
		TEST(liveness_is_inverted),
		TEST(factorials_take_time_and_are_modulo_2_32),
		TEST(a_factorial_interrupts_if_asked),
		TEST(interrupts_are_raised_and_acknowledged_by_bits),
		TEST(with_msi_there_is_no_wire),
		TEST(dma_goes_to_the_buffer_and_back),
		TEST(dma_interrupts_if_asked),
		TEST(registers_are_locked_while_a_transfer_runs),
		TEST(the_ram_address_has_28_bits),
		TEST(a_range_outside_of_the_buffer_moves_nothing_and_finishes),
		TEST(a_guest_cannot_flood_the_console),
		TEST(without_bus_mastering_the_buffer_gets_ones),
		TEST(a_denied_transfer_reads_ones_writes_nothing_and_leaves_one_line),
		TEST(random_register_streams),
	};

	return cmocka_run_group_tests_name("edu", tests, NULL, NULL);
}
