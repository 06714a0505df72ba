// SPDX-License-Identifier: BSD-2-Clause
// The queue is a sorted list: a board has about ten timers, and most are not armed.

#include "devices/timer.h"

static bool timer_unlink(struct timer **list, struct timer *timer)
{
	for (struct timer **at = list; *at; at = &(*at)->next) {
		if (*at == timer) {
			*at = timer->next;
			timer->next = NULL;
			return true;
		}
	}
	return false;
}

void timer_init(struct timer *timer, void (*expired)(void *device), void *device)
{
	*timer = (struct timer){ .deadline = TIMER_NEVER, .expired = expired, .device = device };
}

void timer_cancel(struct timer_queue *queue, struct timer *timer)
{
	if (timer->deadline == TIMER_NEVER)
		return;
	if (!timer_unlink(&queue->first, timer))
		timer_unlink(&queue->due, timer);
	timer->deadline = TIMER_NEVER;
}

void timer_arm(struct timer_queue *queue, struct timer *timer, u64 deadline)
{
	u64 before = timer_queue_next(queue);
	struct timer **at = &queue->first;

	timer_cancel(queue, timer);
	if (deadline == TIMER_NEVER)
		return;
	timer->deadline = deadline;
	while (*at && (*at)->deadline <= deadline)
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
	if (deadline < before && queue->earlier)
		queue->earlier(queue->waiter);
}

u64 timer_queue_run(struct timer_queue *queue, u64 now)
{
	struct timer **end = &queue->first;

	if (queue->due) /* called from an expired(): the outer run goes on with the rest */
		return timer_queue_next(queue);
	while (*end && (*end)->deadline <= now)
		end = &(*end)->next;
	if (end == &queue->first)
		return timer_queue_next(queue);
	/*
	 * What is due is taken out as a whole, so that a timer that re-arms itself in the past waits for the next run and
	 * cannot keep this one busy. It stays linked, so that one callback may still cancel another.
	 */
	queue->due = queue->first;
	queue->first = *end;
	*end = NULL;
	while (queue->due) {
		struct timer *timer = queue->due;

		queue->due = timer->next;
		timer->next = NULL;
		timer->deadline = TIMER_NEVER;
		timer->expired(timer->device);
	}
	return timer_queue_next(queue);
}
