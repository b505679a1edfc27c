import { describe, expect, it } from 'vitest'
import { DockerInput } from '../../../src/memlogd/docker/input.ts'
import { DockerStreams } from '../../../src/memlogd/docker/streams.ts'
import { inputTable } from '../../../src/memlogd/inputs/table.ts'
import { sourceKindDocker } from '../../../src/protocol/constants.ts'
import { dockerdFrame, encodeDockerFrame } from '../../support/docker-frames.ts'
import { EngineRig } from '../engine/engine-rig.ts'

const limit = 1 << 20

/** A piece of a line that goes on. */
function piece(isStderr: boolean, text: string): Buffer {
  const frame = Buffer.concat([encodeDockerFrame(isStderr, 1, 0, Buffer.from(text)), Buffer.from([0x20, 1])])
  frame.writeUInt32BE(frame.length - 4)
  return frame
}

describe('the largest lines', () => {
  it('of both streams are kept when the container ends without newlines', () => {
    const rig = new EngineRig({ maxLineBytes: limit })
    const source = rig.queue.open('web', sourceKindDocker)
    for (let at = 0; at < 64; at++) {
      rig.queue.data(source, piece(false, 'o'.repeat(16_383)))
      rig.queue.data(source, piece(true, 'e'.repeat(16_383)))
    }
    rig.queue.close(source)
    // The encoder ends each piece with a newline, which makes it 16 KiB long.
    expect(
      rig
        .entries()
        .map(({ source, text, cutBytes, isUnterminated }) => [source, text.length, cutBytes, isUnterminated]),
    ).toEqual([
      ['web.stdout', limit, undefined, true],
      ['web.stderr', limit, undefined, true],
    ])
    expect(rig.engine.heldBytes).toBe(0)
  })

  it('of streams that end together are kept', () => {
    const rig = new EngineRig({ maxLineBytes: limit })
    const sources = ['a', 'b', 'c'].map((name) => rig.queue.open(name))
    for (const source of sources) for (let at = 0; at < 32; at++) rig.queue.data(source, Buffer.alloc(limit / 32, 0x78))
    for (const source of sources) rig.queue.close(source)
    expect(rig.entries().map(({ text }) => text.length)).toEqual([limit, limit, limit])
  })
})

describe('a container with many labels', () => {
  it('whose unfinished line makes place for another always finds room in the ring', () => {
    const streams = new DockerStreams()
    const labels = Array.from({ length: 5 }, (_, at): [string, string] => [`label.${at}`, 'x'.repeat(900)])
    const token = streams.add('/fifo', { id: 'f'.repeat(64), name: 'web', fields: labels })?.token ?? 0
    const createInput = inputTable((slot, context) => new DockerInput(slot, context, streams))
    for (let filler = 0; filler < 9; filler++) {
      const rig = new EngineRig({ maxLineBytes: 40 }, { createInput })
      const source = rig.queue.open('web', sourceKindDocker, token)
      const other = rig.queue.open('other')
      rig.queue.data(other, `${'y'.repeat(40)}\n`.repeat(filler * 10))
      const pairs = Array.from({ length: 20 }, (_, at) => [
        pieceOf(`a${at}`, false, `first ${at}`),
        pieceOf(`b${at}`, true, `second ${at}`),
      ])
      for (let turn = 0; turn < 4; turn++) rig.queue.data(source, Buffer.concat(pairs.flat()))
      const texts = rig.entries().filter(({ source }) => source === 'web.stdout')
      expect(texts.map(({ text }) => text.trim())).toEqual(
        Array.from({ length: 80 }, (_, at) => [`first ${at % 20}`, `second ${at % 20}`]).flat(),
      )
    }
  })
})

/** A piece of the line `id` on stdout, with metadata. */
function pieceOf(id: string, isLast: boolean, text: string): Buffer {
  const metadata = Buffer.from([0x08, isLast ? 1 : 0, 0x12, id.length, ...Buffer.from(id)])
  const partial = Buffer.from([0x20, 1, 0x2a, metadata.length, ...metadata])
  const frame = Buffer.concat([encodeDockerFrame(false, 1, 0, Buffer.from(text)), partial])
  frame.writeUInt32BE(frame.length - 4)
  return frame
}

describe('a line', () => {
  const linesOf = (texts: readonly string[], priorityPrefix?: boolean) => {
    const rig = new EngineRig(priorityPrefix === undefined ? {} : { priorityPrefix })
    const source = rig.queue.open('web', sourceKindDocker)
    for (const text of texts) rig.queue.data(source, dockerdFrame(false, text, 1))
    return rig.entries().map(({ text, priority }) => [text, priority])
  }

  it('that begins with <N> has that priority', () => {
    const texts = ['<3>broken', '<30>fine', '<999>text', '<3', '<7>']
    expect(linesOf(texts)).toEqual([
      ['broken', 3],
      ['fine', 30],
      ['<999>text', undefined],
      ['<3', undefined],
      ['', 7],
    ])
    expect(linesOf(['<3>broken'], false)).toEqual([['<3>broken', undefined]])
  })

  it("ends before a terminal's carriage return", () => {
    expect(linesOf(['one\r', 'a\rb', '\r', '\r\r']).map(([text]) => text)).toEqual(['one', 'a\rb', '', '\r'])
  })
})
