// SPDX-License-Identifier: BSD-2-Clause
/*
 * The register file of the local APIC and the path of an interrupt through it: IRR, ISR, PPR, EOI (SDM 11.8).
 */
#include "arch/lapic_internal.h"

#include <string.h>

#define LVT_BITS 0x100ffu /* mask and vector: all entries have them */

const struct lapic_register lapic_registers[64] = {
	[LAPIC_ID >> 4] = { 0, LAPIC_RXR | LAPIC_W }, /* SDM 11.4.6: software may find it not writable */
	[LAPIC_VERSION >> 4] = { 0, LAPIC_RXR },
	[LAPIC_TPR >> 4] = { 0xff, LAPIC_ALL },
	[0x09] = { 0,
		   LAPIC_R }, /* arbitration priority: gone since the Pentium 4, still read by old kernels */
	[LAPIC_PPR >> 4] = { 0, LAPIC_RXR },
	[LAPIC_EOI >> 4] = { 0, LAPIC_W | LAPIC_XW },
	[LAPIC_LDR >> 4] = { 0xff000000, LAPIC_RXR | LAPIC_W },
	[LAPIC_DFR >> 4] = { 0xf0000000, LAPIC_R | LAPIC_W },
	[LAPIC_SVR >> 4] = { 0x3ff, LAPIC_ALL },
	[LAPIC_ISR >> 4 ...(LAPIC_ESR >> 4) - 1] = { 0, LAPIC_RXR },
	[LAPIC_ESR >> 4] = { 0, LAPIC_ALL },
	[LAPIC_ICR >> 4] = { 0xccfff, LAPIC_ALL },
	[LAPIC_ICR_HIGH >> 4] = { 0xff000000, LAPIC_R | LAPIC_W },
	[LAPIC_LVT_TIMER >> 4] = { LVT_BITS | 0x60000, LAPIC_ALL },
	[LAPIC_LVT_THERMAL >> 4] = { LVT_BITS | 0x700, LAPIC_ALL },
	[LAPIC_LVT_PERF >> 4] = { LVT_BITS | 0x700, LAPIC_ALL },
	[LAPIC_LVT_LINT0 >> 4] = { LVT_BITS | 0xa700, LAPIC_ALL },
	[LAPIC_LVT_LINT1 >> 4] = { LVT_BITS | 0xa700, LAPIC_ALL },
	[LAPIC_LVT_ERROR >> 4] = { LVT_BITS, LAPIC_ALL },
	[LAPIC_INITIAL_COUNT >> 4] = { 0xffffffff, LAPIC_ALL },
	[LAPIC_CURRENT_COUNT >> 4] = { 0, LAPIC_RXR },
	[LAPIC_DIVIDE >> 4] = { 0xb, LAPIC_ALL },
	[LAPIC_SELF_IPI >> 4] = { 0xff, LAPIC_XW },
};

/* The highest vector in a bank, of which only the words in `words` may be other than zero; -1: none. */
static int highest(const struct lapic *l, u32 bank, u32 words)
{
	while (words) {
		unsigned word = 31 - __builtin_clz(words);
		u32 bits = l->regs[bank / 4 + word * 4];

		if (bits)
			return word * 32 + 31 - __builtin_clz(bits);
		words ^= 1u << word;
	}
	return -1;
}

/*
 * Takes a vector out of IRR or ISR. With apicv the CPU adds bits unseen, so `words` must stay all ones then.
 */
static void clear_vector(struct lapic *l, u32 bank, u8 *words, u8 vector)
{
	u32 *word = lapic_word(l, bank, vector);

	*word &= ~(1u << (vector & 31));
	if (!*word && !l->config.apicv)
		*words &= ~(1u << (vector >> 5));
}

u8 lapic_ppr(const struct lapic *l)
{
	int in_service = highest(l, LAPIC_ISR, l->isr_words);
	u8 tpr = *lapic_reg(l, LAPIC_TPR);

	return in_service >> 4 > tpr >> 4 ? in_service & 0xf0 : tpr;
}

int lapic_pending(const struct lapic *l)
{
	int vector = highest(l, LAPIC_IRR, l->irr_words);

	return vector >= 0 && vector >> 4 > lapic_ppr(l) >> 4 ? vector : -1;
}

void lapic_ack(struct lapic *l, u8 vector)
{
	clear_vector(l, LAPIC_IRR, &l->irr_words, vector);
	*lapic_word(l, LAPIC_ISR, vector) |= 1u << (vector & 31);
	l->isr_words |= 1u << (vector >> 5);
}

unsigned lapic_tpr_threshold(const struct lapic *l)
{
	int pending = highest(l, LAPIC_IRR, l->irr_words) >> 4;
	int in_service = highest(l, LAPIC_ISR, l->isr_words) >> 4;
	int tpr = (u8)*lapic_reg(l, LAPIC_TPR) >> 4;

	return pending > in_service && pending <= tpr ? pending : 0;
}

