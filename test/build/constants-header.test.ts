import { describe, expect, it } from 'vitest'
import { constantsHeader } from '../../src/build/native/constants-header.ts'
import * as constants from '../../src/protocol/constants.ts'

const lines = (values: Record<string, unknown>) => constantsHeader(values).trimEnd().split('\n').slice(2)

describe('constants.h', () => {
  it('names constants as C does', () => {
    expect(lines({ queueFrameHeaderBytes: 32, engineRestartMsMax: 1 })).toEqual([
      '#define ENGINE_RESTART_MS_MAX 1',
      '#define QUEUE_FRAME_HEADER_BYTES 32',
    ])
  })

  it.each([
    [0, '0'],
    [0x7fff_ffff, '2147483647'],
    [0x8000_0000, '2147483648u'],
    [0xffff_ffff, '4294967295u'],
    [0x1_0000_0000, '4294967296ll'],
    [-0x8000_0000, '-2147483648'],
    [-0x8000_0001, '-2147483649ll'],
  ])('%d', (value, text) => expect(lines({ n: value })).toEqual([`#define N ${text}`]))

  it.each([
    ['', '""'],
    ['/var/run/x', '"/var/run/x"'],
    ['a"b\\c\n', '"a\\042b\\134c\\012"'],
    ['ä1', '"\\303\\2441"'],
    ['??/', '"\\077\\077/"'],
  ])('%j', (value, text) => expect(lines({ s: value })).toEqual([`#define S ${text}`]))

  it.each([[1.5], [Number.NaN], [Number.MAX_SAFE_INTEGER + 1], [true], [undefined]])('refuses %s', (value) =>
    expect(() => constantsHeader({ wrong: value })).toThrow(/constant wrong/),
  )

  it('takes every constant of the protocol, and is the same each time', () => {
    const text = constantsHeader(constants)
    expect(text).toContain('#define SOURCE_NAME_BYTES_MAX 512\n')
    expect(text.split('\n').length).toBe(Object.keys(constants).length + 3)
    expect(constantsHeader(Object.fromEntries(Object.entries(constants).reverse()))).toBe(text)
  })
})
