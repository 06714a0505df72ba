/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Power management as ACPI describes it: the PM1a event and control blocks and the 32-bit timer (ACPI 6.5, 4.8.3), the
 * sleep registers of a hardware-reduced board (4.8.3.7), and the reset control register 0xcf9 of Intel's chip sets. ACPI
 * mode is always on (SCI_EN reads 1, no SMI command). There is no power or sleep button: FADT flags 4 and 5.
 */
#ifndef DEVICES_PM_H
#define DEVICES_PM_H

#include "devices/irq.h"
#include "devices/timer.h"
#include "mm/access.h"
#include "mm/log.h"

/* One block of ports: event +0 (4 bytes), control +4 (2), timer +8 (4). FADT flag 8: the timer has 32 bits. */
#define PM_ACPI_PORTS	12
#define PM_TIMER_OFFSET 8
#define PM_TIMER_HZ	3579545
/* Instead, on a hardware-reduced board: SLEEP_CONTROL +0, SLEEP_STATUS +1. */
#define PM_SLEEP_PORTS 2

#define PM_SLP_TYP_S5  5    /* SLP_TYPa in the DSDT's \_S5 */
#define PM_RESET_VALUE 0x06 /* FADT RESET_VALUE for 0xcf9 */

/* What a guest may ask of the board. Called from a register write; the board ends or resets the guest afterwards. */
struct pm_board {
	void (*power_off)(void *board);
	void (*reset)(void *board);
	void *board;
};

struct pm {
	const struct clock *clock;
	struct timer_queue *queue;
	struct timer timer; /* the next change of the PM timer's top bit, if its interrupt is enabled */
	struct irq_line sci;
	struct pm_board board;
	u64 epoch; /* tick at which the PM timer was 0 */
	u64 seen;  /* PM timer periods up to which TMR_STS was worked out */
	u16 status, enable, control;
	u8 sleep_status, reset_control;
	struct log_rate refused;
};

extern const struct region_ops pm_acpi_ops;  /* device: struct pm *; PM_ACPI_PORTS ports, e.g. at 0x600 */
extern const struct region_ops pm_sleep_ops; /* device: struct pm *; PM_SLEEP_PORTS ports */
/*
 * The reset register, one port. 0xcf9 lies inside PCI's CONFIG_ADDRESS double word, which must stay whole for 32-bit
 * accesses: the owner of 0xcf8..0xcff forwards accesses of one byte to 0xcf9 here, no region of its own is laid over it.
 */
extern const struct region_ops pm_reset_ops; /* device: struct pm * */

/* `sci`: the level-triggered interrupt that FADT SCI_INT names. */
void pm_init(struct pm *pm, const struct clock *clock, struct timer_queue *queue, struct irq_line sci,
	     struct pm_board board);
void pm_reset(struct pm *pm); /* the timer counts on */

#endif
