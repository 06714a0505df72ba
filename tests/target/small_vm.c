// SPDX-License-Identifier: BSD-2-Clause
#include "tests/target/small_vm.h"

#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/host_irq.h"
#include "tests/target/selftest.h"

#define SMALL(member) AT(struct small_vm, member)

/* Registers that keep what is written to them. */
static void note_access(struct small_vm *small, u64 offset, unsigned size, u64 value, bool write)
{
	if (small->accesses < SMALL_LOG)
		small->access[small->accesses] = (struct small_access){ offset, value, (u8)size, write };
	small->accesses++;
}

static enum mem_result device_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct small_vm *small = device;

	*value = 0;
	memcpy(value, small->registers + offset, size);
	note_access(small, offset, size, *value, false);
	return MEM_OK;
}

static enum mem_result device_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct small_vm *small = device;

	memcpy(small->registers + offset, &value, size);
	note_access(small, offset, size, value, true);
	return MEM_OK;
}

static const struct region_ops device_ops = {
	.read = device_read,
	.write = device_write,
	.valid = { 1, 8, true },
	.impl = { 1, 8, true },
};

static enum mem_result exit_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct small_vm *small = device;

	(void)offset, (void)size;
	small->exit_value = (u32)value;
	vm_stop(&small->vm, VM_POWERED_OFF);
	return MEM_OK;
}

static const struct region_ops exit_ops = { .write = exit_write };

static enum mem_result note_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct small_vm *small = device;

	(void)offset, (void)size;
	small->notes++;
	if (small->on_note)
		small->on_note(small->note_context, (u8)value);
	return MEM_OK;
}

static const struct region_ops note_ops = { .write = note_write };

static void ring(void *device, u64 value)
{
	struct small_vm *small = device;

	small->rings++;
	small->ring_value = value;
}

/* clang-format off */
static const struct region_row memory_rows[] = {
	/*            name        parent    base                size               lives at */
	ROW_CONTAINER("memory",   NULL,     0,                  REGION_SIZE_WHOLE, SMALL(memory_root),
		      .unclaimed = UNCLAIMED_ONES),
	ROW_RAM      ("ram",      "memory", 0,                  SMALL_RAM_SIZE,    SMALL(ram)),
	ROW_MMIO     ("device",   "memory", SMALL_DEVICE,       PAGE_SIZE,         SMALL(device),
		      .ops = &device_ops, .device = 0),
	ROW_MMIO     ("doorbell", "memory", SMALL_DOORBELL,     PAGE_SIZE,         SMALL(doorbell),
		      .ops = &device_ops, .device = 0),
	ROW_ROM      ("rom",      "memory", SMALL_ROM,          PAGE_SIZE,         SMALL(rom)),
	ROW_CONTAINER("zeros",    "memory", SMALL_ZEROS,        PAGE_SIZE,         SMALL(zeros),
		      .unclaimed = UNCLAIMED_ZEROS),
	ROW_CONTAINER("fault",    "memory", SMALL_FAULT,        PAGE_SIZE,         SMALL(fault),
		      .unclaimed = UNCLAIMED_FAULT),
	ROW_CONTAINER("stop",     "memory", SMALL_STOP,         PAGE_SIZE,         SMALL(stop),
		      .unclaimed = UNCLAIMED_STOP),
	ROW_MMIO     ("ioapic",   "memory", 0xfec00000,         PAGE_SIZE,         SMALL(ioapic_mmio),
		      .ops = &ioapic_ops, .device = SMALL(ioapic)),
	ROW_MMIO     ("lapic",    "memory", LAPIC_DEFAULT_BASE, PAGE_SIZE,         SMALL(lapic_mmio)),
};

static const struct region_row port_rows[] = {
	ROW_CONTAINER("ports",    NULL,     0,                  64 * KiB,          SMALL(port_root),
		      .unclaimed = UNCLAIMED_ONES),
	ROW_PORTS    ("pic",      "ports",  0x20,               PIC_PORTS,         SMALL(pic_ports),
		      .ops = &pic_ops, .device = SMALL(pic.chip[0])),
	ROW_PORTS    ("note",     "ports",  SMALL_NOTE_PORT,    1,                 SMALL(note_port),
		      .ops = &note_ops, .device = 0),
	ROW_PORTS    ("exit",     "ports",  SMALL_EXIT_PORT,    4,                 SMALL(exit_port),
		      .ops = &exit_ops, .device = 0),
	ROW_CONTAINER("p.zeros",  "ports",  SMALL_PORT_ZEROS,   16,                SMALL(port_zeros),
		      .unclaimed = UNCLAIMED_ZEROS),
	ROW_CONTAINER("p.fault",  "ports",  SMALL_PORT_FAULT,   16,                SMALL(port_fault),
		      .unclaimed = UNCLAIMED_FAULT),
	ROW_CONTAINER("p.stop",   "ports",  SMALL_PORT_STOP,    16,                SMALL(port_stop),
		      .unclaimed = UNCLAIMED_STOP),
};
/* clang-format on */

