#include "config.h"

#include "common/conf.h"
#include "tests/unit/unit.h"
#include <sys/stat.h>
#include <unistd.h>

#define URL "url = https://kosmo.example.org\n"

static struct errmsg m;

static enum err load_bytes(void *folder, const void *p, size_t n, struct conf **ret)
{
	const char *path = unit_path(folder, "kosmo.conf");

	unit_write(path, p, n);
	memset(&m, 0, sizeof m);
	return conf_load(path, ret, &m);
}

static struct conf *load(void *folder, const char *text)
{
	struct conf *c = NULL;

	if (load_bytes(folder, text, strlen(text), &c) != ERR_NONE)
		fail_msg("refused: %s", m.text);
	assert_non_null(c);
	return c;
}

/* Refused at this line of kosmo.conf (0: of no line) with these words. */
static void refused_bytes(void *folder, const char *text, size_t n, unsigned line, const char *words)
{
	char want[600];
	struct conf *c = NULL;

	if (load_bytes(folder, text, n, &c) == ERR_NONE)
		fail_msg("taken: %s", text);
	assert_null(c);
	if (line)
		snprintf(want, sizeof want, "%s/kosmo.conf:%u: ", (char *)folder, line);
	else
		snprintf(want, sizeof want, "%s/kosmo.conf: ", (char *)folder);
	if (strncmp(m.text, want, strlen(want)) != 0 || !strstr(m.text, words))
		fail_msg("\"%s\" was refused with \"%s\", not \"%s ... %s\"", text, m.text, want, words);
}

static void refused(void *folder, const char *text, unsigned line, const char *words)
{
	refused_bytes(folder, text, strlen(text), line, words);
}

