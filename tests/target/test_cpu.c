// SPDX-License-Identifier: BSD-2-Clause
/* What the guest finds when it asks what CPU it is on, and when it touches control registers that are not all its own. */
#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "tests/target/probe.h"

#define MOV_FROM_CR0 0x0f, 0x20, 0xc0
#define MOV_TO_CR0   0x0f, 0x22, 0xc0
#define MOV_FROM_CR4 0x0f, 0x20, 0xe0
#define MOV_TO_CR4   0x0f, 0x22, 0xe0
#define XSETBV	     0x0f, 0x01, 0xd1

static struct cpuid guest_cpuid(struct probe *p, u32 leaf, u32 subleaf)
{
	p->gpr[RAX] = 0xffffffff00000000 | leaf;
	p->gpr[RCX] = 0xffffffff00000000 | subleaf;
	p->gpr[RBX] = p->gpr[RDX] = ~0ull;
	EXPECT_EQUAL(PROBE(p, 0x0f, 0xa2), PROBE_FINE);
	/* All four upper halves are cleared. */
	EXPECT_EQUAL((p->gpr[RAX] | p->gpr[RBX] | p->gpr[RCX] | p->gpr[RDX]) >> 32, 0);
	return (struct cpuid){ (u32)p->gpr[RAX], (u32)p->gpr[RBX], (u32)p->gpr[RCX], (u32)p->gpr[RDX] };
}

static bool is_zero(struct cpuid r)
{
	return EXPECT_EQUAL(r.eax | r.ebx | r.ecx | r.edx, 0);
}

