/**
 * Loki's push API with JSON: `{"streams":[{"stream":{labels},"values":[["nanoseconds","line",{metadata}]]}]}`. A source
 * is a stream; what else a line carries is structured metadata, since each value of a label makes a stream of its own.
 */

import { EntryView } from '../../../protocol/entry.ts'
import { severityNames } from '../../../protocol/priority.ts'
import type { HttpAnswer } from './http-client.ts'
import { answerText, entrySeverity, type HttpFormat, isRedirect, unixNanos, type Verdict } from './http-format.ts'

/** Ingestion is blocked for a time (Loki's `block_ingestion_status_code`). */
const statusBlocked = 260
/** Not about the lines but about access and address: an operator can put that right while the ring holds them. */
const accessStatuses = new Set([401, 403, 404, 405, 408, 429])

export class LokiFormat implements HttpFormat {
  readonly contentType = 'application/json'
  readonly #labels: ReadonlyMap<string, string>
  readonly #hasMetadata: boolean

  /**
   * `labels` are those of every stream; `source` and `service_name` are added. Without metadata, for Loki before 3.0.
   */
  constructor(labels: ReadonlyMap<string, string>, hasMetadata: boolean) {
    this.#labels = labels
    this.#hasMetadata = hasMetadata
  }

  encode(bytes: Buffer, start: number, end: number): Buffer {
    const streams = new Map<string, string[]>()
    const view = new EntryView()
    for (let at = start; at < end; at += view.size) {
      const { source } = view.at(bytes, at)
      const list = streams.get(source)
      if (list === undefined) streams.set(source, [this.#value(view)])
      else list.push(this.#value(view))
    }
    const parts = [...streams].map(([source, values]) => {
      const labels = JSON.stringify(Object.fromEntries([...this.#labels, ['service_name', source], ['source', source]]))
      return `{"stream":${labels},"values":[${values.join(',')}]}`
    })
    return Buffer.from(`{"streams":[${parts.join(',')}]}`)
  }

  /** A 400 is final: Loki has stored the lines that it accepts and never accepts the others (too old, out of order). */
  judge(answer: HttpAnswer): Verdict {
    const { status } = answer
    if (status >= 200 && status < 300 && status !== statusBlocked) return { kind: 'accepted', refused: 0, message: '' }
    if (status === 413) return { kind: 'too-large' }
    const message = answerText(answer)
    if (status >= 500 || status === statusBlocked || accessStatuses.has(status) || isRedirect(status))
      return { kind: 'later', message }
    return { kind: 'refused', refused: ignoredLines(answer.body), message }
  }

  #value(entry: EntryView): string {
    const line = JSON.stringify(entry.message.toString())
    const metadata = this.#hasMetadata ? metadataOf(entry) : undefined
    const third =
      metadata === undefined || metadata.size === 0 ? '' : `,${JSON.stringify(Object.fromEntries(metadata))}`
    return `["${unixNanos(entry)}",${line}${third}]`
  }
}

function metadataOf(entry: EntryView): Map<string, string> {
  const metadata = new Map<string, string>()
  if (entry.sequence > 0) metadata.set('sequence', String(entry.sequence))
  const severity = entrySeverity(entry)
  if (severity !== undefined) metadata.set('level', severityNames[severity] ?? 'info')
  if (entry.cutBytes > 0) metadata.set('cut_bytes', String(entry.cutBytes))
  for (const [key, value] of entry.fields()) {
    // `host` is a label: where memlogd runs.
    const name = key === 'host' ? 'sender_host' : labelName(key)
    if (!metadata.has(name)) metadata.set(name, value.toString())
  }
  return metadata
}

/** How many lines Loki did not store, where it says so for each stream: `total ignored: 2 out of 9`. */
function ignoredLines(body: string): number | undefined {
  const counts = [...body.matchAll(/total ignored: ([0-9]{1,9}) out of/g)].map(([, count]) => Number(count))
  return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count)
}

/** Names are letters, digits and `_`, and begin with no digit. */
function labelName(key: string): string {
  return key.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=[0-9])/, '_')
}
