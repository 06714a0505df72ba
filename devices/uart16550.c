// SPDX-License-Identifier: BSD-2-Clause
// LSR reads and THR writes are the most frequent port accesses of a boot: both have a short straight path at the top of
// uart_read() and uart_write().

#include "devices/uart16550.h"
#include "devices/isa.h"

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

enum { IER_RECEIVED = 0x01, IER_THRE = 0x02, IER_LINE_STATUS = 0x04, IER_MODEM_STATUS = 0x08 };
enum {
	IIR_MODEM_STATUS = 0x00,
	IIR_NONE = 0x01,
	IIR_THRE = 0x02,
	IIR_RECEIVED = 0x04,
	IIR_LINE_STATUS = 0x06
};
enum { IIR_TIMEOUT = 0x0c, IIR_ID = 0x0f, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_CLEAR_TX = 0x04, FCR_LATCHED = 0xc9 };
enum { LCR_BREAK = 0x40, LCR_DLAB = 0x80, MCR_OUT2 = 0x08, MCR_LOOP = 0x10 };
enum { LSR_DATA = 0x01, LSR_OVERRUN = 0x02, LSR_BREAK = 0x10, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum { LSR_FIFO_ERROR = 0x80, LSR_ERRORS = 0x1e };
enum { MSR_DELTAS = 0x0f, MSR_RI = 0x40, MSR_IDLE = 0xb0 }; /* idle: the other end gives DCD, DSR, CTS */

static unsigned uart_depth(const struct uart16550 *u)
{
	return u->fcr & FCR_ENABLE ? UART16550_FIFO : 1;
}

static unsigned uart_rx_trigger(const struct uart16550 *u)
{
	static const u8 level[] = { 1, 4, 8, 14 };

	return level[u->fcr >> 6]; /* FCR is zero without FIFOs */
}

/* The identification register and the wire follow from everything else (data sheet, table IV). */
static void uart_update(struct uart16550 *u)
{
	u8 id = IIR_NONE;
	bool line;

	if ((u->ier & IER_LINE_STATUS) && (u->lsr & LSR_ERRORS))
		id = IIR_LINE_STATUS;
	else if ((u->ier & IER_RECEIVED) && (u->lsr & LSR_DATA))
		/* No time passes on this line, so a time-out is due as soon as fewer bytes wait than asked for. */
		id = u->rx_count >= uart_rx_trigger(u) ? IIR_RECEIVED : IIR_TIMEOUT;
	else if ((u->ier & IER_THRE) && u->thre_pending)
		id = IIR_THRE;
	else if ((u->ier & IER_MODEM_STATUS) && (u->msr & MSR_DELTAS))
		id = IIR_MODEM_STATUS;
	u->iir = id | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);

	line = id != IIR_NONE && (u->mcr & MCR_OUT2);
	if (line != u->line) {
		u->line = line;
		irq_line_set(&u->irq, line);
	}
}

/* A byte came to the top of the FIFO: its errors show in LSR from now on. */
static void uart_rx_top(struct uart16550 *u)
{
	u->lsr &= ~LSR_DATA;
	if (u->rx_count) {
		u->lsr |= LSR_DATA | u->rx_error[u->rx_head];
		u->rx_error[u->rx_head] = 0;
	}
}

static void uart_rx_push(struct uart16550 *u, u8 byte, u8 error)
{
	unsigned tail;

	if (u->rx_count >= uart_depth(u)) {
		u->lsr |= LSR_OVERRUN;
		if (u->fcr & FCR_ENABLE)
			return; /* the FIFO keeps what it has; a single buffer is overwritten */
		u->rx_count = 0;
	}
	tail = (u->rx_head + u->rx_count) % UART16550_FIFO;
	u->rx[tail] = byte;
	u->rx_error[tail] = error;
	if (error && (u->fcr & FCR_ENABLE))
		u->lsr |= LSR_FIFO_ERROR;
	if (u->rx_count++ == 0)
		uart_rx_top(u);
}

static bool uart_rx_room(const struct uart16550 *u)
{
	return !(u->mcr & MCR_LOOP) && u->rx_count < uart_depth(u);
}

