/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts of the physical machine. The hypervisor runs with IF = 0: they arrive as VM exits (or in sti_hlt_cli()).
 * The one that is wanted is the serial line's, through the 8259 pair in virtual-wire mode; all else is quietened.
 */
#ifndef ARCH_HOST_IRQ_H
#define ARCH_HOST_IRQ_H

#include "mm/types.h"

#define HOST_PIC_VECTOR	     0x20 /* of IRQ 0; 16 vectors */
#define HOST_SPURIOUS_VECTOR 0xff
#define HOST_IRQ_HELD	     0 /* no vector: the serial line, which is held */

/*
 * Masks and remaps the 8259 pair, stops the firmware's timers, puts the local APIC (either mode) into virtual-wire
 * mode, and lets the serial line interrupt. False: the APIC's registers could not be mapped.
 */
bool host_irq_init(void);

/* At an external-interrupt VM exit with this vector (acknowledged on exit). Any vector is fine. */
void host_irq_handle(u8 vector);

/* Lets the serial line's interrupt wait in the 8259, or no longer. One that was on its way already is served. */
void host_irq_hold(bool hold);
/* Is it held, and has it come, or been served when it was on its way? Then host_irq_handle(HOST_IRQ_HELD) is due. */
bool host_irq_waits(void);

/* Vectors that nobody had asked for. */
u64 host_irq_stray_count(void);

#endif
