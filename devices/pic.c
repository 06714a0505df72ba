// SPDX-License-Identifier: BSD-2-Clause

#include "devices/pic.h"
#include "devices/isa.h"

enum { CASCADE = 2, SPURIOUS = 7 };
enum { ICW1 = 0x10, ICW1_ICW4 = 0x01, ICW4_AUTO_EOI = 0x02, ICW4_SPECIAL_FULLY_NESTED = 0x10 };
enum { OCW3 = 0x08, OCW3_READ = 0x02, OCW3_READ_ISR = 0x01, OCW3_POLL = 0x04, POLL_PENDING = 0x80 };
enum { OCW3_SET_SPECIAL_MASK = 0x40, OCW3_SPECIAL_MASK = 0x20 };
/* Timer, keyboard, cascade, clock and coprocessor are edges whatever ELCR is written with. */
enum { ELCR_MASTER = 0xf8, ELCR_SLAVE = 0xde };

static unsigned pic_number(const struct pic_chip *chip)
{
	return chip - chip->pair->chip;
}

/* The input of highest priority in `inputs`, -1 if there is none. */
static int pic_highest(const struct pic_chip *chip, u8 inputs)
{
	for (unsigned i = 1; i <= 8; i++)
		if (inputs & BIT((chip->lowest + i) % 8))
			return (chip->lowest + i) % 8;
	return -1;
}

/* The input that the chip asks for now, -1: none. */
static int pic_request(const struct pic_chip *chip)
{
	u8 blocking = chip->isr;
	int request, in_service;

	if (chip->icw)
		return -1;
	request = pic_highest(chip, chip->irr & ~chip->imr);
	if (chip->special_mask)
		blocking &= ~chip->imr;
	if (chip->special_fully_nested && pic_number(chip) == 0)
		blocking &= ~BIT(CASCADE); /* the slave sorts out its own priorities */
	in_service = pic_highest(chip, blocking);
	if (request < 0 || in_service < 0)
		return request;
	return (request - chip->lowest - 1 + 8) % 8 < (in_service - chip->lowest - 1 + 8) % 8 ? request : -1;
}

/* Recomputes both chips' INT wires. */
static void pic_update(struct pic *pic)
{
	struct pic_chip *master = &pic->chip[0];
	bool out;

	if (pic_request(&pic->chip[1]) >= 0)
		master->irr |= BIT(CASCADE);
	else
		master->irr &= ~BIT(CASCADE);
	out = pic_request(master) >= 0;
	if (out != pic->out) {
		pic->out = out;
		irq_line_set(&pic->output, out);
	}
}

void pic_set(void *controller, unsigned pin, bool level)
{
	struct pic *pic = controller;
	struct pic_chip *chip = &pic->chip[pin / 8 % 2];
	u8 bit = BIT(pin % 8);

	if (pin >= PIC_PINS || pin == CASCADE)
		return;
	if (level && (!(chip->level & bit) || (chip->elcr & bit)))
		chip->irr |= bit;
	else if (!level && (chip->elcr & bit))
		chip->irr &= ~bit;
	chip->level = level ? chip->level | bit : chip->level & ~bit;
	pic_update(pic);
}

static void pic_take(struct pic_chip *chip, unsigned input)
{
	if (!(chip->elcr & BIT(input)))
		chip->irr &= ~BIT(input);
	if (!chip->auto_eoi)
		chip->isr |= BIT(input);
	else if (chip->rotate_on_auto_eoi)
		chip->lowest = input;
}

int pic_ack(struct pic *pic)
{
	struct pic_chip *chip = &pic->chip[0];
	int input = pic_request(chip);

	if (input == CASCADE) {
		pic_take(chip, CASCADE);
		chip = &pic->chip[1];
		input = pic_request(chip);
	}
	if (input >= 0)
		pic_take(chip, input);
	else
		input = SPURIOUS;
	pic_update(pic);
	return chip->base + input;
}

