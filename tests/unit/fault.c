#include "config.h"

#include "fault.h"
#include <crypt.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <pwquality.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <uninorm.h>
#include <unistd.h>

static struct {
	enum fault_kind kind;
	long left, turn; /* left 0: none */
	bool onward, hit;
	int paused;
} fault;

static int64_t clock_ns;
static long sqlite_blocks;

const char *fault_name(enum fault_kind kind)
{
	static const char *const name[FAULT__MAX] = {
	    "libc", "OpenSSL", "SQLite", "SQLite's kernel", "SQLite's memory", "OpenSSL's memory"};

	return name[kind];
}

void fault_arm(enum fault_kind kind, long n, bool onward)
{
	fault.kind = kind;
	fault.left = fault.turn = n;
	fault.onward = onward;
	fault.hit = false;
	fault.paused = 0;
}

bool fault_disarm(void)
{
	fault.left = 0;
	return fault.hit;
}

void fault_pause(void)
{
	fault.paused++;
}

void fault_resume(void)
{
	fault.paused--;
}

static bool now(enum fault_kind kind)
{
	if (fault.left == 0 || fault.paused > 0 || fault.kind != kind)
		return false;
	if (fault.left > 1) {
		fault.left--;
		return false;
	}
	fault.hit = true;
	if (!fault.onward)
		fault.left = 0;
	return true;
}

static int some_errno(void)
{
	static const int each[] = {EIO, ENOSPC, EACCES, ENOMEM, EINTR};

	/* a signal comes once: everybody tries again for ever */
	return each[fault.turn % ((long)(sizeof each / sizeof *each) - fault.onward)];
}

static int some_sqlite(void)
{
	static const int each[] = {SQLITE_IOERR_WRITE, SQLITE_FULL,    SQLITE_NOMEM,	SQLITE_BUSY,
				   SQLITE_IOERR_FSYNC, SQLITE_CORRUPT, SQLITE_INTERRUPT};

	return each[fault.turn % (long)(sizeof each / sizeof *each)];
}

#define WRAP(kind, type, name, params, args, ...)                                                                      \
	type __real_##name params;                                                                                     \
	type __wrap_##name params;                                                                                     \
	type __wrap_##name params                                                                                      \
	{                                                                                                              \
		if (now(kind)) {                                                                                       \
			__VA_ARGS__;                                                                                   \
		}                                                                                                      \
		return __real_##name args;                                                                             \
	}
#define NONE	  return NULL
#define MINUS	  return errno = some_errno(), -1
#define ZERO	  return 0
#define CODE	  return some_sqlite()
#define NO_MEMORY return errno = ENOMEM, NULL

/* ---- libc ---- */

WRAP(FAULT_LIBC, void *, malloc, (size_t n), (n), NO_MEMORY)
WRAP(FAULT_LIBC, void *, calloc, (size_t k, size_t n), (k, n), NO_MEMORY)
WRAP(FAULT_LIBC, void *, realloc, (void *p, size_t n), (p, n), NO_MEMORY)
WRAP(FAULT_LIBC, char *, strdup, (const char *s), (s), NO_MEMORY)
WRAP(FAULT_LIBC, char *, strndup, (const char *s, size_t n), (s, n), NO_MEMORY)
WRAP(FAULT_LIBC, ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), MINUS)
WRAP(FAULT_LIBC, ssize_t, __read_chk, (int fd, void *p, size_t n, size_t cap), (fd, p, n, cap), MINUS)
WRAP(FAULT_LIBC, ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), MINUS)
WRAP(FAULT_LIBC, int, fstat, (int fd, struct stat *st), (fd, st), MINUS)
WRAP(FAULT_LIBC, int, stat, (const char *path, struct stat *st), (path, st), MINUS)
WRAP(FAULT_LIBC, int, lstat, (const char *path, struct stat *st), (path, st), MINUS)
WRAP(FAULT_LIBC, int, fchmod, (int fd, mode_t mode), (fd, mode), MINUS)
WRAP(FAULT_LIBC, char *, realpath, (const char *path, char *ret), (path, ret), NO_MEMORY)
WRAP(FAULT_LIBC, char *, __realpath_chk, (const char *path, char *ret, size_t cap), (path, ret, cap), NO_MEMORY)
WRAP(FAULT_LIBC, ssize_t, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags), MINUS)
WRAP(FAULT_LIBC, int, pthread_setspecific, (pthread_key_t key, const void *p), (key, p), return ENOMEM)
WRAP(FAULT_LIBC, int, sem_wait, (sem_t * s), (s), if (!fault.onward) return errno = EINTR, -1)
WRAP(FAULT_LIBC, struct tm *, localtime_r, (const time_t *t, struct tm *ret), (t, ret), NONE)
WRAP(FAULT_LIBC, struct tm *, gmtime_r, (const time_t *t, struct tm *ret), (t, ret), NONE)
WRAP(FAULT_LIBC, char *, crypt_gensalt_rn,
     (const char *prefix, unsigned long cost, const char *r, int n, char *ret, int cap), (prefix, cost, r, n, ret, cap),
     NO_MEMORY)
