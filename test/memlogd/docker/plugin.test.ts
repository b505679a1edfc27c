import { describe, expect, it } from 'vitest'
import { DockerFrames, DockerLogEntry } from '../../../src/memlogd/docker/frame.ts'
import { DockerInput } from '../../../src/memlogd/docker/input.ts'
import {
  closeMs,
  DockerPlugin,
  type DockerPluginParts,
  dockerReadersMax,
  openMs,
} from '../../../src/memlogd/docker/plugin.ts'
import { DockerStreams } from '../../../src/memlogd/docker/streams.ts'
import type { InputFactory } from '../../../src/memlogd/engine/input.ts'
import { inputTable } from '../../../src/memlogd/inputs/table.ts'
import { Readers } from '../../../src/memlogd/serve/readers.ts'
import { readerStallMs, sourceKindDocker } from '../../../src/protocol/constants.ts'
import { dockerdFrame } from '../../support/docker-frames.ts'
import { FakeWorld } from '../../support/fake-world.ts'
import { EngineRig } from '../engine/engine-rig.ts'
import { largeBudget } from '../inputs/chunks.ts'

const id = 'a'.repeat(64)
const file = '/run/docker/logging/1'

/** One `docker logs`: what it was sent, as `out text` and `err text`. */
class Reader {
  readonly lines: string[] = []
  readonly times: number[] = []
  isEnded = false
  isSlow = false
  #done: (() => void) | undefined
  readonly #frames = new DockerFrames(largeBudget())
  readonly #entry = new DockerLogEntry()
  isDestroyed = false
  closed: () => void = () => {}

  write(bytes: Buffer, done: () => void): void {
    const frame = (whole: Buffer, start: number, end: number) => {
      const entry = this.#entry
      expect(entry.decode(whole, start, end)).toBe('none')
      const line = entry.bytes.toString('latin1', entry.lineStart, entry.lineEnd)
      this.lines.push(`${entry.isStderr ? 'err' : 'out'} ${line.replace(/\n$/, '')}`)
      this.times.push(entry.seconds)
      expect(line.endsWith('\n')).toBe(true)
    }
    this.#frames.push(bytes, 0, bytes.length, { isFull: false, frame })
    if (this.isSlow) this.#done = done
    else done()
  }
  read(): void {
    const done = this.#done
    this.#done = undefined
    done?.()
  }
  end(): void {
    this.isEnded = true
    this.closed()
  }
  destroy(): void {
    this.isDestroyed = true
    this.closed()
  }
}

/** A plugin with an engine, a queue that the test writes in the intake's place, and a clock that the test moves. */
class PluginRig {
  streams = new DockerStreams()
  state = ''
  requests: string[] = []
  notes: string[] = []
  answers: { status: number; body: { Err?: string } }[] = []
  canSave = true
  readonly world = new FakeWorld({ realSeconds: 1000 })
  engine: EngineRig
  plugin: DockerPlugin

  readonly #ring: { maxLines?: number }
  #readers: Readers | undefined

  constructor(ring: { maxLines?: number } = {}) {
    this.#ring = ring
    this.engine = this.#engine()
    this.plugin = this.#plugin()
    this.plugin.start(new Map())
  }

