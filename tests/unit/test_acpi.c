// SPDX-License-Identifier: BSD-2-Clause
/* The ACPI tables as a guest walks them: from the RSDP on, by addresses and checksums alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "boot/acpi.h"

#define GPA 0x3ff8000ull

static const struct acpi_board board = {
	.lapic_base = 0xfee00000,
	.ioapic_base = 0xfec00000,
	.ioapic_id = 5,
	.sci_irq = 9,
	.pm1a_event = 0x600,
	.pm1a_control = 0x604,
	.pm_timer = 0x608,
	.reset_port = 0xcf9,
	.reset_value = 0x0e,
	.ecam_base = ACPI_ECAM_BASE,
	.vtd_base = 0xfed90000,
	.vtd_address_width = 39,
	.vtd_interrupts = true,
	.ioapic_requester = 0xff00 | 3 << 3 | 2,
	.cpu_count = 3,
};

static u8 *tables;

static int set_up(void **state)
{
	(void)state;
	tables = malloc(ACPI_TABLES_MAX);
	memset(tables, 0xee, ACPI_TABLES_MAX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(tables);
	return 0;
}

static const u8 *at(u64 gpa, u64 size)
{
	assert_true(gpa >= GPA && gpa - GPA <= ACPI_TABLES_MAX && size <= ACPI_TABLES_MAX - (gpa - GPA));
	return tables + (gpa - GPA);
}

static u64 get(const u8 *table, unsigned offset, unsigned size)
{
	u64 value = 0;

	memcpy(&value, table + offset, size);
	return value;
}

static u8 sum(const u8 *bytes, u64 size)
{
	u8 total = 0;

	while (size--)
		total += *bytes++;
	return total;
}

/* A table by address, its checksum proven. */
static const u8 *table_at(u64 gpa, const char *signature)
{
	const u8 *table = at(gpa, 36);
	const u64 length = get(table, 4, 4);

	assert_memory_equal(table, signature, 4);
	assert_true(length >= 36);
	assert_int_equal(sum(at(gpa, length), length), 0);
	return table;
}

static const u8 *table_find(const char *signature)
{
	const u64 rsdp = acpi_build(&board, GPA, tables, ACPI_TABLES_MAX);
	const u8 *xsdt = table_at(get(at(rsdp, 36), 24, 8), "XSDT");

	for (unsigned i = 36; i < get(xsdt, 4, 4); i += 8)
		if (memcmp(at(get(xsdt, i, 8), 36), signature, 4) == 0)
			return table_at(get(xsdt, i, 8), signature);
	fail_msg("no %s", signature);
	return NULL;
}

static void test_rsdp_has_both_checksums_and_leads_to_the_xsdt(void **state)
{
	u64 gpa;
	const u8 *rsdp;

	(void)state;
	gpa = acpi_build(&board, GPA, tables, ACPI_TABLES_MAX);
	rsdp = at(gpa, 36);
	assert_int_equal(gpa % 16, 0);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	assert_int_equal(rsdp[15], 2);
	assert_int_equal(get(rsdp, 20, 4), 36);
	table_at(get(rsdp, 24, 8), "XSDT");
	assert_int_equal(get(table_find("FACP"), 4, 4), 276);
}

static void test_fadt_describes_the_legacy_board(void **state)
{
	const u8 *fadt = table_find("FACP"), *facs;

	(void)state;
	assert_int_equal(fadt[8], 6);
	assert_int_equal(get(fadt, 46, 2), 9);
	assert_int_equal(get(fadt, 48, 4), 0);
	assert_int_equal(get(fadt, 56, 4), 0x600);
	assert_int_equal(get(fadt, 64, 4), 0x604);
	assert_int_equal(get(fadt, 76, 4), 0x608);
	assert_int_equal(get(fadt, 88, 2), 0x0204);
	assert_int_equal(fadt[91], 4);
	assert_int_equal(get(fadt, 109, 2), 0x05);
	assert_int_equal(get(fadt, 112, 4), 0x575);
	assert_int_equal(get(fadt, 116, 4), 0x01000801); /* I/O, 8 bits, byte access */
	assert_int_equal(get(fadt, 120, 8), 0xcf9);
	assert_int_equal(fadt[128], 0x0e);
	assert_int_equal(get(fadt, 148, 2), 0x2001);
	assert_int_equal(get(fadt, 152, 8), 0x600);
	assert_int_equal(get(fadt, 172, 2), 0x1001);
	assert_int_equal(get(fadt, 176, 8), 0x604);
	assert_int_equal(get(fadt, 208, 2), 0x2001);
	assert_int_equal(get(fadt, 212, 8), 0x608);
	assert_int_equal(get(fadt, 244, 8) | get(fadt, 252, 8) | get(fadt, 260, 8), 0);

	facs = at(get(fadt, 36, 4), 64);
	assert_int_equal(get(fadt, 36, 4) % 64, 0);
	assert_int_equal(get(fadt, 132, 8), 0);
	assert_memory_equal(facs, "FACS", 4);
	assert_int_equal(get(facs, 4, 4), 64);
}

