/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of a virtual CPU as whoever starts or inspects a guest sees them: no word of VMX in it.
 */
#ifndef ARCH_VCPU_STATE_H
#define ARCH_VCPU_STATE_H

#include "mm/types.h"

/* A segment register. `access` has the bits of a descriptor's second word, 55:40, in 15:0; bit 16 = unusable. */
struct vcpu_segment {
	u64 base;
	u32 limit, access;
	u16 selector;
};

/*
 * The registers at the guest's first instruction. What is not here is as after reset. Values are what the guest shall
 * see: bits that the processor insists on for virtualisation are added where they are loaded.
 */
struct vcpu_state {
	u64 rip, rsp, rflags;
	u64 rax, rbx, rcx, rdx, rsi, rdi, rbp;
	u64 cr0, cr3, cr4, efer;
	u64 gdt_base, idt_base;
	u32 gdt_limit, idt_limit;
	struct vcpu_segment cs;
	struct vcpu_segment data; /* DS, ES, SS, FS, GS */
	struct vcpu_segment tr, ldtr;
};

#endif
