/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A 16550A serial port with 16-byte FIFOs (National PC16550D data sheet), without time: a byte that is written is sent at
 * once, so THRE and TEMT stay set as long as the backend takes bytes. Word length, parity and divisor are latched and have no
 * effect. Eight ports; offsets as in the data sheet.
 */
#ifndef DEVICES_UART16550_H
#define DEVICES_UART16550_H

#include "devices/irq.h"
#include "mm/access.h"

#define UART16550_PORTS 8
#define UART16550_FIFO	16

/* The other end of the cable. */
struct uart_backend {
	/*
	 * Takes a byte that the guest sent. false: no room now; call uart16550_tx_ready() when there is. Asked again also when the
	 * guest looks whether it can send. Must not call back.
	 */
	bool (*put)(void *backend, u8 byte);
	/* A byte that uart16550_receive() refused would be taken now. May be null; may call uart16550_receive(). */
	void (*rx_room)(void *backend);
	void *backend;
};

struct uart16550 {
	u8 lsr, mcr, lcr, ier; /* first: the hot ones share a cache line with the backend */
	u8 tx_count, rx_count, tx_head, rx_head;
	struct uart_backend backend;
	bool thre_pending; /* THRE happened and was not yet told by IIR, nor ended by a write of THR */
	bool line, rx_refused;
	u8 iir, fcr, msr, scr, dll, dlm;
	u8 tx[UART16550_FIFO];
	u8 rx[UART16550_FIFO];
	u8 rx_error[UART16550_FIFO]; /* LSR bits that appear when the byte reaches the top */
	struct irq_line irq;
};

extern const struct region_ops uart16550_ops; /* device: struct uart16550 * */

/* `irq` is high while any enabled cause is present and MCR.OUT2 is set, as the PC wires it. */
void uart16550_init(struct uart16550 *uart, struct uart_backend backend, struct irq_line irq);
void uart16550_reset(struct uart16550 *uart);

/* A byte from outside. false: no room (or the port is looped back); the caller keeps it, nothing is lost. */
bool uart16550_receive(struct uart16550 *uart, u8 byte);
/* A break condition from outside: a zero byte with LSR.BI. Linux takes the next byte as a SysRq key. */
bool uart16550_receive_break(struct uart16550 *uart);
/* The backend has room again: sends what waits, raises the THRE interrupt when the last of it went. */
void uart16550_tx_ready(struct uart16550 *uart);

#endif
