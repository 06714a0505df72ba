// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_script.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mm/dirty.h"
#include "mm/iommu_region.h"
#include "mm/map.h"
#include "mm/space.h"
#include "tests/unit/naive_space.h"

#define SPACES	   3
#define MEMORY_MAX (3 * PAGE_SIZE)
#define SMALL	   1024u
#define EXPECTED   256 /* sections that a listener can keep track of */
#define SLOT	   40

struct script;

/* The core's side of a device: its bytes are its own, its manners those of the naive one. */
struct script_device {
	struct script *script;
	struct naive_device state;
	int number;
	bool big_endian;
};

struct script_listener {
	struct mem_listener listener;
	struct script *script;
	struct section known[EXPECTED];
	unsigned count, told;
	u64 last_first;
	bool overflow, open, adding, leaving;
};

struct script {
	enum script_profile profile;
	bool trace, failed;
	char *why;
	size_t why_size;
	u64 window;
	unsigned step;

	struct mem_core core;
	struct iommu_region region[NAIVE_REGIONS]; /* all are large enough for the largest kind */
	struct script_device device[NAIVE_REGIONS];
	struct region_ops ops[NAIVE_REGIONS];
	u8 *allocation[NAIVE_REGIONS];
	struct address_space space[SPACES];
	struct section_cache cache[SPACES];
	struct script_listener heard[SPACES];
	bool live[SPACES];
	unsigned depth;
	u64 rebuilds;

	struct naive_tree now, seen;
	struct naive_contents contents;
	struct naive_space naive_space[SPACES];
	struct naive_world world;
	bool changed; /* `now` since `seen` */
	u8 dirty[NAIVE_REGIONS][DIRTY_CLIENTS][NAIVE_PAGES];
	bool logging[NAIVE_REGIONS][DIRTY_CLIENTS];
	bool logs[NAIVE_REGIONS]; /* writes are told: its sections say so since the last commit */
	struct naive_fault fault[NAIVE_FAULTS]; /* byte by byte, as the core told them */
	int faults;
};

static void __printf(2, 3) fail(struct script *s, const char *format, ...)
{
	va_list arguments;
	int length;

	if (s->failed)
		return;
	s->failed = true;
	length = snprintf(s->why, s->why_size, "operation %u: ", s->step);
	va_start(arguments, format);
	vsnprintf(s->why + length, s->why_size - (size_t)length, format, arguments);
	va_end(arguments);
}

#define TRACE(...)                                \
	do {                                      \
		if (s->trace) {                   \
			printf("%4u  ", s->step); \
			printf(__VA_ARGS__);      \
			printf("\n");             \
		}                                 \
	} while (0)

typedef unsigned long long ull;

static struct region *core_region(struct script *s, int number)
{
	return &s->region[number].region;
}

static int region_number(struct script *s, const struct region *region)
{
	return region ? (int)(container_of(region, struct iommu_region, region) - s->region) : NAIVE_NONE;
}

/* ---- devices and translators, the core's side --------------------------------------------------------------- */

static bool impl_takes(const struct mem_sizes *impl, u64 offset, unsigned size)
{
	unsigned min = impl->min ? impl->min : 1, max = impl->max ? impl->max : 8;

	return size >= min && size <= max && !(size & (size - 1)) && (impl->unaligned || offset % size == 0);
}

static void check_call(struct script_device *device, u64 offset, unsigned size)
{
	struct script *s = device->script;

	if (!impl_takes(&s->ops[device->number].impl, offset, size))
		fail(s, "device r%d is called with offset 0x%llx size %u", device->number, (ull)offset, size);
	if ((u128)offset + size > s->now.region[device->number].size &&
	    (u128)offset + size > s->seen.region[device->number].size)
		fail(s, "device r%d is called past its end: 0x%llx size %u", device->number, (ull)offset,
		     size);
	if (s->naive_space[2].ram_only && s->heard[2].open)
		fail(s, "device r%d is called while a listener is told of changes", device->number);
}

static enum mem_result device_read(void *opaque, u64 offset, unsigned size, u64 *value)
{
	struct script_device *device = opaque;

	check_call(device, offset, size);
	*value = naive_device_get(&device->state, offset, size, device->big_endian);
	return naive_device_touch(&device->state, offset, size) ? MEM_OK : MEM_ERROR;
}

static enum mem_result device_write(void *opaque, u64 offset, unsigned size, u64 value)
{
	struct script_device *device = opaque;

	check_call(device, offset, size);
	if (value & ~mem_size_mask(size))
		fail(device->script, "a write of %u bytes has value 0x%llx", size, (ull)value);
	if (!naive_device_touch(&device->state, offset, size))
		return MEM_ERROR;
	naive_device_put(&device->state, offset, size, value, device->big_endian);
	return MEM_OK;
}

static struct script *script_of_iommu(const struct iommu_region *iommu)
{
	return iommu->region.device;
}

static struct iommu_entry translate(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	struct script *s = script_of_iommu(iommu);
	const struct naive_entry *found =
		naive_translate(&s->contents, region_number(s, &iommu->region), iova);

	(void)access;
	if (!found)
		return (struct iommu_entry){ .iova = iova,
					     .mask = PAGE_MASK,
					     .reason = IOMMU_FAULT_NOT_MAPPED };
	return (struct iommu_entry){
		.iova = iova,
		.translated = found->translated | (iova & found->mask & 0xff), /* bits that do not count */
		.mask = found->mask,
		.perm = found->permission,
		.reason = found->permission ? IOMMU_FAULT_NOT_PERMITTED : IOMMU_FAULT_NOT_MAPPED,
	};
}

static void hear_fault(struct iommu_region *iommu, u64 iova, u64 length, enum mem_access access,
		       unsigned reason)
{
	struct script *s = script_of_iommu(iommu);
	u64 i;

	for (i = 0; i < length && s->faults < NAIVE_FAULTS; i++)
		s->fault[s->faults++] =
			(struct naive_fault){ region_number(s, &iommu->region), iova + i, access, reason };
}

static const struct iommu_ops translator = { .translate = translate, .fault = hear_fault };

/* ---- listeners: what was told must add up to the view ------------------------------------------------------- */

static void listen_begin(struct mem_listener *listener)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);

	if (l->open)
		fail(l->script, "a listener hears begin twice");
	l->open = true;
	l->adding = false;
	l->told = 0;
	l->last_first = 0;
}

