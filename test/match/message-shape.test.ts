import { describe, expect, it } from 'vitest'
import { writeShape } from '../../src/match/message-shape.ts'

function shapeOf(text: string): string {
  const bytes = Buffer.from(text)
  const shape = Buffer.alloc(bytes.length)
  return shape.toString('utf8', 0, writeShape(shape, 0, bytes, 0, bytes.length))
}

describe('the shape of a message', () => {
  it.each([
    ['', ''],
    ['nothing to take out, but words: face, decade', 'nothing to take out, but words: face, decade'],
    ['took 12 ms', 'took # ms'],
    ['took 1.25ms, 1,000 of 7.', 'took #ms, # of #.'],
    ['eth0 veth12ab', 'eth# veth#ab'],
    ['at 0xdeadBEEF0 and 0x', 'at # and #x'],
    ['commit a3f09c, e2', 'commit #, #'],
    ['id 3e1c0b1e-abcd-4fed-9bad-0123456789ab.', 'id #.'],
    ['from 10.0.0.7:443 to [fe80::1ff:abcd]:80', 'from # to [#]#'],
    ['mac 02:42:ac:11:00:02 at 12:03:04.123', 'mac # at #'],
    ['std::deque, a::b', 'std::deque, a::b'],
    ['::1 ::, ab,cd,fe80::1 ab:g1:2 1a,2b,3:4', '# ::, # ab:g#:# #'],
    ['größe 5é 7', 'größe #é #'],
  ])('%j is %j', (text, shape) => expect(shapeOf(text)).toBe(shape))

  it.each(['::', 'ab,', 'ab:', '1a,'])('of %j without end needs a bounded number of looks at each byte', (piece) => {
    const length = 65_536
    const bytes = Buffer.from(piece.repeat(length / piece.length))
    let looks = 0
    const counted = new Proxy(bytes, {
      get(target, key) {
        if (++looks > 16 * length) throw new Error('too many looks')
        return Reflect.get(target, key)
      },
    })
    const shape = Buffer.alloc(bytes.length)
    expect(writeShape(shape, 0, counted, 0, bytes.length)).toBeGreaterThan(0)
  })

  it('keeps apart what differs in more', () => {
    expect(shapeOf('GET /a 200')).not.toBe(shapeOf('GET /b 200'))
    expect(shapeOf('1 error')).not.toBe(shapeOf('error'))
  })
})
