// SPDX-License-Identifier: BSD-2-Clause
/*
 * PIT channel 2 in mode 0 (82C54 data sheet): its output goes high when the count has run down, and port 0x61 bit 5
 * shows that output. CPUID alone is not to be believed: emulators report the frequency of the silicon that they mimic.
 */
#include "arch/tsc.h"

#include "arch/cpu.h"

#define PIT_HZ		   1193182u
#define PIT_CHANNEL2	   0x42
#define PIT_COMMAND	   0x43
#define PIT_CHANNEL2_MODE0 0xb0 /* channel 2, low then high byte, mode 0 */
#define NMI_STATUS_CONTROL 0x61
#define TIMER2_GATE	   BIT(0)
#define SPEAKER_ENABLE	   BIT(1)
#define TIMER2_OUT	   BIT(5)

#define PIT_COUNT 11932 /* 10.0001 ms */
/* A port read takes at least some 100 ns on hardware, one tick in emulators whose clocks count instructions. */
#define PIT_READS_MAX 20000000

/* 0: channel 2 does not count here. */
static u64 measure_pit(void)
{
	u8 control = inb(NMI_STATUS_CONTROL);
	u64 start, end, reads = 0;

	outb(NMI_STATUS_CONTROL, (u8)((control & ~SPEAKER_ENABLE) | TIMER2_GATE));
	outb(PIT_COMMAND, PIT_CHANNEL2_MODE0);
	outb(PIT_CHANNEL2, PIT_COUNT & 0xff);
	outb(PIT_CHANNEL2, PIT_COUNT >> 8);
	start = rdtsc();
	/* A port that nothing decodes reads as ones: OUT would be high at once. */
	if (inb(NMI_STATUS_CONTROL) & TIMER2_OUT) {
		outb(NMI_STATUS_CONTROL, control);
		return 0;
	}
	do {
		end = rdtsc();
	} while (!(inb(NMI_STATUS_CONTROL) & TIMER2_OUT) && ++reads < PIT_READS_MAX);
	outb(NMI_STATUS_CONTROL, control);
	if (reads == PIT_READS_MAX)
		return 0;
	return (end - start) * PIT_HZ / PIT_COUNT;
}

/* 0: the CPU does not say. SDM vol. 2, CPUID leaf 15H. */
static u64 hz_by_cpuid(void)
{
	struct cpuid leaf = cpuid_checked(0x15, 0);

	if (!leaf.eax || !leaf.ebx)
		return 0;
	return (u64)leaf.ecx * leaf.ebx / leaf.eax;
}

/* Two in a row that agree: below another hypervisor, what its host does meanwhile makes one longer or shorter. */
static u64 measure(void)
{
	u64 last, now = measure_pit();

	for (unsigned tries = 0; now && tries < 5; tries++) {
		last = now;
		now = measure_pit();
		if (now - last + now / 256 <= now / 128)
			break;
	}
	return now;
}

u64 tsc_measure_hz(void)
{
	u64 flags = read_rflags();
	u64 told = hz_by_cpuid();
	u64 measured, difference;

	cli();
	measured = measure();
	write_rflags(flags);

	if (!measured)
		return told;
	difference = measured > told ? measured - told : told - measured;
	return difference < measured / 200 ? told : measured;
}

void tsc_delay_us(u64 tsc_hz, u64 microseconds)
{
	u64 start = rdtsc();
	u64 ticks = tsc_hz / 1000000 * microseconds;

	while (rdtsc() - start < ticks)
		cpu_pause();
}

u64 tsc_now(void *unused)
{
	(void)unused;
	return rdtsc();
}
