// SPDX-License-Identifier: BSD-2-Clause
/*
 * The invalidation queue (VT-d 6.5.2): descriptors of 128 bits in guest RAM, from head to tail. Each is read once, checked
 * and done before the next. A bad one sets FSTS_REG.IQE and stays at the head until software has cleared that. The work is
 * bounded by the queue's size.
 */
#include "iommu/vtd_internal.h"
#include "mm/spin.h"

#define DESCRIPTOR_SIZE 16u

enum { CONTEXT_CACHE = 1, IOTLB = 2, INTERRUPT_ENTRY = 4, WAIT = 5 };

#define CONTEXT_RESERVED    0xfffc00000000ffc0ull
#define IOTLB_RESERVED	    0xffffffff0000ff00ull
#define IOTLB_HIGH_RESERVED BITS(11, 7)
#define INTERRUPT_RESERVED  0xffff000007ffffe0ull
#define WAIT_RESERVED	    0xffffff80ull
#define WAIT_INTERRUPT	    BIT(4)
#define WAIT_STATUS	    BIT(5)

static bool load(struct vtd *unit, u64 address, u64 *value)
{
	return as_load(unit->config.memory, &unit->queue_cache, address, 8, value) == MEM_OK;
}

static void completed(struct vtd *unit)
{
	bool was;

	spin_lock(&unit->lock);
	was = unit->ics & ICS_IWC;
	unit->ics |= ICS_IWC;
	spin_unlock(&unit->lock);
	if (!was)
		vtd_event_raise(unit, &unit->queue_event);
}

/* Everything before it has been done: the fence bit has nothing to add. */
static bool wait(struct vtd *unit, u64 low, u64 high)
{
	if (low & WAIT_RESERVED || high & 3)
		return false;
	if (low & WAIT_STATUS &&
	    as_store(unit->config.memory, &unit->queue_cache, high, 4, low >> 32) != MEM_OK)
		return false;
	if (low & WAIT_INTERRUPT)
		completed(unit);
	unit->counters.waits++;
	return true;
}

/* False: not a descriptor that this unit knows. */
static bool run(struct vtd *unit, u64 low, u64 high)
{
	unsigned granularity = low >> 4 & 3;
	u16 domain = (u16)(low >> 16);

	switch (low & 0xf) {
	case CONTEXT_CACHE:
		return !(low & CONTEXT_RESERVED) && !high &&
		       vtd_invalidate_context(unit, granularity, domain, (u16)(low >> 32), low >> 48 & 3);
	case IOTLB:
		return !(low & IOTLB_RESERVED) && !(high & IOTLB_HIGH_RESERVED) &&
		       vtd_invalidate_iotlb(unit, granularity, domain, high & ~PAGE_MASK, high & 0x3f);
	case INTERRUPT_ENTRY:
		if (!unit->config.interrupt_remapping || low & INTERRUPT_RESERVED || high)
			return false;
		unit->counters.interrupt_invalidations++;
		return true;
	case WAIT:
		return wait(unit, low, high);
	default:
		return false;
	}
}

bool vtd_queue_stopped(struct vtd *unit)
{
	bool stopped;

	spin_lock(&unit->lock);
	stopped = unit->fsts & FSTS_IQE;
	spin_unlock(&unit->lock);
	return stopped;
}

void vtd_queue_run(struct vtd *unit)
{
	u64 base = unit->iqa & ~PAGE_MASK, low, high;
	u32 size = (u32)PAGE_SIZE << (unit->iqa & IQA_SIZE);
	bool good = unit->iqt < size;

	if (!(unit->gsts & GCMD_QIE) || vtd_queue_stopped(unit))
		return;
	while (good && unit->iqh != unit->iqt) {
		good = load(unit, base + unit->iqh, &low) && load(unit, base + unit->iqh + 8, &high) &&
		       run(unit, low, high);
		if (good)
			unit->iqh = (unit->iqh + DESCRIPTOR_SIZE) & (size - 1);
	}
	if (!good) {
		unit->counters.queue_errors++;
		vtd_fault_raise(unit, FSTS_IQE);
	}
}
