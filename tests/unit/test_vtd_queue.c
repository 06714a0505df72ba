// SPDX-License-Identifier: BSD-2-Clause
/* The VT-d unit's invalidation queue: what each descriptor does, what makes one bad, and mappings that must go. */
#include "tests/unit/vtd_rig.h"

#include "iommu/window.h"

#define PAGES 8

/* Pages 0..7 of the device lead to pages 0..7 of DATA, and are cached. */
static void start(struct vtd_rig *v)
{
	vtd_rig_init_translating(v);
	queue_on(v);
	set_context(v, OTHER, L4 | 1, (DOMAIN + 1) << 8 | 2);
	for (u64 page = 0; page < PAGES; page++) {
		map_page(v, page << 12, (DATA + (page << 12)) | 3);
		leads_to(&v->gate, page << 12, MEM_READ);
		leads_to(&v->other, page << 12, MEM_READ);
	}
	/* The driver changes all of them, and one that is read tells whether it was invalidated. */
	for (u64 page = 0; page < PAGES; page++)
		map_page(v, page << 12, (DATA + 0x8000 + (page << 12)) | 3);
}

static unsigned fresh(struct vtd_gate *gate)
{
	unsigned found = 0;

	for (u64 page = 0; page < PAGES; page++) {
		u64 address = leads_to(gate, page << 12, MEM_READ);

		if (address == DATA + 0x8000 + (page << 12))
			found |= 1u << page;
		else
			assert_int_equal(address, DATA + (page << 12));
	}
	return found;
}

static void iotlb_invalidations_reach_as_far_as_they_say(void **state)
{
	static const struct {
		u64 low, high;
		unsigned gate, other;
	} cases[] = {
		{ IOTLB_GLOBAL, 0, 0xff, 0xff },
		{ IOTLB_OF_DOMAIN(DOMAIN), 0, 0xff, 0 },
		{ IOTLB_OF_DOMAIN(DOMAIN + 1), 0, 0, 0xff },
		{ IOTLB_OF_DOMAIN(DOMAIN + 2), 0, 0, 0 },
		{ IOTLB_OF_PAGES(DOMAIN), 0x3000, 0x08, 0 },
		{ IOTLB_OF_PAGES(DOMAIN + 1), 0x3000, 0, 0x08 },
		{ IOTLB_OF_PAGES(DOMAIN), 0x3001, 0x0c, 0 },	  /* AM 1: 0x2000 and 0x3000 */
		{ IOTLB_OF_PAGES(DOMAIN), 0x6002, 0xf0, 0 },	  /* AM 2 */
		{ IOTLB_OF_PAGES(DOMAIN), 0x6042, 0xf0, 0 },	  /* IH */
		{ IOTLB_OF_PAGES(DOMAIN), 0x1fff012, 0xff, 0 },	  /* AM 18: 1 GiB */
		{ IOTLB_OF_PAGES(DOMAIN), 0x40000012, 0, 0 },	  /* the next one */
		{ IOTLB_OF_PAGES(DOMAIN), 0x800000003000, 0, 0 }, /* far away */
	};
	struct vtd_rig v;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		start(&v);
		submit(&v, cases[i].low, cases[i].high);
		assert_done(&v);
		assert_int_equal(read32(&v, R_FSTS), 0);
		assert_int_equal(fresh(&v.gate), cases[i].gate);
		assert_int_equal(fresh(&v.other), cases[i].other);
		vtd_rig_destroy(&v);
	}
}

