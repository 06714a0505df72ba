/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the checks of poke share. Each returns if it holds; if not, fail() says what was seen and ends the process.
 */
#ifndef TESTS_GUEST_POKE_H
#define TESTS_GUEST_POKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096u

void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define EXPECT(got, expected)                                                                            \
	do {                                                                                             \
		const unsigned long long got_ = (got), expected_ = (expected);                           \
		if (got_ != expected_)                                                                   \
			fail("line %d: %s is 0x%llx, expected 0x%llx", __LINE__, #got, got_, expected_); \
	} while (0)

/* /dev/mem, and `size` bytes of the guest-physical space from `address` on. */
int open_memory(void);
volatile uint8_t *physical(uint64_t address, size_t size);

static inline uint32_t get32(volatile uint8_t *registers, unsigned offset)
{
	return *(volatile uint32_t *)(registers + offset);
}

static inline void set32(volatile uint8_t *registers, unsigned offset, uint32_t value)
{
	*(volatile uint32_t *)(registers + offset) = value;
}

/* The count of the row `name` of /proc/interrupts. */
unsigned long interrupts(const char *name);

/* A check of edu by its name; false: there is none with that name. */
bool edu_check(const char *name, const unsigned long argument[3]);
/* The same of disks and random numbers, with the words behind the name; of edu by way of vfio-pci. */
bool disk_check(const char *name, char **argument);
bool vfio_check(const char *name);
/* Drivers of a virtio disk as none should be. */
bool virtio_check(const char *name, const char *function);

#endif
