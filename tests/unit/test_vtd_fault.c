// SPDX-License-Identifier: BSD-2-Clause
/* The VT-d unit's fault records, its fault event, and what the hypervisor's log and console say. */
#include "tests/unit/vtd_rig.h"

static void write_denied(struct vtd_rig *v, u64 iova)
{
	assert_int_equal(as_write(&v->dma, iova, "x", 1), MEM_ACCESS_ERROR);
}

static void a_fault_says_who_where_what_and_why(void **state)
{
	struct vtd_rig v;
	u64 value;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0x5000, DATA | 1);
	write_denied(&v, 0x5678);
	assert_int_equal(read32(&v, R_FSTS), 0x002);
	assert_int_equal(as_read(&v.other_dma, 0x123456789abc, &value, 8), MEM_ACCESS_ERROR);
	assert_int_equal(value, ~0ull);
	assert_record(&v, 0, 0x5000, 5, DEVFN, false);
	assert_int_equal(read32(&v, R_FSTS), 0x002);
	assert_record(&v, 1, 0x123456789000, 2, OTHER, true);
	assert_int_equal(read32(&v, R_FSTS), 0);
	assert_int_equal(v.gate.faults, 1);
	assert_int_equal(v.other.faults, 1);
	vtd_rig_destroy(&v);
}

static void each_reason_is_recorded_as_itself(void **state)
{
	static const struct {
		unsigned reason;
		u64 at, value, iova;
	} cases[] = {
		{ 1, ROOT, 0, 0 },
		{ 2, CONTEXT + DEVFN * 16, 0, 0 },
		{ 3, CONTEXT + DEVFN * 16 + 8, 0, 0 },
		{ 4, L4, 0, 1ull << 48 },
		{ 5, L1, 0, 0 },
		{ 7, L2, DEVICE | 3, 0 },
		{ 9, ROOT, DEVICE | 1, 0 },
		{ 0xa, ROOT, CONTEXT | 3, 0 },
		{ 0xb, CONTEXT + DEVFN * 16, L4 | 0x11, 0 },
		{ 0xc, L1, DATA | 0x803, 0 },
		{ 0xe, L1, 0xfee00003, 0 },
	};
	struct vtd_rig v;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		vtd_rig_init_translating(&v);
		put(&v, cases[i].at, cases[i].value);
		write_denied(&v, cases[i].iova);
		assert_record(&v, 0, cases[i].iova, cases[i].reason, DEVFN, false);
		vtd_rig_destroy(&v);
	}
}

static void each_page_of_a_transfer_is_a_fault_of_its_own(void **state)
{
	u8 bytes[0x2800] = { 0 };
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(as_read(&v.dma, 0x4800, bytes, sizeof(bytes)), MEM_ACCESS_ERROR);
	assert_int_equal(bytes[0x7ff], 0xff);
	assert_int_equal(bytes[0x800], 0);
	assert_int_equal(bytes[0x17ff], 0);
	assert_int_equal(bytes[0x1800], 0xff);
	assert_record(&v, 0, 0x4000, 6, DEVFN, true);
	assert_record(&v, 1, 0x6000, 6, DEVFN, true);
	assert_int_equal(read32(&v, R_FSTS), 0);
	vtd_rig_destroy(&v);
}

static void an_access_for_both_tells_what_is_missing(void **state)
{
	struct map_client client;
	struct mem_mapping mapping;
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_client_init(&client, "client", NULL, 0, NULL, 0, NULL, NULL, NULL);
	map_page(&v, 0x5000, DATA | 1);
	map_page(&v, 0x6000, DATA | 2);
	assert_int_equal(as_map(&v.dma, &client, 0x5000, 8, MEM_READ_WRITE, &mapping), MEM_ACCESS_ERROR);
	assert_int_equal(as_map(&v.dma, &client, 0x6000, 8, MEM_READ_WRITE, &mapping), MEM_ACCESS_ERROR);
	assert_record(&v, 0, 0x5000, 5, DEVFN, false);
	assert_record(&v, 1, 0x6000, 6, DEVFN, true);
	vtd_rig_destroy(&v);
}

