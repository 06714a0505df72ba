/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest's CPUID says. Computed once from the processor's own and a table of what is passed; a few bits follow
 * the guest's state at the time of the instruction.
 */
#ifndef ARCH_CPUID_POLICY_H
#define ARCH_CPUID_POLICY_H

#include "arch/cpu.h"

#define CPUID_MAX_BASIC	   0x16u
#define CPUID_HYPERVISOR   0x40000000u
#define CPUID_MAX_EXTENDED 0x80000008u

struct cpuid_policy {
	struct cpuid basic[CPUID_MAX_BASIC + 1];
	struct cpuid extended[(CPUID_MAX_EXTENDED & 0xff) + 1];
	u64 xcr0_allowed; /* 0: no XSAVE */
	u32 apic_id;
};

struct cpuid_options {
	u64 tsc_hz;
	u32 apic_id;
	bool x2apic, rdtscp, invpcid;
};

void cpuid_policy_init(struct cpuid_policy *policy, const struct cpuid_options *options);

/* The physical-address width that the guest is told. */
static inline u8 cpuid_physical_bits(const struct cpuid_policy *policy)
{
	return policy->extended[8].eax & 0xff;
}

#endif
