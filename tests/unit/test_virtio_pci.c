// SPDX-License-Identifier: BSD-2-Clause
/*
 * The transport and what all virtio types share (VIRTIO 1.2, 2.1 and 4.1), with a type of its own: what a buffer
 * begins with says what becomes of it.
 */
#include "tests/unit/virtio_rig.h"

#define SIZE	    16 /* of the type's queues */
#define TYPE_F_OWN  BIT(3)
#define TYPE_CONFIG 6

enum { ECHO = 'e', LATER_TWICE = 'l', WAIT_ONCE = 'w', FAIL = 'f', EXPENSIVE = 'x', ALL = 'A', AGAIN = 'a' };

struct fixture {
	struct virtio_rig rig;
	struct virtio_device dev;
	struct virtio_queue queues[2];
	struct virtq_segment segments[2 * SIZE];
	u8 config[TYPE_CONFIG];
	unsigned served, config_writes, resets;
	bool may_go_on, endless;
};

static struct fixture *fixture_of(struct virtio_device *dev)
{
	return container_of(dev, struct fixture, dev);
}

static enum virtio_served serve(struct virtio_device *dev, struct virtio_queue *queue)
{
	struct fixture *f = fixture_of(dev);
	u8 bytes[16] = { 0 };
	u64 length = MIN(queue->chain.readable_length, sizeof(bytes));

	f->served++;
	if (f->endless) {
		/* Another CPU makes the next one available, empty, while this one is being served. */
		const struct driver_piece nothing = { VR_DATA, 0 };
		u32 used;

		driver_get_used(&f->rig.queue[0], &used);
		driver_add(&f->rig.queue[0], &nothing, 1, 0, 0, 0);
		return VIRTIO_DONE;
	}
	virtq_read(&queue->q, &queue->chain, 0, bytes, length);
	switch (bytes[0]) {
	case LATER_TWICE:
		if (queue->progress++ < 2)
			return VIRTIO_LATER;
		break;
	case WAIT_ONCE:
		if (!f->may_go_on)
			return VIRTIO_WAIT;
		break;
	case FAIL:
		virtio_fail(dev, queue, "as it asked", 7);
		return VIRTIO_WAIT;
	case EXPENSIVE:
		queue->share -= VIRTIO_SHARE / 4;
		break;
	case ALL:
		queue->share = 0;
		break;
	case AGAIN:
		virtio_serve(dev, queue); /* it is being served: nothing happens */
		break;
	default:
		break;
	}
	length = MIN(length, queue->chain.writable_length);
	if (virtq_write(&queue->q, &queue->chain, 0, bytes, length) == MEM_OK)
		queue->written = length;
	return VIRTIO_DONE;
}

static void config_written(struct virtio_device *dev, unsigned offset, unsigned size, u32 value)
{
	struct fixture *f = fixture_of(dev);

	f->config_writes++;
	assert_true(offset + size <= TYPE_CONFIG);
	for (unsigned i = 0; i < size; i++)
		f->config[offset + i] = value >> (8 * i);
}

static void type_reset(struct virtio_device *dev)
{
	fixture_of(dev)->resets++;
}

static const struct virtio_type type = {
	.name = "test",
	.id = 42,
	.class = 0x123456,
	.queue_count = 2,
	.queue_size = SIZE,
	.config_size = TYPE_CONFIG,
	.serve = serve,
	.config_written = config_written,
	.reset = type_reset,
};

/* Without anything that it may be without. */
static const struct virtio_type bare_type = {
	.name = "bare", .id = 43, .queue_count = 2, .queue_size = SIZE, .serve = serve
};

static struct fixture *new_fixture(const struct virtio_type *of, u64 withheld)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct virtio_setup setup;

	assert_non_null(f);
	f->rig.pci = pci_rig_new();
	setup = vr_setup(&f->rig, "thing");
	setup.withheld = withheld;
	virtio_init(&f->dev, of, &setup, TYPE_F_OWN, f->config, f->queues, f->segments);
	vr_plug(&f->rig, &f->dev);
	return f;
}

static int setup(void **state)
{
	*state = new_fixture(&type, 0);
	return 0;
}

static int setup_bare(void **state)
{
	*state = new_fixture(&bare_type, VIRTIO_F_RING_PACKED | VR_NEEDED | TYPE_F_OWN);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vr_unplug(&f->rig);
	free(f);
	return 0;
}

/* A buffer of two bytes to the device and two back: at VR_DATA + 0x100 * n. */
static int add(struct fixture *f, unsigned queue, u8 kind, unsigned n)
{
	u64 at = VR_DATA + 0x100 * n;
	const struct driver_piece pieces[] = { { at, 2 }, { at + 0x80, 2 } };

	f->rig.pci->bytes[at] = kind;
	f->rig.pci->bytes[at + 1] = n;
	memset(f->rig.pci->bytes + at + 0x80, 0xee, 2);
	return driver_add(&f->rig.queue[queue], pieces, 1, 1, 0, 0);
}

static bool answered(struct fixture *f, unsigned queue, unsigned n)
{
	const u8 *at = f->rig.pci->bytes + VR_DATA + 0x100 * n;
	u32 length = 0;

	return driver_get_used(&f->rig.queue[queue], &length) >= 0 && length == 2 &&
	       !memcmp(at, at + 0x80, 2);
}

static u32 config32(struct fixture *f, unsigned offset)
{
	return pci_rig_config(f->rig.pci, VR_SLOT, offset, 4);
}

/* ---- what is there ---- */

