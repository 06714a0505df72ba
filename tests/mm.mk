# Tests of the memory core that are more than a unit test under ASan: the same programs in other builds, the tools and examples
# that are made of its library, and its coverage.

MM_TESTS := $(BUILD)/tests/unit/bulk_mm $(BUILD)/tests/unit/bulk_iommu $(BUILD)/tests/unit/tsan_mm_stress

# ---- The bulk of the differential tests: without sanitizers, millions of operations ------------------------------------------
$(BUILD)/tests/unit/bulk_%: $(BUILD)/host/tests/unit/test_%_differential.o \
		$(patsubst %,$(BUILD)/host/tests/unit/%.o,naive_space naive_script differential) $(BUILD)/host/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $^ -lcmocka -o $@

#= SEED of one trial of the differential tests, to repeat a failure (all of them)
#= OPERATIONS of the differential tests in all; 0: without end
differential: $(BUILD)/tests/unit/bulk_mm $(BUILD)/tests/unit/bulk_iommu ## hold the memory core to its naive model: SEED=n, OPERATIONS=n
	@for test in $^; do $(if $(SEED),SEED=$(SEED)) $(if $(OPERATIONS),OPERATIONS=$(OPERATIONS)) $$test || exit 1; done

# ---- Readers and a writer under ThreadSanitizer ------------------------------------------------------------------------------
TSAN_CC = $(CC) -O1 -fsanitize=thread
TSAN_OBJS = $(addprefix $(BUILD)/tsan/,$(patsubst %.c,%.o,$(wildcard mm/*.c)) tests/unit/test_mm_stress.o tests/unit/host_log.o)

$(BUILD)/tsan/%.o: %.c Makefile tests/mm.mk | setup
	@mkdir -p $(@D)
	$(call say,TSAN)
	$(Q)$(TSAN_CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@
-include $(TSAN_OBJS:.o=.d)

$(BUILD)/tests/unit/tsan_mm_stress: $(TSAN_OBJS)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(TSAN_CC) $^ -lcmocka -lpthread -o $@

tsan: $(BUILD)/tests/unit/tsan_mm_stress ## readers beside a writer under ThreadSanitizer
	@$<

# ---- QEMU's memory core, measured alike --------------------------------------------------------------------------------------
bench-qemu: $(BUILD)/tests/bench/bench_mm ## build QEMU's memory core with the same measurement; both columns side by side
	@tools/bench-qemu $(BUILD)/qemu >/dev/null
	@$< >$(BUILD)/qemu/sluice.tsv
	@awk -f tests/bench/ratios.awk $(BUILD)/qemu/qemu.tsv $(BUILD)/qemu/sluice.tsv

.PHONY: differential tsan bench-qemu
