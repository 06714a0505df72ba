// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the guest's RDMSR and WRMSR do: one table. What is not in it is #GP, as for an MSR that a processor does not have.
 */
#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "mm/log.h"

typedef bool msr_read(struct vcpu *vcpu, u32 msr, u64 *value);
typedef bool msr_write(struct vcpu *vcpu, u32 msr, u64 value);

struct msr_row {
	u32 first, last;
	bool direct;	  /* the guest reaches the processor's own: its value is part of the guest's state */
	msr_read *read;	  /* null: #GP */
	msr_write *write; /* null: #GP */
};

static bool read_zero(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)vcpu, (void)msr;
	*value = 0;
	return true;
}

static bool write_ignored(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)vcpu, (void)msr, (void)value;
	return true;
}

static bool write_zero(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)vcpu, (void)msr;
	return value == 0;
}

static bool read_tsc(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)msr;
	*value = rdtsc() + vcpu->tsc_offset;
	return true;
}

static void move_tsc(struct vcpu *vcpu, u64 delta)
{
	vcpu->tsc_offset += delta;
	vmwrite(VMCS_TSC_OFFSET, vcpu->tsc_offset);
	lapic_tsc_adjusted(&vcpu->lapic, delta);
	vcpu->todo |= TODO_TIMERS;
}

/* A write to the counter shows in IA32_TSC_ADJUST and the other way round (SDM vol. 3, 17.17.3). */
static bool write_tsc(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)msr;
	u64 delta = value - (rdtsc() + vcpu->tsc_offset);

	vcpu->tsc_adjust += delta;
	move_tsc(vcpu, delta);
	return true;
}

static bool read_tsc_adjust(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)msr;
	*value = vcpu->tsc_adjust;
	return true;
}

static bool write_tsc_adjust(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)msr;
	u64 delta = value - vcpu->tsc_adjust;

	vcpu->tsc_adjust = value;
	move_tsc(vcpu, delta);
	return true;
}

/* Locked, VMX off: the CPUID bit is off too. */
static bool read_feature_control(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)vcpu, (void)msr;
	*value = 1;
	return true;
}

static bool read_ucode(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)msr;
	*value = vcpu->ucode_rev;
	return true;
}

static bool write_ucode(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)msr;
	/* CPUID after a write of 0 loads the revision: a constant, as nothing can be updated. */
	(void)value;
	vcpu->ucode_rev = 1ull << 32;
	return true;
}

#define MTRRCAP (8 | BIT(8) | BIT(10)) /* 8 variable, fixed, WC */

static bool read_mtrrcap(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)vcpu, (void)msr;
	*value = MTRRCAP;
	return true;
}

static u64 *mtrr(struct vcpu *vcpu, u32 msr)
{
	switch (msr) {
	case 0x200 ... 0x20f:
		return &vcpu->mtrr_variable[msr - 0x200];
	case 0x250:
		return &vcpu->mtrr_fixed[0];
	case 0x258 ... 0x259:
		return &vcpu->mtrr_fixed[1 + msr - 0x258];
	case 0x268 ... 0x26f:
		return &vcpu->mtrr_fixed[3 + msr - 0x268];
	default:
		return &vcpu->mtrr_def_type;
	}
}

static bool read_mtrr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	*value = *mtrr(vcpu, msr);
	return true;
}

static bool is_memory_type(u8 type)
{
	return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

/* Kept, not applied: EPT says write-back, and the guest's PAT has the last word as on a machine with WB MTRRs. */
static bool write_mtrr(struct vcpu *vcpu, u32 msr, u64 value)
{
	u64 width = BITS(cpuid_physical_bits(&vcpu->cpuid) - 1, 12);

	if (msr >= 0x250 && msr <= 0x26f) {
		for (unsigned i = 0; i < 8; i++)
			if (!is_memory_type((u8)(value >> 8 * i)))
				return false;
	} else if (msr == IA32_MTRR_DEF_TYPE) {
		if (!is_memory_type((u8)value) || (value & ~(0xffull | BIT(10) | BIT(11))))
			return false;
	} else if (msr & 1) {
		if (value & ~(width | BIT(11)))
			return false;
	} else if (!is_memory_type((u8)value) || (value & ~(width | 0xff))) {
		return false;
	}
	*mtrr(vcpu, msr) = value;
	return true;
}

#define MISC_ENABLE_FAST_STRINGS     BIT(0)
#define MISC_ENABLE_BTS_UNAVAILABLE  BIT(11)
#define MISC_ENABLE_PEBS_UNAVAILABLE BIT(12)

static bool read_misc_enable(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)msr;
	*value = vcpu->misc_enable | MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE;
	return true;
}

