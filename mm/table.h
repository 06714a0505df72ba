/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Static region tables: an address map as const data, one row a region, in the manner of a data sheet.
 *
 *	static const struct region_row pc_rows[] = {
 *		//            name         parent    base        size             where the region lives in the board
 *		ROW_CONTAINER("memory",    NULL,     0,          REGION_SIZE_WHOLE, AT(struct pc, memory),
 *			      .unclaimed = UNCLAIMED_ONES),
 *		ROW_RAM      ("ram.low",   "memory", 0,          3 * GiB,  AT(struct pc, ram_low)),
 *		ROW_ALIAS    ("vga",       "memory", 0xa0000,    128 * KiB, AT(struct pc, vga), "bar0", 0,
 *			      .priority = 1, .over_ram = true),
 *		ROW_MMIO     ("ioapic",    "memory", 0xfec00000, 4 * KiB,  AT(struct pc, ioapic.mmio)),
 *		ROW_RAM      ("ram.high",  "memory", 4 * GiB,    60 * GiB, AT(struct pc, ram_high)),
 *		ROW_CONTAINER("ports",     NULL,     0,          64 * KiB, AT(struct pc, ports)),
 *		ROW_PORTS    ("com1",      "ports",  0x3f8,      8,        AT(struct pc, com1.ports)),
 *	};
 *
 * The same table builds any number of boards: a row tells where its region lives by an offset into the
 * board's struct. Rows with ops, containers, aliases and reservations are initialised by region_table_build.
 * MMIO rows without ops, ROM, ROM devices and IOMMU rows find a region that its owner has initialised, with
 * this size. RAM rows are windows: the configured amount of memory fills them in the order of the table; each
 * is a `struct ram_window`.
 *
 * What a compiler can see does not compile: no size, wrap past 2^64, RAM, ROM or MMIO that is not made of
 * whole pages, ports past 64 KiB. region_table_check sees the rest.
 */
#ifndef MM_TABLE_H
#define MM_TABLE_H

#include "mm/region.h"

struct region_row {
	const char *name;
	const char *parent;	      /* a container row; NULL: a root */
	const char *target;	      /* alias: of which row */
	u64 base, last;		      /* in the parent, size - 1 */
	u64 target_offset;	      /* alias */
	const struct region_ops *ops; /* MMIO, container: NULL: initialised by its owner / none */
	u32 at;			      /* the struct region (RAM: struct ram_window) in the board's struct */
	u32 device;		      /* with ops: their first argument in the board's struct */
	s32 priority;
	u8 kind;       /* enum region_kind */
	u8 unclaimed;  /* enum unclaimed; container */
	bool over_ram; /* hides RAM by higher priority, and is meant to */
	bool disabled; /* as it starts */
	bool bytes;    /* registers or ports: need not be whole pages */
};

struct region_table {
	const char *name;
	const struct region_row *rows;
	unsigned count;
};
#define REGION_TABLE(rows_)                                                 \
	{                                                                   \
		.name = #rows_, .rows = (rows_), .count = ARRAY_SIZE(rows_) \
	}

#define AT(type, member) ((u32)offsetof(type, member))

/* Worth 0; does not compile unless `condition` is a true constant. */
#define ROW_CHECK(condition, message)               \
	(0 * sizeof(struct {                        \
		 static_assert(condition, message); \
		 char unused;                       \
	 }))
#define ROW_PAGES(base, size)                                       \
	ROW_CHECK((((u128)(base) | (u128)(size)) & PAGE_MASK) == 0, \
		  "a row of whole pages is not page-aligned")
#define ROW_PORT_RANGE(base, size) \
	ROW_CHECK((u128)(base) + (u128)(size) <= 0x10000, "a row ends past port 0xffff")
#define ROW_ANY(kind_, name_, parent_, base_, size_, at_, check_, ...)                           \
	{                                                                                        \
		.name = (name_), .parent = (parent_), .kind = (kind_), .at = (at_),              \
		.base = (u64)(base_) + (check_) + ROW_CHECK((size_) != 0, "a row has no size") + \
			ROW_CHECK((u128)(base_) + (u128)(size_) <= REGION_SIZE_WHOLE,            \
				  "a row wraps past 2^64"),                                      \
		.last = (u64)((u128)(size_)-1), __VA_ARGS__                                      \
	}