static const struct region_table memory_table = REGION_TABLE(memory_rows),
				 port_table = REGION_TABLE(port_rows);

static void host_interrupt(void *board, u8 vector)
{
	struct small_vm *small = board;

	small->host_interrupts++;
	host_irq_handle(vector);
}

static void eoi(void *board, u8 vector)
{
	struct small_vm *small = board;

	ioapic_eoi(&small->ioapic, vector);
}

static bool extint_pending(void *board)
{
	const struct small_vm *small = board;

	return small->pic.out;
}

static int extint_acknowledge(void *board)
{
	struct small_vm *small = board;

	return pic_ack(&small->pic);
}

/* A guest that does not come to its end is stopped: what hangs is a test that failed, not the machine. */
static u64 watchdog(void *board, u64 tsc)
{
	struct small_vm *small = board;

	if (tsc < small->stop_at)
		return small->stop_at;
	vm_stop(&small->vm, VM_QUIT);
	return ~0ull;
}

static const struct vm_ops vm_ops = {
	.timers = watchdog,
	.host_interrupt = host_interrupt,
	.eoi = eoi,
	.extint_pending = extint_pending,
	.extint_acknowledge = extint_acknowledge,
};

static void send_message(void *sink, u64 address, u32 data, u16 requester)
{
	struct small_vm *small = sink;

	(void)requester;
	lapic_message(vcpu_lapic(small->vm.vcpu), address, data);
}

static void pic_output(void *controller, unsigned pin, bool level)
{
	struct small_vm *small = controller;

	(void)pin, (void)level;
	vcpu_interrupt_changed(small->vm.vcpu);
}

/* Flat 64-bit code and data, 32-bit code: selectors 0x08, 0x10, 0x18. TSS at 0x20. Of CPL 3: code 0x33, data 0x3b. */
void small_guest_tables(u8 *ram)
{
	static const u64 gdt[] = { 0,
				   0x00af9b000000ffff,
				   0x00cf93000000ffff,
				   0x00cf9b000000ffff,
				   0x00008b0000000067 | (u64)SMALL_TSS << 16,
				   0,
				   0x00affb000000ffff,
				   0x00cff3000000ffff };
	u64 *tables = (u64 *)(ram + SMALL_TABLES);
	const u64 flags = 7; /* present, writable, user */

	memcpy(ram + SMALL_GDT, gdt, sizeof(gdt));
	tables[0] = (SMALL_TABLES + PAGE_SIZE) | flags;
	for (u64 i = 0; i < 4; i++)
		tables[512 + i] = (SMALL_TABLES + (2 + i) * PAGE_SIZE) | flags;
	for (u64 i = 0; i < 4 * 512; i++)
		tables[1024 + i] = i * 2 * MiB | BIT(7) | flags;
}

struct small_vm *small_vm_create(const struct boot *boot, const struct small_options *options)
{
	struct small_vm *small = calloc(1, sizeof(*small));
	const struct ram_extent ram = { (void *)boot->ram[0].address, SMALL_RAM_SIZE };