static bool cpuid_leaves(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ .x2apic = true }, PROBE_64))
		return false;
	struct cpuid zero = guest_cpuid(&p, 0, 0), one = guest_cpuid(&p, 1, 0), host = cpuid(1, 0);
	bool fine = EXPECT_EQUAL(zero.eax, CPUID_MAX_BASIC) && EXPECT_EQUAL(zero.ebx, cpuid(0, 0).ebx);
	/* Hidden: VMX 5, SMX 6, MONITOR 3, EIST 7, TM2 8, PDCM 15, DCA 18; DS 21, ACPI 22, TM 29, MCE 7, MCA 14, HTT 28. */
	fine &= EXPECT_EQUAL(one.ecx & (BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(15) | BIT(18)), 0) &
		EXPECT_EQUAL(one.edx & (BIT(7) | BIT(14) | BIT(21) | BIT(22) | BIT(28) | BIT(29)), 0);
	/* Told: a hypervisor, TSC deadline, x2APIC; the processor's signature. */
	fine &= EXPECT_EQUAL(one.ecx & (BIT(31) | BIT(24) | BIT(21)), BIT(31) | BIT(24) | BIT(21)) &&
		EXPECT_EQUAL(one.eax, host.eax) && EXPECT_EQUAL(one.ebx >> 16, 1) && EXPECT(one.edx & BIT(9));
	/* OSXSAVE follows CR4 of the guest, not of the hypervisor. */
	fine &= EXPECT_EQUAL(one.ecx & BIT(27), 0);
	if (one.ecx & BIT(26)) {
		p.gpr[RAX] = CR4_PAE | CR4_OSXSAVE;
		fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR4), PROBE_FINE) &&
			EXPECT(guest_cpuid(&p, 1, 0).ecx & BIT(27));
	}
	/* APIC follows IA32_APIC_BASE. */
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, LAPIC_MSR_BASE, LAPIC_DEFAULT_BASE | 0x100), PROBE_FINE) &&
		EXPECT_EQUAL(guest_cpuid(&p, 1, 0).edx & BIT(9), 0);
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, LAPIC_MSR_BASE, LAPIC_DEFAULT_BASE | 0x900), PROBE_FINE) &&
		EXPECT(guest_cpuid(&p, 1, 0).edx & BIT(9));
	/* Time: crystal * numerator / denominator, within a kHz of what the hypervisor measured. */
	struct cpuid tsc = guest_cpuid(&p, 0x15, 0), mhz = guest_cpuid(&p, 0x16, 0);
	u64 hz = tsc.eax ? (u64)tsc.ecx * tsc.ebx / tsc.eax : 0;
	fine &= EXPECT(hz <= boot->tsc_hz && boot->tsc_hz - hz < 1000ull * tsc.ebx) &&
		EXPECT_EQUAL(tsc.ecx % 1000, 0) && EXPECT_EQUAL(mhz.eax, (boot->tsc_hz + 500000) / 1000000) &&
		EXPECT(guest_cpuid(&p, 0x80000007, 0).edx & BIT(8));
	/* No counters, no thermal sensors but ARAT, one thread in one core. */
	fine &= is_zero(guest_cpuid(&p, 0xa, 0)) & is_zero(guest_cpuid(&p, 5, 0)) &
		EXPECT_EQUAL(guest_cpuid(&p, 6, 0).eax, BIT(2)) &
		EXPECT_EQUAL(guest_cpuid(&p, 4, 0).eax >> 14, 0) &
		EXPECT_EQUAL(guest_cpuid(&p, 0xb, 0).ebx, 1);
	/* Structured features: no SGX 2, HLE 4, RTM 11, MPX 14, PT 25; no PKU 3, LA57 16. */
	struct cpuid seven = guest_cpuid(&p, 7, 0);
	fine &= EXPECT_EQUAL(seven.ebx & (BIT(2) | BIT(4) | BIT(11) | BIT(14) | BIT(25)), 0) &
		EXPECT_EQUAL(seven.ecx & (BIT(3) | BIT(16)), 0) & EXPECT_EQUAL(seven.edx >> 26, 0) &
		EXPECT_EQUAL(seven.ebx & BIT(1), BIT(1)) & is_zero(guest_cpuid(&p, 7, 1));
	/* The hypervisor's name, and nothing behind it. */
	struct cpuid name = guest_cpuid(&p, 0x40000000, 0);
	fine &= EXPECT_EQUAL(name.eax, 0x40000000) && EXPECT_EQUAL(name.ebx, 0x69756c53) &&
		is_zero(guest_cpuid(&p, 0x40000001, 0)) & is_zero(guest_cpuid(&p, 0x40000100, 0));
	/* Beyond the last leaves. */
	fine &= EXPECT_EQUAL(guest_cpuid(&p, 0x80000000, 0).eax, CPUID_MAX_EXTENDED) &
		is_zero(guest_cpuid(&p, CPUID_MAX_BASIC + 1, 0)) & is_zero(guest_cpuid(&p, 0x7fffffff, 0)) &
		is_zero(guest_cpuid(&p, CPUID_MAX_EXTENDED + 1, 0)) &
		is_zero(guest_cpuid(&p, 0xffffffff, 0)) & is_zero(guest_cpuid(&p, 0xc0000000, 0));
	fine &= EXPECT_EQUAL(guest_cpuid(&p, 0x80000001, 0).ecx & BIT(2), 0); /* SVM */
	probe_close(&p);
	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	fine &= EXPECT_EQUAL(guest_cpuid(&p, 1, 0).ecx & BIT(21), 0);
	probe_close(&p);
	return fine;
}

