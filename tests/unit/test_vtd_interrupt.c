// SPDX-License-Identifier: BSD-2-Clause
/* Interrupt remapping: formats, entries, who may use which, and each reason to block. */
#include "tests/unit/vtd_rig.h"

/* A remappable request without and with a subhandle. */
#define REQUEST(index)	     (0xfee00010ull | ((index)&0x7fffull) << 5 | (u64)((index) >> 15) << 2)
#define REQUEST_SHV(index)   (REQUEST(index) | 8)
#define SID(svt, sq, source) ((u64)(svt) << 18 | (u64)(sq) << 16 | (source))

/* 256 entries, on; `more`: EIME, CFI. */
static void start(struct vtd_rig *v, u64 eime, u32 more)
{
	vtd_rig_init(v);
	write64(v, R_IRTA, INTERRUPTS | eime | 7);
	write32(v, R_GCMD, SIRTP);
	write32(v, R_GCMD, IRE | more);
}

static void set_entry(struct vtd_rig *v, unsigned index, u64 low, u64 high)
{
	put(v, INTERRUPTS + index * 16, low);
	put(v, INTERRUPTS + index * 16 + 8, high);
}

static bool sent(struct vtd_rig *v, u16 requester, u64 address, u32 data, u64 to, u32 as)
{
	if (!vtd_remap_interrupt(&v->unit, requester, &address, &data))
		return false;
	assert_int_equal(address, to);
	assert_int_equal(data, as);
	return true;
}

/* Blocked, untouched, and recorded: index and reason. The record is read and cleared. */
static void assert_blocked(struct vtd_rig *v, u16 requester, u64 address, u32 data, unsigned index,
			   unsigned reason)
{
	u64 address_was = address;
	unsigned record = v->unit.next_record;
	u32 data_was = data;

	assert_false(vtd_remap_interrupt(&v->unit, requester, &address, &data));
	assert_int_equal(address, address_was);
	assert_int_equal(data, data_was);
	assert_record(v, record, (u64)index << 48, reason, requester, false);
	assert_int_equal(read32(v, R_FSTS) & 0xff, 0);
}

static void without_remapping_messages_pass_as_they_are(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	assert_true(sent(&v, DEVFN, 0x100fee01234, 0x4041, 0x100fee01234, 0x4041));
	assert_true(sent(&v, DEVFN, REQUEST(5), 0, REQUEST(5), 0));
	write64(&v, R_IRTA, INTERRUPTS | 7);
	write32(&v, R_GCMD, SIRTP);
	assert_true(sent(&v, DEVFN, 0xfee01004, 0x41, 0xfee01004, 0x41));
	vtd_rig_destroy(&v);
}

static void an_entry_says_what_the_interrupt_is(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v, 0, 0);
	set_entry(&v, 3, 0x51 << 16 | 0x0200ull << 32 | 1, 0);
	assert_true(sent(&v, DEVFN, REQUEST(3), 0, 0xfee02000, 0x51));
	/* DM, RH, lowest priority, level: of the entry; the request's data means nothing without SHV. */
	set_entry(&v, 4, 0x52 << 16 | 0xff00ull << 32 | 1 << 5 | 0x1c | 1, 0);
	assert_true(sent(&v, DEVFN, REQUEST(4), 0xffff1234, 0xfeeff00c, 0xc152));
	/* NMI, and bits that are software's. */
	set_entry(&v, 5, 0xf00 | 4 << 5 | 1, 0);
	assert_true(sent(&v, DEVFN, REQUEST(5), 0, 0xfee00000, 0x400));
	assert_int_equal(v.unit.counters.interrupts, 3);
	assert_int_equal(v.log.total, 0);
	vtd_rig_destroy(&v);
}

static void x2apic_mode_has_destinations_of_32_bits(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v, 0x800, 0);
	set_entry(&v, 3, 0x51 << 16 | 0x89abcdefull << 32 | 1, 0);
	assert_true(sent(&v, DEVFN, REQUEST(3), 0, 0x89abcd00feeef000, 0x51));
	set_entry(&v, 3, 0x51 << 16 | 0xffffffffull << 32 | 5, 0);
	assert_true(sent(&v, DEVFN, REQUEST(3), 0, 0xffffff00feeff004, 0x51));
	vtd_rig_destroy(&v);
}

static void what_is_no_interrupt_is_not_made_one(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v, 0, 0);
	set_entry(&v, 3, 0x51 << 16 | 1, 0);
	assert_true(sent(&v, DEVFN, REQUEST(3) - 0x100000, 0, REQUEST(3) - 0x100000, 0));
	assert_true(sent(&v, DEVFN, REQUEST(3) + 0x100000, 0, REQUEST(3) + 0x100000, 0));
	assert_true(sent(&v, DEVFN, 0, 0, 0, 0));
	assert_int_equal(v.unit.counters.interrupts, 0);
	vtd_rig_destroy(&v);
}

