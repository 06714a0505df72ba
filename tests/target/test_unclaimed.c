// SPDX-License-Identifier: BSD-2-Clause
/* What an access that nobody answers does: by the policy that the table gives to the place, in memory and at ports. */
#include "arch/vcpu_internal.h"
#include "tests/target/probe.h"

#define PATTERN 0x5a5a5a5a5a5a5a5aull

/* mov eax, [rdi]; mov [rdi], eax; add [rdi], eax */
#define LOAD	 0x8b, 0x07
#define STORE	 0x89, 0x07
#define READ_ADD 0x01, 0x07

static bool reads_as(struct probe *p, u64 gpa, u32 expected)
{
	u64 unclaimed = p->vcpu->unclaimed;
	bool fine = true;

	p->gpr[RDI] = gpa;
	p->gpr[RAX] = PATTERN;
	fine &= EXPECT_EQUAL(PROBE(p, LOAD), PROBE_FINE) && EXPECT_EQUAL(p->gpr[RAX], expected);
	p->gpr[RAX] = PATTERN;
	fine &= EXPECT_EQUAL(PROBE(p, 0x8a, 0x07), PROBE_FINE) /* mov al, [rdi] */
		&& EXPECT_EQUAL(p->gpr[RAX], (PATTERN & ~0xffull) | (expected & 0xff));
	/* Again: by now the short way of known instructions is taken. */
	fine &= EXPECT_EQUAL(PROBE(p, LOAD), PROBE_FINE) && EXPECT_EQUAL((u32)p->gpr[RAX], expected);
	fine &= EXPECT_EQUAL(PROBE(p, STORE), PROBE_FINE);
	fine &= EXPECT_EQUAL(PROBE(p, LOAD), PROBE_FINE) && EXPECT_EQUAL((u32)p->gpr[RAX], expected);
	p->gpr[RAX] = 1;
	fine &= EXPECT_EQUAL(PROBE(p, READ_ADD), PROBE_FINE) &&
		EXPECT_EQUAL(!!(p->flags & RFLAGS_ZF), expected + 1 == 0);
	/* The counter goes up with each part: 5 plain accesses, 2 of the addition. */
	return EXPECT_EQUAL(p->vcpu->unclaimed - unclaimed, 7) && fine;
}

static bool quiet_places(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	bool fine = reads_as(&p, SMALL_ONES, ~0u);
	fine &= reads_as(&p, SMALL_ZEROS, 0);
	/* Far out, and right behind RAM. */
	fine &= reads_as(&p, SMALL_RAM_SIZE, ~0u) && reads_as(&p, 0xffffff00, ~0u);
	probe_close(&p);
	return fine;
}

static bool faults(struct probe *p, const u8 *code, size_t length, u64 gpa)
{
	p->gpr[RDI] = gpa;
	p->gpr[RAX] = PATTERN;
	return EXPECT_EQUAL(probe_run(p, code, length), VECTOR_GP) && EXPECT_EQUAL(p->error, 0) &&
	       EXPECT_EQUAL(p->rip, SMALL_CODE) && EXPECT_EQUAL(p->gpr[RAX], PATTERN);
}

static bool fault_places(const struct boot *boot)
{
	static const u8 load[] = { LOAD }, store[] = { STORE }, add[] = { READ_ADD };
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	bool fine = true;
	/* Twice: an instruction that faulted is not remembered as one that works. */
	for (unsigned i = 0; i < 2; i++)
		fine &= faults(&p, load, sizeof(load), SMALL_FAULT) &
			faults(&p, store, sizeof(store), SMALL_FAULT) &
			faults(&p, add, sizeof(add), SMALL_FAULT);
	/* One that is remembered from a place where it worked. */
	p.gpr[RDI] = SMALL_DEVICE;
	fine &= EXPECT_EQUAL(PROBE(&p, LOAD), PROBE_FINE) & EXPECT_EQUAL(PROBE(&p, LOAD), PROBE_FINE);
	fine &= faults(&p, load, sizeof(load), SMALL_FAULT);
	probe_close(&p);
	return fine;
}

static bool stops(const struct boot *boot, const u8 *code, size_t length, u64 where, const char *text)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	p.gpr[RDI] = p.gpr[RDX] = where;
	bool fine = EXPECT_EQUAL(probe_run(&p, code, length), PROBE_STOPPED) &&
		    EXPECT_EQUAL(p.small->vm.stop, VM_FAULT) && probe_says(&p, text) &&
		    probe_says(&p, "rip 0x100000");
	probe_close(&p);
	return fine;
}

static bool stop_places(const struct boot *boot)
{
	static const u8 load[] = { LOAD }, store[] = { STORE }, in[] = { 0xec }, out[] = { 0xef };

	return stops(boot, load, sizeof(load), SMALL_STOP, "0xd0005000") &
	       stops(boot, store, sizeof(store), SMALL_STOP + 8, "0xd0005008") &
	       stops(boot, in, sizeof(in), SMALL_PORT_STOP, "port 0x220") &
	       stops(boot, out, sizeof(out), SMALL_PORT_STOP + 4, "port 0x224");
}

