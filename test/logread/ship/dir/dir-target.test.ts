import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type DirRules, DirTarget, openFilesMax } from '../../../../src/logread/ship/dir/dir-target.ts'
import { type FileLayer, systemFiles } from '../../../../src/logread/ship/dir/file-layer.ts'
import { line } from '../entries.ts'
import { errno, faultyFiles } from './file-faults.ts'

let folder = ''
let said: string[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dir-target-'))
  said = []
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function makeTarget(rules: Partial<DirRules> = {}, files: FileLayer = systemFiles): DirTarget {
  const all = { folder, sizeMax: 1024 * 1024, filesMax: 10, compress: false, totalMax: undefined, ...rules }
  return new DirTarget(files, all, (message) => said.push(message))
}

let sequence = 0
function lines(source: string, ...messages: string[]): Buffer {
  return Buffer.concat(messages.map((message) => line(++sequence, source, message)))
}

async function deliver(target: DirTarget, bytes: Buffer): Promise<void> {
  await target.deliver(bytes, 0, bytes.length)
}

const read = (name: string) => readFileSync(join(folder, name), 'utf8')
const names = () =>
  readdirSync(folder)
    .filter((name) => !name.startsWith('.'))
    .sort()
/** Every line of a source in the order in which they were written: oldest file first. */
function everyLine(base: string, at = folder): string[] {
  const all: [number, string][] = []
  for (const name of readdirSync(at)) {
    const match = new RegExp(`^${base.replaceAll('.', '\\.')}(?:\\.(\\d+)(\\.gz)?)?$`).exec(name)
    if (match === null) continue
    const bytes = readFileSync(join(at, name))
    all.push([Number(match[1] ?? -1), (match[2] === undefined ? bytes : gunzipSync(bytes)).toString()])
  }
  return all.sort((a, b) => b[0] - a[0]).flatMap(([, text]) => text.split('\n').slice(0, -1))
}

test('a file per source, in the format of LinuxKit’s logwrite service', async () => {
  const target = makeTarget()
  await deliver(
    target,
    Buffer.concat([
      lines('rngd.stderr', 'Unable to open file: /dev/tpm0'),
      lines('a/b', ''),
      lines('rngd.stderr', 'two\nlines'),
    ]),
  )
  await target.close()
  expect(names()).toEqual(['a%2Fb.log', 'rngd.stderr.log'])
  expect(read('rngd.stderr.log')).toBe(
    '2017-04-15T15:37:37Z rngd.stderr Unable to open file: /dev/tpm0\n2017-04-15T15:37:37Z rngd.stderr two\\nlines\n',
  )
  expect(read('a%2Fb.log')).toBe('2017-04-15T15:37:37Z a/b \n')
})

test('the bytes of a message are written as they came', async () => {
  const target = makeTarget()
  const message = Buffer.from([0, 0xff, 0x1b, 0x41])
  const bytes = line(1, 'x', message)
  await target.deliver(bytes, 0, bytes.length)
  await target.close()
  expect(readFileSync(join(folder, 'x.log')).subarray(-5)).toEqual(Buffer.concat([message, Buffer.from('\n')]))
})

test('files rotate before they grow over the limit, numbered from 0, the oldest removed', async () => {
  const target = makeTarget({ sizeMax: 60, filesMax: 2 })
  for (let index = 0; index < 8; index++) await deliver(target, lines('x', `m${index}`)) // 26 bytes each: two a file
  await target.close()
  expect(names()).toEqual(['x.log', 'x.log.0', 'x.log.1'])
  expect(everyLine('x.log').map((text) => text.slice(-2))).toEqual(['m2', 'm3', 'm4', 'm5', 'm6', 'm7'])
  for (const name of names()) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(60)
})

test('a line longer than the limit gets a file of its own', async () => {
  const target = makeTarget({ sizeMax: 60 })
  await deliver(target, lines('x', 'a', 'b'.repeat(200), 'c'))
  await target.close()
  expect(names()).toEqual(['x.log', 'x.log.0', 'x.log.1'])
  expect(everyLine('x.log').map((text) => text.slice(23))).toEqual(['a', 'b'.repeat(200), 'c'])
})

test('rotated files are compressed', async () => {
  const target = makeTarget({ sizeMax: 60, compress: true, filesMax: 3 })
  await deliver(target, lines('x', 'm0', 'm1', 'm2', 'm3', 'm4'))
  await target.close()
  expect(names()).toEqual(['x.log', 'x.log.0.gz', 'x.log.1.gz'])
  expect(everyLine('x.log').map((text) => text.slice(-2))).toEqual(['m0', 'm1', 'm2', 'm3', 'm4'])
})

test('all files together stay under the total, and nobody else’s file is touched', async () => {
  writeFileSync(join(folder, 'foreign.log.0'), 'x'.repeat(5000))
  writeFileSync(join(folder, 'wtmp'), 'x'.repeat(5000))
  const target = makeTarget({ sizeMax: 100, filesMax: 50, totalMax: 400 })
  for (let index = 0; index < 40; index++) {
    await deliver(target, lines(index % 2 === 0 ? 'even' : 'odd', `message ${index}`))
    const own = names().filter((name) => /^(even|odd)/.test(name))
    const total = own.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    expect(total).toBeLessThanOrEqual(400)
  }
  await target.close()
  expect(names()).toContain('foreign.log.0')
  expect(names()).toContain('wtmp')
  expect(read('odd.log')).toContain('message 39')
})

test('many small sources stay under the total too: the files written longest ago go', async () => {
  const target = makeTarget({ sizeMax: 200, totalMax: 200 })
  for (let index = 0; index < 20; index++) {
    await deliver(target, lines(`s${index}`, 'm'))
    const past = new Date(Date.now() - (1000 - index) * 1000)
    utimesSync(join(folder, `s${index}.log`), past, past)
  }
  await target.close()
  expect(names().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)).toBeLessThanOrEqual(200)
  expect(names()).toContain('s19.log')
  expect(names()).not.toContain('s0.log')
})

