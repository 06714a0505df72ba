// SPDX-License-Identifier: BSD-2-Clause
/* MSI and MSI-X: enabling, masks and pending bits, multiple vectors, bus mastering, odd addresses. */
#include "tests/unit/pci_rig.h"

#define SLOT	 PCI_DEVFN(4, 0)
#define MSI	 0x40
#define TABLE	 0xc0100000ull
#define PENDING	 (TABLE + 2048)
#define MASTER	 PCI_COMMAND_MASTER
#define MSG	 0xfee01000u
#define MSIX_BAR 0

struct fixture {
	struct pci_rig *rig;
	struct pci_function pci;
};

static void init(struct fixture *f)
{
	static const struct pci_id id = { .vendor = 0xabcd };

	f->rig = pci_rig_new();
	pci_function_init(&f->pci, "card", &id);
	pci_add_intx(&f->pci, 1);
}

static void add(struct fixture *f, struct address_space *as)
{
	assert_int_equal(pci_add(&f->rig->host, &f->pci, SLOT, as), 0);
	pci_rig_set_config(f->rig, SLOT, PCI_COMMAND, 2, MASTER);
}

static void done(struct fixture *f)
{
	if (f->pci.bar[MSIX_BAR].region)
		region_remove(f->pci.bar[MSIX_BAR].region);
	pci_rig_free(f->rig);
}

static u32 config(struct fixture *f, unsigned offset, unsigned size)
{
	return pci_rig_config(f->rig, SLOT, offset, size);
}

static void set(struct fixture *f, unsigned offset, unsigned size, u32 value)
{
	pci_rig_set_config(f->rig, SLOT, offset, size, value);
}

static void make_msi(struct fixture *f, unsigned vectors, bool maskable)
{
	init(f);
	assert_true(msi_add(&f->pci, vectors, maskable));
	add(f, &f->rig->dma);
}

static void msi_capability_layout(void **state)
{
	static const struct {
		unsigned vectors;
		u16 control;
	} table[] = { { 1, 0x80 }, { 2, 0x82 }, { 32, 0x8a } };
	struct fixture f;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		make_msi(&f, table[i].vectors, false);
		assert_int_equal(config(&f, MSI, 4), (u32)table[i].control << 16 | 0x0005);
		for (unsigned offset = 4; offset < 24; offset += 4)
			set(&f, MSI + offset, 4, 0xffffffff);
		assert_int_equal(config(&f, MSI + 4, 4), 0xfffffffc);
		assert_int_equal(config(&f, MSI + 8, 4), 0xffffffff);
		assert_int_equal(config(&f, MSI + 12, 4), 0xffff);
		assert_int_equal(config(&f, MSI + 16, 4), 0);
		set(&f, MSI + 2, 2, 0xffff);
		assert_int_equal(config(&f, MSI + 2, 2), table[i].control | 0x71);
		done(&f);
	}
	make_msi(&f, 4, true);
	assert_int_equal(config(&f, MSI + 2, 2), 0x184);
	set(&f, MSI + 16, 4, 0xffffffff);
	set(&f, MSI + 20, 4, 0xffffffff);
	assert_int_equal(config(&f, MSI + 16, 4), 0xf);
	assert_int_equal(config(&f, MSI + 20, 4), 0);
	done(&f);
	make_msi(&f, 32, true);
	set(&f, MSI + 16, 4, 0xffffffff);
	assert_int_equal(config(&f, MSI + 16, 4), 0xffffffff);
	done(&f);
}

static void program_msi(struct fixture *f, u16 control)
{
	set(f, MSI + 4, 4, MSG);
	set(f, MSI + 8, 4, 0);
	set(f, MSI + 12, 2, 0x4047);
	set(f, MSI + 2, 2, control);
}

