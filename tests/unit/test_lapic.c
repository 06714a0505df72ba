// SPDX-License-Identifier: BSD-2-Clause
/* The local APIC model against the tables of SDM vol. 3, chapter 11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/lapic.h"

struct board {
	_Alignas(4096) u32 page[1024];
	struct lapic l;
	u64 now;
	unsigned nmis, inits, sipis, extints, eois, timer_changes, mode_changes, exit_changes;
	int pending; /* argument of the last call, -2: none */
	u8 eoi_vector, sipi_vector;
	u64 moved_to;
	struct lapic_message sent;
	unsigned sends;
};

static u64 op_now(void *owner)
{
	return ((struct board *)owner)->now;
}

static void op_pending(void *owner, int vector)
{
	((struct board *)owner)->pending = vector;
}

static void op_nmi(void *owner)
{
	((struct board *)owner)->nmis++;
}

static void op_init(void *owner)
{
	((struct board *)owner)->inits++;
}

static void op_sipi(void *owner, u8 vector)
{
	((struct board *)owner)->sipis++;
	((struct board *)owner)->sipi_vector = vector;
}

static void op_extint(void *owner)
{
	((struct board *)owner)->extints++;
}

static void op_eoi(void *owner, u8 vector)
{
	((struct board *)owner)->eois++;
	((struct board *)owner)->eoi_vector = vector;
}

static void op_timer_changed(void *owner)
{
	((struct board *)owner)->timer_changes++;
}

static void op_eoi_exit_changed(void *owner, unsigned word)
{
	assert_true(word < 4);
	((struct board *)owner)->exit_changes++;
}

static void op_mode_changed(void *owner)
{
	((struct board *)owner)->mode_changes++;
}

static void op_relocate(void *owner, u64 base)
{
	((struct board *)owner)->moved_to = base;
}

static void op_send(void *owner, const struct lapic_message *message)
{
	((struct board *)owner)->sent = *message;
	((struct board *)owner)->sends++;
}

static const struct lapic_ops ops = {
	.now = op_now,
	.pending = op_pending,
	.nmi = op_nmi,
	.init = op_init,
	.sipi = op_sipi,
	.extint = op_extint,
	.eoi = op_eoi,
	.timer_changed = op_timer_changed,
	.eoi_exit_changed = op_eoi_exit_changed,
	.mode_changed = op_mode_changed,
	.relocate = op_relocate,
};

static const struct lapic_ops bare_ops = { .now = op_now };

static const struct lapic_config standard = {
	.bsp = true, .x2apic = true, .physical_bits = 40, .shortest_period = 1000
};

static void make(struct board *b, const struct lapic_config *config, const struct lapic_ops *with)
{
	memset(b, 0xa5, sizeof(*b)); /* nothing may be left over from what was there */
	memset(&b->now, 0, sizeof(*b) - offsetof(struct board, now));
	lapic_setup(&b->l, b->page, config, with, b);
	b->pending = -2;
	b->timer_changes = b->exit_changes = 0;
}

static u64 read_reg(struct board *b, u32 offset)
{
	u64 value = ~0ull;

	assert_int_equal(lapic_mmio_ops.read(&b->l, offset, 4, &value), MEM_OK);
	return value;
}

static void write_reg(struct board *b, u32 offset, u32 value)
{
	assert_int_equal(lapic_mmio_ops.write(&b->l, offset, 4, value), MEM_OK);
}

static u32 msr_of(u32 offset)
{
	return 0x800 + offset / 16;
}

static u64 read_x2(struct board *b, u32 offset)
{
	u64 value = ~0ull;

	assert_true(lapic_msr_read(&b->l, msr_of(offset), &value));
	return value;
}

static bool write_x2(struct board *b, u32 offset, u64 value)
{
	return lapic_msr_write(&b->l, msr_of(offset), value);
}

static bool set_base(struct board *b, u64 bits)
{
	return lapic_msr_write(&b->l, LAPIC_MSR_BASE, bits);
}

#define OFF    LAPIC_DEFAULT_BASE
#define XAPIC  (LAPIC_DEFAULT_BASE | LAPIC_BASE_ENABLE)
#define X2APIC (LAPIC_DEFAULT_BASE | LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)

static void make_on(struct board *b)
{
	make(b, &standard, &ops);
	write_reg(b, LAPIC_SVR, 0x1ff);
}

static void make_x2(struct board *b, u32 id)
{
	struct lapic_config config = standard;

	config.id = id;
	make(b, &config, &ops);
	assert_true(set_base(b, X2APIC));
	assert_true(write_x2(b, LAPIC_SVR, 0x1ff));
}

/* ---- registers ---- */

static void reset_values(void **state)
{
	static const struct {
		u32 offset, value;
	} expected[] = {
		{ 0x020, 0x05000000 }, { 0x030, 0x00050014 }, { 0x080, 0 },	     { 0x090, 0 },
		{ 0x0a0, 0 },	       { 0x0d0, 0 },	      { 0x0e0, 0xffffffff }, { 0x0f0, 0xff },
		{ 0x280, 0 },	       { 0x300, 0 },	      { 0x310, 0 },	     { 0x320, 0x10000 },
		{ 0x330, 0x10000 },    { 0x340, 0x10000 },    { 0x350, 0x10000 },    { 0x360, 0x10000 },
		{ 0x370, 0x10000 },    { 0x380, 0 },	      { 0x390, 0 },	     { 0x3e0, 0 },
	};
	struct lapic_config config = standard;
	struct board b;
	u64 base;

	(void)state;
	config.id = 5;
	make(&b, &config, &ops);
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(read_reg(&b, expected[i].offset), expected[i].value);
	for (u32 offset = 0x100; offset < 0x280; offset += 16)
		assert_int_equal(read_reg(&b, offset), 0);
	assert_true(lapic_msr_read(&b.l, LAPIC_MSR_BASE, &base));
	assert_int_equal(base, 0xfee00900);
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
	config.bsp = false;
	make(&b, &config, &ops);
	assert_true(lapic_msr_read(&b.l, LAPIC_MSR_BASE, &base));
	assert_int_equal(base, 0xfee00800);
}

static void writable_bits(void **state)
{
	static const struct {
		u32 offset, ones,
			zeros; /* what reads back after all ones, all zeros, with the APIC enabled */
	} expected[] = {
		{ 0x020, 0, 0 },
		{ 0x030, 0x50014, 0x50014 },
		{ 0x080, 0xff, 0 },
		{ 0x0d0, 0xff000000, 0 },
		{ 0x0e0, 0xffffffff, 0x0fffffff },
		{ 0x0f0, 0x3ff, 0 },
		{ 0x310, 0xff000000, 0 },
		{ 0x330, 0x107ff, 0 },
		{ 0x340, 0x107ff, 0 },
		{ 0x350, 0x1a7ff, 0 },
		{ 0x360, 0x1a7ff, 0 },
		{ 0x370, 0x100ff, 0 },
		{ 0x320, 0x700ff, 0 },
		{ 0x3e0, 0xb, 0 },
		{ 0x100, 0, 0 },
		{ 0x180, 0, 0 },
		{ 0x200, 0, 0 },
		{ 0x390, 0, 0 },
		{ 0x0b0, 0, 0 },
	};
	struct board b;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
		make_on(&b);
		write_reg(&b, expected[i].offset, 0xffffffff);
		assert_int_equal(read_reg(&b, expected[i].offset), expected[i].ones);
		make_on(&b);
		write_reg(&b, expected[i].offset, 0);
		assert_int_equal(read_reg(&b, expected[i].offset), expected[i].zeros);
	}
	make_on(&b);
	write_reg(&b, LAPIC_ICR, 0x000cffff & ~0x700u); /* fixed, all but self: nobody */
	assert_int_equal(read_reg(&b, LAPIC_ICR), 0x000cc8ff);
}

