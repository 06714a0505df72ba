// SPDX-License-Identifier: BSD-2-Clause
/* Accesses and transfers: RAM, devices of every make, holes, edges, doorbells and coalesced writes. */
#include "tests/unit/mm_rig.h"

#include <errno.h>

#include "mm/dispatch.h"
#include "mm/doorbell.h"

static u8 memory[0x4000] __attribute__((aligned(4096)));

/* A device with these ops at 0x1000, size 0x100, between RAM 0-0xfff and RAM 0x1100-0x1fff. */
struct bench {
	struct rig rig;
	struct region low, device, high;
	struct probe probe;
	struct section_cache cache;
};

static void bench_init(struct bench *bench, const struct region_ops *ops)
{
	memset(bench, 0, sizeof(*bench));
	memset(memory, 0, sizeof(memory));
	for (unsigned i = 0; i < sizeof(bench->probe.bytes); i++)
		bench->probe.bytes[i] = (u8)(i + 1);
	rig_init(&bench->rig);
	region_init_ram(&bench->low, "low", 0x1000, memory);
	region_init_mmio(&bench->device, "device", 0x100, ops, &bench->probe);
	region_init_ram(&bench->high, "high", 0xf00, memory + 0x1000);
	assert_int_equal(region_add(&bench->rig.root, 0, &bench->low, 0), 0);
	assert_int_equal(region_add(&bench->rig.root, 0x1000, &bench->device, 0), 0);
	assert_int_equal(region_add(&bench->rig.root, 0x1100, &bench->high, 0), 0);
}

static u64 load(struct bench *bench, u64 address, unsigned size, enum mem_result expected)
{
	u64 value = 0x5555555555555555ull;

	assert_int_equal(as_load(&bench->rig.as, &bench->cache, address, size, &value), expected);
	return value;
}

static void store(struct bench *bench, u64 address, unsigned size, u64 value, enum mem_result expected)
{
	assert_int_equal(as_store(&bench->rig.as, &bench->cache, address, size, value), expected);
}

static void ram_holds_what_is_stored_at_every_size_and_alignment(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	for (unsigned size = 1; size <= 8; size *= 2) {
		for (u64 address = 0x100; address < 0x110; address++) {
			u64 value = 0x8877665544332211ull * (address | 1);

			store(&b, address, size, value, MEM_OK);
			assert_int_equal(load(&b, address, size, MEM_OK), value & mem_size_mask(size));
			assert_memory_equal(memory + address, &value, size);
		}
	}
	rig_destroy(&b.rig);
}

static void transfers_of_ram_move_bytes_of_any_length(void **state)
{
	struct section_cache cache = { 0 };
	u8 out[0x300], in[0x300];
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 7 + 1);
	for (u64 length = 0; length < 20; length++) {
		for (u64 address = 0x200; address < 0x209; address++) {
			memset(memory, 0, 0x1000);
			assert_int_equal(as_write(&b.rig.as, address, out, length), MEM_OK);
			assert_memory_equal(memory + address, out, length);
			assert_int_equal(memory[address + length], 0);
			memset(in, 0, sizeof(in));
			assert_int_equal(as_read(&b.rig.as, address, in, length), MEM_OK);
			assert_memory_equal(in, out, length);
			assert_int_equal(in[length], 0);
			memset(in, 0, sizeof(in));
			assert_int_equal(as_read_cached(&b.rig.as, &cache, address, in, length), MEM_OK);
			assert_memory_equal(in, out, length);
			assert_int_equal(as_write_cached(&b.rig.as, &cache, address + 0x100, out, length),
					 MEM_OK);
			assert_memory_equal(memory + address + 0x100, out, length);
		}
	}
	memory[0x2ff] = 0x5a;
	assert_int_equal(as_fill(&b.rig.as, 0x300, 0xa5, 0x101), MEM_OK);
	assert_int_equal(memory[0x2ff], 0x5a);
	assert_int_equal(memory[0x300], 0xa5);
	assert_int_equal(memory[0x400], 0xa5);
	assert_int_equal(memory[0x401], 0);
	/* No bytes, in the largest section that there can be. */
	region_resize(&b.low, REGION_SIZE_WHOLE);
	region_remove(&b.device);
	region_remove(&b.high);
	assert_int_equal(as_read(&b.rig.as, 0, in, 0), MEM_OK);
	assert_int_equal(as_write(&b.rig.as, 0, out, 0), MEM_OK);
	assert_int_equal(as_fill(&b.rig.as, 0, 0, 0), MEM_OK);
	assert_int_equal(as_copy(&b.rig.as, 0, &b.rig.as, 0, 0), MEM_OK);
	rig_destroy(&b.rig);
}

static void numbers_in_a_stated_order(void **state)
{
	struct bench b;
	u16 v16;
	u32 v32;
	u64 v64;
	u8 v8;

	(void)state;
	bench_init(&b, &probe_ops);
	assert_int_equal(as_store_le64(&b.rig.as, 0x10, 0x0807060504030201ull), MEM_OK);
	assert_int_equal(memory[0x10], 1);
	assert_int_equal(as_load_be64(&b.rig.as, 0x10, &v64), MEM_OK);
	assert_int_equal(v64, 0x0102030405060708ull);
	assert_int_equal(as_load_be32(&b.rig.as, 0x10, &v32), MEM_OK);
	assert_int_equal(v32, 0x01020304);
	assert_int_equal(as_load_le32(&b.rig.as, 0x10, &v32), MEM_OK);
	assert_int_equal(v32, 0x04030201);
	assert_int_equal(as_load_be16(&b.rig.as, 0x11, &v16), MEM_OK);
	assert_int_equal(v16, 0x0203);
	assert_int_equal(as_load_le16(&b.rig.as, 0x11, &v16), MEM_OK);
	assert_int_equal(v16, 0x0302);
	assert_int_equal(as_load_be8(&b.rig.as, 0x12, &v8), MEM_OK);
	assert_int_equal(v8, 3);
	assert_int_equal(as_load_le8(&b.rig.as, 0x12, &v8), MEM_OK);
	assert_int_equal(v8, 3);
	assert_int_equal(as_load_le64(&b.rig.as, 0x10, &v64), MEM_OK);
	assert_int_equal(v64, 0x0807060504030201ull);
	assert_int_equal(as_store_be64(&b.rig.as, 0x20, 0x0102030405060708ull), MEM_OK);
	assert_int_equal(as_store_be32(&b.rig.as, 0x28, 0x01020304), MEM_OK);
	assert_int_equal(as_store_be16(&b.rig.as, 0x2c, 0x0102), MEM_OK);
	assert_int_equal(as_store_be8(&b.rig.as, 0x2e, 9), MEM_OK);
	assert_memory_equal(memory + 0x20, "\1\2\3\4\5\6\7\10\1\2\3\4\1\2\11", 15);
	assert_int_equal(as_store_le32(&b.rig.as, 0x28, 0x04030201), MEM_OK);
	assert_int_equal(as_store_le16(&b.rig.as, 0x2c, 0x0201), MEM_OK);
	assert_int_equal(as_store_le8(&b.rig.as, 0x2e, 9), MEM_OK);
	assert_memory_equal(memory + 0x28, "\1\2\3\4\1\2\11", 7);
	rig_destroy(&b.rig);
}

