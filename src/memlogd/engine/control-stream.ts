/** The engine's end of the control stream. */
import { Socket } from 'node:net'
import { type ControlMessage, ControlParser, encodeControl } from '../../protocol/frame.ts'
import { writeAll } from '../../system/write-all.ts'

const controlReadBytes = 4096

export class ControlStream {
  readonly #fd: number
  readonly #socket: Socket

  /** `closed` is called when the intake is dead. */
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
   * Sends a message. Many at once, as of all containers after a start, fill the stream: then this waits for the intake,
   * which never waits for the engine. If the intake is dead, `closed` will be called.
   */
  send(type: number, arg: number, value: number, payload?: Buffer): void {
    const message = encodeControl(type, arg, value)
    writeAll(this.#fd, payload === undefined ? message : Buffer.concat([message, payload]))
  }
}
