/** Which input parses the frames of which kind of source: one row each. */
import type { PartialBudget } from '../../lines/splitter.ts'
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
import { DockerInput } from '../docker/input.ts'
import type { DockerStreams } from '../docker/streams.ts'
import type { Counters } from '../engine/counters.ts'
import { FdStreamInput } from './fd-stream.ts'
import type { Input } from './input.ts'
import { KmsgInput } from './kmsg.ts'
import { safeSourceName } from './source-name.ts'
import { SyslogDatagramInput, SyslogStreamInput } from './syslog.ts'

/** What inputs share. */
export interface InputContext {
  maxLineBytes: number
  /** Whether stream lines that begin with `<N>` carry that priority. */
  priorityPrefix: boolean
  budget: PartialBudget
  counters: Counters
  /** The containers that log to us, where the Docker plugin is switched on. */
  docker?: DockerStreams | undefined
}

type InputFactory = (slot: SourceSlot, context: InputContext) => Input

const factories = new Map<number, InputFactory>([
  [sourceKindStream, fdStream],
  [sourceKindEngineOutput, fdStream],
  [sourceKindSyslogUnix, (slot, context) => new SyslogDatagramInput(slot, context)],
  [sourceKindSyslogUdp, (slot, context) => new SyslogDatagramInput(slot, context)],
  [sourceKindSyslogTcp, (slot, context) => new SyslogStreamInput(slot, context)],
  [sourceKindDocker, (slot, context) => new DockerInput(slot, context)],
  [sourceKindKmsg, (_slot, context) => new KmsgInput(context)],
])

/** The input for a source; one of an unknown kind is read as a stream of lines, so that nothing is lost. */
export function createInput(slot: SourceSlot, context: InputContext): Input {
  return (factories.get(slot.kind) ?? fdStream)(slot, context)
}

function fdStream(slot: SourceSlot, context: InputContext): Input {
  const { maxLineBytes, budget, counters } = context
  // The engine's own output is memlogd speaking to itself: nothing in it is meant for a syslog.
  const takesPriority = context.priorityPrefix && slot.kind === sourceKindStream
  return new FdStreamInput(safeSourceName(slot.name), maxLineBytes, budget, counters, takesPriority)
}
