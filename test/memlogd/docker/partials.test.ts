import { describe, expect, it } from 'vitest'
import { DockerLogEntry } from '../../../src/memlogd/docker/frame.ts'
import { type DockerLine, DockerPartials } from '../../../src/memlogd/docker/partials.ts'
import { randomFrom } from '../../support/random.ts'
import { largeBudget } from '../inputs/chunks.ts'

interface Piece {
  text: string
  from?: 'out' | 'err'
  more?: boolean
  last?: boolean
  id?: string
  at?: number
}

function entryOf(piece: Piece): DockerLogEntry {
  const entry = new DockerLogEntry()
  entry.bytes = Buffer.from(piece.text)
  entry.lineEnd = entry.bytes.length
  entry.isStderr = piece.from === 'err'
  entry.isPartial = piece.more === true || piece.last === true
  entry.isLast = piece.last === true
  entry.partialId = piece.id ?? ''
  entry.seconds = piece.at ?? 0
  return entry
}

function shower(shown: string[]) {
  return (line: DockerLine): void => {
    const cut = line.cutBytes > 0 ? `~${line.cutBytes}` : ''
    const text = line.bytes.toString('latin1', line.start, line.end)
    shown.push(`${line.isStderr ? 'err' : 'out'}@${line.seconds} ${text}${cut}${line.isUnterminated ? '!' : ''}`)
  }
}

function endAll(partials: DockerPartials, shown: string[]): void {
  do partials.end(shower(shown))
  while (partials.hasCarry)
}

/** A piece as long as dockerd makes them. */
const full = '12345678'.repeat(2048)

const cases: [string, Piece[], string[]][] = [
  ['a whole line', [{ text: 'a', at: 3 }], ['out@3 a']],
  [
    'a line in pieces: the first stamp counts',
    [
      { text: 'aa', more: true, id: 'x', at: 1 },
      { text: 'bb', more: true, id: 'x', at: 2 },
      { text: 'c', last: true, id: 'x', at: 3 },
    ],
    ['out@1 aabbc'],
  ],
  [
    'a last piece without metadata',
    [{ text: full, more: true }, { text: 'b' }, { text: 'c' }],
    ['out@0 12345678~16377', 'out@0 c'],
  ],
  [
    'a last piece without metadata that is marked as partial',
    [
      { text: full, more: true },
      { text: 'b', more: true },
      { text: 'c', more: true },
    ],
    ['out@0 12345678~16377', 'out@0 c'],
  ],
  [
    'a line whose last piece never came, before a whole line',
    [{ text: 'AA', more: true, id: 'x' }, { text: 'next' }],
    ['out@0 AA!', 'out@0 next'],
  ],
  [
    'a line without metadata, before one with it',
    [
      { text: full, more: true },
      { text: 'b', last: true, id: 'x' },
    ],
    ['out@0 12345678~16376!', 'out@0 b'],
  ],
  [
    'an empty last piece',
    [
      { text: 'aa', more: true, id: 'x' },
      { text: '', last: true, id: 'x' },
    ],
    ['out@0 aa'],
  ],
  [
    'stdout and stderr mixed',
    [
      { text: 'a', more: true, id: 'x' },
      { text: 'e', more: true, id: 'y', from: 'err' },
      { text: 'b', last: true, id: 'x' },
      { text: 'f', last: true, id: 'y', from: 'err' },
    ],
    ['out@0 ab', 'err@0 ef'],
  ],
  ['a container that ends without newline', [{ text: 'end', more: true, id: 'x' }], ['out@0 end!']],
  [
    'a line whose last piece never came',
    [
      { text: 'a', more: true, id: 'x' },
      { text: 'b', more: true, id: 'y' },
      { text: 'c', last: true, id: 'y' },
    ],
    ['out@0 a!', 'out@0 bc'],
  ],
  ['a line of the limit', [{ text: '12345678' }], ['out@0 12345678']],
  ['a line over the limit', [{ text: '123456789' }], ['out@0 12345678~1']],
  [
    'pieces over the limit',
    [
      { text: '12345', more: true, id: 'x' },
      { text: '67890', more: true, id: 'x' },
      { text: 'abc', last: true, id: 'x' },
    ],
    ['out@0 12345678~5'],
  ],
]

describe('DockerPartials', () => {
  for (const [name, pieces, wanted] of cases) {
    it(`joins ${name}`, () => {
      const shown: string[] = []
      const budget = largeBudget()
      const partials = new DockerPartials(8, budget)
      for (const piece of pieces) partials.push(entryOf(piece), shower(shown))
      endAll(partials, shown)
      expect(shown).toEqual(wanted)
      expect(budget.used).toBe(0)
    })

    it(`joins ${name} across a restart after each piece`, () => {
      const shown: string[] = []
      let partials = new DockerPartials(8, largeBudget())
      for (const piece of pieces) {
        partials.push(entryOf(piece), shower(shown))
        const carry = partials.carry()
        expect(carry !== undefined).toBe(partials.hasCarry)
        partials = new DockerPartials(8, largeBudget())
        if (carry !== undefined) partials.restore(carry)
      }
      endAll(partials, shown)
      expect(shown).toEqual(wanted)
    })
  }

  it('continues within a smaller limit, and counts what that cuts', () => {
    const before = new DockerPartials(60, largeBudget())
    for (const from of ['out', 'err'] as const)
      before.push(entryOf({ text: 'x'.repeat(60), more: true, id: 'i', from }), () => {})
    const partials = new DockerPartials(50, largeBudget())
    partials.restore(before.carry() ?? Buffer.alloc(0))
    const shown: string[] = []
    endAll(partials, shown)
    expect(shown).toEqual(['out', 'err'].map((stream) => `${stream}@0 ${'x'.repeat(50)}~10!`))
  })

  it('drops a carry that makes no sense', () => {
    const random = randomFrom(5)
    for (let round = 0; round < 2_000; round++) {
      const partials = new DockerPartials(8, largeBudget())
      partials.restore(
        Buffer.from(Array.from({ length: random.below(80) }, () => random.below(random.below(2) === 0 ? 3 : 256))),
      )
      const shown: string[] = []
      endAll(partials, shown)
      expect(shown.length).toBeLessThanOrEqual(2)
    }
  })
})

it('carries a line whose numbers are larger than their place, as the largest', () => {
  const partials = new DockerPartials(4, largeBudget())
  partials.push(entryOf({ text: 'abcdef', more: true, id: 'x', at: 9_223_372_036 }), () => {})
  // Six bytes a piece would take a while to come to four gigabytes.
  const endless = { ...entryOf({ text: '', more: true, id: 'x' }), lineEnd: 2 ** 32 }
  partials.push(endless as DockerLogEntry, () => {})
  const next = new DockerPartials(4, largeBudget())
  next.restore(partials.carry() ?? Buffer.alloc(0))
  const shown: string[] = []
  endAll(next, shown)
  expect(shown).toEqual(['out@4294967295 abcd~4294967295!'])
})
