// SPDX-License-Identifier: BSD-2-Clause
/* Exceptions that the hypervisor raises, NMIs, their order, and single steps. Group `inject` too. */
#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "tests/target/probe.h"

static bool exceptions(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	bool fine = true;
	/* nop; rdmsr of what is not there: #GP(0) at the RDMSR, registers untouched. */
	p.gpr[RCX] = 0x12345;
	p.gpr[RAX] = 77;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x90, 0x0f, 0x32), VECTOR_GP) && EXPECT_EQUAL(p.error, 0) &&
		EXPECT_EQUAL(p.rip, SMALL_CODE + 1) && EXPECT_EQUAL(p.gpr[RAX], 77) &&
		EXPECT(p.flags & RFLAGS_RF);
	/* vmxoff: #UD, which has no error code. */
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x01, 0xc4), VECTOR_UD) && EXPECT_EQUAL(p.rip, SMALL_CODE) &&
		EXPECT_EQUAL(p.rsp, SMALL_STACK - 40);
	/* LOCK MOV to a device: the processor's own #UD; a device never sees it. */
	p.gpr[RDI] = SMALL_DEVICE;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf0, 0x89, 0x07), VECTOR_UD) && EXPECT_EQUAL(p.small->accesses, 0);
	/* #PF with CR2 and error code is in group insn: accesses that are half on a device. */
	probe_close(&p);
	/* In real mode no error code is pushed. */
	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_16))
		return false;
	p.gpr[RCX] = 0x12345;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x32), VECTOR_GP) && EXPECT_EQUAL(p.rsp, 0x7000 - 6) &&
		EXPECT_EQUAL(p.rip, 0);
	probe_close(&p);
	return fine;
}

/* An exception while another one is on its way into the guest (SDM vol. 3, table 6-5). */
static bool double_fault(const struct boot *boot)
{
	static const struct {
		u8 first, second, arrives;
	} cases[] = {
		{ VECTOR_GP, VECTOR_GP, VECTOR_DF }, { VECTOR_PF, VECTOR_GP, VECTOR_DF },
		{ VECTOR_PF, VECTOR_PF, VECTOR_DF }, { VECTOR_NP, VECTOR_SS, VECTOR_DF },
		{ VECTOR_GP, VECTOR_PF, VECTOR_PF }, { VECTOR_UD, VECTOR_GP, VECTOR_GP },
		{ VECTOR_GP, VECTOR_UD, VECTOR_UD }, { VECTOR_PF, VECTOR_DB, VECTOR_DB },
	};
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		inject_exception(p.vcpu, cases[i].first, cases[i].first != VECTOR_UD, 0x10);
		inject_exception(p.vcpu, cases[i].second,
				 cases[i].second != VECTOR_UD && cases[i].second != VECTOR_DB, 0x20);
		fine &= EXPECT_EQUAL(PROBE(&p, 0x90, 0x90), cases[i].arrives) &&
			EXPECT_EQUAL(p.rip, SMALL_CODE);
		if (cases[i].arrives == VECTOR_DF)
			fine &= EXPECT_EQUAL(p.error, 0);
	}
	/* By the processor: a gate that leads nowhere. */
	*(u64 *)(p.small->host + PROBE_IDT + VECTOR_GP * 16) = 0;
	p.gpr[RCX] = 0x12345;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x32), VECTOR_DF) && EXPECT_EQUAL(p.error, 0);
	p.small->vm.stop = VM_RUNNING;
	inject_exception(p.vcpu, VECTOR_DF, true, 0);
	inject_exception(p.vcpu, VECTOR_GP, true, 0);
	fine &= EXPECT_EQUAL(p.small->vm.stop, VM_FAULT) && probe_says(&p, "triple fault");
	probe_close(&p);
	return fine;
}

static bool nmi(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	/* IF does not matter. */
	vcpu_inject_nmi(p.vcpu);
	bool fine = EXPECT_EQUAL(PROBE(&p, 0x90, 0x90), VECTOR_NMI) && EXPECT_EQUAL(p.rip, SMALL_CODE);
	/* A second one while the first is handled: after the IRET, at the same place as the first. */
	vcpu_inject_nmi(p.vcpu);
	u64 windows = vcpu_exits(p.vcpu, REASON_NMI_WINDOW).exits;
	fine &= EXPECT_EQUAL(probe_resume(&p), VECTOR_NMI) && EXPECT_EQUAL(p.rip, SMALL_CODE) &&
		EXPECT_EQUAL(p.rsp, SMALL_STACK - 40) &&
		EXPECT_EQUAL(vcpu_exits(p.vcpu, REASON_NMI_WINDOW).exits, windows + 1);
	fine &= EXPECT_EQUAL(probe_resume(&p), PROBE_FINE);
	/* Not between MOV SS and the next instruction. */
	vcpu_inject_nmi(p.vcpu);
	p.blocking = BLOCKING_BY_MOV_SS;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x90, 0x90), VECTOR_NMI) && EXPECT_EQUAL(p.rip, SMALL_CODE + 1) &&
		EXPECT_EQUAL(probe_resume(&p), PROBE_FINE);
	probe_close(&p);
	return fine;
}

