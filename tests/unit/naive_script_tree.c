// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_play.h"

#include <errno.h>

/*
 * ---- operations on the tree
 * ---------------------------------------------------------------------------------
 */

/* The one chosen or the next that is of these kinds. */
int script_choose_kind(struct script *s, u64 word, unsigned kinds)
{
	int i, count = s->now.count, number = script_choose_region(s, word);

	for (i = 0; i < count; i++)
		if (script_is_kind(s->now.region[(number + i) % count].kind, kinds))
			return (number + i) % count;
	return NAIVE_NONE;
}

void script_op_add(struct script *s, const u64 *w)
{
	int child = script_choose_region(s, w[1]);
	int parent = w[2] & 3 ? script_choose_kind(s, w[2] >> 8, 1u << REGION_CONTAINER)
			      : script_choose_region(s, w[2] >> 8);
	u64 offset, errors;
	s32 priority = w[4] & 8 ? (s32)(w[4] >> 32) : (s32)(w[4] >> 8 & 3) - 1;
	bool overlapping = w[4] & 3;
	int error;

	offset = script_choose_offset(s, w[3]);
	if (parent == 0)
		offset += s->window;
	if ((w[4] >> 16 & 7) == 0) /* where another one starts: the order of adding decides */
		offset = s->now.region[script_choose_region(s, w[3])].offset;
	errors = naive_add_errors(&s->now, parent, offset, child, priority, overlapping);
	error = (overlapping ? region_add_overlapping : region_add)(script_region(s, parent), offset,
								    script_region(s, child), priority);
	TRACE("add r%d to r%d at 0x%llx priority %d%s: %d", child, parent, (ull)offset, priority,
	      overlapping ? " overlapping" : "", error);
	if (error ? !(errors >> -error & 1) : errors != 0)
		script_fail(s, "adding r%d to r%d says %d, expected one of 0x%llx", child, parent, error,
			    (ull)errors);
	if (!errors)
		naive_add(&s->now, parent, offset, child, priority);
}

void script_op_remove(struct script *s, const u64 *w)
{
	int child = script_choose_region(s, w[1]);

	TRACE("remove r%d", child);
	region_remove(script_region(s, child));
	naive_remove(&s->now, child);
}

void script_op_enable(struct script *s, const u64 *w)
{
	int number = script_choose_region(s, w[1]);
	bool enabled = number == 0 ? (w[2] & 15) != 0 : w[2] & 1;

	TRACE("r%d enabled %d", number, enabled);
	region_set_enabled(script_region(s, number), enabled);
	s->now.region[number].enabled = enabled;
}

void script_op_move(struct script *s, const u64 *w)
{
	int number = script_choose_region(s, w[1]);
	u64 offset = script_choose_offset(s, w[2]);

	if (s->now.region[number].parent == 0)
		offset += s->window;
	if ((w[3] & 7) == 0)
		offset = s->now.region[script_choose_region(s, w[2])].offset;
	if (s->now.region[number].parent == NAIVE_NONE || s->now.region[number].offset == offset)
		return;
	TRACE("r%d moves to 0x%llx", number, (ull)offset);
	region_set_offset(script_region(s, number), offset);
	naive_move(&s->now, number, offset);
}

void script_op_resize(struct script *s, const u64 *w)
{
	int number = script_choose_region(s, w[1]);
	struct naive_region *region = &s->now.region[number];
	u128 size = script_choose_size(s, region->kind, w[2]);
	bool possible = size != 0 && size <= REGION_SIZE_WHOLE;
	int error;

	/* Readers of an old view may or may not reach a device's registers that went: not said. */
	if (number == 0 || !script_is_used(region) || (region->has_ops && s->depth))
		return;
	if (s->logging[number][0] || s->logging[number][1])
		return;
	error = region_resize(script_region(s, number), size);
	TRACE("r%d resized to 0x%llx%016llx: %d", number, (ull)(size >> 64), (ull)size, error);
	if (error != (possible ? 0 : -EINVAL))
		script_fail(s, "resizing says %d", error);
	if (possible && size != region->size)
		naive_flush(&s->contents.device[number]);
	if (possible)
		region->size = s->contents.device[number].size = size;
}

