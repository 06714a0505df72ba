// SPDX-License-Identifier: BSD-2-Clause
/* Translation by the naive unit, and what may be cached of it. */
#include "tests/unit/naive_vtd.h"

/* Bits of an address that the host does not have. */
static u64 beyond_host(const struct naive_vtd *vtd, unsigned top)
{
	return vtd->host_width > top ? 0 : BITS(top, vtd->host_width);
}

/*
 * ---- root and context (9.1, 9.3)
 * ----------------------------------------------------------------------------
 */

struct context {
	u64 low, high;
};

static bool context_silent(const struct context *context)
{
	return context->low & BIT(1);
}

static u16 context_domain(const struct context *context)
{
	return (u16)naive_vtd_field(context->high, 23, 8);
}

static unsigned context_type(const struct context *context)
{
	return (unsigned)naive_vtd_field(context->low, 3, 2);
}

/* 0: there is an entry, in order and present. */
static unsigned fetch_context(const struct naive_vtd *vtd, u16 requester, struct context *context)
{
	u8 entry[16];
	u64 sagaw = naive_vtd_field(vtd->cap, 12, 8), aw;
	u64 low;

	memset(context, 0, sizeof(*context));
	if (!(vtd->gsts & NAIVE_RTPS) ||
	    !naive_vtd_load(vtd, (vtd->root & ~PAGE_MASK) + (u64)(requester >> 8) * 16, entry, 16))
		return 0x8;
	low = naive_vtd_quad(entry);
	if (!(low & 1))
		return 0x1;
	if (low & (BITS(11, 1) | beyond_host(vtd, 63)) || naive_vtd_quad(entry + 8))
		return 0xa;
	if (!naive_vtd_load(vtd, (low & ~PAGE_MASK) + (u64)(requester & 0xff) * 16, entry, 16))
		return 0x9;
	context->low = naive_vtd_quad(entry);
	context->high = naive_vtd_quad(entry + 8);
	if (!(context->low & 1))
		return 0x2;
	if (context->low & (BITS(11, 4) | beyond_host(vtd, 63)) || context->high & (BIT(7) | BITS(63, 24)))
		return 0xb;
	aw = naive_vtd_field(context->high, 2, 0);
	if (aw > 4 || !(sagaw & BIT(aw)))
		return 0x3;
	if (context_type(context) == 2) /* pass-through: where offered, with the largest width */
		return vtd->ecap & BIT(6) && !(sagaw >> (aw + 1)) ? 0 : 0x3;
	return context_type(context) == 0 ? 0 : 0x3;
}

/*
 * ---- second-level tables (9.8)
 * ------------------------------------------------------------------------------
 */

static unsigned denied(enum mem_access access)
{
	return access & MEM_WRITE ? 0x5 : 0x6;
}

static bool in_interrupt_range(u64 address)
{
	return address >> 20 == 0xfee;
}

static unsigned context_width(const struct naive_vtd *vtd, const struct context *context)
{
	unsigned width = 30 + 9 * (unsigned)naive_vtd_field(context->high, 2, 0);

	return MIN(width, (unsigned)naive_vtd_field(vtd->cap, 21, 16) + 1);
}

/* Reason 0: *found, with what is permitted on the way there. `access` decides between reasons alone. */
static unsigned walk(const struct naive_vtd *vtd, const struct context *context, u64 iova,
		     enum mem_access access, struct naive_vtd_translation *found)
{
	unsigned levels = 2 + (unsigned)naive_vtd_field(context->high, 2, 0), level;
	u64 table = context->low & ~PAGE_MASK;

