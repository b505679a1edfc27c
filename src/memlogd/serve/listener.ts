/** The listening query socket: every connection becomes a client of the query server. */
import { createServer, type Server, Socket } from 'node:net'
import type { Client } from './client.ts'
import type { Connection } from './reader.ts'

/** Accepts clients on a listening socket that the intake bound. */
export function serve(fd: number, accept: (connection: Connection) => Client | undefined): Server {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    listenTo(socket, accept(new SocketConnection(socket)))
  })
  return server.listen({ fd })
}

/** Continues with a connection that is open already. */
export function resume(fd: number, adopt: (connection: Connection) => Client | undefined): void {
  const socket = new Socket({ fd, allowHalfOpen: true, readable: true, writable: true })
  listenTo(socket, adopt(new SocketConnection(socket)))
  socket.resume()
}

function listenTo(socket: Socket, client: Client | undefined): void {
  if (client === undefined) return
  socket.on('data', (bytes) => client.data(bytes as Buffer))
  socket.on('end', () => client.ended())
  // A client's errors end that client alone.
  socket.on('error', () => socket.destroy())
  socket.on('close', () => client.closed())
}

class SocketConnection implements Connection {
  readonly #socket: Socket

  /** Its number in this process; undefined once it is closed. Node has no public name for it. */
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
