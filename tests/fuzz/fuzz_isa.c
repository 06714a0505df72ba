// SPDX-License-Identifier: BSD-2-Clause
/*
 * The platform devices, wired as on a board, under random register accesses, wires, bytes and time. Input: operations of
 * six bytes. After each one the devices' promises are checked, so that more than memory errors are found.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/ioapic.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/pm.h"
#include "devices/rtc.h"
#include "devices/uart16550.h"

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

struct operation {
	u8 kind, where;
	u8 value[4];
};

struct machine {
	struct clock clock;
	u64 now;
	struct timer_queue queue;
	struct uart16550 uart;
	struct rtc rtc;
	struct pit pit;
	struct pic pic;
	struct ioapic ioapic;
	struct pm pm;
	unsigned room; /* bytes that the serial backend takes */
	bool int_wire;
	unsigned expired; /* IRQ 0 edges since the last check */
};

static u64 machine_now(void *source)
{
	return ((struct machine *)source)->now;
}

/* Every ISA wire goes to both controllers. */
static void machine_irq(void *controller, unsigned pin, bool level)
{
	struct machine *m = controller;

	pic_set(&m->pic, pin, level);
	ioapic_set(&m->ioapic, pin ? pin : 2, level);
	m->expired += pin == 0 && level;
}

static void machine_int(void *controller, unsigned pin, bool level)
{
	struct machine *m = controller;

	CHECK(pin == 0 && level != m->int_wire);
	m->int_wire = level;
}

static void machine_message(void *sink, u64 address, u32 data, u16 requester)
{
	(void)sink;
	CHECK(address >> 20 == 0xfee && !(address & 3) && requester == 0xff00);
	CHECK(!(data & ~0xc7ffu));
}

static bool machine_put(void *backend, u8 byte)
{
	struct machine *m = backend;

	(void)byte;
	if (!m->room)
		return false;
	m->room--;
	return true;
}

static void machine_rx_room(void *backend)
{
	CHECK(uart16550_receive(&((struct machine *)backend)->uart, 'k'));
}

static void machine_reset(void *board)
{
	struct machine *m = board;

	uart16550_reset(&m->uart);
	rtc_reset(&m->rtc);
	pit_reset(&m->pit);
	pic_reset(&m->pic);
	ioapic_reset(&m->ioapic);
	pm_reset(&m->pm);
}

static void machine_nothing(void *board)
{
	(void)board;
}

static void machine_init(struct machine *m, u64 hz)
{
	const struct rtc_time time = { 2026, 11, 22, 22, 0, 0 };

	memset(m, 0, sizeof(*m));
	m->clock = (struct clock){ machine_now, m, hz };
	uart16550_init(&m->uart, (struct uart_backend){ machine_put, machine_rx_room, m },
		       (struct irq_line){ machine_irq, m, 4 });
	rtc_init(&m->rtc, &m->clock, &m->queue, (struct irq_line){ machine_irq, m, 8 }, &time);
	pic_init(&m->pic, (struct irq_line){ machine_int, m, 0 });
	pit_init(&m->pit, &m->clock, &m->queue, (struct irq_line){ machine_irq, m, 0 });
	ioapic_init(&m->ioapic, 1, (struct msi_sink){ machine_message, m }, 0xff00);
	pm_init(&m->pm, &m->clock, &m->queue, (struct irq_line){ machine_irq, m, 9 },
		(struct pm_board){ machine_nothing, machine_reset, m });
}

/* An access as the dispatcher would make it: declared sizes, aligned unless declared, inside the block. */
static void machine_access(struct machine *m, const struct operation *op, bool write)
{
	const struct {
		const struct region_ops *ops;
		void *device;
		unsigned size;
	} blocks[] = {
		{ &uart16550_ops, &m->uart, UART16550_PORTS },
		{ &rtc_ops, &m->rtc, RTC_PORTS },
		{ &pit_ops, &m->pit, PIT_PORTS },
		{ &pit_port61_ops, &m->pit, 1 },
		{ &pic_ops, &m->pic.chip[0], PIC_PORTS },
		{ &pic_ops, &m->pic.chip[1], PIC_PORTS },
		{ &pic_elcr_ops, &m->pic, PIC_ELCR_PORTS },
		{ &ioapic_ops, &m->ioapic, 0x50 },
		{ &pm_acpi_ops, &m->pm, PM_ACPI_PORTS },
		{ &pm_sleep_ops, &m->pm, PM_SLEEP_PORTS },
		{ &pm_reset_ops, &m->pm, 1 },
	};
	const struct region_ops *ops = blocks[op->where % 11].ops;
	void *device = blocks[op->where % 11].device;
	unsigned size = MIN(1u << (op->kind >> 6), ops->impl.max);
	u64 offset = op->kind % 64 * (ops == &ioapic_ops ? 4 : 1) % blocks[op->where % 11].size, value = 0;
	u32 data;

	if (!ops->impl.unaligned)
		offset = ALIGN_DOWN(offset, (u64)size);
	if (offset + size > blocks[op->where % 11].size)
		size = 1;
	memcpy(&data, op->value, sizeof(data));
	if (write)
		ops->write(device, offset, size, data & BITS(size * 8 - 1, 0));
	else if (ops->read(device, offset, size, &value) == MEM_OK)
		CHECK(!(value & ~BITS(size * 8 - 1, 0)));
}

