/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures with RDTSC what an operation costs, loop overhead included, N times each: N differences of 8 bytes a test, one
 * test after the other, from RDI on. In Bochs the TSC counts instructions. The order is that of exit_costs.c.
 */
	.set	N, 1000

	.macro	BEGIN
	mov	$N, %r14d
7:
	.endm
	.macro	T0		/* clobbers RAX, RDX */
	rdtsc
	shl	$32, %rdx
	or	%rax, %rdx
	mov	%rdx, %r13
	.endm
	.macro	T1
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	sub	%r13, %rax
	mov	%rax, (%r15)
	add	$8, %r15
	dec	%r14d
	jnz	7b
	.endm

	.section .rodata
	.globl	guest_exit_costs
	.hidden	guest_exit_costs
	.globl	guest_exit_costs_end
	.hidden	guest_exit_costs_end
	.code64
guest_exit_costs:
	mov	%rdi, %r15
	/* empty */
	BEGIN
	T0
	T1
	/* cpuid */
	BEGIN
	xor	%r8d, %r8d
	T0
	mov	%r8d, %eax
	cpuid
	T1
	/* vmcall, unknown number */
	BEGIN
	T0
	mov	$0x77, %eax
	vmcall
	T1
	/* rdmsr, emulated: IA32_MISC_ENABLE */
	BEGIN
	mov	$0x1a0, %ecx
	T0
	rdmsr
	T1
	/* in, an ISA device: the PIC's mask */
	BEGIN
	T0
	inb	$0x21, %al
	T1
	/* mmio write, local APIC TPR (the value that it has) */
	mov	$0xfee00000, %ebx
	BEGIN
	T0
	movl	$0, 0x80(%rbx)
	T1
	/* mmio read, IOAPIC window register */
	mov	$0xfec00000, %ebx
	movl	$1, (%rbx)
	BEGIN
	T0
	movl	0x10(%rbx), %ecx
	T1
	/* mmio read, device register */
	mov	$0xd0000000, %ebx
	BEGIN
	T0
	movl	(%rbx), %ecx
	T1
	/* mmio write, device register */
	BEGIN
	T0
	movl	$1, (%rbx)
	T1
	/* mmio write, doorbell */
	mov	$0xd0001000, %ebx
	BEGIN
	T0
	movl	$1, (%rbx)
	T1
	/* wrmsr IA32_TSC_DEADLINE, far ahead (LVT timer in that mode) */
	mov	$0xfee00000, %ebx
	movl	$0x1ff, 0xf0(%rbx)
	movl	$0x400ef, 0x320(%rbx)
	mov	$0x6e0, %ecx
	BEGIN
	T0
	lea	0x10000000(%r13), %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	wrmsr
	T1
	xor	%eax, %eax
	out	%al, $0xf4
1:	hlt
	jmp	1b
guest_exit_costs_end:

	.section .note.GNU-stack, "", @progbits
