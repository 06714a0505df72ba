/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small sound images, one of each kind, made from what the formats require and nothing else. Tests load them, and spoil
 * them field by field.
 */
#ifndef TESTS_BAD_INPUT_MAKE_IMAGE_H
#define TESTS_BAD_INPUT_MAKE_IMAGE_H

#include <string.h>

#include "mm/types.h"

enum made_image { MADE_LINUX, MADE_PVH, MADE_MULTIBOOT, MADE_FLAT };

#define MADE_MAX 0x1400

#define MADE_LINUX_KERNEL    0x1000000ull
#define MADE_LINUX_INIT_SIZE 0x800000ull
#define MADE_PVH_ENTRY	     0x1000040ull
#define MADE_MULTIBOOT_ENTRY 0x400090ull
#define MADE_FLAT_ENTRY	     0x100040ull

static inline void made_put(u8 *image, u64 at, u64 value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		image[at + i] = (u8)(value >> (8 * i));
}

/* So that a byte that was not copied, or came from elsewhere, is seen. */
static inline void made_fill(u8 *image, u64 at, u64 size)
{
	for (u64 i = 0; i < size; i++)
		image[at + i] = (u8)(0x40 + i % 61);
}

/* 1 KiB of set-up, 4 KiB of kernel. */
static inline u64 made_linux(u8 *image)
{
	made_put(image, 0x1f1, 1, 1);
	made_put(image, 0x1f4, 0x1000 / 16, 4);
	made_put(image, 0x1fe, 0xaa55, 2);
	made_put(image, 0x200, 0x6aeb, 2);
	memcpy(image + 0x202, "HdrS", 4);
	made_put(image, 0x206, 0x020f, 2);
	made_put(image, 0x211, 0x01, 1);
	made_put(image, 0x22c, 0x7fffffff, 4);
	made_put(image, 0x230, 0x200000, 4);
	made_put(image, 0x234, 1, 1);
	made_put(image, 0x236, 0x7f, 2);
	made_put(image, 0x238, 0x7ff, 4);
	made_put(image, 0x258, MADE_LINUX_KERNEL, 8);
	made_put(image, 0x260, MADE_LINUX_INIT_SIZE, 4);
	made_fill(image, 0x400, 0x1000);
	return 0x1400;
}

static inline void made_phdr64(u8 *image, u64 at, u32 type, u64 offset, u64 paddr, u64 filesz, u64 memsz)
{
	made_put(image, at, type, 4);
	made_put(image, at + 8, offset, 8);
	made_put(image, at + 16, paddr + 0xffffffff80000000ull, 8);
	made_put(image, at + 24, paddr, 8);
	made_put(image, at + 32, filesz, 8);
	made_put(image, at + 40, memsz, 8);
	made_put(image, at + 48, type == 4 ? 4 : 0x1000, 8);
}

/* Program headers at 0x40 (text), 0x78 (data and bss), 0xb0 (notes); notes at 0x100: a foreign one, then Xen's at 0x114. */
static inline u64 made_pvh(u8 *image)
{
	memcpy(image, "\177ELF\2\1\1", 7);
	made_put(image, 0x10, 2, 2);
	made_put(image, 0x12, 62, 2);
	made_put(image, 0x14, 1, 4);
	made_put(image, 0x18, 0x1000000, 8);
	made_put(image, 0x20, 0x40, 8);
	made_put(image, 0x34, 64, 2);
	made_put(image, 0x36, 56, 2);
	made_put(image, 0x38, 3, 2);
	made_phdr64(image, 0x40, 1, 0x200, 0x1000000, 0x100, 0x100);
	made_phdr64(image, 0x78, 1, 0x300, 0x1002000, 0x80, 0x2000);
	made_phdr64(image, 0xb0, 4, 0x100, 0, 0x28, 0x28);
	made_put(image, 0x100, 4, 4);
	made_put(image, 0x104, 1, 4);
	made_put(image, 0x108, 18, 4);
	memcpy(image + 0x10c, "GNU\0\1", 5);
	made_put(image, 0x114, 4, 4);
	made_put(image, 0x118, 4, 4);
	made_put(image, 0x11c, 18, 4);
	memcpy(image + 0x120, "Xen", 4);
	made_put(image, 0x124, MADE_PVH_ENTRY, 4);
	made_fill(image, 0x200, 0x180);
	return 0x380;
}

static inline void made_phdr32(u8 *image, u64 at, u32 offset, u32 paddr, u32 filesz, u32 memsz)
{
	const u32 fields[] = { 1, offset, paddr, paddr, filesz, memsz, 7, 0x10 };

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		made_put(image, at + 4 * i, fields[i], 4);
}

static inline void made_multiboot_header(u8 *image, u64 at, u32 flags)
{
	made_put(image, at, 0x1badb002, 4);
	made_put(image, at + 4, flags, 4);
	made_put(image, at + 8, 0u - 0x1badb002 - flags, 4);
}

/* ELF32 like a kvm-unit-tests image: program headers at 0x34 and 0x54, the multiboot header at 0x80. */
static inline u64 made_multiboot(u8 *image)
{
	memcpy(image, "\177ELF\1\1\1", 7);
	made_put(image, 0x10, 2, 2);
	made_put(image, 0x12, 3, 2);
	made_put(image, 0x14, 1, 4);
	made_put(image, 0x18, MADE_MULTIBOOT_ENTRY, 4);
	made_put(image, 0x1c, 0x34, 4);
	made_put(image, 0x28, 52, 2);
	made_put(image, 0x2a, 32, 2);
	made_put(image, 0x2c, 2, 2);
	made_phdr32(image, 0x34, 0x80, 0x400080, 0x180, 0x180);
	made_phdr32(image, 0x54, 0x200, 0x401000, 0x40, 0x800);
	made_fill(image, 0x80, 0x1c0);
	made_multiboot_header(image, 0x80, 3);
	return 0x240;
}

/* No ELF: a header at 0x10 that says where the bytes go. */
static inline u64 made_flat(u8 *image)
{
	made_fill(image, 0, 0x200);
	made_multiboot_header(image, 0x10, 0x10000);
	made_put(image, 0x1c, 0x100010, 4);
	made_put(image, 0x20, 0x100000, 4);
	made_put(image, 0x24, 0x100200, 4);
	made_put(image, 0x28, 0x101000, 4);
	made_put(image, 0x2c, MADE_FLAT_ENTRY, 4);
	return 0x200;
}

/* Writes the image to `image`, which has MADE_MAX bytes, and returns its size. */
static inline u64 made_image(enum made_image kind, u8 *image)
{
	memset(image, 0, MADE_MAX);
	switch (kind) {
	case MADE_LINUX:
		return made_linux(image);
	case MADE_PVH:
		return made_pvh(image);
	case MADE_MULTIBOOT:
		return made_multiboot(image);
	default:
		return made_flat(image);
	}
}

#endif
