# The status page as bytes for status.c, compressed: no name and no time in it, so that the same page gives the same bytes.

$(BUILD)/devices/status.hex: devices/status.html devices/status.mk
	@mkdir -p $(@D)
	$(call say,GZIP)
	$(Q)gzip -9nc $< | od -An -v -tx1 | sed 's/ \(..\)/0x\1,/g' >$@