static void uart_rx_offer(struct uart16550 *u)
{
	if (likely(!u->rx_refused) || !uart_rx_room(u))
		return;
	u->rx_refused = false;
	if (u->backend.rx_room)
		u->backend.rx_room(u->backend.backend);
}

static bool uart_receive(struct uart16550 *u, u8 byte, u8 error)
{
	if (!uart_rx_room(u)) {
		u->rx_refused = true;
		return false;
	}
	uart_rx_push(u, byte, error);
	uart_update(u);
	return true;
}

static u8 uart_read_rbr(struct uart16550 *u)
{
	u8 byte = u->rx[u->rx_head];

	if (u->rx_count) {
		u->rx_head = (u->rx_head + 1) % UART16550_FIFO;
		u->rx_count--;
		uart_rx_top(u);
		uart_update(u);
		uart_rx_offer(u);
	}
	return byte;
}

static u8 uart_read_iir(struct uart16550 *u)
{
	u8 iir = u->iir;

	if ((iir & IIR_ID) == IIR_THRE) {
		u->thre_pending = false;
		uart_update(u);
	}
	return iir;
}

static u8 uart_read_lsr(struct uart16550 *u)
{
	u8 lsr = u->lsr;

	u->lsr &= ~(LSR_ERRORS | LSR_FIFO_ERROR);
	for (unsigned i = 0; i < u->rx_count; i++)
		if ((u->fcr & FCR_ENABLE) && u->rx_error[(u->rx_head + i) % UART16550_FIFO])
			u->lsr |= LSR_FIFO_ERROR;
	uart_update(u);
	return lsr;
}

static u8 uart_read_msr(struct uart16550 *u)
{
	u8 msr = u->msr;

	u->msr &= ~MSR_DELTAS;
	uart_update(u);
	return msr;
}

/* Modem inputs: the far end's, or in loopback our own outputs (data sheet 8.6: RTS-CTS, DTR-DSR, OUT1-RI, OUT2-DCD). */
static void uart_modem_inputs(struct uart16550 *u)
{
	u8 now = MSR_IDLE, changed;

	if (u->mcr & MCR_LOOP)
		now = (u->mcr & 0x02) << 3 | (u->mcr & 0x01) << 5 | (u->mcr & 0x0c) << 4;
	changed = (now ^ u->msr) & ~MSR_DELTAS;
	if (now & MSR_RI)
		changed &= ~MSR_RI; /* of the ring indicator only the trailing edge counts */
	u->msr = now | (u->msr & MSR_DELTAS) | changed >> 4;
}

static void uart_write_fcr(struct uart16550 *u, u8 value)
{
	if ((value ^ u->fcr) & FCR_ENABLE)
		value |= FCR_CLEAR_RX | FCR_CLEAR_TX;
	if (value & FCR_CLEAR_RX) {
		u->rx_count = 0;
		u->lsr &= ~(LSR_DATA | LSR_BREAK | LSR_FIFO_ERROR);
	}
	if ((value & FCR_CLEAR_TX) && u->tx_count) {
		u->tx_count = 0;
		u->lsr |= LSR_THRE | LSR_TEMT;
		u->thre_pending = true;
	}
	u->fcr = value & FCR_ENABLE ? value & FCR_LATCHED : 0;
}

/* THR when the byte cannot go straight to the backend. */
static void uart_write_thr(struct uart16550 *u, u8 byte)
{
	u->thre_pending = (u->mcr & MCR_LOOP) != 0;
	if (u->mcr & MCR_LOOP) {
		uart_rx_push(u, byte, 0);
	} else {
		u->lsr &= ~(LSR_THRE | LSR_TEMT);
		if (u->tx_count < uart_depth(u))
			u->tx[(u->tx_head + u->tx_count++) % UART16550_FIFO] = byte;
		else if (!(u->fcr & FCR_ENABLE))
			u->tx[u->tx_head] =
				byte; /* a single THR is overwritten, a full FIFO loses the new byte */
	}
	uart_update(u);
}

