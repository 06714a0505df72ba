/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registers of the edu device, however a check got them mapped.
 */
#ifndef TESTS_GUEST_EDU_H
#define TESTS_GUEST_EDU_H

#include <stdint.h>

#define EDU_BAR_SIZE	0x100000u
#define EDU_BUFFER	0x40000u /* its own, named as a source or destination only */
#define EDU_BUFFER_SIZE 4096u

enum {
	EDU_ID,
	EDU_LIVENESS = 4,
	EDU_FACTORIAL = 8,
	EDU_STATUS = 0x20,
	EDU_INTERRUPTS = 0x24,
	EDU_RAISE = 0x60,
	EDU_ACKNOWLEDGE = 0x64
};
enum { EDU_SOURCE = 0x80, EDU_DESTINATION = 0x88, EDU_COUNT = 0x90, EDU_COMMAND = 0x98 };
enum { EDU_RUN = 1, EDU_TO_RAM = 2, EDU_TELL = 4 };
enum { EDU_BUSY = 1, EDU_TELL_FACTORIAL = 0x80 }; /* of the status */

/* sysfs' files of the function, which no driver has; its registers. */
void edu_open(void);
extern volatile uint8_t *edu;
uint32_t edu_config_read(unsigned offset, unsigned size);
void edu_config_write(unsigned offset, unsigned size, uint32_t value);

/* Until the register has not that bit any more; at most a second. */
void edu_wait(unsigned offset, uint32_t bit);
/* One transfer from bus address to bus address, of which one is in its buffer; EDU_TO_RAM, EDU_TELL or 0. Until it is done. */
void edu_transfer(uint64_t source, uint64_t destination, uint32_t count, uint32_t command);

#endif
