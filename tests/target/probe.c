// SPDX-License-Identifier: BSD-2-Clause
#include "tests/target/probe.h"

#include <string.h>

#include "arch/cpu.h"
#include "arch/vcpu_internal.h"

#define IDT32	  (PROBE_IDT + PAGE_SIZE)
#define TRAP_PORT (SMALL_EXIT_PORT + 1)
#define VECTORS	  256u

/* SDM vol. 3, table 6-1. */
static bool has_error_code(unsigned vector)
{
	return vector == VECTOR_DF || (vector >= VECTOR_TS && vector <= VECTOR_PF) || vector == VECTOR_AC;
}

static void put_idts(struct probe *p)
{
	u8 *ram = p->small->host;
	static const u8 stub[2][PROBE_STUB] = { { 0xe6, TRAP_PORT, 0xcf, 0x90 },
						{ 0xe6, TRAP_PORT, 0x48, 0xcf } };

	for (u64 v = 0; v < VECTORS; v++) {
		u64 entry = PROBE_STUBS + v * PROBE_STUB;
		u64 *gate64 = (u64 *)(ram + PROBE_IDT + v * 16), *gate32 = (u64 *)(ram + IDT32 + v * 8);

		memcpy(ram + entry, stub[p->mode == PROBE_64], PROBE_STUB);
		gate64[0] = entry | 0x08ull << 16 | 0x8e00ull << 32;
		gate32[0] = entry | 0x18ull << 16 | 0x8e00ull << 32;
		if (p->mode == PROBE_16)
			*(u32 *)(ram + v * 4) = (u32)entry;
	}
}

void probe_reset(struct probe *p)
{
	static const u8 nothing;

	p->rflags = RFLAGS_ONE;
	p->user = false;
	switch (p->mode) {
	case PROBE_64:
		small_vm_load(p->small, &nothing, &nothing, 0);
		vmwrite(VMCS_GUEST_IDTR_BASE, PROBE_IDT);
		vmwrite(VMCS_GUEST_IDTR_LIMIT, PAGE_SIZE - 1);
		break;
	case PROBE_32:
		small_vm_load_protected(p->small, &nothing, &nothing);
		vmwrite(VMCS_GUEST_IDTR_BASE, IDT32);
		vmwrite(VMCS_GUEST_IDTR_LIMIT, PAGE_SIZE / 2 - 1);
		break;
	case PROBE_16:
		small_vm_load_real(p->small, &nothing, &nothing, p->code);
		break;
	}
	/* RSP0, for what comes at CPL 3. */
	*(u64 *)(p->small->host + SMALL_TSS + 4) = SMALL_STACK;
}

bool probe_open(struct probe *p, const struct boot *boot, const struct small_options *options,
		enum probe_mode mode)
{
	*p = (struct probe){ .small = small_vm_create(boot, options), .mode = mode };
	if (!p->small)
		return false;
	p->vcpu = p->small->vm.vcpu;
	p->gpr = vcpu_gpr(p->vcpu);
	p->code = mode == PROBE_16 ? 0x7c00 : SMALL_CODE;
	put_idts(p);
	probe_reset(p);
	return true;
}

void probe_close(struct probe *p)
{
	small_vm_destroy(p->small);
}

static u64 stack_word(const struct probe *p, unsigned index)
{
	const u8 *at = p->small->host + p->rsp;

	switch (p->mode) {
	case PROBE_64:
		return ((const u64 *)at)[index];
	case PROBE_32:
		return ((const u32 *)at)[index];
	default:
		return ((const u16 *)at)[index];
	}
}

/*
 * IRET to the next instruction. An NMI handler of the guest that has ended through its port leaves NMIs blocked; a VM entry
 * with another VMCS lifts that, but not in Bochs 2.7. Where KVM runs below this, on Bochs, it is KVM's entry to this program.
 */
static void unblock_nmi(void)
{
	u64 scratch;

	__asm__ volatile("mov %%rsp, %0\n\t"
			 "push $0\n\t"
			 "mov %%ss, (%%rsp)\n\t"
			 "push %0\n\t"
			 "pushf\n\t"
			 "push $0\n\t"
			 "mov %%cs, (%%rsp)\n\t"
			 "lea 1f(%%rip), %0\n\t"
			 "push %0\n\t"
			 "iretq\n"
			 "1:"
			 : "=&r"(scratch)
			 :
			 : "memory", "cc");
}

int probe_resume(struct probe *p)
{
	enum vm_stop why = small_vm_run(p->small);

	unblock_nmi();
	p->rip = vmread(VMCS_GUEST_RIP);
	p->rsp = vmread(VMCS_GUEST_RSP);
	p->flags = vmread(VMCS_GUEST_RFLAGS);
	p->cr2 = read_cr2();
	p->error = 0;
	if (why != VM_POWERED_OFF)
		return PROBE_STOPPED;
	u64 at = p->rip - PROBE_STUBS;
	if (at >= VECTORS * PROBE_STUB || p->rsp >= SMALL_RAM_SIZE - 64)
		return PROBE_FINE;
	unsigned vector = at / PROBE_STUB, skip = 0;
	if (p->mode != PROBE_16 && has_error_code(vector)) {
		p->error = (u32)stack_word(p, 0);
		skip = 1;
	}
	p->rip = stack_word(p, skip);
	p->flags = stack_word(p, skip + 2);
	return vector;
}

