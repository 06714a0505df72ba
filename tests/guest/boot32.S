// SPDX-License-Identifier: BSD-2-Clause
/* The entry of boot32.c by both protocols with a 32-bit entry: multiboot 1, or PVH if that is defined. */
#ifdef PVH
	.section .note.Xen, "a", @note
	.balign	4
	.long	4, 4, 18		/* name, descriptor, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start
#else
	.section .text.head, "ax"
	.balign	4
	.long	0x1badb002, 0x3, -(0x1badb002 + 0x3)
#endif

	.text
	.globl	_start
_start:
	/* Flags first: the guest's own instructions change them. There is no stack yet to save them on. */
	movl	$stack_end, %esp
	pushfl
	pushl	%ebx
	pushl	%eax
	call	guest_main
1:	cli
	hlt
	jmp	1b

	.bss
	.balign	16
	.skip	16384
stack_end:
	.section .note.GNU-stack, "", @progbits
