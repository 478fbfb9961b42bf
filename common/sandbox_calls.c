/* seccomp: which system calls a program may make. By names, so that the filter is right on every architecture. */
#include "config.h"

#include "common/sandbox.h"
#include "common/sandbox_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/hidraw.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEEPER	SANDBOX_OF(SANDBOX_KEEPER)
#define ENROLLD SANDBOX_OF(SANDBOX_ENROLLD)
#define MAILER	SANDBOX_OF(SANDBOX_MAILER)
#define RELAY	SANDBOX_RELAY
#define ALL	(KEEPER | ENROLLD | MAILER)
#define FIDO2	SANDBOX_OF(SANDBOX_FIDO2)
#define LETTERS SANDBOX_OF(SANDBOX_LETTERS)

/* Any arguments. What is in neither table is answered with EPERM. Names of other architectures and of younger kernels
 * than libseccomp knows are skipped. */
static const struct {
	unsigned who;
	const char *names; /* separated by spaces */
} calls_allowed[] = {
    {ALL, "read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek close close_range "
	  "dup dup2 dup3 pipe pipe2 eventfd2 flock"},
    {ALL, "access faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx statfs "
	  "statfs64 fstatfs fstatfs64 readlink readlinkat getdents getdents64 getcwd fadvise64 fadvise64_64 "
	  "arm_fadvise64_64 umask"},
    {ALL, "poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl "
	  "epoll_wait epoll_pwait epoll_pwait2"},
    {ALL, "accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt send sendto sendmsg "
	  "sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64"},
    {ALL | FIDO2 | LETTERS,
     "brk munmap mremap madvise futex futex_time64 futex_waitv membarrier rseq set_robust_list get_robust_list "
     "set_tid_address set_tls exit exit_group sched_yield sched_getaffinity sched_getparam sched_getscheduler "
     "sched_get_priority_min sched_get_priority_max restart_syscall"},
    {ALL | FIDO2 | LETTERS,
     "rt_sigaction rt_sigprocmask rt_sigreturn sigreturn rt_sigpending rt_sigtimedwait rt_sigtimedwait_time64 "
     "sigaltstack"},
    {ALL | FIDO2 | LETTERS,
     "clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep clock_nanosleep_time64 "
     "gettimeofday nanosleep time times getrusage getrandom sysinfo uname getcpu"},
    {ALL | FIDO2 | LETTERS,
     "getpid getppid gettid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid "
     "getresuid32 getresgid getresgid32 getgroups getgroups32 getrlimit ugetrlimit"},
    /* SQLite's files; systemd's user database; one's own sockets at the end */
    {KEEPER, "open openat fsync fdatasync ftruncate ftruncate64 fallocate fchmod fchown fchown32 rename renameat "
	     "renameat2 unlink unlinkat timerfd_create timerfd_settime timerfd_settime64 timerfd_gettime "
	     "timerfd_gettime64 setrlimit"},
    {MAILER, "open openat fsync fdatasync rename renameat renameat2 unlink unlinkat"},
    {ENROLLD, "sendfile sendfile64 setrlimit"},
    /* keys that are open, and the module's socket */
    /* fonts that are read, and the file that is open */
    {LETTERS,
     "read readv pread64 write writev lseek _llseek close close_range dup poll ppoll ppoll_time64 access "
     "faccessat faccessat2 stat stat64 lstat lstat64 fstat fstat64 newfstatat fstatat64 statx statfs statfs64 "
     "fstatfs fstatfs64 readlink readlinkat getdents getdents64 getcwd fadvise64 fadvise64_64 arm_fadvise64_64 "
     "eventfd2 send sendto sendmsg recv recvfrom recvmsg"},
    {FIDO2, "read readv write writev close fstat fstat64 newfstatat poll ppoll ppoll_time64 send sendto recv recvfrom"},
};

/* One condition; rows of one call are joined by "or". */
#define EQ(n, value)                                                                                                   \
	{                                                                                                              \
		n, SCMP_CMP_EQ, value, 0                                                                               \
	}
#define MASKED(n, mask, value)                                                                                         \
	{                                                                                                              \
		n, SCMP_CMP_MASKED_EQ, mask, value                                                                     \
	}
/* On s390 the first two arguments of clone are the other way round. */
#if defined(__s390__)
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif
#define CLONE_NEW                                                                                                      \
	(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP)
/* F_GETLK64 and so on where a file's offset has 32 bits by itself; elsewhere the names are those of F_GETLK. */
#define LOCK64_GET  12
#define LOCK64_SET  13
#define LOCK64_WAIT 14
#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC)

