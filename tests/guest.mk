# Guests of our own that check their boot protocol from the inside.
GUEST_CFLAGS = -m32 -std=gnu11 -O1 $(WARNINGS) -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -mgeneral-regs-only -Wno-array-bounds

$(BUILD)/guest/multiboot: GUEST_PROTOCOL = -DMULTIBOOT
$(BUILD)/guest/pvh:       GUEST_PROTOCOL = -DPVH

$(BUILD)/guest/multiboot $(BUILD)/guest/pvh: tests/guest/boot32.S tests/guest/boot32.c tests/guest.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(GUEST_CFLAGS) $(GUEST_PROTOCOL) -nostdlib -static -Wl,-Ttext-segment=0x1000000,--build-id=none,-e,_start,-z,norelro $(filter %.S %.c,$^) -o $@

guests: $(BUILD)/guest/multiboot $(BUILD)/guest/pvh ## build the guests that check their boot protocol

test: guests

.PHONY: guests
