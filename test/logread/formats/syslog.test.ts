import { describe, expect, it } from 'vitest'
import { ByteSink } from '../../../src/logread/formats/byte-sink.ts'
import { makeAppendSyslog, type SyslogOptions, syslogFormat } from '../../../src/logread/formats/syslog.ts'
import { correctTime } from '../../../src/protocol/entry.ts'
import { gap, type SampleEntry, sample, viewOf } from '../../support/entries.ts'
import { formatted } from '../../support/formatted.ts'

const quality = '[timeQuality tzKnown="1"]'

function message(entry: Buffer, options: SyslogOptions = {}): string {
  const sink = new ByteSink()
  makeAppendSyslog(options)(viewOf(entry), sink)
  return sink.take().toString()
}

const at = (sequence: number, given: SampleEntry) => message(sample(sequence, given), { hostname: 'vm' })

describe('a syslog message', () => {
  it('has every part of RFC 5424', () => {
    expect(at(7, { priority: 35, message: 'gone' })).toBe(
      `<35>1 2017-04-15T15:37:44.123456Z vm rngd.stderr - - ${quality}[meta sequenceId="7"] gone`,
    )
  })

  it('says where the clock was not synchronized: in times that were corrected, or of a clock that was not set', () => {
    const corrected = sample(7, { priority: 35 })
    correctTime(corrected, 0, 3600)
    expect(message(corrected)).toContain(' [timeQuality tzKnown="1" isSynced="0"][meta ')
    const { realSeconds } = viewOf(sample(7))
    expect(message(sample(7), { clockSetSeconds: realSeconds })).toContain(quality)
    expect(message(sample(7), { clockSetSeconds: realSeconds + 1 })).toContain(' isSynced="0"')
  })

  it('names application, process and message by the fields of the entry', () => {
    const fields = { tag: 'sshd', pid: '77', msgid: 'LOGIN', 'sd.a.b': 'x"y\\z]\n', hostname: 'other' }
    expect(at(7, { fields })).toBe(
      `<14>1 2017-04-15T15:37:44.123456Z other sshd 77 LOGIN ${quality}[meta sequenceId="7"]` +
        '[fields@32473 sd.a.b="x\\"y\\\\z\\] "] line 7',
    )
    expect(message(sample(7, { fields }), { isBare: true })).not.toContain('fields@')
  })

  const forwarded = '[exampleSDID@32473 iut="3" text="a\\"b\\]c"][x@1]'

  it('has the structured data of a forwarded message as it came, and the host that sent it', () => {
    const fields = { peer: '192.0.2.1:514', host: 'far', hostname: 'old', sd: forwarded }
    expect(at(7, { fields })).toBe(
      `<14>1 2017-04-15T15:37:44.123456Z far rngd.stderr - - ${quality}[meta sequenceId="7"]` +
        `${forwarded}[fields@32473 peer="192.0.2.1:514"] line 7`,
    )
    expect(message(sample(7, { fields }), { sdId: 'own@1' })).toContain(`${forwarded}[own@1 peer=`)
    expect(message(sample(7, { fields }), { isBare: true })).not.toContain('exampleSDID')
  })

  it('has no SD-ID twice, whatever was forwarded', () => {
    const sd = '[timeQuality tzKnown="0"][meta sequenceId="1"][fields@32473 peer="a"][fields-2@32473]'
    expect(at(7, { fields: { peer: 'b', sd } })).toContain(` - - ${sd}[fields-3@32473 sequenceId="7" peer="b"] line 7`)
    expect(at(7, { fields: { sd: '[meta sequenceId="1"]' } })).toContain(
      `${quality}[meta sequenceId="1"][fields@32473 sequenceId="7"] line 7`,
    )
  })

  it('keeps forwarded structured data on one line, and what is none in a value', () => {
    const sd = Buffer.concat([Buffer.from('[a b="1\n2\x1b'), Buffer.of(0xff), Buffer.from('ä"]')])
    expect(at(7, { fields: { sd } })).toContain('[meta sequenceId="7"][a b="1 2 \ufffdä"] line 7')
    for (const other of ['x', '[a', '[a] ', '[a b="]', '[]'])
      expect(at(7, { fields: { sd: other } })).toContain('[fields@32473 sd="')
  })

  it.each([
    ['nothing', '', '-'],
    ['48 bytes', 'a'.repeat(48), 'a'.repeat(48)],
    ['49 bytes', 'a'.repeat(49), 'a'.repeat(48)],
    ['what is not printable', 'a b\x1bä', 'a_b___'],
  ])('keeps to the limits of a header: %s', (_name, source, wanted) => {
    expect(at(7, { source }).split(' ')[3]).toBe(wanted)
  })

  it('has a host of at most 255 bytes, or none', () => {
    expect(message(sample(1), { hostname: 'h'.repeat(300) }).split(' ')[2]).toHaveLength(255)
    expect(message(sample(1)).split(' ')[2]).toBe('-')
  })

  it('counts sequenceId from 1 to 2^31 - 1 and again', () => {
    const id = (sequence: number) => /sequenceId="(\d+)"/.exec(at(sequence, {}))?.[1]
    expect([1, 2 ** 31 - 1, 2 ** 31].map(id)).toEqual(['1', '2147483647', '1'])
  })

  it('reports gaps as a warning, with the numbers', () => {
    const text = message(gap(5, 3, { first: '5', last: '7' }))
    expect(text).toMatch(/^<44>1 /)
    expect(text).toContain('[fields@32473 lost="3" reason="overwritten" first="5" last="7"] 3 lines lost')
  })

  it('has no message if the line is empty', () => {
    expect(at(7, { message: '' })).toMatch(/\[meta sequenceId="7"\]$/)
  })

  it('is a line of its own as an output format', () => {
    const lines = formatted(syslogFormat, [sample(1, { message: 'a\nb' }), sample(2)], { hostname: 'vm' }).split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toContain('a\\nb')
    expect(formatted(syslogFormat, [sample(1, { message: '\x1b[m' })], { isTerminal: true })).toContain('\\x1b[m')
  })

  it('replaces invalid UTF-8 in structured data', () => {
    expect(message(sample(1, { fields: { k: Buffer.of(0x61, 0xff) } }))).toContain('k="a\ufffd"')
  })
})