WRAP(FAULT_LIBC, uint8_t *, u8_normalize,
     (uninorm_t form, const uint8_t *s, size_t n, uint8_t *restrict ret, size_t *len), (form, s, n, ret, len),
     NO_MEMORY)
WRAP(FAULT_LIBC, int, pwquality_check,
     (pwquality_settings_t * q, const char *text, const char *old, const char *user, void **why),
     (q, text, old, user, why), return PWQ_ERROR_MEM_ALLOC)
WRAP(FAULT_LIBC, pwquality_settings_t *, pwquality_default_settings, (void), (), NONE)

int __wrap_open(const char *path, int flags, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode = 0;

	if (now(FAULT_LIBC))
		MINUS;
	va_start(ap, flags);
	if (flags & O_CREAT)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return __real_open(path, flags, mode);
}

/* Neither the keeper's own syncs nor SQLite's reach the disk: what is tested is what is said, not what survives. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	(void)fd;
	if (now(FAULT_LIBC))
		MINUS;
	return 0;
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	(void)fd;
	if (now(FAULT_SQLITE_SYS))
		MINUS;
	return 0;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
	(void)id;
	if (now(FAULT_LIBC))
		return errno = EPERM, -1; /* as under a filter that knows better than the vDSO */
	ret->tv_sec = clock_ns / 1000000000;
	ret->tv_nsec = clock_ns % 1000000000;
	return 0;
}

int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
	(void)left;
	clock_ns += t->tv_sec * 1000000000 + t->tv_nsec;
	return 0;
}

/* SQLite's. */
__attribute__((visibility("default"))) int usleep(useconds_t us)
{
	clock_ns += (int64_t)us * 1000;
	return 0;
}

void fault_clock(int64_t at)
{
	clock_ns = at * 1000000000;
}

/* The journal is not ours to fill. */
void __wrap_daemon_log(int priority, const char *fmt, ...);
void __wrap_daemon_log(int priority, const char *fmt, ...)
{
	(void)priority, (void)fmt;
}

/* The same text with the same setting comes out the same: hashed once only. */
char *__real_crypt_rn(const char *text, const char *setting, void *data, int size);
char *__wrap_crypt_rn(const char *text, const char *setting, void *data, int size);
char *__wrap_crypt_rn(const char *text, const char *setting, void *data, int size)
{
	static struct {
		char text[64], setting[CRYPT_OUTPUT_SIZE], hash[CRYPT_OUTPUT_SIZE];
	} memo[8];
	static unsigned turn;
	char *to = ((struct crypt_data *)data)->output;
	size_t i;

	if (now(FAULT_LIBC))
		NO_MEMORY;
	for (i = 0; i < sizeof memo / sizeof *memo; i++)
		if (strcmp(memo[i].text, text) == 0 && strcmp(memo[i].setting, setting) == 0) {
			memcpy(to, memo[i].hash, sizeof memo[i].hash);
			return to;
		}
	if (__real_crypt_rn(text, setting, data, size) == NULL)
		return NULL;
	i = turn++ % (sizeof memo / sizeof *memo);
	snprintf(memo[i].text, sizeof memo[i].text, "%s", text);
	snprintf(memo[i].setting, sizeof memo[i].setting, "%s", setting);
	memcpy(memo[i].hash, to, sizeof memo[i].hash);
	return to;
}

