/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration file: `key = value` lines on the EFI system partition, described for users in configuration.md.
 *
 * Pure: bytes in, a struct out. What the file names (does that kernel exist?) is for the caller to find out.
 */
#ifndef BOOT_CONFIG_H
#define BOOT_CONFIG_H

#include "mm/log.h"
#include "mm/types.h"

#define CONFIG_FILE_MAX	    (64 * KiB) /* bytes of a whole file */
#define CONFIG_LINE_MAX	    4096       /* bytes of a line, its end not counted */
#define CONFIG_PATH_MAX	    256	       /* with the NUL, as every size below */
#define CONFIG_ARGUMENT_MAX 256
#define CONFIG_CMDLINE_MAX  2048
#define CONFIG_LIST_MAX	    256
#define CONFIG_MODULES_MAX  8
#define CONFIG_TOKEN_MAX    65

/* What to do when a guest, or the hypervisor, has come to an end. */
enum config_action {
	CONFIG_STOP,	 /* guest: stay in the hypervisor console; hypervisor: halt */
	CONFIG_RESTART,	 /* guest: from its beginning, as after a reset of its machine */
	CONFIG_RESET,	 /* the machine */
	CONFIG_POWEROFF, /* the machine */
};

/* Of features that a CPU may lack. There is no "force": what the CPU does not offer cannot be used. */
enum config_feature { CONFIG_OFF, CONFIG_AUTO };

struct config_module {
	char path[CONFIG_PATH_MAX];
	char argument[CONFIG_ARGUMENT_MAX]; /* what follows the path; "": nothing */
};

/* Sluice's own place in the network. Numbers as in text: 10.0.2.15 is 0x0a00020f. */
struct config_address {
	enum { CONFIG_ADDRESS_NONE, CONFIG_ADDRESS_DHCP, CONFIG_ADDRESS_STATIC } kind;
	u32 address, gateway; /* static; gateway 0: none */
	u8 prefix;
};

/* About 7 KiB: not for a small stack. Paths are as the firmware takes them: '\' between names, "" = not given. */
struct config {
	char kernel[CONFIG_PATH_MAX]; /* never "" unless selftest or bench is given */
	char initrd[CONFIG_PATH_MAX];
	char disk[CONFIG_PATH_MAX];
	struct config_module module[CONFIG_MODULES_MAX];
	unsigned module_count;
	char cmdline[CONFIG_CMDLINE_MAX];
	u64 memory;  /* bytes of guest RAM, a multiple of 2 MiB */
	u64 scratch; /* bytes of the empty second disk, a multiple of 1 MiB; 0: none */

	/* "": do not run; "all"; or names with single commas between them: ask config_list_has(). */
	char selftest[CONFIG_LIST_MAX];
	char bench[CONFIG_LIST_MAX];

	enum log_level loglevel;
	u16 serial;    /* first I/O port of the 16550 that is the machine's console */
	u32 baud;      /* divides 115200 */
	u8 escape;     /* the control character, 1..31, that leads a hypervisor console command; 0: none */
	u16 exit_port; /* emulators: takes the status of the run as one byte, see configuration.md; 0: none */

	enum config_feature apicv; /* APIC virtualisation in hardware */
	bool x2apic;		   /* offer x2APIC to the guest */
	bool hugepages;		   /* 2 MiB and 1 GiB EPT pages where the CPU has them */
	bool iommu;		   /* the VT-d unit is there, with interrupt remapping */
	bool edu;		   /* the edu PCI device is on the bus */
	bool disk_readonly;
	bool virtio_console, virtio_rng;
	bool net; /* the guest's network card, the bridge, the web server */
	struct config_address address;
	char http_token[CONFIG_TOKEN_MAX]; /* "": nothing can be done by HTTP, only seen */
	bool http_test_file;
	bool virtio_packed; /* virtio devices offer packed rings */

	enum config_action on_guest_poweroff, on_guest_reset, on_guest_fault, on_panic;
};

/* One line that says what was found and what was expected; starts with the file's name and the line number. */
struct config_error {
	unsigned line; /* from 1; 0: the file as a whole */
	char text[320];
};

/* What holds for keys that a file does not mention. `kernel` is "", so this is no complete configuration. */
void config_set_defaults(struct config *config);

/*
 * Reads `size` bytes at `text`. `name` is the file's name for messages. On false, `*error` tells of the first error and
 * `*config` holds the defaults: nothing is half configured.
 */
bool config_parse(struct config *config, const char *name, const char *text, size_t size,
		  struct config_error *error);

/* Is `name` in the `list` of `selftest` or `bench`? "all" has every name, "" none. */
bool config_list_has(const char *list, const char *name);

/* What can be said about a key, for help texts and for whoever checks the manual. */
struct config_help {
	const char *key;
	const char *value; /* what it takes when the file does not mention it; NULL: nothing */
	const char *text;  /* one line */
};

/* The keys in the order of the manual; false behind the last one. */
bool config_key_help(unsigned index, struct config_help *help);

#endif
