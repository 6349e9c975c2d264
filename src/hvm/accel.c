/* SPDX-License-Identifier: MPL-2.0 */
#include "hvm/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "kern/pidfd.h"

#define PORT     0x80
#define PROBE_MS   500   /* of processor time: a guest that spins has had its chance, … */
#define STARVED_MS 10000 /* … and on a host that is too busy to give it that it is waited for */
#define ENTRIES  256 /* of CPUID */

/*
 * In real mode, ring 0. After each instruction a letter to PORT, so that it can be said which one it was; 'Z' is the end.
 * Only what every x86-64 processor has since 2009 (x86-64-v2), which Debian's kernels may take for granted.
 */
static const uint8_t guest[] = {
	0xb0, 'a', 0xe6, PORT,                        /* mov al,'a'; out PORT,al */
	0xf3, 0x0f, 0xb8, 0xd8,                       /* popcnt bx,ax */
	0xb0, 'b', 0xe6, PORT,
	0x0f, 0xef, 0xc0,                             /* pxor mm0,mm0 */
	0x0f, 0x77,                                   /* emms */
	0xb0, 'c', 0xe6, PORT,
	0x66, 0x0f, 0xef, 0xc0,                       /* pxor xmm0,xmm0 */
	0x66, 0x0f, 0xfe, 0xc1,                       /* paddd xmm0,xmm1 */
	0xb0, 'd', 0xe6, PORT,
	0xbe, 0x00, 0x02,                             /* mov si,0x200 */
	0x0f, 0xc7, 0x0c,                             /* cmpxchg8b [si] */
	0xb0, 'e', 0xe6, PORT,
	0x0f, 0xa2,                                   /* cpuid */
	0xb0, 'Z', 0xe6, PORT,
	0xf4,                                         /* hlt */
};

static const char *instruction(char after)
{
	switch (after) {
	case 0:
		return "its first instructions";
	case 'a':
		return "popcnt";
	case 'b':
		return "MMX instructions";
	case 'c':
		return "SSE instructions";
	case 'd':
		return "cmpxchg8b";
	case 'e':
		return "cpuid";
	}
	return "hlt";
}

struct machine {
	int kvm, vm, cpu;
	struct kvm_run *run;
};

static int call(int fd, unsigned long request, void *arg, const char *what, struct err *e)
{
	int r = ioctl(fd, request, arg);

	return r < 0 ? err_sys(e, errno, "KVM: %s", what) : r;
}

static int prepare(struct machine *m, struct err *e)
{
	struct kvm_userspace_memory_region mem = {.memory_size = 4096};
	struct kvm_sregs s;
	struct kvm_regs g = {.rip = 0, .rflags = 2, .rsp = 0x800};
	void *page;
	int r, size;

	m->vm = call(m->kvm, KVM_CREATE_VM, NULL, "make a machine", e);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->vm < 0 || page == MAP_FAILED)
		return m->vm < 0 ? m->vm : err_sys(e, errno, "KVM: memory");
	memcpy(page, guest, sizeof guest);
	mem.userspace_addr = (uintptr_t)page;
	r = call(m->vm, KVM_SET_USER_MEMORY_REGION, &mem, "give it memory", e);
	if (r >= 0)
		r = m->cpu = call(m->vm, KVM_CREATE_VCPU, NULL, "make a processor", e);
	if (r >= 0)
		r = size = call(m->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "size of its state", e);
	if (r < 0)
		return r;
	m->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, m->cpu, 0);
	if (m->run == MAP_FAILED)
		return err_sys(e, errno, "KVM: its state");
	r = call(m->cpu, KVM_GET_SREGS, &s, "its registers", e);
	if (r < 0)
		return r;
	s.cs.base = 0;
	s.cs.selector = 0;
	s.cr0 = (s.cr0 & ~(uint64_t)0x0c) | 2; /* no emulation of the FPU, no trap at its first use; MP */
	s.cr4 |= 0x600;                        /* OSFXSR, OSXMMEXCPT */
	r = call(m->cpu, KVM_SET_SREGS, &s, "its registers", e);
	return r < 0 ? r : call(m->cpu, KVM_SET_REGS, &g, "its registers", e);
}

/*
 * The processor that the guest sees has what the host's has, or popcnt would be refused by rights. Not allocated: another thread of
 * the command may have held malloc's lock when this process was made.
 */
static int features(struct machine *m, struct err *e)
{
	_Alignas(struct kvm_cpuid2) char space[sizeof(struct kvm_cpuid2) + ENTRIES * sizeof(struct kvm_cpuid_entry2)] = {0};
	struct kvm_cpuid2 *c = (struct kvm_cpuid2 *)space;
	int r;

	c->nent = ENTRIES;
	r = call(m->kvm, KVM_GET_SUPPORTED_CPUID, c, "what its processors can do", e);
	return r < 0 ? r : call(m->cpu, KVM_SET_CPUID2, c, "what its processor can do", e);
}

