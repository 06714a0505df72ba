// SPDX-License-Identifier: BSD-2-Clause
/* IOMMU regions, static windows, the IOTLB and the fault log. */
#include "tests/unit/iommu_rig.h"

#include <errno.h>

#include "iommu/fault.h"
#include "iommu/iotlb.h"
#include "iommu/window.h"
#include "mm/dirty.h"

/*
 * ---- regions
 * ------------------------------------------------------------------------------------------------
 */

static void a_transfer_follows_its_translation_page_by_page(void **state)
{
	u8 in[0x2000], out[0x2000];
	struct dma_rig d;

	(void)state;
	dma_rig_init(&d);
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 3 + (i >> 8));
	d.flat.page[0] = 0x5000 | MEM_READ_WRITE;
	d.flat.page[1] = 0x2000 | MEM_READ_WRITE;
	assert_int_equal(as_write(&d.dma, 0x801, out, 0x1000), MEM_OK);
	assert_memory_equal(d.memory + 0x5801, out, 0x7ff);
	assert_memory_equal(d.memory + 0x2000, out + 0x7ff, 0x801);
	assert_int_equal(as_read(&d.dma, 0x801, in, 0x1000), MEM_OK);
	assert_memory_equal(in, out, 0x1000);
	assert_int_equal(d.flat.translations, 4);
	assert_int_equal(as_fill(&d.dma, 0xfff, 0xab, 2), MEM_OK);
	assert_int_equal(d.memory[0x5fff], 0xab);
	assert_int_equal(d.memory[0x2000], 0xab);
	assert_int_equal(as_copy(&d.dma, 0x6000, &d.dma, 0x801, 0x1000), MEM_OK);
	assert_int_equal(d.flat.faults, 0);
	dma_rig_destroy(&d);
}

/* Pages that go on in memory, pages that do not, logged ones, and something in the way: bytes go where they belong. */
static void long_transfers_meet_every_kind_of_page(void **state)
{
	static u8 in[0x8000], out[0x8000];
	struct region logged;
	struct dma_rig d;
	u64 done;

	(void)state;
	dma_rig_init(&d);
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 5 + (i >> 9));
	/* RAM pages 6 and 7 are a region of their own, with a dirty log. */
	region_init_ram(&logged, "logged", 0x2000, d.memory + 0x6000);
	assert_int_equal(region_add(&d.rig.root, 0x6000, &logged, 1), 0);
	assert_int_equal(region_dirty_start(&logged, 0), 0);
	d.flat.page[0] = 0x3000 | MEM_READ_WRITE;
	d.flat.page[1] = 0x4000 | MEM_READ_WRITE;
	d.flat.page[2] = 0x0000 | MEM_READ_WRITE;
	d.flat.page[3] = 0x1000 | MEM_READ_WRITE;
	d.flat.page[4] = 0x7000 | MEM_READ_WRITE;
	d.flat.page[5] = 0x6000 | MEM_READ_WRITE;
	d.flat.page[6] = 0x2000 | MEM_READ_WRITE;
	assert_int_equal(as_write(&d.dma, 0x800, out, 0x6000), MEM_OK);
	assert_memory_equal(d.memory + 0x3800, out, 0x1800);
	assert_memory_equal(d.memory, out + 0x1800, 0x2000);
	assert_memory_equal(d.memory + 0x7000, out + 0x3800, 0x1000);
	assert_memory_equal(d.memory + 0x6000, out + 0x4800, 0x1000);
	assert_memory_equal(d.memory + 0x2000, out + 0x5800, 0x800);
	assert_int_equal(d.memory[0x2800], 0);
	assert_int_equal(region_dirty_snapshot(&logged, 0, 0, 0x2000, NULL), 2);
	assert_int_equal(as_read(&d.dma, 0x800, in, 0x6000), MEM_OK);
	assert_memory_equal(in, out, 0x6000);
	/* The log of a page is that page's. */
	assert_int_equal(as_write(&d.dma, 0x4fff, out, 1), MEM_OK);
	assert_false(region_is_dirty(&logged, 0, 0, 0x1000));
	assert_true(region_is_dirty(&logged, 0, 0x1000, 0x1000));
	/* A denied page, then a device: what is before them is done, what is behind them too. */
	d.flat.page[2] = 0;
	d.flat.page[4] = 0x8000 | MEM_READ_WRITE;
	memset(in, 0, sizeof(in));
	assert_int_equal(as_read_done(&d.dma, 0x800, in, 0x6000, &done), MEM_ACCESS_ERROR | MEM_DECODE_ERROR);
	assert_int_equal(done, 0x1800);
	assert_memory_equal(in, out, 0x1800);
	assert_int_equal(in[0x1800], 0xff);
	assert_memory_equal(in + 0x2800, out + 0x2800, 0x1000);
	assert_int_equal(in[0x3800], 0); /* the device's register */
	assert_int_equal(in[0x3900], 0xff);
	assert_memory_equal(in + 0x4800, out + 0x4800, 0x1800);
	memset(d.memory, 0, 0x8000);
	assert_int_equal(as_write(&d.dma, 0x800, out, 0x6000), MEM_ACCESS_ERROR | MEM_DECODE_ERROR);
	assert_memory_equal(d.memory + 0x3800, out, 0x1800);
	assert_memory_equal(d.memory + 0x1000, out + 0x2800, 0x1000);
	assert_memory_equal(d.probe.bytes, out + 0x3800, 0x100);
	assert_memory_equal(d.memory + 0x6000, out + 0x4800, 0x1000);
	region_remove(&logged);
	region_destroy(&logged);
	dma_rig_destroy(&d);
}

