// SPDX-License-Identifier: BSD-2-Clause
#include "arch/vmx.h"

#include <stdio.h>

#include "arch/cpu.h"
#include "arch/panic.h"
#include "arch/vmcs.h"

#define CPUID_1_ECX_VMX	       BIT(5)
#define CPUID_1_ECX_HYPERVISOR BIT(31)

/* IA32_FEATURE_CONTROL. */
#define FEATURE_CONTROL_LOCKED		BIT(0)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX BIT(2)

/* Appendix A. */
#define IA32_VMX_BASIC	      0x480
#define BOCHS_BASIC	      0x10000000002b /* a revision and a size of the VMCS that no processor has together */
#define IA32_VMX_MISC	      0x485
#define IA32_VMX_CR0_FIXED0   0x486
#define IA32_VMX_CR0_FIXED1   0x487
#define IA32_VMX_CR4_FIXED0   0x488
#define IA32_VMX_CR4_FIXED1   0x489
#define IA32_VMX_EPT_VPID_CAP 0x48c

enum group { PIN, PRIMARY, SECONDARY, EXIT, ENTRY, GROUPS };

/* Index by group. The TRUE registers exist where IA32_VMX_BASIC[55] says so, and tell more (appendix A.2). */
static const struct {
	u32 msr, true_msr;
	const char *name;
} control_msr[GROUPS] = {
	[PIN] = { 0x481, 0x48d, "IA32_VMX_PINBASED_CTLS" },
	[PRIMARY] = { 0x482, 0x48e, "IA32_VMX_PROCBASED_CTLS" },
	[SECONDARY] = { 0x48b, 0x48b, "IA32_VMX_PROCBASED_CTLS2" },
	[EXIT] = { 0x483, 0x48f, "IA32_VMX_EXIT_CTLS" },
	[ENTRY] = { 0x484, 0x490, "IA32_VMX_ENTRY_CTLS" },
};

enum need { REQUIRED, WANTED, APICV };

/*
 * Every control that Sluice sets. REQUIRED: no start without it. WANTED: set where offered. APICV: all or none of them,
 * because the local APIC is either left to the processor or trapped whole.
 */
static const struct {
	enum group group;
	u32 bit;
	enum need need;
	const char *name;
} controls[] = {
	{ PIN, PIN_EXTERNAL_INTERRUPT_EXITING, REQUIRED, "external-interrupt exiting" },
	{ PIN, PIN_NMI_EXITING, REQUIRED, "NMI exiting" },
	{ PIN, PIN_VIRTUAL_NMIS, REQUIRED, "virtual NMIs" },
	{ PIN, PIN_PREEMPTION_TIMER, REQUIRED, "VMX-preemption timer" },
	{ PRIMARY, PRIMARY_HLT_EXITING, REQUIRED, "HLT exiting" },
	{ PRIMARY, PRIMARY_UNCONDITIONAL_IO_EXITING, REQUIRED, "unconditional I/O exiting" },
	{ PRIMARY, PRIMARY_MSR_BITMAPS, REQUIRED, "MSR bitmaps" },
	{ PRIMARY, PRIMARY_RDPMC_EXITING, REQUIRED, "RDPMC exiting" },
	{ PRIMARY, PRIMARY_MWAIT_EXITING, REQUIRED, "MWAIT exiting" },
	{ PRIMARY, PRIMARY_MONITOR_EXITING, REQUIRED, "MONITOR exiting" },
	{ PRIMARY, PRIMARY_SECONDARY_CONTROLS, REQUIRED, "secondary controls" },
	{ PRIMARY, PRIMARY_TPR_SHADOW, APICV, "TPR shadow" },
	{ SECONDARY, SECONDARY_EPT, REQUIRED, "EPT" },
	{ SECONDARY, SECONDARY_UNRESTRICTED_GUEST, REQUIRED, "unrestricted guest" },
	{ SECONDARY, SECONDARY_VPID, WANTED, "VPID" },
	{ SECONDARY, SECONDARY_RDTSCP, WANTED, "RDTSCP" },
	{ SECONDARY, SECONDARY_INVPCID, WANTED, "INVPCID" },
	{ SECONDARY, SECONDARY_WBINVD_EXITING, WANTED, "WBINVD exiting" },
	{ SECONDARY, SECONDARY_VIRTUALIZE_APIC_ACCESSES, APICV, "virtualised APIC accesses" },
	{ SECONDARY, SECONDARY_APIC_REGISTER_VIRTUALIZATION, APICV, "APIC-register virtualisation" },
	{ SECONDARY, SECONDARY_VIRTUAL_INTERRUPT_DELIVERY, APICV, "virtual-interrupt delivery" },
	{ SECONDARY, SECONDARY_VIRTUALIZE_X2APIC_MODE, APICV, "virtualised x2APIC mode" },
	{ EXIT, EXIT_HOST_64BIT, REQUIRED, "64-bit host" },
	{ EXIT, EXIT_ACKNOWLEDGE_INTERRUPT, REQUIRED, "acknowledge interrupt on exit" },
	{ EXIT, EXIT_SAVE_DEBUG_CONTROLS, REQUIRED, "save debug controls" },
	{ EXIT, EXIT_SAVE_PAT, REQUIRED, "save IA32_PAT" },
	{ EXIT, EXIT_LOAD_PAT, REQUIRED, "load IA32_PAT" },
	{ EXIT, EXIT_SAVE_EFER, REQUIRED, "save IA32_EFER" },
	{ EXIT, EXIT_LOAD_EFER, REQUIRED, "load IA32_EFER" },
	{ ENTRY, ENTRY_LOAD_DEBUG_CONTROLS, REQUIRED, "load debug controls" },
	{ ENTRY, ENTRY_LOAD_PAT, REQUIRED, "load IA32_PAT" },
	{ ENTRY, ENTRY_LOAD_EFER, REQUIRED, "load IA32_EFER" },
};