static void a_large_page_goes_with_any_of_its_pages(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	put(&v, L2 + 8, 0x40000083);
	put(&v, L3 + 8, 0x80000083);
	assert_int_equal(leads_to(&v.gate, 0x200000, MEM_READ), 0x40000000);
	assert_int_equal(leads_to(&v.gate, 0x40000000, MEM_READ), 0x80000000);
	put(&v, L2 + 8, 0x40200083);
	put(&v, L3 + 8, 0xc0000083);
	submit(&v, IOTLB_OF_PAGES(DOMAIN), 0x3ff000);
	assert_int_equal(leads_to(&v.gate, 0x200000, MEM_READ), 0x40200000);
	assert_int_equal(leads_to(&v.gate, 0x40000000, MEM_READ), 0x80000000);
	submit(&v, IOTLB_OF_PAGES(DOMAIN), 0x7ffff000);
	assert_int_equal(leads_to(&v.gate, 0x40000000, MEM_READ), 0xc0000000);
	vtd_rig_destroy(&v);
}

#define CONTEXT_OF_DOMAIN(id)	       (0x21ull | (u64)(id) << 16)
#define CONTEXT_OF_DEVICE(id, sid, fm) (0x31ull | (u64)(id) << 16 | (u64)(sid) << 32 | (u64)(fm) << 48)

static void context_invalidations_reach_as_far_as_they_say(void **state)
{
	static const struct {
		u64 low;
		bool gate, other;
	} cases[] = {
		{ CONTEXT_GLOBAL, true, true },
		{ CONTEXT_OF_DOMAIN(DOMAIN), true, false },
		{ CONTEXT_OF_DOMAIN(DOMAIN + 1), false, true },
		{ CONTEXT_OF_DOMAIN(0), false, false },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN, 0), true, false },
		{ CONTEXT_OF_DEVICE(DOMAIN + 1, OTHER, 0), false, true },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN | 1, 0), false, false },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN | 4, 1), true, false },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN | 2, 1), false, false },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN | 6, 2), true, false },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN | 1, 2), false, false },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN | 7, 3), true, false },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN + 8, 3), false, true },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN | 0x100, 3), false, false },
	};
	struct vtd_rig v;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		start(&v);
		set_context(&v, DEVFN, L4 | 9, DOMAIN << 8 | 2);
		set_context(&v, OTHER, L4 | 9, DOMAIN << 8 | 2);
		submit(&v, cases[i].low, 0);
		assert_done(&v);
		assert_int_equal(leads_to(&v.gate, 0, MEM_READ), cases[i].gate ? 0 : DATA);
		assert_int_equal(leads_to(&v.other, 0, MEM_READ), cases[i].other ? 0 : DATA);
		vtd_rig_destroy(&v);
	}
}

static void a_context_changes_only_with_its_invalidation(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	set_context(&v, DEVFN, 0, 0);
	submit(&v, IOTLB_GLOBAL, 0);
	assert_int_equal(fresh(&v.gate), 0xff);
	submit(&v, CONTEXT_GLOBAL, 0);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 2);
	vtd_rig_destroy(&v);
}

static void waiting_writes_the_status_word_and_nothing_beside(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	put(&v, STATUS, ~0ull);
	put(&v, STATUS + 8, ~0ull);
	submit(&v, 0x89abcdefull << 32 | 0x25, STATUS + 4);
	assert_done(&v);
	assert_int_equal(get(&v, STATUS), 0x89abcdefffffffff);
	assert_int_equal(get(&v, STATUS + 8), ~0ull);
	/* Fence alone, nothing at all. */
	submit(&v, 0x45, 0);
	submit(&v, 0x05, 0);
	assert_done(&v);
	assert_int_equal(get(&v, 0), 0);
	assert_int_equal(v.unit.counters.waits, 3);
	vtd_rig_destroy(&v);
}

