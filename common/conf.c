#include "config.h"

#include "common/buf.h"
#include "common/conf.h"
#include "common/conf_value.h"
#include "common/own_paths.h"
#include "common/text.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX       (1024 * 1024)
#define LINE_MAX_BYTES 1000

#define AT(field) offsetof(struct conf, field)
#define DAY	  86400

/* clang-format off */
const struct conf_option conf_options[] = {
	{"url", CONF_URL, AT(url), NULL, NULL, 0, 0},
	{"language", CONF_CHOICE, AT(language), "ja", "ja|en", 0, 0},
	{"state_dir", CONF_PATH, AT(state_dir), "/var/lib/kosmo", NULL, 0, 0},
	{"run_dir", CONF_PATH, AT(run_dir), "/run/kosmo", NULL, 0, 0},
	{"site_dir", CONF_PATH, AT(site_dir), "/etc/kosmo/site", NULL, 0, 0},
	{"organisation", CONF_STRING, AT(organisation), "", NULL, 0, 0},
	{"contact", CONF_STRING, AT(contact), "", NULL, 0, 0},
	{"web.listen", CONF_LISTEN, AT(web_listen), "127.0.0.1:8480", NULL, 0, 0},
	{"web.trusted_proxies", CONF_ADDRESSES, AT(web_trusted_proxies), "127.0.0.1 ::1", NULL, 0, 0},
	{"portal.url", CONF_LOCAL, AT(portal_url), "", NULL, 0, 0},
	{"session.idle", CONF_SECONDS, AT(session_idle), "30m", NULL, 60, DAY},
	{"session.max", CONF_SECONDS, AT(session_max), "10h", NULL, 60, 7 * DAY},
	{"session.keep", CONF_SECONDS, AT(session_keep), "30d", NULL, 0, 90 * DAY},
	{"password.min", CONF_NUMBER, AT(password_min), "8", NULL, 8, 64},
	{"password.max_days", CONF_NUMBER, AT(password_max_days), "0", NULL, 0, 3660},
	{"initial_password_days", CONF_NUMBER, AT(initial_password_days), "90", NULL, 1, 366},
	{"enrol.days", CONF_NUMBER, AT(enrol_days), "0", NULL, 0, 3660},
	{"enrol.by", CONF_DAY, AT(enrol_by), "", NULL, 0, 0},
	{"enrol.remind", CONF_DAYS, AT(enrol_remind), "14 7 1", NULL, 0, 0},
	{"terms.version", CONF_NUMBER, AT(terms_version), "1", NULL, 0, 1000000000},
	{"terms.date", CONF_DATE, AT(terms_date), "", NULL, 0, 0},
	{"audit.keep_days", CONF_NUMBER, AT(audit_keep_days), "400", NULL, 0, 36500},
	{"keeper.hash_slots", CONF_NUMBER, AT(hash_slots), "0", NULL, 0, 64},
	{"limits.exempt", CONF_NETWORKS, AT(limits_exempt), "", NULL, 0, 0},
	{"pam.language", CONF_CHOICE, AT(pam_language), "en", "ja|en", 0, 0},
	{"pam.change_needs_code", CONF_CHOICE, AT(pam_change_needs_code), "yes", "yes|no", 0, 0},
	{"pam.key_services", CONF_STRING, AT(pam_key_services), "sshd", NULL, 0, 0},
	{"policy.remove_last_strong", CONF_CHOICE, AT(policy_remove_last_strong), "no", "yes|no", 0, 0},
	{"email", CONF_CHOICE, AT(email), "required", "required|optional", 0, 0},
	{"mailcode.web", CONF_CHOICE, AT(mailcode_web), "allowed", "allowed|last|forbidden", 0, 0},
	{"mailcode.pam", CONF_CHOICE, AT(mailcode_pam), "last", "allowed|last|forbidden", 0, 0},
	{"notice.new_login", CONF_CHOICE, AT(notice_new_login), "yes", "yes|no", 0, 0},
	{"passkey.web", CONF_CHOICE, AT(passkey_web), "allowed", "allowed|forbidden", 0, 0},
	{"passkey.pam", CONF_CHOICE, AT(passkey_pam), "allowed", "allowed|forbidden", 0, 0},
	{"passkey.same_address", CONF_NETWORKS, AT(passkey_same_address), "", NULL, 0, 0},
	{"passkey.host", CONF_STRING, AT(passkey_host), "", NULL, 0, 0},
	{"passkey.rp_id", CONF_RP_ID, AT(passkey_rp_id), "", NULL, 0, 0},
	{"passkey.origins", CONF_URLS, AT(passkey_origins), "", NULL, 0, 0},
	{"passkey.both_factors", CONF_CHOICE, AT(passkey_both_factors), "yes", "yes|no", 0, 0},
	{"passkey.console", CONF_CHOICE, AT(passkey_console), "yes", "yes|no", 0, 0},
	{"passkey.counter", CONF_CHOICE, AT(passkey_counter), "note", "note|refuse", 0, 0},
	{"passkey.attestation", CONF_CHOICE, AT(passkey_attestation), "none", "none|require", 0, 0},
	{"passkey.roots", CONF_PATH, AT(passkey_roots), "", NULL, 0, 0},
	{"passkey.models", CONF_STRING, AT(passkey_models), "", NULL, 0, 0},
	{"mail.transport", CONF_CHOICE, AT(mail_transport), "smtp", "smtp|sendmail|maildir", 0, 0},
	{"mail.from", CONF_EMAIL, AT(mail_from), "", NULL, 0, 0},
	{"mail.maildir", CONF_PATH, AT(mail_maildir), "", NULL, 0, 0},
	{"mail.sendmail", CONF_PATH, AT(mail_sendmail), "/usr/sbin/sendmail", NULL, 0, 0},
	{"mail.connections", CONF_NUMBER, AT(mail_connections), "4", NULL, 1, CONF_CONNECTIONS_MAX},
	{"mail.smtp", CONF_HOSTPORTS, AT(mail_smtp), "localhost:25", NULL, 0, 0},
	{"mail.smtp_tls", CONF_CHOICE, AT(mail_smtp_tls), "starttls", "starttls|tls|none", 0, 0},
	{"mail.smtp_user", CONF_STRING, AT(mail_smtp_user), "", NULL, 0, 0},
	{"mail.smtp_password_file", CONF_PATH, AT(mail_smtp_password_file), "", NULL, 0, 0},
	{"mail.smtp_ca_file", CONF_PATH, AT(mail_smtp_ca_file), "", NULL, 0, 0},
	{"mail.code_in_subject", CONF_CHOICE, AT(mail_code_in_subject), "no", "yes|no", 0, 0},
	{"mail.list_unsubscribe", CONF_UNSUBSCRIBE, AT(mail_list_unsubscribe), "", NULL, 0, 0},
	{NULL, CONF_STRING, 0, NULL, NULL, 0, 0},
};
/* clang-format on */

