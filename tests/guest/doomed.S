// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest, by multiboot 1, that cannot go on in the way that a key on COM1 chooses: t by a triple fault, x by executing from
 * edu's registers, r by running off the end of its RAM (RAM_END), m by an access to edu that cannot be carried out. Any other
 * key it echoes.
 */
#define COM1	  0x3f8
#define EDU_BAR	  0xc0000000
#define SENTINELS 0x5eed0000

	.section .text.head, "ax"
	.balign	4
	.long	0x1badb002, 0, -0x1badb002

	.text
	.globl	_start
_start:
	movl	$stack_end, %esp
	movl	$hello, %esi
	call	say
	/* No interrupt is unmasked. But Bochs 2.7 keeps the machine's own from the hypervisor while a guest has them off. */
	sti
next_key:
	movw	$COM1 + 5, %dx
1:	inb	%dx, %al
	testb	$1, %al
	jz	1b
	movw	$COM1, %dx
	inb	%dx, %al
	/* To be found again in the registers of the post-mortem. */
	movl	$SENTINELS + 1, %ebx
	movl	$SENTINELS + 2, %ecx
	movl	$SENTINELS + 3, %ebp
	cmpb	$'t', %al
	je	triple_fault
	cmpb	$'x', %al
	je	execute_registers
	cmpb	$'r', %al
	je	run_off
	cmpb	$'m', %al
	je	not_emulated
	outb	%al, %dx
	jmp	next_key

triple_fault:
	lidt	no_gates
	ud2

execute_registers:
	movl	$EDU_BAR, %eax
	jmp	*%eax

run_off:
	movl	$RAM_END - 4096, %edi
	movl	%edi, %edx
	movl	$4096, %ecx
	movb	$0x90, %al
	rep stosb
	movl	$SENTINELS + 2, %ecx
	jmp	*%edx

not_emulated:
	fildl	EDU_BAR
	jmp	next_key

say:
	movw	$COM1 + 5, %dx
1:	inb	%dx, %al
	testb	$0x20, %al
	jz	1b
	movw	$COM1, %dx
	lodsb
	testb	%al, %al
	jz	2f
	outb	%al, %dx
	jmp	say
2:	ret

	.data
hello:	.asciz	"doomed: waits for a key\r\n"
no_gates:
	.word	0
	.long	0

	.bss
	.balign	16
	.skip	4096
stack_end:
	.section .note.GNU-stack, "", @progbits
