# Running: the emulator, disk images, the guest's initramfs.

#= KERNEL the guest's kernel (Debian's cloud kernel, fetched once if it is not installed)
#= INITRD its initial RAM disk (busybox to a shell); empty: none
#= CMDLINE its command line
#= MEM its memory in MiB (512)
#= CPU the emulator's CPU model
#= MACHINE bochs or kvm (kvm where /dev/kvm offers nested VMX)
INITRD  ?= $(BUILD)/initrd
CMDLINE ?= console=ttyS0 cryptomgr.notests mitigations=off
MEM     ?= 512
GUEST    = --kernel "$${KERNEL:-$$(tools/kernel)}"

$(BUILD)/initrd: tests/guest/init tools/mkinitramfs | setup
	$(call say,CPIO)
	$(Q)tools/mkinitramfs $@ $<

GUEST_CHECKS = $(BUILD)/guest/poke $(wildcard tests/guest/check-*)
$(BUILD)/test-initrd: tests/guest/init.test $(GUEST_CHECKS) tools/mkinitramfs | setup
	$(call say,CPIO)
	$(Q)tools/mkinitramfs $@ $< $(GUEST_CHECKS)

run: export KERNEL := $(KERNEL)
run: export CMDLINE := $(CMDLINE)
run: $(BUILD)/sluice.efi $(INITRD) ## boot Linux on Sluice in an emulator, on this terminal
	@tools/run --efi $< $(GUEST) $(if $(INITRD),--initrd '$(INITRD)') --cmdline "$$CMDLINE" --mem '$(MEM)' \
		$(if $(CPU),--cpu '$(CPU)') $(if $(MACHINE),--machine '$(MACHINE)') $(if $(TIMEOUT),--timeout '$(TIMEOUT)')

image: export KERNEL := $(KERNEL)
image: export CMDLINE := $(CMDLINE)
image: $(BUILD)/sluice.efi $(INITRD) ## make a bootable disk image for a USB stick: $(BUILD)/sluice.img
	@printf '%s\n' '# What Sluice boots. All keys: boot/configuration.md.' 'kernel = \kernel' \
		$(if $(INITRD),'initrd = \initrd') "cmdline = $$CMDLINE" 'memory = $(MEM)M' >$(BUILD)/sluice.cfg
	@tools/mkimage $(BUILD)/sluice.img $< $(BUILD)/sluice.cfg "$${KERNEL:-$$(tools/kernel)}=kernel" \
		$(if $(INITRD),'$(INITRD)=initrd')
	@echo "made $(BUILD)/sluice.img: copy it to a whole USB stick, not to a partition of it"

.PHONY: run image