static void test_madt_lists_cpus_ioapic_and_overrides(void **state)
{
	static const u8 ioapic[] = { 1, 12, 5, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0 };
	static const u8 pit[] = { 2, 10, 0, 0, 2, 0, 0, 0, 0, 0 };
	static const u8 sci[] = { 2, 10, 0, 9, 9, 0, 0, 0, 0xd, 0 };
	static const u8 nmi[] = { 4, 6, 0xff, 0, 0, 1 };
	const u8 *madt = table_find("APIC"), *entry = madt + 44;

	(void)state;
	assert_int_equal(get(madt, 36, 4), 0xfee00000);
	assert_int_equal(get(madt, 40, 4), 1);
	for (u8 cpu = 0; cpu < 3; cpu++, entry += 8) {
		const u8 lapic[] = { 0, 8, cpu, cpu, 1, 0, 0, 0 };

		assert_memory_equal(entry, lapic, 8);
	}
	assert_memory_equal(entry, ioapic, 12);
	assert_memory_equal(entry + 12, pit, 10);
	assert_memory_equal(entry + 22, sci, 10);
	assert_memory_equal(entry + 32, nmi, 6);
	assert_int_equal(get(madt, 4, 4), entry + 38 - madt);
}

static void test_mcfg_names_bus_0_alone_and_only_if_there_is_a_window(void **state)
{
	struct acpi_board other = board;
	const u8 *mcfg = table_find("MCFG");
	u64 rsdp;

	(void)state;
	assert_int_equal(get(mcfg, 4, 4), 60);
	assert_int_equal(get(mcfg, 44, 8), 0xfef00000);
	assert_int_equal(get(mcfg, 52, 8), 0); /* segment 0, buses 0..0 */
	other.ecam_base = 0;
	rsdp = acpi_build(&other, GPA, tables, ACPI_TABLES_MAX);
	assert_int_equal(get(table_at(get(at(rsdp, 36), 24, 8), "XSDT"), 4, 4), 36 + 3 * 8);
}

static void test_dmar_has_one_unit_for_everything_and_only_if_there_is_one(void **state)
{
	static const u8 drhd[] = { 0, 0, 24, 0, 1, 0, 0, 0, 0, 0, 0xd9, 0xfe, 0, 0, 0, 0 };
	static const u8 ioapic[] = { 3, 8, 0, 0, 5, 0xff, 3, 2 };
	struct acpi_board other = board;
	const u8 *dmar = table_find("DMAR");
	u64 rsdp;

	(void)state;
	assert_int_equal(get(dmar, 4, 4), 72);
	assert_int_equal(dmar[8], 1);
	assert_int_equal(dmar[36], 38);
	assert_int_equal(dmar[37], 1);
	assert_memory_equal(dmar + 48, drhd, 16);
	assert_memory_equal(dmar + 64, ioapic, 8);
	other.vtd_base = 0;
	rsdp = acpi_build(&other, GPA, tables, ACPI_TABLES_MAX);
	assert_int_equal(get(table_at(get(at(rsdp, 36), 24, 8), "XSDT"), 4, 4), 36 + 3 * 8);
}

static const u8 *dsdt_find(void)
{
	const u8 *fadt = table_find("FACP");

	assert_int_equal(get(fadt, 40, 4), get(fadt, 140, 8));
	return table_at(get(fadt, 140, 8), "DSDT");
}