static void records_are_used_in_turn(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	for (unsigned i = 0; i < 20; i++) {
		write_denied(&v, i * PAGE_SIZE);
		assert_int_equal(read32(&v, R_FSTS), i % 8 << 8 | 2);
		assert_record(&v, i % 8, i * PAGE_SIZE, 5, DEVFN, false);
		/* Which one was first is of no more interest, and stays until the next. */
		assert_int_equal(read32(&v, R_FSTS), i % 8 << 8);
	}
	/* The first of several is the one that the status names. */
	for (unsigned i = 0; i < 3; i++)
		write_denied(&v, i * PAGE_SIZE);
	assert_int_equal(read32(&v, R_FSTS), 0x402);
	for (unsigned i = 0; i < 3; i++)
		assert_record(&v, 4 + i, i * PAGE_SIZE, 5, DEVFN, false);
	vtd_rig_destroy(&v);
}

static void overflow_drops_what_comes_until_it_is_cleared(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	for (unsigned i = 0; i < 8; i++)
		write_denied(&v, i * PAGE_SIZE);
	assert_int_equal(read32(&v, R_FSTS), 2);
	write_denied(&v, 0x99000);
	assert_int_equal(read32(&v, R_FSTS), 3);
	/* Room, but the overflow still stands. */
	assert_record(&v, 0, 0, 5, DEVFN, false);
	write_denied(&v, 0xa9000);
	assert_int_equal(read64(&v, R_FRCD + 8) >> 63, 0);
	write32(&v, R_FSTS, 1);
	assert_int_equal(read32(&v, R_FSTS), 2);
	write_denied(&v, 0xb9000);
	assert_record(&v, 0, 0xb9000, 5, DEVFN, false);
	for (unsigned i = 1; i < 8; i++)
		assert_record(&v, i, i * PAGE_SIZE, 5, DEVFN, false);
	/* All records read, overflow not: still nothing is recorded. */
	for (unsigned i = 0; i < 9; i++)
		write_denied(&v, i * PAGE_SIZE);
	for (unsigned i = 0; i < 8; i++)
		write32(&v, R_FRCD + i * 16 + 12, 0x80000000);
	assert_int_equal(read32(&v, R_FSTS) & 0xff, 1);
	write_denied(&v, 0xc9000);
	assert_int_equal(read32(&v, R_FSTS) & 0xff, 1);
	assert_int_equal(v.unit.counters.faults_lost, 4);
	assert_int_equal(v.log.total, 8 + 3 + 10);
	vtd_rig_destroy(&v);
}

static void only_the_fault_bit_of_a_record_can_be_written(void **state)
{
	struct vtd_rig v;
	u64 low, high;

	(void)state;
	vtd_rig_init_translating(&v);
	write_denied(&v, 0x5000);
	low = read64(&v, R_FRCD);
	high = read64(&v, R_FRCD + 8);
	write64(&v, R_FRCD, ~0ull);
	write32(&v, R_FRCD + 8, ~0u);
	write32(&v, R_FRCD + 12, 0x7fffffff);
	assert_int_equal(read64(&v, R_FRCD), low);
	assert_int_equal(read64(&v, R_FRCD + 8), high);
	assert_int_equal(read32(&v, R_FRCD + 12), high >> 32);
	/* By 8 bytes too. */
	write64(&v, R_FRCD + 8, 1ull << 63);
	assert_int_equal(read64(&v, R_FRCD + 8), high & ~(1ull << 63));
	/* PPF and FRI are read-only. */
	write_denied(&v, 0x5000);
	write32(&v, R_FSTS, ~0u);
	assert_int_equal(read32(&v, R_FSTS), 0x102);
	vtd_rig_destroy(&v);
}

/*
 * ---- the event
 * -----------------------------------------------------------------------------------------------
 */