static int run(struct machine *m, char *last, struct err *e)
{
	for (int exits = 0; exits < 64; exits++) {
		if (ioctl(m->cpu, KVM_RUN, NULL) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, errno, "this host's KVM fails at %s", instruction(*last));
		}
		switch (m->run->exit_reason) {
		case KVM_EXIT_IO:
			if (m->run->io.port == PORT)
				*last = *((char *)m->run + m->run->io.data_offset);
			break;
		case KVM_EXIT_HLT:
			return *last == 'Z' ? 0 : err_set(e, ENOTSUP, "this host's KVM fails at %s", instruction(*last));
		default:
			return err_set(e, ENOTSUP, "this host's KVM can not do %s in a guest's kernel (exit %u)", instruction(*last),
				       m->run->exit_reason);
		}
	}
	return err_set(e, ENOTSUP, "this host's KVM does not get past %s", instruction(*last));
}

static int try_guest(struct err *e)
{
	struct machine m = {-1, -1, -1, NULL};
	char last = 0;
	int r;

	m.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (m.kvm < 0)
		return err_sys(e, errno, "/dev/kvm");
	r = call(m.kvm, KVM_GET_API_VERSION, NULL, "its version", e);
	if (r >= 0 && r != KVM_API_VERSION)
		return err_set(e, ENOTSUP, "KVM of version %d, not %d", r, KVM_API_VERSION);
	if (r >= 0)
		r = prepare(&m, e);
	if (r >= 0)
		r = features(&m, e);
	return r < 0 ? r : run(&m, &last, e);
}

/* 1 = it has said something; 0: it has had its time and said nothing; -ETIME: it has not had its time. */
static int hear(int fd, clockid_t used, struct err *said)
{
	struct pollfd w = {.fd = fd, .events = POLLIN};

	for (int ms = 0; ms < STARVED_MS; ms += PROBE_MS) {
		struct timespec t = {0};

		if (poll(&w, 1, PROBE_MS) == 1)
			return read(fd, said, sizeof *said) == (ssize_t)sizeof *said;
		if (clock_gettime(used, &t) < 0 || t.tv_sec > 0 || t.tv_nsec >= PROBE_MS * 1000000L / 2)
			return 0;
	}
	return -ETIME;
}

/* In a process of its own: one that spins in the guest can be killed, and with it goes all that was made. */
int accel_probe_start(struct accel_probe *a, struct err *e)
{
	int p[2];
	pid_t parent = getpid();

	*a = ACCEL_PROBE_INIT;
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		return err_sys(e, errno, "/dev/kvm");
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, errno, "pipe");
	a->pid = pidfd_clone(0, -1, &a->pidfd);
	if (a->pid == 0) {
		struct err said = ERR_INIT;

		/* a command that is killed leaves none that spins */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		try_guest(&said);
		_exit(write(p[1], &said, sizeof said) == (ssize_t)sizeof said ? 0 : 1);
	}
	close(p[1]);
	if (a->pid < 0) {
		int code = -a->pid;

		close(p[0]);
		*a = ACCEL_PROBE_INIT; /* nobody is heard who never was */
		return err_sys(e, code, "a process for a probe of KVM");
	}
	a->said = p[0];
	return 0;
}

int accel_probe_end(struct accel_probe *a, struct err *e)
{
	struct err said = ERR_INIT;
	clockid_t used;
	int heard = clock_getcpuclockid(a->pid, &used) ? 0 : hear(a->said, used, &said);

	/* it ends by itself, with all that the kernel has to take apart: who waits for that is accel_probe_done() */
	own_fd(&a->said);
	pidfd_kill(a->pidfd, SIGKILL);
	if (heard < 0)
		return err_set(e, ETIME, "this host is too busy to find out whether KVM runs a guest");
	if (!heard)
		return err_set(e, ENOTSUP, "this host's KVM does not bring a guest of some instructions to its end");
	said.msg[sizeof said.msg - 1] = 0;
	return said.code ? err_set(e, said.code, "%s", said.msg) : 0;
}

void accel_probe_done(struct accel_probe *a)
{
	if (a->pid > 0) {
		pidfd_kill(a->pidfd, SIGKILL);
		while (waitpid(a->pid, NULL, __WALL) < 0 && errno == EINTR)
			;
	}
	own_fd(&a->pidfd);
	own_fd(&a->said);
	a->pid = 0;
}

int accel_kvm_probe(struct err *e)
{
	struct accel_probe a;
	int r = accel_probe_start(&a, e);

	if (r == 0)
		r = accel_probe_end(&a, e);
	accel_probe_done(&a);
	return r;
}
