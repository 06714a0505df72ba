// SPDX-License-Identifier: BSD-2-Clause
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/guest/virtio_user.h"

enum { PACKED_AVAIL = 0x80, PACKED_USED = 0x8000, QUEUE_SIZE = 16 };
enum { CFG_COMMON = 1, CFG_NOTIFY = 2 };

struct virtio_user v;
static uint8_t before[ARENA_PAGES * PAGE];

static void set16(volatile uint8_t *registers, unsigned offset, uint16_t value)
{
	*(volatile uint16_t *)(registers + offset) = value;
}

static uint16_t get16(volatile uint8_t *registers, unsigned offset)
{
	return *(volatile uint16_t *)(registers + offset);
}

static void set_address(unsigned offset, uint64_t address)
{
	set32(v.common, offset, (uint32_t)address);
	set32(v.common, offset + 4, (uint32_t)(address >> 32));
}

static bool writable(unsigned page)
{
	return page <= DATA_PAGE;
}

static void find_registers(void)
{
	for (unsigned at = vfio_config_read(&v.f, 0x34, 1); at; at = vfio_config_read(&v.f, at + 1, 1)) {
		if (vfio_config_read(&v.f, at, 1) != 9)
			continue;
		const unsigned type = vfio_config_read(&v.f, at + 3, 1),
			       bar = vfio_config_read(&v.f, at + 4, 1);
		const uint32_t offset = vfio_config_read(&v.f, at + 8, 4);

		if (type != CFG_COMMON && type != CFG_NOTIFY)
			continue;
		if (bar > 5 || !v.f.bar[bar])
			fail("the registers are in a BAR that cannot be mapped");
		if (type == CFG_COMMON) {
			v.common = v.f.bar[bar] + offset;
			vfio_map(&v.f, v.f.bar[bar] + offset / PAGE * PAGE, MMIO_IOVA, PAGE,
				 VFIO_READ | VFIO_WRITE);
		} else {
			v.notify = v.f.bar[bar] + offset;
			v.multiplier = vfio_config_read(&v.f, at + 16, 4);
		}
	}
	if (!v.common || !v.notify)
		fail("no virtio registers");
}

