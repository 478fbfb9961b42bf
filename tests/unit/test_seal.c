/* Key files good and bad; boxes with every byte and every part of their place changed; MACs; threads; a fork. */
#include "config.h"

#include "keeper/seal.h"
#include "tests/unit/unit.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEY1 "kosmo-key 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"
#define KEY2 "kosmo-key 2 ____________________________________AAAAAAA\n"

static char path[PATH_MAX];

static struct seal *parse(const char *text)
{
	struct seal *s = NULL;
	struct errmsg m = {""};

	if (seal_parse(text, strlen(text), &s, &m) != ERR_NONE)
		fail_msg("%s", m.text);
	return s;
}

static void key_file(const char *text, mode_t mode)
{
	FILE *f;

	(void)unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void refused(enum err want, const char *word)
{
	struct seal *s = NULL;
	struct errmsg m = {""};
	enum err r = seal_load(path, &s, &m);

	if (r != want || s || !strstr(m.text, word) || !strstr(m.text, path))
		fail_msg("%d instead of %d: \"%s\" has not \"%s\"", (int)r, (int)want, m.text, word);
}

static void test_create(void **state)
{
	struct errmsg m = {""};
	struct stat st;
	struct seal *s = NULL;

	(void)state;
	(void)unlink(path);
	assert_int_equal(seal_key_create(path, &m), ERR_NONE);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, strlen(KEY1));
	assert_int_equal(seal_load(path, &s, &m), ERR_NONE);
	seal_free(s);
	assert_int_equal(seal_key_create(path, &m), ERR_EXISTS);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(seal_load(path, &s, &m), ERR_NONE);
	seal_free(s);
	assert_int_equal(seal_key_create("/nonexistent/key", &m), ERR_IO);
	assert_int_equal(seal_key_create("/nonexistent/key", NULL), ERR_IO);
}

static void test_file_refused(void **state)
{
	static const mode_t modes[] = {0644, 0604, 0602, 0660, 0620, 0700, 0601, 04600};
	char other[PATH_MAX + 8];

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		key_file(KEY1, modes[i]);
		refused(ERR_DENIED, "mode");
	}
	(void)snprintf(other, sizeof(other), "%s.real", path);
	key_file(KEY1, 0600);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	refused(ERR_DENIED, "symbolic link");
	assert_int_equal(unlink(other), 0);
	assert_int_equal(unlink(path), 0);
	refused(ERR_NOTFOUND, "no such");
	assert_int_equal(mkfifo(path, 0600), 0);
	refused(ERR_DENIED, "regular");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0600), 0);
	refused(ERR_DENIED, "regular");
	assert_int_equal(rmdir(path), 0);
	if (geteuid() == 0) {
		key_file(KEY1, 0600);
		assert_int_equal(chown(path, 12345, 0), 0);
		refused(ERR_DENIED, "uid 12345");
	}
}

static void test_form_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "\n",
	    "kosmo-key",
	    "kosmo-key 1 \n",
	    "kosmo-key 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",	  /* cut: no end of line */
	    "kosmo-key 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh\n",	  /* short */
	    "kosmo-key 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A\n", /* long */
	    "kosmo-key 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9\n",  /* trailing bits */
	    "kosmo-key 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+\n",  /* alphabet */
	    "kosmo-key 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\r\n",
	    "kosmo-key 1  AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
	    "kosmo-key 0 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
	    "kosmo-key 01 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
	    "kosmo-key 256 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
	    "kosmo-key 4294967297 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
	    "kosmo-key -1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
	    "kosmo-key x AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
	    "kosmo-kex 1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
	    " " KEY1,
	    KEY1 "\n",
	    KEY1 "# note\n",
	    KEY1 KEY1,
	    KEY1 KEY2 KEY1,
	};
	char many[5000] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		key_file(bad[i], 0600);
		refused(ERR_INVALID, "not a key file");
	}
	for (int i = 1; i <= 17; i++) {
		char line[80];
		(void)snprintf(line, sizeof(line), "kosmo-key %d AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n", i);
		(void)strcat(many, line);
	}
	key_file(many, 0600);
	refused(ERR_INVALID, "more than 16");
	memset(many, 'x', sizeof(many) - 1);
	many[sizeof(many) - 1] = '\0';
	key_file(many, 0600);
	refused(ERR_INVALID, "over 4096");
}