static void cpu_accesses_go_through_at_every_size(void **state)
{
	struct section_cache cache = { 0 };
	struct dma_rig d;
	u64 value;

	(void)state;
	dma_rig_init(&d);
	d.flat.page[0] = 0x5000 | MEM_READ_WRITE;
	d.flat.page[1] = 0x2000 | MEM_READ_WRITE;
	for (unsigned size = 1; size <= 8; size *= 2) {
		assert_int_equal(as_store(&d.dma, &cache, 0x10, size, 0x1122334455667788ull), MEM_OK);
		assert_memory_equal(d.memory + 0x5010, "\x88\x77\x66\x55\x44\x33\x22\x11", size);
		assert_int_equal(as_load(&d.dma, &cache, 0x10, size, &value), MEM_OK);
		assert_int_equal(value, 0x1122334455667788ull & mem_size_mask(size));
	}
	/* Over the edge of a page, in both byte orders. */
	assert_int_equal(as_store(&d.dma, &cache, 0xffd, 8, 0x1122334455667788ull), MEM_OK);
	assert_memory_equal(d.memory + 0x5ffd, "\x88\x77\x66", 3);
	assert_memory_equal(d.memory + 0x2000, "\x55\x44\x33\x22\x11", 5);
	assert_int_equal(as_load_be64(&d.dma, 0xffd, &value), MEM_OK);
	assert_int_equal(value, 0x8877665544332211ull);
	/* A device behind it sees the access as it is. */
	assert_int_equal(as_store(&d.dma, &cache, 0x8004, 4, 0xcafe), MEM_OK);
	assert_call(&d.probe, 0, true, 4, 4);
	assert_int_equal(d.probe.calls, 1);
	assert_int_equal(as_load(&d.dma, &cache, 0x8004, 4, &value), MEM_OK);
	assert_int_equal(value, 0xcafe);
	dma_rig_destroy(&d);
}

static void denied_reads_are_ones_denied_writes_nothing_and_each_is_recorded(void **state)
{
	struct section_cache cache = { 0 };
	u8 bytes[0x3000];
	struct dma_rig d;
	u64 done, value;

	(void)state;
	dma_rig_init(&d);
	memset(d.memory, 0x11, sizeof(d.memory));
	d.flat.page[1] = 0;
	d.flat.page[2] = 0x2000 | MEM_READ;
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(as_read_done(&d.dma, 0x800, bytes, 0x2000, &done), MEM_ACCESS_ERROR);
	assert_int_equal(bytes[0x7ff], 0x11);
	assert_int_equal(bytes[0x800], 0xff);
	assert_int_equal(bytes[0x17ff], 0xff);
	assert_int_equal(bytes[0x1800], 0x11);
	assert_int_equal(done, 0x800);
	assert_fault(&d.flat, 0, 0x1000, 0x1000, MEM_READ, IOMMU_FAULT_NOT_MAPPED);
	memset(bytes, 0x22, sizeof(bytes));
	assert_int_equal(as_write_done(&d.dma, 0x1fff, bytes, 0x1002, &done), MEM_ACCESS_ERROR);
	assert_int_equal(done, 0);
	assert_int_equal(d.memory[0x1fff], 0x11);
	assert_int_equal(d.memory[0x2000], 0x11);
	assert_int_equal(d.memory[0x3000], 0x22);
	assert_fault(&d.flat, 1, 0x1fff, 1, MEM_WRITE, IOMMU_FAULT_NOT_MAPPED);
	assert_fault(&d.flat, 2, 0x2000, 0x1000, MEM_WRITE, IOMMU_FAULT_NOT_PERMITTED);
	/* One access: told once. */
	assert_int_equal(as_load(&d.dma, &cache, 0x1008, 4, &value), MEM_ACCESS_ERROR);
	assert_int_equal(value, 0xffffffff);
	assert_fault(&d.flat, 3, 0x1008, 4, MEM_READ, IOMMU_FAULT_NOT_MAPPED);
	assert_int_equal(d.flat.faults, 4);
	/* A denied entry is never cut into bytes, whatever mask it has. */
	d.flat.mask = 0;
	d.flat.faults = 0;
	assert_int_equal(as_read(&d.dma, 0x1000, bytes, 0x1000), MEM_ACCESS_ERROR);
	assert_int_equal(d.flat.faults, 1);
	dma_rig_destroy(&d);
}

static void what_lies_behind_a_translation_may_still_refuse(void **state)
{
	u8 bytes[16];
	struct dma_rig d;

	(void)state;
	dma_rig_init(&d);
	d.flat.page[3] = 0x100000 | MEM_READ_WRITE;
	/* Ones, though the policy of the space that has the IOMMU is zeros. */
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(as_read(&d.dma, 0x3000, bytes, 16), MEM_DECODE_ERROR);
	assert_int_equal(bytes[0], 0xff);
	assert_fault(&d.flat, 0, 0x3000, 16, MEM_READ, IOMMU_FAULT_UNCLAIMED);
	assert_int_equal(as_write(&d.dma, 0x9008, bytes, 16), MEM_ACCESS_ERROR);
	assert_fault(&d.flat, 1, 0x9008, 16, MEM_WRITE, IOMMU_FAULT_READONLY);
	assert_int_equal(as_read(&d.dma, 0x9008, bytes, 16), MEM_OK);
	as_set_ram_only(&d.rig.as, true);
	assert_int_equal(as_read(&d.dma, 0x8000, bytes, 16), MEM_ACCESS_ERROR);
	assert_fault(&d.flat, 2, 0x8000, 16, MEM_READ, IOMMU_FAULT_NOT_RAM);
	assert_int_equal(d.probe.calls, 0);
	/* Behind the region's own end, its space's policy counts. */
	assert_int_equal(as_read(&d.dma, FLAT_PAGES * PAGE_SIZE, bytes, 16), MEM_DECODE_ERROR);
	assert_int_equal(bytes[0], 0);
	/* Nobody need listen. */
	static const struct iommu_ops silent = { .translate = flat_translate };
	d.flat.iommu.ops = &silent;
	assert_int_equal(as_read(&d.dma, 0x3000, bytes, 16), MEM_DECODE_ERROR);
	assert_int_equal(d.flat.faults, 3);
	dma_rig_destroy(&d);
}

