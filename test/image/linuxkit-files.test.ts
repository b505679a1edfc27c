import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { version } from '../../src/protocol/version.ts'

// The files for LinuxKit's tools, which are not run here: they must parse, have no key that LinuxKit does not know
// (its schema refuses unknown ones), and name images by a fixed tag.

type Keys = Readonly<Record<string, 'text' | 'number' | 'flag' | 'texts' | 'other'>>

const machineKeys = ['kernel', 'init', 'onboot', 'onshutdown', 'services', 'files', 'volumes']
const kernelKeys: Keys = { image: 'text', cmdline: 'text', binary: 'text', tar: 'text', ucode: 'text' }
const containerKeys: Keys = {
  name: 'text',
  image: 'text',
  capabilities: 'texts',
  ambient: 'texts',
  mounts: 'other',
  binds: 'texts',
  tmpfs: 'texts',
  command: 'texts',
  env: 'texts',
  cwd: 'text',
  net: 'text',
  pid: 'text',
  ipc: 'text',
  uts: 'text',
  readonly: 'flag',
  hostname: 'text',
  runtime: 'other',
}
const mountKeys: Keys = { destination: 'text', type: 'text', source: 'text', options: 'texts' }
const runtimeKeys: Keys = { cgroups: 'texts', mounts: 'other', mkdir: 'texts', noRestart: 'flag' }
const fileKeys: Keys = {
  path: 'text',
  directory: 'flag',
  symlink: 'text',
  contents: 'text',
  source: 'text',
  mode: 'text',
}
const packageKeys: Keys = {
  image: 'text',
  org: 'text',
  arches: 'texts',
  dockerfile: 'text',
  network: 'flag',
  config: 'other',
}

const checks = {
  text: (value: unknown) => typeof value === 'string',
  number: (value: unknown) => Number.isInteger(value),
  flag: (value: unknown) => typeof value === 'boolean',
  texts: (value: unknown) => Array.isArray(value) && value.every((word) => typeof word === 'string'),
  other: () => true,
}

type Map = Record<string, unknown>

/** What is wrong with `map`, a line each. */
function faults(where: string, map: unknown, keys: Keys): string[] {
  if (typeof map !== 'object' || map === null || Array.isArray(map)) return [`${where} is no map`]
  return Object.entries(map).flatMap(([key, value]) => {
    const kind = keys[key]
    if (kind === undefined) return [`${where}.${key} is unknown`]
    return checks[kind](value) ? [] : [`${where}.${key} is not of kind ${kind}`]
  })
}

function list(value: unknown): Map[] {
  return Array.isArray(value) ? (value as Map[]) : []
}

function machineFaults(machine: Map): string[] {
  const containers = ['onboot', 'onshutdown', 'services'].flatMap((section) => list(machine[section]))
  return [
    ...Object.keys(machine).flatMap((key) => (machineKeys.includes(key) ? [] : [`${key} is unknown`])),
    ...faults('kernel', machine.kernel, kernelKeys),
    ...(checks.texts(machine.init) ? [] : ['init is no list of images']),
    ...list(machine.files).flatMap((file) => faults('file', file, fileKeys)),
    ...containers.flatMap((container) => [
      ...faults(String(container.name), container, containerKeys),
      ...(checks.text(container.name) && checks.text(container.image) ? [] : ['a container without name or image']),
      ...list(container.mounts).flatMap((mount) => faults('mount', mount, mountKeys)),
      ...('runtime' in container ? faults('runtime', container.runtime, runtimeKeys) : []),
    ]),
  ]
}

const project = new URL('../../', import.meta.url)
const examples = new URL('src/image/examples/', project)

describe.each(readdirSync(examples))('%s', (name) => {
  const machine = parse(readFileSync(new URL(name, examples), 'utf8')) as Map
  const containers = [...list(machine.onboot), ...list(machine.services)]

  test('is a machine as LinuxKit describes them', () => {
    expect(machineFaults(machine)).toEqual([])
  })
  test('has memlogd of this version in init, and every image with a tag', () => {
    const images = [
      (machine.kernel as Map).image,
      ...(machine.init as string[]),
      ...containers.map(({ image }) => image),
    ]
    expect(machine.init).toContain(`memlogd:${version}`)
    for (const image of images) expect(image).toMatch(/:[0-9a-z][0-9a-z.-]+$/)
  })
  test('a service that ships the log follows it', () => {
    const commands = list(machine.services).map(({ command }) => (command as string[] | undefined) ?? [])
    for (const command of commands) if (command.includes('--to')) expect(command).toContain('-F')
  })
  test('binds and mounts are absolute', () => {
    for (const bind of containers.flatMap((container) => (container.binds as string[] | undefined) ?? [])) {
      expect(bind).toMatch(/^\/[^:]+:\/[^:]+(:[a-z,]+)?$/)
    }
  })
})

test('the check finds what is wrong', () => {
  const wrong = { kernel: { image: 1 }, init: ['a'], services: [{ name: 'x', imag: 'y' }], service: [] }
  expect(machineFaults(wrong)).toEqual([
    'service is unknown',
    'kernel.image is not of kind text',
    'x.imag is unknown',
    'a container without name or image',
  ])
})

describe('pkg.yml', () => {
  const description = parse(readFileSync(new URL('pkg.yml', project), 'utf8')) as Map
  test('is a package as LinuxKit describes them', () => {
    expect(faults('pkg.yml', description, packageKeys)).toEqual([])
    expect(description).toMatchObject({ image: 'memlogd', arches: ['amd64', 'arm64'] })
  })
  test("says the same as the Dockerfile's label", () => {
    const dockerfile = readFileSync(new URL(String(description.dockerfile), project), 'utf8')
    const label = /^LABEL org\.mobyproject\.config='(.*)'$/m.exec(dockerfile)?.[1] ?? ''
    expect(JSON.parse(label)).toEqual(description.config)
  })
})
