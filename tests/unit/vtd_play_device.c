// SPDX-License-Identifier: BSD-2-Clause
/* What devices do: accesses, mappings, interrupts. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vtd_play.h"

#define PAGES_MAX 4

/* Few places in each table, so that what is mapped is met often; now and then anything at all. */
static u64 choose_iova(u64 *word)
{
	static const u16 top[] = { 0, 0, 0, 0, 0, 1, 511, 3 }, middle[] = { 0, 0, 0, 1, 1, 511, 3, 0x1f7 },
			 low[] = { 0, 0, 1, 1, 2, 3, 511, 4 };
	u64 iova = (u64)top[play_take(word, 8)] << 39 | (u64)middle[play_take(word, 8)] << 30 |
		   (u64)middle[play_take(word, 8)] << 21 | (u64)low[play_take(word, 8)] << 12;

	switch (play_take(word, 32)) {
	case 0:
		return iova | BIT(48 + play_take(word, 16));
	case 1:
		return 0xfee00000 + play_take(word, 0x101) * PAGE_SIZE;
	case 2:
		return 0xfedfe000 + play_take(word, 2) * PAGE_SIZE;
	case 3:
		return play_take(word, LOW_PAGES + 2) * PAGE_SIZE;
	case 4:
		return HIGH_BASE + play_take(word, HIGH_PAGES + 2) * PAGE_SIZE;
	default:
		return iova;
	}
}

static u64 choose_length(u64 *word)
{
	static const u16 lengths[] = {
		1, 2, 4, 8, 8, 16, 64, 64, 100, 512, 1024, 4095, 4096, 4096, 8192, 9000
	};

	return lengths[play_take(word, ARRAY_SIZE(lengths))];
}

/* One of those that went well before, or its neighbour; or any. */
static void choose_place(struct play *play, u64 *choice, u64 where, unsigned *gate, u64 *iova)
{
	u64 again = play_take(choice, 2 * PLAY_RECENT);

	*gate = (unsigned)play_take(choice, PLAY_GATES);
	if (again < play->recents) {
		if (play_take(choice, 4))
			*gate = play->recent[again].gate;
		*iova = play->recent[again].iova + (play_take(&where, 4) == 0) * PAGE_SIZE;
	} else {
		*iova = choose_iova(&where);
	}
	if (play_take(choice, 2))
		*iova += play_take(choice, PAGE_SIZE);
}

struct access {
	unsigned gate;
	u64 iova, length;
	bool write;
	u8 data[PAGES_MAX * PAGE_SIZE]; /* read or to be written */
	enum mem_result result;
	unsigned pages;
	struct {
		struct naive_vtd_answer answer[NAIVE_VTD_ANSWERS];
		unsigned answers;
		u64 iova, length, at; /* of the part in this page, and where in the data */
	} page[PAGES_MAX];
};

static bool moves_tables(const struct access *access)
{
	unsigned i;

	for (i = 0; i < access->pages; i++) {
		u64 address = access->page[i].answer[0].address;

		if (!access->page[i].answer[0].reason && address < PAGE_DATA * PAGE_SIZE)
			return true;
	}
	return false;
}

static bool one_answer(const struct access *access)
{
	unsigned i;

	for (i = 0; i < access->pages; i++) {
		if (access->page[i].answers != 1)
			return false;
	}
	return true;
}

/*
 * Cut into pages. Of what could end in several ways, or changes the tables that its next page is looked up in,
 * only one page is done.
 */
static void plan(struct play *play, struct access *access)
{
	enum mem_access kind = access->write ? MEM_WRITE : MEM_READ;
	u64 done = 0;

	if (access->length - 1 > ~access->iova)
		access->length = ~access->iova + 1;
	for (access->pages = 0; done < access->length; access->pages++) {
		u64 iova = access->iova + done, left = PAGE_SIZE - (iova & PAGE_MASK);

		access->page[access->pages].iova = iova;
		access->page[access->pages].at = done;
		access->page[access->pages].length = MIN(left, access->length - done);
		access->page[access->pages].answers =
			naive_vtd_translate(&play->naive, play_requester[access->gate], iova, kind,
					    access->page[access->pages].answer);
		done += access->page[access->pages].length;
	}
	if (access->pages > 1 && (!one_answer(access) || (access->write && moves_tables(access)))) {
		access->pages = 1;
		access->length = access->page[0].length;
	}
}

