import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants as flags, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { ExitError } from '../../../src/cli/errors.ts'
import { Output } from '../../../src/logread/show/output.ts'

function failure(code: string): NodeJS.ErrnoException {
  const errno = Object.entries(constants.errno).find(([name]) => name === code)?.[1]
  return Object.assign(new Error(`${code}: went wrong`), { code, ...(errno === undefined ? {} : { errno: -errno }) })
}

/** An output whose writes do what the steps say, a number of bytes or an error; what is written later is collected. */
function scripted(steps: (number | string)[]) {
  const written: string[] = []
  const later: { bytes: string; done: (error?: Error | null) => void }[] = []
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      later.push({ bytes: chunk.toString('latin1'), done })
    },
  })
  const writeSync = (bytes: Buffer, offset: number, length: number) => {
    const step = steps.shift() ?? length
    if (typeof step === 'string') throw failure(step)
    const taken = Math.min(step, length)
    written.push(bytes.toString('latin1', offset, offset + taken))
    return taken
  }
  return { output: new Output(1, 'standard output', { writeSync, stream, release: () => undefined }), written, later }
}

const bytes = Buffer.from('..0123456789..')

describe('an output', () => {
  it('writes what lies between start and end', () => {
    const { output, written } = scripted([])
    expect(output.write(bytes, 2, 12)).toBe(true)
    expect(written).toEqual(['0123456789'])
    expect(output.write(bytes, 3, 3)).toBe(true)
    expect(output.busy).toBeUndefined()
  })

  it('goes on after partial writes and interrupted ones', () => {
    const { output, written } = scripted([1, 'EINTR', 4, 0, 2])
    expect(output.write(bytes, 2, 12)).toBe(true)
    expect(written.join('')).toBe('0123456789')
  })

  it('keeps what does not fit, in order, until it is written', async () => {
    const { output, written, later } = scripted([3, 'EAGAIN'])
    expect(output.write(bytes, 2, 12)).toBe(true)
    expect(output.write(bytes, 0, 2)).toBe(true)
    expect(written).toEqual(['012'])
    let isWritten = false
    const waited = output.written?.then(() => {
      isWritten = true
    })
    expect(later.map((one) => one.bytes)).toEqual(['3456789'])
    later[0]?.done()
    await new Promise(setImmediate)
    expect([later[1]?.bytes, isWritten]).toEqual(['..', false])
    later[1]?.done()
    await waited
    expect(output.written).toBeUndefined()
    expect(output.write(bytes, 2, 4)).toBe(true)
    expect(written).toEqual(['012', '01'])
  })

  it('is busy while more waits than it may hold, until half of that is left', async () => {
    const { output, later } = scripted(['EAGAIN'])
    const quarter = Buffer.alloc(64 * 1024)
    for (let part = 0; part < 4; part++) output.write(quarter)
    expect(output.busy).toBeUndefined()
    output.write(quarter)
    const { busy } = output
    expect(busy).toBeInstanceOf(Promise)
    for (let part = 0; part < 3; part++) {
      expect(output.busy).toBe(busy)
      later[part]?.done()
      await new Promise(setImmediate)
    }
    await busy
    expect(output.busy).toBeUndefined()
    expect(output.written).toBeInstanceOf(Promise)
  })

  it('writes nothing more once the reader has closed', () => {
    const { output, written } = scripted([4, 'EPIPE'])
    expect(output.hasReader).toBe(true)
    expect(output.write(bytes, 2, 12)).toBe(false)
    expect(output.hasReader).toBe(false)
    expect(output.write(bytes)).toBe(false)
    expect(written).toEqual(['0123'])
  })

  it('notices that the reader closes while it waits', async () => {
    const { output, later } = scripted(['EAGAIN'])
    output.write(bytes)
    const waited = output.written
    later[0]?.done(failure('EPIPE'))
    await waited
    expect([output.hasReader, output.written]).toEqual([false, undefined])
  })

  it.each([
    ['ENOSPC', 'standard output: no space left on device'],
    ['EDQUOT', 'standard output: disk quota exceeded'],
    ['EXYZ', 'standard output: EXYZ: went wrong'],
  ])('says why a write failed: %s', async (code, message) => {
    const { output } = scripted([2, code])
    expect(() => output.write(bytes)).toThrow(ExitError)
    expect(() => scripted([code]).output.write(bytes)).toThrow(message)
    const slow = scripted(['EAGAIN'])
    slow.output.write(bytes)
    slow.later[0]?.done(failure(code))
    await expect(slow.output.written).rejects.toThrow(message)
    await new Promise(setImmediate)
    await expect(slow.output.written).rejects.toThrow(message)
  })

  it('reports a full disk', () => {
    const output = new Output(openSync('/dev/full', 'w'), 'full')
    expect(() => output.write(bytes)).toThrow('full: no space left on device')
    expect(output.isTerminal).toBe(false)
  })
})

const directory = mkdtempSync(join(tmpdir(), 'output-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Bytes that are there; 0 if there are none yet. */
function readSome(fd: number): number {
  try {
    return readSync(fd, Buffer.alloc(much.length))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}

/** More than a pipe holds. */
const much = Buffer.alloc(1024 * 1024, 'x')

describe('an output that nobody empties', () => {
  it('does not block on a FIFO, and leaves its flags as they are', async () => {
    const path = join(directory, 'fifo')
    execFileSync('mkfifo', [path])
    const reader = openSync(path, flags.O_RDONLY | flags.O_NONBLOCK)
    const fd = openSync(path, flags.O_WRONLY)
    const output = new Output(fd, 'fifo')
    expect(output.write(much)).toBe(true)
    expect(output.busy).toBeInstanceOf(Promise)
    const shown = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]
    expect(Number.parseInt(shown ?? '', 8) & flags.O_NONBLOCK).toBe(0)
    let read = 0
    while (read < much.length) {
      read += readSome(reader)
      await new Promise(setImmediate)
    }
    await output.written
    closeSync(reader)
    expect(output.write(much)).toBe(false)
  })

  it('does not block on a socket, which blocks again for others afterwards', async () => {
    const program = `
      import { readFileSync } from 'node:fs'
      import { Output } from '${new URL('../../../src/logread/show/output.ts', import.meta.url).href}'
      const flags = () => /flags:\\s+0*(\\d+)/.exec(readFileSync('/proc/self/fdinfo/1', 'latin1'))[1]
      const before = flags()
      const output = new Output(1, 'socket')
      output.write(Buffer.alloc(1024 * 1024, 'x'))
      process.stderr.write(String(output.busy !== undefined))
      process.stdin.once('data', async () => {
        await output.written
        output.end()
        process.stderr.write(' ' + (flags() === before))
        process.exit()
      })`
    // libuv's pipes to children are sockets.
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'pipe' })
    let said = ''
    child.stderr.on('data', (chunk) => {
      said += chunk
    })
    await once(child.stderr, 'data')
    let bytesRead = 0
    child.stdout.on('data', (chunk: Buffer) => {
      bytesRead += chunk.length
    })
    child.stdin.write('go\n')
    await once(child, 'close')
    expect([said, bytesRead]).toEqual(['true true', 1024 * 1024])
  })
})