static bool write_misc_enable(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)msr;
	vcpu->misc_enable = value;
	return true;
}

static bool read_lapic(struct vcpu *vcpu, u32 msr, u64 *value)
{
	return lapic_msr_read(&vcpu->lapic, msr, value);
}

static bool write_lapic(struct vcpu *vcpu, u32 msr, u64 value)
{
	return lapic_msr_write(&vcpu->lapic, msr, value);
}

/* In ascending order. */
static const struct msr_row rows[] = {
	{ 0x10, 0x10, .read = read_tsc, .write = write_tsc },
	{ 0x17, 0x17, .read = read_zero },
	{ 0x1b, 0x1b, .read = read_lapic, .write = write_lapic },
	{ 0x3a, 0x3a, .read = read_feature_control },
	{ 0x3b, 0x3b, .read = read_tsc_adjust, .write = write_tsc_adjust },
	{ 0x8b, 0x8b, .read = read_ucode, .write = write_ucode },
	{ 0xfe, 0xfe, .read = read_mtrrcap },
	{ 0x174, 0x176, .direct = true },
	{ 0x179, 0x17a, .read = read_zero, .write = write_zero },
	{ 0x1a0, 0x1a0, .read = read_misc_enable, .write = write_misc_enable },
	/* Last-branch records and single-step on branches are not offered; what a kernel clears stays clear. */
	{ 0x1d9, 0x1d9, .read = read_zero, .write = write_ignored },
	{ 0x200, 0x20f, .read = read_mtrr, .write = write_mtrr },
	{ 0x250, 0x250, .read = read_mtrr, .write = write_mtrr },
	{ 0x258, 0x259, .read = read_mtrr, .write = write_mtrr },
	{ 0x268, 0x26f, .read = read_mtrr, .write = write_mtrr },
	{ 0x277, 0x277, .direct = true },
	{ 0x2ff, 0x2ff, .read = read_mtrr, .write = write_mtrr },
	{ LAPIC_MSR_TSC_DEADLINE, LAPIC_MSR_TSC_DEADLINE, .read = read_lapic, .write = write_lapic },
	{ LAPIC_MSR_X2APIC, LAPIC_MSR_X2APIC + 0xff, .read = read_lapic, .write = write_lapic },
	{ 0xc0000080, 0xc0000084, .direct = true }, /* EFER, STAR, LSTAR, CSTAR, FMASK */
	{ 0xc0000100, 0xc0000102, .direct = true }, /* FS, GS, KERNEL_GS base */
	{ 0xc0000103, 0xc0000103, .direct = true }, /* TSC_AUX */
};

/* Where in `rows` the low MSRs are, + 1: most of what a guest reads often. Filled once, the same for all. */
#define LOW_MSRS 0x400
static u8 low_rows[LOW_MSRS];

static const struct msr_row *search(u32 msr)
{
	unsigned low = 0, high = ARRAY_SIZE(rows);

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (msr > rows[middle].last)
			low = middle + 1;
		else
			high = middle;
	}
	return low < ARRAY_SIZE(rows) && msr >= rows[low].first ? &rows[low] : NULL;
}

static inline const struct msr_row *find(u32 msr)
{
	if (likely(msr < LOW_MSRS))
		return low_rows[msr] ? &rows[low_rows[msr] - 1] : NULL;
	return search(msr);
}

static void log_refused(const struct vcpu *vcpu, const char *what, u32 msr, u64 value)
{
	log_debug("%s: %s of MSR 0x%x (value 0x%llx) at rip 0x%llx: #GP", vcpu->vm->config.name, what, msr,
		  (unsigned long long)value, (unsigned long long)vmread(VMCS_GUEST_RIP));
}

