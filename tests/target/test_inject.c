// SPDX-License-Identifier: BSD-2-Clause
/*
 * Exceptions, NMIs and external interrupts into the guest: when, in which order, and whether at all. Each test runs with the
 * local APIC left to the processor and with it trapped, as xAPIC and as x2APIC.
 */
#include <string.h>

#include "arch/cpu.h"
#include "arch/serial.h"
#include "arch/vcpu_internal.h"
#include "tests/target/probe.h"

SMALL_GUEST(masked);
extern const u8 guest_masked_handler[];

/* The guest's local APIC, by its page or by its MSRs. */
struct apic {
	struct probe p;
	bool x2apic;
};

static const struct small_options ways[] = {
	{ .x2apic = false },
	{ .x2apic = true },
	{ .no_apicv = true },
	{ .no_apicv = true, .x2apic = true },
};

static int apic_write(struct apic *a, u32 reg, u32 value)
{
	if (a->x2apic)
		return probe_wrmsr(&a->p, LAPIC_MSR_X2APIC + reg / 16, value);
	return probe_store32(&a->p, LAPIC_DEFAULT_BASE + reg, value);
}

static u32 apic_read(struct apic *a, u32 reg)
{
	u64 wide = 0;
	u32 value = 0;

	if (!a->x2apic)
		probe_load32(&a->p, LAPIC_DEFAULT_BASE + reg, &value);
	else if (probe_rdmsr(&a->p, LAPIC_MSR_X2APIC + reg / 16, &wide) == PROBE_FINE)
		value = (u32)wide;
	return value;
}

static bool bit_set(struct apic *a, u32 bank, u8 vector)
{
	return apic_read(a, bank + vector / 32 * 16) >> (vector & 31) & 1;
}

/* Enabled, in the mode that is asked for. */
static bool apic_open(struct apic *a, const struct boot *boot, const struct small_options *options)
{
	*a = (struct apic){ 0 };
	if (!probe_open(&a->p, boot, options, PROBE_64))
		return false;
	bool fine = true;
	if (options->x2apic)
		fine &= EXPECT_EQUAL(probe_wrmsr(&a->p, LAPIC_MSR_BASE, LAPIC_DEFAULT_BASE | 0xd00),
				     PROBE_FINE);
	a->x2apic = options->x2apic;
	return EXPECT_EQUAL(apic_write(a, LAPIC_SVR, 0x1ff), PROBE_FINE) &&
	       EXPECT_EQUAL(apic_read(a, LAPIC_SVR), 0x1ff) && fine;
}

static void apic_close(struct apic *a)
{
	probe_close(&a->p);
}

static bool arrives(struct apic *a, u8 vector)
{
	return EXPECT(lapic_deliver(vcpu_lapic(a->p.vcpu), vector, false));
}

static bool in_every_way(const struct boot *boot, bool (*check)(struct apic *a))
{
	bool fine = true;

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		struct apic a;
		bool passed = apic_open(&a, boot, &ways[i]) && check(&a);

		if (!passed)
			selftest_note("with apicv %s, %s: %s", ways[i].no_apicv ? "off" : "on",
				      ways[i].x2apic ? "x2APIC" : "xAPIC",
				      a.p.small ? a.p.small->vm.fault : "");
		if (a.p.small)
			apic_close(&a);
		fine &= passed;
	}
	return fine;
}

/* ---- external interrupts ---- */

