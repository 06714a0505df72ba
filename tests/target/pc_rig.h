/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real board on a part of the machine's memory, and its PCI configuration and registers driven as a guest does it.
 */
#ifndef TESTS_TARGET_PC_RIG_H
#define TESTS_TARGET_PC_RIG_H

#include "boot/board_pc.h"

#define PC_RIG_MEMORY  (64 * MiB) /* at most */
#define PC_RIG_SCRATCH (256 * KiB)

struct pc_rig {
	struct config config;
	struct boot boot;
	struct pc pc;
	u8 *ram;     /* guest-physical 0; as a test before left it */
	u8 *scratch; /* the scratch disk: PC_RIG_SCRATCH bytes of zeros */
};

/* With edu, the scratch disk, and whatever else `boot` configures. False: noted why. */
bool pc_rig_open(struct pc_rig **rig, const struct boot *boot);
void pc_rig_close(struct pc_rig *rig);

/* Of configuration space: a dword, by the ports; `offset` a multiple of 4, of 2 for the write. */
u32 pc_rig_config(struct pc_rig *rig, u8 devfn, unsigned offset);
void pc_rig_config_set16(struct pc_rig *rig, u8 devfn, unsigned offset, u16 value);
/* Memory decoding and bus mastering on; where the first BAR is. */
u64 pc_rig_enable(struct pc_rig *rig, u8 devfn);

/*
 * VT-d translation on: every requester sees the same pages of 4 KiB by tables of four levels, IOVA 0 up to PC_RIG_DMA_SIZE
 * at PC_RIG_DMA, which are cleared. pc_rig_pte() is a page's entry.
 */
#define PC_RIG_VTD	0x600000ull
#define PC_RIG_DMA	0x800000ull
#define PC_RIG_DMA_SIZE (2 * MiB)
bool pc_rig_start_vtd(struct pc_rig *rig);
u64 *pc_rig_pte(struct pc_rig *rig, u64 iova);
/* All of the IOTLB, by its register. */
void pc_rig_invalidate(struct pc_rig *rig);

#endif