#define OPTIONS (sizeof conf_options / sizeof *conf_options - 1)

/* One file being read. The reader stops at the first error, which is kept here. */
struct source {
	struct conf *conf;
	const char *path;
	struct buf text;
	size_t at;		 /* where the next line begins */
	unsigned line;		 /* the line that libinih works on, from 1 */
	unsigned given[OPTIONS]; /* the line that set an option; 0: none */
	enum err error;
	struct errmsg *m;
};

static bool complain(struct source *s, const char *what)
{
	s->error = err_set(s->m, ERR_INVALID, "%s:%u: %s", s->path, s->line, what);
	return false;
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

static bool check_section(struct source *s, const char *p, const char *end)
{
	const char *close = memchr(p, ']', (size_t)(end - p));

	if (!close)
		return complain(s, "a section without its ]; write it like [mail]");
	if (close == p + 1)
		return complain(s, "a section without a name; write it like [mail]");
	if (skip_space(close + 1, end) != end)
		return complain(s, "text after ]; put it on a line of its own");
	return true;
}

static bool check_setting(struct source *s, const char *p, const char *end)
{
	const char *equals = memchr(p, '=', (size_t)(end - p));
	const char *colon = memchr(p, ':', (size_t)(end - p));

	if (!equals || (colon && colon < equals))
		return complain(s, "no = after the key; write KEY = VALUE");
	for (p = equals + 1; p < end; p++)
		if ((*p == ';' || *p == '#') && (p == equals + 1 || p[-1] == ' ' || p[-1] == '\t'))
			return complain(s, "a comment behind a value; put it on a line of its own");
	return true;
}

/* Everything that libinih would take in silence and in another sense than the writer's. */
static bool check_line(struct source *s, const char *line, size_t n)
{
	const char *end = line + n, *p = skip_space(line, end);

	if (n > LINE_MAX_BYTES)
		return complain(s, "the line is too long; keep it under 1000 bytes");
	if (memchr(line, '\0', n))
		return complain(s, "a NUL byte; save the file as plain UTF-8 text");
	if (!text_utf8_valid(line, n))
		return complain(s, "not UTF-8; save the file as UTF-8");
	if (p == end || *p == '#' || *p == ';')
		return true;
	for (const char *c = line; c < end; c++)
		if ((unsigned char)*c < ' ' && *c != '\t')
			return complain(s, "a control character; remove it");
	if (p != line)
		return complain(s, "white space before the text; begin at the line's start (nothing continues a line)");
	return *p == '[' ? check_section(s, p, end) : check_setting(s, p, end);
}

/* ini_reader: one line a call, without what ends it. */
static char *read_line(char *to, int cap, void *stream)
{
	struct source *s = stream;
	const char *line, *newline;
	size_t left, n;

	if (s->error != ERR_NONE || s->at >= s->text.len)
		return NULL;
	line = (const char *)s->text.data + s->at;
	left = s->text.len - s->at;
	newline = memchr(line, '\n', left);
	n = newline ? (size_t)(newline - line) : left;
	s->at += n + (newline != NULL);
	s->line++;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (s->line == 1 && n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
		line += 3;
		n -= 3;
	}
	if (!check_line(s, line, n))
		return NULL;
	if (n + 1 > (size_t)cap) {
		s->error = err_set(s->m, ERR_INTERNAL, "%s:%u: libinih has no room for the line", s->path, s->line);
		return NULL;
	}
	memcpy(to, line, n);
	to[n] = '\0';
	return to;
}

/* Edits (put in, leave out, replace) from a to b, by rows (Levenshtein); case does not count. */
static size_t distance(const char *a, const char *b)
{
	size_t row[LINE_MAX_BYTES], n = strlen(b);

	if (n >= sizeof row / sizeof *row)
		return n;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = corner + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));

			corner = row[j];
			if (corner + 1 < best)
				best = corner + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

