// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_play.h"

#include <stdlib.h>
#include <string.h>

/*
 * ---- making regions and choosing numbers
 * --------------------------------------------------------------------
 */

u64 script_choose_offset(struct script *s, u64 word)
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

u128 script_choose_size(struct script *s, enum region_kind kind, u64 word)
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

static void make_device(struct script *s, int number, u128 size, u64 word, u64 poison)
{
	struct naive_device *naive = &s->contents.device[number];
	unsigned i;

	naive->number = number;
	naive->size = size;
	naive->big_endian = word >> 20 & 1;
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
	s->device[number] = (struct script_device){ .script = s, .state = *naive, .number = number };
	s->ops[number] = (struct region_ops){
		.read = script_device_read,
		.write = script_device_write,
		.valid = naive->valid,
		.impl = naive->impl,
		.endian = naive->big_endian ? MEM_BIG_ENDIAN : MEM_LITTLE_ENDIAN,
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

const char *const script_region_names[NAIVE_REGIONS] = {
	"r0",  "r1",  "r2",  "r3",  "r4",  "r5",  "r6",	 "r7",	"r8",  "r9",  "r10", "r11", "r12", "r13",
	"r14", "r15", "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27",
};

/* Mostly independent of how many there are, which shrinking changes. */
int script_choose_region(struct script *s, u64 word)
{
	unsigned count = (unsigned)s->now.count, number = (unsigned)(word & 31);

	return (int)(number < count ? number : (word >> 5) % count);
}

void script_op_new(struct script *s, const u64 *w)
{
	static const u8 kinds[] = { REGION_CONTAINER, REGION_CONTAINER,	 REGION_RAM,   REGION_RAM,
				    REGION_ROM,	      REGION_ROM_DEVICE, REGION_MMIO,  REGION_MMIO,
				    REGION_ALIAS,     REGION_ALIAS,	 REGION_ALIAS, REGION_RESERVED,
				    REGION_IOMMU,     REGION_IOMMU,	 REGION_IOMMU, REGION_RAM };
	enum region_kind kind = kinds[w[1] % (s->profile == SCRIPT_IOMMU ? 16 : 12)];
	bool with_ops = kind == REGION_MMIO || kind == REGION_ROM_DEVICE ||
			(kind == REGION_CONTAINER && w[1] >> 8 & 1);
	int target = script_choose_region(s, w[1] >> 16), number;
	/* Often from the start, so that what is behind aliases of aliases is seen at all. */
	u64 alias_offset = kind == REGION_ALIAS && w[4] & 3 ? script_choose_offset(s, w[4] >> 2) : 0;
	u128 size = script_choose_size(s, kind, w[2]);
	struct region *region;
	const char *name;
	void *host;

	if (s->now.count == NAIVE_REGIONS)
		return;
	number = naive_region_new(&s->now, kind, size, with_ops, target, alias_offset);
	region = script_region(s, number);
	name = script_region_names[number];
	if (with_ops)
		make_device(s, number, size, w[3], w[5]);
	if (script_is_kind(kind, SCRIPT_MEMORY))
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
		region_init_alias(region, name, size, script_region(s, target), alias_offset);
		break;
	case REGION_RESERVED:
		region_init_reserved(region, name, size);
		break;
	case REGION_IOMMU:
		s->contents.target_space[number] = (int)(w[5] % SPACES);
		region_init_iommu(&s->region[number], name, size, &script_translator,
				  &s->space[w[5] % SPACES], false);
		region->device = s;
		break;
	}
}

/*
 * An address where something happens: an edge of a region, seen from the root it hangs below, or one of its
 * entries or doorbells.
 */
u64 script_choose_address(struct script *s, u64 word, u64 place)
{
	int number = script_choose_region(s, place), above, steps = 0;
	const struct naive_region *region = &s->now.region[number];
	const struct naive_doorbell *bell =
		&s->contents.device[number].doorbell[(word >> 16) % NAIVE_DOORBELLS];
	u64 address = 0, around = (word >> 8 & 15) - 8;

	if ((word & 3) == 0 || number == 0)
		return s->profile == SCRIPT_IOMMU ? s->window + (word >> 8) % 0x10000
						  : s->window + (word >> 8) % SMALL;
	if (region->kind == REGION_IOMMU && s->contents.entries[number] && word & 8) {
		const struct naive_entry *entry =
			&s->contents.entry[number][(word >> 16) % (unsigned)s->contents.entries[number]];

		address = word & 16 ? entry->iova : entry->iova + entry->mask + 1;
	} else if (bell->used && word & 8) {
		address = bell->offset;
		around &= -(word >> 24 & 1);
	} else if (word & 4) {
		address = (u64)region->size;
	}
	for (above = number; above != NAIVE_NONE && steps < NAIVE_REGIONS;
	     above = s->now.region[above].parent, steps++)
		address += s->now.region[above].parent == NAIVE_NONE ? 0 : s->now.region[above].offset;
	return address + around;
}