/*
 * ---- devices
 * ------------------------------------------------------------------------------------------------
 */

static void well_formed_device_accesses_arrive_as_they_are(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	for (unsigned size = 1; size <= 8; size *= 2) {
		b.probe.calls = 0;
		assert_int_equal(load(&b, 0x1008, size, MEM_OK), 0x100f0e0d0c0b0a09ull & mem_size_mask(size));
		assert_call(&b.probe, 0, false, 8, size);
		store(&b, 0x1010, size, ~0ull, MEM_OK);
		assert_call(&b.probe, 1, true, 0x10, size);
		assert_int_equal(b.probe.call[1].value, mem_size_mask(size));
		assert_int_equal(b.probe.calls, 2);
	}
	rig_destroy(&b.rig);
}

static void accesses_that_a_device_does_not_decode_do_not_reach_it(void **state)
{
	static const struct region_ops words = { .read = probe_read,
						 .write = probe_write,
						 .valid = { .min = 2, .max = 4 } };
	struct bench b;

	(void)state;
	bench_init(&b, &words);
	assert_int_equal(load(&b, 0x1000, 1, MEM_DECODE_ERROR), 0xff);
	assert_int_equal(load(&b, 0x1000, 8, MEM_DECODE_ERROR), ~0ull);
	assert_int_equal(load(&b, 0x1001, 2, MEM_DECODE_ERROR), 0xffff);
	store(&b, 0x1000, 1, 0, MEM_DECODE_ERROR);
	store(&b, 0x1000, 8, 0, MEM_DECODE_ERROR);
	store(&b, 0x1002, 4, 0, MEM_DECODE_ERROR);
	assert_int_equal(b.probe.calls, 0);
	assert_int_equal(load(&b, 0x1002, 2, MEM_OK), 0x0403);
	assert_int_equal(load(&b, 0x1004, 4, MEM_OK), 0x08070605);
	rig_destroy(&b.rig);
}

static void wide_accesses_are_split_to_what_is_implemented(void **state)
{
	static const struct region_ops narrow = { .read = probe_read,
						  .write = probe_write,
						  .impl = { .max = 2 } };
	struct bench b;

	(void)state;
	bench_init(&b, &narrow);
	assert_int_equal(load(&b, 0x1000, 8, MEM_OK), 0x0807060504030201ull);
	for (unsigned i = 0; i < 4; i++)
		assert_call(&b.probe, i, false, 2 * i, 2);
	assert_int_equal(b.probe.calls, 4);
	b.probe.calls = 0;
	store(&b, 0x1010, 4, 0xd4c3b2a1, MEM_OK);
	assert_call(&b.probe, 0, true, 0x10, 2);
	assert_int_equal(b.probe.call[0].value, 0xb2a1);
	assert_call(&b.probe, 1, true, 0x12, 2);
	assert_int_equal(b.probe.call[1].value, 0xd4c3);
	assert_int_equal(b.probe.calls, 2);
	rig_destroy(&b.rig);
}

static void narrow_accesses_are_merged_into_what_is_implemented(void **state)
{
	static const struct region_ops wide = { .read = probe_read,
						.write = probe_write,
						.impl = { .min = 4, .max = 4 } };
	struct bench b;

	(void)state;
	bench_init(&b, &wide);
	assert_int_equal(load(&b, 0x1005, 1, MEM_OK), 6);
	assert_call(&b.probe, 0, false, 4, 4);
	b.probe.calls = 0;
	store(&b, 0x1006, 2, 0xbbaa, MEM_OK);
	assert_call(&b.probe, 0, false, 4, 4);
	assert_call(&b.probe, 1, true, 4, 4);
	assert_int_equal(b.probe.call[1].value, 0xbbaa0605);
	assert_int_equal(b.probe.calls, 2);
	assert_int_equal(load(&b, 0x1000, 8, MEM_OK), 0xbbaa060504030201ull);
	/* What could not be read is not written. */
	b.probe.result = MEM_ERROR;
	b.probe.calls = 0;
	store(&b, 0x1006, 1, 0, MEM_ERROR);
	assert_int_equal(b.probe.calls, 1);
	assert_int_equal(b.probe.bytes[6], 0xaa);
	rig_destroy(&b.rig);
}

