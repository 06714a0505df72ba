// SPDX-License-Identifier: BSD-2-Clause
/* The hypervisor's own memory, tried by touching it: nothing is writable and executable, and what should not be there is not. */
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/host_cpu.h"
#include "arch/host_fault.h"
#include "arch/host_paging.h"
#include "arch/image.h"
#include "tests/target/selftest.h"

#define RET 0xc3

static void nothing(void)
{
}

static bool text(const struct boot *boot)
{
	(void)boot;
	u8 *code = (u8 *)(u64)nothing;

	/* The first three show that the probes can tell yes from no. */
	return EXPECT(host_probe_exec(code)) & EXPECT(host_probe_read(code)) &
	       EXPECT(!host_probe_write(code)) & EXPECT(!host_probe_write((void *)__text_start)) &
	       EXPECT(!host_probe_write((void *)((u64)__text_end - 1)));
}

static bool constants(const struct boot *boot)
{
	static const u8 constant = RET;

	(void)boot;
	return EXPECT(host_probe_read(&constant)) & EXPECT(!host_probe_write((void *)&constant)) &
	       EXPECT(!host_probe_exec(&constant)) & EXPECT(!host_probe_write((void *)__rodata_start)) &
	       EXPECT(!host_probe_write((void *)((u64)__rodata_end - 1))) &
	       EXPECT(host_probe_read(ImageBase)) & EXPECT(!host_probe_write((void *)ImageBase)) &
	       EXPECT(!host_probe_exec(ImageBase));
}

static bool writable(u8 *at)
{
	u8 kept = *at;

	*at = RET;
	bool fine = EXPECT(host_probe_read(at)) & EXPECT(host_probe_write(at)) & EXPECT(!host_probe_exec(at));
	*at = kept;
	return fine;
}

static bool data(const struct boot *boot)
{
	static u8 initialised = RET, zero;
	u8 on_stack = RET, *on_heap = malloc(1), *page = page_alloc(boot->pages);
	bool fine = EXPECT(on_heap) && EXPECT(page);

	fine = fine && writable(&initialised) & writable(&zero) & writable(&on_stack) & writable(on_heap) &
			       writable(page) & writable((u8 *)boot->ram[0].address) &
			       writable((u8 *)boot->ram[0].address + boot->ram[0].size - 1);
	free(on_heap);
	page_free(boot->pages, page);
	return fine;
}

static bool not_mapped(const struct boot *boot)
{
	const struct host_cpu *cpu = host_cpu_current();
	unsigned guards = 0;
	bool fine = EXPECT(!host_probe_read(NULL)) & EXPECT(!host_probe_read((void *)(PAGE_SIZE - 1))) &
		    EXPECT(!host_probe_write(NULL)) & EXPECT(!host_probe_exec(NULL)) &
		    EXPECT(!host_probe_read((void *)0x7fffffffffff));

	for (u64 at = 0; at < HOST_STACKS_SIZE; at += PAGE_SIZE) {
		u8 *page = cpu->stacks + at;
		/* Each stack has one below it; the last one, above all of them, is nobody's. */
		bool guard = host_cpu_guard_name(cpu, (u64)page) || at == HOST_STACKS_SIZE - PAGE_SIZE;

		guards += guard;
		fine &= EXPECT(host_probe_read(page) == !guard) &
			EXPECT(host_probe_read(page + PAGE_SIZE - 1) == !guard);
	}
	(void)boot;
	return EXPECT_EQUAL(guards, HOST_IST_STACKS + 2) && fine;
}

/* ---- every mapping, by the tables that the processor uses ---- */

struct survey {
	const struct boot *boot;
	u64 pages, executable, writable;
	bool fine;
};

static bool is_own(const struct boot *boot, u64 first, u64 last)
{
	for (unsigned i = 0; i < boot->ram_count; i++)
		if (first >= boot->ram[i].address && last - boot->ram[i].address < boot->ram[i].size)
			return true;
	return false;
}

