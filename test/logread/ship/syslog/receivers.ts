/** rsyslog as a receiver, and certificates for it. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

export type Transport = 'udp' | 'tcp' | 'tls'

/** A command that `PATH` has, or a file by its path, in which `*` stands for anything. */
export function isInstalled(program: string): boolean {
  const test = program.startsWith('/') ? `ls ${program}` : `command -v ${program}`
  return spawnSync('sh', ['-c', test]).status === 0
}

/** An authority of our own, and a certificate of 127.0.0.1 and localhost by it. */
export function makeCertificates(directory: string): { ca: string; certificate: string; key: string } {
  const path = (name: string) => join(directory, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    path('ca.key'),
    '-out',
    path('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  )
  openssl('req', ...key, '-keyout', path('server.key'), '-out', path('server.csr'), '-subj', '/CN=localhost')
  writeFileSync(path('san'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  const signed = [
    '-CA',
    path('ca.pem'),
    '-CAkey',
    path('ca.key'),
    '-CAcreateserial',
    '-days',
    '2',
    '-extfile',
    path('san'),
  ]
  openssl('x509', '-req', '-in', path('server.csr'), '-out', path('server.pem'), ...signed)
  return { ca: path('ca.pem'), certificate: path('server.pem'), key: path('server.key') }
}

const recordFormat = '%pri%|%timestamp:::date-rfc3339%|%hostname%|%app-name%|%procid%|%msgid%|%structured-data%|%msg%'

/** Where src/build/deps.sh unpacks syslog-ng: Debian does not let it be installed beside rsyslog. */
const unpackedSyslogNg = '/opt/memlogd-tests/syslog-ng/usr'
export const hasSyslogNg = isInstalled(`${unpackedSyslogNg}/sbin/syslog-ng`)
export const noSyslogNg = 'no syslog-ng here (unpacked by src/build/deps.sh test)'

/** A syslog-ng with one source; it writes a line for each message: the values of `macros`, with `|` between them. */
export class SyslogNg {
  readonly #directory: string
  readonly #received: string
  #child: ChildProcess | undefined

  /** `source` is a driver of syslog-ng's configuration. */
  constructor(directory: string, source: string, macros: readonly string[]) {
    this.#directory = join(directory, 'syslog-ng')
    this.#received = join(this.#directory, 'received')
    mkdirSync(this.#directory, { recursive: true })
    writeFileSync(
      join(this.#directory, 'conf'),
      `@version: 3.38
options { keep-hostname(yes); use-dns(no); };
source s { ${source}; };
destination d { file("${this.#received}" template("${macros.map((macro) => `$\{${macro}}`).join('|')}\\n")); };
log { source(s); destination(d); };
`,
    )
  }

  /** It listens some time later. */
  start(): void {
    const [conf, persist, control, pid] = ['conf', 'persist', 'control', 'pid'].map((name) =>
      join(this.#directory, name),
    ) as [string, string, string, string]
    const libraries = `${unpackedSyslogNg}/lib/syslog-ng`
    const args = ['-F', '-f', conf, '-R', persist, '-c', control, '-p', pid, '--no-caps']
    args.push('--module-path', `${libraries}/3.38`)
    const env = { LD_LIBRARY_PATH: libraries }
    this.#child = spawn(`${unpackedSyslogNg}/sbin/syslog-ng`, args, { stdio: 'ignore', env })
  }

  lines(): string[] {
    return existsSync(this.#received) ? readFileSync(this.#received, 'utf8').split('\n').slice(0, -1) : []
  }

  kill(): void {
    this.#child?.kill('SIGKILL')
  }
}

export class Rsyslog {
  readonly output: string
  readonly #directory: string
  readonly #transport: Transport
  readonly port: number
  #child: ChildProcess | undefined

  constructor(
    directory: string,
    transport: Transport,
    port: number,
    tls?: { ca: string; certificate: string; key: string },
  ) {
    this.#directory = join(directory, 'rsyslog')
    this.#transport = transport
    this.port = port
    this.output = join(this.#directory, 'received')
    mkdirSync(this.#directory, { recursive: true })
    const module = transport === 'udp' ? 'imudp' : 'imtcp'
    const secure = ' StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"'
    const files =
      tls === undefined
        ? ''
        : ` DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="${tls.ca}"` +
          ` DefaultNetstreamDriverCertFile="${tls.certificate}" DefaultNetstreamDriverKeyFile="${tls.key}"`
    writeFileSync(
      join(this.#directory, 'conf'),
      `global(workDirectory="${this.#directory}" maxMessageSize="64k"${files})
module(load="${module}"${tls === undefined ? '' : secure})
input(type="${module}" port="${port}" address="127.0.0.1")
template(name="fields" type="string" string="${recordFormat}\\n")
action(type="omfile" file="${this.output}" template="fields")
`,
    )
  }

  async start(): Promise<void> {
    const args = ['-n', '-f', join(this.#directory, 'conf'), '-i', join(this.#directory, 'pid')]
    this.#child = spawn('rsyslogd', args, { stdio: ['ignore', 'inherit', 'inherit'] })
    for (let tries = 0; tries < 100; tries++) {
      if (isBound(this.#transport, this.port)) return
      await pause(50)
    }
    throw new Error('rsyslogd did not bind its port')
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }

  lines(): string[] {
    return existsSync(this.output) ? readFileSync(this.output, 'utf8').split('\n').slice(0, -1) : []
  }

  /** The messages' texts. */
  texts(): string[] {
    return this.lines().map((line) => line.slice(line.lastIndexOf('|') + 1))
  }
}

export function isBound(transport: Transport, port: number): boolean {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const table = readFileSync(`/proc/net/${transport === 'udp' ? 'udp' : 'tcp'}`, 'latin1')
  return new RegExp(`: 0100007F:${hex} 00000000:0000 ${transport === 'udp' ? '07' : '0A'}`).test(table)
}

/** A UDP receiver in the test. */
export async function datagramReceiver(
  port = 0,
): Promise<{ port: number; datagrams: Buffer[]; close(): Promise<void> }> {
  const datagrams: Buffer[] = []
  const socket = createSocket('udp4')
  socket.on('message', (bytes) => datagrams.push(bytes))
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve))
  return {
    port: socket.address().port,
    datagrams,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}
