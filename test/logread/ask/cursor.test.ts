import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CursorFile, cursorAfter, encodeCursor, parseCursor } from '../../../src/logread/ask/cursor.ts'
import { gap, sample, viewOf } from '../../support/entries.ts'
import { ringId } from '../../support/stand-in.ts'

const before = { ring: 'f'.repeat(32), sequence: 3 }
const cursorOf = (entry: Buffer) => cursorAfter(viewOf(entry), ringId, before)

describe('the cursor after', () => {
  it('a line is the next number', () => {
    expect(cursorOf(sample(7))).toEqual({ ring: ringId, sequence: 8 })
  })

  it('a gap that names the lost numbers is after the last of them', () => {
    expect(cursorOf(gap(5, 3, { first: '5', last: '7' }))).toEqual({ ring: ringId, sequence: 8 })
  })

  it('a gap that an input reported is the next number: it is an entry like any', () => {
    expect(cursorOf(gap(5, 3, { reason: 'kernel-overwritten' }))).toEqual({ ring: ringId, sequence: 6 })
  })

  it('a restart is where it was: the new ring’s first entry comes next', () => {
    expect(cursorOf(gap(5, 0, { reason: 'restarted' }))).toEqual(before)
  })
})

let directory = ''
let path = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cursor-'))
  path = join(directory, 'cursor')
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('a cursor in a file', () => {
  const cursor = { ring: ringId, sequence: 4711 }

  it('is read back, with the name of a target or without', () => {
    expect(parseCursor(encodeCursor(cursor))).toEqual(cursor)
    expect(encodeCursor(cursor, 'dir:/var/log')).toBe(`{"ring":"${ringId}","sequence":4711,"target":"dir:/var/log"}\n`)
    expect(parseCursor(encodeCursor(cursor, 'dir:/var/log'))).toEqual(cursor)
  })

  it.each(['', 'null', '[]', '{}', '{"ring":"x","sequence":1}', `{"ring":"${ringId}","sequence":1.5}`])(
    'is none: %j',
    (text) => {
      expect(parseCursor(text)).toBeUndefined()
    },
  )
})

describe('a cursor file', () => {
  it('is read back', () => {
    const file = new CursorFile(path)
    expect(file.load()).toBeUndefined()
    file.progress({ ring: ringId, sequence: 4711 }, 0)
    file.save(0)
    expect(readFileSync(path, 'utf8')).toBe(`{"ring":"${ringId}","sequence":4711}\n`)
    expect(new CursorFile(path).load()).toEqual({ ring: ringId, sequence: 4711 })
    expect(existsSync(`${path}.new`)).toBe(false)
  })

  it('is not made if there was nothing to remember', () => {
    new CursorFile(path).save(0)
    expect(existsSync(path)).toBe(false)
  })

  it('is written at most once a second while lines come, and at the end', () => {
    const file = new CursorFile(path)
    const sequence = () => Number(/sequence":(\d+)/.exec(readFileSync(path, 'utf8'))?.[1])
    file.progress({ ring: ringId, sequence: 1 }, 5000)
    file.progress({ ring: ringId, sequence: 2 }, 5999)
    expect(sequence()).toBe(1)
    file.progress({ ring: ringId, sequence: 3 }, 6000)
    expect(sequence()).toBe(3)
    file.progress({ ring: ringId, sequence: 4 }, 6001)
    file.save(6002)
    expect(sequence()).toBe(4)
  })

  it.each([
    '\n',
    'root:x:0:0',
    `{"ring":"${ringId}","sequence":-1}\n`,
    `{"ring":"x","sequence":1}\n`,
    'x'.repeat(5000),
  ])('that holds something else is left alone: %j', (content) => {
    writeFileSync(path, content)
    expect(() => new CursorFile(path).load()).toThrow(`${path}: not a cursor file`)
    expect(readFileSync(path, 'utf8')).toBe(content)
  })

  it('that is empty, as mktemp makes it, is one that has not begun', () => {
    writeFileSync(path, '')
    const file = new CursorFile(path)
    expect(file.load()).toBeUndefined()
    file.progress({ ring: ringId, sequence: 3 }, 5000)
    expect(new CursorFile(path).load()).toEqual({ ring: ringId, sequence: 3 })
  })

  it('names the file that cannot be written', () => {
    const file = new CursorFile(join(directory, 'none', 'cursor'))
    expect(() => file.progress({ ring: ringId, sequence: 1 }, 5000)).toThrow(
      `${directory}/none/cursor: no such file or directory`,
    )
    expect(() => new CursorFile(directory).load()).toThrow(`${directory}: not a regular file`)
  })

  it('that is a link or a pipe is refused at once, and never replaced', () => {
    const other = join(directory, 'other')
    writeFileSync(other, '')
    symlinkSync(other, path)
    const pipe = join(directory, 'pipe')
    execFileSync('mkfifo', [pipe])
    for (const each of [path, pipe]) {
      expect(() => new CursorFile(each).load()).toThrow(`${each}: not a regular file`)
      expect(() => new CursorFile(each).progress({ ring: ringId, sequence: 1 }, 5000)).toThrow('not a regular file')
    }
    expect(lstatSync(path).isSymbolicLink()).toBe(true)
    expect(lstatSync(pipe).isFIFO()).toBe(true)
  })
})
