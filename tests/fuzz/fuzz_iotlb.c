// SPDX-License-Identifier: BSD-2-Clause
/*
 * The IOTLB against a plain list of what was put into it and not invalidated since: a hit must be one of
 * these, what was just put in must hit, what was invalidated must not, absent and denied entries must never
 * be there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/iotlb.h"

#define KEPT 512

struct kept {
	u16 domain;
	u64 iova, mask, translated;
	u32 perm;
};

static struct kept kept[KEPT];
static unsigned kept_count;

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "iotlb: %s\n", what);
	abort();
}

/* A few pages of all three sizes, in a few places, the ends of the address space among them. */
static u64 choose_iova(u8 a, u8 b)
{
	u64 iova = (u64)(a & 7) * PAGE_SIZE + (u64)(a >> 3 & 3) * 2 * MiB + (u64)(a >> 5 & 1) * GiB + b;

	return a & 0x80 ? iova + (a & 0x40 ? -4 * GiB : 512 * GiB) : iova;
}

static u64 choose_mask(u8 a)
{
	static const u64 masks[] = { 0xfff, 0xfff, 0x1fffff, 0x3fffffff, 0x3fff, 0xffffff, ~0ull, 0x7ff };

	return masks[a & 7];
}

static void forget(bool (*gone)(const struct kept *entry, u16 domain, u64 first, u64 last), u16 domain,
		   u64 first, u64 last)
{
	unsigned i, left = 0;

	for (i = 0; i < kept_count; i++)
		if (!gone(&kept[i], domain, first, last))
			kept[left++] = kept[i];
	kept_count = left;
}

static bool in_domain(const struct kept *entry, u16 domain, u64 first, u64 last)
{
	(void)first;
	(void)last;
	return entry->domain == domain;
}

static bool in_range(const struct kept *entry, u16 domain, u64 first, u64 last)
{
	return entry->domain == domain && entry->iova <= last && (entry->iova | entry->mask) >= first;
}

static void look_up(struct iotlb *tlb, u16 domain, u64 iova, bool expected)
{
	struct iommu_entry found = { 0 };
	unsigned i;

	if (!iotlb_lookup(tlb, domain, iova, &found)) {
		check(!expected, "what was just put in is not there");
		return;
	}
	check(found.perm != MEM_NONE && found.perm <= MEM_READ_WRITE, "a hit without permission");
	check(found.mask == 0xfff || found.mask == 0x1fffff || found.mask == 0x3fffffff,
	      "a hit of an odd size");
	for (i = 0; i < kept_count; i++) {
		const struct kept *entry = &kept[i];
		u64 there = (entry->translated & ~entry->mask) | (iova & entry->mask);
		u64 block = iova & ~found.mask;

		if (entry->domain == domain && (iova & ~entry->mask) == entry->iova &&
		    entry->perm == found.perm &&
		    ((found.translated & ~found.mask) | (iova & found.mask)) == there &&
		    block >= entry->iova && (block | found.mask) <= (entry->iova | entry->mask))
			return;
	}
	check(false, "a hit of what is not there (any more)");
}

static void insert(struct iotlb *tlb, const u8 *data)
{
	u16 domain = data[1] & 0x80 ? 0xffff : data[1] & 3;
	u64 iova = choose_iova(data[2], data[3]), mask = choose_mask(data[4]);
	struct iommu_entry entry = {
		.iova = iova,
		.mask = mask,
		.translated = (u64)(data[5] | data[6] << 8) << 30 | (u64)data[7] << 12,
		.perm = data[4] >> 3 & 3,
	};

	if (kept_count == KEPT)
		return;
	/* Translators invalidate what they change; what is there for the page is replaced in any case. */
	iotlb_invalidate_range(tlb, domain, iova & ~mask, iova | mask);
	forget(in_range, domain, iova & ~mask, iova | mask);
	iotlb_insert(tlb, domain, &entry);
	if (entry.perm && mask >= PAGE_MASK) {
		/* Cut down to the page around the address. */
		u64 page = mask >= 0x3fffffff ? 0x3fffffff : mask >= 0x1fffff ? 0x1fffff : 0xfff;
		u64 translated = ((entry.translated & ~mask) | (iova & mask)) & ~page;

		kept[kept_count++] = (struct kept){ domain, iova & ~page, page, translated, entry.perm };
	}
	look_up(tlb, domain, iova, entry.perm && mask >= PAGE_MASK);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct iotlb_entry entries[64];
	struct iotlb tlb;
	u32 count;

	if (size < 1)
		return 0;
	count = 4u << (data[0] % 5);
	memset(entries, 0xa5, sizeof(entries));
	check(iotlb_init(&tlb, entries, count) == 0, "it is not made");
	kept_count = 0;
	for (data++, size--; size >= 8; data += 8, size -= 8) {
		u16 domain = data[1] & 0x80 ? 0xffff : data[1] & 3;
		u64 first = choose_iova(data[2], data[3]), last = first | choose_mask(data[4]);

		switch (data[0] % 8) {
		case 0:
		case 1:
		case 2:
			insert(&tlb, data);
			break;
		case 3:
			iotlb_invalidate_range(&tlb, domain, first, last);
			forget(in_range, domain, first, last);
			break;
		case 4:
			if (data[5] & 7)
				break;
			iotlb_invalidate_domain(&tlb, domain);
			forget(in_domain, domain, 0, 0);
			break;
		case 5:
			if (data[5] & 15)
				break;
			iotlb_invalidate_all(&tlb);
			kept_count = 0;
			break;
		default:
			look_up(&tlb, domain, first, false);
			break;
		}
	}
	return 0;
}
