/**
 * The native half as an ordinary program under ASan and UBSan, with waits short enough for tests, and the
 * Python tests that drive it. Built once per content of its sources, into .cache/native-test.
 */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { constantsHeader } from '../../src/build/native/constants-header.ts'
import { sourceFiles } from '../../src/build/project.ts'
import * as constants from '../../src/protocol/constants.ts'

const root = resolve(import.meta.dirname, '../..')
const sourceDirectory = join(root, 'src/native')
const shim = join(import.meta.dirname, 'shim.h')
const testMsMax = 200_000
const outputBytesMax = 4 * 1024 * 1024

/** Shorter waits than the shipped ones. Everything else is as shipped. */
const testConstants = { ...constants, engineStallMs: 1500, engineStartMs: 5000, teeDrainMs: 500, containerdWaitMs: 500 }

const flags = ['-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
const warnings = ['-Wall', '-Wextra', '-Werror', '-Wshadow']

/** So small that slots run out, and that the queue is often full and often wraps. */
const fuzzSources = 96
const fuzzConstants = {
  ...testConstants,
  sourcesMax: fuzzSources,
  queueFramesOffset: constants.queueHeaderBytes + fuzzSources * constants.queueSourceSlotBytes,
  queueBytesDefault: 1024 * 1024,
}
/** The fuzzer stands in for these, or does not need them. */
const fuzzLeavesOut = [
  'engine-process',
  'intake',
  'hosted',
  'front',
  'entry',
  'tee',
  'run-command',
  'takeover',
  'logger',
]

/** The whole native half as a program whose system calls obey $SHIM. */
function hostedProgram(): string {
  return compile('memlogd', testConstants, [join(import.meta.dirname, 'shim.c'), ...sourceFiles(sourceDirectory, '.c')])
}

/** The intake with test/native/fuzz.c around it. */
export function fuzzProgram(): string {
  const parts = sourceFiles(sourceDirectory, '.c').filter((file) => !fuzzLeavesOut.includes(basename(file, '.c')))
  return compile('fuzz', fuzzConstants, [join(import.meta.dirname, 'fuzz.c'), ...parts])
}

/** Compiles, or finds what was compiled of the same sources before. */
function compile(name: string, values: object, sources: readonly string[]): string {
  const header = constantsHeader({ ...values })
  const hash = createHash('sha256').update([...flags, ...warnings, header].join('\n'))
  const inputs = new Set([...sources, shim, ...sourceFiles(sourceDirectory, '')])
  for (const file of [...inputs].sort()) hash.update(file).update(readFileSync(file))
  const directory = join(root, '.cache/native-test', hash.digest('hex').slice(0, 16))
  const program = join(directory, name)
  if (existsSync(program)) return program
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'constants.h'), header)
  // Two test files may get here at once: each builds its own, the last rename wins.
  const made = `${program}.${process.pid}`
  const directories = ['-include', shim, `-I${directory}`, `-I${sourceDirectory}`]
  execFileSync('cc', [...flags, ...warnings, '-DMEMLOGD_HOSTED', ...directories, '-o', made, ...sources])
  renameSync(made, program)
  return program
}

function environment(program: string): NodeJS.ProcessEnv {
  return { ...process.env, NATIVE: program, STAND_IN: join(import.meta.dirname, 'stand-in.py') }
}

/** Every test of the Python file. */
export function describeTests(file: string): void {
  const program = hostedProgram()
  const env = environment(program)
  const script = join(import.meta.dirname, file)
  const names = execFileSync('python3', [script, '--list'], { env, encoding: 'utf8' }).trim().split('\n')
  describe(file, () => {
    it.each(names)('%s', { timeout: testMsMax + 5000 }, async (name) => {
      expect(await runTest(script, name, env)).toBe('')
    })
  })
}

/** Runs one test. Returns what failed, or an empty string. */
function runTest(script: string, name: string, env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((done) => {
    execFile('python3', [script, name], { env, timeout: testMsMax, maxBuffer: outputBytesMax }, (error, out, err) => {
      done(error === null ? '' : `${error.message}\n${out}${err}`)
    })
  })
}
