/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lwIP asks of compiler and platform. Its own sources include this too, in all three builds (hypervisor, host tests,
 * fuzzing): nothing here may need a header of the project.
 */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

/* newlib's sys/types.h has ssize_t, but its limits.h does not tell. */
#define LWIP_NO_UNISTD_H 1
#ifndef SSIZE_MAX
#define SSIZE_MAX LONG_MAX
#endif

#define lwip_htons(value) __builtin_bswap16(value)
#define lwip_htonl(value) __builtin_bswap32(value)

/* The Internet checksum's sum, network_sum.c. */
uint16_t network_lwip_sum(const void *data, int length);
#define LWIP_CHKSUM network_lwip_sum

#define LWIP_PLATFORM_DIAG(message) \
	do {                        \
	} while (0)

/*
 * An assertion of lwIP's that does not hold ends the call that network.c made, and with it the network, not the hypervisor:
 * it does not return.
 */
void network_lwip_failed(const char *assertion) __attribute__((noreturn));
#define LWIP_PLATFORM_ASSERT(message) network_lwip_failed(message)

/* From the CPU's generator where it has one: port numbers, transaction numbers, first sequence numbers. */
uint32_t network_lwip_random(void);
#define LWIP_RAND()							network_lwip_random()
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) network_lwip_random()

#endif
