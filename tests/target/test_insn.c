// SPDX-License-Identifier: BSD-2-Clause
/*
 * Every instruction form that is carried out for the guest, against the processor: once with its operand in RAM, where the
 * processor executes it, once on a device page, where the hypervisor does. Both must leave the same registers, flags and
 * memory, and the device must have seen each access once and in one piece.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "tests/target/insn_forms.h"
#include "tests/target/probe.h"

#define TRIALS	   3   /* of each form, with other registers each time */
#define USED_BYTES 256 /* no form reaches further on its pages */

/* Guest-physical pages behind the linear ones of insn_forms.h. */
#define GPA_TABLE   0x500000
#define GPA_OPERAND 0x501000 /* in the run that is in RAM */
#define GPA_RAM	    0x502000
#define GPA_CODE    0x510000

#define RFLAGS_STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

struct bench {
	struct probe p;
	u64 random;
	u64 before[CPU_GPR_COUNT];
	u8 operand[USED_BYTES], ram[USED_BYTES];
	/* After one of the two runs. */
	struct outcome {
		int vector;
		u64 gpr[CPU_GPR_COUNT], flags;
		u8 operand[USED_BYTES], ram[USED_BYTES];
	} in_ram, in_device;
};

static u64 next_random(struct bench *b)
{
	b->random ^= b->random << 13;
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return b->random;
}

static void choose_state(struct bench *b)
{
	for (unsigned i = 0; i < CPU_GPR_COUNT; i++)
		b->before[i] = next_random(b);
	b->before[RCX] = INSN_FORMS_RCX;
	b->before[RDX] = INSN_FORMS_RDX;
	b->p.rflags = (next_random(b) & (RFLAGS_STATUS | RFLAGS_DF)) | RFLAGS_ONE;
	for (unsigned i = 0; i < USED_BYTES; i++)
		b->operand[i] = b->ram[i] = next_random(b);
	/* Comparisons shall come out either way. */
	if (next_random(b) & 1)
		memcpy(b->operand + 0x40, &b->before[RAX], 8);
	if (next_random(b) & 1)
		b->ram[0x40 + next_random(b) % 16]++;
}

static void run(struct bench *b, const u8 *code, size_t length, u8 *operand, u8 *ram, struct outcome *out)
{
	memcpy(operand, b->operand, USED_BYTES);
	memcpy(ram, b->ram, USED_BYTES);
	memcpy(b->p.gpr, b->before, sizeof(b->before));
	b->p.small->accesses = 0;
	out->vector = probe_run(&b->p, code, length);
	memcpy(out->gpr, b->p.gpr, sizeof(out->gpr));
	out->gpr[RSP] = 0;
	out->flags = b->p.flags & (RFLAGS_STATUS | RFLAGS_DF);
	memcpy(out->operand, operand, USED_BYTES);
	memcpy(out->ram, ram, USED_BYTES);
}

static bool same(const struct bench *b, const char *text, unsigned mode)
{
	const struct outcome *x = &b->in_ram, *y = &b->in_device;

	/* An instruction that this processor does not have is the same on both. */
	if ((x->vector == PROBE_FINE || (x->vector == VECTOR_UD && strstr(text, "clflushopt"))) &&
	    memcmp(x, y, sizeof(*x)) == 0)
		return true;
	selftest_note("%s (%u bits): vector %d, flags 0x%llx; on a device: vector %d, flags 0x%llx; %s%s",
		      text, mode, x->vector, (unsigned long long)x->flags, y->vector,
		      (unsigned long long)y->flags,
		      memcmp(x->operand, y->operand, USED_BYTES) ? "the operand differs " : "",
		      memcmp(x->ram, y->ram, USED_BYTES) ? "RAM differs" : "");
	if (y->vector == PROBE_STOPPED)
		selftest_note("%s", b->p.small->vm.fault);
	for (unsigned i = 0; i < CPU_GPR_COUNT; i++)
		if (x->gpr[i] != y->gpr[i])
			selftest_note("register %u: 0x%llx -> 0x%llx, on a device 0x%llx", i,
				      (unsigned long long)b->before[i], (unsigned long long)x->gpr[i],
				      (unsigned long long)y->gpr[i]);
	return false;
}