/* Further fields follow as designated initialisers: .priority = 1, .unclaimed = UNCLAIMED_ZEROS .. */
#define ROW_CONTAINER(name, parent, base, size, at, ...) \
	ROW_ANY(REGION_CONTAINER, name, parent, base, size, at, 0, .bytes = true, ##__VA_ARGS__)
#define ROW_RAM(name, parent, base, size, at, ...) \
	ROW_ANY(REGION_RAM, name, parent, base, size, at, ROW_PAGES(base, size), ##__VA_ARGS__)
#define ROW_ROM(name, parent, base, size, at, ...) \
	ROW_ANY(REGION_ROM, name, parent, base, size, at, ROW_PAGES(base, size), ##__VA_ARGS__)
#define ROW_ROM_DEVICE(name, parent, base, size, at, ...) \
	ROW_ANY(REGION_ROM_DEVICE, name, parent, base, size, at, ROW_PAGES(base, size), ##__VA_ARGS__)
#define ROW_MMIO(name, parent, base, size, at, ...) \
	ROW_ANY(REGION_MMIO, name, parent, base, size, at, ROW_PAGES(base, size), ##__VA_ARGS__)
/* A register block inside a container: any base and size. */
#define ROW_REGISTERS(name, parent, base, size, at, ...) \
	ROW_ANY(REGION_MMIO, name, parent, base, size, at, 0, .bytes = true, ##__VA_ARGS__)
#define ROW_PORTS(name, parent, base, size, at, ...)                                                  \
	ROW_ANY(REGION_MMIO, name, parent, base, size, at, ROW_PORT_RANGE(base, size), .bytes = true, \
		##__VA_ARGS__)
#define ROW_ALIAS(name, parent, base, size, at, target_, offset_, ...)              \
	ROW_ANY(REGION_ALIAS, name, parent, base, size, at, 0, .target = (target_), \
		.target_offset = (offset_), .bytes = true, ##__VA_ARGS__)
#define ROW_RESERVED(name, parent, base, size, at, ...) \
	ROW_ANY(REGION_RESERVED, name, parent, base, size, at, 0, .bytes = true, ##__VA_ARGS__)
#define ROW_IOMMU(name, parent, base, size, at, ...) \
	ROW_ANY(REGION_IOMMU, name, parent, base, size, at, ROW_PAGES(base, size), ##__VA_ARGS__)

/* Host memory for the guest's RAM, as boot found it: whole pages. */
struct ram_extent {
	void *host;
	u64 size;
};

#define RAM_PIECES 16
/* A RAM row: a container with one RAM region for each extent that was poured into it. */
struct ram_window {
	struct region region;
	struct region piece[RAM_PIECES];
	unsigned pieces;
	u64 filled; /* bytes, from the window's start */
};

typedef void (*table_emit)(void *to, const char *line);

/* Where the mistakes of a table go; `emit` NULL: they are only counted. */
struct complaints {
	const char *what, *whose; /* what each line starts with */
	table_emit emit;
	void *to;
	unsigned found;
};
void complain(struct complaints *complaints, const char *format, ...) __printf(2, 3);

/*
 * Every mistake as a line that names the rows and their ranges (absolute, both ends included); returns how
 * many. Finds: no name, or a name used twice; an unknown parent, one that is no container, parents in a
 * circle; not page-aligned; wrap past 2^64; not inside its parent; equal-priority overlap of siblings; an
 * alias without target, or of a range that its target does not have; an alias loop; memory or a device beyond
 * `address_bits` (0: do not look); a device page inside RAM, unless declared `over_ram` and of higher
 * priority; two rows at one place in the board. (A row without size cannot be written: `last` is size - 1,
 * and the macros refuse 0.)
 */
unsigned region_table_check(const struct region_table *table, unsigned address_bits, table_emit emit,
			    void *to);

/*
 * Initialises, fills the RAM rows with `ram_size` bytes out of the extents in order, and links the tree. The
 * table must be one that region_table_check accepts. Errors are told by log_error and leave nothing linked:
 * -EINVAL (a region found at its place is not what the row says), -E2BIG (RAM rows hold less than ram_size,
 * or a row needs more than RAM_PIECES), -ENOMEM (the extents hold less than ram_size), or what region_add
 * says.
 */
int region_table_build(const struct region_table *table, void *board, u64 ram_size,
		       const struct ram_extent *extents, unsigned extent_count);
/* Unlinks all of it. */
void region_table_unbuild(const struct region_table *table, void *board);

/* NULL if there is no such row. */
const struct region_row *region_table_find(const struct region_table *table, const char *name);
/* Where a row is in its root; false if its parents are broken. */
bool region_table_range(const struct region_table *table, const struct region_row *row, u64 *first,
			u64 *last);
static inline struct region *region_row_region(const struct region_row *row, void *board)
{
	return (struct region *)((char *)board + row->at);
}

/* The table as text, one line a row, ascending under each root. */
void region_table_print(const struct region_table *table, table_emit emit, void *to);

#endif
