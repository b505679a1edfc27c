import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Query, type QueryOptions, type QueryOutcome } from '../../../src/logread/ask/query.ts'
import type { ReplyHeader } from '../../../src/protocol/query.ts'
import { baseSeconds, endEntry, sample, viewOf } from '../../support/entries.ts'
import { header, headerLine, type StandIn, standIn, upstreamStandIn } from '../../support/stand-in.ts'

let server: StandIn | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

interface Asked {
  outcome: QueryOutcome
  header: ReplyHeader | undefined | 'none'
  messages: string[]
}

async function ask(path: string, options: Partial<QueryOptions> = {}): Promise<Asked> {
  const messages: string[] = []
  let seen: Asked['header'] = 'none'
  const query = new Query({
    path,
    mode: 0,
    request: { tail: 5 },
    onHeader: (found) => {
      seen = found
    },
    onEntries: (bytes, start, end) => {
      for (let at = start; at < end; at += bytes.readUInt32LE(at)) {
        messages.push(viewOf(bytes.subarray(at, end)).message.toString())
      }
    },
    ...options,
  })
  const outcome = await query.outcome
  return { outcome, header: seen, messages }
}

const reply = Buffer.concat([headerLine(), sample(1), sample(2), endEntry(2)])
const plainLines =
  '{"time":"2017-04-15T15:37:37Z","source":"a","msg":"one"}\n{"time":"2017-04-15T15:37:38Z","source":"b","msg":"two"}\n'

