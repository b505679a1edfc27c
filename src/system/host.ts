/** What this machine is called, and which boot of it this is. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

const bootIdPath = '/proc/sys/kernel/random/boot_id'

export function hostName(): string {
  return hostname()
}

/** 32 hex digits, or undefined where the kernel has none. */
export function bootId(): string | undefined {
  try {
    const id = readFileSync(bootIdPath, 'latin1').replace(/[^0-9a-f]/g, '')
    return id.length === 32 ? id : undefined
  } catch {
    return undefined
  }
}
