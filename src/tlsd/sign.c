/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The node's key, in a process of its own from its first byte on. Who reads what strangers say has never seen it: it asks here for the one signature that a
 * handshake takes, and there is no other. One that is taken over has that: as good as this node for one handshake that goes on now, and nothing to
 * keep. What is signed is a digest: GnuTLS tells who signs by ECDSA no more.
 */
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tlsd/tlsd.h"

#define SIGNATURE_MAX 1024
#define SIGN_MS 10000

#define SUM_MIN 32 /* of SHA-256: TLS 1.3 signs no less */
#define SUM_MAX 64

struct request {
	uint32_t algo;
	unsigned char sum[SUM_MAX];
};

static struct {
	int fd;
	gnutls_pk_algorithm_t pk;
	unsigned bits;
} signer = {.fd = -1};

/* ---- who has the key ---- */

static int sign(int fd, gnutls_privkey_t key)
{
	struct request r;
	ssize_t n = recv(fd, &r, sizeof r, 0);
	size_t len = (size_t)n - sizeof r.algo;
	gnutls_datum_t sum = {r.sum, (unsigned)len}, signature = {0};
	gnutls_sign_algorithm_t algo;

	if (n < (ssize_t)sizeof r.algo || len < SUM_MIN)
		return 1;
	algo = (gnutls_sign_algorithm_t)r.algo;
	if (!gnutls_sign_is_secure(algo) || len != gnutls_hash_get_len(gnutls_sign_get_hash_algorithm(algo)) || !gnutls_sign_supports_pk_algorithm(algo, (unsigned)gnutls_privkey_get_pk_algorithm(key, NULL)) ||
	    gnutls_privkey_sign_hash2(key, algo, 0, &sum, &signature) < 0)
		return 1;
	return send(fd, signature.data, signature.size, MSG_NOSIGNAL) != (ssize_t)signature.size;
}

int sign_serve(int fd, size_t max, uid_t uid)
{
	gnutls_x509_privkey_t x = NULL;
	gnutls_privkey_t key = NULL;
	gnutls_datum_t pem;
	const char *why;
	size_t n;
	int r = gnutls_x509_privkey_init(&x);

	pem.data = (unsigned char *)key_read(TLSD_KEY, max, &n);
	pem.size = (unsigned)n;
	/* no other descriptor: an end that this process held would not be the end */
	if (!pem.data || dup2(fd, TLSD_PLAIN) < 0 || close_range(TLSD_NET, ~0U, 0) < 0)
		return 1;
	if (r >= 0)
		r = gnutls_x509_privkey_import(x, &pem, GNUTLS_X509_FMT_PEM);
	explicit_bzero(pem.data, pem.size);
	if (r >= 0)
		r = gnutls_privkey_init(&key);
	if (r >= 0)
		r = gnutls_privkey_import_x509(key, x, 0);
	if (r < 0) {
		fprintf(stderr, "cloister-tls: this node's key: %s\n", gnutls_strerror(r));
		return 1;
	}
	why = lock_in(uid);
	if (why) {
		fprintf(stderr, "cloister-tls: can't give up its rights: %s: %m\n", why);
		return 1;
	}
	return sign(TLSD_PLAIN, key);
}

/* ---- who asks ---- */

static int ask(gnutls_privkey_t key, gnutls_sign_algorithm_t algo, void *arg, unsigned flags, const gnutls_datum_t *sum, gnutls_datum_t *signature)
{
	struct pollfd p = {.fd = signer.fd, .events = POLLIN};
	struct request r = {.algo = algo};
	size_t len = sizeof r.algo + sum->size;
	unsigned char answer[SIGNATURE_MAX];
	ssize_t n;

	if (sum->size > sizeof r.sum)
		return GNUTLS_E_PK_SIGN_FAILED;
	memcpy(r.sum, sum->data, sum->size);
	if (send(signer.fd, &r, len, MSG_NOSIGNAL) != (ssize_t)len || poll(&p, 1, SIGN_MS) != 1 ||
	    (n = recv(signer.fd, answer, sizeof answer, MSG_DONTWAIT)) <= 0)
		return GNUTLS_E_PK_SIGN_FAILED;
	signature->data = gnutls_malloc((size_t)n);
	if (!signature->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(signature->data, answer, (size_t)n);
	signature->size = (unsigned)n;
	return 0;
}

static int info(gnutls_privkey_t key, unsigned flags, void *arg)
{
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return (int)signer.pk;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)signer.bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return gnutls_sign_supports_pk_algorithm(GNUTLS_FLAGS_TO_SIGN_ALGO(flags), (unsigned)signer.pk) != 0;
	return -1;
}

static void done(gnutls_privkey_t key, void *arg)
{
	close(signer.fd);
	signer.fd = -1;
}

int sign_use(gnutls_certificate_credentials_t cred, const gnutls_datum_t *pem, int fd)
{
	gnutls_privkey_t key = NULL;
	gnutls_pcert_st cert;
	int r = gnutls_pcert_import_x509_raw(&cert, pem, GNUTLS_X509_FMT_PEM, 0);

	if (r < 0)
		return r;
	signer.fd = fd;
	signer.pk = (gnutls_pk_algorithm_t)gnutls_pubkey_get_pk_algorithm(cert.pubkey, &signer.bits);
	r = gnutls_privkey_init(&key);
	if (r >= 0)
		r = gnutls_privkey_import_ext4(key, NULL, NULL, ask, NULL, done, info, 0);
	/* whether the two are of one pair is tried out by the first handshake: the only thing that is signed */
	gnutls_certificate_set_flags(cred, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	return r < 0 ? r : gnutls_certificate_set_key(cred, NULL, 0, &cert, 1, key);
}
