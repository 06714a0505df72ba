// SPDX-License-Identifier: BSD-2-Clause
/*
 * The three virtio devices under any sequence of register accesses, writes to guest memory, notifications, time
 * and changes of what the IOMMU lets through. A shadow of guest memory shows whether a device has written where
 * it may not; the disk that is read-only, and what each turn may cost, are watched as well.
 */
#include <stdlib.h>
#include <string.h>

#include "devices/virtio_blk.h"
#include "devices/virtio_console.h"
#include "devices/virtio_rng.h"

#define PAGES	 16u
#define RAM_SIZE (PAGES * PAGE_SIZE)
#define SECTORS	 4096u /* two shares of work */
#define BLK	 0
#define CONSOLE	 1
#define RNG	 2
#define DEVICES	 3
#define WINDOW	 0xc0000000ull

struct board {
	struct mem_core core;
	struct region system, ram, pci_memory, pci_io, window;
	struct iommu_region iommu;
	struct address_space memory, guest, dma;
	struct section_cache cache;
	struct pci_host host;
	struct virtio_blk blk;
	struct virtio_console console;
	struct virtio_rng rng;
	struct virtio_device *device[DEVICES];
	u8 permission[PAGES];
	u8 bytes[RAM_SIZE] __attribute__((aligned(4096)));
	u8 shadow[RAM_SIZE]; /* up to date where the devices may not write */
	u64 now;
	struct clock clock;
	struct timer_queue queue;
	unsigned room, typed;
	u64 work;	/* of the device since the last look */
	u16 avail[4];	/* what the friendly driver made available, by queue */
	u16 queue_size; /* of its queues */
};

static u8 disk[SECTORS * VIRTIO_BLK_SECTOR], disk_before[sizeof(disk)];

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

static unsigned put(void *backend, const u8 *bytes, unsigned length)
{
	struct board *b = backend;
	unsigned taken = MIN(length, b->room);

	for (unsigned i = 0; i < taken; i++)
		b->work += bytes[i] < 0xff; /* looks at all of them */
	b->room -= taken;
	return taken;
}

static void type_more(struct board *b)
{
	static const u8 keys[64] = "what a user types, again and again, while nobody reads any of it";
	unsigned taken;

	while (b->typed) {
		taken = virtio_console_receive(&b->console, keys, MIN(b->typed, sizeof(keys)));
		if (!taken)
			break;
		b->typed -= taken;
	}
}

static void rx_room(void *backend)
{
	type_more(backend);
}

static bool entropy(void *owner, void *bytes, size_t length)
{
	struct board *b = owner;

	b->work += length;
	memset(bytes, 0x55, length);
	return b->now & 1;
}

static void build(struct board *b, u8 options)
{
	const struct virtio_blk_disk blk_disk = { disk, sizeof(disk), options & 1, "fuzz" };
	const struct virtio_console_backend backend = { put, rx_room, b };
	struct virtio_setup setup = { "dev", &b->clock, &b->queue, 0 };

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
	b->queue_size = 8;
	b->permission[PAGES - 1] = MEM_NONE;
	b->permission[PAGES - 2] = MEM_READ;
	pci_host_init(&b->host);
	setup.withheld = options & 2 ? VIRTIO_F_RING_PACKED : 0;
	virtio_blk_init(&b->blk, &setup, &blk_disk);
	virtio_console_init(&b->console, &setup, &backend);
	virtio_rng_init(&b->rng, &setup, entropy, b);
	b->device[BLK] = &b->blk.dev;
	b->device[CONSOLE] = &b->console.dev;
	b->device[RNG] = &b->rng.dev;
	for (unsigned i = 0; i < DEVICES; i++)
		require(!pci_add(&b->host, &b->device[i]->pci, PCI_DEVFN(i + 1, 0), &b->dma));
	require(!pci_place_bars(&b->host, WINDOW, WINDOW + MiB, 0x1000, 0x1fff));
	for (unsigned i = 0; i < DEVICES; i++)
		pci_config_write(&b->host, PCI_DEVFN(i + 1, 0), PCI_COMMAND, 2,
				 PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void demolish(struct board *b)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		virtio_reset(b->device[i]);
		for (unsigned j = 0; j < b->device[i]->type->queue_count * 3; j++)
			require(!mem_map_valid(&b->device[i]->queues[j / 3].q.area[j % 3].mapping));
		region_remove(&b->device[i]->bar);
		region_remove(&b->device[i]->pci.msix.region);
	}
	require(!b->queue.first);
	as_destroy(&b->dma);
	as_destroy(&b->guest);
	as_destroy(&b->memory);
	mem_core_destroy(&b->core);
}