static struct seal_where place(void)
{
	return (struct seal_where){.table = "person",
				   .column = "name",
				   .row = {{1, 2, 3}},
				   .owner = {{9, 8, 7}},
				   .extra = "extra",
				   .extra_len = 5};
}

static void test_box(void **state)
{
	struct seal *s = parse(KEY1);
	struct seal_where w = place();
	const size_t sizes[] = {0, 1, 15, 16, 17, 60, 1000, 100000};
	uint8_t *plain = malloc(100000);

	(void)state;
	assert_non_null(plain);
	for (size_t i = 0; i < 100000; i++)
		plain[i] = (uint8_t)(i * 31);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		AUTO_BUF box = BUF_INIT;
		AUTO_BUF again = BUF_INIT;
		AUTO_BUF out = BUF_INIT;
		buf_adds(&out, "kept");
		assert_int_equal(seal_box(s, &w, sizes[i] ? plain : NULL, sizes[i], &box), ERR_NONE);
		assert_int_equal(seal_box(s, &w, plain, sizes[i], &again), ERR_NONE);
		assert_int_equal(box.len, sizes[i] + SEAL_OVERHEAD);
		assert_int_equal(box.data[0], 1);
		assert_memory_not_equal(box.data, again.data, box.len);
		assert_int_equal(seal_unbox(s, &w, box.data, box.len, &out), ERR_NONE);
		assert_int_equal(out.len, 4 + sizes[i]);
		assert_memory_equal(out.data, "kept", 4);
		assert_memory_equal(out.data + 4, plain, sizes[i]);
		assert_int_equal(out.data[out.len], 0);
	}
	free(plain);
	seal_free(s);
}

static void corrupt(const struct seal *s, const struct seal_where *w, const void *box, size_t n)
{
	AUTO_BUF out = BUF_INIT;

	assert_int_equal(seal_unbox(s, w, box, n, &out), ERR_CORRUPT);
	assert_int_equal(out.len, 0);
}

static void test_tampering(void **state)
{
	struct seal *s = parse(KEY1 KEY2);
	struct seal_where w = place(), v;
	AUTO_BUF box = BUF_INIT;
	AUTO_BUF out = BUF_INIT;

	(void)state;
	assert_int_equal(seal_box(s, &w, "a secret of 24 bytes....", 24, &box), ERR_NONE);
	for (size_t i = 0; i < box.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			box.data[i] ^= (uint8_t)(1 << bit);
			corrupt(s, &w, box.data, box.len);
			box.data[i] ^= (uint8_t)(1 << bit);
		}
	}
	for (size_t n = 0; n < box.len; n++)
		corrupt(s, &w, box.data, n);
	buf_addc(&box, '\0');
	corrupt(s, &w, box.data, box.len);
	box.len--;

	for (size_t i = 0; i < ID_LEN; i++) {
		v = w;
		v.row.b[i] ^= 1;
		corrupt(s, &v, box.data, box.len);
		v = w;
		v.owner.b[i] ^= 0x80;
		corrupt(s, &v, box.data, box.len);
	}
	v = w;
	v.row = w.owner;
	v.owner = w.row;
	corrupt(s, &v, box.data, box.len);
#define MOVED(field, value)                                                                                            \
	do {                                                                                                           \
		v = w;                                                                                                 \
		v.field = (value);                                                                                     \
		corrupt(s, &v, box.data, box.len);                                                                     \
	} while (0)
	MOVED(table, "persons");
	MOVED(table, "");
	MOVED(column, "nam");
	MOVED(extra, "extrb");
	MOVED(extra_len, 4);
	MOVED(extra_len, 0);
	/* The seam between two parts is part of it. */
	v = w;
	v.table = "personn";
	v.column = "ame";
	corrupt(s, &v, box.data, box.len);
	assert_int_equal(seal_unbox(s, &w, box.data, box.len, &out), ERR_NONE);
	assert_string_equal(buf_str(&out), "a secret of 24 bytes....");
	seal_free(s);
}

