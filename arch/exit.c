// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every exit passes here: what happened -> a handler by table -> what must be done before the next entry. Run to
 * completion; nothing waits.
 */
#include "arch/cpu.h"
#include "arch/panic.h"
#include "arch/vcpu_internal.h"
#include "mm/log.h"

static bool exit_external_interrupt(struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;

	if (vm->config.ops->host_interrupt)
		vm->config.ops->host_interrupt(vm->config.board,
					       INTERRUPTION_VECTOR(vmread(VMCS_EXIT_INTERRUPTION)));
	return true;
}

static bool exit_triple_fault(struct vcpu *vcpu)
{
	vm_fault(vcpu->vm, "triple fault at rip 0x%llx", (unsigned long long)vmread(VMCS_GUEST_RIP));
	if (vcpu->vm->stop == VM_FAULT)
		vcpu->vm->stop = VM_TRIPLE_FAULT;
	return true;
}

/* Windows: inject_pending() decides afresh. */
static bool exit_window(struct vcpu *vcpu)
{
	vcpu->todo |= TODO_EVENT;
	return true;
}

/* Time is looked at before every entry, so that nothing is left to do here. */
static bool exit_preemption_timer(struct vcpu *vcpu)
{
	bool halted = vmread(VMCS_GUEST_ACTIVITY) == ACTIVITY_HLT;

	/* Nothing that this machine has could wake it but an NMI, which nobody sends. */
	if (halted && !(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_IF) && !vcpu->nmi_pending)
		vm_fault(vcpu->vm, "halted for good at rip 0x%llx: HLT with interrupts off",
			 (unsigned long long)vmread(VMCS_GUEST_RIP));
	return true;
}

static bool exit_vmcall(struct vcpu *vcpu)
{
	const struct vm *vm = vcpu->vm;

	/* -KVM_ENOSYS: what a guest that probes for hypercalls expects from one that has none. */
	if (!vm->config.ops->hypercall || !vm->config.ops->hypercall(vm->config.board, vcpu))
		vcpu->gpr[RAX] = (u64)-1000;
	vcpu_skip_instruction(vcpu);
	return true;
}

/* Caches are coherent for a guest without devices of its own: nothing must be written back for it. */
static bool exit_wbinvd(struct vcpu *vcpu)
{
	vcpu_skip_instruction(vcpu);
	return true;
}

/* VMX, SMX, MONITOR, RDPMC and their like are not in the guest's CPUID. */
static bool exit_undefined(struct vcpu *vcpu)
{
	inject_ud(vcpu);
	return true;
}

/* No performance counters: CPUID leaf 0xa says none. */
static bool exit_rdpmc(struct vcpu *vcpu)
{
	inject_gp(vcpu);
	return true;
}

static bool exit_init(struct vcpu *vcpu)
{
	(void)vcpu;
	log_warn("a physical INIT arrived and was ignored");
	return true;
}

static bool exit_ept_misconfiguration(struct vcpu *vcpu)
{
	u64 gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	unsigned level;
	u64 entry = ept_lookup(&vcpu->vm->ept, gpa, &level);

	vm_fault(vcpu->vm, "EPT misconfiguration at gpa 0x%llx: entry 0x%llx at level %u",
		 (unsigned long long)gpa, (unsigned long long)entry, level);
	return true;
}

static bool exit_entry_failure(struct vcpu *vcpu)
{
	vm_fault(vcpu->vm,
		 "VM entry refused the guest's state: reason 0x%llx, qualification 0x%llx, rip 0x%llx",
		 (unsigned long long)vmread(VMCS_EXIT_REASON),
		 (unsigned long long)vmread(VMCS_EXIT_QUALIFICATION),
		 (unsigned long long)vmread(VMCS_GUEST_RIP));
	return true;
}

static bool exit_unexpected(struct vcpu *vcpu)
{
	u64 reason = vmread(VMCS_EXIT_REASON);

	vm_fault(vcpu->vm, "unexpected exit %llu (%s), qualification 0x%llx, rip 0x%llx",
		 (unsigned long long)reason, vcpu_exit_name(reason),
		 (unsigned long long)vmread(VMCS_EXIT_QUALIFICATION),
		 (unsigned long long)vmread(VMCS_GUEST_RIP));
	return true;
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
};

const char *vcpu_exit_name(unsigned reason)
{
	return reason < EXIT_REASONS && exits[reason].name ? exits[reason].name : "unknown";
}

/*
 * The earliest of the guest's and the devices' deadlines into the preemption timer. Rounded up: a tick that comes a little
 * late is handled once, one that comes early would be an exit for nothing.
 */
static void set_timer(struct vcpu *vcpu, u64 now)
{
	u64 guest = lapic_deadline(&vcpu->lapic);
	u64 deadline = guest == LAPIC_NEVER ? LAPIC_NEVER : guest - vcpu->tsc_offset;
	u64 ticks = 0;

	deadline = MIN(deadline, vcpu->device_deadline);
	if (deadline > now)
		ticks = ((deadline - now) >> vcpu->timer_shift) + 1;
	vmwrite(VMCS_PREEMPTION_TIMER, MIN(ticks, 0xffffffffull));
}

