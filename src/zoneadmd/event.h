/* SPDX-License-Identifier: MPL-2.0 */
/* What a part of the worker has to tell the node's event log (part_events.c). */
#ifndef CLOISTER_ZONEADMD_EVENT_H
#define CLOISTER_ZONEADMD_EVENT_H

#include <stdint.h>

#define EVENT_KIND   24  /* bytes of a kind, with its end: [a-z-] */
#define EVENT_DETAIL 200 /* bytes of a detail */

/*
 * An event of this zone; returns at once. detail: a JSON object as text, or NULL. One kind is told at most once in so many
 * seconds (10, and longer the longer it goes on), with the number of times it came and the detail that came last. The log
 * is the database's, written by `cloister zone-event`, of which one runs at a time.
 */
void event_report(const char *kind, const char *detail);
/* The same, for something that has happened `times` times. */
void event_report_n(const char *kind, const char *detail, uint64_t times);

/*
 * The same, with a detail of any length that is made when it is told: a text that stays until the next call. Told at most every 10 s, also
 * when it goes on. Where telling has failed make is called again.
 */
void event_report_made(const char *kind, const char *(*make)(void), uint64_t times);

/* Looks at the counters that this kernel gives no notice of. For the part that wakes anyway. */
void events_sample(void);

#endif
