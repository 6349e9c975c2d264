/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister-tls make NAME: a new key and certificate, written to descriptors; its fingerprint is said.
 * cloister-tls accept|connect UID: a handshake at descriptor 3 in which both show the certificates that the other knows. Then one line on the plain
 * socket, and behind it what the other says:
 *
 *	ok FINGERPRINT              the other node's
 *	unknown FINGERPRINT         it is none of those that were given
 *	refused                     it does not know us
 *	failed WHY                  no TLS, no TLS 1.3, no answer in time
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tlsd/tlsd.h"

#define HANDSHAKE_MS 15000
#define PEM_MAX      (64u << 10)
/* of the one version that is spoken, what needs no luck with parameters */
#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:-PSK:-DHE-PSK:-ECDHE-PSK"
#define GO '+' /* the first byte of who listens: our certificate is one that it knows */

static char *peers;                    /* fingerprints, a line each */
static char theirs[TLSD_PRINT + 1]; /* of whom we talk to */

static int say(const char *fmt, const char *arg)
{
	char line[256];
	int n = snprintf(line, sizeof line - 1, fmt, arg);

	n = n < (int)sizeof line - 1 ? n : (int)sizeof line - 2;
	line[n++] = '\n';
	return send(TLSD_PLAIN, line, (size_t)n, MSG_NOSIGNAL) == n ? 0 : -1;
}

/* Whole lines, so that no part of one is taken for another. */
static bool known(const char *print)
{
	for (const char *p = peers; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strcspn(p, "\n") == TLSD_PRINT && strncmp(p, print, TLSD_PRINT) == 0)
			return true;
	return false;
}

static int verify(gnutls_session_t s)
{
	unsigned n = 0;
	const gnutls_datum_t *certs = gnutls_certificate_get_peers(s, &n);

	if (!certs || n < 1 || key_print(&certs[0], theirs) < 0)
		return GNUTLS_E_CERTIFICATE_ERROR;
	return known(theirs) ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

static int failed(gnutls_session_t s, int r)
{
	bool unknown = r == GNUTLS_E_CERTIFICATE_ERROR && *theirs;

	if (unknown)
		gnutls_alert_send(s, GNUTLS_AL_FATAL, GNUTLS_A_ACCESS_DENIED);
	if (unknown)
		say("unknown %s", theirs);
	else if (r == GNUTLS_E_FATAL_ALERT_RECEIVED &&
		 (gnutls_alert_get(s) == GNUTLS_A_ACCESS_DENIED || gnutls_alert_get(s) == GNUTLS_A_BAD_CERTIFICATE ||
		  gnutls_alert_get(s) == GNUTLS_A_CERTIFICATE_UNKNOWN || gnutls_alert_get(s) == GNUTLS_A_CERTIFICATE_REQUIRED))
		say("refused%s", "");
	else
		say("failed %s", r == GNUTLS_E_FATAL_ALERT_RECEIVED ? gnutls_alert_get_name(gnutls_alert_get(s)) : gnutls_strerror(r));
	return 1;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Until the net is ready for what the last call wanted of it. */
static bool await(gnutls_session_t s, uint64_t until)
{
	struct pollfd p = {.fd = TLSD_NET, .events = gnutls_record_get_direction(s) ? POLLOUT : POLLIN};
	uint64_t now = now_ms();

	return now < until && poll(&p, 1, (int)(until - now)) > 0;
}

/* Who connects hears one byte: in TLS 1.3 its own handshake is over before the other has looked at its certificate. */
static int handshake(gnutls_session_t s, bool server)
{
	uint64_t until = now_ms() + HANDSHAKE_MS;
	char go = GO;
	ssize_t r;

	while ((r = gnutls_handshake(s)) < 0 && !gnutls_error_is_fatal((int)r))
		if (!await(s, until))
			return GNUTLS_E_TIMEDOUT;
	while (r >= 0 && (r = server ? gnutls_record_send(s, &go, 1) : gnutls_record_recv(s, &go, 1)) < 0 && !gnutls_error_is_fatal((int)r)) {
		if (!await(s, until))
			return GNUTLS_E_TIMEDOUT;
		r = 0;
	}
	if (r < 0)
		return (int)r;
	return r == 1 && go == GO ? 0 : GNUTLS_E_PREMATURE_TERMINATION;
}

/* The key is another process's: this one has never read it. Our end of the pair, -1. */
static int key_apart(uid_t uid)
{
	int pair[2];
	pid_t pid;

	signal(SIGCHLD, SIG_IGN); /* nobody waits for it */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		_exit(sign_serve(pair[1], PEM_MAX, uid));
	}
	close(pair[1]);
	close(TLSD_KEY);
	if (pid < 0)
		close(pair[0]);
	return pid < 0 ? -1 : pair[0];
}

static int serve(bool server, uid_t uid)
{
	gnutls_certificate_credentials_t cred = NULL;
	gnutls_session_t s = NULL;
	gnutls_datum_t cert;
	const char *why;
	size_t n;
	int r, key;

	/* ^C is for who has started us: it says goodbye first */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* its stderr may be a file, to which it can't write any more */
	key = key_apart(uid);
	r = gnutls_certificate_allocate_credentials(&cred);
	cert.data = (unsigned char *)key_read(TLSD_CERT, PEM_MAX, &n);
	cert.size = (unsigned)n;
	peers = key_read(TLSD_PEERS, TLSD_PEERS_MAX, &n);
	if (key < 0 || !cert.data || !peers)
		return 1;
	if (r >= 0)
		r = sign_use(cred, &cert, key);
	gnutls_certificate_set_verify_function(cred, verify);
	if (r >= 0)
		r = gnutls_init(&s, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS | GNUTLS_NO_SIGNAL);
	if (r >= 0)
		r = gnutls_priority_set_direct(s, PRIORITY, NULL);
	if (r >= 0)
		r = gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, cred);
	if (r < 0) {
		say("failed %s", gnutls_strerror(r));
		return 1;
	}
	if (server)
		gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUIRE);
	gnutls_transport_set_int(s, TLSD_NET);
	close(TLSD_CERT), close(TLSD_PEERS);
	/* both poll: from here on no read waits */
	if (fcntl(TLSD_PLAIN, F_SETFL, O_RDWR | O_NONBLOCK) < 0 || fcntl(TLSD_NET, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return 1;
	why = lock_in(uid);
	if (why) {
		fprintf(stderr, "cloister-tls: can't give up its rights: %s: %m\n", why);
		return 1;
	}
	r = handshake(s, server);
	if (r < 0)
		return failed(s, r);
	/* whoever signed has ended: what reads bytes for hours has nobody to ask */
	gnutls_credentials_clear(s);
	gnutls_certificate_free_credentials(cred);
	if (say("ok %s", theirs) < 0)
		return 1;
	return relay(s);
}

int main(int argc, char **argv)
{
	char print[TLSD_PRINT + 1];
	int r;

	if (argc == 3 && !strcmp(argv[1], "make")) {
		r = key_make(argv[2], print);
		if (r < 0)
			fprintf(stderr, "cloister-tls: %s\n", gnutls_strerror(r));
		else
			puts(print);
		return r < 0;
	}
	if (argc != 3 || (strcmp(argv[1], "accept") != 0 && strcmp(argv[1], "connect") != 0)) {
		fprintf(stderr, "cloister-tls is started by cloister, never by hand.\n");
		return 2;
	}
	return serve(!strcmp(argv[1], "accept"), (uid_t)strtoul(argv[2], NULL, 10));
}