static void software_disable_masks_lvts_and_keeps_them_masked(void **state)
{
	struct board b;

	(void)state;
	make(&b, &standard, &ops);
	write_reg(&b, LAPIC_LVT_LINT0, 0x700);
	assert_int_equal(read_reg(&b, LAPIC_LVT_LINT0), 0x10700);
	write_reg(&b, LAPIC_SVR, 0x1ff);
	assert_int_equal(read_reg(&b, LAPIC_LVT_LINT0), 0x10700);
	for (u32 lvt = 0x320; lvt <= 0x370; lvt += 16)
		write_reg(&b, lvt, 0x40);
	write_reg(&b, LAPIC_SVR, 0xff);
	for (u32 lvt = 0x320; lvt <= 0x370; lvt += 16)
		assert_int_equal(read_reg(&b, lvt), 0x10040);
	assert_false(lapic_deliver(&b.l, 0x40, false));
	assert_int_equal(lapic_pending(&b.l), -1);
}

static void interrupts_taken_before_a_software_disable_stay(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	lapic_deliver(&b.l, 0x40, false);
	write_reg(&b, LAPIC_SVR, 0xff);
	assert_int_equal(lapic_pending(&b.l), 0x40);
}

static void odd_mmio_accesses(void **state)
{
	struct board b;
	u64 value;

	(void)state;
	make_on(&b);
	assert_int_equal(lapic_mmio_ops.read(&b.l, 0x30, 1, &value), MEM_OK);
	assert_int_equal(value, 0x14);
	assert_int_equal(lapic_mmio_ops.read(&b.l, 0x32, 2, &value), MEM_OK);
	assert_int_equal(value, 0x5);
	assert_int_equal(lapic_mmio_ops.read(&b.l, 0x30, 8, &value), MEM_OK);
	assert_int_equal(value, 0x50014);
	assert_int_equal(lapic_mmio_ops.read(&b.l, 0x34, 4, &value), MEM_OK);
	assert_int_equal(value, 0);
	assert_int_equal(lapic_mmio_ops.read(&b.l, 0x2f, 2, &value), MEM_OK);
	assert_int_equal(value, 0);
	assert_int_equal(lapic_mmio_ops.read(&b.l, 0xffc, 4, &value), MEM_OK);
	assert_int_equal(value, 0);
	assert_int_equal(lapic_mmio_ops.write(&b.l, 0x80, 1, 0x55), MEM_OK);
	assert_int_equal(lapic_mmio_ops.write(&b.l, 0x81, 4, 0x55), MEM_OK);
	assert_int_equal(lapic_mmio_ops.write(&b.l, 0x80, 8, 0x55), MEM_OK);
	assert_int_equal(lapic_mmio_ops.write(&b.l, 0x84, 4, 0x55), MEM_OK);
	assert_int_equal(read_reg(&b, LAPIC_TPR), 0);
}

static void esr_shows_errors_on_the_write_before_the_read(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	write_reg(&b, LAPIC_LVT_ERROR, 0x51);
	read_reg(&b, 0x3f0); /* reserved in xAPIC mode */
	assert_int_equal(read_reg(&b, LAPIC_ESR), 0);
	assert_int_equal(lapic_pending(&b.l), 0x51);
	write_reg(&b, LAPIC_ESR, 0xffffffff);
	assert_int_equal(read_reg(&b, LAPIC_ESR), 0x80);
	write_reg(&b, LAPIC_ESR, 0);
	assert_int_equal(read_reg(&b, LAPIC_ESR), 0);
	write_reg(&b, 0x0c0, 1);
	write_reg(&b, 0x400, 1);
	lapic_deliver(&b.l, 15, false);
	write_reg(&b, LAPIC_ICR, 0x4400f); /* to self, vector 15 */
	write_reg(&b, LAPIC_ESR, 0);
	assert_int_equal(read_reg(&b, LAPIC_ESR), 0xe0);
	assert_int_equal(read_reg(&b, LAPIC_IRR), 0);
}

static void one_error_interrupt_until_esr_is_written(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	write_reg(&b, LAPIC_LVT_ERROR, 0x51);
	read_reg(&b, 0xc0);
	lapic_ack(&b.l, 0x51);
	write_reg(&b, LAPIC_EOI, 0);
	read_reg(&b, 0xc0);
	assert_int_equal(lapic_pending(&b.l), -1);
	write_reg(&b, LAPIC_ESR, 0);
	read_reg(&b, 0xc0);
	assert_int_equal(lapic_pending(&b.l), 0x51);
}

static void an_error_vector_that_is_an_error_ends(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	write_reg(&b, LAPIC_LVT_ERROR, 0x05);
	read_reg(&b, 0xc0);
	write_reg(&b, LAPIC_ESR, 0);
	assert_int_equal(read_reg(&b, LAPIC_ESR), 0xc0);
}

/* ---- delivery ---- */

static void highest_class_above_ppr_is_delivered(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	assert_int_equal(lapic_pending(&b.l), -1);
	assert_true(lapic_deliver(&b.l, 0x31, false));
	assert_int_equal(b.pending, 0x31);
	assert_true(lapic_deliver(&b.l, 0x61, false));
	assert_true(lapic_deliver(&b.l, 0xff, false));
	assert_int_equal(lapic_pending(&b.l), 0xff);
	lapic_ack(&b.l, 0xff);
	assert_int_equal(read_reg(&b, LAPIC_PPR), 0xf0);
	assert_int_equal(read_reg(&b, LAPIC_ISR + 0x70), 0x80000000);
	assert_int_equal(lapic_pending(&b.l), -1);
	write_reg(&b, LAPIC_EOI, 0);
	assert_int_equal(lapic_pending(&b.l), 0x61);
	write_reg(&b, LAPIC_TPR, 0x60); /* the same class is held back */
	assert_int_equal(lapic_pending(&b.l), -1);
	assert_int_equal(lapic_tpr_threshold(&b.l), 6);
	write_reg(&b, LAPIC_TPR, 0x5f);
	assert_int_equal(lapic_pending(&b.l), 0x61);
	assert_int_equal(lapic_tpr_threshold(&b.l), 0);
	assert_int_equal(read_reg(&b, LAPIC_PPR), 0x5f);
	lapic_ack(&b.l, 0x61);
	write_reg(&b, LAPIC_TPR, 0);
	assert_int_equal(lapic_pending(&b.l), -1); /* 0x31 waits for 0x61 */
	assert_int_equal(lapic_tpr_threshold(&b.l), 0);
	write_reg(&b, LAPIC_EOI, 0);
	assert_int_equal(lapic_pending(&b.l), 0x31);
	assert_int_equal(b.eois, 0);
}

static void cr8_is_the_class_of_tpr(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	write_reg(&b, LAPIC_TPR, 0x5a);
	assert_int_equal(lapic_cr8(&b.l), 5);
	lapic_set_cr8(&b.l, 9);
	assert_int_equal(read_reg(&b, LAPIC_TPR), 0x90);
}

