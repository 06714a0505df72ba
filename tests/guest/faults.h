/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The faults of the VT-d unit as Linux tells them in its log, one line each:
 *
 *	DMAR: [DMA Write NO_PASID] Request device [00:04.0] fault addr 0x101000 [fault reason 0x05] PTE Write access is not set
 *	DMAR: [INTR-REMAP] Request device [00:04.0] fault index 0x19 [fault reason 0x26] Blocked an interrupt request ...
 */
#ifndef TESTS_GUEST_FAULTS_H
#define TESTS_GUEST_FAULTS_H

#include <stdint.h>

struct dmar_fault {
	char kind; /* 'R' or 'W' for DMA, 'I': interrupt */
	unsigned requester;
	uint64_t address; /* or the index */
	unsigned reason;
};

/*
 * From here on. Linux prints ten lines in five seconds, two for a fault: waits until it prints again, if that may not be so.
 */
void faults_begin(void);
/* Those since faults_begin(), at most `room`; how many. */
unsigned faults_read(struct dmar_fault *, unsigned room);
/* Exactly this one since faults_begin(), or none. */
void faults_expect(char kind, unsigned requester, uint64_t address, unsigned reason);
void faults_expect_none(void);

#endif
