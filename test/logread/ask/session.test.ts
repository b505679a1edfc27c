import { afterEach, describe, expect, it } from 'vitest'
import { Session, type SessionOptions } from '../../../src/logread/ask/session.ts'
import { baseSeconds, endEntry, gap, sample, viewOf } from '../../support/entries.ts'
import { FakeWorld } from '../../support/fake-world.ts'
import { headerLine, ringId, type StandIn, standIn, upstreamStandIn } from '../../support/stand-in.ts'
import { eventually } from '../../support/wait.ts'

let server: StandIn | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

const otherRing = 'f'.repeat(32)

async function run(path: string, options: Partial<SessionOptions> = {}) {
  const sequences: number[] = []
  const session = new Session({
    path,
    mode: 2,
    request: {},
    reconnectMs: 150,
    onEntries: (bytes, start, end) => {
      for (let at = start; at < end; at += bytes.readUInt32LE(at)) sequences.push(viewOf(bytes.subarray(at)).sequence)
    },
    ...options,
  })
  return { end: await session.run(), sequences, session }
}

describe('a session', () => {
  it('goes on by cursor when the connection breaks', async () => {
    server = await standIn((socket, _request, connection) => {
      if (connection === 1) socket.end(Buffer.concat([headerLine(), sample(1), sample(2), sample(3).subarray(0, 50)]))
      else socket.end(Buffer.concat([headerLine(), sample(3), endEntry(1, 'stopping')]))
    })
    const { end, sequences, session } = await run(server.path, { request: { tail: 9, sources: ['a'] } })
    expect(end).toBe('gone')
    expect(sequences).toEqual([1, 2, 3])
    expect(session.cursor).toEqual({ ring: ringId, sequence: 4 })
    expect(server.requests[1]).toEqual({
      kind: 'extended',
      mode: 2,
      request: { sources: ['a'], cursor: { ring: ringId, sequence: 3 } },
    })
  })

  it('does not go on for ever with a daemon that answers and breaks off', async () => {
    server = await standIn((socket) => socket.end(Buffer.concat([headerLine(), sample(1), sample(2)])))
    const { end } = await run(server.path)
    expect(end).toBe('gone')
    server.close()
    server = await standIn((socket) => socket.end(headerLine()))
    expect((await run(server.path)).end).toBe('gone')
  })

  it('that follows only goes on from where it began', async () => {
    server = await standIn((socket, _request, connection) => {
      if (connection === 1) socket.end(headerLine({ next: 50 }))
      else socket.end(Buffer.concat([headerLine(), endEntry(0, 'stopping')]))
    })
    await run(server.path, { mode: 1 })
    expect(server.requests[1]).toEqual({
      kind: 'extended',
      mode: 2,
      request: { cursor: { ring: ringId, sequence: 50 } },
    })
  })

  it('repeats its request if nothing had come yet', async () => {
    server = await standIn((socket, _request, connection) => {
      if (connection === 1) socket.end()
      else socket.end(Buffer.concat([headerLine(), sample(1), endEntry(1)]))
    })
    const { end, sequences } = await run(server.path, { request: { tail: 9 } })
    expect(end).toBe('complete')
    expect(sequences).toEqual([1])
    expect(server.requests[1]).toEqual({ kind: 'extended', mode: 2, request: { tail: 9 } })
  })

  it('counts a gap as read up to its last number', async () => {
    server = await standIn((socket, _request, connection) => {
      if (connection === 1) socket.end(Buffer.concat([headerLine(), gap(5, 3, { first: '5', last: '7' })]))
      else socket.end(Buffer.concat([headerLine(), endEntry(0, 'stopping')]))
    })
    await run(server.path)
    expect(server.requests[1]).toMatchObject({ request: { cursor: { sequence: 8 } } })
  })

  it('takes over the numbers of a new ring', async () => {
    server = await standIn((socket, _request, connection) => {
      if (connection === 1) socket.end(Buffer.concat([headerLine(), sample(70)]))
      else if (connection === 2) socket.end(headerLine({ ring: otherRing, first: 1, next: 3 }))
      else socket.end(Buffer.concat([headerLine({ ring: otherRing }), endEntry(0, 'stopping')]))
    })
    await run(server.path)
    expect(server.requests[1]).toMatchObject({ request: { cursor: { ring: ringId, sequence: 71 } } })
    expect(server.requests[2]).toMatchObject({ request: { cursor: { ring: otherRing, sequence: 1 } } })
  })

  it('gives up after a while', async () => {
    server = await standIn((socket, _request, connection) => {
      if (connection === 1) socket.write(Buffer.concat([headerLine(), sample(1)]), () => server?.close())
    })
    const { end, sequences } = await run(server.path)
    expect(end).toBe('gone')
    expect(sequences).toEqual([1])
    server = undefined
  })

  it('does not wait for a daemon that was not there', async () => {
    await expect(run('/nowhere/memlogq.sock')).rejects.toMatchObject({ code: 'not-listening' })
  })

  it("takes an upstream server's empty reply for an empty log, and its end for the end", async () => {
    server = await upstreamStandIn('')
    expect((await run(server.path, { mode: 0, reconnectMs: 5000 })).end).toBe('complete')
    const followed = await run(server.path, { reconnectMs: 5000 })
    expect(followed.end).toBe('gone')
    expect(followed.session.cursor).toBeUndefined()
  })

  it('does not repeat a reply that came newest first', async () => {
    server = await standIn((socket) => socket.end(Buffer.concat([headerLine(), sample(9)])))
    const { end, sequences } = await run(server.path, { mode: 0, request: { reverse: true } })
    expect([end, sequences]).toEqual(['gone', [9]])
  })

  it('has read everything up to the header’s next number after a whole dump, matching or not', async () => {
    server = await standIn((socket) => socket.end(Buffer.concat([headerLine({ next: 80 }), sample(9), endEntry(1)])))
    expect((await run(server.path, { mode: 0 })).session.cursor).toEqual({ ring: ringId, sequence: 80 })
  })

  it('can be closed while its receiver is busy for ever', async () => {
    server = await standIn((socket) => socket.write(Buffer.concat([headerLine(), sample(1)])))
    const session: Session = new Session({
      path: server.path,
      mode: 2,
      request: {},
      onEntries: () => {
        setImmediate(() => session.close())
        return new Promise(() => undefined)
      },
    })
    expect(await session.run()).toBe('closed')
  })

  it('can be closed while it waits', async () => {
    server = await standIn((socket) => socket.end())
    const world = new FakeWorld()
    const session = new Session({ path: server.path, mode: 2, request: {}, onEntries: () => undefined, world })
    const end = session.run()
    await eventually('its wait', () => world.timers === 1)
    session.close()
    expect(await end).toBe('closed')
  })
})

