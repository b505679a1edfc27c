/** Outgoing connections of targets: a byte stream by TCP or TLS, and datagrams by UDP. */
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect as connectTcp, isIPv6, type Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { World } from '../../system/world.ts'

/** How a TLS peer is checked, and our own certificate. The files are read at each connect: they are renewed. */
export interface TlsFiles {
  /** PEM file with the authorities to trust, instead of the usual ones. */
  caFile: string | undefined
  certificateFile: string | undefined
  keyFile: string | undefined
  /** Name that the peer's certificate must have, if not the host's. */
  serverName: string | undefined
}

export interface StreamAddress {
  host: string
  port: number
  tls: TlsFiles | undefined
}

export interface OutgoingStream {
  /** Bytes handed to the kernel so far. */
  readonly flushedBytes: number
  /** Resolves when the kernel has accepted the bytes; rejects if it accepts none of them for `stallMs`. */
  write(bytes: Buffer, stallMs: number): Promise<void>
  /** Bytes that the peer's kernel has not acknowledged; undefined where the system does not say. */
  unacknowledgedBytes(): Promise<number | undefined>
  /** Ends the stream; true if the peer then closed its side in order: it has read everything. */
  end(waitMs: number): Promise<boolean>
  destroy(): void
}

/** The connection failed or ended. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
}

/** A peer that has not answered a connect, TLS handshake included, by then is away. */
const connectMs = 10_000
/** After this time the kernel probes a silent peer. */
const keepAliveMs = 30_000

/** Connects; `onLost` is called once when an established connection ends by itself. */
export async function openStream(
  target: StreamAddress,
  signal: AbortSignal,
  world: World,
  onLost: (error: NetworkError) => void,
): Promise<OutgoingStream> {
  const socket = target.tls === undefined ? connectTcp(target.port, target.host) : await connectTls(target, target.tls)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, keepAliveMs)
  await connected(socket, target.tls === undefined ? 'connect' : 'secureConnect', signal, world)
  return new SocketStream(socket, world, onLost)
}

async function connectTls(target: StreamAddress, files: TlsFiles): Promise<Socket> {
  const { connect } = await import('node:tls')
  const options: ConnectionOptions = { host: target.host, port: target.port, ...(await readTlsFiles(files)) }
  if (options.servername === undefined && !/^[0-9.]+$|:/.test(target.host)) options.servername = target.host
  return connect(options)
}

/** TLS settings for `node:tls` and `node:https`. Certificates are always checked. */
export async function readTlsFiles(files: TlsFiles): Promise<ConnectionOptions> {
  const options: ConnectionOptions = { rejectUnauthorized: true, minVersion: 'TLSv1.2' }
  if (files.caFile !== undefined) options.ca = await readFile(files.caFile)
  if (files.certificateFile !== undefined) options.cert = await readFile(files.certificateFile)
  if (files.keyFile !== undefined) options.key = await readFile(files.keyFile)
  if (files.serverName !== undefined) options.servername = files.serverName
  return options
}

function connected(socket: Socket, event: string, signal: AbortSignal, world: World): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = world.after(connectMs, () => fail(new NetworkError('the connection timed out')))
    const stop = () => fail(new NetworkError('stopped'))
    function settle(): void {
      cancel()
      signal.removeEventListener('abort', stop)
      socket.removeListener(event, succeed)
      socket.removeListener('error', fail)
    }
    function fail(error: Error): void {
      settle()
      socket.on('error', () => undefined)
      socket.destroy()
      reject(toNetworkError(error))
    }
    function succeed(): void {
      settle()
      resolve()
    }
    socket.once(event, succeed)
    socket.once('error', fail)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop)
  })
}

class SocketStream implements OutgoingStream {
  flushedBytes = 0
  readonly #socket: Socket
  readonly #world: World
  readonly #closed: Promise<void>
  readonly #ports: [number, number]
  #error: NetworkError | undefined
  #sawEnd = false
  /** The peer has closed its side, and nothing failed before. */
  #isInOrder = false
  #isEnding = false