/* ---- OpenSSL ---- */

WRAP(FAULT_OPENSSL, EVP_CIPHER_CTX *, EVP_CIPHER_CTX_new, (void), (), NONE)
WRAP(FAULT_OPENSSL, EVP_CIPHER *, EVP_CIPHER_fetch, (OSSL_LIB_CTX * c, const char *name, const char *q), (c, name, q),
     NONE)
WRAP(FAULT_OPENSSL, int, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX * c, int type, int arg, void *p), (c, type, arg, p), ZERO)
WRAP(FAULT_OPENSSL, int, EVP_CipherInit_ex2,
     (EVP_CIPHER_CTX * c, const EVP_CIPHER *k, const unsigned char *key, const unsigned char *iv, int enc,
      const OSSL_PARAM *p),
     (c, k, key, iv, enc, p), ZERO)
WRAP(FAULT_OPENSSL, int, EVP_CipherUpdate,
     (EVP_CIPHER_CTX * c, unsigned char *out, int *n, const unsigned char *in, int len), (c, out, n, in, len), ZERO)
WRAP(FAULT_OPENSSL, int, EVP_CipherFinal_ex, (EVP_CIPHER_CTX * c, unsigned char *out, int *n), (c, out, n), ZERO)
WRAP(FAULT_OPENSSL, EVP_KDF *, EVP_KDF_fetch, (OSSL_LIB_CTX * c, const char *name, const char *q), (c, name, q), NONE)
WRAP(FAULT_OPENSSL, EVP_KDF_CTX *, EVP_KDF_CTX_new, (EVP_KDF * k), (k), NONE)
WRAP(FAULT_OPENSSL, int, EVP_KDF_derive, (EVP_KDF_CTX * c, unsigned char *key, size_t n, const OSSL_PARAM *p),
     (c, key, n, p), ZERO)
WRAP(FAULT_OPENSSL, EVP_MAC *, EVP_MAC_fetch, (OSSL_LIB_CTX * c, const char *name, const char *q), (c, name, q), NONE)
WRAP(FAULT_OPENSSL, EVP_MAC_CTX *, EVP_MAC_CTX_new, (EVP_MAC * m), (m), NONE)
WRAP(FAULT_OPENSSL, int, EVP_MAC_init, (EVP_MAC_CTX * c, const unsigned char *key, size_t n, const OSSL_PARAM *p),
     (c, key, n, p), ZERO)
WRAP(FAULT_OPENSSL, int, EVP_MAC_update, (EVP_MAC_CTX * c, const unsigned char *p, size_t n), (c, p, n), ZERO)
WRAP(FAULT_OPENSSL, int, EVP_MAC_final, (EVP_MAC_CTX * c, unsigned char *out, size_t *n, size_t cap), (c, out, n, cap),
     ZERO)
WRAP(FAULT_OPENSSL, int, EVP_PKEY_fromdata, (EVP_PKEY_CTX * c, EVP_PKEY **key, int what, OSSL_PARAM *p),
     (c, key, what, p), ZERO)
WRAP(FAULT_OPENSSL, int, EVP_DigestVerifyInit_ex,
     (EVP_MD_CTX * c, EVP_PKEY_CTX **k, const char *md, OSSL_LIB_CTX *lib, const char *props, EVP_PKEY *key,
      const OSSL_PARAM *p),
     (c, k, md, lib, props, key, p), ZERO)
