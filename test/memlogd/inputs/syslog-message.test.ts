import { describe, expect, it } from 'vitest'
import { findMessageEnd, SyslogMessage, skipLength } from '../../../src/memlogd/inputs/syslog-message.ts'
import { EntryView, encodeEntry } from '../../../src/protocol/entry.ts'
import { randomFrom } from '../../support/random.ts'
import { amid } from './chunks.ts'
import { deviceLines } from './device-lines.ts'

interface Wanted {
  priority?: number
  source?: string
  text: string
  fields?: Record<string, string>
  fault?: string
}

function fieldsOf(encoded: Buffer): Record<string, string> {
  const none = Buffer.alloc(0)
  const times = { realSeconds: 0, realNanos: 0, monoSeconds: 0, monoNanos: 0 }
  const entry = encodeEntry({ sequence: 1, ...times, source: none, fields: encoded, message: none })
  const fields = [...new EntryView().at(entry, 0).fields()]
  return Object.fromEntries(fields.map(([key, value]) => [key, value.toString()]))
}

function parsed(message: SyslogMessage, bytes: Buffer) {
  return {
    priority: message.priority,
    source: message.source.toString(),
    text: bytes.toString('latin1', message.textStart, message.textEnd),
    fields: fieldsOf(message.fields.bytes),
    fault: message.fault as string,
  }
}

const stamp = 'Nov 23 03:46:57'
const sent = { sender_time: stamp }
const long = (bytes: number) => 'x'.repeat(bytes)

