#include "config.h"

#include "chaos.h"

#include "common/clock.h"
#include "common/text.h"
#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

static const char secret[] = "12345678901234567890";
static char mailed[8]; /* as a reply: the code of the mail that came */

/* ---- the instance ---- */

static void add_person(struct chaos *c, const char *login, enum role role, const char *hash)
{
	struct person p = {.role = role, .created = CHAOS_NOW, .birth = {1950, 4, 1}, .locale = "en"};
	struct authenticator a = {.kind = FACTOR_TOTP,
				  .confirmed = true,
				  .algorithm = TOTP_SHA1,
				  .digits = 6,
				  .period = 30,
				  .secret_len = 20,
				  .last_step = -1,
				  .created = CHAOS_NOW};
	const char *codes[2];
	struct buf canonical[2] = {BUF_INIT, BUF_INIT};
	AUTO_BUF letter = BUF_INIT;

	OK(id_new(&p.id));
	snprintf(p.login, sizeof p.login, "%s", login);
	snprintf(p.name, sizeof p.name, "Test %s", login);
	snprintf(p.email, sizeof p.email, "%s@example.jp", login);
	p.email_verified = p.birth_confirmed = role == ROLE_STAFF;
	p.terms = role == ROLE_STAFF ? c->conf->terms_version : 0;
	p.method = role == ROLE_STAFF ? FACTOR_TOTP : FACTOR_NONE;
	p.disabled = strcmp(login, "jiro") == 0;
	p.expires = strcmp(login, "saburo") == 0 ? CHAOS_NOW - 86400 : 0;
	if (hash != NULL)
		snprintf(p.password, sizeof p.password, "%s", hash);
	if (hash == NULL) {
		OK(text_initial(CHAOS_INITIAL, strlen(CHAOS_INITIAL), &letter));
		const struct seal_part part[] = {{p.id.b, ID_LEN}, {letter.data, letter.len}};
		OK(seal_mac(c->k.seal, SEAL_INITIAL, part, 2, p.initial));
		p.has_initial = true;
		p.initial_from = CHAOS_NOW - 86400;
	}
	OK(store_begin(c->st));
	OK(store_person_add(c->st, &p));
	if (hash != NULL) {
		OK(id_new(&a.id));
		a.person = p.id;
		if (strcmp(login, "shiro") == 0) {
			a.kind = FACTOR_MAILCODE;
			a.secret_len = 0;
		} else {
			memcpy(a.secret, secret, 20);
		}
		OK(store_authenticator_add(c->st, &a));
		for (int i = 0; i < 2; i++) {
			OK(text_code(c->recovery[i], strlen(c->recovery[i]), &canonical[i]));
			codes[i] = buf_str(&canonical[i]);
		}
		OK(store_recovery_replace(c->st, &p.id, codes, 2));
	}
	OK(store_commit(c->st));
	buf_free(&canonical[0]);
	buf_free(&canonical[1]);
}

struct chaos *chaos_new(void)
{
	struct chaos *c = calloc(1, sizeof *c);
	char hash[PASSWORD_HASH_MAX], text[3 * PATH_MAX];
	struct errmsg m = {""};

