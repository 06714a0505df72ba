// SPDX-License-Identifier: BSD-2-Clause
/*
 * A small PC as data. Read the three tables first; the code below them only connects what they name.
 */
#include "boot/board_pc.h"

#include <string.h>

#include "arch/cpu.h"
#include "arch/log.h"
#include "boot/acpi.h"
#include "boot/e820.h"

#define PC(member) AT(struct pc, member)

#define PCI_MEMORY_FIRST 0xc0000000ull
#define PCI_MEMORY_SIZE	 (0xfec00000ull - PCI_MEMORY_FIRST)
#define PCI_IO_FIRST	 0x1000
#define PCI_IO_SIZE	 0xf000
#define IOAPIC_BASE	 0xfec00000ull
#define FIRMWARE_FIRST	 0xa0000ull
#define FIRMWARE_SIZE	 (384 * KiB)
#define PM_PORT		 0x600
#define SCI_IRQ		 9
#define IOAPIC_ID	 0
/* As interrupt remapping will know it: no PCI function has this place. */
#define IOAPIC_REQUESTER 0xff00

/* Tables: their columns are their meaning. */
/* clang-format off */
static const struct region_row memory_rows[] = {
	/*            name            parent        base                size                lives at */
	ROW_CONTAINER("memory",       NULL,         0,                  REGION_SIZE_WHOLE,  PC(memory_root),
		      .unclaimed = UNCLAIMED_ONES),
	ROW_RAM      ("ram.low",      "memory",     0,                  3 * GiB,            PC(ram_low)),
	ROW_ROM      ("firmware",     "memory",     FIRMWARE_FIRST,     FIRMWARE_SIZE,      PC(firmware),
		      .priority = 1, .over_ram = true),
	ROW_ALIAS    ("pci.memory",   "memory",     PCI_MEMORY_FIRST,   PCI_MEMORY_SIZE,    PC(pci_memory_window),
		      "pci.bars", PCI_MEMORY_FIRST),
	ROW_MMIO     ("ioapic",       "memory",     IOAPIC_BASE,        IOAPIC_SIZE,        PC(ioapic_mmio),
		      .ops = &ioapic_ops, .device = PC(ioapic)),
	ROW_MMIO     ("lapic",        "memory",     LAPIC_DEFAULT_BASE, 4 * KiB,            PC(lapic_mmio)),
	ROW_MMIO     ("pci.ecam",     "memory",     ACPI_ECAM_BASE,     ACPI_ECAM_SIZE,     PC(pci_ecam),
		      .ops = &pci_ecam_ops, .device = PC(pci)),
	ROW_RAM      ("ram.high",     "memory",     4 * GiB,            1 * TiB - 4 * GiB,  PC(ram_high)),

	/* Where BARs are put; the guest sees what lies in the window above. */
	ROW_CONTAINER("pci.bars",     NULL,         0,                  REGION_SIZE_WHOLE,  PC(pci_memory)),

	/* What DMA can ever reach: guest RAM, at the addresses that the CPU has it at, and no device. */
	ROW_CONTAINER("dma",          NULL,         0,                  REGION_SIZE_WHOLE,  PC(dma_root)),
	ROW_ALIAS    ("dma.base",     "dma",        0,                  FIRMWARE_FIRST,     PC(dma_base),
		      "ram.low", 0),
	ROW_ALIAS    ("dma.low",      "dma",        1 * MiB,            3 * GiB - 1 * MiB,  PC(dma_low),
		      "ram.low", 1 * MiB),
	ROW_ALIAS    ("dma.high",     "dma",        4 * GiB,            1 * TiB - 4 * GiB,  PC(dma_high),
		      "ram.high", 0),
};