static const struct conf_option *option(const char *name)
{
	for (const struct conf_option *o = conf_options; o->name; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	fail_msg("no option %s", name);
	return NULL;
}

static void shown(const struct conf *c, const char *name, const char *want)
{
	char b[512];

	conf_show(c, option(name), b, sizeof b);
	if (strcmp(b, want) != 0)
		fail_msg("%s is \"%s\", not \"%s\"", name, b, want);
}

static void presets(void **state)
{
	struct conf *c = load(*state, URL);

	for (const struct conf_option *o = conf_options; o->name; o++)
		if (o->preset)
			shown(c, o->name, o->preset);
	shown(c, "url", "https://kosmo.example.org");
	assert_int_equal(c->session_idle, 1800);
	assert_int_equal(c->session_max, 36000);
	assert_int_equal(c->password_min, 8);
	assert_int_equal(c->terms_version, 1);
	assert_string_equal(c->mail_from, "");
	assert_string_equal(strrchr(c->file, '/'), "/kosmo.conf");
	conf_free(c);
	conf_free(NULL);
}

static void seconds_shown(void **state)
{
	static const char *const t[][2] = {
	    {"90", "90s"}, {"120s", "2m"}, {"90m", "90m"}, {"3600", "1h"}, {"24h", "1d"}};
	char text[100];

	for (size_t i = 0; i < COUNT(t); i++) {
		struct conf *c;

		snprintf(text, sizeof text, URL "session.max = 7d\nsession.idle = %s\n", t[i][0]);
		c = load(*state, text);
		shown(c, "session.idle", t[i][1]);
		conf_free(c);
	}
}

/* A day is kept as its end in Japan; the days before it in order. */
static void deadlines(void **state)
{
	struct conf *c = load(*state, URL);

	assert_int_equal(c->enrol_by, 0);
	shown(c, "enrol.by", "");
	shown(c, "enrol.remind", "14 7 1");
	conf_free(c);
	c = load(*state, URL "enrol.by = 2027-03-31\nenrol.remind =  1 30  7 30\n");
	assert_int_equal(c->enrol_by, 1806418800 + 86400);
	shown(c, "enrol.by", "2027-03-31");
	shown(c, "enrol.remind", "30 30 7 1");
	conf_free(c);
	c = load(*state, URL "enrol.by =\nenrol.remind =\n");
	assert_int_equal(c->enrol_by, 0);
	shown(c, "enrol.remind", "");
	conf_free(c);
}

static void every_key(void **state)
{
	char text[] =
	    "\xef\xbb\xbf# comment\r\n"
	    "; comment\r\n"
	    "  # comment behind white space\r\n"
	    "\r\n"
	    "   \r\n"
	    "url=HTTPS://Kosmo.Example.ORG:8443/\r\n"
	    "language=en\n"
	    "state_dir = /s t/\n"
	    "run_dir = /r//\n"
	    "site_dir=/\n"
	    "organisation = 健康保険組合 #1; x=y [z]\n"
	    "contact\t=\t03-0000-0000  \n"
	    "initial_password_days = 30\n"
	    "terms.version = 0\n"
	    "[web]\n"
	    "listen = [::1]:9000\n"
	    "trusted_proxies =  10.0.0.1   2001:DB8:0::1 \n"
	    "[session]  \n"
	    "idle = 600\n"
	    "max = 1d\n"
	    "[password]\n"
	    "min = 10\n"
	    "[keeper]\n"
	    "hash_slots = 64\n"
	    "[limits]\n"
	    "exempt = 10.0.0.0/8  2001:DB8::/32 192.0.2.1 ::/0\n"
	    "[pam]\n"
	    "language = ja\n"
	    "key_services =\n"
	    "[mail]\n"
	    "transport = maildir\n"
	    "from = Info@EXAMPLE.org\n"
	    "maildir = /m\n"
	    "smtp = [::1]:587\n"
	    "smtp_tls = tls\n"
	    "smtp_user = a = b\n"
	    "smtp_password_file = /p#w\n"
	    "smtp_ca_file = /ca\ncode_in_subject = yes\nlist_unsubscribe = mailto:stop@example.jp?subject=stop%20it";
	struct conf *c;

	refused(*state, text, 11, "comment");
	memcpy(strstr(text, " #1; x"), "_#1; x", 6);
	c = load(*state, text);
	shown(c, "url", "https://kosmo.example.org:8443");
	shown(c, "language", "en");
	shown(c, "state_dir", "/s t");
	shown(c, "run_dir", "/r");
	shown(c, "site_dir", "/");
	shown(c, "organisation", "健康保険組合_#1; x=y [z]");
	shown(c, "contact", "03-0000-0000");
	shown(c, "initial_password_days", "30");
	shown(c, "terms.version", "0");
	shown(c, "web.listen", "[::1]:9000");
	shown(c, "web.trusted_proxies", "10.0.0.1 2001:db8::1");
	shown(c, "session.idle", "10m");
	shown(c, "session.max", "1d");
	shown(c, "password.min", "10");
	shown(c, "keeper.hash_slots", "64");
	shown(c, "limits.exempt", "10.0.0.0/8 2001:db8::/32 192.0.2.1 ::/0");
	shown(c, "pam.language", "ja");
	shown(c, "pam.key_services", "");
	shown(c, "mail.transport", "maildir");
	shown(c, "mail.from", "Info@example.org");
	shown(c, "mail.maildir", "/m");
	shown(c, "mail.smtp", "[::1]:587");
	shown(c, "mail.smtp_tls", "tls");
	shown(c, "mail.smtp_user", "a = b");
	shown(c, "mail.smtp_password_file", "/p#w");
	shown(c, "mail.smtp_ca_file", "/ca");
	shown(c, "mail.code_in_subject", "yes");
	shown(c, "mail.list_unsubscribe", "mailto:stop@example.jp?subject=stop%20it");
	conf_free(c);
}

/* What libinih would take in silence. */
static void lines_refused(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *words;
	} t[] = {
	    {URL "organisation = A\n  B\n", 3, "white space"},
	    {URL " language = en\n", 2, "white space"},
	    {URL "\tlanguage = en\n", 2, "white space"},
	    {URL " [mail]\n", 2, "white space"},
	    {URL "organisation = A ; B\n", 2, "comment"},
	    {URL "organisation = A # B\n", 2, "comment"},
	    {URL "organisation = A\t;B\n", 2, "comment"},
	    {URL "organisation = ; B\n", 2, "comment"},
	    {URL "organisation =; B\n", 2, "comment"},
	    {URL "organisation =#B\n", 2, "comment"},
	    {URL "language = ja;\n", 2, "not one of"},
	    {URL "[mail] x\n", 2, "text after ]"},
	    {URL "[mail] # x\n", 2, "text after ]"},
	    {URL "[mail]]\n", 2, "text after ]"},
	    {URL "[mail\n", 2, "without its ]"},
	    {URL "[]\n", 2, "without a name"},
	    {URL "[mail]\nsmtp\n", 3, "no ="},
	    {URL "language\n", 2, "no ="},
	    {URL "language: en\n", 2, "no ="},
	    {URL "language: en=ja\n", 2, "no ="},
	    {URL "\n\n# x\nlanguage en\n", 5, "no ="},
	    {URL "= x\n", 2, "unknown key"},
	    {URL "organisation = \"A\"\n", 2, "quotes"},
	    {URL "organisation = 'A'\n", 2, "quotes"},
	    {URL "organisation = A\x01\n", 2, "control character"},
	    {URL "organisation = A\rB\n", 2, "control character"},
	    {URL "organisation = \xff\n", 2, "UTF-8"},
	    {URL "# \xe3\x81\n", 2, "UTF-8"},
	    {"\xef\xbb\xbf" URL "\xef\xbb\xbflanguage = ja\n", 2, "unknown key"},
	    {URL "# a comment that ends in the file's end and then\nlanguage", 3, "no ="},
	};
	static const char nul[] = URL "organisation = A\0B\n";

	for (size_t i = 0; i < COUNT(t); i++)
		refused(*state, t[i].text, t[i].line, t[i].words);
	refused_bytes(*state, nul, sizeof nul - 1, 2, "NUL");
}

