// SPDX-License-Identifier: BSD-2-Clause
/* The MSR policy, row by row: what reads as what, which writes are taken, what is #GP. Group `cpu` too. */
#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "tests/target/probe.h"

#define NONE (~0ull) /* no such value; nothing below is all ones and legal */

/* `first`: what is read before anything is written; NONE: anything. `legal` must read back; `illegal` must be #GP. */
static const struct {
	u32 msr;
	u64 first, legal, illegal;
} rows[] = {
	{ 0x10, NONE, NONE, NONE },
	{ 0x17, 0, NONE, 0 },
	{ 0x1b, 0xfee00900, 0xfee00900, 0xfee00902 },
	{ 0x3a, 1, NONE, 5 },
	{ 0x3b, 0, 0, NONE },
	{ 0x8b, 0, NONE, NONE },
	{ 0xfe, 0x508, NONE, 0x508 },
	{ 0x174, 0, 0x10, NONE },
	{ 0x175, 0, 0xffff800000001000, 0x8000000000000000 },
	{ 0x176, 0, 0xffff800000002000, 0x8000000000000000 },
	{ 0x179, 0, 0, 1 },
	{ 0x17a, 0, 0, 1 },
	{ 0x1a0, 0x1801, 0x1801, NONE },
	{ 0x1d9, 0, 0, NONE },
	{ 0x200, 0, 0xc0000006, 0xc0000002 },
	{ 0x201, 0, 0xffc0000800, 0xffc0000801 },
	{ 0x20f, 0, 0xffc0000800, BIT(63) },
	{ 0x250, 0x0606060606060606, 0x0505050505050505, 0x0606060606060602 },
	{ 0x258, 0x0606060606060606, 0x0404040404040404, 0x0706060606060606 },
	{ 0x259, 0x0606060606060606, 0, 0x0606030606060606 },
	{ 0x268, 0x0606060606060606, 0x0101010101010101, 0x8006060606060606 },
	{ 0x26f, 0x0606060606060606, 0x0506040100060606, 2 },
	{ 0x277, 0x0007040600070406, 0x0407050600070106, 0x0207050600070106 },
	{ 0x2ff, 0xc06, 0xc00, 0x1c06 },
	{ 0x6e0, 0, 0, NONE },
	{ 0xc0000080, 0x500, 0xd01, BIT(9) | 0x500 },
	{ 0xc0000081, NONE, 0x0023001000000000, NONE },
	{ 0xc0000082, NONE, 0xffffffff81000000, 0x0000800000000000 },
	{ 0xc0000083, NONE, 0xffffffff81000100, 0x0000800000000000 },
	{ 0xc0000084, NONE, 0x47700, NONE },
	{ 0xc0000100, 0, 0x7f0000001000, 0x0000800000000000 },
	{ 0xc0000101, 0, 0xffff888000000000, 0xfff0000000000000 },
	{ 0xc0000102, NONE, 0xffff888000001000, 0xfff0000000000000 },
};

static bool every_row(const struct boot *boot)
{
	struct probe p;
	u64 value;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	/* The guest writes SYSENTER_ESP and _EIP itself, and KVM makes their addresses canonical where a processor refuses. */
	bool nested = cpuid(1, 0).ecx & BIT(31);
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 msr = rows[i].msr;
		bool good = EXPECT_EQUAL(probe_rdmsr(&p, msr, &value), PROBE_FINE);

		if (rows[i].first != NONE)
			good &= EXPECT_EQUAL(value, rows[i].first);
		if (rows[i].legal != NONE)
			good &= EXPECT_EQUAL(probe_wrmsr(&p, msr, rows[i].legal), PROBE_FINE) &&
				EXPECT_EQUAL(probe_rdmsr(&p, msr, &value), PROBE_FINE) &&
				EXPECT_EQUAL(value, rows[i].legal);
		u64 before = value;
		if (rows[i].illegal != NONE && !(nested && (msr == 0x175 || msr == 0x176)))
			good &= EXPECT_EQUAL(probe_wrmsr(&p, msr, rows[i].illegal), VECTOR_GP) &&
				EXPECT_EQUAL(p.error, 0) &&
				EXPECT_EQUAL(probe_rdmsr(&p, msr, &value), PROBE_FINE) &&
				EXPECT_EQUAL(value, before);
		if (!good)
			selftest_note("MSR 0x%x", msr);
		fine &= good;
	}
	/* Updates of microcode: written 0, CPUID, read. */
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, 0x8b, 0), PROBE_FINE) &&
		EXPECT_EQUAL(probe_rdmsr(&p, 0x8b, &value), PROBE_FINE) && EXPECT(value >> 32);
	probe_close(&p);
	return fine;
}