static const struct region_row port_rows[] = {
	/*            name            parent        base          size             lives at */
	ROW_CONTAINER("ports",        NULL,         0,            64 * KiB,        PC(port_root),
		      .unclaimed = UNCLAIMED_ONES),
	ROW_PORTS    ("pic.master",   "ports",      0x20,         PIC_PORTS,       PC(pic_master),
		      .ops = &pic_ops, .device = PC(pic.chip[0])),
	ROW_PORTS    ("pit",          "ports",      0x40,         PIT_PORTS,       PC(pit_ports),
		      .ops = &pit_ops, .device = PC(pit)),
	ROW_PORTS    ("port61",       "ports",      0x61,         1,               PC(port61),
		      .ops = &pit_port61_ops, .device = PC(pit)),
	ROW_PORTS    ("rtc",          "ports",      0x70,         RTC_PORTS,       PC(rtc_ports),
		      .ops = &rtc_ops, .device = PC(rtc)),
	ROW_PORTS    ("pic.slave",    "ports",      0xa0,         PIC_PORTS,       PC(pic_slave),
		      .ops = &pic_ops, .device = PC(pic.chip[1])),
	ROW_PORTS    ("com1",         "ports",      0x3f8,        UART16550_PORTS, PC(com1),
		      .ops = &uart16550_ops, .device = PC(uart)),
	ROW_PORTS    ("pic.elcr",     "ports",      0x4d0,        PIC_ELCR_PORTS,  PC(pic_elcr),
		      .ops = &pic_elcr_ops, .device = PC(pic)),
	ROW_PORTS    ("acpi.pm",      "ports",      PM_PORT,      PM_ACPI_PORTS,   PC(pm_ports),
		      .ops = &pm_acpi_ops, .device = PC(pm)),
	ROW_PORTS    ("pci.config",   "ports",      0xcf8,        8,               PC(pci_ports),
		      .ops = &pci_config_ports_ops, .device = PC(pci)),
	ROW_ALIAS    ("pci.io",       "ports",      PCI_IO_FIRST, PCI_IO_SIZE,     PC(pci_io_window),
		      "pci.iobars", PCI_IO_FIRST),

	ROW_CONTAINER("pci.iobars",   NULL,         0,            64 * KiB,        PC(pci_io)),
};
/* clang-format on */

const struct region_table pc_memory_table = REGION_TABLE(memory_rows);
const struct region_table pc_port_table = REGION_TABLE(port_rows);

/* The windows of the devices that master the bus. edu drives 28 address bits. */
static const struct dma_row edu_dma[] = {
	DMA_ROW("base memory", 0, FIRMWARE_FIRST, 0, MEM_READ_WRITE),
	DMA_ROW("low memory", 1 * MiB, 255 * MiB, 1 * MiB, MEM_READ_WRITE),
};

#define EDU_DEVFN PCI_DEVFN(4, 0)

const struct dma_table pc_dma_windows[] = {
	{ .device = "edu", .requester = EDU_DEVFN, .rows = edu_dma, .count = ARRAY_SIZE(edu_dma) },
};
const unsigned pc_dma_window_count = ARRAY_SIZE(pc_dma_windows);

/* ISA interrupts go to both controllers, as wired on a PC; the timer's is input 2 of the IOAPIC (MADT override). */
static void isa_irq(void *controller, unsigned irq, bool level)
{
	struct pc *pc = controller;

	pic_set(&pc->pic, irq, level);
	ioapic_set(&pc->ioapic, irq ? irq : 2, level);
}

static struct irq_line isa_line(struct pc *pc, unsigned irq)
{
	return (struct irq_line){ .set = isa_irq, .controller = pc, .pin = irq };
}

static void pic_output(void *controller, unsigned pin, bool level)
{
	struct pc *pc = controller;

	(void)pin, (void)level;
	vcpu_interrupt_changed(pc->vm.vcpu);
}

static void send_message(void *sink, u64 address, u32 data, u16 requester)
{
	struct pc *pc = sink;

	(void)requester;
	lapic_message(vcpu_lapic(pc->vm.vcpu), address, data);
}

static void timers_earlier(void *waiter)
{
	struct pc *pc = waiter;

	vcpu_timer_changed(pc->vm.vcpu);
}

static u64 clock_source(void *source)
{
	(void)source;
	return rdtsc();
}

