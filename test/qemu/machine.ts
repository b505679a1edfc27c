/** Boots a machine under QEMU (TCG: no KVM is needed) and reads its console until it ends. */
import { spawn } from 'node:child_process'
import { findTool } from '../../src/build/tool.ts'
import { Unavailable } from './unavailable.ts'

export interface Machine {
  readonly cpu: 'amd64' | 'arm64'
  readonly kernel: string
  readonly initramfs: string
  readonly memoryMegabytes: number
  readonly timeoutMs: number
}

export interface BootResult {
  readonly console: string
  readonly seconds: number
  /** Why the machine did not end by itself; undefined when it did. */
  readonly failure: string | undefined
}

const consoleBytesMax = 4 * 1024 * 1024
/** Of a machine whose clock has no battery: it is set by a case. */
const wrongClock = '2001-01-01T00:00:00'
const parameters = 'quiet panic=-1 rdinit=/init'

function command({ cpu, kernel, initramfs, memoryMegabytes }: Machine): [string, string[]] {
  const common = ['-accel', 'tcg,thread=multi', '-smp', '2', '-m', String(memoryMegabytes), '-no-reboot', '-nodefaults']
  const clock = ['-rtc', `base=${wrongClock}`]
  const io = [...clock, '-display', 'none', '-serial', 'stdio', '-kernel', kernel, '-initrd', initramfs]
  if (cpu === 'amd64') {
    return ['qemu-system-x86_64', [...common, '-cpu', 'max', ...io, '-append', `console=ttyS0 ${parameters}`]]
  }
  const machine = ['-machine', 'virt', '-cpu', 'cortex-a72']
  return ['qemu-system-aarch64', [...machine, ...common, ...io, '-append', `console=ttyAMA0 ${parameters}`]]
}

export async function boot(machine: Machine): Promise<BootResult> {
  const [program, args] = command(machine)
  if (findTool(program) === undefined) throw new Unavailable(`there is no ${program} here`)
  const started = Date.now()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: false })
  let text = ''
  let failure: string | undefined
  const stop = (reason: string): void => {
    failure ??= reason
    child.kill('SIGKILL')
  }
  const timer = setTimeout(() => stop(`it did not end within ${machine.timeoutMs / 1000} s`), machine.timeoutMs)
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('latin1')
    stream.on('data', (chunk: string) => {
      text += chunk
      if (text.length > consoleBytesMax) stop('it printed without end')
    })
  }
  const status = await new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null))
    child.on('close', resolve)
  })
  clearTimeout(timer)
  if (status !== 0) failure ??= `qemu ended with status ${status}`
  if (!text.includes('machine-ends')) failure ??= 'it stopped before its tests had ended'
  return { console: text.replaceAll('\r', ''), seconds: (Date.now() - started) / 1000, failure }
}
