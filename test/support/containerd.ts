/** A containerd of its own for a test: everything in a temporary directory, one root made of busybox. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeBusyboxRoot, missingTool } from './busybox-root.ts'
import { type Ran, run } from './daemon.ts'
import { eventually } from './wait.ts'

export class Containerd {
  readonly directory = mkdtempSync(join(tmpdir(), 'containerd-'))
  readonly root = join(this.directory, 'rootfs')
  readonly #process: ChildProcess
  #log = ''

  private constructor() {
    makeBusyboxRoot(this.root)
    const at = (name: string) => join(this.directory, name)
    const config = [
      'version = 2',
      `root = "${at('root')}"`,
      `state = "${at('state')}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `[grpc]\n  address = "${at('containerd.sock')}"`,
    ]
    writeFileSync(at('config.toml'), `${config.join('\n')}\n`)
    this.#process = spawn('containerd', ['-c', at('config.toml')], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process.on('error', () => {})
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text
    })
  }

  /** Why containerd can't run here, or a running one. */
  static async start(): Promise<Containerd | string> {
    const missing = missingTool(['containerd', 'ctr', 'runc', 'busybox'], 'containerd, runc, busybox-static')
    if (missing !== undefined) return missing
    const containerd = new Containerd()
    try {
      await eventually('containerd answers', () => containerd.ctr('version').status === 0)
      const ran = containerd.ctr('run', '--rm', '--rootfs', containerd.root, 'first', '/bin/true')
      if (ran.status !== 0) throw new Error(`no container runs: ${ran.stderr.trim()}`)
      return containerd
    } catch (error) {
      await containerd.stop()
      return `containerd does not run here: ${error instanceof Error ? error.message : error}`
    }
  }

  ctr(...args: string[]): Ran {
    return run('ctr', ['-a', join(this.directory, 'containerd.sock'), ...args], { timeout: 40_000 })
  }

  /** What containerd has logged, its shims' messages included. */
  get log(): string {
    return this.#log
  }

  async stop(): Promise<void> {
    for (const id of this.ctr('tasks', 'list', '-q').stdout.split('\n').slice(0, -1)) {
      this.ctr('tasks', 'delete', '-f', id)
    }
    if (this.#process.exitCode === null) {
      const ended = new Promise((resolve) => this.#process.once('exit', resolve))
      this.#process.kill('SIGTERM')
      await ended
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}
