import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { executableFile } from '../../src/build/build.ts'
import { applets, hostCpu, projectLayout } from '../../src/build/project.ts'
import { type ToolOptions, type ToolResult, tryTool } from '../../src/build/tool.ts'
import { version } from '../../src/protocol/version.ts'

// The executable as users have it: called through links, by path and by PATH, under names of its own and others.
// It is what `make build` has made; `make test` builds first.

const layout = projectLayout(new URL('../..', import.meta.url).pathname)
const cpu = hostCpu()
if (cpu === undefined) throw new Error(`no memlogd for ${process.arch}`)
const executable = executableFile(layout, cpu)

let directory = ''
beforeAll(() => {
  if (!existsSync(executable)) throw new Error(`${executable} is not there: run make build`)
  directory = mkdtempSync(join(tmpdir(), 'memlogd-packaged-'))
  for (const applet of applets) symlinkSync(executable, join(directory, applet))
  symlinkSync(executable, join(directory, 'other-name'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function run(command: string, args: readonly string[], options: ToolOptions = {}): ToolResult {
  return tryTool(command, args, { timeoutMs: 20_000, ...options })
}

describe.each(applets)('%s', (applet) => {
  const says = { status: 0, stdout: `${applet} ${version}\n`, stderr: '' }

  test('by a path through a link', () => {
    expect(run(join(directory, applet), ['--version'])).toMatchObject(says)
  })
  test('by PATH', () => {
    expect(run('/bin/sh', ['-c', `${applet} --version`], { env: { PATH: directory } })).toMatchObject(says)
  })
  test('by a relative path', () => {
    expect(run('/bin/sh', ['-c', `./${applet} --version`], { cwd: directory })).toMatchObject(says)
  })
  test('as the first argument of another name', () => {
    expect(run(join(directory, 'other-name'), [applet, '--version'])).toMatchObject(says)
    expect(run(executable, [applet, '--version'])).toMatchObject(says)
  })
  test('--help', () => {
    const help = run(join(directory, applet), ['--help'])
    expect(help).toMatchObject({ status: 0, stderr: '' })
    expect(help.stdout).toContain(applet)
  })
  test('an unknown option is one line and status 2', () => {
    const wrong = run(join(directory, applet), ['--no-such-option'])
    expect(wrong).toMatchObject({ status: 2, stdout: '' })
    expect(wrong.stderr).toMatch(new RegExp(`^${applet}: [^\\n]*no-such-option[^\\n]*\\n`))
  })
  test('without environment, in a directory that is gone', () => {
    const script = `mkdir gone && cd gone && rmdir ../gone && exec ${join(directory, applet)} --version`
    expect(run('/bin/sh', ['-c', script], { cwd: directory, env: {} })).toMatchObject(says)
  })
})

describe('under another name', () => {
  test('without argument: the list of applets', () => {
    const list = run(executable, [])
    const text = list.stdout + list.stderr
    for (const applet of applets) expect(text).toContain(applet)
  })
  test("with an unknown applet: one line and the shell's status for an unknown command", () => {
    const wrong = run(executable, ['no-such-applet'])
    expect(wrong).toMatchObject({ status: 127, stdout: '' })
    expect(wrong.stderr).toContain('no-such-applet')
  })
  test('--version', () => {
    expect(run(executable, ['--version'])).toMatchObject({ status: 0, stdout: expect.stringContaining(version) })
  })
})

describe('--install', () => {
  test('makes links that work', () => {
    const target = mkdtempSync(join(tmpdir(), 'memlogd-install-'))
    try {
      expect(run(executable, ['--install', target])).toMatchObject({ status: 0, stderr: '' })
      for (const applet of applets) {
        expect(readlinkSync(join(target, applet))).toBeTruthy()
        expect(run(join(target, applet), ['--version']).stdout).toBe(`${applet} ${version}\n`)
      }
    } finally {
      rmSync(target, { recursive: true })
    }
  })
  test('into a directory that is not there: one line, status 1', () => {
    const wrong = run(executable, ['--install', join(directory, 'nowhere')])
    expect(wrong).toMatchObject({ status: 1, stdout: '' })
    expect(wrong.stderr).toMatch(/nowhere/)
  })
  test('leaves a file that is no link alone', () => {
    const target = mkdtempSync(join(tmpdir(), 'memlogd-install-'))
    try {
      writeFileSync(join(target, 'logread'), 'mine')
      expect(run(executable, ['--install', target]).status).toBe(1)
      expect(readFileSync(join(target, 'logread'), 'utf8')).toBe('mine')
    } finally {
      rmSync(target, { recursive: true })
    }
  })
})

test('--licences shows the terms of everything inside, from the executable alone', () => {
  for (const args of [['--licences'], ['memlogd', '-licences']]) {
    const { status, stdout } = run(executable, args)
    expect(status).toBe(0)
    for (const part of ['yargs-parser', 'Copyright Node.js contributors', 'V8, located at'])
      expect(stdout).toContain(part)
  }
})

test('the native half answers, and is no applet that is shown', () => {
  expect(run(executable, [], { argv0: 'memlogd-native' }).stdout).toMatch(/^memlogd native \d+ \S+\n$/)
  const list = run(executable, [])
  expect(list.stdout + list.stderr).not.toContain('memlogd-native')
})
