/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time stamp counter as a clock, and how fast it counts.
 */
#ifndef ARCH_TSC_H
#define ARCH_TSC_H

#include "mm/types.h"

/* What it says now: of the shape that a `struct clock` asks by. */
u64 tsc_now(void *unused);

/*
 * Ticks a second, or 0 if nothing on this machine tells. Measures about 10 ms against PIT channel 2 with interrupts off;
 * CPUID leaf 0x15 replaces the measured value where the two agree, and stands in where there is no PIT.
 */
u64 tsc_measure_hz(void);

/* Spins. For hardware that must be given time, before the guest runs. */
void tsc_delay_us(u64 tsc_hz, u64 microseconds);

#endif
