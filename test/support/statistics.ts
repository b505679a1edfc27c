/** memlogd's statistics, asked for without logread. */
import { createConnection } from 'node:net'

/** What tests read of them; docs/PROTOCOL.md section 2 has the rest. */
export interface Statistics {
  ring: { stored: number; lines: number; maxLines?: number; bytes: number; first: number; next: number }
  sources: number
  /** Open connections, the one that asks included. */
  clients: number
  readers: { pid: number; uid: number; delivered: number; lost: number; lag: number }[]
  counters: Record<string, number>
  engine: Record<string, unknown>
}

/** Asks the query socket; rejects if no complete answer comes. */
export function statistics(path: string): Promise<Statistics> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path, () => socket.write('\0{"stats":true}\n'))
    let reply = ''
    socket.on('data', (bytes: Buffer) => {
      reply += bytes
    })
    socket.on('error', reject)
    socket.on('close', () => {
      const [, line, rest] = reply.split('\n')
      if (line === undefined || rest === undefined) reject(new Error(`no statistics: ${reply}`))
      else resolve(JSON.parse(line) as Statistics)
    })
  })
}
