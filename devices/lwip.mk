# lwIP: Debian's source, compiled with the project's own flags and the port headers in devices/lwip/, for the hypervisor and for
# what runs on the host.
LWIP_SRCS := $(addprefix core/,def inet_chksum init ip mem memp netif pbuf tcp tcp_in tcp_out timeouts udp) \
	$(addprefix core/ipv4/,dhcp etharp icmp ip4 ip4_addr ip4_frag) \
	netif/ethernet netif/bridgeif netif/bridgeif_fdb apps/http/httpd apps/http/fs
# Its warnings are not ours to mend.
LWIP_CFLAGS = -w
# Runs now and then: small rather than fast.
LWIP_COLD = $(addprefix core/,init netif timeouts udp ipv4/dhcp ipv4/ip4_frag) apps/http/httpd apps/http/fs

$(LWIP)/COPYING: tools/lwip | setup
	$(Q)tools/lwip $(LWIP)
	@touch -c $@
$(patsubst %,$(LWIP)/src/%.c,$(LWIP_SRCS)): | $(LWIP)/COPYING ;

# $(call lwip_objects,FOLDER,COMPILER AND FLAGS,WORD)
define lwip_objects
$$(BUILD)/$1/lwip/%.o: $$(LWIP)/src/%.c devices/lwip.mk | $$(GENERATED)
	@mkdir -p $$(@D)
	$$(call say,$3)
	$$(Q)$2 $$(LWIP_CFLAGS) -MD -MP -c $$< -o $$@
-include $(patsubst %,$(BUILD)/$1/lwip/%.d,$(LWIP_SRCS))
endef
lwip_list = $(patsubst %,$(BUILD)/$1/lwip/%.o,$(LWIP_SRCS))

$(eval $(call lwip_objects,target,$$(CC) $$(TARGET_CFLAGS) $$(COLD_CFLAGS),CC))
$(call lwip_list,target): $(BUILD)/target.flags | $(NEWLIB)/lib/libc.a
$(LWIP_COLD:%=$(BUILD)/target/lwip/%.o): private COLD_CFLAGS = -Os
$(BUILD)/target/liblwip.a: $(call lwip_list,target)
	@rm -f $@
	$(call say,AR)
	$(Q)ar rcsDP $@ $^

# On x86 any address is aligned; lwIP relies on it.
$(eval $(call lwip_objects,unit,$$(UNIT_CC) $$(HOST_CFLAGS) -fno-sanitize=alignment,CC))
$(eval $(call lwip_objects,fuzz,$$(FUZZ_CC) $$(HOST_CFLAGS) -fno-sanitize=alignment,CLANG))
$(eval $(call lwip_objects,host,$$(CC) -O2 $$(HOST_CFLAGS),CC))

# gcc takes what a system's header includes for the system's: -MMD does not list the port headers.
$(foreach build,target unit fuzz host,$(addprefix $(BUILD)/$(build)/devices/,network.o network_lease.o network_sum.o http.o)): \
	$(wildcard devices/lwip/*.h devices/lwip/arch/*.h)
