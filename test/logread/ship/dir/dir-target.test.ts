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
import { encodeFields } from '../../../../src/protocol/fields.ts'
import { line } from '../entries.ts'
import { errno, faultyFiles } from './file-faults.ts'

let directory = ''
let said: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dir-target-'))
  said = []
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function makeTarget(rules: Partial<DirRules> = {}, files: FileLayer = systemFiles): DirTarget {
  const all = { directory, sizeMax: 1024 * 1024, filesMax: 10, compress: false, totalMax: undefined, ...rules }
  return new DirTarget(files, all, (message) => said.push(message))
}

let sequence = 0
function lines(source: string, ...messages: string[]): Buffer {
  return Buffer.concat(messages.map((message) => line(++sequence, source, message)))
}

async function deliver(target: DirTarget, bytes: Buffer): Promise<void> {
  await target.deliver(bytes, 0, bytes.length)
}

const read = (name: string) => readFileSync(join(directory, name), 'utf8')
const names = () =>
  readdirSync(directory)
    .filter((name) => !name.startsWith('.'))
    .sort()
/** Every line of a source in the order in which they were written: oldest file first. */
function everyLine(base: string, at = directory): string[] {
  const all: [number, string][] = []
  for (const name of readdirSync(at)) {
    const match = new RegExp(`^${base.replaceAll('.', '\\.')}(?:\\.(\\d+)(\\.gz)?)?$`).exec(name)
    if (match === null) continue
    const bytes = readFileSync(join(at, name))
    all.push([Number(match[1] ?? -1), (match[2] === undefined ? bytes : gunzipSync(bytes)).toString()])
  }
  return all.sort((a, b) => b[0] - a[0]).flatMap(([, text]) => text.split('\n').slice(0, -1))
}

/** What file systems allocate at a time. */
const block = 4096
/** What the directory's files use of the disk. */
const diskBytes = () =>
  readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).blocks * 512, 0)

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

test('a line from another machine names its host before the message', async () => {
  const target = makeTarget()
  const sent = (host: string) => line(1, 'sshd', 'Accepted key', { fields: encodeFields([['host', host]]) })
  await deliver(target, Buffer.concat([sent('web1'), sent('a b\nc'), lines('sshd', 'of this machine')]))
  await target.close()
  expect(read('sshd.log').split('\n')).toEqual([
    '2017-04-15T15:37:37Z sshd host=web1 Accepted key',
    '2017-04-15T15:37:37Z sshd host=a?b?c Accepted key',
    '2017-04-15T15:37:37Z sshd of this machine',
    '',
  ])
})

test('the bytes of a message are written as they came', async () => {
  const target = makeTarget()
  const message = Buffer.from([0, 0xff, 0x1b, 0x41])
  const bytes = line(1, 'x', message)
  await target.deliver(bytes, 0, bytes.length)
  await target.close()
  expect(readFileSync(join(directory, 'x.log')).subarray(-5)).toEqual(Buffer.concat([message, Buffer.from('\n')]))
})

