// SPDX-License-Identifier: BSD-2-Clause
#include "devices/virtio_net.h"

#include <string.h>

#define HDR_F_NEEDS_CSUM 1u
#define HDR_GSO_NONE	 0u
#define HDR_BYTES	 sizeof(struct virtio_net_hdr)

static struct virtio_net *net_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_net, dev);
}

static void say_ready(struct virtio_net *net)
{
	if (net->port.ready)
		net->port.ready(net->port.owner);
}

/* ---- from the guest ---- */

/* Ones' complement sum (RFC 1071), eight bytes at a time, carries added back in. */
static u16 fold_sum(const u8 *bytes, size_t length)
{
	u64 sum = 0, word = 0;

	for (; length >= sizeof(word); bytes += sizeof(word), length -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum += word;
		sum += sum < word;
	}
	word = 0;
	memcpy(&word, bytes, length);
	sum += word;
	sum += sum < word;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)sum;
}

/* The driver has put the sum of the pseudo header where the checksum belongs. False: that is nowhere in the frame. */
static bool complete_checksum(const struct virtio_net_hdr *header, u8 *frame, size_t length)
{
	size_t at = (size_t)header->csum_start + header->csum_offset;
	u16 sum;

	if (at + sizeof(sum) > length)
		return false;
	sum = (u16)~fold_sum(frame + header->csum_start, length - header->csum_start);
	/* Both are zero in ones' complement; a UDP checksum of 0 would mean that there is none. */
	sum = sum ?: 0xffff;
	memcpy(frame + at, &sum, sizeof(sum));
	return true;
}

/* A frame of `length` bytes out of the buffer at hand, ready for others. False: it is none. */
static bool fetch(struct virtio_net *net, struct virtio_queue *queue, u8 *frame, size_t length)
{
	struct virtio_net_hdr header;

	if (queue->chain.readable_length < HDR_BYTES || !ethernet_frame_ok(length) ||
	    virtq_read(&queue->q, &queue->chain, 0, &header, HDR_BYTES) != MEM_OK ||
	    header.gso_type != HDR_GSO_NONE ||
	    virtq_read(&queue->q, &queue->chain, HDR_BYTES, frame, length) != MEM_OK)
		return false;
	if (!(header.flags & HDR_F_NEEDS_CSUM))
		return true;
	if (!(net->dev.accepted & VIRTIO_NET_F_CSUM) || !complete_checksum(&header, frame, length))
		return false;
	net->checksums++;
	return true;
}

static enum virtio_served transmit(struct virtio_net *net, struct virtio_queue *queue)
{
	size_t length = queue->chain.readable_length - HDR_BYTES;
	u8 *frame = net->port.room ?: net->buffer;

	if (!net->budget) {
		if (!net->polling)
			say_ready(net);
		return VIRTIO_WAIT;
	}
	net->budget--;
	if (fetch(net, queue, frame, length)) {
		queue->share -= (s64)length;
		ethernet_received(&net->port, frame, length);
	} else {
		net->port.counters.rx_malformed++;
	}
	return VIRTIO_DONE;
}

static unsigned poll(struct ethernet_port *port, unsigned budget)
{
	struct virtio_net *net = container_of(port, struct virtio_net, port);
	unsigned taken;

	net->polling = true;
	net->budget = budget;
	virtio_serve(&net->dev, &net->queues[VIRTIO_NET_TRANSMIT]);
	taken = budget - net->budget;
	net->budget = 0;
	net->polling = false;
	return taken;
}

/* ---- to the guest ---- */

/* Bytes from.. of header and frame to the start of a buffer, as many as it has room for: how many, 0 if there is none. */
static u32 fill(struct virtio_net *net, struct virtq *q, struct virtq_chain *chain, u16 buffers, u32 from)
{
	const struct virtio_net_hdr header = { .num_buffers = buffers };
	u32 size = (u32)MIN(chain->writable_length, HDR_BYTES + net->length - from);
	u32 of_header = from < HDR_BYTES ? (u32)MIN(HDR_BYTES - from, size) : 0;
	const u8 *rest = size > of_header ? net->frame + (from + of_header - HDR_BYTES) : NULL;

	if (virtq_write(q, chain, 0, (const u8 *)&header + (of_header ? from : 0), of_header) != MEM_OK ||
	    virtq_write(q, chain, of_header, rest, size - of_header) != MEM_OK)
		return 0;
	return size;
}

/* Gives all of them back, with the frame or, where that has no room, with nothing. */
static void give_back_held(struct virtio_net *net, struct virtq *q)
{
	u32 written[VIRTIO_NET_MERGE_BUFFERS] = { 0 };
	u32 total = HDR_BYTES + net->length, done = 0;

	for (unsigned i = 0; i < net->held_count && net->held_length >= total && done < total; i++) {
		written[i] = fill(net, q, &net->held[i], (u16)net->held_count, done);
		done += written[i];
		if (!written[i])
			break;
	}
	net->delivered = done == total;
	net->merged += net->delivered;
	if (!net->delivered)
		memset(written, 0, sizeof(written));
	virtq_push_all(q, net->held, written, net->held_count);
	net->frame = NULL;
	net->held_count = net->held_segment_count = 0;
	net->held_length = 0;
}

