/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's own serial line: a 16550 (or 8250/16450) with a transmit and a receive ring. It carries the log, the
 * hypervisor console and the guest's console.
 *
 * Nothing here waits but serial_flush(). Before interrupts are set up serial_poll() moves the bytes; later the UART's
 * interrupt does, which arrives as a VM exit: 16 bytes an exit.
 */
#ifndef ARCH_SERIAL_H
#define ARCH_SERIAL_H

#include "mm/types.h"

#define SERIAL_TX_SIZE (16 * KiB)
#define SERIAL_RX_SIZE 1024
#define SERIAL_NO_IRQ  (-1)

/* 8N1 on the UART at I/O `port`; `baud` divides 115200. False: nothing answers there; output is then dropped. */
bool serial_init(u16 port, u32 baud);
/* The ISA interrupt that the UART at this port has on every PC, or SERIAL_NO_IRQ. */
int serial_irq(void);
/* From now on serial_service() is called at each of the UART's interrupts. */
void serial_enable_interrupts(void);

/* Queues a byte. False: the ring is full, try again after an interrupt or a poll. */
bool serial_put(u8 byte);
/* Bytes that serial_put() will take now. */
size_t serial_room(void);
/* The next received byte, or -1. */
int serial_get(void);
/* How often received bytes found a full FIFO or a full ring: nobody came for them in time. */
u64 serial_lost(void);
/* Was the last byte queued other than a newline? */
bool serial_mid_line(void);

/*
 * Moves bytes both ways as far as that needs no wait: one port access when there is nothing to do. For before interrupts are
 * set up, and for work so long that a FIFO of 16 bytes could run over meanwhile. What it has received interrupts afterwards.
 */
void serial_poll(void);
/* At an interrupt of the UART: like serial_poll(), until the UART has no reason left to interrupt. */
void serial_service(void);
/*
 * Waits until everything queued is on the wire. Drops what a UART does not take that has stopped sending. An interrupt follows:
 * there is room.
 */
void serial_flush(void);

#endif
