/** `HOST:PORT` to the bytes of the kernel's `struct sockaddr_in` and `sockaddr_in6` (Linux, little-endian CPU). */

const familyIpv4 = 2
const familyIpv6 = 10
const ipv4Bytes = 16
const ipv6Bytes = 28

/** The address in hex digits, or undefined if the text is none. Names are not looked up: at boot nobody answers. */
export function socketAddressHex(text: string): string | undefined {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)(?:%([0-9]{1,9}))?\]|([0-9.]*)):([0-9]{1,5})$/.exec(text)
  if (parts === null) return undefined
  const [, v6, scope, v4, portText] = parts
  const port = Number(portText)
  if (port < 1 || port > 65535) return undefined
  if (v6 !== undefined) return encodeIpv6(parseIpv6(v6), port, Number(scope ?? 0))
  return encodeIpv4(v4 === undefined || v4 === '' ? [0, 0, 0, 0] : parseIpv4(v4), port)
}

function encodeIpv4(address: number[] | undefined, port: number): string | undefined {
  if (address === undefined) return undefined
  const bytes = Buffer.alloc(ipv4Bytes)
  bytes.writeUInt16LE(familyIpv4, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(address, 4)
  return bytes.toString('hex')
}

function encodeIpv6(address: number[] | undefined, port: number, scope: number): string | undefined {
  if (address === undefined) return undefined
  const bytes = Buffer.alloc(ipv6Bytes)
  bytes.writeUInt16LE(familyIpv6, 0)
  bytes.writeUInt16BE(port, 2)
  address.forEach((group, at) => {
    bytes.writeUInt16BE(group, 8 + 2 * at)
  })
  bytes.writeUInt32LE(scope, 24)
  return bytes.toString('hex')
}

/** Four numbers without leading zeros (which some read as octal). */
export function parseIpv4(text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part))) return undefined
  const numbers = parts.map(Number)
  return numbers.every((number) => number <= 255) ? numbers : undefined
}

/** Eight groups of 16 bits; `::` and a dotted tail are accepted. */
export function parseIpv6(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map((half, at) => parseGroups(half, at === halves.length - 1))
  if (head === undefined) return undefined
  if (halves.length === 1) return head.length === 8 ? head : undefined
  if (tail === undefined || head.length + tail.length > 7) return undefined
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail]
}

/** Groups between colons; the last one of an address may be a dotted IPv4 address. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [at, part] of parts.entries()) {
    const dotted = isEnd && at === parts.length - 1 && part.includes('.') ? parseIpv4(part) : undefined
    if (dotted !== undefined) {
      const [a = 0, b = 0, c = 0, d = 0] = dotted
      groups.push(a * 256 + b, c * 256 + d)
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else {
      return undefined
    }
  }
  return groups
}