static void test_old_keys_open(void **state)
{
	struct seal *old = parse(KEY1), *both = parse(KEY2 KEY1), *young = parse(KEY2);
	struct seal_where w = place();
	AUTO_BUF a = BUF_INIT;
	AUTO_BUF b = BUF_INIT;
	AUTO_BUF out = BUF_INIT;

	(void)state;
	assert_int_equal(seal_box(old, &w, "old", 3, &a), ERR_NONE);
	assert_int_equal(seal_box(both, &w, "new", 3, &b), ERR_NONE);
	assert_int_equal(a.data[0], 1);
	assert_int_equal(b.data[0], 2);
	assert_int_equal(seal_unbox(both, &w, a.data, a.len, &out), ERR_NONE);
	assert_int_equal(seal_unbox(both, &w, b.data, b.len, &out), ERR_NONE);
	assert_int_equal(seal_unbox(young, &w, b.data, b.len, &out), ERR_NONE);
	assert_string_equal(buf_str(&out), "oldnewnew");
	corrupt(young, &w, a.data, a.len);
	corrupt(old, &w, b.data, b.len);
	seal_free(old);
	seal_free(both);
	seal_free(young);
}

/* What seal.h promises, computed another way: RFC 5869 by hand, then HMAC over lengths and parts. */
static void test_mac_value(void **state)
{
	static const uint8_t zero[32];
	uint8_t master[32], prk[32], key[32], want[32], got[32];
	struct seal *s = parse(KEY1);
	const struct seal_part parts[] = {{"ab", 2}, {"", 0}, {"c", 1}};

	(void)state;
	for (int i = 0; i < 32; i++)
		master[i] = (uint8_t)i;
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, zero, 32, master, 32, prk, 32, NULL));
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, prk, 32, (const uint8_t *)"kosmo/1/code\1", 13,
				  key, 32, NULL));
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, 32,
				  (const uint8_t *)"\0\0\0\2ab\0\0\0\0\0\0\0\1c", 15, want, 32, NULL));
	assert_int_equal(seal_mac(s, SEAL_CODE, parts, 3, got), ERR_NONE);
	assert_memory_equal(got, want, 32);
	seal_free(s);
}

static void test_mac(void **state)
{
	struct seal *s = parse(KEY1), *other = parse(KEY2);
	const struct seal_part ab_c[] = {{"ab", 2}, {"c", 1}}, a_bc[] = {{"a", 1}, {"bc", 2}}, abc[] = {{"abc", 3}};
	uint8_t seen[2 * SEAL_PURPOSES + 3][DIGEST_LEN], again[DIGEST_LEN], kept[DIGEST_LEN];
	uint8_t big[3000];
	size_t n = 0;

	(void)state;
	for (int p = 0; p < SEAL_PURPOSES; p++) {
		assert_int_equal(seal_mac(s, (enum seal_purpose)p, abc, 1, seen[n++]), ERR_NONE);
		assert_int_equal(seal_mac(other, (enum seal_purpose)p, abc, 1, seen[n++]), ERR_NONE);
	}
	assert_int_equal(seal_mac(s, SEAL_CODE, ab_c, 2, seen[n++]), ERR_NONE);
	assert_int_equal(seal_mac(s, SEAL_CODE, a_bc, 2, seen[n++]), ERR_NONE);
	assert_int_equal(seal_mac(s, SEAL_CODE, NULL, 0, seen[n++]), ERR_NONE);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(seen[i], seen[k], DIGEST_LEN);
	assert_int_equal(seal_mac(s, SEAL_CODE, ab_c, 2, again), ERR_NONE);
	assert_memory_equal(again, seen[n - 3], DIGEST_LEN);

	/* Long parts, around the size that is gathered. */
	memset(big, 7, sizeof(big));
	for (size_t len = 480; len < 600; len++) {
		const struct seal_part parts[] = {{big, 30}, {big, len}, {big, sizeof(big) - len}};
		assert_int_equal(seal_mac(s, SEAL_CODE, parts, 3, again), ERR_NONE);
		if (len > 480)
			assert_memory_not_equal(again, kept, DIGEST_LEN);
		memcpy(kept, again, DIGEST_LEN);
	}
	assert_int_equal(seal_mac(s, SEAL_PURPOSES, abc, 1, again), ERR_INVALID);
	assert_int_equal(seal_mac(s, (enum seal_purpose) - 1, abc, 1, again), ERR_INVALID);
	assert_memory_equal(again, kept, DIGEST_LEN);
	seal_free(s);
	seal_free(other);
}