static void identity_and_capabilities(void **state)
{
	static const u32 expected[][4] = {
		/* length and type; offset; bytes; multiplier */
		{ 0x10010000, 0x0000, 0x38 }, { 0x10030000, 0x1000, 1 }, { 0x10040000, 0x2000, TYPE_CONFIG },
		{ 0x14020000, 0x3000, 2, 0 }, { 0x14050000, 0, 0, 0 },
	};
	struct fixture *f = *state;
	u8 at = pci_rig_config(f->rig.pci, VR_SLOT, PCI_CAPABILITIES, 1);

	assert_int_equal(config32(f, 0x00), 0x106a1af4);
	assert_int_equal(config32(f, 0x08), 0x12345601);
	assert_int_equal(config32(f, 0x2c), 0x11001af4);
	assert_int_equal(config32(f, 0x10), VR_BAR);
	assert_int_equal(pci_rig_config(f->rig.pci, VR_SLOT, PCI_INTERRUPT_PIN, 1), 1);
	for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
		u32 head = config32(f, at);

		assert_int_equal(head & 0xff, 0x09);
		assert_int_equal((head >> 16 & 0xff) << 24 | (head >> 24) << 16, expected[i][0]);
		assert_int_equal(config32(f, at + 4), 0);
		assert_int_equal(config32(f, at + 8), expected[i][1]);
		assert_int_equal(config32(f, at + 12), expected[i][2]);
		if (head >> 16 & 4)
			assert_int_equal(config32(f, at + 16), 0);
		at = head >> 8;
	}
	assert_int_equal(config32(f, at) & 0xffff00ff, 0x00020011); /* MSI-X, 3 vectors */
	assert_int_equal(config32(f, at + 4), 1);
}

/* Linux 6.1, drivers/virtio/virtio_pci_modern.c, step by step. */
static void the_sequence_of_linux(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_set(rig, VR_STATUS, 1, 0);
	assert_int_equal(vr_status(rig), 0);
	vr_set(rig, VR_STATUS, 1, 1);
	assert_int_equal(vr_status(rig), 1);
	vr_set(rig, VR_STATUS, 1, 3);
	assert_int_equal(vr_status(rig), 3);
	assert_int_equal(vr_offered(rig), VR_NEEDED | TYPE_F_OWN | VIRTIO_F_EVENT_IDX |
						  VIRTIO_F_INDIRECT_DESC | VIRTIO_F_RING_PACKED);
	vr_accept(rig, VR_NEEDED | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
	assert_int_equal(vr_get(rig, VR_DRIVER_FEATURE, 4), 3);
	vr_set(rig, VR_STATUS, 1, 0xb);
	assert_int_equal(vr_status(rig), 0xb);
	vr_use_msix(rig);
	assert_int_equal(vr_get(rig, VR_CONFIG_VECTOR, 2), 0xffff);
	vr_set(rig, VR_CONFIG_VECTOR, 2, 0);
	assert_int_equal(vr_get(rig, VR_CONFIG_VECTOR, 2), 0);
	assert_int_equal(vr_get(rig, VR_NUM_QUEUES, 2), 2);
	for (unsigned i = 0; i < 2; i++) {
		vr_set(rig, VR_QUEUE_SELECT, 2, i);
		assert_int_equal(vr_get(rig, VR_QUEUE_SELECT, 2), i);
		assert_int_equal(vr_get(rig, VR_QUEUE_SIZE, 2), SIZE);
		assert_int_equal(vr_get(rig, VR_QUEUE_ENABLE, 2), 0);
		assert_int_equal(vr_get(rig, VR_QUEUE_VECTOR, 2), 0xffff);
		vr_place_queue(rig, i, SIZE, false);
		vr_set(rig, VR_QUEUE_VECTOR, 2, 1 + i);
		assert_int_equal(vr_get(rig, VR_QUEUE_VECTOR, 2), 1 + i);
		assert_int_equal(vr_get(rig, VR_QUEUE_NOTIFY_OFF, 2), 0);
	}
	for (unsigned i = 0; i < 2; i++) {
		vr_set(rig, VR_QUEUE_SELECT, 2, i);
		vr_set(rig, VR_QUEUE_ENABLE, 2, 1);
		assert_int_equal(vr_get(rig, VR_QUEUE_ENABLE, 2), 1);
	}
	vr_set(rig, VR_STATUS, 1, 0xf);
	assert_int_equal(vr_status(rig), 0xf);
	for (unsigned i = 0; i < 2; i++) {
		add(f, i, ECHO, i);
		assert_true(driver_must_notify(&rig->queue[i]));
		vr_notify(rig, i);
		assert_true(answered(f, i, i));
		assert_int_equal(rig->pci->messages, i + 1);
		assert_int_equal(vr_last_message(rig), 0x41 + i);
	}
	vr_set(rig, VR_STATUS, 1, 0);
	assert_int_equal(vr_status(rig), 0);
	assert_int_equal(host_log_count(), 0);
}

static void registers_answer_in_their_own_width_only(void **state)
{
	static const u8 width[0x40] = {
		[0x00] = 4, [0x04] = 4, [0x08] = 4, [0x0c] = 4, [0x10] = 2, [0x12] = 2, [0x14] = 1,
		[0x15] = 1, [0x16] = 2, [0x18] = 2, [0x1a] = 2, [0x1c] = 2, [0x1e] = 2, [0x20] = 4,
		[0x24] = 4, [0x28] = 4, [0x2c] = 4, [0x30] = 4, [0x34] = 4,
	};
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	assert_true(vr_negotiate(rig, VR_NEEDED));
	vr_set(rig, VR_DEVICE_FEATURE_SELECT, 4, 1);
	vr_place_queue(rig, 1, 8, false);
	vr_set_address(rig, VR_QUEUE_DESC, 0x1122334455667788);
	vr_set_address(rig, VR_QUEUE_DRIVER, 0x1122334455667788);
	vr_set_address(rig, VR_QUEUE_DEVICE, 0x1122334455667788);
	vr_set(rig, VR_CONFIG_VECTOR, 2, 1);
	for (unsigned at = 0; at < 0x40; at++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			if (size == width[at])
				continue;
			vr_set(rig, at, size, 0);
			assert_int_equal(vr_get(rig, at, size), 0);
		}
	}
	assert_int_equal(vr_status(rig), 0xb);
	assert_int_equal(vr_get(rig, VR_DEVICE_FEATURE_SELECT, 4), 1);
	assert_int_equal(vr_get(rig, VR_DRIVER_FEATURE_SELECT, 4), 1);
	assert_int_equal(vr_get(rig, VR_CONFIG_VECTOR, 2), 1);
	assert_int_equal(vr_get(rig, VR_QUEUE_SELECT, 2), 1);
	assert_int_equal(vr_get(rig, VR_QUEUE_SIZE, 2), 8);
	assert_int_equal(vr_get(rig, VR_QUEUE_VECTOR, 2), 1);
	for (unsigned at = VR_QUEUE_DESC; at <= VR_QUEUE_DEVICE; at += 8) {
		assert_int_equal(vr_get(rig, at, 4), 0x55667788);
		assert_int_equal(vr_get(rig, at + 4, 4), 0x11223344);
	}
	/* The read-only ones, and what lies behind the last. */
	vr_set(rig, VR_NUM_QUEUES, 2, 0);
	vr_set(rig, VR_GENERATION, 1, 9);
	vr_set(rig, VR_QUEUE_NOTIFY_OFF, 2, 9);
	vr_set(rig, VR_DEVICE_FEATURE, 4, 0);
	assert_int_equal(vr_get(rig, VR_NUM_QUEUES, 2), 2);
	assert_int_equal(vr_get(rig, VR_GENERATION, 1), 0);
	assert_int_equal(vr_get(rig, VR_QUEUE_NOTIFY_OFF, 2), 0);
	assert_int_equal(vr_get(rig, VR_DEVICE_FEATURE, 4), 7);
	assert_int_equal(vr_get(rig, 0xffc, 4), 0);
	vr_set(rig, VR_NOTIFY - 4, 4, 1);
	assert_int_equal(vr_get(rig, VR_NOTIFY, 2), 0);
}

