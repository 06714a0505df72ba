// SPDX-License-Identifier: BSD-2-Clause
/*
 * Both gates of the real board in a row: edu's DMA by way of the VT-d unit's tables, then its static window. And interrupts by
 * way of the remapping table.
 */
#include <string.h>

#include "arch/cpu.h"
#include "iommu/vtd_internal.h"
#include "tests/target/pc_rig.h"
#include "tests/target/selftest.h"

#define LENGTH	 256u
#define PATTERN	 0x5a
#define UNMAPPED (PC_RIG_DMA_SIZE + 0x3000) /* behind the last entry of the last table */
#define IR_TABLE 0x700000ull
#define VECTOR	 0x61
#define HANDLE	 5u
/* In the window, which is larger than any machine\'s memory. */
#define BEHIND_RAM 0x7ff0000000ull

static struct dma_port *edu_port(struct pc_rig *rig)
{
	return &rig->pc.edu.pci.dma;
}

static bool open(struct pc_rig **rig, const struct boot *boot)
{
	if (!pc_rig_open(rig, boot))
		return false;
	pc_rig_enable(*rig, (u8)pc_dma_windows[PC_EDU].requester);
	return pc_rig_start_vtd(*rig);
}

/* Of all guest RAM but the VT-d tables, which the tests write. */
static u64 rest_of_ram(const struct pc_rig *rig)
{
	const u64 *ram = (const u64 *)rig->ram, words = rig->config.memory / sizeof(*ram);
	u64 hash = 0;

	for (u64 i = 0; i < words; i++) {
		if (i == PC_RIG_VTD / sizeof(*ram))
			i = PC_RIG_DMA / sizeof(*ram);
		hash = (hash ^ ram[i]) * 0x9e3779b97f4a7c15;
	}
	return hash;
}

/* The latest fault in the log is this one, and is told with these words. */
static bool told(struct pc_rig *rig, u64 total, u64 iova, unsigned reason, const char *words)
{
	struct fault_record record = { 0 };
	char line[192] = "";
	bool fine = EXPECT_EQUAL(rig->pc.faults.total, total) &&
		    EXPECT(fault_log_get(&rig->pc.faults, 0, &record));

	fault_format(&record, line, sizeof(line));
	fine = fine && EXPECT_EQUAL(record.iova, iova) && EXPECT_EQUAL(record.reason, reason) &&
	       EXPECT(strstr(line, "edu 00:04.0")) && EXPECT(strstr(line, words));
	if (!fine)
		selftest_note("the fault is told as: %s", line);
	return fine;
}

static bool translates(const struct boot *boot)
{
	struct pc_rig *rig;
	u8 buffer[LENGTH];

	if (!open(&rig, boot))
		return false;
	/* Over the edge of a page whose neighbour is elsewhere. */
	*pc_rig_pte(rig, 0x2000) = (PC_RIG_DMA + 0x9000) | 3;
	memset(buffer, PATTERN, LENGTH);
	bool fine = EXPECT_EQUAL(dma_write(edu_port(rig), 0x1f80, buffer, LENGTH), MEM_OK) &&
		    EXPECT(memcmp(rig->ram + PC_RIG_DMA + 0x1f80, buffer, 0x80) == 0) &&
		    EXPECT(memcmp(rig->ram + PC_RIG_DMA + 0x9000, buffer, 0x80) == 0) &&
		    EXPECT_EQUAL(rig->ram[PC_RIG_DMA + 0x2000], 0) &&
		    EXPECT_EQUAL(rig->ram[PC_RIG_DMA + 0x9080], 0);
	memset(buffer, 0, LENGTH);
	fine = fine && EXPECT_EQUAL(dma_read(edu_port(rig), 0x1f80, buffer, LENGTH), MEM_OK) &&
	       EXPECT_EQUAL(buffer[0], PATTERN) && EXPECT_EQUAL(buffer[LENGTH - 1], PATTERN) &&
	       EXPECT_EQUAL(rig->pc.faults.total, 0);
	pc_rig_close(rig);
	return fine;
}

