import { describe, expect, it } from 'vitest'
import {
  DockerRequestError,
  parseRead,
  parseStart,
  parseStop,
  type StartRequest,
} from '../../../src/memlogd/docker/request.ts'
import { randomFrom, seedFor } from '../../support/random.ts'

const id = 'a2b22ec07e189a6c506f6f0c3f01b4e46999197c70adfe4f17b44c6bf0925ebb'

/** As dockerd 20.10 sends it. */
const info = {
  Config: { env: 'FOO', labels: 'a,b', tag: '' },
  ContainerID: id,
  ContainerName: '/web',
  ContainerEntrypoint: '/bin/sh',
  ContainerArgs: ['-c', 'echo'],
  ContainerImageID: 'sha256:d9bcbc7e029789f1ca89dbdf0d8e31ae23f404a1f2bae2dd41cf108c01fa34f1',
  ContainerImageName: 'bb',
  ContainerCreated: '2026-11-23T03:46:57.463092984Z',
  ContainerEnv: ['FOO=x=y', 'SECRET=s', 'FOOBAR=z', 'malformed'],
  ContainerLabels: { a: '1', c: '2', 'com.example.d': '3' },
  LogPath: '',
  DaemonName: 'docker',
}

function start(config: Record<string, unknown>, changes: object = {}) {
  const body = { File: '/run/docker/logging/6b69', Info: { ...info, ...changes, Config: config } }
  return parseStart(Buffer.from(JSON.stringify(body)))
}