static void waiting_interrupts_once_until_it_is_acknowledged(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	write32(&v, R_IEDATA, 0x44);
	write32(&v, R_IEADDR, 0xfee03000);
	write32(&v, R_IEUADDR, 0x500);
	write32(&v, R_IECTL, 0);
	submit(&v, 7ull << 32 | 0x35, STATUS);
	assert_int_equal((u32)get(&v, STATUS), 7);
	assert_int_equal(v.messages, 1);
	assert_int_equal(v.message[0].address, 0x500fee03000);
	assert_int_equal(v.message[0].data, 0x44);
	assert_int_equal(read32(&v, R_ICS), 1);
	submit(&v, 0x15, 0);
	assert_int_equal(v.messages, 1);
	write32(&v, R_ICS, 0);
	assert_int_equal(read32(&v, R_ICS), 1);
	write32(&v, R_ICS, 1);
	assert_int_equal(read32(&v, R_ICS), 0);
	submit(&v, 0x15, 0);
	assert_int_equal(v.messages, 2);
	/* Masked: pending, and sent when the mask goes. */
	write32(&v, R_ICS, 1);
	write32(&v, R_IECTL, 0x80000000);
	submit(&v, 0x15, 0);
	assert_int_equal(v.messages, 2);
	assert_int_equal(read32(&v, R_IECTL), 0xc0000000);
	write32(&v, R_IECTL, 0x80000000);
	assert_int_equal(v.messages, 2);
	write32(&v, R_IECTL, 0);
	assert_int_equal(v.messages, 3);
	assert_int_equal(read32(&v, R_IECTL), 0);
	/* Acknowledged before that: forgotten. */
	write32(&v, R_IECTL, 0x80000000);
	write32(&v, R_ICS, 1);
	submit(&v, 0x15, 0);
	write32(&v, R_ICS, 1);
	assert_int_equal(read32(&v, R_IECTL), 0x80000000);
	write32(&v, R_IECTL, 0);
	assert_int_equal(v.messages, 3);
	vtd_rig_destroy(&v);
}

static void interrupt_entry_invalidations_are_taken(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	submit(&v, 0x4, 0);
	submit(&v, 0x14 | 3ull << 32, 0);
	submit(&v, 0x14 | 0x1full << 27 | 0xffffull << 32, 0);
	assert_done(&v);
	assert_int_equal(read32(&v, R_FSTS), 0);
	assert_int_equal(v.unit.counters.interrupt_invalidations, 3);
	vtd_rig_destroy(&v);
}

/*
 * ---- bad descriptors
 * -----------------------------------------------------------------------------------------
 */

/* It stays at the head; what is behind it is not done until the driver has put something good there. */
static void assert_refused(struct vtd_rig *v, u64 low, u64 high)
{
	u32 head = read32(v, R_IQH);

	put(v, STATUS, 0);
	submit(v, low, high);
	if (read32(v, R_FSTS) != 0x10)
		fail_msg("descriptor 0x%llx 0x%llx was taken", (unsigned long long)low,
			 (unsigned long long)high);
	assert_int_equal(read32(v, R_IQH), head);
	submit(v, 2ull << 32 | 0x25, STATUS);
	assert_int_equal(read32(v, R_IQH), head);
	assert_int_equal(get(v, STATUS), 0);
	/* Linux: a wait descriptor instead, and on. */
	put(v, QUEUE + head, 1ull << 32 | 0x25);
	put(v, QUEUE + head + 8, STATUS + 8);
	write32(v, R_FSTS, 0x10);
	assert_int_equal(read32(v, R_FSTS), 0);
	assert_done(v);
	assert_int_equal(get(v, STATUS), 2);
}

static void every_reserved_bit_of_a_descriptor_is_refused(void **state)
{
	static const struct {
		u64 low, high, reserved, high_reserved;
	} descriptors[] = {
		{ CONTEXT_GLOBAL, 0, 0xfffc00000000ffc0, ~0ull },
		{ IOTLB_GLOBAL, 0, 0xffffffff0000ff00, 0xf80 },
		{ IOTLB_OF_PAGES(DOMAIN), 0, 0xffffffff0000ff00, 0xf80 },
		{ 0x4, 0, 0xffff000007ffffe0, ~0ull },
		{ 0x25, STATUS, 0xffffff80, 3 },
		{ 0x05, 0, 0xffffff80, 3 },
	};
	struct vtd_rig v;

	(void)state;
	start(&v);
	for (unsigned i = 0; i < ARRAY_SIZE(descriptors); i++) {
		for (unsigned bit = 0; bit < 64; bit++) {
			if (descriptors[i].reserved >> bit & 1)
				assert_refused(&v, descriptors[i].low | 1ull << bit, descriptors[i].high);
			if (descriptors[i].high_reserved >> bit & 1)
				assert_refused(&v, descriptors[i].low, descriptors[i].high | 1ull << bit);
		}
	}
	vtd_rig_destroy(&v);
}

