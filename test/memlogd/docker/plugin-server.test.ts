import { once } from 'node:events'
import { type IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, createConnection } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { type HttpOptions, httpServer } from '../../../src/memlogd/docker/plugin-server.ts'

let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** Resolves with the port. */
async function start(handle: HttpOptions['handle']): Promise<number> {
  server = httpServer({ bodyBytesMax: 100, connectionsMax: 4, handle }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function send(port: number, method: string, path: string, body = ''): Promise<{ status: number; text: string }> {
  const call = request({ port, method, path, host: '127.0.0.1' })
  call.on('error', () => undefined)
  call.end(body)
  const [answer] = (await once(call, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of answer) text += chunk
  return { status: answer.statusCode ?? 0, text }
}

it('passes on path and body, and answers', async () => {
  const port = await start((path, body, reply) => reply.json(200, { path, body: body.toString() }))
  const { status, text } = await send(port, 'POST', '/Plugin.Activate', 'x=1')
  expect(status).toBe(200)
  expect(JSON.parse(text)).toEqual({ path: '/Plugin.Activate', body: 'x=1' })
})

it('refuses other methods and long bodies', async () => {
  const port = await start((_path, _body, reply) => reply.json(200, {}))
  expect((await send(port, 'GET', '/')).status).toBe(405)
  expect((await send(port, 'POST', '/', 'x'.repeat(100))).status).toBe(200)
  expect((await send(port, 'POST', '/', 'x'.repeat(101))).status).toBe(413)
})

it('streams, one write after the other, until the client is gone', async () => {
  let isClosed = false
  let writes = 0
  const port = await start((_path, _body, reply) => {
    const out = reply.stream(() => {
      isClosed = true
    })
    const next = (): void => {
      writes++
      out.write(Buffer.alloc(1024, 0x78), next)
    }
    next()
  })
  const call = request({ port, method: 'POST', path: '/', host: '127.0.0.1' })
  call.on('error', () => undefined)
  call.end()
  const [answer] = (await once(call, 'response')) as [IncomingMessage]
  answer.on('error', () => undefined)
  await once(answer, 'data')
  call.destroy()
  await expect.poll(() => isClosed).toBe(true)
  const written = writes
  server?.close()
  await once(server as Server, 'close')
  expect(writes).toBe(written)
})

it('survives clients that speak no HTTP, or leave in the middle', async () => {
  const port = await start((_path, _body, reply) => reply.json(200, {}))
  for (const text of ['\0\x01\xff\n\n', 'POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\nhalf', 'GET']) {
    const socket = createConnection(port, '127.0.0.1')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    await new Promise((written) => socket.write(text, written))
    socket.destroy()
  }
  expect((await send(port, 'POST', '/')).status).toBe(200)
})
