import { describe, expect, it } from 'vitest'
import { findFormat, formats } from '../../../src/logread/formats/table.ts'
import { outputFormats } from '../../../src/logread/options.ts'
import { sample } from '../../support/entries.ts'
import { formatted } from '../../support/formatted.ts'

describe('the table of formats', () => {
  it('has a row for each value of -o that is for lines', () => {
    expect(formats.map((format) => format.name)).toEqual(outputFormats.filter((name) => name !== 'prometheus'))
    expect(findFormat('cat')?.name).toBe('cat')
    expect(findFormat('none')).toBeUndefined()
  })

  it('cat is the message alone', () => {
    const cat = findFormat('cat') as (typeof formats)[number]
    expect(formatted(cat, [sample(1, { message: '' }), sample(2)])).toBe('\nline 2\n')
  })

  it.each(formats.map((format) => [format.name, format] as const))(
    '%s sends no control bytes to a terminal',
    (_name, format) => {
      const hostile = Buffer.from('\x1b[31m\x07\x7f\r\u009b2J\u202e', 'utf8')
      const entries = [sample(1, { source: hostile, message: hostile, fields: { k: hostile, pid: hostile } })]
      const shown = formatted(format, entries, { isTerminal: true }).replaceAll('\n', '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
      expect(shown).not.toMatch(/[\0-\x08\x0a-\x1f\x7f-\x9f\u202e]/)
    },
  )
})