static void the_configuration_of_the_device(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	memcpy(f->config, "\x01\x02\x03\x04\x05\x06", 6);
	assert_int_equal(vr_get(rig, VR_CONFIG, 4), 0x04030201);
	assert_int_equal(vr_get(rig, VR_CONFIG + 4, 2), 0x0605);
	assert_int_equal(vr_get(rig, VR_CONFIG + 5, 1), 0x06);
	/* Beyond its end, not aligned, too wide. */
	assert_int_equal(vr_get(rig, VR_CONFIG + 4, 4), 0);
	assert_int_equal(vr_get(rig, VR_CONFIG + 6, 1), 0);
	assert_int_equal(vr_get(rig, VR_CONFIG + 1, 2), 0);
	assert_int_equal(vr_get(rig, VR_CONFIG, 8), 0);
	vr_set(rig, VR_CONFIG + 6, 1, 9);
	vr_set(rig, VR_CONFIG + 4, 4, 9);
	vr_set(rig, VR_CONFIG, 8, 9);
	assert_int_equal(f->config_writes, 0);
	vr_set(rig, VR_CONFIG + 2, 2, 0x1234);
	assert_int_equal(f->config_writes, 1);
	assert_int_equal(vr_get(rig, VR_CONFIG, 4), 0x12340201);
}

static void a_type_may_be_without_configuration(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	assert_int_equal(vr_offered(rig), VR_NEEDED | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
	assert_int_equal(vr_get(rig, VR_CONFIG, 1), 0);
	vr_set(rig, VR_CONFIG, 1, 1);
	for (u8 at = pci_rig_config(rig->pci, VR_SLOT, PCI_CAPABILITIES, 1); at;
	     at = pci_rig_config(rig->pci, VR_SLOT, at + 1, 1)) {
		if (pci_rig_config(rig->pci, VR_SLOT, at, 1) == 0x09)
			assert_int_not_equal(pci_rig_config(rig->pci, VR_SLOT, at + 3, 1), 4);
	}
	vr_start(rig, 0, 1, 8);
	add(f, 0, ECHO, 0);
	vr_notify(rig, 0);
	assert_true(answered(f, 0, 0));
}

/* ---- negotiation ---- */

static void features_are_refused_without_the_needed_or_with_others(void **state)
{
	static const u64 bad[] = { 0,
				   VIRTIO_F_VERSION_1,
				   VIRTIO_F_ACCESS_PLATFORM,
				   VR_NEEDED | BIT(0),
				   VR_NEEDED | BIT(40),
				   VR_NEEDED | BIT(63) };
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(vr_negotiate(rig, bad[i]));
		assert_int_equal(vr_status(rig), 3);
		vr_set(rig, VR_STATUS, 1, 0xf);
		assert_int_equal(vr_status(rig), 3);
		assert_int_equal(host_log_count(), 2 * i + 2);
		/* A second attempt may do better. */
		vr_accept(rig, VR_NEEDED);
		vr_set(rig, VR_STATUS, 1, 0xb);
		assert_int_equal(vr_status(rig), 0xb);
		if (host_log_count() >= LOG_RATE_BURST - 1)
			break;
	}
	assert_string_equal(host_log_last(), "thing: features 0x10300000000 of 0x730000008 will not do");
}

static void features_are_fixed_once_they_are_taken(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_set(rig, VR_DRIVER_FEATURE_SELECT, 4, 2);
	vr_set(rig, VR_DRIVER_FEATURE, 4, 0xffffffff);
	assert_int_equal(vr_get(rig, VR_DRIVER_FEATURE, 4), 0);
	assert_int_equal(vr_get(rig, VR_DRIVER_FEATURE_SELECT, 4), 2);
	assert_int_equal(f->dev.accepted, 0);
	vr_set(rig, VR_DEVICE_FEATURE_SELECT, 4, 2);
	assert_int_equal(vr_get(rig, VR_DEVICE_FEATURE, 4), 0);
	assert_true(vr_negotiate(rig, VR_NEEDED | TYPE_F_OWN));
	vr_accept(rig, VR_NEEDED | VIRTIO_F_RING_PACKED);
	assert_int_equal(f->dev.accepted, VR_NEEDED | TYPE_F_OWN);
	vr_set(rig, VR_DRIVER_FEATURE_SELECT, 4, 0);
	assert_int_equal(vr_get(rig, VR_DRIVER_FEATURE, 4), TYPE_F_OWN);
}