/* One page as this answer has it: on the naive side, and held against what was read. */
static bool part_fits(struct play *play, const struct access *access, unsigned page,
		      const struct naive_vtd_answer *answer, enum mem_result *result)
{
	u64 length = access->page[page].length, i;
	const u8 *data = access->data + access->page[page].at;
	u8 *host = answer->reason
			   ? NULL
			   : play_target(play->naive_memory, access->gate, answer->address, access->write);

	naive_vtd_fault(&play->naive, play_requester[access->gate], access->page[page].iova,
			access->write ? MEM_WRITE : MEM_READ, answer);
	if (!host)
		*result |= MEM_ACCESS_ERROR;
	if (access->write && host)
		memcpy(host, data, length);
	for (i = 0; !access->write && i < length; i++) {
		u8 expected = host ? host[i] : 0xff;

		if (data[i] != expected)
			return play_differ(play, "read 0x%02x at iova 0x%llx, not 0x%02x", data[i],
					   (unsigned long long)(access->page[page].iova + i), expected);
	}
	return true;
}

static bool result_fits(struct play *play, const struct access *access, enum mem_result expected)
{
	if ((access->result == MEM_OK) == (expected == MEM_OK))
		return true;
	return play_differ(play, "access of iova 0x%llx ended as %u", (unsigned long long)access->iova,
			   access->result);
}

/* The single page may have gone several ways: the one that fits with everything. */
static bool try_answers(struct play *play, struct access *access)
{
	unsigned i;

	memcpy(&play->before, &play->naive, sizeof(play->before));
	for (i = 0; i < access->page[0].answers; i++) {
		const struct naive_vtd_answer *answer = &access->page[0].answer[i];
		u8 *host = play_target(play->naive_memory, 0, answer->address, false);
		enum mem_result result = MEM_OK;
		u8 kept[PAGE_SIZE];

		if (host)
			memcpy(kept, host, access->length);
		if (part_fits(play, access, 0, answer, &result) && result_fits(play, access, result) &&
		    play_same(play))
			return true;
		if (host)
			memcpy(host, kept, access->length);
		memcpy(&play->naive, &play->before, sizeof(play->before));
	}
	return false;
}

static bool all_fit(struct play *play, const struct access *access)
{
	enum mem_result result = MEM_OK;
	unsigned i;

	for (i = 0; i < access->pages; i++) {
		if (!part_fits(play, access, i, &access->page[i].answer[0], &result))
			return false;
	}
	return result_fits(play, access, result);
}

static void remember(struct play *play, const struct access *access)
{
	unsigned i;

	for (i = 0; i < access->pages; i++)
		naive_vtd_used(&play->naive, play_requester[access->gate], access->page[i].iova);
}

static void perform(struct play *play, struct access *access)
{
	struct dma_port *port = &play->gate[access->gate].port;

	if (access->write)
		access->result = dma_write(port, access->iova, access->data, access->length);
	else
		access->result = dma_read(port, access->iova, access->data, access->length);
}

