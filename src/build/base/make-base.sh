#!/bin/bash
# make-base.sh amd64|arm64 [DIRECTORY]: a small static Node 24 from Debian's source, for MEMLOGD_NODE_CACHE.
#
# As root on Debian, one to two hours on two cores, 10 GB below DIRECTORY (.cache/make-base). A step that is done leaves
# a mark and is not done again. The result is DIRECTORY/out: the executable, packed, the licences of what it is linked
# with, and SHA256SUMS. docs/SIZE.md says what each choice saves.
#
# With FOLD=1 gold links, and folds functions that are the same code: docs/SIZE.md has the expected gain. It was tried
# with part of V8 only, hence not the default. Choose it before the step `packages`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cpu=${1:-}
dir=${2:-$here/../../../.cache/make-base}
case $cpu in
amd64) gnu=x86_64-linux-gnu dest=x64 cross='' ;;
arm64) gnu=aarch64-linux-gnu dest=arm64 cross=g++-aarch64-linux-gnu ;;
*) echo "usage: make-base.sh amd64|arm64 [DIRECTORY]" >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || { echo "make-base.sh: a chroot needs root" >&2; exit 1; }
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
root=$dir/root
mirror=http://deb.debian.org/debian
suite=forky
node_version=24.21.0

# The order of the work, for the progress line.
steps="host chroot packages sources libraries prepare configure compile pack"
total=$(echo "$steps" | wc -w)
begun=$SECONDS
# Where the progress goes while a step's own output goes to the log.
exec 3>&1

# step NAME: runs the function do_NAME unless its mark is there; what it prints goes to DIRECTORY/log-CPU.
step() {
    local number mark
    # One chroot and one set of sources serve both CPUs.
    case $1 in chroot | sources) mark=$dir/done-$1 ;; *) mark=$dir/done-$1-$cpu ;; esac
    number=$(echo "$steps" | tr ' ' '\n' | grep -nx "$1" | cut -d: -f1)
    if [ -e "$mark" ]; then
        echo "[$number/$total] $1: done before"
        return
    fi
    echo "[$number/$total] $1 ($(((SECONDS - begun) / 60)) min so far)"
    # Not `if do_...`: that would switch off -e inside the function.
    set +e
    (set -e; "do_$1") >>"$dir/log-$cpu" 2>&1
    local status=$?
    set -e
    if [ $status != 0 ]; then
        tail -n 20 "$dir/log-$cpu" >&2
        echo "make-base.sh: step $1 failed; $dir/log-$cpu has all of it. Run again to go on from here." >&2
        exit 1
    fi
    touch "$mark"
}

inside() {
    chroot "$root" env DEBIAN_FRONTEND=noninteractive bash -euxc "$1"
}

do_host() {
    apt-get update -qq
    apt-get install -y -qq debootstrap curl
    # An older debootstrap does not know the name; its script is the same for all suites.
    local scripts=/usr/share/debootstrap/scripts
    [ -e $scripts/$suite ] || cp $scripts/sid $scripts/$suite
    [ "$cpu" != "$(dpkg --print-architecture)" ] || return 0
    # V8's generators and mksnapshot are built for the target and run while it is built: by qemu, for another CPU.
    apt-get install -y -qq qemu-user-static binfmt-support
    mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    update-binfmts --enable "qemu-${gnu%%-*}"
}

do_chroot() {
    rm -rf "$root"
    local packages=g++,make,python3,pkgconf,ninja-build,gyp,jq,python3-packaging,python3-jinja2,patch,xz-utils
    debootstrap --variant=minbase --include=$packages,ca-certificates $suite "$root" $mirror
    # A suite that is frozen for a while may have a Release file past its date.
    echo 'Acquire::Check-Valid-Until "false"; APT::Install-Recommends "false";' >"$root/etc/apt/apt.conf.d/90base"
}

# Static libraries of Debian for everything that has one: OpenSSL and its like are built and tested there.
do_packages() {
    local libraries="libbrotli-dev libc-ares-dev libhdr-histogram-dev libllhttp-dev libnghttp2-dev libnghttp3-dev
        libngtcp2-dev libngtcp2-crypto-ossl-dev libsimdjson-dev libssl-dev libuv1-dev zlib1g-dev libzstd-dev
        libada-url-dev libsimdutf-dev"
    inside "
        [ $cpu = \$(dpkg --print-architecture) ] || dpkg --add-architecture $cpu
        apt-get update -q
        apt-get install -y -q esbuild node-acorn node-undici node-minimatch libgtest-dev $cross ${FOLD:+binutils-gold}
        apt-get install -y -q $(for one in $libraries; do echo "$one:$cpu"; done | tr '\n' ' ')
    "
}

# By name and hash: Debian moves on, and then the message must say which file it no longer has.
do_sources() {
    mkdir -p "$root/src"
    cd "$root/src"
    while read -r sum name; do
        local first=${name%%_*}
        [ -e "$name" ] || curl -fsSL -o "$name.new" "$mirror/pool/main/${name:0:1}/$first/$name" || {
            echo "Debian has no $name any more. Take it from https://snapshot.debian.org/package/$first/ into" \
                "$root/src, or write a newer version into src/build/base/sources.sha256 and make-base.sh"
            exit 1
        }
        [ -e "$name" ] || mv "$name.new" "$name"
        echo "$sum  $name" | sha256sum -c -
    done <"$here/sources.sha256"
}