static void msi_carries_address_data_and_requester(void **state)
{
	struct fixture f;

	(void)state;
	make_msi(&f, 1, false);
	assert_false(pci_interrupt_by_message(&f.pci, 0));
	program_msi(&f, 1);
	assert_true(pci_interrupt_by_message(&f.pci, 0));
	assert_int_equal(f.rig->messages, 1);
	assert_int_equal(f.rig->message[0].address, MSG);
	assert_int_equal(f.rig->message[0].data, 0x4047);
	assert_int_equal(f.rig->message[0].requester, SLOT);
	set(&f, MSI + 2, 2, 0);
	assert_false(pci_interrupt_by_message(&f.pci, 0));
	assert_int_equal(f.rig->messages, 1);
	done(&f);
}

static void no_message_without_bus_mastering(void **state)
{
	struct fixture f;

	(void)state;
	make_msi(&f, 1, false);
	program_msi(&f, 1);
	set(&f, PCI_COMMAND, 2, 0);
	assert_true(pci_interrupt_by_message(&f.pci, 0));
	assert_int_equal(f.rig->messages, 0);
	assert_int_equal(f.pci.messages_refused, 1);
	set(&f, PCI_COMMAND, 2, MASTER); /* it is lost, not late */
	assert_int_equal(f.rig->messages, 0);
	done(&f);
}

static void several_vectors_fill_the_low_bits_as_far_as_allowed(void **state)
{
	static const struct {
		u16 control;
		unsigned vector;
		u32 data;
	} table[] = {
		{ 0x01, 3, 0x4047 }, { 0x11, 0, 0x4046 }, { 0x11, 1, 0x4047 },
		{ 0x11, 2, 0x4046 }, { 0x21, 2, 0x4046 }, { 0x21, 3, 0x4047 },
		{ 0x31, 5, 0x4045 }, { 0x71, 3, 0x4047 }, /* more than there are */
	};
	struct fixture f;

	(void)state;
	make_msi(&f, 4, false);
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		program_msi(&f, table[i].control);
		f.rig->messages = 0;
		msi_raise(&f.pci, table[i].vector);
		assert_int_equal(f.rig->messages, 1);
		assert_int_equal(f.rig->message[0].data, table[i].data);
	}
	done(&f);
}

static void a_masked_vector_waits(void **state)
{
	struct fixture f;

	(void)state;
	make_msi(&f, 4, true);
	program_msi(&f, 0x21);
	set(&f, MSI + 16, 4, 0x6);
	msi_raise(&f.pci, 1);
	msi_raise(&f.pci, 2);
	msi_raise(&f.pci, 2);
	assert_int_equal(f.rig->messages, 0);
	assert_int_equal(config(&f, MSI + 20, 4), 0x6);
	msi_raise(&f.pci, 3);
	assert_int_equal(f.rig->messages, 1);
	set(&f, MSI + 16, 1, 0x4);
	assert_int_equal(f.rig->messages, 2);
	assert_int_equal(f.rig->message[1].data, 0x4045);
	assert_int_equal(config(&f, MSI + 20, 4), 0x4);
	set(&f, MSI + 2, 2, 0); /* unmasked while disabled: sent when enabled */
	set(&f, MSI + 16, 4, 0);
	assert_int_equal(f.rig->messages, 2);
	set(&f, MSI + 2, 2, 0x21);
	assert_int_equal(f.rig->messages, 3);
	assert_int_equal(f.rig->message[2].data, 0x4046);
	assert_int_equal(config(&f, MSI + 20, 4), 0);
	done(&f);
}

static void a_message_elsewhere_is_a_write_through_the_port(void **state)
{
	static const u8 expected[] = { 0x47, 0x40, 0, 0 };
	struct fixture f;

	(void)state;
	make_msi(&f, 1, false);
	program_msi(&f, 1);
	set(&f, MSI + 4, 4, 0x1000);
	msi_raise(&f.pci, 0);
	assert_int_equal(f.rig->messages, 0);
	assert_memory_equal(f.rig->bytes + 0x1000, expected, 4);
	set(&f, MSI + 4, 4, 0xfef00000);
	msi_raise(&f.pci, 0);
	set(&f, MSI + 4, 4, MSG);
	set(&f, MSI + 8, 4, 1); /* 0x1fee01000 is no interrupt */
	msi_raise(&f.pci, 0);
	assert_int_equal(f.rig->messages, 0);
	assert_int_equal(f.pci.dma.faults, 2);
	done(&f);
}