	*found = (struct naive_vtd_translation){ .domain = context_domain(context),
						 .permission = MEM_READ_WRITE };
	if (iova >> context_width(vtd, context))
		return 0x4;
	if (context_type(context) == 2) {
		found->iova = found->address = iova & ~PAGE_MASK;
		found->mask = PAGE_MASK;
		return 0;
	}
	for (level = levels; level; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		u64 index = iova >> shift & 0x1ff, entry, reserved = BIT(11) | BIT(62) | beyond_host(vtd, 51);
		u8 bytes[8];
		bool large;

		if (!naive_vtd_load(vtd, table + index * 8, bytes, 8))
			return level == levels ? 0x3 : 0x7;
		entry = naive_vtd_quad(bytes);
		found->permission &= (u32)(entry & MEM_READ_WRITE);
		if (!(entry & MEM_READ_WRITE))
			return denied(access);
		large = level > 1 && entry & BIT(7);
		if (large && (level > 3 || !(naive_vtd_field(vtd->cap, 37, 34) & BIT(level - 2))))
			return 0xc;
		if (large)
			reserved |= BITS(shift - 1, 12);
		if (entry & reserved)
			return 0xc;
		if (level == 1 || large) {
			found->mask = BIT(shift) - 1;
			found->iova = iova & ~found->mask;
			found->address = entry & BITS(51, 12);
			break;
		}
		table = entry & BITS(51, 12);
	}
	return 0;
}

u64 naive_vtd_context(const struct naive_vtd *vtd, u16 requester)
{
	u8 entry[16];

	if (!naive_vtd_load(vtd, (vtd->root & ~PAGE_MASK) + (u64)(requester >> 8) * 16, entry, 16) ||
	    !(entry[0] & 1))
		return 0;
	return (naive_vtd_quad(entry) & ~PAGE_MASK) + (u64)(requester & 0xff) * 16;
}

u64 naive_vtd_entry(const struct naive_vtd *vtd, u16 requester, u64 iova, unsigned level, u16 *domain)
{
	struct context context;
	unsigned at;
	u64 address;
	u8 bytes[8];

	if (!(vtd->gsts & NAIVE_TES) || fetch_context(vtd, requester, &context) ||
	    context_type(&context) == 2)
		return 0;
	*domain = context_domain(&context);
	at = 2 + (unsigned)naive_vtd_field(context.high, 2, 0);
	address = (context.low & ~PAGE_MASK) + (iova >> (12 + 9 * (at - 1)) & 0x1ff) * 8;
	for (; at > level; at--) {
		if (!naive_vtd_load(vtd, address, bytes, 8) || !(bytes[0] & MEM_READ_WRITE) ||
		    bytes[0] & BIT(7))
			return 0;
		address = (naive_vtd_quad(bytes) & BITS(51, 12)) + (iova >> (12 + 9 * (at - 2)) & 0x1ff) * 8;
	}
	return at == level ? address : 0;
}

static struct naive_vtd_answer answer_of(const struct naive_vtd_translation *found, u64 iova,
					 enum mem_access access, bool silent)
{
	struct naive_vtd_answer answer = { .address = found->address + (iova - found->iova),
					   .silent = silent };

	if ((found->permission & access) != access)
		answer.reason = denied(access);
	else if (in_interrupt_range(answer.address))
		answer.reason = 0xe;
	if (answer.reason)
		answer.address = 0;
	else
		answer.silent = false;
	return answer;
}

static unsigned add_answer(struct naive_vtd_answer *answers, unsigned count, struct naive_vtd_answer answer)
{
	unsigned i;

	for (i = 0; i < count; i++) {
		if (answers[i].address == answer.address && answers[i].reason == answer.reason &&
		    answers[i].silent == answer.silent)
			return count;
	}
	if (count < NAIVE_VTD_ANSWERS)
		answers[count++] = answer;
	return count;
}

/* With one context entry: as the tables are, and as they may be remembered. */
static unsigned translate_by(const struct naive_vtd *vtd, const struct context *context, u64 iova,
			     enum mem_access access, struct naive_vtd_answer *answers, unsigned count)
{
	bool silent = context_silent(context);
	struct naive_vtd_translation found;
	unsigned reason = walk(vtd, context, iova, access, &found), i;

