import { describe, expect, it } from 'vitest'
import { type Glob, globSteps, matchesGlob, parseGlob } from '../../src/match/glob.ts'
import { Wanted } from '../../src/protocol/wanted.ts'

function matches(glob: string, name: string): boolean {
  const parsed = parseGlob(glob)
  if (parsed instanceof Wanted) throw new Error(`${glob}: ${parsed.position}: ${parsed.text}`)
  return matchesGlob(
    parsed,
    Array.from(name, (character) => character.codePointAt(0) as number),
  )
}

describe('a glob', () => {
  it.each([
    ['', ''],
    ['rngd.stderr', 'rngd.stderr'],
    ['*', ''],
    ['*', 'a/b.c'],
    ['rngd*', 'rngd'],
    ['rngd*', 'rngd.stderr'],
    ['*.stderr', 'rngd.stderr'],
    ['*.std*', 'rngd.stdout'],
    ['a*b*c', 'aXbXbXc'],
    ['a**c', 'abc'],
    ['rngd.std???', 'rngd.stdout'],
    ['?', 'ä'],
    ['?', '😀'],
    ['[abc]', 'b'],
    ['[a-c]x', 'bx'],
    ['[!a-c]', 'd'],
    ['[^a-c]', 'd'],
    ['[]a]', ']'],
    ['[a-]', '-'],
    ['[\\]]', ']'],
    ['[ä-ö]', 'ö'],
    ['\\*', '*'],
    ['\\\\', '\\'],
    ['*.001-*', 'onboot.001-dhcpcd.out'],
  ])('%j matches %j', (glob, name) => {
    expect(matches(glob, name)).toBe(true)
  })

  it.each([
    ['', 'a'],
    ['rngd', 'rngd.stderr'],
    ['stderr', 'rngd.stderr'],
    ['?', ''],
    ['?', 'ab'],
    ['a*b', 'ac'],
    ['a*b*c', 'acb'],
    ['[abc]', 'd'],
    ['[!abc]', 'a'],
    ['[!abc]', ''],
    ['RNGD', 'rngd'],
    ['\\*', 'a'],
  ])('%j does not match %j', (glob, name) => {
    expect(matches(glob, name)).toBe(false)
  })

  it.each([
    ['abc[de', 3, ']'],
    ['[', 0, ']'],
    ['[]', 0, ']'],
    ['x\\', 1, 'backslash'],
    ['[a\\', 0, ']'],
    ['a[z-a]', 1, 'lower end first'],
  ])('%j is wrong at %i: wanted %s', (glob, position, wanted) => {
    expect(parseGlob(glob)).toEqual(new Wanted(expect.stringContaining(wanted), position))
  })

  it.each([
    ['abc', 3],
    ['abc*', 4],
    ['*abc', 4],
    ['a*b', 3],
    ['*a*', 3 + 512],
    ['*a*bc*d', 7 + 2 * 512],
    ['*a[b-cx]*d', 7 + 4 * 512],
  ])('%j takes at most %i steps', (glob, steps) => {
    expect(globSteps(parseGlob(glob) as Glob)).toBe(steps)
  })

  it('takes no more steps than it says, whatever it looks like', () => {
    const name = Array.from('a'.repeat(512), (one) => one.charCodeAt(0))
    for (const text of [
      `${'*a'.repeat(200)}b`,
      `*${'a'.repeat(100)}b*`,
      `*${'a'.repeat(300)}b`,
      `${'a'.repeat(400)}b*`,
    ]) {
      const glob = parseGlob(text) as Glob
      let steps = 0
      const counted = new Proxy(name, {
        get(target, key, receiver) {
          if (typeof key === 'string' && /^\d+$/.test(key)) steps++
          return Reflect.get(target, key, receiver)
        },
      })
      expect(matchesGlob(glob, counted)).toBe(false)
      expect(steps).toBeLessThanOrEqual(globSteps(glob))
    }
  })
})
