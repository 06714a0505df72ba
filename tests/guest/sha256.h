/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 (FIPS 180-4), by the CPU's own instructions where it has them: in an emulator, 64 MiB take a minute without.
 */
#ifndef TESTS_GUEST_SHA256_H
#define TESTS_GUEST_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t state[8];
	uint64_t length;
};

void sha256_begin(struct sha256 *);
/* Whole blocks of 64 bytes. */
void sha256_blocks(struct sha256 *, const uint8_t *data, size_t size);
/* The digest as 64 hexadecimal digits. */
void sha256_end(struct sha256 *, char digest[65]);

#endif
