// SPDX-License-Identifier: BSD-2-Clause
#include "boot/image_elf.h"

#define ELF_IDENT_SIZE	16
#define ELF32_EHDR_SIZE 52
#define ELF64_EHDR_SIZE 64
#define ELF32_PHDR_SIZE 32
#define ELF64_PHDR_SIZE 56

#define ELF_CLASS_32	   1
#define ELF_CLASS_64	   2
#define ELF_DATA_LITTLE	   1
#define ELF_TYPE_EXEC	   2
#define ELF_MACHINE_386	   3
#define ELF_MACHINE_X86_64 62

#define NOTE_HEADER_SIZE	 12 /* namesz, descsz, type */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

bool elf_is(const u8 *data, u64 size)
{
	return size >= 4 && memcmp(data, "\177ELF", 4) == 0;
}

/* Fields at the same offset in both classes, and what must hold before the others can be found. */
static bool elf_check_ident(const u8 *data, u64 size, struct image_error *error)
{
	const bool is64 = size > 4 && data[4] == ELF_CLASS_64;
	const unsigned machine = is64 ? ELF_MACHINE_X86_64 : ELF_MACHINE_386;

	if (size < (is64 ? ELF64_EHDR_SIZE : ELF32_EHDR_SIZE))
		return image_fail(error, "ELF: found a file of %lu bytes, expected a header of %u", size,
				  is64 ? ELF64_EHDR_SIZE : ELF32_EHDR_SIZE);
	if (data[4] != ELF_CLASS_32 && data[4] != ELF_CLASS_64)
		return image_fail(error,
				  "ELF: found class %u at offset 0x4, expected 1 (32-bit) or 2 (64-bit)",
				  data[4]);
	if (data[5] != ELF_DATA_LITTLE)
		return image_fail(error,
				  "ELF: found data encoding %u at offset 0x5, expected 1 (little endian)",
				  data[5]);
	if (data[6] != 1 || image_u32(data + 20) != 1)
		return image_fail(error, "ELF: found versions %u and %u at offsets 0x6 and 0x14, expected 1",
				  data[6], image_u32(data + 20));
	if (image_u16(data + 16) != ELF_TYPE_EXEC)
		return image_fail(
			error,
			"ELF: found type %u at offset 0x10, expected 2 (an executable with fixed addresses)",
			image_u16(data + 16));
	if (image_u16(data + 18) != machine)
		return image_fail(error,
				  "ELF: found machine %u at offset 0x12, expected %u (%s) for this class",
				  image_u16(data + 18), machine, is64 ? "x86-64" : "80386");
	return true;
}

static bool elf_check_table(const struct elf_image *elf, struct image_error *error)
{
	const unsigned ehsize_at = elf->is64 ? 52 : 40;
	const unsigned ehsize = image_u16(elf->data + ehsize_at),
		       phentsize = image_u16(elf->data + ehsize_at + 2);
	const unsigned want_eh = elf->is64 ? ELF64_EHDR_SIZE : ELF32_EHDR_SIZE;
	const unsigned want_ph = elf->is64 ? ELF64_PHDR_SIZE : ELF32_PHDR_SIZE;

	if (ehsize != want_eh)
		return image_fail(error, "ELF: found header size %u at offset 0x%x, expected %u", ehsize,
				  ehsize_at, want_eh);
	if (phentsize != want_ph)
		return image_fail(error, "ELF: found program header size %u at offset 0x%x, expected %u",
				  phentsize, ehsize_at + 2, want_ph);
	if (elf->phnum == 0)
		return image_fail(error, "ELF: found 0 program headers at offset 0x%x, expected at least one",
				  ehsize_at + 4);
	/* 65535 would mean that the count stands elsewhere; such a table does not fit below either. */
	if (elf->phoff > elf->size || (u64)elf->phnum * want_ph > elf->size - elf->phoff)
		return image_fail(error,
				  "ELF: found %u program headers at offset 0x%lx, expected them inside the "
				  "file of %lu bytes",
				  elf->phnum, elf->phoff, elf->size);
	return true;
}