	assert_non_null(c);
	assert_int_equal(unit_folder(&c->folder), 0);
	fault_clock(CHAOS_NOW);
	snprintf(c->conf_path, sizeof c->conf_path, "%s", unit_path(c->folder, "kosmo.conf"));
	snprintf(c->db_path, sizeof c->db_path, "%s", unit_path(c->folder, "kosmo.db"));
	snprintf(text, sizeof text,
		 "url = http://localhost:8480\nlanguage = en\nstate_dir = %s\nrun_dir = %s/run\n[mail]\nfrom = "
		 "no-reply@example.jp\n",
		 (char *)c->folder, (char *)c->folder);
	unit_write(c->conf_path, text, strlen(text));
	if (conf_load(c->conf_path, &c->conf, &m) != ERR_NONE)
		fail_msg("%s", m.text);
	OK(seal_key_create(unit_path(c->folder, "key"), &m));
	OK(keeper_open(&c->k, c->conf, &m));
	OK(store_create(c->k.db_path, c->k.seal, &m));
	OK(keeper_store(&c->k, &c->st, &m));
	c->open = true;
	OK(password_hash(CHAOS_PASSWORD, hash));
	snprintf(c->recovery[0], sizeof c->recovery[0], "abcde-fghjk-mnp");
	snprintf(c->recovery[1], sizeof c->recovery[1], "qrstv-wxyz2-345");
	add_person(c, "taro", ROLE_STAFF, hash);
	add_person(c, "jiro", ROLE_STAFF, hash);
	add_person(c, "saburo", ROLE_STAFF, hash);
	add_person(c, "shiro", ROLE_STAFF, hash);
	add_person(c, "hanako", ROLE_MEMBER, NULL);
	chaos_keep(c);
	return c;
}

void chaos_free(struct chaos *c)
{
	chaos_stop(c);
	conf_free(c->conf);
	free(c->image);
	unit_folder_gone(&c->folder);
	free(c);
}

void chaos_keep(struct chaos *c)
{
	struct stat st;

	chaos_stop(c);
	FILE *f = fopen(c->db_path, "re");

	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	free(c->image);
	c->image_len = (size_t)st.st_size;
	c->image = malloc(c->image_len);
	assert_non_null(c->image);
	assert_int_equal(fread(c->image, 1, c->image_len, f), c->image_len);
	fclose(f);
}

void chaos_start(struct chaos *c, bool image)
{
	struct errmsg m;

	fault_pause();
	if (image) {
		(void)unlink(unit_path(c->folder, "kosmo.db-wal"));
		(void)unlink(unit_path(c->folder, "kosmo.db-shm"));
		unit_write(c->db_path, c->image, c->image_len);
		assert_int_equal(chmod(c->db_path, 0600), 0);
		c->cookie[0] = c->csrf[0] = '\0';
	}
	fault_resume();
	c->st = NULL;
	if (keeper_open(&c->k, c->conf, &m) != ERR_NONE) {
		keeper_close(&c->k);
		return;
	}
	c->open = true;
	if (keeper_store(&c->k, &c->st, &m) != ERR_NONE)
		assert_null(c->st);
}

void chaos_stop(struct chaos *c)
{
	store_close(c->st);
	c->st = NULL;
	if (c->open)
		keeper_close(&c->k);
	c->open = false;
}

static const char *code_of(const uint8_t *key, size_t n, int64_t at)
{
	static char code[9];
	const struct totp t = {TOTP_SHA1, 6, 30, key, n};

	fault_pause();
	OK(totp_code(&t, (uint64_t)at / 30, code));
	fault_resume();
	return code;
}

const char *chaos_code(int64_t at)
{
	return code_of((const uint8_t *)secret, 20, at);
}

const char *chaos_pending_code(struct chaos *c, int64_t at)
{
	struct person p;
	struct authenticator a[AUTHENTICATORS_MAX];
	const char *code = "";
	size_t n = 0;

	fault_pause();
	if (c->st != NULL && store_person_by_login(c->st, "hanako", &p) == ERR_NONE &&
	    store_authenticators(c->st, &p.id, a, AUTHENTICATORS_MAX, &n) == ERR_NONE && n > 0)
		code = code_of(a[0].secret, a[0].secret_len, at);
	fault_resume();
	return code;
}

/* ---- the doors, without sockets ---- */

struct conn {
	struct peer peer;
	void *state;
	void (*free_state)(void *);
	struct buf out;
	bool last;
};

const struct peer *server_peer(const struct request *r)
{
	return &r->conn->peer;
}

void **server_state(struct request *r, void (*free_state)(void *))
{
	r->conn->free_state = free_state;
	return &r->conn->state;
}

static void (*on_reply)(struct chaos *c);
static struct chaos *on_reply_of;