static void a_read_only_view_of_an_iommu_refuses_writes(void **state)
{
	struct flat_iommu outer;
	struct address_space as;
	struct dma_rig d;
	u8 byte = 0;

	(void)state;
	dma_rig_init(&d);
	flat_init(&outer, &d.dma);
	outer.page[0] = MEM_READ_WRITE;
	assert_int_equal(as_init(&as, &d.rig.core, "outer", &outer.iommu.region, UNCLAIMED_ONES), 0);
	region_set_readonly(&d.flat.iommu.region, true);
	assert_int_equal(as_write(&d.dma, 0, &byte, 1), MEM_ACCESS_ERROR);
	assert_int_equal(as_read(&d.dma, 0, &byte, 1), MEM_OK);
	/* Found on the way, too. */
	assert_int_equal(as_write(&as, 0, &byte, 1), MEM_ACCESS_ERROR);
	assert_fault(&outer, 0, 0, 1, MEM_WRITE, IOMMU_FAULT_READONLY);
	as_destroy(&as);
	dma_rig_destroy(&d);
}

static void chains_of_four_work_and_of_five_are_an_error(void **state)
{
	struct flat_iommu step[5];
	struct address_space as[5];
	struct dma_rig d;
	u8 byte;

	(void)state;
	dma_rig_init(&d);
	/* step n moves page n to page n - 1; each works on what the one before produced, cut by each mask. */
	for (unsigned i = 0; i < 5; i++) {
		flat_init(&step[i], i ? &as[i - 1] : &d.rig.as);
		for (unsigned page = 1; page < FLAT_PAGES; page++)
			step[i].page[page] = (page - 1) * PAGE_SIZE | MEM_READ_WRITE;
		assert_int_equal(as_init(&as[i], &d.rig.core, "step", &step[i].iommu.region, UNCLAIMED_ONES),
				 0);
	}
	for (unsigned i = 0; i < sizeof(d.memory); i++)
		d.memory[i] = (u8)(i >> 12);
	assert_int_equal(as_read(&as[3], 0x6123, &byte, 1), MEM_OK);
	assert_int_equal(byte, 2);
	step[1].mask = 0x1ff;
	assert_int_equal(as_read(&as[3], 0x6123, &byte, 1), MEM_OK);
	assert_int_equal(as_read(&as[4], 0x6123, &byte, 1), MEM_ACCESS_ERROR);
	assert_int_equal(byte, 0xff);
	assert_fault(&step[1], 0, 0x3123, 1, MEM_READ, IOMMU_FAULT_CHAIN);
	for (unsigned i = 0; i < 5; i++)
		as_destroy(&as[i]);
	dma_rig_destroy(&d);
}

static void a_loop_of_iommus_is_an_error_not_a_hang(void **state)
{
	struct flat_iommu self;
	struct address_space as;
	struct mem_core core;
	u64 value;

	(void)state;
	mem_core_init(&core);
	flat_init(&self, &as);
	self.page[0] = MEM_READ_WRITE;
	assert_int_equal(as_init(&as, &core, "self", &self.iommu.region, UNCLAIMED_ONES), 0);
	assert_int_equal(as_load_le64(&as, 0, &value), MEM_ACCESS_ERROR);
	assert_int_equal(value, ~0ull);
	assert_fault(&self, 0, 0, 8, MEM_READ, IOMMU_FAULT_CHAIN);
	as_destroy(&as);
	mem_core_destroy(&core);
}

static void an_iommu_region_needs_a_translator_and_a_target(void **state)
{
	static const struct iommu_ops empty = { 0 };
	struct iommu_region iommu;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	region_init_iommu(&iommu, "x", 0x1000, NULL, &rig.as, false);
	assert_int_equal(region_add(&rig.root, 0, &iommu.region, 0), -EINVAL);
	region_init_iommu(&iommu, "x", 0x1000, &empty, &rig.as, false);
	assert_int_equal(region_add(&rig.root, 0, &iommu.region, 0), -EINVAL);
	region_init_iommu(&iommu, "x", 0x1000, &flat_ops, NULL, false);
	assert_int_equal(region_add(&rig.root, 0, &iommu.region, 0), -EINVAL);
	assert_ptr_equal(region_to_iommu(&iommu.region), &iommu);
	rig_destroy(&rig);
}

/*
 * ---- notifiers
 * ----------------------------------------------------------------------------------------------
 */

struct heard {
	struct iommu_notifier notifier;
	unsigned count;
	struct {
		unsigned event;
		u64 first, last, translated;
		u32 perm;
	} event[32];
};

static void hear(struct iommu_notifier *notifier, struct iommu_region *iommu, unsigned event, u64 first,
		 u64 last, const struct iommu_entry *entry)
{
	struct heard *heard = container_of(notifier, struct heard, notifier);

	(void)iommu;
	assert_true(heard->count < ARRAY_SIZE(heard->event));
	heard->event[heard->count].event = event;
	heard->event[heard->count].first = first;
	heard->event[heard->count].last = last;
	heard->event[heard->count].translated = entry->translated;
	heard->event[heard->count].perm = entry->perm;
	heard->count++;
}

#define assert_heard(h, n, event_, first_, last_)              \
	do {                                                   \
		assert_true((h)->count > (n));                 \
		assert_int_equal((h)->event[n].event, event_); \
		assert_int_equal((h)->event[n].first, first_); \
		assert_int_equal((h)->event[n].last, last_);   \
	} while (0)

