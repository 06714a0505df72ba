// SPDX-License-Identifier: BSD-2-Clause
/* What software does: tables, the queue, registers. Mostly right, often wrong. */
#include <string.h>

#include "tests/unit/vtd_play.h"

u64 play_data_page(u64 *word)
{
	u64 which = play_take(word, LOW_PAGES - PAGE_DATA + HIGH_PAGES);

	return which < HIGH_PAGES ? HIGH_BASE + play_page((unsigned)which)
				  : play_page(PAGE_DATA + (unsigned)(which - HIGH_PAGES));
}

/* An address that a table should not have. */
u64 play_bad_address(u64 *word)
{
	static const u64 bad[] = { 0xfee00000,
				   0xfed90000,
				   LOW_PAGES * PAGE_SIZE,
				   HIGH_BASE + HIGH_PAGES * PAGE_SIZE,
				   38ull << 32,
				   BIT(40),
				   BIT(47),
				   BIT(51) };

	return bad[play_take(word, ARRAY_SIZE(bad))];
}

static u64 permission(u64 *word)
{
	static const u8 often[] = { 3, 3, 3, 3, 3, 1, 2, 0 };

	return often[play_take(word, ARRAY_SIZE(often))];
}

/* One bit of an entry is turned over now and then. */
u64 play_spoil(u64 entry, u64 *word)
{
	return play_take(word, 24) ? entry : entry ^ BIT(play_take(word, 64));
}

/*
 * ---- tables
 * -------------------------------------------------------------------------------------------------
 */

static const u16 entry_index[] = { 0, 0, 1, 1, 2, 3, 511, 0x1f7 };

/* There is little of it that is memory; or it holds the interrupt range. */
static u64 large_page(unsigned level, u64 *word)
{
	static const u64 pages[] = { 0, HIGH_BASE, 0xfee00000 };
	u64 address = pages[play_take(word, ARRAY_SIZE(pages))];

	address = ALIGN_DOWN(address, level == 2 ? 2 * MiB : GiB);
	return play_take(word, 16) ? address : address | BIT(12 + play_take(word, level == 2 ? 9 : 18));
}

static void write_page_entry(struct play *play, unsigned table, u64 index, u64 *word)
{
	unsigned level = 4 - table / 2;
	u64 entry = permission(word), kind = play_take(word, 16);

	if (kind == 0)
		entry = 0;
	else if (kind == 1)
		entry |= play_bad_address(word);
	else if (kind == 2) /* any table, at any level */
		entry |= play_page(PAGE_TABLE + (unsigned)play_take(word, 8));
	else if (level > 1 && kind < 6)
		entry |= BIT(7) | large_page(level, word);
	else if (level > 1)
		entry |= play_page(PAGE_TABLE + 2 * (5 - level) + (unsigned)play_take(word, 2));
	else
		entry |= play_data_page(word);
	if (!play_take(word, 4)) /* ignored bits */
		entry |= BIT(52 + play_take(word, 10)) | BIT(8) | BIT(63) | BIT(2 + play_take(word, 5));
	entry = play_spoil(entry, word);
	play_trace(play, "level %u table 0x%llx[%llu] = 0x%llx", level,
		   (unsigned long long)play_page(PAGE_TABLE + table), (unsigned long long)index,
		   (unsigned long long)entry);
	play_poke(play, play_page(PAGE_TABLE + table) + index * 8, &entry, 8);
}

static void write_context(struct play *play, unsigned table, u8 index, u64 *word)
{
	u64 width = play->naive.cap & BIT(10) && play_take(word, 3) ? 2 : 1, which = play_take(word, 2);
	u64 entry[2];
	u64 address = play_page(PAGE_TABLE + (width == 2 ? 0 : 2) + (unsigned)which), type = 0;
	u64 domain = 10 + 2 * width + which;

	switch (play_take(word, 24)) {
	case 0: /* pass-through */
		type = 2;
		domain = 1;
		break;
	case 1:
		address = play_bad_address(word);
		domain = 2;
		break;
	case 2:
		domain = play_take(word, 2) ? 0xffff : 12 + 512; /* shared with whoever uses it */
		break;
	case 3:
		type = play_take(word, 4);
		width = play_take(word, 8);
		break;
	default:
		break;
	}
	entry[0] = (play_take(word, 16) != 0) | (play_take(word, 4) ? 0 : BIT(1)) | type << 2 | address;
	entry[1] = width | domain << 8 | play_take(word, 16) << 3;
	entry[0] = play_spoil(entry[0], word);
	entry[1] = play_spoil(entry[1], word);
	play_trace(play, "context table 0x%llx[0x%02x] = 0x%llx 0x%llx",
		   (unsigned long long)play_page(PAGE_CONTEXT + table), index, (unsigned long long)entry[0],
		   (unsigned long long)entry[1]);
	play_poke(play, play_page(PAGE_CONTEXT + table) + index * 16ull, entry, 16);
}