test('more sources than descriptors', async () => {
  const target = makeTarget()
  const count = openFilesMax + 20
  for (let round = 0; round < 2; round++) {
    await deliver(
      target,
      Buffer.concat(Array.from({ length: count }, (_, index) => lines(`s${index}`, `round ${round}`))),
    )
  }
  const open = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return execFileSync('readlink', [`/proc/${process.pid}/fd/${fd}`], { encoding: 'utf8' }).startsWith(folder)
    } catch {
      return false
    }
  })
  expect(open.length).toBe(openFilesMax)
  await target.close()
  expect(names().length).toBe(count)
  for (const name of names()) expect(read(name).split('\n').length).toBe(3)
})

test('a file that was moved away is made anew; a folder that vanished too', async () => {
  const target = makeTarget()
  await deliver(target, lines('x', 'one'))
  renameSync(join(folder, 'x.log'), join(folder, 'x.log.moved'))
  await deliver(target, lines('x', 'two'))
  expect(read('x.log')).toMatch(/two\n$/)
  rmSync(folder, { recursive: true })
  await deliver(target, lines('x', 'three'))
  expect(read('x.log')).toMatch(/^[^\n]*three\n$/)
  await target.close()
})

test('what stands in a file of a former run stays; a torn last line is taken back', async () => {
  const first = makeTarget()
  await deliver(first, lines('x', 'one'))
  await first.close()
  writeFileSync(join(folder, 'x.log'), '2017-04-15T15:37:37Z x to', { flag: 'a' })
  const second = makeTarget()
  await deliver(second, lines('x', 'two'))
  await second.close()
  expect(everyLine('x.log').map((text) => text.slice(23))).toEqual(['one', 'two'])
})

test('a torn line in a file that somebody else began is ended, not removed', async () => {
  writeFileSync(join(folder, 'x.log'), 'not ours')
  const target = makeTarget()
  await deliver(target, lines('x', 'one'))
  await target.close()
  expect(read('x.log')).toMatch(/^not ours\n.* one\n$/)
})

test('a path that is no file costs its own lines only, and is told of once', async () => {
  mkdirSync(join(folder, 'x.log'))
  symlinkSync('/etc/passwd', join(folder, 'y.log'))
  const target = makeTarget()
  await deliver(target, Buffer.concat([lines('x', 'one'), lines('y', 'one'), lines('z', 'one')]))
  await deliver(target, Buffer.concat([lines('x', 'two'), lines('y', 'two'), lines('z', 'two')]))
  await target.close()
  expect(everyLine('z.log').length).toBe(2)
  expect(said).toEqual([
    "x.log can't be written (EISDIR), its lines are given up",
    "y.log can't be written (ELOOP), its lines are given up",
  ])
})

