/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions run one snippet at a time: the test sets registers, gives a few bytes, and looks at what became of it.
 *
 * The bytes are put into the guest's memory, and an OUT that ends the run behind them. Every vector of the guest's IDT leads
 * to an OUT of its own with an IRET behind it, so that a run ends at the first exception or interrupt too; which one is told
 * by where it ended, and the rest by the frame on the guest's stack. The guest thus contains nothing but what is tested.
 */
#ifndef TESTS_TARGET_PROBE_H
#define TESTS_TARGET_PROBE_H

#include "tests/target/selftest.h"
#include "tests/target/small_vm.h"

#define PROBE_IDT	 0x8000 /* 64-bit; the one for 32-bit mode follows a page later, that of real mode is at 0 */
#define PROBE_STUBS	 0xa000 /* one a vector, PROBE_STUB bytes each */
#define PROBE_STUB	 4
#define PROBE_USER_STACK 0x70000

enum probe_mode { PROBE_64, PROBE_32, PROBE_16 };

/* What probe_run() returns, if not the vector of an exception or interrupt. */
#define PROBE_FINE    (-1) /* the snippet ran to its end */
#define PROBE_STOPPED (-2) /* the machine stopped otherwise: small->vm.stop and .fault say why */

struct probe {
	struct small_vm *small;
	struct vcpu *vcpu;
	u64 *gpr; /* in and out; RSP is set by each run */
	enum probe_mode mode;
	/* In, kept from run to run. */
	u64 code;     /* where the snippet is put; linear = physical */
	u64 rflags;   /* at its start */
	u32 blocking; /* likewise: enum guest_interruptibility; for one run */
	bool user;    /* at CPL 3 (64-bit mode) */
	/* Out, of the last run. */
	u32 error;	/* the error code, for vectors that have one */
	u64 rip, flags; /* in the frame; else at the end */
	u64 rsp, cr2;	/* of the handler */
};

/* False: no memory, said so. */
bool probe_open(struct probe *probe, const struct boot *boot, const struct small_options *options,
		enum probe_mode mode);
void probe_close(struct probe *probe);
/* The vCPU as after opening; memory and the machine's devices are left as they are. */
void probe_reset(struct probe *probe);

int probe_run(struct probe *probe, const void *code, size_t length);
/* Code that is there already. */
int probe_start(struct probe *probe, u64 rip);
/* On from where the last run ended: behind the OUT of a vector that is the IRET. */
int probe_resume(struct probe *probe);
#define PROBE(probe, ...) probe_run(probe, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

/* Single accesses by the guest, 64-bit mode; what they clobber is put back. -> vector as probe_run(). */
int probe_load32(struct probe *probe, u64 gpa, u32 *value);
int probe_store32(struct probe *probe, u64 gpa, u32 value);
int probe_rdmsr(struct probe *probe, u32 msr, u64 *value);
int probe_wrmsr(struct probe *probe, u32 msr, u64 value);
int probe_in(struct probe *probe, u16 port, u8 *value);
int probe_out(struct probe *probe, u16 port, u8 value);

/* Is `text` part of what the guest was stopped for? Notes both if not. */
bool probe_says(const struct probe *probe, const char *text);

#endif
