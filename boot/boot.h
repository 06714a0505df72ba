/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the boot stage hands over: a machine without firmware, with the hypervisor's own page tables, stack and
 * exceptions active, interrupts off, the serial line running, and everything below in place for good.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "arch/page_alloc.h"
#include "boot/config.h"

#define BOOT_EXTENTS_MAX 16
#define BOOT_OWN_MAX	 32

/* A file of the EFI system partition, read once. Not configured: name NULL, size 0. */
struct boot_file {
	const char *name;
	const u8 *data; /* page-aligned */
	u64 size;	/* bytes */
};

/* Guest RAM: host-physical, 2 MiB-aligned (1 GiB-aligned if that could be had), zeroed, mapped read-write. */
struct boot_extent {
	u64 address, size; /* size: a multiple of 2 MiB */
};

/* Memory that a guest must never reach; whole pages. */
struct boot_range {
	u64 address, size;
	const char *what;
};

struct boot {
	const struct config *config;
	struct boot_file kernel, initrd;
	struct boot_file disk, scratch; /* virtio disks: written to, and kept when the guest starts again */
	struct boot_file module[CONFIG_MODULES_MAX]; /* config->module_count of them */

	struct boot_extent ram[BOOT_EXTENTS_MAX]; /* config->memory bytes in all, in no particular order */
	unsigned ram_count;

	struct page_pool
		*pages; /* enough to map config->memory in 4 KiB pages by EPT, and BOOT_SPARE_PAGES more */
	u64 rsdp;	/* of the machine, not of the guest; 0: firmware has none */

	struct boot_range own[BOOT_OWN_MAX];
	unsigned own_count;
	u64 own_bytes; /* image, stacks, heap, page tables: `own` without files and `pages` */

	u64 tsc_hz;
	u64 tsc_at_entry; /* of efi_main */
	u64 tsc_excluded; /* ticks spent since then in reading files and in clearing guest memory */
};

/* Never returns: it ends in host_poweroff() or host_reset(). */
_Noreturn void sluice_main(struct boot *boot);

#endif
