/* Prints the table of configuration options for tests/check-man: name, preset, choices, separated by tabs. */
#include "config.h"

#include "common/conf.h"
#include <stdio.h>

int main(void)
{
	for (const struct conf_option *o = conf_options; o->name; o++)
		printf("%s\t%s\t%s\n", o->name, o->preset ? o->preset : "-", o->choices ? o->choices : "");
	return ferror(stdout) || fclose(stdout) ? 1 : 0;
}