static void types_and_granularities_that_are_none_are_refused(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	for (unsigned type = 0; type < 16; type++) {
		if (type != 1 && type != 2 && type != 4 && type != 5)
			assert_refused(&v, type, 0);
	}
	assert_refused(&v, 0x01, 0);
	assert_refused(&v, 0x02, 0);
	/* More pages than CAP.MAMV says; elsewhere the count is not looked at. */
	assert_refused(&v, IOTLB_OF_PAGES(DOMAIN), 19);
	assert_refused(&v, IOTLB_OF_PAGES(DOMAIN), 63);
	submit(&v, IOTLB_OF_DOMAIN(DOMAIN), 63);
	assert_done(&v);
	vtd_rig_destroy(&v);
}

static void a_status_word_that_is_not_in_ram_is_an_error(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	assert_refused(&v, 1ull << 32 | 0x25, DEVICE);
	assert_refused(&v, 1ull << 32 | 0x25, ROM);
	assert_refused(&v, 1ull << 32 | 0x25, VTD_PAGE + R_GCMD);
	assert_refused(&v, 1ull << 32 | 0x25, 0x7000000000);
	assert_refused(&v, 1ull << 32 | 0x25, ~3ull);
	assert_int_equal(v.probe.calls, 0);
	assert_int_equal(read32(&v, R_GSTS) & QIE, QIE);
	vtd_rig_destroy(&v);
}

static void an_error_raises_the_fault_event(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	write32(&v, R_FEDATA, 0x21);
	write32(&v, R_FEADDR, 0xfee01000);
	write32(&v, R_FECTL, 0);
	submit(&v, 0xf, 0);
	assert_int_equal(v.messages, 1);
	assert_int_equal(v.message[0].data, 0x21);
	/* A fault beside it is no second message, nor is the error when cleared and met again at once. */
	assert_int_equal(as_write(&v.dma, 0x10000, "x", 1), MEM_ACCESS_ERROR);
	assert_int_equal(read32(&v, R_FSTS), 0x12);
	assert_int_equal(v.messages, 1);
	write32(&v, R_FSTS, 0x10);
	assert_int_equal(read32(&v, R_FSTS), 0x12);
	assert_int_equal(v.messages, 1);
	write32(&v, R_FRCD + 12, 0x80000000);
	write32(&v, R_FSTS, 0x10);
	assert_int_equal(read32(&v, R_FSTS), 0x10);
	assert_int_equal(v.messages, 2);
	vtd_rig_destroy(&v);
}

/*
 * ---- the ring
 * ------------------------------------------------------------------------------------------------
 */

static void the_queue_wraps_at_its_size(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	for (unsigned i = 0; i < 1000; i++) {
		submit(&v, (u64)(i + 1) << 32 | 0x25, STATUS);
		assert_done(&v);
		assert_int_equal(get(&v, STATUS), i + 1);
	}
	/* All of it but one at once, over the end. */
	for (unsigned n = 0; n < 256; n++) {
		put(&v, QUEUE + n * 16, 0x25 | (u64)n << 32);
		put(&v, QUEUE + n * 16 + 8, 0x20000 + n * 4);
	}
	write32(&v, R_IQT, (read32(&v, R_IQH) - 16) & 0xfff);
	assert_done(&v);
	assert_int_equal(v.unit.counters.waits, 1255);
	vtd_rig_destroy(&v);
}