u8 lapic_rvi(const struct lapic *l)
{
	int vector = highest(l, LAPIC_IRR, l->irr_words);

	return vector < 0 ? 0 : vector;
}

bool lapic_more_wait(const struct lapic *l)
{
	u32 seen = 0;

	for (unsigned word = 0; word < 8; word++) {
		u32 bits = l->regs[LAPIC_IRR / 4 + word * 4];

		if (bits & (bits - 1) || (bits && seen))
			return true;
		seen |= bits;
	}
	return false;
}

u8 lapic_svi(const struct lapic *l)
{
	int vector = highest(l, LAPIC_ISR, l->isr_words);

	return vector < 0 ? 0 : vector;
}

bool lapic_deliver(struct lapic *l, u8 vector, bool level)
{
	u32 *irr = lapic_word(l, LAPIC_IRR, vector);
	u32 bit = 1u << (vector & 31);

	if (!l->software_enabled)
		return false;
	if (unlikely(vector < 16)) {
		lapic_raise_error(l, LAPIC_ERROR_RECEIVE_VECTOR);
		return false;
	}
	if (unlikely(lapic_test(l, LAPIC_TMR, vector) != level)) {
		*lapic_word(l, LAPIC_TMR, vector) ^= bit;
		if (l->ops->eoi_exit_changed)
			l->ops->eoi_exit_changed(l->owner, vector >> 6);
	}
	if (*irr & bit)
		return true;
	*irr |= bit;
	l->irr_words |= 1u << (vector >> 5);
	lapic_tell_pending(l, vector);
	return true;
}

static void finish(struct lapic *l, u8 vector)
{
	if (lapic_test(l, LAPIC_TMR, vector) && l->ops->eoi)
		l->ops->eoi(l->owner, vector);
}

/* PPR may have gone down. What waited for that has been told when it came, and must be told again. */
static void ppr_changed(struct lapic *l)
{
	if (l->irr_words && (l->config.apicv || lapic_pending(l) >= 0))
		lapic_tell_pending(l, -1);
}

static void end_of_interrupt(struct lapic *l)
{
	int vector = highest(l, LAPIC_ISR, l->isr_words);

	if (vector < 0)
		return;
	clear_vector(l, LAPIC_ISR, &l->isr_words, vector);
	ppr_changed(l);
	finish(l, vector);
}

void lapic_eoi_induced(struct lapic *l, u8 vector)
{
	finish(l, vector);
}

void lapic_local_interrupt(struct lapic *l, u32 offset)
{
	u32 lvt = *lapic_reg(l, offset);

	if (lvt & LAPIC_LVT_MASKED)
		return;
	switch (lvt >> 8 & 7) {
	case LAPIC_FIXED:
		lapic_deliver(l, lvt, false);
		break;
	case LAPIC_NMI:
		if (l->ops->nmi)
			l->ops->nmi(l->owner);
		break;
	case LAPIC_INIT:
		if (l->ops->init)
			l->ops->init(l->owner);
		break;
	default:
		/*
		 * ExtINT is a question of the level of the PIC's wire: lapic_accepts_extint(). There is no
		 * SMM.
		 */
		break;
	}
}

void lapic_raise_error(struct lapic *l, u32 bit)
{
	/* Once only: an error entry with a bad vector of its own would go round for ever. */
	if (l->errors & bit)
		return;
	l->errors |= bit;
	lapic_local_interrupt(l, LAPIC_LVT_ERROR);
}

bool lapic_accepts_extint(const struct lapic *l)
{
	u32 lvt = *lapic_reg(l, LAPIC_LVT_LINT0);

	return !lapic_enabled(l) || (!(lvt & LAPIC_LVT_MASKED) && (lvt >> 8 & 7) == LAPIC_EXTINT);
}

void lapic_lint(struct lapic *l, unsigned pin)
{
	if (lapic_enabled(l))
		lapic_local_interrupt(l, pin ? LAPIC_LVT_LINT1 : LAPIC_LVT_LINT0);
	else if (pin && l->ops->nmi) /* LINT1 is the plain NMI pin then */
		l->ops->nmi(l->owner);
}

static void write_svr(struct lapic *l, u32 value)
{
	l->software_enabled = value & LAPIC_SVR_ENABLE;
	if (l->software_enabled)
		return;
	for (u32 lvt = LAPIC_LVT_TIMER; lvt <= LAPIC_LVT_ERROR; lvt += 16)
		*lapic_reg(l, lvt) |= LAPIC_LVT_MASKED;
}

