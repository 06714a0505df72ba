// SPDX-License-Identifier: BSD-2-Clause
/*
 * PC16550D data sheet. The transmitter is fed in FIFO-fulls: `fifo_room` counts what it takes until its next "empty",
 * so that a byte costs one port write and no status read.
 */
#include "arch/serial.h"

#include "arch/cpu.h"

#define UART_RBR 0 /* DLAB = 0, read */
#define UART_THR 0 /* DLAB = 0, write */
#define UART_DLL 0 /* DLAB = 1 */
#define UART_IER 1
#define UART_DLM 1 /* DLAB = 1 */
#define UART_IIR 2 /* read */
#define UART_FCR 2 /* write */
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_MSR 6
#define UART_SCR 7

#define IER_ERBFI BIT(0)
#define IER_ETBEI BIT(1)
#define IIR_NONE  BIT(0)
#define IIR_FIFO  BITS(7, 6)
#define FCR_ON	  0x07 /* FIFOs on and emptied, interrupt from the first received byte on */
#define LCR_8N1	  0x03
#define LCR_DLAB  0x80
#define MCR_PC	  0x0b /* DTR, RTS, and OUT2, which connects the interrupt on a PC */
#define LSR_DR	  BIT(0)
#define LSR_OE	  BIT(1) /* a byte came and found the FIFO full; reading LSR clears it */
#define LSR_THRE  BIT(5)
#define LSR_TEMT  BIT(6) /* the last bit is on the wire */

#define BAUD_MAX  115200u
#define FIFO_SIZE 16
/* At 1200 baud a byte takes 9 ms; a port read at least 100 ns, and one instruction in emulators. */
#define FLUSH_READS 3000000
#define SERVICE_MAX 64

static struct serial {
	u16 port; /* 0: there is none */
	u8 ier;
	u8 fifo_size, fifo_room;
	bool interrupts;
	bool again; /* bytes were moved without an interrupt: one more is wanted */
	bool mid_line;
	u64 lost;
	u32 tx_in, tx_out, rx_in,
		rx_out; /* count up for ever; the ring index is what is left modulo its size */
	u8 tx[SERIAL_TX_SIZE];
	u8 rx[SERIAL_RX_SIZE];
} uart;

static u8 uart_read(unsigned reg)
{
	return inb((u16)(uart.port + reg));
}

static void uart_write(unsigned reg, u8 value)
{
	outb((u16)(uart.port + reg), value);
}

static u8 read_lsr(void)
{
	u8 lsr = uart_read(UART_LSR);

	uart.lost += lsr != 0xff && lsr & LSR_OE;
	return lsr;
}

/* No port decodes to ones, a stuck one to anything: only a register that remembers two patterns counts. */
static bool uart_present(void)
{
	uart_write(UART_SCR, 0xa5);
	if (uart_read(UART_SCR) != 0xa5)
		return false;
	uart_write(UART_SCR, 0x5a);
	return uart_read(UART_SCR) == 0x5a;
}

