#include "config.h"

#include "fido/node.h"
#include "fido/report.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/hidraw.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODE_FOLDER "/dev"
#define NODE_NAME   "hidraw"

static bool node_named(const char *name)
{
	size_t n = strlen(NODE_NAME);

	return strncmp(name, NODE_NAME, n) == 0 && name[n] != '\0' && name[n + strspn(name + n, "0123456789")] == '\0';
}

static int node_open(int folder, const char *name)
{
	struct stat st;
	int fd = openat(folder, name, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

size_t nodes_open(int ret_fd[static NODES_MAX])
{
	size_t n = 0;
	DIR *d = opendir(NODE_FOLDER);

	if (!d)
		return 0;
	for (struct dirent *e; n < NODES_MAX && (e = readdir(d)) != NULL;) {
		int fd = node_named(e->d_name) ? node_open(dirfd(d), e->d_name) : -1;

		if (fd >= 0)
			ret_fd[n++] = fd;
	}
	closedir(d);
	return n;
}

static bool node_is_key(int fd)
{
	struct hidraw_report_descriptor d = {.size = 0};
	int size = 0;

	if (ioctl(fd, HIDIOCGRDESCSIZE, &size) < 0 || size <= 0 || size > HID_MAX_DESCRIPTOR_SIZE)
		return false;
	d.size = (unsigned)size;
	return ioctl(fd, HIDIOCGRDESC, &d) >= 0 && report_is_key(d.value, (size_t)size);
}

size_t nodes_keys(int fd[static NODES_MAX], size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		if (node_is_key(fd[i]))
			fd[left++] = fd[i];
		else
			close(fd[i]);
	return left;
}
