// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guest's ways to the local APIC: the MMIO page (SDM 11.4.1), IA32_APIC_BASE, the x2APIC MSRs (SDM
 * 11.12).
 */
#include "arch/lapic_internal.h"

static bool mmio_decoded(const struct lapic *l)
{
	return (l->base & (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)) == LAPIC_BASE_ENABLE;
}

/* Reserved in xAPIC mode; a read of a write-only register, or the reverse, is no error. */
static bool reserved(u64 offset)
{
	return offset >= 0x400 || !(lapic_registers[offset >> 4].access & (LAPIC_R | LAPIC_W));
}

static enum mem_result mmio_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct lapic *l = device;
	unsigned index = offset >> 4 & 63;
	unsigned byte = offset & 15;
	u64 reg = 0;

	*value = 0;
	if (unlikely(!mmio_decoded(l)))
		return MEM_DECODE_ERROR;
	if (likely(offset < 0x400 && lapic_registers[index].access & LAPIC_R))
		reg = lapic_read_register(l, index);
	else if (reserved(offset))
		lapic_raise_error(l, LAPIC_ERROR_ADDRESS);
	/* A register is the first 4 of 16 bytes; the rest is undefined by the manual and zero here. */
	if (byte < 4)
		*value = (reg >> (byte * 8)) & BITS(size * 8 - 1, 0);
	return MEM_OK;
}

static enum mem_result mmio_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct lapic *l = device;
	unsigned index = offset >> 4 & 63;

	if (unlikely(!mmio_decoded(l)))
		return MEM_DECODE_ERROR;
	/*
	 * Only whole registers can be written. What else is tried is undefined by the manual and without
	 * effect here.
	 */
	if (unlikely(size != 4 || offset & 15))
		return MEM_OK;
	if (likely(offset < 0x400 && lapic_registers[index].access & LAPIC_W))
		lapic_write_register(l, index, value);
	else if (reserved(offset))
		lapic_raise_error(l, LAPIC_ERROR_ADDRESS);
	return MEM_OK;
}

const struct region_ops lapic_mmio_ops = {
	.read = mmio_read,
	.write = mmio_write,
	.valid = { 1, 8, true },
	.impl = { 1, 8, true },
};

/* The transitions of SDM figure 11-27: off <-> xAPIC -> x2APIC -> off; all others are #GP. */
static bool write_base(struct lapic *l, u64 value)
{
	u64 mode = LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC;
	u64 page = BITS(l->config.physical_bits - 1, PAGE_SHIFT);
	u64 from = l->base & mode, to = value & mode;

	if (value & ~(page | LAPIC_BASE_BSP | mode))
		return false;
	if (to == LAPIC_BASE_X2APIC || (to == mode && (!l->config.x2apic || !from)) ||
	    (to == LAPIC_BASE_ENABLE && from == mode))
		return false;
	if ((value ^ l->base) & page) {
		if (!l->ops->relocate)
			return false;
		l->ops->relocate(l->owner, value & page);
	}
	l->base = value;
	if (from == to)
		return true;
	if (to == mode) {
		/* Everything stays but what the mode defines anew; LDR is derived, DFR is gone. */
		*lapic_reg(l, LAPIC_ID) = l->config.id;
		*lapic_reg(l, LAPIC_LDR) = (l->config.id >> 4) << 16 | 1u << (l->config.id & 15);
		*lapic_reg(l, LAPIC_ICR + 4) = 0;
	} else {
		lapic_reset(l);
	}
	if (l->ops->mode_changed)
		l->ops->mode_changed(l->owner);
	return true;
}

bool lapic_msr_direct(u32 msr, bool write)
{
	u32 index = msr - LAPIC_MSR_X2APIC;

	if (index >= ARRAY_SIZE(lapic_registers))
		return false;
	if (write)
		return index == LAPIC_TPR >> 4 || index == LAPIC_EOI >> 4 || index == LAPIC_SELF_IPI >> 4;
	return lapic_registers[index].access & LAPIC_XR && index != LAPIC_CURRENT_COUNT >> 4;
}

bool lapic_msr_read(struct lapic *l, u32 msr, u64 *value)
{
	u32 index = msr - LAPIC_MSR_X2APIC;

	if (msr == LAPIC_MSR_BASE) {
		*value = l->base;
		return true;
	}
	if (msr == LAPIC_MSR_TSC_DEADLINE) {
		/* A deadline in the past must read 0 even if the caller has not come round to it. */
		lapic_timer_run(l, l->ops->now(l->owner));
		*value = l->timer_mode == LAPIC_TSC_DEADLINE && l->deadline != LAPIC_NEVER ? l->deadline : 0;
		return true;
	}
	if (index >= ARRAY_SIZE(lapic_registers) || !lapic_x2apic(l) ||
	    !(lapic_registers[index].access & LAPIC_XR))
		return false;
	*value = lapic_read_register(l, index);
	if (index == LAPIC_ICR >> 4)
		*value |= (u64)*lapic_reg(l, LAPIC_ICR + 4) << 32;
	return true;
}

/* Delivery status, remote IRR: written without effect. Linux writes ones there when it lets go of the APIC. */
static u64 read_only_bits(u32 index)
{
	switch (index << 4) {
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
		return BIT(14) | BIT(12);
	case LAPIC_ICR:
	case LAPIC_LVT_TIMER:
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERF:
	case LAPIC_LVT_ERROR:
		return BIT(12);
	default:
		return 0;
	}
}

bool lapic_msr_write(struct lapic *l, u32 msr, u64 value)
{
	u32 index = msr - LAPIC_MSR_X2APIC;
	u64 allowed;

	if (msr == LAPIC_MSR_BASE)
		return write_base(l, value);
	if (msr == LAPIC_MSR_TSC_DEADLINE) {
		lapic_write_tsc_deadline(l, value);
		if (l->ops->timer_changed)
			l->ops->timer_changed(l->owner);
		return true;
	}
	if (index >= ARRAY_SIZE(lapic_registers) || !lapic_x2apic(l) ||
	    !(lapic_registers[index].access & LAPIC_XW))
		return false;
	allowed = lapic_registers[index].mask | read_only_bits(index);
	if (index == LAPIC_ICR >> 4) {
		/* The whole upper half is the destination. */
		allowed |= BITS(63, 32);
		if (value & ~allowed)
			return false;
		*lapic_reg(l, LAPIC_ICR + 4) = value >> 32;
	} else if (value & ~allowed) {
		return false;
	}
	lapic_write_register(l, index, value);
	return true;
}
