// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/zydis_oracle.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <string.h>

struct sample {
	enum cpu_mode mode;
	u8 bytes[INSN_BUFFER];
	enum insn_result result;
	struct insn insn;
	bool valid; /* for Zydis */
	ZydisDecodedInstruction oracle;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	bool agrees;
};

static void fail(struct sample *sample, const char *what, u64 ours, u64 theirs)
{
	if (!sample->agrees)
		return; /* the first difference is the one to look at */
	sample->agrees = false;
	fprintf(stderr, "%d-bit:", 16 << sample->mode);
	for (unsigned i = 0; i < INSN_MAX_LENGTH; i++)
		fprintf(stderr, " %02x", sample->bytes[i]);
	fprintf(stderr, "\n%s: %s %llx, expected %llx (result %d)\n",
		sample->valid ? ZydisMnemonicGetString(sample->oracle.mnemonic) : "invalid", what,
		(unsigned long long)ours, (unsigned long long)theirs, sample->result);
}

#define EXPECT(ours, theirs)                               \
	do {                                               \
		if ((u64)(ours) != (u64)(theirs))          \
			fail(sample, #ours, ours, theirs); \
	} while (0)

static const struct {
	ZydisMnemonic mnemonic;
	enum insn_op op;
} mnemonics[] = {
	{ ZYDIS_MNEMONIC_ADD, INSN_ADD },
	{ ZYDIS_MNEMONIC_OR, INSN_OR },
	{ ZYDIS_MNEMONIC_ADC, INSN_ADC },
	{ ZYDIS_MNEMONIC_SBB, INSN_SBB },
	{ ZYDIS_MNEMONIC_AND, INSN_AND },
	{ ZYDIS_MNEMONIC_SUB, INSN_SUB },
	{ ZYDIS_MNEMONIC_XOR, INSN_XOR },
	{ ZYDIS_MNEMONIC_CMP, INSN_CMP },
	{ ZYDIS_MNEMONIC_BT, INSN_BT },
	{ ZYDIS_MNEMONIC_BTS, INSN_BTS },
	{ ZYDIS_MNEMONIC_BTR, INSN_BTR },
	{ ZYDIS_MNEMONIC_BTC, INSN_BTC },
	{ ZYDIS_MNEMONIC_TEST, INSN_TEST },
	{ ZYDIS_MNEMONIC_NOT, INSN_NOT },
	{ ZYDIS_MNEMONIC_NEG, INSN_NEG },
	{ ZYDIS_MNEMONIC_INC, INSN_INC },
	{ ZYDIS_MNEMONIC_DEC, INSN_DEC },
	{ ZYDIS_MNEMONIC_MOV, INSN_MOV },
	{ ZYDIS_MNEMONIC_MOVNTI, INSN_MOV },
	{ ZYDIS_MNEMONIC_MOVZX, INSN_MOVZX },
	{ ZYDIS_MNEMONIC_MOVSX, INSN_MOVSX },
	{ ZYDIS_MNEMONIC_MOVSXD, INSN_MOVSX },
	{ ZYDIS_MNEMONIC_MOVBE, INSN_MOVBE },
	{ ZYDIS_MNEMONIC_XCHG, INSN_XCHG },
	{ ZYDIS_MNEMONIC_XADD, INSN_XADD },
	{ ZYDIS_MNEMONIC_CMPXCHG, INSN_CMPXCHG },
	{ ZYDIS_MNEMONIC_CMPXCHG8B, INSN_CMPXCHG8B },
	{ ZYDIS_MNEMONIC_MOVSB, INSN_MOVS },
	{ ZYDIS_MNEMONIC_MOVSW, INSN_MOVS },
	{ ZYDIS_MNEMONIC_MOVSD, INSN_MOVS },
	{ ZYDIS_MNEMONIC_MOVSQ, INSN_MOVS },
	{ ZYDIS_MNEMONIC_CMPSB, INSN_CMPS },
	{ ZYDIS_MNEMONIC_CMPSW, INSN_CMPS },
	{ ZYDIS_MNEMONIC_CMPSD, INSN_CMPS },
	{ ZYDIS_MNEMONIC_CMPSQ, INSN_CMPS },
	{ ZYDIS_MNEMONIC_STOSB, INSN_STOS },
	{ ZYDIS_MNEMONIC_STOSW, INSN_STOS },
	{ ZYDIS_MNEMONIC_STOSD, INSN_STOS },
	{ ZYDIS_MNEMONIC_STOSQ, INSN_STOS },
	{ ZYDIS_MNEMONIC_LODSB, INSN_LODS },
	{ ZYDIS_MNEMONIC_LODSW, INSN_LODS },
	{ ZYDIS_MNEMONIC_LODSD, INSN_LODS },
	{ ZYDIS_MNEMONIC_LODSQ, INSN_LODS },
	{ ZYDIS_MNEMONIC_SCASB, INSN_SCAS },
	{ ZYDIS_MNEMONIC_SCASW, INSN_SCAS },
	{ ZYDIS_MNEMONIC_SCASD, INSN_SCAS },
	{ ZYDIS_MNEMONIC_SCASQ, INSN_SCAS },
	{ ZYDIS_MNEMONIC_INSB, INSN_INS },
	{ ZYDIS_MNEMONIC_INSW, INSN_INS },
	{ ZYDIS_MNEMONIC_INSD, INSN_INS },
	{ ZYDIS_MNEMONIC_OUTSB, INSN_OUTS },
	{ ZYDIS_MNEMONIC_OUTSW, INSN_OUTS },
	{ ZYDIS_MNEMONIC_OUTSD, INSN_OUTS },
	{ ZYDIS_MNEMONIC_NOP, INSN_NOP },
	{ ZYDIS_MNEMONIC_PREFETCH, INSN_NOP },
	{ ZYDIS_MNEMONIC_PREFETCHW, INSN_NOP },
	{ ZYDIS_MNEMONIC_PREFETCHWT1, INSN_NOP },
	{ ZYDIS_MNEMONIC_PREFETCHNTA, INSN_NOP },
	{ ZYDIS_MNEMONIC_PREFETCHT0, INSN_NOP },
	{ ZYDIS_MNEMONIC_PREFETCHT1, INSN_NOP },
	{ ZYDIS_MNEMONIC_PREFETCHT2, INSN_NOP },
	{ ZYDIS_MNEMONIC_CLFLUSH, INSN_NOP },
	{ ZYDIS_MNEMONIC_CLFLUSHOPT, INSN_NOP },
	{ ZYDIS_MNEMONIC_CLWB, INSN_NOP },
};

static enum insn_op op_of(const struct sample *sample)
{
	for (unsigned i = 0; i < ARRAY_SIZE(mnemonics); i++)
		if (mnemonics[i].mnemonic == sample->oracle.mnemonic)
			return mnemonics[i].op;
	return INSN_OP_COUNT;
}

/* A general register's number as struct insn has it; RIP and none likewise. */
static u8 register_number(ZydisRegister reg)
{
	if (reg == ZYDIS_REGISTER_NONE)
		return INSN_NO_REG;
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		return INSN_BASE_RIP;
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		return INSN_HIGH_BYTE + reg - ZYDIS_REGISTER_AH;
	if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B)
		return RSP + reg - ZYDIS_REGISTER_SPL;
	return ZydisRegisterGetId(reg);
}

