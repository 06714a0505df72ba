// SPDX-License-Identifier: BSD-2-Clause
#include "iommu/iotlb.h"

#include <errno.h>
#include <string.h>

/*
 * An entry in 128 bits, for domains of 16 and addresses of 64:
 *	tag         63..12 page   11..3 domain 8..0    2..1 level    0 valid
 *	translated  63..12 page    8..2 domain 15..9   1..0 permission
 */
#define VALID	    1u
#define LEVELS	    3
#define DOMAIN_LOW  9
#define DOMAIN_BITS BITS(8, 2)

static const u8 level_shift[LEVELS] = { 12, 21, 30 };

static u64 tag_of(u16 domain, u64 iova, unsigned level)
{
	return ALIGN_DOWN(iova, BIT(level_shift[level])) | (u64)(domain & (BIT(DOMAIN_LOW) - 1)) << 3 |
	       level << 1 | VALID;
}

static u64 domain_high(u16 domain)
{
	return (u64)(domain >> DOMAIN_LOW) << 2;
}

static unsigned level_of(const struct iotlb_entry *entry)
{
	return entry->tag >> 1 & 3;
}

static u16 domain_of(const struct iotlb_entry *entry)
{
	return (u16)((entry->tag >> 3 & (BIT(DOMAIN_LOW) - 1)) |
		     (entry->translated & DOMAIN_BITS) >> 2 << DOMAIN_LOW);
}

static struct iotlb_entry *set_of(const struct iotlb *tlb, u64 tag)
{
	/* Neighbouring pages go to neighbouring sets; domains and levels start elsewhere. */
	u64 page = tag >> level_shift[tag >> 1 & 3], other = (tag >> 1 & 0x7ff) * 0x9e3779b1u;

	return &tlb->entries[((page + (other >> 7)) & (tlb->sets - 1)) * IOTLB_WAYS];
}

int iotlb_init(struct iotlb *tlb, struct iotlb_entry *entries, u32 count)
{
	if (count < IOTLB_WAYS || count & (count - 1))
		return -EINVAL;
	*tlb = (struct iotlb){ .entries = entries, .sets = count / IOTLB_WAYS };
	memset(entries, 0, count * sizeof(*entries));
	return 0;
}

static struct iotlb_entry *find(const struct iotlb *tlb, u16 domain, u64 iova, unsigned level)
{
	u64 tag = tag_of(domain, iova, level), high = domain_high(domain);
	struct iotlb_entry *entry = set_of(tlb, tag);

	for (unsigned way = 0; way < IOTLB_WAYS; way++, entry++) {
		if (entry->tag == tag && (entry->translated & DOMAIN_BITS) == high)
			return entry;
	}
	return NULL;
}

bool iotlb_lookup(struct iotlb *tlb, u16 domain, u64 iova, struct iommu_entry *result)
{
	for (unsigned level = 0; level < LEVELS; level++) {
		const struct iotlb_entry *entry = tlb->live[level] ? find(tlb, domain, iova, level) : NULL;

		if (!entry)
			continue;
		tlb->hits++;
		*result = (struct iommu_entry){
			.iova = iova,
			.translated = entry->translated & ~PAGE_MASK,
			.mask = BIT(level_shift[level]) - 1,
			.perm = entry->translated & MEM_READ_WRITE,
		};
		return true;
	}
	tlb->misses++;
	return false;
}

static void drop(struct iotlb *tlb, struct iotlb_entry *entry)
{
	tlb->live[level_of(entry)]--;
	entry->tag = 0;
}

void iotlb_insert(struct iotlb *tlb, u16 domain, const struct iommu_entry *new)
{
	if (!(new->perm &MEM_READ_WRITE) || new->mask < PAGE_MASK)
		return;
	/* One answer for an address: smaller or larger pages from before give way. */
	for (unsigned level = 0; level < LEVELS; level++) {
		struct iotlb_entry *entry = tlb->live[level] ? find(tlb, domain, new->iova, level) : NULL;

		if (entry)
			drop(tlb, entry);
	}
	iotlb_add(tlb, domain, new);
}

void iotlb_add(struct iotlb *tlb, u16 domain, const struct iommu_entry *new)
{
	unsigned level = LEVELS - 1;
	struct iotlb_entry *entry = NULL, *set;
	u64 tag, mask;

	while (new->mask < BIT(level_shift[level]) - 1)
		level--;
	tag = tag_of(domain, new->iova, level);
	set = set_of(tlb, tag);
	for (unsigned way = 0; way < IOTLB_WAYS && !entry; way++) {
		if (!set[way].tag)
			entry = &set[way];
	}
	if (!entry) {
		entry = &set[tlb->clock++ % IOTLB_WAYS];
		drop(tlb, entry);
		tlb->evictions++;
	}
	mask = BIT(level_shift[level]) - 1;
	entry->tag = tag;
	/* A block cut down: the part of it that holds the address. */
	entry->translated = (((new->translated & ~new->mask) | (new->iova &new->mask)) & ~mask) |
			    domain_high(domain) | (new->perm &MEM_READ_WRITE);
	tlb->live[level]++;
}

/*
 * ---- invalidation
 * -------------------------------------------------------------------------------------------
 */

static struct iotlb_entry *end_of(const struct iotlb *tlb)
{
	return tlb->entries + (size_t)tlb->sets * IOTLB_WAYS;
}

void iotlb_invalidate_all(struct iotlb *tlb)
{
	memset(tlb->entries, 0, (size_t)tlb->sets * IOTLB_WAYS * sizeof(*tlb->entries));
	memset(tlb->live, 0, sizeof(tlb->live));
	tlb->invalidations++;
}

void iotlb_invalidate_domain(struct iotlb *tlb, u16 domain)
{
	for (struct iotlb_entry *entry = tlb->entries; entry < end_of(tlb); entry++) {
		if (entry->tag && domain_of(entry) == domain)
			drop(tlb, entry);
	}
	tlb->invalidations++;
}

static bool touches(const struct iotlb_entry *entry, u64 first, u64 last)
{
	u64 start = ALIGN_DOWN(entry->tag, PAGE_SIZE);

	return start <= last && (start | (BIT(level_shift[level_of(entry)]) - 1)) >= first;
}

void iotlb_invalidate_range(struct iotlb *tlb, u16 domain, u64 first, u64 last)
{
	u64 pages = (last >> PAGE_SHIFT) - (first >> PAGE_SHIFT);

	tlb->invalidations++;
	/* A few pages are looked up, unless large ones are about; else all entries are looked at. */
	if (pages < 8 && !tlb->live[1] && !tlb->live[2]) {
		for (u64 page = 0; page <= pages; page++) {
			struct iotlb_entry *entry = find(tlb, domain, first + (page << PAGE_SHIFT), 0);

			if (entry)
				drop(tlb, entry);
		}
		return;
	}
	for (struct iotlb_entry *entry = tlb->entries; entry < end_of(tlb); entry++) {
		if (entry->tag && domain_of(entry) == domain && touches(entry, first, last))
			drop(tlb, entry);
	}
}
