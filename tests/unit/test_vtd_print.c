// SPDX-License-Identifier: BSD-2-Clause
/* What the hypervisor's console shows of the VT-d unit. */
#include "tests/unit/vtd_rig.h"

#define TEXT 8192

struct text {
	char text[TEXT];
	size_t length;
	unsigned lines;
};

static void add(void *to, const char *line)
{
	struct text *text = to;
	size_t length = strlen(line);

	assert_true(text->length + length + 2 < TEXT);
	memcpy(text->text + text->length, line, length);
	text->length += length;
	text->text[text->length++] = '\n';
	text->text[text->length] = 0;
	text->lines++;
}

static const char *print(struct vtd_rig *v, unsigned lines, struct text *text)
{
	memset(text, 0, sizeof(*text));
	vtd_print(&v->unit, lines, add, text);
	return text->text;
}

#define assert_shows(text, what)                                                     \
	do {                                                                         \
		if (!strstr(text, what))                                             \
			fail_msg("'%s' is not in:\n%s", (const char *)(what), text); \
	} while (0)

static void a_unit_at_rest_says_so(void **state)
{
	struct text text;
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	assert_string_equal(
		print(&v, 10, &text),
		"VT-d, 48 bits: translation off, root table 0x0 (never set)\n"
		"interrupt remapping off, table 0x0 of 2 entries (never set)\n"
		"invalidation queue off, 0x0 head 0x0 tail 0x0\n"
		"blk 00:05.0: not translated; 0 faults\n"
		"edu 00:04.0: not translated; 0 faults\n"
		"IOTLB: 0 hits, 0 misses, 0 evictions, 0 entries in use\n"
		"invalidations: 0 of contexts, 0 of translations, 0 of interrupts; 0 waits, 0 bad\n"
		"interrupts: 0, 0 of them in compatible format, 0 blocked\n"
		"faults: none for the guest to read, 0 not recorded for the guest\n");
	vtd_rig_destroy(&v);
}

static void what_is_on_is_shown_with_its_tables(void **state)
{
	struct text text;
	struct vtd_rig v;
	const char *shown;

	(void)state;
	vtd_rig_init_translating(&v);
	write64(&v, R_IRTA, INTERRUPTS | 0x807);
	write64(&v, R_IQA, QUEUE);
	write32(&v, R_GCMD, TE | SIRTP | QIE | IRE | CFI);
	submit(&v, 0x5, 0);
	shown = print(&v, 10, &text);
	assert_shows(shown, "translation on, root table 0x1000\n");
	assert_shows(shown,
		     "interrupt remapping on, table 0xa000 of 256 entries, x2APIC, compatible format too\n");
	assert_shows(shown, "invalidation queue on, 0x10000 head 0x10 tail 0x10\n");
	assert_shows(shown, "1 waits, 0 bad\n");
	submit(&v, CONTEXT_GLOBAL, 0);
	submit(&v, IOTLB_GLOBAL, 0);
	submit(&v, IOTLB_OF_PAGES(DOMAIN), 0);
	submit(&v, 0x4, 0);
	assert_shows(print(&v, 10, &text),
		     "invalidations: 1 of contexts, 2 of translations, 1 of interrupts; 1 waits, 0 bad\n");
	submit(&v, 0xf, 0);
	assert_shows(print(&v, 10, &text), "tail 0x60, stopped by an error at its head\n");
	assert_shows(text.text, "1 waits, 1 bad\n");
	/* Off again: what the tables say does not matter. */
	write32(&v, R_GCMD, 0);
	assert_shows(print(&v, 10, &text), "edu 00:04.0: not translated; 0 faults\nIOTLB");
	vtd_rig_destroy(&v);
}

static void mappings_are_shown_as_ranges(void **state)
{
	struct text text;
	struct vtd_rig v;
	const char *shown;

	(void)state;
	vtd_rig_init_translating(&v);
	for (u64 page = 0; page < 16; page++)
		map_page(&v, 0x40000 + (page << 12), (DATA + (page << 12)) | 3);
	map_page(&v, 0x50000, (DATA + 0x10000) | 1);
	map_page(&v, 0x51000, (DATA + 0x20000) | 1);
	map_page(&v, 0x53000, (DATA + 0x22000) | 2);
	put(&v, L2 + 8, 0x40000083);
	put(&v, L2 + 16, 0x40200083);
	/* The interrupt range in the middle of it is not translated. */
	put(&v, L3 + 3 * 8, 0xc0000083);
	put(&v, L4 + 511 * 8, L3 | 3);
	set_context(&v, OTHER, L4 | 9, 3 << 8 | 2);
	shown = print(&v, 10, &text);
	assert_shows(shown, "blk 00:05.0: domain 3, pass-through; 0 faults\n");
	assert_shows(shown, "edu 00:04.0: domain 7, 48 bits, table 0x3000; 0 faults\n"
			    "  0x40000-0x4ffff -> 0x100000-0x10ffff read and write\n"
			    "  0x50000-0x50fff -> 0x110000-0x110fff read\n"
			    "  0x51000-0x51fff -> 0x120000-0x120fff read\n"
			    "  0x53000-0x53fff -> 0x122000-0x122fff write\n"
			    "  0x200000-0x5fffff -> 0x40000000-0x403fffff read and write\n"
			    "  0xc0000000-0xfedfffff -> 0xc0000000-0xfedfffff read and write\n"
			    "  0xfef00000-0xffffffff -> 0xfef00000-0xffffffff read and write\n"
			    "  0xff8000040000-0xff800004ffff -> 0x100000-0x10ffff read and write\n"
			    "  0xff8000050000-");
	/* No more lines than asked for. */
	assert_null(strstr(shown, "0xff8000053000"));
	assert_shows(shown, "  and more\n");
	assert_null(strstr(print(&v, 20, &text), "  and more\n"));
	assert_shows(text.text,
		     "  0xff80fef00000-0xff80ffffffff -> 0xfef00000-0xffffffff read and write\nIOTLB");
	assert_shows(print(&v, 0, &text), "0 faults\n  and more\nIOTLB");
	vtd_rig_destroy(&v);
}

