/** Posts to one HTTP server, one request at a time, over a connection that is kept. No redirect is followed. */
import { Agent, request as requestHttp } from 'node:http'
import { request as requestHttps, Agent as SecureAgent } from 'node:https'
import { promisify } from 'node:util'
import { gzip as gzipBytes } from 'node:zlib'
import type { World } from '../../../system/world.ts'
import { NetworkError, readTlsFiles, type TlsFiles, toNetworkError } from '../network.ts'

/** More of an answer is not looked at. */
const answerBytesMax = 64 * 1024

export interface HttpAddress {
  host: string
  port: number
  path: string
  tls: TlsFiles | undefined
}

export interface HttpAnswer {
  status: number
  /** The reason phrase: `Service Unavailable`. */
  statusText: string
  retryAfter: string | undefined
  /** Empty if there is none. */
  contentType: string
  bytes: Buffer
  /** The bytes as text. */
  body: string
}

export const gzip: (bytes: Buffer) => Promise<Buffer> = promisify(gzipBytes)

export class HttpClient {
  readonly #target: HttpAddress
  readonly #world: World
  readonly #timeoutMs: number
  #agent: Agent | undefined

  /** An answer that is not whole after `timeoutMs` counts as none. */
  constructor(target: HttpAddress, world: World, timeoutMs: number) {
    this.#target = target
    this.#world = world
    this.#timeoutMs = timeoutMs
  }

  /** Posts and waits for the whole answer, whatever its status. Rejects with NetworkError if there is none. */
  async post(headers: Record<string, string>, body: Buffer, signal: AbortSignal): Promise<HttpAnswer> {
    this.#agent ??= await this.#makeAgent()
    try {
      return await this.#try(this.#agent, headers, body, signal)
    } catch (error) {
      // A server may close a kept connection just when it is used again: that is no failure.
      if (!(error instanceof StaleConnection)) throw error
      return await this.#try(this.#agent, headers, body, signal)
    }
  }

  close(): void {
    this.#agent?.destroy()
    this.#agent = undefined
  }

  async #makeAgent(): Promise<Agent> {
    const { tls } = this.#target
    const options = { keepAlive: true, maxSockets: 1 }
    return tls === undefined ? new Agent(options) : new SecureAgent({ ...options, ...(await readTlsFiles(tls)) })
  }

  #try(agent: Agent, headers: Record<string, string>, body: Buffer, signal: AbortSignal): Promise<HttpAnswer> {
    const { host, port, path, tls } = this.#target
    const start = tls === undefined ? requestHttp : requestHttps
    return new Promise((resolve, reject) => {
      const all = { ...headers, 'content-length': String(body.length) }
      const request = start({ agent, host, port, path, method: 'POST', headers: all, signal })
      const cancel = this.#world.after(this.#timeoutMs, () => request.destroy(new NetworkError('no answer in time')))
      let isSettled = false
      const fail = (error: Error) => {
        if (isSettled) return
        isSettled = true
        cancel()
        const isStale = request.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET'
        if (error instanceof NetworkError || !isStale) this.close()
        reject(isStale ? new StaleConnection() : toNetworkError(error))
      }
      request.on('error', fail)
      // Node then has no more to do with the connection: no answer, error or time limit follows.
      request.on('upgrade', ({ statusCode }, socket) => {
        socket.destroy()
        fail(new NetworkError(`answered ${statusCode}, which was not asked for`))
      })
      const close = () => fail(new NetworkError('the connection was closed'))
      request.on('close', close)
      request.on('response', (response) => {
        // From here on the response's events say how it ends; the request may be closed before the last of them.
        request.removeListener('close', close)
        const parts: Buffer[] = []
        let bytes = 0
        response.on('data', (part: Buffer) => {
          if (bytes < answerBytesMax) parts.push(part)
          bytes += part.length
        })
        response.on('error', fail)
        response.on('close', () => fail(new NetworkError('the answer broke off')))
        response.on('end', () => {
          isSettled = true
          cancel()
          const body = Buffer.concat(parts).subarray(0, answerBytesMax)
          resolve({
            status: response.statusCode ?? 0,
            statusText: response.statusMessage ?? '',
            retryAfter: response.headers['retry-after'],
            contentType: (response.headers['content-type'] ?? '').split(';', 1)[0] as string,
            bytes: body,
            body: body.toString(),
          })
        })
      })
      request.end(body)
    })
  }
}

class StaleConnection extends Error {}
