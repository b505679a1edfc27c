// Readers of a real memlogd whose engine is killed, or which is stopped and started again: nothing is shown twice,
// nothing is left out, and what is lost is reported.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

let daemon: Daemon
beforeEach(async () => {
  daemon = await Daemon.start()
})
afterEach(async () => {
  await stopCommands()
  await daemon.stop()
})

const startLogread = (...args: string[]) =>
  startCommand(join(binDirectory, 'logread'), ['--socket', daemon.querySocket, ...args])

const write = (from: number, to: number) =>
  daemon.logwrite(['-n', 'count', 'seq', '-f', 'number-%05g', String(from), String(to)])

/** The numbers that lines `number-N` have. */
function numbers(text: string): number[] {
  return [...text.matchAll(/number-(\d+)/g)].map(([, digits]) => Number(digits))
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

describe('a reader that follows', () => {
  it('goes on through the death of the engine, without a line twice or missing', async () => {
    const reader = startLogread('-f', '-s', 'count.*')
    for (let round = 0; round < 3; round++) {
      write(round * 500 + 1, round * 500 + 500)
      await eventually('the lines are shown', () => numbers(reader.stdout()).length >= round * 500 + 100)
      const { enginePid } = daemon
      if (enginePid !== undefined) process.kill(enginePid, 'SIGKILL')
    }
    await eventually('all lines are shown', () => numbers(reader.stdout()).length >= 1500)
    reader.child.kill()
    const { stdout, stderr } = await reader.finished
    expect(numbers(stdout)).toEqual(upTo(1500))
    expect(stderr).toBe('')
  })

  it('says that memlogd went away, and ends with 1', async () => {
    const reader = startLogread('-f')
    await eventually('it reads', () => reader.stdout().includes('memlogd started'))
    const { querySocket } = daemon
    daemon.process.kill('SIGTERM')
    expect(await reader.finished).toMatchObject({
      status: 4,
      stderr: `logread: ${querySocket}: memlogd went away\n`,
    })
  })
})

describe('a cursor file', () => {
  it('goes on across runs, and says what was lost when memlogd was started again', async () => {
    const path = join(daemon.directory, 'cursor')
    const next = () => daemon.logread('--cursor-file', path, '-s', 'count.*', '-o', 'cat').stdout
    write(1, 10)
    expect(numbers(next())).toEqual(upTo(10))
    expect(next()).toBe('')
    write(11, 12)
    expect(numbers(next())).toEqual([11, 12])
    const state = readFileSync(path, 'utf8')
    const other = await Daemon.start()
    try {
      other.logwrite(['-n', 'count', 'echo', 'number-1'])
      const shown = other.logread('--cursor-file', path, '-s', 'count.*', '-o', 'cat').stdout
      expect(shown.split('\n')).toEqual([expect.stringContaining('restarted'), 'number-1', ''])
      expect(readFileSync(path, 'utf8')).not.toBe(state)
    } finally {
      await other.stop()
    }
  })

  it('reports how many lines were overwritten between two runs', async () => {
    const small = await Daemon.start('-max-lines', '20')
    try {
      const path = join(small.directory, 'cursor')
      const next = () => small.logread('--cursor-file', path, '-o', 'cat').stdout
      next()
      small.logwrite(['-n', 'count', 'seq', '-f', 'number-%g', '1', '100'])
      const lines = next().trimEnd().split('\n')
      const lost = Number(/^(\d+) lines lost/.exec(lines[0] ?? '')?.[1])
      // logwrite's own lines are in the log too: what counts is that nothing is unaccounted for.
      expect(lost + lines.length - 1).toBeGreaterThanOrEqual(100)
      expect(lines.length - 1).toBe(20)
      expect(lines.at(-1)).toBe('number-100')
    } finally {
      await small.stop()
    }
  })
})

describe('waiting for a line', () => {
  it('ends as soon as it is written', async () => {
    const waiting = startLogread('--wait', 'number-0*5', '--fail-on', 'panic', '--timeout', '1h', '-o', 'cat')
    write(1, 9)
    expect(await waiting.finished).toMatchObject({ status: 0, stdout: 'number-00005\n' })
    expect(daemon.logread('--wait', 'never', '--timeout', '0s').status).toBe(1)
  })

  it('says that the line may have been lost', async () => {
    const small = await Daemon.start('-max-lines', '20')
    try {
      small.logwrite(['seq', '1', '100'])
      expect(small.logread('--wait', 'never', '--timeout', '0s').status).toBe(5)
      expect(small.logread('--wait', '100', '--timeout', '0s').status).toBe(0)
    } finally {
      await small.stop()
    }
  })
})

describe('a saved log', () => {
  it('answers as memlogd did', () => {
    write(1, 50)
    for (const format of ['json', 'export']) {
      const path = join(daemon.directory, `saved.${format}`)
      writeFileSync(path, daemon.logread('-o', format).stdout, 'latin1')
      for (const question of [
        ['-n', '5'],
        ['-g', '-0001.'],
        ['--sources', '-o', 'json'],
        ['-r', '-c', '3'],
      ]) {
        const asked = daemon.logread(...question)
        const offline = daemon.logread('--file', path, ...question)
        expect([offline.status, offline.stdout]).toEqual([0, asked.stdout])
      }
    }
  })
})
