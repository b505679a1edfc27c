import { mkdtempSync, readdirSync, rmSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CheckpointFile } from '../../../src/logread/ship/checkpoint-file.ts'
import { SocketLock } from '../../../src/logread/ship/socket-lock.ts'
import { testRing } from './entries.ts'

let directory = ''
let held: { release(): Promise<void> }[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'socket-lock-'))
  held = []
})
afterEach(async () => {
  for (const lock of held) await lock.release()
  rmSync(directory, { recursive: true, force: true })
})

function makeLock(): SocketLock {
  const lock = new SocketLock(directory, 'lock', 'in use')
  held.push(lock)
  return lock
}

test('a lock is one socket while it is held, and nothing afterwards', async () => {
  const lock = makeLock()
  expect(await lock.hold()).toBe(true)
  expect(await lock.hold()).toBe(true)
  expect(readdirSync(directory)).toEqual(['lock'])
  await expect(makeLock().hold()).rejects.toThrow('in use')
  expect(readdirSync(directory)).toEqual(['lock'])
  await lock.release()
  expect(readdirSync(directory)).toEqual([])
  expect(await makeLock().hold()).toBe(true)
})

test('a holder whose socket was replaced notices that, and leaves the lock of the other', async () => {
  const [first, second] = [makeLock(), makeLock()]
  await first.hold()
  unlinkSync(join(directory, 'lock'))
  expect(await second.hold()).toBe(true)
  await expect(first.hold()).rejects.toThrow('in use')
  await first.release()
  await expect(makeLock().hold()).rejects.toThrow('in use')
  expect(readdirSync(directory)).toEqual(['lock'])
})

test('a checkpoint is not saved over that of a logread that has replaced the lock', async () => {
  const make = () => {
    const file = new CheckpointFile(directory, 'x:', 'x:')
    held.push({ release: () => file.close() })
    return file
  }
  const [first, second] = [make(), make()]
  await first.load()
  const [name = ''] = readdirSync(directory)
  unlinkSync(join(directory, name))
  await second.load()
  await second.save({ ring: testRing, sequence: 2 })
  await expect(first.save({ ring: testRing, sequence: 1 })).rejects.toThrow('another logread saves its checkpoint')
  expect(await second.load()).toEqual({ ring: testRing, sequence: 2 })
})
