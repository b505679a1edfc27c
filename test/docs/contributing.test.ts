import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

// docs/CONTRIBUTING.md and docs/RELEASING.md name files to touch and targets to make: they must be there.

test.each(['docs/CONTRIBUTING.md', 'docs/RELEASING.md', 'docs/SIZE.md'])(
  'every path that %s names exists',
  (document) => {
    const text = readFileSync(document, 'utf8')
    const named = [...text.matchAll(/`((?:src|test|docs|\.github)\/[\w./-]+|\.(?:biome|knip)\.json|package\.json)`/g)]
    expect(named.length).toBeGreaterThan(1)
    expect(named.map(([, path = '']) => path).filter((path) => !existsSync(path))).toEqual([])
  },
)

test('every target that the documents name is in the Makefile', () => {
  const makefile = readFileSync('Makefile', 'utf8')
  const targets = new Set([...makefile.matchAll(/^([a-z-]+):/gm)].map(([, name]) => name))
  for (const document of ['docs/CONTRIBUTING.md', 'docs/RELEASING.md', 'docs/IMAGE.md', 'README.md']) {
    const named = [...readFileSync(document, 'utf8').matchAll(/`make ([a-z-]+)/g)].map(([, name]) => name)
    expect(
      named.filter((name) => !targets.has(name)),
      document,
    ).toEqual([])
  }
})
