/**
 * `--on RE --run CMD`: a command for each line that matches. One runs at a time, not more than so many a minute,
 * each no longer than a limit; matches wait in a short queue, and those that find it full are dropped and counted.
 */

import { entryKindLine } from '../../../protocol/constants.ts'
import { EntryView } from '../../../protocol/entry.ts'
import { facilityNames, facilityOf, hasPriority, severityNames, severityOf } from '../../../protocol/priority.ts'
import { formatMoment } from '../../../protocol/timestamp.ts'
import { monotonicMs, sleep } from '../../../system/world.ts'
import type { Report, Target } from '../target.ts'
import { endText } from './exec-target.ts'
import { ShellCommand } from './shell-command.ts'

/** A command that runs longer is ended. */
const runMs = 30_000
/** So many commands may be run in a row; then one in each `refillMs`. */
const burstRuns = 10
const refillMs = 1000
/** Matches that wait for their command. */
export const pendingMax = 64
/** Drops are told of at most so often. */
const dropsMs = 10_000
/** Longest value in the environment: the kernel takes 128 KiB for one string. */
const valueBytesMax = 64 * 1024

export interface HookTimes {
  runMs: number
  burstRuns: number
  refillMs: number
}

export class Hook implements Target {
  readonly name: string
  /** Matches that no command was run for. */
  dropped = 0
  readonly #pattern: RegExp
  readonly #command: string
  readonly #report: Report
  readonly #times: HookTimes
  readonly #pending: Record<string, string>[] = []
  readonly #stop = new AbortController()
  #tokens: number
  #refilledMs = monotonicMs()
  #worker: Promise<void> | undefined
  #running: ShellCommand | undefined
  #untold = 0
  #droppedBefore = 0
  #toldMs = Number.NEGATIVE_INFINITY

  constructor(pattern: RegExp, command: string, report: Report, times: HookTimes = { runMs, burstRuns, refillMs }) {
    this.name = `--on ${pattern.source}`
    this.#pattern = pattern
    this.#command = command
    this.#report = report
    this.#times = times
    this.#tokens = times.burstRuns
  }

  /** Looks at the lines; never waits for a command. */
  async deliver(bytes: Buffer, start: number, end: number): Promise<void> {
    const view = new EntryView()
    for (let at = start; at < end; at += view.size) {
      if (view.at(bytes, at).kind !== entryKindLine) continue
      const match = this.#pattern.exec(view.message.toString())
      if (match !== null) this.#add(environment(view, match))
    }
  }

  /** What waits is dropped; a command that runs is ended. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#dropAll()
    await this.#running?.stop(0)
    await this.#worker
  }

  #add(variables: Record<string, string>): void {
    if (this.#pending.length >= pendingMax) {
      this.#drop(1)
      return
    }
    this.#pending.push(variables)
    this.#worker ??= this.#work().finally(() => {
      this.#worker = undefined
    })
  }

  async #work(): Promise<void> {
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      await this.#takeToken()
      if (this.#stop.signal.aborted) {
        this.#drop(1)
        continue
      }
      await this.#run({ ...next, LOG_DROPPED: String(this.dropped - this.#droppedBefore) })
    }
  }

  async #run(variables: Record<string, string>): Promise<void> {
    this.#droppedBefore = this.dropped
    const command = new ShellCommand(this.#command, { environment: variables, hasInput: false })
    this.#running = command
    const timer = setTimeout(() => {
      this.#report(`the command is ended after ${this.#times.runMs / 1000} s`)
      void command.stop(0)
    }, this.#times.runMs)
    const end = await command.ended
    clearTimeout(timer)
    this.#running = undefined
    if (end.error !== undefined) this.#report(endText(end))
  }

  async #takeToken(): Promise<void> {
    const { burstRuns: burst, refillMs: refill } = this.#times
    const earned = Math.floor((monotonicMs() - this.#refilledMs) / refill)
    this.#refilledMs += earned * refill
    this.#tokens = Math.min(burst, this.#tokens + earned)
    if (this.#tokens === 0) {
      await sleep(Math.max(0, this.#refilledMs + refill - monotonicMs()), this.#stop.signal)
      this.#refilledMs = monotonicMs()
      this.#tokens = 1
    }
    this.#tokens--
  }

  #dropAll(): void {
    const count = this.#pending.length
    this.#pending.length = 0
    if (count > 0) this.#drop(count)
  }

  #drop(count: number): void {
    this.dropped += count
    this.#untold += count
    const nowMs = monotonicMs()
    if (nowMs - this.#toldMs < dropsMs && !this.#stop.signal.aborted) return
    this.#toldMs = nowMs
    this.#report(`${this.#untold} matching lines came too fast: no command was run for them`)
    this.#untold = 0
  }
}

/** What a command learns of its line. */
function environment(entry: EntryView, match: RegExpExecArray): Record<string, string> {
  const variables: Record<string, string> = {
    LOG_TIME: formatMoment({ seconds: entry.realSeconds, nanos: entry.realNanos }),
    LOG_SOURCE: value(entry.source),
    LOG_MESSAGE: value(entry.message.toString()),
    LOG_SEQUENCE: String(entry.sequence),
    LOG_MATCH: value(match[0]),
  }
  for (const [index, group] of match.slice(1, 10).entries()) variables[`LOG_MATCH_${index + 1}`] = value(group ?? '')
  if (hasPriority(entry.priority)) {
    variables.LOG_PRIORITY = String(entry.priority)
    variables.LOG_SEVERITY = severityNames[severityOf(entry.priority)] ?? ''
    variables.LOG_FACILITY = facilityNames[facilityOf(entry.priority) ?? 0] ?? ''
  }
  for (const [key, bytes] of entry.fields()) {
    variables[`LOG_FIELD_${key.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`] ??= value(bytes.toString())
  }
  return variables
}

/** A value that the kernel takes: no NUL, not too long. */
function value(text: string): string {
  const shown = text.replaceAll('\0', '\ufffd')
  return Buffer.byteLength(shown) <= valueBytesMax ? shown : Buffer.from(shown).toString('utf8', 0, valueBytesMax - 4)
}
