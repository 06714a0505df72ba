/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One virtual CPU's local APIC: xAPIC and x2APIC (SDM vol. 3, chapter 11), with all of its LVT entries, its
 * timer and its message unit. Pure C: it knows no VMCS and compiles for the host.
 *
 * The register file is a 4 KiB page in the layout of the virtual-APIC page (SDM 30.1), so that one model
 * serves both ways of running a guest:
 *
 *   apicv = false  Every register access traps into lapic_mmio_ops or lapic_msr_read/write. Before an entry
 *                  the caller asks lapic_pending() and, when it injects that vector, tells lapic_ack(). With
 *                  a TPR shadow CR8 accesses go to the page without an exit: PPR is never cached.
 *   apicv = true   The CPU itself virtualises TPR, PPR, EOI and self-IPIs in the page and delivers. Software
 *                  adds bits to IRR and says so by ops->pending (raise RVI); what the CPU does not
 *                  finish comes back as lapic_apic_write() (exit 56) and lapic_eoi_induced() (exit 45).
 *
 * Time is the guest's TSC: the timer counts at TSC Hz / ratio (what CPUID 0x15 tells the guest). All
 * functions belong to the CPU that runs the vCPU; nothing here locks and nothing is global.
 */
#ifndef ARCH_LAPIC_H
#define ARCH_LAPIC_H

#include "mm/access.h"

/* Register offsets in the page; the x2APIC MSR is 0x800 + offset / 16. */
enum {
	LAPIC_ID = 0x020,
	LAPIC_VERSION = 0x030,
	LAPIC_TPR = 0x080,
	LAPIC_PPR = 0x0a0,
	LAPIC_EOI = 0x0b0,
	LAPIC_LDR = 0x0d0,
	LAPIC_DFR = 0x0e0,
	LAPIC_SVR = 0x0f0,
	LAPIC_ISR = 0x100, /* ISR, TMR, IRR: 8 words each, 16 bytes apart */
	LAPIC_TMR = 0x180,
	LAPIC_IRR = 0x200,
	LAPIC_ESR = 0x280,
	LAPIC_ICR = 0x300, /* x2APIC: bits 63:32 at 0x304, where register virtualisation reads them */
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_THERMAL = 0x330,
	LAPIC_LVT_PERF = 0x340,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_INITIAL_COUNT = 0x380,
	LAPIC_CURRENT_COUNT = 0x390,
	LAPIC_DIVIDE = 0x3e0,
	LAPIC_SELF_IPI = 0x3f0, /* x2APIC only */
};

#define LAPIC_VERSION_VALUE 0x00050014u /* version 0x14, six LVT entries */
#define LAPIC_SVR_ENABLE    0x100u
#define LAPIC_LVT_MASKED    0x10000u

/* IA32_APIC_BASE (SDM 11.4.4). */
#define LAPIC_DEFAULT_BASE 0xfee00000ull
#define LAPIC_BASE_BSP	   BIT(8)
#define LAPIC_BASE_X2APIC  BIT(10)
#define LAPIC_BASE_ENABLE  BIT(11)

#define LAPIC_MSR_BASE	       0x01bu
#define LAPIC_MSR_TSC_DEADLINE 0x6e0u
#define LAPIC_MSR_X2APIC       0x800u /* up to 0x8ff */

#define LAPIC_NEVER (~0ull) /* a deadline that is not set */

/* Delivery modes of messages, ICR and LVT. */
enum lapic_mode {
	LAPIC_FIXED = 0,
	LAPIC_LOWEST = 1,
	LAPIC_SMI = 2,
	LAPIC_NMI = 4,
	LAPIC_INIT = 5,
	LAPIC_SIPI = 6,
	LAPIC_EXTINT = 7,
};

#define LAPIC_BROADCAST \
	0xffffffffu /* the destination of a message to everybody, whatever mode the receivers are in */

/*
 * An interrupt message on its way. Only LAPIC_BROADCAST, or an 8- or 32-bit id or a logical destination, in
 * `destination`.
 */
struct lapic_message {
	u32 destination;
	u8 vector;
	u8 mode; /* enum lapic_mode; 3 is reserved and goes nowhere */
	bool logical;
	bool level;	 /* trigger mode */
	bool deassert;	 /* INIT level de-assert: no effect since the Pentium 4 */
	bool not_sender; /* all excluding self */
};

struct lapic;

/*
 * What the model asks of its owner. Each may be null: the event is then lost, which is right for what a board
 * does not have. All are called from inside the lapic_* call that caused them.
 */
