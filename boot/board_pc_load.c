// SPDX-License-Identifier: BSD-2-Clause
/*
 * From files to a guest that is about to execute its first instruction.
 */
#include "boot/acpi.h"
#include "boot/board_pc.h"
#include "boot/e820.h"
#include "mm/log.h"

bool pc_load(struct pc *pc, const struct boot *boot)
{
	const struct acpi_board acpi = {
		.lapic_base = LAPIC_DEFAULT_BASE,
		.ioapic_base = PC_IOAPIC,
		.ioapic_id = PC_IOAPIC_ID,
		.sci_irq = PC_SCI_IRQ,
		.pm1a_event = PC_PM_PORT,
		.pm1a_control = PC_PM_PORT + 4,
		.pm_timer = PC_PM_PORT + PM_TIMER_OFFSET,
		.reset_port = 0xcf9,
		.reset_value = PM_RESET_VALUE,
		.ecam_base = ACPI_ECAM_BASE,
		.vtd_base = pc->has_vtd ? (u32)PC_VTD : 0,
		.vtd_address_width = (u8)vcpu_physical_bits(pc->vm.vcpu),
		.vtd_interrupts = true,
		.ioapic_requester = PC_IOAPIC_REQUESTER,
		.cpu_count = 1,
	};
	static const struct e820_row reserved[] = {
		{ PC_FIRMWARE, PC_FIRMWARE_SIZE, E820_RESERVED },
		{ PC_IOAPIC, IOAPIC_SIZE, E820_RESERVED },
		{ PC_VTD, VTD_REGISTERS_SIZE, E820_RESERVED },
		{ LAPIC_DEFAULT_BASE, PAGE_SIZE, E820_RESERVED },
		{ ACPI_ECAM_BASE, ACPI_ECAM_SIZE, E820_RESERVED },
	};
	const struct guest_memory memory = { pc->ranges, pc->range_count };
	struct image_module modules[1 + CONFIG_MODULES_MAX];
	struct image_error error;
	struct guest_entry entry;
	unsigned count = 0;

	if (boot->initrd.size)
		modules[count++] = (struct image_module){ boot->initrd.data, boot->initrd.size, NULL };
	for (unsigned i = 0; i < boot->config->module_count; i++)
		modules[count++] = (struct image_module){ boot->module[i].data, boot->module[i].size,
							  boot->config->module[i].argument };
	const struct image_request request = {
		.kernel = boot->kernel.data,
		.kernel_size = boot->kernel.size,
		.name = boot->kernel.name,
		.cmdline = boot->config->cmdline,
		.modules = modules,
		.module_count = count,
		.acpi = &acpi,
		.reserved = reserved,
		.reserved_count = ARRAY_SIZE(reserved),
	};
	if (!image_load(&memory, &request, &entry, &error)) {
		log_error("%s: %s", boot->kernel.name, error.text);
		return false;
	}
	log_info("guest: %s image %s, %llu MiB", image_kind_name(entry.kind), boot->kernel.name,
		 (unsigned long long)(boot->config->memory / MiB));
	vcpu_reset(pc->vm.vcpu, &entry.state);
	lapic_set_virtual_wire(vcpu_lapic(pc->vm.vcpu));
	return true;
}
