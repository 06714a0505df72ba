// SPDX-License-Identifier: BSD-2-Clause
/* The PCI bus: configuration access, masks, BARs in the address map, INTx, placing. */
#include <errno.h>

#include "tests/unit/host_log.h"
#include "tests/unit/pci_rig.h"

/* A function with one BAR of each kind. Its registers answer with the BAR's number and the offset. */
struct card {
	struct pci_function pci;
	struct region bars[3];
	u8 written_at, read_at;
	unsigned written, read;
};

static enum mem_result card_read(void *device, u64 offset, unsigned size, u64 *value)
{
	(void)size;
	*value = (uintptr_t)device << 16 | (offset & 0xffff);
	return MEM_OK;
}

static enum mem_result card_write(void *device, u64 offset, unsigned size, u64 value)
{
	(void)device, (void)offset, (void)size, (void)value;
	return MEM_OK;
}

static const struct region_ops card_ops = { .read = card_read,
					    .write = card_write,
					    .valid = { 1, 4, false } };

static void card_written(struct pci_function *function, u8 offset, unsigned size)
{
	struct card *card = container_of(function, struct card, pci);

	card->written++;
	card->written_at = offset;
	assert_true(size == 1 || size == 2 || size == 4);
}

static void card_reading(struct pci_function *function, u8 offset, unsigned size)
{
	struct card *card = container_of(function, struct card, pci);

	(void)size;
	card->read++;
	card->read_at = offset;
}

#define CARD_MEMORY32 0x2000ull
#define CARD_IO	      0x40ull
#define CARD_MEMORY64 (8 * GiB)

static void card_init(struct card *card, const char *name)
{
	static const struct pci_id id = { 0xabcd, 0x1234, 0x020080, 7, 0x1af4, 0x1100 };

	memset(card, 0, sizeof(*card));
	region_init_mmio(&card->bars[0], "card memory", CARD_MEMORY32, &card_ops, (void *)1);
	region_init_mmio(&card->bars[1], "card ports", CARD_IO, &card_ops, (void *)2);
	region_init_mmio(&card->bars[2], "card memory 64", CARD_MEMORY64, &card_ops, (void *)3);
	pci_function_init(&card->pci, name, &id);
	assert_true(pci_add_bar(&card->pci, 0, PCI_BAR_MEMORY32, &card->bars[0]));
	assert_true(pci_add_bar(&card->pci, 1, PCI_BAR_IO, &card->bars[1]));
	assert_true(pci_add_bar(&card->pci, 2, PCI_BAR_MEMORY64 | PCI_BAR_PREFETCH, &card->bars[2]));
	pci_add_intx(&card->pci, 1);
	card->pci.written = card_written;
	card->pci.reading = card_reading;
}

static void card_remove(struct card *card)
{
	for (unsigned i = 0; i < 3; i++)
		region_remove(&card->bars[i]);
}

#define SLOT PCI_DEVFN(4, 0)

