import { describe, expect, it } from 'vitest'
import { DockerLogEntry } from '../../../src/memlogd/docker/frame.ts'
import { DockerReply } from '../../../src/memlogd/docker/logs.ts'
import { gapEntry, holesEntry } from '../../../src/memlogd/engine/gap.ts'
import { entryFlagCut } from '../../../src/protocol/constants.ts'
import { EntryView, encodeEntry } from '../../../src/protocol/entry.ts'

const now = { realSeconds: 500, realNanos: 7, monoSeconds: 1, monoNanos: 2 }

/** What a reader of docker logs receives for the entries: the stream, the time, the line. */
function shown(entries: readonly Buffer[], reply = new DockerReply(undefined)): [string, number, string][] {
  return entries.flatMap((bytes) => {
    const entry = new EntryView().at(bytes, 0)
    const target = Buffer.alloc(reply.bytesMax(entry))
    const end = reply.write(entry, target, 0)
    if (end === 0) return []
    const frame = new DockerLogEntry()
    expect(frame.decode(target, 4, end)).toBe('none')
    const line = target.toString('utf8', frame.lineStart, frame.lineEnd - 1)
    return [[frame.isStderr ? 'err' : 'out', frame.seconds, line] satisfies [string, number, string]]
  })
}

function line(text: string, seconds: number, cutBytes = 0): Buffer {
  const source = Buffer.from('web.stdout')
  const flags = cutBytes > 0 ? entryFlagCut : 0
  const stamp = { ...now, realSeconds: seconds }
  return encodeEntry({
    sequence: 1,
    ...stamp,
    source,
    fields: Buffer.alloc(0),
    flags,
    cutBytes,
    message: Buffer.from(text),
  })
}

const overwritten = (lost: number) => gapEntry(now, 5, { lost, reason: 'overwritten', first: 5, last: 4 + lost })

describe('docker logs', () => {
  it('shows how much of a line was cut', () => {
    expect(shown([line('whole', 1), line('beginning', 2, 976), line('', 3, 1)])).toEqual([
      ['out', 1, 'whole'],
      ['out', 2, 'beginning …[+976 bytes cut]'],
      ['out', 3, ' …[+1 byte cut]'],
    ])
  })

  it('shows a gap as a line of stderr, at the time of the line before', () => {
    expect(shown([line('before', 100), overwritten(1234), overwritten(1)])).toEqual([
      ['out', 100, 'before'],
      ['err', 100, 'memlogd: up to 1234 lines of all sources were overwritten'],
      ['err', 100, 'memlogd: up to 1 line of all sources was overwritten'],
    ])
  })

  it('shows a gap before all lines at the time of the report, but not after the end that was asked for', () => {
    const text = 'memlogd: up to 2 lines of all sources were overwritten'
    expect(shown([overwritten(2)])).toEqual([['err', 500, text]])
    expect(shown([overwritten(2)], new DockerReply({ seconds: 300, nanos: 0 }))).toEqual([['err', 300, text]])
  })

  it('shows where kept lines end, if there are any', () => {
    const holes = holesEntry(now, 9, 80, ['noisy.stdout'])
    expect(shown([holes, line('newest', 3)])).toEqual([['out', 3, 'newest']])
    expect(shown([line('kept', 3), holes])).toEqual([
      ['out', 3, 'kept'],
      ['err', 3, 'memlogd: up to 80 lines of all sources were evicted'],
    ])
  })
})
