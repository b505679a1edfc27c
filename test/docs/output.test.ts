// The examples of docs/PROTOCOL.md, section 9, are what logread writes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CursorFile } from '../../src/logread/ask/cursor.ts'
import { findFormat } from '../../src/logread/formats/table.ts'
import { baseSeconds, sample } from '../support/entries.ts'
import { formatted } from '../support/formatted.ts'

const text = readFileSync('docs/PROTOCOL.md', 'utf8')
const examples = text
  .slice(text.indexOf('## 9. Output of logread'))
  .split(/\n\n(?! {4})/)
  .filter((block) => block.includes('\n    '))
  .map((block) => block.replace(/^(?! {4}).*\n?/gm, '').replace(/^ {4}/gm, ''))

const entry = sample(7, {
  source: 'sshd',
  message: 'Connection closed',
  priority: 35,
  realSeconds: baseSeconds,
  monoSeconds: 42,
  fields: { pid: '77' },
})

test.each([
  ['json', 0, {}],
  ['export', 1, {}],
  ['syslog', 2, { hostname: 'vm' }],
  ['logfmt', 3, {}],
  ['upstream', 4, {}],
])('%s', (name, index, options) => {
  const format = findFormat(name)
  if (format === undefined) throw new Error(`no format ${name}`)
  expect(`${examples[index]?.trimEnd()}\n`).toBe(formatted(format, [entry], options).replace(/\n\n$/, '\n'))
})

test('the cursor file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'docs-'))
  const path = join(directory, 'cursor')
  writeFileSync(path, `${examples[5]?.trimEnd()}\n`)
  expect(new CursorFile(path).load()).toEqual({ ring: '0123456789abcdef0123456789abcdef', sequence: 8 })
  rmSync(directory, { recursive: true })
})
