// SPDX-License-Identifier: BSD-2-Clause
/* The life of a virtio device, whatever its type: negotiation, queues being served, failure, reset. */
#include <stdio.h>

#include "devices/virtio_pci.h"

#define NEEDED (VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM)
#define RINGS  (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_PACKED)

/* What a buffer costs of a share, and each of its segments. */
#define COST_BUFFER  256
#define COST_SEGMENT 256

#define DRIVER_BITS                                                                   \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK | \
	 VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_FAILED)

#define ISR_QUEUE  1u
#define ISR_CONFIG 2u

/* ---- interrupts ---- */

static void interrupt(struct virtio_device *dev, unsigned vector, u8 cause)
{
	/* MSI-X ignores vectors that it has not, VIRTQ_NO_VECTOR among them. */
	if (likely(pci_interrupt_by_message(&dev->pci, vector)))
		return;
	dev->isr |= cause;
	pci_set_interrupt(&dev->pci, true);
}

static void interrupt_config(struct virtio_device *dev)
{
	if (!(dev->status & VIRTIO_STATUS_DRIVER_OK))
		return;
	dev->config_interrupts++;
	interrupt(dev, dev->config_vector, ISR_CONFIG);
}

void virtio_config_changed(struct virtio_device *dev)
{
	dev->generation++;
	interrupt_config(dev);
}

void virtio_fail(struct virtio_device *dev, const struct virtio_queue *queue, const char *reason, u64 what)
{
	if (dev->status & VIRTIO_STATUS_NEEDS_RESET)
		return;
	dev->status |= VIRTIO_STATUS_NEEDS_RESET;
	dev->failures++;
	log_limited(&dev->rate, LOG_WARN, "%s: queue %u: %s (0x%llx); the device waits for its reset",
		    dev->pci.name, virtio_queue_index(dev, queue), reason, (unsigned long long)what);
	interrupt_config(dev);
}

/* ---- queues ---- */

static void serve_later(struct virtio_device *dev)
{
	if (dev->later.deadline == TIMER_NEVER)
		timer_arm(dev->timers, &dev->later,
			  clock_now(dev->clock) + clock_ticks(dev->clock, 1, VIRTIO_PAUSE_HZ));
}

/* Buffers, until there are no more or the share is used up. */
static enum virtio_served serve_some(struct virtio_device *dev, struct virtio_queue *queue)
{
	enum virtio_served served;

	while (queue->share > 0) {
		if (likely(!queue->busy)) {
			if (virtq_pop(&queue->q, &queue->chain) <= 0)
				return VIRTIO_DONE;
			queue->share -=
				COST_BUFFER + COST_SEGMENT * (queue->chain.readable + queue->chain.writable);
			queue->written = 0;
			queue->progress = 0;
			queue->busy = true;
		}
		served = dev->type->serve(dev, queue);
		if (unlikely(served != VIRTIO_DONE))
			return served;
		queue->busy = false;
		virtq_push(&queue->q, &queue->chain, queue->written);
	}
	return VIRTIO_LATER;
}

void virtio_serve(struct virtio_device *dev, struct virtio_queue *queue)
{
	enum virtio_served served;

	if (unlikely(!virtio_live(dev) || !queue->q.enabled || queue->serving))
		return;
	queue->serving = true;
	queue->share = VIRTIO_SHARE;
	do
		served = serve_some(dev, queue);
	while (served == VIRTIO_DONE && virtq_rearm(&queue->q));
	queue->serving = false;
	if (unlikely(queue->q.broken))
		virtio_fail(dev, queue, queue->q.broken, queue->q.broken_at);
	if (unlikely(!virtio_live(dev)))
		return;
	/* No news are needed while there is still something to do. */
	if (served != VIRTIO_DONE)
		virtq_disarm(&queue->q);
	if (served == VIRTIO_LATER)
		serve_later(dev);
	if (virtq_must_interrupt(&queue->q)) {
		queue->interrupts++;
		interrupt(dev, queue->q.vector, ISR_QUEUE);
	}
}

void virtio_notified(struct virtio_device *dev, u64 number)
{
	if (unlikely(number >= dev->type->queue_count))
		return;
	dev->queues[number].notifications++;
	virtio_serve(dev, &dev->queues[number]);
}

/* Whichever queue it was: the others do not mind. */
static void later(void *device)
{
	struct virtio_device *dev = device;

	for (unsigned i = 0; i < dev->type->queue_count; i++)
		virtio_serve(dev, &dev->queues[i]);
}

void virtio_enable_queue(struct virtio_device *dev, struct virtio_queue *queue)
{
	if (virtq_enable(&queue->q, dev->accepted) != 0)
		virtio_fail(dev, queue, queue->q.broken, queue->q.broken_at);
}

