import { describe, expect, it } from 'vitest'
import { jsonFormat, jsonSeqFormat } from '../../../src/logread/formats/json.ts'
import { correctTime } from '../../../src/protocol/entry.ts'
import { gap, sample } from '../../support/entries.ts'
import { formatted } from '../../support/formatted.ts'

describe('json', () => {
  it('has the time as it was stored, and the corrected one beside it', () => {
    const entry = sample(7, { realNanos: 0 })
    correctTime(entry, 0, 3600)
    expect(formatted(jsonFormat, [entry])).toBe(
      '{"time":"2017-04-15T15:37:44Z","source":"rngd.stderr","msg":"line 7","time_corrected":"2017-04-15T16:37:44Z",' +
        '"seq":7,"monotonic":7.000005000}\n',
    )
  })

  it("begins with upstream's keys and holds everything", () => {
    const entry = sample(7, { priority: 35, fields: { pid: '77', 'a"b': 'c\nd' }, flags: 3, cutBytes: 17 })
    expect(formatted(jsonFormat, [entry])).toBe(
      '{"time":"2017-04-15T15:37:44.123456789Z","source":"rngd.stderr","msg":"line 7","seq":7,"monotonic":7.000005000,' +
        '"priority":35,"severity":"err","facility":"auth","cut":17,"unterminated":true,' +
        '"fields":{"pid":"77","a\\"b":"c\\nd"}}\n',
    )
  })

  it('leaves out what is not there', () => {
    expect(formatted(jsonFormat, [sample(7, { monoSeconds: 0, monoNanos: 0, realNanos: 0 })])).toBe(
      '{"time":"2017-04-15T15:37:44Z","source":"rngd.stderr","msg":"line 7","seq":7}\n',
    )
  })

  it('marks gaps', () => {
    const line: unknown = JSON.parse(formatted(jsonFormat, [gap(5, 3, { first: '5', last: '7' })]))
    expect(line).toMatchObject({ kind: 'gap', fields: { lost: '3', reason: 'overwritten', first: '5', last: '7' } })
  })

  it('is one line of valid JSON for every byte, and the bytes can be had', () => {
    for (let byte = 0; byte < 256; byte++) {
      const message = Buffer.of(0x61, byte, 0x62)
      const line = formatted(jsonFormat, [sample(1, { message, source: message, fields: { k: message } })])
      expect(line.split('\n')).toHaveLength(2)
      const { msg, msg64 } = JSON.parse(line) as { msg: string; msg64?: string }
      const bytes = msg64 === undefined ? Buffer.from(msg) : Buffer.from(msg64, 'base64')
      expect(bytes.equals(message)).toBe(true)
    }
  })

  it('names a key once', () => {
    const entry = sample(1, { fields: { k: 'a', x: 'b' } })
    entry.write('k', entry.indexOf('x\u0062', 48, 'latin1'))
    expect(formatted(jsonFormat, [entry])).toContain('"fields":{"k":"a"}}')
  })

  it('is a sequence with a separator before each text', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the separator is one.
    expect(formatted(jsonSeqFormat, [sample(1), sample(2)])).toMatch(/^\x1e\{.*\}\n\x1e\{.*\}\n$/)
  })

  it('can tell local time', () => {
    expect(formatted(jsonFormat, [sample(0)], { offsetOf: () => -60 })).toContain(
      '{"time":"2017-04-15T14:37:37.123456789-01:00"',
    )
  })
})