/* The option that was probably meant: by its whole name, or by its last part where the section is wrong. */
static const char *nearest(const char *name)
{
	const char *last = strrchr(name, '.'), *best = conf_options[0].name;
	size_t best_distance = SIZE_MAX;

	for (const struct conf_option *o = conf_options; o->name; o++) {
		const char *part = strrchr(o->name, '.');
		size_t whole = distance(o->name, name);
		size_t end = distance(part ? part + 1 : o->name, last ? last + 1 : name) + 1;
		size_t d = whole < end ? whole : end;

		if (d < best_distance) {
			best_distance = d;
			best = o->name;
		}
	}
	return best;
}

static bool set_option(struct source *s, const char *name, const char *value)
{
	struct errmsg why = {0};
	size_t i = 0;

	while (i < OPTIONS && strcmp(conf_options[i].name, name) != 0)
		i++;
	if (i == OPTIONS)
		s->error = err_set(s->m, ERR_INVALID, "%s:%u: unknown key \"%s\"; did you mean \"%s\"?", s->path,
				   s->line, name, nearest(name));
	else if (s->given[i])
		s->error = err_set(s->m, ERR_INVALID, "%s:%u: \"%s\" stands on line %u already; keep one of the two",
				   s->path, s->line, name, s->given[i]);
	else
		s->error = conf_value_set(s->conf, &conf_options[i], value, &why);
	if (i < OPTIONS && s->error != ERR_NONE && why.text[0])
		err_set(s->m, s->error, "%s:%u: %s: %s", s->path, s->line, name, why.text);
	if (s->error != ERR_NONE)
		return false;
	s->given[i] = s->line;
	return true;
}

