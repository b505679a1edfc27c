/**
 * Servers that stand in for a memlogd. They do what the test tells them for each connection, so that a client
 * meets every way in which a real one may behave.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { encodeHeader, type ParsedRequest, type ReplyHeader, RequestReader } from '../../src/protocol/query.ts'

export const ringId = '0123456789abcdef0123456789abcdef'

export const header: ReplyHeader = {
  version: '0.1.0',
  pid: 123,
  ring: ringId,
  first: 1,
  next: 100,
  applied: ['tail', 'cursor', 'limit'],
}

/** A header line as bytes. */
export function headerLine(changes: Partial<ReplyHeader> = {}): Buffer {
  return encodeHeader({ ...header, ...changes })
}

export type Serve = (socket: Socket, request: ParsedRequest, connection: number) => void

export interface StandIn {
  path: string
  directory: string
  requests: ParsedRequest[]
  close(): Promise<void>
}

/** Listens; calls `serve` with each parsed request. */
export async function standIn(serve: Serve, name = 'memlogq.sock'): Promise<StandIn> {
  const directory = mkdtempSync(join(tmpdir(), 'logread-'))
  const path = join(directory, name)
  const requests: ParsedRequest[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
    const reader = new RequestReader()
    let isServed = false
    socket.on('data', (chunk) => {
      const request = reader.push(chunk)
      if (request === undefined || isServed) return
      isServed = true
      requests.push(request)
      serve(socket, request, requests.length)
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets) socket.destroy()
      server.close(() => {
        rmSync(directory, { recursive: true, force: true })
        resolve()
      })
    })
  return { path, directory, requests, close }
}

const upstreamScript = fileURLToPath(new URL('./upstream.py', import.meta.url))

/**
 * A server that answers as upstream's does: it reads the mode byte and nothing more. A dump that it closes
 * leaves bytes unread, for which the client's end gets ECONNRESET. It is written in Python because Node
 * reads ahead.
 */
export async function upstreamStandIn(lines: string | Buffer, name = 'memlogq.sock'): Promise<StandIn> {
  const directory = mkdtempSync(join(tmpdir(), 'logread-'))
  const path = join(directory, name)
  const linesPath = join(directory, 'lines')
  writeFileSync(linesPath, lines)
  const child = spawn('python3', [upstreamScript, path, linesPath], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const close = async () => {
    const ended = once(child, 'close')
    child.kill()
    await ended
    rmSync(directory, { recursive: true, force: true })
  }
  return { path, directory, requests: [], close }
}
