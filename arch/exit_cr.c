// SPDX-License-Identifier: BSD-2-Clause
/*
 * Control registers and XCR0. The guest owns most bits: MOV CR0 and MOV CR4 exit only when they would change one that it
 * does not (SDM vol. 3, 25.1.3), so each exit here is rare.
 */
#include "arch/cpu.h"
#include "arch/vcpu_internal.h"

/* NE must stay set for VMX; CD and NW would take the caches from the whole machine. */
#define CR0_HOST_OWNED (CR0_NE | CR0_CD | CR0_NW)
#define CR0_DEFINED \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

static bool load_pdptes(struct vcpu *vcpu, u64 cr3)
{
	const u64 reserved = BITS(63, cpuid_physical_bits(&vcpu->cpuid)) | BITS(8, 5) | BITS(2, 1);
	const u64 *table = guest_ram(&vcpu->paging, cr3 & BITS(31, 5), 4 * sizeof(u64), false);
	u64 entry[4];

	if (!table)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		entry[i] = table[i];
		if ((entry[i] & 1) && (entry[i] & reserved))
			return false;
	}
	for (unsigned i = 0; i < 4; i++)
		vmwrite((enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i), entry[i]);
	return true;
}

static bool pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

/*
 * MOV to CR0 with every check of the instruction (SDM vol. 2, MOV to control registers). Which bits the processor would
 * have checked before the exit does not matter: all are checked here. False: #GP(0).
 */
