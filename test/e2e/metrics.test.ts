/**
 * Statistics for Prometheus, of the packaged executable: its own checker has nothing to say about them, and a textfile
 * of node_exporter is replaced as a whole.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { isInstalled } from '../logread/ship/syslog/receivers.ts'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon, python, run } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon
beforeAll(async () => {
  daemon = await Daemon.start('-keep', '1MiB', '-syslog', '{syslog}')
  daemon.logwrite(['-n', 'web', 'sh', '-c', 'for i in $(seq 30); do echo $i; done'])
  await eventually('the lines are stored', () => daemon.messages('web.stdout').length === 30)
})
afterAll(() => daemon.stop())
afterEach(stopCommands)

const metrics = () => daemon.logread('--stats', '-o', 'prometheus').stdout

/** The sample of a metric with these labels. */
function sample(text: string, name: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

it('promtool finds nothing to say, with a shipper, a follower and more sources than have a series', async ({
  skip,
}) => {
  if (!isInstalled('promtool')) skip('no promtool here (Debian: prometheus)')
  const directory = join(daemon.directory, 'shipped')
  const logread = join(binDirectory, 'logread')
  startCommand(logread, ['-socket', daemon.querySocket, '-f', '--to', `dir:${directory}`])
  startCommand(logread, ['-socket', daemon.querySocket, '-f'])
  python(
    `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for i in range(300):
    s.sendto(b'<13>tag%d: text' % i, sys.argv[1])`,
    [daemon.syslogSocket],
  )
  const target = `{target="dir:${directory}"}`
  await eventually('all lines are stored, and shipped', () => {
    const text = metrics()
    return (
      sample(text, 'memlogd_source_stored_lines_total{source="other"}') !== undefined &&
      (sample(text, 'memlogd_ring_lines') ?? 0) >= 330 &&
      sample(text, `memlogd_target_sent_lines_total${target}`) === sample(text, 'memlogd_ring_lines')
    )
  })
  const text = metrics()
  expect(sample(text, 'memlogd_source_stored_lines_total{source="web.stdout"}')).toBe(30)
  expect(sample(text, `memlogd_target_lag_lines${target}`)).toBe(0)
  expect(text.match(/^memlogd_source_stored_lines_total\{/gm)).toHaveLength(201)
  const stored = [...text.matchAll(/^memlogd_source_stored_lines_total\{.*\} (\d+)$/gm)]
  expect(stored.reduce((sum, [, value]) => sum + Number(value), 0)).toBe(
    sample(text, 'memlogd_ring_stored_lines_total'),
  )
  expect(run('promtool', ['check', 'metrics'], { input: text })).toEqual({
    ...{ status: 0, signal: null },
    ...{ stdout: '', stderr: '' },
  })
})

it('--output-file replaces a textfile of node_exporter, which its user may read', () => {
  const directory = join(daemon.directory, 'textfiles')
  mkdirSync(directory)
  const file = join(directory, 'memlogd.prom')
  for (const _ of [1, 2]) {
    expect(daemon.logread('--stats', '-o', 'prometheus', '--output-file', file)).toMatchObject({
      ...{ status: 0, stdout: '', stderr: '' },
    })
  }
  expect(readFileSync(file, 'utf8')).toContain('\nmemlogd_ring_lines ')
  expect(statSync(file).mode & 0o044).toBe(0o044 & ~process.umask())
  expect(readdirSync(directory)).toEqual(['memlogd.prom'])
})

it('--output-file keeps the old text where there is no new one, and replaces neither devices nor links', () => {
  const file = join(daemon.directory, 'old.prom')
  expect(daemon.logread('--stats', '--output-file', file).status).toBe(0)
  const old = readFileSync(file, 'utf8')
  const none = run(join(binDirectory, 'logread'), ['-socket', `${file}.none`, '--stats', '--output-file', file])
  expect(none.status).toBe(4)
  expect(readFileSync(file, 'utf8')).toBe(old)
  const link = join(daemon.directory, 'link.prom')
  symlinkSync(file, link)
  for (const path of [link, daemon.querySocket, daemon.directory]) {
    expect(daemon.logread('--stats', '--output-file', path)).toMatchObject({
      ...{ status: 1, stdout: '' },
      stderr: `logread: --output-file: "${path}": not a regular file\n`,
    })
  }
  expect(daemon.logread('--output-file', file)).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--output-file: needs statistics to write (--stats)'),
  })
})
