/**
 * Writes the batches of a rotation test as a process of its own and kills itself (SIGKILL) before the operation
 * that the test names. Arguments: directory, file with the number of batches delivered, operation.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { DirTarget } from '../../../../src/logread/ship/dir/dir-target.ts'
import { type FileLayer, systemFiles } from '../../../../src/logread/ship/dir/file-layer.ts'
import { line } from '../entries.ts'
import { faultyFiles } from './file-faults.ts'

export const crashBatches = 5
export const linesPerBatch = 3

export function crashBatch(batch: number): Buffer {
  const one = (index: number) =>
    line(batch * linesPerBatch + index + 1, 'x', `message ${batch * linesPerBatch + index}`)
  return Buffer.concat(Array.from({ length: linesPerBatch }, (_, index) => one(index)))
}

/** Delivers what is missing, as a shipper does: the checkpoint is kept after each batch. */
export async function writeBatches(directory: string, checkpoint: string, files: FileLayer): Promise<void> {
  const target = new DirTarget(
    files,
    { directory, sizeMax: 80, filesMax: 20, compress: true, totalMax: undefined },
    () => undefined,
  )
  for (let batch = Number(readFileSync(checkpoint, 'utf8')); batch < crashBatches; batch++) {
    const bytes = crashBatch(batch)
    await target.deliver(bytes, 0, bytes.length)
    writeFileSync(checkpoint, String(batch + 1))
  }
  await target.close()
}

if (process.argv[1] === import.meta.filename) {
  const [directory, checkpoint, killAt] = process.argv.slice(2) as [string, string, string]
  let cut = false
  const files = faultyFiles(systemFiles, {
    before(count) {
      if (count !== Number(killAt)) return
      process.kill(process.pid, 'SIGKILL')
    },
    // The write before the end is a short one, so that a torn line is left.
    writeLimit(count) {
      cut = count === Number(killAt) - 1
      return cut ? 10 : 1e9
    },
  })
  await writeBatches(directory, checkpoint, files)
  console.log(files.count)
}
