import { expect, test } from 'vitest'
import { OtlpFormat } from '../../../../src/logread/ship/http/otlp.ts'
import { encodeFields } from '../../../../src/protocol/fields.ts'
import { gap, line } from '../entries.ts'
import { decodeOtlpRequest } from './otlp-request.ts'

// The requests in protobuf say the same as those in JSON, which another test checks by the published schema.

test('requests in protobuf say what those in JSON say', () => {
  const bytes = Buffer.concat([
    line(1, 'kernel', 'plain'),
    line(2, 'a "b"', 'quote " nul \0 é 😀', { priority: 8 * 3 + 2 }),
    line(2 ** 40, 'kernel', Buffer.from([0xff, 0xc3, 0x28]), { cutBytes: 300, priority: 0 }),
    line(4, 'x', '', {
      fields: encodeFields([
        ['pid', '1'],
        ['memlogd.sequence', 'forged'],
      ]),
    }),
    line(5, 'x', 'long '.repeat(100)),
    gap(6, 7),
  ])
  const attributes = new Map([['host.name', 'vm']])
  const json = new OtlpFormat(attributes, 'json')
  const protobuf = new OtlpFormat(attributes, 'protobuf')
  expect(protobuf.contentType).toBe('application/x-protobuf')
  expect(decodeOtlpRequest(protobuf.encode(bytes, 0, bytes.length))).toEqual(
    JSON.parse(json.encode(bytes, 0, bytes.length).toString()),
  )
})

const answerOf = (status: number, bytes: Buffer, contentType = 'application/x-protobuf') => ({
  status,
  statusText: '',
  retryAfter: undefined,
  contentType,
  bytes,
  body: bytes.toString(),
})

test('a receiver that refuses JSON is sent protobuf from then on', () => {
  for (const refusal of [
    answerOf(415, Buffer.from('no')),
    answerOf(
      400,
      Buffer.from("json encoding isn't supported for opentelemetry format. Use protobuf encoding"),
      'text/plain',
    ),
  ]) {
    const format = new OtlpFormat(new Map())
    expect(format.contentType).toBe('application/json')
    expect(format.judge(refusal)).toEqual({ kind: 'again' })
    expect(format.contentType).toBe('application/x-protobuf')
    expect(format.judge(refusal).kind).toBe('refused')
    expect(new OtlpFormat(new Map(), 'json').judge(refusal).kind).toBe('refused')
  }
})

test('answers in protobuf: partial success, and the message of a status', () => {
  const format = new OtlpFormat(new Map(), 'protobuf')
  expect(format.judge(answerOf(200, Buffer.alloc(0)))).toEqual({ kind: 'accepted', refused: 0, message: '' })
  const partial = Buffer.from('\x0a\x0b\x08\x02\x12\x07too old', 'latin1')
  expect(format.judge(answerOf(200, partial))).toEqual({ kind: 'accepted', refused: 2, message: 'too old' })
  const status = Buffer.from('\x08\x03\x12\x03bad', 'latin1')
  expect(format.judge(answerOf(400, status))).toMatchObject({ kind: 'refused', message: 'answered 400: "bad"' })
  expect(format.judge(answerOf(503, Buffer.from('\x12\x7f', 'latin1')))).toMatchObject({ kind: 'later' })
})