/* ---- what must hold at any time ---- */

static void check(struct board *b)
{
	for (unsigned i = 0; i < PAGES; i++)
		require(b->permission[i] & MEM_WRITE ||
			!memcmp(b->shadow + i * PAGE_SIZE, b->bytes + i * PAGE_SIZE, PAGE_SIZE));
	if (b->blk.readonly)
		require(!b->blk.bytes_written);
	/* One turn of each of the four queues. */
	require(b->work < 4 * VIRTIO_SHARE);
	b->work = 0;
	require(b->console.tail - b->console.head <= VIRTIO_CONSOLE_INPUT);
	for (unsigned i = 0; i < DEVICES; i++)
		require(!(b->device[i]->status & 0x30));
}

/* ---- what a guest does ---- */

static u64 bar_of(struct board *b, unsigned device)
{
	return pci_bar_address(&b->device[device]->pci, VIRTIO_PCI_REGISTER_BAR);
}

static void set(struct board *b, unsigned device, unsigned offset, unsigned size, u64 value)
{
	as_store(&b->memory, &b->cache, bar_of(b, device) + offset, size, value);
}

static void guest_write(struct board *b, u16 address, const void *bytes, unsigned length)
{
	length = MIN(length, RAM_SIZE - address);
	memcpy(b->bytes + address, bytes, length);
	memcpy(b->shadow + address, bytes, length);
}

/* Queue n of the board has a page of descriptors and one of the other two areas. */
static u64 rings_of(unsigned device, unsigned queue)
{
	return (device == BLK ? 0 : device == CONSOLE ? 1 + queue : 3) * 2 * PAGE_SIZE;
}

/* As a friendly driver does it, so that what follows gets somewhere. */
static void start(struct board *b, unsigned device, u8 how)
{
	static const u8 zeros[2 * PAGE_SIZE];
	struct virtio_device *dev = b->device[device];
	u64 features =
		dev->offered & ~(how & 1 ? VIRTIO_F_RING_PACKED : 0) & ~(how & 2 ? VIRTIO_F_EVENT_IDX : 0);

	b->queue_size = 4 << (how >> 2 & 1);
	set(b, device, 0x14, 1, 0);
	set(b, device, 0x08, 4, 0);
	set(b, device, 0x0c, 4, (u32)features);
	set(b, device, 0x08, 4, 1);
	set(b, device, 0x0c, 4, features >> 32);
	set(b, device, 0x14, 1, 0xb);
	for (unsigned i = 0; i < dev->type->queue_count; i++) {
		u64 rings = rings_of(device, i);

		guest_write(b, rings, zeros, sizeof(zeros));
		b->avail[rings / (2 * PAGE_SIZE)] = 0;
		set(b, device, 0x16, 2, i);
		set(b, device, 0x18, 2, b->queue_size);
		set(b, device, 0x1a, 2, i);
		set(b, device, 0x20, 4, rings);
		set(b, device, 0x28, 4, rings + PAGE_SIZE);
		set(b, device, 0x30, 4, rings + PAGE_SIZE + 0x800);
		set(b, device, 0x1c, 2, 1);
	}
	set(b, device, 0x14, 1, 0xf);
}

