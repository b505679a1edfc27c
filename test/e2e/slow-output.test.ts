// Standard output whose reader is slow, is stopped, or never reads: nothing is cut, and a signal ends the command.
import { readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startCommand, stopCommands } from '../support/command.ts'
import { binDirectory, Daemon, python, run } from '../support/daemon.ts'
import { statistics } from '../support/statistics.ts'
import { eventually } from '../support/wait.ts'

const lines = 23_000
/** Longer than logwrite waits for a command's children, and than logread once waited for more lines. */
const slowSeconds = 3

const logwrite = join(binDirectory, 'logwrite')
const logread = join(binDirectory, 'logread')
let daemon: Daemon
beforeEach(async () => {
  daemon = await Daemon.start('-max-lines', '1000000', '-max-bytes', '64m')
})
afterEach(async () => {
  await stopCommands()
  await daemon.stop()
})

/**
 * An endless command whose output goes to one side of a terminal; nobody reads the other. Prints how logwrite ended
 * after a signal for the command, and one for itself.
 */
const stuckTerminal = `
import os, pty, subprocess, sys, time, tty
logwrite, socket, side = sys.argv[1:]
sides = pty.openpty()
tty.setraw(sides[1])
out = sides[side == "terminal"]
# So that the room for more is no multiple of what one write writes.
os.write(out, bytes(3000))
p = subprocess.Popen([logwrite, "-socket", socket, "yes"], stdout=out, stderr=subprocess.PIPE)
def until(check):
    end = time.monotonic() + 60
    while not check():
        if time.monotonic() > end: p.kill(); raise AssertionError("the command still runs")
        time.sleep(0.02)
children = lambda: open(f"/proc/{p.pid}/task/{p.pid}/children").read().split()
waits = 0
def is_stuck():
    global waits
    waits = waits + 1 if any("pipe_write" in open(f"/proc/{child}/wchan").read() for child in children()) else 0
    return waits >= 10
until(is_stuck)
p.terminate()
until(lambda: not children())
p.terminate()
print(p.wait(60), p.stderr.read().decode())
`

/** A command whose standard error is a full pipe that nobody reads. Prints how it ended. */
const fullStandardError = `
import os, subprocess, sys
reader, writer = os.pipe()
os.set_blocking(writer, False)
try:
    while True: os.write(writer, bytes(4096))
except BlockingIOError: pass
os.set_blocking(writer, True)
print(subprocess.Popen(sys.argv[1:], stderr=writer).wait(60))
`

it('a full standard error does not keep --wait from its time-out', () => {
  const wait = [logread, '--socket', '/nonexistent', '--wait', 'x', '--timeout', '1s']
  expect(python(fullStandardError, wait)).toBe('124\n')
})

const shell = (script: string) => run('bash', ['-c', script])

async function logNumbers(): Promise<void> {
  daemon.logwrite(['-n', 'numbers', 'seq', '1', String(lines)])
  await eventually('all is stored', async () => (await statistics(daemon.querySocket)).ring.stored > lines)
}

