// SPDX-License-Identifier: BSD-2-Clause
#include "tests/target/pc_rig.h"

#include <stdlib.h>
#include <string.h>

#include "iommu/vtd_internal.h"
#include "tests/target/selftest.h"

static void ignore_interrupt(void *owner, u8 vector)
{
	(void)owner, (void)vector;
}

bool pc_rig_open(struct pc_rig **out, const struct boot *boot)
{
	struct pc_rig *rig = *out = calloc(1, sizeof(*rig));
	u8 *scratch = calloc(1, PC_RIG_SCRATCH);
	const struct pc_console console = { .host_interrupt = ignore_interrupt };
	static const u8 mac[ETHERNET_MAC] = { 2, 'g', 'u', 'e', 's', 't' };

	if (!EXPECT(rig && scratch))
		return false;
	rig->config = *boot->config;
	rig->config.edu = true;
	rig->config.memory = MIN(rig->config.memory, PC_RIG_MEMORY);
	rig->boot = *boot;
	rig->boot.config = &rig->config;
	rig->boot.scratch = (struct boot_file){ "scratch", scratch, PC_RIG_SCRATCH };
	rig->scratch = scratch;
	rig->ram = (u8 *)boot->ram[0].address;
	if (pc_create(&rig->pc, &rig->boot, &console, mac))
		return true;
	free(scratch);
	free(rig);
	return EXPECT(!"pc_create");
}

void pc_rig_close(struct pc_rig *rig)
{
	pc_destroy(&rig->pc);
	free(rig->scratch);
	free(rig);
}

u32 pc_rig_config(struct pc_rig *rig, u8 devfn, unsigned offset)
{
	u32 value = 0;

	as_store_le32(&rig->pc.ports, 0xcf8, BIT(31) | devfn << 8 | offset);
	as_load_le32(&rig->pc.ports, 0xcfc, &value);
	return value;
}

void pc_rig_config_set16(struct pc_rig *rig, u8 devfn, unsigned offset, u16 value)
{
	as_store_le32(&rig->pc.ports, 0xcf8, BIT(31) | devfn << 8 | (offset & ~3u));
	as_store_le16(&rig->pc.ports, 0xcfc + (offset & 3), value);
}

u64 pc_rig_enable(struct pc_rig *rig, u8 devfn)
{
	pc_rig_config_set16(rig, devfn, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return pc_rig_config(rig, devfn, PCI_BAR0) & ~15u;
}

#define CONTEXT (PC_RIG_VTD + PAGE_SIZE)
#define TABLES	(PC_RIG_VTD + 2 * PAGE_SIZE)
#define LEVELS	4

static void put64(u8 *at, u64 value)
{
	memcpy(at, &value, sizeof(value));
}

bool pc_rig_start_vtd(struct pc_rig *rig)
{
	struct address_space *memory = &rig->pc.memory;
	u8 *ram = rig->ram;
	u32 status = 0;

	memset(ram + PC_RIG_VTD, 0, PC_RIG_DMA + PC_RIG_DMA_SIZE - PC_RIG_VTD);
	put64(ram + PC_RIG_VTD, CONTEXT | 1);
	for (unsigned devfn = 0; devfn < 256; devfn++) {
		put64(ram + CONTEXT + 16 * devfn, TABLES | 1);
		put64(ram + CONTEXT + 16 * devfn + 8, 1 << 8 | 2); /* domain 1, 48 bits */
	}
	for (unsigned level = 0; level < LEVELS - 1; level++)
		put64(ram + TABLES + level * PAGE_SIZE, (TABLES + (level + 1) * PAGE_SIZE) | 3);
	for (u64 iova = 0; iova < PC_RIG_DMA_SIZE; iova += PAGE_SIZE)
		*pc_rig_pte(rig, iova) = (PC_RIG_DMA + iova) | 3;
	as_store_le64(memory, PC_VTD + RTADDR_REG, PC_RIG_VTD);
	as_store_le32(memory, PC_VTD + GCMD_REG, GCMD_SRTP);
	as_store_le32(memory, PC_VTD + GCMD_REG, GCMD_TE);
	as_load_le32(memory, PC_VTD + GSTS_REG, &status);
	return EXPECT_EQUAL(status, GCMD_TE | GCMD_SRTP);
}

u64 *pc_rig_pte(struct pc_rig *rig, u64 iova)
{
	return (u64 *)(rig->ram + TABLES + (LEVELS - 1) * PAGE_SIZE) + iova / PAGE_SIZE;
}

void pc_rig_invalidate(struct pc_rig *rig)
{
	as_store_le64(&rig->pc.memory, PC_VTD + IOTLB_REG, BIT(63) | 1ull << 60);
}
