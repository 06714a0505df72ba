/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of the machine: off or reset. The firmware's ResetSystem is what knows how on a real PC (its ACPI method would
 * need an AML interpreter); emulators may name a port that ends them. Each way that does not work, even by a fault,
 * leads to the next; the last is to stand still.
 */
#ifndef ARCH_HOST_POWER_H
#define ARCH_HOST_POWER_H

#include "mm/types.h"

#define HOST_POWER_RANGES_MAX 64
/* Bochs' port: it ends when the bytes of "Shutdown" have been written there. */
#define HOST_EXIT_PORT_BOCHS 0x8900
/* It always ends with the same status; so its standard output, port 0xe9, is told ours: "status 0" or "status 1". */
#define HOST_DEBUG_PORT_BOCHS 0xe9

/* UEFI 2.x, 8.5.1; types of reset 0 cold, 1 warm, 2 shut-down. */
typedef void __attribute__((ms_abi)) host_reset_system(u32 type, u64 status, u64 size, void *data);

struct host_power {
	u16 exit_port; /* takes "Shutdown" if it is Bochs', else the status as one byte; 0: none */
	host_reset_system *reset_system;
	/*
	 * The firmware's run-time regions, mapped but not executable. They become so only for the call of ResetSystem,
	 * after which the hypervisor runs nothing any more. count 0: other page tables are still active.
	 */
	unsigned count;
	struct {
		u64 address, size;
	} runtime[HOST_POWER_RANGES_MAX];
};

/* `power` stays the caller's, who may change it until the end. */
void host_power_init(struct host_power *power);

/* `status` 0: all went well. */
_Noreturn void host_poweroff(unsigned status);
_Noreturn void host_reset(void);
/* Waits for ever, after the serial line has sent everything. */
_Noreturn void host_halt(void);

#endif
