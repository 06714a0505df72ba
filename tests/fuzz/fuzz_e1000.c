// SPDX-License-Identifier: BSD-2-Clause
/*
 * A hostile Ethernet card: its registers read as anything, and it writes anything into rings and buffers at any time.
 * The driver must never hand on what is no frame or lies outside of a receive buffer, take more than its budget, hold
 * more in the transmit ring than it has, or wait for ever.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/e1000.h"

struct card {
	struct e1000 nic;
	struct e1000_memory *memory;
	const u8 *data;
	size_t size;
	u64 waited_us;
	u64 reads;
	unsigned received;
	u32 rdt, tdt;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static u8 next(struct card *card)
{
	if (!card->size)
		return 0;
	card->size--;
	return *card->data++;
}

static u32 reg_read(void *owner, u32 offset)
{
	struct card *card = owner;
	u32 value = 0;

	require(offset < E1000_REGISTER_BYTES && offset % 4 == 0);
	card->reads++;
	for (unsigned i = 0; i < 4; i++)
		value |= (u32)next(card) << (8 * i);
	return value;
}

static void reg_write(void *owner, u32 offset, u32 value)
{
	struct card *card = owner;

	require(offset < E1000_REGISTER_BYTES && offset % 4 == 0);
	if (offset == 0x2818) {
		require(value < E1000_RX_COUNT);
		card->rdt = value;
	}
	if (offset == 0x3818) {
		require(value < E1000_TX_COUNT);
		card->tdt = value;
	}
	/* The rings are where they were put. */
	if (offset == 0x2800)
		require(value == (u32)(u64)card->memory->rx);
	if (offset == 0x3800)
		require(value == (u32)(u64)card->memory->tx);
}

static void wait_us(void *owner, unsigned microseconds)
{
	struct card *card = owner;

	card->waited_us += microseconds;
}

static void receive(void *owner, const void *frame, size_t length)
{
	struct card *card = owner;
	const u8 *at = frame, *buffers = card->memory->rx_buffer[0];

	card->received++;
	require(length >= ETHERNET_FRAME_MIN && length <= ETHERNET_FRAME_MAX);
	require(at >= buffers && (size_t)(at - buffers) < sizeof(card->memory->rx_buffer) &&
		(at - buffers) % E1000_BUFFER_BYTES == 0);
}

/* Any byte of the rings, or a whole descriptor that looks done. */
static void scribble(struct card *card)
{
	u8 what = next(card), where = next(card);
	volatile u8 *rx = (volatile u8 *)card->memory->rx, *tx = (volatile u8 *)card->memory->tx;

	switch (what & 3) {
	case 0:
		rx[(where << 2 | what >> 6) % sizeof(card->memory->rx)] = next(card);
		break;
	case 1:
		tx[(where << 2 | what >> 6) % sizeof(card->memory->tx)] = next(card);
		break;
	default: /* as many as the ring has, so that a driver that goes on and on is seen */
		for (unsigned i = 0; i < (what & 4 ? E1000_RX_COUNT : 1); i++) {
			volatile struct e1000_rx_desc *desc = &card->memory->rx[(where + i) % E1000_RX_COUNT];

			desc->length = (u16)(next(card) << 8 | what);
			desc->errors = what & 8 ? next(card) : 0;
			desc->status = what & 16 ? next(card) : 3;
			desc->address = what & 32 ? next(card) : desc->address;
		}
		break;
	}
}

static void check_poll(struct card *card, unsigned budget)
{
	const struct ethernet_counters *counters = &card->nic.port.counters;
	unsigned before = card->received, taken;

	taken = card->nic.port.poll(&card->nic.port, budget);
	require(taken <= budget && card->received - before <= taken);
	require(counters->rx_frames == card->received);
	/* What was taken is empty again, and the card's. */
	for (unsigned i = 0; i < taken && i < E1000_RX_COUNT; i++) {
		unsigned place = (card->rdt + E1000_RX_COUNT - i) % E1000_RX_COUNT;

		require(!card->memory->rx[place].status);
		require(card->memory->rx[place].address == (u64)card->memory->rx_buffer[place]);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct e1000_memory memory;
	static u8 frame[4096];
	struct card card = { .memory = &memory, .data = data, .size = size };
	const struct e1000_machine machine = { reg_read, reg_write, wait_us, &card };

	memset((void *)memory.rx, 0xff, sizeof(memory.rx));
	memset((void *)memory.tx, 0xff, sizeof(memory.tx));
	/* A bit of the first register says whether it comes out of its reset at all. */
	if (e1000_reset(&card.nic, "nic", &machine, &memory) == NULL)
		require(!(card.nic.port.mac[0] & 1));
	require(card.waited_us <= 100000 && card.reads < 10000);
	e1000_start(&card.nic);
	card.nic.port.receive = receive;
	card.nic.port.owner = &card;
	while (card.size) {
		u8 what = next(&card);

		switch (what & 7) {
		case 0:
		case 1:
		case 2:
			scribble(&card);
			break;
		case 3:
			card.nic.port.link = true;
			break;
		case 4:
			e1000_watch(&card.nic);
			break;
		case 5:
			card.nic.port.send(&card.nic.port, frame, (next(&card) << 8 | what) % sizeof(frame));
			require(card.nic.tx_used < E1000_TX_COUNT && card.nic.tx_next == card.tdt);
			break;
		default:
			check_poll(&card, what >> 1);
			break;
		}
	}
	return 0;
}
