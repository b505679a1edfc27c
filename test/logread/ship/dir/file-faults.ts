/** A file layer that counts the operations that change something, and lets a test break the Nth. */
import type { FileLayer, OpenFile } from '../../../../src/logread/ship/dir/file-layer.ts'

export interface Fault {
  /** Called before each operation that changes something; may throw or end the process. */
  before(count: number, what: string): void
  /** At most so many bytes are written by write number `count`; then `before` decides about the next one. */
  writeLimit?(count: number): number
}

export function errno(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code })
}

export function faultyFiles(real: FileLayer, fault: Fault): FileLayer & { count: number } {
  const layer = {
    ...real,
    count: 0,
    async openAppend(path: string) {
      fault.before(++layer.count, `open ${path}`)
      return faultyFile(await real.openAppend(path), path)
    },
    async rename(from: string, to: string) {
      fault.before(++layer.count, `rename ${from} ${to}`)
      await real.rename(from, to)
    },
    async remove(path: string) {
      fault.before(++layer.count, `remove ${path}`)
      await real.remove(path)
    },
    async makeDirectory(path: string) {
      fault.before(++layer.count, `makeDirectory ${path}`)
      await real.makeDirectory(path)
    },
    async gzip(from: string, to: string) {
      fault.before(++layer.count, `gzip ${from}`)
      await real.gzip(from, to)
    },
  }
  function faultyFile(file: OpenFile, path: string): OpenFile {
    return {
      ...file,
      async write(bytes, start, end) {
        fault.before(++layer.count, `write ${path}`)
        return await file.write(bytes, start, Math.min(end, start + (fault.writeLimit?.(layer.count) ?? end)))
      },
      async truncate(size) {
        fault.before(++layer.count, `truncate ${path}`)
        await file.truncate(size)
      },
    }
  }
  return layer
}
