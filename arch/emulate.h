/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carry out one guest instruction that touches a device: after an EPT violation on a device page, or after an exit of
 * INS/OUTS. Pure: the guest's registers come as pointers and values, its memory and devices as callbacks.
 *
 *   exit -> fetch at RIP (guest_walk) -> decode -> operand: gpa of the exit, or a walk -> ops->read / write -> RIP
 */
#ifndef ARCH_EMULATE_H
#define ARCH_EMULATE_H

#include "arch/decode.h"
#include "arch/guest_walk.h"
#include "arch/vectors.h"
#include "mm/types.h"

enum emulate_outcome {
	EMULATE_DONE,	     /* go on at `rip` (unchanged if a REP has iterations left, or to try again) */
	EMULATE_INJECT,	     /* inject `exception`; registers show what was completed before it */
	EMULATE_UNSUPPORTED, /* emulate_reason says why; registers show what a REP completed before */
	EMULATE_STOP,	     /* a callback asked to stop the guest; the instruction is abandoned */
};

/* Iterations of one REP instruction an exit: then the guest gets its interrupts, as between iterations on hardware. */
#define EMULATE_MAX_ITERATIONS 64

struct emulate_exception {
	u8 vector;
	bool has_error_code;
	u32 error_code;
	u64 cr2; /* #PF only */
};

/* A segment register's hidden part; `rights` as the VMCS holds them (SDM table 25-2), bit 16 = unusable. */
struct emulate_segment {
	u64 base;
	u32 limit;
	u32 rights;
};

/*
 * An access callback that returns anything but EMULATE_DONE ends the instruction with that outcome (for EMULATE_INJECT
 * it has filled emulate.exception). A device that fails the access is not such a case: the callback answers by the
 * unclaimed policy and returns EMULATE_DONE.
 */
struct emulate_ops {
	/* One access of 1, 2, 4 or 8 bytes within a page, of a device or memory; *value is zero-extended. */
	enum emulate_outcome (*read)(void *context, u64 gpa, unsigned size, u64 *value);
	enum emulate_outcome (*write)(void *context, u64 gpa, unsigned size, u64 value);
	/* Port access of INS/OUTS, 1, 2 or 4 bytes. May be NULL if emulate_port_string is not used. */
	enum emulate_outcome (*in)(void *context, u16 port, unsigned size, u32 *value);
	enum emulate_outcome (*out)(void *context, u16 port, unsigned size, u32 value);
	/* Asked for only when needed: not for a plain access in 64-bit mode. */
	void (*segment)(void *context, enum cpu_segment segment, struct emulate_segment *out);
};

/*
 * Instructions decoded before, found again by their bytes: the decoder's answer depends on nothing else. Drivers touch
 * devices from few places, so that nearly every exit skips decoding.
 */
#define EMULATE_MEMO_SIZE 32
struct emulate_memo {
	u64 bytes[2]; /* 16 bytes at RIP, all of them compared */
	u64 mode;     /* enum cpu_mode + 1; 0: empty */
	struct insn insn;
};
static_assert(sizeof(struct emulate_memo) == 64, "one cache line an entry");

/* One a vCPU, kept from exit to exit. Zero-initialise. */
struct emulate {
	/* The CPU, in and out. */
	u64 *gpr; /* CPU_GPR_COUNT, SDM order; RSP included */
	u64 rip;
	u64 rflags; /* write back if rflags_changed */

	/* In. */
	enum cpu_mode mode;
	u8 cpl;
	u8 fault_access; /* what the exit qualification says: INSN_READS, INSN_WRITES or both */
	u64 fault_gpa;	 /* of the EPT violation */
	struct guest_paging *paging;
	const struct emulate_ops *ops;
	void *context; /* handed to ops */

	/* Out. */
	bool rflags_changed;
	u8 refusal; /* private: what emulate_reason says */
	struct emulate_exception exception;
	const struct insn *insn; /* in `memo` */
	struct guest_code code;

	struct emulate_memo memo[EMULATE_MEMO_SIZE];
};

/*
 * After an EPT violation of a data access (exit qualification bit 8 set). Reads and writes of a device are done exactly
 * once each. The caller does what belongs to finishing any instruction: write back RIP, clear STI/MOV-SS blocking and
 * RFLAGS.RF, and raise #DB if RFLAGS.TF is set (a REP does one iteration an exit then).
 */
enum emulate_outcome emulate_mmio(struct emulate *emulate);

/* After an I/O exit of INS or OUTS (exit qualification bit 4 set), which hardware has checked for permission. */
enum emulate_outcome emulate_port_string(struct emulate *emulate);

/* After EMULATE_UNSUPPORTED: "movaps: SSE access to a device". 96 bytes are enough. */
void emulate_reason(const struct emulate *emulate, char *text, size_t size);

/* The instruction's bytes as far as fetched, "8b 04 25 00 00 e0 fe". 48 bytes are enough. */
void emulate_bytes(const struct emulate *emulate, char *text, size_t size);

#endif
