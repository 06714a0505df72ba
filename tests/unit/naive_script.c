// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/naive_play.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void script_fail(struct script *s, const char *format, ...)
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

void script_publish(struct script *s)
{
	int i;

	if (s->depth)
		return;
	s->unsettled = false;
	if (!s->changed)
		return;
	s->changed = false;
	s->seen = s->now;
	for (i = 0; i < NAIVE_REGIONS; i++)
		s->logs[i] = s->logging[i][0] || s->logging[i][1];
}

/*
 * ---- the list
 * -----------------------------------------------------------------------------------------------
 */

static void play(struct script *s, const struct operation *operation)
{
	const u64 *w = operation->word;
	unsigned kind = (unsigned)(w[0] >> 16) % 1024, place = (unsigned)(w[0] & 0xffff);

	/* Regions first, later mostly accesses. */
	if (place < 40 && kind & 1)
		kind = place % 2 ? 0 : 12;
	s->changed |= kind < 120;
	if (kind < 12)
		script_op_new(s, w);
	else if (kind < 60)
		script_op_add(s, w);
	else if (kind < 70)
		script_op_remove(s, w);
	else if (kind < 76)
		script_op_enable(s, w);
	else if (kind < 83)
		script_op_move(s, w);
	else if (kind < 88)
		script_op_resize(s, w);
	else if (kind < 96)
		script_op_switch(s, w);
	else if (kind < 112)
		script_op_transaction(s, w);
	else if (kind < 120)
		script_op_dirty(s, w);
	else if (kind < 150 && s->profile == SCRIPT_IOMMU)
		script_op_entry(s, w);
	else if (kind < 155)
		script_op_check_view(s, w);
	else if (kind < 165)
		script_op_quiescent(s);
	else if (kind < 200)
		script_op_copy(s, w);
	else if (kind < 280)
		script_op_map(s, w);
	else if (kind < 560)
		script_op_transfer(s, w);
	else if (kind < 640)
		script_op_doorbell(s, w);
	else if (kind < 720)
		script_op_coalesce(s, w);
	else
		script_op_access(s, w);
	script_publish(s);
	if (kind < 112 && !s->depth)
		script_check_edges(s, w);
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
	region_init_container(script_region(s, 0), script_region_names[0], REGION_SIZE_WHOLE);
	naive_region_new(&s->now, REGION_CONTAINER, REGION_SIZE_WHOLE, false, NAIVE_NONE, 0);
	region_init_container(script_region(s, 1), script_region_names[1], BIT(40));
	naive_region_new(&s->now, REGION_CONTAINER, BIT(40), false, NAIVE_NONE, 0);
	s->naive_space[0] = (struct naive_space){ .root = 0, .unclaimed = UNCLAIMED_INHERIT };
	s->naive_space[1] = (struct naive_space){ .root = 1, .unclaimed = UNCLAIMED_ZEROS };
	s->naive_space[2] = (struct naive_space){ .root = 0, .unclaimed = UNCLAIMED_STOP, .ram_only = true };
	for (i = 0; i < SPACES; i++) {
		if (as_init(&s->space[i], &s->core, names[i], script_region(s, s->naive_space[i].root),
			    (enum unclaimed)s->naive_space[i].unclaimed)) {
			script_fail(s, "a space is not made");
			return;
		}
		s->live[i] = true;
		as_set_ram_only(&s->space[i], s->naive_space[i].ram_only);
		script_listen(s, i, i != 1);
	}
	script_publish(s);
}

static void tear_down(struct script *s)
{
	int i;

	while (s->depth) {
		mem_transaction_commit(&s->core);
		s->depth--;
	}
	script_publish(s);
	script_check_contents(s);
	for (i = 0; i < SPACES; i++) {
		if (!s->live[i])
			continue;
		s->heard[i].leaving = true;
		as_unlisten(&s->space[i], &s->heard[i].listener);
		if (s->heard[i].count && !s->heard[i].overflow)
			script_fail(s, "a listener that left still knows %u sections", s->heard[i].count);
		as_destroy(&s->space[i]);
	}
	for (i = 0; i < s->now.count; i++)
		region_remove(script_region(s, i));
	for (i = 0; i < s->now.count; i++) {
		region_destroy(script_region(s, i));
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
			script_check_contents(s);
	}
	tear_down(s);
	ok = !s->failed;
	free(s);
	return ok;
}
