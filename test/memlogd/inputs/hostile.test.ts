// Every input at once, fed with valid bytes, damaged bytes and noise, in any pieces, while engines die: nothing
// throws, the ring stays sound, and when all sources have ended nothing is held any more.
import { describe, expect, it } from 'vitest'
import {
  frameKindDatagram,
  frameKindRecord,
  sourceKindDocker,
  sourceKindKmsg,
  sourceKindStream,
  sourceKindSyslogTcp,
  sourceKindSyslogUdp,
  sourceKindSyslogUnix,
} from '../../../src/protocol/constants.ts'
import { encodeDockerFrame } from '../../support/docker-frames.ts'
import { type Random, randomFrom, seedFor } from '../../support/random.ts'
import { checkRing } from '../../support/ring-invariants.ts'
import { EngineRig } from '../engine/engine-rig.ts'

const kinds = [
  sourceKindStream,
  sourceKindSyslogUnix,
  sourceKindSyslogUdp,
  sourceKindSyslogTcp,
  sourceKindKmsg,
  sourceKindDocker,
]

function partial(text: Buffer, id: string, isLast: boolean): Buffer {
  const frame = encodeDockerFrame(false, 1_700_000_000, 1, text)
  const idBytes = Buffer.from(id)
  const metadata = Buffer.concat([Buffer.from([8, isLast ? 1 : 0, 18, idBytes.length]), idBytes])
  const more = Buffer.concat([Buffer.from([0x20, 1, 0x2a, metadata.length]), metadata])
  const whole = Buffer.concat([frame, more])
  whole.writeUInt32BE(whole.length - 4)
  return whole
}

function sample(random: Random, kind: number): Buffer {
  const text = random.bytes(random.chance(0.02) ? random.below(30_000) : random.below(120))
  switch (kind) {
    case sourceKindSyslogUnix:
    case sourceKindSyslogUdp: {
      const prefix = Buffer.alloc(16)
      prefix.writeUInt32LE(random.below(5), 12)
      const head = random.pick(['<13>Nov 23 03:46:57 a[1]: ', '<13>1 - h a 7 i [x y="z"] ', '<191>', ''])
      return Buffer.concat([prefix, Buffer.from(head), text])
    }
    case sourceKindSyslogTcp: {
      const message = Buffer.concat([Buffer.from('<14>a: '), text])
      return random.chance(0.5)
        ? Buffer.concat([Buffer.from(`${message.length} `), message])
        : Buffer.concat([message, Buffer.from('\n')])
    }
    case sourceKindKmsg: {
      const flag = random.pick(['-', 'c', '+'])
      const head = `${random.below(200)},${random.below(1000)},${random.below(1e9)},${flag};`
      return Buffer.concat([Buffer.from(head), text, Buffer.from('\n A=\\x41\n')])
    }
    case sourceKindDocker:
      return random.chance(0.5)
        ? partial(text, random.pick(['p', 'q']), random.chance(0.3))
        : encodeDockerFrame(random.chance(0.5), 1_700_000_000, 0, text)
    default:
      return Buffer.concat([Buffer.from(random.pick(['', '<3>', '<999>'])), text, Buffer.from('\n')])
  }
}

function damaged(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  for (let change = random.below(4); change > 0 && copy.length > 0; change--)
    copy[random.below(copy.length)] = random.below(256)
  return random.chance(0.2) ? copy.subarray(0, random.below(copy.length + 1)) : copy
}

function feed(rig: EngineRig, random: Random, id: number, kind: number): void {
  const whole = sample(random, kind)
  const bytes = random.chance(0.3) ? damaged(random, whole) : whole
  const isMessage = kind === sourceKindSyslogUnix || kind === sourceKindSyslogUdp
  if (isMessage) rig.queue.frame(frameKindDatagram, id, bytes, random.below(2))
  else if (kind === sourceKindKmsg) rig.queue.frame(frameKindRecord, id, bytes)
  else {
    const cut = random.below(bytes.length + 1)
    rig.queue.data(id, bytes.subarray(0, cut))
    rig.queue.data(id, bytes.subarray(cut))
  }
}

describe.each([1, 100, 1024, 1 << 20])('with lines of at most %i bytes', (maxLineBytes) => {
  it('every input takes whatever comes', () => {
    const random = randomFrom(seedFor(`hostile ${maxLineBytes}`))
    const rig = new EngineRig({ maxLineBytes, maxLines: 5_000, maxBytes: 8 << 20 })
    const sources: { id: number; kind: number }[] = []
    for (let step = 0; step < 4_000; step++) {
      const source = sources.length > 0 ? random.pick(sources) : undefined
      if (source === undefined || (sources.length < 20 && random.chance(0.05))) {
        const kind = random.pick(kinds)
        sources.push({ id: rig.queue.open('source', kind, random.below(3)), kind })
      } else if (random.chance(0.01)) {
        rig.queue.close(source.id)
        sources.splice(sources.indexOf(source), 1)
      } else feed(rig, random, source.id, source.kind)
      if (random.chance(0.1)) rig.take()
      if (random.chance(0.02)) {
        rig.take()
        rig.restart()
      }
    }
    for (const { id } of sources) rig.queue.close(id)
    const entries = rig.entries()
    checkRing(rig.engine.ring)
    expect(entries.length).toBeGreaterThan(100)
    expect(rig.engine.sourceCount).toBe(0)
    expect(rig.engine.heldBytes).toBe(0)
    for (const { text } of entries) expect(text.length).toBeLessThanOrEqual(Math.max(maxLineBytes, 80))
  })
})