static void listen_order(struct script_listener *l, const struct section *section)
{
	if (!l->open || section->kind == SECTION_UNCLAIMED || (l->told && section->first <= l->last_first))
		fail(l->script, "a listener hears 0x%llx at a wrong place", (ull)section->first);
	l->told++;
	l->last_first = section->first;
}

static unsigned listen_find(struct script_listener *l, u64 first)
{
	unsigned i = 0;

	while (i < l->count && l->known[i].first < first)
		i++;
	return i;
}

static bool listen_knows(struct script_listener *l, unsigned at, const struct section *section)
{
	return at < l->count && section_equal(&l->known[at], section);
}

static void listen_remove(struct mem_listener *listener, const struct section *section)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);
	unsigned at = listen_find(l, section->first);

	listen_order(l, section);
	if (l->adding)
		fail(l->script, "a listener hears a removal after an addition");
	if (l->overflow)
		return;
	if (!listen_knows(l, at, section)) {
		fail(l->script, "a listener hears the removal of 0x%llx, which it does not know",
		     (ull)section->first);
		return;
	}
	l->count--;
	memmove(&l->known[at], &l->known[at + 1], (l->count - at) * sizeof(l->known[0]));
}

static void listen_additions(struct script_listener *l)
{
	if (l->adding)
		return;
	l->adding = true;
	l->told = 0;
}

static void listen_add(struct mem_listener *listener, const struct section *section)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);
	unsigned at = listen_find(l, section->first);

	listen_additions(l);
	listen_order(l, section);
	l->overflow |= l->count == EXPECTED;
	if (l->overflow)
		return;
	if ((at < l->count && l->known[at].first <= section->last) ||
	    (at && l->known[at - 1].last >= section->first))
		fail(l->script, "a listener hears the addition of 0x%llx over something",
		     (ull)section->first);
	memmove(&l->known[at + 1], &l->known[at], (l->count - at) * sizeof(l->known[0]));
	l->known[at] = *section;
	l->count++;
}

static void listen_keep(struct mem_listener *listener, const struct section *section)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);

	listen_additions(l);
	listen_order(l, section);
	if (!l->overflow && !listen_knows(l, listen_find(l, section->first), section))
		fail(l->script, "a listener is to keep 0x%llx, which it does not know", (ull)section->first);
}

static void listen_change(struct mem_listener *listener, const struct section *old, const struct section *now)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);
	unsigned at = listen_find(l, now->first);

	listen_additions(l);
	listen_order(l, now);
	if (l->overflow)
		return;
	if (!listen_knows(l, at, old) || section_equal(old, now) || old->first != now->first ||
	    old->last != now->last || old->region != now->region || old->offset != now->offset ||
	    old->host != now->host)
		fail(l->script, "a listener hears a change of 0x%llx that is none", (ull)now->first);
	else
		l->known[at] = *now;
}

static void listen_commit(struct mem_listener *listener)
{
	struct script_listener *l = container_of(listener, struct script_listener, listener);
	const struct flatview *view = as_view(&l->script->space[l - l->script->heard]);
	unsigned at = 0;
	u32 i;

	if (!l->open)
		fail(l->script, "a listener hears commit without begin");
	l->open = false;
	for (i = 0; i < view->count && !l->overflow && !l->leaving; i++) {
		if (view->sections[i].kind == SECTION_UNCLAIMED)
			continue;
		if (!listen_knows(l, at++, &view->sections[i]))
			fail(l->script, "what a listener heard is not the view at 0x%llx",
			     (ull)view->sections[i].first);
	}
	if (!l->overflow && at != l->count)
		fail(l->script, "a listener knows %u sections, the view has %u", l->count, at);
}

/* ---- making regions and choosing numbers -------------------------------------------------------------------- */

static u64 small_or_edge(struct script *s, u64 word)
{
	u64 low = word >> 8;

	switch (word & 7) {
	case 0: /* a number of any magnitude */
		return low >> (word >> 3 & 31) >> (word >> 58 & 31);
	case 1: /* close below 2^64 */
		return -(low % SMALL);
	default:
		return s->profile == SCRIPT_IOMMU ? low % 64 * 0x400 : low % SMALL;
	}
}

static u128 choose_size(struct script *s, enum region_kind kind, u64 word)
{
	u64 low = word >> 8;
	bool memory = kind == REGION_RAM || kind == REGION_ROM || kind == REGION_ROM_DEVICE;

	if ((word & 0xff) == 0xff)
		return word >> 9 & 1 ? 0 : REGION_SIZE_WHOLE + 1;
	if (memory)
		return 1 + (word & 3 ? low % 300 : low % MEMORY_MAX);
	if ((word & 15) == 1)
		return REGION_SIZE_WHOLE;
	if ((word & 15) == 2)
		return BIT(63) + low % 5 - 2;
	if (s->profile != SCRIPT_SMALL && (word & 3) == 3)
		return 1 + (low >> (word >> 4 & 3) * 16);
	if (kind == REGION_IOMMU)
		return 1 + low % 32 * 0x800;
	if (kind == REGION_CONTAINER || kind == REGION_ALIAS)
		return s->profile == SCRIPT_IOMMU ? 1 + low % 0x20000 : 1 + low % SMALL;
	return 1 + low % 300;
}

static struct mem_sizes choose_sizes(u64 word)
{
	static const u8 size[] = { 0, 1, 1, 2, 4, 8, 8, 4 };
	struct mem_sizes sizes = { .min = size[word & 3],
				   .max = size[word >> 2 & 7],
				   .unaligned = word >> 5 & 1 };

	if (sizes.max && sizes.max < sizes.min)
		sizes.max = sizes.min;
	return sizes;
}

static void make_device(struct script *s, int number, u64 word, u64 poison)
{
	struct naive_device *naive = &s->contents.device[number];
	unsigned i;

	naive->valid = choose_sizes(word);
	naive->impl = choose_sizes(word >> 8);
	if (word >> 16 & 1)
		naive->impl = (struct mem_sizes){ 0 };
	if (word >> 17 & 1)
		naive->valid = (struct mem_sizes){ 0 };
	/* Where a widened access then starts is not said. */
	if (naive->impl.unaligned)
		naive->impl.min = 1;
	naive->poison = word >> 18 & 3 ? 0 : BIT(poison & 63) | BIT(poison >> 6 & 63);
	for (i = 0; i < sizeof(naive->bytes); i++)
		naive->bytes[i] = (u8)(poison * (i + 3) >> 7);
	s->device[number] = (struct script_device){
		.script = s, .state = *naive, .number = number, .big_endian = word >> 20 & 1
	};
	s->ops[number] = (struct region_ops){
		.read = device_read,
		.write = device_write,
		.valid = naive->valid,
		.impl = naive->impl,
		.endian = word >> 20 & 1 ? MEM_BIG_ENDIAN : MEM_LITTLE_ENDIAN,
	};
}

