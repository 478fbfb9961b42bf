/* What is wrong with a site's own files (site_dir), in sentences for whoever wrote them. Whatever is at fault is left
 * out and the site runs without it: a slip of the pen on a Friday takes nothing down. */
#ifndef KOSMO_ENROLL_FAULT_H
#define KOSMO_ENROLL_FAULT_H

enum fault {
	FAULT_LEFT_OUT = 1, /* what it is about does not count */
	FAULT_PART,	    /* a part of it does not */
	FAULT_WARNING	    /* it counts, but is probably not what was meant */
};

/* sentence: "FILE[:LINE]: what is wrong; what to do" */
typedef void fault_say(void *arg, enum fault f, const char *sentence);
struct faults {
	fault_say *say;
	void *arg;
};

void faults_say(const struct faults *fs, enum fault f, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