/* ini_handler */
static int handle(void *user, const char *section, const char *name, const char *value)
{
	struct source *s = user;
	char full[2 * LINE_MAX_BYTES];

	if (s->error != ERR_NONE)
		return 0;
	snprintf(full, sizeof full, "%s%s%s", section, section[0] ? "." : "", name);
	return set_option(s, full, value);
}

static enum err parse(struct source *s)
{
	int line;

	/* libinih's settings are variables of the process; nothing else in our programs uses it. */
	ini_use_stack = false;
	ini_initial_alloc = ini_max_line = LINE_MAX_BYTES + 3;
	ini_allow_inline_comments = false;
	ini_allow_no_value = false;
	line = ini_parse_stream(read_line, s, handle, s);
	if (s->error != ERR_NONE)
		return s->error;
	if (line == -2)
		return err_set(s->m, ERR_NOMEM, "%s: %s", s->path, err_text(ERR_NOMEM));
	if (line != 0)
		return err_set(s->m, ERR_INVALID, "%s:%d: not understood; write KEY = VALUE", s->path, line);
	return ERR_NONE;
}

static enum err read_whole(int fd, struct buf *ret)
{
	for (;;) {
		uint8_t *to = buf_room(ret, 4096);
		ssize_t n;

		if (!to)
			return ERR_NOMEM;
		n = read(fd, to, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? ERR_IO : ERR_NONE;
		ret->len += (size_t)n;
		if (ret->len > FILE_MAX)
			return ERR_TOOBIG;
	}
}

static enum err check_file(int fd, const char *path, struct errmsg *m)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(m, ERR_INVALID, "%s is not a regular file; move it away", path);
	if (st.st_mode & S_IWOTH)
		return err_set(m, ERR_DENIED, "%s can be written by everybody; chmod o-w it", path);
	return ERR_NONE;
}

static enum err cannot_open(const char *path, struct errmsg *m)
{
	if (errno == ENOENT)
		return err_set(m, ERR_NOTFOUND,
			       "%s: %s; restore it from the backup (of a new instance kosmoctl init makes it)", path,
			       strerror(errno));
	return err_set(m, errno == EACCES ? ERR_DENIED : ERR_IO, "%s: %s", path, strerror(errno));
}

static enum err load_file(struct conf *c, const char *path, struct errmsg *m)
{
	struct source s = {.conf = c, .path = path, .m = m};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum err e;

	if (fd < 0)
		return cannot_open(path, m);
	e = check_file(fd, path, m);
	if (e == ERR_NONE) {
		e = read_whole(fd, &s.text);
		if (e != ERR_NONE)
			err_set(m, e, "%s: %s", path, e == ERR_IO ? strerror(errno) : err_text(e));
	}
	close(fd);
	if (e == ERR_NONE)
		e = parse(&s);
	buf_free(&s.text);
	return e;
}