static void make_memory(struct script *s, int number, u64 word)
{
	size_t skew = word & 8 ? word & 7 : 0, i;

	/* What is resized stays within it; small ones end where the sanitizer guards. */
	s->allocation[number] = malloc(MEMORY_MAX + skew);
	s->contents.memory[number] = malloc(MEMORY_MAX);
	if (!s->allocation[number] || !s->contents.memory[number])
		abort();
	for (i = 0; i < MEMORY_MAX; i++)
		s->contents.memory[number][i] = (u8)((i * 0x9d + (word >> 16)) >> (i & 3));
	memcpy(s->allocation[number] + skew, s->contents.memory[number], MEMORY_MAX);
	s->region[number].region.host = s->allocation[number] + skew;
}

static const char *const region_names[NAIVE_REGIONS] = {
	"r0",  "r1",  "r2",  "r3",  "r4",  "r5",  "r6",	 "r7",	"r8",  "r9",  "r10", "r11", "r12", "r13",
	"r14", "r15", "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27",
};

static bool is_kind(enum region_kind kind, unsigned kinds)
{
	return kinds >> kind & 1;
}

#define MEMORY_KINDS (1u << REGION_RAM | 1u << REGION_ROM | 1u << REGION_ROM_DEVICE)

/* Mostly independent of how many there are, which shrinking changes. */
static int choose_region(struct script *s, u64 word)
{
	unsigned count = (unsigned)s->now.count, number = (unsigned)(word & 31);

	return (int)(number < count ? number : (word >> 5) % count);
}

static void op_new(struct script *s, const u64 *w)
{
	static const u8 kinds[] = { REGION_CONTAINER, REGION_CONTAINER,	 REGION_RAM,   REGION_RAM,
				    REGION_ROM,	      REGION_ROM_DEVICE, REGION_MMIO,  REGION_MMIO,
				    REGION_ALIAS,     REGION_ALIAS,	 REGION_ALIAS, REGION_RESERVED,
				    REGION_IOMMU,     REGION_IOMMU,	 REGION_IOMMU, REGION_RAM };
	enum region_kind kind = kinds[w[1] % (s->profile == SCRIPT_IOMMU ? 16 : 12)];
	bool with_ops = kind == REGION_MMIO || kind == REGION_ROM_DEVICE ||
			(kind == REGION_CONTAINER && w[1] >> 8 & 1);
	int target = choose_region(s, w[1] >> 16), number;
	u64 alias_offset = kind == REGION_ALIAS ? small_or_edge(s, w[4]) : 0;
	u128 size = choose_size(s, kind, w[2]);
	struct region *region;
	const char *name;
	void *host;

	if (s->now.count == NAIVE_REGIONS)
		return;
	number = naive_region_new(&s->now, kind, size, with_ops, target, alias_offset);
	region = core_region(s, number);
	name = region_names[number];
	if (with_ops)
		make_device(s, number, w[3], w[5]);
	if (is_kind(kind, MEMORY_KINDS))
		make_memory(s, number, w[4]);
	host = region->host;
	TRACE("r%d = %s size 0x%llx%016llx%s target r%d+0x%llx valid %u-%u%s impl %u-%u%s poison %llx",
	      number, region_kind_name(kind), (ull)(size >> 64), (ull)size, with_ops ? " ops" : "", target,
	      (ull)alias_offset, s->ops[number].valid.min, s->ops[number].valid.max,
	      s->ops[number].valid.unaligned ? "u" : "", s->ops[number].impl.min, s->ops[number].impl.max,
	      s->ops[number].impl.unaligned ? "u" : "", (ull)s->contents.device[number].poison);
	switch (kind) {
	case REGION_CONTAINER:
		if (with_ops)
			region_init_container_ops(region, name, size, &s->ops[number], &s->device[number]);
		else
			region_init_container(region, name, size);
		break;
	case REGION_RAM:
		region_init_ram(region, name, size, host);
		break;
	case REGION_ROM:
		region_init_rom(region, name, size, host);
		break;
	case REGION_ROM_DEVICE:
		region_init_rom_device(region, name, size, host, &s->ops[number], &s->device[number]);
		break;
	case REGION_MMIO:
		region_init_mmio(region, name, size, &s->ops[number], &s->device[number]);
		break;
	case REGION_ALIAS:
		region_init_alias(region, name, size, core_region(s, target), alias_offset);
		break;
	case REGION_RESERVED:
		region_init_reserved(region, name, size);
		break;
	case REGION_IOMMU:
		s->contents.target_space[number] = (int)(w[5] % SPACES);
		region_init_iommu(&s->region[number], name, size, &translator, &s->space[w[5] % SPACES],
				  false);
		region->device = s;
		break;
	}
}

/* An address where something happens: an edge of a region, seen from the root it hangs below, or one of its entries. */
static u64 choose_address(struct script *s, u64 word, u64 place)
{
	int number = choose_region(s, place), above, steps = 0;
	const struct naive_region *region = &s->now.region[number];
	u64 address = 0;

	if ((word & 3) == 0 || number == 0)
		return s->profile == SCRIPT_IOMMU ? s->window + (word >> 8) % 0x10000
						  : s->window + (word >> 8) % SMALL;
	if (region->kind == REGION_IOMMU && s->contents.entries[number] && word & 8) {
		const struct naive_entry *entry =
			&s->contents.entry[number][(word >> 16) % (unsigned)s->contents.entries[number]];

		address = word & 16 ? entry->iova : entry->iova + entry->mask + 1;
	} else if (word & 4) {
		address = (u64)region->size;
	}
	for (above = number; above != NAIVE_NONE && steps < NAIVE_REGIONS;
	     above = s->now.region[above].parent, steps++)
		address += s->now.region[above].parent == NAIVE_NONE ? 0 : s->now.region[above].offset;
	return address + (word >> 8 & 15) - 8;
}

/* ---- operations on the tree --------------------------------------------------------------------------------- */

/* The one chosen or the next that is of these kinds. */
static int choose_kind(struct script *s, u64 word, unsigned kinds)
{
	int i, count = s->now.count, number = choose_region(s, word);

	for (i = 0; i < count; i++)
		if (is_kind(s->now.region[(number + i) % count].kind, kinds))
			return (number + i) % count;
	return NAIVE_NONE;
}

