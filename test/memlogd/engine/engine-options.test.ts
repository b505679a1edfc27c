import { expect, test } from 'vitest'
import { engineOptionsDefault, parseEngineOptions } from '../../../src/memlogd/engine/engine-options.ts'

test('absent keys have their defaults', () => {
  expect(parseEngineOptions('{}')).toEqual(engineOptionsDefault)
})

test('what is written is read back', () => {
  const options = { ...engineOptionsDefault, maxLines: 1, maxBytes: 65_536, maxLineBytes: 1, kmsg: true, docker: true }
  expect(parseEngineOptions(JSON.stringify(options))).toEqual(options)
})

test.each([
  '',
  '{',
  'null',
  '[]',
  '1',
  '{"other":1}',
  '{"maxLines":-1}',
  '{"maxLines":1.5}',
  '{"maxLines":"5"}',
  '{"maxLines":50000001}',
  '{"maxBytes":65535}',
  '{"maxLineBytes":1048577}',
  '{"kmsg":1}',
  '{"docker":"yes"}',
])('%j is refused', (text) => {
  expect(() => parseEngineOptions(text)).toThrow(/^engine options: /)
})
