import { afterEach, expect, test } from 'vitest'
import { SyslogWriter } from '../../../../src/logread/ship/syslog/message.ts'
import { SyslogUdpTarget } from '../../../../src/logread/ship/syslog/udp-target.ts'
import { systemWorld } from '../../../../src/system/world.ts'
import { freePort } from '../../../support/free-port.ts'
import { line } from '../entries.ts'
import { datagramReceiver } from './receivers.ts'

const signal = new AbortController().signal
let opened: SyslogUdpTarget[] = []

afterEach(async () => {
  for (const target of opened) await target.close()
  opened = []
})

function makeTarget(port: number, bytesMax = 200): SyslogUdpTarget {
  const made = new SyslogUdpTarget('syslog', { host: '127.0.0.1', port }, new SyslogWriter('vm'), bytesMax, systemWorld)
  opened.push(made)
  return made
}

const deliver = (to: SyslogUdpTarget, bytes: Buffer) => to.deliver(bytes, 0, bytes.length, signal)

test('one message in each datagram, cut to the limit', async () => {
  const receiver = await datagramReceiver()
  await deliver(makeTarget(receiver.port), Buffer.concat([line(1, 'x', 'short'), line(2, 'x', 'é'.repeat(500))]))
  await expect.poll(() => receiver.datagrams.length).toBe(2)
  await receiver.close()
  const [short, long] = receiver.datagrams.map(String) as [string, string]
  expect(short).toMatch(/^<14>1 .* short$/)
  expect(Buffer.byteLength(long)).toBeLessThanOrEqual(200)
  expect(Buffer.byteLength(long)).toBeGreaterThan(197)
  expect(long).toMatch(/é$/)
})

test('nobody listens: reported at once if the system says so, and afterwards otherwise', async () => {
  const target = makeTarget(await freePort())
  let lost = 0
  target.onLost = () => lost++
  await deliver(target, line(1, 'x', 'one')).catch(() => lost++)
  await expect.poll(() => lost).toBe(1)
  expect(target.unconfirmed).toBeLessThanOrEqual(1)
})

test('a burst of thousands arrives whole at a receiver that reads', async () => {
  const receiver = await datagramReceiver()
  const count = 3000
  await deliver(
    makeTarget(receiver.port, 1000),
    Buffer.concat(Array.from({ length: count }, (_, index) => line(index + 1, 'x', 'a'.repeat(300)))),
  )
  await expect.poll(() => receiver.datagrams.length).toBe(count)
  await receiver.close()
})

test('an address that cannot be connected to is a failure with its reason', async () => {
  // A broadcast needs an option of the socket that is not set.
  const address = { host: '255.255.255.255', port: 514 }
  const target = new SyslogUdpTarget('syslog', address, new SyslogWriter('vm'), 200, systemWorld)
  opened.push(target)
  await expect(deliver(target, line(1, 'x', 'm'))).rejects.toMatchObject({
    message: expect.stringContaining('EACCES'),
    retryable: true,
  })
})
