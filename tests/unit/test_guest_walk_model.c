// SPDX-License-Identifier: BSD-2-Clause
/* The guest page walk against a naive model of SDM volume 3, 4.3 to 4.8, on random tables. */
#include "tests/unit/walk_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static u64 random_state = 0x90de57a7e;

static u64 random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

static bool one_in(unsigned n)
{
	return (random_u64() >> 33) % n == 0;
}

struct model {
	enum walk_status status;
	u64 gpa, page_size;
	u32 error_code;
};

struct model_level {
	unsigned low_bit, bits; /* of the linear address */
	bool may_be_large;
	u64 reserved, reserved_large; /* in an entry that points to a table or small page, to a large page */
};

/* Appends the reserved bits high..low. */
static u64 reserved_bits(const struct guest_paging *paging, u64 extra)
{
	u64 reserved = extra;

	for (unsigned bit = paging->physical_bits; bit < 52; bit++)
		reserved |= BIT(bit);
	if (!(paging->efer & NXE))
		reserved |= XD;
	return reserved;
}

static unsigned model_levels(const struct guest_paging *paging, struct model_level *levels)
{
	u64 wide = reserved_bits(paging, 0), high = BITS(62, 52);

	if (paging->efer & LMA) {
		levels[0] = (struct model_level){ 39, 9, false, wide | PS, 0 };
		levels[1] =
			(struct model_level){ 30, 9, !paging->no_gib_pages,
					      paging->no_gib_pages ? wide | PS : wide, wide | BITS(29, 13) };
		levels[2] = (struct model_level){ 21, 9, true, wide, wide | BITS(20, 13) };
		levels[3] = (struct model_level){ 12, 9, false, wide, 0 };
		return 4;
	}
	if (paging->cr4 & CR4_PAE) {
		levels[0] = (struct model_level){ 21, 9, true, wide | high, wide | high | BITS(20, 13) };
		levels[1] = (struct model_level){ 12, 9, false, wide | high, 0 };
		return 2;
	}
	levels[0] = (struct model_level){ 22, 10, paging->cr4 & CR4_PSE, 0, BIT(21) };
	for (unsigned bit = paging->physical_bits; bit < 40; bit++)
		levels[0].reserved_large |= BIT(bit - 32 + 13);
	levels[1] = (struct model_level){ 12, 10, false, 0, 0 };
	return 2;
}

static void model_fault(struct model *model, const struct guest_paging *paging, unsigned access,
			u32 error_code)
{
	bool nx = (paging->efer & NXE) && (paging->cr4 & CR4_PAE);

	model->status = WALK_FAULT;
	model->error_code = error_code | (access & GUEST_WRITE ? PF_W : 0) | (access & GUEST_USER ? PF_U : 0);
	if ((access & GUEST_FETCH) && (nx || (paging->cr4 & CR4_SMEP)))
		model->error_code |= PF_I;
}

/* Walks `ram`, a copy, and sets the accessed and dirty bits in it. */
static struct model model_walk(const struct guest_paging *paging, u8 *ram, u64 linear, unsigned access)
{
	struct model model = { .status = WALK_OK };
	struct model_level levels[4];
	unsigned count = model_levels(paging, levels), used = 0;
	bool narrow = !(paging->cr4 & CR4_PAE), writable = true, user = true, no_execute = false;
	u64 table = paging->cr3 & (paging->efer & LMA ? BITS(51, 12) : BITS(31, 12)), entry = 0, seen[4];
	unsigned level;

	if (!(paging->efer & LMA)) {
		linear &= 0xffffffff;
		if (!narrow) {
			table = paging->pdpte[linear >> 30];
			if (!(table & P)) {
				model_fault(&model, paging, access, 0);
				return model;
			}
			table &= BITS(51, 12);
		}
	}
	for (level = 0; level < count; level++) {
		u64 index = linear >> levels[level].low_bit & (BIT(levels[level].bits) - 1);
		u64 at = table + index * (narrow ? 4 : 8);
		bool large;

		if (at >= RAM_SIZE) {
			model.status = WALK_NO_MEMORY;
			return model;
		}
		entry = 0;
		memcpy(&entry, ram + at, narrow ? 4 : 8);
		seen[used++] = at;
		if (!(entry & P)) {
			model_fault(&model, paging, access, 0);
			return model;
		}
		large = levels[level].may_be_large && (entry & PS);
		if (entry & (large ? levels[level].reserved_large : levels[level].reserved)) {
			model_fault(&model, paging, access, PF_P | PF_RSVD);
			return model;
		}
		writable = writable && (entry & RW);
		user = user && (entry & US);
		no_execute = no_execute || (!narrow && (entry & XD));
		table = entry & BITS(51, 12);
		if (large)
			break;
	}
	if (level == count)
		level--;
	model.page_size = BIT(levels[level].low_bit);
	if (narrow && level == 0)
		table = (entry & BITS(31, 22)) | (entry >> 13 & 0xff) << 32;
	model.gpa = (table & ~(model.page_size - 1)) + linear % model.page_size;

