# What the boot benchmark boots: the same kernel bare, and an init that tells the time.

BARE = -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64 -fpic -ffreestanding -fno-stack-protector -fshort-wchar -mno-red-zone \
	-maccumulate-outgoing-args -O2 $(WARNINGS) -DGNU_EFI_USE_MS_ABI

$(BUILD)/bench/bare_boot.efi: tests/bench/bare_boot.c | setup
	@mkdir -p $(@D)
	$(call say,PE)
	$(Q)$(CC) $(BARE) -c $< -o $(@:.efi=.o)
	$(Q)$(LD) -shared -nostdlib -Bsymbolic -z noexecstack -znocombreloc -T $(EFI_LIB)/elf_x86_64_efi.lds -L$(EFI_LIB) \
		$(EFI_LIB)/crt0-efi-x86_64.o $(@:.efi=.o) -lefi -lgnuefi -o $(@:.efi=.so)
	$(Q)$(OBJCOPY) -j .text -j .sdata -j .data -j .rodata -j .dynamic -j .dynsym -j '.rel*' -j .reloc \
		--target=efi-app-x86_64 --subsystem=10 $(@:.efi=.so) $@

$(BUILD)/bench/boot_init: tests/bench/boot_init.c | setup
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -O2 -static $(WARNINGS) $< -o $@

$(BUILD)/bench/initrd: $(BUILD)/bench/boot_init tools/mkinitramfs
	$(call say,CPIO)
	$(Q)tools/mkinitramfs $@ $<

$(BUILD)/bench/root: $(BUILD)/bench/boot_init tools/mkroot tools/mktree
	$(call say,EXT4)
	$(Q)tools/mkroot $@ $<=init

$(BUILD)/bench/net-root: tests/bench/init.net $(BUILD)/guest/wire tools/mkroot tools/mktree
	$(call say,EXT4)
	$(Q)tools/mkroot $@ --module virtio_net $<=init $(BUILD)/guest/wire

bench: $(BUILD)/bench/net-root $(BUILD)/bench/bare_boot.efi $(BUILD)/bench/initrd $(BUILD)/bench/root $(BUILD)/initrd