static void notifiers_hear_what_concerns_their_range(void **state)
{
	struct heard all = { .notifier = {
				     .notify = hear, .last = ~0ull, .events = IOMMU_MAP | IOMMU_UNMAP } };
	struct heard few = {
		.notifier = { .notify = hear, .first = 0x2000, .last = 0x2fff, .events = IOMMU_UNMAP }
	};
	struct iommu_entry entry = {
		.iova = 0x2345, .translated = 0x5000, .mask = PAGE_MASK, .perm = MEM_READ
	};
	struct dma_rig d;

	(void)state;
	dma_rig_init(&d);
	iommu_notifier_add(&d.flat.iommu, &all.notifier);
	iommu_notifier_add(&d.flat.iommu, &few.notifier);
	iommu_mapped(&d.flat.iommu, &entry);
	assert_heard(&all, 0, IOMMU_MAP, 0x2000, 0x2fff);
	assert_int_equal(all.event[0].perm, MEM_READ);
	assert_int_equal(few.count, 0);
	iommu_invalidate(&d.flat.iommu, 0x1000, 0x7fff);
	assert_heard(&all, 1, IOMMU_UNMAP, 0x1000, 0x7fff);
	assert_int_equal(all.event[1].perm, 0);
	assert_heard(&few, 0, IOMMU_UNMAP, 0x2000, 0x2fff);
	iommu_invalidate(&d.flat.iommu, 0x3000, 0x3fff);
	iommu_invalidate(&d.flat.iommu, 0, 0x1fff);
	assert_int_equal(few.count, 1);
	assert_int_equal(d.flat.iommu.generation, 3);
	iommu_notifier_remove(&d.flat.iommu, &all.notifier);
	iommu_notifier_remove(&d.flat.iommu, &all.notifier);
	iommu_invalidate(&d.flat.iommu, 0, ~0ull);
	assert_int_equal(all.count, 4);
	assert_int_equal(few.count, 2);
	dma_rig_destroy(&d);
}

static bool replayed;
static void own_replay(struct iommu_region *iommu, struct iommu_notifier *notifier)
{
	(void)iommu;
	(void)notifier;
	replayed = true;
}

static void replay_tells_every_present_page_once(void **state)
{
	static const struct iommu_ops own = { .translate = flat_translate, .replay = own_replay };
	struct heard all = { .notifier = { .notify = hear, .last = ~0ull, .events = IOMMU_MAP } };
	struct heard part = {
		.notifier = { .notify = hear, .first = 0x2800, .last = 0x37ff, .events = IOMMU_MAP }
	};
	struct heard edge = { .notifier = {
				      .notify = hear, .first = 0xf000, .last = ~0ull, .events = IOMMU_MAP } };
	struct dma_rig d;

	(void)state;
	dma_rig_init(&d);
	memset(d.flat.page, 0, sizeof(d.flat.page));
	d.flat.page[2] = 0x1000 | MEM_READ;
	d.flat.page[3] = 0x7000 | MEM_WRITE;
	d.flat.page[9] = 0x3000 | MEM_READ_WRITE;
	iommu_replay(&d.flat.iommu, &all.notifier);
	assert_int_equal(all.count, 3);
	assert_heard(&all, 0, IOMMU_MAP, 0x2000, 0x2fff);
	assert_heard(&all, 1, IOMMU_MAP, 0x3000, 0x3fff);
	assert_heard(&all, 2, IOMMU_MAP, 0x9000, 0x9fff);
	assert_int_equal(all.event[2].translated, 0x3000);
	assert_int_equal(d.flat.translations, FLAT_PAGES);
	iommu_replay(&d.flat.iommu, &part.notifier);
	assert_int_equal(part.count, 2);
	assert_heard(&part, 0, IOMMU_MAP, 0x2800, 0x2fff);
	assert_heard(&part, 1, IOMMU_MAP, 0x3000, 0x37ff);
	d.flat.page[15] = 0x1000 | MEM_READ;
	iommu_replay(&d.flat.iommu, &edge.notifier);
	assert_int_equal(edge.count, 1);
	edge.notifier.first = 0x10000;
	iommu_replay(&d.flat.iommu, &edge.notifier);
	assert_int_equal(edge.count, 1);
	d.flat.iommu.ops = &own;
	iommu_replay(&d.flat.iommu, &all.notifier);
	assert_true(replayed);
	assert_int_equal(all.count, 3);
	dma_rig_destroy(&d);
}

/*
 * ---- windows
 * ------------------------------------------------------------------------------------------------
 */

static const struct dma_row edu_rows[] = {
	DMA_ROW("low ram", 0x1000, 0x5000, 0x2000, MEM_READ_WRITE),
	DMA_ROW("rom image", 0x10000, 0x1000, 0x7000, MEM_READ),
	DMA_ROW("top", ~0xfffull, 0x1000, 0x0, MEM_WRITE),
};
static const struct dma_table edu_table = {
	.device = "edu", .rows = edu_rows, .count = ARRAY_SIZE(edu_rows), .requester = PCI_ID(0, 4, 0)
};

static void a_window_lets_through_its_rows_and_nothing_else(void **state)
{
	struct address_space dma;
	struct dma_window window;
	struct fault_log log;
	struct dma_rig d;
	u8 bytes[0x6000];

	(void)state;
	dma_rig_init(&d);
	fault_log_init(&log);
	dma_window_init(&window, "edu window", &edu_table, &d.rig.as, &log);
	assert_int_equal(as_init(&dma, &d.rig.core, "edu dma", &window.iommu.region, UNCLAIMED_ONES), 0);
	memset(bytes, 0x5a, sizeof(bytes));
	assert_int_equal(as_write(&dma, 0x1000, bytes, 0x5000), MEM_OK);
	assert_int_equal(d.memory[0x1fff], 0);
	assert_int_equal(d.memory[0x2000], 0x5a);
	assert_int_equal(d.memory[0x6fff], 0x5a);
	assert_int_equal(d.memory[0x7000], 0);
	assert_int_equal(log.total, 0);
	assert_int_equal(as_write(&dma, 0xfff, bytes, 2), MEM_ACCESS_ERROR);
	assert_string_equal(host_log_last(),
			    "DMA write denied: edu 00:04.0 iova 0xfff-0xfff: outside the window 'low ram'");
	assert_int_equal(as_write(&dma, 0x10000, bytes, 8), MEM_ACCESS_ERROR);
	assert_string_equal(host_log_last(),
			    "DMA write denied: edu 00:04.0 iova 0x10000-0x10007: not permitted by "
			    "the window 'rom image'");
	assert_int_equal(as_read(&dma, 0x10ff0, bytes, 0x20), MEM_ACCESS_ERROR);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[0x10], 0xff);
	assert_string_equal(host_log_last(),
			    "DMA read denied: edu 00:04.0 iova 0x11000-0x1100f: outside the window "
			    "'rom image'");
	/* To the last byte of the space, and not around it. */
	assert_int_equal(as_write(&dma, ~7ull, bytes, 16), MEM_DECODE_ERROR);
	assert_int_equal(as_write(&dma, ~7ull, bytes, 8), MEM_OK);
	assert_int_equal(as_write(&dma, ~0xfffull - 1, bytes, 1), MEM_ACCESS_ERROR);
	assert_non_null(strstr(host_log_last(), "'top'"));
	assert_int_equal(fault_log_count(&log, IOMMU_FAULT_NOT_MAPPED), 3);
	assert_int_equal(fault_log_count(&log, IOMMU_FAULT_NOT_PERMITTED), 1);
	as_destroy(&dma);
	dma_rig_destroy(&d);
}

