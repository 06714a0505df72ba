/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own exceptions: gates for all 256 vectors, accesses that may fault and say so, and everything else to
 * panic_exception(). Vectors from 32 on are interrupts taken in sti_hlt_cli() and go to host_irq_handle().
 */
#ifndef ARCH_HOST_FAULT_H
#define ARCH_HOST_FAULT_H

#include "mm/types.h"

/* What host_entry.S leaves on the stack. */
struct host_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(struct host_frame) == 22 * 8, "host_entry.S");

/* Fills the table of gates, and loads it on this CPU. */
void host_fault_load_idt(void);
/* Called by host_entry.S. */
void host_fault(struct host_frame *frame);

/* Each tries one access; true: it went through. Writing puts back what was there; executing calls `p`: have a RET there. */
bool host_probe_read(const volatile void *p);
bool host_probe_write(volatile void *p);
bool host_probe_exec(const volatile void *p);

/* False: the CPU does not know the MSR, or not this value (#GP); *value is 0 then. */
bool host_rdmsr_safe(u32 msr, u64 *value);
bool host_wrmsr_safe(u32 msr, u64 value);
/* VMXOFF; false: the CPU is not in VMX operation. */
bool host_vmxoff_safe(void);

/* Calls function(argument) on another stack; `top` is 16-byte aligned. It must not return. */
_Noreturn void host_call_on_stack(void *top, void (*function)(void *argument), void *argument);

/* NMIs that came while the hypervisor itself ran and that named no failing hardware. */
u64 host_nmi_count(void);

#endif