struct fixture {
	struct pci_rig *rig;
	struct card card, other;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->rig = pci_rig_new();
	card_init(&f->card, "card");
	card_init(&f->other, "other");
	assert_int_equal(pci_add(&f->rig->host, &f->card.pci, SLOT, &f->rig->dma), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	card_remove(&f->card);
	card_remove(&f->other);
	pci_rig_free(f->rig);
	free(f);
	return 0;
}

/* ---- ways in ---- */

static void the_host_bridge_is_what_linux_looks_for(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	assert_int_equal(pci_rig_config(rig, 0, 0x0a, 2), 0x0600);
	assert_int_equal(pci_rig_config(rig, 0, 0x0e, 1), 0);
	assert_int_not_equal(pci_rig_config(rig, 0, 0, 4), 0xffffffff);
}

static void absent_functions_read_as_ones(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	for (unsigned devfn = 1; devfn < 256; devfn++) {
		if (devfn == SLOT)
			continue;
		assert_int_equal(pci_rig_config(rig, devfn, 0, 4), 0xffffffff);
		assert_int_equal(pci_rig_config(rig, devfn, 0, 2), 0xffff);
		assert_int_equal(pci_rig_config(rig, devfn, 3, 1), 0xff);
		pci_rig_set_config(rig, devfn, 4, 4, 0xffffffff);
	}
	/* another bus */
	pci_rig_out(rig, 0xcf8, 4, 0x80010000 | SLOT << 8);
	assert_int_equal(pci_rig_in(rig, 0xcfc, 4), 0xffffffff);
	pci_rig_out(rig, 0xcfc, 4, 0);
}

static void the_address_latch_takes_32_bits_only(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	pci_rig_out(rig, 0xcf8, 4, 0x80000000);
	assert_int_equal(pci_rig_in(rig, 0xcf8, 4), 0x80000000);
	pci_rig_out(rig, 0xcfb, 1, 1); /* the probe of mechanism 1 */
	pci_rig_out(rig, 0xcf8, 1, 0x55);
	pci_rig_out(rig, 0xcf8, 2, 0x5555);
	pci_rig_out(rig, 0xcfa, 2, 0x5555);
	assert_int_equal(pci_rig_in(rig, 0xcf8, 4), 0x80000000);
	pci_rig_out(rig, 0xcf8, 4, 0xffffffff);
	assert_int_equal(pci_rig_in(rig, 0xcf8, 4), 0x80ffffff);
	assert_int_equal(pci_rig_in(rig, 0xcf8, 1), 0xff);
	assert_int_equal(pci_rig_in(rig, 0xcfa, 2), 0xffff);
	assert_int_equal(pci_rig_in(rig, 0xcfa, 4), 0xffffffff); /* across into the data */
	assert_int_equal(rig->resets, 0);
}

static void single_bytes_at_cf9_are_the_reset_register(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	pci_rig_out(rig, 0xcf8, 4, 0x80001234);
	pci_rig_out(rig, 0xcf9, 1, 0x06);
	assert_int_equal(rig->resets, 1);
	assert_int_equal(pci_rig_in(rig, 0xcf9, 1), 0x06);
	assert_int_equal(pci_rig_in(rig, 0xcf8, 4), 0x80001234);
	pci_rig_out(rig, 0xcf9, 2, 0x0606);
	pci_rig_out(rig, 0xcfa, 1, 0x06);
	assert_int_equal(rig->resets, 1);
	rig->host.reset_ops = NULL;
	pci_rig_out(rig, 0xcf9, 1, 0x06);
	assert_int_equal(pci_rig_in(rig, 0xcf9, 1), 0xff);
	assert_int_equal(rig->resets, 1);
}

static void data_ports_serve_both_conventions(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	for (unsigned offset = 0; offset < 4; offset++) {
		static const u8 bytes[] = { 0xcd, 0xab, 0x34, 0x12 };

		/* by the port */
		pci_rig_out(rig, 0xcf8, 4, 0x80000000 | SLOT << 8);
		assert_int_equal(pci_rig_in(rig, 0xcfc + offset, 1), bytes[offset]);
		/* by the address */
		pci_rig_out(rig, 0xcf8, 4, 0x80000000 | SLOT << 8 | offset);
		assert_int_equal(pci_rig_in(rig, 0xcfc, 1), bytes[offset]);
	}
	pci_rig_out(rig, 0xcf8, 4, 0x80000002 | SLOT << 8);
	assert_int_equal(pci_rig_in(rig, 0xcfc, 2), 0x1234);
	assert_int_equal(pci_rig_in(rig, 0xcfc, 4), 0xffffffff); /* leaves the dword */
	assert_int_equal(pci_rig_in(rig, 0xcfd, 2), 0xffff);
	pci_rig_out(rig, 0xcf8, 4, SLOT << 8); /* not enabled */
	assert_int_equal(pci_rig_in(rig, 0xcfc, 4), 0xffffffff);
	pci_rig_out(rig, 0xcf8, 4, 0x8000003c | SLOT << 8);
	pci_rig_out(rig, 0xcf8, 4, 0x0000003c | SLOT << 8);
	pci_rig_out(rig, 0xcfc, 1, 0x99);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x3c, 1), 16 + 4);
}

