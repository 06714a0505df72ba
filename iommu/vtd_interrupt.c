// SPDX-License-Identifier: BSD-2-Clause
/*
 * Interrupt remapping (VT-d ch. 5): a request names an entry of the guest's table, which says what interrupt it is, and
 * whose.
 *
 *	request   address  31:20 0xfee  19:5 handle[14:0]  4 remappable  3 SHV  2 handle[15]	  data  15:0 subhandle
 *	message   address  63:40 destination[31:8]  31:20 0xfee  19:12 destination[7:0]  3 RH  2 DM
 *		  data	   15 TM  14 assert  10:8 DLM  7:0 vector
 */
#include "iommu/vtd_internal.h"
#include "mm/spin.h"

#define REQUEST_REMAPPABLE BIT(4)
#define REQUEST_SHV	   BIT(3)

#define IRTE_PRESENT	   BIT(0)
#define IRTE_FPD	   BIT(1)
#define IRTE_LOW_RESERVED  (BITS(31, 24) | BITS(15, 12))
#define IRTE_HIGH_RESERVED BITS(63, 20)
#define IRTE_XAPIC_ID	   BITS(47, 40)

enum { SVT_NONE = 0, SVT_REQUESTER = 1, SVT_BUSES = 2 };
enum { DLM_RESERVED = 3, DLM_RESERVED_TOO = 6 };

struct request {
	u64 address;
	u32 data;
	u16 requester;
	u32 index;
	bool quiet; /* the entry's FPD */
};

static enum vtd_reason parse_request(struct request *request)
{
	u64 address = request->address;

	if (address >> 32)
		return VTD_IR_REQUEST_RESERVED;
	request->index = (address >> 5 & 0x7fff) | (address & BIT(2) ? BIT(15) : 0);
	if (!(address & REQUEST_SHV))
		return 0;
	if (request->data >> 16)
		return VTD_IR_REQUEST_RESERVED;
	request->index += request->data;
	return 0;
}

static bool source_is_right(u16 requester, u64 high)
{
	u16 expected = (u16)high;
	unsigned bus = requester >> 8;

	switch (high >> 18 & 3) {
	case SVT_NONE:
		return true;
	case SVT_REQUESTER:
		return !((requester ^ expected) & (u16)~vtd_ignored_functions(high >> 16 & 3));
	default: /* SVT_BUSES; 3 is reserved */
		return bus >= expected >> 8 && bus <= (expected & 0xff);
	}
}

static bool entry_is_reserved(const struct vtd *unit, u64 low, u64 high)
{
	unsigned mode = low >> 5 & 7;
	bool x2apic = unit->interrupt_table & IRTA_EIME;

	return low & IRTE_LOW_RESERVED || high & IRTE_HIGH_RESERVED || (high >> 18 & 3) > SVT_BUSES ||
	       mode == DLM_RESERVED || mode == DLM_RESERVED_TOO ||
	       (!x2apic && low & BITS(63, 32) & ~IRTE_XAPIC_ID);
}

static void make_message(const struct vtd *unit, u64 low, u64 *address, u32 *data)
{
	u64 destination = unit->interrupt_table & IRTA_EIME ? low >> 32 : low >> 40 & 0xff;
	bool logical = low & BIT(2), hint = low & BIT(3), level = low & BIT(4);

	*address = INTERRUPT_RANGE | (destination & 0xff) << 12 | (destination >> 8) << 40 |
		   (hint ? BIT(3) : 0) | (logical ? BIT(2) : 0);
	*data = (u32)((low >> 16 & 0xff) | (low >> 5 & 7) << 8 | (level ? BIT(15) | BIT(14) : 0));
}

static enum vtd_reason remap(struct vtd *unit, struct request *request)
{
	enum vtd_reason reason = parse_request(request);
	u64 table = unit->interrupt_table, low, high;
	bool verified =
		!unit->config.ioapic_unverified || request->requester != unit->config.ioapic_requester;

	if (reason)
		return reason;
	if (request->index >> ((table & IRTA_SIZE) + 1))
		return VTD_IR_INDEX;
	table = (table & ~PAGE_MASK) + request->index * 16ull;
	if (!(unit->gsts & GCMD_SIRTP) || !vtd_load(unit, table, &low) || !vtd_load(unit, table + 8, &high))
		return VTD_IR_INACCESSIBLE;
	request->quiet = low & IRTE_FPD;
	if (!(low & IRTE_PRESENT))
		return VTD_IR_NOT_PRESENT;
	if (entry_is_reserved(unit, low, high))
		return VTD_IR_RESERVED;
	if (verified && !source_is_right(request->requester, high))
		return VTD_IR_SOURCE;
	make_message(unit, low, &request->address, &request->data);
	return 0;
}

/* The format of before remapping. Not where local APICs have more than 8 bits of id. */
static enum vtd_reason pass(struct vtd *unit)
{
	if (!(unit->gsts & GCMD_CFI) || unit->interrupt_table & IRTA_EIME)
		return VTD_IR_COMPATIBLE;
	unit->counters.interrupts_compatible++;
	return 0;
}

static const char *name_of(const struct vtd *unit, u16 requester)
{
	for (const struct vtd_gate *gate = unit->gates; gate; gate = gate->next) {
		if (gate->requester == requester)
			return gate->iommu.region.name;
	}
	return requester == unit->config.ioapic_requester ? "ioapic" : NULL;
}

static void blocked(struct vtd *unit, const struct request *request, enum vtd_reason reason)
{
	if (unit->config.log)
		fault_log_add(unit->config.log, &(struct fault_record){
							.iova = request->index,
							.length = 1,
							.device = name_of(unit, request->requester),
							.detail = vtd_fault_text(reason),
							.requester = request->requester,
							.reason = (u16)(IOMMU_FAULT_UNIT + reason),
							.access = MEM_WRITE,
						});
	if (request->quiet)
		unit->counters.faults_lost++;
	else
		vtd_fault_record(unit, request->requester, (u64)request->index << 48, false, reason);
}

bool vtd_remap_interrupt(struct vtd *unit, u16 requester, u64 *address, u32 *data)
{
	struct request request = { .address = *address, .data = *data, .requester = requester };
	enum vtd_reason reason = 0;

	/* Whatever it is, it is no interrupt: no local APIC will take it for one. */
	if (!vtd_in_interrupt_range((u32)*address))
		return true;
	spin_lock(&unit->lock);
	unit->counters.interrupts++;
	if (unit->gsts & GCMD_IRE)
		reason = *address & REQUEST_REMAPPABLE ? remap(unit, &request) : pass(unit);
	unit->counters.interrupts_blocked += reason != 0;
	spin_unlock(&unit->lock);
	if (reason) {
		blocked(unit, &request, reason);
		return false;
	}
	*address = request.address;
	*data = request.data;
	return true;
}
