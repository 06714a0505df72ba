// SPDX-License-Identifier: BSD-2-Clause

#include "devices/pm.h"
#include "devices/isa.h"

enum { STATUS = 0, ENABLE = 2, CONTROL = 4, TIMER = PM_TIMER_OFFSET };

enum { TMR = 0x0001, WAK_STS = 0x8000, SCI_EN = 0x0001, SLP_TYP_SHIFT = 10, SLP_EN = 0x2000 };
enum { ENABLE_KEPT = 0x0721 };	/* TMR, GBL, PWRBTN, SLPBTN, RTC */
enum { CONTROL_KEPT = 0x1c02 }; /* BM_RLD, SLP_TYP; GBL_RLS and SLP_EN read as zero */
enum { SLEEP_CONTROL_EN = 0x20, SLEEP_CONTROL_TYP_SHIFT = 2, SLEEP_STATUS_WAK = 0x80 };
enum { RESET_CPU = 0x04, RESET_KEPT = 0x0a }; /* bit 2 is the trigger and falls with the reset */

/* TMR_STS tells that the top bit changed, in either direction (ACPI 4.8.3.1.1). */
#define TIMER_TOP_SHIFT 31

static u64 pm_periods(const struct pm *pm)
{
	return clock_periods(pm->clock, clock_now(pm->clock) - pm->epoch, PM_TIMER_HZ);
}

static void pm_settle(struct pm *pm)
{
	u64 now = pm_periods(pm);

	if (now >> TIMER_TOP_SHIFT != pm->seen >> TIMER_TOP_SHIFT)
		pm->status |= TMR;
	pm->seen = now;
}

/* The wire follows status and enables. A set status bit says all there is to say, so the timer runs only without it. */
static void pm_update(struct pm *pm)
{
	u64 next = TIMER_NEVER, change;

	irq_line_set(&pm->sci, pm->status & pm->enable & ENABLE_KEPT);
	if ((pm->enable & TMR) && !(pm->status & TMR)) {
		change = ((pm->seen >> TIMER_TOP_SHIFT) + 1) << TIMER_TOP_SHIFT;
		next = pm->epoch + clock_ticks(pm->clock, change, PM_TIMER_HZ);
	}
	timer_arm(pm->queue, &pm->timer, next);
}

static void pm_expired(void *device)
{
	struct pm *pm = device;

	pm_settle(pm);
	pm_update(pm);
}

static void pm_sleep(struct pm *pm, unsigned type)
{
	if (type == PM_SLP_TYP_S5) {
		pm->board.power_off(pm->board.board);
		return;
	}
	/* As if it woke up at once: the guest waits for nothing else. */
	log_limited(&pm->refused, LOG_WARN, "pm: guest asked for sleep type %u, only %u (off) exists", type,
		    PM_SLP_TYP_S5);
	pm->status |= WAK_STS;
	pm->sleep_status = SLEEP_STATUS_WAK;
}

static u8 pm_read_byte(const struct pm *pm, unsigned offset)
{
	unsigned shift = offset % 2 * 8;

	switch (offset & ~1u) {
	case STATUS:
		return pm->status >> shift;
	case ENABLE:
		return pm->enable >> shift;
	case CONTROL:
		return (pm->control | SCI_EN) >> shift;
	case TIMER:
	case TIMER + 2:
		return pm->seen >> (offset - TIMER) * 8;
	default:
		return 0xff; /* between the blocks there is nothing */
	}
}

static void pm_write_byte(struct pm *pm, unsigned offset, u8 value)
{
	unsigned shift = offset % 2 * 8;
	u16 bits = value << shift, mask = 0xff << shift;

	switch (offset & ~1u) {
	case STATUS:
		pm->status &= ~bits;
		break;
	case ENABLE:
		pm->enable = (pm->enable & ~mask) | (bits & ENABLE_KEPT);
		break;
	case CONTROL:
		pm->control = (pm->control & ~mask) | (bits & CONTROL_KEPT);
		if (bits & SLP_EN)
			pm_sleep(pm, pm->control >> SLP_TYP_SHIFT & 7);
		break;
	default:
		break;
	}
}

static enum mem_result pm_acpi_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct pm *pm = device;

	pm_settle(pm);
	if (offset == TIMER && size == 4) {
		*value = (u32)pm->seen;
		return MEM_OK;
	}
	*value = 0;
	for (unsigned i = 0; i < size; i++)
		*value |= (u64)pm_read_byte(pm, offset + i) << i * 8;
	return MEM_OK;
}

static enum mem_result pm_acpi_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pm *pm = device;

	pm_settle(pm);
	for (unsigned i = 0; i < size; i++)
		pm_write_byte(pm, offset + i, value >> i * 8);
	pm_update(pm);
	return MEM_OK;
}

static enum mem_result pm_sleep_read(void *device, u64 offset, unsigned size, u64 *value)
{
	const struct pm *pm = device;

	(void)size;
	*value = offset & 1 ? pm->sleep_status : 0;
	return MEM_OK;
}

static enum mem_result pm_sleep_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pm *pm = device;

	(void)size;
	if (offset & 1)
		pm->sleep_status &= ~value;
	else if (value & SLEEP_CONTROL_EN)
		pm_sleep(pm, value >> SLEEP_CONTROL_TYP_SHIFT & 7);
	return MEM_OK;
}

static enum mem_result pm_reset_read(void *device, u64 offset, unsigned size, u64 *value)
{
	const struct pm *pm = device;

	(void)offset;
	(void)size;
	*value = pm->reset_control;
	return MEM_OK;
}

static enum mem_result pm_reset_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pm *pm = device;

	(void)offset;
	(void)size;
	pm->reset_control = value & RESET_KEPT;
	if (value & RESET_CPU)
		pm->board.reset(pm->board.board);
	return MEM_OK;
}

const struct region_ops pm_acpi_ops = {
	.read = pm_acpi_read,
	.write = pm_acpi_write,
	.valid = { 1, 4, true },
	.impl = { 1, 4, true },
};

const struct region_ops pm_sleep_ops = ISA_BYTE_OPS(pm_sleep_read, pm_sleep_write);

const struct region_ops pm_reset_ops = ISA_BYTE_OPS(pm_reset_read, pm_reset_write);

void pm_init(struct pm *pm, const struct clock *clock, struct timer_queue *queue, struct irq_line sci,
	     struct pm_board board)
{
	*pm = (struct pm){
		.clock = clock, .queue = queue, .sci = sci, .board = board, .epoch = clock_now(clock)
	};
	timer_init(&pm->timer, pm_expired, pm);
}

void pm_reset(struct pm *pm)
{
	pm_settle(pm);
	pm->status = pm->enable = pm->control = 0;
	pm->sleep_status = pm->reset_control = 0;
	pm_update(pm);
}
