// SPDX-License-Identifier: BSD-2-Clause
/* The VT-d unit: set-up, gates, and what invalidations do to caches and mappings. */
#include "iommu/vtd.h"

#include <errno.h>
#include <string.h>

#include "iommu/vtd_internal.h"
#include "mm/spin.h"

/*
 * ---- gates
 * ---------------------------------------------------------------------------------------------------
 */

static struct vtd_recent *recent_of(struct vtd_gate *gate, u64 iova)
{
	return &gate->recent[iova >> PAGE_SHIFT & (VTD_RECENT - 1)];
}

static __attribute__((noinline)) struct iommu_entry translate_slow(struct vtd_gate *gate, u64 iova,
								   enum mem_access access)
{
	struct vtd *unit = gate->unit;
	/* Before anything is looked at: what an invalidation overtakes is not remembered as valid. */
	u64 generation = __atomic_load_n(&gate->iommu.generation, __ATOMIC_ACQUIRE);
	struct iommu_entry entry;

	spin_lock(&unit->lock);
	entry = vtd_look_up(gate, iova, access);
	spin_unlock(&unit->lock);
	if (access != MEM_NONE && entry.perm)
		*recent_of(gate, iova) = (struct vtd_recent){
			.iova = iova & ~entry.mask,
			.mask = entry.mask,
			.translated = entry.translated & ~entry.mask,
			.stamp = generation << 2 | entry.perm,
		};
	return entry;
}

static struct iommu_entry vtd_translate(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	struct vtd_gate *gate = container_of((struct iommu_region *)iommu, struct vtd_gate, iommu);
	const struct vtd_recent *recent = recent_of(gate, iova);
	u64 generation = __atomic_load_n(&iommu->generation, __ATOMIC_ACQUIRE);

	if (unlikely((iova & ~recent->mask) != recent->iova || !access ||
		     (recent->stamp & (~3ull | access)) != (generation << 2 | access)))
		return translate_slow(gate, iova, access);
	gate->hits++;
	return (struct iommu_entry){
		.iova = iova,
		.translated = recent->translated,
		.mask = recent->mask,
		.perm = recent->stamp & MEM_READ_WRITE,
	};
}

static const struct iommu_ops gate_ops = { .translate = vtd_translate, .fault = vtd_gate_fault };

void vtd_gate_init(struct vtd *unit, struct vtd_gate *gate, const char *name, u16 requester,
		   struct address_space *target)
{
	*gate = (struct vtd_gate){ .unit = unit, .requester = requester, .next = unit->gates };
	region_init_iommu(&gate->iommu, name, REGION_SIZE_WHOLE, &gate_ops, target, false);
	unit->gates = gate;
}

/*
 * ---- invalidation
 * --------------------------------------------------------------------------------------------
 *
 * First the caches, under the lock; then each gate's own translations and the mappings through it, without: those who hold
 * mappings are told, and may take locks under which they translate. A gate that has mappings has its context cached, since
 * dropping that revokes them: so the cached contexts tell which gates a domain concerns.
 */

static void revoke(struct vtd_gate *gate)
{
	iommu_invalidate(&gate->iommu, 0, ~0ull);
}

static bool in_domain(struct vtd_gate *gate, u16 domain, u64 *widest)
{
	bool is;

	spin_lock(&gate->unit->lock);
	is = gate->context.present && gate->context.domain == domain;
	*widest = gate->widest;
	spin_unlock(&gate->unit->lock);
	return is;
}

static void drop_context(struct vtd_gate *gate)
{
	spin_lock(&gate->unit->lock);
	gate->context.present = false;
	gate->widest = 0;
	spin_unlock(&gate->unit->lock);
	revoke(gate);
}

void vtd_invalidate_all(struct vtd *unit)
{
	spin_lock(&unit->lock);
	iotlb_invalidate_all(&unit->iotlb);
	spin_unlock(&unit->lock);
	for (struct vtd_gate *gate = unit->gates; gate; gate = gate->next)
		drop_context(gate);
}

bool vtd_invalidate_context(struct vtd *unit, unsigned granularity, u16 domain, u16 source, unsigned mask)
{
	u16 compared = (u16)~vtd_ignored_functions(mask);
	u64 widest;

	if (!granularity)
		return false;
	for (struct vtd_gate *gate = unit->gates; gate; gate = gate->next) {
		if (granularity == INVALIDATE_DOMAIN && !in_domain(gate, domain, &widest))
			continue;
		/* The domain is not compared: it may be the one that was, or the one that will be. */
		if (granularity == INVALIDATE_FINE && (gate->requester ^ source) & compared)
			continue;
		drop_context(gate);
	}
	unit->counters.context_invalidations++;
	return true;
}

