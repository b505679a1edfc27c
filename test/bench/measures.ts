/**
 * What is measured, each beside its baseline; every measure takes its samples in turns with it, so that both see the
 * same machine.
 */
import { spawn } from 'node:child_process'
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { logSocketPath, querySocketPath } from '../../src/protocol/constants.ts'
import {
  baseNode,
  bin,
  executable,
  load,
  Memlogd,
  numbers,
  rssAnon,
  run,
  seconds,
  shellSeconds,
  sleep,
  waitFor,
} from './machine.ts'

/** Lines a second that the Go memlogd stored on two shared cores, at its best: docs/BENCHMARKS.md. */
const referenceRate = 350_000
const sources = 10
const lineBytes = 100
const logread = join(bin, 'logread')
const logwrite = join(bin, 'logwrite')
const memlogd = join(bin, 'memlogd')

export interface Options {
  readonly runs: number
  /** Part of the usual number of lines: small for a test of the measures themselves. */
  readonly scale: number
}

export interface Row {
  readonly what: string
  readonly unit: string
  readonly value: number
  readonly baseline?: { readonly what: string; readonly value: number }
  readonly target?: string
  readonly isMet?: boolean
}

export function median(values: readonly number[]): number {
  return percentile(values, 50)
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN
}

/** Medians of samples that are taken in turns. */
function inTurns(runs: number, ...measures: (() => number)[]): number[] {
  const samples = measures.map((): number[] => [])
  for (let turn = 0; turn < runs; turn++) for (const [at, measure] of measures.entries()) samples[at]?.push(measure())
  return samples.map(median)
}

function scaled(lines: number, { scale }: Options): number {
  return Math.max(10, Math.round(lines * scale))
}

function withMemlogd<T>(flags: readonly string[], measure: (memlogd: Memlogd) => T): T {
  const daemon = new Memlogd(flags)
  try {
    return measure(daemon)
  } finally {
    daemon.stop()
  }
}

function catRate(lines: number, perWrite: number): number {
  const counts = [sources, lines, perWrite, lineBytes].map(String)
  return (sources * lines) / (numbers(run(load, ['cat', ...counts]))[0] as number)
}

function stored(options: Options, perWrite: number, linesEach: number, factor: number): Row {
  const lines = scaled(linesEach, options)
  const [ours = 0, cat = 0] = withMemlogd([], (daemon) =>
    inTurns(
      options.runs,
      () => (sources * lines) / daemon.pass(sources, lines, perWrite, lineBytes),
      () => catRate(lines, perWrite),
    ),
  )
  const ofCat = perWrite === 1 ? 0.7 : 0
  return {
    what: `stored, ${sources} sources, ${perWrite === 1 ? 'one line' : `${perWrite} lines`} a write`,
    unit: 'lines/s',
    value: ours,
    baseline: { what: '`cat >/dev/null` in its place', value: cat },
    target: `${factor} x reference${ofCat > 0 ? ' or 70 % of cat, the higher' : ''}`,
    isMet: ours >= Math.max(factor * referenceRate, ofCat * cat),
  }
}

/**
 * Storing with a kept region, as the LinuxKit package has it. Rates vary with what else the machine does; the CPU time of
 * a line does not.
 */