/* Selectors as small_vm.c's GDT has them. */
static void set_privilege(bool user)
{
	vmwrite(VMCS_GUEST_CS_SELECTOR, user ? 0x33 : 0x08);
	vmwrite(VMCS_GUEST_CS_RIGHTS, user ? 0xa0fb : 0xa09b);
	vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_SELECTOR, SEG_SS), user ? 0x3b : 0x10);
	vmwrite(VMCS_GUEST_SS_RIGHTS, user ? 0xc0f3 : 0xc093);
	/* An interrupt of CPL 3 has left a null selector there. */
	vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_LIMIT, SEG_SS), 0xffffffff);
}

int probe_run(struct probe *p, const void *code, size_t length)
{
	static const u8 end[] = { 0xe6, SMALL_EXIT_PORT };

	memcpy(p->small->host + p->code, code, length);
	memcpy(p->small->host + p->code + length, end, sizeof(end));
	return probe_start(p, p->mode == PROBE_16 ? p->code & 0xf : p->code);
}

int probe_start(struct probe *p, u64 rip)
{
	if (p->mode == PROBE_64)
		set_privilege(p->user);
	if (p->mode == PROBE_16) {
		vmwrite(VMCS_GUEST_CS_SELECTOR, p->code >> 4);
		vmwrite(VMCS_GUEST_CS_BASE, p->code & ~0xfull);
	}
	vmwrite(VMCS_GUEST_RIP, rip);
	vmwrite(VMCS_GUEST_RSP, p->mode == PROBE_16 ? 0x7000 : p->user ? PROBE_USER_STACK : SMALL_STACK);
	/* I/O privilege, so that a snippet at CPL 3 can end. */
	vmwrite(VMCS_GUEST_RFLAGS, p->rflags | RFLAGS_ONE | (p->user ? RFLAGS_IOPL : 0));
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, p->blocking);
	p->blocking = 0;
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	return probe_resume(p);
}

/* Runs with these registers, and puts back what the test had in them. */
static int run_with(struct probe *p, const u8 *code, size_t length, u64 rax, u64 rcx, u64 rdx, u64 *result)
{
	u64 kept[] = { p->gpr[RAX], p->gpr[RCX], p->gpr[RDX] };

	p->gpr[RAX] = rax;
	p->gpr[RCX] = rcx;
	p->gpr[RDX] = rdx;
	int vector = probe_run(p, code, length);
	if (result)
		*result = (u32)p->gpr[RAX] | p->gpr[RDX] << 32;
	p->gpr[RAX] = kept[0];
	p->gpr[RCX] = kept[1];
	p->gpr[RDX] = kept[2];
	return vector;
}

int probe_load32(struct probe *p, u64 gpa, u32 *value)
{
	static const u8 mov[] = { 0x8b, 0x01 }; /* mov eax, [rcx] */
	u64 result;
	int vector = run_with(p, mov, sizeof(mov), 0, gpa, 0, &result);

	*value = (u32)result;
	return vector;
}

int probe_store32(struct probe *p, u64 gpa, u32 value)
{
	static const u8 mov[] = { 0x89, 0x01 }; /* mov [rcx], eax */

	return run_with(p, mov, sizeof(mov), value, gpa, 0, NULL);
}

int probe_rdmsr(struct probe *p, u32 msr, u64 *value)
{
	static const u8 rdmsr[] = { 0x0f, 0x32 };

	return run_with(p, rdmsr, sizeof(rdmsr), 0x55555555, msr, 0x55555555, value);
}

int probe_wrmsr(struct probe *p, u32 msr, u64 value)
{
	static const u8 wrmsr[] = { 0x0f, 0x30 };

	return run_with(p, wrmsr, sizeof(wrmsr), (u32)value, msr, value >> 32, NULL);
}

int probe_in(struct probe *p, u16 port, u8 *value)
{
	static const u8 in[] = { 0xec };
	u64 result;
	int vector = run_with(p, in, sizeof(in), 0, 0, port, &result);

	*value = (u8)result;
	return vector;
}

int probe_out(struct probe *p, u16 port, u8 value)
{
	static const u8 out[] = { 0xee };

	return run_with(p, out, sizeof(out), value, 0, port, NULL);
}

bool probe_says(const struct probe *p, const char *text)
{
	if (strstr(p->small->vm.fault, text))
		return true;
	selftest_note("the guest's end is told as: %s", p->small->vm.fault);
	selftest_note("expected to be in it: %s", text);
	return false;
}