/* ---- status ---- */

void virtio_reset(struct virtio_device *dev)
{
	timer_cancel(dev->timers, &dev->later);
	for (unsigned i = 0; i < dev->type->queue_count; i++) {
		struct virtio_queue *queue = &dev->queues[i];

		virtq_reset(&queue->q);
		queue->busy = false;
	}
	dev->accepted = 0;
	dev->device_feature_select = 0;
	dev->driver_feature_select = 0;
	dev->queue_select = 0;
	dev->config_vector = VIRTQ_NO_VECTOR;
	dev->status = 0;
	dev->isr = 0;
	dev->resets++;
	/* Nor what was held back by a mask. */
	dev->pci.msix.pending = 0;
	pci_set_interrupt(&dev->pci, false);
	if (dev->type->reset)
		dev->type->reset(dev);
}

static bool features_will_do(const struct virtio_device *dev)
{
	return (dev->accepted & NEEDED) == NEEDED && !(dev->accepted & ~dev->offered);
}

/* Bits are added one by one or together; only a reset takes them away. */
void virtio_set_status(struct virtio_device *dev, u8 status)
{
	u8 news = status & DRIVER_BITS & ~dev->status;

	if (!status) {
		virtio_reset(dev);
		return;
	}
	if (news & VIRTIO_STATUS_FEATURES_OK && !features_will_do(dev)) {
		log_limited(&dev->rate, LOG_WARN, "%s: features 0x%llx of 0x%llx will not do", dev->pci.name,
			    (unsigned long long)dev->accepted, (unsigned long long)dev->offered);
		news &= ~VIRTIO_STATUS_FEATURES_OK;
	}
	if (!((dev->status | news) & VIRTIO_STATUS_FEATURES_OK))
		news &= ~VIRTIO_STATUS_DRIVER_OK;
	dev->status |= news;
	if (!(news & VIRTIO_STATUS_DRIVER_OK))
		return;
	/* There may be buffers already: of those no notification will come. */
	for (unsigned i = 0; i < dev->type->queue_count; i++)
		virtio_serve(dev, &dev->queues[i]);
}

/* ---- making and printing ---- */

void virtio_init(struct virtio_device *dev, const struct virtio_type *type, const struct virtio_setup *setup,
		 u64 features, const void *config, struct virtio_queue *queues,
		 struct virtq_segment *segments)
{
	*dev = (struct virtio_device){
		.type = type,
		.config = config,
		.queues = queues,
		.clock = setup->clock,
		.timers = setup->timers,
		.offered = ((features | RINGS) & ~setup->withheld) | NEEDED,
	};
	timer_init(&dev->later, later, dev);
	virtio_pci_init(dev, setup->name);
	for (unsigned i = 0; i < type->queue_count; i++) {
		queues[i] = (struct virtio_queue){ 0 };
		virtq_init(&queues[i].q, &dev->pci.dma, type->queue_size);
		virtq_chain_init(&queues[i].chain, segments + (size_t)i * type->queue_size, type->queue_size);
	}
	virtio_reset(dev);
	dev->resets = 0;
}

static const char *state_of(const struct virtio_device *dev)
{
	if (dev->status & VIRTIO_STATUS_NEEDS_RESET)
		return "waits for its reset";
	if (dev->status & VIRTIO_STATUS_FAILED)
		return "given up by its driver";
	if (dev->status & VIRTIO_STATUS_DRIVER_OK)
		return "in use";
	return dev->status ? "being set up" : "without a driver";
}

void virtio_print(const struct virtio_device *dev, void (*emit)(void *to, const char *line), void *to)
{
	char line[200];

	snprintf(line, sizeof(line),
		 "%s: virtio %s, %s; features 0x%llx of 0x%llx; %llu resets, %llu failures, %llu config "
		 "interrupts",
		 dev->pci.name, dev->type->name, state_of(dev), (unsigned long long)dev->accepted,
		 (unsigned long long)dev->offered, (unsigned long long)dev->resets,
		 (unsigned long long)dev->failures, (unsigned long long)dev->config_interrupts);
	emit(to, line);
	for (unsigned i = 0; i < dev->type->queue_count; i++) {
		const struct virtio_queue *queue = &dev->queues[i];
		const struct virtq *q = &queue->q;

		snprintf(line, sizeof(line),
			 "  queue %u: %s of %u%s%s: %llu notifications, %llu requests, %llu interrupts", i,
			 !q->enabled ? "off"
			 : q->packed ? "packed"
				     : "split",
			 q->size, q->broken ? ", broken: " : "", q->broken ? q->broken : "",
			 (unsigned long long)queue->notifications, (unsigned long long)q->pushed,
			 (unsigned long long)queue->interrupts);
		emit(to, line);
	}
}