describe('a query', () => {
  it('gets header, entries and end from an extended server', async () => {
    server = await standIn((socket) => socket.end(reply))
    const asked = await ask(server.path)
    expect(asked.outcome).toEqual({ kind: 'complete', end: { delivered: 2, lost: 0, reason: 'complete' } })
    expect(asked.header).toEqual(header)
    expect(asked.messages).toEqual(['line 1', 'line 2'])
    expect(server.requests).toEqual([{ kind: 'extended', mode: 0, request: { tail: 5 } }])
  })

  it.each([
    ['are corrected', {}, [-1, 0]],
    ['stay as they were stored', { timeAsStored: true }, [0, 0]],
  ])('times before a step of the clock %s', async (_what, request, corrections) => {
    const steps = headerLine({ steps: [{ sequence: 2, ms: -500 }] })
    server = await standIn((socket) => socket.end(Buffer.concat([steps, sample(1), sample(2), endEntry(2)])))
    const seen: [number, number][] = []
    await ask(server.path, {
      request,
      onEntries: (bytes, start, end) => {
        for (let at = start; at < end; at += bytes.readUInt32LE(at)) {
          const { realSeconds, correctionSeconds } = viewOf(bytes.subarray(at, end))
          seen.push([realSeconds - baseSeconds, correctionSeconds])
        }
      },
    })
    expect(seen).toEqual(corrections.map((seconds, index) => [index + 1 + seconds, seconds]))
  })

  it('reads the reply whatever the pieces in which it comes', async () => {
    server = await standIn((socket, _request, connection) => {
      const size = connection * 7
      let at = 0
      const send = () => {
        if (at >= reply.length) socket.end()
        else socket.write(reply.subarray(at, at + size), () => setImmediate(send))
        at += size
      }
      send()
    })
    for (let round = 0; round < 12; round++) {
      const asked = await ask(server.path)
      expect(asked.messages).toEqual(['line 1', 'line 2'])
      expect(asked.outcome.kind).toBe('complete')
    }
  })

  it('recognizes an upstream server by its first line, and its ECONNRESET as the end of a dump', async () => {
    server = await upstreamStandIn(plainLines)
    const asked = await ask(server.path)
    expect(asked).toEqual({
      outcome: { kind: 'complete', end: undefined },
      header: undefined,
      messages: ['one', 'two'],
    })
    expect((await ask(server.path, { mode: 2 })).outcome).toEqual({ kind: 'incomplete' })
  })

  it("finds an upstream server under upstream's name beside ours", async () => {
    server = await upstreamStandIn(plainLines, 'memlogdq.sock')
    expect((await ask(join(server.directory, 'memlogq.sock'))).messages).toEqual(['one', 'two'])
    await expect(ask(join(server.directory, 'other.sock'))).rejects.toMatchObject({ code: 'not-listening' })
  })

  it('distinguishes an empty reply from a whole one', async () => {
    server = await upstreamStandIn('')
    expect((await ask(server.path)).outcome).toEqual({ kind: 'empty' })
  })

  it.each([
    ['in the header', headerLine().subarray(0, 20), []],
    ['after the header', headerLine(), []],
    ['after an entry', Buffer.concat([headerLine(), sample(1)]), ['line 1']],
    ['in an entry', reply.subarray(0, -60), ['line 1', 'line 2']],
  ])('is incomplete if the reply breaks off %s', async (_where, bytes, messages) => {
    server = await standIn((socket) => socket.end(bytes))
    const asked = await ask(server.path)
    expect(asked.outcome).toEqual({ kind: 'incomplete' })
    expect(asked.messages).toEqual(messages)
  })

  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'what answers there is no memlogd'],
    ['a header of another version', '{"memlogd":2}\n', 'version 2'],
    ['a header that is not whole', '{"memlogd":1}\n', 'header'],
    ['no entry', Buffer.concat([headerLine(), Buffer.alloc(64)]), 'entry size 0'],
    ['a plain reply that turns into nonsense', `${plainLines}nonsense\n`, 'neither'],
  ])('fails with a typed error if the answer is %s', async (_name, bytes, text) => {
    server = await standIn((socket) => socket.write(bytes))
    await expect(ask(server.path)).rejects.toMatchObject({
      code: 'broken-reply',
      message: expect.stringContaining(text),
    })
  })

  it("passes on a server's refusal", async () => {
    server = await standIn((socket) => socket.end(headerLine({ error: 'too many\x1breaders' })))
    await expect(ask(server.path)).rejects.toMatchObject({
      code: 'refused',
      message: `${server.path}: too many?readers`,
    })
  })

  it('names the socket and the reason if nobody listens', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'logread-'))
    const file = join(directory, 'file')
    writeFileSync(file, '')
    await expect(ask(join(directory, 'memlogq.sock'))).rejects.toMatchObject({
      code: 'not-listening',
      message: `${directory}/memlogq.sock: no memlogd is listening (no such file)`,
    })
    await expect(ask(file)).rejects.toMatchObject({
      message: `${file}: no memlogd is listening (connection refused)`,
    })
    await expect(ask(`/${'x'.repeat(200)}`)).rejects.toMatchObject({ code: 'refused' })
    rmSync(directory, { recursive: true })
  })

  it('gives up on a daemon that does not answer a dump', async () => {
    server = await standIn(() => undefined)
    await expect(ask(server.path, { answerMs: 50 })).rejects.toMatchObject({ code: 'no-answer' })
  })

  it.each([
    ['after the header', headerLine()],
    ['after an entry', Buffer.concat([headerLine(), sample(1)])],
    ['inside an entry', Buffer.concat([headerLine(), sample(1), sample(2).subarray(0, 20)])],
  ])('gives up on a daemon that stops %s of a dump', async (_name, beginning) => {
    server = await standIn((socket) => void socket.write(beginning))
    await expect(ask(server.path, { answerMs: 50 })).rejects.toMatchObject({ code: 'no-answer' })
  })

  it('does not count the time of a slow receiver as silence', async () => {
    server = await standIn((socket) => void socket.write(reply.subarray(0, -10), () => undefined))
    const receiver = Promise.withResolvers<void>()
    let isOver = false
    const asked = ask(server.path, { answerMs: 50, onEntries: () => receiver.promise })
    const over = asked
      .catch((error: unknown) => error)
      .finally(() => {
        isOver = true
      })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(isOver).toBe(false)
    receiver.resolve()
    expect(await over).toMatchObject({ code: 'no-answer' })
  })

  it('ends with what a receiver throws, at once or later', async () => {
    server = await standIn((socket) => socket.write(reply))
    const bad = new Error('disk full')
    const throwing = () => {
      throw bad
    }
    await expect(ask(server.path, { onEntries: throwing })).rejects.toBe(bad)
    await expect(ask(server.path, { onEntries: async () => throwing() })).rejects.toBe(bad)
  })

  it('holds the connection up while a receiver is busy, and goes on after it', async () => {
    const big = Buffer.concat(
      Array.from({ length: 4000 }, (_, index) => sample(index + 1, { message: 'x'.repeat(400) })),
    )
    server = await standIn((socket) => socket.end(Buffer.concat([headerLine(), big, endEntry(4000)])))
    let busy = 0
    let entries = 0
    const onEntries = async (bytes: Buffer, start: number, end: number) => {
      expect(++busy).toBeLessThanOrEqual(2)
      const before = bytes.toString('latin1', start, end)
      await new Promise(setImmediate)
      expect(bytes.toString('latin1', start, end) === before).toBe(true)
      for (let at = start; at < end; at += bytes.readUInt32LE(at)) entries++
      busy--
    }
    expect((await ask(server.path, { onEntries })).outcome.kind).toBe('complete')
    expect(entries).toBe(4000)
  })

  it('can be closed by its caller', async () => {
    server = await standIn((socket) => socket.write(Buffer.concat([headerLine(), sample(1)])))
    const query: Query = new Query({ path: server.path, mode: 2, request: {}, onEntries: () => query.close() })
    expect(await query.outcome).toEqual({ kind: 'closed' })
  })

  it('hands out the line of statistics', async () => {
    server = await standIn((socket) => socket.end(Buffer.concat([headerLine(), Buffer.from('{"lines":5}\n')])))
    let line = ''
    const onStats = (bytes: Buffer) => {
      line = bytes.toString()
    }
    const asked = await ask(server.path, { request: { stats: true }, onStats })
    expect(asked.outcome.kind).toBe('complete')
    expect(line).toBe('{"lines":5}')
  })
})
