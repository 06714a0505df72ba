// SPDX-License-Identifier: BSD-2-Clause
/*
 * Around the single instruction: what is remembered of it and must be forgotten, accesses that are half on a device, many
 * iterations, faults in the middle, and what is not carried out at all. Group `insn` too.
 */
#include <string.h>

#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "tests/target/probe.h"

/* A page table of the test's own, for linear 0x10000000 on. */
#define LINEAR	  0x10000000ull
#define GPA_TABLE 0x500000
#define GPA_CODE  0x510000

#define STORE_EAX  0x89, 0x07 /* mov [rdi], eax */
#define STORE_EBX  0x89, 0x1f
#define LOAD_EAX   0x8b, 0x07
#define INVLPG_RDX 0x0f, 0x01, 0x3a

static void map_page(struct probe *p, unsigned page, u64 gpa, u64 flags)
{
	((u64 *)(p->small->host + GPA_TABLE))[page] = gpa | flags;
	p->vcpu->todo |= TODO_FLUSH;
}

static bool open_mapped(struct probe *p, const struct boot *boot)
{
	if (!probe_open(p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	((u64 *)(p->small->host + SMALL_TABLES + 2 * PAGE_SIZE))[LINEAR >> 21] = GPA_TABLE | 7;
	return true;
}

static bool changed_code(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	const u64 *device = (const u64 *)p.small->registers;
	bool fine = true;

	p.gpr[RDI] = SMALL_DEVICE;
	p.gpr[RAX] = 0xaaaaaaaa;
	p.gpr[RBX] = 0xbbbbbbbb;
	for (unsigned i = 0; i < 3; i++)
		fine &= EXPECT_EQUAL(PROBE(&p, STORE_EAX), PROBE_FINE) && EXPECT_EQUAL(*device, 0xaaaaaaaa);
	/* Other register, width, offset, direction, length: at the same address each time. */
	fine &= EXPECT_EQUAL(PROBE(&p, STORE_EBX), PROBE_FINE) && EXPECT_EQUAL(*device, 0xbbbbbbbb);
	fine &= EXPECT_EQUAL(PROBE(&p, STORE_EAX), PROBE_FINE) && EXPECT_EQUAL(*device, 0xaaaaaaaa);
	fine &= EXPECT_EQUAL(PROBE(&p, 0x88, 0x1f), PROBE_FINE) && EXPECT_EQUAL(*device, 0xaaaaaabb);
	fine &= EXPECT_EQUAL(PROBE(&p, 0x89, 0x5f, 0x04), PROBE_FINE) &&
		EXPECT_EQUAL(*device, 0xbbbbbbbbaaaaaabb);
	fine &= EXPECT_EQUAL(PROBE(&p, LOAD_EAX), PROBE_FINE) && EXPECT_EQUAL(p.gpr[RAX], 0xaaaaaabb);
	fine &= EXPECT_EQUAL(PROBE(&p, 0xc7, 0x07, 1, 2, 3, 4), PROBE_FINE) &&
		EXPECT_EQUAL((u32)*device, 0x04030201);
	fine &= EXPECT_EQUAL(PROBE(&p, 0xc7, 0x07, 1, 2, 3, 5), PROBE_FINE) &&
		EXPECT_EQUAL((u32)*device, 0x05030201);
	/* The last of many bytes: 10 of them, so that they are not compared as one word. */
	fine &= EXPECT_EQUAL(PROBE(&p, 0x48, 0xc7, 0x87, 8, 0, 0, 0, 1, 2, 3, 4), PROBE_FINE) &&
		EXPECT_EQUAL(device[1], 0x04030201);
	fine &= EXPECT_EQUAL(PROBE(&p, 0x48, 0xc7, 0x87, 8, 0, 0, 0, 1, 2, 3, 6), PROBE_FINE) &&
		EXPECT_EQUAL(device[1], 0x06030201);
	/* By the guest itself: mov [rdi], eax; then it makes that mov [rdi], ebx, and jumps back, once. */
	static const u8 modifies[] = {
		0x89, 0x07,				  /* mov [rdi], eax */
		0xff, 0xce,				  /* dec esi */
		0x74, 0x09,				  /* jz the end */
		0xc6, 0x05, 0xf4, 0xff, 0xff, 0xff, 0x1f, /* mov byte [rip - 12], 0x1f */
		0xeb, 0xf1,				  /* jmp to the start */
	};
	p.gpr[RAX] = 0xaaaaaaaa;
	p.gpr[RSI] = 3;
	fine &= EXPECT_EQUAL(probe_run(&p, modifies, sizeof(modifies)), PROBE_FINE) &&
		EXPECT_EQUAL((u32)*device, 0xbbbbbbbb);
	probe_close(&p);
	return fine;
}

/* The instruction moves away under its linear address; then its operand does. */
static bool changed_tables(const struct boot *boot)
{
	static const u8 code[2][8] = { { STORE_EAX, INVLPG_RDX, 0xe6, SMALL_EXIT_PORT },
				       { STORE_EBX, INVLPG_RDX, 0xe6, SMALL_EXIT_PORT } };
	struct probe p;

	if (!open_mapped(&p, boot))
		return false;
	u64 *table = (u64 *)(p.small->host + GPA_TABLE);
	const u32 *device = (const u32 *)p.small->registers;
	bool fine = true;

	for (unsigned i = 0; i < 2; i++)
		memcpy(p.small->host + GPA_CODE + i * PAGE_SIZE, code[i], sizeof(code[i]));
	map_page(&p, 0, GPA_CODE, 7);
	map_page(&p, 1, SMALL_DEVICE, 7);
	map_page(&p, 2, GPA_CODE + PAGE_SIZE, 7);
	p.gpr[RAX] = 0xaaaaaaaa;
	p.gpr[RBX] = 0xbbbbbbbb;
	p.gpr[RDX] =
		LINEAR; /* what the guest invalidates at its end, so the flush above is not needed any more */
	p.gpr[RDI] = LINEAR + PAGE_SIZE;
	for (unsigned i = 0; i < 3; i++)
		fine &= EXPECT_EQUAL(probe_start(&p, LINEAR), PROBE_FINE) &&
			EXPECT_EQUAL(*device, 0xaaaaaaaa);
	table[0] = (GPA_CODE + PAGE_SIZE) | 7;
	fine &= EXPECT_EQUAL(probe_start(&p, LINEAR), PROBE_FINE) && EXPECT_EQUAL(*device, 0xbbbbbbbb);
	table[0] = GPA_CODE | 7;
	fine &= EXPECT_EQUAL(probe_start(&p, LINEAR), PROBE_FINE) && EXPECT_EQUAL(*device, 0xaaaaaaaa);
	/* A level further up: the whole table is another one. */
	u64 *other = (u64 *)(p.small->host + GPA_TABLE + PAGE_SIZE);
	memcpy(other, table, PAGE_SIZE);
	other[0] = (GPA_CODE + PAGE_SIZE) | 7;
	((u64 *)(p.small->host + SMALL_TABLES + 2 * PAGE_SIZE))[LINEAR >> 21] = (GPA_TABLE + PAGE_SIZE) | 7;
	fine &= EXPECT_EQUAL(probe_start(&p, LINEAR), PROBE_FINE) && EXPECT_EQUAL(*device, 0xbbbbbbbb);
	((u64 *)(p.small->host + SMALL_TABLES + 2 * PAGE_SIZE))[LINEAR >> 21] = GPA_TABLE | 7;
	p.gpr[RDX] = LINEAR + PAGE_SIZE;
	fine &= EXPECT_EQUAL(probe_start(&p, LINEAR), PROBE_FINE);
	/* The operand: from the device to the doorbell, to RAM, and back. */
	table[1] = SMALL_DOORBELL | 7;
	u32 accesses = p.small->accesses;
	fine &= EXPECT_EQUAL(probe_start(&p, LINEAR), PROBE_FINE) && EXPECT_EQUAL(p.small->rings, 1);
	table[1] = SMALL_DATA | 7;
	fine &= EXPECT_EQUAL(probe_start(&p, LINEAR), PROBE_FINE) &&
		EXPECT_EQUAL(*(u32 *)(p.small->host + SMALL_DATA), 0xaaaaaaaa);
	fine &= EXPECT_EQUAL(p.small->rings, 1) && EXPECT_EQUAL(p.small->accesses, accesses);
	table[1] = SMALL_DEVICE | 7;
	fine &= EXPECT_EQUAL(probe_start(&p, LINEAR), PROBE_FINE) &&
		EXPECT_EQUAL(p.small->accesses, accesses + 1);
	probe_close(&p);
	return fine;
}

/* RAM, device, RAM in a row: accesses that begin on one and end on another. */
static bool half_on_a_device(const struct boot *boot)
{
	struct probe p;

	if (!open_mapped(&p, boot))
		return false;
	u8 *before = p.small->host + SMALL_DATA, *after = before + PAGE_SIZE, *device = p.small->registers;
	bool fine = true;

	map_page(&p, 0, SMALL_DATA, 7);
	map_page(&p, 1, SMALL_DEVICE, 7);
	map_page(&p, 2, SMALL_DATA + PAGE_SIZE, 7);
	for (unsigned round = 0; round < 2; round++) {
		p.gpr[RAX] = 0x8877665544332211 + round;
		p.gpr[RDI] = LINEAR + PAGE_SIZE - 3;
		fine &= EXPECT_EQUAL(PROBE(&p, 0x48, STORE_EAX), PROBE_FINE) &&
			EXPECT_EQUAL(before[PAGE_SIZE - 3], 0x11 + round) &&
			EXPECT_EQUAL(*(u32 *)device, 0x77665544) && EXPECT_EQUAL(device[4], 0x88);
		p.gpr[RAX] = 0;
		fine &= EXPECT_EQUAL(PROBE(&p, 0x48, LOAD_EAX), PROBE_FINE) &&
			EXPECT_EQUAL(p.gpr[RAX], 0x8877665544332211 + round);
		p.gpr[RDI] = LINEAR + 2 * PAGE_SIZE - 5;
		fine &= EXPECT_EQUAL(PROBE(&p, 0x48, STORE_EAX), PROBE_FINE) &&
			EXPECT_EQUAL(device[PAGE_SIZE - 1], 0x55) && EXPECT_EQUAL(after[0], 0x66) &&
			EXPECT_EQUAL(after[2], 0x88) && EXPECT_EQUAL(after[3], 0);
		p.gpr[RAX] = 1;
		fine &= EXPECT_EQUAL(PROBE(&p, 0x48, 0x01, 0x07), PROBE_FINE); /* add [rdi], rax */
		fine &= EXPECT_EQUAL(device[PAGE_SIZE - 5], 0x12 + round) && EXPECT_EQUAL(after[0], 0x66);
		device[0] = device[4] = 0;
	}
	/* The second half is not there, or not writable: #PF with its address, and nothing is done. */
	memset(device, 0, PAGE_SIZE);
	p.small->accesses = 0;
	map_page(&p, 2, 0, 0);
	fine &= EXPECT_EQUAL(PROBE(&p, 0x48, STORE_EAX), VECTOR_PF) &&
		EXPECT_EQUAL(p.cr2, LINEAR + 2 * PAGE_SIZE) && EXPECT_EQUAL(p.error, 2) &&
		EXPECT_EQUAL(p.small->accesses, 0);
	map_page(&p, 2, SMALL_DATA, 5);
	fine &= EXPECT_EQUAL(PROBE(&p, 0x48, STORE_EAX), VECTOR_PF) &&
		EXPECT_EQUAL(p.cr2, LINEAR + 2 * PAGE_SIZE) && EXPECT_EQUAL(p.error, 3) &&
		EXPECT_EQUAL(p.small->accesses, 0);
	/* From user mode, into a page of the kernel. */
	map_page(&p, 2, SMALL_DATA, 3);
	p.user = true;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x48, STORE_EAX), VECTOR_PF) && EXPECT_EQUAL(p.error, 7) &&
		EXPECT_EQUAL(p.small->accesses, 0);
	p.gpr[RDI] = LINEAR + PAGE_SIZE;
	fine &= EXPECT_EQUAL(PROBE(&p, STORE_EAX), PROBE_FINE) && EXPECT_EQUAL(p.small->accesses, 1);
	probe_close(&p);
	return fine;
}

