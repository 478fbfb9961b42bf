#include "config.h"

#include "keeper/passkey_statement.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHAIN_DEPTH    6
#define AAGUID_TEXT    36
#define SECURITY_LEVEL 1 /* SSL_CTX_set_security_level(3): 80 bits, no SHA-1 */

struct passkey_trust {
	X509_STORE *roots;
	size_t certificates;
	uint8_t (*model)[PASSKEY_AAGUID_LEN];
	size_t models;
};

void passkey_trust_free(struct passkey_trust *t)
{
	if (!t)
		return;
	X509_STORE_free(t->roots);
	free(t->model);
	free(t);
}

/* ---- roots ---- */

static enum err load_certificates(struct passkey_trust *t, BIO *in, const char *path, struct errmsg *m)
{
	for (size_t n = 0;; n++) {
		X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL);
		if (!x) {
			bool end = n && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
			ERR_clear_error();
			t->certificates += n;
			return end ? ERR_NONE
				   : err_set(m, ERR_INVALID, "%s: certificate %zu is not in PEM form", path, n + 1);
		}
		/* A key that cannot be read is no error to OpenSSL until it is used. */
		bool sound = X509_get0_pubkey(x) && X509_check_purpose(x, -1, 0) == 1;
		bool added = X509_STORE_add_cert(t->roots, x) == 1;
		X509_free(x);
		if (!sound)
			return err_set(m, ERR_INVALID, "%s: certificate %zu cannot be made sense of", path, n + 1);
		if (!added)
			return err_set(m, ERR_NOMEM, "%s: out of memory", path);
	}
}

static enum err load_file(struct passkey_trust *t, const char *path, struct errmsg *m)
{
	BIO *in = BIO_new_file(path, "re");
	if (!in) {
		ERR_clear_error();
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	}
	enum err e = load_certificates(t, in, path, m);
	BIO_free(in);
	return e;
}

static enum err load_folder(struct passkey_trust *t, const char *path, struct errmsg *m)
{
	char file[4096];
	enum err e = ERR_NONE;
	DIR *d = opendir(path);
	if (!d)
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	for (struct dirent *entry; e == ERR_NONE && (entry = readdir(d));) {
		if (entry->d_name[0] == '.')
			continue;
		int n = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		e = n > 0 && (size_t)n < sizeof file ? load_file(t, file, m)
						     : err_set(m, ERR_TOOBIG, "%s: too long a name", path);
	}
	closedir(d);
	return e;
}

static enum err load_roots(struct passkey_trust *t, const char *path, struct errmsg *m)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return err_set(m, ERR_IO, "%s: %s", path, strerror(errno));
	enum err e = S_ISDIR(st.st_mode) ? load_folder(t, path, m) : load_file(t, path, m);
	if (e == ERR_NONE && t->certificates == 0)
		e = err_set(m, ERR_INVALID, "%s holds no certificates: nothing could be registered", path);
	return e;
}

/* ---- models ---- */

static int hex(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* 8-4-4-4-12 hexadecimal digits (RFC 9562 section 4). */
static bool model_parse(const char *s, uint8_t ret[static PASSKEY_AAGUID_LEN])
{
	for (size_t n = 0; n < PASSKEY_AAGUID_LEN; n++, s += 2) {
		if ((n == 4 || n == 6 || n == 8 || n == 10) && *s++ != '-')
			return false;
		int high = hex(s[0]), low = high < 0 ? -1 : hex(s[1]);
		if (low < 0)
			return false;
		ret[n] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static enum err load_models(struct passkey_trust *t, const char *text, struct errmsg *m)
{
	static const char between[] = " \t\r\n,";
	for (text += strspn(text, between); *text; text += strspn(text, between)) {
		size_t n = strcspn(text, between);
		void *more = realloc(t->model, (t->models + 1) * sizeof *t->model);
		if (!more)
			return err_set(m, ERR_NOMEM, "out of memory");
		t->model = more;
		if (n != AAGUID_TEXT || !model_parse(text, t->model[t->models]))
			return err_set(m, ERR_INVALID,
				       "%.*s is no AAGUID, which is of the form cb69481e-8ff7-4039-93ec-0a2729a154a8",
				       (int)(n < 80 ? n : 80), text);
		t->models++;
		text += n;
	}
	return ERR_NONE;
}

enum err passkey_trust_load(const char *roots, const char *aaguids, struct passkey_trust **ret, struct errmsg *m)
{
	struct passkey_trust *t = calloc(1, sizeof *t);
	enum err e = ERR_NOMEM;
	if (!t || !(t->roots = X509_STORE_new())) {
		e = err_set(m, ERR_NOMEM, "out of memory");
		goto out;
	}
	e = load_roots(t, roots, m);
	if (e == ERR_NONE && aaguids)
		e = load_models(t, aaguids, m);
	if (e != ERR_NONE)
		goto out;
	*ret = t;
	t = NULL;
out:
	passkey_trust_free(t);
	return e;
}

/* ---- checks ---- */

/* Step 24 takes an attestation certificate that is trusted itself as well: hence partial chains. */
enum passkey_check trust_chain(const struct passkey_trust *t, int64_t now, X509 *leaf, STACK_OF(X509) * above)
{
	enum passkey_check r = PASSKEY_INTERNAL;
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	if (!ctx || X509_STORE_CTX_init(ctx, t->roots, leaf, above) != 1)
		goto out;
	X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(p, (time_t)now);
	X509_VERIFY_PARAM_set_depth(p, CHAIN_DEPTH);
	X509_VERIFY_PARAM_set_auth_level(p, SECURITY_LEVEL);
	if (X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN) != 1)
		goto out;
	r = X509_verify_cert(ctx) == 1 ? PASSKEY_OK : PASSKEY_ATT_CHAIN;
out:
	X509_STORE_CTX_free(ctx);
	return r;
}

bool trust_model(const struct passkey_trust *t, const uint8_t aaguid[static PASSKEY_AAGUID_LEN])
{
	for (size_t i = 0; i < t->models; i++)
		if (memcmp(t->model[i], aaguid, PASSKEY_AAGUID_LEN) == 0)
			return true;
	return t->models == 0;
}
