/** Syslog sources: the datagram sockets of this machine and of the network, and TCP connections. */
import { entryFlagCut, entryFlagUnterminated, sourceKindSyslogUnix } from '../../protocol/constants.ts'
import { FieldsBuilder } from '../../protocol/fields.ts'
import type { FrameView, SourceSlot } from '../../protocol/frame.ts'
import type { Stamp } from '../../protocol/timestamp.ts'
import { EntryDraft } from '../../ring/ring.ts'
import type { Counters } from '../engine/counters.ts'
import type { Input, InputContext } from '../engine/input.ts'
import { CuttingAppender } from './append.ts'
import { peerAddress } from './peer-address.ts'
import { findMessageEnd, SyslogMessage, skipLength } from './syslog-message.ts'
import { type MessageSink, SyslogStream } from './syslog-stream.ts'

/** Bytes before a datagram's peer address: u32 pid, uid, gid, address length. */
const datagramPrefixBytes = 16
/** A message over TCP: its text may have maxLineBytes, and as much again is room for the header. */
const streamHeaderBytesMax = 16 * 1024

/** Turns messages into entries. */
class SyslogEntries {
  readonly #appender: CuttingAppender
  readonly #counters: Counters
  readonly #message = new SyslogMessage()
  readonly #fields = new FieldsBuilder()
  readonly #entry = new EntryDraft()

  constructor(context: InputContext) {
    this.#appender = new CuttingAppender(context)
    this.#counters = context.counters
  }

  get isFull(): boolean {
    return this.#appender.isFull
  }

  /** When the messages that follow were read. */
  set stamp(stamp: Stamp) {
    this.#entry.stamp = stamp
  }

  /** Appends the message bytes[start,end). What is known of the sender comes before the message's own fields. */
  append(bytes: Buffer, start: number, end: number, flags: number, cutBytes: number, sender: Sender): void {
    const message = this.#message.parse(bytes, start, end, sender.isRemote)
    const fields = this.#fields.clear()
    sender.addTo(fields, message.pid)
    fields.addEncoded(message.fields.bytes)
    const fault = fields.leftOut > 0 ? 'fields-left-out' : message.fault
    if (fault !== 'none') this.#counters.add(faultCounters[fault])
    const entry = this.#entry
    entry.source = message.source
    entry.bytes = bytes
    entry.start = message.textStart
    entry.end = message.textEnd
    entry.flags = flags
    entry.cutBytes = cutBytes
    entry.priority = message.priority
    entry.fields = fields.bytes
    this.#appender.append(entry)
  }
}

const faultCounters = {
  'no-priority': 'syslogWithoutPriority',
  'rfc5424-header': 'syslogBadHeader',
  'structured-data': 'syslogBadStructuredData',
  'fields-left-out': 'fieldsLeftOut',
} as const

/** What is known of who sent a message, beside what the message says. */
interface Sender {
  /** On another machine, as far as is known. */
  readonly isRemote: boolean
  /** Adds it to the fields; `pid` is what the message states. */
  addTo(fields: FieldsBuilder, pid: string): void
}

/** The process that the kernel says wrote a datagram. Most senders write more than one: the fields are kept. */
class ProcessSender implements Sender {
  readonly isRemote = false
  #pid = -1
  #uid = -1
  #gid = -1
  readonly #owner = new FieldsBuilder()

  at(bytes: Buffer, start: number): this {
    const pid = bytes.readUInt32LE(start)
    const uid = bytes.readUInt32LE(start + 4)
    const gid = bytes.readUInt32LE(start + 8)
    if (uid !== this.#uid || gid !== this.#gid) {
      this.#owner.clear()
      this.#owner.add('uid', String(uid))
      this.#owner.add('gid', String(gid))
    }
    this.#pid = pid
    this.#uid = uid
    this.#gid = gid
    return this
  }

