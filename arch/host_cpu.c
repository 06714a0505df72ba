// SPDX-License-Identifier: BSD-2-Clause
#include "arch/host_cpu.h"

#include "arch/cpu.h"
#include "arch/host_fault.h"
#include "arch/host_paging.h"

#include <string.h>

/* SDM vol. 3, 3.4.5 and 7.2.3: present, DPL 0; base and limit mean nothing for 64-bit code and flat data. */
#define GDT_CODE64    0x00af9b000000ffffull
#define GDT_DATA      0x00cf93000000ffffull
#define GDT_TSS_AVAIL 0x0000890000000000ull

static const struct {
	const char *name; /* of the guard below it */
	u64 size;
} stack[] = {
	{ "main stack", HOST_STACK_SIZE },
	{ "#DF stack", HOST_IST_STACK_SIZE },
	{ "NMI stack", HOST_IST_STACK_SIZE },
	{ "#MC stack", HOST_IST_STACK_SIZE },
};
static_assert(ARRAY_SIZE(stack) == HOST_IST_STACKS + 1, "one stack each");

/* The lowest address of a stack; its guard page is just below. */
static u8 *stack_bottom(const struct host_cpu *cpu, unsigned index)
{
	u8 *at = cpu->stacks + PAGE_SIZE;

	for (unsigned i = 0; i < index; i++)
		at += stack[i].size + PAGE_SIZE;
	return at;
}

bool host_cpu_init(struct host_cpu *cpu, u8 *stacks)
{
	u64 base = (u64)&cpu->tss, limit = sizeof(cpu->tss) - 1;

	*cpu = (struct host_cpu){ .gdt = { 0, GDT_CODE64, GDT_DATA }, .self = cpu, .stacks = stacks };
	cpu->gdt[3] = GDT_TSS_AVAIL | limit | (base & BITS(23, 0)) << 16 | (base & BITS(31, 24)) << 32;
	cpu->gdt[4] = base >> 32;
	cpu->tss.io_map_base = sizeof(cpu->tss);
	for (unsigned i = HOST_IST_DF; i <= HOST_IST_MC; i++)
		cpu->tss.ist[i - 1] = (u64)(stack_bottom(cpu, i) + stack[i].size);

	for (unsigned i = 0; i < ARRAY_SIZE(stack); i++)
		if (!host_map((u64)stack_bottom(cpu, i) - PAGE_SIZE, PAGE_SIZE, HOST_NONE))
			return false;
	return host_map((u64)stacks + HOST_STACKS_SIZE - PAGE_SIZE, PAGE_SIZE, HOST_NONE);
}

static void load_segments(struct host_cpu *cpu)
{
	struct descriptor_table gdt = { sizeof(cpu->gdt) - 1, (u64)cpu->gdt };

	lgdt(&gdt);
	__asm__ volatile("push %[cs]\n\t"
			 "lea 1f(%%rip), %%rax\n\t"
			 "push %%rax\n\t"
			 "lretq\n"
			 "1:\tmov %[ds], %%ds\n\t"
			 "mov %[ds], %%es\n\t"
			 "mov %[ds], %%ss\n\t"
			 "mov %[null], %%fs\n\t"
			 "mov %[null], %%gs\n\t"
			 "lldt %w[null]"
			 :
			 : [cs] "i"(HOST_CS), [ds] "r"(HOST_DS), [null] "r"(0)
			 : "rax", "memory");
	ltr(HOST_TR);
}

void host_cpu_load(struct host_cpu *cpu)
{
	struct cpuid features = cpuid_checked(7, 0);
	u64 cr4 = CR4_DE | CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	cli();
	load_segments(cpu);
	host_fault_load_idt();

	/* No user page exists, so SMEP and SMAP can only ever catch a mistake. */
	if (features.ebx & BIT(7))
		cr4 |= CR4_SMEP;
	if (features.ebx & BIT(20))
		cr4 |= CR4_SMAP;
	/* CET, keys and the like of the firmware go; what long mode cannot lose, and XCR0's switch, stay. */
	write_cr4(cr4 | (read_cr4() & (CR4_LA57 | CR4_OSXSAVE)));
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	write_dr7(BIT(10)); /* no breakpoint of a firmware debugger; bit 10 is always 1 */
}

const struct host_cpu *host_cpu_current(void)
{
	const struct host_cpu *cpu = (const struct host_cpu *)sgdt().base;

	return cpu->self == cpu ? cpu : NULL;
}

void *host_cpu_stack_top(const struct host_cpu *cpu)
{
	return stack_bottom(cpu, 0) + stack[0].size;
}

const char *host_cpu_guard_name(const struct host_cpu *cpu, u64 address)
{
	for (unsigned i = 0; i < ARRAY_SIZE(stack); i++) {
		u64 bottom = (u64)stack_bottom(cpu, i);

		if (address < bottom && address >= bottom - PAGE_SIZE)
			return stack[i].name;
	}
	return NULL;
}

bool host_cpu_on_stack(const struct host_cpu *cpu, u64 address)
{
	for (unsigned i = 0; i < ARRAY_SIZE(stack); i++) {
		u64 bottom = (u64)stack_bottom(cpu, i);

		if (address >= bottom && address < bottom + stack[i].size)
			return true;
	}
	return false;
}
