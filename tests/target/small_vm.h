/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine for tiny guests: a little RAM, a page of plain registers, a doorbell, ROM, one hole for each unclaimed policy,
 * a local APIC, an IOAPIC, a PIC. Built from a static table like any board; RAM comes out of what boot took for the guest.
 */
#ifndef TESTS_TARGET_SMALL_VM_H
#define TESTS_TARGET_SMALL_VM_H

#include "arch/vcpu.h"
#include "boot/boot.h"
#include "devices/ioapic.h"
#include "devices/pic.h"
#include "mm/doorbell.h"
#include "mm/table.h"

#define SMALL_RAM_SIZE (8 * MiB)

/* Guest-physical addresses. */
#define SMALL_GDT 0x1000
#define SMALL_TSS 0x1800
#define SMALL_TABLES \
	0x2000 /* PML4, PDPT, four PDs: the first 4 GiB, each address to itself, 2 MiB pages, writable, user */
#define SMALL_STACK    0x80000
#define SMALL_CODE     0x100000
#define SMALL_DATA     0x400000
#define SMALL_DEVICE   0xd0000000 /* a page of registers that keep what is written */
#define SMALL_DOORBELL 0xd0001000
#define SMALL_ROM      0xd0002000
#define SMALL_ZEROS    0xd0003000 /* holes: by the name of their policy */
#define SMALL_FAULT    0xd0004000
#define SMALL_STOP     0xd0005000
#define SMALL_ONES     0xd0006000

/* Ports. */
#define SMALL_EXIT_PORT	 0xf4  /* write: the guest is done, the value is small_vm.exit_value */
#define SMALL_NOTE_PORT	 0xf1  /* write: counted in small_vm.notes, and handed to small_vm.on_note */
#define SMALL_PORT_ZEROS 0x200 /* holes: by the name of their policy */
#define SMALL_PORT_FAULT 0x210
#define SMALL_PORT_STOP	 0x220
#define SMALL_PORT_ONES	 0x230

#define SMALL_LOG      16
#define SMALL_PATIENCE 10 /* seconds */

struct small_access {
	u64 offset, value;
	u8 size;
	bool write;
};

struct small_vm {
	struct mem_core core;
	struct region memory_root, port_root, holes, device, doorbell, rom, zeros, fault, stop, ioapic_mmio,
		lapic_mmio;
	struct region pic_ports, exit_port, note_port, port_zeros, port_fault, port_stop;
	struct ram_window ram;
	struct address_space memory, ports;
	struct doorbell bell;
	struct ioapic ioapic;
	struct pic pic;
	struct vm vm;
	struct ept_allowed allowed;
	u8 *host; /* RAM */
	u8 registers[PAGE_SIZE];
	u64 patience, stop_at; /* TSC ticks */
	/* What a test wants done between two instructions of the guest. */
	void (*on_note)(void *context, u8 value);
	void *note_context;
	/* What happened. */
	struct small_access access[SMALL_LOG]; /* the first ones on the device page */
	u32 accesses, rings, notes, exit_value, host_interrupts;
	u64 ring_value;
};

struct small_options {
	bool no_apicv, x2apic, small_pages;
};

/* NULL: no memory, said so by selftest_note(). RAM is zeroed, page tables and GDT are in place. */
struct small_vm *small_vm_create(const struct boot *boot, const struct small_options *options);
void small_vm_destroy(struct small_vm *small);

/* Copies code to SMALL_CODE and starts there in 64-bit mode with the first argument in RDI. */
void small_vm_load(struct small_vm *small, const void *code, const void *end, u64 argument);
/* Likewise in 16-bit real mode at linear address `at` below 1 MiB. */
void small_vm_load_real(struct small_vm *small, const void *code, const void *end, u32 at);
/* 32-bit protected mode without paging, flat segments, at SMALL_CODE. */
void small_vm_load_protected(struct small_vm *small, const void *code, const void *end);

/* For other machines with RAM from 0 on: what such a guest finds at SMALL_TABLES and SMALL_GDT, and how it starts. */
void small_guest_tables(u8 *ram);
struct vcpu_state small_guest_state(u64 argument);

/* VM_QUIT: it ran for longer than small_vm.patience. */
enum vm_stop small_vm_run(struct small_vm *small);

/* Guest code in tests/target/guest_NAME.S, between the symbols guest_NAME and guest_NAME_end. */
#define SMALL_GUEST(name) extern const u8 guest_##name[], guest_##name##_end[]

#endif
