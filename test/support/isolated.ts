/** Shell text in a machine of its own: new mount and process namespaces, empty /run and /var/log. Needs root. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { waitMs } from './wait.ts'

const namespaces = ['-m', '-p', '-f', '--kill-child', '--mount-proc']
const mounts = 'for at in /run /var/log; do mount -t tmpfs tmpfs $at || exit; done\n'

export const canIsolate = spawnSync('unshare', [...namespaces, 'sh', '-c', mounts]).status === 0

/** Everything that it started is gone when it returns. */
export function runIsolated(script: string, binDirectory: string, cwd: string): SpawnSyncReturns<string> {
  return spawnSync('unshare', [...namespaces, 'bash', '-c', `${mounts}${script}`], {
    cwd,
    encoding: 'utf8',
    timeout: waitMs,
    // unshare ignores SIGTERM while it waits.
    killSignal: 'SIGKILL',
    env: { ...process.env, PATH: `${binDirectory}:${cwd}:${process.env.PATH}` },
  })
}
