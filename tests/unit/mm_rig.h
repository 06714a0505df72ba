/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the memory core share: a machine core, a space over an empty container, and a device that
 * keeps a record of the calls it got.
 */
#ifndef TESTS_UNIT_MM_RIG_H
#define TESTS_UNIT_MM_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/space.h"
#include "tests/unit/host_log.h"

#define PROBE_CALLS 64

/* 256 bytes of registers, and who touched them. */
struct probe {
	struct {
		bool write;
		u64 offset, value;
		unsigned size;
	} call[PROBE_CALLS];
	unsigned calls;
	u8 bytes[256];
	enum mem_result result; /* of every call */
};

static inline enum mem_result probe_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct probe *probe = device;

	if (probe->calls < PROBE_CALLS) {
		probe->call[probe->calls].write = false;
		probe->call[probe->calls].offset = offset;
		probe->call[probe->calls].size = size;
	}
	probe->calls++;
	*value = 0;
	for (unsigned i = 0; i < size; i++)
		*value |= (u64)probe->bytes[(offset + i) % 256] << (8 * i);
	return probe->result;
}

static inline enum mem_result probe_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct probe *probe = device;

	if (probe->calls < PROBE_CALLS) {
		probe->call[probe->calls].write = true;
		probe->call[probe->calls].offset = offset;
		probe->call[probe->calls].size = size;
		probe->call[probe->calls].value = value;
	}
	probe->calls++;
	for (unsigned i = 0; i < size; i++)
		probe->bytes[(offset + i) % 256] = (u8)(value >> (8 * i));
	return probe->result;
}

static const struct region_ops probe_ops = { .read = probe_read, .write = probe_write };

#define assert_call(probe, n, write_, offset_, size_)               \
	do {                                                        \
		assert_true((probe)->calls > (n));                  \
		assert_int_equal((probe)->call[n].write, write_);   \
		assert_int_equal((probe)->call[n].offset, offset_); \
		assert_int_equal((probe)->call[n].size, size_);     \
	} while (0)

struct rig {
	struct mem_core core;
	struct region root;
	struct address_space as;
};

static inline void rig_init(struct rig *rig)
{
	mem_core_init(&rig->core);
	region_init_container(&rig->root, "root", REGION_SIZE_WHOLE);
	assert_int_equal(as_init(&rig->as, &rig->core, "memory", &rig->root, UNCLAIMED_INHERIT), 0);
	host_log_reset();
}

static inline void rig_destroy(struct rig *rig)
{
	as_destroy(&rig->as);
	mem_core_destroy(&rig->core);
}

/* What is at an address now, the cache and the directory agreeing about it. */
static inline const struct section *at(const struct address_space *as, u64 address)
{
	struct section_cache cache = { 0 };
	const struct section *section = flatview_lookup(as_view(as), address);

	assert_ptr_equal(as_lookup(as, &cache, address), section);
	assert_ptr_equal(as_lookup(as, &cache, address), section);
	assert_true(section->first <= address && address <= section->last);
	return section;
}

/* One line of an expected view. NULL: nobody. */
struct expected {
	u64 first, last;
	const struct region *region;
	u64 offset;
};

/* Exactly these sections are claimed, the rest of the space is not, and sections partition it. */
static inline void assert_view(const struct address_space *as, const struct expected *expected,
			       unsigned count)
{
	const struct flatview *view = as_view(as);
	u64 next = 0;
	unsigned n = 0;

	for (u32 i = 0; i < view->count; i++) {
		const struct section *section = &view->sections[i];

		assert_int_equal(section->first, next);
		assert_true(section->last >= section->first);
		next = section->last + 1;
		assert_ptr_equal(at(as, section->first), section);
		assert_ptr_equal(at(as, section->last), section);
		if (section->kind == SECTION_UNCLAIMED)
			continue;
		assert_true(n < count);
		assert_int_equal(section->first, expected[n].first);
		assert_int_equal(section->last, expected[n].last);
		assert_ptr_equal(section->region, expected[n].region);
		assert_int_equal(section->offset, expected[n].offset);
		n++;
	}
	assert_int_equal(next, 0);
	assert_int_equal(n, count);
}

#define ASSERT_VIEW(as, ...)                                         \
	do {                                                         \
		const struct expected expected_[] = { __VA_ARGS__ }; \
		assert_view(as, expected_, ARRAY_SIZE(expected_));   \
	} while (0)

#endif