static void unaligned_accesses_are_put_together_where_the_device_takes_them(void **state)
{
	static const struct region_ops loose = { .read = probe_read,
						 .write = probe_write,
						 .valid = { .unaligned = true },
						 .impl = { .min = 4, .max = 4 } };
	static const struct region_ops bytes = { .read = probe_read,
						 .write = probe_write,
						 .valid = { .unaligned = true } };
	static const struct region_ops any = { .read = probe_read,
					       .write = probe_write,
					       .valid = { .unaligned = true },
					       .impl = { .min = 2, .max = 4, .unaligned = true } };
	struct bench b;

	(void)state;
	bench_init(&b, &loose);
	assert_int_equal(load(&b, 0x1002, 4, MEM_OK), 0x06050403);
	assert_call(&b.probe, 0, false, 0, 4);
	assert_call(&b.probe, 1, false, 4, 4);
	assert_int_equal(b.probe.calls, 2);
	b.probe.calls = 0;
	store(&b, 0x1003, 2, 0xbbaa, MEM_OK);
	assert_int_equal(b.probe.calls, 4);
	assert_int_equal(load(&b, 0x1000, 8, MEM_OK), 0x080706bbaa030201ull);
	rig_destroy(&b.rig);

	bench_init(&b, &bytes);
	assert_int_equal(load(&b, 0x1002, 4, MEM_OK), 0x06050403);
	assert_call(&b.probe, 0, false, 2, 2);
	assert_call(&b.probe, 1, false, 4, 2);
	b.probe.calls = 0;
	assert_int_equal(load(&b, 0x1001, 8, MEM_OK), 0x0908070605040302ull);
	assert_int_equal(b.probe.calls, 8);
	rig_destroy(&b.rig);

	bench_init(&b, &any);
	assert_int_equal(load(&b, 0x1003, 4, MEM_OK), 0x07060504);
	assert_call(&b.probe, 0, false, 3, 4);
	assert_int_equal(b.probe.calls, 1);
	b.probe.calls = 0;
	assert_int_equal(load(&b, 0x1003, 1, MEM_OK), 4);
	assert_call(&b.probe, 0, false, 2, 2);
	b.probe.calls = 0;
	assert_int_equal(load(&b, 0x1005, 8, MEM_OK), 0x0d0c0b0a09080706ull);
	assert_call(&b.probe, 0, false, 5, 4);
	assert_call(&b.probe, 1, false, 9, 4);
	rig_destroy(&b.rig);
}

static void big_endian_devices_see_their_numbers(void **state)
{
	static const struct region_ops big = { .read = probe_read,
					       .write = probe_write,
					       .endian = MEM_BIG_ENDIAN };
	static const struct region_ops big_narrow = {
		.read = probe_read, .write = probe_write, .impl = { .max = 2 }, .endian = MEM_BIG_ENDIAN
	};
	static const struct region_ops big_wide = {
		.read = probe_read, .write = probe_write, .impl = { .min = 4 }, .endian = MEM_BIG_ENDIAN
	};
	struct bench b;
	u32 value;

	(void)state;
	/* The probe's number at 0 is 0x04030201: in memory order of a big-endian device 04 03 02 01. */
	bench_init(&b, &big);
	assert_int_equal(load(&b, 0x1000, 4, MEM_OK), 0x01020304);
	assert_int_equal(as_load_be32(&b.rig.as, 0x1000, &value), MEM_OK);
	assert_int_equal(value, 0x04030201);
	b.probe.calls = 0;
	store(&b, 0x1000, 2, 0x1122, MEM_OK);
	assert_int_equal(b.probe.call[0].value, 0x2211);
	assert_int_equal(as_store_be32(&b.rig.as, 0x1000, 0x11223344), MEM_OK);
	assert_int_equal(b.probe.call[1].value, 0x11223344);
	rig_destroy(&b.rig);

	/* In pieces: the first one is the most significant. */
	bench_init(&b, &big_narrow);
	assert_int_equal(as_load_be32(&b.rig.as, 0x1000, &value), MEM_OK);
	assert_int_equal(value, 0x02010403);
	b.probe.calls = 0;
	assert_int_equal(as_store_be32(&b.rig.as, 0x1000, 0x11223344), MEM_OK);
	assert_int_equal(b.probe.call[0].value, 0x1122);
	assert_int_equal(b.probe.call[1].value, 0x3344);
	rig_destroy(&b.rig);

	/* A byte of a wider register: offset 0 holds the most significant one. */
	bench_init(&b, &big_wide);
	assert_int_equal(load(&b, 0x1000, 1, MEM_OK), 0x04);
	assert_int_equal(load(&b, 0x1003, 1, MEM_OK), 0x01);
	store(&b, 0x1000, 1, 0xaa, MEM_OK);
	assert_int_equal(b.probe.bytes[3], 0xaa);
	rig_destroy(&b.rig);
}

static void no_call_passes_the_end_of_the_region(void **state)
{
	static const struct region_ops wide = { .read = probe_read,
						.write = probe_write,
						.impl = { .min = 8 } };
	struct region odd;
	struct bench b;

	(void)state;
	bench_init(&b, &wide);
	region_init_mmio(&odd, "odd", 0x14, &wide, &b.probe);
	assert_int_equal(region_add(&b.rig.root, 0x8000, &odd, 0), 0);
	/* Offset 0x10 would need 8 bytes, 4 are there. */
	assert_int_equal(load(&b, 0x8010, 4, MEM_DECODE_ERROR), 0xffffffff);
	store(&b, 0x8010, 4, 0, MEM_DECODE_ERROR);
	assert_int_equal(b.probe.calls, 0);
	assert_int_equal(load(&b, 0x8008, 4, MEM_OK), 0x0c0b0a09);
	region_remove(&odd);
	/* At the very end of the space. */
	region_init_mmio(&odd, "last", 8, &wide, &b.probe);
	assert_int_equal(region_add(&b.rig.root, ~7ull, &odd, 0), 0);
	assert_int_equal(load(&b, ~0ull, 1, MEM_OK), 8);
	rig_destroy(&b.rig);
}

static void missing_functions_and_refusals_are_told(void **state)
{
	static const struct region_ops reads = { .read = probe_read, .impl = { .min = 2 } };
	static const struct region_ops writes = { .write = probe_write, .impl = { .min = 2 } };
	struct bench b;

	(void)state;
	bench_init(&b, &reads);
	store(&b, 0x1000, 2, 0, MEM_ACCESS_ERROR);
	assert_int_equal(load(&b, 0x1000, 2, MEM_OK), 0x0201);
	b.probe.result = MEM_ERROR;
	assert_int_equal(load(&b, 0x1000, 2, MEM_ERROR), 0xffff);
	assert_int_equal(load(&b, 0x1000, 1, MEM_ERROR), 0xff);
	rig_destroy(&b.rig);
	bench_init(&b, &writes);
	assert_int_equal(load(&b, 0x1000, 2, MEM_ACCESS_ERROR), 0xffff);
	store(&b, 0x1000, 2, 0x1234, MEM_OK);
	/* Half a register cannot be written where it cannot be read. */
	store(&b, 0x1000, 1, 0, MEM_ACCESS_ERROR);
	assert_int_equal(b.probe.calls, 1);
	b.probe.result = MEM_ERROR;
	store(&b, 0x1000, 2, 0x1234, MEM_ERROR);
	rig_destroy(&b.rig);
}