static bool the_unit_says_no(const struct boot *boot)
{
	struct pc_rig *rig;
	u8 buffer[LENGTH] = { 0 };
	u32 status = 0, source = 0, reason = 0;

	if (!open(&rig, boot))
		return false;
	struct address_space *memory = &rig->pc.memory;
	u64 before = rest_of_ram(rig);
	bool fine = EXPECT(dma_read(edu_port(rig), UNMAPPED, buffer, LENGTH) != MEM_OK) &&
		    EXPECT_EQUAL(buffer[0], 0xff) && EXPECT_EQUAL(buffer[LENGTH - 1], 0xff) &&
		    told(rig, 1, UNMAPPED, IOMMU_FAULT_UNIT + 6, "read");
	/* As the guest sees it: pending, source-id, reason. */
	as_load_le32(memory, PC_VTD + FSTS_REG, &status);
	as_load_le32(memory, PC_VTD + FRCD_REG + 8, &source);
	as_load_le32(memory, PC_VTD + FRCD_REG + 12, &reason);
	fine &= EXPECT_EQUAL(status, FSTS_PPF) && EXPECT_EQUAL(source, pc_dma_windows[PC_EDU].requester) &&
		EXPECT_EQUAL(reason, 0xc0000006u);
	*pc_rig_pte(rig, 0x5000) = (PC_RIG_DMA + 0x5000) | 1;
	memset(buffer, PATTERN, LENGTH);
	fine &= EXPECT(dma_write(edu_port(rig), 0x5000, buffer, LENGTH) != MEM_OK) &&
		EXPECT_EQUAL(rig->ram[PC_RIG_DMA + 0x5000], 0) &&
		told(rig, 2, 0x5000, IOMMU_FAULT_UNIT + 5, "write") &&
		EXPECT_EQUAL(dma_read(edu_port(rig), 0x5000, buffer, LENGTH), MEM_OK);
	/* What was there may be used until it is invalidated, and not a moment longer. */
	*pc_rig_pte(rig, 0x5000) = 0;
	pc_rig_invalidate(rig);
	fine &= EXPECT(dma_read(edu_port(rig), 0x5000, buffer, LENGTH) != MEM_OK) &&
		told(rig, 3, 0x5000, IOMMU_FAULT_UNIT + 6, "read");
	fine &= EXPECT_EQUAL(rest_of_ram(rig), before);
	pc_rig_close(rig);
	return fine;
}

/* Whatever the guest puts into its tables: a device's registers, what is not RAM, what its window does not hold. */
static bool the_window_says_no(const struct boot *boot)
{
	static const u64 targets[] = { 0xc0000000, PC_VTD, LAPIC_DEFAULT_BASE, PC_FIRMWARE, BEHIND_RAM };
	struct pc_rig *rig;
	u32 value = 0x600d;

	if (!open(&rig, boot))
		return false;
	bool fine = true;
	u64 before = rest_of_ram(rig);
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++) {
		*pc_rig_pte(rig, 0x7000) = targets[i] | 3;
		pc_rig_invalidate(rig);
		fine &= EXPECT(dma_write(edu_port(rig), 0x7004, &value, 4) != MEM_OK);
		/* 0xfee00000 is the interrupt range: not an address that tables may lead to. */
		if (targets[i] == LAPIC_DEFAULT_BASE)
			fine &= told(rig, i + 1, 0x7004, IOMMU_FAULT_UNIT + 0xe, "interrupt");
		else if (targets[i] == BEHIND_RAM)
			fine &= told(rig, i + 1, targets[i] + 4, IOMMU_FAULT_UNCLAIMED, "nothing is there");
		else
			fine &= told(rig, i + 1, targets[i] + 4, IOMMU_FAULT_NOT_MAPPED, "window");
	}
	fine &= EXPECT_EQUAL(rest_of_ram(rig), before);
	fine &= EXPECT_EQUAL(pc_rig_config(rig, (u8)pc_dma_windows[PC_EDU].requester, 0), 0x11e81234);
	pc_rig_close(rig);
	return fine;
}

/* Remapped by an entry that names edu as the source; refused for the scratch disk, and in the old format. */
static bool interrupts(const struct boot *boot)
{
	struct pc_rig *rig;
	const u64 address = LAPIC_DEFAULT_BASE | HANDLE << 5 | BIT(4);

	if (!open(&rig, boot))
		return false;
	struct address_space *memory = &rig->pc.memory;
	const u16 edu = pc_dma_windows[PC_EDU].requester;
	u64 entry[2] = { (u64)VECTOR << 16 | 1, 1ull << 18 | edu }, out = address;
	u32 data = 0;
	memset(rig->ram + IR_TABLE, 0, PAGE_SIZE);
	memcpy(rig->ram + IR_TABLE + 16 * HANDLE, entry, sizeof(entry));
	as_store_le64(memory, PC_VTD + IRTA_REG, IR_TABLE | 7);
	as_store_le32(memory, PC_VTD + GCMD_REG, GCMD_TE | GCMD_SIRTP);
	as_store_le32(memory, PC_VTD + GCMD_REG, GCMD_TE | GCMD_IRE);
	bool fine = EXPECT(vtd_remap_interrupt(&rig->pc.vtd, edu, &out, &data)) &&
		    EXPECT_EQUAL(out, LAPIC_DEFAULT_BASE) && EXPECT_EQUAL(data & 0xff, VECTOR);
	out = address;
	data = 0;
	fine &= EXPECT(!vtd_remap_interrupt(&rig->pc.vtd, pc_dma_windows[PC_SCRATCH].requester, &out, &data));
	out = LAPIC_DEFAULT_BASE;
	data = VECTOR;
	fine &= EXPECT(!vtd_remap_interrupt(&rig->pc.vtd, edu, &out, &data)) &&
		EXPECT_EQUAL(rig->pc.vtd.counters.interrupts_blocked, 2);
	pc_rig_close(rig);
	return fine;
}

static const struct selftest tests[] = {
	{ "DMA goes where the guest's tables lead, page by page", translates },
	{ "what the tables deny is a VT-d fault, for the guest and in words", the_unit_says_no },
	{ "what the tables permit beyond the window is refused there", the_window_says_no },
	{ "interrupts pass by an entry for their source, and not otherwise", interrupts },
};

const struct selftest_group test_vtd = SELFTEST_GROUP("vtd", tests);
