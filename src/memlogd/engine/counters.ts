/**
 * Everything that memlogd counts for as long as it runs; kept in each commit, so that an engine's death resets none.
 */
export const counterNames = [
  'frames',
  'linesCut',
  'bytesCut',
  'sourcesOpened',
  'sourcesClosed',
  'engineStarts',
  'readersServed',
  'readersRefused',
  'entriesDelivered',
  'entriesLostByReaders',
  'datagramsLost',
  'kernelRecordsLost',
  'inputErrors',
  // Of the inputs, one for each thing that may be wrong with what comes in.
  'syslogWithoutPriority',
  'syslogBadHeader',
  'syslogBadStructuredData',
  'fieldsLeftOut',
  'kernelRecordsDamaged',
  'kernelRecordsRepeated',
  'dockerMessagesDamaged',
  'dockerBytesSkipped',
  'dockerFramesSkipped',
  // Engines in a row that ended before they had stored anything: no count of events, but it must outlive them too.
  'attempts',
  'framesSkipped',
  'datagramsRateLimited',
] as const

export type CounterName = (typeof counterNames)[number]

export class Counters {
  readonly values = new Float64Array(counterNames.length)

  add(name: CounterName, amount = 1): void {
    const index = counterIndex[name]
    this.values[index] = (this.values[index] as number) + amount
  }

  set(name: CounterName, value: number): void {
    this.values[counterIndex[name]] = value
  }

  get(name: CounterName): number {
    return this.values[counterIndex[name]] as number
  }
}

const counterIndex = Object.fromEntries(counterNames.map((name, index) => [name, index])) as Record<CounterName, number>