	count = add_answer(answers, count,
			   reason ? (struct naive_vtd_answer){ .reason = reason, .silent = silent }
				  : answer_of(&found, iova, access, silent));
	for (i = 0; i < vtd->translations; i++) {
		const struct naive_vtd_translation *kept = &vtd->translation[i];

		if (kept->domain == context_domain(context) && iova - kept->iova <= kept->mask)
			count = add_answer(answers, count, answer_of(kept, iova, access, silent));
	}
	return count;
}

unsigned naive_vtd_translate(const struct naive_vtd *vtd, u16 requester, u64 iova, enum mem_access access,
			     struct naive_vtd_answer answers[NAIVE_VTD_ANSWERS])
{
	struct context context;
	unsigned reason, count = 0, i;

	if (!(vtd->gsts & NAIVE_TES) || in_interrupt_range(iova)) {
		answers[0] = (struct naive_vtd_answer){ .address = iova };
		return 1;
	}
	reason = fetch_context(vtd, requester, &context);
	/* Whether an entry with reserved bits is asked for FPD is told differently. */
	if (reason == 0xb)
		count = add_answer(answers, count, (struct naive_vtd_answer){ .reason = reason });
	if (reason)
		count = add_answer(
			answers, count,
			(struct naive_vtd_answer){ .reason = reason, .silent = context_silent(&context) });
	else
		count = translate_by(vtd, &context, iova, access, answers, count);
	for (i = 0; i < vtd->contexts; i++) {
		context = (struct context){ vtd->context[i].low, vtd->context[i].high };
		if (vtd->context[i].requester == requester)
			count = translate_by(vtd, &context, iova, access, answers, count);
	}
	return count;
}

/*
 * ---- what may be cached
 * -------------------------------------------------------------------------------------
 */

static bool keep_context(struct naive_vtd *vtd, u16 requester, const struct context *context)
{
	unsigned i;

	for (i = 0; i < vtd->contexts; i++) {
		if (vtd->context[i].requester == requester && vtd->context[i].low == context->low &&
		    vtd->context[i].high == context->high)
			return true;
	}
	if (vtd->contexts == NAIVE_VTD_KEPT)
		return false;
	vtd->context[vtd->contexts++] = (struct naive_vtd_context){ requester, context->low, context->high };
	return true;
}

static bool keep_translation(struct naive_vtd *vtd, const struct naive_vtd_translation *found)
{
	unsigned i;

	for (i = 0; i < vtd->translations; i++) {
		if (!memcmp(&vtd->translation[i], found, sizeof(*found)))
			return true;
	}
	if (vtd->translations == NAIVE_VTD_KEPT)
		return false;
	memcpy(&vtd->translation[vtd->translations++], found, sizeof(*found));
	return true;
}

static bool keep_walk(struct naive_vtd *vtd, const struct context *context, u64 iova)
{
	struct naive_vtd_translation found, clean;

	if (walk(vtd, context, iova, MEM_NONE, &found) || !found.permission)
		return true;
	/* Nothing but interrupts there: in error. */
	if (in_interrupt_range(found.address) && found.mask < MiB)
		return true;
	memset(&clean, 0, sizeof(clean)); /* padding too: it is compared */
	clean.domain = found.domain;
	clean.iova = found.iova;
	clean.mask = found.mask;
	clean.address = found.address;
	clean.permission = found.permission;
	return keep_translation(vtd, &clean);
}

bool naive_vtd_used(struct naive_vtd *vtd, u16 requester, u64 iova)
{
	struct context context;
	bool room = true;
	unsigned i;

	if (!(vtd->gsts & NAIVE_TES) || in_interrupt_range(iova))
		return true;
	if (!fetch_context(vtd, requester, &context))
		room = keep_context(vtd, requester, &context);
	for (i = 0; i < vtd->contexts; i++) {
		context = (struct context){ vtd->context[i].low, vtd->context[i].high };
		if (vtd->context[i].requester == requester)
			room &= keep_walk(vtd, &context, iova);
	}
	return room;
}

