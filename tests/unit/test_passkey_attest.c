/* Attestation: each format, whole and broken, where it counts and where it does not; chains, models, the admin's roots.
 */
#include "config.h"

#include "keeper/passkey_attest.h"
#include "tests/unit/passkey_certify.h"
#include "tests/unit/unit.h"

#define MODEL	    "cb69481e-8ff7-4039-93ec-0a2729a154a8"
#define MODEL_BYTES "\x04\x10\xcb\x69\x48\x1e\x8f\xf7\x40\x39\x93\xec\x0a\x27\x29\xa1\x54\xa8"
#define OTHER_BYTES "\x04\x10\xcb\x69\x48\x1e\x8f\xf7\x40\x39\x93\xec\x0a\x27\x29\xa1\x54\xa9"
#define LEAF(...)                                                                                                      \
	{                                                                                                              \
		.leaf = { __VA_ARGS__ }                                                                                \
	}
#define STATEMENT PASSKEY_ATT_STATEMENT
#define SIGNATURE PASSKEY_ATT_SIGNATURE
#define UNTRUSTED PASSKEY_ATT_CHAIN
#define OK	  PASSKEY_OK
/* Offsets in what certify_tpm makes, for P-256. */
#define AREA_NAME_ALG  2
#define AREA_SYMMETRIC 16
#define AREA_CURVE     22
#define AREA_X	       28
#define INFO_EXTRA     16
#define INFO_NAME      75

