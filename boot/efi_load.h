/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the boot volume into memory: the configuration, the files that it names, the guest's RAM. Each says in one line
 * what is wrong when it returns false.
 */
#ifndef BOOT_EFI_LOAD_H
#define BOOT_EFI_LOAD_H

#include "boot/efi.h"

/* `text` is the file as it was read; the other two name its lines in their messages. */
bool efi_load_config(struct efi *efi, struct config *config, struct boot_file *text);
/* Needs boot->config. */
bool efi_load_files(struct efi *efi, const struct boot_file *text, struct boot *boot);
/* What has no file: guest RAM, the scratch disk. */
bool efi_load_ram(struct efi *efi, const struct boot_file *text, struct boot *boot);
bool efi_load_scratch(struct efi *efi, const struct boot_file *text, struct boot *boot);

#endif
