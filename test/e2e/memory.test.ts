// memlogd may use 64 MB in all. A thousand programs write without end, half of them without ever a newline; two hundred
// followers never read; a flood of syslog messages comes on top. It stays within its memory, serves a dump, and counts
// what it loses. MEMORY_SECONDS=120 makes it two minutes.
import { afterEach, expect, it } from 'vitest'
import { Daemon } from '../support/daemon.ts'
import { startFlood, startSleepers, stopLoads } from '../support/load.ts'
import { type MemoryCgroup, memoryCgroup } from '../support/memory-cgroup.ts'
import { statistics } from '../support/statistics.ts'
import { eventually, testMs } from '../support/wait.ts'

const seconds = Number(process.env.MEMORY_SECONDS ?? 12)
const bytesMax = 64 * 1024 * 1024
const sources = 1000
const followers = 200
/** memlogd's own entries: each kind of event once a second at most. */
const ownEntriesMax = 10 + 3 * seconds

const group = memoryCgroup(`memlogd-test-${process.pid}`, bytesMax)
if (typeof group === 'string') console.log(`SKIPPED: no memory cgroup can be made here: ${group}`)

let daemon: Daemon | undefined
afterEach(async () => {
  stopLoads()
  await daemon?.stop()
  if (typeof group !== 'string') await eventually('the group is empty', () => isRemoved(group))
})

function isRemoved(made: MemoryCgroup): boolean {
  try {
    made.remove()
    return true
  } catch {
    return false
  }
}

it.skipIf(typeof group === 'string')(
  'memlogd stays within 64 MB, serves a dump, and loses only what it reports',
  async () => {
    if (typeof group === 'string') return
    daemon = await Daemon.startBy(group.prefix, '-syslog', '{syslog}')
    const { logSocket, querySocket } = daemon
    const sleepers = startSleepers(querySocket, followers)
    await eventually(
      'the followers are there',
      async () => (await statistics(querySocket)).readers.length === followers,
    )
    const flood = startFlood(logSocket, daemon.syslogSocket, sources, seconds)
    await eventually('the ring is full', async () => (await statistics(querySocket)).ring.first > 1)
    // The flood overtakes a dump, which says so; it comes to its end all the same.
    const dump = daemon.logread()
    expect(dump.status).toBe(0)
    expect(dump.stdout.split('\n').length).toBeGreaterThan(100)
    const { lines, datagrams } = await flood.result
    const end = await eventually('all sources are at their end', async () => {
      const found = await statistics(querySocket)
      return found.counters.sourcesClosed === sources && found
    })
    expect(group.kills()).toBe(0)
    expect(group.peak()).toBeLessThanOrEqual(bytesMax)
    expect(end.counters.engineStarts).toBe(1)
    expect(end.readers.length).toBe(followers)
    // Each endless line is an entry at its end; a datagram is an entry or counted as lost.
    const stored = lines + sources / 2 + datagrams - (end.counters.datagramsLost ?? 0)
    expect(end.ring.stored).toBeGreaterThan(stored)
    expect(end.ring.stored).toBeLessThan(stored + ownEntriesMax)
    expect(end.readers.every((reader) => reader.delivered + reader.lost + reader.lag === end.ring.stored)).toBe(true)
    sleepers.child.stdin?.end()
  },
  seconds * 1000 + testMs,
)