static void a_window_without_rows_denies_everything(void **state)
{
	static const struct dma_table nothing = { .device = "rng", .requester = PCI_ID(0, 5, 1) };
	struct address_space dma;
	struct dma_window window;
	struct fault_log log;
	struct dma_rig d;
	u8 byte;

	(void)state;
	dma_rig_init(&d);
	fault_log_init(&log);
	dma_window_init(&window, "rng window", &nothing, &d.rig.as, &log);
	assert_int_equal(as_init(&dma, &d.rig.core, "rng dma", &window.iommu.region, UNCLAIMED_ONES), 0);
	assert_int_equal(as_read(&dma, 0, &byte, 1), MEM_ACCESS_ERROR);
	assert_string_equal(host_log_last(), "DMA read denied: rng 00:05.1 iova 0x0-0x0: not mapped");
	window.log = NULL;
	assert_int_equal(as_read(&dma, ~0ull, &byte, 1), MEM_ACCESS_ERROR);
	assert_int_equal(log.total, 1);
	as_destroy(&dma);
	dma_rig_destroy(&d);
}

/* Each entry is an aligned block inside its row that moves as a whole, and no larger one is. */
static void window_entries_are_the_largest_blocks_that_fit(void **state)
{
	static const struct dma_row rows[] = {
		DMA_ROW("all", 0, REGION_SIZE_WHOLE, 0, MEM_READ),
	};
	static const struct dma_table whole = { .device = "x", .rows = rows, .count = 1 };
	struct dma_window window;
	struct iommu_entry entry;
	struct rig rig;

	(void)state;
	rig_init(&rig);
	dma_window_init(&window, "w", &edu_table, &rig.as, NULL);
	for (u64 iova = 0x1000; iova < 0x6000; iova += 0x10) {
		u64 size;

		entry = window.iommu.ops->translate(&window.iommu, iova, MEM_READ);
		size = entry.mask + 1;
		assert_int_equal(entry.perm, MEM_READ_WRITE);
		assert_int_equal((entry.translated & ~entry.mask) | (iova & entry.mask), iova + 0x1000);
		assert_true((iova & ~entry.mask) >= 0x1000 && (iova | entry.mask) <= 0x5fff);
		assert_true((iova & ~(2 * size - 1)) < 0x1000 || (iova | (2 * size - 1)) > 0x5fff ||
			    0x1000 % (2 * size));
	}
	assert_int_equal(window.iommu.ops->translate(&window.iommu, 0x6000, MEM_READ).perm, MEM_NONE);
	dma_window_init(&window, "w", &whole, &rig.as, NULL);
	entry = window.iommu.ops->translate(&window.iommu, 0x123456789, MEM_READ);
	assert_int_equal(entry.mask, BITS(62, 0));
	rig_destroy(&rig);
}

struct lines {
	char text[8192];
	unsigned count;
};

static void take_line(void *to, const char *line)
{
	struct lines *lines = to;

	strcat(lines->text, line);
	strcat(lines->text, "\n");
	lines->count++;
}

struct board {
	struct region memory;
	struct ram_window low, high, far;
	struct region mmio;
};

static const struct region_row map_rows[] = {
	ROW_CONTAINER("memory", NULL, 0, REGION_SIZE_WHOLE, AT(struct board, memory)),
	ROW_RAM("ram.low", "memory", 0, 0x8000, AT(struct board, low)),
	ROW_RAM("ram.high", "memory", 0x8000, 0x8000, AT(struct board, high)),
	ROW_RAM("ram.far", "memory", 0x100000, 0x8000, AT(struct board, far)),
};
static const struct region_table map_table = REGION_TABLE(map_rows);

