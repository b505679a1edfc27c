/** What logread does besides showing lines, as a process of its own. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import os, { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../../src/cli/errors.ts'
import { exportFormat } from '../../src/logread/formats/export.ts'
import { jsonFormat } from '../../src/logread/formats/json.ts'
import { runLogread } from '../../src/logread/main.ts'
import type { QueryRequest } from '../../src/protocol/query.ts'
import { runApplet, startApplet } from '../support/applet.ts'
import { baseSeconds, endEntry, gap, sample } from '../support/entries.ts'
import { formattedBytes } from '../support/formatted.ts'
import { headerLine, ringId, type StandIn, standIn, upstreamStandIn } from '../support/stand-in.ts'
import { eventually } from '../support/wait.ts'

let server: StandIn | undefined
let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'logread-'))
})
afterEach(async () => {
  rmSync(directory, { recursive: true })
  await server?.close()
  server = undefined
})

const mainPath = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const head = headerLine({ next: 4 })
const three = [sample(1), sample(2, { source: 'sshd', priority: 35, message: 'Failed' }), sample(3)]
const dump = Buffer.concat([head, ...three, endEntry(3)])
const ask = (...args: string[]) => runApplet('logread', ['--socket', server?.path ?? '', ...args])

describe('logread reports', () => {
  it('that --boot selects nothing', async () => {
    server = await standIn((socket) => socket.end(dump))
    expect((await ask('--boot')).stderr).toBe('logread: no line matches --boot\n')
  })

  it.each(['cat', 'upstream'])('how much was cut where -o %s does not show it', async (format) => {
    server = await standIn((socket) =>
      socket.end(Buffer.concat([head, sample(1, { flags: 1, cutBytes: 5 }), endEntry(1)])),
    )
    expect((await ask('-o', format)).stderr).toContain('logread: 1 line was cut, by 5 bytes\n')
  })
})

describe('logread --wait', () => {
  it('prints the line and exits with 0; buffered lines count', async () => {
    server = await standIn((socket) => socket.write(Buffer.concat([head, ...three])))
    expect(await ask('--wait', 'failed', '-o', 'cat')).toMatchObject({ status: 0, stdout: 'Failed\n', stderr: '' })
    expect(server.requests[0]).toMatchObject({ mode: 2 })
  })

  it('exits with 124 when the time is up, at once with a time of 0', async () => {
    server = await standIn((socket, request) =>
      socket.write(request.kind === 'extended' && request.mode === 0 ? dump : Buffer.concat([head, ...three])),
    )
    expect(await ask('--wait', 'never', '--timeout', '150ms')).toMatchObject({ status: 124, stdout: '', stderr: '' })
    for (const none of ['0s', '0']) {
      expect(await ask('--wait', 'never', '--timeout', none)).toMatchObject({ status: 1, stdout: '' })
    }
    // A number alone is of seconds.
    expect(await ask('--wait', 'never', '--timeout', '0.2')).toMatchObject({ status: 124, stdout: '', stderr: '' })
  })

  it('ends when --until has passed, and so does -f', async () => {
    server = await standIn((socket, request) =>
      socket.write(request.kind === 'extended' && request.mode === 0 ? dump : Buffer.concat([head, ...three])),
    )
    expect(await ask('--wait', 'never', '--until', 'now')).toMatchObject({ status: 1, stdout: '', stderr: '' })
    expect(await ask('-f', '--until', '+200ms', '-o', 'cat')).toMatchObject({ status: 0, stderr: '' })
  })

  it('exits with 3 if the other line came first', async () => {
    server = await standIn((socket) => socket.write(Buffer.concat([head, ...three])))
    expect(await ask('--wait', 'line 3', '--fail-on', 'Failed', '-o', 'cat')).toMatchObject({
      status: 3,
      stdout: 'Failed\n',
    })
  })

  it('reports that the daemon went away', async () => {
    server = await standIn((socket) => socket.end(Buffer.concat([head, gap(1, 5), endEntry(0, 'stopping')])))
    expect(await ask('--wait', 'never')).toMatchObject({
      status: 5,
      stderr: `logread: ${server.path}: memlogd went away\n`,
    })
  })
})

describe('logread --cursor-file', () => {
  it('goes on where the last run stopped', async () => {
    server = await standIn((socket, request) => {
      const isResumed = request.kind === 'extended' && request.request.cursor !== undefined
      socket.end(isResumed ? Buffer.concat([head, gap(4, 2, { first: '4', last: '5' }), sample(6), endEntry(1)]) : dump)
    })
    const path = join(directory, 'cursor')
    expect((await ask('--cursor-file', path)).stdout.split('\n')).toHaveLength(4)
    expect(readFileSync(path, 'utf8')).toBe(`{"ring":"${ringId}","sequence":4}\n`)
    const resumed = await ask('--cursor-file', path, '-o', 'cat')
    expect(resumed.stdout).toBe('2 lines lost\nline 6\n')
    expect(server.requests[1]).toMatchObject({ request: { cursor: { ring: ringId, sequence: 4 } } })
    expect(readFileSync(path, 'utf8')).toContain('"sequence":7}')
  })

  it('remembers the last line that was shown, not the last that was sent', async () => {
    server = await standIn((socket) => socket.end(dump))
    const path = join(directory, 'cursor')
    expect((await ask('--cursor-file', path, '-g', 'line', '-c', '1')).stdout).toContain('line 1')
    expect(readFileSync(path, 'utf8')).toContain('"sequence":2}')
  })

  it('is written when a signal ends the run', async () => {
    server = await standIn((socket) => socket.write(Buffer.concat([head, ...three])))
    const path = join(directory, 'cursor')
    const running = startApplet('logread', ['-f', '--cursor-file', path, '--socket', server.path])
    await eventually('the last line', () => running.stdout().includes('line 3'))
    running.child.kill('SIGTERM')
    expect(await running.finished).toMatchObject({ status: 143, stderr: '' })
    expect(readFileSync(path, 'utf8')).toContain('"sequence":4}')
  })

  it('needs a server that numbers its lines', async () => {
    server = await upstreamStandIn('{"time":"2017-04-15T15:37:37Z","source":"a","msg":"b"}\n')
    const ran = await ask('--cursor-file', join(directory, 'cursor'))
    expect([ran.status, ran.stdout]).toEqual([1, ''])
    expect(ran.stderr).toContain('knows no cursors')
  })

  it('goes on with what --until left out', async () => {
    server = await standIn((socket) => socket.end(dump))
    const path = join(directory, 'cursor')
    // The second of the three lines is the first one after that time.
    const until = ['--until', `@${baseSeconds + 1}.5`]
    expect((await ask('--cursor-file', path, '-o', 'cat', ...until)).stdout).toBe('line 1\n')
    expect(server.requests[0]).toMatchObject({ request: {} })
    expect(readFileSync(path, 'utf8')).toContain('"sequence":2}')
  })
})

/** Whether there is a byte to read; it is read. */
function isReadable(fd: number): boolean {
  try {
    return readSync(fd, Buffer.alloc(1)) > 0
  } catch {
    return false
  }
}

