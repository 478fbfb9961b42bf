#include "config.h"

#include "common/site_file.h"
#include "keeper/terms_print.h"
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define TERMS_MAX ((size_t)96 * 1024) /* as enrolld takes them */

static const char *const terms_files[2][2] = {{"terms.ja.md", "terms.ja.txt"}, {"terms.en.md", "terms.en.txt"}};

void terms_print(const struct conf *conf, char ret[static TERMS_PRINT + 1])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	AUTO_BUF all = BUF_INIT;
	ret[0] = '\0';
	for (size_t i = 0; i < 2; i++) {
		AUTO_BUF b = BUF_INIT;
		struct errmsg m;
		enum err e = site_file_text(conf->site_dir, terms_files[i][0], TERMS_MAX, &b, &m);
		if (e == ERR_NOTFOUND)
			e = site_file_text(conf->site_dir, terms_files[i][1], TERMS_MAX, &b, &m);
		if (!e) {
			buf_add(&all, b.data, b.len);
			buf_addc(&all, '\f');
		}
	}
	if (!all.len || all.failed)
		return;
	SHA256(all.data, all.len, digest);
	for (size_t i = 0; i < TERMS_PRINT / 2; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}