static void broken_windows_are_told_with_both_rows(void **state)
{
	static const struct dma_row rows[] = {
		{ .name = "first", .iova = 0x1000, .last = 0x1fff, .target = 0, .permission = MEM_READ },
		{ .name = "second", .iova = 0x2000, .last = 0xfff, .target = 0, .permission = MEM_READ },
		{ .name = "odd", .iova = 0x10001, .last = 0xfff, .target = 0, .permission = MEM_READ },
		{ .name = "useless", .iova = 0x20000, .last = 0xfff, .target = 0 },
		{ .name = "wild", .iova = 0x30000, .last = 0xfff, .target = 0, .permission = 7 },
		{ .name = "wraps", .iova = ~0xfffull, .last = 0x1fff, .target = 0, .permission = MEM_READ },
		{ .name = "target wraps",
		  .iova = 0x40000,
		  .last = 0x1fff,
		  .target = ~0xfffull,
		  .permission = MEM_READ },
		{ .name = "leaves",
		  .iova = 0x50000,
		  .last = 0xfff,
		  .target = 0xf000,
		  .permission = MEM_READ },
		{ .name = "leaves far",
		  .iova = 0x60000,
		  .last = 0x1fff,
		  .target = 0xf000,
		  .permission = MEM_READ },
		{ .name = "nowhere",
		  .iova = 0x70000,
		  .last = 0xfff,
		  .target = 0x80000,
		  .permission = MEM_READ },
		{ .name = NULL, .iova = 0x80000, .last = 0xfff, .target = 0x100000, .permission = MEM_READ },
		{ .name = "whole", .iova = 0x90000, .last = 0xffff, .target = 0, .permission = MEM_READ },
	};
	static const struct dma_table tables[] = {
		{ .device = "bad", .rows = rows, .count = ARRAY_SIZE(rows), .requester = 8 },
		{ .device = "good", .requester = 9 },
		{ .device = "same", .requester = 8 },
	};
	static const struct region_table empty = { .name = "no map" };
	struct lines lines = { 0 };

	(void)state;
	assert_int_equal(dma_table_check(tables, ARRAY_SIZE(tables), &map_table, take_line, &lines), 10);
	assert_int_equal(lines.count, 10);
	assert_non_null(strstr(lines.text,
			       "DMA of bad: window 'first' 0x1000-0x2fff to 0x0-0x1fff and window 'second' "
			       "0x2000-0x2fff to 0x0-0xfff overlap\n"));
	assert_non_null(
		strstr(lines.text, "window 'odd' 0x10001-0x11000 to 0x0-0xfff is not made of whole pages"));
	assert_non_null(strstr(lines.text, "window 'useless' 0x20000-0x20fff to 0x0-0xfff permits nothing"));
	assert_non_null(
		strstr(lines.text, "window 'wild' 0x30000-0x30fff to 0x0-0xfff permits what there is not"));
	assert_non_null(strstr(lines.text, "window 'wraps'"));
	assert_non_null(strstr(lines.text, "window 'target wraps'"));
	assert_non_null(strstr(lines.text,
			       "window 'leaves far' 0x60000-0x61fff to 0xf000-0x10fff leaves the RAM rows at "
			       "0x10000, behind or before 'ram.high' 0x8000-0xffff"));
	assert_non_null(strstr(lines.text,
			       "window 'nowhere' 0x70000-0x70fff to 0x80000-0x80fff leaves the RAM rows at "
			       "0x80000"));
	assert_non_null(strstr(lines.text, "has no name"));
	assert_non_null(strstr(lines.text, "DMA of same: its requester id 0x0008 is that of bad too"));
	assert_int_equal(dma_table_check(tables, 1, &empty, NULL, NULL), 17);
	memset(&lines, 0, sizeof(lines));
	dma_table_check(&edu_table, 1, &empty, take_line, &lines);
	assert_non_null(strstr(lines.text, "'no map' has no RAM rows"));
	memset(&lines, 0, sizeof(lines));
	assert_int_equal(dma_table_check(&edu_table, 1, &map_table, take_line, &lines), 0);
	dma_table_print(&edu_table, 1, take_line, &lines);
	dma_table_print(&tables[1], 1, take_line, &lines);
	assert_non_null(
		strstr(lines.text,
		       "edu 00:04.0\n  window 'low ram' 0x1000-0x5fff to 0x2000-0x6fff: read and write\n"));
	assert_non_null(strstr(lines.text, "good 00:01.1: no DMA\n"));
}

/*
 * ---- the fault log
 * ------------------------------------------------------------------------------------------
 */

static void the_fault_log_is_bounded_and_counts_all(void **state)
{
	struct fault_record record = { .length = 4, .device = "edu", .access = MEM_READ, .requester = 0x20 };
	struct fault_record got;
	struct lines lines = { 0 };
	struct fault_log log;

	(void)state;
	host_log_reset();
	fault_log_init(&log);
	assert_false(fault_log_get(&log, 0, &got));
	for (unsigned i = 0; i < FAULT_RING + 10; i++) {
		record.iova = i * PAGE_SIZE;
		record.reason = i & 1 ? IOMMU_FAULT_UNIT + 5 : IOMMU_FAULT_NOT_MAPPED;
		fault_log_add(&log, &record);
	}
	record.reason = IOMMU_FAULT_UNIT + 200;
	fault_log_add(&log, &record);
	assert_int_equal(host_log_count(), LOG_RATE_BURST);
	assert_int_equal(log.total, FAULT_RING + 11);
	assert_int_equal(fault_log_count(&log, IOMMU_FAULT_NOT_MAPPED), FAULT_RING / 2 + 5);
	assert_int_equal(fault_log_count(&log, IOMMU_FAULT_UNIT + 5), FAULT_RING / 2 + 5);
	assert_int_equal(fault_log_count(&log, IOMMU_FAULT_UNIT + 99), 1);
	assert_true(fault_log_get(&log, 0, &got));
	assert_int_equal(got.number, FAULT_RING + 11);
	assert_true(fault_log_get(&log, FAULT_RING - 1, &got));
	assert_int_equal(got.number, 12);
	assert_false(fault_log_get(&log, FAULT_RING, &got));
	fault_log_print(&log, take_line, &lines);
	assert_int_equal(lines.count, FAULT_RING + 4);
	assert_int_equal(strncmp(lines.text, "#12 DMA read denied: edu 00:04.0 ", 33), 0);
	assert_non_null(strstr(lines.text,
			       "\n37: not mapped\n37: fault reason 0x5\n1: fault reason 0xf and above\n"));
	assert_non_null(strstr(lines.text, "75 faults, 65 not printed when they came\n"));
	memset(&lines, 0, sizeof(lines));
	fault_log_init(&log);
	fault_log_add(&log, &record);
	fault_log_print(&log, take_line, &lines);
	assert_int_equal(lines.count, 3);
}

