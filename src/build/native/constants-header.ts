/**
 * The native half's constants.h, made from src/protocol/constants.ts: `queueFrameHeaderBytes`
 * becomes `QUEUE_FRAME_HEADER_BYTES`. Pure: values in, text out.
 */

/** The header's text for the exports of the constants module (or a copy of them with other values, for tests). */
export function constantsHeader(values: Readonly<Record<string, unknown>>): string {
  const lines = Object.keys(values)
    .sort()
    .map((name) => `#define ${macroName(name)} ${macroValue(name, values[name])}`)
  return ['/* Generated from src/protocol/constants.ts. */', '#pragma once', ...lines, ''].join('\n')
}

/** `engineRestartMsMax` -> `ENGINE_RESTART_MS_MAX`. */
function macroName(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => `_${letters}`).toUpperCase()
}

function macroValue(name: string, value: unknown): string {
  if (typeof value === 'string') return cString(value)
  if (typeof value === 'number' && Number.isSafeInteger(value)) {
    if (value >= -0x8000_0000 && value < 0x8000_0000) return String(value)
    return value < 0x1_0000_0000 && value > 0 ? `${value}u` : `${value}ll`
  }
  throw new TypeError(`constant ${name}: ${String(value)} is neither an integer nor a string`)
}

/** A C string literal; bytes that are not plain ASCII as octal escapes, which end after three digits. */
function cString(value: string): string {
  let text = ''
  for (const byte of Buffer.from(value)) {
    const isPlain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c && byte !== 0x3f
    text += isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`
  }
  return `"${text}"`
}
