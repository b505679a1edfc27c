/** Run as a program: finds the smallest memory, to 8 MB, with which each test machine still passes every case. */
import { join } from 'node:path'
import { executableFile } from '../../src/build/build.ts'
import { type Cpu, projectLayout } from '../../src/build/project.ts'
import { guestCases } from './cases.ts'
import { debianFiles, kernelIn } from './debian.ts'
import { boot } from './machine.ts'
import { buildFor, machines, writeInitramfs } from './test-machine.ts'

const stepMegabytes = 8
const smallest = 64
const largest = 768
const bootMsMax = 120_000

const layout = projectLayout(new URL('../..', import.meta.url).pathname)

async function passes(cpu: Cpu, kernel: string, initramfs: string, memoryMegabytes: number): Promise<boolean> {
  const result = await boot({ cpu, kernel, initramfs, memoryMegabytes, timeoutMs: bootMsMax })
  const passed = result.console.match(/^result \d+ ok$/gm)?.length ?? 0
  const isGood = result.failure === undefined && passed === guestCases.length
  const short = isGood ? 'passes' : `fails: ${passed} of ${guestCases.length}, ${result.failure ?? 'ended by itself'}`
  console.log(`  ${memoryMegabytes} MB ${short} (${result.seconds.toFixed(0)} s)`)
  return isGood
}

for (const { cpu, kernelPackage } of machines) {
  const kind = (await buildFor(layout, cpu)) ? 'static' : 'dynamic, with its libraries'
  const kernel = kernelIn(debianFiles(layout.cache, { name: kernelPackage, architecture: cpu }))
  console.log(`${cpu}, kernel ${kernel.version}, ${kind}:`)
  const initramfs = join(layout.cache, 'qemu', `${cpu}.cpio.zst`)
  writeInitramfs(layout, cpu, executableFile(layout, cpu), initramfs)
  let [fails, good] = [smallest - stepMegabytes, largest]
  while (good - fails > stepMegabytes) {
    const middle = fails + Math.floor((good - fails) / 2 / stepMegabytes) * stepMegabytes
    if (await passes(cpu, kernel.file, initramfs, middle)) good = middle
    else fails = middle
  }
  console.log(`${cpu}, kernel ${kernel.version}, ${kind}: ${good} MB`)
}
