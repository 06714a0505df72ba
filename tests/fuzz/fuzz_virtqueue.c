// SPDX-License-Identifier: BSD-2-Clause
/*
 * The queue engine against a guest that writes anything into its rings at any time: also between two accesses of the
 * engine's, as each translation may be the moment when some bytes change. Both formats, rings anywhere, pages that
 * come and go with any permission.
 *
 * Held against: work is bounded; a broken queue touches nothing; chains are what virtqueue.h says of them; pages that
 * may not be written are not.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/virtqueue.h"
#include "iommu/window.h"

#define PAGES	16
#define RAM	(PAGES * PAGE_SIZE)
#define CHAINS	4
#define ROOM	300 /* more than a chain can have */
#define MOMENTS 4

struct input {
	const u8 *at, *end;
};

struct board {
	struct mem_core core;
	struct region ram;
	struct dma_window window;
	struct iommu_region iommu;
	struct address_space memory, window_space, dma;
	struct dma_port port;
	struct virtq q;
	struct virtq_chain chain[CHAINS];
	struct virtq_segment segments[CHAINS][ROOM];
	u64 page[PAGES];
	u64 accesses;
	/* What changes when so many more accesses have been made. */
	struct {
		u64 when, value;
		u16 address;
	} moment[MOMENTS];
	u8 bytes[RAM] __attribute__((aligned(4096)));
	u8 before[RAM];
};

static const struct dma_row rows[] = { DMA_ROW("ram", 0, RAM, 0, MEM_READ_WRITE) };
static const struct dma_table table = { .device = "fuzz", .rows = rows, .count = 1 };
static struct board b;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static u64 take(struct input *in, unsigned size)
{
	u64 value = 0;

	while (size-- && in->at < in->end)
		value = value << 8 | *in->at++;
	return value;
}

/* By bus address, as the guest's CPU would after a look into its own tables. */
static void poke(u16 address, u64 value, unsigned size)
{
	for (unsigned i = 0; i < size; i++, address++) {
		u64 at = (b.page[address / PAGE_SIZE] & ~PAGE_MASK) + (address & PAGE_MASK);

		b.bytes[at] = b.before[at] = (u8)(value >> (8 * i));
	}
}

static u64 peek(u16 address, unsigned size)
{
	u64 value = 0;

	while (size--) {
		u16 at = address + size;

		value = value << 8 | b.bytes[(b.page[at / PAGE_SIZE] & ~PAGE_MASK) + (at & PAGE_MASK)];
	}
	return value;
}

static struct iommu_entry translate(const struct iommu_region *iommu, u64 iova, enum mem_access access)
{
	u64 entry = iova < RAM ? b.page[iova / PAGE_SIZE] : 0;

	(void)iommu, (void)access;
	b.accesses++;
	for (unsigned i = 0; i < MOMENTS; i++) {
		if (b.moment[i].when && !--b.moment[i].when)
			poke(b.moment[i].address, b.moment[i].value, 8);
	}
	return (struct iommu_entry){ .iova = iova,
				     .translated = entry & ~PAGE_MASK,
				     .mask = PAGE_MASK,
				     .perm = entry & MEM_READ_WRITE };
}

static const struct iommu_ops ops = { .translate = translate };

static void build(void)
{
	memset(&b, 0, sizeof(b));
	mem_core_init(&b.core);
	region_init_ram(&b.ram, "ram", RAM, b.bytes);
	require(!as_init(&b.memory, &b.core, "memory", &b.ram, UNCLAIMED_ONES));
	dma_window_init(&b.window, "window", &table, &b.memory, NULL);
	require(!as_init(&b.window_space, &b.core, "window", &b.window.iommu.region, UNCLAIMED_ONES));
	region_init_iommu(&b.iommu, "iommu", REGION_SIZE_WHOLE, &ops, &b.window_space, false);
	require(!as_init(&b.dma, &b.core, "dma", &b.iommu.region, UNCLAIMED_ONES));
	as_set_ram_only(&b.dma, true);
	dma_port_init(&b.port, "fuzz", 8, &b.dma);
	b.port.bus_master = true;
	virtq_init(&b.q, &b.port, VIRTQ_SIZE_MAX);
	for (unsigned i = 0; i < CHAINS; i++)
		virtq_chain_init(&b.chain[i], b.segments[i], ROOM);
	for (unsigned i = 0; i < PAGES; i++)
		b.page[i] = i * PAGE_SIZE | MEM_READ_WRITE;
}