/* Disassembles the table as the guest gets it, and looks for what the board relies on. */
static void test_dsdt_reads_back_as_the_board(void **state)
{
	static const char *const wanted[] = {
		"Device (PCI0)",
		"EisaId (\"PNP0A03\")",
		"EisaId (\"PNP0501\")",
		"EisaId (\"PNP0B00\")",
		"0xC0000000,         // Range Minimum",
		"0xFEBFFFFF,         // Range Maximum",
		"0x03F8,             // Range Minimum",
		"_PRT",
		"Name (_S5, Package (0x04)",
		"Name (_S5, Package (0x04)  // _S5_: S5 System State\n    {\n        0x05, \n        0x05, "
		"\n",
		"0x001FFFFF, \n                    0x03, \n                    Zero, \n                    "
		"0x12\n",
	};
	char folder[] = "/tmp/sluice-dsdt-XXXXXX", command[256], path[64];
	static char text[128 * 1024];
	const u8 *dsdt = dsdt_find();
	FILE *file;
	size_t size;

	(void)state;
	if (system("command -v iasl >/dev/null") != 0)
		skip();
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/dsdt.aml", folder);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(dsdt, 1, get(dsdt, 4, 4), file), get(dsdt, 4, 4));
	assert_int_equal(fclose(file), 0);
	snprintf(command, sizeof(command), "cd %s && iasl -d dsdt.aml >log 2>&1", folder);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/dsdt.dsl", folder);
	file = fopen(path, "r");
	assert_non_null(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	snprintf(command, sizeof(command), "rm -r %s", folder);
	assert_int_equal(system(command), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!strstr(text, wanted[i]))
			fail_msg("not in the disassembly: %s", wanted[i]);
}

static void test_interrupt_routing_is_that_of_the_contract(void **state)
{
	const u8 *dsdt = dsdt_find(), *end = dsdt + get(dsdt, 4, 4);
	unsigned rows = 0;

	(void)state;
	/*
	 * A row is Package (4) { DWord or Word address, pin, Zero, Byte GSI }; iasl writes 0xffff as a word, pins 0 and 1 as
	 * ZeroOp and OneOp.
	 */
	for (const u8 *p = dsdt + 36; p + 12 < end; p++) {
		const u8 *q = p + 3;
		u32 address, pin;

		if (p[0] != 0x12 || p[2] != 4 || (q[0] != 0x0b && q[0] != 0x0c))
			continue;
		address = (u32)get(q, 1, q[0] == 0x0c ? 4 : 2);
		q += q[0] == 0x0c ? 5 : 3;
		pin = q[0] <= 1 ? q[0] : q[1];
		q += q[0] <= 1 ? 1 : 2;
		assert_int_equal(q[0], 0);
		assert_int_equal(q[1], 0x0a);
		assert_int_equal(address, rows / 4 << 16 | 0xffff);
		assert_int_equal(pin, rows % 4);
		assert_int_equal(q[2], 16 + (rows / 4 + pin) % 8);
		rows++;
	}
	assert_int_equal(rows, 128);
}

static void test_arguments_out_of_range_are_refused(void **state)
{
	struct acpi_board other = board;

	(void)state;
	assert_int_equal(acpi_build(&board, 0, tables, ACPI_TABLES_MAX), 0);
	assert_int_equal(acpi_build(&board, GPA + 8, tables, ACPI_TABLES_MAX), 0);
	assert_int_equal(acpi_build(&board, 4 * GiB, tables, ACPI_TABLES_MAX), 0);
	assert_int_equal(acpi_build(&board, 4 * GiB - PAGE_SIZE, tables, ACPI_TABLES_MAX), 0);
	assert_int_equal(acpi_build(&board, GPA, tables, ACPI_TABLES_MAX - 1), 0);
	other.cpu_count = 0;
	assert_int_equal(acpi_build(&other, GPA, tables, ACPI_TABLES_MAX), 0);
	other.cpu_count = ACPI_CPUS_MAX + 1;
	assert_int_equal(acpi_build(&other, GPA, tables, ACPI_TABLES_MAX), 0);
	assert_int_equal(tables[0], 0xee); /* and nothing is written */
	other.cpu_count = ACPI_CPUS_MAX;
	assert_int_not_equal(acpi_build(&other, 4 * GiB - ACPI_TABLES_MAX, tables, ACPI_TABLES_MAX), 0);
}

#define ACPI_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACPI_TEST(test_rsdp_has_both_checksums_and_leads_to_the_xsdt),
		ACPI_TEST(test_fadt_describes_the_legacy_board),
		ACPI_TEST(test_madt_lists_cpus_ioapic_and_overrides),
		ACPI_TEST(test_mcfg_names_bus_0_alone_and_only_if_there_is_a_window),
		ACPI_TEST(test_dmar_has_one_unit_for_everything_and_only_if_there_is_one),
		ACPI_TEST(test_dsdt_reads_back_as_the_board),
		ACPI_TEST(test_interrupt_routing_is_that_of_the_contract),
		ACPI_TEST(test_arguments_out_of_range_are_refused),
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
