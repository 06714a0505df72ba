// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/isa_rig.h"
#include "devices/ioapic.h"

static struct ioapic ioapic;
static struct {
	u64 address;
	u32 data;
	unsigned count;
} sent;

static void send(void *sink, u64 address, u32 data, u16 requester)
{
	assert_ptr_equal(sink, &sent);
	assert_int_equal(requester, 0xff00);
	sent.address = address;
	sent.data = data;
	sent.count++;
}

static u32 get(u8 reg)
{
	rig_write(&ioapic_ops, &ioapic, 0x00, 4, reg);
	return rig_read(&ioapic_ops, &ioapic, 0x10, 4);
}

static void put(u8 reg, u32 value)
{
	rig_write(&ioapic_ops, &ioapic, 0x00, 4, reg);
	rig_write(&ioapic_ops, &ioapic, 0x10, 4, value);
}

static void rte(unsigned pin, u64 value)
{
	put(0x11 + 2 * pin, value >> 32);
	put(0x10 + 2 * pin, value);
}

static void set(unsigned pin, bool level)
{
	ioapic_set(&ioapic, pin, level);
}

static int setup(void **state)
{
	(void)state;
	memset(&sent, 0, sizeof(sent));
	ioapic_init(&ioapic, 3, (struct msi_sink){ send, &sent }, 0xff00);
	return 0;
}

static void reset_values(void **state)
{
	(void)state;
	for (unsigned pass = 0; pass < 2; pass++) {
		assert_int_equal(rig_read(&ioapic_ops, &ioapic, 0, 4), 0);
		assert_int_equal(get(0), 0x03000000);
		assert_int_equal(get(1), 0x00170020);
		assert_int_equal(get(2), 0x03000000);
		assert_int_equal(get(3), 1);
		for (unsigned i = 0x10; i < 0x40; i++)
			assert_int_equal(get(i), i % 2 ? 0 : 0x00010000);
		for (unsigned i = 0x40; i < 0x100; i++)
			assert_int_equal(get(i), 0);
		for (unsigned i = 0; i < 0x100; i++)
			put(i, ~0u);
		assert_int_equal(get(0), 0x0f000000);
		assert_int_equal(get(1), 0x00170020);
		assert_int_equal(get(2), 0x0f000000);
		assert_int_equal(get(3), 1);
		/* 12 and 14 are read-only, 17..47 do not exist */
		for (unsigned i = 0x10; i < 0x40; i++)
			assert_int_equal(get(i), i % 2 ? 0xffff0000 : 0x0001afff);
		ioapic_reset(&ioapic);
	}
	assert_int_equal(sent.count, 0);
}

static void other_offsets_and_sizes_are_not_decoded(void **state)
{
	u64 value = 0;

	(void)state;
	put(0, 0x05000000);
	for (u64 offset = 0; offset < IOAPIC_SIZE; offset += 4) {
		enum mem_result read = ioapic_ops.read(&ioapic, offset, 4, &value);
		enum mem_result write = ioapic_ops.write(&ioapic, offset, 4, 0);

		assert_int_equal(read, offset == 0 || offset == 0x10 ? MEM_OK : MEM_DECODE_ERROR);
		assert_int_equal(write,
				 offset == 0 || offset == 0x10 || offset == 0x40 ? MEM_OK : MEM_DECODE_ERROR);
	}
	put(0, 0x05000000);
	for (unsigned size = 1; size <= 2; size++) {
		assert_int_equal(ioapic_ops.read(&ioapic, 0x10, size, &value), MEM_DECODE_ERROR);
		assert_int_equal(ioapic_ops.write(&ioapic, 0x10, size, ~0u), MEM_DECODE_ERROR);
		assert_int_equal(ioapic_ops.write(&ioapic, 0x00, size, 0x12), MEM_OK);
		assert_int_equal(rig_read(&ioapic_ops, &ioapic, 0, 4), 0x12);
	}
	assert_int_equal(get(0), 0x05000000);
}

