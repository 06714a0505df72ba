# The malformed configurations and images of tests/bad-input/cases.h as files: $(BUILD)/bad-input/{config,image}-NAME, each with
# the message that it must give in NAME.message.

$(BUILD)/bad-input/generate: tests/bad-input/generate.c $(wildcard tests/bad-input/*.h)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -O1 $(HOST_CFLAGS) $< -o $@

bad-input: $(BUILD)/bad-input/generate ## write the malformed inputs to $(BUILD)/bad-input
	$(Q)$< $(<D)

test: bad-input

.PHONY: bad-input
