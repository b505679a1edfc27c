/**
 * `--on RE --run CMD`: a command for each line that matches. One runs at a time, at a limited rate, each no longer than
 * a limit; matches wait in a short queue, and those that find it full are dropped and counted.
 */
import { entryKindLine } from '../../../protocol/constants.ts'
import { EntryView } from '../../../protocol/entry.ts'
import { facilityNames, facilityOf, hasPriority, severityNames, severityOf } from '../../../protocol/priority.ts'
import { formatMoment } from '../../../protocol/timestamp.ts'
import { sleep, type World } from '../../../system/world.ts'
import type { Report, Target } from '../target.ts'
import { endText, ShellCommand } from './shell-command.ts'

/** A command that runs longer is ended. */
const runMs = 30_000
/** Commands that may be run in a row; then one in each `refillMs`. */
const burstRuns = 10
const refillMs = 1000
/** Matches that wait for their command, and the characters of their variables. */
export const pendingMax = 64
const pendingCharactersMax = 4 * 1024 * 1024
/** Drops are reported at most once in this time. */
const dropsMs = 10_000
/** Longest value in the environment: the kernel accepts strings of up to 128 KiB. */
const valueBytesMax = 64 * 1024

export interface HookTimes {
  runMs: number
  burstRuns: number
  refillMs: number
}

interface Match {
  variables: Record<string, string>
  size: number
}

export class Hook implements Target {
  readonly name: string
  /** Matches that no command was run for. */
  refused = 0
  readonly #pattern: RegExp
  readonly #command: string
  readonly #report: Report
  readonly #world: World
  readonly #environment: NodeJS.ProcessEnv
  readonly #times: HookTimes
  readonly #pending: Match[] = []
  #pendingCharacters = 0
  readonly #stop = new AbortController()
  #tokens: number
  #refilledMs: number
  #worker: Promise<void> | undefined
  #running: ShellCommand | undefined
  #unreported = 0
  #refusedBefore = 0
  #reportedMs = Number.NEGATIVE_INFINITY

  /** `environment` is logread's own: variables in it that are named as a hook's are not passed on. */
  constructor(
    pattern: RegExp,
    command: string,
    report: Report,
    world: World,
    environment: NodeJS.ProcessEnv,
    times: HookTimes = { runMs, burstRuns, refillMs },
  ) {
    this.name = `--on ${pattern.source}`
    this.#pattern = pattern
    this.#command = command
    this.#report = report
    this.#world = world
    this.#environment = Object.fromEntries(Object.entries(environment).filter(([name]) => !isHookVariable(name)))
    this.#times = times
    this.#tokens = times.burstRuns
    this.#refilledMs = world.monotonicMs()
  }

  /** Looks at the lines; never waits for a command. */
  async deliver(bytes: Buffer, start: number, end: number): Promise<void> {
    const view = new EntryView()
    for (let at = start; at < end; at += view.size) {
      if (view.at(bytes, at).kind !== entryKindLine) continue
      const match = this.#pattern.exec(view.message.toString())
      if (match !== null) this.#add(variablesOf(view, match))
    }
  }

  /** Runs the commands that wait, at their rate. */
  async finish(signal: AbortSignal): Promise<void> {
    const { promise: stopped, resolve } = Promise.withResolvers<void>()
    const stop = () => resolve()
    signal.addEventListener('abort', stop)
    if (signal.aborted) stop()
    await Promise.race([this.#worker, stopped])
    signal.removeEventListener('abort', stop)
  }

  /** What waits is dropped; a command that runs is ended. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running?.stop(0)
    await this.#worker
    const count = this.#pending.length
    this.#pending.length = 0
    this.refused += count
    if (count > 0) this.#report(`${count} matching lines waited at the stop: no command was run for them`)
    if (this.#unreported > 0) this.#reportDrops()
  }

  #add(variables: Record<string, string>): void {
    const size = Object.values(variables).reduce((sum, text) => sum + text.length, 0)
    if (this.#pending.length >= pendingMax || this.#pendingCharacters + size > pendingCharactersMax) {
      this.refused++
      this.#unreported++
      if (this.#world.monotonicMs() - this.#reportedMs >= dropsMs) this.#reportDrops()
      return
    }
    this.#pending.push({ variables, size })
    this.#pendingCharacters += size
    this.#worker ??= this.#work().finally(() => {
      this.#worker = undefined
    })
  }

  #reportDrops(): void {
    this.#reportedMs = this.#world.monotonicMs()
    this.#report(`${this.#unreported} matching lines came too fast: no command was run for them`)
    this.#unreported = 0
  }

  async #work(): Promise<void> {
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      await this.#takeToken()
      if (this.#stop.signal.aborted) {
        this.#pending.unshift(next)
        return
      }
      this.#pendingCharacters -= next.size
      await this.#run({ ...next.variables, LOG_DROPPED: String(this.refused - this.#refusedBefore) })
    }
  }

  async #run(variables: Record<string, string>): Promise<void> {
    this.#refusedBefore = this.refused
    const environment = { ...this.#environment, ...variables }
    const command = new ShellCommand(this.#command, { environment, hasInput: false }, this.#world)
    this.#running = command
    let stopping: Promise<unknown> | undefined
    const cancel = this.#world.after(this.#times.runMs, () => {
      this.#report(`the command is ended after ${this.#times.runMs / 1000} s`)
      stopping = command.stop(0)
    })
    const end = await command.ended
    cancel()
    await stopping
    this.#running = undefined
    if (end.error === undefined) return
    this.refused++
    this.#report(endText(end))
  }

  async #takeToken(): Promise<void> {
    const { burstRuns: burst, refillMs: refill } = this.#times
    const nowMs = this.#world.monotonicMs()
    const earned = Math.floor((nowMs - this.#refilledMs) / refill)
    this.#refilledMs += earned * refill
    this.#tokens = Math.min(burst, this.#tokens + earned)
    if (this.#tokens === 0) {
      await sleep(Math.max(0, this.#refilledMs + refill - nowMs), this.#stop.signal, this.#world)
      this.#refilledMs = this.#world.monotonicMs()
      this.#tokens = 1
    }
    this.#tokens--
  }
}

/** Whether a variable's name is one that a hook sets for some lines. */
function isHookVariable(name: string): boolean {
  return /^LOG_(?:TIME|SOURCE|MESSAGE|SEQUENCE|DROPPED|PRIORITY|SEVERITY|FACILITY|MATCH(?:_[1-9])?|FIELD_.*)$/s.test(
    name,
  )
}

/** What a command receives of its line. */
function variablesOf(entry: EntryView, match: RegExpExecArray): Record<string, string> {
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

/** A value that the kernel accepts: no NUL, not too long. A copy: V8 keeps a whole message for a part of it. */
function value(text: string): string {
  const bytes = Buffer.from(text.replaceAll('\0', '\ufffd'))
  return bytes.toString('utf8', 0, bytes.length <= valueBytesMax ? bytes.length : valueBytesMax - 4)
}
