/* SPDX-License-Identifier: MPL-2.0 */
/* Names of the metadata service's sockets. */
#ifndef CLOISTER_ZONE_MDATA_H
#define CLOISTER_ZONE_MDATA_H

#define MDATA_SOCK "metadata.sock" /* in /.zonecontrol; and in the run directory of a machine: its second serial port, where its monitor listens */

#endif
