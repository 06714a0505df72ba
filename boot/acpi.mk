# The DSDT: dsdt.asl through the C preprocessor (iasl's own has no macros with arguments), then iasl, which writes the table as
# a C array into boot/dsdt.hex below the build directory: acpi.c includes it as "boot/dsdt.hex", so $(BUILD) must be in
# the include path. iasl's remarks are errors: -we.

$(BUILD)/boot/dsdt.hex: boot/dsdt.asl
	@mkdir -p $(@D)
	$(call say,IASL)
	$(Q)$(CC) -E -P -x c -o $(BUILD)/boot/dsdt.i $<
	$(Q)iasl -tc -we -vs -p $(BUILD)/boot/dsdt $(BUILD)/boot/dsdt.i > $(BUILD)/boot/dsdt.log || { cat $(BUILD)/boot/dsdt.log; exit 1; }
