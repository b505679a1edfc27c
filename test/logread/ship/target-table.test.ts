import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseTarget, targetKinds } from '../../../src/logread/ship/target-table.ts'
import { parseAddress, TargetText } from '../../../src/logread/ship/target-text.ts'
import { line } from './entries.ts'

function fault(text: string): string {
  try {
    parseTarget(text)
  } catch (error) {
    expect(error).toMatchObject({ exitStatus: 2, name: 'UsageError' })
    return (error as Error).message
  }
  throw new Error(`${text} was taken`)
}

test.each([
  'dir:/var/log',
  'dir:/var/log?max-size=1M&max-files=10&compress=gzip&max-total=100M',
  'dir:relative/logs',
  'dir:/a%3Fb',
  'syslog+udp://host',
  'syslog+udp://host:1514?hostname=vm&max-size=2048',
  'syslog+tcp://[::1]:601/',
  'syslog+tcp://host?framing=lf&format=3164',
  'syslog+udp://host?format=3164',
  'syslog+tls://logs.example.org?ca=/etc/ca.pem&servername=logs&cert=/c&key=/k',
  'otlp+http://127.0.0.1:4318?resource.deployment.environment=prod&compress=gzip&batch-bytes=1M&timeout=5',
  'otlp+https://user:pass%40word@host/v1/logs?header.X-Api-Key=secret&ca=/ca',
  'loki+http://host?tenant=me&label.env=prod&metadata=off&token-file=/run/token',
  'loki+https://token@host',
  'exec:cat >>/tmp/x?y&z',
  'exec+short:logger',
  'exec+short-delta:cat',
  'exec+short-monotonic:cat',
  'otlp+http://host?header.X-A=caf%C3%A9',
])('%s is a target, and opens without connecting', async (text) => {
  const parsed = parseTarget(text)
  const target = await parsed.open(() => undefined)
  expect(target.name).not.toMatch(/pass|secret|token/)
  await target.close()
})