static const struct {
	unsigned who;
	const char *names;
	struct scmp_arg_cmp arg;
} calls_limited[] = {
    {ALL, "socket", EQ(0, AF_UNIX)},
    {RELAY, "socket", EQ(0, AF_INET)},
    {RELAY, "socket", EQ(0, AF_INET6)},
    {ALL, "socketpair", EQ(0, AF_UNIX)},
    {ENROLLD | LETTERS, "open", MASKED(1, OPEN_WRITES, O_RDONLY)},
    {ENROLLD | LETTERS, "openat", MASKED(2, OPEN_WRITES, O_RDONLY)},
    /* a thread, not a child; glibc takes clone where clone3 is not there */
    {ALL | LETTERS, "clone", MASKED(CLONE_FLAGS, CLONE_THREAD | CLONE_NEW, CLONE_THREAD)},
    /* never writable and executable, never executable later: code comes from files alone (a library loaded late) */
    {ALL | FIDO2 | LETTERS, "mmap mmap2", MASKED(2, PROT_EXEC, 0)},
    {ALL | FIDO2 | LETTERS, "mmap mmap2", MASKED(2, PROT_WRITE, 0)},
    {ALL | FIDO2 | LETTERS, "mprotect", MASKED(2, PROT_EXEC, 0)},
    {ALL, "prlimit64", EQ(0, 0)},
    /* threads that hash for the web door step back behind the terminal's */
    {KEEPER, "setpriority", EQ(0, PRIO_PROCESS)},
    {ALL | LETTERS, "prctl", EQ(0, PR_SET_NAME)},
    {ALL, "prctl", EQ(0, PR_GET_NAME)},
    {ALL, "prctl", EQ(0, PR_GET_DUMPABLE)},
    /* no F_SETOWN, F_SETSIG: they send signals to others */
    {ALL, "fcntl fcntl64", EQ(1, F_DUPFD)},
    {ALL | LETTERS, "fcntl fcntl64", EQ(1, F_DUPFD_CLOEXEC)},
    {ALL | LETTERS, "fcntl fcntl64", EQ(1, F_GETFD)},
    {ALL | LETTERS, "fcntl fcntl64", EQ(1, F_SETFD)},
    {ALL | LETTERS, "fcntl fcntl64", EQ(1, F_GETFL)},
    {ALL | LETTERS, "fcntl fcntl64", EQ(1, F_SETFL)},
    {ALL, "fcntl fcntl64", EQ(1, F_GETLK)},
    {ALL, "fcntl fcntl64", EQ(1, F_SETLK)},
    {ALL, "fcntl fcntl64", EQ(1, F_SETLKW)},
    {ALL, "fcntl64", EQ(1, LOCK64_GET)},
    {ALL, "fcntl64", EQ(1, LOCK64_SET)},
    {ALL, "fcntl64", EQ(1, LOCK64_WAIT)},
    {ALL, "ioctl", EQ(1, FIONREAD)},
    {ALL, "ioctl", EQ(1, FIONBIO)},
    {ALL, "ioctl", EQ(1, TCGETS)},
    {FIDO2, "ioctl", EQ(1, HIDIOCGRDESCSIZE)},
    {FIDO2, "ioctl", EQ(1, HIDIOCGRDESC)},
};

/* What no library tries by accident: whoever makes these calls is not us any more. */
static const char calls_deadly[] =
    "ptrace process_vm_readv process_vm_writev pidfd_getfd execve execveat uselib "
    "init_module finit_module delete_module kexec_load kexec_file_load bpf perf_event_open userfaultfd "
    "mount umount umount2 mount_setattr move_mount open_tree fsopen fsmount fsconfig fspick pivot_root chroot unshare "
    "setns open_by_handle_at swapon swapoff reboot acct quotactl settimeofday clock_settime clock_settime64 adjtimex "
    "sethostname setdomainname iopl ioperm modify_ldt vm86 vm86old";

/* Every name with these conditions. */
static int calls_add(scmp_filter_ctx f, uint32_t action, const char *names, unsigned n, const struct scmp_arg_cmp *arg)
{
	char name[64];
	int r = 0;

	while (r == 0 && *names) {
		size_t len = strcspn(names, " ");
		int nr;

		if (len >= sizeof name)
			return -EINVAL;
		memcpy(name, names, len);
		name[len] = '\0';
		nr = seccomp_syscall_resolve_name(name);
		if (nr != __NR_SCMP_ERROR)
			r = seccomp_rule_add_array(f, action, nr, n, arg);
		if (r == -EDOM) /* not on this architecture */
			r = 0;
		names += len;
		names += strspn(names, " ");
	}
	return r;
}

static int calls_fill(scmp_filter_ctx f, unsigned who)
{
	const struct scmp_arg_cmp own = EQ(0, (scmp_datum_t)getpid());
	int r = calls_add(f, SCMP_ACT_KILL_PROCESS, calls_deadly, 0, NULL);

	for (size_t i = 0; r == 0 && i < sizeof calls_allowed / sizeof *calls_allowed; i++)
		if (calls_allowed[i].who & who)
			r = calls_add(f, SCMP_ACT_ALLOW, calls_allowed[i].names, 0, NULL);
	for (size_t i = 0; r == 0 && i < sizeof calls_limited / sizeof *calls_limited; i++)
		if (calls_limited[i].who & who)
			r = calls_add(f, SCMP_ACT_ALLOW, calls_limited[i].names, 1, &calls_limited[i].arg);
	if (r == 0) /* abort(3) */
		r = calls_add(f, SCMP_ACT_ALLOW, "tgkill", 1, &own);
	if (r == 0)
		r = calls_add(f, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
	return r;
}

/* Threads and hashes shall not run slower for it: the code in here is our own, not some script's. */
static int calls_attributes(scmp_filter_ctx f)
{
	int r = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list */

	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB,
				     1); /* no mitigation of speculation by itself (before 5.16) */
	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	return r;
}

static bool calls_available(void)
{
	const uint32_t action = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0L, &action) == 0;
}

enum err sandbox_calls(unsigned who, struct errmsg *m)
{
	scmp_filter_ctx f = NULL;
	int r = -ENOMEM;

	if (!calls_available())
		return ERR_NOTFOUND;
	f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (f)
		r = calls_attributes(f);
	if (r == 0)
		r = calls_fill(f, who);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	return r == 0 ? ERR_NONE : err_set(m, ERR_INTERNAL, "sandbox: seccomp: %s", strerror(-r));
}
