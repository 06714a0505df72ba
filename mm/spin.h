/* SPDX-License-Identifier: BSD-2-Clause */
/* A lock for a few instructions' worth of list work; no fairness, no owner. Zero-initialised: free. */
#ifndef MM_SPIN_H
#define MM_SPIN_H

#include "mm/types.h"

static inline void spin_lock(u32 *lock)
{
	while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(lock, __ATOMIC_RELAXED))
			__builtin_ia32_pause();
}

static inline void spin_unlock(u32 *lock)
{
	__atomic_store_n(lock, 0, __ATOMIC_RELEASE);
}

#endif