void naive_vtd_forget_contexts(struct naive_vtd *vtd, unsigned granularity, u16 domain, u16 requester,
			       unsigned function_mask)
{
	static const u16 ignored[] = { 0, 4, 6, 7 };
	unsigned i, left = 0;

	for (i = 0; i < vtd->contexts; i++) {
		const struct naive_vtd_context *kept = &vtd->context[i];
		bool same_domain = naive_vtd_field(kept->high, 23, 8) == domain;
		bool same_device = !((kept->requester ^ requester) & ~ignored[function_mask]);

		if (granularity == 1 || (granularity == 2 && same_domain) ||
		    (granularity == 3 && same_domain && same_device))
			continue;
		vtd->context[left++] = *kept;
	}
	vtd->contexts = left;
}

void naive_vtd_forget_translations(struct naive_vtd *vtd, unsigned granularity, u16 domain, u64 address,
				   unsigned order)
{
	u64 mask = granularity == 3 ? BIT(order + 12) - 1 : ~0ull, first = address & ~mask,
	    last = address | mask;
	unsigned i, left = 0;

	for (i = 0; i < vtd->translations; i++) {
		const struct naive_vtd_translation *kept = &vtd->translation[i];
		bool touched = kept->iova <= last && (kept->iova | kept->mask) >= first;

		if (granularity == 1 || (kept->domain == domain && (granularity == 2 || touched)))
			continue;
		vtd->translation[left++] = *kept;
	}
	vtd->translations = left;
	/* Without translation nothing was derived from a domain. */
	for (i = 0; i < NAIVE_VTD_MAPPINGS && vtd->gsts & NAIVE_TES; i++) {
		struct naive_vtd_mapping *mapping = &vtd->mapping[i];
		bool touched = mapping->first <= last && mapping->last >= first;

		mapping->gone |= granularity == 1 || (!mapping->vague && mapping->domain == domain &&
						      (granularity == 2 || touched));
	}
}

/* Is an entry remembered that leads to the same place in another domain, or by a page of another size? */
static bool is_vague(const struct naive_vtd *vtd, u16 requester, const struct context *context,
		     const struct naive_vtd_translation *page)
{
	unsigned i;

	for (i = 0; i < vtd->contexts; i++) {
		if (vtd->context[i].requester == requester &&
		    naive_vtd_field(vtd->context[i].high, 23, 8) != context_domain(context))
			return true;
	}
	for (i = 0; i < vtd->translations; i++) {
		const struct naive_vtd_translation *kept = &vtd->translation[i];

		if (kept->domain == context_domain(context) && page->iova - kept->iova <= kept->mask &&
		    kept->mask != page->mask)
			return true;
	}
	return false;
}

bool naive_vtd_mapped(struct naive_vtd *vtd, unsigned slot, u16 requester, u64 first, u64 last)
{
	struct naive_vtd_translation start = { .iova = first }, end = start;
	struct context context = { 0 };

	if (vtd->gsts & NAIVE_TES && !in_interrupt_range(first)) {
		if (fetch_context(vtd, requester, &context) || walk(vtd, &context, first, MEM_NONE, &start) ||
		    walk(vtd, &context, last, MEM_NONE, &end))
			return false;
		first = start.iova;
		last = end.iova | end.mask;
	}
	vtd->mapping[slot] =
		(struct naive_vtd_mapping){ .live = true,
					    .vague = is_vague(vtd, requester, &context, &start) ||
						     is_vague(vtd, requester, &context, &end),
					    .domain = context_domain(&context),
					    .first = first,
					    .last = last };
	return true;
}

void naive_vtd_forget_mappings(struct naive_vtd *vtd)
{
	unsigned i;

	for (i = 0; i < NAIVE_VTD_MAPPINGS; i++)
		vtd->mapping[i].gone = true;
}

void naive_vtd_fault(struct naive_vtd *vtd, u16 requester, u64 iova, enum mem_access access,
		     const struct naive_vtd_answer *answer)
{
	if (answer->reason && !answer->silent)
		naive_vtd_record(vtd, iova & ~PAGE_MASK, requester, answer->reason, !(access & MEM_WRITE));
}
