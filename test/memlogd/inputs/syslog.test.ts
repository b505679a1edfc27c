import { describe, expect, it } from 'vitest'
import { sourceKindSyslogTcp, sourceKindSyslogUdp, sourceKindSyslogUnix } from '../../../src/protocol/constants.ts'
import { randomFrom, seedFor } from '../../support/random.ts'
import { checkRing } from '../../support/ring-invariants.ts'
import { EngineRig } from '../engine/engine-rig.ts'

const local = (text: string | Buffer, pid = 42, uid = 1000, gid = 100): Buffer => {
  const prefix = Buffer.alloc(16)
  prefix.writeUInt32LE(pid, 0)
  prefix.writeUInt32LE(uid, 4)
  prefix.writeUInt32LE(gid, 8)
  return Buffer.concat([prefix, Buffer.from(text)])
}

function remote(text: string): Buffer {
  const prefix = Buffer.alloc(16)
  const address = Buffer.from('02000202c0a8010a0000000000000000', 'hex')
  prefix.writeUInt32LE(address.length, 12)
  return Buffer.concat([prefix, address, Buffer.from(text)])
}

describe('syslog on a local socket', () => {
  it('keeps priority, tag, pid, and who the kernel says it was', () => {
    const rig = new EngineRig()
    const log = rig.queue.open('syslog', sourceKindSyslogUnix)
    rig.queue.datagram(log, local('<30>Nov 23 03:46:57 app[42]: hello'))
    rig.queue.datagram(log, local('<14>no tag\0', 43, 0, 0))
    rig.queue.datagram(log, local('<14>app[1]: forged', 43, 0, 0))
    rig.queue.datagram(log, local('<14>app: from another pid namespace', 0, 65534, 65534))
    expect(rig.entries()).toEqual([
      {
        source: 'app',
        priority: 30,
        text: 'hello',
        fields: { sender_time: 'Nov 23 03:46:57', pid: '42', uid: '1000', gid: '100' },
      },
      { source: 'syslog', priority: 14, text: 'no tag', fields: { pid: '43', uid: '0', gid: '0' } },
      { source: 'app', priority: 14, text: 'forged', fields: { pid: '1', sender_pid: '43', uid: '0', gid: '0' } },
      { source: 'app', priority: 14, text: 'from another pid namespace', fields: { uid: '65534', gid: '65534' } },
    ])
  })

  it('makes an entry of each message in a datagram, and none of nothing', () => {
    const rig = new EngineRig()
    const log = rig.queue.open('syslog', sourceKindSyslogUnix)
    rig.queue.datagram(log, local('<14>a: 1\0<15>b: 2\0\0'))
    rig.queue.datagram(log, local('\0\0'))
    rig.queue.datagram(log, local(''))
    expect(rig.entries().map(({ source, text }) => `${source} ${text}`)).toEqual(['a 1', 'b 2'])
  })

  it('cuts a long message and one that the kernel cut', () => {
    const rig = new EngineRig({ maxLineBytes: 10 })
    const log = rig.queue.open('syslog', sourceKindSyslogUnix)
    rig.queue.datagram(log, local(`<14>a: ${'x'.repeat(15)}`))
    rig.queue.datagram(log, local('<14>a: short'), 1)
    expect(rig.entries().map(({ text, cutBytes, isCut }) => [text, cutBytes, isCut])).toEqual([
      ['x'.repeat(10), 5, true],
      ['short', undefined, true],
    ])
    expect(rig.engine.counters.get('linesCut')).toBe(1)
  })

  it('counts what is wrong by reason', () => {
    const rig = new EngineRig()
    const log = rig.queue.open('syslog', sourceKindSyslogUnix)
    for (const text of ['x', 'x', '<13>1 x', '<13>1 - - - - - [x']) rig.queue.datagram(log, local(text))
    rig.queue.datagram(log, Buffer.from('short'))
    expect(rig.entries().length).toBe(4)
    const { counters } = rig.engine
    expect(counters.get('syslogWithoutPriority')).toBe(2)
    expect(counters.get('syslogBadHeader')).toBe(1)
    expect(counters.get('syslogBadStructuredData')).toBe(1)
    expect(counters.get('inputErrors')).toBe(1)
  })

  it('takes a datagram of 30,000 messages', () => {
    const rig = new EngineRig()
    const log = rig.queue.open('syslog', sourceKindSyslogUnix)
    rig.queue.datagram(log, local('<1>\0'.repeat(15_000)))
    expect(rig.entries().length).toBe(15_000)
    checkRing(rig.engine.ring)
  })

  it('takes 10,000 tags, and any bytes at all', () => {
    const rig = new EngineRig()
    const log = rig.queue.open('syslog', sourceKindSyslogUnix)
    for (let tag = 0; tag < 10_000; tag++) rig.queue.datagram(log, local(`<14>tag-${tag}: x`))
    expect(new Set(rig.entries().map(({ source }) => source)).size).toBe(10_000)
    const random = randomFrom(seedFor('syslog bytes'))
    for (let round = 0; round < 2_000; round++) rig.queue.datagram(log, random.bytes(random.below(200)))
    rig.take()
    checkRing(rig.engine.ring)
  })
})

