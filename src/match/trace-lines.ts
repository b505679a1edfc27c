/**
 * Which lines go on with the entry that the lines before them are of: what is indented, and the lines of stack traces
 * that are not.
 */

/** The program whose trace an entry is; what its lines look like depends on it. */
type Kind = 'plain' | 'python' | 'python-ended' | 'go' | 'node' | 'rust-panic' | 'rust' | 'php'

/** Bytes that are looked at; a call in a Go trace may be longer. */
const headBytes = 512
const space = 0x20
const tab = 0x09

const traceback = /Traceback \(most recent call last\):$/
const goroutine = /^goroutine \d+ (?:gp=\S+ .*)?\[/
const goCall = /^[\w./*()[\]{},·%$-]+\(.*\)$/
const goLine = /^(?:created by |\[signal |exit status \d|\.\.\.\w* ?(?:additional|\d+) |\w{2,6} +0x[0-9a-f]+$)/
const nodePlace = /^(?:(?:file:\/\/)?\S*\.[cm]?[jt]sx?:\d+|node:[\w/]+:\d+)$/
const rustPanic = /^thread '.*'(?: \(\d+\))? panicked at /
/** `java.io.IOException: text`, `ValueError: text`, `TypeError [ERR_X]: text`. */
const exception =
  /^(?:(?:[a-z_$][\w$]*\.)+[A-Z][\w$]*|(?:[A-Z]\w*)?(?:Error|Exception|Warning|Interrupt|Exit))(?: \[\w+\])?(?::(?: |$)|$)/
/** Lines that go on with whatever comes before them. */
const continuing = /^(?:Caused by: |Suppressed: |\.\.\. \d+ (?:more|common frames))/
const chained = /^(?:During handling of the above exception|The above exception was the direct cause)/
const closing = /^[\])}]+[,;]?$/
const phpTrace = /^(?:PHP )?(?:Stack trace:|\[stacktrace\])$/
const phpFrame = /^(?:#\d+ |PHP +\d+\. |Next \S)/

/** Something of each line above that does not begin with a space: most lines have none. */
const hint =
  /^(?:[\])}]|\.\.\. |#\d|Caused|Suppr|panic: |fatal error|runtime: |SIG[A-Z]+: |goroutine |thread '|PHP |Stack |\[stack|stack |note: )|Traceback|Error|Exception|^(?:[a-z_$][\w$]*\.)+[A-Z]|:\d+$|Uncaught/

/** Follows the lines of one entry. */
export class TraceLines {
  #kind: Kind = 'plain'
  #indent = 0
  #wasIndented = false

  /** The first line of an entry. */
  constructor(bytes: Buffer, start: number, end: number) {
    this.#indent = indentOf(bytes, start, end)
    const head = headOf(bytes, start, end)
    if (hint.test(head)) this.#kind = kindOf(head)
  }

  /**
   * Whether a line goes on with the entry; if so it is of it from now on. `isTrouble` says whether the entry's level is
   * a warning or worse: an exception goes on with a line that reports one.
   */
  continues(bytes: Buffer, start: number, end: number, isTrouble: () => boolean): boolean {
    if (start === end) return this.#kind !== 'plain' && this.#kind !== 'rust' && this.#kind !== 'php'
    if (indentOf(bytes, start, end) > this.#indent) {
      if (this.#kind === 'rust-panic') this.#kind = 'rust'
      this.#wasIndented = true
      return true
    }
    if (this.#indent > 0) return false
    const head = headOf(bytes, start, end)
    return (hint.test(head) && this.#continuesAnywhere(head, isTrouble)) || this.#continuesKind(head)
  }

  /** Lines that need no trace before them. */
  #continuesAnywhere(head: string, isTrouble: () => boolean): boolean {
    if (continuing.test(head) || (this.#wasIndented && closing.test(head))) return true
    if (traceback.test(head)) {
      if (this.#kind !== 'python-ended' && !isTrouble()) return false
      this.#wasIndented = false
      return this.#become('python')
    }
    if (goroutine.test(head)) return this.#become('go')
    if (phpTrace.test(head)) return this.#become('php')
    if (head === 'stack backtrace:') return this.#become('rust')
    return this.#kind === 'plain' && exception.test(head) && isTrouble()
  }

  #become(kind: Kind): true {
    this.#kind = kind
    return true
  }

  #continuesKind(head: string): boolean {
    switch (this.#kind) {
      case 'python':
        return this.#wasIndented && this.#become('python-ended')
      case 'python-ended':
        return chained.test(head)
      case 'go':
        return goLine.test(head) || goCall.test(head)
      case 'node':
        return exception.test(head) || /^Node\.js v\d/.test(head)
      case 'rust-panic':
        return this.#become('rust')
      case 'rust':
        return head.startsWith('note: ')
      case 'php':
        return phpFrame.test(head)
      default:
        return false
    }
  }
}

function kindOf(head: string): Kind {
  if (traceback.test(head)) return 'python'
  if (goroutine.test(head) || /^(?:panic: |fatal error: |runtime: |SIG[A-Z]+: )/.test(head)) return 'go'
  if (rustPanic.test(head)) return head.endsWith(':') ? 'rust-panic' : 'rust'
  if (nodePlace.test(head)) return 'node'
  return /^PHP |Uncaught /.test(head) ? 'php' : 'plain'
}

function headOf(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('latin1', start, Math.min(end, start + headBytes))
}

function indentOf(bytes: Buffer, start: number, end: number): number {
  let at = start
  while (at < end && (bytes[at] === space || bytes[at] === tab)) at++
  return at - start
}
