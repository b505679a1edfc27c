// Shippers on a machine whose clock is wrong when it boots and is set later.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { clockSet } from '../../../src/logread/ship/clock-wait.ts'
import { startApplet } from '../../support/applet.ts'
import { stopCommands } from '../../support/command.ts'
import { endEntry, sample } from '../../support/entries.ts'
import { FakeWorld } from '../../support/fake-world.ts'
import { headerLine, type StandIn, standIn } from '../../support/stand-in.ts'
import { eventually } from '../../support/wait.ts'

const year2001 = Date.UTC(2001) / 1000
const year2030 = Date.UTC(2030) / 1000

describe('the wait for the clock', () => {
  const begin = (world: FakeWorld, signal = new AbortController().signal) => {
    const wait = { isOver: false }
    void clockSet(world, 30_000, signal).then(() => {
      wait.isOver = true
    })
    return wait
  }

  it('ends when the clock is set', async () => {
    const world = new FakeWorld({ realSeconds: year2001 })
    const wait = begin(world)
    await world.passAsync(5000)
    expect(wait.isOver).toBe(false)
    world.step(year2030 - year2001)
    await world.passAsync(250)
    expect([wait.isOver, world.timers]).toEqual([true, 0])
  })

  it('is limited, and goes on when the clock is set to another wrong time', async () => {
    const world = new FakeWorld({ realSeconds: year2001 })
    const wait = begin(world)
    world.step(86_400 * 365)
    await world.passAsync(29_999)
    expect(wait.isOver).toBe(false)
    await world.passAsync(1)
    expect(wait.isOver).toBe(true)
  })

  it('is none with a clock that may be right, and ends with a signal', async () => {
    const world = new FakeWorld({ realSeconds: year2030 })
    const none = begin(world)
    await world.settle()
    expect(none.isOver).toBe(true)
    world.step(year2001 - year2030)
    const stop = new AbortController()
    const stopped = begin(world, stop.signal)
    await world.passAsync(1000)
    stop.abort()
    await world.settle()
    expect([stopped.isOver, world.timers]).toEqual([true, 0])
  })
})

describe('logread --to', () => {
  let server: StandIn
  let directory = ''
  let clockFile = ''
  let isSet = false
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'logread-clock-'))
    clockFile = join(directory, 'clock')
    setClock(year2001)
    isSet = false
    server = await standIn((socket) => {
      const steps = isSet ? [{ sequence: 2, ms: (year2030 - year2001) * 1000 }] : []
      socket.write(headerLine({ first: 1, next: 2, applied: [], steps }))
      const times = { realSeconds: year2001 + 60, realNanos: 0, monoSeconds: 60, monoNanos: 0 }
      socket.write(sample(1, { source: 'boot', message: 'early', ...times }))
      socket.end(endEntry(1))
    })
  })
  afterEach(async () => {
    stopCommands()
    await server.close()
    rmSync(directory, { recursive: true })
  })
  const setClock = (seconds: number) => writeFileSync(clockFile, String(seconds * 1000))
  const start = (...flags: string[]) => {
    const clock = `import{readFileSync}from'node:fs';Date.now=()=>Number(readFileSync(process.env.CLOCK,'latin1'))`
    const args = ['-socket', server.path, '--to', `dir:${join(directory, 'out')}`, ...flags]
    return startApplet('logread', args, { CLOCK: clockFile, NODE_OPTIONS: `--import=data:text/javascript,${clock}` })
  }
  const shipped = () => readFileSync(join(directory, 'out', 'boot.log'), 'utf8')

  it('waits for the clock, and ships the lines before with corrected times', async () => {
    const running = start()
    await eventually('it says that it waits', () => running.stderr().includes('the clock says 2001: waiting 30s'))
    expect(server.requests).toEqual([])
    isSet = true
    setClock(year2030)
    expect(await running.finished).toMatchObject({ status: 0 })
    expect(shipped()).toBe('2030-01-01T00:01:00Z boot early\n')
  })

  it('waits --clock-wait at most, and not for --time-as-stored', async () => {
    expect(await start('--clock-wait', '100ms').finished).toMatchObject({ status: 0 })
    expect(shipped()).toBe('2001-01-01T00:01:00Z boot early\n')
    isSet = true
    const raw = await start('--time-as-stored').finished
    expect(raw).toMatchObject({ status: 0, stderr: '' })
    expect(shipped()).toMatch(/^(?:2001-01-01T00:01:00Z boot early\n){2}$/)
  })

  it('wants a time', async () => {
    const wrong = await start('--clock-wait', 'soon').finished
    expect(wrong).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('--clock-wait: "soon": wanted a number and a unit'),
    })
  })
})