/* IF = 0: nothing. With STI it comes, one instruction later, once, at exactly that place. */
static bool check_window(struct apic *a)
{
	struct probe *p = &a->p;
	bool fine = arrives(a, 0x41);

	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0x90), PROBE_FINE) && EXPECT(bit_set(a, LAPIC_IRR, 0x41));
	/* nop; sti; nop; nop */
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0xfb, 0x90, 0x90), 0x41) &&
		EXPECT_EQUAL(p->rip, SMALL_CODE + 3) && EXPECT(p->flags & RFLAGS_IF);
	fine &= EXPECT(!bit_set(a, LAPIC_IRR, 0x41)) && EXPECT(bit_set(a, LAPIC_ISR, 0x41));
	/* In service: its like and lower ones wait, a higher class does not. */
	fine &= arrives(a, 0x42) && EXPECT_EQUAL(PROBE(p, 0xfb, 0x90, 0x90), PROBE_FINE);
	fine &= arrives(a, 0x55) && EXPECT_EQUAL(PROBE(p, 0xfb, 0x90, 0x90), 0x55);
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) &&
		EXPECT(!bit_set(a, LAPIC_ISR, 0x55)) && EXPECT_EQUAL(PROBE(p, 0xfb, 0x90, 0x90), PROBE_FINE);
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) && EXPECT(!bit_set(a, LAPIC_ISR, 0x41));
	fine &= EXPECT_EQUAL(PROBE(p, 0xfb, 0x90, 0x90), 0x42) &&
		EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
	return EXPECT_EQUAL(PROBE(p, 0xfb, 0x90, 0x90), PROBE_FINE) && fine;
}

static void interrupts_arrive(void *context, u8 count)
{
	struct apic *a = context;

	if (count == 2)
		arrives(a, 0x61);
	arrives(a, 0x51);
}

/* 300 bytes on the machine's UART, which interrupts each time that it has sent a FIFO full; 0x51 has to wait for IF. */
static bool waits_for_if(struct apic *a, u8 count)
{
	struct probe *p = &a->p;
	u32 before = p->small->host_interrupts;
	bool fine;

	memcpy(p->small->host + SMALL_CODE, guest_masked, (size_t)(guest_masked_end - guest_masked));
	serial_flush();
	for (unsigned byte = 0; byte < 300; byte++)
		serial_put(byte == 0 ? '#' : byte == 299 ? '\n' : '.');
	p->gpr[RAX] = count;
	p->gpr[RDI] = a->x2apic ? 0 : LAPIC_DEFAULT_BASE;
	fine = EXPECT_EQUAL(probe_start(p, SMALL_CODE), PROBE_FINE) && EXPECT(!(p->flags & RFLAGS_IF));
	/*
	 * Meanwhile they were served; but without apicv Bochs, entered with IF = 0, makes no exit for them until the next CLI,
	 * and below another hypervisor (there is no apicv then) all may have been sent before.
	 */
	fine &= EXPECT(!p->vcpu->apicv || serial_irq() == SERIAL_NO_IRQ ||
		       p->small->host_interrupts - before >= 5);
	return EXPECT_EQUAL(PROBE(p, 0xfb, 0x90, 0x90), 0x51) && EXPECT(p->flags & RFLAGS_IF) &&
	       EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) && fine;
}

/* An interrupt that came while IF = 0, or in the handler of another one: the machine's own do not bring it in (hold.c). */
static bool check_masked(struct apic *a)
{
	struct probe *p = &a->p;
	u64 *gate = (u64 *)(p->small->host + PROBE_IDT + 0x61 * 16), kept = gate[0];
	u64 handler = SMALL_CODE + (u64)(guest_masked_handler - guest_masked);
	bool fine = true;

	p->small->on_note = interrupts_arrive;
	p->small->note_context = a;
	gate[0] = (handler & 0xffff) | 0x08ull << 16 | 0x8e00ull << 32 | (handler >> 16) << 48;
	for (unsigned i = 0; i < 4; i++)
		fine &= waits_for_if(a, 2) && waits_for_if(a, 1);
	gate[0] = kept;
	p->small->on_note = NULL;
	return fine;
}

