# The project's one script runner. `make run` and `make test` need nothing but Node, npm and, where a tool
# is missing, root on Debian to install it.

SHELL := /bin/sh
NODE24 := node_modules/node-linux-$(shell uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')/bin/node
VITEST := $(NODE24) node_modules/vitest/vitest.mjs run --config test/vitest.config.ts

.PHONY: attack bench build deps test-deps check test run man reference static image release base debug qemu qemu-memory clean sim fuzz soak

build: deps
	node build.mjs

# Tools that the build itself needs; installs them where it may.
deps:
	@sh src/build/deps.sh build

# And those that only tests need.
test-deps: deps
	@sh src/build/deps.sh test

# Lint, format, boundaries of rooms (.biome.json); types; exports that nobody uses (.knip.json).
check: test-deps build
	clang-format --dry-run -Werror $(shell find src/native test/native -name "*.[ch]")
	node_modules/.bin/biome check --error-on-warnings .
	node_modules/.bin/tsc -p .
	$(NODE24) node_modules/knip/bin/knip.js

# Everything; `make test FILES=test/ring` only what matches.
test: test-deps check
	$(VITEST) $(FILES)

# The executable beside busybox, cat and grep: medians, ratios, and docs/BENCHMARKS.md; `make bench BENCH=latency` for one measure.
bench: build
	$(NODE24) test/bench/bench.ts $(if $(BENCH),$(BENCH),--write)

# A few seconds of logs, end to end, in a temporary directory.
run:
	@sh src/build/deps.sh run
	node build.mjs
	sh test/e2e/demo.sh

# Both CPUs, static or not at all.
static: test-deps
	node build.mjs static

# The OCI image of both CPUs; `make image CPUS=amd64` for one.
image: test-deps
	node build.mjs image $(CPUS)

# A small static base Node for CPU=amd64 or arm64, from Debian's source: root, one to two hours; docs/SIZE.md.
base:
	src/build/base/make-base.sh $(CPU)

# All that is given away, in dist/release: docs/RELEASING.md.
release: test-deps
	node build.mjs release

# Machines of both CPUs, booted; part of `make test`.
qemu: test-deps build
	$(VITEST) test/qemu

# The smallest memory with which the machines still pass: some minutes.
qemu-memory: test-deps build
	$(NODE24) test/qemu/smallest-memory.ts

# memlogd with its engine under a debugger: chrome://inspect, or `node inspect 127.0.0.1:9229`.
debug: build
	@node_modules/.bin/esbuild src/main.ts --bundle --platform=node --format=cjs --target=node24 --sourcemap \
		--log-level=warning --outfile=dist/debug/memlogd.cjs
	@echo 'sockets: dist/debug/log.sock, dist/debug/query.sock; ^C ends it'
	@MEMLOGD_NODE=$(NODE24) MEMLOGD_BUNDLE=dist/debug/memlogd.cjs NODE_OPTIONS='--inspect=127.0.0.1:9229 --enable-source-maps' \
		bash -c 'exec -a memlogd dist/native/memlogd -socket-log dist/debug/log.sock -socket-query dist/debug/query.sock'

# The man pages, made from the tables that --help is made from; `make man PAGES=logread.1` for one.
PAGES := memlogd.8 logread.1 logwrite.1 memlogd-containerd.8
man: build
	@for page in $(PAGES); do man -l dist/man/man$${page##*.}/$$page || exit; done

# docs/REFERENCE.md, from the same tables.
reference:
	$(NODE24) src/build/documents/reference.ts

clean:
	rm -rf dist .cache/stamps .cache/base .cache/package

# The daemon against fake sockets, clocks and deaths: ten thousand seeds, or the one that SEED names.
sim: deps
	$(NODE24) test/sim/run.ts $(or $(SEED),1) $(if $(SEED),1,$(or $(SEEDS),10000))

# Damaged input for every parser: INPUTS for each, from SEED on.
fuzz: test-deps
	FUZZ_INPUTS=$(or $(INPUTS),100000) SEED=$(or $(SEED),1) MEMLOGD_FUZZ_SEED=$(or $(SEED),$(shell date +%s)) \
	    $(VITEST) test/fuzz test/native/fuzz.test.ts

# Hostile neighbours, and what a quiet container beside them notices; `make attack ATTACK=name` for one.
attack: build
	$(NODE24) test/attack/main.ts $(ATTACK)

# Everything at once for MINUTES: writers, readers, shipping, deaths and takeovers; memory must stay flat.
soak: build
	$(NODE24) test/soak/soak.ts $(or $(MINUTES),10)
