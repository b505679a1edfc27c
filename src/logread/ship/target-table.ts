/**
 * The kinds of targets of `--to`, a row for each. A target's text is checked as a whole before anything is opened; the
 * code of a kind is loaded when a target of it is opened.
 */
import { resolve } from 'node:path'
import { quoted, UsageError } from '../../cli/errors.ts'
import { versionSeconds } from '../../protocol/version.ts'
import { bootId, hostName } from '../../system/host.ts'
import { systemWorld } from '../../system/world.ts'
import { findFormat, formats } from '../formats/table.ts'
import { checkSdId } from '../options.ts'
import type { SyslogWriter } from './syslog/message.ts'
import type { Report, Target } from './target.ts'
import { headerValue, parseAddress, type TargetQuery, TargetText } from './target-text.ts'

interface ParsedTarget {
  /** As typed: its checkpoint is stored under this. */
  readonly text: string
  /** Opens it; nothing is connected yet. */
  readonly open: (report: Report) => Promise<Target>
  /** The directory that it alone may write to. */
  readonly directory: string | undefined
}

interface TargetKind {
  /** How the text begins. */
  readonly prefix: string
  readonly example: string
  readonly parse: (text: TargetText) => ParsedTarget['open']
}

const kiB = 1024
const miB = 1024 * 1024
const giB = 1024 * miB
const terabyte = 1024 * giB

/** Default ports. 514 for syslog over TCP is no standard, but the port that receivers listen on. */
const ports = { syslog: 514, syslogTls: 6514, otlp: 4318, loki: 3100, https: 443 } as const

export const targetKinds: readonly TargetKind[] = [
  { prefix: 'dir:', example: 'dir:/var/log?max-size=1M', parse: parseDir },
  { prefix: 'syslog+udp://', example: 'syslog+udp://HOST', parse: parseSyslogUdp },
  { prefix: 'syslog+tcp://', example: 'syslog+tcp://HOST', parse: (text) => parseSyslogStream(text, false) },
  { prefix: 'syslog+tls://', example: 'syslog+tls://HOST', parse: (text) => parseSyslogStream(text, true) },
  { prefix: 'otlp+http://', example: 'otlp+http://HOST', parse: (text) => parseOtlp(text, false) },
  { prefix: 'otlp+https://', example: 'otlp+https://HOST', parse: (text) => parseOtlp(text, true) },
  { prefix: 'loki+http://', example: 'loki+http://HOST', parse: (text) => parseLoki(text, false) },
  { prefix: 'loki+https://', example: 'loki+https://HOST', parse: (text) => parseLoki(text, true) },
  { prefix: 'exec:', example: 'exec:CMD', parse: (text) => parseExec(text, 'json') },
  ...formats.map(({ name }) => ({
    prefix: `exec+${name}:`,
    example: `exec+${name}:CMD`,
    parse: (text: TargetText) => parseExec(text, name),
  })),
]

/** A target from its text. Throws UsageError. */
export function parseTarget(text: string): ParsedTarget {
  const kind = targetKinds.find(({ prefix }) => text.startsWith(prefix))
  if (kind === undefined) {
    const wanted = targetKinds.slice(0, 9).map(({ prefix }) => prefix)
    throw new UsageError(`--to ${quoted(text)}: unknown kind of target; wanted one of ${wanted.join(', ')}`)
  }
  const parts = new TargetText(text, kind.prefix)
  return {
    text,
    open: kind.parse(parts),
    directory: kind.parse === parseDir ? resolve(readDirectory(parts)) : undefined,
  }
}

function readDirectory(text: TargetText): string {
  return text
    .decode(text.splitQuery().before, text.prefix.length)
    .replace(/^\/{2,}/, '/')
    .replace(/(?<=.)\/+$/, '')
}

function parseDir(text: TargetText): ParsedTarget['open'] {
  const { query } = text.splitQuery()
  const directory = readDirectory(text)
  if (directory === '') throw text.error(text.prefix.length, 'a directory is missing', 'dir:/var/log')
  const sizeMax = query.bytes('max-size', 4 * kiB, terabyte, miB)
  const filesMax = query.integer('max-files', 1, 9999, 10)
  const compress = query.choice('compress', ['none', 'gzip'], 'none') === 'gzip'
  const totalMax = query.bytesIfGiven('max-total', sizeMax, terabyte)
  query.finish()
  return async (report) => {
    const [{ DirTarget }, { systemFiles }] = await Promise.all([
      import('./dir/dir-target.ts'),
      import('./dir/file-layer.ts'),
    ])
    return new DirTarget(systemFiles, { directory, sizeMax, filesMax, compress, totalMax }, report)
  }
}

function parseSyslogUdp(text: TargetText): ParsedTarget['open'] {
  const { before, query } = text.splitQuery()
  const { host, port } = parseAddress(text, before, ports.syslog, { hasUser: false, hasPath: false })
  const hostname = query.text('hostname')
  const { format, sdId } = readSyslogFormat(query)
  // At most the largest UDP payload. 1452 fits into one packet of an Ethernet (1500) with the headers of IPv6 and UDP.
  const bytesMax = query.bytes('max-size', 480, 65_507, 1452)
  query.finish()
  return async () => {
    const [{ SyslogUdpTarget }, writer] = await Promise.all([
      import('./syslog/udp-target.ts'),
      makeWriter(hostname, format, sdId),
    ])
    return new SyslogUdpTarget(text.shown, { host, port }, writer, bytesMax, systemWorld)
  }
}

