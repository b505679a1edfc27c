// A command runs under logwrite: its output is shown and logged. Its streams, its signals and its exit status are as
// without logwrite, even when memlogd ends.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon, run } from '../support/daemon.ts'
import { eventually } from '../support/wait.ts'

const logwrite = join(binDirectory, 'logwrite')
let daemon: Daemon
beforeAll(async () => {
  daemon = await Daemon.start()
})
afterEach(stopCommands)
afterAll(() => daemon.stop())

const start = (socket: string, ...args: string[]) =>
  startCommand(logwrite, ['-socket', socket, ...args], { stdin: 'pipe' })

describe('the command', () => {
  it('shows its output and logs it as CMD.stdout and CMD.stderr', async () => {
    const ran = daemon.logwrite(['sh', '-c', 'echo out; echo err >&2'])
    expect(ran).toMatchObject({ status: 0, stdout: 'out\n', stderr: 'err\n' })
    await eventually(
      'both are logged',
      () => daemon.messages('sh.stdout').length + daemon.messages('sh.stderr').length === 2,
    )
    expect(daemon.lines()).toEqual(
      expect.arrayContaining([
        ['sh.stdout', 'out'],
        ['sh.stderr', 'err'],
      ]),
    )
  })

  it('has its arguments and its stdin untouched', async () => {
    const args = ['-n', 'args', 'sh', '-c', 'printf "%s|" "$@"; cat', 'sh', '-n', '--socket', '-h', '', 'a b']
    expect(daemon.logwrite(args, { input: 'from stdin' }).stdout).toBe('-n|--socket|-h||a b|from stdin')
    expect(await eventually('it is logged', () => daemon.messages('args.stdout')[0])).toBe(
      '-n|--socket|-h||a b|from stdin',
    )
  })

  it('may put out any bytes', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
    const file = join(daemon.directory, 'bytes')
    writeFileSync(file, bytes)
    expect(Buffer.from(daemon.logwrite(['-n', 'binary', 'cat', file]).stdout, 'latin1')).toEqual(bytes)
    const dump = await eventually('both lines', () => {
      const { stdout } = daemon.logread()
      return stdout.includes('binary.stdout \x0b') && stdout
    })
    expect(dump).toContain(bytes.subarray(0, 10).toString('latin1'))
    expect(dump).toContain(bytes.subarray(11).toString('latin1'))
  })

  it.each([
    ['its exit status', ['sh', '-c', 'exit 3'], 3],
    ['128 and the signal', ['sh', '-c', 'kill -9 $$'], 137],
    ['127 if it is not found', ['no-such-command'], 127],
    ['126 if it can not be run', ['/etc/passwd'], 126],
  ])('ends logwrite with %s', (_name, args, status) => {
    expect(daemon.logwrite(args).status).toBe(status)
  })

  it('leaves an error in the log when it fails', async () => {
    daemon.logwrite(['-n', 'failing', 'sh', '-c', 'echo fine; exit 3'])
    const line = await eventually('it is logged', () => daemon.messages('failing.stderr')[0])
    expect(line).toMatch(/^logwrite: sh exited with status 3 after \d+\.\d s$/)
    expect(daemon.logread('-p', 'err', '-s', 'failing.*', '-o', 'cat').stdout).toBe(`${line}\n`)
  })

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('gets %s', async (signal) => {
    const script = `trap 'echo caught; exit 7' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`
    const running = start(daemon.logSocket, '-n', signal, 'sh', '-c', script)
    await eventually('it is ready', () => running.stdout().includes('ready'))
    running.child.kill(signal)
    expect(await running.finished).toMatchObject({ status: 7, signal: null, stdout: 'ready\ncaught\n' })
  })

  it('gets SIGPIPE when logwrite has no reader any more', () => {
    expect(run('sh', ['-c', `${logwrite} -socket ${daemon.logSocket} -n pipe yes | head -1`])).toMatchObject({
      status: 0,
      stdout: 'y\n',
    })
  })

  it('runs without a JavaScript engine in memory', async () => {
    const running = start(daemon.logSocket, 'sh', '-c', 'echo ready; read end')
    await eventually('it runs', () => running.stdout().includes('ready'))
    const status = readFileSync(`/proc/${running.child.pid}/status`, 'utf8')
    const anonymous = Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1])
    running.child.stdin?.end()
    await running.finished
    expect(anonymous).toBeLessThan(1024)
  })

  it('may leave a child behind: what that writes at once is copied, then logwrite ends without it', () => {
    const pidFile = join(daemon.directory, 'orphan')
    // The command holds the FIFO open: the child goes on when the command has ended.
    const fifo = join(daemon.directory, 'fifo')
    const child = `read end <'${fifo}'; echo late; exec sleep 1000`
    const script = `mkfifo '${fifo}'; (${child}) & echo $! >'${pidFile}'; exec 7>'${fifo}'; echo early`
    const ran = daemon.logwrite(['-n', 'orphans', 'sh', '-c', script])
    const orphan = Number(readFileSync(pidFile, 'utf8'))
    expect(isAlive(orphan)).toBe(true)
    process.kill(orphan, 'SIGKILL')
    expect(ran).toMatchObject({ status: 0, stdout: 'early\nlate\n' })
  })
})

describe('memlogd', () => {
  it('is not there: one line and status 1, or a warning with -best-effort', () => {
    const nowhere = join(daemon.directory, 'nowhere')
    const refused = run(logwrite, ['-socket', nowhere, 'echo', 'x'])
    expect(refused).toMatchObject({ status: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^logwrite: .*nowhere.*\n$/)
    const ran = run(logwrite, ['-best-effort', '-socket', nowhere, 'echo', 'x'])
    expect(ran).toMatchObject({ status: 0, stdout: 'x\n' })
    expect(ran.stderr).toMatch(/^logwrite: .*nowhere.*\n$/)
  })

  it.each([
    ['stalls', 'SIGSTOP'],
    ['dies', 'SIGKILL'],
  ] as const)(
    '%s while the command runs: all output is shown, what is not logged is counted',
    async (_name, signal) => {
      const own = await Daemon.start()
      const lines = 50_000
      const running = start(
        own.logSocket,
        '-wait',
        '200ms',
        'sh',
        '-c',
        `echo begin; read go; seq 1 ${lines}; echo end >&2`,
      )
      await eventually('it runs', () => running.stdout().includes('begin'))
      const engine = own.enginePid
      own.process.kill(signal)
      running.child.stdin?.end('go\n')
      const { status, stdout, stderr } = await running.finished
      expect(status).toBe(0)
      expect(stdout.split('\n')).toHaveLength(lines + 2)
      const report = /^logwrite: (\d+) lines? .*sh\.stdout/m.exec(stderr)
      expect(Number(report?.[1])).toBeGreaterThan(1000)
      expect(Number(report?.[1])).toBeLessThanOrEqual(lines)
      if (signal === 'SIGSTOP') own.process.kill('SIGCONT')
      await own.stop()
      if (engine !== undefined) await eventually('the engine ends', () => !isAlive(engine))
    },
  )
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
