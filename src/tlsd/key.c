/* SPDX-License-Identifier: MPL-2.0 */
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tlsd/tlsd.h"

#define YEARS 100L /* it is known by its fingerprint, as a host's key is to ssh: it does not end by itself */

int key_print(const gnutls_datum_t *der, char print[TLSD_PRINT + 1])
{
	unsigned char sum[32];
	size_t n = sizeof sum;
	int r = gnutls_fingerprint(GNUTLS_DIG_SHA256, der, sum, &n);

	for (size_t i = 0; r >= 0 && i < n; i++)
		snprintf(print + 2 * i, 3, "%02x", sum[i]);
	return r;
}

char *key_read(int fd, size_t max, size_t *n)
{
	char *p = malloc(max + 1);

	*n = 0;
	while (p && *n < max) {
		ssize_t k = read(fd, p + *n, max - *n);

		if (k <= 0)
			break;
		*n += (size_t)k;
	}
	if (p)
		p[*n] = 0;
	return p;
}

static int put(int fd, const gnutls_datum_t *d)
{
	return write(fd, d->data, d->size) == (ssize_t)d->size ? 0 : GNUTLS_E_FILE_ERROR;
}

static int certify(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *name)
{
	unsigned char serial[16];
	time_t now = time(NULL);
	int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);

	serial[0] &= 0x7f; /* a positive number */
	if (r >= 0)
		r = gnutls_x509_crt_set_version(crt, 3);
	if (r >= 0)
		r = gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
	if (r >= 0)
		r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
	if (r >= 0)
		r = gnutls_x509_crt_set_activation_time(crt, now - 86400);
	if (r >= 0)
		r = gnutls_x509_crt_set_expiration_time(crt, now + YEARS * 365 * 86400);
	if (r >= 0)
		r = gnutls_x509_crt_set_key(crt, key);
	return r < 0 ? r : gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
}

int key_make(const char *name, char print[TLSD_PRINT + 1])
{
	gnutls_datum_t text = {0}, der = {0};
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t crt = NULL;
	int r = gnutls_x509_privkey_init(&key);

	if (r >= 0)
		r = gnutls_x509_crt_init(&crt);
	if (r >= 0)
		r = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (r >= 0)
		r = certify(crt, key, name);
	if (r >= 0)
		r = gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &text);
	if (r >= 0)
		r = put(TLSD_KEY, &text);
	gnutls_free(text.data);
	text.data = NULL;
	if (r >= 0)
		r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &text);
	if (r >= 0)
		r = put(TLSD_CERT, &text);
	if (r >= 0)
		r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der);
	if (r >= 0)
		r = key_print(&der, print);
	gnutls_free(text.data);
	gnutls_free(der.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return r;
}