WRAP(FAULT_OPENSSL, int, EVP_DigestVerify,
     (EVP_MD_CTX * c, const unsigned char *sig, size_t n, const unsigned char *p, size_t len), (c, sig, n, p, len),
     ZERO)
WRAP(FAULT_OPENSSL, unsigned char *, HMAC,
     (const EVP_MD *md, const void *key, int klen, const unsigned char *p, size_t n, unsigned char *ret, unsigned *len),
     (md, key, klen, p, n, ret, len), NONE)

/* ---- SQLite ---- */

WRAP(FAULT_SQLITE, int, sqlite3_prepare_v3,
     (sqlite3 * sq, const char *sql, int n, unsigned flags, sqlite3_stmt **ret, const char **tail),
     (sq, sql, n, flags, ret, tail), *ret = NULL;
     CODE)
WRAP(FAULT_SQLITE, int, sqlite3_bind_null, (sqlite3_stmt * s, int i), (s, i), return SQLITE_NOMEM)
WRAP(FAULT_SQLITE, int, sqlite3_bind_int64, (sqlite3_stmt * s, int i, sqlite3_int64 v), (s, i, v), return SQLITE_NOMEM)
WRAP(FAULT_SQLITE, int, sqlite3_bind_text64,
     (sqlite3_stmt * s, int i, const char *p, sqlite3_uint64 n, void (*f)(void *), unsigned char enc),
     (s, i, p, n, f, enc), return SQLITE_NOMEM)
WRAP(FAULT_SQLITE, int, sqlite3_bind_blob64,
     (sqlite3_stmt * s, int i, const void *p, sqlite3_uint64 n, void (*f)(void *)), (s, i, p, n, f),
     return SQLITE_NOMEM)
WRAP(FAULT_SQLITE, const unsigned char *, sqlite3_column_text, (sqlite3_stmt * s, int i), (s, i), NONE)
WRAP(FAULT_SQLITE, const void *, sqlite3_column_blob, (sqlite3_stmt * s, int i), (s, i), NONE)
WRAP(FAULT_SQLITE, int, sqlite3_exec,
     (sqlite3 * sq, const char *sql, int (*f)(void *, int, char **, char **), void *arg, char **why),
     (sq, sql, f, arg, why), CODE)
WRAP(FAULT_SQLITE, int, sqlite3_open_v2, (const char *path, sqlite3 **ret, int flags, const char *vfs),
     (path, ret, flags, vfs), *ret = NULL;
     return SQLITE_NOMEM)
WRAP(FAULT_SQLITE, int, sqlite3_wal_checkpoint_v2, (sqlite3 * sq, const char *name, int mode, int *log, int *done),
     (sq, name, mode, log, done), CODE)

int __real_sqlite3_step(sqlite3_stmt *s);
int __wrap_sqlite3_step(sqlite3_stmt *s);
int __wrap_sqlite3_step(sqlite3_stmt *s)
{
	/* A prepared ROLLBACK neither allocates nor asks the disk for leave. */
	if (strcmp(sqlite3_sql(s), "ROLLBACK") != 0 && now(FAULT_SQLITE))
		CODE;
	return __real_sqlite3_step(s);
}

/* ---- what SQLite asks of the kernel (its own table of system calls) ---- */

