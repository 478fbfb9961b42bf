#include "config.h"

#include "common/daemon.h"
#include <getopt.h>
#include <stdio.h>

int daemon_options(int argc, char **argv, const char *name, const char *usage, const char **ret_conf, bool *ret_debug)
{
	static const struct option all[] = {{"config", required_argument, NULL, 'c'},
					    {"help", no_argument, NULL, 'h'},
					    {"version", no_argument, NULL, 'V'},
					    {"debug", no_argument, NULL, 'd'},
					    {0}};
	struct option longs[sizeof all / sizeof *all];
	size_t n = 0;
	int o;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].val != 'd' || ret_debug)
			longs[n++] = all[i];
	while ((o = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (o) {
		case 'c':
			*ret_conf = optarg;
			break;
		case 'd':
			*ret_debug = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case 'V':
			printf("%s " PACKAGE_VERSION "\n", name);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	return -1;
}
