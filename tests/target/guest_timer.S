/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts the ticks of the local APIC's timer. `guest_tick` is the handler: it notes the TSC at which it began, arms the next
 * deadline if the test wants that, and says EOI.
 *
 *   R8   where the next TSC goes, 8 bytes each      R9   ticks so far
 *   R10  period for the next IA32_TSC_DEADLINE; 0: do not write it
 *   R11  deadline of the last one                    R12  nonzero: x2APIC mode
 */
	.set	EOI, 0xfee000b0

	.section .rodata
	.globl	guest_timer
	.hidden	guest_timer
	.globl	guest_timer_end
	.hidden	guest_timer_end
	.globl	guest_timer_tick
	.hidden	guest_timer_tick
	.globl	guest_timer_busy
	.hidden	guest_timer_busy
	.code64
/* Idle until there were RBX ticks. */
guest_timer:
	cli
	cmp	%rbx, %r9
	jae	1f
	sti
	hlt
	jmp	guest_timer
1:	out	%al, $0xf4

/* Busy with interrupts on: counts RBX down. */
guest_timer_busy:
	sti
1:	dec	%rbx
	jnz	1b
	cli
	out	%al, $0xf4

guest_timer_tick:
	push	%rax
	push	%rcx
	push	%rdx
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, (%r8)
	add	$8, %r8
	inc	%r9
	test	%r10, %r10
	jz	1f
	add	%r10, %r11
	mov	%r11, %rax
	mov	%r11, %rdx
	shr	$32, %rdx
	mov	$0x6e0, %ecx
	wrmsr
1:	test	%r12, %r12
	jz	2f
	xor	%eax, %eax
	xor	%edx, %edx
	mov	$0x80b, %ecx
	wrmsr
	jmp	3f
2:	mov	$EOI, %eax
	movl	$0, (%rax)
3:	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq
guest_timer_end:

	.section .note.GNU-stack, "", @progbits