struct lapic_ops {
	/* The guest's TSC. Must be there. Not called by a TSC-deadline write. */
	u64 (*now)(void *owner);
	/*
	 * `vector` was added to IRR: wake a halted vCPU; with apicv raise RVI to at least it. -1: an EOI or a
	 * TPR write let something through that was held back, or all changed; with apicv load lapic_rvi() and
	 * lapic_svi() afresh.
	 */
	void (*pending)(void *owner, int vector);
	void (*nmi)(void *owner);
	void (*init)(void *owner);
	void (*sipi)(void *owner, u8 vector); /* start at vector << 12 */
	void (*extint)(void *owner);	      /* a message, not LINT0: ask the PIC for the vector */
	/* The EOI of a level-triggered vector, for the IOAPICs. */
	void (*eoi)(void *owner, u8 vector);
	/*
	 * lapic_deadline() changed, in either direction. Not called by lapic_write_tsc_deadline() or
	 * lapic_timer_run().
	 */
	void (*timer_changed)(void *owner);
	/*
	 * Word `word` (64 vectors) of lapic_eoi_exit() changed; with apicv it must reach the VMCS before the
	 * next entry.
	 */
	void (*eoi_exit_changed)(void *owner, unsigned word);
	/*
	 * Off, xAPIC or x2APIC changed: l->base has the new state; the MMIO page is decoded in xAPIC mode
	 * only.
	 */
	void (*mode_changed)(void *owner);
	/* Moves the MMIO page; l->base still has the old one. Null: a relocation is refused with #GP. */
	void (*relocate)(void *owner, u64 base);
	/*
	 * An IPI to somebody, perhaps the sender: lapic_route() over all the board's vCPUs. Null: a single
	 * vCPU; what is not for it is lost.
	 */
	void (*send)(void *owner, const struct lapic_message *message);
};

struct lapic_config {
	u32 id;		  /* x2APIC id; its low 8 bits are the xAPIC id */
	bool bsp;	  /* sets IA32_APIC_BASE.BSP, read-only for the guest */
	bool apicv;	  /* see above */
	bool x2apic;	  /* told by CPUID; else that mode is refused with #GP */
	u8 physical_bits; /* CPUID 0x80000008: bounds IA32_APIC_BASE */
	u32 ratio;	  /* TSC ticks of one undivided timer tick; 0 means 1 */
	/*
	 * In TSC ticks: a shorter periodic timer runs at this period, so that exits leave time for the guest.
	 */
	u64 shortest_period;
};

struct lapic {
	u32 *regs; /* the page */
	const struct lapic_ops *ops;
	void *owner;
	struct lapic_config config;
	u64 base; /* IA32_APIC_BASE */
	u64 deadline, period;
	u8 irr_words,
		isr_words; /* which words of IRR and ISR may be other than zero; of use without apicv only */
	u8 timer_mode;	   /* LVT timer 18:17 */
	u8 divide_shift;
	bool software_enabled;
	u32 errors; /* ESR bits that the next ESR write shows */
};

/*
 * `page` is 4 KiB, page-aligned, and stays the caller's. The APIC is then as after power-up: enabled in xAPIC
 * mode at the default base, software-disabled.
 */
void lapic_setup(struct lapic *l, void *page, const struct lapic_config *config, const struct lapic_ops *ops,
		 void *owner);
/* INIT: all registers but IA32_APIC_BASE and the id. */
void lapic_reset(struct lapic *l);
/*
 * What PC firmware leaves behind for a kernel that expects the PIC behind LINT0: enabled, LINT0 ExtINT, LINT1
 * NMI.
 */
void lapic_set_virtual_wire(struct lapic *l);
/* Switches between the two ways of running; the caller then loads RVI, SVI and the EOI-exit bitmap. */
void lapic_set_apicv(struct lapic *l, bool apicv);

static inline bool lapic_enabled(const struct lapic *l) /* also CPUID 1.EDX.APIC */
{
	return l->base & LAPIC_BASE_ENABLE;
}

static inline bool lapic_x2apic(const struct lapic *l)
{
	return l->base & LAPIC_BASE_X2APIC;
}

/* ---- interrupts in ---- */

/*
 * An interrupt for this APIC. A disabled APIC drops it; a vector below 16 becomes an error. Returns whether
 * it was taken.
 */
bool lapic_deliver(struct lapic *l, u8 vector, bool level);
/* A message that has reached this APIC: any delivery mode. */
void lapic_accept(struct lapic *l, const struct lapic_message *message);
/* Is this APIC among the message's destinations? */
bool lapic_matches(const struct lapic *l, const struct lapic_message *message);
/*
 * A message signalled interrupt, of a device, an IOAPIC or an interrupt remapper, to a board with this vCPU
 * only. `address` must lie in 0xfeexxxxx (else false); bits 63:40 hold destination bits 31:8, zero from
 * devices, set by a remapper in x2APIC mode.
 */