/* Leaf 0xD: its sizes are those that the guest's own XSAVE would use. */
static bool cpuid_xsave(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	u64 allowed = p.vcpu->cpuid.xcr0_allowed;
	struct cpuid main = guest_cpuid(&p, 0xd, 0);
	bool fine = EXPECT_EQUAL(main.eax | (u64)main.edx << 32, allowed) &&
		    EXPECT_EQUAL(guest_cpuid(&p, 1, 0).ecx >> 26 & 1, allowed != 0);
	if (allowed) {
		u64 legal = 3;

		fine &= EXPECT_EQUAL(main.ebx, 576) && EXPECT(main.ecx >= 576);
		p.gpr[RAX] = CR4_PAE | CR4_OSXSAVE;
		fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR4), PROBE_FINE);
		/* XCR0: bit 0 must be, AVX needs SSE, what is not offered is not taken, there is no XCR1. */
		static const u64 illegal[] = { 0, 2, 5, BIT(63) | 3, BIT(9) | 3, BIT(3) | 3, BIT(5) | 7 };
		for (unsigned i = 0; i < ARRAY_SIZE(illegal); i++) {
			if (illegal[i] == (BIT(5) | 7) && (allowed & BIT(5)))
				continue;
			p.gpr[RCX] = 0;
			p.gpr[RAX] = (u32)illegal[i];
			p.gpr[RDX] = illegal[i] >> 32;
			fine &= EXPECT_EQUAL(PROBE(&p, XSETBV), VECTOR_GP);
		}
		if (allowed & 4)
			legal = 7;
		p.gpr[RAX] = legal;
		p.gpr[RDX] = 0;
		fine &= EXPECT_EQUAL(PROBE(&p, XSETBV), PROBE_FINE);
		p.gpr[RCX] = 1;
		fine &= EXPECT_EQUAL(PROBE(&p, XSETBV), VECTOR_GP);
		p.gpr[RCX] = 0;
		p.gpr[RAX] = 0;
		fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x01, 0xd0), PROBE_FINE) &&
			EXPECT_EQUAL(p.gpr[RAX], legal);
		fine &= EXPECT_EQUAL(guest_cpuid(&p, 0xd, 0).ebx, legal == 7 ? main.ecx : 576);
		p.user = true;
		p.gpr[RCX] = p.gpr[RDX] = 0;
		p.gpr[RAX] = 3;
		fine &= EXPECT_EQUAL(PROBE(&p, XSETBV), VECTOR_GP);
		/* Not in CR4: #UD. */
		p.user = false;
		p.gpr[RAX] = CR4_PAE;
		fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR4), PROBE_FINE);
		fine &= EXPECT_EQUAL(PROBE(&p, XSETBV), VECTOR_UD);
	} else {
		p.gpr[RAX] = CR4_PAE | CR4_OSXSAVE;
		fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR4), VECTOR_GP) &&
			EXPECT_EQUAL(PROBE(&p, XSETBV), VECTOR_UD);
	}
	probe_close(&p);
	return fine;
}

/* ---- control registers, in 64-bit mode with paging ---- */

struct cr_case {
	u64 value, reads; /* reads: what is found afterwards; 0: #GP */
};
#define CR0_LONG (CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP)

static bool cr0_writes(const struct boot *boot)
{
	static const struct cr_case cases[] = {
		{ CR0_LONG, CR0_LONG },
		/* What the hypervisor keeps for itself still reads as it was written. */
		{ CR0_LONG | CR0_CD, CR0_LONG | CR0_CD },
		{ CR0_LONG | CR0_CD | CR0_NW, CR0_LONG | CR0_CD | CR0_NW },
		{ CR0_LONG & ~CR0_NE, CR0_LONG & ~CR0_NE },
		{ CR0_LONG & ~CR0_ET, CR0_LONG },
		{ CR0_LONG | CR0_TS | CR0_MP | CR0_EM | CR0_AM,
		  CR0_LONG | CR0_TS | CR0_MP | CR0_EM | CR0_AM },
		{ CR0_LONG & ~CR0_WP, CR0_LONG & ~CR0_WP },
		/* Contradictions. */
		{ CR0_LONG | CR0_NW, 0 },
		{ CR0_LONG & ~CR0_PE, 0 },
		{ CR0_LONG & ~CR0_PG, 0 },
		{ CR0_LONG | BIT(32), 0 },
		{ CR0_LONG | BIT(63), 0 },
	};
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 before;

		fine &= EXPECT_EQUAL(PROBE(&p, MOV_FROM_CR0), PROBE_FINE);
		before = p.gpr[RAX];
		p.gpr[RAX] = cases[i].value;
		fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR0), cases[i].reads ? PROBE_FINE : VECTOR_GP);
		fine &= EXPECT_EQUAL(PROBE(&p, MOV_FROM_CR0), PROBE_FINE) &&
			EXPECT_EQUAL(p.gpr[RAX], cases[i].reads ? cases[i].reads : before);
	}
	/* mov cr0, rsp: the one register that is not in the file of the others */
	p.gpr[RAX] = CR0_LONG | CR0_CD;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x48, 0x89, 0xc4, 0x0f, 0x22, 0xc4), PROBE_FINE) &&
		EXPECT_EQUAL(PROBE(&p, MOV_FROM_CR0), PROBE_FINE) &&
		EXPECT_EQUAL(p.gpr[RAX], CR0_LONG | CR0_CD);
	/* CLTS; LMSW, which sets TS, MP, EM and cannot clear PE; SMSW */
	p.gpr[RAX] = CR0_LONG | CR0_TS;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR0, 0x0f, 0x06, MOV_FROM_CR0), PROBE_FINE) &&
		EXPECT_EQUAL(p.gpr[RAX], CR0_LONG);
	p.gpr[RAX] = 0xe;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x01, 0xf0, MOV_FROM_CR0), PROBE_FINE) &&
		EXPECT_EQUAL(p.gpr[RAX], CR0_LONG | 0xe);
	p.gpr[RAX] = 0;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x01, 0xf0, 0x0f, 0x01, 0xe0), PROBE_FINE) &&
		EXPECT_EQUAL((u16)p.gpr[RAX], (u16)CR0_LONG);
	p.user = true;
	p.gpr[RAX] = CR0_LONG;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR0), VECTOR_GP);
	probe_close(&p);
	return fine;
}

