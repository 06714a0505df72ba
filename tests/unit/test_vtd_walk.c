// SPDX-License-Identifier: BSD-2-Clause
/* The VT-d unit's tables: what they translate, and each way in which they refuse. */
#include "tests/unit/vtd_rig.h"

static void without_translation_all_passes_as_one_block(void **state)
{
	struct vtd_rig v;
	struct iommu_entry entry;

	(void)state;
	vtd_rig_init(&v);
	entry = ask(&v.gate, 0x123456789abc, MEM_WRITE);
	assert_int_equal(entry.mask, ~0ull);
	assert_int_equal(entry.perm, MEM_READ_WRITE);
	assert_int_equal(leads_to(&v.gate, 0x123456789abc, MEM_READ), 0x123456789abc);
	assert_int_equal(as_write(&v.dma, DATA - 0x800, "abcd", 4), MEM_OK);
	assert_memory_equal(v.memory + DATA - 0x800, "abcd", 4);
	vtd_rig_destroy(&v);
}

static void a_page_of_four_levels_leads_where_its_entries_say(void **state)
{
	static u8 out[0x3000], in[0x3000];
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 7 + (i >> 8));
	map_page(&v, 0x5000, DATA | 0x3003);
	map_page(&v, 0x6000, DATA | 0x1003);
	map_page(&v, 0x7000, DATA | 0x7003);
	map_page(&v, 0x8000, DATA | 0x0003);
	assert_int_equal(as_write(&v.dma, 0x5123, out, sizeof(out)), MEM_OK);
	assert_memory_equal(v.memory + DATA + 0x3123, out, 0xedd);
	assert_memory_equal(v.memory + DATA + 0x1000, out + 0xedd, 0x1000);
	assert_memory_equal(v.memory + DATA + 0x7000, out + 0x1edd, 0x1000);
	assert_memory_equal(v.memory + DATA, out + 0x2edd, 0x123);
	assert_int_equal(v.memory[DATA + 0x123], 0);
	assert_int_equal(as_read(&v.dma, 0x5123, in, sizeof(in)), MEM_OK);
	assert_memory_equal(in, out, sizeof(out));
	assert_int_equal(v.log.total, 0);
	vtd_rig_destroy(&v);
}

static void the_index_of_each_level_is_its_own_nine_bits(void **state)
{
	u64 iova = 0x1ffull << 39 | 0x123ull << 30 | 0x0ffull << 21 | 0x1a5ull << 12 | 0x678;
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	put(&v, L4 + 0x1ff * 8, L3 | 3);
	put(&v, L3 + 0x123 * 8, L2 | 3);
	put(&v, L2 + 0x0ff * 8, L1 | 3);
	put(&v, L1 + 0x1a5 * 8, DATA | 3);
	assert_int_equal(leads_to(&v.gate, iova, MEM_READ), DATA + 0x678);
	vtd_rig_destroy(&v);
}

static void a_context_of_39_bits_starts_at_the_third_level(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	set_context(&v, DEVFN, L3 | 1, DOMAIN << 8 | 1);
	put(&v, L3 + 511 * 8, L2 | 3);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0x5004, MEM_READ), DATA + 4);
	assert_int_equal(leads_to(&v.gate, 0x7fc0005004, MEM_READ), DATA + 4);
	assert_int_equal(reason_of(&v.gate, 0x8000000000, MEM_READ), 4);
	vtd_rig_destroy(&v);
}