/** A moment after the first two entries of these tests. */
const until = { seconds: baseSeconds + 2, nanos: 500_000_000 }

describe('a session that follows until a time', () => {
  it('ends with a dump of what it has not passed on yet, when its slow receiver is ready', async () => {
    const world = new FakeWorld()
    const { realSeconds: seconds, realNanos: nanos } = world.now()
    const later = { seconds: seconds + 5, nanos }
    server = await standIn((socket, request) => {
      const isLast = request.kind === 'extended' && request.mode === 0
      if (isLast) socket.end(Buffer.concat([headerLine(), sample(2), endEntry(1)]))
      else socket.write(Buffer.concat([headerLine(), sample(1)]))
    })
    const taken = Promise.withResolvers<void>()
    const held = Promise.withResolvers<void>()
    const sequences: number[] = []
    const session = new Session({
      path: server.path,
      mode: 2,
      request: { tail: 5, until: later },
      until: later,
      world,
      onEntries: (bytes, start) => {
        sequences.push(viewOf(bytes.subarray(start)).sequence)
        taken.resolve()
        return sequences.length === 1 ? held.promise : undefined
      },
    })
    const end = session.run()
    await taken.promise
    world.pass(6000)
    held.resolve()
    expect([await end, sequences]).toEqual(['complete', [1, 2]])
    expect(server.requests[1]).toEqual({
      kind: 'extended',
      mode: 0,
      request: { until: later, cursor: { ring: ringId, sequence: 2 } },
    })
  })

  it('asks a daemon that has not answered for what came since, when only new lines are wanted', async () => {
    server = await standIn((socket, request) => {
      if (request.kind === 'extended' && request.mode === 0) socket.end(Buffer.concat([headerLine(), endEntry(0)]))
    })
    expect((await run(server.path, { mode: 1, until })).end).toBe('complete')
    expect(server.requests.at(-1)).toMatchObject({ mode: 0, request: { since: expect.anything() } })
  })

  it('ends with an upstream server too, and passes on what is buffered', async () => {
    server = await upstreamStandIn(upstreamLine(1) + upstreamLine(2))
    expect(await run(server.path, { until })).toMatchObject({ end: 'complete', sequences: [1, 2] })
  })
})

describe('the end of what is buffered', () => {
  it('is that of a dump, after which the session follows from there', async () => {
    server = await standIn((socket, request) => {
      const isDump = request.kind === 'extended' && request.mode === 0
      if (isDump) socket.end(Buffer.concat([headerLine({ next: 9 }), sample(1), endEntry(1)]))
      else socket.end(Buffer.concat([headerLine(), sample(9), endEntry(1, 'stopping')]))
    })
    let ends = 0
    const { sequences } = await run(server.path, { marksBuffered: true, onBuffered: () => void ends++ })
    expect(server.requests[1]).toEqual({
      kind: 'extended',
      mode: 2,
      request: { cursor: { ring: ringId, sequence: 9 } },
    })
    expect([ends, sequences]).toEqual([1, [1, 9]])
  })

  it('is guessed with an upstream server alone', async () => {
    server = await standIn((socket) => socket.write(upstreamLine(1)))
    const sequences: number[] = []
    const session: Session = new Session({
      path: server.path,
      mode: 2,
      request: {},
      marksBuffered: true,
      onEntries: (bytes, start) => {
        sequences.push(viewOf(bytes.subarray(start)).sequence)
      },
      onBuffered: () => session.close(),
    })
    expect([await session.run(), sequences]).toEqual(['closed', [1]])
    expect(server.requests.map((request) => request.kind === 'extended' && request.mode)).toEqual([0, 2])
  })
})

function upstreamLine(second: number): string {
  return `{"time":"2017-04-15T15:37:3${second}Z","source":"s","msg":"m"}\n`
}