bool play_dma(struct play *play, const u64 *word)
{
	static struct access access;
	u64 choice = word[0], state = word[2], i;

	choose_place(play, &choice, word[1], &access.gate, &access.iova);
	access.write = play_take(&choice, 3) == 0;
	access.length = choose_length(&choice);
	plan(play, &access);
	memset(access.data, 0x5a, access.length);
	for (i = 0; access.write && i < access.length; i++)
		access.data[i] = i & 7 ? (u8)(access.data[i - 1] * 5 + 1) : (u8)differential_random(&state);
	play_trace(play, "%s %04x: iova 0x%llx, %llu bytes, %u answers, the first 0x%llx reason %x",
		   access.write ? "write" : "read", play_requester[access.gate],
		   (unsigned long long)access.iova, (unsigned long long)access.length, access.page[0].answers,
		   (unsigned long long)access.page[0].answer[0].address, access.page[0].answer[0].reason);
	/* What is cached is what the tables say at the time: before a write that changes them. */
	remember(play, &access);
	/* Also what leads to interrupts: its entry may be mended. */
	if (access.page[0].answer[0].reason == 0xe ||
	    (!access.page[0].answer[0].reason && access.page[0].answer[0].address != access.iova)) {
		unsigned n = (unsigned)(word[3] % PLAY_RECENT);

		n = MIN(n, play->recents);
		play->recents = MAX(play->recents, n + 1);
		play->recent[n].gate = access.gate;
		play->recent[n].iova = access.iova & ~PAGE_MASK;
	}
	perform(play, &access);
	return one_answer(&access) ? all_fit(play, &access) : try_answers(play, &access);
}

/*
 * ---- mappings
 * -----------------------------------------------------------------------------------------------
 */

static struct naive_vtd_mapping *free_slot(struct play *play, unsigned *slot)
{
	for (*slot = 0; *slot < NAIVE_VTD_MAPPINGS; ++*slot) {
		if (!play->naive.mapping[*slot].live)
			return &play->naive.mapping[*slot];
	}
	return NULL;
}

/* Each page of what was mapped is what the tables say, one after the other in memory. */
static bool mapping_fits(struct play *play, const struct access *access, const struct mem_mapping *mapping)
{
	u8 *first = play_target(play->real_memory, access->gate, access->page[0].answer[0].address,
				access->write);
	unsigned i;

	if (mapping->host != first || mapping->length < access->page[0].length ||
	    mapping->length > access->length)
		return play_differ(play, "mapped %llu bytes of iova 0x%llx at the wrong place",
				   (unsigned long long)mapping->length, (unsigned long long)access->iova);
	for (i = 1; i < access->pages && access->page[i].at < mapping->length; i++) {
		const struct naive_vtd_answer *answer = &access->page[i].answer[0];

		if (answer->reason || play_target(play->real_memory, access->gate, answer->address,
						  access->write) != first + access->page[i].at)
			return play_differ(play, "mapped beyond the page at iova 0x%llx",
					   (unsigned long long)access->page[i].iova);
	}
	return true;
}

bool play_map(struct play *play, const u64 *word)
{
	static struct access access;
	u64 choice = word[0];
	struct mem_mapping *mapping;
	const struct naive_vtd_answer *answer = &access.page[0].answer[0];
	enum mem_result result;
	unsigned slot;

	choose_place(play, &choice, word[1], &access.gate, &access.iova);
	access.write = play_take(&choice, 2);
	access.length = choose_length(&choice);
	plan(play, &access);
	if (!free_slot(play, &slot) || !one_answer(&access))
		return true;
	mapping = &play->mapping[slot];
	play_trace(play, "map %u: %s %04x: iova 0x%llx, %llu bytes, 0x%llx reason %x", slot,
		   access.write ? "write" : "read", play_requester[access.gate],
		   (unsigned long long)access.iova, (unsigned long long)access.length,
		   (unsigned long long)answer->address, answer->reason);
	remember(play, &access);
	play->mapped_by[slot] = &play->gate[access.gate].port;
	play->mapped_to_write[slot] = access.write;
	result = dma_map(play->mapped_by[slot], access.iova, access.length,
			 access.write ? MEM_WRITE : MEM_READ, mapping);
	if (answer->reason || !play_target(play->naive_memory, access.gate, answer->address, access.write)) {
		naive_vtd_fault(&play->naive, play_requester[access.gate], access.iova,
				access.write ? MEM_WRITE : MEM_READ, answer);
		return result != MEM_OK || play_differ(play, "mapped what is denied");
	}
	if (result != MEM_OK)
		return play_differ(play, "mapping iova 0x%llx ended as %u", (unsigned long long)access.iova,
				   result);
	if (!naive_vtd_mapped(&play->naive, slot, play_requester[access.gate], access.iova,
			      access.iova + mapping->length - 1))
		return play_differ(play, "mapped what no table has");
	return mapping_fits(play, &access, mapping);
}

