// The shipped command lines start without JavaScript: the build asks the config role's own functions for their answers,
// and the native half takes such an answer only for exactly that line.
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readyConfigs, shippedLines } from '../../src/build/native/ready-configs.ts'
import { encodeConfig } from '../../src/cli/config-pipe.ts'
import { parseFlags } from '../../src/cli/flags.ts'
import { memlogdCommand, memlogdConfig, memlogdConfigKeys } from '../../src/memlogd/start/options.ts'
import { canIsolate, runIsolated } from '../support/isolated.ts'

const root = resolve(import.meta.dirname, '../..')

async function roleAnswer(words: readonly string[]): Promise<string> {
  const parsed = await parseFlags(memlogdCommand, words)
  if (parsed.kind !== 'flags') throw new Error('no flags')
  return encodeConfig(memlogdConfigKeys, memlogdConfig(parsed, { directory: '/home', groupFile: '' })).toString()
}

describe('ready configs', () => {
  it('are made for the line of the init script', () => {
    expect(shippedLines(join(root, 'src/image/root/etc/init.d'))).toEqual([
      [],
      ['-daemonize'],
      ['-daemonize', '-syslog', '/dev/log', '-kmsg', '-keep', '2MiB'],
    ])
  })

  it('hold each line and what the role answers to it', async () => {
    const lines = [[], ['-daemonize'], ['-max-lines', '7', '-kmsg']]
    const [none, daemonize, more] = await Promise.all(lines.map(roleAnswer))
    expect(await readyConfigs(lines)).toBe(
      `\x01${none}\x02-daemonize\0${daemonize}\x04-max-lines\x007\0-kmsg\0${more}\0`,
    )
  })

  it.each([['-socket-log', 'log.sock'], ['-socket-group', 'log'], ['--help'], ['-max-lines', '0']])(
    'are not made where the machine decides, or nothing starts: %s %s',
    async (...line) => {
      await expect(readyConfigs([line])).rejects.toThrow()
    },
  )
})

describe.runIf(canIsolate)('the native half alone', () => {
  const alone = (words: string) =>
    runIsolated(
      `dist/native/memlogd ${words}; echo "status $?"; echo /run/*.sock`,
      join(root, 'dist/native'),
      // No JavaScript can be started: neither MEMLOGD_NODE nor MEMLOGD_BUNDLE is set.
      root,
    )

  it('binds and returns for a shipped line', () => {
    const { stdout } = alone('-daemonize')
    expect(stdout).toBe('status 0\n/run/linuxkit-external-logging.sock /run/memlogdq.sock /run/memlogq.sock\n')
  })

  it.each([['-daemonize -daemonize'], ['-daemoniz'], ['-daemonize ""'], ['""'], ['-daemonize=true']])(
    'leaves every other line to JavaScript: %s',
    (words) => {
      const { stdout, stderr } = alone(words)
      expect({ stdout, stderr }).toEqual({
        stdout: 'status 1\n/run/*.sock\n',
        stderr: expect.stringContaining('memlogd-config: could not be started'),
      })
    },
  )
})