static void an_access_over_an_edge_is_split_there(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	memory[0xffe] = 0xe1;
	memory[0xfff] = 0xe2;
	memory[0x1000] = 0xf1;
	assert_int_equal(load(&b, 0xffe, 4, MEM_OK), 0x0201e2e1);
	assert_call(&b.probe, 0, false, 0, 2);
	assert_int_equal(b.probe.calls, 1);
	b.probe.calls = 0;
	store(&b, 0xfff, 8, 0x8877665544332211ull, MEM_OK);
	assert_int_equal(memory[0xfff], 0x11);
	/* Seven bytes at 0: 4, 2, 1. */
	assert_call(&b.probe, 0, true, 0, 4);
	assert_call(&b.probe, 1, true, 4, 2);
	assert_call(&b.probe, 2, true, 6, 1);
	assert_int_equal(b.probe.calls, 3);
	b.probe.calls = 0;
	/* From the device into RAM behind it. */
	assert_int_equal(load(&b, 0x10ff, 2, MEM_OK), 0xf100);
	assert_call(&b.probe, 0, false, 0xff, 1);
	rig_destroy(&b.rig);
}

static void transfers_use_the_largest_accesses_that_the_device_decodes(void **state)
{
	static const struct region_ops words = { .read = probe_read,
						 .write = probe_write,
						 .valid = { .min = 2, .max = 4 } };
	static const struct region_ops loose = { .read = probe_read,
						 .write = probe_write,
						 .valid = { .unaligned = true } };
	u8 bytes[32];
	struct bench b;
	u64 done;

	(void)state;
	bench_init(&b, &words);
	assert_int_equal(as_read(&b.rig.as, 0x1002, bytes, 12), MEM_OK);
	assert_memory_equal(bytes, "\3\4\5\6\7\10\11\12\13\14\15\16", 12);
	assert_call(&b.probe, 0, false, 2, 2);
	assert_call(&b.probe, 1, false, 4, 4);
	assert_call(&b.probe, 2, false, 8, 4);
	assert_call(&b.probe, 3, false, 12, 2);
	assert_int_equal(b.probe.calls, 4);
	/* Bytes that no access reaches: one at the start, one at the end. */
	b.probe.calls = 0;
	assert_int_equal(as_read_done(&b.rig.as, 0x1001, bytes, 4, &done), MEM_DECODE_ERROR);
	assert_memory_equal(bytes, "\377\3\4\377", 4);
	assert_int_equal(done, 0);
	assert_int_equal(b.probe.calls, 1);
	assert_int_equal(as_read_done(&b.rig.as, 0x1000, bytes, 3, &done), MEM_DECODE_ERROR);
	assert_memory_equal(bytes, "\1\2\377", 3);
	assert_int_equal(done, 2);
	assert_int_equal(as_write_done(&b.rig.as, 0x1001, "\41\42\43", 3, &done), MEM_DECODE_ERROR);
	assert_int_equal(b.probe.bytes[1], 2);
	assert_int_equal(b.probe.bytes[2], 0x22);
	assert_int_equal(done, 0);
	rig_destroy(&b.rig);

	bench_init(&b, &loose);
	assert_int_equal(as_read(&b.rig.as, 0x1001, bytes, 8), MEM_OK);
	assert_memory_equal(bytes, "\2\3\4\5\6\7\10\11", 8);
	rig_destroy(&b.rig);
}

static void fills_reach_devices_as_writes_would(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	assert_int_equal(as_fill(&b.rig.as, 0xff8, 0x77, 0x100), MEM_OK);
	assert_int_equal(memory[0xff8], 0x77);
	assert_int_equal(b.probe.bytes[0], 0x77);
	assert_int_equal(b.probe.bytes[0xf7], 0x77);
	assert_int_equal(b.probe.bytes[0xf8], 0xf9);
	assert_int_equal(b.probe.calls, 0xf8 / 8);
	b.probe.result = MEM_ERROR;
	assert_int_equal(as_fill(&b.rig.as, 0x1000, 0, 0x100), MEM_ERROR);
	rig_destroy(&b.rig);
}

static void copies_cross_spaces_and_devices(void **state)
{
	struct region other_ram;
	struct address_space other;
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	region_init_ram(&other_ram, "other", 0x1000, memory + 0x2000);
	assert_int_equal(as_init(&other, &b.rig.core, "other", &other_ram, UNCLAIMED_ONES), 0);
	for (unsigned i = 0; i < 0x800; i++)
		memory[i] = (u8)(i ^ i >> 8);
	assert_int_equal(as_copy(&other, 0x123, &b.rig.as, 1, 0x700), MEM_OK);
	assert_memory_equal(memory + 0x2123, memory + 1, 0x700);
	assert_int_equal(memory[0x2122], 0);
	assert_int_equal(memory[0x2823], 0);
	assert_int_equal(as_copy(&b.rig.as, 0x1000, &other, 0x123, 8), MEM_OK);
	assert_memory_equal(b.probe.bytes, memory + 1, 8);
	/* What is not there reads as ones, and is told. */
	assert_int_equal(as_copy(&other, 0, &b.rig.as, 0x1ffe, 4), MEM_DECODE_ERROR);
	assert_memory_equal(memory + 0x2000, "\0\0\377\377", 4);
	assert_int_equal(as_copy(&other, 0xffe, &b.rig.as, 0, 4), MEM_DECODE_ERROR);
	assert_int_equal(as_copy(&other, 0, &b.rig.as, ~0ull, 2), MEM_DECODE_ERROR);
	as_destroy(&other);
	rig_destroy(&b.rig);
}

/*
 * ---- what is not RAM and not a device
 * -----------------------------------------------------------------------
 */

