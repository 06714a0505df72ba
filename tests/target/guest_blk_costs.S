/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes `batch` prepared requests of a virtqueue available, notifies the device once, and waits until they are used; so many
 * rounds. Keeps how many TSC ticks each notification took. RDI: struct blk_costs_guest of blk_costs.c.
 */
	.set	NOTIFY, 0
	.set	AVAIL_IDX, 8
	.set	USED_IDX, 16
	.set	BATCH, 24
	.set	ROUNDS, 28
	.set	INTERRUPTS, 32
	.set	SAMPLES, 40

	.section .rodata
	.globl	guest_blk_costs
	.hidden	guest_blk_costs
	.globl	guest_blk_costs_end
	.hidden	guest_blk_costs_end
	.code64
guest_blk_costs:
	jmp	1f
	.org	guest_blk_costs + 16	/* where the IDT leads to */
	push	%rax
	incq	INTERRUPTS(%rdi)
	mov	$0xfee000b0, %eax
	movl	$0, (%rax)
	pop	%rax
	iretq
1:
	mov	$0xfee00000, %eax
	movl	$0x1ff, 0xf0(%rax)
	mov	NOTIFY(%rdi), %rbx
	mov	AVAIL_IDX(%rdi), %rsi
	mov	USED_IDX(%rdi), %rbp
	mov	ROUNDS(%rdi), %r12d
	lea	SAMPLES(%rdi), %r14
	sti
2:
	movzwl	(%rsi), %ecx
	add	BATCH(%rdi), %cx
	rdtsc
	shl	$32, %rdx
	or	%rax, %rdx
	mov	%rdx, %r13
	mov	%cx, (%rsi)
	movw	$0, (%rbx)
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	sub	%r13, %rax
	mov	%rax, (%r14)
	add	$8, %r14
3:
	pause
	cmp	%cx, (%rbp)
	jne	3b
	dec	%r12d
	jnz	2b
	mov	$0x604, %edx		/* S5 */
	mov	$0x3400, %eax
	out	%ax, %dx
4:	hlt
	jmp	4b
guest_blk_costs_end:

	.section .note.GNU-stack, "", @progbits
