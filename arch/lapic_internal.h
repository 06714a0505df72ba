/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the local APIC model share among themselves. */
#ifndef ARCH_LAPIC_INTERNAL_H
#define ARCH_LAPIC_INTERNAL_H

#include "arch/lapic.h"

/* ESR (SDM 11.5.3). */
#define LAPIC_ERROR_SEND_VECTOR	   0x20u
#define LAPIC_ERROR_RECEIVE_VECTOR 0x40u
#define LAPIC_ERROR_ADDRESS	   0x80u

/* Who may do what with a register; `mask` has the bits that a write may set. */
enum {
	LAPIC_R = 1, /* by MMIO */
	LAPIC_W = 2,
	LAPIC_XR = 4, /* by x2APIC MSR */
	LAPIC_XW = 8,
	LAPIC_RXR = LAPIC_R | LAPIC_XR,
	LAPIC_ALL = LAPIC_R | LAPIC_W | LAPIC_XR | LAPIC_XW,
};

struct lapic_register {
	u32 mask;
	u8 access;
};

/* By offset / 16. */
extern const struct lapic_register lapic_registers[64];

static inline u32 *lapic_reg(const struct lapic *l, u32 offset)
{
	return &l->regs[offset / 4];
}

/* The word of ISR, TMR or IRR that holds `vector`. */
static inline u32 *lapic_word(const struct lapic *l, u32 bank, u8 vector)
{
	return &l->regs[bank / 4 + (vector >> 5) * 4];
}

static inline bool lapic_test(const struct lapic *l, u32 bank, u8 vector)
{
	return *lapic_word(l, bank, vector) >> (vector & 31) & 1;
}

static inline void lapic_tell_pending(struct lapic *l, int vector)
{
	if (l->ops->pending)
		l->ops->pending(l->owner, vector);
}

/* A write with the value as the guest gave it; the register is writable in the mode that the APIC is in. */
void lapic_write_register(struct lapic *l, unsigned index, u32 value);
u32 lapic_read_register(struct lapic *l, unsigned index);
/* An interrupt from the APIC's own sources by its LVT entry at `offset`. */
void lapic_local_interrupt(struct lapic *l, u32 offset);
/* Sets an ESR bit; its first occurrence since the last ESR write raises the error interrupt. */
void lapic_raise_error(struct lapic *l, u32 bit);
u8 lapic_ppr(const struct lapic *l);

void lapic_send_ipi(struct lapic *l, u32 icr, u32 destination);

void lapic_timer_write_lvt(struct lapic *l, u32 lvt);
void lapic_timer_write_initial_count(struct lapic *l, u32 count);
void lapic_timer_write_divide(struct lapic *l, u32 divide);
u32 lapic_timer_current_count(const struct lapic *l, u64 now);
void lapic_timer_stop(struct lapic *l);

#endif
