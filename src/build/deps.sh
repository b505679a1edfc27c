#!/bin/sh
# deps.sh build|run|test: makes sure that the tools are there. As root on Debian it installs what is missing, after it
# has said what and why, and starts no service; elsewhere it says what to install.
set -eu

# What shows that it is there (a command or a file), and the package that has it; a word each.
build_tools="node:nodejs npm:npm cc:gcc /usr/include/stdio.h:libc6-dev objcopy:binutils strip:binutils \
readelf:binutils xz:xz-utils tar:tar"
run_tools="python3:python3"
test_tools="$run_tools clang-format:clang-format man:man-db zsh:zsh zstd:zstd \
/lib/systemd/systemd-journal-remote:systemd-journal-remote"
case $(uname -m) in
x86_64) machine=aarch64 dashed=aarch64 cpu=arm64 ;;
*) machine=x86_64 dashed=x86-64 cpu=amd64 ;;
esac
libraries=/usr/$machine-linux-gnu/lib
if ! { command -v clang && command -v ld.lld && command -v llvm-objcopy; } >/dev/null; then
    test_tools="$test_tools $machine-linux-gnu-gcc:gcc-$dashed-linux-gnu"
fi
test_tools="$test_tools $libraries/libc.a:libc6-dev-$cpu-cross $libraries/libstdc++.so.6:libstdc++6-$cpu-cross"
# Tests that miss one of these are skipped, and say so.
wished_tools="qemu-$machine-static:qemu-user-static qemu-system-x86_64:qemu-system-x86 \
qemu-system-aarch64:qemu-system-arm buildah:buildah runc:runc dockerd:docker.io busybox:busybox-static \
musl-gcc:musl-tools logger:bsdutils unshare:util-linux rsyslogd:rsyslog openssl:openssl ip:iproute2 \
promtool:prometheus lnav:lnav /usr/lib/$(uname -m)-linux-gnu/libivykis.so.0:libivykis0 \
/usr/lib/$(uname -m)-linux-gnu/libnet.so.1:libnet1 \
/usr/lib/$(uname -m)-linux-gnu/rsyslog/lmnsd_ossl.so:rsyslog-openssl"

case ${1:-build} in
build) wanted=$build_tools wished= ;;
run) wanted="$build_tools $run_tools" wished= ;;
test) wanted="$build_tools $test_tools" wished=$wished_tools ;;
*) echo "usage: deps.sh build|run|test" >&2; exit 2 ;;
esac

# Sets missing and packages for the words given.
look_for() {
    missing=
    packages=
    for pair in "$@"; do
        case $pair in
        /*) [ -e "${pair%:*}" ] && continue ;;
        *) command -v "${pair%:*}" >/dev/null && continue ;;
        esac
        missing="$missing ${pair%:*}"
        packages="$packages ${pair##*:}"
    done
}

# Packages for these words, each once.
packages_of() {
    # shellcheck disable=SC2086 # lists of words
    look_for "$@"
    for package in $packages; do echo "$package"; done | sort -u | tr '\n' ' '
}

# Says what will be installed and why. $1: words that are needed, $2: words that some tests need.
announce() {
    # shellcheck disable=SC2086
    needed=$(packages_of $1) skipped=$(packages_of $2)
    echo "Programs are missing here. These Debian packages will be installed:"
    [ -z "$needed" ] || echo "  compiler, linker, test programs: $needed"
    [ -z "$skipped" ] || echo "  tests with machines, containers and other servers (skipped without): $skipped"
    echo "None of their services is started."
}

# Debian starts what a package brings unless policy-rc.d says no.
policy=/usr/sbin/policy-rc.d
forbid_services() {
    [ -e $policy ] && return
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
    trap 'exit 1' INT TERM HUP
}

install() {
    apt-get install -qq -y --no-install-recommends --no-remove "$@" >/dev/null
}

# syslog-ng cannot be installed beside rsyslog. Its package is unpacked, for tests alone.
syslog_ng=/opt/memlogd-tests/syslog-ng
unpack_syslog_ng() {
    [ -e $syslog_ng ] && return
    directory=$(mktemp -d)
    (cd "$directory" && apt-get download -qq syslog-ng-core 2>/dev/null && dpkg -x ./*.deb tree &&
        mkdir -p ${syslog_ng%/*} && mv tree $syslog_ng)
    rm -rf "$directory"
}

if [ "${1:-build}" = test ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    unpack_syslog_ng || echo "syslog-ng could not be unpacked; its test is skipped"
fi
# shellcheck disable=SC2086 # lists of words
look_for $wanted $wished
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    announce "$wanted" "$wished"
    export DEBIAN_FRONTEND=noninteractive
    forbid_services
    # shellcheck disable=SC2086
    look_for $wanted $wished
    # shellcheck disable=SC2086
    install $packages || { apt-get update -qq && install $packages; } || true
fi

# shellcheck disable=SC2086
look_for $wished
[ -z "$missing" ] || echo "missing:$missing; the tests that need them are skipped (apt-get install$packages)"
# shellcheck disable=SC2086
look_for $wanted
[ -z "$missing" ] || {
    echo "missing:$missing; install them, on Debian with: apt-get install$packages" >&2
    exit 1
}
