/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a running hypervisor shows to a browser and to Prometheus, and the few things that can be done to its guest from
 * there. It reads what is counted anyway; nothing is kept for it.
 *
 *	GET  /			the page (status.html)
 *	GET  /metrics		Prometheus text format 0.0.4
 *	GET  /api/state		what changes all the time, as JSON
 *	GET  /api/map		the guest's physical address map and the DMA windows, as JSON
 *	GET  /api/console/N	the guest's console from byte number N on, as it is; X-Console-Begin and -End: its numbers
 *	POST /api/reset		resets the guest
 *	POST /api/input		the body is typed on the guest's console
 *
 * Each list ends early where an answer would become too long, and says so: "cut":true.
 */
#ifndef DEVICES_STATUS_H
#define DEVICES_STATUS_H

#include "devices/http.h"
#include "devices/virtio_pci.h"
#include "iommu/vtd.h"
#include "iommu/window.h"
#include "mm/space.h"

#define STATUS_DEVICES 16
#define STATUS_EXITS   128 /* numbers of exits() that are asked for */

struct status_exit {
	const char *name;
	u64 exits, ticks;
};

/* A guest as the board made it. Any of these may be null: then the page has nothing to say of it. */
struct status_guest {
	const struct address_space *memory;
	const struct dma_table *windows;
	unsigned window_count;
	struct vtd *vtd;
	struct fault_log *faults;

	/* "running", or why not. */
	const char *(*state)(void *board);
	/* By number from 0 on: the exits of one reason; false: there are no more numbers. */
	bool (*exits)(void *board, unsigned number, struct status_exit *exit);
	/* The page that maps `gpa`: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB; 0: none. And how many there are of each. */
	unsigned (*page_level)(void *board, u64 gpa);
	void (*pages)(void *board, u64 leaves[4]);
	/* The virtio devices on the bus; how many. */
	unsigned (*devices)(void *board, struct virtio_device *list[STATUS_DEVICES]);
	/*
	 * Copies at most `size` bytes of the guest's console, from number *from on, or from the oldest one that is still there:
	 * then *from is its number. Returns how many.
	 */
	size_t (*console)(void *board, u64 *from, char *bytes, size_t size);
	bool (*reset)(void *board);				      /* false: cannot */
	bool (*input)(void *board, const char *bytes, size_t length); /* all or nothing; false: no room */
	void *board;
};

struct status {
	struct http_site site;
	const struct network *net;
	const struct status_guest *guest; /* null: there is none at present */
	u64 started;
};

/*
 * Starts the web server. `token`: see http.h; both outlive the network. False: the network has failed. The guest, which may
 * come and go, is `status->guest`: the caller's to set.
 */
bool status_start(struct status *status, struct network *net, const char *token, bool test_file);

/* ---- between status*.c ---- */

void status_put_state(const struct status *status, struct text_out *out);
void status_put_map(const struct status *status, struct text_out *out);
void status_put_metrics(const struct status *status, struct text_out *out);

/* "live", "needs reset" .. */
const char *status_device_state(const struct virtio_device *dev);
/* Seconds since status_start(). */
u64 status_uptime(const struct status *status);

#endif
