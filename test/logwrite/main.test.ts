import { expect, test } from 'vitest'
import { parseFlags } from '../../src/cli/flags.ts'
import { logwriteCommand, logwriteConfig } from '../../src/logwrite/main.ts'

async function config(...words: string[]) {
  const parsed = await parseFlags(logwriteCommand, words)
  if (parsed.kind !== 'flags') throw new Error('no flags')
  return logwriteConfig(parsed, '/home/x')
}

const socket = '/var/run/linuxkit-external-logging.sock'
const nothing = { name: undefined, 'best-effort': undefined, 'wait-ms': undefined }

test.each([
  [['echo'], { ...nothing, socket, skip: '0' }],
  [['echo', '-n', 'x', '--', '-socket'], { ...nothing, socket, skip: '0' }],
  [['-n', 'web', 'sh', '-c', 'x'], { ...nothing, socket, name: 'web', skip: '2' }],
  [['-n=web', '--', '-odd-name'], { ...nothing, socket, name: 'web', skip: '2' }],
  [
    ['-best-effort', '-socket', 'l.sock', 'ls'],
    { ...nothing, 'best-effort': '1', socket: '/home/x/l.sock', skip: '3' },
  ],
  [['-best-effort=false', 'ls'], { ...nothing, socket, skip: '1' }],
  [['-wait', '10s', 'ls'], { ...nothing, socket, skip: '2' }],
  [['-wait=1m30s', 'ls'], { ...nothing, socket, 'wait-ms': '90000', skip: '1' }],
  [['-wait', '0', 'ls'], { ...nothing, socket, 'wait-ms': '0', skip: '2' }],
  [['-wait', 'forever', 'ls'], { ...nothing, socket, 'wait-ms': '4294967295', skip: '2' }],
])('%j', async (words, wanted) => {
  expect(await config(...words)).toEqual(wanted)
})

const missing = 'the command is missing; usage: logwrite [FLAG]... COMMAND [ARGUMENT]...'
test.each([
  [[], missing],
  [['-n', 'x'], missing],
  [['--'], missing],
  [['-n'], '-n: the value is missing (NAME)'],
  [['-n', '', 'ls'], '-n: "": wanted a name of 1 to 512 bytes'],
  [['-socket', '', 'ls'], '-socket: "": wanted a path of 1 to 107 bytes'],
  [['-wait', '25h', 'ls'], '-wait: "25h": wanted a time of at most 24h, such as 10s or 500ms, 0 or forever'],
  [['-wait', '5', 'ls'], '-wait: "5": wanted a time of at most 24h, such as 10s or 500ms, 0 or forever'],
  [['-x', 'ls'], 'unknown flag "-x": see logwrite --help'],
])('%j is refused', async (words, message) => {
  await expect(config(...words)).rejects.toMatchObject({ name: 'UsageError', message })
})

test('a name of 512 bytes is the longest', async () => {
  expect(await config('-n', 'x'.repeat(512), 'ls')).toMatchObject({ name: 'x'.repeat(512) })
  await expect(config('-n', 'x'.repeat(513), 'ls')).rejects.toThrow('wanted a name of 1 to 512 bytes')
  await expect(config('-n', 'ü'.repeat(257), 'ls')).rejects.toThrow('wanted a name of 1 to 512 bytes')
})
