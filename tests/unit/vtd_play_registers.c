// SPDX-License-Identifier: BSD-2-Clause
/* What software does to registers and the queue: mostly right, often wrong. */
#include "tests/unit/vtd_play.h"

/*
 * ---- invalidation
 * -------------------------------------------------------------------------------------------
 */

static bool queued(const struct play *play)
{
	return play->naive.gsts & BIT(26) && !(play->naive.fsts & BIT(4));
}

static u32 queue_size(const struct play *play)
{
	return (u32)PAGE_SIZE << (play->naive.iqa & 7);
}

/* Into the queue wherever it is, as far as that is memory. */
static void put_descriptor(struct play *play, u64 low, u64 high)
{
	u64 at = (play->naive.iqa & ~PAGE_MASK) + play->queue_tail, descriptor[2] = { low, high };

	play_trace(play, "descriptor 0x%llx 0x%llx at 0x%x", (unsigned long long)low,
		   (unsigned long long)high, play->queue_tail);
	if (play_target(play->real_memory, 0, at, true) && play_target(play->real_memory, 0, at + 15, true))
		play_poke(play, at, descriptor, 16);
	play->queue_tail = (play->queue_tail + 16) % queue_size(play);
}

/* As software does it that changed anything: global, in the way that is switched on. */
bool play_invalidate_all(struct play *play)
{
	if (play->naive.gsts & BIT(26)) {
		if (play->naive.fsts & BIT(4)) {
			/* Stuck on a bad descriptor: off and on again. */
			if (!play_write(play, 0x18, 4, play->naive.gsts & (BIT(31) | BIT(25) | BIT(23))) ||
			    !play_write(play, 0x88, 4, 0) || !play_write(play, 0x34, 4, BIT(4)) ||
			    !play_write(play, 0x90, 8, play_page(PAGE_QUEUE) | 1) ||
			    !play_write(play, 0x18, 4,
					(play->naive.gsts & (BIT(31) | BIT(25) | BIT(23))) | BIT(26)))
				return false;
		}
		play->queue_tail = play->naive.iqt % queue_size(play);
		put_descriptor(play, 0x11, 0);
		put_descriptor(play, 0xd2, 0);
		if (play->naive.ecap & BIT(3))
			put_descriptor(play, 0x04, 0);
		return play_write(play, 0x88, 4, play->queue_tail);
	}
	return play_write(play, 0x28, 8, BIT(63) | BIT(61)) &&
	       play_write(play, play->naive.ecap >> 4 & 0x3ff0, 8, 0) &&
	       play_write(play, (play->naive.ecap >> 4 & 0x3ff0) + 8, 8, BIT(63) | BIT(60));
}

static u64 choose_domain(u64 *word)
{
	static const u16 domains[] = { 12, 13, 14, 15, 12, 14, 12 + 512, 1, 2, 0xffff, 0 };

	return domains[play_take(word, ARRAY_SIZE(domains))];
}

static u64 choose_pages(u64 *word)
{
	u64 address = play_take(word, 8) << 12 | play_take(word, 2) << 21 | play_take(word, 2) << 30 |
		      play_take(word, 2) << 39;

	return address | (play_take(word, 3) ? play_take(word, 3) : play_take(word, 64)) |
	       play_take(word, 2) << 6;
}

static void choose_descriptor(struct play *play, u64 choice, u64 more)
{
	u64 low, high = 0, source = play_requester[play_take(&choice, PLAY_GATES)];

	switch (play_take(&choice, 8)) {
	case 0:
		low = 1 | play_take(&choice, 4) << 4 | choose_domain(&choice) << 16 | source << 32 |
		      play_take(&choice, 4) << 48;
		break;
	case 1:
	case 2:
	case 3:
		low = 2 | play_take(&choice, 4) << 4 | play_take(&choice, 4) << 6 |
		      choose_domain(&choice) << 16;
		high = choose_pages(&more);
		break;
	case 4:
		low = 4 | play_take(&choice, 2) << 4 | play_take(&choice, 3) << 27 |
		      play_take(&choice, 8) << 32;
		break;
	case 5:
		low = play_take(&choice, 16);
		high = play_take(&choice, 3) ? 0 : more;
		break;
	default:
		low = 5 | play_take(&choice, 16) << 4 | more << 32;
		if (play_take(&choice, 8))
			low &= ~BIT(7);
		high = play_take(&more, 4) ? play_page(PAGE_STATUS) + 4 * play_take(&more, 1024)
					   : play_data_page(&more) + play_take(&more, 4096);
		if (!play_take(&choice, 8))
			high = play_bad_address(&more);
		break;
	}
	put_descriptor(play, play_spoil(low, &choice), play_spoil(high, &choice));
}

bool play_queue(struct play *play, const u64 *word)
{
	u64 choice = word[0], count = 1 + play_take(&choice, 3), i;

	if (!queued(play) && play_take(&choice, 2))
		return play_invalidate_all(play);
	if (play->queue_tail >= queue_size(play) || play_take(&choice, 8))
		play->queue_tail = play->naive.iqt % queue_size(play);
	if (!play_take(&choice, 6)) /* close to the end: it wraps */
		play->queue_tail = queue_size(play) - 16;
	for (i = 0; i < count; i++)
		choose_descriptor(play, word[1 + i], word[4] ^ word[1 + i]);
	return play_write(play, 0x88, 4, play->queue_tail);
}

