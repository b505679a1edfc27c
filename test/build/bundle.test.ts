import { builtinModules } from 'node:module'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { bundleOptions } from '../../src/build/bundle.ts'

// A small static base Node lacks what the official one has. What the program needs must be there in all of them, and a
// test on the official Node would not notice: so the bundle itself is looked at.

/** What every base has; a further module must be tried on the small bases first. */
const modules = [
  ...[
    'buffer',
    'child_process',
    'crypto',
    'dgram',
    'dns/promises',
    'events',
    'fs',
    'fs/promises',
    'http',
    'https',
    'net',
  ],
  ...['os', 'path', 'sea', 'stream', 'stream/promises', 'timers/promises', 'tls', 'tty', 'url', 'util', 'v8', 'zlib'],
]

/** What one of the bases lacks: WebAssembly, ICU, the inspector, undici, sqlite, minimatch, HTTP/2. */
const lacking: readonly (readonly [string, RegExp])[] = [
  ['WebAssembly', /\bWebAssembly\b/],
  ['Intl', /\bIntl\s*[.[]/],
  ['toLocaleString and the like', /\.toLocale[A-Z]\w*\(/],
  ['localeCompare', /\.localeCompare\(/],
  ['properties in regular expressions', /\\[pP]\{/],
  ['the global fetch', /(?<![.#\w$])fetch\(/],
  ['what comes with fetch', /\bnew (?:Request|Response|Headers|FormData|WebSocket|EventSource)\(/],
  ['fs.glob', /\.glob(?:Sync)?\(/],
  ['WHATWG decoders of other encodings', /new TextDecoder\((?!\)|["']utf-?8["'])/],
]

const bundled = await build({ ...bundleOptions, entryPoints: ['src/main.ts'], write: false, metafile: true })
const [file] = bundled.outputFiles
const text = file?.text ?? ''

test('the bundle imports only modules of Node that every base has', () => {
  const imported = Object.values(bundled.metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path))
  const names = [...new Set(imported.map((path) => path.replace(/^node:/, '')))]
  expect(names.length).toBeGreaterThan(5)
  expect(names.filter((name) => builtinModules.includes(name) || name === 'sea')).toEqual(names)
  expect(names.filter((name) => !modules.includes(name))).toEqual([])
})

test.each(lacking)('the bundle does without %s', (_what, pattern) => {
  const at = text.search(pattern)
  expect(at < 0 ? '' : text.slice(at - 40, at + 40)).toBe('')
})

test('what a base lacks would be found', () => {
  const wanting = String.raw`WebAssembly.compile(x);new Intl.Segmenter;a.toLocaleString();a.localeCompare(b);/\p{L}/u;await fetch(u);
    new Request(u);fs.globSync("*");new TextDecoder("latin1")`
  for (const [what, pattern] of lacking) expect(wanting, what).toMatch(pattern)
})
