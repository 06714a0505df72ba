// SPDX-License-Identifier: BSD-2-Clause
/*
 * The register page (VT-d ch. 11). Registers of 64 bits are written half by half, also by one access of 8 bytes: commands start
 * with the half that holds their trigger.
 */
#include "iommu/vtd_internal.h"
#include "mm/spin.h"

#define VERSION 0x10 /* 1.0 */

/* CCMD_REG and IOTLB_REG, as seen in the high half. */
#define CCMD_ICC	 BIT(63)
#define CCMD_CIRG_SHIFT	 61
#define CCMD_CAIG	 BITS(60, 59)
#define CCMD_CAIG_SHIFT	 59
#define IOTLB_IVT	 BIT(63)
#define IOTLB_IIRG_SHIFT 60
#define IOTLB_IAIG	 BITS(58, 57)
#define IOTLB_IAIG_SHIFT 57
#define IOTLB_WRITABLE	 (BITS(63, 63) | BITS(61, 60) | BITS(49, 32))
#define CCMD_WRITABLE	 (BITS(63, 61) | BITS(33, 0))
#define IQT_TAIL	 BITS(18, 4)

/* ---- reads ---- */

static u64 pair(u32 low, u32 high)
{
	return (u64)high << 32 | low;
}

/* The two registers, or the one, at a multiple of 8. */
static u64 read_quad(const struct vtd *unit, u64 offset)
{
	const struct vtd_event *fault = &unit->fault_event, *queue = &unit->queue_event;
	u64 n = (offset - FRCD_REG) / sizeof(unit->records[0]);

	switch (offset) {
	case VER_REG:
		return VERSION;
	case CAP_REG:
		return unit->cap;
	case ECAP_REG:
		return unit->ecap;
	case GCMD_REG:
		return pair(0, unit->gsts);
	case RTADDR_REG:
		return unit->rtaddr;
	case CCMD_REG:
		return unit->ccmd;
	case FSTS_REG - 4:
		return pair(0, vtd_fault_status(unit));
	case FECTL_REG:
		return pair(fault->control, fault->data);
	case FEADDR_REG:
		return pair(fault->address, fault->upper);
	case IQH_REG:
		return unit->iqh;
	case IQT_REG:
		return unit->iqt;
	case IQA_REG:
		return unit->iqa;
	case ICS_REG - 4:
		return pair(0, unit->ics);
	case IECTL_REG:
		return pair(queue->control, queue->data);
	case IEADDR_REG:
		return pair(queue->address, queue->upper);
	case IRTA_REG:
		return unit->irta;
	case IOTLB_REG:
		return unit->iotlb_command;
	default:
		if (n >= VTD_FAULT_RECORDS)
			return 0;
		return offset & 8 ? unit->records[n].high : unit->records[n].low;
	}
}

static enum mem_result vtd_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct vtd *unit = device;

	spin_lock(&unit->lock);
	*value = read_quad(unit, offset & ~7ull);
	spin_unlock(&unit->lock);
	if (size == 4)
		*value = (u32)(*value >> (offset & 4) * 8);
	return MEM_OK;
}

/* ---- GCMD_REG ---- */

static void set_status(struct vtd *unit, u32 bits, bool on)
{
	spin_lock(&unit->lock);
	unit->gsts = on ? unit->gsts | bits : unit->gsts & ~bits;
	spin_unlock(&unit->lock);
}

static void set_root(struct vtd *unit)
{
	spin_lock(&unit->lock);
	unit->root = unit->rtaddr;
	unit->gsts |= GCMD_SRTP;
	spin_unlock(&unit->lock);
	vtd_invalidate_all(unit);
}

static void set_interrupt_table(struct vtd *unit)
{
	spin_lock(&unit->lock);
	unit->interrupt_table = unit->irta;
	unit->gsts |= GCMD_SIRTP;
	spin_unlock(&unit->lock);
}

static void set_queue(struct vtd *unit, bool on)
{
	set_status(unit, GCMD_QIE, on);
	unit->iqh = 0;
	if (on)
		vtd_queue_run(unit);
}

/* Level bits say how things are to be; SRTP and SIRTP do something. Order: vtd.h. */
static void command(struct vtd *unit, u32 value)
{
	u32 changed = value ^ unit->gsts;

	if (value & GCMD_SRTP)
		set_root(unit);
	if (unit->config.interrupt_remapping && value & GCMD_SIRTP)
		set_interrupt_table(unit);
	if (changed & GCMD_QIE)
		set_queue(unit, value & GCMD_QIE);
	if (unit->config.interrupt_remapping) {
		set_status(unit, GCMD_IRE, value & GCMD_IRE);
		set_status(unit, GCMD_CFI, value & GCMD_CFI);
	}
	if (changed & GCMD_TE) {
		set_status(unit, GCMD_TE, value & GCMD_TE);
		vtd_invalidate_all(unit);
	}
}

/* ---- register-based invalidation (VT-d 6.5.1); none while the queue is on ---- */

