/* SPDX-License-Identifier: MPL-2.0 */
/*
 * cloister-dhcp INTERFACE UID CLOISTER NODE: asks a DHCP server outside for the NICs of one uplink. It is started by a command (net/netd.c) with its
 * folder, the switch's namespace and a lock as descriptors. This process starts the client (dhcp_client.c), again when it has died, and has
 * `cloister zone-lease` store and apply what that got; of the client's records it believes no more than their form, and the command looks at
 * each again. SIGHUP: the folder's file "table" is another one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "netd/dhcp.h"
#include "netd/dhcpd.h"
#include "netd/netd.h"

#define AT_ONCE   8     /* commands that have just begun */
#define RUN_MAX   64    /* and altogether: one that has had its second waits for its VM, and is in nobody's way */
#define TAKEN     3     /* their exit status: the address is somebody's here (cmd/zone_lease.c) */
#define AGAIN_MS  2000
#define LONG_MS   60000
#define END_MS    3000  /* less than who has us end waits for that (net/netd.c) */
#define EACH_MS   1000  /* between two commands of one NIC: a guest that asks and gives back all the time costs the host no more than that */
#define JOBS_MAX  CLIENTS_MAX

/* The newest of one NIC that no command has had yet, and the command that has the one before. */
struct job {
	struct dhcp_news news;
	bool waits;
	pid_t pid;
	uint8_t ip[4];      /* of the command's */
	uint64_t at;        /* ms; not before */
	uint64_t rest;      /* nor before this, from the last one's beginning */
	unsigned failed;
	struct dhcp_news had; /* the command's, for once more */
	struct job *next;
};

