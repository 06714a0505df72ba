/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Malformed configurations and images, each with the message that it must give. One table for the unit test, for the
 * self-test on the machine, and for the tool that writes them to files.
 */
#ifndef TESTS_BAD_INPUT_CASES_H
#define TESTS_BAD_INPUT_CASES_H

#include "tests/bad-input/make_image.h"

/* The message is that for a file named sluice.cfg. `size` 0: the text ends at its NUL. */
struct bad_config {
	const char *name, *text;
	u64 size;
	const char *message;
};

static const struct bad_config bad_configs[] = {
	{ "unknown-key", "kernel = \\vmlinuz\nmemroy = 512M\n", 0,
	  "sluice.cfg:2: found \"memroy\", expected a key; did you mean \"memory\"?" },
	{ "foreign-key", "# from another loader\ntimeout = 5\n", 0,
	  "sluice.cfg:2: found \"timeout\", expected a key (kernel, initrd, cmdline, memory, ...)" },
	{ "no-equals-sign", "kernel \\vmlinuz\n", 0,
	  "sluice.cfg:1: found \"kernel \\vmlinuz\", expected key = value" },
	{ "no-value", "kernel = \\vmlinuz\nmemory =\n", 0,
	  "sluice.cfg:2: found \"memory =\" without a value, expected a size from 16M to 1T that is a "
	  "multiple of 2M" },
	{ "duplicate-key", "kernel = \\vmlinuz\nmemory = 1G\n\nmemory = 2G\n", 0,
	  "sluice.cfg:4: found \"memory\" again, expected it once; the first is in line 2" },
	{ "too-little-memory", "kernel = \\vmlinuz\nmemory = 8M\n", 0,
	  "sluice.cfg:2: found \"memory = 8M\", expected a size from 16M to 1T that is a multiple of 2M" },
	{ "number-overflows", "kernel = \\vmlinuz\nmemory = 0x4000000000G\n", 0,
	  "sluice.cfg:2: found \"memory = 0x4000000000G\", expected a size from 16M to 1T that is a multiple "
	  "of 2M" },
	{ "no-number", "kernel = \\vmlinuz\nserial = com1\n", 0,
	  "sluice.cfg:2: found \"serial = com1\", expected a number from 0x1 to 0xfff8" },
	{ "odd-baud", "kernel = \\vmlinuz\nbaud = 100000\n", 0,
	  "sluice.cfg:2: found \"baud = 100000\", expected a number from 300 to 115200 that divides 115200" },
	{ "unknown-word", "kernel = \\vmlinuz\non-panic = explode\n", 0,
	  "sluice.cfg:2: found \"on-panic = explode\", expected halt, reset or poweroff" },
	{ "trailing-comment", "kernel = \\vmlinuz\nmemory = 1G # plenty\n", 0,
	  "sluice.cfg:2: found \"memory = 1G # plenty\", expected a size from 16M to 1T that is a multiple "
	  "of 2M (a comment takes a line of its own)" },
	{ "escape-is-enter", "kernel = \\vmlinuz\nescape = ctrl-m\n", 0,
	  "sluice.cfg:2: found \"escape = ctrl-m\", expected off, or ctrl- and a lower-case letter (not h, "
	  "i, j, m) or one of ] \\ ^ _" },
	{ "path-with-star", "kernel = \\vmlinuz*\n", 0,
	  "sluice.cfg:1: found \"kernel = \\vmlinuz*\", expected the path of a file on the EFI system "
	  "partition, at most 254 ASCII characters" },
	{ "nul-byte", "kernel = \\vml\0nuz\n", 18,
	  "sluice.cfg:1: found the byte 0x00 in column 14, expected text" },
	{ "utf-16", "\xff\xfek\0e\0r\0n\0e\0l\0", 14,
	  "sluice.cfg: found UTF-16 text, expected UTF-8: save the file as plain text" },
	{ "no-kernel", "memory = 1G\n", 0,
	  "sluice.cfg: found no \"kernel\", expected kernel = PATH (or selftest or bench)" },
};

struct bad_patch {
	u32 at;
	u8 size; /* bytes; 0: no patch */
	u64 value;
};

/* A sound image with a few fields spoilt, then cut to `size` bytes (0: not cut). */
struct bad_image {
	const char *name;
	enum made_image base;
	struct bad_patch patch[2];
	u64 size;
	const char *message;
};