static void a_queue_of_the_largest_size_is_done_in_one_go(void **state)
{
	struct vtd_rig v;
	u64 queue = 0x80000;

	(void)state;
	vtd_rig_init_translating(&v);
	for (unsigned n = 0; n < 32768; n++)
		put(&v, queue + n * 16, n % 2 ? IOTLB_GLOBAL : 0x25 | (u64)n << 32);
	for (unsigned n = 0; n < 32768; n += 2)
		put(&v, queue + n * 16 + 8, STATUS);
	write64(&v, R_IQA, queue | 7);
	write32(&v, R_GCMD, TE | QIE);
	write32(&v, R_IQT, 0x7fff0);
	assert_int_equal(read32(&v, R_IQH), 0x7fff0);
	assert_int_equal(get(&v, STATUS), 32766);
	assert_int_equal(v.unit.counters.waits, 16384);
	/* And the last one. */
	write32(&v, R_IQT, ~0u & 0);
	assert_int_equal(read32(&v, R_IQH), 0);
	vtd_rig_destroy(&v);
}

static void a_tail_beyond_the_end_is_an_error(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	write32(&v, R_IQT, 0x1000);
	assert_int_equal(read32(&v, R_FSTS), 0x10);
	assert_int_equal(read32(&v, R_IQH), 0);
	/* It is still there when the error is cleared. */
	write32(&v, R_FSTS, 0x10);
	assert_int_equal(read32(&v, R_FSTS), 0x10);
	write32(&v, R_IQT, 0);
	write32(&v, R_FSTS, 0x10);
	assert_int_equal(read32(&v, R_FSTS), 0);
	submit(&v, 1ull << 32 | 0x25, STATUS);
	assert_int_equal(get(&v, STATUS), 1);
	/* Other bits of it are not there. */
	write32(&v, R_IQT, 0xfff8001f);
	assert_int_equal(read32(&v, R_IQT), 0x10);
	vtd_rig_destroy(&v);
}

static void a_queue_that_is_not_in_ram_is_an_error(void **state)
{
	static const u64 nowhere[] = { DEVICE, 0x7000000000, VTD_PAGE, ~0xfffull };
	struct vtd_rig v;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(nowhere); i++) {
		vtd_rig_init(&v);
		write64(&v, R_IQA, nowhere[i]);
		write32(&v, R_GCMD, QIE);
		assert_int_equal(read32(&v, R_GSTS), QIE);
		write32(&v, R_IQT, 16);
		assert_int_equal(read32(&v, R_FSTS), 0x10);
		assert_int_equal(read32(&v, R_IQH), 0);
		assert_int_equal(v.probe.calls, 0);
		vtd_rig_destroy(&v);
	}
}

/* Memory ends in the middle of a descriptor. */
static void half_a_descriptor_is_none(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	region_remove(&v.ram);
	region_init_ram(&v.ram, "ram", RAM_END - 8, v.memory);
	assert_int_equal(region_add(&v.rig.root, 0, &v.ram, 0), 0);
	for (u64 at = RAM_END - PAGE_SIZE; at < RAM_END; at += 16)
		put(&v, at, 0x05);
	write64(&v, R_IQA, RAM_END - PAGE_SIZE);
	write32(&v, R_GCMD, QIE);
	write32(&v, R_IQT, 0xff0);
	assert_done(&v);
	write32(&v, R_IQT, 0);
	assert_int_equal(read32(&v, R_FSTS), 0x10);
	assert_int_equal(read32(&v, R_IQH), 0xff0);
	vtd_rig_destroy(&v);
}