static void ask_for_nmi(void *context, u8 value)
{
	(void)value;
	vcpu_inject_nmi(context);
}

static bool nmi_from_an_exit(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ .no_apicv = true }, PROBE_64))
		return false;
	p.small->on_note = ask_for_nmi;
	p.small->note_context = p.vcpu;
	bool fine = EXPECT_EQUAL(PROBE(&p, 0xe6, SMALL_NOTE_PORT, 0x90), VECTOR_NMI) &&
		    EXPECT_EQUAL(p.rip, SMALL_CODE + 2) && EXPECT_EQUAL(probe_resume(&p), PROBE_FINE);
	probe_close(&p);
	return fine;
}

/* All at once: the exception first, then the NMI in front of its handler, then, with IF, the interrupt. */
static bool order(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ .no_apicv = true }, PROBE_64))
		return false;
	bool fine = EXPECT_EQUAL(probe_store32(&p, LAPIC_DEFAULT_BASE + LAPIC_SVR, 0x1ff), PROBE_FINE);
	p.rflags = RFLAGS_IF;
	inject_exception(p.vcpu, VECTOR_GP, true, 0x18);
	vcpu_inject_nmi(p.vcpu);
	fine &= EXPECT(lapic_deliver(vcpu_lapic(p.vcpu), 0x41, false));
	fine &= EXPECT_EQUAL(PROBE(&p, 0x90, 0x90), VECTOR_NMI) &&
		EXPECT_EQUAL(p.rip, PROBE_STUBS + VECTOR_GP * PROBE_STUB) && EXPECT(!(p.flags & RFLAGS_IF));
	fine &= EXPECT_EQUAL(probe_resume(&p), VECTOR_GP) && EXPECT_EQUAL(p.error, 0x18) &&
		EXPECT_EQUAL(p.rip, SMALL_CODE);
	fine &= EXPECT_EQUAL(PROBE(&p, 0x90, 0x90), 0x41) && EXPECT_EQUAL(p.rip, SMALL_CODE);
	probe_close(&p);
	return fine;
}

/* RFLAGS.TF over instructions that the processor executes, that exit, and that are carried out for the guest. */
static bool single_step(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	/* Once without TF: Bochs 2.7 keeps a step pending over the EPT violations by which KVM below this finds the pages. */
	bool fine = EXPECT_EQUAL(PROBE(&p, 0x0f, 0x0b), VECTOR_UD);
	p.rflags = RFLAGS_TF;
	p.gpr[RDI] = SMALL_DEVICE;
	p.gpr[RAX] = 1;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x90, 0x90), VECTOR_DB) && EXPECT_EQUAL(p.rip, SMALL_CODE + 1);
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0xa2, 0x90), VECTOR_DB) && EXPECT_EQUAL(p.rip, SMALL_CODE + 2);
	for (unsigned i = 0; i < 3; i++)
		fine &= EXPECT_EQUAL(PROBE(&p, 0x89, 0x07, 0x90), VECTOR_DB) &&
			EXPECT_EQUAL(p.rip, SMALL_CODE + 2) && EXPECT_EQUAL(p.small->accesses, i + 1);
	/* DR6 says why: mov rax, dr6 */
	p.rflags = 0;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x21, 0xf0), PROBE_FINE) && EXPECT(p.gpr[RAX] & BIT(14));
	/* A repeated string: one iteration a step. */
	p.rflags = RFLAGS_TF;
	p.small->accesses = 0;
	p.gpr[RCX] = 5;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf3, 0xaa), VECTOR_DB) && EXPECT_EQUAL(p.gpr[RCX], 4) &&
		EXPECT_EQUAL(p.rip, SMALL_CODE) && EXPECT_EQUAL(p.small->accesses, 1);
	/* A fault is no step. */
	p.gpr[RCX] = 0x12345;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x32), VECTOR_GP);
	probe_close(&p);
	return fine;
}

/*
 * CVE-2015-5307: in 32-bit mode at CPL 3, with alignment checks on, an odd stack and a handler at CPL 3 too, the delivery of
 * #AC raises #AC, for ever, inside the processor. Each turn must come out of it, or nothing else runs on this CPU again: here
 * the hypervisor's timer stops the guest.
 */