static void ecam_shows_the_same(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;
	u64 value;

	assert_int_equal(pci_ecam_ops.read(&rig->host, SLOT << 12, 4, &value), MEM_OK);
	assert_int_equal(value, 0x1234abcd);
	assert_int_equal(pci_ecam_ops.write(&rig->host, SLOT << 12 | 0x3c, 1, 0x0b), MEM_OK);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x3c, 1), 0x0b);
	pci_ecam_ops.read(&rig->host, SLOT << 12 | 0x100, 4, &value); /* no extended space */
	assert_int_equal(value, 0xffffffff);
	pci_ecam_ops.write(&rig->host, SLOT << 12 | 0xffc, 4, 0);
	pci_ecam_ops.read(&rig->host, 0x100000 | SLOT << 12, 2, &value); /* bus 1 */
	assert_int_equal(value, 0xffff);
	pci_ecam_ops.write(&rig->host, 0xfffffff, 1, 0);
}

/* ---- masks ---- */

static void every_byte_has_its_masks(void **state)
{
	struct fixture *f = *state;
	struct pci_rig *rig = f->rig;
	struct pci_function *function = &f->card.pci;

	function->clears[0x50] = 0xf0;
	function->writable[0x51] = 0x0f;
	function->config[0x50] = 0xff;
	function->config[0x51] = 0xf0;
	pci_rig_set_config(rig, SLOT, 0x50, 2, 0xff33);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x50, 1), 0xcf);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x51, 1), 0xff);
	pci_rig_set_config(rig, SLOT, 0x51, 1, 0);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x51, 1), 0xf0);
	assert_int_equal(pci_rig_config(rig, SLOT, 0x50, 1), 0xcf);
}

static void the_header_after_all_ones_and_all_zeros(void **state)
{
	static const struct {
		u8 offset;
		u32 ones, zeros;
	} table[] = {
		{ 0x00, 0x1234abcd, 0x1234abcd },
		{ 0x04, 0x00000547, 0 },
		{ 0x08, 0x02008007, 0x02008007 },
		{ 0x0c, 0x000000ff, 0 },
		{ 0x10, 0xffffe000, 0 },
		{ 0x14, 0xffffffc1, 1 },
		{ 0x18, 0x0000000c, 0xc },
		{ 0x1c, 0xfffffffe, 0 },
		{ 0x20, 0, 0 },
		{ 0x24, 0, 0 },
		{ 0x28, 0, 0 },
		{ 0x2c, 0x11001af4, 0x11001af4 },
		{ 0x30, 0, 0 },
		{ 0x34, 0, 0 },
		{ 0x38, 0, 0 },
		{ 0x3c, 0x01ff, 0x0100 },
	};
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		pci_rig_set_config(rig, SLOT, table[i].offset, 4, 0xffffffff);
		assert_int_equal(pci_rig_config(rig, SLOT, table[i].offset, 4), table[i].ones);
		pci_rig_set_config(rig, SLOT, table[i].offset, 4, 0);
		assert_int_equal(pci_rig_config(rig, SLOT, table[i].offset, 4), table[i].zeros);
	}
}

static void status_errors_clear_by_one(void **state)
{
	struct fixture *f = *state;

	f->card.pci.config[PCI_STATUS + 1] = 0xf9;
	pci_rig_set_config(f->rig, SLOT, PCI_COMMAND, 4, 0x20000000);
	assert_int_equal(pci_rig_config(f->rig, SLOT, PCI_STATUS, 2), 0xd900);
	pci_rig_set_config(f->rig, SLOT, PCI_STATUS, 2, 0xffff);
	assert_int_equal(pci_rig_config(f->rig, SLOT, PCI_STATUS, 2), 0);
}

static void a_function_sees_its_accesses(void **state)
{
	struct fixture *f = *state;

	f->card.written = f->card.read = 0;
	pci_rig_set_config(f->rig, SLOT, 0x92, 2, 0);
	pci_rig_config(f->rig, SLOT, 0x93, 1);
	assert_int_equal(f->card.written, 1);
	assert_int_equal(f->card.written_at, 0x92);
	assert_int_equal(f->card.read, 1);
	assert_int_equal(f->card.read_at, 0x93);
}

