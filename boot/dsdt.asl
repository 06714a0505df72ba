// SPDX-License-Identifier: BSD-2-Clause
/*
 * What the guest cannot find by probing: the PCI root with its windows and interrupt wiring, the ISA devices, and how to switch
 * off. The numbers are the board's; acpi.h names those that other files rely on.
 */

// INTA..INTD of devices d, d + 8, d + 16 and d + 24 share GSIs: a device steps one wire on from its neighbour.
#define INTX(device, a, b, c, d)                       \
	Package () { device, 0, Zero, a },             \
	Package () { device, 1, Zero, b },             \
	Package () { device, 2, Zero, c },             \
	Package () { device, 3, Zero, d }
#define EIGHT(d0, d1, d2, d3, d4, d5, d6, d7)          \
	INTX (d0, 16, 17, 18, 19),                     \
	INTX (d1, 17, 18, 19, 20),                     \
	INTX (d2, 18, 19, 20, 21),                     \
	INTX (d3, 19, 20, 21, 22),                     \
	INTX (d4, 20, 21, 22, 23),                     \
	INTX (d5, 21, 22, 23, 16),                     \
	INTX (d6, 22, 23, 16, 17),                     \
	INTX (d7, 23, 16, 17, 18)

DefinitionBlock ("", "DSDT", 2, "SLUICE", "SLUICEPC", 1)
{
	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, Zero)
			Name (_BBN, Zero)
			Name (_SEG, Zero)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0x1000, 0xFFFF, 0, 0xF000)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
					0, 0xC0000000, 0xFEBFFFFF, 0, 0x3EC00000)
			})
			Name (_PRT, Package ()
			{
				EIGHT (0x0000FFFF, 0x0001FFFF, 0x0002FFFF, 0x0003FFFF,
				       0x0004FFFF, 0x0005FFFF, 0x0006FFFF, 0x0007FFFF),
				EIGHT (0x0008FFFF, 0x0009FFFF, 0x000AFFFF, 0x000BFFFF,
				       0x000CFFFF, 0x000DFFFF, 0x000EFFFF, 0x000FFFFF),
				EIGHT (0x0010FFFF, 0x0011FFFF, 0x0012FFFF, 0x0013FFFF,
				       0x0014FFFF, 0x0015FFFF, 0x0016FFFF, 0x0017FFFF),
				EIGHT (0x0018FFFF, 0x0019FFFF, 0x001AFFFF, 0x001BFFFF,
				       0x001CFFFF, 0x001DFFFF, 0x001EFFFF, 0x001FFFFF)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, One)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x03F8, 0x03F8, 1, 8)
				IRQNoFlags () { 4 }
			})
		}

		Device (RTC)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0070, 0x0070, 1, 2)
				IRQNoFlags () { 8 }
			})
		}

		Device (PIC)
		{
			Name (_HID, EisaId ("PNP0000"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0020, 0x0020, 1, 2)
				IO (Decode16, 0x00A0, 0x00A0, 1, 2)
				IO (Decode16, 0x04D0, 0x04D0, 1, 2)
				IRQNoFlags () { 2 }
			})
		}

		Device (PIT)
		{
			Name (_HID, EisaId ("PNP0100"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0040, 0x0040, 1, 4)
				IO (Decode16, 0x0061, 0x0061, 1, 1)
				IRQNoFlags () { 0 }
			})
		}

		// Holds ACPI_ECAM_BASE for the MCFG table, which says whether there is anything.
		Device (MBRD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEF00000, 0x00100000)
			})
		}
	}

	// SLP_TYPa, SLP_TYPb; ACPI_S5_SLP_TYP.
	Name (\_S5, Package () { 5, 5, Zero, Zero })
}
