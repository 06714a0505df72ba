# Tests of the memory core that are more than a unit test under ASan: the same programs in other builds, the tools and examples
# that are made of its library, and its coverage.

MM_TESTS := $(addprefix $(BUILD)/tests/unit/,bulk_mm bulk_iommu tsan_mm_stress tsan_vtd_stress region_map) $(BUILD)/example-vmm

# ---- The bulk of the differential tests: without sanitizers, millions of operations ------------------------------------------
$(BUILD)/tests/unit/bulk_%: $(BUILD)/host/tests/unit/test_%_differential.o \
		$(patsubst %.c,$(BUILD)/host/%.o,$(wildcard tests/unit/naive_*.c) tests/unit/differential.c) $(BUILD)/host/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $^ -lcmocka -o $@

#= SEED of one trial of the differential tests, to repeat a failure (all of them)
#= OPERATIONS of the differential tests in all; 0: without end
differential: $(BUILD)/tests/unit/bulk_mm $(BUILD)/tests/unit/bulk_iommu ## hold the memory core to its naive model: SEED=n, OPERATIONS=n
	@for test in $^; do $(if $(SEED),SEED=$(SEED)) $(if $(OPERATIONS),OPERATIONS=$(OPERATIONS)) $$test || exit 1; done

# ---- Memory that runs out ----------------------------------------------------------------------------------------------------
WRAP = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
$(BUILD)/tests/unit/test_mm_rare:       private UNIT_CC  += $(WRAP)
$(BUILD)/cover/tests/unit/test_mm_rare: private COVER_CC += $(WRAP)