static bool repeated(const struct boot *boot)
{
	struct probe p;

	if (!open_mapped(&p, boot))
		return false;
	u8 *ram = p.small->host + SMALL_DATA, *device = p.small->registers;
	bool fine = true;

	map_page(&p, 0, SMALL_DATA, 7);
	map_page(&p, 1, SMALL_DEVICE, 7);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		ram[i] = i * 7;
	/* rep movsb of 1000 bytes to the device, far more than one exit does; each byte once. */
	p.gpr[RSI] = LINEAR;
	p.gpr[RDI] = LINEAR + PAGE_SIZE + 1;
	p.gpr[RCX] = 1000;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf3, 0xa4), PROBE_FINE) && EXPECT_EQUAL(p.gpr[RCX], 0) &&
		EXPECT_EQUAL(p.gpr[RSI], LINEAR + 1000) &&
		EXPECT_EQUAL(p.gpr[RDI], LINEAR + PAGE_SIZE + 1001) &&
		EXPECT(memcmp(device + 1, ram, 1000) == 0) && EXPECT_EQUAL(device[1001], 0) &&
		EXPECT_EQUAL(p.small->accesses, 1000);
	/* Backwards, from the device to RAM: rep movsd with DF. */
	p.gpr[RSI] = LINEAR + PAGE_SIZE + 1 + 996;
	p.gpr[RDI] = LINEAR + 2000 + 996;
	p.gpr[RCX] = 250;
	p.rflags = RFLAGS_DF;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf3, 0xa5), PROBE_FINE) && EXPECT_EQUAL(p.gpr[RCX], 0) &&
		EXPECT(memcmp(ram + 2000, device + 1, 1000) == 0);
	p.rflags = 0;
	/* From RAM on into the device: the processor does the first part, and the last store lies across. */
	p.gpr[RAX] = 0x0807060504030201;
	p.gpr[RDI] = LINEAR + PAGE_SIZE - 4 - 16;
	p.gpr[RCX] = 10;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf3, 0x48, 0xab), PROBE_FINE) && EXPECT_EQUAL(p.gpr[RCX], 0) &&
		EXPECT_EQUAL(*(u32 *)(ram + PAGE_SIZE - 4), 0x04030201) &&
		EXPECT_EQUAL(*(u32 *)device, 0x08070605) &&
		EXPECT_EQUAL(*(u64 *)(device + 52), 0x0807060504030201) &&
		EXPECT_EQUAL(p.gpr[RDI], LINEAR + PAGE_SIZE + 60);
	/* Off the device's end into a page that is not there: what was done is done, the rest can be resumed. */
	p.gpr[RDI] = LINEAR + 2 * PAGE_SIZE - 8;
	p.gpr[RCX] = 4;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf3, 0xab), VECTOR_PF) &&
		EXPECT_EQUAL(p.cr2, LINEAR + 2 * PAGE_SIZE) && EXPECT_EQUAL(p.gpr[RCX], 2) &&
		EXPECT_EQUAL(p.gpr[RDI], LINEAR + 2 * PAGE_SIZE) && EXPECT_EQUAL(p.rip, SMALL_CODE);
	/* Nothing to do. */
	p.gpr[RDI] = LINEAR + PAGE_SIZE;
	p.gpr[RCX] = 0;
	p.small->accesses = 0;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf3, 0xab), PROBE_FINE) && EXPECT_EQUAL(p.small->accesses, 0);
	probe_close(&p);
	return fine;
}

