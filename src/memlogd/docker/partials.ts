/**
 * Joins the pieces of a long line. dockerd cuts lines at 16 KiB; stdout and stderr of a container come mixed through
 * one FIFO, so one line of each may be unfinished. What is held is at most `lineBytesMax` bytes for each.
 */

import { type ByteBudget, HeldBytes } from '../../lines/held-bytes.ts'
import type { DockerLogEntry } from './frame.ts'

/** A line that is complete. A view, valid during the call. */
export interface DockerLine {
  isStderr: boolean
  seconds: number
  nanos: number
  bytes: Buffer
  start: number
  end: number
  cutBytes: number
  /** The container ended, or went on with another line, before this line's last piece came. */
  isUnterminated: boolean
}

export type DockerLineSink = (line: DockerLine) => void

interface Pending {
  isOpen: boolean
  id: string
  seconds: number
  nanos: number
  readonly held: HeldBytes
}

/** dockerd cuts lines into pieces of this length. */
const pieceBytes = 16 * 1024
const carryHeaderBytes = 20
const uint32Max = 0xffff_ffff

export class DockerPartials {
  readonly #max: number
  readonly #pending: readonly [Pending, Pending]
  readonly #line: DockerLine = newLine()

  constructor(lineBytesMax: number, budget: ByteBudget) {
    this.#max = lineBytesMax
    this.#pending = [newPending(lineBytesMax, budget), newPending(lineBytesMax, budget)]
  }

  push(entry: DockerLogEntry, sink: DockerLineSink): void {
    const pending = this.#pending[entry.isStderr ? 1 : 0]
    // Another id, or none, means that the last piece of the line before never came.
    if (pending.isOpen && entry.partialId !== pending.id) this.#emitPending(entry.isStderr, true, sink)
    const isWhole = !entry.isPartial || isLastPiece(entry)
    if (isWhole && !pending.isOpen) {
      this.#emitWhole(entry, sink)
      return
    }
    if (!pending.isOpen) open(pending, entry)
    pending.held.append(entry.bytes, entry.lineStart, entry.lineEnd)
    if (isWhole) this.#emitPending(entry.isStderr, false, sink)
  }

  /** No more comes: hands over one line that is held, if there is one. To be called until `hasCarry` is false. */
  end(sink: DockerLineSink): void {
    const isStderr = !this.#pending[0].isOpen
    if (this.hasCarry) this.#emitPending(isStderr, true, sink)
    for (const pending of this.#pending) if (!pending.isOpen) pending.held.release()
  }

  /** Whether a line is unfinished. */
  get hasCarry(): boolean {
    return this.#pending[0].isOpen || this.#pending[1].isOpen
  }

  /** What must survive a restart, or undefined if nothing is held. */
  carry(): Buffer | undefined {
    if (!this.hasCarry) return undefined
    return Buffer.concat(this.#pending.map(carryOf))
  }

  /** Takes up where `carry` was made; a carry that makes no sense is dropped. */
  restore(carry: Buffer): void {
    let at = 0
    for (const pending of this.#pending) {
      if (carry.length - at < carryHeaderBytes) return
      const idLength = carry.readUInt16LE(at + 2)
      const length = carry.readUInt32LE(at + 12)
      const end = at + carryHeaderBytes + idLength + length
      if (end > carry.length) return
      pending.held.restore(carry, at + carryHeaderBytes + idLength, end, carry.readUInt32LE(at + 16))
      pending.isOpen = carry[at] === 1
      pending.seconds = carry.readUInt32LE(at + 4)
      pending.nanos = carry.readUInt32LE(at + 8)
      pending.id = carry.toString('latin1', at + carryHeaderBytes, at + carryHeaderBytes + idLength)
      at = end
    }
  }

  #emitWhole(entry: DockerLogEntry, sink: DockerLineSink): void {
    const line = this.#line
    line.isStderr = entry.isStderr
    line.seconds = entry.seconds
    line.nanos = entry.nanos
    line.bytes = entry.bytes
    line.start = entry.lineStart
    line.end = Math.min(entry.lineEnd, entry.lineStart + this.#max)
    line.cutBytes = entry.lineEnd - line.end
    line.isUnterminated = false
    sink(line)
  }

  #emitPending(isStderr: boolean, isUnterminated: boolean, sink: DockerLineSink): void {
    const pending = this.#pending[isStderr ? 1 : 0]
    const line = this.#line
    line.isStderr = isStderr
    line.seconds = pending.seconds
    line.nanos = pending.nanos
    line.bytes = pending.held.bytes
    line.start = 0
    line.end = pending.held.length
    line.cutBytes = pending.held.cutBytes
    line.isUnterminated = isUnterminated
    pending.isOpen = false
    sink(line)
    pending.held.clear()
  }
}

/**
 * A dockerd that sends no metadata (before 18.09) marks the last piece as partial too; the pieces before it are full.
 */
function isLastPiece(entry: DockerLogEntry): boolean {
  return entry.isLast || (entry.partialId === '' && entry.lineEnd - entry.lineStart < pieceBytes)
}

function open(pending: Pending, entry: DockerLogEntry): void {
  pending.isOpen = true
  pending.id = entry.partialId
  pending.seconds = entry.seconds
  pending.nanos = entry.nanos
  pending.held.clear()
}

/**
 * u8 open, u8 0, u16 id length, u32 seconds, u32 nanos, u32 length, u32 cut bytes, id, bytes. A line without end, or a
 * stamp of far away, may have numbers that are larger: they become the largest.
 */
function carryOf(pending: Pending): Buffer {
  const length = pending.isOpen ? pending.held.length : 0
  const id = Buffer.from(pending.isOpen ? pending.id : '', 'latin1')
  const carry = Buffer.alloc(carryHeaderBytes + id.length + length)
  carry[0] = pending.isOpen ? 1 : 0
  carry.writeUInt16LE(id.length, 2)
  carry.writeUInt32LE(Math.min(pending.seconds, uint32Max), 4)
  carry.writeUInt32LE(pending.nanos, 8)
  carry.writeUInt32LE(length, 12)
  carry.writeUInt32LE(pending.isOpen ? Math.min(pending.held.cutBytes, uint32Max) : 0, 16)
  id.copy(carry, carryHeaderBytes)
  pending.held.bytes.copy(carry, carryHeaderBytes + id.length, 0, length)
  return carry
}

function newPending(lineBytesMax: number, budget: ByteBudget): Pending {
  return { isOpen: false, id: '', seconds: 0, nanos: 0, held: new HeldBytes(lineBytesMax, budget) }
}

function newLine(): DockerLine {
  const bytes = Buffer.alloc(0)
  return {
    isStderr: false,
    seconds: 0,
    nanos: 0,
    bytes,
    start: 0,
    end: 0,
    cutBytes: 0,
    isUnterminated: false,
  }
}
