/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The vCPU as arch/ sees it.
 */
#ifndef ARCH_VCPU_INTERNAL_H
#define ARCH_VCPU_INTERNAL_H

#include "arch/cpuid_policy.h"
#include "arch/emulate.h"
#include "arch/mmio_repeat.h"
#include "arch/vcpu.h"
#include "arch/vmcs.h"
#include "arch/vmx.h"

#define TSC_NEVER (~0ull) /* a deadline that is not set, on either clock */

/* What the next entry has to look at; zero in the common case. */
enum vcpu_todo {
	TODO_EVENT = 1,	    /* an exception, NMI or interrupt may be deliverable */
	TODO_RVI = 2,	    /* apicv: load RVI and SVI */
	TODO_EOI_EXIT = 4,  /* apicv: load the EOI-exit bitmap */
	TODO_APIC_MODE = 8, /* off, xAPIC or x2APIC changed */
	TODO_STOP = 16,
	TODO_TIMERS = 32, /* devices' timers moved */
	TODO_MAPS = 64,	  /* EPT or a flat view changed */
	TODO_FLUSH = 128, /* drop this vCPU's translations: CR0, CR4 or EFER were changed for the guest */
};

/* An event that is to be injected, in the format of the VM-entry fields. Not valid: info == 0. */
struct vcpu_event {
	u32 info, error_code, length;
};

#define HISTORY_SIZE 32 /* power of two */
struct vcpu_exit {
	u64 rip, qualification;
	u32 reason;
} __attribute__((aligned(32))); /* an index is a shift */

/* MTRRs: 8 variable pairs, 11 fixed ones, the default type (SDM vol. 3, 11.11). */
#define MTRR_VARIABLE 16
#define MTRR_FIXED    11

struct vcpu {
	u64 gpr[CPU_GPR_COUNT]; /* the offset is known to vmx_entry.S */
	u64 zero;		/* gpr[CPU_GPR_COUNT]: the base or index that an operand does not have */
	u8 launched;

	u32 todo;
	struct vm *vm;
	const struct vmx_capabilities *caps;
	struct page_pool *pages;
	void *vmcs, *vapic_page, *msr_bitmap;
	bool apicv;
	u8 timer_shift;
	u32 primary, secondary; /* as in the VMCS now */
	u64 tsc_offset;
	u64 device_deadline; /* host TSC */
	u64 deadline;	     /* host TSC, the next of all */
	u64 exit_tsc;	     /* of the exit that is being handled */
	u32 exit_reason;

	struct vcpu_event event; /* an exception, or what an exit interrupted */
	bool nmi_pending;
	struct lapic lapic;
	struct guest_paging paging;
	struct emulate emulate;
	struct section_cache memory_cache, port_cache;
	u64 window_view; /* of which view paging.window is */
	u64 unclaimed;	 /* accesses that nobody answered */

	struct cpuid_policy cpuid;
	u64 cr4_allowed; /* bits that the guest may set */
	u64 xcr0_allowed;
	u64 misc_enable, tsc_adjust, ucode_rev;
	u64 mtrr_variable[MTRR_VARIABLE], mtrr_fixed[MTRR_FIXED], mtrr_def_type;

	struct mmio_repeat repeats[MMIO_REPEATS];
	u32 history_next;
	struct vcpu_exit history[HISTORY_SIZE];
	struct vcpu_exit_count count[EXIT_REASONS];
};

static_assert(offsetof(struct vcpu, gpr) == 0, "vmx_entry.S");
static_assert(offsetof(struct vcpu, launched) == 136, "vmx_entry.S");

typedef void exit_handler(struct vcpu *vcpu);

exit_handler exit_hlt, exit_cpuid, exit_rdmsr, exit_wrmsr, exit_cr_access, exit_io, exit_ept_violation,
	exit_apic_access, exit_apic_write, exit_virtualized_eoi, exit_xsetbv, exit_exception,
	exit_task_switch;

/* exit.c, called by vmx_entry.S: what handles this exit; and, after it, what the next entry needs. Nonzero: leave vmx_run(). */
exit_handler *vmx_begin_exit(struct vcpu *vcpu);
u32 vmx_end_exit(struct vcpu *vcpu);
/* vmx_entry.S. Runs the guest until vmx_end_exit() says so. Nonzero: the entry instruction itself failed. */
u64 vmx_run(struct vcpu *vcpu);
extern const char vmx_exit_point[];

/* The guest's deadline, from its clock to the host's. */
static inline u64 vcpu_next_deadline(const struct vcpu *vcpu)
{
	u64 guest = lapic_deadline(&vcpu->lapic);

	return MIN(likely(guest != TSC_NEVER) ? guest - vcpu->tsc_offset : TSC_NEVER, vcpu->device_deadline);
}

