// SPDX-License-Identifier: BSD-2-Clause
/* The guest's time: its TSC, and the local APIC's timer in each mode, by a guest that notes when its ticks came. */
#include <string.h>

#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "tests/target/probe.h"

SMALL_GUEST(timer);
extern const u8 guest_timer_tick[], guest_timer_busy[];

#define VECTOR	 0x40
#define ONE_SHOT 0u
#define PERIODIC (1u << 17)
#define DEADLINE (2u << 17)
#define TICKS	 40

/*
 * As late as a tick's handler may begin, in instructions: the exit, the entry, the delivery, and what the machine's own
 * interrupts take in between. On real hardware a tick is less than an instruction here and there; the bound is generous.
 * Below another hypervisor each exit passes it twice, which in an emulator takes some 10,000 instructions.
 */
#define LATE (nested() ? 100000u : 20000u)
/* What one run of a snippet may take, from the outside. */
#define RUN (nested() ? 120000u : 60000u)

static bool nested(void)
{
	return cpuid(1, 0).ecx & BIT(31);
}

static const struct small_options ways[] = {
	{ .x2apic = false },
	{ .x2apic = true },
	{ .no_apicv = true },
	{ .no_apicv = true, .x2apic = true },
};

struct clockwork {
	struct probe p;
	bool x2apic;
};

static int apic_write(struct clockwork *c, u32 reg, u32 value)
{
	if (c->x2apic)
		return probe_wrmsr(&c->p, LAPIC_MSR_X2APIC + reg / 16, value);
	return probe_store32(&c->p, LAPIC_DEFAULT_BASE + reg, value);
}

static u32 apic_read(struct clockwork *c, u32 reg)
{
	u64 wide = 0;
	u32 value = 0;

	if (c->x2apic)
		return probe_rdmsr(&c->p, LAPIC_MSR_X2APIC + reg / 16, &wide) == PROBE_FINE ? (u32)wide : 0;
	probe_load32(&c->p, LAPIC_DEFAULT_BASE + reg, &value);
	return value;
}

static bool open_clock(struct clockwork *c, const struct boot *boot, const struct small_options *options,
		       u32 mode)
{
	*c = (struct clockwork){ 0 };
	if (!probe_open(&c->p, boot, options, PROBE_64))
		return false;
	u64 handler = SMALL_CODE + PAGE_SIZE + (u64)(guest_timer_tick - guest_timer);
	u64 *gate = (u64 *)(c->p.small->host + PROBE_IDT + VECTOR * 16);
	bool fine = true;

	memcpy(c->p.small->host + SMALL_CODE + PAGE_SIZE, guest_timer,
	       (size_t)(guest_timer_end - guest_timer));
	*gate = (handler & 0xffff) | 0x08ull << 16 | 0x8e00ull << 32 | (handler >> 16) << 48;
	if (options->x2apic)
		fine &= EXPECT_EQUAL(probe_wrmsr(&c->p, LAPIC_MSR_BASE, LAPIC_DEFAULT_BASE | 0xd00),
				     PROBE_FINE);
	c->x2apic = options->x2apic;
	return EXPECT_EQUAL(apic_write(c, LAPIC_SVR, 0x1ff), PROBE_FINE) &
	       EXPECT_EQUAL(apic_write(c, LAPIC_DIVIDE, 0xb), PROBE_FINE) &
	       EXPECT_EQUAL(apic_write(c, LAPIC_LVT_TIMER, mode | VECTOR), PROBE_FINE) & fine;
}

/* The guest of guest_timer.S from `entry` on. */
static int run(struct clockwork *c, const u8 *entry, u64 count, u64 period, u64 deadline)
{
	u64 *gpr = c->p.gpr;

	gpr[RBX] = count;
	gpr[R8] = SMALL_DATA;
	gpr[R9] = 0;
	gpr[R10] = period;
	gpr[R11] = deadline;
	gpr[R12] = c->x2apic;
	return probe_start(&c->p, SMALL_CODE + PAGE_SIZE + (u64)(entry - guest_timer));
}

static u64 tick(const struct clockwork *c, unsigned n)
{
	return ((const u64 *)(c->p.small->host + SMALL_DATA))[n];
}