function kept(options: Options): Row[] {
  const [withIt, without] = [
    { flags: ['-keep', '2MiB'], memory: [] as number[], cpu: [] as number[] },
    { flags: [], memory: [] as number[], cpu: [] as number[] },
  ]
  const rate = ({ flags, memory, cpu }: typeof withIt, perWrite: number, linesEach: number): number =>
    withMemlogd(flags, (daemon) => {
      const lines = sources * scaled(linesEach, options)
      const before = daemon.cpuNanos
      const passed = lines / daemon.pass(sources, lines / sources, perWrite, lineBytes)
      if (perWrite === 1) return passed
      cpu.push((daemon.cpuNanos - before) / lines)
      sleep(options.scale < 1 ? 10 : 1500)
      memory.push(daemon.rssAnon / 1024)
      return passed
    })
  const [blocks = 0, blocksAlone = 0, single = 0, singleAlone = 0] = inTurns(
    options.runs,
    () => rate(withIt, 100, 500_000),
    () => rate(without, 100, 500_000),
    () => rate(withIt, 1, 200_000),
    () => rate(without, 1, 200_000),
  )
  const row = (what: string, unit: string, values: [number, number], target: string, isMet: boolean): Row => {
    const [value, alone] = values
    return { what, unit, value, baseline: { what: 'without it', value: alone }, target, isMet }
  }
  const cpu: [number, number] = [median(withIt.cpu), median(without.cpu)]
  const memory: [number, number] = [median(withIt.memory), median(without.memory)]
  const stores = 'stored with `-keep 2MiB`'
  return [
    row(`${stores}, 100 lines a write`, 'lines/s', [blocks, blocksAlone], '95 % of it', blocks >= 0.95 * blocksAlone),
    row(`${stores}, one line a write`, 'lines/s', [single, singleAlone], '95 % of it', single >= 0.95 * singleAlone),
    row(`CPU for a line ${stores}, 100 lines a write`, 'ns', cpu, '5 % more', cpu[0] <= 1.05 * cpu[1]),
    row('private memory (`RssAnon`), the same', 'MiB', memory, '0.5 MB more', memory[0] <= memory[1] + 0.5),
  ]
}

interface Followers {
  count: number
  what: string
  command: string
  args: readonly string[]
  /** What the rate must be: a part of the one without followers, and lines a second. */
  partMin: number
  rateMin: number
  target: string
}

const plainFollower = { command: load, args: ['follow', querySocketPath] }
const logreadFollower = { command: logread, args: ['-f', '-n', '0'] }

const followers: readonly Followers[] = [
  { count: 2, what: 'plain followers', ...plainFollower, partMin: 0, rateMin: 5 * 170_000, target: '5 x original' },
  { count: 8, what: 'plain followers', ...plainFollower, partMin: 0.5, rateMin: 0, target: 'half of it' },
  {
    count: 2,
    what: '`logread -f`',
    ...logreadFollower,
    partMin: 0.5,
    rateMin: 5 * referenceRate,
    target: '5 x reference and half of it',
  },
  { count: 8, what: '`logread -f`', ...logreadFollower, partMin: 0.5, rateMin: 0, target: 'half of it' },
]

/**
 * Followers that read as fast as they can, beside the same load without them; lines that they miss must be reported.
 */
function storedWhileFollowed(options: Options): Row[] {
  return followers.flatMap((each) => withMemlogd([], (daemon) => followedRows(daemon, each, options)))
}

function followedRows(daemon: Memlogd, each: Followers, options: Options): Row[] {
  const { count, what, partMin, rateMin, target } = each
  const lines = scaled(300_000, options)
  const total = sources * lines
  const store = (): number => total / daemon.pass(sources, lines, 100, lineBytes)
  const delivered: number[] = []
  let isAccounted = true
  const [rate = 0, alone = 0] = inTurns(
    options.runs,
    () =>
      withFollowers(daemon, each, () => {
        const followed = store()
        const { readers } = daemon.statistics
        isAccounted &&= readers.length === count && readers.every((one) => one.delivered + one.lost + one.lag >= total)
        delivered.push(...readers.map((one) => (100 * one.delivered) / total))
        return followed
      }),
    store,
  )
  return [
    {
      what: `stored, 100 lines a write, ${count} ${what} at full speed`,
      unit: 'lines/s',
      value: rate,
      baseline: { what: 'without them', value: alone },
      target,
      isMet: rate >= Math.max(partMin * alone, rateMin),
    },
    {
      what: 'delivered to each of them; the rest reported as lost',
      unit: '%',
      value: median(delivered),
      target: 'delivered + reported = stored',
      isMet: isAccounted,
    },
  ]
}

function withFollowers<T>(daemon: Memlogd, { count, command, args }: Followers, measure: () => T): T {
  const running = Array.from({ length: count }, () => spawn(command, args, { stdio: 'ignore' }))
  const readers = (wanted: number) => waitFor('readers', () => daemon.statistics.readers.length === wanted || undefined)
  readers(count)
  // Their start is not what is measured.
  sleep(500)
  try {
    return measure()
  } finally {
    for (const follower of running) follower.kill('SIGKILL')
    readers(0)
  }
}

