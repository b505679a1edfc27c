/** The engine in memory: what every test of it starts with. */
import { DockerInput } from '../../src/memlogd/docker/input.ts'
import { DockerStreams } from '../../src/memlogd/docker/streams.ts'
import { Engine, type EngineParts, type FrameQueue } from '../../src/memlogd/engine/engine.ts'
import type { InputFactory } from '../../src/memlogd/engine/input.ts'
import { inputTable } from '../../src/memlogd/inputs/table.ts'
import { FakeWorld } from './fake-world.ts'
import { MemoryStore } from './memory-store.ts'
import { randomFrom } from './random.ts'

export type EngineOptions = EngineParts['options']

/** Everything that a test does not say: generous bounds, a world that stands still at second 9, a ring id of sevens. */
export interface EngineSetup extends Partial<Omit<EngineParts, 'queue' | 'options'>> {
  options?: Partial<EngineOptions>
}

const optionsDefault: EngineOptions = {
  maxLines: 1_000_000,
  maxBytes: 16 << 20,
  maxLineBytes: 200,
  priorityPrefix: true,
}

/** Containers that no state file names. */
const dockerInput: InputFactory = (slot, context) => new DockerInput(slot, context, new DockerStreams())

/** Every kind of source that there is. */
export const allInputs: InputFactory = inputTable(dockerInput)

const sevens = { ...randomFrom(0), bytes: (length: number) => Buffer.alloc(length, 7) }

/** An engine that has started and goes on from what is in the store. */
export function startEngine(queue: FrameQueue, setup: EngineSetup = {}): Engine {
  const engine = new Engine({
    store: new MemoryStore(),
    world: new FakeWorld({ realSeconds: 9, monoSeconds: 9, random: sevens }),
    onCommit: () => {},
    createInput: allInputs,
    ...setup,
    queue,
    options: { ...optionsDefault, ...setup.options },
  })
  engine.start()
  return engine
}

/** Stores every frame below the queue position `end`. */
export function storeAll(engine: Engine, end: number): void {
  while (engine.storeFrames(end));
}