/** Whether a process has a handler for a signal. */
function isCaught(pid: number, signal: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '0'
  return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n
}

/** More than a pipe or a socket holds. */
const many = Array.from({ length: 20_000 }, (_, index) => sample(index + 1))

describe('an output that nobody empties', () => {
  it('keeps no signal from ending the run, and the cursor stays before what was not printed', async () => {
    server = await standIn((socket) => socket.write(Buffer.concat([headerLine({ next: 20_001 }), ...many])))
    const path = join(directory, 'cursor')
    const fifo = join(directory, 'fifo')
    execFileSync('mkfifo', [fifo])
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
    const writer = openSync(fifo, constants.O_WRONLY)
    const args = [mainPath, '-f', '--cursor-file', path, '--socket', server.path]
    const child = spawn(process.execPath, args, { argv0: 'logread', stdio: ['ignore', writer, 'inherit'] })
    await eventually('the first byte', () => isReadable(reader))
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([143, null])
    closeSync(reader)
    closeSync(writer)
    const kept = existsSync(path) ? Number(/sequence":(\d+)/.exec(readFileSync(path, 'utf8'))?.[1]) : 1
    expect(kept).toBeLessThan(20_000)
  })

  it('keeps no signal from ending the run as standard error either', async () => {
    let goAway = () => {}
    server = await standIn((socket) => {
      socket.write(Buffer.concat([head, ...three]))
      goAway = () => socket.end(endEntry(3, 'stopping'))
    })
    const fifo = join(directory, 'fifo')
    execFileSync('mkfifo', [fifo])
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK)
    const filler = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
    expect(() => {
      for (;;) writeSync(filler, Buffer.alloc(4096))
    }).toThrow('EAGAIN')
    const writer = openSync(fifo, constants.O_WRONLY)
    const args = [mainPath, '-f', '--cursor-file', join(directory, 'cursor'), '--socket', server.path]
    const child = spawn(process.execPath, args, { argv0: 'logread', stdio: ['ignore', 'ignore', writer] })
    await eventually('its signal handlers', () => isCaught(child.pid as number, os.constants.signals.SIGHUP))
    await eventually('its request', () => server?.requests.length === 1)
    goAway()
    await eventually('its message', () => !isCaught(child.pid as number, os.constants.signals.SIGHUP))
    child.kill('SIGTERM')
    expect(await once(child, 'close')).toEqual([null, 'SIGTERM'])
    for (const fd of [reader, filler, writer]) closeSync(fd)
  })

  it('costs -f --until no line', async () => {
    server = await standIn((socket, request) => {
      const { mode, request: asked } = request as { mode: number; request: QueryRequest }
      const rest = many.slice((asked.cursor?.sequence ?? 1) - 1)
      const start = Buffer.concat([headerLine({ next: 20_001 }), ...rest])
      if (mode === 0) socket.end(Buffer.concat([start, endEntry(rest.length)]))
      else socket.write(start)
    })
    const script = `(exec -a logread "$0" "$1" -f -U now -o cat --socket "$2") | { sleep 1; wc -l; }`
    const shell = spawn('bash', ['-c', script, process.execPath, mainPath, server.path])
    let printed = ''
    shell.stdout.on('data', (chunk) => {
      printed += chunk
    })
    await once(shell, 'close')
    expect(printed).toBe('20000\n')
  })
})

