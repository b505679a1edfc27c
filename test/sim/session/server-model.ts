/** A memlogd as its readers see it: it overwrites, answers in pieces, breaks off anywhere, and answers nothing. */
import type { Socket } from 'node:net'
import { queryModeDump, queryModeFollow } from '../../../src/protocol/constants.ts'
import type { ParsedRequest } from '../../../src/protocol/query.ts'
import { endEntry, gap, sample } from '../../support/entries.ts'
import type { Random } from '../../support/random.ts'
import { headerLine, ringId } from '../../support/stand-in.ts'

interface Reader {
  socket: Socket
  /** Sequence number of the entry that comes next. */
  next: number
  delivered: number
  /** Bytes after which the connection breaks. */
  bytesLeft: number
}

export class ServerModel {
  written = 0
  oldest = 1
  connections = 0
  /** Chance that a connection breaks by itself. */
  trouble = 0
  readonly #random: Random
  readonly #followers = new Set<Reader>()

  constructor(random: Random) {
    this.#random = random
  }

  readonly serve = (socket: Socket, parsed: ParsedRequest): void => {
    this.connections++
    if (parsed.kind !== 'extended') throw new Error(`a request of the kind ${parsed.kind}`)
    const { mode, request } = parsed
    const isBroken = this.#random.chance(this.trouble)
    if (isBroken && this.#random.chance(0.3)) {
      // An engine that dies before it has answered.
      socket.end()
      return
    }
    const cursor = request.cursor?.ring === ringId ? request.cursor.sequence : undefined
    const next = cursor ?? (mode === queryModeFollow ? this.written + 1 : this.oldest)
    const bytesLeft = isBroken ? this.#random.below(2000) : Number.POSITIVE_INFINITY
    const reader = { socket, next, delivered: 0, bytesLeft }
    this.#send(reader, headerLine({ first: this.oldest, next: this.written + 1, applied: Object.keys(request) }))
    this.#sendEntries(reader)
    if (mode === queryModeDump) {
      this.#send(reader, endEntry(reader.delivered))
      socket.end()
    } else this.#followers.add(reader)
  }

  write(lines: number): void {
    this.written += lines
    for (const reader of this.#followers) this.#sendEntries(reader)
  }

  overwrite(lines: number): void {
    this.oldest = Math.min(this.oldest + lines, this.written + 1)
  }

  /** The engine dies: every connection ends where it is. */
  breakAll(): void {
    for (const { socket } of this.#followers) socket.end()
    this.#followers.clear()
  }

  #sendEntries(reader: Reader): void {
    const parts: Buffer[] = []
    if (reader.next < this.oldest) {
      const [first, lost] = [reader.next, this.oldest - reader.next]
      parts.push(gap(0, lost, { first: String(first), last: String(first + lost - 1) }))
      reader.next = this.oldest
    }
    for (; reader.next <= this.written; reader.next++, reader.delivered++) parts.push(sample(reader.next))
    const bytes = Buffer.concat(parts)
    // In pieces of any size, which end anywhere.
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + this.#random.below(this.#random.pick([40, 500, 5000]))
      this.#send(reader, bytes.subarray(at, at + length))
      at += length
    }
  }

  #send(reader: Reader, bytes: Buffer): void {
    if (reader.bytesLeft <= 0) return
    reader.socket.write(bytes.subarray(0, reader.bytesLeft))
    reader.bytesLeft -= bytes.length
    if (reader.bytesLeft > 0) return
    reader.socket.end()
    this.#followers.delete(reader)
  }
}