static void write_root(struct play *play, unsigned root, u8 bus, u64 *word)
{
	u64 entry[2] = { play_page(PAGE_CONTEXT + (unsigned)play_take(word, 3)) | 1, 0 };

	switch (play_take(word, 16)) {
	case 0:
		entry[0] = 0;
		break;
	case 1:
		entry[0] = play_bad_address(word) | 1;
		break;
	case 2:
		entry[1] = BIT(play_take(word, 64));
		break;
	default:
		break;
	}
	entry[0] = play_spoil(entry[0], word);
	play_trace(play, "root table 0x%llx[0x%02x] = 0x%llx 0x%llx",
		   (unsigned long long)play_page(PAGE_ROOT + root), bus, (unsigned long long)entry[0],
		   (unsigned long long)entry[1]);
	play_poke(play, play_page(PAGE_ROOT + root) + bus * 16ull, entry, 16);
}

static void write_irte(struct play *play, u64 index, u64 *word)
{
	u16 source = play_requester[play_take(word, PLAY_GATES)];
	u64 destination = play_take(word, 4) ? play_take(word, 256) << 8 : play_take(word, 1ull << 32);
	u64 entry[2];

	entry[0] = (play_take(word, 8) != 0) | (play_take(word, 4) ? 0 : BIT(1)) | play_take(word, 8) << 2 |
		   (play_take(word, 4) ? 0 : play_take(word, 8) << 5) | play_take(word, 16) << 8 |
		   play_take(word, 256) << 16 | destination << 32;
	entry[1] = source | play_take(word, 4) << 16 | play_take(word, 16) % 3 << 18;
	entry[0] = play_spoil(entry[0], word);
	entry[1] = play_spoil(entry[1], word);
	play_trace(play, "IRTE %llu = 0x%llx 0x%llx", (unsigned long long)index, (unsigned long long)entry[0],
		   (unsigned long long)entry[1]);
	play_poke(play, play_page(PAGE_REMAP) + index * 16, entry, 16);
}

static u64 irte_index(u64 *word)
{
	static const u16 indices[] = { 0, 1, 2, 3, 4, 255, 256, 511 };

	return indices[play_take(word, ARRAY_SIZE(indices))];
}

bool play_tables(struct play *play, const u64 *word)
{
	u64 choice = word[0], contents = word[1];

	switch (play_take(&choice, 16)) {
	case 0:
	case 1:
		write_context(play, (unsigned)play_take(&choice, 3),
			      (u8)play_requester[play_take(&choice, PLAY_GATES)], &contents);
		break;
	case 2:
		write_root(play, (unsigned)play_take(&choice, 2),
			   (u8)(play_requester[play_take(&choice, PLAY_GATES)] >> 8), &contents);
		break;
	case 3:
	case 4:
	case 5:
		contents ^= word[2];
		write_irte(play, irte_index(&choice), &contents);
		break;
	default:
		write_page_entry(play, (unsigned)play_take(&choice, 8),
				 entry_index[play_take(&choice, ARRAY_SIZE(entry_index))], &contents);
		break;
	}
	/* Most of the time as it should be done: with invalidation. */
	return play_take(&choice, 3) ? play_invalidate_all(play) : true;
}

/* All at their places: roots, contexts, and translation on. */
bool play_repair(struct play *play, const u64 *word)
{
	unsigned i, bus;

	play_trace(play, "repair");
	for (i = 0; i < 3 * PLAY_GATES; i++) {
		u64 contents = word[i % 4] >> i | 0xffull << 32;

		write_context(play, i % 3, (u8)play_requester[i / 3], &contents);
	}
	for (i = 0; i < PLAY_GATES; i++) {
		u64 entry[2] = { play_page(PAGE_CONTEXT + i % 3) | 1, 0 };

		bus = play_requester[i] >> 8;
		play_poke(play, play_page(PAGE_ROOT) + bus * 16ull, entry, 16);
	}
	return play_write(play, 0x20, 8, play_page(PAGE_ROOT)) &&
	       play_write(play, 0x18, 4, play->naive.gsts | BIT(31) | BIT(30)) && play_invalidate_all(play);
}

