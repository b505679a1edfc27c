/**
 * A real systemd-journal-remote takes what `-o export` writes, and journalctl shows it again. Where the two are not
 * installed (Debian: `apt-get install systemd-journal-remote`), nothing can be said, and the test says so.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exportFormat } from '../../../src/logread/formats/export.ts'
import { gap, sample } from '../../support/entries.ts'
import { formattedBytes } from '../../support/formatted.ts'

const remote = ['/lib/systemd/systemd-journal-remote', '/usr/lib/systemd/systemd-journal-remote'].find(existsSync)
const hasJournalctl = spawnSync('journalctl', ['--version']).status === 0
const missing = remote === undefined || !hasJournalctl ? ' (skipped: systemd-journal-remote is not installed)' : ''

const entries = [
  sample(1, { priority: 35, message: 'plain', fields: { pid: '77', 'unit.name': 'x', hostname: 'far' } }),
  sample(2, { message: 'gefäß 😀' }),
  sample(3, { message: 'two\nlines' }),
  sample(4, { message: Buffer.from('\x1b[31mred\0', 'latin1') }),
  sample(5, { message: Buffer.of(0x61, 0xff) }),
  sample(6, { message: 'x'.repeat(100_000) }),
  gap(7, 3),
]

describe(`the journal export format${missing}`, () => {
  it.skipIf(missing !== '')('is taken by systemd-journal-remote', { timeout: 60_000 }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'journal-'))
    const input = join(directory, 'log.export')
    const journal = join(directory, 'remote.journal')
    writeFileSync(input, formattedBytes(exportFormat, entries, { hostname: 'vm', bootId: 'ab'.repeat(16) }))
    const taken = spawnSync(remote as string, ['--output', journal, input], { encoding: 'utf8' })
    expect([taken.status, taken.stderr]).toEqual([0, expect.not.stringContaining('ailed')])
    const shown = spawnSync('journalctl', ['--file', journal, '-o', 'json', '--all'], { encoding: 'utf8' })
    rmSync(directory, { recursive: true })
    const found = shown.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(found).toHaveLength(entries.length)
    expect(found[0]).toMatchObject({
      MESSAGE: 'plain',
      PRIORITY: '3',
      SYSLOG_FACILITY: '4',
      SYSLOG_IDENTIFIER: 'rngd.stderr',
      SYSLOG_PID: '77',
      _HOSTNAME: 'far',
      MEMLOGD_F_UNIT_NAME: 'x',
      __REALTIME_TIMESTAMP: '1492270658123456',
    })
    expect(found[1]).toMatchObject({ MESSAGE: 'gefäß 😀', _HOSTNAME: 'vm' })
    expect(found[2]).toMatchObject({ MESSAGE: 'two\nlines' })
    // What is no text is shown as an array of bytes.
    expect(Buffer.from(found[3]?.MESSAGE as number[]).toString('latin1')).toBe('\x1b[31mred\0')
    expect(found[4]).toMatchObject({ MESSAGE: [0x61, 0xff] })
    expect(found[5]).toMatchObject({ MESSAGE: 'x'.repeat(100_000) })
    expect(found[6]).toMatchObject({ MEMLOGD_KIND: 'gap', MESSAGE: '3 lines lost' })
  })
})
