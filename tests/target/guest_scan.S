/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks for RBX at RSI pages, RDX apart, from RDI on: R8 counts how often it was there, R9 keeps the last place. Then VMCALL,
 * which the test answers by stopping the guest.
 */
	.section .rodata
	.globl	guest_scan
	.hidden	guest_scan
	.globl	guest_scan_end
	.hidden	guest_scan_end
	.code64
guest_scan:
	xor	%r8d, %r8d
1:	mov	(%rdi), %rax
	cmp	%rbx, %rax
	jne	2f
	inc	%r8
	mov	%rdi, %r9
2:	add	%rdx, %rdi
	dec	%rsi
	jnz	1b
	vmcall
	jmp	guest_scan
guest_scan_end:

	.section .note.GNU-stack, "", @progbits