/* While it holds the device writes to it. */
bool play_unmap(struct play *play, const u64 *word)
{
	u64 choice = word[0], produced = 0;
	unsigned slot = (unsigned)play_take(&choice, NAIVE_VTD_MAPPINGS);
	struct naive_vtd_mapping *naive = &play->naive.mapping[slot];
	struct mem_mapping *mapping = &play->mapping[slot];
	bool valid;

	if (!naive->live)
		return true;
	valid = mem_map_valid(mapping);
	play_trace(play, "unmap %u: %s", slot, valid ? "valid" : "revoked");
	if (valid && play->mapped_to_write[slot]) {
		const u8 *start = (const u8 *)play->real_memory;
		size_t at = (size_t)((const u8 *)mapping->host - start);

		produced = 1 + play_take(&choice, mapping->length);
		memset(mapping->host, (int)slot + 1, produced);
		memset((u8 *)play->naive_memory + at, (int)slot + 1, produced);
	}
	naive->live = false;
	return (dma_unmap(play->mapped_by[slot], mapping, produced) == MEM_OK) == valid ||
	       play_differ(play, "unmapping went wrong");
}

/*
 * ---- interrupts
 * ---------------------------------------------------------------------------------------------
 */

static bool interrupt_fits(struct play *play, u16 requester, const struct naive_vtd_interrupt *answer,
			   bool passed, u64 address, u32 data)
{
	naive_vtd_remap_fault(&play->naive, requester, answer);
	if (passed != !answer->reason)
		return play_differ(play, "an interrupt is %s, reason %x", passed ? "passed" : "blocked",
				   answer->reason);
	if (passed && (address != answer->address || data != answer->data))
		return play_differ(play, "an interrupt became %llx=%x, not %llx=%x",
				   (unsigned long long)address, data, (unsigned long long)answer->address,
				   answer->data);
	return true;
}

bool play_interrupt(struct play *play, const u64 *word)
{
	static const u16 index[] = { 0, 1, 2, 3, 255, 256, 511, 0x8000, 2, 1, 0, 3, 1, 2, 3, 0xffff };
	struct naive_vtd_interrupt answer[NAIVE_VTD_ANSWERS];
	u64 choice = word[0], address, passed_address;
	u16 requester = play_requester[play_take(&choice, PLAY_GATES)],
	    handle = index[play_take(&choice, 16)];
	u32 data = (u32)play_take(&choice, 4), passed_data;
	unsigned answers, i;
	bool passed;

	if (play_take(&choice, 8) == 0)
		requester = 0xff00;
	address = 0xfee00010u | (u64)(handle & 0x7fff) << 5 | (u64)(handle >> 15) << 2 |
		  play_take(&choice, 4) | play_take(&choice, 2) << 3;
	switch (play_take(&choice, 16)) {
	case 0:
		address = 0xfee00000u | (word[1] & 0xfffff);
		data = (u32)word[2];
		break;
	case 1:
		address |= BIT(32 + word[1] % 32);
		break;
	case 2:
		data |= BIT(word[1] % 32);
		break;
	default:
		break;
	}
	answers = naive_vtd_remap(&play->naive, requester, address, data, answer);
	play_trace(play, "interrupt %04x: %llx=%x, %u answers, the first %llx=%x reason %x", requester,
		   (unsigned long long)address, data, answers, (unsigned long long)answer[0].address,
		   answer[0].data, answer[0].reason);
	naive_vtd_remap_used(&play->naive, address, data);
	passed_address = address;
	passed_data = data;
	passed = vtd_remap_interrupt(&play->unit, requester, &passed_address, &passed_data);
	if (answers == 1)
		return interrupt_fits(play, requester, &answer[0], passed, passed_address, passed_data);
	memcpy(&play->before, &play->naive, sizeof(play->before));
	for (i = 0; i < answers; i++) {
		if (interrupt_fits(play, requester, &answer[i], passed, passed_address, passed_data) &&
		    play_same(play))
			return true;
		memcpy(&play->naive, &play->before, sizeof(play->before));
	}
	return false;
}