describe('an error', () => {
  it('is reported after everything that came before it, however slow the reader', async () => {
    const path = join(directory, 'log')
    writeFileSync(path, `${formattedBytes(jsonFormat, many).toString()}{"x":1}\n`)
    const script = `{ (exec -a logread "$0" "$1" --file "$2" -o cat) 2>&1; } | { sleep 1; tail -n 2; }`
    const shell = spawn('bash', ['-c', script, process.execPath, mainPath, path])
    let printed = ''
    shell.stdout.on('data', (chunk) => {
      printed += chunk
    })
    await once(shell, 'close')
    expect(printed).toMatch(/^line 20000\nlogread: .*: line 20001 is no log entry/)
  })
})

describe('logread --file', () => {
  it('does not block on a pipe: time-outs and signals have their turn', async () => {
    const fifo = join(directory, 'fifo')
    execFileSync('mkfifo', [fifo])
    const writer = openSync(fifo, constants.O_RDWR)
    expect(await runApplet('logread', ['--file', fifo, '--wait', 'never', '--timeout', '10ms'])).toMatchObject({
      status: 124,
      stderr: '',
    })
    const waiting = spawn(process.execPath, [mainPath, '--file', '-', '--wait', 'Failed'], {
      argv0: 'logread',
      stdio: [writer, 'pipe', 'inherit'],
    })
    writeSync(writer, formattedBytes(jsonFormat, three))
    expect(await once(waiting, 'close')).toEqual([0, null])
    const stopped = spawn(process.execPath, [mainPath, '--file', '-', '--wait', 'never', '--fail-on', 'line'], {
      argv0: 'logread',
      stdio: [writer, 'pipe', 'inherit'],
    })
    // Node itself catches SIGTERM from the start; SIGHUP is the last of ours.
    await eventually('its signal handlers', () => isCaught(stopped.pid as number, os.constants.signals.SIGHUP))
    stopped.kill('SIGTERM')
    expect(await once(stopped, 'close')).toEqual([143, null])
    closeSync(writer)
  })

  it('answers from a saved file', async () => {
    const json = join(directory, 'log.json')
    const journal = join(directory, 'log.export')
    writeFileSync(json, formattedBytes(jsonFormat, three))
    writeFileSync(journal, formattedBytes(exportFormat, three))
    for (const path of [json, journal]) {
      expect((await runApplet('logread', ['--file', path])).stdout.split('\n')).toHaveLength(4)
      const asked = await runApplet('logread', ['--file', path, '-p', 'err', '-o', 'json'])
      expect(asked.stdout).toBe(formattedBytes(jsonFormat, three.slice(1, 2)).toString())
    }
    expect((await runApplet('logread', ['--file', json, '-n', '1', '-o', 'cat'])).stdout).toBe('line 3\n')
    expect((await runApplet('logread', ['--file', json, '--sources'])).stdout).toMatch(
      /^SOURCE[^\n]*\nrngd\.stderr +2 /,
    )
    expect((await runApplet('logread', ['--file', json, '--wait', 'never'])).status).toBe(1)
  })

  it('reads standard input', async () => {
    const line = formattedBytes(jsonFormat, three.slice(0, 1)).toString()
    const running = startApplet('logread', ['--file', '-', '-o', 'cat'], {}, line)
    expect(await running.finished).toMatchObject({ status: 0, stdout: 'line 1\n' })
  })

  it('reports what is wrong with the file', async () => {
    const path = join(directory, 'log')
    writeFileSync(path, `${formattedBytes(jsonFormat, three).toString()}{"x":1}\n`)
    expect(await runApplet('logread', ['--file', path])).toMatchObject({
      status: 1,
      stderr: `logread: ${path}: line 4 is no log entry in JSON (wanted a file of -o json or -o export)\n`,
    })
    writeFileSync(path, formattedBytes(jsonFormat, three).subarray(0, -5))
    const cut = await runApplet('logread', ['--file', path, '-o', 'cat'])
    expect(cut).toMatchObject({
      status: 1,
      stderr: `logread: ${path}: line 3 breaks off: the end of the file is missing\n`,
    })
    expect(cut.stdout.split('\n')).toHaveLength(3)
    expect((await runApplet('logread', ['--file', `${path}.none`])).stderr).toBe(
      `logread: ${path}.none: no such file or directory\n`,
    )
  })
})

