/**
 * A receiver that breaks connections off at random: sometimes before it has read what came, sometimes in the middle
 * of a frame, sometimes at once. Whatever it does, every line must have been read whole at least once, and
 * lines that come again must come again in order. One seed decides all.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Shipper } from '../../../../src/logread/ship/shipper.ts'
import { SyslogWriter } from '../../../../src/logread/ship/syslog/message.ts'
import { SyslogStreamTarget } from '../../../../src/logread/ship/syslog/stream-target.ts'
import { sleep, systemWorld } from '../../../../src/system/world.ts'
import { ListSource } from '../entries.ts'
import { fastWorld } from '../fast-world.ts'

let server: Server | undefined
const sockets = new Set<Socket>()

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined))
})

/** Mulberry32: numbers from 0 to 1 that a seed decides. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Whole frames of one connection; a frame that is cut off at its end is not there. */
class Frames {
  readonly texts: string[] = []
  #rest = Buffer.alloc(0)

  push(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes])
    for (;;) {
      const space = this.#rest.indexOf(0x20)
      if (space < 0) return
      const count = this.#rest.toString('latin1', 0, space)
      if (!/^[1-9][0-9]{0,5}$/.test(count)) throw new Error(`no count: ${count}`)
      const end = space + 1 + Number(count)
      if (this.#rest.length < end) return
      this.texts.push(this.#rest.toString('utf8', this.#rest.lastIndexOf(0x5d, end - 1) + 2, end))
      this.#rest = this.#rest.subarray(end)
    }
  }
}

async function brokenReceiver(random: () => number): Promise<{ port: number; connections: Frames[] }> {
  const connections: Frames[] = []
  const made = createServer((socket) => {
    const frames = new Frames()
    connections.push(frames)
    sockets.add(socket)
    socket.on('error', () => undefined)
    // The first connections break off; later ones live, so that the test ends.
    const isBreaking = connections.length <= 12
    if (isBreaking && random() < 0.2) {
      socket.resetAndDestroy()
      return
    }
    const mayRead = Math.floor(random() * 30_000)
    let read = 0
    socket.on('data', (bytes) => {
      const taken = isBreaking ? bytes.subarray(0, Math.max(0, mayRead - read)) : bytes
      frames.push(taken)
      read += bytes.length
      if (!isBreaking || read < mayRead) return
      if (random() < 0.5) socket.resetAndDestroy()
      else socket.destroy()
    })
  })
  server = made
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  const address = made.address()
  return { port: typeof address === 'object' && address !== null ? address.port : 0, connections }
}

test.each([1, 2, 3, 4, 5])(
  'seed %i: no line is lost',
  async (seed) => {
    const random = randomFrom(seed)
    const { port, connections } = await brokenReceiver(random)
    const target = new SyslogStreamTarget(
      'syslog',
      { host: '127.0.0.1', port, tls: undefined },
      new SyslogWriter('vm'),
      'octets',
      systemWorld,
      {
        settleMs: 1000,
        probeMs: 50,
        stallMs: 5000,
      },
    )
    const count = 1500
    const expected = Array.from(
      { length: count },
      (_, index) => `line ${index} ${'x'.repeat(Math.floor(random() * 60))}`,
    )
    const source = new ListSource(30)
    const stop = new AbortController()
    const world = fastWorld(20, random)
    const running = new Shipper(target, source, world, () => undefined).run(stop.signal)
    for (let index = 0; index < count; index += 50) {
      source.add(...expected.slice(index, index + 50))
      await sleep(random() * 20)
    }
    const seen = () => new Set(connections.flatMap(({ texts }) => texts))
    await expect.poll(() => seen().size).toBe(count)
    stop.abort()
    await running
    expect([...seen()].sort()).toEqual([...expected].sort())
    for (const { texts } of connections) {
      const numbers = texts.map((text) => Number(text.split(' ')[1]))
      expect(numbers, 'in order').toEqual([...numbers].sort((a, b) => a - b))
    }
    expect(connections.length).toBeGreaterThan(5)
  },
  40_000,
)