const cases: [string, string, Wanted][] = [
  // What senders write.
  ['glibc', `<13>${stamp} app: hello`, { source: 'app', text: 'hello', fields: sent }],
  [
    'glibc with a pid',
    `<30>${stamp} app[42]: hello`,
    { priority: 30, source: 'app', text: 'hello', fields: { ...sent, pid: '42' } },
  ],
  [
    'a day of one digit',
    '<13>Nov  3 03:46:57 app: x',
    { source: 'app', text: 'x', fields: { sender_time: 'Nov  3 03:46:57' } },
  ],
  [
    'musl',
    `<14>${stamp} app[7]: hello\n`,
    { priority: 14, source: 'app', text: 'hello', fields: { ...sent, pid: '7' } },
  ],
  [
    'text that begins as RFC 5424 does',
    '<14>1 file changed, 2 insertions were made today',
    { priority: 14, text: '1 file changed, 2 insertions were made today', fault: 'rfc5424-header' },
  ],
  [
    'an IPv6 host name that begins with a letter group',
    `<13>${stamp} fd12:3456::1 sshd[42]: hello`,
    { source: 'sshd', text: 'hello', fields: { ...sent, host: 'fd12:3456::1', pid: '42' } },
  ],
  [
    'a long IPv6 host name',
    `<13>${stamp} fe80:1:2:3:4:5:6:7 app: hello`,
    { source: 'app', text: 'hello', fields: { ...sent, host: 'fe80:1:2:3:4:5:6:7' } },
  ],
  ['a tag without a space after it', `<13>${stamp} app:hello`, { source: 'app', text: 'hello', fields: sent }],
  ['musl without an ident', `<14>${stamp} : hello\n`, { priority: 14, text: 'hello', fields: sent }],
  ['Python', '<14>hello world\0', { priority: 14, text: 'hello world' }],
  ['Python with an ident', '<11>app: hello\0', { priority: 11, source: 'app', text: 'hello' }],
  ['Python with JSON', '<14>{"time": 1, "msg": "a:b"}\0', { priority: 14, text: '{"time": 1, "msg": "a:b"}' }],
  [
    'Go, local',
    `<30>${stamp} app[42]: hello\n`,
    { priority: 30, source: 'app', text: 'hello', fields: { ...sent, pid: '42' } },
  ],
  [
    'Go, remote',
    '<30>2026-11-23T03:46:57Z host app[42]: hello\n',
    {
      priority: 30,
      source: 'app',
      text: 'hello',
      fields: { sender_time: '2026-11-23T03:46:57Z', host: 'host', pid: '42' },
    },
  ],
  ['busybox', `<13>${stamp} root: hello`, { source: 'root', text: 'hello', fields: sent }],
  ['a host name', `<13>${stamp} host app: hello`, { source: 'app', text: 'hello', fields: { ...sent, host: 'host' } }],
  [
    'a path as tag',
    `<22>${stamp} postfix/smtpd[1]: x`,
    { priority: 22, source: 'postfix/smtpd', text: 'x', fields: { ...sent, pid: '1' } },
  ],
  ['a unit as tag', '<30>(systemd)[1]: x', { priority: 30, source: '(systemd)', text: 'x', fields: { pid: '1' } }],
  [
    'an IPv6 address as host',
    `<13>${stamp} fe80::1 app: x`,
    { source: 'app', text: 'x', fields: { ...sent, host: 'fe80::1' } },
  ],
  // Shapes at the edge.
  ['nothing', '', { text: '', fault: 'no-priority' }],
  ['only a priority', '<13>', { text: '' }],
  ['only a stamp', `<13>${stamp}`, { text: '', fields: sent }],
  ['only a tag', `<13>${stamp} app:`, { source: 'app', text: '', fields: sent }],
  ['no priority', 'hello', { text: 'hello', fault: 'no-priority' }],
  ['no priority, but a tag', 'app: hello', { source: 'app', text: 'hello', fault: 'no-priority' }],
  ['a priority with a leading zero', '<013>hello', { text: '<013>hello', fault: 'no-priority' }],
  ['a priority that is too large', '<192>hello', { text: '<192>hello', fault: 'no-priority' }],
  ['the largest priority', '<191>hello', { priority: 191, text: 'hello' }],
  ['the smallest priority', '<0>hello', { priority: 0, text: 'hello' }],
  ['a word and no tag', `<13>${stamp} hello world`, { text: 'hello world', fields: sent }],
  ['a URL', '<13>http://host/ is down', { text: 'http://host/ is down' }],
  ['a clock', '<13>10:20:30 hello', { text: '10:20:30 hello' }],
  ['brackets that hold no pid', `<13>${stamp} app[a b]: x`, { text: 'app[a b]: x', fields: sent }],
  ['an index', '<13>list[3] is bad', { text: 'list[3] is bad' }],
  ['an unclosed pid', '<13>app[42: x', { text: 'app[42: x' }],
  ['a pid that is no number', '<13>app[main-1]: x', { source: 'app', text: 'x', fields: { pid: 'main-1' } }],
  ['an empty pid', '<13>app[]: x', { source: 'app', text: 'x' }],
  ['no space after the tag', '<13>app:x', { source: 'app', text: 'x' }],
  ['two spaces after the tag', '<13>app:  x', { source: 'app', text: ' x' }],
  ['a stamp with a wrong month', '<13>Nox 23 03:46:57 app: x', { text: 'Nox 23 03:46:57 app: x' }],
  ['newlines at the end', '<13>app: a\nb\n\n', { source: 'app', text: 'a\nb' }],
  ['the longest tag', `<13>${long(255)}: x`, { source: long(255), text: 'x' }],
  ['a tag that is too long', `<13>${long(256)}: x`, { text: `${long(256)}: x` }],
  ['a tag of invalid UTF-8', `<13>${stamp} a\xffb: x`, { source: 'a\ufffdb', text: 'x', fields: sent }],
  ['a tag with an escape', `<13>${stamp} a\x1b[: x`, { text: 'a\x1b[: x', fields: sent }],
  // RFC 5424: the document's own examples first.
  [
    '5424 with a byte order mark',
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed",
    {
      priority: 34,
      source: 'su',
      text: "'su root' failed",
      fields: { sender_time: '2003-10-11T22:14:15.003Z', host: 'mymachine.example.com', msgid: 'ID47' },
    },
  ],
  [
    '5424 with structured data',
    '<165>1 2003-10-11T22:14:15.003Z host evntslog 77 ID47 [exampleSDID@32473 iut="3" eventSource="App"][x@1] An event',
    {
      priority: 165,
      source: 'evntslog',
      text: 'An event',
      fields: {
        sender_time: '2003-10-11T22:14:15.003Z',
        host: 'host',
        pid: '77',
        msgid: 'ID47',
        sd: '[exampleSDID@32473 iut="3" eventSource="App"][x@1]',
      },
    },
  ],
  ['5424 without text', '<165>1 - - - - - [a b="c"]', { priority: 165, text: '', fields: { sd: '[a b="c"]' } }],
  ['5424 with nothing', '<165>1 - - - - - -', { priority: 165, text: '' }],
  [
    '5424 with a bare bracket',
    '<13>1 - - a - - [s v="a]b"] x',
    { source: 'a', text: 'x', fields: { sd: '[s v="a]b"]' } },
  ],
  [
    '5424 with escapes that are closed',
    '<13>1 - - a - - [s v="\\"\\\\\\]\\n"] x',
    { source: 'a', text: 'x', fields: { sd: '[s v="\\"\\\\\\]\\n"]' } },
  ],
  ['5424 with an empty value', '<13>1 - - a - - [s v=""] x', { source: 'a', text: 'x', fields: { sd: '[s v=""]' } }],
  [
    '5424 with broken structured data',
    '<13>1 - - a - - [s v="x y',
    { source: 'a', text: '[s v="x y', fault: 'structured-data' },
  ],
  ['5424 with text in its place', '<13>1 - - a - - text', { source: 'a', text: 'text', fault: 'structured-data' }],
  ['5424 with two spaces', '<13>1 - -  - - - x', { text: '1 - -  - - - x', fault: 'rfc5424-header' }],
  ['5424 cut short', '<13>1 - - app', { text: '1 - - app', fault: 'rfc5424-header' }],
  [
    '5424 with a long field',
    `<13>1 - ${long(256)} - - - - x`,
    { text: `1 - ${long(256)} - - - - x`, fault: 'rfc5424-header' },
  ],
  ['5424 with the longest field', `<13>1 - - ${long(255)} - - - x`, { source: long(255), text: 'x' }],
  ['5424 with a name of only a newline', '<13>1 - - \n - - - x', { source: 'unnamed', text: 'x' }],
  ['text that begins with 1', '<13>1 apple', { text: '1 apple', fault: 'rfc5424-header' }],
  ['text that begins with 2', '<13>2 apples', { text: '2 apples' }],
]

