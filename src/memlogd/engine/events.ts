/** What memlogd reports about itself in the log, under the source `memlogd`: the texts of the intake's events. */
import {
  eventClosingBlocked,
  eventConnectionEnded,
  eventControlTruncated,
  eventDatagramsLost,
  eventDatagramWithoutDescriptor,
  eventDescriptorRefused,
  eventEngineExited,
  eventEngineStalled,
  eventFilterUnavailable,
  eventIdleEnded,
  eventKmsgRecordTooLong,
  eventKmsgUnavailable,
  eventNameCut,
  eventNoDescriptors,
  eventOpenFailed,
  eventRateLimited,
  eventSourceBlocked,
  eventSourcesFull,
  eventStarted,
  eventStopping,
  eventTakenOver,
  eventTakeoverFailed,
  eventUnread,
  sourceKindSyslogTcp,
  sourceKindSyslogUdp,
  sourceKindSyslogUnix,
  sourceNameBytesMax,
  sourcesMax,
  syslogConnectionsMax,
  syslogConnectionsPerPeerMax,
  takeoverForbidden,
  takeoverRefused,
  uidUnknown,
} from '../../protocol/constants.ts'
import type { FrameView } from '../../protocol/frame.ts'

export const ownSource = 'memlogd'

/** An event frame's payload. */
export interface IntakeEvent {
  code: number
  /** How often it happened since the last event of this kind. */
  count: number
  argument: number
  text: string
}

export function parseEvent(frame: FrameView): IntakeEvent {
  const { bytes, payloadStart, payloadEnd } = frame
  const whole = payloadEnd - payloadStart >= 8
  return {
    code: frame.detail,
    count: whole ? bytes.readUInt32LE(payloadStart) : 1,
    argument: whole ? bytes.readUInt32LE(payloadStart + 4) : 0,
    text: whole ? bytes.toString('utf8', payloadStart + 8, payloadEnd) : '',
  }
}

export function eventText(event: IntakeEvent): string {
  const { count, argument, text } = event
  const times = (what: string): string => (count > 1 ? `${count} ${what}s` : `a ${what}`)
  switch (event.code) {
    case eventStarted:
      return 'memlogd started'
    case eventTakenOver:
      return `memlogd took over from the running one (pid ${argument}); nothing is lost`
    case eventTakeoverFailed:
      return takeoverFailure(argument)
    case eventStopping:
      return 'memlogd is stopping'
    case eventEngineExited:
      return `the engine ended (${waitStatusText(argument)}) and is restarted; what was logged is kept`
    case eventEngineStalled:
      return 'the engine did not answer and is killed; what was logged is kept'
    case eventDatagramWithoutDescriptor:
      return `ignored ${times('datagram')} without a descriptor on the log socket`
    case eventControlTruncated:
      return `${times('datagram')} on the log socket lost descriptors: the control message was truncated`
    case eventNameCut:
      return `${times('source name')} cut: longer than ${sourceNameBytesMax} bytes`
    case eventSourcesFull:
      return argument === sourceKindSyslogTcp
        ? `refused ${times('connection')} of syslog over TCP: ` +
            `all ${syslogConnectionsMax}, or all ${syslogConnectionsPerPeerMax} of ${networkName(text)}, are in use`
        : `refused ${times('source')}: all ${sourcesMax} are in use${named(text)}`
    case eventNoDescriptors:
      return `refused ${times('source')}: the limit of open files (ulimit -n) is reached${named(text)}`
    case eventIdleEnded:
      return `ended ${times('datagram socket')}, the longest silent first: nearly all ${sourcesMax} sources are in use${named(text)}`
    case eventConnectionEnded:
      return `ended ${times('silent connection')} of syslog over TCP for a new one: all ${syslogConnectionsMax} were in use${named(text)}`
    case eventUnread:
      return `memlogd stops before it could read ${count} bytes of ${argument === 1 ? 'a source' : `${argument} sources`}${named(text)}`
    case eventSourceBlocked:
      return `a read of ${text} blocked: a thread of its own reads it, for a minute at least`
    case eventClosingBlocked:
      return `closing descriptors that were passed hangs in ${argument} threads: no more are received until one ends`
    case eventDescriptorRefused:
      return `refused ${times('descriptor')} that can't be read (${fileTypeText(argument)})${named(text)}`
    case eventDatagramsLost:
      return `lost ${times('datagram')} from ${inputName(argument)}: they came faster than they could be stored`
    case eventRateLimited:
      return `refused ${times('datagram')} of ${userName(argument)} on the syslog socket: more than -syslog-user-rate allows`
    case eventKmsgUnavailable:
      return `no kernel messages: can't open ${text} (errno ${argument})`
    case eventKmsgRecordTooLong:
      return `skipped ${times('kernel record')} longer than the buffer`
    case eventFilterUnavailable:
      return 'this kernel has no filters for system calls (seccomp): the engine runs without one'
    case eventOpenFailed:
      return `can't open ${text} (errno ${argument})`
    default:
      return `event ${event.code} of the intake, ${count} times, argument ${argument} ${text}`
  }
}

function named(text: string): string {
  return text === '' ? '' : `: ${text}`
}

function takeoverFailure(why: number): string {
  if (why === takeoverForbidden) return 'refused to hand over: it runs with -takeover=never'
  return why === takeoverRefused
    ? 'refused to hand over: only the same user may ask, with a descriptor of the query socket'
    : 'could not hand over, and continues'
}

/** Connections are counted for each IPv4 address, and for each network of 64 bits of IPv6. */
function networkName(address: string): string {
  return address.includes(':') ? `${address}/64` : address
}

function userName(uid: number): string {
  return uid === uidUnknown ? 'several users' : `user ${uid}`
}

function inputName(kind: number): string {
  if (kind === sourceKindSyslogUnix) return 'the syslog socket'
  if (kind === sourceKindSyslogUdp) return 'syslog over UDP'
  if (kind === sourceKindSyslogTcp) return 'syslog over TCP'
  return `input ${kind}`
}

/** What a descriptor refers to, by the file type in its mode; 0 where it is not known. */
const fileTypes: Readonly<Record<number, string>> = {
  1: 'a FIFO',
  2: 'a character device',
  4: 'a directory',
  6: 'a block device',
  8: 'a regular file',
  10: 'a symbolic link',
  12: 'a socket',
}

function fileTypeText(type: number): string {
  return fileTypes[type] ?? 'of unknown type'
}

/** A wait status in words. */
function waitStatusText(status: number): string {
  const signal = status & 0x7f
  return signal === 0 ? `exit status ${(status >>> 8) & 0xff}` : `signal ${signal}`
}
