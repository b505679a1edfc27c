/** logread as a process of its own, against servers that stand in for memlogd. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { runApplet, startApplet } from '../support/applet.ts'
import { endEntry, gap, sample } from '../support/entries.ts'
import { headerLine, type StandIn, standIn, upstreamStandIn } from '../support/stand-in.ts'
import { eventually } from '../support/wait.ts'

let server: StandIn | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

const mainPath = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const head = headerLine({ next: 3 })
const first = '2017-04-15T15:37:38Z rngd.stderr line 1\n'
const second = '2017-04-15T15:37:39Z 002-dhcpcd.stdout eth0: waiting for carrier\n'
const secondEntry = sample(2, { source: '002-dhcpcd.stdout', message: 'eth0: waiting for carrier' })
const dump = Buffer.concat([head, sample(1), secondEntry, endEntry(2)])

const upstreamLines = Array.from(
  { length: 5 },
  (_, index) => `{"time":"2017-04-15T15:37:3${index}.5Z","source":"s","msg":"m${index}"}\n`,
).join('')

describe('logread', () => {
  it('prints time, source and message of what is buffered', async () => {
    server = await standIn((socket) => socket.end(dump))
    const ran = await runApplet('logread', ['-socket', server.path])
    expect(ran).toMatchObject({ status: 0, stdout: first + second, stderr: '' })
    expect(server.requests).toEqual([{ kind: 'extended', mode: 0, request: {} }])
  })

  it.each([
    [['-n', '7'], 0, { tail: 7 }],
    [['-n0'], 0, { tail: 0 }],
    [['-f'], 2, {}],
    [['-F'], 2, {}],
    [['-f', '-n', '7'], 2, { tail: 7 }],
    [['-f', '-n', '0'], 1, {}],
    [['-n', '7', '-g', 'x'], 0, { contains: { text: 'x', ignoreCase: true } }],
  ])('asks for what the flags say: %j', async (flags, mode, request) => {
    server = await standIn((socket) => socket.end(Buffer.concat([head, endEntry(0)])))
    expect(await runApplet('logread', [...flags, '-socket', server.path])).toMatchObject({ status: 0, stdout: '' })
    expect(server.requests).toEqual([{ kind: 'extended', mode, request }])
  })

  it('shows gaps in their place', async () => {
    server = await standIn((socket) => socket.end(Buffer.concat([head, sample(1), gap(2, 17), endEntry(1)])))
    const { stdout } = await runApplet('logread', ['-socket', server.path])
    expect(stdout).toBe(`${first}2017-04-15T15:37:39Z memlogd 17 lines lost\n`)
  })

  it('passes bytes on as they came', async () => {
    const message = Buffer.of(0x1b, 0x5b, 0x31, 0x6d, 0xff, 0x00, 0x09)
    server = await standIn((socket) => socket.end(Buffer.concat([head, sample(1, { message }), endEntry(1)])))
    const { bytes } = await runApplet('logread', ['-socket', server.path])
    expect(bytes.subarray(-8)).toEqual(Buffer.concat([message, Buffer.from('\n')]))
  })

  it('applies -n itself where the server did not', async () => {
    server = await standIn((socket) => {
      const entries = [sample(1), secondEntry, sample(3)]
      socket.end(Buffer.concat([headerLine({ applied: [], next: 3 }), ...entries, endEntry(3, 'stopping')]))
    })
    const ran = await runApplet('logread', ['-f', '-n', '1', '-socket', server.path])
    expect(ran.stdout).toBe(`${second}2017-04-15T15:37:40Z rngd.stderr line 3\n`)
  })

  it('reads from an upstream server', async () => {
    server = await upstreamStandIn(upstreamLines)
    const ran = await runApplet('logread', ['-socket', server.path, '-n', '2'])
    expect(ran).toMatchObject({
      status: 0,
      stdout: '2017-04-15T15:37:33Z s m3\n2017-04-15T15:37:34Z s m4\n',
      stderr: '',
    })
    const followed = await runApplet('logread', ['-f', '-n', '1', '-socket', server.path])
    expect(followed).toMatchObject({
      status: 4,
      stdout: '2017-04-15T15:37:34Z s m4\n2099-01-01T00:00:00Z late after\n',
      stderr: `logread: ${server.path}: memlogd went away\n`,
    })
  })

  it('reports in one line that no memlogd listens', async () => {
    const ran = await runApplet('logread', ['-socket', '/nowhere/memlogq.sock'])
    expect(ran).toMatchObject({
      status: 4,
      stdout: '',
      stderr: 'logread: /nowhere/memlogq.sock: no memlogd is listening (no such file)\n',
    })
  })

  it('shows lines as they arrive with -f, and reports when the daemon goes away', async () => {
    const sockets: import('node:net').Socket[] = []
    server = await standIn((socket) => {
      sockets.push(socket)
      socket.write(Buffer.concat([head, sample(1)]))
    })
    const running = startApplet('logread', ['-f', '-socket', server.path])
    await eventually('the buffered line', () => running.stdout() === first)
    sockets[0]?.write(secondEntry)
    await eventually('the next line', () => running.stdout() === first + second)
    sockets[0]?.end(endEntry(2, 'stopping'))
    expect(await running.finished).toMatchObject({
      status: 4,
      stderr: `logread: ${server.path}: memlogd went away\n`,
    })
  })

  it('continues where it was when the connection breaks', async () => {
    server = await standIn((socket, _request, connection) => {
      if (connection === 1) socket.end(Buffer.concat([head, sample(1)]))
      else socket.end(Buffer.concat([head, secondEntry, endEntry(1, 'stopping')]))
    })
    expect((await runApplet('logread', ['-f', '-socket', server.path])).stdout).toBe(first + second)
  })

  it('ends quietly when its reader closes', async () => {
    const many = Array.from({ length: 20_000 }, (_, index) => sample(index + 1))
    server = await standIn((socket) => socket.end(Buffer.concat([head, ...many, endEntry(20_000)])))
    const command = `exec 3>&1; { (exec -a logread "$0" "$1" -socket "$2"); echo "status $?" >&3; } | head -1`
    const shell = spawn('bash', ['-c', command, process.execPath, mainPath, server.path])
    let printed = ''
    shell.stdout.on('data', (chunk) => {
      printed += chunk
    })
    shell.stderr.on('data', (chunk) => {
      printed += chunk
    })
    await once(shell, 'close')
    expect(printed).toContain(first)
    expect(printed.replace(first, '')).toBe('status 0\n')
  })

  it('reports a full disk', async () => {
    server = await standIn((socket) => socket.end(dump))
    const child = spawn(process.execPath, [mainPath, '-socket', server.path], {
      argv0: 'logread',
      stdio: ['ignore', openSync('/dev/full', 'w'), 'pipe'],
    })
    let said = ''
    child.stderr?.on('data', (chunk) => {
      said += chunk
    })
    const [status] = await once(child, 'close')
    expect([status, said]).toEqual([1, 'logread: standard output: no space left on device\n'])
  })

  it('shows a dump through the pager on a terminal', async () => {
    server = await standIn((socket) => socket.end(dump))
    const command = `exec -a logread '${process.execPath}' '${mainPath}' --color=never -socket '${server.path}'`
    const terminal = spawn('script', ['-qec', `bash -c "${command}"`, '/dev/null'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, SHELL: '/bin/bash', LOGREAD_PAGER: 'sed s/^/page:/' },
    })
    let shown = ''
    terminal.stdout.on('data', (chunk) => {
      shown += chunk
    })
    await once(terminal, 'close')
    expect(shown.replaceAll('\r', '')).toBe(`page:${first}page:${second}`)
  })

  it('leaves ^C to the pager', async () => {
    server = await standIn((socket) => socket.end(dump))
    const command = `exec -a logread '${process.execPath}' '${mainPath}' --color=never -socket '${server.path}'`
    // It is not ended by the interrupt, and asks the terminal for one line more, as less does for keys.
    const pager = `trap 'echo interrupted' INT; cat; echo shown; until read answer </dev/tty; do :; done; echo "end $answer"`
    // script(1) runs the user's shell: an interrupt ends dash, where bash waits for its command.
    const terminal = spawn('script', ['-qec', `bash -c "${command}"; echo "status $?"`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, SHELL: '/bin/bash', LOGREAD_PAGER: pager },
    })
    const closed = once(terminal, 'close')
    let shown = ''
    terminal.stdout.on('data', (chunk) => {
      shown += chunk
    })
    await eventually('the pager', () => shown.includes('shown'))
    terminal.stdin.write('\x03')
    await eventually('the interrupt', () => shown.includes('interrupted'))
    terminal.stdin.write('yes\n')
    await eventually('the status', () => shown.includes('status'))
    terminal.stdin.end()
    await closed
    expect(shown.replaceAll('\r', '')).toMatch(/\nend .*\nstatus 0\n$/)
  })

  it('sends no control bytes to a terminal', async () => {
    const message = Buffer.from('\x1b[31mred\x9b\tok')
    server = await standIn((socket) =>
      socket.end(Buffer.concat([head, sample(1, { source: 'e\x07vil', message }), endEntry(1)])),
    )
    const command = `exec -a logread '${process.execPath}' '${mainPath}' --color=never --no-pager -socket '${server.path}'`
    const terminal = spawn('script', ['-qec', `bash -c "${command}"`, '/dev/null'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, SHELL: '/bin/bash' },
    })
    let shown = ''
    terminal.stdout.on('data', (chunk) => {
      shown += chunk
    })
    await once(terminal, 'close')
    expect(shown).toBe('2017-04-15T15:37:38Z e\\x07vil \\x1b[31mred\\xc2\\x9b\tok\r\n')
  })
})
