/* SPDX-License-Identifier: MPL-2.0 */
#ifndef CLOISTER_CMD_ZONECFG_RES_H
#define CLOISTER_CMD_ZONECFG_RES_H

#include <jansson.h>

/*
 * [type, [name, value]…] for each resource, the zone's own properties first, as type "". A name in brackets is of a
 * property that is stored as a resource control. The record must have its zonepath.
 */
json_t *zonecfg_resources(const json_t *rec);

#endif
