// SPDX-License-Identifier: BSD-2-Clause
/*
 * Events into the guest, one an entry, by priority: what an exit interrupted, exceptions, NMI, external interrupts
 * (SDM vol. 3, 6.9 and 26.6).
 */
#include "arch/cpu.h"
#include "arch/vcpu_internal.h"

enum severity { BENIGN, CONTRIBUTORY, PAGE_FAULT };

static enum severity severity(u8 vector)
{
	switch (vector) {
	case VECTOR_DE:
	case VECTOR_TS:
	case VECTOR_NP:
	case VECTOR_SS:
	case VECTOR_GP:
		return CONTRIBUTORY;
	case VECTOR_PF:
		return PAGE_FAULT;
	default:
		return BENIGN;
	}
}

static u32 exception_info(u8 vector, bool has_error_code)
{
	return INTERRUPTION_VALID | INTERRUPTION_HARDWARE_EXCEPTION << 8 | vector |
	       (has_error_code ? INTERRUPTION_ERROR_CODE : 0);
}

/* SDM vol. 3, table 6-5: when the delivery of one exception raises another. */
void inject_exception(struct vcpu *vcpu, u8 vector, bool has_error_code, u32 error_code)
{
	u32 first = vcpu->event.info;

	if ((first & INTERRUPTION_VALID) && INTERRUPTION_TYPE(first) == INTERRUPTION_HARDWARE_EXCEPTION) {
		enum severity a = severity(INTERRUPTION_VECTOR(first)), b = severity(vector);

		if (INTERRUPTION_VECTOR(first) == VECTOR_DF && b != BENIGN) {
			vm_fault(vcpu->vm,
				 "triple fault: exception %u while a double fault was delivered, rip 0x%llx",
				 vector, (unsigned long long)vmread(VMCS_GUEST_RIP));
			return;
		}
		if ((a == CONTRIBUTORY && b == CONTRIBUTORY) || (a == PAGE_FAULT && b != BENIGN)) {
			vector = VECTOR_DF;
			has_error_code = true;
			error_code = 0;
		}
	}
	/* Real mode pushes no error codes, and a VM entry refuses them there (26.2.1.3). */
	if (!(vmread(VMCS_GUEST_CR0) & CR0_PE))
		has_error_code = false;
	vcpu->event = (struct vcpu_event){ .info = exception_info(vector, has_error_code),
					   .error_code = error_code };
	/* A fault's saved flags have RF set, so that the handler's return does not meet an instruction breakpoint again. */
	if (vector != VECTOR_DB)
		vmwrite(VMCS_GUEST_RFLAGS, vmread(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	vcpu->todo |= TODO_EVENT;
}

/* RF holds for one instruction; a single step ends with an instruction that was carried out for the guest as with any other. */
void inject_after_step(struct vcpu *vcpu)
{
	u64 rflags = vmread(VMCS_GUEST_RFLAGS);

	vmwrite(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	if (!(rflags & RFLAGS_TF))
		return;
	write_dr6(read_dr6() | BIT(14));
	inject_exception(vcpu, VECTOR_DB, false, 0);
}

void inject_again(struct vcpu *vcpu, u32 vectoring)
{
	vcpu->event.info = vectoring & ~INTERRUPTION_NMI_UNBLOCK;
	if (vectoring & INTERRUPTION_ERROR_CODE)
		vcpu->event.error_code = vmread(VMCS_IDT_VECTORING_ERROR_CODE);
	if (INTERRUPTION_TYPE(vectoring) >= INTERRUPTION_SOFTWARE_INTERRUPT)
		vcpu->event.length = vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
	/* The NMI is delivered again, which needs it unblocked; the delivery blocks it. */
	if (INTERRUPTION_TYPE(vectoring) == INTERRUPTION_NMI)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~BLOCKING_BY_NMI);
	vcpu->todo |= TODO_EVENT;
	if (vcpu->exit_reason == REASON_EPT_VIOLATION)
		vcpu_refuse_delivery(vcpu);
}

static void set_primary(struct vcpu *vcpu, u32 bit, bool on)
{
	u32 primary = on ? vcpu->primary | bit : vcpu->primary & ~bit;

	if (primary != vcpu->primary) {
		vcpu->primary = primary;
		vmwrite(VMCS_PRIMARY_CONTROLS, primary);
	}
}

/* Does the PIC behind LINT0 ask for the CPU? It comes first, as the pin is not prioritised. */
static bool extint_waits(const struct vcpu *vcpu)
{
	const struct vm_config *config = &vcpu->vm->config;

	return config->ops->extint_pending && lapic_accepts_extint(&vcpu->lapic) &&
	       config->ops->extint_pending(config->board);
}

/* Is there an external interrupt that software has to inject? With apicv the local APIC's are the processor's business. */
static bool interrupt_waits(const struct vcpu *vcpu)
{
	return extint_waits(vcpu) || (!vcpu->apicv && lapic_pending(&vcpu->lapic) >= 0);
}

/* Takes it from its controller: its vector, or -1. */
static int take_interrupt(struct vcpu *vcpu)
{
	if (extint_waits(vcpu))
		return vcpu->vm->config.ops->extint_acknowledge(vcpu->vm->config.board);
	int vector = lapic_pending(&vcpu->lapic);
	if (vector >= 0)
		lapic_ack(&vcpu->lapic, vector);
	return vector;
}

static void enter_with(const struct vcpu_event *event)
{
	vmwrite(VMCS_ENTRY_INTERRUPTION, event->info);
	if (event->info & INTERRUPTION_ERROR_CODE)
		vmwrite(VMCS_ENTRY_ERROR_CODE, event->error_code);
	if (INTERRUPTION_TYPE(event->info) >= INTERRUPTION_SOFTWARE_INTERRUPT)
		vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, event->length);
}

static void wake(void)
{
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
}

void inject_pending(struct vcpu *vcpu)
{
	struct vcpu_event event = vcpu->event;
	u32 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);
	bool shadow = blocking & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS);

	vcpu->event.info = 0;
	if (!event.info && vcpu->nmi_pending && !shadow && !(blocking & BLOCKING_BY_NMI)) {
		vcpu->nmi_pending = false;
		event.info = INTERRUPTION_VALID | INTERRUPTION_NMI << 8 | VECTOR_NMI;
	}
	if (!event.info && !shadow && (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF) && interrupt_waits(vcpu)) {
		int vector = take_interrupt(vcpu);

		if (vector >= 0)
			event.info = INTERRUPTION_VALID | INTERRUPTION_EXTERNAL << 8 | (u8)vector;
	}
	if (event.info) {
		enter_with(&event);
		wake();
	} else if (vcpu->apicv && (vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF) &&
		   lapic_pending(&vcpu->lapic) >= 0) {
		/* The processor delivers it right after the entry; Bochs 2.7 only to a vCPU that is not halted. */
		wake();
	}
	set_primary(vcpu, PRIMARY_NMI_WINDOW_EXITING, vcpu->nmi_pending);
	set_primary(vcpu, PRIMARY_INTERRUPT_WINDOW_EXITING, interrupt_waits(vcpu));
}
