import { describe, expect, it } from 'vitest'
import { ByteBudget } from '../../../src/lines/held-bytes.ts'
import {
  type DockerFrameSink,
  DockerFrames,
  DockerLogEntry,
  dockerFrameBytesMax,
} from '../../../src/memlogd/docker/frame.ts'
import { encodeDockerFrame } from '../../support/docker-frames.ts'
import { randomFrom } from '../../support/random.ts'
import { atEveryChunkSize, largeBudget } from '../inputs/chunks.ts'

/** What dockerd 20.10 wrote for `printf end`, a line without newline after a long one. */
const recorded = Buffer.from(
  '0000005f0a067374646f757410b796f4b6d9fca3f5181a03656e6420012a44124037623266613165353963623338616434326133306430313230393337373764346639623138333865373061613862343764396535653735386265666662366461' +
    '1801',
  'hex',
)

class Collector implements DockerFrameSink {
  readonly entries: string[] = []
  readonly faults: string[] = []
  isFull = false
  readonly #entry = new DockerLogEntry()
  frame(bytes: Buffer, start: number, end: number): void {
    const entry = this.#entry
    if (entry.decode(bytes, start, end) !== 'none') {
      this.faults.push('message')
      return
    }
    const { isStderr, seconds, nanos, isPartial, isLast, partialId } = entry
    const line = entry.bytes.toString('latin1', entry.lineStart, entry.lineEnd)
    const more = isPartial ? ` partial ${isLast ? 'last' : 'more'} ${partialId}` : ''
    this.entries.push(`${isStderr ? 'err' : 'out'} ${seconds}.${String(nanos).padStart(9, '0')} ${line}${more}`)
  }
}

function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(message.length)
  return Buffer.concat([length, message])
}

function collect(bytes: Buffer): Collector {
  const sink = new Collector()
  const frames = new DockerFrames(largeBudget())
  frames.push(bytes, 0, bytes.length, sink)
  return sink
}

const hello = encodeDockerFrame(false, 1_700_000_000, 123_456_789, Buffer.from('hello'))
const failed = encodeDockerFrame(true, 1_700_000_001, 0, Buffer.from([0xff, 0x00, 0x0a]))

describe('DockerLogEntry', () => {
  const id = '7b2fa1e59cb38ad42a30d01209377' + '7d4f9b1838e70aa8b47d9e5e758beffb6da'

  it('reads what dockerd writes, to the nanosecond', () => {
    expect(recorded.readUInt32BE(0)).toBe(recorded.length - 4)
    expect(collect(recorded).entries).toEqual([`out 1795405617.701915447 end partial more ${id}`])
  })

  it('reads what it writes', () => {
    expect(collect(Buffer.concat([hello, failed])).entries).toEqual([
      'out 1700000000.123456789 hello\n',
      'err 1700000001.000000000 \xff\0\n\n',
    ])
  })

  const cases: [string, string, string | undefined][] = [
    [
      'unknown fields of every wire type',
      '1a0161' + '3001' + '390102030405060708' + '420101' + '4d01020304',
      'out 0.000000000 a',
    ],
    ['a field number of five bytes', 'f8ffffff0f01' + '1a0161', 'out 0.000000000 a'],
    ['the same field twice: the last counts', '1a0161' + '1a0162', 'out 0.000000000 b'],
    ['a negative time', '10ffffffffffffffffff01' + '1a0161', 'out 0.000000000 a'],
    ['the largest time', '10ffffffffffffffff7f' + '1a0161', 'out 9223372036.854775807 a'],
    ['metadata: the last piece', '1a0161' + '2001' + '2a0708011203616263', 'out 0.000000000 a partial last abc'],
    ['a field of another wire type', '0a0161' + '1801' + '1a0162', 'out 0.000000000 b'],
    ['field number 0', '0001', undefined],
    ['a group', '0b0c', undefined],
    ['a varint without an end', '10ffffffffffffffffffff', undefined],
    ['a varint of eleven bytes', '10ffffffffffffffffffff01', undefined],
    ['a varint cut short', '1080', undefined],
    ['a length beyond the message', '1a0561', undefined],
    ['a length beyond everything', '1affffffff0f61', undefined],
    ['a fixed field cut short', '39010203', undefined],
  ]
  for (const [name, hex, wanted] of cases) {
    it(`handles ${name}`, () => {
      const sink = collect(framed(Buffer.from(hex, 'hex')))
      expect(sink.entries).toEqual(wanted === undefined ? [] : [wanted])
      expect(sink.faults.length).toBe(wanted === undefined ? 1 : 0)
    })
  }

  it('accepts any bytes', () => {
    const random = randomFrom(99)
    const entry = new DockerLogEntry()
    for (let round = 0; round < 20_000; round++) {
      const bytes = Buffer.from(random.below(2) === 0 ? recorded : hello)
      for (let change = random.below(6); change > 0; change--) bytes[random.below(bytes.length)] = random.below(256)
      entry.decode(bytes, 4, 4 + random.below(bytes.length - 3))
      expect(entry.lineEnd).toBeLessThanOrEqual(bytes.length)
    }
  })
})

