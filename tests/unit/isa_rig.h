/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the platform devices share: a clock that moves only when told, a timer queue, a recorder for one wire,
 * and port accesses through a device's ops.
 */
#ifndef TESTS_UNIT_ISA_RIG_H
#define TESTS_UNIT_ISA_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "devices/irq.h"
#include "devices/timer.h"
#include "mm/access.h"

struct rig {
	struct clock clock;
	struct timer_queue queue;
	u64 now;
	bool line;
	unsigned rises;
	u64 rise_at;
};

static inline u64 rig_now(void *source)
{
	return ((struct rig *)source)->now;
}

static inline void rig_set(void *controller, unsigned pin, bool level)
{
	struct rig *rig = controller;

	assert_int_equal(pin, 5);
	if (level && !rig->line) {
		rig->rises++;
		rig->rise_at = rig->now;
	}
	rig->line = level;
}

static inline void rig_init(struct rig *rig, u64 hz)
{
	*rig = (struct rig){ .clock = { rig_now, rig, hz }, .now = 12345 };
}

static inline struct irq_line rig_line(struct rig *rig)
{
	return (struct irq_line){ rig_set, rig, 5 };
}

/* Moves to `tick`, running each timer exactly when it is due. */
static inline void rig_go(struct rig *rig, u64 tick)
{
	u64 next;

	while ((next = timer_queue_next(&rig->queue)) <= tick) {
		rig->now = MAX(rig->now, next);
		timer_queue_run(&rig->queue, rig->now);
	}
	rig->now = MAX(rig->now, tick);
}

static inline u64 rig_read(const struct region_ops *ops, void *device, u64 offset, unsigned size)
{
	u64 value = 0x5a5a5a5a5a5a5a5a;

	assert_in_range(size, ops->impl.min, ops->impl.max);
	assert_int_equal(ops->read(device, offset, size, &value), MEM_OK);
	if (size < 8)
		assert_int_equal(value >> size * 8, 0);
	return value;
}

static inline void rig_write(const struct region_ops *ops, void *device, u64 offset, unsigned size, u64 value)
{
	assert_in_range(size, ops->impl.min, ops->impl.max);
	assert_int_equal(ops->write(device, offset, size, value), MEM_OK);
}

/* From Bochs' usual 30 MHz up; primes where rounding would hide otherwise. */
static const u64 rig_rates[] = { 30000000, 999999937, 2100000000, 3579545, 5000000000 };

#endif