static void invalidate_context(struct vtd *unit)
{
	u64 command = unit->ccmd & ~(CCMD_ICC | CCMD_CAIG);
	u64 granularity = command >> CCMD_CIRG_SHIFT & 3;

	if (!(unit->gsts & GCMD_QIE) &&
	    vtd_invalidate_context(unit, granularity, (u16)command, (u16)(command >> 16), command >> 32 & 3))
		command |= granularity << CCMD_CAIG_SHIFT;
	unit->ccmd = command;
}

static void invalidate_iotlb(struct vtd *unit)
{
	u64 command = unit->iotlb_command & ~(IOTLB_IVT | IOTLB_IAIG);
	u64 granularity = command >> IOTLB_IIRG_SHIFT & 3;

	if (!(unit->gsts & GCMD_QIE) && vtd_invalidate_iotlb(unit, granularity, (u16)(command >> 32),
							     unit->iva & ~PAGE_MASK, unit->iva & 0x3f))
		command |= granularity << IOTLB_IAIG_SHIFT;
	unit->iotlb_command = command;
}

/* ---- writes ---- */

/* Half of a register of 64 bits, as far as it can be written. */
static void set_half(struct vtd *unit, u64 *reg, u64 offset, u32 value, u64 writable)
{
	unsigned shift = (offset & 4) * 8;

	spin_lock(&unit->lock);
	writable &= 0xffffffffull << shift;
	*reg = (*reg & ~writable) | ((u64)value << shift & writable);
	spin_unlock(&unit->lock);
}

static void write_status(struct vtd *unit, u32 value)
{
	bool stopped = vtd_queue_stopped(unit);

	vtd_fault_write_status(unit, value);
	if (stopped)
		vtd_queue_run(unit);
}

static void write_completion(struct vtd *unit, u32 value)
{
	if (!(value & ICS_IWC))
		return;
	spin_lock(&unit->lock);
	unit->ics = 0;
	unit->queue_event.control &= ~EVENT_PENDING;
	spin_unlock(&unit->lock);
}

static void write_record(struct vtd *unit, u64 offset, u32 value)
{
	u64 n = (offset - FRCD_REG) / sizeof(unit->records[0]);

	if (n < VTD_FAULT_RECORDS && offset % sizeof(unit->records[0]) == 12)
		vtd_fault_write_record(unit, n, value);
}

static void write_half(struct vtd *unit, u64 offset, u32 value)
{
	u64 irta = ~PAGE_MASK | IRTA_SIZE | (unit->config.x2apic ? IRTA_EIME : 0);

	switch (offset) {
	case GCMD_REG:
		command(unit, value);
		break;
	case RTADDR_REG:
	case RTADDR_REG + 4:
		set_half(unit, &unit->rtaddr, offset, value, ~PAGE_MASK);
		break;
	case CCMD_REG:
	case CCMD_REG + 4:
		set_half(unit, &unit->ccmd, offset, value, CCMD_WRITABLE);
		if (unit->ccmd & CCMD_ICC)
			invalidate_context(unit);
		break;
	case FSTS_REG:
		write_status(unit, value);
		break;
	case FECTL_REG:
	case FEDATA_REG:
	case FEADDR_REG:
	case FEUADDR_REG:
		vtd_event_write(unit, &unit->fault_event, offset - FECTL_REG, value);
		break;
	case IQT_REG:
		unit->iqt = value & IQT_TAIL;
		vtd_queue_run(unit);
		break;
	case IQA_REG:
	case IQA_REG + 4:
		if (!(unit->gsts & GCMD_QIE))
			set_half(unit, &unit->iqa, offset, value, ~PAGE_MASK | IQA_SIZE);
		break;
	case ICS_REG:
		write_completion(unit, value);
		break;
	case IECTL_REG:
	case IEDATA_REG:
	case IEADDR_REG:
	case IEUADDR_REG:
		vtd_event_write(unit, &unit->queue_event, offset - IECTL_REG, value);
		break;
	case IRTA_REG:
	case IRTA_REG + 4:
		if (unit->config.interrupt_remapping)
			set_half(unit, &unit->irta, offset, value, irta);
		break;
	case IVA_REG:
	case IVA_REG + 4:
		set_half(unit, &unit->iva, offset, value, ~BITS(11, 7));
		break;
	case IOTLB_REG:
	case IOTLB_REG + 4:
		set_half(unit, &unit->iotlb_command, offset, value, IOTLB_WRITABLE);
		if (unit->iotlb_command & IOTLB_IVT)
			invalidate_iotlb(unit);
		break;
	default: /* read-only, or not there */
		write_record(unit, offset, value);
		break;
	}
}

static enum mem_result vtd_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct vtd *unit = device;

	spin_lock(&unit->command);
	write_half(unit, offset, (u32)value);
	if (size == 8)
		write_half(unit, offset + 4, (u32)(value >> 32));
	spin_unlock(&unit->command);
	return MEM_OK;
}

const struct region_ops vtd_register_ops = {
	.read = vtd_read,
	.write = vtd_write,
	.valid = { 4, 8, false },
	.impl = { 4, 8, false },
};