void virtio_open(const char *function)
{
	vfio_open(&v.f, function);
	find_registers();
	v.arena = mmap(NULL, sizeof(before), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (v.arena == MAP_FAILED)
		fail("no memory");
	for (size_t i = 0; i < sizeof(before); i++)
		v.arena[i] = (uint8_t)(i * 13 + i / PAGE + 5);
	memcpy(before, v.arena, sizeof(before));
	for (unsigned i = 0; i < ARENA_PAGES; i++)
		if (writable(i) || i == READ_ONLY_PAGE)
			vfio_map(&v.f, v.arena + (size_t)i * PAGE, AT(i), PAGE,
				 VFIO_READ | (writable(i) ? VFIO_WRITE : 0));
	set32(v.common, COMMON_DEVICE_FEATURE_SELECT, 0);
	v.offered = get32(v.common, COMMON_DEVICE_FEATURE);
	set32(v.common, COMMON_DEVICE_FEATURE_SELECT, 1);
	v.offered |= (uint64_t)get32(v.common, COMMON_DEVICE_FEATURE) << 32;
}

void *arena_at(uint64_t iova)
{
	return v.arena + (iova - ARENA_IOVA);
}

void canaries_live(const char *after)
{
	for (size_t i = 0; i < sizeof(before); i++)
		if (!writable((unsigned)(i / PAGE)) && v.arena[i] != before[i])
			fail("after %s: byte 0x%zx of page %zu, which the device cannot write, is 0x%02x",
			     after, i % PAGE, i / PAGE, v.arena[i]);
}

/* ---- bringing it up ---- */

void virtio_reset(void)
{
	v.common[COMMON_STATUS] = 0;
	for (unsigned tries = 0; v.common[COMMON_STATUS]; tries++) {
		if (tries == 1000)
			fail("a reset does not end: status 0x%x", v.common[COMMON_STATUS]);
		usleep(1000);
	}
	memset(v.arena, 0, TABLE_PAGE * PAGE);
	v.size = QUEUE_SIZE;
	v.desc = AT(DESC_PAGE);
	v.driver = AT(DRIVER_PAGE);
	v.device = AT(DEVICE_PAGE);
}

unsigned virtio_negotiate(uint64_t features)
{
	v.packed = features & F_PACKED;
	v.common[COMMON_STATUS] = ACKNOWLEDGE;
	v.common[COMMON_STATUS] = ACKNOWLEDGE | DRIVER;
	set32(v.common, COMMON_DRIVER_FEATURE_SELECT, 0);
	set32(v.common, COMMON_DRIVER_FEATURE, (uint32_t)features);
	set32(v.common, COMMON_DRIVER_FEATURE_SELECT, 1);
	set32(v.common, COMMON_DRIVER_FEATURE, (uint32_t)(features >> 32));
	v.common[COMMON_STATUS] = ACKNOWLEDGE | DRIVER | FEATURES_OK;
	return v.common[COMMON_STATUS];
}

void virtio_queue(void)
{
	set16(v.common, COMMON_QUEUE_SELECT, 0);
	set16(v.common, COMMON_QUEUE_SIZE, v.size);
	set_address(COMMON_QUEUE_DESC, v.desc);
	set_address(COMMON_QUEUE_DRIVER, v.driver);
	set_address(COMMON_QUEUE_DEVICE, v.device);
	set16(v.common, COMMON_QUEUE_ENABLE, 1);
}

void virtio_ready(void)
{
	v.common[COMMON_STATUS] = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK;
}

void virtio_start(uint64_t features)
{
	if (!(virtio_negotiate(features) & FEATURES_OK))
		fail("the features 0x%llx are refused", (unsigned long long)features);
	virtio_queue();
	virtio_ready();
}

/* ---- requests ---- */

void request(uint32_t type, uint64_t sector)
{
	uint8_t *header = arena_at(HEADER);

	memset(header, 0, 16);
	memcpy(header, &type, sizeof(type));
	memcpy(header + 8, &sector, sizeof(sector));
	*(uint8_t *)arena_at(STATUS) = 0xee;
}

void put_chain(const struct descriptor *chain, unsigned count)
{
	struct descriptor *ring = arena_at(AT(DESC_PAGE));
	uint16_t *available = arena_at(AT(DRIVER_PAGE));

	for (unsigned i = 0; i < count; i++) {
		const uint16_t link = i + 1 < count ? NEXT : 0;

		ring[i] = chain[i];
		if (v.packed) {
			ring[i].flags = 7; /* the id */
			ring[i].next = chain[i].flags | link | PACKED_AVAIL;
		} else {
			ring[i].flags |= link;
			if (link)
				ring[i].next = (uint16_t)(i + 1);
		}
	}
	available[2] = 0; /* the head */
	v.index = 1;
	v.first_flags = ring[0].next;
	if (v.packed)
		ring[0].next = 0;
}

void kick(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (v.packed)
		set16(arena_at(AT(DESC_PAGE)), 14, v.first_flags);
	else
		set16(arena_at(AT(DRIVER_PAGE)), 2, v.index);
	atomic_thread_fence(memory_order_seq_cst);
	set16(v.common, COMMON_QUEUE_SELECT, 0);
	set16(v.notify, get16(v.common, COMMON_QUEUE_NOTIFY_OFF) * v.multiplier, 0);
}

/* Given back: the used index of the split ring, the flags of the first descriptor of the packed one. */
static bool used(void)
{
	const volatile uint16_t *ring = arena_at(v.packed ? AT(DESC_PAGE) + 14 : AT(DEVICE_PAGE) + 2);

	return v.packed ? (*ring & (PACKED_AVAIL | PACKED_USED)) == (PACKED_AVAIL | PACKED_USED) : *ring != 0;
}

enum outcome outcome(void)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		if (v.common[COMMON_STATUS] & NEEDS_RESET)
			return BROKEN;
		if (used())
			return *(volatile uint8_t *)arena_at(STATUS) ? ERROR : OK;
		usleep(2000);
	}
	return NOTHING;
}