static void the_head_starts_anew_with_the_queue(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	submit(&v, 0x05, 0);
	submit(&v, 0x05, 0);
	assert_int_equal(read32(&v, R_IQH), 32);
	/* The base stays where it is while the queue is on. */
	write64(&v, R_IQA, 0x40000);
	assert_int_equal(read64(&v, R_IQA), QUEUE);
	write32(&v, R_GCMD, TE);
	assert_int_equal(read32(&v, R_IQH), 0);
	/* Off: nothing is fetched. */
	write32(&v, R_IQT, 48);
	assert_int_equal(read32(&v, R_IQH), 0);
	write64(&v, R_IQA, 0x40000);
	put(&v, 0x40000, 5ull << 32 | 0x25);
	put(&v, 0x40008, STATUS);
	write32(&v, R_IQT, 0);
	write32(&v, R_GCMD, TE | QIE);
	assert_int_equal(get(&v, STATUS), 0);
	write32(&v, R_IQT, 16);
	assert_int_equal(get(&v, STATUS), 5);
	vtd_rig_destroy(&v);
}

/*
 * ---- draining
 * -----------------------------------------------------------------------------------------------
 */

struct holder {
	struct map_client client;
	struct mem_mapping mapping[3];
	unsigned revoked;
};

static void count_revoked(void *device, struct mem_mapping *mapping)
{
	struct holder *holder = device;

	assert_false(mem_map_valid(mapping));
	holder->revoked++;
}

static void hold(struct vtd_rig *v, struct holder *holder)
{
	memset(holder, 0, sizeof(*holder));
	map_client_init(&holder->client, "holder", NULL, 0, NULL, 0, NULL, count_revoked, holder);
	assert_int_equal(as_map(&v->dma, &holder->client, 0x1000, 0x1000, MEM_WRITE, &holder->mapping[0]),
			 MEM_OK);
	assert_int_equal(as_map(&v->dma, &holder->client, 0x4800, 0x800, MEM_READ, &holder->mapping[1]),
			 MEM_OK);
	assert_int_equal(as_map(&v->other_dma, &holder->client, 0x1000, 0x10, MEM_WRITE, &holder->mapping[2]),
			 MEM_OK);
}

/* Which mappings are still good; lets go of all. */
static unsigned let_go(struct holder *holder)
{
	unsigned good = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(holder->mapping); i++) {
		good |= mem_map_valid(&holder->mapping[i]) << i;
		as_unmap(&holder->mapping[i], 0);
	}
	return good;
}

static void mappings_are_revoked_before_the_command_is_complete(void **state)
{
	static const struct {
		u64 low, high;
		unsigned good;
	} cases[] = {
		{ IOTLB_GLOBAL, 0, 0 },
		{ IOTLB_OF_DOMAIN(DOMAIN), 0, 4 },
		{ IOTLB_OF_DOMAIN(DOMAIN + 1), 0, 3 },
		{ IOTLB_OF_PAGES(DOMAIN), 0x1000, 6 },
		{ IOTLB_OF_PAGES(DOMAIN), 0x4000, 5 },
		{ IOTLB_OF_PAGES(DOMAIN), 0x5000, 7 },
		{ IOTLB_OF_PAGES(DOMAIN), 0x0003, 4 },
		{ IOTLB_OF_PAGES(DOMAIN + 1), 0x1000, 3 },
		{ CONTEXT_GLOBAL, 0, 0 },
		{ CONTEXT_OF_DEVICE(DOMAIN, DEVFN, 0), 0, 4 },
		{ CONTEXT_OF_DOMAIN(DOMAIN + 1), 0, 3 },
		{ 0x4, 0, 7 },
		{ 0x25, STATUS, 7 },
	};
	struct holder holder;
	struct vtd_rig v;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		start(&v);
		submit(&v, IOTLB_GLOBAL, 0);
		hold(&v, &holder);
		submit(&v, cases[i].low, cases[i].high);
		assert_int_equal(holder.revoked, 3 - __builtin_popcount(cases[i].good));
		assert_int_equal(let_go(&holder), cases[i].good);
		vtd_rig_destroy(&v);
	}
}

