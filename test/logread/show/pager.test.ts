import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { choosePager, isInPath, Pager, pagerEnvironment } from '../../../src/logread/show/pager.ts'

describe('a pager', () => {
  it('that leaves early is a reader that has gone, and holds nobody up', async () => {
    const pager = new Pager('head -c 10 >/dev/null', process.env)
    const bytes = Buffer.alloc(64 * 1024, 'x')
    let rounds = 0
    while (pager.write(bytes) && rounds++ < 10_000) {
      await pager.busy
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(pager.hasReader).toBe(false)
    expect(rounds).toBeLessThan(10_000)
    await pager.finish()
  })

  it('gets everything, however slow it is', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pager-'))
    const pager = new Pager('sleep 0.2; wc -c >"$DIRECTORY/count"', { ...process.env, DIRECTORY: directory })
    const bytes = Buffer.alloc(64 * 1024, 'x')
    let waits = 0
    for (let round = 0; round < 100; round++) {
      expect(pager.write(bytes)).toBe(true)
      if (pager.busy !== undefined) waits++
      await pager.busy
    }
    await pager.finish()
    const count = Number(readFileSync(join(directory, 'count'), 'utf8'))
    rmSync(directory, { recursive: true })
    expect(count).toBe(100 * bytes.length)
    expect(waits).toBeGreaterThan(0)
    expect(pager.hasReader).toBe(false)
  })

  it('that does not exist is left at once', async () => {
    const pager = new Pager('/nowhere/pager 2>/dev/null', process.env)
    await pager.finish()
    expect(pager.write(Buffer.from('x'))).toBe(false)
  })

  it('is found in the path by its first word', () => {
    expect(isInPath('sh -c x', process.env.PATH)).toBe(true)
    expect(isInPath('/bin/sh', undefined)).toBe(true)
    expect(isInPath('no-such-command', process.env.PATH)).toBe(false)
    expect(isInPath('sh', undefined)).toBe(false)
  })
})

const facts = { isTerminal: true, isFollowing: false, isUnwanted: false, env: {}, isThere: () => true }

describe('the pager', () => {
  it.each([
    ['less on a terminal', {}, 'less'],
    ['more where there is no less', { isThere: (name: string) => name === 'more' }, 'more'],
    ['none where there is none', { isThere: () => false }, undefined],
    ['none in a pipe', { isTerminal: false }, undefined],
    ['none while following', { isFollowing: true }, undefined],
    ['none with --no-pager', { isUnwanted: true }, undefined],
    ['none on a dumb terminal', { env: { TERM: 'dumb' } }, undefined],
    ['what PAGER says', { env: { PAGER: 'most -s' } }, 'most -s'],
    ['what LOGREAD_PAGER says first', { env: { PAGER: 'most', LOGREAD_PAGER: 'less -S' } }, 'less -S'],
    ['none with an empty one', { env: { LOGREAD_PAGER: '', PAGER: 'most' } }, undefined],
    ['none if the one that is wanted is not there', { env: { PAGER: 'most -s' }, isThere: () => false }, undefined],
    [
      "a shell's business where it is more than words",
      { env: { PAGER: 'a=1 less' }, isThere: () => false },
      'a=1 less',
    ],
    ['none with cat', { env: { PAGER: ' cat ' } }, undefined],
  ])('is %s', (_name, changes, wanted) => {
    expect(choosePager({ ...facts, ...changes })).toBe(wanted)
  })

  it('gets options for less, unless the user has set some', () => {
    expect(pagerEnvironment({ HOME: '/root' })).toEqual({ HOME: '/root', LESS: 'FRX', LESSCHARSET: 'utf-8' })
    expect(pagerEnvironment({ LESS: 'S' }).LESS).toBe('S')
  })
})
