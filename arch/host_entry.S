/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of the hypervisor's IDT, and the few accesses that are allowed to fault.
 */
	.text

/* 256 entries of 16 bytes. Each leaves an error code (0 where the CPU pushes none) and its number. */
	.globl host_vectors
	.hidden host_vectors
	.p2align 4
host_vectors:
	.set vector, 0
	.rept 256
	.p2align 4
	/* #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX: SDM vol. 3, table 6-1 */
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	.else
	push $0
	.endif
	push $vector
	jmp common
	.set vector, vector + 1
	.endr

	.p2align 4
common:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	mov %rsp, %rdi
	call host_fault
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rbp
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	add $16, %rsp
	iretq

/* host_call_on_stack(top, function, argument): the frame pointer chain ends here */
	.globl host_call_on_stack
	.hidden host_call_on_stack
	.type host_call_on_stack, @function
host_call_on_stack:
	mov %rdi, %rsp
	mov %rdx, %rdi
	xor %ebp, %ebp
	call *%rsi
	ud2

	.globl host_probe_read, host_probe_write, host_probe_exec
	.hidden host_probe_read, host_probe_write, host_probe_exec
	.type host_probe_read, @function
	.type host_probe_write, @function
	.type host_probe_exec, @function
host_probe_read:
.Lread:	mov (%rdi), %al
	jmp went_through
host_probe_write:
.Lwrite_load:
	mov (%rdi), %al
.Lwrite:
	mov %al, (%rdi)
	jmp went_through
host_probe_exec:
	call *%rdi
	/* If the fetch faults, RIP is the address itself; host_fault() knows the case by this return address. */
	.globl host_probe_exec_return
	.hidden host_probe_exec_return
host_probe_exec_return:
went_through:
	mov $1, %eax
	ret
	.globl host_probe_exec_faulted
	.hidden host_probe_exec_faulted
host_probe_exec_faulted:
faulted:
	xor %eax, %eax
	ret

	.globl host_rdmsr_safe, host_wrmsr_safe, host_vmxoff_safe
	.hidden host_rdmsr_safe, host_wrmsr_safe, host_vmxoff_safe
	.type host_rdmsr_safe, @function
	.type host_wrmsr_safe, @function
	.type host_vmxoff_safe, @function
host_rdmsr_safe:
	movq $0, (%rsi)
	mov %edi, %ecx
.Lrdmsr:
	rdmsr
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, (%rsi)
	jmp went_through
host_wrmsr_safe:
	mov %edi, %ecx
	mov %esi, %eax
	mov %rsi, %rdx
	shr $32, %rdx
.Lwrmsr:
	wrmsr
	jmp went_through
host_vmxoff_safe:
.Lvmxoff:
	vmxoff
	jmp went_through

/* Pairs {instruction that may fault, where to go on then}, relative to the table; ends with 0. */
	.section .rodata
	.globl host_fixups
	.hidden host_fixups
	.p2align 2
host_fixups:
	.long .Lread - host_fixups, faulted - host_fixups
	.long .Lwrite_load - host_fixups, faulted - host_fixups
	.long .Lwrite - host_fixups, faulted - host_fixups
	.long .Lrdmsr - host_fixups, faulted - host_fixups
	.long .Lwrmsr - host_fixups, faulted - host_fixups
	.long .Lvmxoff - host_fixups, faulted - host_fixups
	.long 0, 0

	.section .note.GNU-stack, "", @progbits