static void edges_send_once_and_are_lost_while_masked(void **state)
{
	(void)state;
	set(4, true);
	set(4, false);
	rte(4, 0x0200000000000031);
	assert_int_equal(sent.count, 0);
	set(4, true);
	assert_int_equal(sent.count, 1);
	assert_true(sent.address == 0xfee02000);
	assert_int_equal(sent.data, 0x31);
	set(4, true);
	assert_int_equal(sent.count, 1);
	set(4, false);
	set(4, true);
	assert_int_equal(sent.count, 2);
	assert_int_equal(get(0x18), 0x31); /* no remote IRR, no status */
	rte(4, 0x0200000000010031);
	rte(4, 0x0200000000000031);
	assert_int_equal(sent.count, 2); /* an edge pin that is up tells nothing when unmasked */
	ioapic_eoi(&ioapic, 0x31);
	assert_int_equal(sent.count, 2);
}

static void level_sends_until_the_wire_falls_once_per_eoi(void **state)
{
	(void)state;
	rte(9, 0x0000000000008041);
	set(9, true);
	assert_int_equal(sent.count, 1);
	assert_int_equal(sent.data, 0xc041);
	assert_int_equal(get(0x22), 0xc041);
	set(9, false);
	set(9, true);
	assert_int_equal(sent.count, 1);
	ioapic_eoi(&ioapic, 0x40);
	assert_int_equal(sent.count, 1);
	ioapic_eoi(&ioapic, 0x41);
	assert_int_equal(sent.count, 2);
	set(9, false);
	assert_int_equal(get(0x22), 0xc041);
	rig_write(&ioapic_ops, &ioapic, 0x40, 4, 0x41); /* the EOI register does the same */
	assert_int_equal(get(0x22), 0x8041);
	assert_int_equal(sent.count, 2);
	ioapic_eoi(&ioapic, 0x41);
	set(9, true);
	assert_int_equal(sent.count, 3);
}

static void one_eoi_serves_all_pins_of_a_vector(void **state)
{
	(void)state;
	for (unsigned pin = 16; pin < 20; pin++) {
		rte(pin, 0x8055);
		set(pin, true);
	}
	assert_int_equal(sent.count, 4);
	set(17, false);
	ioapic_eoi(&ioapic, 0x55);
	assert_int_equal(sent.count, 7);
	assert_int_equal(get(0x10 + 2 * 17), 0x8055);
}

static void level_waits_for_its_mask(void **state)
{
	(void)state;
	rte(9, 0x18041);
	set(9, true);
	assert_int_equal(sent.count, 0);
	rte(9, 0x08041);
	assert_int_equal(sent.count, 1);
	rte(9, 0x18041); /* masked in service: remote IRR stays */
	assert_int_equal(get(0x22), 0x1c041);
	rte(9, 0x08041);
	assert_int_equal(sent.count, 1);
	rte(9, 0x18041);
	ioapic_eoi(&ioapic, 0x41);
	assert_int_equal(get(0x22), 0x18041);
	assert_int_equal(sent.count, 1);
	set(9, false);
	rte(9, 0x08041);
	assert_int_equal(sent.count, 1);
}

static void switching_to_edge_clears_remote_irr(void **state)
{
	(void)state;
	rte(9, 0x8041);
	set(9, true);
	assert_int_equal(get(0x22), 0xc041);
	rte(9, 0x10041);
	assert_int_equal(get(0x22), 0x10041);
	rte(9, 0x8041);
	assert_int_equal(sent.count, 2);
}

static void entry_words_may_be_written_in_either_order(void **state)
{
	(void)state;
	put(0x10 + 2 * 9, 0x8041);
	put(0x11 + 2 * 9, 0x07000000);
	set(9, true);
	assert_int_equal(sent.count, 1);
	assert_true(sent.address == 0xfee07000);
	set(9, false);
	ioapic_eoi(&ioapic, 0x41);
	/* a line that is up is served by the low word, with the destination that is there then */
	put(0x10 + 2 * 9, 0x18041);
	set(9, true);
	put(0x11 + 2 * 9, 0x09000000);
	assert_int_equal(sent.count, 1);
	put(0x10 + 2 * 9, 0x8041);
	assert_int_equal(sent.count, 2);
	assert_true(sent.address == 0xfee09000);
}

