/* Tries, within the sandbox of one of the daemons, what it needs and what it must not be able to do; a child each.
 *
 *   sandbox_probe keeper|enrolld|mailer|none CONF PID      PID: a process of another program, of the keeper as a rule
 *
 * prints "landlock VERSION" (0: none), then "NAME ok", "NAME EPERM" and so on, or "NAME SIGSYS". */
#include "config.h"

#include "common/conf.h"
#include "common/sandbox.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct conf *conf;
static pid_t victim;
static int accepted = -1; /* a TCP connection that somebody made to us */
static int pipe_read = -1;
static struct sockaddr_in elsewhere; /* a port that is none of our business */

static int said(long r)
{
	return r < 0 ? errno : 0;
}

static const char *at(const char *dir, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static const char *of_victim(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)victim, name);
	return path;
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	/* an open that works is no proof where only the reading is refused */
	if (fd >= 0 && (flags & O_ACCMODE) == O_RDONLY && !(flags & O_DIRECTORY)) {
		char c;

		return said(read(fd, &c, 1));
	}
	return said(fd);
}

/* ---- files ---- */

static int read_key(void)
{
	return opens(at(conf->state_dir, "key"), O_RDONLY);
}
static int read_store(void)
{
	return opens(at(conf->state_dir, "kosmo.db"), O_RDONLY);
}
static int write_store(void)
{
	return opens(at(conf->state_dir, "kosmo.db"), O_WRONLY);
}
static int truncate_decoy(void)
{
	return said(truncate(at(conf->state_dir, "decoy"), 0));
}
static int chmod_decoy(void)
{
	return said(chmod(at(conf->state_dir, "decoy"), 0666));
}
static int remove_decoy(void)
{
	return said(unlink(at(conf->state_dir, "decoy")));
}
static int list_state(void)
{
	return opens(conf->state_dir, O_RDONLY | O_DIRECTORY);
}
static int make_state(void)
{
	return opens(at(conf->state_dir, "made"), O_WRONLY | O_CREAT);
}
static int make_folder(void)
{
	return said(mkdir(at(conf->state_dir, "folder"), 0700));
}
static int make_socket(void)
{
	return said(mknod(at(conf->state_dir, "socket"), S_IFSOCK | 0600, 0));
}
static int read_conf(void)
{
	return opens(conf->file, O_RDONLY);
}
static int read_terms(void)
{
	return opens(at(conf->site_dir, "terms.en.md"), O_RDONLY);
}
static int write_terms(void)
{
	return opens(at(conf->site_dir, "terms.en.md"), O_WRONLY);
}
static int read_passwd(void)
{
	return opens("/etc/passwd", O_RDONLY);
}
static int read_library(void)
{
	return opens("/usr/share", O_RDONLY | O_DIRECTORY);
}
static int read_root(void)
{
	return opens("/", O_RDONLY | O_DIRECTORY);
}
static int make_tmp(void)
{
	return opens("/tmp/kosmo-sandbox-probe", O_WRONLY | O_CREAT | O_EXCL);
}

static int link_key(void)
{
	char to[PATH_MAX];

	snprintf(to, sizeof to, "%s/key", conf->site_dir);
	return said(link(at(conf->state_dir, "key"), to));
}

static int deliver(void)
{
	char from[PATH_MAX], to[PATH_MAX];
	int e;

	snprintf(from, sizeof from, "%s/tmp/probe", conf->mail_maildir);
	snprintf(to, sizeof to, "%s/new/probe", conf->mail_maildir);
	e = opens(from, O_WRONLY | O_CREAT | O_EXCL);
	if (e == 0)
		e = said(rename(from, to));
	if (e == 0)
		e = said(unlink(to));
	return e;
}

/* ---- other processes ---- */

static int victim_memory(void)
{
	return opens(of_victim("mem"), O_RDWR);
}
static int victim_environment(void)
{
	return opens(of_victim("environ"), O_RDONLY);
}
static int victim_maps(void)
{
	return opens(of_victim("maps"), O_RDONLY);
}
static int victim_files(void)
{
	return opens(of_victim("fd"), O_RDONLY | O_DIRECTORY);
}
static int own_memory(void)
{
	return opens("/proc/self/mem", O_RDWR);
}
static int victim_signal(void)
{
	return said(kill(victim, 0));
}
static int victim_thread_signal(void)
{
	return said(syscall(SYS_tgkill, victim, victim, 0));
}
static int victim_ptrace(void)
{
	return said(ptrace(PTRACE_SEIZE, victim, NULL, NULL));
}
static int victim_limits(void)
{
	return said(syscall(SYS_prlimit64, victim, 7, NULL, (char[16]){0}));
}

