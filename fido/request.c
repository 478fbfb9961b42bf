#include "config.h"

#include "fido/request.h"
#include <stdio.h>
#include <string.h>

static enum err request_allow(const struct wire_msg *m, struct request *r)
{
	for (;; r->n++) {
		char name[32];
		snprintf(name, sizeof name, "allow.%zu", r->n);
		const struct wire_field *f = wire_get(m, name);

		if (!f)
			return r->n > 0 ? ERR_NONE : ERR_INVALID;
		if (r->n == REQUEST_ALLOW_MAX || f->len == 0 || f->len > REQUEST_ID_MAX)
			return ERR_INVALID;
		r->allow[r->n] = (struct request_bytes){f->data, f->len};
	}
}

enum err request_read(const struct wire_msg *m, struct request *ret)
{
	struct request r = {.rp_id = wire_str(m, "rp_id")};
	const struct wire_field *hash = wire_get(m, "hash");

	if (strcmp(m->kind, "get") != 0 || !r.rp_id || r.rp_id[0] == '\0' || strlen(r.rp_id) > REQUEST_RP_MAX)
		return ERR_INVALID;
	if (!hash || hash->len != REQUEST_HASH_LEN)
		return ERR_INVALID;
	r.hash = hash->data;
	if (wire_int(m, "seconds", &r.seconds) != ERR_NONE || r.seconds < 1 || r.seconds > REQUEST_SECONDS_MAX)
		return ERR_INVALID;
	enum err e = request_allow(m, &r);
	if (e == ERR_NONE)
		*ret = r;
	return e;
}
