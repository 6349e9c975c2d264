/* SPDX-License-Identifier: MPL-2.0 */
#ifndef BENCH_FWRECORDS_H
#define BENCH_FWRECORDS_H

#include "net/switch.h"

/* Milliseconds from what is stored to what is in force, each run's into ms; 0, or -1 and why on standard error. */
int records_ms(struct net_switch *s, int runs, double *ms);

#endif