describe('what the kernel says of a sender', () => {
  const most = 'A'.repeat(8130)

  it('comes first, whatever a local message fills the fields with', () => {
    const rig = new EngineRig()
    const log = rig.queue.open('syslog', sourceKindSyslogUnix)
    rig.queue.datagram(log, local(`<86>1 2026-01-01T00:00:00Z h sshd 1 - [x a="${most}"] Accepted`, 4242))
    const [entry] = rig.entries()
    expect(Object.entries(entry?.fields ?? {}).slice(0, 3)).toEqual([
      ['uid', '1000'],
      ['gid', '100'],
      ['sender_pid', '4242'],
    ])
    expect(entry?.fields).toMatchObject({ pid: '1', host: 'h' })
    expect(rig.engine.counters.get('fieldsLeftOut')).toBe(1)
  })

  it.each([
    ['UDP', sourceKindSyslogUdp, '192.168.1.10:514'],
    ['TCP', sourceKindSyslogTcp, '192.0.2.1'],
  ])('is the peer over %s', (_name, kind, peer) => {
    const rig = new EngineRig()
    const source = rig.queue.open('192.0.2.1', kind)
    const text = `<86>1 - h sshd 1 - [x a="${most}${'A'.repeat(20)}"] text`
    if (kind === sourceKindSyslogUdp) rig.queue.datagram(source, remote(text))
    else rig.queue.data(source, `${text}\n`)
    const [entry] = rig.entries()
    expect(Object.entries(entry?.fields ?? {})[0]).toEqual(['peer', peer])
    expect(rig.engine.counters.get('fieldsLeftOut')).toBe(1)
  })
})

describe('messages over TCP', () => {
  it('lose the carriage return before their newline, and nothing else', () => {
    const rig = new EngineRig()
    const tcp = rig.queue.open('192.0.2.1', sourceKindSyslogTcp)
    for (const piece of ['<13>a: 1\r\n<13>a: 2\r', '\n<13>a: 3\r\r\n10 <13>a: 4\r\n']) rig.queue.data(tcp, piece)
    expect(rig.entries().map(({ text }) => text)).toEqual(['1', '2', '3\r', '4\r'])
  })

  it('that do not end take no room from the lines of this machine', () => {
    const rig = new EngineRig({ maxLineBytes: 256 * 1024, maxBytes: 64 << 20 })
    const line = 'x'.repeat(200_000)
    const own = rig.queue.open('own')
    rig.queue.data(own, line.slice(0, 30_000))
    for (let count = 0; count < 100; count++) {
      const tcp = rig.queue.open(`192.0.2.${count}`, sourceKindSyslogTcp)
      for (let at = 0; at < 7; at++) rig.queue.data(tcp, `${at === 0 ? '<13>t: ' : ''}${line.slice(0, 30_000)}`)
      rig.take()
    }
    for (let at = 30_000; at < line.length; at += 30_000) rig.queue.data(own, line.slice(at, at + 30_000))
    rig.queue.data(own, '\n')
    expect(rig.entries().map(({ source, text, cutBytes }) => [source, text.length, cutBytes])).toEqual([
      ['own', 200_000, undefined],
    ])
  })
})

describe('syslog over the network', () => {
  it('keeps the address that a datagram came from', () => {
    const rig = new EngineRig()
    const log = rig.queue.open('syslog-udp', sourceKindSyslogUdp)
    rig.queue.datagram(log, remote('<34>Nov 23 03:46:57 host su[7]: failed\n'))
    const fields = { sender_time: 'Nov 23 03:46:57', host: 'host', pid: '7', peer: '192.168.1.10:514' }
    expect(rig.entries()).toEqual([{ source: 'su', priority: 34, text: 'failed', fields }])
  })

  it('reads a datagram with an octet count, and one of this machine as it is', () => {
    const rig = new EngineRig()
    const udp = rig.queue.open('syslog-udp', sourceKindSyslogUdp)
    const own = rig.queue.open('syslog', sourceKindSyslogUnix)
    rig.queue.datagram(udp, remote('12 <14>a: count'))
    rig.queue.datagram(own, local('12 <14>a: local'))
    expect(rig.entries().map(({ source, priority, text }) => [source, priority, text])).toEqual([
      ['a', 14, 'count'],
      ['syslog', 13, '12 <14>a: local'],
    ])
  })

  it('reads both framings of TCP, across a restart, and keeps what is unfinished at the end', () => {
    const rig = new EngineRig()
    const connection = rig.queue.open('192.168.1.10', sourceKindSyslogTcp)
    const text = '<14>a: 1\n9 <14>b: 2\n<14>c: 3'
    for (const character of text) {
      rig.queue.data(connection, character)
      rig.take()
      rig.restart()
    }
    rig.queue.close(connection)
    expect(rig.entries()).toEqual([
      { source: 'a', priority: 14, text: '1', fields: { peer: '192.168.1.10' } },
      { source: 'b', priority: 14, text: '2', fields: { peer: '192.168.1.10' } },
      { source: 'c', priority: 14, text: '3', fields: { peer: '192.168.1.10' }, isUnterminated: true },
    ])
  })

  it('takes a long run of short messages in one read', () => {
    const rig = new EngineRig()
    const connection = rig.queue.open('192.168.1.10', sourceKindSyslogTcp)
    rig.queue.data(connection, '<1>\n'.repeat(8_000))
    expect(rig.entries().length).toBe(8_000)
  })
})