/** A pipe beside regular files, which always have more to read. */
function beside(options: Options): Row {
  const count = 16
  const fileLines = scaled(400_000, options)
  const lines = scaled(300_000, options)
  const file = '/run/large'
  run('sh', ['-c', `${load} print file ${fileLines} ${lineBytes} >${file}`])
  const [rate = 0, alone = 0] = withMemlogd([], (daemon) => {
    const write = (): number => lines / daemon.write(1, lines, 100, lineBytes)
    return inTurns(
      options.runs,
      () => {
        const { stored } = daemon.statistics.ring
        run(load, ['files', logSocketPath, file, String(count)])
        const written = write()
        const wanted = stored + count * fileLines + lines
        waitFor('the files are stored', () => daemon.statistics.ring.stored >= wanted || undefined)
        return written
      },
      write,
    )
  })
  rmSync(file)
  return {
    what: `written to a pipe, 100 lines a write, beside ${count} large files`,
    unit: 'lines/s',
    value: rate,
    baseline: { what: 'without them', value: alone },
    target: 'half of it',
    isMet: rate >= alone / 2,
  }
}

/** Unfinished lines of other sources, which every commit carries. */
function carried(options: Options): Row {
  const lines = scaled(300_000, options)
  const [count, bytes] = [256, 17_000]
  const [rate = 0, alone = 0] = withMemlogd(['-max-line-len', '32768'], (daemon) => {
    const store = (): number => (sources * lines) / daemon.pass(sources, lines, 100, lineBytes)
    return inTurns(options.runs, () => withHeld(count, bytes, store), store)
  })
  return {
    what: `stored, 100 lines a write, beside ${count} unfinished lines of 17 KB`,
    unit: 'lines/s',
    value: rate,
    baseline: { what: 'without them', value: alone },
    target: '80 % of it',
    isMet: rate >= 0.8 * alone,
  }
}

function withHeld<T>(count: number, bytes: number, measure: () => T): T {
  const report = '/run/held'
  const held = spawn('sh', ['-c', `exec ${load} hold ${logSocketPath} ${count} ${bytes} >${report}`], {
    stdio: 'ignore',
  })
  const isHeld = (): boolean => existsSync(report) && statSync(report).size > 0
  try {
    waitFor('unfinished lines', () => isHeld() || undefined)
    return measure()
  } finally {
    held.kill('SIGKILL')
    rmSync(report, { force: true })
  }
}

/** A datagram for each line: the one thing that busybox's daemon takes. */
function datagrams(options: Options): Row {
  const lines = scaled(20_000, options)
  const send = (): number => {
    const counts = [sources, lines, lineBytes].map(String)
    return (sources * lines) / (numbers(run(load, ['datagrams', '/dev/log', ...counts]))[0] as number)
  }
  const ours: number[] = []
  const theirs: number[] = []
  for (let turn = 0; turn < options.runs; turn++) {
    ours.push(withMemlogd(['-syslog', '/dev/log'], send))
    theirs.push(withBusybox(send))
  }
  const [value, other] = [median(ours), median(theirs)]
  const baseline = { what: '`busybox syslogd -C`', value: other }
  const what = 'datagrams received from /dev/log, 10 senders'
  return { what, unit: 'lines/s', value, baseline, target: 'as many', isMet: value >= other }
}

function withBusybox<T>(measure: () => T): T {
  const daemon = spawn('busybox', ['syslogd', '-n', '-C1024'], { stdio: 'ignore' })
  try {
    sleep(300)
    return measure()
  } finally {
    daemon.kill()
    sleep(100)
    rmSync('/dev/log', { force: true })
  }
}