void exit_rdmsr(struct vcpu *vcpu)
{
	u32 msr = (u32)vcpu->gpr[RCX];
	const struct msr_row *row = find(msr);
	u64 value = 0;

	if (unlikely(!row || !row->read || !row->read(vcpu, msr, &value))) {
		log_refused(vcpu, "read", msr, 0);
		inject_gp(vcpu);
		return;
	}
	vcpu->gpr[RAX] = (u32)value;
	vcpu->gpr[RDX] = value >> 32;
	vcpu_skip_instruction(vcpu);
}

void exit_wrmsr(struct vcpu *vcpu)
{
	u32 msr = (u32)vcpu->gpr[RCX];
	u64 value = vcpu->gpr[RDX] << 32 | (u32)vcpu->gpr[RAX];

	/* Every tick of a Linux guest. */
	if (likely(msr == LAPIC_MSR_TSC_DEADLINE)) {
		lapic_write_tsc_deadline(&vcpu->lapic, value);
		vcpu->deadline = vcpu_next_deadline(vcpu);
		vcpu_skip_instruction(vcpu);
		return;
	}
	const struct msr_row *row = find(msr);
	if (unlikely(!row || !row->write || !row->write(vcpu, msr, value))) {
		log_refused(vcpu, "write", msr, value);
		inject_gp(vcpu);
		return;
	}
	vcpu_skip_instruction(vcpu);
}

static void fill_low_rows(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		for (u32 msr = rows[i].first; msr <= rows[i].last && msr < LOW_MSRS; msr++)
			low_rows[msr] = i + 1;
}

void msr_reset(struct vcpu *vcpu)
{
	fill_low_rows();
	vcpu->misc_enable = MISC_ENABLE_FAST_STRINGS;
	vcpu->ucode_rev = 0;
	/* What firmware leaves behind: everything write-back. */
	vcpu->mtrr_def_type = BIT(11) | BIT(10) | 6;
	for (unsigned i = 0; i < MTRR_FIXED; i++)
		vcpu->mtrr_fixed[i] = 0x0606060606060606;
	for (unsigned i = 0; i < MTRR_VARIABLE; i++)
		vcpu->mtrr_variable[i] = 0;
}

/* The bitmap's four parts: reads of low and high MSRs, writes of low and high ones (SDM vol. 3, 24.6.9). */
static void set_direct(u8 *bitmap, u32 msr, bool write)
{
	u32 bit = (msr & 0x1fff) + (msr >= 0xc0000000 ? 0x2000 : 0) + (write ? 0x4000 : 0);

	bitmap[bit / 8] &= ~(1u << bit % 8);
}

void msr_fill_bitmap(struct vcpu *vcpu)
{
	u8 *bitmap = vcpu->msr_bitmap;

	for (unsigned i = 0; i < PAGE_SIZE; i++)
		bitmap[i] = 0xff;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		for (u32 msr = rows[i].first; rows[i].direct && msr <= rows[i].last; msr++) {
			/* Without RDTSCP or RDPID the guest has no such MSR. */
			if (msr == IA32_TSC_AUX && !(vcpu->secondary & SECONDARY_RDTSCP))
				continue;
			set_direct(bitmap, msr, false);
			set_direct(bitmap, msr, true);
		}
	}
	if (!(vcpu->secondary & SECONDARY_VIRTUALIZE_X2APIC_MODE))
		return;
	for (u32 msr = LAPIC_MSR_X2APIC; msr <= LAPIC_MSR_X2APIC + 0xff; msr++) {
		if (lapic_msr_direct(msr, false))
			set_direct(bitmap, msr, false);
		/* What waits must be known where interrupts may have to be held, hold.c. */
		if (lapic_msr_direct(msr, true) &&
		    !(vcpu->caps->bochs && msr == LAPIC_MSR_X2APIC + LAPIC_SELF_IPI / 16))
			set_direct(bitmap, msr, true);
	}
}