static void level_triggered_vectors_broadcast_their_eoi(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	lapic_deliver(&b.l, 0x41, true);
	assert_int_equal(b.exit_changes, 1);
	assert_int_equal(lapic_eoi_exit(&b.l, 1), 2);
	assert_int_equal(read_reg(&b, LAPIC_TMR + 0x20), 2);
	lapic_ack(&b.l, 0x41);
	write_reg(&b, LAPIC_EOI, 0);
	assert_int_equal(b.eois, 1);
	assert_int_equal(b.eoi_vector, 0x41);
	lapic_deliver(&b.l, 0x41, false);
	assert_int_equal(b.exit_changes, 2);
	assert_int_equal(lapic_eoi_exit(&b.l, 1), 0);
	lapic_ack(&b.l, 0x41);
	write_reg(&b, LAPIC_EOI, 0);
	write_reg(&b, LAPIC_EOI, 0); /* with nothing in service: nothing */
	assert_int_equal(b.eois, 1);
	lapic_deliver(&b.l, 0xff, true);
	assert_int_equal(lapic_eoi_exit(&b.l, 3), BIT(63));
}

static void what_was_held_back_is_told_when_it_is_let_through(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	lapic_deliver(&b.l, 0x61, false);
	lapic_ack(&b.l, 0x61);
	lapic_deliver(&b.l, 0x51, false);
	b.pending = -2;
	write_reg(&b, LAPIC_EOI, 0);
	assert_int_equal(b.pending, -1);
	lapic_set_cr8(&b.l, 5);
	b.pending = -2;
	lapic_set_cr8(&b.l, 6);
	assert_int_equal(b.pending, -2); /* nothing got through */
	lapic_set_cr8(&b.l, 4);
	assert_int_equal(b.pending, -1);
	lapic_ack(&b.l, 0x51);
	b.pending = -2;
	write_reg(&b, LAPIC_EOI, 0);
	assert_int_equal(b.pending, -2);
}

static void random_streams_agree_with_a_naive_model(void **state)
{
	static bool irr[256], isr[256];
	struct board b;
	u32 seed = 1;

	(void)state;
	memset(irr, 0, sizeof(irr));
	memset(isr, 0, sizeof(isr));
	make_on(&b);
	for (unsigned i = 0; i < 200000; i++) {
		int in_irr = -1, in_isr = -1, ppr, expected;
		u8 tpr = read_reg(&b, LAPIC_TPR);
		u8 vector;

		seed = seed * 1664525 + 1013904223;
		vector = seed >> 24;
		switch (seed >> 20 & 7) {
		case 0:
		case 1:
			assert_int_equal(lapic_deliver(&b.l, vector, seed & 0x1000), vector >= 16);
			irr[vector] |= vector >= 16;
			break;
		case 2:
			tpr = vector;
			write_reg(&b, LAPIC_TPR, tpr);
			break;
		case 3:
		case 4:
			write_reg(&b, LAPIC_EOI, 0);
			for (int v = 255; v >= 0; v--) {
				if (isr[v]) {
					isr[v] = false;
					break;
				}
			}
			break;
		case 5:
			lapic_set_apicv(&b.l, seed & 0x1000);
			break;
		default:
			if (lapic_pending(&b.l) >= 0) {
				vector = lapic_pending(&b.l);
				irr[vector] = false;
				isr[vector] = true;
				lapic_ack(&b.l, vector);
			}
			break;
		}
		for (int v = 0; v < 256; v++) {
			in_irr = irr[v] ? v : in_irr;
			in_isr = isr[v] ? v : in_isr;
		}
		ppr = in_isr >= 0 && in_isr >> 4 > tpr >> 4 ? in_isr & 0xf0 : tpr;
		expected = in_irr >= 0 && in_irr >> 4 > ppr >> 4 ? in_irr : -1;
		assert_int_equal(read_reg(&b, LAPIC_PPR), ppr);
		assert_int_equal(lapic_pending(&b.l), expected);
		assert_int_equal(lapic_rvi(&b.l), MAX(in_irr, 0));
		assert_int_equal(lapic_svi(&b.l), MAX(in_isr, 0));
		assert_int_equal(lapic_tpr_threshold(&b.l),
				 in_irr >> 4 > in_isr >> 4 && in_irr >> 4 <= tpr >> 4 ? in_irr >> 4 : 0);
	}
}

static void apicv_leaves_delivery_to_the_cpu(void **state)
{
	struct lapic_config config = standard;
	struct board b;

	(void)state;
	config.apicv = true;
	make(&b, &config, &ops);
	b.page[LAPIC_SVR / 4] = 0x1ff; /* as the CPU stores before the exit */
	lapic_apic_write(&b.l, LAPIC_SVR);
	assert_true(lapic_deliver(&b.l, 0x41, true));
	assert_int_equal(b.pending, 0x41);
	assert_int_equal(lapic_rvi(&b.l), 0x41);
	assert_false(lapic_more_wait(&b.l));
	assert_int_equal(lapic_svi(&b.l), 0);
	for (unsigned vector = 16; vector < 256; vector++) {
		if (vector == 0x41)
			continue;
		b.page[(LAPIC_IRR + vector / 32 * 16) / 4] |= 1u << (vector & 31);
		assert_true(lapic_more_wait(&b.l));
		b.page[(LAPIC_IRR + vector / 32 * 16) / 4] &= ~(1u << (vector & 31));
	}
	assert_false(lapic_more_wait(&b.l));
	/* The CPU delivers, adds a self-IPI of its own, and ends the level interrupt. */
	b.page[(LAPIC_IRR + 0x20) / 4] = 0;
	b.page[(LAPIC_ISR + 0x20) / 4] = 2;
	b.page[(LAPIC_IRR + 0x60) / 4] = 1;
	assert_int_equal(lapic_rvi(&b.l), 0xc0);
	assert_int_equal(lapic_svi(&b.l), 0x41);
	assert_int_equal(lapic_pending(&b.l), 0xc0);
	b.page[(LAPIC_ISR + 0x20) / 4] = 0;
	lapic_eoi_induced(&b.l, 0x41);
	assert_int_equal(b.eois, 1);
	assert_int_equal(b.eoi_vector, 0x41);
}

static void apicv_writes_are_completed_in_the_page(void **state)
{
	struct lapic_config config = standard;
	struct board b;

	(void)state;
	config.apicv = true;
	config.id = 3;
	make(&b, &config, &ops);
	for (u32 offset = 0; offset < 0x400; offset += 16) {
		b.page[offset / 4] = offset == LAPIC_ICR ? 0xfffff8ff : 0xffffffff;
		if (offset != LAPIC_PPR && (offset < 0x100 || offset >= 0x280))
			lapic_apic_write(&b.l, offset);
	}
	assert_int_equal(b.page[LAPIC_ID / 4], 0x03000000);
	assert_int_equal(b.page[LAPIC_TPR / 4], 0xff);
	assert_int_equal(b.page[LAPIC_LDR / 4], 0xff000000);
	assert_int_equal(b.page[LAPIC_SVR / 4], 0x3ff);
	assert_int_equal(b.page[LAPIC_ICR / 4], 0xcc8ff);
	assert_int_equal(b.page[LAPIC_LVT_TIMER / 4], 0x700ff);
	assert_int_equal(b.page[LAPIC_LVT_LINT0 / 4], 0x1a7ff);
	assert_int_equal(b.page[LAPIC_INITIAL_COUNT / 4], 0); /* timer mode 3 counts nothing */
	assert_int_equal(b.page[LAPIC_DIVIDE / 4], 0xb);
}

static void software_eoi_under_apicv_asks_to_load_svi(void **state)
{
	struct lapic_config config = standard;
	struct board b;

	(void)state;
	config.apicv = true;
	make(&b, &config, &ops);
	b.page[(LAPIC_ISR + 0x20) / 4] = 2;
	write_reg(&b, LAPIC_EOI, 0); /* an instruction that the CPU did not virtualise */
	assert_int_equal(b.pending, -1);
	assert_int_equal(lapic_svi(&b.l), 0);
}

