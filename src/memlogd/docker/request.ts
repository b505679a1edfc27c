/**
 * What dockerd asks of the plugin, out of the bodies of its requests: JSON with more keys than we need. The environment
 * of a container may hold secrets, so nothing of it is kept but what `--log-opt env` names.
 */
import { type Moment, parseStamp } from '../../protocol/timestamp.ts'
import { compileGoRegExp } from './go-regexp.ts'
import { type DockerContainer, isFifoPath } from './streams.ts'

/** Longest body that is accepted: labels and environment of a container are in it. */
export const dockerBodyBytesMax = 4 * 1024 * 1024
/** Digits of the short id, as `docker ps` shows it. */
const shortIdDigits = 12
/** Labels and variables that become fields. */
const attributesMax = 64
/** Options that dockerd handles itself. */
const dockerdOptions = [
  'mode',
  'max-buffer-size',
  'cache-disabled',
  'cache-max-file',
  'cache-max-size',
  'cache-compress',
]
const ownOptions = ['tag', 'labels', 'labels-regex', 'env', 'env-regex']

/** The request is answered with the message: dockerd shows it to its user. */
export class DockerRequestError extends Error {}

export interface StartRequest {
  file: string
  container: DockerContainer
  /** Options that have no effect, for the log: expressions that are not understood. */
  ignoredOptions: string[]
}

export interface ReadRequest {
  containerId: string
  since: Moment | undefined
  until: Moment | undefined
  /** Undefined for everything. */
  tail: number | undefined
  follow: boolean
}

type Json = Readonly<Record<string, unknown>>

/** Throws a DockerRequestError where the body is not what dockerd sends, or an option can't be obeyed. */
export function parseStart(body: Buffer): StartRequest {
  const request = parseBody(body)
  const info = objectAt(request, 'Info')
  const options = stringsAt(info, 'Config')
  const id = containerIdOf(info)
  const fullName = stringAt(info, 'ContainerName').replace(/^\//, '')
  const tag = options.tag ?? ''
  const name = tag === '' ? fullName : expandTag(tag, info, id)
  const labels = matcher(options['labels-regex'])
  const variables = matcher(options['env-regex'])
  const fields: [string, string][] = [
    ['container_name', fullName],
    ['image', stringAt(info, 'ContainerImageName')],
    ...attributes('label', options.labels, labels, Object.entries(stringsAt(info, 'ContainerLabels'))),
    ...attributes('env', options.env, variables, environment(info)),
  ]
  const known = [...dockerdOptions, ...ownOptions]
  const unknown = Object.keys(options).find((option) => !known.includes(option))
  // The words of Docker's own drivers.
  if (unknown !== undefined) {
    throw new DockerRequestError(`unknown log opt '${unknown}' for memlogd log driver: wanted ${ownOptions.join(', ')}`)
  }
  const ignored: string[] = []
  if (labels === undefined) ignored.push('labels-regex')
  if (variables === undefined) ignored.push('env-regex')
  return {
    file: fileOf(request),
    container: { id, name: name === '' ? id.slice(0, shortIdDigits) : name, fields },
    ignoredOptions: ignored,
  }
}

export function parseStop(body: Buffer): { file: string } {
  return { file: fileOf(parseBody(body)) }
}

export function parseRead(body: Buffer): ReadRequest {
  const request = parseBody(body)
  const config = objectAt(request, 'Config')
  const tail = config.Tail
  return {
    containerId: containerIdOf(objectAt(request, 'Info')),
    since: momentAt(config, 'Since'),
    until: momentAt(config, 'Until'),
    tail: typeof tail === 'number' && Number.isSafeInteger(tail) && tail >= 0 ? tail : undefined,
    follow: config.Follow === true,
  }
}

function parseBody(body: Buffer): Json {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch {
    throw new DockerRequestError('the request is no JSON')
  }
  if (typeof value !== 'object' || value === null) throw new DockerRequestError('the request is no JSON object')
  return value as Json
}

function fileOf(request: Json): string {
  const file = stringAt(request, 'File')
  if (!isFifoPath(file)) throw new DockerRequestError('File: wanted an absolute path')
  return file
}

function containerIdOf(info: Json): string {
  const id = stringAt(info, 'ContainerID')
  if (!/^[0-9A-Za-z_.-]{1,128}$/.test(id)) throw new DockerRequestError('Info.ContainerID: wanted an id')
  return id
}

/** An absent object is an empty one: dockerd leaves out what is empty, or sends null. */
function objectAt(from: Json, key: string): Json {
  const value = from[key]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

function stringAt(from: Json, key: string): string {
  const value = from[key]
  return typeof value === 'string' ? value : ''
}

function stringsAt(from: Json, key: string): Record<string, string> {
  const entries = Object.entries(objectAt(from, key)).filter(([, value]) => typeof value === 'string')
  return Object.fromEntries(entries) as Record<string, string>
}

/** Go's zero time, 0001-01-01T00:00:00Z, means none, and so does everything else before 1970. */
function momentAt(from: Json, key: string): Moment | undefined {
  const text = Buffer.from(stringAt(from, key))
  const moment: Moment = { seconds: 0, nanos: 0 }
  return parseStamp(text, 0, text.length, moment) && moment.seconds > 0 ? moment : undefined
}

function environment(info: Json): [string, string][] {
  const list = info.ContainerEnv
  if (!Array.isArray(list)) return []
  return list
    .filter((item): item is string => typeof item === 'string' && item.includes('='))
    .map((item) => [item.slice(0, item.indexOf('=')), item.slice(item.indexOf('=') + 1)])
}

/** The labels or variables that the options name, as fields `label.KEY` and `env.KEY`. */
function attributes(
  kind: string,
  names = '',
  matches: Matcher | undefined,
  all: [string, string][],
): [string, string][] {
  const wanted = new Set(names.split(',').map((name) => name.trim()))
  const chosen = all.filter(([key]) => wanted.has(key) || matches?.(key) === true)
  return chosen.slice(0, attributesMax).map(([key, value]) => [`${kind}.${key}`, value])
}

type Matcher = (key: string) => boolean

/** What an option's expression matches: nothing where there is none; undefined if it is not understood. */
function matcher(pattern = ''): Matcher | undefined {
  return pattern === '' ? () => false : compileGoRegExp(pattern)
}

/** Docker's own markup for tags: Go templates, of which we know the fields. */
function expandTag(tag: string, info: Json, id: string): string {
  const imageId = stringAt(info, 'ContainerImageID')
  const name = stringAt(info, 'ContainerName')
  const values = new Map([
    ['ID', id.slice(0, shortIdDigits)],
    ['FullID', id],
    ['ContainerID', id],
    ['Name', name.replace(/^\//, '')],
    ['ContainerName', name],
    ['ImageID', imageId.replace(/^sha256:/, '').slice(0, shortIdDigits)],
    ['ImageFullID', imageId],
    ['ContainerImageID', imageId],
    ['ImageName', stringAt(info, 'ContainerImageName')],
    ['ContainerImageName', stringAt(info, 'ContainerImageName')],
    ['DaemonName', stringAt(info, 'DaemonName')],
  ])
  return tag.replace(/\{\{(.*?)\}\}/g, (markup, expression: string) => {
    const field = /^-?\s*\.(\w+)\s*-?$/.exec(expression)?.[1]
    const value = values.get(field ?? '')
    if (value !== undefined) return value
    throw new DockerRequestError(
      `log-opt tag: ${JSON.stringify(markup)} is not known: wanted ${[...values.keys()]
        .map((key) => `{{.${key}}}`)
        .join(', ')}`,
    )
  })
}
