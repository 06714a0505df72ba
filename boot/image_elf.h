/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ELF executables (System V ABI, chapters 4 and 5), as far as a boot loader needs them: program headers and notes, of both
 * classes, little endian, x86.
 */
#ifndef BOOT_IMAGE_ELF_H
#define BOOT_IMAGE_ELF_H

#include "boot/image_load.h"

struct elf_image {
	const u8 *data;
	u64 size;
	bool is64;
	u64 entry; /* e_entry */
	u64 phoff;
	unsigned phnum;
};

#define ELF_PT_LOAD 1
#define ELF_PT_NOTE 4

/* A program header of either class; `header` is its offset in the file, for messages. */
struct elf_segment {
	u32 type;
	u64 header, offset, paddr, filesz, memsz, align;
};

bool elf_is(const u8 *data, u64 size);

/*
 * True: every header is sound; every PT_LOAD and PT_NOTE lies inside the file; the PT_LOADs, at least one and at most
 * IMAGE_SEGMENTS_MAX, lie below 4 GiB (both entries are 32-bit) and do not overlap in memory.
 */
bool elf_open(struct elf_image *elf, const u8 *data, u64 size, struct image_error *error);

struct elf_segment elf_segment(const struct elf_image *elf, unsigned index);

/* Is physical address `entry` inside the bytes that a PT_LOAD has in the file? */
bool elf_has_entry(const struct elf_image *elf, u64 entry);

/*
 * The entry of a XEN_ELFNOTE_PHYS32_ENTRY note. False and a message: a note is malformed, or the entry is in no segment. True
 * and *found = false: there is no such note.
 */
bool elf_find_pvh(const struct elf_image *elf, u64 *entry, bool *found, struct image_error *error);

/* Claims and fills the memory of every PT_LOAD. */
bool elf_load(const struct elf_image *elf, struct image_loader *loader);

#endif
