// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rendering, in three steps:
 *
 *   collect  walk the tree; each leaf gives a span: its range after all clipping. A span met earlier is on
 *            top of all later ones, so its index is its rank; unclaimed policies rank behind everything
 *            (RANK_LAST).
 *   sweep    spans sorted by address, a heap of those that cover the current address: O(n log n)
 *   fill     ranges become sections; the directory for lookups is drawn over them
 */
#include "mm/flatview.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/core.h"
#include "mm/dirty.h"

#define SPANS_MAX   (FLATVIEW_SECTIONS_MAX / 2)
#define VISITS_MAX  (16 * SPANS_MAX) /* aliases of aliases can multiply without giving a single span */
#define SPANS_FIRST 64
#define HOLE	    (~0u)
#define RANK_LAST   BIT(31)
#define LINE	    64u /* bytes of a cache line */

struct span {
	u64 first, last;
	u64 delta; /* address - offset in the region, modulo 2^64 */
	const struct region *region;
	u32 readonly; /* seen through something read-only, or itself so */
	u32 policy;   /* a container's unclaimed policy, not something to access */
};

struct key {
	u64 first;
	u32 rank;
};

struct range {
	u64 first;
	u32 span; /* or HOLE */
};

struct build {
	struct mem_core *core;
	struct span *spans;
	u32 count, visits;
	struct key *keys, *spare;
	u32 *heap, heap_count;
	struct range *ranges;
	u32 range_count;
};

/*
 * ---- collect
 * ------------------------------------------------------------------------------------------------
 */

static int grow_spans(struct build *b)
{
	struct flatview_scratch *scratch = &b->core->scratch;
	u32 capacity = scratch->capacity ? scratch->capacity * 2 : SPANS_FIRST;
	size_t work_bytes = capacity * (2 * sizeof(struct key) + 2 * sizeof(struct range) + sizeof(u32)) +
			    sizeof(struct range);
	void *spans, *work;

	if (b->count >= SPANS_MAX)
		return -E2BIG;
	spans = realloc(scratch->spans, capacity * sizeof(struct span));
	if (!spans)
		return -ENOMEM;
	scratch->spans = spans;
	work = malloc(work_bytes);
	if (!work)
		return -ENOMEM;
	free(scratch->work);
	scratch->work = work;
	scratch->capacity = capacity;
	scratch->bytes = capacity * sizeof(struct span) + work_bytes;
	b->spans = spans;
	return 0;
}

static int add_span(struct build *b, const struct region *region, u64 low, u64 high, u64 delta, bool readonly,
		    bool policy)
{
	if (b->count == b->core->scratch.capacity) {
		int error = grow_spans(b);

		if (error)
			return error;
	}
	b->spans[b->count++] = (struct span){
		.first = low + delta,
		.last = high + delta,
		.delta = delta,
		.region = region,
		.readonly = readonly,
		.policy = policy,
	};
	return 0;
}

/*
 * [low, high] is the part of the region that can be seen, in its own offsets: there nothing wraps, whatever
 * aliases do to addresses. Adding `delta` (modulo 2^64) makes an offset an address.
 */
static int collect(struct build *b, const struct region *region, u64 low, u64 high, u64 delta, bool readonly,
		   unsigned level)
{
	int error = 0;

	/* Only an alias gets here with an empty one. */
	if (!region->enabled || region->empty || low > region->last)
		return 0;
	if (level > REGION_DEPTH_MAX)
		return -ELOOP;
	if (++b->visits > VISITS_MAX)
		return -E2BIG;
	high = MIN(high, region->last);
	readonly |= region->readonly;
	if (region->kind == REGION_ALIAS) {
		u64 target_low = low + region->alias_offset, target_high = high + region->alias_offset;

		if (target_low < low)
			return 0;
		if (target_high < high)
			target_high = ~0ull;
		return collect(b, region->target, target_low, target_high, delta - region->alias_offset,
			       readonly, level + 1);
	}
	if (region->kind != REGION_CONTAINER)
		return add_span(b, region, low, high, delta, readonly, false);
	for (const struct region *child = region->children; child && !error; child = child->next) {
		if (child->offset <= high)
			error = collect(b, child, low > child->offset ? low - child->offset : 0,
					high - child->offset, delta + child->offset, readonly, level + 1);
	}
	if (!error && region->ops)
		error = add_span(b, region, low, high, delta, readonly, false);
	else if (!error && region->unclaimed != UNCLAIMED_INHERIT)
		error = add_span(b, region, low, high, delta, readonly, true);
	return error;
}