static bool refuses(const struct boot *boot, const u8 *code, size_t length, const char *bytes,
		    const char *name)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	p.gpr[RAX] = CR4_PAE | CR4_OSFXSR;
	bool fine = EXPECT_EQUAL(PROBE(&p, 0x0f, 0x22, 0xe0), PROBE_FINE); /* mov cr4, rax */
	p.gpr[RDI] = SMALL_DEVICE + 0x20;
	fine &= EXPECT_EQUAL(probe_run(&p, code, length), PROBE_STOPPED) &&
		EXPECT_EQUAL(p.small->vm.stop, VM_FAULT) && probe_says(&p, "gpa 0xd0000020") &&
		probe_says(&p, "'device'") && probe_says(&p, "rip 0x100000") && probe_says(&p, bytes) &&
		probe_says(&p, name) && EXPECT_EQUAL(p.small->accesses, 0);
	/* On RAM the same instruction works: it is the device that makes the difference. */
	p.gpr[RDI] = SMALL_DATA;
	fine &= EXPECT_EQUAL(probe_run(&p, code, length), PROBE_FINE);
	probe_close(&p);
	return fine;
}

static bool unsupported(const struct boot *boot)
{
	static const u8 movaps[] = { 0x0f, 0x29, 0x07 }, movdqu[] = { 0xf3, 0x0f, 0x6f, 0x07 },
			push[] = { 0xff, 0x37 }, fnstcw[] = { 0xd9, 0x3f }, shl[] = { 0xc1, 0x27, 0x03 };

	return refuses(boot, movaps, sizeof(movaps), "0f 29 07", "movaps") &
	       refuses(boot, movdqu, sizeof(movdqu), "f3 0f 6f 07", "SSE") &
	       refuses(boot, push, sizeof(push), "ff 37", "push") &
	       refuses(boot, fnstcw, sizeof(fnstcw), "d9 3f", "x87") &
	       refuses(boot, shl, sizeof(shl), "c1 27 03", "");
}

static const struct selftest tests[] = {
	{ "an instruction that was changed is carried out as it is now", changed_code },
	{ "paging that was changed leads where it leads now", changed_tables },
	{ "an access that is half on a device does both halves, or none", half_on_a_device },
	{ "repeated strings do each element once", repeated },
	{ "what is not carried out stops the guest, and is named", unsupported },
};

const struct selftest_group test_mmio = SELFTEST_GROUP("insn", tests);
