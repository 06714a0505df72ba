// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that checks what a 32-bit boot protocol has promised it, says so as TAP on COM1, and switches off by what the ACPI
 * tables say. Wants the command line "one two" and a module "three four" with the argument "five six".
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define COM1 0x3f8

void guest_main(u32 eax, u32 ebx, u32 eflags);

static unsigned number, failed;

static inline void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline void outw(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void say(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM1 + 5) & 0x20))
			;
		outb(COM1, (u8)*text);
	}
}

static void say_number(u32 value)
{
	char digits[11];
	unsigned at = 10;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	say(digits + at);
}

static void check(int holds, const char *what)
{
	if (!holds) {
		say("not ");
		failed++;
	}
	say("ok ");
	say_number(++number);
	say(" - ");
	say(what);
	say("\n");
}

static int same(const void *a, const void *b, u32 size)
{
	const u8 *p = a, *q = b;

	while (size && *p == *q)
		p++, q++, size--;
	return size == 0;
}

static u32 length(const char *text)
{
	u32 n = 0;

	while (text[n])
		n++;
	return n;
}

/* Does `text` end with `end`? */
static int ends(u32 text, const char *end)
{
	const u32 n = length((const char *)text), m = length(end);

	return n >= m && same((const char *)text + n - m, end, m + 1);
}

static int sums_to_zero(const void *table, u32 size)
{
	const u8 *byte = table;
	u8 sum = 0;

	while (size--)
		sum += *byte++;
	return sum == 0;
}

static u32 get32(u32 at)
{
	return *(const volatile u32 *)at;
}

static void check_processor(u32 eflags)
{
	u32 cr0, limit;
	u16 cs;

	__asm__("movl %%cr0, %0" : "=r"(cr0));
	__asm__("movw %%cs, %0" : "=r"(cs));
	__asm__("lsll %1, %0" : "=r"(limit) : "r"((u32)cs));
	check((cr0 & 0x80000001) == 1, "protected mode without paging");
	check((eflags & 0x20200) == 0, "interrupts and virtual-8086 mode off");
	check(limit == 0xffffffff, "the code segment is in the GDT and has 4 GiB");
}

/* `stride` bytes an entry, u64 base, u64 length, u32 type from `first` on. */
static void check_map(u32 first, u32 stride, u32 count)
{
	const u32 self = (u32)&guest_main;
	int sorted = 1, has_self = 0, has_low = 0;
	u64 end = 0;

	for (u32 i = 0; i < count; i++) {
		const u64 *row = (const u64 *)(first + i * stride);
		const u32 type = get32(first + i * stride + 16);

		sorted &= row[0] >= end && row[1] != 0;
		end = row[0] + row[1];
		has_self |= type == 1 && row[0] <= self && self < end;
		has_low |= type == 1 && row[0] == 0 && end >= 0x80000;
	}
	check(count > 1 && sorted, "the memory map is sorted and without overlap");
	check(has_self && has_low, "the memory map has this guest and base memory as RAM");
}

/* Ends the guest by the FADT's registers, if all tables on the way are sound. */
static void power_off(u32 rsdp)
{
	u32 xsdt, fadt = 0;

	check(rsdp && same((void *)rsdp, "RSD PTR ", 8) && sums_to_zero((void *)rsdp, 20) &&
		      sums_to_zero((void *)rsdp, 36),
	      "the RSDP is sound");
	xsdt = get32(rsdp + 24);
	check(same((void *)xsdt, "XSDT", 4) && sums_to_zero((void *)xsdt, get32(xsdt + 4)),
	      "the XSDT is sound");
	for (u32 at = xsdt + 36; at < xsdt + get32(xsdt + 4); at += 8)
		if (same((void *)get32(at), "FACP", 4))
			fadt = get32(at);
	check(fadt && sums_to_zero((void *)fadt, get32(fadt + 4)), "the FADT is sound");
	say("1..");
	say_number(number);
	say("\n");
	say_number(number - failed);
	say(" passed, ");
	say_number(failed);
	say(" failed\n");
	if (!failed)
		outw((u16)get32(fadt + 64), 5 << 10 | 1 << 13);
}

#ifdef PVH

void guest_main(u32 eax, u32 ebx, u32 eflags)
{
	u32 modules, rsdp;

	(void)eax;
	check_processor(eflags);
	check(get32(ebx) == 0x336ec578 && get32(ebx + 4) >= 1, "EBX leads to the start info");
	check(length((const char *)get32(ebx + 24)) == 7 && ends(get32(ebx + 24), "one two"),
	      "the command line is there, without the file's name");
	modules = get32(ebx + 16);
	check(get32(ebx + 12) == 1 && get32(modules + 8) == 10 &&
		      same((void *)get32(modules), "three four", 10),
	      "the module is there");
	check(same((void *)get32(modules + 16), "five six", 9), "the module has its argument");
	check_map(get32(ebx + 40), 24, get32(ebx + 48));
	rsdp = get32(ebx + 32);
	power_off(rsdp);
}

#else

void guest_main(u32 eax, u32 ebx, u32 eflags)
{
	const u32 flags = get32(ebx), modules = get32(ebx + 24);

	check_processor(eflags);
	check(eax == 0x2badb002, "EAX has the magic");
	check((flags & 0x4d) == 0x4d, "memory, command line, modules and map are given");
	check(ends(get32(ebx + 16), " one two"), "the command line is there, behind the file's name");
	check(get32(ebx + 20) == 1 && get32(modules + 4) - get32(modules) == 10 &&
		      same((void *)get32(modules), "three four", 10),
	      "the module is there");
	check(get32(modules) % 4096 == 0, "the module begins with a page");
	check(same((void *)get32(modules + 8), "five six", 9), "the module has its argument");
	check(get32(ebx + 4) >= 512 && get32(ebx + 4) <= 640 && get32(ebx + 8) >= 8192,
	      "lower and upper memory are told");
	check_map(get32(ebx + 48) + 4, 24, get32(ebx + 44) / 24);
	/* As a guest finds it that is told nothing: by the segment of the extended BIOS data area. */
	power_off((u32) * (const volatile u16 *)0x40e << 4);
}

#endif
