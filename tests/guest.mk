# Guests of our own that check their boot protocol from the inside.
GUEST_CFLAGS = -m32 -std=gnu11 -O1 $(WARNINGS) -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -mgeneral-regs-only -Wno-array-bounds

$(BUILD)/guest/multiboot: GUEST_PROTOCOL = -DMULTIBOOT
$(BUILD)/guest/pvh:       GUEST_PROTOCOL = -DPVH

$(BUILD)/guest/multiboot $(BUILD)/guest/pvh: tests/guest/boot32.S tests/guest/boot32.c tests/guest.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(GUEST_CFLAGS) $(GUEST_PROTOCOL) -nostdlib -static -Wl,-Ttext-segment=0x1000000,--build-id=none,-e,_start,-z,norelro $(filter %.S %.c,$^) -o $@

# Dies as a key tells it to, for the hypervisor console's tests.
DOOMED_MEMORY = 32
$(BUILD)/guest/doomed: tests/guest/doomed.S tests/guest.mk
	@mkdir -p $(@D)
	$(call say,AS)
	$(Q)$(CC) -m32 -DRAM_END='($(DOOMED_MEMORY) << 20)' -nostdlib -static -no-pie -Wl,-Ttext-segment=0x100000,--build-id=none,-e,_start,-z,norelro $< -o $@

# What Linux' scripted init runs beside busybox.
$(BUILD)/guest/poke: tests/guest/poke.c $(wildcard tests/guest/poke_*.c) $(addprefix tests/guest/,faults.c sha256.c vfio.c virtio_chains.c virtio_user.c vtd_user.c) $(wildcard tests/guest/*.h) tests/guest.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu11 -O2 -static $(WARNINGS) -I. $(filter %.c,$^) -o $@

$(BUILD)/guest/wire: tests/guest/wire.c tests/guest/sha256.c tests/guest/sha256.h tests/guest.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=gnu11 -O2 -static $(WARNINGS) -I. $(filter %.c,$^) -o $@

guests: $(addprefix $(BUILD)/guest/,multiboot pvh doomed poke wire) ## build the guests that the tests boot, and what they run

test: guests $(BUILD)/test-root $(BUILD)/net-root

.PHONY: guests