describe('logread about the log', () => {
  it('--stats shows what the daemon counts', async () => {
    const sentence = 'The log is empty; no line was evicted, none was lost before being stored.\n'
    server = await standIn((socket) =>
      socket.end(Buffer.concat([headerLine({ applied: ['stats'] }), Buffer.from('{"ring":{"lines":5}}\n')])),
    )
    expect((await ask('--stats')).stdout).toBe(`${sentence}ring\n  lines  5\n`)
    expect((await ask('--stats', '-o', 'json')).stdout).toBe('{"ring":{"lines":5}}\n')
    expect((await ask('--stats', '-o', 'prometheus')).stdout).toContain('memlogd_ring_lines 5\n')
    expect(await ask('--stats', '-o', 'cat')).toMatchObject({ status: 2 })
  })

  it('--stats cannot be had from an upstream server', async () => {
    server = await upstreamStandIn('{"time":"2017-04-15T15:37:37Z","source":"a","msg":"b"}\n')
    const ran = await ask('--stats')
    expect(ran.status).toBe(1)
    expect(ran.stderr).toContain('has no statistics')
  })

  it('--sources counts what is in memory, as the filters select', async () => {
    server = await standIn((socket) => socket.end(dump))
    expect((await ask('--sources', '-s', 's*')).stdout).toMatch(/^SOURCE.*\nsshd +1 [^\n]*\n$/)
  })
})