static void pic_write_icw1(struct pic_chip *chip, u8 value)
{
	chip->irr &= chip->elcr; /* an edge must come again */
	chip->imr = 0;
	chip->isr = 0;
	chip->lowest = 7;
	chip->special_mask = chip->poll = chip->read_isr = false;
	chip->rotate_on_auto_eoi = false;
	chip->icw4_follows = value & ICW1_ICW4;
	if (!chip->icw4_follows)
		chip->auto_eoi = chip->special_fully_nested = false;
	chip->icw = 2;
}

static void pic_write_ocw2(struct pic_chip *chip, u8 value)
{
	bool rotate = value & 0x80, specific = value & 0x40, eoi = value & 0x20;
	/* Special mask mode hides masked inputs from the non-specific command. */
	int input = specific ? value & 7
			     : pic_highest(chip, chip->special_mask ? chip->isr & ~chip->imr : chip->isr);

	if (!eoi && !specific) {
		chip->rotate_on_auto_eoi = rotate;
		return;
	}
	if (input < 0)
		return;
	if (eoi)
		chip->isr &= ~BIT(input);
	if (rotate)
		chip->lowest = input;
}

static void pic_write_ocw3(struct pic_chip *chip, u8 value)
{
	if (value & OCW3_SET_SPECIAL_MASK)
		chip->special_mask = value & OCW3_SPECIAL_MASK;
	if (value & OCW3_POLL)
		chip->poll = true;
	else if (value & OCW3_READ)
		chip->read_isr = value & OCW3_READ_ISR;
}

/* The odd port: mask, or the initialisation words in their order. */
static void pic_write_data(struct pic_chip *chip, u8 value)
{
	switch (chip->icw) {
	case 0:
		chip->imr = value;
		break;
	case 2:
		chip->base = value & 0xf8;
		chip->icw = 3;
		break;
	case 3: /* says how the chips are wired, which cannot change */
		chip->icw = chip->icw4_follows ? 4 : 0;
		break;
	default:
		chip->auto_eoi = value & ICW4_AUTO_EOI;
		chip->special_fully_nested = value & ICW4_SPECIAL_FULLY_NESTED;
		chip->icw = 0;
		break;
	}
}

static u8 pic_poll(struct pic_chip *chip)
{
	int input = pic_request(chip);

	chip->poll = false;
	if (input < 0)
		return 0;
	pic_take(chip, input);
	pic_update(chip->pair);
	return POLL_PENDING | input;
}

static enum mem_result pic_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct pic_chip *chip = device;

	(void)size;
	if (chip->poll)
		*value = pic_poll(chip);
	else if (offset & 1)
		*value = chip->imr;
	else
		*value = chip->read_isr ? chip->isr : chip->irr;
	return MEM_OK;
}

static enum mem_result pic_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pic_chip *chip = device;

	(void)size;
	if (offset & 1)
		pic_write_data(chip, value);
	else if (value & ICW1)
		pic_write_icw1(chip, value);
	else if (value & OCW3)
		pic_write_ocw3(chip, value);
	else
		pic_write_ocw2(chip, value);
	pic_update(chip->pair);
	return MEM_OK;
}

static enum mem_result elcr_read(void *device, u64 offset, unsigned size, u64 *value)
{
	const struct pic *pic = device;

	(void)size;
	*value = pic->chip[offset & 1].elcr;
	return MEM_OK;
}

static enum mem_result elcr_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pic *pic = device;
	struct pic_chip *chip = &pic->chip[offset & 1];

	(void)size;
	chip->elcr = value & (pic_number(chip) ? ELCR_SLAVE : ELCR_MASTER);
	/* A level input follows its wire from now on. */
	chip->irr = (chip->irr & ~chip->elcr) | (chip->level & chip->elcr);
	pic_update(pic);
	return MEM_OK;
}

const struct region_ops pic_ops = ISA_BYTE_OPS(pic_read, pic_write);

const struct region_ops pic_elcr_ops = ISA_BYTE_OPS(elcr_read, elcr_write);

void pic_init(struct pic *pic, struct irq_line output)
{
	*pic = (struct pic){ .output = output };
	pic_reset(pic);
}

void pic_reset(struct pic *pic)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pic->chip); i++)
		pic->chip[i] = (struct pic_chip){
			.imr = 0xff,
			.lowest = 7,
			.level = pic->chip[i].level,
			.pair = pic,
		};
	pic_update(pic);
}
