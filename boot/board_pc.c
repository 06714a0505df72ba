// SPDX-License-Identifier: BSD-2-Clause
/*
 * What board_pc_tables.c names, connected: interrupt wires, messages, clocks, the questions of the vCPU.
 */
#include "boot/board_pc.h"

#include <string.h>

#include "arch/entropy.h"
#include "arch/log.h"
#include "arch/tsc.h"
#include "boot/machine_clock.h"

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

	if (!pc->has_vtd || vtd_remap_interrupt(&pc->vtd, requester, &address, &data))
		lapic_message(vcpu_lapic(pc->vm.vcpu), address, data);
}

/* What the VT-d unit has to say for itself. */
static void send_event(void *sink, u64 address, u32 data)
{
	struct pc *pc = sink;

	lapic_message(vcpu_lapic(pc->vm.vcpu), address, data);
}

static void timers_earlier(void *waiter)
{
	struct pc *pc = waiter;

	vcpu_timer_changed(pc->vm.vcpu);
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
	mistakes += dma_table_check(pc_dma_windows, PC_SLOTS, &pc_memory_table, emit_error, NULL);
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
	region_init_rom(&pc->firmware, "firmware", PC_FIRMWARE_SIZE,
			(u8 *)boot->ram[0].address + PC_FIRMWARE);
	region_init_mmio(&pc->lapic_mmio, "lapic", 4 * KiB, &lapic_mmio_ops, NULL);
	return region_table_build(&pc_memory_table, pc, boot->config->memory, extents, boot->ram_count) ==
		       0 &&
	       region_table_build(&pc_port_table, pc, 0, NULL, 0) == 0 &&
	       as_init(&pc->memory, &pc->core, "memory", &pc->memory_root, UNCLAIMED_ONES) == 0 &&
	       as_init(&pc->ports, &pc->core, "port", &pc->port_root, UNCLAIMED_ONES) == 0 &&
	       as_init(&pc->dma_ram, &pc->core, "dma", &pc->dma_root, UNCLAIMED_ONES) == 0;
}

static void init_devices(struct pc *pc, u64 tsc_hz)
{
	const struct msi_sink messages = { .send = send_message, .sink = pc };
	const struct pm_board pm_board = { .power_off = guest_power_off, .reset = guest_reset, .board = pc };
	struct rtc_time now = machine_time();

	pc->clock = (struct clock){ .now = tsc_now, .hz = tsc_hz };
	pc->timers = (struct timer_queue){ .earlier = timers_earlier, .waiter = pc };
	uart16550_init(&pc->uart, pc->console.com1, isa_line(pc, 4));
	pic_init(&pc->pic, (struct irq_line){ .set = pic_output, .controller = pc });
	pc->pic.chip[1].elcr = BIT(PC_SCI_IRQ - 8); /* as firmware leaves it: the ACPI interrupt is a level */
	pit_init(&pc->pit, &pc->clock, &pc->timers, isa_line(pc, 0));
	rtc_init(&pc->rtc, &pc->clock, &pc->timers, isa_line(pc, 8), &now);
	ioapic_init(&pc->ioapic, PC_IOAPIC_ID, messages, PC_IOAPIC_REQUESTER);
	pm_init(&pc->pm, &pc->clock, &pc->timers, isa_line(pc, PC_SCI_IRQ), pm_board);
}

/* The function gets its place on the bus and its way to RAM. */
static bool add_function(struct pc *pc, enum pc_slot slot, struct pci_function *function)
{
	const struct dma_table *table = &pc_dma_windows[slot];
	struct pc_dma *dma = &pc->dma[slot];

	dma_window_init(&dma->window, table->device, table, &pc->dma_ram, &pc->faults);
	if (as_init(&dma->behind, &pc->core, table->device, &dma->window.iommu.region, UNCLAIMED_ONES) != 0)
		return false;
	if (pc->has_vtd) {
		vtd_gate_init(&pc->vtd, &dma->gate, table->device, table->requester, &dma->behind);
		if (as_init(&dma->space, &pc->core, table->device, &dma->gate.iommu.region, UNCLAIMED_ONES) !=
		    0)
			return false;
	}
	return pci_add(&pc->pci, function, (u8)table->requester, pc->has_vtd ? &dma->space : &dma->behind) ==
	       0;
}

static struct virtio_setup virtio_setup(struct pc *pc, const struct config *config, const char *name)
{
	return (struct virtio_setup){
		.name = name,
		.clock = &pc->clock,
		.timers = &pc->timers,
		.withheld = config->virtio_packed ? 0 : VIRTIO_F_RING_PACKED,
	};
}

static bool add_disk(struct pc *pc, enum pc_slot slot, struct virtio_blk *blk, const struct boot *boot,
		     const struct boot_file *file, bool readonly)
{
	const char *name = pc_dma_windows[slot].device;
	const struct virtio_setup setup = virtio_setup(pc, boot->config, name);
	const struct virtio_blk_disk disk = {
		.memory = (void *)file->data, .size = file->size, .readonly = readonly, .id = name
	};

	if (!file->size)
		return true;
	virtio_blk_init(blk, &setup, &disk);
	return add_function(pc, slot, &blk->dev.pci);
}

