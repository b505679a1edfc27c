/**
 * A connection to a stream socket of the file system, for a client that mostly reads. All bytes arrive in one buffer,
 * so a long dump makes no garbage. The receiver may return a promise: nothing more is read until it is settled.
 */
import { connect, type Socket } from 'node:net'

export interface StreamHandlers {
  /** The bytes are valid until this returns, or until the promise that it returns is settled. */
  onData(bytes: Buffer): Promise<void> | void
  /** Called once, last. `code` is the error's (`ECONNREFUSED`), undefined at a clean end of file. */
  onClose(code: string | undefined, wasConnected: boolean): void
}

export interface StreamClient {
  /** Ends the connection; `onClose` follows. */
  close(): void
}

/** Most bytes of one read: what Linux holds for a unix socket by default (wmem_default). */
const readBufferBytes = 208 * 1024

/** Connects to `path` and sends `greeting` in one write. */
export function connectStream(path: string, greeting: Buffer, handlers: StreamHandlers): StreamClient {
  const buffer = Buffer.allocUnsafeSlow(readBufferBytes)
  let code: string | undefined
  let wasConnected = false
  const receive = (length: number): boolean => {
    const held = handlers.onData(buffer.subarray(0, length))
    if (held === undefined) return true
    held.then(
      () => socket.resume(),
      (error: unknown) => socket.destroy(error instanceof Error ? error : new Error(String(error))),
    )
    return false
  }
  const socket: Socket = connect({ path, onread: { buffer, callback: receive } })
  socket.on('connect', () => {
    wasConnected = true
    socket.write(greeting)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? error.message
  })
  socket.on('close', () => handlers.onClose(code, wasConnected))
  return { close: () => socket.destroy() }
}