/* A seal that is freed and one that takes its place must not share a thread's contexts. */
static void test_reloaded(void **state)
{
	const struct seal_part part = {"x", 1};
	uint8_t a[DIGEST_LEN], b[DIGEST_LEN];

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct seal *s = parse(KEY1);
		assert_int_equal(seal_mac(s, SEAL_CODE, &part, 1, a), ERR_NONE);
		seal_free(s);
		s = parse(KEY2);
		assert_int_equal(seal_mac(s, SEAL_CODE, &part, 1, b), ERR_NONE);
		seal_free(s);
		assert_memory_not_equal(a, b, DIGEST_LEN);
	}
	seal_free(NULL);
}

struct job {
	const struct seal *s;
	uint8_t mac[DIGEST_LEN];
	bool good;
};

static void *worker(void *p)
{
	struct job *j = p;
	struct seal_where w = place();
	const struct seal_part part = {"x", 1};
	uint8_t mac[DIGEST_LEN];

	j->good = true;
	for (int i = 0; i < 2000 && j->good; i++) {
		AUTO_BUF box = BUF_INIT;
		AUTO_BUF out = BUF_INIT;
		w.row.b[5] = (uint8_t)i;
		j->good = seal_box(j->s, &w, &i, sizeof(i), &box) == ERR_NONE &&
			  seal_unbox(j->s, &w, box.data, box.len, &out) == ERR_NONE && out.len == sizeof(i) &&
			  memcmp(out.data, &i, sizeof(i)) == 0 &&
			  seal_mac(j->s, SEAL_PERSON, &part, 1, mac) == ERR_NONE &&
			  memcmp(mac, j->mac, DIGEST_LEN) == 0;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct seal *s = parse(KEY1);
	const struct seal_part part = {"x", 1};
	pthread_t thread[8];
	struct job job[8];

	(void)state;
	for (int i = 0; i < 8; i++) {
		job[i].s = s;
		assert_int_equal(seal_mac(s, SEAL_PERSON, &part, 1, job[i].mac), ERR_NONE);
		assert_int_equal(pthread_create(&thread[i], NULL, worker, &job[i]), 0);
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_true(job[i].good);
	}
	seal_free(s);
}

/* Parent and child never use one nonce. */
static void test_fork(void **state)
{
	struct seal *s = parse(KEY1);
	struct seal_where w = place();
	AUTO_BUF box = BUF_INIT;
	uint8_t theirs[SEAL_OVERHEAD + 1];
	int pipes[2];

	(void)state;
	assert_int_equal(seal_box(s, &w, "x", 1, &box), ERR_NONE);
	assert_int_equal(pipe(pipes), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	buf_wipe(&box);
	if (pid == 0)
		_exit(seal_box(s, &w, "x", 1, &box) == ERR_NONE &&
			      write(pipes[1], box.data, box.len) == (ssize_t)box.len
			  ? 0
			  : 1);
	int status;
	assert_int_equal(seal_box(s, &w, "x", 1, &box), ERR_NONE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(pipes[0], theirs, sizeof(theirs)), (ssize_t)box.len);
	assert_memory_not_equal(theirs + 1, box.data + 1, 12);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	seal_free(s);
}

static int setup(void **state)
{
	if (unit_folder(state) != 0)
		return -1;
	(void)umask(0);
	(void)snprintf(path, sizeof(path), "%s/key", (const char *)*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_create),    cmocka_unit_test(test_file_refused), cmocka_unit_test(test_form_refused),
	    cmocka_unit_test(test_box),	      cmocka_unit_test(test_tampering),	   cmocka_unit_test(test_old_keys_open),
	    cmocka_unit_test(test_mac_value), cmocka_unit_test(test_mac),	   cmocka_unit_test(test_reloaded),
	    cmocka_unit_test(test_threads),   cmocka_unit_test(test_fork),
	};

	return cmocka_run_group_tests(tests, setup, unit_folder_gone);
}
