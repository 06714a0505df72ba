# Sluice: a tiny hypervisor for Intel VT-x. `make help` lists what can be made and what can be set.

all: image-efi ## build the hypervisor: $(BUILD)/sluice.efi

#= BUILD where everything is put that is made (build)
#= SETUP no: do not look for missing packages
BUILD   ?= build
# GCC 12.2 takes some variables for read-only that are written by way of a pointer, and puts them into .rodata.
CC      = gcc -fno-ipa-reference
LD      = ld
OBJCOPY = objcopy
EFI_LIB ?= /usr/lib
EFI_INC ?= /usr/include/efi

#= V 1: show commands in full
Q = $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-8s %s\n' $1 $(patsubst $(BUILD)/%,%,$@))

MAKEFLAGS += --no-builtin-rules --no-print-directory -j$(shell nproc)
.DELETE_ON_ERROR:
.SECONDARY:

# What a run needs from the distribution: says nothing where nothing is missing. SETUP=no for machines without apt.
setup: ## install the packages of tools/packages that are missing
	@$(if $(filter no,$(SETUP)),:,tools/setup)
setup-network: setup
	@$(if $(filter no,$(SETUP)),:,tools/setup packages-network)

# ---- The hypervisor ---------------------------------------------------------------------------------------------------------
TARGET_SRCS := $(wildcard boot/*.[cS] arch/*.[cS] mm/*.c iommu/*.c devices/*.c tests/target/*.[cS])
TARGET_OBJS := $(addprefix $(BUILD)/target/,$(addsuffix .o,$(basename $(TARGET_SRCS))))
NEWLIB      := $(BUILD)/newlib
LWIP        := $(BUILD)/lwip
# Headers that are made or fetched while building; their rules are in the *.mk of their folder.
GENERATED   := $(BUILD)/boot/dsdt.hex $(BUILD)/devices/status.hex $(LWIP)/COPYING
$(GENERATED): | setup

WARNINGS = -Wall -Wextra -Werror
INCLUDES = -I. -I$(BUILD) -Idevices/lwip -isystem $(LWIP)/src/include
# Padding in front of loops and functions would be 2 % of the image.
DENSE = -fno-align-jumps -fno-align-loops -fno-align-labels -falign-functions=4
# Only general registers: the guest's FPU and vector state survives exits unsaved. Hidden: no indirection through a GOT.
TARGET_CFLAGS = -std=gnu11 -O2 -g $(WARNINGS) -ffreestanding -fpic -fvisibility=hidden -fshort-wchar -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fno-omit-frame-pointer -momit-leaf-frame-pointer -maccumulate-outgoing-args -fcf-protection=none \
	-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -DGNU_EFI_USE_MS_ABI $(DENSE) \
	-nostdinc -isystem $(shell $(CC) -print-file-name=include) -isystem $(NEWLIB)/include $(INCLUDES) $(CFLAGS)
# On the path of every exit: without frames of their own. RBP stays the caller's, so that backtraces go on there.
HOT = exit exit_memory exit_io mmio_repeat cpuid_policy msr
$(HOT:%=$(BUILD)/target/arch/%.o): private HOT_CFLAGS = -fomit-frame-pointer -ffixed-rbp
# Runs once, or when somebody reads what it prints: small rather than fast.
COLD = $(addprefix arch/,host_cpu host_fault host_irq host_paging host_power host_table panic decode_reason ept exit_cr \
	exit_exception log symbols tsc vcpu vcpu_print vmcs vmx) mm/table mm/table_check mm/mtree \
	$(addprefix iommu/,vtd_fault vtd_print vtd_registers window_check) devices/virtio_pci devices/virtio_console devices/virtio_rng
$(BUILD)/target/boot/%.o $(BUILD)/target/tests/%.o $(COLD:%=$(BUILD)/target/%.o): private COLD_CFLAGS = -Os
# Firmware's headers are for the files that talk to firmware.
$(BUILD)/target/boot/main.o:  private EFI_CFLAGS = -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64
$(BUILD)/target/boot/efi_%.o: private EFI_CFLAGS = -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64

LDFLAGS = -shared -nostdlib -Bsymbolic -z noexecstack -z norelro --gc-sections --no-undefined --exclude-libs ALL \
	--build-id=none --fatal-warnings -T linker.ld
LDLIBS  = --start-group $(BUILD)/target/liblwip.a $(NEWLIB)/lib/libc.a $(EFI_LIB)/libgnuefi.a $(EFI_LIB)/libefi.a --end-group
PE_SECTIONS = .text .rodata .relro .rela .reloc .data .bss

image-efi: $(BUILD)/sluice.efi

# A PE file without a time stamp: the same sources give the same bytes.
$(BUILD)/sluice.efi: $(BUILD)/sluice.so
	$(call say,PE)
	$(Q)SOURCE_DATE_EPOCH=0 $(OBJCOPY) $(addprefix -j ,$(PE_SECTIONS)) --strip-all --target=efi-app-x86_64 --subsystem=10 $< $@

# Two passes: the table of symbols is made from the first, and must not move any code in the second.
$(BUILD)/sluice.so: $(BUILD)/symbols.o $(BUILD)/pass1.so
	$(call say,LD)
	$(Q)$(LD) $(LDFLAGS) $(EFI_LIB)/crt0-efi-x86_64.o $(TARGET_OBJS) $< $(LDLIBS) -o $@
	@! readelf -rW $@ | grep R_X86_64_ | grep -v R_X86_64_RELATIVE # the only kind that the start-up code applies
	@tools/symbols $@ | cmp -s - $(BUILD)/symbols.S || { echo "$@: the symbol table moved the code"; rm $@; exit 1; }

$(BUILD)/pass1.so: $(TARGET_OBJS) $(BUILD)/target/liblwip.a $(BUILD)/symbols0.o linker.ld
	$(call say,LD)
	$(Q)$(LD) $(LDFLAGS) $(EFI_LIB)/crt0-efi-x86_64.o $(TARGET_OBJS) $(BUILD)/symbols0.o $(LDLIBS) -o $@

$(BUILD)/symbols.S: $(BUILD)/pass1.so tools/symbols
	$(Q)tools/symbols $< >$@

$(BUILD)/symbols0.S: tools/symbols | $(BUILD)/target.flags
	$(Q)tools/symbols >$@

$(BUILD)/%.o: $(BUILD)/%.S
	$(Q)$(CC) -c $< -o $@

$(BUILD)/target/%.o: %.c $(BUILD)/target.flags | $(NEWLIB)/lib/libc.a $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TARGET_CFLAGS) $(EFI_CFLAGS) $(HOT_CFLAGS) $(COLD_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/target/%.o: %.S $(BUILD)/target.flags | $(NEWLIB)/lib/libc.a $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(TARGET_CFLAGS) -MMD -MP -c $< -o $@

$(NEWLIB)/lib/libc.a: tools/newlib | setup
	$(Q)tools/newlib $(NEWLIB)
	@touch -c $@

# Changes only when the flags or the list of files do: then everything is built again.
$(BUILD)/target.flags: force | setup
	@mkdir -p $(@D)
	@echo '$(CC) $(TARGET_CFLAGS) $(HOT) $(COLD) $(LDFLAGS) $(TARGET_SRCS)' | cmp -s - $@ || echo '$(CC) $(TARGET_CFLAGS) $(HOT) $(COLD) $(LDFLAGS) $(TARGET_SRCS)' >$@

# ---- Everything else --------------------------------------------------------------------------------------------------------
include $(wildcard boot/*.mk devices/*.mk tools/*.mk tests/*.mk)
-include $(TARGET_OBJS:.o=.d)

clean: ## remove $(BUILD)
	rm -rf $(BUILD)

help: ## this list
	@awk -f tools/help.awk $(MAKEFILE_LIST)

force:
.PHONY: all setup setup-network image-efi clean help force
