// SPDX-License-Identifier: BSD-2-Clause
/*
 * For Bochs 2.7, whose virtual-interrupt delivery has a fault: if an interrupt of the machine's comes while a virtual one waits,
 * it delivers the virtual one instead of making an exit, whether or not the guest has RFLAGS.IF set
 * (BX_CPU_C::InterruptAcknowledge()). A guest's handler then runs in the middle of what the guest has interrupts off for: a
 * Linux kernel that holds a lock there waits for it for ever.
 *
 * So while any virtual interrupt waits for more than the next instruction, the machine's are masked in the 8259, and looked at
 * at each exit and every millisecond, whatever the guest does.
 */
#include "arch/cpu.h"
#include "arch/host_irq.h"
#include "arch/vcpu_internal.h"

#define LOOK_HZ 1000 /* at 115200 baud, a UART's FIFO is full after 1.4 ms */

/* Delivered right after the entry, with none left: nothing can come in between. */
static bool next_is_last(const struct vcpu *vcpu)
{
	return !lapic_more_wait(&vcpu->lapic) && lapic_pending(&vcpu->lapic) >= 0 && !vcpu->event.info &&
	       !vcpu->nmi_pending && vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF &&
	       !(vmread(VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
}

bool hold_decide(struct vcpu *vcpu, u64 now)
{
	bool hold = lapic_rvi(&vcpu->lapic) && !next_is_last(vcpu);

	host_irq_hold(hold);
	if (hold)
		vcpu->deadline = MIN(vcpu->deadline, now + vcpu->vm->config.tsc_hz / LOOK_HZ);
	return hold;
}

void hold_look(const struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;

	if (host_irq_waits() && vm->config.ops->host_interrupt)
		vm->config.ops->host_interrupt(vm->config.board, HOST_IRQ_HELD);
}
