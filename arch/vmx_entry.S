/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out of it. Only the general registers change hands here: the VMCS switches the rest, and this
 * program touches no vector register, so the guest's stay where they are.
 *
 * While the guest runs the host's stack holds, from HOST_RSP up: the vCPU, the caller's registers. SDM vol. 3, 26 and 27.
 */
#define VMCS_HOST_RSP 0x6c14
#define VCPU_LAUNCHED 136

#define RAX 0x00
#define RCX 0x08
#define RDX 0x10
#define RBX 0x18
/* RSP, at 0x20, is in the VMCS. */
#define RBP 0x28
#define RSI 0x30
#define RDI 0x38
#define R8  0x40
#define R9  0x48
#define R10 0x50
#define R11 0x58
#define R12 0x60
#define R13 0x68
#define R14 0x70
#define R15 0x78

	.macro LOAD_REGISTERS
	mov	RAX(%rdi), %rax
	mov	RCX(%rdi), %rcx
	mov	RDX(%rdi), %rdx
	mov	RBX(%rdi), %rbx
	mov	RBP(%rdi), %rbp
	mov	RSI(%rdi), %rsi
	mov	R8(%rdi), %r8
	mov	R9(%rdi), %r9
	mov	R10(%rdi), %r10
	mov	R11(%rdi), %r11
	mov	R12(%rdi), %r12
	mov	R13(%rdi), %r13
	mov	R14(%rdi), %r14
	mov	R15(%rdi), %r15
	mov	RDI(%rdi), %rdi
	.endm

	.text

/* u64 vmx_run(struct vcpu *vcpu) */
	.globl	vmx_run
	.hidden	vmx_run
	.type	vmx_run, @function
vmx_run:
	push	%rbp
	mov	%rsp, %rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi
	mov	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jbe	.Lrefused
	cmpb	$0, VCPU_LAUNCHED(%rdi)
	jne	.Lresume
	LOAD_REGISTERS
	vmlaunch
	jmp	.Lrefused
.Lresume:
	LOAD_REGISTERS
	vmresume
.Lrefused: /* The registers hold the guest's values, the stack is as before the entry. */
	mov	$1, %eax
	jmp	.Lleave

	.globl	vmx_exit_point
	.hidden	vmx_exit_point
vmx_exit_point:
	push	%rdi
	mov	8(%rsp), %rdi
	mov	%rax, RAX(%rdi)
	mov	%rcx, RCX(%rdi)
	mov	%rdx, RDX(%rdi)
	mov	%rbx, RBX(%rdi)
	mov	%rbp, RBP(%rdi)
	mov	%rsi, RSI(%rdi)
	popq	RDI(%rdi)
	mov	%r8, R8(%rdi)
	mov	%r9, R9(%rdi)
	mov	%r10, R10(%rdi)
	mov	%r11, R11(%rdi)
	mov	%r12, R12(%rdi)
	mov	%r13, R13(%rdi)
	mov	%r14, R14(%rdi)
	mov	%r15, R15(%rdi)
	lea	48(%rsp), %rbp		/* the caller's frame: backtraces go on */
	mov	%rdi, %rbx		/* callee-saved */
	call	vmx_begin_exit		/* which handler */
	mov	%rbx, %rdi
	call	*%rax
	mov	%rbx, %rdi
	call	vmx_end_exit
	mov	%rbx, %rdi
	test	%eax, %eax
	jz	.Lresume
	xor	%eax, %eax
.Lleave:
	add	$8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	vmx_run, . - vmx_run

	.section .note.GNU-stack, "", @progbits