static void the_index_is_handle_and_subhandle(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v, 0, 0);
	for (unsigned n = 0; n < 256; n++)
		set_entry(&v, n, n << 16 | 1, 0);
	assert_true(sent(&v, DEVFN, REQUEST_SHV(0x20), 3, 0xfee00000, 0x23));
	assert_true(sent(&v, DEVFN, REQUEST_SHV(0), 0xff, 0xfee00000, 0xff));
	assert_true(sent(&v, DEVFN, REQUEST(0xff), 3, 0xfee00000, 0xff));
	/* Don't care. */
	assert_true(sent(&v, DEVFN, REQUEST(7) | 3, 0, 0xfee00000, 7));
	/* The table ends. */
	assert_blocked(&v, DEVFN, REQUEST(256), 0, 256, 0x21);
	assert_blocked(&v, DEVFN, REQUEST_SHV(0xff), 1, 256, 0x21);
	assert_blocked(&v, DEVFN, REQUEST(0x8000), 0, 0x8000, 0x21);
	assert_blocked(&v, DEVFN, REQUEST(0xffff), 0, 0xffff, 0x21);
	/* Over all of 16 bits: what is recorded has no more of them. */
	assert_blocked(&v, DEVFN, REQUEST_SHV(0xffff), 0xffff, 0xfffe, 0x21);
	/* The largest table: 65536 entries. */
	write64(&v, R_IRTA, DATA | 0xf);
	write32(&v, R_GCMD, IRE | SIRTP);
	put(&v, DATA + 0xfff0 * 16, 0x66 << 16 | 1);
	assert_true(sent(&v, DEVFN, REQUEST(0xfff0), 0, 0xfee00000, 0x66));
	assert_blocked(&v, DEVFN, REQUEST_SHV(0xffff), 1, 0, 0x21);
	vtd_rig_destroy(&v);
}

static void reserved_bits_of_a_request_are_refused(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v, 0, 0);
	set_entry(&v, 3, 0x51 << 16 | 1, 0);
	for (unsigned bit = 32; bit < 64; bit++)
		assert_blocked(&v, DEVFN, REQUEST(3) | 1ull << bit, 0, 0, 0x20);
	for (unsigned bit = 16; bit < 32; bit++)
		assert_blocked(&v, DEVFN, REQUEST_SHV(3), 1u << bit, 3, 0x20);
	vtd_rig_destroy(&v);
}

static void entries_that_are_absent_or_not_in_memory_are_refused(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v, 0, 0);
	assert_blocked(&v, DEVFN, REQUEST(3), 0, 3, 0x22);
	set_entry(&v, 3, ~3ull, ~0ull);
	assert_blocked(&v, DEVFN, REQUEST(3), 0, 3, 0x22);
	write64(&v, R_IRTA, DEVICE | 7);
	/* Not before it is set. */
	assert_blocked(&v, DEVFN, REQUEST(3), 0, 3, 0x22);
	write32(&v, R_GCMD, IRE | SIRTP);
	assert_blocked(&v, DEVFN, REQUEST(3), 0, 3, 0x23);
	assert_int_equal(v.probe.calls, 0);
	/* Memory ends in the middle of an entry. */
	region_remove(&v.ram);
	region_init_ram(&v.ram, "ram", RAM_END - 8, v.memory);
	assert_int_equal(region_add(&v.rig.root, 0, &v.ram, 0), 0);
	write64(&v, R_IRTA, (RAM_END - PAGE_SIZE) | 7);
	write32(&v, R_GCMD, IRE | SIRTP);
	assert_blocked(&v, DEVFN, REQUEST(255), 0, 255, 0x23);
	vtd_rig_destroy(&v);
	/* Never set. */
	vtd_rig_init(&v);
	put(&v, 0, 1);
	write32(&v, R_GCMD, IRE);
	assert_blocked(&v, DEVFN, REQUEST(0), 0, 0, 0x23);
	vtd_rig_destroy(&v);
}

