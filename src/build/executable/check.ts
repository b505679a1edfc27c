/** What every built executable must do before the build calls it done. */
import { readFileSync } from 'node:fs'
import { applets, BuildError, type Cpu, cpuNames, hostCpu } from '../project.ts'
import { commandToRun, type ToolResult, tryTool } from '../tool.ts'
import { isStatic, parseElf } from './elf.ts'
import { graftedBlob } from './graft.ts'

const answerMsMax = 60_000

/** Returns what could not be checked, as a sentence; undefined when everything was. */
export function checkExecutable(file: string, cpu: Cpu, version: string): string | undefined {
  checkFile(file, cpu)
  const runner = findRunner(file, cpu)
  if (typeof runner === 'string') return runner
  const native = answer(runner, ['memlogd-native'], 'memlogd-native')
  if (!/^memlogd native \d+ /.test(native)) {
    throw new BuildError('check-native', `${file}: the native half answers ${JSON.stringify(native)}`)
  }
  // memlogd and logwrite execute their own file again, which the kernel can't do for an emulated one.
  const isEmulated = cpu !== hostCpu()
  for (const applet of isEmulated ? (['logread'] as const) : applets) {
    const said = answer(runner, [applet, '--version'], applet)
    if (!said.includes(version)) {
      throw new BuildError(
        'check-applet',
        `${file}: ${applet} --version answers ${JSON.stringify(said)}, not ${version}`,
      )
    }
  }
  return isEmulated ? 'checked under emulation, but for the start of memlogd and logwrite' : undefined
}

function checkFile(file: string, cpu: Cpu): void {
  const bytes = readFileSync(file)
  if (graftedBlob(bytes) === undefined) throw new BuildError('check-graft', `${file} does not begin in the native half`)
  const elf = parseElf(bytes)
  if (elf.machine !== cpuNames[cpu].elfMachine) throw new BuildError('check-machine', `${file} is not for ${cpu}`)
  // readelf ends with 0 whatever it finds; its complaints are on standard error.
  const { status, stdout, stderr } = tryTool('readelf', ['-hlW', file], { env: { ...process.env, LC_ALL: 'C' } })
  if (status !== 0 || stderr !== '' || /warning|error/i.test(stdout)) {
    throw new BuildError('check-readelf', `readelf complains of ${file}:\n${stdout}${stderr}`)
  }
}

type Runner = (args: readonly string[], argv0: string) => ToolResult

/** How a file of this CPU is run here, or why it can't be. */
function findRunner(file: string, cpu: Cpu): Runner | string {
  const isFileStatic = isStatic(parseElf(readFileSync(file)))
  const reason = commandToRun(file, cpu, isFileStatic, '')
  if (typeof reason === 'string') return `not run: ${reason}`
  return (args, argv0) => {
    const [command = file, ...before] = commandToRun(file, cpu, isFileStatic, argv0)
    return tryTool(command, [...before, ...args.slice(1)], { argv0, timeoutMs: answerMsMax })
  }
}

function answer(runner: Runner, args: readonly string[], argv0: string): string {
  const result = runner(args, argv0)
  if (result.status !== 0) {
    const ended = result.failure ?? `exit status ${result.status}`
    throw new BuildError('check-answer', `${args.join(' ')}: ${ended}\n${result.stdout}${result.stderr}`)
  }
  return result.stdout.trim()
}