/* A context entry that a device goes by; told to the unit by the one of its requester ids or another that is to count. */
static bool change_context(struct play *play, u16 requester, u64 *choice)
{
	static const u16 ignored[] = { 0, 4, 6, 7 };
	u64 at = naive_vtd_context(&play->naive, requester), entry[2], functions = play_take(choice, 4);
	u16 source = requester ^ (u16)(play_take(choice, 8) & ignored[functions]), domain;

	if (!at || !naive_vtd_load(&play->naive, at, entry, 16))
		return true;
	domain = (u16)(entry[1] >> 8);
	switch (play_take(choice, 4)) {
	case 0:
		entry[0] ^= BIT(play_take(choice, 2));
		break;
	case 1:
		entry[1] ^= BIT(8 + play_take(choice, 16));
		break;
	default:
		entry[0] ^= 3 * PAGE_SIZE; /* a neighbour among the tables */
		break;
	}
	play_trace(play, "context entry 0x%llx of %04x = 0x%llx 0x%llx", (unsigned long long)at, requester,
		   (unsigned long long)entry[0], (unsigned long long)entry[1]);
	play_poke(play, at, entry, 16);
	return !play_take(choice, 2) ||
	       play_invalidate_context(play, 2 + play_take(choice, 2), domain, source, functions);
}

/* An entry that a device goes by is changed, with and without telling the unit. */
bool play_change(struct play *play, const u64 *word)
{
	u64 choice = word[0], iova, at, entry;
	unsigned n = (unsigned)play_take(&choice, PLAY_RECENT), level = 1 + (unsigned)play_take(&choice, 4);
	u16 domain;

	if (n >= play->recents)
		return play_repair(play, word);
	if (!play_take(&choice, 4))
		return change_context(play, play_requester[play->recent[n].gate], &choice);
	iova = play->recent[n].iova;
	at = naive_vtd_entry(&play->naive, play_requester[play->recent[n].gate], iova, level, &domain);
	if (!at || !naive_vtd_load(&play->naive, at, &entry, 8))
		return true;
	switch (play_take(&choice, 8)) {
	case 0:
		entry = 0;
		break;
	case 1:
	case 2:
		entry ^= 1 + play_take(&choice, 3);
		break;
	case 3:
		entry ^= BIT(play_take(&choice, 64));
		break;
	case 4:
		if (level == 1) {
			entry = 0xfee00000 | MEM_READ_WRITE;
			break;
		}
		/* fall through */
	default:
		if (level == 1 || entry & BIT(7))
			entry = (level == 1 ? play_data_page(&choice) : BIT(7) | large_page(level, &choice)) |
				permission(&choice);
		else
			entry ^= PAGE_SIZE; /* the other table of the level */
		break;
	}
	play_trace(play, "entry 0x%llx of iova 0x%llx = 0x%llx", (unsigned long long)at,
		   (unsigned long long)iova, (unsigned long long)entry);
	play_poke(play, at, &entry, 8);
	switch (play_take(&choice, 4)) {
	case 0:
		return play_invalidate_all(play);
	case 1:
		return play_invalidate_page(play, iova, domain, &choice);
	default:
		return true;
	}
}

/* Every place that is looked at; then, most of the time, all is switched on. */
void play_fill(struct play *play, u64 seed)
{
	u64 state = seed, i, j;

	memset(play->real_memory, 0, sizeof(*play->real_memory));
	for (i = PAGE_STATUS * PAGE_SIZE; i < sizeof(*play->real_memory); i += 8) {
		u64 bytes = differential_random(&state);

		memcpy((u8 *)play->real_memory + i, &bytes, 8);
	}
	for (i = 0; i < 2 * PAGE_SIZE; i += 16) /* the queue: descriptors that do nothing */
		play->real_memory->low[PAGE_QUEUE * PAGE_SIZE + i] = 5;
	memcpy(play->naive_memory, play->real_memory, sizeof(*play->naive_memory));
	for (i = 0; i < 8; i++) {
		for (j = 0; j < ARRAY_SIZE(entry_index); j++) {
			u64 word = differential_random(&state);

			write_page_entry(play, (unsigned)i, entry_index[j], &word);
		}
	}
	for (i = 0; i < 3 * PLAY_GATES; i++) {
		u64 word = differential_random(&state), root = differential_random(&state);

		write_context(play, (unsigned)i % 3, (u8)play_requester[i / 3], &word);
		write_root(play, (unsigned)i & 1, (u8)(play_requester[i / 3] >> 8), &root);
	}
	for (i = 0; i < 16; i++) {
		u64 word = differential_random(&state);

		write_irte(play, irte_index(&word), &word);
	}
	if (seed % 8 == 7)
		return;
	play_write(play, 0x20, 8, play_page(PAGE_ROOT));
	play_write(play, 0x18, 4, BIT(30));
	play_write(play, 0xb8, 8, play_page(PAGE_REMAP) | 8 | (seed & 4 ? BIT(11) : 0));
	play_write(play, 0x18, 4, BIT(24));
	play_write(play, 0x90, 8, play_page(PAGE_QUEUE) | (seed & 1));
	play_write(play, 0x18, 4, BIT(31) | BIT(25) | (seed & 8 ? BIT(26) : 0) | (seed & 16 ? BIT(23) : 0));
	play_write(play, 0x38, 4, 0);
	play_write(play, 0x40, 4, 0xfee01004);
}