static void holes_read_by_policy_and_drop_writes(void **state)
{
	static const struct {
		enum unclaimed policy;
		u8 byte;
	} policies[] = { { UNCLAIMED_ONES, 0xff },
			 { UNCLAIMED_ZEROS, 0 },
			 { UNCLAIMED_FAULT, 0xff },
			 { UNCLAIMED_STOP, 0xff } };
	struct address_space as;
	struct region root, ram;
	struct section_cache cache;
	struct rig rig;
	u8 bytes[8];
	u64 value, done;

	(void)state;
	rig_init(&rig);
	region_init_container(&root, "root", REGION_SIZE_WHOLE);
	region_init_ram(&ram, "ram", 0x1000, memory);
	region_add(&root, 0, &ram, 0);
	memset(memory, 0x11, sizeof(memory));
	for (unsigned i = 0; i < ARRAY_SIZE(policies); i++) {
		memset(&cache, 0, sizeof(cache));
		assert_int_equal(as_init(&as, &rig.core, "space", &root, policies[i].policy), 0);
		assert_int_equal(at(&as, 0x1000)->unclaimed, policies[i].policy);
		memset(bytes, 0x33, sizeof(bytes));
		assert_int_equal(as_read_done(&as, 0xffc, bytes, 8, &done), MEM_DECODE_ERROR);
		assert_int_equal(done, 4);
		for (unsigned n = 0; n < 8; n++)
			assert_int_equal(bytes[n], n < 4 ? 0x11 : policies[i].byte);
		assert_int_equal(as_load(&as, &cache, 0x1001, 4, &value), MEM_DECODE_ERROR);
		assert_int_equal(value, policies[i].byte * 0x01010101u);
		assert_int_equal(as_store(&as, &cache, 0x1001, 4, 0), MEM_DECODE_ERROR);
		assert_int_equal(as_write_done(&as, 0xffe, bytes, 4, &done), MEM_DECODE_ERROR);
		assert_int_equal(done, 2);
		as_destroy(&as);
	}
	rig_destroy(&rig);
}

static void the_end_of_the_space_is_an_end(void **state)
{
	struct region last;
	u8 bytes[16];
	struct bench b;
	u64 done;

	(void)state;
	bench_init(&b, &probe_ops);
	memset(memory, 0x42, sizeof(memory));
	region_init_ram(&last, "last", 0x1000, memory + 0x2000);
	assert_int_equal(region_add(&b.rig.root, ~0xfffull, &last, 0), 0);
	assert_int_equal(load(&b, ~7ull, 8, MEM_OK), 0x4242424242424242ull);
	/* Not into RAM at 0. */
	assert_int_equal(as_read_done(&b.rig.as, ~3ull, bytes, 8, &done), MEM_DECODE_ERROR);
	assert_memory_equal(bytes, "\x42\x42\x42\x42\377\377\377\377", 8);
	assert_int_equal(done, 4);
	assert_int_equal(as_write_done(&b.rig.as, ~3ull, "abcdefgh", 8, &done), MEM_DECODE_ERROR);
	assert_int_equal(memory[0x2fff], 'd');
	assert_int_equal(memory[0], 0x42);
	assert_int_equal(load(&b, ~0ull, 2, MEM_DECODE_ERROR), 0xff64);
	assert_int_equal(as_fill(&b.rig.as, ~0ull, 1, 2), MEM_DECODE_ERROR);
	assert_int_equal(memory[0x2fff], 1);
	rig_destroy(&b.rig);
}

static void rom_and_read_only_refuse_writes_with_an_access_error(void **state)
{
	struct region rom, reserved;
	struct bench b;
	u8 bytes[4];

	(void)state;
	bench_init(&b, &probe_ops);
	region_init_rom(&rom, "rom", 0x1000, memory + 0x2000);
	region_init_reserved(&reserved, "reserved", 0x1000);
	region_add(&b.rig.root, 0x8000, &rom, 0);
	region_add(&b.rig.root, 0x9000, &reserved, 0);
	memory[0x2000] = 7;
	assert_int_equal(load(&b, 0x8000, 1, MEM_OK), 7);
	store(&b, 0x8000, 1, 8, MEM_ACCESS_ERROR);
	assert_int_equal(as_write(&b.rig.as, 0x8000, "x", 1), MEM_ACCESS_ERROR);
	assert_int_equal(memory[0x2000], 7);
	region_set_readonly(&b.low, true);
	region_set_readonly(&b.device, true);
	store(&b, 0, 4, 8, MEM_ACCESS_ERROR);
	store(&b, 0x1000, 4, 8, MEM_ACCESS_ERROR);
	assert_int_equal(load(&b, 0x1000, 1, MEM_OK), 1);
	assert_int_equal(b.probe.calls, 1);
	assert_int_equal(load(&b, 0x9000, 4, MEM_DECODE_ERROR), 0xffffffff);
	store(&b, 0x9000, 4, 0, MEM_DECODE_ERROR);
	/* ROM, then reserved: both are told. */
	assert_int_equal(as_write(&b.rig.as, 0x8ffe, bytes, 4), MEM_ACCESS_ERROR | MEM_DECODE_ERROR);
	rig_destroy(&b.rig);
}

static void rom_devices_read_memory_or_ops_and_always_write_ops(void **state)
{
	struct region flash;
	struct bench b;
	u8 byte = 0;

	(void)state;
	bench_init(&b, &probe_ops);
	region_init_rom_device(&flash, "flash", 0x1000, memory + 0x2000, &probe_ops, &b.probe);
	region_add(&b.rig.root, 0x8000, &flash, 0);
	memory[0x2004] = 0x99;
	assert_int_equal(load(&b, 0x8004, 1, MEM_OK), 0x99);
	assert_int_equal(b.probe.calls, 0);
	store(&b, 0x8004, 1, 0x90, MEM_OK);
	assert_call(&b.probe, 0, true, 4, 1);
	assert_int_equal(memory[0x2004], 0x99);
	region_set_direct(&flash, false);
	assert_int_equal(load(&b, 0x8004, 1, MEM_OK), 0x90);
	assert_int_equal(as_read(&b.rig.as, 0x8004, &byte, 1), MEM_OK);
	assert_int_equal(byte, 0x90);
	region_set_readonly(&flash, true);
	store(&b, 0x8004, 1, 0, MEM_ACCESS_ERROR);
	rig_destroy(&b.rig);
}

