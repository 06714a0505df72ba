/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks for interrupts by the note port, for as many as AL says. Two: `guest_masked_handler` is the first one's, which says EOI at
 * once and is busy for long with IF = 0. One: the asker itself is that, and says CLI once more.
 *
 *   RDI  the local APIC's page, or 0: x2APIC mode
 */
	.macro	spin rounds
	mov	$\rounds, %ecx
1:	dec	%ecx
	jnz	1b
	.endm

	.section .rodata
	.globl	guest_masked
	.hidden	guest_masked
	.globl	guest_masked_end
	.hidden	guest_masked_end
	.globl	guest_masked_handler
	.hidden	guest_masked_handler
	.code64
guest_masked:
	/* What waits of the machine's own interrupts comes here. */
	sti
	spin	20000
	cli
	out	%al, $0xf1
	cmp	$2, %al
	jne	guest_masked_busy
	sti
	nop
	nop
	ud2

guest_masked_handler:
	test	%rdi, %rdi
	jz	2f
	movl	$0, 0xb0(%rdi)
	jmp	3f
2:	mov	$0x80b, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
3:
guest_masked_busy:
	cli
	spin	400000
	out	%al, $0xf4
	ud2
guest_masked_end:

	.section .note.GNU-stack, "", @progbits
