/** What differs between the servers of HTTP targets, and what their encoders share. */
import { entryKindGap } from '../../../protocol/constants.ts'
import type { EntryView } from '../../../protocol/entry.ts'
import { hasPriority, severityOf } from '../../../protocol/priority.ts'
import type { HttpAnswer } from './http-client.ts'

/** What a server's answer means for the entries of the request. */
export type Verdict =
  /** The server has them, but for `refused` ones. */
  | { kind: 'accepted'; refused: number; message: string }
  | { kind: 'later'; message: string }
  | { kind: 'too-large' }
  /** Now the format is another, for good: the entries are encoded and posted again. */
  | { kind: 'again' }
  /** `refused` entries are given up; absent, up to all of them: the server does not say how many. */
  | { kind: 'refused'; refused?: number | undefined; message: string }

export interface HttpFormat {
  readonly contentType: string
  encode(bytes: Buffer, start: number, end: number): Buffer
  judge(answer: HttpAnswer): Verdict
}

/** Longest part of a server's words that a message quotes, in characters. */
const quotedCharactersMax = 200

/** A failed answer for people: `answered 503 Service Unavailable: "overloaded"`. */
export function answerText(answer: HttpAnswer, detail: string = answer.body): string {
  const words = detail.replace(/\s+/g, ' ').trim().slice(0, quotedCharactersMax)
  return `answered ${answer.status} ${answer.statusText}`.trimEnd() + (words === '' ? '' : `: "${words}"`)
}

/** A redirect is not about the lines: an operator can correct the address while the ring holds them. */
export function isRedirect(status: number): boolean {
  return status >= 300 && status < 400
}

/** Nanoseconds since 1970 as decimal digits. */
export function unixNanos(entry: EntryView): string {
  return `${entry.realSeconds}${String(entry.realNanos).padStart(9, '0')}`
}

/** Lost lines are a warning. */
const gapSeverity = 4

/** 0 to 7, or undefined for a line without a priority. */
export function entrySeverity(entry: EntryView): number | undefined {
  if (hasPriority(entry.priority)) return severityOf(entry.priority)
  return entry.kind === entryKindGap ? gapSeverity : undefined
}