/* The instruction that an interrupt's arrival waits for is one that exits: the shadow must not be lost, nor kept. */
static bool check_shadow(struct apic *a)
{
	struct probe *p = &a->p;
	bool fine = arrives(a, 0x61);

	p->gpr[RAX] = p->gpr[RCX] = 0;
	/* sti; cpuid; nop */
	fine &= EXPECT_EQUAL(PROBE(p, 0xfb, 0x0f, 0xa2, 0x90), 0x61) && EXPECT_EQUAL(p->rip, SMALL_CODE + 3);
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) && arrives(a, 0x61);
	/* sti; mov [rdi], eax (a device); nop */
	p->gpr[RDI] = SMALL_DEVICE;
	fine &= EXPECT_EQUAL(PROBE(p, 0xfb, 0x89, 0x07, 0x90), 0x61) && EXPECT_EQUAL(p->rip, SMALL_CODE + 3);
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) && arrives(a, 0x61);
	/* sti; cli: no gap */
	fine &= EXPECT_EQUAL(PROBE(p, 0xfb, 0xfa, 0x90), PROBE_FINE);
	/* sti; mov ss, ebx; nop: each shadow covers the next instruction */
	p->gpr[RBX] = 0x10;
	fine &= EXPECT_EQUAL(PROBE(p, 0xfb, 0x8e, 0xd3, 0x90, 0x90), 0x61) &&
		EXPECT_EQUAL(p->rip, SMALL_CODE + 4);
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) && arrives(a, 0x61);
	/* sti; mov ss, ebx; cpuid; nop */
	p->gpr[RAX] = 0;
	fine &= EXPECT_EQUAL(PROBE(p, 0xfb, 0x8e, 0xd3, 0x0f, 0xa2, 0x90), 0x61) &&
		EXPECT_EQUAL(p->rip, SMALL_CODE + 5);
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) && arrives(a, 0x61);
	/* An exit in a shadow, as a timer's: after it the shadow is still there. */
	p->rflags = RFLAGS_IF;
	p->blocking = BLOCKING_BY_STI;
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0x90), 0x61) && EXPECT_EQUAL(p->rip, SMALL_CODE + 1);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) && arrives(a, 0x61);
	p->rflags = RFLAGS_IF;
	p->blocking = BLOCKING_BY_MOV_SS;
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0x90), 0x61) && EXPECT_EQUAL(p->rip, SMALL_CODE + 1);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) && arrives(a, 0x61);
	/* popf instead of sti: no shadow. push rdx; popfq; nop */
	p->gpr[RDX] = RFLAGS_IF | RFLAGS_ONE;
	return EXPECT_EQUAL(PROBE(p, 0x52, 0x9d, 0x90), 0x61) && EXPECT_EQUAL(p->rip, SMALL_CODE + 2) && fine;
}

static void send_0x71(void *context, u8 value)
{
	struct apic *a = context;

	(void)value;
	lapic_deliver(vcpu_lapic(a->p.vcpu), 0x71, false);
}

/* Woken out of HLT: by what waits already, by the timer, by a message that comes with the last exit before. */
static bool check_halt(struct apic *a)
{
	struct probe *p = &a->p;
	u64 now = 0;
	bool fine = arrives(a, 0x71);

	fine &= EXPECT_EQUAL(PROBE(p, 0xfb, 0xf4, 0x90), 0x71) && EXPECT_EQUAL(p->rip, SMALL_CODE + 2) &&
		EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
	p->small->on_note = send_0x71;
	p->small->note_context = a;
	/* out note; sti; hlt */
	fine &= EXPECT_EQUAL(PROBE(p, 0xe6, SMALL_NOTE_PORT, 0xfb, 0xf4, 0x90), 0x71) &&
		EXPECT_EQUAL(p->rip, SMALL_CODE + 4) && EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_LVT_TIMER, 0x40073), PROBE_FINE) &&
		EXPECT_EQUAL(probe_rdmsr(p, 0x10, &now), PROBE_FINE) &&
		EXPECT_EQUAL(probe_wrmsr(p, LAPIC_MSR_TSC_DEADLINE, now + 100000), PROBE_FINE);
	fine &= EXPECT_EQUAL(PROBE(p, 0xfb, 0xf4, 0x90), 0x73) && EXPECT_EQUAL(p->rip, SMALL_CODE + 2);
	return fine;
}