static void large_pages_are_one_block(void **state)
{
	struct vtd_rig v;
	struct iommu_entry entry;

	(void)state;
	vtd_rig_init_translating(&v);
	put(&v, L2 + 8, 0x40000000 | 0x83);
	put(&v, L3 + 8, 0x80000000 | 0x81);
	entry = ask(&v.gate, 0x2abcde, MEM_READ);
	assert_int_equal(entry.mask, 2 * MiB - 1);
	assert_int_equal(entry.translated, 0x40000000);
	assert_int_equal(leads_to(&v.gate, 0x2abcde, MEM_WRITE), 0x400abcde);
	entry = ask(&v.gate, 0x7abcdef0, MEM_READ);
	assert_int_equal(entry.mask, GiB - 1);
	assert_int_equal(entry.perm, MEM_READ);
	assert_int_equal(leads_to(&v.gate, 0x7abcdef0, MEM_READ), 0xbabcdef0);
	assert_int_equal(reason_of(&v.gate, 0x7abcdef0, MEM_WRITE), 5);
	vtd_rig_destroy(&v);
}

static void permission_is_what_every_level_grants(void **state)
{
	static const unsigned at[] = { L4, L3, L2, L1 };
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	set_root(&v, ROOT);
	for (unsigned level = 0; level < 4; level++) {
		for (unsigned perm = 0; perm < 4; perm++) {
			make_tables(&v);
			map_page(&v, 0, DATA | 3);
			put(&v, at[level], (get(&v, at[level]) & ~3ull) | perm);
			write32(&v, R_GCMD, 0);
			translate_on(&v);
			assert_int_equal(ask(&v.gate, 0, MEM_NONE).perm, perm);
			for (unsigned access = 1; access < 4; access++) {
				if ((perm & access) == access)
					assert_int_equal(leads_to(&v.gate, 0, access), DATA);
				else
					assert_int_equal(reason_of(&v.gate, 0, access),
							 access & ~perm & MEM_WRITE ? 5 : 6);
			}
		}
	}
	/* Present at each level, and yet nothing is left. */
	make_tables(&v);
	put(&v, L2, L1 | 1);
	map_page(&v, 0, DATA | 2);
	write32(&v, R_GCMD, 0);
	translate_on(&v);
	assert_int_equal(ask(&v.gate, 0, MEM_NONE).perm, MEM_NONE);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 6);
	assert_int_equal(reason_of(&v.gate, 0, MEM_WRITE), 5);
	vtd_rig_destroy(&v);
}

static void permission_that_the_iotlb_lacks_is_looked_up_anew(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0x5000, DATA | 1);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_WRITE), DATA);
	vtd_rig_destroy(&v);
}

static void what_is_absent_is_not_remembered(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	assert_int_equal(reason_of(&v.gate, 0x5000, MEM_READ), 6);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	set_context(&v, OTHER, 0, 0);
	assert_int_equal(reason_of(&v.other, 0x5000, MEM_READ), 2);
	set_context(&v, OTHER, L4 | 1, DOMAIN << 8 | 2);
	assert_int_equal(leads_to(&v.other, 0x5000, MEM_READ), DATA);
	vtd_rig_destroy(&v);
}

static void a_denied_access_is_told_of_its_page_only(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	put(&v, L3 + 8, 0);
	assert_int_equal(ask(&v.gate, 0x40000000, MEM_WRITE).mask, PAGE_MASK);
	assert_int_equal(ask(&v.gate, 0x40000000, MEM_NONE).mask, GiB - 1);
	assert_int_equal(ask(&v.gate, 1ull << 39, MEM_NONE).mask, (1ull << 39) - 1);
	assert_int_equal(ask(&v.gate, 3ull << 48, MEM_NONE).mask, (1ull << 49) - 1);
	assert_int_equal(ask(&v.other, 0x1000, MEM_NONE).mask, 2 * GiB - 1);
	vtd_rig_destroy(&v);
}

/*
 * ---- each reason
 * ---------------------------------------------------------------------------------------------
 */

static void translation_without_a_root_blocks_all(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	write64(&v, R_RTADDR, ROOT);
	translate_on(&v);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 8);
	set_root(&v, ROOT);
	map_page(&v, 0, DATA | 1);
	assert_int_equal(leads_to(&v.gate, 0, MEM_READ), DATA);
	vtd_rig_destroy(&v);
}