static void guest_power_off(void *board)
{
	struct pc *pc = board;

	vm_stop(&pc->vm, VM_POWERED_OFF);
}

static void guest_reset(void *board)
{
	struct pc *pc = board;

	vm_stop(&pc->vm, VM_RESET);
}

/* ---- the machine's questions ---- */

static u64 vm_timers(void *board, u64 tsc)
{
	struct pc *pc = board;

	return timer_queue_run(&pc->timers, tsc);
}

static bool vm_extint_pending(void *board)
{
	const struct pc *pc = board;

	return pc->pic.out;
}

static int vm_extint_acknowledge(void *board)
{
	struct pc *pc = board;

	return pic_ack(&pc->pic);
}

static void vm_eoi(void *board, u8 vector)
{
	struct pc *pc = board;

	ioapic_eoi(&pc->ioapic, vector);
}

static void vm_host_interrupt(void *board, u8 vector)
{
	struct pc *pc = board;

	pc->console.host_interrupt(pc->console.owner, vector);
}

static bool vm_hypercall(void *board, struct vcpu *vcpu)
{
	struct pc *pc = board;

	return pc->console.hypercall && pc->console.hypercall(pc->console.owner, vcpu);
}

static const struct vm_ops vm_ops = {
	.timers = vm_timers,
	.extint_pending = vm_extint_pending,
	.extint_acknowledge = vm_extint_acknowledge,
	.eoi = vm_eoi,
	.host_interrupt = vm_host_interrupt,
	.hypercall = vm_hypercall,
};

/* ---- making it ---- */

static void emit_error(void *to, const char *line)
{
	(void)to;
	log_error("%s", line);
}

static bool check_tables(void)
{
	/* The windows of RAM are larger than any machine: what is poured into them is looked at in check_width(). */
	unsigned mistakes = region_table_check(&pc_memory_table, 0, emit_error, NULL);

	mistakes += region_table_check(&pc_port_table, 16, emit_error, NULL);
	mistakes += dma_table_check(pc_dma_windows, pc_dma_window_count, &pc_memory_table, emit_error, NULL);
	return mistakes == 0;
}

static bool build_maps(struct pc *pc, const struct boot *boot)
{
	struct ram_extent extents[PC_EXTENTS_MAX];

	for (unsigned i = 0; i < boot->ram_count; i++) {
		extents[i] = (struct ram_extent){ (void *)boot->ram[i].address, boot->ram[i].size };
		pc->allowed[i] = (struct ept_allowed){ boot->ram[i].address,
						       boot->ram[i].address + (boot->ram[i].size - 1) };
	}
	/* The RAM that the firmware area hides is what the area is made of: zeros that nobody can write. */
	region_init_rom(&pc->firmware, "firmware", FIRMWARE_SIZE,
			(u8 *)boot->ram[0].address + FIRMWARE_FIRST);
	region_init_mmio(&pc->lapic_mmio, "lapic", 4 * KiB, &lapic_mmio_ops, NULL);
	return region_table_build(&pc_memory_table, pc, boot->config->memory, extents, boot->ram_count) ==
		       0 &&
	       region_table_build(&pc_port_table, pc, 0, NULL, 0) == 0 &&
	       as_init(&pc->memory, &pc->core, "memory", &pc->memory_root, UNCLAIMED_ONES) == 0 &&
	       as_init(&pc->ports, &pc->core, "port", &pc->port_root, UNCLAIMED_ONES) == 0 &&
	       as_init(&pc->dma_ram, &pc->core, "dma", &pc->dma_root, UNCLAIMED_ONES) == 0;
}

/* The physical machine's clock as the firmware left it running, read once. Registers as in devices/rtc.h. */
static u8 cmos_read(u8 index)
{
	outb(0x70, index);
	return inb(0x71);
}

static u8 from_bcd(u8 value, bool binary)
{
	return binary ? value : (value >> 4) * 10 + (value & 15);
}

static struct rtc_time machine_time(void)
{
	enum { SECOND, MINUTE = 2, HOUR = 4, DAY = 7, MONTH, YEAR, REGISTER_A, REGISTER_B };
	u8 raw[10], again[10];
	unsigned tries = 0;

