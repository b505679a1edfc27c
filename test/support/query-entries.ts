/** Everything in a memlogd's ring, by the extended protocol and nothing of logread's. */
import { createConnection } from 'node:net'
import { entryKindEnd, entryKindGap, priorityNone } from '../../src/protocol/constants.ts'
import { EntryView, entryFault } from '../../src/protocol/entry.ts'

export interface WireEntry {
  source: string
  priority: number | undefined
  text: string
  fields: Record<string, string>
  isGap: boolean
  cutBytes: number
  sequence: number
  /** Nanoseconds since 1970, and since the boot. */
  realNanos: bigint
  monoNanos: bigint
}

export function queryEntries(path: string): Promise<WireEntry[]> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = createConnection(path, () => socket.write('\0{}\n'))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('end', () => {
      try {
        resolve(entriesOf(Buffer.concat(chunks)))
      } catch (error) {
        reject(error)
      }
    })
  })
}

function entriesOf(reply: Buffer): WireEntry[] {
  const body = reply.subarray(reply.indexOf(0x0a) + 1)
  const entries: WireEntry[] = []
  const view = new EntryView()
  for (let at = 0; at < body.length; at += view.size) {
    const fault = entryFault(body, at, body.length)
    if (fault !== undefined) throw new Error(`entry at ${at}: ${fault}`)
    view.at(body, at)
    if (view.kind !== entryKindEnd) entries.push(entryOf(view))
  }
  return entries
}

function entryOf(view: EntryView): WireEntry {
  return {
    source: view.source,
    priority: view.priority === priorityNone ? undefined : view.priority,
    text: view.message.toString('latin1'),
    fields: Object.fromEntries([...view.fields()].map(([key, value]) => [key, value.toString()])),
    isGap: view.kind === entryKindGap,
    cutBytes: view.cutBytes,
    sequence: view.sequence,
    realNanos: BigInt(view.realSeconds) * 1_000_000_000n + BigInt(view.realNanos),
    monoNanos: BigInt(view.monoSeconds) * 1_000_000_000n + BigInt(view.monoNanos),
  }
}