/* IA32_VMX_EPT_VPID_CAP (appendix A.10). */
static const struct {
	u64 bit;
	const char *name;
} ept_needs[] = {
	{ BIT(6), "EPT page walks of 4 levels" },
	{ BIT(14), "EPT paging structures in write-back memory" },
	{ BIT(16), "EPT 2 MiB pages" },
	{ BIT(20), "INVEPT" },
	{ BIT(25) | BIT(26), "INVEPT of a single or of all contexts" },
};

#define ADVICE                                                                                             \
	"QEMU: -enable-kvm -cpu host,+vmx and kvm_intel nested=1 on its host; Bochs: a cpu model of 2008 " \
	"or later with vmx=2"

static bool detect_switch(char *error, size_t size)
{
	if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX)) {
		snprintf(error, size,
			 "CPUID.1:ECX[5] (VMX) is 0, expected 1. PC: switch \"Intel Virtualization "
			 "Technology\" on in the "
			 "firmware's set-up. " ADVICE);
		return false;
	}
	u64 feature_control = rdmsr(IA32_FEATURE_CONTROL);
	if ((feature_control & FEATURE_CONTROL_LOCKED) &&
	    !(feature_control & FEATURE_CONTROL_VMX_OUTSIDE_SMX)) {
		snprintf(error, size,
			 "IA32_FEATURE_CONTROL (MSR 0x3a) is 0x%llx: locked with VMX off (bit 2 is 0, "
			 "expected 1). Switch "
			 "\"Intel Virtualization Technology\" on in the firmware's set-up and power-cycle",
			 (unsigned long long)feature_control);
		return false;
	}
	return true;
}