static u64 guest_tsc(struct clockwork *c)
{
	return rdtsc() + c->p.vcpu->tsc_offset;
}

static bool in_time(u64 found, u64 due)
{
	if (found >= due && found - due <= LATE)
		return true;
	selftest_note("a tick due at %llu came at %llu: %lld", (unsigned long long)due,
		      (unsigned long long)found, (long long)(found - due));
	return false;
}

static bool in_every_way(const struct boot *boot, u32 mode,
			 bool (*check)(struct clockwork *c, const struct boot *boot))
{
	bool fine = true;

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		struct clockwork c;
		bool passed = open_clock(&c, boot, &ways[i], mode) && check(&c, boot);

		if (!passed)
			selftest_note("with apicv %s, %s: %s", ways[i].no_apicv ? "off" : "on",
				      ways[i].x2apic ? "x2APIC" : "xAPIC",
				      c.p.small ? c.p.small->vm.fault : "");
		if (c.p.small)
			probe_close(&c.p);
		fine &= passed;
	}
	return fine;
}

static bool check_deadline(struct clockwork *c, const struct boot *boot)
{
	const u64 period = boot->tsc_hz / 500;
	u64 first = guest_tsc(c) + 4 * RUN, value = 1;
	bool fine = EXPECT_EQUAL(probe_wrmsr(&c->p, IA32_TSC_DEADLINE, first), PROBE_FINE) &&
		    EXPECT_EQUAL(probe_rdmsr(&c->p, IA32_TSC_DEADLINE, &value), PROBE_FINE) &&
		    EXPECT_EQUAL(value, first);

	fine &= EXPECT_EQUAL(run(c, guest_timer, TICKS, period, first), PROBE_FINE) &&
		EXPECT_EQUAL(c->p.gpr[R9], TICKS);
	for (unsigned i = 0; fine && i < TICKS; i++)
		fine = in_time(tick(c, i), first + i * period);
	/* The last of them has armed one more, which may have come. */
	fine &= EXPECT_EQUAL(probe_wrmsr(&c->p, IA32_TSC_DEADLINE, 0), PROBE_FINE) &&
		EXPECT_EQUAL(run(c, guest_timer_busy, 1000, 0, 0), PROBE_FINE);
	/* Disarmed by the tick itself, or by 0; the past is now. */
	fine &= EXPECT_EQUAL(probe_wrmsr(&c->p, IA32_TSC_DEADLINE, guest_tsc(c) + 2 * RUN), PROBE_FINE) &&
		EXPECT_EQUAL(probe_wrmsr(&c->p, IA32_TSC_DEADLINE, 0), PROBE_FINE) &&
		EXPECT_EQUAL(run(c, guest_timer_busy, 2 * RUN, 0, 0), PROBE_FINE) &&
		EXPECT_EQUAL(c->p.gpr[R9], 0);
	u64 now = guest_tsc(c);
	fine &= EXPECT_EQUAL(probe_wrmsr(&c->p, IA32_TSC_DEADLINE, now - 1000), PROBE_FINE) &&
		EXPECT_EQUAL(run(c, guest_timer_busy, 1000, 0, 0), PROBE_FINE) &&
		EXPECT_EQUAL(c->p.gpr[R9], 1) && EXPECT(tick(c, 0) - now < 2 * RUN) &&
		EXPECT_EQUAL(probe_rdmsr(&c->p, IA32_TSC_DEADLINE, &value), PROBE_FINE) &&
		EXPECT_EQUAL(value, 0);
	return fine;
}

static bool deadline(const struct boot *boot)
{
	return in_every_way(boot, DEADLINE, check_deadline);
}