/** A ring of a million lines, read whole, by source and by pattern. */
function dumps(options: Options): Row[] {
  const lines = scaled(100_000, options)
  const file = '/run/lines'
  writeFileSync(file, run(load, ['print', 'load-0.stdout', '1', String(lineBytes)]))
  run('sh', ['-c', `${load} print load-0.stdout ${sources * lines} ${lineBytes} >${file}`])
  const measured = withMemlogd(['-max-lines', '1000000', '-max-bytes', '512m'], (daemon) => {
    daemon.pass(sources, lines, 100, lineBytes)
    return inTurns(
      options.runs,
      () => shellSeconds(`${logread} | wc -l >/dev/null`),
      () => shellSeconds(`cat ${file} | cat | wc -l >/dev/null`),
      () => shellSeconds(`${logread} -s load-3.stdout | wc -l >/dev/null`),
      () => shellSeconds(`grep ' load-0.stdout ' ${file} | wc -l >/dev/null`),
      () => shellSeconds(`${logread} -g '99[0-9]*x' | wc -l >/dev/null`),
      () => shellSeconds(`grep '99[0-9]*x' ${file} | wc -l >/dev/null`),
    )
  })
  rmSync(file)
  const names = ['`logread` into `wc -l`', '`logread -s NAME`', '`logread -g RE`']
  const baselines = ['`cat` from a pipe', '`grep NAME` on a file', '`grep RE` on a file']
  const factors = [3, 3, 4]
  return names.map((name, at) => {
    const [value = 0, other = 0] = measured.slice(at * 2)
    const baseline = { what: baselines[at] as string, value: other * 1000 }
    const what = `${name}, a million lines`
    const factor = factors[at] as number
    const target = `${factor} x baseline`
    return { what, unit: 'ms', value: value * 1000, baseline, target, isMet: value <= factor * other }
  })
}

/** A ring of a million lines of logfmt, of which logread reads levels, values and repeats. */
function understanding(options: Options): Row[] {
  const lines = scaled(1_000_000, options)
  const file = '/run/lines'
  const line = (at: number) => `level=${at % 100 === 0 ? 'error' : 'info'} msg="GET /orders/${at}" ms=${at % 1000}\n`
  writeFileSync(file, Array.from({ length: lines }, (_, at) => line(at)).join(''))
  const flags = ['', '-p err --no-guess', '-p err', "--where 'ms>990'", '--fold']
  const measured = withMemlogd(['-max-lines', '1000100', '-max-bytes', '512m'], (daemon) => {
    run('sh', ['-c', `${logwrite} -n app cat ${file} >/dev/null`])
    waitFor('the lines are stored', () => daemon.statistics.ring.stored >= lines || undefined)
    return inTurns(options.runs, ...flags.map((each) => () => shellSeconds(`${logread} ${each} | wc -l >/dev/null`)))
  })
  rmSync(file)
  const [whole = 0, stated = 0, guessed = 0, where = 0, fold = 0] = measured.map((each) => each * 1000)
  const all = { what: '`logread` into `wc -l`', value: whole }
  const row = (what: string, value: number, baseline: { what: string; value: number }, factor: number) => {
    const target = `${factor} x baseline`
    return {
      what: `\`${what}\`, a million lines`,
      unit: 'ms',
      value,
      baseline,
      target,
      isMet: value <= factor * baseline.value,
    }
  }
  return [
    row('logread -p err', guessed, { what: '`--no-guess`', value: stated }, 4),
    row("logread --where 'ms>990'", where, all, 4),
    row('logread --fold', fold, all, 4),
  ]
}

/** From a writer's write to a follower's terminal. */
function latency(options: Options): Row[] {
  const gapMicros = 5000
  const lines = scaled(1000, options)
  const micros = withMemlogd([], () =>
    numbers(run(load, ['latency', logSocketPath, String(lines), String(gapMicros), logread, '-f', '-n', '0'])),
  )
  const what = 'a line from its writer to the terminal of `logread -f`'
  const middle = median(micros) / 1000
  const last = percentile(micros, 99) / 1000
  return [
    { what: `${what}, median`, unit: 'ms', value: middle, target: '< 1 ms', isMet: middle < 1 },
    { what: `${what}, 99th percentile`, unit: 'ms', value: last, target: '< 5 ms', isMet: last < 5 },
  ]
}