  constructor(socket: Socket, world: World, onLost: (error: NetworkError) => void) {
    this.#socket = socket
    this.#world = world
    this.#ports = [socket.localPort ?? 0, socket.remotePort ?? 0]
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#closed = promise
    socket.on('error', (error) => {
      this.#error ??= toNetworkError(error)
    })
    socket.on('end', () => {
      this.#sawEnd = true
      if (!this.#isEnding) socket.destroy()
    })
    socket.on('close', () => {
      resolve()
      this.#isInOrder = this.#sawEnd && this.#error === undefined
      this.#error ??= new NetworkError('the connection was closed')
      if (!this.#isEnding) onLost(this.#error)
    })
    socket.resume()
  }

  async write(bytes: Buffer, stallMs: number): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    if (this.#socket.destroyed || this.#sawEnd) throw new NetworkError('the connection was closed')
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const cancel = this.#world.after(stallMs, () => {
      this.#error ??= new NetworkError('the connection is stalled')
      this.#socket.destroy()
    })
    const giveUp = () => reject(this.#error ?? new NetworkError('the connection was closed'))
    this.#socket.once('close', giveUp)
    this.#socket.write(bytes, (error) => (error ? reject(this.#error ?? toNetworkError(error)) : resolve()))
    try {
      await promise
      this.flushedBytes += bytes.length
    } finally {
      cancel()
      this.#socket.removeListener('close', giveUp)
    }
  }

  async unacknowledgedBytes(): Promise<number | undefined> {
    const tables = await Promise.all(
      ['tcp', 'tcp6'].map((name) => readFile(`/proc/self/net/${name}`, 'latin1').catch(() => '')),
    )
    return sendQueueBytes(tables.join('\n'), ...this.#ports)
  }

  async end(waitMs: number): Promise<boolean> {
    this.#isEnding = true
    if (!this.#socket.destroyed) this.#socket.end()
    const cancel = this.#world.after(waitMs, () => this.#socket.destroy())
    await this.#closed
    cancel()
    return this.#isInOrder
  }

  destroy(): void {
    this.#isEnding = true
    this.#socket.destroy()
  }
}

/** The `tx_queue` of a connection in the text of /proc/net/tcp: bytes that the peer's kernel has not acknowledged. */
export function sendQueueBytes(table: string, localPort: number, remotePort: number): number | undefined {
  const port = (value: number) => value.toString(16).toUpperCase().padStart(4, '0')
  const pattern = new RegExp(
    `: [0-9A-F]+:${port(localPort)} [0-9A-F]+:${port(remotePort)} [0-9A-F]{2} ([0-9A-F]{8}):`,
    'g',
  )
  let bytes: number | undefined
  for (const match of table.matchAll(pattern)) {
    bytes = Math.max(bytes ?? 0, Number.parseInt(match[1] as string, 16))
  }
  return bytes
}

export interface DatagramAddress {
  host: string
  port: number
}

export interface OutgoingDatagrams {
  send(bytes: Buffer): Promise<void>
  close(): void
}

/** A UDP socket of its own for one peer: so the kernel reports when nobody listens there. */
export async function openDatagrams(
  target: DatagramAddress,
  signal: AbortSignal,
  onError: (error: NetworkError) => void,
): Promise<OutgoingDatagrams> {
  const found = lookup(target.host).catch((error: Error) => Promise.reject(toNetworkError(error)))
  const { address } = await unlessStopped(found, signal)
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4' })
  try {
    // Without a callback of its own, a connect that fails is an error event.
    socket.connect(target.port, address)
    await once(socket, 'connect')
  } catch (error) {
    socket.close()
    throw toNetworkError(error as Error)
  }
  socket.on('error', (error) => onError(toNetworkError(error)))
  return { send: (bytes) => sendDatagram(socket, bytes), close: () => socket.close() }
}

/** A name server that does not answer must not delay the end of the program. */
async function unlessStopped<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const stop = () => reject(new NetworkError('stopped'))
  signal.addEventListener('abort', stop)
  if (signal.aborted) stop()
  try {
    return await Promise.race([result, promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

function sendDatagram(socket: DatagramSocket, bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(bytes, (error) => (error ? reject(toNetworkError(error)) : resolve()))
  })
}

const texts: Readonly<Record<string, string | undefined>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'the connection timed out',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'the network is unreachable',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name server does not answer',
}

export function toNetworkError(error: Error): NetworkError {
  if (error instanceof NetworkError) return error
  const { code = 'failed' } = error as NodeJS.ErrnoException
  const text = texts[code] ?? tlsText(code, error.message) ?? error.message
  return new NetworkError(text)
}

/** What a failed TLS handshake means; an alert is what the peer says of us. */
function tlsText(code: string, message: string): string | undefined {
  if (/^ERR_SSL_.*ALERT_.*CERTIFICATE_REQUIRED/.test(code)) return 'the receiver wants a client certificate (cert, key)'
  // TLS 1.2 has no alert of its own for that.
  if (/^ERR_SSL_.*ALERT_HANDSHAKE_FAILURE/.test(code))
    return 'the TLS handshake failed: the receiver may want a client certificate (cert, key)'
  if (/^ERR_SSL_.*ALERT_.*(?:CERT|UNKNOWN_CA)/.test(code))
    return `the receiver refuses the client certificate: ${message}`
  return /CERT|VERIFY|SELF_SIGNED|ISSUER/.test(code) ? `the certificate is refused: ${message}` : undefined
}
