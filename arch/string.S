/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcpy, memmove, memset, memcmp. They stand in for newlib's, whose non-temporal stores push out of the cache what a
 * guest reads next. Up to 32 bytes: two overlapping moves of the largest size that fits, no loop (a ring index, a
 * descriptor, a register file). Beyond: the string instructions in quadwords, which real CPUs run at full width and
 * which cost an emulator an eighth of the byte forms. General registers only; DF is 0 by the ABI.
 */
	.text

	.globl memcpy, memmove
	.hidden memcpy, memmove
	.type memcpy, @function
	.type memmove, @function
	.p2align 4
memmove:
memcpy:
	mov %rdi, %rax
	cmp $16, %rdx
	ja .Lcopy_17
	cmp $8, %edx
	jae .Lcopy_8
	cmp $4, %edx
	jae .Lcopy_4
	test %edx, %edx
	jz .Lcopy_done
	/* 1..3 bytes: first, middle, last; all loaded before anything is stored, so overlap is harmless */
	movzbl (%rsi), %ecx
	movzbl -1(%rsi, %rdx), %r8d
	mov %edx, %r9d
	shr $1, %r9d
	movzbl (%rsi, %r9), %r10d
	mov %cl, (%rdi)
	mov %r10b, (%rdi, %r9)
	mov %r8b, -1(%rdi, %rdx)
.Lcopy_done:
	ret
.Lcopy_4:
	mov (%rsi), %ecx
	mov -4(%rsi, %rdx), %r8d
	mov %ecx, (%rdi)
	mov %r8d, -4(%rdi, %rdx)
	ret
.Lcopy_8:
	mov (%rsi), %rcx
	mov -8(%rsi, %rdx), %r8
	mov %rcx, (%rdi)
	mov %r8, -8(%rdi, %rdx)
	ret
.Lcopy_17:
	cmp $32, %rdx
	ja .Lcopy_33
	mov (%rsi), %rcx
	mov 8(%rsi), %r8
	mov -16(%rsi, %rdx), %r9
	mov -8(%rsi, %rdx), %r10
	mov %rcx, (%rdi)
	mov %r8, 8(%rdi)
	mov %r9, -16(%rdi, %rdx)
	mov %r10, -8(%rdi, %rdx)
	ret
.Lcopy_33:
	/* dest - src below the length, unsigned: a copy upwards would overwrite what it has still to read */
	mov %rdi, %rcx
	sub %rsi, %rcx
	cmp %rdx, %rcx
	jb .Lcopy_down
	/* the last 8 bytes by a move of their own, loaded early: REP MOVSQ may overwrite them */
	mov -8(%rsi, %rdx), %r8
	lea -8(%rdi, %rdx), %r9
	lea -1(%rdx), %rcx
	shr $3, %rcx
	rep movsq
	mov %r8, (%r9)
	ret
.Lcopy_down:
	mov (%rsi), %r8
	mov %rdi, %r9
	lea -8(%rsi, %rdx), %rsi
	lea -8(%rdi, %rdx), %rdi
	lea -1(%rdx), %rcx
	shr $3, %rcx
	std
	rep movsq
	cld
	mov %r8, (%r9)
	ret
	.size memcpy, . - memcpy
	.size memmove, . - memmove

	.globl memset
	.hidden memset
	.type memset, @function
	.p2align 4
memset:
	mov %rdi, %r9
	movzbl %sil, %eax
	mov $0x0101010101010101, %rcx
	imul %rcx, %rax
	cmp $16, %rdx
	ja .Lset_17
	cmp $8, %edx
	jae .Lset_8
	cmp $4, %edx
	jae .Lset_4
	test %edx, %edx
	jz .Lset_done
	mov %edx, %ecx
	shr $1, %ecx
	mov %al, (%rdi)
	mov %al, (%rdi, %rcx)
	mov %al, -1(%rdi, %rdx)
.Lset_done:
	mov %r9, %rax
	ret
.Lset_4:
	mov %eax, (%rdi)
	mov %eax, -4(%rdi, %rdx)
	mov %r9, %rax
	ret
.Lset_8:
	mov %rax, (%rdi)
	mov %rax, -8(%rdi, %rdx)
	mov %r9, %rax
	ret
.Lset_17:
	mov %rax, -8(%rdi, %rdx)
	lea -1(%rdx), %rcx
	shr $3, %rcx
	rep stosq
	mov %r9, %rax
	ret
	.size memset, . - memset

	.globl memcmp
	.hidden memcmp
	.type memcmp, @function
	.p2align 4
memcmp:
	xor %ecx, %ecx
	sub $8, %rdx
	jb .Lcmp_tail
.Lcmp_8:
	mov (%rdi, %rcx), %rax
	mov (%rsi, %rcx), %r8
	cmp %r8, %rax
	jne .Lcmp_differs
	add $8, %rcx
	cmp %rdx, %rcx
	jbe .Lcmp_8
.Lcmp_tail:
	add $8, %rdx
	cmp %rdx, %rcx
	je .Lcmp_equal
.Lcmp_1:
	movzbl (%rdi, %rcx), %eax
	movzbl (%rsi, %rcx), %r8d
	sub %r8d, %eax
	jnz .Lcmp_done
	inc %rcx
	cmp %rdx, %rcx
	jne .Lcmp_1
.Lcmp_equal:
	xor %eax, %eax
.Lcmp_done:
	ret
.Lcmp_differs:
	/* the first byte in memory is the most significant for order */
	bswap %rax
	bswap %r8
	cmp %r8, %rax
	sbb %eax, %eax
	or $1, %eax
	ret
	.size memcmp, . - memcmp

	.section .note.GNU-stack, "", @progbits
