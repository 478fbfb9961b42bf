#include "config.h"

#include "common/clock.h"
#include "common/daemon.h"
#include "common/wire.h"
#include "tests/unit/unit.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

static struct errmsg m;

static void listen_and_connect(void **state)
{
	const char *path = unit_path(*state, "a.sock");
	struct stat st;
	int fd = -1, again = -7, peer;
	static const mode_t modes[] = {0666, 0600, 0660};

	for (size_t i = 0; i < COUNT(modes); i++) {
		umask(077);
		/* the second time over the first one's stale file */
		assert_int_equal(daemon_listen_unix(path, modes[i], &fd, &m), ERR_NONE);
		assert_int_equal(lstat(path, &st), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, modes[i]);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_int_equal(accept(fd, NULL, NULL), -1);
		assert_int_equal(errno, EAGAIN);
		assert_int_equal(wire_connect(path, clock_mono_ms() + 1000, &peer), ERR_NONE);
		close(peer);
		assert_int_equal(daemon_listen_unix(path, 0600, &again, &m), ERR_EXISTS);
		assert_non_null(strstr(m.text, "a.sock"));
		assert_int_equal(again, -7);
		close(fd);
	}
}

static void listen_refused(void **state)
{
	char longer[200];
	const char *path = unit_path(*state, "file");
	int fd = -7;

	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(daemon_listen_unix(longer, 0600, &fd, &m), ERR_INVALID);
	assert_int_equal(daemon_listen_unix("", 0600, &fd, &m), ERR_INVALID);
	unit_write(path, "precious", 8);
	assert_int_equal(daemon_listen_unix(path, 0600, &fd, &m), ERR_INVALID);
	assert_non_null(strstr(m.text, "not a socket"));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(symlink(path, unit_path(*state, "link")), 0);
	assert_int_equal(daemon_listen_unix(unit_path(*state, "link"), 0600, &fd, &m), ERR_INVALID);
	assert_int_equal(daemon_listen_unix(unit_path(*state, "no/such"), 0600, &fd, &m), ERR_IO);
	assert_int_equal(daemon_listen_unix(unit_path(*state, "no/such"), 0600, &fd, NULL), ERR_IO);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(fd, -7);
}

/* A lock that a stranger holds on the folder delays, but does not stop. */
static void folder_locked(void **state)
{
	int dir = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	int64_t start = clock_mono_ms();

	assert_int_equal(flock(dir, LOCK_EX), 0);
	assert_int_equal(daemon_listen_unix(unit_path(*state, "a.sock"), 0600, &fd, &m), ERR_NONE);
	assert_in_range(clock_mono_ms() - start, 900, 5000);
	close(fd);
	close(dir);
}

/* A child: waits for go to close, tries, says how it went, and listens on until hold closes. */
static void try_to_listen(const char *path, int go, int said, int hold)
{
	char c;
	int fd;

	(void)!read(go, &c, 1);
	c = daemon_listen_unix(path, 0600, &fd, NULL) == ERR_NONE ? 'y' : 'n';
	(void)!write(said, &c, 1);
	(void)!read(hold, &c, 1);
	_exit(0);
}

/* Of many that start at once over a stale socket exactly one listens. */
static void started_at_once(void **state)
{
	const char *path = unit_path(*state, "a.sock");
	int go[2], said[2], hold[2], won;
	pid_t child[8];
	char c;

	for (int round = 0; round < 20; round++) {
		won = 0;
		assert_int_equal(pipe2(go, O_CLOEXEC), 0);
		assert_int_equal(pipe2(said, O_CLOEXEC), 0);
		assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
		for (size_t i = 0; i < COUNT(child); i++) {
			child[i] = fork();
			assert_true(child[i] >= 0);
			if (child[i] == 0) {
				close(go[1]);
				close(hold[1]);
				try_to_listen(path, go[0], said[1], hold[0]);
			}
		}
		close(go[0]);
		close(go[1]);
		close(hold[0]);
		for (size_t i = 0; i < COUNT(child); i++) {
			assert_int_equal(read(said[0], &c, 1), 1);
			won += c == 'y';
		}
		close(hold[1]);
		close(said[0]);
		close(said[1]);
		for (size_t i = 0; i < COUNT(child); i++)
			assert_int_equal(waitpid(child[i], NULL, 0), child[i]);
		assert_int_equal(won, 1);
	}
}

