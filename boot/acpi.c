// SPDX-License-Identifier: BSD-2-Clause
#include "boot/acpi.h"
#include "boot/acpi_tables.h"

#include <string.h>

/* The generated file holds one array definition without storage class; these are its missing first words. */
static const
#include "boot/dsdt.hex"

/* RSDT addresses, FADT's 32-bit fields and Linux's early mapping all want the tables below 4 GiB. */
#define ACPI_GPA_LAST 0xffffffffull

/* What the tables other than the DSDT take at most, holes for alignment included. */
#define ACPI_OTHER_MAX (2 * KiB)
	static_assert(sizeof(dsdt_aml_code) + ACPI_OTHER_MAX <= ACPI_TABLES_MAX,
		      "ACPI_TABLES_MAX has become too small");
static_assert(sizeof(struct acpi_rsdp) + 2 * sizeof(struct acpi_facs) + sizeof(struct acpi_fadt) +
			      sizeof(struct acpi_madt) + ACPI_CPUS_MAX * sizeof(struct acpi_madt_lapic) +
			      256 <
		      ACPI_OTHER_MAX,
	      "ACPI_OTHER_MAX has become too small");

/* Tables are laid one after the other; the guest-physical address of a byte follows from its place in the buffer. */
struct acpi_writer {
	u8 *buffer;
	size_t used;
	u64 gpa;
};

/* `align`: 64 for FACS, 8 else, for the sake of readers that use plain 64-bit loads. */
static void *acpi_reserve(struct acpi_writer *w, size_t size, size_t align, u64 *gpa)
{
	const size_t at = ALIGN_UP(w->used, align);

	w->used = at + size;
	*gpa = w->gpa + at;
	return w->buffer + at;
}

static u8 acpi_checksum(const void *data, size_t size)
{
	const u8 *byte = data;
	u8 sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += byte[i];
	return (u8)-sum;
}

static void acpi_header_init(struct acpi_header *header, const char *signature, size_t length, u8 revision)
{
	memcpy(header->signature, signature, 4);
	header->length = (u32)length;
	header->revision = revision;
	memcpy(header->oem_id, "SLUICE", 6);
	memcpy(header->oem_table_id, "SLUICEPC", 8);
	header->oem_revision = 1;
	memcpy(header->creator_id, "SLUI", 4);
	header->creator_revision = 1;
}

/* The last step for every table but RSDP and FACS. */
static void acpi_header_seal(struct acpi_header *header)
{
	header->checksum = 0;
	header->checksum = acpi_checksum(header, header->length);
}

static struct acpi_gas acpi_gas_io(u16 port, u8 bytes)
{
	return (struct acpi_gas){
		.space = 1,
		.bit_width = bytes * 8,
		.access = bytes == 1   ? 1
			  : bytes == 2 ? 2
				       : 3,
		.address = port,
	};
}

static u64 acpi_write_dsdt(struct acpi_writer *w)
{
	u64 gpa;
	void *dsdt = acpi_reserve(w, sizeof(dsdt_aml_code), 8, &gpa);

	memcpy(dsdt, dsdt_aml_code, sizeof(dsdt_aml_code));
	return gpa;
}

static u64 acpi_write_facs(struct acpi_writer *w)
{
	u64 gpa;
	struct acpi_facs *facs = acpi_reserve(w, sizeof(*facs), 64, &gpa);

	memcpy(facs->signature, "FACS", 4);
	facs->length = sizeof(*facs);
	facs->version = 2;
	return gpa;
}

