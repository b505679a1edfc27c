import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { version } from '../../src/protocol/version.ts'

// The files for LinuxKit's tools, which are not run here: they must parse, have no key that LinuxKit does not know
// (its schema refuses unknown ones, its reader of pkg.yml ignores them), and name images by a fixed tag.

/** One of `checks`, one of `objects`, or a list of these: `NAME[]`. */
type Kind = string
type Keys = Readonly<Record<string, Kind>>

const idMappingKeys: Keys = { hostID: 'number', containerID: 'number', size: 'number' }
const namespaceNames = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts']

/** The part of a container that an image's label and pkg.yml may have, too: without name and image. */
const configKeys: Keys = {
  ...{ capabilities: 'texts', 'capabilities.add': 'texts', ambient: 'texts' },
  ...{ mounts: 'mount[]', binds: 'texts', 'binds.add': 'texts', devices: 'device[]', tmpfs: 'texts' },
  ...{ command: 'texts', env: 'texts', cwd: 'text' },
  ...{ net: 'text', pid: 'text', ipc: 'text', uts: 'text', userns: 'text', hostname: 'text' },
  ...{ readonly: 'flag', maskedPaths: 'texts', readonlyPaths: 'texts', noNewPrivileges: 'flag' },
  ...{ uid: 'id', gid: 'id', additionalGids: 'ids', uidMappings: 'idMapping[]', gidMappings: 'idMapping[]' },
  ...{ oomScoreAdj: 'number', rootfsPropagation: 'text', cgroupsPath: 'text', resources: 'resources' },
  ...{ sysctl: 'textMap', rlimits: 'texts', annotations: 'textMap', runtime: 'runtime' },
}

/**
 * The keys of LinuxKit's schema, src/cmd/linuxkit/moby/schema.go of commit 4f89f4f6, object by object. Resources are
 * known by their names alone: no file here has any.
 */
const objects: Readonly<Record<string, Keys>> = {
  machine: {
    ...{ kernel: 'kernel', init: 'texts', onboot: 'container[]', onshutdown: 'container[]', services: 'container[]' },
    ...{ trust: 'trust', files: 'file[]' },
  },
  kernel: { image: 'text', cmdline: 'text', binary: 'text', tar: 'text', ucode: 'text' },
  trust: { image: 'texts', org: 'texts' },
  container: { name: 'text', image: 'text', ...configKeys },
  config: configKeys,
  file: {
    ...{ path: 'text', directory: 'flag', symlink: 'text', contents: 'text', source: 'text' },
    ...{ metadata: 'text', optional: 'flag', mode: 'text', uid: 'id', gid: 'id' },
  },
  mount: {
    ...{ destination: 'text', type: 'text', source: 'text', options: 'texts' },
    ...{ uidmappings: 'idMapping[]', gidmappings: 'idMapping[]' },
  },
  device: { path: 'text', type: 'text', major: 'number', minor: 'number', mode: 'text' },
  idMapping: idMappingKeys,
  resources: {},
  runtime: {
    ...{ cgroups: 'texts', mounts: 'mount[]', mkdir: 'texts', interfaces: 'interface[]' },
    ...{ bindNS: 'namespaces', namespace: 'text' },
  },
  namespaces: Object.fromEntries(namespaceNames.map((name) => [name, 'text'])),
  interface: { name: 'text', add: 'text', peer: 'text', createInRoot: 'flag' },
  /** src/cmd/linuxkit/pkglib/pkglib.go of commit 4ce13640. */
  package: {
    ...{ image: 'text', org: 'text', dockerfile: 'text', arches: 'texts', 'extra-sources': 'texts', gitrepo: 'text' },
    ...{ network: 'flag', 'disable-cache': 'flag', config: 'config', buildArgs: 'texts' },
  },
}

const isText = (value: unknown) => typeof value === 'string'
const isNumber = (value: unknown) => Number.isInteger(value)
const isId = (value: unknown) => isText(value) || isNumber(value)
const all = (is: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(is)

const checks: Readonly<Record<string, (value: unknown) => boolean>> = {
  text: isText,
  number: isNumber,
  flag: (value) => typeof value === 'boolean',
  texts: all(isText),
  textMap: (value) => isMap(value) && Object.values(value).every(isText),
  id: isId,
  ids: all(isId),
}

type Map = Record<string, unknown>

function isMap(value: unknown): value is Map {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is wrong with a value of this kind, a line each. */
function faults(where: string, value: unknown, kind: Kind): string[] {
  const check = checks[kind]
  if (check !== undefined) return check(value) ? [] : [`${where} is not of kind ${kind}`]
  if (kind.endsWith('[]')) {
    if (!Array.isArray(value)) return [`${where} is no list`]
    return value.flatMap((each, index) => faults(`${where}.${index}`, each, kind.slice(0, -2)))
  }
  if (!isMap(value)) return [`${where} is no map`]
  const keys = objects[kind] ?? {}
  const missing = kind === 'container' ? ['name', 'image'].filter((key) => value[key] === undefined) : []
  return [
    ...missing.map((key) => `${where} has no ${key}`),
    ...Object.entries(value).flatMap(([key, each]) => {
      const known = Object.hasOwn(keys, key) ? keys[key] : undefined
      return known === undefined ? [`${where}.${key} is unknown`] : faults(`${where}.${key}`, each, known)
    }),
  ]
}

function list(value: unknown): Map[] {
  return Array.isArray(value) ? (value as Map[]) : []
}

const project = new URL('../../', import.meta.url)
const examples = new URL('src/image/examples/', project)

describe.each(readdirSync(examples))('%s', (name) => {
  const machine = parse(readFileSync(new URL(name, examples), 'utf8')) as Map
  const containers = [...list(machine.onboot), ...list(machine.services)]

  test('is a machine as LinuxKit describes them', () => {
    expect(faults('machine', machine, 'machine')).toEqual([])
    // Services run at the same time, under their names.
    const names = list(machine.services).map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
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
  const wrong = {
    kernel: { image: 1 },
    init: 'a',
    services: [{ name: 'x', imag: 'y', runtime: { noRestart: true, bindNS: { net: '/x' } }, uid: 1, binds: [1] }],
    service: [],
  }
  expect(faults('machine', wrong, 'machine')).toEqual([
    'machine.kernel.image is not of kind text',
    'machine.init is not of kind texts',
    'machine.services.0 has no image',
    'machine.services.0.imag is unknown',
    'machine.services.0.runtime.noRestart is unknown',
    'machine.services.0.binds is not of kind texts',
    'machine.service is unknown',
  ])
})

describe('pkg.yml', () => {
  const description = parse(readFileSync(new URL('pkg.yml', project), 'utf8')) as Map
  test('is a package as LinuxKit describes them', () => {
    expect(faults('pkg.yml', description, 'package')).toEqual([])
    expect(description).toMatchObject({ image: 'memlogd', arches: ['amd64', 'arm64'] })
  })
  test("says the same as the Dockerfile's label", () => {
    const dockerfile = readFileSync(new URL(String(description.dockerfile), project), 'utf8')
    const label = /^LABEL org\.mobyproject\.config='(.*)'$/m.exec(dockerfile)?.[1] ?? ''
    expect(JSON.parse(label)).toEqual(description.config)
  })
})
