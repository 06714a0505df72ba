// SPDX-License-Identifier: BSD-2-Clause
#include "boot/machine_clock.h"

#include <string.h>

#include "arch/cpu.h"

static u8 cmos_read(u8 index)
{
	outb(0x70, index);
	return inb(0x71);
}

static u8 from_bcd(u8 value, bool binary)
{
	return binary ? value : (value >> 4) * 10 + (value & 15);
}

struct rtc_time machine_time(void)
{
	enum { SECOND, MINUTE = 2, HOUR = 4, DAY = 7, MONTH, YEAR, REGISTER_A, REGISTER_B };
	u8 raw[10], again[10];
	unsigned tries = 0;

	/* Read until two readings agree and no update was on its way: there is no clock to wait by. */
	do {
		for (unsigned i = 0; i < sizeof(raw); i++)
			raw[i] = cmos_read(i);
		for (unsigned i = 0; i < sizeof(again); i++)
			again[i] = cmos_read(i);
	} while (++tries < 100 && (memcmp(raw, again, sizeof(raw)) != 0 || (cmos_read(REGISTER_A) & 0x80)));
	u8 b = cmos_read(REGISTER_B);
	bool binary = b & 4;
	u8 hour = from_bcd(raw[HOUR] & 0x7f, binary);
	if (!(b & 2))
		hour = hour % 12 + (raw[HOUR] & 0x80 ? 12 : 0);
	struct rtc_time time = {
		.year = 2000 + from_bcd(raw[YEAR], binary),
		.month = from_bcd(raw[MONTH], binary),
		.day = from_bcd(raw[DAY], binary),
		.hour = hour,
		.minute = from_bcd(raw[MINUTE], binary),
		.second = from_bcd(raw[SECOND], binary),
	};
	bool sane = time.month - 1u < 12 && time.day - 1u < 31 && time.hour < 24 && time.minute < 60 &&
		    time.second < 60;
	return sane ? time : (struct rtc_time){ .year = 2026, .month = 1, .day = 1 };
}