static bool region_is_used(const struct naive_region *region)
{
	return region->size != 0 && region->size <= REGION_SIZE_WHOLE;
}

static void op_add(struct script *s, const u64 *w)
{
	int child = choose_region(s, w[1]);
	int parent =
		w[2] & 3 ? choose_kind(s, w[2] >> 8, 1u << REGION_CONTAINER) : choose_region(s, w[2] >> 8);
	u64 offset, errors;
	s32 priority = w[4] & 8 ? (s32)(w[4] >> 32) : (s32)(w[4] >> 8 & 3) - 1;
	bool overlapping = w[4] & 3;
	int error;

	offset = small_or_edge(s, w[3]);
	if (parent == 0)
		offset += s->window;
	errors = naive_add_errors(&s->now, parent, offset, child, priority, overlapping);
	error = (overlapping ? region_add_overlapping : region_add)(core_region(s, parent), offset,
								    core_region(s, child), priority);
	TRACE("add r%d to r%d at 0x%llx priority %d%s: %d", child, parent, (ull)offset, priority,
	      overlapping ? " overlapping" : "", error);
	if (error ? !(errors >> -error & 1) : errors != 0)
		fail(s, "adding r%d to r%d says %d, expected one of 0x%llx", child, parent, error,
		     (ull)errors);
	if (!errors)
		naive_add(&s->now, parent, offset, child, priority);
}

static void op_remove(struct script *s, const u64 *w)
{
	int child = choose_region(s, w[1]);

	TRACE("remove r%d", child);
	region_remove(core_region(s, child));
	naive_remove(&s->now, child);
}

static void op_enable(struct script *s, const u64 *w)
{
	int number = choose_region(s, w[1]);
	bool enabled = number == 0 ? (w[2] & 15) != 0 : w[2] & 1;

	TRACE("r%d enabled %d", number, enabled);
	region_set_enabled(core_region(s, number), enabled);
	s->now.region[number].enabled = enabled;
}

static void op_move(struct script *s, const u64 *w)
{
	int number = choose_region(s, w[1]);
	u64 offset = small_or_edge(s, w[2]);

	if (s->now.region[number].parent == 0)
		offset += s->window;
	if (s->now.region[number].parent == NAIVE_NONE || s->now.region[number].offset == offset)
		return;
	TRACE("r%d moves to 0x%llx", number, (ull)offset);
	region_set_offset(core_region(s, number), offset);
	naive_move(&s->now, number, offset);
}

static void op_resize(struct script *s, const u64 *w)
{
	int number = choose_region(s, w[1]);
	struct naive_region *region = &s->now.region[number];
	u128 size = choose_size(s, region->kind, w[2]);
	bool possible = size != 0 && size <= REGION_SIZE_WHOLE;
	int error;

	/* Readers of an old view may or may not reach a device's registers that went: not said. */
	if (number == 0 || !region_is_used(region) || (region->has_ops && s->depth))
		return;
	if (s->logging[number][0] || s->logging[number][1])
		return;
	error = region_resize(core_region(s, number), size);
	TRACE("r%d resized to 0x%llx%016llx: %d", number, (ull)(size >> 64), (ull)size, error);
	if (error != (possible ? 0 : -EINVAL))
		fail(s, "resizing says %d", error);
	if (possible)
		region->size = size;
}

static void op_switch(struct script *s, const u64 *w)
{
	int number = choose_region(s, w[1]);
	struct naive_region *region = &s->now.region[number];
	bool on = w[3] & 1;

	switch (w[2] % 4) {
	case 0:
		TRACE("r%d readonly %d", number, on);
		region_set_readonly(core_region(s, number), on);
		region->readonly = on;
		break;
	case 1:
		number = choose_kind(s, w[1], 1u << REGION_ROM_DEVICE);
		if (number == NAIVE_NONE)
			return;
		TRACE("r%d direct %d", number, on);
		region_set_direct(core_region(s, number), on);
		s->now.region[number].direct = on;
		break;
	case 2:
		number = choose_kind(s, w[1], 1u << REGION_ALIAS);
		if (number == NAIVE_NONE)
			return;
		s->now.region[number].alias_offset = small_or_edge(s, w[4]);
		TRACE("r%d alias offset 0x%llx", number, (ull)s->now.region[number].alias_offset);
		region_set_alias_offset(core_region(s, number), s->now.region[number].alias_offset);
		break;
	default:
		number = choose_kind(s, w[1], 1u << REGION_CONTAINER);
		TRACE("r%d unclaimed %d", number, (int)(w[4] % 5));
		region_set_unclaimed(core_region(s, number), (enum unclaimed)(w[4] % 5));
		s->now.region[number].unclaimed = (u8)(w[4] % 5);
		break;
	}
}

static void publish(struct script *s)
{
	int i;

	if (s->depth || !s->changed)
		return;
	s->changed = false;
	s->seen = s->now;
	for (i = 0; i < NAIVE_REGIONS; i++)
		s->logs[i] = s->logging[i][0] || s->logging[i][1];
}

static void op_transaction(struct script *s, const u64 *w)
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
		fail(s, "commit says %d", error);
	if (s->core.rebuilds - before > (s->depth ? 0 : SPACES))
		fail(s, "a commit at depth %u made %llu rebuilds", s->depth,
		     (ull)(s->core.rebuilds - before));
}

static void op_entry(struct script *s, const u64 *w)
{
	static const u64 masks[] = { 0xfff, 0xfff, 0xfff, 0xfff, 0x1fff, 0xffff, 0x1fffff, ~0ull };
	int number = choose_kind(s, w[1], 1u << REGION_IOMMU), i;
	struct naive_entry made, *entry;

	if (number == NAIVE_NONE)
		return;
	entry = s->contents.entry[number];
	made.mask = masks[w[2] & 7];
	made.iova = ((w[2] & 0x700) == 0x700 ? choose_address(s, w[3], w[4]) : (w[3] >> 8) % 16 * 0x1000) &
		    ~made.mask;
	made.translated = (s->window + (w[4] >> 8) % 32 * 0x1000) & ~made.mask;
	made.permission = w[5] & 8 ? MEM_READ_WRITE : (u32)(w[5] & 3);
	/* In place of all that it overlaps; the translator tells the core. */
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

/* ---- comparing accesses ------------------------------------------------------------------------------------- */

static int compare_faults(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct naive_fault));
}

