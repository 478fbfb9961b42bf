#include "config.h"

#include "common/clock.h"
#include "common/wire.h"
#include "tests/unit/unit.h"
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct wire_msg msg;

/* {kind "begin", id 0x01020304, user "alice", empty "", bin a NUL b, n -5} */
static void sample(struct buf *b)
{
	wire_begin(b, 0x01020304, "begin");
	wire_puts(b, "user", "alice");
	wire_puts(b, "empty", "");
	wire_puts(b, "absent", NULL);
	wire_put(b, "bin", "a\0b", 3);
	wire_puti(b, "n", -5);
	assert_int_equal(wire_end(b), ERR_NONE);
}

static void exact_bytes(void **state)
{
	static const uint8_t want[] = {0, 0, 0,	  25,  0,   0,	 0, 9, 3, 'a', 's', 'k', 0,   0,
				       1, 4, 't', 'e', 'x', 't', 0, 0, 0, 0,   2,   'h', 'i', 0};
	AUTO_BUF b = BUF_INIT;

	(void)state;
	wire_begin(&b, 9, "ask");
	wire_put(&b, "text", "hi", 2);
	assert_int_equal(wire_end(&b), ERR_NONE);
	assert_int_equal(b.len, sizeof want + 1 - 1);
	assert_memory_equal(b.data + 4, want + 4, sizeof want - 4);
	assert_int_equal(wire_length(b.data), b.len - 4);
}

static void round_trip(void **state)
{
	AUTO_BUF b = BUF_INIT;
	int64_t n;

	(void)state;
	sample(&b);
	assert_int_equal(wire_length(b.data), b.len - WIRE_HEAD);
	assert_int_equal(wire_parse(b.data + WIRE_HEAD, b.len - WIRE_HEAD, &msg), ERR_NONE);
	assert_int_equal(msg.id, 0x01020304);
	assert_string_equal(msg.kind, "begin");
	assert_int_equal(msg.n, 4);
	assert_string_equal(wire_str(&msg, "user"), "alice");
	assert_string_equal(wire_str(&msg, "empty"), "");
	assert_null(wire_str(&msg, "absent"));
	assert_null(wire_get(&msg, "use"));
	assert_null(wire_str(&msg, "bin"));
	assert_int_equal(wire_get(&msg, "bin")->len, 3);
	assert_memory_equal(wire_get(&msg, "bin")->data, "a\0b", 4);
	assert_int_equal(wire_int(&msg, "n", &n), ERR_NONE);
	assert_int_equal(n, -5);
}

/* Copied into a block of its own size, so that the sanitizers see a read behind the end. */
static enum err parse_copy(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	enum err e;

	assert_non_null(copy);
	if (n)
		memcpy(copy, p, n);
	e = wire_parse(copy, n, &msg);
	free(copy);
	return e;
}

static void cut_at_every_byte(void **state)
{
	AUTO_BUF b = BUF_INIT;

	(void)state;
	sample(&b);
	for (size_t n = 0; n < b.len - WIRE_HEAD; n++)
		assert_int_equal(parse_copy(b.data + WIRE_HEAD, n), ERR_INVALID);
	assert_int_equal(parse_copy(b.data + WIRE_HEAD, b.len - WIRE_HEAD), ERR_NONE);
}

static void trailing_bytes(void **state)
{
	AUTO_BUF b = BUF_INIT;

	(void)state;
	for (int c = 0; c < 256; c++) {
		sample(&b);
		buf_addc(&b, (char)c);
		assert_int_equal(parse_copy(b.data + WIRE_HEAD, b.len - WIRE_HEAD), ERR_INVALID);
	}
}

/* Whatever one byte becomes, the parser answers and what it takes is well-formed. */
static void every_byte_changed(void **state)
{
	AUTO_BUF b = BUF_INIT;

	(void)state;
	sample(&b);
	for (size_t i = WIRE_HEAD; i < b.len; i++)
		for (int c = 0; c < 256; c++) {
			uint8_t was = b.data[i];

			b.data[i] = (uint8_t)c;
			if (parse_copy(b.data + WIRE_HEAD, b.len - WIRE_HEAD) == ERR_NONE)
				assert_int_equal(msg.n, 4);
			b.data[i] = was;
		}
}

#define HEAD "\0\0\0\1\1k\0"

static void refused(const char *bytes, size_t n)
{
	assert_int_equal(parse_copy((const uint8_t *)bytes, n), ERR_INVALID);
}

#define REFUSED(s) refused(s, sizeof(s) - 1)

