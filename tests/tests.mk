# What is built for and runs on the host: unit tests, fuzz targets, the library of the memory core, static checks.

# The sources that know no hardware: whole folders, and of arch/ and boot/ those named here.
HOST_SRCS := $(wildcard mm/*.c iommu/*.c devices/*.c \
	$(addprefix arch/,decode*.c emulate*.c guest_walk*.c lapic*.c policy*.c host_table.c page_alloc.c symbols.c text_ring.c) \
	$(addprefix boot/,config*.c image*.c acpi*.c e820*.c))
# What tests share stands beside them, without test_ or fuzz_ in its name.
UNIT_SHARED := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
HOST_CFLAGS = -std=gnu11 -g $(WARNINGS) $(INCLUDES) $(CFLAGS)
SANITIZE    = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# $(call host_objects,FOLDER,COMPILER AND FLAGS,WORD): a rule that compiles for one purpose below $(BUILD)/FOLDER.
define host_objects
$$(BUILD)/$1/%.o: %.c Makefile tests/tests.mk | setup $$(GENERATED)
	@mkdir -p $$(@D)
	$$(call say,$3)
	$$(Q)$2 $$(HOST_CFLAGS) -MMD -MP -c $$< -o $$@
-include $(addprefix $(BUILD)/$1/,$(HOST_SRCS:.c=.d) $(patsubst %.c,%.d,$(wildcard tests/unit/*.c tests/fuzz/*.c tests/bench/*.c)))
endef

# ---- Unit tests: one cmocka program each ------------------------------------------------------------------------------------
UNIT_CC    = $(CC) -O1 $(SANITIZE)
UNIT_TESTS := $(addprefix $(BUILD)/,$(patsubst %.c,%,$(wildcard tests/unit/test_*.c)))
# What runs beside them in other builds or as programs of their own, tests/mm.mk.
UNIT_TESTS += $(MM_TESTS)
$(eval $(call host_objects,unit,$$(UNIT_CC),CC))

$(BUILD)/unit/libsluice.a: $(addprefix $(BUILD)/unit/,$(HOST_SRCS:.c=.o) $(UNIT_SHARED:.c=.o)) $(call lwip_list,unit)
	@rm -f $@
	@ar rcsP $@ $^

$(BUILD)/tests/unit/test_%: $(BUILD)/unit/tests/unit/test_%.o $(BUILD)/unit/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(UNIT_CC) $^ -lcmocka -lZydis -o $@

#= TEST a part of the names of the unit tests to run (all)
unit: $(UNIT_TESTS) ## build and run the unit tests under ASan and UBSan
	@tests/run unit $(if $(TEST),$(foreach test,$(UNIT_TESTS),$(if $(findstring $(TEST),$(test)),$(test))),$(UNIT_TESTS))

# ---- Fuzzing ----------------------------------------------------------------------------------------------------------------
FUZZ_CC    = clang -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FUZZ_ALL   := $(addprefix $(BUILD)/,$(patsubst %.c,%,$(wildcard tests/fuzz/fuzz_*.c)))
$(eval $(call host_objects,fuzz,$$(FUZZ_CC),CLANG))

$(BUILD)/fuzz/libsluice.a: $(addprefix $(BUILD)/fuzz/,$(HOST_SRCS:.c=.o) $(UNIT_SHARED:.c=.o)) $(call lwip_list,fuzz)
	@rm -f $@
	@ar rcsP $@ $^

$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/fuzz/tests/fuzz/fuzz_%.o $(BUILD)/fuzz/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)clang -fsanitize=fuzzer,address,undefined $^ -lZydis -o $@

#= FUZZ one fuzz target, without fuzz_ (all)
#= SECONDS how long each target is fuzzed (60)
fuzz: $(FUZZ_ALL) ## run the fuzz targets, FUZZ=name for one, for SECONDS each
	@tests/run fuzz $(or $(SECONDS),60) $(if $(FUZZ),$(BUILD)/tests/fuzz/fuzz_$(FUZZ),$(FUZZ_ALL))

# ---- The memory core as a library for the host ------------------------------------------------------------------------------
LIB_SRCS := $(wildcard mm/*.c iommu/fault.c iommu/iotlb.c iommu/window*.c)
$(eval $(call host_objects,host,$$(CC) -O2,CC))

lib: $(BUILD)/libsluice-mm.a ## build the memory core for the host: $(BUILD)/libsluice-mm.a

$(BUILD)/libsluice-mm.a: $(addprefix $(BUILD)/host/,$(LIB_SRCS:.c=.o))
	@rm -f $@
	$(call say,AR)
	$(Q)ar rcsDP $@ $^

# ---- Static checks ----------------------------------------------------------------------------------------------------------
lint: $(GENERATED) $(NEWLIB)/lib/libc.a ## shellcheck, cppcheck, clang-format, clang-tidy (slow at first); every header compiles alone
	@tests/run lint

# ---- All of it --------------------------------------------------------------------------------------------------------------
selftest: $(BUILD)/sluice.efi ## boot the hypervisor's own self-tests in an emulator
	@tests/run selftest

test: all $(UNIT_TESTS) $(BUILD)/test-initrd $(BUILD)/initrd $(BUILD)/root ## run every test, about 13 minutes on two idle CPUs; ends with `N passed, N failed`
	@tests/run all

#= HOST_SUITES of `make test`, on the host (unit checks reproducible)
#= EMULATOR_SUITES of `make test`, in an emulator (selftest linux iommu console network protocols refusals)
HOST_SUITES     ?= unit checks reproducible
EMULATOR_SUITES ?= selftest linux iommu console network protocols refusals
ifneq ($(filter network,$(EMULATOR_SUITES)),)
test: | setup-network
endif
test: export HOST_SUITES := $(HOST_SUITES)
test: export EMULATOR_SUITES := $(EMULATOR_SUITES)
test: export UNIT_TESTS := $(UNIT_TESTS)
test lint: export LINT_CFLAGS = $(TARGET_CFLAGS) -isystem $(EFI_INC) -isystem $(EFI_INC)/x86_64
unit fuzz lint selftest test: export BUILD := $(BUILD)

# ---- Measuring --------------------------------------------------------------------------------------------------------------
# bench_qemu.c is not ours to build: tools/bench-qemu puts it into QEMU.
BENCH_SRCS  := $(filter-out tests/bench/bench_qemu.c,$(wildcard tests/bench/bench_*.c))
BENCH_SHARED := $(filter-out tests/bench/bench_% tests/bench/bare_boot.c tests/bench/boot_init.c,$(wildcard tests/bench/*.c))
BENCHES     := $(addprefix $(BUILD)/,$(BENCH_SRCS:.c=))

$(BUILD)/host/libsluice.a: $(addprefix $(BUILD)/host/,$(HOST_SRCS:.c=.o) $(BENCH_SHARED:.c=.o) tests/unit/host_log.o) $(call lwip_list,host)
	@rm -f $@
	@ar rcsP $@ $^

$(BUILD)/tests/bench/bench_%: $(BUILD)/host/tests/bench/bench_%.o $(BUILD)/host/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $^ -o $@

#= ONLY a part of the names of the benchmarks to run (all)
bench: all $(BENCHES) ## measure, into $(BUILD)/bench.tsv, and show it beside the peers' figures
	@BUILD=$(BUILD) ONLY='$(ONLY)' tests/bench/run $(BENCHES)

.PHONY: unit fuzz lib lint selftest test bench
