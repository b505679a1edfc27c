#!/bin/bash
# shrink-javascript.sh SOURCE OUT: the JavaScript that Node embeds, without comments and white space, and without the
# bodies of modules that nothing in memlogd reaches. Names and syntax stay; ASCII is stored as one byte a character.
set -eu
cd "$1"
out=$2
mkdir -p "$out"
find lib deps/undici deps/acorn deps/minimatch -name '*.js' | while read -r file; do
    mkdir -p "$out/$(dirname "$file")"
    esbuild --minify-whitespace --legal-comments=none --charset=ascii --target=esnext --log-level=error \
        <"$file" >"$out/$file" || { echo "left as it is: $file"; cp "$file" "$out/$file"; }
done
cd "$out"
# lib/internal/repl stays: readline needs its history when it is loaded.
for file in deps/undici/undici.js deps/acorn/acorn/dist/acorn.js deps/acorn/acorn-walk/dist/walk.js \
    deps/minimatch/index.js lib/internal/deps/minimatch/index.js lib/wasi.js lib/sqlite.js \
    $(find lib/internal/quic lib/internal/http2 lib/internal/test_runner lib/internal/debugger -name '*.js'); do
    [ ! -e "$file" ] || printf %s "'use strict';throw new Error('not part of this build');" >"$file"
done