static void extint_reaches_the_cpu_by_lint0_or_past_a_disabled_apic(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	assert_false(lapic_accepts_extint(&b.l));
	write_reg(&b, LAPIC_LVT_LINT0, 0x700);
	assert_true(lapic_accepts_extint(&b.l));
	write_reg(&b, LAPIC_LVT_LINT0, 0x10700);
	assert_false(lapic_accepts_extint(&b.l));
	write_reg(&b, LAPIC_LVT_LINT0, 0x400);
	assert_false(lapic_accepts_extint(&b.l));
	assert_true(set_base(&b, OFF));
	assert_true(lapic_accepts_extint(&b.l));
	make(&b, &standard, &ops);
	lapic_set_virtual_wire(&b.l);
	assert_true(lapic_accepts_extint(&b.l));
	assert_int_equal(read_reg(&b, LAPIC_LVT_LINT1), 0x400);
	assert_int_equal(read_reg(&b, LAPIC_SVR), 0x1ff);
}

static void lint_pins_follow_their_lvt(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	lapic_lint(&b.l, 0);
	lapic_lint(&b.l, 1);
	assert_int_equal(lapic_pending(&b.l), -1);
	write_reg(&b, LAPIC_LVT_LINT0, 0x42);
	lapic_lint(&b.l, 0);
	assert_int_equal(lapic_pending(&b.l), 0x42);
	write_reg(&b, LAPIC_LVT_LINT1, 0x400);
	lapic_lint(&b.l, 1);
	assert_int_equal(b.nmis, 1);
	write_reg(&b, LAPIC_LVT_LINT1, 0x500);
	lapic_lint(&b.l, 1);
	assert_int_equal(b.inits, 1);
	assert_true(set_base(&b, OFF));
	lapic_lint(&b.l, 0);
	lapic_lint(&b.l, 1);
	assert_int_equal(b.nmis, 2);
}

static void init_resets_all_but_mode_and_id(void **state)
{
	struct board b;

	(void)state;
	make_x2(&b, 0x123);
	lapic_deliver(&b.l, 0x41, true);
	assert_true(write_x2(&b, LAPIC_TPR, 0x33));
	lapic_reset(&b.l);
	assert_int_equal(read_x2(&b, LAPIC_ID), 0x123);
	assert_int_equal(read_x2(&b, LAPIC_LDR), 0x120008);
	assert_int_equal(read_x2(&b, LAPIC_TPR), 0);
	assert_int_equal(read_x2(&b, LAPIC_SVR), 0xff);
	assert_int_equal(read_x2(&b, LAPIC_IRR + 0x20), 0);
	assert_int_equal(lapic_eoi_exit(&b.l, 1), 0);
	assert_int_equal(b.pending, -1);
}

/* ---- IA32_APIC_BASE and x2APIC ---- */

static void mode_transitions(void **state)
{
	static const u64 modes[] = { OFF, XAPIC, X2APIC };
	static const bool allowed[3][3] = { { 1, 1, 0 }, { 1, 1, 1 }, { 1, 0, 1 } };
	struct board b;

	(void)state;
	for (unsigned from = 0; from < 3; from++) {
		for (unsigned to = 0; to < 3; to++) {
			u64 base;

			make(&b, &standard, &ops);
			assert_true(set_base(&b, modes[from]));
			b.mode_changes = 0;
			assert_int_equal(set_base(&b, modes[to]), allowed[from][to]);
			assert_int_equal(b.mode_changes, allowed[from][to] && from != to);
			assert_true(lapic_msr_read(&b.l, LAPIC_MSR_BASE, &base));
			assert_int_equal(base, modes[allowed[from][to] ? to : from]);
			/* x2APIC without enable is invalid from everywhere */
			assert_false(set_base(&b, OFF | LAPIC_BASE_X2APIC));
		}
	}
}

static void x2apic_is_refused_where_cpuid_does_not_tell_it(void **state)
{
	struct lapic_config config = standard;
	struct board b;

	(void)state;
	config.x2apic = false;
	make(&b, &config, &ops);
	assert_false(set_base(&b, X2APIC));
	assert_false(lapic_x2apic(&b.l));
}

static void reserved_bits_of_the_base_are_gp(void **state)
{
	struct board b;

	(void)state;
	make(&b, &standard, &ops);
	assert_false(set_base(&b, XAPIC | 1));
	assert_false(set_base(&b, XAPIC | BIT(9)));
	assert_false(set_base(&b, XAPIC | BIT(40)));
	assert_false(set_base(&b, XAPIC | BIT(63)));
	assert_true(set_base(&b, XAPIC | BIT(39)));
}

static void the_page_moves_only_with_a_board_that_can(void **state)
{
	struct board b;

	(void)state;
	make(&b, &standard, &ops);
	assert_true(set_base(&b, 0xfed40000 | LAPIC_BASE_ENABLE));
	assert_int_equal(b.moved_to, 0xfed40000);
	assert_int_equal(b.mode_changes, 0);
	make(&b, &standard, &bare_ops);
	assert_false(set_base(&b, 0xfed40000 | LAPIC_BASE_ENABLE));
	assert_true(set_base(&b, XAPIC));
}

static void a_disabled_apic_decodes_nothing_keeps_cr8_and_comes_back_reset(void **state)
{
	struct board b;
	u64 value = 0;

	(void)state;
	make_on(&b);
	write_reg(&b, LAPIC_LVT_TIMER, 0x40);
	write_reg(&b, LAPIC_INITIAL_COUNT, 1000);
	lapic_deliver(&b.l, 0x41, false);
	assert_true(set_base(&b, OFF));
	assert_false(lapic_enabled(&b.l));
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
	assert_int_equal(lapic_mmio_ops.read(&b.l, 0x30, 4, &value), MEM_DECODE_ERROR);
	assert_int_equal(lapic_mmio_ops.write(&b.l, 0x80, 4, 0xff), MEM_DECODE_ERROR);
	assert_int_equal(lapic_cr8(&b.l), 0);
	lapic_set_cr8(&b.l, 15);
	assert_int_equal(lapic_cr8(&b.l), 15);
	assert_false(lapic_deliver(&b.l, 0x41, false));
	assert_true(lapic_message(&b.l, 0xfee00000, 0x400));
	assert_int_equal(b.nmis, 0);
	assert_false(lapic_msr_read(&b.l, 0x802, &value));
	assert_true(set_base(&b, XAPIC));
	assert_int_equal(read_reg(&b, LAPIC_SVR), 0xff);
	assert_int_equal(read_reg(&b, LAPIC_LVT_TIMER), 0x10000);
	assert_int_equal(lapic_pending(&b.l), -1);
}

static void x2apic_mode_closes_the_page_and_derives_ldr(void **state)
{
	struct board b;
	u64 value;

	(void)state;
	make_x2(&b, 0x1a5);
	assert_int_equal(lapic_mmio_ops.read(&b.l, 0x30, 4, &value), MEM_DECODE_ERROR);
	assert_int_equal(read_x2(&b, LAPIC_ID), 0x1a5);
	assert_int_equal(read_x2(&b, LAPIC_LDR), 0x1a0020);
	assert_true(set_base(&b, OFF));
	assert_true(set_base(&b, XAPIC));
	assert_int_equal(read_reg(&b, LAPIC_ID), 0xa5000000);
	assert_int_equal(read_reg(&b, LAPIC_LDR), 0);
}