function daemonize({ runs }: Options): Row {
  const ours: number[] = []
  const theirs: number[] = []
  for (let turn = 0; turn < runs * 3; turn++) {
    theirs.push(seconds('/bin/true') * 1000)
    ours.push(seconds(memlogd, ['-daemonize']) * 1000)
    new Memlogd().stop()
  }
  const [value, other] = [median(ours), median(theirs)]
  const baseline = { what: '`/bin/true`', value: other }
  return { what: '`memlogd -daemonize`', unit: 'ms', value, baseline, target: '5 ms more', isMet: value <= other + 5 }
}

function memory(options: Options): Row[] {
  const lines = scaled(1_000_000, options)
  const [idle, loaded] = withMemlogd([], (daemon) => {
    sleep(1500)
    const before = daemon.rssAnon
    daemon.pass(sources, lines, 100, lineBytes)
    sleep(1500)
    return [before, daemon.rssAnon]
  })
  const tee = withMemlogd([], () => {
    const logwrite = spawn(join(bin, 'logwrite'), ['sleep', '5'], { stdio: 'ignore' })
    sleep(300)
    const kilobytes = rssAnon(logwrite.pid as number)
    logwrite.kill()
    return kilobytes
  })
  const what = 'private memory (`RssAnon`)'
  const row = (name: string, kilobytes: number, limit: number): Row => {
    const value = kilobytes / 1024
    return { what: `${what}, ${name}`, unit: 'MiB', value, target: `${limit} MB`, isMet: value <= limit }
  }
  return [row('idle', idle, 8), row('after ten million lines', loaded, 14), row('`logwrite CMD`', tee, 1)]
}

function start({ runs }: Options): Row {
  const script = '/run/empty.js'
  writeFileSync(script, '')
  const [ours = 0, node = 0] = withMemlogd(['-max-lines', '5000'], (daemon) => {
    daemon.pass(sources, 600, 1, lineBytes)
    return inTurns(
      runs * 2,
      () => shellSeconds(`exec ${logread} >/dev/null`) * 1000,
      () => shellSeconds(`exec ${baseNode} ${script}`) * 1000,
    )
  })
  const baseline = { what: 'base Node, empty script', value: node }
  return {
    what: '`logread` of 5,000 lines',
    unit: 'ms',
    value: ours,
    baseline,
    target: '15 ms more',
    isMet: ours <= node + 15,
  }
}

function idleness(options: Options): Row[] {
  const seconds = Math.max(1, Math.round(10 * Math.min(1, options.scale)))
  return withMemlogd([], (daemon) => {
    // The start's own work is over then, a garbage collection in its wake included.
    sleep(options.scale < 1 ? 500 : 15_000)
    const before = daemon.switches
    sleep(seconds * 1000)
    const wakes = daemon.switches - before
    const cpuBefore = daemon.cpuNanos
    run('sh', [
      '-c',
      `${join(bin, 'logwrite')} sh -c 'for i in $(seq ${seconds * 10}); do echo line; sleep 0.1; done' >/dev/null`,
    ])
    const percent = ((daemon.cpuNanos - cpuBefore) / 1e9 / seconds) * 100
    return [
      {
        what: `wake-ups in ${seconds} idle seconds, intake and engine`,
        unit: '',
        value: wakes,
        target: '0',
        isMet: wakes === 0,
      },
      { what: 'CPU for ten lines a second', unit: '% of a core', value: percent, target: '0.3', isMet: percent < 0.3 },
    ]
  })
}

function size(): Row {
  const megabytes = (file: string): number => statSync(file).size / 1e6
  const [value, base] = [megabytes(executable), megabytes(baseNode)]
  const baseline = { what: 'base Node', value: base }
  return { what: 'executable', unit: 'MB', value, baseline, target: '0.5 MB more', isMet: value <= base + 0.5 }
}

/** Every measure by name, in the table's order. */
export const measures: Readonly<Record<string, (options: Options) => Row | Row[]>> = {
  single: (options) => stored(options, 1, 200_000, 3),
  blocks: (options) => stored(options, 100, 500_000, 10),
  kept,
  followed: storedWhileFollowed,
  beside,
  carried,
  datagrams,
  dumps,
  understanding,
  latency,
  daemonize,
  start,
  memory,
  idleness,
  size,
}
