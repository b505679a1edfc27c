/**
 * A kernel before Linux 5.6 has no pidfd_getfd: memlogd stores and serves as elsewhere, but does not know who its
 * readers are, and a connection of the original's protocol ends with the engine, as docs/IMAGE.md says. Before 5.3
 * there is no pidfd_open either. Played here by a filter that refuses these system calls.
 */
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

const pidfdOpen = 434
const pidfdGetfd = 438

let daemon: Daemon | undefined
afterEach(async () => {
  await stopCommands()
  await daemon?.stop()
  daemon = undefined
})

it.each([
  ['pidfd_getfd', [pidfdGetfd]],
  ['pidfd_getfd and pidfd_open', [pidfdGetfd, pidfdOpen]],
])('without %s memlogd works, and knows no readers', async (_, numbers) => {
  const program = join(import.meta.dirname, '../support/older-kernel.py')
  const on = await Daemon.startBy(['python3', program, numbers.join(',')])
  daemon = on
  on.logwrite(['-n', 'app', 'echo', 'before'])
  startCommand(join(binDirectory, 'logread'), ['-socket', on.querySocket, '-f'])
  const readers = () => JSON.parse(on.logread('--stats', '-o', 'json').stdout).readers as Record<string, number>[]
  const [reader] = await eventually('the follower', () => readers().length > 0 && readers())
  expect(reader?.pid ?? 0).toBe(0)
  const plain = createConnection(on.querySocket, () => plain.write(Buffer.of(2)))
  let text = ''
  let hasEnded = false
  plain.on('data', (bytes) => {
    text += bytes.toString()
  })
  plain.on('close', () => {
    hasEnded = true
  })
  await eventually('the line', () => text.includes('"before"'))
  on.signalEngine('SIGKILL')
  await eventually('the end of the connection', () => hasEnded)
  on.logwrite(['-n', 'app', 'echo', 'after'])
  await eventually('the next line', () => on.messages('app.stdout').join() === 'before,after')
})
