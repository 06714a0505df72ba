// SPDX-License-Identifier: BSD-2-Clause
/*
 * Port accesses: dispatched through the machine's port space as memory accesses are through its memory space.
 */
#include "arch/vcpu_internal.h"

/* Exit qualification: SDM vol. 3, table 27-5. */
#define IO_SIZE(q) (((q)&7) + 1)
#define IO_IN	   BIT(3)
#define IO_STRING  BIT(4)
#define IO_PORT(q) ((q) >> 16 & 0xffff)

/* False: the instruction must not be completed. */
static bool settle(struct vcpu *vcpu, enum mem_result result, u64 port)
{
	return likely(result == MEM_OK) || vcpu_settle_unclaimed(vcpu, vcpu->vm->config.ports, port, result);
}

void exit_io(struct vcpu *vcpu)
{
	const struct address_space *ports = vcpu->vm->config.ports;
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	unsigned size = IO_SIZE(qualification);
	u64 port = IO_PORT(qualification), value;

	if (unlikely(qualification & IO_STRING)) {
		vcpu_emulate_port_string(vcpu);
		return;
	}
	if (qualification & IO_IN) {
		if (!settle(vcpu, as_load(ports, &vcpu->port_cache, port, size, &value), port))
			return;
		/* A 32-bit result clears the upper half, shorter ones leave the rest of RAX alone. */
		u64 kept = size == 4 ? 0 : vcpu->gpr[RAX] & ~mem_size_mask(size);
		vcpu->gpr[RAX] = kept | value;
	} else {
		value = vcpu->gpr[RAX] & mem_size_mask(size);
		if (!settle(vcpu, as_store(ports, &vcpu->port_cache, port, size, value), port))
			return;
	}
	vcpu_skip_instruction(vcpu);
}
