/** Syslog over TCP, in both framings at random (RFC 6587). */
import { frameKindData, sourceKindSyslogTcp } from '../../../src/protocol/constants.ts'
import type { Random } from '../../support/random.ts'
import { type Expected, type Sender, StreamSender, uniqueText } from './sender.ts'

export class TcpSender extends StreamSender implements Sender {
  readonly sourceKind = sourceKindSyslogTcp
  readonly frameKind = frameKindData
  readonly name: string
  readonly expected: Expected[] = []
  readonly #tag: string
  #messages = 0
  /** A message without its newline. */
  #unfinished: string | undefined

  constructor(number: number) {
    super()
    this.name = `10.0.0.${number}`
    this.#tag = `tcp-${number}`
  }

  send(random: Random): void {
    // A burst fills the ring's staging buffer: the engine commits in the middle of a batch of frames.
    for (let burst = random.chance(0.02) ? 2200 : 1; burst > 0; burst--) this.#sendOne(random, burst > 1)
  }

  #sendOne(random: Random, isShort: boolean): void {
    const text = uniqueText(this.#messages++, random, isShort ? 1 : random.pick([3, 60, 60, 5000]))
    const message = `<13>${this.#tag}: ${text}`
    if (this.#unfinished !== undefined) {
      this.write(Buffer.from('\n'))
      this.#expect(this.#unfinished)
      this.#unfinished = undefined
    }
    if (random.chance(0.4)) this.write(Buffer.from(`${message.length} ${message}`))
    else if (random.chance(0.9)) this.write(Buffer.from(`${message}\n`))
    else {
      this.write(Buffer.from(message))
      this.#unfinished = text
      return
    }
    this.#expect(text)
  }

  close(): void {
    if (this.#unfinished !== undefined) this.#expect(this.#unfinished)
  }

  #expect(text: string): void {
    this.expected.push({ source: this.#tag, text })
  }
}
