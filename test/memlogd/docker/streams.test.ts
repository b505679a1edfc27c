import { describe, expect, it } from 'vitest'
import { DockerStreams } from '../../../src/memlogd/docker/streams.ts'
import { sourcesMax } from '../../../src/protocol/constants.ts'
import { encodeFields } from '../../../src/protocol/fields.ts'
import { randomFrom, seedFor } from '../../support/random.ts'

const container = { id: 'abc', name: 'web', fields: [['image', 'bb']] as [string, string][] }

describe('DockerStreams', () => {
  it('names both streams, and puts container_id first', () => {
    const stream = new DockerStreams().add('/f', container)
    expect(stream?.stdout.name.toString()).toBe('web.stdout')
    expect(stream?.stderr.name.toString()).toBe('web.stderr')
    expect(stream?.stderr.fields).toEqual(
      encodeFields([
        ['container_id', 'abc'],
        ['stream', 'stderr'],
        ['image', 'bb'],
      ]),
    )
  })

  it('makes names safe and leaves room for the stream', () => {
    const stream = new DockerStreams().add('/f', { ...container, name: `a b\n${'x'.repeat(600)}` })
    expect(stream?.stdout.name.length).toBe(512)
    expect(stream?.stdout.name.toString()).toMatch(/^a_b_x+\.stdout$/)
  })

  it('is restored as it was, and uses no token twice', () => {
    const streams = new DockerStreams()
    const first = streams.add('/1', container)
    streams.add('/2', { ...container, id: 'def' })
    streams.remove(first?.token ?? 0)
    const again = new DockerStreams()
    again.restore(streams.encode())
    expect(again.encode()).toBe(streams.encode())
    expect(again.byFile('/2')?.container.id).toBe('def')
    expect(again.byFile('/1')).toBeUndefined()
    expect(again.has('def')).toBe(true)
    expect(again.has('abc')).toBe(false)
    expect(again.add('/3', container)?.token).toBe(3)
  })

  it('is bounded', () => {
    const streams = new DockerStreams()
    for (let at = 0; at < sourcesMax; at++) expect(streams.add(`/${at}`, container)).toBeDefined()
    expect(streams.add('/one more', container)).toBeUndefined()
  })

  it('leaves out what is damaged', () => {
    const streams = new DockerStreams()
    streams.add('/1', container)
    const whole = streams.encode()
    for (const text of ['', 'x', 'null', '[]', '{"version":2,"streams":[]}', '{"version":1,"streams":[null,1,{}]}']) {
      const other = new DockerStreams()
      other.restore(text)
      expect(other.size).toBe(0)
    }
    const random = randomFrom(seedFor('docker state'))
    for (let round = 0; round < 3_000; round++) {
      const bytes = Buffer.from(whole)
      bytes[random.below(bytes.length)] = random.below(256)
      new DockerStreams().restore(bytes.toString('latin1'))
    }
  })
})