static bool endless_exceptions(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_32))
		return false;
	/* 32-bit code of CPL 3 at selector 0x30; data of CPL 3 is at 0x38. */
	*(u64 *)(p.small->host + SMALL_GDT + 0x30) = 0x00cffb000000ffff;
	u64 *gate = (u64 *)(p.small->host + PROBE_IDT + PAGE_SIZE + VECTOR_AC * 8);
	*gate = (*gate & ~0xffff0000ull) | 0x33ull << 16 | 0x6000ull << 32;
	p.gpr[RAX] = CR0_PE | CR0_ET | CR0_NE | CR0_AM;
	bool fine = EXPECT_EQUAL(PROBE(&p, 0x0f, 0x22, 0xc0), PROBE_FINE);
	vmwrite(VMCS_GUEST_CS_SELECTOR, 0x33);
	vmwrite(VMCS_GUEST_CS_RIGHTS, 0xc0fb);
	for (unsigned segment = SEG_ES; segment <= SEG_GS; segment++) {
		if (segment == SEG_CS)
			continue;
		vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_SELECTOR, segment), 0x3b);
		vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_RIGHTS, segment), 0xc0f3);
	}
	p.rflags = RFLAGS_AC | RFLAGS_IOPL;
	p.small->patience = 3000000;
	u64 before = vcpu_exits(p.vcpu, REASON_EXCEPTION_OR_NMI).exits;
	/* dec esp; push eax */
	fine &= EXPECT_EQUAL(PROBE(&p, 0x4c, 0x50), PROBE_STOPPED) &&
		EXPECT_EQUAL(p.small->vm.stop, VM_QUIT) &&
		EXPECT(vcpu_exits(p.vcpu, REASON_EXCEPTION_OR_NMI).exits > before + 100);
	probe_close(&p);
	return fine;
}

/* #AC and #DB that do not loop reach the guest as they are, though they exit. */
static bool exceptions_that_exit(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	p.gpr[RAX] = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP | CR0_AM;
	bool fine = EXPECT_EQUAL(PROBE(&p, 0x0f, 0x22, 0xc0), PROBE_FINE);
	/* A breakpoint on data: mov dr0, rax; mov dr7, rbx; mov [rax], ecx; nop */
	p.gpr[RAX] = SMALL_DATA;
	p.gpr[RBX] = 0xd0402;
	u64 before = vcpu_exits(p.vcpu, REASON_EXCEPTION_OR_NMI).exits;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb, 0x89, 0x08, 0x90), VECTOR_DB) &&
		EXPECT_EQUAL(p.rip, SMALL_CODE + 8) &&
		EXPECT_EQUAL(vcpu_exits(p.vcpu, REASON_EXCEPTION_OR_NMI).exits, before + 1);
	/* mov rax, dr6; then all off: mov dr7, rbx */
	p.gpr[RBX] = 0x400;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x23, 0xfb, 0x0f, 0x21, 0xf0), PROBE_FINE) &&
		EXPECT_EQUAL(p.gpr[RAX] & 0xf, 1);
	/* One on code, at the second NOP. */
	p.gpr[RAX] = SMALL_CODE + 7;
	p.gpr[RBX] = 0x402;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x23, 0xc0, 0x0f, 0x23, 0xfb, 0x90, 0x90, 0x90), VECTOR_DB) &&
		EXPECT_EQUAL(p.rip, SMALL_CODE + 7);
	p.gpr[RBX] = 0x400;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x23, 0xfb), PROBE_FINE);
	/* An unaligned read at CPL 3. */
	p.user = true;
	p.rflags = RFLAGS_AC;
	p.gpr[RDI] = SMALL_DATA + 1;
	before = vcpu_exits(p.vcpu, REASON_EXCEPTION_OR_NMI).exits;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x8b, 0x07), VECTOR_AC) && EXPECT_EQUAL(p.error, 0) &&
		EXPECT_EQUAL(vcpu_exits(p.vcpu, REASON_EXCEPTION_OR_NMI).exits, before + 1);
	probe_close(&p);
	return fine;
}

static const struct selftest tests[] = {
	{ "exceptions of exits reach their handlers with the right frame", exceptions },
	{ "a fault of a fault's delivery is a double fault", double_fault },
	{ "an NMI ignores IF, waits for the IRET of another", nmi },
	{ "an NMI that an exit asks for comes before the next instruction", nmi_from_an_exit },
	{ "exception, NMI, interrupt: in this order", order },
	{ "single steps over what exits and what is carried out", single_step },
	{ "exceptions that exit reach the guest as they are", exceptions_that_exit },
	{ "exceptions that raise themselves do not keep the CPU", endless_exceptions },
};

const struct selftest_group test_events = SELFTEST_GROUP("inject", tests);
