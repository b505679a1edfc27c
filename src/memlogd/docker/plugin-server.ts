/** HTTP on a listening socket that somebody else bound: one POST, one answer. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Connection } from '../serve/reader.ts'
import type { PluginReply } from './plugin.ts'

export interface HttpOptions {
  bodyBytesMax: number
  connectionsMax: number
  handle(path: string, body: Buffer, reply: PluginReply): void
}

/** A client that has not sent its request by then is dropped. */
const requestMs = 10_000

/** Serves on a listening socket that this process was started with. */
export function serveHttp(fd: number, options: HttpOptions): Server {
  return httpServer(options).listen({ fd })
}

/** The server, not listening yet. */
export function httpServer(options: HttpOptions): Server {
  const server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, (request, response) => {
    // What happens to a client is the client's business.
    request.on('error', () => response.destroy())
    response.on('error', () => response.destroy())
    takeBody(request, response, options)
  })
  server.maxConnections = options.connectionsMax
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}

function takeBody(request: IncomingMessage, response: ServerResponse, options: HttpOptions): void {
  const reply = replyOn(response)
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= options.bodyBytesMax) chunks.push(chunk)
    else if (!response.headersSent) {
      response.setHeader('Connection', 'close')
      reply.json(413, { Err: `the request is longer than ${options.bodyBytesMax} bytes` })
      request.destroy()
    }
  })
  request.on('end', () => {
    if (request.method !== 'POST') reply.json(405, { Err: 'wanted a POST' })
    else options.handle(request.url ?? '', Buffer.concat(chunks), reply)
  })
}

function replyOn(response: ServerResponse): PluginReply {
  return {
    json(status, body) {
      response.writeHead(status, { 'Content-Type': 'application/vnd.docker.plugins.v1.2+json' })
      response.end(`${JSON.stringify(body)}\n`)
    },
    stream(closed) {
      response.on('close', closed)
      response.writeHead(200, { 'Content-Type': 'application/x-json-stream' })
      response.flushHeaders()
      return bodyOf(response)
    },
  }
}

function bodyOf(response: ServerResponse): Connection {
  return {
    write(bytes, done) {
      response.write(bytes, (error) => {
        if (error === undefined || error === null) done()
      })
    },
    end() {
      response.end()
    },
    destroy() {
      response.destroy()
    },
  }
}
