import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { controlMessageBytes } from '../../../src/protocol/constants.ts'

const modulePath = fileURLToPath(new URL('../../../src/memlogd/engine/control-stream.ts', import.meta.url))
const messages = 20_000

it('sends more control messages than the stream has room for, each of them whole', async () => {
  const program = `
    const { ControlStream } = await import(${JSON.stringify(modulePath)})
    const control = new ControlStream(3, () => {}, () => process.exit(0))
    for (let n = 1; n <= ${messages}; n++) control.send(4, n, 5, Buffer.from('about'))
    process.exit(0)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
  })
  let faults = ''
  child.stderr?.on('data', (bytes: Buffer) => {
    faults += bytes.toString()
  })
  const stream = child.stdio[3]
  const chunks: Buffer[] = []
  // The stream is full by then.
  setTimeout(() => stream?.on('data', (bytes: Buffer) => chunks.push(bytes)), 500)
  const status = await new Promise((resolve) => child.on('close', resolve))
  expect(faults).toBe('')
  expect(status).toBe(0)
  const all = Buffer.concat(chunks)
  const size = controlMessageBytes + 5
  expect(all.length).toBe(messages * size)
  for (let n = 1; n <= messages; n++) expect(all.readUInt32LE((n - 1) * size + 4)).toBe(n)
})
