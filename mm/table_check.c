// SPDX-License-Identifier: BSD-2-Clause
/* What can be wrong with a region table and is not seen by the compiler. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mm/table.h"

#define SEARCH_STEPS 100000

struct check {
	const struct region_table *table;
	struct complaints to;
};

void complain(struct complaints *complaints, const char *format, ...)
{
	char line[320];
	va_list args;
	int length = snprintf(line, sizeof(line), "%s%.32s: ", complaints->what, complaints->whose);

	va_start(args, format);
	vsnprintf(line + length, sizeof(line) - (size_t)length, format, args);
	va_end(args);
	complaints->found++;
	if (complaints->emit)
		complaints->emit(complaints->to, line);
}

/* 'name' first-last, absolute if that can be told. Room for two of them in one message. */
struct row_text {
	char text[96];
};

static struct row_text text_of(const struct check *check, const struct region_row *row)
{
	struct row_text t;
	u64 first, last;

	if (!region_table_range(check->table, row, &first, &last)) {
		first = row->base;
		last = row->base + row->last;
	}
	snprintf(t.text, sizeof(t.text), "%s '%.32s' 0x%llx-0x%llx", region_kind_name(row->kind),
		 row->name ? row->name : "?", (unsigned long long)first, (unsigned long long)last);
	return t;
}

static const struct region_row *parent_of(const struct check *check, const struct region_row *row)
{
	return region_table_find(check->table, row->parent);
}

/* Is that row's parent, which it has, this name? */
static bool same_text(const char *a, const char *b)
{
	return b && !strcmp(a, b);
}

/*
 * ---- one row
 * ------------------------------------------------------------------------------------------------
 */

static bool parents_circle(const struct check *check, const struct region_row *row)
{
	for (unsigned level = 0; row; level++) {
		if (level > REGION_DEPTH_MAX)
			return true;
		row = parent_of(check, row);
	}
	return false;
}

static void check_parent(struct check *check, const struct region_row *row)
{
	const struct region_row *parent = parent_of(check, row);

	if (!row->parent)
		return;
	if (!parent) {
		complain(&check->to, "%s: its parent '%s' is no row", text_of(check, row).text, row->parent);
	} else if (parent->kind != REGION_CONTAINER) {
		complain(&check->to, "%s: its parent is no container: %s", text_of(check, row).text,
			 text_of(check, parent).text);
	} else if (parents_circle(check, row)) {
		complain(&check->to, "%s: its parents go round in a circle, or too deep, by way of %s",
			 text_of(check, row).text, text_of(check, parent).text);
	} else if (row->base > ~0ull - row->last) {
		complain(&check->to, "%s wraps past 2^64 in %s", text_of(check, row).text,
			 text_of(check, parent).text);
	} else if (row->base + row->last > parent->last) {
		complain(&check->to, "%s sticks out of its parent, %s", text_of(check, row).text,
			 text_of(check, parent).text);
	}
}

/* Does what `from` shows include `wanted`? Rows only: whatever an alias or a container leads to. */
static bool shows(const struct check *check, const struct region_row *from, const struct region_row *wanted,
		  unsigned level, unsigned *steps)
{
	const struct region_table *table = check->table;

	if (from == wanted || level > REGION_DEPTH_MAX || !*steps)
		return from == wanted;
	--*steps;
	if (from->kind == REGION_ALIAS) {
		const struct region_row *target = region_table_find(table, from->target);

		return target && shows(check, target, wanted, level + 1, steps);
	}
	for (const struct region_row *row = table->rows; row < table->rows + table->count; row++) {
		if (row->parent && same_text(row->parent, from->name) &&
		    shows(check, row, wanted, level + 1, steps))
			return true;
	}
	return false;
}

static void check_alias(struct check *check, const struct region_row *row)
{
	const struct region_row *target = region_table_find(check->table, row->target);
	unsigned steps = SEARCH_STEPS;

	if (row->kind != REGION_ALIAS)
		return;
	if (!target) {
		complain(&check->to, "%s: its target '%s' is no row", text_of(check, row).text,
			 row->target ? row->target : "?");
		return;
	}
	if (row->target_offset > target->last || row->last > target->last - row->target_offset)
		complain(&check->to, "%s shows 0x%llx-0x%llx of its target, which that does not have: %s",
			 text_of(check, row).text, (unsigned long long)row->target_offset,
			 (unsigned long long)(row->target_offset + row->last), text_of(check, target).text);
	if (shows(check, target, row, 0, &steps))
		complain(&check->to, "%s shows itself: alias loop through %s", text_of(check, row).text,
			 text_of(check, target).text);
}