struct elf_segment elf_segment(const struct elf_image *elf, unsigned index)
{
	const u64 at = elf->phoff + (u64)index * (elf->is64 ? ELF64_PHDR_SIZE : ELF32_PHDR_SIZE);
	const u8 *p = elf->data + at;

	if (elf->is64)
		return (struct elf_segment){
			.type = image_u32(p),
			.header = at,
			.offset = image_u64(p + 8),
			.paddr = image_u64(p + 24),
			.filesz = image_u64(p + 32),
			.memsz = image_u64(p + 40),
			.align = image_u64(p + 48),
		};
	return (struct elf_segment){
		.type = image_u32(p),
		.header = at,
		.offset = image_u32(p + 4),
		.paddr = image_u32(p + 12),
		.filesz = image_u32(p + 16),
		.memsz = image_u32(p + 20),
		.align = image_u32(p + 28),
	};
}

static bool elf_check_segment(const struct elf_image *elf, const struct elf_segment *s,
			      struct image_error *error)
{
	if (s->offset > elf->size || s->filesz > elf->size - s->offset)
		return image_fail(error,
				  "ELF: found a segment of 0x%lx bytes from offset 0x%lx (program header at "
				  "0x%lx), expected it inside the file of 0x%lx bytes",
				  s->filesz, s->offset, s->header, elf->size);
	if (s->type != ELF_PT_LOAD)
		return true;
	if (s->filesz > s->memsz)
		return image_fail(error,
				  "ELF: found p_filesz 0x%lx > p_memsz 0x%lx (program header at 0x%lx), "
				  "expected no more in the file than in memory",
				  s->filesz, s->memsz, s->header);
	if (s->memsz != 0 && (s->paddr > LAYOUT_HIGH_LAST || s->memsz - 1 > LAYOUT_HIGH_LAST - s->paddr))
		return image_fail(error,
				  "ELF: found a segment of 0x%lx bytes at physical 0x%lx (program header at "
				  "0x%lx), expected it below 4 GiB",
				  s->memsz, s->paddr, s->header);
	return true;
}

static bool elf_check_overlap(const struct elf_image *elf, unsigned count, const struct elf_segment *s,
			      struct image_error *error)
{
	for (unsigned i = 0; i < count; i++) {
		const struct elf_segment other = elf_segment(elf, i);

		if (other.type == ELF_PT_LOAD && other.memsz != 0 && s->paddr < other.paddr + other.memsz &&
		    other.paddr < s->paddr + s->memsz)
			return image_fail(error,
					  "ELF: found segments that overlap at physical 0x%lx (program "
					  "headers at 0x%lx and 0x%lx), expected disjoint ones",
					  MAX(s->paddr, other.paddr), other.header, s->header);
	}
	return true;
}

bool elf_open(struct elf_image *elf, const u8 *data, u64 size, struct image_error *error)
{
	unsigned loads = 0;

	if (!elf_check_ident(data, size, error))
		return false;
	*elf = (struct elf_image){ .data = data, .size = size, .is64 = data[4] == ELF_CLASS_64 };
	elf->entry = elf->is64 ? image_u64(data + 24) : image_u32(data + 24);
	elf->phoff = elf->is64 ? image_u64(data + 32) : image_u32(data + 28);
	elf->phnum = image_u16(data + (elf->is64 ? 56 : 44));
	if (!elf_check_table(elf, error))
		return false;
	for (unsigned i = 0; i < elf->phnum; i++) {
		const struct elf_segment s = elf_segment(elf, i);

		if (s.type != ELF_PT_LOAD && s.type != ELF_PT_NOTE)
			continue;
		if (!elf_check_segment(elf, &s, error))
			return false;
		if (s.type != ELF_PT_LOAD || s.memsz == 0)
			continue;
		if (++loads > IMAGE_SEGMENTS_MAX)
			return image_fail(
				error, "ELF: found more than %u loadable segments (program header at 0x%lx)",
				IMAGE_SEGMENTS_MAX, s.header);
		if (!elf_check_overlap(elf, i, &s, error))
			return false;
	}
	if (loads == 0)
		return image_fail(
			error,
			"ELF: found no loadable segment in %u program headers at offset 0x%lx, expected one",
			elf->phnum, elf->phoff);
	return true;
}

