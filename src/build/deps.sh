#!/bin/sh
# deps.sh build|run|test: makes sure that the tools are there. As root on Debian it installs what is missing;
# elsewhere it says what to install.
set -eu

# tool:package, a word each.
build_tools="node:nodejs npm:npm cc:gcc objcopy:binutils strip:binutils readelf:binutils xz:xz-utils tar:tar"
run_tools="python3:python3"
test_tools="$run_tools man:man-db zsh:zsh zstd:zstd /lib/systemd/systemd-journal-remote:systemd-journal-remote"
case $(uname -m) in
x86_64) foreign=aarch64 package=gcc-aarch64-linux-gnu emulator=aarch64 ;;
*) foreign=x86_64 package=gcc-x86-64-linux-gnu emulator=x86_64 ;;
esac
if ! { command -v clang && command -v ld.lld && command -v llvm-objcopy; } >/dev/null; then
    test_tools="$test_tools $foreign-linux-gnu-gcc:$package"
fi
test_tools="$test_tools qemu-$emulator-static:qemu-user-static"

case ${1:-build} in
build) wanted=$build_tools ;;
run) wanted="$build_tools $run_tools" ;;
test) wanted="$build_tools $test_tools" ;;
*) echo "usage: deps.sh build|run|test" >&2; exit 2 ;;
esac

missing=
packages=
for pair in $wanted; do
    command -v "${pair%%:*}" >/dev/null || { missing="$missing ${pair%%:*}"; packages="$packages ${pair#*:}"; }
done
[ -n "$missing" ] || exit 0

echo "missing:$missing"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "install them, on Debian with: apt-get install$packages" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a word for each package
apt-get install -qq -y --no-install-recommends $packages >/dev/null || {
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $packages >/dev/null
}