	/* Read until two readings agree and no update was on its way: there is no clock to wait by. */
	do {
		for (unsigned i = 0; i < sizeof(raw); i++)
			raw[i] = cmos_read(i);
		for (unsigned i = 0; i < sizeof(again); i++)
			again[i] = cmos_read(i);
	} while (++tries < 100 && (memcmp(raw, again, sizeof(raw)) != 0 || (cmos_read(REGISTER_A) & 0x80)));
	u8 b = cmos_read(REGISTER_B);
	bool binary = b & 4;
	u8 hour = from_bcd(raw[HOUR] & 0x7f, binary);
	if (!(b & 2))
		hour = hour % 12 + (raw[HOUR] & 0x80 ? 12 : 0);
	struct rtc_time time = {
		.year = 2000 + from_bcd(raw[YEAR], binary),
		.month = from_bcd(raw[MONTH], binary),
		.day = from_bcd(raw[DAY], binary),
		.hour = hour,
		.minute = from_bcd(raw[MINUTE], binary),
		.second = from_bcd(raw[SECOND], binary),
	};
	bool sane = time.month - 1u < 12 && time.day - 1u < 31 && time.hour < 24 && time.minute < 60 &&
		    time.second < 60;
	return sane ? time : (struct rtc_time){ .year = 2026, .month = 1, .day = 1 };
}

static void init_devices(struct pc *pc, u64 tsc_hz)
{
	const struct msi_sink messages = { .send = send_message, .sink = pc };
	const struct pm_board pm_board = { .power_off = guest_power_off, .reset = guest_reset, .board = pc };
	struct rtc_time now = machine_time();

	pc->clock = (struct clock){ .now = clock_source, .hz = tsc_hz };
	pc->timers = (struct timer_queue){ .earlier = timers_earlier, .waiter = pc };
	uart16550_init(&pc->uart, pc->console.backend, isa_line(pc, 4));
	pic_init(&pc->pic, (struct irq_line){ .set = pic_output, .controller = pc });
	pit_init(&pc->pit, &pc->clock, &pc->timers, isa_line(pc, 0));
	rtc_init(&pc->rtc, &pc->clock, &pc->timers, isa_line(pc, 8), &now);
	ioapic_init(&pc->ioapic, IOAPIC_ID, messages, IOAPIC_REQUESTER);
	pm_init(&pc->pm, &pc->clock, &pc->timers, isa_line(pc, SCI_IRQ), pm_board);
}

static bool init_pci(struct pc *pc, const struct boot *boot)
{
	pc->pci.core = &pc->core;
	pc->pci.memory = &pc->pci_memory;
	pc->pci.io = &pc->pci_io;
	pc->pci.msi = (struct msi_sink){ .send = send_message, .sink = pc };
	pc->pci.reset_ops = &pm_reset_ops;
	pc->pci.reset_device = &pc->pm;
	for (unsigned i = 0; i < PCI_INTX_WIRES; i++) {
		pc->pci.wire[i] =
			(struct irq_line){ .set = ioapic_set, .controller = &pc->ioapic, .pin = 16 + i };
		pc->pci.line[i] = 16 + i;
	}
	pci_host_init(&pc->pci);
	pc->has_edu = boot->config->edu;
	if (pc->has_edu) {
		dma_window_init(&pc->edu_window, "edu.window", &pc_dma_windows[0], &pc->dma_ram, &pc->faults);
		edu_init(&pc->edu, "edu", &pc->clock, &pc->timers);
		if (as_init(&pc->edu_space, &pc->core, "edu", &pc->edu_window.iommu.region, UNCLAIMED_ONES) !=
			    0 ||
		    pci_add(&pc->pci, &pc->edu.pci, EDU_DEVFN, &pc->edu_space) != 0)
			return false;
	}
	return pci_place_bars(&pc->pci, PCI_MEMORY_FIRST, PCI_MEMORY_FIRST + PCI_MEMORY_SIZE - 1,
			      PCI_IO_FIRST, PCI_IO_FIRST + PCI_IO_SIZE - 1) == 0;
}

