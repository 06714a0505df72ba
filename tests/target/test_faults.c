// SPDX-License-Identifier: BSD-2-Clause
/* Guests that cannot go on: each is stopped, with a line that says where and why, and the next guest runs. */
#include "arch/vcpu_internal.h"
#include "tests/target/probe.h"

/* The machine that had the fault is gone; a new one runs to its end. */
static bool another_guest_runs(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	p.gpr[RDI] = SMALL_DEVICE;
	p.gpr[RAX] = 0x600d;
	bool fine = EXPECT_EQUAL(PROBE(&p, 0x89, 0x07), PROBE_FINE) &&
		    EXPECT_EQUAL(p.small->access[0].value, 0x600d);
	probe_close(&p);
	return fine;
}

/* Runs `code` with RAX = `rax`, and expects the end of the guest, with both texts in what is said about it. */
static bool ends(const struct boot *boot, enum probe_mode mode, const u8 *code, size_t length, u64 rax,
		 enum vm_stop why, const char *const say[])
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, mode))
		return false;
	p.gpr[RAX] = p.gpr[RDI] = rax;
	int vector = probe_run(&p, code, length);
	bool fine = EXPECT_EQUAL(vector, PROBE_STOPPED) && EXPECT_EQUAL(p.small->vm.stop, why);
	for (unsigned i = 0; i < 4 && say[i]; i++)
		fine &= probe_says(&p, say[i]);
	probe_close(&p);
	return fine && another_guest_runs(boot);
}

#define ENDS(mode, code, rax, why, ...) \
	ends(boot, mode, code, sizeof(code), rax, why, (const char *const[4]){ __VA_ARGS__ })

static bool triple_faults(const struct boot *boot)
{
	/* An IDT without gates: lidt [rdi] with 10 zeros there, then an exception. */
	static const u8 no_idt[] = { 0x0f, 0x01, 0x1f, 0x0f, 0x0b };
	/* The stack is nowhere: mov rsp, rax; ud2. Not canonical, so that #SS, #DF and the end follow. */
	static const u8 no_stack[] = { 0x48, 0x89, 0xc4, 0x0f, 0x0b };
	/* Likewise where an exit is in the way: the #GP of an RDMSR, delivered by injection. */
	static const u8 rdmsr[] = { 0x48, 0x89, 0xc4, 0xb9, 0xff, 0xff, 0, 0, 0x0f, 0x32 };

	return ENDS(PROBE_64, no_idt, SMALL_DATA, VM_TRIPLE_FAULT, "triple fault", "rip 0x100003") &
	       ENDS(PROBE_64, no_stack, 0x8000000000000000, VM_TRIPLE_FAULT, "triple fault", "rip 0x100003") &
	       ENDS(PROBE_64, rdmsr, 0x8000000000000000, VM_TRIPLE_FAULT, "triple fault", "rip 0x100008");
}

static const u8 jump[] = { 0xff, 0xe0 }; /* jmp rax, jmp eax */

static bool executes_from_a_device(const struct boot *boot)
{
	return ENDS(PROBE_64, jump, SMALL_DEVICE + 0x10, VM_FAULT, "executes", "'device'", "gpa 0xd0000010",
		    "rip 0xd0000010") &
	       ENDS(PROBE_32, jump, LAPIC_DEFAULT_BASE, VM_FAULT, "execut", "gpa 0xfee00000",
		    "rip 0xfee00000");
}

static bool runs_off_its_memory(const struct boot *boot)
{
	/* Behind RAM, in a hole, and over RAM's last byte: there is nothing but INC EAX up to it. */
	static const u8 slide[] = { 0xff, 0xe0 };

	return ENDS(PROBE_64, jump, SMALL_RAM_SIZE, VM_FAULT, "executes", "gpa 0x800000", "rip 0x800000") &
	       ENDS(PROBE_32, jump, 0xfffffff0, VM_FAULT, "executes", "gpa 0xfffffff0") &
	       /* RAM is zero there: add [eax], al, which writes to the RAM that EAX points to. */
	       ENDS(PROBE_32, slide, SMALL_RAM_SIZE - 64, VM_FAULT, "executes", "gpa 0x800000",
		    "rip 0x800000");
}