/* IN of 1, 2 and 4 bytes: only the last clears the upper half of RAX. */
static bool ports_read(struct probe *p, u16 port, u64 expected)
{
	bool fine = true;

	p->gpr[RDX] = port;
	p->gpr[RAX] = PATTERN;
	fine &= EXPECT_EQUAL(PROBE(p, 0xec), PROBE_FINE) &&
		EXPECT_EQUAL(p->gpr[RAX], (PATTERN & ~0xffull) | (expected & 0xff));
	p->gpr[RAX] = PATTERN;
	fine &= EXPECT_EQUAL(PROBE(p, 0x66, 0xed), PROBE_FINE) &&
		EXPECT_EQUAL(p->gpr[RAX], (PATTERN & ~0xffffull) | (expected & 0xffff));
	p->gpr[RAX] = PATTERN;
	fine &= EXPECT_EQUAL(PROBE(p, 0xed), PROBE_FINE) && EXPECT_EQUAL(p->gpr[RAX], (u32)expected);
	return EXPECT_EQUAL(PROBE(p, 0xee), PROBE_FINE) && EXPECT_EQUAL(PROBE(p, 0xef), PROBE_FINE) && fine;
}

static bool ports(const struct boot *boot)
{
	struct probe p;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	bool fine = ports_read(&p, SMALL_PORT_ONES, ~0ull) & ports_read(&p, SMALL_PORT_ZEROS, 0) &
		    ports_read(&p, 0xfffc, ~0ull);
	p.gpr[RDX] = SMALL_PORT_FAULT;
	p.gpr[RAX] = PATTERN;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xec), VECTOR_GP) && EXPECT_EQUAL(p.rip, SMALL_CODE) &&
		EXPECT_EQUAL(p.gpr[RAX], PATTERN);
	fine &= EXPECT_EQUAL(PROBE(&p, 0xef), VECTOR_GP) && EXPECT_EQUAL(p.error, 0);
	probe_close(&p);
	return fine;
}

/* INS and OUTS, one element and many. */
static bool port_strings(const struct boot *boot)
{
	struct probe p;
	u8 mask;

	if (!probe_open(&p, boot, &(struct small_options){ 0 }, PROBE_64))
		return false;
	u8 *data = p.small->host + SMALL_DATA;
	bool fine = EXPECT_EQUAL(probe_out(&p, 0x21, 0xa7), PROBE_FINE) &&
		    EXPECT_EQUAL(probe_in(&p, 0x21, &mask), PROBE_FINE) && EXPECT_EQUAL(mask, 0xa7);
	p.gpr[RDX] = 0x21;
	p.gpr[RDI] = SMALL_DATA;
	p.gpr[RAX] = PATTERN;
	fine &= EXPECT_EQUAL(PROBE(&p, 0x6c), PROBE_FINE) && EXPECT_EQUAL(data[0], 0xa7) &&
		EXPECT_EQUAL(data[1], 0) && EXPECT_EQUAL(p.gpr[RDI], SMALL_DATA + 1) &&
		EXPECT_EQUAL(p.gpr[RAX], PATTERN);
	p.gpr[RCX] = 200; /* more than are done in one exit */
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf3, 0x6c), PROBE_FINE) && EXPECT_EQUAL(data[200], 0xa7) &&
		EXPECT_EQUAL(data[201], 0) && EXPECT_EQUAL(p.gpr[RCX], 0);
	p.gpr[RDX] = SMALL_NOTE_PORT;
	p.gpr[RSI] = SMALL_DATA;
	p.gpr[RCX] = 100;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf3, 0x6e), PROBE_FINE) && EXPECT_EQUAL(p.small->notes, 100) &&
		EXPECT_EQUAL(p.gpr[RSI], SMALL_DATA + 100);
	p.gpr[RDX] = SMALL_PORT_FAULT;
	p.gpr[RCX] = 3;
	fine &= EXPECT_EQUAL(PROBE(&p, 0xf3, 0x6e), VECTOR_GP) && EXPECT_EQUAL(p.gpr[RCX], 3);
	/* The memory side faults: the port is not touched by the OUTS that cannot read. */
	p.gpr[RDX] = SMALL_NOTE_PORT;
	p.gpr[RSI] = 0x8000000000; /* in no page table */
	fine &= EXPECT_EQUAL(PROBE(&p, 0x6e), VECTOR_PF) && EXPECT_EQUAL(p.cr2, 0x8000000000) &&
		EXPECT_EQUAL(p.small->notes, 100);
	probe_close(&p);
	return fine;
}

static const struct selftest tests[] = {
	{ "unclaimed memory reads as ones or zeros, and drops writes", quiet_places },
	{ "unclaimed memory can fault in the guest", fault_places },
	{ "unclaimed memory and ports can stop the guest, and say where", stop_places },
	{ "unclaimed ports follow their policy", ports },
	{ "string port instructions move what single ones would", port_strings },
};

const struct selftest_group test_unclaimed = SELFTEST_GROUP("unclaimed", tests);
