// The steps that keep entries back, --join and --fold: nothing is lost, nothing waits for ever, memory has a bound.
import { describe, expect, it } from 'vitest'
import { linesOf } from '../../../../src/logread/show/filters/changed-entry.ts'
import { makeFold } from '../../../../src/logread/show/filters/fold.ts'
import { type Clock, heldBytesMax, type MakeStep } from '../../../../src/logread/show/filters/holding.ts'
import { makeJoin } from '../../../../src/logread/show/filters/join.ts'
import { baseSeconds, gap, type SampleEntry, sample, viewOf } from '../../../support/entries.ts'
import { randomFrom } from '../../../support/random.ts'

const dump: Clock = undefined

/** A step, and the messages that have passed it. */
function started(make: MakeStep) {
  const passed: string[] = []
  const step = make((entry) => passed.push(entry.message.toString()))
  const take = (seconds: number, message: string, given: SampleEntry = {}) => {
    const realSeconds = baseSeconds + Math.floor(seconds)
    const realNanos = Math.round((seconds % 1) * 1e9)
    step.take(viewOf(sample(0, { realSeconds, realNanos, source: 'a', message, ...given })), false)
  }
  return { passed, step, take }
}

describe('--join', () => {
  it('keeps every line of every source in its order, whatever comes in between', () => {
    const random = randomFrom(7)
    const lines = ['one', '  two', '', 'Traceback (most recent call last):', 'panic: x', 'main.f()', 'ERROR', 'a.B: c']
    const sent: string[] = []
    const came: string[] = []
    const step = makeJoin(dump)((entry) => {
      for (const line of linesOf(entry)) came.push(`${line.source} ${line.message}`)
    })
    for (let at = 0; at < 5000; at++) {
      const source = `s${random.below(4)}`
      const message = lines[random.below(lines.length)] as string
      sent.push(`${source} ${message}`)
      step.take(viewOf(sample(0, { realSeconds: baseSeconds + (at >> 5), source, message })), false)
    }
    step.flush()
    const of = (all: string[], source: string) => all.filter((line) => line.startsWith(source))
    for (const source of ['s0', 's1', 's2', 's3']) expect(of(came, source)).toEqual(of(sent, source))
  })

  it('joins nothing across lost lines, nor lines of two senders', () => {
    const { passed, step, take } = started(makeJoin(dump))
    take(1, 'one')
    step.take(viewOf(gap(0, 3)), false)
    take(1, '  two')
    take(1, 'three', { fields: { pid: '1' } })
    take(1, '  four', { fields: { pid: '2' } })
    step.flush()
    expect(passed).toEqual(['one', '3 lines lost', '  two', 'three', '  four'])
  })

  it('keeps back no more than its bound while one source may go on', () => {
    const { passed, take } = started(makeJoin(dump))
    const message = 'x'.repeat(100_000)
    take(1, 'first')
    for (let at = 0; at * 100_000 < 2 * heldBytesMax; at++) take(1, message, { source: `s${at}` })
    expect(passed.length).toBeGreaterThan((heldBytesMax / 100_000) * 0.9)
    expect(passed[0]).toBe('first')
  })

  it('a follower shows what has waited for half a second', () => {
    let now = 0
    const { passed, step, take } = started(makeJoin(() => now))
    take(1, 'one')
    now = 400
    take(1, '  two')
    expect(step.dueMs).toBe(900)
    step.release(899)
    expect(passed).toEqual([])
    step.release(900)
    expect([passed, step.dueMs]).toEqual([['one\n  two'], undefined])
  })
})

describe('--fold', () => {
  it('counts every line', () => {
    const random = randomFrom(8)
    const { passed, step, take } = started(makeFold({ clock: dump, isInFields: false }))
    for (let at = 0; at < 5000; at++) take(at / 10, `${'abcdefgh'[random.below(8)]}z took ${at} ms`)
    step.flush()
    const count = (text: string) => Number(/×(\d+)/.exec(text)?.[1] ?? 1)
    expect(passed.reduce((sum, text) => sum + count(text), 0)).toBe(5000)
    const firsts = passed.map((text) => Number(/took (\d+)/.exec(text)?.[1]))
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b))
  })

  it('keeps lines of other sources, of another level and reports of lost lines apart', () => {
    const { passed, step, take } = started(makeFold({ clock: dump, isInFields: false }))
    take(1, 'x 1')
    take(1, 'x 2', { source: 'b' })
    take(1, 'x 3', { priority: 3 })
    step.take(viewOf(gap(0, 3)), false)
    step.take(viewOf(gap(0, 4)), false)
    step.flush()
    expect(passed).toEqual(['x 1', 'x 2', 'x 3', '3 lines lost', '4 lines lost'])
  })

  it('keeps back no more than its bound', () => {
    const { passed, take } = started(makeFold({ clock: dump, isInFields: false }))
    const text = 'y'.repeat(50_000)
    const name = (at: number) => at.toString(2).replaceAll('0', 'o').replaceAll('1', 'l')
    for (let at = 0; at * 50_000 < heldBytesMax; at++) take(1, `${text} ${name(at)}`)
    expect(passed.length).toBeGreaterThan(10)
  })

  it('a follower reports repeats that do not end every ten seconds, and the rest five seconds after the last', () => {
    let now = 0
    const { passed, step, take } = started(makeFold({ clock: () => now, isInFields: false }))
    for (; now <= 12_000; now += 1000) take(now / 1000, `try ${now / 1000}`)
    expect(passed).toEqual(['try 0', 'try 10 (×11 in 10 s)'])
    expect(step.dueMs).toBe(17_000)
    step.release(17_000)
    expect(passed.slice(2)).toEqual(['try 12 (×2 in 2 s)'])
    expect(step.dueMs).toBe(undefined)
  })
})
