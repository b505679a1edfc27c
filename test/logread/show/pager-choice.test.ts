import { describe, expect, it } from 'vitest'
import { choosePager, pagerEnvironment } from '../../../src/logread/show/pager-choice.ts'

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

  it('is told how to behave, unless it was told already', () => {
    expect(pagerEnvironment({ HOME: '/root' })).toEqual({ HOME: '/root', LESS: 'FRX', LESSCHARSET: 'utf-8' })
    expect(pagerEnvironment({ LESS: 'S' }).LESS).toBe('S')
  })
})