static void demolish(void)
{
	virtq_reset(&b.q);
	require(!b.iommu.links);
	as_destroy(&b.dma);
	as_destroy(&b.window_space);
	as_destroy(&b.memory);
	region_destroy(&b.ram);
	mem_core_destroy(&b.core);
}

static void check_memory(void)
{
	bool writable[PAGES] = { false };

	for (unsigned i = 0; i < PAGES; i++)
		writable[b.page[i] / PAGE_SIZE] |= b.page[i] & MEM_WRITE;
	for (unsigned i = 0; i < PAGES; i++)
		require(writable[i] || !memcmp(b.bytes + i * PAGE_SIZE, b.before + i * PAGE_SIZE, PAGE_SIZE));
	memcpy(b.before, b.bytes, RAM);
}

static void check_chain(const struct virtq_chain *chain)
{
	u64 readable = 0, writable = 0;

	require(chain->readable + chain->writable <= ROOM);
	for (unsigned i = 0; i < chain->readable + chain->writable; i++) {
		const struct virtq_segment *segment = &chain->segments[i];

		require(segment->length && segment->address + (segment->length - 1) >= segment->address);
		*(i < chain->readable ? &readable : &writable) += segment->length;
	}
	require(readable == chain->readable_length && writable == chain->writable_length);
	require(readable + writable <= 4 * GiB);
	require(chain->slots && chain->slots <= b.q.size);
	require(b.q.taken <= b.q.size);
}

static void enable(struct input *in)
{
	u8 flags = take(in, 1);

	virtq_reset(&b.q);
	b.q.size = take(in, 1) + 1;
	if (!(flags & 1)) /* to a power of two, mostly */
		b.q.size = flags & 0x10 ? b.q.size : BIT(b.q.size % 9);
	b.q.desc = take(in, 2) & (flags & 0x20 ? ~0ull : ~15ull);
	b.q.driver = take(in, 2) & ~3ull;
	b.q.device = take(in, 2) & ~3ull;
	if (flags & 0x40)
		b.q.desc = ~b.q.desc;
	virtq_enable(&b.q, (flags & 1 ? VIRTIO_F_RING_PACKED : 0) | (flags & 2 ? VIRTIO_F_EVENT_IDX : 0) |
				   (flags & 4 ? VIRTIO_F_INDIRECT_DESC : 0));
}

/* What a driver does that knows the format, with descriptors that are not always right. */
static void offer(struct input *in)
{
	u16 flags = take(in, 1), place = flags >> 4;
	u64 addr = take(in, 2), len = take(in, 2);
	u16 desc, idx;

	flags &= 7;
	if (b.q.packed) {
		/* The engine's own place: what comes there is available now. */
		desc = b.q.desc + 16 * ((b.q.next_avail + place) % b.q.size);
		flags |= b.q.avail_wrap ? 0x80 : 0x8000;
		poke(desc, addr, 8);
		poke(desc + 8, len | (u64)place << 32 | (u64)flags << 48, 8);
		return;
	}
	desc = b.q.desc + 16 * (place % b.q.size);
	poke(desc, addr, 8);
	poke(desc + 8, len | (u64)flags << 32 | (u64)(take(in, 1) % b.q.size) << 48, 8);
	idx = peek(b.q.driver + 2, 2);
	poke(b.q.driver + 4 + 2 * (idx % b.q.size), place % b.q.size, 2);
	poke(b.q.driver + 2, idx + 1, 2);
}

