// SPDX-License-Identifier: BSD-2-Clause
/* Fault records, event messages (VT-d ch. 7), and what the hypervisor's own log says. */
#include "iommu/vtd_internal.h"
#include "mm/spin.h"

const char *vtd_fault_text(unsigned reason)
{
	/* As Linux' drivers/iommu/intel/dmar.c tells them, in fewer words. */
	static const char *const dma[] = {
		"fault of no known reason", "root entry absent",     "context entry absent",
		"context entry invalid",    "address beyond width",  "no write permission",
		"no read permission",	    "page table unreadable", "root table unreadable",
		"context table unreadable", "root entry reserved",   "context entry reserved",
		"page table reserved bits", "request type blocked",  "leads to interrupt range",
	};
	static const char *const interrupts[] = {
		"reserved bits in the request", "index beyond the table",   "interrupt entry absent",
		"interrupt entry unreadable",	"interrupt entry reserved", "compatible format blocked",
		"source id not as expected",
	};

	if (reason - VTD_IR_REQUEST_RESERVED < ARRAY_SIZE(interrupts))
		return interrupts[reason - VTD_IR_REQUEST_RESERVED];
	return dma[reason < ARRAY_SIZE(dma) ? reason : 0];
}

/*
 * ---- event messages
 * ------------------------------------------------------------------------------------------
 */

static void send(struct vtd *unit, const struct vtd_event *event)
{
	unit->config.send(unit->config.sink, (u64)event->upper << 32 | event->address, event->data);
}

/* Makes the message pending; true: it is to be sent now instead, once the lock is free. */
static bool arm(struct vtd_event *event)
{
	if (!(event->control & EVENT_MASK))
		return true;
	event->control |= EVENT_PENDING;
	return false;
}

void vtd_event_raise(struct vtd *unit, struct vtd_event *event)
{
	struct vtd_event now;
	bool due;

	spin_lock(&unit->lock);
	due = arm(event);
	now = *event;
	spin_unlock(&unit->lock);
	if (due)
		send(unit, &now);
}

void vtd_event_write(struct vtd *unit, struct vtd_event *event, unsigned offset, u32 value)
{
	struct vtd_event now;
	bool due = false;

	spin_lock(&unit->lock);
	switch (offset) {
	case EVENT_CONTROL:
		event->control = (value & EVENT_MASK) | (event->control & EVENT_PENDING);
		due = event->control == EVENT_PENDING;
		if (due)
			event->control = 0;
		break;
	case EVENT_DATA:
		event->data = value & 0xffff;
		break;
	case EVENT_ADDRESS:
		event->address = value & ~3u;
		break;
	default:
		event->upper = value;
		break;
	}
	now = *event;
	spin_unlock(&unit->lock);
	if (due)
		send(unit, &now);
}

/*
 * ---- fault records and status
 * ----------------------------------------------------------------------------------
 */

static bool any_record(const struct vtd *unit)
{
	for (unsigned n = 0; n < VTD_FAULT_RECORDS; n++) {
		if (unit->records[n].high & FRCD_FAULT)
			return true;
	}
	return false;
}

u32 vtd_fault_status(const struct vtd *unit)
{
	return unit->fsts | (any_record(unit) ? FSTS_PPF : 0);
}

static bool pending(const struct vtd *unit)
{
	return vtd_fault_status(unit) & (FSTS_PFO | FSTS_PPF | FSTS_IQE);
}

/* A cause was set: no second message while another was. With the lock held, which it gives up. */
static void unlock_and_raise(struct vtd *unit, bool was_pending)
{
	bool due = !was_pending && arm(&unit->fault_event);
	struct vtd_event now = unit->fault_event;

	spin_unlock(&unit->lock);
	if (due)
		send(unit, &now);
}

void vtd_fault_raise(struct vtd *unit, u32 cause)
{
	bool before;

	spin_lock(&unit->lock);
	before = pending(unit);
	unit->fsts |= cause;
	unlock_and_raise(unit, before);
}

void vtd_fault_record(struct vtd *unit, u16 requester, u64 info, bool read, unsigned reason)
{
	struct vtd_fault_record *record;
	bool before;

	spin_lock(&unit->lock);
	before = pending(unit);
	record = &unit->records[unit->next_record];
	if (unit->fsts & FSTS_PFO || record->high & FRCD_FAULT) {
		unit->fsts |= FSTS_PFO;
		unit->counters.faults_lost++;
	} else {
		if (!any_record(unit))
			unit->fsts = (unit->fsts & ~FSTS_FRI) | unit->next_record << FSTS_FRI_SHIFT;
		record->low = info;
		record->high = FRCD_FAULT | (read ? FRCD_READ : 0) | reason * BIT(32) | requester;
		unit->next_record = (unit->next_record + 1) % VTD_FAULT_RECORDS;
	}
	unlock_and_raise(unit, before);
}

/* A message that was not sent is forgotten with its last cause. */
static void calm(struct vtd *unit)
{
	if (!pending(unit))
		unit->fault_event.control &= ~EVENT_PENDING;
}

void vtd_fault_write_status(struct vtd *unit, u32 value)
{
	spin_lock(&unit->lock);
	unit->fsts &= ~(value & (u32)(FSTS_PFO | FSTS_IQE));
	calm(unit);
	spin_unlock(&unit->lock);
}

void vtd_fault_write_record(struct vtd *unit, unsigned n, u32 value)
{
	spin_lock(&unit->lock);
	unit->records[n].high &= ~((u64)value << 32 & FRCD_FAULT);
	calm(unit);
	spin_unlock(&unit->lock);
}

/*
 * ---- who asks to be told
 * ---------------------------------------------------------------------------------------
 */

/* Qualified faults are not recorded where the context entry says so (FPD). */
static bool is_quiet(struct vtd_gate *gate)
{
	struct vtd_context context;

	spin_lock(&gate->unit->lock);
	context = gate->context;
	if (!context.present)
		vtd_read_context(gate->unit, gate->requester, &context);
	spin_unlock(&gate->unit->lock);
	return context.quiet;
}

void vtd_gate_fault(struct iommu_region *iommu, u64 iova, u64 length, enum mem_access access, unsigned reason)
{
	struct vtd_gate *gate = container_of(iommu, struct vtd_gate, iommu);
	struct vtd *unit = gate->unit;
	bool ours = reason >= IOMMU_FAULT_UNIT;

	gate->faults++;
	if (unit->config.log)
		fault_log_add(unit->config.log,
			      &(struct fault_record){
				      .iova = iova,
				      .length = length,
				      .device = iommu->region.name,
				      .detail = ours ? vtd_fault_text(reason - IOMMU_FAULT_UNIT) : "VT-d",
				      .requester = gate->requester,
				      .reason = (u16)reason,
				      .access = (u8)access,
			      });
	/* What is wrong behind the gate is nothing that VT-d has a reason for. */
	if (!ours)
		return;
	reason -= IOMMU_FAULT_UNIT;
	if (is_quiet(gate))
		unit->counters.faults_lost++;
	else
		vtd_fault_record(unit, gate->requester, iova & ~PAGE_MASK,
				 !(access & MEM_WRITE) || reason == VTD_NO_READ, reason);
}