describe('SyslogMessage', () => {
  const message = new SyslogMessage()
  for (const [name, text, wanted] of cases) {
    it(`reads ${name}`, () => {
      for (const around of ['', 'x', ':', ']: ', '"] ', '<13>1 - - - - - ', '\0', '   ']) {
        const { bytes, start, end } = amid(Buffer.from(text, 'latin1'), Buffer.from(around))
        message.parse(bytes, start, end)
        const defaults = { priority: 13, source: 'syslog', fields: {}, fault: 'none' }
        expect(parsed(message, bytes), `with ${JSON.stringify(around)} around`).toEqual({ ...defaults, ...wanted })
      }
    })
  }

  it('leaves out structured data that has no room, whole', () => {
    const bytes = Buffer.from(`<13>1 - host a - - [s a="${long(9000)}" b="c"] x`)
    message.parse(bytes, 0, bytes.length)
    expect(fieldsOf(message.fields.bytes)).toEqual({ host: 'host' })
    expect(message.fault).toBe('fields-left-out')
    expect(bytes.toString('latin1', message.textStart, message.textEnd)).toBe('x')
  })

  it('takes any bytes, and loses none of them', () => {
    const random = randomFrom(0x5eed)
    const seeds = cases.map(([, text]) => Buffer.from(text, 'latin1'))
    for (let round = 0; round < 20_000; round++) {
      const bytes = Buffer.from(seeds[random.below(seeds.length)] ?? [])
      for (let change = random.below(6); change > 0 && bytes.length > 0; change--) {
        bytes[random.below(bytes.length)] =
          random.below(4) === 0 ? (Buffer.from('<>[]: "=\\-\0\n1')[random.below(13)] ?? 0) : random.below(256)
      }
      const end = random.below(4) === 0 ? random.below(bytes.length + 1) : bytes.length
      message.parse(bytes, 0, end)
      expect(message.priority).toBeLessThanOrEqual(191)
      expect(message.source.length).toBeGreaterThan(0)
      expect(message.source.length).toBeLessThanOrEqual(512)
      expect(message.textStart).toBeLessThanOrEqual(message.textEnd)
      expect(message.textEnd).toBeLessThanOrEqual(end)
      fieldsOf(message.fields.bytes)
    }
  })
})

describe('lines of devices', () => {
  const message = new SyslogMessage()
  it.each(deviceLines)('are read: $from', ({ line, ours }) => {
    for (const around of ['', ': ', ' 2026 03:46:57']) {
      const { bytes, start, end } = amid(Buffer.from(line), Buffer.from(around))
      message.parse(bytes, start, end, true)
      const { source, text, fields } = parsed(message, bytes)
      expect([fields.sender_time, fields.host, source, fields.pid, text].join('|')).toBe(ours)
    }
  })

  it('have a host without a tag only if they come from another machine', () => {
    const bytes = Buffer.from(`<13>${stamp} printer1 paper jam`)
    message.parse(bytes, 0, bytes.length)
    expect(parsed(message, bytes)).toMatchObject({ text: 'printer1 paper jam', fields: sent })
  })

  it.each([
    'Nov 24 03:46',
    'Nov 24 2026',
    'Nov 2a 03:46:57',
    'Nov 24 03:46:57x',
    '2026-11-24 03:46:57+1',
    '2026-11-24 apples',
  ])('are no stamp: %s', (text) => {
    const bytes = Buffer.from(`<13>${text} a b`)
    message.parse(bytes, 0, bytes.length, true)
    expect(fieldsOf(message.fields.bytes)).toEqual({})
  })
})

describe('findMessageEnd', () => {
  it('splits at NUL and never looks beyond the end', () => {
    const bytes = Buffer.from('ab\0\0cd\0')
    expect(findMessageEnd(bytes, 0, 7)).toBe(2)
    expect(findMessageEnd(bytes, 3, 7)).toBe(3)
    expect(findMessageEnd(bytes, 4, 7)).toBe(6)
    expect(findMessageEnd(bytes, 4, 5)).toBe(5)
    expect(findMessageEnd(bytes, 7, 7)).toBe(7)
  })
})

describe('skipLength', () => {
  it.each([
    ['5 <13>a', 2],
    ['65535 <13>a', 6],
    ['999 <', 4],
    ['<13>a', 0],
    ['5 apples', 0],
    ['05 <13>a', 0],
    ['123456 <13>a', 0],
    ['5 ', 0],
    [' <13>a', 0],
    ['', 0],
  ])('of %j is %i', (text, wanted) => {
    for (const around of ['', '5 <', '<']) {
      const { bytes, start, end } = amid(Buffer.from(text), Buffer.from(around))
      expect(skipLength(bytes, start, end) - start).toBe(wanted)
    }
  })
})