static void a_table_without_end_is_not_printed_to_its_end(void **state)
{
	struct text text;
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	/* Each entry leads to the table itself: 2^36 pages. */
	for (unsigned n = 0; n < 512; n++)
		put(&v, L4 + n * 8, L4 | 3);
	print(&v, 5, &text);
	assert_shows(text.text, "  and more\n");
	assert_true(text.lines < 20);
	/* One long range that is cut off where looking ends. */
	make_tables(&v);
	for (unsigned n = 0; n < 512; n++) {
		put(&v, L4 + n * 8, 0);
		put(&v, L3 + n * 8, (0x20000 + n * 0x1000) | 3);
	}
	put(&v, L4, L3 | 3);
	for (unsigned n = 0; n < 160; n++)
		for (unsigned i = 0; i < 512; i++)
			put(&v, 0x20000 + n * 0x1000 + i * 8, ((u64)(n * 512 + i) << 21) | 0x83);
	print(&v, 5, &text);
	assert_shows(text.text, "  0xfef00000-0x");
	assert_shows(text.text, "  and more\n");
	vtd_rig_destroy(&v);
}

static void what_is_blocked_is_shown_with_its_reason(void **state)
{
	u64 address = 0xfee00000;
	struct text text;
	struct vtd_rig v;
	const char *shown;
	u32 data = 0;

	(void)state;
	vtd_rig_init_translating(&v);
	set_context(&v, OTHER, L4 | 1, DOMAIN << 8 | 2);
	map_page(&v, 0x5000, DATA | 1);
	assert_int_equal(as_write(&v.dma, 0x5678, "x", 1), MEM_ACCESS_ERROR);
	as_read(&v.other_dma, 0x6000, &address, 8);
	address = 0xfee00000;
	write32(&v, R_GCMD, TE | IRE);
	assert_false(vtd_remap_interrupt(&v.unit, IOAPIC, &address, &data));
	set_context(&v, OTHER, 0, 0);
	shown = print(&v, 10, &text);
	assert_shows(shown, "blk 00:05.0: all is blocked, context entry absent; 1 faults\n");
	assert_shows(shown, "edu 00:04.0: domain 7, 48 bits, table 0x3000; 1 faults\n"
			    "  0x5000-0x5fff -> 0x100000-0x100fff read\n");
	assert_shows(shown, "interrupts: 1, 0 of them in compatible format, 1 blocked\n");
	assert_shows(shown, "faults: the guest has these to read, 0 not recorded for the guest\n"
			    "  record 0: 00:04.0 write 0x5000: reason 0x5, no write permission\n"
			    "  record 1: 00:05.0 read 0x6000: reason 0x6, no read permission\n"
			    "  record 2: ff:00.0 write 0x0: reason 0x25, compatible format blocked\n");
	for (unsigned i = 0; i < 10; i++)
		as_write(&v.dma, 0x5678, "x", 1);
	assert_shows(print(&v, 10, &text), "to read, overflow, 5 not recorded for the guest\n");
	vtd_rig_destroy(&v);
}

static void hits_count_wherever_they_were_found(void **state)
{
	struct text text;
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0x5000, DATA | 1);
	map_page(&v, 0x15000, DATA | 1);
	for (unsigned i = 0; i < 3; i++) {
		leads_to(&v.gate, 0x5000, MEM_READ);
		leads_to(&v.gate, 0x5000, MEM_READ);
		leads_to(&v.gate, 0x15000, MEM_READ);
	}
	assert_shows(print(&v, 10, &text), "IOTLB: 7 hits, 2 misses, 0 evictions, 2 entries in use\n");
	vtd_rig_destroy(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_unit_at_rest_says_so),
		cmocka_unit_test(what_is_on_is_shown_with_its_tables),
		cmocka_unit_test(mappings_are_shown_as_ranges),
		cmocka_unit_test(a_table_without_end_is_not_printed_to_its_end),
		cmocka_unit_test(what_is_blocked_is_shown_with_its_reason),
		cmocka_unit_test(hits_count_wherever_they_were_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