void chaos_on_reply(struct chaos *c, void (*f)(struct chaos *c))
{
	on_reply = f;
	on_reply_of = c;
}

void server_reply(struct request *r, const struct buf *frames, bool last)
{
	fault_pause();
	if (on_reply != NULL)
		on_reply(on_reply_of);
	buf_add(&r->conn->out, frames->data, frames->len);
	r->conn->last = last;
	fault_resume();
}

/* Ends the message in b, lets the door answer it; the answer parsed. NULL: none, or none that is whole. */
static struct wire_msg *ask(struct chaos *c, struct conn *conn, struct buf *b, bool web)
{
	static struct wire_msg answer;
	static struct request r;
	struct verify_seen *seen = NULL;

	OK(wire_end(b));
	r = (struct request){.conn = conn};
	OK(wire_parse(b->data + WIRE_HEAD, b->len - WIRE_HEAD, &r.msg));
	buf_wipe(&conn->out);
	fault_resume();
	if (door_verify_asks(&r)) {
		door_verify_run(&c->k, c->st, &r, &seen);
		if (seen)
			door_verify_seen(&c->k, c->st, seen);
	} else if (web)
		door_web_run(&c->k, c->st, &r);
	else if (door_auth_work(&r) == AUTH_NOW)
		door_auth_run(&c->k, NULL, &r);
	else
		door_auth_run(&c->k, c->st, &r);
	fault_pause();
	if (conn->out.len <= WIRE_HEAD ||
	    wire_parse(conn->out.data + WIRE_HEAD, conn->out.len - WIRE_HEAD, &answer) != ERR_NONE)
		return NULL;
	return &answer;
}

bool chaos_mail_code(struct chaos *c, char ret[static 8])
{
	struct mail m;
	bool found = false;

	if (c->st == NULL || store_mail_next(c->st, CHAOS_NOW + 100, &m) != ERR_NONE)
		return false;
	for (const char *s = strstr(buf_str(&m.message), "\r\n\r\n") + 1; *s != '\0'; s++)
		if (strspn(s, "0123456789") == 6 && s[-1] == ' ') {
			snprintf(ret, 8, "%.6s", s);
			found = true;
		}
	m.state = MAIL_SENT;
	OK(store_begin(c->st));
	OK(store_mail_settle(c->st, &m));
	OK(store_commit(c->st));
	mail_clear(&m);
	return found;
}

static chaos_sign *signer; /* NULL: nobody is at a seat */

static enum verdict dialogue(struct chaos *c, const char *phase, const char *login, const char *const *replies)
{
	struct conn conn = {.peer = {.uid = 0, .trusted = true}};
	enum verdict v = VERDICT_INTERNAL;
	const struct wire_msg *m;

	if (!c->open)
		return v;
	fault_pause();
	struct buf b = BUF_INIT;
	wire_begin(&b, 1, "begin");
	wire_puts(&b, "phase", phase);
	wire_puts(&b, "service", "test");
	wire_puts(&b, "user", login);
	wire_puts(&b, signer != NULL ? "seat" : "rhost", signer != NULL ? "1" : "192.0.2.1");
	while ((m = ask(c, &conn, &b, false)) != NULL && *replies != NULL && !conn.last) {
		if (strcmp(m->kind, "key") == 0 && signer != NULL) {
			buf_wipe(&b);
			wire_begin(&b, 2, "key");
			signer(c, m, &b);
			continue;
		}
		if (strcmp(m->kind, "ask") != 0)
			break;
		const char *reply = *replies++;
		buf_wipe(&b);
		wire_begin(&b, 2, "answer");
		wire_puts(&b, "text", reply == mailed && !chaos_mail_code(c, mailed) ? "000000" : reply);
	}
	if (m != NULL && strcmp(m->kind, "verdict") == 0)
		v = verdict_from(wire_str(m, "verdict"));
	if (conn.state != NULL)
		conn.free_state(conn.state);
	buf_free(&conn.out);
	buf_free(&b);
	fault_resume();
	return v;
}

