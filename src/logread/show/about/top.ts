/**
 * `--top`: who writes, live. Each second memlogd is asked how many lines of each source it has stored; what is in
 * memory is counted anew more rarely, since that reads all of it.
 */
import { ExitError, exitOk, UsageError } from '../../../cli/errors.ts'
import { listenForStop } from '../../../system/signals.ts'
import { monotonicMs, sleep, systemWorld } from '../../../system/world.ts'
import type { ReadValues, Selection } from '../../selection.ts'
import { isOnTerminal } from '../output.ts'
import { unlessAborted } from '../printer.ts'
import { daemonGone, standardOutput } from '../read-command.ts'
import { ask, gatherSources, sourceTest, widthDefault } from './about-command.ts'
import { formatTable, shortened, showCount, showName, showRate, showShare, showSize, spanText } from './columns.ts'
import { parseStored, type SourceCounts, type SourceStatistics, type Stored } from './sources.ts'
import { parseStatistics } from './stats.ts'

const updateMs = 1000
/** Memory is counted at most this often, and for at most a twentieth of the time. */
const gatherMs = 10_000
const gatherPart = 20

interface TopSource {
  /** Lines that were stored so far. */
  stored: number
  /** A second, since the last update. */
  rate: number
  /** When it wrote last; undefined where that is not known. */
  lastSeconds: number | undefined
}

export interface Screen {
  readonly width: number
  readonly height: number
}

/** What is shown, without a clock or a terminal. */
export class Top {
  readonly #sources = new Map<string, TopSource>()
  #memory: SourceStatistics | undefined
  #updatedMs: number | undefined

  /** What is in memory now. */
  counted(memory: SourceStatistics): void {
    this.#memory = memory
    for (const { source, lines, last } of memory.sorted()) {
      const found = this.#sources.get(source)
      if (lines > 0 && found !== undefined) found.lastSeconds = Math.max(found.lastSeconds ?? 0, last.seconds)
    }
  }

