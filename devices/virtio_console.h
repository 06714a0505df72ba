/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio console (VIRTIO 1.2, section 5.3) with one port: /dev/hvc0 in Linux. Bytes go to a backend and come
 * from it; who has no room says so, and is called when the other has made some. Nothing is lost and nothing grows.
 */
#ifndef DEVICES_VIRTIO_CONSOLE_H
#define DEVICES_VIRTIO_CONSOLE_H

#include "devices/virtio_pci.h"

#define VIRTIO_CONSOLE_QUEUE_SIZE 64
#define VIRTIO_CONSOLE_INPUT	  256 /* bytes kept until the guest has room; a power of two */

#define VIRTIO_CONSOLE_F_SIZE	     BIT(0)
#define VIRTIO_CONSOLE_F_EMERG_WRITE BIT(2)

enum virtio_console_queue { VIRTIO_CONSOLE_RECEIVE, VIRTIO_CONSOLE_TRANSMIT, VIRTIO_CONSOLE_QUEUES };

/* 5.3.4 */
struct virtio_console_config {
	u16 cols, rows;
	u32 max_nr_ports;
	u32 emerg_wr;
};
static_assert(sizeof(struct virtio_console_config) == 12, "VIRTIO 1.2, 5.3.4");

struct virtio_console_backend {
	/* Takes bytes that the guest sent: how many. Fewer than all: virtio_console_tx_ready() when there is room. */
	unsigned (*put)(void *backend, const u8 *bytes, unsigned length);
	/* Bytes that virtio_console_receive() refused would be taken now. May be null; may call it. */
	void (*rx_room)(void *backend);
	void *backend;
};

struct virtio_console {
	struct virtio_device dev;
	struct virtio_console_config config;
	struct virtio_console_backend backend;
	u8 input[VIRTIO_CONSOLE_INPUT];
	u32 head, tail;		       /* free-running: tail - head bytes are kept */
	bool refused;		       /* input, and rx_room() was not called since */
	u64 sent, received, emergency; /* bytes, since virtio_console_init */
	struct virtio_queue queues[VIRTIO_CONSOLE_QUEUES];
	struct virtq_segment segments[VIRTIO_CONSOLE_QUEUES * VIRTIO_CONSOLE_QUEUE_SIZE];
};

/* Ready for pci_add(). */
void virtio_console_init(struct virtio_console *console, const struct virtio_setup *setup,
			 const struct virtio_console_backend *backend);

/* Bytes from outside: how many are taken. The caller keeps the rest until rx_room(). */
unsigned virtio_console_receive(struct virtio_console *console, const u8 *bytes, unsigned length);
/* The backend has room again. */
void virtio_console_tx_ready(struct virtio_console *console);
/* The terminal's size, told to the driver. 0 by 0: not known, as at the start. */
void virtio_console_resize(struct virtio_console *console, u16 cols, u16 rows);

#endif
