# Running: the emulator, disk images, the guest's initramfs.

#= KERNEL the guest's kernel (Debian's cloud kernel, fetched once if it is not installed)
#= INITRD its initial RAM disk (busybox to a shell); empty: none
#= DISK the image of its first disk (ext4 with busybox); empty: none
#= CMDLINE its command line
#= MEM its memory in MiB (512)
#= CPU the emulator's CPU model
#= NET user or user:PORT: a network card, and a network behind it that leads out; none: no card (user)
#= MACHINE bochs or kvm (kvm where /dev/kvm offers nested VMX)
INITRD  ?= $(BUILD)/initrd
DISK    ?= $(BUILD)/root
CMDLINE ?= console=ttyS0 cryptomgr.notests mitigations=off
MEM     ?= 512
NET     ?= user
GUEST    = --kernel "$${KERNEL:-$$(tools/kernel)}"

# What reaches a disk is in the initramfs, everything else on the disk.
DISK_MODULES = --module virtio_pci --module virtio_blk
ROOT_MODULES = $(DISK_MODULES) --module virtio_console --module virtio-rng --module virtio_net --module vfio-pci --module vfio_iommu_type1

$(BUILD)/initrd: tests/guest/init.disk tests/guest/init tools/mkinitramfs tools/mktree | setup
	$(call say,CPIO)
	$(Q)tools/mkinitramfs $@ $< $(DISK_MODULES) tests/guest/init

$(BUILD)/root: tests/guest/init tests/guest/udhcpc.script tools/mkroot tools/mktree | setup
	$(call say,EXT4)
	$(Q)tools/mkroot $@ $(ROOT_MODULES) $(filter tests/guest/%,$^)

# The same with what the tests let it do on the network.
$(BUILD)/net-root: tests/guest/init tests/guest/udhcpc.script $(BUILD)/guest/wire tools/mkroot tools/mktree
	$(call say,EXT4)
	$(Q)tools/mkroot $@ $(ROOT_MODULES) $(filter tests/guest/% %/wire,$^)

GUEST_CHECKS = $(BUILD)/guest/poke $(wildcard tests/guest/check-* tests/guest/suite-*)
$(BUILD)/test-initrd: tests/guest/init.test $(GUEST_CHECKS) tools/mkinitramfs tools/mktree | setup
	$(call say,CPIO)
	$(Q)tools/mkinitramfs $@ $< $(GUEST_CHECKS)

# The same on a disk, which $(BUILD)/initrd mounts.
$(BUILD)/test-root: tests/guest/init.test $(GUEST_CHECKS) tools/mkroot tools/mktree | setup
	$(call say,EXT4)
	$(Q)tools/mkroot $@ $(ROOT_MODULES) $<=init $(GUEST_CHECKS)

run: export KERNEL := $(KERNEL)
run: export CMDLINE := $(CMDLINE)
run: $(BUILD)/sluice.efi $(INITRD) $(DISK) ## boot Linux on Sluice in an emulator, on this terminal
	@tools/run --efi $< $(GUEST) $(if $(INITRD),--initrd '$(INITRD)') $(if $(DISK),--guest-disk '$(DISK)') --cmdline "$$CMDLINE" --mem '$(MEM)' --net '$(NET)' \
		$(if $(CPU),--cpu '$(CPU)') $(if $(MACHINE),--machine '$(MACHINE)') $(if $(TIMEOUT),--timeout '$(TIMEOUT)')

image: export KERNEL := $(KERNEL)
image: export CMDLINE := $(CMDLINE)
image: $(BUILD)/sluice.efi $(INITRD) $(DISK) ## make a bootable disk image for a USB stick: $(BUILD)/sluice.img
	@printf '%s\n' '# What Sluice boots. All keys: boot/configuration.md.' 'kernel = \kernel' \
		$(if $(INITRD),'initrd = \initrd') $(if $(DISK),'disk = \disk') "cmdline = $$CMDLINE" 'memory = $(MEM)M' >$(BUILD)/sluice.cfg
	@tools/mkimage $(BUILD)/sluice.img $< $(BUILD)/sluice.cfg "$${KERNEL:-$$(tools/kernel)}=kernel" \
		$(if $(INITRD),'$(INITRD)=initrd') $(if $(DISK),'$(DISK)=disk')
	@echo "made $(BUILD)/sluice.img: copy it to a whole USB stick, not to a partition of it"

.PHONY: run image
