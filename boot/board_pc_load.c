// SPDX-License-Identifier: BSD-2-Clause
/*
 * From files to a guest that is about to execute its first instruction.
 */
#include "boot/acpi.h"
#include "boot/board_pc.h"
#include "boot/e820.h"
#include "mm/log.h"

static struct vcpu_segment segment_of(const struct guest_segment *from)
{
	return (struct vcpu_segment){ from->base, from->limit, from->access, from->selector };
}

static void start_at(struct pc *pc, const struct guest_entry *entry)
{
	const struct vcpu_state state = {
		.rip = entry->rip,
		.rsp = entry->rsp,
		.rflags = entry->rflags,
		.rax = entry->rax,
		.rbx = entry->rbx,
		.rcx = entry->rcx,
		.rdx = entry->rdx,
		.rsi = entry->rsi,
		.rdi = entry->rdi,
		.rbp = entry->rbp,
		.cr0 = entry->cr0,
		.cr3 = entry->cr3,
		.cr4 = entry->cr4,
		.efer = entry->efer,
		.gdt_base = entry->gdt_base,
		.gdt_limit = entry->gdt_limit,
		.idt_base = entry->idt_base,
		.idt_limit = entry->idt_limit,
		.cs = segment_of(&entry->cs),
		.data = segment_of(&entry->data),
		.tr = segment_of(&entry->tr),
		.ldtr = segment_of(&entry->ldtr),
	};

	vcpu_reset(pc->vm.vcpu, &state);
	lapic_set_virtual_wire(vcpu_lapic(pc->vm.vcpu));
}

bool pc_load(struct pc *pc, const struct boot *boot)
{
	static const struct acpi_board acpi = {
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
		.cpu_count = 1,
	};
	static const struct e820_row reserved[] = {
		{ PC_FIRMWARE, PC_FIRMWARE_SIZE, E820_RESERVED },
		{ PC_IOAPIC, IOAPIC_SIZE, E820_RESERVED },
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
	start_at(pc, &entry);
	return true;
}