static int victim_read(void)
{
	char c;
	struct iovec here = {&c, 1}, there = {conf, 1}; /* EFAULT would do as well: it was allowed to look */

	return said(process_vm_readv(victim, &here, 1, &there, 1, 0)) == EFAULT ? 0 : errno;
}

static int victim_descriptor(void)
{
	int fd = (int)syscall(SYS_pidfd_open, victim, 0);

	return fd < 0 ? errno : said(syscall(SYS_pidfd_getfd, fd, 0, 0));
}

/* A signal by way of a pipe's owner. */
static int victim_owns(void)
{
	return said(fcntl(pipe_read, F_SETOWN, victim));
}

static int victim_owns_ioctl(void)
{
	int pid = victim;

	return said(ioctl(accepted, FIOSETOWN, &pid));
}

/* ---- programs and privileges ---- */

static int run_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return errno;
}

static int make_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return said(pid);
}

static int become_root(void)
{
	return said(setresuid(0, 0, 0));
}
static int be_dumpable(void)
{
	return said(prctl(PR_SET_DUMPABLE, 1));
}
static int mounts(void)
{
	return said(mount("none", "/mnt", "tmpfs", 0, NULL));
}
static int new_namespace(void)
{
	return said(unshare(CLONE_NEWUSER));
}
static int bpf(void)
{
	return said(syscall(SYS_bpf, 0, NULL, 0));
}
static int keyring(void)
{
	return said(syscall(SYS_keyctl, 0, -3, 0));
}
static int ring(void)
{
	return said(syscall(SYS_io_uring_setup, 1, (char[256]){0}));
}
static int page_faults(void)
{
	return said(syscall(SYS_userfaultfd, 0));
}

