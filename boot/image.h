/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest images: what a file is, loading it into guest memory, and the registers that its boot protocol wants.
 *
 * Pure: everything that is read comes in a struct image_request, everything that is written goes through
 * guest_memory_at(). Nothing is allocated; no state is kept.
 *
 *   image_probe()  by content: bzImage | ELF with a PVH note | multiboot 1
 *   image_load()   places image, modules, command line, tables -> struct guest_entry -> arch sets up the vCPU
 */
#ifndef BOOT_IMAGE_H
#define BOOT_IMAGE_H

#include "arch/vcpu_state.h"
#include "mm/types.h"

struct acpi_board; /* boot/acpi.h */
struct e820_row;   /* boot/e820.h */

/* A range of guest RAM: `size` bytes from guest-physical `gpa` are the hypervisor's bytes from `host`. */
struct guest_ram {
	u64 gpa, size;
	void *host;
};

/*
 * Guest RAM: `count` ranges in ascending order, disjoint, none empty, none wrapping. Just what the guest may use as
 * RAM: not the hole from 0xa0000 to 0xfffff, not ROM.
 */
struct guest_memory {
	const struct guest_ram *ram;
	unsigned count;
};

/* The bytes at [gpa, gpa + len), or NULL unless all of them are RAM of one range. A length of 0 is refused too. */
void *guest_memory_at(const struct guest_memory *memory, u64 gpa, u64 len);

enum image_kind {
	IMAGE_UNKNOWN,
	IMAGE_LINUX,	 /* bzImage by the 64-bit boot protocol (Documentation/x86/boot.rst) */
	IMAGE_PVH,	 /* ELF32 or ELF64 with XEN_ELFNOTE_PHYS32_ENTRY */
	IMAGE_MULTIBOOT, /* multiboot 1: ELF32, or any file with the address fields */
};

/* One line: what was found, where (an offset in hex), what was expected. */
struct image_error {
	char text[320];
};

/*
 * A boot module. `argument` is its own string, perhaps ""; NULL: it is an initrd, which has none. An empty file (size 0) is
 * refused.
 */
struct image_module {
	const u8 *data;
	u64 size;
	const char *argument;
};

#define IMAGE_MODULES_MAX 16

/*
 * What is to be loaded. Files need no alignment, and must not lie inside guest RAM. The initrd, if any,
 * is modules[0]: it is all that bzImage takes; for the others it is the first module.
 */
struct image_request {
	const u8 *kernel;
	u64 kernel_size;
	const char *
		name; /* of the kernel's file: multiboot 1 has it in front of the command line; NULL: has not */
	const char *cmdline; /* NULL: empty */
	const struct image_module *modules;
	unsigned module_count;
	const struct acpi_board *acpi;	 /* NULL: no ACPI tables */
	const struct e820_row *reserved; /* added to the guest's memory map, at most 32; in any order */
	unsigned reserved_count;
};

enum guest_mode {
	GUEST_PROTECTED32, /* CR0.PE, no paging */
	GUEST_LONG64,	   /* IA-32e with paging */
};

/* How the guest is entered. */
struct guest_entry {
	enum image_kind kind;
	enum guest_mode mode;
	struct vcpu_state state;
};

/* What the file is, after every check that needs no guest memory. IMAGE_UNKNOWN: refused, see `error`. */
enum image_kind image_probe(const void *data, size_t size, struct image_error *error);
const char *image_kind_name(enum image_kind kind);

/*
 * Probes and loads. On false nothing may be entered (guest memory may have been written to). Guest memory must read as
 * zeros before: what an image expects to be zero and has no bytes for is written nevertheless.
 */
bool image_load(const struct guest_memory *memory, const struct image_request *request,
		struct guest_entry *entry, struct image_error *error);

#endif
