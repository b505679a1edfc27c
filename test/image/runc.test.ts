import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { executableFile } from '../../src/build/build.ts'
import { hostCpu, projectLayout } from '../../src/build/project.ts'
import { imageFiles } from '../../src/build/release/image.ts'
import { findTool, tryTool } from '../../src/build/tool.ts'
import { libraryFiles } from '../qemu/test-machine.ts'

// memlogd in a container of runc, as LinuxKit's startmemlogd runs it: the sockets are bound outside and handed over
// as descriptors 3 and 4, the root file system is read-only. Writers and readers are outside.

const layout = projectLayout(new URL('../..', import.meta.url).pathname)
const cpu = hostCpu() ?? 'amd64'
const executable = executableFile(layout, cpu)
const isPossible = findTool('runc') !== undefined && process.getuid?.() === 0

function containerConfig(): object {
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/usr/bin/memlogd', '-fd-log', '3', '-fd-query', '4'],
      env: ['PATH=/usr/bin'],
      cwd: '/',
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    linux: { namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })) },
  }
}

describe.skipIf(!isPossible)('in a runc container (skipped without runc and root)', () => {
  const name = `memlogd-test-${process.pid}`
  let directory = ''
  let container: ChildProcess | undefined
  let output = ''
  let ended: Promise<number | null> = Promise.resolve(null)
  const sockets = () => ({ log: join(directory, 'log.sock'), query: join(directory, 'query.sock') })

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'memlogd-runc-'))
    for (const file of [...imageFiles(layout, executable), ...libraryFiles(layout, cpu, executable)]) {
      const target = join(directory, 'rootfs', file.path)
      mkdirSync(dirname(target), { recursive: true })
      if (file.kind === 'file') writeFileSync(target, file.content)
      if (file.kind === 'link') symlinkSync(file.content.toString(), target)
      if (file.kind === 'file') chmodSync(target, file.permissions)
    }
    mkdirSync(join(directory, 'rootfs/proc'))
    writeFileSync(join(directory, 'config.json'), JSON.stringify(containerConfig()))
    const { log, query } = sockets()
    const handOver = new URL('hand-over.py', import.meta.url).pathname
    const runc = ['runc', '--root', join(directory, 'state'), 'run', '--preserve-fds=2', '--bundle', directory, name]
    container = spawn('python3', [handOver, log, query, ...runc], { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [container.stdout, container.stderr]) stream?.on('data', (chunk) => (output += String(chunk)))
    ended = new Promise((resolve) => container?.on('close', resolve))
    for (let i = 0; i < 100 && !read().includes('memlogd started') && container.exitCode === null; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })
  afterAll(async () => {
    spawnSync('runc', ['--root', join(directory, 'state'), 'delete', '--force', name])
    container?.kill('SIGKILL')
    await ended
    rmSync(directory, { recursive: true, force: true })
  })

  function read(): string {
    return tryTool(executable, ['logread', '-socket', sockets().query], { timeoutMs: 10_000 }).stdout
  }

  test('it takes over the sockets', () => {
    expect(output).toBe('')
    expect(read()).toContain('memlogd started')
  })

  test('what is written outside is read outside', async () => {
    const said = tryTool(executable, ['logwrite', '-socket', sockets().log, 'echo', 'testing123'])
    expect(said).toMatchObject({ status: 0, stdout: 'testing123\n' })
    await expect.poll(read, { timeout: 10_000 }).toMatch(/ echo\.stdout testing123\n/)
  })

  test('the container can write nothing', () => {
    const state = tryTool('runc', ['--root', join(directory, 'state'), 'state', name])
    const { pid } = JSON.parse(state.stdout) as { pid: number }
    const mounts = tryTool('cat', [`/proc/${pid}/mounts`]).stdout.split('\n')
    expect(mounts.filter((line) => line.split(' ')[1] === '/' && / ro[, ]/.test(line))).toHaveLength(1)
  })

  test('SIGTERM ends it with status 0, within seconds', async () => {
    container?.kill('SIGTERM')
    const late = new Promise((resolve) => setTimeout(() => resolve('late'), 5000))
    expect(await Promise.race([ended, late])).toBe(0)
    expect(output).toBe('')
  })
})
