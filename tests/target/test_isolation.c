// SPDX-License-Identifier: BSD-2-Clause
/*
 * No byte of the hypervisor is within a guest's reach: by what EPT says, by what it refuses to say, and by a guest that looks
 * for it all over its physical addresses. With the small machine and with the real board.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "boot/board_pc.h"
#include "tests/target/probe.h"

SMALL_GUEST(scan);

/* ---- every leaf ---- */

struct survey {
	const struct boot *boot;
	const struct ept *ept;
	u64 leaves, mapped;
	bool fine;
};

static bool overlaps(u64 a, u64 a_last, u64 b, u64 b_size)
{
	return b_size && a <= b + (b_size - 1) && b <= a_last;
}

static void look_at(void *context, u64 gpa, u64 entry, unsigned level)
{
	struct survey *s = context;
	u64 hpa = EPT_ENTRY_ADDRESS(entry), size = 1ull << EPT_PAGE_SHIFT(level), last = hpa + (size - 1);
	bool inside = false, bad = false;

	s->leaves++;
	s->mapped += size;
	/* The page that the processor takes as a sign for the local APIC; accesses never get to its content. */
	if (gpa == LAPIC_DEFAULT_BASE && hpa == s->ept->apic_access) {
		s->fine &= EXPECT_EQUAL(level, 1) & EXPECT_EQUAL(entry & EPT_EXECUTE, 0);
		return;
	}
	for (unsigned i = 0; i < s->boot->ram_count; i++)
		inside |= hpa >= s->boot->ram[i].address &&
			  last - s->boot->ram[i].address < s->boot->ram[i].size;
	for (unsigned i = 0; i < s->boot->own_count; i++)
		bad |= overlaps(hpa, last, s->boot->own[i].address, s->boot->own[i].size);
	if (inside && !bad)
		return;
	s->fine = false;
	selftest_note("gpa 0x%llx leads to host memory 0x%llx, level %u: %s", (unsigned long long)gpa,
		      (unsigned long long)hpa, level, bad ? "the hypervisor's own" : "not guest RAM");
}

static bool leaves_are_guest_ram(const struct boot *boot, const struct ept *ept, u64 at_least)
{
	struct survey survey = { .boot = boot, .ept = ept, .fine = true };

	ept_walk(ept, look_at, &survey);
	return EXPECT(survey.mapped >= at_least) &&
	       EXPECT_EQUAL(survey.leaves, ept->leaves[1] + ept->leaves[2] + ept->leaves[3]) && survey.fine;
}

/* ---- what EPT refuses ---- */

static bool refuses_own_memory(const struct boot *boot, struct ept *ept)
{
	const u64 gpa = 1ull << 40;
	static const u64 sizes[] = { PAGE_SIZE, 2 * PAGE_SIZE, 2 * MiB, GiB };
	u64 leaves = ept->leaves[1] + ept->leaves[2] + ept->leaves[3];
	bool fine = EXPECT(boot->own_count > 2) &
		    EXPECT(ept_map(ept, gpa, PAGE_SIZE, boot->ram[0].address, EPT_READ)) &
		    EXPECT(ept_unmap(ept, gpa, PAGE_SIZE)); /* it can tell yes from no */

	for (unsigned i = 0; i < boot->own_count; i++) {
		u64 first = boot->own[i].address, end = first + boot->own[i].size;

		for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++)
			fine &= EXPECT(!ept_map(ept, gpa, sizes[s], first, EPT_READ)) &
				EXPECT(!ept_map(ept, gpa, sizes[s], end - PAGE_SIZE, EPT_READ)) &
				EXPECT(!ept_map(ept, gpa, sizes[s], ALIGN_DOWN(first, sizes[s]), EPT_READ));
	}
	/* The first byte behind guest RAM, and the last one before. */
	for (unsigned i = 0; i < boot->ram_count; i++)
		fine &= EXPECT(!ept_map(ept, gpa, 2 * PAGE_SIZE,
					boot->ram[i].address + boot->ram[i].size - PAGE_SIZE, EPT_READ)) &
			EXPECT(!ept_map(ept, gpa, 2 * PAGE_SIZE, boot->ram[i].address - PAGE_SIZE, EPT_READ));
	fine &= EXPECT(
		!ept_map(ept, gpa, PAGE_SIZE, LAPIC_DEFAULT_BASE, EPT_READ)); /* the machine's own APIC */
	return EXPECT_EQUAL(ept->leaves[1] + ept->leaves[2] + ept->leaves[3], leaves) && fine;
}