#define SYSTEM(type, name, params, args)                                                                               \
	static type(*real_##name) params;                                                                              \
	static type sys_##name params                                                                                  \
	{                                                                                                              \
		if (now(FAULT_SQLITE_SYS))                                                                             \
			MINUS;                                                                                         \
		return real_##name args;                                                                               \
	}

SYSTEM(int, access, (const char *path, int mode), (path, mode))
SYSTEM(int, fstat, (int fd, struct stat *st), (fd, st))
SYSTEM(int, stat, (const char *path, struct stat *st), (path, st))
SYSTEM(int, lstat, (const char *path, struct stat *st), (path, st))
SYSTEM(int, ftruncate, (int fd, off_t n), (fd, n))
SYSTEM(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
SYSTEM(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
SYSTEM(ssize_t, pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
SYSTEM(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
SYSTEM(ssize_t, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
SYSTEM(ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
SYSTEM(int, fchmod, (int fd, mode_t mode), (fd, mode))
SYSTEM(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
SYSTEM(int, unlink, (const char *path), (path))
SYSTEM(int, open, (const char *path, int flags, int mode), (path, flags, mode))
SYSTEM(int, openDirectory, (const char *path, int *ret), (path, ret))

/* All its locks. */
static int (*real_fcntl)(int fd, int what, ...);
static int sys_fcntl(int fd, int what, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, what);
	arg = va_arg(ap, void *);
	va_end(ap);
	/* no kernel refuses to unlock */
	if (!(what == F_SETLK && ((struct flock *)arg)->l_type == F_UNLCK) && now(FAULT_SQLITE_SYS))
		return errno = fault.turn % 2 != 0 ? EAGAIN : EIO, -1;
	return real_fcntl(fd, what, arg);
}

static void *(*real_mmap)(void *at, size_t n, int prot, int flags, int fd, off_t from);
static void *sys_mmap(void *at, size_t n, int prot, int flags, int fd, off_t from)
{
	if (now(FAULT_SQLITE_SYS))
		return errno = ENOMEM, MAP_FAILED;
	return real_mmap(at, n, prot, flags, fd, from);
}

static void install_system(void)
{
#define ROW(name)                                                                                                      \
	{                                                                                                              \
#name, (sqlite3_syscall_ptr)sys_##name, (sqlite3_syscall_ptr *)&real_##name                            \
	}
	const struct {
		const char *name;
		sqlite3_syscall_ptr ours, *real;
	} each[] = {ROW(access), ROW(fstat),   ROW(stat),  ROW(lstat),	       ROW(ftruncate), ROW(read),
		    ROW(pread),	 ROW(pread64), ROW(write), ROW(pwrite),	       ROW(pwrite64),  ROW(fchmod),
		    ROW(fchown), ROW(unlink),  ROW(open),  ROW(openDirectory), ROW(fcntl),     ROW(mmap)};
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	for (size_t i = 0; i < sizeof each / sizeof *each; i++) {
		*each[i].real = vfs->xGetSystemCall(vfs, each[i].name);
		if (*each[i].real != NULL) /* some are left out of some builds */
			(void)vfs->xSetSystemCall(vfs, each[i].name, each[i].ours);
	}
}

/* ---- memory of SQLite and of OpenSSL ---- */

static sqlite3_mem_methods memory;

static void *sqlite_malloc(int n)
{
	void *p = now(FAULT_SQLITE_MEM) ? NULL : memory.xMalloc(n);

	sqlite_blocks += p != NULL;
	return p;
}

static void sqlite_free(void *p)
{
	sqlite_blocks -= p != NULL;
	memory.xFree(p);
}

static void *sqlite_realloc(void *p, int n)
{
	return now(FAULT_SQLITE_MEM) ? NULL : memory.xRealloc(p, n);
}

long fault_memory(void)
{
	return sqlite_blocks;
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return now(FAULT_OPENSSL_MEM) ? NULL : __real_malloc(n);
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file, (void)line;
	return now(FAULT_OPENSSL_MEM) ? NULL : __real_realloc(p, n);
}

static void openssl_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	free(p);
}

void fault_install(void)
{
	sqlite3_mem_methods ours;

	if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1 ||
	    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) != SQLITE_OK)
		abort();
	ours = memory;
	ours.xMalloc = sqlite_malloc;
	ours.xFree = sqlite_free;
	ours.xRealloc = sqlite_realloc;
	/* no lookaside: each small allocation is one that can fail */
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) != SQLITE_OK ||
	    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) != SQLITE_OK ||
	    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK || sqlite3_initialize() != SQLITE_OK)
		abort();
	install_system();
}
