/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver of one virtio-blk function (virtio 1.2 over PCI, first queue only) in a process, by vfio-pci, that does what it is told:
 * also what no driver may do. Its memory is an arena of pages, of which some are mapped for the device.
 */
#ifndef TESTS_GUEST_VIRTIO_USER_H
#define TESTS_GUEST_VIRTIO_USER_H

#include "tests/guest/poke.h"
#include "tests/guest/vfio.h"

enum {
	DESC_PAGE,
	DRIVER_PAGE,
	DEVICE_PAGE,
	TABLE_PAGE,
	REQUEST_PAGE,
	DATA_PAGE,
	NEIGHBOUR_PAGE,
	READ_ONLY_PAGE,
	HOLE_PAGE,
	ARENA_PAGES = 12
};
#define ARENA_IOVA 0x10000000ull
#define MMIO_IOVA  0x20000000ull /* the function's own registers */
#define AT(page)   (ARENA_IOVA + (uint64_t)(page)*PAGE)
#define HEADER	   AT(REQUEST_PAGE)
#define STATUS	   (AT(REQUEST_PAGE) + 64)
#define NOWHERE	   0x30000000ull

enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };
enum { BLK_IN, BLK_OUT, BLK_FLUSH = 4, BLK_GET_ID = 8 };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 0x40 };
/* Offsets in the common configuration. */
enum {
	COMMON_DEVICE_FEATURE_SELECT = 0,
	COMMON_DEVICE_FEATURE = 4,
	COMMON_DRIVER_FEATURE_SELECT = 8,
	COMMON_DRIVER_FEATURE = 0xc,
	COMMON_STATUS = 0x14,
	COMMON_QUEUE_SELECT = 0x16,
	COMMON_QUEUE_SIZE = 0x18,
	COMMON_QUEUE_ENABLE = 0x1c,
	COMMON_QUEUE_NOTIFY_OFF = 0x1e,
	COMMON_QUEUE_DESC = 0x20,
	COMMON_QUEUE_DRIVER = 0x28,
	COMMON_QUEUE_DEVICE = 0x30,
	COMMON_SIZE = 0x38,
};
#define F_INDIRECT	  (1ull << 28)
#define F_VERSION_1	  (1ull << 32)
#define F_ACCESS_PLATFORM (1ull << 33)
#define F_PACKED	  (1ull << 34)

/* A descriptor of a split ring or of an indirect table; a packed one has id and flags where this has flags and next. */
struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};

/* What became of a request: nothing within its time, a status of 0, any other end of it, DEVICE_NEEDS_RESET. */
enum outcome { NOTHING = 1, OK = 2, ERROR = 4, BROKEN = 8 };

struct virtio_user {
	struct vfio_function f;
	volatile uint8_t *common, *notify;
	uint32_t multiplier;
	uint64_t offered;
	uint8_t *arena;
	bool packed;
	uint16_t size;
	uint64_t desc, driver, device; /* where the rings are said to be */
	/* What kick() announces a chain by: the available index, the flags of the first descriptor. */
	uint16_t index, first_flags;
};
extern struct virtio_user v;

/* Takes the function of that name, and maps what the arena says. */
void virtio_open(const char *function);
/* Status 0, and until it reads as 0; the rings are where the arena has them. */
void virtio_reset(void);
/* The status after the features are negotiated, and they are; the queue, as v has it; the driver is ready. */
unsigned virtio_negotiate(uint64_t features);
void virtio_queue(void);
void virtio_ready(void);
/* All of that. */
void virtio_start(uint64_t features);
/* Of the arena. */
void *arena_at(uint64_t iova);
/* Every byte that the device may not write is what it was. */
void canaries_live(const char *after);

/* The request's header; its status byte is made something that is no status. */
void request(uint32_t type, uint64_t sector);
/* The only chain since virtio_start(), of these descriptors, linked to each other; not yet announced. */
void put_chain(const struct descriptor *, unsigned count);
void kick(void);
enum outcome outcome(void);

#endif
