// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every exit passes here: what happened -> a handler by table -> what must be done before the next entry. Run to
 * completion; nothing waits.
 */
#include "arch/cpu.h"
#include "arch/host_irq.h"
#include "arch/panic.h"
#include "arch/vcpu_internal.h"
#include "mm/log.h"

static void exit_external_interrupt(struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;

	if (vm->config.ops->host_interrupt)
		vm->config.ops->host_interrupt(vm->config.board,
					       INTERRUPTION_VECTOR(vmread(VMCS_EXIT_INTERRUPTION)));
}

static void exit_triple_fault(struct vcpu *vcpu)
{
	vm_fault(vcpu->vm, "triple fault at rip 0x%llx", (unsigned long long)vmread(VMCS_GUEST_RIP));
	if (vcpu->vm->stop == VM_FAULT)
		vcpu->vm->stop = VM_TRIPLE_FAULT;
}

/* Windows: inject_pending() decides afresh. */
static void exit_window(struct vcpu *vcpu)
{
	vcpu->todo |= TODO_EVENT;
}

/* Time is looked at before every entry, so that nothing is left to do here. */
static void exit_preemption_timer(struct vcpu *vcpu)
{
	(void)vcpu;
}

/*
 * The guest waits in the processor's own HLT state: what wakes it is an exit. HLT exits nevertheless, so that an interrupt
 * which came between the guest's last look and its HLT is seen: Bochs 2.7 does not wake for one that is virtualised.
 */
void exit_hlt(struct vcpu *vcpu)
{
	vcpu_skip_instruction(vcpu);
	if (!(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF) && !vcpu->nmi_pending)
		vm_fault(vcpu->vm, "halted for good at rip 0x%llx: HLT with interrupts off",
			 (unsigned long long)vmread(VMCS_GUEST_RIP));
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_HLT);
	vcpu->todo |= TODO_EVENT;
}

static void exit_vmcall(struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;

	/* -KVM_ENOSYS: what a guest that probes for hypercalls expects from one that has none. */
	if (!vm->config.ops->hypercall || !vm->config.ops->hypercall(vm->config.board, vcpu))
		vcpu->gpr[RAX] = (u64)-1000;
	vcpu_skip_instruction(vcpu);
}

/* Caches are coherent for a guest without devices of its own: nothing must be written back for it. */
static void exit_wbinvd(struct vcpu *vcpu)
{
	vcpu_skip_instruction(vcpu);
}

/* VMX, SMX, MONITOR, RDPMC and their like are not in the guest's CPUID. */
static void exit_undefined(struct vcpu *vcpu)
{
	inject_ud(vcpu);
}

/* No performance counters: CPUID leaf 0xa says none. */
static void exit_rdpmc(struct vcpu *vcpu)
{
	inject_gp(vcpu);
}

static void exit_init(struct vcpu *vcpu)
{
	(void)vcpu;
	log_warn("a physical INIT arrived and was ignored");
}

static void exit_ept_misconfiguration(struct vcpu *vcpu)
{
	u64 gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	unsigned level;
	u64 entry = ept_lookup(&vcpu->vm->ept, gpa, &level);

	vm_fault(vcpu->vm, "EPT misconfiguration at gpa 0x%llx: entry 0x%llx at level %u",
		 (unsigned long long)gpa, (unsigned long long)entry, level);
}

static void exit_entry_failure(struct vcpu *vcpu)
{
	vm_fault(vcpu->vm,
		 "VM entry refused the guest's state: reason 0x%llx, qualification 0x%llx, rip 0x%llx",
		 (unsigned long long)vmread(VMCS_EXIT_REASON),
		 (unsigned long long)vmread(VMCS_EXIT_QUALIFICATION),
		 (unsigned long long)vmread(VMCS_GUEST_RIP));
}

static void exit_unexpected(struct vcpu *vcpu)
{
	u64 reason = vmread(VMCS_EXIT_REASON);

	vm_fault(vcpu->vm, "unexpected exit %llu (%s), qualification 0x%llx, rip 0x%llx",
		 (unsigned long long)reason, vcpu_exit_name(reason),
		 (unsigned long long)vmread(VMCS_EXIT_QUALIFICATION),
		 (unsigned long long)vmread(VMCS_GUEST_RIP));
}