static const struct attest_way {
	const char *name;
	const char *format;
	make_attest *attest;
	enum passkey_check trusted, otherwise; /* with a trust, without */
	struct certify certify;
} ways[] = {
    {"packed", "packed", certify_packed, OK, OK, {.alg = 0}},
    {"packed, the root in it", "packed", certify_packed, OK, OK, {.chain = CHAIN_WITH_ROOT}},
    {"packed, its model said", "packed", certify_packed, OK, OK, LEAF(.aaguid = MODEL_BYTES)},
    {"packed under RS256", "packed", certify_packed, OK, OK, LEAF(.alg = PASSKEY_RS256)},
    {"packed under ES384", "packed", certify_packed, OK, OK, LEAF(.alg = PASSKEY_ES384)},
    {"packed, wrong signature", "packed", certify_packed, SIGNATURE, SIGNATURE, {.bad_signature = true}},
    {"packed, alg of another key", "packed", certify_packed, STATEMENT, STATEMENT, {.alg = PASSKEY_RS256}},
    {"packed, alg of another curve", "packed", certify_packed, STATEMENT, STATEMENT, {.alg = PASSKEY_ES384}},
    {"packed, alg RS1",
     "packed",
     certify_packed,
     STATEMENT,
     STATEMENT,
     {.alg = -65535, .leaf = {.alg = PASSKEY_RS256}}},
    {"packed, certificate of version 1", "packed", certify_packed, UNTRUSTED, UNTRUSTED, LEAF(.version = 1)},
    {"packed, certificate of a CA", "packed", certify_packed, UNTRUSTED, UNTRUSTED, LEAF(.ca = true)},
    {"packed, no constraints", "packed", certify_packed, UNTRUSTED, UNTRUSTED, LEAF(.unconstrained = true)},
    {"packed, other unit", "packed", certify_packed, UNTRUSTED, UNTRUSTED, LEAF(.unit = "Authenticator attestation")},
    {"packed, no unit", "packed", certify_packed, UNTRUSTED, UNTRUSTED, LEAF(.missing = "OU")},
    {"packed, no country", "packed", certify_packed, UNTRUSTED, UNTRUSTED, LEAF(.missing = "C")},
    {"packed, no organisation", "packed", certify_packed, UNTRUSTED, UNTRUSTED, LEAF(.missing = "O")},
    {"packed, no name", "packed", certify_packed, UNTRUSTED, UNTRUSTED, LEAF(.missing = "CN")},
    {"packed, another model said", "packed", certify_packed, UNTRUSTED, UNTRUSTED, LEAF(.aaguid = OTHER_BYTES)},
    {"packed, model critical", "packed", certify_packed, UNTRUSTED, UNTRUSTED,
     LEAF(.aaguid = MODEL_BYTES, .aaguid_critical = true)},
    {"packed, model twice", "packed", certify_packed, UNTRUSTED, UNTRUSTED,
     LEAF(.aaguid = MODEL_BYTES, .aaguid_twice = true)},
    {"packed, CA between not there", "packed", certify_packed, UNTRUSTED, OK, {.chain = CHAIN_LEAF}},
    {"packed, signed by itself", "packed", certify_packed, UNTRUSTED, OK, {.chain = CHAIN_SELF}},
    {"packed, another root of that name", "packed", certify_packed, UNTRUSTED, OK, {.chain = CHAIN_FOREIGN}},
    {"packed, a leaf as CA",
     "packed",
     certify_packed,
     SIGNATURE,
     SIGNATURE,
     {.chain = CHAIN_LEAF_AS_CA, .bad_signature = true}},
    {"packed, a good signature below a leaf", "packed", certify_packed, UNTRUSTED, OK, {.chain = CHAIN_LEAF_AS_CA}},
    {"packed, valid yesterday", "packed", certify_packed, UNTRUSTED, OK, LEAF(.days = -2)},
    {"packed, valid tomorrow", "packed", certify_packed, UNTRUSTED, OK, LEAF(.days = 2)},
    {"packed, CA's bytes cut", "packed", certify_packed, STATEMENT, STATEMENT, {.chain = CHAIN_CUT}},
    {"packed, a byte behind the certificate", "packed", certify_packed, STATEMENT, STATEMENT, {.chain = CHAIN_GARBAGE}},

    {"packed, nine certificates", "packed", certify_packed, STATEMENT, STATEMENT, {.chain = CHAIN_LONG}},

    {"fido-u2f, CA below the root", "fido-u2f", certify_u2f, UNTRUSTED, OK, {.alg = 0}},
    {"fido-u2f, wrong signature", "fido-u2f", certify_u2f, SIGNATURE, SIGNATURE, {.bad_signature = true}},
    {"fido-u2f, two certificates", "fido-u2f", certify_u2f, STATEMENT, STATEMENT, {.chain = CHAIN_WITH_ROOT}},
    {"fido-u2f, other curve", "fido-u2f", certify_u2f, STATEMENT, STATEMENT, LEAF(.alg = PASSKEY_ES384)},
    {"fido-u2f under RSA", "fido-u2f", certify_u2f, STATEMENT, STATEMENT, LEAF(.alg = PASSKEY_RS256)},

    {"tpm", "tpm", certify_tpm, OK, OK, {.alg = 0}},
    {"tpm, signed under RS256", "tpm", certify_tpm, OK, OK, LEAF(.alg = PASSKEY_RS256)},
    {"tpm, model said", "tpm", certify_tpm, OK, OK, LEAF(.aaguid = MODEL_BYTES)},
    {"tpm, another model said", "tpm", certify_tpm, UNTRUSTED, UNTRUSTED, LEAF(.aaguid = OTHER_BYTES)},
    {"tpm, wrong signature", "tpm", certify_tpm, SIGNATURE, SIGNATURE, {.bad_signature = true}},
    {"tpm, alg of another key", "tpm", certify_tpm, STATEMENT, STATEMENT, {.alg = PASSKEY_RS256}},
    {"tpm, alg EdDSA", "tpm", certify_tpm, STATEMENT, STATEMENT, {.alg = PASSKEY_EDDSA}},
    {"tpm, magic", "tpm", certify_tpm, STATEMENT, STATEMENT, {.info = PUT(PART_AUTH, 0, 1, "\xfe")}},
    {"tpm, type quote", "tpm", certify_tpm, STATEMENT, STATEMENT, {.info = PUT(PART_AUTH, 4, 2, "\x80\x18")}},
    {"tpm, other extra data",
     "tpm",
     certify_tpm,
     STATEMENT,
     STATEMENT,
     {.info = PUT(PART_AUTH, INFO_EXTRA, 2, "\0\0")}},
    {"tpm, no extra data",
     "tpm",
     certify_tpm,
     STATEMENT,
     STATEMENT,
     {.info = PUT(PART_AUTH, INFO_EXTRA - 2, 34, "\0\0")}},
    {"tpm, other name", "tpm", certify_tpm, STATEMENT, STATEMENT, {.info = PUT(PART_AUTH, INFO_NAME + 2, 2, "\0\0")}},
    {"tpm, name under another hash",
     "tpm",
     certify_tpm,
     STATEMENT,
     STATEMENT,
     {.info = PUT(PART_AUTH, INFO_NAME, 2, "\x00\x0c")}},
    {"tpm, certInfo cut", "tpm", certify_tpm, STATEMENT, STATEMENT, {.info = PUT(PART_AUTH, -1, 1, "")}},
    {"tpm, certInfo and a byte", "tpm", certify_tpm, STATEMENT, STATEMENT, {.info = PUT(PART_AUTH, MAKE_END, 0, "\0")}},
    {"tpm, no certInfo", "tpm", certify_tpm, STATEMENT, STATEMENT, {.info = PUT(PART_AUTH, 0, MAKE_REST, "")}},
    {"tpm, other type of key", "tpm", certify_tpm, STATEMENT, STATEMENT, {.area = PUT(PART_AUTH, 1, 1, "\x01")}},
    {"tpm, name with SHA-1",
     "tpm",
     certify_tpm,
     STATEMENT,
     STATEMENT,
     {.area = PUT(PART_AUTH, AREA_NAME_ALG, 2, "\x00\x04")}},
    {"tpm, symmetric algorithm",
     "tpm",
     certify_tpm,
     STATEMENT,
     STATEMENT,
     {.area = PUT(PART_AUTH, AREA_SYMMETRIC, 2, "\x00\x06")}},
    {"tpm, other curve", "tpm", certify_tpm, STATEMENT, STATEMENT, {.area = PUT(PART_AUTH, AREA_CURVE, 2, "\x00\x04")}},
    {"tpm, other point", "tpm", certify_tpm, STATEMENT, STATEMENT, {.area = PUT(PART_AUTH, AREA_X, 2, "\0\0")}},
    {"tpm, pubArea cut", "tpm", certify_tpm, STATEMENT, STATEMENT, {.area = PUT(PART_AUTH, -1, 1, "")}},
    {"tpm, pubArea and a byte", "tpm", certify_tpm, STATEMENT, STATEMENT, {.area = PUT(PART_AUTH, MAKE_END, 0, "\0")}},
    {"tpm, a subject", "tpm", certify_tpm, UNTRUSTED, UNTRUSTED, LEAF(.subject = true)},
    {"tpm, no names", "tpm", certify_tpm, UNTRUSTED, UNTRUSTED, LEAF(.no_names = true)},
    {"tpm, no manufacturer", "tpm", certify_tpm, UNTRUSTED, UNTRUSTED, LEAF(.no_manufacturer = true)},
    {"tpm, no use", "tpm", certify_tpm, UNTRUSTED, UNTRUSTED, LEAF(.use = "")},
    {"tpm, other use", "tpm", certify_tpm, UNTRUSTED, UNTRUSTED, LEAF(.use = "2.23.133.8.1")},
    {"tpm, certificate of a CA", "tpm", certify_tpm, UNTRUSTED, UNTRUSTED, LEAF(.ca = true)},
    {"tpm, certificate of version 2", "tpm", certify_tpm, UNTRUSTED, UNTRUSTED, LEAF(.version = 2)},
    {"tpm, another root", "tpm", certify_tpm, UNTRUSTED, OK, {.chain = CHAIN_FOREIGN}},

    {"android-key", "android-key", certify_android, PASSKEY_ATT_FORMAT, OK, {.alg = 0}},
    {"android-key, other key", "android-key", certify_android, PASSKEY_ATT_FORMAT, STATEMENT,
     LEAF(.alg = PASSKEY_ES256)},
    {"android-key, other challenge", "android-key", certify_android, PASSKEY_ATT_FORMAT, STATEMENT, {.stale = true}},
    {"android-key, no extension",
     "android-key",
     certify_android,
     PASSKEY_ATT_FORMAT,
     STATEMENT,
     {.no_extension = true}},
    {"android-key, wrong signature",
     "android-key",
     certify_android,
     PASSKEY_ATT_FORMAT,
     SIGNATURE,
     {.bad_signature = true}},
    {"android-key, a byte in the extension",
     "android-key",
     certify_android,
     PASSKEY_ATT_FORMAT,
     STATEMENT,
     {.surplus = true}},
    {"apple, a value more in the extension", "apple", certify_apple, PASSKEY_ATT_FORMAT, SIGNATURE, {.surplus = true}},
    {"apple", "apple", certify_apple, PASSKEY_ATT_FORMAT, OK, {.alg = 0}},
    {"apple, other key", "apple", certify_apple, PASSKEY_ATT_FORMAT, STATEMENT, LEAF(.alg = PASSKEY_ES256)},
    {"apple, other nonce", "apple", certify_apple, PASSKEY_ATT_FORMAT, SIGNATURE, {.stale = true}},
    {"apple, no extension", "apple", certify_apple, PASSKEY_ATT_FORMAT, SIGNATURE, {.no_extension = true}},

    {"none", "none", NULL, PASSKEY_ATT_FORMAT, OK, {.alg = 0}},
    {"packed by the credential's own key", "packed", make_packed_self, UNTRUSTED, OK, {.alg = 0}},
};