static int is_drop_in(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	/* A leading dot is an editor's own file. */
	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static enum err load_drop_ins(struct conf *c, const char *path, struct errmsg *m)
{
	struct dirent **list = NULL;
	char dir[PATH_MAX], file[PATH_MAX];
	enum err e = ERR_NONE;
	int n;

	if (snprintf(dir, sizeof dir, "%s.d", path) >= (int)sizeof dir)
		return err_set(m, ERR_INVALID, "%s: the path is too long", path);
	n = scandir(dir, &list, is_drop_in, by_bytes);
	if (n < 0)
		return errno == ENOENT ? ERR_NONE : err_set(m, ERR_IO, "%s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (e == ERR_NONE && snprintf(file, sizeof file, "%s/%s", dir, list[i]->d_name) >= (int)sizeof file)
			e = err_set(m, ERR_INVALID, "%s: the path is too long", dir);
		if (e == ERR_NONE)
			e = load_file(c, file, m);
		free(list[i]);
	}
	free(list);
	return e;
}

static enum err set_presets(struct conf *c, struct errmsg *m)
{
	enum err e = ERR_NONE;

	for (const struct conf_option *o = conf_options; e == ERR_NONE && o->name; o++)
		if (o->preset)
			e = conf_value_set(c, o, o->preset, m);
	return e;
}

/* WebAuthn 5.1.2: a registrable suffix of the host; of what registries sell (co.jp) the browser knows the list. */
static bool rp_id_fits(const struct conf *c)
{
	char host[256];
	size_t n, m = strlen(c->passkey_rp_id);

	conf_url_host(c->url, host, sizeof host);
	n = strlen(host);
	return m == 0 || strcmp(host, c->passkey_rp_id) == 0 ||
	       (n > m && host[n - m - 1] == '.' && strcmp(host + n - m, c->passkey_rp_id) == 0 &&
		strchr(c->passkey_rp_id, '.'));
}

/* portal.url becomes a path where it is written as a whole address. */
static bool portal_fits(struct conf *c)
{
	size_t n = strlen(c->url);

	if (c->portal_url[0] == '\0' || c->portal_url[0] == '/')
		return true;
	if (strncmp(c->portal_url, c->url, n) != 0 || c->portal_url[n] != '/' || !text_local_path(c->portal_url + n))
		return false;
	memmove(c->portal_url, c->portal_url + n, strlen(c->portal_url + n) + 1);
	return true;
}

/* What no single line shows. */
static enum err check_whole(struct conf *c, struct errmsg *m)
{
	if (!c->url)
		return err_set(m, ERR_INVALID,
			       "%s: url is missing; write url = https://HOST, the address that people type", c->file);
	if (strcmp(c->mail_transport, "maildir") == 0 && c->mail_maildir[0] == '\0')
		return err_set(m, ERR_INVALID, "%s: mail.transport is maildir; name its folder with mail.maildir",
			       c->file);
	if ((c->mail_smtp_user[0] == '\0') != (c->mail_smtp_password_file[0] == '\0'))
		return err_set(m, ERR_INVALID,
			       "%s: mail.smtp_user and mail.smtp_password_file need each other; set both or none",
			       c->file);
	if (!portal_fits(c))
		return err_set(
		    m, ERR_INVALID,
		    "%s: portal.url is %s, which is not at %s: the portal and these pages share one host name, so "
		    "that its login reaches both; write a path like /portal/",
		    c->file, c->portal_url, c->url);
	if (c->portal_url[0] && own_path(c->portal_url))
		return err_set(
		    m, ERR_INVALID,
		    "%s: portal.url is %s, which is one of kosmo's own pages; name a page of the portal, or leave "
		    "it out to have people land on their account",
		    c->file, c->portal_url);
	if (!rp_id_fits(c))
		return err_set(m, ERR_INVALID,
			       "%s: passkey.rp_id is %s, which is neither the host of url (%s) nor a domain above it; "
			       "passkeys would not work: mend it or leave it out",
			       c->file, c->passkey_rp_id, c->url);
	if (strcmp(c->passkey_attestation, "require") == 0 && c->passkey_roots[0] == '\0')
		return err_set(m, ERR_INVALID,
			       "%s: passkey.attestation is require; name the file or folder of trusted root "
			       "certificates with passkey.roots",
			       c->file);
	if (c->session_idle > c->session_max)
		return err_set(m, ERR_INVALID, "%s: session.idle is longer than session.max; make it shorter", c->file);
	return ERR_NONE;
}

enum err conf_load(const char *path, struct conf **ret, struct errmsg *m)
{
	struct conf *c = calloc(1, sizeof *c);
	enum err e;

	if (!c)
		return err_set(m, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	c->file = realpath(path, NULL);
	if (!c->file) {
		e = cannot_open(path, m);
		goto out;
	}
	e = set_presets(c, m);
	if (e == ERR_NONE)
		e = load_file(c, path, m);
	if (e == ERR_NONE)
		e = load_drop_ins(c, path, m);
	if (e == ERR_NONE)
		e = check_whole(c, m);
	if (e == ERR_NONE) {
		*ret = c;
		c = NULL;
	}
out:
	conf_free(c);
	return e;
}

void conf_free(struct conf *c)
{
	if (!c)
		return;
	for (const struct conf_option *o = conf_options; o->name; o++)
		if (o->type != CONF_NUMBER && o->type != CONF_SECONDS && o->type != CONF_DAY)
			free(*(char **)(void *)((char *)c + o->offset));
	free(c->file);
	free(c);
}