static const struct {
	exit_handler *handle;
	const char *name;
} exits[EXIT_REASONS] = {
	[REASON_EXCEPTION_OR_NMI] = { exit_exception, "exception or NMI" },
	[REASON_EXTERNAL_INTERRUPT] = { exit_external_interrupt, "external interrupt" },
	[REASON_TRIPLE_FAULT] = { exit_triple_fault, "triple fault" },
	[REASON_INIT] = { exit_init, "INIT" },
	[REASON_SIPI] = { exit_init, "SIPI" },
	[REASON_INTERRUPT_WINDOW] = { exit_window, "interrupt window" },
	[REASON_NMI_WINDOW] = { exit_window, "NMI window" },
	[REASON_TASK_SWITCH] = { exit_task_switch, "task switch" },
	[REASON_HLT] = { exit_hlt, "HLT" },
	[REASON_CPUID] = { exit_cpuid, "CPUID" },
	[REASON_GETSEC] = { exit_undefined, "GETSEC" },
	[REASON_INVD] = { exit_wbinvd, "INVD" },
	[REASON_RDPMC] = { exit_rdpmc, "RDPMC" },
	[REASON_VMCALL] = { exit_vmcall, "VMCALL" },
	[REASON_VMCLEAR] = { exit_undefined, "VMCLEAR" },
	[20] = { exit_undefined, "VMLAUNCH" },
	[21] = { exit_undefined, "VMPTRLD" },
	[22] = { exit_undefined, "VMPTRST" },
	[23] = { exit_undefined, "VMREAD" },
	[24] = { exit_undefined, "VMRESUME" },
	[25] = { exit_undefined, "VMWRITE" },
	[26] = { exit_undefined, "VMXOFF" },
	[REASON_VMXON] = { exit_undefined, "VMXON" },
	[REASON_CR_ACCESS] = { exit_cr_access, "control register" },
	[REASON_IO] = { exit_io, "I/O port" },
	[REASON_RDMSR] = { exit_rdmsr, "RDMSR" },
	[REASON_WRMSR] = { exit_wrmsr, "WRMSR" },
	[REASON_INVALID_GUEST_STATE] = { exit_entry_failure, "entry failure: guest state" },
	[REASON_MSR_LOADING] = { exit_entry_failure, "entry failure: MSRs" },
	[REASON_MWAIT] = { exit_undefined, "MWAIT" },
	[REASON_MONITOR] = { exit_undefined, "MONITOR" },
	[REASON_MACHINE_CHECK_ON_ENTRY] = { exit_entry_failure, "entry failure: machine check" },
	[REASON_APIC_ACCESS] = { exit_apic_access, "APIC access" },
	[REASON_VIRTUALIZED_EOI] = { exit_virtualized_eoi, "virtualised EOI" },
	[REASON_EPT_VIOLATION] = { exit_ept_violation, "EPT violation" },
	[REASON_EPT_MISCONFIGURATION] = { exit_ept_misconfiguration, "EPT misconfiguration" },
	[REASON_INVEPT] = { exit_undefined, "INVEPT" },
	[REASON_PREEMPTION_TIMER] = { exit_preemption_timer, "preemption timer" },
	[REASON_INVVPID] = { exit_undefined, "INVVPID" },
	[REASON_WBINVD] = { exit_wbinvd, "WBINVD" },
	[REASON_XSETBV] = { exit_xsetbv, "XSETBV" },
	[REASON_APIC_WRITE] = { exit_apic_write, "APIC write" },
	[REASON_VMFUNC] = { exit_undefined, "VMFUNC" },
	/* What no control that is set can cause. */
	[5 ... 6] = { exit_unexpected, "SMI" },

	[REASON_INVLPG] = { exit_unexpected, "INVLPG" },
	[REASON_RDTSC] = { exit_unexpected, "RDTSC" },
	[17] = { exit_unexpected, "RSM" },
	[REASON_MOV_DR] = { exit_unexpected, "debug register" },
	[35] = { exit_unexpected, NULL },
	[37] = { exit_unexpected, "monitor trap flag" },
	[38] = { exit_unexpected, NULL },
	[REASON_PAUSE] = { exit_unexpected, "PAUSE" },
	[42] = { exit_unexpected, NULL },
	[REASON_TPR_BELOW_THRESHOLD] = { exit_unexpected, "TPR below threshold" },
	[46 ... 47] = { exit_unexpected, "descriptor table" },
	[REASON_RDTSCP] = { exit_unexpected, "RDTSCP" },
	[57 ... 58] = { exit_unexpected, "RDRAND or INVPCID" },
	[60 ... EXIT_REASONS - 1] = { exit_unexpected, NULL },
};

const char *vcpu_exit_name(unsigned reason)
{
	return reason < EXIT_REASONS && exits[reason].name ? exits[reason].name : "unknown";
}

/*
 * The earliest of the guest's and the devices' deadlines into the preemption timer. Rounded up: a tick that comes a little
 * late is handled once, one that comes early would be an exit for nothing.
 */
static inline void set_timer(const struct vcpu *vcpu, u64 now)
{
	u64 ticks = ((vcpu->deadline - now) >> vcpu->timer_shift) + 1;

	vmwrite_again(VMCS_PREEMPTION_TIMER, MIN(ticks, 0xffffffffull));
}

