/** Entries to lines to the output. */
import type { EntryView } from '../../protocol/entry.ts'
import { ByteSink } from '../formats/byte-sink.ts'
import type { WriteEntry } from '../formats/format.ts'
import type { LineOutput } from './line-output.ts'

const groupSeparator = '--\n'

export class Printer {
  private readonly output: LineOutput
  private readonly write: WriteEntry
  private readonly separatesGroups: boolean
  private readonly sink = new ByteSink()

  /** `separatesGroups`: a line `--` stands where a context leaves lines out. */
  constructor(output: LineOutput, write: WriteEntry, separatesGroups: boolean) {
    this.output = output
    this.write = write
    this.separatesGroups = separatesGroups
  }

  /** False once nobody reads the output any more. */
  get hasReader(): boolean {
    return this.output.hasReader
  }

  print(entry: EntryView, startsGroup: boolean): void {
    if (startsGroup && this.separatesGroups) this.sink.text(groupSeparator)
    this.write(entry, this.sink)
    if (this.sink.isFull) this.flush()
  }

  /** Writes what has been gathered. False once nobody reads the output any more. */
  flush(): boolean {
    const { sink, output } = this
    if (sink.used > 0) output.write(sink.bytes, 0, sink.used)
    sink.clear()
    return output.hasReader
  }

  get busy(): Promise<void> | undefined {
    return this.output.busy
  }
}