static void device_turn(struct input *in, u8 op)
{
	static u8 buffer[0x2000];
	struct virtq_chain *chain = &b.chain[take(in, 1) % CHAINS];
	u64 offset, length;

	switch (op) {
	case 0:
		if (virtq_pop(&b.q, chain) > 0)
			check_chain(chain);
		break;
	case 1:
		offset = take(in, 2);
		length = take(in, 2) % sizeof(buffer);
		virtq_read(&b.q, chain, offset, buffer, length);
		break;
	case 2:
		offset = take(in, 2);
		length = take(in, 2) % sizeof(buffer);
		if (virtq_write(&b.q, chain, offset, buffer, length) == MEM_OK)
			require(offset + length <= chain->writable_length);
		break;
	case 3:
		virtq_push(&b.q, chain, take(in, 2));
		break;
	case 4:
		virtq_must_interrupt(&b.q);
		break;
	case 5:
		virtq_rearm(&b.q);
		break;
	case 6:
		virtq_disarm(&b.q);
		break;
	default: /* a whole notification */
		for (unsigned i = 0; i < b.q.size && virtq_pop(&b.q, chain) > 0; i++) {
			check_chain(chain);
			virtq_write(&b.q, chain, 0, buffer, MIN(chain->writable_length, sizeof(buffer)));
			virtq_push(&b.q, chain, sizeof(buffer));
		}
		virtq_rearm(&b.q);
		virtq_must_interrupt(&b.q);
		break;
	}
}

static void guest_turn(struct input *in, u8 op)
{
	unsigned i;

	switch (op) {
	case 0:
		enable(in);
		break;
	case 1:
	case 2:
		offer(in);
		break;
	case 3: /* a table, or anything */
		i = take(in, 2);
		poke(i, take(in, 2), 8);
		poke(i + 8, take(in, 2) | take(in, 1) << 32 | take(in, 1) << 48, 8);
		break;
	case 4:
		i = take(in, 2);
		poke(i, take(in, 2), 2);
		break;
	case 5:
		i = take(in, 1) % PAGES;
		check_memory();
		b.page[i] = take(in, 1) % PAGES * PAGE_SIZE | (b.page[i] & MEM_READ_WRITE);
		iommu_invalidate(&b.iommu, i * PAGE_SIZE, i * PAGE_SIZE + PAGE_MASK);
		break;
	case 6:
		i = take(in, 1);
		check_memory();
		b.page[i % PAGES] = (b.page[i % PAGES] & ~PAGE_MASK) | (i >> 4 & MEM_READ_WRITE);
		iommu_invalidate(&b.iommu, i % PAGES * PAGE_SIZE, i % PAGES * PAGE_SIZE + PAGE_MASK);
		break;
	default:
		i = take(in, 1);
		b.moment[i % MOMENTS].when = i >> 4 & 0xf;
		b.moment[i % MOMENTS].address = take(in, 2);
		b.moment[i % MOMENTS].value = take(in, 8);
		b.port.bus_master = i != 0xff;
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, data + size };

	build();
	/* Behind a second gate that might invalidate the port remembers no pages: each access is translated. */
	b.window.iommu.fixed = take(&in, 1) & 1;
	enable(&in);
	while (in.at < in.end) {
		u8 op = take(&in, 1);
		bool dead = !b.q.enabled || b.q.broken || !b.port.bus_master;
		bool notification = (op & 15) == 15;

		b.accesses = 0;
		if (op & 8)
			device_turn(&in, op & 7);
		else
			guest_turn(&in, op & 7);
		/* A chain of 256, each part of which is read or written alone over two pages, and again. */
		require(b.accesses <= (notification ? 256 : 1) * 8192ull);
		if (op & 8 && dead)
			require(!b.accesses);
	}
	check_memory();
	demolish();
	return 0;
}
