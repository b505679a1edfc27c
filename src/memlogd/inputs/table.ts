/** Which input parses the frames of which kind of source: one row each. */
import type { PartialBudget } from '../../lines/splitter.ts'
import { sourceKindEngineOutput, sourceKindStream } from '../../protocol/constants.ts'
import type { SourceSlot } from '../../protocol/frame.ts'
import type { Counters } from '../counters.ts'
import { safeSourceName } from '../source-name.ts'
import { FdStreamInput } from './fd-stream.ts'
import type { Input } from './input.ts'

/** What inputs share. */
export interface InputContext {
  maxLineBytes: number
  /** Whether stream lines that begin with `<N>` carry that priority. */
  priorityPrefix: boolean
  budget: PartialBudget
  counters: Counters
}

type InputFactory = (slot: SourceSlot, context: InputContext) => Input

const factories = new Map<number, InputFactory>([
  [sourceKindStream, fdStream],
  [sourceKindEngineOutput, fdStream],
])

/** The input for a source; one of an unknown kind is read as a stream of lines, so that nothing is lost. */
export function createInput(slot: SourceSlot, context: InputContext): Input {
  return (factories.get(slot.kind) ?? fdStream)(slot, context)
}

function fdStream(slot: SourceSlot, context: InputContext): Input {
  return new FdStreamInput(safeSourceName(slot.name), context.maxLineBytes, context.budget, context.counters)
}
