// SPDX-License-Identifier: BSD-2-Clause
/* The virtio entropy device, VIRTIO 1.2, section 5.4. */
#include "devices/virtio_rng.h"

#include "tests/unit/virtio_rig.h"

#define DATA VR_DATA

struct fixture {
	struct virtio_rig rig;
	struct virtio_rng rng;
	u8 next;
	unsigned asked, dry; /* so many times there is none */
};

static bool entropy(void *owner, void *bytes, size_t length)
{
	struct fixture *f = owner;
	u8 *to = bytes;

	f->asked++;
	if (f->dry) {
		f->dry--;
		return false;
	}
	while (length--)
		*to++ = f->next++;
	return true;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct virtio_setup setup;

	assert_non_null(f);
	f->rig.pci = pci_rig_new();
	setup = vr_setup(&f->rig, "rng");
	virtio_rng_init(&f->rng, &setup, entropy, f);
	vr_plug(&f->rig, &f->rng.dev);
	vr_start(&f->rig, VIRTIO_F_RING_PACKED, 1, VIRTIO_RNG_QUEUE_SIZE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vr_unplug(&f->rig);
	free(f);
	return 0;
}

static void post(struct fixture *f, u64 address, u32 length)
{
	const struct driver_piece piece = { address, length };

	assert_true(driver_add(&f->rig.queue[0], &piece, 0, 1, 0, 0) >= 0);
}

/* The length of the next used buffer, or -1. */
static int used(struct fixture *f)
{
	u32 length;

	return driver_get_used(&f->rig.queue[0], &length) == -1 ? -1 : (int)length;
}

static void identity(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pci_rig_config(f->rig.pci, VR_SLOT, 0, 4), 0x10441af4);
	assert_int_equal(pci_rig_config(f->rig.pci, VR_SLOT, 8, 4), 0x00ff0001);
	assert_int_equal(vr_offered(&f->rig) & BITS(27, 0), 0);
	assert_int_equal(vr_get(&f->rig, VR_CONFIG, 4), 0);
}

static void a_buffer_is_filled(void **state)
{
	struct fixture *f = *state;
	u8 *ram = f->rig.pci->bytes + DATA;

	post(f, DATA, 64);
	vr_notify(&f->rig, 0);
	assert_int_equal(used(f), 64);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(ram[i], i);
	assert_int_equal(ram[64], 0);
	assert_int_equal(vr_last_message(&f->rig), 0x40);
	post(f, DATA, 3);
	vr_notify(&f->rig, 0);
	assert_int_equal(used(f), 3);
	assert_memory_equal(ram, "\x40\x41\x42\x03", 4);
	assert_int_equal(f->rng.given, 67);
}

static void a_large_one_in_part(void **state)
{
	struct fixture *f = *state;

	post(f, DATA, 0x4000);
	vr_notify(&f->rig, 0);
	assert_int_equal(used(f), VIRTIO_RNG_BYTES_MAX);
	assert_int_equal(f->rig.pci->bytes[DATA + VIRTIO_RNG_BYTES_MAX], 0);
}

static void one_without_room_or_memory_is_given_back(void **state)
{
	struct fixture *f = *state;
	const struct driver_piece readable = { DATA, 16 };

	post(f, 1 * MiB, 16);
	assert_true(driver_add(&f->rig.queue[0], &readable, 1, 0, 0, 0) >= 0);
	post(f, DATA, 16);
	vr_notify(&f->rig, 0);
	assert_int_equal(used(f), 0);
	assert_int_equal(used(f), 0);
	assert_int_equal(used(f), 16);
	assert_int_equal(f->rng.given, 16);
	assert_int_equal(vr_status(&f->rig), 0xf);
}

static void a_dry_source_is_asked_again(void **state)
{
	struct fixture *f = *state;

	f->dry = 3;
	post(f, DATA, 16);
	vr_notify(&f->rig, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(f->asked, i + 1);
		assert_int_equal(used(f), -1);
		vr_pass(&f->rig, VR_TICKS);
	}
	assert_int_equal(used(f), 16);
}

static void a_request_ends_even_if_there_is_no_entropy(void **state)
{
	struct fixture *f = *state;

	/* Not the first one that is tried in vain. */
	f->dry = 40;
	post(f, DATA, 16);
	vr_notify(&f->rig, 0);
	for (unsigned i = 0; i < 40; i++)
		vr_pass(&f->rig, VR_TICKS);
	assert_int_equal(used(f), 16);
	memset(f->rig.pci->bytes + DATA, 0, 16);
	f->dry = ~0u;
	f->asked = 0;
	post(f, DATA, 16);
	vr_notify(&f->rig, 0);
	for (unsigned i = 0; i < 200; i++)
		vr_pass(&f->rig, VR_TICKS);
	assert_int_equal(f->asked, 100);
	assert_int_equal(f->rng.failed, 1);
	assert_int_equal(used(f), 0);
	assert_int_equal(f->rig.pci->bytes[DATA], 0);
	assert_int_equal(vr_last_message(&f->rig), 0x40);
	f->dry = 0;
	post(f, DATA, 16);
	vr_notify(&f->rig, 0);
	assert_int_equal(used(f), 16);
}

static void a_reset_ends_the_asking(void **state)
{
	struct fixture *f = *state;
	unsigned asked;

	f->dry = 5;
	post(f, DATA, 16);
	vr_notify(&f->rig, 0);
	asked = f->asked;
	vr_set(&f->rig, VR_STATUS, 1, 0);
	assert_int_equal(f->rng.tries, 0);
	vr_pass(&f->rig, 10 * VR_TICKS);
	assert_int_equal(f->asked, asked);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity),
		TEST(a_buffer_is_filled),
		TEST(a_large_one_in_part),
		TEST(one_without_room_or_memory_is_given_back),
		TEST(a_dry_source_is_asked_again),
		TEST(a_request_ends_even_if_there_is_no_entropy),
		TEST(a_reset_ends_the_asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