static bool set_cr0(struct vcpu *vcpu, u64 value)
{
	u64 old = (vmread(VMCS_GUEST_CR0) & ~CR0_HOST_OWNED) | (vmread(VMCS_CR0_SHADOW) & CR0_HOST_OWNED);
	u64 cr4 = vmread(VMCS_GUEST_CR4), efer = vmread(VMCS_GUEST_EFER);

	if (value >> 32)
		return false;
	value = (value & CR0_DEFINED) | CR0_ET;
	if (((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
		return false;
	if ((value & CR0_PG) && !(old & CR0_PG)) {
		if (efer & EFER_LME) {
			if (!(cr4 & CR4_PAE) || (vmread(VMCS_GUEST_CS_RIGHTS) & BIT(13)))
				return false;
			efer |= EFER_LMA;
		} else if (pae_paging(value, cr4, efer) && !load_pdptes(vcpu, vmread(VMCS_GUEST_CR3))) {
			return false;
		}
	} else if (!(value & CR0_PG) && (old & CR0_PG)) {
		if ((cr4 & CR4_PCIDE) || vcpu_cpu_mode(vcpu) == CPU_MODE_64)
			return false;
		efer &= ~EFER_LMA;
	}
	if (efer != vmread(VMCS_GUEST_EFER)) {
		u64 entry = vmread(VMCS_ENTRY_CONTROLS) & ~(u64)ENTRY_IA32E_GUEST;

		vmwrite(VMCS_GUEST_EFER, efer);
		vmwrite(VMCS_ENTRY_CONTROLS, entry | (efer & EFER_LMA ? ENTRY_IA32E_GUEST : 0));
	}
	cr_reset(vcpu, value, vmread(VMCS_GUEST_CR4));
	if ((value ^ old) & (CR0_PG | CR0_PE | CR0_WP))
		vcpu->todo |= TODO_FLUSH;
	return true;
}

static bool set_cr4(struct vcpu *vcpu, u64 value)
{
	u64 old = vmread(VMCS_GUEST_CR4) & ~CR4_VMXE;
	u64 cr0 = vmread(VMCS_GUEST_CR0), efer = vmread(VMCS_GUEST_EFER);

	if (value & ~vcpu->cr4_allowed)
		return false;
	if ((efer & EFER_LMA) && !(value & CR4_PAE))
		return false;
	if ((value & CR4_PCIDE) && !(old & CR4_PCIDE) &&
	    (!(efer & EFER_LMA) || (vmread(VMCS_GUEST_CR3) & 0xfff)))
		return false;
	if (pae_paging(cr0, value, efer) && ((value ^ old) & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP)) &&
	    !load_pdptes(vcpu, vmread(VMCS_GUEST_CR3)))
		return false;
	vmwrite(VMCS_GUEST_CR4, value | CR4_VMXE);
	vmwrite(VMCS_CR4_SHADOW, value);
	if ((value ^ old) & (CR4_PGE | CR4_PAE | CR4_PSE | CR4_PCIDE | CR4_SMEP | CR4_SMAP))
		vcpu->todo |= TODO_FLUSH;
	return true;
}

/* `cr0` and `cr4` as the guest shall see them. */
void cr_reset(struct vcpu *vcpu, u64 cr0, u64 cr4)
{
	vmwrite(VMCS_GUEST_CR0, (cr0 | CR0_NE) & ~(CR0_CD | CR0_NW));
	vmwrite(VMCS_CR0_SHADOW, cr0);
	vmwrite(VMCS_CR0_MASK, CR0_HOST_OWNED);
	vmwrite(VMCS_GUEST_CR4, cr4 | CR4_VMXE);
	vmwrite(VMCS_CR4_SHADOW, cr4 & ~CR4_VMXE);
	vmwrite(VMCS_CR4_MASK, ~vcpu->cr4_allowed);
}

static bool move_to_cr(struct vcpu *vcpu, unsigned cr, u64 value)
{
	vcpu_load_paging(vcpu);
	switch (cr) {
	case 0:
		return set_cr0(vcpu, value);
	case 4:
		return set_cr4(vcpu, value);
	case 8:
		if (value >> 4)
			return false;
		lapic_set_cr8(&vcpu->lapic, value);
		vcpu->todo |= TODO_EVENT;
		return true;
	default:
		return false;
	}
}

/* Exit qualification: SDM vol. 3, table 27-3. */
void exit_cr_access(struct vcpu *vcpu)
{
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	unsigned cr = qualification & 15, gpr = qualification >> 8 & 15;
	u64 cr0 = (vmread(VMCS_GUEST_CR0) & ~CR0_HOST_OWNED) | (vmread(VMCS_CR0_SHADOW) & CR0_HOST_OWNED);
	bool fine = true;

	switch (qualification >> 4 & 3) {
	case 0: { /* MOV to CR */
		u64 value = gpr == RSP ? vmread(VMCS_GUEST_RSP) : vcpu->gpr[gpr];

		fine = move_to_cr(vcpu, cr, vcpu_cpu_mode(vcpu) == CPU_MODE_64 ? value : (u32)value);
		break;
	}
	case 1: /* MOV from CR: CR8 only, as CR3 stores do not exit */
		if (gpr == RSP)
			vmwrite(VMCS_GUEST_RSP, lapic_cr8(&vcpu->lapic));
		else
			vcpu->gpr[gpr] = lapic_cr8(&vcpu->lapic);
		break;
	case 2: /* CLTS; TS is the guest's own, so this does not come */
		fine = set_cr0(vcpu, cr0 & ~CR0_TS);
		break;
	case 3: /* LMSW: PE can be set, not cleared */
		fine = set_cr0(vcpu, (cr0 & ~(CR0_MP | CR0_EM | CR0_TS)) | (qualification >> 16 & 15));
		break;
	}
	if (fine)
		vcpu_skip_instruction(vcpu);
	else
		inject_gp(vcpu);
}

/* XSETBV always exits. The rules are the instruction's (SDM vol. 1, 13.3). */
void exit_xsetbv(struct vcpu *vcpu)
{
	u64 value = vcpu->gpr[RDX] << 32 | (u32)vcpu->gpr[RAX];
	u64 allowed = vcpu->cpuid.xcr0_allowed;
	const u64 avx512 = BIT(5) | BIT(6) | BIT(7);
	bool fine = (u32)vcpu->gpr[RCX] == 0 && allowed && !(value & ~allowed) && (value & 1) &&
		    !((value & BIT(2)) && !(value & BIT(1))) &&
		    (!(value & avx512) || ((value & avx512) == avx512 && (value & BIT(2))));

	if (!fine || (vmread(VMCS_GUEST_SS_RIGHTS) >> 5 & 3) != 0) {
		inject_gp(vcpu);
		return;
	}
	xsetbv(0, value);
	vcpu_skip_instruction(vcpu);
}
