/**
 * memlogd's statistics in Prometheus' text format (version 0.0.4), so that `promtool check metrics` has nothing to say:
 * each metric has a help text and a type, its base unit in its name, and `_total` at the end if it only grows.
 */
import { isObject, type Json, type JsonObject } from './stats.ts'

type MetricType = 'gauge' | 'counter'
interface Sample {
  label?: { name: string; value: string }
  value: number
}

/** Series with a name that somebody else chose: more are summed as `other`, those that are listed first stay. */
export const labelledSeriesMax = 200
const otherSeries = 'other'

/** Deepest nesting that is looked at. */
const depthMax = 4

/** Numbers of the statistics by their path: name without `memlogd_`, type, help. */
const known: ReadonlyMap<string, readonly [string, MetricType, string]> = new Map([
  ['runningSeconds', ['running_seconds', 'gauge', 'How long memlogd has run.']],
  ['ring.lines', ['ring_lines', 'gauge', 'Lines in the ring.']],
  ['ring.maxLines', ['ring_max_lines', 'gauge', 'Most lines that the ring holds.']],
  ['ring.bytes', ['ring_bytes', 'gauge', 'Bytes that the lines in the ring use.']],
  ['ring.maxBytes', ['ring_max_bytes', 'gauge', 'Most bytes that the lines in the ring use.']],
  ['ring.fileBytes', ['ring_file_bytes', 'gauge', 'Memory of the ring.']],
  ['ring.first', ['ring_first_sequence', 'gauge', 'Number of the oldest line that is in memory.']],
  ['ring.next', ['ring_next_sequence', 'gauge', 'Number that the next line gets.']],
  ['ring.stored', ['ring_stored_lines_total', 'counter', 'Lines that were stored.']],
  ['ring.overwritten', ['ring_overwritten_lines_total', 'counter', 'Stored lines that were evicted.']],
  ['kept.lines', ['kept_lines', 'gauge', 'Lines that are kept beside the ring.']],
  ['kept.bytes', ['kept_bytes', 'gauge', 'Bytes that the kept lines use.']],
  ['kept.maxBytes', ['kept_max_bytes', 'gauge', 'Most bytes that the kept lines use.']],
  ['kept.first', ['kept_first_sequence', 'gauge', 'Number of the oldest kept line.']],
  ['kept.last', ['kept_last_sequence', 'gauge', 'Number of the newest kept line.']],
  ['sources', ['sources', 'gauge', 'Streams and sockets that are open.']],
  ['partialBytes', ['partial_bytes', 'gauge', 'Bytes of lines that have not ended yet.']],
  ['clients', ['clients', 'gauge', 'Connections to the query socket, this one included.']],
  ['counters.frames', ['frames_total', 'counter', 'Reads of sources that were handled.']],
  ['counters.linesCut', ['cut_lines_total', 'counter', 'Lines that were longer than the limit.']],
  ['counters.bytesCut', ['cut_bytes_total', 'counter', 'Bytes that were cut from lines.']],
  ['counters.sourcesOpened', ['opened_sources_total', 'counter', 'Sources that were opened.']],
  ['counters.sourcesClosed', ['closed_sources_total', 'counter', 'Sources that ended.']],
  ['counters.engineStarts', ['engine_starts_total', 'counter', 'Starts of the engine.']],
  ['counters.readersServed', ['served_readers_total', 'counter', 'Requests to the query socket.']],
  ['counters.readersRefused', ['refused_readers_total', 'counter', 'Readers that were refused.']],
  ['counters.entriesDelivered', ['delivered_entries_total', 'counter', 'Entries that readers were sent.']],
  ['counters.entriesLostByReaders', ['lost_by_readers_entries_total', 'counter', 'Entries that readers missed.']],
  ['counters.datagramsLost', ['lost_datagrams_total', 'counter', 'Datagrams that found no room.']],
  ['counters.kernelRecordsLost', ['lost_kernel_records_total', 'counter', 'Kernel records that were overwritten.']],
  ['counters.inputErrors', ['input_errors_total', 'counter', 'Errors of reading sources.']],
  ['counters.syslogWithoutPriority', ['syslog_without_priority_total', 'counter', 'Syslog messages without <N>.']],
  ['counters.syslogBadHeader', ['syslog_bad_header_total', 'counter', 'Syslog messages with a bad header.']],
  [
    'counters.syslogBadStructuredData',
    ['syslog_bad_structured_data_total', 'counter', 'Syslog messages with bad structured data.'],
  ],
  ['counters.fieldsLeftOut', ['left_out_fields_total', 'counter', 'Fields that found no room in their entry.']],
  ['counters.kernelRecordsDamaged', ['damaged_kernel_records_total', 'counter', 'Kernel records that made no sense.']],
  ['counters.kernelRecordsRepeated', ['repeated_kernel_records_total', 'counter', 'Kernel records that came twice.']],
  [
    'counters.dockerMessagesDamaged',
    ['docker_damaged_messages_total', 'counter', 'Messages of Docker that made no sense.'],
  ],
  ['counters.dockerBytesSkipped', ['docker_skipped_bytes_total', 'counter', 'Bytes of Docker that made no sense.']],
  ['counters.dockerFramesSkipped', ['docker_skipped_frames_total', 'counter', 'Frames of Docker that were too large.']],
  ['counters.attempts', ['engine_failed_starts', 'gauge', 'Engines in a row that ended before they stored anything.']],
  [
    'counters.framesSkipped',
    ['skipped_frames_total', 'counter', 'Reads that were skipped: each engine failed at them.'],
  ],
  [
    'counters.datagramsRateLimited',
    ['rate_limited_datagrams_total', 'counter', 'Datagrams of users that sent more than their share.'],
  ],
  ['memory.rss', ['memory_rss_bytes', 'gauge', "The engine's memory, pages of its executable included."]],
  ['memory.heapTotal', ['memory_heap_bytes', 'gauge', "The engine's JavaScript heap."]],
  ['memory.heapUsed', ['memory_heap_used_bytes', 'gauge', "Used bytes of the engine's JavaScript heap."]],
  ['memory.external', ['memory_external_bytes', 'gauge', 'Memory of objects outside of the JavaScript heap.']],
  ['memory.arrayBuffers', ['memory_array_buffers_bytes', 'gauge', "The engine's buffers."]],
])

