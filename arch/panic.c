// SPDX-License-Identifier: BSD-2-Clause
#include "arch/panic.h"

#include "arch/cpu.h"
#include "arch/host_cpu.h"
#include "arch/host_fault.h"
#include "arch/host_power.h"
#include "arch/image.h"
#include "arch/log.h"
#include "arch/serial.h"
#include "arch/symbols.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BACKTRACE_MAX 32u
#define CODE_BYTES    16u
#define EXIT_STATUS   3u /* what an emulator's exit port is told */

static enum panic_action after;
/* Reports that have been begun. A fault inside the first is told in one line, one inside that line not at all. */
static unsigned depth;
void (*panic_hook)(void);

static const char *const vector_name[32] = {
	"#DE divide error",
	"#DB debug",
	"NMI",
	"#BP breakpoint",
	"#OF overflow",
	"#BR bound range",
	"#UD invalid opcode",
	"#NM no device",
	"#DF double fault",
	"coprocessor overrun",
	"#TS invalid TSS",
	"#NP segment not present",
	"#SS stack segment",
	"#GP general protection",
	"#PF page fault",
	"reserved",
	"#MF x87",
	"#AC alignment check",
	"#MC machine check",
	"#XM SIMD",
	"#VE virtualization",
	"#CP control protection",
};

void panic_set_action(enum panic_action action)
{
	after = action;
}

void panic_write(const char *text)
{
	log_write(text, strlen(text));
}

void panic_write_hex(u64 value, unsigned digits)
{
	char text[17];

	for (unsigned i = 0; i < digits; i++)
		text[i] = "0123456789abcdef"[value >> 4 * (digits - 1 - i) & 15];
	log_write(text, digits);
}

static _Noreturn void finish(void)
{
	serial_flush();
	switch (after) {
	case PANIC_RESET:
		host_reset();
	case PANIC_POWEROFF:
		host_poweroff(EXIT_STATUS);
	case PANIC_HALT:
		break;
	}
	host_halt();
}

static void write_address(u64 address)
{
	u64 offset;
	const char *name = symbol_find(address, &offset);

	panic_write_hex(address, 16);
	if (image_is_text(address)) {
		panic_write(" = image+0x");
		panic_write_hex(address - (u64)ImageBase, 6);
	}
	if (name) {
		panic_write(" ");
		panic_write(name);
		panic_write("+0x");
		panic_write_hex(offset, 4);
	}
	panic_write("\n");
}

/*
 * The chain of frame pointers. Only followed upwards and on this CPU's own stacks, so that no content of a stack makes it
 * fault or loop.
 */
static void write_backtrace(u64 rip, u64 rsp, u64 rbp)
{
	const struct host_cpu *cpu = host_cpu_current();

	panic_write("backtrace:\n");
	/* A call through a bad pointer has pushed its return address, but no frame. */
	if (!image_is_text(rip) && cpu && host_cpu_on_stack(cpu, rsp) && host_cpu_on_stack(cpu, rsp + 7)) {
		panic_write("  ");
		write_address(rip);
		rip = *(const u64 *)rsp;
	}
	for (unsigned i = 0; i < BACKTRACE_MAX; i++) {
		u64 next;

		panic_write("  ");
		write_address(rip);
		if (!cpu || !IS_ALIGNED(rbp, 8) || !host_cpu_on_stack(cpu, rbp) ||
		    !host_cpu_on_stack(cpu, rbp + 15))
			return;
		rip = ((const u64 *)rbp)[1];
		next = ((const u64 *)rbp)[0];
		/* An exception stack is left for another one; otherwise callers lie above. */
		if (!rip || next == rbp)
			return;
		rbp = next;
	}
}

/* One begins a report; another one, while it is being written, ends it. */
static void begin(const char *what)
{
	cli();
	if (depth++ == 0) {
		if (serial_mid_line())
			panic_write("\n");
		panic_write("sluice: panic: ");
		return;
	}
	if (depth == 2) {
		panic_write("\nsluice: panic: fault inside the report: ");
		panic_write(what);
	}
}

static void run_hook(void)
{
	void (*hook)(void) = panic_hook;

	panic_hook = NULL;
	if (hook)
		hook();
}

_Noreturn void panic(const char *format, ...)
{
	char text[256];
	va_list arguments;

	begin("panic");
	if (depth > 1) {
		panic_write("\n");
		finish();
	}
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	panic_write(text);
	panic_write("\n");
	write_backtrace((u64)__builtin_return_address(0), 0, *(const u64 *)__builtin_frame_address(0));
	run_hook();
	finish();
}

static void write_registers(const struct host_frame *frame)
{
	const struct {
		const char *name;
		u64 value;
	} reg[] = {
		{ "rax", frame->rax }, { "rbx", frame->rbx },	 { "rcx", frame->rcx }, { "rdx", frame->rdx },
		{ "rsi", frame->rsi }, { "rdi", frame->rdi },	 { "rbp", frame->rbp }, { "rsp", frame->rsp },
		{ "r8 ", frame->r8 },  { "r9 ", frame->r9 },	 { "r10", frame->r10 }, { "r11", frame->r11 },
		{ "r12", frame->r12 }, { "r13", frame->r13 },	 { "r14", frame->r14 }, { "r15", frame->r15 },
		{ "rip", frame->rip }, { "flg", frame->rflags }, { "cr2", read_cr2() }, { "cr3", read_cr3() },
		{ "cr0", read_cr0() }, { "cr4", read_cr4() },	 { "cs ", frame->cs },	{ "ss ", frame->ss },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(reg); i++) {
		panic_write(reg[i].name);
		panic_write(" ");
		panic_write_hex(reg[i].value, 16);
		panic_write(i % 4 == 3 ? "\n" : "  ");
	}
}

static void write_code(u64 rip)
{
	panic_write("code at rip:");
	for (unsigned i = 0; i < CODE_BYTES && image_is_text(rip + i); i++) {
		panic_write(" ");
		panic_write_hex(*(const u8 *)(rip + i), 2);
	}
	panic_write("\n");
}

static void write_page_fault(const struct host_frame *frame)
{
	const struct host_cpu *cpu = host_cpu_current();
	const char *guard = cpu ? host_cpu_guard_name(cpu, read_cr2()) : NULL;

	panic_write(frame->error & BIT(4)   ? " executing "
		    : frame->error & BIT(1) ? " writing "
					    : " reading ");
	panic_write_hex(read_cr2(), 16);
	panic_write(frame->error & BIT(3)   ? " (reserved bit in the page tables)"
		    : frame->error & BIT(0) ? " (not permitted)"
					    : " (not mapped)");
	if (guard) {
		panic_write(": overflow of the ");
		panic_write(guard);
	}
}

_Noreturn void panic_exception(const struct host_frame *frame)
{
	const char *name = frame->vector < ARRAY_SIZE(vector_name) ? vector_name[frame->vector] : NULL;

	begin(name ? name : "exception");
	if (depth > 1) {
		if (depth == 2) {
			panic_write(" at ");
			write_address(frame->rip);
		}
		finish();
	}
	panic_write(name ? name : "exception");
	panic_write(", vector 0x");
	panic_write_hex(frame->vector, 2);
	panic_write(", error code 0x");
	panic_write_hex(frame->error, 8);
	/* A #DF has a stale CR2 unless it came of a page fault: then it is the one that could not be delivered. */
	if (frame->vector == VECTOR_PF || frame->vector == VECTOR_DF)
		write_page_fault(frame);
	panic_write("\n");
	write_registers(frame);
	write_code(frame->rip);
	write_backtrace(frame->rip, frame->rsp, frame->rbp);
	run_hook();
	finish();
}
