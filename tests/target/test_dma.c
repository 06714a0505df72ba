// SPDX-License-Identifier: BSD-2-Clause
/* DMA of the real board's edu device, driven through its PCI configuration and its registers as a guest does it. */
#include <string.h>

#include "arch/cpu.h"
#include "tests/target/pc_rig.h"
#include "tests/target/selftest.h"

#define EDU_SLOT   PCI_DEVFN(4, 0)
#define INSIDE	   0x200000ull
#define OUTSIDE	   0xa0000ull	 /* the firmware area: between the windows */
#define BEHIND_RAM 0x0ff00000ull /* in the window, and behind the RAM that this machine has */
#define PATTERN	   0xa5
#define LENGTH	   256u

struct rig {
	struct pc_rig *board;
	struct pc *pc;
	u64 bar;
	u8 *ram;
};

/* Less memory than the window has room for: behind the RAM, inside the window, is nothing. */
static_assert(PC_RIG_MEMORY <= BEHIND_RAM, "the window's end is behind the RAM");

static bool open_rig(struct rig *rig, const struct boot *boot)
{
	if (!pc_rig_open(&rig->board, boot))
		return false;
	rig->pc = &rig->board->pc;
	rig->ram = rig->board->ram;
	memset(rig->ram + INSIDE, 0, 2 * PAGE_SIZE);
	rig->bar = pc_rig_enable(rig->board, EDU_SLOT);
	return EXPECT_EQUAL(pc_rig_config(rig->board, EDU_SLOT, 0), 0x11e81234) &&
	       EXPECT(rig->bar >= 0xc0000000);
}

static void close_rig(struct rig *rig)
{
	pc_rig_close(rig->board);
}

static void set(struct rig *rig, unsigned reg, u64 value)
{
	as_store_le64(&rig->pc->memory, rig->bar + reg, value);
}

/* One transfer, run to its end. True: the device says that it is done. */
static bool transfer(struct rig *rig, u64 ram, bool to_ram, u64 length)
{
	u64 command = 0;

	set(rig, 0x80, to_ram ? EDU_BUFFER : ram);
	set(rig, 0x88, to_ram ? ram : EDU_BUFFER);
	set(rig, 0x90, length);
	set(rig, 0x98, 1 | (to_ram ? 2 : 0));
	timer_queue_run(&rig->pc->timers, rdtsc() + rig->board->boot.tsc_hz);
	as_load_le64(&rig->pc->memory, rig->bar + 0x98, &command);
	return EXPECT_EQUAL(command & 1, 0);
}

static bool all_bytes(const u8 *bytes, unsigned count, u8 value)
{
	for (unsigned i = 0; i < count; i++)
		if (bytes[i] != value)
			return EXPECT_EQUAL(bytes[i], value);
	return true;
}

static bool inside(const struct boot *boot)
{
	struct rig rig[1];

	if (!open_rig(rig, boot))
		return false;
	u8 *buffer = rig->pc->edu.buffer;
	memset(rig->ram + INSIDE, PATTERN, LENGTH);
	bool fine = transfer(rig, INSIDE, false, LENGTH) && all_bytes(buffer, LENGTH, PATTERN) &&
		    all_bytes(buffer + LENGTH, LENGTH, 0);
	fine &= transfer(rig, INSIDE + 3 * LENGTH + 1, true, LENGTH) &&
		all_bytes(rig->ram + INSIDE + 3 * LENGTH + 1, LENGTH, PATTERN) &&
		EXPECT_EQUAL(rig->ram[INSIDE + 3 * LENGTH], 0) &&
		EXPECT_EQUAL(rig->ram[INSIDE + 4 * LENGTH + 1], 0);
	fine &= EXPECT_EQUAL(rig->pc->faults.total, 0);
	close_rig(rig);
	return fine;
}

/* The latest fault: one, with all that one wants to know. */
static bool one_fault(struct rig *rig, u64 before, u64 iova, u64 length, enum mem_access access)
{
	struct fault_record record = { 0 };
	char line[192] = "";

	bool fine = EXPECT_EQUAL(rig->pc->faults.total, before + 1) &&
		    EXPECT(fault_log_get(&rig->pc->faults, 0, &record)) && EXPECT_EQUAL(record.iova, iova) &&
		    EXPECT_EQUAL(record.length, length) && EXPECT_EQUAL(record.access, access) &&
		    EXPECT_EQUAL(record.requester, EDU_SLOT) && EXPECT(strcmp(record.device, "edu") == 0);
	fault_format(&record, line, sizeof(line));
	fine = fine && EXPECT(strstr(line, access == MEM_READ ? "read" : "write")) &&
	       EXPECT(strstr(line, "edu")) && EXPECT(strstr(line, "00:04.0")) &&
	       EXPECT(strstr(line, "window"));
	if (!fine)
		selftest_note("the fault is told as: %s", line);
	return fine;
}

