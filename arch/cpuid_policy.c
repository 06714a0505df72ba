// SPDX-License-Identifier: BSD-2-Clause
/*
 * SDM vol. 2, CPUID. A leaf that is in no table reads as zeros.
 */
#include "arch/cpuid_policy.h"

#include "arch/vcpu_internal.h"

#define B(n) (1u << (n))

/*
 * What of the processor's own answer is passed. Not passed, as nothing stands behind it: VMX, SMX, MONITOR, power and
 * thermal management, MCE, MCA, performance counters, debug store, TSX, SGX, PKU, CET, AMX, LA57, speculation control.
 */
static const struct {
	u32 leaf;
	struct cpuid pass, set;
} rows[] = {
	/* Vendor. */
	{ .leaf = 0, .pass = { 0, ~0u, ~0u, ~0u }, .set = { .eax = CPUID_MAX_BASIC } },
	/* Family, model, stepping; CLFLUSH line; features. One logical processor. */
	{ .leaf = 1,
	  .pass = { ~0u, 0xffff,
		    B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | B(22) | B(23) | B(25) |
			    B(28) | B(29) | B(30),
		    B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(8) | B(9) | B(11) | B(12) | B(13) |
			    B(15) | B(16) | B(17) | B(19) | B(23) | B(24) | B(25) | B(26) | B(27) },
	  .set = { .ebx = 1u << 16, .ecx = B(24) /* TSC deadline */ | B(31) /* hypervisor */ } },
	/* Cache descriptors. */
	{ .leaf = 2, .pass = { ~0u, ~0u, ~0u, ~0u } },
	/* The APIC timer keeps running (ARAT). */
	{ .leaf = 6, .set = { .eax = B(2) } },
	/* Structured features; AVX-512 goes when XCR0 cannot have it. TSC_ADJUST is emulated. */
	{ .leaf = 7,
	  .pass = { 0,
		    B(0) | B(3) | B(5) | B(7) | B(8) | B(9) | B(16) | B(17) | B(18) | B(19) | B(20) | B(21) |
			    B(23) | B(24) | B(28) | B(29) | B(30) | B(31),
		    B(1) | B(2) | B(6) | B(8) | B(9) | B(10) | B(11) | B(12) | B(14) | B(22), B(4) | B(10) },
	  .set = { .ebx = B(1) } },
	{ .leaf = 0x80000000, .set = { .eax = CPUID_MAX_EXTENDED } },
	{ .leaf = 0x80000001, .pass = { 0, 0, B(0) | B(5) | B(8), B(11) | B(20) | B(26) | B(29) } },
	/* Brand string, cache. */
	{ .leaf = 0x80000002, .pass = { ~0u, ~0u, ~0u, ~0u } },
	{ .leaf = 0x80000003, .pass = { ~0u, ~0u, ~0u, ~0u } },
	{ .leaf = 0x80000004, .pass = { ~0u, ~0u, ~0u, ~0u } },
	{ .leaf = 0x80000006, .pass = { ~0u, ~0u, ~0u, ~0u } },
	/* The TSC is the processor's own: it never stops and never changes its rate. */
	{ .leaf = 0x80000007, .set = { .edx = B(8) } },
	{ .leaf = 0x80000008, .pass = { 0xffff, 0, 0, 0 } },
};

#define XCR0_X87_SSE (BIT(0) | BIT(1))
#define XCR0_AVX     BIT(2)
#define XCR0_AVX512  (BIT(5) | BIT(6) | BIT(7))

#define LEAF7_EBX_AVX512 (B(16) | B(17) | B(21) | B(28) | B(30) | B(31))
#define LEAF7_ECX_AVX512 (B(1) | B(6) | B(11) | B(12) | B(14))

static struct cpuid *slot(struct cpuid_policy *policy, u32 leaf)
{
	return leaf & 0x80000000u ? &policy->extended[leaf & 0xff] : &policy->basic[leaf];
}

/*
 * The state components that a guest may enable. None, if the processor's description of them contradicts itself: the sizes
 * that XSAVE uses would then be other than those that the guest reserves (Bochs 2.7's newer models).
 */
static u64 usable_xcr0(void)
{
	struct cpuid main = cpuid_checked(0xd, 0);
	u64 all = main.eax | (u64)main.edx << 32;
	u64 allowed = all & (XCR0_X87_SSE | XCR0_AVX);
	u32 end = 512 + 64;

	if (!(cpuid(1, 0).ecx & B(26)) || (all & XCR0_X87_SSE) != XCR0_X87_SSE)
		return 0;
	if ((all & XCR0_AVX512) == XCR0_AVX512 && (allowed & XCR0_AVX))
		allowed |= XCR0_AVX512;
	for (unsigned i = 2; i < 63; i++) {
		struct cpuid part = cpuid(0xd, i);

		if (!(all & BIT(i)))
			continue;
		if (!part.eax || part.ebx < 512 + 64 || (part.ecx & 1))
			return 0;
		end = MAX(end, part.ebx + part.eax);
	}
	return end == main.ecx ? allowed : 0;
}

/* The size of the standard XSAVE area for `components`. */
static u32 xsave_size(u64 components)
{
	u32 end = 512 + 64;

	for (unsigned i = 2; i < 63; i++) {
		if (components & BIT(i)) {
			struct cpuid part = cpuid(0xd, i);

			end = MAX(end, part.ebx + part.eax);
		}
	}
	return end;
}

/* Leaves 0x15 and 0x16: the guest's Linux multiplies in 32 bits and in kHz, so the crystal must be below 2^32 Hz. */
static void tell_frequency(struct cpuid_policy *policy, u64 hz)
{
	u32 ratio = (u32)(hz >> 32) + 1;
	u32 mhz = (u32)((hz + 500000) / 1000000);

	policy->basic[0x15] = (struct cpuid){ 1, ratio, (u32)(hz / ratio / 1000 * 1000), 0 };
	policy->basic[0x16] = (struct cpuid){ mhz, mhz, 100, 0 };
}

