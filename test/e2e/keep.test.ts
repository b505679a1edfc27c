// A machine boots with 300 lines. Then one source floods the log, beside twenty quiet ones that write a line now and
// then, some of them errors, and the engine is killed again and again. The whole boot, every error and every quiet line
// are there afterwards. KEEP_LINES=10000000 makes it ten million lines of flood.
import { afterEach, expect, it } from 'vitest'
import { Daemon } from '../support/daemon.ts'
import { statistics } from '../support/statistics.ts'
import { eventually, testMs } from '../support/wait.ts'

const floodLines = Number(process.env.KEEP_LINES ?? 600_000)
const bootLines = 300
const quietSources = 20
const rounds = 10
/** Lines of each quiet source in a round, and after how many of them the engine is killed. */
const linesEach = 10
const killAfter = 5

const boot = `
r, w = os.pipe(); send(b"boot", [r]); os.close(r)
os.write(w, b"".join(b"boot %d\\n" % i for i in range(${bootLines})))
os.close(w)`

const round = (number: number, enginePid: number): string => `
def source(name):
    r, w = os.pipe(); send(name, [r]); os.close(r)
    return w
flood = source(b"flood.stdout")
quiet = [source(b"quiet-%d.stdout" % i) for i in range(${quietSources})]
text = b"".join(b"a line of the flood that nobody will ever read, number %d\\n" % i for i in range(1000))
for line in range(${number * linesEach}, ${(number + 1) * linesEach}):
    if line == ${number * linesEach + killAfter}: os.kill(${enginePid}, 9)
    for w in quiet: os.write(w, b"%sline %d\\n" % (b"<3>" if line % 7 == 0 else b"", line))
    for i in range(${Math.ceil(floodLines / rounds / linesEach / 1000)}):
        left = text
        while left: left = left[os.write(flood, left):]
for w in [flood, *quiet]: os.close(w)`

let daemon: Daemon | undefined
afterEach(async () => {
  await daemon?.stop()
  daemon = undefined
})

it(
  'the boot, errors and quiet sources survive a flood and the deaths of the engine',
  async () => {
    daemon = await Daemon.start('-max-bytes', '8MiB', '-keep', '2MiB')
    const { querySocket } = daemon
    daemon.client(boot)
    const sourcesEach = quietSources + 1
    for (let number = 0; number < rounds; number++) {
      daemon.client(round(number, daemon.enginePid ?? 0))
      await eventually('the round is stored', async () => {
        const { counters } = await statistics(querySocket)
        return (counters.sourcesClosed ?? 0) >= (number + 1) * sourcesEach + 1
      })
    }
    const { ring, counters } = await statistics(querySocket)
    expect(counters.engineStarts).toBe(rounds + 1)
    expect(ring.stored).toBeGreaterThanOrEqual(floodLines)
    expect(ring.bytes).toBeLessThanOrEqual(8 * 1024 * 1024)

    const bySource = new Map<string, string[]>()
    for (const [source, message] of daemon.lines()) {
      const messages = bySource.get(source) ?? []
      if (messages.push(message) === 1) bySource.set(source, messages)
    }
    const numbered = (word: string, count: number) => Array.from({ length: count }, (_, index) => `${word} ${index}`)
    expect(bySource.get('boot')).toEqual(numbered('boot', bootLines))
    const lines = numbered('line', rounds * linesEach)
    for (let number = 0; number < quietSources; number++) {
      expect(bySource.get(`quiet-${number}.stdout`), `quiet-${number}`).toEqual(lines)
    }
    const errors = daemon.lines('-p', 'err').filter(([source]) => source.startsWith('quiet-'))
    expect(errors).toHaveLength(quietSources * lines.filter((_, index) => index % 7 === 0).length)
    expect(daemon.lines('--boot').filter(([source]) => source === 'boot')).toHaveLength(bootLines)

    // What is kept of whom.
    const kept = new Map<string, number>()
    for (const line of daemon.logread('--sources', '-o', 'json').stdout.trimEnd().split('\n')) {
      const { source, kept: count } = JSON.parse(line) as { source: string; kept: number }
      kept.set(source, count)
    }
    expect(kept.get('boot')).toBe(bootLines)
    expect(daemon.logread('--sources').stdout).toMatch(/^SOURCE +LINES +KEPT +BYTES .*\n(?:.*\n)*boot +300 +300 /)
    expect(daemon.logread('--stats').stdout).toMatch(
      /\nkept by source: \d+\n +source +kept +evicted\n(?:.*\n)* +boot +300 +0\n/,
    )

    const holes = /^\d+ earlier lines were evicted, mostly of flood\.stdout/
    expect(bySource.get('memlogd')?.filter((message) => holes.test(message))).toHaveLength(1)
    const marked = daemon
      .lines('--gaps')
      .filter(([source, text]) => source === 'memlogd' && / were? evicted/.test(text))
    expect(marked.length).toBeGreaterThan(1)
  },
  testMs + floodLines / 20,
)
