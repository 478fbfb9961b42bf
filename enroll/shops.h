/* Where a phone gets the authenticator apps that the pages name, and the QR codes that lead a phone there from a page
 * on a computer. */
#ifndef KOSMO_ENROLL_SHOPS_H
#define KOSMO_ENROLL_SHOPS_H

struct shop {
	const char *link;    /* what templates call its address */
	const char *picture; /* and the address of its QR code */
	const char *file;    /* of that, below /static/ */
	const char *url;
};

extern const struct shop shops[]; /* ends with a NULL link */

#endif