static bool page_tables_in_a_device(const struct boot *boot)
{
	static const u8 mov_cr3[] = { 0x0f, 0x22, 0xd8 };

	return ENDS(PROBE_64, mov_cr3, SMALL_DEVICE, VM_FAULT, "page tables", "'device'", "gpa 0xd0000000",
		    "rip 0x100003") &
	       ENDS(PROBE_64, mov_cr3, SMALL_RAM_SIZE, VM_FAULT, "page tables", "gpa 0x800000");
}

static bool stack_in_a_device(const struct boot *boot)
{
	/* mov rsp, rax; ud2 */
	static const u8 exception[] = { 0x48, 0x89, 0xc4, 0x0f, 0x0b };
	/* ... and an exception that the hypervisor injects */
	static const u8 injected[] = { 0x48, 0x89, 0xc4, 0xb9, 0xff, 0xff, 0, 0, 0x0f, 0x32 };
	/* ... and INT 0x80 */
	static const u8 software[] = { 0x48, 0x89, 0xc4, 0xcd, 0x80 };

	return ENDS(PROBE_64, exception, SMALL_DEVICE + 0x800, VM_FAULT, "deliver", "'device'",
		    "gpa 0xd00007", "rip 0x100003") &
	       ENDS(PROBE_64, injected, SMALL_DEVICE + 0x800, VM_FAULT, "deliver", "'device'", "gpa 0xd00007",
		    "rip 0x100008") &
	       ENDS(PROBE_64, software, SMALL_ROM + 0x800, VM_FAULT, "deliver", "'rom'", "gpa 0xd00027",
		    "rip 0x100003") &
	       ENDS(PROBE_64, exception, LAPIC_DEFAULT_BASE + 0x800, VM_FAULT, "gpa 0xfee00", "rip 0x100003");
}

static bool halts_for_good(const struct boot *boot)
{
	static const u8 cli_hlt[] = { 0xfa, 0xf4 };

	return ENDS(PROBE_64, cli_hlt, 0, VM_FAULT, "halted for good", "rip 0x100002");
}

/* 32-bit mode: a far jump to a TSS descriptor. */
static bool task_switch(const struct boot *boot)
{
	/* sldt and ltr are done; ljmp 0x28:0 */
	static const u8 jump_tss[] = { 0xea, 0, 0, 0, 0, 0x28, 0 };
	static const u64 descriptor = 0x0000890019000067; /* available TSS at 0x1900 */
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_32))
		return false;
	*(u64 *)(p.small->host + SMALL_GDT + 0x28) = descriptor;
	bool fine = EXPECT_EQUAL(probe_run(&p, jump_tss, sizeof(jump_tss)), PROBE_STOPPED) &&
		    EXPECT_EQUAL(p.small->vm.stop, VM_FAULT) && probe_says(&p, "task switch by JMP") &&
		    probe_says(&p, "selector 0x28") && probe_says(&p, "rip 0x100000");
	probe_close(&p);
	return fine && another_guest_runs(boot);
}

/* A state that VM entry refuses: the hypervisor would be at fault, and still only the guest ends. */
static bool refused_entry(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	p.rflags = BIT(15); /* reserved */
	bool fine = EXPECT_EQUAL(probe_start(&p, SMALL_CODE), PROBE_STOPPED) &&
		    EXPECT_EQUAL(p.small->vm.stop, VM_FAULT) && probe_says(&p, "VM entry refused") &&
		    probe_says(&p, "rip 0x100000");
	probe_close(&p);
	return fine && another_guest_runs(boot);
}

static const struct selftest tests[] = {
	{ "a triple fault stops the guest, also one of an injected exception", triple_faults },
	{ "executing from a device stops the guest", executes_from_a_device },
	{ "running off its memory stops the guest", runs_off_its_memory },
	{ "page tables in a device stop the guest", page_tables_in_a_device },
	{ "a stack in a device stops the guest as an event is delivered", stack_in_a_device },
	{ "halting with interrupts off stops the guest", halts_for_good },
	{ "a hardware task switch is refused by name", task_switch },
	{ "a state that cannot be entered stops the guest", refused_entry },
};

const struct selftest_group test_faults = SELFTEST_GROUP("faults", tests);
