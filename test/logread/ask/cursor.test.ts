import { describe, expect, it } from 'vitest'
import { cursorAfter } from '../../../src/logread/ask/cursor.ts'
import { gap, sample, viewOf } from '../../support/entries.ts'
import { ringId } from '../../support/stand-in.ts'

const before = { ring: 'f'.repeat(32), sequence: 3 }
const cursorOf = (entry: Buffer) => cursorAfter(viewOf(entry), ringId, before)

describe('the cursor after', () => {
  it('a line is the next number', () => {
    expect(cursorOf(sample(7))).toEqual({ ring: ringId, sequence: 8 })
  })

  it('a gap that names the lost numbers is after the last of them', () => {
    expect(cursorOf(gap(5, 3, { first: '5', last: '7' }))).toEqual({ ring: ringId, sequence: 8 })
  })

  it('a gap that an input reported is the next number: it is an entry like any', () => {
    expect(cursorOf(gap(5, 3, { reason: 'kernel-overwritten' }))).toEqual({ ring: ringId, sequence: 6 })
  })

  it('a restart is where it was: the new ring’s first entry comes next', () => {
    expect(cursorOf(gap(5, 0, { reason: 'restarted' }))).toEqual(before)
  })
})