static void check_row(struct check *check, const struct region_row *row, unsigned address_bits)
{
	u64 first, last;

	if (!row->name || !*row->name) {
		complain(&check->to, "row %u, at offset 0x%x of the board, has no name",
			 (unsigned)(row - check->table->rows), (unsigned)row->at);
		return;
	}
	if (row->kind > REGION_IOMMU)
		complain(&check->to, "%s: no such kind", text_of(check, row).text);
	check_parent(check, row);
	check_alias(check, row);
	if (!row->bytes && (!IS_ALIGNED(row->base, PAGE_SIZE) || !IS_ALIGNED(row->last + 1, PAGE_SIZE)))
		complain(&check->to, "%s is not made of whole pages", text_of(check, row).text);
	if (row->ops && row->kind != REGION_MMIO && row->kind != REGION_CONTAINER)
		complain(&check->to, "%s: ops are for mmio and containers", text_of(check, row).text);
	if (row->unclaimed && row->kind != REGION_CONTAINER)
		complain(&check->to, "%s: a policy for unclaimed accesses is for containers",
			 text_of(check, row).text);
	if (address_bits && address_bits < 64 && row->kind != REGION_CONTAINER &&
	    region_table_range(check->table, row, &first, &last) && last >> address_bits)
		complain(&check->to, "%s is beyond the machine's %u address bits (0x0-0x%llx)",
			 text_of(check, row).text, address_bits, (unsigned long long)(BIT(address_bits) - 1));
}

/*
 * ---- two rows
 * -----------------------------------------------------------------------------------------------
 */

static bool overlap(u64 first, u64 last, u64 other_first, u64 other_last)
{
	return first <= other_last && other_first <= last;
}

/* Rows `a` and `b` are in one tree: their ancestors that are siblings, to see whose priority counts. */
static bool find_siblings(const struct check *check, const struct region_row **a, const struct region_row **b)
{
	for (const struct region_row *x = *a; x; x = parent_of(check, x)) {
		for (const struct region_row *y = *b; y; y = parent_of(check, y)) {
			if (x != y && x->parent && same_text(x->parent, y->parent)) {
				*a = x;
				*b = y;
				return true;
			}
		}
	}
	return false;
}

static void check_over_ram(struct check *check, const struct region_row *ram, const struct region_row *row)
{
	u64 ram_first, ram_last, first, last;
	const struct region_row *x = row, *y = ram;

	if (ram->kind != REGION_RAM || row->kind == REGION_CONTAINER || parents_circle(check, row) ||
	    parents_circle(check, ram) || !find_siblings(check, &x, &y))
		return;
	if (!region_table_range(check->table, ram, &ram_first, &ram_last) ||
	    !region_table_range(check->table, row, &first, &last) ||
	    !overlap(ram_first, ram_last, ALIGN_DOWN(first, PAGE_SIZE), last | PAGE_MASK))
		return;
	/* Siblings with a tie are told as that. */
	if (x == row && y == ram && x->priority == y->priority && overlap(ram_first, ram_last, first, last))
		return;
	if (!row->over_ram)
		complain(&check->to, "%s lies inside %s, and is not declared to be over RAM",
			 text_of(check, row).text, text_of(check, ram).text);
	else if (x->priority <= y->priority)
		complain(&check->to, "%s is declared to be over RAM, but has no higher priority than %s",
			 text_of(check, row).text, text_of(check, ram).text);
}

static void check_pair(struct check *check, const struct region_row *a, const struct region_row *b)
{
	if (a->name && b->name && !strcmp(a->name, b->name))
		complain(&check->to, "%s and %s have the same name", text_of(check, a).text,
			 text_of(check, b).text);
	if (a->at == b->at)
		complain(&check->to, "%s and %s live at the same place in the board, 0x%x",
			 text_of(check, a).text, text_of(check, b).text, (unsigned)a->at);
	if (a->parent && same_text(a->parent, b->parent) && a->priority == b->priority && !a->disabled &&
	    !b->disabled && a->base <= ~0ull - a->last && b->base <= ~0ull - b->last &&
	    overlap(a->base, a->base + a->last, b->base, b->base + b->last))
		complain(&check->to, "%s and %s overlap in '%s', both of priority %d", text_of(check, a).text,
			 text_of(check, b).text, a->parent, (int)a->priority);
	check_over_ram(check, a, b);
	check_over_ram(check, b, a);
}

unsigned region_table_check(const struct region_table *table, unsigned address_bits, table_emit emit,
			    void *to)
{
	struct check check = { .table = table, .to = { "", table->name, emit, to, 0 } };

	for (unsigned i = 0; i < table->count; i++) {
		check_row(&check, &table->rows[i], address_bits);
		for (unsigned j = 0; j < i; j++)
			check_pair(&check, &table->rows[j], &table->rows[i]);
	}
	return check.to.found;
}