/* A descriptor: address and length mostly sensible, flags as they come. */
static void put_descriptor(struct board *b, u64 table, unsigned index, const u8 *data, bool packed)
{
	u8 desc[16] = { 0 };
	u64 address = data[0] << 8 | (data[1] & 0xf0);
	u32 length = data[1] & 1 ? data[2] << (data[1] & 0xe) : data[2];

	if (data[0] == 0xff)
		memset(&address, data[1], 8);
	memcpy(desc, &address, 8);
	memcpy(desc + 8, &length, 4);
	if (packed) {
		desc[12] = index;
		desc[14] = (data[3] & 7) | (data[3] & 8 ? 0x80 : 0);
		desc[15] = data[3] & 16 ? 0x80 : 0;
	} else {
		desc[12] = data[3] & 7;
		desc[14] = data[3] >> 4 & 3 ? index % 4 << 1 : data[3] >> 4; /* mostly {readable, writable} */
		desc[14] |= data[3] >> 3 & 1;
	}
	guest_write(b, table + index * 16, desc, 16);
}

static void make_available(struct board *b, unsigned device, unsigned queue, u8 head)
{
	u64 rings = rings_of(device, queue);
	u16 *avail = &b->avail[rings / (2 * PAGE_SIZE)];
	u8 entry[2] = { head, 0 };

	guest_write(b, rings + PAGE_SIZE + 4 + 2 * (*avail % b->queue_size), entry, 2);
	++*avail;
	guest_write(b, rings + PAGE_SIZE + 2, avail, 2);
}

static void set_permission(struct board *b, unsigned page, u8 permission)
{
	u64 first = page * PAGE_SIZE;

	memcpy(b->shadow + first, b->bytes + first, PAGE_SIZE);
	b->permission[page] = permission;
	iommu_invalidate(&b->iommu, first, first + PAGE_MASK);
}

/* The next place of the ring, whichever kind it is; the driver counts places, chains are never cut. */
static void put_piece(struct board *b, unsigned device, unsigned queue, unsigned number, u64 address,
		      u32 length, u16 flags)
{
	bool packed = b->device[device]->accepted & VIRTIO_F_RING_PACKED;
	u64 rings = rings_of(device, queue);
	u16 place = b->avail[rings / (2 * PAGE_SIZE)] + (packed ? number : 0);
	unsigned index = packed ? place % b->queue_size : number;
	u16 third = packed ? 0 : number + 1, fourth = flags;
	u8 desc[16];

	if (packed)
		fourth |= place / b->queue_size & 1 ? 0x8000 : 0x80;
	memcpy(desc, &address, 8);
	memcpy(desc + 8, &length, 4);
	memcpy(desc + 12, packed ? &third : &fourth, 2);
	memcpy(desc + 14, packed ? &fourth : &third, 2);
	guest_write(b, rings + index * 16, desc, 16);
}