/* The buffer at hand is too small for the frame: it is held until there is enough. */
static void hold(struct virtio_net *net, struct virtio_queue *queue)
{
	struct virtq_chain *chain = &queue->chain, *held;
	unsigned segments = chain->readable + chain->writable;

	if (segments > VIRTIO_NET_MERGE_SEGMENTS - net->held_segment_count) {
		/* Crumbs. This one goes back by itself. */
		give_back_held(net, &queue->q);
		return;
	}
	held = &net->held[net->held_count++];
	*held = *chain;
	held->segments = net->held_segments + net->held_segment_count;
	held->room = (u16)segments;
	memcpy(held->segments, chain->segments, segments * sizeof(*chain->segments));
	virtq_chain_init(chain, chain->segments, chain->room);
	net->held_segment_count += segments;
	net->held_length += held->writable_length;
	if (net->held_length >= HDR_BYTES + net->length || net->held_count == VIRTIO_NET_MERGE_BUFFERS)
		give_back_held(net, &queue->q);
}

static enum virtio_served receive(struct virtio_net *net, struct virtio_queue *queue)
{
	if (!net->port.link) {
		net->port.link = true;
		say_ready(net);
	}
	/* The next frame's; the driver need not tell of more before that. */
	if (!net->frame)
		return VIRTIO_WAIT;
	if (!net->held_count && likely(queue->chain.writable_length >= HDR_BYTES + net->length)) {
		queue->written = fill(net, &queue->q, &queue->chain, 1, 0);
		net->delivered = queue->written;
		net->frame = NULL;
	} else if (net->dev.accepted & VIRTIO_NET_F_MRG_RXBUF) {
		hold(net, queue);
	} else {
		/* Back to the driver, so that it sees that it is too small; the frame is lost. */
		net->frame = NULL;
	}
	return VIRTIO_DONE;
}

static bool send(struct ethernet_port *port, const void *frame, size_t length)
{
	struct virtio_net *net = container_of(port, struct virtio_net, port);

	if (!ethernet_frame_ok(length)) {
		port->counters.tx_malformed++;
		return false;
	}
	if (!port->link || !virtio_live(&net->dev)) {
		port->counters.tx_no_link++;
		return false;
	}
	net->frame = frame;
	net->length = (u32)length;
	net->delivered = false;
	virtio_serve(&net->dev, &net->queues[VIRTIO_NET_RECEIVE]);
	net->frame = NULL;
	if (!net->delivered) {
		port->counters.tx_no_room++;
		return false;
	}
	port->counters.tx_frames++;
	port->counters.tx_bytes += length;
	return true;
}

void virtio_net_set_link(struct virtio_net *net, bool up)
{
	u16 status = up ? VIRTIO_NET_S_LINK_UP : 0;

	if (status == net->config.status)
		return;
	net->config.status = status;
	virtio_config_changed(&net->dev);
}

/* ---- the type ---- */

static enum virtio_served serve(struct virtio_device *dev, struct virtio_queue *queue)
{
	if (virtio_queue_index(dev, queue) == VIRTIO_NET_TRANSMIT)
		return transmit(net_of(dev), queue);
	return receive(net_of(dev), queue);
}

static void reset(struct virtio_device *dev)
{
	struct virtio_net *net = net_of(dev);
	bool had_link = net->port.link;

	net->held_count = net->held_segment_count = 0;
	net->held_length = 0;
	net->port.link = false;
	if (had_link)
		say_ready(net);
}

static const struct virtio_type type = {
	.name = "network",
	.id = VIRTIO_ID_NETWORK,
	.class = 0x020000,
	.queue_count = VIRTIO_NET_QUEUES,
	.queue_size = VIRTIO_NET_QUEUE_SIZE,
	.config_size = sizeof(struct virtio_net_config),
	.serve = serve,
	.reset = reset,
};

void virtio_net_init(struct virtio_net *net, const struct virtio_setup *setup, const u8 mac[ETHERNET_MAC])
{
	*net = (struct virtio_net){
		.config = {
			.status = VIRTIO_NET_S_LINK_UP,
			.max_virtqueue_pairs = 1,
			.mtu = ETHERNET_FRAME_MAX - ETHERNET_HEADER,
		},
		.port = { .name = setup->name, .send = send, .poll = poll },
	};
	memcpy(net->config.mac, mac, ETHERNET_MAC);
	memcpy(net->port.mac, mac, ETHERNET_MAC);
	virtio_init(&net->dev, &type, setup,
		    VIRTIO_NET_F_CSUM | VIRTIO_NET_F_MTU | VIRTIO_NET_F_MAC | VIRTIO_NET_F_MRG_RXBUF |
			    VIRTIO_NET_F_STATUS,
		    &net->config, net->queues, net->segments);
}
