import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runApplet } from '../../../support/applet.ts'

/** A server of the original protocol, whose names nobody has cleaned. */
const directory = mkdtempSync(join(tmpdir(), 'memlogd-names-'))
const path = join(directory, 'q.sock')
const names = [
  'rngd.stderr',
  'dhcpcd.stdout',
  'rngd.stderr',
  '$(reboot)',
  'two words',
  'new\nline',
  'esc\u001b[31m',
  'c1\u009b',
]
let server: Server

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      const lines = names.map((source) => `${JSON.stringify({ time: '2017-04-15T15:37:37Z', source, msg: 'x' })}\n`)
      socket.end(lines.join(''))
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
})
afterAll(() => {
  server.close()
  rmSync(directory, { recursive: true })
})

test('names, each once, sorted, without those that a shell or a terminal could stumble over', async () => {
  const { status, stdout, stderr } = await runApplet('logread', ['--source-names', '--socket', path])
  expect([status, stderr]).toEqual([0, ''])
  expect(stdout).toBe('$(reboot)\ndhcpcd.stdout\nrngd.stderr\n')
})

test('without a daemon there are none, and the reason is said', async () => {
  const { status, stdout, stderr } = await runApplet('logread', ['--source-names', '--socket', join(directory, 'no')])
  expect([status, stdout]).toEqual([4, ''])
  expect(stderr).toMatch(/^logread: .*no memlogd is listening/)
})

test('--sources -o json means the same and holds no control characters', async () => {
  const { stdout } = await runApplet('logread', ['--sources', '-o', 'json', '-socket', path])
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
  expect(stdout).not.toMatch(/[\0-\x09\x0b-\x1f\x7f-\x9f]/)
  const found = stdout.trimEnd().split('\n')
  expect(found.map((line) => (JSON.parse(line) as { source: string }).source).toSorted()).toEqual(
    [...new Set(names)].toSorted(),
  )
})