static const struct bad_image bad_images[] = {
	{ "gzip",
	  MADE_FLAT,
	  { { 0, 4, 0x00088b1f }, { 0x10, 4, 0 } },
	  0,
	  "found 1f 8b 08 00 at offset 0 (a gzip file: unpack it first), expected HdrS at 0x202 (Linux "
	  "bzImage), an ELF header at 0, or a multiboot header in the first 8 KiB" },
	{ "linux-cut-header",
	  MADE_LINUX,
	  { { 0 } },
	  0x210,
	  "bzImage: found a file of 528 bytes, expected the set-up header up to 0x290" },
	{ "linux-old",
	  MADE_LINUX,
	  { { 0x206, 2, 0x020a } },
	  0,
	  "bzImage: found boot protocol 2.10 at offset 0x206, expected 2.12 or later (Linux 3.8)" },
	{ "linux-32-bit",
	  MADE_LINUX,
	  { { 0x236, 2, 0 } },
	  0,
	  "bzImage: found xloadflags 0x0000 at offset 0x236, expected bit 0 (a 64-bit kernel)" },
	{ "linux-truncated",
	  MADE_LINUX,
	  { { 0 } },
	  0x1000,
	  "bzImage: found 4096 bytes, expected 1024 of set-up and 4096 by syssize at offset 0x1f4: "
	  "truncated" },
	{ "linux-small-init-size",
	  MADE_LINUX,
	  { { 0x260, 4, 0x800 } },
	  0,
	  "bzImage: found init_size 0x800 at offset 0x260, expected 0x1000 (syssize) or more" },
	{ "elf-big-endian",
	  MADE_PVH,
	  { { 0x5, 1, 2 } },
	  0,
	  "ELF: found data encoding 2 at offset 0x5, expected 1 (little endian)" },
	{ "elf-arm",
	  MADE_PVH,
	  { { 0x12, 2, 183 } },
	  0,
	  "ELF: found machine 183 at offset 0x12, expected 62 (x86-64) for this class" },
	{ "elf-headers-outside",
	  MADE_PVH,
	  { { 0x20, 8, 0xffffffffffffffc0 } },
	  0,
	  "ELF: found 3 program headers at offset 0xffffffffffffffc0, expected them inside the file of 896 "
	  "bytes" },
	{ "elf-segment-outside",
	  MADE_PVH,
	  { { 0x98, 8, 0xffffffffffffff00 }, { 0xa0, 8, 0xffffffffffffff00 } },
	  0,
	  "ELF: found a segment of 0xffffffffffffff00 bytes from offset 0x300 (program header at 0x78), "
	  "expected it inside the file of 0x380 bytes" },
	{ "elf-filesz-over-memsz",
	  MADE_PVH,
	  { { 0xa0, 8, 0x7f } },
	  0,
	  "ELF: found p_filesz 0x80 > p_memsz 0x7f (program header at 0x78), expected no more in the file "
	  "than in memory" },
	{ "elf-overlap",
	  MADE_PVH,
	  { { 0x90, 8, 0x10000ff } },
	  0,
	  "ELF: found segments that overlap at physical 0x10000ff (program headers at 0x40 and 0x78), "
	  "expected disjoint ones" },
	{ "pvh-note-too-long",
	  MADE_PVH,
	  { { 0x118, 4, 0xfffffffc } },
	  0,
	  "ELF: found a note of 4 + 4294967292 bytes at offset 0x114, expected it to end with its segment at "
	  "0x128" },
	{ "pvh-entry-outside",
	  MADE_PVH,
	  { { 0x124, 4, 0x1000100 } },
	  0,
	  "ELF: found PVH entry 0x1000100 (note at offset 0x124), expected a physical address that a segment "
	  "has bytes for" },
	{ "multiboot-requirement",
	  MADE_FLAT,
	  { { 0x14, 4, 0x10004 }, { 0x18, 4, 0xe4514ffa } },
	  0,
	  "multiboot: found flags 0x10004 at offset 0x14, expected no requirements but bits 0 (page "
	  "alignment) and 1 (memory)" },
	{ "multiboot-entry-outside",
	  MADE_FLAT,
	  { { 0x2c, 4, 0x100200 } },
	  0,
	  "multiboot: found entry_addr 0x100200 (header at offset 0x10), expected it in 0x100000..0x1001ff" },
};

/* Writes the image to `image`, which has MADE_MAX bytes, and returns its size. */
static inline u64 bad_image_make(const struct bad_image *bad, u8 *image)
{
	const u64 size = made_image(bad->base, image);

	for (unsigned i = 0; i < ARRAY_SIZE(bad->patch); i++)
		made_put(image, bad->patch[i].at, bad->patch[i].value, bad->patch[i].size);
	return bad->size ? bad->size : size;
}

static inline u64 bad_config_size(const struct bad_config *bad)
{
	return bad->size ? bad->size : strlen(bad->text);
}

#endif