static void every_reserved_bit_of_an_entry_is_refused(void **state)
{
	struct vtd_rig v;

	(void)state;
	for (u64 eime = 0; eime <= 0x800; eime += 0x800) {
		start(&v, eime, 0);
		for (unsigned bit = 1; bit < 128; bit++) {
			bool reserved = (bit >= 12 && bit < 16) || (bit >= 24 && bit < 32) || bit >= 84;
			u64 low = bit < 64 ? 1ull << bit : 0, high = bit < 64 ? 0 : 1ull << (bit - 64);
			u64 address = REQUEST(3);
			u32 data = 0;

			if (!eime)
				reserved |= (bit >= 32 && bit < 40) || (bit >= 48 && bit < 64);
			set_entry(&v, 3, low | 1, high);
			/* FPD would hide it; a bus range of 0..0, and a source id that does not count. */
			if (bit == 1 || bit == 82 || bit == 83)
				continue;
			if (reserved)
				assert_blocked(&v, DEVFN, REQUEST(3), 0, 3, 0x24);
			else
				assert_true(vtd_remap_interrupt(&v.unit, DEVFN, &address, &data));
		}
		/* Values that mean nothing. */
		for (u64 mode = 0; mode < 8; mode++) {
			set_entry(&v, 3, mode << 5 | 1, 0);
			if (mode == 3 || mode == 6)
				assert_blocked(&v, DEVFN, REQUEST(3), 0, 3, 0x24);
			else
				assert_true(sent(&v, DEVFN, REQUEST(3), 0, 0xfee00000, (u32)mode << 8));
		}
		set_entry(&v, 3, 1, SID(3, 0, DEVFN));
		assert_blocked(&v, DEVFN, REQUEST(3), 0, 3, 0x24);
		vtd_rig_destroy(&v);
	}
}

static void the_compatible_format_needs_permission(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v, 0, 0);
	assert_blocked(&v, DEVFN, 0xfee01004, 0x41, 0, 0x25);
	write32(&v, R_GCMD, IRE | CFI);
	assert_true(sent(&v, DEVFN, 0xfee01004, 0x41, 0xfee01004, 0x41));
	assert_int_equal(v.unit.counters.interrupts_compatible, 1);
	write32(&v, R_GCMD, IRE);
	assert_blocked(&v, DEVFN, 0xfee01004, 0x41, 0, 0x25);
	vtd_rig_destroy(&v);
	/* In x2APIC mode there is none. */
	start(&v, 0x800, CFI);
	assert_blocked(&v, DEVFN, 0xfee01004, 0x41, 0, 0x25);
	vtd_rig_destroy(&v);
}

static void a_source_id_is_compared_as_far_as_the_entry_says(void **state)
{
	static const struct {
		u64 sid;
		u16 requester;
		bool good;
	} cases[] = {
		{ SID(0, 0, 0), DEVFN, true },
		{ SID(1, 0, DEVFN), DEVFN, true },
		{ SID(1, 0, DEVFN), OTHER, false },
		{ SID(1, 0, DEVFN), DEVFN | 1, false },
		{ SID(1, 0, DEVFN), DEVFN | 0x100, false },
		{ SID(1, 1, DEVFN), DEVFN | 4, true },
		{ SID(1, 1, DEVFN), DEVFN | 2, false },
		{ SID(1, 2, DEVFN), DEVFN | 6, true },
		{ SID(1, 2, DEVFN), DEVFN | 1, false },
		{ SID(1, 3, DEVFN), DEVFN | 7, true },
		{ SID(1, 3, DEVFN), OTHER, false },
		{ SID(2, 0, 0x0000), DEVFN, true },
		{ SID(2, 0, 0x0103), DEVFN, false },
		{ SID(2, 0, 0x0103), 0x0100, true },
		{ SID(2, 0, 0x0103), 0x03ff, true },
		{ SID(2, 0, 0x0103), 0x0400, false },
		{ SID(2, 0, 0x0301), 0x0200, false },
	};
	struct vtd_rig v;

	(void)state;
	start(&v, 0, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		set_entry(&v, 3, 0x51 << 16 | 1, cases[i].sid);
		if (cases[i].good)
			assert_true(sent(&v, cases[i].requester, REQUEST(3), 0, 0xfee00000, 0x51));
		else
			assert_blocked(&v, cases[i].requester, REQUEST(3), 0, 3, 0x26);
	}
	vtd_rig_destroy(&v);
}

static void the_ioapic_is_spared_the_comparison_only_if_the_board_says_so(void **state)
{
	struct vtd_config config;
	struct vtd_rig v;

	(void)state;
	start(&v, 0, 0);
	set_entry(&v, 3, 0xed << 16 | 1, SID(1, 0, DEVFN));
	assert_blocked(&v, IOAPIC, REQUEST(3), 0xc000, 3, 0x26);
	set_entry(&v, 3, 0xed << 16 | 1, SID(1, 0, IOAPIC));
	assert_true(sent(&v, IOAPIC, REQUEST(3), 0xc000, 0xfee00000, 0xed));
	vtd_rig_destroy(&v);

	vtd_rig_prepare(&v);
	config = vtd_rig_config(&v);
	config.ioapic_unverified = true;
	vtd_rig_init_as(&v, &config);
	write64(&v, R_IRTA, INTERRUPTS | 7);
	write32(&v, R_GCMD, SIRTP | IRE);
	set_entry(&v, 3, 0xed << 16 | 1, SID(1, 0, DEVFN));
	assert_true(sent(&v, IOAPIC, REQUEST(3), 0xc000, 0xfee00000, 0xed));
	assert_blocked(&v, OTHER, REQUEST(3), 0, 3, 0x26);
	vtd_rig_destroy(&v);
}