static void status_bits_come_and_only_a_reset_takes_them(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_set(rig, VR_STATUS, 1, 0x30 | VIRTIO_STATUS_NEEDS_RESET | VIRTIO_STATUS_DRIVER_OK | 1);
	assert_int_equal(vr_status(rig), 1);
	vr_accept(rig, VR_NEEDED);
	vr_set(rig, VR_STATUS, 1, 0xf); /* all at once */
	assert_int_equal(vr_status(rig), 0xf);
	vr_set(rig, VR_STATUS, 1, 1);
	assert_int_equal(vr_status(rig), 0xf);
	vr_set(rig, VR_STATUS, 1, 0x8f);
	assert_int_equal(vr_status(rig), 0x8f);
	vr_set(rig, VR_STATUS, 1, 0);
	assert_int_equal(vr_status(rig), 0);
}

/* ---- queues ---- */

static void a_queue_that_does_not_exist_is_zero(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	assert_true(vr_negotiate(rig, VR_NEEDED));
	vr_set(rig, VR_QUEUE_SELECT, 2, 2);
	for (unsigned at = VR_QUEUE_SIZE; at < VR_QUEUE_DESC; at += 2) {
		vr_set(rig, at, 2, 1);
		assert_int_equal(vr_get(rig, at, 2), 0);
	}
	for (unsigned at = VR_QUEUE_DESC; at < 0x38; at += 4) {
		vr_set(rig, at, 4, 0x1000);
		assert_int_equal(vr_get(rig, at, 4), 0);
	}
	assert_int_equal(vr_status(rig), 0xb);
}

static void an_impossible_queue_is_not_enabled(void **state)
{
	static const struct {
		u16 size;
		u64 desc, driver, device;
	} bad[] = {
		{ 0, 0x1000, 0x2000, 0x3000 },
		{ 12, 0x1000, 0x2000, 0x3000 },
		{ 2 * SIZE, 0x1000, 0x2000, 0x3000 },
		{ SIZE, 0x1008, 0x2000, 0x3000 },
		{ SIZE, 0x1000, 0x2001, 0x3000 },
		{ SIZE, 0x1000, 0x2000, 0x3002 },
		{ SIZE, ~0xffull + 0x10, 0x2000, 0x3000 },
	};
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_true(vr_negotiate(rig, VR_NEEDED));
		vr_set(rig, VR_QUEUE_SELECT, 2, 1);
		vr_set(rig, VR_QUEUE_SIZE, 2, bad[i].size);
		vr_set_address(rig, VR_QUEUE_DESC, bad[i].desc);
		vr_set_address(rig, VR_QUEUE_DRIVER, bad[i].driver);
		vr_set_address(rig, VR_QUEUE_DEVICE, bad[i].device);
		vr_set(rig, VR_QUEUE_ENABLE, 2, 1);
		assert_int_equal(vr_get(rig, VR_QUEUE_ENABLE, 2), 0);
		assert_int_equal(vr_status(rig), 0x4b);
		assert_int_equal(host_log_count(), i + 1);
		assert_memory_equal(host_log_last(), "thing: queue 1: ", 16);
		/* Not before the driver was there: nobody would know what to do with an interrupt. */
		assert_int_equal(rig->pci->messages + rig->pci->rises, 0);
		/* And not by a second attempt. */
		vr_place_queue(rig, 0, SIZE, true);
		assert_int_equal(vr_get(rig, VR_QUEUE_ENABLE, 2), 0);
	}
}

static void a_queue_is_enabled_once_and_after_the_features(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_place_queue(rig, 0, SIZE, true);
	assert_int_equal(vr_get(rig, VR_QUEUE_ENABLE, 2), 0);
	assert_true(vr_negotiate(rig, VR_NEEDED));
	vr_place_queue(rig, 0, SIZE, false);
	vr_set(rig, VR_QUEUE_ENABLE, 2, 2);
	assert_int_equal(vr_get(rig, VR_QUEUE_ENABLE, 2), 0);
	vr_set(rig, VR_QUEUE_ENABLE, 2, 1);
	assert_int_equal(vr_get(rig, VR_QUEUE_ENABLE, 2), 1);
	vr_set(rig, VR_QUEUE_ENABLE, 2, 0);
	assert_int_equal(vr_get(rig, VR_QUEUE_ENABLE, 2), 1);
	vr_set(rig, VR_QUEUE_SIZE, 2, 4);
	assert_int_equal(vr_get(rig, VR_QUEUE_SIZE, 2), SIZE);
	vr_set_address(rig, VR_QUEUE_DESC, 0x7000);
	assert_int_equal(vr_get(rig, VR_QUEUE_DESC, 4), VR_RINGS(0));
	vr_set(rig, VR_QUEUE_VECTOR, 2, 1);
	assert_int_equal(vr_get(rig, VR_QUEUE_VECTOR, 2), 1);
}

static void vectors_that_do_not_exist_read_back_as_none(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_set(rig, VR_CONFIG_VECTOR, 2, 2);
	assert_int_equal(vr_get(rig, VR_CONFIG_VECTOR, 2), 2);
	vr_set(rig, VR_CONFIG_VECTOR, 2, 3);
	assert_int_equal(vr_get(rig, VR_CONFIG_VECTOR, 2), 0xffff);
	vr_set(rig, VR_QUEUE_VECTOR, 2, 0x7fff);
	assert_int_equal(vr_get(rig, VR_QUEUE_VECTOR, 2), 0xffff);
}