/* One read if it reads, one write if it writes, of the operand's size; strings: one an iteration. */
static bool accesses_are_right(const struct bench *b, const struct insn *insn, const char *text)
{
	const struct small_vm *small = b->p.small;
	bool string = insn->form == INSN_STRING, fine = true;
	unsigned expected = !!(insn->access & INSN_READS) + !!(insn->access & INSN_WRITES);

	if (string && (insn->op == INSN_LODS || insn->rep)) /* LODS: at RSI; repeated ones: see below */
		return true;
	fine &= small->accesses == expected;
	for (unsigned i = 0; i < small->accesses && i < SMALL_LOG; i++) {
		const struct small_access *a = &small->access[i];

		fine &= a->size == insn->memory_size;
		fine &= a->write == (i > 0 || !(insn->access & INSN_READS));
		fine &= a->offset == small->access[0].offset;
	}
	if (!fine)
		selftest_note("%s: %u accesses on the device, the first of %u bytes at 0x%llx; expected %u "
			      "of %u bytes",
			      text, small->accesses, small->access[0].size,
			      (unsigned long long)small->access[0].offset, expected, insn->memory_size);
	return fine;
}

/* ---- 64-bit mode: the linear addresses of insn_forms.h ---- */

static void map_page(struct bench *b, u64 linear, u64 gpa)
{
	u64 *table = (u64 *)(b->p.small->host + GPA_TABLE);

	table[linear >> PAGE_SHIFT & 511] = gpa | 7;
	b->p.vcpu->todo |= TODO_FLUSH;
}

static bool open_bench(struct bench **bench, const struct boot *boot, enum probe_mode mode)
{
	struct bench *b = *bench = calloc(1, sizeof(*b));

	if (!b)
		return EXPECT(b);
	b->random = 0x5107ce;
	if (!probe_open(&b->p, boot, &(struct small_options){ 0 }, mode)) {
		free(b);
		return false;
	}
	return true;
}

static void close_bench(struct bench *b)
{
	probe_close(&b->p);
	free(b);
}

static bool open_long(struct bench **bench, const struct boot *boot)
{
	if (!open_bench(bench, boot, PROBE_64))
		return false;
	struct bench *b = *bench;
	u64 *directories = (u64 *)(b->p.small->host + SMALL_TABLES + 2 * PAGE_SIZE);

	directories[INSN_FORMS_OPERAND >> 21] = GPA_TABLE | 7;
	map_page(b, INSN_FORMS_RAM, GPA_RAM);
	map_page(b, INSN_FORMS_CODE, GPA_CODE);
	map_page(b, INSN_FORMS_CODE + PAGE_SIZE, GPA_CODE + 5 * PAGE_SIZE);
	return true;
}

/* Places the snippet with its end at `linear`, over the page's edge if need be. */
static void place(struct bench *b, u64 linear, const u8 *code, size_t length)
{
	u8 all[32];

	memcpy(all, code, length);
	all[length++] = 0xe6; /* out SMALL_EXIT_PORT, al */
	all[length++] = SMALL_EXIT_PORT;
	for (size_t i = 0; i < length; i++, linear++) {
		u64 gpa = GPA_CODE + (linear & PAGE_MASK) + (linear & PAGE_SIZE ? 5 * PAGE_SIZE : 0);

		b->p.small->host[gpa] = all[i];
	}
}

/* At `linear`: in RAM, then on the device. */
static bool compare_long(struct bench *b, const struct insn_form_entry *form, u64 linear)
{
	struct small_vm *small = b->p.small;
	struct insn insn;
	u8 buffer[INSN_BUFFER] = { 0 };

	memcpy(buffer, form->bytes, form->length);
	if (insn_decode(&insn, buffer, form->length, CPU_MODE_64) != INSN_OK) {
		selftest_note("%s is not decoded", form->text);
		return false;
	}
	for (unsigned run_number = 0; run_number < 2; run_number++) {
		struct outcome *out = run_number ? &b->in_device : &b->in_ram;
		u8 *operand = run_number ? small->registers : small->host + GPA_OPERAND;
		u8 *ram = small->host + GPA_RAM;

		map_page(b, INSN_FORMS_OPERAND, run_number ? SMALL_DEVICE : GPA_OPERAND);
		place(b, linear, form->bytes, form->length);
		memcpy(operand, b->operand, USED_BYTES);
		memcpy(ram, b->ram, USED_BYTES);
		memcpy(b->p.gpr, b->before, sizeof(b->before));
		small->accesses = 0;
		*out = (struct outcome){ .vector = probe_start(&b->p, linear) };
		memcpy(out->gpr, b->p.gpr, sizeof(out->gpr));
		out->gpr[RSP] = 0;
		out->flags = b->p.flags & (RFLAGS_STATUS | RFLAGS_DF);
		memcpy(out->operand, operand, USED_BYTES);
		memcpy(out->ram, ram, USED_BYTES);
	}
	return same(b, form->text, 64) && accesses_are_right(b, &insn, form->text);
}