static void check_faults(struct script *s, struct naive_world *world)
{
	int i;

	qsort(world->fault, (size_t)world->faults, sizeof(world->fault[0]), compare_faults);
	qsort(s->fault, (size_t)s->faults, sizeof(s->fault[0]), compare_faults);
	for (i = 0; i < world->faults && i < s->faults; i++)
		if (compare_faults(&world->fault[i], &s->fault[i]))
			break;
	if (i != world->faults || i != s->faults)
		fail(s,
		     "faults of %d bytes were told, expected %d; differ at r%d 0x%llx reason %u / r%d 0x%llx "
		     "reason %u",
		     s->faults, world->faults, s->fault[i].iommu, (ull)s->fault[i].iova, s->fault[i].reason,
		     world->fault[i].iommu, (ull)world->fault[i].iova, world->fault[i].reason);
}

static void check_contents(struct script *s)
{
	int i;

	for (i = 0; i < s->now.count; i++) {
		if (is_kind(s->now.region[i].kind, MEMORY_KINDS) &&
		    memcmp(s->contents.memory[i], core_region(s, i)->host, MEMORY_MAX))
			fail(s, "the memory of r%d differs", i);
		if (s->now.region[i].has_ops &&
		    memcmp(s->contents.device[i].bytes, s->device[i].state.bytes, 64))
			fail(s, "the device r%d differs", i);
	}
}

/* After a write that the naive model has done; one through a mapping looks at the log itself. */
static void mark_written(struct script *s, bool mapped)
{
	int i, client, page;

	for (i = 0; i < s->now.count; i++)
		for (client = 0; client < 2 && (mapped || s->logs[i]); client++)
			for (page = 0; s->logging[i][client] && page < NAIVE_PAGES; page++)
				s->dirty[i][client][page] |= s->world.written[i][page];
	memset(s->world.written, 0, sizeof(s->world.written));
}

