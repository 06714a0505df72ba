// SPDX-License-Identifier: BSD-2-Clause
/* From mode to mode and back by the guest itself, and the paging of each. Group `cpu` too. */
#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "tests/target/probe.h"

SMALL_GUEST(modes);

static bool travel(const struct boot *boot)
{
	static const struct small_options ways[] = { { 0 }, { .small_pages = true, .no_apicv = true } };
	bool fine = true;

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		struct small_vm *small = small_vm_create(boot, &ways[i]);

		if (!small)
			return false;
		const u32 *device = (const u32 *)small->registers;
		small_vm_load_real(small, guest_modes, guest_modes_end, 0x7c00);
		bool passed = EXPECT_EQUAL(small_vm_run(small), VM_POWERED_OFF) &&
			      EXPECT_EQUAL((u16)small->exit_value, 0x600d) &&
			      EXPECT_EQUAL(small->exit_value >> 16 & 1, 0);
		for (unsigned stage = 0; stage < 8; stage++)
			passed &= EXPECT_EQUAL(device[stage], 0x100 + stage);
		passed &= EXPECT_EQUAL(device[0x40 / 4], SMALL_DEVICE) &&
			  EXPECT_EQUAL(device[0x48 / 4] & 0x500, 0x500) &&
			  EXPECT_EQUAL(device[0x4c / 4] & 0x500, 0x100) && EXPECT_EQUAL(small->accesses, 11);
		if (!passed)
			selftest_note("%s", small->vm.fault);
		small_vm_destroy(small);
		fine &= passed;
	}
	return fine;
}

#define PDPT	  0x3000 /* the probe's own is not legal for PAE: bits 2 and 1 are reserved there */
#define MOV_CR0	  0x0f, 0x22, 0xc0
#define MOV_CR3	  0x0f, 0x22, 0xd8
#define MOV_CR4	  0x0f, 0x22, 0xe0
#define CR0_PAGED (CR0_PE | CR0_PG | CR0_ET | CR0_NE)

/* PAE paging: what a reserved bit in a PDPTE does, and when they are read again. */
static bool pdptes(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_32))
		return false;
	u64 *pdpt = (u64 *)(p.small->host + PDPT);
	bool fine = true;

	p.gpr[RAX] = CR4_PAE;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR4), PROBE_FINE);
	p.gpr[RAX] = PDPT;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR3), PROBE_FINE);
	p.gpr[RAX] = CR0_PAGED;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR0), VECTOR_GP); /* bits 1 and 2 */
	for (unsigned i = 0; i < 4; i++)
		pdpt[i] = (SMALL_TABLES + (2 + i) * PAGE_SIZE) | 1;
	/* The exit's way: CD is the hypervisor's, so this MOV is carried out by it. */
	pdpt[2] |= BIT(5);
	p.gpr[RAX] = CR0_PAGED | CR0_CD;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR0), VECTOR_GP);
	pdpt[2] &= ~BIT(5);
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR0), PROBE_FINE);
	p.gpr[RDI] = SMALL_DEVICE;
	p.gpr[RAX] = 0x600d;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x89, 0x07), PROBE_FINE) &&
		EXPECT_EQUAL(*(u32 *)p.small->registers, 0x600d);
	/* Not present: nothing changes until CR3 is loaded. The device's is number 3. */
	u64 kept = pdpt[3];
	pdpt[3] = 0;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x89, 0x07), PROBE_FINE);
	p.gpr[RAX] = PDPT;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR3), PROBE_FINE) &&
		EXPECT_EQUAL(PROBE(&p, 0x89, 0x07), VECTOR_PF) && EXPECT_EQUAL(p.cr2, SMALL_DEVICE) &&
		EXPECT_EQUAL(p.error, 2);
	/* Reserved: the load is refused, and what was there stays. */
	pdpt[3] = kept | BIT(8);
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR3), VECTOR_GP) && EXPECT_EQUAL(PROBE(&p, 0x89, 0x07), VECTOR_PF);
	pdpt[3] = kept;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR3), PROBE_FINE) &&
		EXPECT_EQUAL(PROBE(&p, 0x89, 0x07), PROBE_FINE);
	/* Paging off and on again with PAE gone in between is the table above. */
	p.gpr[RAX] = CR0_PE | CR0_ET | CR0_NE;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR0), PROBE_FINE);
	p.gpr[RAX] = 0;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR4), PROBE_FINE);
	probe_close(&p);
	return fine;
}

/* Into long mode: PAE must be on; CR0.PG with LME and without PAE is #GP. Out of it: EFER.LME cannot change under paging. */
static bool long_mode_rules(const struct boot *boot)
{
	struct probe p;
	u64 value = 0;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_32))
		return false;
	bool fine = true;
	p.gpr[RCX] = 0xc0000080;
	p.gpr[RAX] = EFER_LME;
	p.gpr[RDX] = 0;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x0f, 0x30), PROBE_FINE);
	p.gpr[RAX] = SMALL_TABLES;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR3), PROBE_FINE);
	p.gpr[RAX] = CR0_PAGED;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR0), VECTOR_GP);
	p.gpr[RAX] = CR0_PAGED | CR0_CD;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR0), VECTOR_GP);
	/* By the hypervisor's hand into compatibility mode, out of it, and the device in it. */
	p.gpr[RAX] = CR4_PAE;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR4), PROBE_FINE);
	p.gpr[RAX] = CR0_PAGED | CR0_CD;
	p.gpr[RDI] = SMALL_DEVICE;
	/* mov cr0, eax; mov [edi], eax; rdmsr; mov [edi + 4], eax; mov eax, ebx; mov cr0, eax; rdmsr */
	p.gpr[RBX] = CR0_PE | CR0_ET | CR0_NE;
	fine &= EXPECT_EQUAL(PROBE(&p, MOV_CR0, 0x89, 0x07, 0x0f, 0x32, 0x89, 0x47, 0x04, 0x89, 0xd8, MOV_CR0,
				   0x0f, 0x32),
			     PROBE_FINE) &&
		EXPECT_EQUAL(((u32 *)p.small->registers)[0], (u32)(CR0_PAGED | CR0_CD)) &&
		EXPECT_EQUAL(((u32 *)p.small->registers)[1], EFER_LME | EFER_LMA) &&
		EXPECT_EQUAL(p.gpr[RAX], EFER_LME);
	probe_close(&p);
	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	fine &= EXPECT_EQUAL(probe_wrmsr(&p, 0xc0000080, 0), VECTOR_GP) &&
		EXPECT_EQUAL(probe_rdmsr(&p, 0xc0000080, &value), PROBE_FINE) &&
		EXPECT_EQUAL(value, EFER_LME | EFER_LMA);
	probe_close(&p);
	return fine;
}

static const struct selftest tests[] = {
	{ "a guest goes through all modes and back, with a device in each", travel },
	{ "PAE: the PDPTEs are checked, and loaded when they are loaded", pdptes },
	{ "the rules of entering long mode and leaving it", long_mode_rules },
};

const struct selftest_group test_modes = SELFTEST_GROUP("cpu", tests);