static u64 truncate(u64 value, unsigned bytes)
{
	return value & (~0ull >> (64 - 8 * bytes));
}

static void check_memory(struct sample *sample, const ZydisDecodedOperand *operand)
{
	const struct insn *insn = &sample->insn;
	u8 base = register_number(operand->mem.base);
	u64 displacement = operand->mem.disp.value;
	unsigned actions = 0;

	if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ)
		actions |= INSN_READS;
	if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		actions |= INSN_WRITES;
	if (insn->op != INSN_NOP) {
		EXPECT(insn->access, actions);
		EXPECT(insn->memory_size * 8, operand->size);
	} else {
		EXPECT(insn->access, 0);
		EXPECT(insn->memory_size, 0);
	}
	EXPECT(insn->segment, ZydisRegisterGetId(operand->mem.segment));
	/*
	 * Zydis 4.0 shows base R13D and no displacement where SIB has no base, REX.B is set and addresses are 32 bits.
	 * SDM table 2-5 and objdump: no base, and its own `raw` has the displacement.
	 */
	if (operand->mem.base == ZYDIS_REGISTER_R13D && sample->oracle.raw.modrm.mod == 0) {
		base = INSN_NO_REG;
		displacement = sample->oracle.raw.disp.value;
	}
	EXPECT(insn->base, base);
	EXPECT(insn->index, register_number(operand->mem.index));
	if (insn->index != INSN_NO_REG)
		EXPECT(1 << insn->scale, MAX(operand->mem.scale, 1));
	EXPECT(truncate(insn->displacement, insn->address_size), truncate(displacement, insn->address_size));
}

