import { describe, expect, it } from 'vitest'
import type { Feed, FeedHandlers, SessionEnd } from '../../../src/logread/ask/session.ts'
import { findFormat, makeWriter } from '../../../src/logread/formats/table.ts'
import { followed, type Selection } from '../../../src/logread/selection.ts'
import { Printer } from '../../../src/logread/show/printer.ts'
import { type WaitOptions, waitForLine } from '../../../src/logread/show/wait.ts'
import type { ReplyHeader } from '../../../src/protocol/query.ts'
import { baseSeconds, gap, sample } from '../../support/entries.ts'
import { header } from '../../support/stand-in.ts'

interface Script {
  entries?: Buffer[]
  /** How the feed ends after its entries; undefined: not before it is closed. */
  end?: SessionEnd
  reply?: Partial<ReplyHeader>
}

async function wait(script: Script, options: Partial<WaitOptions> = {}, selection: Partial<Selection> = {}) {
  let printed = ''
  const output = {
    isTerminal: false,
    hasReader: true,
    write: (bytes: Buffer, start = 0, end = bytes.length) => {
      printed += bytes.toString('utf8', start, end)
      return true
    },
    busy: undefined,
    written: undefined,
    end: () => undefined,
  }
  const format = findFormat('cat')
  if (format === undefined) throw new Error('no format')
  const makeFeed = ({ onHeader, onEntries, onBuffered }: FeedHandlers): Feed => {
    let close: (end: SessionEnd) => void
    const closed = new Promise<SessionEnd>((resolve) => {
      close = resolve
    })
    return {
      cursor: undefined,
      close: () => close('closed'),
      run: () => {
        onHeader({ ...header, applied: [], ...script.reply })
        for (const entry of script.entries ?? []) onEntries(entry, 0, entry.length, 0)
        void onBuffered?.()
        if (script.end !== undefined) close(script.end)
        return closed
      },
    }
  }
  const result = await waitForLine({
    selection: { filter: {}, ...selection },
    pattern: /ready/,
    failPattern: undefined,
    timeoutMs: undefined,
    makeFeed,
    printer: new Printer(output, makeWriter(format, { isTerminal: false }), false),
    signal: new AbortController().signal,
    oldest: async () => undefined,
    ...options,
  })
  return { ...result, printed }
}

const ready = sample(3, { message: 'is ready now' })
const panic = sample(4, { message: 'panic' })

describe('waiting for a line', () => {
  it('ends with 0 and the line, whatever comes after it', async () => {
    expect(await wait({ entries: [sample(1), ready, panic, ready] }, { failPattern: /panic/ })).toEqual({
      exitStatus: 0,
      isDaemonGone: false,
      printed: 'is ready now\n',
    })
  })

  it('ends once the line is found in what is buffered', async () => {
    const selection = followed({ filter: {}, tailEach: 5 })
    expect(await wait({ entries: [ready] }, {}, selection)).toMatchObject({ exitStatus: 0, printed: 'is ready now\n' })
  })

  it('ends with 3 and the line if the other pattern comes first, or matches the same line', async () => {
    const failed = { exitStatus: 3, isDaemonGone: false }
    expect(await wait({ entries: [panic, ready] }, { failPattern: /panic/ })).toEqual({ ...failed, printed: 'panic\n' })
    expect(await wait({ entries: [ready] }, { failPattern: /now/ })).toMatchObject(failed)
  })

  it('ends with 1 if it is not there and nothing was lost', async () => {
    expect(await wait({ entries: [sample(1)], end: 'complete' })).toEqual({
      exitStatus: 1,
      isDaemonGone: false,
      printed: '',
    })
  })

  it.each([
    ['a gap', { entries: [sample(1), gap(2, 1)], end: 'complete' }],
    ['a gap without a number', { entries: [gap(2, 0, { lost: '?' })], end: 'complete' }],
    ['lines overwritten before', { reply: { first: 2 }, end: 'complete' }],
  ] as const)('ends with 5 if lines were lost: %s', async (_name, script) => {
    expect(await wait({ ...script, entries: 'entries' in script ? [...script.entries] : [] })).toMatchObject({
      exitStatus: 5,
    })
  })

  it('does not mind what was overwritten if only the last lines were asked for', async () => {
    expect(await wait({ reply: { first: 2 }, end: 'complete' }, {}, { tail: 1 })).toMatchObject({ exitStatus: 1 })
  })

  it.each([
    ['the oldest line is older than --since', 5, 1],
    ['the oldest line is not older', 6, 5],
  ])('knows whether what was overwritten can matter: %s', async (_name, second, exitStatus) => {
    const selection = { filter: { since: { seconds: baseSeconds + 6, nanos: 0 } } }
    const oldest = async () => ({ seconds: baseSeconds + second, nanos: 0 })
    expect(await wait({ reply: { first: 9 }, end: 'complete' }, { oldest }, selection)).toMatchObject({ exitStatus })
  })

  it.each([
    ['before', 5, 1],
    ['after', 6, 5],
  ])('knows that lines were evicted between kept ones, %s --since', async (_name, second, exitStatus) => {
    const selection = { filter: { since: { seconds: baseSeconds + 6, nanos: 0 } } }
    const hole = gap(second, 70, { reason: 'evicted' })
    expect(await wait({ entries: [hole, sample(8)], end: 'complete' }, {}, selection)).toMatchObject({ exitStatus })
  })

  it('does not mind what was overwritten if only new lines are wanted', async () => {
    const selection = followed({ filter: {}, tail: 0 })
    expect(await wait({ reply: { first: 9 }, end: 'complete' }, {}, selection)).toMatchObject({ exitStatus: 1 })
  })

  it('ends with 124 when the time is up', async () => {
    expect(await wait({ entries: [sample(1)] }, { timeoutMs: 60 })).toMatchObject({ exitStatus: 124 })
  })

  it('reports that the daemon went away, with 4 or 5', async () => {
    expect(await wait({ end: 'gone' })).toMatchObject({ exitStatus: 4, isDaemonGone: true })
    expect(await wait({ entries: [gap(1, 1)], end: 'gone' })).toMatchObject({ exitStatus: 5, isDaemonGone: true })
  })

  it('looks at the lines that the other flags select alone', async () => {
    const filter = { sources: ['sshd'] }
    expect(await wait({ entries: [ready], end: 'complete' }, {}, { filter })).toMatchObject({ exitStatus: 1 })
  })

  it('ends when its signal fires', async () => {
    const controller = new AbortController()
    setImmediate(() => controller.abort())
    expect(await wait({}, { signal: controller.signal })).toMatchObject({ exitStatus: 1, isDaemonGone: false })
  })
})