bool lapic_message(struct lapic *l, u64 address, u32 data);
/* The two halves of it for boards with several vCPUs. */
bool lapic_parse(struct lapic_message *message, u64 address, u32 data);
/* `sender` may be null. Lowest priority goes to the matching APIC with the lowest PPR. */
void lapic_route(struct lapic *const *all, unsigned count, const struct lapic *sender,
		 const struct lapic_message *message);

/* Does the PIC's INTR reach the CPU: is the APIC off, or LINT0 an unmasked ExtINT? */
bool lapic_accepts_extint(const struct lapic *l);
/* A rising edge on LINT0 or LINT1 (pin 0, 1) for modes other than ExtINT. */
void lapic_lint(struct lapic *l, unsigned pin);

/* ---- interrupts out, apicv = false ---- */

/*
 * The vector to inject now, RFLAGS.IF and interruptibility permitting; -1: none above PPR. Also right with
 * apicv (HLT).
 */
int lapic_pending(const struct lapic *l);
/* `vector` was injected: IRR to ISR. */
void lapic_ack(struct lapic *l, u8 vector);
/*
 * For the TPR threshold field: the class of the pending vector that only TPR holds back, 0 if there is none.
 */
unsigned lapic_tpr_threshold(const struct lapic *l);

/* ---- apicv = true ---- */

u8 lapic_rvi(const struct lapic *l);
/* Does any vector but that one wait? */
bool lapic_more_wait(const struct lapic *l);
u8 lapic_svi(const struct lapic *l);
/* Exit 56: the CPU has stored the value in the page already. */
void lapic_apic_write(struct lapic *l, u32 offset);
/* Exit 45: the CPU has done the EOI of a level-triggered vector. */
void lapic_eoi_induced(struct lapic *l, u8 vector);

/* The VMCS EOI-exit bitmap, `word` 0..3: the vectors whose last delivery was level-triggered. */
static inline u64 lapic_eoi_exit(const struct lapic *l, unsigned word)
{
	const u32 *tmr = &l->regs[LAPIC_TMR / 4 + word * 8];

	return tmr[0] | (u64)tmr[4] << 32;
}

/*
 * May this x2APIC MSR, 0x800..0x8ff, be left out of the MSR bitmap when x2APIC mode, register virtualisation
 * and virtual-interrupt delivery are on? All others must exit: the CPU would read any offset of the page as
 * it stands.
 */
bool lapic_msr_direct(u32 msr, bool write);

/* ---- the guest's accesses ---- */

/* The device is a struct lapic; the region is its page. Refuses outside xAPIC mode. */
extern const struct region_ops lapic_mmio_ops;

/* IA32_APIC_BASE, IA32_TSC_DEADLINE, x2APIC. False: #GP. */
bool lapic_msr_read(struct lapic *l, u32 msr, u64 *value);
bool lapic_msr_write(struct lapic *l, u32 msr, u64 value);

static inline u64 lapic_cr8(const struct lapic *l)
{
	return l->regs[LAPIC_TPR / 4] >> 4;
}

/* `value` below 16; anything else is the caller's #GP. */
void lapic_set_cr8(struct lapic *l, u64 value);

/* ---- timer ---- */

/* Absolute guest TSC at which lapic_timer_run() wants to be called, or LAPIC_NEVER. */
static inline u64 lapic_deadline(const struct lapic *l)
{
	return l->deadline;
}

/* Delivers what is due at `now`; early calls are harmless. */
void lapic_timer_run(struct lapic *l, u64 now);
/*
 * The guest's TSC jumped by `delta` (IA32_TSC, IA32_TSC_ADJUST): a running count is not touched by that, a
 * TSC deadline is.
 */
void lapic_tsc_adjusted(struct lapic *l, u64 delta);

enum { LAPIC_ONE_SHOT, LAPIC_PERIODIC, LAPIC_TSC_DEADLINE };

/*
 * WRMSR IA32_TSC_DEADLINE, the guest's every tick: the caller reprograms its timer by lapic_deadline()
 * afterwards.
 */
static inline void lapic_write_tsc_deadline(struct lapic *l, u64 value)
{
	/* 0 disarms; outside deadline mode the write is ignored (SDM 11.5.4.1). 0 - 1 is LAPIC_NEVER. */
	if (l->timer_mode == LAPIC_TSC_DEADLINE)
		l->deadline = value ? value : LAPIC_NEVER;
}

#endif