static u64 acpi_write_fadt(struct acpi_writer *w, const struct acpi_board *board, u64 facs, u64 dsdt)
{
	u64 gpa;
	struct acpi_fadt *fadt = acpi_reserve(w, sizeof(*fadt), 8, &gpa);

	acpi_header_init(&fadt->header, "FACP", sizeof(*fadt), 6);
	fadt->minor_version = 4;
	/* Only one of FIRMWARE_CTRL and X_FIRMWARE_CTRL may be set; of the DSDT's two, Linux wants equal ones. */
	fadt->firmware_ctrl = (u32)facs;
	fadt->dsdt = (u32)dsdt;
	fadt->x_dsdt = dsdt;
	fadt->sci_int = board->sci_irq;
	fadt->pm1a_evt_blk = board->pm1a_event;
	fadt->pm1a_cnt_blk = board->pm1a_control;
	fadt->pm_tmr_blk = board->pm_timer;
	fadt->pm1_evt_len = 4;
	fadt->pm1_cnt_len = 2;
	fadt->pm_tmr_len = 4;
	fadt->x_pm1a_evt_blk = acpi_gas_io(board->pm1a_event, 4);
	fadt->x_pm1a_cnt_blk = acpi_gas_io(board->pm1a_control, 2);
	fadt->x_pm_tmr_blk = acpi_gas_io(board->pm_timer, 4);
	/* Bit widths are ACPICA's defaults (32, 16, 32); the event block is two registers of a word each. */
	fadt->x_pm1a_evt_blk.access = 2;
	/* Above 100 and 1000 microseconds mean: no C2, no C3. */
	fadt->p_lvl2_lat = 0xfff;
	fadt->p_lvl3_lat = 0xfff;
	fadt->century = 0x32;
	fadt->iapc_boot_arch = FADT_BOOT_LEGACY_DEVICES | FADT_BOOT_NO_VGA;
	fadt->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
		      FADT_NO_FIXED_RTC | FADT_TMR_32BIT | FADT_RESET_REG;
	fadt->reset_reg = acpi_gas_io(board->reset_port, 1);
	fadt->reset_value = board->reset_value;
	memcpy(fadt->hypervisor_vendor, "SLUICE\0", 8);
	acpi_header_seal(&fadt->header);
	return gpa;
}

static u64 acpi_write_madt(struct acpi_writer *w, const struct acpi_board *board)
{
	u64 gpa;
	const size_t size = sizeof(struct acpi_madt) + board->cpu_count * sizeof(struct acpi_madt_lapic) +
			    sizeof(struct acpi_madt_ioapic) + 2 * sizeof(struct acpi_madt_override) +
			    sizeof(struct acpi_madt_lapic_nmi);
	struct acpi_madt *madt = acpi_reserve(w, size, 8, &gpa);
	u8 *at = (u8 *)(madt + 1);

	acpi_header_init(&madt->header, "APIC", size, 4);
	madt->lapic_base = board->lapic_base;
	madt->flags = 1;
	for (unsigned cpu = 0; cpu < board->cpu_count; cpu++, at += sizeof(struct acpi_madt_lapic))
		*(struct acpi_madt_lapic *)at = (struct acpi_madt_lapic){
			.type = 0, .length = 8, .uid = (u8)cpu, .apic_id = (u8)cpu, .flags = 1
		};
	*(struct acpi_madt_ioapic *)at = (struct acpi_madt_ioapic){
		.type = 1, .length = 12, .id = board->ioapic_id, .base = board->ioapic_base
	};
	at += sizeof(struct acpi_madt_ioapic);
	/* On a PC the PIT is wired to pin 2, because the PIC's output has pin 0. */
	*(struct acpi_madt_override *)at = (struct acpi_madt_override){
		.type = 2, .length = 10, .irq = 0, .gsi = 2, .flags = MPS_INTI_BUS_DEFAULT
	};
	at += sizeof(struct acpi_madt_override);
	*(struct acpi_madt_override *)at = (struct acpi_madt_override){
		.type = 2,
		.length = 10,
		.irq = board->sci_irq,
		.gsi = board->sci_irq,
		.flags = MPS_INTI_LEVEL_ACTIVE_HIGH,
	};
	at += sizeof(struct acpi_madt_override);
	*(struct acpi_madt_lapic_nmi *)at =
		(struct acpi_madt_lapic_nmi){ .type = 4, .length = 6, .uid = 0xff, .lint = 1 };
	acpi_header_seal(&madt->header);
	return gpa;
}