static void hex(char *text, const u8 *bytes, unsigned length)
{
	unsigned i;

	for (i = 0; i < length && i < 24; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
	text[2 * i] = 0;
}

static void check_access(struct script *s, struct naive_world *world, const char *what, int space,
			 u64 address, unsigned length, enum mem_result result, const u8 *bytes,
			 const struct naive_outcome *naive, const u8 *expected)
{
	char got[64], want[64];

	hex(got, bytes, length);
	hex(want, expected, length);
	TRACE("%s a%d 0x%llx %u: %d %s", what, space, (ull)address, length, result, got);
	if (result != naive->result || memcmp(bytes, expected, length))
		fail(s, "%s a%d 0x%llx of %u bytes: %d %s, expected %d %s", what, space, (ull)address, length,
		     result, got, naive->result, want);
	check_faults(s, world);
}

static void to_bytes(u8 *bytes, u64 value, unsigned size, bool big)
{
	unsigned i;

	for (i = 0; i < size; i++)
		bytes[big ? size - 1 - i : i] = (u8)(value >> 8 * i);
}

static u64 from_bytes(const u8 *bytes, unsigned size, bool big)
{
	u64 value = 0;
	unsigned i;

	for (i = 0; i < size; i++)
		value |= (u64)bytes[big ? size - 1 - i : i] << 8 * i;
	return value;
}

static enum mem_result named_load(struct address_space *as, u64 address, unsigned size, bool big, u64 *value)
{
	enum mem_result result;
	u16 v16 = 0;
	u32 v32 = 0;
	u8 v8 = 0;

	switch (size) {
	case 1:
		result = (big ? as_load_be8 : as_load_le8)(as, address, &v8);
		*value = v8;
		return result;
	case 2:
		result = (big ? as_load_be16 : as_load_le16)(as, address, &v16);
		*value = v16;
		return result;
	case 4:
		result = (big ? as_load_be32 : as_load_le32)(as, address, &v32);
		*value = v32;
		return result;
	default:
		return (big ? as_load_be64 : as_load_le64)(as, address, value);
	}
}

static enum mem_result named_store(struct address_space *as, u64 address, unsigned size, bool big, u64 value)
{
	switch (size) {
	case 1:
		return (big ? as_store_be8 : as_store_le8)(as, address, (u8)value);
	case 2:
		return (big ? as_store_be16 : as_store_le16)(as, address, (u16)value);
	case 4:
		return (big ? as_store_be32 : as_store_le32)(as, address, (u32)value);
	default:
		return (big ? as_store_be64 : as_store_le64)(as, address, value);
	}
}

static struct naive_world *world_of(struct script *s)
{
	s->faults = s->world.faults = 0;
	return &s->world;
}

static void op_access(struct script *s, const u64 *w)
{
	int space = (int)(w[1] % SPACES);
	unsigned size = 1u << (w[1] >> 8 & 3);
	bool big = w[1] >> 16 & 1, write = w[1] >> 17 & 1, cached = w[1] >> 18 & 1 && !big;
	u64 address = choose_address(s, w[2], w[3]), value = write ? w[4] & mem_size_mask(size) : 0x5555;
	struct naive_world *world = world_of(s);
	u8 bytes[8] = { 0 }, expected[8] = { 0 };
	struct naive_outcome naive;
	enum mem_result result;

	if (!s->live[space])
		return;
	to_bytes(expected, value, size, big);
	naive = naive_access(world, space, address, expected, size, write, false);
	if (write) {
		mark_written(s, false);
		result = cached ? as_store(&s->space[space], &s->cache[space], address, size, w[4])
				: named_store(&s->space[space], address, size, big, value);
		to_bytes(bytes, value, size, big);
	} else {
		result = cached ? as_load(&s->space[space], &s->cache[space], address, size, &value)
				: named_load(&s->space[space], address, size, big, &value);
		to_bytes(bytes, value, size, big);
		if (value != from_bytes(bytes, size, big))
			fail(s, "a load of %u bytes gives 0x%llx", size, (ull)value);
	}
	check_access(s, world, write ? (big ? "store be" : "store") : (big ? "load be" : "load"), space,
		     address, size, result, bytes, &naive, expected);
}

static void op_transfer(struct script *s, const u64 *w)
{
	int space = (int)(w[1] % SPACES);
	unsigned length = (unsigned)(w[1] >> 8) % (w[1] >> 24 & 3 ? 24 : NAIVE_TRANSFER + 1), i;
	bool write = w[1] >> 16 & 1, fill = write && w[1] >> 17 & 1;
	u64 address = choose_address(s, w[2], w[3]), done = 12345;
	struct naive_world *world = world_of(s);
	u8 bytes[NAIVE_TRANSFER], expected[NAIVE_TRANSFER];
	struct naive_outcome naive;
	enum mem_result result;

	if (!s->live[space])
		return;
	for (i = 0; i < length; i++)
		bytes[i] = fill ? (u8)w[4] : (u8)(w[4] >> (i * 5 % 57));
	memcpy(expected, bytes, length);
	naive = naive_access(world, space, address, expected, length, write, true);
	if (write)
		mark_written(s, false);
	switch (w[1] >> 18 & 3) {
	case 0:
		result = fill	 ? as_fill(&s->space[space], address, (u8)w[4], length)
			 : write ? as_write(&s->space[space], address, bytes, length)
				 : as_read(&s->space[space], address, bytes, length);
		break;
	case 1:
		result = write ? as_write_cached(&s->space[space], &s->cache[space], address, bytes, length)
			       : as_read_cached(&s->space[space], &s->cache[space], address, bytes, length);
		break;
	default:
		result = write ? as_write_done(&s->space[space], address, bytes, length, &done)
			       : as_read_done(&s->space[space], address, bytes, length, &done);
		if (done != naive.done)
			fail(s, "a %s of 0x%llx, %u bytes: %llu were done, expected %llu",
			     write ? "write" : "read", (ull)address, length, (ull)done, (ull)naive.done);
		break;
	}
	check_access(s, world,
		     fill    ? "fill"
		     : write ? "write"
			     : "read",
		     space, address, length, result, bytes, &naive, expected);
}

/* Copies are compared where they can be said in bytes: neither side sees a device, and the ranges do not overlap. */
static void op_copy(struct script *s, const u64 *w)
{
	int to = (int)(w[1] % SPACES), from = (int)((w[1] >> 8) % SPACES);
	unsigned length = (unsigned)(w[1] >> 16) % NAIVE_TRANSFER, asked, i, j;
	u64 to_address = choose_address(s, w[2], w[3]), address = choose_address(s, w[4], w[5]);
	struct naive_place source[NAIVE_TRANSFER];
	struct naive_world *world = world_of(s);
	struct naive_outcome read, write;
	u8 bytes[NAIVE_TRANSFER];
	enum mem_result result;

	if (!s->live[to] || !s->live[from] || s->profile == SCRIPT_IOMMU)
		return;
	asked = length;
	while (length && (address + (length - 1) < address || to_address + (length - 1) < to_address))
		length--;
	for (i = 0; i < length; i++) {
		struct naive_place place = naive_resolve(&s->seen, &s->naive_space[to], to_address + i);

		source[i] = naive_resolve(&s->seen, &s->naive_space[from], address + i);
		if (source[i].region != NAIVE_NONE && s->seen.region[source[i].region].kind != REGION_RAM)
			return;
		if (place.region != NAIVE_NONE && s->seen.region[place.region].has_ops)
			return;
		for (j = 0; j <= i; j++)
			if (place.region == source[j].region && place.region != NAIVE_NONE)
				return;
	}
	read = naive_access(world, from, address, bytes, length, false, true);
	write = naive_access(world, to, to_address, bytes, length, true, true);
	mark_written(s, false);
	result = as_copy(&s->space[to], to_address, &s->space[from], address, asked);
	TRACE("copy a%d 0x%llx from a%d 0x%llx %u: %d", to, (ull)to_address, from, (ull)address, length,
	      result);
	if (asked != length)
		read.result |= MEM_DECODE_ERROR;
	if (result != (read.result | write.result))
		fail(s, "a copy says %d, expected %d", result, read.result | write.result);
}

/* ---- comparing views ---------------------------------------------------------------------------------------- */

static u8 expected_flags(struct script *s, const struct naive_place *place, const struct naive_region *region,
			 enum section_kind *kind)
{
	bool readonly = place->readonly || region->kind == REGION_ROM;
	u8 flags = readonly ? SECTION_READONLY : 0;
	(void)s;

	switch ((enum region_kind)region->kind) {
	case REGION_RAM:
	case REGION_ROM:
		*kind = readonly ? SECTION_ROM : SECTION_RAM;
		return flags | SECTION_READ_DIRECT | (readonly ? 0 : SECTION_WRITE_DIRECT);
	case REGION_ROM_DEVICE:
		*kind = SECTION_ROM_DEVICE;
		return flags | (region->direct ? SECTION_READ_DIRECT : 0);
	case REGION_RESERVED:
		*kind = SECTION_RESERVED;
		return flags;
	case REGION_IOMMU:
		*kind = SECTION_IOMMU;
		return flags;
	default:
		*kind = SECTION_MMIO;
		return flags;
	}
}

static void check_byte(struct script *s, int space, const struct section *section, u64 address)
{
	struct naive_place place = naive_resolve(&s->seen, &s->naive_space[space], address);
	enum section_kind kind = SECTION_UNCLAIMED;
	const struct section *found = flatview_lookup(as_view(&s->space[space]), address);
	const struct section *again = as_lookup(&s->space[space], &s->cache[space], address);
	bool ok = found == section && again == section;
	u8 flags = 0;

	if (place.region == NAIVE_NONE) {
		ok &= section->unclaimed == place.unclaimed &&
		      region_number(s, section->region) == place.policy_of;
	} else {
		flags = expected_flags(s, &place, &s->seen.region[place.region], &kind);
		ok &= region_number(s, section->region) == place.region &&
		      section->offset + (address - section->first) == place.offset;
		if (flags & (SECTION_READ_DIRECT | SECTION_WRITE_DIRECT))
			ok &= section->host == section->region->host + section->offset;
		ok &= (section->flags & 15 & ~SECTION_DIRTY_LOG) == flags;
	}
	if (!ok || section->kind != kind)
		fail(s,
		     "a%d 0x%llx is kind %u flags %x in r%d at 0x%llx, expected kind %u flags %x in r%d at "
		     "0x%llx",
		     space, (ull)address, section->kind, section->flags, region_number(s, section->region),
		     (ull)(section->offset + (address - section->first)), kind, flags, place.region,
		     (ull)place.offset);
}

static void op_check_view(struct script *s, const u64 *w)
{
	int space = (int)(w[1] % SPACES);
	const struct flatview *view = as_view(&s->space[space]);
	u32 i, j;

	if (!s->live[space])
		return;
	for (i = 0; i < view->count && !s->failed; i++) {
		const struct section *section = &view->sections[i];
		u64 last = i + 1 < view->count ? section[1].first - 1 : ~0ull;
		struct naive_place place, next;

		if (section->last != last || section->first > section->last ||
		    (i == 0 && section->first != 0)) {
			fail(s, "the view is no partition at 0x%llx", (ull)section->first);
			return;
		}
		check_byte(s, space, section, section->first);
		check_byte(s, space, section, section->last);
		for (j = 0; j < 4; j++) {
			u64 inside = section->first +
				     (w[2] * (j + 1) >> 3) % (section->last - section->first + 1 ?: ~0ull);

			check_byte(s, space, section, inside);
		}
		if (i + 1 == view->count)
			break;
		place = naive_resolve(&s->seen, &s->naive_space[space], section->last);
		next = naive_resolve(&s->seen, &s->naive_space[space], section->last + 1);
		if (place.region != NAIVE_NONE && naive_continues(&place, &next))
			fail(s, "the view is cut in two at 0x%llx", (ull)section[1].first);
	}
	for (j = 0; j < 32 && !s->failed; j++) {
		u64 address = choose_address(s, w[3] * (2 * j + 1) >> 1, w[4] * (2 * j + 1) >> 7);

		check_byte(s, space, flatview_lookup(view, address), address);
	}
	TRACE("check a%d: %u sections", space, view->count);
}

static void op_quiescent(struct script *s)
{
	TRACE("quiescent");
	mem_quiescent(&s->core);
	if (s->core.retired)
		fail(s, "views are kept after the quiescent point of the only reader");
}

/* ---- the dirty log ------------------------------------------------------------------------------------------ */

static void op_dirty(struct script *s, const u64 *w)
{
	int number = choose_kind(s, w[1], 1u << REGION_RAM);
	unsigned client = (unsigned)(w[2] & 1), i;
	u64 bits[1] = { ~0ull }, pages, count = 0;
	int error;

	if (number == NAIVE_NONE || !region_is_used(&s->now.region[number]))
		return;
	pages = ((u64)s->now.region[number].size + PAGE_SIZE - 1) / PAGE_SIZE;
	switch (w[2] >> 8 & 3) {
	case 0:
		error = region_dirty_start(core_region(s, number), client);
		TRACE("dirty start r%d client %u: %d", number, client, error);
		if (error != (s->logging[number][client] ? -EBUSY : 0))
			fail(s, "starting a dirty log says %d", error);
		if (!error)
			memset(s->dirty[number][client], 0, NAIVE_PAGES);
		s->logging[number][client] = true;
		break;
	case 1:
		if (w[2] >> 16 & 3)
			return;
		TRACE("dirty stop r%d client %u", number, client);
		region_dirty_stop(core_region(s, number), client);
		s->logging[number][client] = false;
		break;
	default:
		if (!s->logging[number][client])
			return;
		count = region_dirty_snapshot(core_region(s, number), client, 0,
					      (u64)s->now.region[number].size, bits);
		TRACE("dirty snapshot r%d client %u: %llu", number, client, (ull)count);
		for (i = 0; i < pages; i++) {
			if ((bits[0] >> i & 1) != s->dirty[number][client][i])
				fail(s, "page %u of r%d is dirty: %u, expected %u", i, number,
				     (unsigned)(bits[0] >> i & 1), s->dirty[number][client][i]);
			count -= s->dirty[number][client][i];
			s->dirty[number][client][i] = 0;
		}
		if (count)
			fail(s, "a dirty snapshot counts wrong");
		break;
	}
}

/* ---- mappings ----------------------------------------------------------------------------------------------- */

/* A refusal is one fault, of as many bytes as one translation covers: only that it was told can be said here. */
static void check_refusal(struct script *s, const struct naive_world *world)
{
	if ((world->faults != 0) != (s->faults != 0))
		fail(s, "a mapping tells %d faults, expected %d", s->faults, world->faults);
	else if (world->faults &&
		 (s->fault[0].iommu != world->fault[0].iommu || s->fault[0].iova != world->fault[0].iova ||
		  s->fault[0].reason != world->fault[0].reason))
		fail(s, "a mapping tells a fault of r%d 0x%llx reason %u, expected r%d 0x%llx reason %u",
		     s->fault[0].iommu, (ull)s->fault[0].iova, s->fault[0].reason, world->fault[0].iommu,
		     (ull)world->fault[0].iova, world->fault[0].reason);
}

static void op_map(struct script *s, const u64 *w)
{
	int space = (int)(w[1] % SPACES);
	unsigned length = 1 + (unsigned)(w[1] >> 8) % (w[1] >> 24 & 1 ? 24 : NAIVE_TRANSFER), i, produced;
	u32 access = 1 + (u32)(w[1] >> 16) % 3;
	bool revoke = (w[1] >> 26 & 7) == 7;
	u64 address = choose_address(s, w[2], w[3]);
	struct naive_world *world = world_of(s);
	u8 slot_bytes[SLOT], bytes[NAIVE_TRANSFER];
	struct bounce_slot slot;
	struct map_client client;
	struct mem_mapping mapping;
	struct naive_outcome naive;
	struct naive_place place;
	enum mem_result result;

	if (!s->live[space])
		return;
	map_client_init(&client, "client", &slot, 1, slot_bytes, SLOT, NULL, NULL, NULL);
	naive = naive_map(world, space, address, length, access, SLOT, &place);
	if (naive.result == MEM_ERROR && access & MEM_READ) {
		/* The buffer is filled by a transfer of the device. */
		struct naive_world *again = world_of(s);
		struct naive_outcome filled =
			naive_access(again, space, address, bytes, (unsigned)naive.done, false, true);

		if (filled.result != MEM_OK)
			naive = filled;
		world->faults = 0;
	}
	result = as_map(&s->space[space], &client, address, length, access, &mapping);
	TRACE("map a%d 0x%llx %u access %u: %d, %llu bytes", space, (ull)address, length, access, result,
	      (ull)(result == MEM_OK ? mapping.length : 0));
	if (result != (naive.result == MEM_ERROR && mapping.host ? MEM_OK : naive.result)) {
		fail(s, "mapping a%d 0x%llx, %u bytes, access %u says %d, expected %d", space, (ull)address,
		     length, access, result, naive.result);
		return;
	}
	check_refusal(s, world);
	if (result != MEM_OK)
		return;
	if (mapping.length != naive.done || mapping.bounced != (naive.result == MEM_ERROR) ||
	    (!mapping.bounced && mapping.host != core_region(s, place.region)->host + place.offset)) {
		fail(s, "mapping a%d 0x%llx, %u bytes, access %u gives %llu%s, expected %llu%s", space,
		     (ull)address, length, access, (ull)mapping.length, mapping.bounced ? " bounced" : "",
		     (ull)naive.done, naive.result == MEM_ERROR ? " bounced" : "");
		return;
	}
	if (mapping.bounced && access & MEM_READ && memcmp(mapping.host, bytes, mapping.length))
		fail(s, "a bounce buffer holds something else than the device");
	produced = access & MEM_WRITE ? (unsigned)(w[4] % (mapping.length + 1)) : 0;
	for (i = 0; i < produced; i++)
		bytes[i] = (u8)(w[5] >> (i * 3 % 56));
	if (revoke)
		for (i = 0; i < (unsigned)s->now.count; i++)
			if (s->now.region[i].kind == REGION_IOMMU && region_is_used(&s->now.region[i]))
				iommu_invalidate(&s->region[i], 0, ~0ull);
	if (mem_map_valid(&mapping) != !(revoke && mapping.link_count))
		fail(s, "a mapping is valid: %d", mem_map_valid(&mapping));
	if (mem_map_valid(&mapping)) {
		memcpy(mapping.host, bytes, produced);
		result = as_unmap(&mapping, produced);
		naive = naive_access(world_of(s), space, address, bytes, produced, true, true);
		mark_written(s, !mapping.bounced);
	} else {
		result = as_unmap(&mapping, produced);
		naive = (struct naive_outcome){ MEM_ACCESS_ERROR, 0 };
	}
	if (result != naive.result)
		fail(s, "unmapping says %d, expected %d", result, naive.result);
	if (client.live || client.slots_used || as_unmap(&mapping, 0) != MEM_ERROR)
		fail(s, "something is left of a mapping");
}

/* ---- the list ----------------------------------------------------------------------------------------------- */

static void play(struct script *s, const struct operation *operation)
{
	const u64 *w = operation->word;
	unsigned kind = (unsigned)(w[0] >> 16) % 1024, place = (unsigned)(w[0] & 0xffff);

	/* Regions first, later mostly accesses. */
	if (place < 40 && kind & 1)
		kind = place % 2 ? 0 : 12;
	s->changed |= kind < 120;
	if (kind < 12)
		op_new(s, w);
	else if (kind < 60)
		op_add(s, w);
	else if (kind < 64)
		op_remove(s, w);
	else if (kind < 72)
		op_enable(s, w);
	else if (kind < 80)
		op_move(s, w);
	else if (kind < 86)
		op_resize(s, w);
	else if (kind < 96)
		op_switch(s, w);
	else if (kind < 112)
		op_transaction(s, w);
	else if (kind < 120)
		op_dirty(s, w);
	else if (kind < 150 && s->profile == SCRIPT_IOMMU)
		op_entry(s, w);
	else if (kind < 155)
		op_check_view(s, w);
	else if (kind < 165)
		op_quiescent(s);
	else if (kind < 200)
		op_copy(s, w);
	else if (kind < 280)
		op_map(s, w);
	else if (kind < 600)
		op_transfer(s, w);
	else
		op_access(s, w);
	publish(s);
}

static void set_up(struct script *s, u64 where)
{
	static const u64 windows[] = { 0, 0, -(u64)SMALL, BIT(63) - SMALL / 2, 0xfffff000, -(u64)16 * SMALL };
	static const char *const names[SPACES] = { "a0", "a1", "a2" };
	int i;

	s->changed = true;
	s->world =
		(struct naive_world){ .tree = &s->seen, .contents = &s->contents, .spaces = s->naive_space };
	s->window = windows[where % ARRAY_SIZE(windows)];
	if (s->profile == SCRIPT_IOMMU)
		s->window &= ~PAGE_MASK;
	mem_core_init(&s->core);
	naive_tree_init(&s->now);
	region_init_container(core_region(s, 0), region_names[0], REGION_SIZE_WHOLE);
	naive_region_new(&s->now, REGION_CONTAINER, REGION_SIZE_WHOLE, false, NAIVE_NONE, 0);
	region_init_container(core_region(s, 1), region_names[1], BIT(40));
	naive_region_new(&s->now, REGION_CONTAINER, BIT(40), false, NAIVE_NONE, 0);
	s->naive_space[0] = (struct naive_space){ .root = 0, .unclaimed = UNCLAIMED_INHERIT };
	s->naive_space[1] = (struct naive_space){ .root = 1, .unclaimed = UNCLAIMED_ZEROS };
	s->naive_space[2] = (struct naive_space){ .root = 0, .unclaimed = UNCLAIMED_STOP, .ram_only = true };
	for (i = 0; i < SPACES; i++) {
		s->heard[i].script = s;
		s->heard[i].listener = (struct mem_listener){ .begin = listen_begin,
							      .remove = listen_remove,
							      .add = listen_add,
							      .keep = listen_keep,
							      .change = i == 1 ? NULL : listen_change,
							      .commit = listen_commit };
		if (as_init(&s->space[i], &s->core, names[i], core_region(s, s->naive_space[i].root),
			    (enum unclaimed)s->naive_space[i].unclaimed)) {
			fail(s, "a space is not made");
			return;
		}
		s->live[i] = true;
		as_set_ram_only(&s->space[i], s->naive_space[i].ram_only);
		as_listen(&s->space[i], &s->heard[i].listener);
	}
	publish(s);
}

static void tear_down(struct script *s)
{
	int i;

	while (s->depth) {
		mem_transaction_commit(&s->core);
		s->depth--;
	}
	publish(s);
	check_contents(s);
	for (i = 0; i < SPACES; i++) {
		if (!s->live[i])
			continue;
		s->heard[i].leaving = true;
		as_unlisten(&s->space[i], &s->heard[i].listener);
		if (s->heard[i].count && !s->heard[i].overflow)
			fail(s, "a listener that left still knows %u sections", s->heard[i].count);
		as_destroy(&s->space[i]);
	}
	for (i = 0; i < s->now.count; i++)
		region_remove(core_region(s, i));
	for (i = 0; i < s->now.count; i++) {
		region_destroy(core_region(s, i));
		free(s->allocation[i]);
		free(s->contents.memory[i]);
	}
	mem_core_destroy(&s->core);
}

bool script_run(enum script_profile profile, u64 where, const struct operation *operations, unsigned count,
		bool trace, char *why, size_t why_size)
{
	struct script *s = calloc(1, sizeof(*s));
	bool ok;

	if (!s)
		abort();
	s->profile = profile;
	s->trace = trace;
	s->why = why;
	s->why_size = why_size;
	set_up(s, where);
	for (s->step = 0; s->step < count && !s->failed; s->step++) {
		play(s, &operations[s->step]);
		if (s->step % 64 == 0)
			check_contents(s);
	}
	tear_down(s);
	ok = !s->failed;
	free(s);
	return ok;
}
