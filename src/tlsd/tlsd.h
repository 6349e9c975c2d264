/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister-tls: one TLS connection of this node to another. It shakes hands, sees to it that the other is one of those that it was told,
 * and passes bytes on; who started it reads plain ones. It has no rights beyond its sockets (lockin.c).
 */
#ifndef CLOISTER_TLSD_H
#define CLOISTER_TLSD_H

#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <sys/types.h>

/* Descriptors that it is born with. Of `make` PLAIN and NET are nothing, and KEY and CERT are written to. */
enum { TLSD_PLAIN = 0, TLSD_NET = 3, TLSD_KEY = 4, TLSD_CERT = 5, TLSD_PEERS = 6 };

#define TLSD_PRINT   64 /* letters of a fingerprint: SHA-256 of the certificate, in hex */
#define TLSD_PEERS_MAX (1u << 16)

/* key.c: a new key with its certificate for that name. 0, or a GnuTLS error. Returns by print the fingerprint. */
int key_make(const char *name, char print[TLSD_PRINT + 1]);
int key_print(const gnutls_datum_t *der, char print[TLSD_PRINT + 1]);
/* All of a descriptor, NUL behind it; NULL when it is more than max. */
char *key_read(int fd, size_t max, size_t *n);

/*
 * sign.c: the end of a pair that has the key: reads it, gives up its rights, signs one digest, and ends. Exit status. And the end that
 * asks it: cred has the certificate, and no key. Takes fd, which is closed with cred.
 */
int sign_serve(int fd, size_t max, uid_t uid);
int sign_use(gnutls_certificate_credentials_t cred, const gnutls_datum_t *pem, int fd);

/* relay.c: after the handshake, until both have said that they are at their end. Exit status. */
int relay(gnutls_session_t s);

/* lockin.c: NULL, or what could not be given up. */
const char *lock_in(uid_t uid);

#endif
