import { expect, test } from 'vitest'
import { upstreamFormat } from '../../../src/logread/formats/upstream.ts'
import { sample } from '../../support/entries.ts'
import { formatted } from '../../support/formatted.ts'

test("a line is as LinuxKit's logread prints it", () => {
  expect(formatted(upstreamFormat, [sample(7, { message: 'a;b <c>' })])).toBe(
    '2017-04-15T15:37:44.123456789Z;rngd.stderr;a;b <c>\n',
  )
  expect(formatted(upstreamFormat, [sample(7, { source: ';a;;b', realNanos: 500_000_000, message: '' })])).toBe(
    '2017-04-15T15:37:44.5Z;\\;a\\;\\;b;\n',
  )
})

test('bytes are unchanged in a pipe', () => {
  expect(formatted(upstreamFormat, [sample(7, { message: 'x\x1b[0m' })])).toContain(';x\x1b[0m\n')
})
