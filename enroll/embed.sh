#!/bin/sh
# Writes C for the files of templates/ and static/ below the folder $1: one byte array each and a table of them.
set -eu
LC_ALL=C
export LC_ALL
cd "$1"
n=0
table=
echo '/* Made by embed.sh. */'
echo '#include "enroll/assets.h"'
for f in templates/*.html static/*; do
	[ -f "$f" ] || continue
	case $f in *~ | */.* | *.orig | *.rej | */README*) continue ;; esac
	printf 'static const unsigned char embedded_%d[] = {\n' "$n"
	od -An -v -tx1 "$f" | sed 's/ *\([0-9a-f][0-9a-f]\)/0x\1,/g'
	echo '0};'
	table="$table	{\"$f\", embedded_$n, sizeof embedded_$n - 1},
"
	n=$((n + 1))
done
echo 'const struct embedded embedded[] = {'
printf '%s' "$table"
echo '	{0},'
echo '};'