static void entering_x2apic_keeps_the_state(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	write_reg(&b, LAPIC_LVT_LINT1, 0x400);
	lapic_deliver(&b.l, 0x41, false);
	assert_true(set_base(&b, X2APIC));
	assert_int_equal(read_x2(&b, LAPIC_LVT_LINT1), 0x400);
	assert_int_equal(read_x2(&b, LAPIC_SVR), 0x1ff);
	assert_int_equal(lapic_pending(&b.l), 0x41);
}

static void x2apic_msr_permissions(void **state)
{
	static const u8 readable[] = { 0x02, 0x03, 0x08, 0x0a, 0x0d, 0x0f, 0x28, 0x30, 0x32,
				       0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3e };
	static const u8 writable[] = { 0x08, 0x0b, 0x0f, 0x28, 0x30, 0x32, 0x33,
				       0x34, 0x35, 0x36, 0x37, 0x38, 0x3e, 0x3f };
	struct board b;

	(void)state;
	make_x2(&b, 0);
	for (u32 msr = 0x800; msr < 0x900; msr++) {
		bool can_read = msr >= 0x810 && msr < 0x828, can_write = false;
		u64 value = 0, ok = msr == 0x83f || msr == 0x830 ? 0x40 : 0;

		for (unsigned i = 0; i < sizeof(readable); i++)
			can_read |= msr == 0x800u + readable[i];
		for (unsigned i = 0; i < sizeof(writable); i++)
			can_write |= msr == 0x800u + writable[i];
		assert_int_equal(lapic_msr_read(&b.l, msr, &value), can_read);
		assert_int_equal(lapic_msr_write(&b.l, msr, ok), can_write);
		assert_int_equal(lapic_msr_direct(msr, false), can_read && msr != 0x839);
		assert_int_equal(lapic_msr_direct(msr, true), msr == 0x808 || msr == 0x80b || msr == 0x83f);
	}
	make(&b, &standard, &ops);
	assert_false(lapic_msr_write(&b.l, 0x808, 0));
	assert_false(lapic_msr_direct(0x1b, false));
	assert_false(lapic_msr_direct(0x1b, true));
}

static void x2apic_reserved_bits_are_gp(void **state)
{
	static const struct {
		u32 offset;
		u64 allowed;
	} table[] = {
		{ LAPIC_TPR, 0xff },
		{ LAPIC_EOI, 0 },
		{ LAPIC_SVR, 0x3ff },
		{ LAPIC_ESR, 0 },
		{ LAPIC_ICR, 0xffffffff000cdfff },
		{ LAPIC_LVT_TIMER, 0x710ff },
		{ LAPIC_LVT_THERMAL, 0x117ff },
		{ LAPIC_LVT_PERF, 0x117ff },
		{ LAPIC_LVT_LINT0, 0x1f7ff },
		{ LAPIC_LVT_LINT1, 0x1f7ff },
		{ LAPIC_LVT_ERROR, 0x110ff },
		{ LAPIC_INITIAL_COUNT, 0xffffffff },
		{ LAPIC_DIVIDE, 0xb },
		{ LAPIC_SELF_IPI, 0xff },
	};
	struct board b;

	(void)state;
	make_x2(&b, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		for (unsigned bit = 0; bit < 64; bit++)
			assert_int_equal(write_x2(&b, table[i].offset, BIT(bit)),
					 (table[i].allowed & BIT(bit)) != 0);
	}
}

/* As Linux does when it hands the APIC back: SEND_PENDING and REMOTE_IRR with ExtINT. */
static void x2apic_read_only_bits_are_written_without_effect(void **state)
{
	struct board b;
	u64 value = 0;

	(void)state;
	make_x2(&b, 0);
	assert_true(write_x2(&b, LAPIC_SVR, 0x1ff));
	assert_true(write_x2(&b, LAPIC_LVT_LINT0, 0x5700));
	assert_true(lapic_msr_read(&b.l, LAPIC_MSR_X2APIC + (LAPIC_LVT_LINT0 >> 4), &value));
	assert_int_equal(value, 0x0700);
}

/* ---- messages ---- */

static void messages_are_parsed(void **state)
{
	struct lapic_message m;

	(void)state;
	assert_true(lapic_parse(&m, 0xfee01000, 0x0041));
	assert_int_equal(m.destination, 1);
	assert_int_equal(m.vector, 0x41);
	assert_int_equal(m.mode, LAPIC_FIXED);
	assert_false(m.logical || m.level || m.deassert || m.not_sender);
	assert_true(lapic_parse(&m, 0xfeeff00c, 0xc141));
	assert_int_equal(m.destination, LAPIC_BROADCAST);
	assert_int_equal(m.mode, LAPIC_LOWEST);
	assert_true(m.logical && m.level);
	assert_true(lapic_parse(&m, 0xfee03008, 0x41)); /* the hint alone asks for one receiver */
	assert_int_equal(m.mode, LAPIC_LOWEST);
	assert_true(lapic_parse(&m, 0x12345600fee78000, 0x41));
	assert_int_equal(m.destination, 0x12345678);
	assert_false(lapic_parse(&m, 0xfef00000, 0x41));
	assert_false(lapic_parse(&m, 0xfed00000, 0x41));
	assert_false(lapic_parse(&m, 0x1fee00000, 0x41));
	assert_false(lapic_parse(&m, 0x80fee00000, 0x41));
	assert_false(lapic_parse(&m, 0, 0x41));
}

static bool meant(struct board *b, u32 destination, bool logical)
{
	struct lapic_message m = { .destination = destination, .vector = 0x41, .logical = logical };

	return lapic_matches(&b->l, &m);
}

static void destinations(void **state)
{
	struct lapic_config config = standard;
	struct board b;

	(void)state;
	config.id = 0x12;
	make(&b, &config, &ops);
	assert_true(meant(&b, 0x12, false));
	assert_false(meant(&b, 0x13, false));
	assert_false(meant(&b, 0x112, false));
	assert_true(meant(&b, LAPIC_BROADCAST, false));
	assert_true(meant(&b, LAPIC_BROADCAST, true));
	assert_false(meant(&b, 0x12, true)); /* LDR is 0 */
	write_reg(&b, LAPIC_LDR, 0x42000000);
	assert_true(meant(&b, 0x02, true)); /* flat */
	assert_true(meant(&b, 0xf0, true));
	assert_false(meant(&b, 0xbd, true));
	assert_false(meant(&b, 0x142, true));
	write_reg(&b, LAPIC_DFR, 0x0fffffff);
	assert_true(meant(&b, 0x42, true)); /* cluster 4, member 2 */
	assert_true(meant(&b, 0x4f, true));
	assert_false(meant(&b, 0x4d, true));
	assert_false(meant(&b, 0x52, true));
	write_reg(&b, LAPIC_DFR, 0x7fffffff);
	assert_false(meant(&b, 0x42, true)); /* no such model */
	make_x2(&b, 0x1a5);
	assert_true(meant(&b, 0x1a5, false));
	assert_false(meant(&b, 0xa5, false));
	assert_true(meant(&b, 0x1a0020, true));
	assert_true(meant(&b, 0x1affff, true));
	assert_false(meant(&b, 0x1a0040, true));
	assert_false(meant(&b, 0x1b0020, true));
	assert_true(meant(&b, LAPIC_BROADCAST, true));
}