enum verdict chaos_pam(struct chaos *c, const char *login, const char *password, const char *code)
{
	return dialogue(c, "auth", login, (const char *const[]){password, code, NULL});
}

enum verdict chaos_pam_enter(struct chaos *c, const char *login, const char *password, const char *code)
{
	return dialogue(c, "auth", login,
			(const char *const[]){password, "", code ? code : mailed, "000000", "000000", NULL});
}

enum verdict chaos_pam_key(struct chaos *c, const char *login, const char *password, chaos_sign *sign)
{
	signer = sign;
	enum verdict v =
	    dialogue(c, "auth", login, (const char *const[]){password, "", "000000", "000000", "000000", NULL});
	signer = NULL;
	return v;
}

enum verdict chaos_account(struct chaos *c, const char *login)
{
	return dialogue(c, "account", login, (const char *const[]){NULL});
}

static void keep_text(char *ret, size_t cap, const struct wire_msg *m, const char *name)
{
	const char *s = wire_str(m, name);

	snprintf(ret, cap, "%s", s != NULL ? s : "");
}

static void web_begin(const struct chaos *c, struct buf *b, const char *action, const char *method)
{
	wire_begin(b, 7, "web");
	wire_puts(b, "action", action);
	wire_puts(b, "method", method);
	wire_puts(b, "origin", "http://localhost:8480");
	wire_puts(b, "addr", "192.0.2.7");
	wire_puts(b, "agent", "test");
	wire_puts(b, "lang", "en");
	wire_puts(b, "secure", "0");
	wire_puts(b, "session", c->cookie[0] != '\0' ? c->cookie : NULL);
	wire_puts(b, "csrf", c->csrf[0] != '\0' ? c->csrf : NULL);
}

/* With failures paused. */
static bool web(struct chaos *c, struct buf *b)
{
	struct conn conn = {.peer = {.uid = 0, .trusted = true}};
	const struct wire_msg *m;
	bool good = false;

	c->page[0] = c->path[0] = '\0';
	m = c->open ? ask(c, &conn, b, true) : NULL;
	if (m != NULL) {
		int64_t status = 200;

		(void)wire_int(m, "status", &status);
		keep_text(c->page, sizeof c->page, m, "page");
		keep_text(c->path, sizeof c->path, m, "redirect");
		if (wire_str(m, "cookie.session") != NULL)
			keep_text(c->cookie, sizeof c->cookie, m, "cookie.session");
		if (wire_str(m, "v.csrf") != NULL)
			keep_text(c->csrf, sizeof c->csrf, m, "v.csrf");
		good = status < 400 && strcmp(c->page, "error") != 0;
	}
	buf_free(&conn.out);
	return good;
}

bool chaos_get(struct chaos *c, const char *action)
{
	fault_pause();
	struct buf b = BUF_INIT;
	web_begin(c, &b, action, "GET");
	bool good = web(c, &b);

	buf_free(&b);
	fault_resume();
	return good;
}

bool chaos_post(struct chaos *c, const char *action, ...)
{
	const char *name;
	char key[64];
	va_list ap;

	fault_pause();
	struct buf b = BUF_INIT;
	web_begin(c, &b, action, "POST");
	va_start(ap, action);
	while ((name = va_arg(ap, const char *)) != NULL) {
		snprintf(key, sizeof key, "f.%s", name);
		wire_puts(&b, key, va_arg(ap, const char *));
	}
	va_end(ap);
	bool good = web(c, &b);

	buf_free(&b);
	fault_resume();
	return good && c->path[0] != '\0' && strstr(c->path, "n=expired") == NULL;
}

bool chaos_at(const struct chaos *c, const char *path)
{
	return strcmp(c->path, path) == 0;
}

