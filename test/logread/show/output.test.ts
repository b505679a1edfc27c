import { openSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { Output, OutputError, type WriteCall } from '../../../src/logread/show/output.ts'

function failure(code: string): NodeJS.ErrnoException {
  const errno = Object.entries(constants.errno).find(([name]) => name === code)?.[1]
  return Object.assign(new Error(`${code}: went wrong`), { code, ...(errno === undefined ? {} : { errno: -errno }) })
}

/** An output whose calls do what the steps say: a number of bytes, or an error. */
function scripted(steps: (number | string)[]) {
  const written: string[] = []
  const waits: number[] = []
  const call: WriteCall = (_fd, bytes, offset, length) => {
    const step = steps.shift() ?? length
    if (typeof step === 'string') throw failure(step)
    const taken = Math.min(step, length)
    written.push(bytes.toString('latin1', offset, offset + taken))
    return taken
  }
  return { output: new Output(1, 'standard output', call, (ms) => waits.push(ms)), written, waits }
}

const bytes = Buffer.from('..0123456789..')

describe('an output', () => {
  it('writes what lies between start and end', () => {
    const { output, written } = scripted([])
    expect(output.write(bytes, 2, 12)).toBe(true)
    expect(written).toEqual(['0123456789'])
    expect(output.write(bytes, 3, 3)).toBe(true)
  })

  it('goes on after partial writes', () => {
    const { output, written } = scripted([1, 4, 0, 2])
    expect(output.write(bytes, 2, 12)).toBe(true)
    expect(written.join('')).toBe('0123456789')
  })

  it('waits longer and longer while a non-blocking descriptor is full, then begins anew', () => {
    const { output, written, waits } = scripted(['EAGAIN', 'EAGAIN', 'EINTR', 3, 'EAGAIN', ...Array(8).fill('EAGAIN')])
    expect(output.write(bytes, 2, 12)).toBe(true)
    expect(written.join('')).toBe('0123456789')
    expect(waits).toEqual([1, 2, 4, 1, 2, 4, 8, 16, 32, 50, 50, 50])
  })

  it('stays quiet once the reader has gone', () => {
    const { output, written } = scripted([4, 'EPIPE'])
    expect(output.hasReader).toBe(true)
    expect(output.write(bytes, 2, 12)).toBe(false)
    expect(output.hasReader).toBe(false)
    expect(output.write(bytes)).toBe(false)
    expect(written).toEqual(['0123'])
  })

  it.each([
    ['ENOSPC', 'standard output: no space left on device'],
    ['EDQUOT', 'standard output: disk quota exceeded'],
    ['EXYZ', 'standard output: EXYZ: went wrong'],
  ])('says why a write failed: %s', (code, message) => {
    const { output } = scripted([2, code])
    expect(() => output.write(bytes)).toThrow(OutputError)
    expect(() => scripted([code]).output.write(bytes)).toThrow(message)
  })

  it('meets a full disk', () => {
    const output = new Output(openSync('/dev/full', 'w'), 'full')
    expect(() => output.write(bytes)).toThrow('full: no space left on device')
    expect(output.isTerminal).toBe(false)
  })
})
