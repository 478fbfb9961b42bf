/* Calls that fail on demand: of libc, OpenSSL, SQLite, libxcrypt and the rest below the keeper's library (-Wl,--wrap,
 * see fault.wrap), SQLite's own system calls and allocations, OpenSSL's allocations. Time stands where a test puts it,
 * naps pass at once, nothing waits for a disk. */
#ifndef KOSMO_UNIT_FAULT_H
#define KOSMO_UNIT_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
	FAULT_LIBC,	  /* malloc to getrandom, crypt(3), libunistring, libpwquality */
	FAULT_OPENSSL,	  /* EVP_*, HMAC */
	FAULT_SQLITE,	  /* sqlite3_* */
	FAULT_SQLITE_SYS, /* what SQLite asks of the kernel */
	FAULT_SQLITE_MEM,
	FAULT_OPENSSL_MEM,
	FAULT__MAX
};

/* Before anything of SQLite's or OpenSSL's is called. */
void fault_install(void);
/* The nth call of this kind from now on fails; with onward all after it too. What it fails with follows n. */
void fault_arm(enum fault_kind kind, long n, bool onward);
/* No more failures. Did any call fail? */
bool fault_disarm(void);
/* What the test itself does in between is left alone. May be nested. */
void fault_pause(void);
void fault_resume(void);

void fault_clock(int64_t now); /* seconds; from here on it stands, but for naps */
long fault_memory(void);       /* blocks that SQLite holds */
const char *fault_name(enum fault_kind kind);

#endif