static void delivery_and_destination_modes_are_passed_on(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 8; mode++)
		for (unsigned logical = 0; logical < 2; logical++)
			for (unsigned polarity = 0; polarity < 2; polarity++) {
				setup(NULL);
				rte(7,
				    0xa500000000000000 | polarity << 13 | logical << 11 | mode << 8 | 0x66);
				set(7, true);
				assert_int_equal(sent.count, 1);
				assert_true(sent.address == (0xfeea5000 | logical << 2 | (mode == 1) << 3));
				assert_int_equal(sent.data, mode << 8 | 0x66);
			}
}

static void only_fixed_and_lowest_can_be_level(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 8; mode++) {
		setup(NULL);
		rte(7, 0x8066 | mode << 8);
		set(7, true);
		assert_int_equal(sent.count, 1);
		assert_int_equal(sent.data, mode << 8 | 0x66 | (mode < 2 ? 0xc000 : 0));
		assert_int_equal(get(0x1e), 0x8066 | mode << 8 | (mode < 2 ? 0x4000 : 0));
		set(7, false);
		set(7, true);
		assert_int_equal(sent.count, mode < 2 ? 1 : 2);
	}
}

static void remappable_entries_carry_their_index(void **state)
{
	static const u16 indices[] = { 0, 1, 0x1234, 0x7fff, 0x8000, 0xffff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(indices); i++) {
		u64 index = indices[i];

		setup(NULL);
		/* as Linux writes it: pin number in the vector field */
		rte(11, (index & 0x7fff) << 49 | BIT(48) | index >> 15 << 11 | 0x0b);
		assert_true(get(0x27) == (u32)((index & 0x7fff) << 17 | BIT(16)));
		set(11, true);
		assert_int_equal(sent.count, 1);
		assert_true(sent.address == (0xfee00010 | (index & 0x7fff) << 5 | index >> 15 << 2));
		assert_int_equal(sent.data, 0x0b);
	}
	/* level: the EOI register matches the entry's vector field, whatever the remapping made of it */
	rte(12, 5ull << 49 | BIT(48) | 0x800c);
	set(12, true);
	assert_int_equal(sent.data, 0xc00c);
	rig_write(&ioapic_ops, &ioapic, 0x40, 4, 0x0c);
	assert_int_equal(sent.count, 3);
}

static void pins_out_of_range_do_nothing(void **state)
{
	(void)state;
	for (unsigned pin = 0; pin < 24; pin++)
		rte(pin, 0x30 + pin);
	set(24, true);
	set(32, true);
	set(~0u, true);
	assert_int_equal(sent.count, 0);
	set(23, true);
	assert_int_equal(sent.data, 0x47);
}

static void reset_keeps_the_wires(void **state)
{
	(void)state;
	rte(9, 0x8041);
	set(9, true);
	ioapic_reset(&ioapic);
	assert_int_equal(get(0x22), 0x10000);
	rte(9, 0x8042);
	assert_int_equal(sent.count, 2);
	assert_int_equal(sent.data, 0xc042);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reset_values, setup),
		cmocka_unit_test_setup(other_offsets_and_sizes_are_not_decoded, setup),
		cmocka_unit_test_setup(edges_send_once_and_are_lost_while_masked, setup),
		cmocka_unit_test_setup(level_sends_until_the_wire_falls_once_per_eoi, setup),
		cmocka_unit_test_setup(one_eoi_serves_all_pins_of_a_vector, setup),
		cmocka_unit_test_setup(level_waits_for_its_mask, setup),
		cmocka_unit_test_setup(switching_to_edge_clears_remote_irr, setup),
		cmocka_unit_test_setup(entry_words_may_be_written_in_either_order, setup),
		cmocka_unit_test_setup(delivery_and_destination_modes_are_passed_on, setup),
		cmocka_unit_test_setup(only_fixed_and_lowest_can_be_level, setup),
		cmocka_unit_test_setup(remappable_entries_carry_their_index, setup),
		cmocka_unit_test_setup(pins_out_of_range_do_nothing, setup),
		cmocka_unit_test_setup(reset_keeps_the_wires, setup),
	};

	return cmocka_run_group_tests_name("ioapic", tests, NULL, NULL);
}