static void bad_messages(void **state)
{
	(void)state;
	assert_int_equal(parse_copy((const uint8_t *)HEAD "\0\0", 9), ERR_NONE);
	assert_int_equal(parse_copy((const uint8_t *)HEAD "\0\1\1a\0\0\0\0\0\0", 17), ERR_NONE);
	REFUSED("\0\0\0\1\0\0\0\0");		     /* kind without a name */
	REFUSED("\0\0\0\1\1K\0\0\0");		     /* capital */
	REFUSED("\0\0\0\1\1 \0\0\0");		     /* space */
	REFUSED("\0\0\0\1\1kx\0\0");		     /* no NUL behind the kind */
	REFUSED(HEAD "\0\1");			     /* a field is promised */
	REFUSED(HEAD "\0\0\1a\0\0\0\0\0\0");	     /* a field too many */
	REFUSED(HEAD "\0\1\0\0\0\0\0\0\0");	     /* field without a name */
	REFUSED(HEAD "\0\1\1a\0\0\0\0\0x");	     /* no NUL behind the value */
	REFUSED(HEAD "\0\1\1a\0\0\0\0\1\0");	     /* value cut */
	REFUSED(HEAD "\0\1\1a\0\xff\xff\xff\xff\0"); /* a length that would wrap */
	REFUSED(HEAD "\0\1\1a\0\x7f\xff\xff\xff\0");
	REFUSED(HEAD "\0\2\1a\0\0\0\0\0\0\1a\0\0\0\0\0\0"); /* the name twice */
	REFUSED(HEAD "\0\1\1\0\0\0\0\0\0\0");		    /* NUL as name */
	REFUSED(HEAD "\2\1");				    /* 513 fields */
	REFUSED(HEAD "\xff\xff");
}

static void name_lengths(void **state)
{
	char name[66];

	(void)state;
	for (size_t n = 0; n <= 65; n++) {
		AUTO_BUF b = BUF_INIT;
		bool good = n >= 1 && n <= 63;

		memset(name, 'a', n);
		name[n] = '\0';
		wire_begin(&b, 1, name);
		assert_int_equal(wire_end(&b), good ? ERR_NONE : ERR_INVALID);
		wire_begin(&b, 1, "k");
		wire_puts(&b, name, "v");
		assert_int_equal(wire_end(&b), good ? ERR_NONE : ERR_INVALID);
		if (good) {
			assert_int_equal(parse_copy(b.data + 4, b.len - 4), ERR_NONE);
			/* the same with a length byte over 63 */
			b.data[4 + 4 + 3 + 2] = 64;
			assert_int_equal(parse_copy(b.data + 4, b.len - 4), ERR_INVALID);
		}
	}
}

static void writer_refuses(void **state)
{
	static uint8_t big[WIRE_MAX + 1];
	AUTO_BUF b = BUF_INIT;
	char name[16];

	(void)state;
	wire_begin(&b, 1, "k");
	wire_puts(&b, "a", "1");
	wire_puts(&b, "a", "2");
	wire_puts(&b, "b", "3");
	assert_int_equal(wire_end(&b), ERR_INVALID);
	wire_begin(&b, 1, "k");
	wire_puts(&b, "A", "1");
	assert_int_equal(wire_end(&b), ERR_INVALID);
	wire_begin(&b, 1, "k");
	wire_put(&b, "a", big, sizeof big);
	assert_int_equal(wire_end(&b), ERR_TOOBIG);
	/* id 4, kind 3, count 2, name 3, length 4, NUL 1 */
	wire_begin(&b, 1, "k");
	wire_put(&b, "a", big, WIRE_MAX - 17);
	assert_int_equal(wire_end(&b), ERR_NONE);
	assert_int_equal(b.len, WIRE_HEAD + WIRE_MAX);
	assert_int_equal(wire_length(b.data), WIRE_MAX);
	assert_int_equal(parse_copy(b.data + 4, b.len - 4), ERR_NONE);
	wire_begin(&b, 1, "k");
	wire_put(&b, "a", big, WIRE_MAX - 16);
	assert_int_equal(wire_end(&b), ERR_TOOBIG);
	for (int many = WIRE_FIELDS; many <= WIRE_FIELDS + 1; many++) {
		wire_begin(&b, 1, "k");
		for (int i = 0; i < many; i++) {
			snprintf(name, sizeof name, "f%d", i);
			wire_puti(&b, name, i);
		}
		assert_int_equal(wire_end(&b), many == WIRE_FIELDS ? ERR_NONE : ERR_TOOBIG);
	}
	buf_free(&b);
	wire_puts(&b, "a", "before begin");
	assert_int_equal(wire_end(&b), ERR_INVALID);
	b.failed = true;
	wire_begin(&b, 1, "k");
	wire_puts(&b, "a", "x");
	assert_int_equal(wire_end(&b), ERR_NOMEM);
}

