import { describe, expect, it } from 'vitest'
import { SourceMatcher } from '../../src/match/source-matcher.ts'

function matcher(...globs: string[]): (name: string | Buffer) => boolean {
  const parsed = SourceMatcher.parse(globs)
  if (!(parsed instanceof SourceMatcher)) throw new Error(parsed.text)
  return (name) => {
    const bytes = Buffer.concat([Buffer.from('##'), Buffer.from(name), Buffer.from('##')])
    return parsed.isWanted(bytes, 2, bytes.length - 2)
  }
}

describe('sources by globs', () => {
  it('must match one of those that include and none of those that exclude', () => {
    const isWanted = matcher('rngd*', 'dhcp*', '!*.stderr')
    expect(['rngd.stdout', 'dhcpcd', 'rngd.stderr', 'sshd'].map(isWanted)).toEqual([true, true, false, false])
  })

  it('are all wanted but those excluded if nothing includes', () => {
    const isWanted = matcher('!kernel')
    expect(['kernel', 'sshd', ''].map(isWanted)).toEqual([false, true, true])
  })

  it('are told apart however many there are, and however often they come', () => {
    const isWanted = matcher('s*7')
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 20_000; index++) expect(isWanted(`s${index}`)).toBe(index % 10 === 7)
    }
  })

  it('may have names that are no UTF-8', () => {
    expect(matcher('a?')(Buffer.of(0x61, 0xff))).toBe(true)
  })

  it('name the wrong glob and the position in it', () => {
    expect(SourceMatcher.parse(['ok', '!a[b'])).toMatchObject({ value: '!a[b', position: 2 })
  })
})