static void look_at(struct survey *survey, u64 first, u64 size, bool write, bool exec, bool user)
{
	u64 last = first + (size - 1);

	survey->pages++;
	survey->executable += exec ? size : 0;
	survey->writable += write ? size : 0;
	survey->fine &= EXPECT(!(write && exec)) & EXPECT(!user) & EXPECT(first != 0);
	if (exec)
		survey->fine &=
			EXPECT(first >= (u64)__text_start && last < ALIGN_UP((u64)__text_end, PAGE_SIZE));
	if (write)
		survey->fine &= EXPECT(last < (u64)ImageBase || first >= (u64)__data_start);
	/* A large page of the guest's RAM has nothing else in it. */
	if (size > PAGE_SIZE && is_own(survey->boot, first, first))
		survey->fine &= EXPECT(is_own(survey->boot, first, last));
}

static void walk(struct survey *survey, const u64 *table, unsigned level, u64 first, bool write, bool exec,
		 bool user)
{
	for (u64 i = 0; i < 512; i++) {
		u64 entry = table[i], size = 1ull << (12 + 9 * (level - 1)), at = first + i * size;
		bool w = write && (entry & HOST_PTE_RW), x = exec && !(entry & HOST_PTE_XD),
		     u = user && (entry & BIT(2));

		if (!(entry & HOST_PTE_P))
			continue;
		if (level > 1 && !(entry & HOST_PTE_PS)) {
			walk(survey, (const u64 *)(entry & HOST_PTE_ADDR), level - 1, at, w, x, u);
			continue;
		}
		survey->fine &= EXPECT_EQUAL(entry & HOST_PTE_ADDR & ~(size - 1), at);
		look_at(survey, at, size, w, x, u);
	}
}

static bool every_mapping(const struct boot *boot)
{
	struct survey survey = { .boot = boot, .fine = true };
	bool fine = EXPECT_EQUAL(read_cr3() & HOST_PTE_ADDR, (u64)host_paging_table()->top);

	walk(&survey, (const u64 *)(read_cr3() & HOST_PTE_ADDR), 4, 0, true, true, true);
	/* All of the text is executable, and nothing else; the survey saw the guest's RAM. */
	return EXPECT_EQUAL(survey.executable, ALIGN_UP((u64)__text_end, PAGE_SIZE) - (u64)__text_start) &&
	       EXPECT(survey.writable > boot->ram[0].size) && EXPECT(survey.pages > 16) && survey.fine &&
	       fine;
}

static bool registers(const struct boot *boot)
{
	(void)boot;
	return EXPECT(read_cr0() & CR0_WP) & EXPECT(rdmsr(IA32_EFER) & EFER_NXE) &
	       EXPECT(!(read_cr4() & CR4_PGE)) & EXPECT(read_cr4() & CR4_VMXE) &
	       EXPECT(!(read_rflags() & RFLAGS_IF)) & EXPECT((read_cr0() & CR0_NE));
}

/* What the processor refuses is told, not fatal. */
static bool probes_of_msrs(const struct boot *boot)
{
	u64 value = 1;

	(void)boot;
	return EXPECT(host_rdmsr_safe(IA32_EFER, &value)) & EXPECT_EQUAL(value, rdmsr(IA32_EFER)) &
	       EXPECT(!host_wrmsr_safe(IA32_EFER, ~0ull)) & EXPECT_EQUAL(value, rdmsr(IA32_EFER));
}

static const struct selftest tests[] = {
	{ "text can be executed and not written", text },
	{ "constants can be read, not written, not executed", constants },
	{ "data, heap, stack, page pool and guest RAM cannot be executed", data },
	{ "page 0 and the guards of the stacks are not there", not_mapped },
	{ "no mapping is writable and executable at once", every_mapping },
	{ "the processor enforces it: WP, NXE", registers },
	{ "an MSR that is refused is told", probes_of_msrs },
};

const struct selftest_group test_host = SELFTEST_GROUP("host", tests);
