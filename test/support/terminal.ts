/** Commands on a terminal of their own, as script(1) makes one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** Runs a shell's command to its end; what the terminal showed, with its line ends as in a file. */
export async function onTerminal(command: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const terminal = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, SHELL: '/bin/bash', LOGREAD_PAGER: '', NO_COLOR: '1', TERM: 'xterm', ...env },
  })
  let shown = ''
  terminal.stdout.on('data', (chunk) => {
    shown += chunk
  })
  await once(terminal, 'close')
  return shown.replaceAll('\r', '')
}