static void a_space_for_ram_only_never_calls_a_device(void **state)
{
	struct region flash;
	struct bench b;
	u8 byte;

	(void)state;
	bench_init(&b, &probe_ops);
	region_init_rom_device(&flash, "flash", 0x1000, memory + 0x2000, &probe_ops, &b.probe);
	region_add(&b.rig.root, 0x8000, &flash, 0);
	as_set_ram_only(&b.rig.as, true);
	store(&b, 0x10, 4, 0x1234, MEM_OK);
	assert_int_equal(load(&b, 0x1000, 4, MEM_ACCESS_ERROR), 0xffffffff);
	store(&b, 0x1000, 4, 0, MEM_ACCESS_ERROR);
	assert_int_equal(as_read(&b.rig.as, 0x1000, &byte, 1), MEM_ACCESS_ERROR);
	assert_int_equal(as_fill(&b.rig.as, 0x1000, 0, 8), MEM_ACCESS_ERROR);
	assert_int_equal(load(&b, 0x8000, 1, MEM_OK), 0);
	store(&b, 0x8000, 1, 0, MEM_ACCESS_ERROR);
	region_set_direct(&flash, false);
	assert_int_equal(load(&b, 0x8000, 1, MEM_ACCESS_ERROR), 0xff);
	assert_int_equal(b.probe.calls, 0);
	rig_destroy(&b.rig);
}

/* A device that moves itself when it is written: the access under way ends on the view that it began with. */
static struct region *mover;
static enum mem_result move_away(void *device, u64 offset, unsigned size, u64 value)
{
	(void)device;
	(void)offset;
	(void)size;
	region_set_offset(mover, value & ~0xfffull);
	return MEM_OK;
}

static void a_device_may_change_the_map_from_its_own_handler(void **state)
{
	static const struct region_ops ops = { .write = move_away, .impl = { .max = 4 } };
	struct bench b;

	(void)state;
	bench_init(&b, &ops);
	mover = &b.device;
	assert_int_equal(as_write(&b.rig.as, 0x1000, "\0\0\x20\0\0\0\x30\0", 8), MEM_OK);
	assert_int_equal(b.device.offset, 0x300000);
	assert_int_equal(at(&b.rig.as, 0x1000)->kind, SECTION_UNCLAIMED);
	store(&b, 0x300000, 4, 0x1000, MEM_OK);
	assert_int_equal(at(&b.rig.as, 0x1000)->kind, SECTION_MMIO);
	mem_quiescent(&b.rig.core);
	rig_destroy(&b.rig);
}

/*
 * ---- doorbells
 * ----------------------------------------------------------------------------------------------
 */

struct rung {
	unsigned count;
	u64 value;
};

static void ring(void *device, u64 value)
{
	struct rung *rung = device;

	rung->count++;
	rung->value = value;
}

static void doorbells_answer_before_the_ops(void **state)
{
	struct rung any = { 0 }, exact = { 0 };
	struct doorbell wide = { .offset = 0x10, .ring = ring, .device = &any };
	struct doorbell one = {
		.offset = 0x20, .size = 2, .match_data = true, .data = 5, .ring = ring, .device = &exact
	};
	struct doorbell two = {
		.offset = 0x20, .size = 2, .match_data = true, .data = 6, .ring = ring, .device = &exact
	};
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	store(&b, 0x1010, 4, 1, MEM_OK);
	assert_int_equal(b.probe.calls, 1);
	assert_int_equal(doorbell_add(&b.device, &wide), 0);
	assert_int_equal(doorbell_add(&b.device, &one), 0);
	assert_int_equal(doorbell_add(&b.device, &two), 0);
	for (unsigned size = 1; size <= 8; size *= 2)
		store(&b, 0x1010, size, 0x0102030405060708ull, MEM_OK);
	assert_int_equal(any.count, 4);
	assert_int_equal(any.value, 0x0102030405060708ull);
	store(&b, 0x1020, 2, 5, MEM_OK);
	store(&b, 0x1020, 2, 6, MEM_OK);
	assert_int_equal(exact.count, 2);
	assert_int_equal(exact.value, 6);
	assert_int_equal(b.probe.calls, 1);
	/* Another value, another size, another register, a read: the ops. */
	store(&b, 0x1020, 2, 7, MEM_OK);
	store(&b, 0x1020, 4, 5, MEM_OK);
	store(&b, 0x1012, 2, 5, MEM_OK);
	load(&b, 0x1010, 4, MEM_OK);
	assert_int_equal(b.probe.calls, 5);
	assert_int_equal(as_write(&b.rig.as, 0x1020, "\5\0", 2), MEM_OK);
	assert_int_equal(exact.count, 3);
	doorbell_remove(&b.device, &one);
	doorbell_remove(&b.device, &one);
	store(&b, 0x1020, 2, 5, MEM_OK);
	assert_int_equal(exact.count, 3);
	doorbell_remove(&b.device, &wide);
	doorbell_remove(&b.device, &two);
	assert_int_equal(at(&b.rig.as, 0x1000)->write_sizes, 15);
	rig_destroy(&b.rig);
}

static void doorbells_ring_whatever_the_device_decodes(void **state)
{
	static const struct region_ops words = { .read = probe_read,
						 .write = probe_write,
						 .valid = { .min = 4, .max = 4 } };
	struct rung rung = { 0 };
	struct doorbell odd = { .offset = 0x11, .size = 2, .ring = ring, .device = &rung }, even = odd;
	struct bench b;

	(void)state;
	even.offset = 0x20;
	bench_init(&b, &words);
	assert_int_equal(doorbell_add(&b.device, &odd), 0);
	assert_int_equal(doorbell_add(&b.device, &even), 0);
	store(&b, 0x1011, 2, 6, MEM_OK);
	store(&b, 0x1020, 2, 7, MEM_OK);
	assert_int_equal(rung.count, 2);
	assert_int_equal(rung.value, 7);
	store(&b, 0x1022, 2, 6, MEM_DECODE_ERROR);
	assert_int_equal(b.probe.calls, 0);
	rig_destroy(&b.rig);
}

