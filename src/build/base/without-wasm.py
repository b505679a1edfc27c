#!/usr/bin/env python3
"""Switches WebAssembly off in Node's source: V8's part of it, and the flag that mksnapshot would then not know."""
import sys

EDITS = (
    ('configure.py', "['v8_enable_webassembly'] = 0 if options.v8_lite_mode else 1", "['v8_enable_webassembly'] = 0"),
    ('src/node.cc', '  v8_args.emplace_back("--experimental-wasm-jspi");',
     '#if V8_ENABLE_WEBASSEMBLY\n  v8_args.emplace_back("--experimental-wasm-jspi");\n#endif'),
)

for path, old, new in EDITS:
    text = open(path).read()
    if old not in text:
        sys.exit(f'without-wasm.py: {path} has no {old!r}: Node has changed, and this edit with it')
    open(path, 'w').write(text.replace(old, new))
