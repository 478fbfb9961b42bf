/* kosmo-letters, which makes the PDF: started, told the letters, asked what came of it. What is said is in
 * letters/talk.h. */
#ifndef KOSMO_CTL_LETTERS_OUT_H
#define KOSMO_CTL_LETTERS_OUT_H

#include "common/buf.h"
#include "common/conf.h"
#include "common/err.h"
#include <sys/types.h>

struct letters_row {
	const char *lang, *name, *login, *password, *url, *link, *valid;
};

struct letters_out {
	int fd;
	pid_t pid;
	struct buf out, in;
};
#define LETTERS_OUT_NONE                                                                                               \
	{                                                                                                              \
		.fd = -1                                                                                               \
	}

/* While the caller still is who typed the command: as root, so that the program can become nobody. file: the PDF. */
enum err letters_out_start(struct letters_out *o, int file, struct errmsg *m);
/* The texts and the logo of the site. */
enum err letters_out_house(struct letters_out *o, const struct conf *conf, struct errmsg *m);
/* Letter number n. m: as the program says why it failed. */
enum err letters_out_add(struct letters_out *o, int64_t n, const struct letters_row *r, struct errmsg *m);
/* All were told. left is called for each that was left out. On ERR_NONE the file is whole, but not yet on disk, and
 * the program has ended. */
enum err letters_out_end(struct letters_out *o, void (*left)(void *arg, int64_t n, const char *why), void *arg,
			 struct errmsg *m);
/* Ends what is still running. */
void letters_out_close(struct letters_out *o);

#endif
