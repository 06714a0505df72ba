/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the files that hold the cases of poke_virtio.c: what a row is made of, and what each case begins and ends with.
 */
#ifndef TESTS_GUEST_VIRTIO_CASES_H
#define TESTS_GUEST_VIRTIO_CASES_H

#include "tests/guest/virtio_user.h"

enum { SECTOR = 512, ENTRY = sizeof(struct descriptor) };
#define ANY (NOTHING | OK | ERROR | BROKEN)

/* Descriptors: a request's header, its status, a sector's data, and more of it than there is. */
/* clang-format off */
#define HEAD { HEADER, 16, 0, 0 }
#define TAIL { STATUS, 1, WRITE, 0 }
#define DATA { AT(DATA_PAGE), SECTOR, WRITE, 0 }
#define HUGE { AT(DATA_PAGE), 0xfffffe00, WRITE, 0 }
/* clang-format on */

/* A reset, and the driver ready. */
void virtio_fresh(void);
/* What the case has come to, beside what it may come to; the canaries; and whether a reset recovers. Counts. */
void virtio_judge(const char *name, enum outcome got, unsigned expected);

void virtio_wrong_chains(void);

#endif
