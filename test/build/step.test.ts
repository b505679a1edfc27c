import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { projectLayout } from '../../src/build/project.ts'
import { runStep, type Step } from '../../src/build/step.ts'

let root = ''
let runs = 0
let input = ''
let output = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'memlogd-step-'))
  runs = 0
  input = join(root, 'input')
  output = join(root, 'deep/directory/output')
  writeFileSync(input, 'one')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function build(change: Partial<Step> = {}): Promise<boolean> {
  const run = () => {
    runs++
    writeFileSync(output, `made ${runs}`)
  }
  return runStep(projectLayout(root), { name: 'a', inputs: [input], values: ['v'], outputs: [output], run, ...change })
}

test('a step runs once and then only when something has changed', async () => {
  expect(await build()).toBe(true)
  expect(await build()).toBe(false)
  expect(runs).toBe(1)
})

test('the content of an input counts, not its time', async () => {
  await build()
  utimesSync(input, 1, 1)
  expect(await build()).toBe(false)
  writeFileSync(input, 'two')
  expect(await build()).toBe(true)
})

test('values, the list of inputs and a missing input count', async () => {
  await build()
  expect(await build({ values: ['w'] })).toBe(true)
  expect(await build({ values: ['w'], inputs: [] })).toBe(true)
  await build()
  rmSync(input)
  expect(await build()).toBe(true)
})

test('an output that is gone or was changed is made again', async () => {
  await build()
  rmSync(output)
  expect(await build()).toBe(true)
  writeFileSync(output, 'something else')
  expect(await build()).toBe(true)
  expect(await build()).toBe(false)
})

test('a step that fails runs again', async () => {
  const failing = { run: () => Promise.reject(new Error('no')) }
  await expect(build(failing)).rejects.toThrow('no')
  expect(await build()).toBe(true)
})

test('a step that makes nothing is an error, and a damaged stamp is none', async () => {
  await expect(build({ run: () => {} })).rejects.toThrow('did not make')
  await build()
  writeFileSync(join(root, '.cache/stamps/a.json'), '{')
  expect(await build()).toBe(true)
})