static bool long_mode(const struct boot *boot)
{
	struct bench *b;

	if (!open_long(&b, boot))
		return false;
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(insn_forms) && fine; i++) {
		for (unsigned n = 0; n < TRIALS && fine; n++) {
			choose_state(b);
			b->before[RDI] = INSN_FORMS_OPERAND + 0x40;
			b->before[RSI] = INSN_FORMS_RAM + 0x40;
			fine = compare_long(b, &insn_forms[i], INSN_FORMS_CODE);
		}
	}
	close_bench(b);
	return fine;
}

/* The same with all but the first byte, and with the last byte, on another page. RIP-relative ones are elsewhere then. */
static bool page_crossing_fetch(const struct boot *boot)
{
	struct bench *b;

	if (!open_long(&b, boot))
		return false;
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(insn_forms) && fine; i++) {
		const struct insn_form_entry *form = &insn_forms[i];

		if (form->length < 2 || strstr(form->text, "rip +"))
			continue;
		for (unsigned first = 1; first < form->length && fine; first += MAX(form->length - 2, 1)) {
			choose_state(b);
			b->before[RDI] = INSN_FORMS_OPERAND + 0x40;
			b->before[RSI] = INSN_FORMS_RAM + 0x40;
			fine = compare_long(b, form, INSN_FORMS_CODE + PAGE_SIZE - first);
		}
	}
	close_bench(b);
	return fine;
}

/* ---- 32- and 16-bit modes: no paging; the operand is where DI points to ---- */

/* Is it encoded alike there, and addresses by DI only? */
static bool exists_in(const struct insn_form_entry *form, enum cpu_mode mode, struct insn *insn)
{
	u8 buffer[INSN_BUFFER] = { 0 };

	memcpy(buffer, form->bytes, form->length);
	return insn_decode(insn, buffer, form->length, mode) == INSN_OK && insn->length == form->length &&
	       (insn->form == INSN_STRING || (insn->base == RDI && insn->index == INSN_NO_REG));
}

static bool compare_legacy(struct bench *b, const struct insn_form_entry *form, const struct insn *insn,
			   u64 in_ram, u64 in_device, unsigned bits)
{
	struct small_vm *small = b->p.small;
	u8 *ram = small->host + GPA_RAM;

	b->before[RDI] = in_ram;
	run(b, form->bytes, form->length, small->host + GPA_OPERAND, ram, &b->in_ram);
	b->before[RDI] = in_device;
	if (bits == 16) {
		vmwrite(VMCS_GUEST_ES_BASE, SMALL_DEVICE);
		vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_BASE, SEG_DS), SMALL_DEVICE);
	}
	run(b, form->bytes, form->length, small->registers, ram, &b->in_device);
	if (bits == 16) {
		vmwrite(VMCS_GUEST_ES_BASE, GPA_OPERAND);
		vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_BASE, SEG_DS), GPA_OPERAND);
	}
	b->in_ram.gpr[RDI] -= in_ram;
	b->in_device.gpr[RDI] -= in_device;
	return same(b, form->text, bits) && accesses_are_right(b, insn, form->text);
}

static bool protected_mode(const struct boot *boot)
{
	struct bench *b;
	unsigned compared = 0;

	if (!open_bench(&b, boot, PROBE_32))
		return false;
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(insn_forms) && fine; i++) {
		struct insn insn;

		if (!exists_in(&insn_forms[i], CPU_MODE_32, &insn) || insn.address_size != 4)
			continue;
		compared++;
		for (unsigned n = 0; n < TRIALS && fine; n++) {
			choose_state(b);
			for (unsigned r = 0; r < CPU_GPR_COUNT; r++)
				b->before[r] = (u32)b->before[r];
			b->before[RSI] = GPA_RAM + 0x40;
			fine = compare_legacy(b, &insn_forms[i], &insn, GPA_OPERAND + 0x40,
					      SMALL_DEVICE + 0x40, 32);
		}
	}
	close_bench(b);
	return EXPECT(compared > 150) && fine;
}

