/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VT-d unit in legacy mode as the specification describes it (chapters 3, 5, 6, 7, 10), done in the plainest
 * way and written from there, never from the code in iommu/: each access walks root, context and page tables
 * anew, each interrupt reads its entry anew.
 *
 * Hardware may still use what it read before, as long as nobody told it to forget (6.1; never what was absent
 * or in error, caching mode being 0). So the model keeps, without bound in what and for whom, each context
 * entry, translation and interrupt entry that was in use since its last invalidation, and has more than one
 * answer while tables differ from that: the first is what they say now.
 *
 * What the unit offers is read from its CAP_REG and ECAP_REG.
 */
#ifndef TESTS_UNIT_NAIVE_VTD_H
#define TESTS_UNIT_NAIVE_VTD_H

#include <string.h>

#include "mm/access.h"

#define NAIVE_VTD_RAMS	   2
#define NAIVE_VTD_RECORDS  8
#define NAIVE_VTD_KEPT	   512
#define NAIVE_VTD_ANSWERS  16
#define NAIVE_VTD_MESSAGES 64
#define NAIVE_VTD_MAPPINGS 4

struct naive_vtd_ram {
	u64 base, size;
	u8 *bytes;
};

/* What a DMA access within one page may give. */
struct naive_vtd_answer {
	u64 address;	 /* reason 0: where the byte asked for is */
	unsigned reason; /* fault reason of chapter 7; 0: none */
	bool silent;	 /* not recorded: FPD */
};

/* What an interrupt request may become. */
struct naive_vtd_interrupt {
	u64 address;
	u32 data;
	u16 index; /* of a fault */
	unsigned reason;
	bool silent;
};

struct naive_vtd_message {
	u64 address;
	u32 data;
};

/* FECTL and IECTL with what follows them. */
struct naive_vtd_event {
	bool masked, pending;
	u32 data, address, upper;
};

struct naive_vtd_context {
	u16 requester;
	u64 low, high;
};

struct naive_vtd_translation {
	u16 domain;
	u64 iova, mask, address;
	u32 permission;
};

struct naive_vtd_irte {
	u32 index;
	u64 low, high;
};

/* What a device uses without asking again: gone with the invalidation of what it was made of. */
struct naive_vtd_mapping {
	bool live, gone;
	bool vague; /* it may have been made of something else that is remembered: only all of it is sure to be gone */
	u16 domain;
	u64 first, last;
};

struct naive_vtd {
	struct naive_vtd_ram ram[NAIVE_VTD_RAMS];
	unsigned host_width;
	u64 cap, ecap;
	int trusted; /* requester whose interrupts are not verified; -1: none */

	u32 gsts, fsts, iqh, iqt;			      /* fsts: without PPF and FRI */
	u64 rtaddr, root, irta, table, iqa, ccmd, iva, iotlb; /* root and table: in use */
	bool iwc;
	struct naive_vtd_event fault_event, queue_event;
	struct {
		u64 low, high;
	} record[NAIVE_VTD_RECORDS];
	unsigned next_record, first_record;

	struct naive_vtd_message message[NAIVE_VTD_MESSAGES]; /* sent since the caller last looked */
	unsigned messages;

	struct naive_vtd_context context[NAIVE_VTD_KEPT];
	struct naive_vtd_translation translation[NAIVE_VTD_KEPT];
	struct naive_vtd_irte irte[NAIVE_VTD_KEPT];
	unsigned contexts, translations, irtes;
	struct naive_vtd_mapping mapping[NAIVE_VTD_MAPPINGS];
};

/* Power-on state. `ram`: what the unit can read and write, not copied. */
void naive_vtd_init(struct naive_vtd *vtd, u64 cap, u64 ecap, unsigned host_width, int trusted,
		    const struct naive_vtd_ram ram[NAIVE_VTD_RAMS]);

/* Registers, 4 or 8 bytes, naturally aligned. */
u64 naive_vtd_read(const struct naive_vtd *vtd, u64 offset, unsigned size);
void naive_vtd_write(struct naive_vtd *vtd, u64 offset, unsigned size, u64 value);