static bool outside(const struct boot *boot)
{
	struct rig rig[1];

	if (!open_rig(rig, boot))
		return false;
	u8 *buffer = rig->pc->edu.buffer, *target = rig->ram + OUTSIDE;
	memset(target, 0x11, LENGTH);
	memset(buffer, PATTERN, LENGTH);
	bool fine = transfer(rig, OUTSIDE, true, LENGTH) && all_bytes(target, LENGTH, 0x11) &&
		    one_fault(rig, 0, OUTSIDE, LENGTH, MEM_WRITE);
	fine &= transfer(rig, OUTSIDE, false, LENGTH) && all_bytes(buffer, LENGTH, 0xff) &&
		one_fault(rig, 1, OUTSIDE, LENGTH, MEM_READ);
	/* Over the window's edge: what is inside is done, the rest is one fault. */
	memset(buffer, PATTERN, LENGTH);
	fine &= transfer(rig, OUTSIDE - 64, true, LENGTH) && all_bytes(target - 64, 64, PATTERN) &&
		all_bytes(target, LENGTH, 0x11) && one_fault(rig, 2, OUTSIDE, LENGTH - 64, MEM_WRITE);
	/* In the window, and nothing there. */
	u64 faults = rig->pc->edu.pci.dma.faults;
	fine &= transfer(rig, BEHIND_RAM, false, LENGTH) && all_bytes(buffer, LENGTH, 0xff) &&
		EXPECT_EQUAL(rig->pc->edu.pci.dma.faults, faults + 1);
	memset(target, 0, LENGTH);
	close_rig(rig);
	return fine;
}

static bool no_bus_master(const struct boot *boot)
{
	struct rig rig[1];

	if (!open_rig(rig, boot))
		return false;
	u8 *buffer = rig->pc->edu.buffer;
	pc_rig_config_set16(rig->board, EDU_SLOT, PCI_COMMAND, 2);
	memset(buffer, PATTERN, LENGTH);
	bool fine = transfer(rig, INSIDE, true, LENGTH) && all_bytes(rig->ram + INSIDE, LENGTH, 0) &&
		    transfer(rig, INSIDE, false, LENGTH) && all_bytes(buffer, LENGTH, 0xff) &&
		    EXPECT_EQUAL(rig->pc->edu.pci.dma.refused, 2);
	pc_rig_config_set16(rig->board, EDU_SLOT, PCI_COMMAND, 6);
	fine &= transfer(rig, INSIDE, false, LENGTH) && all_bytes(buffer, LENGTH, 0);
	close_rig(rig);
	return fine;
}

/*
 * A device's registers as the target: by the port itself, since edu has too few address lines; then with a window that
 * would permit it. The space behind every window has RAM only.
 */
static bool registers_are_out_of_reach(const struct boot *boot)
{
	struct rig rig[1];
	u32 value = 0x600d, liveness = 0;

	if (!open_rig(rig, boot))
		return false;
	struct dma_port *port = &rig->pc->edu.pci.dma;
	bool fine = EXPECT(dma_write(port, rig->bar + 4, &value, 4) != MEM_OK) &&
		    one_fault(rig, 0, rig->bar + 4, 4, MEM_WRITE);
	const struct dma_row row = DMA_ROW("too much", 0xc0000000, GiB, 0xc0000000, MEM_READ_WRITE);
	const struct dma_table table = { .device = "edu", .requester = EDU_SLOT, .rows = &row, .count = 1 };
	struct dma_window window;
	struct address_space space;

	dma_window_init(&window, "wide window", &table, &rig->pc->dma_ram, &rig->pc->faults);
	fine &= EXPECT_EQUAL(as_init(&space, &rig->pc->core, "wide", &window.iommu.region, UNCLAIMED_ONES),
			     0);
	fine &= EXPECT(as_write(&space, rig->bar + 4, &value, 4) != MEM_OK);
	fine &= EXPECT(as_read(&space, rig->bar, &value, 4) != MEM_OK) && EXPECT_EQUAL(value, ~0u);
	fine &= EXPECT(as_write(&space, LAPIC_DEFAULT_BASE + LAPIC_TPR, &value, 4) != MEM_OK);
	as_load_le32(&rig->pc->memory, rig->bar + 4, &liveness);
	fine &= EXPECT_EQUAL(liveness, 0) && EXPECT_EQUAL(lapic_cr8(vcpu_lapic(rig->pc->vm.vcpu)), 0);
	as_destroy(&space);
	close_rig(rig);
	return fine;
}

static const struct selftest tests[] = {
	{ "inside its window edu reaches guest RAM, to the byte", inside },
	{ "outside it reads ones and changes nothing, and the fault tells all", outside },
	{ "without bus mastering nothing moves", no_bus_master },
	{ "device registers are out of reach, whatever a window says", registers_are_out_of_reach },
};

const struct selftest_group test_dma = SELFTEST_GROUP("dma", tests);