# ada and simdutf have no static library in Debian.
do_libraries() {
    inside "
        static=/src/static-$cpu
        mkdir -p \$static/lib \$static/include /src/ada /src/simdutf
        tar xf /src/ada-url_*.orig.tar.gz -C /src/ada --strip-components=1
        tar xf /src/simdutf_*.orig.tar.xz -C /src/simdutf --strip-components=1
        flags='-std=c++20 -O2 -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables'
        cd /src/ada
        $gnu-g++ \$flags -Iinclude -Isrc -DADA_INCLUDE_URL_PATTERN=1 -c src/ada.cpp -o ada-$cpu.o
        $gnu-ar rcs \$static/lib/libada-url0.a ada-$cpu.o
        cp -r include/. \$static/include
        cd /src/simdutf
        $gnu-g++ \$flags -Iinclude -Isrc -c src/simdutf.cpp -o simdutf-$cpu.o
        $gnu-ar rcs \$static/lib/libsimdutf.a simdutf-$cpu.o
        cp -r include/. \$static/include
        cp -r /usr/include/gtest \$static/include
        ln -sf /usr/lib/$gnu/libhdr_histogram_static.a \$static/lib/libhdr_histogram.a
        ln -sf /usr/lib/$gnu/libsimdjson_static.a \$static/lib/libsimdjson.a
    "
}

# What Debian took out of Node's source is put back, what needs WebAssembly is switched off, the JavaScript shrinks.
do_prepare() {
    cp "$here/shrink-javascript.sh" "$here/optimize-hot.py" "$here/without-wasm.py" "$root/"
    inside "
        rm -rf /src/node-$cpu /src/shrunk-$cpu
        mkdir -p /src/node-$cpu
        cd /src/node-$cpu
        tar xf /src/nodejs_*.orig.tar.xz --strip-components=1
        tar xf /src/nodejs_*.debian.tar.xz
        while read -r name; do
            case \$name in '' | '#'*) ;; *) patch -p1 --batch <debian/patches/\$name ;; esac
        done <debian/patches/series
        mkdir -p deps/openssl deps/minimatch deps/undici deps/acorn/acorn/dist deps/acorn/acorn-walk/dist
        : >deps/openssl/nodejs-openssl.cnf
        NODE_PATH=/usr/share/nodejs esbuild \$(find -L /usr/share/nodejs/minimatch -name index.cjs | head -1) \
            --platform=node --bundle --outfile=deps/minimatch/index.js
        cp -L /usr/share/nodejs/undici/undici-fetch.js deps/undici/undici.js
        cp -L /usr/share/nodejs/acorn/dist/acorn.js deps/acorn/acorn/dist/
        cp -L /usr/share/nodejs/acorn-walk/dist/walk.js deps/acorn/acorn-walk/dist/
        python3 /without-wasm.py
        bash /shrink-javascript.sh /src/node-$cpu /src/shrunk-$cpu
        cp -r /src/shrunk-$cpu/. .
    "
}

do_configure() {
    inside "
        cd /src/node-$cpu
        static=/src/static-$cpu
        export CC=$gnu-gcc CXX=$gnu-g++ AR=$gnu-ar LINK=$gnu-g++
        flags='-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables -Os'
        # The own headers first: those that Debian has installed may be newer than the libraries built here.
        export CFLAGS=\"\$flags -I \$static/include\" CXXFLAGS=\"\$flags -I \$static/include\"
        fold='${FOLD:+-fuse-ld=gold -Wl,--icf=safe}'
        export LDFLAGS=\"-L \$static/lib -Wl,--gc-sections \$fold\" PKG_CONFIG_LIBDIR=/usr/lib/$gnu/pkgconfig
        own() {
            for name in \"\$@\"; do
                echo \"--shared-\$name --shared-\$name-includes=\$static/include --shared-\$name-libpath=\$static/lib\"
            done
        }
        ./configure --ninja --fully-static --dest-cpu=$dest --dest-os=linux --openssl-use-def-ca-store \
            --without-npm --without-corepack --without-amaro --without-inspector --without-intl --without-node-options \
            --without-sqlite --v8-disable-object-print --experimental-enable-pointer-compression \
            --experimental-pointer-compression-shared-cage --shared-ada-libname=ada-url0 \
            \$(own ada gtest simdjson simdutf hdr-histogram) \
            \$(printf -- '--shared-%s ' zlib zstd cares http-parser nghttp2 nghttp3 ngtcp2 brotli libuv openssl)
        python3 /optimize-hot.py
    "
}

# ninja counts what it has compiled; each hundredth file is shown. At low priority: it runs for an hour or two.
do_compile() {
    inside "cd /src/node-$cpu && NINJA_STATUS='[%f/%t] ' nice -n 19 ninja -C out/Release -j\$(nproc) node" |
        while IFS= read -r line; do
            echo "$line"
            case $line in '['*00/*) echo "        ${line%%]*}] files compiled" >&3 ;; esac
        done
}

do_pack() {
    local out=$dir/out name=node-v$node_version-linux-$dest-static
    mkdir -p "$out/copyright-$cpu"
    inside "$gnu-strip -s -o /src/$name /src/node-$cpu/out/Release/node && xz -9e -f -T0 /src/$name"
    mv "$root/src/$name.xz" "$out/"
    for package in "$root"/usr/share/doc/lib*/copyright; do
        cp -L "$package" "$out/copyright-$cpu/$(basename "$(dirname "$package")")"
    done
    (cd "$out" && sha256sum node-*.xz >SHA256SUMS)
}

for name in $steps; do
    case $name in
    packages)
        mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
        mountpoint -q "$root/dev" || mount --bind /dev "$root/dev"
        # Whatever ends this: /dev of the machine must not stay below a directory that somebody removes.
        trap 'umount -l "$root/proc" "$root/dev" 2>/dev/null || true' EXIT
        ;;
    esac
    step "$name"
done
echo "made: $(ls "$dir/out"/node-*-"$dest"-static.xz); use it with MEMLOGD_NODE_CACHE=$dir/out"