static bool check_self_ipi(struct apic *a)
{
	struct probe *p = &a->p;
	bool fine = true;

	p->rflags = RFLAGS_IF;
	if (a->x2apic) {
		fine &= EXPECT_EQUAL(apic_write(a, LAPIC_SELF_IPI, 0x83), 0x83) &&
			EXPECT_EQUAL(p->rip, SMALL_CODE + 2);
		p->rflags = 0;
		fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
		p->rflags = RFLAGS_IF;
	}
	/* By ICR, shorthand self; then to id 0; to another id: nobody. */
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_ICR, 0x40084), 0x84) && EXPECT_EQUAL(p->rip, SMALL_CODE + 2);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
	p->rflags = RFLAGS_IF;
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_ICR, 0x00085), 0x85);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
	p->rflags = RFLAGS_IF;
	if (a->x2apic)
		fine &= EXPECT_EQUAL(probe_wrmsr(p, 0x830, 7ull << 32 | 0x86), PROBE_FINE);
	else
		fine &= EXPECT_EQUAL(apic_write(a, LAPIC_ICR_HIGH, 7u << 24), PROBE_FINE) &&
			EXPECT_EQUAL(apic_write(a, LAPIC_ICR, 0x86), PROBE_FINE);
	return EXPECT_EQUAL(PROBE(p, 0x90, 0x90), PROBE_FINE) && fine;
}

static bool check_priority_register(struct apic *a)
{
	struct probe *p = &a->p;
	bool fine = EXPECT_EQUAL(apic_write(a, LAPIC_TPR, 0x50), PROBE_FINE) && arrives(a, 0x5f);

	p->rflags = RFLAGS_IF;
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0x90), PROBE_FINE) && EXPECT_EQUAL(apic_read(a, LAPIC_PPR), 0x50);
	/* CR8 is the same register. mov rax, cr8; mov cr8, rbx */
	fine &= EXPECT_EQUAL(PROBE(p, 0x44, 0x0f, 0x20, 0xc0), PROBE_FINE) && EXPECT_EQUAL(p->gpr[RAX], 5);
	p->gpr[RBX] = 4;
	fine &= EXPECT_EQUAL(PROBE(p, 0x44, 0x0f, 0x22, 0xc3, 0x90), 0x5f) &&
		EXPECT_EQUAL(p->rip, SMALL_CODE + 4);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(apic_read(a, LAPIC_TPR), 0x40) &&
		EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
	/* Held back by TPR, let go by a write to it. */
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_TPR, 0xff), PROBE_FINE) && arrives(a, 0xf1);
	p->rflags = RFLAGS_IF;
	fine &= EXPECT_EQUAL(PROBE(p, 0x90), PROBE_FINE);
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_TPR, 0xe0), 0xf1);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
	p->gpr[RBX] = 16;
	return EXPECT_EQUAL(PROBE(p, 0x44, 0x0f, 0x22, 0xc3), VECTOR_GP) && fine;
}

/* A level-triggered pin: again until the device is content. */
static bool check_level(struct apic *a)
{
	struct probe *p = &a->p;
	struct small_vm *small = p->small;
	u32 low = 0;
	bool fine = EXPECT_EQUAL(probe_store32(p, 0xfec00000, 0x10 + 2 * 5), PROBE_FINE) &&
		    EXPECT_EQUAL(probe_store32(p, 0xfec00010, 0x8091), PROBE_FINE); /* level, vector 0x91 */

	ioapic_set(&small->ioapic, 5, true);
	p->rflags = RFLAGS_IF;
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0x90), 0x91);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(probe_load32(p, 0xfec00010, &low), PROBE_FINE) &&
		EXPECT_EQUAL(low & 0x4000, 0x4000) && EXPECT(bit_set(a, LAPIC_TMR, 0x91));
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
	/* Still raised: it comes again; then not any more. */
	p->rflags = RFLAGS_IF;
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0x90), 0x91);
	ioapic_set(&small->ioapic, 5, false);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) &&
		EXPECT_EQUAL(probe_load32(p, 0xfec00010, &low), PROBE_FINE) && EXPECT_EQUAL(low & 0x4000, 0);
	p->rflags = RFLAGS_IF;
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0x90), PROBE_FINE);
	/* Edge-triggered: once for an edge, whatever the level does then. */
	p->rflags = 0;
	fine &= EXPECT_EQUAL(probe_store32(p, 0xfec00010, 0x92), PROBE_FINE);
	ioapic_set(&small->ioapic, 5, true);
	p->rflags = RFLAGS_IF;
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0x90), 0x92);
	p->rflags = 0;
	fine &= EXPECT(!bit_set(a, LAPIC_TMR, 0x92)) && EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE);
	p->rflags = RFLAGS_IF;
	return EXPECT_EQUAL(PROBE(p, 0x90, 0x90), PROBE_FINE) && fine;
}

