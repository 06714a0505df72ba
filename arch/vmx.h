/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMX as this processor offers it: what must be there, what may be there, switching it on (SDM vol. 3, 23 and appendix A).
 */
#ifndef ARCH_VMX_H
#define ARCH_VMX_H

#include "mm/types.h"

/*
 * The controls that will be set, chosen once from the capability MSRs: everything required, and of the optional ones those
 * that the processor offers. `*_base` are the bits that the processor wants set in any case.
 */
struct vmx_capabilities {
	u32 revision;
	bool bochs; /* by the same register: has the fault that hold.c works around */
	u32 pin, primary, secondary, exit, entry; /* ready to be written to a VMCS */
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	u64 ept_vpid;	/* IA32_VMX_EPT_VPID_CAP */
	u8 timer_shift; /* the preemption timer counts once every 2^timer_shift TSC ticks */
	bool apicv;	/* TPR shadow, APIC accesses, APIC registers and interrupt delivery virtualised */
	bool xsaves;
};

/*
 * Reads the capabilities. False: something that Sluice cannot do without is missing or locked off; `error` says which
 * CPUID or MSR bit, and what gives it.
 */
bool vmx_detect(struct vmx_capabilities *caps, char *error, size_t size);

/* VMXON on this CPU with the page `region` (4 KiB, aligned). False: refused, `error` says by what. */
bool vmx_on(const struct vmx_capabilities *caps, void *region, char *error, size_t size);
void vmx_off(void);

/* VMCLEAR and VMPTRLD of the page `vmcs`, which gets the revision identifier. */
void vmx_load_new(const struct vmx_capabilities *caps, void *vmcs);
void vmx_clear(void *vmcs);

/* Drops every translation that was made through `ept_pointer`. */
void vmx_invept(u64 ept_pointer);
void vmx_invvpid(u16 vpid);

#endif
