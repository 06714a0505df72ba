/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Through the modes of a CPU and back, as a boot loader goes: real, protected, PAE paging, compatibility, 64-bit,
 * compatibility, protected, 32-bit paging, protected, real. In each but real mode it writes the stage's number to the
 * device page. Loaded at 0x7c00; uses the GDT-independent part of the small machine's tables: PML4 at 0x2000, directories of
 * 2 MiB pages from 0x4000 on. Makes its own PDPT for PAE at 0x9000 and directory of 4 MiB pages at 0xb000.
 */
	.set	LOAD, 0x7c00
	.set	DEVICE, 0xd0000000
	.set	EFER, 0xc0000080
	.set	PAE_PDPT, 0x9000
	.set	DIRECTORY, 0xb000
	.set	CODE64, 0x08
	.set	DATA, 0x10
	.set	CODE32, 0x18
	.set	CODE16, 0x20
	.set	DATA16, 0x28

#define AT(label) (label - guest_modes + LOAD)

	.macro	STAGE n
	movl	$0x100 + \n, DEVICE + 4 * \n
	.endm

	.section .rodata
	.globl	guest_modes
	.hidden	guest_modes
	.globl	guest_modes_end
	.hidden	guest_modes_end
guest_modes:
	.code16
	cli
	xor	%ax, %ax
	mov	%ax, %ds
	lgdtl	AT(gdtr)
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$CODE32, $AT(protected)

	.code32
protected:
	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$0x7000, %esp
	STAGE	0
	/* PAE paging: four PDPTEs, present and nothing else. */
	mov	$PAE_PDPT, %edi
	mov	$0x4001, %eax
	mov	$4, %ecx
1:	mov	%eax, (%edi)
	movl	$0, 4(%edi)
	add	$0x1000, %eax
	add	$8, %edi
	loop	1b
	mov	$0x20, %eax
	mov	%eax, %cr4
	mov	$PAE_PDPT, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	STAGE	1
	/* Paging off, long mode on. */
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	mov	$EFER, %ecx
	rdmsr
	or	$0x100, %eax
	wrmsr
	mov	$0x2000, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	STAGE	2		/* compatibility mode */
	ljmp	$CODE64, $AT(long)

	.code64
long:
	mov	$DEVICE, %ebx
	movl	$0x103, 12(%rbx)
	mov	%ebx, %r9d
	mov	%r9, 0x40(%r9)
	mov	$EFER, %ecx	/* LMA is set */
	rdmsr
	mov	%eax, 0x48(%rbx)
	pushq	$CODE32
	pushq	$AT(compatibility)
	lretq

	.code32
compatibility:
	STAGE	4
	/* Paging off leaves long mode. */
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	mov	$EFER, %ecx
	rdmsr
	mov	%eax, DEVICE + 0x4c
	and	$~0x100, %eax
	wrmsr
	STAGE	5
	/* 32-bit paging with 4 MiB pages. */
	mov	$DIRECTORY, %edi
	mov	$0x87, %eax
	mov	$1024, %ecx
1:	stosl
	add	$0x400000, %eax
	loop	1b
	mov	$0x10, %eax
	mov	%eax, %cr4
	mov	$DIRECTORY, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	STAGE	6
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	STAGE	7
	ljmp	$CODE16, $AT(protected16)

	.code16
protected16:
	mov	$DATA16, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	%cr0, %eax
	and	$0xfe, %al
	mov	%eax, %cr0
	ljmp	$0, $AT(real)
real:
	xor	%ax, %ax
	mov	%ax, %ds
	smsw	%ax
	shl	$16, %eax
	mov	$0x600d, %ax
	out	%eax, $0xf4
	hlt

	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
	.quad	0x00cf9b000000ffff
	.quad	0x00009b000000ffff
	.quad	0x000093000000ffff
gdtr:
	.word	. - gdt - 1
	.long	AT(gdt)
guest_modes_end:

	.section .note.GNU-stack, "", @progbits
