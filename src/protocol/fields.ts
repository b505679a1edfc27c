/**
 * The fields of an entry in the encoding of docs/PROTOCOL.md section 3. A field that has no room is left out and
 * counted, as is one whose key is empty or too long; those that still fit follow.
 */
import { entryFieldKeyBytesMax, entryFieldsBytesMax } from './constants.ts'

/** Bytes before a field's key: u8 key length, u16 value length. */
const fieldHeaderBytes = 3
const fieldValueBytesMax = 0xffff

/** Collects the fields of one entry in one buffer, which is used again for the next entry. */
export class FieldsBuilder {
  readonly #bytes = Buffer.allocUnsafe(entryFieldsBytesMax)
  #length = 0
  #leftOut = 0

  clear(): this {
    this.#length = 0
    this.#leftOut = 0
    return this
  }

  /** Fields that found no room since `clear`. */
  get leftOut(): number {
    return this.#leftOut
  }

  /** The encoded fields: a view, valid until the next change. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Adds a field. Returns false if there was no room for it. */
  add(key: string, value: string): boolean {
    if (!this.#begin(key, Buffer.byteLength(value))) return false
    this.#length += this.#bytes.write(value, this.#length)
    return true
  }

  /** The same with a value that is bytes[start,end). */
  addBytes(key: string, bytes: Buffer, start: number, end: number): boolean {
    if (!this.#begin(key, end - start)) return false
    this.#length += bytes.copy(this.#bytes, this.#length, start, end)
    return true
  }

  /** Adds fields that are encoded already, as many as there is room for. */
  addEncoded(fields: Buffer): void {
    if (this.#length + fields.length <= entryFieldsBytesMax) {
      this.#length += fields.copy(this.#bytes, this.#length)
      return
    }
    for (let at = 0; at < fields.length; ) {
      const end = at + fieldHeaderBytes + (fields[at] as number) + fields.readUInt16LE(at + 1)
      if (this.#length + end - at > entryFieldsBytesMax) this.#leftOut++
      else this.#length += fields.copy(this.#bytes, this.#length, at, end)
      at = end
    }
  }

  /** Writes a field's lengths and key if the whole field fits. */
  #begin(key: string, valueBytes: number): boolean {
    const keyBytes = Buffer.byteLength(key)
    const bytes = fieldHeaderBytes + keyBytes + valueBytes
    const isValid = keyBytes > 0 && keyBytes <= entryFieldKeyBytesMax && valueBytes <= fieldValueBytesMax
    if (!isValid || this.#length + bytes > entryFieldsBytesMax) {
      this.#leftOut++
      return false
    }
    this.#bytes[this.#length] = keyBytes
    this.#bytes.writeUInt16LE(valueBytes, this.#length + 1)
    this.#length += fieldHeaderBytes
    this.#length += this.#bytes.write(key, this.#length)
    return true
  }
}

const shared = new FieldsBuilder()

/** Fields in a buffer of their own. */
export function encodeFields(fields: Iterable<readonly [string, string | Buffer]>): Buffer {
  shared.clear()
  for (const [key, value] of fields) {
    if (typeof value === 'string') shared.add(key, value)
    else shared.addBytes(key, value, 0, value.length)
  }
  return Buffer.from(shared.bytes)
}
