// SPDX-License-Identifier: BSD-2-Clause
/* What the unit and its guest are about, for the hypervisor's console. */
#include <stdio.h>

#include "iommu/vtd_internal.h"
#include "mm/spin.h"

#define PRINT_LOOKUPS 65536u /* for one requester: pages and gaps */

struct printer {
	struct vtd *unit;
	void (*emit)(void *to, const char *line);
	void *to;
	char line[200];
};

#define PRINT(p, ...)                                                \
	do {                                                         \
		snprintf((p)->line, sizeof((p)->line), __VA_ARGS__); \
		(p)->emit((p)->to, (p)->line);                       \
	} while (0)

typedef unsigned long long ull;

static const char *on(u32 bits)
{
	return bits ? "on" : "off";
}

static void print_state(struct printer *p)
{
	const struct vtd *unit = p->unit;

	PRINT(p, "VT-d, %u bits: translation %s, root table 0x%llx%s", unit->config.address_width,
	      on(unit->gsts & GCMD_TE), (ull)unit->root, unit->gsts & GCMD_SRTP ? "" : " (never set)");
	PRINT(p, "interrupt remapping %s, table 0x%llx of %u entries%s%s%s", on(unit->gsts & GCMD_IRE),
	      (ull)(unit->interrupt_table & ~PAGE_MASK), 2u << (unit->interrupt_table & IRTA_SIZE),
	      unit->gsts & GCMD_SIRTP ? "" : " (never set)",
	      unit->interrupt_table & IRTA_EIME ? ", x2APIC" : "",
	      unit->gsts & GCMD_CFI ? ", compatible format too" : "");
	PRINT(p, "invalidation queue %s, 0x%llx head 0x%x tail 0x%x%s", on(unit->gsts & GCMD_QIE),
	      (ull)(unit->iqa & ~PAGE_MASK), unit->iqh, unit->iqt,
	      unit->fsts & FSTS_IQE ? ", stopped by an error at its head" : "");
}

static void print_counters(struct printer *p)
{
	const struct vtd_counters *c = &p->unit->counters;
	const struct iotlb *tlb = &p->unit->iotlb;
	u64 hits = tlb->hits;

	for (const struct vtd_gate *gate = p->unit->gates; gate; gate = gate->next)
		hits += gate->hits + gate->iommu.remembered;
	PRINT(p, "IOTLB: %llu hits, %llu misses, %llu evictions, %u entries in use", (ull)hits,
	      (ull)tlb->misses, (ull)tlb->evictions, tlb->live[0] + tlb->live[1] + tlb->live[2]);
	PRINT(p,
	      "invalidations: %llu of contexts, %llu of translations, %llu of interrupts; %llu waits, %llu "
	      "bad",
	      (ull)c->context_invalidations, (ull)c->iotlb_invalidations, (ull)c->interrupt_invalidations,
	      (ull)c->waits, (ull)c->queue_errors);
	PRINT(p, "interrupts: %llu, %llu of them in compatible format, %llu blocked", (ull)c->interrupts,
	      (ull)c->interrupts_compatible, (ull)c->interrupts_blocked);
}

static void print_faults(struct printer *p)
{
	struct vtd_fault_record record;
	u32 status;

	spin_lock(&p->unit->lock);
	status = vtd_fault_status(p->unit);
	spin_unlock(&p->unit->lock);
	PRINT(p, "faults: %s%s, %llu not recorded for the guest",
	      status & FSTS_PPF ? "the guest has these to read" : "none for the guest to read",
	      status & FSTS_PFO ? ", overflow" : "", (ull)p->unit->counters.faults_lost);
	for (unsigned n = 0; n < VTD_FAULT_RECORDS; n++) {
		spin_lock(&p->unit->lock);
		record = p->unit->records[n];
		spin_unlock(&p->unit->lock);
		if (!(record.high & FRCD_FAULT))
			continue;
		PRINT(p, "  record %u: %02x:%02x.%x %s 0x%llx: reason 0x%x, %s", n,
		      (unsigned)(record.high >> 8 & 0xff), (unsigned)(record.high >> 3 & 0x1f),
		      (unsigned)(record.high & 7), record.high & FRCD_READ ? "read" : "write",
		      (ull)record.low, (unsigned)(record.high >> 32 & 0xff),
		      vtd_fault_text(record.high >> 32 & 0xff));
	}
}

