// SPDX-License-Identifier: BSD-2-Clause
/* Interrupt remapping (5.1) by the naive unit. */
#include "tests/unit/naive_vtd.h"

#define EIME BIT(11)

/* False: no index at all. */
static bool interrupt_index(const struct naive_vtd *vtd, u64 address, u32 data, u32 *index, unsigned *reason)
{
	bool subhandle = address & BIT(3);

	*index = 0;
	*reason = 0x20;
	if (address >> 32)
		return false;
	*index = (u32)naive_vtd_field(address, 19, 5) | (address & BIT(2) ? 0x8000 : 0);
	if (subhandle && data >> 16)
		return false;
	*index += subhandle ? data & 0xffff : 0;
	*reason = *index >= BIT(naive_vtd_field(vtd->table, 3, 0) + 1) ? 0x21 : 0;
	return !*reason;
}

static unsigned fetch_irte(const struct naive_vtd *vtd, u32 index, u64 *low, u64 *high)
{
	u64 reserved = BITS(31, 24) | BITS(15, 12);
	u8 entry[16];

	*low = *high = 0;
	if (!(vtd->gsts & NAIVE_IRTPS) ||
	    !naive_vtd_load(vtd, (vtd->table & ~PAGE_MASK) + (u64)index * 16, entry, 16))
		return 0x23;
	*low = naive_vtd_quad(entry);
	*high = naive_vtd_quad(entry + 8);
	if (!(*low & 1))
		return 0x22;
	if (!(vtd->table & EIME))
		reserved |= BITS(63, 48) | BITS(39, 32);
	if (*low & reserved || *high & BITS(63, 20) || naive_vtd_field(*high, 19, 18) == 3)
		return 0x24;
	return naive_vtd_field(*low, 7, 5) == 3 || naive_vtd_field(*low, 7, 5) == 6 ? 0x24 : 0;
}

static bool source_is_right(const struct naive_vtd *vtd, u64 high, u16 requester)
{
	static const u16 ignored[] = { 0, 4, 6, 7 };
	u16 source = (u16)high;
	unsigned bus = requester >> 8;

	if (requester == vtd->trusted)
		return true;
	switch (naive_vtd_field(high, 19, 18)) {
	case 1:
		return !((requester ^ source) & ~ignored[naive_vtd_field(high, 17, 16)]);
	case 2:
		return bus >= (source >> 8) && bus <= (source & 0xffu);
	default:
		return true;
	}
}

static struct naive_vtd_interrupt message_of(const struct naive_vtd *vtd, u64 low)
{
	u64 to = vtd->table & EIME ? low >> 32 : naive_vtd_field(low, 47, 40);
	struct naive_vtd_interrupt answer = { 0 };

	answer.address = 0xfee00000u | (to & 0xff) << 12 | (to >> 8) << 40;
	answer.address |= low & BITS(3, 2); /* destination mode, redirection hint */
	answer.data = (u32)(naive_vtd_field(low, 23, 16) | naive_vtd_field(low, 7, 5) << 8);
	if (low & BIT(4)) /* level-triggered, asserted */
		answer.data |= BIT(15) | BIT(14);
	return answer;
}

static unsigned add_interrupt(struct naive_vtd_interrupt *answers, unsigned count,
			      struct naive_vtd_interrupt answer)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		if (answers[i].address == answer.address && answers[i].data == answer.data &&
		    answers[i].reason == answer.reason && answers[i].silent == answer.silent)
			return count;
	}
	if (count < NAIVE_VTD_ANSWERS)
		answers[count++] = answer;
	return count;
}

static struct naive_vtd_interrupt irte_answer(const struct naive_vtd *vtd, u16 requester, u32 index,
					      unsigned reason, u64 low, u64 high)
{
	struct naive_vtd_interrupt answer = { .index = (u16)index, .reason = reason };

	if (!reason && source_is_right(vtd, high, requester))
		return message_of(vtd, low);
	if (!reason)
		answer.reason = 0x26;
	answer.silent = answer.reason != 0x23 && low & BIT(1);
	return answer;
}

unsigned naive_vtd_remap(const struct naive_vtd *vtd, u16 requester, u64 address, u32 data,
			 struct naive_vtd_interrupt answers[NAIVE_VTD_ANSWERS])
{
	unsigned reason, count = 0, i;
	u64 low, high;
	u32 index;

	answers[0] = (struct naive_vtd_interrupt){ .address = address, .data = data };
	if (!(vtd->gsts & NAIVE_IRES))
		return 1;
	if (!(address & BIT(4))) {
		if (vtd->table & EIME || !(vtd->gsts & NAIVE_CFIS))
			answers[0] = (struct naive_vtd_interrupt){ .reason = 0x25 };
		return 1;
	}
	if (!interrupt_index(vtd, address, data, &index, &reason)) {
		answers[0] = (struct naive_vtd_interrupt){ .reason = reason, .index = (u16)index };
		return 1;
	}
	reason = fetch_irte(vtd, index, &low, &high);
	count = add_interrupt(answers, count, irte_answer(vtd, requester, index, reason, low, high));
	for (i = 0; i < vtd->irtes; i++) {
		const struct naive_vtd_irte *kept = &vtd->irte[i];

		if (kept->index == index)
			count = add_interrupt(answers, count,
					      irte_answer(vtd, requester, index, 0, kept->low, kept->high));
	}
	return count;
}

bool naive_vtd_remap_used(struct naive_vtd *vtd, u64 address, u32 data)
{
	unsigned reason, i;
	u64 low, high;
	u32 index;

	if (!(vtd->gsts & NAIVE_IRES) || !(address & BIT(4)) ||
	    !interrupt_index(vtd, address, data, &index, &reason) || fetch_irte(vtd, index, &low, &high))
		return true;
	for (i = 0; i < vtd->irtes; i++) {
		if (vtd->irte[i].index == index && vtd->irte[i].low == low && vtd->irte[i].high == high)
			return true;
	}
	if (vtd->irtes == NAIVE_VTD_KEPT)
		return false;
	vtd->irte[vtd->irtes++] = (struct naive_vtd_irte){ index, low, high };
	return true;
}

void naive_vtd_remap_fault(struct naive_vtd *vtd, u16 requester, const struct naive_vtd_interrupt *answer)
{
	if (answer->reason && !answer->silent)
		naive_vtd_record(vtd, (u64)answer->index << 48, requester, answer->reason, false);
}

void naive_vtd_forget_irtes(struct naive_vtd *vtd, bool all, u16 index, unsigned order)
{
	unsigned i, left = 0;

	for (i = 0; i < vtd->irtes; i++) {
		if (!all && vtd->irte[i].index >> order != (u32)index >> order)
			vtd->irte[left++] = vtd->irte[i];
	}
	vtd->irtes = left;
}