enum cpu_mode vcpu_cpu_mode(struct vcpu *vcpu);
void vcpu_load_paging(struct vcpu *vcpu);

/* inject.c: RFLAGS.RF and TF at the end of an instruction that was carried out for the guest. */
void inject_after_step(struct vcpu *vcpu);

/* To `rip`, with all that finishing an instruction means (interrupt shadow, single-step). */
static inline void vcpu_finish_instruction(struct vcpu *vcpu, u64 rip)
{
	vmwrite_again(VMCS_GUEST_RIP, rip);
	u32 blocking = vmread(VMCS_GUEST_INTERRUPTIBILITY);
	if (unlikely(blocking & (BLOCKING_BY_STI | BLOCKING_BY_MOV_SS)))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~(BLOCKING_BY_STI | BLOCKING_BY_MOV_SS));
	if (unlikely(vmread(VMCS_GUEST_RFLAGS) & (RFLAGS_TF | RFLAGS_RF)))
		inject_after_step(vcpu);
}

/* Past the instruction that exited; its length is in the VMCS. */
static inline void vcpu_skip_instruction(struct vcpu *vcpu)
{
	u64 rip = vmread(VMCS_GUEST_RIP) + vmread(VMCS_EXIT_INSTRUCTION_LENGTH);

	/* Outside 64-bit mode RIP has 32 bits; a wrap there is the guest's, and no VM entry accepts more. */
	if (unlikely((rip >> 32) == 1) && vcpu_cpu_mode(vcpu) != CPU_MODE_64)
		rip = (u32)rip;
	vcpu_finish_instruction(vcpu, rip);
}

/* inject.c */
void inject_exception(struct vcpu *vcpu, u8 vector, bool has_error_code, u32 error_code);
static inline void inject_gp(struct vcpu *vcpu)
{
	inject_exception(vcpu, VECTOR_GP, true, 0);
}
static inline void inject_ud(struct vcpu *vcpu)
{
	inject_exception(vcpu, VECTOR_UD, false, 0);
}
/* The exit interrupted the delivery of an event: it must be delivered again. `vectoring` is valid. */
void inject_again(struct vcpu *vcpu, u32 vectoring);
/* Before an entry: loads the VM-entry event fields, or asks for a window. */
void inject_pending(struct vcpu *vcpu);

/* hold.c, for Bochs. With apicv, after IRR, ISR or what blocks interrupts may have changed: true: to be asked at every exit. */
bool hold_decide(struct vcpu *vcpu, u64 now);
/* Before that: serves what is held. */
void hold_look(const struct vcpu *vcpu);

/* vmcs.c: all fields of a new VMCS; the guest's part as after reset. */
void vmcs_setup(struct vcpu *vcpu);
void vmcs_reset_guest(struct vcpu *vcpu);
void vmcs_load_state(struct vcpu *vcpu, const struct vcpu_state *state);
void vmcs_set_apic_mode(struct vcpu *vcpu);

/* exit_cr.c */
void cr_reset(struct vcpu *vcpu, u64 cr0, u64 cr4);

/* msr.c */
void msr_reset(struct vcpu *vcpu);
void msr_fill_bitmap(struct vcpu *vcpu);

/* Exit qualification of an EPT violation: SDM vol. 3, table 27-7. */
#define EPT_DATA_READ	 BIT(0)
#define EPT_DATA_WRITE	 BIT(1)
#define EPT_FETCH	 BIT(2)
#define EPT_LINEAR_VALID BIT(7)
#define EPT_FINAL	 BIT(8) /* the access itself, not a walk of the guest's page tables */

/* exit_memory.c: the long way, for what mmio_repeat.c does not know. */
void ept_violation(struct vcpu *vcpu, u64 gpa);
extern const struct emulate_ops vcpu_emulate_ops;
void vcpu_emulate_access(struct vcpu *vcpu, u64 gpa, unsigned access);
void vcpu_emulate_port_string(struct vcpu *vcpu);
/* After an EPT violation that interrupted the delivery of an event: stops the guest unless it was RAM. */
void vcpu_refuse_delivery(struct vcpu *vcpu);
/* An access ended with `result`: does the policy for unclaimed addresses let the instruction complete? */
bool vcpu_settle_unclaimed(struct vcpu *vcpu, const struct address_space *as, u64 address,
			   enum mem_result result);

/* vm_memory.c: guest RAM for walks, EPT as a listener. */
void vm_memory_attach(struct vm *vm);
void vm_memory_detach(struct vm *vm);
bool vm_find_ram(void *vcpu, u64 gpa, struct guest_window *window);

#endif