/* Two implicit operands at most; the one at rDI gives `access`, the one at rSI the segment. */
static void check_string(struct sample *sample)
{
	const struct insn *insn = &sample->insn;
	ZydisInstructionAttributes rep = sample->oracle.attributes;
	unsigned expected = INSN_REP_NONE;

	for (unsigned i = 0; i < sample->oracle.operand_count; i++) {
		const ZydisDecodedOperand *operand = &sample->operands[i];
		unsigned actions =
			operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? INSN_WRITES : INSN_READS;

		if (operand->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		EXPECT(insn->memory_size * 8, operand->size);
		if (ZydisRegisterGetId(operand->mem.base) == RSI) {
			EXPECT(insn->segment, ZydisRegisterGetId(operand->mem.segment));
			EXPECT(actions, INSN_READS);
			if (insn->op == INSN_LODS || insn->op == INSN_OUTS)
				EXPECT(insn->access, actions);
		} else {
			EXPECT(ZydisRegisterGetId(operand->mem.base), RDI);
			EXPECT(ZydisRegisterGetId(operand->mem.segment), SEG_ES);
			EXPECT(insn->access, actions);
		}
	}
	if (rep & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
		expected = INSN_REP;
	if (rep & ZYDIS_ATTRIB_HAS_REPNE)
		expected = INSN_REPNE;
	/* Of those that do not look at ZF, F2 is the same as F3; Zydis calls it an ignored prefix. */
	if (expected || insn->op == INSN_CMPS || insn->op == INSN_SCAS)
		EXPECT(insn->rep, expected);
}

static void check_supported(struct sample *sample)
{
	const struct insn *insn = &sample->insn;
	unsigned memories = 0, width;

	EXPECT(insn->op, op_of(sample));
	EXPECT(insn->length, sample->oracle.length);
	EXPECT(insn->address_size * 8, sample->oracle.address_width);
	EXPECT(insn->lock, !!(sample->oracle.attributes & ZYDIS_ATTRIB_HAS_LOCK));
	if (insn->form == INSN_STRING) {
		check_string(sample);
		return;
	}
	EXPECT(insn->rep, INSN_REP_NONE);
	for (unsigned i = 0; i < sample->oracle.operand_count_visible; i++) {
		const ZydisDecodedOperand *operand = &sample->operands[i];

		switch (operand->type) {
		case ZYDIS_OPERAND_TYPE_MEMORY:
			check_memory(sample, operand);
			memories++;
			break;
		case ZYDIS_OPERAND_TYPE_REGISTER:
			if (insn->op == INSN_NOP)
				break;
			EXPECT(insn->form, i == 0 ? INSN_REG_RM : INSN_RM_REG);
			EXPECT(insn->reg, register_number(operand->reg.value));
			EXPECT(insn->operand_size * 8, operand->size);
			break;
		case ZYDIS_OPERAND_TYPE_IMMEDIATE:
			EXPECT(insn->form, INSN_RM_IMM);
			/* A bit's number has no sign, of which only the low bits are used. */
			width = insn->op >= INSN_BT && insn->op <= INSN_BTC ? 1 : insn->operand_size;
			EXPECT(truncate(insn->immediate, width), truncate(operand->imm.value.u, width));
			break;
		default:
			fail(sample, "operand type", operand->type, 0);
		}
	}
	EXPECT(memories, 1);
	if (insn->op != INSN_NOP && insn->form != INSN_REG_RM)
		EXPECT(insn->operand_size, insn->memory_size);
}

/* Would a device driver expect us to carry out what Zydis sees? */
static bool should_be_supported(const struct sample *sample)
{
	bool touches_memory = false;

	/* 82: an alias of 80 that no assembler emits. */
	if (op_of(sample) == INSN_OP_COUNT || sample->oracle.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
	    (sample->oracle.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && sample->oracle.opcode == 0x82))
		return false;
	if (sample->oracle.mnemonic == ZYDIS_MNEMONIC_MOVNTI && sample->mode != CPU_MODE_64)
		return false; /* its operand size follows other rules there */
	if (sample->oracle.mnemonic == ZYDIS_MNEMONIC_MOVSXD && sample->insn.prefix)
		return false; /* 66: processors differ in how much they read */
	for (unsigned i = 0; i < sample->oracle.operand_count; i++) {
		const ZydisDecodedOperand *operand = &sample->operands[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    ZydisRegisterGetClass(operand->reg.value) != ZYDIS_REGCLASS_GPR8 &&
		    ZydisRegisterGetClass(operand->reg.value) != ZYDIS_REGCLASS_GPR16 &&
		    ZydisRegisterGetClass(operand->reg.value) != ZYDIS_REGCLASS_GPR32 &&
		    ZydisRegisterGetClass(operand->reg.value) != ZYDIS_REGCLASS_GPR64 &&
		    ZydisRegisterGetClass(operand->reg.value) != ZYDIS_REGCLASS_FLAGS)
			return false;
		touches_memory |= operand->type == ZYDIS_OPERAND_TYPE_MEMORY && op_of(sample) != INSN_NOP;
	}
	return touches_memory;
}

/* The verdict on a prefix of the stream may not depend on what lies behind it. */
static void check_cuts(struct sample *sample)
{
	static const u8 fillers[] = { 0x00, 0x66, 0xf0, 0xff };

	for (unsigned cut = 0; cut < sample->insn.length; cut++) {
		u8 bytes[INSN_BUFFER];
		struct insn insn;

		memset(bytes, fillers[cut & 3], sizeof(bytes));
		memcpy(bytes, sample->bytes, cut);
		EXPECT(insn_decode(&insn, bytes, cut, sample->mode), INSN_MORE);
	}
}

bool zydis_agrees(const u8 bytes[INSN_BUFFER], enum cpu_mode mode)
{
	static const struct {
		ZydisMachineMode machine;
		ZydisStackWidth stack;
	} modes[] = {
		[CPU_MODE_16] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
		[CPU_MODE_32] = { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
		[CPU_MODE_64] = { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
	};
	struct sample whole, *sample = &whole;
	ZydisDecoder decoder;
	char text[96];

	sample->mode = mode;
	sample->agrees = true;
	memcpy(sample->bytes, bytes, INSN_BUFFER);
	ZydisDecoderInit(&decoder, modes[mode].machine, modes[mode].stack);
	sample->valid = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, sample->bytes, INSN_MAX_LENGTH,
							    &sample->oracle, sample->operands));
	memset(&sample->insn, 0xa5, sizeof(sample->insn));
	sample->result = insn_decode(&sample->insn, sample->bytes, INSN_MAX_LENGTH, mode);

	switch (sample->result) {
	case INSN_OK:
		EXPECT(sample->valid, true);
		if (sample->agrees)
			check_supported(sample);
		check_cuts(sample);
		break;
	case INSN_INVALID:
	case INSN_TOO_LONG:
		EXPECT(sample->valid, false);
		break;
	case INSN_UNSUPPORTED:
		if (sample->valid && should_be_supported(sample))
			fail(sample, "refused", sample->result, INSN_OK);
		insn_reason(&sample->insn, text, sizeof(text));
		EXPECT(strlen(text) > 7 && strlen(text) < 72, true);
		break;
	default:
		fail(sample, "result of 15 bytes", sample->result, INSN_OK);
	}
	return sample->agrees;
}
