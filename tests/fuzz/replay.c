/* The main program of a fuzz target built without libFuzzer: gives it each file of its corpus (or those named). */
#include "config.h"

#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* In a block of its own size, so that the sanitizers see a read behind the end. */
static int replay_file(const char *path)
{
	FILE *f = fopen(path, "re");
	struct stat st;
	uint8_t *data = NULL;
	size_t n = 0;
	int ok = f && fstat(fileno(f), &st) == 0;

	if (ok) {
		n = (size_t)st.st_size;
		data = malloc(n ? n : 1);
		ok = data && fread(data, 1, n, f) == n;
	}
	if (f)
		fclose(f);
	if (ok)
		LLVMFuzzerTestOneInput(data, n);
	else
		perror(path);
	free(data);
	return ok;
}

/* How many files were replayed; -1 if one could not be read. */
static int replay_folder(const char *dir)
{
	char path[PATH_MAX + NAME_MAX + 2];
	struct dirent *d;
	DIR *list = opendir(dir);
	int n = 0;

	if (!list) {
		perror(dir);
		return -1;
	}
	while (n >= 0 && (d = readdir(list))) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, d->d_name);
		n = replay_file(path) ? n + 1 : -1;
	}
	closedir(list);
	return n;
}

int main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir"), *name = strrchr(argv[0], '/');
	char dir[PATH_MAX];
	int n;

	for (int i = 1; i < argc; i++)
		if (!replay_file(argv[i]))
			return 1;
	if (argc > 1)
		return 0;
	name = name ? name + 1 : argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(dir, sizeof dir, "%s/corpus/%s", srcdir ? srcdir : ".", name);
	n = replay_folder(dir);
	if (n == 0)
		fprintf(stderr, "%s: no corpus; add a seed\n", dir);
	else if (n > 0)
		printf("%s: %d inputs\n", name, n);
	return n > 0 ? 0 : 1;
}
