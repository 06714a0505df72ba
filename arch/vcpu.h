/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine and its virtual CPU, as everything outside arch/ sees them: create, run, look at, interrupt, stop.
 * What is behind it (VMX today) shows in vcpu_internal.h only.
 */
#ifndef ARCH_VCPU_H
#define ARCH_VCPU_H

#include "arch/ept.h"
#include "arch/lapic.h"
#include "arch/vcpu_state.h"
#include "mm/space.h"
#include "mm/types.h"

struct page_pool;
struct vcpu;
struct vm;

/* Why vcpu_run() came back. */
enum vm_stop {
	VM_RUNNING,
	VM_POWERED_OFF,	 /* the guest asked for it */
	VM_RESET,	 /* likewise */
	VM_TRIPLE_FAULT, /* these two: the guest cannot go on; vm.fault says why */
	VM_FAULT,
	VM_QUIT, /* the operator asked for it */
};

/*
 * What a board does for its machine. All but `now` may be null. They are called on the CPU that runs the vCPU, between
 * two of its instructions.
 */
struct vm_ops {
	/* Runs the devices' timers that are due at `tsc` (the host's); returns the next deadline, ~0 = none. */
	u64 (*timers)(void *board, u64 tsc);
	/* INTA: the vector of the interrupt controller behind LINT0, and whether it has one. */
	bool (*extint_pending)(void *board);
	int (*extint_acknowledge)(void *board);
	/* The guest finished a level-triggered vector: the IOAPICs' business. */
	void (*eoi)(void *board, u8 vector);
	/* A physical interrupt arrived while the guest ran; its vector was acknowledged at the local APIC. */
	void (*host_interrupt)(void *board, u8 vector);
	/* VMCALL with the number in RAX. False: unknown, the guest gets -KVM_ENOSYS. */
	bool (*hypercall)(void *board, struct vcpu *vcpu);
};

struct vm_config {
	const char *name;
	struct address_space *memory, *ports;
	const struct ept_allowed *ram; /* host memory that the guest may be given; stays the caller's */
	unsigned ram_count;
	struct page_pool *pages; /* for tables and the vCPU's pages */
	const struct vm_ops *ops;
	void *board;
	u64 tsc_hz;
	bool apicv;	  /* use it if the CPU has it */
	bool x2apic;	  /* offer that mode to the guest */
	bool large_pages; /* in EPT */
};

#define VM_FAULT_TEXT 256

struct vm {
	struct vm_config config;
	struct ept ept;
	struct mem_listener listener;
	struct vcpu *vcpu;
	enum vm_stop stop;
	char fault[VM_FAULT_TEXT]; /* one line: gpa, region, instruction, reason */
};

/*
 * Makes the machine with one vCPU, in the state after reset, and maps what `config->memory` has now. False: no memory
 * for it. `vm` stays where it is until vm_destroy().
 */
bool vm_create(struct vm *vm, const struct vm_config *config);
void vm_destroy(struct vm *vm);

/* Everything as after reset, then `state` if it is not null. */
void vcpu_reset(struct vcpu *vcpu, const struct vcpu_state *state);

/* Runs until something stops the machine. Can be called again afterwards if the reason was not the guest's end. */
enum vm_stop vcpu_run(struct vcpu *vcpu);

/* From inside vm_ops or a device: the current exit is the last one. The first reason wins. */
void vm_stop(struct vm *vm, enum vm_stop reason);
/* Likewise, because the guest did what cannot be carried out. */
void vm_fault(struct vm *vm, const char *format, ...) __printf(2, 3);

/* Something that vcpu_run() computes at the next entry may have changed: */
void vcpu_timer_changed(struct vcpu *vcpu);	/* what vm_ops.timers would return */
void vcpu_interrupt_changed(struct vcpu *vcpu); /* what vm_ops.extint_pending would return */
struct lapic *vcpu_lapic(struct vcpu *vcpu);
/* The physical-address width that the guest is told. */
unsigned vcpu_physical_bits(const struct vcpu *vcpu);
void vcpu_inject_nmi(struct vcpu *vcpu);

/* General registers in the order of ModRM: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15. */
u64 *vcpu_gpr(struct vcpu *vcpu);

/* Lines of text about the vCPU for the console and for post-mortems. */
typedef void vcpu_emit(void *context, const char *line);
void vcpu_print_registers(struct vcpu *vcpu, vcpu_emit *emit, void *context);
void vcpu_print_history(struct vcpu *vcpu, vcpu_emit *emit, void *context);
/* Exits by reason: how many, and how many instructions (TSC ticks) they took in the hypervisor. */
void vcpu_print_exits(struct vcpu *vcpu, vcpu_emit *emit, void *context);

struct vcpu_exit_count {
	u64 exits, ticks;
};
#define VCPU_EXIT_REASONS 72 /* basic exit reasons of the SDM, appendix C, are below */
/* By reason; zero beyond the last. */
struct vcpu_exit_count vcpu_exits(const struct vcpu *vcpu, unsigned reason);
u64 vcpu_exits_total(const struct vcpu *vcpu);
const char *vcpu_exit_name(unsigned reason);

/* Once a CPU: see vmx_detect(). False: `error` says what is missing and what gives it. Pages come from `pages`. */
bool vcpu_hardware_start(struct page_pool *pages, char *error, size_t size);
/* Only looks: for use before anything was changed. */
bool vcpu_hardware_check(char *error, size_t size);
void vcpu_hardware_stop(void);

#endif
