/**
 * `make bench`: measures the packaged executable beside baselines and prints a table.
 *
 *   bench.ts [--runs N] [--scale X] [--write] [MEASURE]...
 *
 * --runs: samples of which the median is taken (5); --scale: part of the usual number of lines (1); --write: the table
 * goes to docs/BENCHMARKS.md too. It runs itself again in namespaces of its own, with empty /run and /dev: no other
 * daemon is seen or disturbed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { baseNode, buildLoad, executable, root } from './machine.ts'
import { measures, type Options, type Row } from './measures.ts'

const isInside = 'MEMLOGD_BENCH_INSIDE'
const namespaces = ['-m', '-p', '-i', '-f', '--kill-child', '--mount-proc']
/** Devices that somebody opens; terminals are the namespace's own. */
const mounts = [
  'mount -t tmpfs tmpfs /run && mkdir /run/dev && mount -t tmpfs tmpfs /run/dev && cd /run/dev',
  'mknod null c 1 3 && mknod zero c 1 5 && mknod urandom c 1 9 && mknod tty c 5 0 && mkdir pts shm',
  'mount -t devpts -o newinstance,ptmxmode=0666 devpts pts && ln -s pts/ptmx ptmx && ln -s /proc/self/fd fd',
  'mount --rbind /run/dev /dev && chmod 666 null zero urandom tty && cd /',
].join(' && ')

function main(): number {
  for (const file of [executable, baseNode]) {
    if (!existsSync(file)) throw new Error(`${file} is missing: run make build first`)
  }
  if (process.env[isInside] === undefined) return again()
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: '5' },
      scale: { type: 'string', default: '1' },
      write: { type: 'boolean', default: false },
    },
  })
  const options = { runs: Number(values.runs), scale: Number(values.scale) }
  const table = measureAll(positionals.length > 0 ? positionals : Object.keys(measures), options)
  process.stdout.write(`\n${table}\n`)
  if (values.write) writeTable(table, options)
  return 0
}

function again(): number {
  buildLoad()
  const words = [process.execPath, ...process.argv.slice(1)]
  const script = `${mounts} && cd "$0" && exec "$@"`
  const { status } = spawnSync('unshare', [...namespaces, 'sh', '-c', script, root, ...words], {
    stdio: 'inherit',
    env: { ...process.env, [isInside]: '1' },
  })
  return status ?? 1
}

function measureAll(names: readonly string[], options: Options): string {
  const rows: Row[] = []
  for (const name of names) {
    const measure = measures[name]
    if (measure === undefined) throw new Error(`${name}: wanted one of ${Object.keys(measures).join(', ')}`)
    process.stderr.write(`${name}\n`)
    rows.push(...[measure(options)].flat())
  }
  return [
    '| what | memlogd | baseline | ratio | target | met |',
    '| --- | ---: | --- | ---: | --- | --- |',
    ...rows.map(tableRow),
  ].join('\n')
}

function tableRow({ what, unit, value, baseline, target, isMet }: Row): string {
  const other = baseline === undefined ? '' : `${shown(baseline.value, unit)}: ${baseline.what}`
  const ratio = baseline === undefined ? '' : (value / baseline.value).toFixed(2)
  const met = isMet === undefined ? '' : isMet ? 'yes' : '**no**'
  return `| ${[what, shown(value, unit), other, ratio, target ?? '', met].join(' | ')} |`
}

function shown(value: number, unit: string): string {
  const digits = value >= 100 || Number.isInteger(value) ? 0 : 2
  const text = value >= 1e5 ? `${(value / 1e6).toFixed(2)} M` : value.toFixed(digits)
  return `${text} ${unit}`.trim()
}

const begin = '<!-- table: begin -->'
const end = '<!-- table: end -->'

function writeTable(table: string, { runs }: Options): void {
  const file = join(root, 'docs/BENCHMARKS.md')
  const text = readFileSync(file, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${file}: the lines around the table are missing`)
  const commit = spawnSync('git', ['-C', root, 'rev-parse', '--short=10', 'HEAD'], { encoding: 'utf8' }).stdout.trim()
  const [cpu] = cpus()
  const machine = `${cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), Linux ${release().split('-')[0]}`
  const note = `Commit ${commit}; ${machine}; medians of ${runs} runs or more.`
  writeFileSync(file, `${text.slice(0, from)}${begin}\n\n${note}\n\n${table}\n\n${text.slice(to)}`)
}

try {
  process.exitCode = main()
} catch (error) {
  process.stderr.write(`bench: ${(error as Error).message}\n`)
  process.exitCode = 1
}
