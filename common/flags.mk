# Included by every folder's Makefile.am.
AM_CPPFLAGS = -I$(top_srcdir) -I$(top_builddir)
AM_CFLAGS = $(KOSMO_CFLAGS)
AM_LDFLAGS = $(KOSMO_LDFLAGS)
