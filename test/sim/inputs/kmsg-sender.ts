/** The kernel's log: one record at a read, some lost, some read again, some continued by the next. */
import { frameKindRecord, sourceKindKmsg } from '../../../src/protocol/constants.ts'
import type { Random } from '../../support/random.ts'
import { type Expected, type Sender, uniqueText } from './sender.ts'

export const kernelSource = 'kernel'

export class KmsgSender implements Sender {
  readonly sourceKind = sourceKindKmsg
  readonly frameKind = frameKindRecord
  readonly name = 'kmsg'
  readonly expected: Expected[] = []
  readonly #unread: Buffer[] = []
  /** Every record that was sent, for one that reads the log from its beginning again. */
  readonly #sent: Buffer[] = []
  #sequence = 0

  send(random: Random): void {
    const chance = random.below(100)
    if (chance < 5) this.#lose(1 + random.below(30))
    if (chance > 90 && this.#sent.length > 0) this.#unread.push(...this.#sent.slice(-random.below(5)))
    this.#record(random, chance > 5 && chance < 15 ? 'c' : '-')
  }

  read(): Buffer | undefined {
    return this.#unread.shift()
  }

  close(): void {}

  #lose(records: number): void {
    this.#sequence += records
    this.expected.push({ source: kernelSource, text: '', lost: records })
  }

  #record(random: Random, flags: string): void {
    const sequence = this.#sequence++
    const text = uniqueText(sequence, random, 300)
    const record = Buffer.from(`6,${sequence},${sequence * 1000},${flags};${text}\n SUBSYSTEM=net\n`)
    this.#unread.push(record)
    this.#sent.push(record)
    this.expected.push({ source: kernelSource, text })
  }
}
