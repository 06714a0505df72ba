// SPDX-License-Identifier: BSD-2-Clause
/*
 * From the firmware's machine to the hypervisor's. Everything that can fail for a reason outside of the hypervisor is
 * done while the firmware still runs, so that the message can be read on a screen and nothing has been changed.
 *
 *   efi_main: configuration, files, memory, page tables -> ExitBootServices -> own CPU state -> start: sluice_main()
 */
#include "boot/boot.h"

#include "arch/cpu.h"
#include "arch/host_cpu.h"
#include "arch/host_fault.h"
#include "arch/host_irq.h"
#include "arch/host_paging.h"
#include "arch/host_power.h"
#include "arch/image.h"
#include "arch/log.h"
#include "arch/newlib_port.h"
#include "arch/panic.h"
#include "arch/serial.h"
#include "arch/tsc.h"
#include "arch/vcpu.h"
#include "boot/efi.h"
#include "boot/efi_load.h"

#include <string.h>

#define COM1	   0x3f8
#define HEAP_SIZE  (4 * MiB)
#define ARENA_SIZE (HOST_STACKS_SIZE + HEAP_SIZE)
/* vCPU pages, EPT upper levels, bitmaps, tables for MMIO and ROM. */
#define SPARE_PAGES 256
/* Ranges that are mapped later: device registers and the like. */
#define SPARE_RANGES 24
#define ERROR_WAIT   10 /* seconds that a message stays on the screen */

/* There is one machine, and it is started once. */
static struct config config;
static struct boot boot;
static struct host_cpu boot_cpu;
static struct host_power power;
static struct page_pool host_tables, guest_tables;

static void own(const char *what, const void *address, u64 size)
{
	assert(boot.own_count < BOOT_OWN_MAX);
	boot.own[boot.own_count++] = (struct boot_range){ (u64)address, ALIGN_UP(size, PAGE_SIZE), what };
}

static void own_file(const struct boot_file *file)
{
	if (file->size)
		own(file->name, file->data, file->size);
}

/* Stacks, heap and page tables. */
static bool take_memory(struct efi *efi)
{
	u64 large_pages = config.memory / (2 * MiB);
	u64 guest_pages = large_pages + large_pages / 512 + SPARE_PAGES;
	u64 host_pages;
	void *tables, *guest;
	u8 *arena = efi_pages_alloc(efi, ARENA_SIZE / PAGE_SIZE);

	if (!arena || !efi_memory_map(efi))
		return false;
	host_pages = host_paging_pages_needed(
		config.memory + boot.disk.size + config.scratch + guest_pages * PAGE_SIZE,
		(unsigned)(efi->map_size / efi->descriptor_size) / 4 + SPARE_RANGES);
	tables = efi_pages_alloc(efi, host_pages);
	guest = efi_pages_alloc(efi, guest_pages);
	if (!tables || !guest)
		return false;
	page_pool_init(&host_tables, tables, host_pages);
	page_pool_init(&guest_tables, guest, guest_pages);
	newlib_heap_init(arena + HOST_STACKS_SIZE, HEAP_SIZE);
	boot.pages = &guest_tables;

	own("image", ImageBase, (u64)(__bss_end - ImageBase));
	own("stacks and heap", arena, ARENA_SIZE);
	own("page tables", tables, host_pages * PAGE_SIZE);
	for (unsigned i = 0; i < boot.own_count; i++)
		boot.own_bytes += boot.own[i].size;
	own("guest page tables", guest, guest_pages * PAGE_SIZE);
	own_file(&boot.kernel);
	own_file(&boot.initrd);
	own_file(&boot.disk);
	own_file(&boot.scratch);
	for (unsigned i = 0; i < config.module_count; i++)
		own_file(&boot.module[i]);

	return host_paging_init(&host_tables);
}

/* What the firmware's ResetSystem may touch: mapped, but executable only when it is called. */
static bool map_runtime_services(struct efi *efi)
{
	const EFI_MEMORY_DESCRIPTOR *descriptor;

	power.reset_system = (void *)efi->system->RuntimeServices->ResetSystem;
	for (unsigned i = 0; (descriptor = efi_memory_descriptor(efi, i)); i++) {
		u64 size = descriptor->NumberOfPages * PAGE_SIZE;
		bool device = descriptor->Type == EfiMemoryMappedIO;

		if (!(descriptor->Attribute & EFI_MEMORY_RUNTIME))
			continue;
		if (power.count == HOST_POWER_RANGES_MAX ||
		    !host_map(descriptor->PhysicalStart, size, HOST_WRITE | (device ? HOST_DEVICE : 0)))
			return false;
		power.runtime[power.count].address = descriptor->PhysicalStart;
		power.runtime[power.count++].size = size;
	}
	return true;
}

