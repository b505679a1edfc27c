/** Sockets that the engine is started with: the control stream and the listening query socket. */
import { createServer, type Server, Socket } from 'node:net'
import { type ControlMessage, ControlParser, encodeControl } from '../../protocol/frame.ts'
import { writeAll } from '../../system/write-all.ts'
import type { Client } from '../serve/client.ts'
import type { Connection } from '../serve/reader.ts'

const controlReadBytes = 4096

/** The engine's end of the control stream. */
export class ControlStream {
  readonly #fd: number
  readonly #socket: Socket

  /** `closed` is called when the intake is gone. */
  constructor(fd: number, take: (message: ControlMessage) => void, closed: () => void) {
    this.#fd = fd
    const parser = new ControlParser()
    const onread = {
      buffer: Buffer.alloc(controlReadBytes),
      callback: (bytes: number, buffer: Uint8Array): boolean => {
        parser.feed(Buffer.from(buffer.buffer, buffer.byteOffset, bytes), take)
        return true
      },
    }
    this.#socket = new Socket({ fd, readable: true, writable: false, onread })
    this.#socket.on('end', closed)
    this.#socket.on('error', closed)
    this.#socket.resume()
  }

  /**
   * Sends a message. Many at once, as of all containers after a start, fill the stream: then this waits for the intake, which
   * never waits for the engine. If the intake is gone, `closed` will be called.
   */
  send(type: number, arg: number, value: number, payload?: Buffer): void {
    const message = encodeControl(type, arg, value)
    writeAll(this.#fd, payload === undefined ? message : Buffer.concat([message, payload]))
  }
}

/** Serves a listening socket that was bound by somebody else. */
export function serve(fd: number, accept: (connection: Connection) => Client | undefined): Server {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const client = accept(new SocketConnection(socket))
    if (client === undefined) return
    socket.on('data', (bytes) => client.data(bytes as Buffer))
    socket.on('end', () => client.ended())
    // What happens to a client is the client's business; memlogd only lets go of it.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => client.closed())
  })
  return server.listen({ fd })
}

class SocketConnection implements Connection {
  readonly #socket: Socket

  /** Its number in this process; undefined once it is closed. Node has no public way to it. */
  get descriptor(): number | undefined {
    const { _handle: handle } = this.#socket as unknown as { _handle?: { fd?: number } | null }
    return handle?.fd
  }

  constructor(socket: Socket) {
    this.#socket = socket
  }

  write(bytes: Buffer, done: () => void): void {
    this.#socket.write(bytes, (error) => {
      if (error === undefined || error === null) done()
    })
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}