test('a folder that can’t be had is waited for: no line is given up', async () => {
  rmSync(folder, { recursive: true })
  for (const obstacle of [() => writeFileSync(folder, ''), () => symlinkSync(folder, folder)]) {
    obstacle()
    const target = makeTarget()
    const batch = lines('x', 'one')
    await expect(deliver(target, batch)).rejects.toMatchObject({ retryable: true })
    rmSync(folder)
    await deliver(target, batch)
    await target.close()
    expect(target.refused).toBe(0)
    expect(everyLine('x.log').length).toBe(1)
    rmSync(folder, { recursive: true })
  }
  expect(said).toEqual([])
})

test('short writes are completed', async () => {
  const target = makeTarget({}, faultyFiles(systemFiles, { before: () => undefined, writeLimit: () => 3 }))
  await deliver(target, lines('x', 'one', 'two'))
  await target.close()
  expect(everyLine('x.log').map((text) => text.slice(23))).toEqual(['one', 'two'])
})

/** Three sources, rotations, compression and a total: everything that the target can do. */
function busyBatches(): Buffer[] {
  return Array.from({ length: 3 }, (_, batch) =>
    Buffer.concat(['a', 'b'].flatMap((source) => [0, 1, 2].map((n) => lines(source, `${source}${batch}${n}`)))),
  )
}
const busyRules = { sizeMax: 80, filesMax: 30, compress: true }
const busyLines = (source: string) => Array.from({ length: 9 }, (_, n) => `${source}${Math.floor(n / 3)}${n % 3}`)

test('whichever operation fails, once, every line is there once after a retry', async () => {
  const counting = faultyFiles(systemFiles, { before: () => undefined })
  const whole = makeTarget(busyRules, counting)
  for (const batch of busyBatches()) await deliver(whole, batch)
  await whole.close()
  expect(counting.count).toBeGreaterThan(30)
  for (let broken = 1; broken <= counting.count; broken++) {
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder)
    const before = (count: number) => {
      if (count === broken) throw errno('EIO')
    }
    const target = makeTarget(
      busyRules,
      faultyFiles(systemFiles, { before, writeLimit: (count) => (count === broken - 1 ? 40 : 1e9) }),
    )
    let failures = 0
    for (const batch of busyBatches()) {
      for (let tries = 0; tries < 3; tries++) {
        try {
          await deliver(target, batch)
          break
        } catch (error) {
          expect(error).toMatchObject({ message: expect.stringContaining('EIO'), retryable: true })
          failures++
        }
      }
    }
    await target.close()
    expect(failures, `operation ${broken}`).toBeLessThanOrEqual(1)
    for (const source of ['a', 'b']) {
      expect(
        everyLine(`${source}.log`).map((text) => text.slice(23)),
        `operation ${broken}`,
      ).toEqual(busyLines(source))
    }
    expect(names().filter((name) => name.endsWith('.tmp'))).toEqual([])
  }
}, 30_000)

test('a full disk is told as such, whole lines only are left, and it goes on when there is room', async ({ skip }) => {
  if (process.getuid?.() !== 0) skip('mounting a tmpfs needs root')
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'pipe' })
  } catch (error) {
    skip(`no tmpfs can be mounted here: ${String(error)}`)
  }
  try {
    writeFileSync(join(folder, 'ballast'), Buffer.alloc(20_000))
    const target = makeTarget()
    const sent: string[] = []
    const failures: unknown[] = []
    for (let index = 0; index < 60; index++) {
      const message = `${index}-${'x'.repeat(1000)}`
      const batch = lines('x', message)
      sent.push(message)
      try {
        await deliver(target, batch)
      } catch (error) {
        failures.push(error)
        expect(read('x.log').endsWith('\n')).toBe(true)
        if (!existsSync(join(folder, 'ballast'))) break
        rmSync(join(folder, 'ballast'))
        await deliver(target, batch)
      }
    }
    await target.close().catch(() => undefined)
    expect(failures.length).toBeGreaterThanOrEqual(1)
    expect(failures[0]).toMatchObject({ retryable: true, message: 'the disk is full' })
    const there = everyLine('x.log').map((text) => text.slice(23))
    expect(there).toEqual(sent.slice(0, there.length))
    expect(there.length).toBeGreaterThanOrEqual(sent.length - 1)
  } finally {
    execFileSync('umount', ['-l', folder])
  }
})