test.each([
  [
    'http://host',
    '--to "http://host": unknown kind of target; wanted one of dir:, syslog+udp://, syslog+tcp://, syslog+tls://, ' +
      'otlp+http://, otlp+https://, loki+http://, loki+https://, exec:',
  ],
  ['/var/log', /^--to "\/var\/log": unknown kind of target; wanted one of dir:, /],
  ['dir:', '--to "dir:": at its end: a directory is missing; wanted dir:/var/log'],
  [
    'dir:/x?max-sise=1M',
    '--to "dir:/x": at character 8: unknown parameter "max-sise"; ' +
      'wanted one of max-size, max-files, compress, max-total',
  ],
  ['dir:/x?max-size=many', /at character 17: max-size is "many"; wanted a number of bytes from 4KiB to /],
  ['dir:/x?max-size=1K', /at character 17: max-size is "1K"; wanted a number of bytes from 4KiB/],
  ['dir:/x?max-files=0', /at character 18: max-files is "0"; wanted a whole number from 1 to 9999/],
  ['dir:/x?max-files=1&max-files=2', /at character 20: max-files is there twice; wanted it once/],
  ['dir:/x?compress=zip', /compress is "zip"; wanted one of none, gzip/],
  ['dir:/x?max-size=2M&max-total=1M', /max-total is "1M"; wanted a number of bytes from 2MiB/],
  ['dir:/x?compress', /at character 8: a parameter without value; wanted NAME=VALUE/],
  ['dir:/x%zz', /at character 7: a broken % escape/],
  ['dir:/x%00', /a broken % escape/],
  ['syslog+udp://', '--to "syslog+udp://": at its end: no host and port; wanted HOST, HOST:PORT or [IPV6]:PORT'],
  ['syslog+udp://a b', /no host and port/],
  ['syslog+tcp://host:0', /at character 19: a bad port; wanted a whole number from 1 to 65535/],
  ['syslog+tcp://host:65536', /a bad port/],
  ['syslog+tcp://host/path', /at character 18: a path; wanted HOST or HOST:PORT/],
  ['syslog+tcp://me@host', /a user; wanted HOST or HOST:PORT/],
  ['syslog+udp://host?framing=lf', /unknown parameter "framing"/],
  ['syslog+tcp://host?format=1234', /format is "1234"; wanted one of 5424, 3164/],
  ['syslog+tcp://host?ca=/x', /unknown parameter "ca"/],
  ['syslog+tls://host?ca=', /ca is ""; wanted a value/],
  ['otlp+http://host?header.bad name=1', /a bad name or value; wanted header\.NAME=VALUE/],
  ['otlp+http://host?header.A=1%0D%0AB:2', /a bad name or value/],
  ['loki+http://host?label.a-b=c', /a bad name or value; wanted label\.NAME=VALUE/],
  ['exec:', '--to "exec:": at its end: a command is missing; wanted exec:CMD'],
  ['exec:  ', /a command is missing/],
  ['exec+nothing:cat', /unknown kind of target/],
  ['otlp+http://user:p@ss@127.0.0.1:1/x', /^--to "otlp\+http:\/\/127\.0\.0\.1:1\/x": .* more than one @; wanted %40/],
  ['otlp+http://user:p/ss@127.0.0.1:1/x', /^--to "otlp\+http:\/\/127\.0\.0\.1:1\/x": .* a bad path; wanted .*%40/],
  ['otlp+http://host?resource.service.name=x', /"resource\.service\.name" is set by logread/],
  ['loki+http://host?label.source=x', /"label\.source" is set by logread/],
  ['otlp+http://host?header.Content-Length=5', /"header\.Content-Length" is set by logread/],
  ['otlp+http://host?header.X-A=caf%C3%A9%E2%82%AC', /a bad name or value; wanted header\.NAME=VALUE/],
  ['loki+http://host?tenant=caf%E2%82%AC', /at character 25: a bad tenant; wanted printable characters of Latin-1/],
  ['loki+http://host?tenant=', /a bad tenant/],
  [
    'syslog+udp://host?format=3164&sd-id=a@1',
    /at character 31: format=3164 and "sd-id" exclude each other; wanted one/,
  ],
  ['syslog+tcp://host?sd-id=a@1&format=3164', /format=3164 and "sd-id" exclude each other/],
  ['loki+http://me:pass@host?token-file=/t', /at character 26: the user before @ and "token-file" exclude each other/],
  ['otlp+http://me@host?header.Authorization=x', /the user before @ and "header.Authorization" exclude each other/],
  ['otlp+http://host?token-file=/t&header.AUTHORIZATION=x', /token-file and "header.AUTHORIZATION" exclude each other/],
  ['loki+http://host?tenant=me&header.X-Scope-OrgID=x', /tenant and "header.X-Scope-OrgID" exclude each other/],
  ['loki+http://host?hostname=a&label.host=b', /hostname and "label.host" exclude each other/],
  ['otlp+http://host?resource.host.name=b&hostname=a', /resource.host.name and "hostname" exclude each other/],
  ['otlp+https://host?key=/k', /at character 19: key without cert; wanted cert and key/],
  ['syslog+tls://host?cert=/c', /at character 19: cert without key; wanted cert and key/],
])('%s is refused with the position and what was wanted', (text, message) => {
  if (typeof message === 'string') expect(fault(text)).toBe(message)
  else expect(fault(text)).toMatch(message)
})

test('messages hold no secrets', () => {
  expect(fault('loki+http://user:hunter2@host:0?header.x=hunter2')).not.toContain('hunter2')
  expect(fault('loki+http://hunter2@host?nonsense=hunter2')).not.toContain('hunter2')
  for (const password of ['hun@ter2', 'hun/ter2', 'hun?ter2', 'hun:ter2@@', '/hun@ter2', 'hun#ter2']) {
    const message = fault(`otlp+http://user:${password}@host:1/x%zz?nonsense=1`)
    expect(message, password).not.toMatch(/hun|ter2/)
  }
})

test('every kind has an example that is right', () => {
  for (const { example } of targetKinds) expect(parseTarget(example).text).toBe(example)
})

test('users and passwords become headers', () => {
  const address = (text: string) =>
    parseAddress(new TargetText(`x://${text}`, 'x://'), text, 80, { hasUser: true, hasPath: true })
  expect(address('me:a%3Ab@h/p')).toEqual({
    host: 'h',
    port: 80,
    path: '/p',
    authorization: `Basic ${Buffer.from('me:a:b').toString('base64')}`,
  })
  expect(address('tok@[::1]:8')).toEqual({ host: '::1', port: 8, path: '/', authorization: 'Bearer tok' })
  expect(address('h').authorization).toBeUndefined()
})

test('a directory target writes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'target-'))
  const target = await parseTarget(`dir://${directory}/deep/er//`).open(() => undefined)
  const bytes = line(1, 'x', 'm')
  await target.deliver(bytes, 0, bytes.length, new AbortController().signal)
  await target.close()
  expect(readdirSync(join(directory, 'deep/er'))).toContain('x.log')
  rmSync(directory, { recursive: true })
})
