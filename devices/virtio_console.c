// SPDX-License-Identifier: BSD-2-Clause
#include "devices/virtio_console.h"

#include <string.h>

/* Bytes moved at once, and what one costs of a share: a backend may be as slow as a serial port. */
#define PIECE	  64u
#define COST_BYTE 32

static struct virtio_console *console_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_console, dev);
}

/* ---- from the guest ---- */

static enum virtio_served transmit(struct virtio_console *console, struct virtio_queue *queue)
{
	while (queue->progress < queue->chain.readable_length) {
		u8 bytes[PIECE];
		unsigned length = MIN(queue->chain.readable_length - queue->progress, PIECE), taken;

		if (queue->share <= 0)
			return VIRTIO_LATER;
		/* What cannot be read is not shown, and nothing of what follows. */
		if (virtq_read(&queue->q, &queue->chain, queue->progress, bytes, length) != MEM_OK)
			return VIRTIO_DONE;
		taken = console->backend.put(console->backend.backend, bytes, length);
		queue->share -= COST_BYTE * PIECE;
		queue->progress += taken;
		console->sent += taken;
		if (taken < length)
			return VIRTIO_WAIT;
	}
	return VIRTIO_DONE;
}

void virtio_console_tx_ready(struct virtio_console *console)
{
	virtio_serve(&console->dev, &console->queues[VIRTIO_CONSOLE_TRANSMIT]);
}

/* ---- to the guest ---- */

/* One buffer gets what there is, without waiting for more to fill it. */
static enum virtio_served receive(struct virtio_console *console, struct virtio_queue *queue)
{
	u32 start = console->head % VIRTIO_CONSOLE_INPUT;
	u32 kept = console->tail - console->head;
	u32 length = MIN(kept, queue->chain.writable_length);
	u32 first = MIN(length, VIRTIO_CONSOLE_INPUT - start);

	if (!kept)
		return VIRTIO_WAIT;
	/* Input that the driver asked for to a place where nothing is, is lost. */
	if (virtq_write(&queue->q, &queue->chain, 0, console->input + start, first) == MEM_OK &&
	    virtq_write(&queue->q, &queue->chain, first, console->input, length - first) == MEM_OK)
		queue->written = length;
	console->head += length;
	console->received += length;
	return VIRTIO_DONE;
}

static void offer_room(struct virtio_console *console)
{
	if (!console->refused || console->tail - console->head == VIRTIO_CONSOLE_INPUT)
		return;
	console->refused = false;
	if (console->backend.rx_room)
		console->backend.rx_room(console->backend.backend);
}

unsigned virtio_console_receive(struct virtio_console *console, const u8 *bytes, unsigned length)
{
	unsigned taken = 0;

	/* While this call lasts the backend is not told of room: it would begin again with the same bytes. */
	console->refused = false;
	do {
		while (taken < length && console->tail - console->head < VIRTIO_CONSOLE_INPUT)
			console->input[console->tail++ % VIRTIO_CONSOLE_INPUT] = bytes[taken++];
		virtio_serve(&console->dev, &console->queues[VIRTIO_CONSOLE_RECEIVE]);
	} while (taken < length && console->tail - console->head < VIRTIO_CONSOLE_INPUT);
	console->refused = taken < length;
	return taken;
}

void virtio_console_resize(struct virtio_console *console, u16 cols, u16 rows)
{
	console->config.cols = cols;
	console->config.rows = rows;
	virtio_config_changed(&console->dev);
}

/* ---- the type ---- */

static enum virtio_served serve(struct virtio_device *dev, struct virtio_queue *queue)
{
	struct virtio_console *console = console_of(dev);
	enum virtio_served served;

	if (virtio_queue_index(dev, queue) == VIRTIO_CONSOLE_TRANSMIT)
		return transmit(console, queue);
	served = receive(console, queue);
	if (served == VIRTIO_DONE)
		offer_room(console);
	return served;
}

/* The emergency write works in any state, for a driver that has nothing else yet (5.3.6.4). */
static void config_written(struct virtio_device *dev, unsigned offset, unsigned size, u32 value)
{
	struct virtio_console *console = console_of(dev);
	u8 byte = value;

	if (offset != offsetof(struct virtio_console_config, emerg_wr) || size != 4 ||
	    !(dev->offered & VIRTIO_CONSOLE_F_EMERG_WRITE))
		return;
	console->emergency += console->backend.put(console->backend.backend, &byte, 1);
}

/* Input that came for the driver before is not for the next one. */
static void reset(struct virtio_device *dev)
{
	struct virtio_console *console = console_of(dev);

	console->head = console->tail;
	offer_room(console);
}

static const struct virtio_type type = {
	.name = "console",
	.id = VIRTIO_ID_CONSOLE,
	.class = 0x078000,
	.queue_count = VIRTIO_CONSOLE_QUEUES,
	.queue_size = VIRTIO_CONSOLE_QUEUE_SIZE,
	.config_size = sizeof(struct virtio_console_config),
	.serve = serve,
	.config_written = config_written,
	.reset = reset,
};

void virtio_console_init(struct virtio_console *console, const struct virtio_setup *setup,
			 const struct virtio_console_backend *backend)
{
	*console = (struct virtio_console){ .config = { .max_nr_ports = 1 }, .backend = *backend };
	virtio_init(&console->dev, &type, setup, VIRTIO_CONSOLE_F_SIZE | VIRTIO_CONSOLE_F_EMERG_WRITE,
		    &console->config, console->queues, console->segments);
}
