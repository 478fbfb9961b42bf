/* What sandbox.c is made of: Landlock (sandbox_files.c) and seccomp (sandbox_calls.c). */
#ifndef KOSMO_SANDBOX_PARTS_H
#define KOSMO_SANDBOX_PARTS_H

#include "common/err.h"
#include <stddef.h>
#include <stdint.h>

/* Who a row of a table is for. The mailer is one of the last two in addition where it talks to a relay or fills a
 * Maildir; what starts sendmail is a process of its own. */
#define SANDBOX_OF(program) (1u << (program))
#define SANDBOX_RELAY	    (1u << 8)
#define SANDBOX_MAILDIR	    (1u << 9)

enum sandbox_access {
	SANDBOX_READ,	/* a file, or everything below a folder */
	SANDBOX_WRITE,	/* files below a folder: read, write, make, rename, remove */
	SANDBOX_UNLINK, /* remove files of a folder: one's own sockets */
	SANDBOX_DEVICE	/* read and write what is there */
};

struct sandbox_file {
	const char *path;
	enum sandbox_access access;
};

/* Both: ERR_NOTFOUND where the kernel (or a filter around us) does not have it, any other failure is one. Files that
 * do not exist are left out. ports: TCP ports that may be connected to, 0 = none; nothing may be bound. */
enum err sandbox_files(const struct sandbox_file *files, size_t n, const uint16_t *ports, size_t n_ports,
		       struct errmsg *m);
enum err sandbox_calls(unsigned who, struct errmsg *m);

#endif
