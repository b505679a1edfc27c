/**
 * What is left of a message when numbers, hexadecimal, UUIDs and addresses are taken out of it: messages with the same
 * shape are repeats of each other. `took 12 ms for 10.0.0.7:443 (id a3f09c)` becomes `took # ms for # (id #)`.
 */

const digit = 1
const hexLetter = 2
const letter = 4
const colon = 8
const dot = 16
const alphanumeric = digit | hexLetter | letter
const inAddress = digit | hexLetter | colon | dot

const classes = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  const character = String.fromCharCode(byte)
  if (/[0-9]/.test(character)) classes[byte] = digit
  else if (/[A-Fa-f]/.test(character)) classes[byte] = hexLetter
  else if (/[A-Za-z_]/.test(character) || byte > 0x7f) classes[byte] = letter
}
classes[0x3a] = colon
classes[0x2e] = dot
classes[0x2c] = dot

const mark = 0x23
const zero = 0x30
const dash = 0x2d
const uuidBytes = 36
const uuidDashes = new Set([8, 13, 18, 23])
/** Shortest word of hexadecimal digits, one of them a decimal one, that counts as a number. */
const hexWordBytes = 2

function classAt(bytes: Buffer, at: number, end: number): number {
  return at < end ? (classes[bytes[at] as number] as number) : 0
}

/** Writes the shape of bytes[start,end) at `at` and returns where it ends; it is never longer than the message. */
export function writeShape(target: Buffer, at: number, bytes: Buffer, start: number, end: number): number {
  let to = at
  let isWordStart = true
  // Bytes before it were looked at: where no address begins with a run of them, none begins further on in the run.
  let addressRun = start
  for (let from = start; from < end; ) {
    const byte = bytes[from] as number
    const kind = classes[byte] as number
    if ((kind & (digit | hexLetter | colon)) !== 0) {
      let after = from
      if (isWordStart && from >= addressRun) {
        addressRun = runEnd(bytes, from, end, inAddress)
        after = addressEnd(bytes, from, addressRun, end)
      }
      if (after === from) after = isWordStart ? valueEnd(bytes, from, end) : digitsEnd(bytes, from, end)
      if (after > from) {
        target[to++] = mark
        from = after
        isWordStart = false
        continue
      }
    }
    target[to++] = byte
    from++
    isWordStart = (kind & alphanumeric) === 0
  }
  return to
}

/** The end of the value, other than an address, that begins a word at `at`; `at` if there is none. */
function valueEnd(bytes: Buffer, at: number, end: number): number {
  if (isUuid(bytes, at, end)) return at + uuidBytes
  const isPrefixed = bytes[at] === zero && at + 1 < end && ((bytes[at + 1] as number) | 0x20) === 0x78
  if (isPrefixed) {
    const after = runEnd(bytes, at + 2, end, digit | hexLetter)
    if (after > at + 2) return after
  }
  const word = runEnd(bytes, at, end, digit | hexLetter)
  const isWhole = (classAt(bytes, word, end) & alphanumeric) === 0
  if (isWhole && word - at >= hexWordBytes && hasDigit(bytes, at, word)) return decimalsEnd(bytes, word, end)
  return digitsEnd(bytes, at, end)
}

function runEnd(bytes: Buffer, at: number, end: number, kinds: number): number {
  let after = at
  while ((classAt(bytes, after, end) & kinds) !== 0) after++
  return after
}

function hasDigit(bytes: Buffer, at: number, end: number): boolean {
  for (let from = at; from < end; from++) if (classes[bytes[from] as number] === digit) return true
  return false
}

/** The end of the number that begins at `at`; `at` if there is none. */
function digitsEnd(bytes: Buffer, at: number, end: number): number {
  const after = runEnd(bytes, at, end, digit)
  return after === at ? at : decimalsEnd(bytes, after, end)
}

/** The end of what follows digits: more of them behind points or commas. */
function decimalsEnd(bytes: Buffer, at: number, end: number): number {
  let after = at
  while (classAt(bytes, after, end) === dot && classAt(bytes, after + 1, end) === digit) {
    after = runEnd(bytes, after + 1, end, digit)
  }
  return after
}

/**
 * The end of the address at `at` whose bytes run to `run`; `at` if there is none. Times of day, IPv6 and hardware
 * addresses, addresses with ports: hexadecimal with colons.
 */
function addressEnd(bytes: Buffer, at: number, run: number, end: number): number {
  let after = run
  // What closes a sentence or a clause is no part of it.
  while (after > at && (classAt(bytes, after - 1, end) & (colon | dot)) !== 0) after--
  if ((classAt(bytes, after, end) & alphanumeric) !== 0) return at
  let colons = 0
  for (let from = at; from < after; from++) if (bytes[from] === 0x3a) colons++
  return colons > 0 && hasDigit(bytes, at, after) ? after : at
}

function isUuid(bytes: Buffer, at: number, end: number): boolean {
  if (at + uuidBytes > end || bytes[at + 8] !== dash) return false
  for (let from = 0; from < uuidBytes; from++) {
    const kind = classes[bytes[at + from] as number] as number
    if (uuidDashes.has(from) ? bytes[at + from] !== dash : (kind & (digit | hexLetter)) === 0) return false
  }
  return (classAt(bytes, at + uuidBytes, end) & alphanumeric) === 0
}
