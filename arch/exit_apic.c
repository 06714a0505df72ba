// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the processor leaves to software when it virtualises the local APIC (SDM vol. 3, 29).
 */
#include "arch/vcpu_internal.h"

/* Exit qualification: SDM vol. 3, table 27-6. */
enum { APIC_LINEAR_READ, APIC_LINEAR_WRITE, APIC_LINEAR_FETCH };

/* An access that is not virtualised: carried out against the model, which knows the register. */
void exit_apic_access(struct vcpu *vcpu)
{
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	u64 gpa = LAPIC_DEFAULT_BASE | (qualification & 0xfff);
	unsigned type = qualification >> 12 & 15;

	if (type == APIC_LINEAR_READ || type == APIC_LINEAR_WRITE) {
		vcpu_emulate_access(vcpu, gpa, type == APIC_LINEAR_READ ? INSN_READS : INSN_WRITES);
		return;
	}
	vm_fault(vcpu->vm, "%s the local APIC's page at gpa 0x%llx, rip 0x%llx",
		 type == APIC_LINEAR_FETCH ? "executes from" : "keeps tables or a stack in",
		 (unsigned long long)gpa, (unsigned long long)vmread(VMCS_GUEST_RIP));
}

/* After the write: RIP is past the instruction, the value is in the page. */
void exit_apic_write(struct vcpu *vcpu)
{
	lapic_apic_write(&vcpu->lapic, vmread(VMCS_EXIT_QUALIFICATION) & 0xff0);
}

void exit_virtualized_eoi(struct vcpu *vcpu)
{
	lapic_eoi_induced(&vcpu->lapic, (u8)vmread(VMCS_EXIT_QUALIFICATION));
}