# ---- Readers and a writer under ThreadSanitizer ------------------------------------------------------------------------------
TSAN_CC = $(CC) -O1 -fsanitize=thread -fno-omit-frame-pointer
TSAN_OBJS = $(addprefix $(BUILD)/tsan/,$(patsubst %.c,%.o,$(wildcard mm/*.c iommu/*.c)) tests/unit/host_log.o)

$(BUILD)/tsan/%.o: %.c Makefile tests/mm.mk | setup
	@mkdir -p $(@D)
	$(call say,TSAN)
	$(Q)$(TSAN_CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@
-include $(TSAN_OBJS:.o=.d) $(addprefix $(BUILD)/tsan/tests/unit/,test_mm_stress.d test_vtd_stress.d)

$(BUILD)/tests/unit/tsan_%: $(BUILD)/tsan/tests/unit/test_%.o $(TSAN_OBJS)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(TSAN_CC) $^ -lcmocka -lpthread -o $@

tsan: $(addprefix $(BUILD)/tests/unit/,tsan_mm_stress tsan_vtd_stress) ## readers beside a writer, devices beside their driver, under ThreadSanitizer
	@for test in $^; do $$test || exit 1; done

# ---- The tool that checks and draws the boards' tables -----------------------------------------------------------------------
BOARDS := $(wildcard boot/board_*.c)
# Of the boards only their tables are linked: nothing else of them is reached from there.
SECTIONS = -ffunction-sections -fdata-sections -fno-pie

$(BUILD)/map/boot/%.o: boot/%.c Makefile tests/mm.mk | setup $(GENERATED)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -O1 $(HOST_CFLAGS) $(SECTIONS) -MMD -MP -c $< -o $@
-include $(patsubst %.c,$(BUILD)/map/%.d,$(BOARDS))

# Every `const struct region_table` that a board exports.
$(BUILD)/map/tables.c: $(BOARDS) tests/mm.mk
	@mkdir -p $(@D)
	@sed -n 's/^const struct region_table \([a-z0-9_]*\).*/\1/p' $(BOARDS) | awk ' \
		{ print "extern const struct region_table " $$1 ";"; list = list "&" $$1 ", " } \
		BEGIN { print "#include \"tools/region-map.h\"" } \
		END { print "const struct region_table *const region_map_tables[] = { " list "NULL };" }' >$@

$(BUILD)/map/tables.o: $(BUILD)/map/tables.c
	$(Q)$(CC) -O1 $(HOST_CFLAGS) -c $< -o $@

$(BUILD)/region-map: $(BUILD)/host/tools/region-map.o $(BUILD)/map/tables.o $(patsubst %.c,$(BUILD)/map/%.o,$(BOARDS)) \
		$(BUILD)/host/libsluice.a
	$(call say,LD)
	$(Q)$(CC) -no-pie -Wl,--gc-sections $^ -o $@

$(BUILD)/region-map-broken: $(BUILD)/host/tools/region-map.o $(BUILD)/host/tests/example/broken_table.o $(BUILD)/libsluice-mm.a
	$(call say,LD)
	$(Q)$(CC) $^ -o $@

$(BUILD)/tests/unit/region_map: tests/unit/region_map.sh $(BUILD)/region-map $(BUILD)/region-map-broken
	@mkdir -p $(@D)
	@cp $< $@

region-map: $(BUILD)/region-map ## check the boards' tables, print their maps; a picture: $(BUILD)/region-map.svg
	@$< --svg $(BUILD)/region-map.svg

# ---- An example of what the library is for -----------------------------------------------------------------------------------
$(BUILD)/example-vmm: $(BUILD)/host/tests/example/vmm.o $(BUILD)/libsluice-mm.a
	$(call say,LD)
	$(Q)$(CC) $^ -o $@

# ---- Coverage of mm/ and iommu/ by the unit tests ----------------------------------------------------------------------------
COVER_CC    = $(CC) -O0 --coverage -DNDEBUG -DCOVERAGE
COVER_TESTS := $(filter-out %_stress,$(patsubst %.c,%,$(wildcard $(addprefix tests/unit/,test_region*.c \
	test_flatview*.c test_space*.c test_map*.c test_dirty*.c test_iommu*.c test_table*.c test_dispatch*.c test_doorbell*.c \
	test_core*.c test_mtree*.c test_iotlb*.c test_window*.c test_fault*.c test_listener*.c test_vtd*.c test_mm*.c))))
COVER_OBJS  := $(addprefix $(BUILD)/cover/,$(patsubst %.c,%.o,$(wildcard mm/*.c iommu/*.c)))

$(BUILD)/cover/%.o: %.c Makefile tests/mm.mk | setup
	@mkdir -p $(@D)
	$(call say,COVER)
	$(Q)$(COVER_CC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@
-include $(COVER_OBJS:.o=.d) $(wildcard $(BUILD)/cover/tests/unit/*.d $(BUILD)/cover/devices/*.d)

$(BUILD)/cover/tests/unit/test_%: $(BUILD)/cover/tests/unit/test_%.o $(BUILD)/cover/tests/unit/host_log.o $(COVER_OBJS)
	$(call say,LD)
	$(Q)$(COVER_CC) $^ -lcmocka -o $@

# The differential tests reach combinations that nobody would think of; a few of their trials are enough.
COVER_NAIVE := $(patsubst %.c,$(BUILD)/cover/%.o,$(wildcard tests/unit/naive_*.c tests/unit/vtd_play*.c) tests/unit/differential.c \
	devices/dma.c)
$(patsubst %,$(BUILD)/cover/tests/unit/test_%_differential,mm iommu vtd): $(COVER_NAIVE)

coverage: export OPERATIONS := 40000
coverage: $(addprefix $(BUILD)/cover/,$(COVER_TESTS)) ## lines and branches of mm/ and iommu/ that the unit tests reach: gcovr's report
	@find $(BUILD)/cover -name '*.gcda' -delete
	@for test in $^; do $$test >$$test.log 2>&1 || { cat $$test.log; exit 1; }; done
	@gcovr --root . --filter 'mm/' --filter 'iommu/' --object-directory $(BUILD)/cover \
		--exclude-throw-branches --txt $(BUILD)/coverage.txt --html-details $(BUILD)/cover/index.html --print-summary $(BUILD)/cover
	@cat $(BUILD)/coverage.txt

# ---- QEMU's memory core, measured alike --------------------------------------------------------------------------------------
bench-qemu: $(BUILD)/tests/bench/bench_mm ## build QEMU's memory core with the same measurement; both columns side by side
	@tools/bench-qemu $(BUILD)/qemu $<
	@awk -f tests/bench/ratios.awk $(BUILD)/qemu/qemu.tsv $(BUILD)/qemu/sluice.tsv

.PHONY: differential tsan region-map coverage bench-qemu