static void machine_advance(struct machine *m, u64 ticks)
{
	u64 until = m->now + ticks, steps = 0;

	m->expired = 0;
	while (timer_queue_next(&m->queue) <= until && ++steps < 1000) {
		m->now = MAX(m->now, timer_queue_next(&m->queue));
		timer_queue_run(&m->queue, m->now);
	}
	/* IRQ 0 at most every 100 us, the others wait for the guest. */
	CHECK(m->expired <= clock_periods(&m->clock, ticks, PIT_HZ) / PIT_MIN_CLOCKS + 2);
	CHECK(steps <= m->expired + 2);
	m->now = MAX(m->now, until);
}

static void machine_check(struct machine *m)
{
	const struct uart16550 *u = &m->uart;
	const struct timer *timer;
	u64 value;

	CHECK(u->rx_count <= (u->fcr & 1 ? UART16550_FIFO : 1) &&
	      u->tx_count <= (u->fcr & 1 ? UART16550_FIFO : 1));
	CHECK(!(u->lsr & 1) == !u->rx_count && !(u->lsr & 0x20) == !!u->tx_count);
	CHECK(u->line == (!(u->iir & 1) && (u->mcr & 8)));
	CHECK(u->rx_head < UART16550_FIFO && u->tx_head < UART16550_FIFO && u->ier < 16);

	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 rte = m->ioapic.rte[pin];

		CHECK(!(rte & (BITS(47, 17) | BIT(12))));
		CHECK(!(rte & BIT(14)) || ((rte & BIT(15)) && (rte >> 8 & 7) < 2));
		/* a level pin that is up and open has been delivered */
		CHECK(!((rte & BIT(15)) && (rte >> 8 & 7) < 2) || (rte & (BIT(14) | BIT(16))) ||
		      !(m->ioapic.level & BIT(pin)));
	}
	for (timer = m->queue.first; timer; timer = timer->next)
		CHECK(timer->deadline != TIMER_NEVER &&
		      (!timer->next || timer->deadline <= timer->next->deadline));
	CHECK(!m->queue.due);
	CHECK(m->int_wire == m->pic.out);

	CHECK(pm_acpi_ops.read(&m->pm, 4, 2, &value) == MEM_OK && (value & ~0x1c02u) == 1);
	CHECK(pm_acpi_ops.read(&m->pm, PM_TIMER_OFFSET, 4, &value) == MEM_OK);
	CHECK(value == (u32)clock_periods(&m->clock, m->now, PM_TIMER_HZ));
	for (unsigned i = 0; i < PIT_CHANNELS; i++)
		CHECK(m->pit.channel[i].mode < 6 && m->pit.channel[i].latched <= 2);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u64 rates[] = { 30000000, 2100000000, 5000000000, 999999937 };
	struct machine m;
	struct operation op;
	u32 value;

	if (!size)
		return 0;
	machine_init(&m, rates[*data++ % ARRAY_SIZE(rates)]);
	for (size--; size >= sizeof(op); data += sizeof(op), size -= sizeof(op)) {
		memcpy(&op, data, sizeof(op));
		memcpy(&value, op.value, sizeof(value));
		switch (op.where >> 4) {
		case 0:
		case 1:
		case 2:
		case 3:
		case 4:
			machine_access(&m, &op, true);
			break;
		case 5:
		case 6:
		case 7:
			machine_access(&m, &op, false);
			break;
		case 8:
			machine_advance(&m, value);
			break;
		case 9: /* far: up to years */
			machine_advance(&m, MIN((u64)value << op.kind % 24, m.clock.hz / 20));
			m.now += (u64)value << op.kind % 24;
			timer_queue_run(&m.queue, m.now);
			break;
		case 10:
			machine_irq(&m, op.kind % 32, value & 1);
			break;
		case 11:
			if (op.kind & 1)
				uart16550_receive_break(&m.uart);
			else
				uart16550_receive(&m.uart, value);
			break;
		case 12:
			m.room = value % 40;
			uart16550_tx_ready(&m.uart);
			break;
		case 13:
			ioapic_eoi(&m.ioapic, value);
			break;
		case 14: {
			int vector = pic_ack(&m.pic);

			CHECK(vector >= 0 && vector < 256);
			break;
		}
		default:
			if (op.kind == 0)
				machine_reset(&m);
			break;
		}
		machine_check(&m);
	}
	return 0;
}
