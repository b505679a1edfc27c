/**
 * A build step with named inputs. Its stamp holds a hash of everything that went in and the size
 * and time of everything that came out; a step whose stamp fits is skipped. A file that has kept its
 * size and its time since it was last hashed is not read again.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Layout } from './project.ts'

export interface Step {
  readonly name: string
  /** Files whose content matters. */
  readonly inputs: readonly string[]
  /** Anything else that matters: options, versions, names of tools. */
  readonly values: readonly string[]
  /** Files that the step makes. */
  readonly outputs: readonly string[]
  readonly run: () => void | Promise<void>
}

interface HashedFile {
  readonly stat: string
  readonly hash: string
}

interface Stamp {
  readonly key: string
  readonly inputs: Readonly<Record<string, HashedFile>>
  readonly outputs: Readonly<Record<string, string>>
}

/** Runs the step unless nothing has changed since it last ran; returns whether it ran. */
export async function runStep(layout: Layout, step: Step): Promise<boolean> {
  const stampFile = join(layout.cache, 'stamps', `${step.name}.json`)
  const old = readStamp(stampFile)
  const inputs = hashInputs(step.inputs, old)
  const key = stepKey(step, inputs)
  if (old?.key === key && step.outputs.every((file) => fileStat(file) === old.outputs[file])) return false
  for (const file of step.outputs) mkdirSync(dirname(file), { recursive: true })
  await step.run()
  const outputs: Record<string, string> = {}
  for (const file of step.outputs) {
    const stat = fileStat(file)
    if (stat === undefined) throw new Error(`build step ${step.name} did not make ${file}`)
    outputs[file] = stat
  }
  mkdirSync(dirname(stampFile), { recursive: true })
  writeFileSync(stampFile, JSON.stringify({ key, inputs, outputs } satisfies Stamp))
  return true
}

function hashInputs(files: readonly string[], old: Stamp | undefined): Record<string, HashedFile> {
  const hashed: Record<string, HashedFile> = {}
  for (const file of files) {
    const stat = fileStat(file) ?? 'missing'
    const known = old?.inputs[file]
    hashed[file] = known?.stat === stat ? known : { stat, hash: stat === 'missing' ? stat : sha256File(file) }
  }
  return hashed
}

function stepKey(step: Step, inputs: Record<string, HashedFile>): string {
  const hash = createHash('sha256')
  for (const value of step.values) hash.update(`${value}\0`)
  for (const [file, { hash: content }] of Object.entries(inputs)) hash.update(`${file}\0${content}\0`)
  for (const file of step.outputs) hash.update(`${file}\0`)
  return hash.digest('hex')
}

export function sha256File(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

function readStamp(file: string): Stamp | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Stamp
  } catch {
    // No stamp, or a damaged one: the step runs.
    return undefined
  }
}

/** Identity of a file's content for as long as nobody sets times back; undefined if it is not there. */
function fileStat(file: string): string | undefined {
  const stat = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stat === undefined ? undefined : `${stat.size} ${stat.mtimeNs} ${stat.ino}`
}