void script_op_switch(struct script *s, const u64 *w)
{
	int number = script_choose_region(s, w[1]);
	struct naive_region *region = &s->now.region[number];
	bool on = w[3] & 1;

	switch (w[2] % 4) {
	case 0:
		TRACE("r%d readonly %d", number, on);
		region_set_readonly(script_region(s, number), on);
		region->readonly = on;
		break;
	case 1:
		number = script_choose_kind(s, w[1], 1u << REGION_ROM_DEVICE);
		if (number == NAIVE_NONE)
			return;
		TRACE("r%d direct %d", number, on);
		region_set_direct(script_region(s, number), on);
		s->now.region[number].direct = on;
		break;
	case 2:
		number = script_choose_kind(s, w[1], 1u << REGION_ALIAS);
		if (number == NAIVE_NONE)
			return;
		s->now.region[number].alias_offset = script_choose_offset(s, w[4]);
		TRACE("r%d alias offset 0x%llx", number, (ull)s->now.region[number].alias_offset);
		region_set_alias_offset(script_region(s, number), s->now.region[number].alias_offset);
		break;
	default:
		number = script_choose_kind(s, w[1], 1u << REGION_CONTAINER);
		TRACE("r%d unclaimed %d", number, (int)(w[4] % 5));
		region_set_unclaimed(script_region(s, number), (enum unclaimed)(w[4] % 5));
		s->now.region[number].unclaimed = (u8)(w[4] % 5);
		break;
	}
}

void script_op_transaction(struct script *s, const u64 *w)
{
	bool begin = w[1] & 1 ? s->depth < 3 : s->depth == 0;
	u64 before = s->core.rebuilds;
	int error;

	if (begin) {
		TRACE("begin");
		mem_transaction_begin(&s->core);
		s->depth++;
		return;
	}
	if (s->depth == 0)
		return;
	error = mem_transaction_commit(&s->core);
	s->depth--;
	TRACE("commit: %d", error);
	if (error)
		script_fail(s, "commit says %d", error);
	if (s->core.rebuilds - before > (s->depth ? 0 : SPACES))
		script_fail(s, "a commit at depth %u made %llu rebuilds", s->depth,
			    (ull)(s->core.rebuilds - before));
}

void script_op_entry(struct script *s, const u64 *w)
{
	static const u64 masks[] = { 0xfff, 0xfff, 0xfff, 0xfff, 0x1fff, 0xffff, 0x1fffff, ~0ull };
	int number = script_choose_kind(s, w[1], 1u << REGION_IOMMU), i;
	struct naive_entry made, *entry;

	if (number == NAIVE_NONE)
		return;
	entry = s->contents.entry[number];
	made.mask = masks[w[2] & 7];
	made.iova =
		((w[2] & 0x700) == 0x700 ? script_choose_address(s, w[3], w[4]) : (w[3] >> 8) % 16 * 0x1000) &
		~made.mask;
	made.translated = (s->window + (w[4] >> 8) % 32 * 0x1000) & ~made.mask;
	made.permission = w[5] & 8 ? MEM_READ_WRITE : (u32)(w[5] & 3);
	/* In place of all that it overlaps; the script_translator tells the core. */
	for (i = 0; i < s->contents.entries[number];) {
		if (entry[i].iova <= made.iova + made.mask && made.iova <= entry[i].iova + entry[i].mask)
			entry[i] = entry[--s->contents.entries[number]];
		else
			i++;
	}
	if (s->contents.entries[number] < NAIVE_ENTRIES && (w[5] & 0x70))
		entry[s->contents.entries[number]++] = made;
	TRACE("r%d entry 0x%llx mask 0x%llx -> 0x%llx permission %u%s", number, (ull)made.iova,
	      (ull)made.mask, (ull)made.translated, made.permission, w[5] & 0x70 ? "" : ", removed");
	iommu_invalidate(&s->region[number], made.iova, made.iova + made.mask);
}
