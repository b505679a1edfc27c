/** Which input parses the frames of which kind of source: one row each. */
import {
  sourceKindDocker,
  sourceKindEngineOutput,
  sourceKindKmsg,
  sourceKindStream,
  sourceKindSyslogTcp,
  sourceKindSyslogUdp,
  sourceKindSyslogUnix,
} from '../../protocol/constants.ts'
import type { SourceSlot } from '../../protocol/frame.ts'
import type { Input, InputContext, InputFactory } from '../engine/input.ts'
import { FdStreamInput } from './fd-stream.ts'
import { KmsgInput } from './kmsg.ts'
import { safeSourceName } from './source-name.ts'
import { SyslogDatagramInput, SyslogStreamInput } from './syslog.ts'

/**
 * The inputs of all kinds of sources. One of an unknown kind is read as a stream of lines, so that nothing is lost; so
 * are Docker's without `docker`, the plugin's own.
 */
export function inputTable(docker: InputFactory = fdStream): InputFactory {
  const factories = new Map<number, InputFactory>([
    [sourceKindStream, fdStream],
    [sourceKindEngineOutput, fdStream],
    [sourceKindSyslogUnix, (slot, context) => new SyslogDatagramInput(slot, context)],
    [sourceKindSyslogUdp, (slot, context) => new SyslogDatagramInput(slot, context)],
    [sourceKindSyslogTcp, (slot, context) => new SyslogStreamInput(slot, context)],
    [sourceKindDocker, docker],
    [sourceKindKmsg, (_slot, context) => new KmsgInput(context)],
  ])
  return (slot, context) => (factories.get(slot.kind) ?? fdStream)(slot, context)
}

function fdStream(slot: SourceSlot, context: InputContext): Input {
  // The engine's own output is memlogd speaking to itself: nothing in it is meant for a syslog.
  const hasPriority = context.priorityPrefix && slot.kind === sourceKindStream
  return new FdStreamInput(safeSourceName(slot.name), context, hasPriority)
}