/*
 * ---- sweep
 * --------------------------------------------------------------------------------------------------
 */

static inline u32 span_of(u32 rank)
{
	return rank & ~RANK_LAST;
}

/* Natural merge sort: siblings come in ascending order already, so most trees have very few runs. */
static void sort_keys(struct build *b)
{
	u32 n = b->count, merges;

	do {
		struct key *from = b->keys, *to = b->spare, *swap;
		u32 start = 0;

		merges = 0;
		while (start < n) {
			u32 middle = start + 1, end, left = start, right, out = start;

			while (middle < n && from[middle - 1].first <= from[middle].first)
				middle++;
			if (middle == n && start == 0)
				return;
			end = MIN(middle + 1, n);
			while (end < n && from[end - 1].first <= from[end].first)
				end++;
			right = middle;
			while (left < middle && right < end)
				to[out++] =
					from[left].first <= from[right].first ? from[left++] : from[right++];
			while (left < middle)
				to[out++] = from[left++];
			while (right < end)
				to[out++] = from[right++];
			start = end;
			merges++;
		}
		swap = b->keys;
		b->keys = b->spare;
		b->spare = swap;
	} while (merges > 1);
}

static inline void heap_push(struct build *b, u32 rank)
{
	u32 at = b->heap_count++;

	while (at && b->heap[(at - 1) / 2] > rank) {
		b->heap[at] = b->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	b->heap[at] = rank;
}

static void heap_pop(struct build *b)
{
	u32 moved = b->heap[--b->heap_count], at = 0, child;

	while ((child = 2 * at + 1) < b->heap_count) {
		if (child + 1 < b->heap_count && b->heap[child + 1] < b->heap[child])
			child++;
		if (b->heap[child] >= moved)
			break;
		b->heap[at] = b->heap[child];
		at = child;
	}
	b->heap[at] = moved;
}

/* Same region, same shift, same rights: the earlier range just goes on. */
static bool continues(const struct build *b, u32 before, u32 span)
{
	const struct span *x, *y;

	if (before == HOLE || span == HOLE)
		return false;
	x = &b->spans[before];
	y = &b->spans[span];
	return x->region == y->region && x->delta == y->delta && x->readonly == y->readonly &&
	       x->policy == y->policy;
}

static inline void put_range(struct build *b, u64 first, u32 span)
{
	if (b->range_count && continues(b, b->ranges[b->range_count - 1].span, span))
		return;
	b->ranges[b->range_count++] = (struct range){ first, span };
}

/* Leaves ranges that partition the whole space; each ends where the next one starts. */
static void sweep(struct build *b)
{
	const struct span *spans = b->spans;
	u32 next = 0;
	u64 at = 0;

	for (;;) {
		u64 last;
		u32 top;

		while (b->heap_count && spans[span_of(b->heap[0])].last < at)
			heap_pop(b);
		while (next < b->count && b->keys[next].first <= at)
			heap_push(b, b->keys[next++].rank);
		if (!b->heap_count) {
			put_range(b, at, HOLE);
			if (next == b->count)
				return;
			at = b->keys[next].first;
			continue;
		}
		top = b->heap[0];
		last = spans[span_of(top)].last;
		put_range(b, at, span_of(top));
		/*
		 * It goes on to its end, or to the start of one that ranks before it. What it hides wholly is
		 * dropped.
		 */
		for (;; next++) {
			if (next == b->count || b->keys[next].first > last) {
				if (last == ~0ull)
					return;
				at = last + 1;
				break;
			}
			if (b->keys[next].rank < top) {
				at = b->keys[next].first;
				break;
			}
			if (spans[span_of(b->keys[next].rank)].last > last)
				heap_push(b, b->keys[next].rank);
		}
	}
}

/*
 * ---- fill
 * ---------------------------------------------------------------------------------------------------
 */

static u8 direct_sizes(const struct region_ops *ops, bool write)
{
	unsigned min = MAX(MAX(ops->valid.min, ops->impl.min), 1);
	unsigned max = MIN(ops->valid.max ? ops->valid.max : 8, ops->impl.max ? ops->impl.max : 8);

	if (ops->endian != MEM_LITTLE_ENDIAN || (write ? !ops->write : !ops->read))
		return 0;
	/* Powers of two: all bits from min to max. */
	return (u8)((2 * max - 1) & ~(min - 1));
}

static void fill_ops(struct section *section, const struct region *region, bool ram_only)
{
	section->ops = region->ops;
	section->device = region->device;
	if (ram_only) {
		section->flags |= SECTION_NO_OPS;
		return;
	}
	/* What the shortcut would miss: kept writes must go first, doorbells are looked at before the ops. */
	if (!region->coalesced && !(section->flags & SECTION_READ_DIRECT))
		section->read_sizes = direct_sizes(region->ops, false);
	if (!region->coalesced && !region->doorbells && !(section->flags & SECTION_READONLY))
		section->write_sizes = direct_sizes(region->ops, true);
	if (!region->coalesced && region->doorbells && !(section->flags & SECTION_READONLY) &&
	    region->ops->endian == MEM_LITTLE_ENDIAN)
		section->flags |= SECTION_DOORBELLS;
}

static void fill_section(struct section *section, const struct span *span, bool ram_only)
{
	const struct region *region = span->region;

	section->region = (struct region *)region;
	section->offset = section->first - span->delta;
	section->flags = span->readonly ? SECTION_READONLY : 0;
	if (span->policy) {
		section->unclaimed = region->unclaimed;
		return;
	}
	switch ((enum region_kind)region->kind) {
	case REGION_RAM:
	case REGION_ROM:
		section->host = region->host + section->offset;
		section->flags |=
			SECTION_READ_DIRECT | (region_dirty_logging(region) ? SECTION_DIRTY_LOG : 0);
		if (region->kind == REGION_RAM && !span->readonly) {
			section->kind = SECTION_RAM;
			section->flags |= SECTION_WRITE_DIRECT;
		} else {
			section->kind = SECTION_ROM;
			section->flags |= SECTION_READONLY;
		}
		break;
	case REGION_ROM_DEVICE:
		section->kind = SECTION_ROM_DEVICE;
		if (region->direct) {
			section->host = region->host + section->offset;
			section->flags |= SECTION_READ_DIRECT;
		}
		fill_ops(section, region, ram_only);
		break;
	case REGION_RESERVED:
		section->kind = SECTION_RESERVED;
		break;
	case REGION_IOMMU:
		section->kind = SECTION_IOMMU;
		break;
	default: /* MMIO, or a container's own ops */
		section->kind = SECTION_MMIO;
		fill_ops(section, region, ram_only);
		break;
	}
}

/*
 * The directory, see flatview_lookup. Returns the number of buckets, at most 4 for each range and one for
 * each octave.
 */
static u32 fill_buckets(const struct build *b, struct octave *octaves, u16 *bucket, u32 *padding)
{
	const struct range *ranges = b->ranges;
	u32 used = 0, at = 0, end = 0;

	*padding = 1;
	for (unsigned n = 0; n < 64; n++) {
		u64 start = n ? BIT(n) : 0, last = BITS(n, 0);
		u32 bits = 0, most = 0, inside = 0, starts, steps = 0, total, filled;
		struct octave octave = { 0 };

		while (end + 1 < b->range_count && ranges[end + 1].first <= last)
			end++;
		starts = end - at;
		while (bits < n && BIT(bits) < starts)
			bits++;
		octave.shift = (u16)(n ? n - bits : 1);
		octave.base = used - (u32)(start >> octave.shift);
		total = n ? 1u << bits : 1;
		for (filled = 0; at < end;) {
			u64 first = ranges[++at].first - start;
			u32 index = (u32)(first >> octave.shift);
			bool edge = !(first & (BIT(octave.shift) - 1));

			while (filled < index)
				bucket[used + filled++] = (u16)(at - 1);
			if (filled == index) {
				bucket[used + filled++] = (u16)(edge ? at : at - 1);
				inside = 0;
			}
			inside += !edge;
			most = MAX(most, inside);
		}
		while (filled < total)
			bucket[used + filled++] = (u16)at;
		used += total;
		while (most >> steps)
			steps++;
		octave.half = (u16)((1u << steps) >> 1);
		*padding = MAX(*padding, 1u << steps);
		octaves[n] = octave;
	}
	return used;
}

static int fill(struct build *b, enum unclaimed unclaimed, bool ram_only, struct flatview **result)
{
	u32 count = b->range_count, buckets, padding;
	struct flatview *view;
	struct section *sections;
	struct octave octaves[64];
	size_t bytes;
	u64 *before;
	u16 *bucket;
	u8 *raw;

	if (count > FLATVIEW_SECTIONS_MAX)
		return -E2BIG;
	/* The keys have done their work: buckets of 2 bytes fit where 32 bytes for each span were. */
	bucket = b->core->scratch.work;
	buckets = fill_buckets(b, octaves, bucket, &padding);
	bytes = sizeof(*view) + LINE + count * sizeof(*sections) + (count + padding) * sizeof(*before) +
		buckets * sizeof(*bucket);
	raw = malloc(bytes);
	if (!raw)
		return -ENOMEM;
	view = (struct flatview *)raw;
	sections = (struct section *)ALIGN_UP((uintptr_t)(view + 1), (uintptr_t)LINE);
	before = (u64 *)(sections + count);
	bucket = memcpy(before + count + padding, bucket, buckets * sizeof(*bucket));
	for (u32 i = 0; i < count; i++) {
		const struct range *range = &b->ranges[i];

		sections[i] = (struct section){
			.first = range->first,
			.last = i + 1 < count ? range[1].first - 1 : ~0ull,
			.unclaimed = (u8)(unclaimed != UNCLAIMED_INHERIT ? unclaimed : UNCLAIMED_ONES),
		};
		before[i] = range->first - 1;
		if (range->span != HOLE)
			fill_section(&sections[i], &b->spans[range->span], ram_only);
	}
	memset(before + count, 0xff, padding * sizeof(*before));
	*view = (struct flatview){
		.id = b->core->next_view_id++,
		.count = count,
		.before = before,
		.bucket = bucket,
		.sections = sections,
		.bytes = bytes,
	};
	memcpy(view->octave, octaves, sizeof(octaves));
	*result = view;
	return 0;
}

int flatview_build(struct mem_core *core, const struct region *root, enum unclaimed unclaimed, bool ram_only,
		   struct flatview **view)
{
	struct build b = { .core = core, .spans = core->scratch.spans };
	int error = 0;

	if (!core->scratch.capacity)
		error = grow_spans(&b);
	if (!error)
		error = collect(&b, root, 0, ~0ull, 0, false, 0);
	if (error)
		return error;
	b.keys = core->scratch.work;
	b.spare = b.keys + core->scratch.capacity;
	b.ranges = (struct range *)(b.spare + core->scratch.capacity);
	b.heap = (u32 *)(b.ranges + 2 * (size_t)core->scratch.capacity + 1);
	for (u32 i = 0; i < b.count; i++)
		b.keys[i] = (struct key){ b.spans[i].first, i | (b.spans[i].policy ? RANK_LAST : 0) };
	sort_keys(&b);
	sweep(&b);
	return fill(&b, unclaimed, ram_only, view);
}

void flatview_free(struct flatview *view)
{
	free(view);
}
