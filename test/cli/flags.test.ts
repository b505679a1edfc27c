import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, describe, expect, expectTypeOf, test } from 'vitest'
import { bundleOptions } from '../../src/build/bundle.ts'
import { defineCommand } from '../../src/cli/flag-table.ts'
import * as source from '../../src/cli/flags.ts'

const command = defineCommand({
  name: 'tool',
  summary: '',
  usage: [''],
  description: [],
  dashes: '-',
  hasOperands: true,
  flags: {
    lines: { name: 'lines', aliases: ['n'], type: 'integer', min: 1, max: 9, default: 5, value: 'N', help: '' },
    fd: { name: 'fd', type: 'integer', min: 0, max: 9, value: 'N', help: '' },
    size: { name: 'size', type: 'bytes', min: 1, max: 1024 ** 3, default: 1024, value: 'BYTES', help: '' },
    follow: { name: 'follow', type: 'boolean', help: '' },
    prefix: { name: 'prefix', type: 'boolean', default: true, help: '' },
    form: { name: 'form', type: 'choice', choices: ['short', 'json'], default: 'short', value: 'FORM', help: '' },
    shell: { name: 'shell', type: 'choice', choices: ['bash', 'zsh'], value: 'SHELL', help: '' },
    source: { name: 'source', type: 'strings', value: 'GLOB', help: '' },
    path: { name: 'path', type: 'string', default: '/x', value: 'PATH', help: '' },
    text: { name: 'text', type: 'string', value: 'TEXT', help: '' },
    verbose: { name: 'v', type: 'boolean', help: '' },
  },
})

const defaults = {
  lines: 5,
  fd: undefined,
  size: 1024,
  follow: false,
  prefix: true,
  form: 'short',
  shell: undefined,
  source: [],
  path: '/x',
  text: undefined,
  verbose: false,
}

/** The parser as the executable has it. */
const directory = mkdtempSync(join(tmpdir(), 'memlogd-flags-'))
afterAll(() => rmSync(directory, { recursive: true }))
const outfile = join(directory, 'flags.cjs')
await build({ ...bundleOptions, entryPoints: ['src/cli/flags.ts'], outfile })
const { default: bundled }: { default: typeof source } = await import(outfile)

describe.each([
  ['source', source.parseFlags],
  ['bundle', bundled.parseFlags],
])('%s', (_, parseFlags) => {
  async function parse(...words: string[]) {
    const result = await parseFlags(command, words)
    if (result.kind !== 'flags') throw new Error(`${result.kind} was asked for`)
    return result
  }

  test('without flags there are the defaults', async () => {
    const { values, given, operands, skip } = await parse()
    expect(values).toEqual(defaults)
    expect([given.size, operands, skip]).toEqual([0, [], 0])
  })

  test('one flag changes one value: the parser adds nothing', async () => {
    expect((await parse('-follow')).values).toEqual({ ...defaults, follow: true })
    expect((await parse('-n', '7')).values).toEqual({ ...defaults, lines: 7 })
  })

  test('every type', async () => {
    const words = ['-lines=1', '-fd', '0', '-size', '2M', '-follow', '-prefix=false', '-form', 'json', '-shell=zsh']
    const more = ['-source', 'a', '-source=b', '-path', '', '-text', 'x', '-v', '-v', '-v=false', 'cmd', '-lines=2']
    const { values, given, operands, skip } = await parse(...words, ...more)
    expect(values).toEqual({
      lines: 1,
      fd: 0,
      size: 2 * 1024 ** 2,
      follow: true,
      prefix: false,
      form: 'json',
      shell: 'zsh',
      source: ['a', 'b'],
      path: '',
      text: 'x',
      verbose: false,
    })
    expect([...given].sort()).toEqual(Object.keys(defaults).sort())
    expect([operands, skip]).toEqual([['cmd', '-lines=2'], words.length + more.length - 2])
  })

  test('the last of several wins', async () => {
    const { values } = await parse('-n', '1', '-lines', '2', '-follow', '-follow=false', '-text', 'a', '-text', 'b')
    expect([values.lines, values.follow, values.text]).toEqual([2, false, 'b'])
  })

  test.each([
    '"quoted"',
    "'quoted'",
    '"',
    '=x',
    '-x',
    '--',
    '--lines=3',
    'a b',
    'a\nb',
    'a.b',
    'true',
    '0123',
    '1e3',
    '[1]',
    'no-follow',
    '__proto__',
    'ü\ud800',
  ])('the text %j arrives as it was typed', async (text) => {
    expect((await parse('-text', text)).values.text).toBe(text)
    expect((await parse(`-text=${text}`)).values.text).toBe(text)
    expect((await parse('-source', text, '-source', text)).values.source).toEqual([text, text])
  })

  test.each([
    [['-lines', 'abc'], '-lines: "abc": wanted a whole number from 1 to 9'],
    [['-n', '0'], '-n: "0": wanted a whole number from 1 to 9'],
    [['-n', '1', '-n', '0x1'], '-n: "0x1": wanted a whole number from 1 to 9'],
    [['-n', 'bad', '-n', '1'], '-n: "bad": wanted a whole number from 1 to 9'],
    [['-follow=maybe'], '-follow: "maybe": wanted true or false'],
    [['-v=2'], '-v: "2": wanted true or false'],
    [['-form', 'xml'], '-form: "xml": wanted one of short, json'],
    [['-size', '1e3'], '-size: "1e3": wanted a number of bytes from 1 to 1GiB, such as 65536, 512K or 8MiB'],
  ])('%j is refused', async (words, message) => {
    await expect(parse(...words)).rejects.toMatchObject({ name: 'UsageError', exitStatus: 2, message })
  })

  test('a thousand repeats are no trouble', async () => {
    const words = Array.from({ length: 1000 }, (_, at) => `-source=${at}`)
    expect((await parse(...words)).values.source).toHaveLength(1000)
  })
})

test('types come from the table', async () => {
  const result = await source.parseFlags(command, [])
  if (result.kind !== 'flags') throw new Error('no flags')
  const { values } = result
  expectTypeOf(values.lines).toEqualTypeOf<number>()
  expectTypeOf(values.fd).toEqualTypeOf<number | undefined>()
  expectTypeOf(values.follow).toEqualTypeOf<boolean>()
  expectTypeOf(values.form).toEqualTypeOf<'short' | 'json'>()
  expectTypeOf(values.shell).toEqualTypeOf<'bash' | 'zsh' | undefined>()
  expectTypeOf(values.source).toEqualTypeOf<readonly string[]>()
  expectTypeOf(values.path).toEqualTypeOf<string>()
  expectTypeOf(values.text).toEqualTypeOf<string | undefined>()
})
