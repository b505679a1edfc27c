import { describe, expect, it } from 'vitest'
import { requestBytesMax } from '../../src/protocol/constants.ts'
import {
  encodeHeader,
  encodeRequest,
  globBytesMax,
  type ParsedRequest,
  parseHeader,
  parseRequest,
  type QueryRequest,
  RequestReader,
  requestSourcesMax,
  targetNameBytesMax,
} from '../../src/protocol/query.ts'

const ring = '0123456789abcdef0123456789abcdef'
const everything: QueryRequest = {
  tail: 10,
  cursor: { ring, sequence: 4711 },
  since: { seconds: 1492270657, nanos: 123 },
  until: { seconds: 1492270658, nanos: 0 },
  sources: ['rngd*', '!*.stdout', 'gefäß'],
  priority: [0, 3],
  limit: 5,
  stats: false,
  target: 'dir:/var/log/gefäß',
}

/** Pushes in chunks of `size` bytes from one buffer that is reused, as a socket would. */
function inChunks(bytes: Buffer, size: number): ParsedRequest | undefined {
  const reader = new RequestReader()
  const reused = Buffer.alloc(size)
  let result: ParsedRequest | undefined
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(reused, 0, at, at + size)
    result = reader.push(reused.subarray(0, length))
  }
  return result
}

function parse(json: string, mode = 0): ParsedRequest {
  return parseRequest(mode, Buffer.from(json))
}

describe('a request', () => {
  it('arrives whole at every chunk size', () => {
    const bytes = encodeRequest(2, everything)
    for (let size = 2; size <= bytes.length; size++) {
      expect(inChunks(bytes, size)).toEqual({ kind: 'extended', mode: 2, request: everything })
    }
  })

  it('is plain if the mode byte comes alone, whatever follows later', () => {
    expect(inChunks(encodeRequest(1, everything), 1)).toEqual({ kind: 'plain', mode: 1 })
    for (const mode of [0, 1, 2]) expect(inChunks(Buffer.of(mode), 1)).toEqual({ kind: 'plain', mode })
  })

  it('may ask for nothing', () => {
    expect(inChunks(encodeRequest(0, {}), 4)).toEqual({ kind: 'extended', mode: 0, request: {} })
  })

  it('is not complete before its newline', () => {
    const bytes = encodeRequest(0, everything)
    const reader = new RequestReader()
    expect(reader.push(Buffer.alloc(0))).toBeUndefined()
    expect(reader.push(bytes.subarray(0, -1))).toBeUndefined()
    expect(reader.push(bytes.subarray(-1))).toMatchObject({ kind: 'extended' })
    expect(reader.push(Buffer.of(9))).toMatchObject({ kind: 'extended' })
  })

  it('has bounds', () => {
    const fits = Buffer.alloc(requestBytesMax + 1, ' ')
    fits[0] = 0
    fits[1] = 0x7b
    fits[requestBytesMax - 1] = 0x7d
    fits[requestBytesMax] = 0x0a
    const tooLong = Buffer.concat([fits.subarray(0, requestBytesMax), Buffer.from(' \n')])
    for (const size of [2, 3, 4096, fits.length + 1]) {
      expect(inChunks(fits, size)).toEqual({ kind: 'extended', mode: 0, request: {} })
      expect(inChunks(tooLong, size)).toMatchObject({ kind: 'fault' })
    }
  })

  it.each([
    ['mode 3', Buffer.of(3)],
    ['mode 255', Buffer.of(255, 0x7b)],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a newline after the mode', Buffer.from('\0\n')],
    ['no JSON', Buffer.from('\0{]\n')],
    ['two lines in one', Buffer.from('\0{"tail":1}{"tail":2}\n')],
  ])('is refused: %s', (_name, bytes) => {
    for (let size = 2; size <= bytes.length + 1; size++) {
      expect(inChunks(bytes, size)).toMatchObject({ kind: 'fault', reason: expect.any(String) })
    }
  })

  it.each([
    '[]',
    'null',
    '1',
    '{"tail":-1}',
    '{"tail":1.5}',
    '{"tail":"1"}',
    '{"tail":null}',
    '{"limit":0}',
    '{"limit":1e300}',
    '{"cursor":5}',
    `{"cursor":{"ring":"${ring}"}}`,
    `{"cursor":{"ring":"${ring}0","sequence":1}}`,
    `{"cursor":{"ring":"${ring}","sequence":-1}}`,
    '{"since":5}',
    '{"since":"yesterday"}',
    '{"until":"-5"}',
    '{"sources":"rngd"}',
    '{"sources":[1]}',
    `{"sources":${JSON.stringify(Array(requestSourcesMax + 1).fill('a'))}}`,
    `{"sources":["${'x'.repeat(globBytesMax + 1)}"]}`,
    '{"priority":[0]}',
    '{"priority":[3,0]}',
    '{"priority":[0,8]}',
    '{"priority":{"0":0,"1":1,"length":2}}',
    '{"reverse":1}',
    '{"stats":"yes"}',
    '{"target":5}',
    '{"target":"a\\u001b[2J"}',
    `{"target":"${'x'.repeat(targetNameBytesMax + 1)}"}`,
  ])('names the key with the wrong value: %s', (json) => {
    expect(parse(json)).toMatchObject({ kind: 'fault', reason: expect.any(String) })
  })

  it('ignores keys that it does not know, inherited names too', () => {
    expect(parse('{"colour":"red","toString":1,"__proto__":{"tail":3}}')).toEqual({
      kind: 'extended',
      mode: 0,
      request: {},
    })
  })

  it('takes the newest first from a dump alone', () => {
    expect(parse('{"reverse":true}', 0)).toMatchObject({ request: { reverse: true } })
    expect(parse('{"reverse":true}', 2)).toMatchObject({ kind: 'fault' })
    expect(parse('{"reverse":false}', 2)).toMatchObject({ kind: 'extended' })
  })
})

describe('a reply header', () => {
  const header = { version: '0.1.0', pid: 123, ring, first: 1, next: 4711, applied: ['tail', 'sources'] }
  const line = (body: unknown) => parseHeader(Buffer.from(JSON.stringify(body)))

  it('goes there and back', () => {
    const bytes = encodeHeader(header)
    expect(bytes.toString()).toBe(
      `{"memlogd":1,"version":"0.1.0","pid":123,"ring":"${ring}","first":1,"next":4711,"applied":["tail","sources"]}\n`,
    )
    expect(parseHeader(bytes.subarray(0, -1))).toEqual(header)
    expect(parseHeader(encodeHeader({ ...header, error: 'too many readers' }))).toMatchObject({
      error: 'too many readers',
    })
  })

  it.each([
    '',
    '{"time":"2017-04-15T15:37:37Z","source":"memlogd","msg":"{\\"memlogd\\":1}"}',
    'something else',
    '[1]',
  ])("tells an upstream server's line: %s", (text) => {
    expect(parseHeader(Buffer.from(text))).toBe('plain')
  })

  it('must be of this version and whole', () => {
    expect(line({ ...header, memlogd: 2 })).toEqual({ fault: expect.stringContaining('version 2') })
    for (const key of Object.keys(header)) {
      expect(line({ memlogd: 1, ...header, [key]: undefined })).toEqual({ fault: expect.any(String) })
    }
    expect(line({ memlogd: 1, ...header, applied: [1] })).toEqual({ fault: expect.any(String) })
  })
})
