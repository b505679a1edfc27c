import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import type { ReadValues } from '../../../src/logread/selection.ts'
import { formatOptions, isTextFormat, wantsColour } from '../../../src/logread/show/printer.ts'

const output = (isTerminal: boolean) => ({
  isTerminal,
  hasReader: true,
  write: () => true,
  busy: undefined,
  written: undefined,
  end: () => undefined,
})

describe('the host and the boot of the lines', () => {
  const options = (args: Partial<ReadValues>) =>
    formatOptions({ output: 'export', color: 'never', ...args } as ReadValues, output(false), {})

  it('are those of this machine, but not of a saved file', () => {
    expect(options({})).toMatchObject({ hostname: hostname() })
    expect(options({ file: 'x' })).not.toHaveProperty('hostname')
    expect(options({ file: 'x' })).not.toHaveProperty('bootId')
  })
})

describe('colour', () => {
  it.each([
    ['auto', true, {}, true],
    ['auto', false, {}, false],
    ['auto', true, { NO_COLOR: '1' }, false],
    ['auto', true, { NO_COLOR: '' }, true],
    ['auto', true, { TERM: 'dumb' }, false],
    ['always', false, { NO_COLOR: '1', TERM: 'dumb' }, true],
    ['never', true, {}, false],
  ])('%s, terminal %s, %j: %s', (when, isTerminal, env, wanted) => {
    expect(wantsColour(when, output(isTerminal), env)).toBe(wanted)
  })

  it('is for the formats for people', () => {
    expect(['short', 'short-delta', 'cat'].every(isTextFormat)).toBe(true)
    expect(['json', 'export', 'syslog'].some(isTextFormat)).toBe(false)
  })
})
