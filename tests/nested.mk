# The disk image under QEMU/KVM with nested VMX, on a KVM host that Bochs runs: tests/nested/run.

$(BUILD)/nested-initrd: tests/nested/init.guest tools/mkinitramfs tools/mktree | setup
	$(call say,CPIO)
	$(Q)tools/mkinitramfs $@ $< --module virtio_pci --module virtio_blk

test-nested: $(BUILD)/sluice.efi $(BUILD)/nested-initrd ## the self-tests and Linux under QEMU/KVM with nested VMX, inside Bochs
	@tests/run nested

test-nested: export BUILD := $(BUILD)

.PHONY: test-nested