	if (!small) {
		selftest_note("no heap left for a small machine (%zu bytes)", sizeof(*small));
		return NULL;
	}
	const struct vm_config config = {
		.name = "tiny guest",
		.memory = &small->memory,
		.ports = &small->ports,
		.ram = &small->allowed,
		.ram_count = 1,
		.pages = boot->pages,
		.ops = &vm_ops,
		.board = small,
		.tsc_hz = boot->tsc_hz,
		.apicv = !options->no_apicv,
		.x2apic = options->x2apic,
		.large_pages = !options->small_pages,
	};
	small->host = ram.host;
	small->patience = SMALL_PATIENCE * boot->tsc_hz;
	small->allowed =
		(struct ept_allowed){ boot->ram[0].address, boot->ram[0].address + SMALL_RAM_SIZE - 1 };
	memset(ram.host, 0, SMALL_RAM_SIZE);
	small_guest_tables(ram.host);
	mem_core_init(&small->core);
	/* The last page of RAM, seen a second time. */
	region_init_rom(&small->rom, "rom", PAGE_SIZE, small->host + SMALL_RAM_SIZE - PAGE_SIZE);
	region_init_mmio(&small->lapic_mmio, "lapic", PAGE_SIZE, &lapic_mmio_ops, NULL);
	bool fine =
		region_table_build(&memory_table, small, SMALL_RAM_SIZE, &ram, 1) == 0 &&
		region_table_build(&port_table, small, 0, NULL, 0) == 0 &&
		as_init(&small->memory, &small->core, "memory", &small->memory_root, UNCLAIMED_ONES) == 0 &&
		as_init(&small->ports, &small->core, "port", &small->port_root, UNCLAIMED_ONES) == 0 &&
		vm_create(&small->vm, &config);
	if (!fine) {
		selftest_note("the small machine could not be built");
		if (small->memory.view)
			as_destroy(&small->memory);
		if (small->ports.view)
			as_destroy(&small->ports);
		free(small);
		return NULL;
	}
	small->lapic_mmio.device = vcpu_lapic(small->vm.vcpu);
	region_changed(&small->lapic_mmio);
	small->bell = (struct doorbell){ .size = 4, .ring = ring, .device = small };
	doorbell_add(&small->doorbell, &small->bell);
	ioapic_init(&small->ioapic, 0, (struct msi_sink){ send_message, small }, 0xff00);
	pic_init(&small->pic, (struct irq_line){ pic_output, small, 0 });
	return small;
}

void small_vm_destroy(struct small_vm *small)
{
	vm_destroy(&small->vm);
	as_destroy(&small->memory);
	as_destroy(&small->ports);
	doorbell_remove(&small->doorbell, &small->bell);
	region_table_unbuild(&port_table, small);
	region_table_unbuild(&memory_table, small);
	mem_core_destroy(&small->core);
	free(small);
}

static const struct vcpu_segment data_segment = { .limit = ~0u, .access = 0xc093, .selector = 0x10 };
static const struct vcpu_segment no_ldtr = { .access = 0x10082 };
static const struct vcpu_segment tss = { .base = SMALL_TSS, .limit = 0x67, .access = 0x8b, .selector = 0x20 };

struct vcpu_state small_guest_state(u64 argument)
{
	return (struct vcpu_state){
		.rip = SMALL_CODE,
		.rsp = SMALL_STACK,
		.rdi = argument,
		.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP,
		.cr3 = SMALL_TABLES,
		.cr4 = CR4_PAE,
		.efer = EFER_LME | EFER_LMA,
		.gdt_base = SMALL_GDT,
		.gdt_limit = 0x3f,
		.cs = { .limit = ~0u, .access = 0xa09b, .selector = 0x08 },
		.data = data_segment,
		.tr = tss,
		.ldtr = no_ldtr,
	};
}

void small_vm_load(struct small_vm *small, const void *code, const void *end, u64 argument)
{
	const struct vcpu_state state = small_guest_state(argument);

	memcpy(small->host + SMALL_CODE, code, (const u8 *)end - (const u8 *)code);
	vcpu_reset(small->vm.vcpu, &state);
}

void small_vm_load_protected(struct small_vm *small, const void *code, const void *end)
{
	const struct vcpu_state state = {
		.rip = SMALL_CODE,
		.rsp = SMALL_STACK,
		.cr0 = CR0_PE | CR0_ET | CR0_NE,
		.gdt_base = SMALL_GDT,
		.gdt_limit = 0x3f,
		.cs = { .limit = ~0u, .access = 0xc09b, .selector = 0x18 },
		.data = data_segment,
		.tr = tss,
		.ldtr = no_ldtr,
	};

	memcpy(small->host + SMALL_CODE, code, (const u8 *)end - (const u8 *)code);
	vcpu_reset(small->vm.vcpu, &state);
}

void small_vm_load_real(struct small_vm *small, const void *code, const void *end, u32 at)
{
	const struct vcpu_state state = {
		.rip = at & 0xf,
		.rsp = 0xfff0,
		.cr0 = CR0_ET,
		.idt_limit = 0x3ff,
		.cs = { .base = at & ~0xfu, .limit = 0xffff, .access = 0x9b, .selector = (u16)(at >> 4) },
		.data = { .limit = 0xffff, .access = 0x93 },
		.tr = { .limit = 0xffff, .access = 0x8b },
		.ldtr = no_ldtr,
	};

	memcpy(small->host + at, code, (const u8 *)end - (const u8 *)code);
	vcpu_reset(small->vm.vcpu, &state);
}

enum vm_stop small_vm_run(struct small_vm *small)
{
	small->stop_at = rdtsc() + small->patience;
	vcpu_timer_changed(small->vm.vcpu);
	return vcpu_run(small->vm.vcpu);
}
