// SPDX-License-Identifier: BSD-2-Clause
/*
 * The virtio network device between a hostile driver and a port's owner: any rings, descriptors, headers and notifications,
 * memory that changes and goes away, frames in between. The owner must see frames only, no more than it asked for; the
 * guest's memory must not change where the device may not write; and no call may cost more than its share.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/virtio_net.h"

#define PAGES	 16u
#define RAM_SIZE (PAGES * PAGE_SIZE)
#define WINDOW	 0xc0000000ull
#define SLOT	 PCI_DEVFN(1, 0)
#define RX	 VIRTIO_NET_RECEIVE
#define TX	 VIRTIO_NET_TRANSMIT
/* What a driver sees in front of its frames, and what comes behind is its buffers. */
#define HEADERS (8 * PAGE_SIZE)
#define TABLES	(9 * PAGE_SIZE)

struct board {
	struct mem_core core;
	struct region system, ram, pci_memory, pci_io, window;
	struct iommu_region iommu;
	struct address_space memory, guest, dma;
	struct section_cache cache;
	struct pci_host host;
	struct virtio_net net;
	u8 permission[PAGES];
	u8 bytes[RAM_SIZE] __attribute__((aligned(4096)));
	u8 shadow[RAM_SIZE]; /* up to date where the device may not write */
	u64 now;
	struct clock clock;
	struct timer_queue queue;
	u64 work; /* of the device since the last look */
	unsigned received, ready;
	bool answer;
	u8 room[ETHERNET_FRAME_MAX];
	u16 avail[VIRTIO_NET_QUEUES], queue_size;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* ---- the board ---- */

static u64 clock_source(void *source)
{
	return ((struct board *)source)->now;
}

static void message(void *sink, u64 address, u32 data, u16 requester)
{
	struct board *b = sink;

	(void)data;
	require(address >> 20 == 0xfee);
	require(b->host.functions[requester]->dma.bus_master);
	b->work += 100;
}

static struct iommu_entry translate(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	struct board *b = container_of((struct iommu_region *)iommu, struct board, iommu);

	(void)access;
	b->work++;
	return (struct iommu_entry){ .iova = iova,
				     .translated = iova & ~PAGE_MASK,
				     .mask = PAGE_MASK,
				     .perm = iova < RAM_SIZE ? b->permission[iova / PAGE_SIZE] : MEM_NONE };
}

static const struct iommu_ops iommu_ops = { .translate = translate };

static void ready(void *owner)
{
	((struct board *)owner)->ready++;
}

static void receive(void *owner, const void *frame, size_t length)
{
	struct board *b = owner;
	u8 copy[ETHERNET_FRAME_MAX];

	require(length >= ETHERNET_FRAME_MIN && length <= ETHERNET_FRAME_MAX);
	require(frame == b->room || !b->net.port.room);
	memcpy(copy, frame, length);
	b->received++;
	if (b->answer)
		b->net.port.send(&b->net.port, copy, length);
}

static void build(struct board *b, u8 options)
{
	static const u8 mac[ETHERNET_MAC] = { 2, 0, 0, 0, 0, 1 };
	const struct virtio_setup setup = { "net", &b->clock, &b->queue,
					    options & 2 ? VIRTIO_F_RING_PACKED : 0 };

	memset(b, 0, sizeof(*b));
	mem_core_init(&b->core);
	region_init_container(&b->system, "memory", REGION_SIZE_WHOLE);
	region_init_ram(&b->ram, "ram", RAM_SIZE, b->bytes);
	region_init_container(&b->pci_memory, "pci", REGION_SIZE_WHOLE);
	region_init_container(&b->pci_io, "pci io", 64 * KiB);
	region_init_alias(&b->window, "pci window", 256 * MiB, &b->pci_memory, WINDOW);
	require(!region_add(&b->system, WINDOW, &b->window, 0));
	require(!as_init(&b->memory, &b->core, "memory", &b->system, UNCLAIMED_ONES));
	require(!as_init(&b->guest, &b->core, "guest", &b->ram, UNCLAIMED_ONES));
	as_set_ram_only(&b->guest, true);
	region_init_iommu(&b->iommu, "iommu", REGION_SIZE_WHOLE, &iommu_ops, &b->guest, false);
	require(!as_init(&b->dma, &b->core, "dma", &b->iommu.region, UNCLAIMED_ONES));
	as_set_ram_only(&b->dma, true);
	b->host = (struct pci_host){
		.core = &b->core, .memory = &b->pci_memory, .io = &b->pci_io, .msi = { message, b }
	};
	b->clock = (struct clock){ clock_source, b, 30000000 };
	memset(b->permission, MEM_READ_WRITE, sizeof(b->permission));
	b->permission[PAGES - 1] = MEM_NONE;
	b->permission[PAGES - 2] = MEM_READ;
	b->queue_size = 8;
	pci_host_init(&b->host);
	virtio_net_init(&b->net, &setup, mac);
	b->net.port.receive = receive;
	b->net.port.ready = ready;
	b->net.port.owner = b;
	b->net.port.room = options & 1 ? b->room : NULL;
	b->answer = options & 4;
	require(!pci_add(&b->host, &b->net.dev.pci, SLOT, &b->dma));
	require(!pci_place_bars(&b->host, WINDOW, WINDOW + MiB, 0x1000, 0x1fff));
	pci_config_write(&b->host, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void demolish(struct board *b)
{
	virtio_reset(&b->net.dev);
	require(map_client_live(&b->net.dev.pci.dma.client) == 0);
	region_remove(&b->net.dev.bar);
	region_remove(&b->net.dev.pci.msix.region);
	require(!b->queue.first);
	as_destroy(&b->dma);
	as_destroy(&b->guest);
	as_destroy(&b->memory);
	mem_core_destroy(&b->core);
}

/* ---- what must hold at any time ---- */

static void check(struct board *b)
{
	const struct virtio_net *net = &b->net;

	for (unsigned i = 0; i < PAGES; i++)
		require(b->permission[i] & MEM_WRITE ||
			!memcmp(b->shadow + i * PAGE_SIZE, b->bytes + i * PAGE_SIZE, PAGE_SIZE));
	require(b->work < 4 * VIRTIO_SHARE);
	b->work = 0;
	require(net->held_count < VIRTIO_NET_MERGE_BUFFERS &&
		net->held_segment_count <= VIRTIO_NET_MERGE_SEGMENTS);
	require(net->port.counters.rx_frames == b->received);
	require(!net->frame && !net->budget && !(net->dev.status & 0x30));
	require(!net->port.link || net->dev.status & VIRTIO_STATUS_DRIVER_OK);
}

static void poll(struct board *b, unsigned budget)
{
	unsigned before = b->received, taken;
	u64 malformed = b->net.port.counters.rx_malformed;

	taken = b->net.port.poll(&b->net.port, budget);
	require(taken <= budget);
	require(b->received - before + (b->net.port.counters.rx_malformed - malformed) == taken);
}

static void send(struct board *b, unsigned length)
{
	static const u8 frame[4096] = { 0x11 };
	const struct ethernet_counters *c = &b->net.port.counters;
	u64 good = c->tx_frames, bad = c->tx_no_room + c->tx_no_link + c->tx_malformed;
	bool sent = b->net.port.send(&b->net.port, frame, length);

	require(c->tx_frames - good == sent);
	require(c->tx_no_room + c->tx_no_link + c->tx_malformed - bad == !sent);
	require(!sent || (length >= ETHERNET_FRAME_MIN && length <= ETHERNET_FRAME_MAX));
}

/* ---- what a guest does ---- */

static void set(struct board *b, unsigned offset, unsigned size, u64 value)
{
	u64 bar = pci_bar_address(&b->net.dev.pci, VIRTIO_PCI_REGISTER_BAR);

	as_store(&b->memory, &b->cache, bar + offset, size, value);
}

static void guest_write(struct board *b, u16 address, const void *bytes, unsigned length)
{
	length = MIN(length, RAM_SIZE - address);
	memcpy(b->bytes + address, bytes, length);
	memcpy(b->shadow + address, bytes, length);
}

/* A queue has a page of descriptors and one of the other two areas. */
static u64 rings_of(unsigned queue)
{
	return queue * 2 * PAGE_SIZE;
}

/* As a friendly driver does it, so that what follows gets somewhere. */
static void start(struct board *b, u8 how)
{
	static const u8 zeros[2 * PAGE_SIZE];
	u64 features = b->net.dev.offered & ~(how & 1 ? VIRTIO_F_RING_PACKED : 0) &
		       ~(how & 2 ? VIRTIO_F_EVENT_IDX : 0) & ~(how & 8 ? VIRTIO_NET_F_MRG_RXBUF : 0) &
		       ~(how & 16 ? VIRTIO_NET_F_CSUM : 0);

	b->queue_size = 4 << (how >> 5 & 3);
	set(b, 0x14, 1, 0);
	set(b, 0x08, 4, 0);
	set(b, 0x0c, 4, (u32)features);
	set(b, 0x08, 4, 1);
	set(b, 0x0c, 4, features >> 32);
	set(b, 0x14, 1, 0xb);
	for (unsigned i = 0; i < VIRTIO_NET_QUEUES; i++) {
		guest_write(b, rings_of(i), zeros, sizeof(zeros));
		b->avail[i] = 0;
		set(b, 0x16, 2, i);
		set(b, 0x18, 2, b->queue_size);
		set(b, 0x1a, 2, i);
		set(b, 0x20, 4, rings_of(i));
		set(b, 0x28, 4, rings_of(i) + PAGE_SIZE);
		set(b, 0x30, 4, rings_of(i) + PAGE_SIZE + 0x800);
		set(b, 0x1c, 2, 1);
	}
	set(b, 0x14, 1, 0xf);
}

/* A descriptor: address and length mostly sensible, flags as they come. */
static void put_descriptor(struct board *b, u64 table, unsigned index, const u8 *data, bool packed,
			   unsigned queue)
{
	u8 desc[16] = { 0 };
	u64 address = data[0] << 8 | (data[1] & 0xf0);
	u32 length = data[1] & 1 ? data[2] << (data[1] & 0xe) : data[2] * (data[1] & 2 ? 8u : 1u);

	if (data[0] == 0xff)
		memset(&address, data[1], 8);
	memcpy(desc, &address, 8);
	memcpy(desc + 8, &length, 4);
	if (packed) {
		desc[12] = index;
		desc[14] = (data[3] & 5) | (queue == RX && data[3] & 7 ? 2 : 0) | (data[3] & 8 ? 0x80 : 0);
		desc[15] = data[3] & 16 ? 0x80 : 0;
	} else {
		desc[12] = data[3] >> 4 & 3 ? queue == RX && data[3] & 0x40 ? 2 : 0 : data[3] & 7;
		desc[12] |= data[3] & 8;
		desc[12] = desc[12] & 7;
		desc[14] = data[3] >> 5;
	}
	guest_write(b, table + index * 16, desc, 16);
}

static void make_available(struct board *b, unsigned queue, u8 head)
{
	u16 *avail = &b->avail[queue];
	u8 entry[2] = { head, 0 };

	guest_write(b, rings_of(queue) + PAGE_SIZE + 4 + 2 * (*avail % b->queue_size), entry, 2);
	++*avail;
	guest_write(b, rings_of(queue) + PAGE_SIZE + 2, avail, 2);
}

/* A whole buffer in one descriptor, split or packed: {header, frame} or room for one. */
static void give(struct board *b, unsigned queue, unsigned place, u16 address, u16 length)
{
	u8 desc[16] = { (u8)address, (u8)(address >> 8), [8] = (u8)length, [9] = (u8)(length >> 8) };
	struct virtq *q = &b->net.queues[queue].q;
	u8 flags = queue == RX ? 2 : 0;

	place %= b->queue_size;
	if (q->packed) {
		place = q->next_avail % b->queue_size;
		desc[12] = (u8)place;
		desc[14] = flags | (q->avail_wrap ? 0x80 : 0);
		desc[15] = q->avail_wrap ? 0 : 0x80;
	} else {
		desc[12] = flags;
	}
	guest_write(b, rings_of(queue) + 16 * place, desc, sizeof(desc));
	if (!q->packed)
		make_available(b, queue, (u8)place);
}

static void put_header(struct board *b, const u8 *data)
{
	u8 header[12] = {
		data[0] & 1,
		data[0] & 0x80 ? data[1] : 0, [6] = data[2], [7] = data[3] & 7, [8] = data[1] & 0x3f
	};

	guest_write(b, HEADERS + (data[3] & 0xf0), header, sizeof(header));
}

static void set_permission(struct board *b, unsigned page, u8 permission)
{
	u64 first = page * PAGE_SIZE;

	memcpy(b->shadow + first, b->bytes + first, PAGE_SIZE);
	b->permission[page] = permission;
	iommu_invalidate(&b->iommu, first, first + PAGE_MASK);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct board b;

	if (!size)
		return 0;
	build(&b, data[0]);
	start(&b, data[0] >> 3);
	for (data++, size--; size >= 6; data += 6, size -= 6) {
		unsigned queue = data[1] >> 7;
		u16 value = data[2] | data[3] << 8;

		switch (data[0] & 15) {
		case 0:
			set(&b, data[1] & 0x3f, 1u << (data[2] >> 6), data[4] | data[5] << 8);
			break;
		case 1: /* memory */
			guest_write(&b, data[1] << 8 | data[2], data + 3, 3);
			break;
		case 2:
			put_header(&b, data + 2);
			break;
		case 3:
			put_descriptor(&b, data[1] & 0x40 ? TABLES : rings_of(queue), data[1] >> 2 & 7,
				       data + 2, b.net.dev.accepted & VIRTIO_F_RING_PACKED, queue);
			break;
		case 4:
			make_available(&b, queue, data[2] & 7);
			break;
		case 5:
		case 6: /* a frame behind one of the headers; room for one */
			give(&b, TX, data[1], HEADERS + (data[4] & 0xf0), value % 1700);
			break;
		case 7:
		case 8:
			give(&b, RX, data[1], data[4] << 8, value % 1700);
			break;
		case 9:
			set(&b, 0x3000, 2, data[0] & 0x80 ? data[2] : queue);
			break;
		case 10:
			poll(&b, data[2] % 70);
			break;
		case 11:
		case 12:
			send(&b, value % (data[0] & 0x80 ? 4096 : 1600));
			break;
		case 13:
			if (data[1] & 1)
				start(&b, data[2]);
			else
				virtio_net_set_link(&b.net, data[2] & 1);
			break;
		case 14: /* the IOMMU */
			set_permission(&b, data[2] % (PAGES - 1), data[3] & 3);
			break;
		default:
			if (data[1] & 1) {
				b.now += data[2] & 1 ? 1500 : data[3];
				timer_queue_run(&b.queue, b.now);
			} else {
				pci_config_write(&b.host, SLOT, PCI_COMMAND, 2,
						 PCI_COMMAND_MEMORY | (data[2] & 7 ? PCI_COMMAND_MASTER : 0));
			}
			break;
		}
		check(&b);
	}
	demolish(&b);
	return 0;
}