bool elf_has_entry(const struct elf_image *elf, u64 entry)
{
	for (unsigned i = 0; i < elf->phnum; i++) {
		const struct elf_segment s = elf_segment(elf, i);

		if (s.type == ELF_PT_LOAD && entry >= s.paddr && entry - s.paddr < s.filesz)
			return true;
	}
	return false;
}

static bool elf_take_pvh(const struct elf_image *elf, u64 at, u32 descsz, u64 *entry,
			 struct image_error *error)
{
	if (descsz != 4 && descsz != 8)
		return image_fail(error,
				  "ELF: found a PVH entry note of %u bytes at offset 0x%lx, expected 4 or 8",
				  descsz, at);
	*entry = descsz == 4 ? image_u32(elf->data + at) : image_u64(elf->data + at);
	if (!elf_has_entry(elf, *entry))
		return image_fail(error,
				  "ELF: found PVH entry 0x%lx (note at offset 0x%lx), expected a physical "
				  "address that a segment has bytes for",
				  *entry, at);
	return true;
}

/* One PT_NOTE. Names and descriptors are padded to 4 bytes, in segments aligned to 8 to 8 (as binutils writes them). */
static bool elf_walk_notes(const struct elf_image *elf, const struct elf_segment *s, u64 *entry, bool *found,
			   struct image_error *error)
{
	const u64 align = s->align == 8 ? 8 : 4;
	u64 at = 0; /* from the segment's start; sums of 32-bit fields cannot wrap */

	while (at < s->filesz && !*found) {
		const u8 *note = elf->data + s->offset + at;
		u64 name, desc, end;
		u32 namesz, descsz;

		if (s->filesz - at < NOTE_HEADER_SIZE)
			return image_fail(error,
					  "ELF: found %lu bytes behind the last note at offset 0x%lx, "
					  "expected a note or the end",
					  s->filesz - at, s->offset + at);
		namesz = image_u32(note);
		descsz = image_u32(note + 4);
		name = at + NOTE_HEADER_SIZE;
		desc = at + ALIGN_UP((u64)NOTE_HEADER_SIZE + namesz, align);
		end = desc + descsz;
		if (end > s->filesz)
			return image_fail(error,
					  "ELF: found a note of %u + %u bytes at offset 0x%lx, expected it "
					  "to end with its segment at 0x%lx",
					  namesz, descsz, s->offset + at, s->offset + s->filesz);
		if (namesz == 4 && memcmp(elf->data + s->offset + name, "Xen", 4) == 0 &&
		    image_u32(note + 8) == XEN_ELFNOTE_PHYS32_ENTRY) {
			if (!elf_take_pvh(elf, s->offset + desc, descsz, entry, error))
				return false;
			*found = true;
		}
		at = ALIGN_UP(end, align);
	}
	return true;
}

bool elf_find_pvh(const struct elf_image *elf, u64 *entry, bool *found, struct image_error *error)
{
	*found = false;
	for (unsigned i = 0; i < elf->phnum && !*found; i++) {
		const struct elf_segment s = elf_segment(elf, i);

		if (s.type == ELF_PT_NOTE && !elf_walk_notes(elf, &s, entry, found, error))
			return false;
	}
	return true;
}

bool elf_load(const struct elf_image *elf, struct image_loader *loader)
{
	for (unsigned i = 0; i < elf->phnum; i++) {
		const struct elf_segment s = elf_segment(elf, i);
		u8 *to;

		if (s.type != ELF_PT_LOAD || s.memsz == 0)
			continue;
		to = image_claim(loader, "a segment of the image", s.paddr, s.memsz);
		if (!to)
			return false;
		memcpy(to, elf->data + s.offset, s.filesz);
		memset(to + s.filesz, 0, s.memsz - s.filesz);
	}
	return true;
}