struct keeper {
	const char *self, *node;
	unsigned uid;
	int link, signals, client;
	pid_t pid;
	uint64_t at; /* of the next client, while there is none */
	unsigned running;
	struct job *jobs;
	size_t njobs;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void fail(const char *what)
{
	char line[200];
	int n = snprintf(line, sizeof line, "%s: %s\n", what, strerror(errno));

	(void)!write(FD_READY, line, (size_t)n);
	_exit(1);
}

/* ---- the client ---- */

static void client_start(struct keeper *k, int ready)
{
	int pair[2];

	k->at = now_ms() + AGAIN_MS;
	k->client = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	k->pid = fork();
	if (k->pid == 0) {
		sigset_t set;

		close(pair[0]);
		close(k->signals);
		sigfillset(&set);
		sigprocmask(SIG_SETMASK, &set, NULL);
		close(FD_NS);
		dhcp_client(k->link, pair[1], ready, k->uid);
	}
	close(pair[1]);
	if (k->pid > 0)
		k->client = pair[0];
	else
		close(pair[0]);
}

static void order(const struct keeper *k, uint8_t what, const uint8_t mac[6], const uint8_t ip[4])
{
	struct dhcp_order o;

	memset(&o, 0, sizeof o);
	o.what = what;
	if (mac) {
		memcpy(o.mac, mac, 6);
		memcpy(o.ip, ip, 4);
	}
	if (k->client >= 0)
		send(k->client, &o, sizeof o, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- commands ---- */

static const char *text_ip(const uint8_t ip[4], char out[INET_ADDRSTRLEN])
{
	static const uint8_t none[4];

	return memcmp(ip, none, 4) ? inet_ntop(AF_INET, ip, out, INET_ADDRSTRLEN) : "-";
}

static void add(char *list, size_t size, const char *one)
{
	size_t n = strlen(list);

	snprintf(list + n, size - n, "%s%s", n ? "," : "", one);
}

/* What the command is told: ADDRESS/BITS UNTIL SERVER ROUTER|- DNS,…|- DOMAIN|- NET/BITS=VIA,…|- */
static void become_command(const struct keeper *k, const struct dhcp_news *m) __attribute__((noreturn));
static void become_command(const struct keeper *k, const struct dhcp_news *m)
{
	char mac[18], ip[24], until[24], server[INET_ADDRSTRLEN], router[INET_ADDRSTRLEN], one[64], t[INET_ADDRSTRLEN], dns[CLIENT_DNS * 17] = "";
	char routes[CLIENT_ROUTES * 40] = "", zoneid[16];
	const struct offer *o = &m->o;
	const char *lost = m->what == HOLD_EXPIRED ? "expired" : m->what == HOLD_REFUSED ? "refused" : "released";
	const char *argv[17] = {k->self, "--node", k->node, "zone-lease", m->uuid, mac, zoneid};
	int n = 7;
	sigset_t set;

	snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", m->mac[0], m->mac[1], m->mac[2], m->mac[3], m->mac[4], m->mac[5]);
	snprintf(zoneid, sizeof zoneid, "%u", m->zoneid);
	snprintf(ip, sizeof ip, "%s/%u", text_ip(o->ip, t), o->bits);
	snprintf(until, sizeof until, "%llu", (unsigned long long)m->until);
	for (unsigned i = 0; i < o->ndns && i < CLIENT_DNS; i++)
		add(dns, sizeof dns, text_ip(o->dns[i], t));
	for (unsigned i = 0; i < o->nroutes && i < CLIENT_ROUTES; i++) {
		snprintf(one, sizeof one, "%s/%u", text_ip(o->route[i].to, t), o->route[i].bits);
		snprintf(one + strlen(one), sizeof one - strlen(one), "=%s", text_ip(o->route[i].via, t));
		add(routes, sizeof routes, one);
	}
	if (m->what == HOLD_GOT) {
		const char *got[] = {"got", ip, until, text_ip(o->server, server) ?: "-", text_ip(o->router, router) ?: "-", *dns ? dns : "-",
				     *o->domain ? o->domain : "-", *routes ? routes : "-"};

		for (size_t i = 0; i < sizeof got / sizeof *got; i++)
			argv[n++] = got[i];
	} else {
		argv[n++] = lost;
	}
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	close_range(3, ~0U, 0);
	execv(k->self, (char *const *)argv);
	_exit(127);
}

static bool valid(const struct dhcp_news *m)
{
	return m->what > HOLD_NOTHING && m->what <= HOLD_RELEASED && m->uuid[36] == 0 && strlen(m->uuid) == 36 &&
	       strspn(m->uuid, "0123456789abcdef-") == 36 && memchr(m->o.domain, 0, sizeof m->o.domain) &&
	       strspn(m->o.domain, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(m->o.domain);
}

static struct job *job_of(struct keeper *k, const uint8_t mac[6])
{
	struct job *j = k->jobs;

	while (j && memcmp(j->news.mac, mac, 6))
		j = j->next;
	if (j)
		return j;
	/* no more than there can be NICs: it is the client that says so */
	j = k->njobs < JOBS_MAX ? calloc(1, sizeof *j) : NULL;
	if (!j)
		return NULL;
	k->njobs++;
	j->next = k->jobs;
	memcpy(j->news.mac, mac, 6);
	return k->jobs = j;
}

/* false: it has gone. */
static bool heard(struct keeper *k)
{
	struct dhcp_news m;
	struct job *j;
	ssize_t n = recv(k->client, &m, sizeof m, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n != sizeof m)
		return false;
	if (!valid(&m))
		return true;
	j = job_of(k, m.mac);
	if (!j)
		return false; /* another client has them from the table */
	j->news = m;
	j->waits = true;
	j->failed = 0;
	j->at = 0;
	return true;
}

/* Commands that have just begun; they are looked for again when the first of them is not new any more. */
static unsigned begun(const struct keeper *k, uint64_t now, uint64_t *next)
{
	unsigned n = 0;

	for (const struct job *j = k->jobs; j; j = j->next)
		if (j->pid && j->rest > now) {
			n++;
			if (j->rest < *next)
				*next = j->rest;
		}
	return n;
}

/* Starts those whose time has come, forgets those that are done. When the next one's is. */
static uint64_t run(struct keeper *k)
{
	uint64_t now = now_ms(), next = UINT64_MAX;
	unsigned young = begun(k, now, &next);

	for (struct job **p = &k->jobs; *p;) {
		struct job *j = *p;
		uint64_t at = j->at > j->rest ? j->at : j->rest;

		if (!j->waits && !j->pid && j->rest <= now) {
			*p = j->next;
			k->njobs--;
			free(j);
			continue;
		}
		if (j->waits && !j->pid && at <= now && young < AT_ONCE && k->running < RUN_MAX) {
			j->rest = now + EACH_MS;
			j->had = j->news;
			j->waits = false;
			memcpy(j->ip, j->had.o.ip, 4);
			j->pid = fork();
			if (j->pid == 0)
				become_command(k, &j->had);
			k->running += j->pid > 0;
			if (j->pid > 0) {
				young++;
				next = j->rest < next ? j->rest : next;
			}
		}
		if (j->pid < 0) {
			j->pid = 0;
			j->waits = true;
			j->at = at = now + AGAIN_MS;
		}
		/* of one that is done: when it is forgotten */
		if (!j->pid && at > now && at < next)
			next = at;
		p = &j->next;
	}
	return next;
}

static void ended(struct keeper *k, pid_t pid, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	for (struct job *j = k->jobs; j; j = j->next) {
		if (j->pid != pid)
			continue;
		j->pid = 0;
		k->running--;
		if (code == TAKEN && !j->waits)
			order(k, DHCP_ORDER_DECLINE, j->had.mac, j->ip);
		if (code == 0 || code == TAKEN || j->waits)
			return;
		/* the database or the switch was another's for too long */
		j->news = j->had;
		j->waits = true;
		j->at = now_ms() + (j->failed < 5 ? (uint64_t)AGAIN_MS << j->failed : LONG_MS);
		j->failed++;
		return;
	}
	if (pid == k->pid)
		k->pid = 0;
}

/* true: it is to end. */
static bool signalled(struct keeper *k)
{
	struct signalfd_siginfo i;
	bool last = false;
	int status;
	pid_t pid;

	while (read(k->signals, &i, sizeof i) == sizeof i) {
		last |= i.ssi_signo == SIGTERM;
		if (i.ssi_signo == SIGTERM || i.ssi_signo == SIGHUP)
			order(k, DHCP_ORDER_TABLE, NULL, NULL);
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		ended(k, pid, status);
	return last;
}

/*
 * It reads the table once more, gives back the leases of who is not in there, and ends with our end. What it says meanwhile is taken from it, so that
 * it can get on: who has us end waits with the switch's lock.
 */
static void last_words(struct keeper *k)
{
	uint64_t end = now_ms() + END_MS, now;
	struct pollfd p = {.fd = k->client, .events = POLLIN};
	struct dhcp_news m;

	shutdown(k->client, SHUT_WR);
	while (k->client >= 0 && (now = now_ms()) < end && (poll(&p, 1, (int)(end - now)) < 0 ? errno == EINTR : recv(k->client, &m, sizeof m, MSG_DONTWAIT) > 0))
		;
	if (k->pid > 0 && now_ms() >= end)
		kill(k->pid, SIGKILL);
	if (k->pid > 0)
		waitpid(k->pid, NULL, 0);
}

static void keep(struct keeper *k)
{
	for (;;) {
		uint64_t next = run(k), now = now_ms();
		struct pollfd p[2] = {{.fd = k->signals, .events = POLLIN}, {.fd = k->client, .events = POLLIN}};

		if (k->client < 0 && k->pid <= 0 && k->at <= now)
			client_start(k, -1);
		if (k->client < 0 && k->at < next)
			next = k->at > now ? k->at : now + AGAIN_MS;
		p[1].fd = k->client;
		if (poll(p, 2, next == UINT64_MAX ? -1 : next <= now ? 0 : (int)(next - now)) < 0 && errno != EINTR)
			_exit(1);
		if (p[0].revents && signalled(k))
			break;
		if (k->client >= 0 && p[1].revents && !heard(k)) {
			close(k->client);
			k->client = -1;
			if (k->pid > 0)
				kill(k->pid, SIGKILL);
		}
	}
	last_words(k);
}

int main(int argc, char **argv)
{
	static struct keeper k;
	sigset_t set;
	char end;

	if (argc != 5 || sscanf(argv[2], "%u%c", &k.uid, &end) != 1 || k.uid == 0 || fcntl(FD_READY, F_GETFD) < 0 || fcntl(FD_NS, F_GETFD) < 0) {
		fprintf(stderr, "cloister-dhcp: run by commands of the network, with descriptors 3 to 6\n");
		return 2;
	}
	if (close_range(FD_READY + 1, ~0U, 0) < 0)
		fail("close_range");
	k.self = argv[3];
	k.node = argv[4];
	k.link = dhcp_link(argv[1], FD_NS);
	if (k.link < 0) {
		errno = -k.link;
		fail("the uplink's interface");
	}
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	k.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k.signals < 0)
		fail("signals");
	client_start(&k, FD_READY);
	if (k.client < 0)
		fail("a client");
	close(FD_READY);
	keep(&k);
	return 0;
}
