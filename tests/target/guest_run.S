/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest guests of test_run.c. */
	.macro	GUEST name
	.globl	guest_\name
	.hidden	guest_\name
	.globl	guest_\name\()_end
	.hidden	guest_\name\()_end
guest_\name:
	.endm

	.section .rodata

	GUEST	run64
	.code64
	lea	64(%rdi), %rax
	out	%eax, $0xf4
	ud2
guest_run64_end:

	GUEST	run32
	.code32
	mov	$0x51ce + 32, %eax
	out	%eax, $0xf4
	ud2
guest_run32_end:

	GUEST	run16
	.code16
	mov	$0x51ce + 16, %eax
	out	%eax, $0xf4
	ud2
guest_run16_end:

	/* No IDT: the #UD cannot be delivered, nor can what that causes. */
	GUEST	triple_fault
	.code64
	ud2
guest_triple_fault_end:

	.section .note.GNU-stack, "", @progbits