static void mappings_do_not_outlive_a_change_of_root_or_mode(void **state)
{
	struct holder holder;
	struct vtd_rig v;

	(void)state;
	start(&v);
	hold(&v, &holder);
	/* Nothing changes, or nothing that concerns them. */
	write32(&v, R_GCMD, QIE | TE);
	write32(&v, R_GCMD, QIE | TE | IRE | SIRTP);
	assert_int_equal(let_go(&holder), 7);
	hold(&v, &holder);
	write32(&v, R_GCMD, QIE | TE | SRTP);
	assert_int_equal(let_go(&holder), 0);
	hold(&v, &holder);
	write32(&v, R_GCMD, QIE);
	assert_int_equal(let_go(&holder), 0);
	hold(&v, &holder);
	assert_ptr_equal(holder.mapping[0].host, v.memory + 0x1000);
	write32(&v, R_GCMD, QIE | TE);
	assert_int_equal(let_go(&holder), 0);
	hold(&v, &holder);
	vtd_reset(&v.unit);
	assert_int_equal(let_go(&holder), 0);
	vtd_rig_destroy(&v);
}

static void a_mapping_in_a_large_page_goes_with_any_of_its_pages(void **state)
{
	struct map_client client;
	struct mem_mapping mapping;
	struct vtd_rig v;

	(void)state;
	start(&v);
	put(&v, L2 + 8, 0x83);
	map_client_init(&client, "holder", NULL, 0, NULL, 0, NULL, NULL, NULL);
	assert_int_equal(as_map(&v.dma, &client, 0x200000 + DATA, 0x100, MEM_READ, &mapping), MEM_OK);
	submit(&v, IOTLB_OF_PAGES(DOMAIN), 0x400000);
	assert_true(mem_map_valid(&mapping));
	submit(&v, IOTLB_OF_PAGES(DOMAIN), 0x200000);
	assert_false(mem_map_valid(&mapping));
	as_unmap(&mapping, 0);
	/* Found in the IOTLB by another gate of the domain. */
	submit(&v, CONTEXT_GLOBAL, 0);
	assert_int_equal(leads_to(&v.gate, 0x200000, MEM_READ), 0);
	set_context(&v, OTHER, L4 | 1, DOMAIN << 8 | 2);
	assert_int_equal(as_map(&v.other_dma, &client, 0x200000 + DATA, 0x100, MEM_READ, &mapping), MEM_OK);
	submit(&v, IOTLB_OF_PAGES(DOMAIN), 0x200000);
	assert_false(mem_map_valid(&mapping));
	as_unmap(&mapping, 0);
	vtd_rig_destroy(&v);
}

static void what_is_unmapped_is_out_of_reach_after_the_invalidation(void **state)
{
	struct vtd_rig v;

	(void)state;
	start(&v);
	assert_int_equal(as_write(&v.dma, 0x2000, "before", 6), MEM_OK);
	map_page(&v, 0x2000, 0);
	submit(&v, IOTLB_OF_PAGES(DOMAIN), 0x2000);
	assert_int_equal(as_write(&v.dma, 0x2000, "behind", 6), MEM_ACCESS_ERROR);
	assert_int_equal(as_write(&v.dma, 0x1ffe, "edge", 4), MEM_ACCESS_ERROR);
	assert_memory_equal(v.memory + DATA + 0x2000, "before", 6);
	assert_memory_equal(v.memory + DATA + 0x1ffe, "edbe", 4);
	vtd_rig_destroy(&v);
}

/*
 * ---- two gates in a chain
 * ----------------------------------------------------------------------------------
 */