/* A buffer as a friendly driver makes it: its shape is right, what it asks for may not be. */
static void submit(struct board *b, unsigned device, unsigned queue, const u8 *data)
{
	static const u8 types[8] = { 0, 1, 4, 8, 11, 13, 0, 1 };
	u8 header[32] = { types[data[0] & 7], [8] = data[1], [9] = data[2] & 0x1f };
	u32 length = data[3] << (data[0] >> 3 & 7);
	u16 *avail = &b->avail[rings_of(device, queue) / (2 * PAGE_SIZE)];
	unsigned count = 1, extra = data[0] >> 6;
	u16 flags = device == RNG || (device == CONSOLE && queue == 0) ? 2 : 0;
	u64 at = (data[2] >> 5) * 2 * PAGE_SIZE + data[1];

	if (device == BLK) {
		/* The header serves as the range of sectors, too. */
		memcpy(header + 16, header + 8, 8);
		memcpy(header + 24, &length, 4);
		guest_write(b, 8 * PAGE_SIZE, header, sizeof(header));
		put_piece(b, BLK, 0, 0, 8 * PAGE_SIZE, 16, 1);
		if (header[0] >= 11)
			put_piece(b, BLK, 0, count++, 8 * PAGE_SIZE + 16, 16, 1);
		else if (header[0] == 8)
			put_piece(b, BLK, 0, count++, at, data[3], 3);
		else
			for (unsigned i = 0; header[0] != 4 && i <= extra && i < 2; i++)
				put_piece(b, BLK, 0, count++, at, length * 8, header[0] ? 1 : 3);
		put_piece(b, BLK, 0, count++, 8 * PAGE_SIZE + 64, 1, 2);
	} else {
		put_piece(b, device, queue, 0, at, length, flags | (extra ? 1 : 0));
		if (extra)
			put_piece(b, device, queue, count++, at + length, length, flags);
	}
	if (b->device[device]->accepted & VIRTIO_F_RING_PACKED)
		*avail += count;
	else
		make_available(b, device, queue, 0);
	set(b, device, 0x3000, 2, queue);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct board b;
	u64 value;

	if (!size)
		return 0;
	build(&b, data[0]);
	if (b.blk.readonly)
		memcpy(disk_before, disk, sizeof(disk));
	for (data++, size--; size >= 6; data += 6, size -= 6) {
		unsigned device = data[1] % DEVICES, queue = device == CONSOLE ? data[1] >> 7 : 0;
		unsigned access = 1u << (data[2] >> 6);
		u16 requester = PCI_DEVFN(device + 1, 0);

		memcpy(&value, data + 2, 4);
		value &= 0xffffffff;
		switch (data[0] & 15) {
		case 0: /* registers: any; then those of the common page */
			value = data[4] | data[5] << 8;
			if (data[0] & 0x80)
				as_load(&b.memory, &b.cache,
					bar_of(&b, device) + (data[2] << 8 | data[3]) % 0x4001, access,
					&value);
			else
				set(&b, device, (data[2] << 8 | data[3]) % 0x4001, access, value);
			break;
		case 1:
			set(&b, device, data[3] & 0x3f, access, data[4] | data[5] << 8);
			break;
		case 2: /* configuration space, MSI-X table */
			if (data[0] & 0x80)
				pci_config_read(&b.host, requester, data[2] & 0xfc, 4);
			else
				pci_config_write(&b.host, requester, 0x40 + (data[2] & 0x7c), 4,
						 data[3] | data[4] << 8 | (u32)data[5] << 24);
			break;
		case 3:
			b.device[device]->pci.msix.entries[data[2] & 3] =
				(struct msix_entry){ 0xfee00000 | data[3] << 12, 0, data[4], data[5] & 1 };
			pci_config_write(&b.host, requester, b.device[device]->pci.msix.offset + 2, 2,
					 (data[5] & 6) << 13);
			break;
		case 4: /* memory */
			guest_write(&b, data[1] << 8 | data[2], data + 3, 3);
			break;
		case 5:
			submit(&b, device, queue, data + 2);
			break;
		case 6:
		case 7:
			put_descriptor(&b, data[1] & 0x40 ? 9 * PAGE_SIZE : rings_of(device, queue),
				       data[1] >> 2 & 7, data + 2,
				       b.device[device]->accepted & VIRTIO_F_RING_PACKED);
			break;
		case 8:
			make_available(&b, device, queue, data[2] & 7);
			break;
		case 9:
		case 10:
			set(&b, device, 0x3000, 2, data[0] & 0x80 ? data[2] : queue);
			break;
		case 11:
			start(&b, device, data[2]);
			break;
		case 12:
			b.now += data[2] & 1 ? 1500 : data[3];
			timer_queue_run(&b.queue, b.now);
			break;
		case 13: /* the far end of the console */
			b.typed += data[2];
			type_more(&b);
			b.room += data[3] << (data[4] & 15);
			virtio_console_tx_ready(&b.console);
			if (data[5] & 1)
				virtio_console_resize(&b.console, data[3], data[4]);
			break;
		case 14: /* the IOMMU */
			set_permission(&b, data[2] % (PAGES - 1), data[3] & 3);
			break;
		default:
			pci_config_write(&b.host, requester, PCI_COMMAND, 2,
					 PCI_COMMAND_MEMORY | (data[2] & 7 ? PCI_COMMAND_MASTER : 0));
			break;
		}
		check(&b);
	}
	if (b.blk.readonly)
		require(!memcmp(disk_before, disk, sizeof(disk)));
	demolish(&b);
	return 0;
}