static void long_lines(void **state)
{
	char text[3000];
	struct conf *c;

	for (size_t n = 0; n<2500; n += n> 470 && n < 520 ? 1 : 97) {
		int head = snprintf(text, sizeof text, URL "organisation = ");

		memset(text + head, 'x', n);
		snprintf(text + head + n, sizeof text - (size_t)head - n, "\nlanguage = en\n");
		if (n <= 500) {
			c = load(*state, text);
			assert_int_equal(strlen(c->organisation), n);
			assert_string_equal(c->language, "en");
			conf_free(c);
		} else
			refused(*state, text, 2, n > 985 ? "too long" : "longer than 500 bytes");
	}
	memset(text, '#', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	refused(*state, text, 1, "too long");
	memset(text, '[', 120);
	memcpy(text, URL, strlen(URL));
	memset(text + strlen(URL) + 1, 's', 80);
	snprintf(text + strlen(URL) + 80, 100, "]\nx = 1\n");
	refused(*state, text, 3, "unknown key");
}

static void unknown_keys(void **state)
{
	static const struct {
		const char *text, *meant;
		unsigned line;
	} t[] = {
	    {URL "langage = ja\n", "\"language\"", 2},
	    {URL "[mail]\nsmpt = x:1\n", "\"mail.smtp\"", 3},
	    {URL "smtp = x:1\n", "\"mail.smtp\"", 2},
	    {URL "[web]\nsmtp = x:1\n", "\"mail.smtp\"", 3},
	    {URL "[mail]\nmail.smtp = x:1\n", "\"mail.smtp\"", 3},
	    {URL "[sessions]\nidle = 1m\n", "\"session.idle\"", 3},
	    {URL "LANGUAGE = ja\n", "\"language\"", 2},
	    {URL "[mail]\n\n\n[Mail]\nfrom = x\n", "\"mail.from\"", 6},
	    {"uri = https://a.b\n", "\"url\"", 1},
	    {URL "listen = 127.0.0.1:80\n", "\"web.listen\"", 2},
	    {URL "web.listen.x = 127.0.0.1:80\n", "\"web.listen\"", 2},
	};

	for (size_t i = 0; i < COUNT(t); i++) {
		refused(*state, t[i].text, t[i].line, "unknown key");
		if (!strstr(m.text, t[i].meant))
			fail_msg("%s: not %s", m.text, t[i].meant);
	}
}

static void duplicates(void **state)
{
	refused(*state, URL "language = ja\n# x\nlanguage = ja\n", 4, "line 2");
	refused(*state, URL "mail.smtp = a:1\n[mail]\nsmtp = a:1\n", 4, "line 2");
	refused(*state, URL "[web]\n[mail]\nsmtp = a:1\n[web]\n[mail]\nsmtp = a:1\n", 7, "line 4");
	refused(*state, URL URL, 2, "line 1");
}

static void values_refused(void **state)
{
	static const struct {
		const char *line, *words;
	} t[] = {
	    {"language = de", "ja|en"},
	    {"language = JA", "ja|en"},
	    {"language = ja|en", "ja|en"},
	    {"language =", "no value"},
	    {"mail.transport = ", "no value"},
	    {"state_dir =", "no value"},
	    {"state_dir = var", "absolute"},
	    {"state_dir = ./var", "absolute"},
	    {"run_dir = "
	     "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	     "shorter"},
	    {"keeper.hash_slots = -1", "0 to 64"},
	    {"keeper.hash_slots = 65", "0 to 64"},
	    {"keeper.hash_slots = 1.5", "0 to 64"},
	    {"keeper.hash_slots = two", "0 to 64"},
	    {"keeper.hash_slots = 0x10", "0 to 64"},
	    {"keeper.hash_slots = 99999999999999999999", "0 to 64"},
	    {"keeper.hash_slots =", "no value"},
	    {"password.min = 7", "8 to 64"},
	    {"password.min = 65", "8 to 64"},
	    {"initial_password_days = 0", "1 to 366"},
	    {"initial_password_days = 367", "1 to 366"},
	    {"enrol.by = 2027-02-29", "no day"},
	    {"enrol.by = 2027-3-1", "no day"},
	    {"enrol.by = 1999-12-31", "no day"},
	    {"enrol.by = soon", "no day"},
	    {"enrol.days = 3661", "0 to 3660"},
	    {"enrol.remind = 0", "1 to 366"},
	    {"enrol.remind = 7 367", "1 to 366"},
	    {"enrol.remind = 7,1", "1 to 366"},
	    {"enrol.remind = 9 8 7 6 5 4 3 2 1", "more than 8"},
	    {"session.idle = 59", "1m to 1d"},
	    {"session.idle = 59s", "1m to 1d"},
	    {"session.idle = 25h", "1m to 1d"},
	    {"session.idle = 30 m", "1m to 1d"},
	    {"session.idle = m", "1m to 1d"},
	    {"session.idle = 30min", "1m to 1d"},
	    {"session.idle = 999999999999999d", "1m to 1d"},
	    {"session.max = 8d", "1m to 7d"},
	    {"mail.from = info", "email"},
	    {"mail.from = Info <info@example.org>", "email"},
	    {"mail.smtp = host", "HOST:PORT"},
	    {"mail.smtp = host:", "HOST:PORT"},
	    {"mail.smtp = :25", "HOST:PORT"},
	    {"mail.smtp = host:0", "HOST:PORT"},
	    {"mail.smtp = host:65536", "HOST:PORT"},
	    {"mail.smtp = host:smtp", "HOST:PORT"},
	    {"mail.smtp = a:25, b:25", "\"a:25,\" is not HOST:PORT"},
	    {"mail.smtp = a:1 b:2 c:3 d:4 e:5 f:6 g:7 h:8 i:9", "more than 8"},
	    {"mail.smtp =", "no value"},
	    {"mail.connections = 0", "1 to 16"},
	    {"mail.connections = 17", "1 to 16"},
	    {"mail.sendmail = sendmail", "absolute"},
	    {"mail.smtp = ho st:25", "HOST:PORT"},
	    {"mail.smtp = ::1:25", "HOST:PORT"},
	    {"mail.smtp = [::1]", "HOST:PORT"},
	    {"mail.smtp = smtp://host:25", "HOST:PORT"},
	    {"mail.smtp = user@host:25", "HOST:PORT"},
	    {"mail.smtp = 1.2.3:25", "HOST:PORT"},
	    {"web.listen = 8480", "ADDRESS:PORT"},
	    {"web.listen = localhost:8480", "ADDRESS:PORT"},
	    {"web.listen = 127.0.0.1", "ADDRESS:PORT"},
	    {"web.listen = 127.0.0.1:0", "ADDRESS:PORT"},
	    {"web.listen = 127.0.0.256:80", "ADDRESS:PORT"},
	    {"web.listen = ::1:80", "ADDRESS:PORT"},
	    {"web.listen = *:80", "ADDRESS:PORT"},
	    {"web.listen = unix:run/x", "unix:"},
	    {"web.listen = unix:", "unix:"},
	    {"web.trusted_proxies = 127.0.0.1, ::1", "127.0.0.1,"},
	    {"web.trusted_proxies = 10.0.0.0/8", "10.0.0.0/8"},
	    {"web.trusted_proxies = nginx", "nginx"},
	    {"limits.exempt = 10.0.0.1/8", "10.0.0.1/8"},
	    {"limits.exempt = 10.0.0.0/33", "10.0.0.0/33"},
	    {"limits.exempt = 10.0.0.0/", "10.0.0.0/"},
	    {"limits.exempt = office", "office"},
	    {"mail.code_in_subject = maybe", "yes|no"},
	    {"portal.url = portal", "its path"},
	    {"portal.url = //evil.example/", "its path"},
	    {"portal.url = /a b", "its path"},
	    {"portal.url = /a#b", "its path"},
	    {"portal.url = javascript://x", "not an address"},
	    {"portal.url = http://kosmo.example.org/", "localhost alone"},
	    {"portal.url = https://u@kosmo.example.org/", "leave out user"},
	    {"passkey.rp_id = 192.0.2.1", "DNS name"},
	    {"passkey.origins = https://a.example https://b.example/x", "leave out user, path"},
	    {"passkey.origins = http://a.example", "localhost alone"},
	    {"passkey.origins = https://a.b https://c.d https://e.f https://g.h https://i.j", "more than 4"},
	    {"mail.list_unsubscribe = stop@example.jp", "mailto:"},
	    {"mail.list_unsubscribe = mailto:", "mailto:"},
	    {"mail.list_unsubscribe = mailto:a@b@c", "mailto:"},
	    {"mail.list_unsubscribe = http://example.jp/", "mailto:"},
	    {"mail.list_unsubscribe = https:///x", "mailto:"},
	    {"mail.list_unsubscribe = https://example.jp/>,<mailto:x@example.jp", "mailto:"},
	    {"mail.list_unsubscribe = https://example.jp/a b", "mailto:"},
	    {"mail.list_unsubscribe = https://example.jp/\xe5\x81\xa5", "mailto:"},
	    {"mail.list_unsubscribe = javascript:alert(1)", "mailto:"},
	};
	char text[400];

	for (size_t i = 0; i < COUNT(t); i++) {
		snprintf(text, sizeof text, "# a\n" URL "%s\n", t[i].line);
		refused(*state, text, 3, t[i].words);
	}
}

static void urls(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused with the words */
		const char *words;
	} t[] = {
	    {"https://kosmo.example.org", "https://kosmo.example.org", 0},
	    {"https://kosmo.example.org/", "https://kosmo.example.org", 0},
	    {"https://kosmo.example.org:443", "https://kosmo.example.org", 0},
	    {"https://kosmo.example.org:8443/", "https://kosmo.example.org:8443", 0},
	    {"https://kosmo.example.org:08443/", "https://kosmo.example.org:8443", 0},
	    {"https://intranet", "https://intranet", 0},
	    {"https://localhost:8480", "https://localhost:8480", 0},
	    {"http://localhost", "http://localhost", 0},
	    {"http://localhost:80", "http://localhost", 0},
	    {"http://LocalHost:8480", "http://localhost:8480", 0},
	    {"https://xn--wgv71a.jp", "https://xn--wgv71a.jp", 0},
	    {"https://1und1.de", "https://1und1.de", 0},
	    {"http://example.org", NULL, "localhost alone"},
	    {"http://localhost.example.org", NULL, "localhost alone"},
	    {"http://127.0.0.1:8480", NULL, "WebAuthn"},
	    {"https://127.0.0.1", NULL, "WebAuthn"},
	    {"https://[::1]:8480", NULL, "WebAuthn"},
	    {"http://[::1]", NULL, "WebAuthn"},
	    {"https://192.0.2.7:8443", NULL, "WebAuthn"},
	    {"example.org", NULL, "https://HOST"},
	    {"ftp://example.org", NULL, "https://HOST"},
	    {"https:/example.org", NULL, "https://HOST"},
	    {"https://", NULL, "DNS name"},
	    {"https:///", NULL, "DNS name"},
	    {"https://:443", NULL, "DNS name"},
	    {"https://example.org/kosmo", NULL, "leave out"},
	    {"https://example.org//", NULL, "leave out"},
	    {"https://example.org?x", NULL, "leave out"},
	    {"https://example.org#x", NULL, "leave out"},
	    {"https://user@example.org", NULL, "leave out"},
	    {"https://example.org\\x", NULL, "leave out"},
	    {"https://example.org:", NULL, "port"},
	    {"https://example.org:0", NULL, "port"},
	    {"https://example.org:65536", NULL, "port"},
	    {"https://example.org:x", NULL, "port"},
	    {"https://a:b:1", NULL, "DNS name"},
	    {"https://exa mple.org", NULL, "DNS name"},
	    {"https://exa_mple.org", NULL, "DNS name"},
	    {"https://-example.org", NULL, "DNS name"},
	    {"https://example-.org", NULL, "DNS name"},
	    {"https://example..org", NULL, "DNS name"},
	    {"https://.example.org", NULL, "DNS name"},
	    {"https://example.org.", NULL, "DNS name"},
	    {"https://例え.jp", NULL, "xn--"},
	    {"https://1.2.3", NULL, "DNS name"},
	    {"", NULL, "no value"},
	};
	char text[200];

	for (size_t i = 0; i < COUNT(t); i++) {
		snprintf(text, sizeof text, "url = %s\n", t[i].in);
		if (t[i].out) {
			struct conf *c = load(*state, text);

			assert_string_equal(c->url, t[i].out);
			conf_free(c);
		} else
			refused(*state, text, 1, t[i].words);
	}
}

static void whole_file(void **state)
{
	refused(*state, "", 0, "url is missing");
	refused(*state, "language = ja\n", 0, "url is missing");
	refused(*state, URL "mail.transport = maildir\n", 0, "mail.maildir");
	refused(*state, URL "mail.smtp_user = x\n", 0, "smtp_password_file");
	refused(*state, URL "mail.smtp_password_file = /x\n", 0, "smtp_user");
	refused(*state, URL "session.idle = 11h\n", 0, "session.idle");
	refused(*state, URL "portal.url = https://other.example/\n", 0, "one host name");
	refused(*state, URL "portal.url = /login\n", 0, "own pages");
	refused(*state, URL "passkey.rp_id = other.example\n", 0, "neither the host of url");
	refused(*state, URL "passkey.rp_id = org\n", 0, "neither the host of url");
	refused(*state, URL "passkey.rp_id = osmo.example.org\n", 0, "neither the host of url");
	refused(*state, URL "passkey.attestation = require\n", 0, "passkey.roots");
}

static void portal(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {{"", ""},
		 {"/portal/?x=%41", "/portal/?x=%41"},
		 {"/", "/"},
		 {"https://KOSMO.example.org:443/Portal", "/Portal"},
		 {"https://kosmo.example.org", "/"}};
	char text[200];

	for (size_t i = 0; i < COUNT(t); i++) {
		snprintf(text, sizeof text, URL "portal.url = %s\n", t[i].in);
		struct conf *c = load(*state, text);
		assert_string_equal(c->portal_url, t[i].out);
		conf_free(c);
	}
}

static void drop_in(void *folder, const char *name, const char *text)
{
	char rel[100];

	snprintf(rel, sizeof rel, "kosmo.conf.d/%s", name);
	unit_write(unit_path(folder, rel), text, strlen(text));
}

static void drop_ins(void **state)
{
	struct conf *c;

	assert_int_equal(mkdir(unit_path(*state, "kosmo.conf.d"), 0700), 0);
	drop_in(*state, "10-a.conf", "organisation = ten\ncontact = ten\n");
	drop_in(*state, "9-b.conf", "organisation = nine\n");
	drop_in(*state, "B.conf", "language = en\n");
	drop_in(*state, "a.conf", "language = ja\n[mail]\nsmtp = drop:1\n");
	drop_in(*state, "z.conf~", "nonsense");
	drop_in(*state, ".z.conf", "nonsense");
	drop_in(*state, "z.conf.dpkg-old", "nonsense");
	drop_in(*state, "README", "nonsense");
	c = load(*state, URL "organisation = main\ncontact = main\nlanguage = en\n[mail]\nsmtp = main:1\n");
	shown(c, "organisation", "nine"); /* "10" comes before "9" */
	shown(c, "contact", "ten");
	shown(c, "language", "ja"); /* 'B' comes before 'a' */
	shown(c, "mail.smtp", "drop:1");
	conf_free(c);
	c = load(*state, URL); /* the key may be in a drop-in only */
	shown(c, "contact", "ten");
	conf_free(c);
	drop_in(*state, "m.conf", "language = ja\nlanguage = ja\n");
	c = NULL;
	assert_int_equal(load_bytes(*state, URL, strlen(URL), &c), ERR_INVALID);
	assert_non_null(strstr(m.text, "/kosmo.conf.d/m.conf:2: "));
	assert_null(c);
	drop_in(*state, "m.conf", "");
	assert_int_equal(mkdir(unit_path(*state, "kosmo.conf.d/n.conf"), 0700), 0);
	assert_int_equal(load_bytes(*state, URL, strlen(URL), &c), ERR_INVALID);
	assert_non_null(strstr(m.text, "/n.conf is not a regular file"));
	assert_int_equal(rmdir(unit_path(*state, "kosmo.conf.d/n.conf")), 0);
	assert_int_equal(mkfifo(unit_path(*state, "kosmo.conf.d/n.conf"), 0600), 0);
	assert_int_equal(load_bytes(*state, URL, strlen(URL), &c), ERR_INVALID); /* and no waiting for a writer */
	assert_int_equal(unlink(unit_path(*state, "kosmo.conf.d/n.conf")), 0);
	assert_int_equal(symlink("nowhere", unit_path(*state, "kosmo.conf.d/n.conf")), 0);
	assert_int_equal(load_bytes(*state, URL, strlen(URL), &c), ERR_NOTFOUND);
	assert_null(c);
}

static void files_refused(void **state)
{
	struct conf *c = NULL;
	const char *path = unit_path(*state, "kosmo.conf");
	static char big[1100 * 1024];

	assert_int_equal(conf_load(path, &c, &m), ERR_NOTFOUND);
	assert_non_null(strstr(m.text, "kosmo.conf: No such file"));
	assert_int_equal(conf_load(*state, &c, &m), ERR_INVALID);
	assert_non_null(strstr(m.text, "not a regular file"));
	assert_int_equal(conf_load("/dev/null", &c, NULL), ERR_INVALID);
	unit_write(path, URL, strlen(URL));
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(conf_load(path, &c, &m), ERR_DENIED);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(conf_load(path, &c, &m), ERR_NONE);
	conf_free(c);
	c = NULL;
	memset(big, '\n', sizeof big);
	assert_int_equal(load_bytes(*state, big, sizeof big, &c), ERR_TOOBIG);
	/* kosmo.conf.d that is a file */
	unit_write(unit_path(*state, "kosmo.conf.d"), "x", 1);
	assert_int_equal(load_bytes(*state, URL, strlen(URL), &c), ERR_IO);
	assert_null(c);
}

static void the_table(void **state)
{
	(void)state;
	for (const struct conf_option *o = conf_options; o->name; o++) {
		for (const struct conf_option *p = conf_options; p < o; p++) {
			assert_string_not_equal(p->name, o->name);
			assert_int_not_equal(p->offset, o->offset);
		}
		assert_int_equal(o->type == CONF_CHOICE, o->choices != NULL);
		assert_int_equal(o->type == CONF_NUMBER || o->type == CONF_SECONDS, o->max > 0);
	}
}

#define WITH_FOLDER(f) cmocka_unit_test_setup_teardown(f, unit_folder, unit_folder_gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_FOLDER(presets),	WITH_FOLDER(every_key),	    WITH_FOLDER(deadlines),
	    WITH_FOLDER(seconds_shown), WITH_FOLDER(lines_refused), WITH_FOLDER(long_lines),
	    WITH_FOLDER(unknown_keys),	WITH_FOLDER(duplicates),    WITH_FOLDER(values_refused),
	    WITH_FOLDER(urls),		WITH_FOLDER(whole_file),    WITH_FOLDER(portal),
	    WITH_FOLDER(drop_ins),	WITH_FOLDER(files_refused), cmocka_unit_test(the_table),
	};

	umask(022);
	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