  post(path: string, body: unknown): void {
    this.plugin.request(path, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), {
      json: (status, answer) => this.answers.push({ status, body: answer }),
      stream: () => {
        throw new Error('not wanted')
      },
    })
  }
  startLogging(at = file, config: object = {}, container = id, name = '/web'): void {
    this.post('/LogDriver.StartLogging', {
      File: at,
      Info: { ContainerID: container, ContainerName: name, Config: config },
    })
  }
  stopLogging(at = file): void {
    this.post('/LogDriver.StopLogging', { File: at })
  }
  readLogs(config: object = {}, container = id, reader = new Reader()): Reader {
    this.askLogs(config, container, reader)
    this.run()
    return reader
  }
  /** The same, and nothing that the plugin wants to do soon is done yet. */
  askLogs(config: object, container = id, reader = new Reader()): Reader {
    const body = Buffer.from(JSON.stringify({ Info: { ContainerID: container }, Config: config }))
    this.plugin.request('/LogDriver.ReadLogs', body, {
      json: (status, answer) => this.answers.push({ status, body: answer }),
      stream: (closed) => {
        reader.closed = closed
        return reader
      },
    })
    return reader
  }

  /** The intake opens what was asked for last. */
  open(token: number): number {
    const source = this.engine.queue.open('web', sourceKindDocker, token)
    this.take()
    return source
  }
  /** The intake can't open what was asked for. */
  fail(token: number, error: number): void {
    this.engine.queue.openFailed(token, error)
    this.take()
  }
  data(source: number, ...lines: [from: 'out' | 'err', text: string, seconds?: number][]): void {
    for (const [from, text, seconds] of lines) {
      this.engine.queue.data(source, dockerdFrame(from === 'err', text, seconds ?? 500))
    }
    this.take()
  }
  end(source: number): void {
    this.engine.queue.close(source)
    this.take()
  }
  take(): void {
    this.engine.take()
    this.run()
  }
  run(): void {
    this.world.runSoon()
  }
  pass(milliseconds: number): void {
    this.world.pass(milliseconds)
  }
  get nowSeconds(): number {
    return this.world.now().realSeconds
  }
  get waiting(): number {
    return this.world.timers
  }

  /** Only the engine's process ends: the queue and what the intake reads stay. */
  restartEngine(): void {
    const open = new Map([...this.engine.queue.slots()].map(([, slot]) => [slot.token, slot.id]))
    this.streams = new DockerStreams()
    this.streams.restore(this.state)
    this.engine.more = this.#docker()
    this.engine.restart()
    this.plugin = this.#plugin()
    this.plugin.start(open)
  }
  restartAll(): void {
    this.streams = new DockerStreams()
    this.streams.restore(this.state)
    this.engine = this.#engine()
    this.plugin = this.#plugin()
    this.plugin.start(new Map())
  }

  #docker() {
    const watcher = {
      opened: (token: number, source: number) => this.plugin.opened(token, source),
      openFailed: (token: number, error: number) => this.plugin.openFailed(token, error),
      ended: (source: number) => this.plugin.ended(source),
    }
    const docker: InputFactory = (slot, context) => new DockerInput(slot, context, this.streams)
    const createInput = inputTable(docker)
    return { world: this.world, createInput, watcher, onCommit: () => this.#readers?.committed() }
  }
  #engine(): EngineRig {
    return new EngineRig(this.#ring, this.#docker())
  }
  #plugin(): DockerPlugin {
    this.#readers = new Readers(this.engine.engine)
    const parts: DockerPluginParts = {
      readers: this.#readers,
      streams: this.streams,
      save: (state) => {
        if (!this.canSave) throw new Error('no space')
        this.state = state
      },
      open: (stream) => this.requests.push(`open ${stream.token} ${stream.file}`),
      close: (source) => this.requests.push(`close ${source}`),
      note: (text) => this.notes.push(text),
    }
    return new DockerPlugin(parts)
  }
}

const ok = { status: 200, body: { Err: '' } }