static enum passkey_check registration(const struct passkey_trust *t, int64_t now, const struct make *how)
{
	static const char *const origin[] = {MAKE_ORIGIN, NULL};
	static const int32_t algs[] = {PASSKEY_ES256, PASSKEY_RS256};
	uint8_t challenge[32];
	struct passkey made;
	struct made m;
	for (size_t i = 0; i < sizeof challenge; i++)
		challenge[i] = (uint8_t)i;
	const struct passkey_expected x = {.rp_id = MAKE_RP,
					   .origin = origin,
					   .challenge = {challenge, 32},
					   .alg = algs,
					   .algs = COUNT(algs),
					   .trust = t,
					   .now = now};
	make_registration(how, &m);
	const struct passkey_attestation r = {make_view(&m.client), make_view(&m.object)};
	enum passkey_check c = passkey_register(&x, &r, &made);
	made_free(&m);
	return c;
}

static struct passkey_trust *load(const void *folder, void pem(struct buf *), const char *models)
{
	AUTO_BUF text = BUF_INIT;
	struct passkey_trust *t = NULL;
	struct errmsg m;
	pem(&text);
	unit_write(unit_path(folder, "roots.pem"), text.data, text.len);
	assert_int_equal(passkey_trust_load(unit_path(folder, "roots.pem"), models, &t, &m), ERR_NONE);
	return t;
}