static void capabilities_form_a_list(void **state)
{
	struct pci_function *function = &((struct fixture *)*state)->other.pci;
	unsigned count = 0;

	assert_int_equal(pci_add_capability(function, 9, 1), 0);
	assert_int_equal(pci_read16(function, PCI_STATUS), 0);
	assert_int_equal(pci_add_capability(function, 9, 20), 0x40);
	assert_int_equal(pci_add_capability(function, 5, 14), 0x54);
	assert_int_equal(pci_add_capability(function, 0x11, 12), 0x64);
	assert_int_equal(function->config[PCI_CAPABILITIES], 0x40);
	assert_int_equal(pci_read16(function, 0x40), 0x5409);
	assert_int_equal(pci_read16(function, 0x54), 0x6405);
	assert_int_equal(pci_read16(function, 0x64), 0x0011);
	assert_int_equal(pci_read16(function, PCI_STATUS), PCI_STATUS_CAPABILITIES);
	assert_int_equal(pci_add_capability(function, 9, 0x91), 0);
	while (pci_add_capability(function, 9, 16))
		count++;
	assert_int_equal(count, 9);
	assert_int_equal(pci_add_capability(function, 9, 2), 0);
}

static void impossible_bars_are_refused(void **state)
{
	struct pci_function *function = &((struct fixture *)*state)->other.pci;
	struct region region;

	region_init_mmio(&region, "odd", 0x3000, &card_ops, NULL);
	assert_false(pci_add_bar(function, 4, PCI_BAR_MEMORY32, &region));
	region_init_mmio(&region, "small", 8, &card_ops, NULL);
	assert_false(pci_add_bar(function, 4, PCI_BAR_MEMORY32, &region));
	region_init_mmio(&region, "smaller", 2, &card_ops, NULL);
	assert_false(pci_add_bar(function, 4, PCI_BAR_IO, &region));
	region_init_mmio(&region, "wide ports", 512, &card_ops, NULL);
	assert_false(pci_add_bar(function, 4, PCI_BAR_IO, &region));
	region_init_mmio(&region, "large", 4 * GiB, &card_ops, NULL);
	assert_false(pci_add_bar(function, 4, PCI_BAR_MEMORY32, &region));
	assert_false(pci_add_bar(function, 5, PCI_BAR_MEMORY64, &region)); /* no room for its upper half */
	assert_false(pci_add_bar(function, 6, PCI_BAR_MEMORY32, &region));
	region_init_mmio(&region, "whole", REGION_SIZE_WHOLE, &card_ops, NULL);
	assert_false(pci_add_bar(function, 4, PCI_BAR_MEMORY64, &region));
	region_init_mmio(&region, "good", 4 * GiB, &card_ops, NULL);
	assert_true(pci_add_bar(function, 4, PCI_BAR_MEMORY64, &region));
}

/* ---- BARs in the map ---- */

static void size_bar(struct pci_rig *rig, unsigned offset, u32 expected)
{
	u32 old = pci_rig_config(rig, SLOT, offset, 4);

	pci_rig_set_config(rig, SLOT, offset, 4, 0xffffffff);
	assert_int_equal(pci_rig_config(rig, SLOT, offset, 4), expected);
	pci_rig_set_config(rig, SLOT, offset, 4, old);
	assert_int_equal(pci_rig_config(rig, SLOT, offset, 4), old);
}

static void sizing_tells_the_size_and_restores(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	assert_int_equal(pci_place_bars(&rig->host, RIG_WINDOW, 64 * GiB, 0x1000, 0xffff), 0);
	for (unsigned command = 0; command < 4; command += 3) { /* decoding off, and left on */
		pci_rig_set_config(rig, SLOT, PCI_COMMAND, 2, command);
		size_bar(rig, 0x10, 0xffffe000);
		size_bar(rig, 0x14, 0xffffffc1);
		size_bar(rig, 0x18, 0x0000000c);
		size_bar(rig, 0x1c, 0xfffffffe);
	}
}

