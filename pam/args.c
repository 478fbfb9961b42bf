#include "config.h"

#include "pam/args.h"
#include "pam/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool args_conf(struct args *a, const char *value)
{
	a->conf = value;
	return value[0] == '/';
}

static bool args_socket(struct args *a, const char *value)
{
	a->socket = value;
	return value[0] == '/' && strlen(value) < sizeof(((struct sockaddr_un *)0)->sun_path);
}

static bool args_fido2(struct args *a, const char *value)
{
	a->fido2 = value;
	return value[0] == '/';
}

static bool args_uid_min(struct args *a, const char *value)
{
	char *end;
	if (value[0] < '0' || value[0] > '9')
		return false;
	errno = 0;
	unsigned long n = strtoul(value, &end, 10);
	a->uid_min = (uid_t)n;
	/* (uid_t)-1 is no uid: as a bound it would only hide a mistake. */
	return errno == 0 && *end == '\0' && n < (uid_t)-1;
}

static bool args_also(struct args *a, const char *value)
{
	a->also = value;
	for (const char *p = value;; p++) {
		size_t n = strcspn(p, ",");
		if (n == 0 || strcspn(p, " \t") < n)
			return false;
		p += n;
		if (*p == '\0')
			return true;
	}
}

static bool args_person(struct args *a, const char *value)
{
	a->caller = true;
	return strcmp(value, "caller") == 0;
}

/* The keeper's own; looked at because PAM_IGNORE is only thinkable with "skip". */
static bool args_password(struct args *a, const char *value)
{
	a->skip = strcmp(value, "skip") == 0;
	return true;
}

static const struct args_known {
	const char *name;
	bool keepers; /* passed on as well */
	bool (*take)(struct args *a, const char *value);
} args_known[] = {
    {"conf=", false, args_conf},   {"socket=", false, args_socket}, {"uid_min=", false, args_uid_min},
    {"also=", false, args_also},   {"person=", false, args_person}, {"password=", true, args_password},
    {"fido2=", false, args_fido2},
};
#define ARGS_KNOWN (sizeof(args_known) / sizeof(args_known[0]))

const char *args_parse(int argc, const char *const *argv, struct args *ret)
{
	bool seen[ARGS_KNOWN] = {false};
	*ret = (struct args){.socket = ARGS_SOCKET, .fido2 = KEY_HELPER, .uid_min = ARGS_UID_MIN};
	for (int i = 0; i < argc; i++) {
		size_t k = 0;
		while (k < ARGS_KNOWN && strncmp(argv[i], args_known[k].name, strlen(args_known[k].name)) != 0)
			k++;
		if (k < ARGS_KNOWN) {
			if (seen[k] || !args_known[k].take(ret, argv[i] + strlen(args_known[k].name)))
				return argv[i];
			seen[k] = true;
			if (!args_known[k].keepers)
				continue;
		}
		if (ret->n == ARGS_OPTIONS_MAX)
			return argv[i];
		ret->option[ret->n++] = argv[i];
	}
	return NULL;
}

bool args_exempt(const struct args *a, const char *login, uid_t uid)
{
	if (uid >= a->uid_min)
		return false;
	size_t n = strlen(login);
	for (const char *p = a->also; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strcspn(p, ",") == n && strncmp(p, login, n) == 0)
			return false;
	}
	return true;
}