/* ---- mappings ---- */

struct range {
	u64 first, last, target;
	u32 perm; /* 0: none yet */
};

/* False: there is no line left. */
static bool print_range(struct printer *p, const struct range *range, unsigned *lines)
{
	static const char *const permissions[] = { "", "read", "write", "read and write" };

	if (!range->perm)
		return true;
	if (!*lines)
		return false;
	--*lines;
	PRINT(p, "  0x%llx-0x%llx -> 0x%llx-0x%llx %s", (ull)range->first, (ull)range->last,
	      (ull)range->target, (ull)(range->target + (range->last - range->first)),
	      permissions[range->perm]);
	return true;
}

/* `iova` is the next after it. */
static bool goes_on(const struct range *range, u64 iova, u64 translated, u32 perm)
{
	return perm && range->perm == perm && range->target + (iova - range->first) == translated;
}

static void print_mappings(struct printer *p, struct vtd_gate *gate, unsigned lines)
{
	struct range range = { .perm = MEM_NONE };
	struct iommu_entry entry;
	u64 at = 0;

	for (unsigned lookups = 0; lookups < PRINT_LOOKUPS; lookups++) {
		spin_lock(&p->unit->lock);
		entry = vtd_look_up(gate, at, MEM_NONE);
		spin_unlock(&p->unit->lock);
		if (vtd_in_interrupt_range(at))
			entry.perm = MEM_NONE;
		if (!goes_on(&range, at, entry.translated, entry.perm)) {
			if (!print_range(p, &range, &lines))
				break;
			range = (struct range){ .first = at, .target = entry.translated, .perm = entry.perm };
		}
		range.last = at | entry.mask;
		at = range.last + 1;
		/* Nothing is mapped at the end of 2^64: all ranges have been printed. */
		if (!at)
			return;
	}
	print_range(p, &range, &lines);
	PRINT(p, "  and more");
}

static void print_gate(struct printer *p, struct vtd_gate *gate, unsigned lines)
{
	struct vtd_context context;
	enum vtd_reason reason;
	char what[100];

	spin_lock(&p->unit->lock);
	reason = vtd_read_context(p->unit, gate->requester, &context);
	spin_unlock(&p->unit->lock);
	if (!(p->unit->gsts & GCMD_TE))
		snprintf(what, sizeof(what), "not translated");
	else if (reason)
		snprintf(what, sizeof(what), "all is blocked, %s", vtd_fault_text(reason));
	else if (!context.levels)
		snprintf(what, sizeof(what), "domain %u, pass-through", context.domain);
	else
		snprintf(what, sizeof(what), "domain %u, %u bits, table 0x%llx", context.domain,
			 context.width, (ull)context.table);
	PRINT(p, "%.32s %02x:%02x.%x: %s; %llu faults", gate->iommu.region.name, gate->requester >> 8,
	      gate->requester >> 3 & 0x1f, gate->requester & 7, what, (ull)gate->faults);
	if (p->unit->gsts & GCMD_TE && !reason && context.levels)
		print_mappings(p, gate, lines);
}

void vtd_print(struct vtd *unit, unsigned lines, void (*emit)(void *to, const char *line), void *to)
{
	struct printer p = { .unit = unit, .emit = emit, .to = to };

	print_state(&p);
	for (struct vtd_gate *gate = unit->gates; gate; gate = gate->next)
		print_gate(&p, gate, lines);
	print_counters(&p);
	print_faults(&p);
}