static bool check_one_shot(struct clockwork *c, const struct boot *boot)
{
	const u32 count = (u32)(boot->tsc_hz / 100);
	u64 start = guest_tsc(c);
	bool fine = EXPECT_EQUAL(apic_write(c, LAPIC_INITIAL_COUNT, count), PROBE_FINE);
	u32 left = apic_read(c, LAPIC_CURRENT_COUNT);

	fine &= EXPECT(left < count && left > count - 2 * RUN) &&
		EXPECT_EQUAL(apic_read(c, LAPIC_INITIAL_COUNT), count);
	/* One tick in the time of three. */
	fine &= EXPECT_EQUAL(run(c, guest_timer_busy, 3 * count / 2, 0, 0), PROBE_FINE) &&
		EXPECT_EQUAL(c->p.gpr[R9], 1) &&
		EXPECT(tick(c, 0) >= start + count && tick(c, 0) <= start + count + RUN) &&
		EXPECT_EQUAL(apic_read(c, LAPIC_CURRENT_COUNT), 0);
	/* Divided by 16; then stopped by a count of 0. */
	fine &= EXPECT_EQUAL(apic_write(c, LAPIC_DIVIDE, 3), PROBE_FINE);
	start = guest_tsc(c);
	fine &= EXPECT_EQUAL(apic_write(c, LAPIC_INITIAL_COUNT, count / 16), PROBE_FINE) &&
		EXPECT_EQUAL(run(c, guest_timer, 1, 0, 0), PROBE_FINE) &&
		EXPECT(tick(c, 0) >= start + count - 16 && tick(c, 0) <= start + count + RUN);
	fine &= EXPECT_EQUAL(apic_write(c, LAPIC_INITIAL_COUNT, count / 16), PROBE_FINE) &&
		EXPECT_EQUAL(apic_write(c, LAPIC_INITIAL_COUNT, 0), PROBE_FINE) &&
		EXPECT_EQUAL(run(c, guest_timer_busy, count, 0, 0), PROBE_FINE) &&
		EXPECT_EQUAL(c->p.gpr[R9], 0);
	/* Masked: it runs down in silence. */
	fine &= EXPECT_EQUAL(apic_write(c, LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | VECTOR), PROBE_FINE) &&
		EXPECT_EQUAL(apic_write(c, LAPIC_INITIAL_COUNT, 100), PROBE_FINE) &&
		EXPECT_EQUAL(run(c, guest_timer_busy, count, 0, 0), PROBE_FINE) &&
		EXPECT_EQUAL(c->p.gpr[R9], 0);
	return fine;
}

static bool one_shot(const struct boot *boot)
{
	return in_every_way(boot, ONE_SHOT, check_one_shot);
}

/* Exits but those of the machine's own devices, which the guest does not cause. */
static u64 guest_exits(const struct clockwork *c)
{
	return vcpu_exits_total(c->p.vcpu) - vcpu_exits(c->p.vcpu, REASON_EXTERNAL_INTERRUPT).exits;
}

/* Ticks on time, and nothing else than ticks: an idle guest leaves the hypervisor alone. */
static bool check_periodic(struct clockwork *c, const struct boot *boot)
{
	const u32 period = (u32)(boot->tsc_hz / 200);
	bool trapped = !c->p.vcpu->apicv;
	u64 start = guest_tsc(c);
	bool fine = EXPECT_EQUAL(apic_write(c, LAPIC_INITIAL_COUNT, period), PROBE_FINE);
	u64 exits = guest_exits(c), timer = vcpu_exits(c->p.vcpu, REASON_PREEMPTION_TIMER).exits;

	fine &= EXPECT_EQUAL(run(c, guest_timer, TICKS, 0, 0), PROBE_FINE) &&
		EXPECT_EQUAL(c->p.gpr[R9], TICKS);
	exits = guest_exits(c) - exits;
	timer = vcpu_exits(c->p.vcpu, REASON_PREEMPTION_TIMER).exits - timer;
	/* For each one of the timer, its HLT, and the EOI where the APIC is trapped; at the end the OUT. */
	fine &= EXPECT(timer >= TICKS - 1 && timer <= TICKS + 1) &&
		EXPECT(exits <= timer + TICKS + 1 + (trapped ? TICKS : 0));
	for (unsigned i = 0; fine && i < TICKS; i++) {
		u64 due = start + (i + 1) * (u64)period;

		/* `start` is a little before the write that set it off. */
		fine = EXPECT(tick(c, i) >= due && tick(c, i) - due <= RUN);
		if (i)
			fine &= EXPECT(tick(c, i) - tick(c, i - 1) + LATE >= period);
	}
	return fine;
}

