/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's educational PCI device (docs/specs/edu.txt of QEMU 7.2): 1234:11e8, a factorial unit, an interrupt
 * register, and DMA between guest memory and a buffer of 4096 bytes, all of it through the DMA port.
 *
 * Where it differs: a transfer may end at the buffer's last byte; one that leaves the buffer transfers
 * nothing, is told on the console, and finishes; writing 0 to the interrupt register does nothing. Both units
 * finish EDU_DELAY_HZ^-1 seconds after they were started.
 */
#ifndef DEVICES_EDU_H
#define DEVICES_EDU_H

#include "devices/pci.h"
#include "devices/timer.h"

#define EDU_BAR_SIZE (1 * MiB)
#define EDU_BUFFER \
	0x40000ull /* where the buffer lies in the device's own addresses; the CPU does not see it */
#define EDU_BUFFER_SIZE	  4096u
#define EDU_DMA_MASK	  BITS(27, 0)
#define EDU_DELAY_HZ	  10000u
#define EDU_MSI_VECTORS	  1
#define EDU_IRQ_FACTORIAL 0x001u
#define EDU_IRQ_DMA	  0x100u

struct edu {
	struct pci_function pci;
	struct region registers;
	const struct clock *clock;
	struct timer_queue *timers;
	struct timer computed, transferred;
	u32 liveness, factorial, status, interrupts;
	u64 source, destination, count, command;
	struct log_rate rate;
	u8 buffer[EDU_BUFFER_SIZE];
};

/* Ready for pci_add(). The clock and the queue outlive the device. */
void edu_init(struct edu *edu, const char *name, const struct clock *clock, struct timer_queue *timers);

#endif
