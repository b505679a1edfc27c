// What would end every engine is found before -daemonize returns: a status of 0 means that the log will work.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { binDirectory, run } from '../support/daemon.ts'

const isRoot = process.geteuid?.() === 0

const memlogdExecutable = join(binDirectory, 'memlogd')

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'memlogd-start-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Runs a script in a mount namespace of its own, if `isAlone`; $1 is memlogd, and it starts in an empty directory. */
function script(text: string, isAlone = false): { status: number | null; stdout: string; stderr: string } {
  const shell = ['sh', '-c', `cd ${directory}\n${text}`, 'sh', memlogdExecutable]
  const [command = '', ...args] = isAlone ? ['unshare', '-m', ...shell] : shell
  return run(command, args)
}

it('an address space in which JavaScript cannot run is an error at the start', () => {
  const { status, stderr } = script('ulimit -v 600000; exec "$1" -daemonize')
  expect(stderr).toMatch(/\nmemlogd: JavaScript can't run within 600000 KiB of address space \(ulimit -v\)\n$/)
  expect(status).toBeGreaterThan(0)
})

it.runIf(isRoot)('without /proc, a start by a relative path is refused: no engine could be started from there', () => {
  const relative = script('umount -l /proc && cd "$(dirname "$1")" && exec ./memlogd -daemonize', true)
  expect(relative.stderr).toBe('memlogd: could not be started: without /proc it must be started by an absolute path\n')
  expect(relative.status).toBe(1)
})

it.runIf(isRoot)('a machine without /dev/null has a log', () => {
  const shown = script(
    `mount -t tmpfs none /dev
    "$1" -daemonize -socket-log "$PWD/log" -socket-query "$PWD/query" && "$(dirname "$1")/logread" -socket "$PWD/query"`,
    true,
  )
  run('pkill', ['-f', `^${memlogdExecutable} -daemonize -socket-log ${directory}/log`])
  expect(shown.stdout).toContain(' memlogd memlogd started')
  expect(shown.status).toBe(0)
})
