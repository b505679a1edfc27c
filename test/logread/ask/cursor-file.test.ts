import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CursorFile } from '../../../src/logread/ask/cursor-file.ts'
import { ringId as ring } from '../../support/stand-in.ts'

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cursor-'))
  path = join(folder, 'cursor')
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('a cursor file', () => {
  it('is read back', () => {
    const file = new CursorFile(path)
    expect(file.load()).toBeUndefined()
    file.progress({ ring, sequence: 4711 }, 0)
    file.save(0)
    expect(readFileSync(path, 'utf8')).toBe(`{"ring":"${ring}","sequence":4711}\n`)
    expect(new CursorFile(path).load()).toEqual({ ring, sequence: 4711 })
    expect(existsSync(`${path}.new`)).toBe(false)
  })

  it('is not made if there was nothing to remember', () => {
    new CursorFile(path).save(0)
    expect(existsSync(path)).toBe(false)
  })

  it('is written at most once a second while lines come, and at the end', () => {
    const file = new CursorFile(path)
    const sequence = () => Number(/sequence":(\d+)/.exec(readFileSync(path, 'utf8'))?.[1])
    file.progress({ ring, sequence: 1 }, 5000)
    file.progress({ ring, sequence: 2 }, 5999)
    expect(sequence()).toBe(1)
    file.progress({ ring, sequence: 3 }, 6000)
    expect(sequence()).toBe(3)
    file.progress({ ring, sequence: 4 }, 6001)
    file.save(6002)
    expect(sequence()).toBe(4)
  })

  it.each(['\n', 'root:x:0:0', `{"ring":"${ring}","sequence":-1}\n`, `{"ring":"x","sequence":1}\n`, 'x'.repeat(5000)])(
    'that holds something else is left alone: %j',
    (content) => {
      writeFileSync(path, content)
      expect(() => new CursorFile(path).load()).toThrow(`${path}: not a cursor file`)
      expect(readFileSync(path, 'utf8')).toBe(content)
    },
  )

  it('that is empty, as mktemp makes it, is one that has not begun', () => {
    writeFileSync(path, '')
    const file = new CursorFile(path)
    expect(file.load()).toBeUndefined()
    file.progress({ ring, sequence: 3 }, 5000)
    expect(new CursorFile(path).load()).toEqual({ ring, sequence: 3 })
  })

  it('names the file that cannot be written', () => {
    const file = new CursorFile(join(folder, 'none', 'cursor'))
    expect(() => file.progress({ ring, sequence: 1 }, 5000)).toThrow(`${folder}/none/cursor: no such folder`)
    expect(() => new CursorFile(folder).load()).toThrow(`${folder}: is a folder`)
  })
})