static bool add_functions(struct pc *pc, const struct boot *boot, const u8 mac[ETHERNET_MAC])
{
	if (!add_disk(pc, PC_DISK, &pc->disk, boot, &boot->disk, boot->config->disk_readonly) ||
	    !add_disk(pc, PC_SCRATCH, &pc->scratch, boot, &boot->scratch, false))
		return false;
	if (boot->config->virtio_console) {
		const struct virtio_setup setup = virtio_setup(pc, boot->config, "console");

		virtio_console_init(&pc->hvc, &setup, &pc->console.hvc);
		if (!add_function(pc, PC_CONSOLE, &pc->hvc.dev.pci))
			return false;
	}
	if (boot->config->virtio_rng && cpu_has_entropy()) {
		const struct virtio_setup setup = virtio_setup(pc, boot->config, "rng");

		virtio_rng_init(&pc->rng, &setup, cpu_entropy, NULL);
		if (!add_function(pc, PC_RNG, &pc->rng.dev.pci))
			return false;
	}
	if (boot->config->net) {
		const struct virtio_setup setup = virtio_setup(pc, boot->config, "net");

		virtio_net_init(&pc->net, &setup, mac);
		if (!add_function(pc, PC_NET, &pc->net.dev.pci))
			return false;
	}
	if (boot->config->edu) {
		edu_init(&pc->edu, "edu", &pc->clock, &pc->timers);
		if (!add_function(pc, PC_EDU, &pc->edu.pci))
			return false;
	}
	return true;
}

static bool init_vtd(struct pc *pc, const struct boot *boot)
{
	const struct vtd_config config = {
		.host_address_width = (u8)vcpu_physical_bits(pc->vm.vcpu),
		.address_width = PC_VTD_WIDTH,
		.interrupt_remapping = true,
		.x2apic = boot->config->x2apic,
		.ioapic_requester = PC_IOAPIC_REQUESTER,
		.memory = &pc->dma_ram,
		.send = send_event,
		.sink = pc,
		.iotlb = pc->iotlb,
		.iotlb_entries = PC_IOTLB_ENTRIES,
		.log = &pc->faults,
	};

	pc->has_vtd = boot->config->iommu;
	region_set_enabled(&pc->vtd_registers, pc->has_vtd);
	return !pc->has_vtd || vtd_init(&pc->vtd, &config) == 0;
}

static bool init_pci(struct pc *pc, const struct boot *boot, const u8 mac[ETHERNET_MAC])
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
	return add_functions(pc, boot, mac) &&
	       pci_place_bars(&pc->pci, PC_PCI_MEMORY, PC_PCI_MEMORY + PC_PCI_MEMORY_SIZE - 1, PC_PCI_IO,
			      PC_PCI_IO + PC_PCI_IO_SIZE - 1) == 0;
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
				pc->ranges[pc->range_count++] = (struct guest_ram){ 0, PC_FIRMWARE, host };
				gpa = PC_FIRMWARE + PC_FIRMWARE_SIZE;
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

bool pc_create(struct pc *pc, const struct boot *boot, const struct pc_console *console,
	       const u8 mac[ETHERNET_MAC])
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
	as_set_ram_only(&pc->dma_ram, true);
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
	if (!init_vtd(pc, boot) || !init_pci(pc, boot, mac)) {
		log_error("the PCI bus could not be set up");
		return false;
	}
	list_ranges(pc);
	return check_width(pc);
}

unsigned pc_virtio(struct pc *pc, struct virtio_device *devices[PC_SLOTS])
{
	struct virtio_device *all[] = { &pc->disk.dev, &pc->scratch.dev, &pc->hvc.dev, &pc->rng.dev,
					&pc->net.dev };
	unsigned count = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
		if (pc_has(&all[i]->pci))
			devices[count++] = all[i];
	return count;
}

void pc_destroy(struct pc *pc)
{
	struct virtio_device *devices[PC_SLOTS];
	unsigned count = pc_virtio(pc, devices);

	for (unsigned i = 0; i < count; i++)
		virtio_reset(devices[i]);
	vm_destroy(&pc->vm);
	as_destroy(&pc->memory);
	as_destroy(&pc->ports);
	for (unsigned slot = 0; slot < PC_SLOTS; slot++) {
		if (pc->dma[slot].space.view)
			as_destroy(&pc->dma[slot].space);
		if (pc->dma[slot].behind.view)
			as_destroy(&pc->dma[slot].behind);
	}
	as_destroy(&pc->dma_ram);
	region_table_unbuild(&pc_port_table, pc);
	region_table_unbuild(&pc_memory_table, pc);
	mem_core_destroy(&pc->core);
}
