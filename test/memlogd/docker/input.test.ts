import { describe, expect, it } from 'vitest'
import { sourceKindDocker } from '../../../src/protocol/constants.ts'
import { encodeDockerFrame } from '../../support/docker-frames.ts'
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