static void tables_that_are_not_in_memory_are_told_level_by_level(void **state)
{
	static const u64 nowhere[] = { DEVICE, VTD_PAGE, 0x7000000000 };
	struct vtd_rig v;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(nowhere); i++) {
		vtd_rig_init_translating(&v);
		put(&v, L2, nowhere[i] | 3);
		assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 7);
		put(&v, L3, nowhere[i] | 3);
		assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 7);
		put(&v, L4, nowhere[i] | 3);
		assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 7);
		set_context(&v, OTHER, nowhere[i] | 1, DOMAIN << 8 | 2);
		assert_int_equal(reason_of(&v.other, 0, MEM_READ), 3);
		put(&v, ROOT, nowhere[i] | 1);
		set_root(&v, ROOT);
		assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 9);
		set_root(&v, nowhere[i]);
		assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 8);
		assert_int_equal(v.probe.calls, 0);
		vtd_rig_destroy(&v);
	}
}

/* The tables' last entries may be where memory ends: the second half of an entry is not there. */
static void half_an_entry_is_none(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	region_remove(&v.ram);
	region_init_ram(&v.ram, "ram", RAM_END - 8, v.memory);
	assert_int_equal(region_add(&v.rig.root, 0, &v.ram, 0), 0);
	v.gate.requester = 0xff20;
	set_root(&v, RAM_END - PAGE_SIZE);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 8);
	v.gate.requester = 0x00ff;
	set_root(&v, ROOT);
	put(&v, ROOT, (RAM_END - PAGE_SIZE) | 1);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 9);
	vtd_rig_destroy(&v);
}

static void absent_root_and_context_entries_have_their_reasons(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	set_context(&v, DEVFN, L4, DOMAIN << 8 | 2);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 2);
	put(&v, ROOT, CONTEXT);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 1);
	/* Absent: whatever else stands there. */
	put(&v, ROOT, ~1ull);
	put(&v, ROOT + 8, ~0ull);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 1);
	vtd_rig_destroy(&v);
}

static void the_bus_chooses_the_root_entry(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	v.gate.requester = 0x8000 | DEVFN;
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 1);
	put(&v, ROOT + 0x80 * 16, CONTEXT | 1);
	map_page(&v, 0, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0, MEM_READ), DATA);
	vtd_rig_destroy(&v);
}

static void every_reserved_bit_of_a_root_entry_is_refused(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0, DATA | 3);
	for (unsigned bit = 1; bit < 128; bit++) {
		if (bit >= 12 && bit < 39)
			continue;
		put(&v, ROOT, CONTEXT | 1);
		put(&v, ROOT + 8, 0);
		put(&v, ROOT + bit / 64 * 8, get(&v, ROOT + bit / 64 * 8) | 1ull << bit % 64);
		assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 0xa);
	}
	vtd_rig_destroy(&v);
}

static void every_reserved_bit_of_a_context_entry_is_refused(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0, DATA | 3);
	for (unsigned bit = 4; bit < 128; bit++) {
		bool address = bit >= 12 && bit < 39, width = bit >= 64 && bit < 67,
		     ignored = bit >= 67 && bit < 71, domain = bit >= 72 && bit < 88;
		u64 at = CONTEXT + DEVFN * 16 + bit / 64 * 8;

		if (address || width || domain)
			continue;
		set_context(&v, DEVFN, L4 | 1, DOMAIN << 8 | 2);
		put(&v, at, get(&v, at) | 1ull << bit % 64);
		set_root(&v, ROOT);
		if (ignored)
			assert_int_equal(leads_to(&v.gate, 0, MEM_READ), DATA);
		else
			assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 0xb);
	}
	vtd_rig_destroy(&v);
}

