/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wire formats of the ACPI tables (ACPI 6.4, chapter 5). All little endian, all packed.
 */
#ifndef BOOT_ACPI_TABLES_H
#define BOOT_ACPI_TABLES_H

#include "mm/types.h"

#define ACPI_PACKED __attribute__((packed))

/* 5.2.3.2 Generic Address Structure */
struct ACPI_PACKED acpi_gas {
	u8 space; /* 0 memory, 1 I/O */
	u8 bit_width, bit_offset;
	u8 access; /* 1 byte, 2 word, 3 dword */
	u64 address;
};
static_assert(sizeof(struct acpi_gas) == 12, "ACPI 5.2.3.2");

/* 5.2.5.3 Root System Description Pointer, revision 2 */
struct ACPI_PACKED acpi_rsdp {
	char signature[8];
	u8 checksum; /* of the first 20 bytes */
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 extended_checksum; /* of all bytes */
	u8 reserved[3];
};
static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 5.2.5.3");

/* 5.2.6 System Description Table Header */
struct ACPI_PACKED acpi_header {
	char signature[4];
	u32 length;
	u8 revision;
	u8 checksum; /* makes the sum of all bytes 0 */
	char oem_id[6];
	char oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
};
static_assert(sizeof(struct acpi_header) == 36, "ACPI 5.2.6");

/* 5.2.9 Fixed ACPI Description Table, revision 6 */
struct ACPI_PACKED acpi_fadt {
	struct acpi_header header;
	u32 firmware_ctrl, dsdt;
	u8 reserved0, preferred_pm_profile;
	u16 sci_int;
	u32 smi_cmd;
	u8 acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	u32 pm1a_evt_blk, pm1b_evt_blk, pm1a_cnt_blk, pm1b_cnt_blk, pm2_cnt_blk, pm_tmr_blk, gpe0_blk,
		gpe1_blk;
	u8 pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_blk_len, gpe1_blk_len, gpe1_base, cst_cnt;
	u16 p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alrm, mon_alrm, century;
	u16 iapc_boot_arch;
	u8 reserved1;
	u32 flags;
	struct acpi_gas reset_reg;
	u8 reset_value;
	u16 arm_boot_arch;
	u8 minor_version;
	u64 x_firmware_ctrl, x_dsdt;
	struct acpi_gas x_pm1a_evt_blk, x_pm1b_evt_blk, x_pm1a_cnt_blk, x_pm1b_cnt_blk, x_pm2_cnt_blk,
		x_pm_tmr_blk, x_gpe0_blk, x_gpe1_blk;
	struct acpi_gas sleep_control_reg, sleep_status_reg;
	char hypervisor_vendor[8];
};
static_assert(offsetof(struct acpi_fadt, iapc_boot_arch) == 109, "ACPI 5.2.9");
static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "ACPI 5.2.9");
static_assert(offsetof(struct acpi_fadt, x_pm_tmr_blk) == 208, "ACPI 5.2.9");
static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 5.2.9");

#define FADT_BOOT_LEGACY_DEVICES BIT(0) /* COM ports, PIC, PIT on the ISA ports */
#define FADT_BOOT_NO_VGA	 BIT(2)
#define FADT_WBINVD		 BIT(0)
#define FADT_PROC_C1		 BIT(2)
#define FADT_NO_POWER_BUTTON	 BIT(4) /* "control method", of which the DSDT has none */
#define FADT_NO_SLEEP_BUTTON	 BIT(5)
#define FADT_NO_FIXED_RTC	 BIT(6)
#define FADT_TMR_32BIT		 BIT(8)
#define FADT_RESET_REG		 BIT(10)

/* 5.2.10 Firmware ACPI Control Structure: no header checksum, 64-byte aligned */
struct ACPI_PACKED acpi_facs {
	char signature[4];
	u32 length;
	u32 hardware_signature, waking_vector, global_lock, flags;
	u64 x_waking_vector;
	u8 version;
	u8 reserved[31];
};
static_assert(sizeof(struct acpi_facs) == 64, "ACPI 5.2.10");

/* 5.2.12 Multiple APIC Description Table and its structures */
struct ACPI_PACKED acpi_madt {
	struct acpi_header header;
	u32 lapic_base;
	u32 flags; /* bit 0: PCAT_COMPAT, a PIC pair exists */
};
static_assert(sizeof(struct acpi_madt) == 44, "ACPI 5.2.12");

struct ACPI_PACKED acpi_madt_lapic {
	u8 type /* 0 */, length, uid, apic_id;
	u32 flags; /* bit 0: enabled */
};
static_assert(sizeof(struct acpi_madt_lapic) == 8, "ACPI 5.2.12.2");

struct ACPI_PACKED acpi_madt_ioapic {
	u8 type /* 1 */, length, id, reserved;
	u32 base, gsi_base;
};
static_assert(sizeof(struct acpi_madt_ioapic) == 12, "ACPI 5.2.12.3");

struct ACPI_PACKED acpi_madt_override {
	u8 type /* 2 */, length, bus, irq;
	u32 gsi;
	u16 flags; /* MPS INTI: polarity 1:0, trigger 3:2 */
};
static_assert(sizeof(struct acpi_madt_override) == 10, "ACPI 5.2.12.5");

struct ACPI_PACKED acpi_madt_lapic_nmi {
	u8 type /* 4 */, length, uid;
	u16 flags;
	u8 lint;
};
static_assert(sizeof(struct acpi_madt_lapic_nmi) == 6, "ACPI 5.2.12.7");

/* PCI Firmware Specification 3.2, table 4-3, with one window */
struct ACPI_PACKED acpi_mcfg {
	struct acpi_header header;
	u64 reserved0;
	u64 base;
	u16 segment;
	u8 first_bus, last_bus;
	u32 reserved1;
};
static_assert(sizeof(struct acpi_mcfg) == 60, "PCI Firmware 4.1.2");

/* VT-d 3.x, 8.1: one unit for all, with the IOAPIC in its scope */
struct ACPI_PACKED acpi_dmar {
	struct acpi_header header;
	u8 address_width; /* less one */
	u8 flags;
	u8 reserved[10];
	struct ACPI_PACKED {
		u16 type /* 0 */, length;
		u8 flags, size;
		u16 segment;
		u64 base;
		struct ACPI_PACKED {
			u8 type, length;
			u16 reserved;
			u8 id, bus, device, function;
		} ioapic;
	} drhd; /* 8.3 */
};
static_assert(sizeof(struct acpi_dmar) == 72, "VT-d 8.1, 8.3, 8.3.1");

#define DMAR_INTR_REMAP		  BIT(0)
#define DMAR_DRHD_INCLUDE_PCI_ALL BIT(0)
#define DMAR_SCOPE_IOAPIC	  3

#define MPS_INTI_BUS_DEFAULT	   0x0
#define MPS_INTI_LEVEL_ACTIVE_HIGH 0xd

#endif