static bool cr4_writes(const struct boot *boot)
{
	static const u64 illegal[] = {
		CR4_PAE | CR4_VMXE, CR4_PAE | CR4_SMXE, CR4_PAE | CR4_LA57,
		CR4_PAE | CR4_PKE,  CR4_PAE | CR4_CET,	CR4_PAE | BIT(15),
		CR4_PAE | BIT(19),  CR4_PAE | BIT(24),	CR4_PAE | BIT(31),
		CR4_PAE | BIT(32),  CR4_PAE | BIT(63),	0 /* PAE cannot go in long mode */,
	};
	static const u64 legal[] = {
		CR4_PAE,
		CR4_PAE | CR4_PSE | CR4_PGE | CR4_DE | CR4_TSD | CR4_OSFXSR | CR4_OSXMMEXCPT,
		CR4_PAE | CR4_MCE | CR4_PCE,
		CR4_PAE | CR4_VME | CR4_PVI,
	};
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(legal); i++) {
		p.gpr[RAX] = legal[i];
		fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR4), PROBE_FINE) &&
			EXPECT_EQUAL(PROBE(&p, MOV_FROM_CR4), PROBE_FINE) &&
			EXPECT_EQUAL(p.gpr[RAX], legal[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(illegal); i++) {
		p.gpr[RAX] = illegal[i];
		fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR4), VECTOR_GP);
	}
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_FROM_CR4), PROBE_FINE) &&
		EXPECT_EQUAL(p.gpr[RAX], legal[ARRAY_SIZE(legal) - 1]);
	/* What CPUID offers can be set, what it does not cannot. */
	const struct {
		u64 bit;
		bool offered;
	} optional[] = {
		{ CR4_PCIDE, guest_cpuid(&p, 1, 0).ecx >> 17 & 1 },
		{ CR4_SMEP, guest_cpuid(&p, 7, 0).ebx >> 7 & 1 },
		{ CR4_SMAP, guest_cpuid(&p, 7, 0).ebx >> 20 & 1 },
		{ CR4_FSGSBASE, guest_cpuid(&p, 7, 0).ebx & 1 },
		{ CR4_OSXSAVE, guest_cpuid(&p, 1, 0).ecx >> 26 & 1 },
		{ CR4_UMIP, guest_cpuid(&p, 7, 0).ecx >> 2 & 1 },
	};
	for (unsigned i = 0; i < ARRAY_SIZE(optional); i++) {
		/* The probe's code page is a user page: SMEP is not tried in a run of its own code. */
		if (optional[i].bit == CR4_SMEP && optional[i].offered)
			continue;
		p.gpr[RAX] = CR4_PAE | optional[i].bit;
		if (!EXPECT_EQUAL(PROBE(&p, MOV_TO_CR4), optional[i].offered ? PROBE_FINE : VECTOR_GP)) {
			selftest_note("CR4 bit 0x%llx", (unsigned long long)optional[i].bit);
			fine = false;
		}
		p.gpr[RAX] = CR4_PAE;
		fine &= EXPECT_EQUAL(PROBE(&p, MOV_TO_CR4), PROBE_FINE);
	}
	probe_close(&p);
	return fine;
}

/* ---- instructions that are not offered ---- */

