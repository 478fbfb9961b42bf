/* The one codec of every socket: a message is a kind, a request id and a short list of named byte strings.
 *
 *   u32 length of what follows (at most WIRE_MAX)      all numbers big-endian
 *   u32 request id                                     chosen by the asker, echoed by the answer
 *   name  kind
 *   u16 number of fields (at most WIRE_FIELDS)
 *   field: name, u32 length, bytes, NUL
 *   name:  u8 length (1..63), bytes [a-z0-9._-], NUL
 *
 * The NULs let a reader use names and values in place as C strings. A name occurs once. Nothing may trail. */
#ifndef KOSMO_WIRE_H
#define KOSMO_WIRE_H

#include "common/buf.h"
#include "common/err.h"

#define WIRE_MAX    (96 * 1024)
#define WIRE_FIELDS 512
#define WIRE_HEAD   4 /* bytes of the length prefix */

struct wire_field {
	const char *name;
	const uint8_t *data;
	size_t len;
};

/* A parsed message: points into the caller's bytes and lives as long as they do. About 12 KiB: not for deep stacks. */
struct wire_msg {
	uint32_t id;
	const char *kind;
	size_t n;
	struct wire_field field[WIRE_FIELDS];
};

/* Writing: begin, put..., end. Errors (memory, sizes, bad or repeated names are the caller's bug) come out at the end.
 */
void wire_begin(struct buf *b, uint32_t id, const char *kind);
void wire_put(struct buf *b, const char *name, const void *data, size_t len);
void wire_puts(struct buf *b, const char *name, const char *s); /* NULL puts nothing */
void wire_puti(struct buf *b, const char *name, int64_t v);	/* decimal */
/* Patches length and count; ERR_NOMEM, ERR_TOOBIG. The buffer then holds the whole frame with its length prefix. */
enum err wire_end(struct buf *b);

/* The length that a prefix announces, or 0 if it is over WIRE_MAX or under the smallest message. */
size_t wire_length(const uint8_t head[static WIRE_HEAD]);
/* Parses the bytes behind the prefix. ERR_INVALID for anything not exactly as above; *ret is then undefined. */
enum err wire_parse(const uint8_t *p, size_t len, struct wire_msg *ret);

const struct wire_field *wire_get(const struct wire_msg *m, const char *name); /* NULL if absent */
/* The value as a C string; NULL if absent or if it holds a NUL byte. */
const char *wire_str(const struct wire_msg *m, const char *name);
/* A decimal number; ERR_NOTFOUND if absent, ERR_INVALID if it is not one or does not fit. */
enum err wire_int(const struct wire_msg *m, const char *name, int64_t *ret);

/* Blocking transfer of one frame over a socket until a clock_mono_ms deadline: ERR_TIMEOUT, ERR_IO (closed or broken),
 * ERR_INVALID (length). Never raises SIGPIPE. recv appends the message without its prefix to *ret. */
enum err wire_send(int fd, const struct buf *frame, int64_t deadline_ms);
enum err wire_recv(int fd, struct buf *ret, int64_t deadline_ms);
/* Connects to a Unix stream socket (CLOEXEC). ERR_IO with errno, ERR_TIMEOUT, ERR_INVALID for a path that is too long.
 */
enum err wire_connect(const char *path, int64_t deadline_ms, int *ret_fd);

#endif
