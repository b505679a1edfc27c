/**
 * The shape of the source, as far as Biome (.biome.json) and knip (.knip.json) can't check it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
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

/** The directory below src that a file belongs to; main.ts and applets.ts are their own. */
function part(path: string): string {
  return path.split('/')[1] ?? ''
}

/** `path -> import` for every import that `isWrong` finds wrong. */
function wrongImports(isWrong: (from: string, to: string) => boolean): string[] {
  return files.flatMap(({ path, imports }) => imports.filter((to) => isWrong(path, to)).map((to) => `${path} -> ${to}`))
}

test('there is something to look at', () => {
  expect(files.length).toBeGreaterThan(50)
  expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(200)
})

test('what the base Node may lack is not used', () => {
  const missing = /^node:(?:inspector|sqlite|trace_events)/
  expect(wrongImports((from, to) => part(from) !== 'build' && missing.test(to))).toEqual([])
  const program = files.filter(({ path }) => part(path) !== 'build')
  expect(
    program.filter(({ text }) => /\bIntl\.|\\[pP]\{|toLocale|localeCompare/.test(text)).map(({ path }) => path),
  ).toEqual([])
})

test('one place ends the process, and libraries do not print', () => {
  const saying = (pattern: RegExp, except: readonly string[]) =>
    files.filter(({ path, text }) => part(path) !== 'build' && !except.includes(path) && pattern.test(text))
  expect(saying(/process\.exit\b/, ['src/main.ts']).map(({ path }) => path)).toEqual([])
  expect(saying(/\bconsole\.|process\.std(?:out|err)\.write/, []).map(({ path }) => path)).toEqual([])
})

test('no vague names, no re-exporting of whole files', () => {
  const vague = files.filter(({ path }) => /\/(?:utils?|helpers?|common|misc|index)\.ts$/.test(path))
  expect(vague.map(({ path }) => path)).toEqual([])
})

test('members are private by #', () => {
  const modifier = /^\s+private (?!constructor)/m
  expect(files.filter(({ text }) => modifier.test(text)).map(({ path }) => path)).toEqual([])
})

/** As the formatters wrap code: comments are theirs to leave alone, so they are checked here. */
const commentColumnsMax = 120

test('no comment is wider than a line of code may be', () => {
  const long = files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, at) => {
      const isComment = /^\s*(?:\/?\*|\/\/)/.test(line)
      return isComment && line.length > commentColumnsMax ? [`${path}:${at + 1}`] : []
    }),
  )
  expect(long).toEqual([])
})

/** Files of a directory, and small files of the whole source: more of either means that something is cut too small. */
const looseFilesMax = 16
const smallFileLines = 35
const smallFilesMax = 20

test('rooms are neither crowded nor cut too small', () => {
  const perDirectory = Object.entries(Object.groupBy(files, ({ path }) => dirname(path)))
  const crowded = perDirectory.filter(([, inside]) => (inside?.length ?? 0) > looseFilesMax).map(([name]) => name)
  expect(crowded).toEqual([])
  const small = files.filter(({ text }) => text.trimEnd().split('\n').length <= smallFileLines)
  expect(small.length, small.map(({ path }) => path).join('\n')).toBeLessThanOrEqual(smallFilesMax)
})
