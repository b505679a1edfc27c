// The kernel's log, from its first record on. Where this machine lets us read /dev/kmsg, what memlogd has
// agrees with what dmesg shows; a FIFO in its place shows what happens to records that the kernel never writes.
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Daemon, run } from '../support/daemon.ts'
import { queryEntries, type WireEntry } from '../support/query-entries.ts'
import { statistics } from '../support/statistics.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon | undefined
const paths: string[] = []

afterEach(async () => {
  await daemon?.stop()
  daemon = undefined
  for (const path of paths.splice(0)) rmSync(path, { force: true })
})

async function kernelEntries(count = 0): Promise<WireEntry[]> {
  return await eventually(`${count} entries of the kernel`, async () => {
    const found = (await queryEntries(daemon?.querySocket ?? '')).filter(({ source }) => source === 'kernel')
    return found.length >= count && found
  })
}

/** The oldest record that the kernel still has; undefined where none can be read. */
function oldestRecord(): string | undefined {
  try {
    const fd = openSync('/dev/kmsg', 'r')
    const record = Buffer.alloc(8192)
    const bytes = readSync(fd, record)
    closeSync(fd)
    return record.toString('latin1', 0, bytes)
  } catch {
    return undefined
  }
}

describe('/dev/kmsg', () => {
  beforeEach((context) => {
    context.skip(oldestRecord() === undefined, '/dev/kmsg can not be read here')
  })

  it('agrees with dmesg, record by record, before and after the engine is killed', async () => {
    const wanted = run('dmesg', ['--notime']).stdout.split('\n').slice(0, -1).filter(isCompared)
    daemon = await Daemon.start('-kmsg', '-max-lines', '1000000', '-max-bytes', '64m', '-max-line-len', '8192')
    const records = await kernelEntries(1)
    // A record of several lines is one entry.
    const lines = records.flatMap(({ text }) => text.split('\n')).filter(isCompared)
    expect(lines.slice(0, wanted.length)).toEqual(wanted)
    const sequences = records.map(({ fields }) => Number(fields.kernel_sequence))
    expect(sequences).toEqual(sequences.map((_, index) => (sequences[0] ?? 0) + index))
    const times = records.map(({ monoNanos }) => Number(monoNanos))
    const [, , microseconds] = oldestRecord()?.split(/[,;]/) ?? []
    expect(times[0]).toBe(Number(microseconds) * 1000)

    const before = records.length
    daemon.signalEngine('SIGKILL')
    await eventually('another engine', async () => (await queryEntries(daemon?.querySocket ?? '')).some(isEngineEnd))
    expect((await kernelEntries(before)).slice(0, before).map(({ sequence }) => sequence)).toEqual(
      records.map(({ sequence }) => sequence),
    )
  })

  it("has what user space writes, with its facility and the kernel's time", async () => {
    daemon = await Daemon.start('-kmsg', '-max-lines', '1000000', '-max-bytes', '64m')
    const text = `memlogd test ${process.pid} \x01\\ grün`
    const begun = BigInt(Date.now()) * 1_000_000n
    const fd = openSync('/dev/kmsg', 'w')
    writeSync(fd, `<30>${text}\n`)
    closeSync(fd)
    const entry = await eventually('the record', async () =>
      (await kernelEntries()).find((one) => one.text.includes(`memlogd test ${process.pid} `)),
    )
    expect(Buffer.from(entry.text, 'latin1').toString()).toBe(text)
    expect(entry.priority).toBe(30)
    // The kernel's clock is not quite the one that user space sees.
    const behind = Number(entry.realNanos - begun) / 1e9
    expect(Math.abs(behind)).toBeLessThan(2)
  })
})

/** dmesg shows the lines of the next test in a form of its own. */
const isCompared = (line: string) => !line.startsWith('memlogd test ')
const isEngineEnd = ({ source, text }: WireEntry) => source === 'memlogd' && text.startsWith('the engine ended')

describe('a file that is no kernel log', () => {
  it('is reported once where it cannot be opened, and memlogd goes on', async () => {
    daemon = await Daemon.start('-kmsg', '-kmsg-path', '/nonexistent/kmsg')
    await eventually('the entry', async () =>
      (await queryEntries(daemon?.querySocket ?? '')).some(({ text }) => text.includes("can't open /nonexistent/kmsg")),
    )
    expect(daemon.logwrite(['echo', 'still here']).status).toBe(0)
    await eventually('a line', () => daemon?.messages('echo.stdout').includes('still here'))
    const reports = (await queryEntries(daemon.querySocket)).filter(({ text }) => text.includes('/nonexistent/kmsg'))
    expect(reports.length).toBe(1)
  })

  it('is read: damaged and repeated records are counted, missing ones are gaps', async () => {
    const fifo = join('/tmp', `memlogd-kmsg-${process.pid}`)
    paths.push(fifo)
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
    const keeper = openSync(fifo, 'r+')
    daemon = await Daemon.start('-kmsg', '-kmsg-path', fifo)
    const { querySocket } = daemon
    const send = async (record: string, count: number) => {
      writeSync(keeper, record)
      return await kernelEntries(count)
    }
    const sendAndCount = async (record: string, counter: string) => {
      writeSync(keeper, record)
      await eventually(counter, async () => (await statistics(querySocket)).counters[counter] === 1)
    }
    await send('6,5,1000000,-;first\n SUBSYSTEM=net\n', 1)
    await send('6,6,2000000,-;second\n', 2)
    // Records are written one by one: two that are read at once would be one.
    await sendAndCount('nonsense\n', 'kernelRecordsDamaged')
    await sendAndCount('6,6,2000000,-;second\n', 'kernelRecordsRepeated')
    const entries = await send('12,9,3000000,-,caller=T7;third\n', 3)
    closeSync(keeper)
    expect(entries.map(({ text, priority, fields }) => [text, priority, fields])).toEqual([
      ['first', 6, { kernel_sequence: '5', SUBSYSTEM: 'net' }],
      ['second', 6, { kernel_sequence: '6' }],
      ['third', 12, { kernel_sequence: '9', caller: 'T7' }],
    ])
    expect(entries.map(({ monoNanos }) => monoNanos)).toEqual([1_000_000_000n, 2_000_000_000n, 3_000_000_000n])
    const gaps = (await queryEntries(daemon.querySocket)).filter(({ isGap }) => isGap)
    expect(gaps.map(({ fields }) => [fields.lost, fields.reason])).toEqual([
      ['5', 'kernel-overwritten'],
      ['2', 'kernel-overwritten'],
    ])
  })
})