static int memory_wx(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int memory_then_x(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? ENOMEM : said(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

/* ---- the network ---- */

static int socket_inet(void)
{
	return said(socket(AF_INET, SOCK_STREAM, 0));
}
static int socket_inet6(void)
{
	return said(socket(AF_INET6, SOCK_DGRAM, 0));
}
static int socket_netlink(void)
{
	return said(socket(AF_NETLINK, SOCK_RAW, 0));
}
static int socket_packet(void)
{
	return said(socket(AF_PACKET, SOCK_RAW, 0));
}

static int connects(int fd, const struct sockaddr_in *to)
{
	return said(connect(fd, (const struct sockaddr *)to, sizeof *to));
}

/* What the network handed us becomes a connection of our own. */
static int reconnect(void)
{
	const struct sockaddr_in none = {.sin_family = AF_UNSPEC};
	int e = connects(accepted, &none);

	return e ? e : connects(accepted, &elsewhere);
}

static int connect_elsewhere(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? errno : connects(fd, &elsewhere);
}

static int connect_relay(void)
{
	const char *colon = strrchr(conf->mail_smtp, ':');
	struct sockaddr_in relay = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), e;

	relay.sin_port = htons((uint16_t)(colon ? strtoul(colon + 1, NULL, 10) : 0));
	e = fd < 0 ? errno : connects(fd, &relay);
	return e == ECONNREFUSED ? 0 : e; /* nobody is there, but one may call */
}

static int listen_tcp(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? errno : said(bind(fd, (const struct sockaddr *)&any, sizeof any));
}

/* ---- what they need ---- */

static int connect_keeper(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/web.sock", conf->run_dir);
	return fd < 0 ? errno : said(connect(fd, (const struct sockaddr *)&sa, sizeof sa));
}

static void *nothing(void *arg)
{
	return arg;
}

static int make_thread(void)
{
	pthread_t t;
	int e = pthread_create(&t, NULL, nothing, NULL);

	return e ? e : pthread_join(t, NULL);
}

/* dlopen's cancellation library, a converter: what glibc fetches when it is first used. */
static int load_library(void)
{
	return dlopen("libgcc_s.so.1", RTLD_NOW) ? 0 : EACCES;
}
static int ask_users(void)
{
	return getpwuid(0) ? 0 : EACCES;
}

static int ask_names(void)
{
	struct addrinfo *ai = NULL;
	int e = getaddrinfo("localhost", "25", NULL, &ai);

	return e ? EACCES : 0;
}

static const struct {
	const char *name;
	int (*tries)(void);
} attempts[] = {
#define TRY(f)                                                                                                         \
	{                                                                                                              \
#f, f                                                                                                  \
	}
    TRY(read_key),
    TRY(read_store),

    TRY(write_store),
    TRY(truncate_decoy),
    TRY(chmod_decoy),
    TRY(link_key),
    TRY(list_state),
    TRY(make_state),
    TRY(make_folder),
    TRY(make_socket),
    TRY(remove_decoy),
    TRY(read_conf),
    TRY(read_terms),
    TRY(write_terms),
    TRY(read_passwd),
    TRY(read_library),
    TRY(read_root),
    TRY(make_tmp),
    TRY(deliver),
    TRY(victim_memory),
    TRY(victim_environment),
    TRY(victim_maps),
    TRY(victim_files),
    TRY(own_memory),
    TRY(victim_signal),
    TRY(victim_thread_signal),
    TRY(victim_ptrace),
    TRY(victim_limits),
    TRY(victim_read),
    TRY(victim_descriptor),
    TRY(victim_owns),
    TRY(victim_owns_ioctl),
    TRY(run_program),
    TRY(make_child),
    TRY(become_root),
    TRY(be_dumpable),
    TRY(mounts),
    TRY(new_namespace),
    TRY(bpf),
    TRY(keyring),
    TRY(ring),
    TRY(page_faults),
    TRY(memory_wx),
    TRY(memory_then_x),
    TRY(socket_inet),
    TRY(socket_inet6),
    TRY(socket_netlink),
    TRY(socket_packet),
    TRY(reconnect),
    TRY(connect_elsewhere),
    TRY(connect_relay),
    TRY(listen_tcp),
    TRY(connect_keeper),
    TRY(make_thread),
    TRY(load_library),
    TRY(ask_users),
    TRY(ask_names),
};

static const char *const programs[] = {
    [SANDBOX_KEEPER] = "keeper", [SANDBOX_ENROLLD] = "enrolld", [SANDBOX_MAILER] = "mailer", "none"};

#define NONE (SANDBOX_MAILER + 1)

static unsigned program_of(const char *name)
{
	for (unsigned i = 0; i <= NONE; i++)
		if (strcmp(programs[i], name) == 0)
			return i;
	fprintf(stderr, "%s: no such program\n", name);
	exit(2);
}

static void prepare(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof sa;
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), p[2];

	if (l < 0 || c < 0 || bind(l, (struct sockaddr *)&sa, n) || listen(l, 16) ||
	    getsockname(l, (struct sockaddr *)&sa, &n) || connect(c, (struct sockaddr *)&sa, n) ||
	    (accepted = accept(l, NULL, NULL)) < 0 || pipe(p)) {
		perror("sandbox_probe");
		exit(1);
	}
	elsewhere = sa;
	pipe_read = p[0];
}

static int attempt(unsigned program, int (*tries)(void))
{
	struct sandbox_lacks lacks;
	struct errmsg m;

	if (program != NONE && sandbox_enter((enum sandbox_program)program, conf, &lacks, &m) != ERR_NONE) {
		fprintf(stderr, "%s\n", m.text);
		return 255;
	}
	return tries();
}

int main(int argc, char **argv)
{
	struct errmsg m;
	unsigned program;
	long abi;

	if (argc != 4)
		return 2;
	program = program_of(argv[1]);
	victim = (pid_t)strtol(argv[3], NULL, 10);
	if (victim <= 0 || conf_load(argv[2], &conf, &m) != ERR_NONE) {
		fprintf(stderr, "%s\n", m.text);
		return 1;
	}
	prepare();
	abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1);
	printf("landlock %ld\n", abi > 0 ? abi : 0);
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		pid_t pid;
		int status;

		fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(attempt(program, attempts[i].tries));
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		if (WIFSIGNALED(status))
			printf("%s SIG%s\n", attempts[i].name, sigabbrev_np(WTERMSIG(status)));
		else
			printf("%s %s\n", attempts[i].name,
			       WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "ok");
	}
	conf_free(conf);
	return 0;
}
