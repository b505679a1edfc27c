/**
 * The process that writes log files is killed (SIGKILL) before every single operation on the directory, one run for
 * each, torn writes included. The next start finds the directory as it is left and goes on from the saved checkpoint.
 * No line may be missing, none may be torn, and no unfinished file may be left.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemFiles } from '../../../../src/logread/ship/dir/file-layer.ts'
import { crashBatches, linesPerBatch, writeBatches } from './crash-writer.ts'

let root = ''
let directory = ''
let checkpoint = ''

let built = ''
let program = ''

beforeAll(async () => {
  built = mkdtempSync(join(tmpdir(), 'crash-writer-'))
  program = join(built, 'crash-writer.mjs')
  // One file starts several times faster than the sources do.
  const entryPoints = [join(import.meta.dirname, 'crash-writer.ts')]
  await build({ entryPoints, outfile: program, bundle: true, platform: 'node', format: 'esm', logLevel: 'silent' })
})
afterAll(() => rmSync(built, { recursive: true, force: true }))

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'rotation-'))
  directory = join(root, 'log')
  checkpoint = join(root, 'checkpoint')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function fresh(): void {
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory)
  writeFileSync(checkpoint, '0')
}

function runChild(killAt: number) {
  const child = spawnSync(process.execPath, [program, directory, checkpoint, String(killAt)], {
    encoding: 'utf8',
  })
  expect(child.stderr).toBe('')
  return child
}

function messages(): string[] {
  const files = readdirSync(directory).filter((name) => name.startsWith('x.log'))
  const number = (name: string) => Number(/\.(\d+)/.exec(name.slice(5))?.[1] ?? -1)
  files.sort((a, b) => number(b) - number(a))
  const text = files.map((name) => {
    const bytes = readFileSync(join(directory, name))
    return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
  })
  for (const [index, part] of text.entries())
    expect(part === '' || part.endsWith('\n'), files[index] as string).toBe(true)
  return text.join('').split('\n').slice(0, -1)
}

test('kill -9 at each step of a rotation loses nothing and leaves no mess', async () => {
  fresh()
  const whole = runChild(0)
  const operations = Number(whole.stdout)
  expect(operations).toBeGreaterThan(30)
  const expected = Array.from({ length: crashBatches * linesPerBatch }, (_, n) => `2017-04-15T15:37:37Z x message ${n}`)
  expect(messages()).toEqual(expected)
  for (let killAt = 1; killAt <= operations; killAt++) {
    fresh()
    expect(runChild(killAt).signal, `operation ${killAt}`).toBe('SIGKILL')
    await writeBatches(directory, checkpoint, systemFiles)
    const found = messages()
    expect([...new Set(found)], `operation ${killAt}`).toEqual(expected)
    expect(found.length - expected.length, `duplicates after operation ${killAt}`).toBeLessThan(linesPerBatch)
    const names = readdirSync(directory)
    expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([])
    for (const name of names) expect(names, `operation ${killAt}`).not.toContain(`${name}.gz`)
  }
})