static void types_and_widths_that_are_not_offered_are_invalid(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	for (unsigned type = 0; type < 4; type++) {
		for (unsigned width = 0; width < 8; width++) {
			bool translated = type == 0 && (width == 1 || width == 2);
			bool passed = type == 2 && width == 2;

			set_context(&v, DEVFN, L4 | type << 2 | 1, DOMAIN << 8 | width);
			set_root(&v, ROOT);
			if (translated)
				assert_int_equal(reason_of(&v.gate, 0x5000, MEM_READ), 6);
			else if (passed)
				assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), 0x5000);
			else
				assert_int_equal(reason_of(&v.gate, 0x5000, MEM_READ), 3);
		}
	}
	vtd_rig_destroy(&v);
}

static void a_unit_of_39_bits_knows_no_other_width(void **state)
{
	struct vtd_config config;
	struct vtd_rig v;

	(void)state;
	vtd_rig_prepare(&v);
	config = vtd_rig_config(&v);
	config.address_width = 39;
	vtd_rig_init_as(&v, &config);
	assert_int_equal(read64(&v, R_CAP) >> 8 & 0x1f, 2);
	assert_int_equal(read64(&v, R_CAP) >> 16 & 0x3f, 38);
	set_root(&v, ROOT);
	translate_on(&v);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 3);
	set_context(&v, DEVFN, L3 | 1, DOMAIN << 8 | 1);
	map_page(&v, 0, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0, MEM_READ), DATA);
	set_context(&v, OTHER, 9, 1);
	assert_int_equal(ask(&v.other, 0x5000, MEM_READ).mask, (1ull << 39) - 1);
	vtd_rig_destroy(&v);
}

static void pass_through_is_one_block_of_the_whole_width(void **state)
{
	struct vtd_rig v;
	struct iommu_entry entry;

	(void)state;
	vtd_rig_init_translating(&v);
	/* The table is not looked at. */
	set_context(&v, DEVFN, DEVICE | 9, DOMAIN << 8 | 2);
	entry = ask(&v.gate, 0x123456789, MEM_WRITE);
	assert_int_equal(entry.mask, (1ull << 48) - 1);
	assert_int_equal(entry.translated, 0);
	assert_int_equal(entry.perm, MEM_READ_WRITE);
	assert_int_equal(reason_of(&v.gate, 1ull << 48, MEM_WRITE), 4);
	assert_int_equal(as_write(&v.dma, DATA, "abc", 3), MEM_OK);
	assert_memory_equal(v.memory + DATA, "abc", 3);
	/* Nothing but RAM, there as everywhere. */
	assert_int_equal(as_write(&v.dma, DEVICE, "abc", 3), MEM_ACCESS_ERROR);
	assert_int_equal(v.probe.calls, 0);
	assert_int_equal(fault_log_count(&v.log, IOMMU_FAULT_NOT_RAM), 1);
	assert_int_equal(read32(&v, R_FSTS), 0);
	vtd_rig_destroy(&v);
}

static void an_address_beyond_the_width_is_refused(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	put(&v, L4 + 511 * 8, L3 | 3);
	put(&v, L3 + 511 * 8, 0x40000083);
	assert_int_equal(leads_to(&v.gate, 0xffffffffffff, MEM_READ), 0x7fffffff);
	for (unsigned bit = 48; bit < 64; bit++)
		assert_int_equal(reason_of(&v.gate, 1ull << bit, MEM_WRITE), 4);
	assert_int_equal(reason_of(&v.gate, ~0ull, MEM_READ), 4);
	vtd_rig_destroy(&v);
}