static void split_and_packed_with_and_without_everything(void **state)
{
	static const u64 mixes[] = {
		0,
		VIRTIO_F_INDIRECT_DESC,
		VIRTIO_F_EVENT_IDX,
		VIRTIO_F_RING_PACKED,
		VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX,
		VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC,
	};
	struct fixture *f = *state;

	for (unsigned mix = 0; mix < ARRAY_SIZE(mixes); mix++) {
		vr_start(&f->rig, mixes[mix], 2, 8);
		for (unsigned i = 0; i < 40; i++) {
			assert_true(add(f, i & 1, ECHO, i) >= 0);
			if (driver_must_notify(&f->rig.queue[i & 1]))
				vr_notify(&f->rig, i & 1);
			assert_true(answered(f, i & 1, i));
		}
	}
}

/* ---- notifications ---- */

static void only_a_live_queue_is_served(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	assert_true(vr_negotiate(rig, VR_NEEDED));
	vr_notify(rig, 0);
	vr_place_queue(rig, 0, 8, true);
	add(f, 0, ECHO, 0);
	vr_notify(rig, 0);
	assert_int_equal(f->served, 0);
	vr_set(rig, VR_STATUS, 1, 0xf); /* now, without a further notification */
	assert_int_equal(f->served, 1);
	assert_true(answered(f, 0, 0));
	add(f, 0, ECHO, 1);
	vr_notify(rig, 1);
	vr_notify(rig, 2);
	vr_notify(rig, 0xffff);
	vr_set(rig, VR_NOTIFY, 4, 0);
	vr_set(rig, VR_NOTIFY, 1, 0);
	vr_set(rig, VR_NOTIFY, 8, 0);
	vr_set(rig, VR_NOTIFY + 2, 2, 0);
	assert_int_equal(f->served, 1);
	assert_int_equal(f->queues[0].notifications, 2);
	assert_int_equal(f->queues[1].notifications, 1);
	vr_notify(rig, 0);
	assert_true(answered(f, 0, 1));
	assert_int_equal(f->dev.page[VIRTIO_PCI_NOTIFY].doorbells->size, 2);
	assert_null(f->dev.page[VIRTIO_PCI_NOTIFY].doorbells->next);
}