describe('logwrite', () => {
  it('copies the whole output of a command that has ended to a slow reader, and logs all of it', async () => {
    const ran = shell(`${logwrite} -socket ${daemon.logSocket} seq 1 ${lines} | (sleep ${slowSeconds}; cat)`)
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    expect(ran.stdout).toBe(run('seq', ['1', String(lines)]).stdout)
    await eventually('all is logged', () => daemon.messages('seq.stdout').length === lines)
  })

  it('copies the whole standard error of a command that has ended to a slow reader', () => {
    const command = `${logwrite} -socket ${daemon.logSocket} sh -c 'seq 1 ${lines} >&2'`
    const ran = shell(`${command} 2>&1 >/dev/null | (sleep ${slowSeconds}; cat)`)
    expect(ran.stdout).toBe(run('seq', ['1', String(lines)]).stdout)
  })

  it('waits for a reader that does not read when its command was ended by a signal, until the next signal', async () => {
    const fifo = join(daemon.directory, 'fifo')
    expect(run('mkfifo', [fifo]).status).toBe(0)
    // The shell holds the FIFO open for reading and reads nothing.
    const script = `exec 3<>${fifo}; exec ${logwrite} -socket ${daemon.logSocket} -n endless yes >${fifo}`
    const running = startCommand('bash', ['-c', script])
    await eventually('the output is full', () => daemon.messages('endless.stdout').length > 0)
    const { pid } = running.child
    running.child.kill('SIGTERM')
    await eventually('the command has ended', () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8') === '')
    running.child.kill('SIGTERM')
    expect((await running.finished).status).toBe(143)
  })

  // The controlling side can't be opened again: a thread waits for it.
  it.each(['terminal', 'controlling'])('passes signals on while the %s side of a terminal accepts nothing', (side) => {
    expect(python(stuckTerminal, [logwrite, daemon.logSocket, side])).toBe('143 \n')
  })

  it.each([
    ['standard output', 'echo hi', '', 1],
    ['standard error', 'echo hi >&2', '2', 1],
    ['standard output', 'echo hi; exit 7', '', 7],
  ])('says that %s is full: %s', async (name, command, fd, status) => {
    const messages = join(daemon.directory, 'messages')
    // Standard error is where the complaint would go.
    const shown = fd === '' ? `2>${messages}` : `>${messages}`
    const ran = shell(`${logwrite} -socket ${daemon.logSocket} -n full sh -c '${command}' ${fd}>/dev/full ${shown}`)
    expect(ran).toMatchObject({ status, stdout: '', stderr: '' })
    expect(readFileSync(messages, 'utf8')).toBe(fd === '' ? `logwrite: ${name}: no space left\n` : '')
    await eventually('it is logged', () => daemon.lines().some(([, text]) => text === 'hi'))
  })

  it('appends to a file that others append to', () => {
    const file = join(daemon.directory, 'shared')
    const ran = shell(`(echo a; ${logwrite} -socket ${daemon.logSocket} echo b; echo c) >${file}`)
    expect(ran.status).toBe(0)
    expect(readFileSync(file, 'utf8')).toBe('a\nb\nc\n')
  })
})

describe('logread', () => {
  it.each(['', '-f', '-g .', '--sources', '--stats', '--help'])(
    '%s fails when its standard output is closed',
    (flags) => {
      const ran = shell(`${logread} -socket ${daemon.querySocket} ${flags} >&-`)
      expect(ran.status).toBe(1)
      expect(ran.stderr).toMatch(/^logread: standard output: .*bad file descriptor.*\n$/)
    },
  )

  it.each([
    ['a dump', ''],
    ['-f -U now', '-f -U now'],
    ['-f -n and a pattern, until now', `-f -n ${lines} -g '^[0-9]+$' -U now`],
    ['--cursor-file -U now', '--cursor-file CURSOR -U now'],
  ])('shows every line of %s to a slow reader', async (_name, flags) => {
    await logNumbers()
    const words = flags.replace('CURSOR', join(daemon.directory, 'cursor'))
    const command = `${logread} -socket ${daemon.querySocket} -s 'numbers*' -o cat ${words}`
    const ran = shell(`set -o pipefail; ${command} | (sleep ${slowSeconds}; cat)`)
    expect({ ...ran, stdout: '' }).toMatchObject({ status: 0, stderr: '' })
    expect(ran.stdout).toBe(run('seq', ['1', String(lines)]).stdout)
  })

  it('shows every line to a reader that is stopped and continued', async () => {
    await logNumbers()
    const out = join(daemon.directory, 'out')
    const script = `exec 3> >(exec cat >${out}); reader=$!
${logread} -socket ${daemon.querySocket} -s 'numbers*' -o cat -f -U +2s >&3 & follower=$!; exec 3>&-
for i in $(seq 10); do kill -STOP $reader; sleep 0.15; kill -CONT $reader; sleep 0.05; done 2>/dev/null
wait $follower && wait $reader`
    expect(shell(script)).toMatchObject({ status: 0, stderr: '' })
    expect(run('cat', [out]).stdout).toBe(run('seq', ['1', String(lines)]).stdout)
  })

  it.each([
    ['-f', []],
    ['-f --cursor-file', ['--cursor-file', 'CURSOR']],
    ['-f -g', ['-g', '.']],
  ])('%s is ended by SIGTERM while nothing reads its output', async (_name, flags) => {
    await logNumbers()
    const fifo = join(daemon.directory, 'fifo')
    expect(run('mkfifo', [fifo]).status).toBe(0)
    const words = flags.map((word) => word.replace('CURSOR', join(daemon.directory, 'cursor')))
    const script = `exec 3<>${fifo}; exec "$@" >${fifo}`
    const args = ['-socket', daemon.querySocket, '-f', ...words]
    const running = startCommand('bash', ['-c', script, 'bash', logread ?? '', ...args])
    await eventually('it waits for its reader', () => isFull(fifo))
    running.child.kill('SIGTERM')
    // By the signal itself, or by its handler, which saves the cursor first.
    const { status, signal } = await running.finished
    expect(signal ?? status).toBeOneOf(['SIGTERM', 143])
  })
})

it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'])('%s leaves a socket of others as it was', async (signal) => {
  await logNumbers()
  const program = `
import fcntl, os, signal, socket, subprocess, sys
ours, theirs = socket.socketpair()
reading = subprocess.Popen([*sys.argv[2:]], stdout=theirs, stderr=subprocess.DEVNULL)
ours.recv(1, socket.MSG_PEEK)
reading.send_signal(getattr(signal, sys.argv[1]))
print(reading.wait(30), fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK)`
  const args = [signal, logread ?? '', '-socket', daemon.querySocket, '-f']
  expect(python(program, args)).toBe(`-${constants.signals[signal as NodeJS.Signals]} 0\n`)
})

it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'])(
  '%s ends a logread between two sockets of others, which stay as they were',
  async (signal) => {
    const program = `
import fcntl, os, signal, socket, subprocess, sys
(writer, source), (reader, sink) = socket.socketpair(), socket.socketpair()
reading = subprocess.Popen([*sys.argv[2:]], stdin=source, stdout=sink, stderr=subprocess.DEVNULL)
writer.sendall(b'{"msg":"a line","source":"s","time":"2017-04-15T15:37:37.5Z"}\\n')
reader.recv(1, socket.MSG_PEEK)
reading.send_signal(getattr(signal, sys.argv[1]))
try: print(reading.wait(30), *[fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK for theirs in (source, sink)])
finally: reading.kill()`
    const args = [signal, logread ?? '', '--file', '-', '-f']
    expect(python(program, args)).toBe(`-${constants.signals[signal as NodeJS.Signals]} 0 0\n`)
  },
)

/** True when a FIFO has no room for another page. */
function isFull(fifo: string): boolean {
  const program = join(daemon.directory, 'is-full.py')
  writeFileSync(
    program,
    `import os, select, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK)
sys.exit(0 if not select.select([], [fd], [], 0)[1] else 1)`,
  )
  return run('python3', [program, fifo]).status === 0
}