static bool every_other(const struct boot *boot)
{
	static const u32 absent[] = { 0,	  0x11,	      0x34,	  0x48,	      0x49,	  0xce,
				      0x10a,	  0x10b,      0x122,	  0x140,      0x186,	  0x198,
				      0x19c,	  0x1db,      0x210,	  0x251,      0x260,	  0x270,
				      0x38f,	  0x400,      0x480,	  0x485,      0x48c,	  0x491,
				      0x570,	  0x6e1,      0x7ff,	  0x800,      0x830,	  0x8ff,
				      0x900,	  0xda0,      0x1fff,	  0x2000,     0xbfffffff, 0xc0000085,
				      0xc0000104, 0xc0001000, 0xc0001fff, 0xc0002000, 0xc0010114, 0xffffffff,
				      0x40000000, 0x4b564d00 };
	struct probe p;
	u64 value;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(absent); i++) {
		if (probe_rdmsr(&p, absent[i], &value) != VECTOR_GP || p.error != 0 ||
		    probe_wrmsr(&p, absent[i], 0) != VECTOR_GP || p.error != 0) {
			selftest_note("MSR 0x%x is not #GP", absent[i]);
			fine = false;
		}
	}
	/* All of the VMX capabilities, whatever the processor has. */
	for (u32 msr = 0x480; msr <= 0x493; msr++)
		fine &= EXPECT_EQUAL(probe_rdmsr(&p, msr, &value), VECTOR_GP);
	probe_close(&p);
	return fine;
}

/* x2APIC mode: its registers, and which way one may go between the modes (SDM vol. 3, figure 11-28). */
static bool x2apic_registers(const struct boot *boot, bool no_apicv)
{
	struct probe p;
	u64 value;
	u32 word;

	if (!probe_open(&p, boot, &(struct small_options){ .x2apic = true, .no_apicv = no_apicv }, PROBE_64))
		return false;
	bool fine = EXPECT_EQUAL(probe_rdmsr(&p, 0x802, &value), VECTOR_GP); /* not in xAPIC mode */
	fine &= EXPECT_EQUAL(probe_load32(&p, LAPIC_DEFAULT_BASE + LAPIC_VERSION, &word), PROBE_FINE) &&
		EXPECT_EQUAL(word, LAPIC_VERSION_VALUE);
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, 0x1b, 0xfee00500), VECTOR_GP); /* x2APIC without enable */
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, 0x1b, 0xfee00d00), PROBE_FINE);
	fine &= EXPECT_EQUAL(probe_rdmsr(&p, 0x802, &value), PROBE_FINE) && EXPECT_EQUAL(value, 0);
	fine &= EXPECT_EQUAL(probe_rdmsr(&p, 0x803, &value), PROBE_FINE) &&
		EXPECT_EQUAL(value, LAPIC_VERSION_VALUE);
	fine &= EXPECT_EQUAL(probe_rdmsr(&p, 0x80d, &value), PROBE_FINE) && EXPECT_EQUAL(value, 1);
	/* Read-only, write-only, absent, reserved bits. */
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, 0x802, 0), VECTOR_GP) &
		EXPECT_EQUAL(probe_wrmsr(&p, 0x803, 0), VECTOR_GP) &
		EXPECT_EQUAL(probe_rdmsr(&p, 0x80b, &value), VECTOR_GP) &
		EXPECT_EQUAL(probe_wrmsr(&p, 0x80b, 1), VECTOR_GP) &
		EXPECT_EQUAL(probe_rdmsr(&p, 0x80e, &value), VECTOR_GP) &
		EXPECT_EQUAL(probe_wrmsr(&p, 0x80d, 1), VECTOR_GP) &
		EXPECT_EQUAL(probe_rdmsr(&p, 0x83f, &value), VECTOR_GP) &
		EXPECT_EQUAL(probe_rdmsr(&p, 0x831, &value), VECTOR_GP) &
		EXPECT_EQUAL(probe_wrmsr(&p, 0x808, 0x100), VECTOR_GP) &
		EXPECT_EQUAL(probe_wrmsr(&p, 0x828, 1), VECTOR_GP) &
		EXPECT_EQUAL(probe_wrmsr(&p, 0x80f, 0x10000), VECTOR_GP) &
		EXPECT_EQUAL(probe_rdmsr(&p, 0x840, &value), VECTOR_GP) &
		EXPECT_EQUAL(probe_rdmsr(&p, 0x8ff, &value), VECTOR_GP);
	/* The page is gone. */
	fine &= EXPECT_EQUAL(probe_load32(&p, LAPIC_DEFAULT_BASE + LAPIC_VERSION, &word), PROBE_FINE) &&
		EXPECT_EQUAL(word, ~0u);
	/* Not straight back. */
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, 0x1b, 0xfee00900), VECTOR_GP) &
		EXPECT_EQUAL(probe_wrmsr(&p, 0x1b, 0xfee00100), PROBE_FINE);
	fine &= EXPECT_EQUAL(probe_rdmsr(&p, 0x802, &value), VECTOR_GP) &
		EXPECT_EQUAL(probe_wrmsr(&p, 0x1b, 0xfee00d00), VECTOR_GP);
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, 0x1b, 0xfee00900), PROBE_FINE) &&
		EXPECT_EQUAL(probe_load32(&p, LAPIC_DEFAULT_BASE + LAPIC_VERSION, &word), PROBE_FINE) &&
		EXPECT_EQUAL(word, LAPIC_VERSION_VALUE);
	probe_close(&p);
	return fine;
}

static bool x2apic(const struct boot *boot)
{
	struct probe p;

	bool fine = x2apic_registers(boot, false) & x2apic_registers(boot, true);
	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	/* Not offered: not to be had. */
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, 0x1b, 0xfee00d00), VECTOR_GP);
	probe_close(&p);
	return fine;
}

static const struct selftest tests[] = {
	{ "MSRs: every row reads, takes what is legal, refuses what is not", every_row },
	{ "MSRs that are in no row are #GP", every_other },
	{ "x2APIC mode: its MSRs and the ways into it", x2apic },
};

const struct selftest_group test_msr = SELFTEST_GROUP("cpu", tests);