static void doorbells_that_could_not_be_told_apart_are_refused(void **state)
{
	struct rung rung = { 0 };
	struct doorbell a = {
		.offset = 0x10, .size = 4, .match_data = true, .data = 1, .ring = ring, .device = &rung
	};
	struct doorbell same = a, every_value = a, every_size = a, outside = a, no_ring = a, other_value = a,
			last = a;
	struct bench b;

	(void)state;
	every_value.match_data = false;
	every_size.size = 0;
	outside.offset = 0xfd;
	last.offset = 0xfc;
	no_ring.ring = NULL;
	other_value.data = 2;
	bench_init(&b, &probe_ops);
	assert_int_equal(doorbell_add(&b.low, &a), -EINVAL);
	assert_int_equal(doorbell_add(&b.device, &outside), -EINVAL);
	outside.offset = 0x100;
	outside.size = 0;
	assert_int_equal(doorbell_add(&b.device, &outside), -EINVAL);
	assert_int_equal(doorbell_add(&b.device, &no_ring), -EINVAL);
	assert_int_equal(doorbell_add(&b.device, &last), 0);
	assert_int_equal(doorbell_add(&b.device, &a), 0);
	assert_int_equal(doorbell_add(&b.device, &same), -EEXIST);
	assert_int_equal(doorbell_add(&b.device, &every_value), -EEXIST);
	assert_int_equal(doorbell_add(&b.device, &every_size), -EEXIST);
	assert_int_equal(doorbell_add(&b.device, &other_value), 0);
	rig_destroy(&b.rig);
}

/*
 * ---- coalesced writes
 * ---------------------------------------------------------------------------------------
 */

static void coalesced_writes_arrive_in_order_before_anything_else(void **state)
{
	struct coalesced kept;
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	assert_int_equal(coalesced_attach(&b.device, &kept), 0);
	assert_int_equal(coalesced_add_range(&b.device, 0x40, 0x10), 0);
	store(&b, 0x1040, 4, 1, MEM_OK);
	store(&b, 0x104c, 4, 2, MEM_OK);
	assert_int_equal(b.probe.calls, 0);
	/* A read flushes. */
	assert_int_equal(load(&b, 0x1040, 4, MEM_OK), 1);
	assert_call(&b.probe, 0, true, 0x40, 4);
	assert_call(&b.probe, 1, true, 0x4c, 4);
	assert_call(&b.probe, 2, false, 0x40, 4);
	/* So does a write outside of the range, or half in it. */
	b.probe.calls = 0;
	store(&b, 0x1040, 1, 3, MEM_OK);
	store(&b, 0x1050, 1, 4, MEM_OK);
	assert_call(&b.probe, 0, true, 0x40, 1);
	assert_call(&b.probe, 1, true, 0x50, 1);
	b.probe.calls = 0;
	store(&b, 0x103c, 4, 3, MEM_OK);
	store(&b, 0x1048, 8, 3, MEM_OK);
	assert_int_equal(b.probe.calls, 1);
	assert_int_equal(coalesced_flush(&b.device), MEM_OK);
	assert_int_equal(b.probe.calls, 2);
	assert_int_equal(kept.kept, 4);
	assert_int_equal(kept.flushes, 3);
	assert_int_equal(coalesced_flush(&b.device), MEM_OK);
	assert_int_equal(kept.flushes, 3);
	rig_destroy(&b.rig);
}

static void the_coalescing_ring_is_bounded(void **state)
{
	static const struct region_ops big = { .read = probe_read,
					       .write = probe_write,
					       .endian = MEM_BIG_ENDIAN };
	static const struct region_ops reads = { .read = probe_read };
	struct coalesced kept;
	struct region other;
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	assert_int_equal(coalesced_flush(&b.device), MEM_OK);
	assert_int_equal(coalesced_add_range(&b.device, 0, 1), -EINVAL);
	assert_int_equal(coalesced_attach(&b.low, &kept), -EINVAL);
	region_init_mmio(&other, "big endian", 0x100, &big, &b.probe);
	assert_int_equal(coalesced_attach(&other, &kept), -EINVAL);
	region_init_mmio(&other, "read-only", 0x100, &reads, &b.probe);
	assert_int_equal(coalesced_attach(&other, &kept), -EINVAL);
	assert_int_equal(coalesced_attach(&b.device, &kept), 0);
	assert_int_equal(coalesced_add_range(&b.device, 0, 0), -EINVAL);
	assert_int_equal(coalesced_add_range(&b.device, 0xff, 2), -EINVAL);
	assert_int_equal(coalesced_add_range(&b.device, 0x100, 1), -EINVAL);
	for (unsigned i = 0; i < COALESCED_RANGES; i++)
		assert_int_equal(coalesced_add_range(&b.device, 16 * i, 16), 0);
	assert_int_equal(coalesced_add_range(&b.device, 0xf0, 16), -ENOSPC);
	for (unsigned i = 0; i < COALESCED_ENTRIES; i++)
		store(&b, 0x1030, 4, i, MEM_OK);
	assert_int_equal(b.probe.calls, 0);
	store(&b, 0x1030, 4, 99, MEM_OK);
	assert_int_equal(b.probe.calls, COALESCED_ENTRIES);
	assert_int_equal(kept.count, 1);
	/* What the device refuses then is told to who flushes .. */
	b.probe.result = MEM_ERROR;
	assert_int_equal(coalesced_flush(&b.device), MEM_ERROR);
	store(&b, 0x1030, 4, 98, MEM_OK);
	b.probe.result = MEM_OK;
	b.probe.calls = 0;
	/* Taken off: nothing is lost. */
	assert_int_equal(coalesced_attach(&b.device, NULL), 0);
	assert_call(&b.probe, 0, true, 0x30, 4);
	assert_int_equal(b.probe.call[0].value, 98);
	store(&b, 0x1030, 4, 97, MEM_OK);
	assert_int_equal(b.probe.calls, 2);
	rig_destroy(&b.rig);
}

static enum mem_result refuse(void *device, u64 offset, unsigned size, u64 value)
{
	(void)probe_write(device, offset, size, value);
	return MEM_ERROR;
}

/* .. and to nobody else: an access that has it handed over has a result of its own. */
static void what_a_kept_write_came_to_is_not_told_to_another_access(void **state)
{
	static const struct region_ops ops = { .read = probe_read, .write = refuse };
	struct coalesced kept;
	struct bench b;

	(void)state;
	bench_init(&b, &ops);
	assert_int_equal(coalesced_attach(&b.device, &kept), 0);
	assert_int_equal(coalesced_add_range(&b.device, 0, 0x100), 0);
	store(&b, 0x1000, 4, 1, MEM_OK);
	assert_int_equal(load(&b, 0x1010, 4, MEM_OK), 0x14131211);
	assert_int_equal(b.probe.calls, 2);
	store(&b, 0x1000, 4, 1, MEM_OK);
	assert_int_equal(coalesced_flush(&b.device), MEM_ERROR);
	rig_destroy(&b.rig);
}

