/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's ACPI tables (ACPI 6.x chapter 5): RSDP, XSDT, FADT, FACS, MADT, MCFG, DMAR and the DSDT that iasl made of dsdt.asl.
 * A PC with PIC pair, PIT, RTC and the fixed power management registers; no 8042, no VGA.
 */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "mm/types.h"

/*
 * Where the board has what the tables speak of. The DSDT is fixed: PCI bus 0 by ports 0xcf8/0xcfc with I/O window
 * 0x1000..0xffff and memory window 0xc0000000..0xfebfffff, COM1, RTC, PIC, PIT; INTx of device d, pin p (0 = INTA) is
 * GSI 16 + (d + p) % 8, level, active low. SLP_TYP of S5 is ACPI_S5_SLP_TYP. It keeps ACPI_ECAM_BASE free for `ecam_base`,
 * which must be a reserved row of the memory map, too: Linux asks both.
 */
struct acpi_board {
	u32 lapic_base;
	u32 ioapic_base;
	u8 ioapic_id;
	u8 sci_irq;	  /* level, active high; GSI = IRQ */
	u16 pm1a_event;	  /* I/O, 4 bytes: PM1_STS, PM1_EN */
	u16 pm1a_control; /* I/O, 2 bytes; SCI_EN reads as 1 from the start: there is no SMI command port */
	u16 pm_timer;	  /* I/O, 4 bytes; counts 32 bits */
	u16 reset_port;	  /* I/O, 1 byte */
	u8 reset_value;	  /* what resets when written there */
	u32 ecam_base; /* memory-mapped PCI configuration space of bus 0, 1 MiB; 0: none, and Linux warns of that */
	u32 vtd_base; /* registers of the remapping unit for all of PCI and the IOAPIC, 4 KiB; 0: there is none */
	u8 vtd_address_width; /* bits that DMA can address behind it */
	bool vtd_interrupts;  /* it remaps interrupts, too */
	u16 ioapic_requester; /* bus, device, function that the IOAPIC's requests carry; not 0 */
	unsigned cpu_count;   /* local APIC ids 0..cpu_count - 1, at most ACPI_CPUS_MAX */
};

#define ACPI_CPUS_MAX	16
#define ACPI_S5_SLP_TYP 5
#define ACPI_ECAM_BASE	0xfef00000
#define ACPI_ECAM_SIZE	MiB
#define ACPI_TABLES_MAX (32 * KiB) /* what acpi_build() needs at most: the size to set aside */

/*
 * Writes all tables for a guest that sees `buffer` at guest-physical `gpa` (page-aligned, below 4 GiB). `size` is at
 * least ACPI_TABLES_MAX; unused bytes are zeroed. Returns the gpa of the RSDP; 0: an argument is out of range.
 */
u64 acpi_build(const struct acpi_board *board, u64 gpa, void *buffer, size_t size);

#endif