describe('case', () => {
  it.each([
    [['-g', 'failed'], 'Failed\n'],
    [['-g', 'FAILED'], ''],
    [['-g', 'FAILED', '-i'], 'Failed\n'],
    [['-g', 'failed', '-i=false'], ''],
  ])('%j', async (args, stdout) => {
    server = await standIn((socket) => socket.end(dump))
    expect(await ask('-o', 'cat', ...args)).toMatchObject({ status: 0, stdout })
  })
})

describe('times', () => {
  it('are those of the local zone with --local', async () => {
    server = await standIn((socket) => socket.end(dump))
    const args = ['--socket', server.path, '--local', '-c', '1']
    const there = await runApplet('logread', args, { TZ: 'Asia/Kolkata' })
    expect(there.stdout).toBe('2017-04-15T21:07:38+05:30 rngd.stderr line 1\n')
  })
})

describe('what is wrong with a command line', () => {
  it.each([
    [['-s', 'a[b'], '--source: "a[b", character 2: wanted a ] that ends the ['],
    [['-p', 'bad'], '--priority: "bad", character 1: wanted emerg'],
    [['-g', 'a(b'], '--grep: "a(b": not a regular expression: Unterminated group'],
    [['--since', 'soon'], '--since: "soon", character 1: wanted a time such as'],
    [['--wait', 'x', '--timeout', '30x'], '--timeout: "30x", character 1: wanted a number and a unit'],
    [['--timeout', '30s'], '--timeout: needs a line to wait for (--wait)'],
    [['-r', '-f'], '--reverse: cannot be used with --follow'],
    [['-A', '3'], '--after-context: needs a pattern (--grep)'],
    [['--stats', '--sources'], '--sources: cannot be used with --stats'],
    [['--stats', '-f'], '--follow: cannot be used with --stats'],
    [['-o', 'prometheus'], '--output: "prometheus" is for --stats'],
    [['--to', 'dir:a', '--to', 'dir:./a/?max-size=2M'], '--to: two dir: targets cannot share the directory'],
    [['--file', 'x', '-f'], '--follow: cannot be used with --file'],
    [['--wait', 'x', '-v'], '--invert-match: needs a pattern (--grep)'],
    [['--wait', 'x', '-g', 'y', '-C', '5'], '--context: cannot be used with --wait'],
    [['--wait', 'x', '-c', '5'], '--count: cannot be used with --wait'],
    [['--wait', 'x', '--cursor-file', 'y'], '--cursor-file: cannot be used with --wait'],
    [['--sources', '--cursor-file', 'x'], '--cursor-file: cannot be used with --sources'],
    [['--stats', '--cursor-file', 'x'], '--cursor-file: cannot be used with --stats'],
    [['--stats', '--boot'], '--boot: cannot be used with --stats'],
    [['--stats', '--gaps'], '--gaps: cannot be used with --stats'],
    [['--to', 'exec:true', '--boot'], '--boot: cannot be used with --to'],
    [['--on', 'x', '--run', 'y', '--boot'], '--boot: cannot be used with --on'],
    [['--top', '--boot'], '--boot: cannot be used with --top'],
    [['--stats', '-n', '5'], '--lines: cannot be used with --stats'],
    [['--stats', '-g', 'x'], '--grep: cannot be used with --stats'],
    [['--stats', '--file', 'x'], '--file: cannot be used with --stats'],
    [['--to', 'exec:true', '-o', 'logfmt'], '--output: cannot be used with --to'],
    [['--wait', 'x', '--stats'], '--wait: cannot be used with --stats'],
    [['--on', 'x', '--run', 'y', '--sources'], '--sources: cannot be used with --on'],
    [['-r', '-c', '2', '--cursor-file', 'x'], '--count: cannot be used with --reverse and --cursor-file'],
  ])('%j', async (args, text) => {
    const error: unknown = await runLogread(['--socket', '/nowhere', ...args]).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(UsageError)
    expect(String(error)).toContain(`: ${text}`)
    expect(String(error).split('\n')).toHaveLength(1)
  })

  it('is reported in one line, with status 2', async () => {
    const ran = await runApplet('logread', ['--timeout', '30s'])
    const stderr = 'logread: --timeout: needs a line to wait for (--wait), or --to without -f\n'
    expect(ran).toMatchObject({ status: 2, stdout: '', stderr })
  })
})
