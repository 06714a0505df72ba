// SPDX-License-Identifier: BSD-2-Clause
/*
 * The local APIC under any sequence of accesses, messages and times. After each step the page is searched the
 * slow way and must give what the model says; periodic timers must leave the guest time.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/lapic.h"

#define SHORTEST 500

struct vcpu {
	_Alignas(4096) u32 page[1024];
	struct lapic l;
	u64 now;
	unsigned moved;
};

static u64 op_now(void *owner)
{
	return ((struct vcpu *)owner)->now;
}

static void op_init(void *owner)
{
	lapic_reset(&((struct vcpu *)owner)->l);
}

static void op_relocate(void *owner, u64 base)
{
	if (base & PAGE_MASK || base >> 40)
		abort();
	((struct vcpu *)owner)->moved++;
}

static const struct lapic_ops ops = { .now = op_now, .init = op_init, .relocate = op_relocate };

static int top(const struct vcpu *v, u32 bank)
{
	for (int vector = 255; vector >= 0; vector--) {
		if (v->page[bank / 4 + vector / 32 * 4] >> vector % 32 & 1)
			return vector;
	}
	return -1;
}

static void check(struct vcpu *v)
{
	int irr = top(v, LAPIC_IRR), isr = top(v, LAPIC_ISR);
	int tpr = v->page[LAPIC_TPR / 4];
	int class = isr >> 4 > tpr >> 4 ? isr >> 4 : tpr >> 4;
	bool deliverable = irr >= 0 && irr >> 4 > class;

	if (tpr & ~0xff || lapic_pending(&v->l) != (deliverable ? irr : -1))
		abort();
	if (lapic_rvi(&v->l) != (irr < 0 ? 0 : irr) || lapic_svi(&v->l) != (isr < 0 ? 0 : isr))
		abort();
	if (v->page[LAPIC_IRR / 4] & 0xffff || lapic_tpr_threshold(&v->l) > (unsigned)tpr >> 4)
		abort();
	if (!(v->page[LAPIC_SVR / 4] & LAPIC_SVR_ENABLE) &&
	    !(v->page[LAPIC_LVT_TIMER / 4] & LAPIC_LVT_MASKED))
		abort();
	if (v->page[LAPIC_VERSION / 4] != LAPIC_VERSION_VALUE)
		abort();
	if (lapic_x2apic(&v->l) && !lapic_enabled(&v->l))
		abort();
}

static void run_timer(struct vcpu *v)
{
	u64 deadline = lapic_deadline(&v->l);

	lapic_timer_run(&v->l, v->now);
	if (deadline > v->now && lapic_deadline(&v->l) != deadline)
		abort();
	if (lapic_deadline(&v->l) <= v->now)
		abort();
	if (deadline <= v->now && lapic_deadline(&v->l) - deadline < SHORTEST)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct vcpu v;
	struct lapic_config config = {
		.bsp = true, .x2apic = true, .physical_bits = 40, .shortest_period = SHORTEST
	};

	if (!size)
		return 0;
	memset(&v, 0, sizeof(v));
	config.id = data[0] & 0x7f;
	config.ratio = data[0] >> 7;
	lapic_setup(&v.l, v.page, &config, &ops, &v);
	lapic_set_virtual_wire(&v.l);
	for (data++, size--; size >= 7; data += 7, size -= 7) {
		u32 value;
		u64 got;

		memcpy(&value, data + 3, sizeof(value));
		switch (data[0] & 15) {
		case 0:
			lapic_mmio_ops.read(&v.l, (data[1] | data[2] << 8) & 0xff8, 1u << (data[0] >> 4 & 3),
					    &got);
			break;
		case 1:
		case 2:
		case 3:
			lapic_mmio_ops.write(&v.l, data[1] << 4 & 0x3f0, data[0] & 0x80 ? 1 : 4, value);
			break;
		case 4:
		case 5:
			lapic_msr_write(&v.l, LAPIC_MSR_X2APIC + data[1], value | (u64)(data[2] & 1) << 32);
			break;
		case 6:
			lapic_msr_read(&v.l, LAPIC_MSR_X2APIC + data[1], &got);
			break;
		case 7:
			lapic_msr_write(&v.l, LAPIC_MSR_BASE,
					LAPIC_DEFAULT_BASE ^ (u64)data[1] << 8 ^ (value & 0x1000));
			break;
		case 8:
			lapic_msr_write(&v.l, LAPIC_MSR_TSC_DEADLINE, data[2] ? v.now + value - 1000 : value);
			lapic_msr_read(&v.l, LAPIC_MSR_TSC_DEADLINE, &got);
			break;
		case 9:
			lapic_message(&v.l, 0xfee00000 | (u64)data[1] << 12 | (data[2] & 0xc), value);
			break;
		case 10:
			lapic_deliver(&v.l, data[1], data[2] & 1);
			break;
		case 11:
		case 12:
			if (lapic_pending(&v.l) >= 0)
				lapic_ack(&v.l, lapic_pending(&v.l));
			break;
		case 13:
			v.now += data[2] & 0xc0 ? value & 0xfff : (u64)value << (data[2] & 31);
			run_timer(&v);
			break;
		case 14:
			lapic_lint(&v.l, data[1] & 1);
			lapic_set_cr8(&v.l, data[2] & 15);
			break;
		default:
			lapic_set_apicv(&v.l, data[1] & 1);
			if (data[1] & 2)
				lapic_apic_write(&v.l, value & 0xfff);
			break;
		}
		check(&v);
	}
	return 0;
}
