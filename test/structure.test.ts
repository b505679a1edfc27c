/**
 * The shape of the source: who may import whom, what a file may look like. docs/ARCHITECTURE.md says why.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

interface SourceFile {
  /** From the project's root: `src/ring/ring.ts`. */
  readonly path: string
  readonly text: string
  /** Files of src/ that it imports, and modules of Node. */
  readonly imports: readonly string[]
}

const files: SourceFile[] = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const path = join('src', name)
    const text = readFileSync(path, 'utf8')
    const found = text.matchAll(/(?:^import [^'"]*?|^export [^'"]*? from |\bimport\()'([^']+)'/gm)
    const imports = [...found].map(([, to = '']) => (to.startsWith('.') ? normalize(join(dirname(path), to)) : to))
    return { path, text, imports }
  })

/** The folder below src that a file belongs to; main.ts and applets.ts are their own. */
function part(path: string): string {
  return path.split('/')[1] ?? ''
}

/** `path -> import` for every import that `isWrong` finds wrong. */
function wrongImports(isWrong: (from: string, to: string) => boolean): string[] {
  return files.flatMap(({ path, imports }) => imports.filter((to) => isWrong(path, to)).map((to) => `${path} -> ${to}`))
}

const foundations = ['protocol', 'ring', 'lines', 'match', 'system', 'cli']
/** Besides itself, what a part may import; `build` may import everything. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'main.ts': ['applets.ts', 'launcher.ts', 'cli'],
  'launcher.ts': ['applets.ts', 'cli', 'system'],
  'applets.ts': ['memlogd', 'logread', 'logwrite'],
  memlogd: foundations,
  logread: foundations,
  logwrite: foundations,
  cli: ['system', 'protocol'],
  system: ['protocol'],
  match: ['protocol'],
  ring: ['protocol'],
  lines: ['protocol'],
  protocol: [],
}

test('there is something to look at', () => {
  expect(files.length).toBeGreaterThan(50)
  expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(200)
})

test('parts import in one direction, and applets never each other', () => {
  const isWrong = (from: string, to: string) => {
    if (part(from) === 'build' || !to.startsWith('src/') || part(from) === part(to)) return false
    return !(allowed[part(from)] ?? []).includes(part(to))
  }
  expect(wrongImports(isWrong)).toEqual([])
})

/** Rooms that may touch the machine; `build` may too. */
const machineRooms = [
  'system',
  'memlogd/start',
  'memlogd/engine',
  'memlogd/docker',
  'memlogd/serve',
  'logread/ask',
  'logread/show',
  'logread/ship',
]

test('only some rooms touch the machine', () => {
  const machine =
    /^node:(?:fs|net|http|https|http2|tls|dgram|dns|child_process|cluster|worker_threads|zlib|tty|readline)/
  const mayTouch = (path: string) =>
    part(path) === 'build' || machineRooms.some((room) => path.startsWith(`src/${room}/`))
  expect(wrongImports((from, to) => !mayTouch(from) && machine.test(to))).toEqual([])
})

test('what the base Node may lack is not used', () => {
  const missing = /^node:(?:inspector|sqlite|trace_events)/
  expect(wrongImports((from, to) => part(from) !== 'build' && missing.test(to))).toEqual([])
  const program = files.filter(({ path }) => part(path) !== 'build')
  expect(
    program.filter(({ text }) => /\bIntl\.|\\p\{|toLocale|localeCompare/.test(text)).map(({ path }) => path),
  ).toEqual([])
})

test('one place ends the process, and libraries do not print', () => {
  const saying = (pattern: RegExp, except: readonly string[]) =>
    files.filter(({ path, text }) => part(path) !== 'build' && !except.includes(path) && pattern.test(text))
  expect(saying(/process\.exit\b/, ['src/main.ts']).map(({ path }) => path)).toEqual([])
  expect(saying(/\bconsole\.|process\.std(?:out|err)\.write/, []).map(({ path }) => path)).toEqual([])
})

test('names of files', () => {
  const isWrong = ({ path }: SourceFile) => !/^[a-z0-9]+(?:-[a-z0-9]+)*\.ts$/.test(basename(path))
  expect(files.filter(isWrong).map(({ path }) => path)).toEqual([])
  const vague = files.filter(({ path }) => /\/(?:utils?|helpers?|common|misc|index)\.ts$/.test(path))
  expect(vague.map(({ path }) => path)).toEqual([])
})

test('no default exports, no any, no re-exporting of whole files', () => {
  const patterns = [/^export default/m, /[:<(,] ?any\b(?![^\n]*\*)/, /^export \* from/m]
  const found = files.flatMap(({ path, text }) =>
    patterns.filter((one) => one.test(withoutComments(text))).map((one) => `${path} ${one}`),
  )
  expect(found).toEqual([])
})

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
}

/** Longest function, in lines. */
const functionLinesMax = 70

test('functions are short', () => {
  const long = files.flatMap(({ path, text }) => {
    const found: string[] = []
    let start = 0
    let indent = ''
    for (const [at, line] of text.split('\n').entries()) {
      const begins =
        /^( {0,2})(?:export )?(?:async )?(?:function\b|(?:private |static |readonly |override |get |set |async |#)*[A-Za-z#]+\(.*\{$)/.exec(
          line,
        )
      if (begins !== null && line.endsWith('{')) {
        start = at
        indent = begins[1] ?? ''
      } else if (line === `${indent}}` && start > 0) {
        if (at - start + 1 > functionLinesMax) found.push(`${path}:${start + 1} has ${at - start + 1} lines`)
        start = 0
      }
    }
    return found
  })
  expect(long).toEqual([])
})