test('files rotate before they grow over the limit, numbered from 0, the oldest removed', async () => {
  const target = makeTarget({ sizeMax: 60, filesMax: 2 })
  for (let index = 0; index < 8; index++) await deliver(target, lines('x', `m${index}`)) // 26 bytes each: two a file
  await target.close()
  expect(names()).toEqual(['x.log', 'x.log.0', 'x.log.1'])
  expect(everyLine('x.log').map((text) => text.slice(-2))).toEqual(['m2', 'm3', 'm4', 'm5', 'm6', 'm7'])
  for (const name of names()) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(60)
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

test('all files together stay under the total, and no other file is touched', async () => {
  writeFileSync(join(directory, 'foreign.log.0'), 'x'.repeat(5000))
  writeFileSync(join(directory, 'wtmp'), 'x'.repeat(5000))
  const target = makeTarget({ sizeMax: 100, filesMax: 50, totalMax: 8 * block })
  for (let index = 0; index < 40; index++) {
    await deliver(target, lines(index % 2 === 0 ? 'even' : 'odd', `message ${index}`))
    const own = names().filter((name) => /^(even|odd)/.test(name))
    expect(own.length).toBeLessThanOrEqual(7)
    expect(diskBytes()).toBeLessThanOrEqual(8 * block + 2 * 8192)
  }
  await target.close()
  expect(names()).toContain('foreign.log.0')
  expect(names()).toContain('wtmp')
  expect(read('odd.log')).toContain('message 39')
})

test('many small sources stay under the total too: the files written longest ago go', async () => {
  const target = makeTarget({ sizeMax: 200, totalMax: 4 * block })
  for (let index = 0; index < 20; index++) {
    await deliver(target, lines(`s${index}`, 'm'))
    const past = new Date(Date.now() - (1000 - index) * 1000)
    utimesSync(join(directory, `s${index}.log`), past, past)
  }
  await target.close()
  expect(diskBytes()).toBeLessThanOrEqual(4 * block)
  expect(names()).toContain('s19.log')
  expect(names()).not.toContain('s0.log')
})

test('thousands of sources with short lines stay under the total of what they use of the disk', async () => {
  const target = makeTarget({ sizeMax: 4096, totalMax: 64 * block })
  const name = 'x'.repeat(200)
  for (let index = 0; index < 600; index++) await deliver(target, lines(`${name}${index}`, 'm'))
  expect(diskBytes()).toBeLessThanOrEqual(64 * block)
  await target.close()
  // Names that have no file any more leave the list, and those that have one stay.
  const listed = read('.logread-files').split('\n')
  expect(listed.length).toBeLessThan(500)
  expect(names().filter((one) => !listed.includes(one))).toEqual([])
})

test('a file that may not be written costs its own lines only', async () => {
  const denied = (path: string) => path.endsWith('/x.log')
  const files: FileLayer = {
    ...systemFiles,
    openAppend: async (path) => (denied(path) ? Promise.reject(errno('EACCES')) : systemFiles.openAppend(path)),
  }
  const target = makeTarget({}, files)
  await deliver(target, Buffer.concat([lines('x', 'one'), lines('z', 'one')]))
  expect(target.refused).toBe(1)
  expect(everyLine('z.log').length).toBe(1)
  expect(said).toEqual(['x.log cannot be written (EACCES): its lines are given up'])
  await target.close()
})

test('where no file may be written, no line is given up', async () => {
  const files: FileLayer = {
    ...systemFiles,
    openAppend: async () => Promise.reject(errno('EACCES')),
    isWritable: async () => false,
  }
  const target = makeTarget({}, files)
  await expect(deliver(target, lines('x', 'one'))).rejects.toMatchObject({ retryable: true })
  expect(target.refused).toBe(0)
  await target.close()
})

test.each(['.logread-files', '.logread-lock'])(
  'a link in place of %s costs no line and is not followed',
  async (name) => {
    const other = join(directory, 'other')
    writeFileSync(other, 'precious\n')
    symlinkSync(other, join(directory, name))
    const target = makeTarget()
    const batch = lines('x', 'one')
    const error = await deliver(target, batch).then(
      () => undefined,
      (failure: unknown) => failure,
    )
    if (name === '.logread-files') {
      expect(error).toMatchObject({
        retryable: true,
        message: `${directory}/.logread-files: is a symbolic link, which is not followed`,
      })
      rmSync(join(directory, name))
      await deliver(target, batch)
    }
    await target.close()
    expect(readFileSync(other, 'utf8')).toBe('precious\n')
    expect(target.refused).toBe(0)
    expect(everyLine('x.log').length).toBe(1)
  },
)

test('a link among the rotated files is not read through', async () => {
  const secret = join(directory, 'secret')
  writeFileSync(secret, 'secret')
  const first = makeTarget({ sizeMax: 60 })
  await deliver(first, lines('x', 'm0'))
  await first.close()
  symlinkSync(secret, join(directory, 'x.log.0'))
  const second = makeTarget({ sizeMax: 60, compress: true })
  await deliver(second, lines('x', 'm1'))
  await second.close()
  expect(names().filter((name) => name.endsWith('.gz'))).toEqual([])
  expect(said[0]).toMatch(/^x\.log\.0 stays uncompressed \(ELOOP\)/)
})

test('two writers: the second waits, and goes on when the first ends', async () => {
  const first = makeTarget()
  const second = makeTarget()
  await deliver(first, lines('x', 'one'))
  const batch = lines('x', 'two')
  await expect(deliver(second, batch)).rejects.toMatchObject({
    retryable: true,
    message: 'another logread writes to this directory',
  })
  await deliver(first, lines('x', 'three'))
  await first.close()
  await deliver(second, batch)
  await second.close()
  expect(everyLine('x.log').map((text) => text.slice(23))).toEqual(['one', 'three', 'two'])
  expect(second.refused).toBe(0)
})

test('a directory whose path is too long for a socket is locked too, through a link as well', async () => {
  const long = join(directory, 'd'.repeat(120))
  mkdirSync(long)
  symlinkSync(long, join(directory, 'link'))
  const first = makeTarget({ directory: long })
  await deliver(first, lines('x', 'one'))
  const second = makeTarget({ directory: join(directory, 'link') })
  await expect(deliver(second, lines('x', 'two'))).rejects.toMatchObject({ retryable: true })
  await first.close()
  await second.close()
  expect(readdirSync(long)).not.toContain('.logread-lock')
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
      return execFileSync('readlink', [`/proc/${process.pid}/fd/${fd}`], { encoding: 'utf8' }).startsWith(directory)
    } catch {
      return false
    }
  })
  expect(open.length).toBe(openFilesMax)
  await target.close()
  expect(names().length).toBe(count)
  for (const name of names()) expect(read(name).split('\n').length).toBe(3)
})