static void test_ways(void **state)
{
	struct passkey_trust *t = load(*state, chain_root, NULL);
	for (size_t i = 0; i < COUNT(ways); i++) {
		const struct attest_way *w = &ways[i];
		const struct make how = {.format = w->format, .attest = w->attest, .how = &w->certify};
		enum passkey_check a = registration(t, CERTIFY_NOW, &how), b = registration(NULL, 0, &how);
		if (a != w->trusted || b != w->otherwise)
			fail_msg("%s: %s, %s", w->name, passkey_check_name(a), passkey_check_name(b));
	}
	passkey_trust_free(t);
}

/* A CA, or an authenticator's certificate, that the admin trusts needs nothing above it. */
static void test_partial(void **state)
{
	struct passkey_trust *t = load(*state, chain_ca, NULL);
	static const struct certify leaf = {.chain = CHAIN_LEAF};
	const struct make packed = {.format = "packed", .attest = certify_packed, .how = &leaf},
			  u2f = {.format = "fido-u2f", .attest = certify_u2f};
	assert_int_equal(registration(t, CERTIFY_NOW, &packed), PASSKEY_OK);
	assert_int_equal(registration(t, CERTIFY_NOW, &u2f), PASSKEY_OK);
	/* Time is the caller's; one that forgot it gets no. */
	assert_int_equal(registration(t, CERTIFY_NOW + 90000, &packed), PASSKEY_ATT_CHAIN);
	assert_int_equal(registration(t, CERTIFY_NOW - 90000, &packed), PASSKEY_ATT_CHAIN);
	assert_int_equal(registration(t, 0, &packed), PASSKEY_ATT_CHAIN);
	passkey_trust_free(t);
}

static void test_rsa(void **state)
{
	struct passkey_trust *t = load(*state, chain_root, NULL);
	const struct make how = {.alg = PASSKEY_RS256, .format = "tpm", .attest = certify_tpm};
	static const struct certify exponent = {.area = PUT(PART_AUTH, 27, 1, "\x03")};
	const struct make other = {.alg = PASSKEY_RS256, .format = "tpm", .attest = certify_tpm, .how = &exponent},
			  u2f = {.alg = PASSKEY_RS256, .format = "fido-u2f", .attest = certify_u2f};
	assert_int_equal(registration(t, CERTIFY_NOW, &how), PASSKEY_OK);
	assert_int_equal(registration(t, CERTIFY_NOW, &other), PASSKEY_ATT_STATEMENT);
	assert_int_equal(registration(t, CERTIFY_NOW, &u2f), PASSKEY_ATT_STATEMENT);
	passkey_trust_free(t);
}

