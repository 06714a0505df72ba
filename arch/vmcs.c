// SPDX-License-Identifier: BSD-2-Clause
/*
 * Filling a VMCS: controls, the host's state, the guest's state after reset (SDM vol. 3, 24 and 9.1.1).
 */
#include "arch/vmcs.h"

#include "arch/cpu.h"
#include "arch/vcpu_internal.h"

enum { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS, SEGMENT_LDTR, SEGMENT_TR };

#define VPID_GUEST 1

static u16 read_selector(unsigned which)
{
	u16 value;

	switch (which) {
	case SEGMENT_CS:
		__asm__ volatile("mov %%cs, %0" : "=r"(value));
		break;
	case SEGMENT_TR:
		__asm__ volatile("str %0" : "=r"(value));
		break;
	default:
		__asm__ volatile("mov %%ss, %0" : "=r"(value));
	}
	return value;
}

/* The base in a 64-bit TSS descriptor of the current GDT (SDM vol. 3, 7.2.3). */
static u64 tss_base(u16 selector)
{
	const u8 *d = (const u8 *)sgdt().base + (selector & ~7u);

	return d[2] | (u64)d[3] << 8 | (u64)d[4] << 16 | (u64)d[7] << 24 | (u64) * (const u32 *)(d + 8) << 32;
}

static void setup_host(void)
{
	u16 ss = read_selector(SEGMENT_SS), tr = read_selector(SEGMENT_TR);

	vmwrite(VMCS_HOST_CS_SELECTOR, read_selector(SEGMENT_CS));
	vmwrite(VMCS_HOST_SS_SELECTOR, ss);
	vmwrite(VMCS_HOST_DS_SELECTOR, ss);
	vmwrite(VMCS_HOST_ES_SELECTOR, ss);
	vmwrite(VMCS_HOST_FS_SELECTOR, 0);
	vmwrite(VMCS_HOST_GS_SELECTOR, 0);
	vmwrite(VMCS_HOST_TR_SELECTOR, tr);
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_FS_BASE, 0);
	vmwrite(VMCS_HOST_GS_BASE, 0);
	vmwrite(VMCS_HOST_TR_BASE, tss_base(tr));
	vmwrite(VMCS_HOST_GDTR_BASE, sgdt().base);
	vmwrite(VMCS_HOST_IDTR_BASE, sidt().base);
	vmwrite(VMCS_HOST_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
	vmwrite(VMCS_HOST_PAT, rdmsr(IA32_PAT));
	vmwrite(VMCS_HOST_EFER, rdmsr(IA32_EFER));
	vmwrite(VMCS_HOST_RIP, (u64)vmx_exit_point);
}

static void setup_controls(struct vcpu *vcpu)
{
	const struct vmx_capabilities *caps = vcpu->caps;

	vcpu->primary = caps->primary | PRIMARY_USE_TSC_OFFSETTING;
	vcpu->secondary = caps->secondary;
	if (vcpu->apicv) {
		vcpu->primary |= PRIMARY_TPR_SHADOW;
		vcpu->secondary |=
			SECONDARY_APIC_REGISTER_VIRTUALIZATION | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;
		vmwrite(VMCS_VIRTUAL_APIC_ADDRESS, (u64)vcpu->vapic_page);
		vmwrite(VMCS_APIC_ACCESS_ADDRESS, vcpu->vm->ept.apic_access);
		vmwrite(VMCS_TPR_THRESHOLD, 0);
		vmwrite(VMCS_GUEST_INTERRUPT_STATUS, 0);
	} else {
		vcpu->primary |= PRIMARY_CR8_LOAD_EXITING | PRIMARY_CR8_STORE_EXITING;
	}
	vmwrite(VMCS_PIN_CONTROLS, caps->pin);
	vmwrite(VMCS_PRIMARY_CONTROLS, vcpu->primary);
	vmwrite(VMCS_SECONDARY_CONTROLS, vcpu->secondary);
	vmwrite(VMCS_EXIT_CONTROLS, caps->exit);
	vmwrite(VMCS_ENTRY_CONTROLS, caps->entry);
	/* #DB and #AC: their delivery can loop for ever inside the guest (CVE-2015-5307, CVE-2015-8104). */
	vmwrite(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_DB) | BIT(VECTOR_AC) | BIT(VECTOR_MC));
	vmwrite(VMCS_PAGE_FAULT_MASK, 0);
	vmwrite(VMCS_PAGE_FAULT_MATCH, 0);
	vmwrite(VMCS_CR3_TARGET_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_INTERRUPTION, 0);
	vmwrite(VMCS_MSR_BITMAP, (u64)vcpu->msr_bitmap);
	vmwrite(VMCS_TSC_OFFSET, vcpu->tsc_offset);
	vmwrite(VMCS_EPT_POINTER, vcpu->vm->ept.pointer);
	vmwrite(VMCS_LINK_POINTER, ~0ull);
	if (vcpu->secondary & SECONDARY_VPID)
		vmwrite(VMCS_VPID, VPID_GUEST);
}