#define AT_BAR(bar, offset) ((u64)(bar) << 16 | (offset))

static void memory_decode_takes_effect_at_once(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	pci_rig_set_config(rig, SLOT, 0x10, 4, 0xc0100000);
	assert_int_equal(pci_rig_load(rig, 0xc0100010, 4), 0xffffffff);
	pci_rig_set_config(rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_IO);
	assert_int_equal(pci_rig_load(rig, 0xc0100010, 4), 0xffffffff);
	pci_rig_set_config(rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(pci_rig_load(rig, 0xc0100010, 4), AT_BAR(1, 0x10));
	assert_int_equal(pci_rig_load(rig, 0xc0101ffc, 4), AT_BAR(1, 0x1ffc));
	assert_int_equal(pci_rig_load(rig, 0xc0102000, 4), 0xffffffff);
	pci_rig_set_config(rig, SLOT, PCI_COMMAND, 1, 0);
	assert_int_equal(pci_rig_load(rig, 0xc0100010, 4), 0xffffffff);
}

static void io_decode_takes_effect_at_once(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	pci_rig_set_config(rig, SLOT, 0x14, 4, 0x2001);
	assert_int_equal(pci_rig_in(rig, 0x2004, 4), 0xffffffff);
	pci_rig_set_config(rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_IO);
	assert_int_equal(pci_rig_in(rig, 0x2004, 4), AT_BAR(2, 4));
	pci_rig_set_config(rig, SLOT, 0x14, 4, 0x3000); /* moved while decoding */
	assert_int_equal(pci_rig_in(rig, 0x2004, 4), 0xffffffff);
	assert_int_equal(pci_rig_in(rig, 0x3004, 4), AT_BAR(2, 4));
	pci_rig_set_config(rig, SLOT, 0x14, 4, 0x12000); /* beyond 64 KiB: nowhere, and not folded */
	assert_int_equal(pci_rig_in(rig, 0x2004, 4), 0xffffffff);
	pci_rig_set_config(rig, SLOT, 0x14, 4, 0xcc0); /* on the configuration ports, outside of the window */
	assert_int_equal(pci_rig_config(rig, SLOT, 0, 4), 0x1234abcd);
}

static void bars_move_and_vanish_outside_the_window(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;
	u64 rebuilds;

	rig->bytes[0x1000] = 0x5a;
	pci_rig_set_config(rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	pci_rig_set_config(rig, SLOT, 0x10, 4, 0xd0000000);
	assert_int_equal(pci_rig_load(rig, 0xd0000004, 4), AT_BAR(1, 4));
	pci_rig_set_config(rig, SLOT, 0x10, 4, 0xe0000000);
	assert_int_equal(pci_rig_load(rig, 0xd0000004, 4), 0xffffffff);
	assert_int_equal(pci_rig_load(rig, 0xe0000004, 4), AT_BAR(1, 4));
	pci_rig_set_config(rig, SLOT, 0x10, 4, 0); /* over RAM */
	assert_int_equal(pci_rig_load(rig, 0xe0000004, 4), 0xffffffff);
	assert_int_equal(pci_rig_load(rig, 0x1000, 1), 0x5a);
	pci_rig_set_config(rig, SLOT, 0x10, 4, 0xfee00000); /* over the local APIC's page */
	assert_int_equal(pci_rig_load(rig, 0xfee00000, 4), 0xffffffff);
	pci_rig_set_config(rig, SLOT, 0x10, 4, 0xfebfe000); /* the window's last bytes */
	assert_int_equal(pci_rig_load(rig, 0xfebffffc, 4), AT_BAR(1, 0x1ffc));
	pci_rig_set_config(rig, SLOT, 0x10, 4, 0xfffff000);
	assert_int_equal(pci_rig_load(rig, 0xffffe000, 4), 0xffffffff);
	rebuilds = rig->core.rebuilds;
	pci_rig_set_config(rig, SLOT, 0x3c, 1, 9); /* nothing to do with the map */
	pci_rig_set_config(rig, SLOT, 0x10, 4, 0xfffff000);
	assert_int_equal(rig->core.rebuilds, rebuilds);
}

static void a_64_bit_bar_moves_by_halves(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	pci_rig_set_config(rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	pci_rig_set_config(rig, SLOT, 0x1c, 4, 16); /* 64 GiB */
	assert_int_equal(pci_rig_load(rig, RIG_HIGH_WINDOW + 8, 4), AT_BAR(3, 8));
	pci_rig_set_config(rig, SLOT, 0x18, 4, 0xffffffff); /* the lower half has no bits of its own */
	assert_int_equal(pci_rig_load(rig, RIG_HIGH_WINDOW + 8, 4), AT_BAR(3, 8));
	pci_rig_set_config(rig, SLOT, 0x1c, 4, 18);
	assert_int_equal(pci_rig_load(rig, RIG_HIGH_WINDOW + 8, 4), 0xffffffff);
	assert_int_equal(pci_rig_load(rig, RIG_HIGH_WINDOW + CARD_MEMORY64, 4), AT_BAR(3, 0));
	pci_rig_set_config(rig, SLOT, 0x1c, 4, 0xffffffff); /* up to 2^64 - 1 */
	assert_int_equal(pci_bar_address(&((struct fixture *)*state)->card.pci, 2), 0ull - CARD_MEMORY64);
}

static void bars_may_lie_on_top_of_each_other(void **state)
{
	struct fixture *f = *state;
	u8 slot = PCI_DEVFN(5, 0);

	assert_int_equal(pci_add(&f->rig->host, &f->other.pci, slot, NULL), 0);
	pci_rig_set_config(f->rig, SLOT, 0x10, 4, 0xc0100000);
	pci_rig_set_config(f->rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	pci_rig_set_config(f->rig, slot, 0x10, 4, 0xc0100000);
	pci_rig_set_config(f->rig, slot, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(pci_rig_load(f->rig, 0xc0100010, 4), AT_BAR(1, 0x10));
	pci_rig_set_config(f->rig, slot, PCI_COMMAND, 2, 0);
	assert_int_equal(pci_rig_load(f->rig, 0xc0100010, 4), AT_BAR(1, 0x10));
	pci_rig_set_config(f->rig, SLOT, PCI_COMMAND, 2, 0);
	assert_int_equal(pci_rig_load(f->rig, 0xc0100010, 4), 0xffffffff);
}

static void placing_fills_the_windows_in_order(void **state)
{
	struct fixture *f = *state;
	struct pci_rig *rig = f->rig;
	u8 slot = PCI_DEVFN(5, 0);

	assert_int_equal(pci_add(&rig->host, &f->other.pci, slot, NULL), 0);
	assert_int_equal(pci_place_bars(&rig->host, 0xfebf9000, 64 * GiB, 0x1000, 0x107f), 0);
	assert_int_equal(pci_bar_address(&f->card.pci, 0), 0xfebfa000);
	assert_int_equal(pci_bar_address(&f->card.pci, 1), 0x1000);
	assert_int_equal(pci_bar_address(&f->card.pci, 2), 8 * GiB);
	assert_int_equal(pci_bar_address(&f->other.pci, 0), 0xfebfc000);
	assert_int_equal(pci_bar_address(&f->other.pci, 1), 0x1040);
	assert_int_equal(pci_bar_address(&f->other.pci, 2), 16 * GiB);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pci_rig_config(rig, i ? slot : SLOT, PCI_COMMAND, 2),
				 PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	assert_int_equal(pci_rig_config(rig, 0, PCI_COMMAND, 2), 0);
	assert_int_equal(pci_rig_in(rig, 0x1048, 4), AT_BAR(2, 8));
	assert_int_equal(pci_rig_load(rig, 0xfebfc008, 4), AT_BAR(1, 8));
}

static void what_finds_no_place_stays_off_and_is_named(void **state)
{
	static const struct {
		u64 first, last;
		u32 io_last;
		u8 unplaced;
	} table[] = {
		{ 0xfebfa000, 24 * GiB - 1, 0x103f, 1 }, { 0xfebfa000, 24 * GiB - 2, 0xffff, 2 },
		{ 0xffffe000, 64 * GiB, 0xffff, 0 },	 { 0xfebfa000, 0xfebfdffe, 0xffff, 0 },
		{ ~0ull - 0x1000, ~0ull, 0xffff, 0 },
	};
	struct fixture *f = *state;
	struct pci_rig *rig = f->rig;
	u8 slot = PCI_DEVFN(5, 0);

	assert_int_equal(pci_add(&rig->host, &f->other.pci, slot, NULL), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		host_log_reset();
		assert_int_equal(
			pci_place_bars(&rig->host, table[i].first, table[i].last, 0x1000, table[i].io_last),
			-ENOSPC);
		assert_true(host_log_count() > 0);
		assert_non_null(strstr(host_log_last(), "other: no room for BAR"));
		assert_int_equal(pci_bar_address(&f->other.pci, table[i].unplaced), 0);
		assert_int_equal(pci_rig_config(rig, slot, PCI_COMMAND, 2), 0);
	}
}

static void an_unplaced_bar_covers_nothing(void **state)
{
	struct pci_rig *rig = ((struct fixture *)*state)->rig;

	pci_rig_set_config(rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY); /* 8 GiB at 0 would */
	assert_int_equal(pci_rig_load(rig, RIG_WINDOW, 4), 0xffffffff);
}

/* ---- the bus ---- */

static void a_place_is_taken_once_and_functions_are_announced(void **state)
{
	struct fixture *f = *state;
	struct pci_rig *rig = f->rig;

	assert_int_equal(pci_add(&rig->host, &f->other.pci, SLOT, NULL), -EEXIST);
	assert_int_equal(pci_rig_config(rig, SLOT, PCI_HEADER, 1), 0);
	assert_int_equal(pci_add(&rig->host, &f->other.pci, SLOT + 3, NULL), 0);
	assert_int_equal(pci_rig_config(rig, SLOT, PCI_HEADER, 1), PCI_HEADER_MULTIFUNCTION);
	assert_int_equal(pci_rig_config(rig, SLOT + 3, PCI_HEADER, 1), 0);
	assert_int_equal(pci_requester(&f->other.pci), SLOT + 3);
}

static void a_region_that_has_a_place_already_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(region_add(&f->rig->pci_memory, 0x1000000000, &f->other.bars[2], 0), 0);
	assert_int_equal(pci_add(&f->rig->host, &f->other.pci, PCI_DEVFN(5, 0), NULL), -EBUSY);
	assert_null(f->other.bars[0].parent);
	assert_null(f->other.bars[1].parent);
	assert_int_equal(pci_rig_config(f->rig, PCI_DEVFN(5, 0), 0, 4), 0xffffffff);
}

/* ---- INTx ---- */

static void intx_follows_level_and_disable_bit(void **state)
{
	struct fixture *f = *state;
	struct pci_rig *rig = f->rig;

	assert_int_equal(pci_rig_config(rig, SLOT, PCI_INTERRUPT_LINE, 1), 20);
	pci_set_interrupt(&f->card.pci, true);
	assert_true(rig->level[4]);
	assert_int_equal(pci_rig_config(rig, SLOT, PCI_STATUS, 2), PCI_STATUS_INTERRUPT);
	pci_rig_set_config(rig, SLOT, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
	assert_false(rig->level[4]);
	assert_int_equal(pci_rig_config(rig, SLOT, PCI_STATUS, 2), PCI_STATUS_INTERRUPT);
	pci_rig_set_config(rig, SLOT, PCI_STATUS, 2, 0xffff); /* read-only bit */
	assert_int_equal(pci_rig_config(rig, SLOT, PCI_STATUS, 2), PCI_STATUS_INTERRUPT);
	pci_rig_set_config(rig, SLOT, PCI_COMMAND, 2, 0);
	assert_true(rig->level[4]);
	pci_set_interrupt(&f->card.pci, true);
	pci_set_interrupt(&f->card.pci, false);
	assert_false(rig->level[4]);
	assert_int_equal(pci_rig_config(rig, SLOT, PCI_STATUS, 2), 0);
	assert_int_equal(rig->rises, 2);
}

static void a_shared_wire_is_an_or(void **state)
{
	struct fixture *f = *state;
	struct pci_rig *rig = f->rig;

	/* device 3, INTB is the wire of device 4, INTA */
	pci_add_intx(&f->other.pci, 2);
	assert_int_equal(pci_add(&rig->host, &f->other.pci, PCI_DEVFN(3, 0), NULL), 0);
	pci_set_interrupt(&f->card.pci, true);
	pci_set_interrupt(&f->other.pci, true);
	pci_set_interrupt(&f->card.pci, false);
	assert_true(rig->level[4]);
	pci_set_interrupt(&f->other.pci, false);
	assert_false(rig->level[4]);
	assert_int_equal(rig->rises, 1);
}

static void a_function_without_pin_is_silent(void **state)
{
	struct fixture *f = *state;
	struct pci_rig *rig = f->rig;

	f->other.pci.config[PCI_INTERRUPT_PIN] = 0;
	assert_int_equal(pci_add(&rig->host, &f->other.pci, PCI_DEVFN(3, 0), NULL), 0);
	pci_set_interrupt(&f->other.pci, true);
	pci_set_interrupt(&f->other.pci, false);
	assert_int_equal(rig->rises, 0);
	assert_int_equal(pci_rig_config(rig, PCI_DEVFN(3, 0), 0x3c, 2), 0);
}

static void random_configuration_writes_stay_inside(void **state)
{
	struct fixture *f = *state;
	struct pci_rig *rig = f->rig;
	u64 seed = 7;

	assert_true(msi_add(&f->other.pci, 4, true));
	assert_true(msix_add(&f->other.pci, 5, 4));
	assert_int_equal(pci_add(&rig->host, &f->other.pci, PCI_DEVFN(5, 1), &rig->dma), 0);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned size = 1u << (i % 3);
		u32 value;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		value = seed >> 16;
		pci_rig_set_config(rig, seed >> 63 ? SLOT : PCI_DEVFN(5, 1),
				   (seed >> 50 & 0xff) & ~(size - 1), size, value);
		if (i % 64 == 0)
			pci_rig_load(rig, value, 4);
		if (i % 16 == 0)
			pci_interrupt_by_message(&f->other.pci, i & 7);
		pci_set_interrupt(&f->other.pci, seed >> 40 & 1);
		/* RAM and what lies outside the windows are as they were */
		assert_int_equal(pci_rig_load(rig, 0x2000, 4), 0);
		assert_int_equal(pci_rig_load(rig, 0xfee00000, 4), 0xffffffff);
	}
	region_remove(&f->other.pci.msix.region);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_host_bridge_is_what_linux_looks_for),
		TEST(absent_functions_read_as_ones),
		TEST(the_address_latch_takes_32_bits_only),
		TEST(single_bytes_at_cf9_are_the_reset_register),
		TEST(data_ports_serve_both_conventions),
		TEST(ecam_shows_the_same),
		TEST(every_byte_has_its_masks),
		TEST(the_header_after_all_ones_and_all_zeros),
		TEST(status_errors_clear_by_one),
		TEST(a_function_sees_its_accesses),
		TEST(capabilities_form_a_list),
		TEST(impossible_bars_are_refused),
		TEST(sizing_tells_the_size_and_restores),
		TEST(memory_decode_takes_effect_at_once),
		TEST(io_decode_takes_effect_at_once),
		TEST(bars_move_and_vanish_outside_the_window),
		TEST(a_64_bit_bar_moves_by_halves),
		TEST(bars_may_lie_on_top_of_each_other),
		TEST(placing_fills_the_windows_in_order),
		TEST(what_finds_no_place_stays_off_and_is_named),
		TEST(an_unplaced_bar_covers_nothing),
		TEST(a_place_is_taken_once_and_functions_are_announced),
		TEST(a_region_that_has_a_place_already_is_refused),
		TEST(intx_follows_level_and_disable_bit),
		TEST(a_shared_wire_is_an_or),
		TEST(a_function_without_pin_is_silent),
		TEST(random_configuration_writes_stay_inside),
	};

	return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
