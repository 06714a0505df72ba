// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VT-d unit with devices on other CPUs than its driver: each device maps, uses and unmaps under its own lock while the
 * driver moves pages, invalidates, changes modes and reads faults. Nothing may hang, and what was revoked stays untouched.
 */
#include "tests/unit/vtd_rig.h"

#include <pthread.h>
#include <sched.h>

#include "mm/spin.h"

#define PAGES  8
#define ROUNDS 2000

struct device {
	struct vtd_gate *gate;
	struct address_space *dma;
	struct map_client client;
	struct mem_mapping mapping;
	u32 lock;
	bool stop;
	u8 mark;
	u64 good, denied, revoked;
};

static struct vtd_rig v;

/* With the device's lock: what it does with its mapping is over, and it will see that it is revoked. */
static void on_revoke(void *owner, struct mem_mapping *mapping)
{
	struct device *device = owner;

	(void)mapping;
	spin_lock(&device->lock);
	__atomic_add_fetch(&device->revoked, 1, __ATOMIC_RELAXED);
	spin_unlock(&device->lock);
}

static void use_mapping(struct device *device, u64 iova)
{
	spin_lock(&device->lock);
	if (as_map(device->dma, &device->client, iova, 64, MEM_WRITE, &device->mapping) != MEM_OK)
		__atomic_add_fetch(&device->denied, 1, __ATOMIC_RELAXED);
	spin_unlock(&device->lock);
	/* Time for the driver to take it away. */
	if (device->mapping.host && device->good % 16 == 0)
		sched_yield();
	spin_lock(&device->lock);
	if (device->mapping.host) {
		if (mem_map_valid(&device->mapping)) {
			memset(device->mapping.host, device->mark, 64);
			__atomic_add_fetch(&device->good, 1, __ATOMIC_RELAXED);
		}
		as_unmap(&device->mapping, 64);
	}
	spin_unlock(&device->lock);
}

static void *run_device(void *argument)
{
	struct device *device = argument;
	struct mem_reader reader;
	u64 address, value;
	u32 data;

	mem_reader_online(&v.rig.core, &reader);
	for (unsigned n = 0; !__atomic_load_n(&device->stop, __ATOMIC_ACQUIRE); n++) {
		u64 iova = (u64)(n % PAGES) << 12;

		use_mapping(device, iova);
		spin_lock(&device->lock);
		as_read(device->dma, iova + 128, &value, 8);
		spin_unlock(&device->lock);
		address = 0xfee00010;
		data = 0;
		vtd_remap_interrupt(&v.unit, device->gate->requester, &address, &data);
		mem_reader_quiescent(&reader);
	}
	mem_reader_offline(&reader);
	return NULL;
}

static void start(struct device *device, pthread_t *thread, struct vtd_gate *gate, struct address_space *dma,
		  u8 mark)
{
	*device = (struct device){ .gate = gate, .dma = dma, .mark = mark };
	map_client_init(&device->client, "device", NULL, 0, NULL, 0, NULL, on_revoke, device);
	assert_int_equal(pthread_create(thread, NULL, run_device, device), 0);
}

static bool met_all(const struct device *device)
{
	return __atomic_load_n(&device->good, __ATOMIC_RELAXED) > 100 &&
	       __atomic_load_n(&device->denied, __ATOMIC_RELAXED) > 100 &&
	       __atomic_load_n(&device->revoked, __ATOMIC_RELAXED) > 0;
}

static void driver_round(unsigned n)
{
	u64 page = n % PAGES;

	map_page(&v, page << 12, n % 3 ? (DATA + (u64)(n % 64) * PAGE_SIZE) | 3 : 0);
	switch (n % 8) {
	case 0:
		submit(&v, IOTLB_GLOBAL, 0);
		break;
	case 1:
		submit(&v, CONTEXT_GLOBAL, 0);
		break;
	case 2:
		submit(&v, IOTLB_OF_DOMAIN(DOMAIN), 0);
		break;
	default:
		submit(&v, IOTLB_OF_PAGES(DOMAIN), page << 12);
		break;
	}
	submit(&v, (u64)n << 32 | 0x25, STATUS);
	assert_done(&v);
	assert_int_equal((u32)get(&v, STATUS), n);
	if (n % 64 == 0)
		write32(&v, R_GCMD, read32(&v, R_GSTS) ^ IRE);
	if (n % 256 == 0)
		write32(&v, R_GCMD, (read32(&v, R_GSTS) & (TE | QIE | IRE)) | SRTP);
	for (unsigned record = 0; record < 8; record++)
		write32(&v, R_FRCD + record * 16 + 12, 0x80000000);
	write32(&v, R_FSTS, 1);
}

static void devices_and_their_driver_get_on_with_each_other(void **state)
{
	struct device device[2];
	pthread_t thread[2];

	(void)state;
	vtd_rig_init_translating(&v);
	set_context(&v, OTHER, L4 | 1, DOMAIN << 8 | 2);
	queue_on(&v);
	v.log.rate.printed = LOG_RATE_BURST;
	start(&device[0], &thread[0], &v.gate, &v.dma, 0x11);
	start(&device[1], &thread[1], &v.other, &v.other_dma, 0x22);
	/* However slow they are: until each has met all that there is. */
	for (unsigned n = 1; n <= ROUNDS || !met_all(&device[0]) || !met_all(&device[1]); n++) {
		driver_round(n);
		sched_yield();
	}
	/* All of it unmapped: no device reaches anything after that. */
	for (u64 page = 0; page < PAGES; page++)
		map_page(&v, page << 12, 0);
	submit(&v, IOTLB_OF_DOMAIN(DOMAIN), 0);
	/* Accesses, not mappings, may still be under way. */
	mem_synchronize(&v.rig.core, &v.rig.core.main);
	memset(v.memory + DATA, 0x55, 64 * PAGE_SIZE);
	for (unsigned n = 0; n < 1000; n++)
		submit(&v, 0x05, 0);
	for (unsigned i = 0; i < 2; i++) {
		__atomic_store_n(&device[i].stop, true, __ATOMIC_RELEASE);
		pthread_join(thread[i], NULL);
		assert_null(device[i].mapping.host);
	}
	for (unsigned i = 0; i < 64 * PAGE_SIZE; i++)
		assert_int_equal(v.memory[DATA + i], 0x55);
	vtd_rig_destroy(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_and_their_driver_get_on_with_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