static bool undefined_instructions(const struct boot *boot)
{
	static const struct {
		const char *name;
		u8 code[6], length;
	} vmx[] = {
		{ "vmxon", { 0xf3, 0x0f, 0xc7, 0x37 }, 4 },
		{ "vmclear", { 0x66, 0x0f, 0xc7, 0x37 }, 4 },
		{ "vmptrld", { 0x0f, 0xc7, 0x37 }, 3 },
		{ "vmptrst", { 0x0f, 0xc7, 0x3f }, 3 },
		{ "vmlaunch", { 0x0f, 0x01, 0xc2 }, 3 },
		{ "vmresume", { 0x0f, 0x01, 0xc3 }, 3 },
		{ "vmxoff", { 0x0f, 0x01, 0xc4 }, 3 },
		{ "vmread", { 0x0f, 0x78, 0xc1 }, 3 },
		{ "vmwrite", { 0x0f, 0x79, 0xc1 }, 3 },
		{ "invept", { 0x66, 0x0f, 0x38, 0x80, 0x07 }, 5 },
		{ "invvpid", { 0x66, 0x0f, 0x38, 0x81, 0x07 }, 5 },
		{ "vmfunc", { 0x0f, 0x01, 0xd4 }, 3 },
		{ "monitor", { 0x0f, 0x01, 0xc8 }, 3 },
		{ "mwait", { 0x0f, 0x01, 0xc9 }, 3 },
		{ "getsec", { 0x0f, 0x37 }, 2 },
		{ "xsaves", { 0x0f, 0xc7, 0x2f }, 3 },
		{ "rsm", { 0x0f, 0xaa }, 2 },
		{ "skinit", { 0x0f, 0x01, 0xde }, 3 },
	};
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(vmx); i++) {
		p.gpr[RDI] = SMALL_DATA;
		p.gpr[RAX] = SMALL_DATA;
		p.gpr[RCX] = p.gpr[RDX] = 0;
		if (probe_run(&p, vmx[i].code, vmx[i].length) != VECTOR_UD || p.rip != SMALL_CODE) {
			selftest_note("%s is not #UD", vmx[i].name);
			fine = false;
		}
	}
	/* VMCALL: an unknown call is told so. */
	p.gpr[RAX] = 0x77;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x01, 0xc1), PROBE_FINE) && EXPECT_EQUAL(p.gpr[RAX], (u64)-1000);
	/* RDPMC has no counters; at CPL 3 it and HLT are privileged. */
	p.gpr[RCX] = 0;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x33), VECTOR_GP);
	/* WBINVD, INVD. */
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x09), PROBE_FINE) &&
		EXPECT_EQUAL(PROBE(&p, 0x0f, 0x08), PROBE_FINE);
	/* RDTSCP and INVPCID as CPUID says. */
	bool rdtscp = guest_cpuid(&p, 0x80000001, 0).edx >> 27 & 1,
	     invpcid = guest_cpuid(&p, 7, 0).ebx >> 10 & 1;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x01, 0xf9), rdtscp ? PROBE_FINE : VECTOR_UD);
	p.gpr[RAX] = 2;
	p.gpr[RDI] = SMALL_DATA;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x66, 0x0f, 0x38, 0x82, 0x07), invpcid ? PROBE_FINE : VECTOR_UD);
	p.gpr[RAX] = 9;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x66, 0x0f, 0x38, 0x82, 0x07), invpcid ? VECTOR_GP : VECTOR_UD);
	p.user = true;
	static const u8 privileged[][4] = { { 0xf4, 0x90, 0x90 },
					    { 0x0f, 0x09, 0x90 },
					    { 0x0f, 0x08, 0x90 },
					    { 0x0f, 0x32, 0x90 },
					    { 0x0f, 0x30, 0x90 } };
	for (unsigned i = 0; i < ARRAY_SIZE(privileged); i++)
		fine &= EXPECT_EQUAL(probe_run(&p, privileged[i], 3), VECTOR_GP);
	probe_close(&p);
	return fine;
}

static const struct selftest tests[] = {
	{ "CPUID: hidden, told, following the guest's state, zero beyond the end", cpuid_leaves },
	{ "XSAVE: leaf 0xD and XSETBV agree", cpuid_xsave },
	{ "CR0: each bit as hardware has it", cr0_writes },
	{ "CR4: what CPUID does not offer cannot be set", cr4_writes },
	{ "instructions that are not offered are #UD, privileged ones #GP", undefined_instructions },
};

const struct selftest_group test_cpu = SELFTEST_GROUP("cpu", tests);