describe('the logging driver', () => {
  it('reports what it is', () => {
    const rig = new PluginRig()
    rig.post('/Plugin.Activate', '')
    rig.post('/LogDriver.Capabilities', '')
    rig.post('/NetworkDriver.Join', '')
    expect(rig.answers).toEqual([
      { status: 200, body: { Implements: ['LogDriver'] } },
      { status: 200, body: { Cap: { ReadLogs: true } } },
      { status: 404, body: { Err: 'memlogd: no such method: /NetworkDriver.Join' } },
    ])
  })

  it('answers StartLogging when the FIFO is open, and StopLogging when its end is stored', () => {
    const rig = new PluginRig()
    rig.startLogging()
    expect(rig.answers).toEqual([])
    expect(rig.requests).toEqual([`open 1 ${file}`])
    const source = rig.open(1)
    expect(rig.answers).toEqual([ok])
    rig.data(source, ['out', 'hello'], ['err', 'oh'])
    rig.stopLogging()
    rig.stopLogging()
    expect(rig.requests).toEqual([`open 1 ${file}`, `close ${source}`])
    expect(rig.answers.length).toBe(1)
    rig.end(source)
    expect(rig.answers).toEqual([ok, ok, ok])
    expect(rig.streams.size).toBe(0)
    expect(rig.waiting).toBe(0)
    const fields = { container_id: id, container_name: 'web', image: '' }
    expect(rig.engine.entries()).toEqual([
      { source: 'web.stdout', text: 'hello', fields: { ...fields, stream: 'stdout' } },
      { source: 'web.stderr', text: 'oh', fields: { ...fields, stream: 'stderr' } },
    ])
  })

  it('keeps a last line without newline', () => {
    const rig = new PluginRig()
    rig.startLogging()
    const source = rig.open(1)
    // Partial, with metadata: the id `x`.
    const partial = Buffer.concat([dockerdFrame(false, 'end', 1), Buffer.from([0x20, 1, 0x2a, 3, 0x12, 1, 0x78])])
    partial.writeUInt32BE(partial.length - 4, 0)
    rig.engine.queue.data(source, partial)
    rig.stopLogging()
    rig.end(source)
    expect(rig.engine.entries()).toMatchObject([{ text: 'end', isUnterminated: true }])
  })

  it('opens nothing twice when dockerd repeats itself', () => {
    const rig = new PluginRig()
    rig.startLogging()
    rig.startLogging()
    const source = rig.open(1)
    rig.startLogging()
    expect(rig.answers).toEqual([ok, ok, ok])
    expect(rig.requests).toEqual([`open 1 ${file}`])
    rig.stopLogging('/never/heard/of')
    expect(rig.answers.length).toBe(4)
    expect(source).toBeGreaterThan(0)
  })

  it('answers why a FIFO can not be opened', () => {
    const rig = new PluginRig()
    rig.startLogging()
    rig.fail(1, 2)
    expect(rig.answers).toEqual([{ status: 200, body: { Err: `memlogd: can't open ${file} (errno 2)` } }])
    expect(rig.streams.size).toBe(0)
  })

  it('answers each StartLogging that fails, however many fail at once', () => {
    const rig = new PluginRig()
    const files = Array.from({ length: 20 }, (_, index) => `/run/docker/logging/${index}`)
    for (const path of files) rig.startLogging(path)
    for (let token = 1; token <= files.length; token++) rig.fail(token, 2)
    expect(rig.answers.map(({ body }) => body.Err)).toEqual(
      files.map((path) => `memlogd: can't open ${path} (errno 2)`),
    )
    expect(rig.waiting).toBe(0)
  })

  it('ends the followers of a container whose FIFO can not be opened again after a restart', () => {
    const rig = new PluginRig()
    rig.startLogging()
    rig.open(1)
    rig.restartAll()
    const reader = rig.readLogs({ Follow: true })
    expect(reader.isEnded).toBe(false)
    rig.fail(1, 2)
    expect(reader.isEnded).toBe(true)
    expect(rig.state).toContain('"streams":[]')
  })

  it('refuses what it can not do, and keeps nothing of it', () => {
    const rig = new PluginRig()
    rig.startLogging(file, { tag: '{{.Nmae}}' })
    rig.startLogging('relative')
    rig.post('/LogDriver.StartLogging', '{')
    expect(rig.answers.map(({ status, body }) => status === 200 && body.Err !== '')).toEqual([true, true, true])
    expect(rig.streams.size).toBe(0)
    expect(rig.requests).toEqual([])
  })

  it('ends every wait after a time-out', () => {
    const rig = new PluginRig()
    rig.startLogging()
    rig.pass(openMs)
    expect(rig.answers).toEqual([{ status: 200, body: { Err: 'memlogd: the FIFO was not opened in time' } }])
    // The intake opens it after all: nobody wants it now.
    const late = rig.open(1)
    expect(rig.requests.slice(-1)).toEqual([`close ${late}`])
    rig.startLogging()
    const source = rig.open(2)
    rig.stopLogging()
    rig.pass(closeMs)
    expect(rig.answers.slice(-1)).toEqual([ok])
    expect(rig.notes).toEqual(['docker: the output of web was not read to its end in time'])
    rig.end(source)
    expect(rig.streams.size).toBe(0)
  })

  it('continues without its state file, and reports it', () => {
    const rig = new PluginRig()
    rig.canSave = false
    rig.startLogging()
    rig.open(1)
    expect(rig.answers).toEqual([ok])
    expect(rig.notes).toEqual(["docker: can't keep the state of the plugin: no space"])
  })

  it('refuses to start a container with a log option that it does not know', () => {
    const rig = new PluginRig()
    rig.startLogging(file, { 'max-size': '10m' })
    expect(JSON.stringify(rig.answers)).toContain("memlogd: unknown log opt 'max-size' for memlogd log driver")
    expect(rig.streams.size).toBe(0)
  })

  it('forgets containers whose writer is gone', () => {
    const rig = new PluginRig()
    rig.startLogging()
    rig.end(rig.open(1))
    expect(rig.streams.size).toBe(0)
    expect(rig.state).toContain('"streams":[]')
  })
})

