import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { executableFile } from '../../src/build/build.ts'
import { projectLayout } from '../../src/build/project.ts'
import { guestCases } from './cases.ts'
import { debianFiles, kernelIn } from './debian.ts'
import { type BootResult, boot } from './machine.ts'
import { buildFor, machines, type TestMachine, writeInitramfs } from './test-machine.ts'
import { Unavailable } from './unavailable.ts'

// Machines of both CPUs are booted from the image's root with an init that does what LinuxKit's does. Each case
// is a line on the console. What is missing here (QEMU, a kernel) skips a machine, with the reason.

const layout = projectLayout(new URL('../..', import.meta.url).pathname)
/** A root of that size takes at most half of the memory: the official Node's 110 MB and its libraries need more. */
const memoryMegabytesStatic = 256
const memoryMegabytesDynamic = 512
/** All machines together end within ten minutes, whatever hangs. */
const bootMsMax = 190_000

async function bootMachine({ cpu, kernelPackage }: TestMachine): Promise<BootResult> {
  const kernel = kernelIn(debianFiles(layout.cache, { name: kernelPackage, architecture: cpu }))
  const isStatic = await buildFor(layout, cpu)
  const memoryMegabytes = isStatic ? memoryMegabytesStatic : memoryMegabytesDynamic
  const initramfs = join(layout.cache, 'qemu', `${cpu}.cpio.zst`)
  writeInitramfs(layout, cpu, executableFile(layout, cpu), initramfs)
  const result = await boot({ cpu, kernel: kernel.file, initramfs, memoryMegabytes, timeoutMs: bootMsMax })
  writeFileSync(join(layout.cache, 'qemu', `${kernelPackage}.console`), result.console)
  console.log(
    [
      `${cpu}, kernel ${kernel.version}, ${isStatic ? 'static' : 'dynamic, with its libraries'}, ` +
        `${memoryMegabytes} MB: ${result.seconds.toFixed(1)} s`,
      ...result.console.split('\n').filter((line) => line.startsWith('info ')),
    ].join('\n'),
  )
  return result
}

describe.each(machines)('$cpu with $kernelPackage', (machine) => {
  let result: BootResult | undefined
  let unavailable = ''
  beforeAll(async () => {
    try {
      result = await bootMachine(machine)
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      unavailable = error.message
    }
  })

  test('boots, and ends by itself', (context) => {
    if (result === undefined) context.skip(unavailable)
    expect(result?.failure, result?.console).toBeUndefined()
  })

  for (const [index, { name }] of guestCases.entries()) {
    test(`${index + 1}: ${name}`, (context) => {
      if (result === undefined) context.skip(unavailable)
      const line = new RegExp(`^result ${index + 1} (.*)$`, 'm').exec(result?.console ?? '')
      expect(line?.[1], caseOutput(result?.console ?? '', index + 1)).toBe('ok')
    })
  }
})

/** What the console shows between the results of the case before and this one. */
function caseOutput(console: string, number: number): string {
  const lines = console.split('\n')
  const from = lines.findIndex((line) => line.startsWith(`result ${number - 1} `))
  const to = lines.findIndex((line) => line.startsWith(`result ${number} `))
  return to < 0 ? 'the machine did not come so far' : lines.slice(from + 1, to).join('\n')
}
