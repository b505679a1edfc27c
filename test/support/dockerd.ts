/** A dockerd of its own for a test: no network, everything in a temporary directory, one image made of busybox. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeBusyboxRoot, missingTool } from './busybox-root.ts'
import { type Ran, run } from './daemon.ts'
import { eventually } from './wait.ts'

/** Where dockerd looks for plugins; the directory can't be chosen. */
export const pluginDirectory = '/run/docker/plugins'
/** Where it makes a plugin's FIFOs. A dockerd that is killed, or refused by the plugin, leaves them behind. */
const fifoDirectory = '/run/docker/logging'
export const image = 'busybox-of-a-test'

export class Dockerd {
  readonly directory: string
  #process: ChildProcess
  #log = ''
  readonly #fifosBefore = fifos()

  private constructor(directory: string) {
    this.directory = directory
    this.#process = this.#spawn()
  }

  /** Why dockerd can't run here, or a running one. */
  static async start(): Promise<Dockerd | string> {
    const missing = missingTool(['dockerd', 'docker', 'busybox'], 'docker.io, busybox-static')
    if (missing !== undefined) return missing
    const dockerd = new Dockerd(mkdtempSync(join(tmpdir(), 'dockerd-')))
    try {
      await dockerd.isUp()
      dockerd.#importImage()
      const ran = dockerd.docker('run', '--rm', '--network', 'none', image, '/bin/true')
      if (ran.status !== 0) throw new Error(`no container runs: ${ran.stderr.trim()}`)
      return dockerd
    } catch (error) {
      await dockerd.stop()
      return `dockerd does not run here: ${error instanceof Error ? error.message : error}`
    }
  }

  docker(...args: string[]): Ran {
    return run('docker', ['-H', `unix://${this.directory}/docker.sock`, ...args], { timeout: 40_000 })
  }

  /** The same, to be waited for. */
  dockerLater(...args: string[]): Promise<Ran> {
    return this.dockerStart(...args).end
  }

  /** The same; its output so far is in `ran`. */
  dockerStart(...args: string[]): { ran: Ran; end: Promise<Ran> } {
    const child = spawn('docker', ['-H', `unix://${this.directory}/docker.sock`, ...args])
    const ran: Ran = { status: null, signal: null, stdout: '', stderr: '' }
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      ran.stdout += text
    })
    child.stderr.setEncoding('latin1').on('data', (text: string) => {
      ran.stderr += text
    })
    const end = new Promise<Ran>((resolve) => {
      child.on('close', (status, signal) => resolve({ ...ran, status, signal }))
    })
    return { ran, end }
  }

  async isUp(): Promise<void> {
    await eventually('dockerd answers', () => {
      if (this.#process.exitCode !== null) throw new Error(this.#log.trim().split('\n').slice(-1).join(''))
      const host = `unix://${this.directory}/docker.sock`
      return run('docker', ['-H', host, 'version'], { timeout: 3000 }).status === 0
    })
  }

  async restart(signal: NodeJS.Signals): Promise<void> {
    await this.#end(signal)
    this.#process = this.#spawn()
    await this.isUp()
  }

  async stop(): Promise<void> {
    const left = this.docker('ps', '-aq')
      .stdout.split('\n')
      .filter((id) => id !== '')
    if (left.length > 0) this.docker('rm', '-f', ...left)
    await this.#end('SIGTERM')
    // What dockerd mounted is gone with it, unless it was killed.
    spawnSync('sh', ['-c', `grep -o ' ${this.directory}[^ ]*' /proc/mounts | xargs -r umount -l`])
    for (const fifo of fifos())
      if (!this.#fifosBefore.includes(fifo)) rmSync(join(fifoDirectory, fifo), { force: true })
    rmSync(this.directory, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const dockerd = this.#process
    if (dockerd.exitCode === null && dockerd.signalCode === null) {
      const ended = new Promise((resolve) => dockerd.once('exit', resolve))
      dockerd.kill(signal)
      await ended
    }
    // A dockerd that was killed has left its containerd behind, which the next one would not get on with.
    const containerd = join(this.directory, 'exec/containerd/containerd.pid')
    if (!existsSync(containerd)) return
    endProcess(Number(readFileSync(containerd, 'utf8')), signal)
    for (const file of [containerd, join(this.directory, 'dockerd.pid')]) rmSync(file, { force: true })
  }

  #spawn(): ChildProcess {
    const at = (name: string) => join(this.directory, name)
    const places = ['--data-root', at('data'), '--exec-root', at('exec'), '-p', at('dockerd.pid')]
    const args = ['--iptables=false', '--bridge=none', ...places, '-H', `unix://${at('docker.sock')}`]
    const dockerd = spawn('dockerd', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    dockerd.on('error', () => {})
    dockerd.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-4096)
    })
    return dockerd
  }

  #importImage(): void {
    const root = join(this.directory, 'rootfs')
    makeBusyboxRoot(root)
    const host = `unix://${this.directory}/docker.sock`
    const ran = run('sh', ['-c', `tar -C ${root} -c . | docker -H ${host} import - ${image}`])
    if (ran.status !== 0) throw new Error(`docker import: ${ran.stderr.trim()}`)
  }
}

function fifos(): string[] {
  return existsSync(fifoDirectory) ? readdirSync(fifoDirectory) : []
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It is gone already, which is what was wanted.
  }
}
