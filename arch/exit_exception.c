// SPDX-License-Identifier: BSD-2-Clause
/*
 * Exceptions that exit, NMIs, and task switches.
 */
#include "arch/cpu.h"
#include "arch/panic.h"
#include "arch/vcpu_internal.h"

#define DR7_GD BIT(13)

/* The processor leaves DR6 and DR7 alone when #DB exits: the qualification has what DR6 would have got (27.2.1). */
static void debug_exception(struct vcpu *vcpu)
{
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);

	write_dr6((read_dr6() & ~0xfull) | (qualification & (BITS(3, 0) | BITS(14, 13))));
	vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
	inject_exception(vcpu, VECTOR_DB, false, 0);
}

void exit_exception(struct vcpu *vcpu)
{
	u32 info = vmread(VMCS_EXIT_INTERRUPTION);

	if (INTERRUPTION_TYPE(info) == INTERRUPTION_NMI) {
		/* The machine's NMIs are about the machine, and the guest is all that runs on it. */
		vcpu_inject_nmi(vcpu);
		return;
	}
	switch (INTERRUPTION_VECTOR(info)) {
	case VECTOR_DB:
		debug_exception(vcpu);
		break;
	case VECTOR_AC:
		inject_exception(vcpu, VECTOR_AC, true, vmread(VMCS_EXIT_ERROR_CODE));
		break;
	case VECTOR_MC:
		panic("machine check while the guest ran");
	default:
		vm_fault(vcpu->vm, "exception %u exited unasked, rip 0x%llx", INTERRUPTION_VECTOR(info),
			 (unsigned long long)vmread(VMCS_GUEST_RIP));
	}
}

/*
 * Hardware task switches exist outside 64-bit mode only, and no kernel of this century makes one on purpose. They are refused
 * by name; a guest that needs them has to be told so.
 */
void exit_task_switch(struct vcpu *vcpu)
{
	static const char *const source[] = { "CALL", "IRET", "JMP", "a task gate in the IDT" };
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);

	vm_fault(vcpu->vm, "hardware task switch by %s to TSS selector 0x%llx, rip 0x%llx: not supported",
		 source[qualification >> 30 & 3], (unsigned long long)(qualification & 0xffff),
		 (unsigned long long)vmread(VMCS_GUEST_RIP));
}
