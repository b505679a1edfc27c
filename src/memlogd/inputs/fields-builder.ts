/**
 * Collects the fields of one entry in the encoding of docs/PROTOCOL.md section 3, in one buffer that is
 * used again for the next entry. A field that has no room is left out and counted.
 */
import { entryFieldKeyBytesMax, entryFieldsBytesMax } from '../../protocol/constants.ts'

/** Bytes before a field's key: u8 key length, u16 value length. */
const fieldHeaderBytes = 3
const fieldValueBytesMax = 0xffff

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

  /** Adds a field; the key is printable ASCII. Returns false if there was no room for it. */
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

  /** Adds fields that are encoded already. */
  addEncoded(fields: Buffer): boolean {
    if (this.#length + fields.length > entryFieldsBytesMax) {
      this.#leftOut++
      return false
    }
    this.#length += fields.copy(this.#bytes, this.#length)
    return true
  }

  /** Writes a field's lengths and key if the whole field fits. */
  #begin(key: string, valueBytes: number): boolean {
    const bytes = fieldHeaderBytes + key.length + valueBytes
    const isValid = key.length > 0 && key.length <= entryFieldKeyBytesMax && valueBytes <= fieldValueBytesMax
    if (!isValid || this.#length + bytes > entryFieldsBytesMax) {
      this.#leftOut++
      return false
    }
    this.#bytes[this.#length] = key.length
    this.#bytes.writeUInt16LE(valueBytes, this.#length + 1)
    this.#length += fieldHeaderBytes
    this.#length += this.#bytes.write(key, this.#length, 'latin1')
    return true
  }
}