describe('a restart', () => {
  it('of the engine opens nothing again and loses no partial line', () => {
    const rig = new PluginRig()
    rig.startLogging()
    const source = rig.open(1)
    const frame = dockerdFrame(false, 'split in two', 7)
    rig.engine.queue.data(source, frame.subarray(0, 9))
    rig.take()
    rig.restartEngine()
    rig.engine.queue.data(source, frame.subarray(9))
    rig.stopLogging()
    rig.end(source)
    expect(rig.requests).toEqual([`open 1 ${file}`, `close ${source}`])
    expect(rig.answers).toEqual([ok, ok])
    expect(rig.engine.entries()).toMatchObject([{ source: 'web.stdout', text: 'split in two' }])
  })

  it('of memlogd opens what is still there, and begins at the next frame', () => {
    const rig = new PluginRig()
    rig.startLogging()
    rig.open(1)
    rig.startLogging('/run/docker/logging/gone', {}, 'b'.repeat(64), '/other')
    rig.open(2)
    rig.restartAll()
    expect(rig.requests.slice(2)).toEqual([`open 1 ${file}`, 'open 2 /run/docker/logging/gone'])
    rig.fail(2, 2)
    expect(rig.streams.size).toBe(1)
    const source = rig.open(1)
    rig.engine.queue.data(source, dockerdFrame(false, 'read by another', 7).subarray(13))
    rig.data(source, ['err', 'next'])
    expect(rig.engine.entries()).toMatchObject([{ source: 'web.stderr', text: 'next' }])
    expect(rig.engine.engine.counters.get('dockerBytesSkipped')).toBeGreaterThan(0)
  })

  it('starts with a state file that names a path which can not exist', () => {
    const rig = new PluginRig()
    rig.startLogging()
    rig.state = rig.state.replace(file, `/${'a'.repeat(300)}`)
    rig.restartAll()
    expect(rig.streams.size).toBe(0)
    expect(rig.requests.slice(1)).toEqual([])
  })

  it('answers a StartLogging that the dead engine did not', () => {
    const rig = new PluginRig()
    rig.startLogging()
    rig.engine.queue.open('web', sourceKindDocker, 1)
    rig.restartEngine()
    rig.startLogging()
    expect(rig.answers).toEqual([ok])
    expect(rig.requests.length).toBe(1)
  })
})

