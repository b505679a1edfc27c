/** Faults that the simulation of the inputs must find; each is planted for as long as a test runs. */
import { DockerPartials } from '../../../src/memlogd/docker/partials.ts'
import { KmsgJoiner } from '../../../src/memlogd/inputs/kmsg-record.ts'
import { SyslogStream } from '../../../src/memlogd/inputs/syslog-stream.ts'
import { replace } from '../planted-faults.ts'

export const plantedInputFaults: Record<string, () => () => void> = {
  'an unfinished syslog message is forgotten': () => replace(SyslogStream.prototype, 'carry', () => () => undefined),
  'a syslog message comes back without its framing': () =>
    replace(SyslogStream.prototype, 'restore', (restore) => {
      return function (this: SyslogStream, carry) {
        const damaged = Buffer.from(carry)
        damaged.writeUInt32LE(Math.max(0, carry.readUInt32LE(4) - 1), 4)
        restore.call(this, damaged)
      }
    }),
  'a record of the kernel that is held is forgotten': () =>
    replace(KmsgJoiner.prototype, 'restore', (restore) => {
      return function (this: KmsgJoiner, carry) {
        const damaged = Buffer.from(carry)
        damaged.writeDoubleLE(0, 8)
        restore.call(this, damaged)
      }
    }),
  'records of the kernel that were read are read again': () =>
    replace(KmsgJoiner.prototype, 'restore', () => () => undefined),
  'pieces of a container are forgotten': () => replace(DockerPartials.prototype, 'carry', () => () => undefined),
  'pieces of a container come back in the other stream': () =>
    replace(DockerPartials.prototype, 'push', (push) => {
      return function (this: DockerPartials, entry, sink) {
        if (entry.isPartial && entry.isLast) entry.isStderr = !entry.isStderr
        push.call(this, entry, sink)
      }
    }),
}