static void lengths(void **state)
{
	static const struct {
		uint8_t head[4];
		size_t want;
	} t[] = {{{0, 0, 0, 0}, 0},	      {{0, 0, 0, 8}, 0},    {{0, 0, 0, 9}, 9},
		 {{0, 1, 0x80, 0}, WIRE_MAX}, {{0, 1, 0x80, 1}, 0}, {{0xff, 0xff, 0xff, 0xff}, 0},
		 {{0x80, 0, 0, 9}, 0}};

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++)
		assert_int_equal(wire_length(t[i].head), t[i].want);
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		enum err e;
		int64_t v;
	} t[] = {{"0", ERR_NONE, 0},
		 {"7", ERR_NONE, 7},
		 {"007", ERR_NONE, 7},
		 {"-1", ERR_NONE, -1},
		 {"9223372036854775807", ERR_NONE, INT64_MAX},
		 {"-9223372036854775808", ERR_NONE, INT64_MIN},
		 {"9223372036854775808", ERR_INVALID, 0},
		 {"-9223372036854775809", ERR_INVALID, 0},
		 {"99999999999999999999", ERR_INVALID, 0},
		 {"", ERR_INVALID, 0},
		 {"-", ERR_INVALID, 0},
		 {"+1", ERR_INVALID, 0},
		 {" 1", ERR_INVALID, 0},
		 {"1 ", ERR_INVALID, 0},
		 {"1e3", ERR_INVALID, 0},
		 {"0x1", ERR_INVALID, 0},
		 {"--1", ERR_INVALID, 0}};
	AUTO_BUF b = BUF_INIT;
	int64_t v = 42;

	(void)state;
	for (size_t i = 0; i < COUNT(t); i++) {
		wire_begin(&b, 1, "k");
		wire_puts(&b, "n", t[i].text);
		assert_int_equal(wire_end(&b), ERR_NONE);
		assert_int_equal(wire_parse(b.data + 4, b.len - 4, &msg), ERR_NONE);
		v = 42;
		assert_int_equal(wire_int(&msg, "n", &v), t[i].e);
		assert_true(v == (t[i].e == ERR_NONE ? t[i].v : 42));
		assert_int_equal(wire_int(&msg, "m", &v), ERR_NOTFOUND);
	}
}

static void pair(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
}

static void sent_and_received(void **state)
{
	AUTO_BUF b = BUF_INIT, got = BUF_INIT;
	int fd[2];

	(void)state;
	pair(fd);
	sample(&b);
	buf_adds(&got, "before");
	for (int i = 0; i < 2; i++)
		assert_int_equal(wire_send(fd[0], &b, clock_mono_ms() + 1000), ERR_NONE);
	assert_int_equal(wire_recv(fd[1], &got, clock_mono_ms() + 1000), ERR_NONE);
	assert_int_equal(got.len, 6 + b.len - 4);
	assert_memory_equal(got.data + 6, b.data + 4, b.len - 4);
	buf_wipe(&got);
	assert_int_equal(wire_recv(fd[1], &got, clock_mono_ms() + 1000), ERR_NONE);
	assert_int_equal(wire_parse(got.data, got.len, &msg), ERR_NONE);
	close(fd[0]);
	close(fd[1]);
}

static void *drip(void *arg)
{
	const int *fd = arg;
	AUTO_BUF b = BUF_INIT;

	wire_begin(&b, 1, "drip");
	wire_puts(&b, "text", "slow");
	if (wire_end(&b) == ERR_NONE)
		for (size_t i = 0; i < b.len; i++) {
			usleep(10000);
			if (send(*fd, b.data + i, 1, MSG_NOSIGNAL) != 1)
				break;
		}
	return NULL;
}