/* Real mode, with the operand's page under DS and ES and the other one under FS. */
static bool real_mode(const struct boot *boot)
{
	/* Ways to address that only 16 bits have: BX 0x20, BP 0x30, SI 0x40, DI 0x40. */
	static const struct insn_form_entry addressing[] = {
		FORM("mov ax, [bx]", 0x8b, 0x07),
		FORM("mov ax, [si]", 0x8b, 0x04),
		FORM("mov [bx + si], ax", 0x89, 0x00),
		FORM("mov [bx + di + 5], ax", 0x89, 0x41, 0x05),
		FORM("add ds:[bp + si], ax", 0x3e, 0x01, 0x02),
		FORM("xor ds:[bp + di + 0x12], eax", 0x66, 0x3e, 0x31, 0x83, 0x12, 0x00),
		FORM("mov ax, ds:[bp - 2]", 0x3e, 0x8b, 0x46, 0xfe),
		FORM("mov ax, [disp16]", 0x8b, 0x06, 0x42, 0x00),
		FORM("mov al, [moffs16]", 0xa0, 0x43, 0x00),
		FORM("mov [moffs16], ax", 0xa3, 0x44, 0x00),
		FORM("mov es:[di], cl", 0x26, 0x88, 0x0d),
		FORM("movzx eax, b [di]", 0x66, 0x0f, 0xb6, 0x05),
		FORM("inc w [di - 0x20]", 0xff, 0x45, 0xe0),
		FORM("stosb", 0xaa),
		FORM("rep stosd", 0xf3, 0x66, 0xab),
		FORM("rep movsw fs:", 0x64, 0xf3, 0xa5),
		FORM("cmpsb fs:", 0x64, 0xa6),
		FORM("scasw", 0xaf),
	};
	struct bench *b;
	unsigned compared = 0;

	if (!open_bench(&b, boot, PROBE_16))
		return false;
	vmwrite(VMCS_GUEST_ES_BASE, GPA_OPERAND);
	vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_BASE, SEG_DS), GPA_OPERAND);
	vmwrite(VMCS_SEGMENT(VMCS_GUEST_ES_BASE, SEG_FS), GPA_RAM);
	bool fine = true;
	for (unsigned i = 0; i < ARRAY_SIZE(insn_forms) + ARRAY_SIZE(addressing) && fine; i++) {
		struct insn_form_entry form;
		struct insn insn;

		if (i < ARRAY_SIZE(addressing)) {
			form = addressing[i];
			u8 buffer[INSN_BUFFER] = { 0 };

			memcpy(buffer, form.bytes, form.length);
			fine &= EXPECT(insn_decode(&insn, buffer, form.length, CPU_MODE_16) == INSN_OK);
		} else {
			/* The others with 32-bit addressing. MOVS and CMPS would have both operands in one page. */
			form = insn_forms[i - ARRAY_SIZE(addressing)];
			if (form.length == 15 || form.bytes[0] == 0x67 || form.bytes[1] == 0x67)
				continue;
			memmove(form.bytes + 1, form.bytes, form.length++);
			form.bytes[0] = 0x67;
			if (!exists_in(&form, CPU_MODE_16, &insn) || insn.op == INSN_MOVS ||
			    insn.op == INSN_CMPS || insn.op == INSN_LODS)
				continue;
		}
		compared++;
		for (unsigned n = 0; n < TRIALS && fine; n++) {
			choose_state(b);
			b->before[RBX] = 0x20;
			b->before[RBP] = 0x30;
			b->before[RSI] = 0x40;
			fine = compare_legacy(b, &form, &insn, 0x40, 0x40, 16);
		}
	}
	close_bench(b);
	return EXPECT(compared > 150) && fine;
}

static const struct selftest tests[] = {
	{ "every form in 64-bit mode does what the processor does", long_mode },
	{ "every form, fetched over the edge of a page", page_crossing_fetch },
	{ "every form in 32-bit mode does what the processor does", protected_mode },
	{ "every form in real mode does what the processor does", real_mode },
};

const struct selftest_group test_insn = SELFTEST_GROUP("insn", tests);