static void every_reserved_bit_of_a_paging_entry_is_refused(void **state)
{
	/* Address of the entry, the entry, page size or 0. */
	static const struct {
		unsigned at;
		u64 entry, page;
		bool top;
	} entries[] = {
		{ L4, L3 | 3, 0, true },
		{ L3, L2 | 3, 0, false },
		{ L2, L1 | 3, 0, false },
		{ L1, DATA | 3, PAGE_SIZE, false },
		{ L2, 0x40000083, 2 * MiB, false },
		{ L3, 0x40000083, GiB, false },
	};
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	for (unsigned i = 0; i < ARRAY_SIZE(entries); i++) {
		for (unsigned bit = 2; bit < 64; bit++) {
			bool reserved = bit == 11 || bit == 62 || (bit >= 39 && bit < 52) ||
					(bit == 7 && entries[i].top) ||
					(bit >= 12 && bit < 39 && (1ull << bit) < entries[i].page);

			make_tables(&v);
			map_page(&v, 0, DATA | 3);
			/* Other addresses, or a large page instead of a table: not reserved, elsewhere. */
			if (!reserved && ((bit >= 12 && bit < 39) || bit == 7))
				continue;
			put(&v, entries[i].at, entries[i].entry | 1ull << bit);
			set_root(&v, ROOT);
			if (reserved)
				assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 0xc);
			else
				assert_int_not_equal(leads_to(&v.gate, 0, MEM_READ), ~0ull);
			/* Not present: nothing else counts. */
			put(&v, entries[i].at, (entries[i].entry | 1ull << bit) & ~3ull);
			set_root(&v, ROOT);
			assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 6);
		}
	}
	/* There are no pages of 512 GiB. */
	put(&v, L4, 0x83);
	set_root(&v, ROOT);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 0xc);
	/* In the lowest level bit 7 means nothing. */
	make_tables(&v);
	map_page(&v, 0, DATA | 0x83);
	set_root(&v, ROOT);
	assert_int_equal(leads_to(&v.gate, 0, MEM_READ), DATA);
	vtd_rig_destroy(&v);
}

static void the_host_width_decides_what_is_reserved(void **state)
{
	struct vtd_config config;
	struct vtd_rig v;

	(void)state;
	vtd_rig_prepare(&v);
	config = vtd_rig_config(&v);
	config.host_address_width = 52;
	vtd_rig_init_as(&v, &config);
	set_root(&v, ROOT);
	translate_on(&v);
	map_page(&v, 0, 0xffffffffff003);
	assert_int_equal(leads_to(&v.gate, 0, MEM_READ), 0xffffffffff000);
	map_page(&v, 0x1000, DATA | 1ull << 62 | 3);
	assert_int_equal(reason_of(&v.gate, 0x1000, MEM_READ), 0xc);
	set_context(&v, OTHER, 1ull << 52 | L4 | 1, 2);
	assert_int_equal(reason_of(&v.other, 0, MEM_READ), 0xb);
	vtd_rig_destroy(&v);
}

static void tables_that_point_at_themselves_end(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	put(&v, L4, L4 | 3);
	assert_int_equal(leads_to(&v.gate, 0x123, MEM_READ), L4 + 0x123);
	put(&v, ROOT, ROOT | 1);
	v.gate.requester = 0;
	set_root(&v, ROOT);
	/* The root entry as a context entry: width 0. */
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 3);
	vtd_rig_destroy(&v);
}

/*
 * ---- the interrupt range
 * -------------------------------------------------------------------------------------
 */

static void requests_to_the_interrupt_range_are_not_translated(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	put(&v, L3 + 3 * 8, 0x83);
	assert_int_equal(leads_to(&v.gate, 0xfee00000, MEM_WRITE), 0xfee00000);
	assert_int_equal(leads_to(&v.gate, 0xfeefffff, MEM_WRITE), 0xfeefffff);
	assert_int_equal(ask(&v.gate, 0xfee12345, MEM_WRITE).mask, MiB - 1);
	/* What is around it is, and no block reaches into it. */
	assert_int_equal(leads_to(&v.gate, 0xfedfffff, MEM_WRITE), 0x3edfffff);
	assert_int_equal(ask(&v.gate, 0xfedfffff, MEM_WRITE).mask, 2 * MiB - 1);
	assert_int_equal(leads_to(&v.gate, 0xfef00000, MEM_WRITE), 0x3ef00000);
	assert_int_equal(ask(&v.gate, 0xfef00000, MEM_WRITE).mask, MiB - 1);
	assert_int_equal(ask(&v.gate, 0xc0000000, MEM_WRITE).mask, 512 * MiB - 1);
	/* Behind the gate is no RAM there. */
	assert_int_equal(as_write(&v.dma, 0xfee00000, "abcd", 4), MEM_DECODE_ERROR);
	assert_int_equal(fault_log_count(&v.log, IOMMU_FAULT_UNCLAIMED), 1);
	assert_int_equal(read32(&v, R_FSTS), 0);
	vtd_rig_destroy(&v);
}