bool serial_init(u16 port, u32 baud)
{
	u32 divisor = baud && baud <= BAUD_MAX ? BAUD_MAX / baud : 1;

	uart.port = port;
	uart.interrupts = false;
	uart.ier = 0;
	if (!port || !uart_present()) {
		uart.port = 0;
		return false;
	}
	uart_write(UART_IER, 0);
	uart_write(UART_LCR, LCR_DLAB | LCR_8N1);
	uart_write(UART_DLL, (u8)divisor);
	uart_write(UART_DLM, (u8)(divisor >> 8));
	uart_write(UART_LCR, LCR_8N1);
	uart_write(UART_FCR, FCR_ON);
	uart_write(UART_MCR, MCR_PC);
	uart.fifo_size = (uart_read(UART_IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_SIZE : 1;
	uart.fifo_room = 0;
	return true;
}

int serial_irq(void)
{
	switch (uart.port) {
	case 0x3f8:
	case 0x3e8:
		return 4;
	case 0x2f8:
	case 0x2e8:
		return 3;
	default:
		return SERIAL_NO_IRQ;
	}
}

/*
 * The transmitter interrupts only while bytes wait: an idle line costs no exits. Whenever its interrupt is on outside of
 * serial_service(), one is pending, or comes when the transmitter is empty.
 */
static void update_ier(void)
{
	u8 ier = 0;

	if (uart.interrupts)
		ier = (u8)(IER_ERBFI | (uart.tx_in != uart.tx_out || uart.again ? IER_ETBEI : 0));
	if (ier != uart.ier) {
		uart.ier = ier;
		uart_write(UART_IER, ier);
	}
}

static void transmit(void)
{
	while (uart.fifo_room && uart.tx_in != uart.tx_out) {
		uart_write(UART_THR, uart.tx[uart.tx_out++ % SERIAL_TX_SIZE]);
		uart.fifo_room--;
	}
}

static void receive(u8 lsr)
{
	/* Bounded: a UART that has gone away reads as ones, "data ready" for ever. */
	for (unsigned i = 0; i < SERVICE_MAX && (lsr & LSR_DR) && lsr != 0xff; i++) {
		u8 byte = uart_read(UART_RBR);

		if (uart.rx_in - uart.rx_out < SERIAL_RX_SIZE)
			uart.rx[uart.rx_in++ % SERIAL_RX_SIZE] = byte;
		else
			uart.lost++;
		lsr = read_lsr();
	}
}

/* Not what was received: its interrupt would go with it, and nobody would come for it. */
static u8 poll_transmitter(void)
{
	u8 lsr = read_lsr();

	if (lsr & LSR_THRE)
		uart.fifo_room = uart.fifo_size;
	transmit();
	update_ier();
	return lsr;
}

/* What the interrupt stood for is gone, and so is the interrupt: one more for whoever waits for a byte or for room. */
static void interrupt_again(void)
{
	uart.again = uart.interrupts;
	update_ier();
}

void serial_poll(void)
{
	u32 received = uart.rx_in;

	if (!uart.port)
		return;
	receive(poll_transmitter());
	if (uart.rx_in != received)
		interrupt_again();
}

void serial_service(void)
{
	if (!uart.port)
		return;
	/*
	 * The 8259 sees edges: unless every reason is gone before the end, there is no next interrupt. Reading IIR
	 * acknowledges "transmitter empty".
	 */
	uart.again = false;
	for (unsigned i = 0; i < SERVICE_MAX; i++) {
		receive(poll_transmitter());
		if (uart_read(UART_IIR) & IIR_NONE)
			return;
		(void)uart_read(UART_MSR);
	}
}

void serial_enable_interrupts(void)
{
	if (!uart.port || serial_irq() == SERIAL_NO_IRQ)
		return;
	uart.interrupts = true;
	update_ier();
	serial_service();
}

bool serial_put(u8 byte)
{
	if (!uart.port)
		return true;
	if (uart.tx_in - uart.tx_out == SERIAL_TX_SIZE)
		return false;
	uart.tx[uart.tx_in++ % SERIAL_TX_SIZE] = byte;
	uart.mid_line = byte != '\n';
	if (uart.fifo_room)
		transmit();
	else if (!(uart.ier & IER_ETBEI))
		poll_transmitter();
	return true;
}

size_t serial_room(void)
{
	return uart.port ? SERIAL_TX_SIZE - (uart.tx_in - uart.tx_out) : SERIAL_TX_SIZE;
}

int serial_get(void)
{
	if (uart.rx_in == uart.rx_out)
		return -1;
	return uart.rx[uart.rx_out++ % SERIAL_RX_SIZE];
}

u64 serial_lost(void)
{
	return uart.lost;
}

bool serial_mid_line(void)
{
	return uart.mid_line;
}

/* Is something still to be sent? What is in the FIFO would be lost in a reset. */
static bool sending(void)
{
	return uart.tx_in != uart.tx_out || !(read_lsr() & LSR_TEMT);
}

void serial_flush(void)
{
	u32 out = uart.tx_out;

	for (unsigned reads = 0; uart.port && sending() && reads < FLUSH_READS; reads++) {
		receive(poll_transmitter());
		if (uart.tx_out != out)
			reads = 0;
		out = uart.tx_out;
		cpu_pause();
	}
	/* A UART that takes no more must not hold up whoever waits for room in the ring. */
	uart.tx_out = uart.tx_in;
	if (uart.port)
		interrupt_again();
}