static void test_models(void **state)
{
	static const struct {
		const char *models;
		enum passkey_check check, u2f; /* which signs no model: one said beside it counts for nothing */
	} lists[] = {
	    {"", PASSKEY_OK, PASSKEY_OK},
	    {" ", PASSKEY_OK, PASSKEY_OK},
	    {MODEL, PASSKEY_OK, PASSKEY_AAGUID},
	    {"00000000-0000-0000-0000-000000000000, CB69481E-8FF7-4039-93EC-0A2729A154A8\n", PASSKEY_OK, PASSKEY_OK},
	    {"00000000-0000-0000-0000-000000000000", PASSKEY_AAGUID, PASSKEY_OK},
	    {"cb69481e-8ff7-4039-93ec-0a2729a154a9", PASSKEY_AAGUID, PASSKEY_AAGUID},
	};
	const struct make how = {.format = "packed", .attest = certify_packed},
			  old = {.format = "fido-u2f", .attest = certify_u2f};
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct passkey_trust *t = load(*state, chain_root, lists[i].models);
		assert_int_equal(registration(t, CERTIFY_NOW, &how), lists[i].check);
		passkey_trust_free(t);
		t = load(*state, chain_ca, lists[i].models);
		assert_int_equal(registration(t, CERTIFY_NOW, &old), lists[i].u2f);
		passkey_trust_free(t);
	}
}

static void refused(const char *path, const char *models, const char *says)
{
	struct passkey_trust *t = NULL;
	struct errmsg m = {""};
	assert_int_not_equal(passkey_trust_load(path, models, &t, &m), ERR_NONE);
	assert_null(t);
	if (!strstr(m.text, says))
		fail_msg("%s says not: %s", m.text, says);
}

static void test_load(void **state)
{
	static const char *const bad_models[] = {"x",
						 MODEL "0",
						 "cb69481e8ff7403993ec0a2729a154a8",
						 "cb69481e-8ff7-4039-93ec-0a2729a154ag",
						 "cb69481e-8ff7-4039-93ec-0a2729a154a",
						 MODEL ";" MODEL};
	AUTO_BUF text = BUF_INIT;
	char file[PATH_MAX];
	chain_root(&text);
	chain_ca(&text);
	refused(*state, NULL, "no certificates");
	snprintf(file, sizeof file, "%s", unit_path(*state, "a.pem"));
	refused(file, NULL, "No such file");
	unit_write(file, "", 0);
	refused(file, NULL, "certificate 1 is not");
	refused(*state, NULL, "certificate 1 is not");
	unit_write(file, text.data, text.len - 40); /* the second one cut */
	refused(file, NULL, "certificate 2 is not");
	unit_write(file, text.data, text.len);
	for (size_t i = 0; i < COUNT(bad_models); i++)
		refused(file, bad_models[i], "is no AAGUID");
	unit_write(unit_path(*state, ".hidden"), "x", 1);
	struct passkey_trust *t = NULL;
	assert_int_equal(passkey_trust_load(*state, MODEL, &t, NULL), ERR_NONE);
	passkey_trust_free(t);
	passkey_trust_free(NULL);
	unit_write(unit_path(*state, "README"), "x", 1);
	refused(*state, NULL, "README");
}

static int gone(void **state)
{
	(void)state;
	chain_free();
	make_keys_free();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_ways, unit_folder, unit_folder_gone),
	    cmocka_unit_test_setup_teardown(test_partial, unit_folder, unit_folder_gone),
	    cmocka_unit_test_setup_teardown(test_rsa, unit_folder, unit_folder_gone),
	    cmocka_unit_test_setup_teardown(test_models, unit_folder, unit_folder_gone),
	    cmocka_unit_test_setup_teardown(test_load, unit_folder, unit_folder_gone),
	};

	return cmocka_run_group_tests(tests, NULL, gone);
}