/* The deadline is a total: bytes that drip do not move it. */
static void deadlines(void **state)
{
	AUTO_BUF got = BUF_INIT;
	pthread_t thread;
	int fd[2];
	int64_t start = clock_mono_ms();

	(void)state;
	pair(fd);
	assert_int_equal(wire_recv(fd[1], &got, start + 50), ERR_TIMEOUT);
	assert_true(clock_mono_ms() - start >= 50);
	assert_int_equal(wire_recv(fd[1], &got, 0), ERR_TIMEOUT);
	assert_int_equal(pthread_create(&thread, NULL, drip, &fd[0]), 0);
	assert_int_equal(wire_recv(fd[1], &got, clock_mono_ms() + 100), ERR_TIMEOUT);
	assert_int_equal(got.len, 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(fd[0]);
	close(fd[1]);
	pair(fd);
	assert_int_equal(pthread_create(&thread, NULL, drip, &fd[0]), 0);
	assert_int_equal(wire_recv(fd[1], &got, clock_mono_ms() + 10000), ERR_NONE);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(fd[0]);
	close(fd[1]);
}

static void full_pipe(void **state)
{
	static uint8_t big[WIRE_MAX - 17];
	AUTO_BUF b = BUF_INIT;
	enum err e = ERR_NONE;
	int fd[2];

	(void)state;
	pair(fd);
	wire_begin(&b, 1, "k");
	wire_put(&b, "a", big, sizeof big);
	assert_int_equal(wire_end(&b), ERR_NONE);
	for (int i = 0; e == ERR_NONE && i < 100; i++)
		e = wire_send(fd[0], &b, clock_mono_ms() + 50);
	assert_int_equal(e, ERR_TIMEOUT);
	close(fd[1]);
	assert_int_equal(wire_send(fd[0], &b, clock_mono_ms() + 1000), ERR_IO); /* and no SIGPIPE */
	assert_int_equal(errno, EPIPE);
	close(fd[0]);
}

static void broken_peers(void **state)
{
	AUTO_BUF b = BUF_INIT, got = BUF_INIT;
	int fd[2];

	(void)state;
	sample(&b);
	for (size_t n = 0; n < b.len; n++) {
		pair(fd);
		assert_int_equal(write(fd[0], b.data, n), n);
		close(fd[0]);
		assert_int_equal(wire_recv(fd[1], &got, clock_mono_ms() + 1000), ERR_IO);
		assert_int_equal(errno, ECONNRESET);
		assert_int_equal(got.len, 0);
		close(fd[1]);
	}
	pair(fd);
	assert_int_equal(write(fd[0], "\xff\xff\xff\xff", 4), 4);
	assert_int_equal(wire_recv(fd[1], &got, clock_mono_ms() + 1000), ERR_INVALID);
	close(fd[0]);
	close(fd[1]);
	assert_int_equal(wire_recv(-1, &got, clock_mono_ms() + 1000), ERR_IO);
	assert_int_equal(wire_send(-1, &b, clock_mono_ms() + 1000), ERR_IO);
	b.data[3]++;
	assert_int_equal(wire_send(-1, &b, clock_mono_ms() + 1000), ERR_INVALID);
	buf_free(&b);
	assert_int_equal(wire_send(-1, &b, clock_mono_ms() + 1000), ERR_INVALID);
}

static void connecting(void **state)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const char *path = unit_path(*state, "s");
	char longer[200];
	int fd = -7, got[64], n = 0, on = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int64_t start;
	enum err e = ERR_NONE;

	memset(longer, 'x', sizeof longer);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(wire_connect(longer, clock_mono_ms() + 100, &fd), ERR_INVALID);
	assert_int_equal(wire_connect("", clock_mono_ms() + 100, &fd), ERR_INVALID);
	assert_int_equal(wire_connect(path, clock_mono_ms() + 100, &fd), ERR_IO);
	assert_int_equal(errno, ENOENT);
	snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
	assert_int_equal(bind(on, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(wire_connect(path, clock_mono_ms() + 100, &fd), ERR_IO);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(listen(on, 1), 0);
	assert_int_equal(fd, -7);
	/* nobody accepts: the queue fills, and the deadline ends the wait */
	start = clock_mono_ms();
	while (e == ERR_NONE && n < 64) {
		e = wire_connect(path, start + 300, &got[n]);
		n += e == ERR_NONE;
	}
	assert_int_equal(e, ERR_TIMEOUT);
	assert_in_range(clock_mono_ms() - start, 300, 20000);
	assert_true(n >= 1);
	while (n > 0)
		close(got[--n]);
	close(on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(exact_bytes),
	    cmocka_unit_test(round_trip),
	    cmocka_unit_test(cut_at_every_byte),
	    cmocka_unit_test(trailing_bytes),
	    cmocka_unit_test(every_byte_changed),
	    cmocka_unit_test(bad_messages),
	    cmocka_unit_test(name_lengths),
	    cmocka_unit_test(writer_refuses),
	    cmocka_unit_test(lengths),
	    cmocka_unit_test(numbers),
	    cmocka_unit_test(sent_and_received),
	    cmocka_unit_test(deadlines),
	    cmocka_unit_test(full_pipe),
	    cmocka_unit_test(broken_peers),
	    cmocka_unit_test_setup_teardown(connecting, unit_folder, unit_folder_gone),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