static void the_event_is_sent_once_while_anything_is_pending(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	write32(&v, R_FEDATA, 0x4021);
	write32(&v, R_FEADDR, 0xfee01004);
	write32(&v, R_FEUADDR, 0x100);
	write32(&v, R_FECTL, 0);
	write_denied(&v, 0);
	assert_int_equal(v.messages, 1);
	assert_int_equal(v.message[0].address, 0x100fee01004);
	assert_int_equal(v.message[0].data, 0x4021);
	for (unsigned i = 0; i < 10; i++)
		write_denied(&v, 0);
	assert_int_equal(v.messages, 1);
	for (unsigned i = 0; i < 8; i++)
		write32(&v, R_FRCD + i * 16 + 12, 0x80000000);
	/* PFO is left. */
	write_denied(&v, 0);
	assert_int_equal(v.messages, 1);
	write32(&v, R_FSTS, 1);
	write_denied(&v, 0);
	assert_int_equal(v.messages, 2);
	vtd_rig_destroy(&v);
}

static void a_masked_event_waits_and_is_forgotten_with_its_causes(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	write32(&v, R_FEDATA, 0x4021);
	write32(&v, R_FEADDR, 0xfee01004);
	write_denied(&v, 0);
	assert_int_equal(v.messages, 0);
	assert_int_equal(read32(&v, R_FECTL), 0xc0000000);
	/* Its pending bit is not for writing. */
	write32(&v, R_FECTL, 0x80000000);
	assert_int_equal(read32(&v, R_FECTL), 0xc0000000);
	write32(&v, R_FECTL, 0x40000000);
	assert_int_equal(read32(&v, R_FECTL), 0);
	assert_int_equal(v.messages, 1);
	assert_int_equal(v.message[0].address, 0xfee01004);
	assert_int_equal(v.message[0].data, 0x4021);
	write32(&v, R_FECTL, 0x40000000);
	assert_int_equal(v.messages, 1);
	write32(&v, R_FRCD + 12, 0x80000000);
	/* By reading the records. */
	write32(&v, R_FECTL, 0x80000000);
	write_denied(&v, 0);
	assert_int_equal(read32(&v, R_FECTL), 0xc0000000);
	write32(&v, R_FRCD + 16 + 12, 0x80000000);
	assert_int_equal(read32(&v, R_FECTL), 0x80000000);
	/* By clearing the overflow. */
	for (unsigned i = 0; i < 9; i++)
		write_denied(&v, 0);
	for (unsigned i = 0; i < 8; i++)
		write32(&v, R_FRCD + i * 16 + 12, 0x80000000);
	assert_int_equal(read32(&v, R_FECTL), 0xc0000000);
	write32(&v, R_FSTS, 1);
	assert_int_equal(read32(&v, R_FECTL), 0x80000000);
	write32(&v, R_FECTL, 0);
	assert_int_equal(v.messages, 1);
	vtd_rig_destroy(&v);
}

/*
 * ---- FPD
 * ---------------------------------------------------------------------------------------------------
 */

static void a_context_entry_can_keep_its_faults_from_the_guest(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	/* 2, 3: not present and invalid, but readable. */
	set_context(&v, DEVFN, 2, 0);
	write_denied(&v, 0);
	set_context(&v, DEVFN, L4 | 3, 0);
	write_denied(&v, 0);
	/* 4..7, 0xc, 0xe: with the context in the cache. */
	set_context(&v, DEVFN, L4 | 3, DOMAIN << 8 | 2);
	write_denied(&v, 1ull << 50);
	write_denied(&v, 0);
	map_page(&v, 0x1000, DATA | 0x803);
	write_denied(&v, 0x1000);
	map_page(&v, 0x1000, 0xfee00003);
	write_denied(&v, 0x1000);
	put(&v, L2 + 8, DEVICE | 3);
	write_denied(&v, 0x200000);
	assert_int_equal(read32(&v, R_FSTS), 0);
	assert_int_equal(v.unit.counters.faults_lost, 7);
	/* The hypervisor's log has them all. */
	assert_int_equal(v.log.total, 7);
	/* As it was when it was cached. */
	set_context(&v, DEVFN, L4 | 1, DOMAIN << 8 | 2);
	write_denied(&v, 0);
	assert_int_equal(read32(&v, R_FSTS), 0);
	/* 0xb is not for it to suppress, nor what is before it. */
	set_context(&v, OTHER, L4 | 0x13, DOMAIN << 8 | 2);
	assert_int_equal(as_write(&v.other_dma, 0, "x", 1), MEM_ACCESS_ERROR);
	assert_record(&v, 0, 0, 0xb, OTHER, false);
	put(&v, ROOT, CONTEXT | 5);
	assert_int_equal(as_write(&v.other_dma, 0, "x", 1), MEM_ACCESS_ERROR);
	assert_record(&v, 1, 0, 0xa, OTHER, false);
	vtd_rig_destroy(&v);
}