describe('DockerFrames', () => {
  const stream = Buffer.concat([hello, recorded, failed])
  const wanted = collect(stream).entries

  it('finds the frames in pieces of every size', () => {
    expect(wanted.length).toBe(3)
    atEveryChunkSize(stream, (chunks) => {
      const sink = new Collector()
      const frames = new DockerFrames(largeBudget())
      for (const chunk of chunks) expect(frames.push(chunk, 0, chunk.length, sink)).toBe(chunk.length)
      expect(sink.entries).toEqual(wanted)
      expect(frames.hasCarry).toBe(false)
    })
  })

  it('continues in a new process after every byte', () => {
    const sink = new Collector()
    let frames = new DockerFrames(largeBudget())
    for (let at = 0; at < stream.length; at++) {
      frames.push(stream, at, at + 1, sink)
      const carry = frames.carry()
      frames = new DockerFrames(largeBudget())
      frames.restore(carry)
    }
    expect(sink.entries).toEqual(wanted)
  })

  it('accepts a frame of the limit, skips a longer one, and continues with the next', () => {
    const message = Buffer.alloc(dockerFrameBytesMax)
    Buffer.from('1afbff3f', 'hex').copy(message)
    const sink = new Collector()
    const frames = new DockerFrames(largeBudget())
    const bytes = Buffer.concat([framed(message), Buffer.from('00100001', 'hex'), Buffer.alloc(50, 0x78), hello])
    expect(frames.push(bytes, 0, bytes.length, sink)).toBe(bytes.length)
    expect(sink.entries.slice(-1)).toEqual(['out 1700000000.123456789 hello\n'])
    expect(sink.entries.length + sink.faults.length).toBe(2)
    expect(frames.skippedBytes).toBe(4 + 50)
  })

  it('finds the next frame after garbage, however it comes', () => {
    const lookalikes = Buffer.from('\0\x20\0\0\n\x06stdout\0\0\0\x08\n\x06stderr\n\x06stdo', 'latin1')
    const garbage = Buffer.concat([Buffer.alloc(4), lookalikes])
    const bytes = Buffer.concat([hello, garbage, failed, hello])
    atEveryChunkSize(bytes, (chunks, size) => {
      const sink = new Collector()
      let frames = new DockerFrames(largeBudget())
      let skipped = 0
      for (const chunk of chunks) {
        frames.push(chunk, 0, chunk.length, sink)
        skipped += frames.skippedBytes
        const carry = frames.carry()
        frames = new DockerFrames(largeBudget())
        frames.restore(carry)
      }
      expect(sink.entries.length, `pieces of ${size}`).toBe(3)
      expect(skipped).toBe(garbage.length)
    })
  })

  it('finds the first frame when reading begins in the middle of one', () => {
    for (let cut = 0; cut <= recorded.length; cut++) {
      const sink = new Collector()
      const frames = new DockerFrames(largeBudget())
      frames.search()
      const bytes = Buffer.concat([recorded.subarray(cut), hello, failed])
      frames.push(bytes, 0, bytes.length, sink)
      expect(sink.entries.length, `cut at ${cut}`).toBe(cut === 0 ? 3 : 2)
      expect(frames.skippedBytes).toBe(cut === 0 ? 0 : recorded.length - cut)
      expect(frames.hasCarry).toBe(false)
    }
  })

  it('skips a frame that the shared budget has no room for, and finds the next', () => {
    const large = encodeDockerFrame(false, 1, 0, Buffer.alloc(500, 0x78))
    const bytes = Buffer.concat([large, hello])
    atEveryChunkSize(bytes, (chunks, size) => {
      const sink = new Collector()
      const budget = new ByteBudget(128)
      const frames = new DockerFrames(budget)
      for (const chunk of chunks) frames.push(chunk, 0, chunk.length, sink)
      expect(budget.used).toBeLessThanOrEqual(128)
      if (size < large.length) {
        expect(frames.skippedFrames, `pieces of ${size}`).toBe(1)
        expect(sink.entries).toEqual(['out 1700000000.123456789 hello\n'])
      }
    })
  })

  it('stops when the sink is full and continues from there', () => {
    const sink = new Collector()
    const frames = new DockerFrames(largeBudget())
    Object.defineProperty(sink, 'isFull', { get: () => sink.entries.length === 1, configurable: true })
    const at = frames.push(stream, 0, stream.length, sink)
    expect(at).toBe(hello.length)
    Object.defineProperty(sink, 'isFull', { value: false })
    frames.push(stream, at, stream.length, sink)
    expect(sink.entries).toEqual(wanted)
  })
})