/* Whole and within one piece of RAM, or false. */
bool naive_vtd_load(const struct naive_vtd *vtd, u64 address, void *to, u64 size);
bool naive_vtd_store(struct naive_vtd *vtd, u64 address, const void *from, u64 size);

/* Every answer that is allowed, each once; the first one is that of the tables as they are. Returns how many. */
unsigned naive_vtd_translate(const struct naive_vtd *vtd, u16 requester, u64 iova, enum mem_access access,
			     struct naive_vtd_answer answer[NAIVE_VTD_ANSWERS]);
/* An access was made: what it may have left in caches. False: no room, time for invalidation. */
bool naive_vtd_used(struct naive_vtd *vtd, u16 requester, u64 iova);
/* An access was answered so: records the fault, if it is one. */
void naive_vtd_fault(struct naive_vtd *vtd, u16 requester, u64 iova, enum mem_access access,
		     const struct naive_vtd_answer *answer);

/*
 * A mapping of [first, last] was made in the slot; with translation on, by way of the pages that memory has now: they go
 * as a whole. False: there are none that could have led to it.
 */
bool naive_vtd_mapped(struct naive_vtd *vtd, unsigned slot, u16 requester, u64 first, u64 last);

/*
 * For those who look for trouble: the address of the entry of this level on the way of `iova`, and in which domain;
 * 0 if the tables do not lead there.
 */
u64 naive_vtd_context(const struct naive_vtd *vtd, u16 requester); /* of the context entry */
u64 naive_vtd_entry(const struct naive_vtd *vtd, u16 requester, u64 iova, unsigned level, u16 *domain);

/* The same three for interrupts. */
unsigned naive_vtd_remap(const struct naive_vtd *vtd, u16 requester, u64 address, u32 data,
			 struct naive_vtd_interrupt answer[NAIVE_VTD_ANSWERS]);
bool naive_vtd_remap_used(struct naive_vtd *vtd, u64 address, u32 data);
void naive_vtd_remap_fault(struct naive_vtd *vtd, u16 requester, const struct naive_vtd_interrupt *answer);

/*
 * ---- what the files of the naive unit have in common
 * ---------------------------------------------------------
 */

/* GSTS_REG and FSTS_REG */
#define NAIVE_TES   (1u << 31)
#define NAIVE_RTPS  (1u << 30)
#define NAIVE_QIES  (1u << 26)
#define NAIVE_IRES  (1u << 25)
#define NAIVE_IRTPS (1u << 24)
#define NAIVE_CFIS  (1u << 23)
#define NAIVE_PFO   (1u << 0)
#define NAIVE_PPF   (1u << 1)
#define NAIVE_IQE   (1u << 4)

static inline u64 naive_vtd_field(u64 value, unsigned high, unsigned low)
{
	return (value & BITS(high, low)) >> low;
}

static inline u64 naive_vtd_quad(const u8 *bytes)
{
	u64 value;

	memcpy(&value, bytes, 8);
	return value;
}

void naive_vtd_record(struct naive_vtd *vtd, u64 low, u16 requester, unsigned reason, bool read);
/* Bits of FSTS; an event, if none is set yet. */
void naive_vtd_set_status(struct naive_vtd *vtd, u32 bits);
void naive_vtd_raise(struct naive_vtd *vtd, struct naive_vtd_event *event);
void naive_vtd_run_queue(struct naive_vtd *vtd);
/* CCMD_REG and IOTLB_REG were told to. */
void naive_vtd_context_command(struct naive_vtd *vtd);
void naive_vtd_iotlb_command(struct naive_vtd *vtd);
void naive_vtd_forget_contexts(struct naive_vtd *vtd, unsigned granularity, u16 domain, u16 requester,
			       unsigned function_mask);
void naive_vtd_forget_translations(struct naive_vtd *vtd, unsigned granularity, u16 domain, u64 address,
				   unsigned order);
void naive_vtd_forget_mappings(struct naive_vtd *vtd);
void naive_vtd_forget_irtes(struct naive_vtd *vtd, bool all, u16 index, unsigned order);

#endif
