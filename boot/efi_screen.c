// SPDX-License-Identifier: BSD-2-Clause
/*
 * Text output on graphic screens. ConOut would also print on whatever serial line the firmware has as a console, in the
 * midst of ours, so the drivers of screens are looked up: handles with both a text output and a graphics output.
 */
#include "boot/efi.h"

#include "arch/log.h"

#define SCREENS_MAX 4
#define TEXT_MAX    128

static const EFI_GUID text_output_guid = EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL_GUID;
static const EFI_GUID graphics_output_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

static struct screens {
	unsigned count;
	SIMPLE_TEXT_OUTPUT_INTERFACE *output[SCREENS_MAX];
} screens;

static void screen_write(void *context, const char *text)
{
	const struct screens *all = context;
	CHAR16 wide[TEXT_MAX];

	while (*text) {
		unsigned length = 0;

		/* room for the pair that a newline becomes, and for the end */
		while (*text && length < TEXT_MAX - 2) {
			if (*text == '\n')
				wide[length++] = '\r';
			wide[length++] = (u8)*text++;
		}
		wide[length] = 0;
		for (unsigned i = 0; i < all->count; i++)
			all->output[i]->OutputString(all->output[i], wide);
	}
}

void efi_screen_init(struct efi *efi)
{
	EFI_HANDLE handle[32];
	UINTN size = sizeof(handle);
	EFI_GUID text = text_output_guid, graphics = graphics_output_guid;

	if (EFI_ERROR(efi->boot->LocateHandle(ByProtocol, &text, NULL, &size, handle)))
		return;
	for (unsigned i = 0; i < size / sizeof(handle[0]) && screens.count < SCREENS_MAX; i++) {
		void *unused, *output;

		/* The firmware's own console stands for all others, serial ones included. */
		if (handle[i] == efi->system->ConsoleOutHandle ||
		    handle[i] == efi->system->StandardErrorHandle)
			continue;
		if (EFI_ERROR(efi->boot->HandleProtocol(handle[i], &graphics, &unused)))
			continue;
		if (!EFI_ERROR(efi->boot->HandleProtocol(handle[i], &text, &output)))
			screens.output[screens.count++] = output;
	}
	if (screens.count)
		log_set_screen(screen_write, &screens);
}
