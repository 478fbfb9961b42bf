# Debian packages that the scripts need, in one place; sourced by quickstart and runtests.
# shellcheck shell=sh disable=SC2034

packages_build="autoconf autoconf-archive automake libtool make gcc libc6-dev pkgconf gettext perl ca-certificates
	libpam0g-dev libcrypt-dev libssl-dev libsqlite3-dev libmicrohttpd-dev libqrencode-dev libpng-dev libinih-dev
	libpwquality-dev libcmark-dev libcurl4-openssl-dev libfido2-dev libunistring-dev libcsv-dev libseccomp-dev
	libpango1.0-dev fonts-morisawa-bizud-gothic fonts-dejavu-core"
packages_demo="libpam-modules libpam-wrapper libnss-wrapper pamtester"
packages_sshd="openssh-client libwrap0 libgssapi-krb5-2 libkrb5-3 libcom-err2 libaudit1 libselinux1 libsystemd0 zlib1g"
# For axe-core and html-validate. A Node.js that is not Debian's brings an npm of its own, beside which Debian's cannot stand.
packages_npm="nodejs npm"
! command -v npm >/dev/null || packages_npm=
packages_test="$packages_build $packages_npm $packages_demo libcmocka-dev binutils git mandoc procps util-linux xz-utils
	strace python3 python3-cryptography python3-pytest python3-pytest-xdist python3-pexpect python3-selenium python3-aiosmtpd chromium chromium-driver
	oathtool zbar-tools poppler-utils fonts-ipaexfont-gothic rsync curl nginx-light openssh-server openssh-client sudo clang clang-tidy clang-format cppcheck shellcheck systemd"
# gcc brings the libraries of its sanitizers along (libgcc-*-dev), clang's are in libclang-rt-dev.
packages_all="$packages_test caddy valgrind libclang-rt-dev"

# Prints those of the named packages that are not installed.
packages_missing() {
	have=" $(dpkg-query -W -f='${db:Status-Status}=${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed=//p' | tr '\n' ' ')"
	for p; do
		case $have in *" $p "*) ;; *) printf '%s ' "$p" ;; esac
	done
}

# packages_unpack FOLDER PACKAGE: a package's files, not installed, because a mail server takes the place of another one.
packages_unpack() {
	[ ! -e "$1/unpacked" ] || return 0
	mkdir -p "$1" && rm -rf "${1:?}"/* &&
		(cd "$1" && apt-get -q download "$2" && dpkg-deb -x "$2"_*.deb . && rm -f "$2"_*.deb && touch unpacked) >/dev/null 2>&1 </dev/null
}

# packages_ensure "what for" PACKAGE...: installs what is missing, and asks apt only then.
packages_ensure() {
	what=$1
	shift
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "This is not a Debian system; $what needs what these Debian packages hold:" "$@" >&2
		return 0
	fi
	missing=$(packages_missing "$@")
	[ -n "$missing" ] || return 0
	as_root=
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "$what needs these packages: $missing" >&2
			echo "You are not root and there is no sudo. As root: apt-get install $missing" >&2
			return 1
		fi
		as_root=sudo
	fi
	echo "Installing for $what: $missing"
	apt_log=$(mktemp) || return 1
	# A frontend that asks nothing; needrestart and the like must not stop for an answer either.
	# shellcheck disable=SC2086
	if $as_root apt-get -q update >"$apt_log" 2>&1 </dev/null &&
		$as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q -o DPkg::Lock::Timeout=300 \
			install -y --no-install-recommends $missing >>"$apt_log" 2>&1 </dev/null; then
		rm -f "$apt_log"
		return 0
	fi
	tail -n 15 "$apt_log" >&2
	rm -f "$apt_log"
	echo "apt-get could not install what $what needs (see above): $missing" >&2
	return 1
}