static void faults_are_told_in_words(void **state)
{
	static const struct {
		struct fault_record record;
		const char *text;
	} cases[] = {
		{ { .iova = 0x10,
		    .length = 1,
		    .device = "a",
		    .access = MEM_READ_WRITE,
		    .reason = IOMMU_FAULT_CHAIN },
		  "DMA read and write denied: a 00:00.0 iova 0x10-0x10: too many translations in a row" },
		{ { .iova = ~0ull,
		    .length = 1,
		    .requester = 0xffff,
		    .reason = IOMMU_FAULT_NOT_RAM,
		    .detail = "w" },
		  "DMA access denied: ? ff:1f.7 iova 0xffffffffffffffff-0xffffffffffffffff: a device, not "
		  "RAM, by way of 'w'" },
		{ { .length = 4096, .device = "b", .access = MEM_WRITE, .reason = IOMMU_FAULT_UNIT + 6 },
		  "DMA write denied: b 00:00.0 iova 0x0-0xfff: fault reason 0x6" },
		{ { .length = 4096,
		    .device = "b",
		    .access = MEM_WRITE,
		    .reason = IOMMU_FAULT_UNIT + 6,
		    .detail = "walk" },
		  "DMA write denied: b 00:00.0 iova 0x0-0xfff: fault reason 0x6, walk" },
		{ { .length = 1, .device = "b", .access = MEM_WRITE, .reason = 99 },
		  "DMA write denied: b 00:00.0 iova 0x0-0x0: denied by the unit" },
	};
	char text[200];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(fault_format(&cases[i].record, text, sizeof(text)), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
	assert_int_equal(fault_format(&cases[0].record, text, 10), strlen(cases[0].text));
	assert_string_equal(text, "DMA read ");
	for (unsigned reason = 0; reason <= IOMMU_FAULT_NOT_RAM; reason++)
		assert_true(strlen(iommu_fault_text(reason)) > 0);
}

/*
 * ---- the IOTLB
 * ----------------------------------------------------------------------------------------------
 */

#define TLB_SIZE 64

static struct iommu_entry entry_of(u64 iova, u64 translated, u64 size, u32 perm)
{
	return (struct iommu_entry){ .iova = iova, .translated = translated, .mask = size - 1, .perm = perm };
}

static bool cached(struct iotlb *tlb, u16 domain, u64 iova, u64 translated)
{
	struct iommu_entry entry;

	if (!iotlb_lookup(tlb, domain, iova, &entry))
		return false;
	assert_int_equal((entry.translated & ~entry.mask) | (iova & entry.mask), translated);
	return true;
}

static void the_iotlb_remembers_pages_of_three_sizes_by_domain(void **state)
{
	struct iotlb_entry memory[TLB_SIZE];
	struct iommu_entry entry;
	struct iotlb tlb;

	(void)state;
	assert_int_equal(iotlb_init(&tlb, memory, 3), -EINVAL);
	assert_int_equal(iotlb_init(&tlb, memory, 48), -EINVAL);
	assert_int_equal(iotlb_init(&tlb, memory, TLB_SIZE), 0);
	assert_false(cached(&tlb, 1, 0x1000, 0));
	entry = entry_of(0x1234, 0x8000, 4 * KiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	entry = entry_of(5 * MiB, 64 * MiB, 2 * MiB, MEM_READ_WRITE);
	iotlb_insert(&tlb, 1, &entry);
	entry = entry_of(~0ull, 3 * GiB, 1 * GiB, MEM_WRITE);
	iotlb_insert(&tlb, 0xffff, &entry);
	assert_true(cached(&tlb, 1, 0x1fff, 0x8fff));
	assert_false(cached(&tlb, 1, 0x2000, 0));
	assert_false(cached(&tlb, 2, 0x1234, 0));
	assert_true(cached(&tlb, 1, 4 * MiB + 5, 64 * MiB + 5));
	assert_false(cached(&tlb, 1, 6 * MiB, 0));
	assert_true(cached(&tlb, 0xffff, ~0ull - 5, 4 * GiB - 6));
	assert_false(cached(&tlb, 0x01ff, ~0ull - 5, 0));
	assert_true(iotlb_lookup(&tlb, 1, 0x1000, &entry));
	assert_int_equal(entry.perm, MEM_READ);
	assert_int_equal(entry.mask, PAGE_MASK);
	assert_int_equal(tlb.hits, 4);
	assert_int_equal(tlb.misses, 5);
}

static void the_iotlb_never_holds_absent_entries(void **state)
{
	struct iotlb_entry memory[TLB_SIZE];
	struct iommu_entry entry;
	struct iotlb tlb;

	(void)state;
	iotlb_init(&tlb, memory, TLB_SIZE);
	entry = entry_of(0x1000, 0x2000, 4 * KiB, MEM_NONE);
	iotlb_insert(&tlb, 1, &entry);
	entry = entry_of(0x1000, 0x2000, 2 * KiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	assert_false(cached(&tlb, 1, 0x1000, 0));
	assert_int_equal(tlb.live[0], 0);
}

static void odd_sizes_are_cut_to_the_page_that_holds_the_address(void **state)
{
	struct iotlb_entry memory[TLB_SIZE];
	struct iommu_entry entry;
	struct iotlb tlb;

	(void)state;
	iotlb_init(&tlb, memory, TLB_SIZE);
	entry = entry_of(0x13456, 0x40000, 64 * KiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	assert_true(cached(&tlb, 1, 0x13000, 0x43000));
	assert_false(cached(&tlb, 1, 0x14000, 0));
	entry = entry_of(9 * MiB, 64 * MiB, 8 * MiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	assert_true(cached(&tlb, 1, 8 * MiB + 1, 64 * MiB + 1));
	assert_false(cached(&tlb, 1, 10 * MiB, 0));
	entry = entry_of(5 * GiB, 0, 1ull << 63, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	assert_true(cached(&tlb, 1, 5 * GiB + 7, 5 * GiB + 7));
}

static void a_page_has_one_entry(void **state)
{
	struct iotlb_entry memory[TLB_SIZE];
	struct iommu_entry entry;
	struct iotlb tlb;

	(void)state;
	iotlb_init(&tlb, memory, TLB_SIZE);
	entry = entry_of(0x1000, 0x2000, 4 * KiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	entry.translated = 0x5000;
	iotlb_insert(&tlb, 1, &entry);
	assert_true(cached(&tlb, 1, 0x1000, 0x5000));
	assert_int_equal(tlb.live[0], 1);
	/* A larger page takes the place of the smaller one, and the other way about. */
	entry = entry_of(0x1000, 16 * MiB, 2 * MiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	assert_true(cached(&tlb, 1, 0x1000, 16 * MiB + 0x1000));
	assert_int_equal(tlb.live[0], 0);
	entry = entry_of(0x1000, 0x9000, 4 * KiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	assert_int_equal(tlb.live[1], 0);
	assert_true(cached(&tlb, 1, 0x1000, 0x9000));
}

static void the_iotlb_is_bounded(void **state)
{
	struct iotlb_entry memory[TLB_SIZE + 1] = { [TLB_SIZE] = { 7, 7 } };
	struct iommu_entry entry;
	struct iotlb tlb;
	unsigned found = 0;

	(void)state;
	iotlb_init(&tlb, memory, TLB_SIZE);
	for (u64 page = 0; page < 10 * TLB_SIZE; page++) {
		entry = entry_of(page << 12, (page + 1) << 12, 4 * KiB, MEM_READ);
		iotlb_insert(&tlb, 3, &entry);
		assert_true(cached(&tlb, 3, page << 12, (page + 1) << 12));
	}
	for (u64 page = 0; page < 10 * TLB_SIZE; page++)
		found += cached(&tlb, 3, page << 12, (page + 1) << 12);
	assert_int_equal(found, TLB_SIZE);
	assert_int_equal(tlb.live[0], TLB_SIZE);
	assert_int_equal(tlb.evictions, 9 * TLB_SIZE);
	assert_int_equal(memory[TLB_SIZE].tag, 7);
}

static void invalidation_takes_what_it_names_and_leaves_the_rest(void **state)
{
	struct iotlb_entry memory[TLB_SIZE];
	struct iommu_entry entry;
	struct iotlb tlb;

	(void)state;
	iotlb_init(&tlb, memory, TLB_SIZE);
	for (u64 page = 1; page <= 8; page++) {
		entry = entry_of(page << 12, page << 12, 4 * KiB, MEM_READ);
		iotlb_insert(&tlb, 1, &entry);
		iotlb_insert(&tlb, 513, &entry); /* differs above the tag's nine bits only */
	}
	iotlb_invalidate_range(&tlb, 1, 0x2fff, 0x3000);
	assert_true(cached(&tlb, 1, 0x1000, 0x1000));
	assert_false(cached(&tlb, 1, 0x2000, 0));
	assert_false(cached(&tlb, 1, 0x3000, 0));
	assert_true(cached(&tlb, 1, 0x4000, 0x4000));
	assert_true(cached(&tlb, 513, 0x2000, 0x2000));
	/* With large pages about, whatever touches the range goes. */
	entry = entry_of(2 * MiB, 2 * MiB, 2 * MiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	entry = entry_of(1 * GiB, 1 * GiB, 1 * GiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	iotlb_invalidate_range(&tlb, 1, 0x5000, 2 * MiB);
	assert_false(cached(&tlb, 1, 0x5000, 0));
	assert_false(cached(&tlb, 1, 2 * MiB, 0));
	assert_true(cached(&tlb, 1, 0x4000, 0x4000));
	assert_true(cached(&tlb, 1, 1 * GiB, 1 * GiB));
	iotlb_invalidate_range(&tlb, 1, 2 * GiB - 1, ~0ull);
	assert_false(cached(&tlb, 1, 1 * GiB, 0));
	iotlb_invalidate_range(&tlb, 1, 0, ~0ull);
	assert_false(cached(&tlb, 1, 0x1000, 0));
	assert_true(cached(&tlb, 513, 0x1000, 0x1000));
	entry = entry_of(0x1000, 0x1000, 4 * KiB, MEM_READ);
	iotlb_insert(&tlb, 1, &entry);
	iotlb_invalidate_domain(&tlb, 513);
	assert_false(cached(&tlb, 513, 0x1000, 0));
	assert_true(cached(&tlb, 1, 0x1000, 0x1000));
	iotlb_invalidate_all(&tlb);
	assert_false(cached(&tlb, 1, 0x1000, 0));
	assert_int_equal(tlb.live[0] + tlb.live[1] + tlb.live[2], 0);
	assert_int_equal(tlb.invalidations, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_follows_its_translation_page_by_page),
		cmocka_unit_test(long_transfers_meet_every_kind_of_page),
		cmocka_unit_test(cpu_accesses_go_through_at_every_size),
		cmocka_unit_test(denied_reads_are_ones_denied_writes_nothing_and_each_is_recorded),
		cmocka_unit_test(what_lies_behind_a_translation_may_still_refuse),
		cmocka_unit_test(a_read_only_view_of_an_iommu_refuses_writes),
		cmocka_unit_test(chains_of_four_work_and_of_five_are_an_error),
		cmocka_unit_test(a_loop_of_iommus_is_an_error_not_a_hang),
		cmocka_unit_test(an_iommu_region_needs_a_translator_and_a_target),
		cmocka_unit_test(notifiers_hear_what_concerns_their_range),
		cmocka_unit_test(replay_tells_every_present_page_once),
		cmocka_unit_test(a_window_lets_through_its_rows_and_nothing_else),
		cmocka_unit_test(a_window_without_rows_denies_everything),
		cmocka_unit_test(window_entries_are_the_largest_blocks_that_fit),
		cmocka_unit_test(broken_windows_are_told_with_both_rows),
		cmocka_unit_test(the_fault_log_is_bounded_and_counts_all),
		cmocka_unit_test(faults_are_told_in_words),
		cmocka_unit_test(the_iotlb_remembers_pages_of_three_sizes_by_domain),
		cmocka_unit_test(the_iotlb_never_holds_absent_entries),
		cmocka_unit_test(odd_sizes_are_cut_to_the_page_that_holds_the_address),
		cmocka_unit_test(a_page_has_one_entry),
		cmocka_unit_test(the_iotlb_is_bounded),
		cmocka_unit_test(invalidation_takes_what_it_names_and_leaves_the_rest),
	};

	return cmocka_run_group_tests_name("iommu", tests, NULL, NULL);
}