/** They identify things, and no graph can be made of them. */
const sectionsLeftOut: ReadonlySet<string> = new Set(['engine'])

/** The answer to a request with `stats` and `storedBySource`. Other numbers of a newer daemon are gauges. */
export function statisticsMetrics(statistics: JsonObject): string {
  const text = new MetricsText()
  const walk = (value: Json, path: readonly string[]) => {
    if (typeof value === 'number') addNumber(text, path, value)
    if (!isObject(value) || path.length >= depthMax) return
    for (const [key, each] of Object.entries(value)) walk(each, [...path, key])
  }
  for (const [key, value] of Object.entries(statistics)) if (!sectionsLeftOut.has(key)) walk(value, [key])
  addReaders(text, objectsOf(statistics.readers))
  addSources(text, objectsOf(statistics.storedBySource))
  addKept(text, objectsOf(statistics.keptBySource))
  return text.text
}

function objectsOf(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

function numberOf(value: Json | undefined): number {
  return typeof value === 'number' ? value : 0
}

class MetricsText {
  text = ''

  /** Nothing is written for a metric without samples. */
  add(name: string, type: MetricType, help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return
    this.text += `# HELP memlogd_${name} ${help}\n# TYPE memlogd_${name} ${type}\n`
    for (const { label, value } of samples) {
      const labels = label === undefined ? '' : `{${label.name}="${escaped(label.value)}"}`
      this.text += `memlogd_${name}${labels} ${value}\n`
    }
  }
}

/** As a label's value needs it. */
function escaped(value: string): string {
  return value.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')
}

function addNumber(text: MetricsText, path: readonly string[], value: number): void {
  const [name, type, help] = known.get(path.join('.')) ?? unknownMetric(path)
  text.add(name, type, help, [{ value }])
}

/** A name in Prometheus' style: `ring.maxLines` as `ring_max_lines`. */
function unknownMetric(path: readonly string[]): readonly [string, MetricType, string] {
  const isCounter = path[0] === 'counters'
  const words = path
    .slice(isCounter ? 1 : 0)
    .join('_')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    // Names that end so mean something else.
    .replace(/_(?:total|count|sum|bucket|info)$/, '')
  const help = `${path.join('.').replace(/[^a-zA-Z0-9.]/g, '_')} of memlogd's statistics.`
  return isCounter ? [`${words}_total`, 'counter', help] : [words, 'gauge', help]
}

function addReaders(text: MetricsText, readers: readonly JsonObject[]): void {
  const largest = (key: string) => [{ value: Math.max(0, ...readers.map((reader) => numberOf(reader[key]))) }]
  text.add('readers', 'gauge', 'Readers that are connected.', [{ value: readers.length }])
  text.add('readers_max_lag_lines', 'gauge', 'Lines that the slowest reader has still to be sent.', largest('lag'))
  text.add('readers_max_lost_lines', 'gauge', 'Lines that one of the connected readers missed.', largest('lost'))
  const byTarget = (key: string) =>
    labelled(
      'target',
      readers.map((reader) => [reader.target, numberOf(reader[key])]),
    )
  text.add(
    'target_sent_lines_total',
    'counter',
    'Lines that the shipper of a target was sent since it connected.',
    byTarget('delivered'),
  )
  text.add(
    'target_lost_lines_total',
    'counter',
    'Lines that were evicted before the shipper of a target had them.',
    byTarget('lost'),
  )
  text.add('target_lag_lines', 'gauge', 'Lines that the shipper of a target has still to be sent.', byTarget('lag'))
}

function addSources(text: MetricsText, sources: readonly JsonObject[]): void {
  const stored = sources.map(({ source, entries }): [Json | undefined, number] => [source, numberOf(entries)])
  const help = 'Lines of a source that the engine stored, those included that it found in memory.'
  text.add('source_stored_lines_total', 'counter', help, labelled('source', stored))
}

function addKept(text: MetricsText, sources: readonly JsonObject[]): void {
  const kept = sources.map(({ source, kept: lines }): [Json | undefined, number] => [source, numberOf(lines)])
  text.add('source_kept_lines', 'gauge', 'Kept lines of a source: the ring has evicted them.', labelled('source', kept))
}

/** Values by label, each once: those of the same label are summed, and so are those beyond the limit. */
function labelled(name: string, values: readonly (readonly [Json | undefined, number])[]): Sample[] {
  const sums = new Map<string, number>()
  let others = 0
  for (const [label, value] of values) {
    if (typeof label !== 'string') continue
    if (label === otherSeries || (!sums.has(label) && sums.size >= labelledSeriesMax)) others += value
    else sums.set(label, (sums.get(label) ?? 0) + value)
  }
  const hasOthers = values.some(([label]) => typeof label === 'string' && !sums.has(label))
  const samples = [...sums].map(([label, value]) => ({ label: { name, value: label }, value }))
  return hasOthers ? [...samples, { label: { name, value: otherSeries }, value: others }] : samples
}