static void the_window_behind_the_gate_has_the_last_word(void **state)
{
	static const struct dma_row rows[] = { DMA_ROW("data", DATA, 0x8000, DATA, MEM_READ_WRITE) };
	static const struct dma_table table = {
		.device = "edu", .requester = DEVFN, .rows = rows, .count = ARRAY_SIZE(rows)
	};
	struct address_space windowed, dma;
	struct dma_window window;
	struct vtd_gate gate;
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	dma_window_init(&window, "window", &table, &v.behind, &v.log);
	assert_int_equal(as_init(&windowed, &v.rig.core, "windowed", &window.iommu.region, UNCLAIMED_ONES),
			 0);
	vtd_gate_init(&v.unit, &gate, "edu", DEVFN, &windowed);
	assert_int_equal(as_init(&dma, &v.rig.core, "dma", &gate.iommu.region, UNCLAIMED_ONES), 0);
	map_page(&v, 0x1000, (DATA + 0x7000) | 3);
	map_page(&v, 0x2000, L1 | 3); /* its own tables: the guest's driver may, the board does not */
	assert_int_equal(as_write(&dma, 0x1ffc, "01234567", 8), MEM_ACCESS_ERROR);
	assert_memory_equal(v.memory + DATA + 0x7ffc, "0123", 4);
	assert_int_equal(get(&v, L1) & ~0u, 0);
	assert_string_equal(host_log_last(),
			    "DMA write denied: edu 00:04.0 iova 0x6000-0x6003: outside the window 'data'");
	assert_int_equal(read32(&v, R_FSTS), 0);
	/* And the unit before it. */
	assert_int_equal(as_write(&dma, 0x3000, "x", 1), MEM_ACCESS_ERROR);
	assert_string_equal(
		host_log_last(),
		"DMA write denied: edu 00:04.0 iova 0x3000-0x3000: fault reason 0x5, no write permission");
	assert_int_equal(read32(&v, R_FSTS), 2);
	/* Without translation the window is what there is. */
	write32(&v, R_GCMD, 0);
	assert_int_equal(as_write(&dma, DATA, "x", 1), MEM_OK);
	assert_int_equal(as_write(&dma, 0, "x", 1), MEM_ACCESS_ERROR);
	assert_int_equal(as_write(&dma, 0xfee00000, "xxxx", 4), MEM_ACCESS_ERROR);
	as_destroy(&dma);
	as_destroy(&windowed);
	vtd_rig_destroy(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iotlb_invalidations_reach_as_far_as_they_say),
		cmocka_unit_test(a_large_page_goes_with_any_of_its_pages),
		cmocka_unit_test(context_invalidations_reach_as_far_as_they_say),
		cmocka_unit_test(a_context_changes_only_with_its_invalidation),
		cmocka_unit_test(waiting_writes_the_status_word_and_nothing_beside),
		cmocka_unit_test(waiting_interrupts_once_until_it_is_acknowledged),
		cmocka_unit_test(interrupt_entry_invalidations_are_taken),
		cmocka_unit_test(every_reserved_bit_of_a_descriptor_is_refused),
		cmocka_unit_test(types_and_granularities_that_are_none_are_refused),
		cmocka_unit_test(a_status_word_that_is_not_in_ram_is_an_error),
		cmocka_unit_test(an_error_raises_the_fault_event),
		cmocka_unit_test(the_queue_wraps_at_its_size),
		cmocka_unit_test(a_queue_of_the_largest_size_is_done_in_one_go),
		cmocka_unit_test(a_tail_beyond_the_end_is_an_error),
		cmocka_unit_test(a_queue_that_is_not_in_ram_is_an_error),
		cmocka_unit_test(half_a_descriptor_is_none),
		cmocka_unit_test(the_head_starts_anew_with_the_queue),
		cmocka_unit_test(mappings_are_revoked_before_the_command_is_complete),
		cmocka_unit_test(mappings_do_not_outlive_a_change_of_root_or_mode),
		cmocka_unit_test(a_mapping_in_a_large_page_goes_with_any_of_its_pages),
		cmocka_unit_test(what_is_unmapped_is_out_of_reach_after_the_invalidation),
		cmocka_unit_test(the_window_behind_the_gate_has_the_last_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