/* The PIC, through LINT0 as ExtINT: without a trace in the local APIC. */
static bool check_extint(struct apic *a)
{
	static const u8 init[][2] = {
		{ 0x20, 0x11 }, { 0x21, 0x30 }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0x21, 0xf7 }
	};
	struct probe *p = &a->p;
	bool fine = true;

	for (unsigned i = 0; i < ARRAY_SIZE(init); i++)
		fine &= EXPECT_EQUAL(probe_out(p, init[i][0], init[i][1]), PROBE_FINE);
	pic_set(&p->small->pic, 3, true);
	p->rflags = RFLAGS_IF;
	/* LINT0 is masked as yet. */
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0x90), PROBE_FINE);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_LVT_LINT0, 0x700), PROBE_FINE);
	fine &= EXPECT_EQUAL(PROBE(p, 0x90, 0xfb, 0x90, 0x90), 0x33) &&
		EXPECT_EQUAL(p->rip, SMALL_CODE + 3) && EXPECT(!bit_set(a, LAPIC_ISR, 0x33));
	/* Until its EOI the PIC sends nothing more, and a local interrupt of the same class does come. */
	p->rflags = RFLAGS_IF;
	fine &= arrives(a, 0x32) && EXPECT_EQUAL(PROBE(p, 0x90, 0x90), 0x32);
	p->rflags = 0;
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_EOI, 0), PROBE_FINE) &&
		EXPECT_EQUAL(probe_out(p, 0x20, 0x20), PROBE_FINE);
	pic_set(&p->small->pic, 3, false);
	p->rflags = RFLAGS_IF;
	return EXPECT_EQUAL(PROBE(p, 0x90, 0x90), PROBE_FINE) && fine;
}

static bool check_disabled(struct apic *a)
{
	struct probe *p = &a->p;
	bool fine = EXPECT_EQUAL(apic_write(a, LAPIC_SVR, 0xff), PROBE_FINE);

	p->rflags = RFLAGS_IF;
	fine &= EXPECT(!lapic_deliver(vcpu_lapic(p->vcpu), 0x41, false)) &&
		EXPECT_EQUAL(PROBE(p, 0x90, 0x90), PROBE_FINE);
	fine &= EXPECT_EQUAL(apic_write(a, LAPIC_SVR, 0x1ff), PROBE_FINE) && arrives(a, 0x41) &&
		EXPECT_EQUAL(PROBE(p, 0x90, 0x90), 0x41);
	return fine;
}

#define EVERY_WAY(name)                                  \
	static bool name(const struct boot *boot)        \
	{                                                \
		return in_every_way(boot, check_##name); \
	}

EVERY_WAY(window)
EVERY_WAY(masked)
EVERY_WAY(shadow)
EVERY_WAY(halt)
EVERY_WAY(self_ipi)
EVERY_WAY(priority_register)
EVERY_WAY(level)
EVERY_WAY(extint)
EVERY_WAY(disabled)

static const struct selftest tests[] = {
	{ "an interrupt waits for IF and for those in service", window },
	{ "it waits for IF while the machine's own interrupts come", masked },
	{ "STI and MOV SS hold an interrupt back for one instruction", shadow },
	{ "an interrupt wakes a halted CPU", halt },
	{ "an IPI to itself arrives, one to nobody does not", self_ipi },
	{ "TPR and CR8 hold interrupts back", priority_register },
	{ "level- and edge-triggered pins of the IOAPIC", level },
	{ "the PIC's interrupt through LINT0", extint },
	{ "a disabled APIC takes nothing", disabled },
};

const struct selftest_group test_inject = SELFTEST_GROUP("inject", tests);