  /** What has been stored at `nowMs` of the monotonic clock. */
  update(bySource: ReadonlyMap<string, number>, nowMs: number, nowSeconds: number): void {
    const seconds = this.#updatedMs === undefined ? 0 : (nowMs - this.#updatedMs) / 1000
    this.#updatedMs = nowMs
    for (const [source, stored] of bySource) {
      const found = this.#sources.get(source)
      // Less than before: memlogd was started anew.
      const lines = found === undefined || stored < found.stored ? stored : stored - found.stored
      const isNew = found === undefined
      const lastSeconds = seconds > 0 && lines > 0 ? nowSeconds : found?.lastSeconds
      this.#sources.set(source, { stored, rate: isNew || seconds <= 0 ? 0 : lines / seconds, lastSeconds })
    }
    for (const source of this.#sources.keys()) if (!bySource.has(source)) this.#sources.delete(source)
  }

  /** Lines for a screen, those who write most first. */
  draw({ width, height }: Screen, nowSeconds: number, isWanted: (source: string) => boolean): string[] {
    const counts = new Map<string, SourceCounts>(this.#memory?.sorted().map((each) => [each.source, each]))
    const share = (source: string) => {
      const found = counts.get(source)
      return found === undefined ? 0 : (this.#memory?.share(found) ?? 0)
    }
    const sorted = [...this.#sources]
      .filter(([source]) => isWanted(source))
      .sort(([a, one], [b, other]) => other.rate - one.rate || share(b) - share(a) || (a < b ? -1 : 1))
    const shown = sorted.slice(0, Math.max(1, height - headRows))
    const rows = shown.map(([source, { rate, lastSeconds }]) => [
      showName(source),
      showRate(rate),
      showCount(counts.get(source)?.lines ?? 0),
      showSize(counts.get(source)?.bytes ?? 0),
      showShare(share(source)),
      lastSeconds === undefined ? '-' : spanText(Math.max(0, nowSeconds - lastSeconds)),
      showCount(counts.get(source)?.lost ?? 0),
    ])
    const room = Math.max(sourceMin, width - othersWidth)
    const table = formatTable(
      columns,
      rows.map(([name = '', ...others]) => [shortened(name, room), ...others]),
    )
    const rate = sorted.reduce((sum, [, each]) => sum + each.rate, 0)
    const more = sorted.length > shown.length ? `, ${sorted.length - shown.length} more below` : ''
    const title = `${showRate(rate)} lines a second from ${sorted.length} sources${more}; q ends`
    return [title, '', ...table.trimEnd().split('\n')].map((line) => line.slice(0, width))
  }
}

/** Title, empty line, heads of the columns, and the cursor's line. */
const headRows = 4
const sourceMin = 8
/** The columns behind the source's. */
const othersWidth = 54

const columns = [
  { title: 'SOURCE', align: 'left' },
  { title: 'PER S', align: 'right' },
  { title: 'LINES', align: 'right' },
  { title: 'BYTES', align: 'right' },
  { title: 'SHARE', align: 'right' },
  { title: 'SILENT', align: 'right' },
  { title: 'LOST', align: 'right' },
] as const

const heightDefault = 24

const enter = '\x1b[?1049h\x1b[?25l'
const leave = '\x1b[?25h\x1b[?1049l'

export async function runTop(values: ReadValues, selection: Selection): Promise<number> {
  if (!isOnTerminal(1)) throw new UsageError('--top: wanted a terminal; --sources shows sources once')
  const stop = listenForStop()
  const keys = new AbortController()
  const release = listenForKeys(() => keys.abort())
  const output = standardOutput()
  output.write(Buffer.from(enter))
  try {
    await showTop(values, selection, AbortSignal.any([stop.signal, keys.signal]), (lines) => {
      // A terminal that takes nothing misses pictures: they would pile up here.
      if (output.written !== undefined) return
      // Line by line over what is there: nothing flickers.
      output.write(Buffer.from(`\x1b[H${lines.join('\x1b[K\r\n')}\x1b[J`))
    })
  } finally {
    release()
    stop.end()
    output.write(Buffer.from(leave))
    await unlessAborted(output.written, stop.signal)
    output.end()
  }
  return stop.exitStatus ?? exitOk
}

async function showTop(
  values: ReadValues,
  selection: Selection,
  signal: AbortSignal,
  show: (lines: string[]) => void,
): Promise<void> {
  const top = new Top()
  const isWanted = sourceTest(selection) ?? (() => true)
  let gatherAt = 0
  while (!signal.aborted) {
    const stored = await askForStored(values, signal)
    if (stored === undefined) return
    const beginMs = monotonicMs()
    const { realSeconds } = systemWorld.now()
    top.update(stored.bySource, beginMs, realSeconds)
    if (beginMs >= gatherAt) {
      const memory = await gatherSources(values, selection, signal)
      if (signal.aborted) return
      top.counted(memory)
      gatherAt = monotonicMs() + Math.max(gatherMs, (monotonicMs() - beginMs) * gatherPart)
    }
    // A terminal that does not know its size has 0.
    const width = process.stdout.columns || widthDefault
    const height = process.stdout.rows || heightDefault
    show(top.draw({ width, height }, realSeconds, isWanted))
    await sleep(updateMs, signal)
  }
}

async function askForStored(values: ReadValues, signal: AbortSignal): Promise<Stored | undefined> {
  const { line, isUpstream } = await ask(values, { stats: true, storedBySource: true }, signal)
  if (signal.aborted) return undefined
  if (isUpstream) throw new ExitError(`${values.socket}: this memlogd is an upstream one, which has no statistics`)
  const stored = line === undefined ? undefined : parseStored(parseStatistics(line))
  if (stored === undefined) throw daemonGone(values)
  return stored
}

/** What ^C is while keys are read one by one. */
const controlC = 0x03

/** Calls `end` for q and ^C. Returns what gives the terminal back. */
function listenForKeys(end: () => void): () => void {
  if (!isOnTerminal(0)) return () => undefined
  const { stdin } = process
  stdin.setRawMode(true)
  stdin.on('data', (bytes) => {
    if (bytes.includes('q') || bytes.includes(controlC)) end()
  })
  return () => {
    stdin.setRawMode(false)
    stdin.destroy()
  }
}