static void an_entry_can_keep_its_faults_from_the_guest(void **state)
{
	u64 address = REQUEST(3);
	struct vtd_rig v;
	u32 data = 0;

	(void)state;
	start(&v, 0, 0);
	set_entry(&v, 3, 2, 0);
	assert_false(vtd_remap_interrupt(&v.unit, DEVFN, &address, &data));
	set_entry(&v, 3, 3 | 1 << 24, 0);
	assert_false(vtd_remap_interrupt(&v.unit, DEVFN, &address, &data));
	set_entry(&v, 3, 3, SID(1, 0, OTHER));
	assert_false(vtd_remap_interrupt(&v.unit, DEVFN, &address, &data));
	assert_int_equal(read32(&v, R_FSTS), 0);
	assert_int_equal(v.unit.counters.faults_lost, 3);
	assert_int_equal(v.unit.counters.interrupts_blocked, 3);
	assert_int_equal(v.log.total, 3);
	/* Whatever went before it: another request is recorded. */
	assert_blocked(&v, DEVFN, 0xfee00000, 0, 0, 0x25);
	vtd_rig_destroy(&v);
}

static void an_entry_changes_at_once(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v, 0, 0);
	set_entry(&v, 3, 0x51 << 16 | 1, 0);
	assert_true(sent(&v, DEVFN, REQUEST(3), 0, 0xfee00000, 0x51));
	set_entry(&v, 3, 0x52 << 16 | 1, 0);
	assert_true(sent(&v, DEVFN, REQUEST(3), 0, 0xfee00000, 0x52));
	/* Another table only when it is set. */
	write64(&v, R_IRTA, (INTERRUPTS + 0x1000) | 7);
	put(&v, INTERRUPTS + 0x1000 + 3 * 16, 0x53 << 16 | 1);
	assert_true(sent(&v, DEVFN, REQUEST(3), 0, 0xfee00000, 0x52));
	write32(&v, R_GCMD, SIRTP | IRE);
	assert_true(sent(&v, DEVFN, REQUEST(3), 0, 0xfee00000, 0x53));
	vtd_rig_destroy(&v);
}

static void blocked_interrupts_raise_the_fault_event_and_a_line(void **state)
{
	struct vtd_rig v;
	u64 address = REQUEST(9);
	u32 data = 0;

	(void)state;
	start(&v, 0, 0);
	write32(&v, R_FEDATA, 0x21);
	write32(&v, R_FECTL, 0);
	assert_false(vtd_remap_interrupt(&v.unit, DEVFN, &address, &data));
	assert_int_equal(v.messages, 1);
	assert_string_equal(
		host_log_last(),
		"interrupt denied: edu 00:04.0 index 0x9: fault reason 0x22, interrupt entry absent");
	assert_false(vtd_remap_interrupt(&v.unit, IOAPIC, &address, &data));
	assert_int_equal(v.messages, 1);
	assert_string_equal(
		host_log_last(),
		"interrupt denied: ioapic ff:00.0 index 0x9: fault reason 0x22, interrupt entry absent");
	assert_false(vtd_remap_interrupt(&v.unit, 0x1234, &address, &data));
	assert_string_equal(
		host_log_last(),
		"interrupt denied: ? 12:06.4 index 0x9: fault reason 0x22, interrupt entry absent");
	vtd_rig_destroy(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_remapping_messages_pass_as_they_are),
		cmocka_unit_test(an_entry_says_what_the_interrupt_is),
		cmocka_unit_test(x2apic_mode_has_destinations_of_32_bits),
		cmocka_unit_test(what_is_no_interrupt_is_not_made_one),
		cmocka_unit_test(the_index_is_handle_and_subhandle),
		cmocka_unit_test(reserved_bits_of_a_request_are_refused),
		cmocka_unit_test(entries_that_are_absent_or_not_in_memory_are_refused),
		cmocka_unit_test(every_reserved_bit_of_an_entry_is_refused),
		cmocka_unit_test(the_compatible_format_needs_permission),
		cmocka_unit_test(a_source_id_is_compared_as_far_as_the_entry_says),
		cmocka_unit_test(the_ioapic_is_spared_the_comparison_only_if_the_board_says_so),
		cmocka_unit_test(an_entry_can_keep_its_faults_from_the_guest),
		cmocka_unit_test(an_entry_changes_at_once),
		cmocka_unit_test(blocked_interrupts_raise_the_fault_event_and_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