static void passed_fds(void **state)
{
	char pid[32];
	int keep[3], pipes[2];

	(void)state;
	snprintf(pid, sizeof pid, "%ld", (long)getpid());
	for (int i = 0; i < 3; i++)
		keep[i] = fcntl(3 + i, F_DUPFD_CLOEXEC, 20);
	assert_int_equal(pipe(pipes), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(dup2(pipes[0], 3 + i), 3 + i);
	unsetenv("LISTEN_PID");
	assert_int_equal(daemon_passed_fd("auth"), -1);
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "3", 1);
	setenv("LISTEN_FDNAMES", "auth:web:mail", 1);
	assert_int_equal(daemon_passed_fd("auth"), 3);
	assert_int_equal(daemon_passed_fd("web"), 4);
	assert_int_equal(daemon_passed_fd("mail"), 5);
	assert_int_equal(fcntl(4, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(4, F_GETFL) & O_NONBLOCK);
	assert_int_equal(daemon_passed_fd("we"), -1);
	assert_int_equal(daemon_passed_fd(""), -1);
	setenv("LISTEN_FDS", "2", 1);
	assert_int_equal(daemon_passed_fd("mail"), -1);
	setenv("LISTEN_FDS", "-3", 1);
	assert_int_equal(daemon_passed_fd("auth"), -1);
	setenv("LISTEN_FDS", "3x", 1);
	assert_int_equal(daemon_passed_fd("auth"), -1);
	setenv("LISTEN_FDS", "99999999999999999999", 1);
	assert_int_equal(daemon_passed_fd("auth"), -1);
	setenv("LISTEN_FDS", "3", 1);
	close(5);
	assert_int_equal(daemon_passed_fd("mail"), -1);
	setenv("LISTEN_PID", "1", 1); /* meant for another process */
	assert_int_equal(daemon_passed_fd("auth"), -1);
	setenv("LISTEN_PID", pid, 1);
	unsetenv("LISTEN_FDNAMES");
	assert_int_equal(daemon_passed_fd("auth"), -1);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	for (int i = 0; i < 3; i++) {
		close(3 + i);
		if (keep[i] >= 0) {
			dup2(keep[i], 3 + i);
			close(keep[i]);
		}
	}
}

static void notify_one(const struct sockaddr_un *sa, socklen_t len, const char *env)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char got[64];

	assert_int_equal(bind(fd, (const struct sockaddr *)sa, len), 0);
	setenv("NOTIFY_SOCKET", env, 1);
	daemon_notify("READY=1\nSTATUS=x");
	assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), 16);
	assert_memory_equal(got, "READY=1\nSTATUS=x", 16);
	close(fd);
	daemon_notify("READY=1"); /* nobody there: no complaint */
	unsetenv("NOTIFY_SOCKET");
}

static void notify(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char abstract[64];

	unsetenv("NOTIFY_SOCKET");
	daemon_notify("READY=1");
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s/n", (char *)*state);
	notify_one(&sa, sizeof sa, sa.sun_path);
	memset(&sa.sun_path, 0, sizeof sa.sun_path);
	snprintf(abstract, sizeof abstract, "@kosmo-unit-%ld", (long)getpid());
	memcpy(sa.sun_path + 1, abstract + 1, strlen(abstract) - 1);
	notify_one(&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(abstract)), abstract);
	setenv("NOTIFY_SOCKET", "relative", 1);
	daemon_notify("READY=1");
	unsetenv("NOTIFY_SOCKET");
}

/* The body runs in a child, for it gives up its ids. Exit status 0: as it should be. */
static void in_child(int (*body)(const char *), const char *dir)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(body(dir));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int becomes_12345(const char *dir)
{
	gid_t groups[8];

	if (daemon_become_owner(dir, NULL) != ERR_NONE)
		return 1;
	if (getuid() != 12345 || geteuid() != 12345 || getgid() != 23456 || getegid() != 23456)
		return 2;
	if (getgroups(8, groups) != 1 || groups[0] != 23456)
		return 3;
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
		return 4;
	return daemon_become_owner(dir, NULL) == ERR_NONE ? 0 : 5; /* already */
}

static int another_user(const char *dir)
{
	struct errmsg why = {0};

	if (setresuid(54321, 54321, 54321) < 0)
		return 1;
	if (daemon_become_owner(dir, &why) != ERR_DENIED)
		return 2;
	return strstr(why.text, "12345") ? 0 : 3;
}

static void become_owner(void **state)
{
	const char *file = unit_path(*state, "f");

	assert_int_equal(daemon_become_owner(unit_path(*state, "no"), &m), ERR_NOTFOUND);
	unit_write(file, "", 0);
	assert_int_equal(daemon_become_owner(file, &m), ERR_INVALID);
	assert_int_equal(daemon_become_owner(*state, &m), ERR_NONE); /* our own: nothing changes */
	if (geteuid() != 0)
		skip(); /* the rest needs root */
	assert_int_equal(geteuid(), 0);
	assert_int_equal(chown(*state, 12345, 23456), 0);
	assert_int_equal(chmod(*state, 0755), 0);
	in_child(becomes_12345, *state);
	in_child(another_user, *state);
}

static int hardened(const char *dir)
{
	struct rlimit core;

	(void)dir;
	daemon_harden();
	if (getrlimit(RLIMIT_CORE, &core) < 0 || core.rlim_cur != 0 || core.rlim_max != 0)
		return 1;
	if (umask(0) != 077)
		return 2;
	if (raise(SIGPIPE) != 0)
		return 3;
	return 0;
}

static void harden(void **state)
{
	in_child(hardened, *state);
}

/* What a stranger wrote ends up within a line, never as a line. */
static int logged(const char *dir)
{
	char line[256] = "";
	const char *bar;
	ssize_t n;
	int fd[2];

	(void)dir;
	if (pipe(fd) < 0 || dup2(fd[1], STDERR_FILENO) < 0)
		return 1;
	daemon_log_open("test_daemon", LOG_USER, true);
	daemon_log(LOG_DEBUG, "refused: %s", "x\nkosmo-keeper[1]:\r\033[2J\t\x7f\xe8\xaa\xad");
	n = read(fd[0], line, sizeof line - 1);
	if (n <= 0)
		return 2;
	bar = strstr(line, ": ");
	return bar != NULL && strcmp(bar, ": refused: x?kosmo-keeper[1]:??[2J??\xe8\xaa\xad\n") == 0 ? 0 : 3;
}

static void log_line(void **state)
{
	in_child(logged, *state);
}

#define WITH_FOLDER(f) cmocka_unit_test_setup_teardown(f, unit_folder, unit_folder_gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_FOLDER(listen_and_connect), WITH_FOLDER(listen_refused),  WITH_FOLDER(folder_locked),
	    WITH_FOLDER(started_at_once),    cmocka_unit_test(passed_fds), WITH_FOLDER(notify),
	    WITH_FOLDER(become_owner),	     WITH_FOLDER(harden),	   WITH_FOLDER(log_line),
	};

	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