/* Mappings of a domain; large pages that [first, last] touches go as a whole. */
static void revoke_domain(struct vtd *unit, u16 domain, u64 first, u64 last)
{
	u64 widest;

	for (struct vtd_gate *gate = unit->gates; gate; gate = gate->next) {
		if (in_domain(gate, domain, &widest))
			iommu_invalidate(&gate->iommu, first & ~widest, last | widest);
	}
}

bool vtd_invalidate_iotlb(struct vtd *unit, unsigned granularity, u16 domain, u64 address, unsigned order)
{
	u64 first = 0, last = ~0ull;

	if (!granularity || (granularity == INVALIDATE_FINE && order > MAMV))
		return false;
	unit->counters.iotlb_invalidations++;
	spin_lock(&unit->lock);
	if (granularity == INVALIDATE_FINE) {
		first = ALIGN_DOWN(address, PAGE_SIZE << order);
		last = first + ((PAGE_SIZE << order) - 1);
		iotlb_invalidate_range(&unit->iotlb, domain, first, last);
	} else if (granularity == INVALIDATE_DOMAIN) {
		iotlb_invalidate_domain(&unit->iotlb, domain);
	} else {
		iotlb_invalidate_all(&unit->iotlb);
	}
	spin_unlock(&unit->lock);
	if (granularity != INVALIDATE_GLOBAL) {
		revoke_domain(unit, domain, first, last);
		return true;
	}
	for (struct vtd_gate *gate = unit->gates; gate; gate = gate->next)
		revoke(gate);
	return true;
}

/*
 * ---- set-up
 * --------------------------------------------------------------------------------------------------
 */

/* CAP_REG, VT-d 11.4.2. */
static u64 capabilities(const struct vtd_config *config)
{
	u64 nd = 6, sagaw = config->address_width == 48 ? 6 : 2, sllps = 3;
	u64 drain = BITS(55, 54), page_selective = BIT(39), zero_length_reads = BIT(22);

	return drain | (u64)MAMV << 48 | (u64)(VTD_FAULT_RECORDS - 1) << 40 | page_selective | sllps << 34 |
	       (u64)FRCD_REG / 16 << 24 | zero_length_reads | (u64)(config->address_width - 1) << 16 |
	       sagaw << 8 | nd;
}

/* ECAP_REG, VT-d 11.4.3. */
static u64 extended_capabilities(const struct vtd_config *config)
{
	u64 coherent = BIT(0), queued = BIT(1), pass_through = BIT(6), mhmv = 15;

	return mhmv << 20 | (u64)IVA_REG / 16 << 8 | pass_through | (config->x2apic ? BIT(4) : 0) |
	       (config->interrupt_remapping ? BIT(3) : 0) | queued | coherent;
}

int vtd_init(struct vtd *unit, const struct vtd_config *config)
{
	memset(unit, 0, sizeof(*unit));
	if ((config->address_width != 39 && config->address_width != 48) || config->host_address_width < 32 ||
	    config->host_address_width > 52 || (config->x2apic && !config->interrupt_remapping) ||
	    !config->memory || !config->send)
		return -EINVAL;
	unit->config = *config;
	unit->cap = capabilities(config);
	unit->ecap = extended_capabilities(config);
	if (iotlb_init(&unit->iotlb, config->iotlb, config->iotlb_entries))
		return -EINVAL;
	vtd_reset(unit);
	return 0;
}

void vtd_reset(struct vtd *unit)
{
	static const struct vtd_event masked = { .control = EVENT_MASK };

	spin_lock(&unit->command);
	spin_lock(&unit->lock);
	unit->gsts = unit->fsts = unit->ics = 0;
	unit->rtaddr = unit->root = unit->irta = unit->interrupt_table = 0;
	unit->ccmd = unit->iva = unit->iotlb_command = 0;
	unit->iqa = 0;
	unit->iqh = unit->iqt = 0;
	unit->fault_event = unit->queue_event = masked;
	memset(unit->records, 0, sizeof(unit->records));
	unit->next_record = 0;
	spin_unlock(&unit->lock);
	vtd_invalidate_all(unit);
	spin_unlock(&unit->command);
}