int chaos_verify(struct chaos *c)
{
	struct conn conn = {.peer = {.uid = 0, .trusted = true}};
	struct buf b = BUF_INIT;
	const struct wire_msg *m;
	int64_t status = 0;

	fault_pause();
	wire_begin(&b, 7, "verify");
	wire_puts(&b, "session", c->cookie);
	wire_puts(&b, "page", "1");
	wire_puts(&b, "uri", "/portal/");
	m = c->open ? ask(c, &conn, &b, true) : NULL;
	if (m != NULL)
		(void)wire_int(m, "status", &status);
	buf_free(&conn.out);
	buf_free(&b);
	fault_resume();
	return (int)status;
}

bool chaos_web_password(struct chaos *c, const char *login, const char *password)
{
	return chaos_get(c, "login") && chaos_post(c, "login", "login", login, "password", password, NULL) &&
	       chaos_at(c, "/");
}

/* ---- what is left ---- */

int64_t chaos_sql(const struct chaos *c, const char *sql)
{
	sqlite3 *sq = NULL;
	sqlite3_stmt *s = NULL;
	int64_t v = -1;

	assert_int_equal(sqlite3_open_v2(c->db_path, &sq, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v3(sq, sql, -1, 0, &s, NULL), SQLITE_OK);
	int rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		v = sqlite3_column_int64(s, 0);
	else if (rc != SQLITE_DONE)
		fail_msg("%s: %s", sql, sqlite3_errmsg(sq));
	sqlite3_finalize(s);
	assert_int_equal(sqlite3_close(sq), SQLITE_OK);
	return v;
}

void chaos_whole(struct chaos *c)
{
	struct audit_check r;

	assert_int_equal(chaos_sql(c, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
	OK(store_audit_check(c->st, NULL, 0, true, &r));
	assert_int_equal(r.faults, 0);
	assert_int_equal(r.sealed_bad, 0);
}

static int descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* ---- every call ---- */

bool chaos_all(void)
{
	const char *s = getenv("KOSMO_CHAOS");

	return s != NULL && strcmp(s, "all") == 0;
}

/* One run; true if a call failed in it. */
static bool one(struct chaos *c, const struct chaos_job *j, enum fault_kind kind, long n, bool onward)
{
	int told = 0, fds = descriptors();
	bool failed;

	fault_clock(CHAOS_NOW);
	fault_arm(kind, n, onward);
	chaos_start(c, true);
	j->job(c, &told);
	if (getenv("KOSMO_CHAOS_SAY") != NULL) /* the last line is the run that failed */
		fprintf(stderr, "%s: %s call %ld %s: told %d, page %s, path %s\n", j->name, fault_name(kind), n,
			onward ? "and on" : "once", told, c->page, c->path);
	failed = fault_disarm();
	if (c->st != NULL) /* whoever failed holds nobody up */
		(void)chaos_sql(c, "BEGIN IMMEDIATE");
	chaos_stop(c);
	if (!failed)
		assert_int_equal(told, j->done);
	fault_clock(CHAOS_NOW + 15);
	chaos_start(c, false);
	assert_non_null(c->st);
	j->judge(c, told);
	chaos_whole(c);
	chaos_stop(c);
	assert_int_equal(descriptors(), fds);
	c->runs++;
	return failed;
}

void chaos_run(struct chaos *c, const struct chaos_job *j)
{
	/* of memory many calls are much alike */
	static const long stride[FAULT__MAX] = {5, 5, 7, 7, 41, 41};
	long blocks;

	(void)one(c, j, FAULT_LIBC, 1000000000, false);
	blocks = fault_memory();
	for (enum fault_kind kind = 0; kind < FAULT__MAX; kind++)
		for (int onward = 0; onward < 2; onward++) {
			long step = chaos_all() ? (kind < FAULT_SQLITE_MEM ? 1 : 5) : stride[kind] * (onward ? 3 : 1);

			for (long n = 1 + c->runs % step; one(c, j, kind, n, onward); n += step)
				assert_true(n < 1000000);
			assert_int_equal(fault_memory(), blocks);
		}
}
