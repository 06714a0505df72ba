// SPDX-License-Identifier: BSD-2-Clause
/* Invalidation of what the naive unit remembers: by queue (6.5.2) and by register (6.5.1). */
#include "tests/unit/naive_vtd.h"

static bool too_many_pages(const struct naive_vtd *vtd, unsigned order)
{
	return order > naive_vtd_field(vtd->cap, 53, 48);
}

static bool invalidate_context(struct naive_vtd *vtd, u64 low, u64 high)
{
	unsigned granularity = (unsigned)naive_vtd_field(low, 5, 4);

	if (low & (BITS(15, 6) | BITS(63, 50)) || high || !granularity)
		return false;
	naive_vtd_forget_contexts(vtd, granularity, (u16)naive_vtd_field(low, 31, 16),
				  (u16)naive_vtd_field(low, 47, 32), (unsigned)naive_vtd_field(low, 49, 48));
	return true;
}

static bool invalidate_iotlb(struct naive_vtd *vtd, u64 low, u64 high)
{
	unsigned granularity = (unsigned)naive_vtd_field(low, 5, 4),
		 order = (unsigned)naive_vtd_field(high, 5, 0);

	if (low & (BITS(15, 8) | BITS(63, 32)) || high & BITS(11, 7) || !granularity)
		return false;
	if (granularity == 3 && too_many_pages(vtd, order))
		return false;
	naive_vtd_forget_translations(vtd, granularity, (u16)naive_vtd_field(low, 31, 16), high & ~PAGE_MASK,
				      order);
	return true;
}

static bool invalidate_interrupts(struct naive_vtd *vtd, u64 low, u64 high)
{
	bool selective = low & BIT(4);

	if (!(vtd->ecap & BIT(3)) || low & (BITS(26, 5) | BITS(63, 48)) || high)
		return false;
	naive_vtd_forget_irtes(vtd, !selective, (u16)naive_vtd_field(low, 47, 32),
			       (unsigned)naive_vtd_field(low, 31, 27));
	return true;
}

static bool wait(struct naive_vtd *vtd, u64 low, u64 high)
{
	u32 status = (u32)naive_vtd_field(low, 63, 32);

	if (low & BITS(31, 7) || high & 3)
		return false;
	if (low & BIT(5) && !naive_vtd_store(vtd, high, &status, 4))
		return false;
	if (low & BIT(4) && !vtd->iwc) {
		vtd->iwc = true;
		naive_vtd_raise(vtd, &vtd->queue_event);
	}
	return true;
}

static bool process(struct naive_vtd *vtd, u64 low, u64 high)
{
	switch (naive_vtd_field(low, 3, 0)) {
	case 1:
		return invalidate_context(vtd, low, high);
	case 2:
		return invalidate_iotlb(vtd, low, high);
	case 4:
		return invalidate_interrupts(vtd, low, high);
	case 5:
		return wait(vtd, low, high);
	default:
		return false;
	}
}

void naive_vtd_run_queue(struct naive_vtd *vtd)
{
	u64 size = PAGE_SIZE << naive_vtd_field(vtd->iqa, 2, 0);

	while (vtd->gsts & NAIVE_QIES && !(vtd->fsts & NAIVE_IQE) && vtd->iqh != vtd->iqt) {
		u64 descriptor[2];

		if (vtd->iqt >= size ||
		    !naive_vtd_load(vtd, (vtd->iqa & ~PAGE_MASK) + vtd->iqh, descriptor, 16) ||
		    !process(vtd, descriptor[0], descriptor[1])) {
			naive_vtd_set_status(vtd, NAIVE_IQE);
			break;
		}
		vtd->iqh = (vtd->iqh + 16) % (u32)size;
	}
}

/* CCMD: what was done stands beside what was asked for. */
void naive_vtd_context_command(struct naive_vtd *vtd)
{
	unsigned granularity = (unsigned)naive_vtd_field(vtd->ccmd, 62, 61);

	if (vtd->gsts & NAIVE_QIES)
		granularity = 0;
	vtd->ccmd &= ~(BIT(63) | BITS(60, 59));
	vtd->ccmd |= (u64)granularity << 59;
	if (granularity)
		naive_vtd_forget_contexts(vtd, granularity, (u16)vtd->ccmd,
					  (u16)naive_vtd_field(vtd->ccmd, 31, 16),
					  (unsigned)naive_vtd_field(vtd->ccmd, 33, 32));
}

void naive_vtd_iotlb_command(struct naive_vtd *vtd)
{
	unsigned granularity = (unsigned)naive_vtd_field(vtd->iotlb, 61, 60),
		 order = (unsigned)naive_vtd_field(vtd->iva, 5, 0);

	if (vtd->gsts & NAIVE_QIES || (granularity == 3 && too_many_pages(vtd, order)))
		granularity = 0;
	vtd->iotlb &= ~(BIT(63) | BITS(58, 57));
	vtd->iotlb |= (u64)granularity << 57;
	if (granularity)
		naive_vtd_forget_translations(vtd, granularity, (u16)naive_vtd_field(vtd->iotlb, 47, 32),
					      vtd->iva & ~PAGE_MASK, order);
}
