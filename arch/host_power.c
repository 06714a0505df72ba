// SPDX-License-Identifier: BSD-2-Clause
#include "arch/host_power.h"

#include "arch/cpu.h"
#include "arch/host_fault.h"
#include "arch/host_paging.h"
#include "arch/serial.h"

#define RESET_CONTROL 0xcf9 /* chipsets since the PIIX3: bit 1 kind, bit 2 do it, bit 3 power cycle */
#define I8042_COMMAND 0x64
#define I8042_RESET   0xfe

#define EFI_COLD     0
#define EFI_SHUTDOWN 2

static struct host_power *machine;
/* Ways that have been begun: a fault inside one comes back through panic() and must find the next. */
static unsigned stage;

void host_power_init(struct host_power *power)
{
	machine = power;
}

/* In VMX operation INIT is blocked, and firmware does not expect it. */
static void leave_vmx(void)
{
	cli();
	if (read_cr4() & CR4_VMXE) {
		host_vmxoff_safe();
		write_cr4(read_cr4() & ~CR4_VMXE);
	}
}

static void write_port(u16 port, const char *text)
{
	for (; *text; text++)
		outb(port, (u8)*text);
}

static void exit_port(unsigned status)
{
	if (!machine || !machine->exit_port)
		return;
	if (machine->exit_port != HOST_EXIT_PORT_BOCHS) {
		outb(machine->exit_port, (u8)status);
		return;
	}
	write_port(HOST_DEBUG_PORT_BOCHS, status ? "\nstatus 1\n" : "\nstatus 0\n");
	write_port(HOST_EXIT_PORT_BOCHS, "Shutdown");
}

static void reset_system(u32 type)
{
	if (!machine || !machine->reset_system)
		return;
	for (unsigned i = 0; i < machine->count; i++)
		host_map(machine->runtime[i].address, machine->runtime[i].size, HOST_WRITE | HOST_EXEC);
	machine->reset_system(type, 0, 0, NULL);
}

_Noreturn void host_halt(void)
{
	serial_flush();
	for (;;)
		__asm__ volatile("cli; hlt");
}

_Noreturn void host_poweroff(unsigned status)
{
	serial_flush();
	leave_vmx();
	if (stage == 0) {
		stage++;
		exit_port(status);
	}
	if (stage == 1) {
		stage++;
		reset_system(EFI_SHUTDOWN);
	}
	host_halt();
}

_Noreturn void host_reset(void)
{
	serial_flush();
	leave_vmx();
	if (stage == 0) {
		stage++;
		reset_system(EFI_COLD);
	}
	if (stage == 1) {
		stage++;
		outb(RESET_CONTROL, 0x02);
		outb(RESET_CONTROL, 0x0e);
		outb(I8042_COMMAND, I8042_RESET);
	}
	if (stage == 2) {
		/* With no gate that could take it, any exception is a triple fault, which every chipset turns into a reset. */
		struct descriptor_table none = { 0 };

		stage++;
		lidt(&none);
		__asm__ volatile("int3");
	}
	host_halt();
}