describe('docker logs', () => {
  function logged(): { rig: PluginRig; source: number } {
    const rig = new PluginRig()
    rig.startLogging()
    const source = rig.open(1)
    rig.startLogging('/run/docker/logging/2', {}, `${'a'.repeat(63)}b`, '/other')
    const other = rig.open(2)
    for (let line = 1; line <= 5; line++) {
      rig.data(source, ['out', `line ${line}`, 100 + line])
      rig.data(other, ['out', `not mine ${line}`])
    }
    rig.data(source, ['err', 'last', 106])
    return { rig, source }
  }
  const all = ['out line 1', 'out line 2', 'out line 3', 'out line 4', 'out line 5', 'err last']
  const stamp = (seconds: number) => new Date(seconds * 1000).toISOString()

  it('shows the lines of one container, with their times', () => {
    const { rig } = logged()
    const reader = rig.readLogs()
    expect(reader.lines).toEqual(all)
    expect(reader.times).toEqual([101, 102, 103, 104, 105, 106])
    expect(reader.isEnded).toBe(true)
  })

  const tails: [number, number][] = [
    [-1, 0],
    [0, 6],
    [1, 5],
    [6, 0],
    [7, 0],
    [1e15, 0],
  ]
  for (const [tail, from] of tails) {
    it(`shows a tail of ${tail}`, () => {
      expect(logged().rig.readLogs({ Tail: tail }).lines).toEqual(all.slice(from))
    })
  }

  it('shows the tail and all that follows, also where lines are overwritten meanwhile', () => {
    const rig = new PluginRig({ maxLines: 4 })
    rig.startLogging()
    const source = rig.open(1)
    rig.data(source, ['out', '1'], ['out', '2'], ['out', '3'], ['out', '4'])
    const reader = rig.askLogs({ Tail: 2, Follow: true })
    rig.data(source, ['out', '5'], ['out', '6'])
    expect(reader.lines).toEqual(['out 3', 'out 4', 'out 5', 'out 6'])
  })

  it('says how many lines a slow follower has missed', () => {
    const rig = new PluginRig({ maxLines: 4 })
    rig.startLogging()
    const source = rig.open(1)
    const reader = new Reader()
    reader.isSlow = true
    rig.readLogs({ Follow: true }, id, reader)
    for (let at = 1; at <= 10; at++) rig.data(source, ['out', String(at)])
    reader.isSlow = false
    reader.read()
    rig.data(source, ['out', 'last'])
    const missing = reader.lines.filter((line) => line.startsWith('err memlogd: '))
    expect(missing).toEqual(['err memlogd: up to 6 lines of all sources were overwritten'])
    expect(reader.lines).toEqual(['out 1', ...missing, 'out 8', 'out 9', 'out 10', 'out last'])
  })

  it('shows what lies between two times, both included', () => {
    const { rig } = logged()
    expect(rig.readLogs({ Since: stamp(102), Until: stamp(104) }).lines).toEqual(all.slice(1, 4))
    expect(rig.readLogs({ Since: stamp(103), Tail: 2 }).lines).toEqual(all.slice(4))
    expect(rig.readLogs({ Until: stamp(103), Tail: 2 }).lines).toEqual(all.slice(1, 3))
  })

  it('follows until the container stops, and loses nothing', () => {
    const { rig, source } = logged()
    const reader = rig.readLogs({ Tail: 1, Follow: true })
    const later = rig.readLogs({ Tail: 0, Follow: true })
    rig.data(source, ['out', 'more'])
    expect(reader.lines).toEqual(['err last', 'out more'])
    expect(later.lines).toEqual(['out more'])
    rig.stopLogging()
    expect(reader.isEnded).toBe(false)
    rig.data(source, ['out', 'goodbye'])
    rig.end(source)
    expect(reader.lines.slice(-1)).toEqual(['out goodbye'])
    expect(reader.isEnded).toBe(true)
  })

  it('follows until a time', () => {
    const { rig } = logged()
    const reader = rig.readLogs({ Follow: true, Until: stamp(rig.nowSeconds + 10) })
    rig.pass(9_000)
    expect(reader.isEnded).toBe(false)
    rig.pass(1_100)
    expect(reader.isEnded).toBe(true)
    expect(rig.waiting).toBe(0)
  })

  it('ends when the container does not run', () => {
    const { rig, source } = logged()
    rig.stopLogging()
    rig.end(source)
    const reader = rig.readLogs({ Follow: true })
    expect(reader.lines).toEqual(all)
    expect(reader.isEnded).toBe(true)
  })

  it('does not let a slow reader delay others', () => {
    const { rig, source } = logged()
    const slow = new Reader()
    slow.isSlow = true
    rig.readLogs({ Follow: true }, id, slow)
    for (let line = 0; line < 50; line++) rig.data(source, ['out', `more ${line}`])
    expect(rig.readLogs().lines.length).toBe(56)
    expect(slow.lines.length).toBe(6)
    for (let turn = 0; turn < 3; turn++) {
      slow.read()
      rig.run()
    }
    expect(slow.lines.length).toBe(56)
  })

  it('drops a reader that receives nothing for too long', () => {
    const { rig } = logged()
    const stalled = new Reader()
    stalled.isSlow = true
    rig.readLogs({ Follow: true }, id, stalled)
    rig.pass(readerStallMs)
    expect(stalled.isDestroyed).toBe(true)
    expect(rig.waiting).toBe(0)
  })

  it('forgets readers that are gone, and has room for so many', () => {
    const { rig, source } = logged()
    const readers = Array.from({ length: dockerReadersMax }, () => rig.readLogs({ Follow: true }))
    rig.readLogs({ Follow: true })
    expect(rig.answers.slice(-1)).toEqual([{ status: 503, body: { Err: 'memlogd: too many readers' } }])
    readers[0]?.closed()
    rig.data(source, ['out', 'x'])
    expect(readers[0]?.lines.length).toBe(6)
    expect(readers[1]?.lines.length).toBe(7)
    expect(rig.readLogs().lines.length).toBe(7)
    rig.plugin.stop()
    expect(readers[1]?.isEnded).toBe(false)
    rig.take()
    expect(readers[1]?.isEnded).toBe(true)
  })

  it('looks at a large ring in turns', () => {
    const { rig, source } = logged()
    for (let line = 0; line < 4_000; line++) {
      rig.engine.queue.data(source, dockerdFrame(false, `${line} ${'x'.repeat(100)}`, 200))
    }
    rig.take()
    expect(rig.readLogs({ Tail: 4_000 }).lines.length).toBe(4_000)
  })
})