static void nothing_moves_without_bus_mastering(void **state)
{
	struct fixture *f = *state;

	vr_start(&f->rig, 0, 1, 8);
	pci_rig_set_config(f->rig.pci, VR_SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	add(f, 0, ECHO, 0);
	vr_notify(&f->rig, 0);
	assert_int_equal(f->served, 0);
	assert_int_equal(vr_status(&f->rig), 0xf);
	pci_rig_set_config(f->rig.pci, VR_SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	vr_notify(&f->rig, 0);
	assert_true(answered(f, 0, 0));
}

static void work_is_shared_out(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_start(rig, 0, 2, 16);
	for (unsigned i = 0; i < 8; i++)
		add(f, 0, EXPENSIVE, i);
	vr_notify(rig, 0);
	assert_int_equal(f->served, 4);
	assert_int_equal(rig->pci->messages, 1); /* what is done is told */
	vr_pass(rig, VR_TICKS - 1);
	assert_int_equal(f->served, 4);
	/* The other queue does not wait for this one. */
	add(f, 1, ECHO, 9);
	vr_notify(rig, 1);
	assert_true(answered(f, 1, 9));
	vr_pass(rig, 1);
	assert_int_equal(f->served, 9);
	vr_pass(rig, VR_TICKS);
	assert_int_equal(f->served, 9);
	for (unsigned i = 0; i < 8; i++)
		assert_true(answered(f, 0, i));
	assert_int_equal(f->queues[0].interrupts, 2);
}

static void a_share_may_be_used_up_by_one(void **state)
{
	struct fixture *f = *state;

	vr_start(&f->rig, 0, 1, 16);
	add(f, 0, ALL, 0);
	add(f, 0, ECHO, 1);
	vr_notify(&f->rig, 0);
	assert_int_equal(f->served, 1);
	assert_true(answered(f, 0, 0));
	vr_pass(&f->rig, VR_TICKS);
	assert_true(answered(f, 0, 1));
}

static void even_empty_buffers_come_to_an_end(void **state)
{
	struct fixture *f = *state;

	vr_start(&f->rig, 0, 1, 16);
	f->endless = true;
	add(f, 0, ECHO, 0);
	vr_notify(&f->rig, 0);
	assert_in_range(f->served, 1000, 10000);
}

static void what_is_not_done_at_once_is_asked_for_again(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_start(rig, 0, 2, 16);
	add(f, 0, LATER_TWICE, 0);
	add(f, 1, LATER_TWICE, 2);
	vr_notify(rig, 0);
	vr_notify(rig, 1);
	assert_int_equal(f->served, 2);
	add(f, 0, ECHO, 1);
	assert_false(driver_must_notify(&rig->queue[0]));
	vr_pass(rig, VR_TICKS);
	assert_int_equal(f->served, 4);
	assert_false(answered(f, 0, 0));
	vr_pass(rig, VR_TICKS);
	assert_int_equal(f->served, 7);
	assert_true(answered(f, 0, 0));
	assert_true(answered(f, 0, 1));
	assert_true(answered(f, 1, 2));
	assert_int_equal(rig->pci->messages, 2);
}

static void a_device_may_wait_for_something_else(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_start(rig, VIRTIO_F_EVENT_IDX, 1, 16);
	add(f, 0, WAIT_ONCE, 0);
	vr_notify(rig, 0);
	add(f, 0, AGAIN, 1);
	driver_must_notify(&rig->queue[0]);
	vr_pass(rig, 100 * VR_TICKS);
	assert_int_equal(f->served, 1);
	f->may_go_on = true;
	virtio_serve(&f->dev, &f->queues[0]);
	assert_int_equal(f->served, 3);
	assert_true(answered(f, 0, 0));
	assert_true(answered(f, 0, 1));
	assert_int_equal(rig->pci->messages, 1);
}

/* ---- interrupts ---- */

static void without_messages_the_wire_and_the_isr(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_start(rig, 0, 2, 8);
	pci_rig_set_config(rig->pci, VR_SLOT, f->dev.pci.msix.offset + 2, 2, 0);
	assert_int_equal(vr_get(rig, VR_ISR, 1), 0);
	add(f, 0, ECHO, 0);
	vr_notify(rig, 0);
	assert_true(rig->pci->level[VR_WIRE]);
	vr_set(rig, VR_ISR, 1, 0);
	assert_int_equal(vr_get(rig, VR_ISR, 2), 0);
	assert_int_equal(vr_get(rig, VR_ISR + 1, 1), 0);
	assert_true(rig->pci->level[VR_WIRE]);
	virtio_config_changed(&f->dev);
	assert_int_equal(vr_get(rig, VR_ISR, 1), 3);
	assert_false(rig->pci->level[VR_WIRE]);
	assert_int_equal(vr_get(rig, VR_ISR, 1), 0);
	virtio_config_changed(&f->dev);
	assert_int_equal(vr_get(rig, VR_ISR, 1), 2);
	assert_int_equal(rig->pci->messages, 0);
}

static void a_queue_without_vector_is_silent(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_start(rig, 0, 1, 8);
	vr_set(rig, VR_QUEUE_SELECT, 2, 0);
	vr_set(rig, VR_QUEUE_VECTOR, 2, 0xffff);
	vr_set(rig, VR_CONFIG_VECTOR, 2, 0xffff);
	add(f, 0, ECHO, 0);
	vr_notify(rig, 0);
	virtio_config_changed(&f->dev);
	assert_true(answered(f, 0, 0));
	assert_int_equal(rig->pci->messages, 0);
	assert_false(rig->pci->level[VR_WIRE]);
}

static void a_driver_that_wants_no_interrupt_gets_none(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_start(rig, VIRTIO_F_EVENT_IDX, 1, 8);
	driver_want_interrupt(&rig->queue[0], 2);
	for (unsigned i = 0; i < 3; i++) {
		add(f, 0, ECHO, i);
		vr_notify(rig, 0);
		assert_int_equal(rig->pci->messages, i == 2);
	}
	assert_int_equal(f->queues[0].interrupts, 1);
}

static void a_change_of_the_configuration_is_told_and_counted(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	virtio_config_changed(&f->dev); /* there is nobody to be told */
	assert_int_equal(vr_get(rig, VR_GENERATION, 1), 1);
	assert_int_equal(rig->pci->rises, 0);
	vr_start(rig, 0, 1, 8);
	virtio_config_changed(&f->dev);
	assert_int_equal(vr_get(rig, VR_GENERATION, 1), 2);
	assert_int_equal(vr_last_message(rig), 0x42);
}

/* ---- reset ---- */

static void a_reset_forgets_everything(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;
	unsigned messages;

	vr_start(rig, VIRTIO_F_RING_PACKED, 2, 8);
	/* One at hand, one held back by a mask, one that waits for the timer, and a wire. */
	pci_rig_store(rig->pci, VR_MSIX + 16 + 12, 4, 1);
	add(f, 1, ECHO, 0);
	vr_notify(rig, 1);
	add(f, 0, LATER_TWICE, 1);
	vr_notify(rig, 0);
	assert_int_equal(f->dev.pci.msix.pending, 2);
	assert_true(vr_mapped(rig));
	messages = rig->pci->messages;
	f->resets = 0;
	vr_set(rig, VR_STATUS, 1, 0);
	assert_int_equal(f->resets, 1);
	assert_null(rig->pci->queue.first);
	assert_int_equal(vr_status(rig), 0);
	assert_int_equal(vr_mapped(rig), 0);
	vr_pass(rig, 10 * VR_TICKS);
	pci_rig_store(rig->pci, VR_MSIX + 16 + 12, 4, 0);
	vr_notify(rig, 0);
	vr_notify(rig, 1);
	assert_int_equal(rig->pci->messages, messages);
	assert_int_equal(f->served, 2);
	assert_false(answered(f, 0, 1));
	for (unsigned i = 0; i < 2; i++) {
		vr_set(rig, VR_QUEUE_SELECT, 2, i);
		assert_int_equal(vr_get(rig, VR_QUEUE_SIZE, 2), SIZE);
		assert_int_equal(vr_get(rig, VR_QUEUE_ENABLE, 2), 0);
		assert_int_equal(vr_get(rig, VR_QUEUE_VECTOR, 2), 0xffff);
		for (unsigned at = VR_QUEUE_DESC; at < 0x38; at += 4)
			assert_int_equal(vr_get(rig, at, 4), 0);
	}
	assert_int_equal(vr_get(rig, VR_CONFIG_VECTOR, 2), 0xffff);
	vr_set(rig, VR_DRIVER_FEATURE_SELECT, 4, 1);
	assert_int_equal(vr_get(rig, VR_DRIVER_FEATURE, 4), 0);
	vr_set(rig, VR_DEVICE_FEATURE_SELECT, 4, 1);
	vr_set(rig, VR_STATUS, 1, 0);
	assert_int_equal(vr_get(rig, VR_DRIVER_FEATURE_SELECT, 4), 0);
	assert_int_equal(vr_get(rig, VR_DEVICE_FEATURE_SELECT, 4), 0);
	assert_int_equal(vr_get(rig, VR_QUEUE_SELECT, 2), 0);
	/* And it works again, other rings and all. */
	vr_start(rig, 0, 2, 4);
	add(f, 0, ECHO, 3);
	vr_notify(rig, 0);
	assert_true(answered(f, 0, 3));
}

static void a_reset_takes_the_wire_down(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_start(rig, 0, 2, 8);
	pci_rig_set_config(rig->pci, VR_SLOT, f->dev.pci.msix.offset + 2, 2, 0);
	add(f, 0, ECHO, 0);
	vr_notify(rig, 0);
	assert_true(rig->pci->level[VR_WIRE]);
	vr_set(rig, VR_STATUS, 1, 0);
	assert_false(rig->pci->level[VR_WIRE]);
	assert_int_equal(vr_get(rig, VR_ISR, 1), 0);
}

/* ---- failure ---- */

static void a_malformed_queue_stops_the_device_until_its_reset(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_start(rig, 0, 2, 8);
	add(f, 1, LATER_TWICE, 1);
	vr_notify(rig, 1);
	add(f, 0, ECHO, 0);
	driver_put(&rig->queue[0], VR_RINGS(0) + 0x1000 + 2, 2, 100); /* more than the queue holds */
	vr_notify(rig, 0);
	assert_int_equal(vr_status(rig), 0x4f);
	assert_int_equal(rig->pci->messages, 1);
	assert_int_equal(vr_last_message(rig), 0x42);
	assert_int_equal(host_log_count(), 1);
	assert_memory_equal(host_log_last(), "thing: queue 0: ", 16);
	assert_non_null(strstr(host_log_last(), "the device waits for its reset"));
	/* Silence, on the other queue, too. */
	vr_pass(rig, 10 * VR_TICKS);
	add(f, 1, ECHO, 2);
	vr_notify(rig, 1);
	vr_notify(rig, 0);
	virtio_serve(&f->dev, &f->queues[1]);
	assert_int_equal(f->served, 1);
	assert_int_equal(rig->pci->messages, 1);
	assert_int_equal(host_log_count(), 1);
	vr_start(rig, 0, 2, 8);
	add(f, 0, ECHO, 3);
	vr_notify(rig, 0);
	assert_true(answered(f, 0, 3));
}

static void a_ring_that_is_nowhere_is_a_failure(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	assert_true(vr_negotiate(rig, VR_NEEDED));
	vr_use_msix(rig);
	vr_set(rig, VR_CONFIG_VECTOR, 2, 2);
	vr_place_queue(rig, 0, 8, false);
	vr_set_address(rig, VR_QUEUE_DRIVER, VR_BAR); /* registers of its own */
	vr_set(rig, VR_QUEUE_ENABLE, 2, 1);
	vr_set(rig, VR_STATUS, 1, 0xf);
	assert_int_equal(vr_status(rig), 0x4f);
	assert_int_equal(vr_last_message(rig), 0x42);
	assert_int_equal(f->served, 0);
}

static void a_type_may_fail_once(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	vr_start(rig, 0, 1, 8);
	add(f, 0, FAIL, 0);
	vr_notify(rig, 0);
	assert_int_equal(vr_status(rig), 0x4f);
	assert_string_equal(host_log_last(),
			    "thing: queue 0: as it asked (0x7); the device waits for its reset");
	virtio_fail(&f->dev, &f->queues[1], "once more", 0);
	assert_int_equal(host_log_count(), 1);
	assert_int_equal(rig->pci->messages, 1);
	assert_int_equal(f->dev.failures, 1);
}

static void failures_do_not_flood_the_log(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3 * LOG_RATE_BURST; i++) {
		vr_start(&f->rig, 0, 1, 8);
		add(f, 0, FAIL, 0);
		vr_notify(&f->rig, 0);
	}
	assert_int_equal(host_log_count(), LOG_RATE_BURST);
	assert_int_equal(f->dev.failures, 3 * LOG_RATE_BURST);
}

/* ---- BARs through configuration space ---- */

static u8 window_of(struct fixture *f)
{
	u8 at = pci_rig_config(f->rig.pci, VR_SLOT, PCI_CAPABILITIES, 1);

	while (pci_rig_config(f->rig.pci, VR_SLOT, at, 1) != 0x09 ||
	       pci_rig_config(f->rig.pci, VR_SLOT, at + 3, 1) != 5)
		at = pci_rig_config(f->rig.pci, VR_SLOT, at + 1, 1);
	return at;
}

static u8 aim(struct fixture *f, u8 bar, u32 offset, u32 length)
{
	u8 at = window_of(f);

	pci_rig_set_config(f->rig.pci, VR_SLOT, at + 4, 1, bar);
	pci_rig_set_config(f->rig.pci, VR_SLOT, at + 8, 4, offset);
	pci_rig_set_config(f->rig.pci, VR_SLOT, at + 12, 4, length);
	return at + 16;
}

static u32 window_get(struct fixture *f, u32 offset, u32 length)
{
	return pci_rig_config(f->rig.pci, VR_SLOT, aim(f, 0, offset, length), 4);
}

static void window_set(struct fixture *f, u32 offset, u32 length, u32 value)
{
	pci_rig_set_config(f->rig.pci, VR_SLOT, aim(f, 0, offset, length), 4, value);
}

static void the_window_reaches_every_register(void **state)
{
	struct fixture *f = *state;

	/* Whether memory decoding is on or not. */
	vr_start(&f->rig, 0, 1, 8);
	pci_rig_set_config(f->rig.pci, VR_SLOT, f->dev.pci.msix.offset + 2, 2, 0);
	pci_rig_set_config(f->rig.pci, VR_SLOT, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	window_set(f, VR_DEVICE_FEATURE_SELECT, 4, 1);
	assert_int_equal(window_get(f, VR_DEVICE_FEATURE, 4), 7);
	assert_int_equal(window_get(f, VR_STATUS, 1), 0xf);
	assert_int_equal(window_get(f, VR_NUM_QUEUES, 2), 2);
	window_set(f, VR_CONFIG + 4, 2, 0xabcd1234);
	assert_int_equal(window_get(f, VR_CONFIG + 4, 2), 0x1234);
	add(f, 0, ECHO, 0);
	window_set(f, VR_NOTIFY, 2, 0xffff0000);
	assert_true(answered(f, 0, 0));
	assert_int_equal(window_get(f, VR_NOTIFY, 2), 0);
	assert_int_equal(window_get(f, VR_ISR, 1), 1);
	assert_int_equal(window_get(f, VR_ISR, 1), 0);
	window_set(f, VR_STATUS, 1, 0);
	assert_int_equal(window_get(f, VR_STATUS, 1), 0);
}

static void the_window_keeps_to_the_same_bounds(void **state)
{
	struct fixture *f = *state;
	static const struct {
		u8 bar;
		u32 offset, length;
	} bad[] = {
		{ 0, VR_CONFIG, 3 }, { 1, VR_CONFIG, 4 },  { 1, 0, 4 },	     { 0xff, 0, 4 },
		{ 0, 0, 0 },	     { 0, 0, 3 },	   { 0, 0, 8 },	     { 0, 0, 0xffffffff },
		{ 0, 2, 4 },	     { 0, 0x4000, 4 },	   { 0, 0x4000, 1 }, { 0, 0xfffffffc, 4 },
		{ 0, 1, 2 },	     { 0, 0x80000000, 1 },
	};

	memset(f->config, 0x11, sizeof(f->config));
	vr_start(&f->rig, 0, 1, 8);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		u8 data = aim(f, bad[i].bar, bad[i].offset, bad[i].length);

		pci_rig_set_config(f->rig.pci, VR_SLOT, data, 4, 0x12345678);
		assert_int_equal(pci_rig_config(f->rig.pci, VR_SLOT, data, 4), 0);
	}
	assert_int_equal(vr_status(&f->rig), 0xf);
	assert_int_equal(vr_get(&f->rig, VR_DEVICE_FEATURE_SELECT, 4), 0);
	assert_int_equal(window_get(f, VR_DEVICE_FEATURE, 4), 0x30000008);
	assert_int_equal(window_get(f, VR_CONFIG, 4), 0x11111111);
	/* Its other fields are read-only. */
	pci_rig_set_config(f->rig.pci, VR_SLOT, window_of(f), 4, 0);
	assert_int_equal(config32(f, window_of(f)) & 0xffff00ff, 0x05140009);
}

/* ---- console ---- */

static char printed[8][200];
static unsigned lines;

static void emit(void *to, const char *line)
{
	(void)to;
	strncpy(printed[lines++ % 8], line, sizeof(printed[0]) - 1);
}

static void print(struct fixture *f)
{
	lines = 0;
	virtio_print(&f->dev, emit, NULL);
	assert_int_equal(lines, 3);
}

static void its_state_is_printed(void **state)
{
	struct fixture *f = *state;
	struct virtio_rig *rig = &f->rig;

	print(f);
	assert_string_equal(printed[0],
			    "thing: virtio test, without a driver; features 0x0 of 0x730000008; 0 resets, "
			    "0 failures, 0 config interrupts");
	assert_string_equal(printed[1], "  queue 0: off of 16: 0 notifications, 0 requests, 0 interrupts");
	assert_true(vr_negotiate(rig, VR_NEEDED | VIRTIO_F_RING_PACKED));
	print(f);
	assert_non_null(strstr(printed[0], "being set up; features 0x700000000"));
	vr_place_queue(rig, 0, 8, true);
	vr_set(rig, VR_STATUS, 1, 0xf);
	print(f);
	assert_non_null(strstr(printed[0], "in use"));
	assert_non_null(strstr(printed[1], "packed of 8"));
	vr_set(rig, VR_STATUS, 1, 0x80);
	print(f);
	assert_non_null(strstr(printed[0], "given up by its driver"));
	vr_start(rig, 0, 2, 8);
	add(f, 1, ECHO, 0);
	vr_notify(rig, 1);
	driver_put(&rig->queue[0], VR_RINGS(0) + 0x1000 + 2, 2, 100);
	vr_notify(rig, 0);
	print(f);
	assert_non_null(strstr(printed[0], "waits for its reset; "));
	assert_non_null(strstr(printed[0], "2 resets, 1 failures, 1 config interrupts"));
	assert_non_null(strstr(printed[1], "split of 8, broken: "));
	assert_string_equal(printed[2], "  queue 1: split of 8: 1 notifications, 1 requests, 1 interrupts");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity_and_capabilities),
		TEST(the_sequence_of_linux),
		TEST(registers_answer_in_their_own_width_only),
		TEST(the_configuration_of_the_device),
		cmocka_unit_test_setup_teardown(a_type_may_be_without_configuration, setup_bare, teardown),
		TEST(features_are_refused_without_the_needed_or_with_others),
		TEST(features_are_fixed_once_they_are_taken),
		TEST(status_bits_come_and_only_a_reset_takes_them),
		TEST(a_queue_that_does_not_exist_is_zero),
		TEST(an_impossible_queue_is_not_enabled),
		TEST(a_queue_is_enabled_once_and_after_the_features),
		TEST(vectors_that_do_not_exist_read_back_as_none),
		TEST(split_and_packed_with_and_without_everything),
		TEST(only_a_live_queue_is_served),
		TEST(nothing_moves_without_bus_mastering),
		TEST(work_is_shared_out),
		TEST(a_share_may_be_used_up_by_one),
		TEST(even_empty_buffers_come_to_an_end),
		TEST(what_is_not_done_at_once_is_asked_for_again),
		TEST(a_device_may_wait_for_something_else),
		TEST(without_messages_the_wire_and_the_isr),
		TEST(a_queue_without_vector_is_silent),
		TEST(a_driver_that_wants_no_interrupt_gets_none),
		TEST(a_change_of_the_configuration_is_told_and_counted),
		TEST(a_reset_forgets_everything),
		TEST(a_reset_takes_the_wire_down),
		TEST(a_malformed_queue_stops_the_device_until_its_reset),
		TEST(a_ring_that_is_nowhere_is_a_failure),
		TEST(a_type_may_fail_once),
		TEST(failures_do_not_flood_the_log),
		TEST(the_window_reaches_every_register),
		TEST(the_window_keeps_to_the_same_bounds),
		TEST(its_state_is_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