/* Guest RAM for images: what the RAM rows hold, less the firmware area. */
static void list_ranges(struct pc *pc)
{
	const struct ram_window *windows[] = { &pc->ram_low, &pc->ram_high };

	pc->range_count = 0;
	for (unsigned w = 0; w < ARRAY_SIZE(windows); w++) {
		for (unsigned i = 0; i < windows[w]->pieces; i++) {
			const struct region *piece = &windows[w]->piece[i];
			u64 gpa = windows[w]->region.offset + piece->offset, size = piece->last + 1;
			u8 *host = piece->host;

			if (gpa == 0) {
				pc->ranges[pc->range_count++] = (struct guest_ram){ 0, FIRMWARE_FIRST, host };
				gpa = FIRMWARE_FIRST + FIRMWARE_SIZE;
				host += gpa;
				size -= gpa;
			}
			pc->ranges[pc->range_count++] = (struct guest_ram){ gpa, size, host };
		}
	}
}

static bool check_width(const struct pc *pc)
{
	const struct guest_ram *top = &pc->ranges[pc->range_count - 1];
	unsigned width = vcpu_physical_bits(pc->vm.vcpu);

	if ((top->gpa + (top->size - 1)) >> width == 0)
		return true;
	log_error("guest RAM up to 0x%llx is beyond the %u address bits of this CPU: give it less memory",
		  (unsigned long long)(top->gpa + (top->size - 1)), width);
	return false;
}

bool pc_create(struct pc *pc, const struct boot *boot, const struct pc_console *console)
{
	if (!check_tables())
		return false;
	pc->console = *console;
	mem_core_init(&pc->core);
	fault_log_init(&pc->faults);
	if (!build_maps(pc, boot)) {
		log_error("the guest's address maps could not be built");
		return false;
	}
	const struct vm_config config = {
		.name = "guest",
		.memory = &pc->memory,
		.ports = &pc->ports,
		.ram = pc->allowed,
		.ram_count = boot->ram_count,
		.pages = boot->pages,
		.ops = &vm_ops,
		.board = pc,
		.tsc_hz = boot->tsc_hz,
		.apicv = boot->config->apicv == CONFIG_AUTO,
		.x2apic = boot->config->x2apic,
		.large_pages = boot->config->hugepages,
	};
	if (!vm_create(&pc->vm, &config)) {
		log_error("no memory for the virtual machine's own tables");
		return false;
	}
	pc->lapic_mmio.device = vcpu_lapic(pc->vm.vcpu);
	region_changed(&pc->lapic_mmio);
	init_devices(pc, boot->tsc_hz);
	if (!init_pci(pc, boot)) {
		log_error("the PCI bus could not be set up");
		return false;
	}
	list_ranges(pc);
	return check_width(pc);
}

void pc_destroy(struct pc *pc)
{
	vm_destroy(&pc->vm);
	as_destroy(&pc->memory);
	as_destroy(&pc->ports);
	if (pc->has_edu)
		as_destroy(&pc->edu_space);
	as_destroy(&pc->dma_ram);
	region_table_unbuild(&pc_port_table, pc);
	region_table_unbuild(&pc_memory_table, pc);
	mem_core_destroy(&pc->core);
}

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
		.ioapic_base = IOAPIC_BASE,
		.ioapic_id = IOAPIC_ID,
		.sci_irq = SCI_IRQ,
		.pm1a_event = PM_PORT,
		.pm1a_control = PM_PORT + 4,
		.pm_timer = PM_PORT + PM_TIMER_OFFSET,
		.reset_port = 0xcf9,
		.reset_value = PM_RESET_VALUE,
		.ecam_base = ACPI_ECAM_BASE,
		.cpu_count = 1,
	};
	static const struct e820_row reserved[] = {
		{ FIRMWARE_FIRST, FIRMWARE_SIZE, E820_RESERVED },
		{ IOAPIC_BASE, IOAPIC_SIZE, E820_RESERVED },
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
