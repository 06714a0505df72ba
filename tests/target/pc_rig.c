// SPDX-License-Identifier: BSD-2-Clause
#include "tests/target/pc_rig.h"

#include <stdlib.h>

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
	if (pc_create(&rig->pc, &rig->boot, &console))
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