describe('StartLogging', () => {
  it('names the container and keeps nothing of its environment but what is asked for', () => {
    const request = start({ env: 'FOO', labels: 'a, b' })
    expect(request.file).toBe('/run/docker/logging/6b69')
    expect(request.container).toEqual({
      id,
      name: 'web',
      fields: [
        ['container_name', 'web'],
        ['image', 'bb'],
        ['label.a', '1'],
        ['env.FOO', 'x=y'],
      ],
    })
    expect(JSON.stringify(request)).not.toContain('SECRET')
  })

  it('selects labels and variables by expression too', () => {
    const { container } = start({ 'labels-regex': '^com\\.', 'env-regex': '^FOO' })
    expect(container.fields.slice(2)).toEqual([
      ['label.com.example.d', '3'],
      ['env.FOO', 'x=y'],
      ['env.FOOBAR', 'z'],
    ])
  })

  const tags: [string, string][] = [
    ['plain', 'plain'],
    ['{{.Name}}', 'web'],
    ['{{ .Name }}/{{.ID}}', 'web/a2b22ec07e18'],
    ['{{.FullID}}', id],
    ['{{.ImageName}}-{{.ImageID}}', 'bb-d9bcbc7e0297'],
    ['{{.DaemonName}}', 'docker'],
    ['{{- .Name -}}', 'web'],
  ]
  for (const [tag, wanted] of tags) {
    it(`expands the tag ${tag}`, () => {
      expect(start({ tag }).container.name).toBe(wanted)
    })
  }

  it('calls a container without a name by its id', () => {
    expect(start({}, { ContainerName: '' }).container.name).toBe('a2b22ec07e18')
  })

  it("knows dockerd's own options, and refuses unknown ones as Docker's drivers do", () => {
    expect(start({ mode: 'non-blocking', 'max-buffer-size': '4m' }).ignoredOptions).toEqual([])
    expect(() => start({ mode: 'non-blocking', colour: 'red' })).toThrow(
      "unknown log opt 'colour' for memlogd log driver: wanted tag, labels, labels-regex, env, env-regex",
    )
  })

  const faults: [string, string, string][] = [
    ['no JSON', 'x', 'the request is no JSON'],
    ['null', 'null', 'the request is no JSON object'],
    ['no file', JSON.stringify({ Info: info }), 'File: wanted an absolute path'],
    ['a relative file', JSON.stringify({ File: 'a', Info: info }), 'File: wanted an absolute path'],
    ['a file of another type', JSON.stringify({ File: 1, Info: info }), 'File: wanted an absolute path'],
    ['a NUL in the file', JSON.stringify({ File: '/a\0b', Info: info }), 'File: wanted an absolute path'],
    ['no info', '{"File":"/a"}', 'Info.ContainerID: wanted an id'],
    ['an id with a slash', '{"File":"/a","Info":{"ContainerID":"../x"}}', 'Info.ContainerID: wanted an id'],
  ]
  for (const [name, body, message] of faults) {
    it(`refuses ${name}`, () => {
      expect(() => parseStart(Buffer.from(body))).toThrow(message)
      expect(() => parseStart(Buffer.from(body))).toThrow(DockerRequestError)
    })
  }

  it("understands RE2's syntax in expressions, and reports one that it does not understand", () => {
    const chosen = ({ container }: StartRequest) => container.fields.slice(2).map(([key]) => key)
    expect(chosen(start({ 'labels-regex': '(?i)^COM\\.example' }))).toEqual(['label.com.example.d'])
    for (const pattern of ['(', '(?=a)']) {
      const request = start({ 'labels-regex': pattern, 'env-regex': pattern })
      expect(request.ignoredOptions).toEqual(['labels-regex', 'env-regex'])
      expect(chosen(request)).toEqual([])
    }
  })

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('knows no field %s in a tag', (key) => {
    expect(() => start({ tag: `{{.${key}}}` })).toThrow('log-opt tag')
  })

  it.each([
    ['a name of 255 bytes', `/${'a'.repeat(255)}`, true],
    ['a longer name', `/${'a'.repeat(256)}`, false],
    ['the longest path', `/a${'/a'.repeat(2046)}a`, true],
    ['a longer path', `/a${'/a'.repeat(2046)}aa/`, false],
  ])('accepts a file only if the kernel could open it: %s', (_name, file, isAccepted) => {
    const parse = () => parseStart(Buffer.from(JSON.stringify({ File: file, Info: info })))
    if (isAccepted) expect(parse().file).toBe(file)
    else expect(parse).toThrow('File: wanted an absolute path')
  })

  it('refuses markup that it does not know', () => {
    expect(() => start({ tag: '{{index .ContainerLabels "a"}}' })).toThrow('log-opt tag')
    expect(() => start({ tag: '{{.Nmae}}' })).toThrow('{{.Name}}')
  })

  it('accepts or refuses any bytes', () => {
    const random = randomFrom(seedFor('docker requests'))
    const whole = Buffer.from(JSON.stringify({ File: '/a', Info: info }))
    for (let round = 0; round < 3_000; round++) {
      const bytes = Buffer.from(whole)
      for (let change = random.below(8); change > 0; change--) bytes[random.below(bytes.length)] = random.below(256)
      try {
        parseStart(bytes.subarray(0, random.chance(0.5) ? bytes.length : random.below(bytes.length)))
      } catch (error) {
        expect(error).toBeInstanceOf(DockerRequestError)
      }
    }
  })
})

describe('StopLogging', () => {
  it('names the file', () => {
    expect(parseStop(Buffer.from('{"File":"/run/docker/logging/6b69"}'))).toEqual({ file: '/run/docker/logging/6b69' })
  })
})

describe('ReadLogs', () => {
  const read = (config: object) => parseRead(Buffer.from(JSON.stringify({ Info: info, Config: config })))
  const zero = '0001-01-01T00:00:00Z'

  it('reads zero times and a negative tail as none', () => {
    expect(read({ Since: zero, Until: zero, Tail: -1, Follow: false })).toEqual({
      containerId: id,
      since: undefined,
      until: undefined,
      tail: undefined,
      follow: false,
    })
  })

  it('reads what is set', () => {
    const request = read({ Since: '2026-11-23T03:36:57.5Z', Until: '2026-11-23T05:36:57+01:00', Tail: 0, Follow: true })
    expect(request).toMatchObject({ tail: 0, follow: true, since: { nanos: 500_000_000 }, until: { nanos: 0 } })
    expect((request.until?.seconds ?? 0) - (request.since?.seconds ?? 0)).toBe(3600)
  })

  it('reads an absent configuration as everything', () => {
    expect(parseRead(Buffer.from(JSON.stringify({ Info: info })))).toMatchObject({ tail: undefined, follow: false })
  })
})