static void intx_is_silent_while_messages_are_on(void **state)
{
	struct fixture f;

	(void)state;
	make_msi(&f, 1, false);
	pci_set_interrupt(&f.pci, true);
	assert_true(f.rig->level[4]);
	set(&f, MSI + 2, 2, 1);
	assert_false(f.rig->level[4]);
	set(&f, MSI + 2, 2, 0);
	assert_true(f.rig->level[4]);
	done(&f);
}

/* ---- MSI-X ---- */

static void make_msix(struct fixture *f, unsigned count)
{
	init(f);
	assert_true(msix_add(&f->pci, count, MSIX_BAR));
	add(f, &f->rig->dma);
	set(f, PCI_BAR0, 4, TABLE);
	set(f, PCI_COMMAND, 2, MASTER | PCI_COMMAND_MEMORY);
}

static void program_msix(struct fixture *f, unsigned vector, u32 data)
{
	pci_rig_store(f->rig, TABLE + 16 * vector, 4, MSG | 3); /* the low two bits are none */
	pci_rig_store(f->rig, TABLE + 16 * vector + 4, 4, 0);
	pci_rig_store(f->rig, TABLE + 16 * vector + 8, 4, data);
	pci_rig_store(f->rig, TABLE + 16 * vector + 12, 4, 0xfffffffe);
}

static void msix_capability_and_table_layout(void **state)
{
	struct fixture f;

	(void)state;
	make_msix(&f, 5);
	assert_int_equal(config(&f, 0x40, 4), 0x00040011);
	assert_int_equal(config(&f, 0x44, 4), 0);
	assert_int_equal(config(&f, 0x48, 4), 2048);
	set(&f, 0x42, 2, 0xffff);
	assert_int_equal(config(&f, 0x42, 2), 0xc004);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(pci_rig_load(f.rig, TABLE + 16 * i + 12, 4), 1);
	program_msix(&f, 4, 0x1234);
	assert_int_equal(pci_rig_load(f.rig, TABLE + 64, 8), MSG);
	assert_int_equal(pci_rig_load(f.rig, TABLE + 72, 8), 0x1234);
	pci_rig_store(f.rig, TABLE + 64, 8, 0x1122334455667788);
	assert_int_equal(pci_rig_load(f.rig, TABLE + 64, 8), 0x1122334455667788);
	pci_rig_store(f.rig, TABLE + 80, 4, 0xffffffff); /* entry 5 does not exist */
	assert_int_equal(pci_rig_load(f.rig, TABLE + 80, 4), 0);
	pci_rig_store(f.rig, PENDING, 8, ~0ull); /* read-only */
	assert_int_equal(pci_rig_load(f.rig, PENDING, 8), 0);
	assert_int_equal(pci_rig_load(f.rig, TABLE, 2), 0xffff); /* widths that the table does not decode */
	assert_int_equal(pci_rig_load(f.rig, TABLE + 2, 4), 0xffffffff);
	done(&f);
}

static void msix_vectors_have_messages_of_their_own(void **state)
{
	struct fixture f;

	(void)state;
	make_msix(&f, 3);
	program_msix(&f, 0, 0x50);
	program_msix(&f, 2, 0x52);
	assert_false(pci_interrupt_by_message(&f.pci, 0));
	set(&f, 0x42, 2, 0x8000);
	assert_true(pci_interrupt_by_message(&f.pci, 2));
	assert_true(pci_interrupt_by_message(&f.pci, 0));
	assert_true(pci_interrupt_by_message(&f.pci, 3)); /* ignored */
	assert_true(pci_interrupt_by_message(&f.pci, 64));
	assert_int_equal(f.rig->messages, 2);
	assert_int_equal(f.rig->message[0].address, MSG);
	assert_int_equal(f.rig->message[0].data, 0x52);
	assert_int_equal(f.rig->message[1].data, 0x50);
	assert_int_equal(f.rig->message[1].requester, SLOT);
	done(&f);
}