static void uart_write_register(struct uart16550 *u, unsigned reg, u8 value)
{
	switch (reg) {
	case RBR_THR:
		u->dll = value; /* DLAB: uart_write() has taken THR */
		return;
	case IER:
		if (u->lcr & LCR_DLAB) {
			u->dlm = value;
			return;
		}
		/* Enabling the interrupt while the register is empty tells so again: Linux' THRE test. */
		if ((value & ~u->ier & IER_THRE) && (u->lsr & LSR_THRE))
			u->thre_pending = true;
		u->ier = value & 0x0f;
		break;
	case IIR_FCR:
		uart_write_fcr(u, value);
		break;
	case LCR:
		if ((value & ~u->lcr & LCR_BREAK) && (u->mcr & MCR_LOOP))
			uart_rx_push(u, 0, LSR_BREAK);
		u->lcr = value;
		break;
	case MCR:
		u->mcr = value & 0x1f;
		uart_modem_inputs(u);
		break;
	case SCR:
		u->scr = value;
		return;
	default: /* LSR and MSR: writes are for factory tests */
		return;
	}
	uart_update(u);
	uart_rx_offer(u);
}

static u8 uart_read_register(struct uart16550 *u, unsigned reg)
{
	switch (reg) {
	case RBR_THR:
		return u->lcr & LCR_DLAB ? u->dll : uart_read_rbr(u);
	case IER:
		return u->lcr & LCR_DLAB ? u->dlm : u->ier;
	case IIR_FCR:
		return uart_read_iir(u);
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		/* Who polls may have interrupts off, and with them what would call tx_ready(). */
		uart16550_tx_ready(u);
		return uart_read_lsr(u);
	case MSR:
		return uart_read_msr(u);
	default:
		return u->scr;
	}
}

static enum mem_result uart_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct uart16550 *u = device;

	(void)size;
	if (likely(offset == LSR && (u->lsr & (LSR_ERRORS | LSR_THRE)) == LSR_THRE))
		*value = u->lsr;
	else
		*value = uart_read_register(u, offset % UART16550_PORTS);
	return MEM_OK;
}

static enum mem_result uart_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct uart16550 *u = device;

	(void)size;
	if (offset != RBR_THR || (u->lcr & LCR_DLAB)) {
		uart_write_register(u, offset % UART16550_PORTS, value);
	} else if (likely(!u->tx_count && !(u->mcr & MCR_LOOP) &&
			  u->backend.put(u->backend.backend, value))) {
		u->thre_pending = true; /* was empty, was filled, is empty again */
		if (unlikely(u->ier & IER_THRE))
			uart_update(u);
	} else {
		uart_write_thr(u, value);
	}
	return MEM_OK;
}

const struct region_ops uart16550_ops = ISA_BYTE_OPS(uart_read, uart_write);

void uart16550_init(struct uart16550 *uart, struct uart_backend backend, struct irq_line irq)
{
	*uart = (struct uart16550){ .backend = backend, .irq = irq };
	uart16550_reset(uart);
}

void uart16550_reset(struct uart16550 *uart)
{
	*uart = (struct uart16550){
		.backend = uart->backend,
		.irq = uart->irq,
		.lsr = LSR_THRE | LSR_TEMT,
		.msr = MSR_IDLE,
		.line = uart->line,
		.rx_refused = uart->rx_refused,
	};
	uart_update(uart);
	uart_rx_offer(uart);
}

bool uart16550_receive(struct uart16550 *uart, u8 byte)
{
	return uart_receive(uart, byte, 0);
}

bool uart16550_receive_break(struct uart16550 *uart)
{
	return uart_receive(uart, 0, LSR_BREAK);
}

void uart16550_tx_ready(struct uart16550 *uart)
{
	while (uart->tx_count && uart->backend.put(uart->backend.backend, uart->tx[uart->tx_head])) {
		uart->tx_head = (uart->tx_head + 1) % UART16550_FIFO;
		uart->tx_count--;
	}
	if (!uart->tx_count && !(uart->lsr & LSR_THRE)) {
		uart->lsr |= LSR_THRE | LSR_TEMT;
		uart->thre_pending = true;
		uart_update(uart);
	}
}
