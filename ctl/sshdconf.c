#include "config.h"

#include "ctl/doctor.h"
#include "ctl/sshdconf.h"
#include <ctype.h>
#include <glob.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SSHDCONF_NESTED 16 /* sshd's own bound */
#define SSHDCONF_FILES	1000

static const struct {
	const char *word, *also, *preset;
} sshdconf_words[SSHD_WORDS] = {
    [SSHD_USEPAM] = {"usepam", NULL, "no"},
    [SSHD_KBDINT] = {"kbdinteractiveauthentication", "challengeresponseauthentication", "yes"},
    [SSHD_PASSWORD] = {"passwordauthentication", NULL, "yes"},
    [SSHD_METHODS] = {"authenticationmethods", NULL, "any"},
    [SSHD_ROOT] = {"permitrootlogin", NULL, "prohibit-password"},
    [SSHD_USEDNS] = {"usedns", NULL, "no"},
    [SSHD_TRIES] = {"maxauthtries", NULL, "6"},
    [SSHD_GRACE] = {"logingracetime", NULL, "120"},
};

struct sshdconf_reader {
	const char *root;
	struct sshdconf *c;
	bool set[SSHD_WORDS];
	bool match; /* within a Match block */
	bool apart; /* one for root alone, who is below uid_min */
	unsigned nested, files;
};

static int sshdconf_find(const char *word)
{
	for (int i = 0; i < SSHD_WORDS; i++)
		if (strcasecmp(word, sshdconf_words[i].word) == 0 ||
		    (sshdconf_words[i].also && strcasecmp(word, sshdconf_words[i].also) == 0))
			return i;
	return -1;
}

/* Splits "Word value", "Word=value", "Word "value" # comment" in place; the value keeps its inner spaces. */
static char *sshdconf_value(char *line)
{
	char *p = line + strcspn(line, " \t="), *v = p, *out;
	bool quoted = false;
	v += strspn(v, " \t=");
	*p = '\0';
	for (out = p = v; *p && (quoted || *p != '#' || (p > v && !isspace((unsigned char)p[-1]))); p++) {
		if (*p == '"')
			quoted = !quoted;
		else
			*out++ = *p;
	}
	while (out > v && isspace((unsigned char)out[-1]))
		out--;
	*out = '\0';
	return v;
}

static void sshdconf_file(struct sshdconf_reader *r, const char *path);

static void sshdconf_include(struct sshdconf_reader *r, char *patterns)
{
	bool match = r->match;
	char *save = NULL;
	if (r->nested == SSHDCONF_NESTED)
		return;
	r->nested++;
	for (char *w = strtok_r(patterns, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		char path[PATH_MAX];
		glob_t g;
		(void)snprintf(path, sizeof path, "%s%s%s", r->root, *w == '/' ? "" : "/etc/ssh/", w);
		if (glob(path, 0, NULL, &g) != 0)
			continue;
		for (size_t i = 0; i < g.gl_pathc; i++) {
			sshdconf_file(r, g.gl_pathv[i]);
			r->match = match; /* a Match ends with its file */
		}
		globfree(&g);
	}
	r->nested--;
}

static void sshdconf_line(struct sshdconf_reader *r, const char *path, unsigned n, char *line)
{
	line += strspn(line, " \t");
	if (!*line || *line == '#' || *line == '\n')
		return;
	char *value = sshdconf_value(line);
	int i = sshdconf_find(line);
	if (strcasecmp(line, "match") == 0) {
		r->match = strcasecmp(value, "all") != 0;
		r->apart = strcasecmp(value, "user root") == 0;
	} else if (strcasecmp(line, "include") == 0)
		sshdconf_include(r, value);
	else if (i >= 0 && r->match && !r->apart && !r->c->match[0])
		(void)snprintf(r->c->match, sizeof r->c->match, "%.100s:%u: %s", path, n, line);
	/* The first value counts. */
	if (i < 0 || r->match || r->set[i])
		return;
	r->set[i] = true;
	(void)snprintf(r->c->value[i], sizeof r->c->value[i], "%s", value);
	for (char *p = r->c->value[i]; *p; p++)
		*p = (char)tolower((unsigned char)*p);
}

static void sshdconf_file(struct sshdconf_reader *r, const char *path)
{
	char *line = NULL;
	size_t cap = 0;
	unsigned n = 0;
	/* Files that include themselves: sshd refuses them, and four such lines would be read for hours. */
	FILE *f = r->files < SSHDCONF_FILES ? fopen(path, "re") : NULL;
	if (!f)
		return;
	r->files++;
	while (getline(&line, &cap, f) >= 0)
		sshdconf_line(r, path, ++n, line);
	free(line);
	(void)fclose(f);
}

bool sshdconf_read(const char *root, struct sshdconf *ret)
{
	static const char *const argv[] = {"sshd", "-T", NULL};
	static char said[64 * 1024];
	char path[PATH_MAX], *save = NULL;
	struct sshdconf_reader r = {.root = root, .c = ret};
	*ret = (struct sshdconf){.asked = false};
	for (int i = 0; i < SSHD_WORDS; i++)
		(void)snprintf(ret->value[i], sizeof ret->value[i], "%s", sshdconf_words[i].preset);
	if ((size_t)snprintf(path, sizeof path, "%s/etc/ssh/sshd_config", root) >= sizeof path || access(path, R_OK))
		return false;
	sshdconf_file(&r, path);
	if (!*root && geteuid() == 0 && doctor_command(argv, said, sizeof said) == 0) {
		struct sshdconf_reader t = {.root = root, .c = ret};
		for (char *l = strtok_r(said, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
			sshdconf_line(&t, "sshd -T", 0, l);
		ret->asked = true;
	}
	return true;
}

long sshdconf_seconds(const char *s)
{
	long all = 0;
	while (*s) {
		char *end;
		long v = strtol(s, &end, 10);
		if (end == s)
			return -1;
		all += v * (*end == 'm' ? 60 : *end == 'h' ? 3600 : *end == 'd' ? 86400 : 1);
		s = end + (*end != '\0');
	}
	return all;
}

/* Calls test for each way in of AuthenticationMethods; true if all pass. "any" is one way of its own. */
static bool sshdconf_ways(const struct sshdconf *c, bool (*test)(const char *way))
{
	char copy[256], *save = NULL;
	bool ok = true;
	(void)snprintf(copy, sizeof copy, "%s", c->value[SSHD_METHODS]);
	for (char *w = strtok_r(copy, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
		ok &= test(w);
	return ok;
}

static bool sshdconf_way_pam(const char *way)
{
	return strstr(way, "keyboard-interactive");
}

static bool sshdconf_way_key(const char *way)
{
	const char *pam = strstr(way, "keyboard-interactive"), *key = strstr(way, "publickey");
	bool asks = pam || strstr(way, "password") || strcmp(way, "any") == 0;
	return !asks || (key && (!pam || key < pam));
}

static bool sshdconf_way_no_password(const char *way)
{
	return strcmp(way, "any") != 0 && !strstr(way, "password");
}

bool sshdconf_all_pam(const struct sshdconf *c)
{
	return sshdconf_ways(c, sshdconf_way_pam);
}

bool sshdconf_key_first(const struct sshdconf *c)
{
	return sshdconf_ways(c, sshdconf_way_key);
}

bool sshdconf_password_way(const struct sshdconf *c)
{
	return strcmp(c->value[SSHD_PASSWORD], "yes") == 0 && !sshdconf_ways(c, sshdconf_way_no_password);
}