bool vmx_detect(struct vmx_capabilities *caps, char *error, size_t size)
{
	u32 value[GROUPS] = { 0 }, allowed[GROUPS] = { 0 };

	*caps = (struct vmx_capabilities){ .apicv = true };
	if (!detect_switch(error, size))
		return false;
	u64 basic = rdmsr(IA32_VMX_BASIC);
	caps->revision = basic & BITS(30, 0);
	caps->bochs = (basic & BITS(44, 0)) == BOCHS_BASIC;
	for (unsigned g = 0; g < GROUPS; g++) {
		/* IA32_VMX_PROCBASED_CTLS2 exists only if the primary controls can switch the secondary ones on. */
		if (g == SECONDARY && !(allowed[PRIMARY] & PRIMARY_SECONDARY_CONTROLS))
			continue;
		u64 msr = rdmsr(basic & BIT(55) ? control_msr[g].true_msr : control_msr[g].msr);
		value[g] = (u32)msr;
		allowed[g] = (u32)(msr >> 32);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(controls); i++) {
		enum group g = controls[i].group;

		if (allowed[g] & controls[i].bit) {
			if (controls[i].need != APICV)
				value[g] |= controls[i].bit;
		} else if (controls[i].need == REQUIRED) {
			snprintf(error, size,
				 "%s (MSR 0x%x) bit %d, \"%s\", cannot be set, and Sluice needs it. " ADVICE,
				 control_msr[g].name, control_msr[g].msr, 32 + __builtin_ctz(controls[i].bit),
				 controls[i].name);
			return false;
		} else if (controls[i].need == APICV) {
			caps->apicv = false;
		}
	}
	/*
	 * KVM offers virtual-interrupt delivery wherever its processor has it, but hands the EOI-exit bitmap on only where it
	 * also posts interrupts; else nobody is told of the end of a level-triggered interrupt.
	 */
	if ((cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) && !(allowed[PIN] & PIN_POSTED_INTERRUPTS))
		caps->apicv = false;
	caps->ept_vpid = rdmsr(IA32_VMX_EPT_VPID_CAP);
	for (unsigned i = 0; i < ARRAY_SIZE(ept_needs); i++) {
		if (!(caps->ept_vpid & ept_needs[i].bit)) {
			snprintf(error, size,
				 "IA32_VMX_EPT_VPID_CAP (MSR 0x48c) is 0x%llx: bit %d, %s, is 0, expected "
				 "1. " ADVICE,
				 (unsigned long long)caps->ept_vpid, __builtin_ctzll(ept_needs[i].bit),
				 ept_needs[i].name);
			return false;
		}
	}
	caps->pin = value[PIN];
	caps->primary = value[PRIMARY];
	caps->secondary = value[SECONDARY];
	caps->exit = value[EXIT];
	caps->entry = value[ENTRY];
	caps->xsaves = allowed[SECONDARY] & SECONDARY_XSAVES;
	caps->timer_shift = rdmsr(IA32_VMX_MISC) & BITS(4, 0);
	caps->cr0_fixed0 = rdmsr(IA32_VMX_CR0_FIXED0);
	caps->cr0_fixed1 = rdmsr(IA32_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = rdmsr(IA32_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = rdmsr(IA32_VMX_CR4_FIXED1);
	return true;
}

bool vmx_on(const struct vmx_capabilities *caps, void *region, char *error, size_t size)
{
	u64 address = (u64)region;
	bool failed;

	if (!(rdmsr(IA32_FEATURE_CONTROL) & FEATURE_CONTROL_LOCKED))
		wrmsr(IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
	write_cr0((read_cr0() | caps->cr0_fixed0) & caps->cr0_fixed1);
	write_cr4((read_cr4() | caps->cr4_fixed0 | CR4_VMXE) & caps->cr4_fixed1);
	*(u32 *)region = caps->revision;
	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(address) : "memory");
	if (failed)
		snprintf(error, size,
			 "VMXON refused the region at 0x%llx (revision 0x%x, IA32_FEATURE_CONTROL 0x%llx)",
			 (unsigned long long)address, caps->revision,
			 (unsigned long long)rdmsr(IA32_FEATURE_CONTROL));
	return !failed;
}

void vmx_off(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
	write_cr4(read_cr4() & ~CR4_VMXE);
}

void vmx_clear(void *vmcs)
{
	u64 address = (u64)vmcs;
	bool failed;

	__asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(address) : "memory");
	if (failed)
		vmx_instruction_failed("vmclear", address);
}

void vmx_load_new(const struct vmx_capabilities *caps, void *vmcs)
{
	u64 address = (u64)vmcs;
	bool failed;

	*(u32 *)vmcs = caps->revision;
	vmx_clear(vmcs);
	__asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(address) : "memory");
	if (failed)
		vmx_instruction_failed("vmptrld", address);
}

static void invalidate(const char *name, bool failed, u64 operand)
{
	if (failed)
		vmx_instruction_failed(name, operand);
}

void vmx_invept(u64 ept_pointer)
{
	const u64 descriptor[2] = { ept_pointer, 0 };
	const u64 single = 1, all = 2;
	bool failed;

	__asm__ volatile("invept %1, %2"
			 : "=@ccbe"(failed)
			 : "m"(descriptor), "r"(rdmsr(IA32_VMX_EPT_VPID_CAP) & BIT(25) ? single : all)
			 : "memory");
	invalidate("invept", failed, ept_pointer);
}

void vmx_invvpid(u16 vpid)
{
	const u64 descriptor[2] = { vpid, 0 };
	bool failed;

	__asm__ volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"(1ull) : "memory");
	invalidate("invvpid", failed, vpid);
}

void vmx_instruction_failed(const char *instruction, u64 operand)
{
	u64 error = 0;

	__asm__ volatile("vmread %1, %0" : "=r"(error) : "r"((u64)VMCS_INSTRUCTION_ERROR) : "cc");
	panic("%s of 0x%llx failed: VM-instruction error %llu (SDM vol. 3, 30.4)", instruction,
	      (unsigned long long)operand, (unsigned long long)error);
}