static void messages_of_every_mode(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	assert_true(lapic_message(&b.l, 0xfee00000, 0x0041));
	assert_int_equal(lapic_pending(&b.l), 0x41);
	assert_true(lapic_message(&b.l, 0xfee00000, 0x8152));
	assert_int_equal(lapic_pending(&b.l), 0x52);
	assert_int_equal(lapic_eoi_exit(&b.l, 1), BIT(0x12));
	lapic_message(&b.l, 0xfee00000, 0x0200); /* SMI, reserved: nothing */
	lapic_message(&b.l, 0xfee00000, 0x0300);
	lapic_message(&b.l, 0xfee00000, 0x0400);
	assert_int_equal(b.nmis, 1);
	lapic_message(&b.l, 0xfee00000, 0x0500);
	assert_int_equal(b.inits, 1);
	lapic_message(&b.l, 0xfee00000, 0x069f);
	assert_int_equal(b.sipi_vector, 0x9f);
	lapic_message(&b.l, 0xfee00000, 0x0700);
	assert_int_equal(b.extints, 1);
	assert_true(lapic_message(&b.l, 0xfee01000, 0x0400)); /* somebody else's */
	assert_int_equal(b.nmis, 1);
	assert_false(lapic_message(&b.l, 0x1000, 0x0400));
	write_reg(&b, LAPIC_SVR, 0xff); /* software-disabled: all but fixed */
	lapic_message(&b.l, 0xfee00000, 0x0061);
	lapic_message(&b.l, 0xfee00000, 0x0400);
	assert_int_equal(lapic_pending(&b.l), 0x52);
	assert_int_equal(b.nmis, 2);
}

static void missing_callbacks_lose_the_event_only(void **state)
{
	struct board b;

	(void)state;
	make(&b, &standard, &bare_ops);
	lapic_set_virtual_wire(&b.l);
	for (u32 mode = 0; mode < 0x800; mode += 0x100)
		lapic_message(&b.l, 0xfee00000, mode | 0x8041);
	lapic_lint(&b.l, 1);
	write_reg(&b, LAPIC_LVT_LINT0, 0x500);
	lapic_lint(&b.l, 0);
	lapic_ack(&b.l, 0x41);
	write_reg(&b, LAPIC_EOI, 0);
	write_reg(&b, LAPIC_LVT_TIMER, 0x50);
	write_reg(&b, LAPIC_INITIAL_COUNT, 100);
	assert_int_equal(lapic_deadline(&b.l), 200);
	assert_true(set_base(&b, X2APIC));
	assert_true(lapic_msr_write(&b.l, LAPIC_MSR_TSC_DEADLINE, 5));
}

static void icr_shorthands_and_destinations_of_a_lone_vcpu(void **state)
{
	static const struct {
		u32 high, low;
		bool arrives;
	} table[] = {
		{ 0, 0x00004041, true },	  { 0x01000000, 0x00004041, false },
		{ 0xff000000, 0x00004041, true }, { 0x01000000, 0x00044041, true },
		{ 0x01000000, 0x00084041, true }, { 0, 0x000c4041, false },
		{ 0xff000000, 0x00004841, true }, { 0x01000000, 0x00004841, false }, /* logical, LDR 0 */
	};
	struct board b;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		make_on(&b);
		write_reg(&b, LAPIC_ICR_HIGH, table[i].high);
		write_reg(&b, LAPIC_ICR, table[i].low);
		assert_int_equal(lapic_pending(&b.l), table[i].arrives ? 0x41 : -1);
		assert_int_equal(read_reg(&b, LAPIC_ICR), table[i].low);
	}
}

static void ipis_are_edges_and_deassert_does_nothing(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	write_reg(&b, LAPIC_ICR, 0x0004c041); /* "level" */
	assert_int_equal(lapic_pending(&b.l), 0x41);
	assert_int_equal(lapic_eoi_exit(&b.l, 1), 0);
	write_reg(&b, LAPIC_ICR, 0x00000400); /* NMI to id 0, the test suite's pending NMI */
	assert_int_equal(b.nmis, 1);
	write_reg(&b, LAPIC_ICR, 0x00008500);
	assert_int_equal(b.inits, 0);
	write_reg(&b, LAPIC_ICR, 0x0000c500);
	assert_int_equal(b.inits, 1);
	write_reg(&b, LAPIC_ICR, 0x000c4500); /* what a boot loader sends to the others */
	write_reg(&b, LAPIC_ICR, 0x000c4607);
	assert_int_equal(b.inits, 1);
	assert_int_equal(b.sipis, 0);
}

static void x2apic_icr_and_self_ipi(void **state)
{
	struct board b;

	(void)state;
	make_x2(&b, 0xff); /* 0xff is an id like any other here */
	assert_true(write_x2(&b, LAPIC_ICR, 0x000000ff00000041));
	assert_int_equal(lapic_pending(&b.l), 0x41);
	assert_int_equal(read_x2(&b, LAPIC_ICR), 0x000000ff00000041);
	assert_int_equal(b.page[0x304 / 4], 0xff);
	assert_true(write_x2(&b, LAPIC_ICR, 0x000000fe00000061));
	assert_int_equal(lapic_pending(&b.l), 0x41);
	assert_true(write_x2(&b, LAPIC_ICR, 0xffffffff00000071));
	assert_int_equal(lapic_pending(&b.l), 0x71);
	assert_true(write_x2(&b, LAPIC_SELF_IPI, 0x81));
	assert_int_equal(lapic_pending(&b.l), 0x81);
	assert_true(write_x2(&b, LAPIC_SELF_IPI, 0x0f));
	assert_true(write_x2(&b, LAPIC_ESR, 0));
	assert_int_equal(read_x2(&b, LAPIC_ESR), 0x20);
}

static void ipis_of_boards_with_more_go_through_the_board(void **state)
{
	struct lapic_ops with_send = ops;
	struct board b;

	(void)state;
	with_send.send = op_send;
	make(&b, &standard, &with_send);
	write_reg(&b, LAPIC_SVR, 0x1ff);
	write_reg(&b, LAPIC_ICR_HIGH, 0x02000000);
	write_reg(&b, LAPIC_ICR, 0x4852);
	assert_int_equal(b.sends, 1);
	assert_int_equal(b.sent.destination, 2);
	assert_true(b.sent.logical);
	write_reg(&b, LAPIC_ICR, 0xc4500);
	assert_int_equal(b.sends, 2);
	assert_int_equal(b.sent.destination, LAPIC_BROADCAST);
	assert_true(b.sent.not_sender);
	write_reg(&b, LAPIC_ICR, 0x44052); /* self needs nobody */
	assert_int_equal(b.sends, 2);
	assert_int_equal(lapic_pending(&b.l), 0x52);
	write_reg(&b, LAPIC_ICR, 0x4f);
	assert_int_equal(b.sends, 3);
	write_reg(&b, LAPIC_ICR, 0x0f); /* illegal vector: not sent */
	assert_int_equal(b.sends, 3);
}

static void routing_among_several(void **state)
{
	static struct board b[3];
	struct lapic *all[3] = { &b[0].l, &b[1].l, &b[2].l };
	struct lapic_message m = { .destination = LAPIC_BROADCAST, .vector = 0x41 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct lapic_config config = standard;

		config.id = i;
		make(&b[i], &config, &ops);
		write_reg(&b[i], LAPIC_SVR, 0x1ff);
	}
	m.not_sender = true;
	lapic_route(all, 3, all[1], &m);
	assert_int_equal(lapic_pending(all[0]), 0x41);
	assert_int_equal(lapic_pending(all[1]), -1);
	assert_int_equal(lapic_pending(all[2]), 0x41);
	m = (struct lapic_message){ .destination = 1, .vector = 0x51 };
	lapic_route(all, 3, NULL, &m);
	assert_int_equal(lapic_pending(all[0]), 0x41);
	assert_int_equal(lapic_pending(all[1]), 0x51);
	m = (struct lapic_message){ .destination = LAPIC_BROADCAST, .vector = 0xe1, .mode = LAPIC_LOWEST };
	write_reg(&b[0], LAPIC_TPR, 0x30);
	write_reg(&b[1], LAPIC_TPR, 0x20);
	write_reg(&b[2], LAPIC_SVR, 0xff); /* lowest of all, and out */
	lapic_route(all, 3, NULL, &m);
	assert_int_equal(lapic_pending(all[0]), 0x41);
	assert_int_equal(lapic_pending(all[1]), 0xe1);
	m.destination = 77;
	lapic_route(all, 3, NULL, &m);
	assert_true(set_base(&b[1], OFF));
	m = (struct lapic_message){ .destination = 1, .mode = LAPIC_NMI };
	lapic_route(all, 3, NULL, &m);
	assert_int_equal(b[1].nmis, 0);
}