static bool periodic(const struct boot *boot)
{
	return in_every_way(boot, PERIODIC, check_periodic);
}

/* A period of one tick: the guest's own work goes on, if slowly. */
static bool check_shortest(struct clockwork *c, const struct boot *boot)
{
	const u64 work = 200000;
	u64 start = guest_tsc(c);
	bool fine = EXPECT_EQUAL(apic_write(c, LAPIC_INITIAL_COUNT, 1), PROBE_FINE) &&
		    EXPECT_EQUAL(run(c, guest_timer_busy, work, 0, 0), PROBE_FINE);

	(void)boot;
	return EXPECT(c->p.gpr[R9] > 1) && EXPECT(guest_tsc(c) - start < 100 * work) && fine;
}

static bool shortest(const struct boot *boot)
{
	/* 20 us are 600 instructions in Bochs: with KVM in between, less than one exit. */
	if (nested()) {
		selftest_note("not below another hypervisor");
		return true;
	}
	return in_every_way(boot, PERIODIC, check_shortest);
}

static bool near(u64 found, u64 expected)
{
	return EXPECT(found - expected < 4 * RUN);
}

/* Writing the TSC: what reads it, IA32_TSC_ADJUST, and a deadline that is set all follow. */
static bool tsc_writes(const struct boot *boot)
{
	struct clockwork c;
	u64 value = 0, adjust = 0, far = 1ull << 40;

	if (!open_clock(&c, boot, &ways[0], DEADLINE))
		return false;
	bool fine = EXPECT_EQUAL(probe_rdmsr(&c.p, IA32_TSC_ADJUST, &adjust), PROBE_FINE) &&
		    EXPECT_EQUAL(adjust, 0);
	u64 before = guest_tsc(&c);
	fine &= EXPECT_EQUAL(probe_wrmsr(&c.p, 0x10, far), PROBE_FINE) &&
		EXPECT_EQUAL(probe_rdmsr(&c.p, 0x10, &value), PROBE_FINE) && near(value, far);
	/* rdtsc */
	fine &= EXPECT_EQUAL(PROBE(&c.p, 0x0f, 0x31), PROBE_FINE) &&
		near((u32)c.p.gpr[RAX] | c.p.gpr[RDX] << 32, far);
	fine &= EXPECT_EQUAL(probe_rdmsr(&c.p, IA32_TSC_ADJUST, &adjust), PROBE_FINE) &&
		EXPECT(far - before - adjust < RUN);
	/* By the adjustment back again; a deadline that was set is reached by the jump. */
	fine &= EXPECT_EQUAL(probe_wrmsr(&c.p, IA32_TSC_ADJUST, 0), PROBE_FINE) &&
		EXPECT_EQUAL(probe_rdmsr(&c.p, 0x10, &value), PROBE_FINE) && near(value, before);
	fine &= EXPECT_EQUAL(probe_wrmsr(&c.p, IA32_TSC_DEADLINE, far), PROBE_FINE) &&
		EXPECT_EQUAL(run(&c, guest_timer_busy, 1000, 0, 0), PROBE_FINE) &&
		EXPECT_EQUAL(c.p.gpr[R9], 0);
	fine &= EXPECT_EQUAL(probe_wrmsr(&c.p, IA32_TSC_ADJUST, far), PROBE_FINE) &&
		EXPECT_EQUAL(run(&c, guest_timer_busy, 1000, 0, 0), PROBE_FINE) &&
		EXPECT_EQUAL(c.p.gpr[R9], 1);
	probe_close(&c.p);
	return fine;
}

static const struct selftest tests[] = {
	{ "TSC deadlines: never early, soon after; past, disarmed", deadline },
	{ "one-shot: once, divided, stopped, masked", one_shot },
	{ "periodic: on time, and an idle guest exits for nothing else", periodic },
	{ "a period of one tick leaves the guest time to run", shortest },
	{ "a write to the TSC shows everywhere", tsc_writes },
};

const struct selftest_group test_timer = SELFTEST_GROUP("timer", tests);