/*
 * ---- for the operator
 * ----------------------------------------------------------------------------------------
 */

static void the_log_names_device_address_and_reason(void **state)
{
	struct vtd_rig v;
	u64 value;

	(void)state;
	vtd_rig_init_translating(&v);
	as_read(&v.dma, 0x5010, &value, 8);
	assert_string_equal(
		host_log_last(),
		"DMA read denied: edu 00:04.0 iova 0x5010-0x5017: fault reason 0x6, no read permission");
	as_write(&v.other_dma, 0x5010, &value, 8);
	assert_string_equal(
		host_log_last(),
		"DMA write denied: blk 00:05.0 iova 0x5010-0x5017: fault reason 0x2, context entry absent");
	/* What is wrong behind the gate is the hypervisor's to tell, not VT-d's. */
	map_page(&v, 0x5000, DEVICE | 3);
	as_write(&v.dma, 0x5010, &value, 8);
	assert_string_equal(host_log_last(),
			    "DMA write denied: edu 00:04.0 iova 0x5010-0x5017: a device, not "
			    "RAM, by way of 'VT-d'");
	assert_int_equal(v.probe.calls, 0);
	assert_int_equal(read64(&v, R_FRCD + 32 + 8), 0);
	vtd_rig_destroy(&v);
}

static void every_reason_has_words(void **state)
{
	(void)state;
	for (unsigned reason = 1; reason < 0x40; reason++) {
		bool known = reason < 0xf || (reason >= 0x20 && reason < 0x27);
		const char *text = vtd_fault_text(reason);

		assert_int_equal(!strcmp(text, "fault of no known reason"), !known);
		assert_true(strlen(text) <= 32);
		for (unsigned other = 1; known && other < reason; other++)
			assert_string_not_equal(text, vtd_fault_text(other));
	}
}

static void a_unit_without_a_log_records_for_the_guest_all_the_same(void **state)
{
	u64 address = 0xfee00000;
	struct vtd_config config;
	struct vtd_rig v;
	u32 data = 0;

	(void)state;
	vtd_rig_prepare(&v);
	config = vtd_rig_config(&v);
	config.log = NULL;
	vtd_rig_init_as(&v, &config);
	set_root(&v, ROOT);
	write32(&v, R_GCMD, TE | IRE);
	write_denied(&v, 0x1000);
	assert_false(vtd_remap_interrupt(&v.unit, DEVFN, &address, &data));
	assert_record(&v, 0, 0x1000, 5, DEVFN, false);
	assert_record(&v, 1, 0, 0x25, DEVFN, false);
	assert_int_equal(host_log_count(), 0);
	vtd_rig_destroy(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_says_who_where_what_and_why),
		cmocka_unit_test(each_reason_is_recorded_as_itself),
		cmocka_unit_test(each_page_of_a_transfer_is_a_fault_of_its_own),
		cmocka_unit_test(an_access_for_both_tells_what_is_missing),
		cmocka_unit_test(records_are_used_in_turn),
		cmocka_unit_test(overflow_drops_what_comes_until_it_is_cleared),
		cmocka_unit_test(only_the_fault_bit_of_a_record_can_be_written),
		cmocka_unit_test(the_event_is_sent_once_while_anything_is_pending),
		cmocka_unit_test(a_masked_event_waits_and_is_forgotten_with_its_causes),
		cmocka_unit_test(a_context_entry_can_keep_its_faults_from_the_guest),
		cmocka_unit_test(the_log_names_device_address_and_reason),
		cmocka_unit_test(every_reason_has_words),
		cmocka_unit_test(a_unit_without_a_log_records_for_the_guest_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