test('makes a file that was moved away anew, and a directory that vanished', async () => {
  const target = makeTarget()
  await deliver(target, lines('x', 'one'))
  renameSync(join(directory, 'x.log'), join(directory, 'x.log.moved'))
  await deliver(target, lines('x', 'two'))
  expect(read('x.log')).toMatch(/two\n$/)
  rmSync(directory, { recursive: true })
  await deliver(target, lines('x', 'three'))
  expect(read('x.log')).toMatch(/^[^\n]*three\n$/)
  await target.close()
})

test('keeps what an earlier run wrote, and removes a torn last line', async () => {
  const first = makeTarget()
  await deliver(first, lines('x', 'one'))
  await first.close()
  writeFileSync(join(directory, 'x.log'), '2017-04-15T15:37:37Z x to', { flag: 'a' })
  const second = makeTarget()
  await deliver(second, lines('x', 'two'))
  await second.close()
  expect(everyLine('x.log').map((text) => text.slice(23))).toEqual(['one', 'two'])
})

test('ends a torn line in a file that somebody else began', async () => {
  writeFileSync(join(directory, 'x.log'), 'not ours')
  const target = makeTarget()
  await deliver(target, lines('x', 'one'))
  await target.close()
  expect(read('x.log')).toMatch(/^not ours\n.* one\n$/)
})

test('a path that is no file costs its own lines only, and is reported once', async () => {
  mkdirSync(join(directory, 'x.log'))
  symlinkSync('/etc/passwd', join(directory, 'y.log'))
  const target = makeTarget()
  await deliver(target, Buffer.concat([lines('x', 'one'), lines('y', 'one'), lines('z', 'one')]))
  await deliver(target, Buffer.concat([lines('x', 'two'), lines('y', 'two'), lines('z', 'two')]))
  await target.close()
  expect(everyLine('z.log').length).toBe(2)
  expect(said).toEqual([
    'x.log cannot be written (EISDIR): its lines are given up',
    'y.log cannot be written (ELOOP): its lines are given up',
  ])
})

test.each(['EINVAL', 'EILSEQ', 'EFBIG'])(
  'a name or size that the file system refuses (%s) costs its own lines only',
  async (code) => {
    const files = faultyFiles(systemFiles, {
      before: (_, what) => {
        if (/^(?:open|write) .*a:b\.log$/.test(what)) throw errno(code)
      },
    })
    const target = makeTarget({}, files)
    for (let time = 0; time < 2; time++) await deliver(target, Buffer.concat([lines('a:b', 'm'), lines('c', 'm')]))
    await target.close()
    expect(target.refused).toBe(2)
    expect(everyLine('c.log').length).toBe(2)
    expect(said).toEqual([`a:b.log cannot be written (${code}): its lines are given up`])
  },
)

test('waits for a directory that cannot be made: no line is given up', async () => {
  rmSync(directory, { recursive: true })
  for (const obstacle of [() => writeFileSync(directory, ''), () => symlinkSync(directory, directory)]) {
    obstacle()
    const target = makeTarget()
    const batch = lines('x', 'one')
    await expect(deliver(target, batch)).rejects.toMatchObject({ retryable: true })
    rmSync(directory)
    await deliver(target, batch)
    await target.close()
    expect(target.refused).toBe(0)
    expect(everyLine('x.log').length).toBe(1)
    rmSync(directory, { recursive: true })
  }
  expect(said).toEqual([])
})

test('when a file cannot be closed, the others are, and the lock is released', async () => {
  const closed: string[] = []
  const files: FileLayer = {
    ...systemFiles,
    async openAppend(path) {
      const file = await systemFiles.openAppend(path)
      const close = async () => {
        await file.close()
        closed.push(path)
        if (path.endsWith('/a.log')) throw errno('EDQUOT')
      }
      return { ...file, close }
    },
  }
  const target = makeTarget({}, files)
  await deliver(target, Buffer.concat([lines('a', 'm1'), lines('b', 'm2')]))
  await expect(target.close()).rejects.toMatchObject({ code: 'EDQUOT' })
  expect(closed).toContain(join(directory, 'b.log'))
  expect(readdirSync(directory)).not.toContain('.logread-lock')
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
    rmSync(directory, { recursive: true, force: true })
    mkdirSync(directory)
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

test('reports a full disk, leaves whole lines only, and goes on when there is room', async ({ skip }) => {
  if (process.getuid?.() !== 0) skip('mounting a tmpfs needs root')
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', directory], { stdio: 'pipe' })
  } catch (error) {
    skip(`no tmpfs can be mounted here: ${String(error)}`)
  }
  try {
    writeFileSync(join(directory, 'ballast'), Buffer.alloc(20_000))
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
        if (!existsSync(join(directory, 'ballast'))) break
        rmSync(join(directory, 'ballast'))
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
    execFileSync('umount', ['-l', directory])
  }
})