/* ---- timer ---- */

static void start_timer(struct board *b, u32 mode, u32 divide, u32 count)
{
	write_reg(b, LAPIC_LVT_TIMER, mode << 17 | 0x40);
	write_reg(b, LAPIC_DIVIDE, divide);
	write_reg(b, LAPIC_INITIAL_COUNT, count);
}

static bool fired(struct board *b)
{
	lapic_timer_run(&b->l, b->now);
	if (lapic_pending(&b->l) != 0x40)
		return false;
	lapic_ack(&b->l, 0x40);
	write_reg(b, LAPIC_EOI, 0);
	return true;
}

static void divide_configuration(void **state)
{
	static const struct {
		u32 divide, factor;
	} table[] = { { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 10, 128 }, { 11, 1 } };
	struct board b;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		make_on(&b);
		b.now = 7;
		start_timer(&b, LAPIC_ONE_SHOT, table[i].divide, 100);
		assert_int_equal(lapic_deadline(&b.l), 7 + 100 * table[i].factor);
	}
}

static void one_shot_counts_down_once(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	start_timer(&b, LAPIC_ONE_SHOT, 11, 10000);
	assert_true(b.timer_changes > 0);
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 10000);
	b.now = 9999;
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 1);
	assert_false(fired(&b));
	b.now = 10000;
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 0);
	assert_true(fired(&b));
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 0);
	assert_int_equal(read_reg(&b, LAPIC_INITIAL_COUNT), 10000);
	b.now = 30000;
	assert_false(fired(&b));
	write_reg(&b, LAPIC_INITIAL_COUNT, 10);
	write_reg(&b, LAPIC_INITIAL_COUNT, 0); /* stops it */
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
}

static void periodic_keeps_its_phase_and_merges_what_was_missed(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	start_timer(&b, LAPIC_PERIODIC, 11, 10000);
	b.now = 10003;
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 9997);
	assert_true(fired(&b));
	assert_int_equal(lapic_deadline(&b.l), 20000);
	b.now = 20000;
	assert_true(fired(&b));
	b.now = 75000;
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 5000);
	assert_true(fired(&b));
	assert_false(fired(&b));
	assert_int_equal(lapic_deadline(&b.l), 80000);
}

static void a_tiny_period_is_stretched(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	start_timer(&b, LAPIC_PERIODIC, 11, 1);
	assert_int_equal(lapic_deadline(&b.l), 1000);
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 1);
	b.now = 1000;
	assert_true(fired(&b));
	assert_int_equal(lapic_deadline(&b.l), 2000);
	start_timer(&b, LAPIC_ONE_SHOT, 11, 1); /* a one-shot has to be set again by the guest */
	assert_int_equal(lapic_deadline(&b.l), 1001);
}

static void a_masked_timer_runs_in_silence(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	start_timer(&b, LAPIC_PERIODIC, 11, 5000);
	write_reg(&b, LAPIC_LVT_TIMER, LAPIC_PERIODIC << 17 | 0x10040);
	b.now = 5000;
	assert_false(fired(&b));
	assert_int_equal(lapic_deadline(&b.l), 10000);
	write_reg(&b, LAPIC_LVT_TIMER, LAPIC_PERIODIC << 17 | 0x40);
	b.now = 10000;
	assert_true(fired(&b));
}

static void changing_between_one_shot_and_periodic_keeps_the_count(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	start_timer(&b, LAPIC_ONE_SHOT, 11, 10000);
	b.now = 6000;
	write_reg(&b, LAPIC_LVT_TIMER, LAPIC_PERIODIC << 17 | 0x40);
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 4000);
	b.now = 10000;
	assert_true(fired(&b));
	assert_int_equal(lapic_deadline(&b.l), 20000);
	b.now = 12000;
	write_reg(&b, LAPIC_LVT_TIMER, 0x40);
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 8000);
	b.now = 20000;
	assert_true(fired(&b));
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
	assert_int_equal(read_reg(&b, LAPIC_INITIAL_COUNT), 10000);
}

static void changing_the_divider_keeps_the_count(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	start_timer(&b, LAPIC_PERIODIC, 11, 10000);
	b.now = 4000;
	write_reg(&b, LAPIC_DIVIDE, 2);
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 6000);
	assert_int_equal(lapic_deadline(&b.l), 4000 + 6000 * 8);
	b.now = 52000;
	assert_true(fired(&b));
	assert_int_equal(lapic_deadline(&b.l), 52000 + 80000);
}

static void the_ratio_slows_the_count_but_not_the_deadline(void **state)
{
	struct lapic_config config = standard;
	struct board b;

	(void)state;
	config.ratio = 2;
	make(&b, &config, &ops);
	write_reg(&b, LAPIC_SVR, 0x1ff);
	start_timer(&b, LAPIC_ONE_SHOT, 11, 1000);
	assert_int_equal(lapic_deadline(&b.l), 2000);
	b.now = 1000;
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 500);
	write_reg(&b, LAPIC_LVT_TIMER, LAPIC_TSC_DEADLINE << 17 | 0x40);
	assert_true(lapic_msr_write(&b.l, LAPIC_MSR_TSC_DEADLINE, 1234));
	assert_int_equal(lapic_deadline(&b.l), 1234);
}

static void tsc_deadline(void **state)
{
	struct board b;
	u64 value = 1;

	(void)state;
	make_on(&b);
	lapic_write_tsc_deadline(&b.l, 1000); /* not in that mode: ignored */
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
	assert_true(lapic_msr_read(&b.l, LAPIC_MSR_TSC_DEADLINE, &value));
	assert_int_equal(value, 0);
	start_timer(&b, LAPIC_ONE_SHOT, 11, 5000);
	write_reg(&b, LAPIC_LVT_TIMER, LAPIC_TSC_DEADLINE << 17 | 0x40);
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER); /* the change disarms */
	assert_int_equal(read_reg(&b, LAPIC_INITIAL_COUNT), 0);
	write_reg(&b, LAPIC_INITIAL_COUNT, 77); /* ignored */
	assert_int_equal(read_reg(&b, LAPIC_INITIAL_COUNT), 0);
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
	assert_true(lapic_msr_write(&b.l, LAPIC_MSR_TSC_DEADLINE, 1000));
	assert_true(lapic_msr_read(&b.l, LAPIC_MSR_TSC_DEADLINE, &value));
	assert_int_equal(value, 1000);
	assert_int_equal(read_reg(&b, LAPIC_CURRENT_COUNT), 0);
	b.now = 999;
	assert_false(fired(&b));
	b.now = 1000;
	assert_true(fired(&b));
	assert_true(lapic_msr_read(&b.l, LAPIC_MSR_TSC_DEADLINE, &value));
	assert_int_equal(value, 0);
	lapic_write_tsc_deadline(&b.l, 500); /* in the past: at once */
	assert_true(lapic_msr_read(&b.l, LAPIC_MSR_TSC_DEADLINE, &value));
	assert_int_equal(value, 0);
	assert_int_equal(lapic_pending(&b.l), 0x40);
	assert_true(fired(&b));
	lapic_write_tsc_deadline(&b.l, 5000);
	lapic_write_tsc_deadline(&b.l, 0);
	b.now = 6000;
	assert_false(fired(&b));
	lapic_write_tsc_deadline(&b.l, 7000);
	write_reg(&b, LAPIC_LVT_TIMER, 0x40); /* out of the mode: disarmed too */
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
}