static u64 acpi_write_mcfg(struct acpi_writer *w, const struct acpi_board *board)
{
	u64 gpa;
	struct acpi_mcfg *mcfg = acpi_reserve(w, sizeof(*mcfg), 8, &gpa);

	acpi_header_init(&mcfg->header, "MCFG", sizeof(*mcfg), 1);
	mcfg->base = board->ecam_base;
	acpi_header_seal(&mcfg->header);
	return gpa;
}

static u64 acpi_write_dmar(struct acpi_writer *w, const struct acpi_board *board)
{
	u64 gpa;
	struct acpi_dmar *dmar = acpi_reserve(w, sizeof(*dmar), 8, &gpa);

	acpi_header_init(&dmar->header, "DMAR", sizeof(*dmar), 1);
	dmar->address_width = board->vtd_address_width - 1;
	dmar->flags = board->vtd_interrupts ? DMAR_INTR_REMAP : 0;
	dmar->drhd.length = sizeof(dmar->drhd);
	dmar->drhd.flags = DMAR_DRHD_INCLUDE_PCI_ALL;
	dmar->drhd.base = board->vtd_base;
	dmar->drhd.ioapic.type = DMAR_SCOPE_IOAPIC;
	dmar->drhd.ioapic.length = sizeof(dmar->drhd.ioapic);
	dmar->drhd.ioapic.id = board->ioapic_id;
	dmar->drhd.ioapic.bus = (u8)(board->ioapic_requester >> 8);
	dmar->drhd.ioapic.device = board->ioapic_requester >> 3 & 0x1f;
	dmar->drhd.ioapic.function = board->ioapic_requester & 7;
	acpi_header_seal(&dmar->header);
	return gpa;
}

static u64 acpi_write_xsdt(struct acpi_writer *w, const u64 *tables, unsigned count)
{
	u64 gpa;
	const size_t size = sizeof(struct acpi_header) + count * sizeof(u64);
	struct acpi_header *xsdt = acpi_reserve(w, size, 8, &gpa);

	acpi_header_init(xsdt, "XSDT", size, 1);
	memcpy(xsdt + 1, tables, count * sizeof(u64)); /* 36 bytes in: not aligned */
	acpi_header_seal(xsdt);
	return gpa;
}

u64 acpi_build(const struct acpi_board *board, u64 gpa, void *buffer, size_t size)
{
	struct acpi_writer w = { .buffer = buffer, .gpa = gpa };
	struct acpi_rsdp *rsdp;
	u64 rsdp_gpa, facs, dsdt, tables[4];
	unsigned count = 0;

	if (board->cpu_count < 1 || board->cpu_count > ACPI_CPUS_MAX || size < ACPI_TABLES_MAX || gpa == 0 ||
	    !IS_ALIGNED(gpa, PAGE_SIZE) || gpa > ACPI_GPA_LAST || size - 1 > ACPI_GPA_LAST - gpa)
		return 0;
	memset(buffer, 0, size);
	rsdp = acpi_reserve(&w, sizeof(*rsdp), 16, &rsdp_gpa);
	facs = acpi_write_facs(&w);
	dsdt = acpi_write_dsdt(&w);
	tables[count++] = acpi_write_fadt(&w, board, facs, dsdt);
	tables[count++] = acpi_write_madt(&w, board);
	if (board->ecam_base)
		tables[count++] = acpi_write_mcfg(&w, board);
	if (board->vtd_base)
		tables[count++] = acpi_write_dmar(&w, board);

	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, "SLUICE", 6);
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt = acpi_write_xsdt(&w, tables, count);
	rsdp->checksum = acpi_checksum(rsdp, offsetof(struct acpi_rsdp, length));
	rsdp->extended_checksum = acpi_checksum(rsdp, sizeof(*rsdp));
	return rsdp_gpa;
}