static void msix_masks_by_vector_and_by_function(void **state)
{
	struct fixture f;

	(void)state;
	make_msix(&f, 40);
	program_msix(&f, 0, 0x50);
	program_msix(&f, 39, 0x77);
	set(&f, 0x42, 2, 0xc000);
	msix_raise(&f.pci, 0);
	msix_raise(&f.pci, 39);
	msix_raise(&f.pci, 7); /* its own mask is on */
	assert_int_equal(f.rig->messages, 0);
	assert_int_equal(pci_rig_load(f.rig, PENDING, 8), BIT(0) | BIT(7) | BIT(39));
	assert_int_equal(pci_rig_load(f.rig, PENDING + 4, 4), BIT(7));
	set(&f, 0x42, 2, 0x8000);
	assert_int_equal(f.rig->messages, 2);
	assert_int_equal(f.rig->message[1].data, 0x77);
	assert_int_equal(pci_rig_load(f.rig, PENDING, 8), BIT(7));
	program_msix(&f, 7, 0x57); /* the last write unmasks */
	assert_int_equal(f.rig->messages, 3);
	assert_int_equal(f.rig->message[2].data, 0x57);
	assert_int_equal(pci_rig_load(f.rig, PENDING, 8), 0);
	pci_rig_store(f.rig, TABLE + 12, 4, 1);
	msix_raise(&f.pci, 0);
	set(&f, 0x42, 2, 0);
	pci_rig_store(f.rig, TABLE + 12, 4, 0);
	assert_int_equal(f.rig->messages, 3);
	set(&f, 0x42, 2, 0x8000);
	assert_int_equal(f.rig->messages, 4);
	done(&f);
}

static void msix_holds_back_intx_and_comes_before_msi(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	assert_true(msix_add(&f.pci, 1, MSIX_BAR));
	assert_true(msi_add(&f.pci, 1, false));
	add(&f, NULL);
	set(&f, PCI_BAR0, 4, TABLE);
	set(&f, PCI_COMMAND, 2, MASTER | PCI_COMMAND_MEMORY);
	program_msix(&f, 0, 0x50);
	set(&f, 0x4e, 2, 1); /* MSI lies behind */
	set(&f, 0x42, 2, 0x8000);
	pci_set_interrupt(&f.pci, true);
	assert_false(f.rig->level[4]);
	assert_true(pci_interrupt_by_message(&f.pci, 0));
	assert_int_equal(f.rig->message[0].data, 0x50);
	set(&f, 0x4e, 2, 0);
	set(&f, 0x42, 2, 0);
	assert_true(f.rig->level[4]);
	done(&f);
}

static void impossible_tables_are_refused(void **state)
{
	struct fixture f;

	(void)state;
	init(&f);
	assert_false(msix_add(&f.pci, 0, MSIX_BAR));
	assert_false(msix_add(&f.pci, MSIX_MAX + 1, MSIX_BAR));
	assert_false(msix_add(&f.pci, 1, 6));
	while (pci_add_capability(&f.pci, 9, 4))
		;
	assert_false(msix_add(&f.pci, 1, MSIX_BAR));
	assert_false(msi_add(&f.pci, 1, false));
	assert_false(msi_enabled(&f.pci));
	assert_false(msix_enabled(&f.pci));
	pci_rig_free(f.rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msi_capability_layout),
		cmocka_unit_test(msi_carries_address_data_and_requester),
		cmocka_unit_test(no_message_without_bus_mastering),
		cmocka_unit_test(several_vectors_fill_the_low_bits_as_far_as_allowed),
		cmocka_unit_test(a_masked_vector_waits),
		cmocka_unit_test(a_message_elsewhere_is_a_write_through_the_port),
		cmocka_unit_test(intx_is_silent_while_messages_are_on),
		cmocka_unit_test(msix_capability_and_table_layout),
		cmocka_unit_test(msix_vectors_have_messages_of_their_own),
		cmocka_unit_test(msix_masks_by_vector_and_by_function),
		cmocka_unit_test(msix_holds_back_intx_and_comes_before_msi),
		cmocka_unit_test(impossible_tables_are_refused),
	};

	return cmocka_run_group_tests_name("msi", tests, NULL, NULL);
}