static bool build_page_tables(struct efi *efi)
{
	if (!efi_memory_map(efi))
		return false;
	for (unsigned i = 1; i < boot.own_count; i++)
		if (!host_map(boot.own[i].address, boot.own[i].size, HOST_WRITE))
			return false;
	for (unsigned i = 0; i < boot.ram_count; i++)
		if (!host_map(boot.ram[i].address, boot.ram[i].size, HOST_WRITE))
			return false;
	return host_map_image() && map_runtime_services(efi) &&
	       host_cpu_init(&boot_cpu, (u8 *)boot.own[1].address);
}

static void apply_config(void)
{
	static const enum panic_action action[] = {
		[CONFIG_STOP] = PANIC_HALT, [CONFIG_RESET] = PANIC_RESET, [CONFIG_POWEROFF] = PANIC_POWEROFF
	};

	boot.config = &config;
	log_set_level(config.loglevel);
	panic_set_action(action[config.on_panic]);
	power.exit_port = config.exit_port;
	if (config.serial != COM1 || config.baud != 115200) {
		serial_flush();
		if (!serial_init(config.serial, config.baud))
			log_warn("no UART answers at port 0x%x: there is no console", config.serial);
	}
}

/* Everything up to the point of no return. False: said why. */
static bool prepare(struct efi *efi)
{
	struct boot_file text;
	char error[320];

	boot.tsc_hz = efi->tsc_hz;
	if (!efi->tsc_hz) {
		log_error("no clock tells how fast the TSC counts: found neither PIT channel 2 nor CPUID "
			  "leaf 0x15");
		return false;
	}
	if (!vcpu_hardware_check(error, sizeof(error))) {
		log_error("%s", error);
		return false;
	}
	if (!efi_volume_open(efi) || !efi_load_config(efi, &config, &text))
		return false;
	apply_config();
	if (!efi_load_files(efi, &text, &boot) || !efi_load_scratch(efi, &text, &boot))
		return false;
	if (!take_memory(efi)) {
		log_error("not enough memory for the hypervisor itself: expected %llu MiB and 1/512 of the "
			  "guest's RAM",
			  (unsigned long long)(8));
		return false;
	}
	if (!efi_load_ram(efi, &text, &boot))
		return false;
	if (!build_page_tables(efi)) {
		log_error("the pool of %llu pages is too small for the hypervisor's page tables",
			  (unsigned long long)host_tables.total);
		return false;
	}
	boot.rsdp = efi_find_rsdp(efi);
	return true;
}

/* On the hypervisor's own stack: the firmware's is not in the page tables. */
static void start(void *unused)
{
	u64 before;

	(void)unused;
	host_paging_activate();
	if (!host_irq_init())
		panic("no page to map the local APIC's registers");
	before = rdtsc();
	for (unsigned i = 0; i < boot.ram_count; i++) {
		log_debug("guest RAM at host address 0x%llx, %llu MiB",
			  (unsigned long long)boot.ram[i].address,
			  (unsigned long long)(boot.ram[i].size / MiB));
		clear_qwords((void *)boot.ram[i].address, boot.ram[i].size);
	}
	if (boot.scratch.size)
		clear_qwords((void *)boot.scratch.data, boot.scratch.size);
	boot.tsc_excluded += rdtsc() - before;
	log_info("the machine is ours: %llu KiB for itself, TSC at %llu kHz, %llu ticks since efi_main",
		 (unsigned long long)(boot.own_bytes / KiB), (unsigned long long)(boot.tsc_hz / 1000),
		 (unsigned long long)(rdtsc() - boot.tsc_at_entry - boot.tsc_excluded));
	sluice_main(&boot);
}

/* Back to the firmware if somebody is there to read and hit a key; off otherwise. */
static EFI_STATUS give_up(struct efi *efi)
{
	serial_flush();
	if (power.exit_port)
		host_poweroff(1);
	log_progress(
		"sluice: nothing was started; any key returns to the firmware, otherwise power goes off\n");
	serial_flush();
	if (!efi_wait_key(efi, ERROR_WAIT)) {
		power.reset_system = (void *)efi->system->RuntimeServices->ResetSystem;
		host_poweroff(1);
	}
	return EFI_LOAD_ERROR;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	struct efi efi = { .image = image, .system = system, .boot = system->BootServices };

	boot.tsc_at_entry = rdtsc();
	serial_init(COM1, 115200);
	host_power_init(&power);
	efi.tsc_hz = tsc_measure_hz();
	efi_screen_init(&efi);
	/* The only line of a good start that a screen shows: where to look for the others. */
	log_progress(
		"sluice: a tiny hypervisor for Intel VT-x; everything else is said on the serial line\n");
	efi.boot->SetWatchdogTimer(0, 0, 0, NULL);

	if (!prepare(&efi))
		return give_up(&efi);
	/* A refusal may leave the firmware half shut down: nothing but its run-time services can be used any more. */
	if (!efi_exit_boot_services(&efi))
		host_poweroff(1);

	boot.tsc_excluded = efi.tsc_reading;
	host_cpu_load(&boot_cpu);
	host_call_on_stack(host_cpu_stack_top(&boot_cpu), start, NULL);
}
