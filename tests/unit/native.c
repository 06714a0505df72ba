// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/native.h"
#include "tests/target/insn_forms.h"

#include <string.h>
#include <sys/mman.h>

/* The trampoline keeps them in memory: no register is free to point to them. */
struct native_state native_now __attribute__((used));
u64 native_target __attribute__((used));
void native_enter(void);
void native_return(void);

#define SLOT(n) "native_now + " #n " * 8(%rip)"

asm(
	".text\n"
	"native_enter:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	push " SLOT(16) "\n"
				"	mov " SLOT(0) ", %rax\n	mov " SLOT(1) ", %rcx\n	mov " SLOT(2) ", %rdx\n	mov " SLOT(3) ", %rbx\n"
															      "	mov " SLOT(5) ", %rbp\n	mov " SLOT(
																      6) ", %rsi\n	mov " SLOT(7) ", %rdi\n"
																				      "	mov " SLOT(
																					      8) ", %r8\n	mov " SLOT(9) ", %r9\n	mov " SLOT(10) ", %r10\n	mov " SLOT(11) ", %r11\n"
																																       "	mov " SLOT(12) ", %r12\n	mov " SLOT(13) ", %r13\n	mov " SLOT(14) ", %r14\n	mov " SLOT(15) ", %r15\n"
																																															       "	popfq\n"
																																															       "	jmp *native_target(%rip)\n"
																																															       "native_return:\n"
																																															       "	mov %rax, " SLOT(
																																																       0) "\n	mov %rcx, " SLOT(1) "\n	mov %rdx, " SLOT(2) "\n	mov %rbx, " SLOT(3) "\n"
																																																										    "	mov %rbp, " SLOT(5) "\n	mov %rsi, " SLOT(
																																																											    6) "\n	mov %rdi, " SLOT(7) "\n"
																																																															    "	mov %r8, " SLOT(8) "\n	mov %r9, " SLOT(9) "\n	mov %r10, " SLOT(10) "\n	mov %r11, " SLOT(11) "\n"
																																																																												     "	mov %r12, " SLOT(12) "\n	mov %r13, " SLOT(
																																																																													     13) "\n	mov %r14, " SLOT(14) "\n	mov %r15, " SLOT(15) "\n"
																																																																																					     "	pushfq\n"
																																																																																					     "	pop " SLOT(
																																																																																						     16) "\n"
																																																																																							 "	cld\n"
																																																																																							 "	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
																																																																																							 "	ret\n");

static bool map_fixed(u64 address, size_t size, int protection)
{
	return mmap((void *)address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		    0) == (void *)address;
}

bool native_open(void)
{
	static bool open;

	if (!open)
		open = map_fixed(INSN_FORMS_OPERAND, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE) &&
		       map_fixed(INSN_FORMS_CODE, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
	return open;
}

void native_run(const u8 *bytes, unsigned length, struct native_state *state)
{
	static const u8 jump[6] = { 0xff, 0x25 }; /* jmp [rip] */
	u8 *code = (u8 *)INSN_FORMS_CODE;
	u64 back = (u64)native_return;

	memcpy(code, bytes, length);
	memcpy(code + length, jump, sizeof(jump));
	memcpy(code + length + sizeof(jump), &back, sizeof(back));
	native_target = INSN_FORMS_CODE;
	native_now = *state;
	native_enter();
	*state = native_now;
}