function parseSyslogStream(text: TargetText, isTls: boolean): ParsedTarget['open'] {
  const { before, query } = text.splitQuery()
  const defaultPort = isTls ? ports.syslogTls : ports.syslog
  const { host, port } = parseAddress(text, before, defaultPort, { hasUser: false, hasPath: false })
  const hostname = query.text('hostname')
  const { format, sdId } = readSyslogFormat(query)
  const framing = query.choice('framing', ['octets', 'lf'], 'octets')
  const tls = isTls ? readTls(query) : undefined
  query.finish()
  return async () => {
    const [{ SyslogStreamTarget }, writer] = await Promise.all([
      import('./syslog/stream-target.ts'),
      makeWriter(hostname, format, sdId),
    ])
    return new SyslogStreamTarget(text.shown, { host, port, tls }, writer, framing, systemWorld)
  }
}

const syslogFormats = ['5424', '3164'] as const

function readSyslogFormat(query: TargetQuery) {
  const format = query.choice('format', syslogFormats, '5424')
  if (format === '3164') query.atMostOne(['sd-id'], 'format=3164')
  return { format, sdId: query.checked('sd-id', checkSdId) }
}

async function makeWriter(
  hostname: string | undefined,
  format: (typeof syslogFormats)[number],
  sdId: string | undefined,
): Promise<SyslogWriter> {
  const { SyslogWriter } = await import('./syslog/message.ts')
  return new SyslogWriter(hostname ?? hostName(), format, sdId, versionSeconds)
}

function readTls(query: TargetQuery) {
  query.bothOrNone('cert', 'key')
  return {
    caFile: query.text('ca'),
    certificateFile: query.text('cert'),
    keyFile: query.text('key'),
    serverName: query.text('servername'),
  }
}

/** Headers that the request decides. */
const ownHeaders = [
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
const oneLine = /^[^\r\n]*$/

function readHttp(text: TargetText, isTls: boolean, plainPort: number, defaultPath: string) {
  const { before, query } = text.splitQuery()
  const port = isTls ? ports.https : plainPort
  const address = parseAddress(text, before, port, { hasUser: true, hasPath: true })
  const headers = Object.fromEntries(
    query.prefixed('header.', { name: /^[A-Za-z0-9-]+$/, value: headerValue, reserved: ownHeaders }),
  )
  const user = address.authorization === undefined ? undefined : 'the user before @'
  query.atMostOne(['token-file', 'header.authorization'], user)
  if (address.authorization !== undefined) headers.authorization = address.authorization
  const tls = isTls ? readTls(query) : undefined
  const options = {
    name: text.shown,
    address: { host: address.host, port: address.port, path: address.path === '/' ? defaultPath : address.path, tls },
    headers,
    tokenFile: query.text('token-file'),
    isCompressed: query.choice('compress', ['none', 'gzip'], 'none') === 'gzip',
    batchBytes: query.bytes('batch-bytes', 4 * kiB, 16 * miB, 512 * kiB),
    timeoutMs: query.integer('timeout', 1, 600, 30) * 1000,
  }
  return { options, query, hostname: query.text('hostname') }
}

function parseOtlp(text: TargetText, isTls: boolean): ParsedTarget['open'] {
  const { options, query, hostname } = readHttp(text, isTls, ports.otlp, '/v1/logs')
  query.atMostOne(['hostname', 'resource.host.name'])
  const own = query.prefixed('resource.', { name: /./, value: oneLine, reserved: ['service.name'] })
  const encoding = query.choice('encoding', ['auto', 'json', 'protobuf'], 'auto')
  query.finish()
  return async (report) => {
    const [{ HttpTarget }, { OtlpFormat }] = await Promise.all([
      import('./http/http-target.ts'),
      import('./http/otlp.ts'),
    ])
    const attributes = new Map([['host.name', hostname ?? hostName()], ...own])
    return new HttpTarget(options, new OtlpFormat(attributes, encoding), report, systemWorld)
  }
}

function parseLoki(text: TargetText, isTls: boolean): ParsedTarget['open'] {
  const { options, query, hostname } = readHttp(text, isTls, ports.loki, '/loki/api/v1/push')
  query.atMostOne(['hostname', 'label.host'])
  query.atMostOne(['tenant', 'header.x-scope-orgid'])
  const own = query.prefixed('label.', {
    name: /^[a-zA-Z_:][a-zA-Z0-9_:]*$/,
    value: oneLine,
    reserved: ['service_name', 'source'],
  })
  const tenant = query.header('tenant')
  if (tenant !== undefined) options.headers['x-scope-orgid'] = tenant
  const hasMetadata = query.choice('metadata', ['on', 'off'], 'on') === 'on'
  query.finish()
  return async (report) => {
    const [{ HttpTarget }, { LokiFormat }] = await Promise.all([
      import('./http/http-target.ts'),
      import('./http/loki.ts'),
    ])
    const labels = new Map([['job', 'memlogd'], ['host', hostname ?? hostName()], ...own])
    return new HttpTarget(options, new LokiFormat(labels, hasMetadata), report, systemWorld)
  }
}

function parseExec(text: TargetText, formatName: string): ParsedTarget['open'] {
  const command = text.text.slice(text.prefix.length)
  if (command.trim() === '') throw text.error(text.prefix.length, 'a command is missing', `${text.prefix}CMD`)
  if (command.includes('\0')) throw text.error(command.indexOf('\0'), 'a NUL byte', `${text.prefix}CMD`)
  return async () => {
    const { ExecTarget } = await import('./exec/exec-target.ts')
    const format = findFormat(formatName)
    if (format === undefined) throw new Error(`no format ${formatName}`)
    const id = bootId()
    const options = { isTerminal: false, hostname: hostName(), ...(id === undefined ? {} : { bootId: id }) }
    return new ExecTarget(command, format.make(options), systemWorld)
  }
}
