/** The machine's world, but faster: for tests with real sockets and processes, whose waits would take minutes. */
import { systemWorld, type World } from '../../../src/system/world.ts'

/** `random` is a number from 0 to 1 that decides every wait's jitter. */
export function fastWorld(haste: number, random: () => number = () => 0.5): World {
  return {
    now: systemWorld.now,
    monotonicMs: () => systemWorld.monotonicMs() * haste,
    bootMs: systemWorld.bootMs,
    after: (ms, call) => systemWorld.after(ms / haste, call),
    soon: systemWorld.soon,
    random(count) {
      const bytes = Buffer.alloc(count)
      for (let at = 0; at + 4 <= count; at += 4) bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at)
      return bytes
    },
  }
}
