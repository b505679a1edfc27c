import type { Ring } from '../../src/ring/ring.ts'

/** Throws where the ring contradicts itself. */
export function checkRing(ring: Ring): void {
  const check = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(`ring invariant: ${what}`)
  }
  check(ring.lines <= ring.maxLines, 'lines <= maxLines')
  check(ring.bytes + ring.indexBytes <= ring.maxBytes, 'bytes + index <= maxBytes')
  check(ring.room >= 0 && ring.room <= ring.stagingBytes, '0 <= room <= staging')
  check(ring.committedSequence <= ring.nextSequence, 'committed <= next')
  check(
    ring.positionOf(ring.nextSequence) - ring.committedPosition === ring.stagingBytes - ring.room,
    'staged = head - committed',
  )
  const tailPosition = ring.positionOf(ring.nextSequence) - ring.bytes
  check(ring.positionOf(ring.tailSequence) === tailPosition, 'tail position')
  check(ring.regionBytes >= ring.stagingBytes, 'region >= staging')
}