static __attribute__((noinline)) void write_other(struct lapic *l, unsigned index, u32 value)
{
	u32 offset = index << 4;
	u32 *reg = lapic_reg(l, offset);

	value &= lapic_registers[index].mask;
	switch (offset) {
	case LAPIC_ID:
		/* With register virtualisation the guest's value is in the page already. */
		*reg = lapic_x2apic(l) ? l->config.id : l->config.id << 24;
		return;
	case LAPIC_DFR:
		value |= 0x0fffffff;
		break;
	case LAPIC_SVR:
		write_svr(l, value);
		break;
	case LAPIC_ESR:
		value = l->errors;
		l->errors = 0;
		break;
	case LAPIC_ICR:
		*reg = value;
		lapic_send_ipi(l, value, lapic_x2apic(l) ? reg[1] : *lapic_reg(l, LAPIC_ICR_HIGH) >> 24);
		return;
	case LAPIC_SELF_IPI:
		*reg = 0;
		lapic_send_ipi(l, value | 1u << 18, 0);
		return;
	case LAPIC_LVT_TIMER:
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERF:
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
	case LAPIC_LVT_ERROR:
		if (!l->software_enabled)
			value |= LAPIC_LVT_MASKED;
		if (offset == LAPIC_LVT_TIMER)
			lapic_timer_write_lvt(l, value);
		break;
	case LAPIC_INITIAL_COUNT:
		lapic_timer_write_initial_count(l, value);
		return;
	case LAPIC_DIVIDE:
		lapic_timer_write_divide(l, value);
		break;
	default:
		break;
	}
	*reg = value;
}

/* The two that a guest writes at every interrupt come first, and without the stack frame of the others. */
void lapic_write_register(struct lapic *l, unsigned index, u32 value)
{
	if (index == LAPIC_EOI >> 4) {
		end_of_interrupt(l);
	} else if (index == LAPIC_TPR >> 4) {
		*lapic_reg(l, LAPIC_TPR) = value & 0xff;
		ppr_changed(l);
	} else {
		write_other(l, index, value);
	}
}

u32 lapic_read_register(struct lapic *l, unsigned index)
{
	if (index == LAPIC_CURRENT_COUNT >> 4)
		return lapic_timer_current_count(l, l->ops->now(l->owner));
	if (index == LAPIC_PPR >> 4)
		return lapic_ppr(l);
	return l->regs[index * 4];
}

void lapic_apic_write(struct lapic *l, u32 offset)
{
	unsigned index = offset >> 4 & 63;

	if (lapic_registers[index].access & (LAPIC_W | LAPIC_XW))
		lapic_write_register(l, index, l->regs[index * 4]);
}

void lapic_set_cr8(struct lapic *l, u64 value)
{
	lapic_write_register(l, LAPIC_TPR >> 4, (value & 15) << 4);
}

void lapic_set_apicv(struct lapic *l, bool apicv)
{
	l->config.apicv = apicv;
	/*
	 * All ones means "look", which is right always; the words that turn out empty are taken out as they
	 * are cleared.
	 */
	l->irr_words = l->isr_words = 0xff;
}

void lapic_reset(struct lapic *l)
{
	u32 id = l->config.id;

	memset(l->regs, 0, PAGE_SIZE);
	*lapic_reg(l, LAPIC_ID) = lapic_x2apic(l) ? id : id << 24;
	*lapic_reg(l, LAPIC_LDR) = lapic_x2apic(l) ? (id >> 4) << 16 | 1u << (id & 15) : 0;
	*lapic_reg(l, LAPIC_VERSION) = LAPIC_VERSION_VALUE;
	*lapic_reg(l, LAPIC_DFR) = 0xffffffff;
	*lapic_reg(l, LAPIC_SVR) = 0xff;
	write_svr(l, 0xff);
	l->irr_words = l->isr_words = l->config.apicv ? 0xff : 0;
	l->errors = 0;
	l->timer_mode = LAPIC_ONE_SHOT;
	lapic_timer_stop(l);
	lapic_timer_write_divide(l, 0);
	for (unsigned word = 0; word < 4 && l->ops->eoi_exit_changed; word++)
		l->ops->eoi_exit_changed(l->owner, word);
	lapic_tell_pending(l, -1);
}

void lapic_setup(struct lapic *l, void *page, const struct lapic_config *config, const struct lapic_ops *ops,
		 void *owner)
{
	*l = (struct lapic){
		.regs = page,
		.ops = ops,
		.owner = owner,
		.config = *config,
		.base = LAPIC_DEFAULT_BASE | LAPIC_BASE_ENABLE | (config->bsp ? LAPIC_BASE_BSP : 0),
		.deadline = LAPIC_NEVER,
	};
	if (!l->config.ratio)
		l->config.ratio = 1;
	lapic_reset(l);
}

void lapic_set_virtual_wire(struct lapic *l)
{
	lapic_write_register(l, LAPIC_SVR >> 4, LAPIC_SVR_ENABLE | 0xff);
	lapic_write_register(l, LAPIC_LVT_LINT0 >> 4, LAPIC_EXTINT << 8);
	lapic_write_register(l, LAPIC_LVT_LINT1 >> 4, LAPIC_NMI << 8);
}