static void no_page_leads_into_the_interrupt_range(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0, 0xfee00003);
	map_page(&v, 0x1000, 0xfeeff003);
	map_page(&v, 0x2000, 0xfedff003);
	map_page(&v, 0x3000, 0xfef00003);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 0xe);
	assert_int_equal(reason_of(&v.gate, 0x1000, MEM_WRITE), 0xe);
	assert_int_equal(ask(&v.gate, 0, MEM_NONE).reason, IOMMU_FAULT_UNIT + 0xe);
	assert_int_equal(leads_to(&v.gate, 0x2000, MEM_READ), 0xfedff000);
	assert_int_equal(leads_to(&v.gate, 0x3000, MEM_READ), 0xfef00000);
	/* Such an entry is not kept. */
	map_page(&v, 0, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0, MEM_READ), DATA);
	/* A part of a large page, found in the IOTLB. */
	put(&v, L3 + 8, 0xc0000083);
	assert_int_equal(leads_to(&v.gate, 0x40000000, MEM_READ), 0xc0000000);
	assert_int_equal(ask(&v.gate, 0x40000000, MEM_READ).mask, 512 * MiB - 1);
	assert_int_equal(reason_of(&v.gate, 0x7ee00000, MEM_READ), 0xe);
	assert_int_equal(reason_of(&v.gate, 0x7eefffff, MEM_READ), 0xe);
	assert_int_equal(leads_to(&v.gate, 0x7ef00000, MEM_READ), 0xfef00000);
	vtd_rig_destroy(&v);
}

/*
 * ---- caches
 * -------------------------------------------------------------------------------------------------
 */

