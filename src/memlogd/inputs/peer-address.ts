/**
 * The address of a datagram's sender: a `struct sockaddr` as the kernel gives it, turned into `1.2.3.4:514` or
 * `[2001:db8::1]:514`. An IPv4 address that came in over IPv6 is shown as IPv4.
 */

// Values of Linux, the same on every CPU.
const familyInet = 2
const familyInet6 = 10
const inetBytes = 8
const inet6Bytes = 24

/** The address in bytes[start,end), or '' if there is none that means anything to people. */
export function peerAddress(bytes: Buffer, start: number, end: number): string {
  if (end - start < inetBytes) return ''
  const family = bytes.readUInt16LE(start)
  const port = bytes.readUInt16BE(start + 2)
  if (family === familyInet) return `${dotted(bytes, start + 4)}:${port}`
  if (family !== familyInet6 || end - start < inet6Bytes) return ''
  const at = start + 8
  return isMapped(bytes, at) ? `${dotted(bytes, at + 12)}:${port}` : `[${groups(bytes, at)}]:${port}`
}

function dotted(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

/** Whether the address is ::ffff:a.b.c.d. */
function isMapped(bytes: Buffer, at: number): boolean {
  for (let offset = 0; offset < 10; offset++) if (bytes[at + offset] !== 0) return false
  return bytes.readUInt16BE(at + 10) === 0xffff
}

/** RFC 5952: lower-case groups, the first of the longest runs of two or more zero groups as `::`. */
function groups(bytes: Buffer, at: number): string {
  const values: number[] = []
  for (let group = 0; group < 8; group++) values.push(bytes.readUInt16BE(at + 2 * group))
  let bestStart = 0
  let bestLength = 1
  for (let from = 0; from < 8; from++) {
    let length = 0
    while (from + length < 8 && values[from + length] === 0) length++
    if (length > bestLength) {
      bestStart = from
      bestLength = length
    }
  }
  const text = (part: number[]) => part.map((value) => value.toString(16)).join(':')
  if (bestLength < 2) return text(values)
  return `${text(values.slice(0, bestStart))}::${text(values.slice(bestStart + bestLength))}`
}