static void run_timers(struct vcpu *vcpu, u64 now)
{
	const struct vm *vm = vcpu->vm;

	if (now + vcpu->tsc_offset >= lapic_deadline(&vcpu->lapic))
		lapic_timer_run(&vcpu->lapic, now + vcpu->tsc_offset);
	if (now >= vcpu->device_deadline || (vcpu->todo & TODO_TIMERS)) {
		vcpu->todo &= ~TODO_TIMERS;
		vcpu->device_deadline =
			vm->config.ops->timers ? vm->config.ops->timers(vm->config.board, now) : ~0ull;
	}
}

static void load_eoi_exit(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < 4; i++)
		vmwrite((enum vmcs_field)(VMCS_EOI_EXIT_BITMAP_0 + 2 * i), lapic_eoi_exit(&vcpu->lapic, i));
}

/* What the exit left to be done, in an order in which nothing undoes what another one did. */
static void do_todo(struct vcpu *vcpu)
{
	if (vcpu->todo & TODO_APIC_MODE)
		vmcs_set_apic_mode(vcpu);
	if ((vcpu->todo & TODO_EOI_EXIT) && vcpu->apicv)
		load_eoi_exit(vcpu);
	if ((vcpu->todo & TODO_RVI) && vcpu->apicv)
		vmwrite(VMCS_GUEST_INTERRUPT_STATUS, lapic_rvi(&vcpu->lapic) | lapic_svi(&vcpu->lapic) << 8);
	if ((vcpu->todo & TODO_FLUSH) && (vcpu->secondary & SECONDARY_VPID))
		vmx_invvpid(1);
	u32 event = vcpu->todo & TODO_EVENT;
	vcpu->todo = 0;
	if (event)
		inject_pending(vcpu);
}

static bool before_entry(struct vcpu *vcpu, u64 now)
{
	run_timers(vcpu, now);
	if (unlikely(vcpu->todo)) {
		if (vcpu->todo & TODO_STOP)
			return false;
		do_todo(vcpu);
	}
	if (unlikely(vcpu->vm->ept.stale)) {
		vmx_invept(vcpu->vm->ept.pointer);
		vcpu->vm->ept.stale = false;
	}
	set_timer(vcpu, now);
	return true;
}

u64 vmx_handle_exit(struct vcpu *vcpu)
{
	u64 begin = rdtsc();
	u32 reason = vmread(VMCS_EXIT_REASON);
	u32 vectoring = vmread(VMCS_IDT_VECTORING);
	struct vcpu_exit *record = &vcpu->history[vcpu->history_next++ % HISTORY_SIZE];

	record->rip = vmread(VMCS_GUEST_RIP);
	record->qualification = vmread(VMCS_EXIT_QUALIFICATION);
	record->reason = reason;
	if (unlikely(vectoring & INTERRUPTION_VALID))
		inject_again(vcpu, vectoring);

	u32 basic = reason & 0xffff;
	if (unlikely(basic >= EXIT_REASONS || !exits[basic].handle))
		exit_unexpected(vcpu);
	else
		exits[basic].handle(vcpu);

	u64 now = rdtsc();
	bool resume = before_entry(vcpu, now);
	if (likely(basic < EXIT_REASONS)) {
		vcpu->count[basic].exits++;
		vcpu->count[basic].ticks += now - begin;
	}
	return !resume;
}

enum vm_stop vcpu_run(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	vm->stop = VM_RUNNING;
	vcpu->todo |= TODO_EVENT | TODO_RVI | TODO_EOI_EXIT | TODO_APIC_MODE | TODO_TIMERS;
	vcpu->todo &= ~TODO_STOP;
	if (before_entry(vcpu, rdtsc()) && vmx_run(vcpu) != 0)
		vmx_instruction_failed(vcpu->launched ? "vmresume" : "vmlaunch", (u64)vcpu->vmcs);
	return vm->stop;
}

void vcpu_finish_instruction(struct vcpu *vcpu, u64 rip)
{
	vmwrite(VMCS_GUEST_RIP, rip);
	u32 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);
	if (unlikely(blocking & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
	/* A single step ends with the instruction that was carried out for the guest, as with any other. */
	if (unlikely(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF)) {
		write_dr6(read_dr6() | BIT(14));
		inject_exception(vcpu, VECTOR_DB, false, 0);
	}
}

void vcpu_skip_instruction(struct vcpu *vcpu)
{
	u64 rip = vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH);

	/* Outside 64-bit mode RIP has 32 bits; a wrap there is the guest's, and no VM entry accepts more. */
	if (unlikely(rip >> 32) && vcpu_cpu_mode(vcpu) != CPU_MODE_64)
		rip = (u32)rip;
	vcpu_finish_instruction(vcpu, rip);
}