/* By register; with the queue switched on that is refused. */
bool play_command(struct play *play, const u64 *word)
{
	u64 choice = word[0], more = word[1], iotlb = (play->naive.ecap >> 4 & 0x3ff0), value;
	bool halves = play_take(&choice, 4) == 0;

	if (play_take(&choice, 2)) {
		value = BIT(63) | play_take(&choice, 4) << 61 | choose_domain(&choice) |
			(u64)play_requester[play_take(&choice, PLAY_GATES)] << 16 |
			play_take(&choice, 4) << 32;
		if (!halves)
			return play_write(play, 0x28, 8, play_spoil(value, &choice));
		return play_write(play, 0x28, 4, (u32)value) && play_write(play, 0x2c, 4, value >> 32);
	}
	value = BIT(63) | play_take(&choice, 4) << 60 | play_take(&choice, 4) << 48 |
		choose_domain(&choice) << 32;
	if (!play_write(play, iotlb, 8, choose_pages(&more)))
		return false;
	if (!halves)
		return play_write(play, iotlb + 8, 8, play_spoil(value, &choice));
	return play_write(play, iotlb + 8, 4, (u32)value) && play_write(play, iotlb + 12, 4, value >> 32);
}

bool play_invalidate_context(struct play *play, u64 granularity, u16 domain, u16 source, u64 functions)
{
	if (queued(play)) {
		play->queue_tail = play->naive.iqt % queue_size(play);
		put_descriptor(play,
			       1 | granularity << 4 | (u64)domain << 16 | (u64)source << 32 | functions << 48,
			       0);
		return play_write(play, 0x88, 4, play->queue_tail);
	}
	return play_write(play, 0x28, 8,
			  BIT(63) | granularity << 61 | functions << 32 | (u64)source << 16 | domain);
}

/* Invalidates just what it has to: by page, by domain. */
bool play_invalidate_page(struct play *play, u64 iova, u16 domain, u64 *choice)
{
	u64 granularity = 2 + play_take(choice, 2), iotlb = (play->naive.ecap >> 4 & 0x3ff0);

	if (queued(play)) {
		play->queue_tail = play->naive.iqt % queue_size(play);
		put_descriptor(play, 2 | granularity << 4 | (u64)domain << 16, iova & ~PAGE_MASK);
		return play_write(play, 0x88, 4, play->queue_tail);
	}
	return play_write(play, iotlb, 8, iova & ~PAGE_MASK) &&
	       play_write(play, iotlb + 8, 8, BIT(63) | granularity << 60 | (u64)domain << 32);
}

/*
 * ---- registers
 * ----------------------------------------------------------------------------------------------
 */

/* GCMD, alone or after a new table address; translation is on most of the time. */
bool play_global(struct play *play, const u64 *word)
{
	u64 choice = word[0], value = play->naive.gsts & (BIT(31) | BIT(26) | BIT(25) | BIT(23));

	switch (play_take(&choice, 8)) {
	case 0:
		value ^= BIT(31);
		break;
	case 1:
		value ^= BIT(26);
		if (!play_write(play, 0x88, 4, play_take(&choice, 4) ? 0 : play_take(&choice, 3) * 16))
			return false;
		break;
	case 2:
		value ^= BIT(25);
		break;
	case 3:
		value ^= BIT(23);
		break;
	case 4:
		value |= BIT(24);
		if (!play_write(play, 0xb8, 8,
				(play_take(&choice, 8) ? play_page(PAGE_REMAP) : play_bad_address(&choice)) |
					play_take(&choice, 16) | play_take(&choice, 2) << 11))
			return false;
		break;
	case 5:
		value = word[1] & 0xffffffff;
		break;
	default:
		value |= BIT(30) | BIT(31);
		if (!play_write(play, 0x20, 8,
				play_take(&choice, 8) ? play_page(PAGE_ROOT + (unsigned)play_take(&choice, 2))
						      : play_bad_address(&choice)))
			return false;
		break;
	}
	return play_write(play, 0x18, 4, value);
}

bool play_register(struct play *play, const u64 *word)
{
	static const u16 offsets[] = { 0x34, 0x34, 0x38, 0x38, 0x3c, 0x40, 0x44,  0x9c, 0xa0, 0xa4,
				       0xa8, 0xac, 0x88, 0x90, 0x94, 0xb8, 0x20,  0x24, 0x00, 0x08,
				       0x0c, 0x10, 0x1c, 0x80, 0x28, 0xf8, 0x220, 0x30, 0x58, 0x64 };
	u64 choice = word[0], record;

	switch (play_take(&choice, 4)) {
	case 0: /* as a handler of faults does */
		record = 0x220 + 16 * play_take(&choice, VTD_FAULT_RECORDS);
		return play_write(play, record + 12, 4, BIT(31));
	case 1:
		for (record = 0; record < VTD_FAULT_RECORDS; record++) {
			if (!play_write(play, 0x228 + 16 * record, 8, BIT(63)))
				return false;
		}
		return play_write(play, 0x34, 4, 0x83);
	case 2: /* unmask, or acknowledge */
		record = play_take(&choice, 4);
		if (record < 2)
			return play_write(play, record ? 0xa0 : 0x38, 4, play_take(&choice, 2) << 31);
		return play_write(play, record == 2 ? 0x9c : 0x34, 4, play_take(&choice, 256));
	default:
		record = offsets[play_take(&choice, ARRAY_SIZE(offsets))];
		return play_write(play, record, record % 8 || play_take(&choice, 2) ? 4 : 8, word[1]);
	}
}