static void a_translation_is_kept_until_it_is_invalidated(void **state)
{
	/* Shares a place in the gate with it. */
	const u64 beside = 0x5000 + VTD_RECENT * PAGE_SIZE;
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	queue_on(&v);
	map_page(&v, 0x5000, DATA | 3);
	map_page(&v, beside, (DATA + 0x1000) | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	map_page(&v, 0x5000, (DATA + 0x5000) | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	assert_int_equal(v.gate.hits, 1);
	/* Another address takes its place in the gate; then the IOTLB knows. */
	assert_int_equal(leads_to(&v.gate, beside, MEM_READ), DATA + 0x1000);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	assert_int_equal(v.unit.iotlb.hits, 1);
	assert_int_equal(v.unit.iotlb.misses, 2);
	submit(&v, IOTLB_OF_PAGES(DOMAIN), 0x5000);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA + 0x5000);
	vtd_rig_destroy(&v);
}

static void gates_of_one_domain_share_translations(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	set_context(&v, OTHER, L4 | 1, DOMAIN << 8 | 2);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	map_page(&v, 0x5000, (DATA + 0x5000) | 3);
	assert_int_equal(leads_to(&v.other, 0x5000, MEM_READ), DATA);
	/* Another domain has its own. */
	set_context(&v, OTHER, L4 | 1, (DOMAIN + 0x300) << 8 | 2);
	set_root(&v, ROOT);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	map_page(&v, 0x5000, (DATA + 0x5000) | 3);
	assert_int_equal(leads_to(&v.other, 0x5000, MEM_READ), DATA + 0x5000);
	vtd_rig_destroy(&v);
}

static void looking_without_an_access_changes_nothing(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(ask(&v.gate, 0x5000, MEM_NONE).translated, DATA);
	assert_int_equal(v.unit.iotlb.misses, 0);
	assert_false(v.gate.context.present);
	map_page(&v, 0x5000, (DATA + 0x1000) | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA + 0x1000);
	map_page(&v, 0x5000, DATA | 3);
	/* What the tables say, not what is cached. */
	assert_int_equal(ask(&v.gate, 0x5000, MEM_NONE).translated, DATA);
	vtd_rig_destroy(&v);
}

struct heard {
	struct iommu_notifier notifier;
	unsigned maps;
	u64 first, last;
};

static void hear(struct iommu_notifier *notifier, struct iommu_region *iommu, unsigned event, u64 first,
		 u64 last, const struct iommu_entry *entry)
{
	struct heard *heard = container_of(notifier, struct heard, notifier);

	(void)iommu;
	assert_int_equal(event, IOMMU_MAP);
	if (first == 0xfee00000)
		return;
	assert_int_equal(entry->translated, DATA);
	heard->maps++;
	heard->first = first;
	heard->last = last;
}

static void a_replay_of_all_of_the_space_ends(void **state)
{
	struct heard heard = { .notifier = { .notify = hear, .last = ~0ull, .events = IOMMU_MAP } };
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0x5000, DATA | 3);
	iommu_notifier_add(&v.gate.iommu, &heard.notifier);
	iommu_replay(&v.gate.iommu, &heard.notifier);
	assert_int_equal(heard.maps, 1);
	assert_int_equal(heard.first, 0x5000);
	assert_int_equal(heard.last, 0x5fff);
	iommu_notifier_remove(&v.gate.iommu, &heard.notifier);
	vtd_rig_destroy(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_translation_all_passes_as_one_block),
		cmocka_unit_test(a_page_of_four_levels_leads_where_its_entries_say),
		cmocka_unit_test(the_index_of_each_level_is_its_own_nine_bits),
		cmocka_unit_test(a_context_of_39_bits_starts_at_the_third_level),
		cmocka_unit_test(large_pages_are_one_block),
		cmocka_unit_test(permission_is_what_every_level_grants),
		cmocka_unit_test(permission_that_the_iotlb_lacks_is_looked_up_anew),
		cmocka_unit_test(what_is_absent_is_not_remembered),
		cmocka_unit_test(a_denied_access_is_told_of_its_page_only),
		cmocka_unit_test(translation_without_a_root_blocks_all),
		cmocka_unit_test(tables_that_are_not_in_memory_are_told_level_by_level),
		cmocka_unit_test(half_an_entry_is_none),
		cmocka_unit_test(absent_root_and_context_entries_have_their_reasons),
		cmocka_unit_test(the_bus_chooses_the_root_entry),
		cmocka_unit_test(every_reserved_bit_of_a_root_entry_is_refused),
		cmocka_unit_test(every_reserved_bit_of_a_context_entry_is_refused),
		cmocka_unit_test(types_and_widths_that_are_not_offered_are_invalid),
		cmocka_unit_test(a_unit_of_39_bits_knows_no_other_width),
		cmocka_unit_test(pass_through_is_one_block_of_the_whole_width),
		cmocka_unit_test(an_address_beyond_the_width_is_refused),
		cmocka_unit_test(every_reserved_bit_of_a_paging_entry_is_refused),
		cmocka_unit_test(the_host_width_decides_what_is_reserved),
		cmocka_unit_test(tables_that_point_at_themselves_end),
		cmocka_unit_test(requests_to_the_interrupt_range_are_not_translated),
		cmocka_unit_test(no_page_leads_into_the_interrupt_range),
		cmocka_unit_test(a_translation_is_kept_until_it_is_invalidated),
		cmocka_unit_test(gates_of_one_domain_share_translations),
		cmocka_unit_test(looking_without_an_access_changes_nothing),
		cmocka_unit_test(a_replay_of_all_of_the_space_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