static bool small_machine(const struct boot *boot)
{
	static const struct small_options ways[] = { { 0 }, { .small_pages = true }, { .no_apicv = true } };
	bool fine = true;

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		struct probe p;

		if (!probe_open(&p, boot, &ways[i], PROBE_64))
			return false;
		/* Once run, so that the APIC's page is where it is going to be. */
		fine &= EXPECT_EQUAL(PROBE(&p, 0x90), PROBE_FINE) &
			leaves_are_guest_ram(boot, &p.small->vm.ept, SMALL_RAM_SIZE) &
			refuses_own_memory(boot, &p.small->vm.ept);
		probe_close(&p);
	}
	return fine;
}

/* A region of somebody's that is not guest RAM: the guest is stopped, not let in. */
static bool a_wrong_region(const struct boot *boot)
{
	struct probe p;
	struct region region;
	u32 *secret = page_alloc(boot->pages), value = 0;

	if (!EXPECT(secret) || !probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	*secret = 0x5ec4e7;
	region_init_ram(&region, "wrong", PAGE_SIZE, secret);
	bool fine = EXPECT_EQUAL(region_add(&p.small->memory_root, 0xe0000000, &region, 0), 0);
	unsigned level;
	fine &= EXPECT_EQUAL(ept_lookup(&p.small->vm.ept, 0xe0000000, &level), 0) &&
		EXPECT_EQUAL(p.small->vm.stop, VM_FAULT) && probe_says(&p, "'wrong'");
	(void)value;
	region_remove(&region);
	mem_quiescent(&p.small->core);
	probe_close(&p);
	page_free(boot->pages, secret);
	return fine;
}

/* ---- a guest that looks ---- */

#define CANARY	    0xc0ffee5107ce5107ull
#define SCAN_TABLES 0x200000ull /* PML4, PDPT with 1 GiB pages or PDPTs and PDs of 2 MiB */
#define SCAN_CODE   0x300000ull
#define SCAN_OFFSET 0x7f8 /* in its page, where the canary is and where the guest looks */

struct rig {
	struct config config;
	struct boot boot;
	struct pc pc;
	bool asked;
};

static void ignore_interrupt(void *owner, u8 vector)
{
	(void)owner, (void)vector;
}

static bool hypercall(void *owner, struct vcpu *vcpu)
{
	struct rig *rig = owner;

	(void)vcpu;
	rig->asked = true;
	vm_stop(&rig->pc.vm, VM_QUIT);
	return true;
}

/* Identity-maps 512 GiB for the guest. */
static void put_tables(u8 *ram)
{
	u64 *pml4 = (u64 *)(ram + SCAN_TABLES), *pdpt = pml4 + 512;

	memset(pml4, 0, PAGE_SIZE);
	pml4[0] = (SCAN_TABLES + PAGE_SIZE) | 3;
	for (u64 i = 0; i < 512; i++)
		pdpt[i] = i * GiB | BIT(7) | 3;
}

/* How often the guest finds the canary in `pages` pages from `first` on, `step` apart. ~0: it came to another end. */
static u64 scan(struct rig *rig, u64 first, u64 pages, u64 step, u64 *where)
{
	static const struct vcpu_segment data = { .limit = ~0u, .access = 0xc093, .selector = 0x10 };
	const struct vcpu_state state = {
		.rip = SCAN_CODE,
		.rdi = first + SCAN_OFFSET,
		.rsi = pages,
		.rdx = step,
		.rbx = CANARY,
		.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE,
		.cr3 = SCAN_TABLES,
		.cr4 = CR4_PAE,
		.efer = EFER_LME | EFER_LMA,
		.cs = { .limit = ~0u, .access = 0xa09b, .selector = 0x08 },
		.data = data,
		.tr = { .limit = 0x67, .access = 0x8b, .selector = 0x20 },
		.ldtr = { .access = 0x10082 },
	};

	if (!pages)
		return 0;
	rig->asked = false;
	vcpu_reset(rig->pc.vm.vcpu, &state);
	enum vm_stop why = vcpu_run(rig->pc.vm.vcpu);
	if (why == VM_QUIT && rig->asked) {
		*where = vcpu_gpr(rig->pc.vm.vcpu)[R9];
		return vcpu_gpr(rig->pc.vm.vcpu)[R8];
	}
	selftest_note("the scan of %llu pages from 0x%llx ended: %d, %s", (unsigned long long)pages,
		      (unsigned long long)first, why, rig->pc.vm.fault);
	return ~0ull;
}

static bool finds(struct rig *rig, u64 first, u64 pages, u64 step, u64 expected)
{
	u64 where = 0, found = scan(rig, first, pages, step, &where);

	if (found == expected)
		return true;
	selftest_note("from 0x%llx: found %llu times, the last at 0x%llx; expected %llu times",
		      (unsigned long long)first, (unsigned long long)found, (unsigned long long)where,
		      (unsigned long long)expected);
	return false;
}

static bool the_board(const struct boot *boot)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	u8 *page = page_alloc(boot->pages), *heap = malloc(2 * PAGE_SIZE);
	static u64 in_data[2 * PAGE_SIZE / 8];
	bool fine = EXPECT(rig) && EXPECT(page) && EXPECT(heap);

	if (!fine)
		return false;
	rig->config = *boot->config;
	rig->config.edu = true;
	rig->boot = *boot;
	rig->boot.config = &rig->config;
	const struct pc_console console = { .host_interrupt = ignore_interrupt,
					    .hypercall = hypercall,
					    .owner = rig };
	fine = EXPECT(pc_create(&rig->pc, &rig->boot, &console, (const u8[ETHERNET_MAC]){ 2 }));
	u8 *ram = (u8 *)boot->ram[0].address;
	put_tables(ram);
	memcpy(ram + SCAN_CODE, guest_scan, (size_t)(guest_scan_end - guest_scan));
	/* In every kind of memory that the hypervisor has, at the same place in a page. */
	const u64 canary = CANARY;
	*(u64 *)(page + SCAN_OFFSET) = canary;
	*(u64 *)(ALIGN_UP((u64)heap, PAGE_SIZE) + SCAN_OFFSET) = canary;
	*(u64 *)(ALIGN_UP((u64)in_data, PAGE_SIZE) + SCAN_OFFSET) = canary;

	u64 ram_size = boot->config->memory, pages = ram_size / PAGE_SIZE,
	    physical = 1ull << vcpu_physical_bits(rig->pc.vm.vcpu);
	/* First that it would find one. */
	*(u64 *)(ram + 0x400000 + SCAN_OFFSET) = canary;
	fine = fine && finds(rig, 0, pages, PAGE_SIZE, 1);
	*(u64 *)(ram + 0x400000 + SCAN_OFFSET) = 0;
	fine = fine && finds(rig, 0, pages, PAGE_SIZE, 0);
	/* At the addresses that the hypervisor's memory has for itself; behind RAM; the PCI window; far out. */
	for (unsigned i = 0; fine && i < boot->own_count; i++)
		fine = finds(rig, boot->own[i].address, MIN(boot->own[i].size / PAGE_SIZE, 2048), PAGE_SIZE,
			     0);
	fine = fine && finds(rig, (u64)page, 1, PAGE_SIZE, 0) &&
	       finds(rig, ALIGN_UP((u64)heap, PAGE_SIZE), 1, PAGE_SIZE, 0) &&
	       finds(rig, ram_size, 256, PAGE_SIZE, 0) && finds(rig, 0xc0000000, 512, 2 * MiB, 0) &&
	       finds(rig, 0xfec00000, 1024, PAGE_SIZE, 0) &&
	       finds(rig, 4 * GiB, MIN(physical, 512 * GiB) / GiB - 4, GiB, 0);
	fine = fine && leaves_are_guest_ram(boot, &rig->pc.vm.ept, ram_size - MiB) &&
	       refuses_own_memory(boot, &rig->pc.vm.ept);
	*(u64 *)(page + SCAN_OFFSET) = 0;
	memset(ram + SCAN_TABLES, 0, SCAN_CODE + PAGE_SIZE - SCAN_TABLES);
	pc_destroy(&rig->pc);
	page_free(boot->pages, page);
	free(heap);
	free(rig);
	return fine;
}

static const struct selftest tests[] = {
	{ "EPT of the small machine leads to guest RAM only, and takes nothing else", small_machine },
	{ "a region that is not guest RAM is not mapped", a_wrong_region },
	{ "a guest on the real board finds nothing of the hypervisor", the_board },
};

const struct selftest_group test_isolation = SELFTEST_GROUP("isolation", tests);