void cpuid_policy_init(struct cpuid_policy *policy, const struct cpuid_options *options)
{
	*policy = (struct cpuid_policy){ .apic_id = options->apic_id };
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpuid host = cpuid_checked(rows[i].leaf, 0);
		struct cpuid pass = rows[i].pass, set = rows[i].set;

		*slot(policy, rows[i].leaf) =
			(struct cpuid){ (host.eax & pass.eax) | set.eax, (host.ebx & pass.ebx) | set.ebx,
					(host.ecx & pass.ecx) | set.ecx, (host.edx & pass.edx) | set.edx };
	}
	policy->xcr0_allowed = usable_xcr0();
	struct cpuid *one = &policy->basic[1], *seven = &policy->basic[7];
	one->ebx |= options->apic_id << 24;
	if (options->x2apic)
		one->ecx |= B(21);
	if (policy->xcr0_allowed)
		one->ecx |= B(26);
	if (!(policy->xcr0_allowed & XCR0_AVX)) {
		one->ecx &= ~(B(12) | B(28) | B(29));
		seven->ebx &= ~B(5);
		seven->ecx &= ~(B(9) | B(10));
	}
	if (!(policy->xcr0_allowed & BIT(5))) {
		seven->ebx &= ~LEAF7_EBX_AVX512;
		seven->ecx &= ~LEAF7_ECX_AVX512;
	}
	/* RDTSCP and INVPCID are #UD in a guest unless the VMCS allows them. */
	if (options->rdtscp)
		policy->extended[1].edx |= cpuid_checked(0x80000001, 0).edx & B(27);
	else
		seven->ecx &= ~B(22);
	if (options->invpcid)
		seven->ebx |= cpuid_checked(7, 0).ebx & B(10);
	/* Four levels of EPT reach 48 bits of guest-physical address. */
	struct cpuid *width = &policy->extended[8];
	width->eax = (width->eax & 0xff00) | MIN(width->eax & 0xff, 48u);
	tell_frequency(policy, options->tsc_hz);
}

/* Leaves with subleaves, and those that follow the guest's state. */
static struct cpuid special(const struct vcpu *vcpu, u32 leaf, u32 subleaf)
{
	const struct cpuid_policy *policy = &vcpu->cpuid;
	struct cpuid r = policy->basic[leaf];

	switch (leaf) {
	case 1:
		if (vmread(VMCS_GUEST_CR4) & CR4_OSXSAVE)
			r.ecx |= B(27);
		if (!lapic_enabled(&vcpu->lapic))
			r.edx &= ~B(9);
		break;
	case 4: /* caches: of one core */
		r = cpuid(4, subleaf);
		r.eax &= 0x3fff;
		break;
	case 7:
		if (subleaf)
			r = (struct cpuid){ 0 };
		break;
	case 0xb: /* topology: one thread, one core */
		r = (struct cpuid){ 0, subleaf < 2, subleaf | (subleaf < 2 ? (subleaf + 1) << 8 : 0),
				    policy->apic_id };
		break;
	case 0xd:
		if (!policy->xcr0_allowed)
			break;
		if (subleaf == 0) /* XCR0 in the processor is the guest's */
			r = (struct cpuid){ (u32)policy->xcr0_allowed, xsave_size(xgetbv(0)),
					    xsave_size(policy->xcr0_allowed),
					    (u32)(policy->xcr0_allowed >> 32) };
		else if (subleaf == 1) /* XSAVEOPT, XSAVEC, XGETBV(1); not XSAVES */
			r = (struct cpuid){ .eax = cpuid(0xd, 1).eax & 7, .ebx = cpuid(0xd, 1).ebx };
		else if (subleaf < 63 && (policy->xcr0_allowed & BIT(subleaf)))
			r = cpuid(0xd, subleaf);
		break;
	}
	return r;
}

#define SPECIAL_LEAVES (B(1) | B(4) | B(7) | B(0xb) | B(0xd))

static inline void answer(struct vcpu *vcpu, const struct cpuid *r)
{
	vcpu->gpr[RAX] = r->eax;
	vcpu->gpr[RBX] = r->ebx;
	vcpu->gpr[RCX] = r->ecx;
	vcpu->gpr[RDX] = r->edx;
	vcpu_skip_instruction(vcpu);
}

static __attribute__((noinline)) void answer_special(struct vcpu *vcpu, u32 leaf)
{
	struct cpuid r = special(vcpu, leaf, (u32)vcpu->gpr[RCX]);

	answer(vcpu, &r);
}

static __attribute__((noinline)) void answer_high(struct vcpu *vcpu, u32 leaf)
{
	/* "SluiceSluice": no paravirtual interface beyond the name. */
	static const struct cpuid hypervisor = { CPUID_HYPERVISOR, 0x69756c53, 0x6c536563, 0x65636975 }, none;

	if (leaf - 0x80000000u <= (CPUID_MAX_EXTENDED & 0xff))
		answer(vcpu, &vcpu->cpuid.extended[leaf & 0xff]);
	else
		answer(vcpu, leaf == CPUID_HYPERVISOR ? &hypervisor : &none);
}

void exit_cpuid(struct vcpu *vcpu)
{
	u32 leaf = (u32)vcpu->gpr[RAX];

	if (unlikely(leaf > CPUID_MAX_BASIC))
		answer_high(vcpu, leaf);
	else if (SPECIAL_LEAVES & B(leaf))
		answer_special(vcpu, leaf);
	else
		answer(vcpu, &vcpu->cpuid.basic[leaf]);
}