static void set_segment(unsigned s, u16 selector, u64 base, u32 limit, u32 rights)
{
	vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_SELECTOR, s), selector);
	vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_BASE, s), base);
	vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_LIMIT, s), limit);
	vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_RIGHTS, s), rights);
}

/* SDM vol. 3, table 9-1, after power-up. */
void vmcs_reset_guest(struct vcpu *vcpu)
{
	static const enum vmcs_field zeros[] = {
		VMCS_GUEST_CR3,		  VMCS_GUEST_RSP,
		VMCS_GUEST_GDTR_BASE,	  VMCS_GUEST_IDTR_BASE,
		VMCS_GUEST_SYSENTER_CS,	  VMCS_GUEST_SYSENTER_ESP,
		VMCS_GUEST_SYSENTER_EIP,  VMCS_GUEST_DEBUGCTL,
		VMCS_GUEST_PENDING_DEBUG, VMCS_GUEST_INTERRUPTIBILITY,
		VMCS_GUEST_EFER,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(zeros); i++)
		vmwrite(zeros[i], 0);
	for (unsigned s = SEGMENT_ES; s <= SEGMENT_GS; s++)
		set_segment(s, 0, 0, 0xffff, 0x93);
	set_segment(SEGMENT_CS, 0xf000, 0xffff0000, 0xffff, 0x9b);
	set_segment(SEGMENT_LDTR, 0, 0, 0xffff, 0x82);
	set_segment(SEGMENT_TR, 0, 0, 0xffff, 0x8b);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, 0xffff);
	vmwrite(VMCS_GUEST_RIP, 0xfff0);
	vmwrite(VMCS_GUEST_RFLAGS, RFLAGS_ONE);
	vmwrite(VMCS_GUEST_DR7, 0x400);
	vmwrite(VMCS_GUEST_PAT, 0x0007040600070406);
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmwrite(VMCS_ENTRY_CONTROLS, vcpu->caps->entry);
	vmwrite(VMCS_ENTRY_INTERRUPTION, 0);
	cr_reset(vcpu, CR0_CD | CR0_NW | CR0_ET, 0);
}

static void load_segment(unsigned s, const struct vcpu_segment *from)
{
	set_segment(s, from->selector, from->base, from->limit, from->access);
}

void vmcs_load_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
	vmwrite(VMCS_GUEST_RIP, state->rip);
	vmwrite(VMCS_GUEST_RSP, state->rsp);
	vmwrite(VMCS_GUEST_RFLAGS, state->rflags | RFLAGS_ONE);
	vmwrite(VMCS_GUEST_CR3, state->cr3);
	vmwrite(VMCS_GUEST_EFER, state->efer);
	cr_reset(vcpu, state->cr0, state->cr4);
	vmwrite(VMCS_GUEST_GDTR_BASE, state->gdt_base);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, state->gdt_limit);
	vmwrite(VMCS_GUEST_IDTR_BASE, state->idt_base);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, state->idt_limit);
	for (unsigned s = SEGMENT_ES; s <= SEGMENT_GS; s++)
		load_segment(s, &state->data);
	load_segment(SEGMENT_CS, &state->cs);
	load_segment(SEGMENT_LDTR, &state->ldtr);
	load_segment(SEGMENT_TR, &state->tr);
	if (state->efer & EFER_LMA)
		vmwrite(VMCS_ENTRY_CONTROLS, vcpu->caps->entry | ENTRY_IA32E_GUEST);
}

/*
 * Off: every access traps and the model answers. xAPIC: the processor answers at the page that EPT has at the APIC's
 * address. x2APIC: by MSR, as far as the bitmap lets them through.
 */
void vmcs_set_apic_mode(struct vcpu *vcpu)
{
	struct ept *ept = &vcpu->vm->ept;
	u32 secondary =
		vcpu->secondary & ~(SECONDARY_VIRTUALIZE_APIC_ACCESSES | SECONDARY_VIRTUALIZE_X2APIC_MODE);

	if (!vcpu->apicv)
		return;
	if (!lapic_enabled(&vcpu->lapic)) {
		secondary &= ~(SECONDARY_APIC_REGISTER_VIRTUALIZATION | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY);
	} else {
		secondary |= SECONDARY_APIC_REGISTER_VIRTUALIZATION | SECONDARY_VIRTUAL_INTERRUPT_DELIVERY;
		secondary |= lapic_x2apic(&vcpu->lapic) ? SECONDARY_VIRTUALIZE_X2APIC_MODE
							: SECONDARY_VIRTUALIZE_APIC_ACCESSES;
	}
	if (secondary & SECONDARY_VIRTUALIZE_APIC_ACCESSES)
		ept_map(ept, LAPIC_DEFAULT_BASE, PAGE_SIZE, ept->apic_access, EPT_READ | EPT_WRITE);
	else
		ept_unmap(ept, LAPIC_DEFAULT_BASE, PAGE_SIZE);
	ept->stale = true;
	vcpu->secondary = secondary;
	vmwrite(VMCS_SECONDARY_CONTROLS, secondary);
	msr_fill_bitmap(vcpu);
}

void vmcs_setup(struct vcpu *vcpu)
{
	setup_host();
	setup_controls(vcpu);
	msr_fill_bitmap(vcpu);
}
