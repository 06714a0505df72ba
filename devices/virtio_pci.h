/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio devices as PCI functions: the modern transport of VIRTIO 1.2, section 4.1, and what all types share:
 * negotiation, the status register, queues being served, failure and reset.
 *
 *	BAR 0	0x0000 common	0x1000 ISR	0x2000 device	0x3000 notify	a page each
 *	BAR 1	MSI-X: one vector a queue, and one for changes of the configuration
 *
 * Every queue is notified at the same place, the first two bytes of the notify page, by writing its number: one
 * doorbell (mm/doorbell.h), whose write is the shortest way from a guest to a device. Offered always, and
 * needed: VERSION_1 and ACCESS_PLATFORM. A driver that breaks a rule of its queues gets DEVICE_NEEDS_RESET, and
 * nothing more is done for it until it resets the device.
 *
 * A device type is a `struct virtio_type`. Its serve() is given one buffer at a time; it says whether it is done
 * with it. Work has a measure: what one notification may cost is limited, the rest is done a little later from
 * the timer queue, so that the guest's CPU is never away for long.
 */
#ifndef DEVICES_VIRTIO_PCI_H
#define DEVICES_VIRTIO_PCI_H

#include "devices/pci.h"
#include "devices/timer.h"
#include "devices/virtio.h"
#include "devices/virtqueue.h"

#define VIRTIO_PCI_VENDOR	0x1af4
#define VIRTIO_PCI_DEVICE	0x1040 /* + enum virtio_id */
#define VIRTIO_PCI_REGISTER_BAR 0
#define VIRTIO_PCI_MSIX_BAR	1

/* A page each of BAR 0. */
enum virtio_pci_page {
	VIRTIO_PCI_COMMON,
	VIRTIO_PCI_ISR,
	VIRTIO_PCI_CONFIG,
	VIRTIO_PCI_NOTIFY,
	VIRTIO_PCI_PAGES,
};

/*
 * What a queue may use up before the guest goes on, in units of a byte copied; and after which part of a second
 * the rest is done.
 */
#define VIRTIO_SHARE	(1 * MiB)
#define VIRTIO_PAUSE_HZ 20000u

enum virtio_served {
	VIRTIO_DONE,  /* the buffer goes back to the driver */
	VIRTIO_LATER, /* serve() wants to be called again for it, when the guest had its turn */
	VIRTIO_WAIT,  /* the same, when the device calls virtio_serve() */
};

struct virtio_queue {
	struct virtq q;
	/* The buffer at hand, what serve() has put into it, and how far it got: 0 when it is new. */
	struct virtq_chain chain;
	u32 written;
	u64 progress;
	s64 share;		       /* left */
	bool busy;		       /* there is a buffer at hand */
	bool serving;		       /* no second time */
	u64 notifications, interrupts; /* since virtio_init */
};

struct virtio_device;

struct virtio_type {
	const char *name;
	u16 id;	   /* enum virtio_id */
	u32 class; /* PCI class code */
	u16 queue_count;
	u16 queue_size; /* the largest, a power of two */
	u16 config_size;
	/* There is a buffer at hand. It takes off queue->share what it costs more than a little. */
	enum virtio_served (*serve)(struct virtio_device *dev, struct virtio_queue *queue);
	/* The driver wrote into the device's configuration; inside of it, aligned. May be null: it is read-only. */
	void (*config_written)(struct virtio_device *dev, unsigned offset, unsigned size, u32 value);
	/* Buffers at hand are forgotten. May be null. */
	void (*reset)(struct virtio_device *dev);
};

/* What the board says about a device. */
struct virtio_setup {
	const char *name; /* kept */
	const struct clock *clock;
	struct timer_queue *timers; /* both outlive the device */
	u64 withheld;		    /* feature bits not to be offered; not of the two that are needed */
};

struct virtio_device {
	struct pci_function pci;
	const struct virtio_type *type;
	struct virtio_queue *queues;
	const u8 *config; /* type->config_size bytes, little endian: the device's own */
	u64 offered, accepted;
	u32 device_feature_select, driver_feature_select;
	u16 queue_select, config_vector;
	u8 status, generation, isr;
	u8 window; /* offset of the PCI configuration access capability */
	struct region bar, page[VIRTIO_PCI_PAGES];
	char page_name[VIRTIO_PCI_PAGES][24]; /* "disk.notify" */
	struct doorbell doorbell;
	const struct clock *clock;
	struct timer_queue *timers;
	struct timer later;
	struct log_rate rate;
	u64 resets, failures, config_interrupts; /* since virtio_init */
};

/*
 * Ready for pci_add(). `features`: of the type, those of queues and transport are added. `queues`:
 * type->queue_count; `segments`: queue_count * queue_size.
 */
void virtio_init(struct virtio_device *dev, const struct virtio_type *type, const struct virtio_setup *setup,
		 u64 features, const void *config, struct virtio_queue *queues,
		 struct virtq_segment *segments);
/*
 * As if the driver had written 0 to the status: everything is forgotten, nothing of guest memory is mapped any
 * more, no interrupt comes. Also before the device, or the space that it masters, goes away.
 */
void virtio_reset(struct virtio_device *dev);
/* State and counters, for the hypervisor console. */
void virtio_print(const struct virtio_device *dev, void (*emit)(void *to, const char *line), void *to);

/* ---- for the types ---- */

/* Has its driver, and nothing is wrong. */
static inline bool virtio_live(const struct virtio_device *dev)
{
	return (dev->status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET)) ==
	       VIRTIO_STATUS_DRIVER_OK;
}

static inline unsigned virtio_queue_index(const struct virtio_device *dev, const struct virtio_queue *queue)
{
	return queue - dev->queues;
}

/* What the queue waited for has come. Harmless at any time. */
void virtio_serve(struct virtio_device *dev, struct virtio_queue *queue);
/* What the driver did with this queue is beyond repair: DEVICE_NEEDS_RESET. */
void virtio_fail(struct virtio_device *dev, const struct virtio_queue *queue, const char *reason, u64 what);
/* Bytes at `config` have changed. */
void virtio_config_changed(struct virtio_device *dev);

/* ---- between virtio_pci.c and virtio_device.c ---- */

void virtio_pci_init(struct virtio_device *dev, const char *name);
/* A notification by number; of a queue that there is not: ignored. */
void virtio_notified(struct virtio_device *dev, u64 number);
void virtio_set_status(struct virtio_device *dev, u8 status);
void virtio_enable_queue(struct virtio_device *dev, struct virtio_queue *queue);

#endif
