import { expect, test } from 'vitest'
import { encodeConfig } from '../../src/cli/config-pipe.ts'
import { logwriteConfigKeys } from '../../src/logwrite/main.ts'
import { memlogdConfigKeys } from '../../src/memlogd/start/options.ts'
import { configBytesMax } from '../../src/protocol/constants.ts'

test('strings end with NUL, and an empty one ends them all', () => {
  const bytes = encodeConfig(logwriteConfigKeys, { socket: '/run/x', name: undefined, skip: '2' })
  expect(bytes.toString()).toBe('socket=/run/x\0skip=2\0\0')
})

test('nothing is still an end', () => {
  expect(encodeConfig(memlogdConfigKeys, {}).toString()).toBe('\0')
})

test('keys have one order', () => {
  const bytes = encodeConfig(memlogdConfigKeys, { engine: '{}', 'log-path': '/a', daemonize: '1' })
  expect(bytes.toString()).toBe('daemonize=1\0log-path=/a\0engine={}\0\0')
})

test('the limit is exact', () => {
  const name = (length: number) => ({ name: 'x'.repeat(length) })
  const longest = configBytesMax - 'name=\0\0'.length
  expect(encodeConfig(logwriteConfigKeys, name(longest))).toHaveLength(configBytesMax)
  expect(() => encodeConfig(logwriteConfigKeys, name(longest + 1))).toThrow('the limit is 65536')
})

test('a NUL byte cannot forge a key', () => {
  expect(() => encodeConfig(logwriteConfigKeys, { name: 'x\0skip=0' })).toThrow('NUL')
})
