import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { DockerLogEntry } from '../../src/memlogd/docker/frame.ts'
import { counterNames } from '../../src/memlogd/engine/counters.ts'
import { frameKindData } from '../../src/protocol/constants.ts'
import { EntryView, entryFault } from '../../src/protocol/entry.ts'
import { FrameView, frameSize } from '../../src/protocol/frame.ts'
import { formatMoment } from '../../src/protocol/timestamp.ts'

const text = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8')

/** The bytes of the example that is marked with `hex NAME`. */
function example(name: string): Buffer {
  const found = new RegExp(`^\`\`\`hex ${name}\\n([^\`]*)`, 'm').exec(text)?.[1]
  if (found === undefined) throw new Error(`no example ${name}`)
  return Buffer.from(found.replace(/\s/g, ''), 'hex')
}

it("the entry's example is what the text says", () => {
  const bytes = example('entry')
  expect(entryFault(bytes, 0, bytes.length)).toBeUndefined()
  const view = new EntryView().at(bytes, 0)
  expect(view).toMatchObject({ size: bytes.length, sequence: 3, priority: 11, source: 'rngd.stderr', cutBytes: 0 })
  expect(view.message.toString()).toBe('Unable to open file: /dev/tpm0')
  expect(view.field('pid')?.toString()).toBe('71')
  expect(formatMoment({ seconds: view.realSeconds, nanos: view.realNanos })).toBe('2017-04-15T15:37:37.123456789Z')
  expect([view.monoSeconds, view.monoNanos]).toEqual([4, 500_000_000])
})

it("the frame's example is what the text says", () => {
  const bytes = example('frame')
  expect(frameSize(bytes, 0)).toBe(bytes.length)
  const frame = new FrameView().at(bytes, 0)
  expect(frame).toMatchObject({ kind: frameKindData, slot: 1, source: 1, realSeconds: 1_492_270_657 })
  expect(bytes.toString('latin1', frame.payloadStart, frame.payloadEnd)).toBe('ready\n')
})

it("the Docker frame's example is what the text says", () => {
  const bytes = example('docker')
  const entry = new DockerLogEntry()
  expect(bytes.readUInt32BE(0)).toBe(bytes.length - 4)
  expect(entry.decode(bytes, 4, bytes.length)).toBe('none')
  expect(entry).toMatchObject({ isStderr: false, seconds: 1_700_000_000, nanos: 123_456_789, isPartial: false })
  expect(bytes.toString('latin1', entry.lineStart, entry.lineEnd)).toBe('hello')
})

it('what inputs count is told', () => {
  const ofInputs = counterNames.filter((name) => /^(syslog|kernel|docker|fields|datagrams|input)/.test(name))
  expect(ofInputs.length).toBeGreaterThan(9)
  for (const name of ofInputs) expect(text).toContain(`\`${name}\``)
})