static void times_near_the_end_of_the_tsc_do_not_wrap(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	b.now = ~0ull - 10;
	start_timer(&b, LAPIC_PERIODIC, 10, 0xffffffff);
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
	b.now = ~0ull - 5000;
	start_timer(&b, LAPIC_PERIODIC, 11, 4000);
	b.now = ~0ull - 900;
	assert_true(fired(&b));
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
}

static void moving_the_tsc_moves_counts_but_not_deadlines(void **state)
{
	struct board b;

	(void)state;
	make_on(&b);
	start_timer(&b, LAPIC_ONE_SHOT, 11, 5000);
	lapic_tsc_adjusted(&b.l, 100);
	assert_int_equal(lapic_deadline(&b.l), 5100);
	lapic_tsc_adjusted(&b.l, -(u64)200);
	assert_int_equal(lapic_deadline(&b.l), 4900);
	write_reg(&b, LAPIC_LVT_TIMER, LAPIC_TSC_DEADLINE << 17 | 0x40);
	lapic_write_tsc_deadline(&b.l, 5000);
	lapic_tsc_adjusted(&b.l, 100);
	assert_int_equal(lapic_deadline(&b.l), 5000);
}

static void two_apics_share_nothing(void **state)
{
	struct board a, b;

	(void)state;
	make_on(&a);
	make_on(&b);
	lapic_deliver(&a.l, 0x41, true);
	start_timer(&a, LAPIC_ONE_SHOT, 11, 5000);
	assert_int_equal(lapic_pending(&b.l), -1);
	assert_int_equal(lapic_deadline(&b.l), LAPIC_NEVER);
}

static void random_accesses_stay_inside(void **state)
{
	struct board b;
	u64 seed = 42;

	(void)state;
	make_on(&b);
	for (unsigned i = 0; i < 300000; i++) {
		unsigned size = 1u << (i & 3);
		u64 value;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		value = seed >> 20;
		b.now += seed >> 50;
		switch (seed >> 60) {
		case 0:
			set_base(&b, LAPIC_DEFAULT_BASE | (seed >> 40 & 0xd00));
			break;
		case 1:
			lapic_msr_write(&b.l, 0x800 + (seed >> 33 & 0xff), value & 0xfff);
			break;
		case 2:
			lapic_msr_read(&b.l, 0x800 + (seed >> 33 & 0xff), &value);
			break;
		case 3:
			lapic_message(&b.l, 0xfee00000 | (seed >> 30 & 0xfffff), value);
			break;
		case 4:
			if (lapic_pending(&b.l) >= 0)
				lapic_ack(&b.l, lapic_pending(&b.l));
			break;
		case 5:
			lapic_timer_run(&b.l, b.now);
			break;
		case 6:
			lapic_msr_write(&b.l, LAPIC_MSR_TSC_DEADLINE, b.now + (value & 0xffff));
			break;
		case 7:
			lapic_mmio_ops.read(&b.l, (seed >> 40 & 0xfff) & ~(u64)(size - 1), size, &value);
			break;
		default:
			lapic_mmio_ops.write(&b.l, seed >> 40 & 0x3f0, 4, value & 0xffffffff);
			break;
		}
		/* vectors that no APIC has never get in */
		assert_int_equal(b.page[LAPIC_IRR / 4] & 0xffff, 0);
		assert_true(lapic_deadline(&b.l) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_values),
		cmocka_unit_test(writable_bits),
		cmocka_unit_test(software_disable_masks_lvts_and_keeps_them_masked),
		cmocka_unit_test(interrupts_taken_before_a_software_disable_stay),
		cmocka_unit_test(odd_mmio_accesses),
		cmocka_unit_test(esr_shows_errors_on_the_write_before_the_read),
		cmocka_unit_test(one_error_interrupt_until_esr_is_written),
		cmocka_unit_test(an_error_vector_that_is_an_error_ends),
		cmocka_unit_test(highest_class_above_ppr_is_delivered),
		cmocka_unit_test(cr8_is_the_class_of_tpr),
		cmocka_unit_test(level_triggered_vectors_broadcast_their_eoi),
		cmocka_unit_test(what_was_held_back_is_told_when_it_is_let_through),
		cmocka_unit_test(random_streams_agree_with_a_naive_model),
		cmocka_unit_test(apicv_leaves_delivery_to_the_cpu),
		cmocka_unit_test(apicv_writes_are_completed_in_the_page),
		cmocka_unit_test(software_eoi_under_apicv_asks_to_load_svi),
		cmocka_unit_test(extint_reaches_the_cpu_by_lint0_or_past_a_disabled_apic),
		cmocka_unit_test(lint_pins_follow_their_lvt),
		cmocka_unit_test(init_resets_all_but_mode_and_id),
		cmocka_unit_test(mode_transitions),
		cmocka_unit_test(x2apic_is_refused_where_cpuid_does_not_tell_it),
		cmocka_unit_test(reserved_bits_of_the_base_are_gp),
		cmocka_unit_test(the_page_moves_only_with_a_board_that_can),
		cmocka_unit_test(a_disabled_apic_decodes_nothing_keeps_cr8_and_comes_back_reset),
		cmocka_unit_test(x2apic_mode_closes_the_page_and_derives_ldr),
		cmocka_unit_test(entering_x2apic_keeps_the_state),
		cmocka_unit_test(x2apic_msr_permissions),
		cmocka_unit_test(x2apic_reserved_bits_are_gp),
		cmocka_unit_test(x2apic_read_only_bits_are_written_without_effect),
		cmocka_unit_test(messages_are_parsed),
		cmocka_unit_test(destinations),
		cmocka_unit_test(messages_of_every_mode),
		cmocka_unit_test(missing_callbacks_lose_the_event_only),
		cmocka_unit_test(icr_shorthands_and_destinations_of_a_lone_vcpu),
		cmocka_unit_test(ipis_are_edges_and_deassert_does_nothing),
		cmocka_unit_test(x2apic_icr_and_self_ipi),
		cmocka_unit_test(ipis_of_boards_with_more_go_through_the_board),
		cmocka_unit_test(routing_among_several),
		cmocka_unit_test(divide_configuration),
		cmocka_unit_test(one_shot_counts_down_once),
		cmocka_unit_test(periodic_keeps_its_phase_and_merges_what_was_missed),
		cmocka_unit_test(a_tiny_period_is_stretched),
		cmocka_unit_test(a_masked_timer_runs_in_silence),
		cmocka_unit_test(changing_between_one_shot_and_periodic_keeps_the_count),
		cmocka_unit_test(changing_the_divider_keeps_the_count),
		cmocka_unit_test(the_ratio_slows_the_count_but_not_the_deadline),
		cmocka_unit_test(tsc_deadline),
		cmocka_unit_test(times_near_the_end_of_the_tsc_do_not_wrap),
		cmocka_unit_test(moving_the_tsc_moves_counts_but_not_deadlines),
		cmocka_unit_test(two_apics_share_nothing),
		cmocka_unit_test(random_accesses_stay_inside),
	};

	return cmocka_run_group_tests_name("lapic", tests, NULL, NULL);
}