	bool ok;
	if (access & GUEST_USER)
		ok = user && (writable || !(access & GUEST_WRITE));
	else if (access & GUEST_FETCH)
		ok = !(user && (paging->cr4 & CR4_SMEP));
	else if (user && (paging->cr4 & CR4_SMAP) && !(access & GUEST_AC))
		ok = false;
	else
		ok = !(access & GUEST_WRITE) || writable || !(paging->cr0 & CR0_WP);
	if ((access & GUEST_FETCH) && no_execute)
		ok = false;
	if (!ok) {
		model_fault(&model, paging, access, PF_P);
		return model;
	}
	for (unsigned i = 0; i < used; i++)
		ram[seen[i]] |= A | (i == used - 1 && (access & GUEST_WRITE) ? D : 0);
	return model;
}

/* Mostly sane entries, so that walks get somewhere; a bit wrong now and then. */
static u64 random_entry(bool narrow)
{
	u64 entry = (random_u64() % 15 + 1) << 12 | P | RW | US | A | D;

	if (one_in(3))
		entry ^= BIT(random_u64() >> 40 & 7);
	if (one_in(8))
		entry ^= BIT(random_u64() >> 40 & 7);
	if (one_in(6))
		entry = (entry & ~0xff000ull) | (random_u64() & BITS(39, 12)) | PS;
	if (one_in(6))
		entry = (entry & 0xfff) | (random_u64() & (one_in(2) ? BITS(39, 21) : BITS(51, 30))) | PS;
	if (one_in(12))
		entry |= XD;
	if (one_in(16))
		entry ^= BIT(random_u64() >> 40 & 63);
	return narrow ? (u32)entry : entry;
}

static void random_tables_walk_as_the_manual_says(void **state)
{
	static struct machine machine;
	static u8 copy[RAM_SIZE];
	unsigned outcomes[3] = { 0 };

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		struct guest_paging *paging;
		unsigned mode = round % 3;

		open_long(&machine);
		paging = &machine.paging;
		paging->efer = (mode == 2 ? LMA : 0) | (one_in(4) ? 0 : NXE);
		paging->cr4 = mode == 0 ? 0 : CR4_PAE;
		paging->cr4 |=
			(one_in(3) ? CR4_SMEP : 0) | (one_in(3) ? CR4_SMAP : 0) | (one_in(2) ? CR4_PSE : 0);
		paging->cr0 &= one_in(2) ? ~0ull : ~(u64)CR0_WP;
		paging->physical_bits = 36 + random_u64() % 8;
		paging->no_gib_pages = one_in(4);
		for (unsigned i = 0; i < 4; i++)
			paging->pdpte[i] = (i + 1) << 12 | (one_in(8) ? 0 : P);
		for (u64 at = 0; at < RAM_SIZE; at += mode == 0 ? 4 : 8) {
			u64 entry = random_entry(mode == 0);

			memcpy(machine.ram + at, &entry, mode == 0 ? 4 : 8);
		}
		memcpy(copy, machine.ram, RAM_SIZE);
		for (unsigned n = 0; n < 500; n++) {
			u64 linear = random_u64();
			unsigned access =
				(random_u64() >> 20 & (GUEST_USER | GUEST_AC)) | (one_in(3)   ? GUEST_FETCH
										  : one_in(2) ? GUEST_WRITE
											      : 0);
			struct walk_result result = { 0 };
			struct model model;

			linear = (u64)((s64)(linear << 16) >> 16);
			model = model_walk(paging, copy, linear, access);
			assert_int_equal(guest_walk(paging, linear, access, &result), model.status);
			outcomes[model.status]++;
			if (model.status == WALK_OK) {
				assert_int_equal(result.gpa, model.gpa);
				assert_int_equal(result.page_size, model.page_size);
			} else if (model.status == WALK_FAULT) {
				assert_int_equal(result.error_code, model.error_code);
			}
		}
		assert_memory_equal(machine.ram, copy, RAM_SIZE);
	}
	/* The mixture is worth something only if all outcomes are frequent. */
	assert_true(outcomes[WALK_OK] > 20000 && outcomes[WALK_FAULT] > 20000 &&
		    outcomes[WALK_NO_MEMORY] > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_tables_walk_as_the_manual_says),
	};

	return cmocka_run_group_tests_name("guest walk against a model", tests, NULL, NULL);
}