/* Something is due, or deadlines have moved. What is due at once again waits a tick: the guest gets its next instruction. */
static void run_timers(struct vcpu *vcpu, u64 now)
{
	const struct vm *vm = vcpu->vm;

	vcpu->todo &= ~TODO_TIMERS;
	lapic_timer_run(&vcpu->lapic, now + vcpu->tsc_offset);
	vcpu->device_deadline =
		vm->config.ops->timers ? vm->config.ops->timers(vm->config.board, now) : TSC_NEVER;
	vcpu->deadline = MAX(vcpu_next_deadline(vcpu), now + 1);
}

static void load_eoi_exit(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < 4; i++)
		vmwrite((enum vmcs_field)(VMCS_EOI_EXIT_BITMAP_0 + 2 * i), lapic_eoi_exit(&vcpu->lapic, i));
}

/*
 * What the exit left to be done, in an order in which nothing undoes what another one did. False: the machine has
 * stopped.
 */
static __attribute__((noinline)) bool do_todo(struct vcpu *vcpu, u64 now)
{
	if (vcpu->todo & TODO_RVI)
		hold_look(vcpu);
	if (now >= vcpu->deadline || (vcpu->todo & TODO_TIMERS))
		run_timers(vcpu, now);
	if (vcpu->todo & TODO_STOP)
		return false;
	if (vcpu->todo & TODO_APIC_MODE)
		vmcs_set_apic_mode(vcpu);
	if ((vcpu->todo & TODO_EOI_EXIT) && vcpu->apicv)
		load_eoi_exit(vcpu);
	u32 again = 0;
	if ((vcpu->todo & TODO_RVI) && vcpu->apicv) {
		vmwrite(VMCS_GUEST_INTERRUPT_STATUS, lapic_rvi(&vcpu->lapic) | lapic_svi(&vcpu->lapic) << 8);
		if (vcpu->caps->bochs && hold_decide(vcpu, now))
			again = TODO_RVI;
	}
	if ((vcpu->todo & TODO_FLUSH) && (vcpu->secondary & SECONDARY_VPID))
		vmx_invvpid(1);
	u32 event = vcpu->todo & TODO_EVENT;
	vcpu->todo = again;
	if (event)
		inject_pending(vcpu);
	if (vcpu->vm->ept.stale) {
		vmx_invept(vcpu->vm->ept.pointer);
		vcpu->vm->ept.stale = false;
	}
	mem_quiescent(vcpu->vm->config.memory->core);
	/* Devices' timers may have taken long: from now on, not from the exit. */
	now = rdtsc();
	set_timer(vcpu, MIN(now, vcpu->deadline - 1));
	return true;
}

/*
 * Bit 31 in the reason: the entry failed; such exits have reasons of their own in the table. Or the exit interrupted the
 * delivery of an event.
 */
static __attribute__((noinline)) exit_handler *begin_odd_exit(struct vcpu *vcpu, u32 reason)
{
	u32 vectoring = vmread(VMCS_IDT_VECTORING);

	vcpu->exit_reason = MIN(reason & 0xffff, EXIT_REASONS - 1u);
	if (vectoring & INTERRUPTION_VALID)
		inject_again(vcpu, vectoring);
	return exits[vcpu->exit_reason].handle;
}

exit_handler *vmx_begin_exit(struct vcpu *vcpu)
{
	vcpu->exit_tsc = rdtsc();
	u32 reason = vmread(VMCS_EXIT_REASON);
	struct vcpu_exit *record = &vcpu->history[vcpu->history_next++ % HISTORY_SIZE];

	record->reason = reason;
	record->rip = vmread(VMCS_GUEST_RIP);
	record->qualification = vmread(VMCS_EXIT_QUALIFICATION);
	if (unlikely(reason >= EXIT_REASONS) || unlikely(vmread(VMCS_IDT_VECTORING) & INTERRUPTION_VALID))
		return begin_odd_exit(vcpu, reason);
	vcpu->exit_reason = reason;
	return exits[reason].handle;
}

u32 vmx_end_exit(struct vcpu *vcpu)
{
	u64 now = rdtsc();
	struct vcpu_exit_count *count = &vcpu->count[vcpu->exit_reason];

	count->exits++;
	count->ticks += now - vcpu->exit_tsc;
	if (unlikely(now >= vcpu->deadline) || unlikely(vcpu->todo))
		return !do_todo(vcpu, now);
	set_timer(vcpu, now);
	return 0;
}

enum vm_stop vcpu_run(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vm->stop = VM_RUNNING;
	vcpu->todo |= TODO_EVENT | TODO_RVI | TODO_EOI_EXIT | TODO_APIC_MODE | TODO_TIMERS;
	vcpu->todo &= ~TODO_STOP;
	if (do_todo(vcpu, rdtsc())) {
		if (vmx_run(vcpu) != 0)
			vmx_instruction_failed(vcpu->launched ? "vmresume" : "vmlaunch", (u64)vcpu->vmcs);
		vcpu->launched = true;
	}
	host_irq_hold(false);
	return vm->stop;
}