static void only_what_the_ops_take_as_it_is_is_kept(void **state)
{
	static const struct region_ops words = { .read = probe_read,
						 .write = probe_write,
						 .valid = { .min = 2, .max = 8, .unaligned = true },
						 .impl = { .min = 4, .max = 4 } };
	struct coalesced kept;
	struct bench b;

	(void)state;
	bench_init(&b, &words);
	assert_int_equal(coalesced_attach(&b.device, &kept), 0);
	assert_int_equal(coalesced_add_range(&b.device, 0, 0x100), 0);
	store(&b, 0x1000, 4, 1, MEM_OK);
	assert_int_equal(b.probe.calls, 0);
	/* Not decoded: no access at all. */
	store(&b, 0x1000, 1, 1, MEM_DECODE_ERROR);
	assert_int_equal(b.probe.calls, 0);
	/* Merged, divided, unaligned: at once, after what was kept. */
	store(&b, 0x1010, 2, 1, MEM_OK);
	assert_call(&b.probe, 0, true, 0, 4);
	assert_call(&b.probe, 1, false, 0x10, 4);
	assert_call(&b.probe, 2, true, 0x10, 4);
	store(&b, 0x1020, 8, 1, MEM_OK);
	assert_call(&b.probe, 3, true, 0x20, 4);
	assert_call(&b.probe, 4, true, 0x24, 4);
	b.probe.calls = 0;
	store(&b, 0x1032, 4, 1, MEM_OK);
	assert_int_equal(b.probe.calls, 4);
	assert_int_equal(kept.kept, 1);
	rig_destroy(&b.rig);
}

static void a_region_hands_over_what_it_keeps_before_it_is_resized(void **state)
{
	struct coalesced kept;
	struct bench b;

	(void)state;
	bench_init(&b, &probe_ops);
	assert_int_equal(coalesced_attach(&b.device, &kept), 0);
	assert_int_equal(coalesced_add_range(&b.device, 0, 0x100), 0);
	store(&b, 0x10fc, 4, 1, MEM_OK);
	assert_int_equal(region_resize(&b.device, 0x80), 0);
	assert_call(&b.probe, 0, true, 0xfc, 4);
	assert_int_equal(kept.count, 0);
	rig_destroy(&b.rig);
}

/* A device that writes to itself while its kept writes are handed over. */
static struct bench *echo_bench;
static enum mem_result echo(void *device, u64 offset, unsigned size, u64 value)
{
	enum mem_result result = probe_write(device, offset, size, value);

	if (offset != 0x44)
		as_store_le32(&echo_bench->rig.as, 0x1044, (u32)value);
	return result;
}

static void writes_from_within_a_flush_go_straight_on(void **state)
{
	static const struct region_ops ops = { .read = probe_read, .write = echo };
	struct coalesced kept;
	struct bench b;

	(void)state;
	echo_bench = &b;
	bench_init(&b, &ops);
	coalesced_attach(&b.device, &kept);
	coalesced_add_range(&b.device, 0x40, 0x10);
	store(&b, 0x1040, 4, 1, MEM_OK);
	store(&b, 0x1048, 4, 2, MEM_OK);
	assert_int_equal(coalesced_flush(&b.device), MEM_OK);
	assert_call(&b.probe, 0, true, 0x40, 4);
	assert_call(&b.probe, 1, true, 0x44, 4);
	assert_call(&b.probe, 2, true, 0x48, 4);
	assert_call(&b.probe, 3, true, 0x44, 4);
	assert_int_equal(kept.count, 0);
	rig_destroy(&b.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ram_holds_what_is_stored_at_every_size_and_alignment),
		cmocka_unit_test(transfers_of_ram_move_bytes_of_any_length),
		cmocka_unit_test(numbers_in_a_stated_order),
		cmocka_unit_test(well_formed_device_accesses_arrive_as_they_are),
		cmocka_unit_test(accesses_that_a_device_does_not_decode_do_not_reach_it),
		cmocka_unit_test(wide_accesses_are_split_to_what_is_implemented),
		cmocka_unit_test(narrow_accesses_are_merged_into_what_is_implemented),
		cmocka_unit_test(unaligned_accesses_are_put_together_where_the_device_takes_them),
		cmocka_unit_test(big_endian_devices_see_their_numbers),
		cmocka_unit_test(no_call_passes_the_end_of_the_region),
		cmocka_unit_test(missing_functions_and_refusals_are_told),
		cmocka_unit_test(an_access_over_an_edge_is_split_there),
		cmocka_unit_test(transfers_use_the_largest_accesses_that_the_device_decodes),
		cmocka_unit_test(fills_reach_devices_as_writes_would),
		cmocka_unit_test(copies_cross_spaces_and_devices),
		cmocka_unit_test(holes_read_by_policy_and_drop_writes),
		cmocka_unit_test(the_end_of_the_space_is_an_end),
		cmocka_unit_test(rom_and_read_only_refuse_writes_with_an_access_error),
		cmocka_unit_test(rom_devices_read_memory_or_ops_and_always_write_ops),
		cmocka_unit_test(a_space_for_ram_only_never_calls_a_device),
		cmocka_unit_test(a_device_may_change_the_map_from_its_own_handler),
		cmocka_unit_test(doorbells_answer_before_the_ops),
		cmocka_unit_test(doorbells_ring_whatever_the_device_decodes),
		cmocka_unit_test(doorbells_that_could_not_be_told_apart_are_refused),
		cmocka_unit_test(coalesced_writes_arrive_in_order_before_anything_else),
		cmocka_unit_test(the_coalescing_ring_is_bounded),
		cmocka_unit_test(what_a_kept_write_came_to_is_not_told_to_another_access),
		cmocka_unit_test(only_what_the_ops_take_as_it_is_is_kept),
		cmocka_unit_test(a_region_hands_over_what_it_keeps_before_it_is_resized),
		cmocka_unit_test(writes_from_within_a_flush_go_straight_on),
	};

	return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