  addTo(fields: FieldsBuilder, stated: string): void {
    fields.addEncoded(this.#owner.bytes)
    // Pid 0 is a process of another pid namespace, or none at all.
    const pid = this.#pid === 0 ? '' : String(this.#pid)
    if (pid === '' || pid === stated) return
    fields.add(stated === '' ? 'pid' : 'sender_pid', pid)
  }
}

/** The network address that a message came from. */
class PeerSender implements Sender {
  readonly isRemote = true
  address = ''

  addTo(fields: FieldsBuilder): void {
    if (this.address !== '') fields.add('peer', this.address)
  }
}

/** Datagrams of /dev/log and of UDP. */
export class SyslogDatagramInput implements Input {
  readonly #entries: SyslogEntries
  readonly #counters: Counters
  readonly #isLocal: boolean
  readonly #process = new ProcessSender()
  readonly #peer = new PeerSender()
  readonly hasCarry = false

  constructor(slot: SourceSlot, context: InputContext) {
    this.#entries = new SyslogEntries(context)
    this.#counters = context.counters
    this.#isLocal = slot.kind === sourceKindSyslogUnix
  }

  /** A datagram holds one message, or several that end with NUL; it is begun anew at `start` after a commit. */
  push(frame: FrameView, start: number, end: number): number {
    this.#entries.stamp = frame
    const { bytes, payloadStart } = frame
    const textStart = payloadStart + datagramPrefixBytes + this.#addressBytes(frame, end)
    if (textStart > end) {
      this.#counters.add('inputErrors')
      return end
    }
    const sender = this.#sender(frame, textStart)
    let at = start > textStart ? start : this.#isLocal ? textStart : skipLength(bytes, textStart, end)
    while (at < end) {
      if (this.#entries.isFull) return at
      const messageEnd = findMessageEnd(bytes, at, end)
      if (messageEnd > at) {
        // The kernel cut the datagram: how many bytes it had is not known.
        const flags = frame.detail === 1 && messageEnd === end ? entryFlagCut : 0
        this.#entries.append(bytes, at, messageEnd, flags, 0, sender)
      }
      at = messageEnd + 1
    }
    return end
  }

  #addressBytes(frame: FrameView, end: number): number {
    if (end - frame.payloadStart < datagramPrefixBytes) return 0
    return frame.bytes.readUInt32LE(frame.payloadStart + 12)
  }

  #sender(frame: FrameView, textStart: number): Sender {
    if (this.#isLocal) return this.#process.at(frame.bytes, frame.payloadStart)
    this.#peer.address = peerAddress(frame.bytes, frame.payloadStart + datagramPrefixBytes, textStart)
    return this.#peer
  }

  end(): void {}
  carry(): Buffer | undefined {
    return undefined
  }
  restore(): void {}
}

/** One TCP connection; the source's name is the peer's address and port. */
export class SyslogStreamInput implements Input, MessageSink {
  readonly #entries: SyslogEntries
  readonly #stream: SyslogStream
  readonly #peer = new PeerSender()

  constructor(slot: SourceSlot, context: InputContext) {
    this.#entries = new SyslogEntries(context)
    this.#stream = new SyslogStream(context.maxLineBytes + streamHeaderBytesMax, context.networkBudget)
    this.#peer.address = slot.name.toString('latin1')
  }

  get isFull(): boolean {
    return this.#entries.isFull
  }

  push(frame: FrameView, start: number, end: number): number {
    this.#entries.stamp = frame
    return this.#stream.push(frame.bytes, start, end, this)
  }

  end(stamp: Stamp): void {
    this.#entries.stamp = stamp
    this.#stream.end(this)
  }

  interrupt(stamp: Stamp): void {
    this.end(stamp)
  }

  message(bytes: Buffer, start: number, end: number, cutBytes: number, isUnterminated: boolean): void {
    const flags = isUnterminated ? entryFlagUnterminated : 0
    this.#entries.append(bytes, start, end, flags, cutBytes, this.#peer)
  }

  get hasCarry(): boolean {
    return this.#stream.hasCarry
  }

  carry(): Buffer | undefined {
    return this.#stream.carry()
  }

  restore(carry: Buffer): void {
    this.#stream.restore(carry)
  }
}
